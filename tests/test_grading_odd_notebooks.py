"""Notebooks as editors and students leave them: graded is what the notebook would have run."""

import json
from pathlib import Path

import nbformat
import pytest
import torch
from grading.notebooks import ANSWER, RIGHT, WRONG, book, cell

from course_lib.exercises import catalogue
from course_lib.grading import inside
from course_lib.grading.extract import Cell, Extract, extract
from course_lib.grading.slicing import python

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
NAMES = set(catalogue())
STUB = "def centroid(points):\n    raise NotImplementedError\n"
MINE = {"course": {"exercise": "centroid"}, "tags": ["exercise"]}
AVERAGE = "def centroid(points):\n    return average(points, 1)\n"
CHECK = cell("check-centroid", "centroid = check(centroid)")


def read(cells: list[dict], **fields) -> Extract:
    return extract(json.dumps(book(cells, **fields)).encode(), NAMES)


def value(found: Cell):
    """What the grader would run, run here: the answer's result on a cloud, or its value."""
    space = {name: getattr(inside, name) for name in inside.__all__}
    text = "\n".join(python(text) for text in [*found.needs, found.source])
    exec(text.replace("get_ipython()", "None and x"), space)
    answer = space.get("centroid", space.get("axis_that_points_up"))
    return answer(torch.arange(12.0).reshape(1, 4, 3)) if callable(answer) else answer


def is_right(found: Cell) -> bool:
    return bool(torch.equal(value(found), torch.tensor([[4.5, 5.5, 6.5]])))


def new(source: str, **fields) -> dict:
    """A cell that a student made."""
    return cell("0a1b2c3d", source, metadata={}, **fields)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_an_untouched_notebook_holds_no_answer(path):
    found = extract(path.read_bytes(), NAMES)
    assert found.notebooks == [path.stem[:2]]
    assert all(entry.is_stub and not entry.problem for entry in found.cells.values())
    numbers = {e.number.split(".")[0].zfill(2) for n, e in catalogue().items() if n in found.cells}
    assert numbers == {path.stem[:2]}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_without_ids_a_notebook_gives_the_same(path):
    whole = nbformat.read(path, as_version=4)
    before = extract(path.read_bytes(), NAMES)
    for entry in whole.cells:
        del entry["id"]
    whole.nbformat_minor = 4
    assert extract(nbformat.writes(whole).encode(), NAMES) == before
    for entry in whole.cells:
        entry.metadata = {}
    bare = extract(nbformat.writes(whole).encode(), NAMES)
    assert bare.notebooks == before.notebooks and not bare.cells


