"""The catalogue of exercises: modules named after their notebook, nb04_losses.py and so on."""

import importlib
import pkgutil
from dataclasses import replace
from functools import cache
from types import ModuleType

from course_lib.exercises.exercise import Exercise, Question
from course_lib.exercises.order import ORDER


def entries(module: ModuleType) -> list[Exercise]:
    """The exercises that a module of the catalogue defines."""
    return [value for value in vars(module).values() if isinstance(value, Exercise)]


@cache
def catalogue() -> dict[str, Exercise]:
    """All exercises of the course by name, in the order of the notebooks, numbered by it.

    Raises ValueError if two exercises share a name, or one has no place in `ORDER`.
    """
    found: dict[str, Exercise] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        if not module.startswith("nb"):
            continue
        for exercise in entries(importlib.import_module(f"{__name__}.{module}")):
            if exercise.name in found:
                raise ValueError(f"two exercises are called {exercise.name}")
            found[exercise.name] = exercise
    places = {x: f"{book}.{i}" for book, names in ORDER.items() for i, x in enumerate(names, 1)}
    if lost := found.keys() ^ places.keys():
        raise ValueError(f"expected the same in ORDER and in the modules; {sorted(lost)} differ")
    return {name: replace(found[name], number=number) for name, number in places.items()}


def written() -> list[Exercise]:
    """The exercises that ask for a function or a class: the catalogue without its questions."""
    return [entry for entry in catalogue().values() if not isinstance(entry, Question)]


def find(name: str) -> Exercise:
    """The exercise of that name. Raises ValueError with near names if there is none."""
    if name in catalogue():
        return catalogue()[name]
    import difflib

    near = difflib.get_close_matches(name, catalogue(), n=3)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise ValueError(f"there is no exercise called {name!r}{hint}")
