"""Notebook 07: importance sampling, and PSNR."""

import math

import torch
import torch.nn.functional as F

from course_lib import volume
from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.nerf import images

# Importance sampling


def histogram(n: int, s: int, m: int, unit: float = 1.0):
    """A maker of ascending edges, weights and numbers in [0, 1)."""

    def make(g):
        edges = torch.cumsum(0.2 + torch.rand(n, s + 1, generator=g), -1)
        weights = unit * (torch.rand(n, s, generator=g) ** 2 + 0.02)
        return edges, weights, torch.rand(n, m, generator=g) * 0.998

    return make


def _cdf(weights):
    total = torch.cumsum(weights, -1) / weights.sum(-1, keepdim=True)
    return torch.cat([torch.zeros_like(total[..., :1]), total], -1)


def _invert(bins, cdf, u, inside=None):
    right = torch.searchsorted(cdf.contiguous(), u.contiguous(), right=True)
    right = right.clamp(1, bins.shape[-1] - 1)
    low, high = cdf.gather(-1, right - 1), cdf.gather(-1, right)
    share = (u - low) / (high - low) if inside is None else inside
    start, end = bins.gather(-1, right - 1), bins.gather(-1, right)
    return start + share * (end - start)


def gaps(g):
    """Bins of weight 0 at both ends and in the midst; numbers exactly where the sum reaches an edge."""
    edges = torch.cumsum(0.2 + torch.rand(2, 6, generator=g), -1)
    weights = torch.tensor([[0.0, 1, 0, 1, 0], [0, 0, 2, 1, 1]]) / 8
    return edges, weights, torch.tensor([[0.0, 0.25, 0.5, 0.75], [0.0, 0.5, 0.75, 0.9]])


def thin_bin(g):
    """A first bin that weighs next to nothing, and numbers that fall into it."""
    edges = torch.cumsum(0.2 + torch.rand(2, 4, generator=g), -1)
    return edges, torch.tensor([[1e-5, 1.0, 1.0]] * 2), torch.tensor([[1e-6, 3e-6, 0.6]] * 2)


def _blurred(bins, weights, u):
    """As NeRF's code: a bin lighter than 1e-5 is taken as one of weight 1."""
    cdf = _cdf(_alive(weights))
    right = torch.searchsorted(cdf, u, right=True).clamp(1, weights.shape[-1])
    low, high = cdf.gather(-1, right - 1), cdf.gather(-1, right)
    width = torch.where(high - low < 1e-5, torch.ones_like(low), high - low)
    return _invert(bins, cdf, u, inside=(u - low) / width)


def _left(bins, weights, u):
    cdf = _cdf(_alive(weights))
    left = (torch.searchsorted(cdf, u) - 1).clamp(0, weights.shape[-1] - 1)
    low, high = cdf.gather(-1, left), cdf.gather(-1, left + 1)
    start, end = bins.gather(-1, left), bins.gather(-1, left + 1)
    return start + (u - low) / (high - low) * (end - start)


def _without_zero(bins, weights, u):
    cdf = _cdf(_alive(weights))[..., 1:].contiguous()
    right = torch.searchsorted(cdf, u, right=True).clamp(1, weights.shape[-1] - 1)
    low, high = cdf.gather(-1, right - 1), cdf.gather(-1, right)
    start, end = bins.gather(-1, right - 1), bins.gather(-1, right)
    return start + (u - low) / (high - low).clamp(min=1e-9) * (end - start)


# fmt: off
INVERSE_CDF_MISTAKES = mistakes({
    "one bin off": (_without_zero,
        "Your cumulative sum lacks its first 0: s weights need s + 1 values, one for each edge."),
    "uniform": (lambda b, w, u: _invert(b, _cdf(torch.ones_like(w)), u),
        "Your samples ignore the weights: the bins must be chosen in proportion to them."),
    "start of the bin": (lambda b, w, u: _invert(b, _cdf(_alive(w)), u, inside=0.0),
        "Your samples all lie at the start of their bins: interpolate between the two edges."),
    "middle of the bin": (lambda b, w, u: _invert(b, _cdf(_alive(w)), u, inside=0.5),
        "Your samples all lie in the middle of their bins: u says where, too."),
    "not normalised": (lambda b, w, u: _invert(b, F.pad(torch.cumsum(w, -1), (1, 0)), u),
        "Your cumulative sum does not end at 1: divide by the sum of the weights."),
    "zero weights": (lambda b, w, u: _invert(b, _cdf(w.double()), u.double()).float(),
        "Where all weights are zero you divide 0 by 0. Take equal weights there."),
    "left edge": (_left,
        "Where u lies exactly on a value of the cdf, `searchsorted` takes the bin before it, which may "
        "have weight zero: `right=True` takes the one after."),
    "light bins taken as heavy": (_blurred,
        "Bins lighter than 1e-5 need interpolation too (NeRF's code has none). Only weight 0 is empty."),
    "distribution not inverted": (
        lambda b, w, u: _invert(b, _cdf(1 / _alive(w).clamp(min=1e-3)), u),
        "You sample most where the weights are smallest. Heavy bins get many samples."),
})
# fmt: on

