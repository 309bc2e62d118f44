"""A scene of Gaussians that is trained on photographs, as the fields of `course_lib.nerf` are."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from course_lib.data.photographs import Photographs, over
from course_lib.nerf.field import Field, averaged, scene_background
from course_lib.nerf.occupancy import Occupancy, seen_at, surroundings
from course_lib.nerf.region import Region
from course_lib.nerf.training import PixelSource
from course_lib.splatting.densify import densify
from course_lib.splatting.gaussians import Gaussians
from course_lib.splatting.projection import View, view_of
from course_lib.splatting.render import render
from course_lib.volume import Composite

RATES = (3e-3, 4e-2, 5e-3, 0.1, 2e-2)  # as in Gaussians; of the means in units of the region
LAST = 0.1  # the learning rates fall to this share
PATCH = {"cpu": 1 << 14, "cuda": 1 << 20}  # pixels rendered in a step
MOST = {"cpu": 20_000, "cuda": 400_000}  # Gaussians
ROUND, LAST_ROUND = 0.05, 0.6  # shares of the training: from round to round of densification
HAZE = -2.2  # the logit of the opacity 0.1
CHECKED = 4  # photographs that the health checks look at
CONSTANT = 0.28209479  # the spherical harmonic of degree 0


class SplatField(Field):
    """Gaussians, started at random in the visual hull. Every setting has a default from the scene."""

    def __init__(
        self,
        scene: Photographs,
        *,
        count: int | None = None,
        most: int | None = None,
        degree: int = 1,
        seed: int = 0,
    ):
        self.device = scene.images.device
        self.background = scene_background(scene)
        self.region, occupancy = surroundings(scene)
        pixels = scene.size[0] * scene.size[1]
        self.most = most or min(pixels // 2, MOST[self.device.type])
        self.near = 0.05 * self._distance(scene)
        self.random = torch.Generator(self.device).manual_seed(seed)
        self.next_round = ROUND
        count = count or self.most // 2
        self._use(scatter(scene, self.region, occupancy, count, degree, self.random))
        self._queue: list[int] = []

    def _distance(self, scene: Photographs) -> float:
        return (scene.camera_to_world[:, :3, 3] - self.region.center).norm(dim=-1).median().item()

    def _use(self, gaussians: Gaussians) -> None:
        self.gaussians = Gaussians(*(x.detach().contiguous().requires_grad_() for x in gaussians))
        groups = [{"params": [x]} for x in self.gaussians]
        self.optimizer = torch.optim.Adam(groups, eps=1e-15, fused=True)

    def prepare(self, progress: float) -> None:
        """Densify when it is time; the learning rates fall."""
        self.progress = progress
        if self.next_round < progress < LAST_ROUND:
            self.next_round = progress + ROUND
            self._densify()
        scale = (self.region.scale, 1, 1, 1, 1)
        for group, rate, unit in zip(self.optimizer.param_groups, RATES, scale, strict=True):
            group["lr"] = rate * unit * LAST**progress

    def _densify(self) -> None:
        """Fewer and more Gaussians; what the optimizer knows of those that stay as they are, stays."""
        before = [self.optimizer.state[x] for x in self.gaussians]
        gaussians, index, kept = densify(self.gaussians, self.most, self.random)
        self._use(gaussians)
        for x, state in zip(self.gaussians, before, strict=True):
            moments = {k: state[k][index] for k in ("exp_avg", "exp_avg_sq")}
            for moment in moments.values():
                moment[kept:] = 0
            self.optimizer.state[x] = {"step": state["step"], **moments}

    def learn(self, pixels: PixelSource, generator: torch.Generator) -> Float[Tensor, ""]:
        """One step on a photograph, or on a strip of a large one; the loss before it.

        Mean absolute plus twice the mean squared difference of colours before the background.
        """
        scene = pixels.scene
        view, rgba = self._strip(scene, generator)
        target = over(rgba, self.background)
        shown = render(self.gaussians, view, background=self.background)
        return self._descend(F.l1_loss(shown.color, target) + 2 * F.mse_loss(shown.color, target))

    def _strip(self, scene: Photographs, generator: torch.Generator) -> tuple[View, Tensor]:
        if not self._queue:
            order = torch.randperm(len(scene), generator=generator, device=generator.device)
            self._queue = order.tolist()
        index = self._queue.pop() % len(scene)
        height, width = scene.size
        rows = min(height, max(1, PATCH[self.device.type] // width))
        draw = torch.randint(height - rows + 1, (), generator=generator, device=generator.device)
        top = int(draw)
        view = view_of(scene, index, near=self.near).rows(top, top + rows)
        return view, scene.images[index, top : top + rows].float() / 255

    def on_object(self, scene: Photographs, seed: int) -> tuple[Composite, Float[Tensor, "n 4"]]:
        """Some photographs' pixels that show the object (all, where alpha does not tell)."""
        order = torch.randperm(len(scene), generator=torch.Generator().manual_seed(seed))
        parts, colors = [], []
        for index in order[:CHECKED].tolist():
            view = view_of(scene, index, near=self.near)
            shown = render(self.gaussians, view, background=self.background)
            solid = scene.images[index, ..., 3] > 200
            parts.append([part[solid] for part in shown])
            colors.append(scene.images[index][solid].float() / 255)
        return Composite(*map(torch.cat, zip(*parts, strict=True))), torch.cat(colors)

    @torch.no_grad()
    def view(self, scene: Photographs, index: int, *, supersample: int | None = None) -> Composite:
        """The picture from the camera of a photograph; supersample: that many pixels squared for one."""
        s = supersample or self.supersample  # 1, as `project_gaussians` filters
        camera = view_of(scene.select([index]).to(self.device), 0, near=self.near)
        shown = render(self.gaussians, camera.finer(s), background=self.background)
        return averaged(shown, scene.size, s)


