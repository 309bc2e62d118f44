"""Claims about Gaussian splatting: against loops over pixels, closed forms, and other formats."""

import struct
import sys
import time
from dataclasses import replace
from itertools import count

import pytest
import torch

from course_lib import nerf, splatting, volume
from course_lib.cameras import look_at, quaternion_to_matrix
from course_lib.data.scenes import load_scene
from course_lib.splatting import Gaussians, View
from course_lib.splatting.pairs import find_pairs


def some_gaussians(n=12, degree=2, seed=0, dtype=torch.float32):
    g = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=g, dtype=dtype)

    return Gaussians(
        0.5 * draw(n, 3),
        -1.5 + 0.5 * draw(n, 3),
        draw(n, 4),
        draw(n),
        0.3 * draw(n, (degree + 1) ** 2, 3),
    )


def some_view(size=(11, 14), dtype=torch.float32, lens=(0.0, 0.0, 0.0, 0.0)):
    camera = look_at([1.0, 0.8, 2.4]).to(dtype)
    intrinsics = torch.tensor([16.0, 15.0, size[1] / 2 + 0.4, size[0] / 2 - 0.3], dtype=dtype)
    return View(camera, intrinsics, torch.tensor(lens, dtype=dtype), size, 0.1)


def by_loop(gaussians, view, background):
    """The picture, pixel by pixel and Gaussian by Gaussian, as the paper says it."""
    pose, (fx, fy, cx, cy) = view.camera_to_world, view.intrinsics.tolist()
    color = gaussians.colors(view.eye)
    splats = []
    for i in range(len(color)):
        x, y, z = pose[:3, :3].T @ (gaussians.means[i] - pose[:3, 3])
        if -z < view.near:
            continue
        turn = quaternion_to_matrix(gaussians.quaternions[i])
        sigma = turn @ torch.diag(gaussians.log_scales[i].exp() ** 2) @ turn.T
        jac = torch.tensor([[-fx / z, 0, fx * x / z**2], [0, fy / z, -fy * y / z**2]])
        affine = jac.to(pose) @ pose[:3, :3].T
        flat = affine @ sigma @ affine.T + 0.3 * torch.eye(2)
        splats.append((-z, torch.stack([cx - fx * x / z, cy + fy * y / z]), flat, i))
    picture = torch.zeros(*view.size, 3)
    for row in range(view.size[0]):
        for column in range(view.size[1]):
            light = 1.0
            for _, center, flat, i in sorted(splats, key=lambda s: s[0].item()):
                d = torch.tensor([column + 0.5, row + 0.5]) - center
                alpha = gaussians.opacities[i] * torch.exp(-0.5 * d @ torch.linalg.solve(flat, d))
                if alpha < 1 / 255:
                    continue
                alpha = alpha.clamp(max=0.99)
                picture[row, column] += light * alpha * color[i]
                light = light * (1 - alpha)
            picture[row, column] += light * background
    return picture


@pytest.mark.parametrize("seed", range(3))
def test_the_picture_is_that_of_a_slow_loop_over_pixels(seed):
    gaussians, view = some_gaussians(seed=seed), some_view()
    got = splatting.render(gaussians, view, background=0.7)
    torch.testing.assert_close(got.color, by_loop(gaussians, view, 0.7), atol=1e-4, rtol=1e-4)


def test_the_gradients_are_right_in_double_precision():
    gaussians, view = some_gaussians(5, 1, dtype=torch.float64), some_view((6, 7), torch.float64)
    leaves = [x.requires_grad_() for x in gaussians]
    assert torch.autograd.gradcheck(
        lambda *parts: tuple(splatting.render(Gaussians(*parts), view)), leaves, atol=1e-6
    )


def test_strips_change_neither_the_picture_nor_the_gradient(monkeypatch):
    view, results = some_view((40, 30)), []
    for pairs in (1 << 22, 500):
        monkeypatch.setattr(sys.modules["course_lib.splatting.render"], "PAIRS", pairs)
        gaussians = Gaussians(*(x.requires_grad_() for x in some_gaussians(40)))
        color = splatting.render(gaussians, view).color
        results.append((color, torch.autograd.grad(color.square().sum(), gaussians.means)[0]))
    torch.testing.assert_close(results[0], results[1], atol=1e-4, rtol=1e-4)


def test_pairs_are_exactly_the_pixels_within_reach():
    centers = torch.tensor([[3.2, 4.1], [-2.0, 5.0], [8.0, 20.0], [5.0, 5.0]])
    conics = torch.tensor([[0.5, 0.2, 0.3], [0.05, 0.0, 0.4], [1.0, 0.0, 1.0], [1.0, 0.5, 2.0]])
    opacities = torch.tensor([0.9, 0.8, 0.9, 0.003])
    got = find_pairs(centers, conics, opacities, (9, 12))
    found = {tuple(x) for x in torch.stack(got, 1).tolist()}
    expected = set()
    for i in range(4):
        for row in range(9):
            for column in range(12):
                d = torch.tensor([column + 0.5, row + 0.5]) - centers[i]
                alpha = splatting.splat_alpha(d, conics[i], opacities[i])
                if alpha >= 1 / 255:
                    expected.add((i, column, row))
    assert found == expected and len(found) == len(got.splat)


