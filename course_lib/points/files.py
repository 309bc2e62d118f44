"""Point clouds in XYZ and PLY files."""

from os import PathLike
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

PLY_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2",
    "ushort": "u2", "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip


def load_cloud(path: str | PathLike) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"] | None]:
    """Points and, where the file has them, normals; from .xyz, .txt or .ply (ASCII or binary).

    XYZ: one point per line, x y z, then perhaps the normal (six columns); lines that begin with #
    and empty lines do not count. ValueError names the file and what is wrong with it.
    """
    path = Path(path)
    readers = {".xyz": _read_xyz, ".txt": _read_xyz, ".ply": _read_ply}
    if path.suffix.lower() not in readers:
        raise ValueError(f"{path}: expected a file that ends in .xyz, .txt or .ply")
    columns = readers[path.suffix.lower()](path)
    if len(columns) == 0:
        raise ValueError(f"{path}: expected points, got none")
    values = torch.from_numpy(columns.astype(np.float32))
    if not bool(values.isfinite().all()):
        raise ValueError(f"{path}: expected finite numbers, got NaN or infinity")
    return values[:, :3], values[:, 3:6] if values.shape[1] >= 6 else None


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
        lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(columns)}"]
        lines += [f"property float {name}" for name in names] + ["end_header", ""]
        path.write_bytes("\n".join(lines).encode() + columns.astype("<f4").tobytes())
    else:
        raise ValueError(f"{path}: expected a name that ends in .xyz or .ply")


def _read_xyz(path: Path) -> np.ndarray:
    rows: list[list[float]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        words = line.split("#")[0].replace(",", " ").split()
        try:
            values = [float(word) for word in words]
        except ValueError:
            raise ValueError(f"{path}, line {number}: expected numbers, got {line!r}") from None
        if values and (len(values) < 3 or (rows and len(values) != len(rows[0]))):
            raise ValueError(f"{path}, line {number}: got {len(values)} numbers")
        if values:
            rows.append(values)
    width = 6 if rows and len(rows[0]) == 6 else 3
    return np.array(rows, dtype=np.float64).reshape(-1, len(rows[0]) if rows else 3)[:, :width]


def _read_ply(path: Path) -> np.ndarray:
    columns = read_vertices(path)
    if not {"x", "y", "z"} <= set(columns):
        raise ValueError(f"{path}: expected vertices with x, y and z, got {list(columns)}")
    normals = ["nx", "ny", "nz"] if {"nx", "ny", "nz"} <= set(columns) else []
    return np.stack(
        [columns[name].astype(np.float64) for name in ["x", "y", "z", *normals]], axis=1
    )


def read_vertices(path: Path) -> dict[str, np.ndarray]:
    """The properties of a PLY file's vertices by name, each (n,); ASCII or binary.

    Raises ValueError for another format, lists among the properties, or fewer vertices than announced.
    """
    data = path.read_bytes()
    end = data.find(b"end_header")
    if not data.startswith(b"ply") or end < 0:
        raise ValueError(f"{path}: expected a PLY header that ends in 'end_header'")
    lines = [line.split() for line in data[:end].decode("ascii", "replace").splitlines()]
    body = data[data.index(b"\n", end) + 1 :]
    form = next((line[1] for line in lines if line[:1] == ["format"]), "")
    order = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": "ascii"}.get(form)
    elements = [i for i, line in enumerate(lines) if line[:1] == ["element"]]
    if order is None or not elements or lines[elements[0]][1] != "vertex":
        raise ValueError(f"{path}: expected a known format with vertices first, got {form!r}")
    count = int(lines[elements[0]][2])
    stop = elements[1] if len(elements) > 1 else len(lines)
    fields = [line[1:] for line in lines[elements[0] + 1 : stop] if line[:1] == ["property"]]
    if any(field[0] not in PLY_TYPES for field in fields):
        raise ValueError(f"{path}: expected plain vertex properties, got {fields}")
    names = [field[-1] for field in fields]
    if order == "ascii":
        rows = [
            line.split() for line in body.decode("ascii", "replace").splitlines() if line.strip()
        ]
        table = np.array([[float(v) for v in row[: len(names)]] for row in rows[:count]])
        columns = dict(zip(names, table.reshape(-1, len(names)).T, strict=True))
    else:
        kind = np.dtype([(field[-1], order + PLY_TYPES[field[0]]) for field in fields])
        read = np.frombuffer(body, kind, min(count, len(body) // kind.itemsize))
        columns = {name: read[name] for name in names}
    found = len(columns[names[0]]) if names else 0
    if found != count:
        raise ValueError(f"{path}: expected {count} vertices, got {found}")
    return columns
