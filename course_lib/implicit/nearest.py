"""The closest point of a triangle mesh, exactly, for millions of points: libigl's tree of boxes."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

BITS = 8  # per axis, of the Morton code


class Nearest(NamedTuple):
    """The nearest face of each point, the closest point on it, and the squared distance."""

    squared_distance: Float[Tensor, "n"]
    closest: Float[Tensor, "n 3"]
    face: Int[Tensor, "n"]


class SurfaceSearch:
    """Closest points on a mesh, the tree built once; in double precision, without gradients.

    Runs on the CPU wherever the points are, and returns to their device. Raises ValueError if there
    is no face, or if a point is not finite.
    """

    def __init__(self, vertices: Float[Tensor, "v 3"], faces: Int[Tensor, "f 3"]):
        import igl

        if len(faces) == 0:
            raise ValueError("expected a mesh with faces, got none")
        self._vertices = vertices.detach().cpu().double().contiguous().numpy()
        self._faces = faces.cpu().contiguous().numpy()
        self._tree = igl.AABB()
        self._tree.init(self._vertices, self._faces)

    def __call__(self, points: Float[Tensor, "n 3"]) -> Nearest:
        """The closest point to each of n points."""
        queries = points.detach().cpu().double()
        if not bool(torch.isfinite(queries).all()):
            raise ValueError("expected finite points, got NaN or infinity")
        if len(queries) == 0:
            return Nearest(points[:, 0].double(), points.double(), points[:, 0].long())
        found = self._tree.squared_distance(self._vertices, self._faces, queries.numpy())
        square, face, closest = (torch.from_numpy(part).to(points.device) for part in found)
        return Nearest(square, closest, face)


def nearest_on_surface(
    points: Float[Tensor, "n 3"], vertices: Float[Tensor, "v 3"], faces: Int[Tensor, "f 3"]
) -> Nearest:
    """The closest point on a mesh to each of n points; see `SurfaceSearch`.

    >>> corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    >>> found = nearest_on_surface(torch.tensor([[2.0, 0, 3]]), corners, torch.tensor([[0, 1, 2]]))
    >>> found.squared_distance, found.closest
    (tensor([10.], dtype=torch.float64), tensor([[1., 0., 0.]], dtype=torch.float64))
    """
    return SurfaceSearch(vertices, faces)(points)


def morton_order(points: Float[Tensor, "n 3"]) -> Int[Tensor, "n"]:
    """The points along a Morton curve: neighbours follow each other, which spares the cache.

    >>> morton_order(torch.tensor([[0.0, 0, 0], [1, 1, 1], [0, 0, 0.1]]))
    tensor([0, 2, 1])
    """
    if len(points) == 0:
        return torch.zeros(0, dtype=torch.int64, device=points.device)
    low, high = points.aminmax(dim=0)
    side = (high - low).max().clamp(min=torch.finfo(points.dtype).tiny)
    steps = ((points - low) / side * (2**BITS - 1)).long()
    code = torch.zeros_like(steps[:, 0])
    for bit in range(BITS):
        for axis in range(3):
            code |= (steps[:, axis] >> bit & 1) << (3 * bit + 2 - axis)
    return code.argsort(stable=True)
