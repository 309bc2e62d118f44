"""A result that is the right one times a number: which number, and what in the inputs has that size."""

import contextlib
import math
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import torch

from course_lib.checking.numbers import as_tensor
from course_lib.checking.sample import Sample
from course_lib.exercises.exercise import Misconception, Tolerance

SAME_IN_ALL = {
    2.0: "exactly twice the right one",
    0.5: "exactly half of the right one",
    3.0: "three times the right one",
    1 / 3: "a third of the right one",
    4.0: "four times the right one",
    0.25: "a quarter of the right one",
    -2.0: "minus twice the right one",
    -0.5: "minus half of the right one",
    10.0: "ten times the right one",
    0.1: "a tenth of the right one",
    math.pi: "π times the right one",
    2 * math.pi: "2π times the right one",
    1 / math.pi: "the right one divided by π",
    180 / math.pi: "the right one in degrees",
    math.pi / 180: "the right one taken as degrees",
    1 / math.log(2): "the right one with the logarithm to base 2",
    1 / math.log(10): "the right one with the logarithm to base 10",
    math.log(10): "the right one with the natural logarithm in place of the one to base 10",
    math.sqrt(2): "√2 times the right one",
    1 / math.sqrt(2): "the right one divided by √2",
    math.sqrt(3): "√3 times the right one",
    1 / math.sqrt(3): "the right one divided by √3",
}
Size = tuple[str, Callable[[Sample], float]]


def factor_ideas(
    samples: list[Sample], names: tuple[str, ...], tolerance: Tolerance
) -> Iterator[Misconception]:
    """The ideas of a constant factor, or of one that is a size of the inputs, that sample 0 admits."""
    factor = _factor(samples[0], tolerance)
    if factor is None:
        return
    for text, size in _sizes(samples[0], names):
        if not (size(samples[0]) == 3 or _varies(size, samples)):
            continue  # 4 × 4 matrices, say, do not tell 2 from √4; three coordinates are averaged often
        for name, said, power in POWERS:
            if _is_near(factor, power, size(samples[0])):
                message = f"Your result is {said.format(text)}."
                yield Misconception(name, _scaled(size, power), message)
    for constant, text in SAME_IN_ALL.items():
        if math.isclose(factor, constant, rel_tol=1e-4):
            yield Misconception(
                "factor",
                lambda s, c=constant: c * as_tensor(s.expected),
                f"Your result is {text}.",
            )


def _varies(size: Callable, samples: list[Sample]) -> bool:
    with contextlib.suppress(IndexError):  # an axis that not all samples have
        return len({size(sample) for sample in samples}) > 1
    return False


def _is_near(factor: float, power: Callable, size: float) -> bool:
    """True if a size above 1 gives the factor."""
    return size > 1 and math.isclose(factor, power(size), rel_tol=1e-3)


def _scaled(size: Callable, power: Callable) -> Callable[[Sample], Any]:
    return lambda sample: as_tensor(sample.expected) * power(size(sample))


def _factor(sample: Sample, tolerance: Tolerance) -> float | None:
    """What all numbers of the right value are multiplied by, if there is such a number."""
    want, have = as_tensor(sample.expected), as_tensor(sample.got)
    if want.shape != have.shape or want.dtype == torch.bool:
        return None
    want, have = want.double().flatten(), have.double().flatten()
    if not want.numel() or not bool((want.abs() > 1e-9).any()):
        return None
    ratio = float((want * have).sum() / (want * want).sum())
    near = torch.allclose(have, ratio * want, rtol=10 * tolerance.relative, atol=1e-5)
    return ratio if near and abs(ratio) > 1e-9 and math.isfinite(ratio) else None


def _sizes(sample: Sample, names: tuple[str, ...]) -> list[Size]:
    """Lengths of axes, products of two of an argument, numbers of elements, and whole numbers."""
    found: list[Size] = []
    for i, argument in enumerate(sample.arguments):
        if isinstance(argument, torch.Tensor) and argument.ndim:
            found += _of_axes(names[i], i, argument.ndim)
        elif isinstance(argument, (int, float)) and not isinstance(argument, bool) and argument > 0:
            found.append((f"`{names[i]}`", lambda s, i=i: float(s.arguments[i])))
        elif isinstance(argument, (list, tuple)):
            found.append((f"the length of `{names[i]}`", lambda s, i=i: len(s.arguments[i])))
    return found


def _of_axes(name: str, i: int, ndim: int) -> list[Size]:
    found: list[Size] = [
        (f"the length of axis {k} of `{name}`", lambda s, k=k: s.arguments[i].shape[k])
        for k in range(ndim)
    ]
    found += [
        (
            f"the product of the lengths of axes {j} and {k} of `{name}`",
            lambda s, j=j, k=k: s.arguments[i].shape[j] * s.arguments[i].shape[k],
        )
        for j, k in combinations(range(ndim), 2)
    ]
    found.append((f"the number of elements of `{name}`", lambda s: s.arguments[i].numel()))
    if ndim == 1:
        found.append((f"the sum of `{name}`", lambda s: float(s.arguments[i].sum())))
    return found


POWERS = [
    ("sum for mean", "the right one times {}, as a sum is where a mean belongs", lambda n: n),
    (
        "mean for sum",
        "the right one divided by {}, as a mean is where a sum belongs",
        lambda n: 1 / n,
    ),
    ("n - 1", "too large by n/(n - 1), where n is {}: divide by n", lambda n: n / (n - 1)),
    ("n for n - 1", "too small by (n - 1)/n, where n is {}", lambda n: (n - 1) / n),
    ("root of n", "the right one times the root of {}", lambda n: n**0.5),
    ("over root of n", "the right one divided by the root of {}", lambda n: n**-0.5),
    ("squared", "the right one times the square of {}", lambda n: n * n),
    ("over the square", "the right one divided by the square of {}", lambda n: n**-2.0),
]
