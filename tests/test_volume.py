"""Claims about ray sampling and compositing, against closed forms, loops and scipy-free oracles."""

import math

import pytest
import torch
from jaxtyping import TypeCheckError

from course_lib import volume

DTYPES = (torch.float16, torch.float32, torch.float64)


def test_encodings_inner_product_depends_on_the_difference_only():
    """γ(x)·γ(y) = Σₖ cos 2ᵏπ(x − y)."""
    x, y = torch.rand(2, 50, 1, dtype=torch.float64)
    got = (volume.positional_encoding(x, 6) * volume.positional_encoding(y, 6)).sum(-1)
    expected = sum(torch.cos(2**k * math.pi * (x - y)) for k in range(6))[:, 0]
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


def test_encoding_is_laid_out_frequency_by_frequency():
    x = torch.tensor([[0.1, -0.7]])
    expected = [f(2**k * math.pi * v) for k in range(3) for f in (math.sin, math.cos) for v in x[0]]
    got = volume.positional_encoding(x, 3)
    torch.testing.assert_close(got, torch.tensor([expected]), atol=1e-5, rtol=0)
    assert volume.positional_encoding(x, 0).shape == (1, 0)


def test_encoding_of_half_precision_has_the_accuracy_of_half_precision():
    x = torch.rand(100, 3).half()
    exact = volume.positional_encoding(x.double(), 10)
    assert (volume.positional_encoding(x, 10).double() - exact).abs().max() < 1e-3


@pytest.mark.parametrize("n_frequencies", [-1])
def test_encoding_says_what_is_wrong_with_a_negative_number_of_frequencies(n_frequencies):
    with pytest.raises(ValueError, match="n_frequencies >= 0, got -1"):
        volume.positional_encoding(torch.zeros(1, 3), n_frequencies)


@pytest.mark.parametrize("cuts", [1, 2, 7, 100])
def test_opacity_of_a_uniform_slab_does_not_depend_on_the_partition(cuts):
    """1 − exp(−σL) for any partition of the length L."""
    sigma, length = 1.7, 2.5
    parts = torch.rand(cuts, dtype=torch.float64) + 0.1
    deltas = parts / parts.sum() * length
    weights = volume.compositing_weights(torch.full_like(deltas, sigma), deltas)
    assert weights.sum().item() == pytest.approx(1 - math.exp(-sigma * length), abs=1e-6)


