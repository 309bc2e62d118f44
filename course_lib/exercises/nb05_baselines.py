"""Notebook 05: the retrieval baseline, the visible points, and what one picture cannot tell."""

import torch
import torch.nn.functional as F

from course_lib import cameras
from course_lib.exercises.choices import choice_question
from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.reconstruction import baselines


def _pictures(b: int, n: int):
    return lambda g: (torch.rand(b, 3, 4, 4, generator=g), torch.rand(n, 3, 4, 4, generator=g))


# fmt: off
RETRIEVE_MISTAKES = mistakes({
    "most different": (lambda q, g: torch.cdist(q.flatten(1), g.flatten(1)).argmax(1),
        "You return the picture that differs most: argmin, not argmax."),
    "largest product": (lambda q, g: (q.flatten(1) @ g.flatten(1).mT).argmax(1),
        "The largest inner product favours bright pictures: the term ‖g‖² is missing."),
    "the distances": (lambda q, g: torch.cdist(q.flatten(1), g.flatten(1)).min(1).values.square(),
        "You return how far the nearest picture is, not which one it is."),
    "nearest query": (lambda q, g: torch.cdist(g.flatten(1), q.flatten(1)).argmin(1),
        "You found the nearest query for each training picture; it is asked the other way round."),
    "one channel": (lambda q, g: torch.cdist(q[:, 0].flatten(1), g[:, 0].flatten(1)).argmin(1),
        "You compare the first channel only."),
})
# fmt: on

RETRIEVE = Exercise(
    name="retrieve",
    reference=baselines.retrieve,
    cases=(
        Case(
            "three grey pictures",
            lambda g: (
                torch.tensor([0.2, 1.2]).reshape(2, 1, 1, 1),
                torch.tensor([0.0, 1.0, 2.0]).reshape(3, 1, 1, 1),
            ),
            fixed=True,
        ),
        Case("a few queries", _pictures(12, 20)),
        Case("more queries than pictures", _pictures(30, 8)),
    ),
    misconceptions=RETRIEVE_MISTAKES,
    hints=(
        "Flatten everything but the first axis: each picture becomes one long row.",
        "`torch.cdist` gives all distances (b, n); or use ‖q − g‖² = ‖q‖² − 2 q·g + ‖g‖².",
        "`.argmin(dim=1)` over the gallery.",
    ),
)


def _scans(n: int, height: int, width: int):
    def make(g):
        points = 2 * torch.rand(n, 3, generator=g) - 1
        eye = F.normalize(torch.randn(3, generator=g) + torch.tensor([0.0, 0.3, 0.0]), dim=0)
        depth = 2.2 + 1.6 * torch.rand(height, width, generator=g)
        depth = depth * (torch.rand(height, width, generator=g) > 0.2)
        return points, cameras.look_at(3 * eye), depth, 1.3

    return make


def _seen(points, camera, depth, focal, *, slack=0.04, swap=False, ray=False, half=0.0):
    height, width = depth.shape
    pixels, own = cameras.project(points, camera, focal * height, height, width)
    if ray:
        own = (points - camera[:3, 3]).norm(dim=-1)
    inside = ((pixels >= 0) & (pixels < torch.tensor([width, height]).to(pixels))).all(dim=-1)
    column, row = (pixels + half).long().unbind(dim=-1)
    if swap:
        row, column = column, row
    shown = depth[row.clamp(0, height - 1), column.clamp(0, width - 1)]
    return inside & (shown > 0) & (own <= shown + slack)


# fmt: off
VISIBLE_MISTAKES = mistakes({
    "row and column exchanged": (lambda p, c, d, f: _seen(p, c, d, f, swap=True),
        "You look the depth up at [x, y]. Pictures are indexed [row, column], that is [y, x]."),
    "no tolerance": (lambda p, c, d, f: _seen(p, c, d, f, slack=0.0),
        "You allow no tolerance. A pixel has one depth, the surface in it has many: allow 0.04."),
    "distance along the ray": (lambda p, c, d, f: _seen(p, c, d, f, ray=True),
        "You compare the distance from the camera with a depth, but depth is along the axis."),
    "rounded": (lambda p, c, d, f: _seen(p, c, d, f, half=0.5),
        "You rounded to the next whole number. Pixel j reaches from j to j + 1: cut the rest off."),
    "hidden ones": (lambda p, c, d, f: ~_seen(p, c, d, f),
        "Exactly the wrong way round: True belongs to the points that are seen."),
})
# fmt: on

VISIBLE = Exercise(
    name="visible_points",
    reference=baselines.visible_points,
    points=2,
    cases=(
        Case(
            "one point behind another",
            lambda g: (
                torch.tensor([[0.0, 0, -2.0], [0.0, 0, -3.0], [0.0, 0, -2.03], [9.0, 0, -2.0]]),
                torch.eye(4),
                torch.full((2, 2), 2.0),
                1.0,
            ),
            fixed=True,
        ),
        Case("random points before a rough wall", _scans(200, 9, 9)),
        Case("a wide picture", _scans(200, 8, 12)),
    ),
    misconceptions=VISIBLE_MISTAKES,
    hints=(
        "`cameras.project(points, camera, focal * height, height, width)` gives pixels and depths.",
        "The pixel of a point is `pixels.long()`, x is its column and y its row. Clamp them, and "
        "remember which were outside.",
        "`inside & (shown > 0) & (own <= shown + 0.04)`",
    ),
)

# fmt: off
CANNOT_TELL = choice_question("what_one_picture_cannot_tell", "C", {
    "A": ("which side of the object is in front, since the frame is the object's own",
        "The front shows in the picture (a back rest, a propeller)."),
    "B": ("the colours of the parts that are seen",
        "The colours are in the picture, up to the colour of the light."),
    "C": ("how large the object is, if the distance of the camera is unknown",
        "Twice the size at twice the distance gives the same picture. That is why all pictures "
        "of this data set are taken from one distance."),
    "D": ("where the silhouette is", "The silhouette is the border between object and background."),
}, hints=("Move the camera twice as far away and make the object twice as large.",))
# fmt: on

EXERCISES = (RETRIEVE, VISIBLE, CANNOT_TELL)
