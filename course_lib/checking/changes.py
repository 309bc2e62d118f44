"""What mistakes do to a value, as tables: (words, with {} for its name; the change).

The same changes explain a wrong result, a wrong input, or a step that is missing.
"""

import inspect
from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Named = tuple[str, Callable[[Any], Any]]


def of(value: Any, smooth: bool) -> list[Named]:
    """What may happen to an argument of this kind. A result that is not `smooth` hides small changes."""
    if isinstance(value, Tensor):
        return of_tensor(value, smooth)
    if isinstance(value, bool):
        return []
    if isinstance(value, int):
        return WHOLE
    for kind, table in ((float, WHOLE + NUMBERS), (dict, ROWS), ((list, tuple), LISTS)):
        if isinstance(value, kind):
            return table
    return FUNCTIONS if inspect.isfunction(value) else []


def of_tensor(x: Tensor, smooth: bool = True) -> list[Named]:
    """Changes of every number, along each axis, and of two axes."""
    found = list(BOOLEANS if x.dtype == torch.bool else SIGNS)
    smooth = smooth and x.is_floating_point()
    found += FLOATS if smooth else []
    found += [pair for k in range(x.ndim) for pair in along(k, x.shape[k], smooth)]
    return found + [pair for i, j in combinations(range(x.ndim), 2) for pair in across(i, j)]


def of_pose(x: Any) -> list[Named]:
    """Changes of a square matrix as a whole; 4 × 4 are taken for poses, 3 × 3 for camera matrices."""
    if not isinstance(x, Tensor) or x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        return []
    return MATRICES + {3: INTRINSICS, 4: POSES}.get(x.shape[-1], [])


def along(k: int, size: int, smooth: bool) -> list[Named]:
    """Changes along an axis that keep the shape, or nearly; of components, if they are few."""
    found = _bound(ALONG + SCALED if smooth else ALONG, "k", k)
    if size in (2, 3, 4):
        found += [p for i in range(size) for p in _bound(COMPONENT, "ki", k, i)]
        pairs = combinations(range(size), 2)
        found += [p for i, j in pairs for p in _bound(COMPONENTS, "kij", k, i, j)]
    return found


def across(i: int, j: int) -> list[Named]:
    """Two axes exchanged, rightly or by `reshape`."""
    return _bound(ACROSS, "ij", i, j)


def reductions(k: int, size: int) -> list[Named]:
    """Changes that remove an axis, or add one."""
    if size == 1:
        return [(f"{{}} without axis {k}, of length 1", lambda x: x.squeeze(k))]
    return _bound(REDUCTIONS, "k", k)


def _bound(table: list, names: str, *places: int) -> list[Named]:
    """The table's rows for certain axes and components, which the words call by these names."""
    said = dict(zip(names, places, strict=True))
    return [(words.format("{}", **said), partial(change, *places)) for words, change in table]


def _only(k: int, i: int, x: Tensor) -> Tensor:
    return x.select(k, i).unsqueeze(k).expand_as(x)


def _scaled(factor: int, k: int, i: int, x: Tensor) -> Tensor:
    x = x.clone()
    x.select(k, i).mul_(factor)
    return x


def _exchanged(k: int, i: int, j: int, x: Tensor) -> Tensor:
    order = list(range(x.shape[k]))
    order[i], order[j] = order[j], order[i]
    return x.index_select(k, torch.tensor(order))


def _edited(edit: Callable[[Tensor], Any]) -> Callable[[Tensor], Tensor]:
    """A change of a copy of a matrix, in place."""

    def change(x: Tensor) -> Tensor:
        x = x.clone()
        edit(x)
        return x

    return change


def _set(x: Tensor, value: Tensor) -> None:
    x.copy_(value.clone())


