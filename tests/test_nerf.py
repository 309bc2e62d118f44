"""Claims about radiance fields: they learn, survive interrupts, and the monitor knows their faults."""

import math
import os
import signal
from dataclasses import replace

import pytest
import torch

from course_lib import nerf
from course_lib.cameras import look_at, spherical_cameras
from course_lib.data.scenes import Photographs, load_scene
from course_lib.nerf.limits import Limits
from course_lib.nerf.pixels import seen_by
from course_lib.nerf.region import focus
from course_lib.shipped import asset

LONG = int(os.environ.get("COURSE_SEEDS", "1")) >= 10  # the whole proof of the monitor: minutes


@pytest.fixture(scope="module")
def tiny():
    """The desk at 25 × 25, every other view."""
    return (
        load_scene(downscale=4).select(slice(0, 100, 2)),
        load_scene(split="test", downscale=4).select(slice(0, 20, 4)),
    )


@pytest.fixture(scope="module")
def trained(tiny):
    """A voxel field that has seen a hundred steps."""
    field = nerf.VoxelField(tiny[0], resolution=40)
    train(field, tiny[0], 100)
    return field


@pytest.fixture(scope="module")
def half():
    """The desk at 50 × 50, fewer views."""
    return load_scene(downscale=2).select(slice(0, 100, 3))


SMALL = Limits(24, 50_000, 1 << 13, 512)  # of a slow machine


def small_network(scene, seed=0):
    return nerf.MLPField(
        scene, width=32, depth=3, coarse=8, fine=8, batch=256, learning_rate=5e-3, seed=seed
    )


def opaque(scene, background=1.0):
    """The photographs over a colour, without alpha."""
    rgb = (scene.colors(background) * 255).round().to(torch.uint8)
    return replace(scene, images=torch.cat([rgb, torch.full_like(rgb[..., :1], 255)], dim=-1))


def train(field, scene, steps, **more):
    return nerf.train(field, scene, seconds=1e6, steps=steps, **more)


def test_psnr_of_an_error_of_a_tenth_is_twenty():
    a = torch.rand(2, 5, 4, 3) * 0.5
    torch.testing.assert_close(nerf.psnr(a, a + 0.1), torch.full((2,), 20.0), atol=1e-3, rtol=0)


