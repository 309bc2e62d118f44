"""Pixels of photographs, and the rays that see them."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.data.photographs import Photographs

Rays = tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]
"""Origins and unit directions."""


class PixelSource:
    """Random pixels of a scene's photographs, with their rays."""

    def __init__(self, scene: Photographs):
        self.scene, self.has_alpha = scene, scene.has_alpha
        mask = F.max_pool2d((scene.images[..., 3] > 0).float()[:, None], 3, 1, 1)
        # pixels that show something, and their neighbours
        self.pool = mask.reshape(-1).nonzero()[:, 0]

    def batch(
        self, n: int, generator: torch.Generator, *, supersample: int = 1
    ) -> tuple[Rays, Float[Tensor, "p 4"]]:
        """Rays and RGBA of n pixels, as `seen_by` gives them."""
        device = self.pool.device
        draw = torch.randint(len(self.pool), (n,), generator=generator, device=device)
        return seen_by(self.scene, self.pool[draw], supersample=supersample)


def object_pixels(scene: Photographs, count: int, seed: int) -> tuple[Rays, Float[Tensor, "n 4"]]:
    """Rays and RGBA of random pixels of the object (of any pixels where alpha does not tell)."""
    pool = (scene.images[..., 3].reshape(-1) > 200).nonzero()[:, 0]
    draw = torch.randint(len(pool), (count,), generator=torch.Generator().manual_seed(seed))
    return seen_by(scene, pool[draw.to(pool.device)])


def seen_by(
    scene: Photographs, pixel: Int[Tensor, "p"], *, supersample: int = 1
) -> tuple[Rays, Float[Tensor, "p 4"]]:
    """Rays and RGBA of pixels, by their numbers in the list of all pixels of all photographs.

    supersample: that many rays squared through each pixel, those of a pixel one after the other.
    """
    height, width = scene.size
    inside = (torch.arange(supersample, device=pixel.device) + 0.5) / supersample
    down, right = (part.reshape(-1) for part in torch.meshgrid(inside, inside, indexing="ij"))
    x, y = (pixel % width)[:, None] + right, (pixel // width % height)[:, None] + down  # (p, s²)
    which = (pixel // (height * width))[:, None].expand(x.shape)
    rays = scene.rays_through(which.reshape(-1), x.reshape(-1), y.reshape(-1))
    return rays, scene.images.reshape(-1, 4)[pixel].float() / 255
