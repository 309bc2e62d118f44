"""From a submitted notebook, the text of its answers, and what they need from its other cells.

The file may hold anything. It is read in a capped child process (see `pool`), as plain JSON, with a
limit on its size; whatever is wrong with it becomes a status for a human, never an error.

What is graded is what the notebook would have run: the last definition of the exercise's name before
its check, with the imports, helpers and constants that it needs (see `slicing`). Where a person could
choose otherwise, the cell says so as its `doubt`.
"""

import ast
import builtins
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from course_lib.checking.cells import checked, is_work
from course_lib.exercises import catalogue, find
from course_lib.grading import slicing
from course_lib.grading.inside import __all__ as SET_UP
from course_lib.grading.slicing import Statement, is_import

LARGEST_FILE = 24 << 20
LONGEST_SOURCE = 200_000
PREFIX = "ex-"
SETTLED = frozenset({"DEVICE", "FAST"})
"""Names of the notebooks' set-up cell that the grader sets itself."""
KNOWN = frozenset(dir(builtins)) | set(SET_UP) | {"get_ipython", "display", "In", "Out", "_"}
IMPORTED = "the answer is imported, not written in the notebook"
BESIDE = "nothing was written in its cell, but there is text beside it"
KINDS = {"markdown": "a Markdown cell", "raw": "a raw cell"}


class Unreadable(ValueError):
    """The file is no notebook that can be graded; the text says why, in words for the student."""


@dataclass
class Cell:
    """An answer: the text of its cell, texts of other cells that it needs, and doubts about it.

    `own` is False where it stands in another cell than the exercise's; `unknown` are the names that
    it uses and nothing defines.
    """

    source: str
    needs: list[str] = field(default_factory=list)
    doubt: str = ""
    problem: str = ""
    own: bool = True
    unknown: list[str] = field(default_factory=list)

    @property
    def is_stub(self) -> bool:
        """True where nothing was written yet."""
        found = slicing.statements(self.source)
        return found is not None and not any(is_work(s.node) for s in found)


@dataclass
class Extract:
    """The answers of a submission by the exercise's name, or why it cannot be read.

    `notebooks` are the numbers of the notebooks, such as "04", that it is.
    """

    cells: dict[str, Cell] = field(default_factory=dict)
    problem: str = ""
    notebooks: list[str] = field(default_factory=list)


@dataclass(eq=False)
class Piece:
    """A cell of the notebook: its text (None if it has none), and the exercise whose cell it is.

    What was written into the course's own check cells is no answer, only what they check.
    """

    index: int
    kind: str
    source: str | None
    exercise: str | None
    count: int | None
    is_check: bool = False

    @cached_property
    def statements(self) -> list[Statement]:
        """Its statements; none where it is no Python."""
        return slicing.statements(self.source or "", self.index) or []

    @cached_property
    def checked(self) -> set[str]:
        """The names of the exercises that it checks."""
        return {name for s in self.statements for name in s.checks}


@dataclass
class Answer:
    """A definition of an exercise's name: the statement with that number in a cell; and the cells that
    its source is of."""

    piece: Piece
    number: int
    source: str
    pieces: list[Piece] = field(default_factory=list)


def extract(data: bytes, names: set[str]) -> Extract:
    """The answers to the exercises `names`."""
    try:
        return _extract(_parse(data), names)
    except Unreadable as reason:
        return Extract(problem=str(reason))
    except (RecursionError, MemoryError):
        return Extract(problem="it is nested too deeply to be read")


def _parse(data: bytes) -> list[dict]:
    """The cells of a notebook of format 4."""
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
    return [cell for cell in book["cells"] if isinstance(cell, dict)]


def _extract(cells: list[dict], names: set[str]) -> Extract:
    pieces = [_piece(index, cell) for index, cell in enumerate(cells)]
    told = {n for p in pieces if p.kind == "markdown" for s in p.statements for n in s.defines}
    pieces = [p for p in pieces if p.kind == "code" or p.exercise]
    numbers = _notebooks(pieces)
    here = {name for name in names if find(name).notebook in numbers}
    wanted = here | {p.exercise for p in pieces if p.exercise in names}
    found = {name: _choose(name, pieces, frozenset(here), name in told) for name in sorted(wanted)}
    return Extract({name: cell for name, cell in found.items() if cell}, notebooks=sorted(numbers))


