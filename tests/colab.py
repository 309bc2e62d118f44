"""The course under Colab's versions, from a release that withholds solutions. Called by .ci/run.

A fresh environment gets what Colab has and what nbval needs, but not the course. Then each released
notebook's set-up cell runs twice, alone in an empty folder, and has to fetch the package by itself;
Colab's versions must be left as they were. At last all released notebooks run under nbval.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

from course_lib.__main__ import main
from course_lib.authoring.nbval import run_nbval
from course_lib.authoring.prove import install, make_environment

CI = Path(__file__).parent.parent / ".ci"
ALREADY_THERE = ["ipykernel", "nbclient", "nbval", "pytest", "pytest-xdist"]


def pins(name: str) -> dict[str, str]:
    """The versions of a constraints file by package."""
    lines = (CI / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))


def set_up_alone(notebook: Path, python: str, folder: Path, environment: dict[str, str]) -> None:
    """Run a notebook's set-up cell twice in an empty folder."""
    folder.mkdir()
    content = nbformat.read(notebook, as_version=4)
    cell = next(cell for cell in content.cells if cell.id == "setup")
    again = nbformat.v4.new_code_cell(cell.source, id="again")
    content.cells = [cell, again]
    nbformat.write(content, folder / notebook.name)
    command = [python, "-m", "jupyter", "execute", notebook.name, "--inplace"]
    subprocess.run(command, cwd=folder, env=os.environ | environment, check=True)
    ran = nbformat.read(folder / notebook.name, as_version=4)
    for cell in ran.cells:
        assert "Ready" in str(cell.outputs), (notebook.name, cell.outputs)


def versions(python: str) -> dict[str, str]:
    """Installed versions by package."""
    code = "import importlib.metadata as m\nfor d in m.distributions(): print(d.name, d.version)"
    lines = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
    return dict(line.lower().replace("_", "-").split() for line in lines.splitlines())


def prove_under_colab(folder: Path) -> int:
    """All of it; 0 if everything holds."""
    package, colab = folder / "package", pins("colab.txt")
    arguments = ["--repository", "owner/name", "--out", str(package)]
    assert main(["release", *arguments, "--withhold", "solutions", "--unproved"]) == 0
    constraints = folder / "constraints.txt"
    both = pins("tested.txt") | colab
    constraints.write_text("\n".join(f"{name}=={version}" for name, version in both.items()))
    python = make_environment(folder / "venv")
    install(python, [*colab, *ALREADY_THERE, "-c", str(constraints)])
    environment = {"COURSE_SOURCE": package.as_uri(), "PIP_CONSTRAINT": str(constraints)}
    notebooks = sorted((package / "notebooks").glob("*.ipynb"))
    for notebook in notebooks:
        set_up_alone(notebook, python, folder / notebook.stem, environment)
    found = versions(python)
    assert {name: found[name].split("+")[0] for name in colab} == colab, found
    result = run_nbval(notebooks, python=python, processes=2)
    print(result.stdout[-4000:])
    return result.returncode


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        sys.exit(prove_under_colab(Path(place)))
