"""A picture as a stack of half-transparent planes: homographies, compositing, novel views."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def plane_homography(
    intrinsics: Float[Tensor, "3 3"],
    source_to_target: Float[Tensor, "4 4"],
    normal: Float[Tensor, "3"],
    distance: float | Float[Tensor, ""],
) -> Float[Tensor, "3 3"]:
    """The 3×3 matrix H that takes source pixels of a plane to the target camera's pixels.

    The plane is n·x = d in the source camera's axes (x right, y down, z forwards); a point moves to
    R x + t in the target's. Since n·x/d = 1 on it, R x + t = (R + t nᵀ/d) x, and so
    H = K (R + t nᵀ/d) K⁻¹  (Hartley & Zisserman, 13.1).

    >>> move = torch.eye(4)
    >>> move[0, 3] = 2.0
    >>> plane_homography(torch.eye(3), move, torch.tensor([0.0, 0.0, 1.0]), 4.0)[0]
    tensor([1.0000, 0.0000, 0.5000])
    """
    if float(distance) == 0:
        raise ValueError("expected a plane that misses the camera, got distance 0")
    rotation, translation = source_to_target[:3, :3], source_to_target[:3, 3]
    on_plane = rotation + torch.outer(translation, normal) / distance
    return intrinsics @ on_plane @ torch.linalg.inv(intrinsics)


def over_composite(rgba: Float[Tensor, "p h w 4"]) -> Float[Tensor, "h w 3"]:
    """What p planes show together, the nearest first, before a black background.

    C = Σᵢ αᵢ cᵢ Π_{j<i} (1 − αⱼ): a plane counts as far as those before it let light through
    (Porter & Duff 1984, "over"). Colours are not premultiplied; all values in [0, 1].

    >>> red, green = [1.0, 0, 0, 0.5], [0.0, 1.0, 0, 1.0]
    >>> over_composite(torch.tensor([red, green]).reshape(2, 1, 1, 4))
    tensor([[[0.5000, 0.5000, 0.0000]]])
    """
    alpha = rgba[..., 3:]
    passed = torch.cumprod(1 - alpha, dim=0)
    before = torch.cat((torch.ones_like(passed[:1]), passed[:-1]))  # (p, h, w, 1)
    return (rgba[..., :3] * alpha * before).sum(dim=0)


def plane_depths(near: float, far: float, count: int) -> Float[Tensor, "p"]:
    """Depths of planes with equal steps in 1/depth, so equal steps of parallax; nearest first.

    >>> plane_depths(1.0, 2.0, 3)
    tensor([1.0000, 1.3333, 2.0000])
    """
    if count < 1 or not 0 < near <= far:
        raise ValueError(f"expected 0 < near <= far and a plane, got {near}, {far}, {count}")
    return 1 / torch.linspace(1 / near, 1 / far, count)


def mpi_from_depth(
    image: Float[Tensor, "h w 3"], depth: Float[Tensor, "h w"], depths: Float[Tensor, "p"]
) -> Float[Tensor, "p h w 4"]:
    """A multi-plane image from a picture with depth: each pixel on the plane nearest in 1/depth.

    Pixels without a finite depth are left transparent. Every plane carries the whole picture as its
    colour, so that interpolation at the edges of its opaque part brings in no black.
    """
    seen = depth.isfinite() & (depth > 0)
    inverse = torch.where(seen, 1 / torch.where(seen, depth, 1.0), torch.inf)
    nearest = (inverse[None] - (1 / depths)[:, None, None]).abs().argmin(dim=0)
    alpha = (torch.arange(len(depths), device=depth.device)[:, None, None] == nearest) & seen
    color = image.expand(len(depths), -1, -1, -1)
    return torch.cat((color, alpha[..., None].to(image)), dim=-1)


def render_mpi(
    rgba: Float[Tensor, "p h w 4"],
    depths: Float[Tensor, "p"],
    intrinsics: Float[Tensor, "3 3"],
    source_to_target: Float[Tensor, "4 4"],
) -> Float[Tensor, "h w 3"]:
    """The picture from another camera: each plane warped by its homography, then composited.

    `source_to_target` moves points from the source camera's axes (x right, y down, z forwards) to the
    target's. Pixels that see no plane are black.
    """
    h, w = rgba.shape[1:3]
    v, u = torch.meshgrid(
        torch.arange(h, device=rgba.device) + 0.5,
        torch.arange(w, device=rgba.device) + 0.5,
        indexing="ij",
    )
    pixels = torch.stack((u, v, torch.ones_like(u)), dim=-1).to(rgba)  # (h, w, 3)
    size = torch.tensor([w, h]).to(rgba)
    normal = torch.tensor([0.0, 0.0, 1.0]).to(rgba)
    warped = []
    for plane, depth in zip(rgba, depths, strict=True):
        back = torch.linalg.inv(plane_homography(intrinsics, source_to_target, normal, depth))
        source = pixels @ back.T
        grid = 2 * source[..., :2] / source[..., 2:] / size - 1
        moved = F.grid_sample(plane.permute(2, 0, 1)[None], grid[None], align_corners=False)
        warped.append(moved[0].permute(1, 2, 0) * (source[..., 2:] > 0))
    return over_composite(torch.stack(warped))
