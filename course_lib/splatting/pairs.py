"""Which pixels a splat reaches: the pairs (splat, pixel) that the sums run over, and no others."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

FAINT = 1 / 255  # a splat ends where it covers less of a pixel than that


class Pairs(NamedTuple):
    """p pairs, splat by splat: whose they are, and the column and row of the pixel."""

    splat: Int[Tensor, "p"]
    column: Int[Tensor, "p"]
    row: Int[Tensor, "p"]


def splat_reach(opacity: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    """How many standard deviations a splat reaches, until it covers less than 1/255.

    opacity · exp(-r²/2) = 1/255, so r = √(2 ln(255 opacity)); 0 for splats that are fainter everywhere.

    >>> splat_reach(torch.tensor([1.0, 0.001]))
    tensor([3.3290, 0.0000])
    """
    return (2 * (opacity / FAINT).clamp(min=1).log()).sqrt()


def find_pairs(
    centers: Float[Tensor, "n 2"],
    conics: Float[Tensor, "n 3"],
    opacities: Float[Tensor, "n"],
    size: tuple[int, int],
) -> Pairs:
    """All pixels (of height × width) whose centres lie within a splat's reach, in two steps.

    An ellipse a dx² + 2b dx dy + c dy² = r² crosses a row in one span; so first the rows of each
    splat, then the pixels of each row: nothing is looked at in vain.
    """
    height, width = size
    (x, y), (a, b, c), reach = centers.T, conics.T, splat_reach(opacities)
    det = a * c - b * b
    tall = reach * (a / det).sqrt()
    top, rows = _whole(y - tall, y + tall, height)
    splat = torch.repeat_interleave(rows)
    row = _counting(rows, splat, top)
    a, b, det, x, y, reach = torch.stack([a, b, det, x, y, reach]).index_select(1, splat)
    dy = row + 0.5 - y
    wide = (reach**2 * a - det * dy**2).clamp(min=0).sqrt() / a
    middle = x - b / a * dy
    left, columns = _whole(middle - wide, middle + wide, width)
    span = torch.repeat_interleave(columns)
    column = _counting(columns, span, left)
    return Pairs(splat.index_select(0, span), column, row.index_select(0, span))


def _whole(
    low: Float[Tensor, "n"], high: Float[Tensor, "n"], end: int
) -> tuple[Int[Tensor, "n"], Int[Tensor, "n"]]:
    """The first pixel in 0, …, end - 1 with its centre in [low, high], and how many there are."""
    first = (low - 0.5).ceil().clamp(0, end)
    last = (high - 0.5).floor().clamp(-1, end - 1)
    return first.int(), (last - first + 1).clamp(min=0).int()


def _counting(
    counts: Int[Tensor, "n"], owner: Int[Tensor, "p"], first: Int[Tensor, "n"]
) -> Int[Tensor, "p"]:
    """first, first + 1, … for each owner, who has as many as `counts` says."""
    start = first - (counts.cumsum(0, dtype=torch.int32) - counts)
    return torch.arange(len(owner), dtype=torch.int32, device=owner.device) + start.index_select(
        0, owner
    )
