"""Notebook 08, one Gaussian: its covariance, and what it becomes on the picture."""

import torch

from course_lib import splatting
from course_lib.cameras import look_at, quaternion_to_matrix
from course_lib.exercises.exercise import Case, Exercise, mistakes

# Covariance


def ellipsoids(*n: int, length: float = 1.0):
    """A maker of scales and quaternions of any length."""
    return lambda g: (
        0.3 + 2 * torch.rand(*n, 3, generator=g),
        length * torch.randn(*n, 4, generator=g) * (1 + torch.rand(*n, 1, generator=g)),
    )


def _covariance(scales, q, *, square=True, turn=lambda r: r, order=slice(None)):
    rotation = turn(quaternion_to_matrix(q[..., order]))
    middle = torch.diag_embed(scales**2 if square else scales)
    return rotation @ middle @ rotation.transpose(-1, -2)


def _not_normalised(scales, q):
    length = q.norm(dim=-1)[..., None, None]
    eye = torch.eye(3)
    rotation = eye + (quaternion_to_matrix(q) - eye) * length**2
    return rotation @ torch.diag_embed(scales**2) @ rotation.transpose(-1, -2)


# fmt: off
COVARIANCE_MISTAKES = mistakes({
    "not squared": (lambda s, q: _covariance(s, q, square=False),
        "The scales are standard deviations; the covariance has their squares: Σ = R S Sᵀ Rᵀ."),
    "turned back": (lambda s, q: _covariance(s, q, turn=lambda r: r.transpose(-1, -2)),
        "You turned the wrong way round: R S Sᵀ Rᵀ, not Rᵀ S Sᵀ R."),
    "one side only": (lambda s, q: quaternion_to_matrix(q) @ torch.diag_embed(s**2),
        "The rotation is missing on the right: Σ = R S Sᵀ **Rᵀ**."),
    "rows scaled": (lambda s, q: (m := s[..., :, None] * quaternion_to_matrix(q)) @ m.mT,
        "Your Gaussians lie along the world's axes. S acts first: scale the columns of R, not its rows "
        "(or is the rotation missing?)."),
    "quaternion x, y, z, w": (lambda s, q: _covariance(s, q, order=[3, 0, 1, 2]),
        "You read the quaternion as (x, y, z, w). Here w comes first."),
    "not normalised": (_not_normalised,
        "A quaternion of length 2 turns as one of length 1 does: normalise it first."),
})
# fmt: on

COVARIANCE = Exercise(
    name="covariance",
    points=2,
    reference=splatting.covariance,
    cases=(
        Case(
            "not turned",
            lambda g: (torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0, 0, 0, 0]])),
            fixed=True,
        ),
        Case("a few Gaussians", ellipsoids(4)),
        Case("one, and a short quaternion", ellipsoids(length=1e-3)),
        Case("Gaussians in rows", ellipsoids(2, 3)),
    ),
    misconceptions=COVARIANCE_MISTAKES,
    hints=(
        "`cameras.quaternion_to_matrix` turns (w, x, y, z) into R, and normalises it first.",
        "R S is R with its columns scaled: `R * scales[..., None, :]`.",
        "Σ = (R S)(R S)ᵀ: `axes @ axes.transpose(-1, -2)`.",
    ),
    gradients=("scales", "quaternions"),
)

# Projection


def in_front(n: int):
    """A maker of points in the camera's axes (z < 0) and a focal length."""

    def make(g):
        p = 2 * torch.rand(n, 3, generator=g) - 1
        p[:, 2] = -0.2 - 3 * torch.rand(n, generator=g)
        return p, 20 + 100 * torch.rand(2, generator=g)

    return make


def _jacobian(p, f, *, depth=None, down=-1.0, sign=1.0, power=2):
    x, y, z = p[:, 0], p[:, 1], -p[:, 2] if depth is None else depth(p)
    o = torch.zeros_like(z)
    right = torch.stack([1 / z, o, sign * x / z**power], -1)
    up = torch.stack([o, 1 / z, sign * y / z**power], -1)
    return torch.stack([f[0] * right, down * f[1] * up], 1)


