"""Line, bar and scatter charts: plotly to point at, and the same drawn by matplotlib as a picture."""

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_lib.running import in_colab, in_notebook
from course_lib.viz.colors import MARKERS, cycle
from course_lib.viz.figure import Figure, described, drawn, show
from course_lib.viz.ticks import log_ticks

Series = Mapping[str, Any]  # {label: (x values, y values)}
DASHES = ("solid", "dash", "dot", "dashdot")
_PYPLOT_DASHES = ("-", "--", ":", "-.")
_PYPLOT_MARKERS = ("o", "s", "D", "^", "x", "+", "*", "v")
INK, PAPER, GRID = "#222222", "#ffffff", "#dddddd"
WIDTH, HEIGHT = 560, 360  # pixels: fits a cell of JupyterLab in a window 1,024 pixels wide
YELLOW, OLIVE = "#F0E442", "#9A8D00"


@dataclass(frozen=True)
class Axes:
    """The names and scales of a chart's axes."""

    x: str
    y: str
    log_x: bool = False
    log_y: bool = False
    names: Mapping[float, str] | None = None


def line_chart(
    series: Series,
    *,
    x: str,
    y: str,
    alt: str,
    log_x: bool = False,
    log_y: bool = False,
) -> Figure:
    """Show lines: {label: (x values, y values)}, with axis names x and y, described by `alt`.

    Lines differ in colour, dash and marker. NaN leaves a gap. `ValueError` for nothing to draw,
    lengths that differ, or values ≤ 0 on a logarithmic axis.

    >>> line_chart({"x²": ([1, 2], [1, 4])}, x="x", y="x²", alt="A parabola.").alt
    'A parabola. x² against x. x²: from 1 at x = 1 to 4 at x = 2.'
    """
    axes = Axes(x, y, log_x, log_y)
    return _chart("line", _numbers(series, axes), axes, alt)


def scatter_chart(
    series: Series, *, x: str, y: str, alt: str, names: Mapping[float, str] | None = None
) -> Figure:
    """Show points: {label: (x values, y values)}; otherwise as `line_chart`.

    `names` stand at their y values in place of numbers, and of a legend.
    """
    axes = Axes(x, y, names=names)
    return _chart("scatter", _numbers(series, axes), axes, alt)


def bar_chart(bars: Mapping[str, Any], *, y: str, alt: str) -> Figure:
    """Show bars: {name: height}, or groups of bars {label: {name: height}} with one colour per label.

    >>> bar_chart({"a": 1.0, "b": 2.5}, y="height", alt="Two bars.").alt
    'Two bars. height: a 1, b 2.5.'
    """
    if not bars:
        raise ValueError("expected at least one bar, got none")
    groups = bars if isinstance(next(iter(bars.values())), Mapping) else {"": bars}
    series = {
        label: (list(group), _column(label, list(group.values()), "y"))
        for label, group in groups.items()
    }
    return _chart("bar", series, Axes("", y), alt)


def _chart(kind: str, series: dict, axes: Axes, alt: str) -> Figure:
    words = f"{described(alt)} {_summary(kind, series, axes)}"
    picture = draw_static(kind, series, axes)
    spec = _plotly(kind, series, axes, height=len(picture))
    if in_colab() and in_notebook():
        import plotly.graph_objects

        plotly.graph_objects.Figure(spec).show(renderer="colab")
    return show(Figure(words, picture, {"application/vnd.plotly.v1+json": spec}))


def _numbers(series: Series, axes: Axes) -> dict[str, tuple[list, list]]:
    if not series:
        raise ValueError("expected at least one series {label: (x, y)}, got none")
    checked = {}
    for label, pair in series.items():
        if pair is None or len(pair) != 2:
            raise ValueError(f"expected (x values, y values) for {label!r}, got {pair!r}")
        xs = _column(label, pair[0], "x", axes.log_x)
        ys = _column(label, pair[1], "y", axes.log_y)
        if len(xs) != len(ys):
            raise ValueError(f"expected as many x as y for {label!r}, got {len(xs)} and {len(ys)}")
        checked[str(label)] = (xs, ys)
    return checked


