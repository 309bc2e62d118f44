"""The single changes of code that stand for slips: of operators, numbers, calls, axes and names."""

import ast
from collections.abc import Iterator
from typing import Any

OPERATORS = {
    ast.Add: (ast.Sub, ast.Mult), ast.Sub: (ast.Add,), ast.Mult: (ast.Div, ast.Add, ast.MatMult),
    ast.Div: (ast.Mult, ast.FloorDiv), ast.FloorDiv: (ast.Div,), ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,), ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd, ast.BitXor),
}  # fmt: skip
COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
OTHER_NAMES = {
    "sum": ("mean", "amax"), "mean": ("sum", "amax", "median"), "amax": ("mean", "amin", "sum"),
    "amin": ("amax", "mean"), "max": ("min", "sum"), "min": ("max", "sum"),
    "argmax": ("argmin",), "argmin": ("argmax",), "maximum": ("minimum", "add"),
    "minimum": ("maximum", "add"), "sin": ("cos",), "cos": ("sin",), "floor": ("round", "ceil"),
    "round": ("floor",), "sqrt": ("square",), "square": ("abs", "sqrt"), "abs": ("square",),
    "cumsum": ("cumprod",), "cumprod": ("cumsum",), "any": ("all",), "all": ("any",),
    "sigmoid": ("tanh", "exp", "relu"), "tanh": ("sigmoid",), "relu": ("abs", "sigmoid"),
    "softplus": ("relu", "exp", "sigmoid"), "exp": ("sigmoid", "expm1"), "log": ("log2", "log10"),
    "log10": ("log", "log2"), "log1p": ("log",), "inv": ("pinv",), "index_add": ("index_copy",),
    "zeros": ("ones",), "ones": ("zeros",), "zeros_like": ("ones_like",),
    "ones_like": ("zeros_like",), "outer": ("mul",), "softmax": ("sigmoid", "log_softmax"),
    "bmm": ("mul",), "cross": ("mul",), "union1d": ("intersect1d",), "hypot": ("add",),
    "std": ("var",), "var": ("std",), "strip": ("lstrip", "rstrip"),
}  # fmt: skip
OTHER_TEXTS = {
    "ij": ("xy",), "border": ("zeros",), "zeros": ("border",), "bilinear": ("nearest",),
    "mean": ("sum",), "sum": ("mean",),
}  # fmt: skip
AXES = (0, 1, 2, -1, -2)
ROUNDS = {
    ":1": "with only the first round of its loop",
    "::-1": "with its loop running backwards",
    ":-1": "with one round of its loop too few",
}
Change = tuple[ast.AST, str]


def changes_of(node: ast.AST, parameters: dict[str, Any]) -> Iterator[Change]:
    """The nodes that may stand in this one's place, each with words, or "" where code says it.

    Parameters of the same kind take each other's place.
    """
    for kind, rule in RULES.items():
        if isinstance(node, kind):
            yield from rule(node)
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in parameters:
        for other, kind in parameters.items():
            if other != node.id and kind == parameters[node.id]:
                yield ast.Name(other, ast.Load()), ""


def _binary(node: ast.BinOp) -> Iterator[Change]:
    yield node.left, ""
    yield node.right, ""
    for other in OPERATORS.get(type(node.op), ()):
        yield ast.BinOp(node.left, other(), node.right), ""
    if isinstance(node.op, (ast.Sub, ast.Div, ast.MatMult, ast.Pow)):
        yield ast.BinOp(node.right, node.op, node.left), ""
    if isinstance(node.op, ast.MatMult):
        for side in (node.left, node.right):
            for text in ("({}).mT", "torch.linalg.inv({})"):
                new = ast.parse(text.format(ast.unparse(side)), mode="eval").body
                pair = (new, node.right) if side is node.left else (node.left, new)
                yield ast.BinOp(pair[0], node.op, pair[1]), ""


def _unary(node: ast.UnaryOp) -> Iterator[Change]:
    yield node.operand, ""
    inner = node.operand
    if isinstance(inner, ast.Call) and getattr(inner.func, "attr", "") == "expm1":
        yield _renamed(inner, "exp"), "with exp(x) in place of 1 - exp(x)"


def _compare(node: ast.Compare) -> Iterator[Change]:
    for i, operator in enumerate(node.ops):
        for other in COMPARISONS:
            if not isinstance(operator, other):
                ops = [*node.ops[:i], other(), *node.ops[i + 1 :]]
                yield ast.Compare(node.left, ops, node.comparators), ""


def _bool(node: ast.BoolOp) -> Iterator[Change]:
    yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values), ""
    yield from ((value, "") for value in node.values)


def _constant(node: ast.Constant) -> Iterator[Change]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value), ""
    elif isinstance(value, (int, float)):
        others = dict.fromkeys((value + 1, value - 1, 0 * value, 2 * value, value / 2, -value))
        for other in others:
            if other != value and (isinstance(value, float) or other == int(other)):
                yield ast.Constant(type(value)(other)), ""
    elif isinstance(value, str):
        for text in OTHER_TEXTS.get(value, ()):
            yield ast.Constant(text), ""
        for text in dict.fromkeys(("", value.strip(), value.lower(), value.replace("\n", " "))):
            if text != value:
                yield ast.Constant(text), f"with {text!r} in place of {value!r}"