def test_weights_agree_with_the_product_of_transparencies_in_a_loop():
    sigma, deltas = 3 * torch.rand(5, 9, dtype=torch.float64), torch.rand(5, 9, dtype=torch.float64)
    expected = torch.zeros_like(sigma)
    for ray in range(5):
        transmittance = 1.0
        for i in range(9):
            alpha = 1 - math.exp(-sigma[ray, i] * deltas[ray, i])
            expected[ray, i] = transmittance * alpha
            transmittance *= 1 - alpha
    torch.testing.assert_close(volume.compositing_weights(sigma, deltas), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sigma", [0.0, 1e-7, 1.0, 6e4, math.inf])
@pytest.mark.parametrize("last", [0.1, 1e10, math.inf])
def test_weights_and_their_gradients_are_finite_for_every_density(dtype, sigma, last):
    density = torch.tensor([0.0, sigma, 0.5, sigma], dtype=dtype, requires_grad=True)
    deltas = torch.tensor([0.1, 0.1, 0.1, last], dtype=dtype, requires_grad=True)
    weights = volume.compositing_weights(density, deltas)
    weights.float().sum().backward()
    assert weights.dtype == dtype and weights.isfinite().all() and 0 <= weights.sum() <= 1.001
    assert density.grad.isfinite().all() and deltas.grad.isfinite().all()


def test_an_opaque_wall_hides_what_is_behind_it_and_keeps_what_is_in_front():
    weights = volume.compositing_weights(torch.tensor([0.1, 1e9, 5.0]), torch.ones(3))
    expected = torch.tensor([1 - math.exp(-0.1), math.exp(-0.1), 0.0])
    torch.testing.assert_close(weights, expected, atol=1e-6, rtol=0)


def test_gradient_of_the_weights_agrees_with_finite_differences():
    sigma = torch.rand(3, 6, dtype=torch.float64, requires_grad=True)
    deltas = torch.rand(3, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(volume.compositing_weights, (sigma, deltas))


def test_weights_refuse_negative_densities_and_unequal_shapes():
    with pytest.raises(ValueError, match="densities >= 0, got -1"):
        volume.compositing_weights(torch.tensor([-1.0]), torch.ones(1))
    with pytest.raises((ValueError, TypeCheckError)):  # the latter while shapes are enforced
        volume.compositing_weights(torch.ones(3), torch.ones(2))


def test_transparent_rays_show_the_background_at_depth_zero():
    w, c, t = torch.zeros(2, 4), torch.rand(2, 4, 3), torch.rand(2, 4)
    got = volume.composite(w, c, t, background=torch.tensor([0.2, 0.4, 0.6]))
    torch.testing.assert_close(got.color, torch.tensor([0.2, 0.4, 0.6]).expand(2, 3))
    assert got.depth.eq(0).all() and got.opacity.eq(0).all()


def test_no_background_is_black_and_each_ray_may_have_its_own():
    w, c, t = torch.full((2, 1), 0.25), torch.ones(2, 1, 3), torch.full((2, 1), 7.0)
    assert volume.composite(w, c, t).color.eq(0.25).all()
    own = volume.composite(w, c, t, background=torch.tensor([[0.0] * 3, [1.0] * 3]))
    assert own.color[0].eq(0.25).all() and own.color[1].eq(1).all() and own.depth.eq(7).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_composite_keeps_the_precision_it_was_given_and_has_finite_gradients(dtype):
    w = torch.zeros(3, 5, dtype=dtype, requires_grad=True)
    got = volume.composite(w, torch.rand(3, 5, 3).to(dtype), torch.rand(3, 5).to(dtype))
    (got.color.sum() + got.depth.sum() + got.opacity.sum()).float().backward()
    assert got.color.dtype == got.depth.dtype == dtype and w.grad.isfinite().all()


def test_inverse_cdf_of_a_ramp_of_bins_matches_a_search_in_a_loop():
    generator = torch.Generator().manual_seed(0)
    bins = torch.rand(4, 8, generator=generator, dtype=torch.float64).cumsum(-1)
    weights = torch.rand(4, 7, generator=generator, dtype=torch.float64)
    weights[1, 3:5] = 0
    u = torch.rand(4, 20, generator=generator, dtype=torch.float64)
    got = volume.inverse_cdf(bins, weights, u)
    for ray in range(4):
        for k in range(20):
            left, i = u[ray, k] * weights[ray].sum(), 0
            while left >= weights[ray, i]:
                left, i = left - weights[ray, i], i + 1
            expected = bins[ray, i] + left / weights[ray, i] * (bins[ray, i + 1] - bins[ray, i])
            assert got[ray, k].item() == pytest.approx(expected.item(), abs=1e-9)


def test_samples_of_a_histogram_have_its_frequencies_and_avoid_empty_bins():
    bins, weights = torch.tensor([0.0, 1.0, 3.0, 4.0]), torch.tensor([1.0, 0.0, 3.0])
    generator = torch.Generator().manual_seed(0)
    t = volume.sample_pdf(bins, weights, 4000, generator=generator)
    assert not ((t > 1) & (t < 3)).any() and t.eq(t.sort().values).all()
    assert (t < 1).float().mean().item() == pytest.approx(0.25, abs=1e-3)


def test_weights_of_zero_give_uniform_samples():
    t = volume.sample_pdf(torch.tensor([[2.0, 4.0, 6.0]]), torch.zeros(1, 2), 1000)
    assert t.min() >= 2 and t.max() <= 6 and t.mean().item() == pytest.approx(4, abs=0.01)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_inverse_cdf_does_not_depend_on_the_scale_of_the_weights(scale):
    bins, u = torch.linspace(0, 1, 6).expand(2, 6), torch.rand(2, 9)
    weights = torch.tensor([[1.0, 0, 2, 0, 1], [0, 0, 1, 0, 0]])
    a = volume.inverse_cdf(bins, weights, u)
    torch.testing.assert_close(volume.inverse_cdf(bins, weights * scale, u), a)


@pytest.mark.parametrize("dtype", DTYPES)
def test_inverse_cdf_takes_every_precision_with_finite_gradients(dtype):
    bins = torch.linspace(0, 4, 5).to(dtype).expand(2, 5)
    weights = torch.tensor([[0, 0, 0, 0], [1, 0, 0, 2]]).to(dtype).requires_grad_()
    t = volume.inverse_cdf(bins, weights, torch.rand(2, 7).to(dtype).clamp(max=0.99))
    t.float().sum().backward()
    assert t.dtype == dtype and t.isfinite().all() and weights.grad.isfinite().all()


def test_inverse_cdf_and_sample_pdf_say_what_shape_they_expected():
    with pytest.raises(ValueError, match="one edge more than weights, got 3 and 3"):
        volume.inverse_cdf(torch.rand(3), torch.rand(3), torch.rand(2))
    with pytest.raises(ValueError, match="n_samples >= 1"):
        volume.sample_pdf(torch.rand(4), torch.rand(3), 0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_agrees_with_cpu():
    sigma, deltas = torch.rand(64, 32), torch.rand(64, 32)
    cpu = volume.compositing_weights(sigma, deltas)
    gpu = volume.compositing_weights(sigma.cuda(), deltas.cuda())
    torch.testing.assert_close(gpu.cpu(), cpu)
