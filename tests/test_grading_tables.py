"""What becomes of marks: tables for platforms, changes by hand, lateness, and earlier runs."""

import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from grading.notebooks import ANSWER, RIGHT, WRONG, book, cell, centroid, write

from course_lib.__main__ import main
from course_lib.exercises import find
from course_lib.grading import formats, gradebook, sandbox
from course_lib.grading.assemble import Plan
from course_lib.grading.extract import Cell
from course_lib.grading.marks import Mark
from course_lib.grading.pages import feedback_page, report_page
from course_lib.grading.report import write_reports
from course_lib.grading.students import Student

ROOT = Path(__file__).parent.parent
PLANS = [Plan(name, find(name).points, ()) for name in ("centroid", "axis_that_points_up", "iou")]
LATE = {
    "notebook": {"04": {"deadline": datetime(2026, 1, 1), "weight": 3}},
    "late": {"per_day": 10, "most": 25},
}


def student(name: str, *points: float, **fields) -> Student:
    pairs = zip(PLANS, points, strict=True)
    marks = {p.exercise: Mark(p.exercise, got, p.points, "partly correct") for p, got in pairs}
    cells = {p.exercise: Cell(f"x = {got}") for p, got in zip(PLANS, points, strict=True)}
    return Student(name, cells, marks=marks, **fields)


def jane(**fields) -> Student:
    return student("Jane Roe", 1, 0.5, 1, number="12", platform="moodle", **fields)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def test_totals_go_by_notebook():
    assert formats.totals(jane(), PLANS) == {"00": (1.5, 2), "04": (1, 1)}
    assert formats.percent(jane(), PLANS, {}) == pytest.approx(87.5)
    assert formats.percent(jane(), PLANS, LATE) == pytest.approx((75 + 3 * 100) / 4)


@pytest.mark.parametrize(
    ("form", "row", "expected"),
    [
        ("csv", 0, {"student": "Jane Roe", "notebook 00": "1.5", "total": "2.5", "max": "3"}),
        ("canvas", 0, {"Student": "    Points Possible", "Notebook 00": "2"}),
        ("canvas", 1, {"Student": "Jane Roe", "ID": "12", "Section": "", "Notebook 04": "1"}),
        ("moodle", 0, {"Identifier": "Participant 12", "Grade": "2.5", "Maximum Grade": "3"}),
    ],
)
def test_tables_have_the_columns_that_platforms_import(tmp_path, form, row, expected):
    write_reports(tmp_path, [jane()], PLANS, {}, [form])
    text = (tmp_path / ("totals.csv" if form == "csv" else f"{form}.csv")).read_text()
    assert text.startswith("\ufeff")
    assert rows(text)[row].items() >= expected.items()


def test_feedback_for_moodle_lies_in_the_folders_of_its_download(tmp_path):
    formats.feedback_zip(
        tmp_path / "f.zip", {"Jane Roe": "page", "Jo": "x"}, [jane(), student("Jo", 0, 0, 0)]
    )
    with zipfile.ZipFile(tmp_path / "f.zip") as archive:
        assert archive.namelist() == ["Jane Roe_12_assignsubmission_file_/feedback.html"]


@pytest.mark.parametrize(
    "name", ["=1", "x;=1+1", "x|=1", "a\n=2", " +1", "＝1", "|calc", "@x", "-1"]
)
def test_names_run_nothing_in_a_spreadsheet(name):
    safe = formats.no_formula(name)
    assert safe.startswith("'") and not any(c in safe for c in ";|\n\t")


def test_lateness_takes_off_by_days_begun_up_to_the_most():
    deadline = datetime(2026, 1, 1).timestamp()
    for days, points in ((-1, 1), (0.1, 0.9), (1.5, 0.8), (40, 0.75)):
        late = jane(times={"iou": deadline + days * gradebook.DAY})
        gradebook._take_off(late.marks["iou"], late, LATE)
        assert late.marks["iou"].points == pytest.approx(points)
        assert ("late" in late.marks["iou"].late) == (days > 0)


def settle(folder: Path, *students: Student, forms=()) -> list[Student]:
    """One run: its marks among the earlier ones, written."""
    gradebook.keep_edits(folder)
    everyone, plans = gradebook.settle(folder, list(students), PLANS, {}, {})
    write_reports(folder, everyone, plans, {}, list(forms))
    return everyone


