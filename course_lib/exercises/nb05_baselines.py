"""Notebook 05: the retrieval baseline, the visible points, and what one picture cannot tell."""

import torch
import torch.nn.functional as F

from course_lib import cameras
from course_lib.exercises.choices import choice_question
from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.reconstruction import baselines


def _pictures(b: int, n: int, size: float = 1.0):
    return lambda g: (
        size * torch.rand(b, 3, 4, 4, generator=g),
        size * torch.rand(n, 3, 4, 4, generator=g),
    )


def _nearest(queries, gallery, factor):
    q, g = queries.flatten(1), gallery.flatten(1)
    return (g.square().sum(1) + factor * q @ g.mT).argmin(1)


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
    "cosine": (
        lambda q, g: (F.normalize(q.flatten(1)) @ F.normalize(g.flatten(1)).mT).argmax(1),
        "You compared directions (cosines): a darker copy of a picture would then be equal to it. Asked "
        "for is the smallest squared difference."),
    "factor 2 missing": (lambda q, g: _nearest(q, g, -1.0),
        "‖q − g‖² = ‖q‖² − 2 q·g + ‖g‖²: the factor 2 is missing."),
    "plus for minus": (lambda q, g: _nearest(q, g, 2.0),
        "‖q − g‖² = ‖q‖² − 2 q·g + ‖g‖²: your middle term has the wrong sign."),
    "absolute differences": (lambda q, g: torch.cdist(q.flatten(1), g.flatten(1), p=1).argmin(1),
        "You summed absolute differences. The squared ones count."),
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
        Case("one query, values up to 255", _pictures(1, 9, 255.0)),
    ),
    misconceptions=RETRIEVE_MISTAKES,
    hints=(
        "Flatten everything but the first axis: each picture becomes one long row.",
        "`torch.cdist` gives all distances (b, n); or use ‖q − g‖² = ‖q‖² − 2 q·g + ‖g‖².",
        'Then the index of the smallest along the gallery\'s axis. Still stuck? `solution("retrieve")`.',
    ),
)


def _scans(n: int, height: int, width: int, size: float = 1.0):
    """A maker of points in a cube of half-side `size`, a camera 3 units away, and a rough wall."""

    def make(g):
        points = size * (2 * torch.rand(n, 3, generator=g) - 1)
        eye = F.normalize(torch.randn(3, generator=g) + torch.tensor([0.0, 0.3, 0.0]), dim=0)
        depth = 2.2 + 1.6 * torch.rand(height, width, generator=g)
        depth = depth * (torch.rand(height, width, generator=g) > 0.2)
        return points, cameras.look_at(3 * eye), depth, 1.3

    return make


def _into_camera(points, camera):
    return (points - camera[:3, 3]) @ camera[:3, :3]


def _pixels(q, depth, focal, *, flip=-1.0, of=0):
    """Pixels of points in camera axes; the focal length is in units of axis `of` of the picture."""
    height, width = depth.shape
    scale = focal * depth.shape[of]
    column, row = (
        width / 2 - scale * q[:, 0] / q[:, 2],
        height / 2 - flip * scale * q[:, 1] / q[:, 2],
    )
    return torch.stack([column, row], dim=-1)


def _look_up(pixels, depth):
    """Which pixels are in the picture, and what it shows there."""
    height, width = depth.shape
    column, row = pixels.floor().long().unbind(dim=-1)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return inside, depth[row.clamp(0, height - 1), column.clamp(0, width - 1)]


def _seen(points, camera, depth, focal, *, rule=None, q=None, half=0.0, **how):
    """The reference with one step replaced."""
    q = _into_camera(points, camera) if q is None else q
    inside, shown = _look_up(_pixels(q, depth, focal, **how) + half, depth)
    own = -q[:, 2]
    if rule is not None:  # of: is it in the picture, the depth shown there, the point's own depth
        return rule(inside, shown, own)
    return inside & (shown > 0) & (own <= shown + 0.04)


def _row_and_column_exchanged(points, camera, depth, focal):
    q = _into_camera(points, camera)
    pixels, (height, width) = _pixels(q, depth, focal), depth.shape
    inside, _ = _look_up(pixels, depth)
    row, column = pixels.floor().long().unbind(dim=-1)
    shown = depth[row.clamp(0, height - 1), column.clamp(0, width - 1)]
    return inside & (shown > 0) & (-q[:, 2] <= shown + 0.04)


def _cut_off(points, camera, depth, focal):
    q = _into_camera(points, camera)
    inside, shown = _look_up(_pixels(q, depth, focal).trunc(), depth)
    return inside & (shown > 0) & (-q[:, 2] <= shown + 0.04)


