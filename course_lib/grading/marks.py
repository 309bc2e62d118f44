"""From what happened in a grading notebook to points, a status, and what the student is told.

Points come by cases: a named case counts if all its draws pass. A case whose answer could be guessed
(always the same, an error, a yes or no) counts only once all the others are right, so no constant
answer earns anything. Feedback is made of fixed sentences: the hidden inputs and values cannot leak.
"""

import builtins
import json
import re
from dataclasses import dataclass, field

from course_lib.checking.compare import difference
from course_lib.exercises import find
from course_lib.exercises.exercise import Question
from course_lib.grading.assemble import Plan
from course_lib.grading.extract import Cell
from course_lib.grading.plugin import compare, decode

ABSENT = {"passed": False, "kind": "lost: ended", "got": None, "seconds": 0, "error": ""}
FEW_NUMBERS, LONG_TEXT = 16, 24
NOT_GRADED = "not graded"
SENTENCES = {
    "shape": "the result has the wrong shape",
    "type": "the result is of the wrong type",
    "dtype": "the numbers of the result have the wrong type (dtype)",
    "device": "the result is on the wrong device",
    "structure": "the result has the wrong structure (number of items, or keys)",
    "none": "it returned None: is a `return` missing?",
    "value": "the result has wrong values",
    "mutation": "your function modified its inputs",
    "gradient": "the gradient is wrong, or does not reach the inputs",
    "no exception": "bad input should raise an error, and did not",
    "no outcome": "no result could be read",
    "answer": "this is not the answer",
    "lost: time": "it did not end within the time limit",
    "lost: memory": "it used more memory than is allowed",
    "lost: output": "it printed more than is allowed",
    "lost: processes": "it started more processes than is allowed",
    "": "it did not run",
}
LOST = {
    "lost: time": "time limit",
    "lost: memory": "memory limit",
    "lost: output": "output limit",
    "lost: processes": "process limit",
}
FAILURES = {
    "NotImplementedError": "it is not written yet",
    "NotDefined": "the name is not defined after your cell ran",
    "TimeLimitReached": "it did not end within the time limit",
    "NotComparable": "it returned something that is not a number, a tensor or a text",
}
REMARKS = (
    "they differ by their signs alone",
    "each wrong number is 2 times the right one",
    "each wrong number is 0.5 times the right one",
    "the numbers are right, their order is not",
    "some of them are NaN",
    "some of them are infinite",
)
"""What `number_difference` says of all wrong numbers, as far as it tells nothing of the hidden ones."""


@dataclass(frozen=True)
class Key:
    """What grading an exercise needs to know: the encoded outcomes of the reference on the hidden
    cases, and those of each misconception on one case of each name."""

    expected: list[str]
    misconceptions: list[list[str]] = field(default_factory=list)


@dataclass
class Mark:
    """The mark for one exercise of one student.

    `late` says what was taken off the points, `by_hand` why a human set them (`graded` is what they
    were); `answer` is a hash of the answer.
    """

    exercise: str
    points: float
    max: float
    status: str
    feedback: list[str] = field(default_factory=list)
    misconception: str = ""
    flags: list[str] = field(default_factory=list)
    cases: dict[str, bool] = field(default_factory=dict)
    seconds: float = 0.0
    late: str = ""
    by_hand: str = ""
    graded: float = 0.0
    answer: str = ""


def without_grading(plan: Plan, status: str, sentence: str) -> Mark:
    """A mark of 0 for an exercise that was not run, with a flag if a human should know."""
    flags = [] if status in ("missing", "not attempted") else [f"{status}: {sentence}"]
    return Mark(plan.exercise, 0, plan.points, status, [sentence], flags=flags)


def mark(plan: Plan, key: Key, cell: Cell, records: list[dict]) -> Mark:
    """The mark, from the plugin's records of the cells of one notebook."""
    by_number = {r["number"]: r for r in records if r["role"] == "case"}
    rows = [by_number.get(i, ABSENT) for i in range(len(plan.cases))]
    result = Mark(plan.exercise, 0, plan.points, "incorrect")
    result.seconds = round(sum(r["seconds"] for r in records), 2)
    for case, row in zip(plan.cases, rows, strict=True):
        result.cases[case.name] = result.cases.get(case.name, True) and bool(row["passed"])
    result.points = round(plan.points * _share(plan, key, result.cases), 2)
    result.status = _status(result, rows)
    if cell.doubt:
        result.flags.append(f"needs review: {cell.doubt}")
        result.feedback.append(f"Your teacher will look at this: {cell.doubt}.")
        result.status = "needs review"
    if all(result.cases.values()):
        return result
    if result.status == "error":
        result.flags.append("error: nothing of that name was there after the cell ran")
    if "NameError" in map(_failure, rows):
        names = ", ".join(cell.unknown) or "one of its names"
        result.flags.append(f"{result.status}: nothing in the notebook defines {names}")
    if result.status in (*LOST.values(), "crashed"):
        result.flags.append(f"{result.status}: the kernel was lost")
    elif "TimeLimitReached" in map(_failure, rows):
        result.flags.append("time limit: it did not end on one of the cases")
    result.misconception, message = _misconception(plan, key, rows)
    result.feedback += [message] if message else []
    result.feedback += _explain(plan, rows, key, records, cell.unknown)
    return result


