"""Where a notebook runs: IPython, Colab; budgets and progress of its training loops."""

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from statistics import median

import torch


def is_fast() -> bool:
    """True under COURSE_FAST=1: the same code with small budgets, for tests."""
    return os.environ.get("COURSE_FAST") == "1"


def in_colab() -> bool:
    """True in Google Colab."""
    return "google.colab" in sys.modules


def in_notebook() -> bool:
    """True where an IPython kernel or shell runs this code."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return get_ipython() is not None


def budget(full: float, fast: float, *, gpu: float | None = None) -> float:
    """`full`, or `fast` under COURSE_FAST=1, or `gpu` (if given) where there is a CUDA device.

    Seconds, steps, sizes; whole numbers stay whole.
    """
    if is_fast():
        return fast
    return full if gpu is None or not torch.cuda.is_available() else gpu


PATIENCE = 3.0
"""A slow machine may take so many times the planned seconds if the steps are done then."""

EVERY = 0.5
"""Seconds from one update of the bar to the next."""

STATES = {  # how a loop ended: its words, and its bar's colour
    "running": ("…", "#0072b2"),
    "done": ("✓ done", "#009e73"),
    "time limit": ("⏱ stopped by the time limit at step {done} of {steps}", "#d55e00"),
    "interrupted": ("■ interrupted", "#6e6e6e"),
    "left": ("■ left early", "#6e6e6e"),
}


class Threads:
    """All of torch's threads or one, whichever makes the steps quicker: tried, kept, tried again.

    OpenMP's threads wait for each other after every operation. Where another process keeps a core busy,
    several of them can so be slower than one, and a timed training would make a part of its steps.
    """

    TRIED, KEPT = 4, 3.0
    """The steps of a trial with one thread, and then with all; for how many seconds its answer holds.

    All get no more time than the one had; an answer that is given again holds twice as long.
    """

    def __init__(self):
        self.all, self._until, self._held = torch.get_num_threads(), 0.0, self.KEPT
        self._alone: list[float] = []
        self._together: list[float] = []
        self._tried: list[float] | None = None
        self._answer: int | None = None

    def after_step(self, took: float, now: float) -> None:
        """Choose the threads of the next step; `took`: the seconds of the last one."""
        if self.all == 1 or now < self._until:
            return
        if self._tried is not None:  # else the step was no part of a trial
            self._tried.append(took)
        if len(self._alone) < self.TRIED:
            self._tried = self._alone
            torch.set_num_threads(1)
            return
        limit = median(self._alone)
        if len(self._together) < self.TRIED and sum(self._together) < self.TRIED * limit:
            self._tried = self._together
            torch.set_num_threads(self.all)
            return
        answer = 1 if limit < median(self._together) else self.all
        self._held = 2 * self._held if answer == self._answer else self.KEPT
        torch.set_num_threads(answer)
        self._answer, self._until = answer, now + self._held
        self._alone, self._together, self._tried = [], [], None

    def restore(self) -> None:
        """All threads again."""
        if torch.get_num_threads() != self.all:
            torch.set_num_threads(self.all)


class Budget:
    """Iterate over training steps with a progress bar, until `steps` are done or `seconds` are spent.

    >>> losses = []
    >>> for step in Budget(3, seconds=10.0, label="fit"):  # doctest: +ELLIPSIS
    ...     losses.append(1.0 / (step + 1))
    fit: 3 steps, ... s  ✓ done
    >>> len(losses)
    3

    With `steps=None` the time alone ends it, and the steps run on all threads or on one, whichever is
    quicker just now. Otherwise a machine that is too slow, but will have done the steps within three
    times the seconds, gets them; one that will not is stopped in time, and the bar says so, in another
    colour than when all is done: `state` is "done", "time limit", "interrupted" or "left".
    `say("loss 0.12")` puts a text beside the bar. An interrupt (Ctrl-C, the stop button) leaves the loop
    as if the budget were spent, so what was trained stays usable.
    """

    def __init__(
        self,
        steps: int | None,
        *,
        seconds: float,
        label: str = "training",
        unit: str = "steps",
    ):
        if (steps is not None and steps < 1) or seconds <= 0:
            raise ValueError(f"expected steps >= 1 and seconds > 0, got {steps} and {seconds}")
        self.steps, self.seconds, self.label, self.unit = steps, seconds, label, unit
        self.done, self.elapsed, self.state, self._text = 0, 0.0, "running", ""
        self._over: float | None = None

    def say(self, text: str, over: float | None = None) -> None:
        """Show `text` beside the bar at its next update, and the share that is over, in [0, 1].

        The share is known by itself, unless the loop ends by another rule than steps and seconds.
        """
        self._text, self._over = text, over

    def __iter__(self) -> Iterator[int]:
        start, shown, bar, threads = time.perf_counter(), 0.0, _Bar(), Threads()
        bar.update(self)  # before anything that the loop shows
        with _interrupt_flag() as interrupted:
            try:
                if self.steps is None:
                    threads.after_step(0.0, 0.0)  # the first trial begins with the first step
                while not self._is_over() and not interrupted:
                    yield self.done
                    self.done += 1
                    before, self.elapsed = self.elapsed, time.perf_counter() - start
                    if self.steps is None:
                        threads.after_step(self.elapsed - before, self.elapsed)
                    if self.elapsed - shown >= EVERY:
                        shown = self.elapsed
                        bar.update(self)
                self.state = "interrupted" if interrupted else self._ending()
            finally:  # also where the loop is left by `break`
                self.state = "left" if self.state == "running" else self.state
                threads.restore()
                bar.update(self)

    def _is_over(self) -> bool:
        if self.done == self.steps:
            return True
        late = self.elapsed >= self.seconds
        return late and (self.done == 0 or self.steps is None or self.expected < self.steps)

    @property
    def expected(self) -> float:
        """How many steps there will be at the pace so far, for schedules."""
        if self.done == 0:
            return self.steps or math.inf
        pace = self.done / self.elapsed
        if self.steps is not None and self.steps <= pace * PATIENCE * self.seconds:
            return self.steps
        return max(self.done, pace * self.seconds)

    def _ending(self) -> str:
        return "done" if self.steps in (None, self.done) else "time limit"

    @property
    def fraction(self) -> float:
        """How much of it is over, in [0, 1]."""
        if self.state == "done":
            return 1.0
        if self._over is not None:
            return min(1.0, self._over)
        by_steps = self.done / self.steps if self.steps else self.elapsed / self.seconds
        return min(1.0, by_steps)

    @property
    def line(self) -> str:
        """What stands beside the bar."""
        words = STATES[self.state][0].format(done=self.done, steps=self.steps)
        said = f", {self._text}" if self._text else ""
        line = f"{self.label}: {self.done:,} {self.unit}, {self.elapsed:.1f} s{said}"
        more = "; the text is about all of them: raise its seconds"
        more = more if self.state == "time limit" else ""
        return f"{line}  {words}{more}"


@contextmanager
def _interrupt_flag() -> Iterator[list]:
    """A list that is empty until the user interrupts; the interrupt itself does nothing else."""
    interrupts: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield interrupts  # signals belong to the main thread
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: interrupts.append(number))
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


class _Bar:
    """A progress bar that is updated in place in Jupyter, and one closing line in a terminal."""

    def __init__(self):
        self._handle = None

    def update(self, budget: Budget) -> None:
        if not in_notebook():
            if budget.state != "running":
                print(budget.line)
            return
        from IPython.display import display

        words, color = escape(budget.line), STATES[budget.state][1]
        look = f'style="accent-color: {color}" aria-label="{words}"'
        bar = f'<progress value="{budget.fraction:.3f}" {look}></progress>'
        beside = "display:flex;align-items:center;gap:.5em"  # words that wrap stay beside the bar
        html = f'<div style="{beside}">{bar}<span>{words}</span></div>'
        bundle = {"text/html": html, "text/plain": budget.line}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)
