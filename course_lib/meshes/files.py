"""Mesh files: OBJ and OFF read here, PLY and STL (binary or text) through trimesh.

OBJ and OFF have their own readers because the course's readers need what trimesh does not give:
vertices that are not split where normals or texture coordinates differ (which would change the
topology), and errors that name the line. Faces of more than three corners become fans of triangles.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from os import PathLike
from pathlib import Path

import torch

from course_lib.meshes.mesh import Mesh

MAX_QUOTE = 60  # characters of a bad line that a message repeats


def load_mesh(path: str | PathLike) -> Mesh:
    """Read a mesh, float32; what it is, the ending of the name decides: .obj, .off, .ply or .stl.

    Raises ValueError, naming the file and what is wrong, for a file that is malformed, cut short or
    without faces, and for vertices that are not finite or faces that refer to no vertex.
    """
    path = Path(path)
    reader = _of_format(path, READERS)
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty")
    try:
        vertices, faces = reader(path)
        if len(vertices) == 0 or len(faces) == 0:
            raise ValueError(
                f"expected a mesh, got {len(vertices)} vertices and {len(faces)} faces"
            )
        return Mesh(torch.as_tensor(vertices, dtype=torch.float32), torch.as_tensor(faces))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def save_mesh(mesh: Mesh, path: str | PathLike) -> None:
    """Write a mesh as .obj, .off, .ply or .stl; STL keeps no indices, only triangles."""
    import trimesh

    path = Path(path)
    _of_format(path, READERS)
    if len(mesh.faces) == 0:
        raise ValueError(f"{path}: expected a mesh with faces to save, got none")
    vertices, faces = mesh.vertices.detach().cpu().numpy(), mesh.faces.cpu().numpy()
    trimesh.Trimesh(vertices, faces, process=False).export(path)


def _of_format(path: Path, table: dict[str, Callable]) -> Callable:
    if path.suffix.lower() not in table:
        raise ValueError(f"{path}: expected a name ending in {', '.join(table)}")
    return table[path.suffix.lower()]


def _read_obj(path: Path) -> tuple[list, list]:
    """Wavefront OBJ: `v x y z` and `f a b c …`, with a as 1, 1/2, 1//3, 1/2/3, or −1 for the last."""
    vertices: list[list[float]] = []
    faces: list[list[int]] = []
    for number, words in _lines(path, continued=True):
        try:
            if words[0] == "v":
                vertices.append(_position(words[1:]))
            elif words[0] == "f":
                corners = [_obj_index(word, len(vertices)) for word in words[1:]]
                faces.extend(_fan(corners))
        except ValueError as error:
            raise ValueError(f"line {number}, '{_quote(words)}': {error}") from error
    return vertices, faces


def _obj_index(word: str, count: int) -> int:
    """0-based vertex index of a face's corner; a negative one counts back from the last vertex."""
    index = int(word.split("/")[0])
    if index == 0 or index < -count:
        raise ValueError(f"expected an index from 1 or from -1 to -{count}, got {index}")
    return index - 1 if index > 0 else count + index


def _read_off(path: Path) -> tuple[list, list]:
    """OFF, also with ModelNet's header `OFF28048 35408 0`, which lacks its line break."""
    lines = _lines(path)
    counts = _off_counts(lines)
    vertices: list[list[float]] = []
    faces: list[list[int]] = []
    for number, words in lines:
        try:
            if len(vertices) < counts[0]:
                vertices.append(_position(words))
            elif len(faces) < counts[1]:
                corners = [int(word) for word in words[1 : 1 + int(words[0])]]
                if len(corners) != int(words[0]):
                    raise ValueError(f"expected {words[0]} corners, got {len(corners)}")
                faces.append(corners)
        except ValueError as error:
            raise ValueError(f"line {number}, '{_quote(words)}': {error}") from error
    if (len(vertices), len(faces)) != counts:
        raise ValueError(
            f"the header says {counts[0]} vertices and {counts[1]} faces, but the file ends after "
            f"{len(vertices)} and {len(faces)}"
        )
    return vertices, [triangle for corners in faces for triangle in _fan(corners)]


