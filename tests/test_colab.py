"""The course as Colab has it: set-up cells alone in an empty folder, and notebooks, its versions.

A second environment has the versions of .ci/colab.txt. What Colab has besides (torch and so on) is
linked from the first one; what it lacks, the set-up cell has to fetch from the package index, with
the course itself, which comes from a release that withholds solutions. As this needs the network, it
runs where COURSE_COLAB says how much: "some" (.ci/run does it) or "all".
"""

import os
import subprocess
import sysconfig
import venv
from importlib.metadata import distributions
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from packaging.utils import canonicalize_name

from course_lib.__main__ import main
from course_lib.authoring.nbval import run_nbval
from course_lib.authoring.notebook import NOTEBOOKS

HERE = Path(__file__).parent
HOW_MUCH = os.environ.get("COURSE_COLAB", "")
NAMES = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))
ALONE = NAMES if HOW_MUCH == "all" else NAMES[:2]  # the cell differs by the notebook's name only
FULLY = NAMES if HOW_MUCH == "all" else ["06_rendering.ipynb"]  # views, sliders and charts; short
LACKING = {"course-lib", "gguf", "jaxtyping", "k3d", "libigl", "trimesh"}  # Colab has not got them
FOR_IPYWIDGETS_8 = {"jupyterlab-widgets", "widgetsnbextension"}
pytestmark = [
    pytest.mark.skipif(
        not HOW_MUCH, reason="needs the package index: set COURSE_COLAB=some or all"
    ),
    pytest.mark.slow,
]


def pins(name: str) -> dict[str, str]:
    """The versions in a file of .ci by package."""
    lines = (HERE.parent / ".ci" / name).read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {canonicalize_name(package): version for package, version in pairs}


COLAB = pins("colab.txt")
AS_COLAB_HAS_IT = f"""
import importlib.metadata, importlib.util, os, sys
colab = {COLAB}
found = {{name: importlib.metadata.version(name).split("+")[0] for name in colab}}
assert found == colab, found
assert len(os.listdir()) == 1, os.listdir()
assert importlib.util.find_spec("course_lib").origin.startswith(sys.prefix)
"""


def link_the_rest(shared: Path) -> None:
    """Links to what stands in this environment and neither differs in Colab nor is lacking there."""
    site = Path(sysconfig.get_path("purelib"))
    for package in distributions(path=[str(site)]):
        if canonicalize_name(package.name) not in {*COLAB, *LACKING, *FOR_IPYWIDGETS_8} - {"torch"}:
            for top in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
                if not (shared / top).exists():
                    (shared / top).symlink_to(site / top)


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    """The environment's python, the released package, and the variables to run its notebooks with."""
    folder = tmp_path_factory.mktemp("colab")
    shared, package, limits = folder / "shared", folder / "package", folder / "constraints.txt"
    shared.mkdir()
    link_the_rest(shared)
    arguments = ["--repository", "ada/course", "--out", str(package), "--withhold", "solutions"]
    assert main(["release", *arguments, "--unproved"]) == 0
    venv.create(folder / "venv")
    site = sysconfig.get_path("purelib", vars={"base": str(folder / "venv")})
    Path(site, "shared.pth").write_text(f"{shared}\n", encoding="utf-8")
    both = {**pins("tested.txt"), **COLAB}
    known = [f"{name}=={both[name]}" for name in both if name not in FOR_IPYWIDGETS_8]
    limits.write_text("\n".join(known), encoding="utf-8")
    python = str(folder / "venv" / "bin" / "python")
    wanted = [f"{name}=={version}" for name, version in COLAB.items()]
    install = [python, "-m", "pip", "install", "-q", "--no-compile", "-c", str(limits), *wanted]
    subprocess.run(install, check=True)
    return python, package, {"COURSE_SOURCE": package.as_uri(), "PIP_CONSTRAINT": str(limits)}


def test_every_set_up_cell_works_alone_and_twice_and_leaves_colabs_versions(colab, tmp_path):
    python, package, environment = colab
    alone = [tmp_path / Path(name).stem / name for name in ALONE]
    for path in alone:
        notebook = nbformat.read(package / "notebooks" / path.name, as_version=4)
        source = next(cell.source for cell in notebook.cells if cell.id == "setup")
        notebook.cells = [new_code_cell(text) for text in (source, source, AS_COLAB_HAS_IT)]
        path.parent.mkdir()
        nbformat.write(notebook, path)
    result = run_nbval(alone, python=python, **environment)  # the first fetches the package
    assert result.returncode == 0, result.stdout[-4000:]


@pytest.mark.parametrize("name", FULLY)
def test_a_notebook_runs_under_colabs_versions(name, colab):
    python, package, environment = colab
    closed = {"PYTHONPATH": str(HERE / "closed_network")}
    result = run_nbval([package / "notebooks" / name], python=python, **closed, **environment)
    assert result.returncode == 0, result.stdout[-4000:]
