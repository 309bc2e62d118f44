"""Tables of totals, in the columns that Moodle and Canvas import, and feedback as Moodle's upload wants.

Moodle (assignment, "Upload grading worksheet"): Identifier, Grade, Last modified (grade); the feedback
("Upload multiple feedback files in a zip") lies in folders named as in the download. Canvas (gradebook,
"Import"): Student, ID, SIS User ID, SIS Login ID, Section, a column per assignment, and a row with the
points possible. All begin with a byte-order mark, by which Excel knows UTF-8.
"""

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from course_lib.exercises import find
from course_lib.grading.assemble import Plan
from course_lib.grading.students import Student

BOM = "\ufeff"
DANGEROUS = r"^[\t\r\n]|(?:^|[;,|\t\r\n])\s*[=+\-@＝＋－＠|]"
"""What a spreadsheet takes for the beginning of a formula, also after it split the text."""
Rows = list[list[str]]


def no_formula(name: str) -> str:
    """A text that no spreadsheet runs.

    >>> no_formula("=1+1"), no_formula("x;=1+1"), no_formula("Anna-Lena")
    ("'=1+1", "'x =1+1", 'Anna-Lena')
    """
    if not re.search(DANGEROUS, name):
        return name
    return "'" + re.sub(r"[;,|\t\r\n]", " ", name)


def table(rows: Iterable[list[str]]) -> str:
    """CSV text."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue()


def totals(student: Student, plans: list[Plan]) -> dict[str, tuple[float, float]]:
    """Points and maximum of each notebook, by its number."""
    found: dict[str, tuple[float, float]] = {}
    for plan in plans:
        number = find(plan.exercise).notebook
        mark = student.marks.get(plan.exercise)
        points, most = found.get(number, (0.0, 0.0))
        found[number] = (points + (mark.points if mark else 0), most + plan.points)
    return {number: (round(p, 2), round(m, 2)) for number, (p, m) in sorted(found.items())}


def percent(student: Student, plans: list[Plan], extra: dict[str, dict]) -> float:
    """The mean of the notebooks' shares, by their weights, in percent."""
    weights = {n: table.get("weight", 1) for n, table in extra.get("notebook", {}).items()}
    shares = {n: points / most for n, (points, most) in totals(student, plans).items() if most}
    whole = sum(weights.get(n, 1) for n in shares)
    return 100 * sum(weights.get(n, 1) * share for n, share in shares.items()) / (whole or 1)


def _plain(students: list[Student], plans: list[Plan], extra: dict[str, dict]) -> Rows:
    most = totals(Student("", {}), plans)
    rows = [["student", "number", *(f"notebook {n}" for n in most), "total", "max", "percent"]]
    for student in students:
        points = [p for p, _ in totals(student, plans).values()]
        share = f"{percent(student, plans, extra):.2f}"
        whole = [sum(points), sum(m for _, m in most.values())]
        shown = [f"{number:g}" for number in points + whole]
        rows.append([no_formula(student.name), student.number, *shown, share])
    return rows


def _canvas(students: list[Student], plans: list[Plan], extra: dict[str, dict]) -> Rows:
    most = totals(Student("", {}), plans)
    head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    rows = [[*head, *(f"Notebook {n}" for n in most)]]
    rows += [["    Points Possible", "", "", "", "", *(f"{m:g}" for _, m in most.values())]]
    for student in students:
        points = [f"{p:g}" for p, _ in totals(student, plans).values()]
        rows.append([no_formula(student.name), student.number, "", "", "", *points])
    return rows


def _moodle(students: list[Student], plans: list[Plan], extra: dict[str, dict]) -> Rows:
    head = ["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)"]
    rows, now = [[*head, "Feedback comments"]], datetime.now().isoformat(" ", "minutes")
    for student in students:
        found = totals(student, plans)
        points, most = (sum(column) for column in zip(*found.values(), strict=True))
        told = ", ".join(f"notebook {n}: {p:g} of {m:g}" for n, (p, m) in found.items())
        number = f"Participant {student.number}" if student.number else ""
        rows.append([number, no_formula(student.name), f"{points:g}", f"{most:g}", now, told])
    return rows


FORMATS: dict[str, Callable[[list[Student], list[Plan], dict[str, dict]], Rows]] = {
    "csv": _plain,
    "canvas": _canvas,
    "moodle": _moodle,
}


def feedback_zip(path: Path, pages: dict[str, str], students: list[Student]) -> None:
    """The pages (by the student's name) in the folders that Moodle gives the feedback out by."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for student in students:
            if student.number and student.name in pages:
                name = re.sub(r"[_/\\]", " ", student.name.removesuffix(f"_{student.number}"))
                folder = f"{name}_{student.number}_assignsubmission_file_"
                archive.writestr(f"{folder}/feedback.html", pages[student.name])
