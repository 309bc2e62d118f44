"""Where submissions come from: files, folders (also one per student, nested), or zips of them."""

import hashlib
import io
import os
import re
import stat
import time
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, takewhile
from pathlib import Path
from typing import Any

from course_lib.grading.extract import LARGEST_FILE
from course_lib.grading.platforms import (
    Owner,
    is_of_course,
    is_task,
    named,
    numbered,
    owner,
    stem,
    submitters,
    version,
    with_names_marked,
)
from course_lib.grading.pool import run_all

JUNK = ("__MACOSX", "__pycache__", "Thumbs.db", "desktop.ini")
METADATA = "submission_metadata.yml"
OF_THE_EXPORT = (METADATA, "timestamp.txt", "index.html", "grades.csv")
"""What platforms put beside the students' files."""
OWN_FOLDERS = ("notebooks", "work", "backup", "old", "src", "code", "final", "draft", "copy",
               "submission")  # fmt: skip
"""Names that students give to folders of their own."""
SUBMITTED, DRAFTS = "Submitted files", "Working files"
"""The folders that Teams has for what was handed in, and for what was not."""
ATTEMPT = r"^.*_attempt_[\d-]+_?|^\d+-\d+ - .+? [AP]M - |\bVersion \d+/"
"""What says in a file's name which attempt it is of."""
DEEPEST = 3
Parts = tuple[str, ...]


@dataclass(frozen=True)
class File:
    """A file that was handed in: where it is, and the members of zips that lead to it, by number.

    `export` are the folders above those of the students.
    """

    name: str
    path: Path
    inside: tuple[int, ...] = ()
    time: float = 0.0
    export: Parts = ()

    def read(self) -> bytes:
        """Its bytes. Raises ValueError that says why it cannot be read, in words for the student."""
        try:
            if not stat.S_ISREG(self.path.lstat().st_mode):
                raise ValueError("this is not an ordinary file")
            if not self.inside:
                return _limited(self.path.stat().st_size, self.path.read_bytes)
            return _member(self.path, self.inside)
        except OSError as error:
            raise ValueError(f"the file cannot be read ({error.strerror})") from error
        except ValueError:
            raise
        except Exception as error:  # a broken, encrypted or unknown kind of member
            kind = type(error).__name__
            raise ValueError(f"the file cannot be read from the zip ({kind})") from error


@dataclass(frozen=True)
class Submission:
    """What a student handed in: notebooks, the last version last, and why other files are none.

    `number` and `platform` are the student's in the export that it came in.
    """

    student: str
    notebooks: tuple[File, ...] = ()
    problem: str = ""
    number: str = ""
    platform: str = ""
    late: bool = False


def collect(paths: list[Path], but: Path | None = None) -> list[Submission]:
    """All submissions, in the order of their names. Raises ValueError if a path does not exist.

    A student is called as the export's names say, else as the file (without its ending) or the folder:
    for a folder, each file in it is a student's, and each folder in it is a student with all notebooks
    below it. A place that holds only notebooks with the course's own names is one student's. Several
    paths that hold one student each are read as the folder that they lie in. Folders with results of
    grading, and `but`, are left out.
    """
    for path in paths:
        if not path.exists():
            raise ValueError(f"expected a notebook, a folder or a zip file, got {path}: not there")
    places = [_place(path, but) for path in paths]
    if len(paths) > 1 and all(len({owner(p).name for p, _ in files}) < 2 for files in places):
        places = [_together([Path(os.path.abspath(path)) for path in paths], but)]
    found: dict[tuple[str, str], list[tuple[Owner, str, File]]] = {}
    namesakes = _namesakes(places)
    for parts, file in chain(*places):
        whose = owner(parts)
        is_told = whose.platform != "moodle" or whose.name in namesakes
        key = (_printable(whose.name), whose.number if is_told else "")
        found.setdefault(key, []).append((whose, "/".join(parts[1:]) or parts[0], file))
    _join_versions(found)
    names = [name for name, _ in found]
    return [
        _submission(f"{name}_{number}" if names.count(name) > 1 and number else name, files)
        for (name, number), files in sorted(found.items())
    ]


