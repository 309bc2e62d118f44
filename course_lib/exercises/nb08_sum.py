"""Notebook 08, many Gaussians: what they cover, in which order, and how they multiply."""

import torch

from course_lib import splatting, volume
from course_lib.exercises.exercise import Case, Exercise, mistakes

# Coverage


def splats(*n: int):
    """A maker of offsets (2, n), conics (3, n) and opacities."""

    def make(g):
        a, c = 0.2 + torch.rand(2, *n, generator=g)
        b = (a * c).sqrt() * (1.4 * torch.rand(*n, generator=g) - 0.7)
        offsets = 3 * torch.rand(2, *n, generator=g) - 1.5
        return offsets, torch.stack([a, b, c]), 0.1 + 0.8 * torch.rand(*n, generator=g)

    return make


def _alpha(d, k, o, *, half=0.5, cross=1.0, top=0.99):
    (x, y), (a, b, c) = d, k
    return (o * torch.exp(-half * (a * x * x + c * y * y) - 2 * half * cross * b * x * y)).clamp(
        max=top
    )


# fmt: off
ALPHA_MISTAKES = mistakes({
    "no half": (lambda d, k, o: _alpha(d, k, o, half=1.0),
        "A Gaussian is exp(−½ dᵀ Σ⁻¹ d): the ½ is missing."),
    "no mixed term": (lambda d, k, o: _alpha(d, k, o, cross=0.0),
        "The mixed term is missing: dᵀ K d = a dx² + 2b dx dy + c dy²."),
    "mixed term once": (lambda d, k, o: _alpha(d, k, o, cross=0.5),
        "b stands twice in the symmetric matrix: 2b dx dy, and so b dx dy after the half."),
    "inverted once more": (
        lambda d, k, o: _alpha(d, torch.stack([k[2], -k[1], k[0]]) / (k[0] * k[2] - k[1] ** 2), o),
        "The conics are inverse covariances already: do not invert them again."),
    "conic's order": (lambda d, k, o: _alpha(d, k[[0, 2, 1]], o),
        "You read the conic as (xx, yy, xy): b, the mixed number, stands in the middle."),
    "without opacity": (lambda d, k, o: _alpha(d, k, torch.ones_like(o)),
        "Multiply by the opacity: it is what the splat covers at its centre."),
    "normalised": (
        lambda d, k, o: _alpha(d, k, o) * (k[0] * k[2] - k[1] ** 2).sqrt() / (2 * torch.pi),
        "This is no probability density: without the factor 1/(2π √|Σ|), so that the centre covers "
        "just the opacity."),
    "not cut": (lambda d, k, o: _alpha(d, k, o, top=9.0),
        "Nothing may cover more than 0.99 of a pixel: what is behind must stay reachable."),
})
# fmt: on

ALPHA = Exercise(
    name="splat_alpha",
    points=2,
    reference=splatting.splat_alpha,
    cases=(
        Case(
            "one pixel beside a round splat",
            lambda g: (
                torch.tensor([[1.0], [0.0]]),
                torch.tensor([[1.0], [0.0], [1.0]]),
                torch.tensor([0.5]),
            ),
            fixed=True,
        ),
        Case("some pixels", splats(6)),
        Case("many", splats(40)),
        Case("a small picture", splats(3, 4)),
        Case(
            "an opaque splat",
            lambda g: (torch.zeros(2, 1), torch.ones(3, 1) / 2, torch.ones(1)),
            fixed=True,
        ),
    ),
    misconceptions=ALPHA_MISTAKES,
    hints=(
        "`dx, dy = offsets` and `a, b, c = conics` take the components apart.",
        "dᵀ K d = a dx² + 2b dx dy + c dy².",
        "`(opacities * torch.exp(-0.5 * …)).clamp(max=0.99)`",
    ),
    gradients=("offsets", "conics", "opacities"),
)

# Reach

# fmt: off
REACH_MISTAKES = mistakes({
    "three sigma for all": (lambda o: torch.full_like(o, 3.0),
        "Three standard deviations are too far for a faint splat: the opacity counts."),
    "square": (lambda o: splatting.splat_reach(o) ** 2,
        "That is r². Take the root."),
    "no factor 2": (lambda o: splatting.splat_reach(o) / 2**0.5,
        "−r²/2 = ln(…): the 2 belongs under the root."),
    "NaN for the faintest": (lambda o: (2 * (255 * o).log()).sqrt(),
        "A splat that covers less than 1/255 even at its centre reaches nothing: 0, not NaN."),
    "opacity left out": (lambda o: torch.full_like(o, 3.3290427),
        "That is the reach of a splat of opacity 1; fainter ones end sooner."),
})
# fmt: on

