"""Notebook 03, views and planes."""

import torch

from course_lib import cameras, views
from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.voxels import voxel_centers

# fmt: off
POOL_MISTAKES = mistakes({
    "by size": (lambda f: f.gather(1, f.abs().argmax(1, keepdim=True))[:, 0],
        "You took the feature farthest from 0; a large *negative* number is not strong."),
    "view with the largest sum": (lambda f: f[torch.arange(len(f)), f.sum(2).argmax(1)],
        "You chose one view for all features; each feature takes its own."),
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
    cases=(
        Case("two views", lambda g: (torch.tensor([[[1.0, 5.0], [2.0, 3.0]]]),), fixed=True),
        Case("a batch", lambda g: (torch.randn(3, 4, 5, generator=g),)),
        Case(
            "many views, far below zero", lambda g: (9 * torch.randn(2, 12, 3, generator=g) - 99,)
        ),
    ),
    misconceptions=POOL_MISTAKES,
    hints=(
        "Which axis holds the views?",
        "A feature is strongest where it is largest.",
        "`features.amax(dim=1)`.",
    ),
)


def _masks(v, h, w, r, distance=3.0, focal=None):
    def make(g):
        poses = cameras.spherical_cameras(v, distance)
        turn = torch.eye(4)
        angle = float(torch.rand(1, generator=g))
        turn[:3, :3] = cameras.look_at([angle, 0.3, 1.0])[:3, :3]
        masks = torch.rand(v, h, w, generator=g) < 0.85
        return masks, turn @ poses, r, focal

    return make


def _hull_of(candidate, masks, cameras, resolution, focal):
    options = {} if focal is None else {"focal": focal}
    return candidate(masks, cameras, resolution, **options)


def _hull(masks, poses, r, focal=None, *, need=None, read=None, beyond=False, **changes):
    v, h, w = masks.shape
    focal = changes.get("focal") or focal or float(w)
    centers = changes.get("line", lambda r: voxel_centers(r)[0, 0, :, 2])(r)
    centers = torch.cartesian_prod(centers, centers, centers)
    votes = torch.zeros(len(centers), dtype=torch.int64)
    for mask, pose in zip(masks, changes.get("turned", lambda p: p)(poses), strict=True):
        pixels, depth = cameras.project(centers, pose, focal, h, w)
        x, y = changes.get("whole", torch.floor)(pixels).long().unbind(1)
        seen = (depth > 0) | bool(changes.get("behind"))
        seen = seen & (x >= 0) & (x < w) & (y >= 0) & (y < h)
        x, y = x.clamp(0, w - 1), y.clamp(0, h - 1)
        hit = mask[y, x] if read is None else read(mask, y, x)
        votes += (hit | ~seen) if beyond is True else hit if beyond else (hit & seen)
    return (votes >= (v if need is None else need)).reshape(r, r, r)


def _last(masks, poses, r, focal=None):
    return _hull(masks[-1:], poses[-1:], r, focal)


def _exchanged(mask, y, x):
    h, w = mask.shape
    return mask[x.clamp(max=h - 1), y.clamp(max=w - 1)]


# fmt: off
HULL_MISTAKES = mistakes({
    "any view": (lambda *a, **k: _hull(*a, **k, need=1),
        "A voxel must lie in *every* silhouette; in yours, one is enough."),
    "last view": (_last,
        "Only the last view counts: keep what was inside before, `inside &= …`."),
    "upside down": (lambda *a, **k: _hull(*a, **k, read=lambda m, y, x: m.flip(0)[y, x]),
        "Rows are turned round: row 0 is on top, and `project` already gives y downwards."),
    "mirrored": (lambda *a, **k: _hull(*a, **k, read=lambda m, y, x: m.flip(1)[y, x]),
        "Left and right are exchanged: column x of the mask is pixel x."),
    "rows and columns exchanged": (lambda *a, **k: _hull(*a, **k, read=_exchanged),
        "Rows and columns are exchanged: a mask is read as `mask[row, column]`, row from y."),
    "outside the picture kept": (lambda *a, **k: _hull(*a, **k, beyond=True),
        "A voxel that leaves the picture is not inside the silhouette: carve it away."),
    "border pixel instead": (lambda *a, **k: _hull(*a, **k, beyond="clamped"),
        "Voxels that leave the picture take the nearest pixel's value: they are outside."),
    "behind the camera": (lambda *a, **k: _hull(*a, **k, behind=True),
        "What lies behind a camera is projected too: keep only depth > 0."),
    "rounded": (lambda *a, **k: _hull(*a, **k, whole=torch.round),
        "You rounded: pixel (column, row) covers [column, column + 1), so take the floor."),
    "voxel corners": (lambda *a, **k: _hull(*a, **k, line=lambda r: torch.linspace(-1, 1, r)),
        "You projected linspace(−1, 1, r): centres lie at −1 + (2i + 1)/r, see `voxel_centers`."),
    "focal length ignored": (lambda m, c, r, focal=None: _hull(m, c, r),
        "`focal` is ignored: the picture's width is its *default* only."),
    "height for the focal length": (
        lambda m, c, r, focal=None: _hull(m, c, r, focal or float(m.shape[1])),
        "Without `focal` you take the picture's height; the default is its width."),
    "inverse poses": (lambda *a, **k: _hull(*a, **k, turned=torch.linalg.inv),
        "`cameras` are camera-to-world matrices, as `project` takes them: do not invert."),
})
# fmt: on

HULL = Exercise(
    name="visual_hull",
    reference=views.visual_hull,
    call=_hull_of,
    points=2,
    cases=(
        Case(
            "half a picture",
            lambda g: (
                torch.tensor([[[True] * 2 + [False] * 2] + [[True] * 4] * 3]),
                cameras.spherical_cameras(1, 3.0, elevation=(0, 0)),
                4,
                None,
            ),
            fixed=True,
        ),
        Case(
            "voxels level with the camera",
            lambda g: (torch.ones(1, 3, 3, dtype=torch.bool), torch.eye(4)[None], 5, 2.0),
            fixed=True,
        ),
        Case("three masks", _masks(3, 6, 6, 5)),
        Case("wide pictures", _masks(2, 4, 7, 6)),
        Case("high pictures", _masks(2, 7, 4, 6)),
        Case("a given focal length", _masks(2, 6, 6, 6, focal=11.0)),
        Case("cameras among the voxels", _masks(1, 5, 6, 9, distance=0.4, focal=2.0)),
    ),
    misconceptions=HULL_MISTAKES,
    hints=(
        "Begin with all voxels and take away, view by view.",
        "`project(centers, camera, focal, h, w)` gives pixels (x, y); ⌊x⌋ is the column, ⌊y⌋ the row.",
        "Test 0 ≤ x < w, 0 ≤ y < h and depth > 0 *before* you read the mask.",
    ),
)


def _two_cameras(g):
    """Pixels that are not square, and a plane whose n is of any length, and d of either sign."""
    k = cameras.intrinsics(20.0 + 10 * float(torch.rand(1, generator=g)), 24, 32)
    k = k * torch.tensor([[1.2], [0.9], [1.0]])
    a = cameras.look_at(torch.tensor([0.0, 0.0, 3.0]) + 0.3 * torch.randn(3, generator=g))
    b = cameras.look_at(torch.tensor([0.5, 0.2, 2.6]) + 0.3 * torch.randn(3, generator=g))
    a, b = cameras.opengl_to_opencv(a), cameras.opengl_to_opencv(b)
    normal = torch.nn.functional.normalize(
        torch.tensor([0.0, 0.0, 1.0]) + 0.2 * torch.randn(3, generator=g), dim=0
    )
    length, way = 0.5 + float(torch.rand(1, generator=g)), 2.0 + float(torch.rand(1, generator=g))
    return k, torch.linalg.inv(b) @ a, -length * normal, -length * way


def _up_to_scale(candidate, intrinsics, source_to_target, normal, distance):
    """Multiples of a homography are the same map: its last number is made 1."""
    found = torch.as_tensor(candidate(intrinsics, source_to_target, normal, distance))
    return found / found[2, 2]


def _homography(k, move, normal, distance, *, sign=1.0, divide=1, turn=False, outer=torch.outer):
    rotation, shift = move[:3, :3], move[:3, 3]
    rotation = rotation.T if turn else rotation
    h = rotation + sign * outer(shift, normal) / distance**divide
    return k @ h @ torch.linalg.inv(k)


def _without_k(k, *plane):
    return _homography(torch.eye(3), *plane)


# fmt: off
HOMOGRAPHY_MISTAKES = mistakes({
    "minus": (lambda *a: _homography(*a, sign=-1.0),
        "With n·x = +d the term is *plus* t nᵀ/d (books that write n·x + d = 0 have a minus)."),
    "times distance": (lambda *a: _homography(*a, divide=-1),
        "You multiplied by d: t nᵀ is *divided* by it."),
    "inverse rotation": (lambda *a: _homography(*a, turn=True),
        "Your rotation is inverted: `source_to_target` is used as it stands, R x + t."),
    "componentwise": (lambda *a: _homography(*a, outer=lambda t, n: t * n),
        "`t * n` has three numbers; t nᵀ is a 3 × 3 matrix, `torch.outer(t, n)`."),
    "a number": (lambda *a: _homography(*a, outer=lambda t, n: t @ n),
        "`t @ n` is one number; t nᵀ is a 3 × 3 matrix, `torch.outer(t, n)`."),
    "without K": (_without_k,
        "H takes *pixels* to pixels: K⁻¹ on the right makes rays of them, K on the left pixels."),
    "K transposed": (lambda k, *a: k @ _without_k(k, *a) @ k.T,
        "You multiplied by Kᵀ; the inverse is `torch.linalg.inv(K)`."),
    "inverse": (lambda *a: torch.linalg.inv(_homography(*a)),
        "This takes target pixels to source pixels: the other way round."),
    "without distance": (lambda *a: _homography(*a, divide=0),
        "t nᵀ is not divided by d: a far plane must move less."),
    "n tᵀ": (lambda *a: _homography(*a, outer=lambda t, n: torch.outer(n, t)),
        "The outer product is t nᵀ, not n tᵀ."),
    "K exchanged": (
        lambda k, *a: torch.linalg.inv(k) @ _without_k(k, *a) @ k,
        "K⁻¹ stands on the right: pixels become rays first."),
    "rotation only": (lambda k, m, n, d: k @ m[:3, :3] @ torch.linalg.inv(k),
        "The translation is missing: no parallax."),
})
# fmt: on

HOMOGRAPHY = Exercise(
    name="plane_homography",
    reference=views.plane_homography,
    call=_up_to_scale,
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


def _over_normalised(rgba):
    white = torch.cat((torch.ones_like(rgba[..., :3]), rgba[..., 3:]), -1)
    return _over(rgba) / _over(white).clamp(min=1e-6)


def _over_added(rgba):
    a = rgba[..., 3:]
    before = 1 - torch.cat((torch.zeros_like(a[:1]), a[:-1].cumsum(0)))
    return (rgba[..., :3] * a * before).sum(0)


def _over(rgba, *, back_first=False, alpha=True, passed=True):
    rgba = rgba.flip(0) if back_first else rgba
    a = rgba[..., 3:]
    light = torch.cumprod(1 - a, 0)
    light = torch.cat((torch.ones_like(light[:1]), light[:-1])) if passed else light
    return (rgba[..., :3] * (a if alpha else 1.0) * light).sum(0)


# fmt: off
OVER_MISTAKES = mistakes({
    "divided by the opacity": (_over_normalised,
        "You divided by the sum of the weights: what passes all planes is black, and stays so."),
    "alphas added": (_over_added,
        "1 − Σ α is not what passes: each plane lets through its share of the *rest*, Π (1 − α)."),
    "first alpha": (lambda x: (x[..., :3] * torch.cumprod(x[..., 3:], 0)).sum(0),
        "You multiplied the alphas: what passes a plane is 1 − α."),
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
