"""The metrics against closed forms and loops, and the conventions at their edges."""

import inspect

import pytest
import torch
from torch.autograd import gradcheck

from course_lib.metrics import f_score, hausdorff_distance, iou, normal_consistency, soft_iou


def cubes(shift, side=4, room=8):
    """Two cubes of the same side in a grid, the second one moved."""
    grids = torch.zeros(2, 1, room, room, room, dtype=torch.bool)
    x, y, z = shift
    grids[0, 0, :side, :side, :side] = True
    grids[1, 0, x : x + side, y : y + side, z : z + side] = True
    return grids.unbind(0)


def cloud(*points):
    """Points on the x axis, as a batch of one."""
    return torch.tensor([[[float(x), 0.0, 0.0] for x in points]])


# IoU


@pytest.mark.parametrize(
    ("shift", "expected"),
    [((0, 0, 0), 1.0), ((1, 0, 0), 0.6), ((2, 2, 2), 1 / 15), ((4, 0, 0), 0.0)],
)
def test_iou_of_two_cubes(shift, expected):
    a, b = cubes(shift)
    assert iou(a, b).item() == pytest.approx(expected)
    assert soft_iou(a.float(), b.float()).item() == pytest.approx(expected)


def test_two_empty_grids_agree_and_an_empty_one_agrees_with_no_other():
    a, _ = cubes((0, 0, 0))
    empty = torch.zeros_like(a)
    assert iou(empty, empty).item() == 1 and iou(a, empty).item() == 0
    assert soft_iou(empty.float(), empty).item() == 1 and soft_iou(a.float(), empty).item() == 0


def test_a_cell_is_occupied_from_one_half_on():
    a = torch.tensor([[0.5, 0.49, 1.0, 0.0]])
    assert iou(a, torch.tensor([[True, False, True, False]])).item() == 1


def test_iou_agrees_with_sets_of_cells():
    a, b = torch.rand(3, 4, 4, 4), torch.rand(3, 4, 4, 4)
    for one, other, got in zip(a, b, iou(a, b), strict=True):
        first = {tuple(cell) for cell in (one >= 0.5).nonzero().tolist()}
        second = {tuple(cell) for cell in (other >= 0.5).nonzero().tolist()}
        assert got.item() == pytest.approx(len(first & second) / len(first | second))


def test_iou_takes_integers_and_any_number_of_axes():
    a, b = torch.tensor([[1, 1, 0, 0]]), torch.tensor([[1, 0, 0, 0]])
    assert iou(a, b).item() == 0.5


def test_soft_iou_agrees_with_its_sum_and_is_less_than_one_for_undecided_cells():
    a, b = torch.rand(2, 3, 3, 3), torch.rand(2, 3, 3, 3)
    for one, other, got in zip(a.flatten(1), b.flatten(1), soft_iou(a, b), strict=True):
        above = sum(x * y for x, y in zip(one.tolist(), other.tolist(), strict=True))
        below = sum(x + y - x * y for x, y in zip(one.tolist(), other.tolist(), strict=True))
        assert got.item() == pytest.approx(above / below)
    half = torch.full((1, 8), 0.5)
    assert soft_iou(half, half).item() == pytest.approx(1 / 3)


def test_soft_iou_gradients():
    a, b = (torch.rand(2, 5, dtype=torch.float64).requires_grad_() for _ in range(2))
    inside = [0.1 + 0.8 * x.detach() for x in (a, b)]
    assert gradcheck(soft_iou, [x.requires_grad_() for x in inside])


def test_soft_iou_of_empty_grids_has_finite_gradients():
    a = torch.zeros(1, 5, requires_grad=True)
    soft_iou(a, torch.zeros(1, 5)).sum().backward()
    assert torch.isfinite(a.grad).all()


