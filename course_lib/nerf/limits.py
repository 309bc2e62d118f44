"""What a machine can train, how fine that should be, and how a training goes."""

from typing import NamedTuple

import torch

from course_lib.data.photographs import Photographs
from course_lib.nerf.region import Region


class Limits(NamedTuple):
    """What a kind of machine can train: voxels per side, rows of the tables, samples and rays a step."""

    resolution: int
    rows: int
    samples: int
    rays: int

    def affordable(self, share: float, samples_per_ray: float) -> int:
        """Rays of a step that takes this share of the samples."""
        rays = int(share * self.samples / max(samples_per_ray, 1.0))
        return min(max(rays, self.rays // 16), self.rays)


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


def default_resolution(scene: Photographs, region: Region) -> int:
    """Voxels per side that are about as fine as a pixel at the scene's distance."""
    focal = scene.intrinsics[:, 0].median().item()
    distance = (scene.camera_to_world[:, :3, 3] - region.center).norm(dim=-1).median().item()
    per_unit = focal / max(distance, region.scale)  # pixels on a unit of length
    cells = 2 * region.scale * per_unit * (2 if region.contracted else 1.25)
    return int(min(max(cells, 32), limits_of(scene.images.device).resolution))


def limits_of(device: torch.device) -> Limits:
    """What the machine that holds the photographs can train."""
    return LIMITS.get(device.type, LIMITS["cpu"])
