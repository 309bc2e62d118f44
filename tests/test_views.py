"""Views, hulls, homographies and planes."""

import pytest
import torch

from course_lib import cameras, meshes, shapes, views, voxels
from course_lib.shapes.families import make_shape


def test_depth_views_agree_with_the_analytic_sphere():
    seen = views.render_views(meshes.icosphere(5, 0.8), cameras.spherical_cameras(3, 3.0), 33)
    assert torch.allclose(seen.depth[:, 16, 16], torch.full((3,), 2.2), atol=2e-3)
    assert (seen.mask == seen.depth.isfinite()).all()
    assert (seen.color[~seen.mask] == 0).all() and seen.color.max() <= 1


def test_view_pooling_ignores_the_order_of_the_views():
    features = torch.randn(2, 5, 7)
    pooled = views.view_pool(features)
    assert torch.equal(pooled, views.view_pool(features[:, torch.randperm(5)]))
    assert torch.equal(pooled, features.max(dim=1).values)


def test_the_visual_hull_holds_the_shape_and_shrinks_with_views():
    shape = make_shape("chair", 1)
    truth, scores = voxels.voxelize(shape.sdf, 24), []
    mesh = shape.mesh(64)
    for n in (2, 6, 24):
        seen = views.render_views(mesh, cameras.spherical_cameras(n, 3.0), 160)
        hull = views.visual_hull(seen.mask, seen.cameras, 24)
        assert (truth & ~hull).sum() <= 0.1 * truth.sum()  # bars one voxel thick, at pixel accuracy
        scores.append(float((truth & hull).sum() / (truth | hull).sum()))
    assert scores[0] < scores[1] < scores[2] and scores[2] > 0.7


def test_the_hull_of_a_convex_shape_is_the_shape():
    seen = views.render_views(meshes.icosphere(4, 0.7), cameras.spherical_cameras(60, 3.0), 128)
    hull = views.visual_hull(seen.mask, seen.cameras, 32)
    truth = voxels.voxelize(shapes.sphere(0.7), 32)
    assert (truth & hull).sum() / (truth | hull).sum() > 0.95


def relative(a, b):
    """Source to target in OpenCV axes, for two OpenGL cameras-to-world."""
    a, b = cameras.opengl_to_opencv(a.double()), cameras.opengl_to_opencv(b.double())
    return torch.linalg.inv(b) @ a


def test_a_homography_moves_pixels_of_a_plane_as_projection_does():
    source, target = cameras.look_at([0.0, 0.2, 3.0]), cameras.look_at([0.8, -0.1, 2.5])
    k = cameras.intrinsics(60.0, 48, 64).double()
    normal, distance = torch.tensor([0.1, -0.2, 0.9], dtype=torch.float64), 2.5
    flat = torch.rand(30, 2, dtype=torch.float64) - 0.5
    depth = (distance - flat @ normal[:2]) / normal[2]
    in_source = torch.cat((flat, depth[:, None]), 1)
    in_world = (
        torch.cat((in_source, torch.ones(30, 1).double()), 1)
        @ cameras.opengl_to_opencv(source.double()).T
    )
    before, _ = cameras.project(in_world[:, :3], source.double(), 60.0, 48, 64)
    after, _ = cameras.project(in_world[:, :3], target.double(), 60.0, 48, 64)
    h = views.plane_homography(k, relative(source, target), normal, distance)
    moved = torch.cat((before, torch.ones(30, 1).double()), 1) @ h.T
    assert torch.allclose(moved[:, :2] / moved[:, 2:], after, atol=1e-8)
    there_and_back = torch.linalg.inv(h) @ h
    assert torch.allclose(there_and_back, torch.eye(3).double(), atol=1e-5)
    with pytest.raises(ValueError, match="distance 0"):
        views.plane_homography(k, torch.eye(4).double(), normal, 0.0)


def test_over_compositing_matches_painting_from_the_back():
    rgba = torch.rand(6, 3, 4, 4)
    canvas = torch.zeros(3, 4, 3)
    for plane in rgba.flip(0):
        canvas = plane[..., :3] * plane[..., 3:] + canvas * (1 - plane[..., 3:])
    assert torch.allclose(views.over_composite(rgba), canvas, atol=1e-6)


def test_a_multi_plane_image_shows_its_own_picture_unchanged():
    image, depth = torch.rand(8, 10, 3), 1 + 3 * torch.rand(8, 10)
    depth[0, 0] = torch.inf
    depths = views.plane_depths(1.0, 4.0, 8)
    mpi = views.mpi_from_depth(image, depth, depths)
    k = cameras.intrinsics(10.0, 8, 10)
    shown = views.render_mpi(mpi, depths, k, torch.eye(4))
    expected = image.clone()
    expected[0, 0] = 0
    assert torch.allclose(shown, expected, atol=1e-4)


def test_a_plane_of_constant_depth_shifts_by_its_parallax():
    image = torch.rand(6, 12, 3)
    depths = torch.tensor([2.0])
    mpi = views.mpi_from_depth(image, torch.full((6, 12), 2.0), depths)
    move = torch.eye(4)
    move[0, 3] = -0.4  # camera to the right by .4: focal 10 · .4 / 2 = 2 pixels to the left
    shown = views.render_mpi(mpi, depths, cameras.intrinsics(10.0, 6, 12), move)
    assert torch.allclose(shown[:, :10], image[:, 2:], atol=1e-4)