def test_ssim_agrees_with_scikit_image():
    from skimage.metrics import structural_similarity

    g = torch.Generator().manual_seed(0)
    a = torch.rand(32, 40, 3, generator=g)
    b = (a + 0.1 * torch.randn(32, 40, 3, generator=g)).clamp(0, 1)
    expected = structural_similarity(
        a.numpy(), b.numpy(), channel_axis=-1, data_range=1.0, gaussian_weights=True,
        sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    assert nerf.ssim(a, b).item() == pytest.approx(expected, abs=1e-3)
    assert nerf.ssim(a, a).item() == pytest.approx(1.0, abs=1e-5)


def test_the_voxel_field_learns_the_desk_in_a_hundred_steps(tiny, trained):
    assert nerf.evaluate(trained, tiny[1])["psnr"] > 21


def test_the_rays_of_a_pixel_are_those_of_the_finer_picture(tiny):
    photos, _ = tiny
    height, width = photos.size
    pixel = torch.tensor([3 * height * width + 2 * width + 5])  # row 2, column 5 of photograph 3
    (origins, directions), _ = seen_by(photos, pixel, supersample=2)
    fine = photos.rays(3, supersample=2)
    for got, of_all in zip((origins, directions), fine, strict=True):
        torch.testing.assert_close(got, of_all[4:6, 10:12].reshape(4, 3))


def test_once_each_pixel_was_seen_twice_four_rays_stand_for_it(tiny):
    photos, _ = tiny
    field = nerf.VoxelField(photos, resolution=24)
    seen = []
    train(
        field, photos, 100, on_step=lambda step, _: seen.append((field.supersample, field.passes))
    )
    for step, (rays, passes) in enumerate(seen):
        assert rays == (2 if step >= 40 and passes >= 2 else 1)
    assert seen[0][0] == 1 and seen[-1][0] == 2
    shown = field.view(photos, 0)
    torch.testing.assert_close(shown.color, field.view(photos, 0, supersample=2).color)
    assert not torch.allclose(shown.color, field.view(photos, 0, supersample=1).color)


def test_the_hash_field_learns_the_desk_too(tiny):
    field = nerf.HashField(tiny[0], resolution=32, rows=1 << 12)
    field.limits = Limits(32, 50_000, 1 << 14, 1024)
    history = train(field, tiny[0], 81)
    assert history.losses[-1] < 0.3 * history.losses[0]
    assert nerf.evaluate(field, tiny[1])["psnr"] > 18


@pytest.mark.parametrize("background", [0.0, 1.0])
def test_photographs_without_alpha_before_one_colour_are_learned_too(tiny, background):
    scene = opaque(tiny[0], background).select(range(0, 50, 2))
    field = nerf.VoxelField(scene, resolution=20)
    field.limits = SMALL
    assert not field.region.contracted and field.background.eq(background).all()
    history = train(field, scene, 41)
    assert history.losses[-1] < 0.5 * history.losses[0]


def open_capture(scale=1.0, offset=0.0, n=16, size=24):
    """A ring of cameras looks at a striped ball before far, coloured surroundings; no alpha."""
    pose = look_at(spherical_cameras(n, 3.0, elevation=(15, 30))[:, :3, 3])
    intrinsics = torch.tensor([28.0, 28.0, size / 2, size / 2]).expand(n, 4)
    blank = torch.full((n, size, size, 4), 255, dtype=torch.uint8)
    scene = Photographs(blank, pose, intrinsics, torch.zeros(n, 4), tuple(map(str, range(n))))
    for index in range(n):
        o, d = scene.rays(index)
        b = (o * d).sum(-1)
        inside = b**2 - (o**2).sum(-1) + 0.64
        hit = o - (b + inside.clamp(min=0).sqrt())[..., None] * d
        color = torch.where(inside[..., None] > 0, 0.5 + 0.5 * torch.sin(6 * hit), 0.5 + 0.5 * d)
        blank[index, ..., :3] = (color * 255).byte()
    pose = pose.clone()
    pose[:, :3, 3] = pose[:, :3, 3] * scale + offset
    return replace(scene, camera_to_world=pose)


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (100.0, 700.0)])
def test_captures_without_alpha_are_learned_wherever_and_however_large_they_are(scale, offset):
    scene = open_capture(scale, offset)
    field = nerf.VoxelField(scene, resolution=40)
    field.limits = Limits(40, 50_000, 1 << 14, 512)
    train(field, scene, 60)
    assert field.region.contracted
    assert nerf.evaluate(field, scene.select([0, 7]))["psnr"] > 14


def test_the_network_learns_with_and_without_a_fine_one(tiny):
    for fine in (0, 8):
        field = nerf.MLPField(
            tiny[0], width=32, depth=3, coarse=8, fine=fine, batch=256, learning_rate=5e-3
        )
        history = train(field, tiny[0], 81)
        assert min(history.losses[-3:]) < 0.75 * history.losses[0]


def test_the_papers_network_has_the_papers_shape():
    network = nerf.RadianceMLP()
    sizes = [(layer.in_features, layer.out_features) for layer in network.trunk]
    assert sizes[0] == (63, 256) and sizes[4] == (319, 256) and len(sizes) == 8
    assert network.color[0].in_features == 256 + 27
    assert 550_000 < sum(p.numel() for p in network.parameters()) < 650_000


def test_density_of_the_network_ignores_the_direction():
    network = nerf.RadianceMLP(32, 4)
    x, d, e = torch.rand(3, 20, 3)
    assert network(x, d)[0].equal(network(x, e)[0]) and not network(x, d)[1].equal(network(x, e)[1])


def test_an_interrupted_training_leaves_a_usable_field_and_resumes(tiny):
    field = nerf.VoxelField(tiny[0], resolution=24)
    field.limits = SMALL

    def stop(step, seconds):
        if step == 20:
            os.kill(os.getpid(), signal.SIGINT)

    history = train(field, tiny[0], 60, on_step=stop)
    assert history.steps[-1] == 20 and 0.2 < field.progress < 0.5
    before = nerf.evaluate(field, tiny[1].select([0, 1]))["psnr"]
    resumed = train(field, tiny[0], 40)
    assert resumed.losses[0] < history.losses[0] and field.progress > 0.9
    assert nerf.evaluate(field, tiny[1].select([0, 1]))["psnr"] > before


