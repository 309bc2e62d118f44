"""The structure: no module imports upwards, and files and functions stay small."""

import ast
import re
from pathlib import Path

import pytest

LAYERS = {
    "ground": (
        *("shapes", "meshes", "cameras", "neighbors", "stable", "ply", "zbuffer", "running"),
        "shipped",
    ),
    "representations": ("voxels", "points", "implicit", "views"),
    "measures": ("losses", "metrics"),
    "rendering": ("rasterize", "volume"),
    "learning": ("tabular", "tasks", "reconstruction", "nerf", "splatting", "data"),
    "showing": ("viz", "widgets"),
    "teaching": ("exercises", "checking"),
    "instructors": ("grading", "authoring", "doctor", "__main__"),
}
PACKAGE = Path(__file__).parent.parent / "course_lib"
FILES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted(Path(__file__).parent.rglob("*.py"))


def place(module: str) -> int:
    """The number of a module's layer, 0 for the ground."""
    return next(number for number, names in enumerate(LAYERS.values()) if module in names)


def top(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "course_lib":
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("course_lib."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {n.name.split(".")[1] for n in node.names if n.name.startswith("course_lib.")}
    return found


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_a_module_imports_only_from_its_own_layer_or_below(path):
    if top(path) == "__init__":
        return
    upwards = [name for name in imported(path) if place(name) > place(top(path))]
    assert upwards == []


def files_imported(path: Path) -> set[Path]:
    """The files of the package that one of them imports, at its head or in a function."""
    names, tree = set(), ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not isinstance(node, ast.If)]  # for types only
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("course_lib"):
            names |= {node.module} | {f"{node.module}.{name.name}" for name in node.names}
    return {PACKAGE.parent / f"{name.replace('.', '/')}.py" for name in names} & set(FILES)


def test_no_two_files_import_each_other():
    imports = {path: files_imported(path) for path in FILES}
    circles = [(relative(a), relative(b)) for a in FILES for b in imports[a] if a in imports[b]]
    assert circles == []


@pytest.mark.parametrize("path", [*FILES, *TESTS], ids=lambda path: path.name)
def test_files_and_functions_stay_small(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            doc = ast.get_docstring(node, clean=False)
            lines = node.end_lineno - node.lineno + 1 - (len(doc.splitlines()) if doc else 0)
            assert lines <= 40, f"{node.name} has {lines} lines"


def shown(text: str, pattern: str) -> list[tuple[str, str]]:
    """(layer, room) of each line that matches; a layer that is not named is that of the line above."""
    layer, rooms = "", []
    for found in re.finditer(pattern, text, re.M):
        layer = found[1] or layer
        rooms.append((layer, found[2]))
    return rooms


def test_the_readme_and_the_package_show_the_same_rooms():
    rooms = [(layer, room) for layer, names in LAYERS.items() for room in names]
    readme = (PACKAGE.parent / "README.md").read_text(encoding="utf-8").split("## The code")[1]
    package = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    assert shown(readme, r"^\| (\w+) \| `(\w+)` \| .") == rooms
    assert shown(package, r"^ {4}(\w*) +(\w+) +\S") == rooms
    there = {top(path) for path in FILES} - {"__init__"}
    assert there == {room for _, room in rooms}


def test_importing_the_package_imports_nothing_but_os():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert [ast.unparse(node) for node in imports] == ["import os"]
