"""The student package: readdressed, complete, and without solutions where they are withheld."""

import ast
import inspect
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from course_lib.__main__ import main
from course_lib.authoring import prove
from course_lib.authoring.notebook import ROOT
from course_lib.exercises import written

WRITTEN = written()


@pytest.fixture(scope="module")
def withheld(tmp_path_factory):
    out = tmp_path_factory.mktemp("release") / "package"
    options = ["--out", str(out), "--withhold", "solutions", "--unproved"]
    assert main(["release", "--repository", "ada/course", *options]) == 0
    return out


def body(reference) -> str:
    """The statements of a reference, without its docstring."""
    lines = textwrap.dedent(inspect.getsource(reference)).splitlines()
    node = ast.parse("\n".join(lines)).body[0]
    first = node.body[1] if ast.get_docstring(node) else node.body[0]
    return "\n".join(line.strip() for line in lines[first.lineno - 1 :])


def test_no_reference_body_is_left(withheld):
    files = [
        path for path in withheld.rglob("*") if path.suffix in (".py", ".ipynb", ".md", ".json")
    ]
    texts = [
        "\n".join(l.strip() for l in p.read_text(encoding="utf-8").splitlines()) for p in files
    ]
    everything = "\n".join(texts)
    assert [e.name for e in WRITTEN if body(e.reference) in everything] == []


def test_the_search_finds_the_bodies_where_they_are_not_withheld():
    text = (ROOT / "course_lib" / "losses.py").read_text(encoding="utf-8")
    lines = "\n".join(line.strip() for line in text.splitlines())
    mine = [e for e in WRITTEN if e.reference.__module__ == "course_lib.losses"]
    assert mine and all(body(e.reference) in lines for e in mine)


def test_checks_and_references_work_without_their_text(withheld):
    code = """
import course_lib.checking as c
from course_lib.exercises import catalogue
from course_lib.checking.diagnose import State, examine
assert "package" in c.__file__, c.__file__
for exercise in catalogue().values():
    assert examine(exercise, exercise.reference).state is State.CORRECT, exercise.name
c.solution("centroid")
c.hint("centroid")
"""
    environment = os.environ | {"PYTHONPATH": str(withheld)}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=withheld
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "Withheld" in result.stdout


def test_links_and_set_up_point_to_the_new_repository(withheld):
    notebooks = sorted((withheld / "notebooks").glob("*.ipynb"))
    assert notebooks
    for path in notebooks:
        text = path.read_text(encoding="utf-8")
        assert "github/ada/course/blob" in text and "OWNER/NAME" not in text
    assert "github.com/ada/course" in (withheld / "pyproject.toml").read_text(encoding="utf-8")


def test_a_folder_that_is_not_empty_is_refused(withheld, capsys):
    assert main(["release", "--repository", "ada/course", "--out", str(withheld)]) == 1
    assert "not empty" in capsys.readouterr().out


@pytest.mark.parametrize("address", ["course", "a/b/c", "https://x/y", ""])
def test_an_address_that_is_no_repository_is_refused(address, tmp_path, capsys):
    assert main(["release", "--repository", address, "--out", str(tmp_path / "x")]) == 1
    assert "OWNER/NAME" in capsys.readouterr().out


def test_the_proof_leaves_nothing_in_the_package(tmp_path, monkeypatch):
    package = tmp_path / "package"
    (package / "notebooks").mkdir(parents=True)
    (package / "notebooks" / "00.ipynb").touch()
    ran = []

    def run(notebooks, **options):
        ran.extend(path.name for path in notebooks)
        (notebooks[0].parent / "trace").touch()
        return subprocess.CompletedProcess([], 0, stdout="")

    monkeypatch.setattr(prove, "make_environment", lambda folder: "python")
    monkeypatch.setattr(prove, "install", lambda _, arguments: Path(arguments[0], "build").mkdir())
    monkeypatch.setattr(prove, "run_nbval", run)
    assert prove.prove(package) == "" and ran == ["00.ipynb"]
    assert sorted(path.name for path in package.rglob("*")) == ["00.ipynb", "notebooks"]


def test_students_get_neither_grading_nor_authoring_and_the_doctor_works(withheld):
    rooms = {path.name for path in (withheld / "course_lib").iterdir()}
    assert not rooms & {"grading", "authoring"} and {"checking", "losses.py", "doctor.py"} <= rooms
    assert "provisioners" not in (withheld / "pyproject.toml").read_text(encoding="utf-8")
    assert "submissions/" not in (withheld / "README.md").read_text(encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(withheld)}
    texts = [
        subprocess.run(
            [sys.executable, "-m", "course_lib", word],
            env=environment, capture_output=True, text=True, cwd=withheld,
        ).stdout
        for word in ("--help", "doctor")
    ]  # fmt: skip
    assert (
        {"doctor", "collect"} <= set(texts[0].split())
        and "grade" not in texts[0]
        and "build" not in texts[0]
    )
    assert "torch:" in texts[1] and "sandbox" not in texts[1]
