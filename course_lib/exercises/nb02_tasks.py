"""Notebook 02, classification and clustering: PointNet's parts, k-means, the adjusted Rand index."""

from itertools import pairwise

import torch

from course_lib.exercises.choices import choice_question
from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.tasks.clustering import adjusted_rand_index, kmeans_step
from course_lib.tasks.pointnet import max_pool_points, shared_mlp


def _layers(g: torch.Generator, *sizes: int) -> tuple[list, list]:
    pairs = list(pairwise(sizes))
    weights = [torch.randn(i, o, generator=g) for i, o in pairs]
    return weights, [torch.randn(o, generator=g) for _, o in pairs]


def _mlp_without_relu(points, weights, biases):
    for weight, bias in zip(weights, biases, strict=True):
        points = points @ weight + bias
    return points


def _mlp_linear_at_the_end(points, weights, biases):
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        points = torch.relu(points @ weight + bias)
    return points @ weights[-1] + biases[-1]


def _mlp_without_bias(points, weights, biases):
    for weight in weights:
        points = torch.relu(points @ weight)
    return points


def _mlp_bias_after_relu(points, weights, biases):
    for weight, bias in zip(weights, biases, strict=True):
        points = torch.relu(points @ weight) + bias
    return points


# fmt: off
SHARED_MLP_MISTAKES = mistakes({
    "no relu": (_mlp_without_relu,
        "There is no max(·, 0) in it: without a nonlinearity all layers together are one linear "
        "map."),
    "linear at the end": (_mlp_linear_at_the_end,
        "The last layer lacks its max(·, 0). Here every layer has one, the last too."),
    "no bias": (_mlp_without_bias, "You left out the biases: x W + b."),
    "bias after relu": (_mlp_bias_after_relu,
        "You added the bias after the max(·, 0). It belongs inside: max(x W + b, 0)."),
    "pooled already": (
        lambda points, weights, biases: shared_mlp(points, weights, biases).amax(dim=1),
        "You took the maximum over the points already. Return one row per point: (b, n, k)."),
})
# fmt: on

SHARED_MLP = Exercise(
    name="shared_mlp",
    reference=shared_mlp,
    points=2,
    cases=(
        Case(
            "one point, one layer",
            lambda g: (
                torch.tensor([[[1.0, 2.0]]]),
                [torch.tensor([[1.0, -1.0], [1.0, -1.0]])],
                [torch.tensor([0.5, 0.5])],
            ),
            fixed=True,
        ),
        Case("one layer", lambda g: (torch.randn(2, 5, 3, generator=g), *_layers(g, 3, 6))),
        Case(
            "three layers", lambda g: (torch.randn(3, 7, 3, generator=g), *_layers(g, 3, 8, 6, 5))
        ),
    ),
    misconceptions=SHARED_MLP_MISTAKES,
    hints=(
        "`points @ weight` multiplies the last axis, whatever stands before it: (b, n, c) @ "
        "(c, k) is (b, n, k).",
        "Loop over the layers: `for weight, bias in zip(weights, biases)`; the result of one "
        "is the input of the next.",
        "In the loop: `points = torch.relu(points @ weight + bias)`.",
    ),
)


def _present(g: torch.Generator, b: int, n: int) -> torch.Tensor:
    """Each cloud has between 1 and n − 1 points anywhere, the rest is padding."""
    sizes = torch.randint(1, n, (b, 1), generator=g)
    return torch.rand(b, n, generator=g).argsort(1) < sizes


def _with_large_padding(g: torch.Generator, shift: float, size: float = 1.0) -> tuple:
    present = _present(g, 4, 6)
    features = size * (torch.randn(4, 6, 3, generator=g) + shift)
    return torch.where(present[:, :, None], features, 9.0), present


