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
    """A ball, and a cloud with a point in its centre."""
    points, radius, place = _cloud(g), _vector(0.3, 0.9, 1)(g)[0], _PLACE(g)
    points[0] = torch.tensor(place)
    return points, radius, place


def _grid_of_points(g):
    """Points in a grid, (2, 4, 3), and nothing else: the parameters keep their defaults."""
    return (_cloud(g, 8).reshape(2, 4, 3),)


# fmt: off
SPHERE_MISTAKES = mistakes({
    "along axis 1": (
        lambda r=0.8, c=(0.0, 0.0, 0.0): lambda p: (p - torch.tensor(c)).norm(dim=1) - r,
        "You took the norm along axis 1: points are (…, 3), so x, y, z lie along the *last* axis."),
    "centre added": (
        lambda r=0.8, c=(0.0, 0.0, 0.0): lambda p: (p + torch.tensor(c)).norm(dim=-1) - r,
        "You added the centre: p − c leads from the centre to the point."),
    "sum of differences": (
        lambda r=0.8, c=(0.0, 0.0, 0.0): lambda p: (p - torch.tensor(c)).abs().sum(-1) - r,
        "You measured |x| + |y| + |z|; the distance is the root of x² + y² + z²."),
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
        Case("points in a grid, defaults", _grid_of_points),
    ),
    misconceptions=SPHERE_MISTAKES,
    hints=(
        "How far is p from the centre? How far is the surface from it?",
        "Return a function: `def sdf(points): …` inside, and `return sdf` at the end.",
        "`(points - torch.tensor(center)).norm(dim=-1) - radius`: the norm along the last axis.",
    ),
)


def _box_of(inside, divisor=2.0, fold=torch.abs):
    """A box whose function is `inside(q)`, q the signed distances to its faces."""

    def wrong(size=1.0, center=(0.0, 0.0, 0.0)):
        return lambda p: inside(fold(p - torch.tensor(center)) - torch.tensor(size) / divisor)

    return wrong


def _beyond(q):
    return q.clamp(min=0).norm(dim=-1)


def _below(q):
    return q.amax(-1).clamp(max=0)


def _box_case(g):
    return _cloud(g), _SIZE(g), _PLACE(g)


# fmt: off
BOX_MISTAKES = mistakes({
    "outside only": (_box_of(_beyond),
        "Inside you return 0: add the depth below the nearest face, the largest component of q."),
    "largest component": (_box_of(lambda q: q.amax(-1)),
        "max(q) is right inside and before a face, but too small near edges and corners."),
    "half edges": (_box_of(lambda q: _beyond(q) + _below(q), divisor=1.0),
        "Your box is twice as large: `size` holds full edge lengths, so subtract half of it."),
    "one corner": (_box_of(lambda q: _beyond(q) + _below(q), fold=lambda p: p),
        "Only three of the six faces count: take |p − c| first, the box is symmetric."),
    "smallest inside": (_box_of(lambda q: _beyond(q) + q.amin(-1).clamp(max=0)),
        "Inside you took the *farthest* face: the nearest one has the largest component of q."),
    "sum outside": (_box_of(lambda q: q.clamp(min=0).sum(-1) + _below(q)),
        "Near an edge you added up the components: the distance is the *length* of max(q, 0)."),
    "not clamped": (_box_of(lambda q: q.norm(dim=-1) + _below(q)),
        "Negative components of q must not count outside: max(q, 0) before the length."),
    "length of q": (_box_of(lambda q: q.norm(dim=-1)),
        "|q| counts the axes along which p lies *between* two faces: only max(q, 0) is a way to go."),
    "inside not limited": (_box_of(lambda q: _beyond(q) + q.amax(-1)),
        "Outside the distance counts twice: max(q) is for points inside, where it is negative."),
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
        Case("one number for a cube", lambda g: (_cloud(g), _vector(0.4, 1.4, 1)(g)[0], _PLACE(g))),
        Case("points in a grid, defaults", _grid_of_points),
    ),
    misconceptions=BOX_MISTAKES,
    hints=(
        "By symmetry look at |p − c| only; q = |p − c| − size/2 is positive beyond a face.",
        "Outside: the length of max(q, 0). Inside: the largest component of q.",
        "`q.clamp(min=0).norm(dim=-1) + q.amax(dim=-1).clamp(max=0)`, with q (…, 3).",
    ),
)


def _torus_of(distance, axis=1, centre=1.0):
    """A torus whose function is `distance(way across, way along the axis, radius, tube)`."""

    def wrong(radius=0.6, tube=0.2, center=(0.0, 0.0, 0.0)):
        def sdf(points):
            p = points - centre * torch.tensor(center)
            ring = [i for i in range(3) if i != axis]
            return distance(p[..., ring].norm(dim=-1), p[..., axis], radius, tube)

        return sdf

    return wrong


def _ring(across, along, radius, tube):
    return torch.hypot(across - radius, along) - tube


def _torus_case(g):
    return _cloud(g), 0.4 + 0.3 * float(torch.rand(1, generator=g)), 0.15


