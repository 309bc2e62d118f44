"""One pytest session with nbval, in this process: the grading notebooks of one student."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nbval.plugin
import pytest

from course_lib.checking.sources import runnable_source
from course_lib.exercises import find
from course_lib.grading import plugin
from course_lib.grading.assemble import Plan, notebook, references_notebook
from course_lib.grading.extract import Cell
from course_lib.grading.marks import NOT_GRADED, Key, Mark, mark, without_grading
from course_lib.grading.pool import run_all
from course_lib.grading.students import Student, Tasks, safe_name
from course_lib.grading.suspicion import suspicions
from course_lib.grading.workspace import Run

NOT_NEEDED = ["cacheprovider", "doctest", "faulthandler", "logging", "threadexception"]
NOT_NEEDED += ["unittest", "unraisableexception"]
"""Plugins of pytest that take long, some as long as the kernels."""
NO_KERNEL = "the grader could not start a kernel for it, twice: run the command again"


def run_notebooks(folder: Path, texts: dict[str, str], seconds: float) -> list[dict]:
    """Write grading notebooks into a new folder and run pytest with nbval and our plugin on it; what
    happened in each cell."""
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / f"{name}.ipynb").write_text(text, encoding="utf-8")
    recorder = plugin.Recorder()
    arguments = ["--nbval", "-c", os.devnull, "--noconftest", "-q", "-s"]
    arguments += ["--rootdir", str(folder), f"--nbval-cell-timeout={seconds}"]
    for name in NOT_NEEDED:
        arguments += ["-p", f"no:{name}"]
    os.environ.update(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", PYTEST_ADDOPTS="")
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        pytest.main([*arguments, str(folder)], plugins=[plugin, nbval.plugin, recorder])
    return recorder.records


def grade_cells(
    folder: Path, cells: dict[str, Cell], plans: list[Plan], keys: dict[str, Key], seconds: float
) -> list[Mark]:
    """The marks for a student's cells; the grading notebooks are written to `folder`."""
    texts = {p.exercise: notebook(p, cells[p.exercise], keys[p.exercise].expected) for p in plans}
    records = run_notebooks(folder, texts, seconds)
    marks = []
    for plan in plans:
        own = [record for record in records if record["exercise"] == plan.exercise]
        # Before its set-up cell nothing of the student's has run: that it fails is the grader's fault.
        if any(record["role"] == "set-up" and record["passed"] for record in own):
            marks.append(mark(plan, keys[plan.exercise], cells[plan.exercise], own))
            marks[-1].flags += suspicions(cells[plan.exercise].source)
        else:
            marks.append(without_grading(plan, NOT_GRADED, NO_KERNEL))
    return marks


def grade_here(
    run: Run, tasks: Tasks, keys: dict[str, Key], kept: Path | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield (student, marks as data) as they end, `run.jobs` at a time; TaskLost where there are none.

    With `kept` the grading notebooks are copied there.
    """
    folders = {name: run.work / "notebooks" / f"{index:05d}" for index, name in enumerate(tasks)}

    def work(task: tuple[Student, list[Plan]]) -> list[dict]:
        student, todo = task
        folder = folders[student.name]
        marks = grade_cells(folder, student.cells, todo, keys, run.seconds)
        if kept:
            shutil.copytree(folder, kept / safe_name(student.name), dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        return [asdict(mark) for mark in marks]

    longest = max(len(todo) for _, todo in tasks.values())
    seconds = 60 + longest * (run.seconds + 60)
    return run_all(work, list(tasks.items()), jobs=run.jobs, seconds=seconds)


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
