"""Triangle meshes: the type, simple closed surfaces, and sampling.

Conventions: right-handed axes with y up; the corners of a face run counter-clockwise seen from
outside, so its normal (b − a) × (c − a) points outwards.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike

import torch
from jaxtyping import Float, Int
from torch import Tensor

Number = float | int


@dataclass(frozen=True, eq=False)
class Mesh:
    """A triangle mesh: `vertices` (v, 3) of real numbers, `faces` (f, 3) of indices into them.

    Everything but the indices is differentiable with respect to `vertices`.

    >>> Mesh(torch.eye(3), torch.tensor([[0, 1, 2]])).euler_characteristic
    1

    Raises ValueError for wrong shapes, non-finite vertices and indices out of range.
    """

    vertices: Float[Tensor, "v 3"]
    faces: Int[Tensor, "f 3"]

    def __post_init__(self):
        vertices, faces = torch.as_tensor(self.vertices), torch.as_tensor(self.faces)
        if vertices.ndim != 2 or vertices.shape[1] != 3:
            raise ValueError(f"expected vertices of shape (v, 3), got {tuple(vertices.shape)}")
        if faces.ndim != 2 or faces.shape[1] != 3:
            raise ValueError(f"expected faces of shape (f, 3), got {tuple(faces.shape)}")
        if faces.is_floating_point() or faces.is_complex() or faces.dtype == torch.bool:
            raise ValueError(f"expected whole numbers as faces, got {faces.dtype}")
        if not vertices.is_floating_point():
            vertices = vertices.to(torch.get_default_dtype())
        if not bool(torch.isfinite(vertices).all()):
            raise ValueError("expected finite vertices, got NaN or infinity")
        faces = faces.to(device=vertices.device, dtype=torch.int64)
        _check_range(faces, len(vertices))
        object.__setattr__(self, "vertices", vertices)
        object.__setattr__(self, "faces", faces)

    @cached_property
    def edges(self) -> Int[Tensor, "e 2"]:
        """Every undirected edge once, as (smaller, larger) vertex index, sorted."""
        return torch.unique(directed_edges(self.faces).sort(dim=1).values, dim=0)

    @property
    def euler_characteristic(self) -> int:
        """χ = V − E + F, where V counts the vertices in use: 2 for a sphere, 0 for a torus."""
        return len(torch.unique(self.faces)) - len(self.edges) + len(self.faces)

    @property
    def corners(self) -> Float[Tensor, "f 3 3"]:
        """The positions of each face's three corners: (face, corner, axis)."""
        return self.vertices[self.faces]

    def area(self) -> Float[Tensor, ""]:
        """The total area of the faces, ½ Σ |(b − a) × (c − a)|."""
        return face_areas(self).sum()

    def volume(self) -> Float[Tensor, ""]:
        """The signed volume, Σ a · (b × c) / 6: positive for a closed mesh that faces outwards.

        The volume of an open mesh depends on the origin and means nothing.
        """
        a, b, c = self.corners.unbind(dim=1)
        return (a * torch.linalg.cross(b, c)).sum() / 6

    def to(self, *args, **kwargs) -> "Mesh":
        """The mesh on another device or with another floating-point type, as `Tensor.to` does."""
        return Mesh(self.vertices.to(*args, **kwargs), self.faces)

    @staticmethod
    def load(path: str | PathLike) -> "Mesh":
        """Read an OBJ, OFF, PLY or STL file; ValueError names the file and what is wrong in it."""
        from course_lib import mesh_files

        return mesh_files.load_mesh(path)

    def save(self, path: str | PathLike) -> None:
        """Write an OBJ, OFF, PLY or STL file; the ending of the name decides which."""
        from course_lib import mesh_files

        mesh_files.save_mesh(self, path)


def directed_edges(faces: Int[Tensor, "f 3"]) -> Int[Tensor, "d 2"]:
    """The three directed edges of each face: all (a, b), then all (b, c), then all (c, a)."""
    return torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def face_areas(mesh: Mesh) -> Float[Tensor, "f"]:
    """The area of each face, ½ |(b − a) × (c − a)|.

    >>> face_areas(box(2.0))[:2]
    tensor([2., 2.])
    """
    return torch.linalg.vector_norm(_area_vectors(mesh), dim=1) / 2


def face_normals(mesh: Mesh) -> Float[Tensor, "f 3"]:
    """The unit normal of each face, (b − a) × (c − a) normalised; zero for a face without area.

    >>> face_normals(Mesh(torch.eye(3), torch.tensor([[0, 1, 2]])))
    tensor([[0.5774, 0.5774, 0.5774]])
    """
    vectors = _area_vectors(mesh)
    tiny = torch.finfo(vectors.dtype).tiny
    return vectors / torch.linalg.vector_norm(vectors, dim=1, keepdim=True).clamp_min(tiny)


def vertex_normals(mesh: Mesh) -> Float[Tensor, "v 3"]:
    """The unit normal at each vertex: the mean of its faces' normals, weighted by their areas.

    Zero for a vertex without faces.
    """
    vectors = _area_vectors(mesh)
    sums = torch.zeros_like(mesh.vertices)
    for corner in range(3):
        sums = sums.index_add(0, mesh.faces[:, corner], vectors)
    return torch.nn.functional.normalize(sums, dim=1, eps=torch.finfo(sums.dtype).tiny)


