"""Few-shot fine-tuning of the upper layers of a language model, on cached features."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib.running import Budget
from course_lib.tabular.features import Cached, answer_logits
from course_lib.tabular.llm import LanguageModel


def fine_tune(
    llm: LanguageModel,
    weights: list[nn.Parameter],
    cached: Cached,
    labels: Int[Tensor, "b"],
    *,
    steps: Budget | range,
    generator: torch.Generator,
    upper: int = 6,
    learning_rate: float = 3e-3,
    batch: int = 8,
) -> list[float]:
    """Minimise the cross-entropy of " No" against " Yes" over the given weights; returns the losses.

    loss = -log p(answer), p the softmax over the two answers' logits. The learning rate rises over
    the first tenth of the steps and falls linearly to zero. `steps` is a `Budget` or a range.
    """
    optimiser = torch.optim.AdamW(weights, lr=learning_rate, weight_decay=0.0)
    total = steps.steps if isinstance(steps, Budget) else len(steps)
    if total is None:
        raise ValueError("expected a budget of steps, got one of seconds alone")
    losses: list[float] = []
    order = torch.empty(0, dtype=torch.long)
    for step in steps:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * min(1.0, (step + 1) / (0.1 * total), 1 - step / total)
        if len(order) == 0:
            order = torch.randperm(len(cached), generator=generator)
        rows, order = order[:batch].to(labels.device), order[batch:]
        logits = answer_logits(llm, cached.rows(rows), upper=upper)
        loss = F.cross_entropy(logits, labels[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def predict(
    llm: LanguageModel, cached: Cached, *, upper: int = 6, batch: int = 32
) -> Float[Tensor, "b"]:
    """p(Yes) of every cached prompt."""
    order = cached.last.argsort()  # rows of similar length share a batch: little padding
    p = torch.empty(len(cached))
    for rows in order.split(batch):
        logits = answer_logits(llm, cached.rows(rows), upper=upper)
        p[rows.cpu()] = logits.float().softmax(1)[:, 1].cpu()
    return p
