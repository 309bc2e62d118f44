"""From a candidate's outcomes to a verdict: not attempted, incorrect (and why), or correct."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from course_lib.checking import values
from course_lib.checking.compare import Difference, agree, difference
from course_lib.checking.outcome import Outcome, run_case
from course_lib.exercises.exercise import Case, Exercise, Misconception, Question


class State(Enum):
    """Where a student stands with an exercise."""

    NOT_ATTEMPTED = "not attempted"
    INCORRECT = "incorrect"
    CORRECT = "correct"


@dataclass(frozen=True)
class Report:
    """The verdict on a candidate. `difference` belongs to the first case that failed, `case`."""

    exercise: Exercise
    state: State
    passed: int = 0
    total: int = 0
    case: Case | None = None
    difference: Difference | None = None
    misconception: Misconception | None = None
    printed: str = ""


def examine(exercise: Exercise, candidate: Any) -> Report:
    """Run a candidate on the visible cases (seed 0) and judge it; a question's answer likewise."""
    if isinstance(exercise, Question):
        return judge_answer(exercise, candidate)
    if candidate is None or candidate is ...:
        return Report(exercise, State.NOT_ATTEMPTED)
    if not callable(candidate):
        return _not_callable(exercise, candidate)
    first = run_case(exercise, candidate, exercise.cases[0])
    if first.failure and first.failure.kind == "NotImplementedError":
        return Report(exercise, State.NOT_ATTEMPTED, total=len(exercise.cases))
    got = [first, *(run_case(exercise, candidate, case) for case in exercise.cases[1:])]
    expected = [run_case(exercise, exercise.reference, case) for case in exercise.cases]
    return judge(exercise, exercise.cases, expected, got)


def judge(
    exercise: Exercise,
    cases: Sequence[Case],
    expected: Sequence[Outcome],
    got: Sequence[Outcome],
    seed: int = 0,
) -> Report:
    """Compare outcomes case by case; where they differ, look for a misconception that explains all."""
    pairs = zip(expected, got, strict=True)
    found = [difference(*pair, exercise.tolerance) for pair in pairs]
    passed = found.count(None)
    if passed == len(cases):
        return Report(exercise, State.CORRECT, passed, len(cases))
    worst = next(i for i, item in enumerate(found) if item is not None)
    return Report(
        exercise,
        State.INCORRECT,
        passed,
        len(cases),
        cases[worst],
        found[worst],
        _recognise(exercise, cases, got, seed),
        got[worst].printed,
    )


def _recognise(
    exercise: Exercise, cases: Sequence[Case], got: Sequence[Outcome], seed: int
) -> Misconception | None:
    """The first misconception whose outcomes agree with the student's on every case."""
    for misconception in exercise.misconceptions:
        pairs = zip(cases, got, strict=True)
        if all(
            agree(run_case(exercise, misconception.wrong, case, seed), outcome, exercise.tolerance)
            for case, outcome in pairs
        ):
            return misconception
    return None


def judge_answer(exercise: Question, answer: Any) -> Report:
    """The verdict on the answer to a question."""
    if answer is None or answer is ... or answer == "":
        return Report(exercise, State.NOT_ATTEMPTED, total=1)
    if _same_answer(exercise, exercise.reference, answer):
        return Report(exercise, State.CORRECT, 1, 1)
    wrong = (m for m in exercise.misconceptions if _same_answer(exercise, m.wrong, answer))
    choices = exercise.choices
    text = "this is not the answer"
    if choices and _plain(answer) not in {_plain(letter) for letter in choices}:
        text = f"answer with one of the letters {', '.join(choices)}"
    return Report(
        exercise,
        State.INCORRECT,
        0,
        1,
        difference=Difference("answer", text),
        misconception=next(wrong, None),
    )


def _same_answer(exercise: Question, right: Any, answer: Any) -> bool:
    if isinstance(right, str):
        return isinstance(answer, str) and _plain(right) == _plain(answer)
    return agree(_as_outcome(right), _as_outcome(answer), exercise.tolerance)


def _as_outcome(value: Any) -> Outcome:
    try:
        return Outcome(values.freeze(value))
    except values.NotComparable as error:
        return Outcome(str(error))


def _plain(text: Any) -> str:
    return str(text).strip().strip("().").casefold()


def _not_callable(exercise: Exercise, candidate: Any) -> Report:
    text = f"expected a function named {exercise.name}, got a {type(candidate).__name__}"
    found = Difference("type", text)
    return Report(exercise, State.INCORRECT, 0, len(exercise.cases), None, found)
