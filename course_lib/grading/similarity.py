"""How alike submissions are: a hint for a human to look at two texts, never a reason for a mark.

Each text is reduced to the sequence of its syntax nodes, without names, numbers, comments and
docstrings, so renaming changes nothing. Two texts are compared by the runs of nodes they share.
"""

import ast
import itertools
from dataclasses import dataclass

from course_lib.checking.sources import runnable_source
from course_lib.exercises import find
from course_lib.exercises.exercise import Question
from course_lib.grading.slicing import BROKEN

RUN = 6
FEWEST_RUNS = 30
"""Shorter solutions are alike by nature."""
ALIKE = 0.85
MOST_PAIRS = 100
REFERENCE = "the reference"


@dataclass(frozen=True)
class Pair:
    """Two texts for the same exercise, and the share of their runs that are common (0 to 1)."""

    exercise: str
    first: str
    second: str
    similarity: float


def fingerprint(source: str) -> frozenset[tuple[str, ...]]:
    """The runs of syntax nodes in a text; empty where it does not parse.

    >>> fingerprint("def f(a):\\n    return a + 1") == fingerprint("def f(x):\\n    return x + 2")
    True
    """
    try:
        tree = ast.parse(source)
        nodes = [_label(node) for node in _walk(tree)]
    except BROKEN:
        return frozenset()
    return frozenset(tuple(nodes[i : i + RUN]) for i in range(len(nodes) - RUN + 1))


def _walk(node: ast.AST):
    """Nodes in the order of the text, without docstrings, annotations and check calls."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_noise(child):
                yield from _walk(child)


def _is_noise(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    call = node.value if isinstance(node, ast.Assign) else None
    return isinstance(call, ast.Call) and getattr(call.func, "id", "") == "check"


def _label(node: ast.AST) -> str:
    kind = type(node).__name__
    return f"{kind}.{node.attr}" if isinstance(node, ast.Attribute) else kind


def alike_pairs(sources: dict[str, dict[str, str]]) -> list[Pair]:
    """The most similar pairs; `sources` is exercise -> student -> text. The reference takes part as
    one more, of which the share that a text holds counts."""
    pairs = []
    for exercise, texts in sources.items():
        everyone = {**texts, REFERENCE: _reference(exercise)}
        prints = {name: fingerprint(text) for name, text in everyone.items()}
        long = {name: runs for name, runs in prints.items() if len(runs) >= FEWEST_RUNS}
        reference = long.pop(REFERENCE, frozenset())
        for (a, first), (b, second) in itertools.combinations(long.items(), 2):
            shorter, longer = sorted((len(first), len(second)))
            alike = len(first & second) / len(first | second) if shorter >= ALIKE * longer else 0.0
            if alike >= ALIKE:
                pairs.append(Pair(exercise, a, b, round(alike, 3)))
        for name, runs in long.items():  # what else stands in the text does not hide a copy
            if reference and (copied := len(runs & reference) / len(reference)) >= ALIKE:
                pairs.append(Pair(exercise, name, REFERENCE, round(copied, 3)))
    return sorted(pairs, key=lambda pair: -pair.similarity)[:MOST_PAIRS]


def _reference(exercise: str) -> str:
    found = find(exercise)
    return "" if isinstance(found, Question) else runnable_source(found)