# fmt: off
TORUS_MISTAKES = mistakes({
    "about z": (_torus_of(_ring, axis=2), "Your ring lies about the z axis; y is up here."),
    "about x": (_torus_of(_ring, axis=0), "Your ring lies about the x axis; y is up here."),
    "no centre": (_torus_of(_ring, centre=0.0), "The centre is ignored: subtract it from the points."),
    "outer radius": (_torus_of(lambda a, y, r, t: _ring(a, y, r - t, t)),
        "`radius` reaches to the middle of the tube, not to its outer side."),
    "sphere": (_torus_of(lambda a, y, r, t: torch.hypot(a, y) - r - t),
        "That is a ball. First measure the distance to the ring's centre line."),
    "no outer root": (_torus_of(lambda a, y, r, t: (a - r) ** 2 + y**2 - t**2),
        "The sign is right, but this is not a distance: the outer root is missing, √(…) − r."),
    "no outer root, tube": (_torus_of(lambda a, y, r, t: (a - r) ** 2 + y**2 - t),
        "The outer root is missing: √((√(x² + z²) − R)² + y²) − r."),
    "no inner root": (_torus_of(lambda a, y, r, t: torch.hypot(a**2 - r, y) - t),
        "The inner root is missing: the distance from the axis is √(x² + z²)."),
    "exchanged": (_torus_of(lambda a, y, r, t: _ring(a, y, t, r)),
        "`radius` and `tube` are exchanged: the ring's own radius is subtracted inside, the tube's "
        "outside."),
    "sign": (_torus_of(lambda a, y, r, t: -_ring(a, y, r, t)),
        "The sign is turned round: outside is positive, inside negative."),
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
        Case("a ring elsewhere", lambda g: (*_torus_case(g), _PLACE(g))),
        Case("points in a grid, defaults", _grid_of_points),
    ),
    misconceptions=TORUS_MISTAKES,
    hints=(
        "In the plane through the axis and the point the ring is a disc.",
        "Its coordinates there: √(x² + z²) − R and y.",
        "`x, y, z = (points - torch.tensor(center)).unbind(-1)`, then `torch.hypot` twice.",
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
    hints=(
        "In a *and* not in b. Which of min and max is 'and'?",
        "What is not in b is the complement of b: its SDF is −b.",
        "`return lambda points: torch.maximum(a(points), -b(points))`",
    ),
)


def _project_case(g):
    return _cloud(g, 12), 0.5 + 0.3 * float(torch.rand(1, generator=g)), 2, 3


def _project(candidate, points, radius, power, steps):
    """Onto a ball whose function is a power of the distance: its gradient has any length."""
    options = () if steps is None else (steps,)
    return candidate(points, lambda p: _length(p) ** power - radius**power, *options)


def _length(p):
    """|p|, with zero for its gradient at zero."""
    return p.square().sum(-1).clamp(min=1e-24).sqrt()


def _newton(points, sdf, steps=5, *, sign=-1.0, value=True, power=2, repeat=True, share=1):
    start, way, first = points, sdf(points)[:, None], sdf_gradient(points, sdf)
    for _ in range(steps):
        gradient = sdf_gradient(points, sdf) if repeat else first
        length = gradient.square().sum(1, keepdim=True).clamp(min=1e-12) ** (power / 2)
        step = (sdf(points)[:, None] if repeat else way) if value else 1.0
        points = points + sign * step * gradient / length / (steps if share == 0 else share)
    return points if steps else start


def _without_guard(points, sdf, steps=5):
    for _ in range(steps):
        gradient = sdf_gradient(points, sdf)
        square = gradient.square().sum(1, keepdim=True)
        points = points - sdf(points)[:, None] * gradient / square
    return points


# fmt: off
PROJECT_MISTAKES = mistakes({
    "uphill": (lambda *a: _newton(*a, sign=1.0),
        "You walk away from the surface: the gradient points to larger distances."),
    "unit steps": (lambda *a: _newton(*a, value=False),
        "The length of a step is the distance: multiply by sdf(p)."),
    "gradient taken as unit": (lambda *a: _newton(*a, power=0),
        "Divide by |∇f|²: f need not be a distance, its gradient may have any length."),
    "divided by the length": (lambda *a: _newton(*a, power=1),
        "Divide by |∇f| *squared*: once for the direction, once for how fast f falls."),
    "not moved": (lambda p, f, n=5: p, "Nothing moved: repeat the step, and use the result."),
    "one step only": (lambda p, f, n=5: _newton(p, f, 1),
        "You took one step: take `steps` of them, each from where the last one ended."),
    "always from the start": (lambda *a: _newton(*a, repeat=False),
        "Value and gradient are those of the start in every step: compute them anew at the moved "
        "points."),
    "a share of the step": (lambda *a: _newton(*a, share=0),
        "You divided every step by `steps`: each is a whole Newton step."),
    "NaN": (_without_guard,
        "Where the gradient vanishes you divide 0 by 0: the point should stay where it is."),
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
            "one point, one step",
            lambda g: (torch.tensor([[0.0, 3.0, 4.0]]), 1.0, 1, 1),
            fixed=True,
        ),
        Case(
            "a point without gradient, and gradients below 1",
            lambda g: (
                torch.tensor([[0.0, 0.0, 0.0], [0.2, 0.1, 0.0], [1e-4, 0.0, 0.0]]),
                0.5,
                2,
                2,
            ),
            fixed=True,
        ),
        Case("steps left to their default", lambda g: (2 + _cloud(g, 6), 0.5, 4, None)),
        Case("a cloud", _project_case),
        Case("another cloud", _project_case),
    ),
    misconceptions=PROJECT_MISTAKES,
    hints=(
        "`sdf_gradient(points, sdf)` is ∇f at every point.",
        "Newton's step: p ← p − f(p) ∇f(p) / |∇f(p)|².",
    ),
)