def _column(label: str, values: Any, name: str, log: bool = False) -> list[float | None]:
    if values is None:
        raise ValueError(f"expected {name} values for {label!r}, got None")
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    numbers = np.asarray([float(value) for value in values])
    finite = numbers[np.isfinite(numbers)]
    if len(finite) == 0:
        raise ValueError(f"expected at least one finite {name} value for {label!r}, got {numbers}")
    if log and (finite <= 0).any():
        raise ValueError(f"expected {name} values > 0 for {label!r} on a logarithmic axis")
    return [float(f"{n:.6g}") if np.isfinite(n) else None for n in numbers]


def _summary(kind: str, series: dict, axes: Axes) -> str:
    """The ends of each line or the heights of all bars, in words."""
    if kind == "bar":
        parts = []
        for label, (names, values) in series.items():
            heights = (f"{n} {_say(v)}" for n, v in zip(names, values, strict=True))
            parts.append(f"{label or axes.y}: {', '.join(heights)}.")
        return " ".join(parts)
    parts = [f"{axes.y} against {axes.x}."]
    for label, (xs, ys) in series.items():
        known = [(a, b) for a, b in zip(xs, ys, strict=True) if a is not None and b is not None]
        if kind == "line" and known:
            (x0, y0), (x1, y1) = known[0], known[-1]
            parts.append(
                f"{label}: from {_say(y0)} at x = {_say(x0)} to {_say(y1)} at x = {_say(x1)}."
            )
        else:
            parts.append(f"{label}: {len(known)} points.")
    return " ".join(parts)