SURE = {
    "own cell": [cell("ex-centroid", RIGHT), CHECK],
    "new ids, names in the metadata": [cell("1f", RIGHT, metadata=MINE), CHECK],
    "no id and no metadata": [new(RIGHT), CHECK],
    "merged with its check": [cell("1f", RIGHT + "\n\ncentroid = check(centroid)", metadata=MINE)],
    "merged into its check": [cell("check-centroid", RIGHT + "\n\ncentroid = check(centroid)")],
    "helper split off": [
        cell("1f", "def total(x):\n    return x.sum(1)", metadata=MINE),
        cell("ex-centroid", "def centroid(x):\n    return total(x) / x.shape[1]"),
        CHECK,
    ],
    "tests split off": [
        cell("1f", RIGHT, metadata=MINE),
        cell("ex-centroid", "print(centroid(torch.ones(1, 2, 3)))"),
        CHECK,
    ],
    "helper below": [
        cell("ex-centroid", "def centroid(x):\n    return total(x) / x.shape[1]"),
        new("def total(x):\n    return x.sum(1)"),
        CHECK,
    ],
    "helper below the check": [
        cell("ex-centroid", "def centroid(x):\n    return total(x) / x.shape[1]"),
        CHECK,
        new("def total(x):\n    return x.sum(1)"),
    ],
    "star import": [
        new("from torch import *"),
        cell("ex-centroid", "def centroid(x):\n    return mean(x, 1)"),
        CHECK,
    ],
    "import in try": [
        new("try:\n    from torch import mean as average\nexcept ImportError:\n    pass"),
        cell("ex-centroid", AVERAGE),
        CHECK,
    ],
    "import beside a magic": [
        new("%load_ext autoreload\n%autoreload 2\n!ls\nfrom torch import mean as average"),
        cell("ex-centroid", "%matplotlib inline\n" + AVERAGE),
        CHECK,
    ],
    "timed cells": [
        new("%%time\nfrom torch import mean as average"),
        cell("ex-centroid", "%%time\n" + AVERAGE),
        CHECK,
    ],
    "constant, changed in place": [
        new("AXES = {}"),
        new("AXES['points'] = 1\nprint('ready')"),
        cell("ex-centroid", "def centroid(p):\n    return p.mean(AXES['points'])"),
        CHECK,
    ],
    "list filled in a loop": [
        new("rows = []\nfor i in range(2):\n    rows.append(i)"),
        cell("ex-centroid", "def centroid(p):\n    return p.mean(rows[1])"),
        CHECK,
    ],
    "lambda": [cell("ex-centroid", "centroid = lambda points: points.mean(1)"), CHECK],
    "lambda below the stub": [cell("ex-centroid", f"{STUB}centroid = lambda x: x.mean(1)"), CHECK],
    "decorated": [
        new("import functools\ndef traced(f):\n    return functools.wraps(f)(f)"),
        cell("ex-centroid", f"@traced\n{RIGHT}"),
        CHECK,
    ],
    "CR line ends": [cell("ex-centroid", RIGHT.replace("\n", "\r")), CHECK],
    "CRLF line ends": [cell("ex-centroid", [s + "\r\n" for s in RIGHT.splitlines()]), CHECK],
    "form feed in a text": [cell("ex-centroid", RIGHT + "x = 'a\u2028b\x0cc'\n"), CHECK],
    "first try above, same cell": [cell("ex-centroid", WRONG + "\n" + RIGHT), CHECK],
    "future import elsewhere": [
        new("from __future__ import annotations"),
        cell("ex-centroid", "def centroid(p: Cloud) -> Cloud:\n    return p.mean(1)"),
        CHECK,
    ],
    "await above": [
        new("import asyncio\nawait asyncio.sleep(0)\nfrom torch import mean as average"),
        cell("ex-centroid", AVERAGE),
        CHECK,
    ],
    "class for help": [
        new("class Cloud:\n    def __init__(self, p):\n        self.p = p\n"),
        new("Cloud.middle = lambda self: self.p.mean(1)"),
        cell("ex-centroid", "def centroid(p):\n    return Cloud(p).middle()"),
        CHECK,
    ],
    "a method added to tensors": [
        new("import torch\n\ndef middle(p):\n    return p.mean(1)\n\ntorch.Tensor.middle = middle"),
        cell("ex-centroid", "def centroid(p):\n    return p.middle()"),
        CHECK,
    ],
    "methods added by setattr": [
        new(
            "import torch\nfor name in ['middle']:\n    setattr(torch.Tensor, name, lambda p: p.mean(1))"
        ),
        cell("ex-centroid", "def centroid(p):\n    return p.middle()"),
        CHECK,
    ],
    "a helper that another cell registers": [
        new("TABLE = {}\ndef add(f):\n    TABLE['f'] = f\n    return f"),
        new("@add\ndef middle(p):\n    return p.mean(1)"),
        cell("ex-centroid", "def centroid(p):\n    return TABLE['f'](p)"),
        CHECK,
    ],
    "a kind added to a function of many": [
        new("from functools import singledispatch\n@singledispatch\ndef middle(p):\n    return 0"),
        new("@middle.register(torch.Tensor)\ndef _(p):\n    return p.mean(1)"),
        cell("ex-centroid", "def centroid(p):\n    return middle(p)"),
        CHECK,
    ],
    "a global set by a call": [
        new("AXIS = 0\ndef choose():\n    global AXIS\n    AXIS = 1"),
        new("choose()"),
        cell("ex-centroid", "def centroid(p):\n    return p.mean(AXIS)"),
        CHECK,
    ],
    "a test before the answer": [
        new("cloud = torch.ones(1, 2, 3)"),
        cell("ex-centroid", "print(cloud.shape)\n" + RIGHT),
        CHECK,
    ],
}


