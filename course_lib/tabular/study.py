"""The stored run behind notebook 01: zero-shot and few-shot scores of the language model.

`make_llm_scores(folder)` (`python -m course_lib assets llm_scores`) computes every score and keeps it
in `scores.npz`; a run that was interrupted goes on where it stopped. On two CPU cores it takes about
half an hour. The notebook computes a part of this again and takes the rest from the file.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.running import asset
from course_lib.tabular import baselines
from course_lib.tabular.adapters import add_ia3, add_lora, remove_adapters
from course_lib.tabular.encodings import encode_frame
from course_lib.tabular.features import Cached, cache_features
from course_lib.tabular.finetune import fine_tune, predict
from course_lib.tabular.llm import LanguageModel, load_llm
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
    permuted_values,
    serialise,
    short_list,
    text_template,
    values_only,
)

SEEDS = (42, 1024, 0, 1, 32)  # TabLLM's
SHOTS = (4, 16, 64, 256)
HELD_OUT = 500
COMPARED = 300  # of the held-out rows, for the comparison of serialisations
UPPER = 6
STEPS = {4: 10, 16: 40, 64: 60, 256: 120}
# Chosen on 300 rows of the pool with seeds of their own: at 16 shots 3e-3 gave 0.795 on average and
# 1e-3 with 30 steps 0.724 (zero-shot 0.636 on these rows); four rows bear only small steps.
LEARNING_RATE = {4: 1e-3, 16: 3e-3, 64: 3e-3, 256: 3e-3}
IA3_SHOTS = 16


@dataclass
class Stored:
    """Scores p(Yes) of the held-out rows by name, such as "lora/16/42", and what else was noted."""

    scores: dict[str, Float[Tensor, "n"]] = field(default_factory=dict)
    notes: dict = field(default_factory=dict)

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
    return Stored(scores, notes)


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
        "permuted values": lambda row: permuted_values(row, exchange),
    }


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


def make_llm_scores(folder: Path) -> None:
    """Compute what is missing in `folder`: scores.npz, notes.json, run.log and README.md."""
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(folder)
    llm = load_llm(device="cuda" if torch.cuda.is_available() else "cpu")
    run.say(
        f"{llm.name}, {_weights(llm)} million weights, {llm.device.type}, torch {torch.__version__}"
    )
    with quick_arithmetic(llm.device):
        run.say(f"products in bfloat16: {torch.is_autocast_enabled(llm.device.type)}")
        _, _, test, labels = held_out_rows()
        start = time.process_time()
        cached = cache_features(llm, study_prompts(test), upper=UPPER)
        run.say(f"cached {len(cached)} held-out rows")
        run.keep("zero/0/0", labels, lambda: predict(llm, cached, upper=UPPER))
        run.note("natural sentence", llm, study_prompts(test), start)
        _few_shot(run, llm, cached, [("lora", add_lora, k) for k in SHOTS[:-1]])
        _compare_serialisations(run, llm)
        _few_shot(run, llm, cached, [("lora", add_lora, SHOTS[-1]), ("ia3", add_ia3, IA3_SHOTS)])
    run.say("done")
    (folder / "README.md").write_text(_README)


class _Run:
    """The growing files of a run."""

    def __init__(self, folder: Path):
        self.folder = folder
        resumed = (folder / "scores.npz").exists()
        self.stored = load_scores(folder) if resumed else Stored()
        self.say("resumed" if resumed else "started")

    def say(self, line: str) -> None:
        line = f"{time.strftime('%H:%M:%S')} {time.process_time():7.1f} CPU s  {line}"
        print(line, flush=True)
        with (self.folder / "run.log").open("a") as log:
            log.write(line + "\n")

    def keep(self, name: str, labels: Tensor, compute: Callable[[], Tensor]) -> None:
        """Compute a vector of scores unless it is there, and write everything to disk."""
        if name not in self.stored.scores:
            start = time.process_time()
            self.stored.scores[name] = compute().float().cpu()
            self.save()
            auc = roc_auc(self.stored.scores[name], labels)
            self.say(f"{name}: AUC {auc:.4f}  ({time.process_time() - start:.1f} CPU s)")

    def note(self, method: str, llm: LanguageModel, prompts: list[str], start: float) -> None:
        """Note tokens and CPU seconds per prompt, the latter since `start`, once."""
        if method not in self.stored.notes:
            tokens = sum(len(llm.tokens(prompt)) for prompt in prompts)
            seconds = time.process_time() - start
            notes = {"tokens": tokens / len(prompts), "seconds": seconds / len(prompts)}
            self.stored.notes[method] = notes
            self.save()

    def save(self) -> None:
        arrays: dict[str, Any] = {
            name: scores.numpy().astype(np.float32) for name, scores in self.stored.scores.items()
        }
        np.savez_compressed(self.folder / "scores.npz", **arrays)
        (self.folder / "notes.json").write_text(json.dumps(self.stored.notes, indent=1) + "\n")


def _prior(
    llm: LanguageModel, few: Cached, zero: Tensor, table: tuple[Tensor, Tensor, Tensor]
) -> Tensor:
    """The baseline that starts from the language model's answers without examples."""
    answers = torch.logit(predict(llm, few, upper=UPPER).double(), eps=1e-9).float()
    return baselines.with_prior(*table, answers, zero)


