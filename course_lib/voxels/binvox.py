"""The binvox format: run-length coded voxel grids."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Binvox:
    """A grid with its place: corner (0, 0, 0) of the grid lies at `translate`, its side is `scale`.

    The centre of voxel (i, j, k) is translate + scale · (i + ½, j + ½, k + ½) / r.
    """

    grid: Bool[Tensor, "r r r"]
    translate: tuple[float, float, float] = (-1.0, -1.0, -1.0)
    scale: float = 2.0


def load_binvox(path: str | PathLike) -> Binvox:
    """Read a binvox file; the grid is index x, y, z (the file runs over x, then z, then y).

    | what | how |
    |---|---|
    | the header's dim, translate and scale; without them the place is 0 and the scale 1 | read |
    | other lines of the header, as comments | ignored |
    | a grid that is not a cube, a place that is not finite, a scale that is not positive | refused |
    | data that are cut short or too long | refused |

    Raises ValueError that names the file.
    """
    data, position, header = Path(path).read_bytes(), 0, {}
    while True:
        end = data.find(b"\n", position)
        words = data[position : end if end >= 0 else None].split()
        if end < 0 or (not position and words[:1] != [b"#binvox"]):
            raise ValueError(f"{path}: expected a binvox header that ends in 'data'")
        position = end + 1
        if words[:1] == [b"data"]:
            break
        header[words[0].decode("ascii", "replace") if words else ""] = words[1:]
    try:
        sides = [int(word) for word in header["dim"]]
        translate = tuple(float(word) for word in header.get("translate", (0, 0, 0)))
        scale = float(header.get("scale", [1])[0])
    except (KeyError, ValueError, IndexError) as error:
        raise ValueError(f"{path}: broken binvox header, {error}") from None
    if len(sides) != 3 or len(set(sides)) != 1 or sides[0] < 1 or len(translate) != 3:
        raise ValueError(f"{path}: expected a cubic grid, got dim {sides}")
    if not np.isfinite([*translate, scale]).all() or scale <= 0:
        raise ValueError(
            f"{path}: expected a finite place and a scale > 0, got {translate} and {scale:g}"
        )
    runs = np.frombuffer(data[position:], dtype=np.uint8)
    runs = runs[: len(runs) // 2 * 2].reshape(-1, 2)
    values = np.repeat(runs[:, 0] != 0, runs[:, 1])
    if len(values) != sides[0] ** 3:
        raise ValueError(f"{path}: expected {sides[0] ** 3} voxels, got {len(values)}")
    grid = torch.from_numpy(values.reshape(sides)).permute(0, 2, 1).contiguous()  # x, z, y
    return Binvox(grid, translate, scale)


def save_binvox(
    grid: Bool[Tensor, "r r r"],
    path: str | PathLike,
    *,
    translate: tuple[float, float, float] = (-1.0, -1.0, -1.0),
    scale: float = 2.0,
) -> None:
    """Write a grid; the defaults say that it fills [−1, 1]³."""
    values = grid.cpu().permute(0, 2, 1).reshape(-1).numpy().astype(np.uint8)
    starts = np.flatnonzero(np.diff(values, prepend=2 + values[:1]))
    lengths = np.diff(starts, append=len(values))
    pieces = -(-lengths // 255)  # a run is at most 255 long
    counts = np.full(pieces.sum(), 255, dtype=np.uint8)
    counts[np.cumsum(pieces) - 1] = lengths - (pieces - 1) * 255
    runs = np.stack((np.repeat(values[starts], pieces), counts), axis=1)
    side = len(grid)
    head = f"#binvox 1\ndim {side} {side} {side}\n"
    head += f"translate {' '.join(map(str, translate))}\nscale {scale}\ndata\n"
    Path(path).write_bytes(head.encode() + runs.tobytes())
