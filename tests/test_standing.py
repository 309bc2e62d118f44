"""The standing outlives kernels and days, never stops a student, and never says more than is so."""

import json
import os
import subprocess
import sys
import time
import types
from pathlib import Path

import platformdirs
import pytest

from course_lib import checking
from course_lib.checking import check, progress, standing
from course_lib.checking.cells import fingerprint
from course_lib.checking.report import State
from course_lib.exercises import catalogue, find

ROOT = Path(__file__).parent.parent
RIGHT = "def centroid(points):\n    return points.mean(dim=1)\n"
WRONG = "def centroid(points):\n    return points.sum(dim=1)\n"
STUB = "def centroid(points):\n    raise NotImplementedError\n"


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    path = tmp_path / "new" / "standing.json"
    monkeypatch.setenv("COURSE_STANDING", str(path))
    monkeypatch.setattr(standing, "_unsaved", {})
    return path


@pytest.fixture
def notebook(monkeypatch):
    """Runs cells as a kernel does: their text is found again by the name of their file."""
    space = {"__name__": "__main__"}
    monkeypatch.setattr(checking, "_notebook", lambda: space)

    def run(text, checked=True):
        name = f"<cell {time.perf_counter_ns()}>"
        standing_lines = (len(text), None, text.splitlines(True), name)
        monkeypatch.setitem(sys.modules["linecache"].cache, name, standing_lines)
        exec(compile(text, name, "exec"), space)
        if checked:
            space["centroid"] = check(space["centroid"])

    return run


def said(capsys) -> str:
    capsys.readouterr()
    progress()
    return capsys.readouterr().out


def restart(monkeypatch):
    monkeypatch.setattr(standing, "_unsaved", {})
    monkeypatch.setattr(checking, "_notebook", dict)


def test_the_whole_course_is_shown_and_a_right_answer_outlives_the_kernel(
    notebook, monkeypatch, capsys
):
    assert all(f"\n  {number:02d}: 0 of" in said(capsys) for number in range(9))
    notebook(RIGHT)
    restart(monkeypatch)
    text, points = said(capsys), sum(e.points for e in catalogue().values())
    assert f"1 of {len(catalogue())} exercises done" in text and f"of {points} points" in text
    assert "00: 1 of 2" in text and "Open: 0.2 axis_that_points_up" in text


def test_an_answer_that_was_changed_is_open_until_it_is_checked(notebook, capsys):
    notebook(RIGHT)
    notebook(RIGHT.replace("return", "return  ").replace("\n", "  # why\n", 1), checked=False)
    assert "00: 1 of 2" in said(capsys)  # layout and comments are no change
    notebook(WRONG, checked=False)
    assert "00: 0 of 2" in said(capsys) and "centroid (changed since its check)" in said(capsys)


@pytest.mark.parametrize(("then", "state"), [(WRONG, "incorrect"), (STUB, "not attempted")])
def test_the_last_checked_answer_counts(then, state, notebook, monkeypatch, capsys):
    notebook(RIGHT)
    notebook(then)
    restart(monkeypatch)
    today = time.strftime("%Y-%m-%d")
    assert "00: 0 of 2 exercises done, 0 of" in said(capsys)
    assert f"centroid ({state}, right on {today})" in said(capsys)


def test_an_answer_to_a_question_that_was_changed_is_open(notebook, monkeypatch, capsys):
    check("B", "axis_that_points_up")
    monkeypatch.setattr(checking, "_notebook", lambda: {"axis_that_points_up": "B"})
    assert "00: 1 of 2" in said(capsys)
    monkeypatch.setattr(checking, "_notebook", lambda: {"axis_that_points_up": "A"})
    assert "changed since its check" in said(capsys)


def test_the_whole_course_done_is_said(capsys):
    for exercise in catalogue().values():
        standing.record(exercise.name, exercise.reference, State.CORRECT)
    assert said(capsys).startswith("✓") and "Open" not in said(capsys)


def test_forgetting_begins_anew(notebook, file, capsys):
    notebook(RIGHT)
    assert file.exists()
    progress(forget=True)
    assert "The course: 0 of" in said(capsys) and not file.exists()


WRITER = """
import sys, time
from course_lib.checking import standing
from course_lib.checking.report import State
read = standing._read
standing._read = lambda path: (read(path), time.sleep(0.003))[0]  # a slow disk
print("ready", flush=True)
input()
for name in sys.argv[1:]:
    standing.record(name, 1, State.CORRECT)
"""


