"""A run as the instructor lives with it: whose exercises, what is kept, how much time a student has."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from grading.notebooks import RIGHT, centroid, write
from test_grading import ROOT, grade, grade_command, needs_sandbox, read_grades

from course_lib.exercises import catalogue, find
from course_lib.grading import plugin
from course_lib.grading.journal import Journal
from course_lib.grading.library import make_library
from course_lib.grading.marks import NOT_GRADED
from course_lib.grading.pool import TaskLost, run_all
from course_lib.grading.run import Run, Student, _marks, make_plans
from course_lib.grading.workspace import workspace


def students(*notebooks: tuple[str, ...]) -> list[Student]:
    """A student for each tuple of notebooks, such as ("00", "04")."""
    return [
        Student(f"s{i}", {}, files={number: [] for number in given})
        for i, given in enumerate(notebooks)
    ]


def test_the_copy_for_the_references_holds_the_whole_catalogue(tmp_path):
    root = make_library(tmp_path, None)
    code = "from course_lib.exercises import catalogue; print(*catalogue())"
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert ran.stdout.split() == list(catalogue()), ran.stderr


def planned(tmp_path, *notebooks: tuple[str, ...], exercises: tuple[str, ...] = ()) -> set[str]:
    """The notebooks of which a class's exercises come."""
    plans = make_plans(Run(tmp_path, seed="s", exercises=exercises), students(*notebooks))
    return {find(plan.exercise).notebook for plan in plans}


def test_one_students_foreign_cells_change_nobodys_exercises(tmp_path, capsys):
    assert planned(tmp_path, ("00",), ("00",), ("00", "04")) == {"00"}
    assert "04 is not graded: 1 handed it in" in capsys.readouterr().err


def test_the_notebooks_that_most_handed_in_are_graded_and_a_choice_is_kept(tmp_path, capsys):
    assert planned(tmp_path, ("00", "04"), ("00", "04"), ("00",)) == {"00", "04"}
    assert not capsys.readouterr().err
    assert planned(tmp_path, ("00",), ("00",), exercises=("iou",)) == {"04"}


def test_a_lone_student_is_graded_on_what_was_handed_in(tmp_path):
    assert planned(tmp_path, ("00", "04")) == {"00", "04"}


def test_the_seed_and_the_keys_are_for_the_instructors_eyes_only(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_UNSANDBOXED", "1")
    with workspace(tmp_path):
        Journal(tmp_path / ".grading" / "journal.jsonl").add("seed", "secret")
    private = tmp_path / ".grading"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert stat.S_IMODE((private / "journal.jsonl").stat().st_mode) == 0o600


def test_a_journal_that_everybody_could_read_is_closed(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_text("")
    path.chmod(0o644)
    Journal(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.extra
@needs_sandbox
def test_who_ran_out_of_time_is_graded_again_with_twice_as_much(tmp_path):
    slow = f"import time\ntime.sleep(5)\n{RIGHT}"
    write(tmp_path / "submissions", {"a.ipynb": centroid(slow), "b.ipynb": centroid(RIGHT)})
    for seconds, status in (("2", "time limit"), ("4", "correct")):
        done = grade(tmp_path, "--timeout", seconds, "--exercises", "centroid")
        assert done.returncode == 0, done.stderr[-2000:]
        rows = read_grades(tmp_path)
        assert rows["a", "centroid"]["status"] == status
        assert rows["b", "centroid"]["status"] == "correct"


@pytest.mark.extra
@needs_sandbox
def test_a_sandbox_that_the_system_killed_costs_no_mark(tmp_path):
    texts = {f"s{i}.ipynb": centroid(f"{RIGHT}# {i}\n") for i in range(3)}
    write(tmp_path / "submissions", texts)
    command = [*grade_command(tmp_path, "--exercises", "centroid"), "--seed", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    journal, killed = tmp_path / "out" / ".grading" / "journal.jsonl", False
    while running.poll() is None and not killed:
        time.sleep(0.05)
        if journal.exists() and journal.read_bytes().count(b"\n") >= 2:  # the seed, the key
            (zygote,) = [
                int(path.parent.name)
                for path in Path("/proc").glob("[0-9]*/stat")
                if path.read_text().rpartition(")")[2].split()[1] == str(running.pid)
                and "(bwrap)" in path.read_text()
            ]
            os.kill(zygote, signal.SIGKILL)
            killed = True
    assert running.wait() == 0 and killed
    assert {row["status"] for row in read_grades(tmp_path).values()} == {"correct"}


def test_ten_notebooks_to_the_limit_use_up_a_students_time():
    stash = pytest.Stash()
    for _ in range(10):
        assert plugin.time_for_one(stash, 60) == 60
        stash[plugin.BUDGET] -= 59.9
    stash[plugin.BUDGET] -= 60
    assert plugin.time_for_one(stash, 60) == plugin.LEAST_SECONDS


def test_what_the_grader_lost_is_tried_again_and_then_no_students_mark(tmp_path):
    tries = tmp_path / "tries"

    def work(_: None) -> None:
        with open(tries, "a") as file:
            file.write("x")
        raise SystemExit(1)

    ((_, result),) = run_all(work, [("a", None)], jobs=1, seconds=30)
    assert tries.read_text() == "xx" and isinstance(result, TaskLost)
    (plan,) = make_plans(Run(tmp_path, seed="s", exercises=("centroid",)), [])
    (mark,) = _marks(result, [plan])
    assert mark.status == NOT_GRADED and mark.flags
