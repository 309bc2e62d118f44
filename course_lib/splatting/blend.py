"""The sum over sorted splats, for all pixels at once, with its gradient."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from course_lib.splatting.pairs import find_pairs
from course_lib.volume import sums_before

OPAQUE = 0.99  # no splat covers more of a pixel than that, so that what is behind stays reachable


def splat_alpha(
    offsets: Float[Tensor, "2 *#n"], conics: Float[Tensor, "3 *#n"], opacities: Float[Tensor, "*#n"]
) -> Float[Tensor, "*#n"]:
    """How much of a pixel a splat covers: α = opacity · exp(-½ dᵀ Σ'⁻¹ d), at most 0.99.

    offsets: d = (dx, dy) from the splat's centre to the pixel's, in pixels; conics: the entries
    (xx, xy, yy) of the inverse covariance Σ'⁻¹. The components come first; the rest broadcasts.
    Differentiable in all three.

    >>> splat_alpha(torch.tensor([1.0, 1.0]), torch.tensor([1.0, 0.0, 1.0]), torch.tensor(0.5))
    tensor(0.1839)
    """
    (dx, dy), (a, b, c) = offsets, conics
    power = -0.5 * (a * dx * dx + c * dy * dy) - b * dx * dy
    return (opacities * power.exp()).clamp(max=OPAQUE)


class Blend(torch.autograd.Function):
    """Σᵢ αᵢ Πⱼ (1 - αⱼ) featureᵢ for each pixel, j over the splats before i, the nearest first.

    The gradient is written by hand: autograd would keep thirty numbers for each pair of splat and pixel.
    Here the gradients of a splat are six moments over its pixels, Σ g (1, dx, dy, dx², dx dy, dy²) with
    g = α ∂L/∂α.
    """

    @staticmethod
    def forward(
        ctx,
        centers: Float[Tensor, "n 2"],
        conics: Float[Tensor, "n 3"],
        opacities: Float[Tensor, "n"],
        features: Float[Tensor, "n c"],
        size: tuple[int, int],
    ) -> Float[Tensor, "pixels c"]:
        """The features of all pixels, row by row."""
        splat, column, row = find_pairs(centers, conics, opacities, size)
        table = torch.cat([centers, conics, opacities[:, None]], dim=-1).T.contiguous()
        table = table.index_select(1, splat)  # (6, p)
        offsets = torch.stack([column + 0.5 - table[0], row + 0.5 - table[1]])
        alpha = splat_alpha(offsets, table[2:5], table[5])
        pixel, order = torch.sort(row * size[1] + column, stable=True)  # and by depth, as before
        alpha, owner = alpha.index_select(0, order), splat.index_select(0, order)
        count = torch.bincount(pixel, minlength=size[0] * size[1])
        light = sums_before(torch.log1p(-alpha.double()), count).exp().to(alpha)
        ctx.save_for_backward(
            conics, opacities, features, offsets, splat, owner, pixel, order, count
        )
        ctx.alpha, ctx.light = alpha, light
        return _sum_bags(owner, features, alpha * light, count)

    @staticmethod
    def backward(ctx, slope: Float[Tensor, "pixels c"]) -> tuple[Tensor | None, ...]:
        """∂L/∂α = T s - (Σ of w s behind) / (1 - α), with s = feature · slope and w = α T."""
        conics, opacities, features, offsets, splat, owner, pixel, order, count = ctx.saved_tensors
        alpha, light, slope = ctx.alpha, ctx.light, slope.contiguous()
        s = (features.index_select(0, owner) * slope.index_select(0, pixel)).sum(-1)
        weight = alpha * light
        share = (weight * s).double()
        behind = (
            torch.repeat_interleave(_totals(share, count), count)
            - share
            - sums_before(share, count)
        )
        g = alpha * (light * s - behind.to(s) / (1 - alpha))
        g = torch.where(alpha < OPAQUE, g, torch.zeros_like(g))
        g, weight, pixel = (_undo(order, values) for values in (g, weight, pixel))  # splat by splat
        count = torch.bincount(splat, minlength=len(features))
        dx, dy = offsets
        moments = torch.stack([g, g * dx, g * dy, g * dx * dx, g * dx * dy, g * dy * dy])
        everything = torch.arange(len(splat), dtype=splat.dtype, device=splat.device)
        m = _sum_bags(everything, moments.T.contiguous(), None, count).T
        a, b, c = conics.T
        to_centers = torch.stack([a * m[1] + b * m[2], b * m[1] + c * m[2]], dim=-1)
        to_conics = torch.stack([-0.5 * m[3], -m[4], -0.5 * m[5]], dim=-1)
        return to_centers, to_conics, m[0] / opacities, _sum_bags(pixel, slope, weight, count), None


def _sum_bags(
    index: Int[Tensor, "p"],
    table: Float[Tensor, "n c"],
    weights: Float[Tensor, "p"] | None,
    count: Int[Tensor, "k"],
) -> Float[Tensor, "k c"]:
    """Σ weight · table[index] over the first count[0] entries, over the next count[1], and so on."""
    start = (count.cumsum(0) - count).to(index.dtype)
    return F.embedding_bag(index, table, start, per_sample_weights=weights, mode="sum")


def _totals(values: Float[Tensor, "p"], count: Int[Tensor, "k"]) -> Float[Tensor, "k"]:
    sums = F.pad(values.cumsum(0), (1, 0))
    end = count.cumsum(0)
    return sums[end] - sums[end - count]


def _undo(order: Int[Tensor, "p"], values: Shaped[Tensor, "p"]) -> Shaped[Tensor, "p"]:
    """Values as they were before `index_select(0, order)`."""
    return torch.empty_like(values).index_copy_(0, order, values)