def _few_shot(run: _Run, llm: LanguageModel, test: Cached, plan: list[tuple]) -> None:
    """Every (method, adapter, shots) of the plan for every seed, and the frozen features beside it."""
    pool, pool_labels, held_out, labels = held_out_rows()
    columns = [encode_frame(frame, pool) for frame in (pool, held_out)]
    zero = torch.logit(run.stored.scores["zero/0/0"].double(), eps=1e-9).float()
    samples = {seed: nested_sample(pool_labels, seed) for seed in SEEDS}
    for method, adapt, k in plan:
        for seed in SEEDS:
            rows = samples[seed][k]
            if f"{method}/{k}/{seed}" in run.stored.scores:
                continue
            few = cache_features(llm, study_prompts(pool.iloc[rows.numpy()]), upper=UPPER)
            shots = (few, pool_labels[rows])
            _frozen(run, f"{k}/{seed}", shots, (test, labels))
            run.keep(
                f"prior/{k}/{seed}",
                labels,
                partial(_prior, llm, few, zero, (columns[0][rows], pool_labels[rows], columns[1])),
            )
            run.keep(
                f"{method}/{k}/{seed}",
                labels,
                partial(tune_and_predict, llm, adapt, shots, test, seed),
            )


def tune_and_predict(
    llm: LanguageModel,
    adapt: Callable,
    shots: tuple[Cached, Int[Tensor, "k"]],
    test: Cached,
    seed: int,
) -> Float[Tensor, "n"]:
    """Tune an adapter on the shots with the study's settings, score the test rows, remove it."""
    few, y = shots
    torch.manual_seed(seed)  # of the adapter's first weights
    weights = adapt(llm.network, upper=UPPER)
    try:
        fine_tune(
            llm,
            weights,
            few,
            y.to(llm.device),
            steps=range(STEPS[len(y)]),
            generator=torch.Generator().manual_seed(seed),
            upper=UPPER,
            learning_rate=LEARNING_RATE[len(y)],
        )
        return predict(llm, test, upper=UPPER)
    finally:
        remove_adapters(llm.network)


def _frozen(run: _Run, name: str, shots: tuple, test: tuple) -> None:
    (few, y), (cached, labels) = shots, test
    for method, features in (("features", Cached.final), ("embedding", Cached.mean)):
        run.keep(
            f"{method}/{name}",
            labels,
            partial(
                lambda features: baselines.on_features(
                    features(few).float().cpu(), y, features(cached).float().cpu()
                ),
                features,
            ),
        )


def _compare_serialisations(run: _Run, llm: LanguageModel) -> None:
    """Zero-shot scores of the first held-out rows; the natural sentence has been done before."""
    pool, _, test, labels = held_out_rows()
    methods = {name: (text, "\n") for name, text in serialisations(pool).items()}
    del methods["natural sentence"]
    methods["sentence, one-line prompt"] = (natural_sentence, " ")
    for method, (text, gap) in methods.items():
        prompts = study_prompts(test.head(COMPARED), text, gap)
        start = time.process_time()
        run.keep(f"{method}/0/0", labels[:COMPARED], partial(llm.p_yes, prompts))
        run.note(method, llm, prompts, start)


def _seconds(a: Tensor) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        (a @ a).sum().item()
        times.append(time.perf_counter() - start)
    return min(times)


def _weights(llm: LanguageModel) -> int:
    return round(sum(p.numel() for p in llm.network.parameters()) / 1e6)


_README = """# Scores of a language model on census rows

`scores.npz`: p(Yes) of the 500 held-out rows of `assets/adult` by SmolLM2-135M-Instruct (Apache-2.0),
one vector per run, named method/shots/seed. `notes.json`: tokens and CPU seconds per row of each
serialisation. `run.log`: the log of the run. The settings stand in `course_lib/tabular/study.py`.

Made by: `python -m course_lib assets llm_scores` (about half an hour on two CPU cores; it goes on where
it was stopped)
"""
