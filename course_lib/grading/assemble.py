"""Grading notebooks: a student's cell, then one cell per hidden case that prints what it gives.

The outputs stored in such a notebook are the reference's; the cells print values, never verdicts, and
the kernel sees only their source.
"""

import ast
import hashlib
import json
import math
from dataclasses import asdict, dataclass

from nbval.plugin import comment_markers

from course_lib.checking.sources import runnable_source
from course_lib.exercises import find, written
from course_lib.exercises.exercise import Exercise, Question
from course_lib.grading.inside import MIME
from course_lib.grading.library import WHOLE, catalogue_module

FEWEST_HIDDEN, FEWEST_DRAWS = 6, 2


@dataclass(frozen=True)
class HiddenCase:
    """A case with a secret seed: the exercise's own case number `index`, or the expression `make`.

    A `fixed` one is as students see it: it can cost points, but its answer may be known.
    """

    name: str
    seed: int
    index: int = 0
    make: str | None = None
    fixed: bool = False


@dataclass(frozen=True)
class Plan:
    """How an exercise is graded in one run: its points and its hidden cases."""

    exercise: str
    points: float
    cases: tuple[HiddenCase, ...]

    def to_json(self) -> dict:
        """As plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict) -> "Plan":
        """The inverse of `to_json`."""
        cases = tuple(HiddenCase(**case) for case in data["cases"])
        return cls(data["exercise"], data["points"], cases)


def make_plan(exercise: Exercise, seed: str, extra: dict | None = None) -> Plan:
    """The hidden cases of a run: every generated case several times, the instructor's, the fixed.

    `extra` is the exercise's table in the instructor's file (see `instructor`).
    """
    extra = extra or {}
    points = extra.get("points", exercise.points)
    if isinstance(exercise, Question):
        return Plan(exercise.name, points, (HiddenCase("answer", 0),))
    own = list(enumerate(exercise.cases))
    sources = [(case.name, index, None) for index, case in own if not case.fixed]
    sources += [(case["name"], 0, case["arguments"]) for case in extra.get("cases", ())]
    draws = extra.get("draws", max(FEWEST_DRAWS, math.ceil(FEWEST_HIDDEN / max(1, len(sources)))))
    cases = [
        HiddenCase(name, _secret(seed, exercise.name, name, draw), index, make)
        for name, index, make in sources
        for draw in range(draws)
    ]
    cases += [HiddenCase(case.name, 0, index, fixed=True) for index, case in own if case.fixed]
    return Plan(exercise.name, points, tuple(cases))


def _secret(*parts: object) -> int:
    """A seed of 62 bits that nobody can guess without the run's own."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 2


def notebook(plan: Plan, source: str, imports: str = "", expected: list[str] | None = None) -> str:
    """The grading notebook as text. Without `expected` it has no reference outputs: it records them."""
    exercise = find(plan.exercise)
    cells = [_code("set-up", _setup(exercise, source))]
    if imports:
        cells.append(_code("imports", imports))
    cells.append(_code("submission", without_markers(source)))
    for number, case in enumerate(plan.cases):
        cell = _code("case", _call(exercise, case), number)
        if expected is not None:
            _expect(cell, expected[number])
        cells.append(cell)
    return _book(cells, plan.exercise)


def references_notebook(plans: list[Plan]) -> str:
    """One notebook that runs the references of several exercises, to record what they give."""
    cells = [_code("set-up", "from course_lib.grading.inside import *")]
    for plan in plans:
        exercise = find(plan.exercise)
        own = [_code("submission", runnable_source(exercise))]
        own += [_code("case", _call(exercise, case), i) for i, case in enumerate(plan.cases)]
        for cell in own[1:]:
            _expect(cell, "null")  # a cell without output would not be compared, nor recorded
        for cell in own:
            cell["id"] = f"{plan.exercise[:40]}-{cell['id']}"
            cell["metadata"]["course"]["exercise"] = plan.exercise
        cells += own
    return _book(cells, WHOLE)


def _book(cells: list[dict], exercise: str) -> str:
    metadata = {
        "course": {"exercise": exercise},
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
    }
    book = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, indent=1)


def _expect(cell: dict, outcome: str) -> None:
    data = {MIME: outcome}
    cell["outputs"] = [{"output_type": "display_data", "data": data, "metadata": {}}]
    cell["execution_count"] = 1


def _code(role: str, source: str, number: int = 0) -> dict:
    return {
        "cell_type": "code",
        "id": f"{role}-{number}",
        "metadata": {"course": {"role": role, "number": number}},
        "execution_count": None,
        "outputs": [],
        "source": source,
    }


def _setup(exercise: Exercise, source: str) -> str:
    """The notebook's names, and the other exercises that the student's cell uses."""
    lines = ["from course_lib.grading.inside import *"]
    used = names_used(source)
    for other in written():
        if other.name in used and other.name != exercise.name:
            lines.append(f"from {other.reference.__module__} import {other.reference.__name__}")
    return "\n".join(lines)


def _call(exercise: Exercise, case: HiddenCase) -> str:
    module = "" if isinstance(exercise, Question) else catalogue_module(exercise)
    make = f", make=lambda g: {case.make}" if case.make else ""
    return (
        "from course_lib.grading.inside import show\n\n"
        f"# {case.name}\n"
        f'show("{exercise.name}", "{module}", case={case.index}, seed={case.seed}{make})'
    )


def names_used(source: str) -> set[str]:
    """Every name in Python text; empty where it does not parse (a magic, say)."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def without_markers(source: str) -> str:
    """The text without comments that would change what nbval does with the cell."""
    lines = source.splitlines()
    kept = ["#" if _is_marker(line) else line for line in lines]
    return "\n".join(kept)


def _is_marker(line: str) -> bool:
    line = line.strip()
    return line.startswith("#") and line.lstrip("#").strip() in comment_markers
