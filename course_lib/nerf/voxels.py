"""A radiance field without a network: density and colour stored on a sparse voxel grid.

As in Plenoxels (Fridovich-Keil 2022) and DVGO (Sun 2022): features at grid corners, interpolated
trilinearly; colour by spherical harmonics of the view direction; empty space skipped; coarse to fine.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.data.photographs import Photographs
from course_lib.nerf.grid import SparseGrid, resample
from course_lib.nerf.packed import Harmonics, PackedField
from course_lib.nerf.pixels import PixelSource

DENSITY, COLOR = 0, 1  # the tables of the grid
SMOOTH, EVERY = 1e-4, 8  # smoothing of a step, see `learn`; steps from one to the next
FINE, PASSES = 0.4, 2.0  # progress, and passes over all pixels, from which a pixel has four rays


class VoxelField(PackedField):
    """The fast field. Every setting has a default that comes from the scene."""

    def __init__(
        self,
        scene: Photographs,
        *,
        resolution: int | None = None,
        degree: int = 1,
        learning_rate: float = 0.1,
    ):
        super().__init__(scene, resolution)
        self.degree, self.learning_rate = degree, learning_rate
        self.density_shift = self.schedule.start
        self.stage, self.steps, self.passes = 0, 0, 0.0
        self._use(self._new_grid())

    @property
    def voxel(self) -> float:
        """The distance between samples in [-1, 1]³: the side of a cell."""
        return self.grid.voxel

    def prepare(self, progress: float) -> None:
        """Grow and prune when it is time; the learning rate falls to a tenth."""
        super().prepare(progress)
        growth = self.schedule.growth
        if self.stage + 1 < len(growth) and progress >= growth[self.stage + 1][0]:
            self.stage += 1
            self.prune()
            grown = self._new_grid()
            grown.copy_from(self.grid)
            self._use(grown)
        self.optimizer.param_groups[0]["lr"] = self.learning_rate * 0.1**progress

    def learn(self, pixels: PixelSource, generator: torch.Generator) -> Float[Tensor, ""]:
        """One step; and neighbours become alike, the more so the less the photographs have to say.

        A pixel that was seen a hundred times says nothing new: what is still learned from it is noise
        that fits it. So the smoothing grows with how often each pixel was seen, and with how many
        corners share one; it falls with the learning rate.

        At first one ray stands for a pixel, since many pixels say more than exact ones. Once each was
        seen, an edge that crosses a pixel is what is still wrong: then it has four rays.
        """
        loss = super().learn(pixels, generator)
        self.steps += 1
        self.passes += self.batch / self.supersample**2 / len(pixels.pool)
        if self.steps % EVERY == 0:
            share = len(self.grid.used) / len(pixels.pool)
            rate = self.optimizer.param_groups[0]["lr"] / self.learning_rate
            self.grid.smooth(min(0.5, SMOOTH * EVERY * self.passes * share * rate))
        is_fine = self.progress >= FINE and self.passes >= PASSES and not self.region.contracted
        self.supersample = 2 if is_fine else 1
        return loss

    def _new_grid(self) -> SparseGrid:
        resolution = max(8, round(self.resolution * self.schedule.growth[self.stage][1]))
        while True:
            cells = resample(self.occupancy.cells, resolution)
            if resolution <= 32 or int(cells.sum()) <= self.schedule.rows * self.limits.rows:
                return SparseGrid(cells, 1, 3 * (self.degree + 1) ** 2)
            resolution = int(0.9 * resolution)

    def _use(self, grid: SparseGrid) -> None:
        self.grid = grid
        self.optimizer = torch.optim.Adam(grid.tables, betas=(0.9, 0.99), eps=1e-15, fused=True)

    def ask(self, unit: Float[Tensor, "m 3"]) -> tuple[Float[Tensor, "m"], Harmonics]:
        """Both interpolated between the corners."""
        index, w = self.grid.locate(unit)
        raw = self.grid.read(DENSITY, index, w)[:, 0]

        def harmonics(shown: Int[Tensor, "s"]) -> Float[Tensor, "s k 3"]:
            return self.grid.read(COLOR, index[shown], w[shown]).unflatten(1, (-1, 3))

        return self.depth_of(raw), harmonics

    def depth_of(self, raw: Float[Tensor, "m"]) -> Float[Tensor, "m"]:
        """The optical depth of a step from the number that the grid holds."""
        return F.softplus(2 * raw + self.density_shift)
