"""Mistakes as changed results: the right one negated, summed for averaged, transposed, not rooted."""

from collections.abc import Callable, Iterator
from itertools import chain, combinations
from typing import Any

import torch
import torch.nn.functional as F

from course_lib.checking.along_axes import Change, exchanged_along, scaled
from course_lib.checking.compare import value_difference
from course_lib.checking.factors import factor_ideas
from course_lib.checking.numbers import as_tensor
from course_lib.checking.sample import Idea, Sample
from course_lib.exercises.exercise import Tolerance


def ideas(samples: list[Sample], names: tuple[str, ...], tolerance: Tolerance) -> Iterator[Idea]:
    """Ideas about the result, or about one item of a tuple; then about the tuple's order."""
    right = samples[0].expected
    if isinstance(right, (tuple, list)):
        yield from _orders(tuple(right))
        for i, item in enumerate(right):
            if _is_wrong(item, _item(samples[0].got, i), tolerance):
                for idea in _of_tensor(_items(samples, i), names, tolerance):
                    yield _within(idea, i)
    elif as_tensor(right) is not None:
        yield from _of_tensor(samples, names, tolerance)


def _orders(right: tuple) -> Iterator[Idea]:
    for i, j in combinations(range(len(right)), 2):
        text = f"Items {i + 1} and {j + 1} of your result are exchanged."
        yield Idea("items exchanged", text, _swap(i, j))


def _swap(i: int, j: int) -> Callable[[Sample], Any]:
    def predict(sample: Sample) -> Any:
        items = list(sample.expected)
        items[i], items[j] = items[j], items[i]
        return items

    return predict


def _item(value: Any, i: int) -> Any:
    """An item of a sequence, or of the dictionary of a data class; None where there is none."""
    items = list(value.values()) if isinstance(value, dict) else value
    return items[i] if isinstance(items, (list, tuple)) and i < len(items) else None


def _items(samples: list[Sample], i: int) -> list[Sample]:
    return [Sample(s.arguments, s.expected[i], _item(s.got, i)) for s in samples]


def _within(idea: Idea, i: int) -> Idea:
    """The same idea of item i of a tuple, the others being right."""

    def predict(sample: Sample) -> Any:
        items = list(sample.expected)
        items[i] = idea.predict(Sample(sample.arguments, items[i], _item(sample.got, i)))
        return items

    return Idea(idea.name, f"Item {i + 1} of the result: {idea.message}", predict)


def _is_wrong(right: Any, got: Any, tolerance: Tolerance) -> bool:
    return value_difference(right, got, tolerance) is not None


def _of_tensor(
    samples: list[Sample], names: tuple[str, ...], tolerance: Tolerance
) -> Iterator[Idea]:
    expected, got = as_tensor(samples[0].expected), as_tensor(samples[0].got)
    if expected is None or got is None:
        return
    yield from factor_ideas(samples, names, tolerance)
    for text, change in chain(SIMPLE, *(_along(k) for k in range(expected.ndim))):
        said = f"Your result is {text.format('the right one')}."
        yield Idea("changed result", said, lambda s, c=change: c(as_tensor(s.expected)))
    for text, step in chain(STEPS, *(_steps_along(k) for k in range(got.ndim))):
        said = f"A last step is missing: {text.format('your result')}."
        yield Idea("step left out", said, _mended(step, tolerance))
    yield from _with_arguments(samples[0], names)


def _mended(step: Change, tolerance: Tolerance) -> Callable[[Sample], Any]:
    """The student's value if the step makes it right."""

    def predict(sample: Sample) -> Any:
        mended = step(as_tensor(sample.got))
        return None if _is_wrong(sample.expected, mended, tolerance) else sample.got

    return predict


def _with_arguments(sample: Sample, names: tuple[str, ...]) -> Iterator[Idea]:
    """An argument added, taken away, multiplied or divided by."""
    for i, argument in enumerate(sample.arguments):
        if not isinstance(argument, (torch.Tensor, int, float)) or isinstance(argument, bool):
            continue
        for text, combine in PAIRS:
            said = f"Your result is the right one {text} `{names[i]}`."
            yield Idea("an argument too much", said, _combined(combine, i))