def _namesakes(places: list[list[tuple[Parts, File]]]) -> set[str]:
    """Names of several students of one export: in another, Moodle gives a student another number."""
    owners = [(i, f.export, owner(p)) for i, files in enumerate(places) for p, f in files]
    students = {(place, export, whose.name, whose.number) for place, export, whose in owners}
    return {name for (*_, name), count in Counter(s[:3] for s in students).items() if count > 1}


def _place(path: Path, but: Path | None) -> list[tuple[Parts, File]]:
    """The files at a path by their folders and names."""
    is_zip = path.is_file() and zipfile.is_zipfile(path)
    if path.is_dir():
        files = list(_below(path.resolve(), (), but))
    elif is_zip:
        files = list(_zipped(File(path.name, path), ()))
    else:
        files = [((path.name,), File(path.name, path, time=path.stat().st_mtime))]
    return _by_student(files, path, is_zip)


def _together(paths: list[Path], but: Path | None) -> list[tuple[Parts, File]]:
    """The files at several absolute paths, by their folders and names below the common one."""
    top = Path(os.path.commonpath([path.parent for path in paths]))
    files = [_below(path, path.relative_to(top).parts, but) for path in paths]
    return _by_student(list(chain(*files)), top)


def _by_student(
    files: list[tuple[Parts, File]], path: Path, is_zip: bool = False
) -> list[tuple[Parts, File]]:
    """The files without junk, and by folders of which the topmost is the student's."""
    files = [entry for entry in _by_gradescope(files) if not _is_junk(entry[0])]
    if all(SUBMITTED in parts or DRAFTS in parts for parts, _ in files):
        below = [(parts, parts.index(SUBMITTED) + 1, f) for parts, f in files if SUBMITTED in parts]
        files = [(parts[at:], replace(f, export=f.export + parts[:at])) for parts, at, f in below]
    marked = with_names_marked({part for parts, _ in files for part in parts})
    files = [(tuple(marked.get(part, part) for part in parts), file) for parts, file in files]
    while _are_owned(files) or _are_groups(files) or (is_zip and _is_class(files)):
        files = [(p[1:] or p, replace(f, export=f.export + p[: len(p) > 1])) for p, f in files]
    tops, deep = {parts[0] for parts, _ in files}, [p[-1] for p, _ in files if len(p) > 1]
    if (is_zip or path.is_dir()) and _are_by_notebook(files):
        return [((stem(parts[1]), parts[0], *parts[1:]), file) for parts, file in files]
    if (is_zip or path.is_dir()) and all(map(is_of_course, tops)):
        if whose := numbered(sorted(tops)):
            return [((whose[parts[0]], *parts), file) for parts, file in files]
        if len(_people(tops)) < 2 and len(set(deep)) == len(deep):  # else "01" and "02" are groups
            files = [((path.resolve().stem, *parts), file) for parts, file in files]
    return files


def _by_gradescope(files: list[tuple[Parts, File]]) -> list[tuple[Parts, File]]:
    """The files with their submitters in place of "submission_7", where the export's list says them.

    The list may be a student's instead: it is read as notebooks are, in a capped child process.
    """
    lists = sorted(((p, f) for p, f in files if p[-1:] == (METADATA,)), key=lambda e: len(e[0]))
    capped: dict[str, Any] = {"seconds": 60, "megabytes": 2048, "once_more": False}
    found = run_all(lambda file: submitters(file.read()), lists[:1], jobs=1, **capped)
    for parts, names in found:
        if not isinstance(names, dict):
            break  # it cannot be read
        top, at = parts[:-1], len(parts) - 1
        files = [
            ((*top, names.get(p[at], p[at]), *p[at + 1 :]), f) if p[:at] == top else (p, f)
            for p, f in files
        ]
    return files


def _is_class(files: list[tuple[Parts, File]]) -> bool:
    """True where the one top folder holds several students: it is no student's by its name, nor holds
    what one student hands in, such as the whole course."""
    folders = [parts[:-1] for parts, _ in files]
    depth = len(list(takewhile(lambda level: len(set(level)) == 1, zip(*folders, strict=False))))
    inner = {parts[depth] for parts, _ in files}
    known = any(owner(parts).platform for parts, _ in files)
    of_course = all(map(is_of_course, inner)) or "notebooks" in inner
    is_several = not of_course or len(_people(inner)) > 1 or bool(numbered(sorted(inner)))
    return depth > 0 and not known and len(inner) > 1 and is_several


