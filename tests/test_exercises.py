"""Every exercise of the catalogue: right answers pass, stubs and mistakes are told apart."""

import functools
import importlib
import inspect
import pkgutil

import alternatives
import numpy as np
import pytest
import torch

from course_lib import exercises
from course_lib.checking import check
from course_lib.checking.diagnose import State, examine, judge
from course_lib.checking.kinds import _kind, _results
from course_lib.checking.outcome import Outcome, run_case
from course_lib.checking.sources import runnable_source, stub_source
from course_lib.exercises.exercise import Exercise, Question

CATALOGUE = list(exercises.catalogue().values())
WRITTEN = exercises.written()
CASES = {(e.name, case.name): case for e in WRITTEN for case in e.cases}
MISCONCEPTIONS = [(e, m) for e in CATALOGUE for m in e.misconceptions]
ALTERNATIVES = [
    (exercises.find(name), function)
    for module in pkgutil.iter_modules(alternatives.__path__)
    for name, functions in importlib.import_module(
        f"alternatives.{module.name}"
    ).ALTERNATIVES.items()
    for function in functions
]


def named(value):
    if isinstance(value, Exercise):
        return value.name
    return getattr(value, "name", getattr(value, "__name__", None))


@pytest.mark.parametrize("exercise", CATALOGUE, ids=named)
def test_the_reference_is_correct(exercise):
    report = examine(exercise, exercise.reference)
    assert report.state is State.CORRECT, report.difference


@pytest.mark.parametrize(("exercise", "function"), ALTERNATIVES, ids=named)
def test_a_differently_written_answer_is_correct(exercise, function):
    report = examine(exercise, function)
    assert report.state is State.CORRECT, (report.case, report.difference)


@pytest.mark.parametrize("exercise", WRITTEN, ids=named)
def test_two_differently_written_answers_are_there(exercise):
    assert sum(other is exercise for other, _ in ALTERNATIVES) >= 2, "add to tests/alternatives"


@pytest.mark.parametrize("exercise", CATALOGUE, ids=named)
def test_the_stub_is_not_attempted(exercise):
    namespace = {"torch": torch, "__name__": "student"}
    exec("import numpy as np\n" + stub_source(exercise), namespace)
    assert examine(exercise, namespace[exercise.name]).state is State.NOT_ATTEMPTED


@pytest.mark.parametrize("exercise", CATALOGUE, ids=named)
def test_the_solution_runs_by_itself_and_is_correct(exercise):
    namespace = {"__name__": "student"}
    exec(runnable_source(exercise), namespace)
    assert examine(exercise, namespace[exercise.name]).state is State.CORRECT


@pytest.fixture(scope="module")
def listed_once():
    """What is listed is run once to be compared with all candidates, which are run each time."""
    run = functools.cache(
        lambda name, wrong, case: run_case(exercises.find(name), wrong, CASES[case])
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "course_lib.checking.recognise.run_case",
            lambda exercise, wrong, case: run(exercise.name, wrong, (exercise.name, case.name)),
        )
        yield


@pytest.mark.usefixtures("listed_once")
@pytest.mark.parametrize(("exercise", "misconception"), MISCONCEPTIONS, ids=named)
def test_a_misconception_fails_with_its_own_message(exercise, misconception):
    report = examine(exercise, misconception.wrong)
    assert report.state is State.INCORRECT
    assert report.misconception is misconception, report.difference


@pytest.mark.parametrize(("exercise", "misconception"), MISCONCEPTIONS, ids=named)
def test_a_misconception_is_a_program_that_runs(exercise, misconception):
    if isinstance(exercise, Question):
        return
    outcomes = [run_case(exercise, misconception.wrong, case) for case in exercise.cases]
    assert any(outcome.failure is None for outcome in outcomes), outcomes[0].failure


