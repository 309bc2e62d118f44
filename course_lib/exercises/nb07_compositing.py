"""Notebook 07, the functions of the integral: compositing, importance sampling, PSNR."""

import math

import torch
import torch.nn.functional as F

from course_lib import volume
from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.nerf import images

# Compositing


def densities(n: int, s: int, scale: float = 3.0):
    """A maker of densities and interval lengths."""
    return lambda g: (
        scale * torch.rand(n, s, generator=g),
        0.1 + 0.4 * torch.rand(n, s, generator=g),
    )


def endless(n: int, s: int):
    """The same with a last interval that goes on for ever."""

    def make(g):
        sigma, deltas = densities(n, s, 1.0)(g)
        deltas[:, -1] = 1e10
        return sigma, deltas

    return make


def _front_to_back(tau, before):
    return torch.exp(-before) * (1 - torch.exp(-tau))


def _weights(sigma, deltas, *, inclusive=False, alpha=None):
    alpha = 1 - torch.exp(-sigma * deltas) if alpha is None else alpha
    passed = torch.cumprod(1 - alpha, dim=-1)
    if not inclusive:
        passed = torch.cat([torch.ones_like(passed[..., :1]), passed[..., :-1]], -1)
    return passed * alpha


def _transmittance(sigma, deltas):
    tau = sigma * deltas
    return torch.exp(tau - torch.cumsum(tau, -1))


# fmt: off
WEIGHTS_MISTAKES = mistakes({
    "own absorption included": (lambda s, d: _weights(s, d, inclusive=True),
        "Your transmittance includes the sample itself: Tᵢ sums over j < i only, so T₁ = 1."),
    "no transmittance": (lambda s, d: 1 - torch.exp(-s * d),
        "These are the opacities αᵢ. What lies in front hides a sample: multiply by Tᵢ."),
    "transmittance only": (_transmittance,
        "This is the transmittance Tᵢ. The weight is Tᵢ times the opacity 1 − exp(−σᵢδᵢ)."),
    "no lengths": (lambda s, d: _weights(s, torch.ones_like(d)),
        "You left out the lengths δᵢ: σ is density per unit of length."),
    "σδ for 1 − exp(−σδ)": (lambda s, d: _transmittance(s, d) * s * d,
        "σδ approximates the opacity for thin layers only, and exceeds 1 for thick ones: use 1 "
        "− exp(−σδ)."),
    "grows": (lambda s, d: _front_to_back(s * d, s * d - torch.cumsum(s * d, -1)),
        "Your transmittance grows along the ray: the exponent needs a minus sign."),
    "across the rays": (
        lambda s, d: _front_to_back(s * d, torch.cumsum(s * d, 0) - s * d),
        "Your sum runs over the rays. It runs along each ray, the last axis."),
    "from behind": (
        lambda s, d: _front_to_back(s * d, (s * d).flip(-1).cumsum(-1).flip(-1) - s * d),
        "You summed what lies behind a sample. What lies before it hides it."),
    "rolled": (lambda s, d: _front_to_back(s * d, torch.cumsum(s * d, -1).roll(1, -1)),
        "You rolled the sum: the whole ray's depth lands on the first sample. There it is 0."),
    "subtracted again": (lambda s, d: _front_to_back(s * d, torch.cumsum(s * d, -1) - s * d),
        "You subtract σδ from a sum that contains it: where the last interval is 1e10 long, all digits "
        "are lost. Sum the intervals before i only."),
    "normalised": (lambda s, d: F.normalize(_weights(s, d), p=1, dim=-1),
        "You made the weights sum to 1. Their sum is the ray's opacity; the rest is background."),
})
# fmt: on

WEIGHTS = Exercise(
    name="compositing_weights",
    points=3,
    reference=volume.compositing_weights,
    cases=(
        Case(
            "two half-transparent layers",
            lambda g: (torch.full((2,), math.log(2)), torch.ones(2)),
            fixed=True,
        ),
        Case("thin fog", densities(3, 5)),
        Case("thick fog", densities(2, 8, 20.0)),
        Case("a last interval without end", endless(3, 5)),
        Case("rays in rows", lambda g: tuple(x[:, None] for x in densities(2, 4)(g))),
        Case(
            "an opaque wall",
            lambda g: (torch.tensor([0.0, 1e6, 1.0]), torch.tensor([0.5, 0.5, 1e10])),
            fixed=True,
        ),
    ),
    misconceptions=WEIGHTS_MISTAKES,
    hints=(
        "First α = 1 − exp(−σδ): the share of the light that each interval stops.",
        "Tᵢ = exp(−Σ_{j<i} σⱼδⱼ): a cumulative sum that starts with 0, without the last term.",
        "`F.pad(tau[..., :-1], (1, 0))` puts the 0 in front and drops the last; `torch.cumsum` adds up. "
        'Still stuck? `solution("compositing_weights")`.',
    ),
    gradients=True,
)


