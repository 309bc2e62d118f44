"""Rays through sparse space: the samples of all rays in one list, only where something may be."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.data.photographs import Photographs
from course_lib.nerf.field import RadianceField, scene_background
from course_lib.nerf.grid import sh_color
from course_lib.nerf.limits import OBJECT, OPEN, default_resolution, limits_of
from course_lib.nerf.occupancy import Samples, march, surroundings
from course_lib.nerf.pixels import Rays
from course_lib.volume import Composite, sums_before

VISIBLE = 1e-3  # samples of less weight get no colour
Harmonics = Callable[[Int[Tensor, "s"]], Float[Tensor, "s k 3"]]


class PackedField(RadianceField):
    """A radiance field that is asked at occupied cells of its region only.

    Subclasses give `ask`, and make the optimizer.
    """

    def __init__(self, scene: Photographs, resolution: int | None):
        self.background = scene_background(scene)
        self.region, self.occupancy = surroundings(scene)
        self.limits = limits_of(scene.images.device)
        self.schedule = OPEN if self.region.contracted else OBJECT
        self.resolution = resolution or default_resolution(scene, self.region)
        self.batch, self.samples_per_ray = self.limits.rays // 4, 1.0
        self.next_prune = self.schedule.prune_every

    def prepare(self, progress: float) -> None:
        """Prune when it is time; as many rays as the machine has samples for."""
        self.progress = progress
        if progress > self.next_prune:
            self.prune()
        self.batch = self.limits.affordable(self.schedule.samples, self.samples_per_ray)

    def prune(self) -> None:
        """Forget cells that showed in no photograph."""
        self.next_prune = self.progress + self.schedule.prune_every
        self.occupancy.prune(0.01)

    def ask(self, unit: Float[Tensor, "m 3"]) -> tuple[Float[Tensor, "m"], Harmonics]:
        """At points of [-1, 1]³: the optical depth σδ of a step, and what gives some of them harmonics.

        The second takes the indices of points and returns their k coefficients for each channel: the
        colour in direction d is sigmoid(`sh_color`).
        """
        raise NotImplementedError

    @property
    def voxel(self) -> float:
        """The distance between samples in [-1, 1]³."""
        return 2 / self.resolution

    @property
    def step_length(self) -> float:
        """The distance between samples, in units of the world."""
        return self.voxel * self.region.scale * (2 if self.region.contracted else 1)

    def pictures(
        self, rays: Rays, background: Float[Tensor, "..."], generator: torch.Generator | None
    ) -> tuple[list[Composite], Float[Tensor, ""] | float]:
        """One picture; in open space the spread of the weights along the rays belongs to the loss."""
        n, device = len(rays[0]), rays[0].device
        jitter = torch.full((n,), 0.5, device=device)
        if generator is not None:
            jitter = torch.rand(n, generator=generator, device=device)
        samples = march(self.occupancy, self.region, rays, self.step_length, jitter)
        tau, harmonics = self.ask(samples.unit)
        weights = packed_weights(tau, samples.ray, n)
        shown = (weights.detach() > VISIBLE).nonzero()[:, 0]  # the others add nothing to a pixel
        if generator is not None:
            self._observe(samples, weights.detach(), shown, n)
        ray, w = samples.ray[shown], weights[shown, None]  # (s,), (s, 1)
        color = torch.sigmoid(sh_color(harmonics(shown), rays[1][ray]))
        parts = torch.cat([color, samples.t[shown, None], torch.ones_like(w)], dim=-1)  # (s, 5)
        summed = torch.zeros(n, 5, device=device).index_add(0, ray, w * parts)
        return [_composite(summed, background)], self._spread(weights, samples, n)

    def _observe(
        self, samples: Samples, weights: Float[Tensor, "m"], shown: Int[Tensor, "s"], n: int
    ) -> None:
        self.occupancy.observe(samples.cell[shown], weights[shown], memory=self.schedule.memory)
        self.samples_per_ray += 0.2 * (len(samples.ray) / n - self.samples_per_ray)

    def _spread(
        self, weights: Float[Tensor, "m"], samples: Samples, n: int
    ) -> Float[Tensor, ""] | float:
        if self.schedule.spread == 0:
            return 0.0
        place = self.region.bend(samples.t) / self.region.scale
        return self.schedule.spread * packed_spread(weights, place, samples.ray, n).mean()

    @torch.no_grad()
    def density(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n"]:
        """σ per unit of length; 0 in empty cells and outside the region."""
        unit = self.region.to_unit(points)
        inside = (unit.abs() <= 1).all(-1) & self.occupancy.flat[self.occupancy.cell_of(unit)]
        sigma = torch.zeros(len(points), device=points.device)
        sigma[inside] = self.ask(unit[inside])[0] / self.step_length
        return sigma


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
