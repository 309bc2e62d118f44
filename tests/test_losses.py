"""The losses against closed forms, loops over the slide's sums, and numerical gradients."""

import inspect
import math

import pytest
import torch
from torch.autograd import gradcheck

from course_lib import meshes
from course_lib.losses import (
    chamfer_distance,
    cotangent_coordinates,
    edge_loss,
    hinges,
    laplacian_coordinates,
    laplacian_loss,
    normal_loss,
    smooth_loss,
    unit,
)
from course_lib.meshes import Mesh


def doubles(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def lattice(side=4):
    axis = torch.arange(side, dtype=torch.float64)
    return torch.cartesian_prod(axis, axis, axis)[None]


def cube_corners():
    return torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * 3)[None]


def bumpy():
    """A sphere with every vertex moved a little: no symmetry left."""
    mesh = meshes.icosphere(1)
    return Mesh(mesh.vertices.double() + 0.1 * torch.randn(mesh.vertices.shape), mesh.faces)


# Chamfer


def test_chamfer_of_a_cloud_with_itself_is_zero():
    p = torch.randn(2, 30, 3)
    assert torch.equal(chamfer_distance(p, p), torch.zeros(2))


def test_chamfer_of_a_lattice_shifted_by_a_tenth_is_a_fiftieth():
    p = lattice()
    shifted = p + torch.tensor([0.1, 0, 0])
    torch.testing.assert_close(chamfer_distance(p, shifted), torch.tensor([0.02]).double())


def test_chamfer_of_the_unit_cube_with_one_a_tenth_larger():
    p = cube_corners()
    torch.testing.assert_close(chamfer_distance(p, 1.1 * p), torch.tensor([0.03]).double())


def test_chamfer_agrees_with_a_loop_over_the_sets_of_the_slide():
    p, q = torch.randn(3, 9, 3), torch.randn(3, 14, 3)
    for b, got in enumerate(chamfer_distance(p, q)):
        forth = sum(min(float((x - y).square().sum()) for y in q[b]) for x in p[b]) / 9
        back = sum(min(float((x - y).square().sum()) for y in p[b]) for x in q[b]) / 14
        assert got.item() == pytest.approx(forth + back, rel=1e-5)


def test_chamfer_is_symmetric_and_grows_with_the_square_of_the_scale():
    p, q = torch.randn(2, 20, 3), torch.randn(2, 30, 3)
    torch.testing.assert_close(chamfer_distance(p, q), chamfer_distance(q, p))
    torch.testing.assert_close(chamfer_distance(3 * p, 3 * q), 9 * chamfer_distance(p, q))


def test_chamfer_gradients():
    assert gradcheck(chamfer_distance, (doubles(2, 5, 3), doubles(2, 7, 3)))


# Normals


def test_normal_loss_is_minus_two_for_parallel_and_zero_for_perpendicular_normals():
    p = lattice()
    up, aside = torch.zeros_like(p), torch.zeros_like(p)
    up[..., 1], aside[..., 0] = 1, 1
    assert normal_loss(p, p, up, up).item() == -2
    assert normal_loss(p, p, up, -up).item() == -2
    assert normal_loss(p, p, up, aside).item() == 0


def test_normal_loss_agrees_with_a_loop_over_the_sets_of_the_slide():
    p, q = torch.randn(9, 3), torch.randn(14, 3)
    u, w = unit(torch.randn(9, 3)), unit(torch.randn(14, 3))
    forth = [abs(float(w[(q - p[i]).norm(dim=1).argmin()] @ u[i])) for i in range(9)]
    back = [abs(float(u[(p - q[i]).norm(dim=1).argmin()] @ w[i])) for i in range(14)]
    expected = -sum(forth) / 9 - sum(back) / 14
    assert normal_loss(p[None], q[None], u[None], w[None]).item() == pytest.approx(expected, 1e-5)


def test_normal_loss_ignores_the_lengths_of_the_normals():
    p, q, u, w = (torch.randn(2, n, 3) for n in (9, 14, 9, 14))
    torch.testing.assert_close(normal_loss(p, q, u, w), normal_loss(p, q, 5 * u, w / 7))


