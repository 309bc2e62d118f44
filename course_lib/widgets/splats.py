"""Gaussians to look at: their centres in a view to be turned, and their picture from the same side."""

import math

import torch
from torch import Tensor

from course_lib.cameras import look_at
from course_lib.splatting import SplatField, View, render
from course_lib.viz.pictures import FIELD, frame_camera
from course_lib.viz.scene import Item, Scene
from course_lib.widgets.explorer import Explorer, explore

SHOWN = 20_000  # centres, the most opaque ones


def view_splats(field: SplatField, *, alt: str, size: int = 260) -> Explorer:
    """Centres that can be turned by the mouse, and beside them the picture rendered from there.

    The slider `zoom` makes the focal length longer or shorter. The stored output holds a static twin.
    """
    gaussians = field.gaussians
    order = gaussians.opacities.argsort(descending=True)[:SHOWN]
    means = gaussians.means.detach()[order].cpu()
    colors = (gaussians.harmonics[order, 0].detach().cpu() * 0.2821 + 0.5).clamp(0, 1)
    cloud = Scene(Item(means, colors=colors, size=0.02 * field.region.scale), title="centres")
    where = {"camera": frame_camera(cloud)}

    def update(zoom: float) -> list:
        view = _view(field, where["camera"], size, zoom)
        with torch.no_grad():
            picture = render(field.gaussians, view, background=field.background).color
        return [cloud, picture.clamp(0, 1)]

    explorer = explore(update, {"zoom": (0.25, 4.0, 1.0)}, alt=alt, size=size)
    for live in explorer.scenes:  # one where there is k3d

        def turned(change: dict) -> None:
            eye, target, up = (change["new"][i : i + 3] for i in (0, 3, 6))
            where["camera"] = look_at(eye, target, up)
            explorer.redraw()

        live.plot.observe(turned, names="camera")
    return explorer


def _view(field: SplatField, camera: Tensor, size: int, zoom: float) -> View:
    focal = zoom * size / 2 / math.tan(FIELD / 2)
    intrinsics = torch.tensor([focal, focal, size / 2, size / 2])
    like, lens = field.background, torch.zeros(4)
    return View(camera.to(like), intrinsics.to(like), lens.to(like), (size, size), field.near)
