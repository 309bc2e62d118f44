"""The exercise engine, on a toy exercise of its own."""

import collections
import contextlib
import functools
import importlib
import time

import numpy as np
import pytest
import torch

from course_lib import checking
from course_lib.checking import check
from course_lib.checking.compare import difference
from course_lib.checking.diagnose import State, examine
from course_lib.checking.kinds import usable
from course_lib.checking.limits import TimeLimitReached, time_limit
from course_lib.checking.outcome import Outcome, run_arguments, run_case
from course_lib.checking.render import Message, report_message
from course_lib.checking.sources import solution_source, stub_source
from course_lib.exercises import find
from course_lib.exercises.exercise import Case, Exercise, Misconception, Question, Tolerance


def mean_square(x):
    """Mean of the squares. x: (n,) -> ()"""
    return (x * x).mean()


def cases():
    return (
        Case("two numbers", lambda g: (torch.tensor([1.0, 3.0]),), fixed=True),
        Case("random numbers", lambda g: (torch.randn(5, generator=g),)),
        Case("more random numbers", lambda g: (torch.randn(7, generator=g),)),
    )


EXERCISE = Exercise(
    "mean_square",
    mean_square,
    cases(),
    misconceptions=(
        Misconception("sum", lambda x: (x * x).sum(), "You summed instead of averaging."),
        Misconception("square of mean", lambda x: x.mean() ** 2, "You squared the mean."),
    ),
    gradients=("x",),
    seconds=1.0,
)


def first_difference(candidate):
    report = examine(EXERCISE, candidate)
    assert report.state is State.INCORRECT
    return report.difference


def test_the_three_states():
    def stub(x):
        raise NotImplementedError

    assert examine(EXERCISE, stub).state is State.NOT_ATTEMPTED
    assert examine(EXERCISE, lambda x: x.mean()).state is State.INCORRECT
    assert examine(EXERCISE, lambda x: (x**2).sum() / len(x)).state is State.CORRECT


def test_a_misconception_is_named_before_the_failing_case():
    report = examine(EXERCISE, lambda x: torch.dot(x, x))
    assert report.misconception.name == "sum"
    assert report_message(report).lines[0] == "You summed instead of averaging."


def test_unknown_mistakes_show_the_first_failing_case_with_expected_and_got():
    text = repr(report_message(examine(EXERCISE, lambda x: x.sum())))
    assert "two numbers" in text and "expected: 5" in text and "got: 4" in text


@pytest.mark.parametrize(
    ("candidate", "kind"),
    [
        (lambda x: None, "none"),
        (lambda x: (x * x).mean().reshape(1), "shape"),
        (lambda x: (x * x).mean().half(), "dtype"),
        (lambda x: (x * x).mean().long(), "dtype"),
        (lambda x: np.array(1.0), "value"),
        (lambda x: "5", "type"),
        (lambda x: (x * x).mean() * torch.nan, "value"),
        (lambda x: (x * x).mean().item(), "gradient"),
        (lambda x: (x * x).detach().mean(), "gradient"),
        (lambda x: x.mul_(x).mean(), "mutation"),
        (lambda x: object(), "type"),
        (lambda x, y: x, "exception"),
        (lambda x: exit(), "exception"),
    ],
)
def test_each_way_to_be_wrong_has_its_kind(candidate, kind):
    assert first_difference(candidate).kind == kind


def test_changed_inputs_are_noticed():
    def wrong(x):
        result = mean_square(x)
        x.data.zero_()
        return result

    assert first_difference(wrong).kind == "mutation"


def test_a_result_that_claims_to_equal_everything_is_not_believed():
    class Liar:
        def __eq__(self, other):
            return True

        __hash__ = None

    assert examine(EXERCISE, lambda x: Liar()).state is State.INCORRECT


def test_an_endless_loop_ends_at_the_time_limit():
    def endless(x):
        while True:
            with contextlib.suppress(Exception):
                time.sleep(0.01)

    start = time.perf_counter()
    outcome = run_case(EXERCISE, endless, EXERCISE.cases[0])
    assert outcome.failure.kind == "TimeLimitReached"
    assert time.perf_counter() - start < 5.0


