"""The package for students, in the instructor's own repository.

    python -m course_lib release --repository OWNER/NAME --out FOLDER [--withhold solutions]

copies the notebooks, with links to that repository, the library and its assets, without tests and
without what instructors alone need, grading and authoring, with the course as a book in docs (for
GitHub Pages choose "main, /docs" in the repository's settings), and proves the result: its
notebooks run from a clean virtual environment (some minutes). With
`--withhold solutions` the texts of the references and of the known mistakes are sealed: checks,
hints and Run All go on working, `solution` shows nothing. A seal keeps honest eyes off; it is no
secret from somebody who sets out to break it.
"""

import argparse
import json
import re
import shutil
from pathlib import Path

from course_lib.authoring import book
from course_lib.authoring.build import stale
from course_lib.authoring.notebook import NOTEBOOKS, ROOT, repository, sources
from course_lib.authoring.prove import prove
from course_lib.authoring.seal import seal_solutions

FOLDERS = ("course_lib", "assets")
FILES = ("requirements.txt", "pyproject.toml", "LICENSE", "README.md", ".ci/tested.txt")
OURS = ("grading", "authoring")
"""What students get nothing of: of course_lib these rooms, and what the README says of them."""
OWNER_AND_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def release(address: str, out: Path, *, withhold_solutions: bool) -> None:
    """Write the student package for the repository at `address` into the new folder `out`.

    Raises ValueError if `out` is not empty, or a notebook was not built since its source changed.
    """
    if reasons := [reason for source in sources() if (reason := stale(source))]:
        raise ValueError("\n".join(reasons))
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty: choose a new folder")
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc", ".ipynb_checkpoints")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, out / folder, symlinks=True, ignore=unwanted)
    for room in OURS:
        shutil.rmtree(out / "course_lib" / room)
    for name in FILES:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, out / name)
    (out / "notebooks").mkdir()
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        shutil.copy(path, out / "notebooks")
    _cut(out / "README.md", r"^## (Instructors|Change the course)$.*?(?=^## )")
    _readdress(out, address)
    book.write(out / "docs", address, withhold_solutions=withhold_solutions)
    if withhold_solutions:
        seal_solutions(out / "course_lib")


def _cut(path: Path, pattern: str) -> None:
    """Take the sections of a text that match out of it."""
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(pattern, "", text, flags=re.M | re.S), encoding="utf-8")


def _readdress(out: Path, address: str) -> None:
    """Put the new address in the place of the old one, which stands in pyproject and notebooks."""
    place = address.removeprefix("https://github.com/")
    old = repository()
    old_place = old.removeprefix("https://github.com/")
    project = out / "pyproject.toml"
    project.write_text(project.read_text(encoding="utf-8").replace(old, address), encoding="utf-8")
    for path in (out / "notebooks").glob("*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["id"] in ("links", "setup"):
                cell["source"] = [line.replace(old_place, place) for line in cell["source"]]
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        path.write_text(text, encoding="utf-8")


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m course_lib release`."""
    parser.add_argument("--repository", required=True, help="OWNER/NAME on GitHub")
    parser.add_argument("--out", type=Path, required=True, help="a new or empty folder")
    parser.add_argument("--withhold", choices=["solutions"], help="seal what students should find")
    parser.add_argument("--unproved", action="store_true", help="do not run the released notebooks")


def run(options: argparse.Namespace) -> int:
    """Make and prove the package; 1 if an argument is wrong or a notebook fails."""
    if not OWNER_AND_NAME.fullmatch(options.repository):
        print(f"expected --repository OWNER/NAME, got {options.repository!r}")
        return 1
    address = f"https://github.com/{options.repository}"
    try:
        release(address, options.out, withhold_solutions=options.withhold == "solutions")
    except ValueError as error:
        print(error)
        return 1
    words = f"without {' and '.join(OURS)}, which stay with you"
    print(f"wrote {options.out} for {options.repository}, {words}", flush=True)
    if options.unproved:
        return 0
    print("running its notebooks from a clean virtual environment ...", flush=True)
    failed = prove(options.out.resolve())
    print(failed or "all of them run")
    return 1 if failed else 0
