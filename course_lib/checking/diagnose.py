"""From a candidate's outcomes to a verdict: not attempted, incorrect (and why), or correct."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from course_lib.checking.answers import judge_answer
from course_lib.checking.compare import difference
from course_lib.checking.device import device_difference
from course_lib.checking.difference import Difference
from course_lib.checking.outcome import Outcome, run_case
from course_lib.checking.recognise import recognise
from course_lib.checking.report import Report, State
from course_lib.exercises.exercise import Exercise, Question

LAST = ("value", "no exception", "mutation", "gradient")
"""Kinds of difference that are reported only where no case has another, in this order."""


def examine(exercise: Exercise, candidate: Any, device: str = "cpu") -> Report:
    """Run a candidate on the visible cases (seed 0) and judge it; a question's answer likewise.

    A right function also runs on the notebook's `device`. Whatever the candidate is, this returns.
    """
    try:
        return _examine(exercise, candidate, device)
    except Exception as error:  # a result that the checker cannot handle is a wrong result
        text = f"your result could not be compared with the right one ({type(error).__name__})"
        return Report(exercise, State.INCORRECT, difference=Difference("type", text))


def _examine(exercise: Exercise, candidate: Any, device: str) -> Report:
    if isinstance(exercise, Question):
        return judge_answer(exercise, candidate)
    if candidate is None or candidate is ...:
        return Report(exercise, State.NOT_ATTEMPTED)
    if not callable(candidate):
        text = f"expected a function named {exercise.name}, got a {type(candidate).__name__}"
        return Report(exercise, State.INCORRECT, difference=Difference("type", text))
    got = _run(exercise, candidate)
    if got[0].failure and got[0].failure.kind == "NotImplementedError":
        return Report(exercise, State.NOT_ATTEMPTED, total=len(exercise.cases))
    expected = [run_case(exercise, exercise.reference, case) for case in exercise.cases]
    report = judge(exercise, expected, got, candidate)
    if report.state is State.CORRECT and device != "cpu":
        found = device_difference(exercise, candidate, device)
        return Report(exercise, State.INCORRECT, difference=found) if found else report
    return report


def _run(exercise: Exercise, candidate: Any) -> list[Outcome]:
    """The outcomes of the cases, up to the first that takes too long."""
    outcomes = []
    for case in exercise.cases:
        outcomes.append(run_case(exercise, candidate, case))
        if outcomes[-1].failure and outcomes[-1].failure.kind == "TimeLimitReached":
            break
    return outcomes


def judge(
    exercise: Exercise, expected: Sequence[Outcome], got: Sequence[Outcome], candidate: Any = None
) -> Report:
    """Compare outcomes case by case; where they differ, look for a mistake that explains all.

    Cases that were not run, after a time-out, are missing in `got`.
    """
    pairs, cases = zip(expected, got, strict=False), exercise.cases
    found = [difference(*pair, exercise.tolerance, exercise.argument_names) for pair in pairs]
    passed = found.count(None)
    if passed == len(cases):
        return Report(exercise, State.CORRECT, passed, len(cases))
    worst = min((_rank(item.kind), i) for i, item in enumerate(found) if item)[1]
    mistake, shown = None, found[worst]
    if len(got) == len(cases):
        mistake = recognise(exercise, expected, got, candidate)
    if shown and passed and not mistake:
        right = (f"“{case.name}”" for case, item in zip(cases, found, strict=False) if not item)
        shown = replace(shown, text=f"{shown.text}; right in {', '.join(right)}")
    return Report(
        exercise, State.INCORRECT, passed, len(cases), cases[worst], shown, mistake,
        got[worst].printed,
    )  # fmt: skip


def _rank(kind: str) -> int:
    return LAST.index(kind) if kind in LAST else -1
