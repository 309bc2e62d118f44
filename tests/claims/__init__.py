"""Sentences of the notebooks as experiments on seeds that their authors did not choose.

`@claim("2.3", "a sentence of 2.3")` stands over a function from a seed to a margin: the sentence holds
where it is positive (True is). `pytest tests/claims` runs the quick claims on five seeds;
`COURSE_CLAIMS=all pytest tests/claims` runs all of them on ten, and writes table.md.
"""

import ast
import os
import re
import statistics
import time
from functools import cache
from pathlib import Path

import jupytext
import numpy as np
import pytest
import torch

from course_lib.authoring.notebook import sources
from course_lib.exercises import written
from course_lib.running import Budget

ALL = os.environ.get("COURSE_CLAIMS") == "all"
TABLE = Path(__file__).parent / "table.md"
HEAD = (
    "Made by `COURSE_CLAIMS=all python -m pytest tests/claims`: for how many of ten seeds a sentence "
    "holds, the margin by which (mean ± deviation; 1 where it is yes or no), and CPU seconds a seed.\n\n"
    "| section | sentence | holds | margin | seconds |\n|---|---|---|---|---|\n"
)


def claim(section: str, sentence: str, *, slow: bool = False):
    """A test of that sentence; `slow` (over two CPU seconds) ones run with COURSE_CLAIMS=all only."""

    def decorate(experiment):
        def test():
            assert sentence in prose(section), f"{section} no longer says this"
            start = time.process_time()
            margins = [float(experiment(1000 + seed)) for seed in range(10 if ALL else 5)]
            if ALL:
                note(section, sentence, margins, (time.process_time() - start) / len(margins))
            held = sum(margin > 0 for margin in margins)
            assert held >= 0.9 * len(margins) - 0.5, margins  # 9 of 10, 4 of 5

        return pytest.mark.skipif(slow and not ALL, reason="slow: COURSE_CLAIMS=all runs it")(test)

    return decorate


@cache
def cells(number: int) -> list:
    """The cells of a notebook's source."""
    return jupytext.reads(sources()[number].read_text(encoding="utf-8"), fmt="py:percent").cells


def prose(section: str) -> str:
    """The text of a section in one line."""
    text = "\n".join(
        c.source for c in cells(int(section.split(".")[0])) if "markdown" in c.cell_type
    )
    found = re.search(rf"^## {re.escape(section)} .*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return " ".join(found[0].split()) if found else ""


class Unhurried(Budget):
    """A budget of steps without a limit of time: a busy machine must not change what is claimed."""

    def _is_over(self) -> bool:
        return self.done == self.steps


def notebook(number: int, *marks: str) -> dict:
    """The names of a notebook: its imports and functions, and all of the cells that hold a mark.

    Exercises are solved. So a claim runs the notebook's own code, not a copy of it.
    """
    names = {"torch": torch, "np": np, "DEVICE": "cpu", "FAST": False, "__name__": "notebook"}
    names |= {exercise.name: exercise.reference for exercise in written()}
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    for cell in cells(number):
        if cell.cell_type == "code" and not cell.metadata.get("title"):
            body, whole = ast.parse(cell.source).body, any(mark in cell.source for mark in marks)
            body = [node for node in body if whole or isinstance(node, kept)]
            exec(compile(ast.Module(body, []), f"notebook {number}", "exec"), names)
            names["Budget"] = Unhurried
    return names


def run(names: dict, number: int, *marks: str, **changes: str) -> dict:
    """Run those code cells of a notebook that hold one of the marks, in the names of `notebook`.

    `changes`: what seeds the cell, and the text in its place.
    """
    for cell in cells(number):
        if cell.cell_type == "code" and any(mark in cell.source for mark in marks):
            source = cell.source
            for old, new in changes.items():
                assert old in source
                source = source.replace(old, new)
            exec(compile(source, f"notebook {number}", "exec"), names)
            names["Budget"] = Unhurried
    return names


def note(section: str, sentence: str, margins: list[float], seconds: float) -> None:
    """Put a row into the table, in the place of its former one; rows without a sentence go."""
    rows = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines() if TABLE.exists() else []:
        if match := re.match(r"\| (\d+\.\d+) \| (.*) \| \d+/\d+ \|", line):
            place, text = match[1], match[2].replace("\\|", "|")
            if text in prose(place):
                rows[place, text] = line
    held, text = sum(margin > 0 for margin in margins), sentence.replace("|", "\\|")
    margin = f"{statistics.mean(margins):.2g} ± {statistics.stdev(margins):.1g}"
    rows[section, sentence] = (
        f"| {section} | {text} | {held}/{len(margins)} | {margin} | {seconds:.1f} |"
    )
    order = sorted(rows, key=lambda key: [int(n) for n in key[0].split(".")])
    TABLE.write_text(HEAD + "\n".join(rows[key] for key in order) + "\n", encoding="utf-8")
