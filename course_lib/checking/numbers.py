"""Tensors of numbers compared: which are wrong, where, and by how much."""

from typing import Any

import numpy as np
import torch

from course_lib.checking.difference import SHOWN, Difference, show
from course_lib.exercises.exercise import Tolerance

ROUNDING = 5e-6
"""What sums in another order may change, as a share of a tensor's largest number."""


def as_tensor(value: Any) -> Any:
    """Numbers of any kind as a dense tensor; None where a value has no numbers."""
    if isinstance(value, torch.Tensor):
        return value.to_dense() if value.layout is not torch.strided else value
    if isinstance(value, (bool, int, float, np.ndarray, list, tuple)):
        try:
            return torch.as_tensor(np.asarray(value) if isinstance(value, np.ndarray) else value)
        except (TypeError, ValueError, RuntimeError):
            return None
    return None


def wrong(want: torch.Tensor, have: torch.Tensor, tolerance: Tolerance) -> torch.Tensor:
    """True where a number is outside the tolerance; the shapes are alike."""
    want, have = want.detach().cpu().double(), have.detach().cpu().double()
    same = (want == have) | (want.isnan() & have.isnan())
    allowed = tolerance.absolute + tolerance.relative * want.abs() + _rounding(want)
    finite = want.isfinite() & have.isfinite()  # where infinity is right, only infinity will do
    return ~(same | (finite & ((have - want).abs() <= allowed)))


def number_difference(
    want: torch.Tensor, have: torch.Tensor, tolerance: Tolerance, where: str
) -> Difference | None:
    """The first wrong number, its place, and what is to be said of all that are wrong."""
    bad = wrong(want, have, tolerance)
    if not bool(bad.any()):
        return None
    index = tuple(int(i) for i in bad.nonzero()[0])
    text = f"{where} is wrong{_extent(bad, index)}{_remark(want, have, bad)}"
    if want.numel() <= SHOWN and show(want) != show(have):
        return Difference("value", text, show(want), show(have))
    return Difference("value", text, *_told_apart(want[index], have[index], index))


def _extent(bad: torch.Tensor, index: tuple) -> str:
    if not index:
        return ""
    return f" at index {list(index)} ({int(bad.sum())} of {bad.numel()} numbers are)"


def _told_apart(want: torch.Tensor, have: torch.Tensor, index: tuple) -> tuple[str, str]:
    """Two numbers with as many digits as it takes to see that they differ."""
    at = f" at {list(index)}" if index else ""
    for digits in (5, 8, 12, 17):
        a, b = (f"{number.item():.{digits}g}" for number in (want, have))
        if a != b:
            break
    return a + at, b + at


def _rounding(want: torch.Tensor) -> float:
    """How far float32 sums that cancel may be off: it goes by the largest number, not by each one."""
    sizes = want[want.isfinite()].abs()
    return ROUNDING * float(sizes.max()) if sizes.numel() else 0.0


def _remark(want: torch.Tensor, have: torch.Tensor, bad: torch.Tensor) -> str:
    """What the wrong numbers have in common."""
    if bool((have.isnan() & ~want.isnan()).any()):
        return "; some of them are NaN"
    if bool((have.isinf() & ~want.isinf()).any()):
        return "; some of them are infinite"
    if want.dtype != torch.bool and (said := _relation(want.double(), have.double(), bad)):
        return said
    if bool(bad.all()) or not bad.ndim:
        return ""
    return _at_value(want, have, bad) or _at_place(bad)


def _relation(want: torch.Tensor, have: torch.Tensor, bad: torch.Tensor) -> str:
    """What two wrong numbers or more have in common with the right ones."""
    right, wrong_ones = want[bad], have[bad]
    if len(right) < 2:
        return ""
    if torch.allclose(wrong_ones.abs(), right.abs(), 1e-4):
        return "; they differ by their signs alone"
    for text, found in (
        ("; each wrong number is off by {:+.5g}", wrong_ones - right),
        ("; each wrong number is {:.5g} times the right one", wrong_ones / right),
    ):
        if bool(found.isfinite().all()) and torch.allclose(found, found[:1], 1e-4, 1e-6):
            return text.format(found[0].item())
    if torch.allclose(right.sort().values, wrong_ones.sort().values, 1e-4):
        return "; the numbers are right, their order is not"
    return ""


def _at_value(want: torch.Tensor, have: torch.Tensor, bad: torch.Tensor) -> str:
    """Said where the wrong numbers should all have one value that no right one has, or got one."""
    for side, text in ((want, "should be"), (have, "are")):
        values = side[bad].unique()
        if len(values) == 1 and not bool((side[~bad] == values[0]).any()) and int(bad.sum()) > 1:
            return f"; all that {text} {values[0].item():g} are wrong, and no others"
    if want.dtype == torch.bool:
        extra = bool(have[bad].all())
        if extra or not bool(have[bad].any()):
            return f"; all of them are {extra} and should be {not extra}"
    return ""


def _at_place(bad: torch.Tensor) -> str:
    """Said where the wrong numbers fill, or spare, a first or last slice of an axis."""
    for axis in range(bad.ndim):
        lines = bad.movedim(axis, 0).reshape(len(bad.movedim(axis, 0)), -1)
        hit = lines.any(1)
        if len(hit) < 2 or bool(hit.all()):
            continue
        places = hit.nonzero().flatten().tolist()
        shown = ", ".join(map(str, places[:SHOWN])) + (", …" if len(places) > SHOWN else "")
        if len(places) <= len(hit) / 2:
            return f"; only at {shown} of axis {axis} (of length {len(hit)})"
        spared = (~hit).nonzero().flatten().tolist()
        if len(spared) == 1:
            return f"; everywhere but at {spared[0]} of axis {axis} (of length {len(hit)})"
    return ""
