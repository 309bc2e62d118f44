"""Grouping without labels: a step of k-means, and how well two groupings agree."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def kmeans_step(
    points: Float[Tensor, "n d"], centers: Float[Tensor, "k d"]
) -> tuple[Int[Tensor, "n"], Float[Tensor, "k d"]]:
    """One step of Lloyd's k-means: label every point with its nearest centre, then move the centres.

    A centre moves to the mean of its points; a centre without points stays where it is. Returns the
    labels and the moved centres. The sum of squared distances to the centres never grows.

    >>> points = torch.tensor([[0.0], [1.0], [9.0]])
    >>> kmeans_step(points, torch.tensor([[0.0], [8.0], [99.0]]))
    (tensor([0, 0, 1]), tensor([[ 0.5000],
            [ 9.0000],
            [99.0000]]))
    """
    labels = torch.cdist(points, centers).argmin(dim=1)
    moved = centers.clone()
    for label in labels.unique():
        moved[label] = points[labels == label].mean(dim=0)
    return labels, moved


def adjusted_rand_index(a: Int[Tensor, "n"], b: Int[Tensor, "n"]) -> Float[Tensor, ""]:
    """The agreement of two groupings: 1 if they are the same, about 0 if they are unrelated.

    With n_ij the number of items in group i of `a` and group j of `b`, C(x) = x (x − 1)/2 pairs,
    S = Σ C(n_ij), A = Σ C(row sums), B = Σ C(column sums), E = A B / C(n):
    (S − E) / ((A + B)/2 − E)  (Hubert & Arabie 1985). The names of the groups do not matter.
    1 where the formula is 0/0 (both groupings trivial and the same).

    >>> adjusted_rand_index(torch.tensor([0, 0, 1, 1]), torch.tensor([5, 5, 2, 2]))
    tensor(1.)
    """

    def pairs(count: Tensor) -> Tensor:
        return count * (count - 1) / 2

    rows, columns = a.unique(return_inverse=True)[1], b.unique(return_inverse=True)[1]
    table = torch.zeros(int(rows.max()) + 1, int(columns.max()) + 1, device=a.device)
    table.index_put_((rows, columns), torch.ones_like(rows, dtype=table.dtype), accumulate=True)
    together, in_a, in_b = (pairs(t).sum() for t in (table, table.sum(1), table.sum(0)))
    expected = in_a * in_b / pairs(table.sum())
    largest = (in_a + in_b) / 2
    return torch.where(largest == expected, 1.0, (together - expected) / (largest - expected))
