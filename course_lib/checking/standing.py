"""Where a student stands, from day to day: what the last check of each exercise found, in a small file.

An entry has the verdict, a fingerprint of the answer that it is about, and the times (seconds since
1970) of that check and of the last one that found an answer right. The file is read and written anew
at each check, so that kernels side by side keep each other's entries. Where that fails, this kernel
goes on with what it found itself: nothing here raises, or waits for more than half a second.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import platformdirs

from course_lib.checking.cells import fingerprint
from course_lib.checking.report import State
from course_lib.running import in_colab, is_fast

DRIVE = Path("/content/drive/MyDrive")
"""Where Colab shows the student's Google Drive, once it is mounted."""


@dataclass(frozen=True)
class Entry:
    """What the last check of an exercise found."""

    state: State
    answer: str
    when: float
    right: float = 0.0


_unsaved: dict[str, Entry] = {}
"""What no file has taken yet."""


def places() -> list[Path]:
    """Where the file may lie, the best place first. COURSE_STANDING names it; empty, there is none."""
    named = os.environ.get("COURSE_STANDING", "" if is_fast() else None)
    if named is not None:
        return [Path(named)] if named else []
    if in_colab():
        beside = Path("course_standing.json")
        return [DRIVE / beside.name, beside] if DRIVE.is_dir() else [beside]
    own = platformdirs.user_data_path("course_lib", appauthor=False)
    return [own / "standing.json"] if own.is_absolute() else []  # a user without a home


def record(name: str, answer: Any, state: State) -> None:
    """Keep what the check of an exercise found."""
    before, now = known().get(name), time.time()
    right = now if state is State.CORRECT else before.right if before else 0.0
    _unsaved[name] = Entry(state, fingerprint(answer), now, right)
    for path in places():
        with contextlib.suppress(OSError), _alone(path):
            _write(path, _newest(_read(path), known()))
            return _unsaved.clear()


def known() -> dict[str, Entry]:
    """The newest entry of each exercise, from this and earlier days."""
    files = []
    for path in places():
        with contextlib.suppress(OSError):
            files.append(_read(path))
    return _newest(*files, _unsaved)


def remark() -> str:
    """Why the standing may be lost, and what to do; empty where it is kept."""
    if _unsaved and places():
        return "Known to this session only: the file for it cannot be written."
    if in_colab() and not DRIVE.is_dir():
        return "Kept until this runtime ends. Mount Drive (the folder at the left) to keep it."
    return ""


def forget() -> None:
    """Begin anew."""
    _unsaved.clear()
    for path in places():
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _newest(*many: dict[str, Entry]) -> dict[str, Entry]:
    pairs = [pair for entries in many for pair in entries.items()]
    return dict(sorted(pairs, key=lambda pair: pair[1].when))


def _read(path: Path) -> dict[str, Entry]:
    """The entries of a file without what is damaged. Raises OSError if it is there, but not readable."""
    entries = {}
    with contextlib.suppress(FileNotFoundError, ValueError, RecursionError, AttributeError):
        for name, item in json.loads(path.read_text(encoding="utf-8")).items():
            with contextlib.suppress(ValueError, TypeError, KeyError):
                when, right = _past(item["when"]), _past(item["right"])
                entries[name] = Entry(State(item["state"]), str(item["answer"]), when, right)
    return entries


def _past(seconds: Any) -> float:
    """The time, or 0 for one to come: a clock that was wrong once shall not win for ever."""
    return float(seconds) if float(seconds) <= time.time() else 0.0


def _write(path: Path, entries: dict[str, Entry]) -> None:
    """Put a new file in the place of the old one, in one step."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    data = {name: {**asdict(entry), "state": entry.state.value} for name, entry in entries.items()}
    try:
        new.write_text(json.dumps(data, indent=0), encoding="utf-8")
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other kernels from writing meanwhile; a lock that stays is a dead kernel's, and is broken."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f"{path.name}.lock")
    for _ in range(25):
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            time.sleep(0.02)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