def test_the_sum_over_splats_is_nerfs_sum():
    alphas = torch.rand(5, 4)
    colors, depths = torch.rand(4, 3), torch.tensor([3.0, 1.0, 4.0, 2.0])
    order = [1, 3, 0, 2]
    weights = volume.compositing_weights(-torch.log(1 - alphas[:, order]), torch.ones(5, 4))
    expected = (weights[..., None] * colors[order]).sum(1)
    torch.testing.assert_close(splatting.blend_splats(alphas, colors, depths), expected)


def test_a_projected_covariance_is_that_of_projected_samples():
    """Many points of a small Gaussian, each projected exactly."""
    gaussians, view = some_gaussians(3), some_view()
    gaussians = gaussians._replace(log_scales=gaussians.log_scales - 3)
    splats = splatting.project_gaussians(gaussians, view)
    for place, i in enumerate(splats.index.tolist()):
        noise = torch.randn(200_000, 3, generator=torch.Generator().manual_seed(i))
        points = gaussians.means[i] + noise @ torch.linalg.cholesky(gaussians.covariances[i]).T
        q = (points - view.eye) @ view.camera_to_world[:3, :3]
        x = torch.stack([16.0 * q[:, 0] / -q[:, 2], -15.0 * q[:, 1] / -q[:, 2]], -1)
        exact = torch.cov(x.T)
        got = splats.covariances[place] - 0.3 * torch.eye(2)
        torch.testing.assert_close(got, exact, atol=2e-3, rtol=0.05)


def test_splats_bend_with_the_lens_as_the_rays_do():
    lens = (-0.2, 0.05, 0.01, -0.02)
    scene = load_scene(downscale=4).select([3])
    scene = replace(scene, distortion=torch.tensor([lens]))
    origins, directions = scene.rays(0)
    points = (origins + 3.0 * directions)[::6, ::6].reshape(-1, 3)
    n = len(points)
    gaussians = Gaussians(
        points, torch.zeros(n, 3), torch.ones(n, 4), torch.zeros(n), torch.zeros(n, 1, 3)
    )
    splats = splatting.project_gaussians(gaussians, splatting.view_of(scene, 0, near=0.1))
    y, x = torch.meshgrid(torch.arange(25)[::6] + 0.5, torch.arange(25)[::6] + 0.5, indexing="ij")
    expected = torch.stack([x, y], -1).reshape(-1, 2)
    torch.testing.assert_close(splats.centers, expected[splats.index], atol=1e-2, rtol=0)


def test_two_halves_of_a_gaussian_show_what_it_showed():
    one = some_gaussians(1, 0)._replace(opacity_logits=torch.tensor([1.0]))
    half, size = splatting.split_in_two(one.opacities)
    two = Gaussians(*(x.expand(2, *x.shape[1:]) for x in one))
    two = two._replace(
        opacity_logits=half.logit().expand(2), log_scales=two.log_scales + size.log()
    )
    view = some_view()
    before, after = (splatting.render(g, view).opacity for g in (one, two))
    assert (before - after).abs().max() < 0.06
    assert after.sum().item() == pytest.approx(before.sum().item(), rel=0.06)


def test_densifying_drops_the_dead_and_splits_the_others_up_to_the_limit():
    gaussians = some_gaussians(20)
    logits = torch.full((20,), 1.0)
    logits[:5] = -9.0
    gaussians = gaussians._replace(opacity_logits=logits)
    new, index, kept = splatting.densify(gaussians, 22, torch.Generator().manual_seed(0))
    assert len(new.means) == 22 and index.min() >= 5 and kept == 8
    assert new.means[:kept].equal(gaussians.means[index[:kept]])
    middle = (new.means[kept : kept + 7] + new.means[kept + 7 :]) / 2
    torch.testing.assert_close(middle, gaussians.means[index[kept : kept + 7]])


@pytest.fixture(scope="module")
def tiny():
    """The desk at 25 × 25."""
    return (
        load_scene(downscale=4),
        load_scene(split="test", downscale=4).select(slice(0, 20, 4)),
    )


@pytest.fixture(scope="module")
def trained(tiny):
    """A field after 300 steps."""
    field = splatting.SplatField(tiny[0], most=500)
    history = nerf.train(field, tiny[0], seconds=1e6, steps=300)
    return field, history


def test_the_field_trains_and_is_scored_as_the_others_are(tiny, trained):
    field, history = trained
    assert history.losses[-1] < 0.5 * history.losses[0] and field.progress > 0.9
    assert nerf.evaluate(field, tiny[1])["psnr"] > 22
    assert len(field.gaussians.means) == 500


