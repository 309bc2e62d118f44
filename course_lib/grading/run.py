"""A grading run: from submissions to marks, in parallel, with a journal for interruptions."""

import hashlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from course_lib.checking.outcome import Outcome, run_case
from course_lib.exercises import catalogue, find
from course_lib.exercises.exercise import Case, Question
from course_lib.grading import sandbox
from course_lib.grading.assemble import Plan, make_plan
from course_lib.grading.extract import Cell, Extract, extract
from course_lib.grading.library import PACKAGE, WHOLE, catalogue_module
from course_lib.grading.marks import NOT_GRADED, Key, Mark, without_grading
from course_lib.grading.plugin import keep_folder
from course_lib.grading.pool import TaskLost, run_all
from course_lib.grading.session import grade_cells, record_references
from course_lib.grading.submissions import Submission
from course_lib.grading.workspace import GradingError

EXTRACT_SECONDS, EXTRACT_MEGABYTES = 60, 2048
UNUSABLE = "this exercise's own reference does not run in the sandbox; nobody was graded on it"


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


@dataclass
class Student:
    """A student of the run: the cells found, and in the end a mark for every exercise."""

    name: str
    cells: dict[str, Cell]
    problem: str = ""
    marks: dict[str, Mark] = field(default_factory=dict)


class Journal:
    """An append-only file of results by key; a last line that was cut off is ignored."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.entries: dict[str, Any] = {}
        whole = path.read_bytes() if path.exists() else b""
        for line in whole.split(b"\n"):
            try:
                entry = json.loads(line)
                self.entries[entry["key"]] = entry["result"]
            except (ValueError, KeyError, TypeError):
                continue
        self._file = open(path, "ab")  # noqa: SIM115
        if whole and not whole.endswith(b"\n"):
            self._file.write(b"\n")

    def add(self, key: str, result: Any) -> None:
        """Keep a result for good before anything else happens."""
        self.entries[key] = result
        self._file.write((json.dumps({"key": key, "result": result}) + "\n").encode())
        self._file.flush()
        os.fsync(self._file.fileno())


def grade(run: Run, submissions: list[Submission]) -> tuple[list[Student], list[Plan]]:
    """Grade all submissions; what the journal holds already is not run again.

    Call it inside `workspace`.
    """
    journal = Journal(run.private / "journal.jsonl")
    run.seed = _settled_seed(run, journal)
    students = read(submissions, run.jobs)
    plans = make_plans(run, students)
    for plan in plans:
        sandbox.library_for(find(plan.exercise))
    keys = make_keys(run, plans, journal, run.private / "work")
    sandbox.forget(WHOLE)
    _grade_all(run, students, plans, keys, journal)
    return students, plans


def _settled_seed(run: Run, journal: Journal) -> str:
    """The seed that was asked for, else the one of the interrupted run, else a new secret one."""
    seed = run.seed or journal.entries.get("seed") or secrets.token_hex(16)
    if journal.entries.get("seed") != seed:
        journal.add("seed", seed)
    return seed


def read(submissions: list[Submission], jobs: int) -> list[Student]:
    """Take the exercise cells out of every submission, each in a child process of its own."""
    names = set(catalogue())

    def work(submission: Submission) -> list[dict]:
        return [asdict(extract(data, names)) for data in submission.notebooks]

    students = {s.student: Student(s.student, {}, s.problem) for s in submissions}
    tasks = [(s.student, s) for s in submissions if s.notebooks]
    limits: dict[str, Any] = {"seconds": EXTRACT_SECONDS, "megabytes": EXTRACT_MEGABYTES}
    for name, result in run_all(work, tasks, jobs=jobs, once_more=False, **limits):
        if isinstance(result, TaskLost):
            students[name].problem = f"it could not be read ({result})"
        else:
            _merge(students[name], [_as_extract(data) for data in result])
    return list(students.values())


def _as_extract(data: dict) -> Extract:
    cells = {name: Cell(**cell) for name, cell in data["cells"].items()}
    return Extract(cells, data["problem"])


def _merge(student: Student, extracts: list[Extract]) -> None:
    """Several notebooks of one student: an exercise in two of them is for a human to look at.

    The exercise's own cell in one of them counts before any other cell of the others.
    """
    for found in extracts:
        student.problem = student.problem or found.problem
        for name, cell in found.cells.items():
            before = student.cells.get(name)
            if before is None or before.is_stub or (cell.own and not before.own):
                student.cells[name] = cell
            elif cell.own >= before.own and not cell.is_stub and cell.source != before.source:
                before.doubt = "it stands in several of the notebooks"
    if student.cells:
        student.problem = ""


def make_plans(run: Run, students: list[Student]) -> list[Plan]:
    """The exercises to grade, in the order of the course.

    Without a choice: those of every notebook from which some submission has a cell.
    """
    found = catalogue()
    wanted = set(run.exercises)
    if not wanted:
        present = {name for student in students for name in student.cells}
        modules = {catalogue_module(found[name]) for name in present}
        wanted = {n for n, e in found.items() if catalogue_module(e) in modules or not modules}
    unknown = sorted(wanted - set(found))
    if unknown:
        find(unknown[0])
    return [
        make_plan(exercise, run.seed, run.extra.get(name))
        for name, exercise in found.items()
        if name in wanted
    ]


def make_keys(run: Run, plans: list[Plan], journal: Journal, work: Path) -> dict[str, Key]:
    """The reference's outcomes, from the same sandbox, and those of the misconceptions.

    An exercise whose reference does not run there is left out.
    """
    ids = {plan.exercise: _hash("key", plan.to_json(), _package_hash()) for plan in plans}

    def make(part: list[Plan]) -> dict[str, dict]:
        folder = work / "reference" / part[0].exercise
        expected = record_references(folder, part, max(run.seconds, 120))
        wrong = {plan.exercise: _misconceptions(plan) for plan in part}
        return {n: {"expected": expected[n], "misconceptions": wrong[n]} for n in expected}

    todo = [plan for plan in plans if ids[plan.exercise] not in journal.entries]
    parts = [todo[start :: run.jobs] for start in range(min(run.jobs, len(todo)))]
    for _, results in run_all(make, enumerate(parts), jobs=run.jobs, seconds=120 * len(plans)):
        if isinstance(results, TaskLost):
            raise GradingError(f"the references cannot be run in the sandbox: {results}")
        for name, result in results.items():
            if _is_usable(result["expected"]):
                journal.add(ids[name], result)
    found = {name: journal.entries.get(key) for name, key in ids.items()}
    return {name: Key(**entry) for name, entry in found.items() if entry is not None}


def _is_usable(expected: list[str | None]) -> bool:
    texts = [text for text in expected if text is not None]
    if len(texts) < len(expected):
        return False
    kinds = {"NotImplementedError", "NotDefined", "TimeLimitReached"}
    failures = [json.loads(text)["failure"] for text in texts]
    return not any(failure and failure["kind"] in kinds for failure in failures)


def _misconceptions(plan: Plan) -> list[list[str]]:
    """What each wrong implementation of the catalogue gives on the hidden cases."""
    exercise = find(plan.exercise)
    if isinstance(exercise, Question):
        return [[] for _ in exercise.misconceptions]
    cases = [_case(plan, number) for number in range(len(plan.cases))]
    seeds = [hidden.seed for hidden in plan.cases]
    return [
        [
            _encoded(run_case(exercise, misconception.wrong, case, seed))
            for case, seed in zip(cases, seeds, strict=True)
        ]
        for misconception in exercise.misconceptions
    ]


def _encoded(outcome: Outcome) -> str:
    return json.dumps(outcome.to_json())


def _case(plan: Plan, number: int) -> Case:
    """A hidden case as the catalogue has it; the instructor's expressions are evaluated here."""
    hidden = plan.cases[number]
    if hidden.make is None:
        return find(plan.exercise).cases[hidden.index]
    import numpy
    import torch

    names = {"torch": torch, "np": numpy}
    return Case(hidden.name, eval(f"lambda g: {hidden.make}", names))


