"""From a language model's logits to a class probability, and how good such probabilities are."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def choice_probability(logits: Float[Tensor, "b v"], yes: int, no: int) -> Float[Tensor, "b"]:
    """p(Yes) when only Yes and No may be answered: a softmax over two of the v next-token logits.

    p = exp(l_yes) / (exp(l_yes) + exp(l_no)) = 1 / (1 + exp(l_no - l_yes)), written so that large
    logits do not overflow. `yes` and `no` are token numbers.

    >>> choice_probability(torch.tensor([[5.0, 1.0, 1.0]]), yes=1, no=2)
    tensor([0.5000])
    """
    return torch.sigmoid(logits[:, yes] - logits[:, no])


def length_normalised(
    log_probabilities: Float[Tensor, "b t"], is_answer: Bool[Tensor, "b t"]
) -> Float[Tensor, "b"]:
    """The mean log-likelihood per token of an answer: long answers are not punished for their length.

    score = (1 / T) sum_t log p(token_t | prompt, tokens before t), over the T tokens of the answer.

    >>> length_normalised(torch.tensor([[-1.0, -3.0, -9.0]]), torch.tensor([[True, True, False]]))
    tensor([-2.])
    """
    tokens = is_answer.sum(1)
    if (tokens == 0).any():
        raise ValueError("expected at least one token in every answer, got an empty answer")
    return log_probabilities.masked_fill(~is_answer, 0).sum(1) / tokens


def roc_auc(scores: Float[Tensor, "n"], labels: Int[Tensor, "n"]) -> Float[Tensor, ""]:
    """The probability that a positive's score exceeds a negative's; a tie counts one half.

    AUC = (R - P (P + 1) / 2) / (P N), where P and N count the positives and negatives and R is the
    sum of the positives' ranks (1 = lowest; equal scores share the mean of their ranks): the
    Mann-Whitney statistic. It is not differentiable.

    >>> roc_auc(torch.tensor([0.1, 0.4, 0.35, 0.8]), torch.tensor([0, 0, 1, 1]))
    tensor(0.7500)
    """
    if not set(labels.unique().tolist()) <= {0, 1}:
        raise ValueError(f"expected labels 0 and 1, got {labels.unique().tolist()}")
    positive = labels == 1
    p, n = int(positive.sum()), int((~positive).sum())
    if p == 0 or n == 0:
        raise ValueError(f"expected both classes, got {p} positives and {n} negatives")
    if scores.isnan().any():
        raise ValueError("expected scores that are numbers, got NaN")
    _, value, count = torch.unique(scores, return_inverse=True, return_counts=True)
    ranks = (count.cumsum(0) - (count - 1) / 2)[value]  # the mean rank of each score's ties
    return (ranks[positive].sum() - p * (p + 1) / 2) / (p * n)


def calibration(
    probabilities: Float[Tensor, "n"], labels: Int[Tensor, "n"], *, bins: int = 10
) -> list[tuple[float, float, int]]:
    """Of each bin of probabilities that is not empty: mean probability, share of positives, rows.

    >>> calibration(torch.tensor([0.1, 0.12, 0.9]), torch.tensor([0, 1, 1]), bins=2)[1]
    (0.8999999761581421, 1.0, 1)
    """
    if not bool(((probabilities >= 0) & (probabilities <= 1)).all()):  # NaN too
        low, high = (float(extreme) for extreme in probabilities.aminmax())
        raise ValueError(f"expected probabilities from 0 to 1, got {low:g} to {high:g}")
    place = (probabilities * bins).long().clamp(0, bins - 1)
    rows = [place == b for b in range(bins)]
    return [
        (float(probabilities[row].mean()), float(labels[row].float().mean()), int(row.sum()))
        for row in rows
        if row.any()
    ]


def calibration_error(probabilities: Float[Tensor, "n"], labels: Int[Tensor, "n"]) -> float:
    """Expected calibration error: |mean probability - share of positives|, averaged over the rows."""
    table = calibration(probabilities, labels)
    return sum(abs(mean - share) * rows for mean, share, rows in table) / len(labels)


def shift_prior(
    probabilities: Float[Tensor, "n"], trained: float, actual: float
) -> Float[Tensor, "n"]:
    """Correct probabilities of a model trained at one share of positives for another (Bayes).

    odds' = odds * [actual / (1 - actual)] / [trained / (1 - trained)]. The order stays, so the AUC.

    >>> shift_prior(torch.tensor([0.5]), trained=0.5, actual=0.24)
    tensor([0.2400])
    """
    if not (0 < trained < 1 and 0 < actual < 1):
        raise ValueError(f"expected shares between 0 and 1, got {trained} and {actual}")
    shift = torch.logit(torch.tensor(actual)) - torch.logit(torch.tensor(trained))
    return torch.sigmoid(torch.logit(probabilities, eps=1e-6) + shift.to(probabilities))