def _off_counts(lines: Iterator[tuple[int, list[str]]]) -> tuple[int, int]:
    """The number of vertices and of faces from the header, on one line or two."""
    number, words = next(lines, (1, [""]))
    for keyword in ("COFF", "NOFF", "OFF"):
        if words[0].upper().startswith(keyword):
            words = [words[0][len(keyword) :], *words[1:]]
            break
    else:
        raise ValueError(f"expected 'OFF' on line {number}, got '{_quote(words)}'")
    counts = [word for word in words if word] or next(lines, (number, []))[1]
    if len(counts) < 2 or not all(word.isdecimal() for word in counts[:2]):
        raise ValueError(
            f"expected the numbers of vertices and faces after 'OFF', got '{_quote(counts)}'"
        )
    return int(counts[0]), int(counts[1])


def _read_ply(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """PLY, text or binary. The header's counts are checked, as trimesh pads what is cut short."""
    header = path.read_bytes().split(b"end_header", 1)[0].split()
    said = {
        name: int(count)
        for element, name, count in zip(header, header[1:], header[2:], strict=False)
        if element == b"element" and count.isdigit()
    }
    vertices, faces = _read_with_trimesh(path)
    if said.get(b"face", 0) == 0:
        raise ValueError("the header says that there are no faces: a point cloud?")
    if len(vertices) != said.get(b"vertex") or len(faces) < said[b"face"]:
        raise ValueError(
            f"the header says {said.get(b'vertex', 0)} vertices and {said[b'face']} faces, but "
            f"the file gives {len(vertices)} and {len(faces)}: cut short?"
        )
    return vertices, faces


def _read_stl(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """STL, text or binary. It repeats the corners of every triangle; equal positions become one."""
    corners, faces = _read_with_trimesh(path)
    if len(faces) == 0:
        raise ValueError("not one triangle could be read: cut short, or not an STL file?")
    vertices, index = torch.unique(corners, dim=0, return_inverse=True)
    return vertices, index[faces]


def _read_with_trimesh(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    import trimesh

    try:
        loaded = trimesh.load(path, force="mesh", process=False)
        return torch.tensor(loaded.vertices), torch.tensor(loaded.faces)
    except Exception as error:  # its parsers raise whatever the bytes lead them to
        kind = path.suffix[1:].upper()
        raise ValueError(f"not a readable {kind} file ({type(error).__name__}: {error})") from error


READERS = {
    ".obj": _read_obj,
    ".off": _read_off,
    ".ply": _read_ply,
    ".stl": _read_stl,
}


def _lines(path: Path, *, continued: bool = False) -> Iterator[tuple[int, list[str]]]:
    """(line number, words) of every line that is not empty, without its comment.

    With `continued` a backslash at the end of a line joins it to the next.
    """
    pending: list[str] = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            text = line.split("#", 1)[0].rstrip()
            goes_on = continued and text.endswith("\\")
            pending += (text[:-1] if goes_on else text).split()
            if pending and not goes_on:
                yield number, pending
                pending = []


def _position(words: list[str]) -> list[float]:
    if len(words) < 3:
        raise ValueError(f"expected three coordinates, got {len(words)}")
    return [float(word) for word in words[:3]]


def _fan(corners: list[int]) -> Iterable[list[int]]:
    """The triangles (c₀, cᵢ, cᵢ₊₁) of a polygon."""
    if len(corners) < 3:
        raise ValueError(f"expected at least three corners, got {len(corners)}")
    return ([corners[0], b, c] for b, c in pairwise(corners[1:]))


def _quote(words: list[str]) -> str:
    text = " ".join(words)
    return text if len(text) <= MAX_QUOTE else text[:MAX_QUOTE] + "…"
