"""Notebook 03, signed distance functions."""

import torch

from course_lib import implicit, shapes
from course_lib.exercises.exercise import Case, Exercise, Tolerance, mistakes
from course_lib.implicit import sdf_gradient


def _cloud(g, n=30):
    return 2.4 * torch.rand(n, 3, generator=g) - 1.2


def _at_points(candidate, points, *parameters):
    """Build the function, then evaluate it."""
    return candidate(*parameters)(points)


def _vector(low, high, n=3):
    return lambda g: tuple((low + (high - low) * torch.rand(n, generator=g)).tolist())


_SIZE, _PLACE = _vector(0.4, 1.4), _vector(-0.3, 0.3)


def _sphere_case(g):
    return _cloud(g), _vector(0.3, 0.9, 1)(g)[0], _PLACE(g)


# fmt: off
SPHERE_MISTAKES = mistakes({
    "sign": (lambda r=0.8, c=(0, 0, 0): lambda p: r - (p - torch.tensor(c)).norm(dim=-1),
        "The sign is turned round: outside is positive on the slide, inside negative."),
    "squared": (lambda r=0.8, c=(0, 0, 0): lambda p: (p - torch.tensor(c)).square().sum(-1) - r**2,
        "|p|² − r² has the right sign but is not a distance: take the root."),
    "no centre": (lambda r=0.8, c=(0, 0, 0): lambda p: p.norm(dim=-1) - r,
        "The centre is ignored: subtract it from the points."),
})
# fmt: on

SPHERE = Exercise(
    name="sphere",
    reference=shapes.sphere,
    call=_at_points,
    cases=(
        Case(
            "on an axis",
            lambda g: (torch.tensor([[2.0, 0, 0], [0, 0.1, 0]]), 0.5, (0.0, 0.0, 0.0)),
            fixed=True,
        ),
        Case("a ball", _sphere_case),
        Case("another ball", _sphere_case),
    ),
    misconceptions=SPHERE_MISTAKES,
    hints=("Return a *function* of points (…, 3).", "|p − c| − r, the norm along the last axis."),
)


def _box_parts(p, size, center, divisor=2.0):
    q = (p - torch.tensor(center)).abs() - torch.tensor(size) / divisor
    return q.clamp(min=0).norm(dim=-1), q.amax(-1)


def _box_case(g):
    return _cloud(g), _SIZE(g), _PLACE(g)


# fmt: off
BOX_MISTAKES = mistakes({
    "outside only": (lambda s, c: lambda p: _box_parts(p, s, c)[0],
        "Inside you return 0: add min(max(q), 0), the depth below the nearest face."),
    "largest component": (lambda s, c: lambda p: _box_parts(p, s, c)[1],
        "max(q) is right inside and before a face, but too small near edges and corners."),
    "half edges": (
        lambda s, c: (
            lambda p: sum(
                part.clamp(max=limit)
                for part, limit in zip(_box_parts(p, s, c, 1.0), (1e9, 0.0), strict=True)
            )
        ),
        "Your box is twice as large: `size` holds full edge lengths, so subtract half of it."),
})
# fmt: on

BOX = Exercise(
    name="box",
    reference=shapes.box,
    points=2,
    call=_at_points,
    cases=(
        Case(
            "before a face, an edge, inside",
            lambda g: (
                torch.tensor([[2.0, 0, 0], [1.5, 1, 0], [0.1, 0, 0]]),
                (1.0, 1.0, 1.0),
                (0.0, 0.0, 0.0),
            ),
            fixed=True,
        ),
        Case("a box", _box_case),
        Case("another box", _box_case),
    ),
    misconceptions=BOX_MISTAKES,
    hints=(
        "By symmetry look at |p − c| only; q = |p − c| − size/2 is positive beyond a face.",
        "Outside: the length of max(q, 0). Inside: the largest component of q.",
        "|max(q, 0)| + min(max(q_x, q_y, q_z), 0).",
    ),
)


def _torus_at(p, radius, tube, axis=1, shift=0.0):
    ring = [i for i in range(3) if i != axis]
    across = p[..., ring].norm(dim=-1) - radius - shift
    return torch.hypot(across, p[..., axis]) - tube


def _torus_case(g):
    return _cloud(g), 0.4 + 0.3 * float(torch.rand(1, generator=g)), 0.15


