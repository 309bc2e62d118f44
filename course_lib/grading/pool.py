"""Many tasks, each in a child process of its own, some at a time: none can harm or delay another."""

import gc
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

from course_lib.grading import confine

_fork = multiprocessing.get_context("fork")


class TaskLost(RuntimeError):
    """A task ended without a result; the text says why."""


@dataclass
class _Running:
    process: BaseProcess
    pipe: Any
    deadline: float


def run_all(
    work: Callable[[Any], Any],
    tasks: Iterable[tuple[Any, Any]],
    *,
    jobs: int,
    seconds: float,
    once_more: bool = True,
    megabytes: int | None = None,
) -> Iterator[tuple[Any, Any]]:
    """Yield (key, result) as tasks (key, argument) end; a result is TaskLost if there is none.

    Each task is a fork of this process; after `seconds` it is killed. With `megabytes` it can use so
    much memory beyond this process's: for tasks that read what students sent. A task that was lost
    is tried once more. `work` returns what JSON can hold.
    """
    waiting = [(key, argument, once_more) for key, argument in tasks][::-1]
    running: dict[Any, tuple[_Running, tuple]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                task = waiting.pop()
                started = _start(work, task, seconds, megabytes)
                running[started.pipe] = (started, task)
            for pipe in _finished(running):
                entry, (key, argument, again) = running.pop(pipe)
                result = _result(entry)
                if isinstance(result, TaskLost) and again:
                    waiting.append((key, argument, False))
                else:
                    yield key, result
    finally:
        for entry, _ in running.values():
            entry.process.kill()


def _start(work: Callable, task: tuple, seconds: float, megabytes: int | None) -> _Running:
    ours, theirs = _fork.Pipe(duplex=False)
    arguments = (work, task[1], theirs, megabytes)
    process = _fork.Process(target=_child, args=arguments, daemon=True)
    process.start()
    theirs.close()
    return _Running(process, ours, time.monotonic() + seconds)


def _child(work: Callable, argument: Any, pipe: Any, megabytes: int | None) -> None:
    gc.freeze()  # what was there before the fork is no garbage: collecting it would take long
    if sys.platform == "linux":
        confine.die_with_parent()
        if megabytes is not None:
            with open("/proc/self/statm") as file:
                now = int(file.read().split()[0]) * resource.getpagesize()
            confine.limit({"AS": now + (megabytes << 20)})
    pipe.send_bytes(json.dumps(work(argument)).encode())


def _finished(running: dict) -> list:
    """The pipes that have a result, or whose process ended or must end now."""
    ready = wait(list(running), timeout=0.2)
    now = time.monotonic()
    return ready or [pipe for pipe, (entry, _) in running.items() if now > entry.deadline]


def _result(entry: _Running) -> Any:
    try:
        ended = entry.pipe.poll()
        result = json.loads(entry.pipe.recv_bytes()) if ended else TaskLost("time limit")
    except (EOFError, OSError, ValueError):
        result = TaskLost("the grading process ended")
    entry.process.kill()
    entry.process.join()
    entry.pipe.close()
    return result
