"""What a mesh says about the surface as a whole: holes, handles, boundaries, curvature."""

import math
from collections import defaultdict

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.meshes.mesh import Mesh, directed_edges, undirected_edges


def is_watertight(mesh: Mesh) -> bool:
    """True if every edge joins exactly two faces that run along it in opposite directions.

    >>> from course_lib.meshes import box, sheet
    >>> is_watertight(box()), is_watertight(sheet())
    (True, False)
    """
    if len(mesh.faces) == 0:
        return False
    a, b = directed_edges(mesh.faces).unbind(dim=1)
    _, index, uses = undirected_edges(mesh.faces)
    ways = torch.zeros_like(uses).index_add(0, index, torch.sign(b - a))  # +1 and −1 cancel
    return bool((uses == 2).all() and (ways == 0).all() and (a != b).all())


def component_count(mesh: Mesh) -> int:
    """The number of connected pieces, vertices without faces left out.

    >>> from course_lib.meshes import box, concatenate
    >>> component_count(concatenate(box(1.0), box(2.0)))
    2
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges, count = mesh.edges.cpu().numpy(), len(mesh.vertices)
    links = coo_array((torch.ones(len(edges)).numpy(), edges.T), shape=(count, count))
    pieces, _ = connected_components(links, directed=False)
    return int(pieces) - (count - len(torch.unique(mesh.faces)))


def euler_characteristic(faces: Int[Tensor, "f 3"]) -> int:
    """χ = V − E + F of a list of faces; V counts the vertices in use, E each undirected edge once.

    >>> euler_characteristic(torch.tensor([[0, 1, 2], [0, 2, 3]]))  # 4 − 5 + 2
    1
    """
    directed = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = torch.unique(directed.sort(dim=1).values, dim=0)
    return len(torch.unique(faces)) - len(edges) + len(faces)


def boundary_loops(mesh: Mesh) -> list[Int[Tensor, "n"]]:
    """The closed chains of edges that belong to one face only: vertex indices, one tensor a hole.

    Raises ValueError if an edge has more than two faces (the surface is not a manifold).

    >>> from course_lib.meshes import sheet
    >>> [len(loop) for loop in boundary_loops(sheet(cells=4))]
    [16]
    """
    links: dict[int, list[int]] = defaultdict(list)
    for a, b in _boundary_edges(mesh).tolist():
        links[a].append(b)
        links[b].append(a)
    loops = []
    while links:
        start = next(iter(links))
        loop: list[int] = []
        here = start
        while not loop or here != start:
            loop.append(here)
            here = _take_link(links, here)
        loops.append(torch.tensor(loop, device=mesh.faces.device))
    return loops


def genus(mesh: Mesh) -> int:
    """The number of handles, all pieces together: χ = 2·pieces − 2·genus − boundary loops.

    >>> from course_lib.meshes import icosphere, torus
    >>> genus(icosphere(1)), genus(torus())
    (0, 1)

    Raises ValueError for a surface that is not a manifold or not orientable.
    """
    loops, pieces = len(boundary_loops(mesh)), component_count(mesh)
    doubled = 2 * pieces - loops - mesh.euler_characteristic
    if doubled < 0 or doubled % 2:
        raise ValueError(
            f"expected an orientable manifold, got χ = {mesh.euler_characteristic} for {pieces} "
            f"pieces with {loops} boundary loops"
        )
    return doubled // 2


def angle_defect(mesh: Mesh) -> Float[Tensor, "v"]:
    """The curvature concentrated at each vertex, in radians: 2π − the sum of the angles around it.

    At a boundary π − the sum. The total is 2πχ for every manifold (Gauss–Bonnet): 4π for a sphere,
    0 for a torus. Zero for a vertex without faces.

    >>> from course_lib.meshes import box
    >>> angle_defect(box())[0] / math.pi  # three right angles meet
    tensor(0.5000)
    """
    total = torch.zeros_like(mesh.vertices[:, 0])
    angles = corner_angles(mesh)
    full = torch.zeros_like(total)
    full[mesh.faces.flatten()] = 2 * math.pi
    full[_boundary_edges(mesh).flatten()] = math.pi
    return full - total.index_add(0, mesh.faces.flatten(), angles.flatten())


def corner_angles(mesh: Mesh) -> Float[Tensor, "f 3"]:
    """The inner angle at each corner of each face, in radians, by atan2(|u × w|, u · w)."""
    corners = mesh.corners
    first = corners.roll(-1, dims=1) - corners
    second = corners.roll(1, dims=1) - corners
    sine = torch.linalg.vector_norm(torch.linalg.cross(first, second, dim=-1), dim=-1)
    return torch.atan2(sine, (first * second).sum(-1))


def _boundary_edges(mesh: Mesh) -> Int[Tensor, "e 2"]:
    """The edges with one face."""
    edges, _, uses = undirected_edges(mesh.faces)
    if len(uses) and int(uses.max()) > 2:
        worst = edges[uses.argmax()].tolist()
        raise ValueError(
            f"expected a manifold, got an edge {worst} with {int(uses.max())} faces "
            f"({int((uses > 2).sum())} edges have more than two)"
        )
    return edges[uses == 1]


def _take_link(links: dict[int, list[int]], here: int) -> int:
    """Walk along one edge from `here` and take it out of `links`."""
    there = links[here].pop()
    links[there].remove(here)
    for vertex in (here, there):
        if vertex in links and not links[vertex]:
            del links[vertex]
    return there
