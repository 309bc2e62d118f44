"""Pixels of photographs, and the rays that see them."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from course_lib.data.scene import Scene


class PixelSource:
    """Random pixels of a scene's photographs, with their rays."""

    def __init__(self, scene: Scene):
        self.scene = scene
        mask = F.max_pool2d((scene.images[..., 3] > 0).float()[:, None], 3, 1, 1)
        # pixels that show something, and their neighbours
        self.pool = mask.reshape(-1).nonzero()[:, 0]
        self.flat = scene.images.reshape(-1, 4)
        self.has_alpha = scene.has_alpha

    def batch(
        self, n: int, generator: torch.Generator
    ) -> tuple[tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]], Float[Tensor, "n 4"]]:
        """n rays and the RGBA of their pixels."""
        device = self.flat.device
        draw = torch.randint(len(self.pool), (n,), generator=generator, device=device)
        pixel = self.pool[draw]
        height, width = self.scene.size
        x, y = pixel % width + 0.5, pixel // width % height + 0.5
        rays = self.scene.rays_through(pixel // (height * width), x, y)
        return rays, self.flat[pixel].float() / 255


def object_pixels(scene: Scene, count: int, seed: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Rays and RGBA of random pixels of the object (of any pixels where alpha does not tell)."""
    flat = scene.images.reshape(-1, 4)
    pool = (flat[:, 3] > 200).nonzero()[:, 0]
    generator = torch.Generator().manual_seed(seed)
    pixel = pool[torch.randint(len(pool), (count,), generator=generator).to(pool.device)]
    height, width = scene.size
    x, y = pixel % width + 0.5, pixel // width % height + 0.5
    rays = scene.rays_through(pixel // (height * width), x, y)
    return rays, flat[pixel].float() / 255
