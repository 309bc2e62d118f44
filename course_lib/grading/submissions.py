"""Where submissions come from: files, folders (also one per student, nested), or a zip of them."""

import hashlib
import os
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from course_lib.grading.extract import LARGEST_FILE

IGNORED = (".ipynb_checkpoints", "__MACOSX", "__pycache__", ".git")


@dataclass(frozen=True)
class Submission:
    """What a student handed in: one or more notebooks, as bytes, or why there is none."""

    student: str
    notebooks: tuple[bytes, ...] = ()
    problem: str = ""

    @property
    def digest(self) -> str:
        """A hash of the content."""
        whole = hashlib.sha256()
        for data in self.notebooks:
            whole.update(hashlib.sha256(data).digest())
        return whole.hexdigest()


def collect(paths: list[Path]) -> list[Submission]:
    """All submissions, in the order of their names. Raises ValueError if a path does not exist.

    A student is called as the file (without its ending) or as the folder: for a folder, each file in
    it is a student's, and each folder in it is a student with all notebooks below it.
    """
    found: dict[str, list[tuple[str, bytes | str]]] = {}
    for path in paths:
        if not path.exists():
            raise ValueError(f"expected a notebook, a folder or a zip file, got {path}: not there")
        for parts, content in _entries(path):
            if any(part in IGNORED or part.startswith(("._", ".DS_Store")) for part in parts):
                continue
            name = parts[0] if len(parts) > 1 else PurePosixPath(parts[0]).stem
            found.setdefault(_printable(name), []).append(("/".join(parts), content))
    return [_submission(student, files) for student, files in sorted(found.items())]


def _entries(path: Path) -> Iterator[tuple[tuple[str, ...], bytes | str]]:
    """(path parts, content or problem) of every file."""
    if path.is_dir():
        for entry in sorted(os.listdir(path)):
            yield from _below(path / entry, (entry,))
    elif path.suffix == ".zip" and zipfile.is_zipfile(path):
        yield from _zipped(path)
    else:
        yield (path.name,), _content(path)


def _below(path: Path, parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], bytes | str]]:
    if path.is_dir() and not path.is_symlink():
        entries = sorted(os.listdir(path))
        if not entries:
            yield (*parts, ""), "the folder is empty"
        for entry in entries:
            yield from _below(path / entry, (*parts, entry))
    else:
        yield parts, _content(path)


def _content(path: Path) -> bytes | str:
    """The bytes of a regular file, at most one more than is allowed."""
    if path.suffix != ".ipynb":
        return "this is not a notebook (.ipynb)"
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return "this is not an ordinary file"
        with open(path, "rb") as file:
            return file.read(LARGEST_FILE + 1)
    except OSError as error:
        return f"the file cannot be read ({error.strerror})"


def _zipped(path: Path) -> Iterator[tuple[tuple[str, ...], bytes | str]]:
    """The members of a zip, read without writing them anywhere. One common top folder is left out."""
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:  # what a broken zip raises depends on where it is broken
        raise ValueError(f"the zip file {path} cannot be read: {error}") from error
    with archive:
        members = [m for m in archive.infolist() if not m.is_dir()]
        members = [m for m in members if PurePosixPath(m.filename).parts]
        tops = {PurePosixPath(m.filename).parts[0] for m in members}
        nested = all(len(PurePosixPath(m.filename).parts) > 1 for m in members)
        skip = 1 if len(tops) == 1 and nested and _holds_many(members) else 0
        for member in members:
            parts = PurePosixPath(member.filename).parts[skip:]
            yield parts, _member(archive, member)


def _holds_many(members: list[zipfile.ZipInfo]) -> bool:
    return len({PurePosixPath(m.filename).parts[1] for m in members}) > 1


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes | str:
    if not member.filename.endswith(".ipynb"):
        return "this is not a notebook (.ipynb)"
    if member.file_size > LARGEST_FILE:
        return f"it is larger than {LARGEST_FILE >> 20} MB: clear the outputs and save"
    try:
        with archive.open(member) as file:
            return file.read(LARGEST_FILE + 1)
    except Exception as error:  # a broken, encrypted or unknown kind of member
        return f"the file cannot be read from the zip ({type(error).__name__})"


def _submission(student: str, files: list[tuple[str, bytes | str]]) -> Submission:
    notebooks = tuple(
        content for _, content in sorted(files, key=lambda f: f[0]) if type(content) is bytes
    )
    if sum(map(len, notebooks)) > 2 * LARGEST_FILE:
        return Submission(student, problem=f"it is larger than {2 * LARGEST_FILE >> 20} MB in all")
    if notebooks:
        return Submission(student, notebooks)
    return Submission(student, problem=str(files[0][1]))


def _printable(name: str) -> str:
    """The name without characters that no table can hold; different names stay different."""
    raw = name.encode("utf-8", "surrogatepass")
    text = "".join(c if c.isprintable() else "�" for c in raw.decode("utf-8", "replace"))
    return text if text == name else f"{text} {hashlib.sha256(raw).hexdigest()[:6]}"
