"""Notebook 07, geometry: a density made of a signed distance."""

import torch

from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.nerf import sdf


def around(scale: float, beta: float):
    """A maker of distances on both sides of a surface, and β."""
    return lambda g: (scale * torch.randn(7, generator=g), beta)


def _psi(s, beta):
    return torch.where(
        s > 0, 1 - 0.5 * torch.exp(-s.abs() / beta), 0.5 * torch.exp(-s.abs() / beta)
    )


# fmt: off
LAPLACE_MISTAKES = mistakes({
    "inside out": (lambda d, beta: _psi(d, beta) / beta,
        "Your density is inside out: d is negative inside, so Ψ is asked at −d."),
    "not divided by β": (lambda d, beta: _psi(-d, beta),
        "This is Ψ alone. The factor 1/β is missing: a sharper surface has to be denser."),
    "multiplied by β": (lambda d, beta: _psi(-d, beta) * beta,
        "You multiply by β, where 1/β stands."),
    "one branch for both sides": (lambda d, beta: 0.5 * torch.exp(-d / beta) / beta,
        "You use the branch for s ≤ 0 everywhere: inside, the density must not grow beyond 1/β."),
    "a peak at the surface": (lambda d, beta: 0.5 * torch.exp(-d.abs() / beta) / beta,
        "This is dense at the surface alone. Inside it is 1 − ½ exp(d/β): solids are solid."),
    "logistic": (lambda d, beta: torch.sigmoid(-d / beta) / beta,
        "This is the logistic function. Laplace's distribution has two exponentials."),
    "without the half": (lambda d, beta: torch.where(d > 0, torch.exp(-d.abs() / beta),
                                                     1 - torch.exp(-d.abs() / beta)) / beta,
        "The ½ is missing: at d = 0 both branches give ½."),
    "times β in the exponent": (lambda d, beta: _psi(-d, 1 / beta) / beta,
        "In the exponent, s is divided by β, not multiplied: β is a length."),
})
# fmt: on

LAPLACE = Exercise(
    name="laplace_density",
    reference=sdf.laplace_density,
    cases=(
        Case(
            "deep inside, inside, outside",
            lambda g: (torch.tensor([-9.0, -0.2, 0.5]), 0.5),
            fixed=True,
        ),
        Case("around a soft surface", around(0.5, 0.4)),
        Case("around a sharp surface", around(0.02, 0.03)),
        Case("far on both sides", lambda g: (torch.tensor([-40.0, 40.0]), 0.1), fixed=True),
        Case("samples of several rays", lambda g: (torch.randn(2, 3, generator=g), 0.7)),
    ),
    misconceptions=LAPLACE_MISTAKES,
    hints=(
        "With s = −d: outside (d > 0) the branch is ½ exp(−d/β), inside it is 1 − ½ exp(d/β).",
        "Compute both branches for all d; `torch.where` takes from each what belongs to it.",
        "exp of a large number is infinite, and its gradient NaN even where `torch.where` does not take "
        "it: clamp d first, `d.clamp(min=0)` for the outside. "
        'Still stuck? `solution("laplace_density")`.',
    ),
    gradients=("distance",),
)