# fmt: off
TORUS_MISTAKES = mistakes({
    "about z": (lambda radius, tube: lambda p: _torus_at(p, radius, tube, axis=2),
        "Your ring lies about the z axis; y is up here."),
    "outer radius": (lambda radius, tube: lambda p: _torus_at(p, radius, tube, shift=-tube),
        "`radius` reaches to the middle of the tube, not to its outer side."),
    "sphere": (lambda radius, tube: lambda p: p.norm(dim=-1) - radius - tube,
        "That is a ball. First measure the distance to the ring's centre line."),
})
# fmt: on

TORUS = Exercise(
    name="torus",
    reference=shapes.torus,
    call=_at_points,
    cases=(
        Case(
            "on the axes",
            lambda g: (torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), 0.6, 0.2),
            fixed=True,
        ),
        Case("a ring", _torus_case),
        Case("another ring", _torus_case),
    ),
    misconceptions=TORUS_MISTAKES,
    hints=(
        "In the plane through the axis and the point the ring is a disc.",
        "Its coordinates there: √(x² + z²) − R and y.",
    ),
)


def _pair_case(g):
    return _cloud(g), 0.5 + 0.2 * float(torch.rand(1, generator=g)), _vector(0.1, 0.4)(g)


def _combine(candidate, points, radius, place):
    """A set operation on two balls."""
    return candidate(shapes.sphere(radius), shapes.sphere(0.4, place))(points)


# fmt: off
DIFFERENCE_MISTAKES = mistakes({
    "union": (lambda a, b: lambda p: torch.minimum(a(p), b(p)),
        "min is the union: what is in a *or* b."),
    "intersection": (lambda a, b: lambda p: torch.maximum(a(p), b(p)),
        "max(a, b) is the intersection: the outside of b is −b."),
    "subtracted": (lambda a, b: lambda p: a(p) - b(p),
        "Sets are subtracted, not numbers: a and not b."),
    "the other way round": (lambda a, b: lambda p: torch.maximum(b(p), -a(p)),
        "You cut a out of b; b is to be cut out of a."),
})
# fmt: on

DIFFERENCE = Exercise(
    name="difference",
    reference=shapes.difference,
    call=_combine,
    cases=(
        Case(
            "a bite",
            lambda g: (torch.tensor([[0.0, 0, 0], [0.5, 0, 0]]), 0.6, (0.5, 0.0, 0.0)),
            fixed=True,
        ),
        Case("two balls", _pair_case),
        Case("two other balls", _pair_case),
    ),
    misconceptions=DIFFERENCE_MISTAKES,
    hints=("In a and not in b. 'And' is max.", "The complement of b has the SDF −b."),
)


def _project_case(g):
    return _cloud(g, 12), 0.5 + 0.3 * float(torch.rand(1, generator=g)), 3


def _project(candidate, points, radius, steps):
    """Onto a ball whose function is not a distance: twice too steep."""
    ball = shapes.sphere(radius)
    return candidate(points, lambda p: 2 * ball(p), steps)


def _newton(points, sdf, steps, *, sign=-1.0, value=True, divide=True):
    for _ in range(steps):
        gradient = sdf_gradient(points, sdf)
        square = gradient.square().sum(1, keepdim=True) if divide else 1.0
        step = sdf(points)[:, None] if value else 1.0
        points = points + sign * step * gradient / square
    return points


# fmt: off
PROJECT_MISTAKES = mistakes({
    "uphill": (lambda p, f, n: _newton(p, f, n, sign=1.0),
        "You walk away from the surface: the gradient points to larger distances."),
    "unit steps": (lambda p, f, n: _newton(p, f, n, value=False),
        "The length of a step is the distance: multiply by sdf(p)."),
    "gradient taken as unit": (lambda p, f, n: _newton(p, f, n, divide=False),
        "Divide by |∇f|²: here f is twice a distance, and its gradient has length 2."),
    "one step only": (lambda p, f, n: p, "Nothing moved: repeat the step, and use the result."),
})
# fmt: on

PROJECT = Exercise(
    name="project_to_surface",
    reference=implicit.project_to_surface,
    points=2,
    call=_project,
    tolerance=Tolerance(absolute=1e-4),
    cases=(
        Case(
            "one point, one step", lambda g: (torch.tensor([[0.0, 3.0, 4.0]]), 1.0, 1), fixed=True
        ),
        Case("a cloud", _project_case),
        Case("another cloud", _project_case),
    ),
    misconceptions=PROJECT_MISTAKES,
    hints=(
        "`sdf_gradient(points, sdf)` is ∇f at every point.",
        "Newton's step: p ← p − f(p) ∇f(p) / |∇f(p)|².",
    ),
)
