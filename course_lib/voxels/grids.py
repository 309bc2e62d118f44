"""Voxel grids: bool tensors over [−1, 1]³, index x, y, z, centres at −1 + (2i + 1)/r."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.shapes import Sdf

AT_ONCE = 1 << 20


def voxel_centers(
    resolution: int, *, device: torch.device | str | None = None
) -> Float[Tensor, "r r r 3"]:
    """The centres of the voxels, c_i = −1 + (2i + 1)/r along each axis.

    >>> voxel_centers(2)[1, 0, 0]
    tensor([ 0.5000, -0.5000, -0.5000])
    """
    check_resolution(resolution)
    line = (2 * torch.arange(resolution, device=device) + 1) / resolution - 1
    return torch.stack(torch.meshgrid(line, line, line, indexing="ij"), dim=-1)


def voxelize(sdf: Sdf, resolution: int) -> Bool[Tensor, "r r r"]:
    """The solid grid of a signed distance function: occupied where SDF(centre) ≤ 0.

    >>> from course_lib.shapes import sphere
    >>> int(voxelize(sphere(0.8), 2).sum())  # the centres are √3/2 = .87 from the origin
    0
    >>> int(voxelize(sphere(0.9), 2).sum())
    8
    """
    with torch.no_grad():
        return sdf(voxel_centers(resolution)) <= 0


def points_to_voxels(points: Float[Tensor, "n 3"], resolution: int) -> Bool[Tensor, "r r r"]:
    """The grid of the voxels that hold at least one point: i = ⌊(x + 1) r / 2⌋.

    The points lie in [−1, 1]³; the upper side, x = 1, belongs to the last voxel.

    >>> points_to_voxels(torch.tensor([[-0.9, 0.1, 0.9]]), 2).nonzero()
    tensor([[0, 1, 1]])
    """
    check_resolution(resolution)
    check_in_cube(points, "points")
    index = ((points + 1) * (resolution / 2)).floor().long().clamp(max=resolution - 1)
    grid = torch.zeros((resolution,) * 3, dtype=torch.bool, device=points.device)
    grid[index[:, 0], index[:, 1], index[:, 2]] = True
    return grid


def occupied_fraction(grid: Bool[Tensor, "x y z"]) -> Float[Tensor, ""]:
    """The share of voxels that are occupied, in [0, 1].

    >>> occupied_fraction(torch.tensor([[[True, False], [False, False]]]))
    tensor(0.2500)
    """
    return grid.float().mean()


def conv3d_cost(
    channels: tuple[int, int], resolution: int, kernel: int, stride: int = 1, padding: int = 0
) -> tuple[int, int, int]:
    """What one 3D convolution costs: (output voxels per side, parameters, bytes of the output).

    channels is (c_in, c_out). Output side ⌊(r + 2p − k)/s⌋ + 1; parameters c_out (c_in k³ + 1); four
    bytes per output value.

    >>> conv3d_cost((1, 8), 32, 3, padding=1)
    (32, 224, 1048576)
    """
    c_in, c_out = channels
    side = (resolution + 2 * padding - kernel) // stride + 1
    return side, c_out * (c_in * kernel**3 + 1), 4 * c_out * side**3


def check_resolution(resolution: int) -> None:
    """Raise ValueError unless there is at least one voxel per side."""
    if resolution < 1:
        raise ValueError(f"expected a resolution of at least 1, got {resolution}")


def check_in_cube(points: Tensor, what: str) -> None:
    """Raise ValueError unless all points are finite and in [−1, 1]³, to a millionth."""
    if not len(points):
        return
    reach = float(points.detach().abs().max())
    if not reach <= 1 + 1e-6:
        raise ValueError(
            f"expected {what} in [-1, 1]³, got |coordinate| = {reach:.6g}: scale first"
        )
