"""What a candidate does on a case: its value, gradients, changes to its inputs, or its exception."""

import contextlib
import copy
import io
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from course_lib.checking import values
from course_lib.checking.limits import TimeLimitReached, time_limit
from course_lib.exercises.exercise import Case, Exercise

PRINTED_LIMIT = 2_000


@dataclass(frozen=True)
class Failure:
    """An exception of the candidate: its type, text, and the line of the student's code."""

    kind: str
    text: str
    line: str = ""


@dataclass(frozen=True)
class Outcome:
    """The observable behaviour of a candidate on one case.

    `gradients` holds one tensor or None for each argument that the exercise asks derivatives for;
    `changed` the positions of the arguments that were modified in place.
    """

    value: Any = None
    gradients: tuple = ()
    changed: tuple[int, ...] = ()
    failure: Failure | None = None
    printed: str = field(default="", compare=False)

    def to_json(self) -> dict:
        """As data for `json.dumps`; what was printed is left out."""
        return {
            "value": values.to_json(self.value),
            "gradients": values.to_json(self.gradients),
            "changed": list(self.changed),
            "failure": vars(self.failure) if self.failure else None,
        }

    @classmethod
    def from_json(cls, data: dict) -> "Outcome":
        """The inverse of `to_json`. Raises ValueError, KeyError or TypeError for other data."""
        failure = Failure(**data["failure"]) if data["failure"] else None
        return cls(
            values.from_json(data["value"]),
            values.from_json(data["gradients"]),
            tuple(int(position) for position in data["changed"]),
            failure,
        )


def run_case(exercise: Exercise, candidate: Any, case: Case, seed: int = 0) -> Outcome:
    """Run a candidate on one case. Never raises an Exception: a failing candidate is an outcome."""
    return run_arguments(exercise, candidate, case.arguments(seed))


def run_arguments(exercise: Exercise, candidate: Any, arguments: tuple) -> Outcome:
    """Run a candidate on given arguments, in a copy, within the exercise's time limit."""
    printed = io.StringIO()
    given = copy.deepcopy(arguments)
    try:
        with contextlib.redirect_stdout(printed), time_limit(exercise.seconds):
            torch.manual_seed(0)
            value = values.freeze(exercise.call(candidate, *given))
            gradients = _gradients(exercise, candidate, arguments)
    except (Exception, TimeLimitReached, SystemExit) as error:
        failure = describe(error, candidate, exercise)
        return Outcome(failure=failure, printed=printed.getvalue()[:PRINTED_LIMIT])
    changed = tuple(
        i for i, pair in enumerate(zip(arguments, given, strict=True)) if _differ(*pair)
    )
    return Outcome(value, gradients, changed, printed=printed.getvalue()[:PRINTED_LIMIT])


def _gradients(exercise: Exercise, candidate: Callable, arguments: tuple) -> tuple:
    """Derivatives of a weighted sum of the result; unequal weights tell permuted results apart.

    Code that leaves torch, or writes into what is differentiated, has none.
    """
    if not exercise.gradients:
        return ()
    names = exercise.argument_names[: len(arguments)]
    asked = [n in exercise.gradients for n in names]
    given = copy.deepcopy(arguments)
    given = tuple(_leaf(a) if wanted else a for a, wanted in zip(given, asked, strict=True))
    leaves = [a for a, wanted in zip(given, asked, strict=True) if wanted]
    try:
        with torch.enable_grad():
            torch.manual_seed(0)
            result = exercise.call(candidate, *given)
            parts = [part for part in tensors_in(result) if part.requires_grad]
            weighted = torch.stack([(part * _weights(part)).sum().double() for part in parts]).sum()
        found = torch.autograd.grad(weighted, leaves, allow_unused=True)
        return tuple(values.freeze(found))
    except Exception:
        return (None,) * len(leaves)


def _weights(part: torch.Tensor) -> torch.Tensor:
    steps = torch.arange(part.numel(), dtype=part.dtype, device=part.device)
    return (1.5 + torch.cos(steps)).reshape(part.shape)


def _leaf(argument: torch.Tensor) -> torch.Tensor:
    return argument.detach().requires_grad_()


def tensors_in(result: Any) -> list[torch.Tensor]:
    if isinstance(result, torch.Tensor):
        return [result]
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, (list, tuple)):
        return [tensor for item in result for tensor in tensors_in(item)]
    return []


def _differ(before: Any, after: Any) -> bool:
    if isinstance(before, torch.Tensor):
        same_shape = before.shape == after.shape
        return not (same_shape and torch.equal(before.nan_to_num(), after.nan_to_num()))
    if isinstance(before, (list, tuple)):
        pairs = zip(before, after, strict=False)
        return len(before) != len(after) or any(_differ(*pair) for pair in pairs)
    if isinstance(before, dict):
        return before.keys() != after.keys() or any(_differ(before[k], after[k]) for k in before)
    if isinstance(before, values.PLAIN):
        return before != after
    return False


def describe(error: BaseException, candidate: Any, exercise: Exercise) -> Failure:
    """An exception in words, with the deepest line that stands in the student's own notebook."""
    if isinstance(error, TimeLimitReached):
        text = f"no result within {exercise.seconds:g} s"
        return Failure("TimeLimitReached", text, _own_line(error, candidate))
    if isinstance(error, values.NotComparable):
        return Failure("NotComparable", f"it returned {error}")
    return Failure(type(error).__name__, str(error)[:300], _own_line(error, candidate))


def _own_line(error: BaseException, candidate: Any) -> str:
    module = sys.modules.get(getattr(candidate, "__module__", None) or "")
    home = getattr(candidate, "__globals__", None) or getattr(module, "__dict__", None)
    own = ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_globals is home:
            summary = traceback.FrameSummary(frame.f_code.co_filename, number, "")
            own = f"line {number}: {summary.line}" if summary.line else f"line {number}"
    return own
