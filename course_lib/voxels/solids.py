"""Meshes to solid grids, and grids to meshes."""

import warnings

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.implicit import fast_winding_number, is_closed, tidy
from course_lib.meshes import Mesh, grid_to_mesh
from course_lib.voxels.grids import AT_ONCE, check_in_cube, check_resolution, voxel_centers
from course_lib.voxels.pairs import box_pairs


def mesh_to_voxels(mesh: Mesh, resolution: int) -> Bool[Tensor, "r r r"]:
    """The solid grid of a mesh: a voxel is occupied if the surface winds round its centre.

    The winding number of a closed mesh is counted along columns: the faces above a centre, +1 for
    one seen from below (its back), −1 for one seen from its front. Occupied is every number but 0, so
    overlapping solids unite and a mesh that is inside out counts too. An **open** mesh has no
    inside; there a voxel of the mesh's bounding box is occupied where the winding number (the share
    of all directions in which the surface shows its back) is beyond ½ in size, and a warning says
    so: small holes are closed smoothly, a half ball is empty. Repeated and turned faces: see `tidy`.

    Raises ValueError for a mesh outside [−1, 1]³ or without area, and where no voxel is occupied.

    >>> from course_lib.meshes import box
    >>> int(mesh_to_voxels(box(1.0), 8).sum())
    64
    """
    check_resolution(resolution)
    check_in_cube(mesh.vertices, "a mesh")
    mesh = tidy(mesh)
    if is_closed(mesh):
        grid = _column_winding(mesh, resolution) != 0
    else:
        warnings.warn(
            "the mesh is open: voxels with a winding number beyond 0.5 count as inside",
            stacklevel=2,
        )
        grid = _by_solid_angle(mesh, resolution)
    if not bool(grid.any()):
        raise ValueError(
            f"no voxel centre lies inside the mesh at resolution {resolution}: it is too thin or "
            "encloses nothing (surface_voxels gives its surface)"
        )
    return grid


INFINITESIMAL = 1e-200
"""A positive number that changes no sum of float64, and yet gives a zero its sign."""


def _column_winding(mesh: Mesh, r: int) -> Tensor:
    """The winding number at every centre, from the crossings of the lines through them along z."""
    corners = mesh.corners.detach().double()
    flat = (corners[..., :2] + 1) * (r / 2) - 0.5  # in units of voxels, centres at integers
    low = flat.amin(1).ceil().long().clamp(0, r)
    high = flat.amax(1).floor().long().clamp(-1, r - 1)
    count = torch.zeros(r * r * (r + 1), dtype=torch.int64, device=flat.device)
    for face, cell in box_pairs(low, high):
        sides = column_sides(flat[face], mesh.faces[face], cell.double())  # (n, 3)
        hit = (sides > 0).all(1) | (sides < 0).all(1)
        face, cell, sides = face[hit], cell[hit], sides[hit]
        weights = sides / sides.sum(1, keepdim=True)
        height = (weights * corners[face][..., 2]).sum(1)
        above = ((height + 1) * (r / 2) - 0.5).ceil().long().clamp(0, r)  # centres below: k < above
        slot = (cell[:, 0] * r + cell[:, 1]) * (r + 1) + above
        count.index_add_(0, slot, torch.sign(sides[:, 0]).long())
    return count.reshape(r, r, r + 1).flip(2).cumsum(2).flip(2)[:, :, 1:]


def column_sides(flat: Tensor, faces: Tensor, at: Tensor) -> Tensor:
    """Twice the signed areas (at, b, c), (at, c, a), (at, a, b) of each triangle a, b, c.

    Each edge is evaluated from its lower to its higher vertex index, and where that gives zero, at a
    point infinitesimally beside: so all faces around an edge or a vertex agree where a line passes.
    """
    areas = []
    for i, j in ((1, 2), (2, 0), (0, 1)):
        forward = (faces[:, i] < faces[:, j])[:, None]
        p = torch.where(forward, flat[:, i], flat[:, j])
        q = torch.where(forward, flat[:, j], flat[:, i]) - p
        d = at - p
        area = q[:, 0] * d[:, 1] - q[:, 1] * d[:, 0]
        beside = torch.where(q[:, 1] != 0, -q[:, 1], q[:, 0])  # the sign at x + ε, y + ε²
        area = torch.where(area == 0, beside * INFINITESIMAL, area)
        areas.append(torch.where(forward[:, 0], area, -area))
    return torch.stack(areas, dim=1)


def _by_solid_angle(mesh: Mesh, r: int) -> Bool[Tensor, "r r r"]:
    centers = voxel_centers(r, device=mesh.vertices.device)
    used = mesh.vertices[mesh.faces].detach()
    boxed = ((centers >= used.amin((0, 1))) & (centers <= used.amax((0, 1)))).all(-1)
    parts = [fast_winding_number(some, mesh).abs() > 0.5 for some in centers[boxed].split(AT_ONCE)]
    grid = torch.zeros_like(boxed)
    grid[boxed] = torch.cat(parts) if parts else grid[boxed]
    return grid


def voxels_to_mesh(grid: Bool[Tensor, "r r r"]) -> Mesh:
    """The surface of a grid by marching cubes, halfway between occupied and empty centres.

    Closed, a manifold, facing outwards. Voxels are joined by their faces: those that touch along an
    edge or in a corner only stay apart, so pieces and genus are those of the face-connected solid.
    A grid of yes and no has lost where inside a voxel the surface was: the area of a sphere comes out
    about 8.8 % too large at every resolution. ValueError if empty.

    >>> voxels_to_mesh(torch.ones(1, 1, 1, dtype=torch.bool)).faces.shape  # an octahedron
    torch.Size([8, 3])
    """
    if not bool(grid.any()):
        raise ValueError("expected a grid with occupied voxels, got an empty one")
    # Marched nearer to the occupied centres: halfway is a tie on every face with two voxels at its
    # diagonal, which neighbouring cubes may settle differently; then the surface is put halfway.
    field: Float[Tensor, "m m m"] = 0.9 - grid.float()
    bound = 1 + 1 / len(grid)  # the centres of the empty voxels around
    mesh = grid_to_mesh(torch.nn.functional.pad(field, (1,) * 6, value=0.9), bound)
    place = (mesh.vertices + bound) * (len(grid) / 2)  # in voxels; whole numbers are centres
    halfway = torch.where((place - place.round()).abs() < 0.05, place.round(), place.floor() + 0.5)
    return Mesh(halfway * (2 / len(grid)) - bound, mesh.faces)
