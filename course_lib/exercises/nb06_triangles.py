"""Notebook 06: rasterising triangles, and why a hard picture has no gradient."""

import torch
from torch import Tensor

from course_lib.exercises.choices import choice_question
from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.rasterize import (
    barycentric_coordinates,
    edge_function,
    nearest_face,
    perspective_correct,
)


def _triangle(generator: torch.Generator) -> Tensor:
    """A triangle of fair size: three corners on a circle, disturbed."""
    angle = torch.tensor([0.3, 2.4, 4.5]) + 0.6 * torch.rand(3, generator=generator)
    corners = torch.stack([angle.cos(), angle.sin()], dim=-1) * 4 + 5
    return corners + 0.5 * torch.rand(3, 2, generator=generator)


def _points_and_triangle(generator: torch.Generator, *, clockwise: bool = False) -> tuple:
    corners = _triangle(generator)
    return 10 * torch.rand(8, 2, generator=generator), corners.flip(0) if clockwise else corners


def _barycentric_of_absolute_areas(points, triangle):
    weights = barycentric_coordinates(points, triangle).abs()
    return weights


def _barycentric_reversed(points, triangle):
    return barycentric_coordinates(points, triangle).roll(1, dims=-1)


def _barycentric_doubled(points, triangle):
    return 0.5 * barycentric_coordinates(points, triangle)


def _barycentric_by_unsigned_area(points, triangle):
    return barycentric_coordinates(points, triangle) * edge_function(*triangle).sign()


def _barycentric_undivided(points, triangle):
    return barycentric_coordinates(points, triangle) * edge_function(*triangle)


def _barycentric_by_distance(points, triangle):
    nearness = 1 / torch.cdist(points, triangle)
    return nearness / nearness.sum(dim=-1, keepdim=True)


# fmt: off
BARYCENTRIC_MISTAKES = mistakes({
    "areas without sign": (_barycentric_of_absolute_areas,
        "Outside the triangle your weights are positive too. Keep the sign of the areas: it "
        "tells on which side of an edge the point lies."),
    "wrong corner": (_barycentric_reversed,
        "Your weights belong to other corners: the weight of a corner is the area spanned by "
        "the point and the **other two**."),
    "cut off at 0": (lambda p, t: barycentric_coordinates(p, t).clamp(min=0),
        "You cut off negative weights. Outside the triangle they tell on which side a point lies."),
    "order of the corners": (lambda p, t: barycentric_coordinates(p, t)[:, [0, 2, 1]],
        "You exchanged b₁ and b₂: b₁ belongs to c₁ and is the area of p, c₂, c₀."),
    "sign": (lambda p, t: -barycentric_coordinates(p, t),
        "All your weights have the wrong sign: walk round both triangles in the same sense."),
    "area without sign": (_barycentric_by_unsigned_area,
        "You divided by the area without its sign: where the corners run the other way round all "
        "weights change their signs."),
    "half": (_barycentric_doubled,
        "Your weights sum to ½ instead of 1: you halved one area and not the other."),
    "not divided": (_barycentric_undivided,
        "You returned areas. Divide them by the area of the whole triangle, with its sign."),
    "by distance": (_barycentric_by_distance,
        "Inverse distances made to sum to 1 do not restore the point in general: use areas."),
})
# fmt: on

BARYCENTRIC = Exercise(
    name="barycentric_coordinates",
    reference=barycentric_coordinates,
    points=2,
    cases=(
        Case(
            "a point in a right-angled triangle",
            lambda g: (
                torch.tensor([[1.0, 2.0]]),
                torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]]),
            ),
            fixed=True,
        ),
        Case("points inside and outside", _points_and_triangle),
        Case("the corners the other way round", lambda g: _points_and_triangle(g, clockwise=True)),
        Case("a tiny triangle", lambda g: tuple(1e-3 * x for x in _points_and_triangle(g))),
    ),
    misconceptions=BARYCENTRIC_MISTAKES,
    hints=(
        "Each weight is a ratio of two signed areas.",
        "b₀ = area(point, c₁, c₂)/area(c₀, c₁, c₂); the other two by moving on one corner.",
        "`edge_function(a, b, p)` is twice the signed area; the factor 2 drops out of the ratios. Stack "
        'along the last axis. Still stuck? `solution("barycentric_coordinates")`.',
    ),
)


def _weights_and_depth(generator: torch.Generator, unit: float = 1.0) -> tuple:
    weights = torch.rand(7, 3, generator=generator) + 0.05
    depth = unit * (1 + 4 * torch.rand(3, generator=generator))
    return weights / weights.sum(dim=-1, keepdim=True), depth


def _corrected_linearly(barycentric, depth):
    return barycentric, barycentric @ depth


def _corrected_with_linear_depth(barycentric, depth):
    z = barycentric @ depth
    return barycentric / depth * z[:, None], z


def _corrected_by_product(barycentric, depth):
    weighted = barycentric * depth
    total = weighted.sum(dim=-1, keepdim=True)
    return weighted / total, total[:, 0]


def _corrected_depth_only(barycentric, depth):
    return barycentric, 1 / (barycentric / depth).sum(dim=-1)


def _corrected_not_normalised(barycentric, depth):
    return barycentric / depth, 1 / (barycentric / depth).sum(dim=-1)


def _corrected_inverse(barycentric, depth):
    weights, z = perspective_correct(barycentric, depth)
    return weights, 1 / z


