"""Proof of a release: its notebooks run, from a clean virtual environment that holds only it."""

import shutil
import subprocess
import tempfile
import venv
from pathlib import Path

from course_lib.authoring.nbval import run_nbval


def prove(package: Path) -> str:
    """Install a released package in a fresh environment and run its notebooks there by nbval.

    All of it on a copy: installing and running leave files behind that students need not see.
    Returns an empty text if all of them run, else the end of what pytest said. Raises
    CalledProcessError if the package cannot be installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(package, Path(folder) / "package"))
        python = make_environment(Path(folder) / "venv")
        install(python, [str(copy), "-c", str(copy / ".ci" / "tested.txt")])
        notebooks = sorted((copy / "notebooks").glob("*.ipynb"))
        result = run_nbval(notebooks, python=python, processes=2)
        return "" if result.returncode == 0 else result.stdout[-4000:]


def make_environment(folder: Path) -> str:
    """A new virtual environment; returns its python."""
    venv.create(folder, with_pip=True)
    windows = folder / "Scripts" / "python.exe"
    return str(windows if windows.exists() else folder / "bin" / "python")


def install(python: str, arguments: list[str]) -> None:
    """pip install. Raises CalledProcessError if it fails."""
    subprocess.run([python, "-m", "pip", "install", "-q", *arguments], check=True)
