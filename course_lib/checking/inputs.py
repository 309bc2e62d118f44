"""Mistakes as changed inputs: the right code, given an argument negated, transposed, exchanged, …"""

import inspect
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import torch
import torch.nn.functional as F

from course_lib.checking.along_axes import exchanged_along, scaled
from course_lib.checking.sample import Idea, Sample

Change = Callable[[Any], Any]


def ideas(
    samples: list[Sample], names: tuple[str, ...], reference: Callable[[tuple], Any]
) -> Iterator[Idea]:
    """Every change of one argument, then every two arguments exchanged.

    `reference(arguments)` is the right value for other arguments.
    """
    first = samples[0].arguments
    for i, j in combinations(range(len(first)), 2):
        if type(first[i]) is type(first[j]):
            text = f"`{names[i]}` and `{names[j]}` are exchanged."
            yield Idea("exchanged", text, _exchanged(reference, i, j))
    for i, argument in enumerate(first):
        for text, change in changes(argument):
            said = text.format(f"`{names[i]}`")
            yield Idea(
                "changed input",
                f"You have the right result for another input: {said}.",
                _changed(reference, i, change),
            )


def _exchanged(reference: Callable, i: int, j: int) -> Callable:
    def predict(sample: Sample) -> Any:
        given = list(sample.arguments)
        given[i], given[j] = given[j], given[i]
        return reference(tuple(given))

    return predict


def _changed(reference: Callable, i: int, change: Change) -> Callable:
    def predict(sample: Sample) -> Any:
        given = list(sample.arguments)
        given[i] = change(given[i])
        return reference(tuple(given))

    return predict


def changes(argument: Any) -> list[tuple[str, Change]]:
    """What may happen to an argument of this kind: (words, with {} for its name; the change)."""
    if isinstance(argument, torch.Tensor):
        return _of_tensors(argument)
    if isinstance(argument, (int, float)) and not isinstance(argument, bool):
        return NUMBERS
    if inspect.isfunction(argument):
        return FUNCTIONS
    if isinstance(argument, dict):
        return ROWS
    if isinstance(argument, (list, tuple)):
        return LISTS
    return []


def _of_tensors(x: torch.Tensor) -> list[tuple[str, Change]]:
    found = list(MATRICES) if x.ndim >= 2 and x.shape[-1] == x.shape[-2] else []
    if x.ndim >= 2 and x.shape[-2:] in ((3, 3), (4, 4)):
        found += CAMERAS
    found += BOOLEANS if x.dtype == torch.bool else SIGNED
    if x.is_floating_point():
        found += FLOATS
    else:
        found += INTEGERS if x.dtype != torch.bool else []
    for axis in range(x.ndim):
        found += _along(axis, x.shape[axis])
    for i, j in combinations(range(x.ndim), 2):
        found += _across(i, j)
    return found


def _along(axis: int, size: int) -> list[tuple[str, Change]]:
    found = [
        (f"axis {axis} of {{}} in reversed order", lambda x: x.flip(axis)),
        (f"axis {axis} of {{}} moved on by one", lambda x: x.roll(1, axis)),
        (f"axis {axis} of {{}} moved back by one", lambda x: x.roll(-1, axis)),
        (f"{{}} sorted along axis {axis}", lambda x: x.sort(axis).values),
        (f"only the first of axis {axis} of {{}}, for all", lambda x: _only(x, axis, 0)),
        (f"only the last of axis {axis} of {{}}, for all", lambda x: _only(x, axis, -1)),
        (
            f"{{}} without its first along axis {axis}",
            lambda x: x.narrow(axis, 1, x.shape[axis] - 1),
        ),
        (
            f"{{}} without its last along axis {axis}",
            lambda x: x.narrow(axis, 0, x.shape[axis] - 1),
        ),
        (f"{{}} minus its mean over axis {axis}", lambda x: x - x.mean(axis, keepdim=True)),
        (f"the mean over axis {axis} of {{}}, for all", lambda x: x.mean(axis, True).expand_as(x)),
        (f"{{}} scaled to unit length along axis {axis}", lambda x: F.normalize(x, dim=axis)),
        (f"{{}} divided by its sum along axis {axis}", lambda x: x / x.sum(axis, keepdim=True)),
        (f"{{}} after a softmax along axis {axis}", lambda x: x.softmax(axis)),
        (f"{{}} summed up along axis {axis} (cumsum)", lambda x: x.cumsum(axis)),
    ]
    if size in (2, 3, 4):
        found += [p for k in range(size) for p in _component(axis, k)]
        found += [
            (
                f"components {i} and {j} of axis {axis} of {{}} exchanged",
                exchanged_along(axis, i, j),
            )
            for i, j in combinations(range(size), 2)
        ]
    return found


