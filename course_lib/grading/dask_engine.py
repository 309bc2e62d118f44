"""Grading on a dask cluster: batches of students go to the workers, each with a sandbox of its own.

The workers need this package and bubblewrap, nothing else; dask itself is an optional dependency. On a
worker this module runs as a program: a batch comes in pickled, from here, and its marks go out as JSON.
"""

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from course_lib.exercises import find
from course_lib.grading import sandbox
from course_lib.grading.marks import Key
from course_lib.grading.pool import TaskLost
from course_lib.grading.session import grade_here
from course_lib.grading.students import Tasks
from course_lib.grading.workspace import Run, scratch

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
    with scratch() as folder, sandbox.running(folder / "sandbox"):
        for name in keys:
            sandbox.library_for(find(name))
        results = dict(grade_here(Run(folder, seconds=seconds), tasks, keys))
    print(json.dumps({n: r for n, r in results.items() if not isinstance(r, TaskLost)}))


if __name__ == "__main__":
    main()
