"""Notebook 02, generation: latent paths, a flow, coverage."""

import torch

from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.tasks.generation import (
    coverage,
    decode_path,
    flow_matching_loss,
    minimum_matching_distance,
)


def ellipsoid(z, points):
    """A decoder whose three latent numbers are, squared, the half-axes."""
    return (points / (z * z)).norm(dim=-1) - 1


def _path(g: torch.Generator, steps: int) -> tuple:
    start, end = (torch.rand(3, generator=g) + 0.5 for _ in range(2))
    return ellipsoid, start, end, torch.randn(6, 3, generator=g), steps


def _path_of(position):
    """A path whose row i lies at t = position(i, steps)."""

    def wrong(decoder, start, end, points, steps):
        ts = [position(i, steps) for i in range(steps)]
        return torch.stack([decoder((1 - t) * start + t * end, points) for t in ts])

    return wrong


def _blended_values(decoder, start, end, points, steps):
    t = torch.linspace(0, 1, steps)[:, None]
    return (1 - t) * decoder(start, points) + t * decoder(end, points)


# fmt: off
DECODE_PATH_MISTAKES = mistakes({
    "values blended": (_blended_values,
        "You blended the two shapes' values. Blend the latent vectors, and decode what comes out."),
    "end left out": (_path_of(lambda i, steps: i / steps),
        "The last row is not the end: t = i/(steps − 1) reaches 1, i/steps does not."),
    "both ends left out": (_path_of(lambda i, steps: (i + 1) / (steps + 1)),
        "Your path leaves out both ends: the first row belongs to t = 0 and the last to t = 1."),
    "backwards": (_path_of(lambda i, steps: 1 - i / (steps - 1)),
        "Your path runs from the end to the start."),
})
# fmt: on

DECODE_PATH = Exercise(
    name="decode_path",
    reference=decode_path,
    points=2,
    cases=(
        Case(
            "a ball whose latent number is its radius",
            lambda g: (
                lambda z, points: points.norm(dim=-1) - z[0] ** 2,
                torch.tensor([0.5]),
                torch.tensor([1.5]),
                torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]),
                3,
            ),
            fixed=True,
        ),
        Case("five steps", lambda g: _path(g, 5)),
        Case("two steps", lambda g: _path(g, 2)),
        Case("eight steps", lambda g: _path(g, 8)),
    ),
    misconceptions=DECODE_PATH_MISTAKES,
    hints=(
        "Which t belongs to row i, if the first is 0 and the last 1?",
        "`torch.linspace(0, 1, steps)` gives them; decode `(1 - t) * start + t * end` for each.",
        "Collect the rows `decoder(z, points)` in a list and `torch.stack` it.",
    ),
)


def swirl(z, t):
    """A velocity field that depends on the place and on the time of each row."""
    return torch.sin(2 * z) * (1 + t[:, None]) + t[:, None] ** 2


def _flow(g: torch.Generator, b: int, d: int) -> tuple:
    return (
        swirl,
        10 * torch.randn(b, d, generator=g),
        torch.randn(b, d, generator=g),
        torch.rand(b, generator=g),
    )


def _flow_wrong(place=None, target=None, measure=None, time=None):
    """The loss with another point on the path, target, measure of the error, or time."""
    place = place or (lambda x, e, t: (1 - t) * e + t * x)
    target = target or (lambda x, e, z: x - e)
    measure = measure or (lambda error: error.square().mean())
    time = time or (lambda t: t)

    def wrong(velocity, data, noise, t):
        z = place(data, noise, t[:, None])
        return measure(velocity(z, time(t)) - target(data, noise, z))

    return wrong


# fmt: off
FLOW_MISTAKES = mistakes({
    "ends exchanged": (_flow_wrong(place=lambda x, e, t: t * e + (1 - t) * x),
        "Your path begins at the data. At t = 0 stands the noise, at t = 1 the data."),
    "towards the noise": (_flow_wrong(target=lambda x, e, z: e - x),
        "Your target points from the data to the noise: the velocity of z_t is x − ε."),
    "both exchanged": (
        _flow_wrong(place=lambda x, e, t: t * e + (1 - t) * x, target=lambda x, e, z: e - x),
        "Your time runs backwards, from the data to the noise: here t = 0 is the noise."),
    "data for target": (_flow_wrong(target=lambda x, e, z: x),
        "Your network would learn the data x. Its target is the velocity, x − ε."),
    "noise for target": (_flow_wrong(target=lambda x, e, z: e),
        "Your network would learn the noise, as in diffusion models. Here the target is x − ε."),
    "what is left": (_flow_wrong(target=lambda x, e, z: x - z),
        "Your target is the way that is left from z_t. The velocity is that of the whole way, x − ε."),
    "what was gone": (_flow_wrong(target=lambda x, e, z: z - e),
        "Your target is the way from the noise to z_t. The velocity is that of the whole way, x − ε."),
    "a diffusion's path": (
        _flow_wrong(
            place=lambda x, e, t: t.sqrt() * x + (1 - t).sqrt() * e, target=lambda x, e, z: e),
        "√t, √(1 − t) and the noise as target belong to diffusion models. Here the path is straight, "
        "(1 − t) ε + t x, and the target x − ε."),
    "at the data": (_flow_wrong(place=lambda x, e, t: x),
        "You asked for the velocity at the data: ask at the point z_t of the path."),
    "time reversed": (_flow_wrong(time=lambda t: 1 - t),
        "The network gets 1 − t from you: it wants the t of its point."),
    "sum": (_flow_wrong(measure=lambda error: error.square().sum()),
        "You added the squares up: take their mean, or the gradient would grow with the batch."),
    "length": (_flow_wrong(measure=lambda error: error.square().sum(1).mean()),
        "You took the mean over the batch only; it is over the numbers of each vector, too."),
    "not squared": (_flow_wrong(measure=lambda error: error.abs().mean()),
        "That is the mean absolute error: square it, for the mean of all velocities to be best."),
})
# fmt: on

