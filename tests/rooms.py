"""A corner of a room with textured walls, photographed from known places."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from course_lib.cameras import camera_rays, look_at

FOCAL, HEIGHT, WIDTH = 260.0, 180, 240


def texture(seed: int) -> Float[Tensor, "3 512 512"]:
    """Noise of many sizes."""
    g = torch.Generator().manual_seed(seed)
    layers = [torch.rand(1, 3, k, k, generator=g) for k in (8, 16, 32, 64, 128)]
    return sum(F.interpolate(x, (512, 512), mode="bicubic")[0] for x in layers) / 5


def corner_of_a_room(
    pose: Float[Tensor, "4 4"], focal: float = FOCAL, height: int = HEIGHT, width: int = WIDTH
) -> UInt8[Tensor, "{height} {width} 3"]:
    """The planes x, y, z = -1, each with its texture."""
    origins, directions = (x.reshape(-1, 3) for x in camera_rays(height, width, focal, pose))
    nearest, color = torch.full((len(origins),), 1e9), torch.zeros(len(origins), 3)
    for axis in range(3):
        t = (-1 - origins[:, axis]) / directions[:, axis]
        there = (origins + t[:, None] * directions)[:, [a for a in range(3) if a != axis]] / 3
        seen = F.grid_sample(
            texture(axis)[None], there[None, None], padding_mode="reflection", align_corners=False
        )[0, :, 0].T
        hit = (t > 0) & (t < nearest)
        nearest, color = torch.where(hit, t, nearest), torch.where(hit[:, None], seen, color)
    return (color.clamp(0, 1) * 255).byte().view(height, width, 3)


def arc(count: int) -> Float[Tensor, "{count} 4 4"]:
    """Cameras on an arc before the corner, up and down in turns."""
    turn = 0.15 + 1.2 * torch.arange(count) / (count - 1)
    up = 1.0 + 0.3 * (torch.arange(count) % 2)
    eyes = torch.stack([3 * turn.cos(), up, 3 * turn.sin()], dim=-1)
    return look_at(eyes, (-0.3, -0.5, -0.3))
