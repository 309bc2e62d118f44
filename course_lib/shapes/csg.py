"""Shapes from shapes: set operations (constructive solid geometry) and transforms."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.shapes.primitives import Number, Sdf, Triple, check_axis, check_positive


def union(*sdfs: Sdf) -> Sdf:
    """Points in any of the shapes: the minimum. Exact outside, a lower bound inside.

    >>> from course_lib.shapes import sphere
    >>> union(sphere(1.0), sphere(1.0, (3, 0, 0)))(torch.tensor([[3.0, 0.0, 0.0]]))
    tensor([-1.])
    """
    return _fold(torch.minimum, sdfs)


def intersection(*sdfs: Sdf) -> Sdf:
    """Points in all of the shapes: the maximum. Exact inside, a lower bound outside.

    >>> from course_lib.shapes import sphere
    >>> intersection(sphere(1.0), sphere(1.0, (3, 0, 0)))(torch.tensor([[1.5, 0.0, 0.0]]))
    tensor([0.5000])
    """
    return _fold(torch.maximum, sdfs)


def difference(a: Sdf, b: Sdf) -> Sdf:
    """What is in `a` but not in `b`: a function of points, as `a` and `b` are themselves.

    Only a bound on the distance, the sign is right.

    >>> from course_lib.shapes import sphere
    >>> difference(sphere(1.0), sphere(0.5))(torch.tensor([[0.0, 0.0, 0.0]]))
    tensor([0.5000])
    """

    def sdf(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        return torch.maximum(a(points), -b(points))

    return sdf


def smooth_union(a: Sdf, b: Sdf, blend: Number = 0.1) -> Sdf:
    """The union with a fillet of about the width `blend` where the surfaces meet.

    min(a, b) − h²·blend/4 with h = max(blend − |a − b|, 0)/blend (the quadratic smooth minimum).

    >>> from course_lib.shapes import sphere
    >>> two = smooth_union(sphere(1.0), sphere(1.0, (3, 0, 0)), blend=0.4)
    >>> two(torch.tensor([[1.5, 0.0, 0.0], [-2.0, 0.0, 0.0]]))  # 0.5 − 0.4/4, and untouched
    tensor([0.4000, 1.0000])
    """
    check_positive(blend=blend)

    def sdf(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        da, db = a(points), b(points)
        h = (blend - (da - db).abs()).clamp_min(0.0) / blend
        return torch.minimum(da, db) - h * h * (blend / 4)

    return sdf


def translate(sdf: Sdf, offset: Triple) -> Sdf:
    """The shape moved by `offset`.

    >>> from course_lib.shapes import sphere
    >>> translate(sphere(1.0), (2, 0, 0))(torch.tensor([[2.0, 0.0, 0.0]]))
    tensor([-1.])
    """

    def moved(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        return sdf(points - points.new_tensor(offset))

    return moved


def rotate(sdf: Sdf, axis: int, degrees: Number) -> Sdf:
    """The shape turned about the x, y or z axis (0, 1, 2), counter-clockwise for positive angles.

    >>> from course_lib.shapes import box
    >>> long = box((2.0, 0.2, 0.2))
    >>> rotate(long, 2, 90.0)(torch.tensor([[0.0, 2.0, 0.0]]))
    tensor([1.])
    """
    check_axis(axis)
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

    >>> from course_lib.shapes import sphere
    >>> scale(sphere(1.0), 0.5)(torch.tensor([[1.0, 0.0, 0.0]]))
    tensor([0.5000])
    """
    check_positive(factor=factor)

    def scaled(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        return sdf(points / factor) * factor

    return scaled


def offset(sdf: Sdf, distance: Number) -> Sdf:
    """The shape grown by `distance` (shrunk if negative), which rounds its edges.

    >>> from course_lib.shapes import sphere
    >>> offset(sphere(0.5), 0.25)(torch.tensor([[1.0, 0.0, 0.0]]))
    tensor([0.2500])
    """

    def grown(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        return sdf(points) - distance

    return grown


def shell(sdf: Sdf, thickness: Number) -> Sdf:
    """The surface alone, as a wall of `thickness` with its middle on the surface.

    >>> from course_lib.shapes import sphere
    >>> shell(sphere(1.0), 0.2)(torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]))
    tensor([ 0.9000, -0.1000])
    """
    check_positive(thickness=thickness)

    def wall(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        return sdf(points).abs() - thickness / 2

    return wall


def mirror(sdf: Sdf, *axes: int) -> Sdf:
    """The half of the shape on the positive side of each axis, and its mirror image.

    One leg of a table becomes four for the price of one: `mirror(leg, 0, 2)`.

    >>> from course_lib.shapes import sphere
    >>> mirror(sphere(0.5, (1, 0, 0)), 0)(torch.tensor([[-1.0, 0.0, 0.0]]))
    tensor([-0.5000])
    """
    for axis in axes:
        check_axis(axis)

    def mirrored(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        c = list(points.unbind(-1))
        for axis in axes:
            c[axis] = c[axis].abs()
        return sdf(torch.stack(c, dim=-1))

    return mirrored


def _fold(operation: Callable[[Tensor, Tensor], Tensor], sdfs: tuple[Sdf, ...]) -> Sdf:
    if not sdfs:
        raise ValueError("expected at least one shape, got none")

    def sdf(points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        distance = sdfs[0](points)
        for other in sdfs[1:]:
            distance = operation(distance, other(points))
        return distance

    return sdf
