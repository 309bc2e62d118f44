"""A k3d view of a scene that can be changed in place."""

import importlib.util
from html import escape
from typing import Any

import numpy as np
import torch

from course_lib.meshes import undirected_edges
from course_lib.viz.colors import hexadecimal, rgb
from course_lib.viz.faces import exposed_faces
from course_lib.viz.pictures import FIELD, Number, frame_camera
from course_lib.viz.scene import Item, Scene, occupied, plain
from course_lib.widgets.page_scripts import CANVAS

FLAT_UP_TO = 400  # faces: such meshes are drawn with flat faces, finer ones smoothly
NARROWEST = 260  # pixels: views that get less stand below each other
LIGHT = 1.9  # k3d's, for colours as bright as in pictures
WIRE, WIRE_WIDTH = 0.45, 0.0025  # the edges' brightness, as in pictures; their width, of the extent


def has_k3d() -> bool:
    """Whether interactive 3D views can be shown; without k3d the static picture takes their place."""
    return importlib.util.find_spec("k3d") is not None


class LiveScene:
    """A k3d view that shows a scene and follows changes.

    `plot` is the k3d widget, `objects` what it draws, one per item and one for the edges of a mesh
    with `wire`, `box` the plot under its title. `alt` names it for those who cannot see it. A view
    that stands `beside` another one may be narrower than high.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        view: tuple[Number, Number],
        bounds: Any,
        height: int,
        alt: str,
        beside: bool = False,
    ):
        import ipywidgets
        import k3d

        self.plot = k3d.plot(
            height=height,
            grid_visible=False,
            grid_auto_fit=False,
            menu_visibility=False,
            camera_auto_fit=False,
            axes_helper=0,
            lighting=LIGHT,
            axes=["", "", ""],
            camera_fov=float(np.degrees(FIELD)),
            custom_data={"name": alt},
            additional_js_code=CANVAS,
        )
        self.plot.layout.width = "100%"
        self._title = ipywidgets.HTML()
        layout = ipywidgets.Layout(flex="1 1 270px", min_width=f"{NARROWEST}px")
        self.box = ipywidgets.VBox([self._title, self.plot], layout=layout)
        self.objects: list[Any] = []
        self._kinds: list[str] = []
        aspect = min(1.0, NARROWEST / height) if beside else 1.0  # nothing is cut off at the sides
        camera = frame_camera(scene, view, bounds, aspect)
        eye, back = camera[:3, 3], camera[:3, 2]
        target = eye - eye.norm().clamp(min=1.0) * back
        self.plot.camera = [*eye.tolist(), *target.tolist(), *camera[:3, 1].tolist()]
        self.plot.grid = _thin_grid((eye - target).norm().item())
        self.update(scene)

    def update(self, scene: Scene) -> None:
        """Show `scene`: the objects are changed in place where their kinds stay the same."""
        self._title.value = f"<b>{escape(scene.title)}</b>" if scene.title else ""
        parts = [part for index in range(len(scene.items)) for part in _parts(scene, index)]
        kinds = [item.kind for item, _ in parts]
        if kinds != self._kinds:
            for old in self.objects:
                self.plot -= old
            self.objects, self._kinds = [_make(*part) for part in parts], kinds
            for new in self.objects:
                self.plot += new
            return
        for live, part in zip(self.objects, parts, strict=True):
            _change(live, *part)


def _parts(scene: Scene, index: int) -> list[tuple[Item, int]]:
    """Item `index` with its colour, and, where a mesh has `wire`, its edges in a darker one."""
    item, color = scene.items[index], scene.color(index)
    # k3d multiplies the colours of points and vertices by the colour of the whole
    parts = [(item, hexadecimal(color) if item.colors is None else 0xFFFFFF)]
    if item.kind == "mesh" and item.wire and len(item.what.faces):
        faces = torch.as_tensor(item.what.faces).cpu().long()
        ends = item.points[undirected_edges(faces)[0]]  # (e, 2, 3)
        width = WIRE_WIDTH * max(float(np.ptp(_floats(item.points), axis=0).max()), 1e-2)
        parts.append((Item(ends, size=width), hexadecimal([WIRE * c for c in rgb(color)])))
    return parts


def _thin_grid(distance: float) -> list[float]:
    """k3d's box, which sets how far it draws: so thin that it gets few of its hidden tick labels."""
    scale = 10.0 ** np.ceil(np.log10(max(distance, 1e-6)))
    return [scale * side for side in (-1.05, -0.15, -0.15, 1.05, 0.15, 0.15)]


