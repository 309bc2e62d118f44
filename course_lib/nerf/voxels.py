"""A radiance field without a network: density and colour stored on a sparse voxel grid.

As in Plenoxels (Fridovich-Keil 2022) and DVGO (Sun 2022): features at grid corners, interpolated
trilinearly; colour by spherical harmonics of the view direction; empty space skipped; coarse to fine.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.data.scene import Scene
from course_lib.nerf.field import RadianceField, scene_background
from course_lib.nerf.grid import SparseGrid, resample, spherical_harmonics
from course_lib.nerf.occupancy import Occupancy, Samples, carve, crop, march
from course_lib.nerf.region import Region, find_region
from course_lib.volume import Composite, sums_before

DENSITY, COLOR = 0, 1  # the tables of the grid
VISIBLE = 1e-3  # samples of less weight get no colour


class Limits(NamedTuple):
    """What a kind of machine can train: voxels per side, rows of the tables, samples and rays a step."""

    resolution: int
    rows: int
    samples: int
    rays: int


LIMITS = {
    "cpu": Limits(160, 250_000, 1 << 16, 4096),
    "cuda": Limits(384, 8_000_000, 1 << 20, 1 << 15),
}


class Schedule(NamedTuple):
    """How a training goes: growth as (progress, share of the final resolution), pruning, start, loss."""

    growth: tuple[tuple[float, float], ...]
    prune_every: float  # of the whole training
    memory: float  # what is left of a cell's largest weight after a step
    start: float  # the stored density at first, before softplus
    spread: float  # weight of the loss that keeps what a ray meets close together
    rows: float  # share of the limits for rows and for samples
    samples: float


OBJECT = Schedule(((0.0, 0.34), (0.08, 0.67), (0.25, 1.0)), 0.12, 1.0, -4.0, 0.0, 1.0, 1.0)
# Without silhouettes space starts nearly empty, and fog before the cameras has to be dissolved
OPEN = Schedule(((0.0, 0.34), (0.15, 0.67), (0.4, 1.0)), 0.07, 0.97, -5.3, 0.01, 2.0, 0.5)


class VoxelField(RadianceField):
    """The fast field. Every setting has a default that comes from the scene."""

    def __init__(
        self,
        scene: Scene,
        *,
        resolution: int | None = None,
        degree: int = 1,
        learning_rate: float = 0.1,
    ):
        self.background = scene_background(scene)
        self.region, self.occupancy = surroundings(scene)
        self.limits = limits_of(scene.images.device)
        self.schedule = OPEN if self.region.contracted else OBJECT
        self.resolution = resolution or default_resolution(scene, self.region)
        self.degree, self.learning_rate = degree, learning_rate
        self.batch, self.samples_per_ray = self.limits.rays // 4, 1.0
        self.density_scale, self.density_shift = 2.0, self.schedule.start
        self.stage, self.next_prune = 0, self.schedule.prune_every
        self._use(self._new_grid())

    def prepare(self, progress: float) -> None:
        """Grow and prune when it is time; the learning rate falls to a tenth."""
        self.progress = progress
        growth = self.schedule.growth
        if self.stage + 1 < len(growth) and progress >= growth[self.stage + 1][0]:
            self.stage += 1
            self._prune()
            grown = self._new_grid()
            grown.copy_from(self.grid)
            self._use(grown)
        elif progress > self.next_prune:
            self._prune()
        self.optimizer.param_groups[0]["lr"] = self.learning_rate * 0.1**progress
        samples = self.schedule.samples * self.limits.samples
        affordable = int(samples / max(self.samples_per_ray, 1.0))
        self.batch = min(max(affordable, self.limits.rays // 16), self.limits.rays)

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

    def _prune(self) -> None:
        self.next_prune = self.progress + self.schedule.prune_every
        self.occupancy.prune(0.01)

    @property
    def step_length(self) -> float:
        """The distance between samples: one voxel, in units of the world."""
        return self.grid.voxel * self.region.scale * (2 if self.region.contracted else 1)

    def render(
        self,
        origins: Float[Tensor, "n 3"],
        directions: Float[Tensor, "n 3"],
        *,
        background: Float[Tensor, "..."] | None = None,
        generator: torch.Generator | None = None,
        step: float = 1.0,
    ) -> Composite:
        """Colour, depth, opacity; `step` is the distance between samples in voxels."""
        return self._shade((origins, directions), background, generator, step)[0]

    def loss(
        self,
        rays: tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]],
        target: Float[Tensor, "n 3"],
        background: Float[Tensor, "..."],
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """The photometric loss, and in open space the spread of the weights along the rays."""
        shown, weights, samples = self._shade(rays, background, generator, 1.0)
        loss = F.mse_loss(shown.color, target)
        if self.schedule.spread == 0:
            return loss
        place = self.region.bend(samples.t) / self.region.scale
        spread = packed_spread(weights, place, samples.ray, len(target))
        return loss + self.schedule.spread * spread.mean()

    def _shade(
        self,
        rays: tuple[Tensor, Tensor],
        background: Tensor | None,
        generator: torch.Generator | None,
        step: float,
    ) -> tuple[Composite, Tensor, Samples]:
        """What rays show, and the weights of their samples."""
        origins, directions = rays
        n, device = len(origins), origins.device
        jitter = torch.full((n,), 0.5, device=device)
        if generator is not None:
            jitter = torch.rand(n, generator=generator, device=device)
        step_length = step * self.step_length
        samples = march(self.occupancy, self.region, rays, step_length, jitter)
        index, corner = self.grid.locate(samples.unit)
        tau = self.optical_depth(self.grid.read(DENSITY, index, corner)[:, 0])
        weights = packed_weights(tau * step, samples.ray, n)
        shown = (weights.detach() > VISIBLE).nonzero()[:, 0]  # the others add nothing to a pixel
        ray, w = samples.ray[shown], weights[shown, None]
        if generator is not None:
            seen = (samples.cell[shown], weights.detach()[shown])
            self.occupancy.observe(*seen, memory=self.schedule.memory)
            self.samples_per_ray += 0.2 * (len(samples.ray) / n - self.samples_per_ray)
        harmonics = self.grid.read(COLOR, index[shown], corner[shown])
        color = self.color(harmonics, directions[ray])
        parts = torch.cat([color, samples.t[shown, None], torch.ones_like(w)], dim=-1)
        summed = torch.zeros(n, 5, device=device).index_add(0, ray, w * parts)
        background = self.background if background is None else background
        return _composite(summed, background), weights, samples

    def optical_depth(self, raw: Float[Tensor, "m"]) -> Float[Tensor, "m"]:
        """σ times the side of a voxel, from the stored number."""
        return F.softplus(raw * self.density_scale + self.density_shift)

    def color(
        self, harmonics: Float[Tensor, "m c"], directions: Float[Tensor, "m 3"]
    ) -> Float[Tensor, "m 3"]:
        """Colours seen from directions, in (0, 1)."""
        basis = spherical_harmonics(directions, self.degree)  # (m, k)
        return torch.sigmoid(
            (harmonics.view(len(basis), 3, basis.shape[1]) * basis[:, None]).sum(-1)
        )

    @torch.no_grad()
    def density(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n"]:
        """σ per unit of length; 0 in empty cells and outside the region."""
        unit = self.region.to_unit(points)
        inside = (unit.abs() <= 1).all(-1) & self.occupancy.flat[self.occupancy.cell_of(unit)]
        sigma = torch.zeros(len(points), device=points.device)
        raw = self.grid.read(DENSITY, *self.grid.locate(unit[inside]))[:, 0]
        sigma[inside] = self.optical_depth(raw) / self.step_length
        return sigma


def surroundings(scene: Scene) -> tuple[Region, Occupancy]:
    """The region of a scene and what of it may be occupied, before any training.

    Where the silhouettes leave nothing, as with wrong cameras or masks, everything may be occupied.
    """
    region = find_region(scene)
    cells = carve(scene, region)
    if not bool(cells.any()):
        return region, Occupancy(torch.ones_like(cells))
    if region.contracted:
        return region, Occupancy(cells)
    closer = crop(region, Occupancy(cells))
    cells = carve(scene, closer)
    return closer, Occupancy(cells if bool(cells.any()) else torch.ones_like(cells))


def default_resolution(scene: Scene, region: Region) -> int:
    """Voxels per side that are about as fine as a pixel at the scene's distance."""
    focal = scene.intrinsics[:, 0].median().item()
    distance = (scene.camera_to_world[:, :3, 3] - region.center).norm(dim=-1).median().item()
    per_unit = focal / max(distance, region.scale)  # pixels on a unit of length
    cells = 2 * region.scale * per_unit * (2 if region.contracted else 1.25)
    return int(min(max(cells, 32), limits_of(scene.images.device).resolution))