def _piece(index: int, cell: dict) -> Piece:
    kind, count = str(cell.get("cell_type")), cell.get("execution_count")
    exercise, source = _exercise(cell), _source(cell)
    if kind == "markdown" and (code := re.search(r"```\w*\n(.*?)```", source or "", re.S)):
        source = code[1]
    is_check = str(cell.get("id")).startswith("check-")
    return Piece(index, kind, source, exercise, count if type(count) is int else None, is_check)


def _exercise(cell: dict) -> str | None:
    """The exercise whose cell it is: by its id (Colab keeps it in the metadata), else by the metadata
    that copies, halves and merged cells inherit."""
    metadata = cell.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    for value in (cell.get("id"), metadata.get("id")):
        if isinstance(value, str) and value.startswith(PREFIX):
            return value.removeprefix(PREFIX)
    course = metadata.get("course")
    name = course.get("exercise") if isinstance(course, dict) else None
    return name if isinstance(name, str) else None


def _source(cell: dict) -> str | None:
    """The text of a cell, with plain line ends, or None if it is none."""
    source = cell.get("source")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str) or len(source) > LONGEST_SOURCE:
        return None
    return re.sub(r"\r\n?", "\n", source).encode("utf-8", "replace").decode()


def _notebooks(pieces: list[Piece]) -> set[str]:
    """Which notebooks this is: those of most of its exercises, and those that are here by half.

    A few cells of another notebook do not make it that one.
    """
    known = {name: exercise.notebook for name, exercise in catalogue().items()}
    names = {p.exercise for p in pieces if p.exercise} | {n for p in pieces for n in p.checked}
    if not names & set(known):  # neither ids nor checks are left
        names = {n for p in pieces for s in p.statements for n in s.defines}
    here, whole = Counter(known[name] for name in names & set(known)), Counter(known.values())
    return {n for n, count in here.items() if count == max(here.values()) or 2 * count >= whole[n]}


def _choose(name: str, pieces: list[Piece], given: frozenset[str], told: bool) -> Cell | None:
    """The answer that counts, and whether a human should look at it; `told`: one stands in Markdown."""
    own = [piece for piece in pieces if piece.exercise == name]
    if any(piece.source is None for piece in own):
        return Cell("", problem="the cell's source is not text, or too long")
    checks = [piece for piece in pieces if name in piece.checked]
    candidates = [p for p in pieces if p.kind == "code"]
    answers = [a for p in candidates for a in _answers(name, p)]
    if not answers:
        answers = [a for p in own for a in _answers(name, p)]
    if not answers:
        written = [p.source for p in own if not Cell(p.source or "").is_stub]
        texts = written or [p.source for p in own]
        imported = any(is_import(s) and name in s.defines for p in own for s in p.statements)
        gap = {i for o in own[-1:] for c in checks[-1:] for i in range(o.index, c.index)}
        is_beside = told or gap - {p.index for p in pieces}
        beside = BESIDE if is_beside and not written else ""
        return Cell(texts[-1] or "", problem=IMPORTED if imported else beside) if texts else None
    answer, is_late = _last(answers, checks)
    doubt = _doubt(name, answer, answers, own, is_late)
    answer = _with_what_it_wraps(name, answer, answers)
    cell = _with_needs(name, answer, pieces, checks, given)
    cell.doubt, cell.own = doubt or cell.doubt, answer.piece in own or not own
    return cell


def _with_what_it_wraps(name: str, answer: Answer, answers: list[Answer]) -> Answer:
    """An answer such as `f = partial(f, k=7)` with the answers above it, from which it is made."""
    made_of = [answer]
    for above in reversed([a for a in answers if a.piece.index < answer.piece.index]):
        first = next((s for s in made_of[0].piece.statements if name in s.defines | s.uses), None)
        if first is None or name not in first.uses or isinstance(first.node, slicing.LATER):
            break
        made_of.insert(0, above)
    source = "\n".join(a.source for a in made_of)
    return Answer(answer.piece, answer.number, source, [a.piece for a in made_of])


