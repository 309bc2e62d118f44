"""From a radiance field to a mesh: the level set of its density."""

import math

import torch
import torch.nn.functional as F

from course_lib.meshes import Mesh, grid_to_mesh, lattice
from course_lib.nerf.field import RadianceField


@torch.no_grad()
def extract_mesh(
    field: RadianceField, *, resolution: int = 128, opacity: float = 0.5, smooth: bool = True
) -> Mesh:
    """The surface where a layer one cell thick stops the share `opacity` of the light.

    Marching cubes (Lorensen and Cline 1987) on -log(1 - opacity) = σ · cell, in world coordinates. The
    density is averaged over 3³ samples if `smooth`, and zero at the border, so the mesh is closed.
    Raises ValueError for a contracted region, which has no outside, and where the density never
    reaches the level.
    """
    region = field.region
    if region.contracted:
        raise ValueError("expected a bounded scene: a contracted region has no outside")
    unit = lattice(resolution).to(region.center).reshape(-1, 3)
    sigma = field.density(region.to_world(unit)).view(1, 1, *(resolution + 1,) * 3)
    if smooth:
        sigma = F.avg_pool3d(sigma, 3, 1, 1)
    sigma = F.pad(sigma[..., 1:-1, 1:-1, 1:-1], (1,) * 6)[0, 0]
    depth = sigma * (2 * region.scale / resolution)  # of a layer as thick as a cell
    level = -math.log(1 - opacity)
    if not depth.max() > level:
        raise ValueError(f"the density is nowhere {opacity:g} opaque: train longer, or lower it")
    mesh = grid_to_mesh(level - depth)
    return Mesh(region.to_world(mesh.vertices), mesh.faces.to(mesh.vertices.device))
