"""What all tests share: one thread each, shapes enforced, no network, the same seed."""

import os
from pathlib import Path

# Before torch is imported: two workers with two threads each would hinder each other on two cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["COURSE_STANDING"] = ""  # checks in tests leave nothing in the user's folders

import pytest
import torch
from jaxtyping import install_import_hook

# Shapes and types in course_lib's signatures are enforced while the tests run.
install_import_hook("course_lib", "typecheck.checker")

import course_lib.grading  # noqa: E402, F401  (before nbformat, whose slow part it leaves out)

ROOT = Path(__file__).parent.parent
LONG = ("test_in_the_browser", "test_notebooks", "test_grading_attacks")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def closed_network():
    """Sockets to the outside are closed; the same file closes them in the notebooks' kernels."""
    import runpy

    runpy.run_path(str(Path(__file__).parent / "closed_network" / "sitecustomize.py"))


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    if item.get_closest_marker("extra") and not os.environ.get("COURSE_EXTRA"):
        pytest.skip("COURSE_EXTRA=1 runs this, too")


def pytest_collection_modifyitems(items):
    """The longest files first (a file stays with one worker), so that none waits at the end."""
    items.sort(key=lambda item: item.path.stem not in LONG)  # browser, grading, notebooks; the rest
