"""Mesh files: OBJ, OFF, PLY and STL (binary or text).

OBJ and OFF have their own readers because the course's readers need what trimesh does not give:
vertices that are not split where normals or texture coordinates differ (which would change the
topology), and errors that name the line.

| what | how |
|---|---|
| .obj: v, f (1, 1/2, 1//3, 1/2/3, negative), continued lines; .off also as ModelNet writes it | read |
| .ply: faces of any size, also mixed, in text and binary; the other properties are left out | read |
| .ply: triangle strips | refused |
| .stl: corners nearer than a ten-millionth of the size become one | read |
| faces of more than three corners | become triangles, concave ones by clipping ears |
| byte-order marks | ignored |
| more faces or bytes than the header of .off and .ply says | ignored, with a remark |
| .off of other dimensions or in binary (4OFF, STOFF, OFF BINARY); decimal commas; UTF-16 | refused |
| normals, textures, colours, weights (v x y z w), materials, groups, lines, curves | ignored |
| large coordinates, as of maps, that single precision would round | moved, with a remark |
| a corner that comes twice in a row in a polygon | once |
| numbers that are not finite (nan, 1.#INF), indices without a vertex, cut files, no faces | refused |
"""

import re
import warnings
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path

import numpy as np
import torch

from course_lib.meshes.links import linked
from course_lib.meshes.polygons import triangulate
from course_lib.ply import read_ply
from course_lib.stable import recentred

SAME = 1e-7  # of the mesh's size: STL corners nearer than this are one vertex
MAX_QUOTE = 60  # characters of a bad line that a message repeats


def read_mesh(path: str | PathLike) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (v, 3), float32, and faces (f, 3); the ending of the name decides what the file is.

    The table at the head of this file says what is read, refused and ignored of each.

    Raises ValueError, naming the file and what is wrong, for a file that is malformed, cut short or
    without faces, and for vertices that are not finite or faces that refer to no vertex.
    """
    path = Path(path)
    reader = _reader(path)
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty")
    try:
        vertices, faces = reader(path)
        if len(vertices) == 0 or len(faces) == 0:
            raise ValueError(
                f"expected a mesh, got {len(vertices)} vertices and {len(faces)} faces"
            )
        return recentred(np.asarray(vertices, dtype=np.float64), str(path)), np.asarray(faces)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def write_mesh(vertices: np.ndarray, faces: np.ndarray, path: str | PathLike) -> None:
    """Write a mesh as .obj, .off, .ply or .stl; STL keeps no indices, only triangles."""
    import trimesh

    path = Path(path)
    _reader(path)
    if len(faces) == 0:
        raise ValueError(f"{path}: expected a mesh with faces to save, got none")
    trimesh.Trimesh(vertices, faces, process=False).export(path)


def _reader(path: Path) -> Callable:
    if path.suffix.lower() not in READERS:
        raise ValueError(f"{path}: expected a name ending in {', '.join(READERS)}")
    return READERS[path.suffix.lower()]


def _read_obj(path: Path) -> tuple[list, list]:
    """Wavefront OBJ: `v x y z` and `f a b c …`, with a as 1, 1/2, 1//3, 1/2/3, or −1 for the last."""
    vertices: list[list[float]] = []
    faces: list[tuple[int, list[str], list[int]]] = []
    for number, words in _lines(path, continued=True):
        try:
            if words[0] == "v":
                vertices.append(_position(words[1:]))
            elif words[0] == "f":
                corners = [_obj_index(word, len(vertices)) for word in words[1:]]
                faces.append((number, words, corners))
        except ValueError as error:
            raise ValueError(f"line {number}, '{_quote(words)}': {error}") from error
    return vertices, _triangles(faces, vertices)


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
    faces: list[tuple[int, list[str], list[int]]] = []
    rest = 0
    for number, words in lines:
        try:
            if len(vertices) < counts[0]:
                vertices.append(_position(words))
            elif len(faces) < counts[1]:
                while len(words) < 1 + int(words[0]):  # the corners go on in the next line
                    more = next(lines, None)
                    if more is None:
                        raise ValueError(f"expected {words[0]} corners, got {len(words) - 1}")
                    words = words + more[1]
                faces.append((number, words, [int(word) for word in words[1 : 1 + int(words[0])]]))
            else:
                rest += 1
        except ValueError as error:
            raise ValueError(f"line {number}, '{_quote(words)}': {error}") from error
    if (len(vertices), len(faces)) != counts:
        raise ValueError(
            f"the header says {counts[0]} vertices and {counts[1]} faces, but the file ends after "
            f"{len(vertices)} and {len(faces)}"
        )
    if rest:
        warnings.warn(
            f"{path}: {rest} lines after the faces of the header are left out",
            stacklevel=4,
        )
    return vertices, _triangles(faces, vertices)


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


