"""The readable rasteriser, the soft one and its gradients, shading, sphere tracing."""

import math

import pytest
import torch
from oracles import rasterize_by_loop

from course_lib import cameras, meshes, rasterize, shapes, zbuffer

SIZE = 20


def projected(mesh, eye=(0.6, 0.5, 2.4), size=SIZE, dtype=torch.float64):
    camera = cameras.look_at(torch.tensor(eye, dtype=dtype))
    return cameras.project(mesh.vertices.to(dtype), camera, 1.1 * size, size, size)


@pytest.mark.parametrize(
    "mesh", [meshes.box(1.0), meshes.icosphere(1), meshes.torus(0.6, 0.3, 9, 7)]
)
def test_the_loop_and_the_fast_rasteriser_draw_the_same(mesh):
    pixels, depth = projected(mesh)
    loop = rasterize_by_loop(pixels, depth, mesh.faces, SIZE, SIZE)
    fast = zbuffer.draw_faces(pixels, depth, mesh.faces, SIZE, SIZE)
    assert torch.equal(loop.face, fast.face)
    torch.testing.assert_close(loop.depth, fast.depth)
    torch.testing.assert_close(loop.barycentric, fast.barycentric)


def test_barycentric_coordinates_restore_the_point_for_either_orientation():
    triangle = torch.tensor([[0.1, 0.2], [3.0, 0.5], [1.0, 2.5]], dtype=torch.float64)
    points = torch.rand(50, 2, dtype=torch.float64) * 4
    for corners in (triangle, triangle.flip(0)):
        weights = rasterize.barycentric_coordinates(points, corners)
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(50, dtype=torch.float64))
        torch.testing.assert_close(weights @ corners, points)
        system = torch.cat([corners.T, torch.ones(1, 3)]).double()
        right = torch.cat([points, torch.ones(50, 1)], dim=1).double()
        torch.testing.assert_close(weights, torch.linalg.solve(system, right.T).T)


def test_perspective_correct_weights_are_those_of_the_point_in_space():
    corners = torch.tensor([[-1.0, -1, -2], [2, -1, -5], [0, 2, -3]], dtype=torch.float64)
    true = torch.tensor([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2]], dtype=torch.float64)
    camera = torch.eye(4, dtype=torch.float64)
    triangle, depth = cameras.project(corners, camera, 10.0, 8, 8)
    shadow, z = cameras.project(true @ corners, camera, 10.0, 8, 8)
    on_screen = rasterize.barycentric_coordinates(shadow, triangle)
    weights, got = rasterize.perspective_correct(on_screen, depth)
    torch.testing.assert_close(weights, true)
    torch.testing.assert_close(got, z)
    assert (on_screen - true).abs().max() > 0.05  # without the correction they differ


def test_lambert_is_the_cosine_above_ambient():
    angle = torch.tensor([0.0, 60.0, 90.0, 120.0]).deg2rad()
    normals = torch.stack([angle.sin(), angle.cos(), torch.zeros(4)], dim=-1)
    shade = rasterize.lambert(normals, torch.tensor([0.0, 3.0, 0.0]), ambient=0.2)
    torch.testing.assert_close(shade, torch.tensor([1.0, 0.6, 0.2, 0.2]))


def dense_silhouette(pixels, faces, size, sigma):
    """The formula, face by face and pixel by pixel, with distances from a fine sampling of edges."""
    free = torch.ones(size, size, dtype=torch.float64)
    share = torch.linspace(0, 1, 400, dtype=torch.float64)[:, None]
    for face in faces:
        a, b, c = pixels[face]
        edges = torch.cat([a + share * (b - a), b + share * (c - b), c + share * (a - c)])
        for i in range(size):
            for j in range(size):
                p = torch.tensor([j + 0.5, i + 0.5], dtype=torch.float64)
                squared = ((edges - p) ** 2).sum(dim=1).min() * (2 / size) ** 2
                signs = [rasterize.edge_function(*e, p) > 0 for e in ((a, b), (b, c), (c, a))]
                sign = 1 if len(set(map(bool, signs))) == 1 else -1
                free[i, j] *= 1 - torch.sigmoid(sign * squared / sigma)
    return 1 - free


