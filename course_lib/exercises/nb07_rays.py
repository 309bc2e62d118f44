"""Notebook 07, the functions before the integral: rays, encoding, samples along a ray."""

import math

import torch
import torch.nn.functional as F

from course_lib import cameras, volume
from course_lib.exercises.exercise import Case, Exercise, mistakes

# Rays


def camera(height: int, width: int, focal: float, kind: torch.dtype = torch.float32):
    """A maker of an image size, a focal length and a random camera that looks at the origin."""

    def make(g):
        eye = torch.randn(3, generator=g) + torch.tensor([0.0, 0.5, 4.0])
        return height, width, focal, cameras.look_at(eye).to(kind)

    return make


def _rays(height, width, focal, pose, *, half=0.5, signs=(1.0, -1.0, -1.0), unit=True):
    y, x = torch.meshgrid(torch.arange(height) + half, torch.arange(width) + half, indexing="ij")
    local = torch.stack([(x - width / 2) / focal, (y - height / 2) / focal, torch.ones_like(x)], -1)
    local = local.to(pose) * torch.tensor(signs).to(pose)
    local = F.normalize(local, dim=-1) if unit else local
    return pose[:3, 3].expand(local.shape), local @ pose[:3, :3].T


def _untransposed(height, width, focal, pose):
    turned = pose.clone()
    turned[:3, :3] = pose[:3, :3].T
    return _rays(height, width, focal, turned)


def _with_translation(height, width, focal, pose):
    origins, directions = _rays(height, width, focal, pose)
    return origins, F.normalize(directions + origins, dim=-1)


