"""The conventions, rays against projections, and other tools' formats there and back."""

import math

import numpy as np
import pytest
import torch
from oracles import to_llff
from scipy.spatial.transform import Rotation

from course_lib import cameras


def some_cameras(n: int = 12) -> torch.Tensor:
    return cameras.look_at(cameras.spherical_cameras(n, 2.5)[:, :3, 3].double())


def test_rays_leave_through_pixel_centres_row_zero_on_top():
    _, directions = cameras.camera_rays(2, 4, 2.0, torch.eye(4))
    for i in range(2):
        for j in range(4):
            ray = torch.tensor([(j + 0.5 - 2) / 2.0, -(i + 0.5 - 1) / 2.0, -1.0])
            torch.testing.assert_close(directions[i, j], ray / ray.norm())


def test_rays_are_of_unit_length_and_start_at_the_camera():
    camera = some_cameras(5)[3]
    origins, directions = cameras.camera_rays(7, 5, 6.0, camera)
    assert directions.dtype == torch.float64
    torch.testing.assert_close(directions.norm(dim=-1), torch.ones(7, 5, dtype=torch.float64))
    torch.testing.assert_close(origins, camera[:3, 3].expand(7, 5, 3))


@pytest.mark.parametrize("index", range(6))
def test_projecting_points_on_rays_gives_the_pixels_back(index):
    camera = some_cameras(6)[index]
    origins, directions = cameras.camera_rays(6, 9, 8.0, camera)
    points = (origins + 1.7 * directions).reshape(-1, 3)
    pixels, depth = cameras.project(points, camera, 8.0, 6, 9)
    rows, columns = torch.meshgrid(torch.arange(6), torch.arange(9), indexing="ij")
    expected = torch.stack([columns, rows], dim=-1).reshape(-1, 2) + 0.5
    torch.testing.assert_close(pixels, expected.double(), rtol=0, atol=1e-5)
    forward = -camera[:3, 2]
    torch.testing.assert_close(depth, (points - camera[:3, 3]) @ forward)


def test_projection_agrees_with_the_intrinsic_matrix_in_opencv_axes():
    camera = some_cameras(3)[1]
    points = torch.rand(10, 3, generator=torch.Generator().manual_seed(0)).double()
    world_to_camera = torch.linalg.inv(cameras.opengl_to_opencv(camera))
    q = (torch.cat([points, torch.ones(10, 1).double()], 1) @ world_to_camera.T)[:, :3]
    homogeneous = q @ cameras.intrinsics(30.0, 20, 24).double().T
    pixels, depth = cameras.project(points, camera, 30.0, 20, 24)
    torch.testing.assert_close(pixels, homogeneous[:, :2] / homogeneous[:, 2:])
    torch.testing.assert_close(depth, q[:, 2])


def test_points_behind_the_camera_have_negative_depth():
    points = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    pixels, depth = cameras.project(points, torch.eye(4), 1.0, 2, 2)
    assert depth.tolist() == [-1.0, 0.0, 1.0]
    assert pixels.isfinite().all()


