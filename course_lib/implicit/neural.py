"""A small network that is a signed distance function."""

import math
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.shapes import Sdf


class NeuralSdf(nn.Module):
    """x → SDF(x): a few random sines and cosines of x, then a multilayer perceptron.

    The sines let so small a network follow edges (Tancik et al. 2020, "Fourier features").
    `seed` fixes the initial weights.

    >>> NeuralSdf()(torch.zeros(5, 3)).shape
    torch.Size([5])
    """

    frequencies: Tensor

    def __init__(self, width: int = 64, features: int = 32, *, seed: int = 0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.register_buffer("frequencies", 1.5 * torch.randn(3, features, generator=generator))
        sizes = (3 + 2 * features, width, width, width)
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [_linear(before, after, generator), _Smooth()]
        self.layers = nn.Sequential(*layers, _linear(width, 1, generator))

    def forward(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """The distance at each point."""
        waves = points @ self.frequencies
        return self.layers(torch.cat((points, waves.sin(), waves.cos()), dim=-1))[..., 0]


class _Smooth(nn.Module):
    """Softplus with β = 100, a ReLU with a rounded corner (Gropp et al. 2020).

    Below -0.2 it is less than 3e-11: taken as constant there, since the exponential of numbers far
    below takes some processors five times as long.
    """

    def forward(self, x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The smooth ReLU of each number."""
        return nn.functional.softplus(x.clamp(min=-0.2), beta=100)


def _linear(before: int, after: int, generator: torch.Generator) -> nn.Linear:
    layer = nn.Linear(before, after)
    nn.init.normal_(layer.weight, std=math.sqrt(2 / before), generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def sdf_samples(
    sdf: Sdf,
    surface: Float[Tensor, "m 3"],
    n: int,
    *,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n"]]:
    """n training pairs (x, SDF(x)): three in four close to the surface, the rest in all the cube.

    After DeepSDF (Park et al. 2019): noise of standard deviation .05 and .005 about surface points.
    """
    anywhere = n // 4
    chosen = torch.randint(len(surface), (n - anywhere,), generator=generator)
    scale = torch.where(torch.arange(n - anywhere) % 2 == 0, 0.05, 0.005)[:, None]
    near = surface.cpu()[chosen] + scale * torch.randn(n - anywhere, 3, generator=generator)
    cube = 2 * torch.rand(anywhere, 3, generator=generator) - 1
    points = torch.cat((near, cube))[torch.randperm(n, generator=generator)].to(surface)
    with torch.no_grad():
        return points, sdf(points)
