"""Gaussians in PLY files, with the property names of the original implementation, as viewers read them.

Per vertex, all float32: x, y, z; nx, ny, nz (0); f_dc_0…2, the constant coefficients of red, green,
blue; f_rest_…, the others, all of red, then all of green, then all of blue; opacity, the logit;
scale_0…2, logarithms; rot_0…3, the quaternion (w, x, y, z). Axes are taken as they are (ours: y up).
"""

from os import PathLike
from pathlib import Path

import numpy as np
import torch

from course_lib.ply import read_vertices, write_vertices
from course_lib.splatting.gaussians import Gaussians

COUNTS = (1, 4, 9, 16)  # coefficients of the spherical harmonics of degree 0, 1, 2, 3


def _names(k: int) -> list[str]:
    plain = ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"]
    rest = [f"f_rest_{i}" for i in range(3 * (k - 1))]
    scales, turns = [f"scale_{i}" for i in range(3)], [f"rot_{i}" for i in range(4)]
    return [*plain, *rest, "opacity", *scales, *turns]


def save_ply(path: str | PathLike, gaussians: Gaussians) -> None:
    """Write Gaussians as binary PLY."""
    g = Gaussians(*(x.detach().cpu().float() for x in gaussians))
    rest = g.harmonics[:, 1:].transpose(1, 2).flatten(1)  # (n, 3 (k - 1)): channel by channel
    normals = torch.zeros_like(g.means)
    parts = [g.means, normals, g.harmonics[:, 0], rest, g.opacity_logits[:, None]]
    table = torch.cat([*parts, g.log_scales, g.quaternions], dim=-1).numpy()
    write_vertices(Path(path), _names(g.harmonics.shape[1]), table)


def load_ply(path: str | PathLike) -> Gaussians:
    """Read Gaussians, by the names of the properties and in any order.

    | what | how |
    |---|---|
    | text or binary PLY; degrees 0 to 2 of the harmonics | read |
    | degree 3; normals, other properties and elements | ignored |
    | a property that is missing (the cloud of a mesh); no Gaussians; NaN and infinity | refused |
    | compressed formats (.splat, .spz, PlayCanvas' packed PLY) | refused |
    | the filter of Mip-Splatting (filter_3D), which changes scales and opacities | refused |

    Raises ValueError with the file's name.
    """
    columns = read_vertices(Path(path))
    if "filter_3D" in columns:
        raise ValueError(
            f"{path}: filter_3D is not read: fuse it (Mip-Splatting's create_fused_ply.py)"
        )
    k = 1 + sum(name.startswith("f_rest_") for name in columns) // 3
    missing = [n for n in _names(k) if n not in columns and n not in ("nx", "ny", "nz")]
    if missing or k not in COUNTS:
        raise ValueError(
            f"{path}: expected Gaussians, but {', '.join(missing) or 'f_rest_'} is missing"
        )
    largest = np.finfo(np.float32).max
    wrong = [n for n, x in columns.items() if not (np.abs(x) <= largest).all()]  # NaN too
    if wrong or not len(columns["x"]):
        found = wrong[0] if wrong else "none"
        raise ValueError(f"{path}: expected Gaussians of finite numbers, got {found}")

    def read(*names: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([columns[n] for n in names], axis=-1).astype(np.float32))

    harmonics = read("f_dc_0", "f_dc_1", "f_dc_2")[:, None]  # (n, 1, 3)
    if k > 1:
        rest = read(*(f"f_rest_{i}" for i in range(3 * (k - 1)))).view(-1, 3, k - 1)
        harmonics = torch.cat([harmonics, rest.transpose(1, 2)[:, :8]], dim=1)
    scales, turns = read("scale_0", "scale_1", "scale_2"), read("rot_0", "rot_1", "rot_2", "rot_3")
    return Gaussians(read("x", "y", "z"), scales, turns, read("opacity")[:, 0], harmonics)
