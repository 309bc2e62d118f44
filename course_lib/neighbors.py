"""Nearest neighbours between clouds of points: exact, batched, differentiable, in bounded memory.

Every measure of the lecture that compares clouds starts from the pairs
Λ(P, Q) = {(p, argmin_{q ∈ Q} ‖p − q‖) : p ∈ P}. On the CPU a k-d tree finds them for large clouds in
few dimensions; small clouds, many dimensions and the GPU compare all pairs, a block at a time.
"""

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

TREE_PAIRS = 2**17  # below so many pairs comparing all of them is quicker than building a tree
TREE_DIMENSIONS = 8  # above, a k-d tree visits most of its leaves
TREE_LEAF = 48  # points: to read a large leaf in one sweep is quicker than to go down further
BLOCK_PAIRS = {"cpu": 2**22, "cuda": 2**26}  # distances held at a time: 16 or 256 MB of float32


def nearest_neighbors(
    p: Float[Tensor, "b n d"], q: Float[Tensor, "b m d"]
) -> tuple[Float[Tensor, "b n"], Int[Tensor, "b n"]]:
    """For every point of `p` the squared distance to the nearest point of `q`, and its index.

    d²_i = min_j ‖p_i − q_j‖². The distances are differentiable with respect to both clouds (the
    choice of the neighbour is not); among equally near points any one may be chosen. Half precision
    is computed in single precision. Raises ValueError for empty clouds, NaN or infinity.

    >>> nearest_neighbors(torch.tensor([[[0.0], [5.0]]]), torch.tensor([[[1.0], [3.0]]]))
    (tensor([[1., 4.]]), tensor([[0, 1]]))
    """
    check_clouds(p, q)
    search = _tree_search if _tree_wins(p, q) else _block_search
    return _with_distances(p, q, search(p.detach(), q.detach()))


def mutual_nearest_neighbors(
    p: Float[Tensor, "b n d"], q: Float[Tensor, "b m d"]
) -> tuple[
    tuple[Float[Tensor, "b n"], Int[Tensor, "b n"]], tuple[Float[Tensor, "b m"], Int[Tensor, "b m"]]
]:
    """`nearest_neighbors(p, q), nearest_neighbors(q, p)`, in less time than the two calls.

    >>> (p_to_q, _), (q_to_p, _) = mutual_nearest_neighbors(torch.zeros(1, 1, 3), torch.ones(1, 2, 3))
    >>> p_to_q, q_to_p
    (tensor([[3.]]), tensor([[3., 3.]]))
    """
    check_clouds(p, q)
    a, b = p.detach(), q.detach()
    if _tree_wins(p, q):
        forth, back = _mutual_tree_search(a, b)
    else:
        forth, back = _block_search(a, b), _block_search(b, a)
    return _with_distances(p, q, forth), _with_distances(q, p, back)


def check_clouds(p: Tensor, q: Tensor) -> None:
    """Raise ValueError unless both are finite, non-empty (b, points, d) on one device."""
    for name, cloud in (("p", p), ("q", q)):
        if cloud.ndim != 3 or not cloud.is_floating_point():
            raise ValueError(
                f"expected {name} to be a floating-point tensor of shape (batch, points, axes), "
                f"got {cloud.dtype} of shape {tuple(cloud.shape)}"
            )
        if cloud.shape[1] == 0 or cloud.shape[2] == 0:
            raise ValueError(f"expected at least one point in {name}, got {tuple(cloud.shape)}")
        if not bool(torch.isfinite(cloud).all()):
            raise ValueError(f"expected finite coordinates in {name}, got NaN or infinity")
        limit = math.sqrt(torch.finfo(_working_type(cloud, cloud)).max) / 4
        if (reach := float(cloud.detach().abs().max())) > limit:
            raise ValueError(
                f"expected coordinates in {name} whose squares are finite, got {reach:g}"
            )
    if p.shape[0] != q.shape[0] or p.shape[2] != q.shape[2]:
        raise ValueError(
            f"expected the same batch size and number of axes, "
            f"got p {tuple(p.shape)} and q {tuple(q.shape)}"
        )
    if p.device != q.device:
        raise ValueError(f"expected both clouds on one device, got {p.device} and {q.device}")


def _tree_wins(p: Tensor, q: Tensor) -> bool:
    pairs = p.shape[1] * q.shape[1]
    return p.device.type == "cpu" and p.shape[2] <= TREE_DIMENSIONS and pairs >= TREE_PAIRS


def _with_distances(p: Tensor, q: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
    """The squared distances to the chosen neighbours, by one look-up that autograd can follow."""
    b, m, d = q.shape
    starts = torch.arange(b, device=q.device)[:, None] * m
    chosen = q.reshape(b * m, d).index_select(0, (indices + starts).flatten())  # (b n, d)
    working = _working_type(p, q)
    difference = p.to(working) - chosen.to(working).view(b, -1, d)
    result = torch.promote_types(p.dtype, q.dtype)
    return difference.square().sum(dim=-1).to(result), indices


def _working_type(p: Tensor, q: Tensor) -> torch.dtype:
    return torch.promote_types(torch.promote_types(p.dtype, q.dtype), torch.float32)


def _block_search(p: Tensor, q: Tensor) -> Tensor:
    """Indices of the nearest neighbours, comparing all pairs in blocks of bounded size."""
    working = _working_type(p, q)
    p, q = p.to(working), q.to(working)
    rows = max(1, BLOCK_PAIRS.get(p.device.type, 2**22) // (q.shape[0] * q.shape[1]))
    # Products of matrices would be faster, but they cancel digits and then pick wrong neighbours.
    mode = "donot_use_mm_for_euclid_dist"
    found = torch.empty(p.shape[:2], dtype=torch.int64, device=p.device)
    for block, result in zip(p.split(rows, 1), found.split(rows, 1), strict=True):
        torch.argmin(torch.cdist(block, q, compute_mode=mode), dim=2, out=result)
    return found


def _tree_search(p: Tensor, q: Tensor) -> Tensor:
    found = [_query(_tree(b), a) for a, b in zip(_arrays(p), _arrays(q), strict=True)]
    return torch.from_numpy(np.stack(found))


def _mutual_tree_search(p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    forth, back = [], []
    for a, b in zip(_arrays(p), _arrays(q), strict=True):
        tree_a, tree_b = _tree(a), _tree(b)
        # A tree lists neighbours close together; in that order the other tree stays in the cache.
        forth.append(_query(tree_b, a, tree_a.indices))
        back.append(_query(tree_a, b, tree_b.indices))
    return torch.from_numpy(np.stack(forth)), torch.from_numpy(np.stack(back))


def _arrays(cloud: Tensor) -> np.ndarray:
    return cloud.to(torch.float64).numpy()


def _tree(points: np.ndarray):
    from scipy.spatial import cKDTree

    return cKDTree(points, leafsize=TREE_LEAF, balanced_tree=False)


def _query(tree, points: np.ndarray, order: np.ndarray | None = None) -> np.ndarray:
    """Indices of the nearest neighbours of `points`, looked up in the given order."""
    if order is None:
        return tree.query(points, workers=-1)[1]
    found = np.empty(len(points), dtype=np.int64)
    found[order] = tree.query(points[order], workers=-1)[1]
    return found
