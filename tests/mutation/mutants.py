"""Every single-change mutant of a program text: what a slip of the pen would make of it."""

import ast
import difflib
from collections.abc import Iterator

OPERATOR = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
COMPARISON = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
PAIRS = (
    "mean sum,min max,amin amax,argmin argmax,sin cos,floor ceil,zeros ones,minimum maximum,any all"
)
TWIN = {a: b for pair in PAIRS.split(",") for a, b in (pair.split(), pair.split()[::-1])}
UNTOLD = ("device", "strict")
"""Keywords that change nothing on one device and with inputs of the promised lengths."""


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """(what was changed, source text) of each mutant, in the order of the text, none twice.

    Annotations and the texts of errors are left as they are.
    """
    tree = _bare(ast.parse(source))
    original = ast.unparse(tree)
    seen = {original}
    for node in [n for n in ast.walk(tree) if not isinstance(n, ast.Module)]:
        for new in _replacements(node):
            text = _with(tree, node, new)
            if text not in seen:
                seen.add(text)
                yield _change(original, text), text


def _with(tree: ast.Module, node: ast.AST, new: ast.AST) -> str:
    """The text of the tree with one node replaced; the tree itself is left as it was."""
    _Exchange(node, new).visit(tree)
    text = ast.unparse(ast.fix_missing_locations(tree))
    _Exchange(new, node).visit(tree)
    return text


class _Exchange(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST):
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def _bare(tree: ast.Module) -> ast.Module:
    """Without what changes nothing: the annotations of variables and the texts of errors."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(...)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
    return tree


def _change(before: str, after: str) -> str:
    """The lines that differ, "old → new"."""
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    old, new = (" ".join(x[2:].strip() for x in lines if x[0] == sign) for sign in "-+")
    return f"{old} → {new}"


def _replacements(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.BinOp() | ast.BoolOp() | ast.AugAssign():
            yield from _of_an_operation(node)
        case ast.Compare(left, [operator], [right]):
            for other in COMPARISON.get(type(operator), ()):
                yield ast.Compare(left, [other()], [right])
            yield left
        case ast.UnaryOp(ast.USub() | ast.Not() | ast.Invert(), operand):
            yield operand
        case ast.Constant(int() | float() as value) if type(value) is not bool:
            for other in {value + 1, value - 1, 0} - {value}:
                yield ast.Constant(other)
        case ast.Call():
            yield from _of_a_call(node)
        case ast.Attribute(value, "T" | "mT", ast.Load()):
            yield value
        case ast.IfExp(_, body, orelse):
            yield from (body, orelse)
        case ast.If(_, body, orelse):
            yield ast.If(ast.Constant(False), body, orelse)
        case ast.comprehension(target, source, [_, *_]):
            yield ast.comprehension(target, source, [], 0)
        case ast.Expr(ast.Call()):
            yield ast.Pass()


def _of_an_operation(node: ast.AST) -> Iterator[ast.AST]:
    other = OPERATOR.get(type(node.op))
    match node:
        case ast.BoolOp(_, values):
            yield ast.BoolOp(other(), values)
            yield from values
        case ast.AugAssign(target, _, value):
            yield ast.Assign([target], value)
            if other:
                yield ast.AugAssign(target, other(), value)
        case ast.BinOp(left, operator, right):
            yield from (left, right)
            if isinstance(operator, (ast.Sub, ast.Div, ast.MatMult)):
                yield ast.BinOp(right, operator, left)
            if other:
                yield ast.BinOp(left, other(), right)


def _of_a_call(node: ast.Call) -> Iterator[ast.AST]:
    function, arguments, keywords = node.func, node.args, node.keywords
    if isinstance(function, ast.Attribute):
        yield function.value  # the method's own object
        if function.attr in TWIN:
            twin = ast.Attribute(function.value, TWIN[function.attr], ast.Load())
            yield ast.Call(twin, arguments, keywords)
    if arguments and not isinstance(arguments[0], ast.Starred):
        yield arguments[0]
    for keyword in keywords:
        if keyword.arg not in UNTOLD:
            yield ast.Call(function, arguments, [k for k in keywords if k is not keyword])
    if len(arguments) == 2:
        yield ast.Call(function, arguments[::-1], keywords)
