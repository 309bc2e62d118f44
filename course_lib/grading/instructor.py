"""The instructor's own cases, points and deadlines, from a small TOML file (`--cases FILE`).

    [chamfer_distance]                  # an exercise
    points = 4                          # instead of the course's
    draws = 3                           # how often each generated case is drawn (default: 2 or more)

    [[chamfer_distance.cases]]          # any number of further hidden cases
    name = "clouds far apart"           # shown to students who fail it
    arguments = "(torch.rand(1, 5, 3, generator=g), 9 + torch.rand(1, 4, 3, generator=g))"

    [notebook.04]                       # a notebook
    points = 20                         # what its exercises are worth together
    weight = 2                          # its share in the weighted total, in percent (default 1)
    deadline = 2026-11-30T23:59:00      # of the machine that grades, unless it names a zone

    [late]                              # for what came after its notebook's deadline
    per_day = 10                        # percent of the points that each day begun costs
    most = 50                           # percent, however late (default 100)

`arguments` is a Python expression for the tuple of arguments; it should draw its numbers from the
generator `g`, which is seeded anew in every run; `torch` and `np` are there.
"""

import inspect
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from course_lib.checking.outcome import run_case
from course_lib.exercises import catalogue, find
from course_lib.exercises.exercise import Case, Exercise, Question

Kinds = dict[str, tuple[type, ...]]
NUMBER = (int, float)
OF_EXERCISE: Kinds = {"points": NUMBER, "draws": (int,), "cases": (list,)}
OF_NOTEBOOK: Kinds = {"points": NUMBER, "weight": NUMBER, "deadline": (datetime,)}
OF_LATE: Kinds = {"per_day": NUMBER, "most": NUMBER}


def read_cases(path: Path) -> dict[str, dict]:
    """The tables by exercise, with `notebook` and `late`. Raises ValueError that says what is wrong."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ValueError(f"expected a TOML file with cases, got {path}: {error}") from error
    for name, table in tables.items():
        if name == "notebook":
            _check_notebooks(table)
        elif name == "late":
            _check_table("late", table, OF_LATE)
        else:
            _check_exercise(find(name), table)
    return tables


def _check_notebooks(tables: Any) -> None:
    known = {exercise.notebook for exercise in catalogue().values()}
    if not isinstance(tables, dict) or not set(tables) <= known:
        raise ValueError(f"expected tables such as [notebook.04], got {tables!r}")
    for number, table in tables.items():
        _check_table(f"notebook.{number}", table, OF_NOTEBOOK)


def _check_table(name: str, table: Any, kinds: Kinds) -> None:
    if not isinstance(table, dict):
        raise ValueError(f"expected a table [{name}], got {name} = {table!r}")
    for key, value in table.items():
        if not isinstance(value, kinds.get(key, ())) or isinstance(value, bool):
            raise ValueError(f"expected {', '.join(kinds)}, got {key} = {value!r} in [{name}]")
        if isinstance(value, NUMBER) and not 0 <= value < float("inf"):
            raise ValueError(f"expected no negative number, got {key} = {value} in [{name}]")


def _check_exercise(exercise: Exercise, table: Any) -> None:
    _check_table(exercise.name, table, OF_EXERCISE)
    if table.get("draws", 1) < 1:
        raise ValueError(f"expected draws >= 1 in [{exercise.name}]")
    if "cases" in table and isinstance(exercise, Question):
        raise ValueError(f"expected no cases in [{exercise.name}]: a question has one answer")
    for case in table.get("cases", ()):
        _check_case(exercise, case)


def _check_case(exercise: Exercise, case: Any) -> None:
    """Try a case on the reference: where that fails, any answer would be right."""
    fields = {"name", "arguments"}
    if not isinstance(case, dict) or set(case) != fields or not all(map(_is_line, case.values())):
        raise ValueError(
            f"expected a case with name and arguments, a line each, got {case} in [{exercise.name}]"
        )
    where = f"{case['name']!r} of [{exercise.name}]"
    try:
        added = added_case(case["name"], case["arguments"])
        arguments = added.make(torch.Generator().manual_seed(0))
        if not isinstance(arguments, tuple):
            raise TypeError("a tuple such as (x,) is expected: is a comma missing?")
        inspect.signature(exercise.reference).bind(*arguments)
    except Exception as error:  # whatever the expression raises
        kind = type(error).__name__
        raise ValueError(f"expected arguments, got {kind} in {where}: {error}") from error
    failure = run_case(exercise, exercise.reference, added).failure
    if failure:
        raise ValueError(
            f"expected arguments that the reference takes, got {failure.kind} in {where}: {failure.text}"
        )


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and "\n" not in value and value.strip() != ""


def added_case(name: str, expression: str) -> Case:
    """A case made by the instructor's expression."""
    return Case(name, eval(f"lambda g: {expression}", {"torch": torch, "np": np}))


def points_of(exercise: Exercise, extra: dict[str, dict]) -> float:
    """What an exercise is worth: the instructor's points, scaled to those of its notebook."""
    whole = extra.get("notebook", {}).get(exercise.notebook, {}).get("points")
    own = float(extra.get(exercise.name, {}).get("points", exercise.points))
    if whole is None:
        return own
    same = [e for e in catalogue().values() if e.notebook == exercise.notebook]
    total = sum(extra.get(e.name, {}).get("points", e.points) for e in same)
    return round(own * whole / total, 4) if total else 0.0
