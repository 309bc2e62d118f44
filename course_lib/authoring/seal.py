"""Withhold solutions: seal every reference, and the catalogue with its hints and known mistakes."""

import ast
import json
import shutil
import sys
from pathlib import Path

from course_lib.authoring import sealed
from course_lib.exercises import written
from course_lib.exercises.exercise import Exercise

PACKAGE = Path(__file__).parents[1]
NOTE = "# Withheld by your instructor."


def seal_solutions(package: Path) -> None:
    """Seal all solutions in a copy of course_lib, in place."""
    store: dict[str, str] = {}
    for path in sorted((package / "exercises").glob("nb*.py")):
        store[path.stem] = sealed.seal(path.read_text(encoding="utf-8"))
        path.write_text(
            f'"""Exercises of the course."""\n\n{NOTE}\n'
            f'from course_lib.sealed import unseal\n\nunseal("{path.stem}", globals())\n',
            encoding="utf-8",
        )
    for exercise in written():
        home = Path(sys.modules[exercise.reference.__module__].__file__ or "")
        if home.parent.name != "exercises":
            _seal_definition(package / home.relative_to(PACKAGE), exercise, store)
    shutil.copy(sealed.__file__, package / "sealed.py")
    (package / sealed.STORE.name).write_text(json.dumps(store, indent=0), encoding="utf-8")


def _seal_definition(path: Path, exercise: Exercise, store: dict[str, str]) -> None:
    """Replace the reference's definition in its module by a line that runs the sealed one."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    node = next(
        node
        for node in ast.parse(text).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == exercise.name
    )
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
    store[exercise.name] = sealed.seal("".join(lines[first : node.end_lineno]))
    call = (
        f"{NOTE}\nfrom course_lib.sealed import unseal  # noqa: E402\n\n"
        f'{exercise.name} = unseal("{exercise.name}", globals())\n'
    )
    path.write_text(
        "".join(lines[:first]) + call + "".join(lines[node.end_lineno :]), encoding="utf-8"
    )
