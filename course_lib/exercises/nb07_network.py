"""Notebook 07, the network of the slide: from a point and a direction to density and colour."""

import torch
import torch.nn.functional as F

from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.nerf import mlp
from course_lib.volume import positional_encoding


def asked(n: int, width: int, depth: int):
    """A maker of a small network with random weights, points in [-1, 1]³ and unit directions."""

    def make(g):
        with torch.random.fork_rng(devices=[]):
            network = mlp.RadianceMLP(width, depth, position_frequencies=2, direction_frequencies=1)
        for p in network.parameters():
            size = p.shape[-1] ** 0.5 if p.ndim > 1 else 3
            p.data.copy_(1.5 * torch.randn(p.shape, generator=g) / size)
        x = 2 * torch.rand(n, 3, generator=g) - 1
        return network, x, F.normalize(torch.randn(n, 3, generator=g), dim=-1)

    return make


def _encoded(x, n):
    return torch.cat([x, positional_encoding(x, n)], -1)


def _query(network, x, d, *, act=F.relu, skip_first=False, sigma=None, late=None, rgb=None):
    """The reference with one step replaced."""
    x, d = _encoded(x, network.position_frequencies), _encoded(d, network.direction_frequencies)
    h = x
    for i, layer in enumerate(network.trunk):
        if i == network.skip and i > 0:
            h = torch.cat([x, h] if skip_first else [h, x], -1)
        h = act(layer(h))
    raw = network.density(h)[:, 0]
    density = F.softplus(raw - 1) if sigma is None else sigma(network, h, raw)
    seen = torch.cat([network.feature(h), d], -1) if late is None else late(network, h, d)
    color = network.color(seen)
    return density, torch.sigmoid(color) if rgb is None else rgb(color)


def _linear_end(network, x, d):
    steps = iter([F.relu] * (len(network.trunk) - 1) + [torch.clone])
    return _query(network, x, d, act=lambda h: next(steps)(h))


# fmt: off
QUERY_FIELD_MISTAKES = mistakes({
    "no ReLU at the end": (_linear_end,
        "The last layer of the trunk has a ReLU, too: only the heads after it have none."),
    "no activation": (lambda net, x, d: _query(net, x, d, act=lambda h: h),
        "There is no ReLU between your layers: without it the whole trunk is one linear map."),
    "skip the other way round": (lambda net, x, d: _query(net, x, d, skip_first=True),
        "At the skip you put γ(x) before h. The layer's weights expect h first, then γ(x)."),
    "relu for the density": (
        lambda net, x, d: _query(net, x, d, sigma=lambda net, h, raw: F.relu(raw)),
        "You made σ ≥ 0 by ReLU. Where it is 0, no gradient comes from there: use softplus(raw "
        "− 1)."),
    "no shift": (lambda net, x, d: _query(net, x, d, sigma=lambda net, h, raw: F.softplus(raw)),
        "Your σ lacks the shift: softplus(raw − 1), with which space starts emptier."),
    "negative density": (lambda net, x, d: _query(net, x, d, sigma=lambda net, h, raw: raw),
        "Your density can be negative, which would add light: softplus(raw − 1)."),
    "density from the feature": (
        lambda net, x, d: _query(
            net,
            x,
            d,
            sigma=lambda net, h, raw: F.softplus(net.density(net.feature(h))[:, 0] - 1),
        ),
        "You take the density from the feature. It comes from the trunk's h; the feature is for "
        "the colour only."),
    "density in a column": (
        lambda net, x, d: _query(net, x, d, sigma=lambda net, h, raw: F.softplus(raw - 1)[:, None]),
        "Your σ has the shape (n, 1): take `[:, 0]`, one number for each point."),
    "direction first": (
        lambda net, x, d: _query(net, x, d, late=lambda net, h, d: torch.cat([d, net.feature(h)], -1)),
        "For the colour the feature comes first, then γ(d)."),
    "no feature layer": (
        lambda net, x, d: _query(net, x, d, late=lambda net, h, d: torch.cat([h, d], -1)),
        "You gave h itself to the colour. It goes through `network.feature` first, without ReLU."),
    "ReLU on the feature": (
        lambda net, x, d: _query(
            net, x, d, late=lambda net, h, d: torch.cat([F.relu(net.feature(h)), d], -1)
        ),
        "You put a ReLU behind `network.feature`. It has none."),
    "colour without sigmoid": (lambda net, x, d: _query(net, x, d, rgb=lambda color: color),
        "Your colours leave [0, 1]: a sigmoid is missing."),
})
# fmt: on

QUERY_FIELD = Exercise(
    name="query_field",
    points=3,
    reference=mlp.query_field,
    cases=(
        Case("four layers", asked(5, 8, 4)),
        Case("three layers, one point", asked(1, 6, 3)),
        Case("one layer, no skip", asked(7, 5, 1)),
        Case("the paper's eight layers, narrow", asked(4, 12, 8)),
    ),
    misconceptions=QUERY_FIELD_MISTAKES,
    hints=(
        "Encode both: `torch.cat([x, positional_encoding(x, network.position_frequencies)], dim=-1)`, "
        "and d with `network.direction_frequencies`.",
        "Go through `network.trunk`: h = relu(layer(h)). Before layer number `network.skip` (if that is "
        "not 0) append the encoded point: `torch.cat([h, x], dim=-1)`.",
        "σ = softplus(network.density(h)[:, 0] − 1): the direction has not entered yet.",
        "For the colour join `network.feature(h)` and the encoded d (last axis); then a sigmoid. "
        'Still stuck? `solution("query_field")`.',
    ),
    gradients=("x", "d"),
)
