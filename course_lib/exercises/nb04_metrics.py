"""Notebook 04, the metrics."""

import torch

from course_lib import metrics
from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.neighbors import nearest_neighbors

# Inputs


def occupancies(b: int, r: int):
    """A maker of two batches of grids with the values 0, .25, .5, .75 and 1."""
    return lambda g: tuple(
        torch.randint(0, 5, (b, r, r, r), generator=g).float() / 4 for _ in range(2)
    )


def probabilities(b: int, r: int):
    """A maker of a grid of any values in [0, 1] and a grid of zeros and ones."""
    return lambda g: (
        torch.rand(b, r, r, r, generator=g),
        (torch.rand(b, r, r, r, generator=g) < 0.4).float(),
    )


def two_cubes(g):
    """Cubes of side 4, the second moved by one cell."""
    grids = torch.zeros(2, 1, 6, 6, 6, dtype=torch.bool)
    grids[0, 0, :4, :4, :4] = True
    grids[1, 0, 1:5, :4, :4] = True
    return grids[0], grids[1]


def one_cell_and_none(g):
    """A batch of grids: one occupied cell against none, none against one, none against none."""
    cell = torch.randint(0, 8, (), generator=g)
    grids = torch.zeros(2, 3, 8)
    grids[0, 0, cell] = grids[1, 1, cell] = 1.0
    return tuple(grids.reshape(2, 3, 2, 2, 2))


def clouds(b: int, n: int, m: int, *rest):
    """A maker of two random clouds in the unit cube, and further arguments."""
    return lambda g: (torch.rand(b, n, 3, generator=g), torch.rand(b, m, 3, generator=g), *rest)


def shuffled(g):
    """Two pairs of large clouds: different ones, and one in two orders."""
    p, q = (100 * cloud for cloud in clouds(2, 6, 6)(g))
    q[1] = p[1, torch.randperm(6, generator=g)]
    return p, q


# IoU


def _occupied(grid):
    return grid >= 0.5


def _overlap(a, b):
    a, b = _occupied(a).flatten(1), _occupied(b).flatten(1)
    return (a & b).sum(1), (a | b).sum(1), a.sum(1) + b.sum(1)


def _or_one(above, below):
    return torch.where(below > 0, above / below.clamp_min(1), 1.0)


def _above_half(a, b):
    return metrics.iou(*(grid if grid.dtype == torch.bool else grid > 0.5 for grid in (a, b)))


def _accuracy(a, b):
    return (_occupied(a) == _occupied(b)).flatten(1).float().mean(1)


def _pooled(a, b):
    intersection, union, _ = _overlap(a, b)
    return _or_one(intersection.sum(), union.sum())


# fmt: off
IOU_MISTAKES = mistakes({
    "Dice": (lambda a, b: _or_one(2 * _overlap(a, b)[0], _overlap(a, b)[2]),
        "That is the Dice coefficient 2|A ∩ B| / (|A| + |B|). IoU divides by the union."),
    "the intersection counted twice below": (
        lambda a, b: _or_one(_overlap(a, b)[0], _overlap(a, b)[2]),
        "|A| + |B| is not |A ∪ B|: it counts the common cells twice."),
    "smoothed": (lambda a, b: (_overlap(a, b)[0] + 1) / (_overlap(a, b)[1] + 1),
        "You added 1 above and below against 0/0: that changes every IoU. Only empty grids need it."),
    "accuracy": (_accuracy,
        "You counted equal cells, empty ones too. Most of a shape's grid is empty, so this is high "
        "even for a bad answer."),
    "nothing for two empty grids": (lambda a, b: _overlap(a, b)[0] / _overlap(a, b)[1],
        "Two empty grids give 0/0 = NaN. They agree: return 1 there."),
    "zero for two empty grids": (lambda a, b: _overlap(a, b)[0] / _overlap(a, b)[1].clamp_min(1),
        "Two empty grids give 0, but they agree: return 1 there."),
    "the parts before the point": (
        lambda a, b: metrics.iou(*(grid.long().clamp(0, 1).bool() for grid in (a, b))),
        "You cut off what is behind the point: 0.9 becomes 0. Occupied is what is at least 0.5."),
    "above zero": (lambda a, b: metrics.iou(a > 0, b > 0),
        "You count every cell above 0 as occupied. Occupied is what is at least 0.5."),
    "not rounded": (lambda a, b: metrics.soft_iou(a.float(), b.float()),
        "You calculate with the occupancies themselves. Here a cell is occupied or not: ≥ 0.5."),
    "of the second grid": (lambda a, b: _or_one(_overlap(a, b)[0], _occupied(b).flatten(1).sum(1)),
        "You divided by |B|, which gives the recall. IoU divides by the union."),
    "above one half": (_above_half, "A cell with exactly 0.5 counts as occupied: use >=, not >."),
    "pooled over the batch": (_pooled,
        "You pooled the whole batch into one number. Keep one IoU per grid: sum over axes 1, 2, "
        "3."),
})
# fmt: on

