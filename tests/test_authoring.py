"""Notebooks are assembled from their sources, solved, and their assets accounted for."""

import json
import re

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell

from course_lib.__main__ import main
from course_lib.authoring import assets, build, check, sections
from course_lib.authoring.notebook import assemble, sources
from course_lib.authoring.solve import solve
from course_lib.doctor import Diagnosis, diagnoses
from course_lib.exercises.order import ORDER

SOURCE = """\
# %% [markdown]
# # 9 · A title

# %% [setup]

# %% [markdown]
# ## 9.1 A section

# %%
1 + 1

# %%
2 + 2

# %% [exercise] centroid

# %% [exercise] axis_that_points_up
"""


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    address = "https://github.com/ada/course"
    monkeypatch.setattr("course_lib.authoring.notebook.repository", lambda: address)
    path = tmp_path / "09_toy.py"
    path.write_text(SOURCE, encoding="utf-8")
    return assemble(path)


def test_cells_have_fixed_ids(notebook):
    assert [cell.id for cell in notebook.cells] == [
        "s9-01",
        "links",
        "setup",
        "s9-1-01",
        "s9-1-02",
        "s9-1-03",
        "ex-centroid",
        "check-centroid",
        "ex-axis_that_points_up",
        "check-axis_that_points_up",
    ]


def test_an_exercise_becomes_a_stub_and_a_check(notebook):
    cells = {cell.id: cell for cell in notebook.cells}
    assert "exercise" in cells["ex-centroid"].metadata.tags
    assert cells["ex-centroid"].source.endswith("raise NotImplementedError")
    assert "points.mean" not in cells["ex-centroid"].source
    assert cells["check-centroid"].source == "centroid = check(centroid)"
    assert "# B: y" in cells["ex-axis_that_points_up"].source


def test_links_and_set_up_take_the_address_from_one_place(notebook):
    cells = {cell.id: cell.source for cell in notebook.cells}
    assert "colab.research.google.com/github/ada/course/blob" in cells["links"]
    assert "git+https://github.com/ada/course" in cells["setup"]


def test_the_solved_edition_has_solutions_and_expects_correct(notebook):
    cells = {cell.id: cell for cell in solve(notebook).cells}
    assert "points.mean(dim=1)" in cells["ex-centroid"].source
    assert "centroid: correct" in cells["check-centroid"].outputs[0].data["text/plain"]
    nbformat.validate(notebook)


def test_solve_writes_a_notebook(notebook, tmp_path, capsys):
    nbformat.write(notebook, tmp_path / "toy.ipynb")
    assert main(["solve", str(tmp_path / "toy.ipynb"), "--out", str(tmp_path / "new/s.ipynb")]) == 0
    assert "points.mean" in (tmp_path / "new" / "s.ipynb").read_text(encoding="utf-8")


def test_prose_is_refreshed_without_running_the_code(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "built_path", lambda source: source.with_suffix(".ipynb"))
    path = tmp_path / "09_toy.py"
    code = '# %%\ndef f():\n    """{}."""\n    return {}\n'
    path.write_text("# %% [markdown]\n# # 9 · Old\n\n" + code.format("Old", 1), encoding="utf-8")
    notebook = assemble(path)
    notebook.cells[-1].execution_count = 7
    nbformat.write(notebook, path.with_suffix(".ipynb"))
    path.write_text("# %% [markdown]\n# # 9 · New\n\n" + code.format("New", 1), encoding="utf-8")
    cells = nbformat.read(build.refresh(path), as_version=4).cells
    assert "New" in cells[0].source and cells[-1].execution_count == 7
    path.write_text("# %% [markdown]\n# # 9 · New\n\n" + code.format("New", 2), encoding="utf-8")
    with pytest.raises(ValueError, match="code of 09_toy"):
        build.refresh(path)


def test_an_unknown_exercise_is_named_with_its_neighbours(tmp_path):
    path = tmp_path / "09_toy.py"
    path.write_text("# %% [exercise] centroids\n", encoding="utf-8")
    with pytest.raises(ValueError, match="did you mean centroid"):
        assemble(path)


def test_building_a_notebook_that_does_not_exist_is_an_error(capsys):
    assert main(["build", "77"]) == 1
    assert "77" in capsys.readouterr().err


def test_check_names_the_step_that_fails_and_runs_the_others(monkeypatch, capfd):
    wanted = {"fails": ["nothing_of_this_name"], "works": ["this"]}
    monkeypatch.setattr(check, "steps", lambda everything: wanted)
    assert main(["check"]) == 1
    assert "failed: fails\n" in capfd.readouterr().out


def test_check_runs_tests_that_exist():
    paths = [path.split("::")[0] for path in check.steps(False)["tests"] if "/" in path]
    assert len(paths) == 7 and all((check.ROOT / path).exists() for path in paths)


def test_assets_are_as_their_commands_made_them():
    known = json.loads(assets.MANIFEST.read_text(encoding="utf-8"))
    assert known == assets.hashes(), "python -m course_lib assets --manifest, if this is meant"


def test_every_asset_folder_has_a_command():
    by_browser = {"readme"}  # the README's picture: python -m browser.readme_picture, in tests
    folders = {path.split("/")[0] for path in assets.hashes()}
    assert folders <= set(assets.MAKERS) | by_browser


def test_the_doctor_finds_this_machine_well():
    found = list(diagnoses())
    assert [str(diagnosis) for diagnosis in found if diagnosis.needed and not diagnosis.well] == []
    assert all(isinstance(diagnosis, Diagnosis) and diagnosis.found for diagnosis in found)


