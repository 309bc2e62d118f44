"""The marks of a whole term: a run's marks among those of earlier runs, lateness, and changes by hand.

What the grader gave is never lost: a mark says by itself what was taken off for lateness and what a
human set (`overrides.csv`: student, exercise, points, comment).
"""

import csv
import io
import json
import math
import secrets
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from course_lib.exercises import catalogue, find
from course_lib.grading.assemble import Plan
from course_lib.grading.formats import no_formula
from course_lib.grading.journal import digest
from course_lib.grading.marks import Mark
from course_lib.grading.students import Student

DAY = 24 * 3600
FIELDS = ["student", "exercise", "points", "comment"]
EDITED = "edited in grades.csv"


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a heading, also as Excel writes it (`;`, a BOM, Windows' letters)."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    return [{key: (value or "").strip() for key, value in row.items() if key} for row in rows]


def read_overrides(out: Path) -> dict[tuple[str, str], tuple[float, str]]:
    """(student, exercise) -> (points, comment) of `overrides.csv`. ValueError names a wrong line."""
    path = out / "overrides.csv"
    found = {}
    for line, row in enumerate(read_table(path) if path.exists() else [], start=2):
        try:
            points = float(row["points"].replace(",", "."))
            exercise = find(row["exercise"]).name
            if not (math.isfinite(points) and points >= 0 and row["student"]):
                raise ValueError(f"a student and points of 0 or more, got {row}")
        except (KeyError, ValueError) as error:
            wrong = f"expected {', '.join(FIELDS)} in {path}, line {line}: {error}"
            raise ValueError(wrong) from error
        found[row["student"], exercise] = (points, row.get("comment", ""))
    return found


def pseudonyms(private: Path, names: Iterable[str]) -> dict[str, str]:
    """A name for each student that tells nothing, always the same: kept in `names.csv`."""
    path = private / "names.csv"
    known = {row["student"]: row["called"] for row in read_table(path)} if path.exists() else {}
    for name in names:
        if name not in known and name not in known.values():
            known[name] = f"student {secrets.token_hex(4)}"
    rows = [["student", "called"], *map(list, known.items())]
    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return known


def called(out: Path, students: Iterable[str], anonymous: bool) -> dict[str, str]:
    """How names of these and earlier students are to be written in this run."""
    old = _written(out)
    if not anonymous and not (out / ".grading" / "names.csv").exists():
        return {}
    names = pseudonyms(out / ".grading", [*students, *(entry["name"] for entry in old)] * anonymous)
    return names if anonymous else {hidden: name for name, hidden in names.items()}


def _written(out: Path) -> list[dict]:
    """The students of earlier runs as `grades.json` has them."""
    path = out / "grades.json"
    return json.loads(path.read_text(encoding="utf-8"))["students"] if path.exists() else []


def earlier(out: Path) -> dict[str, Student]:
    """The students of earlier runs with the marks as the grader gave them, from `grades.json`."""
    students = {}
    for entry in _written(out):
        marks = {mark["exercise"]: Mark(**mark) for mark in entry["marks"]}
        for mark in marks.values():
            mark.points, mark.by_hand = mark.graded if mark.by_hand else mark.points, ""
        fields = {name: entry[name] for name in ("problem", "number", "platform")}
        known = {name: mark for name, mark in marks.items() if name in catalogue()}
        students[entry["name"]] = Student(entry["name"], {}, marks=known, **fields)
    return students


def keep_edits(out: Path) -> list[tuple[str, str]]:
    """Take points that were changed in `grades.csv` by hand over into `overrides.csv`."""
    table = out / "grades.csv"
    if not (table.exists() and (out / "grades.json").exists()):
        return []
    pairs = [(s["name"], m) for s in _written(out) for m in s["marks"]]
    written = {(no_formula(name).strip(), m["exercise"]): (name, m) for name, m in pairs}
    edits = []
    for row in read_table(table):
        student, exercise, points = (row.get(name, "") for name in FIELDS[:3])
        name, mark = written.get((student, exercise), ("", {}))
        if not name:
            print(f"grade: grades.csv: there is no {student}, {exercise}", file=sys.stderr)
        elif f"{mark['points']:g}" != points.replace(",", "."):
            edits.append((name, exercise, points, EDITED))
    path = out / "overrides.csv"
    is_new = not path.exists()
    with open(path, "a", encoding="utf-8", newline="") if edits else io.StringIO() as file:
        csv.writer(file).writerows([*([FIELDS] if is_new else []), *edits])
    return [edit[:2] for edit in edits]


def settle(
    out: Path, students: list[Student], plans: list[Plan], extra: dict[str, dict], names: dict
) -> tuple[list[Student], list[Plan]]:
    """The students of this and of earlier runs, with the marks that count, and all exercises.

    Marks of this run replace earlier ones; then comes lateness, then what was set by hand. `names` says
    how earlier runs' names are written now.
    """
    everyone = {names.get(name, name): student for name, student in earlier(out).items()}
    for name, student in everyone.items():
        student.name = name
    for student in students:
        for mark in student.marks.values():
            cell = student.cells.get(mark.exercise)
            mark.answer = digest(cell.source, cell.needs)[:12] if cell else ""
            _take_off(mark, student, extra)
        before = everyone.get(student.name)
        student.marks = {**(before.marks if before else {}), **student.marks}
        everyone[student.name] = student
    _by_hand(out, everyone, names)
    worth = {m.exercise: m.max for s in everyone.values() for m in s.marks.values()}
    known = {plan.exercise: plan for plan in plans}
    order = [e for e in catalogue().values() if e.name in worth]
    order.sort(key=lambda e: [int(part) for part in e.number.split(".")])
    whole = [known.get(e.name) or Plan(e.name, worth[e.name], ()) for e in order]
    for student in everyone.values():
        marks = student.marks
        student.marks = {p.exercise: marks[p.exercise] for p in whole if p.exercise in marks}
    return [everyone[name] for name in sorted(everyone)], whole


def _by_hand(out: Path, everyone: dict[str, Student], names: dict[str, str]) -> None:
    for (name, exercise), (points, comment) in read_overrides(out).items():
        student = everyone.get(names.get(name, name))
        mark = student.marks.get(exercise) if student else None
        if mark is None:
            print(f"grade: overrides.csv: there is no {name}, {exercise}", file=sys.stderr)
            continue
        mark.graded, mark.points, mark.by_hand = mark.points, points, comment or "no comment"


def _take_off(mark: Mark, student: Student, extra: dict[str, dict]) -> None:
    """Reduce the points of what came after its notebook's deadline."""
    table = extra.get("notebook", {}).get(find(mark.exercise).notebook, {})
    late, handed_in = extra.get("late", {}), student.times.get(mark.exercise)
    days = 0
    if "deadline" in table and handed_in is not None:
        days = max(0, math.ceil((handed_in - table["deadline"].timestamp()) / DAY))
    elif student.late and late:
        days = 1  # the platform says so, but not by how much
    share = min(days * late.get("per_day", 0), late.get("most", 100), 100) / 100
    if days and mark.points:
        mark.points = round(mark.points * (1 - share), 4)
        mark.late = f"{days} day{'s' * (days > 1)} late: −{100 * share:g} %"


def changes(old: Path, students: list[Student]) -> list[list[str]]:
    """What differs from the results in the folder `old`, and why. Raises ValueError without results."""
    path = old / "grades.json" if old.is_dir() else old
    if not path.exists():
        raise ValueError(f"expected a folder with grades.json, got {old}")
    data = json.loads(path.read_text(encoding="utf-8"))["students"]
    before = {(s["name"], m["exercise"]): Mark(**m) for s in data for m in s["marks"]}
    after = {(s.name, m.exercise): m for s in students for m in s.marks.values()}
    rows = [["student", "exercise", "before", "after", "why"]]
    for key in sorted({*before, *after}):
        one, two = before.get(key), after.get(key)
        if one is None or two is None or (one.points, one.status) != (two.points, two.status):
            told = [f"{m.points:g} ({m.status})" if m else "" for m in (one, two)]
            rows.append([*key, *told, "; ".join(_why(one, two))])
    return rows


def _why(one: Mark | None, two: Mark | None) -> Iterator[str]:
    if one is None or two is None:
        yield "not in the earlier results" if one is None else "not in these results"
        return
    if one.by_hand != two.by_hand:
        yield f"by hand: {two.by_hand}" if two.by_hand else "no longer set by hand"
    if one.late != two.late:
        yield two.late or "no longer late"
    if one.max != two.max:
        yield f"worth {two.max:g}, was {one.max:g}"
    if one.answer != two.answer:
        yield "another answer"
    elif one.cases != two.cases:
        yield "the same answer passes other cases"
    elif one.status != two.status:
        yield "the same answer, graded anew"