def test_grids_that_do_not_fit_are_refused_in_words():
    with pytest.raises(ValueError, match="logits need a sigmoid"):
        iou(torch.tensor([[3.0]]), torch.tensor([[1.0]]))
    with pytest.raises(ValueError, match="values outside"):
        soft_iou(torch.tensor([[0.5]]), torch.tensor([[torch.nan]]))
    with pytest.raises(ValueError, match="one shape"):
        inspect.unwrap(iou)(torch.zeros(1, 2), torch.zeros(1, 3))
    with pytest.raises(ValueError, match="batch"):
        inspect.unwrap(iou)(torch.zeros(3), torch.zeros(3))


# F-score


def test_f_score_of_ten_predictions_at_one_of_two_true_points_is_two_thirds():
    assert f_score(cloud(*[0] * 10), cloud(0, 100), 1.0).item() == pytest.approx(2 / 3)


def test_f_score_counts_strictly_nearer_points_only():
    assert f_score(cloud(0), cloud(0.5), 0.5).item() == 0
    assert f_score(cloud(0), cloud(0.5), 0.5001).item() == 1


def test_f_score_compares_distances_not_their_squares():
    assert f_score(cloud(0), cloud(0.5), 0.3).item() == 0  # 0.25 < 0.3


def test_f_score_without_any_match_is_zero_and_of_a_cloud_with_itself_one():
    p = torch.randn(2, 20, 3)
    assert torch.equal(f_score(p, p, 1e-6), torch.ones(2))
    assert torch.equal(f_score(p, p + 100, 1.0), torch.zeros(2))


def test_f_score_agrees_with_counting():
    p, q, limit = torch.rand(2, 30, 3), torch.rand(2, 40, 3), 0.2
    for one, other, got in zip(p, q, f_score(p, q, limit), strict=True):
        precision = sum(any((x - y).norm() < limit for y in other) for x in one) / 30
        recall = sum(any((x - y).norm() < limit for y in one) for x in other) / 40
        assert got.item() == pytest.approx(2 * precision * recall / (precision + recall))


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf")])
def test_f_score_refuses_thresholds_that_are_not_positive(threshold):
    with pytest.raises(ValueError, match="positive, finite threshold"):
        f_score(cloud(0), cloud(0), threshold)


# Hausdorff


def test_hausdorff_takes_the_larger_of_both_directions():
    assert hausdorff_distance(cloud(0), cloud(0, 3)).item() == 3
    assert hausdorff_distance(cloud(0, 3), cloud(0)).item() == 3


def test_hausdorff_of_the_unit_cube_with_one_a_tenth_larger():
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)[None]
    assert hausdorff_distance(corners, 1.1 * corners).item() == pytest.approx(3**0.5 / 10)


def test_hausdorff_agrees_with_scipy():
    from scipy.spatial.distance import directed_hausdorff

    p, q = torch.randn(3, 30, 3), torch.randn(3, 20, 3)
    for one, other, got in zip(p, q, hausdorff_distance(p, q), strict=True):
        expected = max(directed_hausdorff(one, other)[0], directed_hausdorff(other, one)[0])
        assert got.item() == pytest.approx(expected)


def test_hausdorff_gradients_also_at_zero():
    shape = (2, 5, 3)
    p, q = (torch.randn(shape, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert gradcheck(hausdorff_distance, (p, q))
    hausdorff_distance(p, p).sum().backward()
    assert torch.isfinite(p.grad).all()


# Normal consistency


def test_normal_consistency_is_one_for_parallel_and_zero_for_perpendicular_normals():
    p = torch.randn(1, 9, 3)
    up, aside = torch.zeros_like(p), torch.zeros_like(p)
    up[..., 1], aside[..., 0] = 1, 1
    assert normal_consistency(p, p, up, -up).item() == 1
    assert normal_consistency(p, p, up, aside).item() == 0


def test_normal_consistency_of_45_degrees_is_half_the_root_of_two():
    p = torch.zeros(1, 1, 3)
    got = normal_consistency(p, p, torch.tensor([[[1.0, 1, 0]]]), torch.tensor([[[0, 2.0, 0]]]))
    assert got.item() == pytest.approx(0.5**0.5)
