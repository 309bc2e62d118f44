"""The study behind notebook 01: its rows, samples, settings and prompts, and the scores that are stored.

The notebook computes a part again and takes the rest from the file, which `authoring.llm_scores` makes.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.shipped import asset
from course_lib.tabular.prompt import build_prompt
from course_lib.tabular.rows import load_adult, split
from course_lib.tabular.sampling import balanced_sample
from course_lib.tabular.scoring import roc_auc
from course_lib.tabular.sentence import natural_sentence
from course_lib.tabular.serialise import (
    Row,
    ValuePermutation,
    list_template,
    permuted_names,
    serialise,
    short_list,
    text_template,
    values_only,
)
from course_lib.tabular.writing import COLUMNS

SEEDS = (42, 1024, 0, 1, 32)  # TabLLM's
SHOTS = (4, 16, 64, 256)
HELD_OUT = 500
COMPARED = 300  # of the held-out rows, for the comparison of serialisations
WRITTEN = 200  # of them, of which the model writes texts
SCORED = 2000  # of the pool's rows: a prior for training rows that are drawn anew
STEPS = {4: 10, 16: 40, 64: 60, 256: 120}
# Chosen on 300 rows of the pool with seeds of their own: at 16 shots 3e-3 gave 0.795 on average and
# 1e-3 with 30 steps 0.724 (zero-shot 0.636 on these rows); four rows bear only small steps.
LEARNING_RATE = {4: 1e-3, 16: 3e-3, 64: 3e-3, 256: 3e-3}


@dataclass
class Stored:
    """Scores p(Yes) of the held-out rows by name, such as "lora/16/42", and what else was noted."""

    scores: dict[str, Float[Tensor, "n"]] = field(default_factory=dict)
    notes: dict = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)  # of held-out rows, by the model

    def aucs(self, method: str, shots: int, labels: Int[Tensor, "n"]) -> list[float]:
        """The AUC of every seed that was run."""
        prefix = f"{method}/{shots}/"
        found = [s for name, s in self.scores.items() if name.startswith(prefix)]
        return [roc_auc(scores, labels).item() for scores in found]


def load_scores(folder: Path | None = None) -> Stored:
    """The shipped scores, or those of another run's folder."""
    folder = asset("llm_scores/scores.npz").parent if folder is None else folder
    with np.load(folder / "scores.npz") as file:
        scores = {name: torch.from_numpy(file[name].astype(np.float32)) for name in file.files}
    notes = json.loads((folder / "notes.json").read_text())
    return Stored(scores, notes, json.loads((folder / "texts.json").read_text(encoding="utf-8")))


def held_out_rows() -> tuple:
    """(pool frame, pool labels, held-out frame, held-out labels) of the shipped sample."""
    frame, labels = load_adult()
    pool, held_out = split(len(frame), HELD_OUT)
    return (
        frame.iloc[pool.numpy()].reset_index(drop=True),
        labels[pool],
        frame.iloc[held_out.numpy()].reset_index(drop=True),
        labels[held_out],
    )


def nested_sample(labels: Int[Tensor, "n"], seed: int) -> dict[int, Int[Tensor, "k"]]:
    """For each number of shots the rows of this seed; the smaller sets lie within the larger ones."""
    largest = balanced_sample(labels, max(SHOTS), generator=torch.Generator().manual_seed(seed))
    by_class = [largest[labels[largest] == c] for c in (0, 1)]
    return {k: torch.cat([rows[: k // 2] for rows in by_class]) for k in SHOTS}


def serialisations(frame) -> dict[str, Callable[[Row], str]]:
    """The methods of the comparison; the exchange of values is fitted to the frame."""
    exchange = ValuePermutation(frame)
    return {
        "natural sentence": natural_sentence,
        "text template": text_template,
        "list template": list_template,
        "short list": short_list,
        "values only": values_only,
        "permuted names": permuted_names,
        "permuted values": lambda row: list_template(exchange(row)),
    }


def written_values(frame) -> set[str]:
    """The categories of the columns that the model writes about: what a text may say wrongly."""
    return {v for name in COLUMNS for v in frame[name].dropna() if isinstance(v, str)}


def study_prompts(
    frame, text: Callable[[Row], str] = natural_sentence, gap: str = "\n"
) -> list[str]:
    """The prompts of a frame's rows, with a line break before "Answer:".

    Sentence and line break were chosen on 140 rows that are not in the shipped sample.
    """
    return [build_prompt(description, gap=gap) for description in serialise(frame, text)]


@contextmanager
def quick_arithmetic(device: torch.device) -> Iterator[None]:
    """Products in bfloat16 where the processor is at least 1.3 times as fast with them."""
    a = torch.randn(512, 512, device=device)
    plain, half = (_seconds(a.to(dtype)) for dtype in (torch.float32, torch.bfloat16))
    with torch.autocast(
        device.type, torch.bfloat16, enabled=plain > 1.3 * half, cache_enabled=False
    ):
        yield


def _seconds(a: Tensor) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        (a @ a).sum().item()
        times.append(time.perf_counter() - start)
    return min(times)
