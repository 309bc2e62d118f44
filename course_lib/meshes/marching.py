"""The zero set of a function on a lattice as a mesh: marching cubes, by scikit-image."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.meshes.mesh import Mesh


def lattice(resolution: int, bound: float = 1.0) -> Float[Tensor, "m m m 3"]:
    """Corners of resolution³ cells that fill [−bound, bound]³, m = resolution + 1, index x, y, z.

    >>> lattice(2)[0, 1, 2]
    tensor([-1.,  0.,  1.])
    """
    if resolution < 1 or not bound > 0:
        raise ValueError(f"expected resolution >= 1 and bound > 0, got {resolution} and {bound}")
    line = torch.linspace(-bound, bound, resolution + 1)
    return torch.stack(torch.meshgrid(line, line, line, indexing="ij"), dim=-1)


def grid_to_mesh(values: Float[Tensor, "m m m"], bound: float = 1.0) -> Mesh:
    """The surface where `values`, negative inside, cross zero; they sit on `lattice(m − 1, bound)`.

    The mesh faces outwards. It is open where the shape reaches the side of the lattice. Raises
    ValueError where nothing crosses zero or a value is not finite.
    """
    from skimage.measure import marching_cubes

    field = values.detach().float().cpu()
    low, high = (float(extreme) for extreme in field.aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):  # NaN passes through both
        raise ValueError("expected finite values, got NaN or infinity")
    if not low < 0 < high:
        side = "inside" if low < 0 else "outside"
        raise ValueError(f"expected values of both signs, got a lattice that is all {side}")
    step = 2 * bound / (len(field) - 1)
    corners, faces, _, _ = marching_cubes(field.numpy(), level=0.0, allow_degenerate=False)
    vertices = torch.from_numpy(corners.copy()) * step - bound
    return Mesh(vertices.to(values.device), torch.from_numpy(faces.copy()))