def _share(plan: Plan, key: Key, passed: dict[str, bool]) -> float:
    """The part of the points that the passed cases earn."""
    telling = telling_cases(plan, key)
    if not all(passed[name] for name in telling) or not telling:
        right = sum(passed[name] for name in telling)
        return float(all(passed.values())) if not telling else right / len(passed)
    return sum(passed.values()) / len(passed)


def telling_cases(plan: Plan, key: Key) -> list[str]:
    """The names of the cases whose results nobody can guess."""
    expected: dict[str, list[str]] = {}
    for case, text in zip(plan.cases, key.expected, strict=True):
        if not case.fixed:
            expected.setdefault(case.name, []).append(text)
    return [name for name, texts in expected.items() if _tells(texts)]


def _tells(texts: list[str]) -> bool:
    return len(set(texts)) == len(texts) and all(_has_many_digits(text) for text in texts)


def _has_many_digits(text: str) -> bool:
    """True for an outcome with a number that is not a round one, with many unequal numbers, or with
    a long text: nothing that can be guessed."""
    data = json.loads(text)
    if data["failure"]:
        return False
    value = json.dumps(data["value"])
    if isinstance(data["value"], str):
        return len(value) >= LONG_TEXT
    plain = re.findall(r"-?\d+(?:\.\d+)?|true|false", value)
    exact = re.search(r"\d\.\d{4}|\d{4}", value)
    return bool(exact) or (len(plain) >= FEW_NUMBERS and len(set(plain)) > 1)


def _status(result: Mark, rows: list[dict]) -> str:
    if all(result.cases.values()):
        return "correct"
    if result.points > 0:
        return "partly correct"
    failures = {_failure(row) for row in rows}
    if failures <= {"NotImplementedError", "NotDefined"} and "NotImplementedError" in failures:
        return "not attempted"
    lost = [row["kind"] for row in rows if row["kind"].startswith("lost")]
    if lost:
        return LOST.get(lost[0], "crashed")
    if failures == {"NotDefined"}:
        return "error"
    return "incorrect"


def _failure(row: dict) -> str:
    """The kind of failure of a case. An error with a text that is called NotImplementedError is one of
    torch's own: a stub's has none."""
    outcome = decode(row["got"]) if row["got"] else None
    if outcome is None or outcome.failure is None:
        return ""
    own = outcome.failure.kind == "NotImplementedError" and outcome.failure.text
    return "error" if own else outcome.failure.kind


def _misconception(plan: Plan, key: Key, rows: list[dict]) -> tuple[str, str]:
    """(name, message) of the misconception that gives the same as the student on a case of each name."""
    exercise = find(plan.exercise)
    for misconception, texts in zip(exercise.misconceptions, key.misconceptions, strict=True):
        if isinstance(exercise, Question):
            given = decode(rows[0]["got"])
            same = given is not None and str(given.value) == str(misconception.wrong)
        else:
            pairs = zip(texts, [rows[number] for number in plan.one_of_each], strict=True)
            same = all(compare(exercise, text, row["got"]) is None for text, row in pairs)
        if same:
            return misconception.name, misconception.message
    return "", ""


def _explain(
    plan: Plan, rows: list[dict], key: Key, records: list[dict], missing: list[str]
) -> list[str]:
    """A fixed sentence for each kind of failure, with the names of the cases it was seen on."""
    seen: dict[str, list[str]] = {}
    words = _error_words(rows, missing)
    for number, (case, row) in enumerate(zip(plan.cases, rows, strict=True)):
        if not row["passed"]:
            sentence = _sentence(row, key.expected[number], plan, words)
            seen.setdefault(sentence, []).append(case.name)
    lines = []
    broken = [r["error"] for r in records if r["role"] == "submission" and r["error"]]
    if broken and not broken[0].startswith("KernelLost"):
        kind = _known(broken[0].partition(":")[0], missing)
        lines.append(f"Your cell itself stopped with {kind}.")
    for sentence, names in seen.items():
        cases = ", ".join(f"“{name}”" for name in dict.fromkeys(names))
        lines.append(f"{sentence[0].upper()}{sentence[1:]} (cases: {cases}).")
    return lines


def _sentence(row: dict, expected: str, plan: Plan, error_words: str) -> str:
    if row["kind"] == "exception" and (kind := _failure(row)):
        return FAILURES.get(kind, f"it raised {error_words}")
    outcome = decode(row["got"]) if row["got"] else None
    sentence = SENTENCES.get(row["kind"], "the kernel ended")
    right = decode(expected)
    if row["kind"] == "value" and outcome is not None and right is not None:
        found = difference(right, outcome, find(plan.exercise).tolerance)
        remark = found.text.rpartition("; ")[2] if found else ""
        sentence += f": {remark}" if remark in REMARKS else ""
    return sentence


def _error_words(rows: list[dict], missing: list[str]) -> str:
    """The type of error that the cases raised, where it is the same in all: a student's code could
    choose among types, texts or names by the hidden input, and so tell it."""
    kinds = {kind for row in rows if (kind := _failure(row)) and kind not in FAILURES}
    return _known(kinds.pop(), missing) if len(kinds) == 1 else "errors"


def _known(kind: str, missing: list[str]) -> str:
    """The type of an error if it is one of Python's; which name is missing, the text itself says."""
    if not isinstance(getattr(builtins, kind, None), type):
        return "an error"
    if kind != "NameError" or not missing:
        return kind
    names = ", ".join(f"`{name}`" for name in missing[:3])
    return f"NameError: {names} is not defined by any cell that your answer can use"