def test_normal_loss_gradients():
    p, q = torch.randn(1, 5, 3).double(), torch.randn(1, 6, 3).double()
    u, w = doubles(1, 5, 3), doubles(1, 6, 3)
    assert gradcheck(lambda u, w: normal_loss(p, q, u, w), (u, w))


def test_a_zero_normal_agrees_with_nothing_and_has_a_finite_gradient():
    p = torch.zeros(1, 1, 3)
    u = torch.zeros(1, 1, 3, requires_grad=True)
    loss = normal_loss(p, p, u, torch.ones(1, 1, 3))
    loss.sum().backward()
    assert loss.item() == 0 and torch.isfinite(u.grad).all()


# Edges


def test_edge_loss_of_a_cube_is_the_mean_over_sides_and_diagonals():
    cube = meshes.box(2.0)
    assert edge_loss(cube.vertices, cube.edges).item() == pytest.approx((12 * 4 + 6 * 8) / 18)


def test_edge_loss_of_the_tetrahedron():
    mesh = meshes.tetrahedron()
    assert edge_loss(mesh.vertices, mesh.edges).item() == 8


def test_edge_loss_gradients():
    edges = meshes.tetrahedron().edges
    assert gradcheck(lambda v: edge_loss(v, edges), (doubles(2, 4, 3),))


# Smoothness


@pytest.mark.parametrize(
    ("mesh", "expected"),
    [
        (meshes.box(2.0), 12),
        (meshes.tetrahedron(), 32 / 3),
        (meshes.sheet(2.0, 5), 0),
        (meshes.subdivide(meshes.box(1.0)), 24),
    ],
    ids=["cube", "tetrahedron", "sheet", "cube with halved edges"],
)
def test_smooth_loss_closed_forms(mesh, expected):
    assert smooth_loss(mesh.vertices, mesh.faces).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("degrees", [0, 30, 90, 150, 180])
def test_smooth_loss_of_one_hinge_is_the_slides_term(degrees):
    angle = math.radians(degrees)
    flap = [math.cos(angle), math.sin(angle), 0.0]
    vertices = torch.tensor([[0.0, 0, -1], [0, 0, 1], [1, 0, 0], flap], dtype=torch.float64)
    got = smooth_loss(vertices, torch.tensor([[0, 1, 2], [1, 0, 3]]))
    assert got.item() == pytest.approx((math.cos(angle) + 1) ** 2, abs=1e-12)


def slow_smooth_loss(vertices, faces):
    """Over all pairs of faces with two common vertices, by the angle between their normals."""
    faces, total = faces.tolist(), 0.0
    for i, first in enumerate(faces):
        for second in faces[:i]:
            if len(set(first) & set(second)) == 2:
                normals = [
                    torch.linalg.cross(vertices[b] - vertices[a], vertices[c] - vertices[a])
                    for a, b, c in (first, second)
                ]
                cos_between = torch.nn.functional.cosine_similarity(*normals, dim=0)
                total += float((1 - cos_between) ** 2)  # θ = π − the angle between the normals
    return total


def test_smooth_loss_agrees_with_a_loop_over_pairs_of_faces():
    mesh = bumpy()
    expected = slow_smooth_loss(mesh.vertices, mesh.faces)
    assert smooth_loss(mesh.vertices, mesh.faces).item() == pytest.approx(expected)


def test_smooth_loss_counts_every_interior_edge_once():
    mesh = meshes.torus(segments=8, sides=6)
    pairs = hinges(mesh.faces)
    assert torch.equal(torch.unique(pairs[:, :2], dim=0), mesh.edges)
    assert len(pairs) == len(mesh.edges)


def test_smooth_loss_does_not_depend_on_the_winding_or_the_order_of_faces():
    mesh = bumpy()
    mixed = mesh.faces[torch.randperm(len(mesh.faces))].clone()
    mixed[::3] = mixed[::3].flip(1)
    torch.testing.assert_close(
        smooth_loss(mesh.vertices, mixed), smooth_loss(mesh.vertices, mesh.faces)
    )


def test_border_edges_have_no_angle():
    vertices = torch.randn(4, 3)
    assert smooth_loss(vertices, torch.tensor([[0, 1, 2]])).item() == 0
    assert smooth_loss(vertices, torch.zeros(0, 3, dtype=torch.int64)).item() == 0