def limits_of(device: torch.device) -> Limits:
    """What the machine that holds the photographs can train."""
    return LIMITS.get(device.type, LIMITS["cpu"])


def packed_weights(tau: Float[Tensor, "m"], ray: Int[Tensor, "m"], n: int) -> Float[Tensor, "m"]:
    """`volume.compositing_weights` for the samples of n rays in one list, ray by ray.

    tau: σδ of each sample. Sums over all rays run in float64, so that differences stay exact.
    """
    tau = tau.double()
    before = sums_before(tau, torch.bincount(ray, minlength=n))
    return (torch.exp(-before) * -torch.expm1(-tau)).float()


def packed_spread(
    w: Float[Tensor, "m"], s: Float[Tensor, "m"], ray: Int[Tensor, "m"], n: int
) -> Float[Tensor, "n"]:
    """Σᵢⱼ wᵢwⱼ|sᵢ - sⱼ| for each of n rays, s ascending: the distortion of mip-NeRF 360 (eq. 15).

    Small where a ray meets one surface; fog and floaters make it large. It is computed as
    2 Σᵢ wᵢ (sᵢ Σ_{j<i} wⱼ - Σ_{j<i} wⱼsⱼ).
    """
    w, s, counts = w.double(), s.double(), torch.bincount(ray, minlength=n)
    each = 2 * w * (s * sums_before(w, counts) - sums_before(w * s, counts))
    return torch.zeros(n, device=w.device).index_add(0, ray, each.float())


def _composite(summed: Float[Tensor, "n 5"], background: Float[Tensor, "..."]) -> Composite:
    """From Σw(r, g, b, t, 1) to what a ray shows."""
    color, opacity = summed[:, :3], summed[:, 4]
    depth = summed[:, 3] / torch.where(opacity > 1e-6, opacity, torch.ones_like(opacity))
    return Composite(color + (1 - opacity)[:, None] * background, depth, opacity)