def test_the_time_limit_leaves_no_package_half_imported(tmp_path, monkeypatch):
    (tmp_path / "slowly").mkdir()
    (tmp_path / "slowly" / "__init__.py").write_text("import slowly.first, slowly.second")
    (tmp_path / "slowly" / "first.py").touch()
    (tmp_path / "slowly" / "second.py").write_text(
        "import time\nfor _ in range(50):\n    time.sleep(0.01)"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(TimeLimitReached), time_limit(0.1):
        importlib.import_module("slowly")
        while True:
            time.sleep(0.01)
    assert hasattr(importlib.import_module("slowly"), "first")


def test_an_exception_is_shown_with_the_students_own_line():
    def broken(x):
        return x @ x.reshape(2, -1, 3)  # my line

    failure = run_case(EXERCISE, broken, EXERCISE.cases[0]).failure
    assert failure.kind == "RuntimeError" and "my line" in failure.line


def test_a_constant_factor_is_pointed_out():
    twice, minus = (examine(EXERCISE, lambda x, k=k: k * mean_square(x)) for k in (2, -1))
    assert "twice" in twice.misconception.message
    assert "other sign" in minus.misconception.message


def test_double_precision_may_stand_for_single_but_not_half():
    assert examine(EXERCISE, lambda x: (x.double() ** 2).mean()).state is State.CORRECT


def test_what_a_student_prints_is_kept_out_of_the_notebook_and_shown_on_failure(capsys):
    def chatty(x):
        print("debug")
        return x.sum()

    report = examine(EXERCISE, chatty)
    assert capsys.readouterr().out == ""
    assert "debug" in repr(report_message(report))


def test_outcomes_survive_json():
    value = {
        "a": torch.tensor([[1.0, float("nan")]]),
        "b": (1, True, "x", None, [torch.ones(2) > 0]),
    }
    outcome = run_arguments(Exercise("f", mean_square), lambda x: value, (torch.zeros(1),))
    back = Outcome.from_json(outcome.to_json())
    assert difference(outcome, back, Tolerance(0.0, 0.0)) is None
    assert back.value["b"][:4] == (1, True, "x", None)


@pytest.mark.parametrize("data", [{}, {"value": object()}, {"value": [1]}, {"value": {"x": 1}}])
def test_foreign_data_is_no_outcome(data):
    with pytest.raises((ValueError, KeyError, TypeError)):
        Outcome.from_json(data)


def test_stub_and_solution_come_from_the_reference():
    stub = stub_source(EXERCISE).splitlines()
    assert stub[0] == "def mean_square(x):" and stub[-1].strip() == "raise NotImplementedError"
    assert "return (x * x).mean()" in solution_source(EXERCISE)


QUESTION = Question(
    "which_mean",
    "B",
    choices={"A": "arithmetic", "B": "quadratic"},
    misconceptions=(Misconception("A", "A", "That mean is linear."),),
    explanation="It squares.",
)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (..., State.NOT_ATTEMPTED),
        (None, State.NOT_ATTEMPTED),
        ("B", State.CORRECT),
        (" b) ", State.CORRECT),
        ("A", State.INCORRECT),
        ("C", State.INCORRECT),
        (2, State.INCORRECT),
        (torch.ones(3), State.INCORRECT),
    ],
)
def test_a_choice_is_judged_by_its_letter(answer, state):
    assert examine(QUESTION, answer).state is state


def test_a_wrong_choice_has_its_own_message():
    assert "linear" in repr(report_message(examine(QUESTION, "A")))
    assert "letters A, B" in repr(report_message(examine(QUESTION, "Z")))


@pytest.mark.parametrize(
    ("answer", "state"), [(0.5, State.CORRECT), (0.50000001, State.CORRECT), ("x", State.INCORRECT)]
)
def test_a_number_is_judged_within_the_tolerance(answer, state):
    question = Question("half", 0.5)
    assert examine(question, answer).state is state
    assert examine(question, torch.tensor(0.5)).state is State.CORRECT


@pytest.mark.parametrize("got", [1.0, -torch.inf, torch.nan])
def test_where_infinity_is_right_only_infinity_will_do(got):
    wanted = Outcome(torch.tensor([torch.inf, 2.0]))
    assert difference(wanted, Outcome(torch.tensor([torch.inf, 2.0])), Tolerance()) is None
    assert difference(wanted, Outcome(torch.tensor([got, 2.0])), Tolerance()) is not None


def test_html_is_escaped():
    def hostile(x):
        raise ValueError("<script>alert(1)</script>")

    html = report_message(examine(EXERCISE, hostile))._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_code_in_a_verdict_has_its_own_colours():
    """The box is light in the dark theme, too, where the page's code would be light on light."""
    html = Message(State.NOT_ATTEMPTED, "todo", ('A nudge: `hint("x")`.',))._repr_html_()
    code = html[html.index("<code") : html.index("</code>")]
    assert "background:#" in code and "color:#" in code


# What the notebook goes on with


@pytest.mark.parametrize("answer", [lambda p: p.mean(1), functools.partial(torch.mean, dim=1)])
def test_an_answer_without_a_name_has_the_one_that_the_notebook_gives_it(
    answer, monkeypatch, capsys
):
    monkeypatch.setattr(checking, "_notebook", lambda: {"centroid": answer})
    assert check(answer) is answer
    assert "correct" in capsys.readouterr().out


def test_a_number_in_place_of_a_function_is_told_and_the_notebook_goes_on(monkeypatch, capsys):
    answer = torch.tensor(3.0)
    monkeypatch.setattr(checking, "_notebook", lambda: {"centroid": answer})
    assert check(answer) is find("centroid").reference
    assert "Expected a function" in capsys.readouterr().out


@pytest.mark.parametrize("convert", [lambda x: x.numpy(), lambda x: x.double()])
def test_a_right_answer_of_another_kind_works_in_later_cells(convert, capsys):
    def centroid(points):
        return convert(points.mean(1))

    result = check(centroid)(torch.ones(2, 5, 3))
    assert ": correct" in capsys.readouterr().out
    assert isinstance(result, torch.Tensor) and result.dtype == torch.float32


def test_where_a_gradient_is_needed_the_reference_gives_it(capsys):
    def view_pool(features):
        return features.numpy().max(1)

    def sphere(radius=0.8, center=(0.0, 0.0, 0.0)):
        return lambda points: np.linalg.norm(points.numpy() - np.array(center), axis=-1) - radius

    x = torch.rand(2, 4, 3, requires_grad=True)
    assert check(view_pool)(x).requires_grad and check(sphere)(0.5)(x).requires_grad
    assert capsys.readouterr().out.count(": correct") == 2


def test_a_plain_tuple_becomes_the_named_one_that_later_cells_use():
    Pair = collections.namedtuple("Pair", "low high")
    exercise = Exercise("ends", lambda x: Pair(x.amin(), x.amax()), cases())
    found = usable(exercise, lambda x: (x.amin().item(), x.amax()))
    assert found(torch.arange(3.0)) == Pair(torch.tensor(0.0), torch.tensor(2.0))
    assert usable(exercise, exercise.reference) is exercise.reference
