"""Volume rendering: where to sample a ray, and how samples become a pixel (NeRF, Mildenhall 2020).

A ray is o + t d with |d| = 1, so that distances t are lengths of the scene. Densities σ are per
unit of length, colours in [0, 1]. Half precision is computed in single and handed back in half.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.stable import in_single, safe_divide

OPAQUE = 1e4
"""Optical depths are cut here: exp(-1e4) is 0 in every float type, and inf - inf is not."""


class Composite(NamedTuple):
    """What a ray shows: colour (..., c), mean distance (...) of what it met, and opacity (...)."""

    color: Tensor
    depth: Tensor
    opacity: Tensor


@in_single
def positional_encoding(
    x: Float[Tensor, "*batch d"], n_frequencies: int
) -> Float[Tensor, "*batch features"]:
    """Fourier features γ(x) = (sin 2⁰πx, cos 2⁰πx, …, sin 2ᴸ⁻¹πx, cos 2ᴸ⁻¹πx), NeRF eq. 4.

    L is `n_frequencies`, features = 2·L·d. Layout: for each frequency first the sines of all d
    coordinates, then their cosines. The input itself is not included. Made for x in [-1, 1], with any
    number of axes before the last; differentiable in x.

    >>> positional_encoding(torch.tensor([0.5]), 2).round(decimals=4).abs()
    tensor([1., 0., 0., 1.])
    """
    if n_frequencies < 0:
        raise ValueError(f"expected n_frequencies >= 0, got {n_frequencies}")
    frequencies = math.pi * 2.0 ** torch.arange(n_frequencies, device=x.device)
    angles = x[..., None, :] * frequencies[:, None]  # (..., L, d)
    return torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(-2)  # (..., L, 2d) → (..., 2Ld)


def stratified_positions(
    near: Float[Tensor, "..."], far: Float[Tensor, "..."], u: Float[Tensor, "n s"]
) -> Float[Tensor, "n s"]:
    """One position in each of s equal bins: tᵢ = near + (far - near)(i + uᵢ)/s, NeRF eq. 2.

    u in [0, 1) says where in its bin each sample lies; near and far are tensors, a single number or
    one per ray (n,).

    >>> stratified_positions(torch.tensor(2.0), torch.tensor(6.0), torch.tensor([[0.0, 0.5]]))
    tensor([[2., 5.]])
    """
    s = u.shape[-1]
    fraction = (torch.arange(s, device=u.device) + u) / s  # (n, s)
    return near[..., None] + (far - near)[..., None] * fraction


def box_span(
    origins: Float[Tensor, "n 3"],
    directions: Float[Tensor, "n 3"],
    low: float | Float[Tensor, "3"],
    high: float | Float[Tensor, "3"],
) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
    """Distances at which rays enter and leave a box; equal where they miss it.

    >>> box_span(torch.tensor([[0.0, 0.0, 3.0]]), torch.tensor([[0.0, 0.0, -1.0]]), -1.0, 1.0)
    (tensor([2.]), tensor([4.]))
    """
    safe = torch.where(directions.abs() < 1e-9, torch.full_like(directions, 1e-9), directions)
    a, b = (low - origins) / safe, (high - origins) / safe
    near = torch.minimum(a, b).amax(-1).clamp(min=0)
    return near, torch.maximum(torch.maximum(a, b).amin(-1), near)


@in_single
def compositing_weights(
    sigma: Float[Tensor, "*batch s"], deltas: Float[Tensor, "*batch s"]
) -> Float[Tensor, "*batch s"]:
    """The share of each sample in its pixel, NeRF eq. 3.

    wᵢ = Tᵢ (1 - exp(-σᵢδᵢ)) with the transmittance Tᵢ = exp(-Σ_{j<i} σⱼδⱼ).
    sigma: densities >= 0; deltas: lengths of the intervals (the last may be 1e10, "as far as
    the ray goes"). The weights are >= 0 and sum to the ray's opacity 1 - exp(-Σσδ) <= 1. Differentiable
    in sigma and deltas; any number of axes before the last.

    >>> compositing_weights(torch.full((2,), math.log(2)), torch.ones(2))
    tensor([0.5000, 0.2500])
    """
    if sigma.shape != deltas.shape:
        raise ValueError(f"expected equal shapes, got {(*sigma.shape,)} and {(*deltas.shape,)}")
    for name, values in (("densities", sigma), ("lengths", deltas)):
        if not bool((values >= 0).all()):  # also where one is NaN
            worst = values[~(values >= 0)][0]
            raise ValueError(f"expected {name} >= 0, got {worst:g}; use relu or softplus")
    tau = optical_depth(sigma, deltas)
    before = torch.cumsum(F.pad(tau[..., :-1], (1, 0)), dim=-1)  # what lies in front of sample i
    return torch.exp(-before) * -torch.expm1(-tau)  # expm1: 1 - exp(-τ) without cancelling digits


def sums_before(values: Float[Tensor, "m"], counts: Int[Tensor, "n"]) -> Float[Tensor, "m"]:
    """Σ of those values of the same group that stand before each value: one cumulative sum for all.

    The values of n groups (the samples of rays, say) stand in one list, counts[0] of the first
    group, then counts[1] of the second, and so on. Groups may be empty. Small differences
    of large sums are taken: callers with long lists give float64.

    >>> sums_before(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]), torch.tensor([2, 0, 3]))
    tensor([0., 1., 0., 3., 7.])
    """
    if len(values) == 0:
        return values
    before = values.cumsum(0) - values
    first = (counts.cumsum(0) - counts).clamp(max=len(values) - 1)  # of each group
    return before - torch.repeat_interleave(before[first], counts)


@in_single
def composite(
    weights: Float[Tensor, "*batch s"],
    colors: Float[Tensor, "*batch s c"],
    t: Float[Tensor, "*batch s"],
    *,
    background: float | Float[Tensor, "..."] | None = None,
) -> Composite:
    """Blend the samples of a ray: Ĉ = Σ wᵢcᵢ + (1 - Σwᵢ) c_background, NeRF eq. 3.

    background: a number, a colour (c,), or one for each ray (..., c); None is black. The depth
    is the mean distance Σwᵢtᵢ / Σwᵢ of what the ray met, 0 where it met nothing; opacity is Σwᵢ.

    >>> w, c = torch.tensor([0.5, 0.25]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> composite(w, c, torch.tensor([2.0, 5.0]), background=1.0)
    Composite(color=tensor([0.7500, 0.5000]), depth=tensor(3.), opacity=tensor(0.7500))
    """
    opacity = weights.sum(-1)
    color = (weights[..., None] * colors).sum(-2)
    if background is not None:
        color = color + (1 - opacity)[..., None] * background
    depth = safe_divide((weights * t).sum(-1), opacity, otherwise=0.0)
    return Composite(color, depth, opacity)


@in_single
def inverse_cdf(
    bins: Float[Tensor, "*batch edges"],
    weights: Float[Tensor, "*batch s"],
    u: Float[Tensor, "*batch m"],
) -> Float[Tensor, "*batch m"]:
    """Where the cumulative distribution of a histogram reaches u (NeRF section 5.2).

    So the weights of coarse samples place fine ones. bins: s + 1 ascending edges; weights >= 0, not
    necessarily summing to one (all zero: uniform); u in [0, 1). Inside a bin the density is
    constant, so the position is linear in u; a bin of weight zero is never chosen.

    >>> bins, weights = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([3.0, 1.0])
    >>> inverse_cdf(bins, weights, torch.tensor([0.375, 0.875]))
    tensor([0.5000, 1.5000])
    """
    if bins.shape[-1] != weights.shape[-1] + 1 or weights.shape[-1] == 0:
        raise ValueError(
            f"expected one edge more than weights, got {bins.shape[-1]} and {weights.shape[-1]}"
        )
    if not bool(((weights >= 0) & weights.isfinite()).all()):
        raise ValueError("expected weights that are finite and >= 0, got others")
    mass = torch.where(weights.sum(-1, keepdim=True) > 0, weights, 1.0)
    cdf = F.pad(torch.cumsum(mass, dim=-1), (1, 0))
    cdf = cdf / cdf[..., -1:]  # (..., s + 1), from 0 to 1: one number for each edge
    right = torch.searchsorted(cdf, u.contiguous(), right=True)  # cdf[right - 1] <= u < cdf[right]
    below, above = cdf.gather(-1, right - 1), cdf.gather(-1, right)
    start, end = bins.gather(-1, right - 1), bins.gather(-1, right)
    return start + safe_divide(u - below, above - below, otherwise=0.0) * (end - start)


def sample_pdf(
    bins: Float[Tensor, "*batch edges"],
    weights: Float[Tensor, "*batch s"],
    n_samples: int,
    *,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "*batch m"]:
    """n_samples random positions, distributed as the weights of the bins say, and sorted.

    The random numbers are stratified, one in each n_samples-th of [0, 1). No gradient flows to the
    weights, as in the paper. See `inverse_cdf`.

    >>> sample_pdf(torch.tensor([0., 1., 2.]), torch.tensor([0., 1.]), 5).min().item() >= 1
    True
    """
    if n_samples < 1:
        raise ValueError(f"expected n_samples >= 1, got {n_samples}")
    shape = (*weights.shape[:-1], n_samples)
    dtype = torch.promote_types(weights.dtype, torch.float32)
    u = torch.rand(shape, generator=generator, device=weights.device, dtype=dtype)
    u = (torch.arange(n_samples, device=u.device) + u) / n_samples
    return inverse_cdf(bins, weights.detach(), u.clamp(max=1 - torch.finfo(u.dtype).eps))


def optical_depth(
    sigma: Float[Tensor, "*batch s"], deltas: Float[Tensor, "*batch s"]
) -> Float[Tensor, "*batch s"]:
    """τ = σδ; finite, like its gradients, for any σ, δ >= 0."""
    return (sigma.clamp(max=1e10) * deltas.clamp(max=1e10)).clamp(max=OPAQUE)
