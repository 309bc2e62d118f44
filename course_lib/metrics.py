"""Measures to compare results with, and the conventions in which libraries differ.

Higher is better for `iou`, `soft_iou`, `f_score` and `normal_consistency` (all within [0, 1]), lower
for `hausdorff_distance`. Other libraries answer differently: percent instead of fractions, ≤
instead of <, squared thresholds, NaN for two empty grids. State the convention beside a number.
"""

import math

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from course_lib.losses import normal_loss
from course_lib.neighbors import mutual_nearest_neighbors
from course_lib.stable import in_single, safe_divide, square_root, true_is_one


def iou(a: Shaped[Tensor, "b *grid"], b: Shaped[Tensor, "b *grid"]) -> Float[Tensor, "b"]:
    """Intersection over union of occupied cells: |A ∩ B| / |A ∪ B| for each grid of the batch.

    a, b: (b, ...) of True/False or of occupancies in [0, 1] -> (b,)

    A cell is occupied if it is True or at least 0.5 (occupancies in [0, 1], not logits). Two empty
    grids agree: 1.

    >>> iou(torch.tensor([[0.9, 0.5, 0.1]]), torch.tensor([[True, False, False]]))
    tensor([0.5000])
    """
    check_grids(a, b)
    a, b = a.flatten(1) >= 0.5, b.flatten(1) >= 0.5
    intersection, union = (a & b).sum(dim=1), (a | b).sum(dim=1)
    return torch.where(union > 0, intersection / union, 1.0)


@in_single
@true_is_one
def soft_iou(a: Shaped[Tensor, "b *grid"], b: Shaped[Tensor, "b *grid"]) -> Float[Tensor, "b"]:
    """Differentiable IoU of occupancies in [0, 1]: Σ ab / Σ (a + b − ab).

    a, b: (b, ...) of numbers in [0, 1], or True/False -> (b,)

    The same as `iou` if all values are 0 or 1. It is the expected intersection of independent cells
    over their expected union, so that a grid with values in between does not agree fully even with
    itself. Two grids of zeros agree: 1. Differentiable in a and b.

    >>> soft_iou(torch.tensor([[0.5, 1.0]]), torch.tensor([[1.0, 1.0]]))
    tensor([0.7500])
    """
    check_grids(a, b)
    a, b = a.flatten(1), b.flatten(1)
    intersection, union = (a * b).sum(dim=1), (a + b - a * b).sum(dim=1)
    return safe_divide(intersection, union, otherwise=1.0)


@in_single
def f_score(
    p: Float[Tensor, "b n 3"], q: Float[Tensor, "b m 3"], threshold: float
) -> Float[Tensor, "b"]:
    """F1 at a distance: the harmonic mean 2PR / (P + R) of precision and recall, in [0, 1].

    p: (b, n, 3), q: (b, m, 3), threshold: a length -> (b,)

    Precision P is the fraction of the predicted points `p` nearer than `threshold` to the true
    points `q`, recall R the fraction of `q` nearer than that to `p`; nearer means strictly less,
    and distances are not squared (Tatarchenko et al. 2019, section 5). 0 if P = R = 0.

    >>> p, q = torch.zeros(1, 10, 3), torch.tensor([[[0.0, 0, 0], [100, 0, 0]]])
    >>> f_score(p, q, 1.0)  # P = 1, R = 1/2
    tensor([0.6667])
    """
    if not (threshold > 0 and math.isfinite(threshold)):
        raise ValueError(f"expected a positive, finite threshold, got {threshold}")
    (p_to_q, _), (q_to_p, _) = mutual_nearest_neighbors(p, q)
    precision = (p_to_q.sqrt() < threshold).to(p.dtype).mean(dim=1)
    recall = (q_to_p.sqrt() < threshold).to(p.dtype).mean(dim=1)
    return safe_divide(2 * precision * recall, precision + recall, otherwise=0.0)


@in_single
def hausdorff_distance(p: Float[Tensor, "b n 3"], q: Float[Tensor, "b m 3"]) -> Float[Tensor, "b"]:
    """The farthest that any point of either cloud is from the other cloud, not squared.

    p: (b, n, 3), q: (b, m, 3) -> (b,)

    H(P, Q) = max(max_p min_q ‖p − q‖, max_q min_p ‖q − p‖). In units of length.

    >>> hausdorff_distance(torch.zeros(1, 1, 3), torch.tensor([[[0.0, 0, 0], [0, 3, 0]]]))
    tensor([3.])
    """
    (p_to_q, _), (q_to_p, _) = mutual_nearest_neighbors(p, q)
    return square_root(torch.maximum(p_to_q.amax(dim=1), q_to_p.amax(dim=1)))


def normal_consistency(
    p: Float[Tensor, "b n 3"],
    q: Float[Tensor, "b m 3"],
    p_normals: Float[Tensor, "b n 3"],
    q_normals: Float[Tensor, "b m 3"],
) -> Float[Tensor, "b"]:
    """Mean |cosine| between the normals of nearest neighbours, averaged over both directions: [0, 1].

    As in Mescheder et al. 2019, "Occupancy networks", section 4; it is −½ of the lecture's normal
    loss.

    >>> p, up = torch.zeros(1, 1, 3), torch.tensor([[[0.0, 1.0, 0.0]]])
    >>> normal_consistency(p, p, up, -up)
    tensor([1.])
    """
    return -normal_loss(p, q, p_normals, q_normals) / 2


def check_grids(a: Tensor, b: Tensor) -> None:
    """Raise ValueError unless both are batches of grids of one shape with values in [0, 1]."""
    if a.ndim < 2 or a.shape != b.shape:
        raise ValueError(
            f"expected two grids of one shape (batch, ...), got {tuple(a.shape)} and "
            f"{tuple(b.shape)}"
        )
    for name, grid in (("a", a), ("b", b)):
        if grid.dtype != torch.bool and not bool(((grid >= 0) & (grid <= 1)).all()):
            raise ValueError(
                f"expected occupancies from 0 to 1 in {name}, got values outside (logits need a "
                f"sigmoid first)"
            )
