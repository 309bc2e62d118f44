"""A right answer, run again where the notebook computes: on the GPU."""

from typing import Any

import torch

from course_lib.checking.compare import value_difference
from course_lib.checking.difference import Difference
from course_lib.checking.outcome import Outcome, run_arguments
from course_lib.checking.values import rebuilt
from course_lib.exercises.exercise import Exercise


def device_difference(exercise: Exercise, candidate: Any, device: str) -> Difference | None:
    """What goes wrong with the first case that succeeds on the CPU, if its tensors are on `device`.

    None where the reference itself has no result there.
    """
    for case in exercise.cases:
        arguments = moved(case.arguments(0), device)
        expected = run_arguments(exercise, exercise.reference, arguments)
        if expected.failure is None:
            got = run_arguments(exercise, candidate, arguments)
            return _compared(exercise, expected, got, device)
    return None


def _compared(
    exercise: Exercise, expected: Outcome, got: Outcome, device: str
) -> Difference | None:
    before = f"right on the CPU, but on this notebook's device ({device})"
    if got.failure:
        advice = "make new tensors with `device=x.device` of an input"
        line = f" at {got.failure.line}" if got.failure.line else ""
        text = f"{before} it raised {got.failure.kind}{line}: {advice}"
        return Difference("device", text)
    found = value_difference(expected.value, got.value, exercise.tolerance)
    if found is None:
        return None
    return Difference("device", f"{before} {found.text}", found.expected, found.got)


def moved(value: Any, device: str) -> Any:
    """The value with its tensors, and modules, on another device."""
    if isinstance(value, (torch.Tensor, torch.nn.Module)):
        return value.to(device)
    if isinstance(value, (list, tuple)):
        return rebuilt(value, (moved(item, device) for item in value))
    if isinstance(value, dict):
        return {key: moved(item, device) for key, item in value.items()}
    return value
