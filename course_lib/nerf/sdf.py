"""A radiance field that is a surface: a signed distance on the grid, and a density made of it.

As in VolSDF (Yariv et al. 2021), which has a network where a grid stands here.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.data.photographs import Photographs
from course_lib.nerf.grid import SparseGrid
from course_lib.nerf.occupancy import Occupancy
from course_lib.nerf.pixels import Rays
from course_lib.nerf.voxels import DENSITY, VoxelField
from course_lib.volume import Composite

SOFT, SHARP = 2.0, 0.7  # β at the start and at the end, in cells of the finest grid
EIKONAL = 1e-3  # weight of the loss that keeps the gradient's length near 1
CORNERS = 1 << 14  # where a step looks at the gradient


def laplace_density(distance: Float[Tensor, "*n"], beta: float) -> Float[Tensor, "*n"]:
    """σ = Ψ(−d)/β: dense inside, where the signed distance d is negative, nothing far outside.

    Ψ is the cumulative distribution of Laplace's: Ψ(s) = ½ exp(s/β) for s ≤ 0, else 1 − ½ exp(−s/β).
    So σ is 1/(2β) on the surface and 1/β deep inside (Yariv et al. 2021, eq. 2 and 3, with α = 1/β).

    >>> laplace_density(torch.tensor([-9.0, 0.0, 0.5]), 0.5).round(decimals=4)
    tensor([2.0000, 1.0000, 0.3679])
    """
    outside = 0.5 * torch.exp(-distance.clamp(min=0) / beta)  # clamped, or exp may overflow
    inside = 1 - 0.5 * torch.exp(distance.clamp(max=0) / beta)
    return torch.where(distance > 0, outside, inside) / beta


class SurfaceField(VoxelField):
    """A voxel field whose grid holds signed distances, which start as those of the visual hull.

    β falls while it trains, so that the surface becomes sharp; a second loss keeps |∇d| near 1
    (the eikonal equation; Gropp et al. 2020), so that the numbers stay distances.
    """

    def __init__(self, scene: Photographs, *, resolution: int | None = None):
        super().__init__(scene, resolution=resolution, learning_rate=0.3)
        self.cell = 2 / self.resolution  # the unit of what is stored
        self.beta = SOFT * self.cell
        with torch.no_grad():
            start = hull_distance(self.occupancy, self.grid.corner_positions()) / self.cell
            self.grid.tables[DENSITY].copy_(start[:, None])

    def prepare(self, progress: float) -> None:
        """As of the voxel field; and a smaller β."""
        super().prepare(progress)
        self.beta = SOFT * (SHARP / SOFT) ** progress * self.cell

    def _use(self, grid: SparseGrid) -> None:
        super()._use(grid)
        self.beside = steps(grid)

    def depth_of(self, raw: Float[Tensor, "m"]) -> Float[Tensor, "m"]:
        """The optical depth of a step from the stored distance."""
        return laplace_density(raw * self.cell, self.beta) * self.voxel

    def pictures(
        self, rays: Rays, background: Float[Tensor, "..."], generator: torch.Generator | None
    ) -> tuple[list[Composite], Float[Tensor, ""] | float]:
        """With a generator, the eikonal loss at random corners, by differences to their neighbours."""
        pictures, more = super().pictures(rays, background, generator)
        if generator is not None and len(self.beside):
            device = self.beside.device
            some = torch.randint(len(self.beside), (CORNERS,), generator=generator, device=device)
            d = self.grid.tables[DENSITY][self.beside[some], 0] * self.cell  # (CORNERS, 4)
            slope = ((d[:, 1:] - d[:, :1]) / self.voxel).norm(dim=-1)
            more = more + EIKONAL * ((slope - 1) ** 2).mean()
        return pictures, more

    @torch.no_grad()
    def distance(self, points: Float[Tensor, "m 3"]) -> Float[Tensor, "m"]:
        """The signed distance of points of the world; a cell outside where nothing is."""
        unit = self.region.to_unit(points)
        known = self.occupancy.flat[self.occupancy.cell_of(unit)] & (unit.abs() <= 1).all(-1)
        cells = torch.ones_like(unit[:, 0])
        cells[known] = self.grid.read(DENSITY, *self.grid.locate(unit[known]))[:, 0]
        return cells * self.cell * (self.step_length / self.voxel)


def steps(grid: SparseGrid) -> Int[Tensor, "m 4"]:
    """The rows of corners, and of their neighbours in x, y and z, where all four are in use."""
    ahead = grid.neighbors[:, 1::2]
    own = torch.arange(len(ahead), device=ahead.device)[:, None]
    return torch.cat([own, ahead], dim=1)[(ahead != own).all(1)]


def hull_distance(occupancy: Occupancy, unit: Float[Tensor, "m 3"]) -> Float[Tensor, "m"]:
    """The signed distance of points of [-1, 1]³ to the surface of the occupied cells."""
    from scipy.ndimage import distance_transform_edt

    cells = occupancy.cells.cpu().numpy()
    steps = distance_transform_edt(~cells) - distance_transform_edt(cells)
    volume = torch.from_numpy(steps * (2 / occupancy.resolution)).to(unit)[None, None]
    where = unit.flip(-1)[None, None, None]  # grid_sample wants z, y, x
    return F.grid_sample(volume, where, align_corners=False, padding_mode="border").view(-1)
