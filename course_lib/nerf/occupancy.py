"""Empty space, known and skipped: visual hull, pruning, and a march along rays that visits the rest."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.data.photographs import Photographs
from course_lib.nerf.pixels import Rays
from course_lib.nerf.region import Region, find_region
from course_lib.volume import box_span
from course_lib.voxels import voxel_centers

REACH = 2  # coarse steps look this many cells around them
CARVED = 64  # cells per side of the visual hull


class Samples(NamedTuple):
    """The samples of all rays in one list, ray by ray: whose, how far, where in [-1, 1]³, which cell."""

    ray: Int[Tensor, "m"]
    t: Float[Tensor, "m"]
    unit: Float[Tensor, "m 3"]
    cell: Int[Tensor, "m"]


class Occupancy:
    """A grid of r³ cells over [-1, 1]³ that says where something may be."""

    def __init__(self, cells: Bool[Tensor, "r r r"]):
        self.seen = torch.zeros(cells.numel(), device=cells.device)
        self.replace(cells)

    def replace(self, cells: Bool[Tensor, "r r r"]) -> None:
        """Take new cells, and the table that coarse steps look into."""
        self.cells = cells
        self.flat = cells.reshape(-1)
        self.nearby = dilate(cells, REACH).reshape(-1)
        self.low, self.high = _bounds(cells)

    @property
    def resolution(self) -> int:
        """Cells per side."""
        return self.cells.shape[0]

    def observe(
        self, cell: Int[Tensor, "m"], weight: Float[Tensor, "m"], *, memory: float = 1.0
    ) -> None:
        """Remember the largest weight that any sample of a cell had; older ones fade by `memory`."""
        if memory < 1:
            self.seen *= memory
        self.seen.scatter_reduce_(0, cell, weight, "amax")

    def prune(self, threshold: float) -> None:
        """Empty the cells whose samples, and whose neighbours' samples, showed in no pixel."""
        if self.seen.max() > 0.1:  # else the field has not formed yet, and everything would go
            keep = dilate((self.seen > threshold).view_as(self.cells), 1)
            if bool((self.cells & keep).any()):
                self.replace(self.cells & keep)
        self.seen.zero_()

    def cell_of(self, unit: Float[Tensor, "*n 3"]) -> Int[Tensor, "*n"]:
        """The flat index of the cell that holds a point; points outside belong to the border."""
        r = self.resolution
        index = ((unit + 1) * (r / 2)).long().clamp(0, r - 1)
        return (index[..., 0] * r + index[..., 1]) * r + index[..., 2]


def _bounds(cells: Bool[Tensor, "r r r"]) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
    """The corners of the box around all occupied cells, in [-1, 1]³."""
    index = cells.nonzero()
    if len(index) == 0:
        raise ValueError("nothing can be there: no point is in view of enough cameras")
    size = 2 / cells.shape[0]
    return index.amin(0) * size - 1, (index.amax(0) + 1) * size - 1


def dilate(cells: Bool[Tensor, "r r r"], reach: int) -> Bool[Tensor, "r r r"]:
    """Cells within `reach` (in each axis) of a true cell."""
    return F.max_pool3d(cells[None, None].float(), 2 * reach + 1, 1, reach)[0, 0] > 0


