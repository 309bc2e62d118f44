"""The lecture's losses for clouds and meshes, as the slides write them.

Clouds are batches (b, n, 3); meshes are vertices (..., v, 3), any number of leading batch axes, with
one set of edges or faces for all: then a loss is one number per mesh. Normals may have any length.
Lengths are in the units of the coordinates. Everything is
differentiable and stays finite on degenerate input.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.meshes import Mesh, cotangent_laplacian, directed_edges
from course_lib.neighbors import mutual_nearest_neighbors
from course_lib.stable import cosine_or_flat, cross_or_zero, in_single, unit


@in_single
def chamfer_distance(p: Float[Tensor, "b n 3"], q: Float[Tensor, "b m 3"]) -> Float[Tensor, "b"]:
    """Squared Chamfer distance of two batches of clouds: the sum of both directed means.

    p: (b, n, 3), q: (b, m, 3) -> (b,)

    L(P, Q) = |P|⁻¹ Σ_{(p,q) ∈ Λ(P,Q)} ‖p − q‖² + |Q|⁻¹ Σ_{(q,p) ∈ Λ(Q,P)} ‖q − p‖², where Λ(P, Q)
    pairs every p with its nearest q (Gkioxari et al. 2019, "Mesh R-CNN", eq. 1; the slide drops
    |Q|⁻¹). In squared units of length. Differentiable in p and q.

    >>> chamfer_distance(torch.zeros(1, 1, 3), torch.tensor([[[1.0, 0, 0], [3.0, 0, 0]]]))
    tensor([6.])
    """
    (p_to_q, _), (q_to_p, _) = mutual_nearest_neighbors(p, q)
    return p_to_q.mean(dim=1) + q_to_p.mean(dim=1)


@in_single
def normal_loss(
    p: Float[Tensor, "b n 3"],
    q: Float[Tensor, "b m 3"],
    p_normals: Float[Tensor, "b n 3"],
    q_normals: Float[Tensor, "b m 3"],
) -> Float[Tensor, "b"]:
    """How badly the normals of nearest neighbours agree: −2 if all are parallel, 0 if all are at 90°.

    p, p_normals: (b, n, 3), q, q_normals: (b, m, 3) -> (b,)

    L(P, Q) = −|P|⁻¹ Σ_{(p,q) ∈ Λ(P,Q)} |u_q · u_p| − |Q|⁻¹ Σ_{(q,p) ∈ Λ(Q,P)} |u_p · u_q|, with the
    unit normals u (Mesh R-CNN, eq. 2). The absolute value forgives flipped normals.

    >>> p, up = torch.zeros(1, 1, 3), torch.tensor([[[0.0, 1.0, 0.0]]])
    >>> normal_loss(p, p, up, -up)
    tensor([-2.])
    """
    check_normals(p, p_normals)
    check_normals(q, q_normals)
    (_, nearest_q), (_, nearest_p) = mutual_nearest_neighbors(p, q)
    u_p, u_q = unit(p_normals), unit(q_normals)  # a normal of length 0 agrees with nothing
    p_agrees = (u_p * gather_rows(u_q, nearest_q)).sum(dim=2).abs()  # (b, n)
    q_agrees = (u_q * gather_rows(u_p, nearest_p)).sum(dim=2).abs()  # (b, m)
    return -p_agrees.mean(dim=1) - q_agrees.mean(dim=1)


@in_single
def edge_loss(vertices: Float[Tensor, "*b v 3"], edges: Int[Tensor, "e 2"]) -> Float[Tensor, "*b"]:
    """Mean squared length of the edges.

    vertices: (v, 3), edges: (e, 2) -> one number

    L(V, E) = |E|⁻¹ Σ_{(v,v') ∈ E} ‖v − v'‖² (Mesh R-CNN, section 3.2), differentiable in the vertices.

    >>> edge_loss(torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 2, 0]]), torch.tensor([[0, 1], [1, 2]]))
    tensor(2.5000)
    """
    check_indices(vertices, edges, "edges")
    if len(edges) == 0:
        raise ValueError("expected at least one edge, got none")
    first, second = vertices[..., edges[:, 0], :], vertices[..., edges[:, 1], :]
    return (first - second).square().sum(dim=-1).mean(dim=-1)


@in_single
def smooth_loss(
    vertices: Float[Tensor, "*b v 3"], faces: Int[Tensor, "f 3"]
) -> Float[Tensor, "*b"]:
    """How sharply the surface is folded: Σ (cos θ + 1)² over all interior edges.

    vertices: (v, 3), faces: (f, 3) -> one number

    θ is the angle between the two faces of an edge, measured through the edge: π where they are
    flat, so that a flat sheet costs 0, a right angle 1, and a fold back onto itself 4. A sum, not a
    mean. The slide's formula; it is the flattening loss of Liu et al. 2019, "Soft rasterizer".

    θ does not depend on the winding of the faces. An edge on the border has no angle and costs
    nothing. Differentiable in the vertices.

    >>> from course_lib.meshes import box
    >>> smooth_loss(box(2.0).vertices, box(2.0).faces)  # 12 right angles, 6 flat diagonals
    tensor(12.)
    """
    check_indices(vertices, faces, "faces")
    start, end, one, other = (vertices[..., i, :] for i in hinges(faces).unbind(dim=1))
    # Perpendicular to the edge, turned by 90° away from each face: θ lies between the two.
    a, b = cross_or_zero(end - start, one - start), cross_or_zero(end - start, other - start)
    return (cosine_or_flat(a, b) + 1).square().sum(dim=-1)


@in_single
def laplacian_coordinates(
    vertices: Float[Tensor, "*b v 3"], edges: Int[Tensor, "e 2"]
) -> Float[Tensor, "*b v 3"]:
    """Each vertex as seen from the middle of its neighbours: δ_p = p − |N(p)|⁻¹ Σ_{k ∈ N(p)} k.

    vertices: (v, 3), edges: (e, 2) -> (v, 3)

    N(p) are the vertices that share an edge with p; `edges` lists each edge once. The slide's
    umbrella operator is U(p) = −δ_p. A vertex without neighbours has δ = 0. Differentiable in the
    vertices.

    >>> laplacian_coordinates(torch.tensor([[0.0, 3, 0], [2, 0, 0]]), torch.tensor([[0, 1]]))
    tensor([[-2.,  3.,  0.],
            [ 2., -3.,  0.]])
    """
    check_indices(vertices, edges, "edges")
    one, other = torch.cat([edges, edges.flip(1)]).unbind(dim=1)  # each edge in both directions
    sums = torch.zeros_like(vertices).index_add(-2, one, vertices[..., other, :])
    counts = torch.bincount(one, minlength=vertices.shape[-2])[:, None]
    return torch.where(counts > 0, vertices - sums / counts.clamp_min(1), 0)


@in_single
def laplacian_loss(
    vertices: Float[Tensor, "*b v 3"], edges: Int[Tensor, "e 2"]
) -> Float[Tensor, "*b"]:
    """Mean squared length of the Laplacian coordinates: L(V, E) = |V|⁻¹ Σ_{p ∈ V} ‖δ_p‖².

    vertices: (v, 3), edges: (e, 2) -> one number, differentiable in the vertices

    >>> laplacian_loss(torch.tensor([[0.0, 3, 0], [2, 0, 0]]), torch.tensor([[0, 1]]))
    tensor(13.)
    """
    if vertices.shape[-2] == 0:
        raise ValueError("expected at least one vertex, got none")
    return laplacian_coordinates(vertices, edges).square().sum(dim=-1).mean(dim=-1)


@in_single
def cotangent_coordinates(
    vertices: Float[Tensor, "v 3"], faces: Int[Tensor, "f 3"]
) -> Float[Tensor, "v 3"]:
    """Laplacian coordinates that ignore how the surface is cut: δ_p = p − Σ_k w_k k / Σ_k w_k.

    w_k = (cot α + cot β) / 2, where α and β are the angles opposite to the edge (p, k) in its two
    faces (Meyer et al. 2003, "Discrete differential-geometry operators", eq. 8). With equal weights
    a vertex of a flat but uneven mesh has δ ≠ 0; with these it is 0. The weights depend on the
    vertices and are differentiated too. Faces without area have weight 0; a vertex whose weights
    sum to 0 has δ = 0.

    >>> from course_lib.meshes import tetrahedron
    >>> mesh = tetrahedron()
    >>> cotangent_coordinates(mesh.vertices, mesh.faces)[0]
    tensor([1.3333, 1.3333, 1.3333])
    """
    check_indices(vertices, faces, "faces")
    matrix = cotangent_laplacian(Mesh(vertices, faces))
    row, column = matrix.indices()
    totals = torch.zeros_like(vertices[:, 0]).index_add(
        0, row, torch.where(row == column, matrix.values(), 0)
    )[:, None]  # (v, 1): the diagonal holds Σ_k w_k
    weighted = totals.abs() > torch.finfo(totals.dtype).eps
    return torch.where(weighted, matrix @ vertices / torch.where(weighted, totals, 1), 0)


def hinges(faces: Int[Tensor, "f 3"]) -> Int[Tensor, "h 4"]:
    """Every pair of faces that share an edge, as (edge start, edge end, one corner, other corner).

    The corners are the vertices of the two faces that are not on the edge.

    >>> hinges(torch.tensor([[0, 1, 2], [0, 2, 3]]))
    tensor([[0, 2, 3, 1]])
    """
    if len(faces) == 0:
        return faces.new_empty(0, 4)
    edges = directed_edges(faces).sort(dim=1).values
    opposite = torch.cat([faces[:, 2], faces[:, 0], faces[:, 1]])  # (3f,)
    key, order = (edges[:, 0] * (faces.max() + 1) + edges[:, 1]).sort(stable=True)
    edges, opposite = edges[order], opposite[order]  # the faces of one edge now stand in a row
    _, counts = torch.unique_consecutive(key, return_counts=True)
    pairs = [faces.new_empty(0, 4)]
    # Faces `apart` places from each other in a row of k make all pairs for apart = 1 … k − 1; in a
    # manifold k ≤ 2, and one round does it.
    for apart in range(1, int(counts.max())):
        first = (key[apart:] == key[:-apart]).nonzero().squeeze(1)
        pairs.append(
            torch.cat([edges[first], opposite[first, None], opposite[first + apart, None]], dim=1)
        )
    return torch.cat(pairs)


def gather_rows(
    values: Float[Tensor, "b m d"], indices: Int[Tensor, "b n"]
) -> Float[Tensor, "b n d"]:
    """Row `indices[b, i]` of each `values[b]`.

    >>> gather_rows(torch.tensor([[[1.0], [2.0]]]), torch.tensor([[1, 1, 0]])).flatten()
    tensor([2., 2., 1.])
    """
    return values.gather(1, indices[..., None].expand(-1, -1, values.shape[2]))


def check_normals(points: Tensor, normals: Tensor) -> None:
    """Raise ValueError unless there is one finite normal per point."""
    if points.shape != normals.shape:
        raise ValueError(
            f"expected one normal per point, got points {tuple(points.shape)} "
            f"and normals {tuple(normals.shape)}"
        )
    if not bool(torch.isfinite(normals).all()):
        raise ValueError("expected finite normals, got NaN or infinity")


def check_indices(vertices: Tensor, indices: Tensor, name: str) -> None:
    """Raise ValueError unless `indices` (edges or faces) are rows of existing vertices."""
    width = {"edges": 2, "faces": 3}[name]
    if indices.ndim != 2 or indices.shape[1] != width or indices.is_floating_point():
        raise ValueError(
            f"expected {name} to be whole numbers of shape (count, {width}), "
            f"got {indices.dtype} of shape {tuple(indices.shape)}"
        )
    if vertices.ndim < 2 or vertices.shape[-1] != 3:
        raise ValueError(f"expected vertices of shape (..., v, 3), got {tuple(vertices.shape)}")
    count = vertices.shape[-2]
    if indices.numel() and (int(indices.min()) < 0 or int(indices.max()) >= count):
        raise ValueError(
            f"expected indices from 0 to {count - 1} in {name} (there are {count} vertices), "
            f"got {int(indices.min())} to {int(indices.max())}"
        )
