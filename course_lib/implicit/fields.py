"""What a signed distance function is good for: projection onto the surface, the eikonal equation."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.shapes import Sdf


def sdf_gradient(points: Float[Tensor, "*n 3"], sdf: Sdf) -> Float[Tensor, "*n 3"]:
    """∇SDF at each point, by automatic differentiation; a unit vector where the SDF is exact.

    >>> from course_lib.shapes import sphere
    >>> sdf_gradient(torch.tensor([[0.0, 3.0, 0.0]]), sphere(1.0))
    tensor([[0., 1., 0.]])
    """
    with torch.enable_grad():
        points = points.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(sdf(points).sum(), points)
    return gradient


def project_to_surface(
    points: Float[Tensor, "n 3"], sdf: Sdf, steps: int = 5
) -> Float[Tensor, "n 3"]:
    """Move points onto the zero set, by `steps` Newton steps along the gradient.

    One step is enough where the SDF is exact; where it is only a bound, or a network, a few are
    needed. A point where the gradient vanishes stays where it is.

    >>> from course_lib.shapes import sphere
    >>> project_to_surface(torch.tensor([[0.0, 3.0, 4.0]]), sphere(1.0), 1)
    tensor([[0.0000, 0.6000, 0.8000]])
    """
    if steps < 0:
        raise ValueError(f"expected steps >= 0, got {steps}")
    points = points.detach()
    for _ in range(steps):
        gradient = sdf_gradient(points, sdf)
        square = gradient.square().sum(1, keepdim=True).clamp(min=1e-12)
        with torch.no_grad():
            points = points - sdf(points)[:, None] * gradient / square
    return points


def eikonal_residual(points: Float[Tensor, "n 3"], sdf: Sdf) -> Float[Tensor, "n"]:
    """| |∇SDF| − 1 |: zero wherever a function is a true distance.

    >>> from course_lib.shapes import sphere
    >>> eikonal_residual(torch.tensor([[0.0, 3.0, 4.0]]), lambda p: 2 * sphere(1.0)(p))
    tensor([1.])
    """
    return (torch.linalg.vector_norm(sdf_gradient(points, sdf), dim=1) - 1).abs()
