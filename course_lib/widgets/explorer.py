"""Views that answer to sliders: each change calls a Python function and shows what it returns."""

import base64
import hashlib
import os
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from course_lib.running import in_colab, in_notebook
from course_lib.viz.figure import Figure, as_picture, collecting, described, hurried, img, in_words
from course_lib.viz.gallery import arrange
from course_lib.viz.pictures import Number, render
from course_lib.viz.scene import Item, Scene
from course_lib.widgets.controls import describe, make_controls
from course_lib.widgets.live import LiveScene, has_k3d
from course_lib.widgets.page_scripts import ViewScript

VIEW = "application/vnd.jupyter.widget-view+json"
STILL = "<p><em>A still picture: run this cell to move it.</em></p>"


class Explorer:
    """What `explore` and `view3d` hand back, for tests and for cells that move a slider themselves.

    `controls`: name → widget; set `.value` to move it. `shown`: the figures and scenes of the last
    update. `scenes`: the live k3d views. `picture`: everything shown, as one picture (h, w, 3).
    """

    def __init__(self, update: Callable[..., Any], controls: dict[str, Any], **look: Any):
        self.alt = look.pop("alt")
        self.look = look
        self.update = update
        self.controls = controls
        self.shown: list[Figure | Scene] = []
        self.scenes: list[LiveScene] = []
        self._panels: list[Any] = []
        self._script = ViewScript()

    @property
    def picture(self) -> np.ndarray:
        """All that is shown now, side by side: the static twin."""
        pictures, titles = [], []
        for one in self.shown:
            if isinstance(one, Scene):
                pictures.append(self._drawn(one))
                titles.append(one.title)
            elif one.picture is not None:
                pictures.append(one.picture)
                titles.append("")
        if not pictures:
            return np.full((8, 8, 3), 255, dtype=np.uint8)
        return _flow([arrange([p], [t]) for p, t in zip(pictures, titles, strict=True)])

    @property
    def text(self) -> str:
        """What is shown, in words, with the state of the controls."""
        parts = [one.alt for one in self.shown if isinstance(one, Figure) and one.alt]
        controls = "; ".join(describe(name, c) for name, c in self.controls.items())
        words = f"{self.alt} Controls: {controls}." if controls else self.alt
        return "\n".join([words, *parts])

    def static(self) -> Figure:
        """The static twin: the picture of all that is shown, and its tables and texts below."""
        texts = [one for one in self.shown if isinstance(one, Figure) and one.picture is None]
        below = "".join(one.as_html() for one in texts)
        if len(texts) == len(self.shown):
            return Figure(self.text, html=f"<p>{escape(self.alt)}</p>{below}{STILL}")
        picture = self.picture
        return Figure(self.text, picture, html=img(picture, self.text) + below + STILL)

    def refresh(self) -> None:
        """Call the update function with the controls' values and show its answer."""
        values = {name: control.value for name, control in self.controls.items()}
        with collecting() as collected:
            answer = self.update(**values)
        returned, there = _things(answer, self.alt), {id(figure) for figure in collected}
        self.shown = [*collected, *(one for one in returned if id(one) not in there)]
        if not self.shown:
            raise ValueError("expected the update function to return or show something, got None")

    def build(self, play: str | None = None) -> Any:
        """The widget: the controls over the pictures, and tables and texts below these."""
        import ipywidgets

        self.refresh()
        self._row = ipywidgets.Box(layout=ipywidgets.Layout(flex_flow="row wrap", width="100%"))
        for control in self.controls.values():
            control.observe(self.redraw, names="value")
        head = list(self.controls.values())
        if play is not None:
            head.insert(0, _player(self.controls[play]))
        self._below, self._caption = ipywidgets.VBox(), ipywidgets.HTML()
        self._fill()
        view = ipywidgets.VBox([*head, self._row, self._below, self._caption, self._script])
        view.add_class("course-view")
        return view

    def redraw(self, change: Any = None) -> None:
        """Show what the update function says now, or the error that it raises.

        Moves made meanwhile wait in the browser, which sends the newest alone.
        """
        self._script.busy = True
        with hurried():
            try:
                self.refresh()
            except Exception as error:  # a callback's traceback would be shown nowhere
                text = f"{type(error).__name__}: {error}"
                self.shown = [Figure(text, html=f'<pre role="alert">{escape(text)}</pre>')]
            self._fill()
        self._script.busy = False

    def _fill(self) -> None:
        """Bring the panels up to date, keeping those that are there already."""
        import ipywidgets

        scenes, others = iter(self.scenes), iter(self._panels)
        row: list[Any] = []
        below: list[Any] = []
        for one in self.shown:
            if isinstance(one, Scene) and has_k3d():
                live = next(scenes, None)
                if live is None:
                    live = LiveScene(one, **self._k3d_look())
                    self.scenes.append(live)
                else:
                    live.update(one)
                row.append(live.box)
                continue
            panel = next(others, None)
            if panel is None:
                panel = ipywidgets.HTML()
                self._panels.append(panel)
            panel.value = one.as_html() if isinstance(one, Figure) else self._static(one).as_html()
            in_words_only = isinstance(one, Figure) and one.picture is None
            (below if in_words_only else row).append(panel)
        for box, children in ((self._row, row), (self._below, below)):
            if children != list(box.children):
                box.children = children
        if any(isinstance(one, Scene) for one in self.shown):  # a canvas has no words of its own
            self._caption.value = in_words(self.text)

    def _k3d_look(self) -> dict[str, Any]:
        size = self.look["size"]
        height = size if isinstance(size, int) else size[0]
        look = {name: self.look[name] for name in ("view", "bounds")}
        beside = sum(isinstance(one, Scene) or one.picture is not None for one in self.shown) > 1
        return {**look, "height": height + 60, "alt": self.alt, "beside": beside}

    def _static(self, scene: Scene) -> Figure:
        return Figure(scene.title or self.alt, self._drawn(scene))

    def _drawn(self, scene: Scene) -> np.ndarray:
        return render(scene, **{name: self.look[name] for name in ("size", "view", "bounds")})

    def _ipython_display_(self) -> None:
        """Nothing: it was displayed when it was made."""


