"""Notebook 03, views and planes."""

import torch

from course_lib import cameras, views
from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.voxels import voxel_centers

# fmt: off
POOL_MISTAKES = mistakes({
    "mean": (lambda f: f.mean(1),
        "You averaged: the maximum keeps a feature that only one view shows."),
    "over features": (lambda f: f.amax(2),
        "You pooled over the features; pool over the views, the middle axis."),
    "over the batch": (lambda f: f.amax(0),
        "You pooled over the shapes of the batch; pool over the views, the middle axis."),
    "sum": (lambda f: f.sum(1), "You added the views up: more views, more signal."),
})
# fmt: on

POOL = Exercise(
    name="view_pool",
    reference=views.view_pool,
    gradients=True,
    cases=(
        Case("two views", lambda g: (torch.tensor([[[1.0, 5.0], [2.0, 3.0]]]),), fixed=True),
        Case("a batch", lambda g: (torch.randn(3, 4, 5, generator=g),)),
        Case("many views", lambda g: (torch.randn(2, 12, 3, generator=g),)),
    ),
    misconceptions=POOL_MISTAKES,
    hints=("Which axis holds the views?", "`features.amax(dim=1)`."),
)


def _masks(v, h, w, r):
    def make(g):
        poses = cameras.spherical_cameras(v, 3.0)
        turn = torch.eye(4)
        angle = float(torch.rand(1, generator=g))
        turn[:3, :3] = cameras.look_at([angle, 0.3, 1.0])[:3, :3]
        return torch.rand(v, h, w, generator=g) < 0.8, turn @ poses, r

    return make


def _hull(masks, poses, r, *, need=None, flip=False, swap=False, beyond=False):
    v, h, w = masks.shape
    centers = voxel_centers(r).reshape(-1, 3)
    votes = torch.zeros(len(centers), dtype=torch.int64)
    for mask, pose in zip(masks, poses, strict=True):
        pixels, depth = cameras.project(centers, pose, float(w), h, w)
        x, y = pixels.floor().long().unbind(1)
        seen = (depth > 0) & (x >= 0) & (x < w) & (y >= 0) & (y < h)
        x, y = x.clamp(0, w - 1), y.clamp(0, h - 1)
        hit = mask[h - 1 - y, x] if flip else mask[y, x]
        if swap:
            hit = mask[y, w - 1 - x]
        votes += (hit | ~seen) if beyond else (hit & seen)
    return (votes >= (v if need is None else need)).reshape(r, r, r)


# fmt: off
HULL_MISTAKES = mistakes({
    "any view": (lambda m, c, r: _hull(m, c, r, need=1),
        "A voxel must lie in *every* silhouette; in yours, one is enough."),
    "upside down": (lambda m, c, r: _hull(m, c, r, flip=True),
        "Rows are turned round: row 0 is on top, and `project` already gives y downwards."),
    "mirrored": (lambda m, c, r: _hull(m, c, r, swap=True),
        "Left and right are exchanged: column x of the mask is pixel x."),
    "outside the picture kept": (lambda m, c, r: _hull(m, c, r, beyond=True),
        "A voxel that leaves the picture is not inside the silhouette: carve it away."),
})
# fmt: on

HULL = Exercise(
    name="visual_hull",
    reference=views.visual_hull,
    points=2,
    cases=(
        Case(
            "half a picture",
            lambda g: (
                torch.tensor([[[True] * 2 + [False] * 2] + [[True] * 4] * 3]),
                cameras.spherical_cameras(1, 3.0, elevation=(0, 0)),
                4,
            ),
            fixed=True,
        ),
        Case("three masks", _masks(3, 6, 6, 5)),
        Case("four masks", _masks(4, 5, 5, 7)),
    ),
    misconceptions=HULL_MISTAKES,
    hints=(
        "Begin with all voxels and take away, view by view.",
        "`project(centers, camera, focal, h, w)` gives pixels (x, y); ⌊x⌋ is the column, ⌊y⌋ the row.",
        "Test 0 ≤ x < w, 0 ≤ y < h and depth > 0 *before* you read the mask.",
    ),
)


