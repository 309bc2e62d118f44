"""The instructor's own cases and points, from a small TOML file (`--cases FILE`).

    [chamfer_distance]                  # the exercise
    points = 4                          # instead of the course's
    draws = 3                           # how often each generated case is drawn (default: 2 or more)

    [[chamfer_distance.cases]]          # any number of further hidden cases
    name = "clouds far apart"           # shown to students who fail it
    arguments = "(torch.rand(1, 5, 3, generator=g), 9 + torch.rand(1, 4, 3, generator=g))"

`arguments` is a Python expression for the tuple of arguments; it should draw its numbers from the
generator `g`, which is seeded anew in every run; `torch` and `np` are there.
"""

import ast
import tomllib
from pathlib import Path

from course_lib.exercises import find

KEYS = {"points": (int, float), "draws": (int,), "cases": (list,)}


def read_cases(path: Path) -> dict[str, dict]:
    """The tables by exercise. Raises ValueError that says what is wrong with the file."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"expected a TOML file with cases, got {path}: {error}") from error
    for name, table in tables.items():
        find(name)
        for key, value in table.items():
            if not isinstance(value, KEYS.get(key, ())) or isinstance(value, bool):
                raise ValueError(
                    f"expected points, draws or cases, got {key} = {value!r} in [{name}]"
                )
        if table.get("draws", 1) < 1 or table.get("points", 0) < 0:
            raise ValueError(f"expected draws >= 1 and points >= 0 in [{name}]")
        for case in table.get("cases", ()):
            _check(name, case)
    return tables


def _check(name: str, case: dict) -> None:
    if set(case) != {"name", "arguments"} or not all(isinstance(v, str) for v in case.values()):
        raise ValueError(f"expected a case with name and arguments, got {case} in [{name}]")
    try:
        ast.parse(case["arguments"], mode="eval")
    except SyntaxError as error:
        raise ValueError(f"expected a Python expression in {case['name']!r}: {error}") from error
    if "\n" in case["arguments"] or "\n" in case["name"]:
        raise ValueError(f"expected names and arguments in one line each in {case['name']!r}")