def samples(n: int, s: int, channels: int = 3):
    """A maker of weights, colours, distances and a background."""

    def make(g):
        w = volume.compositing_weights(*densities(n, s)(g))
        t = torch.cumsum(0.1 + torch.rand(n, s, generator=g), -1)
        return w, torch.rand(n, s, channels, generator=g), t, torch.rand(channels, generator=g)

    return make


def _with_background(candidate, weights, colors, t, background):
    result = candidate(weights, colors, t, background=background)
    return tuple(result) if isinstance(result, (tuple, list)) else result


def _blend(w, c, t, background, *, rest=None, depth="mean"):
    opacity = w.sum(-1)
    rest = 1 - opacity if rest is None else rest
    background = 0.0 if background is None else background
    color = (w[..., None] * c).sum(-2) + rest[..., None] * background
    mean = (w * t).sum(-1)
    mean = mean / opacity.clamp(min=1e-8) if depth == "mean" else mean
    return volume.Composite(color, mean, opacity)


def _sum(w, c):
    return (w[..., None] * c).sum(-2)


def _wrong(**parts):
    """A `composite` of which some parts are changed: name -> function of (weights, colors, t, right)."""

    def composite(w, c, t, *, background=None):
        right = volume.composite(w, c, t, background=background)
        return right._replace(**{name: part(w, c, t, right) for name, part in parts.items()})

    return composite


# fmt: off
COMPOSITE_MISTAKES = mistakes({
    "no background": (lambda w, c, t, *, background=None: _blend(w, c, t, None),
        "What is behind is missing: add (1 − Σw) times the background."),
    "background in full": (
        lambda w, c, t, *, background=None: _blend(
            w, c, t, background, rest=torch.ones_like(w[..., 0])
        ),
        "The background only shows through: weight it by 1 − Σw."),
    "background behind opacity": (
        lambda w, c, t, *, background=None: _blend(w, c, t, background, rest=w.sum(-1)),
        "You weighted the background by the opacity; it needs the rest, 1 − Σw."),
    "depth not divided": (
        lambda w, c, t, *, background=None: _blend(w, c, t, background, depth="sum"),
        "Your depth Σwt is too small where the ray is not opaque: divide by Σw (0 where it is 0)."),
    "white by default": (
        lambda w, c, t, *, background=None: _blend(w, c, t, 1.0 if background is None else background),
        "Without a background you take white. `None` is black."),
    "no default": (
        lambda w, c, t, *, background=None: volume.composite(w, c, t, background=background + 0),
        "`background=None` means black: add nothing then."),
    "colour divided by the opacity": (
        _wrong(color=lambda w, c, t, right: right.color + _sum(w, c) * (1 / w.sum(-1) - 1)[..., None]),
        "You divided the colour by the opacity. Only the depth is a mean; the colour is a sum."),
    "opacity the wrong way round": (_wrong(opacity=lambda w, c, t, right: 1 - right.opacity),
        "You return 1 − Σw, what shines through. The opacity is Σw."),
    "depth of the heaviest": (
        _wrong(depth=lambda w, c, t, right: t.gather(-1, w.argmax(-1, keepdim=True))[..., 0]),
        "You return the distance of the heaviest sample. Asked for is the mean Σwt / Σw."),
    "a large guard": (_wrong(depth=lambda w, c, t, right: (w * t).sum(-1) / (w.sum(-1) + 1e-3)),
        "What you add to Σw against division by zero changes the depth. Treat Σw = 0 apart."),
    "a smaller guard": (_wrong(depth=lambda w, c, t, right: (w * t).sum(-1) / (w.sum(-1) + 1e-4)),
        "What you add to Σw against division by zero is visible in the depth. Treat Σw = 0 apart."),
    "depth of nothing": (_wrong(depth=lambda w, c, t, right: (w * t).sum(-1) / w.sum(-1)),
        "Where a ray meets nothing you divide 0 by 0. The depth is 0 there."),
    "mean over samples": (
        _wrong(color=lambda w, c, t, right: right.color + _sum(w, c) * (1 / w.shape[-1] - 1)),
        "Sum over the samples, do not average: the weights already are shares."),
})
# fmt: on