def _of_local(pose, local, height, width):
    """Rays of which `local(x, y)` gives the first two camera coordinates, y downwards."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    right, down = local(x.to(pose), y.to(pose))
    directions = F.normalize(torch.stack([right, -down, -torch.ones_like(right)], -1), dim=-1)
    return pose[:3, 3].expand(directions.shape), directions @ pose[:3, :3].T


def _times_focal(h, w, f, pose):
    return _of_local(pose, lambda x, y: ((x - w / 2) * f, (y - h / 2) * f), h, w)


def _centre_exchanged(h, w, f, pose):
    return _of_local(pose, lambda x, y: ((x - h / 2) / f, (y - w / 2) / f), h, w)


def _share_of_the_picture(h, w, f, pose):
    return _of_local(pose, lambda x, y: ((x - w / 2) / w * f, (y - h / 2) / h * f), h, w)


# fmt: off
CAMERA_RAYS_MISTAKES = mistakes({
    "single precision": (lambda h, w, f, pose: _rays(h, w, f, pose.float()),
        "Your rays are in single precision for a camera in double: they keep the camera's type."),
    "pixel corners": (lambda *a: _rays(*a, half=0.0),
        "Your rays go through the corners of the pixels: add 0.5 to row and column."),
    "upside down": (lambda *a: _rays(*a, signs=(1.0, 1.0, -1.0)),
        "Your image is upside down: rows count downwards, the camera's y points up."),
    "backwards": (lambda *a: _rays(*a, signs=(1.0, -1.0, 1.0)),
        "You look backwards: the camera looks along its own −z."),
    "not unit length": (lambda *a: _rays(*a, unit=False),
        "The directions are right, but not of length 1. Divide by their norm."),
    "rotation transposed": (_untransposed,
        "You turned by the inverse rotation. For row vectors it is d @ R.T with R = pose[:3, :3]."),
    "focal multiplied": (_times_focal,
        "You multiplied by the focal length. A longer focal length sees less: divide."),
    "a share of the picture": (_share_of_the_picture,
        "You divided by the picture's sides and multiplied by f. The focal length is in pixels: divide "
        "by it."),
    "columns first": (lambda h, w, f, pose: tuple(x.transpose(0, 1) for x in _rays(h, w, f, pose)),
        "Your rays lie as (width, height). Row i comes first: (height, width, 3)."),
    "centre exchanged": (_centre_exchanged,
        "You exchanged height and width in the centre: x − w/2 belongs to the columns, y − h/2 to the "
        "rows."),
    "not turned": (
        lambda h, w, f, pose: (_rays(h, w, f, pose)[0], _rays(h, w, f, torch.eye(4).to(pose))[1]),
        "Your directions are still in the camera's axes: turn them by R."),
    "origins at 0": (lambda h, w, f, pose: (0 * _rays(h, w, f, pose)[0], _rays(h, w, f, pose)[1]),
        "All rays start at the camera's position, the last column of `camera_to_world`."),
    "translated directions": (_with_translation,
        "A direction is only rotated; the camera's position belongs to the origins."),
})
# fmt: on

CAMERA_RAYS = Exercise(
    name="camera_rays",
    points=2,
    reference=cameras.camera_rays,
    cases=(
        Case("a camera at the origin", lambda g: (2, 4, 3.0, torch.eye(4)), fixed=True),
        Case("a wide image", camera(3, 5, 4.0)),
        Case("a tall image", camera(6, 4, 7.5)),
        Case("a camera in double precision", camera(3, 2, 2.5, torch.float64)),
    ),
    misconceptions=CAMERA_RAYS_MISTAKES,
    hints=(
        "Start in camera axes: x to the right, y up, looking along −z.",
        "The pixel in row i, column j has its centre at (j + 0.5, i + 0.5); the axis meets (w/2, h/2).",
        "`torch.meshgrid(…, indexing='ij')` gives rows and columns; stack along the last axis. "
        'Still stuck? `solution("camera_rays")`.',
    ),
)

# Encoding


def points(n: int, d: int, frequencies: int):
    """A maker of points in [-1, 1]^d and a number of frequencies."""
    return lambda g: (2 * torch.rand(n, d, generator=g) - 1, frequencies)


def _encode(x, n, *, base=math.pi, powers=None, order="paper"):
    powers = 2.0 ** torch.arange(n) if powers is None else powers
    angles = x[..., None, :] * (base * powers)[:, None]
    if order == "all sines first":
        return torch.cat([angles.sin().flatten(-2), angles.cos().flatten(-2)], -1)
    if order == "cosines first":
        return torch.cat([angles.cos(), angles.sin()], -1).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], -1).flatten(-2)


def _encode_by_coordinate(x, n):
    angles = x[..., None] * math.pi * 2.0 ** torch.arange(n)  # (..., d, L)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(-3)


def _encode_in_pairs(x, n):
    angles = x[..., None, :] * math.pi * 2.0 ** torch.arange(n)[:, None]  # (..., L, d)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(-3)


# fmt: off
ENCODING_MISTAKES = mistakes({
    "no π": (lambda x, n: _encode(x, n, base=1.0), "You left out π: the angles are 2ᵏ·π·x."),
    "2π, or from 2¹": (lambda x, n: _encode(x, n, base=2 * math.pi),
        "Your angles are twice too large: 2ᵏπx with k = 0 first, not 2ᵏ·2πx."),
    "k instead of 2ᵏ": (lambda x, n: _encode(x, n, powers=torch.arange(n) + 1.0),
        "The frequencies double: 2⁰, 2¹, 2², …, not 1, 2, 3, …"),
    "2k for 2ᵏ": (lambda x, n: _encode(x, n, powers=2.0 * torch.arange(n)),
        "You multiplied: 2·k. The frequencies are powers, 2ᵏ: 1, 2, 4, …"),
    "coordinate by coordinate": (_encode_by_coordinate,
        "The numbers are right, their order is not: you go coordinate by coordinate. First comes the "
        "frequency: the sines of all coordinates, then their cosines."),
    "sine beside cosine": (_encode_in_pairs,
        "The numbers are right, their order is not: for each frequency first the sines of *all* "
        "coordinates, then their cosines; you put each cosine beside its sine."),
    "sines only": (lambda x, n: _encode(x, n).unflatten(-1, (n, -1))[..., : x.shape[-1]].flatten(-2),
        "The cosines are missing."),
    "cosines first": (lambda x, n: _encode(x, n, order="cosines first"),
        "Sines come before cosines."),
    "all sines first": (lambda x, n: _encode(x, n, order="all sines first"),
        "The numbers are right, their order is not: go frequency by frequency, sines then "
        "cosines."),
    "input included": (lambda x, n: torch.cat([x, _encode(x, n)], -1),
        "You put x itself in front, as the paper's code does. Here γ(x) is sines and cosines "
        "only."),
})
# fmt: on

ENCODING = Exercise(
    name="positional_encoding",
    points=2,
    reference=volume.positional_encoding,
    cases=(
        Case("x = 0.5, two frequencies", lambda g: (torch.tensor([[0.5]]), 2), fixed=True),
        Case("points in space", points(4, 3, 3)),
        Case("six frequencies", points(3, 2, 6)),
        Case("samples on rays", lambda g: (2 * torch.rand(2, 3, 3, generator=g) - 1, 2)),
    ),
    misconceptions=ENCODING_MISTAKES,
    hints=(
        "All angles at once: `x[..., None, :] * frequencies[:, None]` has the shape (…, L, d).",
        "Put sines and cosines side by side along the last axis: (…, L, 2d).",
        "`.flatten(-2)` then runs through frequency by frequency. Still stuck? "
        '`solution("positional_encoding")`.',
    ),
    gradients=("x",),
)

# Stratified sampling


def bins(n: int, s: int):
    """A maker of near, far (one per ray) and random numbers."""

    def make(g):
        near = torch.rand(n, generator=g) + 1
        return near, near + 1 + torch.rand(n, generator=g), torch.rand(n, s, generator=g)

    return make


def _strata(near, far, u, *, cells=None, offset=0.0):
    s = u.shape[-1]
    fraction = (torch.arange(s) + u + offset) / (cells or s)
    return near[..., None] + (far - near)[..., None] * fraction


def _with_ends(near, far, u):
    s = u.shape[-1]
    return _strata(near, far, torch.linspace(0, 1, s) * s - torch.arange(s) + u)


# fmt: off
STRATIFIED_MISTAKES = mistakes({
    "not stratified": (lambda near, far, u: near[..., None] + (far - near)[..., None] * u,
        "Your samples fall anywhere in [near, far]. Sample i belongs into the i-th of s equal "
        "bins."),
    "sorted": (lambda near, far, u: near[..., None] + (far - near)[..., None] * u.sort(-1).values,
        "Your samples fall anywhere in [near, far], though in order: bins may stay empty. Sample i "
        "belongs into the i-th of s equal bins."),
    "no jitter": (lambda near, far, u: _strata(near, far, torch.full_like(u, 0.5)),
        "You took the middle of each bin: u says where in its bin the sample lies."),
    "s - 1 bins": (lambda near, far, u: _strata(near, far, u, cells=max(1, u.shape[-1] - 1)),
        "Your last sample lies beyond far: there are s bins of width (far − near)/s, not s − 1."),
    "evenly in 1/t": (lambda near, far, u: 1 / _strata(1 / near, 1 / far, u),
        "Your samples are even in 1/t. The bins are equal in t itself."),
    "ends included": (_with_ends,
        "`linspace(0, 1, s)` has s − 1 steps. The bins start at i/s, i = 0 … s − 1."),
    "far for the length": (lambda near, far, u: _strata(near, near + far, u),
        "You scale by far. The range has the length far − near."),
    "jitter not divided": (lambda near, far, u: _strata(near, far, u * u.shape[-1]),
        "You add u to i/s: divide it by s as well, so that a sample stays in its bin."),
    "from far to near": (lambda near, far, u: _strata(far, near, u),
        "Your samples run from far to near."),
    "from zero": (lambda near, far, u: _strata(near, far, u) - near[..., None],
        "You forgot to add near: the distances start at 0."),
})
# fmt: on

STRATIFIED = Exercise(
    name="stratified_positions",
    reference=volume.stratified_positions,
    cases=(
        Case(
            "two bins of [2, 6]",
            lambda g: (torch.tensor(2.0), torch.tensor(6.0), torch.tensor([[0.0, 0.5]])),
            fixed=True,
        ),
        Case("one range for all rays", lambda g: (*_ends(g), torch.rand(3, 4, generator=g))),
        Case("a range for each ray", bins(5, 6)),
    ),
    misconceptions=STRATIFIED_MISTAKES,
    hints=(
        "In units of bins, sample i lies at i + uᵢ.",
        "Divide by s, multiply by far − near, add near.",
        "near and far are tensors, single or one per ray: `near[..., None]` fits both. Still stuck? "
        '`solution("stratified_positions")`.',
    ),
)


def _ends(g):
    near = torch.rand((), generator=g) + 1
    return near, near + 2
