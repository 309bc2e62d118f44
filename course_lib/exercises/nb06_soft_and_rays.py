"""Notebook 06: soft silhouettes and sphere tracing."""

import torch
from torch import Tensor

from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.rasterize import march_rays, soft_coverage, union_coverage
from course_lib.shapes import box, sphere, torus


def _distances(generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Distances of nine pixels, one of them inside, one outside, two far away; and σ."""
    squared = 0.05 * torch.rand(9, generator=generator) + 1e-3
    inside = torch.rand(9, generator=generator) < 0.5
    inside[:4] = torch.tensor([True, False, True, False])
    squared[2:4] = 9.0
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
    "sigma squared": (lambda d, inside, sigma: soft_coverage(d, inside, sigma**2),
        "You squared σ. The squared distance is divided by σ as it is."),
    "root of sigma": (lambda d, inside, sigma: soft_coverage(d, inside, sigma**0.5),
        "You took the root of σ. The squared distance is divided by σ as it is."),
    "distance squared again": (lambda d, inside, sigma: soft_coverage(d.square(), inside, sigma),
        "You squared once more: `squared_distance` is d² already."),
    "hard": (lambda d, inside, sigma: inside.float(),
        "That is the hard test. The coverage rises smoothly across the edge."),
    "half outside": (lambda d, inside, sigma: torch.sigmoid(inside * d / sigma),
        "Outside, your coverage is ½ everywhere: the sign must be −1 there, not 0."),
    "zero outside": (lambda d, inside, sigma: soft_coverage(d, inside, sigma) * inside,
        "Outside, your coverage is 0: then no pixel outside pulls at the face."),
    "constant inside": (_coverage_gaussian,
        "Inside, your coverage is 1 everywhere: then no pixel inside pulls at an edge, and on the "
        "edge it should be ½."),
})
# fmt: on

SOFT_COVERAGE = Exercise(
    name="soft_coverage",
    reference=soft_coverage,
    gradients=("squared_distance",),
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
        '`torch.where(inside, …, …)` chooses the sign. Still stuck? `solution("soft_coverage")`.',
    ),
)


def _coverages(generator: torch.Generator) -> tuple[Tensor]:
    """Coverages, one face of which covers a pixel fully, and two another."""
    coverage = 0.9 * torch.rand(4, 3, 5, generator=generator)
    coverage[1, 0, 0] = coverage[0, 1, 1] = coverage[2, 1, 1] = 1.0
    return (coverage,)


# fmt: off
UNION_MISTAKES = mistakes({
    "exp of the sum": (lambda coverage: 1 - torch.exp(-coverage.sum(dim=0)),
        "exp(−Σ D) is not Π (1 − D): it holds for the optical depth of a fog, not for coverages."),
    "sum": (lambda coverage: coverage.sum(dim=0),
        "You added the coverages: they go beyond 1 where faces overlap."),
    "clipped sum": (lambda coverage: coverage.sum(dim=0).clamp(max=1),
        "A clipped sum stays within 1, but has no gradient where it is clipped."),
    "mean": (lambda coverage: coverage.mean(dim=0),
        "You averaged: a pixel that one of four faces covers is covered, not a quarter."),
    "product of the covered": (lambda coverage: 1 - coverage.prod(dim=0),
        "1 − Π Dⱼ is how likely *some* face leaves the pixel free. All must: Π (1 − Dⱼ)."),
    "along the wrong axis": (lambda coverage: 1 - (1 - coverage).prod(dim=-1),
        "You multiplied along the image. The faces lie along axis 0."),
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
    gradients=("coverage",),
    cases=(
        Case("two halves", lambda g: (torch.tensor([0.5, 0.5]),), fixed=True),
        Case("four faces", _coverages),
        Case("three faces", lambda g: (_coverages(g)[0][:3],)),
    ),
    misconceptions=UNION_MISTAKES,
    hints=(
        "Think of the coverages as independent probabilities. When is the pixel not covered?",
        "It is free if all faces leave it free: Π (1 − Dⱼ).",
        '`.prod(dim=0)` multiplies over the faces. Still stuck? `solution("union_coverage")`.',
    ),
)


def _rays(generator: torch.Generator, far: float = 2.5) -> tuple[Tensor, Tensor]:
    eye = torch.randn(6, 3, generator=generator)
    eye = far * eye / eye.norm(dim=-1, keepdim=True)
    target = 0.6 * torch.rand(6, 3, generator=generator) - 0.3
    direction = target - eye
    return eye, direction / direction.norm(dim=-1, keepdim=True)


def _rays_within(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    eye, direction = _rays(generator)
    return 0.2 * eye, direction


def _skew_ray(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A ray that passes the origin at about 0.3: it closes in on a ball of 0.5 step by step."""
    aside = 0.3 + 0.05 * torch.rand((), generator=generator)
    eye = torch.stack([aside, torch.zeros(()), torch.tensor(2.0)])[None]
    return eye, torch.tensor([[0.0, 0.0, -1.0]])


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


def _march_unsigned(sdf, origins, directions, steps):
    return march_rays(lambda p: sdf(p).abs(), origins, directions, steps)


def _march_forwards_only(sdf, origins, directions, steps):
    return march_rays(lambda p: sdf(p).clamp(min=0), origins, directions, steps)


def _march_until(least):
    def march(sdf, origins, directions, steps):
        t = torch.zeros_like(origins[:, 0])
        for _ in range(steps):
            free = sdf(origins + t[:, None] * directions)
            if (free.abs() < least).all():
                break
            t = t + free
        return t

    return march


def _march_one_less(sdf, origins, directions, steps):
    return march_rays(sdf, origins, directions, steps - 1)


def _march_points(sdf, origins, directions, steps):
    t = march_rays(sdf, origins, directions, steps)
    return origins + t[:, None] * directions


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
    "one step too few": (_march_one_less, "You took one step less than asked."),
    "without sign": (_march_unsigned,
        "You step by |s|. Inside, s is negative, and the ray must step back to the surface."),
    "forwards only": (_march_forwards_only,
        "You never step back. Inside, s is negative, and the ray must return to the surface."),
    "stops early": (_march_until(1e-2),
        "You stop as soon as all rays are near the surface. Here the number of steps is fixed."),
    "stops a little early": (_march_until(1e-3),
        "You stop when all rays are close to the surface. Here the number of steps is fixed."),
    "points": (_march_points,
        "You returned the points. Asked for are the distances t along the rays."),
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
        Case("four steps towards a torus far away", lambda g: (torus(), *_rays(g, 25.0), 4)),
        Case("from within a ball", lambda g: (sphere(1.0), *_rays_within(g), 2)),
        Case("one ray, until it is near", lambda g: (sphere(0.5), *_skew_ray(g), 5)),
        Case("no step", lambda g: (sphere(1.0), *_rays(g), 0)),
    ),
    misconceptions=MARCH_MISTAKES,
    hints=(
        "Start with t = 0 for every ray.",
        "The point reached is `origins + t[:, None] * directions`.",
        "Ask the SDF there, and add what it says to t; `steps` times. Still stuck? "
        '`solution("march_rays")`.',
    ),
)