@pytest.mark.parametrize("exercise", WRITTEN, ids=named)
def test_noise_on_the_reference_fails(exercise):
    expected = [run_case(exercise, exercise.reference, case) for case in exercise.cases]
    got = [Outcome(disturbed(outcome.value), outcome.gradients) for outcome in expected]
    assert judge(exercise, expected, got).state is State.INCORRECT


def disturbed(value):
    """The value with noise far above any tolerance."""
    if isinstance(value, torch.Tensor) and value.dtype == torch.bool:
        return ~value
    if isinstance(value, torch.Tensor):
        generator = torch.Generator().manual_seed(1)
        noise = 0.5 + torch.rand(value.shape, generator=generator, dtype=torch.float64)
        return (value + (1.0 + value.abs()) * noise).to(value.dtype) + 1
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value * 1.5 + 1
    if isinstance(value, str):
        return value + " x"
    if isinstance(value, dict):
        return {key: disturbed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(disturbed(item) for item in value)
    return value


@pytest.mark.parametrize("exercise", WRITTEN, ids=named)
def test_an_exercise_has_what_students_and_graders_need(exercise):
    assert len(exercise.cases) >= 3
    assert sum(not case.fixed for case in exercise.cases) >= 2, "hidden cases need random ones"
    assert len({case.name for case in exercise.cases}) == len(exercise.cases)
    assert exercise.reference.__doc__
    assert exercise.points >= 1


@pytest.mark.parametrize("exercise", CATALOGUE, ids=named)
def test_an_exercise_has_hints_and_misconceptions(exercise):
    assert len(exercise.hints) >= (1 if isinstance(exercise, Question) else 2)
    assert len({m.message for m in exercise.misconceptions}) == len(exercise.misconceptions)
    assert isinstance(exercise, Question) or len(exercise.misconceptions) >= 3


@pytest.mark.parametrize("exercise", WRITTEN, ids=named)
def test_random_cases_change_with_the_seed_and_repeat_with_it(exercise):
    for case in exercise.cases:
        if not case.fixed:
            outcomes = [run_case(exercise, exercise.reference, case, seed) for seed in (5, 5, 6)]
            texts = [str(outcome.to_json()) for outcome in outcomes]
            inputs = [str(case.arguments(seed)) for seed in (5, 6)]
            assert texts[0] == texts[1]
            assert inputs[0] != inputs[1], (
                f"case {case.name!r} ignores its generator: mark it fixed"
            )


# Right answers of another kind, in later cells


def odd(value, convert):
    """The value with its tensors converted, named tuples as plain ones."""
    if isinstance(value, torch.Tensor):
        return convert(value)
    if isinstance(value, (list, tuple)):
        return tuple(odd(item, convert) for item in value)
    return np.float64(value) if type(value) is float else value


def answer(exercise, convert):
    """The reference, its results odd; so for functions that it returns."""

    def made(function):
        @functools.wraps(function)
        def other(*arguments, **options):
            result = function(*arguments, **options)
            return made(result) if inspect.isfunction(result) else odd(result, convert)

        return other

    return made(exercise.reference)


def double(x):
    return x.double() if x.dtype == torch.float32 else x.int() if x.dtype == torch.int64 else x


@pytest.mark.parametrize("convert", [double, lambda x: x.detach().numpy()])
@pytest.mark.parametrize("exercise", WRITTEN, ids=named)
def test_what_check_returns_works_in_later_cells(exercise, convert, capsys):
    """It gives tensors where the reference gives tensors, of the same kind, and named tuples."""
    if isinstance(exercise.reference, type):
        return
    result = check(answer(exercise, convert), exercise.name)
    gradients = "gradient" in capsys.readouterr().out
    assert result is not exercise.reference or gradients, "a right answer was rejected"
    for case in exercise.cases:
        arguments = case.arguments(0)
        wanted, got = (_results(exercise, f, arguments) for f in (exercise.reference, result))
        assert [_kind(v) for v in got] == [_kind(v) for v in wanted]