def test_photographs_without_alpha_before_far_things_are_learned_too(tiny):
    from test_nerf import open_capture

    scene = open_capture()
    field = splatting.SplatField(scene, most=800)
    assert field.region.contracted
    nerf.train(field, scene, seconds=1e6, steps=200)
    assert nerf.evaluate(field, scene.select([0, 7]))["psnr"] > 17


@pytest.mark.parametrize("seconds_a_step", [1e-3, 2.0])
def test_the_same_seed_gives_the_same_field_on_a_slow_machine_too(tiny, seconds_a_step):
    pictures = []
    for clock in (time.perf_counter, count(0.0, seconds_a_step).__next__):
        field = splatting.SplatField(tiny[0], most=200, seed=3)
        nerf.train(field, tiny[0], seconds=1e6, steps=30, clock=clock)
        pictures.append(field.view(tiny[1], 0).color)
    assert pictures[0].equal(pictures[1])


def test_the_monitor_finds_dead_and_healthy_splats(tiny):
    for logit, expected in ((-30.0, ["dead density"]), (0.0, [])):
        field = splatting.SplatField(tiny[0], most=200)
        with torch.no_grad():
            field.gaussians.opacity_logits.fill_(logit)
        found = nerf.health.check_field(field, tiny[0])
        assert [finding.fault for finding in found] == expected


def test_the_mesh_of_a_trained_field_is_near_the_true_one(tiny, trained):
    from course_lib.meshes import sample_surface
    from course_lib.meshes.files import load_mesh
    from course_lib.shipped import asset

    mesh = splatting.extract_mesh(trained[0], tiny[0], resolution=40)
    p, q = (
        sample_surface(mesh, 1500)[0],
        sample_surface(load_mesh(asset("scene/mesh.ply")), 1500)[0],
    )
    distance = torch.cdist(p, q)
    assert distance.amin(0).median() < 0.1 and distance.amin(1).median() < 0.1


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_gaussians_come_back_from_a_file(tmp_path, degree):
    gaussians = some_gaussians(degree=degree)
    splatting.save_ply(tmp_path / "splats.ply", gaussians)
    for got, expected in zip(splatting.load_ply(tmp_path / "splats.ply"), gaussians, strict=True):
        assert got.equal(expected)


def test_a_file_of_the_original_layout_is_read_by_its_names(tmp_path):
    """Written here by hand, as the original writes it: channels of f_rest one after the other."""
    names = [*"xyz", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"] + [
        f"f_rest_{i}" for i in range(9)
    ]
    names += ["opacity", *(f"scale_{i}" for i in range(3)), *(f"rot_{i}" for i in range(4))]
    header = ["ply", "format binary_little_endian 1.0", "element vertex 1"]
    header += [f"property float {name}" for name in names] + ["end_header", ""]
    values = struct.pack("<26f", *range(26))
    (tmp_path / "one.ply").write_bytes("\n".join(header).encode() + values)
    got = splatting.load_ply(tmp_path / "one.ply")
    assert got.means.tolist() == [[0, 1, 2]] and got.opacity_logits.tolist() == [18]
    assert got.harmonics[0].tolist() == [[6, 7, 8], [9, 12, 15], [10, 13, 16], [11, 14, 17]]
    assert got.log_scales.tolist() == [[19, 20, 21]] and got.quaternions.tolist() == [
        [22, 23, 24, 25]
    ]


def test_a_file_without_gaussians_is_refused(tmp_path):
    from course_lib.points.files import save_cloud

    save_cloud(tmp_path / "cloud.ply", torch.rand(5, 3))
    with pytest.raises(ValueError, match=r"cloud.ply: expected Gaussians.*f_dc_0"):
        splatting.load_ply(tmp_path / "cloud.ply")


def test_the_view_of_splats_follows_the_camera_and_has_a_static_twin(trained):
    from course_lib import widgets

    explorer = widgets.view_splats(trained[0], alt="The desk.", size=60)
    before = explorer.shown[1].picture
    if explorer.scenes:
        explorer.scenes[0].plot.camera = [0, 4, 0.1, 0, 0, 0, 0, 1, 0]
        assert (explorer.shown[1].picture != before).any()
    explorer.controls["zoom"].value = 2.0
    assert "centres" in explorer.text or explorer.picture.shape[0] > 60


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_splats_train_on_a_gpu_and_show_what_the_cpu_shows(tiny):
    scene, test = (s.to("cuda") for s in tiny)
    field = splatting.SplatField(scene, most=500)
    nerf.train(field, scene, seconds=1e6, steps=100)
    here = splatting.view_of(tiny[1], 0, near=field.near)
    there = splatting.view_of(test, 0, near=field.near)
    on_cpu = splatting.render(Gaussians(*(x.cpu() for x in field.gaussians)), here).color
    on_gpu = splatting.render(field.gaussians, there).color.cpu()
    torch.testing.assert_close(on_gpu, on_cpu, atol=1e-3, rtol=1e-3)
