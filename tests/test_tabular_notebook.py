"""Notebook 01 runs to its end with a language model: a tiny random one. nbval runs it without."""

import jupytext
import pytest
import torch
from tiny_llm import tiny_llm

from course_lib import tabular
from course_lib.authoring.notebook import NOTEBOOKS
from course_lib.checking import check, hint, progress, solution
from course_lib.checking.sources import stub_source
from course_lib.exercises import find

SOURCE = NOTEBOOKS / "src" / "01_tabular_as_text.py"


def cells():
    """The code of the notebook, exercises as stubs."""
    for cell in jupytext.reads(SOURCE.read_text(encoding="utf-8"), fmt="py:percent").cells:
        title = cell.metadata.get("title", "") or ""
        if title.startswith("[exercise] "):
            name = title.removeprefix("[exercise] ")
            yield stub_source(find(name)) + f'\n{name} = check({name}, "{name}")'
        elif cell.cell_type == "code" and title != "[setup]":
            yield cell.source


@pytest.mark.slow
def test_the_notebook_runs_with_a_model(monkeypatch, capsys):
    import numpy as np

    monkeypatch.setenv("COURSE_FAST", "1")
    monkeypatch.setattr(tabular, "load_llm", tiny_llm)
    helpers = {"check": check, "hint": hint, "progress": progress, "solution": solution}
    names = {"torch": torch, "np": np, "DEVICE": "cpu", "FAST": True, **helpers}
    names["__name__"] = "notebook"
    for source in cells():
        exec(compile(source, SOURCE.name, "exec"), names)
    assert "No language model on this machine" not in capsys.readouterr().out
    explorer = names["explorer"]
    before = explorer.text
    explorer.controls["age"].value = 80
    assert "80 year old" in explorer.text and explorer.text != before
    explorer.controls["method"].value = "text template"
    assert "The Age is 80." in explorer.text
