"""Topology, Laplacians, marching and graph convolution against closed forms and plain loops."""

import math

import pytest
import torch

from course_lib import meshes, shapes
from course_lib.meshes import Mesh


def open_box() -> Mesh:
    box = meshes.box()
    return Mesh(box.vertices, box.faces[:-2])


def double_torus() -> Mesh:
    rings = [shapes.rotate(shapes.torus(0.35, 0.12), 0, 90.0)] * 2
    rings = [shapes.translate(ring, (x, 0, 0)) for ring, x in zip(rings, (-0.4, 0.4), strict=True)]
    return meshes.grid_to_mesh(shapes.union(*rings)(meshes.lattice(48)))


MANIFOLDS = {  # name -> (mesh, χ, genus, boundary loops)
    "sphere": (meshes.icosphere(2), 2, 0, 0),
    "torus": (meshes.torus(), 0, 1, 0),
    "double torus": (double_torus(), -2, 2, 0),
    "sheet": (meshes.sheet(cells=5), 1, 0, 1),
    "open box": (open_box(), 1, 0, 1),
    "two spheres": (meshes.concatenate(meshes.icosphere(1), meshes.icosphere(1)), 4, 0, 0),
}


@pytest.mark.parametrize("name", MANIFOLDS)
def test_topology_of_known_surfaces(name):
    mesh, chi, handles, loops = MANIFOLDS[name]
    assert mesh.euler_characteristic == chi
    assert meshes.genus(mesh) == handles
    assert len(meshes.boundary_loops(mesh)) == loops
    assert meshes.is_watertight(mesh) == (loops == 0)


@pytest.mark.parametrize("name", MANIFOLDS)
def test_total_curvature_is_two_pi_times_the_euler_characteristic(name):
    mesh, chi, _, _ = MANIFOLDS[name]
    total = meshes.angle_defect(mesh.to(torch.float64)).sum()
    assert float(total) == pytest.approx(2 * math.pi * chi, abs=1e-4)


def test_curvature_of_a_sphere_is_one_over_the_radius_squared():
    mesh = meshes.icosphere(4, 0.5)
    density = meshes.angle_defect(mesh).sum() / meshes.vertex_areas(mesh).sum()
    assert float(density) == pytest.approx(4.0, rel=0.01)


def test_boundary_loop_walks_along_edges_of_one_face():
    mesh = meshes.sheet(cells=4)
    (loop,) = meshes.boundary_loops(mesh)
    steps = (mesh.vertices[loop] - mesh.vertices[loop.roll(1)]).norm(dim=1)
    torch.testing.assert_close(steps, torch.full((16,), 0.5))
    assert float(mesh.vertices[loop].abs().amax(dim=1).min()) == 1.0


def test_each_hole_is_a_loop():
    mesh = meshes.icosphere(3)
    away = mesh.corners.mean(dim=1)[:, 1].abs() < 0.9  # both caps cut off
    loops = meshes.boundary_loops(Mesh(mesh.vertices, mesh.faces[away]))
    assert len(loops) == 2
    assert {bool(mesh.vertices[loop][0, 1] > 0) for loop in loops} == {True, False}


def test_two_holes_that_touch_at_a_vertex_are_still_walked_completely():
    mesh = meshes.sheet(cells=6)
    centres = mesh.corners.mean(dim=1)
    first = ((centres[:, [0, 2]] - torch.tensor([-1 / 3, -1 / 3])).abs().amax(1)) < 1 / 3
    second = ((centres[:, [0, 2]] - torch.tensor([1 / 3, 1 / 3])).abs().amax(1)) < 1 / 3
    loops = meshes.boundary_loops(Mesh(mesh.vertices, mesh.faces[~(first | second)]))
    assert sum(len(loop) for loop in loops) == 24 + 8 + 8


def test_three_faces_at_an_edge_are_named():
    mesh = Mesh(torch.rand(5, 3), torch.tensor([[0, 1, 2], [0, 1, 3], [0, 1, 4]]))
    with pytest.raises(ValueError, match=r"\[0, 1\] with 3 faces"):
        meshes.boundary_loops(mesh)


def test_cotangent_laplacian_agrees_with_the_loop_over_angles():
    mesh = meshes.icosphere(1).to(torch.float64)
    expected = torch.zeros(len(mesh.vertices), len(mesh.vertices), dtype=torch.float64)
    for face in mesh.faces.tolist():
        for k in range(3):
            o, i, j = face[k], face[(k + 1) % 3], face[(k + 2) % 3]
            u, w = mesh.vertices[i] - mesh.vertices[o], mesh.vertices[j] - mesh.vertices[o]
            angle = torch.acos((u @ w) / (u.norm() * w.norm()))
            half = 0.5 / torch.tan(angle)
            expected[i, j] -= half
            expected[j, i] -= half
            expected[i, i] += half
            expected[j, j] += half
    torch.testing.assert_close(meshes.cotangent_laplacian(mesh).to_dense(), expected)


def test_cotangent_laplacian_of_positions_is_twice_the_mean_curvature_normal():
    mesh = meshes.icosphere(4, 0.5).to(torch.float64)
    vectors = meshes.cotangent_laplacian(mesh) @ mesh.vertices
    vectors = vectors / meshes.vertex_areas(mesh)[:, None]
    expected = 2 * (1 / 0.5) * mesh.vertices / 0.5  # H = 1/r, the normal is the direction
    assert float(((vectors - expected).norm(dim=1) / 4).mean()) < 0.02


