"""Seconds per submission: grading against nbgrader and bare nbval, on one notebook, in one run.

    pip install nbgrader             # in an environment of its own that also has the course's packages
    python tests/benchmarks/bench_grading.py --nbgrader-python /path/to/its/python

The three take turns and the best of the rounds counts, so that a busy machine disturbs all alike. The
notebook has three exercises; nbgrader and bare nbval get three test cells with fixed numbers.
"""

import argparse
import contextlib
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook, new_output

from course_lib.checking.sources import runnable_source
from course_lib.exercises import find

EXERCISES = ("centroid", "chamfer_distance", "iou")
TESTS = {
    "centroid": "assert centroid(torch.arange(6.0).reshape(1, 2, 3)).tolist() == [[1.5, 2.5, 3.5]]",
    "chamfer_distance": "x = torch.zeros(1, 2, 3)\nassert chamfer_distance(x, x + 0.1).item() > 0.05",
    "iou": "x = torch.ones(1, 4, 4, 4)\nassert iou(x, x).item() == 1",
}
PROGRAM = [sys.executable, "-m", "course_lib", "grade"]


def notebook(number: int = 0) -> nbformat.NotebookNode:
    """A submission with three right answers; each test cell prints a number that is stored too.

    Each has a text of its own: the same would be run once for all."""
    cells = [_cell("set-up", "import torch")]
    for name in EXERCISES:
        solution = _cell(f"ex-{name}", f"{runnable_source(find(name))}\n# {number}")
        test = _cell(f"test-{name}", f"{TESTS[name]}\nprint(1)")
        test.outputs = [new_output("stream", name="stdout", text="1\n")]
        base = {
            "schema_version": 3,
            "locked": False,
            "solution": True,
            "grade": False,
            "task": False,
        }
        solution.metadata["nbgrader"] = {**base, "grade_id": f"ex-{name}"}
        mark = {"locked": True, "solution": False, "grade": True, "points": 1}
        test.metadata["nbgrader"] = {**base, **mark, "grade_id": f"test-{name}"}
        cells += [solution, test]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": spec})


def _cell(name: str, source: str) -> nbformat.NotebookNode:
    cell = new_code_cell(source, id=name)
    cell.execution_count = 1
    return cell


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock, and of all processors where the system counts them (cgroup v1, root)."""

    wall: float
    cpu: float


def timed(command: list[str], folder: Path) -> Cost:
    """The cost of a command that must succeed."""
    root = str(Path(__file__).parent.parent.parent)
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1", "PYTEST_ADDOPTS": ""}
    environment["PATH"] = f"{Path(command[0]).parent}{os.pathsep}{environment['PATH']}"
    group = Path(f"/sys/fs/cgroup/cpuacct/bench-grading-{os.getpid()}")
    with contextlib.suppress(OSError):
        group.mkdir(exist_ok=True)
        (group / "cpuacct.usage").write_text("0")
    counted = (group / "tasks").exists()
    join = f'echo $$ > "{group}/tasks"; exec "$@"' if counted else 'exec "$@"'
    whole = ["sh", "-c", join, "sh", *command]
    start = time.perf_counter()
    done = subprocess.run(whole, cwd=folder, env=environment, capture_output=True, text=True)
    wall = time.perf_counter() - start
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stdout[-800:]} {done.stderr[-800:]}")
    time.sleep(0.5)  # what was killed at the end is still counted
    cpu = int((group / "cpuacct.usage").read_text()) / 1e9 if counted else math.nan
    with contextlib.suppress(OSError):
        group.rmdir()
    return Cost(wall, cpu)


def bare_nbval(folder: Path) -> Cost:
    """pytest --nbval on the notebook."""
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-c", os.devnull, "bare.ipynb"]
    return timed([*command, "-p", "no:cacheprovider"], folder)


def nbgrader(python: str, folder: Path) -> Cost:
    """nbgrader autograde, after the assignment was made (not counted)."""
    course = folder / "nbgrader"
    if not course.exists():
        for place in ("source/ps1", "submitted/anna/ps1"):
            (course / place).mkdir(parents=True)
            nbformat.write(notebook(), course / place / "work.ipynb")
        timed([python, "-m", "nbgrader", "generate_assignment", "ps1", "--force"], course)
    return timed([python, "-m", "nbgrader", "autograde", "ps1", "--force"], course)


def ours(folder: Path, students: int, jobs: int) -> Cost:
    """Our command, from nothing to all reports, per submission."""
    submissions = folder / f"submissions{students}"
    if not submissions.exists():
        submissions.mkdir()
        for number in range(students):
            nbformat.write(notebook(number), submissions / f"s{number:02d}.ipynb")
    shutil.rmtree(folder / "out", ignore_errors=True)
    command = [*PROGRAM, str(submissions), "--out", str(folder / "out"), "--jobs", str(jobs)]
    whole = timed([*command, "--exercises", *EXERCISES], folder)
    grades = (folder / "out" / "grades.csv").read_text()
    assert grades.count(",correct") == 3 * students, grades
    return Cost(whole.wall / students, whole.cpu / students)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nbgrader-python", default=None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--students", type=int, default=30)
    options = parser.parse_args()
    best: dict[str, Cost] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nbformat.write(notebook(), folder / "bare.ipynb")
        ways = {
            "bare pytest --nbval": lambda: bare_nbval(folder),
            "grade, one submission": lambda: ours(folder, 1, 1),
            f"grade, {options.students}, --jobs 1": lambda: ours(folder, options.students, 1),
            f"grade, {options.students}, --jobs 2": lambda: ours(folder, options.students, 2),
        }
        if options.nbgrader_python:
            ways["nbgrader autograde"] = lambda: nbgrader(options.nbgrader_python, folder)
        for _ in range(options.rounds):
            for way, run in ways.items():
                new, old = run(), best.get(way, Cost(math.inf, math.inf))
                best[way] = Cost(min(new.wall, old.wall), min(new.cpu, old.cpu))
                print(f"{way}: {new.wall:.2f} s, {new.cpu:.2f} s of processors", flush=True)
    bare = best["bare pytest --nbval"]
    print("| per submission | clock | processors | of bare nbval's clock | processors |")
    print("|---|---|---|---|---|")
    for way, cost in best.items():
        shares = f"{cost.wall / bare.wall:.2f} | {cost.cpu / bare.cpu:.2f}"
        print(f"| {way} | {cost.wall:.2f} s | {cost.cpu:.2f} s | {shares} |")


if __name__ == "__main__":
    main()