def _grade_all(
    run: Run, students: list[Student], plans: list[Plan], keys: dict[str, Key], journal: Journal
) -> None:
    tasks = {}
    for student in students:
        todo = []
        for plan in plans:
            mark = _early_mark(student, plan, keys)
            if mark is None and (done := journal.entries.get(_key(student, plan, keys))):
                mark = Mark(**done)
            if mark is not None:
                student.marks[plan.exercise] = mark
            else:
                todo.append(plan)
        if todo:
            tasks[student.name] = (student, todo)
    by_name = {student.name: student for student in students}
    bar = tqdm(total=len(students), initial=len(students) - len(tasks), unit=" students")
    with bar:
        for name, result in _engine(run, tasks, keys):
            student = by_name[name]
            for mark in _marks(result, tasks[name][1]):
                student.marks[mark.exercise] = mark
                if mark.status != NOT_GRADED:
                    plan = next(p for p in plans if p.exercise == mark.exercise)
                    journal.add(_key(student, plan, keys), mark.to_json())
            bar.update()
    for student in students:
        student.marks = {plan.exercise: student.marks[plan.exercise] for plan in plans}


def _engine(run: Run, tasks: dict, keys: dict[str, Key]) -> Iterator[tuple[str, Any]]:
    """Run the tasks here, or on a dask cluster."""
    if run.dask:
        from course_lib.grading.dask_engine import grade_on_cluster

        return grade_on_cluster(run.dask, tasks, keys, run.seconds)
    folders = {name: f"{index:05d}" for index, name in enumerate(tasks)}
    kept = run.out / "notebooks"
    if run.keep:
        keep_folder(kept)

    def work(task: tuple[Student, list[Plan]]) -> list[dict]:
        student, todo = task
        folder = run.private / "work" / "notebooks" / folders[student.name]
        marks = grade_cells(folder, student.cells, todo, keys, run.seconds)
        if run.keep:
            target = kept / safe_name(student.name)
            shutil.copytree(folder, target, dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        return [mark.to_json() for mark in marks]

    longest = max((len(todo) for _, todo in tasks.values()), default=0)
    outer = 60 + longest * (run.seconds + 60)
    return run_all(work, list(tasks.items()), jobs=run.jobs, seconds=outer)


def _marks(result: Any, todo: list[Plan]) -> list[Mark]:
    if isinstance(result, TaskLost):
        sentence = f"the grader failed on it, not the student ({result}): run the command again"
        return [without_grading(plan, NOT_GRADED, sentence) for plan in todo]
    return [Mark(**data) for data in result]


def _early_mark(student: Student, plan: Plan, keys: dict[str, Key]) -> Mark | None:
    """The mark where there is nothing to run."""
    if plan.exercise not in keys:
        return without_grading(plan, NOT_GRADED, UNUSABLE)
    cell = student.cells.get(plan.exercise)
    if student.problem:
        return without_grading(plan, "unreadable", student.problem)
    if cell is None:
        return without_grading(plan, "missing", "the exercise's cell is not in the notebook")
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
    return f"{kept[:80]}-{_hash(name)[:8]}"


def _key(student: Student, plan: Plan, keys: dict[str, Key]) -> str:
    cell = student.cells.get(plan.exercise)
    parts = [student.name, asdict(cell) if cell else None, plan.to_json(), _package_hash()]
    return _hash("mark", *parts, asdict(keys[plan.exercise]))


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _package_hash() -> str:
    """A hash of the course's code: a changed exercise is graded anew."""
    if "hash" not in _cache:
        whole = hashlib.sha256(sys.version.encode())
        for path in sorted(PACKAGE.rglob("*.py")):
            whole.update(path.read_bytes())
        _cache["hash"] = whole.hexdigest()
    return _cache["hash"]


_cache: dict[str, str] = {}
