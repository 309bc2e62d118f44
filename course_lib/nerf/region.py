"""Where the scene is: what part of the world a radiance field covers, found from the cameras."""

from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.cameras import look_at
from course_lib.data.photographs import Photographs
from course_lib.volume import box_span

FAR = 1e3  # distances beyond this many scales are not told apart


class Region(NamedTuple):
    """A cube of the world, or all of it.

    Bounded (`contracted` False): the cube `center` ± `scale`. Contracted: the same cube as it is, and
    everything outside shrunk into a shell around it, x → (2 - 1/|x|∞) x/|x|∞ in units of `scale`
    (the contraction of mip-NeRF 360, eq. 10, with the max norm). Either way `to_unit` gives
    coordinates in [-1, 1]³. Rays are walked from `near` to `far` in a coordinate u that is the distance
    up to `knee` and bends like 1/distance beyond: u = 2 knee - knee²/t.
    """

    center: Tensor
    scale: float
    contracted: bool
    near: float
    far: float
    knee: float

    def to_unit(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """World coordinates to [-1, 1]³ (outside of it: outside of a bounded region)."""
        x = (points - self.center) / self.scale
        if not self.contracted:
            return x
        size = x.abs().amax(-1, keepdim=True).clamp(min=1.0)
        return x * ((2 - 1 / size) / size / 2)

    def to_world(self, unit: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """The inverse of `to_unit`; the edge of a contracted region is far away, not at infinity."""
        if not self.contracted:
            return unit * self.scale + self.center
        y = 2 * unit
        size = y.abs().amax(-1, keepdim=True).clamp(min=1.0)
        return y / (size * (2 - size).clamp(min=1 / FAR)) * self.scale + self.center

    def bend(self, t: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Distance t along a ray to the coordinate u."""
        return torch.where(t < self.knee, t, 2 * self.knee - self.knee**2 / t.clamp(min=1e-9))

    def unbend(self, u: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The inverse of `bend`."""
        beyond = (2 * self.knee - u).clamp(min=self.knee / FAR)
        return torch.where(u < self.knee, u, self.knee**2 / beyond)

    def inner(self, unit: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """[-1, 1]³ to the cube `center` ± `scale`, which is all of a bounded region."""
        return unit * self.scale + self.center

    def span(
        self, origins: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
        """Where each ray enters and leaves the region, as u; equal where it misses it."""
        if self.contracted:
            ends = self.bend(origins.new_tensor([self.near, self.far]))
            return ends[0].expand(len(origins)), ends[1].expand(len(origins))
        return box_span(origins, directions, self.center - self.scale, self.center + self.scale)


BEYOND = 1e30  # stands for "no knee": u is the distance


def focus(camera_to_world: Float[Tensor, "n 4 4"]) -> Float[Tensor, "3"]:
    """The point nearest to all optical axes, in the least-squares sense."""
    position, axis = camera_to_world[:, :3, 3].double(), camera_to_world[:, :3, 2].double()
    across = torch.eye(3).to(position) - axis[:, :, None] * axis[:, None, :]  # (n, 3, 3)
    # a whiff of pull towards the cameras decides when the axes are parallel
    system = across.sum(0) + 1e-6 * len(position) * torch.eye(3).to(position)
    right = (across @ position[:, :, None]).sum(0)[:, 0] + 1e-6 * position.sum(0)
    return torch.linalg.solve(system, right).to(camera_to_world.dtype)


def upwards(camera_to_world: Float[Tensor, "n 4 4"]) -> Float[Tensor, "3"]:
    """Which way is up in the world: across all cameras' x axes, as one holds a camera level."""
    right, up = camera_to_world[:, :3, 0].double(), camera_to_world[:, :3, 1].double().mean(0)
    # the mean of the cameras' own "up" decides where all x axes are parallel, and the sign
    system = (
        right.T @ right / len(right) - 0.1 * torch.outer(up, up) / up.norm().clamp(min=1e-9) ** 2
    )
    axis = torch.linalg.eigh(system).eigenvectors[:, 0]
    return (axis * (axis @ up).sign()).to(camera_to_world.dtype)


def orbit(scene: Photographs, turn: float, rise: float) -> Photographs:
    """A scene of one camera that looks at what all cameras look at, from their median distance.

    turn: degrees around the vertical axis, from where the first photograph was taken; rise: degrees
    above the horizontal. Its picture is that of the first photograph.
    """
    poses, up = scene.camera_to_world, upwards(scene.camera_to_world)
    away = poses[:, :3, 3] - (center := focus(poses))
    flat = away[0] - (away[0] @ up) * up
    x = flat / flat.norm().clamp(min=1e-9)
    around, above = torch.deg2rad(poses.new_tensor([turn, rise]))
    y = torch.linalg.cross(up, x)
    way = above.cos() * (around.cos() * x + around.sin() * y) + above.sin() * up
    pose = look_at(center + away.norm(dim=-1).median() * way, center, up)
    return replace(scene.select([0]), camera_to_world=pose[None])


def backdrop(scene: Photographs) -> Float[Tensor, "3"] | None:
    """The one colour that all photographs without alpha have along their borders, if there is one."""
    rgb = scene.images[..., :3]
    sides = (rgb[:, 0], rgb[:, -1], rgb[:, :, 0], rgb[:, :, -1])
    border = torch.cat([side.flatten(0, 1) for side in sides]).float() / 255
    color = border.median(0).values
    return color if ((border - color).abs().amax(-1) < 0.02).float().mean() > 0.98 else None


def find_region(scene: Photographs) -> Region:
    """The region of a scene: bounded around an object before nothing or one colour, else contracted."""
    position = scene.camera_to_world[:, :3, 3]
    center = focus(scene.camera_to_world)
    distance = (position - center).norm(dim=-1).median().item()
    ahead = ((center - position) * -scene.camera_to_world[:, :3, 2]).sum(-1)
    height, width = scene.size
    if scene.has_alpha or backdrop(scene) is not None:
        opening = max(height, width) / 2 / scene.intrinsics[:, :2].min(-1).values.median().item()
        return Region(center, distance * opening, False, 0.0, float("inf"), BEYOND)
    spread = (position - position.mean(0)).norm(dim=-1).median().item()
    if bool((ahead > 0).float().mean() > 0.9) and spread > 0.5 * distance:  # cameras look inwards
        near = scene.near or 0.1 * distance
        return Region(center, distance / 2, True, near, FAR * distance, 1.2 * distance)
    near = scene.near or _forward_near(distance, spread)
    far = min(scene.far, FAR * near)
    return Region(position.mean(0), near, True, near, far, near)


def _forward_near(distance: float, spread: float) -> float:
    """A near plane for cameras side by side: parallax of what is nearer would be hopeless."""
    return max(min(0.3 * distance, 4 * spread), 1e-3 * distance)
