"""A right answer of another kind than the reference's, made usable where the notebook goes on.

The check accepts a numpy array for a tensor, double for single precision, a plain tuple for a named
one. Later cells are written for the reference's kind.
"""

import contextlib
import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch

from course_lib.exercises.exercise import Case, Exercise


def usable(exercise: Exercise, candidate: Callable) -> Callable:
    """The candidate itself, or, where its results are of another kind, the candidate with a conversion.

    All cases are looked at, and every result of a candidate that a case calls more than once, or whose
    result is a function itself. A class is left as it is.
    """
    if isinstance(exercise.reference, type):
        return candidate
    for case in exercise.cases:
        right, given = (_results(exercise, f, case) for f in (exercise.reference, candidate))
        for example, got in zip(right, given, strict=False):
            if _kind(like(example, got)) != _kind(got):
                return _converted(candidate, [e for e in right if not callable(e)])
    return candidate


def _results(exercise: Exercise, function: Callable, case: Case) -> list:
    """What a function returns when it is run on a case, call by call."""
    seen: list = []

    def watched(inner: Callable) -> Callable:
        @functools.wraps(inner)
        def call(*arguments: Any, **options: Any) -> Any:
            result = inner(*arguments, **options)
            seen.append(result)
            return watched(result) if inspect.isfunction(result) else result

        return call

    with contextlib.suppress(Exception):  # a case about an error
        exercise.call(watched(function), *case.arguments(0))
    return seen


def _converted(candidate: Callable, examples: list) -> Callable:
    """The candidate, its results in the kind of the first example; so for functions that it returns."""

    @functools.wraps(candidate)
    def converted(*arguments: Any, **options: Any) -> Any:
        result = candidate(*arguments, **options)
        if inspect.isfunction(result):
            return _converted(result, examples)
        return like(examples[0], result)

    return converted


def like(example: Any, value: Any) -> Any:
    """The value in the kind of the example; unchanged where it cannot be made so.

    >>> like(torch.tensor(0.5), 0.25), like((1, 2), [3, 4])
    (tensor(0.2500), (3, 4))
    """
    if isinstance(example, torch.Tensor):
        return _tensor(example, value)
    if isinstance(example, (bool, int, float)):
        is_number = hasattr(value, "item") or isinstance(value, (bool, int, float))
        return type(example)(value) if is_number else value
    if isinstance(example, (list, tuple)):
        parts = list(vars(value).values()) if hasattr(value, "__dict__") else value
        if not isinstance(parts, (list, tuple)) or len(parts) != len(example):
            return value
        made = [like(*pair) for pair in zip(example, parts, strict=True)]
        return type(example)(*made) if hasattr(example, "_fields") else type(example)(made)
    return value


def _tensor(example: torch.Tensor, value: Any) -> Any:
    try:
        listed = isinstance(value, (list, tuple)) and isinstance(
            next(iter(value), None), torch.Tensor
        )
        made = torch.stack(list(value)) if listed else torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        return value
    same_kind = made.is_floating_point() == example.is_floating_point()
    return made.to(example.dtype) if same_kind and example.dtype != torch.bool else made


def _kind(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.dtype
    if isinstance(value, (list, tuple)):
        return type(value), [_kind(item) for item in value]
    return type(value)
