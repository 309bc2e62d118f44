"""What the search for a mistake works on: inputs with the right and the student's result.

An idea of what the mistake may be is a Misconception like those of the catalogue, but its
`wrong(sample)` is what the mistake would give. It may raise an exception where the mistake cannot be
made. For a step that was left out, it returns the student's value if that step mends it, and anything
else if not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sample:
    """The arguments of a case, the right value and the student's."""

    arguments: tuple
    expected: Any
    got: Any


def put(items: Sequence, new: dict[int, Any]) -> tuple:
    """The items with others in some places.

    >>> put("abc", {0: "c", 2: "a"})
    ('c', 'b', 'a')
    """
    return tuple(new.get(i, item) for i, item in enumerate(items))
