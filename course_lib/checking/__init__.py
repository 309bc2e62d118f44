"""What a student calls in a notebook: `check`, `hint`, `solution` and `progress`."""

import sys
from typing import Any

import torch

from course_lib.checking.diagnose import examine
from course_lib.checking.kinds import usable
from course_lib.checking.render import Message, report_message
from course_lib.checking.report import State
from course_lib.checking.sources import solution_source
from course_lib.exercises import catalogue, find
from course_lib.exercises.exercise import Exercise, Question

__all__ = ["check", "hint", "progress", "solution"]

# The standing of this session (one kernel, one student): name -> last state, and hints given.
_states: dict[str, State] = {}
_hints_given: dict[str, int] = {}


def check(candidate: Any, name: str | None = None) -> Any:
    """Check an answer, say what was found, and return what the notebook should go on with.

    `candidate` is the student's function or class, found in the catalogue by its name (or by the
    name that the notebook gives it: a lambda has none), or the answer to the question called `name`.
    Returns the candidate if it is correct, with its results in the kind that later cells expect,
    else the reference, so that a notebook always runs to its end. On a GPU a right function is
    tried there, too. Raises ValueError for a name that is not in the course.
    """
    exercise = find(name or _name(candidate))
    if _is_stale(exercise, candidate):
        _show(_stale_message(exercise))
        return candidate
    report = examine(exercise, candidate, "cuda" if torch.cuda.is_available() else "cpu")
    _states[exercise.name] = report.state
    _show(report_message(report))
    if report.state is not State.CORRECT:
        return exercise.reference
    return candidate if isinstance(exercise, Question) else usable(exercise, candidate)


def hint(name: Any) -> None:
    """Show the next hint for an exercise, from a nudge to nearly the answer."""
    exercise = _by_name(name)
    given = _hints_given.get(exercise.name, 0)
    if not exercise.hints:
        _show(Message(State.NOT_ATTEMPTED, f"{exercise.number} {exercise.name} has no hints"))
        return
    index = min(given, len(exercise.hints) - 1)
    _hints_given[exercise.name] = given + 1
    title = f"{exercise.number} {exercise.name}: hint {index + 1} of {len(exercise.hints)}"
    _show(Message(State.NOT_ATTEMPTED, title, (exercise.hints[index],)))


def solution(name: Any) -> None:
    """Show the reference solution of an exercise."""
    exercise = _by_name(name)
    title = f"{exercise.number} {exercise.name}: the reference solution"
    try:
        lines = [solution_source(exercise), exercise.explanation]
    except OSError:  # a release without solutions has no source to show
        lines = ["Withheld by your instructor."]
    _show(Message(State.NOT_ATTEMPTED, title, tuple(line for line in lines if line)))


def progress() -> None:
    """Show which exercises of this session are correct, incorrect or not attempted, with points."""
    exercises = [find(name) for name in _states]
    done = [e for e in exercises if _states[e.name] is State.CORRECT]
    points, total = sum(e.points for e in done), sum(e.points for e in exercises)
    lines = tuple(f"{e.number}  {e.name}: {_states[e.name].value}" for e in exercises)
    state = State.CORRECT if exercises and len(done) == len(exercises) else State.NOT_ATTEMPTED
    title = f"{len(done)} of {len(exercises)} exercises correct, {points} of {total} points"
    _show(Message(state, title, lines))


def _by_name(name: Any) -> Exercise:
    return find(name if isinstance(name, str) else getattr(name, "__name__", str(name)))


def _name(candidate: Any) -> str:
    """The exercise that a candidate answers: by its own name, else by its name in the notebook."""
    own = getattr(candidate, "__name__", "")
    if own in catalogue():
        return own
    given = [key for key, value in _notebook().items() if value is candidate]
    known = [key for key in given if key in catalogue()]
    if known or own:
        return (known or [own])[-1]
    raise ValueError(
        f'expected a function with the exercise\'s name, or check(answer, "name"); got {candidate!r:.60}'
    )


def _is_stale(exercise: Exercise, candidate: Any) -> bool:
    """True if a check cell is run again with the reference that its last run put in place."""
    wrong_before = _states.get(exercise.name, State.CORRECT) is not State.CORRECT
    return wrong_before and callable(candidate) and candidate is exercise.reference and _jupyter()


def _stale_message(exercise: Exercise) -> Message:
    line = "The name now stands for the reference. Run your own cell again, then this one."
    return Message(
        _states[exercise.name], f"{exercise.number} {exercise.name}: run your cell first", (line,)
    )


def _notebook() -> dict[str, Any]:
    """What the student has defined so far."""
    from IPython import get_ipython

    return get_ipython().user_ns if _jupyter() else vars(sys.modules["__main__"])


def _jupyter() -> bool:
    from IPython import get_ipython

    return get_ipython() is not None


def _show(message: Message) -> None:
    if _jupyter():
        from IPython.display import display

        display(message)
    else:
        print(message)
