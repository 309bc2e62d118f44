"""Meshes as functions and functions as meshes, against closed forms and brute force."""

import math
import warnings

import pytest
import torch

from course_lib import implicit, meshes, shapes
from course_lib.meshes import Mesh


def cube_points(n, seed=0, side=1.2):
    return (torch.rand(n, 3, generator=torch.Generator().manual_seed(seed)) * 2 - 1) * side


def noisy_ball(seed=0):
    ball = meshes.icosphere(4, 0.7)
    noise = torch.randn(ball.vertices.shape, generator=torch.Generator().manual_seed(seed))
    return Mesh(ball.vertices * torch.tensor([1.0, 0.6, 0.3]) + 0.01 * noise, ball.faces)


def triangle_distance_by_sampling(p, a, b, c, n=200):
    s = torch.linspace(0, 1, n, dtype=torch.float64)
    u, v = torch.meshgrid(s, s, indexing="ij")
    keep = u + v <= 1
    on = a + u[keep][:, None] * (b - a) + v[keep][:, None] * (c - a)
    return (on - p).square().sum(1).min()


def test_nearest_on_surface_is_the_closest_of_dense_samples():
    g = torch.Generator().manual_seed(0)
    corners = torch.rand(40, 3, 3, generator=g, dtype=torch.float64)
    corners[0, 2] = corners[0, 1]  # a needle and a point among them
    corners[1, 1:] = corners[1, 0]
    points = torch.rand(40, 3, generator=g, dtype=torch.float64) * 2
    for i in range(40):
        found = implicit.nearest_on_surface(points[i : i + 1], corners[i], torch.arange(3)[None])
        expected = triangle_distance_by_sampling(points[i], *corners[i]).sqrt().item()
        assert found.squared_distance.sqrt().item() == pytest.approx(expected, abs=0.01)


