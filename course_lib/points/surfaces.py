"""From a bare cloud to a surface: normals, their orientation, a grid-based reconstruction."""

import warnings

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.meshes import Mesh, grid_to_mesh, lattice


def pca_normals(points: Float[Tensor, "n 3"], k: int = 12) -> Float[Tensor, "n 3"]:
    """A unit normal at each point: the direction in which its k nearest points vary least.

    It is the eigenvector of the smallest eigenvalue of the covariance of the k nearest points (the
    point itself among them). Its sign means nothing: see `orient_normals`. 3 ≤ k ≤ n
    (Hoppe et al. 1992, "Surface reconstruction from unorganized points").

    >>> flat = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
    >>> pca_normals(flat, 4)[0].abs()
    tensor([0., 0., 1.])
    """
    around = points[nearest_indices(points, points, k)]  # (n, k, 3)
    centered = around - around.mean(dim=1, keepdim=True)
    covariance = centered.transpose(1, 2) @ centered  # (n, 3, 3)
    _, vectors = torch.linalg.eigh(covariance)  # eigenvalues ascend
    return vectors[:, :, 0]


def orient_normals(
    points: Float[Tensor, "n 3"], normals: Float[Tensor, "n 3"], k: int = 12
) -> Float[Tensor, "n 3"]:
    """Turn normals so that neighbours agree and the whole points outwards.

    Signs spread from the highest point (whose normal must point up) along the minimum spanning tree
    of the k-nearest-neighbour graph, cheap where normals are parallel (Hoppe et al. 1992). Pieces
    that the graph does not connect start at their own highest points.
    """
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order, connected_components
    from scipy.sparse.csgraph import minimum_spanning_tree as spanning_tree

    n = len(points)
    near = nearest_indices(points, points, k).cpu()
    i, j = torch.arange(n).repeat_interleave(k), near.flatten()
    vectors = normals.detach().cpu().double()
    cost = 1 + 1e-6 - (vectors[i] * vectors[j]).sum(1).abs()
    graph = coo_array((cost.numpy(), (i.numpy(), j.numpy())), shape=(n, n)).tocsr()
    tree = spanning_tree(graph.maximum(graph.T))
    heights = points.detach().cpu()[:, 1].numpy()
    sign = np.ones(n)
    pieces = connected_components(tree, directed=False)[1]
    oriented = vectors.numpy()
    for piece in range(pieces.max() + 1):
        members = np.flatnonzero(pieces == piece)
        root = members[heights[members].argmax()]
        order, before = breadth_first_order(tree, root, directed=False)
        sign[root] = 1.0 if oriented[root, 1] >= 0 else -1.0
        for node in order[1:]:
            parent = before[node]
            agree = oriented[node] @ oriented[parent] >= 0
            sign[node] = sign[parent] if agree else -sign[parent]
    return normals * torch.from_numpy(sign).to(normals)[:, None]


def reconstruct_surface(
    points: Float[Tensor, "n 3"],
    normals: Float[Tensor, "n 3"],
    resolution: int = 64,
    *,
    k: int = 8,
) -> Mesh:
    """A closed surface through a cloud with outward normals, on a grid of [−1, 1]³.

    Each grid corner gets the mean signed distance to the tangent planes of its k nearest points,
    weighted by exp(−d²/h²) with h their root mean squared distance, and marching cubes finds the
    zero set (Hoppe et al. 1992; implicit moving least squares). Gaps wider than the points' distance
    are bridged by the planes at their edges; a warning says where they reach the side of the cube, as
    they do for a cloud of an open sheet. ValueError if no surface comes out.

    Needs at least k points inside [−1, 1]³ and normals that are oriented consistently.
    """
    if len(points) != len(normals):
        raise ValueError(f"expected a normal per point, got {len(points)} and {len(normals)}")
    corners = lattice(resolution).to(points)
    flat, values = corners.reshape(-1, 3), []
    for some in flat.split(1 << 16):
        near = nearest_indices(some, points, k)  # (m, k)
        offset = some[:, None] - points[near]
        square = offset.square().sum(2)
        weight = torch.exp(-square / square.mean(1, keepdim=True).clamp(min=1e-12))
        heights = (offset * normals[near]).sum(2)
        values.append((weight * heights).sum(1) / weight.sum(1))
    grid = torch.cat(values).reshape(corners.shape[:3])
    return grid_to_mesh(_closed(grid))


def _closed(values: Float[Tensor, "m m m"]) -> Float[Tensor, "m m m"]:
    """Keep the part that is not connected to the side of the grid: outside is outside."""
    sealed = values.clone()
    core = torch.zeros_like(values, dtype=torch.bool)
    core[1:-1, 1:-1, 1:-1] = True
    if bool((values[~core] < 0).any()):
        warnings.warn(
            "the reconstructed surface reaches the side of [-1, 1]³ and is closed there: is the "
            "cloud open, or are its normals not turned outwards?",
            stacklevel=3,
        )
    for axis in range(3):
        sealed.select(axis, 0).clamp_(min=1e-3)
        sealed.select(axis, -1).clamp_(min=1e-3)
    return sealed


def nearest_indices(
    queries: Float[Tensor, "m 3"], points: Float[Tensor, "n 3"], k: int
) -> Int[Tensor, "m k"]:
    """The indices of the k nearest points of each query, nearest first, by a k-d tree."""
    from scipy.spatial import cKDTree

    if not 3 <= k <= len(points):
        raise ValueError(f"expected 3 <= k <= {len(points)} points, got k = {k}")
    tree = cKDTree(points.detach().cpu().numpy())
    _, index = tree.query(queries.detach().cpu().numpy(), k=k)
    return torch.from_numpy(index).to(points.device)
