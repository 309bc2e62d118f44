"""Half precision: every loss and metric is computed in single and is right, or says what is beyond."""

import math

import pytest
import torch

from course_lib import losses, meshes, metrics

HALF = [torch.float16, torch.bfloat16]


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("r", [32, 48, 64])
def test_soft_iou_of_large_grids(dtype, r):
    generator = torch.Generator().manual_seed(0)
    a = torch.rand(1, r, r, r, generator=generator).to(dtype).requires_grad_()
    b = torch.rand(1, r, r, r, generator=generator) > 0.5
    got = metrics.soft_iou(a, b)
    assert got.dtype == dtype
    assert got.item() == pytest.approx(metrics.soft_iou(a.double(), b).item(), rel=1e-2)
    got.sum().backward()
    assert a.grad.isfinite().all()


@pytest.mark.parametrize("mixed", [False, True])
def test_grids_of_yes_and_no_have_a_soft_iou(mixed):
    a = torch.tensor([[True, True, False]])
    b = torch.tensor([[True, False, False]])
    assert metrics.soft_iou(a, b.float() if mixed else b).item() == 0.5
    assert metrics.iou(a, b).item() == 0.5


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("far", [300.0, 2000.0])
def test_far_clouds_have_a_hausdorff_distance_and_an_f_score(dtype, far):
    p = torch.tensor([[[0.0, 0, 0], [far, 0, 0]]], dtype=dtype)
    q = torch.zeros(1, 1, 3, dtype=dtype)
    assert metrics.hausdorff_distance(p, q).item() == pytest.approx(far, rel=1e-2)
    assert metrics.f_score(p, q, 1.0).item() == pytest.approx(2 / 3, rel=1e-2)
    assert metrics.f_score(p, q, 2 * far).item() == 1


def test_a_result_beyond_half_is_refused():
    p, q = torch.full((1, 1, 3), 300.0).half(), torch.zeros(1, 1, 3).half()
    with pytest.raises(ValueError, match="540000 is beyond the range"):
        losses.chamfer_distance(p, q)
    assert losses.chamfer_distance(p.float(), q.float()).item() == 540000


@pytest.mark.parametrize("dtype", HALF)
def test_losses_of_meshes_are_those_of_single_precision(dtype):
    mesh = meshes.icosphere(3)
    vertices = (mesh.vertices * 20).to(dtype)
    for loss, topology in (
        (losses.edge_loss, mesh.edges),
        (losses.laplacian_loss, mesh.edges),
        (losses.smooth_loss, mesh.faces),
    ):
        expected = loss(vertices.float(), topology).item()
        assert loss(vertices, topology).item() == pytest.approx(expected, rel=1e-2)
    got = losses.cotangent_coordinates(vertices, mesh.faces)
    expected = losses.cotangent_coordinates(vertices.float(), mesh.faces)
    torch.testing.assert_close(got.float(), expected, atol=0.05, rtol=1e-2)


@pytest.mark.parametrize("dtype", HALF)
def test_many_points_have_a_normal_loss(dtype):
    p = torch.randn(1, 3000, 3, generator=torch.Generator().manual_seed(0)).to(dtype)
    assert losses.normal_loss(p, p, p, p).item() == pytest.approx(-2, abs=0.02)
    assert metrics.normal_consistency(p, p, p, p).item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("dtype", HALF)
def test_areas_and_volumes_of_large_meshes_are_finite(dtype):
    mesh = meshes.box(512.0).to(dtype)
    assert float(mesh.area()) == 6 * 512**2 and float(mesh.volume()) == 512**3
    assert bool(meshes.vertex_normals(mesh).isfinite().all())


def test_a_small_error_of_pictures_has_its_decibels():
    from course_lib.nerf.images import psnr

    picture = torch.full((8, 8, 3), 2.0**-7)
    error = 2.0**-14  # its square is no half-precision number
    got = psnr(picture.half(), (picture + error).half())
    assert float(got) == pytest.approx(-20 * math.log10(error), abs=0.05)


def test_pictures_of_bytes_have_no_decibels():
    from course_lib.nerf.images import psnr, ssim

    for measure in (psnr, ssim):
        with pytest.raises(ValueError, match=r"colours in \[0, 1\].*250.*divide bytes by 255"):
            measure(torch.full((16, 16, 3), 250.0), torch.zeros(16, 16, 3))


def test_coordinates_whose_squares_overflow_are_refused():
    with pytest.raises(ValueError, match="whose squares are finite, got 1e"):
        metrics.hausdorff_distance(torch.zeros(1, 2, 3), torch.full((1, 2, 3), 1e20))