def carve(scene: Photographs, region: Region) -> Bool[Tensor, "r r r"]:
    """Cells that may hold something: in enough views, and in no view against a transparent pixel.

    With alpha this is the visual hull (Laurentini 1994); without, all that two cameras see.
    """
    centers = voxel_centers(CARVED, device=scene.images.device)
    points = region.to_world(centers.reshape(-1, 3))  # (r³, 3)
    mask = F.max_pool2d((scene.images[..., 3] > 0).float()[:, None], 3, 1, 1)[:, 0] > 0
    views = torch.zeros(len(points), dtype=torch.int32, device=points.device)
    live = torch.arange(len(points), device=points.device)  # cells not found empty so far
    for index in range(len(scene)):
        inside, row, column = seen_at(scene, index, points[live], region.near)
        views[live] += inside.int()
        live = live[~inside | mask[index, row, column]]
    enough = min(2, len(scene)) if region.contracted else max(1, len(scene) // 4)
    cells = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    cells[live] = views[live] >= enough
    return cells.view(CARVED, CARVED, CARVED)  # (r³,) → (r, r, r)


def seen_at(
    scene: Photographs, index: int, points: Float[Tensor, "m 3"], near: float
) -> tuple[Bool[Tensor, "m"], Int[Tensor, "m"], Int[Tensor, "m"]]:
    """Whether a photograph shows the points, and at which row and column (lens distortion ignored)."""
    height, width = scene.size
    x, y, depth = scene.pixels_of(index, points)
    inside = (depth > near) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return inside, y.clamp(0, height - 1).long(), x.clamp(0, width - 1).long()


def crop(region: Region, occupancy: Occupancy) -> Region:
    """The smallest bounded region around the occupied cells, with a margin of a cell."""
    low, high = region.to_world(occupancy.low), region.to_world(occupancy.high)
    margin = 2 * region.scale / occupancy.resolution
    scale = ((high - low).max() / 2 + margin).item()
    return region._replace(center=(low + high) / 2, scale=min(scale, region.scale))


def surroundings(scene: Photographs) -> tuple[Region, Occupancy]:
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


def march(
    occupancy: Occupancy,
    region: Region,
    rays: Rays,
    step: float,
    jitter: Float[Tensor, "n"],
) -> Samples:
    """Samples `step` apart (in u, see Region) where the occupancy grid is occupied.

    Two levels: coarse steps of `stride` samples ask whether anything is within reach, and only where
    that is so the samples themselves are looked at. jitter in [0, 1) shifts each ray's samples.
    """
    origins, directions = rays
    near, far = _occupied_span(occupancy, region, rays)  # (n,) each
    length = 2 * region.scale * (2 if region.contracted else 1) / occupancy.resolution
    stride = max(1, int(2 * (REACH - 1 * region.contracted) * length / step))
    count = int(((far - near).max() / (stride * step)).ceil().clamp(min=1))
    blocks = torch.arange(count, device=near.device)
    start = near[:, None] + (stride * step) * blocks  # (n, count)
    middle = start + stride * step / 2
    inside = region.to_unit(_along(rays, region.unbend(middle)))
    live = occupancy.nearby[occupancy.cell_of(inside)] & (start < far[:, None])
    ray, block = live.nonzero(as_tuple=True)  # sorted by ray, then block
    offsets = torch.arange(stride, device=near.device) + jitter[ray, None]
    u = start[ray, block][:, None] + offsets * step  # (blocks, stride)
    of_blocks = origins[ray], directions[ray]
    unit = region.to_unit(_along(of_blocks, region.unbend(u)))  # (blocks, stride, 3)
    cell = occupancy.cell_of(unit)
    keep = occupancy.flat[cell] & (u < far[ray, None])
    ray = ray[:, None].expand_as(keep)[keep]  # (m,), as all that is kept
    return Samples(ray, region.unbend(u[keep]), unit[keep], cell[keep])


def tight_span(
    occupancy: Occupancy, region: Region, rays: Rays
) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
    """Where each ray enters the first and leaves the last occupied cell, as u (equal: none)."""
    near, far = _occupied_span(occupancy, region, rays)
    edges = torch.arange(2 * occupancy.resolution + 1, device=near.device)
    edges = edges / (2 * occupancy.resolution)
    u = near[:, None] + (far - near)[:, None] * edges  # (n, s + 1)
    middle = (u[:, 1:] + u[:, :-1]) / 2
    cell = occupancy.cell_of(region.to_unit(_along(rays, region.unbend(middle))))
    live = occupancy.flat[cell]
    first, last = live.int().argmax(-1), live.shape[1] - live.flip(-1).int().argmax(-1)
    last = torch.where(live.any(-1), last, first)
    return u.gather(1, first[:, None])[:, 0], u.gather(1, last[:, None])[:, 0]


def _occupied_span(
    occupancy: Occupancy, region: Region, rays: Rays
) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
    if region.contracted:
        return region.span(*rays)
    low, high = region.to_world(occupancy.low), region.to_world(occupancy.high)
    return box_span(*rays, low, high)


def _along(rays: Rays, t: Float[Tensor, "n s"]) -> Float[Tensor, "n s 3"]:
    return rays[0][:, None] + t[..., None] * rays[1][:, None]
