"""Cameras: conventions, rays out of pixels, points into pixels, other tools' formats.

A camera is a 4×4 matrix camera-to-world and a focal length f in pixels. The world is right-handed
with y up. The camera looks along its own −z with +x to the right and +y up (OpenGL, Blender), so
the columns of the matrix are: right, up, backwards, position. Pixel (row i, column j) has its
centre at x = j + 0.5, y = i + 0.5, row 0 is on top, and the optical axis meets it
at (w/2, h/2). Depth is the distance along the optical axis, not along the ray.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.stable import safe_divide

Number = int | float | Float[Tensor, ""]
Vector = Float[Tensor, "*#batch 3"] | Sequence[float | int]


def intrinsics(focal: Number, height: int, width: int) -> Float[Tensor, "3 3"]:
    """The matrix K that takes camera axes x right, y **down**, z forwards (OpenCV) to pixels.

    K = [[f, 0, w/2], [0, f, h/2], [0, 0, 1]]; a point p in those axes lands on the pixel
    (Kp)₁/(Kp)₃, (Kp)₂/(Kp)₃. f in pixels. `ValueError` for a size or f that is not positive.

    >>> intrinsics(50.0, 20, 40)[:2].tolist()
    [[50.0, 0.0, 20.0], [0.0, 50.0, 10.0]]
    """
    _check_image(focal, height, width)
    matrix = torch.eye(3)
    if isinstance(focal, Tensor):
        matrix = matrix.to(focal)
    matrix[0, 0] = matrix[1, 1] = focal
    matrix[0, 2], matrix[1, 2] = width / 2, height / 2
    return matrix


def camera_rays(
    height: int, width: int, focal: Number, camera_to_world: Float[Tensor, "4 4"]
) -> tuple[Float[Tensor, "{height} {width} 3"], Float[Tensor, "{height} {width} 3"]]:
    """The ray through every pixel's centre: origins and unit directions in world axes.

    In camera axes the direction is ((x − w/2)/f, −(y − h/2)/f, −1) with x = j + 0.5, y = i + 0.5,
    normalised and then turned by the rotation of `camera_to_world`, whose type and device it keeps.

    >>> origins, directions = camera_rays(1, 1, 1.0, torch.eye(4))
    >>> origins[0, 0].tolist(), directions[0, 0].tolist()
    ([0.0, 0.0, 0.0], [0.0, 0.0, -1.0])
    """
    _check_image(focal, height, width)
    y = (torch.arange(height).to(camera_to_world) + 0.5 - height / 2) / focal
    x = (torch.arange(width).to(camera_to_world) + 0.5 - width / 2) / focal
    down, right = torch.meshgrid(y, x, indexing="ij")  # (h, w) each
    in_camera = torch.stack([right, -down, -torch.ones_like(right)], dim=-1)  # (h, w, 3)
    directions = in_camera @ camera_to_world[:3, :3].T
    directions = directions / directions.norm(dim=-1, keepdim=True)
    origins = camera_to_world[:3, 3].expand(directions.shape)
    return origins, directions


def project(
    points: Float[Tensor, "n 3"],
    camera_to_world: Float[Tensor, "4 4"],
    focal: Number,
    height: int,
    width: int,
) -> tuple[Float[Tensor, "n 2"], Float[Tensor, "n"]]:
    """World points to pixels (x to the right, y down) and depths along the optical axis.

    With q = Rᵀ(p − t) in camera axes: x = w/2 − f·q₁/q₃, y = h/2 + f·q₂/q₃, depth = −q₃.
    A point at or behind the camera has depth ≤ 0, and its pixel means nothing: test the depth.
    Differentiable in points, camera and focal length.

    >>> pixels, depth = project(torch.tensor([[1.0, 1.0, -2.0]]), torch.eye(4), 10.0, 20, 40)
    >>> pixels.tolist(), depth.tolist()
    ([[25.0, 5.0]], [2.0])
    """
    _check_image(focal, height, width)
    rotation, position = camera_to_world[:3, :3], camera_to_world[:3, 3]
    in_camera = (points - position) @ rotation  # (n, 3): row vectors, so Rᵀq is q R
    depth = -in_camera[:, 2]
    x = width / 2 + focal * safe_divide(in_camera[:, 0], depth, otherwise=0.0)
    y = height / 2 - focal * safe_divide(in_camera[:, 1], depth, otherwise=0.0)
    return torch.stack([x, y], dim=-1), depth


def look_at(
    eye: Vector, target: Vector = (0.0, 0.0, 0.0), up: Vector = (0.0, 1.0, 0.0)
) -> Float[Tensor, "*cameras 4 4"]:
    """Camera-to-world of a camera at `eye` that looks at `target` with `up` upwards in the image.

    Columns: right = up × back, up' = back × right, back = (eye − target)/|eye − target|, eye.
    Straight above or below, where `up` says nothing, −z (then x) serves instead. Differentiable;
    leading batch axes are allowed. `ValueError` where eye and target coincide.

    >>> look_at([0.0, 0.0, 2.0])[:3, 3].tolist()
    [0.0, 0.0, 2.0]
    >>> look_at([3.0, 0.0, 0.0])[:3, 2].tolist()
    [1.0, 0.0, 0.0]
    """
    place = _vector(eye, None)
    place, goal, upwards = torch.broadcast_tensors(
        place, _vector(target, place), _vector(up, place)
    )
    back = place - goal
    if not ((back.norm(dim=-1) > 1e-9) & back.isfinite().all(dim=-1)).all():
        raise ValueError("expected an eye away from its target, got the same (or non-finite) point")
    back = _unit(back)
    upwards = _not_parallel(_unit(upwards), back)
    right = _unit(torch.linalg.cross(upwards, back))
    rows = torch.stack([right, torch.linalg.cross(back, right), back, place], dim=-1)  # (…, 3, 4)
    return _homogeneous(rows)


def spherical_cameras(
    n: int,
    radius: float | int,
    *,
    elevation: tuple[float | int, float | int] = (-90.0, 90.0),
    device: torch.device | str = "cpu",
) -> Float[Tensor, "{n} 4 4"]:
    """n cameras spread evenly over a sphere (or a band of it) about the origin, all looking there.

    A Fibonacci spiral: heights equally spaced in sin(elevation), longitudes turned by the golden
    angle. `elevation` gives the band in degrees; equal ends give a ring of equal steps starting at
    +z. `ValueError` for n < 1, radius ≤ 0, or a band outside [−90, 90].

    >>> cameras = spherical_cameras(4, 3.0, elevation=(0, 0))
    >>> [[round(x, 3) + 0.0 for x in position] for position in cameras[:2, :3, 3].tolist()]
    [[0.0, 0.0, 3.0], [3.0, 0.0, 0.0]]
    """
    low, high = elevation
    if n < 1 or not radius > 0 or not -90 <= low <= high <= 90:
        raise ValueError(
            f"expected n >= 1, radius > 0 and -90 <= low <= high <= 90 degrees, "
            f"got n={n}, radius={radius}, elevation={elevation}"
        )
    index = torch.arange(n, dtype=torch.float64)
    bottom, top = math.sin(math.radians(low)), math.sin(math.radians(high))
    height = bottom + (top - bottom) * (index + 0.5) / n
    turn = 2 * math.pi / n if low == high else math.pi * (3 - math.sqrt(5))
    ring = (1 - height**2).clamp(min=0).sqrt()
    unit = torch.stack([ring * (turn * index).sin(), height, ring * (turn * index).cos()], dim=-1)
    return look_at(radius * unit).to(device, torch.float32)


def opencv_to_opengl(camera_to_world: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """OpenCV's camera axes (x right, y down, z forwards) to the course's: columns 2 and 3 negated.

    The world and the camera's position stay. The same operation leads back (`opengl_to_opencv`).

    >>> opencv_to_opengl(torch.eye(4)).diagonal().tolist()
    [1.0, -1.0, -1.0, 1.0]
    """
    signs = camera_to_world.new_tensor([1.0, -1.0, -1.0, 1.0])
    return camera_to_world * signs + 0.0  # + 0.0 turns -0.0 into 0.0


def opengl_to_opencv(camera_to_world: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """The course's camera axes to OpenCV's (x right, y down, z forwards): see `opencv_to_opengl`.

    >>> opengl_to_opencv(torch.eye(4))[:, 2].tolist()
    [0.0, 0.0, -1.0, 0.0]
    """
    return opencv_to_opengl(camera_to_world)


def from_colmap(
    quaternion: Float[Tensor, "*b 4"], translation: Float[Tensor, "*b 3"]
) -> Float[Tensor, "*b 4 4"]:
    """COLMAP's `images.txt` (QW QX QY QZ TX TY TZ) to camera-to-world in the course's axes.

    COLMAP stores **world-to-camera** in OpenCV axes, x_cam = R(q)·x_world + t with w first in q.
    So the rotation is transposed, the position is −Rᵀt, the axes are turned. q need not be unit.

    >>> from_colmap(torch.tensor([1.0, 0, 0, 0]), torch.tensor([0.0, 0, 5]))[:3, 3].tolist()
    [0.0, 0.0, -5.0]
    """
    back = quaternion_to_matrix(quaternion).transpose(-1, -2)
    position = -(back @ translation[..., None]) + 0.0
    return opencv_to_opengl(_homogeneous(torch.cat([back, position], dim=-1)))


def to_colmap(
    camera_to_world: Float[Tensor, "*b 4 4"],
) -> tuple[Float[Tensor, "*b 4"], Float[Tensor, "*b 3"]]:
    """Camera-to-world in the course's axes to COLMAP's quaternion (w ≥ 0 first) and translation.

    >>> [v.tolist() for v in to_colmap(opencv_to_opengl(torch.eye(4)))]
    [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    matrix = opengl_to_opencv(camera_to_world)
    rotation = matrix[..., :3, :3].transpose(-1, -2)
    translation = -(rotation @ matrix[..., :3, 3:])[..., 0]
    return matrix_to_quaternion(rotation), translation + 0.0


def from_llff(
    poses_bounds: Float[Tensor, "n 17"],
) -> tuple[Float[Tensor, "n 4 4"], Float[Tensor, "n 3"], Float[Tensor, "n 2"]]:
    """LLFF's `poses_bounds.npy`: camera-to-world, (height, width, focal), (near, far).

    Each row is a 3×5 matrix [R | t | (h, w, f)] and two depths. Its camera axes are down, right,
    back; the course's are right, up, back, so the columns become (c₁, −c₀, c₂), t unchanged.

    >>> row = torch.tensor([[0.0, 1, 0, 7, 20, -1, 0, 0, 8, 30, 0, 0, 1, 9, 25, 1, 6]])
    >>> matrix, size, bounds = from_llff(row)
    >>> matrix[0, :3].tolist(), size.tolist()
    ([[1.0, 0.0, 0.0, 7.0], [0.0, 1.0, 0.0, 8.0], [0.0, 0.0, 1.0, 9.0]], [[20.0, 30.0, 25.0]])
    """
    matrix = poses_bounds[:, :15].reshape(-1, 3, 5)
    down, right, back, position, size = matrix.unbind(dim=-1)
    pose = torch.stack([right, -down + 0.0, back, position], dim=-1)  # (n, 3, 4)
    return _homogeneous(pose), size, poses_bounds[:, 15:]


def quaternion_to_matrix(quaternion: Float[Tensor, "*b 4"]) -> Float[Tensor, "*b 3 3"]:
    """The rotation matrix of a quaternion (w, x, y, z), which is normalised first; not of 0.

    >>> quaternion_to_matrix(torch.tensor([0.0, 1.0, 0.0, 0.0])).diagonal().tolist()
    [1.0, -1.0, -1.0]
    """
    if not (quaternion.norm(dim=-1) > 0).all():
        raise ValueError("expected quaternions other than 0, got one of length 0 (or NaN)")
    w, x, y, z = _unit(quaternion).unbind(dim=-1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def matrix_to_quaternion(rotation: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 4"]:
    """The unit quaternion (w, x, y, z), w ≥ 0, of a rotation matrix, at any angle.

    The entries of R give the symmetric matrix 4qqᵀ; its row with the largest diagonal entry is a
    multiple of q that is safely away from zero.

    >>> matrix_to_quaternion(torch.eye(3)).tolist()
    [1.0, 0.0, 0.0, 0.0]
    """
    r = [[rotation[..., i, j] for j in range(3)] for i in range(3)]
    wx, wy, wz = r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]
    xy, xz, yz = r[0][1] + r[1][0], r[0][2] + r[2][0], r[1][2] + r[2][1]
    a, b, c = r[0][0], r[1][1], r[2][2]
    products = [
        [1 + a + b + c, wx, wy, wz],
        [wx, 1 + a - b - c, xy, xz],
        [wy, xy, 1 - a + b - c, yz],
        [wz, xz, yz, 1 - a - b + c],
    ]
    outer = torch.stack([torch.stack(row, dim=-1) for row in products], dim=-2)  # (…, 4, 4)
    best = outer.diagonal(dim1=-2, dim2=-1).argmax(dim=-1)[..., None, None]
    row = torch.take_along_dim(outer, best, dim=-2)[..., 0, :]
    quaternion = _unit(row)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def _vector(value: Vector, like: Tensor | None) -> Tensor:
    if isinstance(value, Tensor):
        value = value if value.is_floating_point() else value.float()
        return value if like is None else value.to(like)
    dtype, device = (torch.float32, "cpu") if like is None else (like.dtype, like.device)
    return torch.as_tensor(value, dtype=dtype, device=device)


def _unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True)


def _not_parallel(up: Tensor, back: Tensor) -> Tensor:
    """`up`, replaced where it is parallel to `back`: by −z, and by x where that is parallel too."""
    for replacement in ([0.0, 0.0, -1.0], [1.0, 0.0, 0.0]):
        parallel = torch.linalg.cross(up, back).norm(dim=-1, keepdim=True) < 1e-6
        up = torch.where(parallel, torch.tensor(replacement).to(up), up)
    return up


def _homogeneous(pose: Tensor) -> Tensor:
    """(…, 3, 4) to (…, 4, 4) with the last row 0 0 0 1."""
    last = torch.tensor([0.0, 0.0, 0.0, 1.0]).to(pose).expand(*pose.shape[:-2], 1, 4)
    return torch.cat([pose, last], dim=-2)


def _check_image(focal: Number, height: int, width: int) -> None:
    if height < 1 or width < 1 or not 0 < focal < math.inf:
        raise ValueError(
            f"expected height >= 1, width >= 1 and focal > 0 (pixels), "
            f"got height={height}, width={width}, focal={focal}"
        )