def test_nearest_on_surface_is_the_least_over_all_faces_taken_one_by_one():
    mesh, points = meshes.torus(segments=9, sides=5), cube_points(30)
    found = implicit.nearest_on_surface(points, mesh.vertices, mesh.faces)
    each = torch.stack(
        [
            implicit.nearest_on_surface(points, mesh.vertices, face[None]).squared_distance
            for face in mesh.faces
        ]
    )
    assert torch.allclose(found.squared_distance, each.amin(0), atol=1e-12)
    on_it = (found.closest - points).square().sum(1)
    assert torch.allclose(on_it, found.squared_distance, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_points_on_the_surface_find_their_own_face(scale):
    box = meshes.box((1.6, 0.4, 0.8)).to(torch.float64)
    slab = Mesh(box.vertices * scale + 5 * scale, box.faces)
    points, _ = meshes.sample_surface(slab, 5000, generator=torch.Generator().manual_seed(0))
    found = implicit.nearest_on_surface(points, slab.vertices, slab.faces)
    assert found.squared_distance.max() < (1e-7 * scale) ** 2
    share = torch.bincount(found.face, minlength=12) / 5000
    assert torch.allclose(share.double(), meshes.face_areas(slab) / slab.area(), atol=0.03, rtol=0)


def test_nearest_on_surface_takes_few_faces_few_points_and_equal_points():
    corners, faces = torch.eye(3), torch.tensor([[0, 1, 2]])
    for points in (torch.zeros(1, 3), torch.zeros(50, 3), torch.zeros(0, 3)):
        found = implicit.nearest_on_surface(points, corners, faces)
        assert torch.allclose(found.squared_distance, torch.full((len(points),), 1 / 3).double())
    with pytest.raises(ValueError, match="faces"):
        implicit.nearest_on_surface(torch.zeros(1, 3), corners, faces[:0])
    with pytest.raises(ValueError, match="finite"):
        implicit.nearest_on_surface(torch.full((1, 3), torch.nan), corners, faces)


def test_winding_number_is_one_inside_zero_outside_and_five_sixths_in_an_open_box():
    box = meshes.box(1.0)
    points = torch.tensor([[0.0, 0, 0], [0.9, 0, 0]])
    assert torch.allclose(implicit.winding_number(points, box), torch.tensor([1.0, 0.0]), atol=1e-6)
    lid = Mesh(box.vertices, box.faces[2:])
    assert implicit.winding_number(points[:1], lid).item() == pytest.approx(5 / 6, abs=1e-6)
    assert implicit.fast_winding_number(points[:1], lid).item() == pytest.approx(5 / 6, abs=1e-6)


def test_fast_winding_is_within_a_fiftieth_of_the_exact_sum():
    mesh, points = noisy_ball(), cube_points(500)
    exact = implicit.winding_number(points, mesh)
    assert (implicit.fast_winding_number(points, mesh) - exact).abs().max() < 0.02


@pytest.mark.parametrize("scale, offset", [(1e-9, 0.0), (1e9, 0.0), (1.0, 1e6)])
def test_the_fast_winding_number_is_the_same_at_every_scale_and_place(scale, offset):
    mesh, points = noisy_ball().to(torch.float64), cube_points(200).double()
    moved = Mesh(mesh.vertices * scale + offset, mesh.faces)
    got = implicit.fast_winding_number(points * scale + offset, moved)
    assert torch.allclose(got, implicit.fast_winding_number(points, mesh), atol=1e-3)


@pytest.mark.parametrize(
    "mesh, sdf, tolerance",
    [
        (meshes.box(1.0), shapes.box(1.0), 1e-6),
        (meshes.torus(segments=80, sides=40), shapes.torus(), 2e-3),
        (meshes.icosphere(4, 0.8), shapes.sphere(0.8), 2e-3),
    ],
)
def test_a_mesh_has_the_signed_distance_of_its_solid(mesh, sdf, tolerance):
    points = cube_points(1000)
    assert torch.allclose(implicit.mesh_to_sdf(mesh)(points), sdf(points), atol=tolerance)


def test_mesh_sdf_keeps_shapes_and_has_unit_gradients():
    sdf = implicit.mesh_to_sdf(meshes.icosphere(3, 0.8))
    assert sdf(torch.zeros(2, 5, 3)).shape == (2, 5) and sdf(torch.zeros(0, 3)).shape == (0,)
    assert sdf(torch.zeros(3)).shape == ()
    assert implicit.eikonal_residual(cube_points(200), sdf).max() < 1e-4
    on_vertex = meshes.icosphere(3, 0.8).vertices[:5]
    assert implicit.sdf_gradient(on_vertex, sdf).isfinite().all()


def test_an_open_mesh_warns_and_agrees_away_from_the_hole():
    ball = meshes.icosphere(3, 0.8)
    bowl = Mesh(ball.vertices, ball.faces[ball.vertices[ball.faces][..., 1].amax(1) < 0.6])
    points = cube_points(500)
    points = points[points[:, 1] < 0.3]
    with pytest.warns(UserWarning, match="open"):
        got = implicit.mesh_to_sdf(bowl)(points)
    assert (got.sign() == shapes.sphere(0.797)(points).sign()).float().mean() > 0.98


def test_a_mess_of_a_mesh_is_mended_or_refused():
    ball = meshes.icosphere(3, 0.8)
    g = torch.Generator().manual_seed(0)
    corners = ball.vertices[ball.faces].reshape(-1, 3)  # a soup: no vertex is shared
    faces = torch.arange(len(corners)).reshape(-1, 3)
    some = torch.rand(len(faces), generator=g) < 0.2
    faces[some] = faces[some].flip(1)
    faces = torch.cat((faces, faces[:50], torch.tensor([[0, 0, 1]])))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mended = implicit.tidy(Mesh(corners, faces))
    assert len(mended.faces) == len(ball.faces) and implicit.is_closed(mended)
    assert abs(mended.volume()) == pytest.approx(float(ball.volume()), rel=1e-5)
    with pytest.raises(ValueError, match="area"):
        implicit.mesh_to_sdf(Mesh(torch.zeros(3, 3), torch.tensor([[0, 1, 2]])))


def test_marching_cubes_errors_fall_fourfold_when_the_step_halves():
    area, volume = 4 * math.pi * 0.64, 4 / 3 * math.pi * 0.8**3
    for r, area_error, volume_error in (
        (16, -0.775, -1.47),
        (32, -0.192, -0.365),
        (64, -0.048, -0.091),
    ):
        mesh = implicit.sdf_to_mesh(shapes.sphere(0.8), r)
        assert meshes.is_watertight(mesh)
        assert 100 * float(mesh.area() / area - 1) == pytest.approx(area_error, abs=0.006)
        assert 100 * float(mesh.volume() / volume - 1) == pytest.approx(volume_error, abs=0.006)


def test_sdf_to_mesh_says_when_there_is_nothing_or_too_much():
    with pytest.raises(ValueError, match="both signs"):
        implicit.sdf_to_mesh(shapes.sphere(9.0), 8)
    with pytest.warns(UserWarning, match="open"):
        implicit.sdf_to_mesh(shapes.sphere(1.1), 8)
    assert implicit.sdf_to_mesh(shapes.sphere(0.5), 16, level=0.2).vertices.norm(
        dim=1
    ).mean() == pytest.approx(0.7, abs=0.01)


def test_projection_lands_on_the_surface_even_with_a_bound_only():
    points = cube_points(300)
    for sdf in (shapes.torus(), lambda p: 0.5 * shapes.sphere(0.8)(p)):
        assert sdf(implicit.project_to_surface(points, sdf, 6)).abs().max() < 1e-4
    moved = implicit.project_to_surface(torch.zeros(1, 3), shapes.sphere(0.8), 3)
    assert moved.isfinite().all()


def test_a_neural_sdf_learns_a_ball():
    g = torch.Generator().manual_seed(0)
    surface, _ = meshes.sample_surface(meshes.icosphere(3, 0.8), 2000, generator=g)
    points, values = implicit.sdf_samples(shapes.sphere(0.8), surface, 2000, generator=g)
    model = implicit.NeuralSdf(32, 8)
    before = (model(points) - values).abs().mean().item()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        (model(points) - values).abs().mean().backward()
        optimizer.step()
    assert (model(points) - values).abs().mean().item() < min(0.05, before / 3)
