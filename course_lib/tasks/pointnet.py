"""PointNet: a network that classifies point clouds whatever the order of their points.

Qi et al. 2017, "PointNet: deep learning on point sets": the same small network is applied to every
point, a maximum over the points forgets their order, a second network classifies what is left.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


def shared_mlp(
    points: Float[Tensor, "b n c"],
    weights: Sequence[Float[Tensor, "_ _"]],
    biases: Sequence[Float[Tensor, "_"]],
) -> Float[Tensor, "b n k"]:
    """Apply the same layers x ← max(x W + b, 0) to every point of every cloud.

    points: (b, n, c); layer i has weights[i]: (inputs, outputs) and biases[i]: (outputs,). The result
    of a point depends on that point alone: reorder the points and the rows move with them.

    >>> one, two = torch.tensor([[[1.0]]]), torch.tensor([[2.0, -1.0]])
    >>> shared_mlp(one, [two], [torch.tensor([0.5, 0.5])])
    tensor([[[2.5000, 0.0000]]])
    """
    features = points
    for weight, bias in zip(weights, biases, strict=True):
        features = torch.relu(features @ weight + bias)  # (b, n, outputs)
    return features


def max_pool_points(
    features: Float[Tensor, "b n k"], present: Bool[Tensor, "b n"]
) -> Float[Tensor, "b k"]:
    """The maximum of each feature over the points of a cloud that are `present`.

    Clouds of different sizes share a batch by padding; `present` is False at the padding. Every cloud
    has at least one point.

    >>> features = torch.tensor([[[1.0, -4.0], [3.0, -2.0], [9.0, 9.0]]])
    >>> max_pool_points(features, torch.tensor([[True, True, False]]))
    tensor([[ 3., -2.]])
    """
    if not bool(present.any(dim=1).all()):
        raise ValueError("expected at least one present point in every cloud")
    return features.masked_fill(~present[:, :, None], -torch.inf).amax(dim=1)


class FlatNet(nn.Module):
    """The network to compare with: an MLP on the coordinates in the order in which they stand."""

    def __init__(self, classes: int, points: int, width: int = 256):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(3 * points, width),
            nn.ReLU(),
            nn.Linear(width, 128),
            nn.ReLU(),
            nn.Linear(128, classes),
        )

    def forward(self, clouds: Float[Tensor, "b n 3"]) -> Float[Tensor, "b k"]:
        return self.layers(clouds)
