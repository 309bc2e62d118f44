"""The check tells every single-change mutant of a solution, or survivors.txt says why no input can.

Every fourth exercise; with COURSE_EXTRA=1 all of them.
"""

import dataclasses
import sys
from functools import cache
from pathlib import Path

import jaxtyping
import pytest

from course_lib import exercises
from course_lib.checking.compare import difference
from course_lib.checking.outcome import run_arguments
from course_lib.checking.sources import solution_source
from course_lib.exercises.exercise import Question
from mutation.mutants import mutants

WRITTEN = [e for e in exercises.catalogue().values() if not isinstance(e, Question)]
FEW = WRITTEN[::4]
SURVIVORS = Path(__file__).with_name("survivors.txt")
SECONDS = 4.0
"""After which a mutant counts as an endless loop."""
HIDDEN = (1, 2, 3)
"""Seeds such as grading draws: what visible cases let pass must pass there too."""


@cache
def explained() -> dict[str, dict[str, str]]:
    """Exercise -> mutant -> the reason why no input can tell it; a reason is for all lines above it."""
    found: dict[str, dict[str, str]] = {}
    waiting: list[str] = []
    for line in SURVIVORS.read_text().splitlines():
        depth, text = len(line) - len(line.lstrip()), line.strip()
        if text and depth == 0:
            entries = found.setdefault(text, {})
        elif depth == 2:
            waiting.append(text)
        elif depth == 4:
            entries.update(dict.fromkeys(waiting, text))
            waiting = []
    assert not waiting, f"expected a reason after {waiting}"
    return found


class Trial:
    """An exercise whose candidates are run on the visible cases, or on those of hidden seeds."""

    def __init__(self, exercise):
        self.exercise, self.hasty = exercise, dataclasses.replace(exercise, seconds=SECONDS)
        self.visible = [self.case(case, 0) for case in exercise.cases]

    def case(self, case, seed):
        arguments = case.arguments(seed)
        return arguments, run_arguments(self.exercise, self.exercise.reference, arguments)

    def passes(self, candidate, cases) -> bool:
        outcomes = ((wanted, run_arguments(self.hasty, candidate, a)) for a, wanted in cases)
        return all(difference(*pair, self.exercise.tolerance) is None for pair in outcomes)

    def hidden(self):
        random = [case for case in self.exercise.cases if not case.fixed]
        return [self.case(case, seed) for case in random for seed in HIDDEN]


def defined(exercise, text):
    """The mutant itself, in the module of the reference; None if its definition fails."""
    space = dict(vars(sys.modules[exercise.reference.__module__]), __name__="student")
    try:
        exec(compile(text, "<mutant>", "exec"), space)
    except Exception:
        return None
    return space[exercise.reference.__name__]


@pytest.fixture
def unchecked(monkeypatch):
    """No shapes enforced in what a mutant calls: students run the course without that."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "exercise",
    [pytest.param(e, id=e.name, marks=() if e in FEW else pytest.mark.extra) for e in WRITTEN],
)
def test_every_mutant_is_told_or_explained(exercise):
    trial = Trial(exercise)
    alive = {}
    for change, text in mutants(solution_source(exercise)):
        candidate = defined(exercise, text)
        if candidate is not None and trial.passes(candidate, trial.visible):
            alive[change] = candidate
    known = explained().get(exercise.name, {})
    unknown = "\n".join(f"  {change}" for change in alive if change not in known)
    assert not unknown, f"the check calls these correct:\n{exercise.name}\n{unknown}"
    assert not known.keys() - alive.keys(), "these are no survivors: take them from survivors.txt"
    settled = [change for change in alive if not known[change].startswith("open")]
    told = [change for change in settled if not trial.passes(alive[change], trial.hidden())]
    assert not told, f"only hidden seeds tell these: {told}"


def test_only_exercises_of_the_course_have_survivors():
    assert explained().keys() <= {exercise.name for exercise in WRITTEN}