def test_a_sick_finding_names_its_remedy():
    assert str(Diagnosis(False, "x", "broken", "mend it")) == "FAIL  x: broken → mend it"
    assert str(Diagnosis(False, "x", "absent", needed=False)).startswith("note")


def test_comments_for_tools_do_not_reach_students():
    shown = [cell.source for source in sources() for cell in assemble(source).cells]
    assert not [text for text in shown if "# noqa" in text or "# fmt:" in text]


@pytest.mark.parametrize("name", ["6", "06", "06_rendering", "notebooks/src/06_rendering.py"])
def test_a_notebook_is_built_by_its_number_or_its_name(name, monkeypatch, capsys):
    chosen = []

    def refuse(source):
        chosen.append(source.stem)
        raise ValueError("stop")

    monkeypatch.setattr(build, "build", refuse)
    assert main(["build", name]) == 1 and chosen == ["06_rendering"]
    capsys.readouterr()


# Sections that can be taken up in the middle


def sections_of(*cells):
    """Cells from texts: headings begin with #, an exercise with its name in brackets."""
    return [
        new_markdown_cell(text) if text.startswith("#") else new_code_cell(text, id=f"ex-{name}")
        for name, text in (cell if isinstance(cell, tuple) else ("", cell) for cell in cells)
    ]


@pytest.mark.parametrize(
    ("first", "second", "needed"),
    [
        ("x = 1", "print(x)", True),
        ("x = 1", "x = 2\nprint(x)", False),
        ("x = 1", "for x in range(3):\n    print(x)", False),
        ("x = 1", "x += 1", True),
        ("x = 1", "def f():\n    return x", True),
        ("x = 1", "def f():\n    return x\nx = 2\nf()", False),
        ("x = 1", "[x for x in range(3)]", False),
        ("import x", "%%time\nx.y()", True),
        ("shared = 1", "print(shared, start)", False),
        (("x", "def x(): pass"), "x()", False),
        ("start.append(1)", "print(start)", True),
    ],
)
def test_what_a_section_reads_from_another_is_found(first, second, needed):
    cells = sections_of("shared = start = []", "## 9.1 A", first, "## 9.2 B", "shared = 2", second)
    assert sections.needs(cells) == ({"9.2": ["9.1"]} if needed else {})


def test_what_is_needed_needs_more_and_is_said_below_the_heading(tmp_path):
    path = tmp_path / "09_toy.py"
    texts = ["x = 1", "y = x", "z = 2", "print(y, z)"]
    blocks = [
        f"# %% [markdown]\n# ## 9.{i} T\n# text\n\n# %%\n{t}\n" for i, t in enumerate(texts, 1)
    ]
    path.write_text("\n".join(blocks), encoding="utf-8")
    said = {cell.source for cell in assemble(path).cells}
    assert "## 9.2 T\n*After a restart: needs all cells up to the end of 9.1.*\n\ntext" in said
    assert "## 9.4 T\n*After a restart: needs all cells up to the end of 9.3.*\n\ntext" in said
    assert "## 9.3 T\ntext" in said


def overwritten(cells) -> set[str]:
    """Names that a cell takes from one above, and another section defines anew below."""
    section, seen, found = "", {}, set()  # name: the sections whose cells take it from above
    for cell in cells:
        if cell.cell_type == "markdown":
            section = (sections.HEADING.findall(cell.source) or [section])[-1]
            continue
        does = list(sections.names(cell.source))
        own = {name for kind, name in does if kind == "defines"}
        found |= {name for name in own if seen.get(name, set()) - {section}}
        seen |= {name: set() for name in own}
        for name in {name for _, name in does} & seen.keys() - own:
            seen[name].add(section)
    return found


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.stem)
def test_no_later_section_overwrites_what_a_cell_takes_from_above(source):
    meant = {"train"} if source.stem.startswith("05") else set()  # more shapes, on a GPU alone
    assert overwritten(assemble(source).cells) <= meant


# Minutes


def test_every_exercise_is_announced_with_its_minutes_and_they_add_up_in_each_notebook():
    overview = next(s for s in sources() if s.stem.startswith("00")).read_text(encoding="utf-8")
    for source in sources():
        number, text = (
            str(int(source.stem[:2])),
            "\n".join(c.source for c in assemble(source).cells),
        )
        announced = re.findall(r"\*\((?:easy|medium|hard), about (\d+) minutes?\)\*", text)
        total = sum(minutes for minutes, _ in ORDER[number].values())
        assert (
            sum(map(int, announced)) == total or number == "7"
        )  # the quiz is announced as a whole
        if found := re.search(r"About (\d+) minutes with the exercises, (\d+) without", text):
            assert abs(int(found[1]) - int(found[2]) - total) <= 7, (source.stem, total)
            assert re.search(rf"\({source.stem}\.ipynb\) \|.*\| {found[1]} \|", overview)


def test_a_course_that_cannot_be_fetched_is_one_sentence(notebook, tmp_path):
    gone = "import importlib.util, os\nimportlib.util.find_spec = lambda name: None\n"
    gone += f"os.environ['COURSE_SOURCE'] = '{(tmp_path / 'nowhere').as_uri()}'"
    cells = [new_code_cell(gone), *(cell for cell in notebook.cells if cell.id == "setup")]
    alone = nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)
    with pytest.raises(CellExecutionError):
        build.execute(alone, tmp_path)
    (error,) = (output for output in cells[1].outputs if output.output_type == "error")
    assert len(cells[1].outputs) == len(error.traceback) == 1
    assert "has a network and run this cell again, or ask" in error.traceback[0]
