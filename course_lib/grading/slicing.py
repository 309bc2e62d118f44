"""The statements of a notebook: which names each defines and uses, and which of them a text needs.

Nothing is executed. Lines that only IPython understands (magics) become calls, as IPython makes them.
"""

import ast
import re
import symtable
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from course_lib.checking.cells import checked

MEASURING = ("time", "timeit", "capture", "prun", "memit", "mprun", "lprun")
PYTHON_MAGICS = (*MEASURING, "python", "python3")
HARMLESS = ("print", "display", "check", "hint")
LATER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
BROKEN = (SyntaxError, ValueError, RecursionError, MemoryError)


@dataclass(frozen=True)
class Statement:
    """A statement at the top level of a cell.

    `changes` are names of objects that it alters in place (`table[1] = 2`, `rows.append(3)`), `sets`
    those that it gives something (the first of these two), `calls` the functions that it calls for their
    effect, `hands` what it gives these. `checks` are the names of the exercises that calls of `check` in
    it are about.
    """

    node: ast.stmt
    cell: int
    defines: frozenset[str]
    uses: frozenset[str]
    changes: frozenset[str]
    sets: frozenset[str]
    calls: frozenset[str]
    hands: frozenset[str]
    checks: frozenset[str]

    @property
    def is_everywhere(self) -> bool:
        """True where it may define any name (a star import), or changes how all is read."""
        if not isinstance(self.node, ast.ImportFrom):
            return False
        return self.node.module == "__future__" or any(a.name == "*" for a in self.node.names)


def python(source: str) -> str:
    """The text of a cell as Python; empty for a cell in another language.

    >>> python("%%time\\nx = 1")
    'x = 1'
    """
    lines = source.lstrip().split("\n")
    if lines[0].startswith("%%"):
        words = lines[0][2:].split()
        return python("\n".join(lines[1:])) if words and words[0] in PYTHON_MAGICS else ""
    return source if is_python(source) else _without_magics(source)


def is_python(source: str) -> bool:
    """True where the text is Python as it stands."""
    try:
        ast.parse(source)
    except BROKEN:
        return False
    return True


def _without_magics(source: str) -> str:
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return TransformerManager().transform_cell(source)
    except Exception:  # of hostile text; such a cell does not run in a notebook, either
        return source


def statements(source: str, cell: int = 0) -> list[Statement] | None:
    """The statements of a cell, or None where it is no Python."""
    found = _read(source)
    return None if found is None else [replace(statement, cell=cell) for statement in found]


@lru_cache(maxsize=10_000)  # most cells are the course's own: the same in every student's notebook
def _read(source: str) -> list[Statement] | None:
    text = python(source)
    try:
        found = [_statement(node) for node in ast.parse(text).body]
    except BROKEN:
        return None
    return found if text or not source.strip() else None


def _statement(node: ast.stmt) -> Statement:
    top = symtable.symtable(_plain(ast.unparse(node)), "cell", "exec")
    symbols = top.get_symbols()
    defines = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
    uses = {s.get_name() for s in symbols if s.is_referenced()} | set(_globals(top))
    parts = list(ast.walk(node))
    sets = {name for part in parts if (name := _root(_given(part)))}
    changes, calls, hands = _effects(parts)
    changes |= sets | {n for part in parts if isinstance(part, ast.Global) for n in part.names}
    checks = {call[1] for part in parts if (call := checked(part))}
    return Statement(node, 0, *map(frozenset, (defines, uses, changes, sets, calls, hands, checks)))


def _plain(text: str) -> str:
    """The text without `await`, which is allowed at the top level of a cell, but not of a module."""
    return re.sub(r"\bawait\s+|\basync\s+(?=for|with)", "", text)


def _globals(table: symtable.SymbolTable) -> Iterable[str]:
    """The names that functions and classes take from the module."""
    for child in table.get_children():
        yield from (s.get_name() for s in child.get_symbols() if s.is_global())
        yield from _globals(child)


def _given(node: ast.AST) -> ast.AST | None:
    """What a part of a statement gives an item or an attribute."""
    match node:
        case (
            ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Attribute(ctx=ast.Store() | ast.Del())
        ):
            return node.value
        case ast.Call(func=ast.Name("setattr"), args=[target, *_]):
            return target
    return None


def _effects(parts: list[ast.AST]) -> tuple[set[str], set[str], set[str]]:
    """The objects of which a statement, or a decorator, calls a method for its effect; the functions
    called so; and the names given to them."""
    changes, calls, hands = set(), set(), set()
    for part in parts:
        match part:
            case ast.Expr(ast.Call(function, arguments)):
                if not (isinstance(function, ast.Name) and function.id in HARMLESS):
                    hands |= {name for a in arguments if (name := _root(a))}
            case ast.FunctionDef(decorator_list=[function, *_]):
                function = function.func if isinstance(function, ast.Call) else function
            case _:
                continue
        if isinstance(function, ast.Name):
            calls.add(function.id)
        elif isinstance(function, ast.Attribute) and (name := _root(function)):
            changes.add(name)
    return changes, calls, hands


def _root(node: ast.AST | None) -> str | None:
    """The name that an expression such as `a.b[0]` begins with."""
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def needed(
    wanted: Iterable[str], available: list[Statement], given: frozenset[str] = frozenset()
) -> tuple[list[Statement], set[str]]:
    """The statements that define the wanted names, and what those need; and the names nobody defines.

    `given` are names that are there without them. Star imports and what sets `torch.Tensor.mine = f`
    always come along: nobody knows who uses them. (What a function sets, it sets when it is called, so
    the calls come along of those that change what is needed.)
    """
    imported = {n for s in available if is_import(s) for n in s.defines}
    names, chosen = set(wanted) - given, {i for i, s in enumerate(available) if s.is_everywhere}
    changing: frozenset[str] = frozenset()
    grown = True
    while grown:
        grown = False
        for i, statement in enumerate(available):
            is_set = statement.sets & imported and not isinstance(statement.node, LATER)
            changed = (statement.changes - imported) & names
            here = statement.defines & names or statement.calls & changing
            if i not in chosen and (here or changed or is_set):
                chosen.add(i)
                names |= statement.uses - given
                if changed and isinstance(statement.node, LATER):
                    changing |= statement.defines
                grown = True
    found = [available[i] for i in sorted(chosen)]
    return found, names - {n for s in found for n in s.defines}


def is_import(statement: Statement) -> bool:
    """True for an import."""
    return isinstance(statement.node, (ast.Import, ast.ImportFrom))


def texts(chosen: list[Statement]) -> list[str]:
    """The statements as texts, one for each cell that they come from."""
    cells: dict[int, list[str]] = {}
    for statement in chosen:
        is_future = getattr(statement.node, "module", "") == "__future__"
        cells.setdefault(-1 if is_future else statement.cell, []).append(
            ast.unparse(statement.node)
        )
    return ["\n".join(lines) for _, lines in sorted(cells.items())]
