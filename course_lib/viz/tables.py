"""Tables: HTML with header cells and a caption, and the same in plain text."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from course_lib.viz.figure import Figure, described, show
from course_lib.viz.ticks import plain_number

WIDE = 74  # characters: a wider table has to break its cells to fit a narrow window
SHORT = 20  # characters: such a cell stays on one line
PADDING = "padding:.4em .5em"  # which the page of a widget does not bring


def table(rows: Sequence[Sequence[Any]], header: Sequence[str], caption: str) -> Figure:
    """Show a table; numbers stand on the right, rounded to about 4 significant digits.

    The fractions of a column have equally many decimals. The caption says what the table shows; the
    first column names the rows. A cell that is None is an empty cell, "–". `ValueError` for no rows
    or rows of another length than the header.

    >>> print(table([["sphere", 3.14159]], ["shape", "area"], "Areas").alt)
    Areas
    shape   area
    sphere  3.142
    """
    rows = [[value.item() if hasattr(value, "item") else value for value in row] for row in rows]
    texts = [list(row) for row in rows]
    if not texts or any(len(row) != len(header) for row in texts):
        lengths = sorted({len(row) for row in texts})
        raise ValueError(
            f"expected rows of {len(header)} cells as in the header, got {len(texts)} rows "
            f"of {lengths} cells"
        )
    columns = [_column([row[c] for row in rows]) for c in range(len(header))]
    texts = [list(row) for row in zip(*columns, strict=True)]
    caption = described(caption)
    numeric = [
        all(isinstance(row[c], int | float) or row[c] is None for row in rows)
        for c in range(len(header))
    ]
    return show(Figure(_plain(texts, header, caption), html=_html(texts, header, caption, numeric)))


def _column(values: list[Any]) -> list[str]:
    """The cells of a column as texts: fractions with equally many decimals, long numbers in threes."""
    whole = [abs(v) for v in values if isinstance(v, int)]
    comma = "," if max(whole, default=0) >= 1e4 else ""
    fractions = [v for v in values if isinstance(v, float) and v and math.isfinite(v)]
    decimals = _decimals(fractions) if fractions else None
    return [_text(value, comma, decimals) for value in values]


def _decimals(values: list[float]) -> int | None:
    """The decimals that show 4 digits of each, 3 of those below 0.1; None if these are too many.

    >>> _decimals([1.0, 0.6933, 0.02667]), _decimals([0.5, 0.25]), _decimals([2.0, 3e-5])
    (4, 2, None)
    """
    powers = [math.floor(math.log10(abs(v))) for v in values]
    written = [
        len(f"{round(v, 3 - p):.9f}".rstrip("0").partition(".")[2])
        for v, p in zip(values, powers, strict=True)
    ]
    shown = [min(w, (3 if p >= -1 else 2) - p) for w, p in zip(written, powers, strict=True)]
    decimals = max(0, *shown)
    return decimals if decimals + max(powers) < 5 and decimals <= 6 else None


def _text(value: Any, comma: str, decimals: int | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:{comma}}"
    if not isinstance(value, float) or not math.isfinite(value):
        return f"{value}"
    if decimals is not None and value:
        return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.{decimals}f}"
    if 0 < abs(value) < 1e-4:
        return "-" * (value < 0) + plain_number(float(f"{abs(value):.4g}"))
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def _plain(texts: list[list[str]], header: Sequence[str], caption: str) -> str:
    lines = [list(header), *texts]
    widths = [max(len(line[c]) for line in lines) for c in range(len(header))]
    padded = ["  ".join(t.ljust(w) for t, w in zip(l, widths, strict=True)).rstrip() for l in lines]
    return "\n".join([caption, *padded])


def _html(texts: list[list[str]], header: Sequence[str], caption: str, numeric: list[bool]) -> str:
    align = ["right" if number else "left" for number in numeric]
    head = "".join(
        f'<th scope="col" style="{PADDING};text-align:{align[c]}">{escape(name)}</th>'
        for c, name in enumerate(header)
    )
    columns = list(zip(header, *texts, strict=True))
    least = [_longest_word(columns[0])] + [
        max(_longest_word(column[:1]), max(map(_least_width, column[1:]))) for column in columns[1:]
    ]
    whole = SHORT if sum(least) + 2 * len(least) <= WIDE else 0
    body = ""
    for row in texts:
        cells = "".join(_cell(text, align[c], whole) for c, text in enumerate(row) if c > 0)
        name = f'<th scope="row" style="{PADDING};text-align:{align[0]}">{escape(row[0])}</th>'
        body += f"<tr>{name}{cells}</tr>"
    return (
        f'<table style="min-width:min(100%,{len(caption)}ch)">'
        f'<caption style="caption-side:top;text-align:left">{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _longest_word(texts: Sequence[str]) -> int:
    return max((len(word) for text in texts for word in text.split()), default=0)


def _least_width(text: str) -> int:
    """The characters in one line of a cell that breaks where it is not short."""
    return len(text) if len(text) <= SHORT else _longest_word([text])


def _cell(text: str, align: str, whole: int) -> str:
    """A cell; what is short, such as "0.75 ± 0.02", stays on one line."""
    wrap = ";white-space:nowrap" if len(text) <= whole else ""
    return f'<td style="{PADDING};text-align:{align}{wrap}">{escape(text)}</td>'
