"""Voxel grids against closed forms, and the binvox format."""

import math

import numpy as np
import pytest
import torch

from course_lib import meshes, shapes, voxels
from course_lib.meshes import Mesh
from course_lib.shapes.families import make_shape

BALL = 4 / 3 * math.pi * 0.8**3


@pytest.mark.parametrize("r, percent", [(32, -0.46), (64, 0.06), (128, -0.02)])
def test_the_ball_has_the_volume_errors_of_the_closed_form(r, percent):
    volume = float(voxels.volume(voxels.voxelize(shapes.sphere(0.8), r)))
    assert 100 * (volume / BALL - 1) == pytest.approx(percent, abs=0.005)


@pytest.mark.parametrize("r, percent", [(32, 9.326), (64, 4.718), (128, 2.359)])
def test_surface_occupancy_of_the_ball_falls_like_one_over_r(r, percent):
    grid = voxels.surface_voxels(shapes.sphere(0.8), r)
    assert 100 * float(voxels.occupied_fraction(grid)) == pytest.approx(percent, abs=0.001)


def test_surface_voxels_of_a_mesh_are_those_of_its_sdf():
    of_mesh = voxels.surface_voxels(meshes.icosphere(4, 0.8), 32)
    of_sdf = voxels.surface_voxels(shapes.sphere(0.8), 32)
    assert (of_mesh != of_sdf).float().mean() < 0.002


def test_surface_voxels_agree_with_dense_samples_of_a_soup():
    g = torch.Generator().manual_seed(0)
    mesh = Mesh(torch.rand(30, 3, generator=g) * 1.8 - 0.9, torch.arange(30).reshape(10, 3))
    points, _ = meshes.sample_surface(mesh, 200_000, generator=g)
    sampled = voxels.points_to_voxels(points, 12)
    grid = voxels.surface_voxels(mesh, 12)
    assert not (sampled & ~grid).any()
    assert (grid & ~sampled).sum() <= 0.04 * grid.sum()  # corners that are only just touched


def test_a_solid_mesh_fills_the_grid_of_its_sdf():
    for mesh, sdf in (
        (meshes.torus(segments=120, sides=60), shapes.torus()),
        (meshes.icosphere(4, 0.7), shapes.sphere(0.7)),
    ):
        got, expected = voxels.mesh_to_voxels(mesh, 32), voxels.voxelize(sdf, 32)
        assert (got & expected).sum() / (got | expected).sum() > 0.985


def test_faces_through_voxel_centres_are_counted_once():
    grid = voxels.mesh_to_voxels(meshes.box(1.0), 10)  # centres at ±.5 lie on the faces
    assert grid.sum() in (5**3, 4 * 5 * 5, 6**3)
    assert (grid.sum(2)[grid.any(2)] == grid.sum(2).max()).all()


def test_overlapping_solids_unite_and_inside_out_meshes_count():
    one = meshes.icosphere(3, 0.5)
    left = Mesh(one.vertices - torch.tensor([0.2, 0, 0]), one.faces)
    right = Mesh(one.vertices + torch.tensor([0.2, 0, 0]), one.faces)
    both = voxels.mesh_to_voxels(meshes.concatenate(left, right), 24)
    parts = voxels.mesh_to_voxels(left, 24) | voxels.mesh_to_voxels(right, 24)
    assert (both == parts).all()
    inside_out = Mesh(left.vertices, left.faces.flip(1))
    assert (voxels.mesh_to_voxels(inside_out, 24) == voxels.mesh_to_voxels(left, 24)).all()


def test_a_cavity_stays_empty():
    outer, inner = meshes.icosphere(3, 0.8), meshes.icosphere(3, 0.4)
    hollow = meshes.concatenate(outer, Mesh(inner.vertices, inner.faces.flip(1)))
    grid = voxels.mesh_to_voxels(hollow, 16)
    assert not grid[8, 8, 8] and grid[8, 8, 3]


