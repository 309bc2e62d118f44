"""A class that hands in the whole course: marks, memory over time, submissions per minute, a kill.

    python tests/benchmarks/bench_class.py --students 300 --jobs 2

The class is simulated: each student is of one of the kinds below, in turn, and hands in by one of the
exports below, in turn. Every `--own`-th student's answers are texts of their own, the others' are the
same within a kind, and the grader runs the same text once. The run is killed once and resumed. At its
end every student must have the points that the first of the same kind gets when graded alone (which
limit stopped an attack may differ), and nothing of the run may be left on the machine.
"""

import argparse
import csv
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import nbformat

from course_lib.authoring.solve import solve

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from grading import attacks, more_attacks  # noqa: E402  # beside the other tests

Books = dict[str, nbformat.NotebookNode]
MINE = "a remark of one's own"
NOTHING = "def {name}(*arguments, **options):\n    return None\n"
EXPORTS = {
    "folders": "{student}/{file}",
    "moodle": "{student}_{number}_assignsubmission_file/{file}",
    "canvas": "{student}_{number}_77{number}_{file}",
    "blackboard": "Course_{student}_attempt_2026-11-01-09-05-00_{file}",
    "brightspace": "{number}-42 - {student} - Nov 3, 2026 905 AM/{file}",
    "zips": "{student}.zip/{file}",
    "mac.zip": "mac/{student}/{file}",
}
"""Where each export has a student's notebooks."""


def solved() -> Books:
    """The course with the reference in every exercise's cell."""
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    return {path.name: solve(nbformat.read(path, as_version=4)) for path in paths}


def replaced(books: Books, source: Callable[[str, int], str | None]) -> dict[str, str]:
    """The notebooks' texts, where `source(name, position)` is another text for an exercise's cell."""
    texts, position = {}, 0
    for file, book in books.items():
        copy = nbformat.reads(nbformat.writes(book), as_version=4)
        for cell in (cell for cell in copy.cells if cell.id.startswith("ex-")):
            text = source(cell.id.removeprefix("ex-"), position)
            text = cell.source if text is None else text
            cell.source, position = f"{text}\n# {MINE}" if text else "", position + 1
        texts[file] = nbformat.writes(copy)
    return texts


