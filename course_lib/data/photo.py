"""A picture of the student's own, made to look like those of the data set."""

from io import BytesIO
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

MARGIN = 0.12  # empty border around the object, as a part of the picture's side
PLAIN = 0.06  # colours this near to the corners' colour are background


def load_photo(source: str | PathLike | bytes, size: int = 64) -> Float[Tensor, "3 {size} {size}"]:
    """A picture file (or its bytes) as the networks want it: object in the middle, on white.

    Any size; grey, palette, RGB or RGBA, 8 or 16 bit. The object is what is not transparent, or,
    without transparency, what differs from a plain background (if the four corners agree); else
    the whole picture. Colours in [0, 1]. ValueError for a file that is no picture or is damaged.

    >>> load_photo("no such file.png")
    Traceback (most recent call last):
    FileNotFoundError: there is no file "no such file.png"
    """
    rgba = _read(source)
    rgba[..., 3] *= _foreground(rgba)
    rows, columns = (np.flatnonzero((rgba[..., 3] > 0.02).any(axis=axis)) for axis in (1, 0))
    if len(rows) == 0:
        raise ValueError("expected a picture with something in it, got an empty one")
    rgba = rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    white = rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]
    return _square(torch.from_numpy(white).permute(2, 0, 1), size)


def _read(source: str | PathLike | bytes) -> np.ndarray:
    """(h, w, 4) float32 in [0, 1]."""
    from PIL import Image, UnidentifiedImageError

    if not isinstance(source, bytes) and not Path(source).is_file():
        raise FileNotFoundError(f'there is no file "{source}"')
    try:
        image = Image.open(BytesIO(source) if isinstance(source, bytes) else source)
        image.load()
    except UnidentifiedImageError as error:
        raise ValueError(
            "expected a picture (PNG, JPEG, ...), got a file of another kind"
        ) from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"expected a whole picture, got a damaged one ({error})") from error
    if image.mode.startswith(("I", "F")):  # 16 or 32 bit grey
        grey = np.asarray(image).astype(np.float32)
        top = 65535.0 if image.mode.startswith("I") else max(1.0, float(grey.max()))
        grey = np.clip(grey / top, 0, 1)[..., None]
        return np.concatenate([grey.repeat(3, axis=2), np.ones_like(grey)], axis=2)
    return np.asarray(image.convert("RGBA")).astype(np.float32) / 255


def _foreground(rgba: np.ndarray) -> np.ndarray:
    """1 for the object, 0 for a plain background: only if nothing is transparent already."""
    corners = rgba[[0, 0, -1, -1], [0, -1, 0, -1], :3]
    background = np.median(corners, axis=0)
    if (rgba[..., 3] < 0.5).any() or np.abs(corners - background).max() > PLAIN:
        return np.ones(rgba.shape[:2], dtype=np.float32)
    return (np.abs(rgba[..., :3] - background).max(axis=2) > PLAIN).astype(np.float32)


def _square(image: Tensor, size: int) -> Tensor:
    """Centred on a white square with a margin, then scaled."""
    height, width = image.shape[1:]
    side = max(height, width)
    side += max(1, round(2 * MARGIN * side / (1 - 2 * MARGIN)))
    top, left = (side - height) // 2, (side - width) // 2
    padding = (left, side - width - left, top, side - height - top)
    padded = torch.nn.functional.pad(image, padding, value=1.0)[None]
    resized = torch.nn.functional.interpolate(
        padded, (size, size), mode="bilinear", antialias=True, align_corners=False
    )
    return resized[0].clamp(0, 1)
