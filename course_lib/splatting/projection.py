"""From Gaussians in space to Gaussians on the picture (Zwicker et al. 2001, EWA splatting)."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.data.photographs import Photographs, distort
from course_lib.splatting.gaussians import Gaussians

FILTER = 0.3  # square pixels added to a splat's variances, so that none slips between the pixels
BESIDE = 1.3  # the affine approximation is taken at most so far out, in halves of the picture


class View(NamedTuple):
    """A camera and its picture: OpenGL axes; fx, fy, cx, cy in pixels; OpenCV's k1, k2, p1, p2;
    (height, width); what is nearer than `near` is not drawn."""

    camera_to_world: Float[Tensor, "4 4"]
    intrinsics: Float[Tensor, "4"]
    distortion: Float[Tensor, "4"]
    size: tuple[int, int]
    near: float

    @property
    def eye(self) -> Float[Tensor, "3"]:
        """Where the camera is."""
        return self.camera_to_world[:3, 3]

    def rows(self, top: int, bottom: int) -> "View":
        """A strip of the picture: rows top, …, bottom - 1."""
        intrinsics = self.intrinsics - self.intrinsics.new_tensor([0, 0, 0, top])
        return self._replace(intrinsics=intrinsics, size=(bottom - top, self.size[1]))

    def finer(self, factor: int) -> "View":
        """The same picture with factor² pixels for each."""
        height, width = self.size
        return self._replace(
            intrinsics=self.intrinsics * factor, size=(height * factor, width * factor)
        )


def view_of(scene: Photographs, index: int, *, near: float) -> View:
    """The camera of a photograph."""
    camera, intrinsics = scene.camera_to_world[index], scene.intrinsics[index]
    return View(camera, intrinsics, scene.distortion[index], scene.size, near)


class Splats(NamedTuple):
    """m Gaussians on a picture, the nearest first.

    centers: (x, y) in pixels; covariances: in square pixels; index: which of the Gaussians in space
    each one is (the others lie behind the camera, or too near).
    """

    centers: Float[Tensor, "m 2"]
    covariances: Float[Tensor, "m 2 2"]
    index: Int[Tensor, "m"]  # type: ignore[assignment]  # a tuple's own method has this name


def project_gaussians(gaussians: Gaussians, view: View) -> Splats:
    """The splats that Gaussians leave on a picture.

    The perspective picture of a Gaussian is not one. But near its centre the projection is nearly
    affine, x + J q, and an affine map makes of N(m, Σ) the Gaussian N(x, J Rᵀ Σ R Jᵀ + 0.3 I); the 0.3
    square pixels stand for the pixel's own width (`FILTER`).
    """
    rotation = view.camera_to_world[:3, :3]
    local = (gaussians.means - view.eye) @ rotation  # looks along -z
    with torch.no_grad():
        index = (-local[:, 2]).argsort()
        index = index[-local[index, 2] > view.near]
    local = local.index_select(0, index)
    slopes = local[:, :2] / -local[:, 2:]
    spread = gaussians.covariances.index_select(0, index)
    jacobian = projection_jacobian(_not_far_beside(local, slopes, view), view.intrinsics[:2])
    slopes = _distorted(slopes, view.distortion)
    focal = view.intrinsics[:2] * view.intrinsics.new_tensor([1, -1])  # rows are counted downwards
    centers = view.intrinsics[2:] + focal * slopes
    return Splats(centers, project_covariance(spread, rotation, jacobian), index)


def projection_jacobian(
    points: Float[Tensor, "n 3"], focal: Float[Tensor, "2"]
) -> Float[Tensor, "n 2 3"]:
    """J: how the pixel (x, y) of a point moves with the point.

    points: in the camera's axes, which looks along -z; focal: fx, fy in pixels. With the depth z = -p₃
    the pixel is (cx + fx p₁/z, cy - fy p₂/z), and J has the rows fx (1/z, 0, p₁/z²) and
    -fy (0, 1/z, p₂/z²).

    >>> projection_jacobian(torch.tensor([[0.0, 1.0, -2.0]]), torch.tensor([8.0, 8.0]))[0, 1]
    tensor([-0., -4., -2.])
    """
    x, y, z = points[:, 0], points[:, 1], -points[:, 2]
    zero = torch.zeros_like(z)
    right = torch.stack([1 / z, zero, x / z**2], dim=-1)
    up = torch.stack([zero, 1 / z, y / z**2], dim=-1)
    return torch.stack([focal[0] * right, -focal[1] * up], dim=1)


def project_covariance(
    covariances: Float[Tensor, "n 3 3"],
    rotation: Float[Tensor, "3 3"],
    jacobians: Float[Tensor, "n 2 3"],
) -> Float[Tensor, "n 2 2"]:
    """Σ' = J Rᵀ Σ R Jᵀ + 0.3 I: how wide Gaussians are on the picture, in square pixels.

    covariances: in the world's axes; rotation: camera to world, R, so that Rᵀ turns into the camera's
    axes; jacobians: of `projection_jacobian`. Differentiable in the covariances.

    >>> flat = torch.tensor([[[2.0, 0.0, 0.0], [0.0, 3.0, 0.0]]])
    >>> project_covariance(torch.eye(3)[None], torch.eye(3), flat)[0].diagonal()
    tensor([4.3000, 9.3000])
    """
    affine = jacobians @ rotation.T  # (n, 2, 3): from the world to pixels
    pixel = FILTER * torch.eye(2, dtype=affine.dtype, device=affine.device)
    return affine @ covariances @ affine.transpose(1, 2) + pixel


def _not_far_beside(
    local: Float[Tensor, "m 3"], slopes: Float[Tensor, "m 2"], view: View
) -> Float[Tensor, "m 3"]:
    """Points far beside the picture moved to its edge: out there the affine map is no approximation."""
    half = view.intrinsics.new_tensor([view.size[1], view.size[0]]) / 2
    limit = (BESIDE * half + (view.intrinsics[2:] - half).abs()) / view.intrinsics[:2]
    slopes = torch.maximum(torch.minimum(slopes, limit), -limit)
    return torch.cat([slopes * -local[:, 2:], local[:, 2:]], dim=-1)


def _distorted(slopes: Float[Tensor, "m 2"], lens: Float[Tensor, "4"]) -> Float[Tensor, "m 2"]:
    """Where OpenCV's lens puts the slopes (right, up)."""
    if not bool(lens.any()):
        return slopes
    x, y = distort(slopes[:, 0], -slopes[:, 1], lens, farthest=4.0)  # what a lens can see
    return torch.stack([x, -y], dim=-1)