# fmt: off
MAX_POOL_MISTAKES = mistakes({
    "padding counts": (lambda features, present: features.amax(dim=1),
        "Padding took part in the maximum: use `present`."),
    "zero for padding": (lambda features, present: (features * present[:, :, None]).amax(dim=1),
        "You set the padding to 0, which wins where all features are negative. Set it to −∞."),
    "mean": (
        lambda features, present: (
            (features * present[:, :, None]).sum(1) / present.sum(1, keepdim=True)
        ),
        "That is the mean over the points; asked for is the maximum."),
    "over the features": (lambda features, present: features.amax(dim=2),
        "You took the maximum over the features (axis 2). The points lie along axis 1."),
})
# fmt: on

MAX_POOL = Exercise(
    name="max_pool_points",
    reference=max_pool_points,
    cases=(
        Case(
            "three points, the last is padding",
            lambda g: (
                torch.tensor([[[1.0, -4.0], [3.0, -2.0], [9.0, 9.0]]]),
                torch.tensor([[True, True, False]]),
            ),
            fixed=True,
        ),
        Case("features below zero", lambda g: _with_large_padding(g, -6.0)),
        Case("features around zero", lambda g: _with_large_padding(g, 0.0)),
        Case("features far below zero", lambda g: _with_large_padding(g, -9.0, 1e4)),
    ),
    misconceptions=MAX_POOL_MISTAKES,
    hints=(
        "Which value never wins a maximum? Give it to the padding.",
        "`features.masked_fill(~present[:, :, None], -torch.inf)`, then the maximum over axis 1.",
    ),
)

# fmt: off
NOT_SYMMETRIC = choice_question("pooling_that_sees_the_order", "D", {
    "A": ("the maximum of each feature over the points",
        "The maximum of numbers does not depend on their order."),
    "B": ("the sum over the points of the squares of the features",
        "A sum does not depend on the order of its terms."),
    "C": ("the features of the points, each column sorted, then joined to one vector",
        "Sorting forgets the order: every permutation is sorted to the same."),
    "D": ("the features of the points, as they stand, joined to one vector",
        "Joined as they stand, the features of the first point meet the first weights: order "
        "counts."),
}, hints=("Swap two points in your mind. What changes?",))
# fmt: on


def _blobs(g: torch.Generator, n: int, k: int, d: int) -> tuple:
    return torch.randn(n, d, generator=g), torch.randn(k, d, generator=g)


def _with_empty_center(g: torch.Generator) -> tuple:
    points, centers = _blobs(g, 12, 3, 2)
    centers[1] = 50.0
    return points, centers


def _kmeans_empty(fill):
    def wrong(points, centers):
        labels = torch.cdist(points, centers).argmin(dim=1)
        chosen = [points[labels == k] for k in range(len(centers))]
        return labels, torch.stack([c.mean(0) if len(c) else fill(points) for c in chosen])

    return wrong


def _kmeans_moved(middle, norm=2):
    """k-means with another middle of a centre's points, or another distance."""

    def wrong(points, centers):
        labels = torch.cdist(points, centers, p=norm).argmin(dim=1)
        chosen = [points[labels == k] for k in range(len(centers))]
        pairs = zip(chosen, centers, strict=True)
        rows = [middle(mine).expand_as(center) if len(mine) else center for mine, center in pairs]
        return labels, torch.stack(rows)

    return wrong


def _kmeans_labels_too_late(points, centers):
    _, moved = kmeans_step(points, centers)
    return torch.cdist(points, moved).argmin(dim=1), moved


def _kmeans_halfway(points, centers):
    labels, moved = kmeans_step(points, centers)
    return labels, (centers + moved) / 2


def _kmeans_nearest_point(points, centers):
    labels, _ = kmeans_step(points, centers)
    return labels, points[torch.cdist(points, centers).argmin(dim=0)]


