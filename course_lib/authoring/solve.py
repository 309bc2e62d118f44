"""The solved edition of a notebook: `python -m course_lib solve NOTEBOOK --out PATH`."""

import argparse
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_output

from course_lib.checking.render import report_message
from course_lib.checking.report import Report, State
from course_lib.checking.sources import runnable_source
from course_lib.exercises import find
from course_lib.exercises.exercise import Exercise


def solve(notebook: NotebookNode) -> NotebookNode:
    """Put the reference into every exercise cell, and *correct* as the output of every check.

    The other outputs are dropped. Run the result with nbval: a check that finds anything else than
    *correct* fails.
    """
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs, cell.execution_count = [], None
        if cell.id.startswith("ex-"):
            cell.source = runnable_source(find(cell.id.removeprefix("ex-")))
        elif cell.id.startswith("check-"):
            cell.outputs = [_correct(find(cell.id.removeprefix("check-")))]
            cell.execution_count = 1
    return notebook


def _correct(exercise: Exercise) -> NotebookNode:
    total = len(exercise.cases)
    message = report_message(Report(exercise, State.CORRECT, total, total))
    data = {"text/html": message._repr_html_(), "text/plain": repr(message)}
    return new_output("display_data", data)


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m course_lib solve`."""
    parser.add_argument("notebook", type=Path, help="a notebook of the course")
    parser.add_argument("--out", type=Path, required=True, help="where to write the solved edition")


def run(options: argparse.Namespace) -> int:
    """Write the solved edition."""
    options.out.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(solve(nbformat.read(options.notebook, as_version=4)), options.out)
    print(f"wrote {options.out}")
    return 0