def test_grading_one_student_again_keeps_the_others(tmp_path):
    settle(tmp_path, jane(), student("Jo", 0, 0, 0))
    settle(tmp_path, student("Jo", 1, 1, 1), forms=["csv"])
    table = rows((tmp_path / "grades.csv").read_text())
    assert {(r["student"], r["points"]) for r in table if r["exercise"] == "iou"} == {
        ("Jane Roe", "1"),
        ("Jo", "1"),
    }
    assert len(rows((tmp_path / "totals.csv").read_text())) == 2


def test_marks_set_by_hand_outlive_runs_and_are_shown(tmp_path):
    (tmp_path / "overrides.csv").write_text(
        "student;exercise;points;comment\nJane Roe;iou;0,5;copied\n", encoding="utf-8-sig"
    )
    for _ in range(2):
        mark = next(s for s in settle(tmp_path, jane()) if s.name == "Jane Roe").marks["iou"]
        assert (mark.points, mark.graded, mark.by_hand) == (0.5, 1, "copied")
    mark = settle(tmp_path, student("Jo", 0, 0, 0))[0].marks["iou"]
    assert (mark.points, mark.graded) == (0.5, 1)
    assert "copied" in (tmp_path / "feedback" / "Jane Roe.html").read_text()


def test_points_edited_in_the_table_become_overrides(tmp_path):
    settle(tmp_path, jane())
    path = tmp_path / "grades.csv"
    path.write_text(path.read_text().replace("Jane Roe,iou,1,", "Jane Roe,iou,0.25,"))
    assert settle(tmp_path, jane())[0].marks["iou"].points == 0.25
    assert gradebook.EDITED in (tmp_path / "overrides.csv").read_text()
    assert settle(tmp_path, jane())[0].marks["iou"].points == 0.25


def test_a_table_edited_in_excel_gives_its_points_and_who_is_unknown_is_told(tmp_path, capsys):
    names = ["=Jörg; Ü", "Åsa"]
    settle(tmp_path, *(student(name, 1, 1, 1) for name in names))
    path = tmp_path / "grades.csv"
    text = path.read_text().replace(",iou,1,", ",iou,0.5,").replace(",", ";").replace("0.5", "0,5")
    path.write_bytes((text + "Nobody;iou;1;1;correct\n").encode("cp1252"))
    found = {s.name: s.marks["iou"].points for s in settle(tmp_path, jane())}
    assert found == {"Jane Roe": 1} | dict.fromkeys(names, 0.5)
    assert "there is no Nobody, iou" in capsys.readouterr().err


@pytest.mark.parametrize(
    "row", ["Jane,iou,many,x", "Jane,no_such,1,x", ",iou,1,x", "Jane,iou,-1,x"]
)
def test_a_wrong_line_of_overrides_is_named(tmp_path, row):
    (tmp_path / "overrides.csv").write_text(f"student,exercise,points,comment\n{row}\n")
    with pytest.raises(ValueError, match="line 2"):
        gradebook.read_overrides(tmp_path)


def test_two_runs_are_compared_with_reasons(tmp_path):
    settle(tmp_path, jane(), student("Jo", 0, 0, 0))
    new = student("Jane Roe", 1, 1, 1)
    new.marks["iou"].by_hand, new.marks["iou"].points = "kind", 2
    new.cells["axis_that_points_up"] = Cell("other")
    everyone, _ = gradebook.settle(tmp_path / "none", [new], PLANS, {}, {})
    found = gradebook.changes(tmp_path, everyone)[1:]
    why = {(name, exercise): text for name, exercise, _, _, text in found}
    assert "another answer" in why["Jane Roe", "axis_that_points_up"]
    assert "by hand: kind" in why["Jane Roe", "iou"] and "not in these" in why["Jo", "iou"]
    assert ("Jane Roe", "centroid") not in why


