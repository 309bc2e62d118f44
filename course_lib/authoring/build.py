"""Run notebooks and write them: `python -m course_lib build [NN ...]`."""

import argparse
import ast
import os
import re
import shutil
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from course_lib.authoring.notebook import NOTEBOOKS, ROOT, assemble, built_path, sources

VIEWS = NOTEBOOKS / "views"
"""Where k3d's snapshots of the views stand, for the book."""
TIMEOUT = 1800
"""Seconds a single cell may take while building."""


def execute(notebook: NotebookNode, folder: Path = NOTEBOOKS) -> NotebookNode:
    """Run all cells in a fresh kernel in `folder`. Raises CellExecutionError if one fails."""
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        store_widget_state=False,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    _tidy(notebook)
    return notebook


def build(source: Path) -> Path:
    """Assemble, run and write one notebook, and snapshots of its views; returns its path."""
    views = VIEWS / source.stem[:2]
    shutil.rmtree(views, ignore_errors=True)
    os.environ["COURSE_VIEWS"] = str(views)
    notebook = execute(assemble(source))
    path = built_path(source)
    nbformat.write(notebook, path)
    return path


def refresh(source: Path) -> Path:
    """Bring the text of a built notebook up to date, keeping its outputs; returns its path.

    Raises ValueError if its code has changed, too: then it has to be built.
    """
    path, notebook = built_path(source), assemble(source)
    old = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    new = [c for c in notebook.cells if c.cell_type == "code"]
    if [_meaning(cell.source) for cell in old] != [_meaning(cell.source) for cell in new]:
        raise ValueError(f"the code of {source.name} has changed: build it without --text")
    for before, after in zip(old, new, strict=True):
        after.outputs, after.execution_count = before.outputs, before.execution_count
    nbformat.write(notebook, path)
    return path


def _meaning(code: str) -> str:
    """Code without layout and docstrings, so that these alone are no change; magics as they stand."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return code
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return ast.dump(tree)


def stale(source: Path) -> str:
    """Why the built notebook does not belong to its source any more; empty if it does."""
    path = built_path(source)
    if not path.exists():
        return f"{path.name} was never built"
    built, expected = nbformat.read(path, as_version=4), assemble(source)
    if [cell.id for cell in built.cells] != [cell.id for cell in expected.cells]:
        return f"{path.name} has other cells than its source: python -m course_lib build"
    for old, new in zip(built.cells, expected.cells, strict=True):
        if old.source != new.source:
            where = f"{path.name}, cell {new.id},"
            return f"{where} differs from its source: python -m course_lib build"
    return ""


def _tidy(notebook: NotebookNode) -> None:
    """Drop what differs from run to run or from machine to machine."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/plain" in data:
                data["text/plain"] = re.sub(r" at 0x[0-9a-f]+", "", data["text/plain"])


def called(source: Path) -> set[str]:
    """What a notebook may be called: 6, 06, 06_rendering, or either file's name or path."""
    built, number = built_path(source), source.stem[:2]
    names = {number, str(int(number)), source.stem, source.name, built.name}
    return names | {str(path.relative_to(ROOT)) for path in (source, built)}


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m course_lib build`."""
    parser.add_argument("notebooks", nargs="*", help="which: 6, 06 or 06_rendering; all if none")
    parser.add_argument(
        "--text", action="store_true", help="only the prose has changed: keep the outputs"
    )
    parser.add_argument("--stale", action="store_true", help="only those whose source has changed")


def run(options: argparse.Namespace) -> int:
    """Build the chosen notebooks; 1 if there is none, or at the first that cannot be built."""
    os.environ.pop("COURSE_FAST", None)
    os.environ["COURSE_STANDING"] = ""  # what the author has solved is no part of the notebook
    chosen = [s for s in sources() if not options.notebooks or called(s) & set(options.notebooks)]
    if options.stale:
        chosen = [source for source in chosen if stale(source)]
    elif not chosen:
        print(f"no notebook is called {', '.join(options.notebooks)}", file=sys.stderr)
        return 1
    for source in chosen:
        start = time.perf_counter()
        try:
            path = refresh(source) if options.text else build(source)
        except (CellExecutionError, ValueError) as error:
            print(f"{source.name}: {error}", file=sys.stderr)
            return 1
        seconds, size = time.perf_counter() - start, path.stat().st_size / 1000
        print(f"{path.name}: {seconds:.0f} s, {size:.0f} kB", flush=True)
    return 0