def _answers(name: str, piece: Piece) -> list[Answer]:
    """The last definition of the name in a cell, if there is one that is not the empty one; in a check
    cell only in the exercise's own."""
    if piece.is_check and name not in piece.checked:
        return []
    for number, statement in reversed(list(enumerate(piece.statements))):
        call = checked(getattr(statement.node, "value", None))
        if call and call[1] == name:
            if isinstance(call[0], ast.Name) and call[0].id == name:
                continue
            return [Answer(piece, number, f"{piece.source}\n{name} = {ast.unparse(call[0])}\n")]
        if name in statement.defines and is_work(statement.node):
            return [Answer(piece, number, piece.source or "")]
    return []


def _last(answers: list[Answer], checks: list[Piece]) -> tuple[Answer, bool]:
    """The last answer before the last check, in the order in which the cells ran, if that is known;
    and whether there was none before it."""
    counts = [piece.count for piece in [a.piece for a in answers] + checks]
    ran = bool(checks) and None not in counts and len(set(counts)) == len(counts)

    def when(piece: Piece) -> int:
        return (piece.count or 0) if ran else piece.index

    end = max((when(piece) for piece in checks), default=10**9)
    answers = sorted(answers, key=lambda a: when(a.piece))
    before = [answer for answer in answers if when(answer.piece) <= end]
    return (before or answers)[-1], not before


def _doubt(
    name: str, answer: Answer, answers: list[Answer], own: list[Piece], is_late: bool
) -> str:
    """Why a human should look at the choice; empty where there is no other."""
    different = {ast.dump(a.piece.statements[a.number].node) for a in answers}
    if answer.piece.kind != "code":
        return f"the exercise's cell was turned into {KINDS.get(answer.piece.kind, 'no code')}"
    answered = [a.piece for a in answers]
    later = [p for p in own if p.index > answer.piece.index and p not in answered]
    if len(different) > 1 or any(name in s.defines for p in later for s in p.statements):
        return "several cells have an answer: graded is the one that its check would have seen"
    if own and answer.piece not in own:
        return "taken from another cell than the exercise's own"
    return "the answer stands after its check" if is_late else ""


def _with_needs(
    name: str, answer: Answer, pieces: list[Piece], checks: list[Piece], given: frozenset[str]
) -> Cell:
    """An answer with the texts of other cells that it needs, and why these may not be all.

    Other exercises of the notebook count as solved, as they do after their checks.
    """
    cell, whole = answer.piece, [s for p in answer.pieces[:-1] for s in p.statements]
    here = whole + cell.statements
    end = max([piece.index for piece in checks], default=10**9)
    settled = given | SETTLED | {name}
    others = [
        s for p in pieces if p.kind == "code" and p not in answer.pieces for s in p.statements
    ]
    others = [s for s in others if s.is_everywhere or not s.defines or s.defines - settled]
    early = [s for s in others if s.cell <= end]
    defined = {n for s in early for n in s.defines}
    late = [s for s in others if s.cell > end and s.defines and not s.defines & defined]
    wanted = {n for s in here[: len(whole) + answer.number + 1] for n in s.uses}
    available = sorted(early + here + late, key=lambda s: s.cell)
    found, unknown = slicing.needed(wanted, available, settled)
    if any(s.is_everywhere for s in found):
        unknown = set()
    indices = {piece.index for piece in answer.pieces}
    texts = slicing.texts([s for s in found if s.cell not in indices])
    rest = [s for s in early if s not in found]
    unsure = _unsure(name, wanted, found, rest, cell.index)
    strange = sorted(unknown - KNOWN - set(catalogue()))
    return Cell(answer.source, texts, unsure, unknown=strange)


def _unsure(
    name: str, wanted: set[str], found: list[Statement], rest: list[Statement], cell: int
) -> str:
    """Why what an answer needs may have had other values in the notebook than it has when graded."""
    if "FAST" in wanted.union(*(s.uses for s in found)):
        return "it depends on FAST, which is True while grading"
    if any(name in s.sets for s in rest):
        return "another cell gives it an attribute"
    kept = [s for s in found if not is_import(s) and not isinstance(s.node, slicing.LATER)]
    data = {n for s in kept for n in s.defines}
    if any(s.hands & data for s in rest):
        return "a value that it uses may be changed by a call in another cell"
    again = {n for s in kept if s.cell > cell for n in s.defines}
    if again & {n for s in kept if s.cell <= cell for n in s.defines}:
        return "a value that it uses is set again in a later cell"
    return ""
