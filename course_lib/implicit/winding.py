"""Winding numbers: how often a surface goes round a point, and so what a mesh encloses.

w(x) = Σ Ωᵢ(x) / 4π, the signed solid angles of all faces: 1 inside a closed mesh that faces
outwards, 0 outside, 2 where two solids overlap, and in between near the holes of an open mesh
(Jacobson et al. 2013, "Robust inside-outside segmentation using generalized winding numbers").
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.implicit.nearest import morton_order
from course_lib.meshes import Mesh

PAIRS_AT_ONCE = 1 << 16
FAR = 2.0  # a cluster of faces farther than this many radii is replaced by its moments
BRANCHES = 8


def winding_number(points: Float[Tensor, "n 3"], mesh: Mesh) -> Float[Tensor, "n"]:
    """The exact sum over all faces (Van Oosterom & Strackee 1983): slow for large meshes.

    >>> from course_lib.meshes import box
    >>> winding_number(torch.tensor([[0.0, 0, 0], [2, 0, 0]]), box(1.0)).round(decimals=3)
    tensor([1., 0.])
    """
    corners = mesh.corners.double()
    portions = points.double().split(max(1, (1 << 20) // max(1, len(corners))))
    sums = [
        solid_angle(corners[None, :, 0] - p, corners[None, :, 1] - p, corners[None, :, 2] - p).sum(
            1
        )
        for p in (portion[:, None] for portion in portions)
    ]
    return (torch.cat(sums) / (4 * math.pi)).to(points.dtype)


def solid_angle(
    a: Float[Tensor, "*n 3"], b: Float[Tensor, "*n 3"], c: Float[Tensor, "*n 3"]
) -> Float[Tensor, "*n"]:
    """The signed solid angle of triangles seen from the origin: negative if it sees the front.

    tan(Ω/2) = a·(b × c) / (|a||b||c| + (a·b)|c| + (b·c)|a| + (c·a)|b|).
    """
    la, lb, lc = (torch.linalg.vector_norm(v, dim=-1) for v in (a, b, c))
    triple = (a * torch.linalg.cross(b, c, dim=-1)).sum(-1)
    below = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
    return 2 * torch.atan2(triple, below)


class _Level(NamedTuple):
    """Clusters of faces: columns are centre (3), radius, Σ A n (3), Σ A (c − centre) nᵀ (9)."""

    columns: Float[Tensor, "16 k"]


class FastWinding:
    """Winding numbers of many points: far clusters of faces count as a dipole and a quadrupole.

    After Barill et al. 2018, "Fast winding numbers for soups and clouds". The error is below .01
    in practice, which is enough to tell inside from outside.
    """

    def __init__(self, mesh: Mesh):
        corners = mesh.corners.detach().double()
        order = morton_order(corners.mean(1))
        self.corners = corners[order]
        self.levels = list(_clusters(self.corners))

    def __call__(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n"]:
        """w at each point, in double precision."""
        portions = points.detach().double().split(1 << 14)
        return torch.cat([self._some(p) for p in portions]) if len(points) else points.double()

    def _some(self, points: Tensor) -> Tensor:
        total = points.new_zeros(len(points))
        who = torch.arange(len(points), device=points.device)
        node = torch.zeros_like(who)
        for number, level in enumerate(self.levels):
            far, value = _moments(points[who], level.columns[:, node])
            total.index_add_(0, who[far], value[far])
            who, node = who[~far], node[~far]
            below = self.levels[number + 1].columns if number + 1 < len(self.levels) else None
            size = below.shape[1] if below is not None else len(self.corners)
            node = (node[:, None] * BRANCHES + torch.arange(BRANCHES, device=node.device)).flatten()
            who = who.repeat_interleave(BRANCHES)
            who, node = who[node < size], node[node < size]
        for start in range(0, len(who), PAIRS_AT_ONCE):
            some = slice(start, start + PAIRS_AT_ONCE)
            a, b, c = (self.corners[node[some]] - points[who[some], None]).unbind(1)
            total.index_add_(0, who[some], solid_angle(a, b, c))
        return total / (4 * math.pi)


def _clusters(corners: Float[Tensor, "f 3 3"]) -> Iterator[_Level]:
    """The levels of the hierarchy, one cluster at the top, clusters of 8 faces at the bottom."""
    a, b, c = corners.unbind(1)
    normals = torch.linalg.cross(b - a, c - a) / 2
    areas, middles = torch.linalg.vector_norm(normals, dim=1), corners.mean(1)
    depth = max(1, math.ceil(math.log(max(2, len(corners)), BRANCHES)))
    for level in range(depth):
        cluster = torch.arange(len(corners), device=a.device) // BRANCHES ** (depth - level)
        n = int(cluster[-1]) + 1

        def add(values: Tensor, cluster: Tensor = cluster, n: int = n) -> Tensor:
            return values.new_zeros(n, *values.shape[1:]).index_add_(0, cluster, values)

        weight = (areas + 1e-300)[:, None]
        center = add(weight * middles) / add(weight)
        reach = torch.linalg.vector_norm(corners - center[cluster][:, None], dim=2).amax(1)
        radius = reach.new_zeros(n).scatter_reduce_(0, cluster, reach, "amax")
        spread = (middles - center[cluster])[:, :, None] * normals[:, None, :]
        parts = (center, radius[:, None], add(normals), add(spread).flatten(1))
        yield _Level(torch.cat(parts, dim=1).T.contiguous())


def _moments(points: Tensor, columns: Tensor) -> tuple[Bool[Tensor, "n"], Float[Tensor, "n"]]:
    """Which pairs are far apart, and the cluster's solid angle to second order (right if far).

    With r = centre − x:  r·N/|r|³ + tr C/|r|³ − 3 rᵀ C r/|r|⁵.
    """
    x, y, z = (columns[i] - points[:, i] for i in range(3))
    square = (x * x + y * y + z * z).clamp(min=1e-300)
    far = square > (FAR * columns[3]) ** 2
    n, q = columns[4:7], columns[7:]
    along = x * n[0] + y * n[1] + z * n[2] + q[0] + q[4] + q[8]
    bent = x * (x * q[0] + y * (q[1] + q[3]) + z * (q[2] + q[6]))
    bent = bent + y * (y * q[4] + z * (q[5] + q[7])) + z * z * q[8]
    return far, (along - 3 * bent / square) / (square * square.sqrt())
