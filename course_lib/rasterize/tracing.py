"""Sphere tracing: rays that step as far as the signed distance says is free."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.shapes import Sdf


@torch.no_grad()
def sphere_trace(
    sdf: Sdf,
    origins: Float[Tensor, "n 3"],
    directions: Float[Tensor, "n 3"],
    *,
    near: float = 0.0,
    far: float = 10.0,
    steps: int = 128,
    tolerance: float = 1e-4,
) -> tuple[Float[Tensor, "n"], Bool[Tensor, "n"]]:
    """Where unit-length rays meet a surface: step by the distance that is free for sure (Hart 1996).

    t ← t + sdf(o + t d) from `near`, until the SDF is below `tolerance` (a hit), t is beyond `far`, or
    `steps` are spent (no hit). Returns the distances t, `far` where nothing is hit, and the hits.

    >>> ball = lambda p: p.norm(dim=-1) - 1
    >>> sphere_trace(ball, torch.tensor([[0.0, 0.0, 3.0]]), torch.tensor([[0.0, 0.0, -1.0]]))
    (tensor([2.]), tensor([True]))
    """
    if not near < far or steps < 1:
        raise ValueError(f"expected near < far and steps >= 1, got {near}, {far}, {steps}")
    t = torch.full_like(origins[:, 0], near)
    hit = torch.zeros_like(t, dtype=torch.bool)
    active = torch.arange(len(t), device=t.device)  # rays that neither hit nor left
    for _ in range(steps):
        distance = sdf(origins[active] + t[active, None] * directions[active])
        near_surface = distance < tolerance
        hit[active[near_surface]] = True
        t[active] += torch.where(near_surface, torch.zeros_like(distance), distance)
        active = active[~near_surface & (t[active] < far)]
        if len(active) == 0:
            break
    return torch.where(hit, t, torch.full_like(t, far)), hit


def march_rays(
    sdf: Sdf, origins: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"], steps: int
) -> Float[Tensor, "n"]:
    """The distance t along each ray after `steps` steps t ← t + sdf(o + t d), from t = 0.

    The bare loop of sphere tracing; `sphere_trace` adds when to stop. Directions are unit vectors.

    >>> ball = lambda p: p.norm(dim=-1) - 1
    >>> march_rays(ball, torch.tensor([[0.0, 0.0, 3.0]]), torch.tensor([[0.0, 0.0, -1.0]]), 1)
    tensor([2.])
    """
    t = torch.zeros_like(origins[:, 0])
    for _ in range(steps):
        t = t + sdf(origins + t[:, None] * directions)
    return t


def sdf_normals(sdf: Sdf, points: Float[Tensor, "n 3"], step: float = 1e-3) -> Float[Tensor, "n 3"]:
    """Unit normals of an SDF's level sets: its gradient by central differences of width 2·step.

    >>> sdf_normals(lambda p: p.norm(dim=-1) - 1, torch.tensor([[0.0, 2.0, 0.0]])).round(decimals=3)
    tensor([[0., 1., 0.]])
    """
    offsets = step * torch.eye(3).to(points)
    columns = [sdf(points + offset) - sdf(points - offset) for offset in offsets]
    return torch.nn.functional.normalize(torch.stack(columns, dim=-1), dim=-1)
