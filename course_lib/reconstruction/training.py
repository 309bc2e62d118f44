"""Training the four networks: the loss of a batch, the learning rate, and a checkpoint's network."""

import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from course_lib.losses import chamfer_distance
from course_lib.reconstruction.encoder import FromImage
from course_lib.reconstruction.implicit_decoder import ImplicitDecoder
from course_lib.reconstruction.mesh_decoder import MeshDecoder, mesh_training_loss
from course_lib.reconstruction.point_decoder import PointDecoder
from course_lib.reconstruction.voxel_decoder import VoxelDecoder, occupancy_loss

DECODERS = {
    "voxels": VoxelDecoder,
    "points": PointDecoder,
    "mesh": MeshDecoder,
    "implicit": ImplicitDecoder,
}
QUERIES, TARGETS = 512, 1024  # implicit queries and Chamfer targets per picture and step


def voxel_step(network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """The loss of one batch."""
    return occupancy_loss(network(batch["image"]).float(), batch["occupancy"])


def point_step(network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """The loss of one batch."""
    points = network(batch["image"]).float()
    return chamfer_distance(points, pick(batch["points"], TARGETS)).mean()


def mesh_step(network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """The loss of one batch: what both steps of deformation made, against the truth.

    Where voxels give the template, they and the encoder are trained already (`refine`), and their
    normalisation keeps its statistics.
    """
    assert isinstance(network.decoder, MeshDecoder) and isinstance(network.encoder, nn.Module)
    if network.decoder.voxels:
        network.encoder.eval()
        network.decoder.voxels.eval()
    answers = network(batch["image"], batch["camera"])
    points = pick(batch["points"], TARGETS)
    losses = [
        mesh_training_loss(mesh, truth)
        for meshes, truth in zip(answers, points, strict=True)
        for mesh in meshes[1:]
    ]
    return torch.stack(losses).sum() / len(points)


def implicit_step(network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """The loss of one batch: half of the queries lie near the surface, half anywhere."""
    chosen = torch.randperm(batch["sdf"].shape[1], device=batch["sdf"].device)[:QUERIES]
    logits = network(batch["image"], batch["sdf_points"][:, chosen]).float()
    inside = (batch["sdf"][:, chosen] < 0).float()
    return nn.functional.binary_cross_entropy_with_logits(logits, inside)


STEPS: dict[str, Callable] = {
    "voxels": voxel_step,
    "points": point_step,
    "mesh": mesh_step,
    "implicit": implicit_step,
}


def pick(points: Tensor, n: int) -> Tensor:
    """n random columns of (b, m, 3), the same for the whole batch."""
    return points[:, torch.randperm(points.shape[1], device=points.device)[:n]]


def warm_then_cosine(step: float, steps: float, peak: float) -> float:
    """A learning rate that rises over the first 3 % and falls to nothing along a cosine."""
    done = step / steps
    return peak * min(1.0, done / 0.03 + 0.02) * (0.5 + 0.5 * math.cos(math.pi * min(1.0, done)))


def save_network(network: nn.Module, path: Path) -> None:
    """The weights in half precision: 2 bytes each."""
    weights = {
        name: value.half() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    torch.save(weights, path)


def load_network(kind: str, path: Path) -> FromImage:
    """The network of a checkpoint, in single precision, ready to predict."""
    network = FromImage(DECODERS[kind]())
    weights = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict(
        {name: value.to(network.state_dict()[name].dtype) for name, value in weights.items()}
    )
    return network.eval()