# fmt: off
SIGNS: list[Named] = [
    ("{} with the other sign", lambda x: -x),
    ("one minus {}", lambda x: 1 - x),
    ("{} doubled", lambda x: 2 * x),
    ("{} plus one", lambda x: x + 1),
    ("{} minus one", lambda x: x - 1),
    ("{} plus two", lambda x: x + 2),
    ("{} minus two", lambda x: x - 2),
]
FLOATS: list[Named] = [
    ("{} halved", lambda x: x / 2),
    ("{} without its sign (abs)", torch.abs),
    ("{} squared", torch.square),
    ("the square root of {}", torch.sqrt),
    ("one divided by {}", torch.reciprocal),
    ("the logarithm of {}", torch.log),
    ("exp of {}", torch.exp),
    ("exp of minus {}", lambda x: (-x).exp()),
    ("sigmoid of {}", torch.sigmoid),
    ("the logits of {} (the inverse of the sigmoid)", torch.logit),
    ("tanh of {}", torch.tanh),
    ("{} before the tanh", torch.atanh),
    ("{} limited to at least 0", torch.relu),
    ("{} limited to at most 0", lambda x: x.clamp(max=0)),
    ("{} limited to at most 1", lambda x: x.clamp(max=1)),
    ("{} limited to [0, 1]", lambda x: x.clamp(0, 1)),
    ("{} limited to [-1, 1]", lambda x: x.clamp(-1, 1)),
    ("{} rounded down", torch.floor),
    ("{} rounded", torch.round),
    ("{} cut off to whole numbers", torch.trunc),
    ("{} thresholded at one half", lambda x: (x >= 0.5).to(x)),
    ("{} thresholded at 0", lambda x: (x > 0).to(x)),
    ("{} plus one half", lambda x: x + 0.5),
    ("{} minus one half", lambda x: x - 0.5),
    ("{} moved from [-1, 1] to [0, 1]", lambda x: (x + 1) / 2),
    ("{} moved from [0, 1] to [-1, 1]", lambda x: 2 * x - 1),
    ("π times {}", lambda x: torch.pi * x),
    ("{} divided by π", lambda x: x / torch.pi),
]
BOOLEANS: list[Named] = [
    ("the opposite of {} (True and False exchanged)", torch.logical_not),
]
ALONG: list = [
    ("{} in reversed order along axis {k}", lambda k, x: x.flip(k)),
    ("{} moved on by one along axis {k}", lambda k, x: x.roll(1, k)),
    ("{} moved back by one along axis {k}", lambda k, x: x.roll(-1, k)),
    ("{} sorted along axis {k}", lambda k, x: x.sort(k).values),
    ("{} summed up along axis {k} (cumsum)", lambda k, x: x.cumsum(k)),
    ("only the first of axis {k} of {}, for all", lambda k, x: _only(k, 0, x)),
    ("only the last of axis {k} of {}, for all", lambda k, x: _only(k, -1, x)),
    ("{} without its first along axis {k}", lambda k, x: x.narrow(k, 1, x.shape[k] - 1)),
    ("{} without its last along axis {k}", lambda k, x: x.narrow(k, 0, x.shape[k] - 1)),
]
SCALED: list = [
    ("{} divided by its sum along axis {k}", lambda k, x: x / x.sum(k, keepdim=True)),
    ("{} scaled to unit length along axis {k}", lambda k, x: F.normalize(x, dim=k)),
    ("{} minus its mean over axis {k}", lambda k, x: x - x.mean(k, keepdim=True)),
    ("the softmax of {} along axis {k}", lambda k, x: x.softmax(k)),
    ("the mean over axis {k} of {}, for all", lambda k, x: x.mean(k, True).expand_as(x)),
]
COMPONENT: list = [
    ("{} with the other sign in component {i} of axis {k}", partial(_scaled, -1)),
    ("{} with 0 for component {i} of axis {k}", partial(_scaled, 0)),
]
COMPONENTS: list = [("{} with components {i} and {j} of axis {k} exchanged", _exchanged)]
ACROSS: list = [
    ("{} with axes {i} and {j} exchanged", lambda i, j, x: x.transpose(i, j)),
    ("{} with axes {i} and {j} exchanged by `reshape`, which keeps the numbers' order (`transpose` "
     "or `permute` moves them)", lambda i, j, x: x.reshape(x.transpose(i, j).shape).transpose(i, j)),
    ("{} with axes {i} and {j} exchanged, then reshaped back, which mixes them up",
     lambda i, j, x: x.transpose(i, j).reshape(x.shape)),
]
REDUCTIONS: list = [
    ("the mean of {} over axis {k}", lambda k, x: x.mean(k)),
    ("the sum of {} over axis {k}", lambda k, x: x.sum(k)),
    ("the largest of {} along axis {k}", lambda k, x: x.amax(k)),
    ("the smallest of {} along axis {k}", lambda k, x: x.amin(k)),
    ("the first of {} along axis {k}", lambda k, x: x.select(k, 0)),
    ("the length (norm) of {} along axis {k}", lambda k, x: x.norm(dim=k)),
    ("the sum of the squares of {} along axis {k}", lambda k, x: x.square().sum(k)),
]
WHOLES: list[Named] = [
    ("the mean of {} over everything", lambda x: x.double().mean()),
    ("the sum of {} over everything", torch.sum),
    ("{} in one long axis", torch.flatten),
]
REPAIRS: list[Named] = [
    ("{} with 0 for what is infinite or undefined", lambda x: x.nan_to_num(0.0, 0.0, 0.0)),
    ("{} with 1 for what is undefined (NaN)", lambda x: x.nan_to_num(1.0)),
]
MATRICES: list[Named] = [
    ("the inverse of {}", torch.linalg.inv),
    ("{} transposed", lambda x: x.mT),
]
POSES: list[Named] = [
    ("{} with its rotation transposed", _edited(lambda x: _set(x[..., :3, :3], x[..., :3, :3].mT))),
    ("{} without its rotation",
     _edited(lambda x: _set(x[..., :3, :3], torch.eye(3).expand_as(x[..., :3, :3])))),
    ("{} without its translation", _edited(lambda x: x[..., :3, -1].zero_())),
    ("{} with its translation negated", _edited(lambda x: x[..., :3, -1].neg_())),
    ("{} with its last row in place of its last column",
     _edited(lambda x: _set(x[..., :3, -1], x[..., -1, :3]))),
    ("{} with its y and z axes turned round (OpenCV and OpenGL)",
     _edited(lambda x: x[..., :3, 1:3].neg_())),
]
INTRINSICS: list[Named] = [
    ("{} with fx and fy exchanged",
     _edited(lambda x: _set(x.diagonal(0, -2, -1)[..., :2], x.diagonal(0, -2, -1)[..., :2].flip(-1)))),
    ("{} with cx and cy exchanged", _edited(lambda x: _set(x[..., :2, -1], x[..., :2, -1].flip(-1)))),
    ("{} with fx in place of fy", _edited(lambda x: _set(x[..., 1, 1], x[..., 0, 0]))),
    ("{} with fy in place of fx", _edited(lambda x: _set(x[..., 0, 0], x[..., 1, 1]))),
    ("{} with its centre half a pixel too low", _edited(lambda x: x[..., :2, -1].sub_(0.5))),
    ("{} with its centre half a pixel too high", _edited(lambda x: x[..., :2, -1].add_(0.5))),
]
WHOLE: list[Named] = [SIGNS[i] for i in (0, 2, 3, 4)]
NUMBERS: list[Named] = [
    ("{} halved", lambda x: x / 2),
    ("{} squared", lambda x: x * x),
    ("the root of {}", lambda x: x**0.5),
    ("one divided by {}", lambda x: 1 / x),
]
FUNCTIONS: list[Named] = [
    ("{} with the other sign", lambda f: lambda *a: -f(*a)),
    ("{} without its sign (abs)", lambda f: lambda *a: f(*a).abs()),
    ("{} halved", lambda f: lambda *a: f(*a) / 2),
    ("{} doubled", lambda f: lambda *a: 2 * f(*a)),
    ("{} with its points moved from [-1, 1] to [0, 1]", lambda f: lambda p: f((p + 1) / 2)),
]
LISTS: list[Named] = [
    ("{} in reversed order", lambda x: x[::-1]),
    ("{} sorted", lambda x: type(x)(sorted(x))),
    ("only the first of {}, for all", lambda x: x[:1] * len(x)),
    ("only the last of {}, for all", lambda x: x[-1:] * len(x)),
    ("{} without its first item", lambda x: x[1:]),
    ("{} without its last item", lambda x: x[:-1]),
    ("{} with the other sign", lambda x: type(x)(-item for item in x)),
    ("{} doubled", lambda x: type(x)(2 * item for item in x)),
    ("{} halved", lambda x: type(x)(item / 2 for item in x)),
]
ROWS: list[Named] = [
    ("{} in reversed order", lambda row: dict(reversed(row.items()))),
    ("{} in alphabetical order", lambda row: dict(sorted(row.items()))),
    ("{} without what counts as false, such as 0", lambda row: {k: v for k, v in row.items() if v}),
    ("{} with names and values exchanged", lambda row: {v: k for k, v in row.items()}),
    ("{} in small letters", lambda row: {k.lower(): v for k, v in row.items()}),
]
# fmt: on