def test_pseudonyms_stay_the_same_and_lead_back(tmp_path):
    first = gradebook.called(tmp_path, ["Jane", "Jo"], True)
    again = gradebook.called(tmp_path, ["Jo"], True)
    assert again["Jo"] == first["Jo"] != first["Jane"] and "Jo" not in first["Jo"]
    assert gradebook.called(tmp_path, ["Jo"], False)[first["Jane"]] == "Jane"
    assert gradebook.called(tmp_path / "other", ["Jo"], False) == {}


def test_the_report_has_totals_links_and_the_order_of_the_notebooks():
    page = report_page([jane(), student("Jo & co", 0, 0, 0)], PLANS, [])
    assert "mean 1.25, median 1.25" in page and 'href="feedback/Jane%20Roe.html"' in page
    assert "Jo &amp; co" in page and page.index("0.1 centroid") < page.index("4.1 iou")
    assert "Notebook 00: 1.5 of 2 points" in feedback_page(jane(), PLANS)


@pytest.mark.slow
@pytest.mark.skipif(sandbox.probe() is not None, reason=f"no sandbox: {sandbox.probe()}")
def test_an_instructors_term(tmp_path):
    """Two students, then one again, with a mark by hand, formats, another name and a comparison."""
    both = json.dumps(book([cell("ex-centroid", RIGHT), cell("ex-axis_that_points_up", ANSWER)]))
    first, second = tmp_path / "first", tmp_path / "second"
    write(first, {"Jane Roe_12_assignsubmission_file_/00.ipynb": both, "jo.ipynb": centroid(WRONG)})
    write(second, {"jo.ipynb": both})
    (tmp_path / "marks").mkdir()
    (tmp_path / "marks" / "overrides.csv").write_text(
        "student,exercise,points,comment\njo,centroid,0.5,oral\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def grade(*options) -> str:
        command = [sys.executable, "-m", "course_lib", "grade", *map(str, options), "--jobs", "1"]
        command += ["--out", str(tmp_path / "marks"), "--seed", "5"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def points() -> dict[tuple[str, str], str]:
        table = rows((tmp_path / "marks" / "grades.csv").read_text())
        return {(r["student"], r["exercise"]): r["points"] for r in table}

    grade(first, "--format", "moodle", "canvas", "csv")
    assert points()["Jane Roe", "centroid"] == "1" and points()["jo", "centroid"] == "0.5"
    told = grade(second, "--compare", tmp_path / "marks")
    assert "1 of them are from earlier runs" in told and "2 marks differ" in told
    assert points()["jo", "axis_that_points_up"] == "1" and points()["jo", "centroid"] == "0.5"
    grade(first, "--anonymous")
    text = (tmp_path / "marks" / "grades.csv").read_text() + (
        tmp_path / "marks" / "report.html"
    ).read_text()
    assert "Jane" not in text and "jo," not in text
    assert not [p for p in (tmp_path / "marks" / "feedback").iterdir() if "Jane" in p.name]


def test_the_autograder_for_gradescope_holds_its_scripts_and_the_course(tmp_path):
    assert main(["gradescope", "--exercises", "00", "--out", str(tmp_path)]) == 0
    with zipfile.ZipFile(tmp_path / "autograder.zip") as archive:
        names = set(archive.namelist())
        script = archive.read("run_autograder").decode()
        mode = archive.getinfo("run_autograder").external_attr >> 16
    assert {"setup.sh", "run_autograder", "course/pyproject.toml"} <= names and mode & 0o111
    assert "course/course_lib/grading/run.py" in names and "centroid axis_that_points_up" in script
    assert main(["gradescope", "--exercises", "no_such", "--out", str(tmp_path)]) == 2


@pytest.mark.slow
@pytest.mark.skipif(sandbox.probe() is not None, reason=f"no sandbox: {sandbox.probe()}")
def test_gradescope_gets_the_grader_s_points(tmp_path):
    write(tmp_path / "submission", {"my work.ipynb": centroid(RIGHT), "notes.txt": "x"})
    command = [
        sys.executable,
        "-m",
        "course_lib.grading.gradescope",
        str(tmp_path),
        "centroid",
        "iou",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results" / "results.json").read_text())
    scores = {test["name"]: (test["score"], test["max_score"]) for test in results["tests"]}
    assert results["score"] == 1 and scores["centroid"] == (1, 1) and scores["iou"][0] == 0