def test_an_interrupt_in_the_middle_of_a_step_leaves_a_usable_field_too(tiny):
    field = small_network(tiny[0])

    def stop(step, seconds):
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(field, tiny[0], 20, on_step=stop)
    assert 0 < field.progress < 0.5
    history = train(field, tiny[0], 20)
    assert history.steps[-1] >= 10 and field.progress > 0.9
    assert torch.isfinite(torch.tensor(history.losses)).all()


def test_the_mesh_of_a_trained_field_is_near_the_true_one(trained):
    from course_lib.meshes import sample_surface
    from course_lib.meshes.files import load_mesh

    mesh = nerf.extract_mesh(trained, resolution=48, smooth=False)
    p = sample_surface(mesh, 1500)[0]
    q = sample_surface(load_mesh(asset("scene/mesh.ply")), 1500)[0]
    distance = torch.cdist(p, q)
    assert distance.amin(0).median() < 0.08 and distance.amin(1).median() < 0.08


@pytest.mark.extra
def test_a_field_of_distances_learns_and_its_surface_is_near_the_true_one(tiny):
    from course_lib.meshes import sample_surface
    from course_lib.meshes.files import load_mesh

    field = nerf.SurfaceField(tiny[0], resolution=36)
    before = nerf.evaluate(field, tiny[1])["psnr"]
    nerf.train(field, tiny[0], seconds=1e9, steps=150)
    assert nerf.evaluate(field, tiny[1])["psnr"] > before + 3
    mesh = nerf.extract_mesh(field, resolution=40)
    p = sample_surface(mesh, 1500)[0]
    q = sample_surface(load_mesh(asset("scene/mesh.ply")), 1500)[0]
    distance = torch.cdist(p, q)
    assert distance.amin(0).median() < 0.08 and distance.amin(1).median() < 0.08


def test_the_mesh_of_an_untrained_field_is_said_to_be_of_haze(tiny):
    with pytest.warns(UserWarning, match="nothing is dense enough"):
        mesh = nerf.extract_mesh(nerf.VoxelField(tiny[0], resolution=16), resolution=16)
    assert len(mesh.faces) > 0
    field = nerf.SurfaceField(tiny[0], resolution=16)
    with torch.no_grad():
        field.grid.tables[0].abs_().add_(0.1)
    with pytest.warns(UserWarning, match="nothing is dense enough"):
        assert len(nerf.extract_mesh(field, resolution=16).faces) > 0


class _OnlyTheSides(nerf.VoxelField):
    """Dense where its region ends, which no mesh can close, and faintly in the middle."""

    def density(self, points):
        unit = self.region.to_unit(points).abs().amax(-1)
        return 1e4 * (unit > 0.99) + 0.1 * (unit < 0.5)


def test_what_lies_on_the_region_s_sides_is_no_surface_yet_there_is_a_mesh(tiny):
    field = _OnlyTheSides(tiny[0], resolution=16)
    with pytest.warns(UserWarning, match="nothing is dense enough"):
        mesh = nerf.extract_mesh(field, resolution=16, smooth=False)
    assert len(mesh.faces) > 0 and field.region.to_unit(mesh.vertices).abs().max() < 0.7


def test_an_orbit_starts_at_the_first_photograph_and_keeps_the_scene_s_own_up(tiny):
    scene = tiny[0]
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1)))[0]
    turn = turn * torch.det(turn)  # the same scene in a world that lies askew
    moved = scene.camera_to_world.clone()
    moved[:, :3] = turn @ moved[:, :3]
    askew = replace(scene, camera_to_world=moved)
    eye = scene.camera_to_world[0, :3, 3] - focus(scene.camera_to_world)
    rise = math.degrees(math.asin(eye[1] / eye.norm()))
    start = nerf.orbit(askew, 0.0, rise).camera_to_world[0]
    expected = turn @ (eye / eye.norm())
    torch.testing.assert_close(start[:3, 2], expected, atol=0.02, rtol=0)
    assert (start[:3, 1] @ turn[:, 1]) > 0.5  # up in the picture is up in the world
    quarter = nerf.orbit(askew, 90.0, 0.0).camera_to_world[0]
    assert abs(quarter[:3, 2] @ nerf.orbit(askew, 0.0, 0.0).camera_to_world[0, :3, 2]) < 1e-4


