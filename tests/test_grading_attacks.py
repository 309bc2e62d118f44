"""Every attack of the threat model: its mark, the next submission's mark, and nothing else touched."""

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from grading import attacks, more_attacks
from grading.notebooks import RIGHT, centroid, write

from course_lib.grading import sandbox

ROOT = Path(__file__).parent.parent
ATTACKS = attacks.ATTACKS | more_attacks.MORE
FOLLOWED = list(ATTACKS)[:: 1 if os.environ.get("COURSE_EXTRA") else 3]
"""Attacks after which a right submission is graded: with COURSE_EXTRA=1 all."""
NUISANCES = attacks.NUISANCES | more_attacks.MORE_NUISANCES
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sandbox.probe() is not None, reason=f"no sandbox: {sandbox.probe()}"),
]


def name(number: int) -> str:
    return f"a{number:02d}"


def listing(folder: Path) -> dict[str, tuple]:
    """Path -> (size, time of change) of everything in a folder."""
    return {
        str(path): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
    }


def course_traces() -> set[str]:
    """What the attacks would leave in the system's temporary folders."""
    names_of_attacks = ("course-conftest", "course-shadow", "course-pickle", "fill")
    found = set()
    for folder in ("/tmp", "/dev/shm", "/var/tmp"):
        names = os.listdir(folder) if os.path.isdir(folder) else []
        found |= {f"{folder}/{n}" for n in names if n.startswith(names_of_attacks)}
    return found


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """All attacks, graded in one run, and after those in FOLLOWED a right submission."""
    top = tmp_path_factory.mktemp("attacks")
    files = {}
    for number, (_, parts) in ATTACKS.items():
        files |= {f"submissions/{name(number)}{ending}": text for ending, text in parts.items()}
        # A text of its own: the same text would be run once for all who handed it in.
        if number in FOLLOWED:
            files[f"submissions/{name(number)}-next.ipynb"] = centroid(f"{RIGHT}# {number}\n")
    for what, text in NUISANCES.items():
        files[f"submissions/nuisance-{what}.ipynb"] = text
    write(top, files)
    home = top / "home"
    write(home, {".ipython/profile_default/startup/own.py": "", "work/notes.txt": "mine"})
    before, traces = listing(top), course_traces()
    command = [sys.executable, "-m", "course_lib", "grade", str(top / "submissions")]
    command += [
        "--out",
        str(top / "out"),
        "--timeout",
        "4",
        "--jobs",
        "2",
        "--exercises",
        "centroid",
    ]
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environment, cwd=home / "work", capture_output=True, text=True, timeout=540
    )
    after = {k: v for k, v in listing(top).items() if not k.startswith(str(top / "out"))}
    table = (top / "out" / "grades.csv").read_text() if done.returncode == 0 else ""
    rows = list(csv.DictReader(table.splitlines()))
    return {
        "done": done,
        "rows": {row["student"]: row for row in rows},
        "changed": {k for k in before.keys() | after.keys() if before.get(k) != after.get(k)},
        "traces": course_traces() - traces,
        "out": top / "out",
    }


def test_the_run_ends_well_and_has_a_row_for_everybody(graded):
    assert graded["done"].returncode == 0, graded["done"].stderr[-3000:]
    assert len(graded["rows"]) == len(ATTACKS) + len(FOLLOWED) + len(NUISANCES)


@pytest.mark.parametrize("number", ATTACKS, ids=lambda n: f"{n}-{ATTACKS[n][0].replace(' ', '-')}")
def test_an_attack_earns_nothing_and_the_next_student_is_graded_right(graded, number):
    attacker, following = graded["rows"][name(number)], graded["rows"].get(f"{name(number)}-next")
    assert float(attacker["points"]) == 0, attacker
    assert attacker["status"] != "correct"
    assert (following is None) == (number not in FOLLOWED)
    if following:
        assert (float(following["points"]), following["status"]) == (1, "correct"), following


@pytest.mark.parametrize("what", NUISANCES)
def test_right_code_with_a_nuisance_around_it_earns_its_point(graded, what):
    assert graded["rows"][f"nuisance-{what}"]["status"] == "correct"


def test_nothing_outside_the_output_folder_changed(graded):
    assert graded["changed"] <= {str(graded["out"].parent)}
    assert not graded["traces"]


def test_no_process_of_the_run_is_left(graded):
    mine = str(graded["out"]).encode()
    left = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes()
        except OSError:
            continue
        if mine in command:
            left.append(command)
    assert not left


def test_the_status_says_what_happened(graded):
    status = {n: graded["rows"][name(n)]["status"] for n in ATTACKS}
    assert status[9] == "crashed"
    assert status[10] == "time limit"
    assert status[28] in ("incorrect", "time limit"), "nothing that it tried succeeded"
    assert status[34] == "crashed"
    assert status[35] == "error"
    assert status[23] == "needs review"
    assert status[24] == status[25] == "unreadable"
    assert status[42] == status[43] == status[44] == "incorrect"
    assert Counter(status.values())["correct"] == 0


def test_the_page_of_an_error_made_from_hidden_inputs_says_the_same_for_every_input(graded):
    for number in (43, 44):
        page = (graded["out"] / "feedback" / f"{name(number)}.html").read_text()
        assert "bit0" not in page and "bit1" not in page
        assert page.count("t raised") == 1


def test_compiled_code_is_flagged(graded):
    data = json.loads((graded["out"] / "grades.json").read_text())
    assert "marshal" in json.dumps(data["students"], default=str).split("nuisance-compiled")[1]


def test_feedback_holds_no_hidden_input_and_no_markup_of_students(graded):
    for page in (graded["out"] / "feedback").glob("*.html"):
        text = page.read_text()
        assert "LEAKED" not in text and "<script" not in text and "\x1b" not in text
    assert "<script" not in (graded["out"] / "report.html").read_text()
    data = json.loads((graded["out"] / "grades.json").read_text())
    assert "LEAKED" not in json.dumps(data)
