"""Decoder 2: a set of points, trained with the Chamfer distance.

After Fan, Su, Guibas 2017, "A point set generation network": one branch of free points and one
branch whose points lie on a grid of the network's own, as on a sheet.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.reconstruction.encoder import CODE, Features

FREE = 512  # free points; with 16 · 32 on the sheet they are 1,024


class PointDecoder(nn.Module):
    """code (b, 128) → 512 free points and a 16 × 32 sheet of points → (b, 1024, 3).

    `join` is `two_branches`, or a function that does the same.
    """

    def __init__(self, join: Callable | None = None):
        super().__init__()
        self.join = join or two_branches
        self.free = nn.Sequential(nn.Linear(CODE, 256), nn.ReLU(), nn.Linear(256, 3 * FREE))
        self.sheet = nn.Sequential(
            nn.Linear(CODE, 64 * 2 * 4),
            nn.Unflatten(1, (64, 2, 4)),
            *double(64, 48),  # 4 × 8
            *double(48, 32),  # 8 × 16
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 3, 4, 2, 1),  # (b, 3, 16, 32)
        )

    def forward(self, features: Features) -> Float[Tensor, "b 1024 3"]:
        return self.join(self.free(features.code), self.sheet(features.code))


def two_branches(
    free: Float[Tensor, "b n3"], sheet: Float[Tensor, "b 3 h w"]
) -> Float[Tensor, "b points 3"]:
    """One set of points out of both branches' outputs.

    The free branch lists x, y, z of its first point, then of its second, …; the sheet has x, y, z as
    channels. tanh keeps all coordinates in [-1, 1]. Free points first, then the sheet row by row.

    >>> two_branches(torch.zeros(2, 12), torch.zeros(2, 3, 4, 5)).shape
    torch.Size([2, 24, 3])
    """
    points = free.unflatten(1, (-1, 3))  # (b, n, 3)
    woven = sheet.flatten(2).mT  # (b, 3, h·w) → (b, h·w, 3)
    return torch.cat([points, woven], dim=1).tanh()


def double(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    """Normalisation, ReLU, and a transposed convolution that doubles both sides."""
    return nn.BatchNorm2d(inputs), nn.ReLU(), nn.ConvTranspose2d(inputs, outputs, 4, 2, 1)