# fmt: off
JACOBIAN_MISTAKES = mistakes({
    "y upwards": (lambda p, f: _jacobian(p, f, down=1.0),
        "Rows of a picture are counted downwards: the second row of J has a minus."),
    "z itself for the depth": (lambda p, f: _jacobian(p, f, depth=lambda p: p[:, 2]),
        "The camera looks along −z: the depth is −p₃, which is positive."),
    "sign of the last column": (lambda p, f: _jacobian(p, f, sign=-1.0),
        "The last column is the derivative by p₃, not by the depth −p₃: its sign is the other one."),
    "no last column": (lambda p, f: _jacobian(p, f, sign=0.0),
        "A point beside the axis moves outwards when it comes nearer: the derivative by p₃ is not 0."),
    "1/z in the last column": (lambda p, f: _jacobian(p, f, power=1),
        "The derivative of p₁/z by z goes as 1/z²."),
    "distance for the depth": (lambda p, f: _jacobian(p, f, depth=lambda p: p.norm(dim=-1)),
        "You divide by the distance; a pinhole camera divides by the depth along its axis."),
})
# fmt: on

JACOBIAN = Exercise(
    name="projection_jacobian",
    points=3,
    reference=splatting.projection_jacobian,
    cases=(
        Case(
            "straight ahead",
            lambda g: (torch.tensor([[0.0, 0.0, -2.0]]), torch.tensor([8.0, 8.0])),
            fixed=True,
        ),
        Case("points in front", in_front(5)),
        Case("one point", in_front(1)),
    ),
    misconceptions=JACOBIAN_MISTAKES,
    hints=(
        "x = cx + fx p₁/z with z = −p₃. Its derivatives by p₁, p₂, p₃ are fx (1/z, 0, p₁/z²).",
        "The second row is −fy (0, 1/z, p₂/z²).",
        "`torch.stack([first_row, second_row], dim=1)` has the shape (n, 2, 3).",
    ),
)


def clouds(n: int):
    """A maker of covariances, a camera's rotation, and Jacobians."""

    def make(g):
        rotation = look_at(torch.randn(3, generator=g) + 2)[:3, :3]
        return splatting.covariance(*ellipsoids(n)(g)), rotation, _jacobian(*in_front(n)(g)) / 20

    return make


def _project(s, r, j, *, turned=True, back=False, pixel=0.3):
    affine = j @ (r if back else r.T) if turned else j
    return affine @ s @ affine.mT + pixel * torch.eye(2)


# fmt: off
PROJECT_MISTAKES = mistakes({
    "no filter": (lambda s, r, j: _project(s, r, j, pixel=0.0),
        "The pixel's own width is missing: add 0.3 to both variances."),
    "filter everywhere": (lambda s, r, j: _project(s, r, j, pixel=0.0) + 0.3,
        "You added 0.3 to all four entries; only the variances on the diagonal get wider."),
    "not turned": (lambda s, r, j: _project(s, r, j, turned=False),
        "J wants the camera's axes: turn Σ into them first, Rᵀ Σ R."),
    "turned the wrong way": (lambda s, r, j: _project(s, r, j, back=True),
        "R turns from the camera into the world; you need the way back, Rᵀ."),
    "filter before the projection": (
        lambda s, r, j: _project(s + 0.3 * torch.eye(3), r, j, pixel=0.0),
        "You added 0.3 in space, before J: it is the pixel's width, added on the picture."),
    "0.3 squared": (lambda s, r, j: _project(s, r, j, pixel=0.09),
        "0.3 is a variance, in square pixels already."),
})
# fmt: on

PROJECT = Exercise(
    name="project_covariance",
    points=2,
    reference=splatting.project_covariance,
    cases=(
        Case(
            "a ball, seen without turning",
            lambda g: (
                torch.eye(3)[None],
                torch.eye(3),
                torch.tensor([[[2.0, 0.0, 0.0], [0.0, 3.0, 0.0]]]),
            ),
            fixed=True,
        ),
        Case("a few Gaussians", clouds(4)),
        Case("one", clouds(1)),
    ),
    misconceptions=PROJECT_MISTAKES,
    hints=(
        "If q = A p, the covariance of q is A Σ Aᵀ. What is A here?",
        "A = J Rᵀ: first into the camera's axes, then onto the picture.",
        "`A @ covariances @ A.transpose(1, 2) + 0.3 * torch.eye(2)`",
    ),
    gradients=("covariances",),
)

EXERCISES = (COVARIANCE, JACOBIAN, PROJECT)
