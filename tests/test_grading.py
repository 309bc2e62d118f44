"""Grading: what a submission earns, and what its author and teacher read."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import pytest
from grading.notebooks import ANSWER, RIGHT, WRONG, book, cell, centroid, write

from course_lib.__main__ import main
from course_lib.exercises import find
from course_lib.exercises.exercise import Exercise
from course_lib.grading import sandbox
from course_lib.grading.assemble import make_plan, notebook, runnable
from course_lib.grading.extract import Cell
from course_lib.grading.formats import no_formula
from course_lib.grading.instructor import points_of, read_cases
from course_lib.grading.journal import Journal
from course_lib.grading.library import KEPT_KEYWORDS, make_library, only_cases, without_body
from course_lib.grading.pages import feedback_page
from course_lib.grading.similarity import alike_pairs
from course_lib.grading.students import Student, safe_name
from course_lib.grading.workspace import scratch

ROOT = Path(__file__).parent.parent
NAMES = {"centroid", "axis_that_points_up"}
needs_sandbox = pytest.mark.skipif(
    sandbox.probe() is not None, reason=f"no sandbox: {sandbox.probe()}"
)


def grade_command(folder: Path, *options: str) -> list[str]:
    start = [sys.executable, "-m", "course_lib", "grade", str(folder / "submissions")]
    return [*start, "--out", str(folder / "out"), "--jobs", "2", *options]


def grade(folder: Path, *options: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        grade_command(folder, *options), env=environment, capture_output=True, text=True
    )


def read_grades(folder: Path) -> dict[tuple[str, str], dict]:
    with open(folder / "out" / "grades.csv", encoding="utf-8") as file:
        return {(row["student"], row["exercise"]): row for row in csv.DictReader(file)}


def test_names_and_markup_do_nothing_in_tables_and_pages():
    for name in ("=1+1", "+1", "-1+cmd|' /C calc'!A0", "@x", "\tx"):
        assert no_formula(name).startswith("'")
    page = feedback_page(Student("<script>x</script>\x1b[31m", {}, "<b>"), [])
    assert "<script" not in page and "<b>" not in page and "\x1b" not in page


# What a kernel is given


def test_the_library_for_an_exercise_lacks_its_solution_and_the_answers(tmp_path):
    root = make_library(tmp_path, find("chamfer_distance"))
    texts = {path.name: path.read_text() for path in root.rglob("*.py")}
    assert "not here while the exercise is graded" in texts["losses.py"]
    whole = "\n".join(texts.values())
    assert "mistakes({" not in whole and "_MISTAKES" not in whole
    assert "hints=" not in whole and "explanation=" not in whole
    assert "nb00_start.py" not in texts and "sources.py" not in texts


def test_a_removed_body_raises_in_functions_and_in_all_methods_of_classes():
    text = without_body(
        "class A:\n    def f(self):\n        return 1\n\ndef g():\n    return 2", "A"
    )
    space = {}
    exec(text, space)
    with pytest.raises(NotImplementedError):
        space["A"]().f()
    assert space["g"]() == 2


def test_a_catalogue_is_reduced_to_its_cases():
    text = (
        "def wrong(x):\n    return 2\ndef make(g):\n    return (1,)\n"
        "E = Exercise(number='1', name='q', reference='B', misconceptions=(wrong,), cases=(make,))\n"
        "EXERCISES = (E,)\n"
    )
    reduced = only_cases(text)
    assert "wrong" not in reduced and "make" in reduced


def test_every_field_of_an_exercise_is_in_the_copy_or_secret():
    secret = {"misconceptions", "hints", "points", "starter", "explanation"}
    assert {field.name for field in fields(Exercise)} == KEPT_KEYWORDS | secret


def test_while_a_question_is_graded_no_catalogue_is_there(tmp_path):
    root = make_library(tmp_path, find("axis_that_points_up"))
    assert not list(root.glob("course_lib/exercises/nb*.py"))


# Plans and grading notebooks


def test_hidden_cases_change_with_the_seed_and_differ_from_the_visible_ones():
    first, again, other = (make_plan(find("centroid"), s) for s in ("1", "1", "2"))
    assert first == again and first != other
    seeds = [case.seed for case in first.cases if not case.fixed]
    assert len(set(seeds)) == len(seeds) >= 6 and 0 not in seeds


def test_a_grading_notebook_takes_other_exercises_from_the_course():
    plan = make_plan(find("laplacian_loss"), "s")
    source = "def laplacian_loss(p, e):\n    return laplacian_coordinates(p, e).square().sum()"
    first = json.loads(notebook(plan, Cell(source)))["cells"][0]["source"]
    assert "import laplacian_coordinates" in first and "import laplacian_loss" not in first


def test_markers_of_nbval_are_taken_out():
    assert runnable("# NBVAL_SKIP\nx = 1 # NBVAL_SKIP") == "#\nx = 1 # NBVAL_SKIP"
    assert (
        runnable("if x:\n    !pip list\n%time y = 2") == "if x:\n    pass  #pip list\n%time y = 2"
    )


CASE = '[[centroid.cases]]\nname = "a"\narguments = "{}"\n'


def test_the_instructors_file_sets_points_cases_and_deadlines(tmp_path):
    file = tmp_path / "cases.toml"
    text = "[centroid]\npoints = 3\n" + CASE.format("(torch.rand(1, 2, 3, generator=g),)")
    file.write_text(
        text + "[notebook.00]\npoints = 8\ndeadline = 2026-11-30T23:59:00\n", "utf-8-sig"
    )
    tables = read_cases(file)
    assert points_of(find("centroid"), tables) == 6
    assert points_of(find("axis_that_points_up"), tables) == 2
    assert make_plan(find("centroid"), "s", tables["centroid"], 6).points == 6


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[no_such]", "no_such"),
        ("[", "TOML"),
        ("[centroid]\npoint = 1", "point = 1"),
        ("centroid = 3", "table"),
        ("[centroid]\npoints = -1", "negative"),
        ("[centroid]\ndraws = 0", "draws"),
        ('[[centroid.cases]]\nname = "x"', "name and arguments"),
        (CASE.format("torch.rand(1, 2, 3, generator=g)"), "comma"),
        (CASE.format("(torch.rand(1, 2, 3, generator=g), 5)"), "arguments"),
        (CASE.format("(torch.rand(1, 2, 3,"), "SyntaxError"),
        (CASE.format("(no_such_name,)"), "NameError"),
        (CASE.format("('text',)"), "the reference takes"),
        (CASE.format("()"), "arguments"),
        (CASE.replace("centroid", "axis_that_points_up").format("(1,)"), "question"),
        ("[notebook.99]\npoints = 1", "notebook.04"),
        ("[notebook.04]\ndeadline = 'soon'", "deadline"),
        ("[late]\nper_week = 1", "per_day"),
    ],
)
def test_what_is_wrong_in_the_instructors_file_is_said(tmp_path, text, reason):
    file = tmp_path / "cases.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=reason):
        read_cases(file)


def test_a_journal_survives_a_cut_off_line(tmp_path):
    path = tmp_path / "journal.jsonl"
    Journal(path).add("a", 1)
    path.write_bytes(path.read_bytes() + b'{"key": "b", "res')
    again = Journal(path)
    again.add("c", 3)
    assert Journal(path).entries == {"a": 1, "c": 3}


def test_what_a_killed_worker_left_is_removed_by_the_next_and_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch() as busy:
        for name in ("course-grading-left", "other"):
            write(tmp_path / name, {"sandbox/zygote.log": "x"})
        for folder in (busy, tmp_path / "course-grading-left"):
            os.utime(folder, (0, 0))
        with scratch() as own:
            assert {path.name for path in tmp_path.iterdir()} == {busy.name, own.name, "other"}
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_file_names_of_students_are_safe_and_distinct():
    assert safe_name("Anna Müller_1") == "Anna Müller_1"
    assert "/" not in safe_name("../x") and safe_name("a/b") != safe_name("a_b")


def test_copies_with_other_names_are_alike_and_different_texts_are_not():
    lines = [
        "x = points.sum(1)",
        "y = x * x + 1",
        "if y.any(): x = y[0] - x",
        "while x: x -= max(y)",
    ]
    lines += ["z = [x for x in y if x > 2]", "return torch.stack(z).mean(0) / len(y)"]
    one = "def f(points):\n    " + "\n    ".join(lines)
    two = one.replace("x", "left").replace("maleft", "max").replace("z", "kept").replace("2", "7")
    three = "def f(a):\n    " + "\n    ".join(f"while a: a -= {i}; print(a)" for i in range(9))
    pairs = alike_pairs({"centroid": {"anna": one, "ben": two, "cleo": three}})
    assert [(p.first, p.second) for p in pairs] == [("anna", "ben")]


# Whole runs


HELPERS = """
import numpy as np
import matplotlib.pyplot as plt