IOU = Exercise(
    name="iou",
    reference=metrics.iou,
    cases=(
        Case("two cubes, one moved by a cell: 0.6", two_cubes, fixed=True),
        Case("a batch of occupancies", occupancies(3, 4)),
        Case("sparse grids", lambda g: tuple(torch.rand(2, 2, 5, 5, 5, generator=g) < 0.2)),
        Case("one cell against none, and two empty grids", one_cell_and_none),
        Case(
            "rows of numbers against True and False",
            lambda g: (torch.rand(3, 7, generator=g), torch.rand(3, 7, generator=g) < 0.5),
        ),
    ),
    misconceptions=IOU_MISTAKES,
    hints=(
        "`a.flatten(1)` turns (b, r, r, r) into (b, r³), so that one `.sum(dim=1)` counts the cells.",
        "With two tensors of True and False, `a & b` is the intersection and `a | b` the union.",
        '`torch.where(condition, …, 1.0)` takes care of 0/0. Still stuck? `solution("iou")`.',
    ),
)


def _soft_sums(a, b):
    return (a * b).flatten(1).sum(1), (a + b).flatten(1).sum(1)


def _cell_by_cell(a, b):
    either = a + b - a * b
    return torch.where(either > 0, a * b / either.clamp(min=1e-12), 1.0).flatten(1).mean(1)


def _without_slope_of_empty_grids(candidate, a, b):
    """The slope between two empty grids is a matter of taste, and does not count."""
    result, empty = candidate(a, b), ((a == 0) & (b == 0)).flatten(1).all(1)
    same = isinstance(result, torch.Tensor) and result.shape == empty.shape
    return torch.where(empty, result.detach(), result) if same else result


# fmt: off
SOFT_IOU_MISTAKES = mistakes({
    "hard": (lambda a, b: metrics.iou(a, b),
        "You rounded to 0 and 1 first: then the gradient is 0 everywhere and nothing is learnt."),
    "minimum and maximum": (
        lambda a, b: torch.minimum(a, b).flatten(1).sum(1) / torch.maximum(a, b).flatten(1).sum(1),
        "min and max are another soft IoU. Here ab is the chance that both cells are occupied."),
    "the intersection counted twice below": (lambda a, b: _soft_sums(a, b)[0] / _soft_sums(a, b)[1],
        "Below you add a + b: subtract ab, or the intersection counts twice."),
    "smoothed": (
        lambda a, b: (_soft_sums(a, b)[0] + 1) / (_soft_sums(a, b)[1] - _soft_sums(a, b)[0] + 1),
        "You added 1 above and below against 0/0: that changes every IoU. Only empty grids need it."),
    "pooled over the batch": (
        lambda a, b: _soft_sums(a, b)[0].sum() / (_soft_sums(a, b)[1] - _soft_sums(a, b)[0]).sum(),
        "You pooled the whole batch into one number. Keep one IoU per grid."),
    "nothing for two empty grids": (
        lambda a, b: _soft_sums(a, b)[0] / (_soft_sums(a, b)[1] - _soft_sums(a, b)[0]),
        "Two grids of zeros give 0/0 = NaN. They agree: 1."),
    "zero for two empty grids": (
        lambda a, b: _soft_sums(a, b)[0] / (_soft_sums(a, b)[1] - _soft_sums(a, b)[0]).clamp(min=1e-9),
        "Two grids of zeros give 0. They agree: 1."),
    "the loss": (lambda a, b: 1 - metrics.soft_iou(a, b),
        "You returned 1 − IoU, the loss. Asked for is the IoU itself."),
    "soft Dice": (lambda a, b: 2 * _soft_sums(a, b)[0] / _soft_sums(a, b)[1],
        "That is the soft Dice coefficient 2Σab / Σ(a + b). IoU divides by Σ(a + b − ab)."),
    "mean of ratios": (_cell_by_cell,
        "You divided cell by cell and averaged. Sum above and below first, then divide once."),
})
# fmt: on

