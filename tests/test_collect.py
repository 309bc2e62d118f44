"""What a student hands in: what is said of it, what is in it, and that the grader reads it."""

import getpass
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from grading.notebooks import ANSWER, RIGHT, WRONG, book, cell

from course_lib.__main__ import main
from course_lib.authoring.build import execute
from course_lib.authoring.notebook import NOTEBOOKS
from course_lib.authoring.solve import solve
from course_lib.checking import standing
from course_lib.checking.cells import text_fingerprint
from course_lib.checking.report import State
from course_lib.exercises import catalogue
from course_lib.grading.extract import extract
from course_lib.grading.sandbox import probe

CHECK = "centroid = check(centroid)"
STUB = "def centroid(points):\n    raise NotImplementedError\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(standing, "_unsaved", {})
    return tmp_path


def write(path, source, **fields):
    Path(path).parent.mkdir(exist_ok=True)
    cells = [cell("ex-centroid", source), cell("check-centroid", CHECK)]
    Path(path).write_text(json.dumps(book(cells, **fields)))


def collected() -> dict[str, str]:
    with zipfile.ZipFile("hand_in.zip") as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_it_says_what_is_answered_and_what_the_last_check_found(capsys):
    write("mine.ipynb", RIGHT)
    assert main(["collect"]) == 0
    assert "mine.ipynb: 1 of 2 exercises answered" in (said := capsys.readouterr().out)
    assert "not checked as it is (1): 0.1 centroid" in said
    assert "not answered (1): 0.2 axis_that_points_up" in said
    entry = standing.Entry(State.CORRECT, text_fingerprint(RIGHT), 1.0, 1.0)
    standing._unsaved["centroid"] = entry
    main(["collect"])
    assert "checked: correct (1): 0.1 centroid" in capsys.readouterr().out
    write("mine.ipynb", WRONG)
    main(["collect"])
    assert "not checked as it is (1): 0.1 centroid" in capsys.readouterr().out


def test_a_question_is_recognised_by_its_value(capsys):
    write("00.ipynb", f"{ANSWER}\n{STUB}")
    standing.record("axis_that_points_up", "B", State.CORRECT)
    main(["collect"])
    assert "checked: correct (1): 0.2 axis_that_points_up" in capsys.readouterr().out


def test_of_copies_the_one_with_most_answers_is_taken_under_the_courses_name():
    write("notebooks/00_start_here.ipynb", STUB)
    write("Copy of 00_start_here.ipynb", RIGHT)
    Path("letter.ipynb").write_text("{}")
    assert main(["collect"]) == 0
    assert list(collected()) == ["00.ipynb"] and "points.sum" in collected()["00.ipynb"]


def test_nothing_answered_is_nothing_to_hand_in(capsys):
    write("00.ipynb", STUB)
    assert main(["collect"]) == 1 and "no answered notebook" in capsys.readouterr().out
    assert not Path("hand_in.zip").exists()


def test_nothing_private_is_handed_in(here):
    secret = f"/home/{getpass.getuser()}-0815/course"
    output = {"output_type": "stream", "name": "stdout", "text": secret}
    metadata = {"tags": ["exercise"], "execution": {"iopub.status.busy": secret}, "path": secret}
    cells = [cell("ex-centroid", RIGHT, outputs=[output], metadata=metadata, execution_count=7)]
    notebook = book(cells, metadata={"kernelspec": {"name": secret, "display_name": secret}})
    Path("00.ipynb").write_text(json.dumps(notebook))
    main(["collect"])
    text = collected()["00.ipynb"]
    assert secret not in text and str(here) not in text and '"execution_count": 7' in text
    nbformat.validate(nbformat.reads(text, as_version=4))
    assert here.name.encode() not in Path("hand_in.zip").read_bytes()


@pytest.mark.parametrize("number", ["03", "04"])
def test_what_is_collected_has_every_answer_for_the_grader(number, capsys):
    path = next(NOTEBOOKS.glob(f"{number}_*.ipynb"))
    nbformat.write(solve(nbformat.read(path, as_version=4)), path.name)
    assert main(["collect"]) == 0 and "not answered" not in capsys.readouterr().out
    names = {e.name for e in catalogue().values() if e.notebook == number}
    found = extract(collected()[f"{number}.ipynb"].encode(), set(catalogue()))
    assert found.notebooks == [number] and set(found.cells) == names
    assert not [c for c in found.cells.values() if c.is_stub or c.doubt or c.problem]


@pytest.mark.slow
@pytest.mark.skipif(probe() is not None, reason=f"no sandbox: {probe()}")
def test_what_is_solved_in_a_kernel_is_found_right_collected_and_gets_full_marks(
    here, monkeypatch, capsys
):
    monkeypatch.setenv("COURSE_STANDING", str(here / "standing.json"))
    notebook = solve(nbformat.read(next(NOTEBOOKS.glob("00_*.ipynb")), as_version=4))
    notebook.cells = [c for c in notebook.cells if c.id.startswith(("setup", "ex-", "check-"))]
    nbformat.write(execute(notebook, here), "00.ipynb")
    (here / "class").mkdir()
    assert main(["collect", "--out", "class/ada.zip"]) == 0
    assert "checked: correct (2)" in capsys.readouterr().out
    command = [sys.executable, "-m", "course_lib", "grade", "class", "--out", "marks"]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(NOTEBOOKS.parent)}, check=True)
    rows = sorted(Path("marks/grades.csv").read_text().splitlines()[1:])
    assert rows == ["ada,axis_that_points_up,1,1,correct", "ada,centroid,1,1,correct"]
