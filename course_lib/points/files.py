"""Point clouds in XYZ and PLY files.

| what | how |
|---|---|
| .xyz, .txt: x y z, or x y z and a normal; blanks, tabs, commas or semicolons between | read |
| other columns: colours, intensities, more than three, no unit vectors | ignored, with a remark |
| decimal commas (0,5 1,5 2,5) | refused |
| .ply, text or binary, of either byte order; x, y, z, perhaps nx, ny, nz (made unit vectors) | read |
| its other properties and elements | ignored |
| byte-order marks; lines that begin with # | ignored |
| a header, a count in the first line, words, lines of different lengths | refused |
| UTF-16, NaN, infinity (also 1.#INF) | refused |
| large coordinates, as of maps, that single precision would round | moved, with a remark |
"""

import re
import warnings
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.ply import read_ply, write_vertices
from course_lib.stable import recentred, unit

UNIT = 0.1  # normals have length 1, but for this


def load_cloud(path: str | PathLike) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"] | None]:
    """Points and, where the file has them, normals; from .xyz, .txt or .ply (ASCII or binary).

    The table at the head of this file says what is read, refused and ignored. ValueError names the
    file and what is wrong with it.
    """
    path = Path(path)
    readers = {".xyz": _read_xyz, ".txt": _read_xyz, ".ply": _read_ply}
    if path.suffix.lower() not in readers:
        raise ValueError(f"{path}: expected a file that ends in .xyz, .txt or .ply")
    try:
        columns = readers[path.suffix.lower()](path)
        if len(columns) == 0:
            raise ValueError("expected points, got none")
        if not np.isfinite(columns).all():
            raise ValueError("expected finite numbers, got NaN or infinity")
        points = torch.from_numpy(recentred(columns[:, :3], str(path)))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    has_normals = columns.shape[1] >= 6
    return points, unit(torch.from_numpy(columns[:, 3:6])).float() if has_normals else None


def save_cloud(
    path: str | PathLike,
    points: Float[Tensor, "n 3"],
    normals: Float[Tensor, "n 3"] | None = None,
) -> None:
    """Write .xyz (text) or .ply (binary, little-endian), with normals if given."""
    path = Path(path)
    parts = (points,) if normals is None else (points, normals)
    columns = torch.cat(parts, dim=1).detach().cpu().float().numpy()
    if path.suffix.lower() == ".xyz":
        np.savetxt(path, columns, fmt="%.9g")
    elif path.suffix.lower() == ".ply":
        names = ["x", "y", "z", "nx", "ny", "nz"][: columns.shape[1]]
        write_vertices(path, names, columns)
    else:
        raise ValueError(f"{path}: expected a name that ends in .xyz or .ply")


def _read_xyz(path: Path) -> np.ndarray:
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError("expected plain text, got other bytes: save it as UTF-8") from None
    rows: list[list[float]] = []
    for number, line in enumerate(lines, start=1):
        text = re.split(r"(?:^|[\s,;])#", line)[0]  # 1.#INF is no comment
        are_separators = ", " in text and "." in text  # 1.5,2.5, 3.5
        if re.search(r"\d,\d", text) and re.search(r"[\s;]", text.strip()) and not are_separators:
            raise ValueError(
                f"line {number}: expected decimal points, got decimal commas: {line[:60]!r}"
            )
        try:
            values = [float(word) for word in re.split(r"[\s,;]+", text.strip(" \t,;")) if word]
        except ValueError:
            raise ValueError(f"line {number}: expected numbers, got {line[:60]!r}") from None
        if values and (len(values) < 3 or (rows and len(values) != len(rows[0]))):
            expected = f"{len(rows[0])} numbers" if rows else "three numbers or more"
            raise ValueError(f"line {number}: expected {expected}, got {line[:60]!r}")
        if values:
            rows.append(values)
    table = np.array(rows, dtype=np.float64).reshape(-1, len(rows[0]) if rows else 3)
    return table[:, : 6 if _has_normals(table[:, 3:], path) else 3]


def _has_normals(columns: np.ndarray, path: Path) -> bool:
    """Whether the columns after x, y, z are unit normals; a warning says that others are left out."""
    lengths = np.linalg.norm(columns, axis=1)
    if columns.shape[1] == 3 and (np.abs(lengths - 1) < UNIT).mean() > 0.5:
        return True
    if columns.shape[1]:
        warnings.warn(
            f"{path}: the columns after the first three are no unit normals (colours, intensities, or "
            "an index before x?) and left out",
            stacklevel=4,
        )
    return False


def _read_ply(path: Path) -> np.ndarray:
    table = read_ply(path).get("vertex", {})
    columns = {name: column for name, column in table.items() if isinstance(column, np.ndarray)}
    if not {"x", "y", "z"} <= set(columns):
        raise ValueError(f"expected plain vertex properties with x, y and z, got {list(table)}")
    normal = ["nx", "ny", "nz"] if {"nx", "ny", "nz"} <= set(columns) else []
    return np.stack([columns[name] for name in ["x", "y", "z", *normal]], axis=1)
