"""The text of an exercise: the stub that students get and the solution that they may look up.

Both are made from the reference, so there is nothing to keep in step by hand.
"""

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable

from course_lib.exercises.exercise import Exercise, Question


def stub_source(exercise: Exercise) -> str:
    """The exercise cell of the notebook: signature and docstring, without the body."""
    if exercise.starter is not None:
        return exercise.starter.strip()
    if isinstance(exercise, Question):
        choices = [f"# {letter}: {text}" for letter, text in exercise.choices.items()]
        return "\n".join([*choices, f"{exercise.name} = ..."])
    tree = _definition(exercise.reference)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            _strip_annotations(node)
            node.body = [*_docstring(node), ast.parse("raise NotImplementedError").body[0]]
    return ast.unparse(ast.fix_missing_locations(tree))


def solution_source(exercise: Exercise) -> str:
    """The reference as a cell that runs by itself: the imports it needs, then its source."""
    if isinstance(exercise, Question):
        return f"{exercise.name} = {exercise.reference!r}"
    source = textwrap.dedent(inspect.getsource(exercise.reference)).strip()
    imports = _imports(exercise.reference)
    return "\n".join(imports) + "\n\n\n" + source if imports else source


def _definition(reference: Callable) -> ast.Module:
    return ast.parse(textwrap.dedent(inspect.getsource(reference)))


def _docstring(node: ast.FunctionDef) -> list[ast.stmt]:
    first = node.body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return [first] if is_text else []


def _strip_annotations(node: ast.FunctionDef) -> None:
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    for argument in [*every, arguments.vararg, arguments.kwarg]:
        if argument is not None:
            argument.annotation = None
    node.returns, node.decorator_list = None, []


def _imports(reference: Callable) -> list[str]:
    """One import line for each global name that the reference uses, taken from its own module."""
    module = sys.modules[reference.__module__]
    tree = _definition(reference)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
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