def test_project_is_differentiable_in_points_camera_and_focal():
    points = torch.rand(4, 3, dtype=torch.float64, requires_grad=True)
    eye = torch.tensor([2.0, 1.0, 3.0], dtype=torch.float64, requires_grad=True)
    focal = torch.tensor(20.0, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(
        lambda p, e, f: cameras.project(p, cameras.look_at(e), f, 16, 16), (points, eye, focal)
    )


@pytest.mark.parametrize("eye", [[0, 0, 2.0], [1, 2, 3.0], [0, 2.0, 0], [0, -2.0, 0]])
def test_look_at_is_a_rotation_and_points_at_its_target(eye):
    matrix = cameras.look_at(eye)
    rotation = matrix[:3, :3]
    torch.testing.assert_close(rotation.T @ rotation, torch.eye(3), atol=1e-6, rtol=0)
    assert torch.linalg.det(rotation) == pytest.approx(1.0, abs=1e-6)
    pixels, depth = cameras.project(torch.zeros(1, 3), matrix, 10.0, 8, 8)
    torch.testing.assert_close(pixels, torch.tensor([[4.0, 4.0]]))
    assert depth.item() == pytest.approx(math.dist(eye, [0, 0, 0]), rel=1e-6)


def test_look_at_keeps_up_upwards():
    matrix = cameras.look_at([1.0, 2.0, 3.0])
    pixels, _ = cameras.project(torch.tensor([[0.0, 0.1, 0.0]]), matrix, 10.0, 8, 8)
    assert pixels[0, 0].item() == pytest.approx(4.0, abs=1e-5)
    assert pixels[0, 1].item() < 4.0  # smaller y is higher


def test_look_at_takes_batches():
    eyes = torch.tensor([[0.0, 0.0, 2.0], [1.0, 1.0, 1.0]])
    batch = cameras.look_at(eyes)
    for eye, matrix in zip(eyes, batch, strict=True):
        torch.testing.assert_close(cameras.look_at(eye), matrix)


def test_spherical_cameras_cover_the_sphere_evenly_and_look_inwards():
    matrices = cameras.spherical_cameras(200, 3.0)
    positions = matrices[:, :3, 3]
    torch.testing.assert_close(positions.norm(dim=-1), torch.full((200,), 3.0))
    assert positions.mean(dim=0).norm() < 0.05
    gaps = torch.cdist(positions, positions) + 9 * torch.eye(200)
    assert gaps.amin(dim=1).min() > 0.4 * gaps.amin(dim=1).max()
    torch.testing.assert_close(matrices[:, :3, 2] * 3.0, positions, atol=1e-5, rtol=0)


def test_spherical_cameras_stay_in_their_band():
    positions = cameras.spherical_cameras(50, 2.0, elevation=(10, 40))[:, :3, 3]
    elevation = torch.rad2deg(torch.asin(positions[:, 1] / 2.0))
    assert elevation.min() > 10 and elevation.max() < 40


def test_opencv_and_opengl_axes_convert_there_and_back():
    matrices = some_cameras()
    opencv = cameras.opengl_to_opencv(matrices)
    torch.testing.assert_close(opencv[:, :3, 2], -matrices[:, :3, 2])
    torch.testing.assert_close(opencv[:, :, 3], matrices[:, :, 3])
    torch.testing.assert_close(cameras.opencv_to_opengl(opencv), matrices, atol=1e-12, rtol=0)


def test_colmap_converts_there_and_back():
    matrices = some_cameras()
    there = cameras.to_colmap(matrices)
    torch.testing.assert_close(cameras.from_colmap(*there), matrices, atol=1e-10, rtol=0)
    assert (there[0][:, 0] >= 0).all()


def test_colmap_projects_like_colmap():
    quaternion, translation = cameras.to_colmap(some_cameras()[4])
    point = np.array([0.2, -0.1, 0.3])
    w, *xyz = quaternion.tolist()
    in_camera = Rotation.from_quat([*xyz, w]).apply(point) + translation.numpy()
    expected = in_camera[:2] / in_camera[2] * 10.0 + np.array([6.0, 4.0])
    pixels, _ = cameras.project(torch.from_numpy(point)[None], some_cameras()[4], 10.0, 8, 12)
    np.testing.assert_allclose(pixels[0].numpy(), expected, atol=1e-9)


def test_llff_converts_there_and_back():
    matrices = some_cameras(4)
    size = torch.tensor([[20.0, 30.0, 25.0]]).double().expand(4, 3)
    bounds = torch.rand(4, 2).double()
    rows = to_llff(matrices, size, bounds)
    for got, expected in zip(cameras.from_llff(rows), (matrices, size, bounds), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-12, rtol=0)
    down = rows.reshape(4, 17)[:, :15].reshape(4, 3, 5)[:, :, 0]
    torch.testing.assert_close(down, -matrices[:, :3, 1])


def test_quaternions_agree_with_scipy_at_any_angle():
    generator = np.random.default_rng(0)
    rotations = Rotation.random(50, random_state=generator)
    half_turns = Rotation.from_rotvec(np.eye(3) * np.pi)
    for group in (rotations, half_turns):
        matrix = torch.from_numpy(group.as_matrix())
        quaternion = cameras.matrix_to_quaternion(matrix)
        torch.testing.assert_close(cameras.quaternion_to_matrix(quaternion), matrix)
    expected = rotations.as_quat()[:, [3, 0, 1, 2]]
    expected *= np.where(expected[:, :1] < 0, -1, 1)
    got = cameras.matrix_to_quaternion(torch.from_numpy(rotations.as_matrix()))
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-9)


@pytest.mark.parametrize(
    "call",
    [
        lambda: cameras.camera_rays(0, 4, 1.0, torch.eye(4)),
        lambda: cameras.camera_rays(4, 4, -1.0, torch.eye(4)),
        lambda: cameras.intrinsics(float("nan"), 4, 4),
        lambda: cameras.look_at([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]),
        lambda: cameras.spherical_cameras(0, 1.0),
        lambda: cameras.spherical_cameras(3, 1.0, elevation=(20, 10)),
    ],
)
def test_bad_input_is_named(call):
    with pytest.raises(ValueError, match="expected"):
        call()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_rays_and_projection_run_on_the_gpu():
    camera = cameras.spherical_cameras(3, 2.0, device="cuda")[0]
    origins, directions = cameras.camera_rays(4, 4, 3.0, camera)
    pixels, _ = cameras.project((origins + directions).reshape(-1, 3), camera, 3.0, 4, 4)
    assert pixels.is_cuda
