"""Grading: what is taken from a submission, and from whom."""

import json
import zipfile

import pytest
from grading.notebooks import ANSWER, RIGHT, WRONG, book, cell, centroid, write

from course_lib.exercises import find
from course_lib.grading import extract as extraction
from course_lib.grading.assemble import make_plan
from course_lib.grading.students import Student, early_mark, read
from course_lib.grading.submissions import collect

NAMES = {"centroid", "axis_that_points_up"}


def extract(text: str | bytes) -> extraction.Extract:
    return extraction.extract(text if isinstance(text, bytes) else text.encode(), NAMES)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (centroid(RIGHT)[:-40].encode(), "cut off"),
        (b"\xff\xfe\x00x", "UTF-8"),
        (json.dumps(book([], nbformat=3, worksheets=[])).encode(), "format is not 4"),
        (json.dumps(book([], nbformat=5)).encode(), "format is not 4"),
        (json.dumps(book([], nbformat=True)).encode(), "format is not 4"),
        (b'{"nbformat": 4, "cells": {}}', "no list of cells"),
        (b"[1, 2]", "not a notebook"),
        (b"%PDF-1.4", "no valid JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"nbformat": 4, "cells": []}' + b" " * (25 << 20), "larger than"),
    ],
)
def test_a_file_that_is_no_notebook_is_said_to_be_unreadable(content, reason):
    assert reason in extract(content).problem


def test_a_source_that_is_not_text_is_for_a_human():
    found = extract(json.dumps(book([cell("ex-centroid", {"a": "dict"})])))
    assert "not text" in found.cells["centroid"].problem


def test_colab_keeps_the_id_in_the_metadata():
    entry = cell("x", RIGHT, metadata={"id": "ex-centroid"})
    del entry["id"]
    assert extract(json.dumps(book([entry], nbformat_minor=0))).cells["centroid"].source == RIGHT


def test_of_copies_of_a_cell_the_one_worked_on_counts_and_is_flagged():
    stub = "def centroid(points):\n    raise NotImplementedError\n"
    found = extract(json.dumps(book([cell("ex-centroid", RIGHT), cell("ex-centroid", stub)])))
    assert found.cells["centroid"].source == RIGHT
    assert "several cells" in found.cells["centroid"].doubt


def test_a_solution_in_a_new_cell_is_found_and_flagged():
    stub = "def centroid(points):\n    raise NotImplementedError\n"
    found = extract(json.dumps(book([cell("ex-centroid", stub), cell("mine", RIGHT)])))
    assert found.cells["centroid"].source == RIGHT
    assert "another cell" in found.cells["centroid"].doubt


def test_imports_of_other_cells_come_along_only_where_they_are_used():
    cells = [
        cell("a", "import math, os\nfrom torch.nn import functional as F\nx = 1"),
        cell("ex-centroid", "def centroid(points):\n    return F.relu(points) * math.pi"),
    ]
    needs = extract(json.dumps(book(cells))).cells["centroid"].needs
    assert needs == ["import math, os\nfrom torch.nn import functional as F"]


def test_stubs_are_recognised():
    stub = 'def centroid(points):\n    """Text."""\n    raise NotImplementedError\n'
    question = "axis_that_points_up = ...\naxis_that_points_up = check(axis_that_points_up, 'x')"
    cells = extract(json.dumps(book([cell("ex-centroid", stub), cell("q", "")]))).cells
    assert cells["centroid"].is_stub
    assert extraction.Cell(question).is_stub
    assert not extraction.Cell(ANSWER).is_stub and not extraction.Cell(RIGHT).is_stub


def test_students_are_called_as_their_files_or_folders(tmp_path):
    write(
        tmp_path,
        {
            "anna.ipynb": "x",
            "Ben 12_file_/deep/04.ipynb": "y",
            "Ben 12_file_/.ipynb_checkpoints/04-checkpoint.ipynb": "z",
            "essay.pdf": "p",
            "__MACOSX/._anna.ipynb": "m",
        },
    )
    (tmp_path / "link.ipynb").symlink_to("/etc/hostname")
    found = {s.student: s for s in collect([tmp_path])}
    assert set(found) == {"anna", "Ben 12_file_", "essay", "link"}
    assert [file.read() for file in found["Ben 12_file_"].notebooks] == [b"y"]
    assert "ordinary file" in found["link"].problem and "not a notebook" in found["essay"].problem