def test_an_open_mesh_warns_and_closes_its_hole_by_winding_number():
    box = meshes.box(1.0)
    with pytest.warns(UserWarning, match="open"):
        grid = voxels.mesh_to_voxels(Mesh(box.vertices, box.faces[2:]), 8)
    assert (grid != voxels.mesh_to_voxels(box, 8)).sum() <= 16


def test_repeated_and_turned_faces_are_mended_with_a_warning():
    ball = meshes.icosphere(3, 0.8)
    clean = voxels.mesh_to_voxels(ball, 16)
    twice = Mesh(ball.vertices, torch.cat((ball.faces, ball.faces[:100])))
    with pytest.warns(UserWarning, match="twice"):
        assert (voxels.mesh_to_voxels(twice, 16) == clean).all()
    turned = ball.faces.clone()
    turned[:100] = turned[:100].flip(1)
    with pytest.warns(UserWarning, match="other way"):
        assert (voxels.mesh_to_voxels(Mesh(ball.vertices, turned), 16) == clean).all()


def test_what_has_no_inside_or_does_not_fit_is_refused():
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="encloses nothing"):
        voxels.mesh_to_voxels(meshes.sheet(1.0, 4), 8)
    with pytest.raises(ValueError, match="scale first"):
        voxels.mesh_to_voxels(meshes.box(2.5), 8)
    with pytest.raises(ValueError, match="scale first"):
        voxels.points_to_voxels(torch.tensor([[0.0, 0, 1.5]]), 8)
    with pytest.raises(ValueError, match="empty"):
        voxels.inertia_tensor(torch.zeros(4, 4, 4, dtype=torch.bool))


def test_points_land_in_the_voxels_whose_centres_are_nearest():
    points = torch.rand(50, 3) * 2 - 1
    centers = voxels.voxel_centers(6).reshape(-1, 3)
    expected = torch.zeros(216, dtype=torch.bool)
    expected[torch.cdist(points, centers).argmin(1)] = True
    assert (voxels.points_to_voxels(points, 6).reshape(-1) == expected).all()


@pytest.mark.parametrize(
    "sdf, volume, inertia, tolerance",
    [
        (shapes.sphere(0.8), BALL, [0.4 * 0.64] * 3, 2e-3),
        (
            shapes.box((1.0, 0.5, 1.5)),
            0.75,
            [(0.25 + 2.25) / 12, (1 + 2.25) / 12, (1 + 0.25) / 12],
            1e-5,
        ),
        (
            shapes.torus(0.6, 0.2),
            2 * math.pi**2 * 0.6 * 0.04,
            [0.5 * 0.36 + 5 / 8 * 0.04, 0.36 + 0.75 * 0.04, 0.5 * 0.36 + 5 / 8 * 0.04],
            5e-3,
        ),
    ],
)
def test_volume_and_inertia_match_the_closed_forms(sdf, volume, inertia, tolerance):
    grid = voxels.voxelize(sdf, 96)
    if tolerance == 1e-5:  # a box whose sides lie between voxels
        grid = voxels.voxelize(sdf, 64)
    assert float(voxels.volume(grid)) == pytest.approx(volume, rel=tolerance)
    expected = volume * torch.diag(torch.tensor(inertia))
    assert torch.allclose(voxels.inertia_tensor(grid), expected, atol=2 * tolerance * volume)


def test_inertia_is_about_the_centre_of_mass():
    grid = voxels.voxelize(shapes.box(0.5), 32)
    moved = grid.roll((6, -4, 2), dims=(0, 1, 2))
    got, expected = voxels.inertia_tensor(moved), voxels.inertia_tensor(grid)
    assert torch.allclose(got, expected, atol=1e-6)


