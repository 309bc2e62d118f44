"""Generating shapes: an auto-decoded latent space of signed distance functions, and its measures.

Park et al. 2019, "DeepSDF": every training shape has a free vector z, learned together with the
network f(z, x) ≈ signed distance. New vectors give new shapes: drawn from a normal distribution, or
moved there from noise by a learned flow (Lipman et al. 2023). Whether they are good and varied is
measured on clouds by coverage and minimum matching distance (Achlioptas et al. 2018), and by how well a
nearest neighbour tells them from real ones (Yang et al. 2019).
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.losses import chamfer_distance

Decoder = Callable[[Float[Tensor, "d"], Float[Tensor, "n 3"]], Float[Tensor, "n"]]
Velocity = Callable[[Float[Tensor, "b d"], Float[Tensor, "b"]], Float[Tensor, "b d"]]


class LatentSdf(nn.Module):
    """One latent vector per training shape, and a network from (vector, point) to signed distance.

    `latents`: (shapes, d). `forward` takes vectors (b, d) and points (b, n, 3) to (b, n); `decode`
    does it for one shape. The points enter as themselves and as sines and cosines of three octaves.
    """

    def __init__(self, shapes: int, latent: int = 16, width: int = 128):
        super().__init__()
        self.latents = nn.Parameter(0.01 * torch.randn(shapes, latent))
        self.from_latent = nn.Linear(latent, width)
        self.from_point = nn.Linear(3 * (1 + 2 * 3), width)
        self.layers = nn.Sequential(
            nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, 1),
        )  # fmt: skip

    def forward(
        self, latents: Float[Tensor, "b d"], points: Float[Tensor, "b n 3"]
    ) -> Float[Tensor, "b n"]:
        waves = [math.pi / 2 * 2**k * points for k in range(3)]
        encoded = torch.cat([points, *(w.sin() for w in waves), *(w.cos() for w in waves)], dim=-1)
        mixed = self.from_point(encoded) + self.from_latent(latents)[:, None]  # (b, n, width)
        return self.layers(mixed)[..., 0]

    def decode(self, latent: Float[Tensor, "d"], points: Float[Tensor, "n 3"]) -> Tensor:
        """The signed distances of one shape, without gradients: (n,)."""
        with torch.no_grad():
            return self(latent[None], points[None])[0]


def decode_path(
    decoder: Decoder,
    start: Float[Tensor, "d"],
    end: Float[Tensor, "d"],
    points: Float[Tensor, "n 3"],
    steps: int,
) -> Float[Tensor, "steps n"]:
    """The values at `points` of the shapes on the straight line between two latent vectors.

    Row i is decoder(z_i, points) with z_i = (1 − t) start + t end, t = i/(steps − 1): the first row
    is the start and the last the end. `decoder(z, points)` takes one vector (d,) and points (n, 3).

    >>> ball = lambda z, points: points.norm(dim=-1) - z[0]  # z is the radius
    >>> radii = torch.tensor([0.5]), torch.tensor([1.5])
    >>> decode_path(ball, *radii, torch.tensor([[1.0, 0.0, 0.0]]), steps=3).T
    tensor([[ 0.5000,  0.0000, -0.5000]])
    """
    rows = []
    for t in torch.linspace(0, 1, steps).tolist():
        rows.append(decoder((1 - t) * start + t * end, points))
    return torch.stack(rows)


def sample_latents(
    latents: Float[Tensor, "k d"], n: int, *, generator: torch.Generator | None = None
) -> Float[Tensor, "n d"]:
    """Draw n vectors from the normal distribution with the mean and covariance of `latents`."""
    mean, centred = latents.mean(dim=0), latents - latents.mean(dim=0)
    noise = torch.randn(n, len(latents), generator=generator).to(latents)
    return mean + noise @ centred / math.sqrt(len(latents) - 1)


class VelocityField(nn.Module):
    """A network from vectors (b, d) and their times (b,) to velocities (b, d)."""

    def __init__(self, d: int, width: int = 128):
        super().__init__()
        first, second = nn.Linear(d + 1, width), nn.Linear(width, width)
        self.layers = nn.Sequential(first, nn.SiLU(), second, nn.SiLU(), nn.Linear(width, d))

    def forward(self, z: Float[Tensor, "b d"], t: Float[Tensor, "b"]) -> Float[Tensor, "b d"]:
        return self.layers(torch.cat([z, t[:, None]], dim=1))


def flow_matching_loss(
    velocity: Velocity,
    data: Float[Tensor, "b d"],
    noise: Float[Tensor, "b d"],
    t: Float[Tensor, "b"],
) -> Float[Tensor, ""]:
    """How far a velocity field is from leading noise (t = 0) to data (t = 1) in straight lines.

    mean |v(z_t, t) − (x − ε)|² with z_t = (1 − t) ε + t x, x the data and ε the noise; the mean is over
    the batch and the d numbers of a vector (Lipman et al. 2023). `velocity(z, t)` takes (b, d) and (b,).

    >>> still = lambda z, t: torch.zeros_like(z)
    >>> flow_matching_loss(still, torch.tensor([[3.0]]), torch.tensor([[1.0]]), torch.tensor([0.5]))
    tensor(4.)
    """
    t_column = t[:, None]  # (b, 1)
    moved = (1 - t_column) * noise + t_column * data  # (b, d)
    return (velocity(moved, t) - (data - noise)).square().mean()


@torch.no_grad()
def sample_flow(
    velocity: Velocity, noise: Float[Tensor, "b d"], steps: int = 50
) -> Float[Tensor, "b d"]:
    """Follow a velocity field from noise to data by Euler's steps z ← z + v(z, t)/steps.

    >>> sample_flow(lambda z, t: torch.full_like(z, 2.0), torch.zeros(1, 1))
    tensor([[2.0000]])
    """
    z = noise
    for step in range(steps):
        z = z + velocity(z, z.new_full((len(z),), step / steps)) / steps
    return z


def pairwise_chamfer(a: Float[Tensor, "g n 3"], b: Float[Tensor, "r m 3"]) -> Float[Tensor, "g r"]:
    """The squared Chamfer distance of every cloud of `a` to every cloud of `b`."""
    return torch.stack([chamfer_distance(cloud.expand(len(b), -1, -1), b) for cloud in a])


def coverage(distances: Float[Tensor, "g r"]) -> Float[Tensor, ""]:
    """The share of reference shapes that are the nearest reference of some generated shape.

    distances[i, j]: from generated shape i to reference j. 1 means that everything that exists is
    also generated; a generator that makes the same shape again and again gets 1/r.

    >>> coverage(torch.tensor([[0.1, 0.9], [0.2, 0.3]]))
    tensor(0.5000)
    """
    found = distances.argmin(dim=1).unique()  # references that some shape is nearest to
    return distances.new_tensor(len(found) / distances.shape[1])


def minimum_matching_distance(distances: Float[Tensor, "g r"]) -> Float[Tensor, ""]:
    """The mean over the references of the distance to the nearest generated shape.

    distances[i, j]: from generated shape i to reference j. Small means good shapes.

    >>> minimum_matching_distance(torch.tensor([[0.1, 0.9], [0.2, 0.3]]))
    tensor(0.2000)
    """
    return distances.amin(dim=0).mean()


def nearest_neighbor_accuracy(
    within: Float[Tensor, "g g"], across: Float[Tensor, "g r"], others: Float[Tensor, "r r"]
) -> Float[Tensor, ""]:
    """How often a shape's nearest other shape is of its own kind, generated or reference: 1-NNA.

    `within` and `others` are the distances among the generated and among the references, `across`
    those from one to the other. 1/2: nobody can tell them apart; 1: they differ, whether by being bad
    or all alike; near 0: each generated shape copies a reference (Yang et al. 2019).

    >>> far = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    >>> nearest_neighbor_accuracy(far, torch.full((2, 2), 9.0), far)
    tensor(1.)
    """
    rows = torch.cat([within, across], dim=1), torch.cat([across.T, others], dim=1)
    distances = torch.cat(rows).clone().fill_diagonal_(torch.inf)  # (g + r, g + r)
    generated = torch.arange(len(distances), device=distances.device) < len(within)
    return (generated[distances.argmin(dim=1)] == generated).float().mean()
