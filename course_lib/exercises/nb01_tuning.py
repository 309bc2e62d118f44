"""Notebook 01, the language model: p(Yes), AUC, balanced sampling."""

import torch

from course_lib import tabular
from course_lib.exercises.choices import choice_question
from course_lib.exercises.exercise import Case, Exercise, mistakes

# Scores


def logits(b: int, v: int, scale: float = 2.0):
    """A maker of next-token logits and the numbers of two tokens."""

    def make(g):
        yes, no = torch.randperm(v, generator=g)[:2].tolist()
        return scale * torch.randn(b, v, generator=g), yes, no

    return make


# fmt: off
P_YES_MISTAKES = mistakes({
    "softmax over the batch": (lambda l, yes, no: l[:, [yes, no]].softmax(0)[:, 0],
        "Your softmax runs over the rows of the batch (axis 0). Each row has its own: axis 1."),
    "without exp": (lambda l, yes, no: l[:, yes] / (l[:, yes] + l[:, no]),
        "You divided the logits themselves. A softmax takes their exp first."),
    "over the whole vocabulary": (lambda l, yes, no: l.softmax(1)[:, yes],
        "You took the probability of Yes among *all* tokens. Only Yes and No may be answered: "
        "normalise over these two."),
    "p(No)": (lambda l, yes, no: torch.sigmoid(l[:, no] - l[:, yes]),
        "This is p(No). Yes belongs in the numerator."),
    "without No": (lambda l, yes, no: torch.sigmoid(l[:, yes]),
        "You never look at the logit of No. A logit alone says nothing: only differences count."),
    "overflow": (lambda l, yes, no: l[:, yes].exp() / (l[:, yes].exp() + l[:, no].exp()),
        "Right for small logits, but exp overflows beyond 88, and ∞ / ∞ is NaN. Use `torch.sigmoid` "
        "of the difference, or `softmax`, which guard against it."),
    "difference": (lambda l, yes, no: l[:, yes] - l[:, no],
        "This difference is the *logit* of p(Yes); a sigmoid makes a probability of it."),
})
# fmt: on

P_YES = Exercise(
    name="choice_probability",
    reference=tabular.choice_probability,
    cases=(
        Case("equal logits", lambda g: (torch.tensor([[5.0, 1.0, 1.0]]), 1, 2), fixed=True),
        Case("a batch", logits(6, 11)),
        Case("a larger vocabulary", logits(4, 200)),
        Case("logits beyond 100", logits(5, 7, scale=150.0)),
    ),
    misconceptions=P_YES_MISTAKES,
    hints=(
        "A softmax over two numbers: exp(a) / (exp(a) + exp(b)). Divide by exp(a).",
        "`logits[:, yes]` are the logits of Yes, shape (b,).",
        "1 / (1 + exp(b − a)) is `torch.sigmoid(a - b)`.",
    ),
)


def scored(n: int, levels: int = 0):
    """A maker of scores (with ties if there are only a few levels) and labels of both classes."""

    def make(g):
        labels = (torch.rand(n, generator=g) < 0.4).long()
        labels[:2] = torch.tensor([0, 1])
        values = torch.randn(n, generator=g) + labels
        return (values * levels).round() / levels if levels else values, labels

    return make


def misled(n: int, positives: int = 0):
    """The same with small scores that mostly rank the negatives higher; `positives`, or some."""

    def make(g):
        scores, labels = scored(n)(g)
        if positives:
            labels = (torch.arange(n) < positives).long()
        return -1e-3 * scores, labels

    return make


def _pairs(scores, labels, tie):
    p, n = scores[labels == 1][:, None], scores[labels == 0][None]
    return ((p > n).float() + tie * (p == n)).mean()


def _by_rank(scores, labels, first, stable=False):
    """The formula with the ranks first, first + 1, …: equal scores have different ones."""
    ranks = scores.argsort(stable=stable).argsort() + first
    p, n = (labels == 1).sum(), (labels == 0).sum()
    return (ranks[labels == 1].sum() - p * (p + 1) / 2) / (p * n)


