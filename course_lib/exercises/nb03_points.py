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


def _unequal(h, w):
    """The same with pixels that are not square: f_x is not f_y."""

    def make(g):
        depth, k, pose = _depth(h, w)(g)
        return depth, k * torch.tensor([[1.3], [0.8], [1.0]]), pose

    return make


def _unproject(
    depth, k, pose, *, half=0.5, y_sign=-1.0, ray=False, z_sign=-1.0, rows=True, divide=False
):
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
    if divide:
        local = torch.cat((direction[..., :2] / depth[..., None], local[..., 2:]), -1)
    return local @ (pose[:3, :3].T if rows else pose[:3, :3]) + pose[:3, 3]


# fmt: off
UNPROJECT_MISTAKES = mistakes({
    "not transposed": (lambda d, k, p: _unproject(d, k, p, rows=False),
        "The rotation is inverted: for points in rows, R x becomes `x @ R.T`."),
    "divided by the depth": (lambda d, k, p: _unproject(d, k, p, divide=True),
        "You divided by z. Projecting divides; on the way back x and y are *multiplied* by z."),
    "one focal length": (
        lambda d, k, p: _unproject(d, k + (k[0, 0] - k[1, 1]) * torch.eye(3)[1].diag(), p),
        "You used f_x for y as well: f_y is `intrinsics[1, 1]`."),
    "no pose": (lambda d, k, p: _unproject(d, k, torch.eye(4)),
        "These points are still in the camera's axes: apply `camera_to_world`."),
    "pixel corners": (lambda d, k, p: _unproject(d, k, p, half=0.0),
        "You used the pixels' corners: their centres are at +½ (column + ½, row + ½)."),
    "y downwards": (lambda d, k, p: _unproject(d, k, p, y_sign=1.0),
        "Upside down: rows grow downwards, the camera's y upwards. Change the sign of y."),
    "along the ray": (lambda d, k, p: _unproject(d, k, p, ray=True),
        "You measured depth along the ray. It is measured along the optical axis: do not "
        "normalise the directions."),
    "in front is +z": (lambda d, k, p: _unproject(d, k, p, z_sign=1.0),
        "Behind the camera: it looks along −z (OpenGL axes)."),
    "world to camera": (lambda d, k, p: _unproject(d, k, torch.linalg.inv(p)),
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
        Case("pixels that are not square", _unequal(3, 5)),
        Case(
            "pixels that see nothing, and one at depth 0",
            lambda g: (
                torch.tensor([[torch.inf, 1.0, 0.0, -torch.inf, torch.nan]]),
                cameras.intrinsics(4.0, 1, 5),
                torch.eye(4),
            ),
            fixed=True,
        ),
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
    matrix[3, 3] = -2.0
    return torch.randn(5, 3, generator=g), matrix


def _projective(g):
    """A map whose last coordinate is of either sign."""
    matrix = torch.eye(4) + 0.1 * torch.randn(4, 4, generator=g)
    matrix[3] = torch.tensor([4.0, 0.5, 0.0, 0.3])
    return torch.rand(6, 3, generator=g) - 0.5, matrix


def _homogeneous(x, m):
    moved = torch.cat((x, torch.ones_like(x[:, :1])), dim=1) @ m.T
    return moved[:, :3]


def _homogeneous_rows(x, m):
    moved = torch.cat((x, torch.ones_like(x[:, :1])), dim=1) @ m
    return moved[:, :3] / moved[:, 3:]


# fmt: off
TRANSFORM_MISTAKES = mistakes({
    "all transposed": (lambda x, m: _homogeneous_rows(x, m),
        "The matrix is not transposed: for points in rows, M x becomes `x @ M.T`."),
    "no translation": (lambda x, m: x @ m[:3, :3].T,
        "Nothing was shifted: the last column of the matrix is left out."),
    "not transposed": (lambda x, m: (x @ m[:3, :3] + m[:3, 3]) / m[3, 3],
        "The rotation is inverted: for points in rows, M x becomes `x @ M.T`."),
    "last coordinate ignored": (_homogeneous,
        "Divide by the last homogeneous coordinate: it is not always 1."),
    "shift first, divided rightly": (
        lambda x, m: (x + m[:3, 3]) @ m[:3, :3].T / (x @ m[3, :3] + m[3, 3])[:, None],
        "You shifted before you rotated, R (x + t): the matrix rotates first."),
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
        Case("a projective map", _projective),
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


def _tiny(f, n):
    """Tiny triangles far from each other."""

    def make(g):
        corners, uniform = _triangles(f, n)(g)
        return 1e-4 * corners + torch.randn(f, 1, 3, generator=g), uniform

    return make


def _shares(g):
    """Two equal faces, one without area, one as large as both: shares ¼, ½, ½, 1."""
    one = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    corners = torch.stack((one, one + 2, 0 * one + 9, one * torch.tensor([2.0, 1, 1]) - 5))
    return corners, torch.tensor([[0.25, 0.5, 0.5], [0.5, 0.2, 0.3], [0.0, 0.7, 0.1]])


def _sample(corners, uniform, *, areas=True, root=True, fold=False, share=True, shift=0):
    a, b, c = corners.unbind(1)
    area = torch.linalg.cross(b - a, c - a).norm(dim=1)
    area = area if areas else torch.ones_like(area)
    share = area.cumsum(0) / (area.sum() if share else 2)
    face = torch.searchsorted(share, uniform[:, 0].contiguous(), right=True) + shift
    face = face.clamp(0, len(a) - 1)
    u, v = uniform[:, 1:2], uniform[:, 2:]
    if fold:
        outside = u + v > 1
        u, v = torch.where(outside, 1 - u, u), torch.where(outside, 1 - v, v)
        return a[face] + u * (b - a)[face] + v * (c - a)[face]
    u = u.sqrt() if root else u
    return (1 - u) * a[face] + u * (1 - v) * b[face] + u * v * c[face]


# fmt: off
SAMPLE_MISTAKES = mistakes({
    "not normalised": (lambda c, u: _sample(c, u, share=False),
        "Your areas are not divided by their sum: the last *share* is 1, so that every number in "
        "[0, 1) finds a face."),
    "one face too early": (lambda c, u: _sample(c, u, shift=-1),
        "Your face is one too early: `searchsorted(…, right=True)` is already the first share "
        "above the number."),
    "b and c exchanged": (lambda c, u: _sample(c[:, [0, 2, 1]], u),
        "b and c are exchanged: √u (1 − v) belongs to b, √u v to c."),
    "its own chance": (
        lambda c, u: _sample(c, torch.cat((torch.rand(len(u), 1), u[:, 1:]), 1)),
        "You drew the face with random numbers of your own: the first column of `uniform` picks it."),
    "u and v exchanged": (lambda c, u: _sample(c, u[:, [0, 2, 1]]),
        "u and v are exchanged: the *second* number is under the root."),
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
        Case("a share is met exactly, and the last face", _shares, fixed=True),
        Case("a few triangles", _triangles(4, 10)),
        Case("more of very different size", _triangles(9, 40)),
        Case("tiny ones", _tiny(9, 40)),
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


def _without_sign(candidate, points, k):
    """n nᵀ, in which the sign of the normal n, which is free, is gone."""
    normals = torch.as_tensor(candidate(points) if k is None else candidate(points, k))
    return normals[:, :, None] * normals[:, None, :]


def _pca(x, k=12, *, which=0, center=1, first=0, more=0):
    around = x[nearest_indices(x, x, min(k + more, len(x)))[:, first:]]
    if center:
        around = around - around.mean(center, keepdim=True)
    return torch.linalg.eigh(around.transpose(1, 2) @ around)[1][:, :, which]


def _one_plane(x, k=12):
    around = x - x.mean(0)
    return torch.linalg.eigh(around.T @ around)[1][:, 0].expand(len(x), 3)


# fmt: off
PCA_MISTAKES = mistakes({
    "one plane for all": (_one_plane,
        "All your normals are the same: fit a plane to the k nearest points of *each* point."),
    "without the point itself": (lambda *a: _pca(*a, first=1, more=1),
        "You left out the point itself: it is one of its own k nearest points."),
    "k − 1": (lambda *a: _pca(*a, more=-1), "You took k − 1 points: k of them, the point included."),
    "k + 1": (lambda *a: _pca(*a, more=1), "You took k + 1 points: k of them, the point included."),
    "mean of the coordinates": (lambda *a: _pca(*a, center=2),
        "You subtracted the mean over x, y, z (axis 2): subtract the neighbours' mean, axis 1."),
    "largest": (lambda *a: _pca(*a, which=2),
        "That is the direction of *most* variation, a tangent: take the smallest eigenvalue."),
    "middle": (lambda *a: _pca(*a, which=1),
        "That is the second direction; `eigh` returns ascending eigenvalues: take column 0."),
    "not centred": (lambda *a: _pca(*a, center=0),
        "Subtract the neighbours' mean first; otherwise the place counts, not the shape."),
    "row of the matrix": (lambda *a: _rows_of_vectors(*a),
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
        Case("k left to its default", _patch(30, None)),
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


def _rows_of_vectors(x, k=12):
    around = x[nearest_indices(x, x, k)]
    around = around - around.mean(1, keepdim=True)
    return torch.linalg.eigh(around.transpose(1, 2) @ around)[1][:, 0, :]