# fmt: off
PERSPECTIVE_MISTAKES = mistakes({
    "linear in the image": (_corrected_linearly,
        "You interpolated z itself: that is right only for faces parallel to the image. Halfway "
        "between depths 1 and 3 **in the image** the depth is 1.5, not 2."),
    "linear in the image, for the weights too": (_corrected_with_linear_depth,
        "You interpolated z itself, and scaled the weights by it. What is linear in the image is 1/z."),
    "multiplied": (_corrected_by_product,
        "You weighted by z where 1/z belongs: near corners must count more, not less."),
    "weights left": (_corrected_depth_only,
        "The depth is right, but the weights are still those of the image: colours and textures "
        "would swim."),
    "weights do not sum to one": (_corrected_not_normalised,
        "The weights bᵢ/zᵢ do not sum to 1: multiply them by the depth z."),
    "the other way round": (lambda b, z: perspective_correct(b, z)[::-1],
        "You returned (depth, weights). The weights come first."),
    "inverse depth": (_corrected_inverse,
        "You returned 1/z, the quantity that is linear in the image; the depth is its inverse."),
})
# fmt: on

PERSPECTIVE = Exercise(
    name="perspective_correct",
    reference=perspective_correct,
    points=2,
    cases=(
        Case(
            "halfway between depths 1 and 3",
            lambda g: (torch.tensor([[0.5, 0.5, 0.0]]), torch.tensor([1.0, 3.0, 1.0])),
            fixed=True,
        ),
        Case("seven pixels", _weights_and_depth),
        Case("seven others, far away", lambda g: _weights_and_depth(g, 1e3)),
    ),
    misconceptions=PERSPECTIVE_MISTAKES,
    hints=(
        "What is linear in the image is 1/z.",
        "1/z = Σ bᵢ/zᵢ.",
        "`barycentric / depth` holds all bᵢ/zᵢ; their sum along the last axis is 1/z. Still stuck? "
        '`solution("perspective_correct")`.',
    ),
)


def _layers(generator: torch.Generator, unit: float = 1.0) -> tuple[Tensor]:
    depth = unit * (1 + torch.rand(4, 3, 5, generator=generator))
    covered = torch.rand(4, 3, 5, generator=generator) < 0.5
    covered[:, 0, 0] = False
    return (torch.where(covered, depth, torch.tensor(torch.inf)),)


def _nearest_or_zero(depth):
    return depth.min(dim=0).indices


def _farthest(depth):
    seen = torch.where(depth.isfinite(), depth, -torch.inf)
    return torch.where(depth.isfinite().any(dim=0), seen.argmax(dim=0), -1)


def _painted_in_order(depth):
    face = torch.full(depth.shape[1:], -1)
    for index in range(len(depth)):
        face[depth[index].isfinite()] = index
    return face


def _nearest_depth(depth):
    return depth.amin(dim=0)


# fmt: off
NEAREST_MISTAKES = mistakes({
    "no background": (_nearest_or_zero,
        "Where no face covers the pixel you say face 0. It should be −1."),
    "farthest": (_farthest, "You keep the farthest face: the depth grows away from us."),
    "any for all": (
        lambda depth: torch.where(depth.isinf().any(dim=0), -1, depth.argmin(dim=0)),
        "You say −1 as soon as *one* face leaves the pixel free: it is empty only if all do."),
    "counted from 1": (lambda depth: torch.where(nearest_face(depth) >= 0, nearest_face(depth) + 1, -1),
        "You count faces from 1. Index 0 is the first."),
    "along the wrong axis": (lambda depth: depth.min(dim=-1).indices,
        "You searched along the image. The faces lie along axis 0."),
    "last one wins": (_painted_in_order,
        "You let later faces paint over earlier ones, whatever their depth: that is what the "
        "z-buffer is there to prevent."),
    "depth instead of index": (_nearest_depth,
        "You returned the depth of the nearest face; asked for is its index."),
})
# fmt: on

NEAREST = Exercise(
    name="nearest_face",
    reference=nearest_face,
    cases=(
        Case(
            "two faces, one pixel empty",
            lambda g: (torch.tensor([[[2.0, torch.inf]], [[1.0, torch.inf]]]),),
            fixed=True,
        ),
        Case("four faces", _layers),
        Case("four faces very far away", lambda g: _layers(g, 1e12)),
    ),
    misconceptions=NEAREST_MISTAKES,
    hints=(
        "Along which axis do the faces lie, and what is the smallest there?",
        "`depth.min(dim=0)` gives both the values and their indices.",
        "Where the smallest value is infinite, put −1 (`torch.where`). Still stuck? "
        '`solution("nearest_face")`.',
    ),
)


# fmt: off
VANISHING = choice_question("why_the_hard_picture_has_no_gradient", "A", {
    "A": ("every pixel shows one face or another, and stays so under a small motion",
        "Coverage is a step function of the vertices: its derivative is 0 wherever it exists."),
    "B": ("the projection divides by the depth",
        "The projection is smooth wherever the depth is positive."),
    "C": ("the z-buffer sorts the faces, and sorting cannot be differentiated",
        "A single triangle needs no sorting, and its silhouette has no gradient either."),
    "D": ("the picture has too few pixels",
        "More pixels change the size of the jumps, not what lies between them."),
}, hints=("Look at the staircase: what is its slope between two jumps?",))
# fmt: on
