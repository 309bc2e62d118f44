"""A notebook from its source: notebooks/src/NN_name.py (jupytext percent) to cells with fixed ids.

What is written short is expanded here, so that it is said once:

    # %% [setup]               the standard set-up cell
    # %% [exercise] NAME       the stub of that exercise, then the cell that checks it
    [[NAME]]                   in prose: the number of that exercise
    **Exercise [[NAME]].**     is followed by how hard it is, and the minutes that it takes
    (the first heading)        is followed by links, and what to know in Colab
    (a section's heading)      is followed by the sections that it needs, if it needs any
"""

import re
from importlib.metadata import metadata
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from course_lib.authoring.sections import HEADING, needs
from course_lib.checking.collect import KERNEL
from course_lib.checking.sources import stub_source
from course_lib.exercises import find
from course_lib.exercises.exercise import Question
from course_lib.exercises.order import ORDER

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
FOR_TOOLS = re.compile(r" +# (?:fmt: \w+|noqa\b.*)$", re.MULTILINE)
"""Comments for the formatter and the linter, which students need not see."""

SETUP = """\
# Set-up: run this cell first. It works in JupyterLab and Colab, with or without a GPU, and twice.
import importlib.util
import os
import subprocess
import sys

if importlib.util.find_spec("course_lib") is None:  # in Colab: fetch the course
    source = os.environ.get("COURSE_SOURCE", "git+{repository}")
    pip = [sys.executable, "-m", "pip", "install", "-q", f"course-lib @ {{source}}"]
    silent = os.environ | {{"GIT_TERMINAL_PROMPT": "0"}}  # nobody could answer
    if subprocess.run(pip, env=silent, capture_output=True).returncode:
        class NotFetched(Exception):
            _render_traceback_ = lambda self: [str(self)]  # one sentence, no trace
        raise NotFetched(f"The course could not be fetched from {{source}}: see that this machine has"
                         " a network and run this cell again, or ask your instructor for the address.")

import course_lib  # before torch, so that its threads do not get in the way of other programs
import numpy as np
import torch
from course_lib.checking import check, hint, progress, solution, take_up
from course_lib.running import is_fast

take_up("{number}", globals())  # what is not solved stands for the reference
FAST, DEVICE = is_fast(), "cuda" if torch.cuda.is_available() else "cpu"
print(f"Ready: torch {{torch.__version__.split('+')[0]}} on {{DEVICE.upper()}}.")"""

IN_COLAB = """

<details><summary><b>In Colab:</b> first of all save a copy in Drive (menu <i>File</i>)</summary>

- Without a copy your answers go with the tab. Choose a GPU: *Runtime › Change runtime type › T4*.
- When Colab disconnects, variables and trained networks are lost, your text is not. Run the set-up and
  the cells above the first section, then go on where you were; a section that needs more says so.
- `progress()` remembers what you have done if Drive is mounted (the folder at the left).
- All notebooks in Colab: {notebooks}

</details>"""
HARD = ("easy", "medium", "hard")
EFFORT = {name: effort for names in ORDER.values() for name, effort in names.items()}
TASK = re.compile(r"\*\*(?:Exercise|Question)s? [^*\n]*\*\*")


def repository() -> str:
    """The address of the course's repository, which is said once, in pyproject.toml."""
    lines = metadata("course-lib").get_all("Project-URL") or []
    return dict(line.split(", ", 1) for line in lines)["Repository"]


def colab(address: str) -> str:
    """Where Colab opens the notebooks of the repository at `address`."""
    place = address.removeprefix("https://github.com/")
    return f"https://colab.research.google.com/github/{place}/blob/main/notebooks"


def sources() -> list[Path]:
    """The sources of all notebooks, in the order of the course."""
    return sorted((NOTEBOOKS / "src").glob("[0-9][0-9]_*.py"))


def built_path(source: Path) -> Path:
    """Where the notebook built from a source stands."""
    return NOTEBOOKS / f"{source.stem}.ipynb"


def assemble(source: Path) -> NotebookNode:
    """The notebook of a source before it is run: cells expanded, ids fixed, no outputs."""
    address, cells = repository(), []
    setup = SETUP.format(repository=address, number=source.stem[:2])
    for cell in jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent").cells:
        cells.extend(_expand(cell, setup))
        if len(cells) == 1:
            cells.append(_links(source, address))
    _fix_ids(cells)
    _say_needs(cells)
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata = NotebookNode(kernelspec=KERNEL, language_info={"name": "python"})
    nbformat.validate(notebook)
    return notebook


