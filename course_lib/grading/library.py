"""The copy of course_lib that a kernel is given: without the solution of the exercise being graded.

Removed are the bodies of the reference, the misconceptions, hints and explanations of the catalogue
(with every helper that only they use), the answers to questions, the checking that explains, and the
grading itself. What calls a removed body raises NotImplementedError.
"""

import ast
import inspect
import os
import py_compile
import shutil
import sys
from functools import cache
from importlib.util import cache_from_source
from pathlib import Path

import course_lib
from course_lib.exercises import catalogue, entries
from course_lib.exercises.exercise import Exercise, Question
from course_lib.grading import slicing

PACKAGE = Path(course_lib.__file__).resolve().parent
WHOLE = "whole course"
CHECKING = ("outcome.py", "values.py", "limits.py")
KEPT_KEYWORDS = {"number", "name", "reference", "cases", "call"}
KEPT_KEYWORDS |= {"tolerance", "gradients", "seconds"}
REMOVED = "the course's solution is not here while the exercise is graded"
INERT_CHECKING = '''"""What notebooks import; while grading, these do nothing."""


def check(candidate, name=None):
    """The candidate itself."""
    return candidate


def hint(name=None):
    """Nothing."""


def take_up(notebook, names):
    """Nothing."""


solution = progress = hint
'''


def make_library(folder: Path, exercise: Exercise | None) -> Path:
    """Write the copy for one exercise to `folder`/<name>; returns that folder.

    Without an exercise the copy, called `WHOLE`, has all solutions: for the references themselves.
    Files that are the same in all copies are one file, linked. An exercise with a reference in another
    package than course_lib is an error (ValueError).
    """
    root = folder / (exercise.name if exercise else WHOLE)
    shutil.rmtree(root, ignore_errors=True)
    changed = _changed_texts(exercise)
    for source, relative in _sources():
        if not _is_copied(relative, exercise):
            continue
        target = root / "course_lib" / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        if relative in changed:
            target.write_text(changed[relative], encoding="utf-8")
            _compile(target)
        else:
            _link(folder / "common" / relative, source, target)
    assets = PACKAGE.parent / "assets"
    if assets.is_dir():
        os.symlink(assets, root / "assets")
    return root


@cache
def _sources() -> list[tuple[Path, Path]]:
    """(file, path inside the package) of the course's modules."""
    return [(source, source.relative_to(PACKAGE)) for source in sorted(PACKAGE.rglob("*.py"))]


def _link(common: Path, source: Path, target: Path) -> None:
    if not common.exists():
        common.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, common)
        _compile(common)
    for have, want in ((common, target), (_compiled(common), _compiled(target))):
        want.parent.mkdir(exist_ok=True)
        try:
            os.link(have, want)
        except OSError:  # a file system without links
            shutil.copyfile(have, want)


def _compile(path: Path) -> None:
    """Kernels cannot write what they compile, and would do it again and again."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(path), dfile=path.name, doraise=True, invalidation_mode=mode)


def _compiled(path: Path) -> Path:
    return Path(cache_from_source(str(path)))


def _changed_texts(exercise: Exercise | None) -> dict[Path, str]:
    """The files that a copy has in another form, by their path inside the package."""
    texts = {Path("checking/__init__.py"): INERT_CHECKING}
    if exercise is None or isinstance(exercise, Question):
        return texts
    home = _home(exercise)
    texts[home.relative_to(PACKAGE)] = without_body(
        home.read_text(encoding="utf-8"), exercise.reference.__name__
    )
    module = Path("exercises") / f"{catalogue_module(exercise)}.py"
    text = texts.get(module) or (PACKAGE / module).read_text(encoding="utf-8")
    return {**texts, module: only_cases(text)}


def catalogue_module(exercise: Exercise) -> str:
    """The name of the catalogue module, such as "nb04_losses", that holds an exercise."""
    if exercise.name not in _modules():
        raise ValueError(f"exercise {exercise.name} is in no module of the catalogue")
    return _modules()[exercise.name]


@cache
def _modules() -> dict[str, str]:
    """Exercise -> catalogue module."""
    catalogue()
    prefix = "course_lib.exercises.nb"
    found = [(name, m) for name, m in list(sys.modules.items()) if name.startswith(prefix)]
    return {e.name: name.rsplit(".", 1)[1] for name, m in found for e in entries(m)}


def _is_copied(relative: Path, exercise: Exercise | None) -> bool:
    first = relative.parts[0]
    if first == "grading":
        return relative.name == "inside.py"
    if first == "checking":
        return relative.name in (*CHECKING, "__init__.py")
    if first == "exercises" and relative.stem.startswith("nb") and exercise is not None:
        return not isinstance(exercise, Question) and relative.stem == catalogue_module(exercise)
    if relative.name == "choices.py":
        return exercise is None
    return first not in ("authoring", "__main__.py")


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
    """A catalogue module reduced to what makes the cases: no questions, misconceptions or hints.

    (When a question is graded, no catalogue is there at all.)
    """
    tree = ast.parse(text)
    starts: set[str] = set()
    for statement in tree.body:
        call = getattr(statement, "value", None)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Exercise":
            call.keywords = [k for k in call.keywords if k.arg in KEPT_KEYWORDS]
            starts |= {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
    available = slicing.statements(ast.unparse(tree)) or []
    return "\n".join(slicing.texts(slicing.needed(starts, available)[0]))