SOFT_IOU = Exercise(
    name="soft_iou",
    reference=metrics.soft_iou,
    call=_without_slope_of_empty_grids,
    cases=(
        Case(
            "two cells",
            lambda g: (torch.tensor([[0.5, 1.0]]), torch.tensor([[1.0, 1.0]])),
            fixed=True,
        ),
        Case("prediction against truth", probabilities(3, 4)),
        Case(
            "prediction against prediction",
            lambda g: tuple(torch.rand(2, 2, 3, 3, 3, generator=g)),
        ),
        Case("one cell against none, and two empty grids", one_cell_and_none),
    ),
    misconceptions=SOFT_IOU_MISTAKES,
    hints=(
        "If a and b are independent chances that a cell is occupied, ab is the chance that both are.",
        "The chance that at least one is occupied is a + b − ab.",
        "Sum both over the cells of each grid (`.flatten(1)`, `.sum(dim=1)`), then divide; mind two "
        'empty grids. Still stuck? `solution("soft_iou")`.',
    ),
    gradients=("a", "b"),
)

# F-score


def _precision_recall(p, q, threshold):
    near = (nearest_neighbors(*pair)[0].sqrt() < threshold for pair in ((p, q), (q, p)))
    return [direction.float().mean(1) for direction in near]


def _harmonic(precision, recall):
    total = precision + recall
    return torch.where(total > 0, 2 * precision * recall / torch.where(total > 0, total, 1), 0)


def _hits(p, q, threshold):
    return [nearest_neighbors(*pair)[0].sqrt() < threshold for pair in ((p, q), (q, p))]


def _of_counts(p, q, threshold):
    return _harmonic(*[hits.float().sum(1) for hits in _hits(p, q, threshold)])


def _at_most(p, q, threshold):
    near = (nearest_neighbors(*pair)[0].sqrt() <= threshold for pair in ((p, q), (q, p)))
    return _harmonic(*[direction.float().mean(1) for direction in near])


def _without_guard(p, q, threshold):
    precision, recall = _precision_recall(p, q, threshold)
    return 2 * precision * recall / (precision + recall)


# fmt: off
F_SCORE_MISTAKES = mistakes({
    "squared distances": (lambda p, q, threshold: metrics.f_score(p, q, threshold**0.5),
        "You compared *squared* distances with the threshold, which is a length: take the root."),
    "arithmetic mean": (lambda p, q, threshold: sum(_precision_recall(p, q, threshold)) / 2,
        "You averaged precision and recall. F1 is their harmonic mean, 2PR / (P + R)."),
    "precision": (lambda p, q, threshold: _precision_recall(p, q, threshold)[0],
        "That is the precision alone: a single right point would score 1. Recall is missing."),
    "recall": (lambda p, q, threshold: _precision_recall(p, q, threshold)[1],
        "That is the recall alone: points everywhere would score 1. Precision is missing."),
    "half of it": (lambda p, q, threshold: metrics.f_score(p, q, threshold) / 2,
        "Exactly half the expected value: the harmonic mean has a 2 in front."),
    "in percent": (lambda p, q, threshold: 100 * metrics.f_score(p, q, threshold),
        "You gave percent, as Open3D and Mesh R-CNN do. Here F1 is between 0 and 1."),
    "counts": (_of_counts,
        "You counted points. Precision and recall are fractions: means, not sums."),
    "pooled over both clouds": (lambda *given: torch.cat(_hits(*given), 1).float().mean(1),
        "You averaged over the points of both clouds together. Precision and recall have each their "
        "own mean; F1 is the harmonic mean of the two."),
    "geometric mean": (lambda *given: torch.stack(_precision_recall(*given)).prod(0).sqrt(),
        "You took the geometric mean √(PR). F1 is the harmonic mean, 2PR / (P + R)."),
    "smaller of the two": (lambda p, q, threshold: torch.minimum(*_precision_recall(p, q, threshold)),
        "You took the smaller of precision and recall. F1 is their harmonic mean, 2PR / (P + R)."),
    "at most": (_at_most, "A point exactly at the threshold does not count: use <, not <=."),
    "nothing for no match": (_without_guard,
        "Without any match P + R = 0 and you return NaN. F1 is 0 there."),
})
# fmt: on

