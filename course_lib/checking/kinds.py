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

from course_lib.checking.outcome import tensors_in
from course_lib.checking.values import rebuilt
from course_lib.exercises.exercise import Exercise


def usable(exercise: Exercise, candidate: Callable) -> Callable:
    """The candidate itself, or, where its results are of another kind, the candidate with a conversion.

    All cases are looked at, and every result of a candidate that a case calls more than once, or whose
    result is a function itself. Where a gradient is asked for and the candidate gives none, the
    reference takes its place. A class is left as it is.
    """
    if isinstance(exercise.reference, type):
        return candidate
    stand_in = exercise.reference if _loses_gradient(exercise, candidate) else None
    for case in exercise.cases:
        both = (exercise.reference, candidate)
        right, given = (_results(exercise, f, case.arguments(0)) for f in both)
        same = (_kind(like(*p)) == _kind(p[1]) for p in zip(right, given, strict=False))
        if stand_in or not all(same):
            return _converted(candidate, stand_in, [e for e in right if not callable(e)])
    return candidate


def _loses_gradient(exercise: Exercise, candidate: Callable) -> bool:
    """True if the reference's last result can be differentiated, but not the candidate's."""
    random = next((case for case in exercise.cases if not case.fixed), None)
    if random is None:
        return False
    found = []
    for function in (exercise.reference, candidate):
        results = _results(exercise, function, _leaves(random.arguments(0)))
        found.append(any(t.requires_grad for t in tensors_in(results)))
    return found == [True, False]


def _leaves(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.detach().requires_grad_()
    if isinstance(value, (list, tuple)):
        return rebuilt(value, map(_leaves, value))
    return value


def _results(exercise: Exercise, function: Callable, arguments: tuple) -> list:
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
        exercise.call(watched(function), *arguments)
    return seen


def _converted(candidate: Callable, stand_in: Callable | None, examples: list) -> Callable:
    """The candidate, its results in the kind of the first example; so for functions that it returns."""

    @functools.wraps(candidate)
    def converted(*arguments: Any, **options: Any) -> Any:
        asked = torch.is_grad_enabled() and any(t.requires_grad for t in tensors_in(arguments))
        if stand_in and asked:
            return stand_in(*arguments, **options)
        result = candidate(*arguments, **options)
        if inspect.isfunction(result):
            inner = stand_in(*arguments, **options) if stand_in else None
            return _converted(result, inner, examples)
        return like(_as_precise(examples[0], arguments), result)

    return converted


def _as_precise(example: Any, arguments: tuple) -> Any:
    """The example, its tensors in double precision where an argument is: they come from other calls."""
    if not any(tensor.dtype == torch.float64 for tensor in tensors_in(arguments)):
        return example
    if isinstance(example, (list, tuple)):
        return rebuilt(example, [_as_precise(item, arguments) for item in example])
    is_real = isinstance(example, torch.Tensor) and example.is_floating_point()
    return example.double() if is_real else example


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
        return rebuilt(example, [like(*pair) for pair in zip(example, parts, strict=True)])
    return value


def _tensor(example: torch.Tensor, value: Any) -> Any:
    try:
        first = next(iter(value), None) if isinstance(value, (list, tuple)) else None
        is_list_of_tensors = isinstance(first, torch.Tensor)
        made = torch.stack(list(value)) if is_list_of_tensors else torch.as_tensor(value)
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
