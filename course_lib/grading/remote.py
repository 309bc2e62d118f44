"""A batch of students graded on a worker of a cluster: JSON in, JSON out."""

import json
import sys
from pathlib import Path

from course_lib.exercises import find
from course_lib.grading import sandbox
from course_lib.grading.assemble import Plan
from course_lib.grading.extract import Cell
from course_lib.grading.marks import Key
from course_lib.grading.pool import TaskLost, run_all
from course_lib.grading.session import grade_cells
from course_lib.grading.workspace import scratch


def main() -> None:
    """Grade what stands in the standard input."""
    if (why := sandbox.probe()) and not sandbox.unsandboxed():
        raise SystemExit(why)
    order = json.load(sys.stdin)
    with scratch() as folder:
        print(json.dumps(_grade(order, folder)))


def _grade(order: dict, folder: Path) -> dict[str, list[dict] | None]:
    keys = {name: Key(**key) for name, key in order["keys"].items()}

    def work(task: tuple[int, dict]) -> list[dict]:
        number, student = task
        cells = {name: Cell(**cell) for name, cell in student["cells"].items()}
        plans = [Plan.from_json(plan) for plan in student["plans"]]
        marks = grade_cells(folder / f"{number}", cells, plans, keys, order["seconds"])
        return [mark.to_json() for mark in marks]

    tasks = [(name, (i, s)) for i, (name, s) in enumerate(order["students"].items())]
    seconds = 60 + len(keys) * (order["seconds"] + 60)
    with sandbox.running(folder / "sandbox"):
        for name in keys:
            sandbox.library_for(find(name))
        results = dict(run_all(work, tasks, jobs=1, seconds=seconds))
    return {name: None if isinstance(r, TaskLost) else r for name, r in results.items()}


if __name__ == "__main__":
    main()
