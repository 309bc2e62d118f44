"""What a cell of a notebook says: is there an answer in it, which one, and is it the same as before?"""

import ast
import contextlib
import hashlib
import inspect
import linecache
import re
from typing import Any

from course_lib.exercises import catalogue
from course_lib.exercises.exercise import Question

MAGIC = re.compile(r"^([ \t]*)[%!].*$", re.MULTILINE)


def answers(cell: str) -> dict[str, str]:
    """The exercises that the text of a cell answers, with the fingerprints of the answers.

    >>> list(answers("def centroid(points):\\n    return points.mean(1)")), answers("iou = ...")
    (['centroid'], {})
    """
    found = {}
    for node in statements(cell):
        targets = getattr(node, "targets", [node])
        names = {getattr(part, "id", getattr(part, "name", "")) for part in targets}
        for name in names & catalogue().keys() if is_work(node) else ():
            if not isinstance(catalogue()[name], Question):
                found[name] = text_fingerprint(cell)
            else:
                found[name] = _literal(getattr(node, "value", None))
    return found


def asked(cell: str) -> set[str]:
    """The names of the exercises that a cell checks."""
    calls = [checked(node) for top in statements(cell) for node in ast.walk(top)]
    return {name for _, name in filter(None, calls)} & catalogue().keys()


def statements(cell: str) -> list[ast.stmt]:
    """What stands in a cell; nothing if it is no Python."""
    try:
        return ast.parse(MAGIC.sub(r"\1pass", cell)).body
    except (SyntaxError, ValueError, RecursionError):
        return []


def _literal(node: ast.AST | None) -> str:
    """The fingerprint of a value that is written out; empty if it has to be computed."""
    if node is None:
        return ""
    try:
        return fingerprint(ast.literal_eval(node))
    except (ValueError, TypeError):
        return ""


def fingerprint(answer: Any) -> str:
    """A hash of an answer: of the cell that defines it, layout and comments apart, or of its value."""
    try:
        return _fingerprint(answer)
    except Exception:  # an object that cannot even be shown
        return ""


def _fingerprint(answer: Any) -> str:
    if not callable(answer):
        return _hash(repr(answer))
    answer = inspect.unwrap(answer)
    parts = [answer, getattr(answer, "func", None)]  # a function, a partial, a class
    parts += vars(answer).values() if isinstance(answer, type) else []
    codes = [part.__code__ for part in parts if inspect.isfunction(part)]
    text = "".join(linecache.getlines(codes[0].co_filename)) if codes else ""
    return text_fingerprint(text) if text else _hash(re.sub(r" at 0x\w+", "", repr(answer)))


def text_fingerprint(cell: str) -> str:
    """The fingerprint of the functions and classes that a cell with this text defines."""
    with contextlib.suppress(SyntaxError, ValueError):
        cell = ast.unparse(ast.parse(cell))
    return _hash(cell)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def checked(node: ast.AST | None) -> tuple[ast.expr, str] | None:
    """What a call `check(answer)` or `check(answer, "name")` checks, and for which exercise."""
    if not (isinstance(node, ast.Call) and node.args and _called(node) == "check"):
        return None
    named: list[Any] = [*node.args[1:2], *(k.value for k in node.keywords if k.arg == "name")]
    if named and isinstance(named[0], ast.Constant) and isinstance(named[0].value, str):
        return node.args[0], named[0].value
    return (node.args[0], node.args[0].id) if isinstance(node.args[0], ast.Name) else None


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def is_work(node: ast.stmt) -> bool:
    """True for a statement that a student wrote: not the empty definition, an import or a check."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return not _is_empty(node)
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.Pass)):
        return False
    value = getattr(node, "value", None)
    if (isinstance(node, ast.Expr) and isinstance(value, ast.Constant)) or checked(value):
        return False
    is_open = isinstance(value, ast.Constant) and value.value is ...
    return not (isinstance(node, ast.Assign) and is_open)


def _is_empty(node: ast.FunctionDef | ast.ClassDef) -> bool:
    if isinstance(node, ast.ClassDef):
        methods = [n for n in node.body if isinstance(n, ast.FunctionDef)]
        return all(_is_empty(method) for method in methods)
    return all(_is_nothing(n) for n in node.body)


def _is_nothing(node: ast.stmt) -> bool:
    """True for a docstring, `pass`, `super().__init__()` and `raise NotImplementedError`."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) or "super().__init__(" in ast.unparse(node)
    raised = isinstance(node, ast.Raise) and "NotImplementedError" in ast.unparse(node)
    return raised or isinstance(node, ast.Pass)