# fmt: off
KMEANS_MISTAKES = mistakes({
    "one number": (_kmeans_moved(lambda mine: mine.mean()),
        "You averaged all coordinates into one number: the mean is per coordinate, `mean(dim=0)`."),
    "sum": (_kmeans_moved(lambda mine: mine.sum(0)),
        "You added the points up: a centre moves to their *mean*."),
    "median": (_kmeans_moved(lambda mine: mine.median(0).values),
        "You took the median; k-means takes the mean."),
    "sums of differences": (_kmeans_moved(lambda mine: mine.mean(0), norm=1),
        "You measured |x| + |y| + … (p = 1); nearest means the Euclidean distance."),
    "NaN for an empty centre": (_kmeans_empty(lambda points: torch.full_like(points[0], torch.nan)),
        "A centre without points became NaN (the mean of nothing). It should stay where it was."),
    "zero for an empty centre": (_kmeans_empty(lambda points: torch.zeros_like(points[0])),
        "A centre without points went to the origin. It should stay where it was."),
    "labels after moving": (_kmeans_labels_too_late,
        "Your labels belong to the moved centres: return those found before the centres moved."),
    "halfway": (_kmeans_halfway,
        "Your centres go only half the way: a centre moves to the mean of its points."),
    "nearest point": (_kmeans_nearest_point,
        "You moved each centre to its nearest point. It moves to the mean of all points with "
        "its label."),
})
# fmt: on

KMEANS = Exercise(
    name="kmeans_step",
    reference=kmeans_step,
    points=2,
    cases=(
        Case(
            "three points on a line, a centre far away",
            lambda g: (torch.tensor([[0.0], [1.0], [9.0]]), torch.tensor([[0.0], [8.0], [99.0]])),
            fixed=True,
        ),
        Case("a plane", lambda g: _blobs(g, 30, 4, 2)),
        Case("space", lambda g: tuple(30 * x for x in _blobs(g, 40, 5, 3))),
        Case("a centre without points", _with_empty_center),
    ),
    misconceptions=KMEANS_MISTAKES,
    hints=(
        "Two steps: first every point finds its nearest centre, then every centre finds its "
        "points.",
        "`torch.cdist(points, centers)` has a row for each point; `argmin(dim=1)` are the labels.",
        "Begin with `moved = centers.clone()` and change only the rows in `labels.unique()`.",
    ),
)


def _groups(g: torch.Generator, n: int, k: int, errors: int) -> tuple:
    """A grouping and a renamed copy of it in which some items went astray."""
    a = torch.randint(0, k, (n,), generator=g)
    b = torch.randperm(k, generator=g)[a] + 3
    b[torch.randperm(n, generator=g)[:errors]] = 3
    return a, b


def _one_against_some(g: torch.Generator, n: int) -> tuple:
    return torch.full((n,), 3), torch.randint(0, 4, (n,), generator=g)


def _many_groups(g: torch.Generator, n: int, k: int) -> tuple:
    a, b = torch.randint(0, k, (2, n), generator=g)
    return a, 100 * torch.where(torch.rand(n, generator=g) < 0.4, a, b)


def _two_against_four(g: torch.Generator, n: int) -> tuple:
    return torch.arange(n) % 4, torch.randint(0, 2, (n,), generator=g) - 1


def _table(a, b):
    return torch.stack(
        [torch.stack([((a == i) & (b == j)).sum() for j in b.unique()]) for i in a.unique()]
    )


def _pair_sums(a, b):
    table = _table(a, b).float()
    pairs = [(t * (t - 1) / 2).sum() for t in (table, table.sum(1), table.sum(0), table.sum())]
    return pairs


def _without_guard(a, b):
    together, in_a, in_b, everything = _pair_sums(a, b)
    return _rand_index(together, in_a, in_b, everything, in_a * in_b / everything)


def _items(pairs):
    """n from C(n) = n (n − 1)/2."""
    return (1 + (1 + 8 * pairs).sqrt()) / 2


def _rand(formula):
    """An index made from S, A, B, the pairs C(n), and E = A B / C(n); 1 where it is 0/0."""

    def wrong(a, b):
        together, in_a, in_b, everything = _pair_sums(a, b)
        value = formula(together, in_a, in_b, everything, in_a * in_b / everything)
        return value.nan_to_num(1.0)

    return wrong


def _rand_index(s, a, b, n, e):
    return (s - e) / ((a + b) / 2 - e)