def _two_cameras(g):
    k = cameras.intrinsics(20.0 + 10 * float(torch.rand(1, generator=g)), 24, 32)
    a = cameras.look_at(torch.tensor([0.0, 0.0, 3.0]) + 0.3 * torch.randn(3, generator=g))
    b = cameras.look_at(torch.tensor([0.5, 0.2, 2.6]) + 0.3 * torch.randn(3, generator=g))
    a, b = cameras.opengl_to_opencv(a), cameras.opengl_to_opencv(b)
    normal = torch.nn.functional.normalize(
        torch.tensor([0.0, 0.0, 1.0]) + 0.2 * torch.randn(3, generator=g), dim=0
    )
    return k, torch.linalg.inv(b) @ a, normal, 2.0 + float(torch.rand(1, generator=g))


def _homography(k, move, normal, distance, *, sign=1.0, divide=True, invert=False, order=True):
    rotation, shift = move[:3, :3], move[:3, 3]
    outer = torch.outer(shift, normal) if order else torch.outer(normal, shift)
    h = rotation + sign * outer / (distance if divide else 1.0)
    return torch.linalg.inv(k) @ h @ k if invert else k @ h @ torch.linalg.inv(k)


# fmt: off
HOMOGRAPHY_MISTAKES = mistakes({
    "minus": (lambda *a: _homography(*a, sign=-1.0),
        "With n·x = +d the term is *plus* t nᵀ/d (books that write n·x + d = 0 have a minus)."),
    "without distance": (lambda *a: _homography(*a, divide=False),
        "t nᵀ is not divided by d: a far plane must move less."),
    "n tᵀ": (lambda *a: _homography(*a, order=False), "The outer product is t nᵀ, not n tᵀ."),
    "K exchanged": (lambda *a: _homography(*a, invert=True),
        "K⁻¹ stands on the right: pixels become rays first."),
    "rotation only": (lambda k, m, n, d: k @ m[:3, :3] @ torch.linalg.inv(k),
        "The translation is missing: no parallax."),
})
# fmt: on

HOMOGRAPHY = Exercise(
    name="plane_homography",
    reference=views.plane_homography,
    points=2,
    cases=(
        Case("two cameras", _two_cameras),
        Case("two other cameras", _two_cameras),
        Case(
            "a step to the side",
            lambda g: (
                cameras.intrinsics(10.0, 8, 8),
                torch.tensor([[1.0, 0, 0, 2], [0, 1, 0, 0], [0, 0, 1, 0.5], [0, 0, 0, 1]]),
                torch.tensor([0.0, 0.0, 1.0]),
                4.0,
            ),
            fixed=True,
        ),
    ),
    misconceptions=HOMOGRAPHY_MISTAKES,
    hints=(
        "On the plane n·x/d = 1, so t = t (n·x)/d, and R x + t is a matrix times x.",
        "H = K (R + t nᵀ/d) K⁻¹, and `torch.outer(t, n)` is t nᵀ.",
    ),
)


def _planes(p, h, w):
    return lambda g: (torch.rand(p, h, w, 4, generator=g),)


def _over(rgba, *, back_first=False, alpha=True, passed=True):
    rgba = rgba.flip(0) if back_first else rgba
    a = rgba[..., 3:]
    light = torch.cumprod(1 - a, 0)
    light = torch.cat((torch.ones_like(light[:1]), light[:-1])) if passed else light
    return (rgba[..., :3] * (a if alpha else 1.0) * light).sum(0)


# fmt: off
OVER_MISTAKES = mistakes({
    "back to front": (lambda x: _over(x, back_first=True),
        "Your order is reversed: plane 0 is the nearest."),
    "own alpha twice": (lambda x: _over(x, passed=False),
        "A plane shades itself: the product runs over the planes *before* it only."),
    "premultiplied": (lambda x: _over(x, alpha=False),
        "The colours are not premultiplied: multiply each by its own alpha."),
    "plain sum": (lambda x: (x[..., :3] * x[..., 3:]).sum(0),
        "Nothing hides anything: multiply by Π (1 − α) of the planes before."),
})
# fmt: on

OVER = Exercise(
    name="over_composite",
    reference=views.over_composite,
    points=2,
    gradients=True,
    cases=(
        Case(
            "red glass before green",
            lambda g: (torch.tensor([[1.0, 0, 0, 0.5], [0, 1, 0, 1.0]]).reshape(2, 1, 1, 4),),
            fixed=True,
        ),
        Case("three planes", _planes(3, 2, 2)),
        Case("six planes", _planes(6, 1, 3)),
    ),
    misconceptions=OVER_MISTAKES,
    hints=(
        "What passes the first i planes: `torch.cumprod(1 - alpha, dim=0)`.",
        "Shift it by one: before the first plane it is 1.",
    ),
)
