"""Notebook 01, LoRA: a frozen layer with a trainable change, and how many numbers that trains."""

import torch

from course_lib import tabular
from course_lib.exercises.exercise import Case, Exercise, Question, mistakes


def linear_and_input(b: int | tuple, inside: int, outside: int, rank: int):
    """A maker of a linear layer, rank, alpha, the two matrices, and b inputs, or a grid of them."""

    def make(g):
        def random(*shape):
            return torch.randn(*shape, generator=g)

        layer = torch.nn.Linear(inside, outside)
        layer.weight.data, layer.bias.data = random(outside, inside), random(outside)
        alpha = float(torch.randint(1, 9, (1,), generator=g)) * rank + 1.0
        rows = (b,) if isinstance(b, int) else b
        return (
            layer,
            rank,
            alpha,
            random(rank, inside),
            random(outside, rank),
            random(*rows, inside),
        )

    return make


def _with_defaults(g):
    layer, _, _, *rest = linear_and_input(3, 12, 9, 8)(g)
    return layer, None, None, *rest


def use_lora(candidate, layer, rank, alpha, a, b, x):
    """Build the layer, look at it as it is fresh, put known matrices in, look again."""
    options, frozen = () if rank is None else (rank, alpha), layer(x).detach()
    torch.set_deterministic_debug_mode("warn")  # numbers never set are NaN, then
    try:
        lora = candidate(layer, *options)
    finally:
        torch.set_deterministic_debug_mode("default")
    fresh, start = torch.as_tensor(lora(x)), lora.a.detach().clone()
    trained = {name for name, p in lora.named_parameters() if p.requires_grad}
    shapes = {name: tuple(getattr(lora, name).shape) for name in ("a", "b")}
    lora.a.data, lora.b.data = a.clone(), b.clone()
    value, again = lora(x), lora(x)
    return {
        "a fresh layer computes what the frozen one does": fresh.shape == frozen.shape
        and torch.allclose(fresh, frozen, 1e-4, 1e-4),
        "shapes": shapes,
        "with matrices": value,
        "asked again": again,
        "gradients of a and b": _slopes(value, lora.a, lora.b),
        "trained": sorted(trained),
        "a starts at random": len(start.unique()) == start.numel() and bool(start.isfinite().all()),
    }


def _slopes(value, *parameters):
    """The derivatives of Σ value², zeros where there are none."""
    zeros = [torch.zeros_like(p) for p in parameters]
    if not value.requires_grad:
        return zeros
    found = torch.autograd.grad(value.square().sum(), parameters, allow_unused=True)
    return [z if s is None else s for z, s in zip(zeros, found, strict=True)]


class _Wrong(torch.nn.Module):
    """LoRA with its parts exchanged."""

    freeze, zero, scale_of, base = True, "b", staticmethod(lambda alpha, rank: alpha / rank), True

    def __init__(self, linear, rank=8, alpha=16.0):
        super().__init__()
        self.linear = linear.requires_grad_(not self.freeze)
        self.scale = self.scale_of(alpha, rank)
        self.a = torch.nn.Parameter(torch.randn(rank, linear.in_features) * ("a" not in self.zero))
        self.b = torch.nn.Parameter(torch.randn(linear.out_features, rank) * ("b" not in self.zero))

    def forward(self, x):
        change = self.scale * (x @ self.a.T @ self.b.T)
        return self.linear(x) + change if self.base else change


class _Merged(_Wrong):
    def forward(self, x):
        self.linear.weight.data += self.scale * (self.b @ self.a).detach()
        return self.linear(x)


class _Unbiased(_Wrong):
    def forward(self, x):
        return super().forward(x) - self.linear.bias


def _wrong(**parts):
    return type("LoRALinear", (_Wrong,), parts)


# fmt: off
LORA_MISTAKES = mistakes({
    "not frozen": (_wrong(freeze=False),
        "The linear layer is still trained: `linear.requires_grad_(False)` freezes it."),
    "A zero, not B": (_wrong(zero="a"),
        "Your A starts at zero. A starts at random, B at zero."),
    "not zero at the start": (_wrong(zero=""),
        "A fresh layer must compute what the frozen one does: start B at zero."),
    "not scaled": (_wrong(scale_of=staticmethod(lambda alpha, rank: 1.0)),
        "The factor alpha / r before B A x is missing."),
    "scaled by alpha": (_wrong(scale_of=staticmethod(lambda alpha, rank: alpha)),
        "You scaled by alpha and forgot to divide by the rank."),
    "frozen layer left out": (_wrong(base=False),
        "Your output is B A x alone: add the frozen layer's W x + c."),
    "added to the frozen weight": (_Merged,
        "Each call adds the change to the frozen matrix, so asked again the layer says something else: "
        "leave W as it is and add B A x to the result."),
    "bias left out": (_Unbiased,
        "The frozen layer's bias c is missing: `linear(x)` is W x + c."),
})
# fmt: on

LORA = Exercise(
    name="LoRALinear",
    reference=tabular.LoRALinear,
    points=3,
    call=use_lora,
    cases=(
        Case("three inputs, two outputs", linear_and_input(1, 3, 2, 1)),
        Case("rank and alpha left to their defaults", _with_defaults),
        Case("a batch", linear_and_input((5, 3), 8, 6, 2)),
        Case("a larger rank", linear_and_input(4, 10, 12, 4)),
    ),
    misconceptions=LORA_MISTAKES,
    hints=(
        "Three things to keep: the frozen layer, A (rank, in) random, B (out, rank) zero.",
        "`self.a = torch.nn.Parameter(...)`; x has its features last, so A x is `x @ self.a.T`.",
        "`return self.linear(x) + self.scale * (x @ self.a.T @ self.b.T)` with scale alpha / rank.",
    ),
    starter='''
class LoRALinear(torch.nn.Module):
    """A frozen linear layer plus a trainable low-rank change: y = W x + c + (alpha / r) B A x.

    Parameters self.a (rank, in), random, and self.b (out, rank), zero, so that a fresh layer
    computes what the frozen one does. linear: torch.nn.Linear. x: (..., in) -> (..., out)
    """

    def __init__(self, linear, rank=8, alpha=16.0):
        super().__init__()
        raise NotImplementedError

    def forward(self, x):
        raise NotImplementedError
''',
)

# How many numbers

# fmt: off
LORA_SIZE_MISTAKES = mistakes({
    "the full matrices": (1327104, "This is 4 · 576 · 576: the frozen matrices."),
    "one matrix": (9216, "This is one adapter; there are four such matrices."),
    "the product": (84934656, "You multiplied the sizes of A and B: an adapter has r · in + out · r."),
    "only A": (18432, "You counted A or B alone; both are trained."),
})
# fmt: on

LORA_SIZE = Question(
    name="lora_parameters",
    reference=36864,
    misconceptions=LORA_SIZE_MISTAKES,
    hints=(
        "An adapter has r · in numbers in A and out · r in B.",
        "8 · 576 + 576 · 8 for one matrix; there are four.",
    ),
    explanation="4 · 8 · (576 + 576) = 36,864 numbers instead of 4 · 576 · 576 = 1,327,104: 2.8 %.",
)
