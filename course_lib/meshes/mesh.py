"""The triangle mesh: vertices and faces, and what follows from them directly.

Conventions: right-handed axes with y up; the corners of a face run counter-clockwise seen from
outside, so its normal (b − a) × (c − a) points outwards.
"""

from dataclasses import dataclass
from functools import cached_property
from os import PathLike

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.meshes.formats import read_mesh, write_mesh
from course_lib.stable import widened


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

    @staticmethod
    def load(path: str | PathLike) -> "Mesh":
        """Read an OBJ, OFF, PLY or STL file; ValueError names the file and what is wrong in it."""
        vertices, faces = read_mesh(path)
        return Mesh(torch.from_numpy(vertices), torch.from_numpy(faces))

    def save(self, path: str | PathLike) -> None:
        """Write an OBJ, OFF, PLY or STL file; the ending of the name decides which."""
        write_mesh(self.vertices.detach().cpu().numpy(), self.faces.cpu().numpy(), path)

    @cached_property
    def edges(self) -> Int[Tensor, "e 2"]:
        """Every undirected edge once, as (smaller, larger) vertex index, sorted.

        A face that names a vertex twice gives no edge from that vertex to itself.
        """
        edges = undirected_edges(self.faces)[0]
        return edges[edges[:, 0] != edges[:, 1]]

    @property
    def euler_characteristic(self) -> int:
        """χ = V − E + F, where V counts the vertices in use: 2 for a sphere, 0 for a torus."""
        return len(torch.unique(self.faces)) - len(self.edges) + len(self.faces)

    @property
    def corners(self) -> Float[Tensor, "f 3 3"]:
        """The positions of each face's three corners: (face, corner, axis); half precision as single."""
        return widened(self.vertices[self.faces])

    def area(self) -> Float[Tensor, ""]:
        """The total area of the faces, ½ Σ |(b − a) × (c − a)|; in single precision for half."""
        return face_areas(self).sum()

    def volume(self) -> Float[Tensor, ""]:
        """The signed volume, Σ a · (b × c) / 6: positive for a closed mesh that faces outwards.

        Measured from the first vertex, as products of large coordinates would drown it. The volume of
        an open mesh depends on that point and means nothing. In single precision for half.
        """
        a, b, c = (self.corners - widened(self.vertices)[:1].sum(dim=0)).unbind(dim=1)
        return (a * torch.linalg.cross(b, c)).sum() / 6

    def to(self, *args, **kwargs) -> "Mesh":
        """The mesh on another device or with another floating-point type, as `Tensor.to` does."""
        return Mesh(self.vertices.to(*args, **kwargs), self.faces)


def directed_edges(faces: Int[Tensor, "f 3"]) -> Int[Tensor, "d 2"]:
    """The three directed edges of each face: all (a, b), then all (b, c), then all (c, a)."""
    return torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def undirected_edges(
    faces: Int[Tensor, "f 3"],
) -> tuple[Int[Tensor, "e 2"], Int[Tensor, "d"], Int[Tensor, "e"]]:
    """The undirected edges in order, each directed edge's place in them, how often each occurs.

    An edge becomes one whole number, as one sort of numbers is many times faster than one of pairs.
    """
    pairs = directed_edges(faces).sort(dim=1).values
    base = int(faces.max()) + 1 if faces.numel() else 1
    keys, index, uses = torch.unique(
        pairs[:, 0] * base + pairs[:, 1], return_inverse=True, return_counts=True
    )
    return torch.stack([keys // base, keys % base], dim=1), index, uses


def face_areas(mesh: Mesh) -> Float[Tensor, "f"]:
    """The area of each face, ½ |(b − a) × (c − a)|; in single precision for half.

    >>> from course_lib.meshes import box
    >>> face_areas(box(2.0))[:2]
    tensor([2., 2.])
    """
    a, b, c = mesh.corners.unbind(dim=1)
    return torch.linalg.vector_norm(torch.linalg.cross(b - a, c - a), dim=1) / 2


def face_normals(mesh: Mesh) -> Float[Tensor, "f 3"]:
    """The unit normal of each face, (b − a) × (c − a) normalised; zero for a face without area.

    >>> face_normals(Mesh(torch.eye(3), torch.tensor([[0, 1, 2]])))
    tensor([[0.5774, 0.5774, 0.5774]])
    """
    a, b, c = mesh.corners.double().unbind(dim=1)  # of a tiny mesh the products would vanish
    vectors = torch.linalg.cross(b - a, c - a)
    unit = torch.nn.functional.normalize(vectors, dim=1, eps=torch.finfo(vectors.dtype).tiny)
    return unit.to(mesh.vertices.dtype)


def vertex_normals(mesh: Mesh) -> Float[Tensor, "v 3"]:
    """The unit normal at each vertex: the mean of its faces' normals, weighted by their areas.

    Zero for a vertex without faces.
    """
    a, b, c = mesh.corners.unbind(dim=1)
    vectors = torch.linalg.cross(b - a, c - a)
    sums = torch.zeros_like(mesh.vertices, dtype=vectors.dtype)
    for corner in range(3):
        sums = sums.index_add(0, mesh.faces[:, corner], vectors)
    unit = torch.nn.functional.normalize(sums, dim=1, eps=torch.finfo(sums.dtype).tiny)
    return unit.to(mesh.vertices.dtype)


def subdivide(mesh: Mesh) -> Mesh:
    """Split every face in four at the middles of its edges; the surface stays the same.

    >>> from course_lib.meshes import tetrahedron
    >>> subdivide(tetrahedron()).faces.shape
    torch.Size([16, 3])
    """
    edges, index, _ = undirected_edges(mesh.faces)
    middles = mesh.vertices[edges].mean(dim=1)  # (e, 3)
    ab, bc, ca = (index + len(mesh.vertices)).reshape(3, -1)
    a, b, c = mesh.faces.unbind(dim=1)
    parts = [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
    faces = torch.cat([torch.stack(part, dim=1) for part in parts])
    return Mesh(torch.cat([mesh.vertices, middles]), faces)


def concatenate(*meshes: Mesh) -> Mesh:
    """Several meshes as one; nothing is merged.

    >>> from course_lib.meshes import box
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


def _check_range(faces: Tensor, count: int) -> None:
    if faces.numel() and (int(faces.min()) < 0 or int(faces.max()) >= count):
        low, high = int(faces.min()), int(faces.max())
        raise ValueError(
            f"expected face indices from 0 to {count - 1} (there are {count} vertices), "
            f"got {low} to {high}"
        )
