"""Whose a file is, by the names that learning platforms give to what students handed in."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any

import yaml

PATTERNS = {
    "moodle": r"(?P<name>.+?)_(?P<number>\d+)_assignsubmission_[a-z]+(?:_.*)?",
    "blackboard": r"(?P<task>[^\0]+)_\0?(?P<name>(?<=\0).+|[^_]+)"
    r"_attempt_(?P<attempt>\d{4}(?:-\d\d){5})(?:_.*|\.txt)?",
    "canvas": r"(?P<name>[^_]+)_(?P<late>LATE_)?(?P<number>\d+)_\d{3,}_.+",
    "canvas, blind": r"(?P<name>anon_[^_]+)_(?P<late>LATE_)?\d{3,}_.+",
    "brightspace": r"\d+-(?P<task>\d+) - (?P<name>.+?) - (?P<attempt>.+?)(?: - .*)?",
    "ilias": r"(?P<name>Team \d+|.+_[^_]+_[^_]+_\d+)",
}
TITLE = (
    "0[0-9]_(?:start_here|tabular_as_text|why_3d|representations|losses_and_metrics|reconstruction"
    "|rendering|nerf|splatting)"
)
COPY = "(?:(?:Copy of|Kopie von|Copi[ae] de) )?"
NAMED = (
    rf"{COPY}{TITLE}(?:\.ipynb)?[ _-]+(?P<after>.+)|(?P<before>.+?)[ _-]+{COPY}{TITLE}(?:\.ipynb)?"
)
"""A file that is called by the notebook and the student, in either order."""
VERSION = r"(?: ?\((\d+)\)|-(\d{1,2})|[- ]+Copy ?(\d*)|[ _-]v(\d{1,3}))$"
COURSE = r"0[0-9](?:\D.*)?"
"""The course's notebooks, and folders for them, begin with their number."""
TASK = r"(?:assignment|exercise|homework|hw|lab|lecture|notebook|sheet|task|week)[ _-]?\d\d?"
"""What folders for one task of everybody are called, beside those for a notebook of the course."""


@dataclass(frozen=True)
class Owner:
    """A student: the name, the number in the export, which attempt this is (and of which task, where the
    export says it), and if it came late."""

    name: str
    number: str = ""
    attempt: str = ""
    task: str = ""
    late: bool = False
    platform: str = ""


def owner(parts: tuple[str, ...]) -> Owner:
    """The owner of the file with these folders and name."""
    at = next((i for i, part in enumerate(parts) if i and re.fullmatch(r"Version \d+", part)), 0)
    attempt, task = (parts[at].split()[1].zfill(4), "/".join(parts[1:at])) if at else ("", "")
    for platform, pattern in PATTERNS.items():
        if found := re.fullmatch(pattern, parts[0], flags=re.DOTALL):
            fields: dict[str, Any] = {"attempt": attempt, "task": task, **found.groupdict()}
            fields["late"] = bool(fields.get("late"))
            if platform == "brightspace":
                fields["attempt"] = _moment(fields["attempt"])
            return Owner(**fields, platform=platform.partition(",")[0])
    return Owner(parts[0] if len(parts) > 1 else named(parts[0]), attempt=attempt, task=task)


def with_names_marked(parts: Iterable[str]) -> dict[str, str]:
    """Name -> the same with a mark before the user's name, of Blackboard's where that may have a "_".

    Of the ways to part "task_user" that is taken which needs fewer tasks and users for all of them.

    >>> when = "attempt_2026-11-01-10-00-00"
    >>> marked = with_names_marked([f"hw_a_b_{when}", f"hw_a_c_{when}", f"hw_d_{when}"])
    >>> [owner((name,)).name for name in marked.values()]
    ['a_b', 'a_c', 'd']
    >>> with_names_marked([f"hw_{task}_{who}_{when}" for task in (1, 2) for who in "ab"])
    {}
    """
    found = {part: re.fullmatch(PATTERNS["blackboard"], part, flags=re.DOTALL) for part in parts}
    pairs = {part: (match["task"], match["name"]) for part, match in found.items() if match}
    marked: dict[str, str] = {}
    for first in {task.partition("_")[0] for task, _ in pairs.values()}:
        own = {
            p: (*t.split("_"), name) for p, (t, name) in pairs.items() if t.split("_")[0] == first
        }
        same = takewhile(lambda level: len(set(level)) == 1, zip(*own.values(), strict=False))
        start = len("_".join(level[0] for level in same)) + 1
        ends = {"_".join(words)[start:] for words in own.values()}
        tasks, names = (set(side) for side in zip(*(pairs[p] for p in own), strict=True))
        if all(ends) and 1 + len(ends) < len(tasks) + len(names):
            marked |= {part: f"{part[:start]}\0{part[start:]}" for part in own}
    return marked


