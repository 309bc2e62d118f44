"""Notebook 03, point clouds."""

import torch

from course_lib import cameras, points
from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.points import nearest_indices


def _depth(h, w):
    """A maker of a depth image, a camera matrix and a pose."""

    def make(g):
        eye = 2 * torch.rand(3, generator=g) - 1 + torch.tensor([0.0, 0.5, 3.0])
        k = cameras.intrinsics(8.0, h, w)
        return 1 + 2 * torch.rand(h, w, generator=g), k, cameras.look_at(eye)

    return make


def _unproject(depth, k, pose, *, half=0.5, y_sign=-1.0, ray=False, z_sign=-1.0, inverse=False):
    h, w = depth.shape
    v, u = torch.meshgrid(torch.arange(h) + half, torch.arange(w) + half, indexing="ij")
    direction = torch.stack(
        (
            (u - k[0, 2]) / k[0, 0],
            y_sign * (v - k[1, 2]) / k[1, 1],
            z_sign * torch.ones_like(u),
        ),
        dim=-1,
    )
    if ray:
        direction = direction / direction.norm(dim=-1, keepdim=True)
    local = direction * depth[..., None]
    if inverse:
        return (local - pose[:3, 3]) @ pose[:3, :3]
    return local @ pose[:3, :3].T + pose[:3, 3]


# fmt: off
UNPROJECT_MISTAKES = mistakes({
    "pixel corners": (lambda d, k, p: _unproject(d, k, p, half=0.0),
        "You used the pixels' corners: their centres are at +½ (column + ½, row + ½)."),
    "y downwards": (lambda d, k, p: _unproject(d, k, p, y_sign=1.0),
        "Upside down: rows grow downwards, the camera's y upwards. Change the sign of y."),
    "along the ray": (lambda d, k, p: _unproject(d, k, p, ray=True),
        "You measured depth along the ray. It is measured along the optical axis: do not "
        "normalise the directions."),
    "in front is +z": (lambda d, k, p: _unproject(d, k, p, z_sign=1.0),
        "Behind the camera: it looks along −z (OpenGL axes)."),
    "world to camera": (lambda d, k, p: _unproject(d, k, p, inverse=True),
        "You applied the inverse pose: `camera_to_world` takes camera points to the world."),
})
# fmt: on

UNPROJECT = Exercise(
    name="unproject_depth",
    reference=points.unproject_depth,
    points=2,
    cases=(
        Case(
            "two pixels, camera at the origin",
            lambda g: (torch.tensor([[2.0, 1.0]]), cameras.intrinsics(4.0, 1, 2), torch.eye(4)),
            fixed=True,
        ),
        Case("a small image", _depth(4, 5)),
        Case("a taller image", _depth(6, 3)),
    ),
    misconceptions=UNPROJECT_MISTAKES,
    hints=(
        "Three steps: pixel centres, points in the camera's axes, points in the world.",
        "x = (u − c_x) z / f_x, y = −(v − c_y) z / f_y, and the third coordinate is −z.",
        "With points in rows: `in_camera @ camera_to_world[:3, :3].T + camera_to_world[:3, 3]`.",
    ),
)


def _rigid(n):
    def make(g):
        eye = torch.randn(3, generator=g) + torch.tensor([0.0, 0.0, 4.0])
        return torch.randn(n, 3, generator=g), cameras.look_at(eye)

    return make


def _affine(g):
    matrix = torch.eye(4)
    matrix[:3] = torch.randn(3, 4, generator=g)
    matrix[3, 3] = 2.0
    return torch.randn(5, 3, generator=g), matrix


def _homogeneous(x, m):
    moved = torch.cat((x, torch.ones_like(x[:, :1])), dim=1) @ m.T
    return moved[:, :3]


# fmt: off
TRANSFORM_MISTAKES = mistakes({
    "no translation": (lambda x, m: x @ m[:3, :3].T,
        "Nothing was shifted: the last column of the matrix is left out."),
    "not transposed": (lambda x, m: (x @ m[:3, :3] + m[:3, 3]) / m[3, 3],
        "The rotation is inverted: for points in rows, M x becomes `x @ M.T`."),
    "last coordinate ignored": (_homogeneous,
        "Divide by the last homogeneous coordinate: it is not always 1."),
    "shift first": (lambda x, m: (x + m[:3, 3]) @ m[:3, :3].T / m[3, 3],
        "You shifted before you rotated: the matrix rotates first."),
})
# fmt: on

TRANSFORM = Exercise(
    name="apply_transform",
    reference=points.apply_transform,
    cases=(
        Case("a rigid motion", _rigid(4)),
        Case("a general affine map", _affine),
        Case(
            "a quarter turn and a shift",
            lambda g: (
                torch.tensor([[1.0, 2.0, 3.0]]),
                torch.tensor(
                    [
                        [0.0, -1.0, 0.0, 5.0],
                        [1.0, 0.0, 0.0, 0.0],
                        [0.0, 0.0, 1.0, 0.0],
                        [0.0, 0.0, 0.0, 1.0],
                    ]
                ),
            ),
            fixed=True,
        ),
    ),
    misconceptions=TRANSFORM_MISTAKES,
    hints=(
        "Append a 1 to every point: (n, 3) becomes (n, 4).",
        "Points are rows, so the product is `x @ matrix.T`; then divide by the last column.",
    ),
)


