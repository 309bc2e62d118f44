"""What works on this machine, one line each with the remedy: `python -m course_lib doctor`."""

import argparse
import importlib
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement


@dataclass(frozen=True)
class Diagnosis:
    """One line of the doctor: is it well, what was looked at, what was found, and the remedy."""

    well: bool
    subject: str
    found: str
    remedy: str = ""
    needed: bool = True

    def __str__(self) -> str:
        mark = "ok  " if self.well else ("FAIL" if self.needed else "note")
        return f"{mark}  {self.subject}: {self.found}" + (
            f" → {self.remedy}" if self.remedy else ""
        )


def has_room(name: str) -> bool:
    """True if this very package has the module or folder: a student's has no grading, no authoring.

    (Looking for a spec would also find that of another copy on this machine.)
    """
    here = Path(__file__).parent
    return (here / name).is_dir() or (here / f"{name}.py").exists()


def diagnoses() -> Iterator[Diagnosis]:
    """Everything that is looked at, in order; a student's package has no grading, and no sandbox."""
    for look in LOOKS if has_room("grading") else LOOKS[:-2]:
        yield look()


def python() -> Diagnosis:
    """Is Python new enough?"""
    well = sys.version_info >= (3, 11)
    return Diagnosis(
        well, "Python", platform.python_version(), "" if well else "install 3.11 or newer"
    )


def packages() -> Diagnosis:
    """Is every package of requirements.txt there, and new enough?"""
    wrong = []
    for text in requires("course-lib") or []:
        requirement = Requirement(text)
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            wrong.append(f"{requirement.name} {installed} is not {requirement.specifier}")
    remedy = "pip install -r requirements.txt" if wrong else ""
    return Diagnosis(not wrong, "packages", "; ".join(wrong) or "all as required", remedy)


def torch() -> Diagnosis:
    """Does torch compute?"""
    try:
        module = importlib.import_module("torch")
        well = float(module.ones(3).sum()) == 3.0
    except (ImportError, OSError, RuntimeError) as error:
        return Diagnosis(False, "torch", str(error)[:120], "reinstall torch")
    return Diagnosis(well, "torch", f"{module.__version__}, {module.get_num_threads()} threads")


def gpu() -> Diagnosis:
    """Is there a GPU? The course runs without one."""
    module = importlib.import_module("torch")
    if not module.cuda.is_available():
        text = "none: training cells take their CPU minutes"
        return Diagnosis(True, "GPU", text, needed=False)
    return Diagnosis(True, "GPU", module.cuda.get_device_name(0), needed=False)


def widgets() -> Diagnosis:
    """Can 3D views be made, and does JupyterLab know how to show them?"""
    try:
        importlib.import_module("k3d").plot()
    except Exception as error:
        return Diagnosis(False, "widgets", str(error)[:120], "pip install k3d ipywidgets")
    if "google.colab" in sys.modules:
        return Diagnosis(True, "widgets", "k3d, in Colab")
    # k3d 3 draws through anywidget, earlier ones bring an extension of their own
    folder = Path(sys.prefix) / "share" / "jupyter" / "labextensions"
    drawn = any((folder / name).is_dir() for name in ("anywidget", "k3d"))
    if drawn and (folder / "@jupyter-widgets").is_dir():
        return Diagnosis(True, "widgets", f"k3d {version('k3d')}")
    remedy = "install k3d and ipywidgets in JupyterLab's environment"
    return Diagnosis(False, "widgets", "JupyterLab lacks their extensions", remedy)


def language_model() -> Diagnosis:
    """Is the language model of notebook 01 at hand?"""
    from course_lib.tabular.cache import cached
    from course_lib.tabular.llm import PACKAGED

    well = cached(PACKAGED) is not None
    text = "cached" if well else "not cached: notebook 01 fetches it, or runs on stored scores"
    return Diagnosis(well, "language model", text, needed=False)


def sandbox() -> Diagnosis:
    """Can instructors grade safely here?"""
    from course_lib.grading.sandbox import probe

    why = probe()
    well = why is None
    remedy = "" if well else f"{why} (only instructors need it, or grade with --unsandboxed)"
    found = "bubblewrap works" if well else "none"
    return Diagnosis(well, "sandbox", found, remedy, needed=False)


def browser() -> Diagnosis:
    """Can the browser tests run here?"""
    well = any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    remedy = "" if well else "install chromium (only tests need it)"
    found = "chromium" if well else "none: browser tests are skipped"
    return Diagnosis(well, "browser", found, remedy, needed=False)


LOOKS = (python, packages, torch, gpu, widgets, language_model, sandbox, browser)


def configure(parser: argparse.ArgumentParser) -> None:
    """`doctor` has no options."""


def run(options: argparse.Namespace) -> int:
    """Print the diagnoses; 1 if something that the course needs fails."""
    sick = False
    for diagnosis in diagnoses():
        print(diagnosis)
        sick |= diagnosis.needed and not diagnosis.well
    return int(sick)
