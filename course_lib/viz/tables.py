"""Tables: HTML with header cells and a caption, and the same in plain text."""

from collections.abc import Sequence
from html import escape
from typing import Any

from course_lib.viz.figure import Figure, described, show

WIDE = 72  # characters: a wider table has to break its cells to fit a narrow window


def table(rows: Sequence[Sequence[Any]], header: Sequence[str], caption: str) -> Figure:
    """Show a table; numbers are rounded to 4 significant digits and aligned to the right.

    The caption says what the table shows; the first column names the rows. A cell that is None is
    an empty cell, "–". `ValueError` for no rows or rows of another length than the header.

    >>> print(table([["sphere", 3.14159]], ["shape", "area"], "Areas").alt)
    Areas
    shape   area
    sphere  3.142
    """
    rows = [[value.item() if hasattr(value, "item") else value for value in row] for row in rows]
    texts = [[_text(value) for value in row] for row in rows]
    if not texts or any(len(row) != len(header) for row in texts):
        lengths = sorted({len(row) for row in texts})
        raise ValueError(
            f"expected rows of {len(header)} cells as in the header, got {len(texts)} rows "
            f"of {lengths} cells"
        )
    caption = described(caption)
    numeric = [
        all(isinstance(row[c], int | float) or row[c] is None for row in rows)
        for c in range(len(header))
    ]
    return show(Figure(_plain(texts, header, caption), html=_html(texts, header, caption, numeric)))


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return (
        f"{value:.4g}"
        if isinstance(value, float) and abs(value) < 1e4
        else (f"{value:,.0f}" if isinstance(value, float) else f"{value}")
    )


def _plain(texts: list[list[str]], header: Sequence[str], caption: str) -> str:
    lines = [list(header), *texts]
    widths = [max(len(line[c]) for line in lines) for c in range(len(header))]
    padded = ["  ".join(t.ljust(w) for t, w in zip(l, widths, strict=True)).rstrip() for l in lines]
    return "\n".join([caption, *padded])


def _html(texts: list[list[str]], header: Sequence[str], caption: str, numeric: list[bool]) -> str:
    align = ["right" if number else "left" for number in numeric]
    head = "".join(
        f'<th scope="col" style="text-align:{align[c]}">{escape(name)}</th>'
        for c, name in enumerate(header)
    )
    width = sum(max(map(len, column)) for column in zip(header, *texts, strict=True))
    whole = 20 if width <= WIDE else 0  # characters of a cell that stays on one line
    body = ""
    for row in texts:
        cells = "".join(_cell(text, align[c], whole) for c, text in enumerate(row) if c > 0)
        body += (
            f'<tr><th scope="row" style="text-align:{align[0]}">{escape(row[0])}</th>{cells}</tr>'
        )
    return (
        f'<table style="min-width:min(100%,{len(caption)}ch)">'
        f'<caption style="caption-side:top;text-align:left">{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cell(text: str, align: str, whole: int) -> str:
    """A cell; what is short, such as "0.75 ± 0.02", stays on one line."""
    wrap = ";white-space:nowrap" if len(text) <= whole else ""
    return f'<td style="text-align:{align}{wrap}">{escape(text)}</td>'
