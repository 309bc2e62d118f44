"""Makes the shipped checkpoints: `python -m course_lib assets reconstruction`.

The training loop of the notebook, with a longer schedule. About ten CPU-minutes per decoder.
"""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from course_lib.data.single_view import SingleView
from course_lib.losses import chamfer_distance
from course_lib.reconstruction.encoder import FromImage
from course_lib.reconstruction.implicit_decoder import ImplicitDecoder
from course_lib.reconstruction.mesh_decoder import MeshDecoder, mesh_training_loss
from course_lib.reconstruction.point_decoder import PointDecoder
from course_lib.reconstruction.score import (
    LIMITS,
    by_mean_shape,
    by_network,
    by_retrieval,
    write_scores,
)
from course_lib.reconstruction.voxel_decoder import VoxelDecoder, occupancy_loss

DECODERS = {
    "voxels": VoxelDecoder,
    "points": PointDecoder,
    "mesh": MeshDecoder,
    "implicit": ImplicitDecoder,
}
RECIPES = {  # peak learning rate, pictures per step
    "voxels": (3e-3, 24),
    "points": (3e-3, 24),
    "mesh": (2e-3, 12),
    "implicit": (3e-3, 24),
}
SECONDS = 360.0  # of processor time per decoder
QUERIES, TARGETS = 512, 1024  # implicit queries and Chamfer targets per picture and step


def voxel_step(network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """The loss of one batch."""
    return occupancy_loss(network(batch["image"]), batch["occupancy"])


def point_step(network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """The loss of one batch."""
    return chamfer_distance(network(batch["image"]), pick(batch["points"], TARGETS)).mean()


def mesh_step(network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """The loss of one batch: all three refinements are compared with the truth."""
    stages = network(batch["image"], batch["camera"])
    points = pick(batch["points"], TARGETS)
    assert isinstance(network.decoder, MeshDecoder)
    losses = [
        mesh_training_loss(vertices, template, points)
        for vertices, template in zip(stages, network.decoder.templates, strict=True)
    ]
    return torch.stack(losses).sum()


def implicit_step(network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """The loss of one batch: half of the queries lie near the surface, half anywhere."""
    chosen = torch.randperm(batch["sdf"].shape[1], device=batch["sdf"].device)[:QUERIES]
    logits = network(batch["image"], batch["sdf_points"][:, chosen])
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


def train_checkpoint(
    kind: str, network: nn.Module, data: SingleView, log: Path, *, wall_seconds: float = math.inf
) -> None:
    """Train one network for `SECONDS` of processor time; a line of the log every 30 seconds.

    The schedule goes by the time that the steps themselves took, so that a busy machine takes
    longer but reaches the same, unless `wall_seconds` end it first. On another processor the number
    of steps differs.
    """
    torch.manual_seed(0)
    peak, count = RECIPES[kind]
    optimizer = torch.optim.AdamW(network.parameters(), lr=peak, weight_decay=1e-2)
    used, steps, noted, begun = 0.0, 0, 0.0, time.perf_counter()
    while (done := max(used / SECONDS, (time.perf_counter() - begun) / wall_seconds)) < 1:
        start = time.process_time()
        for group in optimizer.param_groups:
            group["lr"] = warm_then_cosine(done, 1.0, peak)
        loss = STEPS[kind](network, data.batch(torch.randint(len(data), (count,))))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps, used = steps + 1, used + time.process_time() - start
        if used - noted >= 30:
            noted = used
            with log.open("a") as file:
                note = {"kind": kind, "seconds": used, "step": steps, "loss": loss.item()}
                print(json.dumps(note), file=file)
    network.eval()


def save_network(network: nn.Module, path: Path) -> None:
    """The weights in half precision: 2 bytes each."""
    weights = {
        name: value.half() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    torch.save(weights, path)


def load_network(kind: str, path: Path) -> nn.Module:
    """The network of a checkpoint, in single precision, ready to predict."""
    network = FromImage(DECODERS[kind]())
    weights = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict(
        {name: value.to(network.state_dict()[name].dtype) for name, value in weights.items()}
    )
    return network.eval()


def make_reconstruction(folder: Path, *, cache: Path = Path(".cache")) -> None:
    """Train the four networks and write <kind>.pt into the folder: about 24 CPU-minutes for all.

    The voxel network is trained first; the other three start from its encoder, which saves each of
    them the time to learn what pictures look like.
    """
    data = SingleView.generate("train", 1600, cache=cache)
    encoder = None
    for kind, decoder in DECODERS.items():
        network = FromImage(decoder())
        if encoder is not None:
            network.encoder.load_state_dict(encoder)
        train_checkpoint(kind, network, data, cache / f"{kind}.log")
        save_network(network, folder / f"{kind}.pt")
        encoder = encoder or network.encoder.state_dict()
    score_checkpoints(folder, data)


def score_checkpoints(folder: Path, data: SingleView) -> None:
    """Write scores.json: the checkpoints, the baselines and the limits on held-out shapes."""
    predictors = {kind: by_network(load_network(kind, folder / f"{kind}.pt")) for kind in DECODERS}
    predictors |= {"mean shape": by_mean_shape(data), "retrieval": by_retrieval(data)}
    write_scores(predictors | LIMITS, folder / "scores.json")
