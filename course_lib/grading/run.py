"""A grading run: from submissions to marks, in parallel, with a journal for interruptions."""

import itertools
import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from tqdm import tqdm

from course_lib.exercises import catalogue, find
from course_lib.grading import sandbox
from course_lib.grading.assemble import Plan, make_plan
from course_lib.grading.instructor import points_of
from course_lib.grading.journal import Journal, digest, package_digest
from course_lib.grading.library import WHOLE
from course_lib.grading.marks import NOT_GRADED, Key, Mark, without_grading
from course_lib.grading.plugin import keep_folder
from course_lib.grading.pool import TaskLost
from course_lib.grading.references import make_keys
from course_lib.grading.session import grade_here
from course_lib.grading.students import Student, Tasks, early_mark, read, several
from course_lib.grading.submissions import Submission
from course_lib.grading.workspace import Run

LUCK, MOST_AGAIN = ("time limit", "crashed"), 3
UNUSABLE = "this exercise's own reference does not run in the sandbox; nobody was graded on it"


def grade(run: Run, submissions: list[Submission]) -> tuple[list[Student], list[Plan]]:
    """Grade all submissions; what the journal holds already is not run again.

    Call it inside `workspace`.
    """
    journal = Journal(run.private / "journal.jsonl")
    run.seed = _settled_seed(run, journal)
    students = read(submissions, run.jobs)
    for line in itertools.islice(several(students), 10):
        print(f"grade: {line}", file=sys.stderr)
    plans = make_plans(run, students)
    for plan in plans:
        sandbox.library_for(find(plan.exercise))
    keys = make_keys(run, plans, journal)
    sandbox.forget(WHOLE)
    _grade_all(run, students, plans, keys, journal)
    return students, plans


def _settled_seed(run: Run, journal: Journal) -> str:
    """The seed that was asked for, else the one of the interrupted run, else a new secret one."""
    seed = run.seed or journal.entries.get("seed") or secrets.token_hex(16)
    if journal.entries.get("seed") != seed:
        journal.add("seed", seed)
    return seed


def make_plans(run: Run, students: list[Student]) -> list[Plan]:
    """The exercises to grade, in the order of the course: those that the instructor chose, else those
    of the notebooks that the class handed in."""
    wanted = set(run.exercises) or _of_the_class(students)
    return [
        make_plan(exercise, run.seed, run.extra.get(name), points_of(exercise, run.extra))
        for name, exercise in catalogue().items()
        if name in wanted
    ]


def _of_the_class(students: list[Student]) -> set[str]:
    """The exercises of the notebooks most handed in: by more than half as many as the first of them.

    One student's cells from elsewhere thus change nobody's marks; what is left out is said.
    """
    numbers = {name: exercise.notebook for name, exercise in catalogue().items()}
    handed_in = Counter(number for s in students for number in s.files)
    most = max(handed_in.values(), default=0)
    chosen = {n for n, count in handed_in.items() if count > most / 2} or set(numbers.values())
    for number, count in sorted((n, c) for n, c in handed_in.items() if n not in chosen):
        text = f"notebook {number} is not graded: {count} handed it in, others {most}"
        print(f"grade: {text}; to choose yourself: --exercises", file=sys.stderr)
    return {name for name, number in numbers.items() if number in chosen}


