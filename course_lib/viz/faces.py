"""Shading of faces: soft light on smooth or creased surfaces, and the visible sides of voxels."""

import math

import torch
from torch import Tensor

CREASE = math.cos(math.radians(35))
# In camera axes: key from the upper left, fill from the right, both towards the viewer.
KEY, FILL = (-0.45, 0.65, 0.62), (0.75, 0.05, 0.65)


def shaded_corners(
    vertices: Tensor,
    faces: Tensor,
    camera: Tensor,
    colors: Tensor | None,
    base: Tensor,
    *,
    smooth: bool = True,
) -> Tensor:
    """The colour (f, 3, 3) of every corner of every face under soft light from the camera's side.

    `colors` is per vertex or per face (then taken per face), else `base` is used for all. Corners
    share a normal where the surface is smooth and keep their face's own at creases over 35°.
    """
    corners = vertices[faces]  # (f, 3, 3)
    area = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    own = area / area.norm(dim=1, keepdim=True).clamp(min=1e-12)
    normals = own[:, None].expand(-1, 3, -1)
    if smooth:
        shared = torch.zeros_like(vertices)
        shared.index_add_(0, faces.reshape(-1), area.repeat_interleave(3, dim=0))
        shared = shared / shared.norm(dim=1, keepdim=True).clamp(min=1e-12)
        shared = shared[faces]
        soft = (shared * normals).sum(dim=-1, keepdim=True) > CREASE
        normals = torch.where(soft, shared, normals)
    towards = camera[:3, 3] - corners.mean(dim=1)
    flipped = (own * towards).sum(dim=1) < 0  # seen from inside: light the side that is seen
    normals = torch.where(flipped[:, None, None], -normals, normals)
    light = _light(normals @ camera[:3, :3])
    if colors is None:
        albedo = base.expand(*light.shape, 3)
    elif len(colors) == len(vertices) and len(colors) != len(faces):
        albedo = colors[faces]
    else:
        albedo = colors[:, None].expand(-1, 3, -1)
    return albedo * light[..., None] + 0.1 * _gloss(normals @ camera[:3, :3])[..., None]


def _light(normals: Tensor) -> Tensor:
    """Sky and ground, key and fill, for normals in camera axes."""
    sky = 0.5 + 0.5 * normals[..., 1]
    return 0.42 + 0.2 * sky + 0.62 * _towards(normals, KEY) + 0.24 * _towards(normals, FILL)


def _gloss(normals: Tensor) -> Tensor:
    return _towards(normals, KEY) ** 12


def _towards(normals: Tensor, direction: tuple[float, float, float]) -> Tensor:
    light = torch.tensor(direction)
    return (normals @ (light / light.norm())).clamp(min=0)


def exposed_faces(grid: Tensor) -> tuple[Tensor, Tensor]:
    """The sides of occupied voxels that face empty ones: vertices (v, 3), faces (f, 3).

    Voxel (i, j, k) fills the cube around −1 + (2i + 1)/r, … of side 2/r.

    >>> [len(x) for x in exposed_faces(torch.ones(1, 1, 1, dtype=torch.bool))]
    [24, 12]
    """
    padded = torch.nn.functional.pad(grid, (1, 1, 1, 1, 1, 1))
    scale = 2.0 / torch.tensor(grid.shape)
    quads = []
    for axis in range(3):
        for step in (-1, 1):
            hidden = padded.roll(-step, dims=axis)[1:-1, 1:-1, 1:-1]
            cells = (grid & ~hidden).nonzero().float()  # (q, 3)
            quads.append((cells[:, None] + _quad(axis, step)) * scale - 1)
    vertices = torch.cat(quads)  # (q, 4, 3)
    first = 4 * torch.arange(len(vertices))[:, None]
    faces = torch.cat([first + torch.tensor([0, 1, 2]), first + torch.tensor([0, 2, 3])])
    return vertices.reshape(-1, 3), faces


def _quad(axis: int, step: int) -> Tensor:
    """The corners (4, 3) of a unit cell's side, counter-clockwise seen from outside."""
    square = [(0, 0), (1, 0), (1, 1), (0, 1)]
    corners = torch.zeros(4, 3)
    for row, (a, b) in enumerate(square if step > 0 else square[::-1]):
        corners[row, axis] = (step + 1) / 2
        corners[row, (axis + 1) % 3], corners[row, (axis + 2) % 3] = a, b
    return corners
