"""The procedural families: inside the cube, connected, deterministic, with sensible parts."""

import time

import pytest
import torch

from course_lib import meshes, shapes
from course_lib.shapes import FAMILIES, make_shape

SEEDS = range(10)


def cube_surface() -> torch.Tensor:
    points, _ = meshes.sample_surface(meshes.box(2.0), 4000)
    return points


def test_there_are_at_least_six_families():
    assert {"chair", "table", "lamp", "mug", "aeroplane", "bottle"} <= set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_objects_take_up_space(family):
    inner = torch.rand(20_000, 3) * 2 - 1
    for seed in SEEDS:
        shape = make_shape(family, seed)
        assert 0.005 < (shape.sdf(inner) < 0).float().mean() < 0.6, shape.name


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_but_the_top_of_a_lamp_in_six_leaves_the_cube(family):
    border, seeds = cube_surface(), range(100)
    out = [border[make_shape(family, seed).sdf(border) <= 0] for seed in seeds]
    assert all((points[:, 1] > 0.999).all() for points in out)
    assert not any(map(len, out[: len(SEEDS)])), "other tests take these"
    share = sum(len(points) > 0 for points in out) / len(seeds)
    assert 0.1 < share < 0.25 if family == "lamp" else share == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_objects_are_in_one_piece_and_closed(family):
    for seed in SEEDS[::3]:
        mesh = make_shape(family, seed).mesh(48)
        assert meshes.is_watertight(mesh) and mesh.volume() > 0
        assert meshes.component_count(mesh) == 1, f"{family}-{seed}"
    if family == "mug":
        assert meshes.genus(mesh) == 1  # the hole of the handle


@pytest.mark.parametrize("family", FAMILIES)
def test_the_seed_decides_the_object(family):
    points = torch.rand(500, 3) * 2 - 1
    first, again, other = make_shape(family, 3), make_shape(family, 3), make_shape(family, 4)
    assert torch.equal(first.sdf(points), again.sdf(points))
    assert torch.equal(first.part_colors, again.part_colors)
    assert not torch.allclose(first.sdf(points), other.sdf(points))
    assert first.name == again.name == f"{family}-3"


def test_objects_are_the_same_on_every_machine():
    values = [float(make_shape(f, 7).sdf(torch.tensor([0.1, 0.2, 0.3]))) for f in FAMILIES]
    expected = [0.125008, -0.051485, -0.013857, 0.01679, 0.093993, 0.025936]
    assert values == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_part_occurs_and_labels_agree_with_the_parts(family):
    shape = make_shape(family, 2)
    points, _ = meshes.sample_surface(shape.mesh(40), 4000)
    labels = shape.part_labels(points)
    assert labels.unique().tolist() == list(range(len(shape.part_names)))
    for part, sdf in enumerate(shape.part_sdfs):
        assert sdf(points[labels == part]).abs().max() < 0.06  # the surface is near that part
    assert torch.equal(shape.colors(points), shape.part_colors[labels])
    assert shape.part_colors.min() >= 0 and shape.part_colors.max() <= 1


@pytest.mark.parametrize("family", FAMILIES)
def test_distances_never_exceed_the_distance_to_the_surface(family):
    shape = make_shape(family, 1)
    surface, _ = meshes.sample_surface(shape.mesh(64), 20_000)
    points = torch.rand(300, 3) * 2 - 1
    nearest = torch.cdist(points, surface).amin(dim=1)
    assert (shape.sdf(points).abs() - nearest).max() < 0.03


def test_a_grid_of_an_object_is_quick():
    grid = meshes.lattice(63)
    start = time.process_time()
    for family in FAMILIES:
        make_shape(family, 0).sdf(grid)
    assert (time.process_time() - start) / len(FAMILIES) < 0.2


def test_an_unknown_family_is_refused():
    with pytest.raises(ValueError, match="chair, table"):
        make_shape("unicorn")


def test_cone_agrees_with_points_on_its_surface():
    sdf = shapes.cone(0.7, 0.3, 1.0)
    angle, t = torch.rand(20_000) * 6.2832, torch.rand(20_000)
    radius = 0.7 - 0.4 * t
    side = torch.stack([radius * angle.cos(), t - 0.5, radius * angle.sin()], dim=1)
    disc = torch.rand(20_000).sqrt()
    low = torch.stack([0.7 * disc * angle.cos(), 0 * t - 0.5, 0.7 * disc * angle.sin()], dim=1)
    high = torch.stack([0.3 * disc * angle.cos(), 0 * t + 0.5, 0.3 * disc * angle.sin()], dim=1)
    points = torch.rand(300, 3) * 2 - 1
    nearest = torch.cdist(points, torch.cat([side, low, high])).amin(dim=1)
    assert (sdf(points).abs() - nearest).abs().max() < 0.02
    inside = (points[:, 1].abs() < 0.5) & (points[:, [0, 2]].norm(dim=1) < 0.5 - 0.4 * points[:, 1])
    assert torch.equal(sdf(points) < 0, inside)