def _people(names: set[str]) -> set[str]:
    """The students that files are called by beside a notebook's title."""
    return {person for name in names if (person := named(name)) != stem(name)}


def _are_owned(files: list[tuple[Parts, File]]) -> bool:
    """True where the top folders of most notebooks hold several students by a platform's names, and no
    fewer than there are such folders."""
    inner = [parts for parts, _ in files if ".ipynb" in parts[-1].lower()]
    whose = {
        p: [(o.name, o.number) for i in range(len(p)) if (o := owner(p[i:])).platform]
        for p in inner
    }
    owned = [parts for parts in inner if whose[parts] and not owner(parts).platform]
    names, tops = {whose[parts][0] for parts in owned}, {parts[0] for parts in owned}
    return len(owned) > len(inner) / 2 and len(names) >= max(2, len(tops))


def _are_groups(files: list[tuple[Parts, File]]) -> bool:
    """True where most top folders are no students: they hold the same notebook in several folders."""
    places: dict[tuple[str, str], set[str]] = {}
    for parts, _ in files:
        whose = owner(parts[:2])
        is_deep = len(parts) > 2 and ".ipynb" in parts[-1].lower()
        is_own = parts[1:] and (parts[1].lower() in OWN_FOLDERS or is_task(parts[1]))
        if is_deep and not (whose.platform or whose.attempt or is_own):
            places.setdefault((parts[0], parts[-1]), set()).add(parts[1])
    groups = {top for (top, _), inner in places.items() if len(inner) > 1}
    return len(groups) > len({p[0] for p, _ in files}) / 2 and all(len(p) > 1 for p, _ in files)


def _are_by_notebook(files: list[tuple[Parts, File]]) -> bool:
    """True where each top folder is a notebook's, and holds one of every student; where it is not
    called as the notebook, somebody has to be in several."""
    names = [(parts[0], parts[1]) for parts, _ in files if len(parts) > 1]
    others = {name for name in names if not is_of_course(name[1])}
    tops, inner = {top for top, _ in others}, {name for _, name in others}
    is_clear = all(map(is_of_course, tops)) or len(inner) < len(others)
    are_tasks = len(names) == len(files) and all(is_task(t) or is_of_course(t) for t, _ in names)
    return is_clear and are_tasks and len(tops) < len(others)


def _is_junk(parts: Parts) -> bool:
    hidden = any(part.startswith(".") or part in JUNK for part in parts)
    return not parts or hidden or (len(parts) <= 2 and parts[-1] in OF_THE_EXPORT)


def _below(path: Path, parts: Parts, but: Path | None) -> Iterator[tuple[Parts, File]]:
    if path.is_dir() and not path.is_symlink():
        entries = sorted(os.listdir(path))
        if (but is not None and path.resolve() == but.resolve()) or ".grading" in entries:
            return
        if not entries and parts:
            yield (*parts, "nothing"), File("an empty folder", path)
        for entry in entries:
            yield from _below(path / entry, (*parts, entry), but)
    elif path.suffix.lower() == ".zip" and zipfile.is_zipfile(path):
        yield from _zipped(File(path.name, path), (*parts[:-1], stem(parts[-1])))
    else:
        yield parts, File(path.name, path, time=path.lstat().st_mtime)


def _zipped(file: File, parts: Parts) -> Iterator[tuple[Parts, File]]:
    """The members of a zip, and of zips in it, read without writing them anywhere."""
    try:
        place = io.BytesIO(file.read()) if file.inside else file.path
        members = zipfile.ZipFile(place).infolist()
    except Exception as error:  # what a broken zip raises depends on where it is broken
        if parts:
            yield (*parts, file.name), file
            return
        raise ValueError(f"the zip file {file.path} cannot be read: {error}") from error
    for number, member in enumerate(members):
        own = tuple(p for p in _member_name(member).split("/") if p not in ("", ".", ".."))
        if member.is_dir() or not own:
            continue
        when = time.mktime((*member.date_time, 0, 0, -1))
        found = File(own[-1], file.path, (*file.inside, number), when)
        if own[-1].lower().endswith(".zip") and len(found.inside) < DEEPEST:
            yield from _zipped(found, (*parts, *own[:-1], stem(own[-1])))
        else:
            yield (*parts, *own), found


