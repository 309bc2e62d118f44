"""Every notebook: built from its source, and run by nbval as shipped and solved."""

import json
import os
import shutil
from pathlib import Path

import matplotlib
import nbformat
import pytest
import torch

from course_lib.authoring.build import stale
from course_lib.authoring.nbval import failures
from course_lib.authoring.notebook import built_path, sources
from course_lib.authoring.solve import solve
from course_lib.exercises import catalogue, find

SOURCES = sources()
HERE = Path(__file__).parent
MAX_BYTES, MAX_LINES, MAX_PRINTED = 1_500_000, 25, 66

each_notebook = pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.stem)


def built(source):
    return nbformat.read(built_path(source), as_version=4)


def code_cells(source):
    return [cell for cell in built(source).cells if cell.cell_type == "code"]


def run_all(notebooks: list[Path], folder: Path, **more: str) -> dict[str, str]:
    """What nbval says of notebooks, by name: one process for all of them, a kernel for each.

    The network is closed and nothing is cached, so that every machine runs them as a fresh one does.
    """
    fresh = {
        "PYTHONPATH": str(HERE / "closed_network"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "MPLCONFIGDIR": matplotlib.get_cachedir(),  # or its list of fonts is made again
    } | more
    return failures(notebooks, folder / "report.xml", **fresh)


def chosen(request) -> list[Path]:
    """The built notebooks of the tests with this fixture that were asked for (by -k, for example).

    A test of all notebooks has no parameter.
    """
    tests = [t for t in request.session.items if request.fixturename in t.fixturenames]
    if any(not hasattr(test, "callspec") for test in tests):
        return [built_path(source) for source in SOURCES]
    return sorted({built_path(test.callspec.params["source"]) for test in tests})


def noting_tables(notebooks: list[Path], folder: Path, **more: str) -> dict[str, str]:
    """`run_all` in kernels whose tables note their rows; the profile is copied: kernels write to it."""
    shutil.copytree(HERE / "cut", folder / "cut", dirs_exist_ok=True)
    places = {"IPYTHONDIR": str(folder / "cut"), "COURSE_TABLES": str(tables_of(folder))}
    return run_all(notebooks, folder, **places, **more)


def tables_of(folder: Path) -> Path:
    return folder / "tables.jsonl"


def noted(folder: Path) -> list[str]:
    """Caption and rows of each table; tests/cut has those of the shipped notebooks, fast edition."""
    return tables_of(folder).read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def shipped_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("shipped")


@pytest.fixture(scope="module")
def as_shipped(request, shipped_folder):
    return noting_tables(chosen(request), shipped_folder)


def solved_copies(request, folder: Path) -> list[Path]:
    (folder / "notebooks").mkdir()
    paths = []
    for path in chosen(request):
        paths.append(folder / "notebooks" / path.name)
        nbformat.write(solve(nbformat.read(path, as_version=4)), paths[-1])
    return paths


@pytest.fixture(scope="module")
def solved(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("solved")
    return run_all(solved_copies(request, folder), folder)


@pytest.fixture(scope="module")
def cut_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cut")


@pytest.fixture(scope="module")
def solved_on_a_gpu_and_cut(request, cut_folder):
    """On the machine's GPU, or on a pretended one that refuses what a real one refuses.

    Every training is cut at its second step: the rest has to survive that.
    """
    paths, places = solved_copies(request, cut_folder), {}
    if not torch.cuda.is_available():
        shutil.copytree(HERE / "pretended" / "profile_default", cut_folder / "cut/profile_default")
        places["PYTHONPATH"] = f"{HERE / 'closed_network'}{os.pathsep}{HERE}"
    return noting_tables(paths, cut_folder, **places, COURSE_CUT="1")


@each_notebook
def test_a_notebook_is_built_from_its_source(source):
    assert stale(source) == ""


@each_notebook
@pytest.mark.extra  # the browser's tests run all of them, too
def test_a_notebook_as_shipped_runs_and_its_checks_say_not_attempted(source, as_shipped):
    said = as_shipped[built_path(source).name]
    assert not said, said


@each_notebook
@pytest.mark.extra
def test_a_solved_notebook_runs_and_its_checks_say_correct(source, solved):
    said = solved[built_path(source).name]
    assert not said, said


@each_notebook
def test_a_solved_notebook_runs_on_a_gpu_though_trainings_are_cut(source, solved_on_a_gpu_and_cut):
    said = solved_on_a_gpu_and_cut[built_path(source).name]
    assert not said, said


@pytest.mark.extra
def test_the_tables_of_the_shipped_notebooks_are_noted(as_shipped, shipped_folder):
    """If they have changed for a good reason, copy the folder's list to tests/cut."""
    assert not any(as_shipped.values())
    assert noted(shipped_folder) == noted(HERE / "cut")


def test_a_training_that_is_cut_costs_no_table_a_row(solved_on_a_gpu_and_cut, cut_folder):
    assert not any(solved_on_a_gpu_and_cut.values())
    assert noted(cut_folder) == noted(HERE / "cut")


@each_notebook
def test_a_notebook_ships_with_clean_outputs(source):
    cells = code_cells(source)
    outputs = [(cell.id, output) for cell in cells for output in cell.outputs]
    assert [
        name for name, o in outputs if o.output_type == "error" or o.get("name") == "stderr"
    ] == []
    assert [cell.id for cell in cells if cell.execution_count is None] == []
    assert "widgets" not in built(source).metadata
    assert built_path(source).stat().st_size < MAX_BYTES


@each_notebook
def test_code_cells_are_short(source):
    long = {c.id: n for c in code_cells(source) if (n := len(c.source.splitlines())) > MAX_LINES}
    exercises = {f"ex-{name}" for name in catalogue()}
    assert {name: n for name, n in long.items() if name not in exercises} == {}


@each_notebook
def test_printed_lines_are_short(source):
    """JupyterLab breaks longer ones within words in a window 1,024 pixels wide."""
    streams = [o for cell in code_cells(source) for o in cell.outputs if o.output_type == "stream"]
    lines = [line for stream in streams for line in stream.text.splitlines()]
    assert [line for line in lines if len(line) > MAX_PRINTED] == []


@each_notebook
def test_a_row_of_a_table_stands_on_one_line(source):
    lines = [line for cell in built(source).cells for line in cell.source.splitlines()
             if cell.cell_type == "markdown"]  # fmt: skip
    assert [line for line in lines if line.startswith("|") and not line.endswith("|")] == []


@each_notebook
def test_every_picture_has_a_text_alternative(source):
    without = []
    for cell in code_cells(source):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
                if len(alt) < 10:
                    without.append(cell.id)
    assert without == []


@each_notebook
def test_shipped_checks_say_not_attempted(source):
    for cell in code_cells(source):
        if cell.id.startswith("check-"):
            text = json.dumps(cell.outputs, ensure_ascii=False)
            assert f"{find(cell.id.removeprefix('check-')).name}: not attempted" in text


def test_every_exercise_stands_in_exactly_one_notebook():
    placed = [c.id for source in SOURCES for c in built(source).cells if c.id.startswith("ex-")]
    assert sorted(placed) == sorted(f"ex-{name}" for name in catalogue())


@each_notebook
def test_exercises_are_numbered_in_the_order_of_the_notebook(source):
    names = [c.id.removeprefix("ex-") for c in built(source).cells if c.id.startswith("ex-")]
    expected = [f"{int(source.stem[:2])}.{i}" for i in range(1, len(names) + 1)]
    assert [find(name).number for name in names] == expected
