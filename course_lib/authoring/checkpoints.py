"""Makes the shipped checkpoints: `python -m course_lib assets reconstruction`.

The training loop of the notebook with more shapes and steps, and three seeds.
"""

import json
import shutil
import time
from pathlib import Path

import torch
from torch import nn

from course_lib.data.single_view import SingleView
from course_lib.reconstruction.encoder import FromImage
from course_lib.reconstruction.mesh_decoder import refine
from course_lib.reconstruction.score import LIMITS, by_mean_shape, by_network, by_retrieval, score
from course_lib.reconstruction.training import (
    DECODERS,
    STEPS,
    load_network,
    save_network,
    warm_then_cosine,
)

RECIPES = {  # peak learning rate, pictures per step, steps
    "voxels": (3e-3, 24, 6000),
    "points": (3e-3, 24, 4000),
    "mesh": (1e-3, 8, 800),
    "implicit": (3e-3, 24, 4000),
}
SHAPES, VIEWS, TEST, SEEDS = 6400, 2, 60, (0, 1, 2)


def train_checkpoint(kind: str, network: nn.Module, data: SingleView, log: Path) -> None:
    """Train one network by its recipe; every hundred steps a line of the log.

    In bfloat16 where torch holds it safe, but for the mesh, whose vertices are numbers that need more
    digits. On a processor without bfloat16 arithmetic this is the slower way.
    """
    peak, count, steps = RECIPES[kind]
    optimizer = torch.optim.AdamW(network.parameters(), lr=peak, weight_decay=1e-2)
    begun, losses = time.process_time(), []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = warm_then_cosine(step, steps, peak)
        with torch.autocast("cpu", torch.bfloat16, enabled=kind != "mesh"):
            loss = STEPS[kind](network, data.batch(torch.randint(len(data), (count,))))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if (step + 1) % 100 == 0:
            seconds = round(time.process_time() - begun)
            note = {"kind": kind, "step": step + 1, "loss": sum(losses[-100:]) / 100}
            with log.open("a") as file:
                print(json.dumps(note | {"seconds": seconds}), file=file)
    network.eval()


def make_reconstruction(folder: Path, *, cache: Path = Path(".cache/reconstruction")) -> None:
    """Train the four networks three times over, ship the first of each as <kind>.pt, score them all.

    About 95 minutes of one core with bfloat16 arithmetic. A network that is in the cache already is
    not trained again, so that an interrupted run goes on where it stopped.
    """
    data = SingleView.generate("train", SHAPES, views=VIEWS, cache=cache)
    for seed in SEEDS:
        for kind in DECODERS:
            train_kind(kind, seed, data, cache)
    for kind in DECODERS:
        shutil.copyfile(cache / f"{kind}-0.pt", folder / f"{kind}.pt")
    write_scores(cache, data, folder / "scores.json")


def train_kind(kind: str, seed: int, data: SingleView, cache: Path) -> None:
    """One network of one seed, as <kind>-<seed>.pt, unless it is there already.

    The voxel network comes first. The others start from its encoder, which saves each of them the
    time to learn what pictures look like; the mesh network refines its voxels.
    """
    path = cache / f"{kind}-{seed}.pt"
    if path.exists():
        return
    torch.manual_seed(seed)
    network = FromImage(DECODERS[kind]())
    if kind != "voxels":
        first = load_network("voxels", cache / f"voxels-{seed}.pt")
        network = refine(first) if kind == "mesh" else network
        network.encoder.load_state_dict(first.encoder.state_dict())
    train_checkpoint(kind, network, data, cache / f"{kind}-{seed}.log")
    save_network(network, path)


def write_scores(cache: Path, data: SingleView, path: Path) -> None:
    """The networks of all seeds, the baselines and the limits on held-out shapes, as JSON.

    Each network's scores are a list, one entry per seed.
    """
    test = SingleView.generate("test", TEST, views=1, points=4096, cache=cache)
    table = {}
    for kind in DECODERS:
        networks = [load_network(kind, cache / f"{kind}-{seed}.pt") for seed in SEEDS]
        table[kind] = [score(by_network(network), test, range(TEST)) for network in networks]
    others = {"mean shape": by_mean_shape(data), "retrieval": by_retrieval(data)} | LIMITS
    table |= {name: [score(predict, test, range(TEST))] for name, predict in others.items()}
    path.write_text(json.dumps({"test shapes": TEST, "scores": table}, indent=1) + "\n")
