"""What a mesh says about the surface as a whole: holes, handles, boundaries, curvature."""

import math
from collections import defaultdict

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.meshes.links import linked
from course_lib.meshes.mesh import Mesh, directed_edges, undirected_edges
from course_lib.meshes.orient import orientation


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
    count, (a, b) = len(mesh.vertices), mesh.edges.cpu().unbind(1)
    pieces, _ = linked(a, b, count)
    return pieces - (count - len(torch.unique(mesh.faces)))


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

    Faces that name a vertex twice are left out. Raises ValueError if an edge has more than two faces
    (the surface is not a manifold).

    >>> from course_lib.meshes import sheet
    >>> [len(loop) for loop in boundary_loops(sheet(cells=4))]
    [16]
    """
    links: dict[int, list[int]] = defaultdict(list)
    for a, b in _boundary_edges(mesh).tolist():
        links[a].append(b)
        links[b].append(a)
    loops: list[list[int]] = []
    for start in list(links):
        while start in links:  # more than once where holes touch
            loop: list[int] = []
            here = start
            while not loop or here != start:
                loop.append(here)
                here = _take_link(links, here)
            loops.append(loop)
    flat = torch.tensor([vertex for loop in loops for vertex in loop], dtype=torch.int64)
    return list(flat.to(mesh.faces.device).split([len(loop) for loop in loops])) if loops else []


def genus(mesh: Mesh) -> int:
    """The number of handles, all pieces together: χ = 2·pieces − 2·genus − boundary loops.

    A vertex where several fans of faces touch counts once for each, as if the surface were cut apart
    there: two balls that touch in a vertex, or two holes, make no handle. Faces that point the other
    way do not matter; faces that name a vertex twice are left out.

    >>> from course_lib.meshes import icosphere, torus
    >>> genus(icosphere(1)), genus(torus())
    (0, 1)

    Raises ValueError for an edge of more than two faces, and for a surface that cannot be oriented
    (a Möbius band).
    """
    _boundary_edges(mesh)  # says so if an edge has more than two faces
    apart = _cut_apart(mesh)
    if not orientation(apart.faces).possible:
        raise ValueError("expected an orientable surface, got one like a Möbius band")
    loops, pieces = len(boundary_loops(apart)), component_count(apart)
    return (2 * pieces - loops - apart.euler_characteristic) // 2


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
    corners = mesh.corners.double()  # of a tiny mesh the products would vanish
    first = corners.roll(-1, dims=1) - corners
    second = corners.roll(1, dims=1) - corners
    sine = torch.linalg.vector_norm(torch.linalg.cross(first, second, dim=-1), dim=-1)
    return torch.atan2(sine, (first * second).sum(-1)).to(mesh.vertices.dtype)


def _boundary_edges(mesh: Mesh) -> Int[Tensor, "e 2"]:
    """The edges with one face."""
    edges, _, uses = undirected_edges(_proper(mesh.faces))
    if len(uses) and int(uses.max()) > 2:
        worst = edges[uses.argmax()].tolist()
        raise ValueError(
            f"expected a manifold, got an edge {worst} with {int(uses.max())} faces "
            f"({int((uses > 2).sum())} edges have more than two)"
        )
    return edges[uses == 1]


def _proper(faces: Int[Tensor, "f 3"]) -> Int[Tensor, "g 3"]:
    """The faces with three different vertices."""
    return faces[(faces != faces.roll(1, dims=1)).all(dim=1)]


def _cut_apart(mesh: Mesh) -> Mesh:
    """The mesh with a vertex of its own for every fan: the faces that go on around it over edges."""
    faces = _proper(mesh.faces).cpu()
    f = len(faces)
    _, index, _ = undirected_edges(faces)  # (3f,): of each directed edge the number of its edge
    order = index.argsort(stable=True)  # the two directed edges of an edge now stand in a row
    follows = index[order[1:]] == index[order[:-1]]
    one, other = order[:-1][follows], order[1:][follows]
    # Directed edge i begins at corner i (of 3f) and ends at corner heads[i]. Where two faces share an
    # edge, link the corners at each of its ends: the corners of a fan become one component.
    heads = torch.arange(3 * f).reshape(3, f).roll(-1, dims=0).flatten()
    same = faces.T.flatten()[one] == faces.T.flatten()[other]  # both begin at the same vertex
    i = torch.cat((one, heads[one]))
    j = torch.cat((torch.where(same, other, heads[other]), torch.where(same, heads[other], other)))
    count, fan = linked(i, j, 3 * f)
    position = torch.zeros(count, 3, dtype=torch.float64)
    position[fan] = mesh.vertices.detach().cpu().double()[faces.T.flatten()]
    return Mesh(position, fan.reshape(3, f).T)


def _take_link(links: dict[int, list[int]], here: int) -> int:
    """Walk along one edge from `here` and take it out of `links`."""
    there = links[here].pop()
    links[there].remove(here)
    for vertex in (here, there):
        if vertex in links and not links[vertex]:
            del links[vertex]
    return there
