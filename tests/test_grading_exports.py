"""Grading: whose the files of an export are, by the names that platforms and students give them."""

import zipfile
from pathlib import Path

import pytest
from grading.notebooks import RIGHT, centroid, write

from course_lib.grading.platforms import named
from course_lib.grading.students import read, several
from course_lib.grading.submissions import collect

EXPORTS = {
    "Canvas": (
        {"roejane_12_991_00.ipynb", "roejane_12_992_04-1.ipynb", "doejohn_LATE_13_993_00.ipynb"},
        {"roejane": 2, "doejohn": 1},
    ),
    "Moodle": (
        {f"Jane Roe_12_assignsubmission_file_{end}.ipynb" for end in ("00", "04")}
        | {"John Doe_13_assignsubmission_file_00.ipynb"},
        {"Jane Roe": 2, "John Doe": 1},
    ),
    "Moodle, folders, online text": (
        {
            "Jane Roe_12_assignsubmission_file/00.ipynb",
            "Jane Roe_12_assignsubmission_onlinetext/onlinetext.html",
            "Participant 13_13_assignsubmission_file_/deep/homework.ipynb",
        },
        {"Jane Roe": 1, "Participant 13": 1},
    ),
    "Moodle, two of one name": (
        {"A B_1_assignsubmission_file_/00.ipynb", "A B_2_assignsubmission_file_/00.ipynb"},
        {"A B_1": 1, "A B_2": 1},
    ),
    "Moodle, two assignments": (
        {
            "hw 0/Jane Roe_11_assignsubmission_file_/00.ipynb",
            "hw 0/Jo_12_assignsubmission_file_/00.ipynb",
            "hw 4/Jane Roe_21_assignsubmission_file_/04.ipynb",
            "hw 4/Jo_22_assignsubmission_file_/04.ipynb",
            "hw 4/Jo_23_assignsubmission_file_/04.ipynb",
        },
        {"Jane Roe": 2, "Jo_12": 1, "Jo_22": 1, "Jo_23": 1},
    ),
    "groups by number": (
        {"01/00_start_here.ipynb", "02/00_start_here.ipynb", "03_ann/00_start_here.ipynb"},
        {"01": 1, "02": 1, "03_ann": 1},
    ),
    "Blackboard": (
        {
            "hw_1_jroe_attempt_2024-03-03-11-00-00_00.ipynb",
            "hw_1_jroe_attempt_2024-03-03-17-00-00_00.ipynb",
            "hw_1_jroe_attempt_2024-03-03-17-00-00.txt",
        },
        {"jroe": 1},
    ),
    "Gradescope": (
        {"x/submission_1/00.ipynb", "x/submission_2/00.ipynb", "x/submission_metadata.yml"},
        {"submission_1": 1, "submission_2": 1},
    ),
    "Brightspace": (
        {"12-34 - Jane Roe - Mar 3, 2024 1100 AM/00.ipynb", "index.html"},
        {"Jane Roe": 1},
    ),
    "Brightspace, without folders": (
        {
            f"1{n}-34 - Jane Roe - Mar {n}, 2024 {when} - 0{n % 7}_x.ipynb"
            for n, when in ((9, "1145 PM"), (21, "905 AM"), (21, "1205 PM"), (28, "1205 PM"))
        }
        | {"128-34 - Jane Roe - Mar 28, 2024 1205 PM - 04_y.ipynb"},
        {"Jane Roe": 3},  # 00, 02 and 04, each as it was handed in last
    ),
    "Brightspace, two tasks": (
        {f"1-{n} - Jane - May {n}, 2024 1159 PM/hw.ipynb" for n in (2, 3)},
        {"Jane": 2},
    ),
    "Blackboard, two tasks": (
        {f"HW{n}_jane_attempt_2024-0{n}-02-11-59-00_0{n}.ipynb" for n in (4, 5)},
        {"jane": 2},
    ),
    "Blackboard, users with underscores": (
        {
            f"HW1_{who}_attempt_2024-03-0{n}-11-59-00_00.ipynb"
            for who in ("j_doe", "k_doe", "ada")
            for n in (4, 5)
        },
        {"j_doe": 1, "k_doe": 1, "ada": 1},
    ),
    "Teams, from the top": (
        {
            f"Student Work/{kind} files/{who}/HW 1/Version {n}/00.ipynb"
            for who in ("Jane Roe", "Jo")
            for n in (1, 2)
            for kind in ("Submitted", "Working")
        },
        {"Jane Roe": 1, "Jo": 1},
    ),
    "folders for weeks": (
        {f"week {n}/{who}.ipynb" for who in ("ann", "ben") for n in (1, 2)},
        {"ann": 2, "ben": 2},
    ),
    "weeks of one student each": (
        {f"{who}/week {n}/hw.ipynb" for who in ("ann", "ben") for n in (1, 2)},
        {"ann": 2, "ben": 2},
    ),
    "by title and student, in a folder": (
        {f"in/hw/04_losses_and_metrics_{who}.ipynb" for who in ("Jane Roe", "Jo")},
        {"Jane Roe": 1, "Jo": 1},
    ),
    "folders of their own": (
        {f"in/{who}/{own}/04.ipynb" for who in ("ann", "ben") for own in ("notebooks", "backup")},
        {"ann": 2, "ben": 2},
    ),
    "like Canvas, and not": (
        {f"hw4_2024_0{n}_{who}.ipynb" for n, who in ((5, "jane"), (5, "john"), (6, "al"))},
        {"hw4_2024_05_jane": 1, "hw4_2024_05_john": 1, "hw4_2024_06_al": 1},
    ),
    "Canvas, blind": (
        {"anon_aB1_900007_04.ipynb", "anon_aB1_900008_05.ipynb", "anon_x9_LATE_900009_04.ipynb"},
        {"anon_aB1": 2, "anon_x9": 1},
    ),
    "ILIAS": (
        {
            "hw/hw.xlsx",
            "hw/Abgaben/R_J_jr_1/20240303_a.ipynb",
            "hw/Abgaben/D_J_jd_2/20240304_b.ipynb",
        },
        {"R_J_jr_1": 1, "D_J_jd_2": 1, "hw": 0},
    ),
    "ILIAS, teams": (
        {"hw/sheet/Abgaben/Team 1/R_J_jr_1/a.ipynb", "hw/sheet/Abgaben/Team 2/D_J_jd_2/b.ipynb"},
        {"Team 1": 1, "Team 2": 1},
    ),
    "a folder that all students have": (
        {f"{name}/our_exercise_sheet_1/{name}.ipynb" for name in ("ann", "ben", "cem")},
        {"ann": 1, "ben": 1, "cem": 1},
    ),
    "one student's copy of the course": (
        {"c-main/README.md", "c-main/notebooks/00_start_here.ipynb", "c-main/course_lib/x.py"},
        {"c-main": 1},
    ),
    "Teams": (
        {"hw/Jane Roe/Version 1/00.ipynb", "hw/Jane Roe/Version 10/00.ipynb", "hw/Jo/x.ipynb"},
        {"Jane Roe": 1, "Jo": 1},
    ),
    "zipped on a Mac": (
        {"class/anna.ipynb", "class/ben.ipynb", "__MACOSX/class/._anna.ipynb", "class/.DS_Store"},
        {"anna": 1, "ben": 1},
    ),
    "zipped on Windows": ({"class\\anna.ipynb", "class\\ben.ipynb"}, {"anna": 1, "ben": 1}),
    "a folder in the folder": (
        {"submitted/jo/ps1/00.ipynb", "submitted/jo/timestamp.txt", "submitted/ann/ps1/00.ipynb"},
        {"jo": 1, "ann": 1},
    ),
    "groups": (
        {"Mo/ann/00.ipynb", "Mo/ben/00.ipynb", "Tu/cem/00.ipynb", "Tu/dan/00.ipynb"},
        {"ann": 1, "ben": 1, "cem": 1, "dan": 1},
    ),
    "a folder per notebook": (
        {"00/ann.ipynb", "00/ben.ipynb", "04/ann.ipynb"},
        {"ann": 2, "ben": 1},
    ),
    "called by notebook and student": (
        {
            "00_start_here_ann.ipynb",
            "00_start_here-ben (1).ipynb",
            "04_losses_and_metrics_ann.ipynb",
            "Cem D - 00_start_here.ipynb",
            "Copy of 00_start_here.ipynb - Dan.ipynb",
            "Eve F - Kopie von 00_start_here.ipynb (1).ipynb",
        },
        {"ann": 2, "ben": 1, "Cem D": 1, "Dan": 1, "Eve F": 1},
    ),
    "by number and student": (
        {"01_ann.ipynb", "01_Ben D (1).ipynb", "02_ann.ipynb", "04 - Ben D.ipynb"},
        {"ann": 2, "Ben D": 2},
    ),
    "one student's, by number": ({"01_mine.ipynb", "02_mine.ipynb"}, {"all": 2}),
    "one student's, called final": (
        {"00_start_here_final.ipynb", "04_losses_and_metrics_final.ipynb", "03_nerf.ipynb"},
        {"all": 3},
    ),
    "one student's folder": ({"anna/00.ipynb", "anna/04_losses.ipynb"}, {"anna": 2}),
    "one student's notebooks": ({"00_start_here.ipynb", "04.IPYNB", "03.ipynb.txt"}, {"all": 3}),
    "copies": (
        {"anna.ipynb", "anna (1).ipynb", "anna-2.ipynb", "ben-2.ipynb"},
        {"anna": 3, "ben-2": 1},
    ),
    "numbered folders": (
        {"g/00.ipynb", "g-1/00.ipynb", "g-2/00.ipynb", "h/x.ipynb", "h (1)/x.ipynb"},
        {"g": 1, "g-1": 1, "g-2": 1, "h": 2},
    ),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_exports_give_one_student_per_person(tmp_path, name):
    files, students = EXPORTS[name]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in sorted(files):
            archive.writestr(file, "{}")
    found = {s.student: len(s.notebooks) for s in collect([tmp_path / "all.zip"])}
    assert found == students
    if "/" not in "".join(files) and "all" not in students and "\\" not in "".join(files):
        write(tmp_path / "folder", dict.fromkeys(files, "{}"))
        assert {s.student: len(s.notebooks) for s in collect([tmp_path / "folder"])} == students


def test_gradescope_s_list_says_whose_folders_these_are(tmp_path):
    people = {"submission_1": "Ada L", "submission_2": "Bo K", "submission_3": "Bo K"}
    told = "".join(f"{f}:\n  :submitters:\n  - :name: {n}\n" for f, n in people.items())
    files = {f"x/{folder}/00_start_here.ipynb": "{}" for folder in people}
    own = {"x/submission_3/submission_metadata.yml": told}  # a student's, which says nothing
    write(tmp_path / "folder", files | own | {"x/submission_metadata.yml": told})
    found = [s.student for s in collect([tmp_path / "folder"])]
    assert found == ["Ada L", "Bo K (submission_2)", "Bo K (submission_3)"]


@pytest.mark.parametrize("told", ["[" * 100_000, "x", "a: 2024-99-99", "&a [*a, *a]", "{a: {}}"])
def test_a_list_that_is_none_of_gradescope_s_changes_nothing(tmp_path, told):
    write(tmp_path, {"submission_1/00.ipynb": "{}", "submission_metadata.yml": told})
    assert [s.student for s in collect([tmp_path])] == ["submission_1"]


def test_who_may_be_several_students_is_said(tmp_path):
    files = {f"{s}/{n}_hw.ipynb": centroid(RIGHT) for s, n in ("Ax", "Ay", "Bz")}
    copies = {f"hand_in{n}.ipynb": centroid(RIGHT) for n in ("", " (1)", " (2)", " (3)", " (4)")}
    write(tmp_path / "folder", files | copies)
    told = list(several(read(collect([tmp_path / "folder"]), jobs=1)))
    assert len(told) == 2 and "A is one student with 2 files" in told[0] and "5 files" in told[1]
    sections = read(collect([tmp_path / "folder" / "A", tmp_path / "folder" / "B"]), jobs=1)
    assert len(sections) == 3 and not list(several(sections))


def test_the_course_s_notebooks_are_known_by_their_titles():
    for path in (Path(__file__).parent.parent / "notebooks").glob("*.ipynb"):
        assert named(f"{path.stem}_jo.ipynb") == "jo", path


@pytest.mark.parametrize("name", ["a folder in the folder", "groups", "a folder per notebook"])
def test_folders_are_read_like_zips(tmp_path, name):
    files, students = EXPORTS[name]
    write(tmp_path, dict.fromkeys(files, "{}"))
    assert {s.student: len(s.notebooks) for s in collect([tmp_path])} == students
