"""PointNet: a network that classifies point clouds whatever the order of their points.

Qi et al. 2017, "PointNet: deep learning on point sets": the same small network is applied to every
point, a maximum over the points forgets their order, a second network classifies what is left.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
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
    must have a point: ValueError otherwise.

    >>> features = torch.tensor([[[1.0, -4.0], [3.0, -2.0], [9.0, 9.0]]])
    >>> max_pool_points(features, torch.tensor([[True, True, False]]))
    tensor([[ 3., -2.]])
    """
    if not bool(present.any(dim=1).all()):
        raise ValueError("expected at least one present point in every cloud")
    return features.masked_fill(~present[:, :, None], -torch.inf).amax(dim=1)


class PointNet(nn.Module):
    """Clouds (b, n, 3) to class scores (b, k): shared MLP, maximum over points, classifier.

    Without the alignment networks of the paper, which matter for larger data sets.

    >>> PointNet(classes=6)(torch.rand(2, 100, 3)).shape
    torch.Size([2, 6])
    """

    def __init__(self, classes: int, widths: Sequence[int] = (64, 128, 256)):
        super().__init__()
        sizes = zip([3, *widths], widths, strict=False)
        self.shared = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in sizes)
        self.classifier = nn.Sequential(
            nn.Linear(widths[-1], 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, classes)
        )

    def point_features(self, clouds: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n k"]:
        """What the shared MLP computes of every point."""
        layers = [layer for layer in self.shared if isinstance(layer, nn.Linear)]
        weights = [layer.weight.T for layer in layers]
        return shared_mlp(clouds, weights, [layer.bias for layer in layers])

    def embed(self, clouds: Float[Tensor, "b n 3"]) -> Float[Tensor, "b k"]:
        """One vector per cloud: the maximum over its points."""
        present = torch.ones(clouds.shape[:2], dtype=torch.bool, device=clouds.device)
        return max_pool_points(self.point_features(clouds), present)

    def critical_points(self, cloud: Float[Tensor, "n 3"]) -> Int[Tensor, "k"]:
        """The indices of the points that attain a maximum: the other points change nothing."""
        return self.point_features(cloud[None])[0].argmax(dim=0).unique()

    def forward(self, clouds: Float[Tensor, "b n 3"]) -> Float[Tensor, "b k"]:
        return self.classifier(self.embed(clouds))


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
