"""What stands in a transforms.json, checked: every error names the file and the place in it."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

FAR = 1e5  # positions beyond this, as on a map, lose more than a hundredth in single precision


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; a byte-order mark is left out. ValueError names the file."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing")
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError(f"{path}: expected UTF-8, got other bytes: save it as UTF-8") from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: expected JSON, cut short or broken ({error})") from None
    if not isinstance(content, dict):
        raise ValueError(
            f"{path}: expected a JSON object with 'frames', got {type(content).__name__}"
        )
    return content


def read_frames(content: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    """The 'frames': objects, each with a 'file_path' of its own, with forward slashes."""
    frames = content.get("frames")
    if not isinstance(frames, list) or not frames:
        raise ValueError(f"{path} has no 'frames': expected a list of photographs")
    found, names = [], set()
    for number, frame in enumerate(frames):
        if not isinstance(frame, dict) or not isinstance(frame.get("file_path"), str):
            has = ", ".join(sorted(frame)) if isinstance(frame, dict) else repr(frame)[:60]
            raise ValueError(f"{path}: frame {number} has no 'file_path', only {has}")
        name = plain_name(frame["file_path"])
        if name in names:
            raise ValueError(f"{path}: frame {number}: {name} is listed twice")
        names.add(name)
        found.append({**frame, "file_path": name})
    return found


def plain_name(name: str) -> str:
    """A file's name in a JSON file with forward slashes and without "./" before it."""
    return name.replace("\\", "/").removeprefix("./")


def number(lens: dict[str, Any], key: str, default: float, path: Path) -> float:
    """A finite number, or the default where the key is not there."""
    value = lens.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{path}: expected a number as '{key}', got {value!r}")
    if not abs(value) < 1e30:  # NaN and infinity too
        raise ValueError(f"{path}: expected a finite number as '{key}', got {value}")
    return float(value)


def positive(lens: dict[str, Any], key: str, default: float, path: Path) -> float:
    """A positive finite number."""
    value = number(lens, key, default, path)
    if value <= 0:
        raise ValueError(f"{path}: expected '{key}' > 0, got {value:g}")
    return value


def angle(lens: dict[str, Any], key: str, path: Path) -> float:
    """An angle of view in radians."""
    value = positive(lens, key, 0.0, path)
    if value >= math.pi:
        raise ValueError(f"{path}: expected '{key}' in radians, below π, got {value:g}: degrees?")
    return value


def pose(frame: dict[str, Any], path: Path) -> Float[Tensor, "4 4"]:
    """The camera-to-world matrix of a frame."""
    name = frame["file_path"]
    try:
        matrix = torch.tensor(frame.get("transform_matrix", ()), dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(
            f"{path}: expected a 4x4 'transform_matrix' of numbers for {name}, "
            f"got {str(frame['transform_matrix'])[:60]}"
        ) from None
    if matrix.shape not in ((4, 4), (3, 4)):
        raise ValueError(
            f"{path}: expected a 4x4 'transform_matrix' for {name}, got shape {tuple(matrix.shape)}"
        )
    last = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=torch.float64)
    checked = check_pose(torch.cat([matrix[:3], last[None]]), f"{path}: the pose of {name}")
    if len(matrix) == 4 and not torch.allclose(matrix[3], last, atol=1e-6):
        raise ValueError(
            f"{path}: expected 0 0 0 1 as the last row of {name}'s matrix, got {matrix[3].tolist()}"
        )
    return checked


def check_pose(matrix: Float[Tensor, "4 4"], what: str) -> Float[Tensor, "4 4"]:
    """The matrix in single precision.

    ValueError unless it is a rotation and a position that single precision does not spoil.
    """
    if not bool(matrix.isfinite().all()) or matrix.abs().max() > 1e30:
        raise ValueError(f"{what} is not finite")
    rotation = matrix[:3, :3].double()
    error = (rotation.T @ rotation - torch.eye(3)).abs().max().item()
    if not error < 1e-2 or torch.det(rotation) < 0:
        raise ValueError(
            f"{what} is not a rotation (error {error:.2g}): expected camera-to-world in OpenGL axes"
        )
    reach = float(matrix[:3, 3].abs().max())
    if reach > FAR:
        raise ValueError(
            f"{what} has a position of {reach:.9g}, which single precision rounds by "
            f"{np.spacing(np.float32(reach)):.2g}: take the same offset off all positions first"
        )
    return matrix.float()
