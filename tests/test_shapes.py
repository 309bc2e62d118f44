"""The signed distance functions against closed forms and against distances to sampled surfaces."""

import doctest
import math
from importlib import import_module

import pytest
import torch

from course_lib import meshes, shapes

SOLIDS = {  # name -> (SDF, volume)
    "sphere": (shapes.sphere(0.7, (0.1, -0.1, 0.2)), 4 / 3 * math.pi * 0.7**3),
    "box": (shapes.box((1.2, 0.8, 1.6)), 1.2 * 0.8 * 1.6),
    "rounded_box": (
        shapes.rounded_box(1.4, 0.2),  # inner cube, six slabs, edges in quarters, corners
        1.0 + 6 * 0.2 + 12 * math.pi * 0.2**2 / 4 + 4 / 3 * math.pi * 0.2**3,
    ),
    "torus": (shapes.torus(0.6, 0.25), 2 * math.pi**2 * 0.6 * 0.25**2),
    "cylinder": (shapes.cylinder(0.5, 1.5, (0, 0.1, 0)), math.pi * 0.25 * 1.5),
    "capsule": (
        shapes.capsule((-0.4, 0, -0.3), (0.4, 0, 0.3), 0.3),
        math.pi * 0.09 * 1.0 + 4 / 3 * math.pi * 0.027,
    ),
}


def grid(resolution: int) -> torch.Tensor:
    line = -1 + (2 * torch.arange(resolution) + 1) / resolution
    return torch.stack(torch.meshgrid(line, line, line, indexing="ij"), dim=-1)


@pytest.mark.parametrize("name", SOLIDS)
def test_primitive_encloses_its_closed_form_volume(name):
    sdf, volume = SOLIDS[name]
    inside = (sdf(grid(80)) < 0).double().mean() * 8
    assert float(inside) == pytest.approx(volume, rel=0.012)


@pytest.mark.parametrize("name", SOLIDS)
def test_primitive_has_unit_gradient_almost_everywhere(name):
    points = (torch.rand(2000, 3, dtype=torch.float64) * 2 - 1).requires_grad_()
    (gradient,) = torch.autograd.grad(SOLIDS[name][0](points).sum(), points)
    assert torch.isfinite(gradient).all()
    assert (gradient.norm(dim=1) - 1).abs().max() < 1e-9


@pytest.mark.parametrize("name", SOLIDS)
def test_gradient_is_finite_at_the_centre(name):
    points = torch.zeros(1, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(SOLIDS[name][0](points).sum(), points)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(
    "sdf, mesh",
    [
        (shapes.box((1.0, 0.6, 1.4)), meshes.box((1.0, 0.6, 1.4))),
        (shapes.torus(0.6, 0.2), meshes.torus(0.6, 0.2, 200, 100)),
        (shapes.sphere(0.8), meshes.icosphere(5, 0.8)),
    ],
)
def test_distance_agrees_with_the_nearest_of_many_surface_points(sdf, mesh):
    points = torch.rand(200, 3) * 2.4 - 1.2
    surface, _ = meshes.sample_surface(mesh, 60_000, generator=torch.Generator().manual_seed(1))
    nearest = torch.cdist(points, surface).amin(dim=1)
    assert (sdf(points).abs() - nearest).abs().max() < 0.02


def test_points_of_any_batch_shape_dtype_keep_both():
    sdf = shapes.union(shapes.sphere(), shapes.box())
    assert sdf(torch.rand(2, 3, 4, 3)).shape == (2, 3, 4)
    assert sdf(torch.rand(5, 3, dtype=torch.float64)).dtype == torch.float64
    assert sdf(torch.zeros(3)).shape == ()


def test_set_operations_have_the_sign_of_boolean_operations():
    a, b, points = shapes.sphere(0.7), shapes.box(1.0, (0.4, 0, 0)), torch.rand(5000, 3) * 2 - 1
    inside_a, inside_b = a(points) < 0, b(points) < 0
    assert torch.equal(shapes.union(a, b)(points) < 0, inside_a | inside_b)
    assert torch.equal(shapes.intersection(a, b)(points) < 0, inside_a & inside_b)
    assert torch.equal(shapes.difference(a, b)(points) < 0, inside_a & ~inside_b)


def test_smooth_union_contains_the_union_and_adds_at_most_a_quarter_of_the_blend():
    a, b, points = shapes.sphere(0.5), shapes.box(0.8, (0.6, 0, 0)), torch.rand(5000, 3) * 2 - 1
    added = shapes.union(a, b)(points) - shapes.smooth_union(a, b, 0.2)(points)
    assert added.min() >= 0 and 0.04 < added.max() <= 0.05 + 1e-6


def test_transforms_agree_with_transforming_the_points():
    sdf, points = shapes.box((0.4, 0.8, 1.2), (0.1, 0.2, 0.3)), torch.rand(500, 3) * 2 - 1
    cos, sin = math.cos(0.5), math.sin(0.5)
    about_y = torch.tensor([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    turned = shapes.rotate(sdf, 1, math.degrees(0.5))
    torch.testing.assert_close(turned(points @ about_y.T), sdf(points), atol=1e-5, rtol=1e-5)
    moved = shapes.translate(sdf, (0.3, -0.2, 0.1))
    torch.testing.assert_close(moved(points + torch.tensor([0.3, -0.2, 0.1])), sdf(points))
    torch.testing.assert_close(shapes.scale(sdf, 2.0)(2 * points), 2 * sdf(points))


def test_mirror_repeats_the_positive_side():
    sdf, points = shapes.sphere(0.2, (0.5, 0.1, 0.5)), torch.rand(500, 3) * 2 - 1
    four = [shapes.sphere(0.2, (x, 0.1, z)) for x in (-0.5, 0.5) for z in (-0.5, 0.5)]
    torch.testing.assert_close(shapes.mirror(sdf, 0, 2)(points), shapes.union(*four)(points))


def test_shell_and_offset_have_the_closed_form_of_the_sphere():
    points = torch.rand(500, 3) * 2 - 1
    radius = points.norm(dim=1)
    wall = shapes.shell(shapes.sphere(0.6), 0.2)
    torch.testing.assert_close(wall(points), (radius - 0.6).abs() - 0.1)
    torch.testing.assert_close(shapes.offset(shapes.sphere(0.6), 0.2)(points), radius - 0.8)


@pytest.mark.parametrize(
    "make",
    [
        lambda: shapes.sphere(0.0),
        lambda: shapes.sphere(float("nan")),
        lambda: shapes.box((1.0, -1.0, 1.0)),
        lambda: shapes.rounded_box(0.2, 0.1),
        lambda: shapes.cylinder(axis=3),
        lambda: shapes.capsule((0, 0, 0), (0, 0, 0)),
        lambda: shapes.union(),
    ],
)
def test_impossible_parameters_are_refused(make):
    with pytest.raises(ValueError, match="expected"):
        make()


@pytest.mark.parametrize("part", ("primitives", "csg", "families"))
def test_the_examples_in_the_docstrings_hold(part):
    module = import_module(f"course_lib.shapes.{part}")
    assert doctest.testmod(module, extraglobs={"torch": torch}).failed == 0
