"""Grading notebooks: a student's cell, then one cell per hidden case that prints what it gives.

The outputs stored in such a notebook are the reference's; the cells print values, never verdicts, and
the kernel sees only their source.
"""

import hashlib
import json
import math
import re
from dataclasses import dataclass

from nbval.plugin import comment_markers

from course_lib.checking.collect import KERNEL
from course_lib.checking.sources import runnable_source
from course_lib.exercises import find, written
from course_lib.exercises.exercise import Exercise, Question
from course_lib.grading import inside
from course_lib.grading.extract import Cell
from course_lib.grading.library import WHOLE, catalogue_module
from course_lib.grading.slicing import is_python, statements

FEWEST_HIDDEN, FEWEST_DRAWS = 6, 2
SHELL = r"^(\s*)(?:!|%(?:pip|conda|mamba|uv|sx|system)\b)"


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

    @property
    def one_of_each(self) -> list[int]:
        """The number of the first case of each name: enough to recognise a misconception by."""
        names = [case.name for case in self.cases]
        return [names.index(name) for name in dict.fromkeys(names)]


def make_plan(
    exercise: Exercise, seed: str, extra: dict | None = None, points: float | None = None
) -> Plan:
    """The hidden cases of a run: every generated case several times, the instructor's, the fixed.

    `extra` is the exercise's table in the instructor's file (see `instructor`).
    """
    extra = extra or {}
    points = exercise.points if points is None else points
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


NOTHING = "null"
"""An expected outcome that none is like: it only makes nbval compare, and so record what it gets."""


def notebook(plan: Plan, cell: Cell, expected: list[str] | None = None) -> str:
    """The grading notebook as text; without `expected`, one that records."""
    exercise = find(plan.exercise)
    cells = [_code("set-up", _setup(exercise, [*cell.needs, cell.source]))]
    cells += [_code("need", text, number) for number, text in enumerate(cell.needs)]
    cells.append(_code("submission", runnable(cell.source)))
    return _book(cells + _cases(plan, expected), plan.exercise)


def references_notebook(plans: list[Plan]) -> str:
    """One notebook that runs the references of several exercises, to record what they give."""
    cells = [_code("set-up", "from course_lib.grading.inside import *")]
    for plan in plans:
        own = [_code("submission", runnable_source(find(plan.exercise))), *_cases(plan)]
        for cell in own:
            cell["id"] = f"{plan.exercise[:40]}-{cell['id']}"
            cell["metadata"]["course"]["exercise"] = plan.exercise
        cells += own
    return _book(cells, WHOLE)


def _book(cells: list[dict], exercise: str) -> str:
    metadata = {"course": {"exercise": exercise}, "kernelspec": KERNEL}
    book = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, indent=1)


def _cases(plan: Plan, expected: list[str] | None = None) -> list[dict]:
    exercise, cells = find(plan.exercise), []
    for number, case in enumerate(plan.cases):
        data = {inside.MIME: expected[number] if expected else NOTHING}
        output = {"output_type": "display_data", "data": data, "metadata": {}}
        cell = _code("case", _call(exercise, case), number)
        cells.append({**cell, "outputs": [output], "execution_count": 1})
    return cells


def _code(role: str, source: str, number: int = 0) -> dict:
    return {
        "cell_type": "code",
        "id": f"{role}-{number}",
        "metadata": {"course": {"role": role, "number": number}},
        "execution_count": None,
        "outputs": [],
        "source": source,
    }


def _setup(exercise: Exercise, texts: list[str]) -> str:
    """The notebook's names, and the other exercises that the student's cells use."""
    lines = ["from course_lib.grading.inside import *"]
    used = {name for text in texts for s in statements(text) or () for name in s.uses}
    for other in written():
        if other.name in used and other.name != exercise.name:
            home = other.reference.__module__
            # Of the exercises' own modules a kernel has one, or none.
            is_sealed = home.startswith("course_lib.exercises.")
            plain = f"from {home} import {other.reference.__name__}"
            lines.append(runnable_source(other) if is_sealed else plain)
    return "\n".join(lines)


def _call(exercise: Exercise, case: HiddenCase) -> str:
    module = "" if isinstance(exercise, Question) else catalogue_module(exercise)
    make = f", make=lambda g: {case.make}" if case.make else ""
    return (
        "from course_lib.grading.inside import show\n\n"
        f"# {case.name}\n"
        f'show("{exercise.name}", "{module}", case={case.index}, seed={case.seed}{make})'
    )


def runnable(source: str) -> str:
    """The text without comments that would change what nbval does with the cell, and without lines for
    the shell, which has nothing to do in the sandbox."""
    lines = source.split("\n")
    kept = ["#" if _is_marker(line) else line for line in lines]
    if any(re.match(SHELL, line) for line in lines) and not is_python(source):
        kept = [re.sub(SHELL, r"\1pass  #", line) for line in kept]
    return "\n".join(kept)


def _is_marker(line: str) -> bool:
    line = line.strip()
    return line.startswith("#") and line.lstrip("#").strip() in comment_markers
