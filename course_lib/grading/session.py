"""One pytest session with nbval, in this process: the grading notebooks of one student."""

import contextlib
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

NO_KERNEL = "the grader could not start a kernel for it, twice: run the command again"


class _Listener:
    """Keeps the plugin's records when the session ends."""

    def __init__(self) -> None:
        self.records: list[dict] = []

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.records = session.config.stash[plugin.RECORDS]


def run_notebooks(files: list[Path], seconds: float) -> list[dict]:
    """Run pytest with nbval and our plugin on grading notebooks; what happened in each cell."""
    listener = _Listener()
    arguments = ["--nbval", "-c", os.devnull, "--noconftest", "-p", "no:cacheprovider", "-q"]
    arguments += ["--rootdir", str(files[0].parent), f"--nbval-cell-timeout={seconds}"]
    for name in ("unraisableexception", "threadexception", "faulthandler", "doctest", "unittest"):
        arguments += ["-p", f"no:{name}"]  # not needed, and some take long
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    os.environ.update(environment)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        plugins = [plugin, nbval.plugin, listener]
        pytest.main([*arguments, *map(str, files)], plugins=plugins)
    return listener.records


def grade_cells(
    folder: Path, cells: dict[str, Cell], plans: list[Plan], keys: dict[str, Key], seconds: float
) -> list[Mark]:
    """The marks for a student's cells; the grading notebooks are written to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for plan in plans:
        text = notebook(plan, cells[plan.exercise], keys[plan.exercise].expected)
        files.append(folder / f"{plan.exercise}.ipynb")
        files[-1].write_text(text, encoding="utf-8")
    records = _started(files, seconds, run_notebooks(files, seconds))
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


def _started(files: list[Path], seconds: float, records: list[dict]) -> list[dict]:
    """The records, with those of kernels that did not come up made anew, once.

    Nothing of the student's has run before the set-up cell has: that it fails is the grader's fault.
    """
    good = _started_exercises(records)
    again = [file for file in files if file.stem not in good]
    kept = [record for record in records if record["exercise"] in good]
    return kept + (run_notebooks(again, seconds) if again else [])


def record_references(folder: Path, plans: list[Plan], seconds: float) -> dict[str, list]:
    """What the references give on the hidden cases: all in one kernel, or, where that fails, each in
    the kernel that a student's cell would get."""
    folder.mkdir(parents=True, exist_ok=True)
    got: dict[str, list] = {plan.exercise: [None] * len(plan.cases) for plan in plans}
    together = folder / "references.ipynb"
    together.write_text(references_notebook(plans), encoding="utf-8")
    _record(got, run_notebooks([together], seconds * len(plans)))
    alone = []
    for plan in (plan for plan in plans if None in got[plan.exercise]):
        cell = Cell(runnable_source(find(plan.exercise)))
        alone.append(folder / f"{plan.exercise}.ipynb")
        alone[-1].write_text(notebook(plan, cell, expected=["null"] * len(plan.cases)))
    if alone:
        _record(got, run_notebooks(alone, seconds))
    return got


def _record(got: dict[str, list], records: list[dict]) -> None:
    for record in records:
        if record["role"] == "case":
            got[record["exercise"]][record["number"]] = record["got"]