def test_voxels_to_mesh_is_closed_faces_outwards_and_goes_back():
    grid = voxels.voxelize(make_shape("mug", 0).sdf, 24)
    mesh = voxels.voxels_to_mesh(grid)
    assert meshes.is_watertight(mesh) and mesh.volume() > 0
    assert (voxels.mesh_to_voxels(mesh, 24) == grid).all()


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_the_surface_of_any_grid_is_a_manifold_with_the_solids_pieces_and_genus(share):
    """The solid's, by counting: voxels joined by faces, the space around them by edges and corners."""
    from scipy import ndimage
    from skimage.measure import euler_number

    for r in (3, 6, 8):
        grid = torch.rand(r, r, r, generator=torch.Generator().manual_seed(r)) < share
        mesh = voxels.voxels_to_mesh(grid)
        solid = np.pad(grid.numpy(), 1)
        pieces = ndimage.label(solid)[1]
        cavities = ndimage.label(~solid, np.ones((3, 3, 3)))[1] - 1
        assert meshes.is_watertight(mesh) and mesh.volume() > 0
        assert meshes.component_count(mesh) == pieces + cavities
        assert meshes.genus(mesh) == pieces + cavities - euler_number(solid, connectivity=1)
        assert (voxels.mesh_to_voxels(mesh, r) == grid).all()


@pytest.mark.parametrize(("holes", "genus"), [([], 0), ([(1, 1)], 1), ([(1, 1), (2, 2)], 1)])
def test_holes_that_touch_along_an_edge_are_one_as_voxels_that_do_are_two(holes, genus):
    grid = torch.ones(4, 4, 4, dtype=torch.bool)
    for x, y in holes:
        grid[x, y] = False
    assert meshes.genus(voxels.voxels_to_mesh(grid)) == genus
    pair = torch.zeros(2, 2, 2, dtype=torch.bool)
    pair[0, 0, 0] = pair[1, 1, 0] = True
    assert meshes.component_count(voxels.voxels_to_mesh(pair)) == 2


def test_conv3d_cost_is_that_of_the_layer():
    layer = torch.nn.Conv3d(3, 5, 4, stride=2, padding=1)
    out = layer(torch.zeros(1, 3, 11, 11, 11))
    side, parameters, size = voxels.conv3d_cost((3, 5), 11, 4, 2, 1)
    assert side == out.shape[-1] and size == out.numel() * 4
    assert parameters == sum(p.numel() for p in layer.parameters())


def test_binvox_runs_over_x_then_z_then_y(tmp_path):
    path = tmp_path / "a.binvox"
    values = [0] * 8
    values[1 * 4 + 0 * 2 + 1] = 1  # x = 1, z = 0, y = 1
    head = b"#binvox 1\ndim 2 2 2\ntranslate -1 -2 -3\nscale 4\ndata\n"
    path.write_bytes(head + bytes(b for v in values for b in (v, 1)))
    read = voxels.load_binvox(path)
    assert read.grid.nonzero().tolist() == [[1, 1, 0]]
    assert read.translate == (-1, -2, -3) and read.scale == 4


def test_binvox_round_trip_with_long_runs(tmp_path):
    for grid in (torch.rand(9, 9, 9) < 0.3, torch.ones(16, 16, 16) > 0, torch.zeros(8, 8, 8) > 0):
        voxels.save_binvox(grid, tmp_path / "b.binvox")
        read = voxels.load_binvox(tmp_path / "b.binvox")
        assert (read.grid == grid).all() and read.scale == 2


def test_binvox_is_read_by_trimesh_the_same(tmp_path):
    import numpy as np
    import trimesh

    grid = torch.rand(6, 6, 6) < 0.4
    voxels.save_binvox(grid, tmp_path / "c.binvox")
    other = trimesh.load(tmp_path / "c.binvox")
    assert (np.asarray(other.matrix) == grid.numpy()).all()


@pytest.mark.parametrize(
    "data, message",
    [
        (b"hello", "header"),
        (b"#binvox 1\ndim 2 2 3\ndata\n", "cubic"),
        (b"#binvox 1\ndim 2 2 2\ndata\n\x01\x07", "8 voxels, got 7"),
        (b"#binvox 1\ndim x 2 2\ndata\n", "broken"),
    ],
)
def test_broken_binvox_files_are_named(tmp_path, data, message):
    (tmp_path / "d.binvox").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        voxels.load_binvox(tmp_path / "d.binvox")