def explore(
    update: Callable[..., Any],
    controls: dict[str, Any],
    *,
    alt: str,
    size: int | tuple[int, int] = 300,
    view: tuple[Number, Number] = (30.0, 20.0),
    bounds: Any = None,
    play: str | None = None,
) -> Explorer:
    """Show labelled controls and, below, what `update(**values)` returns; each change calls it again.

    controls: {name: description}, a description being (low, high, value[, step]) for a slider, a list
    or {label: value} for a menu, True/False for a box to tick, a text, `log_slider(…)`, or a widget.
    update returns one thing or a list: a picture (h, w, 3), a `viz.Scene` or `Item` or Mesh (drawn by
    k3d and changed in place), a text; or it calls `viz.line_chart(…)`, `viz.table(…)` and so on, which
    then appear here. Several pictures or scenes make linked views. `play` names the whole-number
    slider that gets a play button. `bounds` keeps the framing of 3D views still.

    The stored output holds a static twin of the first state, with `alt` and the controls in words.
    Returns an `Explorer`: set `explorer.controls["level"].value = 3` and look at `explorer.shown`.

    >>> import numpy as np
    >>> explorer = explore(lambda grey: np.full((4, 4), grey), {"grey": (0.0, 1.0, 0.5)}, alt="Grey.")
    >>> explorer.controls["grey"].value = 1.0
    >>> explorer.shown[0].picture.max()
    np.uint8(255)
    """
    if play is not None and play not in controls:
        raise ValueError(f"expected play= to name one of {sorted(controls)}, got {play!r}")
    look = {"alt": described(alt), "size": size, "view": view, "bounds": bounds}
    explorer = Explorer(update, make_controls(controls), **look)
    _display(explorer.build(play), explorer)
    return explorer


