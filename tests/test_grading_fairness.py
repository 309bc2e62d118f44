"""Grading is fair: right answers get full marks whatever the seed, wrong ones never do.

COURSE_SEEDS=20 takes every exercise through twenty seeds (about six minutes of a core); without it every
eighth exercise meets one (`test_exercises.py` has all of them on their visible cases).

COURSE_ANSWERS=FOLDER hands in every reference, every alternative and the answers in FOLDER/right and
FOLDER/wrong (files called 04_iou_1.py), and grades them as a class of so many students ("-" for no
folder).
"""

import contextlib
import importlib
import inspect
import io
import json
import os
import pkgutil
import sys
from pathlib import Path

import alternatives
import pytest
import torch
from grading.notebooks import write
from test_grading import grade, read_grades

from course_lib.checking.diagnose import examine
from course_lib.checking.numbers import number_difference
from course_lib.checking.outcome import Outcome, run_case
from course_lib.checking.report import State
from course_lib.checking.sources import runnable_source
from course_lib.exercises import catalogue, find, written
from course_lib.exercises.exercise import Exercise, Question, Tolerance
from course_lib.grading import inside
from course_lib.grading.assemble import NOTHING, HiddenCase, Plan, make_plan
from course_lib.grading.extract import Cell, extract
from course_lib.grading.marks import REMARKS, Key, Mark, mark, telling_cases
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


def marked(exercise: Exercise, plan: Plan, key: Key, got: list[Outcome]) -> Mark:
    """The mark for these outcomes, by the grader's own reckoning."""
    records = []
    for number, outcome in enumerate(got):
        text = encoded(outcome)
        found = compare(exercise, key.expected[number], text)
        record = {"role": "case", "number": number, "got": text, "error": "", "seconds": 0}
        records.append({**record, "passed": found is None, "kind": found.kind if found else ""})
    return mark(plan, key, Cell("x = 1"), records)


def points(exercise: Exercise, plan: Plan, key: Key, got: list[Outcome]) -> tuple[float, str]:
    """The points and the status that these outcomes earn."""
    result = marked(exercise, plan, key, got)
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
        key = Key(texts(wanted), [texts([w[i] for i in plan.one_of_each]) for w in wrong])
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


def test_feedback_says_what_all_wrong_numbers_have_in_common_without_a_number_of_theirs():
    right = torch.tensor([2.0, 4.0, 9.0])
    plan, exercise = Plan("centroid", 1, (HiddenCase("many", 0),)), find("centroid")
    key = Key([encoded(Outcome(right))], [[NOTHING]] * len(exercise.misconceptions))

    def told(wrong: torch.Tensor) -> tuple[str, list[str]]:
        """What the check says of all wrong numbers, and what the feedback says."""
        text = number_difference(right, wrong, Tolerance(), "the result").text
        return text.partition("; ")[2], marked(exercise, plan, key, [Outcome(wrong)]).feedback

    alike = (-right, 2 * right, right / 2, right.flip(0), right * torch.nan, right * torch.inf)
    assert {told(wrong)[0] for wrong in alike} == set(REMARKS)
    for remark, feedback in map(told, alike):
        assert feedback == [f"The result has wrong values: {remark} (cases: “many”)."]
    remark, feedback = told(right + 0.123)
    assert "0.123" in remark and feedback == ["The result has wrong values (cases: “many”)."]


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


def in_its_notebook(exercise: Exercise | Question, text: str, helpers: str = "") -> bytes:
    """The course's notebook with this text in the exercise's cell."""
    number = exercise.notebook
    path = next((ROOT / "notebooks").glob(f"{number}_*.ipynb"))
    whole = json.loads(path.read_text(encoding="utf-8"))
    cells = whole["cells"]
    own = next(c for c in cells if c.get("id") == f"ex-{exercise.name}")
    own["source"] = text
    cells.insert(2, {**own, "id": "mine", "metadata": {}, "source": helpers})
    return json.dumps(whole).encode()