def _triangles(f, n):
    return lambda g: (
        torch.randn(f, 3, 3, generator=g) * torch.linspace(0.3, 2, f)[:, None, None],
        torch.rand(n, 3, generator=g),
    )


def _sample(corners, uniform, *, areas=True, root=True, fold=False):
    a, b, c = corners.unbind(1)
    area = torch.linalg.cross(b - a, c - a).norm(dim=1)
    area = area if areas else torch.ones_like(area)
    share = area.cumsum(0) / area.sum()
    face = torch.searchsorted(share, uniform[:, 0].contiguous(), right=True).clamp(max=len(a) - 1)
    u, v = uniform[:, 1:2], uniform[:, 2:]
    if fold:
        outside = u + v > 1
        u, v = torch.where(outside, 1 - u, u), torch.where(outside, 1 - v, v)
        return a[face] + u * (b - a)[face] + v * (c - a)[face]
    u = u.sqrt() if root else u
    return (1 - u) * a[face] + u * (1 - v) * b[face] + u * v * c[face]


# fmt: off
SAMPLE_MISTAKES = mistakes({
    "faces equally likely": (lambda c, u: _sample(c, u, areas=False),
        "Every face gets equally many points: choose it by its share of the *area*."),
    "no root": (lambda c, u: _sample(c, u, root=False),
        "Without the square root the points crowd towards corner a."),
    "folded": (lambda c, u: _sample(c, u, fold=True),
        "Folding the square over is uniform too, but here the formula with √u is asked for."),
    "midpoints": (lambda c, u: c.mean(1)[torch.zeros(len(u), dtype=torch.int64)],
        "All points are the same: every row of numbers must give its own point."),
})
# fmt: on

SAMPLE = Exercise(
    name="points_on_triangles",
    reference=points.points_on_triangles,
    points=2,
    cases=(
        Case(
            "one triangle",
            lambda g: (
                torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]]),
                torch.tensor([[0.3, 0.25, 0.5], [0.9, 0.81, 0.1]]),
            ),
            fixed=True,
        ),
        Case("a few triangles", _triangles(4, 10)),
        Case("more of very different size", _triangles(9, 40)),
    ),
    misconceptions=SAMPLE_MISTAKES,
    hints=(
        "Two problems: which face (first number), where on it (the other two).",
        "`torch.searchsorted(share, u, right=True)` finds the first share above u.",
        "(1 − √u) a + √u (1 − v) b + √u v c.",
    ),
)


def _patch(n, k):
    """Points near a randomly turned paraboloid."""

    def make(g):
        flat = torch.randn(n, 2, generator=g)
        height = 0.1 * flat.square().sum(1, keepdim=True)
        turn = torch.linalg.qr(torch.randn(3, 3, generator=g))[0]
        return torch.cat((flat, height), 1) @ turn + torch.randn(3, generator=g), k

    return make


def _without_sign(candidate, cloud, k):
    """n nᵀ, in which the sign of the normal n, which is free, is gone."""
    normals = candidate(cloud, k)
    return normals[:, :, None] * normals[:, None, :]


def _pca(x, k, *, which=0, center=True):
    around = x[nearest_indices(x, x, k)]
    if center:
        around = around - around.mean(1, keepdim=True)
    return torch.linalg.eigh(around.transpose(1, 2) @ around)[1][:, :, which]


# fmt: off
PCA_MISTAKES = mistakes({
    "largest": (lambda x, k: _pca(x, k, which=2),
        "That is the direction of *most* variation, a tangent: take the smallest eigenvalue."),
    "middle": (lambda x, k: _pca(x, k, which=1),
        "That is the second direction; `eigh` returns ascending eigenvalues: take column 0."),
    "not centred": (lambda x, k: _pca(x, k, center=False),
        "Subtract the neighbours' mean first; otherwise the place counts, not the shape."),
    "row of the matrix": (lambda x, k: _rows_of_vectors(x, k),
        "The eigenvectors are the *columns* of what `eigh` returns: `[:, :, 0]`."),
})
# fmt: on

PCA = Exercise(
    name="pca_normals",
    reference=points.pca_normals,
    points=2,
    call=_without_sign,
    cases=(
        Case("a curved patch", _patch(20, 8)),
        Case("a larger patch", _patch(40, 12)),
        Case(
            "a plane",
            lambda g: (torch.tensor([[0.0, 0, 1], [1, 0, 1], [0, 2, 1], [1, 3, 1]]), 4),
            fixed=True,
        ),
    ),
    misconceptions=PCA_MISTAKES,
    hints=(
        "For each point: its k neighbours, their covariance, its eigenvectors.",
        "`points[nearest_indices(points, points, k)]` is (n, k, 3).",
        "`torch.linalg.eigh` takes a batch (n, 3, 3); the eigenvectors are columns.",
    ),
)


def _rows_of_vectors(x, k):
    around = x[nearest_indices(x, x, k)]
    around = around - around.mean(1, keepdim=True)
    return torch.linalg.eigh(around.transpose(1, 2) @ around)[1][:, 0, :]
