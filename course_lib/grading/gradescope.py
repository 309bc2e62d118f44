"""Make an autograder for Gradescope: a zip that grades by the same grader as `grade`.

Gradescope (Programming Assignment, "Configure Autograder", upload the zip) runs `setup.sh` once to make
the image and `run_autograder` for each submission: it reads /autograder/submission and writes
/autograder/results/results.json. Containers there may forbid the sandbox; then students' code runs in
the container without it, the results say so to you alone, and the solutions can be read by somebody
determined: use it for practice, and `grade` for marks.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from course_lib.grading.library import PACKAGE

SETUP = """#!/usr/bin/env bash
set -e
apt-get update
apt-get install -y python3 python3-pip python3-venv bubblewrap
python3 -m venv /autograder/environment
/autograder/environment/bin/pip install /autograder/source/course
"""
RUN = """#!/usr/bin/env bash
cd /autograder/source/course
exec /autograder/environment/bin/python -m course_lib.grading.gradescope /autograder {options}
"""
NOT_PACKED = ("__pycache__", ".pyc")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `gradescope`."""
    add = parser.add_argument
    add("--out", required=True, type=Path, metavar="FOLDER", help="for autograder.zip")
    text = "names, or notebooks such as 04"
    add("--exercises", nargs="+", required=True, metavar="NAME", help=text)


def run(options: argparse.Namespace) -> int:
    """Write the zip; the exit code."""
    from course_lib.grading.cli import exercise_names

    try:
        names = exercise_names(options.exercises)
    except ValueError as error:
        print(f"gradescope: {error}", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "autograder.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        texts = {"setup.sh": SETUP, "run_autograder": RUN.format(options=" ".join(names))}
        for name, text in texts.items():
            entry = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, text)
        for file in sorted(_course()):
            archive.write(file, Path("course") / file.relative_to(PACKAGE.parent))
    print(f"{path}: upload it as the autograder, {len(names)} exercises")
    return 0


def _course() -> list[Path]:
    """The files that the grader needs."""
    root = PACKAGE.parent
    files = [root / name for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE")]
    files += [*PACKAGE.rglob("*"), *(root / "assets").rglob("*")]
    return [f for f in files if f.is_file() and not any(p in str(f) for p in NOT_PACKED)]


def results(student: dict, note: str = "") -> dict:
    """Gradescope's results.json of a student of `grades.json`."""
    tests = [
        {
            "name": mark["exercise"],
            "score": mark["points"],
            "max_score": mark["max"],
            "status": "passed" if mark["points"] >= mark["max"] else "failed",
            "output": "\n".join([mark["status"], *mark["feedback"]]),
            "visibility": "visible",
        }
        for mark in student["marks"]
    ]
    hidden = "\n".join(filter(None, [note, *(f for m in student["marks"] for f in m["flags"])]))
    notes = {"name": "for the teacher", "output": hidden, "max_score": 0, "score": 0}
    tests += [{**notes, "visibility": "hidden"}] if hidden else []
    output = student["problem"] or f"{student['points']:g} of {student['max']:g} points"
    whole = {"score": student["points"], "output": output, "tests": tests}
    return {**whole, "stdout_visibility": "hidden"}


def main(folder: Path, names: list[str]) -> int:
    """Grade `folder`/submission into `folder`/results/results.json, as Gradescope runs it."""
    from course_lib.grading import sandbox

    why, marks, class_ = sandbox.probe(), folder / "marks", folder / "class"
    shutil.copytree(folder / "submission", class_ / "submission", symlinks=True)
    command = [sys.executable, "-m", "course_lib", "grade", str(class_)]
    command += ["--out", str(marks), "--exercises", *names, *(["--unsandboxed"] if why else [])]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
    path = marks / "grades.json"
    if done.returncode not in (0, 1) or not path.exists():
        print(done.stderr, file=sys.stderr)
        return done.returncode or 1
    data = json.loads(path.read_text(encoding="utf-8"))
    target = folder / "results" / "results.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    note = f"graded without the sandbox: {why}" if why else ""
    target.write_text(json.dumps(results(data["students"][0], note), indent=1), encoding="utf-8")
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))
