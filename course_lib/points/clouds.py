"""Operations on point clouds: transforms, depth maps, subsampling, sampling of triangles."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def apply_transform(
    points: Float[Tensor, "n 3"], matrix: Float[Tensor, "4 4"]
) -> Float[Tensor, "n 3"]:
    """Move points by a 4×4 matrix: (x, 1) ↦ M (x, 1), divided by the last coordinate.

    Points are rows here and columns in the formula, so the product is `x @ M.T`.

    >>> shift = torch.eye(4)
    >>> shift[:3, 3] = torch.tensor([1.0, 2.0, 3.0])
    >>> apply_transform(torch.zeros(1, 3), shift)
    tensor([[1., 2., 3.]])
    """
    ones = torch.ones_like(points[:, :1])
    moved = torch.cat((points, ones), dim=1) @ matrix.T.to(points)  # (n, 4)
    last = moved[:, 3:]
    if bool((last == 0).any()):
        raise ValueError("expected a matrix that keeps the points finite, got a last coordinate 0")
    return moved[:, :3] / last


def unproject_depth(
    depth: Float[Tensor, "h w"],
    intrinsics: Float[Tensor, "3 3"],
    camera_to_world: Float[Tensor, "4 4"],
) -> Float[Tensor, "h w 3"]:
    """A depth image to the world points that its pixels show.

    With z the depth along the optical axis and the pixel's centre (u, v) = (column + ½, row + ½):
    x = (u − c_x) z / f_x, y = −(v − c_y) z / f_y, and the point is R (x, y, −z) + t, since the camera
    looks along −z with y up (see `cameras`). Pixels without a finite depth give NaN: mask them.

    >>> unproject_depth(torch.tensor([[2.0]]), torch.eye(3), torch.eye(4))  # u = v = ½
    tensor([[[ 1., -1., -2.]]])
    """
    h, w = depth.shape
    v, u = torch.meshgrid(
        torch.arange(h, device=depth.device) + 0.5,
        torch.arange(w, device=depth.device) + 0.5,
        indexing="ij",
    )
    z = torch.where(depth.isfinite(), depth, torch.nan)
    x = (u - intrinsics[0, 2]) * z / intrinsics[0, 0]
    y = -(v - intrinsics[1, 2]) * z / intrinsics[1, 1]
    in_camera = torch.stack((x, y, -z), dim=-1).to(depth)  # (h, w, 3)
    return in_camera @ camera_to_world[:3, :3].T + camera_to_world[:3, 3]


def points_on_triangles(
    corners: Float[Tensor, "f 3 3"], uniform: Float[Tensor, "n 3"]
) -> Float[Tensor, "n 3"]:
    """Turn uniform numbers in [0, 1) into points that are uniform on the triangles.

    The first number picks the face by its share of the area (the first face whose cumulative share
    exceeds it); with the others, u and v, the point is (1 − √u) a + √u (1 − v) b + √u v c
    (Osada et al. 2002, "Shape distributions").

    >>> corners = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]])
    >>> points_on_triangles(corners, torch.tensor([[0.3, 0.25, 0.5]]))
    tensor([[0.2500, 0.2500, 0.0000]])
    """
    a, b, c = corners.unbind(1)
    areas = torch.linalg.vector_norm(torch.linalg.cross(b - a, c - a), dim=1) / 2
    share = areas.cumsum(0) / areas.sum()
    face = torch.searchsorted(share, uniform[:, 0].contiguous(), right=True)
    face = face.clamp(max=len(corners) - 1)
    root, v = uniform[:, 1:2].sqrt(), uniform[:, 2:]
    return (1 - root) * a[face] + root * (1 - v) * b[face] + root * v * c[face]


def farthest_point_sampling(points: Float[Tensor, "n 3"], count: int) -> Int[Tensor, "{count}"]:
    """Indices of `count` points, each as far as possible from those before it; the first is 0.

    Farthest-point sampling (Gonzalez 1985; PointNet++). ValueError unless 1 ≤ count ≤ n.

    >>> farthest_point_sampling(torch.tensor([[0.0, 0, 0], [1, 0, 0], [5, 0, 0], [2, 0, 0]]), 3)
    tensor([0, 2, 3])
    """
    if not 1 <= count <= len(points):
        raise ValueError(f"expected 1 to {len(points)} points to choose, got {count}")
    chosen = torch.zeros(count, dtype=torch.int64, device=points.device)
    distance = torch.full_like(points[:, 0], torch.inf)
    for i in range(1, count):
        distance = torch.minimum(distance, (points - points[chosen[i - 1]]).square().sum(1))
        chosen[i] = distance.argmax()
    return chosen
