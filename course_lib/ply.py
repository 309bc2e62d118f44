"""PLY files: every element as columns and lists, text or binary of either byte order.

The course's readers of meshes, clouds and splats stand on this one. ValueError says what is wrong.

| what | how |
|---|---|
| text, binary of either byte order; numbers and lists of every type, in elements of any name | read |
| lines that end in LF, CR, CR LF or LF CR | read |
| a byte-order mark, empty lines, comments, obj_info | ignored |
| more lines or bytes than the header says | ignored, with a remark |
| other formats and types, rows that are short or long, files that are cut | refused |
"""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2",
    "ushort": "u2", "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


class Property(NamedTuple):
    """A number per row, or (with the type of its length) a list of numbers."""

    name: str
    kind: str
    length_type: str = ""


class Element(NamedTuple):
    """What the header says of an element."""

    name: str
    rows: int
    properties: list[Property]


Table = dict[str, np.ndarray | list[np.ndarray]]


def read_ply(path: Path) -> dict[str, Table]:
    """Element -> property -> a column, or a list of arrays for a list property."""
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")  # a byte-order mark
    header = re.match(rb"ply[ \t]*(\r\n|\n\r|\n|\r).*?[\r\n]end_header[^\r\n]*", data, re.DOTALL)
    if header is None:
        raise ValueError("not a readable PLY file: expected a header from 'ply' to 'end_header'")
    order, elements = _header(header[0].decode("ascii", "replace"))
    body = data[header.end() :]
    # The first line's end before all others, as data may begin with 10 or 13.
    ends = (header[1], b"\r\n", b"\n", b"\r")
    body = body.removeprefix(next((end for end in ends if body.startswith(end)), b""))
    if not order:
        words = body.decode("ascii", "replace").splitlines()
        lines = iter([line.split() for line in words if line.strip()])
        tables = {element.name: _text_table(element, lines) for element in elements}
        rest = sum(1 for _ in lines)
    else:
        tables, at = {}, 0
        for element in elements:
            tables[element.name], at = _binary_table(element, body, at, order)
        rest = len(body[at:].strip(b"\0\r\n"))
    if rest:
        warnings.warn(
            f"{path}: {rest} {'bytes' if order else 'lines'} after what the header says are left out",
            stacklevel=4,
        )
    return tables


def read_vertices(path: Path) -> dict[str, np.ndarray]:
    """The numbers of a PLY file's vertices by name, each (n,); lists are left out.

    ValueError names the file.
    """
    try:
        table = read_ply(path).get("vertex", {})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return {name: column for name, column in table.items() if isinstance(column, np.ndarray)}


def write_vertices(path: Path, names: Sequence[str], table: np.ndarray) -> None:
    """Write vertices (n, names) as a PLY file: binary, little-endian, single precision."""
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(table)}"]
    lines += [f"property float {name}" for name in names] + ["end_header", ""]
    path.write_bytes("\n".join(lines).encode() + table.astype("<f4").tobytes())


def _header(text: str) -> tuple[str, list[Element]]:
    form, elements = None, []
    for line in text.splitlines()[1:-1]:
        words = line.split()
        if words[:1] == ["format"] and len(words) > 1:
            form = ORDERS.get(words[1])
        elif words[:1] == ["element"] and len(words) == 3 and words[2].isdecimal():
            elements.append(Element(words[1], int(words[2]), []))
        elif words[:1] == ["property"] and elements:
            elements[-1].properties.append(_property(words[1:]))
        elif words and words[0] not in ("comment", "obj_info"):
            raise ValueError(f"not a readable PLY file: the header says '{line[:60]}'")
    for element in elements:
        names = [p.name for p in element.properties]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"not a readable PLY file: '{element.name}' has '{twice}' twice")
    if form is None or not elements:
        raise ValueError("not a readable PLY file: expected a known 'format' and an 'element'")
    return form, elements


def _property(words: list[str]) -> Property:
    kinds, name = words[:-1], words[-1] if words else ""
    if kinds[:1] == ["list"]:
        kinds = kinds[1:]
    if not 1 <= len(kinds) <= 2 or not all(kind in TYPES for kind in kinds):
        raise ValueError(f"not a readable PLY file: property '{' '.join(words)[:60]}'")
    count = TYPES[kinds[0]] if len(kinds) == 2 else ""
    return Property(name, TYPES[kinds[-1]], count)


def _short(element: Element, got: int) -> ValueError:
    return ValueError(
        f"the header says {element.rows} of '{element.name}', but the file ends after {got}: cut short?"
    )


def _text_table(element: Element, lines) -> Table:
    rows: list[list] = []
    for number in range(element.rows):
        words = next(lines, None)
        if words is None:
            raise _short(element, number)
        try:
            rows.append(_text_row(element, words))
        except (ValueError, IndexError):
            raise ValueError(
                f"expected the numbers of '{element.name}' {number}, got '{' '.join(words)[:60]}'"
            ) from None
    columns = list(zip(*rows, strict=True)) or [()] * len(element.properties)
    return {
        p.name: list(column) if p.length_type else np.array(column, dtype=np.float64)
        for p, column in zip(element.properties, columns, strict=True)
    }


def _text_row(element: Element, words: list[str]) -> list:
    row: list = []
    at = 0
    for p in element.properties:
        length = int(words[at]) if p.length_type else 1
        at += bool(p.length_type)
        values = [float(word) for word in words[at : at + length]]
        if length < 0 or len(values) != length:
            raise ValueError("short")
        at += length
        row.append(np.array(values) if p.length_type else values[0])
    if at != len(words):
        raise ValueError("long")
    return row


def _binary_table(element: Element, body: bytes, at: int, order: str) -> tuple[Table, int]:
    if not any(p.length_type for p in element.properties):
        kind = np.dtype(
            {"names": [p.name for p in element.properties],
             "formats": [order + p.kind for p in element.properties]}
        )  # fmt: skip
        room = (len(body) - at) // max(kind.itemsize, 1)
        if room < element.rows:
            raise _short(element, room)
        read = np.frombuffer(body, kind, element.rows, at)
        columns: Table = {p.name: read[p.name].astype(np.float64) for p in element.properties}
        return columns, at + element.rows * kind.itemsize
    table: dict[str, list] = {p.name: [] for p in element.properties}
    for number in range(element.rows):
        for p in element.properties:
            length = 1
            if p.length_type:
                size = np.dtype(p.length_type).itemsize
                if at + size > len(body):
                    raise _short(element, number)
                length = int(np.frombuffer(body, order + p.length_type, 1, at)[0])
                at += size
            size = length * np.dtype(p.kind).itemsize
            if length < 0 or at + size > len(body):
                raise _short(element, number)
            table[p.name].append(np.frombuffer(body, order + p.kind, length, at).astype(np.float64))
            at += size
    lists = {p.name: bool(p.length_type) for p in element.properties}
    return {
        name: values if lists[name] else np.array([v[0] for v in values])
        for name, values in table.items()
    }, at