def faults(monitor):
    return [finding.fault for finding in monitor.findings]


def monitored(field, scene, steps=101):
    monitor = nerf.HealthMonitor(field, scene, at=(100,))
    train(field, scene, steps, on_step=monitor.on_step)
    return faults(monitor)


@pytest.mark.parametrize("signs", [(1, -1, -1), (-1, -1, 1), (-1, 1, -1)])
def test_flipped_poses_are_recognised(half, signs):
    pose = half.camera_to_world.clone()
    pose[:, :3, :3] *= torch.tensor(signs)
    assert [f.fault for f in nerf.check_scene(replace(half, camera_to_world=pose))] == [
        "flipped poses"
    ]


@pytest.mark.parametrize("factor", [0.5, 0.7, 1.4, 2.0] if LONG else [0.5, 1.4])
def test_a_wrong_focal_length_is_recognised(half, factor):
    wrong = half.intrinsics * torch.tensor([factor, factor, 1, 1])
    found = nerf.check_scene(replace(half, intrinsics=wrong))
    assert [f.fault for f in found] == ["wrong focal length"]


def test_training_on_wrong_cameras_does_not_crash(tiny):
    pose = tiny[0].camera_to_world.clone()
    pose[:, :3, 1:3] *= -1
    scene = replace(tiny[0], camera_to_world=pose)
    assert monitored(nerf.VoxelField(scene, resolution=16), scene, 3) == ["flipped poses"]


def test_a_wrong_background_is_recognised(tiny):
    scene = opaque(tiny[0], 0.0)
    field = nerf.VoxelField(scene, resolution=16)
    field.background = torch.ones(3)
    assert faults(nerf.HealthMonitor(field, scene)) == ["wrong background"]


def test_a_dead_density_is_recognised(tiny):
    field = nerf.VoxelField(tiny[0], resolution=16)
    field.limits, field.density_shift = SMALL, -100.0
    assert monitored(field, tiny[0]) == ["dead density"]
    network = nerf.MLPField(tiny[0], width=16, depth=2, coarse=6, fine=0, batch=64)
    torch.nn.init.constant_(network.coarse.density.bias, -200.0)
    assert monitored(network, tiny[0]) == ["dead density"]


def test_white_collapse_is_recognised(tiny):
    field = nerf.VoxelField(tiny[0], resolution=16)
    field.limits = SMALL
    field.density_shift = -6.2  # almost transparent, but the gradient is alive
    field.learning_rate = 1e-5
    assert monitored(field, tiny[0]) == ["white collapse"]


@pytest.mark.parametrize("kind", ["voxels", "network"])
@pytest.mark.parametrize("seed", range(10 if LONG else 2))
def test_healthy_trainings_are_left_in_peace(tiny, seed, kind):
    """With COURSE_SEEDS=10: ten seeds, two hundred steps, looked at from the tenth on."""
    generator = torch.Generator().manual_seed(seed)
    scene = tiny[0].select(range(seed % 2, 50, 2))
    if kind == "voxels":
        field = nerf.VoxelField(scene, resolution=24)
        field.limits = field.limits if LONG else SMALL
    else:
        field = small_network(scene, seed)
    looks = tuple(range(10, 200, 19)) if LONG else (10, 30)
    monitor = nerf.HealthMonitor(field, scene, at=looks)
    train(field, scene, looks[-1] + 1, on_step=monitor.on_step, generator=generator)
    assert faults(monitor) == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_all_fields_train_on_a_gpu(tiny):
    scene, test = (s.to("cuda") for s in tiny)
    for field in (
        nerf.VoxelField(scene),
        nerf.HashField(scene),
        nerf.MLPField(scene, width=64, depth=4, coarse=16, fine=16),
    ):
        train(field, scene, 200, generator=torch.Generator("cuda").manual_seed(0))
        assert nerf.evaluate(field, test)["psnr"] > 15
