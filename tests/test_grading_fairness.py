"""Grading is fair: right answers get full marks whatever the seed, wrong ones never do.

COURSE_SEEDS=20 takes every exercise through twenty seeds (about six minutes of a core); without it every
eighth exercise meets one (`test_exercises.py` has all of them on their visible cases).
"""

import importlib
import inspect
import json
import os
import pkgutil
import sys
from pathlib import Path

import alternatives
import pytest
import torch

from course_lib.checking.outcome import Outcome, run_case
from course_lib.exercises import catalogue, written
from course_lib.exercises.exercise import Exercise, Question
from course_lib.grading import inside
from course_lib.grading.assemble import Plan, make_plan
from course_lib.grading.extract import Cell, extract
from course_lib.grading.marks import Key, mark, telling_cases
from course_lib.grading.plugin import compare
from course_lib.grading.slicing import python

ROOT = Path(__file__).parent.parent
SEEDS = range(int(os.environ.get("COURSE_SEEDS", "1")))
EVERY = 1 if "COURSE_SEEDS" in os.environ else 8
WRITTEN = written()[::EVERY]
NOISE = 1e-6
GUESSABLE = {"balanced_sample", "euler_characteristic"}
"""Their results are small whole numbers: points only where all cases are right."""


def alternatives_of(exercise: Exercise) -> list:
    modules = [
        importlib.import_module(f"alternatives.{info.name}").ALTERNATIVES
        for info in pkgutil.iter_modules(alternatives.__path__)
    ]
    return [function for found in modules for function in found.get(exercise.name, ())]


def encoded(outcome: Outcome) -> str:
    return json.dumps(outcome.to_json())


def texts(outcomes: list[Outcome]) -> list[str]:
    return [encoded(outcome) for outcome in outcomes]


def hidden(exercise: Exercise, plan: Plan, candidate) -> list[Outcome]:
    """What a candidate does on the hidden cases of a run."""
    return [run_case(exercise, candidate, exercise.cases[c.index], c.seed) for c in plan.cases]


def points(exercise: Exercise, plan: Plan, key: Key, got: list[Outcome]) -> tuple[float, str]:
    """The marks that these outcomes earn, by the grader's own reckoning."""
    records = []
    for number, outcome in enumerate(got):
        text = encoded(outcome)
        found = compare(exercise, key.expected[number], text)
        record = {"role": "case", "number": number, "got": text, "error": "", "seconds": 0}
        records.append({**record, "passed": found is None, "kind": found.kind if found else ""})
    result = mark(plan, key, Cell("x = 1"), records)
    return result.points, result.status


def noisy(value, generator: torch.Generator, whole: bool):
    """Floats with noise of 1e-6 of themselves, or of the tensor's largest."""
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        finite = value[value.isfinite()].abs().double()
        size = finite.max() if whole and finite.numel() else value.double().abs()
        noise = torch.randn(value.shape, generator=generator, dtype=torch.float64)
        return torch.where(value.isfinite(), value.double() + NOISE * size * noise, value.double())
    if type(value) is float:
        return value * (1 + NOISE * float(torch.randn((), generator=generator)))
    if isinstance(value, (list, tuple)):
        return type(value)(noisy(item, generator, whole) for item in value)
    if isinstance(value, dict):
        return {key: noisy(item, generator, whole) for key, item in value.items()}
    return value


def with_noise(outcome: Outcome, seed: int, whole: bool) -> Outcome:
    generator = torch.Generator().manual_seed(seed)
    parts = (noisy(part, generator, whole) for part in (outcome.value, outcome.gradients))
    value, gradients = (
        like(new, old) for new, old in zip(parts, (outcome.value, outcome.gradients), strict=True)
    )
    return Outcome(value, gradients, outcome.changed, outcome.failure)


def like(new, old):
    """Noise is added in float64; the result has the type it had."""
    if isinstance(old, torch.Tensor):
        return new.to(old.dtype)
    if isinstance(old, (list, tuple)):
        return type(old)(like(*pair) for pair in zip(new, old, strict=True))
    if isinstance(old, dict):
        return {key: like(new[key], old[key]) for key in old}
    return new


@pytest.mark.parametrize("exercise", WRITTEN, ids=lambda exercise: exercise.name)
def test_right_answers_get_full_marks_and_misconceptions_do_not(exercise):
    for seed in SEEDS:
        plan = make_plan(exercise, str(seed))
        wanted = hidden(exercise, plan, exercise.reference)
        wrong = [hidden(exercise, plan, m.wrong) for m in exercise.misconceptions]
        key = Key(texts(wanted), [texts(outcomes) for outcomes in wrong])
        full = (exercise.points, "correct")
        for other in alternatives_of(exercise):
            assert points(exercise, plan, key, hidden(exercise, plan, other)) == full, other
        for whole in (False, True):
            got = [with_noise(outcome, seed, whole) for outcome in wanted]
            assert points(exercise, plan, key, got) == full, f"noise, whole={whole}"
        for misconception, got in zip(exercise.misconceptions, wrong, strict=True):
            earned, status = points(exercise, plan, key, got)
            assert earned < exercise.points and status != "correct", misconception.name
        assert telling_cases(plan, key) or exercise.name in GUESSABLE or seed > 0


@pytest.mark.parametrize("exercise", WRITTEN, ids=lambda exercise: exercise.name)
def test_noise_on_the_visible_cases_is_forgiven(exercise):
    for case in exercise.cases:
        wanted = run_case(exercise, exercise.reference, case)
        for seed in SEEDS:
            got = with_noise(wanted, seed, whole=bool(seed % 2))
            assert compare(exercise, encoded(wanted), encoded(got)) is None, case.name


def test_a_question_gives_its_points_for_the_right_answer_only():
    for exercise in (e for e in catalogue().values() if isinstance(e, Question)):
        plan = make_plan(exercise, "s")
        key = Key([encoded(Outcome(exercise.reference))], [[] for _ in exercise.misconceptions])
        assert points(exercise, plan, key, [Outcome(exercise.reference)])[1] == "correct"
        for wrong in exercise.misconceptions:
            assert points(exercise, plan, key, [Outcome(wrong.wrong)])[0] == 0, exercise.name


def in_its_notebook(exercise: Exercise, text: str, helpers: str) -> Cell:
    """The answer that the grader takes from the course's notebook with this text in its cell."""
    number = exercise.notebook
    path = next((ROOT / "notebooks").glob(f"{number}_*.ipynb"))
    whole = json.loads(path.read_text(encoding="utf-8"))
    cells = whole["cells"]
    own = next(c for c in cells if c.get("id") == f"ex-{exercise.name}")
    own["source"] = text
    cells.insert(2, {**own, "id": "mine", "metadata": {}, "source": helpers})
    return extract(json.dumps(whole).encode(), set(catalogue())).cells[exercise.name]


@pytest.mark.parametrize("exercise", WRITTEN, ids=lambda exercise: exercise.name)
def test_what_the_grader_takes_from_a_notebook_is_the_right_answer(exercise):
    plan = make_plan(exercise, "0")
    key = Key(texts(hidden(exercise, plan, exercise.reference)))
    for other in alternatives_of(exercise):
        module = inspect.getsource(sys.modules[other.__module__])
        cell = in_its_notebook(exercise, f"{exercise.name} = {other.__name__}\n", module)
        space = {name: getattr(inside, name) for name in inside.__all__}
        for text in [*cell.needs, cell.source]:
            exec(python(text), space)
        got = hidden(exercise, plan, space[exercise.name])
        assert points(exercise, plan, key, got) == (exercise.points, "correct"), other
