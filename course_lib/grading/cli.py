"""Grade submitted notebooks with nbval in a sandbox.

SUBMISSIONS are notebooks, folders or zip files, as Moodle, Canvas and others export them: in a folder
each notebook, or each folder with notebooks, is a student's (of sections give each folder by itself).
In the output folder appear

  grades.csv       student, exercise, points, max, status
  grades.json      the same with cases, diagnosis and flags (its first key explains the fields)
  feedback/        a page per student: what failed and why, without the hidden inputs
  report.html      for you: distribution, success per exercise, misconceptions, flagged cases
  .grading/        what is needed to go on after an interruption: run the same command again

A status is one of: correct, partly correct, incorrect, not attempted, missing (no such cell),
unreadable (no notebook, or a broken one), error, time limit, memory limit, output limit, process limit,
crashed, needs review (points as given; the flags say why), and not graded (the grader failed).

The same text, of an answer and of what it needs, is run once for all who handed it in.

Marks of students who are not in this run stay as they were. Points that you write to overrides.csv
(student, exercise, points, comment), or change in grades.csv, stand over later runs.

Hidden cases are drawn from the seed, which is secret unless you give it. Cases, points, weights and
deadlines of your own stand in a TOML file (--cases FILE):

  [chamfer_distance]
  points = 4
  [[chamfer_distance.cases]]
  name = "clouds far apart"
  arguments = "(torch.rand(1, 5, 3, generator=g), 9 + torch.rand(1, 4, 3, generator=g))"
  [notebook.04]
  points = 20
  deadline = 2026-11-30T23:59:00
  [late]
  per_day = 10

The exit code is 0 unless grading itself failed (1; 2: wrong usage, 3: no sandbox).
"""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

EXAMPLES = """examples:
  python -m course_lib grade submissions/ --out marks
  python -m course_lib grade export.zip --out marks --exercises chamfer_distance f_score --jobs 4
  python -m course_lib grade submissions/ --out marks --dask tcp://scheduler:8786
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `grade`."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add("submissions", nargs="+", type=Path, metavar="SUBMISSIONS", help="files, folders or zips")
    add("--out", required=True, type=Path, metavar="FOLDER", help="where the results go")
    text = "names, or notebooks such as 04; default: those of the notebooks handed in"
    add("--exercises", nargs="+", default=[], metavar="NAME", help=text)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    add("--jobs", type=int, default=cores, metavar="N", help="students at a time (default: cores)")
    text = "seconds that the cells of one exercise may take together (default 60)"
    add("--timeout", type=float, default=60.0, metavar="S", help=text)
    add("--seed", default="", metavar="S", help="of the hidden cases (default: a secret one)")
    add("--cases", type=Path, metavar="FILE", help="cases and points of your own (TOML)")
    text = "also write tables of totals for these: csv, canvas, moodle (with a zip of the feedback)"
    add("--format", nargs="+", default=[], choices=("csv", "canvas", "moodle"), help=text)
    add("--anonymous", action="store_true", help="call students by numbers that tell nothing")
    add("--compare", type=Path, metavar="OLD", help="list what differs from these results, and why")
    add("--keep", action="store_true", help="leave the grading notebooks in FOLDER/notebooks")
    add("--dask", metavar="ADDRESS", help="grade on this dask cluster")
    add("--unsandboxed", action="store_true", help="run students' code without protection")


def run(options: argparse.Namespace) -> int:
    """Grade and write the reports; the exit code."""
    from course_lib.grading import sandbox

    if options.unsandboxed:
        os.environ["COURSE_UNSANDBOXED"] = "1"
    elif why := sandbox.probe():
        text = "To run students' code unprotected: --unsandboxed"
        print(f"No sandbox: {why}. {text}", file=sys.stderr)
        return 3
    try:
        return _run(options)
    except ValueError as error:
        print(f"grade: {error}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    from course_lib.grading.gradebook import called, read_overrides
    from course_lib.grading.submissions import collect
    from course_lib.grading.workspace import GradingError, workspace

    if options.jobs < 1 or not 1 <= options.timeout <= 600:
        got = f"got {options.jobs} and {options.timeout:g}"
        raise ValueError(f"expected jobs >= 1 and a timeout from 1 to 600 seconds, {got}")
    out = options.out.resolve()
    submissions = collect(options.submissions, but=out)
    if not submissions:
        raise ValueError("there are no submissions in it")
    names = called(out, [s.student for s in submissions], options.anonymous)
    if options.anonymous:
        called_so = [replace(s, student=names[s.student], number="") for s in submissions]
        submissions = [replace(s, platform="") for s in called_so]
    read_overrides(out)
    try:
        with workspace(out):
            return _grade(options, out, submissions, names)
    except GradingError as error:
        print(f"grade: {error}", file=sys.stderr)
        return 1


def _grade(options: argparse.Namespace, out: Path, submissions: list, names: dict) -> int:
    from course_lib.grading import formats, gradebook
    from course_lib.grading.instructor import read_cases
    from course_lib.grading.report import summary, write, write_reports
    from course_lib.grading.run import grade
    from course_lib.grading.workspace import Run

    extra = read_cases(options.cases) if options.cases else {}
    names_given = exercise_names(options.exercises)
    settings = Run(out, options.jobs, options.timeout, options.seed, names_given, extra)
    settings.keep, settings.dask = options.keep, options.dask
    graded, plans = grade(settings, submissions)
    for student, exercise in gradebook.keep_edits(out):
        print(f"grade: {student}, {exercise}: edited in grades.csv, kept in overrides.csv")
    students, plans = gradebook.settle(out, graded, plans, extra, names)
    if options.compare:
        changed = gradebook.changes(options.compare, students)
        write(out / "changes.csv", formats.table(changed))
        print(f"{len(changed) - 1} marks differ from {options.compare}: see {out / 'changes.csv'}")
    write_reports(out, students, plans, extra, options.format)
    print(summary(students, plans, out))
    if kept := len(students) - len(graded):
        print(f"{kept} of them are from earlier runs")
    return _not_graded(graded)


def _not_graded(students: list) -> int:
    """Say on whom the grader failed; the exit code."""
    from course_lib.grading.marks import NOT_GRADED

    left = [(s.name, m) for s in students for m in s.marks.values() if m.status == NOT_GRADED]
    for name, mark in left[:10]:
        print(f"grade: not graded: {name}, {mark.exercise}: {mark.feedback[0]}", file=sys.stderr)
    if len(left) > 10:
        print(f"grade: and {len(left) - 10} more", file=sys.stderr)
    return 1 if left else 0


def exercise_names(given: list[str]) -> tuple[str, ...]:
    """The exercises meant by names and notebooks ("04" or "04_losses"). Raises ValueError."""
    from course_lib.exercises import catalogue, find

    names: list[str] = []
    for text in (part for entry in given for part in entry.split(",") if part):
        if text[:2].isdigit():
            matching = [n for n, e in catalogue().items() if e.notebook == text[:2]]
            if not matching:
                raise ValueError(f"there is no notebook {text!r} with exercises")
            names += matching
        else:
            names.append(find(text).name)
    return tuple(dict.fromkeys(names))
