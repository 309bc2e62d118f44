"""Winding numbers: how often a surface goes round a point, and so what a mesh encloses.

w(x) = Σ Ωᵢ(x) / 4π, the signed solid angles of all faces: 1 inside a closed mesh that faces
outwards, 0 outside, 2 where two solids overlap, and in between near the holes of an open mesh
(Jacobson et al. 2013, "Robust inside-outside segmentation using generalized winding numbers").
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.meshes import Mesh


def winding_number(points: Float[Tensor, "n 3"], mesh: Mesh) -> Float[Tensor, "n"]:
    """The exact sum over all faces (Van Oosterom & Strackee 1983): slow for large meshes.

    >>> from course_lib.meshes import box
    >>> winding_number(torch.tensor([[0.0, 0, 0], [2, 0, 0]]), box(1.0)).round(decimals=3)
    tensor([1., 0.])
    """
    corners = mesh.corners.double()
    sums = []
    for portion in points.double().split(max(1, (1 << 20) // max(1, len(corners)))):
        a, b, c = (corners[None] - portion[:, None, None]).unbind(2)
        sums.append(solid_angle(a, b, c).sum(1))
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


def fast_winding_number(points: Float[Tensor, "n 3"], mesh: Mesh) -> Float[Tensor, "n"]:
    """The sum of `winding_number` with far faces lumped together, by libigl, in double precision.

    Barill et al. 2018, "Fast winding numbers for soups and clouds". The error is below .02, enough
    to tell inside from outside. Without gradients; on the CPU, returned to the points' device.

    >>> from course_lib.meshes import box
    >>> fast_winding_number(torch.tensor([[0.0, 0, 0], [2, 0, 0]]), box(1.0)).round(decimals=2)
    tensor([1., 0.], dtype=torch.float64)
    """
    import igl

    vertices = mesh.vertices.detach().cpu().double()
    low, high = vertices[mesh.faces.cpu()].reshape(-1, 3).aminmax(dim=0)
    middle, side = (low + high) / 2, float((high - low).max()) or 1.0
    placed = [  # near the origin and of size 1, as libigl counts in single precision
        ((x - middle) / side).contiguous().numpy()
        for x in (vertices, points.detach().cpu().double())
    ]
    if len(points) == 0:
        return points[:, 0].double()
    w = igl.fast_winding_number(placed[0], mesh.faces.cpu().contiguous().numpy(), placed[1])
    return torch.from_numpy(w).to(points.device)
