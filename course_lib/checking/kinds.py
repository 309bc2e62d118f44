"""A right answer of another kind than the reference's, made usable where the notebook goes on.

The check accepts a numpy array for a tensor, double for single precision, a plain tuple for a named
one. Later cells are written for the reference's kind.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch

from course_lib.exercises.exercise import Exercise, call_directly


def usable(exercise: Exercise, candidate: Callable) -> Callable:
    """The candidate itself, or, where its results are of another kind, the candidate with a conversion.

    Only functions that are called directly are looked at: the first case tells.
    """
    if isinstance(exercise.reference, type) or exercise.call is not call_directly:
        return candidate
    arguments = exercise.cases[0].arguments
    try:
        example, got = exercise.reference(*arguments(0)), candidate(*arguments(0))
    except Exception:  # a case about an error: nothing to convert
        return candidate
    if _kind(like(example, got)) == _kind(got):
        return candidate

    @functools.wraps(candidate)
    def converted(*arguments: Any, **options: Any) -> Any:
        return like(example, candidate(*arguments, **options))

    return converted


def like(example: Any, value: Any) -> Any:
    """The value in the kind of the example; unchanged where it cannot be made so.

    >>> like(torch.tensor(0.5), 0.25), like((1, 2), [3, 4])
    (tensor(0.2500), (3, 4))
    """
    if isinstance(example, torch.Tensor):
        return _tensor(example, value)
    if isinstance(example, (bool, int, float)):
        return type(example)(value) if hasattr(value, "item") else value
    if isinstance(example, (list, tuple)):
        parts = list(vars(value).values()) if hasattr(value, "__dict__") else value
        if not isinstance(parts, (list, tuple)) or len(parts) != len(example):
            return value
        made = [like(*pair) for pair in zip(example, parts, strict=True)]
        return type(example)(*made) if hasattr(example, "_fields") else type(example)(made)
    return value


def _tensor(example: torch.Tensor, value: Any) -> Any:
    try:
        made = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        return value
    if example.dtype == torch.float32 and made.is_floating_point():
        return made.float()
    return made


def _kind(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.dtype
    if isinstance(value, (list, tuple)):
        return type(value), [_kind(item) for item in value]
    return type(value)