def _component(axis: int, k: int) -> list[tuple[str, Change]]:
    return [
        (f"component {k} of axis {axis} of {{}} with the other sign", scaled(axis, k, -1)),
        (f"component {k} of axis {axis} of {{}} taken as 0", scaled(axis, k, 0)),
    ]


def _across(i: int, j: int) -> list[tuple[str, Change]]:
    return [
        (f"axes {i} and {j} of {{}} exchanged", lambda x: x.transpose(i, j)),
        (
            f"{{}} with axes {i} and {j} exchanged by `reshape`, which keeps the numbers' order "
            "(`transpose` or `permute` moves them)",
            lambda x: x.reshape(x.transpose(i, j).shape).transpose(i, j),
        ),
        (
            f"{{}} transposed (axes {i}, {j}) and then reshaped back",
            lambda x: x.transpose(i, j).reshape(x.shape),
        ),
    ]


def _only(x: torch.Tensor, axis: int, k: int) -> torch.Tensor:
    return x.select(axis, k).unsqueeze(axis).expand_as(x)


def _edited(edit: Callable[[torch.Tensor], Any]) -> Change:
    """A change of a copy of a matrix, in place."""

    def change(x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        edit(x)
        return x

    return change


def _set(x: torch.Tensor, value: torch.Tensor) -> None:
    x.copy_(value.clone())


MATRICES = [
    ("the inverse of {}", torch.linalg.inv),
    ("{} transposed", lambda x: x.mT),
    ("the identity for {}, which has no effect", lambda x: torch.eye(x.shape[-1]).expand_as(x)),
]
CAMERAS = [
    ("{} with its rotation transposed", _edited(lambda x: _set(x[..., :3, :3], x[..., :3, :3].mT))),
    (
        "{} without its rotation",
        _edited(lambda x: _set(x[..., :3, :3], torch.eye(3).expand_as(x[..., :3, :3]))),
    ),
    ("{} without its translation", _edited(lambda x: x[..., :3, -1].zero_())),
    ("{} with its translation negated", _edited(lambda x: x[..., :3, -1].neg_())),
    ("{} with its last row in place of its last column", _edited(
        lambda x: _set(x[..., :3, -1], x[..., -1, :3]))),
    ("{} with fx and fy exchanged", _edited(
        lambda x: _set(x.diagonal(0, -2, -1)[..., :2], x.diagonal(0, -2, -1)[..., :2].flip(-1)))),
    ("{} with cx and cy exchanged", _edited(
        lambda x: _set(x[..., :2, -1], x[..., :2, -1].flip(-1)))),
    ("{} with fx in place of fy", _edited(lambda x: _set(x[..., 1, 1], x[..., 0, 0]))),
    ("{} with fy in place of fx", _edited(lambda x: _set(x[..., 0, 0], x[..., 1, 1]))),
    ("{} with x and y turned round (OpenCV and OpenGL)", _edited(lambda x: x[..., :3, 1:3].neg_())),
    ("{} moved by half a pixel", _edited(lambda x: x[..., :2, -1].sub_(0.5))),
    ("{} moved back by half a pixel", _edited(lambda x: x[..., :2, -1].add_(0.5))),
]  # fmt: skip
SIGNED = [
    ("{} with the other sign", lambda x: -x),
    ("{} without its sign (abs)", lambda x: x.abs()),
    ("{} squared", lambda x: x * x),
    ("{} doubled", lambda x: 2 * x),
    ("zeros for {}, which has no effect", torch.zeros_like),
    ("ones for {}, which has no effect", torch.ones_like),
    ("{} plus one", lambda x: x + 1),
    ("{} minus one", lambda x: x - 1),
]
INTEGERS = [("the places of {} in order (0, 1, 2, …)", lambda x: torch.arange(len(x)))]
FLOATS = [
    ("{} halved", lambda x: x / 2),
    ("the root of {}", torch.sqrt),
    ("exp({})", torch.exp),
    ("the logarithm of {}", torch.log),
    ("the reciprocal of {}", torch.reciprocal),
    ("one minus {}", lambda x: 1 - x),
    ("sigmoid({}) (once too often, or too early)", torch.sigmoid),
    ("logits of {} (the inverse of the sigmoid: it is missing)", torch.logit),
    ("{} rounded down", torch.floor),
    ("{} rounded", torch.round),
    ("{} cut off to whole numbers", torch.trunc),
    ("{} thresholded at one half", lambda x: (x >= 0.5).to(x)),
    ("{} thresholded at 0", lambda x: (x > 0).to(x)),
    ("{} without its negative part (relu)", torch.relu),
    ("{} limited to [0, 1]", lambda x: x.clamp(0, 1)),
    ("{} limited to [-1, 1]", lambda x: x.clamp(-1, 1)),
    ("{} moved from [-1, 1] to [0, 1]", lambda x: (x + 1) / 2),
    ("{} moved from [0, 1] to [-1, 1]", lambda x: 2 * x - 1),
    ("{} shifted by one half", lambda x: x + 0.5),
    ("{} shifted back by one half", lambda x: x - 0.5),
    ("{} after tanh", torch.tanh),
    ("π·{}", lambda x: torch.pi * x),
    ("{} divided by π", lambda x: x / torch.pi),
]
BOOLEANS = [
    ("the opposite of {} (True and False exchanged)", torch.logical_not),
    ("all True for {}, which has no effect", torch.ones_like),
    ("all False for {}", torch.zeros_like),
]
NUMBERS = [
    ("{} with the other sign", lambda x: -x),
    ("{} doubled", lambda x: 2 * x),
    ("{} halved", lambda x: x / 2),
    ("{} squared", lambda x: x * x),
    ("the root of {}", lambda x: x**0.5),
    ("the reciprocal of {}", lambda x: 1 / x),
    ("{} plus one", lambda x: x + 1),
    ("{} minus one", lambda x: x - 1),
    ("0 for {}, which has no effect", lambda x: type(x)(0)),
    ("1 for {}, which has no effect", lambda x: type(x)(1)),
]
FUNCTIONS = [
    ("{} with the other sign", lambda f: lambda *a: -f(*a)),
    ("{} without its sign (abs)", lambda f: lambda *a: f(*a).abs()),
    ("{} halved", lambda f: lambda *a: f(*a) / 2),
    ("{} doubled", lambda f: lambda *a: 2 * f(*a)),
    ("{} with its points moved from [-1, 1] to [0, 1]", lambda f: lambda p: f((p + 1) / 2)),
]
LISTS = [
    ("{} in reversed order", lambda x: x[::-1]),
    ("{} sorted", lambda x: type(x)(sorted(x))),
    ("only the first of {}, for all", lambda x: x[:1] * len(x)),
    ("only the last of {}, for all", lambda x: x[-1:] * len(x)),
    ("{} without its first item", lambda x: x[1:]),
    ("{} without its last item", lambda x: x[:-1]),
    ("{} with the other sign", lambda x: type(x)(-item for item in x)),
    ("{} doubled", lambda x: type(x)(2 * item for item in x)),
    ("{} halved", lambda x: type(x)(item / 2 for item in x)),
    ("zeros for {}, which has no effect", lambda x: type(x)(0 * item for item in x)),
]
ROWS = [
    ("{} in reversed order", lambda row: dict(reversed(row.items()))),
    ("{} in alphabetical order", lambda row: dict(sorted(row.items()))),
    ("{} without what counts as false, such as 0", lambda row: {k: v for k, v in row.items() if v}),
    ("{} with names and values exchanged", lambda row: {v: k for k, v in row.items()}),
    ("{} in small letters", lambda row: {k.lower(): v for k, v in row.items()}),
]  # fmt: skip