def view3d(
    *what: Any,
    alt: str,
    size: int | tuple[int, int] = 340,
    view: tuple[float, float] = (30.0, 20.0),
) -> Explorer:
    """Show meshes, clouds (n, 3), segments (n, 2, 3), voxel grids, `viz.Item`s in 3D, to be turned.

    Several `viz.Scene`s are shown side by side, each in its own view. The stored output holds a
    picture from our own renderer and `alt`. A browser keeps about 16 such views alive: use at most
    12 in a notebook. `view`: azimuth and elevation of the first look, in degrees.

    >>> import torch
    >>> view = view3d(torch.rand(20, 3), alt="Twenty points.")
    >>> view.scenes[0].objects[0].positions.shape
    (20, 3)
    """
    scenes = list(what) if what and all(isinstance(one, Scene) for one in what) else [Scene(*what)]
    look = {"alt": described(alt), "size": size, "view": view, "bounds": None}
    explorer = Explorer(lambda: scenes, {}, **look)
    _display(explorer.build(), explorer)
    return explorer


def _things(answer: Any, alt: str) -> list[Figure | Scene]:
    """What an update function returned, as figures and scenes."""
    if answer is None:
        return []
    if isinstance(answer, list | tuple):
        return [thing for one in answer for thing in _things(one, alt)]
    if isinstance(answer, Figure | Scene):
        return [answer]
    if isinstance(answer, Item) or hasattr(answer, "vertices"):
        return [Scene(answer)]
    if isinstance(answer, str):
        return [Figure(answer, html=f"<div><p>{escape(answer)}</p></div>")]
    return [_bare_picture(as_picture(answer), alt)]


def _bare_picture(picture: np.ndarray, alt: str) -> Figure:
    """A picture described by the view's own words, which are therefore not repeated in its text."""
    figure = Figure("", picture)
    figure.html = Figure(alt, picture).as_html()
    return figure


def _player(slider: Any) -> Any:
    """A play button that runs through the slider's values, in the browser."""
    import ipywidgets

    ends = {"min": slider.min, "max": slider.max, "step": slider.step, "value": slider.value}
    play = ipywidgets.Play(**ends, interval=150, description=f"play {slider.description}")
    play._link_to_slider = ipywidgets.jslink((play, "value"), (slider, "value"))
    return play


def _flow(pictures: list[np.ndarray], width: int = 1000) -> np.ndarray:
    """Pictures in rows from left to right, each row at most `width` pixels wide."""
    rows: list[list[np.ndarray]] = []
    for picture in pictures:
        if not rows or sum(p.shape[1] for p in rows[-1]) + picture.shape[1] > width:
            rows.append([])
        rows[-1].append(picture)
    lines = [_join(row, axis=1) for row in rows]
    return _join(lines, axis=0)


def _join(pictures: list[np.ndarray], axis: int) -> np.ndarray:
    """Pictures side by side (axis 1) or one below the other (axis 0), filled up with white."""
    across = 1 - axis
    full = max(picture.shape[across] for picture in pictures)
    padded = []
    for picture in pictures:
        widths = [(0, 0), (0, 0), (0, 0)]
        widths[across] = (0, full - picture.shape[across])
        padded.append(np.pad(picture, widths, constant_values=255))
    return np.concatenate(padded, axis=axis)


def _display(widget: Any, explorer: Explorer) -> None:
    """The live widget and its static twin in one bundle, then the words for all to read."""
    if not in_notebook():
        return
    from IPython.display import display

    if in_colab():
        from google.colab import output

        output.enable_custom_widget_manager()
    data, metadata = explorer.static().bundle()
    model = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    display({**data, VIEW: model}, metadata=metadata, raw=True)
    if folder := os.environ.get("COURSE_VIEWS"):
        _keep(explorer.scenes, Path(folder), data.get("image/png", b""))


def _keep(scenes: list[LiveScene], folder: Path, still: bytes | str) -> None:
    """Keep k3d's snapshots, named after the still picture that they belong to, for the book."""
    name = snapshot_name(still if isinstance(still, str) else base64.b64encode(still).decode())
    folder.mkdir(parents=True, exist_ok=True)
    for i, live in enumerate(scenes):
        (folder / f"{name}-{i}.k3d").write_bytes(live.plot.get_binary_snapshot())


def snapshot_name(still: str) -> str:
    """The name of the snapshots that belong to a still picture, a PNG in base64 as in a notebook."""
    return hashlib.sha256(still.strip().encode()).hexdigest()[:16]