def test_two_kernels_that_write_at_once_lose_nothing(file):
    names = list(catalogue())[:60]
    parts = [names[0::2], names[1::2]]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    kernels = [subprocess.Popen([sys.executable, "-c", WRITER, *part], **pipes) for part in parts]
    assert [kernel.stdout.readline() for kernel in kernels] == ["ready\n", "ready\n"]
    for kernel in kernels:
        kernel.stdin.write("\n")
        kernel.stdin.flush()
    assert [kernel.wait() for kernel in kernels] == [0, 0]
    assert set(standing.known()) == set(names)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


DAMAGED = [
    "",
    "{",
    "[1]",
    "null",
    '{"centroid": 1}',
    '{"centroid": {"state": "correct"}}',
    "[" * 99_999,
]


@pytest.mark.parametrize("text", DAMAGED, ids=lambda text: text[:20])
def test_a_damaged_file_is_no_standing_and_is_mended(text, file, notebook, capsys):
    file.parent.mkdir()
    file.write_text(text)
    assert "The course: 0 of" in said(capsys)
    notebook(RIGHT)
    assert json.loads(file.read_text())["centroid"]["state"] == "correct"


def test_a_damaged_entry_costs_no_other(file, notebook):
    notebook(RIGHT)
    data = json.loads(file.read_text())
    file.write_text(json.dumps({**data, "iou": {**data["centroid"], "state": "great"}}))
    assert set(standing.known()) == {"centroid"}
    file.write_text(json.dumps({**data, "iou": {**data["centroid"], "when": 1e30}}))
    standing.record("iou", 1, State.INCORRECT)
    assert standing.known()["iou"].state is State.INCORRECT


def test_a_place_that_cannot_be_written_is_told_and_the_session_goes_on(
    tmp_path, notebook, monkeypatch, capsys
):
    (tmp_path / "file").touch()  # in the place of the folder: refused to everybody, also to root
    monkeypatch.setenv("COURSE_STANDING", str(tmp_path / "file" / "standing.json"))
    notebook(RIGHT)
    assert "00: 1 of 2" in said(capsys) and "cannot be written" in said(capsys)


def test_a_lock_that_a_dead_kernel_left_holds_nobody_up_for_long(file, notebook):
    file.parent.mkdir()
    lock = file.with_name(f"{file.name}.lock")
    lock.touch()
    start = time.perf_counter()
    notebook(RIGHT)
    assert time.perf_counter() - start < 5.0 and file.exists() and not lock.exists()


def test_a_user_without_a_home_has_no_place(monkeypatch):
    monkeypatch.delenv("COURSE_STANDING")
    monkeypatch.delenv("COURSE_FAST", raising=False)
    monkeypatch.setattr(platformdirs, "user_data_path", lambda *_, **__: Path("~/.local/share"))
    assert standing.places() == []


def test_tests_and_builds_have_no_place(monkeypatch):
    monkeypatch.setenv("COURSE_STANDING", "")
    assert standing.places() == []
    monkeypatch.delenv("COURSE_STANDING")
    monkeypatch.setenv("COURSE_FAST", "1")
    assert standing.places() == []


def test_in_colab_the_standing_moves_to_drive_when_it_is_mounted(
    tmp_path, notebook, monkeypatch, capsys
):
    monkeypatch.delenv("COURSE_STANDING")
    monkeypatch.delenv("COURSE_FAST", raising=False)
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr(standing, "DRIVE", tmp_path / "MyDrive")
    monkeypatch.chdir(tmp_path)
    notebook(RIGHT)
    assert os.listdir() == ["course_standing.json"] and "Mount Drive" in said(capsys)
    standing.DRIVE.mkdir()
    check("B", "axis_that_points_up")
    Path("course_standing.json").unlink(), monkeypatch.setattr(standing, "_unsaved", {})
    assert "00: 2 of 2" in said(capsys) and "Mount Drive" not in said(capsys)


def test_answers_without_a_text_have_a_fingerprint():
    class Odd:
        def __repr__(self):
            raise ValueError

    assert fingerprint(Odd()) == "" and fingerprint(len) == fingerprint(len) != fingerprint(max)
    assert fingerprint(find("LoRALinear").reference) != fingerprint(find("iou").reference)


def test_what_is_not_run_stands_for_the_reference_and_is_not_checked(monkeypatch, capsys):
    names = {"iou": 1}
    checking.take_up("04", names)
    assert names["iou"] == 1 and names["edge_loss"] is find("edge_loss").reference
    assert not names.keys() & {"centroid", "printed_chamfer"}
    monkeypatch.setattr(checking, "in_notebook", lambda: True)
    monkeypatch.setattr(checking, "_show", print)
    assert check(names["edge_loss"]) is names["edge_loss"]
    assert "run your cell first" in capsys.readouterr().out and "edge_loss" not in standing.known()
