"""The verdict on an answer."""

from dataclasses import dataclass
from enum import Enum

from course_lib.checking.difference import Difference
from course_lib.exercises.exercise import Case, Exercise, Misconception


class State(Enum):
    """Where a student stands with an exercise."""

    NOT_ATTEMPTED = "not attempted"
    INCORRECT = "incorrect"
    CORRECT = "correct"


@dataclass(frozen=True)
class Report:
    """The verdict on a candidate. `difference` belongs to `case`, the one that tells most."""

    exercise: Exercise
    state: State
    passed: int = 0
    total: int = 0
    case: Case | None = None
    difference: Difference | None = None
    misconception: Misconception | None = None
    printed: str = ""