REACH = Exercise(
    name="splat_reach",
    reference=splatting.splat_reach,
    cases=(
        Case("opaque, and too faint", lambda g: (torch.tensor([1.0, 0.001]),), fixed=True),
        Case("some", lambda g: (torch.rand(6, generator=g),)),
        Case("faint ones", lambda g: (0.02 * torch.rand(8, generator=g),)),
    ),
    misconceptions=REACH_MISTAKES,
    hints=(
        "Solve o · exp(−r²/2) = 1/255 for r.",
        "r = √(2 ln(255 o)).",
        "`(255 * opacity).clamp(min=1)` makes the logarithm 0 for those that are too faint.",
    ),
)

# The sum


def layers(*pixels: int, n: int):
    """A maker of alphas, colours and depths in no order."""
    return lambda g: (
        0.9 * torch.rand(*pixels, n, generator=g),
        torch.rand(n, 3, generator=g),
        1 + torch.randperm(n, generator=g) + 0.5 * torch.rand(n, generator=g),
    )


def _blended(a, c, z, *, order=None, inclusive=False, light=True, norm=False):
    order = z.argsort() if order is None else order
    a, c = a[..., order], c[order]
    passed = torch.cumprod(1 - a, -1)
    if not inclusive:
        passed = torch.cat([torch.ones_like(a[..., :1]), passed[..., :-1]], -1)
    w = a * passed if light else a
    return (w / w.sum(-1, keepdim=True).clamp(min=1e-9) if norm else w) @ c


# fmt: off
BLEND_MISTAKES = mistakes({
    "not sorted": (lambda a, c, z: _blended(a, c, z, order=torch.arange(len(z))),
        "You blend in the order of the list. The nearest comes first: sort by depth."),
    "farthest first": (lambda a, c, z: _blended(a, c, z, order=z.argsort(descending=True)),
        "You sorted the farthest to the front: the nearest hides the others."),
    "colours not sorted": (
        lambda a, c, z: _blended(a, c[z.argsort().argsort()], z),
        "You sorted the alphas but not the colours: both need the same order."),
    "own alpha included": (lambda a, c, z: _blended(a, c, z, inclusive=True),
        "A splat does not hide itself: the product runs over those before it only."),
    "nothing hides": (lambda a, c, z: _blended(a, c, z, light=False),
        "You added α c of all splats: what is before hides what is behind, Πⱼ (1 − αⱼ)."),
    "normalised": (lambda a, c, z: _blended(a, c, z, norm=True),
        "You divided by the sum of the weights, as the soft rasteriser does. Here the rest is "
        "background."),
    "alpha as depth": (
        lambda a, c, z: volume.compositing_weights(
            a[..., z.argsort()], torch.ones_like(a)) @ c[z.argsort()],
        "You gave α for σδ. They differ: α = 1 − exp(−σδ), so σδ = −log(1 − α)."),
})
# fmt: on

BLEND = Exercise(
    name="blend_splats",
    points=3,
    reference=splatting.blend_splats,
    cases=(
        Case(
            "two, the second in front",
            lambda g: (
                torch.tensor([[0.5, 0.5]]),
                torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
                torch.tensor([2.0, 1.0]),
            ),
            fixed=True,
        ),
        Case("a few pixels", layers(3, n=5)),
        Case("a picture", layers(2, 3, n=4)),
        Case("many splats", layers(2, n=12)),
    ),
    misconceptions=BLEND_MISTAKES,
    hints=(
        "`order = depths.argsort()`, then the same order for alphas (last axis) and colours.",
        "Your `compositing_weights` of 7.5 wants σδ: −log(1 − α), with lengths 1.",
        "weights (…, n) times colours (n, c): `weights @ colors[order]`.",
    ),
    gradients=("alphas", "colors"),
)

# One sum for all pixels


def groups(*counts: int):
    """A maker of values in groups of these sizes."""
    return lambda g: (
        torch.rand(sum(counts), generator=g, dtype=torch.float64),
        torch.tensor(counts),
    )


