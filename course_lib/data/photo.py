"""A picture of the student's own, made to look like those of the data set."""

from os import PathLike

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.data.pictures import Bytes, read_picture

MARGIN = 0.12  # empty border around the object, as a part of the picture's side
PLAIN = 0.06  # colours this near to the corners' colour are background
DUST = 0.05  # parts smaller than this share of the largest part are no part of the object


def load_photo(source: str | PathLike | Bytes) -> Float[Tensor, "3 64 64"]:
    """A picture file (or its bytes) as the networks want it: object in the middle, on white.

    Any size and any kind of file that `read_picture` reads (a table is there), turned upright. The
    object is what is not transparent, or, without transparency, what differs from a plain background
    (if the four corners agree); else the whole picture. Specks of dust do not count. Colours in
    [0, 1]. ValueError for a file that is no picture or is damaged.

    >>> load_photo("no such file.png")
    Traceback (most recent call last):
    FileNotFoundError: there is no file "no such file.png"
    """
    rgba = read_picture(source).astype(np.float32) / 255
    rgba[..., 3] *= _foreground(rgba)
    rows, columns = (np.flatnonzero((rgba[..., 3] > 0.02).any(axis=axis)) for axis in (1, 0))
    if len(rows) == 0:
        name = "the picture" if isinstance(source, Bytes) else source
        raise ValueError(f"{name}: expected a picture with something in it, got an empty one")
    rgba = rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    white = rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]
    return _square(torch.from_numpy(white).permute(2, 0, 1))


def _foreground(rgba: np.ndarray) -> np.ndarray:
    """1 for the object: what is not transparent, else what differs from a plain background."""
    if (rgba[..., 3] < 0.5).any():
        return _large_parts(rgba[..., 3] > 0.02)
    side = max(1, min(rgba.shape[:2]) // 20)
    patches = [
        rgba[rows, columns, :3].reshape(-1, 3)
        for rows in (slice(None, side), slice(-side, None))
        for columns in (slice(None, side), slice(-side, None))
    ]
    corners = np.stack([np.median(patch, axis=0) for patch in patches])
    background = np.median(corners, axis=0)
    noise = 2 * np.median(np.abs(np.concatenate(patches) - background).max(axis=1))
    if np.abs(corners - background).max() > PLAIN or noise > 2 * PLAIN:
        return np.ones(rgba.shape[:2], dtype=np.float32)
    differs = np.abs(rgba[..., :3] - background).max(axis=2) > max(PLAIN, 2 * noise)
    return _large_parts(differs)


def _large_parts(mask: np.ndarray) -> np.ndarray:
    """1 in the connected parts that are not small beside the largest one: dust is left out."""
    from scipy import ndimage

    parts, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0  # what is not in the mask
    return (sizes >= max(1, DUST * sizes.max()))[parts].astype(np.float32)


def _square(image: Tensor) -> Tensor:
    """Centred on a white square with a margin, then scaled."""
    height, width = image.shape[1:]
    side = max(height, width)
    side += max(1, round(2 * MARGIN * side / (1 - 2 * MARGIN)))
    top, left = (side - height) // 2, (side - width) // 2
    padding = (left, side - width - left, top, side - height - top)
    padded = torch.nn.functional.pad(image, padding, value=1.0)[None]
    resized = torch.nn.functional.interpolate(
        padded, (64, 64), mode="bilinear", antialias=True, align_corners=False
    )
    return resized[0].clamp(0, 1)
