"""What must hold before a commit: `python -m course_lib check`, fit for a git hook.

Style, types, structure, links, examples, exercises, and that no notebook is older than its source:
some minutes on two cores. With --all every test runs, notebooks and browser included.
"""

import argparse
import subprocess
import sys

from course_lib.authoring.notebook import ROOT

QUICK = ("types", "layers", "links", "doctests", "authoring", "exercises")
BUILT = "tests/test_notebooks.py::test_a_notebook_is_built_from_its_source"


def steps(everything: bool) -> dict[str, list[str]]:
    """What is run, by name: each a module with its arguments."""
    tests = [] if everything else [*(f"tests/test_{name}.py" for name in QUICK), BUILT]
    return {
        "ruff check": ["ruff", "check", "."],
        "ruff format": ["ruff", "format", "--check", "."],
        "tests": ["pytest", "-n", "2", *tests],
    }


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m course_lib check`."""
    parser.add_argument("--all", action="store_true", help="all tests, not only the quick ones")


def run(options: argparse.Namespace) -> int:
    """Run every step, also after one that fails; 1 if any did."""
    failed = []
    for name, arguments in steps(options.all).items():
        print(f"{name} ...", flush=True)
        if subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, check=False).returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all is well")
    return 1 if failed else 0
