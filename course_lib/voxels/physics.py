"""Voxels as matter of density 1: volume, centre of mass, inertia."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.voxels.grids import voxel_centers


def volume(grid: Bool[Tensor, "r r r"]) -> Float[Tensor, ""]:
    """Occupied voxels times (2/r)³, the volume of one.

    >>> volume(torch.ones(4, 4, 4, dtype=torch.bool))
    tensor(8.)
    """
    return grid.sum() * (2 / len(grid)) ** 3


def inertia_tensor(grid: Bool[Tensor, "r r r"]) -> Float[Tensor, "3 3"]:
    """The inertia tensor about the centre of mass, of a body of density 1.

    I = Σ m (|x|² 1 − x xᵀ) + m s²/6 · 1 over the occupied voxels, x from the centre of mass, with the
    side s = 2/r and the mass m = s³ of a voxel; the second term is the voxel's own inertia.

    >>> inertia_tensor(torch.ones(4, 4, 4, dtype=torch.bool)).diagonal()  # m a²/6 = 8 · 4/6
    tensor([5.3333, 5.3333, 5.3333])
    """
    if not bool(grid.any()):
        raise ValueError("expected a grid with occupied voxels, got an empty one")
    side = 2 / len(grid)
    x = voxel_centers(len(grid), device=grid.device)[grid].double()
    x = x - x.mean(dim=0)  # (n, 3)
    spread = x.T @ x  # (3, 3)
    one = torch.eye(3).to(spread)
    tensor = side**3 * (spread.trace() * one - spread + len(x) * side**2 / 6 * one)
    return tensor.float()
