"""Nearest neighbours against loops over all pairs."""

import inspect
import subprocess
import sys

import pytest
import torch

from course_lib import neighbors
from course_lib.neighbors import mutual_nearest_neighbors, nearest_neighbors

unchecked = inspect.unwrap(nearest_neighbors)  # without the tests' own checks of shapes


def loop(p, q):
    """The definition, one pair at a time."""
    squared = torch.empty(p.shape[:2], dtype=p.dtype)
    for b in range(len(p)):
        for i in range(p.shape[1]):
            squared[b, i] = min(float(((p[b, i] - other) ** 2).sum()) for other in q[b])
    return squared


@pytest.fixture(params=["tree", "blocks"])
def route(request, monkeypatch):
    """Both ways to search, whatever the sizes."""
    monkeypatch.setattr(neighbors, "TREE_PAIRS", 1 if request.param == "tree" else 2**60)
    monkeypatch.setattr(neighbors, "BLOCK_PAIRS", {"cpu": 40})
    return request.param


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (3, 17, 11, 3), (2, 5, 30, 2), (2, 9, 4, 7)])
def test_distances_and_indices_agree_with_a_loop_over_all_pairs(route, shape):
    b, n, m, d = shape
    p, q = torch.randn(b, n, d).double(), torch.randn(b, m, d).double()
    squared, indices = nearest_neighbors(p, q)
    torch.testing.assert_close(squared, loop(p, q))
    for batch in range(b):
        for i in range(n):
            assert ((p[batch, i] - q[batch, indices[batch, i]]) ** 2).sum() == squared[batch, i]


def test_both_ways_at_once_are_the_two_single_searches(route):
    p, q = torch.randn(2, 40, 3), torch.randn(2, 25, 3)
    forth, back = mutual_nearest_neighbors(p, q)
    for got, expected in zip(
        (*forth, *back), (*nearest_neighbors(p, q), *nearest_neighbors(q, p)), strict=True
    ):
        assert torch.equal(got, expected)


def test_the_search_is_exact_far_from_the_origin(route):
    """There ‖p‖² − 2pq + ‖q‖² loses all its digits and picks wrong neighbours."""
    p = torch.tensor([[[1000.0, 0.0, 0.0]]])
    q = torch.tensor([[[1000.002, 0.0, 0.0], [1000.001, 0.0, 0.0], [1000.004, 0.0, 0.0]]])
    assert nearest_neighbors(p, q)[1].item() == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_precision_keeps_its_type(route, dtype):
    p, q = torch.tensor([[[0.0, 0, 0]]], dtype=dtype), torch.tensor([[[3.0, 4, 0]]], dtype=dtype)
    squared, indices = nearest_neighbors(p, q)
    assert squared.dtype == dtype and squared.item() == 25 and indices.dtype == torch.int64


def test_gradients_are_those_of_the_chosen_pairs(route):
    p = torch.randn(2, 6, 3, dtype=torch.float64, requires_grad=True)
    q = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda p, q: nearest_neighbors(p, q)[0], (p, q))
    assert torch.autograd.gradcheck(
        lambda p, q: [pair[0] for pair in mutual_nearest_neighbors(p, q)], (p, q)
    )


def test_non_contiguous_clouds_are_read_right(route):
    p, q = torch.randn(2, 3, 20).transpose(1, 2), torch.randn(2, 60, 3)[:, ::2]
    expected = nearest_neighbors(p.contiguous(), q.contiguous())
    assert torch.equal(nearest_neighbors(p, q)[0], expected[0])


def test_coinciding_points_have_distance_zero_and_finite_gradients(route):
    p = torch.zeros(1, 300, 3, requires_grad=True)
    squared, _ = nearest_neighbors(p, p)
    squared.sum().backward()
    assert not squared.any() and torch.isfinite(p.grad).all()


@pytest.mark.parametrize(
    ("p", "q", "words"),
    [
        (torch.zeros(1, 0, 3), torch.zeros(1, 1, 3), "at least one point in p"),
        (torch.zeros(1, 1, 3), torch.zeros(1, 0, 3), "at least one point in q"),
        (torch.full((1, 1, 3), torch.nan), torch.zeros(1, 1, 3), "finite coordinates in p"),
        (torch.zeros(1, 1, 3), torch.full((1, 1, 3), torch.inf), "finite coordinates in q"),
        (torch.zeros(2, 1, 3), torch.zeros(1, 1, 3), "same batch size"),
        (torch.zeros(1, 1, 3), torch.zeros(1, 1, 2), "number of axes"),
        (torch.zeros(1, 3), torch.zeros(1, 3), "shape \\(batch, points, axes\\)"),
        (torch.zeros(1, 1, 3).long(), torch.zeros(1, 1, 3), "floating-point"),
    ],
)
def test_wrong_clouds_are_refused_in_words(p, q, words):
    with pytest.raises(ValueError, match=words):
        unchecked(p, q)


MEMORY = """
import resource, sys, torch
from course_lib import neighbors
neighbors.TREE_PAIRS = {tree_pairs}
p = torch.rand(1, 100_000, 3, requires_grad=True); q = torch.rand(1, {m}, 3)
neighbors.nearest_neighbors(torch.rand(1, 9, 3), q[:, :9])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
neighbors.nearest_neighbors(p, q)[0].sum().backward()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize(("tree_pairs", "m"), [(1, 100_000), (2**60, 2_000)])
def test_memory_stays_bounded_for_large_clouds(tree_pairs, m):
    """All pairs of 100,000 points would be 40 GB; blocks hold no more for 2,000 than for 100,000."""
    script = MEMORY.format(tree_pairs=tree_pairs, m=m)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 100, "megabytes"


@pytest.mark.gpu
def test_gpu_and_cpu_agree():
    p, q = torch.rand(2, 5_000, 3), torch.rand(2, 6_000, 3)
    squared, _ = nearest_neighbors(p.cuda(), q.cuda())
    torch.testing.assert_close(squared.cpu(), nearest_neighbors(p, q)[0])
