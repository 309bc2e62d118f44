"""Notebook 06: soft silhouettes and sphere tracing."""

import torch
from torch import Tensor

from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.rasterize import march_rays, soft_coverage, union_coverage
from course_lib.shapes import box, sphere, torus


def _distances(generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
    squared = 0.05 * torch.rand(9, generator=generator) + 1e-3
    inside = torch.rand(9, generator=generator) < 0.5
    inside[:2] = torch.tensor([True, False])
    return squared, inside, 0.02


def _coverage_without_sign(squared_distance, inside, sigma):
    return torch.sigmoid(squared_distance / sigma)


def _coverage_inverted(squared_distance, inside, sigma):
    return 1 - soft_coverage(squared_distance, inside, sigma)


def _coverage_unsquared(squared_distance, inside, sigma):
    distance = squared_distance.sqrt()
    return torch.sigmoid(torch.where(inside, distance, -distance) / sigma)


def _coverage_multiplied(squared_distance, inside, sigma):
    return torch.sigmoid(torch.where(inside, squared_distance, -squared_distance) * sigma)


def _coverage_gaussian(squared_distance, inside, sigma):
    return torch.where(inside, 1.0, torch.exp(-squared_distance / sigma))


# fmt: off
SOFT_COVERAGE_MISTAKES = mistakes({
    "no sign": (_coverage_without_sign,
        "Pixels outside are covered like those inside: d² needs a minus sign outside."),
    "inside out": (_coverage_inverted, "Exactly 1 minus the expected: your sign is reversed."),
    "distance not squared": (_coverage_unsquared,
        "You took the root: in SoftRas the **squared** distance is divided by σ."),
    "times sigma": (_coverage_multiplied,
        "You multiplied by σ. Divide: a small σ must give a sharp edge."),
    "constant inside": (_coverage_gaussian,
        "Inside, your coverage is 1 everywhere: then nothing pulls an edge inwards, and on the "
        "edge it should be ½."),
})
# fmt: on

SOFT_COVERAGE = Exercise(
    name="soft_coverage",
    reference=soft_coverage,
    gradients=True,
    cases=(
        Case(
            "on the edge, inside, outside",
            lambda g: (torch.tensor([0.0, 0.1, 0.1]), torch.tensor([True, True, False]), 0.1),
            fixed=True,
        ),
        Case("nine pixels", _distances),
        Case("sharper", lambda g: (*_distances(g)[:2], 0.008)),
    ),
    misconceptions=SOFT_COVERAGE_MISTAKES,
    hints=(
        "A sigmoid of something that is positive inside and negative outside.",
        "±d²/σ, with + inside.",
        "`torch.sigmoid(torch.where(inside, squared_distance, -squared_distance) / sigma)`",
    ),
)


def _coverages(generator: torch.Generator) -> tuple[Tensor]:
    return (0.9 * torch.rand(4, 3, 5, generator=generator),)


# fmt: off
UNION_MISTAKES = mistakes({
    "sum": (lambda coverage: coverage.sum(dim=0),
        "You added the coverages: they go beyond 1 where faces overlap."),
    "clipped sum": (lambda coverage: coverage.sum(dim=0).clamp(max=1),
        "A clipped sum stays within 1, but has no gradient where it is clipped."),
    "maximum": (lambda coverage: coverage.amax(dim=0),
        "You took the maximum: only one face per pixel gets a gradient."),
    "product": (lambda coverage: coverage.prod(dim=0),
        "The product says that **every** face covers the pixel; one is enough."),
    "free instead of covered": (lambda coverage: (1 - coverage).prod(dim=0),
        "That is how free the pixel is: 1 minus it is the coverage."),
})
# fmt: on

UNION = Exercise(
    name="union_coverage",
    reference=union_coverage,
    gradients=True,
    cases=(
        Case("two halves", lambda g: (torch.tensor([0.5, 0.5]),), fixed=True),
        Case("four faces", _coverages),
        Case("four other faces", _coverages),
    ),
    misconceptions=UNION_MISTAKES,
    hints=(
        "Think of the coverages as independent probabilities. When is the pixel not covered?",
        "It is free if all faces leave it free: Π (1 − Dⱼ).",
        "`1 - (1 - coverage).prod(dim=0)`",
    ),
)


def _rays(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    eye = torch.randn(6, 3, generator=generator)
    eye = 2.5 * eye / eye.norm(dim=-1, keepdim=True)
    target = 0.6 * torch.rand(6, 3, generator=generator) - 0.3
    direction = target - eye
    return eye, direction / direction.norm(dim=-1, keepdim=True)


def _march_restarting(sdf, origins, directions, steps):
    t = torch.zeros_like(origins[:, 0])
    for _ in range(steps):
        t = sdf(origins + t[:, None] * directions)
    return t


def _march_origin_distance(sdf, origins, directions, steps):
    t = torch.zeros_like(origins[:, 0])
    for _ in range(steps):
        t = t + sdf(origins)
    return t


def _march_one_more(sdf, origins, directions, steps):
    return march_rays(sdf, origins, directions, steps + 1)


def _march_half_steps(sdf, origins, directions, steps):
    t = torch.zeros_like(origins[:, 0])
    for _ in range(steps):
        t = t + 0.5 * sdf(origins + t[:, None] * directions)
    return t


# fmt: off
MARCH_MISTAKES = mistakes({
    "forgets the way so far": (_march_restarting,
        "Each of your steps replaces t. Add the new distance to the way already gone."),
    "always asks at the origin": (_march_origin_distance,
        "You ask the SDF at the origin each time. Ask where the ray has got to, o + t d."),
    "one step too many": (_march_one_more, "You took one step more than asked."),
    "half steps": (_march_half_steps,
        "Your steps are half as long as they may be: the whole signed distance is free."),
})
# fmt: on

MARCH = Exercise(
    name="march_rays",
    reference=march_rays,
    cases=(
        Case(
            "straight at a ball",
            lambda g: (
                sphere(1.0),
                torch.tensor([[0.0, 0.0, 3.0]]),
                torch.tensor([[0.0, 0.0, -1.0]]),
                1,
            ),
            fixed=True,
        ),
        Case("three steps towards a box", lambda g: (box(1.0), *_rays(g), 3)),
        Case("four steps towards a torus", lambda g: (torus(), *_rays(g), 4)),
    ),
    misconceptions=MARCH_MISTAKES,
    hints=(
        "Start with t = 0 for every ray.",
        "The point reached is `origins + t[:, None] * directions`.",
        "Repeat: `t = t + sdf(point)`.",
    ),
)

EXERCISES = (SOFT_COVERAGE, UNION, MARCH)
