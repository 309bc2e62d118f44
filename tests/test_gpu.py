"""On a GPU every exercise's reference gives what it gives on the CPU, and stays on its device."""

import pytest
import torch

from course_lib import exercises
from course_lib.checking.compare import difference
from course_lib.checking.outcome import Outcome, run_arguments, run_case

WRITTEN = exercises.written()
pytestmark = pytest.mark.gpu


def moved(value, device):
    """Tensors, and tensors in containers, on another device."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, (list, tuple)):
        return type(value)(moved(item, device) for item in value)
    if isinstance(value, dict):
        return {key: moved(item, device) for key, item in value.items()}
    return value


def devices(value) -> set[str]:
    if isinstance(value, torch.Tensor):
        return {value.device.type}
    items = value.values() if isinstance(value, dict) else value
    nested = isinstance(value, (list, tuple, dict))
    return set().union(*(devices(item) for item in items)) if nested else set()


@pytest.mark.parametrize("exercise", WRITTEN, ids=lambda e: e.name)
def test_a_reference_computes_the_same_on_the_gpu(exercise):
    for case in exercise.cases:
        on_gpu = moved(case.arguments(0), "cuda")
        got = run_arguments(exercise, exercise.reference, on_gpu)
        if "cuda" in devices(on_gpu):
            assert "cpu" not in devices(got.value), case.name
        back = Outcome(
            moved(got.value, "cpu"), moved(got.gradients, "cpu"), got.changed, got.failure
        )
        expected = run_case(exercise, exercise.reference, case)
        assert difference(expected, back, exercise.tolerance) is None, case.name
