"""Notebook 07, the integral along a ray: weights of the samples, and compositing."""

import math

import torch
import torch.nn.functional as F

from course_lib import volume
from course_lib.exercises.exercise import Case, Exercise, mistakes

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


def _in_front(tau):
    return F.pad(torch.cumsum(tau[..., :-1], -1), (1, 0))


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
    "σδ for the opacity": (lambda s, d: _weights(s, d, alpha=(s * d).clamp(max=1)),
        "σδ approximates the opacity for thin layers only, and exceeds 1 for thick ones: use 1 "
        "− exp(−σδ), in α and in T."),
    "grows": (lambda s, d: _front_to_back(s * d, -_in_front(s * d)),
        "Your transmittance grows along the ray: the exponent needs a minus sign."),
    "across the rays": (
        lambda s, d: _front_to_back(s * d, torch.cumsum(s * d, 0) - s * d),
        "Your sum runs over the rays. It runs along each ray, the last axis."),
    "from behind": (
        lambda s, d: _front_to_back(s * d, (s * d).flip(-1).cumsum(-1).flip(-1) - s * d),
        "You summed what lies behind a sample. What lies before it hides it."),
    "from behind, itself included": (
        lambda s, d: _front_to_back(s * d, (s * d).flip(-1).cumsum(-1).flip(-1)),
        "You summed what lies behind a sample, and itself. What lies before it hides it."),
    "rolled": (lambda s, d: _front_to_back(s * d, torch.cumsum(s * d, -1).roll(1, -1)),
        "You rolled the sum: the whole ray's depth lands on the first sample. There it is 0."),
    "subtracted again": (lambda s, d: _front_to_back(s * d, torch.cumsum(s * d, -1) - s * d),
        "You subtract σδ from a sum that contains it: where the last interval is 1e10 long, all digits "
        "are lost. Sum the intervals before i only."),
    "normalised": (
        lambda s, d: volume.compositing_weights(s, d)
        / volume.compositing_weights(s, d).sum(-1, keepdim=True),
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
    gradients=("sigma",),
)


def samples(n: int, s: int, channels: int = 3, scale: float = 3.0):
    """A maker of weights, colours, distances and a background."""

    def make(g):
        w = volume.compositing_weights(*densities(n, s, scale)(g))
        t = torch.cumsum(0.1 + torch.rand(n, s, generator=g), -1)
        return w, torch.rand(n, s, channels, generator=g), t, torch.rand(channels, generator=g)

    return make


def number(g):
    w, c, t, background = samples(4, 5, 1, 1e-3)(g)
    return w, c, t, float(background)


def background_each(g):
    return *samples(4, 6)(g)[:3], torch.rand(4, 3, generator=g)


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
        Case("thin fog, one channel, a number as background", number),
        Case("a background for each ray", background_each),
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