def _names_as_indices(a, b):
    k = int(max(a.max(), b.max())) + 1
    table = torch.zeros(k, k)
    table.index_put_((a, b), torch.ones(len(a)), accumulate=True)
    s, in_a, in_b, n = (
        (t * (t - 1) / 2).sum() for t in (table, table.sum(1), table.sum(0), table.sum())
    )
    return _rand_index(s, in_a, in_b, n, in_a * in_b / n)


# fmt: off
RAND_INDEX_MISTAKES = mistakes({
    "accuracy": (lambda a, b: (a == b).float().mean(),
        "You compared the names of the groups. Names mean nothing here: count pairs that are "
        "together in both."),
    "names as indices, 0/0": (_names_as_indices,
        "A group's name is no index (−1 is one too): `a.unique(return_inverse=True)` numbers the "
        "groups. And 0/0 gives NaN where 1 is right."),
    "names as indices": (lambda a, b: _names_as_indices(a, b).nan_to_num(1.0),
        "You used the names of the groups as indices. A name may be any number, −1 too: number "
        "the groups with `a.unique(return_inverse=True)`."),
    "0/0": (_without_guard,
        "Two trivial groupings give 0/0, NaN: return 1 there."),
    "no half": (_rand(lambda s, a, b, n, e: (s - e) / (a + b - e)),
        "Below the bar stands (A + B)/**2** − E."),
    "items instead of pairs": (_rand(lambda s, a, b, n, e: (_items(n) - e) / ((a + b) / 2 - e)),
        "S counts *pairs*, Σ C(n_ij); you added up the items n_ij."),
    "unadjusted": (_rand(lambda s, a, b, n, e: (n + 2 * s - a - b) / n),
        "That is the plain Rand index, which is not 0 even by chance. Subtract the expected "
        "value E."),
    "larger for mean": (_rand(lambda s, a, b, n, e: (s - e) / (torch.maximum(a, b) - e)),
        "Below the bar stands the *mean* of A and B, minus E; you took the larger of the two."),
    "no expectation": (_rand(lambda s, a, b, n, e: s / ((a + b) / 2)),
        "You left out the expected value E: subtract it above and below the fraction bar."),
    "purity": (lambda a, b: _table(a, b).amax(dim=1).sum() / len(a),
        "That is purity, the share of the largest overlap. The Rand index counts pairs."),
})
# fmt: on

RAND_INDEX = Exercise(
    name="adjusted_rand_index",
    reference=adjusted_rand_index,
    points=2,
    cases=(
        Case(
            "six items, one astray",
            lambda g: (torch.tensor([0, 0, 0, 1, 1, 1]), torch.tensor([7, 7, 4, 4, 4, 4])),
            fixed=True,
        ),
        Case(
            "names below zero",
            lambda g: (torch.tensor([-1, -1, 2, 2, 0, 0]), torch.tensor([1, 1, -2, 1, 2, 2])),
            fixed=True,
        ),
        Case(
            "a single group in both",
            lambda g: (torch.tensor([4, 4, 4]), torch.tensor([1, 1, 1])),
            fixed=True,
        ),
        Case(
            "every item for itself, in both",
            lambda g: (torch.tensor([0, 1, 2, 3]), torch.tensor([5, 1, 0, 7])),
            fixed=True,
        ),
        Case("one group against some", lambda g: _one_against_some(g, 12)),
        Case("many groups with large names", lambda g: _many_groups(g, 80, 14)),
        Case("four groups against two", lambda g: _two_against_four(g, 15)),
        Case("the same groups, other names", lambda g: _groups(g, 20, 3, 0)),
        Case("some items astray", lambda g: _groups(g, 30, 4, 8)),
        Case("more items astray", lambda g: _groups(g, 25, 3, 12)),
    ),
    misconceptions=RAND_INDEX_MISTAKES,
    hints=(
        "First the table: how many items are in group i of a and in group j of b?",
        "x items make x (x − 1)/2 pairs. S sums that over the table, A over its row sums, B "
        "over its column sums.",
        "E = A·B / (pairs of all n items); the answer is (S − E) / ((A + B)/2 − E).",
    ),
)