def _expand(cell: NotebookNode, setup: str) -> list[NotebookNode]:
    title = cell.metadata.pop("title", "") or ""
    if title == "[setup]":
        return [new_code_cell(setup, id="setup")]
    if title.startswith("[exercise] "):
        return _exercise_cells(title.removeprefix("[exercise] ").strip())
    cell.source = FOR_TOOLS.sub("", cell.source)
    tags = {"tags": cell.metadata["tags"]} if "tags" in cell.metadata else {}
    if cell.cell_type == "code":
        return [new_code_cell(cell.source, metadata=tags, id="unnamed")]
    text = TASK.sub(lambda task: f"{task[0]} {_effort(task[0])}", cell.source)
    text = re.sub(r"\[\[(\w+)\]\]", lambda name: find(name[1]).number, text)
    return [new_markdown_cell(text, metadata=tags, id="unnamed")]


def _effort(task: str) -> str:
    """How hard the exercises [[a]], [[a]] and [[b]], or [[a]]–[[b]] of a text are, and their minutes."""
    names = re.findall(r"\[\[(\w+)\]\]", task)
    if "–" in task:
        first, last = map(list(EFFORT).index, names)
        names = list(EFFORT)[first : last + 1]
    minutes, hard = zip(*(EFFORT[name] for name in names), strict=True)
    plural = "s" if sum(minutes) > 1 else ""
    return f"*({HARD[max(hard) - 1]}, about {sum(minutes)} minute{plural})*"


def _say_needs(cells: list[NotebookNode]) -> None:
    """Say below the headings of sections which other cells they need."""
    wanted = needs(cells)
    first = next((found[1] for c in cells for found in [HEADING.search(c.source)] if found), "")
    for cell in cells:
        found = HEADING.search(cell.source) if cell.cell_type == "markdown" else None
        if found and found[1] in wanted:
            said = f"*After a restart: needs {_listed(wanted[found[1]], first)}.*"
            cell.source = f"{cell.source[: found.end()]}\n{said}\n{cell.source[found.end() :]}"


def _listed(numbers: list[str], first: str) -> str:
    """Which cells these sections are, with those above the first section."""
    runs: list[list[str]] = []
    for number in numbers:
        after = runs and int(number.split(".")[1]) == int(runs[-1][-1].split(".")[1]) + 1
        runs = [*runs[:-1], [*runs[-1], number]] if after else [*runs, [number]]
    start = f"the cells above {first}"
    if numbers[0] == first:
        start = f"all cells up to the end of {runs.pop(0)[-1]}"
    rest = [f"{run[0]} to {run[-1]}" if len(run) > 1 else run[0] for run in runs]
    return f"{start} and those of {' and '.join(rest)}" if rest else start


def _exercise_cells(name: str) -> list[NotebookNode]:
    exercise = find(name)
    stub = new_code_cell(
        stub_source(exercise),
        id=f"ex-{name}",
        metadata={"tags": ["exercise"], "course": {"exercise": name}},
    )
    # `_ =`, not `;`: outside a front end (nbval) a semicolon does not keep the answer from being shown
    is_question = isinstance(exercise, Question)
    call = f'_ = check({name}, "{name}")' if is_question else f"{name} = check({name})"
    tags = {"tags": ["check", "nbval-check-output"]}
    return [stub, new_code_cell(call, id=f"check-{name}", metadata=tags)]


def _links(source: Path, address: str) -> NotebookNode:
    names = [built_path(other).name for other in sources()]
    name = built_path(source).name
    position = names.index(name) if name in names else 0
    folder = colab(address)
    parts = [f"[Open in Colab]({folder}/{name})"]
    if position > 0:
        parts.insert(0, f"[← previous]({names[position - 1]})")
    if position + 1 < len(names):
        parts.append(f"[next →]({names[position + 1]})")
    all_of_them = " · ".join(f"[{int(other[:2])}]({folder}/{other})" for other in names)
    return new_markdown_cell(" · ".join(parts) + IN_COLAB.format(notebooks=all_of_them), id="links")


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
