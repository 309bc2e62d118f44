"""Scores of networks, baselines and limits over many held-out shapes."""

import statistics
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from course_lib.data.single_view import SingleView
from course_lib.reconstruction import baselines
from course_lib.reconstruction.evaluate import Sampled, evaluate, sample_mesh
from course_lib.reconstruction.extract import logits_to_mesh, reconstruct

MEASURES = ("iou", "chamfer", "f_score", "normals")
Predict = Callable[[int, dict[str, Tensor]], Sampled]
"""(number of the shape, its item) → what is compared."""


def score(predict: Predict, data: SingleView, indices: Iterable[int]) -> dict[str, float]:
    """The mean of every measure over the first view of the numbered shapes; NaN where undefined."""
    rows = []
    for index in indices:
        item = data[index * data.views]
        rows.append(evaluate(predict(index, item), baselines.truth(item)))
    return {name: statistics.fmean(row[name] for row in rows) for name in MEASURES}


def by_network(network: nn.Module) -> Predict:
    """What a network says to the picture."""
    return lambda index, item: reconstruct(network, item)[1]


def by_mean_shape(train: SingleView) -> Predict:
    """The same average shape, whatever the picture."""
    grids = train.batch(torch.arange(0, len(train), train.views))["occupancy"]
    mean = baselines.mean_shape(grids)
    sampled = sample_mesh(logits_to_mesh(10 * mean))
    return lambda index, item: Sampled(sampled.points, sampled.normals, mean > 0)


def by_retrieval(train: SingleView, find: Callable = baselines.retrieve) -> Predict:
    """The shape of the training picture that is most alike."""
    everything = torch.arange(len(train))
    gallery = torch.cat(
        [baselines.silhouettes(train.batch(part)["image"]) for part in everything.split(256)]
    )

    def predict(index: int, item: dict[str, Tensor]) -> Sampled:
        nearest = int(find(baselines.silhouettes(item["image"][None]), gallery)[0])
        return baselines.truth(train[nearest])

    return predict


LIMITS: dict[str, Predict] = {
    "truth at 32³": lambda index, item: sample_mesh(baselines.voxel_limit(item)),
    "truth as 1,024 points": lambda index, item: Sampled(baselines.point_limit(item)),
}
"""The truth in two representations: voxels of 0 and 1, and 1,024 points."""
