"""From Gaussians to a mesh: their depth pictures, fused (Curless and Levoy 1996)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from course_lib.data.photographs import Photographs
from course_lib.meshes import Mesh, grid_to_mesh, lattice
from course_lib.nerf.occupancy import seen_at
from course_lib.splatting.field import SplatField

BAND = 3.0  # cells before and behind a surface in which a picture has a say


@torch.no_grad()
def extract_mesh(field: SplatField, scene: Photographs, *, resolution: int = 96) -> Mesh:
    """The zero set of a signed distance, averaged over what the scene's cameras see.

    A camera that sees a surface at the distance s along the ray to a point at the distance t says s - t,
    cut to three cells; more than that behind a surface it says nothing. Where nothing covers half
    of a pixel, it sees for ever. What no camera has a say about is inside. Of a
    contracted region it is what lies in the cube around which the cameras stand, cut off at its sides.
    ValueError where there is no surface.
    """
    region = field.region
    points = region.inner(lattice(resolution).to(field.background).reshape(-1, 3))
    band = BAND * 2 * region.scale / resolution
    total, views = torch.zeros_like(points[:, 0]), torch.zeros_like(points[:, 0])
    for index in range(len(scene)):
        inside, gap = _gaps(field, scene, index, points)
        says = inside & (gap > -band)
        total += torch.where(says, gap.clamp(max=band), 0)
        views += says
    distance = torch.where(views > 0, total / views.clamp(min=1), -band)
    distance = F.pad(distance.view((resolution + 1,) * 3)[1:-1, 1:-1, 1:-1], (1,) * 6, value=band)
    if not bool((distance < 0).any()):
        raise ValueError("there is no surface: train longer")
    mesh = grid_to_mesh(distance)
    return Mesh(region.inner(mesh.vertices), mesh.faces.to(mesh.vertices.device))


def _gaps(
    field: SplatField, scene: Photographs, index: int, points: Float[Tensor, "m 3"]
) -> tuple[Tensor, Float[Tensor, "m"]]:
    """Which points a camera has in its picture, and how far before the surface they are."""
    inside, row, column = seen_at(scene, index, points, field.near)
    shown = field.view(scene, index)
    depth = torch.where(shown.opacity > 0.5, shown.depth, float("inf"))
    away = (points - scene.camera_to_world[index, :3, 3]).norm(dim=-1)
    return inside, depth[row, column] - away