@pytest.mark.parametrize("name", SURE)
def test_a_right_answer_is_found_with_what_it_needs(name):
    found = read(SURE[name]).cells["centroid"]
    assert is_right(found) and not found.doubt


DOUBTFUL = {
    "another name, checked as this": [
        cell("ex-centroid", STUB),
        new("def mine(points):\n    return points.mean(1)\n"),
        cell("check-centroid", 'centroid = check(mine, "centroid")'),
    ],
    "new cell below the first try": [cell("ex-centroid", WRONG), new(RIGHT), CHECK],
    "new cell below the stub": [cell("ex-centroid", STUB), new(RIGHT), CHECK],
    "below the check, run before it": [
        cell("ex-centroid", WRONG, execution_count=1),
        {**CHECK, "execution_count": 5},
        new(RIGHT, execution_count=4),
    ],
    "in its check cell": [
        cell("ex-centroid", STUB),
        cell("check-centroid", f"{RIGHT}\ncentroid = check(centroid)"),
    ],
    "better in its check cell": [
        cell("ex-centroid", WRONG),
        cell("check-centroid", f"{RIGHT}\ncentroid = check(centroid)"),
    ],
    "wrapped in another cell": [
        cell("ex-centroid", "def centroid(p, axis):\n    return p.mean(axis)"),
        new("from functools import partial\ncentroid = partial(centroid, axis=1)"),
        CHECK,
    ],
    "a value that is set again": [
        cell(
            "ex-centroid", "axis = 2\ndef centroid(p):\n    return p.mean(1)\ncentroid.axis = axis"
        ),
        new("axis = 1\ncentroid.axis = axis"),
        CHECK,
    ],
    "a list that a call fills": [
        new("axes = [1]"),
        new("import random\nrandom.shuffle(axes)"),
        cell("ex-centroid", "def centroid(p):\n    return p.mean(axes[0])"),
        CHECK,
    ],
    "FAST": [
        cell("ex-centroid", "def centroid(p):\n    return p.mean(1 if FAST else 1)"),
        CHECK,
    ],
    "below the check only": [cell("ex-centroid", STUB), CHECK, new(RIGHT)],
    "two cells with the id": [cell("ex-centroid", WRONG), cell("ex-centroid", RIGHT), CHECK],
    "an empty copy below": [cell("ex-centroid", RIGHT), cell("ex-centroid", STUB), CHECK],
    "raw": [cell("ex-centroid", RIGHT, cell_type="raw"), CHECK],
    "Markdown": [cell("ex-centroid", RIGHT, cell_type="markdown"), CHECK],
    "Markdown, fenced": [
        cell("ex-centroid", f"My answer:\n```python\n{RIGHT}```\n", cell_type="markdown"),
        CHECK,
    ],
    "experiments below the check": [
        cell("ex-centroid", RIGHT),
        CHECK,
        new("def centroid(points):\n    return points.median(1)"),
    ],
}


@pytest.mark.parametrize("name", DOUBTFUL)
def test_a_right_answer_in_an_odd_place_is_found_and_a_human_is_told(name):
    found = read(DOUBTFUL[name]).cells["centroid"]
    assert is_right(found) and found.doubt


SAVED = json.loads((Path(__file__).parent / "grading" / "saved_by_jupyterlab.json").read_text())
"""What JupyterLab 4.6 saved after its own commands, on the two exercises of notebook 00."""
FOR_A_HUMAN = {"left-as-markdown", "left-as-raw", "new-cell-below"}


