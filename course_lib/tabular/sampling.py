"""Few-shot training sets: as many positives as negatives, no row twice."""

import torch
from jaxtyping import Int
from torch import Tensor


def balanced_sample(
    labels: Int[Tensor, "n"], shots: int, *, generator: torch.Generator
) -> Int[Tensor, "k"]:
    """Indices of `shots` different rows, half of each class, in random order.

    shots is even, and each class has rows enough.

    >>> labels = torch.tensor([0, 0, 0, 1, 0, 1])
    >>> sorted(balanced_sample(labels, 4, generator=torch.Generator().manual_seed(0)).tolist())[-2:]
    [3, 5]
    """
    if shots < 2 or shots % 2:
        raise ValueError(f"expected a positive even number of shots, got {shots}")
    chosen = []
    for label in (0, 1):
        rows = (labels == label).nonzero()[:, 0]
        if len(rows) < shots // 2:
            raise ValueError(f"expected {shots // 2} rows of class {label}, got {len(rows)}")
        order = torch.randperm(len(rows), generator=generator, device=generator.device)
        chosen.append(rows[order[: shots // 2].to(rows.device)])
    both = torch.cat(chosen)
    return both[torch.randperm(shots, generator=generator, device=generator.device).to(both.device)]
