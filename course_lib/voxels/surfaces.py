"""The voxels that a surface passes through."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.meshes import Mesh, lattice
from course_lib.shapes import Sdf
from course_lib.voxels.grids import AT_ONCE, check_in_cube, check_resolution
from course_lib.voxels.pairs import box_pairs


def surface_voxels(shape: Mesh | Sdf, resolution: int) -> Bool[Tensor, "r r r"]:
    """The voxels that the surface of a mesh, or of a signed distance function, passes through.

    For a mesh: the voxels that a triangle overlaps (Schwarz & Seidel 2010). For an SDF: those whose
    corners are not all on one side. Raises ValueError for a mesh outside [−1, 1]³ and where the
    result would be empty.

    >>> from course_lib.shapes import sphere
    >>> surface_voxels(sphere(0.8), 32).float().mean()
    tensor(0.0933)
    """
    check_resolution(resolution)
    grid = _of_mesh(shape, resolution) if isinstance(shape, Mesh) else _of_sdf(shape, resolution)
    if not bool(grid.any()):
        raise ValueError(f"the surface meets no voxel of [-1, 1]³ at resolution {resolution}")
    return grid


def _of_sdf(sdf: Sdf, r: int) -> Bool[Tensor, "r r r"]:
    corners = lattice(r)
    with torch.no_grad():
        values = torch.cat([sdf(part) <= 0 for part in corners.reshape(-1, 3).split(AT_ONCE)])
    inside = values.reshape(1, 1, r + 1, r + 1, r + 1).float()
    share = torch.nn.functional.avg_pool3d(inside, 2, stride=1)[0, 0]
    return (share > 0) & (share < 1)


def _of_mesh(mesh: Mesh, r: int) -> Bool[Tensor, "r r r"]:
    check_in_cube(mesh.vertices, "a mesh")
    corners = (mesh.corners.detach().double() + 1) * (r / 2)  # voxel i is [i, i + 1]
    low = corners.amin(1).floor().long().clamp(0, r - 1)
    high = corners.amax(1).floor().long().clamp(0, r - 1)
    grid = torch.zeros((r,) * 3, dtype=torch.bool, device=corners.device)
    for face, cell in box_pairs(low, high):
        cell = cell[_overlaps(corners[face], cell.double())]
        grid[cell[:, 0], cell[:, 1], cell[:, 2]] = True
    return grid


def _overlaps(corners: Float[Tensor, "n 3 3"], cell: Float[Tensor, "n 3"]) -> Bool[Tensor, "n"]:
    """Whether triangle i reaches into the unit box at `cell` i; their bounding boxes touch already.

    The separating planes left are the triangle's own, and those along its edges in the three
    projections; e·max is the largest value of a linear function e over the box.
    """
    local = corners - cell[:, None]
    edges = local.roll(-1, dims=1) - local
    normal = torch.linalg.cross(edges[:, 0], edges[:, 1])
    height = (normal * local[:, 0]).sum(1)
    touches = (height >= normal.clamp(max=0).sum(1)) & (height <= normal.clamp(min=0).sum(1))
    for x, y in ((0, 1), (1, 2), (2, 0)):
        facing = torch.where(normal[:, 3 - x - y] < 0, -1.0, 1.0).to(local)[:, None]
        # (n, 3) each: the inward normals of the edges
        a, b = -edges[..., y] * facing, edges[..., x] * facing
        start = a * local[..., x] + b * local[..., y]
        touches &= (a.clamp(min=0) + b.clamp(min=0) >= start).all(1)
    return touches
