"""Points drawn uniformly from a surface."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.meshes.mesh import Mesh, face_areas, face_normals


def sample_surface(
    mesh: Mesh, n: int, *, generator: torch.Generator | None = None
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
    """Draw `n` points uniformly from the surface, with the normals of their faces.

    A face is drawn in proportion to its area; in it, with u, v uniform in [0, 1],
    p = (1 − √u) a + √u (1 − v) b + √u v c  (Osada et al. 2002, "Shape distributions", eq. 1).
    Differentiable with respect to the vertices. Raises ValueError if the mesh has no area.

    >>> from course_lib.meshes import box
    >>> points, normals = sample_surface(box(2.0), 5)
    >>> points.abs().amax(dim=1)
    tensor([1., 1., 1., 1., 1.])
    """
    if n < 0:
        raise ValueError(f"expected n >= 0 points, got {n}")
    cumulative = face_areas(Mesh(mesh.vertices.detach().double(), mesh.faces)).cumsum(0)
    if len(cumulative) == 0 or not cumulative[-1] > 0:
        raise ValueError(f"expected a mesh with area, got {len(mesh.faces)} faces without any")
    random = _uniform(3, n, mesh.vertices, generator)
    chosen = torch.searchsorted(cumulative, random[0] * cumulative[-1], right=True)
    chosen = chosen.clamp_max(len(cumulative) - 1)
    root, v = random[1].to(mesh.vertices.dtype).sqrt()[:, None], random[2][:, None]
    v = v.to(mesh.vertices.dtype)
    a, b, c = mesh.corners.unbind(dim=1)
    origins, first, second = a[chosen], (b - a)[chosen], (c - a)[chosen]
    points = origins + root * ((1 - v) * first + v * second)
    return points, face_normals(mesh)[chosen]


def _uniform(rows: int, n: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """(rows, n) numbers uniform in [0, 1), drawn on the generator's device."""
    device = like.device if generator is None else generator.device
    drawn = torch.rand(rows, n, dtype=torch.float64, generator=generator, device=device)
    return drawn.to(like.device)