def _combined(combine: Callable, i: int) -> Callable[[Sample], Any]:
    return lambda sample: combine(as_tensor(sample.expected), sample.arguments[i])


def _along(axis: int) -> list[tuple[str, Change]]:
    axes = [(f"{{}} with axes {axis} and {k} exchanged", lambda x, k=k: x.transpose(axis, k))
            for k in range(axis)]  # fmt: skip
    reshaped = [
        (f"{{}} with axes {axis} and {k} exchanged, then reshaped back: that mixes them up",
         lambda x, k=k: x.transpose(axis, k).reshape(x.shape)) for k in range(axis)]  # fmt: skip
    return axes + reshaped + [
        (f"{{}} in reversed order along axis {axis}", lambda x: x.flip(axis)),
        (f"{{}} moved on by one along axis {axis}", lambda x: x.roll(1, axis)),
        (f"{{}} moved back by one along axis {axis}", lambda x: x.roll(-1, axis)),
        (f"{{}} sorted along axis {axis}", lambda x: x.sort(axis).values),
        (f"{{}} summed up along axis {axis} (cumsum)", lambda x: x.cumsum(axis)),
        (f"{{}} divided by its sum along axis {axis}", lambda x: x / x.sum(axis, keepdim=True)),
        (f"{{}} scaled to unit length along axis {axis}", lambda x: F.normalize(x, dim=axis)),
        (f"{{}} averaged over axis {axis}, too", lambda x: x.mean(axis)),
        (f"{{}} summed over axis {axis}, too", lambda x: x.sum(axis)),
        (f"{{}} averaged over axis {axis}, for all", lambda x: x.mean(axis, True).expand_as(x)),
        (f"the largest of {{}} over axis {axis}", lambda x: x.amax(axis)),
        (f"the smallest of {{}} over axis {axis}", lambda x: x.amin(axis)),
        (f"only the first of {{}} along axis {axis}", lambda x: x.select(axis, 0)),
        (f"{{}} without its last along axis {axis}", lambda x: x.narrow(axis, 0, x.shape[axis] - 1)),
        (f"{{}} without its first along axis {axis}", lambda x: x.narrow(axis, 1, x.shape[axis] - 1)),
        (f"{{}} minus its mean along axis {axis}", lambda x: x - x.mean(axis, keepdim=True)),
        (f"softmax of {{}} along axis {axis}", lambda x: x.softmax(axis)),
        (f"{{}} with an axis of length 1 at {axis} too many", lambda x: x.unsqueeze(axis)),
        *(
            (f"{{}} with components {i} and {j} of axis {axis} exchanged", exchanged_along(axis, i, j))
            for i, j in combinations(range(4), 2)
        ),
        *(
            (f"{{}} with the other sign in component {k} of axis {axis}", scaled(axis, k, -1))
            for k in range(4)
        ),
    ]  # fmt: skip


def _steps_along(axis: int) -> list[tuple[str, Change]]:
    return [
        (f"average {{}} over axis {axis}", lambda x: x.mean(axis)),
        (f"add {{}} up over axis {axis}", lambda x: x.sum(axis)),
        (f"take the largest of {{}} over axis {axis}", lambda x: x.amax(axis)),
        (f"take the smallest of {{}} over axis {axis}", lambda x: x.amin(axis)),
        (f"the length (norm) of {{}} along axis {axis}", lambda x: x.norm(dim=axis)),
        (f"sum the squares of {{}} over axis {axis}", lambda x: x.square().sum(axis)),
        (f"scale {{}} to unit length along axis {axis}", lambda x: F.normalize(x, dim=axis)),
        (f"divide {{}} by its sum along axis {axis}", lambda x: x / x.sum(axis, keepdim=True)),
        (f"subtract from {{}} its mean along axis {axis}", lambda x: x - x.mean(axis, True)),
        (f"a softmax of {{}} along axis {axis}", lambda x: x.softmax(axis)),
        (f"sort {{}} along axis {axis}", lambda x: x.sort(axis).values),
        (f"sum {{}} up along axis {axis} (cumsum)", lambda x: x.cumsum(axis)),
        (f"leave out the last of {{}} along axis {axis}", lambda x: x[_all_but(axis, None, -1)]),
        (f"leave out the first of {{}} along axis {axis}", lambda x: x[_all_but(axis, 1, None)]),
        (f"remove axis {axis} of {{}}, of length 1", lambda x: x.squeeze(axis)),
    ]