F_SCORE = Exercise(
    name="f_score",
    reference=metrics.f_score,
    points=2,
    cases=(
        Case(
            "ten predictions at one of two true points: 2/3",
            lambda g: (torch.zeros(1, 10, 3), torch.tensor([[[0.0, 0, 0], [100, 0, 0]]]), 1.0),
            fixed=True,
        ),
        Case(
            "exactly at the threshold: 0",
            lambda g: (torch.zeros(1, 1, 3), torch.tensor([[[0.5, 0, 0]]]), 0.5),
            fixed=True,
        ),
        Case(
            "one true point exactly at the threshold: 2/3",
            lambda g: (torch.zeros(1, 1, 3), torch.tensor([[[0.25, 0, 0], [0.5, 0, 0]]]), 0.5),
            fixed=True,
        ),
        Case(
            "one prediction exactly at the threshold: 2/3",
            lambda g: (torch.tensor([[[0.25, 0, 0], [0.5, 0, 0]]]), torch.zeros(1, 1, 3), 0.5),
            fixed=True,
        ),
        Case("a batch of clouds", clouds(3, 18, 11, 0.25)),
        Case("no match in a batch", clouds(2, 4, 3, 1e-3)),
        Case("a smaller threshold", clouds(2, 20, 25, 0.2)),
    ),
    misconceptions=F_SCORE_MISTAKES,
    hints=(
        "`nearest_neighbors` gives *squared* distances; the threshold is a length.",
        "Precision: which fraction of p is near q? `(distances < threshold).float().mean(dim=1)`.",
        "Recall is the same from q to p; then the harmonic mean, and 0 where P + R is 0. Still stuck? "
        '`solution("f_score")`.',
    ),
)

# Hausdorff


def _largest(p, q):
    return nearest_neighbors(p, q)[0].amax(1)


def _means(p, q):
    return torch.maximum(*(nearest_neighbors(*pair)[0].sqrt().mean(1) for pair in ((p, q), (q, p))))


# fmt: off
HAUSDORFF_MISTAKES = mistakes({
    "squared": (lambda p, q: metrics.hausdorff_distance(p, q).square(),
        "You returned the squared distance. Hausdorff is a length: take the root."),
    "from P only": (lambda p, q: _largest(p, q).sqrt(),
        "You only look from P to Q. Take the larger of both directions."),
    "from Q only": (lambda p, q: _largest(q, p).sqrt(),
        "You only look from Q to P. Take the larger of both directions."),
    "sum of the directions": (lambda p, q: _largest(p, q).sqrt() + _largest(q, p).sqrt(),
        "You added the two directions. Hausdorff is the larger of them."),
    "smaller of the two": (lambda p, q: torch.minimum(_largest(p, q), _largest(q, p)).sqrt(),
        "You took the smaller direction. Hausdorff is the larger of both."),
    "average of the two": (lambda p, q: (_largest(p, q).sqrt() + _largest(q, p).sqrt()) / 2,
        "You averaged the two directions. Hausdorff is the larger of them."),
    "over the batch": (
        lambda p, q: metrics.hausdorff_distance(p, q).max(),
        "You took the largest distance of the whole batch. Keep one number per pair of clouds."),
    "nearest pair": (lambda p, q: nearest_neighbors(p, q)[0].amin(1).sqrt(),
        "You return the smallest distance between the clouds: of the nearest ones, take the largest."),
    "mean of the nearest": (_means,
        "You averaged the distances to the nearest points. Hausdorff takes the worst of them."),
    "farthest pair": (lambda p, q: torch.cdist(p, q).flatten(1).amax(1),
        "That is the distance of the farthest pair. First the *nearest* neighbour, then the "
        "worst."),
})
# fmt: on

HAUSDORFF = Exercise(
    name="hausdorff_distance",
    reference=metrics.hausdorff_distance,
    cases=(
        Case(
            "one point against two: 3",
            lambda g: (torch.zeros(1, 1, 3), torch.tensor([[[0.0, 0, 0], [0, 3, 0]]])),
            fixed=True,
        ),
        Case("a batch of clouds", clouds(4, 12, 20)),
        Case("fewer points in Q than in P", clouds(4, 15, 4)),
        Case("large clouds, one of them shuffled", shuffled),
    ),
    misconceptions=HAUSDORFF_MISTAKES,
    hints=(
        "Both directions again. From P to Q: of all points of P, which is farthest from Q?",
        "`nearest_neighbors(p, q)[0].amax(dim=1)` is the largest squared distance from P to Q.",
        "`torch.maximum` of the two directions, then the root. Still stuck? "
        '`solution("hausdorff_distance")`.',
    ),
)