class _Kept:
    """The marks in the journal: of the same answer, plan, reference and course.

    Whose answer it is makes no difference, so each text is run once: grading is the same for all. With
    `each` it is run for every student.
    """

    def __init__(self, journal: Journal, plans: list[Plan], keys: dict[str, Key], each: bool):
        self._journal, self._each = journal, each
        parts = {plan.exercise: asdict(plan) for plan in plans if plan.exercise in keys}
        self._plans = {n: digest(p, asdict(keys[n]), package_digest()) for n, p in parts.items()}

    def find(self, student: Student, exercise: str) -> Mark | None:
        """The mark of an earlier run, or of somebody else."""
        found = self._journal.entries.get(self._key(student, exercise))
        return Mark(**found) if found else None

    def keep(self, student: Student, mark: Mark) -> None:
        """Keep a mark for later runs, unless they may give another."""
        if mark.status != NOT_GRADED and not _may_be_luck(mark):
            self._journal.add(self._key(student, mark.exercise), asdict(mark))

    def once(self, tasks: Tasks) -> Tasks:
        """The tasks, each answer only for the first who gave it."""
        first: dict[str, str] = {}
        for name, (student, plans) in tasks.items():
            for plan in plans:
                first.setdefault(self._key(student, plan.exercise), name)
        return {
            name: (student, own)
            for name, (student, plans) in tasks.items()
            if (own := [p for p in plans if first[self._key(student, p.exercise)] == name])
        }

    def _key(self, student: Student, exercise: str) -> str:
        whose = student.name if self._each else ""
        return digest("mark", whose, asdict(student.cells[exercise]), self._plans[exercise])


def _grade_all(
    run: Run, students: list[Student], plans: list[Plan], keys: dict[str, Key], journal: Journal
) -> None:
    """Give every student a mark for every exercise.

    What was lost to time, or with its kernel, is graded once more, with fewer at a time and twice the
    time: on a busy machine that may be nobody's fault.
    """
    kept = _Kept(journal, plans, keys, run.keep)
    _grade_tasks(run, kept.once(_unmarked(students, plans, keys, kept)), keys, kept)
    again = _unmarked(students, plans, keys, kept)
    for student in students:
        given = [(p, student.marks[p.exercise]) for p in plans if p.exercise in student.marks]
        lost = [plan for plan, mark in given if _may_be_luck(mark)][:MOST_AGAIN]
        lost += [p for p, mark in given if mark.status == NOT_GRADED and p.exercise in keys]
        if lost:
            again.setdefault(student.name, (student, []))[1].extend(lost)
    patient = replace(run, jobs=max(1, run.jobs // 2), seconds=2 * run.seconds)
    _grade_tasks(patient, again, keys, kept)
    for student in students:
        student.marks = {plan.exercise: student.marks[plan.exercise] for plan in plans}


def _may_be_luck(mark: Mark) -> bool:
    return any(flag.startswith(LUCK) for flag in mark.flags)


def _unmarked(
    students: list[Student], plans: list[Plan], keys: dict[str, Key], kept: _Kept
) -> Tasks:
    """Give the marks for which nothing is to be run; what is left of each student."""
    tasks: Tasks = {}
    for student, plan in itertools.product(students, plans):
        if plan.exercise in student.marks:
            continue
        if plan.exercise in keys:
            mark = early_mark(student, plan) or kept.find(student, plan.exercise)
        else:
            mark = without_grading(plan, NOT_GRADED, UNUSABLE)
        if mark is not None:
            student.marks[plan.exercise] = mark
        else:
            tasks.setdefault(student.name, (student, []))[1].append(plan)
    return tasks


def _grade_tasks(run: Run, tasks: Tasks, keys: dict[str, Key], kept: _Kept) -> None:
    if not tasks:
        return
    with tqdm(total=len(tasks), unit=" students") as bar:
        for name, result in _engine(run, tasks, keys):
            student, todo = tasks[name]
            for mark in _marks(result, todo):
                student.marks[mark.exercise] = mark
                kept.keep(student, mark)
            sandbox.revive()
            bar.update()


def _engine(run: Run, tasks: Tasks, keys: dict[str, Key]) -> Iterator[tuple[str, Any]]:
    """Run the tasks here, or on a dask cluster."""
    if run.dask:
        from course_lib.grading.dask_engine import grade_on_cluster

        return grade_on_cluster(run.dask, tasks, keys, run.seconds)
    kept = run.out / "notebooks" if run.keep else None
    if kept:
        keep_folder(kept)
    return grade_here(run, tasks, keys, kept)


def _marks(result: Any, todo: list[Plan]) -> list[Mark]:
    if isinstance(result, TaskLost):
        sentence = f"the grader failed on it, not the student ({result}): run the command again"
        return [without_grading(plan, NOT_GRADED, sentence) for plan in todo]
    return [Mark(**data) for data in result]
