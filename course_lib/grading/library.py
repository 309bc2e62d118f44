"""The copy of course_lib that a kernel is given: without the solution of the exercise being graded.

Removed are the bodies of the reference, the misconceptions, hints and explanations of the catalogue
(with every helper that only they use), the answers to questions, the checking that explains, and the
grading itself. What calls a removed body raises NotImplementedError.
"""

import ast
import inspect
import os
import shutil
import sys
from pathlib import Path

import course_lib
from course_lib.exercises import catalogue
from course_lib.exercises.exercise import Exercise

PACKAGE = Path(course_lib.__file__).resolve().parent
CHECKING = ("outcome.py", "values.py", "limits.py")
KEPT_KEYWORDS = {
    "number",
    "name",
    "reference",
    "cases",
    "tolerance",
    "gradients",
    "seconds",
    "call",
}
REMOVED = "the course's solution is not here while the exercise is graded"
INERT_CHECKING = '''"""What notebooks import; while grading, these do nothing."""


def check(candidate, name=None):
    """The candidate itself."""
    return candidate


def hint(name=None):
    """Nothing."""


solution = progress = hint
'''


def make_library(folder: Path, exercise: Exercise) -> Path:
    """Write the copy for one exercise to `folder`/<name>; returns that folder.

    An exercise with a reference in another package than course_lib is an error (ValueError).
    """
    root = folder / exercise.name
    shutil.rmtree(root, ignore_errors=True)
    for source in sorted(PACKAGE.rglob("*.py")):
        relative = source.relative_to(PACKAGE)
        if _is_copied(relative, exercise):
            target = root / "course_lib" / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_text_for(source, relative, exercise), encoding="utf-8")
    assets = PACKAGE.parent / "assets"
    if assets.is_dir():
        os.symlink(assets, root / "assets")
    return root


def catalogue_module(exercise: Exercise) -> str:
    """The name of the catalogue module, such as "nb04_losses", that holds an exercise."""
    catalogue()
    prefix = "course_lib.exercises.nb"
    for name, module in list(sys.modules.items()):
        if name.startswith(prefix) and any(e is exercise for e in module.EXERCISES):
            return name.rsplit(".", 1)[1]
    raise ValueError(f"exercise {exercise.name} is in no module of the catalogue")


def _is_copied(relative: Path, exercise: Exercise) -> bool:
    first = relative.parts[0]
    if first == "grading":
        return relative.name == "inside.py"
    if first == "checking":
        return relative.name in (*CHECKING, "__init__.py")
    if first == "exercises" and relative.stem.startswith("nb"):
        return not exercise.is_question and relative.stem == catalogue_module(exercise)
    return first not in ("authoring", "__main__.py")


def _text_for(source: Path, relative: Path, exercise: Exercise) -> str:
    if relative == Path("checking/__init__.py"):
        return INERT_CHECKING
    text = source.read_text(encoding="utf-8")
    if not exercise.is_question and source == _home(exercise):
        text = without_body(text, exercise.reference.__name__)
    if relative.parts[0] == "exercises" and relative.stem.startswith("nb"):
        text = only_cases(text)
    return text


def _home(exercise: Exercise) -> Path:
    """The file that holds the reference."""
    path = Path(inspect.getsourcefile(inspect.unwrap(exercise.reference)) or "").resolve()
    if not path.is_relative_to(PACKAGE):
        raise ValueError(f"expected a reference in course_lib, got {exercise.name} in {path}")
    return path


def without_body(text: str, name: str) -> str:
    """Python text in which the function, or every method of the class, of that name only raises.

    >>> print(without_body("def f(x):\\n    return x + 1", "f"))
    def f(x):
        raise NotImplementedError("the course's solution is not here while the exercise is graded")
    """
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            functions = [n for n in ast.walk(node) if isinstance(n, ast.FunctionDef)]
            for function in functions:
                function.body = ast.parse(f"raise NotImplementedError({REMOVED!r})").body
    return ast.unparse(tree)


def only_cases(text: str) -> str:
    """A catalogue module reduced to what makes the cases: no misconceptions, hints or explanations.

    (When a question is graded, no catalogue is there at all.)
    """
    tree = ast.parse(text)
    for call in [node for node in ast.walk(tree) if isinstance(node, ast.Call)]:
        if isinstance(call.func, ast.Name) and call.func.id == "Exercise":
            call.keywords = [k for k in call.keywords if k.arg in KEPT_KEYWORDS]
    tree.body = _reachable(tree.body, "EXERCISES")
    return ast.unparse(ast.fix_missing_locations(tree))


def _reachable(statements: list[ast.stmt], start: str) -> list[ast.stmt]:
    """The statements that define what `start` needs, directly or not; loose ones are kept."""
    needed, kept = {start}, set()
    grown = True
    while grown:
        grown = False
        for index, statement in enumerate(statements):
            names = _defined(statement)
            if index not in kept and (names is None or names & needed):
                kept.add(index)
                needed |= {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
                grown = True
    return [statement for index, statement in enumerate(statements) if index in kept]


def _defined(statement: ast.stmt) -> set[str] | None:
    """The names that a statement defines; None for one that must be kept; empty for a docstring."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name.split(".")[0]) for alias in statement.names}
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return set()
    return None
