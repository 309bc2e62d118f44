"""Long lists of pairs, handed out in portions of bounded size."""

from collections.abc import Iterator

import torch
from jaxtyping import Int
from torch import Tensor

PAIRS_AT_ONCE = 1 << 19


def box_pairs(
    low: Int[Tensor, "n d"], high: Int[Tensor, "n d"]
) -> Iterator[tuple[Int[Tensor, "p"], Int[Tensor, "p d"]]]:
    """All (i, cell) with low[i] ≤ cell ≤ high[i] in every axis, in portions of bounded size.

    >>> [(i.tolist(), c.tolist()) for i, c in box_pairs(torch.tensor([[0]]), torch.tensor([[2]]))]
    [([0, 0, 0], [[0], [1], [2]])]
    """
    size = (high - low + 1).clamp(min=0)
    ends = size.prod(1).cumsum(0)
    total = int(ends[-1]) if len(ends) else 0
    for start in range(0, total, PAIRS_AT_ONCE):
        number = torch.arange(start, min(start + PAIRS_AT_ONCE, total), device=low.device)
        item = torch.searchsorted(ends, number, right=True)
        rest = number - (ends[item] - size[item].prod(1))
        steps = []
        for axis in range(low.shape[1] - 1, -1, -1):
            steps.append(rest % size[item, axis])
            rest = rest // size[item, axis]
        yield item, low[item] + torch.stack(steps[::-1], dim=1)