def _before(v, n, *, inclusive=False, after=False, whole=False):
    parts = []
    for part in v.split(n.tolist()):
        total = part.cumsum(0)
        total = part.sum() - total if after else total - (0 if inclusive else part)
        parts.append(total)
    return v.cumsum(0) - v if whole else torch.cat(parts)


# fmt: off
SUMS_MISTAKES = mistakes({
    "own value included": (lambda v, n: _before(v, n, inclusive=True),
        "Your sums include the value itself: only those before it count, so a group starts with 0."),
    "not per group": (lambda v, n: _before(v, n, whole=True),
        "Your sum runs on from group to group. Take away what it was where the group starts."),
    "what comes after": (lambda v, n: _before(v, n, after=True),
        "You summed what stands behind each value, not what stands before it."),
    "previous value only": (
        lambda v, n: torch.cat([torch.cat([p[:1] * 0, p[:-1]]) for p in v.split(n.tolist())]),
        "You took the one value before; all of them count."),
})
# fmt: on

SUMS = Exercise(
    name="sums_before",
    points=3,
    reference=volume.sums_before,
    cases=(
        Case(
            "two groups and an empty one",
            lambda g: (torch.tensor([1.0, 2, 3, 4, 5]).double(), torch.tensor([2, 0, 3])),
            fixed=True,
        ),
        Case("four groups", groups(3, 1, 5, 2)),
        Case("empty ones at both ends", groups(0, 4, 0, 0, 3, 1, 0)),
        Case("one long group", groups(30)),
        Case(
            "a single value",
            lambda g: (torch.tensor([2.0]).double(), torch.tensor([0, 1])),
            fixed=True,
        ),
        Case("nothing", lambda g: (torch.zeros(0).double(), torch.tensor([0, 0])), fixed=True),
    ),
    misconceptions=SUMS_MISTAKES,
    hints=(
        "`values.cumsum(0) - values` is what stands before each value, in the whole list.",
        "The first of a group is at `counts.cumsum(0) - counts`: take away what the sum was there.",
        "`torch.repeat_interleave(x, counts)` says x once for each member of a group. An empty group at "
        "the end starts beyond the list: clamp the index.",
    ),
)

# Densification

# fmt: off
SPLIT_MISTAKES = mistakes({
    "half the opacity": (lambda o: (o / 2, splatting.split_in_two(o)[1]),
        "Two with o/2 cover less than o, since the second is partly hidden: solve 1 − (1 − o')² = o."),
    "half the opacity, and its size": (
        lambda o: (o / 2, o / (o - (o / 2) ** 2 / 2**0.5)),
        "Two with o/2 cover less than o, since the second is partly hidden: solve 1 − (1 − o')² = o. "
        "(Your size follows from it.)"),
    "same opacity": (lambda o: (o.clone(), splatting.split_in_two(o)[1]),
        "Two Gaussians of the old opacity cover more than the one did."),
    "size kept": (lambda o: (splatting.split_in_two(o)[0], torch.ones_like(o)),
        "The opacity is right. The pair is flatter on top, so each must be smaller: see the formula."),
    "size inverted": (lambda o: (splatting.split_in_two(o)[0], 1 / splatting.split_in_two(o)[1]),
        "Your size is upside down: the two are smaller than the one, not larger."),
    "square root only": (lambda o: (o.sqrt(), splatting.split_in_two(o)[1]),
        "√o is larger than o. From (1 − o')² = 1 − o follows o' = 1 − √(1 − o)."),
})
# fmt: on

SPLIT = Exercise(
    name="split_in_two",
    points=2,
    reference=splatting.split_in_two,
    cases=(
        Case("opacity ¾", lambda g: (torch.tensor([0.75]),), fixed=True),
        Case("some", lambda g: (0.05 + 0.9 * torch.rand(6, generator=g),)),
        Case("faint ones", lambda g: (0.02 + 0.1 * torch.rand(4, generator=g),)),
    ),
    misconceptions=SPLIT_MISTAKES,
    hints=(
        "Solve 1 − (1 − o')² = o for o'.",
        "o' = 1 − √(1 − o).",
        "The size is o / (2 o' − o'²/√2).",
    ),
)

EXERCISES = (ALPHA, REACH, BLEND, SUMS, SPLIT)