INVERSE_CDF = Exercise(
    name="inverse_cdf",
    points=3,
    reference=volume.inverse_cdf,
    cases=(
        Case(
            "a bin three times as heavy",
            lambda g: (
                torch.tensor([[0.0, 1.0, 2.0]]),
                torch.tensor([[3.0, 1.0]]),
                torch.tensor([[0.375, 0.875]]),
            ),
            fixed=True,
        ),
        Case("random histograms", histogram(4, 6, 5)),
        Case("one ray, many samples", histogram(1, 9, 20)),
        Case("weights that are all tiny", histogram(2, 5, 6, 1e-8)),
        Case("bins of weight zero, numbers on the edges", gaps),
        Case("a bin that weighs next to nothing", thin_bin),
        Case(
            "a ray whose weights are all zero, and another",
            lambda g: (
                torch.linspace(2, 6, 5).repeat(2, 1),
                torch.tensor([[0.0, 0, 0, 0], [1, 0, 2, 1]]),
                torch.tensor([[0.1, 0.6, 0.9], [0.1, 0.6, 0.9]]),
            ),
            fixed=True,
        ),
    ),
    misconceptions=INVERSE_CDF_MISTAKES,
    hints=(
        "The cumulative sum of the normalised weights, with a 0 in front, belongs to the edges.",
        "`torch.searchsorted(cdf, u, right=True)` finds the edge right of each u.",
        "Inside the bin: start + (u − cdf_left)/(cdf_right − cdf_left) · (end − start).",
        "All weights zero? Replace them by ones before anything else. Still stuck? "
        '`solution("inverse_cdf")`.',
    ),
)


def _alive(w):
    return torch.where(w.sum(-1, keepdim=True) > 0, w, torch.ones_like(w))


# PSNR


def pictures(h: int, w: int, noise: float):
    """A maker of two pictures that differ by noise."""

    def make(g):
        image = torch.rand(h, w, 3, generator=g)
        return image, (image + noise * torch.randn(h, w, 3, generator=g)).clamp(0, 1)

    return make


# fmt: off
PSNR_MISTAKES = mistakes({
    "factor 20": (lambda a, b: 2 * images.psnr(a, b),
        "Exactly twice the expected value: 20 log₁₀ belongs to the root of the mean square."),
    "sign": (lambda a, b: -images.psnr(a, b), "The sign is wrong: smaller errors, more decibels."),
    "natural logarithm": (lambda a, b: images.psnr(a, b) * math.log(10),
        "You took the natural logarithm; decibels use log₁₀."),
    "absolute error": (lambda a, b: -10 * torch.log10((a - b).abs().mean((-3, -2, -1))),
        "You averaged |a − b|; PSNR averages the squares."),
    "sum of squares": (lambda a, b: -10 * torch.log10(((a - b) ** 2).sum((-3, -2, -1))),
        "You summed the squares; take their mean over pixels and channels."),
    "of the root": (lambda a, b: images.psnr(a, b) / 2,
        "Exactly half the expected value: with the root of the mean square it is 20 log₁₀."),
    "peak 255": (lambda a, b: images.psnr(a, b) + 20 * math.log10(255),
        "You took 255 for the peak. Colours are in [0, 1] here: the peak is 1."),
    "peak of the picture": (
        lambda a, b: images.psnr(a, b) + 20 * torch.log10(b.amax((-3, -2, -1))),
        "You took the brightest value of the picture for the peak. It is 1, whatever the picture."),
    "never infinite": (lambda a, b: -10 * torch.log10(((a - b) ** 2).mean((-3, -2, -1)) + 1e-8),
        "You add something to the mean square. Equal pictures have an infinite PSNR."),
    "never quite infinite": (
        lambda a, b: -10 * torch.log10(((a - b) ** 2).mean((-3, -2, -1)).clamp(min=1e-10)),
        "You keep the mean square above zero. Equal pictures have an infinite PSNR."),
    "channel by channel": (
        lambda a, b: (-10 * torch.log10(((a - b) ** 2).mean((-3, -2)))).mean(-1),
        "You averaged the decibels of the channels: average the squares, then take the logarithm."),
    "one number for the batch": (lambda a, b: -10 * torch.log10(((a - b) ** 2).mean()),
        "One number per picture: average over the last three axes only."),
})
# fmt: on

PSNR = Exercise(
    name="psnr",
    reference=images.psnr,
    cases=(
        Case(
            "an error of 0.1 everywhere: 20 dB",
            lambda g: (torch.zeros(2, 2, 3), torch.full((2, 2, 3), 0.1)),
            fixed=True,
        ),
        Case("a good picture", pictures(6, 5, 0.02)),
        Case("a picture that is all but equal", pictures(3, 4, 1e-4)),
        Case("a bad picture", pictures(4, 7, 0.3)),
        Case("a batch", lambda g: tuple(torch.rand(2, 3, 4, 4, 3, generator=g))),
        Case("equal pictures", lambda g: (torch.rand(2, 2, 3, generator=g),) * 2),
    ),
    misconceptions=PSNR_MISTAKES,
    hints=(
        "With colours in [0, 1] the peak is 1, so PSNR = 10 log₁₀(1 / MSE).",
        "`.mean((-3, -2, -1))` is over rows, columns and channels, and keeps the batch. Still stuck? "
        '`solution("psnr")`.',
    ),
)
