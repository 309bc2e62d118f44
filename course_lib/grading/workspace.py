"""The settings of a grading run, and its private folder: locked, cleaned, its sandbox warming up.

Nothing heavy is imported here, so that the sandbox imports torch while the grader does.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from course_lib.grading import sandbox


@dataclass
class Run:
    """The settings of a run."""

    out: Path
    jobs: int = 1
    seconds: float = 60.0
    seed: str = ""
    exercises: tuple[str, ...] = ()
    extra: dict = field(default_factory=dict)
    keep: bool = False
    dask: str | None = None

    @property
    def private(self) -> Path:
        """Where the run keeps what it needs to go on after an interruption."""
        return self.out / ".grading"

    @property
    def work(self) -> Path:
        """Where the run works; nothing of it is left at its end."""
        return self.private / "work"


class GradingError(RuntimeError):
    """Grading itself cannot be done; the text says why."""


@contextlib.contextmanager
def workspace(out: Path) -> Iterator[None]:
    """Hold `out`/.grading/work, with a sandbox in it; nothing of it is left at the end.

    Raises GradingError while another run has it.
    """
    private = out / ".grading"
    private.mkdir(parents=True, exist_ok=True)
    private.chmod(0o700)  # the seed, the hidden inputs and what the references give
    work = private / "work"
    with _lock(private / "lock"):
        shutil.rmtree(work, ignore_errors=True)
        try:
            with sandbox.running(work / "sandbox"):
                yield
        finally:
            shutil.rmtree(work, ignore_errors=True)


PREFIX, FRESH_SECONDS = "course-grading-", 60


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder of this process; what killed ones of the same user left is removed first."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        _remove_if_left(left)
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name, _lock(Path(name) / "lock"):
        yield Path(name)


def _remove_if_left(folder: Path) -> None:
    with contextlib.suppress(OSError, GradingError):
        found = folder.lstat()
        mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
        if mine and time.time() - found.st_mtime > FRESH_SECONDS:
            with _lock(folder / "lock"):
                shutil.rmtree(folder, ignore_errors=True)


def _lock(path: Path) -> IO:
    """An open file that no other run can have open; the system lets go of it when we end."""
    file = open(path, "w")  # noqa: SIM115
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise GradingError(f"another run is grading into {path.parent.parent}") from None
    return file