# fmt: off
AUC_MISTAKES = mistakes({
    "ranks without ties": (lambda s, y: _by_rank(s, y, 1),
        "Right without ties; but equal scores must share the *mean* of their ranks, and yours "
        "get different ones, by their place in the list."),
    "ranks without ties, in order": (lambda s, y: _by_rank(s, y, 1, True),
        "Right without ties; but equal scores must share the *mean* of their ranks."),
    "ranks from 0": (lambda s, y: _by_rank(s, y, 0),
        "Your ranks begin with 0, the formula's with 1. Equal scores share the mean of theirs."),
    "soft pairs": (
        lambda s, y: torch.sigmoid(s[y == 1][:, None] - s[y == 0][None]).mean(),
        "You averaged a sigmoid of the differences. A pair counts 1 or 0, by order alone "
        "(½ for a tie)."),
    "ties count nothing": (lambda s, y: _pairs(s, y, 0.0),
        "Pairs with equal scores must count one half; yours count nothing."),
    "ties count fully": (lambda s, y: _pairs(s, y, 1.0),
        "Pairs with equal scores must count one half; yours count as right. A constant score "
        "would then have AUC 1."),
    "reversed": (lambda s, y: _pairs(-s, y, 0.5),
        "This is 1 − AUC: count the pairs in which the *positive* has the higher score."),
    "accuracy": (lambda s, y: ((s > 0.5).long() == y).float().mean(),
        "This is the accuracy at the threshold 0.5. The AUC needs no threshold: it compares "
        "pairs."),
    "divided by all pairs": (
        lambda s, y: _pairs(s, y, 0.5) * (y == 1).sum() * (y == 0).sum() / len(y) ** 2,
        "You divided by n²: there are P · N pairs of a positive and a negative."),
})
# fmt: on

AUC = Exercise(
    name="roc_auc",
    reference=tabular.roc_auc,
    points=2,
    cases=(
        Case(
            "four rows",
            lambda g: (torch.tensor([0.1, 0.4, 0.35, 0.8]), torch.tensor([0, 0, 1, 1])),
            fixed=True,
        ),
        Case("scores without ties", scored(30)),
        Case("many ties", scored(40, levels=1)),
        Case("a longer list", scored(150, levels=2)),
        Case("small scores, the wrong way round", misled(30)),
        Case("one positive", misled(9, positives=1)),
    ),
    misconceptions=AUC_MISTAKES,
    hints=(
        "Compare every positive with every negative: `scores[labels == 1][:, None]` against "
        "`scores[labels == 0][None]` gives a table (P, N) of pairs.",
        "A pair counts 1 if the positive is higher, 0.5 if the scores are equal. Then average.",
        "`(p > n).float() + 0.5 * (p == n)` is that table; its `.mean()` is the AUC.",
    ),
)

# Few shots


def labelled(n: int, positives: int, shots: int):
    """A maker of labels, a number of shots, and a seed for the candidate's own generator."""

    def make(g):
        labels = torch.zeros(n, dtype=torch.long)
        labels[torch.randperm(n, generator=g)[:positives]] = 1
        return labels, shots, int(torch.randint(0, 1000, (1,), generator=g))

    return make


def draw(candidate, labels, shots, seed):
    """What can be said of a random draw: its size, its classes, its repetitions, its randomness."""
    first, again, *others = (
        torch.as_tensor(candidate(labels, shots, generator=torch.Generator().manual_seed(s)))
        for s in (seed, seed, *range(seed + 1, seed + 9))
    )
    drawn, classes = zip(*((o.tolist(), labels[o].tolist()) for o in others), strict=True)
    return {
        "rows": len(first),
        "positives": int(labels[first].sum()),
        "every row once": len(set(first.tolist())) == len(first),
        "the same generator draws the same rows": torch.equal(first, again),
        "another generator draws other rows": len({*map(frozenset, drawn)}) > 1,
        "and mixes the classes otherwise": len({*map(tuple, classes)}) > 1,
        "in an order of chance": any(rows != sorted(rows) for rows in drawn),
    }


