"""Mistakes as changed inputs: the right code, given an argument negated, transposed, exchanged, …"""

import inspect
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from course_lib.checking import changes
from course_lib.checking.sample import Sample, put
from course_lib.checking.values import rebuilt
from course_lib.exercises.exercise import Misconception

Run = Callable[[tuple], Any]


def poses(samples: list[Sample], names: tuple[str, ...], reference: Run) -> Iterator[Misconception]:
    """Two arguments exchanged, then every change of a matrix. `reference(arguments)` is right."""
    first = samples[0].arguments
    for i, j in combinations(range(len(first)), 2):
        if type(first[i]) is type(first[j]):
            text = f"`{names[i]}` and `{names[j]}` are exchanged."
            yield Misconception("exchanged", _exchanged(reference, i, j), text)
    for i, argument in enumerate(first):
        yield from _changes(reference, i, names[i], changes.of_pose(argument))


def ideas(samples: list[Sample], names: tuple[str, ...], reference: Run) -> Iterator[Misconception]:
    """Every other change of one argument, of small arguments first."""
    first = samples[0]
    for i in sorted(range(len(first.arguments)), key=lambda i: _size(first.arguments[i])):
        known = changes.of(first.arguments[i], _is_float(first.expected))
        yield from _changes(reference, i, names[i], known)


def _is_float(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, Tensor) and value.is_floating_point())


def _size(value: Any) -> float:
    if isinstance(value, (bool, int, float)):
        return 1
    if isinstance(value, Tensor):
        return value.numel()
    return len(value) if isinstance(value, (str, list, tuple, dict)) else float("inf")


def _exchanged(reference: Run, i: int, j: int) -> Callable[[Sample], Any]:
    return lambda s: reference(put(s.arguments, {i: s.arguments[j], j: s.arguments[i]}))


def _changes(reference: Run, i: int, name: str, known: list) -> Iterator[Misconception]:
    for words, change in known:
        text = f"You have the right result for another input: {words.format(f'`{name}`')}."
        yield Misconception("changed input", _changed(reference, i, change), text)


def _changed(reference: Run, i: int, change: Callable) -> Callable[[Sample], Any]:
    return lambda s: reference(put(s.arguments, {i: change(s.arguments[i])}))


def ignored(
    samples: list[Sample], names: tuple[str, ...], reference: Run, candidate: Run, same: Callable
) -> str | None:
    """The argument that changes the right result, but never the student's."""
    for i, name in enumerate(names[: len(samples[0].arguments)]):
        counted = 0
        for sample in samples:
            if sample.got is None:
                return None
            given = put(sample.arguments, {i: other(sample.arguments[i])})
            if same(reference(given), sample.expected):
                continue
            if not same(candidate(given), sample.got):
                break
            counted += 1
        else:
            if counted:
                return name
    return None


def other(value: Any) -> Any:
    """A value near this one that is as valid: in [0, 1], positive, or in order, if this one is.

    >>> other(1), other([0.5, True])
    (2, [0.49, False])
    """
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return 0.9 * value + 0.04
    if isinstance(value, str):
        return value + "?"
    if isinstance(value, Tensor):
        if value.is_floating_point():
            return 0.9 * value + 0.04
        return ~value if value.dtype == torch.bool else value
    if isinstance(value, (list, tuple)):
        return rebuilt(value, map(other, value))
    if isinstance(value, dict):
        return {key: other(item) for key, item in value.items()}
    return (lambda *a: value(*a) + 0.05) if inspect.isfunction(value) else value
