"""The fast rasteriser against loops over pixels, ray casting and hand-checked numbers."""

import pytest
import torch

from course_lib import cameras, meshes, zbuffer


def picture_of(mesh, camera, size=24):
    pixels, depth = cameras.project(mesh.vertices, camera, 1.2 * size, size, size)
    return zbuffer.draw_faces(pixels, depth, mesh.faces, size, size)


@pytest.mark.parametrize("mesh", [meshes.icosphere(1), meshes.box(1.1)])
def test_every_pixel_agrees_with_a_cast_ray(mesh):
    camera = cameras.look_at([1.3, 0.9, 2.5]).double()
    mesh = meshes.Mesh(mesh.vertices.double(), mesh.faces)
    fragments = picture_of(mesh, camera)
    origins, directions = cameras.camera_rays(24, 24, 1.2 * 24, camera)
    distance = cast(origins.reshape(-1, 3), directions.reshape(-1, 3), mesh).reshape(24, 24)
    hit = distance.isfinite()
    assert (hit == fragments.covered).double().mean() > 0.995  # edges may differ
    seen = fragments.interpolate(mesh.vertices[mesh.faces])
    places = origins + distance[..., None] * directions
    both = hit & fragments.covered
    torch.testing.assert_close(seen[both], places[both], atol=1e-6, rtol=0)


def cast(origins, directions, mesh):
    """The distance to the first face along each ray: o + t d = a + u (b − a) + v (c − a), solved."""
    a, b, c = mesh.vertices[mesh.faces].unbind(dim=1)
    columns = torch.stack(
        [
            (b - a).expand(len(origins), -1, 3),
            (c - a).expand(len(origins), -1, 3),
            -directions[:, None].expand(-1, len(a), 3),
        ],
        dim=-1,
    )
    u, v, t = torch.linalg.solve(columns, origins[:, None] - a).unbind(dim=-1)
    outside = (u < 0) | (v < 0) | (u + v > 1) | (t < 0)
    return t.masked_fill(outside, torch.inf).amin(dim=1)


def test_depth_is_along_the_optical_axis():
    sheet = meshes.Mesh(
        torch.tensor([[-9.0, -9, -3], [9, -9, -3], [0, 9, -3]]), torch.tensor([[0, 1, 2]])
    )
    fragments = picture_of(sheet, torch.eye(4))
    torch.testing.assert_close(fragments.depth, torch.full((24, 24), 3.0))


def test_barycentrics_are_perspective_correct():
    # A segment from depth 1 to depth 3 seen at the middle of its shadow: z̄ = 1/(½·1 + ½·⅓) = 1.5.
    pixels = torch.tensor([[0.0, -10.0], [0.0, 30.0], [11.0, 10.0]])
    fragments = zbuffer.draw_faces(pixels, torch.tensor([1.0, 3.0, 1.5]), _one(), 21, 1)
    assert fragments.depth[9, 0].item() == pytest.approx(1.5, abs=0.05)
    weights = fragments.barycentric[9, 0]
    assert weights.sum().item() == pytest.approx(1.0, abs=1e-6)
    assert (weights[0] / weights[1]).item() == pytest.approx(3.0, rel=0.15)


def test_the_nearer_face_is_seen_whatever_the_order():
    corners = torch.tensor([[-9.0, -9.0], [30.0, -9.0], [0.0, 30.0]]).repeat(2, 1)
    depth = torch.tensor([2.0, 2, 2, 1, 1, 1])
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]])
    assert (zbuffer.draw_faces(corners, depth, faces, 4, 4).face == 1).all()
    assert (zbuffer.draw_faces(corners, depth, faces.flip(0), 4, 4).face == 0).all()
    equal = zbuffer.draw_faces(corners, torch.ones(6), faces, 4, 4)
    assert (equal.face == 0).all()


def test_faces_behind_the_camera_degenerate_or_off_screen_are_not_drawn():
    corners = torch.tensor([[-9.0, -9.0], [30.0, -9.0], [0.0, 30.0], [5.0, 5.0]])
    behind = zbuffer.draw_faces(corners, torch.tensor([1.0, 1, -1, 1]), _one(), 4, 4)
    flat = zbuffer.draw_faces(corners, torch.ones(4), torch.tensor([[0, 0, 1]]), 4, 4)
    away = zbuffer.draw_faces(corners + 100, torch.ones(4), _one(), 4, 4)
    nothing = zbuffer.draw_faces(corners, torch.ones(4), torch.zeros(0, 3, dtype=int), 4, 4)
    for fragments in (behind, flat, away, nothing):
        assert not fragments.covered.any()
        assert fragments.depth.isinf().all()
    assert nothing.interpolate(torch.zeros(0, 3, 2)).shape == (4, 4, 2)


def test_pieces_do_not_change_the_picture(monkeypatch):
    mesh, camera = meshes.icosphere(2), cameras.look_at([0.0, 1.0, 2.5])
    whole = picture_of(mesh, camera)
    monkeypatch.setattr(zbuffer, "PAIRS_AT_ONCE", 100)
    pieces = picture_of(mesh, camera)
    assert torch.equal(whole.face, pieces.face)


def test_interpolated_values_are_differentiable():
    fragments = picture_of(meshes.icosphere(1), cameras.look_at([0.0, 0.0, 3.0]), 6)
    values = torch.rand(80, 3, 2, requires_grad=True)
    fragments.interpolate(values).sum().backward()
    assert values.grad.sum().item() == pytest.approx(2.0 * fragments.covered.sum().item(), rel=1e-4)


def test_an_empty_picture_is_refused():
    with pytest.raises(ValueError, match="at least 1 x 1"):
        zbuffer.draw_faces(torch.zeros(3, 2), torch.ones(3), _one(), 0, 4)


@pytest.mark.gpu
def test_the_gpu_draws_the_same():
    mesh, camera = meshes.icosphere(2), cameras.look_at([0.0, 1.0, 2.5])
    cpu, gpu = picture_of(mesh, camera), picture_of(mesh.to("cuda"), camera.cuda())
    assert (cpu.face == gpu.face.cpu()).float().mean() > 0.99


def _one() -> torch.Tensor:
    return torch.tensor([[0, 1, 2]])