def test_the_soft_silhouette_is_its_formula():
    mesh = meshes.tetrahedron()
    pixels, _ = projected(mesh, size=8)
    got = rasterize.soft_silhouette(pixels, mesh.faces, 8, 8, sigma=0.01)
    expected = dense_silhouette(pixels, mesh.faces, 8, 0.01)
    torch.testing.assert_close(got, expected, atol=2e-4, rtol=0)


def test_a_sharp_soft_silhouette_is_the_hard_one():
    mesh = meshes.icosphere(2)
    pixels, depth = projected(mesh)
    soft = rasterize.soft_silhouette(pixels, mesh.faces, SIZE, SIZE, sigma=1e-8)
    hard = zbuffer.draw_faces(pixels, depth, mesh.faces, SIZE, SIZE).covered
    torch.testing.assert_close(soft.round().bool(), hard)


def test_the_gradient_of_the_silhouette_agrees_with_finite_differences():
    mesh = meshes.tetrahedron()
    pixels, _ = projected(mesh, size=7)
    pixels = (pixels + 0.013).requires_grad_()
    torch.autograd.gradcheck(
        lambda p: rasterize.soft_silhouette(p, mesh.faces, 7, 7, sigma=0.02), (pixels,), eps=1e-7
    )


def test_the_gradient_of_the_picture_agrees_with_finite_differences():
    mesh = meshes.tetrahedron()
    pixels, depth = projected(mesh, eye=(0.61, 0.52, 2.43), size=6)
    # Nearest and farthest vertex are constants of the blend: two far faces hold them.
    anchors = torch.tensor([[-90.0, -90.0], [-91.0, -90.0]], dtype=torch.float64)
    colors = torch.rand(4, 3, dtype=torch.float64, requires_grad=True)

    def draw(p, z, c):
        both = torch.cat([z, z.new_tensor([1.0, 9.0])])
        return rasterize.soft_render(
            torch.cat([p, anchors]), both, mesh.faces, c, (6, 6), sigma=0.02, gamma=0.1
        )

    inputs = ((pixels + 0.011).requires_grad_(), depth.clone().requires_grad_(), colors)
    torch.autograd.gradcheck(draw, inputs, eps=1e-7)


def test_the_hard_silhouette_does_not_move_with_a_small_shift_and_the_soft_one_does():
    mesh = meshes.icosphere(1)
    pixels, depth = projected(mesh)
    moved = pixels + torch.tensor([1e-5, 0.0])
    hard = [zbuffer.draw_faces(p, depth, mesh.faces, SIZE, SIZE).covered for p in (pixels, moved)]
    soft = [
        rasterize.soft_silhouette(p, mesh.faces, SIZE, SIZE, sigma=1e-3) for p in (pixels, moved)
    ]
    assert torch.equal(*hard)
    assert (soft[0] - soft[1]).abs().max() > 1e-7


def test_the_gradient_pulls_a_shape_towards_the_target():
    mesh = meshes.icosphere(1)
    target = torch.tensor([3.0, 0.0])
    pixels, _ = projected(mesh, dtype=torch.float32)
    wanted = rasterize.soft_silhouette(pixels + target, mesh.faces, SIZE, SIZE, sigma=1e-2)
    shift = torch.zeros(2, requires_grad=True)
    got = rasterize.soft_silhouette(pixels + shift, mesh.faces, SIZE, SIZE, sigma=1e-2)
    ((got - wanted) ** 2).mean().backward()
    assert shift.grad[0] < 0 and abs(shift.grad[1]) < abs(shift.grad[0]) / 5


def test_degenerate_and_absent_faces_give_finite_gradients():
    pixels = torch.tensor([[2.0, 2.0], [2.0, 2.0], [5.0, 5.0], [-99.0, 0.0]], requires_grad=True)
    faces = torch.tensor([[0, 1, 2], [0, 0, 0], [3, 3, 3]])
    soft = rasterize.soft_silhouette(pixels, faces, 8, 8, sigma=1e-2)
    colors = torch.rand(3, 3)
    image = rasterize.soft_render(pixels, torch.ones(4), faces, colors, (8, 8), sigma=1e-2)
    (soft.sum() + image.sum()).backward()
    assert pixels.grad.isfinite().all()
    nothing = torch.zeros(0, 3, dtype=torch.int64)
    assert rasterize.soft_silhouette(pixels, nothing, 4, 4).sum() == 0
    empty = rasterize.soft_render(pixels, torch.ones(4), nothing, torch.zeros(0, 3), (4, 4))
    assert (empty == 1).all()


