"""Linear operators on functions that live on the vertices: Laplacians and graph convolution."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.meshes.mesh import Mesh, face_areas


def cotangent_laplacian(mesh: Mesh) -> Float[Tensor, "v v"]:
    """The sparse L with (L x)ᵢ = Σⱼ ½ (cot αᵢⱼ + cot βᵢⱼ)(xᵢ − xⱼ), α and β opposite the edge ij.

    Symmetric, positive semi-definite, and zero on linear functions inside a flat sheet. Divided by
    the vertex areas it is the Laplace–Beltrami operator: applied to the positions it gives the mean
    curvature normal, 2 H n (Meyer et al. 2003, "Discrete differential-geometry operators").
    Angles of faces without area count as right angles.
    """
    a, b, c = mesh.corners.unbind(dim=1)
    pairs, weights = [], []
    for corner, (p, q, r) in enumerate([(a, b, c), (b, c, a), (c, a, b)]):
        pairs.append(mesh.faces[:, [(corner + 1) % 3, (corner + 2) % 3]])
        weights.append(_cotangent(q - p, r - p) / 2)
    edges, weight = torch.cat(pairs), torch.cat(weights)
    both, twice = torch.cat([edges, edges.flip(1)]), torch.cat([weight, weight])
    diagonal = torch.zeros_like(mesh.vertices[:, 0]).index_add(0, both[:, 0], twice)
    return _sparse(both, -twice, diagonal)


def vertex_areas(mesh: Mesh) -> Float[Tensor, "v"]:
    """A third of the area of the faces around each vertex; they add up to the mesh's area."""
    thirds = (face_areas(mesh) / 3).repeat_interleave(3)
    return torch.zeros_like(mesh.vertices[:, 0]).index_add(0, mesh.faces.flatten(), thirds)


def graph_convolution(
    features: Float[Tensor, "v c"],
    edges: Int[Tensor, "e 2"],
    weight: Float[Tensor, "c k"],
    bias: Float[Tensor, "k"],
) -> Float[Tensor, "v k"]:
    """One graph convolution: every vertex mixes its features with its neighbours', then W and b.

    h'ᵢ = Σ_{j ∈ N(i) ∪ {i}} hⱼ W / √(dᵢ dⱼ) + b, where dᵢ = 1 + the number of neighbours of i
    (Kipf & Welling 2017, "Semi-supervised classification with graph convolutional networks", eq. 2).
    `edges` holds every undirected edge once, as `Mesh.edges` does. Without edges it is a linear
    layer.

    >>> features, edges = torch.tensor([[1.0], [3.0]]), torch.tensor([[0, 1]])
    >>> graph_convolution(features, edges, torch.ones(1, 1), torch.zeros(1)).T  # (1 + 3)/√(2·2)
    tensor([[2.0000, 2.0000]])
    """
    v = len(features)
    if edges.numel() and not 0 <= int(edges.min()) <= int(edges.max()) < v:
        raise ValueError(
            f"expected edges between 0 and {v - 1}, got {int(edges.min())} to {int(edges.max())}"
        )
    loops = torch.arange(v, device=features.device)
    i = torch.cat([edges[:, 0], edges[:, 1], loops])  # (2e + v,): receiver
    j = torch.cat([edges[:, 1], edges[:, 0], loops])  # (2e + v,): sender
    degree = torch.zeros_like(features[:, 0]).index_add(0, i, torch.ones_like(i).to(features))
    scaled = (features @ weight) / degree.sqrt()[:, None]  # (v, k)
    gathered = torch.zeros_like(scaled).index_add(0, i, scaled[j])
    return gathered / degree.sqrt()[:, None] + bias


def _cotangent(u: Tensor, w: Tensor) -> Tensor:
    """cos / sin of the angle between u and w; 0 where the two are parallel or zero."""
    sine = torch.linalg.vector_norm(torch.linalg.cross(u, w), dim=1)
    flat = sine <= torch.finfo(sine.dtype).tiny
    return torch.where(flat, 0.0, (u * w).sum(1) / torch.where(flat, 1.0, sine))


def _sparse(pairs: Tensor, values: Tensor, diagonal: Tensor) -> Tensor:
    """The sparse square matrix with `values` at `pairs` (added up) and `diagonal`."""
    v = len(diagonal)
    loops = torch.arange(v, device=pairs.device)
    index = torch.cat([pairs.T, torch.stack([loops, loops])], dim=1)
    matrix = torch.sparse_coo_tensor(
        index, torch.cat([values, diagonal]), (v, v), check_invariants=True
    )
    return matrix.coalesce()
