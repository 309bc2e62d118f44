"""The text of an exercise: the stub that students get and the solution that they may look up.

Both are made from the reference, so there is nothing to keep in step by hand.
"""

import ast
import copy
import inspect
import re
import sys
import textwrap
import typing
from collections.abc import Callable, Iterator
from typing import Any

from course_lib.exercises.exercise import Exercise, Question


def stub_source(exercise: Exercise) -> str:
    """The exercise cell of the notebook: signature and docstring, without the body."""
    if exercise.starter is not None:
        return exercise.starter.strip()
    if isinstance(exercise, Question):
        choices = [f"# {letter}: {text}" for letter, text in exercise.choices.items()]
        how = '  # a letter in quotes, such as "A"' if choices else ""
        return "\n".join([*choices, f"{exercise.name} = ...{how}"])
    tree = definition(exercise.reference)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.body = [*_docstring(node), ast.parse("raise NotImplementedError").body[0]]
    _say_shapes(tree.body[0], exercise.reference)
    _ask_for_gradients(tree.body[0], exercise.gradients)
    return ast.unparse(ast.fix_missing_locations(tree))


def solution_source(exercise: Exercise) -> str:
    """The reference as students would write it, to be pasted into the exercise cell.

    Decorators, annotations and the docstring are left out, and so are guards against bad input that
    the docstring does not ask for. Comments stay. Names that are not Python's come from the notebook.
    """
    if isinstance(exercise, Question):
        return f"{exercise.name} = {exercise.reference!r}"
    source = textwrap.dedent(inspect.getsource(exercise.reference)).strip()
    tree, lines = ast.parse(source), source.splitlines()
    removed = set(_guard_lines(tree)) if "ValueError" not in source.split('"""')[1] else set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            for text in _docstring(node):
                removed.update(range(text.lineno, (text.end_lineno or 0) + 1))
            removed.update(range(first, node.body[0].lineno))
            removed.discard(node.lineno)
            lines[node.lineno - 1] = " " * node.col_offset + _header(node)
    kept = [line for number, line in enumerate(lines, start=1) if number not in removed]
    return re.sub(r"(:\n)\n+", r"\1", "\n".join(kept))


def runnable_source(exercise: Exercise) -> str:
    """The solution as a cell that runs by itself: the imports it needs, then `solution_source`."""
    source = solution_source(exercise)
    imports = [] if isinstance(exercise, Question) else _imports(exercise.reference, source)
    return "\n".join(imports) + "\n\n\n" + source if imports else source


def _header(node: ast.FunctionDef | ast.ClassDef) -> str:
    """The line that opens a definition, without annotations."""
    bare = copy.deepcopy(node)
    bare.body = [ast.Pass()]
    _strip(bare)
    return ast.unparse(bare).splitlines()[0]


def _guard_lines(tree: ast.AST) -> Iterator[int]:
    """The lines of statements that only refuse bad input, or warn of it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and _is_guard(node):
            yield from range(node.lineno, (node.end_lineno or 0) + 1)


def _is_guard(node: ast.stmt) -> bool:
    if isinstance(node, ast.If):
        last = ast.unparse(node.body[-1])
        return last.startswith(("raise ", "warnings.warn(")) and not node.orelse
    if isinstance(node, ast.For):
        return all(_is_guard(child) for child in node.body)
    call = node.value if isinstance(node, ast.Expr) else None
    name = call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else ""
    return name.lstrip("_").startswith("check_")


def definition(reference: Callable) -> ast.Module:
    """A function or class as a syntax tree, without annotations and decorators."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(reference)))
    _strip(tree)
    return tree


def _docstring(node: ast.FunctionDef | ast.ClassDef) -> list[ast.stmt]:
    first = node.body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return [first] if is_text else []


def _ask_for_gradients(function: Any, names: tuple[str, ...]) -> None:
    """Say in the docstring what the check differentiates."""
    if names:
        text = function.body[0].value
        text.value = (
            f"{text.value.rstrip()}\n\n    Must be differentiable in {_listed(names)}.\n    "
        )


def _say_shapes(function: Any, reference: Callable) -> None:
    """Put the annotations' shapes below the docstring's first paragraph, unless it says them itself."""
    text = function.body[0].value
    if inspect.isclass(reference) or " -> " in text.value:
        return
    signature = inspect.signature(reference)
    parts = {name: _in_words(p.annotation) for name, p in signature.parameters.items()}
    line = ", ".join(f"{name}: {words}" for name, words in parts.items() if words)
    answer = _in_words(signature.return_annotation)
    if line and answer:
        first, *others = text.value.split("\n\n")
        text.value = "\n\n".join([first.rstrip(), f"    {line} -> {answer}", *others])
        text.value += "" if others else "\n    "


def _in_words(annotation: Any) -> str:
    """A type as students read it: (n, 3) for a tensor, its name for a simple type, nothing else."""
    if dimensions := getattr(annotation, "dim_str", None):
        names = ["..." if d[0] in "*." else d.strip("{}") for d in dimensions.split()]
        shape = f"({', '.join(names)}{',' if len(names) == 1 and names[0] != '...' else ''})"
        kind = annotation.__name__.split("[")[0]
        return shape + {"Bool": " of True/False", "Int": " of whole numbers"}.get(kind, "")
    if dimensions == "":
        return "one number, as a tensor"
    if typing.get_origin(annotation) is tuple:
        return "(" + ", ".join(filter(None, map(_in_words, typing.get_args(annotation)))) + ")"
    return annotation.__name__ if annotation in (int, float, str) else ""


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _strip(tree: ast.AST) -> None:
    """Take annotations and decorators from the functions of a tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns, node.decorator_list = None, []
        elif isinstance(node, ast.arg):
            node.annotation = None


def _imports(reference: Callable, source: str) -> list[str]:
    """One import line for each global name that the source uses, taken from the reference's module."""
    module = sys.modules[reference.__module__]
    used = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    used -= {reference.__name__}
    lines = []
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [
                name for name in node.names if (name.asname or name.name.split(".")[0]) in used
            ]
            if names:
                node.names = names
                lines.append(ast.unparse(node))
                used -= {name.asname or name.name.split(".")[0] for name in names}
    own = sorted(name for name in used if name in vars(module))
    if own:
        lines.append(f"from {reference.__module__} import {', '.join(own)}")
    return lines
