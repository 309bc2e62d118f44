"""What is known of each student: the answers in all notebooks handed in, and the marks."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from course_lib.exercises import catalogue, find
from course_lib.grading.assemble import Plan
from course_lib.grading.extract import Cell, Extract, extract
from course_lib.grading.journal import digest
from course_lib.grading.marks import Mark, without_grading
from course_lib.grading.platforms import stem, version
from course_lib.grading.pool import TaskLost, run_all
from course_lib.grading.submissions import File, Submission

EXTRACT_SECONDS, EXTRACT_MEGABYTES, BATCH = 60, 2048, 12
MANY_VERSIONS = 4


@dataclass
class Student:
    """A student of the run: the answers found, and in the end a mark for every exercise.

    `files` are the names of the files of each notebook handed in, `times` when each answer was.
    """

    name: str
    cells: dict[str, Cell]
    problem: str = ""
    marks: dict[str, Mark] = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    number: str = ""
    platform: str = ""
    late: bool = False


Tasks = dict[str, tuple[Student, list[Plan]]]
"""What is to be run of each student, by name."""


def read(submissions: list[Submission], jobs: int) -> list[Student]:
    """Take the answers out of every submission, some at a time, in capped child processes."""
    names = set(catalogue())

    def work(batch: list[Submission]) -> list[list[dict]]:
        return [[asdict(extract(f.read(), names)) for f in s.notebooks] for s in batch]

    students = {}
    for s in submissions:
        known: dict[str, Any] = {"number": s.number, "platform": s.platform, "late": s.late}
        students[s.student] = Student(s.student, {}, s.problem, **known)
    given = [s for s in submissions if s.notebooks]
    batches = [given[start : start + BATCH] for start in range(0, len(given), BATCH)]
    while batches:
        again = []
        limits: dict[str, Any] = {"seconds": EXTRACT_SECONDS, "megabytes": EXTRACT_MEGABYTES}
        results = run_all(work, enumerate(batches), jobs=jobs, once_more=False, **limits)
        for number, result in results:
            batch = batches[number]
            if isinstance(result, TaskLost) and len(batch) > 1:
                again += [[one] for one in batch]  # which of them it was, shows alone
            elif isinstance(result, TaskLost):
                students[batch[0].student].problem = f"it could not be read ({result})"
            else:
                for submission, found in zip(batch, result, strict=True):
                    _add_all(students[submission.student], submission.notebooks, found)
        batches = again
    return list(students.values())


def _add_all(student: Student, files: tuple[File, ...], found: list[dict]) -> None:
    for file, data in zip(files, found, strict=True):
        cells = {name: Cell(**cell) for name, cell in data["cells"].items()}
        _add(student, file, Extract(cells, data["problem"], data["notebooks"]), len(files) > 1)


def _add(student: Student, file: File, found: Extract, is_one_of_many: bool) -> None:
    """Add what a notebook holds; the last answer counts, one in the exercise's own cell before others.

    Different answers to an exercise in two notebooks are for a human to look at.
    """
    if found.problem:
        told = f"{file.name}: {found.problem}" if is_one_of_many else found.problem
        student.problem = f"{student.problem}; {told}" if student.problem else told
    for number in found.notebooks:
        student.files.setdefault(number, []).append(file.name)
    for name, cell in found.cells.items():
        before = student.cells.get(name)
        if before is not None and not before.is_stub:
            if cell.is_stub or cell.source == before.source:
                continue
            chosen = before if before.own > cell.own else cell
            chosen.doubt = "it stands in several of the notebooks"
            cell = chosen
        student.cells[name] = cell
        if cell is found.cells[name]:
            student.times[name] = file.time


def several(students: list[Student]) -> Iterator[str]:
    """What to say of students who may be several: theirs are files of one notebook whose names are no
    versions of each other, or very many."""
    for student in students:
        for number, names in sorted(student.files.items()):
            different = {version(stem(name))[0] for name in names}
            if len(different) > 1 or len(names) > MANY_VERSIONS:
                some = ", ".join(sorted(different)[:4])
                text = f"{student.name} is one student with {len(names)} files of notebook {number}"
                yield f"{text} ({some}): if these are several, give each folder by itself"
                break


def early_mark(student: Student, plan: Plan) -> Mark | None:
    """The mark where there is nothing to run."""
    cell, number = student.cells.get(plan.exercise), find(plan.exercise).notebook
    if cell is None and student.problem:
        return without_grading(plan, "unreadable", student.problem)
    if cell is None:
        is_there = number in student.files or not student.files
        text = "there is no cell of this exercise, and none that answers it"
        told = text if is_there else f"notebook {number} was not handed in"
        mark = without_grading(plan, "missing", told)
        mark.flags = [f"missing: {text}"] if is_there else []
        return mark
    if cell.problem:
        return without_grading(plan, "needs review", cell.problem)
    if cell.is_stub:
        return without_grading(plan, "not attempted", "nothing was written yet")
    return None


def safe_name(name: str) -> str:
    """A student's name as a file name."""
    kept = "".join(c if c.isalnum() or c in " ._-()+,@=" else "_" for c in name).strip(". ")
    if kept == name and len(name) < 120:
        return name
    return f"{kept[:80]}-{digest(name)[:8]}"