@torch.no_grad()
def scatter(
    scene: Photographs,
    region: Region,
    occupancy: Occupancy,
    count: int,
    degree: int,
    generator: torch.Generator,
) -> Gaussians:
    """Round Gaussians at random in the occupied cells, half as large as the gaps between them.

    In a visual hull they start half transparent; in open space, where most of them are in the way,
    they are a haze.
    """
    cells, device = occupancy.cells.nonzero(), generator.device
    pick = torch.randint(len(cells), (count,), generator=generator, device=device)
    jitter = torch.rand(count, 3, generator=generator, device=device)
    side = 2 / occupancy.resolution
    unit = (cells[pick] + jitter) * side - 1
    means = region.to_world(unit)
    gap = side * (len(cells) / count) ** (1 / 3)
    stretch = (region.to_world(unit * (1 - 1e-3)) - means).norm(dim=-1) / (1e-3 * unit.norm(dim=-1))
    log_scales = (0.5 * gap * stretch).log()[:, None].expand(-1, 3)
    quaternions = torch.tensor([1.0, 0, 0, 0], device=device).expand(count, 4)
    harmonics = torch.zeros(count, (degree + 1) ** 2, 3, device=device)
    harmonics[:, 0] = (mean_colors(scene, means) - 0.5) / CONSTANT
    logits = means.new_full((count,), HAZE if region.contracted else 0.0)
    return Gaussians(means, log_scales, quaternions, logits, harmonics)


def mean_colors(scene: Photographs, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """The mean of what the photographs show where the points are."""
    total, views = torch.zeros_like(points), torch.zeros_like(points[:, :1])
    for index in range(0, len(scene), max(1, len(scene) // 24)):
        inside, row, column = seen_at(scene, index, points, 0.0)
        total += inside[:, None] * scene.images[index, row, column, :3].float() / 255
        views += inside[:, None]
    return torch.where(views > 0, total / views.clamp(min=1), torch.full_like(total, 0.5))
