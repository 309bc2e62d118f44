"""Time budgets and progress for the training cells of the notebooks, which keep their loops visible."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path

import torch


def is_fast() -> bool:
    """True under COURSE_FAST=1: the same code with small budgets, for tests."""
    return os.environ.get("COURSE_FAST") == "1"


def budget(full: float, fast: float, *, gpu: float | None = None) -> float:
    """`full`, or `fast` under COURSE_FAST=1, or `gpu` (if given) where there is a CUDA device.

    Seconds, steps, sizes; whole numbers stay whole.
    """
    if is_fast():
        return fast
    return full if gpu is None or not torch.cuda.is_available() else gpu


class Budget:
    """Iterate over training steps with a progress bar, until `steps` are done or `seconds` are spent.

    >>> losses = []
    >>> for step in Budget(3, seconds=10.0, label="fit"):  # doctest: +ELLIPSIS
    ...     losses.append(1.0 / (step + 1))
    fit: 3 steps, ... s
    >>> len(losses)
    3

    `say("loss 0.12")` puts a text beside the bar. An interrupt (Ctrl-C, the stop button) leaves the
    loop as if the budget were spent, so what was trained so far stays usable.
    """

    def __init__(self, steps: int, *, seconds: float, label: str = "training", every: float = 0.5):
        if steps < 1 or seconds <= 0:
            raise ValueError(f"expected steps >= 1 and seconds > 0, got {steps} and {seconds}")
        self.steps, self.seconds, self.label, self.every = steps, seconds, label, every
        self.done, self.elapsed, self._text = 0, 0.0, ""

    def say(self, text: str) -> None:
        """Show `text` beside the bar at its next update."""
        self._text = text

    def __iter__(self) -> Iterator[int]:
        start, shown, bar = time.perf_counter(), 0.0, _Bar()
        with _interrupt_flag() as interrupted:
            try:
                while self.done < self.steps and self.elapsed < self.seconds and not interrupted:
                    yield self.done
                    self.done += 1
                    self.elapsed = time.perf_counter() - start
                    if self.elapsed - shown >= self.every:
                        shown = self.elapsed
                        bar.update(self._fraction(), self._line(" …"))
            finally:  # also where the loop is left by `break`
                bar.update(1.0, self._line(" (interrupted)" if interrupted else ""))

    def _fraction(self) -> float:
        return min(1.0, max(self.done / self.steps, self.elapsed / self.seconds))

    def _line(self, ending: str) -> str:
        return (
            f"{self.label}: {self.done} steps, {self.elapsed:.1f} s  {self._text}{ending}".rstrip()
        )


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

    def update(self, fraction: float, line: str) -> None:
        from IPython import get_ipython
        from IPython.display import display

        if get_ipython() is None:
            if fraction == 1.0:
                print(line)
            return
        html = f'<progress value="{fraction:.3f}" aria-label="{escape(line)}"></progress> {escape(line)}'
        bundle = {"text/html": html, "text/plain": line}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


def asset(name: str) -> Path:
    """The path of a shipped file, such as `asset("scene/transforms_train.json")`."""
    here = Path(__file__).parent  # in a checkout assets lie beside the package, installed inside it
    for folder in (here.parent / "assets", here / "assets"):
        if (folder / name).exists():
            return folder / name
    kind = name.split("/")[0]
    raise FileNotFoundError(
        f"assets/{name} is missing; make it with: python -m course_lib assets {kind}"
    )
