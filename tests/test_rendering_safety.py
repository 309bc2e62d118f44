"""Claims about inputs at the edge: nothing, too much, half precision, NaN; of cameras to pixels."""

import math

import pytest
import torch
from oracles import rasterize_by_loop

from course_lib import cameras, rasterize, volume, zbuffer

DTYPES = (torch.float16, torch.float32, torch.float64)
FACE = torch.tensor([[0, 1, 2]])


def triangle(dtype=torch.float32):
    return torch.tensor([[1.0, 1.0], [5.0, 1.0], [1.0, 5.0]], dtype=dtype)


def unit(dtype):
    """Random numbers of a type, well inside of (0, 1)."""
    return lambda *shape: (0.1 + 0.8 * torch.rand(*shape)).to(dtype)


CALLS = {
    "camera_rays": lambda r: cameras.camera_rays(2, 3, 2.0, cameras.look_at(r(3) + 2))[1],
    "project": lambda r: cameras.project(r(4, 3) - 4, torch.eye(4).to(r(1)), 2.0, 4, 4)[0],
    "look_at": lambda r: cameras.look_at(r(2, 3) + 1, r(2, 3) - 1),
    "quaternion_to_matrix": lambda r: cameras.quaternion_to_matrix(r(5, 4)),
    "positional_encoding": lambda r: volume.positional_encoding(r(5, 3), 4),
    "stratified_positions": lambda r: volume.stratified_positions(r(2), r(2) + 1, r(2, 4)),
    "compositing_weights": lambda r: volume.compositing_weights(r(3, 5), r(3, 5)),
    "composite": lambda r: volume.composite(r(3, 4) / 5, r(3, 4, 3), r(3, 4), background=1.0).color,
    "inverse_cdf": lambda r: volume.inverse_cdf(r(2, 5).cumsum(-1), r(2, 4), r(2, 7)),
    "barycentric": lambda r: rasterize.barycentric_coordinates(r(4, 2), triangle(r(1).dtype)),
    "perspective": lambda r: rasterize.perspective_correct(r(4, 3), r(3) + 1)[0],
    "lambert": lambda r: rasterize.lambert(r(4, 3), r(3)),
    "loop": lambda r: rasterize_by_loop(triangle(r(1).dtype), r(3) + 1, FACE, 6, 6).barycentric,
    "draw_faces": lambda r: (
        zbuffer.draw_faces(triangle(r(1).dtype), r(3) + 1, FACE, 6, 6).barycentric
    ),
    "soft_silhouette": lambda r: rasterize.soft_silhouette(triangle(r(1).dtype), FACE, 6, 6),
    "soft_render": lambda r: rasterize.soft_render(
        triangle(r(1).dtype), r(3) + 1, FACE, r(1, 3), (6, 6)
    ),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_function_keeps_the_type_it_was_given_and_stays_finite(name, dtype):
    result = CALLS[name](unit(dtype))
    assert result.dtype == dtype and result.isfinite().all()


@pytest.mark.parametrize("name", CALLS)
def test_gradients_are_finite(name):
    given = []

    def leaf(*shape):
        given.append((0.1 + 0.8 * torch.rand(*shape)).requires_grad_())
        return given[-1]

    result = CALLS[name](leaf)
    if result.requires_grad:
        result.sum().backward()
        assert all(x.grad is None or x.grad.isfinite().all() for x in given)


EMPTY = {
    "no points": lambda: cameras.project(torch.zeros(0, 3), torch.eye(4), 2.0, 4, 4)[0],
    "no rays": lambda: volume.compositing_weights(torch.zeros(0, 4), torch.zeros(0, 4)),
    "no samples": lambda: volume.compositing_weights(torch.zeros(2, 0), torch.zeros(2, 0)),
    "nothing to encode": lambda: volume.positional_encoding(torch.zeros(0, 3), 2),
    "nothing to blend": lambda: volume.composite(*(torch.zeros(2, 0, *s) for s in ((), (3,), ())))[0],
    "no faces": lambda: zbuffer.draw_faces(triangle(), torch.ones(3), FACE[:0], 4, 4).barycentric,
}  # fmt: skip


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_in_gives_nothing_out(name):
    assert EMPTY[name]().float().nan_to_num(7.0).abs().sum() == 0


ONES, LINE = torch.ones(3), torch.arange(4.0)
REFUSED = {
    "density": lambda bad: volume.compositing_weights(torch.tensor([bad, 1.0, 1.0]), ONES),
    "length": lambda bad: volume.compositing_weights(ONES, torch.tensor([bad, 1.0, 1.0])),
    "weight": lambda bad: volume.inverse_cdf(LINE, torch.tensor([bad, 1.0, 1.0]), torch.rand(2)),
    "pdf": lambda bad: volume.sample_pdf(LINE, torch.tensor([1.0, bad, 1.0]), 4),
    "focal": lambda bad: cameras.camera_rays(2, 2, bad, torch.eye(4)),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("bad", [math.nan, -1.0])
def test_numbers_that_mean_nothing_are_refused(name, bad):
    with pytest.raises(ValueError, match="expected"):
        REFUSED[name](bad)


@pytest.mark.parametrize(
    "call",
    [
        lambda: volume.inverse_cdf(torch.ones(1), torch.ones(0), torch.rand(2)),
        lambda: volume.inverse_cdf(LINE, torch.tensor([math.inf, 1, 1]), torch.rand(2)),
        lambda: cameras.look_at([math.inf, 1.0, 1.0]),
        lambda: cameras.look_at([math.nan, 1.0, 1.0]),
        lambda: cameras.intrinsics(math.inf, 4, 4),
        lambda: cameras.quaternion_to_matrix(torch.zeros(4)),
        lambda: rasterize.lambert(torch.eye(3), torch.zeros(3)),
        lambda: rasterize.soft_render(
            triangle(), torch.tensor([math.nan, 1, 1]), FACE, torch.ones(1, 3), (4, 4)
        ),
    ],
)
def test_calls_without_an_answer_are_refused(call):
    with pytest.raises(ValueError, match="expected"):
        call()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_faces_with_a_corner_nowhere_are_left_out_of_the_picture(bad):
    pixels = triangle()
    pixels[0, 0] = bad
    assert not zbuffer.draw_faces(pixels, torch.ones(3), FACE, 6, 6).covered.any()
    assert rasterize.soft_silhouette(pixels, FACE, 6, 6).isfinite().all()
