"""Mistakes as one change of the right code: a call left out, an axis exchanged, a sign turned round.

Each change of the reference's syntax tree, and of the helpers that it calls, is an idea. Where a release
withholds the solutions there is no source, and so no such idea.
"""

import ast
import contextlib
import copy
import inspect
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from typing import Any

from course_lib.checking.rules import changes_of
from course_lib.checking.sample import Idea

LONGEST = 60
"""Characters of code that a message shows."""


def ideas(reference: Callable, run: Callable[[Callable, tuple], Any]) -> Iterator[Idea]:
    """One idea for each changed reference; `run(function, arguments)` is its value."""
    for words, function in mutants(reference):
        yield Idea(
            "changed code",
            f"You have the result of the right code, but {words}.",
            lambda sample, f=function: run(f, sample.arguments),
        )


def mutants(reference: Callable) -> Iterator[tuple[str, Callable]]:
    """(what was changed, the changed function or class), the reference's own changes first."""
    for function in (reference, *helpers(reference)):
        with contextlib.suppress(OSError, TypeError):
            tree = _tree(function)
            for words, code in _changed(tree, list(_parameters(function))):
                with contextlib.suppress(Exception):  # a change that cannot even be defined
                    yield words, _built(reference, function, code)


def helpers(reference: Callable) -> list[Callable]:
    """The functions of the reference's own module that it calls, directly."""
    home = vars(sys.modules[reference.__module__])
    try:
        tree = _tree(reference)
    except (OSError, TypeError):
        return []
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    found = [home.get(name) for name in sorted(names - {reference.__name__})]
    return [f for f in found if inspect.isfunction(f) and f.__module__ == reference.__module__]


def _parameters(function: Callable) -> Iterator[str]:
    yield from (n for n in inspect.signature(function).parameters if n != "self")


def _tree(function: Callable) -> ast.Module:
    """The definition without annotations, decorators and docstrings."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.decorator_list, node.returns = [], None
            for argument in ast.walk(node.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
    return tree


def _changed(tree: ast.Module, parameters: list[str]) -> Iterator[tuple[str, types.CodeType]]:
    """Every change of the tree: its words and the compiled module."""
    for node, put in list(_places(tree)):
        for new, words in changes_of(node, parameters):
            put(copy.deepcopy(new))
            code = None
            with contextlib.suppress(SyntaxError, ValueError, TypeError):
                code = compile(ast.fix_missing_locations(tree), "<changed reference>", "exec")
            put(node)
            if code is not None:
                yield words or _said(node, new), code


def _places(tree: ast.AST) -> Iterator[tuple[ast.AST, Callable[[ast.AST], None]]]:
    """Every node with a function that puts another in its place."""
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if isinstance(value, ast.AST):
                yield value, lambda new, p=parent, f=field: setattr(p, f, new)
            elif isinstance(value, list):
                for i, item in enumerate(value):
                    if isinstance(item, ast.AST):
                        yield item, lambda new, v=value, i=i: v.__setitem__(i, new)


def _said(old: ast.AST, new: ast.AST) -> str:
    before, after = (" ".join(_text(node).split()) for node in (old, new))
    if len(before) > LONGEST and len(after) > LONGEST:
        before, after = _where_they_differ(before, after)
    return f"with `{_cut(after)}` in place of `{_cut(before)}`"


def _text(node: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(node))


def _where_they_differ(a: str, b: str) -> tuple[str, str]:
    """The parts of two texts around what differs."""
    start = next(i for i in range(min(len(a), len(b)) + 1) if a[: i + 1] != b[: i + 1])
    begin = max(start - LONGEST // 3, 0)
    return ("…" if begin else "") + a[begin:], ("…" if begin else "") + b[begin:]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _built(reference: Callable, changed: Callable, code: types.CodeType) -> Callable:
    """The reference, in a copy of its module in which `changed` is defined by `code`."""
    space = dict(vars(sys.modules[reference.__module__]))
    exec(code, space)
    if changed is reference:
        return space[reference.__name__]
    own = inspect.unwrap(reference)
    return types.FunctionType(own.__code__, space, own.__name__, own.__defaults__, own.__closure__)
