"""What a grading run leaves: tables for the office, a page per student, a page for the instructor."""

import json
import os
from dataclasses import asdict
from pathlib import Path

from course_lib.exercises import find
from course_lib.grading import formats
from course_lib.grading.assemble import Plan
from course_lib.grading.pages import feedback_page, report_page
from course_lib.grading.similarity import alike_pairs
from course_lib.grading.students import Student, safe_name

UNDONE = ("not attempted", "missing", "unreadable")
SCHEMA = {
    "students": "one entry per student: name, points, max, percent (by the notebooks' weights), "
    "notebooks (number -> points, max), problem (why something could not be read), number and platform "
    "(in the export), marks",
    "marks": "one entry per exercise: exercise, points, max, status, cases (name -> passed), feedback "
    "(what the student is told), misconception (its name, or empty), flags (for a human), seconds, late "
    "(what was taken off), by_hand (why a human set the points) and graded (what they were), answer (a "
    "hash of it)",
    "similar": "pairs of similar texts: exercise, first, second, similarity (0 to 1); never a mark",
}


def write_reports(
    out: Path, students: list[Student], plans: list[Plan], extra: dict[str, dict], forms: list[str]
) -> None:
    """Write all files, each at once or not at all."""
    sources = {
        plan.exercise: {
            s.name: s.cells[plan.exercise].source
            for s in students
            if plan.exercise in s.cells and not s.cells[plan.exercise].is_stub
        }
        for plan in plans
    }
    pairs = alike_pairs(sources)
    write(out / "grades.csv", _csv(students))
    data = {
        "schema": SCHEMA,
        "students": [_student_data(student, plans, extra) for student in students],
        "similar": [vars(pair) for pair in pairs],
    }
    write(out / "grades.json", json.dumps(data, indent=1, ensure_ascii=False))
    pages = {student.name: feedback_page(student, plans) for student in students}
    for name, page in pages.items():
        write(out / "feedback" / f"{safe_name(name)}.html", page)
    ours = {f"{safe_name(name)}.html" for name in pages}
    for path in (out / "feedback").glob("*.html"):
        if path.name not in ours:
            path.unlink()
    write(out / "report.html", report_page(students, plans, pairs))
    for form in forms:
        name = "totals.csv" if form == "csv" else f"{form}.csv"
        rows = formats.FORMATS[form](students, plans, extra)
        write(out / name, formats.BOM + formats.table(rows))
    if "moodle" in forms:
        formats.feedback_zip(out / "moodle-feedback.zip", pages, students)


def write(path: Path, text: str) -> None:
    """Write a file so that readers see the old or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    with open(temporary, "w", encoding="utf-8", errors="replace", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _csv(students: list[Student]) -> str:
    rows = [["student", "exercise", "points", "max", "status"]]
    for student in students:
        for mark in student.marks.values():
            row = [mark.exercise, f"{mark.points:g}", f"{mark.max:g}", mark.status]
            rows.append([formats.no_formula(student.name), *row])
    return formats.table(rows)


def _student_data(student: Student, plans: list[Plan], extra: dict[str, dict]) -> dict:
    marks = list(student.marks.values())
    return {
        "name": student.name,
        "points": round(sum(mark.points for mark in marks), 2),
        "max": sum(mark.max for mark in marks),
        "percent": round(formats.percent(student, plans, extra), 2),
        "notebooks": formats.totals(student, plans),
        "problem": student.problem,
        "number": student.number,
        "platform": student.platform,
        "marks": [asdict(mark) for mark in marks],
    }


def summary(students: list[Student], plans: list[Plan], out: Path) -> str:
    """The table for the terminal: per exercise how many are right, and what to look at."""
    lines = [
        f"{'exercise':<32} {'correct':>8} {'partly':>7} {'wrong':>6} {'not done':>9} {'mean':>10}"
    ]
    for plan in plans:
        marks = [s.marks[plan.exercise] for s in students if plan.exercise in s.marks]
        right = sum(mark.points >= mark.max for mark in marks)
        partly = sum(0 < mark.points < mark.max for mark in marks)
        undone = sum(mark.points == 0 and mark.status in UNDONE for mark in marks)
        wrong = len(marks) - right - partly - undone
        mean = sum(mark.points for mark in marks) / max(1, len(marks))
        label = f"{find(plan.exercise).number} {plan.exercise}"[:32]
        score = f"{mean:.2f}/{plan.points:g}"
        lines.append(f"{label:<32} {right:>8} {partly:>7} {wrong:>6} {undone:>9} {score:>10}")
    flagged = [s for s in students if any(mark.flags for mark in s.marks.values())]
    lines.append(f"{len(students)} students, {len(flagged)} to look at; see {out / 'report.html'}")
    return "\n".join(lines)