def _member_name(member: zipfile.ZipInfo) -> str:
    """The name in a zip; some programs write UTF-8 without saying so, or backslashes."""
    name = member.filename
    if not member.flag_bits & 0x800:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = member.filename
    return name.replace("\\", "/")


def _join_versions(found: dict[tuple[str, str], list[tuple[Owner, str, File]]]) -> None:
    """Give "anna (1)" and the file "anna-2" to "anna", where there is one; no folder "group-2"."""
    for key in sorted(found):
        base, copy = version(key[0])
        is_file = all(stem(name) == key[0] for _, name, _ in found[key])
        if copy and (base, key[1]) in found and (is_file or key[0] != f"{base}-{copy}"):
            found[base, key[1]] += found.pop(key)


def _submission(student: str, files: list[tuple[Owner, str, File]]) -> Submission:
    """The student's files, of those with the same name for a task the last attempt's; the later attempts
    and versions come last."""
    last: dict[tuple[str, str], str] = {}
    for entry in files:
        last[_key(entry)] = max(last.get(_key(entry), ""), entry[0].attempt)
    files = [entry for entry in files if entry[0].attempt == last[_key(entry)]]
    files.sort(key=lambda entry: (entry[0].attempt, version(stem(entry[1])), entry[2].time))
    notebooks: list[File] = []
    problems: list[tuple[str, str]] = []
    others: list[tuple[str, str]] = []
    for _, _, file in files:
        problem, is_notebook = _look(file)
        if not problem:
            notebooks.append(file)
        else:
            (problems if is_notebook else others).append((file.name, problem))
    problems = problems or ([] if notebooks else others[:1])
    whose = files[0][0]
    number = whose.number if len({entry[0].number for entry in files}) == 1 else ""
    told = [text if len(files) == 1 else f"{name}: {text}" for name, text in problems]
    late = any(entry[0].late for entry in files)
    return Submission(student, tuple(notebooks), "; ".join(told), number, whose.platform, late)


def _key(entry: tuple[Owner, str, File]) -> tuple[str, str]:
    """A file's task and its name without the attempt's part."""
    whose, name, _ = entry
    return whose.task, re.sub(ATTEMPT, "", name)


def _look(file: File) -> tuple[str, bool]:
    """Why a file cannot be graded (empty: it can), and whether it is meant as a notebook."""
    meant = ".ipynb" in file.name.lower()
    try:
        data = file.read()
    except ValueError as problem:
        return str(problem), meant
    if meant or b'"nbformat"' in data:
        return "", True
    if data[:4] in (b"PK\3\4", b"Rar!", b"7z\xbc\xaf") or data[:2] == b"\x1f\x8b":
        return "this is an archive that is not read (only zip is)", True
    return "this is not a notebook (.ipynb)", False


def _member(path: Path, inside: tuple[int, ...]) -> bytes:
    place: Path | io.BytesIO = path
    for number in inside:
        with zipfile.ZipFile(place) as archive:
            member = archive.infolist()[number]
            data = _limited(member.file_size, partial(archive.read, member))
        place = io.BytesIO(data)
    return data


def _limited(size: int, read: Callable[[], bytes]) -> bytes:
    if size > LARGEST_FILE:
        raise ValueError(f"it is larger than {LARGEST_FILE >> 20} MB: clear the outputs and save")
    return read()


def _printable(name: str) -> str:
    """The name in its usual form, without characters that no table can hold; different names stay
    different."""
    name = unicodedata.normalize("NFC", name)
    raw = name.encode("utf-8", "surrogatepass")
    text = "".join(c if c.isprintable() else "�" for c in raw.decode("utf-8", "replace"))
    return text if text == name else f"{text} {hashlib.sha256(raw).hexdigest()[:6]}"
