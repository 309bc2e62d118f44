"""One pytest session with nbval, in this process: the grading notebooks of one student."""

import contextlib
import json
import os
from pathlib import Path

import nbval.plugin
import pytest

from course_lib.checking.sources import runnable_source
from course_lib.exercises import find
from course_lib.grading import plugin
from course_lib.grading.assemble import Plan, notebook, references_notebook
from course_lib.grading.extract import Cell
from course_lib.grading.marks import NOT_GRADED, Key, Mark, mark, without_grading
from course_lib.grading.suspicion import suspicions

NOT_NEEDED = ["cacheprovider", "doctest", "faulthandler", "logging", "threadexception"]
NOT_NEEDED += ["unittest", "unraisableexception"]
"""Plugins of pytest that take long, some as long as the kernels."""
NO_KERNEL = "the grader could not start a kernel for it, twice: run the command again"


class _Listener:
    """Keeps the plugin's records when the session ends."""

    def __init__(self) -> None:
        self.records: list[dict] = []

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.records = session.config.stash[plugin.RECORDS]


def run_notebooks(folder: Path, texts: dict[str, str], seconds: float) -> list[dict]:
    """Write grading notebooks into a new folder and run pytest with nbval and our plugin on it; what
    happened in each cell."""
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / f"{name}.ipynb").write_text(text, encoding="utf-8")
    listener = _Listener()
    arguments = ["--nbval", "-c", os.devnull, "--noconftest", "-q", "-s"]
    arguments += ["--rootdir", str(folder), f"--nbval-cell-timeout={seconds}"]
    for name in NOT_NEEDED:
        arguments += ["-p", f"no:{name}"]
    os.environ.update(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", PYTEST_ADDOPTS="")
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        pytest.main([*arguments, str(folder)], plugins=[plugin, nbval.plugin, listener])
    return listener.records


def grade_cells(
    folder: Path, cells: dict[str, Cell], plans: list[Plan], keys: dict[str, Key], seconds: float
) -> list[Mark]:
    """The marks for a student's cells; the grading notebooks are written to `folder`."""
    texts = {p.exercise: notebook(p, cells[p.exercise], keys[p.exercise].expected) for p in plans}
    records = run_notebooks(folder, texts, seconds)
    # Before its set-up cell nothing of the student's has run: that it fails is the grader's fault.
    again = {name: texts[name] for name in texts.keys() - _started_exercises(records)}
    if again:
        records = [record for record in records if record["exercise"] not in again]
        records += run_notebooks(folder / "again", again, seconds)
    marks = []
    for plan in plans:
        own = [record for record in records if record["exercise"] == plan.exercise]
        if _started_exercises(own):
            marks.append(mark(plan, keys[plan.exercise], cells[plan.exercise], own))
            marks[-1].flags += suspicions(cells[plan.exercise].source)
        else:
            marks.append(without_grading(plan, NOT_GRADED, NO_KERNEL))
    return marks


def _started_exercises(records: list[dict]) -> set[str]:
    """The exercises whose kernel came up: their set-up cell, which is the grader's, passed."""
    return {r["exercise"] for r in records if r["role"] == "set-up" and r["passed"]}


def record_references(folder: Path, plans: list[Plan], seconds: float) -> dict[str, list]:
    """What the references give on the hidden cases: all in one kernel, or, where that fails, each in
    the kernel that a student's cell would get."""
    got: dict[str, list] = {plan.exercise: [None] * len(plan.cases) for plan in plans}
    together = {"references": references_notebook(plans)}
    _record(got, run_notebooks(folder / "together", together, seconds * len(plans)))
    alone = {
        plan.exercise: notebook(plan, Cell(runnable_source(find(plan.exercise))))
        for plan in plans
        if not is_usable(got[plan.exercise])
    }
    if alone:
        _record(got, run_notebooks(folder / "alone", alone, seconds))
    return got


def is_usable(expected: list[str | None]) -> bool:
    """True for outcomes of a reference that ran: on a busy machine it may be out of time."""
    texts = [text for text in expected if text is not None]
    if len(texts) < len(expected):
        return False
    kinds = {"NotImplementedError", "NotDefined", "TimeLimitReached"}
    failures = [json.loads(text)["failure"] for text in texts]
    return not any(failure and failure["kind"] in kinds for failure in failures)


def _record(got: dict[str, list], records: list[dict]) -> None:
    for record in records:
        if record["role"] == "case":
            got[record["exercise"]][record["number"]] = record["got"]