def submitters(data: bytes) -> dict[str, str]:
    """Folder -> whose it is, by the list that Gradescope puts beside the folders; empty if it is none.

    >>> submitters(b"submission_7:\\n  :submitters:\\n  - :name: Ada L\\n  - :name: Bo K")
    {'submission_7': 'Ada L and Bo K'}
    """
    try:
        told = yaml.safe_load(data)
        people = {folder: told[folder][":submitters"] for folder in told}
        names = {str(f): " and ".join(str(p[":name"]) for p in people[f]) for f in people}
    except (yaml.YAMLError, ValueError, TypeError, KeyError, RecursionError):
        return {}
    counts = Counter(names.values())
    return {f: name if counts[name] < 2 else f"{name} ({f})" for f, name in names.items() if name}


def _moment(text: str) -> str:
    """An attempt's date so that it sorts as a text; empty where it is not in English.

    >>> _moment("Mar 3, 2024 905 AM"), _moment("13 September 2025 310 PM"), _moment("3 mars 2024")
    ('2024-03-03T09:05:00', '2025-09-13T15:10:00', '')
    """
    text = re.sub(r"(\d?\d):?(\d\d) ?([AP]M)$", r"\1:\2 \3", text)
    text = re.sub(r"([A-Z][a-z]{2})[a-z]+", r"\1", text)
    for form in ("%b %d, %Y", "%d %b %Y"):
        try:
            return datetime.strptime(text, f"{form} %I:%M %p").isoformat()
        except ValueError:
            continue
    return ""


def named(name: str) -> str:
    """The student that a file is called by: its name without its ending, and without the notebook's.

    >>> named("00_start_here_jane.ipynb"), named("Jane Roe - 00_start_here.ipynb"), named("jane.ipynb")
    ('jane', 'Jane Roe', 'jane')
    """
    name = stem(name)
    found = re.fullmatch(NAMED, version(name)[0], flags=re.DOTALL)
    return (found["after"] or found["before"]) if found else name


def numbered(names: list[str]) -> dict[str, str]:
    """Name -> student, of files that are called by a notebook's number and the student.

    Nothing where these may be one student's: no notebook is there twice, or one has its own title.

    >>> numbered(["01_ada.ipynb", "01_bo.ipynb", "02_ada (1).ipynb"])
    {'01_ada.ipynb': 'ada', '01_bo.ipynb': 'bo', '02_ada (1).ipynb': 'ada'}
    >>> numbered(["01_mine.ipynb", "02_mine.ipynb"]), numbered(["02_why_3d.ipynb", "02_old.ipynb"])
    ({}, {})
    """
    parts = [re.fullmatch(r"(0\d)[ _-]+(.+)", version(stem(name))[0]) for name in names]
    pairs = {(found[1], found[2]) for found in parts if found}
    is_class = len({number for number, _ in pairs}) < len(pairs) and all(parts)
    if not is_class or any(re.match(TITLE, name) for name in names):
        return {}
    return {name: found[2] for name, found in zip(names, parts, strict=True) if found}


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


def is_task(folder: str) -> bool:
    """True for the name of a folder for one task.

    >>> is_task("week 2"), is_task("Homework_1"), is_task("ada")
    (True, True, False)
    """
    return re.fullmatch(TASK, folder, flags=re.DOTALL | re.IGNORECASE) is not None
