"""What a student calls in a notebook: `check`, `hint`, `solution` and `progress`.

An answer's way, and the module that does each step:

    the student's function      diagnose      every case, one after the other, to a verdict
          |                     outcome       what it does on a case: value, gradients, exception
          |                     values        ... as plain data, which grading compares, too
          v
    right or wrong              compare       within a tolerance (numbers); difference: in words
          |                     answers       of questions
          v
    why wrong                   recognise     the exercise's mistakes, then those that anybody makes:
          |                     outputs       the right result changed (changes: the table)
          |                     inputs        the right code on changed inputs
          |                     mutants       the right code with one change (rules: the table)
          |                     factors       a number between right and wrong
          v
    what is told                report        the verdict; render shows it
          |                     standing      remembers it (cells: what an answer is; collect)
          v
    what goes on                kinds         a right answer of another kind made usable (device)

The texts of stubs and solutions: sources.
"""

import sys
import time
from typing import Any

import torch

from course_lib.checking import standing
from course_lib.checking.cells import fingerprint
from course_lib.checking.diagnose import examine
from course_lib.checking.kinds import usable
from course_lib.checking.render import Message, report_message
from course_lib.checking.report import State
from course_lib.checking.sources import solution_source
from course_lib.checking.standing import Entry
from course_lib.exercises import catalogue, find, written
from course_lib.exercises.exercise import Exercise, Question
from course_lib.running import in_notebook

__all__ = ["check", "hint", "progress", "solution", "take_up"]

DONE = State.CORRECT.value
# This session (one kernel, one student): name -> last state, and hints given.
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
    standing.record(exercise.name, candidate, report.state)
    _show(report_message(report))
    if report.state is not State.CORRECT:
        return exercise.reference
    return candidate if isinstance(exercise, Question) else usable(exercise, candidate)


def take_up(notebook: str, names: dict[str, Any]) -> None:
    """Put the references where the exercises of a notebook, such as "04", stand for nothing yet.

    So a notebook can be taken up in the middle, without the exercise cells above.
    """
    for exercise in written():
        if exercise.notebook == notebook:
            names.setdefault(exercise.name, exercise.reference)


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


def progress(*, forget: bool = False) -> None:
    """Show what is done and what is open in the whole course, with points, from all days so far.

    Done is an exercise whose last checked answer was right, unless this notebook now holds another one
    that was not checked. `forget=True` begins anew.
    """
    if forget:
        standing.forget()
    known, mine = standing.known(), _notebook()
    course = {
        e.name: _found(e, known.get(e.name), mine.get(e.name, ...)) for e in catalogue().values()
    }
    books: dict[str, dict[str, str]] = {}
    for name, found in course.items():
        books.setdefault(find(name).notebook, {})[name] = found
    lines = [f"{number}: {_summary(book)}{_open(book)}" for number, book in books.items()]
    lines += [text for text in [standing.remark()] if text]
    state = State.CORRECT if set(course.values()) == {DONE} else State.NOT_ATTEMPTED
    _show(Message(state, f"The course: {_summary(course)}", tuple(lines)))


def _found(exercise: Exercise, entry: Entry | None, answer: Any) -> str:
    """What is known of an exercise; `answer` is what its name stands for in this notebook."""
    if isinstance(exercise, Question):
        is_own = answer is not ... and answer is not None
    else:
        is_own = getattr(answer, "__module__", None) == "__main__"  # not the reference
    if entry and is_own and fingerprint(answer) != entry.answer:
        return "changed since its check"
    if not entry:
        return State.NOT_ATTEMPTED.value
    before = time.strftime("%Y-%m-%d", time.localtime(entry.right))
    late = entry.right and entry.state is not State.CORRECT
    return f"{entry.state.value}, right on {before}" if late else entry.state.value


def _summary(found: dict[str, str]) -> str:
    points = {name: find(name).points for name in found}
    done = [name for name in found if found[name] == DONE]
    sums = f"{sum(points[name] for name in done)} of {sum(points.values())} points"
    return f"{len(done)} of {len(found)} exercises done, {sums}"


def _open(found: dict[str, str]) -> str:
    """What is open in a notebook, where something has begun."""
    todo = State.NOT_ATTEMPTED.value
    if set(found.values()) == {todo}:
        return ""
    notes = {name: "" if what == todo else f" ({what})" for name, what in found.items()}
    left = [f"{find(n).number} {n}{notes[n]}" for n in found if found[n] != DONE]
    return f". Open: {', '.join(left)}" if left else ""


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
    """True if the name stands for the reference: by `take_up`, or since its last check."""
    return callable(candidate) and candidate is exercise.reference and in_notebook()


def _stale_message(exercise: Exercise) -> Message:
    line = "The name now stands for the reference. Run your own cell again, then this one."
    state = _states.get(exercise.name, State.NOT_ATTEMPTED)
    return Message(state, f"{exercise.number} {exercise.name}: run your cell first", (line,))


def _notebook() -> dict[str, Any]:
    """What the student has defined so far."""
    from IPython import get_ipython

    return get_ipython().user_ns if in_notebook() else vars(sys.modules["__main__"])


def _show(message: Message) -> None:
    if in_notebook():
        from IPython.display import display

        display(message)
    else:
        print(message)