def test_three_faces_in_one_edge_count_as_three_pairs():
    angles = [0.0, 2 * math.pi / 3, 4 * math.pi / 3]
    flaps = [[math.cos(a), math.sin(a), 0.0] for a in angles]
    vertices = torch.tensor([[0.0, 0, -1], [0, 0, 1], *flaps])
    faces = torch.tensor([[0, 1, 2], [0, 1, 3], [0, 1, 4]])
    assert smooth_loss(vertices, faces).item() == pytest.approx(3 * (1 - 0.5) ** 2)


@pytest.mark.parametrize("third", [[0.5, 0.0, 0.0], [0.0, 0.0, 0.0], [1 / 3, 0.1 / 3, 0.7 / 3]])
def test_faces_without_area_cost_nothing_and_have_finite_gradients(third):
    vertices = torch.tensor([[0.0, 0, 0], [1.0, 0.1, 0.7], third, [0, 1, 0]])
    if third[1] == 0:
        vertices[1] = torch.tensor([1.0, 0, 0])
    vertices.requires_grad_()
    loss = smooth_loss(vertices, torch.tensor([[0, 1, 2], [1, 0, 3]]))
    loss.backward()
    assert loss.item() == 0 and torch.isfinite(vertices.grad).all()


def test_smooth_loss_gradients():
    faces = meshes.tetrahedron().faces
    assert gradcheck(lambda v: smooth_loss(v, faces), (doubles(2, 4, 3),))


def test_smooth_loss_of_a_tiny_mesh_is_that_of_a_large_one():
    mesh = bumpy()
    for scale in (1e-12, 1e9):
        got = smooth_loss((mesh.vertices * scale).float(), mesh.faces)
        assert got.item() == pytest.approx(smooth_loss(mesh.vertices, mesh.faces).item(), rel=1e-4)


# Laplacian


def slow_laplacian(vertices, edges):
    """The slide's formula with sets of neighbours."""
    neighbors = {i: set() for i in range(len(vertices))}
    for a, b in edges.tolist():
        neighbors[a].add(b)
        neighbors[b].add(a)
    middles = [vertices[list(near)].mean(0) if near else p
               for p, near in zip(vertices, neighbors.values(), strict=True)]  # fmt: skip
    return vertices - torch.stack(middles)


def test_laplacian_coordinates_agree_with_a_loop_over_neighbours():
    mesh = bumpy()
    expected = slow_laplacian(mesh.vertices, mesh.edges)
    torch.testing.assert_close(laplacian_coordinates(mesh.vertices, mesh.edges), expected)
    loss = laplacian_loss(mesh.vertices, mesh.edges)
    torch.testing.assert_close(loss, (expected**2).sum(1).mean())


def test_laplacian_coordinates_of_a_regular_tetrahedron():
    """The middle of the other three corners is −p/3."""
    mesh = meshes.tetrahedron()
    delta = laplacian_coordinates(mesh.vertices, mesh.edges)
    torch.testing.assert_close(delta, mesh.vertices * 4 / 3)
    assert laplacian_loss(mesh.vertices, mesh.edges).item() == pytest.approx(16 / 3)


def test_a_vertex_without_neighbours_stays_where_it_is():
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [5, 5, 5]], requires_grad=True)
    delta = laplacian_coordinates(vertices, torch.tensor([[0, 1]]))
    delta.sum().backward()
    assert not delta[2].any() and torch.isfinite(vertices.grad).all()
    assert not laplacian_loss(vertices, torch.zeros(0, 2, dtype=torch.int64)).item()


def test_laplacian_gradients():
    edges = meshes.tetrahedron().edges
    assert gradcheck(lambda v: laplacian_coordinates(v, edges), (doubles(2, 4, 3),))
    assert gradcheck(lambda v: laplacian_loss(v, edges), (doubles(2, 4, 3),))


