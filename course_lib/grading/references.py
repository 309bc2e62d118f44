"""What the exercises' references, and their misconceptions, give on the hidden cases of a run."""

import json
from dataclasses import asdict

from course_lib.checking.outcome import run_case
from course_lib.exercises import find
from course_lib.exercises.exercise import Question
from course_lib.grading.assemble import Plan
from course_lib.grading.instructor import added_case
from course_lib.grading.journal import Journal, digest, package_digest
from course_lib.grading.marks import Key
from course_lib.grading.pool import TaskLost, run_all
from course_lib.grading.session import is_usable, record_references
from course_lib.grading.workspace import GradingError, Run


def make_keys(run: Run, plans: list[Plan], journal: Journal) -> dict[str, Key]:
    """The reference's outcomes, from the same sandbox, and those of the misconceptions.

    An exercise whose reference does not run there is left out.
    """
    ids = {plan.exercise: digest("key", asdict(plan), package_digest()) for plan in plans}

    def make(part: list[Plan]) -> dict[str, dict]:
        folder = run.work / "reference" / part[0].exercise
        expected = record_references(folder, part, max(run.seconds, 120))
        wrong = {plan.exercise: _misconceptions(plan) for plan in part}
        return {n: {"expected": expected[n], "misconceptions": wrong[n]} for n in expected}

    todo = [plan for plan in plans if ids[plan.exercise] not in journal.entries]
    parts = [todo[start :: run.jobs] for start in range(min(run.jobs, len(todo)))]
    for _, results in run_all(make, enumerate(parts), jobs=run.jobs, seconds=120 * len(plans)):
        if isinstance(results, TaskLost):
            raise GradingError(f"the references cannot be run in the sandbox: {results}")
        for name, result in results.items():
            if is_usable(result["expected"]):
                journal.add(ids[name], result)
    found = {name: journal.entries.get(key) for name, key in ids.items()}
    return {name: Key(**entry) for name, entry in found.items() if entry is not None}


def _misconceptions(plan: Plan) -> list[list[str]]:
    """What each wrong implementation of the catalogue gives on one hidden case of each name."""
    exercise = find(plan.exercise)
    if isinstance(exercise, Question):
        return [[] for _ in exercise.misconceptions]
    hidden = [plan.cases[number] for number in plan.one_of_each]
    # an added case is called so in the sandbox, too: a case's name belongs to its seed
    cases = [added_case("added", h.make) if h.make else exercise.cases[h.index] for h in hidden]
    return [
        [
            json.dumps(run_case(exercise, misconception.wrong, case, h.seed).to_json())
            for case, h in zip(cases, hidden, strict=True)
        ]
        for misconception in exercise.misconceptions
    ]