def count(points):
    return len(points[0])

print("hello")
plt.plot([1, 2]); plt.show()

def centroid(points):
    return points.sum(dim=1) / count(points)

centroid = check(centroid)
"""


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """One run over honest, unfinished and broken submissions."""
    folder = tmp_path_factory.mktemp("honest")
    stub = "def centroid(points):\n    raise NotImplementedError\n"
    used = ANSWER + "print(centroid(torch.ones(1, 2, 3)))"
    both = [cell("ex-axis_that_points_up", used), cell("ex-centroid", RIGHT)]
    broken = [cell("ex-axis_that_points_up", "axis_that_points_up = B")]
    files = {
        "reordered.ipynb": json.dumps(book(both)),
        "helpers/deep/00.ipynb": centroid(HELPERS),
        "unfinished.ipynb": json.dumps(book([cell("ex-centroid", stub), both[0]])),
        "mistaken.ipynb": centroid(WRONG),
        "half.ipynb": centroid("def centroid(p):\n    return p.mean(1) if len(p) == 1 else p\n"),
        "zero.ipynb": centroid("def centroid(p):\n    return torch.zeros(len(p), 3)\n"),
        "broken.ipynb": json.dumps(book([*broken, cell("ex-centroid", "def (")])),
        "lost-helper.ipynb": centroid("def centroid(p):\n    return helper(p)\n"),
        "cut.ipynb": centroid(RIGHT)[:50],
        "dict.ipynb": json.dumps(book([cell("ex-centroid", {"a": 1})])),
        "essay.pdf": "x",
        "twice.ipynb": json.dumps(book([cell("ex-centroid", RIGHT), cell("ex-centroid", WRONG)])),
    }
    write(folder / "submissions", files)
    (folder / "cases.toml").write_text(
        '[[centroid.cases]]\nname = "far away"\narguments = "(9 + torch.rand(2, 3, 3, generator=g),)"\n'
    )
    done = grade(folder, "--seed", "7", "--keep", "--cases", str(folder / "cases.toml"))
    assert done.returncode == 0, done.stderr[-2000:]
    return folder, read_grades(folder), done


def row(graded, student: str, exercise: str = "centroid") -> tuple[float, str]:
    found = graded[1][student, exercise]
    return float(found["points"]), found["status"]


@needs_sandbox
@pytest.mark.parametrize("student", ["reordered", "helpers"])
def test_right_code_in_any_order_with_helpers_plots_and_prints_gets_full_marks(graded, student):
    assert row(graded, student) == (1, "correct")


@needs_sandbox
def test_an_unfinished_submission_gets_its_finished_parts(graded):
    assert row(graded, "unfinished") == (0, "not attempted")
    assert row(graded, "unfinished", "axis_that_points_up") == (1, "correct")
    assert row(graded, "mistaken", "axis_that_points_up") == (0, "missing")


@needs_sandbox
def test_partial_credit_goes_by_cases_and_constants_earn_nothing(graded):
    assert row(graded, "half") == (pytest.approx(0.25, abs=0.01), "partly correct")
    assert row(graded, "zero") == (0, "incorrect")


@needs_sandbox
@pytest.mark.parametrize(
    ("student", "status"),
    [("cut", "unreadable"), ("essay", "unreadable"), ("dict", "needs review"), ("broken", "error")],
)
def test_what_cannot_be_graded_is_in_the_table_as_such(graded, student, status):
    assert row(graded, student) == (0, status)
    assert row(graded, "broken", "axis_that_points_up") == (0, "error")


@needs_sandbox
def test_two_answers_to_one_exercise_are_for_a_human(graded):
    assert row(graded, "twice") == (0, "needs review")


@needs_sandbox
def test_the_feedback_names_the_misconception_and_the_missing_helper(graded):
    pages = graded[0] / "out" / "feedback"
    assert "a mean is the sum divided by their number" in (pages / "mistaken.html").read_text()
    assert "`helper` is not defined" in (pages / "lost-helper.html").read_text()


@needs_sandbox
def test_the_report_and_the_summary_are_there(graded):
    report = (graded[0] / "out" / "report.html").read_text()
    assert "centroid: sum: 2 students" in report and "twice" in report
    assert "12 students" in graded[2].stdout and "0.1 centroid" in graded[2].stdout
    data = json.loads((graded[0] / "out" / "grades.json").read_text())
    assert set(data) == {"schema", "students", "similar"}


@pytest.mark.extra
@needs_sandbox
def test_the_kept_notebooks_give_the_same_under_pytest_by_hand(graded):
    folder = graded[0] / "out" / "notebooks"
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "mistaken", "reordered"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert "reordered" not in done.stdout.split("short test summary")[1]
    assert done.stdout.count("FAILED mistaken/centroid.ipynb") == len(
        make_plan(find("centroid"), "7", {"cases": [{"name": "", "arguments": ""}]}).cases
    )


@needs_sandbox
def test_grading_again_runs_nothing_and_gives_the_same(graded):
    folder, before, _ = graded
    start = time.monotonic()
    again = grade(folder, "--cases", str(folder / "cases.toml"))
    assert again.returncode == 0 and read_grades(folder) == before
    journal = (folder / "out" / ".grading" / "journal.jsonl").read_text()
    assert len(journal.splitlines()) == len({line[:80] for line in journal.splitlines()})
    assert time.monotonic() - start < 120


@needs_sandbox
@pytest.mark.slow
def test_killing_the_grader_loses_no_mark(tmp_path):
    texts = [RIGHT, WRONG, "def centroid(p):\n    return p.mean(1) * 1.0\n", RIGHT + "x = 1\n"]
    files = {f"s{i}.ipynb": centroid(text) for i, text in enumerate(texts)}
    write(tmp_path / "submissions", files)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    kills = int(os.environ.get("COURSE_KILLS", "1"))
    for i in range(kills):
        process = subprocess.Popen(
            grade_command(tmp_path, "--seed", "3"),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(2.0 + 14.0 * ((i * 0.618) % 1))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert grade(tmp_path, "--seed", "3").returncode == 0
    points = {
        student: float(r["points"])
        for (student, _), r in read_grades(tmp_path).items()
        if _ == "centroid"
    }
    assert points == {"s0": 1, "s1": 0, "s2": 1, "s3": 1}
    assert sorted(p.name for p in (tmp_path / "out" / ".grading").iterdir()) == [
        "journal.jsonl",
        "lock",
    ]


def test_without_bubblewrap_grading_refuses_in_one_line(tmp_path):
    write(tmp_path / "submissions", {"a.ipynb": centroid(RIGHT)})
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": str(tmp_path)}
    done = subprocess.run(grade_command(tmp_path), env=environment, capture_output=True, text=True)
    assert done.returncode == 3 and not (tmp_path / "out").exists()
    assert len(done.stderr.strip().splitlines()) == 1 and "--unsandboxed" in done.stderr


@pytest.mark.extra
@pytest.mark.slow
def test_unsandboxed_grading_gives_the_same_marks_when_it_is_asked_for(tmp_path):
    files = {"a.ipynb": centroid(RIGHT), "b.ipynb": centroid(WRONG)}
    write(tmp_path / "submissions", files)
    done = grade(tmp_path, "--unsandboxed", "--exercises", "centroid")
    assert done.returncode == 0, done.stderr[-2000:]
    points = [float(r["points"]) for r in read_grades(tmp_path).values()]
    assert points == [1, 0]


@pytest.mark.parametrize("options", [["--exercises", "no_such"], ["--jobs", "0"]])
def test_wrong_usage_is_said_in_one_line(tmp_path, capsys, options):
    write(tmp_path / "submissions", {"a.ipynb": centroid(RIGHT)})
    arguments = ["grade", str(tmp_path / "submissions"), "--out", str(tmp_path / "out"), *options]
    assert main(arguments) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
