"""Mistakes as one change of the right code: a call left out, an axis exchanged, a sign turned round.

Each change of the reference's syntax tree, and of the helpers that it calls, is an idea. Where a release
withholds the solutions there is no source, and so no such idea.
"""

import ast
import contextlib
import copy
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

from course_lib.checking.rules import changes_of
from course_lib.checking.sources import definition
from course_lib.exercises.exercise import Misconception

LONGEST = 60
"""Characters of code that a message shows."""
SILENT = (ast.Constant, ast.Name, ast.Slice, ast.keyword)
"""Code that says nothing without what stands around it."""


def ideas(
    reference: Callable, run: Callable[[Callable, tuple], Any], arguments: dict[str, Any]
) -> Iterator[Misconception]:
    """One idea for each changed reference; `run(function, arguments)` is its value."""
    for words, function in mutants(reference, arguments):
        yield Misconception(
            "changed code",
            lambda sample, f=function: run(f, sample.arguments),
            f"You have the result of the right code, but {words}.",
        )


def mutants(reference: Callable, arguments: dict[str, Any]) -> Iterator[tuple[str, Callable]]:
    """(what was changed, the changed function or class), the reference's own changes first.

    Only parameters that stand for alike `arguments` may take each other's place.
    """
    kinds = {name: _kind(value) for name, value in arguments.items()}
    for places in (_places, _uses):
        for function in (reference, *helpers(reference)):
            with contextlib.suppress(OSError, TypeError):
                tree = _tree(function)
                own = {name: kinds.get(name) for name in _parameters(function)}
                for words, code in _changed(tree, own, places):
                    with contextlib.suppress(Exception):  # a change that cannot even be defined
                        yield words, _built(reference, function, code)


def _kind(value: Any) -> Any:
    return (value.dtype, value.ndim) if isinstance(value, torch.Tensor) else type(value)


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
    tree = definition(function)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def _changed(
    tree: ast.Module, parameters: dict[str, Any], places: Callable
) -> Iterator[tuple[str, types.CodeType]]:
    """Every change of the tree: its words and the compiled module."""
    for node, shown, put in list(places(tree)):
        for new, words in changes_of(node, parameters):
            before = _text(shown)
            put(copy.deepcopy(new))
            code = None
            with contextlib.suppress(SyntaxError, ValueError, TypeError):
                code = compile(ast.fix_missing_locations(tree), "<changed reference>", "exec")
                words = words or _said(before, _text(new if shown is node else shown))
            put(node)
            if code is not None:
                yield words, code


Place = tuple[ast.AST, ast.AST, Callable[[ast.AST], None]]


def _places(tree: ast.AST, around: ast.AST | None = None) -> Iterator[Place]:
    """Every node, what to show of the code around it, and a function that puts another in its place."""
    for field, value in ast.iter_fields(tree):
        items = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
        for i, node in items:
            if isinstance(node, ast.AST):
                put = partial(setattr, tree, field) if i is None else partial(value.__setitem__, i)
                shown = node if _speaks(node, tree) or around is None else around
                yield node, shown, put
                yield from _places(node, shown if isinstance(shown, ast.expr) else None)


def _speaks(node: ast.AST, parent: ast.AST) -> bool:
    """True if the node says enough where it is shown alone."""
    is_index = isinstance(parent, ast.Subscript) and node is parent.slice
    return isinstance(node, ast.expr) and not is_index and not isinstance(node, SILENT)


def _uses(tree: ast.Module) -> Iterator[Place]:
    """The places inside the value of a variable, for each of its uses by itself, if it has several."""
    nodes = list(_places(tree))
    values = {
        n.targets[0].id: n.value
        for n, _, _ in nodes
        if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)
    }
    names = [n.id for n, _, _ in nodes if isinstance(n, ast.Name)]
    for node, _, put in nodes:
        if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
            continue
        if names.count(node.id) > 2 and node.id in values:
            yield from _inside(node, values[node.id], put)


def _inside(node: ast.AST, value: ast.expr, put: Callable) -> Iterator[Place]:
    """The places of a variable's value, put where the variable is used."""
    holder = ast.Expr(copy.deepcopy(value))
    for inner, shown, put_inner in list(_places(holder)):

        def both(new: ast.AST, inner: ast.AST = inner, put_inner: Callable = put_inner) -> None:
            put_inner(new)
            put(node if new is inner else holder.value)

        yield inner, shown, both


def _said(before: str, after: str) -> str:
    before, after = (" ".join(text.split()) for text in (before, after))
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