def _all_but(axis: int, start: int | None, stop: int | None) -> tuple:
    return (*[slice(None)] * axis, slice(start, stop))


SIMPLE: list[tuple[str, Change]] = [
    ("{} with the opposite sign", lambda x: -x),
    ("{} turned round: True and False, 0 and 1 are exchanged", lambda x: _opposite(x)),
    ("the square root of {}", lambda x: x.sqrt()),
    ("{} squared: a root is missing, or a square too much", lambda x: x.square()),
    ("one divided by {}: the fraction stands upside down", lambda x: x.reciprocal()),
    ("exp of {}: a logarithm is missing", lambda x: x.exp()),
    ("the logarithm of {}", lambda x: x.log()),
    ("exp of minus {}: minus the logarithm is missing", lambda x: (-x).exp()),
    ("sigmoid of {}", lambda x: x.sigmoid()),
    ("logits of {}: the sigmoid is missing", lambda x: x.logit()),
    ("tanh of {}", lambda x: x.tanh()),
    ("{} before the tanh", lambda x: x.atanh()),
    ("{} without its sign (abs)", lambda x: x.abs()),
    ("{}, limited to at least 0", lambda x: x.clamp(min=0)),
    ("{}, limited to at most 0", lambda x: x.clamp(max=0)),
    ("{}, limited to at most 1", lambda x: x.clamp(max=1)),
    ("{}, limited to [0, 1]", lambda x: x.clamp(0, 1)),
    ("{}, limited to [-1, 1]", lambda x: x.clamp(-1, 1)),
    ("{}, rounded", lambda x: x.round()),
    ("{}, rounded down", lambda x: x.floor()),
    ("{}, thresholded at one half", lambda x: (x >= 0.5).to(x)),
    ("{} plus one", lambda x: x + 1),
    ("{} minus one", lambda x: x - 1),
    ("{} plus two", lambda x: x + 2),
    ("{} minus two", lambda x: x - 2),
    ("{} plus one half", lambda x: x + 0.5),
    ("{} minus one half", lambda x: x - 0.5),
    ("the mean of {} over everything", lambda x: x.double().mean()),
    ("the sum of {} over everything", lambda x: x.sum()),
    ("{} in one long axis", lambda x: x.flatten()),
]
STEPS: list[tuple[str, Change]] = [
    ("the absolute value of {}", lambda x: x.abs()),
    ("limit {} to at least 0", lambda x: x.clamp(min=0)),
    ("limit {} to at most 1", lambda x: x.clamp(max=1)),
    ("limit {} to [0, 1]", lambda x: x.clamp(0, 1)),
    ("the mean of {}", lambda x: x.mean()),
    ("the sum of {}", lambda x: x.sum()),
    ("infinite or undefined values of {} should be 0", lambda x: x.nan_to_num(0.0, 0.0, 0.0)),
    ("undefined values (NaN) of {} should be 1", lambda x: x.nan_to_num(1.0)),
]
PAIRS = [
    ("plus", lambda x, y: x + y),
    ("minus", lambda x, y: x - y),
    ("times", lambda x, y: x * y),
    ("divided by", lambda x, y: x / y),
]


def _opposite(x: torch.Tensor) -> torch.Tensor:
    return ~x if x.dtype == torch.bool else 1 - x
