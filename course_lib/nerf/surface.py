"""From a radiance field to a mesh: the level set of its density."""

import math
import warnings

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
    Of a contracted region it is what lies in the cube around which the cameras stand, cut off at its
    sides. Where the density never reaches the level, half its maximum does, with a warning.
    """
    region = field.region
    unit = lattice(resolution).to(region.center).reshape(-1, 3)
    sigma = field.density(region.inner(unit)).view(1, 1, *(resolution + 1,) * 3)
    if smooth:
        sigma = F.avg_pool3d(sigma, 3, 1, 1)
    sigma = F.pad(sigma[..., 1:-1, 1:-1, 1:-1], (1,) * 6)[0, 0]
    depth = sigma * (2 * region.scale / resolution)  # of a layer as thick as a cell
    level, most = -math.log(1 - opacity), depth.max().item()
    if most <= level:
        level = most / 2
        warnings.warn(
            f"the density is nowhere {opacity:g} opaque: this surface is of haze, train longer",
            UserWarning,
            stacklevel=3,  # beyond torch.no_grad
        )
    mesh = grid_to_mesh(level - depth)
    return Mesh(region.inner(mesh.vertices), mesh.faces.to(mesh.vertices.device))
