"""Grading on a dask cluster: batches of students go to the workers, each with a sandbox of its own.

The workers need this package and bubblewrap, nothing else; dask itself is an optional dependency. On a
worker this module runs as a program: a batch comes in pickled, from here, and its marks go out as JSON.
"""

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from course_lib.exercises import find
from course_lib.grading import sandbox
from course_lib.grading.assemble import Plan
from course_lib.grading.marks import Key
from course_lib.grading.pool import TaskLost, run_all
from course_lib.grading.session import grade_cells
from course_lib.grading.students import Student, Tasks
from course_lib.grading.workspace import scratch

BATCH = 8


def grade_on_cluster(
    address: str, tasks: Tasks, keys: dict[str, Key], seconds: float
) -> Iterator[tuple[str, Any]]:
    """Yield (student, marks) as batches end. Raises ImportError where dask is not installed."""
    from distributed import Client, as_completed

    names = list(tasks)
    with Client(address) as client:
        futures = {}
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            order = pickle.dumps(({name: tasks[name] for name in batch}, keys, seconds))
            futures[client.submit(_on_worker, order, pure=False)] = batch
        for future in as_completed(futures):
            yield from _results(future, futures[future])


def _results(future: Any, batch: list[str]) -> Iterator[tuple[str, Any]]:
    if future.status != "finished":
        lost = TaskLost(f"the cluster lost it: {future.exception()}")
        yield from ((name, lost) for name in batch)
        return
    marks = json.loads(future.result())
    for name in batch:
        yield name, marks.get(name) or TaskLost("the cluster gave no result")


def _on_worker(order: bytes) -> bytes:
    """Grade a batch in a process of its own, so that no thread of the worker's is forked."""
    done = subprocess.run([sys.executable, "-m", __name__], input=order, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-500:].decode(errors="replace"))
    return done.stdout


def main() -> None:
    """Grade the batch that stands in the standard input."""
    if (why := sandbox.probe()) and not sandbox.unsandboxed():
        raise SystemExit(why)
    tasks, keys, seconds = pickle.load(sys.stdin.buffer)
    with scratch() as folder:
        print(json.dumps(_grade(tasks, keys, seconds, folder)))


def _grade(tasks: Tasks, keys: dict[str, Key], seconds: float, folder: Path) -> dict:
    def work(task: tuple[int, Student, list[Plan]]) -> list[dict]:
        number, student, plans = task
        marks = grade_cells(folder / f"{number}", student.cells, plans, keys, seconds)
        return [asdict(mark) for mark in marks]

    numbered = [(name, (i, *task)) for i, (name, task) in enumerate(tasks.items())]
    outer = 60 + len(keys) * (seconds + 60)
    with sandbox.running(folder / "sandbox"):
        for name in keys:
            sandbox.library_for(find(name))
        results = dict(run_all(work, numbered, jobs=1, seconds=outer))
    return {name: None if isinstance(r, TaskLost) else r for name, r in results.items()}


if __name__ == "__main__":
    main()
