"""On a GPU every exercise's reference gives what it gives on the CPU, and stays on its device.

Where there is no GPU, on a pretended one, which refuses what a real one refuses.
"""

import pytest
import torch
from pretended.gpu import PretendedTensor, pretended_gpu

from course_lib import exercises
from course_lib.checking.compare import difference
from course_lib.checking.device import moved
from course_lib.checking.outcome import Outcome, run_arguments, run_case

WRITTEN = exercises.written()


@pytest.fixture(autouse=True)
def gpu():
    if torch.cuda.is_available():
        yield
    else:
        with pretended_gpu():
            yield


def devices(value) -> set[str]:
    if isinstance(value, torch.nn.Module):
        value = list(value.parameters())
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


def test_the_device_refuses_what_a_real_one_refuses():
    here, there = torch.ones(3), torch.ones(3, device="cuda")
    with pytest.raises(RuntimeError, match="same device"):
        here + there
    with pytest.raises(RuntimeError, match="same device"):
        torch.stack([here, there])
    with pytest.raises(TypeError, match="numpy"):
        there.numpy()
    with pytest.raises(RuntimeError, match="generator"):
        torch.rand(3, device="cuda", generator=torch.Generator())


def test_the_device_computes_differentiates_and_gives_back():
    x = torch.tensor([1.0, 2.0, 3.0], device="cuda", requires_grad=True)
    (x**2).sum().backward()
    assert x.grad.device.type == "cuda" and x.grad.tolist() == [2.0, 4.0, 6.0]
    assert (2 * there_and_scalar(x)).cpu().device.type == "cpu"
    assert x[[0, 2]].tolist() == [1.0, 3.0]
    if not isinstance(x, PretendedTensor):
        assert torch.cuda.is_available()


def there_and_scalar(x):
    return x * torch.tensor(2.0)  # a number of the CPU is welcome on a real device, too
