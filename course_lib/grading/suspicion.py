"""Means in a student's cell that no exercise needs: a reason to look at it, never one for a mark."""

import ast

from course_lib.grading.slicing import BROKEN

CALLS = {"exec", "eval", "compile", "__import__"}
MODULES = {"marshal", "ctypes", "pickle", "inspect", "gc"}
NAMES = MODULES | {"CodeType", "FunctionType", "unseal", "_getframe"}
ATTRIBUTES = NAMES | {"__code__", "__globals__", "__subclasses__", "f_back"}
LONGEST_DATA = 300
"""Bytes, or a text without a space, of this length are more than a solution has to say."""


def suspicions(source: str) -> list[str]:
    """A flag for each of them.

    >>> suspicions("import marshal\\nf = eval('g')\\nmodel.eval()")
    ['look at its text: it uses `eval`', 'look at its text: it uses `marshal`']
    """
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except BROKEN:
        return []
    return [f"look at its text: it {what}" for what in sorted({w for n in nodes for w in _what(n)})]


def _what(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Constant):
        data = node.value if isinstance(node.value, (str, bytes)) else ""
        return ["holds long data"] if len(data) > LONGEST_DATA and len(data.split()) == 1 else []
    if isinstance(node, ast.Import):
        found = {name.name.split(".")[0] for name in node.names} & NAMES
    elif isinstance(node, ast.ImportFrom):
        found = {(node.module or "").split(".")[0], *(name.name for name in node.names)} & NAMES
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        found = {node.func.id} & CALLS
    else:
        found = {node.attr} & ATTRIBUTES if isinstance(node, ast.Attribute) else set()
    return [f"uses `{name}`" for name in found]
