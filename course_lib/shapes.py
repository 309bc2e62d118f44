"""Signed distance functions: primitives, set operations and transforms.

A signed distance function (SDF) is a callable from points (..., 3) to distances (...), negative
inside and positive outside, in the units of the points. Every function of this module returns one.
Dtype and device are those of the points that it is called with; y is up.
"""

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Sdf = Callable[[Float[Tensor, "*n 3"]], Float[Tensor, "*n"]]
Number = float | int
Triple = Sequence[float | int]


def sphere(radius: Number = 0.8, center: Triple = (0.0, 0.0, 0.0)) -> Sdf:
    """A ball: |p − c| − r, exact everywhere.

    >>> sphere(0.5)(torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.1, 0.0]]))
    tensor([ 1.5000, -0.4000])
    """
    _check_positive(radius=radius)

    def sdf(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        return _length(*_components(points, center)) - radius

    return sdf


def box(size: Number | Triple = 1.0, center: Triple = (0.0, 0.0, 0.0)) -> Sdf:
    """A box with full edge lengths `size` (one number for a cube), exact everywhere.

    With q = |p − c| − size/2:  |max(q, 0)| + min(max(q_x, q_y, q_z), 0).

    >>> box((2.0, 1.0, 1.0))(torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    tensor([ 1.0000, -0.5000])
    """
    half = [edge / 2 for edge in _triple(size)]
    _check_positive(**{f"size[{axis}]": edge for axis, edge in enumerate(half)})

    def sdf(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        q = [c.abs() - h for c, h in zip(_components(points, center), half, strict=True)]
        return _box_distance(*q)

    return sdf


def rounded_box(
    size: Number | Triple = 1.0, radius: Number = 0.1, center: Triple = (0.0, 0.0, 0.0)
) -> Sdf:
    """A box of full edge lengths `size` whose edges and corners are rounded with `radius`.

    >>> rounded_box(2.0, 0.2)(torch.tensor([[1.5, 0.0, 0.0]]))
    tensor([0.5000])
    """
    _check_positive(radius=radius)
    inner = [edge - 2 * radius for edge in _triple(size)]
    if min(inner) <= 0:
        raise ValueError(f"expected a radius below half the smallest edge of {size}, got {radius}")
    sharp = box(inner, center)

    def sdf(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        return sharp(points) - radius

    return sdf


def torus(radius: Number = 0.6, tube: Number = 0.2, center: Triple = (0.0, 0.0, 0.0)) -> Sdf:
    """A ring about the y axis: `radius` to the middle of the tube, `tube` the tube's own radius.

    √((√(x² + z²) − R)² + y²) − r, exact everywhere.

    >>> torus(0.6, 0.2)(torch.tensor([[0.6, 0.0, 0.0], [1.0, 0.0, 0.0]]))
    tensor([-0.2000,  0.2000])
    """
    _check_positive(radius=radius, tube=tube)

    def sdf(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        x, y, z = _components(points, center)
        return _length(_length(x, z) - radius, y) - tube

    return sdf


def cylinder(
    radius: Number = 0.5, height: Number = 1.0, center: Triple = (0.0, 0.0, 0.0), axis: int = 1
) -> Sdf:
    """A capped cylinder of full `height` along `axis` (0 x, 1 y, 2 z), exact everywhere.

    >>> cylinder(0.5, 2.0)(torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.5, 0.0]]))
    tensor([0.5000, 0.5000])
    """
    _check_positive(radius=radius, height=height)
    _check_axis(axis)

    def sdf(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        across = _components(points, center)
        along = across.pop(axis)
        return _box_distance(_length(*across) - radius, along.abs() - height / 2)

    return sdf


def capsule(
    start: Triple = (0.0, -0.5, 0.0), end: Triple = (0.0, 0.5, 0.0), radius: Number = 0.2
) -> Sdf:
    """All points within `radius` of the segment from `start` to `end`, exact everywhere.

    >>> capsule((0, 0, 0), (1, 0, 0), 0.25)(torch.tensor([[0.5, 1.0, 0.0], [2.0, 0.0, 0.0]]))
    tensor([0.7500, 0.7500])
    """
    _check_positive(radius=radius)
    direction = [float(b) - float(a) for a, b in zip(start, end, strict=True)]
    squared_length = sum(d * d for d in direction)
    _check_positive(length=squared_length)

    def sdf(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        p = _components(points, start)
        along = sum(c * (d / squared_length) for c, d in zip(p, direction, strict=True) if d)
        along = along.clamp(0.0, 1.0)
        return _length(*(c - along * d for c, d in zip(p, direction, strict=True))) - radius

    return sdf


def union(*sdfs: Sdf) -> Sdf:
    """Points in any of the shapes: the minimum. Exact outside, a lower bound inside.

    >>> union(sphere(1.0), sphere(1.0, (3, 0, 0)))(torch.tensor([[3.0, 0.0, 0.0]]))
    tensor([-1.])
    """
    return _fold(torch.minimum, sdfs)


def intersection(*sdfs: Sdf) -> Sdf:
    """Points in all of the shapes: the maximum. Exact inside, a lower bound outside.

    >>> intersection(sphere(1.0), sphere(1.0, (3, 0, 0)))(torch.tensor([[1.5, 0.0, 0.0]]))
    tensor([0.5000])
    """
    return _fold(torch.maximum, sdfs)


def difference(a: Sdf, b: Sdf) -> Sdf:
    """Points in `a` but not in `b`: max(a, −b). Only a bound on the distance, the sign is right.

    >>> difference(sphere(1.0), sphere(0.5))(torch.tensor([[0.0, 0.0, 0.0]]))
    tensor([0.5000])
    """

    def sdf(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        return torch.maximum(a(points), -b(points))

    return sdf


def smooth_union(a: Sdf, b: Sdf, blend: Number = 0.1) -> Sdf:
    """The union with a fillet of about the width `blend` where the surfaces meet.

    min(a, b) − h²·blend/4 with h = max(blend − |a − b|, 0)/blend (the quadratic smooth minimum).

    >>> two = smooth_union(sphere(1.0), sphere(1.0, (3, 0, 0)), blend=0.4)
    >>> two(torch.tensor([[1.5, 0.0, 0.0], [-2.0, 0.0, 0.0]]))  # 0.5 − 0.4/4, and untouched
    tensor([0.4000, 1.0000])
    """
    _check_positive(blend=blend)

    def sdf(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        da, db = a(points), b(points)
        h = (blend - (da - db).abs()).clamp_min(0.0) / blend
        return torch.minimum(da, db) - h * h * (blend / 4)

    return sdf


def translate(sdf: Sdf, offset: Triple) -> Sdf:
    """The shape moved by `offset`.

    >>> translate(sphere(1.0), (2, 0, 0))(torch.tensor([[2.0, 0.0, 0.0]]))
    tensor([-1.])
    """

    def moved(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        return sdf(points - points.new_tensor(offset))

    return moved


def rotate(sdf: Sdf, axis: int, degrees: Number) -> Sdf:
    """The shape turned about the x, y or z axis (0, 1, 2), counter-clockwise for positive angles.

    >>> long = box((2.0, 0.2, 0.2))
    >>> rotate(long, 2, 90.0)(torch.tensor([[0.0, 2.0, 0.0]]))
    tensor([1.])
    """
    _check_axis(axis)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    first, second = (axis + 1) % 3, (axis + 2) % 3

    def turned(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        c = list(points.unbind(-1))
        c[first], c[second] = (
            cos * c[first] + sin * c[second],  # the inverse rotation, of the points
            cos * c[second] - sin * c[first],
        )
        return sdf(torch.stack(c, dim=-1))

    return turned


def scale(sdf: Sdf, factor: Number) -> Sdf:
    """The shape enlarged by `factor` about the origin; distances grow with it.

    >>> scale(sphere(1.0), 0.5)(torch.tensor([[1.0, 0.0, 0.0]]))
    tensor([0.5000])
    """
    _check_positive(factor=factor)

    def scaled(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        return sdf(points / factor) * factor

    return scaled


def offset(sdf: Sdf, distance: Number) -> Sdf:
    """The shape grown by `distance` (shrunk if negative), which rounds its edges.

    >>> offset(sphere(0.5), 0.25)(torch.tensor([[1.0, 0.0, 0.0]]))
    tensor([0.2500])
    """

    def grown(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        return sdf(points) - distance

    return grown


def shell(sdf: Sdf, thickness: Number) -> Sdf:
    """The surface alone, as a wall of `thickness` with its middle on the surface.

    >>> shell(sphere(1.0), 0.2)(torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]))
    tensor([ 0.9000, -0.1000])
    """
    _check_positive(thickness=thickness)

    def wall(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        return sdf(points).abs() - thickness / 2

    return wall


def mirror(sdf: Sdf, *axes: int) -> Sdf:
    """The half of the shape on the positive side of each axis, and its mirror image.

    One leg of a table becomes four for the price of one: `mirror(leg, 0, 2)`.

    >>> mirror(sphere(0.5, (1, 0, 0)), 0)(torch.tensor([[-1.0, 0.0, 0.0]]))
    tensor([-0.5000])
    """
    for axis in axes:
        _check_axis(axis)

    def mirrored(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        c = list(points.unbind(-1))
        for axis in axes:
            c[axis] = c[axis].abs()
        return sdf(torch.stack(c, dim=-1))

    return mirrored


def _components(points: Tensor, center: Triple) -> list[Tensor]:
    """x, y, z of points − center. Three long vectors are several times faster than (n, 3)."""
    return [
        c - float(m) if m else c for c, m in zip(points.unbind(-1), _triple(center), strict=True)
    ]


def _length(*components: Tensor) -> Tensor:
    """Euclidean length; its gradient at zero length is zero, not NaN."""
    squared = sum(c * c for c in components)
    return squared.clamp_min(1e-24).sqrt()


def _box_distance(*q: Tensor) -> Tensor:
    """Distance to a box from the signed distances q to its slabs, in any number of dimensions."""
    largest = q[0]
    for component in q[1:]:
        largest = torch.maximum(largest, component)
    outside = _length(*(component.clamp_min(0.0) for component in q))
    return torch.where(largest > 0, outside, largest)


def _fold(operation: Callable[[Tensor, Tensor], Tensor], sdfs: tuple[Sdf, ...]) -> Sdf:
    if not sdfs:
        raise ValueError("expected at least one shape, got none")

    def sdf(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        distance = sdfs[0](points)
        for other in sdfs[1:]:
            distance = operation(distance, other(points))
        return distance

    return sdf


def _triple(values: Number | Triple) -> list[float]:
    """One number for all three axes, or three numbers."""
    if isinstance(values, int | float):
        return [float(values)] * 3
    if len(values) != 3:
        raise ValueError(f"expected one number or three, got {tuple(values)}")
    return [float(v) for v in values]


def _check_positive(**values: Number) -> None:
    for name, value in values.items():
        if not (value > 0 and math.isfinite(value)):
            raise ValueError(f"expected a positive {name}, got {value}")


def _check_axis(axis: int) -> None:
    if axis not in (0, 1, 2):
        raise ValueError(f"expected an axis 0 (x), 1 (y) or 2 (z), got {axis}")
