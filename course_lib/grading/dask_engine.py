"""Grading on a dask cluster: batches of students go to the workers, each with a sandbox of its own.

The workers need this package and bubblewrap, nothing else; dask itself is an optional dependency. On a
worker this module runs as a program: a batch comes in as JSON, and its marks go out as JSON.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from course_lib.exercises import find
from course_lib.grading import sandbox
from course_lib.grading.assemble import Plan
from course_lib.grading.extract import Cell
from course_lib.grading.marks import Key
from course_lib.grading.pool import TaskLost, run_all
from course_lib.grading.session import grade_cells
from course_lib.grading.workspace import scratch

BATCH = 8


def grade_on_cluster(
    address: str, tasks: dict, keys: dict[str, Key], seconds: float
) -> Iterator[tuple[str, Any]]:
    """Yield (student, marks) as batches end. Raises ImportError where dask is not installed."""
    from distributed import Client, as_completed

    names = list(tasks)
    with Client(address) as client:
        futures = {}
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            payload = _payload({name: tasks[name] for name in batch}, keys, seconds)
            futures[client.submit(_on_worker, payload, pure=False)] = batch
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


def _payload(tasks: dict, keys: dict[str, Key], seconds: float) -> str:
    students = {
        name: {
            "cells": {key: asdict(cell) for key, cell in student.cells.items()},
            "plans": [plan.to_json() for plan in plans],
        }
        for name, (student, plans) in tasks.items()
    }
    encoded = {name: asdict(key) for name, key in keys.items()}
    return json.dumps({"students": students, "keys": encoded, "seconds": seconds})


def _on_worker(payload: str) -> str:
    """Grade a batch in a process of its own, so that no thread of the worker's is forked."""
    command = [sys.executable, "-m", __name__]
    done = subprocess.run(command, input=payload, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-500:])
    return done.stdout


def main() -> None:
    """Grade the batch that stands in the standard input."""
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
