"""From a radiance field to a mesh: the level set of its density, or of its distance."""

import math
import warnings

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from course_lib.meshes import Mesh, grid_to_mesh, lattice
from course_lib.nerf.field import RadianceField
from course_lib.nerf.sdf import SurfaceField

OPACITY = 0.5  # share of the light that a layer one cell thick stops, on the surface


@torch.no_grad()
def extract_mesh(field: RadianceField, *, resolution: int = 128, smooth: bool = True) -> Mesh:
    """The surface by marching cubes (Lorensen and Cline 1987), in world coordinates.

    It is where a layer one cell thick stops half of the light, -log(1 - 0.5) = σ · cell, the density
    being averaged over 3³ samples if `smooth`; of a `SurfaceField` where the signed distance is 0. It is
    closed at the region's border, and hollows inside, which no camera sees, are filled. Of a contracted
    region it is what lies in the cube around which the cameras stand, cut off at its sides. Where
    nothing is inside, what comes next to it is the surface, with a warning.
    """
    region, n = field.region, resolution + 1
    points = region.inner(lattice(resolution).to(region.center).reshape(-1, 3))
    cell = 2 * region.scale / resolution
    if isinstance(field, SurfaceField):
        values, level, empty = field.distance(points).view(n, n, n), 0.0, cell
    else:
        depth = field.density(points).view(1, 1, n, n, n) * cell
        values = -(F.avg_pool3d(depth, 3, 1, 1) if smooth else depth)[0, 0]
        level, empty = math.log(1 - OPACITY), 0.0
    outside = _with_an_inside(values[1:-1, 1:-1, 1:-1], level, empty)
    outside = F.pad(outside, (1,) * 6, value=cell)
    mesh = grid_to_mesh(torch.where(_filled(outside), -outside.abs() - 1e-6, outside))
    return Mesh(region.inner(mesh.vertices), mesh.faces.to(mesh.vertices.device))


def _with_an_inside(
    values: Float[Tensor, "n n n"], level: float, empty: float
) -> Float[Tensor, "n n n"]:
    """`values` less `level`; if none is below it, less what lies half-way from `empty` to the least."""
    least = values.min().item()
    if least >= level:
        level = (least + empty) / 2
        warnings.warn(
            "nothing is dense enough to be inside: this surface is of haze, train longer",
            stacklevel=4,  # beyond torch.no_grad
        )
    return values - level


def _filled(outside: Float[Tensor, "n n n"]) -> Tensor:
    """Where what is inside encloses what is not."""
    from scipy.ndimage import binary_fill_holes

    solid = (outside < 0).cpu().numpy()
    return torch.from_numpy(binary_fill_holes(solid) & ~solid).to(outside.device)