def as_classic(whole: dict, minor: int) -> dict:
    """The notebook as the classic editor saves it, in nbformat 4.`minor`: without ids, folded cells."""
    cells = [{key: value for key, value in c.items() if key != "id"} for c in whole["cells"]]
    for code in (c for c in cells if c["cell_type"] == "code"):
        code["metadata"] = {**code["metadata"], "collapsed": True, "scrolled": False}
    kernel = {"kernelspec": {"name": "python3"}, "language_info": {"version": "3.9.7"}}
    return {**whole, "cells": cells, "metadata": kernel, "nbformat_minor": minor}


@pytest.mark.parametrize("minor", [5, 4, 2, 0])
@pytest.mark.parametrize("name", SAVED)
def test_what_editors_save_holds_the_right_answer(name, minor):
    whole = SAVED[name] if minor == 5 else as_classic(SAVED[name], minor)
    found = extract(json.dumps(whole).encode(), NAMES)
    assert found.notebooks == ["00"] and is_right(found.cells["centroid"])
    assert bool(found.cells["centroid"].doubt) == (name in FOR_A_HUMAN)


def test_a_question_is_found_without_its_id():
    check = cell("y", '_ = check(axis_that_points_up, "axis_that_points_up")')
    for entry in (new(ANSWER), cell("1f", ANSWER + "\n" + check["source"])):
        assert value(read([entry, check]).cells["axis_that_points_up"]) == "B"


def test_names_that_nothing_defines_are_told():
    found = read(
        [cell("ex-centroid", "def centroid(p):\n    x = len(p)\n    return f(p) / x"), CHECK]
    )
    assert found.cells["centroid"].unknown == ["f"]


def test_other_exercises_of_the_notebook_count_as_solved():
    coordinates = "def laplacian_coordinates(p, e):\n    return 'wrong'\n"
    loss = "def laplacian_loss(p, e):\n    return laplacian_coordinates(p, e).square().sum()\n"
    cells = [cell("ex-laplacian_coordinates", coordinates), cell("ex-laplacian_loss", loss)]
    found = read(cells).cells["laplacian_loss"]
    assert found.needs == [] and found.unknown == []


def test_cells_of_another_notebook_do_not_make_it_that_one():
    cells = [cell("ex-centroid", RIGHT), cell("ex-axis_that_points_up", ANSWER), CHECK]
    found = read([*cells, cell("ex-iou", "def iou(a, b):\n    return a\n")])
    assert found.notebooks == ["00"]


def test_an_answer_from_a_file_that_is_not_there_is_for_a_human():
    found = read([cell("ex-centroid", f"{STUB}from solution import centroid"), CHECK])
    assert "imported" in found.cells["centroid"].problem


def test_an_answer_in_words_below_the_empty_cell_is_for_a_human():
    check = cell("y", '_ = check(axis_that_points_up, "axis_that_points_up")')
    text = cell("x", "**B**, as y is up", cell_type="markdown")
    empty = cell("ex-axis_that_points_up", "axis_that_points_up = ...")
    fenced = cell("z", '```python\naxis_that_points_up = "B"\n```', cell_type="markdown")
    for above, between, problem in (([], [text], True), ([fenced], [], True), ([], [], False)):
        found = read([*above, empty, *between, check, text]).cells["axis_that_points_up"]
        assert found.is_stub and bool(found.problem) == problem


@pytest.mark.parametrize("magic", ["%%writefile mine.py", "%%script false", "%%skip"])
def test_a_cell_that_is_no_python_is_no_stub(magic):
    assert not read([cell("ex-centroid", f"{magic}\n{RIGHT}"), CHECK]).cells["centroid"].is_stub


def test_what_the_course_wrote_elsewhere_is_no_answer():
    cells = [cell("ex-centroid", STUB), CHECK, cell("s3-23-04", "def psnr(a, b):\n    return a")]
    assert "psnr" not in read(cells).cells
