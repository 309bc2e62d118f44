"""Signed distance functions of simple solids."""

import math
from collections.abc import Callable, Sequence
from functools import reduce
from operator import add

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.meshes.primitives import Number, check_positive

Sdf = Callable[[Float[Tensor, "*n 3"]], Float[Tensor, "*n"]]
Triple = Sequence[float | int]


def sphere(radius: Number = 0.8, center: Triple = (0.0, 0.0, 0.0)) -> Sdf:
    """A ball, as a function from points (…, 3) to their signed distances (…), negative inside.

    >>> sphere(0.5)(torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.1, 0.0]]))
    tensor([ 1.5000, -0.4000])
    """
    check_positive(radius=radius)

    def sdf(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        x, y, z = components(points, center)
        return length(x, y, z) - radius

    return sdf


def box(size: Number | Triple = 1.0, center: Triple = (0.0, 0.0, 0.0)) -> Sdf:
    """A box with full edge lengths `size` (three numbers, or one for a cube), as a function.

    It takes points (…, 3) to their signed distances (…), exact outside and inside (negative).

    >>> box((2.0, 1.0, 1.0))(torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    tensor([ 1.0000, -0.5000])
    """
    check_positive(**{f"size[{axis}]": edge for axis, edge in enumerate(triple(size))})

    def sdf(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        pairs = zip(components(points, center), triple(size), strict=True)
        x, y, z = (component.abs() - edge / 2 for component, edge in pairs)
        inside = torch.maximum(torch.maximum(x, y), z)
        outside = length(x.clamp(min=0), y.clamp(min=0), z.clamp(min=0))
        return torch.where(inside > 0, outside, inside)

    return sdf


def rounded_box(
    size: Number | Triple = 1.0, radius: Number = 0.1, center: Triple = (0.0, 0.0, 0.0)
) -> Sdf:
    """A box of full edge lengths `size` whose edges and corners are rounded with `radius`.

    >>> rounded_box(2.0, 0.2)(torch.tensor([[1.5, 0.0, 0.0]]))
    tensor([0.5000])
    """
    check_positive(radius=radius)
    inner = [edge - 2 * radius for edge in triple(size)]
    if min(inner) <= 0:
        raise ValueError(f"expected a radius below half the smallest edge of {size}, got {radius}")
    sharp = box(inner, center)

    def sdf(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        return sharp(points) - radius

    return sdf


def torus(radius: Number = 0.6, tube: Number = 0.2, center: Triple = (0.0, 0.0, 0.0)) -> Sdf:
    """A ring about the y axis: `radius` to the middle of the tube, `tube` the tube's own radius.

    A function from points (…, 3) to their signed distances (…), negative inside the tube.

    >>> torus(0.6, 0.2)(torch.tensor([[0.6, 0.0, 0.0], [1.0, 0.0, 0.0]]))
    tensor([-0.2000,  0.2000])
    """
    check_positive(radius=radius, tube=tube)

    def sdf(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        x, y, z = components(points, center)
        return length(length(x, z) - radius, y) - tube

    return sdf


def cylinder(
    radius: Number = 0.5, height: Number = 1.0, center: Triple = (0.0, 0.0, 0.0), axis: int = 1
) -> Sdf:
    """A capped cylinder of full `height` along `axis` (0 x, 1 y, 2 z), exact everywhere.

    >>> cylinder(0.5, 2.0)(torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.5, 0.0]]))
    tensor([0.5000, 0.5000])
    """
    check_positive(radius=radius, height=height)
    check_axis(axis)

    def sdf(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        across = components(points, center)
        along = across.pop(axis)
        return _corner_distance(length(*across) - radius, along.abs() - height / 2)

    return sdf


def cone(
    bottom: Number = 0.6,
    top: Number = 0.0,
    height: Number = 1.0,
    center: Triple = (0.0, 0.0, 0.0),
) -> Sdf:
    """A cone along y, cut off at its `top` radius, capped at both ends; exact everywhere.

    The nearest point lies on a cap or on the slanted side; each is a segment in the half plane of
    (distance from the axis, height), so the smaller of two segment distances is the answer.

    >>> cone(1.0, 0.0, 2.0)(torch.tensor([[0.0, 1.5, 0.0], [0.0, -1.25, 0.0]]))
    tensor([0.5000, 0.2500])
    """
    check_positive(height=height, bottom=bottom)
    if not 0 <= top < math.inf:
        raise ValueError(f"expected a top radius of 0 or more, got {top}")
    half = height / 2
    slant = (top - bottom, float(height))  # from the bottom rim to the top rim
    squared_slant = slant[0] ** 2 + slant[1] ** 2

    def sdf(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        x, y, z = components(points, center)
        r = length(x, z)
        cap_radius = torch.where(y < 0, float(bottom), float(top))
        to_cap = ((r - cap_radius).clamp_min(0.0), y.abs() - half)
        along = (((r - bottom) * slant[0] + (y + half) * slant[1]) / squared_slant).clamp(0.0, 1.0)
        to_side = (r - bottom - along * slant[0], y + half - along * slant[1])
        distance = torch.minimum(length(*to_cap), length(*to_side))
        return torch.where((to_side[0] < 0) & (to_cap[1] < 0), -distance, distance)

    return sdf


def capsule(
    start: Triple = (0.0, -0.5, 0.0), end: Triple = (0.0, 0.5, 0.0), radius: Number = 0.2
) -> Sdf:
    """All points within `radius` of the segment from `start` to `end`, exact everywhere.

    >>> capsule((0, 0, 0), (1, 0, 0), 0.25)(torch.tensor([[0.5, 1.0, 0.0], [2.0, 0.0, 0.0]]))
    tensor([0.7500, 0.7500])
    """
    check_positive(radius=radius)
    direction = [float(b) - float(a) for a, b in zip(start, end, strict=True)]
    squared_length = sum(d * d for d in direction)
    check_positive(length=squared_length)

    def sdf(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        p = components(points, start)
        share = [c * (d / squared_length) for c, d in zip(p, direction, strict=True) if d]
        along = reduce(add, share).clamp(0.0, 1.0)
        return length(*(c - along * d for c, d in zip(p, direction, strict=True))) - radius

    return sdf


def components(points: Tensor, center: Triple) -> list[Tensor]:
    """x, y, z of points − center. Three long vectors are several times faster than (n, 3)."""
    return [
        c - float(m) if m else c for c, m in zip(points.unbind(-1), triple(center), strict=True)
    ]


def length(*components: Tensor) -> Tensor:
    """Euclidean length; its gradient at zero length is zero, not NaN."""
    return reduce(add, [c * c for c in components]).clamp_min(1e-24).sqrt()


def _corner_distance(x: Tensor, y: Tensor) -> Tensor:
    """Distance to a rectangle from the signed distances x and y to its sides."""
    inside = torch.maximum(x, y)
    return torch.where(inside > 0, length(x.clamp_min(0.0), y.clamp_min(0.0)), inside)


def triple(values: Number | Triple) -> list[float]:
    """One number for all three axes, or three numbers."""
    if isinstance(values, int | float):
        return [float(values)] * 3
    if len(values) != 3:
        raise ValueError(f"expected one number or three, got {tuple(values)}")
    return [float(v) for v in values]


def check_axis(axis: int) -> None:
    if axis not in (0, 1, 2):
        raise ValueError(f"expected an axis 0 (x), 1 (y) or 2 (z), got {axis}")
