"""Photographs with known cameras: what a radiance field is trained on."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

OF_EACH = ("images", "camera_to_world", "intrinsics", "distortion")  # tensors with the axis n


@dataclass(frozen=True)
class Photographs:
    """n photographs of one size, and where and how they were taken.

    images: straight (not premultiplied) RGBA, alpha 255 everywhere if the photographs have none;
    camera_to_world: OpenGL axes; intrinsics: fx, fy, cx, cy in pixels; distortion: OpenCV's k1, k2, p1,
    p2, which `rays` undoes; near, far: distances between which the scene lies, 0 and inf if unknown.
    """

    images: UInt8[Tensor, "n h w 4"]
    camera_to_world: Float[Tensor, "n 4 4"]
    intrinsics: Float[Tensor, "n 4"]
    distortion: Float[Tensor, "n 4"]
    names: tuple[str, ...]
    near: float = 0.0
    far: float = float("inf")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.images.shape[1], self.images.shape[2]

    @property
    def has_alpha(self) -> bool:
        """Whether any pixel is transparent."""
        return bool((self.images[..., 3] < 255).any())

    def select(self, indices: Sequence[int] | slice) -> "Photographs":
        """The scene with some of its photographs."""
        chosen = list(range(len(self))[indices] if isinstance(indices, slice) else indices)
        parts = {name: getattr(self, name)[chosen] for name in OF_EACH}
        return replace(self, **parts, names=tuple(self.names[i] for i in chosen))

    def to(self, device: torch.device | str) -> "Photographs":
        """The scene on another device."""
        return replace(self, **{name: getattr(self, name).to(device) for name in OF_EACH})

    def colors(self, background: float = 1.0) -> Float[Tensor, "n h w 3"]:
        """The photographs over a background colour, in [0, 1]."""
        return over(self.images.float() / 255, background)

    def rays(
        self, index: int, *, supersample: int = 1
    ) -> tuple[Float[Tensor, "h w 3"], Float[Tensor, "h w 3"]]:
        """Origins and unit directions of the rays of one photograph, so many squared per pixel."""
        height, width = (supersample * side for side in self.size)
        device = self.images.device
        y, x = torch.meshgrid(
            (torch.arange(height, device=device) + 0.5) / supersample,
            (torch.arange(width, device=device) + 0.5) / supersample,
            indexing="ij",
        )
        which = torch.full((height * width,), index, device=device)
        origins, directions = self.rays_through(which, x.reshape(-1), y.reshape(-1))
        return origins.view(height, width, 3), directions.view(height, width, 3)

    def rays_through(
        self, which: Int[Tensor, "m"], x: Float[Tensor, "m"], y: Float[Tensor, "m"]
    ) -> tuple[Float[Tensor, "m 3"], Float[Tensor, "m 3"]]:
        """Rays through positions (x, y) in pixels of the photographs `which`."""
        fx, fy, cx, cy = self.intrinsics[which].unbind(-1)
        right, down = (x - cx) / fx, (y - cy) / fy
        if bool(self.distortion.any()):
            right, down = undistort(right, down, self.distortion[which])
        local = torch.stack([right, -down, -torch.ones_like(right)], dim=-1)  # (m, 3)
        pose = self.camera_to_world[which]
        directions = (pose[:, :3, :3] @ local[:, :, None])[:, :, 0]
        return pose[:, :3, 3], torch.nn.functional.normalize(directions, dim=-1)

    def pixels_of(
        self, index: int, points: Float[Tensor, "m 3"]
    ) -> tuple[Float[Tensor, "m"], Float[Tensor, "m"], Float[Tensor, "m"]]:
        """Where points fall in one photograph: x, y in pixels, and depth (lens distortion ignored)."""
        pose, (fx, fy, cx, cy) = self.camera_to_world[index], self.intrinsics[index].tolist()
        local = (points - pose[:3, 3]) @ pose[:3, :3]
        depth = -local[:, 2]
        safe = depth.clamp(min=1e-6)
        return cx + fx * local[:, 0] / safe, cy - fy * local[:, 1] / safe, depth


def over(
    rgba: Float[Tensor, "*n 4"], background: float | Float[Tensor, "..."]
) -> Float[Tensor, "*n 3"]:
    """Straight RGBA before a background: alpha · RGB + (1 − alpha) · background.

    >>> over(torch.tensor([1.0, 0.5, 0.0, 0.5]), 1.0)
    tensor([1.0000, 0.7500, 0.5000])
    """
    return rgba[..., :3] * rgba[..., 3:] + background * (1 - rgba[..., 3:])


def distort(
    u: Float[Tensor, "m"],
    v: Float[Tensor, "m"],
    lens: Float[Tensor, "*m 4"],
    farthest: float = math.inf,
) -> tuple[Float[Tensor, "m"], Float[Tensor, "m"]]:
    """OpenCV's lens distortion (k1, k2, p1, p2) of normalised coordinates: what `undistort` undoes.

    The polynomial is asked for squared distances from the centre up to `farthest`, and for that beyond.
    """
    k1, k2, p1, p2 = lens.unbind(-1)
    r2 = (u * u + v * v).clamp(max=farthest)
    radial = 1 + r2 * (k1 + r2 * k2)
    x = u * radial + 2 * p1 * u * v + p2 * (r2 + 2 * u * u)
    return x, v * radial + 2 * p2 * u * v + p1 * (r2 + 2 * v * v)


def check_lenses(scene: Photographs, name: str) -> Photographs:
    """The scene; a warning where `undistort` misses a corner of a photograph by more than a pixel.

    It does so where a strong lens folds the picture before the corner: nothing is mapped there.
    """
    height, width = scene.size
    fx, fy, cx, cy = scene.intrinsics.unbind(-1)
    for x, y in ((0, 0), (width, 0), (0, height), (width, height)):
        right, down = (x - cx) / fx, (y - cy) / fy
        back, below = distort(*undistort(right, down, scene.distortion), scene.distortion)
        missed = torch.hypot((back - right) * fx, (below - down) * fy)
        if not bool((missed < 1).all()):  # NaN too
            warnings.warn(
                f"{name}: the lens (k1, k2, p1, p2 = {scene.distortion[missed.argmax()].tolist()}) "
                "cannot be undone in the photographs' corners, where rays mean nothing: undistort them",
                stacklevel=4,
            )
            break
    return scene


def undistort(
    x: Float[Tensor, "m"], y: Float[Tensor, "m"], lens: Float[Tensor, "m 4"]
) -> tuple[Float[Tensor, "m"], Float[Tensor, "m"]]:
    """Undo OpenCV's lens distortion (k1, k2, p1, p2) of normalised coordinates, by fixed point.

    The lens maps (u, v) to u(1 + k1 r² + k2 r⁴) + 2 p1 u v + p2 (r² + 2u²), and v likewise.
    """
    k1, k2, p1, p2 = lens.unbind(-1)
    u, v = x, y
    for _ in range(10):
        r2 = u * u + v * v
        radial = 1 + r2 * (k1 + r2 * k2)
        u, v = (
            (x - 2 * p1 * u * v - p2 * (r2 + 2 * u * u)) / radial,
            (y - 2 * p2 * u * v - p1 * (r2 + 2 * v * v)) / radial,
        )
    return u, v