COMPOSITE = Exercise(
    name="composite",
    points=2,
    reference=volume.composite,
    call=_with_background,
    cases=(
        Case("a few rays", samples(3, 5)),
        Case("long rays", samples(2, 12)),
        Case("no background", lambda g: (*samples(3, 4)(g)[:3], None)),
        Case(
            "a ray that meets nothing",
            lambda g: (
                torch.zeros(1, 2),
                torch.ones(1, 2, 3),
                torch.ones(1, 2),
                torch.tensor([0.2, 0.5, 0.9]),
            ),
            fixed=True,
        ),
    ),
    misconceptions=COMPOSITE_MISTAKES,
    hints=(
        "The colour is a weighted sum over the samples: `(w[..., None] * colors).sum(-2)`.",
        "The weights sum to the opacity; the background has the weight 1 − opacity.",
        "Depth: the mean of t, weighted; 0 where Σw is 0. Return Composite(color, depth, opacity). "
        'Still stuck? `solution("composite")`.',
    ),
)

# Importance sampling


def histogram(n: int, s: int, m: int):
    """A maker of ascending edges, weights and numbers in [0, 1)."""

    def make(g):
        edges = torch.cumsum(0.2 + torch.rand(n, s + 1, generator=g), -1)
        weights = torch.rand(n, s, generator=g) ** 2 + 0.02
        return edges, weights, torch.rand(n, m, generator=g) * 0.998

    return make


def _cdf(weights):
    total = torch.cumsum(weights, -1) / weights.sum(-1, keepdim=True)
    return torch.cat([torch.zeros_like(total[..., :1]), total], -1)


def _invert(bins, cdf, u, inside=None):
    right = torch.searchsorted(cdf.contiguous(), u.contiguous(), right=True)
    right = right.clamp(1, bins.shape[-1] - 1)
    low, high = cdf.gather(-1, right - 1), cdf.gather(-1, right)
    share = (u - low) / (high - low).clamp(min=1e-12) if inside is None else inside
    start, end = bins.gather(-1, right - 1), bins.gather(-1, right)
    return start + share * (end - start)


def gaps(g):
    """Bins of weight 0 at both ends and in the midst; numbers exactly where the sum reaches an edge."""
    edges = torch.cumsum(0.2 + torch.rand(2, 6, generator=g), -1)
    weights = torch.tensor([[0.0, 1, 0, 1, 0], [0, 0, 2, 1, 1]])
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


# fmt: off
INVERSE_CDF_MISTAKES = mistakes({
    "uniform": (lambda b, w, u: _invert(b, _cdf(torch.ones_like(w)), u),
        "Your samples ignore the weights: the bins must be chosen in proportion to them."),
    "start of the bin": (lambda b, w, u: _invert(b, _cdf(_alive(w)), u, inside=0.0),
        "Your samples all lie at the start of their bins: interpolate between the two edges."),
    "middle of the bin": (lambda b, w, u: _invert(b, _cdf(_alive(w)), u, inside=0.5),
        "Your samples all lie in the middle of their bins: u says where, too."),
    "not normalised": (lambda b, w, u: _invert(b, F.pad(torch.cumsum(_alive(w), -1), (1, 0)), u),
        "Your cumulative sum does not end at 1: divide by the sum of the weights."),
    "zero weights": (lambda b, w, u: _invert(b, _cdf(w.double()), u.double()).float(),
        "Where all weights are zero you divide 0 by 0. Take equal weights there."),
    "left edge": (_left,
        "Where u lies exactly on a value of the cdf, `searchsorted` takes the bin before it, which may "
        "have weight zero: `right=True` takes the one after."),
    "light bins taken as heavy": (_blurred,
        "You treat bins lighter than 1e-5 as empty, as NeRF's code does. Only weight 0 is empty."),
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
        Case("bins of weight zero, numbers on the edges", gaps),
        Case("a bin that weighs next to nothing", thin_bin),
        Case(
            "weights that are all zero",
            lambda g: (
                torch.linspace(2, 6, 5)[None],
                torch.zeros(1, 4),
                torch.tensor([[0.1, 0.6, 0.9]]),
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

EXERCISES = (WEIGHTS, COMPOSITE, INVERSE_CDF, PSNR)
