"""The pytest plugin that makes nbval grade: load it with `-p course_lib.grading.plugin --nbval`.

nbval starts a kernel per notebook, runs its cells and compares their outputs with the stored ones.
Over it this adds: the sandboxed kernel, always (whatever kernel a notebook names); comparison of
numbers within the exercise's tolerance; a dead kernel noticed at once; a limit on how much a cell may
print and on how long its output may lag; and no cell that passes because it was skipped.
"""

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import nbval.plugin
import pytest
import zmq
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager
from nbval.kernel import RunningKernel

from course_lib.checking.answers import judge_answer
from course_lib.checking.compare import difference
from course_lib.checking.difference import Difference
from course_lib.checking.outcome import Outcome
from course_lib.checking.report import State
from course_lib.exercises import find
from course_lib.exercises.exercise import Exercise, Question
from course_lib.grading import provisioner, sandbox
from course_lib.grading.inside import MIME
from course_lib.grading.library import WHOLE

BYTES_PER_CELL = 8_000_000
OUTPUT_LAG_SECONDS, LIVENESS_MILLISECONDS = 10, 50
START_SECONDS, EXTRA_SECONDS, LONGEST_SECONDS = 60, 10, 600
BUDGET_TIMES, LEAST_SECONDS = 10, 5
"""A student's notebooks together have the time of so many; once it is used up, each has only little."""
BUDGET = pytest.StashKey[float]()
LOST = pytest.StashKey[str]()


class KernelLost(RuntimeError):
    """The kernel is gone, and with it the rest of the notebook; the text is a short reason."""


class GradingKernel(RunningKernel):
    """nbval's kernel in the sandbox, with a byte budget and a liveness check."""

    def __init__(self, library: str, limits: dict):
        self._context = zmq.Context()
        self._context.setsockopt(zmq.MAXMSGSIZE, BYTES_PER_CELL)
        self.km = KernelManager(
            kernel_name="grading",
            kernel_spec_manager=_Specs(library, limits),
            context=self._context,
        )
        self._waiting: list[dict] = []
        self._received = 0
        self.km.start_kernel()
        self.kc = self.km.client()
        self.kc.start_channels(stdin=False, hb=False)
        self._ensure_iopub_up()

    def _ensure_iopub_up(self) -> None:
        for _ in range(300):
            message = self.kc.kernel_info()
            self.await_reply(message, timeout=60)
            try:
                return self.await_idle(message, 0.1)
            except Empty:
                continue
        raise KernelLost("no kernel")

    def lose(self, reason: str) -> None:
        """Kill the kernel and raise KernelLost."""
        self.km.shutdown_kernel(now=True)
        raise KernelLost(reason)

    def stop(self) -> None:
        """End the kernel, and the threads of its messages: a whole course has a hundred kernels."""
        try:
            super().stop()
        finally:
            self._context.destroy(linger=0)

    def execute_cell_input(self, cell_input: str, allow_stdin: bool | None = None) -> str:
        """Start a cell, with a fresh budget."""
        self._received = 0
        return super().execute_cell_input(cell_input, allow_stdin)

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """Wait for the end of a cell, while what it prints is taken in and counted."""
        end = time.monotonic() + (timeout or 60)
        shell, output = self.kc.shell_channel.socket, self.kc.iopub_channel.socket
        poller = zmq.Poller()
        poller.register(shell, zmq.POLLIN)
        poller.register(output, zmq.POLLIN)
        while time.monotonic() < end:
            ready = dict(poller.poll(LIVENESS_MILLISECONDS))
            if not ready:
                self._check_alive()
            if output in ready:
                self._take_in(0)
            if shell in ready and self._replied(msg_id):
                return
        self.lose("time")

    def _replied(self, msg_id: str) -> bool:
        """Read a message of the shell channel: is it the reply to this cell?"""
        try:
            message = self.kc.get_shell_msg(timeout=0)
        except Empty:
            return False
        return message["parent_header"].get("msg_id") == msg_id

    def get_message(self, stream: str, timeout: float | None = None) -> dict:
        """The next message; those of the output channel come in order, within the budget."""
        if stream != "iopub":
            return super().get_message(stream, timeout)
        if not self._waiting:
            self._take_in(timeout)
        if not self._waiting:
            self._check_alive()
            raise Empty
        return self._waiting.pop(0)

    def _take_in(self, timeout: float | None) -> None:
        try:
            message = self.kc.get_iopub_msg(timeout=timeout)
        except Empty:
            return
        self._received += len(json.dumps(message["content"], default=str))
        self._waiting.append(message)
        if self._received > BYTES_PER_CELL:
            self.lose("output")

    def _check_alive(self) -> None:
        if not self.km.is_alive():
            reason = getattr(self.km.provisioner, "ended", "") or "ended"
            raise KernelLost(reason)


