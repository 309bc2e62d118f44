"""Grading on a dask cluster: batches of students go to the workers, each with a sandbox of its own.

The workers need this package and bubblewrap, nothing else; dask itself is an optional dependency.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from course_lib.grading.marks import Key
from course_lib.grading.pool import TaskLost

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
            futures[client.submit(_grade_batch, payload, pure=False)] = batch
        for future in as_completed(futures):
            yield from _results(future, futures[future])


def _results(future: Any, batch: list[str]) -> Iterator[tuple[str, Any]]:
    if future.status != "finished":
        yield from (
            (name, TaskLost(f"the cluster lost it: {future.exception()}")) for name in batch
        )
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


def _grade_batch(payload: str) -> str:
    """Runs on a worker: a process of its own, so that no thread of the worker's is forked."""
    command = [sys.executable, "-m", "course_lib.grading.remote"]
    done = subprocess.run(command, input=payload, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-500:])
    return done.stdout
