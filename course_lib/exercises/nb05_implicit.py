"""Notebook 05: the piece of the implicit decoder."""

import torch

from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.reconstruction import implicit_decoder


def _activations(b: int, n: int, c: int):
    return lambda g: (
        torch.randn(b, n, c, generator=g),
        torch.randn(b, c, generator=g),
        torch.randn(b, c, generator=g),
    )


# fmt: off
MODULATE_MISTAKES = mistakes({
    "no one": (lambda x, scale, shift: scale[:, None] * x + shift[:, None],
        "You multiply by γ, not by 1 + γ: a network that starts with γ ≈ 0 would then pass "
        "nothing."),
    "shift inside": (lambda x, scale, shift: (1 + scale[:, None]) * (x + shift[:, None]),
        "You shift before you scale: (1 + γ)(x + β). β is added last."),
    "normalised again": (
        lambda x, scale, shift: (
            (1 + scale[:, None]) * (x - x.mean((0, 1))) / (x.std((0, 1)) + 1e-5) + shift[:, None]
        ),
        "You normalised x̂ once more: it is normalised already."),
    "exchanged": (lambda x, scale, shift: (1 + shift[:, None]) * x + scale[:, None],
        "You exchanged scale and shift."),
    "no shift": (lambda x, scale, shift: (1 + scale[:, None]) * x,
        "β is missing."),
    "the first picture's for all": (
        lambda x, scale, shift: (1 + scale[:1, None]) * x + shift[:1, None],
        "All pictures of the batch get the γ and β of the first one."),
})
# fmt: on

MODULATE = Exercise(
    name="modulate",
    reference=implicit_decoder.modulate,
    gradients=("x", "scale", "shift"),
    cases=(
        Case(
            "one channel",
            lambda g: (torch.ones(1, 2, 1), torch.tensor([[0.5]]), torch.tensor([[2.0]])),
            fixed=True,
        ),
        Case("a batch", _activations(3, 5, 4)),
        Case("as many points as channels", _activations(2, 4, 4)),
    ),
    misconceptions=MODULATE_MISTAKES,
    hints=(
        "γ and β are (b, c), x is (b, n, c): which axis must they get so that they broadcast?",
        '`scale[:, None]` has the shape (b, 1, c). Still stuck? `solution("modulate")`.',
    ),
)
