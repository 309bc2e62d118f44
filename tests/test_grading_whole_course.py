"""The whole course, solved, earns the whole course's points: as root and as an ordinary user."""

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from grading import more_attacks
from grading.notebooks import centroid, write
from grading.users import as_ordinary_user

from course_lib.authoring.solve import solve
from course_lib.exercises import catalogue
from course_lib.grading import sandbox

ROOT = Path(__file__).parent.parent


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sandbox.probe() is not None, reason=f"no sandbox: {sandbox.probe()}"),
]


@pytest.fixture
def top():
    """A folder that an ordinary user can reach, which pytest's are not."""
    with tempfile.TemporaryDirectory(prefix="course-test-") as name:
        yield Path(name)


def hand_in(folder: Path, pattern: str = "*") -> None:
    """The solved notebooks of one student, in a text of its own: the same would be run once for all."""
    folder.mkdir(parents=True)
    for path in sorted((ROOT / "notebooks").glob(f"{pattern}.ipynb")):
        book = solve(nbformat.read(path, as_version=4))
        for cell in (cell for cell in book.cells if cell.id.startswith("ex-")):
            cell.source += f"\n# {folder.name}"
        nbformat.write(book, folder / path.name)


def grade(top: Path, *options: str, ordinary: bool = False) -> dict[tuple[str, str], dict]:
    """The rows of the table by student and exercise."""
    command = [sys.executable, "-m", "course_lib", "grade", str(top / "submissions")]
    command += ["--out", str(top / "out"), *options]
    # Threads as a machine of many cores has them: their stacks and arenas count nowhere.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "64"}
    command = as_ordinary_user(top, command) if ordinary else command
    result = subprocess.run(command, env=environment, cwd=top, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    with open(top / "out" / "grades.csv", encoding="utf-8-sig") as file:
        return {(row["student"], row["exercise"]): row for row in csv.DictReader(file)}


def lost(rows: dict) -> dict:
    """The rows without full marks."""
    return {key: row for key, row in rows.items() if row["points"] != row["max"]}


@pytest.mark.parametrize(
    "ordinary",
    [
        pytest.param(False, marks=pytest.mark.extra, id="as-it-is"),
        pytest.param(True, id="as-an-ordinary-user"),
    ],
)
def test_the_whole_course_solved_earns_every_point(top, ordinary):
    hand_in(top / "submissions" / "jane")
    rows = grade(top, ordinary=ordinary)
    assert {exercise for _, exercise in rows} == set(catalogue())
    assert not lost(rows)


@pytest.mark.extra
def test_many_at_a_time_as_an_ordinary_user_keep_their_marks_beside_sleeping_threads(top):
    for number in range(6):
        hand_in(top / "submissions" / f"s{number}", "00*")
    for what in ("SLEEPERS", "SHARED_MEMORY"):
        text = centroid(getattr(more_attacks, what))
        write(top / "submissions", {f"x-{what.lower()}/00_start_here.ipynb": text})
    rows = grade(top, "--jobs", "8", "--timeout", "10", "--exercises", "00", ordinary=True)
    assert {student for student, _ in lost(rows)} == {"x-sleepers", "x-shared_memory"}
    assert all(rows[s, "centroid"]["points"] == "0" for s in ("x-sleepers", "x-shared_memory"))
