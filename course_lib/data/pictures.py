"""The one reader of pictures: whatever a camera or a program wrote becomes 8-bit RGBA."""

import warnings
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import UInt8

Bytes = bytes | bytearray | memoryview  # the last is what an upload in a notebook gives
ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
DYNAMIC = "dynamic_mask_"
"""instant-ngp's masks stand beside the photographs, with this before the name."""
ORIENTATION = 0x0112  # the EXIF tag: 1 is upright as stored, 2 to 8 are not
SUBFILE, DNG = 254, 50706  # TIFF tags: bit 1 of the first says "thumbnail", the second "raw"


def read_picture(
    source: str | PathLike | Bytes, *, upright: bool = True
) -> UInt8[np.ndarray, "h w 4"]:
    """A picture file (or its bytes) as straight RGBA, alpha 255 where the file has none.

    | what | how |
    |---|---|
    | 8-bit grey, palette, RGB, with or without alpha; CMYK, YCbCr | read |
    | grey of 16 bit | read: 65535 is white; 255 if nothing exceeds that, with a remark |
    | grey of floats in [0, 1] | read: 1 is white; other values and NaN are refused |
    | grey of 32-bit whole numbers beyond 65535, negative numbers | refused |
    | EXIF orientation | obeyed; not with `upright=False`: cameras are calibrated on stored pixels |
    | a transparent colour or palette entry; 16 bits a channel | read, as alpha and as 8 bits |
    | several pictures in a file | the first |
    | colour profiles | ignored |
    | damaged files, files of another kind (HEIC, raw), "._" files of a Mac | refused |
    | raw files that show only a thumbnail (NEF, ARW, DNG); more than 179 million pixels | refused |

    ValueError names the file; FileNotFoundError where there is none.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    name, file = "the picture", cast(Any, source)
    if isinstance(source, Bytes):
        file = BytesIO(source)
    elif not Path(name := str(source)).is_file():
        raise FileNotFoundError(f'there is no file "{name}"')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata that nobody reads
            image = Image.open(file)
            if image.format == "TIFF" and not upright:  # loading would turn it
                image.getexif().pop(ORIENTATION, None)
            _refuse_thumbnail(image)
            image.load()
            if upright:
                image = ImageOps.exif_transpose(image)
    except UnidentifiedImageError as error:
        raise ValueError(
            f"{name}: expected a picture (PNG, JPEG, ...), got a file of another kind, or cut short; "
            "pictures in HEIC or raw formats must be exported as JPEG"
        ) from error
    except (Image.DecompressionBombError, _Thumbnail) as error:
        what = "a raw file" if isinstance(error, _Thumbnail) else "one that is too large"
        raise ValueError(
            f"{name}: expected a picture to be read whole, got {what} ({error}): export it as a JPEG of "
            "moderate size"
        ) from None
    except Exception as error:  # PIL's parsers raise whatever the bytes lead them to
        raise ValueError(
            f"{name}: expected a whole picture, got a damaged one ({error})"
        ) from error
    try:
        return _as_rgba(image, name)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def stored_turned(path: Path) -> bool:
    """Whether the file's EXIF data say that the stored pixels are not upright."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.getexif().get(ORIENTATION) in range(2, 9)  # 0: the camera does not know
    except Exception:  # broken EXIF data turn nothing
        return False


def list_pictures(folder: Path) -> list[Path]:
    """The pictures of a folder, sorted by name, without hidden files ("._a.jpg" of a Mac) and masks."""
    return sorted(
        path
        for path in folder.glob("*")
        if path.suffix.lower() in ENDINGS and not path.name.startswith((".", DYNAMIC))
    )


class _Thumbnail(Exception):
    """The first picture of a file is a small copy of what PIL cannot read."""


def _refuse_thumbnail(image) -> None:
    tags = getattr(image, "tag_v2", {})  # of a TIFF; raw formats of cameras are TIFFs
    if DNG in tags or int(tags.get(SUBFILE, 0)) & 1:
        width, height = image.size
        raise _Thumbnail(f"only its thumbnail of {width}x{height} can be read")


def _as_rgba(image, name: str) -> UInt8[np.ndarray, "h w 4"]:
    if not image.mode.startswith(("I", "F")):
        straight = image if image.mode in ("1", "L", "LA", "P", "PA", "La", "RGBa") else None
        if straight is None and image.mode not in ("RGB", "RGBA"):
            image = image.convert("RGB")  # CMYK, YCbCr, LAB, HSV
        return np.array(image.convert("RGBA"))
    grey = np.asarray(image).astype(np.float64)
    low, high = grey.min(), grey.max()
    top = 1.0 if image.mode.startswith("F") else 65535.0
    if not (low >= 0 and high <= top):  # NaN fails both
        raise ValueError(
            f"expected grey values from 0 to {top:g}, got {low:g} to {high:g}: scale them first"
        )
    if top > 1 and 0 < high <= 255:
        warnings.warn(
            f"{name}: 16-bit grey without a value beyond {high:g}: taken as 8-bit grey",
            stacklevel=3,
        )
        top = 255.0
    byte = np.rint(grey * (255 / top)).astype(np.uint8)[..., None]
    clear = grey[..., None] == image.info.get("transparency", -1)  # a grey said to be transparent
    alpha = np.where(clear, 0, 255).astype(np.uint8)
    return np.concatenate([byte, byte, byte, alpha], axis=2)
