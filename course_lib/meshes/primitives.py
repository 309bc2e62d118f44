"""Simple meshes: sphere, box, tetrahedron, torus, sheet."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from course_lib.meshes.mesh import Mesh, subdivide

Number = float | int


def icosphere(subdivisions: int = 3, radius: Number = 1.0) -> Mesh:
    """A sphere of 20·4ˢ almost equal faces: an icosahedron, subdivided and pushed outwards s times.

    >>> icosphere(1).faces.shape
    torch.Size([80, 3])
    """
    if not 0 <= subdivisions <= 8:
        raise ValueError(f"expected 0 to 8 subdivisions, got {subdivisions}")
    check_positive(radius=radius)
    mesh = _icosahedron()
    for _ in range(subdivisions):
        mesh = subdivide(mesh)
        mesh = Mesh(torch.nn.functional.normalize(mesh.vertices, dim=1), mesh.faces)
    return Mesh((mesh.vertices * radius).float(), mesh.faces)


def box(size: Number | Sequence[Number] = 1.0) -> Mesh:
    """A box with full edge lengths `size` (one number for a cube) about the origin: 12 faces.

    >>> float(box((1.0, 2.0, 3.0)).volume()), float(box(1.0).area())
    (6.0, 6.0)
    """
    edges = (size,) * 3 if isinstance(size, int | float) else tuple(size)
    if len(edges) != 3:
        raise ValueError(f"expected one edge length or three, got {size}")
    check_positive(**{f"size[{axis}]": edge for axis, edge in enumerate(edges)})
    signs = torch.cartesian_prod(*[torch.tensor([-0.5, 0.5])] * 3)  # (8, 3), index 4x + 2y + z
    quads = [
        [0, 1, 3, 2], [4, 6, 7, 5],  # x = −, +
        [0, 4, 5, 1], [2, 3, 7, 6],  # y = −, +
        [0, 2, 6, 4], [1, 5, 7, 3],  # z = −, +
    ]  # fmt: skip
    faces = [face for a, b, c, d in quads for face in ([a, b, c], [a, c, d])]
    return Mesh(signs * torch.tensor(edges, dtype=torch.float32), torch.tensor(faces))


def tetrahedron() -> Mesh:
    """The regular tetrahedron on four corners of the cube [−1, 1]³: edges of length 2√2.

    >>> float(tetrahedron().volume())  # a third of the cube's
    2.6666667461395264
    """
    corners = [[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]
    faces = [[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]]
    return Mesh(torch.tensor(corners), torch.tensor(faces))


def torus(radius: Number = 0.6, tube: Number = 0.2, segments: int = 48, sides: int = 24) -> Mesh:
    """A ring about the y axis: `radius` to the middle of the tube, `tube` the tube's own radius.

    >>> torus().euler_characteristic
    0
    """
    check_positive(radius=radius, tube=tube)
    if min(segments, sides) < 3:
        raise ValueError(f"expected at least 3 segments and sides, got {segments} and {sides}")
    around = torch.arange(segments, dtype=torch.float64) * (2 * math.pi / segments)
    across = torch.arange(sides, dtype=torch.float64) * (2 * math.pi / sides)
    u, v = torch.meshgrid(around, across, indexing="ij")
    reach = radius + tube * v.cos()
    vertices = torch.stack([reach * u.cos(), tube * v.sin(), -reach * u.sin()], dim=-1)
    return Mesh(vertices.reshape(-1, 3).float(), _grid_faces(segments, sides, wrap=True))


def sheet(size: Number = 2.0, cells: int = 8) -> Mesh:
    """A flat square in the plane y = 0 that faces up, of `cells` × `cells` squares: an open mesh.

    >>> sheet(2.0, 4).euler_characteristic, float(sheet(2.0, 4).area())
    (1, 4.0)
    """
    check_positive(size=size, cells=cells)
    line = torch.linspace(-size / 2, size / 2, cells + 1)
    z, x = torch.meshgrid(line, line, indexing="ij")
    vertices = torch.stack([x, torch.zeros_like(x), z], dim=-1).reshape(-1, 3)
    return Mesh(vertices, _grid_faces(cells + 1, cells + 1, wrap=False))


def _icosahedron() -> Mesh:
    golden = (1 + math.sqrt(5)) / 2
    plane = [(s, t * golden, 0.0) for s in (-1.0, 1.0) for t in (-1.0, 1.0)]
    corners = [(p[-k % 3], p[(1 - k) % 3], p[(2 - k) % 3]) for k in range(3) for p in plane]
    vertices = torch.tensor(corners, dtype=torch.float64)
    near = torch.cdist(vertices, vertices).isclose(vertices.new_tensor(2.0))
    faces = []
    for a in range(12):
        for b, c in torch.combinations(torch.arange(a + 1, 12)).tolist():
            if near[a, b] and near[b, c] and near[a, c]:
                outwards = torch.linalg.det(vertices[[a, b, c]]) > 0
                faces.append([a, b, c] if outwards else [a, c, b])
    return Mesh(torch.nn.functional.normalize(vertices, dim=1), torch.tensor(faces))


def _grid_faces(rows: int, columns: int, *, wrap: bool) -> Int[Tensor, "f 3"]:
    """Two faces per cell of a grid of vertices, index row · columns + column; `wrap` joins ends."""
    row = torch.arange(rows if wrap else rows - 1)[:, None]
    column = torch.arange(columns if wrap else columns - 1)
    below, right = (row + 1) % rows * columns, (column + 1) % columns
    a, b, c, d = row * columns + column, below + column, below + right, row * columns + right
    return torch.stack([a, b, c, a, c, d], dim=-1).reshape(-1, 3)


def check_positive(**values: Number) -> None:
    """Raise ValueError unless every value is finite and above 0."""
    for name, value in values.items():
        if not (value > 0 and math.isfinite(value)):
            raise ValueError(f"expected a positive {name}, got {value}")
