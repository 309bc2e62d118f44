"""A radiance field in hash tables with a tiny network, after instant-ngp (Müller et al. 2022)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib.data.photographs import Photographs
from course_lib.nerf.grid import CORNERS, Interpolate, corner_weights
from course_lib.nerf.packed import Harmonics, PackedField

COARSEST = 16  # voxels per side of the first level


def hash_index(corners: Int[Tensor, "*n 3"], size: int) -> Int[Tensor, "*n"]:
    """h(x, y, z) = (1 x ⊕ 2654435761 y ⊕ 805459861 z) mod size: the row of a corner in a hash table.

    ⊕ is the bitwise "exclusive or" (Müller et al. 2022, eq. 4). corners: whole numbers (x, y, z) >= 0;
    size: how many rows the table has, a power of two. The results are in 0, …, size - 1.

    >>> hash_index(torch.tensor([[5, 0, 0], [0, 1, 0], [5, 1, 0]]), 16)
    tensor([5, 1, 4])
    """
    x, y, z = corners.long().unbind(-1)
    return (x ^ y * 2_654_435_761 ^ z * 805_459_861) % size


class HashField(PackedField):
    """Between network and grid: features interpolated in hash tables, then a network of one layer.

    Each of the `levels` covers the region with a grid, from `COARSEST` to `resolution` voxels per side,
    but stores it in a table of `rows` rows: corners that `hash_index` sends to the same row share
    it, and training lets the one win that is seen. All features of a point go through the network,
    which gives the density and the harmonics of the colour.
    """

    def __init__(
        self,
        scene: Photographs,
        *,
        resolution: int | None = None,
        levels: int = 6,
        rows: int = 1 << 15,
        width: int = 32,
        learning_rate: float = 0.05,
    ):
        super().__init__(scene, resolution)
        device = self.background.device
        growth = (self.resolution / COARSEST) ** (1 / max(levels - 1, 1))
        self.sides = [round(COARSEST * growth**level) for level in range(levels)]
        with torch.random.fork_rng(devices=[]):  # the student's random numbers stay as they were
            torch.manual_seed(0)
            tables = [1e-2 * torch.randn(rows, 2) for _ in self.sides]
            network = nn.Sequential(nn.Linear(2 * levels, width), nn.ReLU(), nn.Linear(width, 13))
        self.tables = [table.to(device).requires_grad_() for table in tables]
        self.network, self.learning_rate = network.to(device), learning_rate
        parameters = [*self.tables, *self.network.parameters()]
        self.optimizer = torch.optim.Adam(parameters, betas=(0.9, 0.99), eps=1e-15, fused=True)

    def prepare(self, progress: float) -> None:
        """Prune when it is time; the learning rate falls to a tenth."""
        super().prepare(progress)
        self.batch = self.batch // 2  # a sample costs more than in a grid
        self.optimizer.param_groups[0]["lr"] = self.learning_rate * 0.1**progress

    def encode(self, unit: Float[Tensor, "m 3"]) -> Float[Tensor, "m features"]:
        """The features of all levels, interpolated between the 8 corners of each level's cell."""
        features = []
        for side, table in zip(self.sides, self.tables, strict=True):
            x = (unit + 1) * (side / 2)
            low = x.floor()
            corners = low.long()[:, None] + CORNERS.to(unit.device)  # (m, 8, 3)
            index = hash_index(corners, len(table)).int()  # (m, 8)
            features.append(Interpolate.apply(table, index, corner_weights(x - low)))
        return torch.cat(features, dim=-1)  # (m, 2 levels)

    def ask(self, unit: Float[Tensor, "m 3"]) -> tuple[Float[Tensor, "m"], Harmonics]:
        """What the network makes of the features: the depth and four harmonics for each channel."""
        out = self.network(self.encode(unit))  # (m, 13)
        tau = F.softplus(2 * out[:, 0] + self.schedule.start)
        return tau, lambda shown: out[shown, 1:].unflatten(1, (4, 3))
