"""Is the training ill? Five classic faults of radiance fields, recognised in the first steps.

Some are in the photographs' description and show before any training (`check_scene`), the others in
what the field renders (`check_field`). `HealthMonitor` runs both during a training.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from course_lib.data.photographs import Photographs, over
from course_lib.nerf.field import RAYS, Field
from course_lib.nerf.pixels import object_pixels
from course_lib.nerf.region import backdrop, find_region, focus

FLIPS = {  # names of wrong axes, and what turns the columns of the pose right again
    "look backwards: OpenCV axes (y down, z forwards) taken for OpenGL's": (1.0, -1.0, -1.0),
    "are upside down: x and y point the other way": (-1.0, -1.0, 1.0),
    "look backwards: z points the other way": (-1.0, 1.0, -1.0),
}
FOCALS = (0.5, 0.6, 0.7, 0.8, 1.25, 1.4, 1.7, 2.0)  # factors that might put it right
VIEWS, SAMPLES = 24, 128  # how much of a scene the checks look at


@dataclass(frozen=True)
class Finding:
    """A fault, what shows it, and what to do."""

    fault: str
    evidence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.fault}: {self.evidence}. {self.remedy}"


def check_scene(scene: Photographs) -> list[Finding]:
    """Flipped poses and a wrong focal length, from cameras and silhouettes alone."""
    scene = scene.select(range(0, len(scene), max(1, len(scene) // VIEWS)))
    position = scene.camera_to_world[:, :3, 3]
    ahead = ((focus(scene.camera_to_world) - position) * -scene.camera_to_world[:, :3, 2]).sum(-1)
    if bool((ahead < 0).float().mean() > 0.9):
        text = "the cameras look away from the point where their axes meet"
        return [_flipped(text, next(iter(FLIPS)))]
    if not scene.has_alpha:  # without silhouettes there is no more to compare
        return []
    here = agreement(scene)
    flips = {name: agreement(_turned(scene, signs)) for name, signs in FLIPS.items()}
    name = max(flips, key=flips.__getitem__)
    if flips[name] > here + 0.1:
        return [
            _flipped(f"silhouettes agree to {here:.0%}, but to {flips[name]:.0%} if turned", name)
        ]
    focals = {factor: agreement(_zoomed(scene, factor)) for factor in FOCALS}
    best = max(focals, key=focals.__getitem__)
    if focals[best] > here + 0.02:
        return [
            Finding(
                "wrong focal length",
                f"silhouettes agree to {here:.0%}, but to {focals[best]:.0%} with {best:g} times the "
                "focal length",
                "Was it given for another image size? Rescale it with the image; check whether an "
                "angle is in degrees or radians, of the width or of the height",
            )
        ]
    return []


def check_background(field: Field, scene: Photographs) -> list[Finding]:
    """A background colour that differs from what is behind the photographs."""
    color = None if scene.has_alpha else backdrop(scene)
    if color is None or (color - field.background.to(color)).abs().max() < 0.05:
        return []
    return [
        Finding(
            "wrong background",
            f"the photographs have {_rgb(color)} behind the object, the field is rendered before "
            f"{_rgb(field.background)}",
            "Composite both over the same colour, or keep the alpha channel",
        )
    ]


def check_field(field: Field, scene: Photographs) -> list[Finding]:
    """A dead density and white collapse, from what the field shows on pixels of the object."""
    shown, rgba = field.on_object(scene, seed=0)
    opacity = shown.opacity.mean().item()
    parameters = [p for group in field.optimizer.param_groups for p in group["params"]]
    slopes = torch.autograd.grad(shown.opacity.sum(), parameters, allow_unused=True)
    slope = sum(s.abs().sum().item() for s in slopes if s is not None) / len(rgba)
    if opacity < 0.02 and slope < 1e-4:
        return [
            Finding(
                "dead density",
                f"rays of the object are {opacity:.1%} opaque, and no gradient would change that",
                "The density's activation is cut off: use softplus, or start with a larger bias "
                "and a smaller learning rate",
            )
        ]
    away = (over(rgba, field.background) - field.background).abs().amax(-1) > 0.15
    empty = (shown.color - field.background).abs().amax(-1) < 0.05
    if bool(away.float().mean() > 0.1) and bool(empty[away].float().mean() > 0.95):
        return [
            Finding(
                "white collapse",
                f"{empty[away].float().mean():.0%} of the object's pixels show the background",
                "The field explains everything by its background: start again with a smaller "
                "learning rate, a random background per ray, and more rays on the object",
            )
        ]
    return []


class HealthMonitor:
    """Watches a training: pass its `on_step` to `train`, and read `findings`.

    The scene is checked at once, the field after the steps `at`.
    """

    def __init__(self, field: Field, scene: Photographs, *, at: tuple[int, ...] = (100, 190)):
        self.field, self.scene, self.at = field, scene.to(field.background.device), at
        self.findings = check_scene(self.scene) or check_background(field, self.scene)

    def on_step(self, step: int, seconds: float) -> None:
        """Look at the field when it is time."""
        if step in self.at and not self.findings:
            self.findings += check_field(self.field, self.scene)

    def __str__(self) -> str:
        return "\n".join(str(finding) for finding in self.findings) or "healthy"


def agreement(scene: Photographs) -> float:
    """How well the silhouettes agree: 1 for right cameras and infinitely sharp masks.

    For rays through the object, the smallest alpha that any photograph shows for a point of the ray, at
    the best point of the ray, on average: a soft image-based visual hull (Matusik et al. 2000).
    """
    rays, _ = object_pixels(scene, RAYS, 0)
    near, far = find_region(scene).span(*rays)
    fraction = (torch.arange(SAMPLES, device=near.device) + 0.5) / SAMPLES
    t = near[:, None] + (far - near)[:, None] * fraction
    points = (rays[0][:, None] + t[..., None] * rays[1][:, None]).view(-1, 3)
    least, views = torch.ones_like(points[:, 0]), torch.zeros_like(points[:, 0])
    for index in range(len(scene)):
        alpha, inside = _alpha_at(scene, index, points)
        least = torch.where(inside, torch.minimum(least, alpha), least)
        views += inside
    least = least * (views >= len(scene) / 4)
    return least.view(t.shape).amax(-1).mean().item()


def _alpha_at(scene: Photographs, index: int, points: Tensor) -> tuple[Tensor, Tensor]:
    """What opacity a photograph shows at points, bilinearly, and whether they are in it."""
    height, width = scene.size
    x, y, depth = scene.pixels_of(index, points)
    x, y = x / width * 2 - 1, y / height * 2 - 1
    plane = scene.images[index, None, None, ..., 3].float() / 255  # (1, 1, h, w)
    grid = torch.stack([x, y], dim=-1)[None, None]
    alpha = F.grid_sample(plane, grid, padding_mode="border", align_corners=False)[0, 0, 0]
    return alpha, (depth > 0) & (x.abs() <= 1) & (y.abs() <= 1)


def _turned(scene: Photographs, signs: tuple[float, float, float]) -> Photographs:
    pose = scene.camera_to_world.clone()
    pose[:, :3, :3] *= pose.new_tensor(signs)
    return replace(scene, camera_to_world=pose)


def _zoomed(scene: Photographs, factor: float) -> Photographs:
    scale = scene.intrinsics.new_tensor([factor, factor, 1, 1])
    return replace(scene, intrinsics=scene.intrinsics * scale)


def _flipped(evidence: str, name: str) -> Finding:
    signs = ", ".join(f"{sign:+.0f}" for sign in FLIPS[name])
    remedy = f"The cameras {name}; multiply the pose's columns by ({signs})"
    return Finding("flipped poses", evidence, remedy)


def _rgb(color: Float[Tensor, "3"]) -> str:
    return "(" + ", ".join(f"{value:.2f}" for value in color.tolist()) + ")"