def test_a_nearly_hard_soft_picture_is_the_hard_picture():
    mesh = meshes.icosphere(1)
    pixels, depth = projected(mesh)
    colors = torch.rand(len(mesh.faces), 3, dtype=torch.float64)
    soft = rasterize.soft_render(
        pixels, depth, mesh.faces, colors, (SIZE, SIZE), sigma=1e-7, gamma=1e-4
    )
    fragments = zbuffer.draw_faces(pixels, depth, mesh.faces, SIZE, SIZE)
    hard = torch.where(
        fragments.covered[..., None], colors[fragments.face.clamp(min=0)], torch.ones(3).double()
    )
    assert ((soft - hard).abs().amax(dim=-1) < 0.02).double().mean() > 0.9


def test_coverage_is_a_half_on_the_edge_and_union_counts_what_is_left_free():
    distance = torch.tensor([0.0, 0.1, 0.1])
    inside = torch.tensor([True, True, False])
    coverage = rasterize.soft_coverage(distance, inside, 0.1)
    expected = [0.5, 1 / (1 + math.exp(-1)), 1 / (1 + math.exp(1))]
    torch.testing.assert_close(coverage, torch.tensor(expected))
    torch.testing.assert_close(
        rasterize.union_coverage(torch.tensor([[0.5], [0.2], [0.0]])), torch.tensor([0.6])
    )


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan")])
def test_a_softness_that_is_not_positive_is_refused(sigma):
    with pytest.raises(ValueError, match="sigma > 0"):
        rasterize.soft_silhouette(torch.zeros(3, 2), torch.tensor([[0, 1, 2]]), 4, 4, sigma=sigma)


def test_sphere_tracing_finds_the_ball_where_algebra_does():
    origins, directions = cameras.camera_rays(16, 16, 14.0, cameras.look_at([0.5, 0.3, 2.5]))
    origins, directions = origins.reshape(-1, 3), directions.reshape(-1, 3)
    t, hit = rasterize.sphere_trace(shapes.sphere(0.8), origins, directions)
    b = (origins * directions).sum(dim=1)
    root = b**2 - (origins**2).sum(dim=1) + 0.64
    expected = -b - root.clamp(min=0).sqrt()
    clear = root.abs() > 1e-2
    assert torch.equal(hit[clear], root[clear] > 0)
    torch.testing.assert_close(t[hit & clear], expected[hit & clear], atol=2e-3, rtol=0)


def test_marching_never_steps_through_the_surface():
    origins, directions = cameras.camera_rays(8, 8, 9.0, cameras.look_at([0.0, 0.4, 2.5]))
    origins, directions = origins.reshape(-1, 3), directions.reshape(-1, 3)
    sdf = shapes.box(1.0)
    for steps in (0, 1, 3, 10):
        t = rasterize.march_rays(sdf, origins, directions, steps)
        assert (sdf(origins + t[:, None] * directions) > -1e-5).all()


def test_normals_of_a_ball_point_outwards():
    points = torch.nn.functional.normalize(torch.randn(20, 3), dim=1)
    torch.testing.assert_close(
        rasterize.sdf_normals(shapes.sphere(1.0), points), points, atol=2e-3, rtol=0
    )


@pytest.mark.gpu
def test_the_soft_rasteriser_runs_on_the_gpu():
    mesh = meshes.icosphere(1)
    pixels, depth = projected(mesh, dtype=torch.float32)
    colors = torch.rand(len(mesh.faces), 3)
    draw = (pixels, depth, mesh.faces, colors)
    cpu = rasterize.soft_render(*draw, (SIZE, SIZE))
    gpu = rasterize.soft_render(*(one.cuda() for one in draw), (SIZE, SIZE))
    torch.testing.assert_close(cpu, gpu.cpu(), atol=1e-3, rtol=0)