def _call(node: ast.Call) -> Iterator[Change]:
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if isinstance(node.func, ast.Attribute):
        yield node.func.value, f"without `.{name}(…)`"
    for argument in node.args:
        if not isinstance(argument, ast.Starred):
            yield argument, ""
    for other in OTHER_NAMES.get(name, ()):
        yield _renamed(node, other), f"with `{other}` in place of `{name}`"
    if name == "mean":
        middle = ast.BinOp(_renamed(node, "amax"), ast.Add(), _renamed(node, "amin"))
        words = "with the middle between the largest and the smallest in place of the mean"
        yield ast.BinOp(middle, ast.Div(), ast.Constant(2)), words
    for i in range(len(node.args) - 1):
        args = list(node.args)
        args[i], args[i + 1] = args[i + 1], args[i]
        yield ast.Call(node.func, args, node.keywords), ""
    yield from _keywords(node, name)


def _renamed(node: ast.Call, name: str) -> ast.Call:
    if isinstance(node.func, ast.Attribute):
        return ast.Call(ast.Attribute(node.func.value, name, ast.Load()), node.args, node.keywords)
    return ast.Call(ast.Name(name, ast.Load()), node.args, node.keywords)


def _keywords(node: ast.Call, name: str) -> Iterator[Change]:
    """An axis exchanged, a keyword left out; an axis added or removed where all are reduced."""
    axis = [i for i, k in enumerate(node.keywords) if k.arg in ("dim", "axis")]
    for i, keyword in enumerate(node.keywords):
        rest = [k for k in node.keywords if k is not keyword]
        words = f"without `{keyword.arg}=` in `{name}`"
        yield ast.Call(node.func, node.args, rest), words
        for value in AXES if i in axis else ():
            new = ast.keyword(keyword.arg, ast.Constant(value))
            words = f"with `{name}` along axis {value} in place of {ast.unparse(keyword.value)}"
            yield ast.Call(node.func, node.args, [*rest, new]), words
    if len(node.args) == 1 and isinstance(node.args[0], (ast.Constant, ast.UnaryOp)):
        yield from _positional_axis(node, name)


def _positional_axis(node: ast.Call, name: str) -> Iterator[Change]:
    """`x.sum(1)`: another axis, or all."""
    yield ast.Call(node.func, [], node.keywords), f"without the axis of `{name}`"
    for value in AXES:
        words = f"with `{name}` along axis {value} in place of {ast.unparse(node.args[0])}"
        yield ast.Call(node.func, [ast.Constant(value)], node.keywords), words


def _attribute(node: ast.Attribute) -> Iterator[Change]:
    if node.attr in ("T", "mT"):
        yield node.value, f"without `.{node.attr}`: not transposed"


def _subscript(node: ast.Subscript) -> Iterator[Change]:
    if isinstance(node.ctx, ast.Load):
        yield node.value, ""
    if isinstance(node.slice, ast.Tuple) and len(node.slice.elts) == 2:
        swapped = ast.Tuple(node.slice.elts[::-1], ast.Load())
        yield ast.Subscript(node.value, swapped, node.ctx), ""


def _slice(node: ast.Slice) -> Iterator[Change]:
    yield ast.Slice(None, None, node.step), ""
    if node.lower is None and node.upper is not None:
        yield ast.Slice(node.upper, None, node.step), ""
    if node.lower is not None and node.upper is None:
        yield ast.Slice(None, node.lower, node.step), ""
    if ast.unparse(node) == ":-1":
        yield ast.Slice(ast.Constant(1), None, None), ""


def _elements(node: ast.Tuple | ast.List) -> Iterator[Change]:
    if not isinstance(node.ctx, ast.Load):
        return
    kind, items = type(node), node.elts
    said = [ast.unparse(item)[:50] for item in items]
    for i in range(len(items)):
        for j in range(i):
            order = list(items)
            order[i], order[j] = order[j], order[i]
            yield kind(order, ast.Load()), f"with `{said[i]}` and `{said[j]}` exchanged"
        yield kind([*items[:i], *items[i + 1 :]], ast.Load()), f"without `{said[i]}`"
        negated = ast.UnaryOp(ast.USub(), items[i])
        words = f"with the other sign of `{said[i]}`"
        yield kind([*items[:i], negated, *items[i + 1 :]], ast.Load()), words


def _condition(node: Any) -> Iterator[Change]:
    test = ast.unparse(node.test)
    for value, word in ((True, "always"), (False, "never")):
        new = type(node)(ast.Constant(value), node.body, node.orelse)
        if isinstance(node, ast.IfExp):
            yield (node.body if value else node.orelse), ""
        else:
            yield new, f"as if `{test}` held {word}"


def _loop(node: ast.For) -> Iterator[Change]:
    for part, words in ROUNDS.items():
        rounds = ast.parse(f"list({ast.unparse(node.iter)})[{part}]", mode="eval").body
        yield ast.For(node.target, rounds, node.body, node.orelse), words


def _filter(node: ast.comprehension) -> Iterator[Change]:
    for condition in node.ifs:
        rest = [other for other in node.ifs if other is not condition]
        words = f"without the condition `{ast.unparse(condition)}`"
        yield ast.comprehension(node.target, node.iter, rest, 0), words


def _assignment(node: ast.Assign | ast.AugAssign | ast.Expr) -> Iterator[Change]:
    line = ast.unparse(node)
    yield ast.Pass(), f"without the step `{line[:60]}{'…' if len(line) > 60 else ''}`"
    if isinstance(node, ast.AugAssign):
        for other in OPERATORS.get(type(node.op), ()):
            yield ast.AugAssign(node.target, other(), node.value), ""
        yield ast.Assign([node.target], node.value), ""


RULES: dict[Any, Any] = {
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.Compare: _compare,
    ast.BoolOp: _bool,
    ast.Constant: _constant,
    ast.Call: _call,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    (ast.Tuple, ast.List): _elements,
    (ast.If, ast.IfExp): _condition,
    ast.For: _loop,
    ast.comprehension: _filter,
    (ast.Assign, ast.AugAssign, ast.Expr): _assignment,
}