def _along_the_ray(points, camera, depth, focal):
    q = _into_camera(points, camera)
    inside, shown = _look_up(_pixels(q, depth, focal), depth)
    return inside & (shown > 0) & (q.norm(dim=-1) <= shown + 0.04)


# fmt: off
VISIBLE_MISTAKES = mistakes({
    "row and column exchanged": (_row_and_column_exchanged,
        "You look the depth up at [x, y]. Pictures are indexed [row, column], that is [y, x]."),
    "no tolerance": (
        lambda *a: _seen(*a, rule=lambda i, d, z: i & (d > 0) & (z <= d)),
        "You allow no tolerance. A pixel has one depth, the surface in it has many: allow 0.04."),
    "distance along the ray": (_along_the_ray,
        "You compare the distance from the camera with a depth, but depth is along the axis."),
    "rounded": (lambda *a: _seen(*a, half=0.5),
        "You rounded to the next whole number. Pixel j reaches from j to j + 1: cut the rest off."),
    "hidden ones": (lambda *a: ~_seen(*a),
        "Exactly the wrong way round: True belongs to the points that are seen."),
    "y not flipped": (lambda *a: _seen(*a, flip=1.0),
        "Your rows count upwards: row 0 is on top, the camera's y points up."),
    "focal in image widths": (lambda *a: _seen(*a, of=1),
        "You multiplied the focal length by the width. It is in image heights."),
    "camera used as world-to-camera": (
        lambda p, c, d, f: _seen(p, c, d, f, q=p @ c[:3, :3].T + c[:3, 3]),
        "You used `camera` as world-to-camera, Rp + t. It is camera-to-world: q = Rᵀ(p − t)."),
    "nothing shown": (
        lambda *a: _seen(*a, rule=lambda i, d, z: i & (z <= d + 0.04)),
        "A depth of 0 says that the pixel shows nothing: there nothing is seen, not even what is near."),
    "before the background": (
        lambda *a: _seen(
            *a, rule=lambda i, d, z: i & ((d == 0) | (z <= d + 0.04))
        ),
        "You count points as seen where the pixel shows nothing (depth 0). They are not."),
    "outside the picture": (
        lambda *a: _seen(
            *a, rule=lambda i, d, z: (d > 0) & (z <= d + 0.04)
        ),
        "Points beyond the border are compared with the border's pixels. They are not seen."),
    "on the surface only": (
        lambda *a: _seen(
            *a, rule=lambda i, d, z: i & (d > 0) & ((z - d).abs() <= 0.04)
        ),
        "You ask for the surface itself, |own − shown| ≤ 0.04. Points before it are seen, too."),
    "cut off towards zero": (_cut_off,
        "`.long()` cuts towards zero: −0.5 becomes 0, which is inside. Test the pixel before, or use "
        "`.floor()`."),
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
        Case("random points before a rough wall", _scans(300, 9, 9)),
        Case("a wide picture", _scans(300, 8, 12)),
        Case("a tall picture, points all over its borders", _scans(600, 7, 5, size=1.4)),
        Case(
            "a near one, and a nearer one whose pixel shows nothing",
            lambda g: (
                torch.tensor([[0.001, 0.001, -0.02], [-0.1, 0.1, -0.5]]),
                torch.eye(4),
                torch.tensor([[0.5, 0.0], [0.0, 0.0]]),
                1.0,
            ),
            fixed=True,
        ),
        Case(
            "on the borders of the picture",
            lambda g: (
                torch.tensor([[-1.0, 0, -2], [1.0, 0, -2], [0, 1.0, -2], [0, -1.0, -2]]),
                torch.eye(4),
                torch.full((2, 2), 2.0),
                1.0,
            ),
            fixed=True,
        ),
    ),
    misconceptions=VISIBLE_MISTAKES,
    hints=(
        "`cameras.project(points, camera, focal * height, height, width)` gives pixels and depths.",
        "The pixel of a point is `pixels.floor().long()`, x is its column and y its row. Clamp them to "
        "look the depth up, and remember which were outside.",
        "Three conditions, joined by `&`: inside the picture, something is shown, not deeper than what "
        'is shown. Still stuck? `solution("visible_points")`.',
    ),
)

# fmt: off
CANNOT_TELL = choice_question("what_one_picture_cannot_tell", "C", {
    "A": ("which side of the object is in front, since the frame is the object's own",
        "Whoever knows such objects sees the front (a back rest, a propeller)."),
    "B": ("the colours of the parts that are seen",
        "The colours are in the picture, up to the colour of the light."),
    "C": ("how large the object is, if the distance of the camera is unknown",
        "Twice the size at twice the distance gives the same picture. That is why all pictures "
        "of this data set are taken from one distance."),
    "D": ("where the silhouette is", "The silhouette is the border between object and background."),
}, hints=("Move the camera twice as far away and make the object twice as large.",))
# fmt: on