class _Specs(KernelSpecManager):
    """Knows one kernel only."""

    def __init__(self, library: str, limits: dict):
        super().__init__()
        self._spec = provisioner.kernel_spec(library, limits)

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return self._spec


def time_for_one(stash: pytest.Stash, limit: float) -> float:
    """The seconds that a notebook has: `limit`, until the student's whole time is used up."""
    budget = stash.setdefault(BUDGET, BUDGET_TIMES * limit)
    return min(limit, max(budget, LEAST_SECONDS))


class GradingFile(nbval.plugin.IPyNbFile):
    """A grading notebook; other notebooks are refused."""

    def collect(self) -> Iterator["GradingCell"]:
        """The cells, as our kind of item."""
        for item in super().collect():
            part = {"cell_num": item.cell_num, "cell": item.cell, "options": item.options}
            yield GradingCell.from_parent(self, name=item.name, **part)

    def setup(self) -> None:
        """Start the kernel with the exercise's copy of the library."""
        name = self.nb.metadata.get("course", {}).get("exercise")
        if name is None:
            raise pytest.UsageError(f"{self.path} is not a grading notebook")
        sandbox.library_for(None if name == WHOLE else find(name))
        limit = min(self.config.option.nbval_cell_timeout, LONGEST_SECONDS)
        self.seconds_left = self._given = time_for_one(self.config.stash, limit)
        seconds = math.ceil(self.seconds_left)
        limits = {"seconds": seconds + START_SECONDS, "processor_seconds": seconds + EXTRA_SECONDS}
        self.kernel = GradingKernel(name, limits)

    def get_kernel_message(self, timeout: float | None = None, stream: str = "iopub") -> dict:
        """Output may lag behind the end of a cell, but not for ever."""
        if time.monotonic() > self.output_deadline:
            self.kernel.lose("output")
        return super().get_kernel_message(timeout, stream)

    def teardown(self) -> None:
        """Stop the kernel; what the notebook took is gone from the student's whole time."""
        self.config.stash[BUDGET] -= self._given - self.seconds_left
        if self.kernel is not None and hasattr(self.kernel, "km"):
            self.kernel.stop()


class GradingCell(nbval.plugin.IPyNbCell):
    """A cell of a grading notebook. `found` is what differed in a case, as a Difference."""

    found: Difference | None = None
    got: str | None = None

    @property
    def course(self) -> dict:
        """What the cell is: its role and number."""
        return self.cell.metadata.get("course", {})

    def setup(self) -> None:
        """No cell is expected to fail, so none is forgiven."""

    def runtest(self) -> None:
        """Run the cell by nbval's own method, unless the kernel was lost before it."""
        if reason := self.parent.stash.get(LOST, None):
            self.found = Difference(f"lost: {reason}", "")
            pytest.fail("the kernel was lost in an earlier cell", pytrace=False)
        self.options.update(skip=False, check=True, check_exception=False)
        self.parent.output_deadline = float("inf")
        self.parent.kernel.await_reply = self._await_in_time
        try:
            super().runtest()
        except KernelLost as lost:
            self.parent.stash[LOST] = str(lost)
            self.found = Difference(f"lost: {lost}", "")
            raise
        finally:
            del self.parent.kernel.await_reply

    def _await_in_time(self, msg_id: str, timeout: float | None = None) -> None:
        """Wait for the cell's end within what is left of the notebook's time (ours comes extra)."""
        mine = self.course.get("role") == "set-up"
        left = START_SECONDS if mine else self.parent.seconds_left
        start = time.monotonic()
        type(self.parent.kernel).await_reply(self.parent.kernel, msg_id, max(left, 0.1))
        now = time.monotonic()
        self.parent.seconds_left -= 0 if mine else now - start
        self.parent.output_deadline = now + OUTPUT_LAG_SECONDS

    def compare_outputs(self, test: list, ref: list, skip_compare: Any = None) -> bool:
        """For a case: decode both outcomes and compare them with the exercise's tolerance."""
        if self.course.get("role") != "case":
            return super().compare_outputs(test, ref, skip_compare)
        self.comparison_traceback = ["the outcome differs from the reference's"]
        self.got = _printed_outcome(test)
        name = self.course.get("exercise") or self.parent.nb.metadata.course.exercise
        self.found = compare(find(name), _printed_outcome(ref), self.got)
        return self.found is None


