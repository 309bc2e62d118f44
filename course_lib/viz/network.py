"""The picture of a network: boxes in a row, joined by arrows, and what runs beside them."""

import textwrap
from collections.abc import Sequence
from typing import Any

from course_lib.viz.charts import INK, PAPER
from course_lib.viz.figure import Figure, described, drawn, show

WIDTH, LINE, GAP = 720, 15, 0.3  # pixels; pixels; of a box's width
FILL = "#E8F1F8"


def network(
    steps: Sequence[str],
    *,
    alt: str,
    aside: str = "",
    taken: Sequence[int] = (),
    given: Sequence[int] = (),
) -> Figure:
    """Show a network as boxes from left to right, joined by arrows, described by `alt`.

    `aside` is a box below the row: it takes from the steps numbered `taken`, and gives to those
    numbered `given`, counted from 0.

    >>> network(["picture", "encoder", "code"], alt="An encoder.").alt
    'An encoder. picture → encoder → code.'
    """
    unit = WIDTH / (len(steps) + GAP * (len(steps) - 1))
    texts = [_wrapped(step, unit) for step in steps]
    high = LINE * (max(text.count("\n") for text in texts) + 2)
    left = [index * (1 + GAP) * unit for index in range(len(steps))]
    ends = [left[index] for index in (*taken, *given)] or [0.0]
    below = (min(ends), max(ends) + unit)  # from left to right
    under = _wrapped(aside, below[1] - below[0])
    deep = LINE * (under.count("\n") + 2) if aside else 0
    plot = _plot(deep + (2 * LINE if aside else 0), high)
    for x, text in zip(left, texts, strict=True):
        _box(plot, (x, x + unit), (0, high), text)
    for x in left[1:]:
        _arrow(plot, (x - GAP * unit, high / 2), (x, high / 2))
    if aside:
        _box(plot, below, (-2 * LINE - deep, -2 * LINE), under)
        for index in taken:
            _arrow(plot, (left[index] + unit / 2, 0), (left[index] + unit / 2, -2 * LINE))
        for index in given:
            _arrow(plot, (left[index] + unit / 2, -2 * LINE), (left[index] + unit / 2, 0))
    row = " → ".join(" ".join(step.split()) for step in steps)
    return show(Figure(f"{described(alt)} {row}.", drawn(plot.figure)))


def _wrapped(text: str, width: float) -> str:
    """Text in lines that fit into `width` pixels; its own line breaks stay."""
    lines = [textwrap.wrap(line, max(4, int(width / 6.6))) for line in text.split("\n")]
    return "\n".join(line for part in lines for line in part)


def _plot(below: float, above: float) -> Any:
    """Axes in pixels."""
    from matplotlib.figure import Figure as Canvas

    height = below + above + 8
    figure = Canvas(figsize=((WIDTH + 8) / 100, height / 100), dpi=100, facecolor=PAPER)
    plot = figure.add_axes((0, 0, 1, 1), xlim=(-4, WIDTH + 4), ylim=(-below - 4, above + 4))
    plot.set_axis_off()
    return plot


def _box(plot: Any, across: tuple[float, float], up: tuple[float, float], text: str) -> None:
    plot.fill_between(across, *up, facecolor=FILL, edgecolor=INK)
    plot.text(sum(across) / 2, sum(up) / 2, text, color=INK, ha="center", va="center", fontsize=8)


def _arrow(plot: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    plot.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": INK})
