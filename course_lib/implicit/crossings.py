"""The winding number of a closed mesh, counted along the vertical line through each point."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.implicit.pairs import box_pairs, list_pairs
from course_lib.meshes import Mesh


class CrossingCount:
    """Winding numbers of a **closed** mesh: +1 for each face above a point that shows it its back,
    −1 for each that shows its front. Exact, except on the surface itself.

    >>> from course_lib.meshes import box
    >>> CrossingCount(box(1.0))(torch.tensor([[0.1, 0.2, 0.0], [0.1, 0.2, 0.9]]))
    tensor([1, 0])
    """

    def __init__(self, mesh: Mesh):
        self.mesh, self.corners = mesh, mesh.corners.detach().double()
        flat = self.corners[..., :2]
        self.low = flat.amin((0, 1))
        self.cells = int(min(512, max(1, len(flat) ** 0.5)))
        extent = float((flat.amax((0, 1)) - self.low).max()) or 1.0
        self.scale = self.cells / extent
        first, last = self._cell(flat.amin(1)), self._cell(flat.amax(1))
        pairs = [
            (face, cell[:, 0] * self.cells + cell[:, 1]) for face, cell in box_pairs(first, last)
        ]
        face, cell = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        self.faces = face[cell.argsort()]
        self.count = torch.bincount(cell, minlength=self.cells**2)
        self.start = self.count.cumsum(0) - self.count

    def _cell(self, flat: Float[Tensor, "n 2"]) -> Int[Tensor, "n 2"]:
        return ((flat - self.low) * self.scale).floor().long().clamp(0, self.cells - 1)

    def __call__(self, points: Float[Tensor, "n 3"]) -> Int[Tensor, "n"]:
        """The winding number at each point."""
        points = points.detach().double()
        cell = self._cell(points[:, :2])
        total = torch.zeros(len(points), dtype=torch.int64, device=points.device)
        for owner, entry in list_pairs(
            self.start, self.count, cell[:, 0] * self.cells + cell[:, 1]
        ):
            face = self.faces[entry]
            corners, at = self.corners[face], points[owner]
            sides = column_sides(corners[..., :2], self.mesh.faces[face], at[:, :2])
            height = (sides * corners[..., 2]).sum(1) / sides.sum(1)
            hit = ((sides > 0).all(1) | (sides < 0).all(1)) & (height > at[:, 2])
            total.index_add_(0, owner, torch.sign(sides[:, 0]).long() * hit)
        return total


def column_sides(flat: Tensor, faces: Tensor, at: Tensor) -> Tensor:
    """Twice the signed areas (at, b, c), (at, c, a), (at, a, b) of each triangle a, b, c.

    Each edge is evaluated from its lower to its higher vertex index, and where that gives zero, at a
    point infinitesimally beside: so all faces around an edge or a vertex agree where a line passes.
    """
    areas = []
    for i, j in ((1, 2), (2, 0), (0, 1)):
        forward = (faces[:, i] < faces[:, j])[:, None]
        p = torch.where(forward, flat[:, i], flat[:, j])
        q = torch.where(forward, flat[:, j], flat[:, i]) - p
        d = at - p
        area = q[:, 0] * d[:, 1] - q[:, 1] * d[:, 0]
        beside = torch.where(q[:, 1] != 0, -q[:, 1], q[:, 0])  # the sign at x + ε, y + ε²
        area = torch.where(area == 0, beside * 1e-200, area)
        areas.append(torch.where(forward[:, 0], area, -area))
    return torch.stack(areas, dim=1)