def test_cotangent_laplacian_vanishes_on_linear_functions_of_a_flat_sheet():
    mesh = meshes.sheet(cells=5).to(torch.float64)
    x = mesh.vertices[:, :1] * 2 - mesh.vertices[:, 2:] + 1
    inner = mesh.vertices.abs().amax(dim=1) < 0.99
    assert float((meshes.cotangent_laplacian(mesh) @ x)[inner].abs().max()) < 1e-12


def test_vertex_areas_add_up_to_the_area():
    mesh = meshes.torus()
    torch.testing.assert_close(meshes.vertex_areas(mesh).sum(), mesh.area())


def test_graph_convolution_agrees_with_the_matrix_formula():
    mesh = meshes.icosphere(1)
    v, h = len(mesh.vertices), torch.rand(len(mesh.vertices), 4)
    weight, bias = torch.rand(4, 6), torch.rand(6)
    adjacency = torch.eye(v)
    for a, b in mesh.edges.tolist():
        adjacency[a, b] = adjacency[b, a] = 1
    root = torch.diag(adjacency.sum(1) ** -0.5)
    expected = root @ adjacency @ root @ h @ weight + bias
    torch.testing.assert_close(meshes.graph_convolution(h, mesh.edges, weight, bias), expected)


def test_graph_convolution_follows_a_renumbering_of_the_vertices():
    mesh, weight = meshes.icosphere(1), torch.rand(3, 2)
    order = torch.randperm(len(mesh.vertices))
    place = order.argsort()
    bias = torch.zeros(2)
    one = meshes.graph_convolution(mesh.vertices, mesh.edges, weight, bias)
    other = meshes.graph_convolution(mesh.vertices[order], place[mesh.edges], weight, bias)
    torch.testing.assert_close(other, one[order])


def test_graph_convolution_without_edges_is_a_linear_layer_and_differentiable():
    h = torch.rand(5, 3, dtype=torch.float64, requires_grad=True)
    weight, bias = torch.rand(3, 2).double(), torch.rand(2).double()
    none = torch.zeros(0, 2, dtype=torch.long)
    torch.testing.assert_close(meshes.graph_convolution(h, none, weight, bias), h @ weight + bias)
    edges = torch.tensor([[0, 1], [1, 2], [3, 4]])
    assert torch.autograd.gradcheck(lambda x: meshes.graph_convolution(x, edges, weight, bias), h)
    with pytest.raises(ValueError, match="0 and 4"):
        meshes.graph_convolution(h, torch.tensor([[0, 5]]), weight, bias)


def test_marched_sphere_has_the_known_errors_of_area_and_volume():
    for cells, area, volume in ((16, -0.775, -1.47), (32, -0.192, -0.365), (64, -0.048, -0.091)):
        mesh = meshes.grid_to_mesh(shapes.sphere(0.8)(meshes.lattice(cells)))
        exact_area, exact_volume = 4 * math.pi * 0.64, 4 / 3 * math.pi * 0.512
        assert 100 * (float(mesh.area()) / exact_area - 1) == pytest.approx(area, rel=0.02)
        assert 100 * (float(mesh.volume()) / exact_volume - 1) == pytest.approx(volume, rel=0.02)


def test_marching_without_a_surface_says_on_which_side_all_is():
    with pytest.raises(ValueError, match="all outside"):
        meshes.grid_to_mesh(shapes.sphere(0.1, (3, 0, 0))(meshes.lattice(4)))
    with pytest.raises(ValueError, match="finite"):
        meshes.grid_to_mesh(torch.full((4, 4, 4), torch.nan))


def test_a_vertex_where_fans_touch_counts_once_for_each():
    ball = meshes.icosphere(1)
    moved = Mesh(ball.vertices + 2, ball.faces)
    both = meshes.concatenate(ball, moved)
    faces = both.faces.clone()
    faces[faces == len(ball.vertices)] = 0  # the balls share a vertex now
    assert meshes.genus(Mesh(both.vertices, faces)) == 0
    ring = meshes.torus(segments=12, sides=8)
    assert meshes.genus(meshes.concatenate(ring, ring)) == 2
    mesh = meshes.sheet(cells=6)
    centres = mesh.corners.mean(dim=1)[:, [0, 2]]
    holes = ((centres.abs() - 1 / 3).abs().amax(1) < 1 / 3) & (centres.prod(1) > 0)
    assert meshes.genus(Mesh(mesh.vertices, mesh.faces[~holes])) == 0  # they touch in the middle


def test_genus_forgives_turned_and_collapsed_faces_but_not_a_band_with_one_side():
    ring = meshes.torus(segments=12, sides=8)
    faces = ring.faces.clone()
    faces[::3] = faces[::3].flip(1)
    assert meshes.genus(Mesh(ring.vertices, torch.cat((faces, faces[:5, [0, 0, 1]])))) == 1
    band = torch.tensor([[0, 1, 2], [1, 3, 2], [2, 3, 4], [3, 5, 4], [4, 5, 1], [5, 0, 1]])
    with pytest.raises(ValueError, match="Möbius"):
        meshes.genus(Mesh(torch.rand(6, 3), band))