def sample_surface(
    mesh: Mesh, n: int, *, generator: torch.Generator | None = None
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
    """Draw `n` points uniformly from the surface, with the normals of their faces.

    A face is drawn in proportion to its area; in it, with u, v uniform in [0, 1],
    p = (1 − √u) a + √u (1 − v) b + √u v c  (Osada et al. 2002, "Shape distributions", eq. 1).
    Differentiable with respect to the vertices. Raises ValueError if the mesh has no area.

    >>> points, normals = sample_surface(box(2.0), 5)
    >>> points.abs().amax(dim=1)
    tensor([1., 1., 1., 1., 1.])
    """
    if n < 0:
        raise ValueError(f"expected n >= 0 points, got {n}")
    cumulative = face_areas(mesh).detach().double().cumsum(0)
    if len(cumulative) == 0 or not cumulative[-1] > 0:
        raise ValueError(f"expected a mesh with area, got {len(mesh.faces)} faces without any")
    random = _uniform(3, n, mesh.vertices, generator)
    chosen = torch.searchsorted(cumulative, random[0] * cumulative[-1], right=True)
    chosen = chosen.clamp_max(len(cumulative) - 1)
    root, v = random[1].to(mesh.vertices.dtype).sqrt()[:, None], random[2][:, None]
    v = v.to(mesh.vertices.dtype)
    a, b, c = mesh.corners.unbind(dim=1)
    origins, first, second = a[chosen], (b - a)[chosen], (c - a)[chosen]
    points = origins + root * ((1 - v) * first + v * second)
    return points, face_normals(mesh)[chosen]


def icosphere(subdivisions: int = 3, radius: Number = 1.0) -> Mesh:
    """A sphere of 20·4ˢ almost equal faces: an icosahedron, subdivided and pushed outwards s times.

    >>> icosphere(1).faces.shape
    torch.Size([80, 3])
    """
    if not 0 <= subdivisions <= 8:
        raise ValueError(f"expected 0 to 8 subdivisions, got {subdivisions}")
    _check_positive(radius=radius)
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
    _check_positive(**{f"size[{axis}]": edge for axis, edge in enumerate(edges)})
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
    _check_positive(radius=radius, tube=tube)
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
    _check_positive(size=size, cells=cells)
    line = torch.linspace(-size / 2, size / 2, cells + 1)
    z, x = torch.meshgrid(line, line, indexing="ij")
    vertices = torch.stack([x, torch.zeros_like(x), z], dim=-1).reshape(-1, 3)
    return Mesh(vertices, _grid_faces(cells + 1, cells + 1, wrap=False))


def subdivide(mesh: Mesh) -> Mesh:
    """Split every face in four at the middles of its edges; the surface stays the same.

    >>> subdivide(tetrahedron()).faces.shape
    torch.Size([16, 3])
    """
    directed = directed_edges(mesh.faces).sort(dim=1).values
    edges, index = torch.unique(directed, dim=0, return_inverse=True)
    middles = mesh.vertices[edges].mean(dim=1)  # (e, 3)
    ab, bc, ca = (index + len(mesh.vertices)).reshape(3, -1)
    a, b, c = mesh.faces.unbind(dim=1)
    parts = [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
    faces = torch.cat([torch.stack(part, dim=1) for part in parts])
    return Mesh(torch.cat([mesh.vertices, middles]), faces)


def concatenate(*meshes: Mesh) -> Mesh:
    """Several meshes as one; nothing is merged.

    >>> concatenate(box(1.0), box(2.0)).euler_characteristic
    4
    """
    if not meshes:
        raise ValueError("expected at least one mesh, got none")
    faces, start = [], 0
    for mesh in meshes:
        faces.append(mesh.faces + start)
        start += len(mesh.vertices)
    return Mesh(torch.cat([mesh.vertices for mesh in meshes]), torch.cat(faces))


def _area_vectors(mesh: Mesh) -> Tensor:
    """Twice the area times the unit normal of each face, (f, 3)."""
    a, b, c = mesh.corners.unbind(dim=1)
    return torch.linalg.cross(b - a, c - a)


def _uniform(rows: int, n: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """(rows, n) numbers uniform in [0, 1), drawn on the generator's device."""
    device = like.device if generator is None else generator.device
    drawn = torch.rand(rows, n, dtype=torch.float64, generator=generator, device=device)
    return drawn.to(like.device)


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


def _check_positive(**values: Number) -> None:
    for name, value in values.items():
        if not (value > 0 and math.isfinite(value)):
            raise ValueError(f"expected a positive {name}, got {value}")


def _check_range(faces: Tensor, count: int) -> None:
    if faces.numel() and (int(faces.min()) < 0 or int(faces.max()) >= count):
        low, high = int(faces.min()), int(faces.max())
        raise ValueError(
            f"expected face indices from 0 to {count - 1} (there are {count} vertices), "
            f"got {low} to {high}"
        )
