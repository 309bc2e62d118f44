"""Pictures in rows, with titles."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from course_lib.viz.figure import Figure, as_picture, described, show

MARGIN, TEXT = 8, 14
NARROW = 700  # pixels: wider pages are made smaller in a narrow window, so their titles are larger


def gallery(
    images: Sequence[Any],
    titles: Sequence[str] = (),
    *,
    alt: str,
    columns: int | None = None,
    height: int | None = None,
) -> Figure:
    """Show pictures side by side, with a title over each, as one figure described by `alt`.

    images: arrays (h, w, 3) or (h, w), uint8 or floats in [0, 1], of any sizes; they are scaled to a
    common `height` in pixels (small ones by nearest neighbour, so that pixels stay visible).
    Titles are wrapped to their picture's width, and broken where they hold a line break.
    `columns` per row: by default as many as fit on a page.

    >>> gallery([np.zeros((4, 4))], ["black"], alt="A black square.", height=20).alt
    'A black square. Pictures: black.'
    """
    pictures = [as_picture(image) for image in images]
    if not pictures:
        raise ValueError("expected at least one image")
    if titles and len(titles) != len(pictures):
        raise ValueError(f"expected {len(pictures)} titles, one per image, got {len(titles)}")
    words = described(alt)
    if titles:
        words = f"{words} Pictures: {'; '.join(titles)}.".replace("\n", ", ")
    return show(Figure(words, arrange(pictures, titles, columns=columns, height=height)))


def image_grid(images: Any, *, alt: str, columns: int | None = None, height: int = 64) -> Figure:
    """Show many small pictures, (n, h, w, 3) or (n, h, w) or a list, as a grid without titles.

    >>> image_grid(np.zeros((6, 4, 4)), alt="Six black squares.", columns=3).picture.shape
    (152, 224, 3)
    """
    columns = columns or max(1, min(len(images), 860 // (height + MARGIN)))
    return gallery(list(images), alt=alt, columns=columns, height=height)


def arrange(
    pictures: Sequence[np.ndarray],
    titles: Sequence[str] = (),
    *,
    columns: int | None = None,
    height: int | None = None,
) -> np.ndarray:
    """Pictures and titles as one picture on white."""
    height = height or max(picture.shape[0] for picture in pictures)
    scaled = [_scale(picture, height) for picture in pictures]
    if columns is None:
        widest = max(picture.shape[1] for picture in scaled)
        columns = max(1, min(len(scaled), 1000 // (widest + MARGIN)))
    across = sum(sorted(picture.shape[1] for picture in scaled)[-columns:])
    text = round(TEXT * max(1.0, across / NARROW))
    lines = [
        _wrap(titles[i], max(one.shape[1], 60), text) if titles else []
        for i, one in enumerate(scaled)
    ]
    rows = [
        _blocks(scaled[i : i + columns], lines[i : i + columns], text)
        for i in range(0, len(scaled), columns)
    ]
    widths = [max(row[c].shape[1] for row in rows if c < len(row)) for c in range(len(rows[0]))]
    heights = [max(block.shape[0] for block in row) for row in rows]
    shape = (sum(heights) + MARGIN * (len(rows) + 1), sum(widths) + MARGIN * (len(widths) + 1), 3)
    page = np.full(shape, 255, dtype=np.uint8)
    top = MARGIN
    for row, row_height in zip(rows, heights, strict=True):
        left = MARGIN
        for block, width in zip(row, widths, strict=False):
            x = left + (width - block.shape[1]) // 2
            page[top : top + block.shape[0], x : x + block.shape[1]] = block
            left += width + MARGIN
        top += row_height + MARGIN
    return page


def _scale(picture: np.ndarray, height: int) -> np.ndarray:
    if picture.shape[0] == height:
        return picture
    size = (max(1, round(picture.shape[1] * height / picture.shape[0])), height)
    method = Image.Resampling.NEAREST if height > picture.shape[0] else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(picture).resize(size, method))


def _blocks(
    pictures: Sequence[np.ndarray], titles: Sequence[list[str]], text: int
) -> list[np.ndarray]:
    """A row of pictures with their titles above; all get the lines of the longest title."""
    most = max(map(len, titles))
    padded = [[""] * (most - len(lines)) + lines for lines in titles]
    return [_block(*pair, text) for pair in zip(pictures, padded, strict=True)]


def _block(picture: np.ndarray, lines: list[str], text: int) -> np.ndarray:
    """The picture with the lines of its title above, `text` pixels high."""
    if not any(lines):
        return picture
    page = Image.new("RGB", (picture.shape[1], (text + 4) * len(lines) + 4), "white")
    draw = ImageDraw.Draw(page)
    for row, line in enumerate(lines):
        x = (picture.shape[1] - font(text).getlength(line)) / 2
        draw.text((x, row * (text + 4)), line, fill="#222222", font=font(text))
    return np.concatenate([np.asarray(page), picture])


def _wrap(title: str, width: int, text: int) -> list[str]:
    lines: list[str] = []
    for part in title.split("\n"):
        fresh = True
        for word in part.split():
            longer = word if fresh else f"{lines[-1]} {word}"
            if not fresh and font(text).getlength(longer) <= width:
                lines[-1] = longer
            else:
                lines.append(word)
            fresh = False
    return lines or [""]


@cache
def font(size: int = TEXT) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings along."""
    from matplotlib import get_data_path

    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)
