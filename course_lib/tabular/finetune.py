"""Few-shot fine-tuning of the upper layers of a language model, on cached features."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib.running import Budget
from course_lib.tabular.features import Cached, answer_logits
from course_lib.tabular.llm import LanguageModel

LOSS_SCALE = 2.0**12


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

    With frozen weights in float16 the loss is scaled, as its gradients would vanish on their way
    through half precision; a step whose gradients overflow is left out and the scale halved.
    Raises ValueError for weights in float16, whose steps would end in NaN, for a loss that is not
    finite, and for labels that are not 0 or 1, one for each cached prompt.
    """
    labels = _checked(labels, len(cached))
    _check_settings(weights, batch, learning_rate)
    optimiser = torch.optim.AdamW(weights, lr=learning_rate, weight_decay=0.0)
    total = steps.steps if isinstance(steps, Budget) else len(steps)
    if total is None:
        raise ValueError("expected a budget of steps, got one of seconds alone")
    losses: list[float] = []
    scale = LOSS_SCALE if cached.hidden.dtype == torch.float16 else 1.0
    order = torch.empty(0, dtype=torch.long)
    for step in steps:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * min(1.0, (step + 1) / (0.1 * total), 1 - step / total)
        if len(order) == 0:
            order = torch.randperm(len(cached), generator=generator)
        rows, order = order[:batch].to(labels.device), order[batch:]
        logits = answer_logits(llm, cached.rows(rows), upper=upper)
        loss = F.cross_entropy(logits, labels[rows])
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            raise ValueError(f"the loss of step {step} is {losses[-1]}: lower the learning rate")
        optimiser.zero_grad()
        (loss * scale).backward()
        if _unscale(weights, scale):
            optimiser.step()
        else:
            scale /= 2
    return losses


def _checked(labels: Tensor, count: int) -> Tensor:
    """The labels as whole numbers of 64 bits."""
    if tuple(labels.shape) != (count,):
        raise ValueError(f"expected {count} labels, one a prompt, got shape {tuple(labels.shape)}")
    if not bool(((labels == 0) | (labels == 1)).all()):
        raise ValueError(f"expected labels 0 and 1, got {labels.unique().tolist()[:5]}")
    return labels.long()


def _check_settings(weights: list[nn.Parameter], batch: int, learning_rate: float) -> None:
    if batch < 1 or not 0 < learning_rate < math.inf:
        raise ValueError(
            f"expected a batch and a learning rate above 0, got {batch} and {learning_rate}"
        )
    if any(weight.dtype == torch.float16 for weight in weights):
        raise ValueError("expected weights to train in float32, got float16: they would become NaN")


def _unscale(weights: list[nn.Parameter], scale: float) -> bool:
    """Divide the gradients by the scale; whether all are finite. Without a scale nothing is done."""
    if scale == 1.0:
        return True
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    for gradient in gradients:
        gradient /= scale
    return all(bool(gradient.isfinite().all()) for gradient in gradients)


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