def taken(exercise: Exercise | Question, book: bytes) -> dict:
    """The names that the answer which the grader takes from a notebook defines."""
    cell = extract(book, set(catalogue())).cells[exercise.name]
    space = {name: getattr(inside, name) for name in inside.__all__}
    for other in written():
        if other is not exercise:
            space[other.name] = other.reference
    for text in [*cell.needs, cell.source]:
        exec(python(text), space)
    return space


@pytest.mark.parametrize("exercise", WRITTEN, ids=lambda exercise: exercise.name)
def test_what_the_grader_takes_from_a_notebook_is_the_right_answer(exercise):
    plan = make_plan(exercise, "0")
    key = Key(texts(hidden(exercise, plan, exercise.reference)))
    for other in alternatives_of(exercise):
        answer = taken(exercise, alternative(exercise, other))[exercise.name]
        got = hidden(exercise, plan, answer)
        assert points(exercise, plan, key, got) == (exercise.points, "correct"), other


def alternative(exercise: Exercise, other) -> bytes:
    """A notebook whose answer is a differently written one, with its module as the helpers."""
    module = inspect.getsource(sys.modules[other.__module__])
    return in_its_notebook(exercise, f"{exercise.name} = {other.__name__}\n", module)


# The real grader


def right_answers(folder: Path) -> dict[str, bytes]:
    """Every right answer that there is, as a notebook by a name that begins with the exercise's."""
    found = {}
    for exercise in catalogue().values():
        text = runnable_source(exercise) if isinstance(exercise, Exercise) else None
        text = text or f"{exercise.name} = {exercise.reference!r}\n"
        found[f"{exercise.name}+reference"] = in_its_notebook(exercise, text)
    for exercise in written():
        for number, other in enumerate(alternatives_of(exercise)):
            found[f"{exercise.name}+alternative{number}"] = alternative(exercise, other)
    return found | answers(folder / "right")


def answers(folder: Path) -> dict[str, bytes]:
    """The answers in a folder, by their exercise."""
    lower = {name.lower(): exercise for name, exercise in catalogue().items()}
    found = {}
    for path in sorted(folder.glob("*.py")):
        exercise = lower[path.stem[3:].rpartition("_")[0].lower()]
        found[f"{exercise.name}+{folder.name}+{path.stem}"] = in_its_notebook(
            exercise, path.read_text()
        )
    return found


def verdict(name: str, book: bytes) -> bool:
    """True where the check in the notebook calls it correct."""
    exercise = find(name.partition("+")[0])
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            answer = taken(exercise, book).get(exercise.name)
            return examine(exercise, answer).state is State.CORRECT
    except Exception:
        return False


@pytest.mark.slow
@pytest.mark.skipif("COURSE_ANSWERS" not in os.environ, reason="takes long: set COURSE_ANSWERS")
def test_the_grader_agrees_with_the_check_on_hundreds_of_answers(tmp_path):
    folder = Path(os.environ["COURSE_ANSWERS"])
    right, wrong = right_answers(folder), answers(folder / "wrong")
    for name, book in (right | wrong).items():
        write(tmp_path / "submissions", {f"{name}.ipynb": book})
    done = grade(tmp_path, "--exercises", *sorted({e.notebook for e in catalogue().values()}))
    assert done.returncode == 0, done.stderr[-2000:]
    rows = read_grades(tmp_path)
    full = {n for n in right | wrong if (r := rows[n, n.partition("+")[0]])["points"] == r["max"]}
    lost, given = right.keys() - full, wrong.keys() & full
    differ = {n for n, book in (right | wrong).items() if verdict(n, book) != (n in full)}
    print(f"{len(right)} right, {len(wrong)} wrong answers; other than the check: {sorted(differ)}")
    assert not lost, sorted(lost)
    assert not given, sorted(given)


def test_every_exercise_has_a_plan_whose_cases_cannot_be_guessed():
    for exercise in catalogue().values():
        plan = make_plan(exercise, "seed")
        assert plan.cases and plan.points > 0
