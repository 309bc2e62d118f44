"""One student who hands in the whole course, solved, gets the whole course's points."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from course_lib.authoring.solve import solve
from course_lib.exercises import catalogue
from course_lib.grading import sandbox

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
@pytest.mark.skipif(sandbox.probe() is not None, reason=f"no sandbox: {sandbox.probe()}")
def test_the_whole_course_solved_earns_every_point(tmp_path):
    student = tmp_path / "submissions" / "jane"
    student.mkdir(parents=True)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        nbformat.write(solve(nbformat.read(path, as_version=4)), student / path.name)
    command = [sys.executable, "-m", "course_lib", "grade", str(student.parent)]
    # Threads as a machine of many cores has them: their stacks and arenas count nowhere.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "64"}
    command += ["--out", str(tmp_path / "out")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    with open(tmp_path / "out" / "grades.csv", encoding="utf-8") as file:
        rows = {row["exercise"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(catalogue())
    lost = {name: row for name, row in rows.items() if row["points"] != row["max"]}
    assert not lost
