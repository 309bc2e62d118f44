"""Notebook 00: one exercise to learn how exercises work."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.exercises.choices import choice_question
from course_lib.exercises.exercise import Case, Exercise, mistakes


def centroid(points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b 3"]:
    """The centre of each cloud of a batch: the mean of its points. points: (b, n, 3) -> (b, 3)

    >>> centroid(torch.tensor([[[0.0, 0.0, 0.0], [2.0, 4.0, 6.0]]]))
    tensor([[1., 2., 3.]])
    """
    return points.mean(dim=1)


# fmt: off
CENTROID_MISTAKES = mistakes({
    "sum": (lambda points: points.sum(dim=1),
        "You added the points up: a mean is the sum divided by their number n."),
    "over the batch": (lambda points: points.mean(dim=0),
        "You averaged over the clouds of the batch (axis 0). A cloud's points lie along axis 1."),
    "over the coordinates": (lambda points: points.mean(dim=2),
        "You averaged x, y and z of each point (axis 2). Average over the points, axis 1."),
    "over everything": (lambda points: points.mean(),
        "You averaged all numbers into one. Say along which axis: `points.mean(dim=...)`."),
})
# fmt: on


def _clouds(g):
    """Clouds whose first two points lie in one place: both count."""
    points = torch.randn(4, 7, 3, generator=g)
    points[:, 1] = points[:, 0]
    return (points,)


CENTROID = Exercise(
    name="centroid",
    reference=centroid,
    cases=(
        Case(
            "two points of one cloud",
            lambda g: (torch.tensor([[[0.0, 0.0, 0.0], [2.0, 4.0, 6.0]]]),),
            fixed=True,
        ),
        Case("one cloud", lambda g: (torch.randn(1, 5, 3, generator=g),)),
        Case("a batch of clouds", _clouds),
    ),
    misconceptions=CENTROID_MISTAKES,
    hints=(
        "The axes of `points` are: cloud, point, coordinate. Which of them should disappear?",
        "`points.mean(dim=1)` averages along the axis of the points.",
    ),
)

# fmt: off
UP = choice_question("axis_that_points_up", "B", {
    "A": ("x", "x points to the right."),
    "B": ("y", "y is up, x is right, and z points at you: a right-handed frame."),
    "C": ("z", "z is up in much of CAD and robotics; here z points towards the viewer."),
}, hints=("Look at the picture of the axes above.",))
# fmt: on
