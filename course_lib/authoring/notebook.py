"""A notebook from its source: notebooks/src/NN_name.py (jupytext percent) to cells with fixed ids.

Four things are written short and expanded here, so that they are said once:

    # %% [setup]               the standard set-up cell
    # %% [exercise] NAME       the stub of that exercise, then the cell that checks it
    [[NAME]]                   in prose: the number of that exercise
    (the first heading)        is followed by a line of links: Colab, previous, next
"""

import re
from importlib.metadata import metadata
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from course_lib.checking.sources import stub_source
from course_lib.exercises import find
from course_lib.exercises.exercise import Question

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
FOR_TOOLS = re.compile(r" +# (?:fmt: \w+|noqa\b.*)$", re.MULTILINE)
"""Comments for the formatter and the linter, which students need not see."""
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}

SETUP = """\
# Set-up: run this cell first. It works in JupyterLab and Colab, with or without a GPU, and twice.
import importlib.util
import os

if importlib.util.find_spec("course_lib") is None:  # in Colab: fetch the course
    source = os.environ.get("COURSE_SOURCE", "git+{repository}")
    %pip install -q "course-lib @ {{source}}"

import numpy as np
import torch

from course_lib.checking import check, hint, progress, solution
from course_lib.running import is_fast

FAST = is_fast()  # True only in tests: the same code with small budgets
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
print(f"Ready: torch {{torch.__version__.split('+')[0]}} on {{DEVICE.upper()}}.")"""


def repository() -> str:
    """The address of the course's repository, which is said once, in pyproject.toml."""
    for line in metadata("course-lib").get_all("Project-URL") or []:
        name, _, address = line.partition(", ")
        if name == "Repository":
            return address
    raise LookupError("pyproject.toml names no Repository under [project.urls]")


def sources() -> list[Path]:
    """The sources of all notebooks, in the order of the course."""
    return sorted((NOTEBOOKS / "src").glob("[0-9][0-9]_*.py"))


def built_path(source: Path) -> Path:
    """Where the notebook built from a source stands."""
    return NOTEBOOKS / f"{source.stem}.ipynb"


def assemble(source: Path, address: str | None = None) -> NotebookNode:
    """The notebook of a source before it is run: cells expanded, ids fixed, no outputs.

    `address` is the repository that links and the set-up cell point to (default: `repository()`).
    """
    address = address or repository()
    cells: list[NotebookNode] = []
    for cell in jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent").cells:
        cells.extend(_expand(cell, address))
        if len(cells) == 1:
            cells.append(_links(source, address))
    _fix_ids(cells)
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata = NotebookNode(kernelspec=KERNEL, language_info={"name": "python"})
    nbformat.validate(notebook)
    return notebook


def _expand(cell: NotebookNode, address: str) -> list[NotebookNode]:
    title = cell.metadata.pop("title", "") or ""
    if title == "[setup]":
        return [new_code_cell(SETUP.format(repository=address), id="setup")]
    if title.startswith("[exercise] "):
        return _exercise_cells(title.removeprefix("[exercise] ").strip())
    cell.source = FOR_TOOLS.sub("", cell.source)
    tags = {"tags": cell.metadata["tags"]} if "tags" in cell.metadata else {}
    if cell.cell_type == "code":
        return [new_code_cell(cell.source, metadata=tags, id="unnamed")]
    text = re.sub(r"\[\[(\w+)\]\]", lambda name: find(name[1]).number, cell.source)
    return [new_markdown_cell(text, metadata=tags, id="unnamed")]


def _exercise_cells(name: str) -> list[NotebookNode]:
    exercise = find(name)
    stub = new_code_cell(
        stub_source(exercise),
        id=f"ex-{name}",
        metadata={"tags": ["exercise"], "course": {"exercise": name}},
    )
    # `_ =`, not `;`: outside a front end (nbval) a semicolon does not keep the answer from being shown
    call = (
        f'_ = check({name}, "{name}")'
        if isinstance(exercise, Question)
        else f"{name} = check({name})"
    )
    check = new_code_cell(
        call, id=f"check-{name}", metadata={"tags": ["check", "nbval-check-output"]}
    )
    return [stub, check]


def _links(source: Path, address: str) -> NotebookNode:
    everything = sources()
    position = everything.index(source) if source in everything else 0
    name = built_path(source).name
    place = address.removeprefix("https://github.com/")
    colab = f"https://colab.research.google.com/github/{place}/blob/main/notebooks/{name}"
    parts = [f"[Open in Colab]({colab})"]
    if position > 0:
        parts.insert(0, f"[← previous]({built_path(everything[position - 1]).name})")
    if position + 1 < len(everything):
        parts.append(f"[next →]({built_path(everything[position + 1]).name})")
    return new_markdown_cell(" · ".join(parts), id="links")


def _fix_ids(cells: list[NotebookNode]) -> None:
    """Give unnamed cells the id of their section's number and their place in the section."""
    section, count = "s0", 0
    for cell in cells:
        headings = re.findall(r"^#+ +(\d+(?:\.\d+)*)\b", cell.source, re.MULTILINE)
        if cell.cell_type == "markdown" and headings:
            section, count = "s" + headings[-1].replace(".", "-"), 0
        if cell.id == "unnamed":
            count += 1
            cell.id = f"{section}-{count:02d}"
    seen: set[str] = set()
    for cell in cells:
        while cell.id in seen:
            cell.id += "x"
        seen.add(cell.id)
