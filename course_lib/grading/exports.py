"""Whose a file is, by the names that learning platforms give to what students handed in."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

PATTERNS = {
    "moodle": r"(?P<name>.+?)_(?P<number>\d+)_assignsubmission_[a-z]+(?:_.*)?",
    "blackboard": r".+_(?P<name>[^_]+)_attempt_(?P<attempt>\d{4}(?:-\d\d){5})(?:_.*|\.txt)?",
    "canvas": r"(?P<name>[^_]+)_(?P<late>LATE_)?(?P<number>\d+)_\d+_.+",
    "brightspace": r"\d+-\d+ - (?P<name>.+?) - (?P<attempt>.+)",
}
TITLE = (
    "0[0-9]_(?:start_here|tabular_as_text|why_3d|representations|losses_and_metrics|reconstruction"
    "|rendering|nerf|splatting)"
)
NAMED = rf"(?:Copy of )?(?:{TITLE}(?:\.ipynb)?[ _-]+(?P<after>.+)|(?P<before>.+?)[ _-]+{TITLE})"
"""A file that is called by the notebook and the student, in either order."""
VERSION = r"(?: ?\((\d+)\)|-(\d{1,2})|[- ]+Copy ?(\d*))$"
COURSE = r"0[0-9](?:\D.*)?"
"""The course's notebooks, and folders for them, begin with their number."""


@dataclass(frozen=True)
class Owner:
    """A student: the name, the number in the export, which attempt this is, and if it came late."""

    name: str
    number: str = ""
    attempt: str = ""
    late: bool = False
    platform: str = ""


def owner(parts: tuple[str, ...]) -> Owner:
    """The owner of the file with these folders and name."""
    folders = [re.fullmatch(r"Version (\d+)", part) for part in parts[1:]]
    attempt = next((found[1].zfill(4) for found in folders if found), "")
    for platform, pattern in PATTERNS.items():
        if found := re.fullmatch(pattern, parts[0], flags=re.DOTALL):
            fields = {"attempt": attempt, "number": "", "late": "", **found.groupdict()}
            late = bool(fields["late"])
            return Owner(fields["name"], fields["number"], fields["attempt"], late, platform)
    return Owner(parts[0] if len(parts) > 1 else named(parts[0]), attempt=attempt)


def named(name: str) -> str:
    """The student that a file is called by: its name without its ending, and without the notebook's.

    >>> named("00_start_here_jane.ipynb"), named("Jane Roe - 00_start_here.ipynb"), named("jane.ipynb")
    ('jane', 'Jane Roe', 'jane')
    """
    name = stem(name)
    found = re.fullmatch(NAMED, version(name)[0], flags=re.DOTALL)
    return (found["after"] or found["before"]) if found else name


def stem(name: str) -> str:
    """A file's name without its ending, also where a browser or system has added one.

    >>> stem("anna.ipynb.txt"), stem("ANNA.IPYNB"), stem("essay.pdf")
    ('anna', 'ANNA', 'essay')
    """
    found = re.fullmatch(r"(.+?)\.ipynb(?:\.\w+)?", name, flags=re.IGNORECASE | re.DOTALL)
    return found[1] if found else PurePosixPath(name).stem


def version(name: str) -> tuple[str, int]:
    """What a name would be without the mark of a copy, and the copy's number.

    >>> version("anna (1)"), version("anna-2"), version("anna-Copy1"), version("anna")
    (('anna', 1), ('anna', 2), ('anna', 1), ('anna', 0))
    """
    found = re.search(VERSION, name)
    if not found:
        return name, 0
    return name[: found.start()], int(next(filter(None, found.groups()), "1"))


def is_of_course(name: str) -> bool:
    """True for the name of a notebook of the course, or of a folder for one."""
    return re.fullmatch(COURSE, stem(name), flags=re.DOTALL) is not None