def _draw_each(labels, shots, generator, pick):
    return torch.cat([pick((labels == c).nonzero()[:, 0], shots // 2, generator) for c in (0, 1)])


def _mixed(indices, generator):
    return indices[torch.randperm(len(indices), generator=generator)]


def _without(rows_, k, generator):
    return rows_[torch.randperm(len(rows_), generator=generator)[:k]]


def _first(rows_, k, generator):
    return rows_[:k]


def _positions(rows_, k, generator):
    return torch.randperm(len(rows_), generator=generator)[:k]


def _with_replacement(rows_, k, generator):
    return rows_[torch.randint(0, max(1, len(rows_) // 2), (k,), generator=generator)]


# fmt: off
SAMPLE_MISTAKES = mistakes({
    "with replacement": (
        lambda labels, shots, generator: _mixed(
            _draw_each(labels, shots, generator, _with_replacement), generator
        ),
        "Some rows appear twice: you drew with replacement, a trap that TabLLM's code fell "
        "into. Shuffle the rows of a class and take the first ones."),
    "not balanced": (
        lambda labels, shots, generator: _without(torch.arange(len(labels)), shots, generator),
        "You drew from all rows alike, so positives are rare. Draw half of them from each class."),
    "always the first": (
        lambda labels, shots, generator: _draw_each(labels, shots, generator, _first),
        "You take the first rows of each class whatever the generator says: draw at random."),
    "the first, shuffled": (
        lambda labels, shots, generator: _mixed(
            _draw_each(labels, shots, generator, _first), generator
        ),
        "You shuffle the order, but the rows are always the first of each class: draw them at "
        "random too."),
    "another source of chance": (
        lambda labels, shots, generator: _mixed(_draw_each(labels, shots, None, _without), None),
        "The same generator must draw the same rows: pass `generator=generator` to *every* "
        "`torch.randperm`."),
    "positions in the class": (
        lambda labels, shots, generator: _mixed(
            _draw_each(labels, shots, generator, _positions), generator
        ),
        "You return numbers within a class. Look up the rows they stand for: `rows[order]`."),
    "sorted": (
        lambda labels, shots, generator: _draw_each(labels, shots, generator, _without).sort()[0],
        "Your rows come in the order of the table. Shuffle them: a batch shall be a mix of them."),
    "classes one after the other": (
        lambda labels, shots, generator: _draw_each(labels, shots, generator, _without),
        "The classes stand in a fixed order (one after the other, or in turn): shuffle the whole "
        "set at the end."),
    "so many of each class": (
        lambda labels, shots, generator: _mixed(
            _draw_each(labels, 2 * shots, generator, _without), generator
        ),
        "`shots` counts the whole set: take `shots // 2` of each class."),
})
# fmt: on

SAMPLE = Exercise(
    name="balanced_sample",
    reference=tabular.balanced_sample,
    points=2,
    call=draw,
    cases=(
        Case("sixteen of forty", labelled(40, 10, 16)),
        Case("every positive is needed", labelled(60, 15, 30)),
        Case("a large table", labelled(500, 120, 64)),
    ),
    misconceptions=SAMPLE_MISTAKES,
    hints=(
        "`(labels == 1).nonzero()[:, 0]` are the indices of the positives.",
        "`torch.randperm(len(rows), generator=generator)[: shots // 2]` picks different ones.",
        "Join both classes with `torch.cat`, and shuffle the result once more.",
    ),
)

# Question

# fmt: off
MEASURE = choice_question("measure_at_zero_shot", "C", {
    "A": ("accuracy: it is what counts in the end",
        "At the threshold 0.5 this model says Yes to nearly everyone; accuracy then measures "
        "mostly its bias, not what it knows."),
    "B": ("the mean of p(Yes): it should equal the share of positives",
        "A model that gives every row the base rate has the right mean and knows nothing."),
    "C": ("AUC: it judges the order of the rows, whatever the threshold",
        "The order of the rows is informative although the level of p(Yes) is far off."),
}, hints=("Look at the share of Yes above. What would its accuracy be?",))
# fmt: on