def test_cotangent_weights_see_no_bending_in_a_flat_uneven_mesh_and_uniform_ones_do():
    sheet = meshes.sheet(2.0, 6)
    inside = sheet.vertices[:, [0, 2]].abs().amax(1) < 0.9
    moved = sheet.vertices.double()
    moved[inside] += 0.08 * (torch.rand(int(inside.sum()), 3) - 0.5) * torch.tensor([1, 0, 1])
    assert cotangent_coordinates(moved, sheet.faces)[inside].abs().max() < 1e-12
    assert laplacian_coordinates(moved, sheet.edges)[inside].norm(dim=1).max() > 0.01


def test_cotangent_coordinates_are_parallel_to_the_gradient_of_area():
    """The gradient of the area by a vertex is Σ_k w_k (p − k): Pinkall and Polthier 1993."""
    mesh = bumpy()
    vertices = mesh.vertices.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(Mesh(vertices, mesh.faces).area(), vertices)
    delta = cotangent_coordinates(mesh.vertices, mesh.faces)
    cos = torch.nn.functional.cosine_similarity(delta, gradient, dim=1)
    torch.testing.assert_close(cos, torch.ones_like(cos))


def test_cotangent_gradients():
    faces = meshes.tetrahedron().faces
    base = meshes.tetrahedron().vertices.double()
    vertices = (base + 0.1 * torch.randn(4, 3)).requires_grad_()
    assert gradcheck(lambda v: cotangent_coordinates(v, faces), (vertices,))


# All


def test_a_batch_of_meshes_is_the_meshes_one_by_one():
    mesh = meshes.icosphere(0)
    batch = torch.randn(2, 3, 12, 3)
    for loss, topology in (
        (edge_loss, mesh.edges),
        (smooth_loss, mesh.faces),
        (laplacian_coordinates, mesh.edges),
        (laplacian_loss, mesh.edges),
    ):
        single = [[loss(vertices, topology) for vertices in row] for row in batch]
        expected = torch.stack([torch.stack(row) for row in single])
        torch.testing.assert_close(loss(batch, topology), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_every_precision_keeps_its_type(dtype):
    mesh = meshes.tetrahedron()
    vertices, cloud = mesh.vertices.to(dtype), mesh.vertices[None].to(dtype)
    assert chamfer_distance(cloud, cloud).dtype == dtype
    assert normal_loss(cloud, cloud, cloud, cloud).dtype == dtype
    assert smooth_loss(vertices, mesh.faces).dtype == dtype
    assert edge_loss(vertices, mesh.edges).dtype == dtype
    assert laplacian_loss(vertices, mesh.edges).dtype == dtype


def test_wrong_input_is_refused_in_words():
    vertices, edges = torch.zeros(4, 3), torch.tensor([[0, 1]])
    with pytest.raises(ValueError, match=r"from 0 to 3 in edges .* got 0 to 4"):
        edge_loss(vertices, torch.tensor([[0, 4]]))
    with pytest.raises(ValueError, match="got -1 to 1"):
        laplacian_loss(vertices, torch.tensor([[-1, 1]]))
    with pytest.raises(ValueError, match="in faces"):
        smooth_loss(vertices, torch.tensor([[0, 1, 9]]))
    with pytest.raises(ValueError, match="at least one edge"):
        edge_loss(vertices, edges[:0])
    with pytest.raises(ValueError, match="at least one vertex"):
        laplacian_loss(vertices[:0], edges[:0])
    with pytest.raises(ValueError, match="one normal per point"):
        inspect.unwrap(normal_loss)(*[torch.zeros(1, n, 3) for n in (2, 2, 1, 2)])
    with pytest.raises(ValueError, match="finite normals"):
        cloud = torch.zeros(1, 1, 3)
        normal_loss(cloud, cloud, cloud / 0, cloud)


@pytest.mark.gpu
def test_gpu_and_cpu_agree():
    mesh, p = bumpy(), torch.randn(2, 500, 3)
    for loss, arguments in (
        (chamfer_distance, (p, p.flip(2))),
        (edge_loss, (mesh.vertices, mesh.edges)),
        (smooth_loss, (mesh.vertices, mesh.faces)),
        (laplacian_loss, (mesh.vertices, mesh.edges)),
    ):
        on_gpu = loss(*[argument.cuda() for argument in arguments]).cpu()
        torch.testing.assert_close(on_gpu, loss(*arguments))
