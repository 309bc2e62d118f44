"""Decoder 4: an implicit surface. A small network answers, for any point, inside or outside?

After Mescheder et al. 2019, "Occupancy networks": the picture steers the network through
conditional batch normalisation.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.reconstruction.encoder import CODE, Features

WIDTH, BLOCKS, OCTAVES = 128, 2, 4


class ImplicitDecoder(nn.Module):
    """Query points (b, n, 3) → logits (b, n) of being inside; two residual blocks.

    `condition` is `modulate`, or a function that does the same.
    """

    def __init__(self, condition: Callable | None = None):
        super().__init__()
        self.start = nn.Linear(3 + 6 * OCTAVES, WIDTH)
        self.layers = nn.ModuleList(
            ConditionalLayer(condition or modulate) for _ in range(2 * BLOCKS)
        )
        self.end = nn.Linear(WIDTH, 1)

    def forward(self, features: Features, points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n"]:
        x = self.start(encode(points))  # (b, n, width)
        for first, second in zip(self.layers[::2], self.layers[1::2], strict=True):
            x = x + second(first(x, features.code), features.code)
        return self.end(x.relu())[..., 0]


class ConditionalLayer(nn.Module):
    """Conditional batch normalisation, ReLU, linear."""

    def __init__(self, condition: Callable):
        super().__init__()
        self.condition = condition
        self.norm = nn.BatchNorm1d(WIDTH, affine=False)
        self.modulation = nn.Linear(CODE, 2 * WIDTH)
        self.linear = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Float[Tensor, "b n c"], code: Float[Tensor, "b k"]) -> Tensor:
        normal = self.norm(x.flatten(0, 1)).view_as(x)  # statistics over batch and points
        scale, shift = self.modulation(code).chunk(2, dim=1)  # (b, c) each
        return self.linear(self.condition(normal, scale, shift).relu())


def modulate(
    x: Float[Tensor, "b n c"], scale: Float[Tensor, "b c"], shift: Float[Tensor, "b c"]
) -> Float[Tensor, "b n c"]:
    """What makes the batch normalisation conditional: (1 + γ) x̂ + β, with γ and β from the picture.

    x̂ are the normalised activations of n query points; each picture has one γ (`scale`) and one β
    (`shift`) per channel, the same for all its points. With γ = β = 0 nothing changes.

    >>> modulate(torch.ones(1, 2, 1), torch.tensor([[0.5]]), torch.tensor([[2.0]]))[0, :, 0]
    tensor([3.5000, 3.5000])
    """
    return (1 + scale[:, None]) * x + shift[:, None]


def encode(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n channels"]:
    """p, sin(2ᵏπp) and cos(2ᵏπp) for k = 0 … 3: 27 numbers, so that thin parts are learnt soon."""
    angles = points[..., None] * math.pi * 2 ** torch.arange(OCTAVES, device=points.device)
    return torch.cat([points, angles.sin().flatten(-2), angles.cos().flatten(-2)], dim=-1)
