"""Meshes against closed forms, and sampling against statistics."""

import doctest
import math
from importlib import import_module

import pytest
import torch
from jaxtyping import TypeCheckError

from course_lib import meshes
from course_lib.meshes import Mesh, sample_surface

CLOSED = {
    "icosphere": meshes.icosphere(2),
    "box": meshes.box((1.0, 2.0, 3.0)),
    "tetrahedron": meshes.tetrahedron(),
    "torus": meshes.torus(),
}


@pytest.mark.parametrize("name", CLOSED)
def test_built_in_mesh_is_closed_and_faces_outwards(name):
    mesh = CLOSED[name]
    directed = meshes.directed_edges(mesh.faces)
    assert len(torch.unique(directed, dim=0)) == len(directed)  # neighbours run opposite ways
    assert {tuple(e) for e in directed.tolist()} == {(b, a) for a, b in directed.tolist()}
    assert mesh.volume() > 0
    assert mesh.euler_characteristic == (0 if name == "torus" else 2)
    assert len(mesh.edges) == 3 * len(mesh.faces) // 2


def test_icosphere_approaches_the_sphere_fourfold_with_each_subdivision():
    errors = [4 * math.pi - float(meshes.icosphere(s).area()) for s in (2, 3, 4)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.05)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.05)
    assert (meshes.icosphere(3, 0.5).vertices.norm(dim=1) - 0.5).abs().max() < 1e-6


def test_torus_has_the_closed_form_area_and_volume():
    mesh = meshes.torus(0.7, 0.25, 200, 100)
    assert float(mesh.area()) == pytest.approx(4 * math.pi**2 * 0.7 * 0.25, rel=1e-3)
    assert float(mesh.volume()) == pytest.approx(2 * math.pi**2 * 0.7 * 0.25**2, rel=2e-3)


def test_edges_of_two_joined_triangles_are_five_and_sorted():
    mesh = Mesh(torch.rand(4, 3), torch.tensor([[0, 1, 2], [2, 1, 3]]))
    assert mesh.edges.tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]


def test_a_face_that_names_a_vertex_twice_gives_no_edge_to_itself():
    mesh = Mesh(torch.rand(3, 3), torch.tensor([[0, 1, 2], [1, 1, 2]]))
    assert mesh.edges.tolist() == [[0, 1], [0, 2], [1, 2]]


def test_vertices_without_faces_do_not_count_in_the_euler_characteristic():
    mesh = meshes.box()
    assert Mesh(torch.cat([mesh.vertices, torch.ones(5, 3)]), mesh.faces).euler_characteristic == 2


def test_subdivision_keeps_surface_and_topology():
    fine = meshes.subdivide(meshes.subdivide(meshes.torus(segments=12, sides=8)))
    coarse = meshes.torus(segments=12, sides=8)
    assert fine.euler_characteristic == 0 and len(fine.faces) == 16 * len(coarse.faces)
    torch.testing.assert_close(fine.area(), coarse.area())
    torch.testing.assert_close(fine.volume(), coarse.volume())


def test_turning_faces_over_changes_the_sign_of_volume_and_normals_only():
    mesh = meshes.icosphere(1)
    flipped = Mesh(mesh.vertices, mesh.faces.flip(1))
    torch.testing.assert_close(flipped.volume(), -mesh.volume())
    torch.testing.assert_close(flipped.area(), mesh.area())
    torch.testing.assert_close(meshes.face_normals(flipped), -meshes.face_normals(mesh))


def test_sphere_normals_point_along_the_radius():
    mesh = meshes.icosphere(3)
    assert (meshes.vertex_normals(mesh) - mesh.vertices).norm(dim=1).max() < 0.02
    centres = torch.nn.functional.normalize(mesh.corners.mean(dim=1), dim=1)
    assert (meshes.face_normals(mesh) - centres).norm(dim=1).max() < 0.02


def test_face_without_area_has_zero_normal_and_no_nan():
    mesh = Mesh(torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]]), torch.tensor([[0, 1, 2]]))
    assert meshes.face_normals(mesh).tolist() == [[0, 0, 0]]
    with pytest.raises(ValueError, match="area"):
        sample_surface(mesh, 10)


def test_area_and_volume_have_right_gradients():
    faces = meshes.tetrahedron().faces
    vertices = meshes.tetrahedron().vertices.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: Mesh(v, faces).area(), vertices)
    assert torch.autograd.gradcheck(lambda v: Mesh(v, faces).volume(), vertices)