def kinds(books: Books) -> dict[str, dict[str, str]]:
    """Kind of student -> file -> text."""
    whole = replaced(books, lambda name, position: None)
    loop = attacks.LOOP
    found = {
        "solved": whole,
        "half": replaced(books, lambda name, i: "" if i % 2 else None),
        "wrong": replaced(books, lambda name, i: NOTHING.format(name=name)),
        "broken": {file: text[: len(text) // 2] for file, text in whole.items()},
        "endless": replaced(books, lambda name, i: loop if name == "centroid" else None),
    }
    hostile = {"forks": attacks.FORKS, "memory": attacks.MEMORY, "escape": more_attacks.ESCAPE}
    hostile |= {"flood": attacks.FLOOD, "exit": attacks.EXIT, "shared": more_attacks.SHARED_MEMORY}
    for what, text in hostile.items():
        found[what] = replaced(books, lambda name, i, t=text: t if name == "centroid" else None)
    return found


def write_class(
    folder: Path, texts: dict[str, dict[str, str]], count: int, exports: list[str], own: int = 1
) -> list[Path]:
    """The exports of `count` students, the kinds in turn, solved ones in between."""
    order = [kind for kind in texts if kind != "solved"]
    for i in range(count):
        kind = order[i // 2 % len(order)] if i % 2 else "solved"
        export = exports[i % len(exports)]
        remark = f"{folder.parent.name} {i}" if i % own == 0 else folder.parent.name
        for file, text in texts[kind].items():
            known = {"student": f"{i:03d}-{kind}", "number": 1000 + i, "file": file}
            path = folder / export / EXPORTS[export].format(**known)
            write(path, text.replace(MINE, remark))
            if export == "mac.zip":  # beside each file its resources, as a Mac's archives have them
                inner = path.relative_to(folder / export)
                write(folder / export / "__MACOSX" / inner.parent / f"._{file}", "Mac OS X")
    return [folder / export for export in exports if (folder / export).exists()]


def write(path: Path, text: str) -> None:
    """Write a file, into the zip that one of its folders is called."""
    archive = next((place for place in path.parents if place.suffix == ".zip"), None)
    (archive or path).parent.mkdir(parents=True, exist_ok=True)
    if archive is None:
        path.write_text(text, encoding="utf-8")
    else:
        with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as zipped:
            zipped.writestr(str(path.relative_to(archive)), text)


def start(submissions: list[Path], out: Path, options: argparse.Namespace) -> subprocess.Popen:
    """The grader in a process of its own."""
    command = [sys.executable, "-m", "course_lib", "grade", *map(str, submissions)]
    command += ["--out", str(out)]
    command += ["--jobs", str(options.jobs), "--timeout", str(options.timeout), "--seed", "class"]
    command += ["--exercises", *options.exercises] if options.exercises else []
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with open(out.with_suffix(".log"), "ab") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def marks(out: Path) -> dict[str, dict[str, tuple[str, str]]]:
    """Student -> exercise -> (points, status)."""
    table: dict[str, dict[str, tuple[str, str]]] = {}
    with open(out / "grades.csv", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            table.setdefault(row["student"], {})[row["exercise"]] = (row["points"], row["status"])
    return table


def family(root: int) -> list[int]:
    """A process and all that come from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry.parent.name))
    found = [root]
    for process in found:
        found += children.get(process, [])
    return found


def megabytes(process: int) -> float:
    """The memory of a process; what several share is theirs in equal parts."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


class Curve(threading.Thread):
    """Samples the grader's own memory, and that of all its processes, every two seconds."""

    def __init__(self, process: subprocess.Popen):
        super().__init__(daemon=True)
        self.process, self.points = process, []
        self.start()

    def run(self) -> None:
        """Until the grader ends."""
        begin = time.monotonic()
        while self.process.poll() is None:
            used = {process: megabytes(process) for process in family(self.process.pid)}
            now = time.monotonic() - begin
            self.points.append((now, used.get(self.process.pid, 0.0), sum(used.values())))
            time.sleep(2)

    def show(self) -> None:
        """Ten lines: the mean of each tenth of the time."""
        print("seconds  grader MB  all MB (mean, most)")
        size = max(1, len(self.points) // 10)
        for i in range(0, len(self.points), size):
            part = self.points[i : i + size]
            own, together = ([p[k] for p in part] for k in (1, 2))
            mean = sum(together) / len(part)
            print(
                f"{part[-1][0]:7.0f}  {sum(own) / len(part):9.0f}  {mean:.0f}, {max(together):.0f}"
            )


def results(out: Path) -> int:
    """How many results the journal has."""
    journal = out / ".grading" / "journal.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def interrupted(submissions: list[Path], out: Path, options: argparse.Namespace) -> None:
    """Start the grader and kill it once its journal has so many results."""
    process = start(submissions, out, options)
    while process.poll() is None and results(out) < options.kill_after:
        time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    print(f"killed with {results(out)} results in the journal", flush=True)


def main() -> None:
    """Grade a simulated class and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=20)
    parser.add_argument("--kill-after", type=int, default=1000, help="results")
    parser.add_argument("--own", type=int, default=1, help="every so many-th has texts of its own")
    parser.add_argument("--exercises", nargs="*", help="some notebooks instead of the course")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="class-") as name:
        top, texts = Path(name), kinds(solved())
        everybody = (options.students, list(EXPORTS), options.own)
        exports = write_class(top / "class", texts, *everybody)
        if options.kill_after:
            interrupted(exports, top / "out", options)
        begin = time.monotonic()
        process = start(exports, top / "out", options)
        curve = Curve(process)
        code, seconds = process.wait(), time.monotonic() - begin
        curve.show()
        print(
            f"{options.students} students, {options.jobs} jobs, exit code {code}: {seconds:.0f} s"
        )
        print(f"{60 * options.students / seconds:.2f} submissions per minute (after the kill)")
        report(top, texts, options)


def report(top: Path, texts: dict[str, dict[str, str]], options: argparse.Namespace) -> None:
    """Compare with each kind graded alone; look for what is left."""
    table = marks(top / "out")
    wrong = 0
    for kind in sorted({student.partition("-")[2] for student in table}):
        alone = write_class(top / kind / "class", {"solved": texts[kind]}, 1, ["folders"])
        start(alone, top / kind / "out", options).wait()
        (own,) = marks(top / kind / "out").values()
        for student in (s for s in table if s.endswith(f"-{kind}")):
            differ = {e for e in own if own[e][0] != table[student].get(e, ("", ""))[0]}
            wrong += bool(differ)
            for name in sorted(differ):
                print(f"{student}: {name} {own[name]} {table[student].get(name)}")
        points = sum(float(p) for p, _ in own.values())
        print(f"{kind}: {points:g} points, {sum(s == 'correct' for _, s in own.values())} correct")
    print(f"{wrong} of {len(table)} students (of {options.students}) have other points than alone")
    left = [p for p in Path("/proc").glob("[0-9]*/cmdline") if str(top).encode() in read(p)]
    print(f"{len([p for p in left if p.parent.name != str(os.getpid())])} processes left")
    print("left in the private folder:", sorted(p.name for p in (top / "out/.grading").iterdir()))


def read(path: Path) -> bytes:
    """A file that may go away."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    main()