def _say(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _ticks(series: dict, axes: Axes, name: str) -> dict[float, str]:
    """The ticks of the axis x or y; none where it is neither named nor logarithmic."""
    if name == "y" and axes.names:
        return dict(axes.names)
    if not (axes.log_x if name == "x" else axes.log_y):
        return {}
    values = [v for pair in series.values() for v in pair["xy".index(name)] if v is not None]
    return log_ticks(values, at_values=name == "x")


def _plotly(kind: str, series: dict, axes: Axes, height: int) -> dict[str, Any]:
    """The chart in plotly's JSON, which versions 5 to 7 read alike."""
    traces = []
    for index, (label, (xs, ys)) in enumerate(series.items()):
        trace: dict[str, Any] = {
            "name": label,
            "x": xs,
            "y": ys,
            "showlegend": _has_legend(series, axes),
        }
        color = line_color(index)
        if kind == "bar":
            outline = {"color": INK, "width": 1}  # a light colour needs it on white
            trace |= {"type": "bar", "marker": {"color": color, "line": outline}}
        else:
            few = len(xs) <= 40
            mode = "markers" if kind == "scatter" else ("lines+markers" if few else "lines")
            marker = {"color": color, "symbol": MARKERS[index % len(MARKERS)], "size": 7}
            line = {"color": color, "dash": DASHES[index % len(DASHES)], "width": 2}
            trace |= {"type": "scatter", "mode": mode, "marker": marker, "line": line}
        traces.append(trace)
    layout = {
        "title": {"text": ""},
        "xaxis": _plotly_axis(
            axes.x, _ticks(series, axes, "x"), "category" if kind == "bar" else _scale(axes.log_x)
        ),
        "yaxis": _plotly_axis(axes.y, _ticks(series, axes, "y"), _scale(axes.log_y)),
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "font": {"color": INK},
        "height": height,
        "autosize": True,
        "margin": {"l": 70, "r": 20, "t": 20, "b": 55},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "barmode": "group",
    }
    config = {"responsive": True}
    return json.loads(json.dumps({"data": traces, "layout": layout, "config": config}))


def _has_legend(series: dict, axes: Axes) -> bool:
    return len(series) > 1 and not axes.names


def _scale(log: bool) -> str:
    return "log" if log else "linear"


def _plotly_axis(name: str, ticks: dict[float, str], kind: str) -> dict[str, Any]:
    return {
        **({"tickvals": list(ticks), "ticktext": list(ticks.values())} if ticks else {}),
        "title": {"text": name},
        "type": kind,
        "gridcolor": GRID,
        "linecolor": INK,
        "zeroline": False,
        "automargin": True,
    }


def draw_static(kind: str, series: dict, axes: Axes) -> np.ndarray:
    """The chart as a picture (h, w, 3), by matplotlib without a window."""
    from matplotlib.figure import Figure as Canvas

    columns, rows = _legend_grid(list(series)) if _has_legend(series, axes) else (0, 0)
    size = (WIDTH / 100, HEIGHT / 100 + 0.2 * rows)
    figure = Canvas(figsize=size, dpi=100, facecolor=PAPER, layout="constrained")
    plot = figure.add_subplot(facecolor=PAPER)
    for index, (label, (xs, ys)) in enumerate(series.items()):
        ys = [np.nan if value is None else value for value in ys]
        if kind == "bar":
            width = 0.8 / len(series)
            names = list(dict.fromkeys(name for names, _ in series.values() for name in names))
            place = np.array([names.index(name) for name in xs])
            left = place - 0.4 + width * (index + 0.5)
            look: dict[str, Any] = {"color": line_color(index), "edgecolor": INK, "linewidth": 0.8}
            plot.bar(left, ys, width, label=label, **look)
            plot.set_xticks(range(len(names)), [wrapped(str(n), len(names)) for n in names])
        else:
            _draw_series(plot, kind, index, label, xs, ys)
    _label(plot, series, axes)
    if columns:  # above the plot, where it cannot cover anything
        figure.legend(loc="outside upper center", ncols=columns, frameon=False, fontsize=9)
    return drawn(figure)


def _draw_series(plot: Any, kind: str, index: int, label: str, xs: list, ys: Sequence) -> None:
    xs = [np.nan if value is None else value for value in xs]
    marker = _PYPLOT_MARKERS[index % len(_PYPLOT_MARKERS)]
    if kind == "scatter":
        plot.plot(xs, ys, marker, color=line_color(index), markersize=5, label=label)
        return
    dash = _PYPLOT_DASHES[index % len(_PYPLOT_DASHES)]
    shown = marker if len(xs) <= 40 else None
    plot.plot(xs, ys, dash, color=line_color(index), marker=shown, markersize=4, label=label)


def line_color(index: int) -> str:
    """The palette's colour number `index`, with an olive for its yellow: lines need contrast."""
    color = cycle(index)
    return OLIVE if color == YELLOW else color


def _legend_grid(labels: Sequence[str]) -> tuple[int, int]:
    """Columns and rows of a legend that is as wide as the picture, 84 characters, at most."""
    columns = max(1, min(len(labels), 84 // (max(map(len, labels)) + 7)))
    return columns, -(-len(labels) // columns)


def wrapped(name: str, bars: int) -> str:
    """A bar's name in lines that are as long as its share of the axis, 70 characters, at most.

    >>> wrapped("numbers only (4 columns)", bars=3)
    'numbers only\\n(4 columns)'
    """
    width, hard = max(8, 70 // bars - 2), "\N{NO-BREAK SPACE}"
    aside = rf"\([^()]{{1,{width - 2}}}\)"  # what stands in brackets stays together
    name = re.sub(aside, lambda found: found.group().replace(" ", hard), name)
    return "\n".join(textwrap.wrap(name, width)).replace(hard, " ")


def _label(plot: Any, series: dict, axes: Axes) -> None:
    plot.set(xlabel=axes.x, ylabel=axes.y)
    for name, axis in (("x", plot.xaxis), ("y", plot.yaxis)):
        if ticks := _ticks(series, axes, name):
            plot.set(**{f"{name}scale": _scale(axes.log_x if name == "x" else axes.log_y)})
            axis.set_ticks(list(ticks), list(ticks.values()))
            axis.set_ticks([], minor=True)
    plot.grid(color=GRID, linewidth=0.8)
    plot.set_axisbelow(True)
    plot.spines[["top", "right"]].set_visible(False)