FLOW = Exercise(
    name="flow_matching_loss",
    reference=flow_matching_loss,
    points=2,
    cases=(
        Case(
            "one number, halfway",
            lambda g: (
                lambda z, t: z * t[:, None],
                torch.tensor([[3.0]]),
                torch.tensor([[1.0]]),
                torch.tensor([0.5]),
            ),
            fixed=True,
        ),
        Case("one vector", lambda g: _flow(g, 1, 4)),
        Case("a batch", lambda g: _flow(g, 6, 3)),
        Case("as many vectors as numbers", lambda g: _flow(g, 5, 5)),
    ),
    misconceptions=FLOW_MISTAKES,
    gradients=("noise",),
    hints=(
        "Three steps: the point z_t of each row, the velocity there, its distance from x − ε.",
        "`t[:, None]` is a column (b, 1), so that each row of (b, d) gets its own t.",
        "`z = (1 - t[:, None]) * noise + t[:, None] * data`, and the mean of "
        "`(velocity(z, t) - (data - noise)).square()`.",
    ),
)


def _distances(g: torch.Generator, generated: int, references: int, size: float = 1.0) -> tuple:
    return (size * torch.rand(generated, references, generator=g),)


DISTANCE_CASES = (
    Case(
        "two generated shapes, three references",
        lambda g: (torch.tensor([[0.1, 0.9, 0.8], [0.2, 0.3, 0.7]]),),
        fixed=True,
    ),
    Case("more generated", lambda g: _distances(g, 9, 5)),
    Case("fewer generated", lambda g: _distances(g, 4, 11, 1e4)),
    Case("many", lambda g: _distances(g, 20, 23)),
)

# fmt: off
COVERAGE_MISTAKES = mistakes({
    "other axis": (lambda d: d.new_tensor(d.argmin(dim=0).unique().numel() / d.shape[1]),
        "Your argmin runs down the columns (axis 0): it names generated shapes. Each generated "
        "shape (row) names its nearest reference: axis 1."),
    "named once": (
        lambda d: (torch.bincount(d.argmin(1), minlength=d.shape[1]) == 1).float().mean(),
        "You count only references that are named *exactly* once; twice is found too."),
    "axes exchanged": (lambda d: d.new_tensor(d.argmin(dim=0).unique().numel() / d.shape[0]),
        "You counted the generated shapes that some reference is nearest to. It is the other "
        "way round: each generated shape (row) names its nearest reference (column)."),
    "share of the generated": (
        lambda d: d.new_tensor(d.argmin(dim=1).unique().numel() / d.shape[0]),
        "You divided by the number of generated shapes. Coverage is a share of the references."),
    "counted repeatedly": (lambda d: d.new_tensor(d.argmin(dim=1).numel() / d.shape[1]),
        "A reference that is named twice counts twice with you. Count each once."),
    "a count": (lambda d: d.new_tensor(float(d.argmin(dim=1).unique().numel())),
        "That is the number of references found; coverage is their share."),
})
# fmt: on

COVERAGE = Exercise(
    name="coverage",
    reference=coverage,
    cases=DISTANCE_CASES,
    misconceptions=COVERAGE_MISTAKES,
    hints=(
        "Which reference is nearest to generated shape i? Look along row i.",
        "`distances.argmin(dim=1)` names one reference per generated shape; how many "
        "different ones are there?",
        "`.unique()` keeps each once; divide by the number of columns.",
    ),
)

# fmt: off
MATCHING_MISTAKES = mistakes({
    "argmin": (lambda d: d.argmin(dim=0).float().mean(),
        "You averaged the *numbers* of the nearest shapes: `argmin` says which, `amin` how far."),
    "a sum": (lambda d: d.amin(dim=0).sum(), "You added the distances up: take their mean."),
    "over the generated": (lambda d: d.amin(dim=1).mean(),
        "You looked for the nearest reference of each generated shape. Every reference (column) "
        "looks for its nearest generated shape."),
    "both ways": (lambda d: (d.amin(dim=0).mean() + d.amin(dim=1).mean()) / 2,
        "You took both directions, as Chamfer does. Here only the references look for their nearest."),
    "divided by the generated": (lambda d: d.amin(dim=0).sum() / len(d),
        "You divided by the number of generated shapes: the mean is over the references."),
    "mean, then smallest": (lambda d: d.mean(dim=0).min(),
        "You averaged first and took the smallest then. First the nearest shape of each reference."),
    "smallest of all": (lambda d: d.min(),
        "That is the smallest distance of all: one good shape would be enough."),
    "mean of all": (lambda d: d.mean(), "That is the mean over all pairs."),
    "largest": (lambda d: d.amin(dim=0).max(),
        "You took the worst reference; take the mean over the references."),
})
# fmt: on

MATCHING = Exercise(
    name="minimum_matching_distance",
    reference=minimum_matching_distance,
    cases=DISTANCE_CASES,
    misconceptions=MATCHING_MISTAKES,
    hints=(
        "For each reference (column): how near does a generated shape come?",
        "`distances.amin(dim=0)`, and the mean of that.",
    ),
)
