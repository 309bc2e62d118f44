"""What a grading notebook imports in its kernel: the notebook's usual names, and `show`.

This runs beside the student's code, which may do to it what it likes: it holds no expected values, and
what it prints is judged elsewhere.
"""

import importlib
import json
from typing import Any

import numpy as np
import torch
from IPython import get_ipython
from IPython.display import display

from course_lib.checking import check, hint, outcome, progress, solution, values
from course_lib.exercises import entries
from course_lib.exercises.exercise import Case

__all__ = ["DEVICE", "FAST", "check", "hint", "np", "progress", "show", "solution", "torch"]

DEVICE, FAST = "cpu", True
MIME = "application/vnd.course.outcome"
_times_out: set[str] = set()


def show(name: str, module: str, *, case: int = 0, seed: int = 0, make: Any = None) -> None:
    """Print what the student's `name` does on a case, as an encoded outcome.

    `module` is the catalogue module of the exercise, empty for a question; `make(generator)` replaces
    its cases by one that the instructor wrote.
    """
    _usual_state()
    names = get_ipython().user_ns
    candidate = names.get(name)
    if name in names and not module:
        result = _answer(candidate)
    elif candidate is ... or candidate is None:
        result = outcome.Outcome(failure=outcome.Failure("NotDefined", ""))
    elif name in _times_out:
        result = outcome.Outcome(failure=outcome.Failure("TimeLimitReached", ""))
    else:
        found = entries(importlib.import_module(f"course_lib.exercises.{module}"))
        exercise = next(entry for entry in found if entry.name == name)
        chosen = Case("added", make) if make else exercise.cases[case]
        result = outcome.run_case(exercise, candidate, chosen, seed)
        if result.failure and result.failure.kind == "TimeLimitReached":
            _times_out.add(name)
    display({MIME: json.dumps(result.to_json())}, raw=True)


def _usual_state() -> None:
    """What a student's cell may have switched, as the reference found it."""
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    torch.set_deterministic_debug_mode("default")
    torch.set_num_threads(1)


def _answer(answer: Any) -> outcome.Outcome:
    if answer is ... or answer is None:
        return outcome.Outcome(failure=outcome.Failure("NotImplementedError", ""))
    try:
        return outcome.Outcome(values.freeze(answer))
    except Exception:
        return outcome.Outcome(failure=outcome.Failure("NotComparable", ""))
