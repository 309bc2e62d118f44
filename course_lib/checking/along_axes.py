"""Changes of a tensor along one axis, which mistakes in inputs and in results share."""

from collections.abc import Callable

import torch

Change = Callable[[torch.Tensor], torch.Tensor]


def scaled(axis: int, k: int, factor: int) -> Change:
    """Component k of an axis times a factor."""

    def change(x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        x.select(axis, k).mul_(factor)
        return x

    return change


def exchanged_along(axis: int, i: int, j: int) -> Change:
    """Components i and j of an axis exchanged."""

    def change(x: torch.Tensor) -> torch.Tensor:
        order = list(range(x.shape[axis]))
        order[i], order[j] = order[j], order[i]
        return x.index_select(axis, torch.tensor(order))

    return change