def test_samples_fall_on_faces_in_proportion_to_area():
    mesh = meshes.box((1.0, 2.0, 4.0))
    points, normals = sample_surface(mesh, 40_000, generator=torch.Generator().manual_seed(0))
    for axis, share in enumerate([8 / 14, 4 / 14, 2 / 14]):
        on_axis = normals[:, axis].abs() > 0.5
        assert float(on_axis.double().mean()) == pytest.approx(share, abs=0.01)
        half = mesh.vertices[:, axis].max()
        torch.testing.assert_close(points[on_axis, axis], half * normals[on_axis, axis])


def test_samples_are_uniform_within_a_triangle():
    mesh = Mesh(torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), torch.tensor([[0, 1, 2]]))
    points, _ = sample_surface(mesh, 40_000, generator=torch.Generator().manual_seed(0))
    x, y, z = points.unbind(1)
    assert x.min() >= 0 and y.min() >= 0 and (x + y).max() <= 1 + 1e-6 and z.abs().max() == 0
    corner = (x + y < 0.5).double().mean()  # a quarter of the area
    assert float(corner) == pytest.approx(0.25, abs=0.01)
    torch.testing.assert_close(points.mean(0)[:2], torch.tensor([1 / 3, 1 / 3]), atol=5e-3, rtol=0)


def test_faces_without_area_are_never_drawn():
    mesh = meshes.box()
    faces = torch.cat([torch.tensor([[0, 0, 1]] * 5), mesh.faces, torch.tensor([[3, 3, 3]] * 5)])
    _, normals = sample_surface(Mesh(mesh.vertices, faces), 2000)
    torch.testing.assert_close(normals.norm(dim=1), torch.ones(2000))


def test_sampling_is_decided_by_the_generator_and_differentiable():
    vertices = meshes.tetrahedron().vertices.requires_grad_()
    mesh = Mesh(vertices, meshes.tetrahedron().faces)
    a, _ = sample_surface(mesh, 50, generator=torch.Generator().manual_seed(3))
    b, _ = sample_surface(mesh, 50, generator=torch.Generator().manual_seed(3))
    assert torch.equal(a, b)
    (gradient,) = torch.autograd.grad(a.sum(), vertices)
    torch.testing.assert_close(gradient.sum(0), torch.full((3,), 50.0))  # weights sum to one


def test_mesh_takes_float64_and_int32_and_moves_type():
    mesh = Mesh(torch.rand(3, 3, dtype=torch.float64), torch.tensor([[0, 1, 2]], dtype=torch.int32))
    assert mesh.vertices.dtype == torch.float64 and mesh.faces.dtype == torch.int64
    assert mesh.to(torch.float32).area().dtype == torch.float32


@pytest.mark.parametrize(
    "vertices, faces, message",
    [
        (torch.zeros(3, 2), torch.tensor([[0, 1, 2]]), "3"),
        (torch.zeros(3, 3), torch.tensor([[0, 1, 2, 0]]), "3"),
        (torch.zeros(3, 3), torch.tensor([[0.0, 1.0, 2.0]]), "Int|whole numbers"),
        (torch.zeros(3, 3), torch.tensor([[0, 1, 3]]), "0 to 2"),
        (torch.zeros(3, 3), torch.tensor([[-1, 1, 2]]), "-1 to 2"),
        (torch.full((3, 3), torch.nan), torch.tensor([[0, 1, 2]]), "finite"),
    ],
)
def test_impossible_meshes_are_refused(vertices, faces, message):
    with pytest.raises((ValueError, TypeCheckError), match=message):  # the hook may be first
        Mesh(vertices, faces)


def test_concatenation_adds_volumes():
    both = meshes.concatenate(meshes.box(1.0), meshes.box(2.0))
    assert float(both.volume()) == pytest.approx(9.0) and len(both.faces) == 24


@pytest.mark.gpu
def test_sampling_runs_on_the_gpu():
    mesh = meshes.icosphere(2).to("cuda")
    points, normals = sample_surface(mesh, 100, generator=torch.Generator().manual_seed(0))
    assert points.device.type == normals.device.type == "cuda"


@pytest.mark.parametrize(
    "part", ("mesh", "primitives", "sampling", "marching", "topology", "operators")
)
def test_the_examples_in_the_docstrings_hold(part):
    module = import_module(f"course_lib.meshes.{part}")
    assert doctest.testmod(module, extraglobs={"torch": torch}).failed == 0
