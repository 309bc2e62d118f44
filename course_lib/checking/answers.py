"""The verdict on the answer to a question: a letter, a text or a number."""

import math
from typing import Any

from course_lib.checking import values
from course_lib.checking.compare import value_difference
from course_lib.checking.difference import Difference
from course_lib.checking.report import Report, State
from course_lib.exercises.exercise import Question

DIGITS = 3
"""A number with more digits than a student would type may be rounded to these."""


def judge_answer(exercise: Question, answer: Any) -> Report:
    """The verdict on the answer to a question."""
    if answer is None or answer is ... or (isinstance(answer, str) and not answer.strip()):
        return Report(exercise, State.NOT_ATTEMPTED, total=1)
    answer = _frozen(answer)
    if _same(exercise, exercise.reference, answer):
        return Report(exercise, State.CORRECT, 1, 1)
    wrong = next((m for m in exercise.misconceptions if _same(exercise, m.wrong, answer)), None)
    found = Difference("answer", _remark(exercise, answer))
    return Report(exercise, State.INCORRECT, 0, 1, difference=found, misconception=wrong)


def _same(exercise: Question, right: Any, answer: Any) -> bool:
    if isinstance(right, str):
        return isinstance(answer, str) and _plain(right) == _plain(answer)
    if isinstance(right, float) and isinstance(answer, float) and _rounds_to(right, answer):
        return True
    return value_difference(right, answer, exercise.tolerance) is None


def _rounds_to(right: float, answer: float) -> bool:
    """True if `right` has many digits and `answer` is it, rounded to `DIGITS` of them or more."""
    if not (math.isfinite(right) and right) or float(f"{right:.{DIGITS + 1}g}") == right:
        return False
    step = 10.0 ** (math.floor(math.log10(abs(right))) - DIGITS + 1)
    return abs(answer - right) <= 0.5 * step * (1 + 1e-9)


def _frozen(answer: Any) -> Any:
    """The answer as a number or text where it is one in any guise: numpy's, a tensor of one element."""
    try:
        frozen = values.freeze(answer)
    except values.NotComparable:
        return _number(answer)
    if hasattr(frozen, "numel") or hasattr(frozen, "size"):
        return frozen.reshape(-1)[0].item() if math.prod(frozen.shape) == 1 else frozen
    return frozen


def _number(answer: Any) -> float | None:
    """A Decimal, Fraction or the like as a number."""
    try:
        return float(answer)
    except (TypeError, ValueError, OverflowError):
        return None


def _remark(exercise: Question, answer: Any) -> str:
    if exercise.choices and _plain(answer) not in {_plain(letter) for letter in exercise.choices}:
        return f"answer with one of the letters {', '.join(exercise.choices)}"
    if isinstance(exercise.reference, (int, float)) and not isinstance(answer, (int, float)):
        return "; ".join(("answer with a number", f"got {answer!r:.60}, without quotes and units"))
    return "this is not the answer"


def _plain(text: Any) -> str:
    return str(text).strip().strip("().").casefold()
