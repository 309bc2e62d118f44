"""Notebook 04, the losses between clouds: Chamfer and normals."""

import torch

from course_lib import losses
from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.neighbors import nearest_neighbors
from course_lib.stable import unit

# Inputs


def clouds(b: int, n: int, m: int):
    """A maker of two random batches of clouds."""
    return lambda g: (torch.randn(b, n, 3, generator=g), torch.randn(b, m, 3, generator=g))


def with_common_points(b: int, n: int, m: int):
    """The same; the first three points of Q lie where points of P do."""

    def make(g):
        p, q = clouds(b, n, m)(g)
        q[:, :3] = p[:, -3:]
        return p, q

    return make


def clouds_with_normals(b: int, n: int, m: int):
    """A maker of two clouds and their unit normals."""
    return lambda g: (
        torch.randn(b, n, 3, generator=g),
        torch.randn(b, m, 3, generator=g),
        unit(torch.randn(b, n, 3, generator=g)),
        unit(torch.randn(b, m, 3, generator=g)),
    )


# Chamfer


def _directed(p, q):
    return nearest_neighbors(p, q)[0]


# fmt: off
CHAMFER_MISTAKES = mistakes({
    "not squared": (lambda p, q: _directed(p, q).sqrt().mean(1) + _directed(q, p).sqrt().mean(1),
        "You averaged distances. The slide averages *squared* distances, ‖p − q‖²."),
    "as printed on the slide": (lambda p, q: _directed(p, q).mean(1) + _directed(q, p).sum(1),
        "Your second sum is not divided by |Q|: so it stands on the slide, where |Q|⁻¹ is "
        "missing."),
    "one direction": (lambda p, q: _directed(p, q).mean(1),
        "You only look from P to Q. A point of Q that nothing in P is near to then costs nothing."),
    "the other direction only": (lambda p, q: _directed(q, p).mean(1),
        "You only look from Q to P. A point of P far from all of Q then costs nothing."),
    "the same direction twice": (lambda p, q: 2 * _directed(p, q).mean(1),
        "You added P→Q twice: the second term goes from each q to its nearest p."),
    "halved": (lambda p, q: (_directed(p, q).mean(1) + _directed(q, p).mean(1)) / 2,
        "Exactly half the expected value: the two means are added, not averaged."),
    "pooled over both clouds": (
        lambda p, q: torch.cat([_directed(p, q), _directed(q, p)], 1).mean(1),
        "You averaged the distances of both directions together: the larger cloud then counts more. "
        "Each direction has its own mean."),
    "larger of the two": (lambda p, q: torch.maximum(_directed(p, q).mean(1), _directed(q, p).mean(1)),
        "You took the larger of the two means. They are added."),
    "first not divided": (lambda p, q: _directed(p, q).sum(1) + _directed(q, p).mean(1),
        "Your first sum is not divided by |P|."),
    "a root of each mean": (
        lambda p, q: _directed(p, q).mean(1).sqrt() + _directed(q, p).mean(1).sqrt(),
        "You took the root of each mean: this distance stays in squared units of length."),
    "both divided by |P|": (
        lambda p, q: (_directed(p, q).sum(1) + _directed(q, p).sum(1)) / p.shape[1],
        "You divided both sums by |P|: the second, over the points of Q, is divided by |Q|."),
    "a root at the end": (lambda p, q: (_directed(p, q).mean(1) + _directed(q, p).mean(1)).sqrt(),
        "You took a root at the end: this distance stays in squared units of length."),
    "mean over the coordinates": (lambda p, q: (_directed(p, q).mean(1) + _directed(q, p).mean(1)) / 3,
        "Exactly a third: you averaged over x, y and z as well. ‖p − q‖² is their sum."),
    "sums": (lambda p, q: _directed(p, q).sum(1) + _directed(q, p).sum(1),
        "You summed both directions without dividing by |P| and |Q|: more points, more loss."),
    "pooled over the batch": (lambda p, q: _directed(p, q).mean() + _directed(q, p).mean(),
        "You averaged over the batch too. Keep one number per pair of clouds: `.mean(dim=1)`."),
})
# fmt: on

