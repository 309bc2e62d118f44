"""Arithmetic with its singularities guarded: values and gradients stay finite on degenerate input."""

import warnings
from collections.abc import Callable
from functools import wraps

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

LONE = 1e5  # a point without others is moved from beyond this
HALF = (torch.float16, torch.bfloat16)


def safe_divide(
    a: Float[Tensor, "..."], b: Float[Tensor, "..."], otherwise: float = 0.0
) -> Float[Tensor, "..."]:
    """a / b; `otherwise`, with gradient 0, where b is 0 but for rounding.

    >>> safe_divide(torch.tensor([6.0, 6.0]), torch.tensor([3.0, 0.0]), otherwise=1.0)
    tensor([2., 1.])
    """
    is_zero = b.abs() <= torch.finfo(b.dtype).eps
    return torch.where(is_zero, otherwise, a / torch.where(is_zero, 1, b))


def square_root(squared: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """√x with gradient 0, not infinity, at x = 0.

    >>> square_root(torch.tensor([0.0, 9.0]))
    tensor([0., 3.])
    """
    positive = squared > 0
    return torch.where(positive, torch.where(positive, squared, 1).sqrt(), 0)


def unit(vectors: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
    """Vectors scaled to length 1; zero stays zero, with zero for its gradient.

    >>> unit(torch.tensor([[0.0, 0, 2], [0, 0, 0]]))
    tensor([[0., 0., 1.],
            [0., 0., 0.]])
    """
    # First by the largest component, so that squares neither overflow nor vanish.
    largest = vectors.detach().abs().amax(dim=-1, keepdim=True)
    is_zero = largest == 0
    scaled = torch.where(is_zero, 1, vectors / torch.where(is_zero, 1, largest))
    length = torch.linalg.vector_norm(scaled, dim=-1, keepdim=True)
    return torch.where(is_zero, 0, scaled / length)


def cross_or_zero(u: Float[Tensor, "*n 3"], v: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
    """u × v; exactly zero, with zero for its gradient, where it would only be rounding error.

    >>> cross_or_zero(torch.eye(3)[:2], torch.tensor([[0.0, 2, 0], [0, 3, 0]]))
    tensor([[0., 0., 2.],
            [0., 0., 0.]])
    """
    product = torch.linalg.cross(u, v, dim=-1)
    sizes = [vector.detach().abs().amax(dim=-1, keepdim=True) for vector in (product, u, v)]
    is_sure = sizes[0] > 8 * torch.finfo(product.dtype).eps * sizes[1] * sizes[2]
    return torch.where(is_sure, product, 0)


def cosine_or_flat(a: Float[Tensor, "*n 3"], b: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
    """The cosine of the angle between a and b; −1 where one of them is zero and there is no angle.

    >>> cosine_or_flat(torch.eye(3)[:2], torch.tensor([[0.0, 2, 0], [0, 0, 0]]))
    tensor([ 0., -1.])
    """
    has_angle = (a != 0).any(dim=-1) & (b != 0).any(dim=-1)
    return torch.where(has_angle, (unit(a) * unit(b)).sum(dim=-1), -1)


def true_is_one(function: Callable) -> Callable:
    """Grids of True and False, or of whole numbers, are computed as real ones, 1 and 0."""

    @wraps(function)
    def computed(*arguments):
        return function(
            *(
                x.float() if isinstance(x, Tensor) and not x.is_floating_point() else x
                for x in arguments
            )
        )

    return computed


def recentred(points: np.ndarray, name: str) -> np.ndarray:
    """Positions (n, 3) of a file in single precision; far ones are moved to the origin, with a remark.

    Where single precision would round by more than a millionth of the extent (the metres of a map do
    so), the middle, rounded to whole numbers, is taken off first. ValueError for numbers that are not
    finite or too large.
    """
    if not np.isfinite(points).all() or np.abs(points).max(initial=0) > np.finfo(np.float32).max:
        raise ValueError(
            "expected finite numbers, got NaN, infinity or one beyond single precision"
        )
    low, high = points.min(axis=0, initial=np.inf), points.max(axis=0, initial=-np.inf)
    extent, reach = (high - low).max(), np.abs(points).max(initial=0)
    if (extent > 0 or reach > LONE) and reach * np.finfo(np.float32).eps > 4e-6 * extent:
        middle = np.rint((low + high) / 2)
        warnings.warn(
            f"{name}: {reach:.9g} is too far from 0 for single precision: {middle.tolist()} is taken "
            "off all positions",
            stacklevel=4,
        )
        points = points - middle
    return points.astype(np.float32)


def in_single(function: Callable) -> Callable:
    """Half-precision arguments are computed in single precision, the results handed back in half.

    ValueError for a result that is finite in single precision and beyond the range of half.
    """

    @wraps(function)
    def computed(*arguments, **named):
        halves = [x.dtype for x in arguments if isinstance(x, Tensor) and x.dtype in HALF]
        if not halves:
            return function(*arguments, **named)
        named = {name: _single(value) for name, value in named.items()}
        result = function(*map(_single, arguments), **named)
        if isinstance(result, Tensor):
            return _half(result, halves[0])
        return type(result)(*(_half(part, halves[0]) for part in result))

    return computed


def widened(values: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Half precision as single, all else as it is: squares and sums beyond 65,504 would be infinite.

    >>> widened(torch.ones(2, dtype=torch.float16)).dtype
    torch.float32
    """
    return values.float() if values.dtype in HALF else values


def _half(result: Tensor, kind: torch.dtype) -> Tensor:
    largest = float(result.detach().abs().nan_to_num(posinf=0.0).max()) if result.numel() else 0.0
    if largest > torch.finfo(kind).max:
        raise ValueError(f"{largest:.6g} is beyond the range of {kind}: give float32")
    return result.to(kind)


def _single(value):
    if not isinstance(value, Tensor) or value.dtype not in HALF:
        return value
    largest, single = torch.finfo(value.dtype).max, value.float()
    if single.requires_grad:  # a gradient beyond the range of half would be handed back as infinity
        single.register_hook(lambda gradient: gradient.clamp(-largest, largest))
    return single
