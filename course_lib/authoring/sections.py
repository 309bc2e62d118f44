"""Which sections of a notebook need the cells of others, so that it can be taken up in the middle.

Nothing is run: compiled cells say which names they read and define. What stands before the first
section runs in any case, and the set-up puts references where exercises are not done.
"""

import dis
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType

from nbformat import NotebookNode

from course_lib.grading.slicing import is_import, python, statements

HEADING = re.compile(r"^## +(\d+\.\d+)\b.*$", re.MULTILINE)


@dataclass
class Section:
    """The names that a section's cells read before they define them, define, and change in place.

    `late` are those that functions read: they may be defined below the function.
    """

    reads: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)
    defines: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)


def sections(cells: Sequence[NotebookNode]) -> dict[str, Section]:
    """The sections of a notebook by their numbers; "" is what stands before the first."""
    number, found = "", {"": Section()}
    imports: set[str] = set()
    for cell in cells:
        if cell.cell_type == "markdown":
            number = (HEADING.findall(cell.source) or [number])[-1]
            continue
        section = found.setdefault(number, Section())
        own: set[str] = set()
        for kind, name in names(cell.source):
            if kind == "reads" and name not in section.defines | own:
                section.reads.add(name)
            elif kind == "defines":
                own.add(name)
            elif kind == "late":
                section.late.add(name)
        parts = statements(cell.source) or []
        imported = {name for part in parts if is_import(part) for name in part.defines}
        section.defines |= own - (imported & imports)  # imported again, it is the same as before
        imports |= imported
        section.changes |= {name for part in parts for name in part.changes} - imports
    return found


def names(source: str) -> Iterator[tuple[str, str]]:
    """What a cell does with names, in the order of its instructions: it "reads" or "defines" them, or
    its functions read them, "late"."""
    return _names(compile(python(source), "cell", "exec"))


def _names(code: CodeType, inner: bool = False) -> Iterator[tuple[str, str]]:
    own = set()
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_NAME", "LOAD_GLOBAL") and step.argval not in own:
            yield ("late" if inner else "reads"), step.argval
        elif step.opname == "STORE_NAME":
            own.add(step.argval)
            if not inner:
                yield "defines", step.argval
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _names(part, inner=True)


def needs(cells: Sequence[NotebookNode]) -> dict[str, list[str]]:
    """The sections whose cells have to run before those of a section, for each that needs any."""
    given = {cell.id.removeprefix("ex-") for cell in cells if cell.id.startswith("ex-")}
    makers: dict[str, set[str]] = {}  # name → the sections that made it what it is
    found: dict[str, set[str]] = {}
    for number, section in sections(cells).items():
        wanted = (section.reads | section.late - section.defines) - given
        near = {maker for name in wanted for maker in makers.get(name, ())}
        found[number] = near | {far for maker in near for far in found[maker]}
        for name in section.defines:
            makers[name] = {number}
        for name in (section.changes - section.defines) & makers.keys():
            makers[name] = makers[name] | {number}
    order = list(found)[1:]
    return {n: [m for m in order if m in found[n]] for n in order if found[n] - {""}}
