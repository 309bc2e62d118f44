"""From a submitted notebook, the text of its exercise cells: nothing else of it is ever used.

The file may hold anything. It is read in a capped child process (see `pool`), as plain JSON, with a
limit on its size; whatever is wrong with it becomes a status for a human, never an error.
"""

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

LARGEST_FILE = 24 << 20
LONGEST_SOURCE = 200_000
PREFIX = "ex-"


class Unreadable(ValueError):
    """The file is no notebook that can be graded; the text says why, in words for the student."""


@dataclass
class Cell:
    """An exercise cell: its source, the imports it needs from other cells, and doubts about it.

    `own` is False where the text came from another cell than the exercise's.
    """

    source: str
    imports: str = ""
    doubt: str = ""
    problem: str = ""
    own: bool = True

    @property
    def is_stub(self) -> bool:
        """True where nothing was written yet."""
        return _is_stub(self.source)


@dataclass
class Extract:
    """The exercise cells of a submission by the exercise's name, or why it cannot be read."""

    cells: dict[str, Cell] = field(default_factory=dict)
    problem: str = ""


def extract(data: bytes, names: set[str]) -> Extract:
    """The cells of the exercises `names`."""
    try:
        return Extract(_cells(_parse(data), names))
    except Unreadable as reason:
        return Extract(problem=str(reason))
    except (RecursionError, MemoryError):
        return Extract(problem="it is nested too deeply to be read")


def _parse(data: bytes) -> list[dict]:
    """The code cells of a notebook of format 4."""
    if len(data) > LARGEST_FILE:
        raise Unreadable(f"it is larger than {LARGEST_FILE >> 20} MB: clear the outputs and save")
    if not data.strip():
        raise Unreadable("the file is empty")
    try:
        book = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Unreadable("it is not text in UTF-8") from None
    except ValueError:
        raise Unreadable("it is not a notebook, or was cut off (no valid JSON)") from None
    if not isinstance(book, dict) or "nbformat" not in book:
        raise Unreadable("it is not a notebook")
    if type(book["nbformat"]) is not int or book["nbformat"] != 4:
        raise Unreadable("its notebook format is not 4: open it in Jupyter and save it again")
    if not isinstance(book.get("cells"), list):
        raise Unreadable("it has no list of cells")
    cells = [cell for cell in book["cells"] if isinstance(cell, dict)]
    return [cell for cell in cells if cell.get("cell_type") == "code"]


def _cells(cells: list[dict], names: set[str]) -> dict[str, Cell]:
    sources = [_source(cell) for cell in cells]
    marked: dict[str, list[str | None]] = {}
    for cell, source in zip(cells, sources, strict=True):
        name = _exercise(cell)
        if name in names:
            marked.setdefault(name, []).append(source)
    readable = [source for source in sources if source is not None]
    trees = [_tree(source) for source in readable]
    imports = [node for tree in trees for node in tree.body if _is_import(node)]
    found: dict[str, Cell] = {}
    for name in names:
        chosen = _choose(name, marked.get(name, []), list(zip(readable, trees, strict=True)))
        if chosen is not None:
            chosen.imports = _needed(imports, chosen.source)
            found[name] = chosen
    return found


def _exercise(cell: dict) -> str | None:
    """The exercise that a cell's id names; Colab keeps the id in the metadata."""
    metadata = cell.get("metadata")
    spare = metadata.get("id") if isinstance(metadata, dict) else None
    for value in (cell.get("id"), spare):
        if isinstance(value, str) and value.startswith(PREFIX):
            return value.removeprefix(PREFIX)
    return None


def _source(cell: dict) -> str | None:
    """The text of a cell, or None if it is none."""
    source = cell.get("source")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str) or len(source) > LONGEST_SOURCE:
        return None
    return source.encode("utf-8", "replace").decode()


def _choose(
    name: str, marked: list[str | None], others: list[tuple[str, ast.Module]]
) -> Cell | None:
    """Which text counts, and whether a human should look at it.

    Of several cells with the exercise's id the last one that was worked on counts, as it does in the
    notebook; so does a definition in another cell where the exercise's own was left unfinished.
    """
    texts = [source for source in marked if source is not None]
    if len(texts) < len(marked):
        return Cell("", problem="the cell's source is not text, or too long")
    worked = [source for source in texts if not _is_stub(source)]
    if worked:
        doubt = "" if len(set(texts)) == 1 else "several cells have this exercise's id"
        return Cell(worked[-1], doubt=doubt)
    elsewhere = [source for source, tree in others if _defines(tree, name)]
    if elsewhere:
        doubt = "taken from another cell than the exercise's own"
        return Cell(elsewhere[-1], doubt=doubt, own=False)
    return Cell(texts[-1]) if texts else None


def _tree(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module(body=[], type_ignores=[])


def _is_import(node: ast.stmt) -> TypeGuard[ast.Import | ast.ImportFrom]:
    if isinstance(node, ast.ImportFrom):
        return node.module != "__future__" and node.level == 0
    return isinstance(node, ast.Import)


def _needed(imports: Sequence[ast.Import | ast.ImportFrom], source: str) -> str:
    """Those of the notebook's imports that bring a name which the cell uses."""
    used = {node.id for node in ast.walk(_tree(source)) if isinstance(node, ast.Name)}
    lines = []
    for node in imports:
        wanted = [a for a in node.names if (a.asname or a.name.split(".")[0]) in used]
        if wanted:
            copy = type(node)(**{**vars(node), "names": wanted})
            lines.append(ast.unparse(copy))
    return "\n".join(dict.fromkeys(lines))


def _defines(tree: ast.Module, name: str) -> bool:
    """True if the text defines the function or class, and did more than copy the stub."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    found = [n for n in tree.body if isinstance(n, kinds) and n.name == name]
    return bool(found) and not all(_is_empty(node) for node in found)


def _is_stub(source: str | None) -> bool:
    """True if every function in the text has an empty body, and every answer is `...`."""
    if source is None or not source.strip():
        return True
    tree = _tree(source)
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    if functions:
        return all(_is_empty(node) for node in functions)
    values = [n.value for n in tree.body if isinstance(n, ast.Assign)]
    answers = [v for v in values if not isinstance(v, ast.Call)]
    return bool(answers) and all(isinstance(v, ast.Constant) and v.value is ... for v in answers)


def _is_empty(node: ast.FunctionDef | ast.ClassDef) -> bool:
    if isinstance(node, ast.ClassDef):
        methods = [n for n in node.body if isinstance(n, ast.FunctionDef)]
        return all(_is_empty(method) for method in methods)
    body = [
        n for n in node.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))
    ]
    return all(isinstance(n, ast.Pass) or "NotImplementedError" in _raised(n) for n in body)


def _raised(node: ast.stmt) -> str:
    return ast.unparse(node) if isinstance(node, ast.Raise) else ""
