"""What the search for a mistake works on: inputs with the right and the student's result, and ideas."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sample:
    """The arguments of a case, the right value and the student's."""

    arguments: tuple
    expected: Any
    got: Any


@dataclass(frozen=True)
class Idea:
    """A mistake that may have been made: `predict(sample)` is what it would give.

    It may raise an exception where the mistake cannot be made. For a step that was left out, it
    returns the student's value if that step mends it, and anything else if not.
    """

    name: str
    message: str
    predict: Callable[[Sample], Any]