def test_a_zip_gives_the_same_students_as_its_folder(tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name in ("top/anna.ipynb", "top/ben/04.ipynb", "top/../../evil.ipynb"):
            archive.writestr(name, "x")
    names = [s.student for s in collect([tmp_path / "all.zip"])]
    assert "anna" in names and "ben" in names
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.zip"]


def test_no_zip_or_name_stops_the_run_or_joins_two_students(tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (".", "../../up.ipynb", "/abs.ipynb", "a\x1b[31m.ipynb", "a\x07[31m.ipynb"):
            archive.writestr(name, "x")
        archive.writestr("bomb.ipynb", bytes(25 << 20))
        archive.writestr("torn.ipynb", "torn" * 99)
        place = archive.getinfo("torn.ipynb").header_offset + 45
    data = bytearray((tmp_path / "all.zip").read_bytes())
    data[place : place + 6] = b"\xff" * 6
    (tmp_path / "all.zip").write_bytes(data)
    found = {s.student: s for s in collect([tmp_path / "all.zip"])}
    assert "larger than" in found["bomb"].problem and "cannot be read" in found["torn"].problem
    assert all(name.isprintable() for name in found) and len(found) == 6
    (tmp_path / "all.zip").write_bytes(data[: len(data) - 60] + data[-22:])
    with pytest.raises(ValueError, match="zip"):
        collect([tmp_path / "all.zip"])


def test_students_given_one_by_one_are_called_as_in_their_folder(tmp_path):
    names = [f"{name}/sheet/x.ipynb" for name in ("ann", "ben")] + [
        "A B_7_assignsubmission_file_/a.zip"
    ]
    write(tmp_path, dict.fromkeys(names, "{}"))
    for given in (tmp_path.glob("*"), [tmp_path / name for name in names]):
        assert [s.student for s in collect(list(given))] == ["A B", "ann", "ben"]


def test_the_numbers_of_an_export_are_kept_and_late_ones_known(tmp_path):
    write(
        tmp_path,
        {"doejohn_LATE_13_993_00.ipynb": "{}", "J R_7_assignsubmission_file_/a.ipynb": "{}"},
    )
    found = [(s.student, s.number, s.platform, s.late) for s in collect([tmp_path])]
    assert found == [("J R", "7", "moodle", False), ("doejohn", "13", "canvas", True)]


def test_of_two_attempts_the_last_counts_and_of_two_copies_the_newer_comes_last(tmp_path):
    names = (
        "hw_jo_attempt_2024-03-03-17-00-00_00.ipynb",
        "hw_jo_attempt_2024-03-03-11-00-00_00.ipynb",
    )
    write(tmp_path / "a", dict(zip(names, ("late", "early"), strict=True)))
    write(tmp_path / "b", {"anna.ipynb": "1", "anna (1).ipynb": "2", "anna (10).ipynb": "3"})
    assert [f.read() for f in collect([tmp_path / "a"])[0].notebooks] == [b"late"]
    assert [f.read() for f in collect([tmp_path / "b"])[0].notebooks] == [b"1", b"2", b"3"]


def test_zips_in_folders_and_notebooks_by_other_names_are_read(tmp_path):
    write(
        tmp_path,
        {"ben/notes.pdf": "x", "ben/04.json": '{"nbformat": 4}', "cem/hw.rar": b"Rar!\x1a"},
    )
    (tmp_path / "anna").mkdir()
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as archive:
        archive.writestr("00.ipynb", "deep")
    with zipfile.ZipFile(tmp_path / "anna" / "homework.zip", "w") as archive:
        archive.write(tmp_path / "inner.zip", "work/inner.zip")
    (tmp_path / "inner.zip").unlink()
    found = {s.student: s for s in collect([tmp_path])}
    assert [f.read() for f in found["anna"].notebooks] == [b"deep"]
    assert len(found["ben"].notebooks) == 1 and not found["ben"].problem
    assert "archive" in found["cem"].problem


def test_results_of_grading_are_no_students(tmp_path):
    write(tmp_path, {"anna.ipynb": "{}", "marks/feedback/anna.html": "x", "old/.grading/lock": ""})
    names = [s.student for s in collect([tmp_path], but=tmp_path / "marks")]
    assert names == ["anna"]


def student(tmp_path, files: dict[str, str | bytes]) -> Student:
    write(tmp_path / "jo", files)
    return read(collect([tmp_path]), 1)[0]


def test_a_broken_notebook_beside_a_good_one_is_told(tmp_path):
    found = student(tmp_path, {"00.ipynb": centroid(RIGHT), "04.ipynb": "{"})
    assert "04.ipynb" in found.problem and "cut off" in found.problem
    mark = early_mark(found, make_plan(find("iou"), "s"))
    assert mark is not None and mark.status == "unreadable" and mark.flags
    assert early_mark(found, make_plan(find("centroid"), "s")) is None


def test_what_is_missing_from_a_notebook_is_flagged_and_other_notebooks_are_not(tmp_path):
    found = student(tmp_path, {"00.ipynb": centroid(RIGHT)})
    here, there = (make_plan(find(n), "s") for n in ("axis_that_points_up", "iou"))
    marks = [early_mark(found, plan) for plan in (here, there)]
    assert [bool(mark.flags) for mark in marks] == [True, False]
    assert "notebook 04 was not handed in" in marks[1].feedback[0]


def test_of_different_answers_in_two_notebooks_the_newer_counts_and_a_human_is_told(tmp_path):
    found = student(tmp_path, {"00.ipynb": centroid(WRONG), "00 (1).ipynb": centroid(RIGHT)})
    assert found.cells["centroid"].source == RIGHT and "several" in found.cells["centroid"].doubt
