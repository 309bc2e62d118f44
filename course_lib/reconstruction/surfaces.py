"""A closed mesh out of predicted voxels or points."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.meshes import Mesh, grid_to_mesh, lattice
from course_lib.neighbors import nearest_neighbors


def logits_to_mesh(logits: Float[Tensor, "r r r"]) -> Mesh:
    """The surface where the logit is zero; a layer of empty voxels around closes it."""
    padded = nn.functional.pad(logits.detach().float(), (1,) * 6, value=-5.0)
    return grid_to_mesh(both_signs(-padded), bound=1 + 1 / len(logits))


def points_to_mesh(points: Float[Tensor, "n 3"]) -> Mesh:
    """The solid whose surface the points lie on, as far as it can be told.

    Balls around the points close the gaps, the hollows that they enclose are filled, and what the
    balls added outside is taken away again.
    """
    from scipy.ndimage import binary_fill_holes, distance_transform_edt

    resolution, bound, radius = 64, 1.15, 0.1
    corners = lattice(resolution, bound).to(points)
    squared, _ = nearest_neighbors(corners.reshape(1, -1, 3), points.detach()[None])
    balls = (squared[0].sqrt() < radius).reshape(corners.shape[:3])
    filled = binary_fill_holes(balls.cpu().numpy())
    depth = torch.from_numpy(distance_transform_edt(filled)).to(points) * (2 * bound / resolution)
    return grid_to_mesh(both_signs(radius - depth), bound=bound)


def both_signs(values: Tensor) -> Tensor:
    """A lattice without a surface gets a speck at its lowest value, so that there is a mesh."""
    if bool((values < 0).any()):
        return values
    values = values.clone()
    values.view(-1)[values.argmin()] = -1e-3
    return values
