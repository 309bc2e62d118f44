"""Makes assets/llm_scores: `python -m course_lib assets llm_scores`, half an hour of two cores.

A run that was interrupted goes on where it stopped.
"""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.tabular import baselines, study, writing
from course_lib.tabular.adapters import add_ia3, add_lora, remove_adapters
from course_lib.tabular.encodings import encode_frame
from course_lib.tabular.features import Cached, cache_features
from course_lib.tabular.finetune import fine_tune, predict
from course_lib.tabular.llm import LanguageModel, load_llm
from course_lib.tabular.prompt import build_prompt
from course_lib.tabular.scoring import roc_auc
from course_lib.tabular.sentence import natural_sentence
from course_lib.tabular.serialise import text_template

UPPER = 6
IA3_SHOTS = 16
AT_ONCE = 100  # texts between two savings


def make_llm_scores(folder: Path) -> None:
    """Compute what is missing in `folder`: scores.npz, notes.json, texts.json, run.log, README.md."""
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(folder)
    llm = load_llm(device="cuda" if torch.cuda.is_available() else "cpu")
    run.say(
        f"{llm.name}, {_weights(llm)} million weights, {llm.device.type}, torch {torch.__version__}"
    )
    with study.quick_arithmetic(llm.device):
        run.say(f"products in bfloat16: {torch.is_autocast_enabled(llm.device.type)}")
        _, _, test, labels = study.held_out_rows()
        start = time.process_time()
        cached = cache_features(llm, study.study_prompts(test), upper=UPPER)
        run.say(f"cached {len(cached)} held-out rows")
        run.keep("zero/0/0", labels, lambda: predict(llm, cached, upper=UPPER))
        run.note("natural sentence", llm, study.study_prompts(test), start)
        _few_shot(run, llm, cached, [("lora", add_lora, k) for k in study.SHOTS[:-1]])
        _compare_serialisations(run, llm)
        _score_pool(run, llm)
        _few_shot(
            run, llm, cached, [("lora", add_lora, study.SHOTS[-1]), ("ia3", add_ia3, IA3_SHOTS)]
        )
    _write(run, llm)
    run.say("done")
    (folder / "README.md").write_text(_README)


class _Run:
    """The growing files of a run."""

    def __init__(self, folder: Path):
        self.folder = folder
        resumed = (folder / "scores.npz").exists()
        self.stored = study.load_scores(folder) if resumed else study.Stored()
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
        for name, content in {"notes": self.stored.notes, "texts": self.stored.texts}.items():
            text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
            (self.folder / f"{name}.json").write_text(text, encoding="utf-8")


def _prior(
    llm: LanguageModel, few: Cached, zero: Tensor, table: tuple[Tensor, Tensor, Tensor]
) -> Tensor:
    """The baseline that starts from the language model's answers without examples."""
    answers = torch.logit(predict(llm, few, upper=UPPER).double(), eps=1e-9).float()
    return baselines.with_prior(*table, answers, zero)


def _few_shot(run: _Run, llm: LanguageModel, test: Cached, plan: list[tuple]) -> None:
    """Every (method, adapter, shots) of the plan for every seed, and the frozen features beside it."""
    pool, pool_labels, held_out, labels = study.held_out_rows()
    columns = [encode_frame(frame, pool) for frame in (pool, held_out)]
    zero = torch.logit(run.stored.scores["zero/0/0"].double(), eps=1e-9).float()
    samples = {seed: study.nested_sample(pool_labels, seed) for seed in study.SEEDS}
    for method, adapt, k in plan:
        for seed in study.SEEDS:
            rows = samples[seed][k]
            if f"{method}/{k}/{seed}" in run.stored.scores:
                continue
            few = cache_features(llm, study.study_prompts(pool.iloc[rows.numpy()]), upper=UPPER)
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
            steps=range(study.STEPS[len(y)]),
            generator=torch.Generator().manual_seed(seed),
            upper=UPPER,
            learning_rate=study.LEARNING_RATE[len(y)],
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
    pool, _, test, labels = study.held_out_rows()
    methods = {name: (text, "\n") for name, text in study.serialisations(pool).items()}
    del methods["natural sentence"]
    methods["sentence, one-line prompt"] = (natural_sentence, " ")
    for method, (text, gap) in methods.items():
        prompts = study.study_prompts(test.head(study.COMPARED), text, gap)
        start = time.process_time()
        run.keep(f"{method}/0/0", labels[: study.COMPARED], partial(llm.p_yes, prompts))
        run.note(method, llm, prompts, start)


def _score_pool(run: _Run, llm: LanguageModel) -> None:
    """Zero-shot scores of the first rows of the pool."""
    pool, labels, _, _ = study.held_out_rows()
    prompts = study.study_prompts(pool.head(study.SCORED))
    run.keep("pool/0/0", labels[: study.SCORED], partial(llm.p_yes, prompts))


def _write(run: _Run, llm: LanguageModel) -> None:
    """Texts that the model writes of the first held-out rows, and its zero-shot answers to them.

    In single precision: another rounding may choose another word, and all that follows it.
    """
    _, _, test, labels = study.held_out_rows()
    rows = test[writing.COLUMNS].head(study.WRITTEN).to_dict("records")
    texts = {"text template": [text_template(row) for row in rows]}
    for name, write in {
        "table-to-text": writing.table_to_text,
        "LLM-written": writing.rewrite,
    }.items():
        texts[name] = run.stored.texts.setdefault(name, [])
        while len(texts[name]) < len(rows):
            texts[name] += write(llm, rows[len(texts[name]) :][:AT_ONCE])
            run.save()
            run.say(f"{name}: {len(texts[name])} texts")
    for name, written in texts.items():
        prompts = [build_prompt(text, gap="\n") for text in written]
        run.keep(
            f"{name}, {len(writing.COLUMNS)} columns/0/0",
            labels[: study.WRITTEN],
            partial(llm.p_yes, prompts),
        )


def _weights(llm: LanguageModel) -> int:
    return round(sum(p.numel() for p in llm.network.parameters()) / 1e6)


_README = """# Scores of a language model on census rows

`scores.npz`: p(Yes) of the 500 held-out rows of `assets/adult` by SmolLM2-135M-Instruct (Apache-2.0),
one vector per run, named method/shots/seed; pool/0/0 belongs to the first 2,000 rows of the pool.
`notes.json`: tokens and CPU seconds per row of each serialisation. `texts.json`: texts of the first 200
of those rows that the same model wrote, from seven columns. `run.log`: the log of the run. The settings
stand in `course_lib/tabular/study.py` and `writing.py`.

Made by: `python -m course_lib assets llm_scores` (about half an hour on two CPU cores; it goes on where
it was stopped)
"""
