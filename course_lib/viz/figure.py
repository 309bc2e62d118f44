"""A figure as it is shown: in several forms at once, each with words for those who cannot see it.

JupyterLab gives pictures of outputs no `alt` attribute, whatever their metadata say, so a picture is
sent as HTML `<img alt=…>`, with the same as `image/png` (alt in its metadata) for viewers that take
that, and the words alone as plain text.
"""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
from PIL import Image

from course_lib.running import budget, in_notebook, is_fast

_collector: ContextVar[list | None] = ContextVar("collector", default=None)
_hurried: ContextVar[bool] = ContextVar("hurried", default=False)


@dataclass(eq=False)
class Figure:
    """Something shown: its words, its picture (h, w, 3), and other forms by MIME type.

    The functions of `viz` show at once and return this, for tests and for `widgets.explore`; as the
    last expression of a cell it is not shown a second time.
    """

    alt: str
    picture: np.ndarray | None = None
    forms: dict[str, Any] = field(default_factory=dict)
    html: str = ""

    def bundle(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """MIME type → data, and the metadata."""
        data: dict[str, Any] = {"text/plain": self.alt, **self.forms}
        metadata: dict[str, Any] = {}
        if self.picture is not None:
            data["image/png"] = base64.b64encode(png(self.picture)).decode()
            metadata["image/png"] = {"alt": self.alt}
        if self.html or self.picture is not None:
            data["text/html"] = self.as_html()
        return data, metadata

    def as_html(self) -> str:
        """The figure as HTML: its own, or an `<img>` with a text alternative."""
        if self.picture is None:
            return self.html
        return self.html or img(self.picture, self.alt)

    def _ipython_display_(self) -> None:
        """Nothing: it was displayed when it was made."""


def show(figure: Figure) -> Figure:
    """Display a figure where there is a notebook; inside `collecting`, hand it over instead."""
    sink = _collector.get()
    if sink is not None:
        sink.append(figure)
    elif in_notebook():
        from IPython.display import display

        data, metadata = figure.bundle()
        display(data, metadata=metadata, raw=True)
        if figure.forms:
            words = {"text/html": in_words(figure.alt), "text/plain": figure.alt}
            display(words, raw=True)
    return figure


@contextmanager
def collecting() -> Iterator[list[Figure]]:
    """Figures shown inside the block go to the list instead of to the page."""
    figures: list[Figure] = []
    token = _collector.set(figures)
    try:
        yield figures
    finally:
        _collector.reset(token)


@contextmanager
def hurried() -> Iterator[None]:
    """Pictures inside the block are packed less tightly, in a tenth of the time: nobody stores them."""
    token = _hurried.set(True)
    try:
        yield
    finally:
        _hurried.reset(token)


def described(alt: str) -> str:
    """`alt`, or ValueError where a figure has no words."""
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError('expected alt="what the figure shows, in words", got nothing')
    return " ".join(alt.split())


def in_words(text: str) -> str:
    """HTML that unfolds to the words of a view whose canvas or drawing has none for screen readers."""
    return f"<details><summary>In words</summary><p>{escape(text)}</p></details>"


def png(picture: np.ndarray) -> bytes:
    """The picture as a PNG file, with a palette of 256 colours where that is smaller."""
    image = Image.fromarray(picture)
    files = []
    for version in (image, image.quantize(256, dither=Image.Dither.FLOYDSTEINBERG)):
        file = io.BytesIO()
        version.save(file, format="PNG", optimize=not is_fast())
        files.append(file.getvalue())
    return min(files, key=len)


def img(picture: np.ndarray, alt: str) -> str:
    """`<img>` with the picture inside (WebP, a fraction of the PNG's size) and its text alternative."""
    files, effort = [], 0 if _hurried.get() else budget(4, 0)
    for options in ({"quality": 80}, {"lossless": True}):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, format="WEBP", method=effort, **options)
        files.append(file.getvalue())
    data = base64.b64encode(min(files, key=len)).decode()
    height, width = picture.shape[:2]
    return (
        f'<img alt="{escape(alt)}" src="data:image/webp;base64,{data}" width="{width}" '
        f'height="{height}" style="background:#ffffff;max-width:100%;height:auto">'
    )


def drawn(canvas: Any) -> np.ndarray:
    """A figure of matplotlib as a picture (h, w, 3), without a window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    agg = FigureCanvasAgg(canvas)
    agg.draw()
    return np.asarray(agg.buffer_rgba())[..., :3].copy()


def as_picture(image: Any) -> np.ndarray:
    """An image as (h, w, 3) uint8, from uint8 or floats in [0, 1], grey (h, w) or RGB, torch or NumPy.

    A boolean image becomes black (False) and white (True). `ValueError` for other shapes, NaN, or
    values outside [0, 1].

    >>> as_picture(np.array([[0.0, 1.0]])).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    if image is None:
        raise ValueError("expected an image (h, w, 3) or (h, w), got None")
    array = np.asarray(image.detach().cpu() if hasattr(image, "detach") else image)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise ValueError(f"expected an image (h, w, 3) or (h, w), got shape {array.shape}")
    if array.dtype != np.uint8:
        array = array.astype(np.float32)
        if not np.isfinite(array).all():
            raise ValueError("expected an image without NaN or infinity")
        if array.min() < -1e-3 or array.max() > 1 + 1e-3:
            raise ValueError(
                f"expected values in [0, 1] (or uint8), got {array.min():.3g} to {array.max():.3g}"
            )
        array = (array.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(array[..., None], 3, 2) if array.ndim == 2 else array)