def _read_ply(path: Path) -> tuple[np.ndarray, list]:
    """PLY, text or binary."""
    tables = read_ply(path)
    if "tristrips" in tables:
        raise ValueError("triangle strips are not read: save the mesh with faces")
    points, polygons = tables.get("vertex", {}), tables.get("face", {})
    lists = [polygons[name] for name in ("vertex_indices", "vertex_index") if name in polygons]
    if not lists and polygons:
        raise ValueError(f"expected faces with vertex_indices, got {', '.join(polygons)}")
    if not lists or not len(lists[0]):
        raise ValueError("the header says that there are no faces: a point cloud?")
    if not {"x", "y", "z"} <= set(points):
        raise ValueError(f"expected vertices with x, y and z, got {', '.join(points)}")
    vertices = np.stack([np.asarray(points[axis]) for axis in "xyz"], axis=1)
    if any((np.asarray(corners) % 1).any() for corners in lists[0]):
        raise ValueError("expected whole numbers as the corners of faces, got fractions")
    faces = [(i, ["face"], [int(c) for c in corners]) for i, corners in enumerate(lists[0])]
    return vertices, _triangles(faces, vertices)


def _read_stl(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """STL, text or binary. It repeats the corners of every triangle; near positions become one."""
    import trimesh

    try:
        loaded = trimesh.load(path, force="mesh", process=False)
        corners, faces = torch.tensor(loaded.vertices), torch.tensor(loaded.faces)
    except Exception as error:  # its parsers raise whatever the bytes lead them to
        raise ValueError(f"not a readable STL file ({type(error).__name__}: {error})") from error
    if len(faces) == 0:
        raise ValueError("not one triangle could be read: cut short, or not an STL file?")
    if not bool(corners.isfinite().all()):
        raise ValueError("expected finite vertices, got NaN or infinity")
    return _merged(corners.double(), faces)


def _merged(corners: torch.Tensor, faces: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Corners nearer than `SAME` of the size become the first of them; faces that vanish go."""
    from scipy.spatial import cKDTree

    positions, index = torch.unique(corners, dim=0, return_inverse=True)
    size = float((positions.amax(0) - positions.amin(0)).max())
    pairs = cKDTree(positions.numpy()).query_pairs(SAME * size, output_type="ndarray")
    one, other = torch.from_numpy(pairs).unbind(1)
    count, group = linked(one, other, len(positions))
    vertices = torch.empty(count, 3, dtype=positions.dtype)
    vertices[group.flip(0)] = positions.flip(0)  # the first of a group is written last
    before = index[faces]
    merged = group[before]
    was_proper = (before != before.roll(1, dims=1)).all(1)
    vanished = (merged == merged.roll(1, dims=1)).any(1) & was_proper
    return vertices, merged[~vanished]


READERS = {".obj": _read_obj, ".off": _read_off, ".ply": _read_ply, ".stl": _read_stl}


def _lines(path: Path, *, continued: bool = False) -> Iterator[tuple[int, list[str]]]:
    """(line number, words) of every line that is not empty, without its comment.

    With `continued` a backslash at the end of a line joins it to the next.
    """
    pending: list[str] = []
    if path.read_bytes()[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ValueError("expected plain text, got UTF-16: save it as UTF-8")
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            text = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].rstrip()  # 1.#INF is no comment
            goes_on = continued and text.endswith("\\")
            pending += (text[:-1] if goes_on else text).split()
            if pending and not goes_on:
                yield number, pending
                pending = []


def _position(words: list[str]) -> list[float]:
    if len(words) < 3:
        raise ValueError(f"expected three coordinates, got {len(words)}")
    return [float(word) for word in words[:3]]


def _triangles(faces: list[tuple[int, list[str], list[int]]], vertices) -> list[list[int]]:
    """All polygons as triangles; a face comes with its line and words for the message."""
    points, found = np.asarray(vertices, dtype=np.float64).reshape(-1, 3), []
    for number, words, corners in faces:
        if corners and not 0 <= min(corners) <= max(corners) < len(points):
            raise ValueError(
                f"expected face indices from 0 to {len(points) - 1} (there are {len(points)} "
                f"vertices), got {min(corners)} to {max(corners)}"
            )
        try:
            found += triangulate(corners, points)
        except ValueError as error:
            raise ValueError(f"line {number}, '{_quote(words)}': {error}") from error
    return found


def _quote(words: list[str]) -> str:
    text = " ".join(words)
    return text if len(text) <= MAX_QUOTE else text[:MAX_QUOTE] + "…"