def _make(item: Item, color: int) -> Any:
    import k3d

    data = _data(item)
    if item.kind == "points":
        return k3d.points(color=color, shader="3d", **data)
    if item.kind == "segments":
        return k3d.lines(color=color, indices_type="segment", shader="mesh", **data)
    flat = _is_flat(item, data)
    opacity = float(item.opacity)
    return k3d.mesh(color=color, opacity=opacity, flat_shading=flat, side="double", **data)


def _data(item: Item) -> dict[str, Any]:
    """The arrays and sizes of an item under k3d's names."""
    if item.kind == "points":
        points = _floats(item.what)
        size = float(item.diameter)
        return {"positions": points, "point_size": size, "colors": _packed(item.colors)}
    if item.kind == "segments":
        ends = _floats(item.what).reshape(-1, 3)
        indices = np.arange(len(ends), dtype=np.uint32).reshape(-1, 2)
        width, colors = float(item.diameter), _packed(item.colors, repeat=2)
        return {"vertices": ends, "indices": indices, "width": width, "colors": colors}
    own, repeat = item.colors, 1
    if item.kind == "voxels":
        vertices, faces = exposed_faces(occupied(item.what))
        own = None
    else:
        vertices, faces = plain(item.what.vertices), torch.as_tensor(item.what.faces).cpu()
        if own is not None and len(own) == len(faces) != len(vertices):  # one for each face
            vertices, repeat = vertices[faces.reshape(-1)], 3
            faces = torch.arange(3 * len(faces)).reshape(-1, 3)
    colors = _packed(own, repeat=repeat)
    return {"vertices": _floats(vertices), "indices": _whole(faces), "colors": colors}


def _change(live: Any, item: Item, color: int) -> None:
    """Write new arrays into a live object, in an order in which indices are never out of range."""
    data = _data(item)
    live.color = color
    live.colors = np.zeros(0, dtype=np.uint32)  # colours of another length would not fit meanwhile
    if item.kind == "points":
        live.positions, live.point_size = data["positions"], data["point_size"]
    else:
        growing = len(data["vertices"]) >= len(live.vertices)
        for name in ("vertices", "indices") if growing else ("indices", "vertices"):
            setattr(live, name, data[name])
    if item.kind == "mesh":
        live.opacity, live.flat_shading = float(item.opacity), _is_flat(item, data)
    if len(data["colors"]):
        live.colors = data["colors"]


def _is_flat(item: Item, data: dict[str, Any]) -> bool:
    return item.kind == "voxels" or len(data["indices"]) <= FLAT_UP_TO


def _floats(data: Any) -> np.ndarray:
    return np.ascontiguousarray(plain(data).numpy(), dtype=np.float32)


def _whole(faces: Any) -> np.ndarray:
    return np.ascontiguousarray(faces.numpy(), dtype=np.uint32)


def _packed(colors: Any, repeat: int = 1) -> np.ndarray:
    if colors is None:
        return np.zeros(0, dtype=np.uint32)
    channels = (plain(colors) * 255 + 0.5).long()
    packed = channels[:, 0] << 16 | channels[:, 1] << 8 | channels[:, 2]
    return packed.repeat_interleave(repeat).numpy().astype(np.uint32)
