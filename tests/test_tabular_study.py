"""The stored run of notebook 01: what it shows, and the command that makes it."""

import itertools
from functools import partial

import pytest
import torch
from tiny_llm import tiny_llm

from course_lib.authoring import llm_scores
from course_lib.tabular import study, writing


def test_smaller_samples_lie_within_larger_ones_and_are_balanced():
    labels = (torch.arange(2000) % 4 == 0).long()
    samples = study.nested_sample(labels, seed=3)
    for k, rows in samples.items():
        assert len(set(rows.tolist())) == k and labels[rows].sum() == k // 2
    sets = [set(samples[k].tolist()) for k in sorted(samples)]
    assert all(small < large for small, large in itertools.pairwise(sets))


def test_training_rows_are_not_held_out():
    pool, pool_labels, test, labels = study.held_out_rows()
    assert len(test) == len(labels) == study.HELD_OUT >= 500
    assert len(pool) == len(pool_labels) == 8141 - study.HELD_OUT


@pytest.mark.parametrize(
    ("method", "shots", "least"),
    [("zero", 0, 0.74), ("prior", 16, 0.79), ("lora", 16, 0.77), ("lora", 64, 0.82)],
)
def test_the_stored_run_shows_what_the_model_is_worth(method, shots, least):
    stored, (_, _, _, labels) = study.load_scores(), study.held_out_rows()
    found = stored.aucs(method, shots, labels)
    assert len(found) == (1 if method == "zero" else len(study.SEEDS))
    assert sum(found) / len(found) >= least


def test_the_model_loses_more_of_a_whole_row_than_of_single_features():
    stored, (pool, _, test, _) = study.load_scores(), study.held_out_rows()
    rows, known = test[writing.COLUMNS].to_dict("records"), study.written_values(pool)
    whole, lost = {}, {}
    for name, texts in stored.texts.items():
        assert len(texts) == study.WRITTEN
        told = [writing.lost_and_invented(r, t, known) for r, t in zip(rows, texts, strict=False)]
        whole[name] = sum(not any(pair) for pair in told)
        lost[name] = sum(len(values) for values, _ in told)
    assert whole["table-to-text"] > 2 * whole["LLM-written"]
    assert lost["LLM-written"] > 2 * lost["table-to-text"]


def test_the_command_makes_every_score_and_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    changes = {
        "HELD_OUT": 24,
        "COMPARED": 12,
        "SCORED": 12,
        "WRITTEN": 12,
        "SHOTS": (4, 16),
        "SEEDS": (0,),
        "STEPS": {4: 1, 16: 2},
    }
    monkeypatch.setattr(llm_scores, "load_llm", tiny_llm)
    short = partial(writing.continue_lines, most=8)  # its tokens make long texts
    monkeypatch.setattr(writing, "continue_lines", short)
    for name, value in changes.items():
        monkeypatch.setattr(study, name, value)
    llm_scores.make_llm_scores(tmp_path)
    stored = study.load_scores(tmp_path)
    for method in ("lora", "features", "embedding", "prior"):
        assert {f"{method}/4/0", f"{method}/16/0"} <= set(stored.scores)
    assert {"zero/0/0", "pool/0/0", "ia3/16/0", "permuted values/0/0"} <= set(stored.scores)
    assert {name: len(texts) for name, texts in stored.texts.items()} == {
        "table-to-text": 12,
        "LLM-written": 12,
    }
    assert len(stored.scores["LLM-written, 7 columns/0/0"]) == 12
    assert all(p.min() >= 0 and p.max() <= 1 for p in stored.scores.values())
    assert stored.notes["natural sentence"]["tokens"] > 20
    first = (tmp_path / "run.log").read_text()
    llm_scores.make_llm_scores(tmp_path)
    again = (tmp_path / "run.log").read_text().removeprefix(first)
    assert "AUC" in first and "resumed" in again and "AUC" not in again
    capsys.readouterr()