def _printed_outcome(outputs: list) -> str | None:
    """The last encoded outcome among a cell's outputs."""
    bundles = [out["data"] for out in outputs if "data" in out]
    texts = [bundle[MIME] for bundle in bundles if isinstance(bundle.get(MIME), str)]
    return texts[-1] if texts else None


def decode(text: str | None) -> Outcome | None:
    """The outcome in a text that may have any content; None where it is none."""
    try:
        outcome = Outcome.from_json(json.loads(text or "null"))
    except Exception:  # hostile text: whatever it does, it is no outcome
        return None
    texts = vars(outcome.failure).values() if outcome.failure else ()
    plain = all(isinstance(text, str) for text in texts)
    return outcome if plain and isinstance(outcome.gradients, tuple) else None


def compare(exercise: Exercise, expected: str | None, got: str | None) -> Difference | None:
    """What differs between two encoded outcomes, or None."""
    wanted, given = decode(expected), decode(got)
    if wanted is None or given is None:
        return Difference("no outcome", "")
    try:
        if isinstance(exercise, Question):
            right = given.failure is None
            right = right and judge_answer(exercise, given.value).state is State.CORRECT
            return None if right else Difference("answer", "")
        if given.failure is None and len(given.gradients) != len(wanted.gradients):
            return Difference("gradient", "")
        return difference(wanted, given, exercise.tolerance)
    except Exception:  # a decoded outcome of a kind that the reference's never is
        return Difference("no outcome", "")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Make the sandbox known to Jupyter."""
    provisioner.register()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End a sandbox that was started for this session only."""
    sandbox.stop_own()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Any:
    """Take nbval's notebooks over."""
    found = yield
    return [
        GradingFile.from_parent(parent, path=file_path)
        if isinstance(entry, nbval.plugin.IPyNbFile)
        else entry
        for entry in found
    ]


class Recorder:
    """A plugin that keeps what happened in each cell, for the grader that starts a session."""

    def __init__(self) -> None:
        self.records: list[dict] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo) -> Any:
        """One record for each cell."""
        report = yield
        if isinstance(item, GradingCell) and (call.when == "call" or report.failed):
            self.records.append(
                {
                    "exercise": item.parent.nb.metadata.get("course", {}).get("exercise"),
                    **item.course,
                    "passed": report.outcome == "passed" and call.when == "call",
                    "kind": item.found.kind if item.found else "",
                    "got": item.got,
                    "error": _error_name(item, call),
                    "seconds": round(report.duration, 3),
                }
            )
        return report


def _error_name(item: GradingCell, call: pytest.CallInfo) -> str:
    """The type and text of an error that the student's cell itself raised."""
    for output in item.test_outputs or ():
        if output.output_type == "error":
            return f"{output.ename}: {output.evalue}"[:300]
    return "" if call.excinfo is None else call.excinfo.typename


def keep_folder(folder: Path) -> None:
    """Make `pytest --nbval` work by hand on the notebooks in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # the notebooks hold the hidden inputs and what the references give
    text = '"""Grading notebooks: run `pytest --nbval` here."""\n\n'
    (folder / "conftest.py").write_text(text + 'pytest_plugins = ["course_lib.grading.plugin"]\n')
    (folder / "pytest.ini").write_text("[pytest]\n")  # else that of a folder above would count
