"""Mistakes as changed results: the right one negated, summed for averaged, transposed, not rooted."""

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import torch

from course_lib.checking import changes
from course_lib.checking.compare import value_difference
from course_lib.checking.factors import factor_ideas
from course_lib.checking.numbers import as_tensor
from course_lib.checking.sample import Sample, put
from course_lib.exercises.exercise import Misconception, Tolerance

STEPS = ("abs", "limited", "mean", "sum", "largest", "smallest", "length", "divided", "sorted",
         "softmax", "without", "minus its", "0 for what", "1 for what")  # fmt: skip
"""Words of the changes that lose something: only such a step can be missing without being inverted."""
COMBINED = [
    ("plus", lambda x, y: x + y),
    ("minus", lambda x, y: x - y),
    ("times", lambda x, y: x * y),
    ("divided by", lambda x, y: x / y),
]


def ideas(
    samples: list[Sample], names: tuple[str, ...], tolerance: Tolerance
) -> Iterator[Misconception]:
    """Ideas about the result, or about one item of a tuple; then about the tuple's order."""
    right = samples[0].expected
    if isinstance(right, (tuple, list)):
        for i, j in combinations(range(len(right)), 2):
            text = f"Items {i + 1} and {j + 1} of your result are exchanged."
            yield Misconception("items exchanged", _swap(i, j), text)
        for i, item in enumerate(right):
            if _is_wrong(item, _item(samples[0].got, i), tolerance):
                for idea in _of_tensor(_items(samples, i), names, tolerance):
                    yield _within(idea, i)
    elif as_tensor(right) is not None:
        yield from _of_tensor(samples, names, tolerance)


def constant(samples: list[Sample], tolerance: Tolerance) -> str | None:
    """What is to be said of a result, or a wrong item of it, that is the same number everywhere."""
    if not isinstance(samples[0].expected, (tuple, list)):
        number = _only_number([sample.got for sample in samples])
        return f"Your result is {number} everywhere, whatever the input." if number else None
    for i, item in enumerate(samples[0].expected):
        number = _only_number([_item(sample.got, i) for sample in samples])
        if number and _is_wrong(item, _item(samples[0].got, i), tolerance):
            return f"Item {i + 1} of your result is {number} everywhere, whatever the input."
    return None


def _only_number(values: list) -> str | None:
    """The number that all values consist of, if there is only one."""
    tensors = [as_tensor(value) for value in values]
    if any(t is None for t in tensors) or sum(t.numel() for t in tensors) < 3:
        return None
    numbers = {
        str(x) if isinstance(x, bool) else f"{x:g}" for t in tensors for x in t.flatten().tolist()
    }
    return numbers.pop() if len(numbers) == 1 else None


def _swap(i: int, j: int) -> Callable[[Sample], Any]:
    return lambda s: put(s.expected, {i: s.expected[j], j: s.expected[i]})


def _item(value: Any, i: int) -> Any:
    """An item of a sequence, or of the dictionary of a data class; None where there is none."""
    items = list(value.values()) if isinstance(value, dict) else value
    return items[i] if isinstance(items, (list, tuple)) and i < len(items) else None


def _items(samples: list[Sample], i: int) -> list[Sample]:
    return [Sample(s.arguments, s.expected[i], _item(s.got, i)) for s in samples]


def _within(idea: Misconception, i: int) -> Misconception:
    """The same idea of item i of a tuple, the others being right."""
    return Misconception(
        idea.name,
        lambda s: put(s.expected, {i: idea.wrong(*_items([s], i))}),
        f"Item {i + 1} of the result: {idea.message}",
    )


def _is_wrong(right: Any, got: Any, tolerance: Tolerance) -> bool:
    return value_difference(right, got, tolerance) is not None


def _of_tensor(
    samples: list[Sample], names: tuple[str, ...], tolerance: Tolerance
) -> Iterator[Misconception]:
    expected, got = as_tensor(samples[0].expected), as_tensor(samples[0].got)
    if expected is None or got is None:
        return
    yield from factor_ideas(samples, names, tolerance)
    for words, change in _all_changes(expected):
        said = f"Your result is {words.format('the right one')}."
        yield Misconception("changed result", _changed(change), said)
    for words, change in _all_changes(got) + changes.REPAIRS:
        if any(word in words for word in STEPS):
            said = f"A last step is missing; this would be right: {words.format('your result')}."
            yield Misconception("step left out", _mended(change, tolerance), said)
    yield from _with_arguments(samples[0], names)


def _all_changes(x: torch.Tensor) -> list[changes.Named]:
    """Those that keep the shape, then those that do not."""
    removed = [pair for k in range(x.ndim) for pair in changes.reductions(k, x.shape[k])]
    added = [(f"{{}} with an axis of length 1 too many, axis {k}", lambda x, k=k: x.unsqueeze(k))
             for k in range(x.ndim + 1)]  # fmt: skip
    return changes.of_pose(x) + changes.of_tensor(x) + removed + added + changes.WHOLES


def _changed(change: Callable) -> Callable[[Sample], Any]:
    return lambda sample: change(as_tensor(sample.expected))


def _mended(change: Callable, tolerance: Tolerance) -> Callable[[Sample], Any]:
    """The student's value if the step makes it right."""

    def predict(sample: Sample) -> Any:
        mended = change(as_tensor(sample.got))
        return None if _is_wrong(sample.expected, mended, tolerance) else sample.got

    return predict


def _with_arguments(sample: Sample, names: tuple[str, ...]) -> Iterator[Misconception]:
    """An argument added, taken away, multiplied or divided by."""
    for i, argument in enumerate(sample.arguments):
        if not isinstance(argument, (torch.Tensor, int, float)) or isinstance(argument, bool):
            continue
        for text, combine in COMBINED:
            said = f"Your result is the right one {text} `{names[i]}`."
            yield Misconception("an argument too much", _combined(combine, i), said)


def _combined(combine: Callable, i: int) -> Callable[[Sample], Any]:
    return lambda sample: combine(as_tensor(sample.expected), sample.arguments[i])