CHAMFER = Exercise(
    name="chamfer_distance",
    reference=losses.chamfer_distance,
    points=2,
    cases=(
        Case(
            "one point against two",
            lambda g: (torch.zeros(1, 1, 3), torch.tensor([[[1.0, 0, 0], [3.0, 0, 0]]])),
            fixed=True,
        ),
        Case("a batch of clouds", clouds(3, 12, 20)),
        Case("points in common", with_common_points(2, 6, 5)),
        Case(
            "clouds far from each other",
            lambda g: (50 * clouds(1, 5, 3)(g)[0], clouds(1, 5, 3)(g)[1]),
        ),
        Case("fewer points in Q than in P", clouds(2, 15, 4)),
    ),
    misconceptions=CHAMFER_MISTAKES,
    hints=(
        "Two terms of the same form. Write the one from P to Q first; then swap the names.",
        "`nearest_neighbors(p, q)` returns the squared distances (b, n) and indices (b, n).",
        "`squared, _ = nearest_neighbors(p, q)`, then `squared.mean(dim=1)` is the first term. "
        'Still stuck? `solution("chamfer_distance")`.',
    ),
    gradients=("p", "q"),
)

# Normals


def _agreement(p, q, u_p, u_q):
    """The cosine of each p's normal with that of its nearest q, (b, n)."""
    _, nearest = nearest_neighbors(p, q)
    return (unit(u_p) * losses.gather_rows(unit(u_q), nearest)).sum(2)


# fmt: off
NORMAL_MISTAKES = mistakes({
    "signed": (lambda p, q, u, w: -_agreement(p, q, u, w).mean(1) - _agreement(q, p, w, u).mean(1),
        "You left out the absolute value: a normal that points the other way should cost nothing."),
    "absolute value of the mean": (
        lambda p, q, u, w: -_agreement(p, q, u, w).mean(1).abs() - _agreement(q, p, w, u).mean(1).abs(),
        "You took the absolute value after averaging: opposite normals cancelled out before it."),
    "positive": (
        lambda p, q, u, w: _agreement(p, q, u, w).abs().mean(1) + _agreement(q, p, w, u).abs().mean(1),
        "The sign is the other way round: a loss must *fall* as normals agree, so it is negative."),
    "one direction": (lambda p, q, u, w: -_agreement(p, q, u, w).abs().mean(1),
        "The second term, from every q to its nearest p, is missing."),
    "the first cloud's normals for all": (
        lambda p, q, u, w: (
            -(unit(w)[0][nearest_neighbors(p, q)[1]] * unit(u)).sum(2).abs().mean(1)
            - (unit(u)[0][nearest_neighbors(q, p)[1]] * unit(w)).sum(2).abs().mean(1)
        ),
        "You fetch the normals from the first cloud of the batch for all of them: `gather` along axis 1 "
        "takes each cloud's own."),
    "squared cosines": (
        lambda p, q, u, w: (
            -_agreement(p, q, u, w).square().mean(1) - _agreement(q, p, w, u).square().mean(1)
        ),
        "You squared the cosine. Its absolute value counts."),
    "sums": (
        lambda p, q, u, w: -_agreement(p, q, u, w).abs().sum(1) - _agreement(q, p, w, u).abs().sum(1),
        "You summed over the points: divide by |P| and |Q|."),
    "halved": (
        lambda p, q, u, w: (
            -(_agreement(p, q, u, w).abs().mean(1) + _agreement(q, p, w, u).abs().mean(1)) / 2
        ),
        "Exactly half the expected value: the two means are added, not averaged."),
    "nearest normals": (
        lambda p, q, u, w: -_agreement(u, w, u, w).abs().mean(1) - _agreement(w, u, w, u).abs().mean(1),
        "You paired each normal with the nearest *normal*. Pair points by their positions."),
    "one minus": (
        lambda p, q, u, w: (
            (1 - _agreement(p, q, u, w).abs()).mean(1)
            + (1 - _agreement(q, p, w, u).abs()).mean(1)
        ),
        "You used 1 − |cos|, which is 2 larger: the same gradients, but not the slide's loss."),
})
# fmt: on

NORMAL = Exercise(
    name="normal_loss",
    reference=losses.normal_loss,
    points=2,
    cases=(
        Case("a batch of clouds", clouds_with_normals(3, 12, 20)),
        Case("fewer points in Q than in P", clouds_with_normals(2, 15, 4)),
        Case("as many points in Q as in P", clouds_with_normals(1, 9, 9)),
    ),
    misconceptions=NORMAL_MISTAKES,
    hints=(
        "The pairs Λ are those of the Chamfer distance: only the positions decide them.",
        "Index i of the second result of `nearest_neighbors(p, q)` says which q belongs to p_i.",
        "Fetch the normals: `q_normals.gather(1, nearest[..., None].expand(-1, -1, 3))` is (b, n, 3).",
        "Multiply, `.sum(dim=2)`, `.abs()`, `.mean(dim=1)`, minus; then the same with P and Q swapped. "
        'Still stuck? `solution("normal_loss")`.',
    ),
)
