"""Pictures of 3D things by our own renderer: shaded, framed, antialiased, on white.

>>> from course_lib import meshes
>>> render_mesh(meshes.icosphere(2), size=32).shape
(32, 32, 3)
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from course_lib.cameras import look_at, project
from course_lib.viz.colors import Number, rgb
from course_lib.viz.faces import exposed_faces, shaded_corners
from course_lib.viz.scene import Item, Scene, occupied, plain
from course_lib.zbuffer import draw_faces

Picture = UInt8[np.ndarray, "h w 3"]
Size = int | tuple[int, int]
FIELD = math.radians(30)  # of view, vertically
FILLED = 0.9  # of the picture, by what it shows


def render(
    *what: Any,
    size: Size = 256,
    view: tuple[Number, Number] = (30.0, 20.0),
    camera: Tensor | None = None,
    bounds: Any = None,
    samples: int = 2,
) -> Picture:
    """A picture (h, w, 3) of meshes, clouds (n, 3), segments (n, 2, 3), voxel grids, `Item`s, a `Scene`.

    size: pixels, one number or (height, width). view: azimuth and elevation of the eye in degrees
    (0, 0 looks from +z; azimuth turns towards +x). The camera frames everything, or the box `bounds`
    ((2, 3): least and greatest corner), which keeps the framing still while things move. `camera`
    (4, 4) camera-to-world replaces both. Each pixel averages samples² rays.
    `ValueError` for nothing to draw, NaN, or wrong shapes.

    >>> render(torch.rand(10, 3), size=(16, 24)).shape
    (16, 24, 3)
    """
    scene = what[0] if len(what) == 1 and isinstance(what[0], Scene) else Scene(*what)
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1 or samples < 1:
        raise ValueError(f"expected size >= 1 and samples >= 1, got {size} and {samples}")
    camera = frame_camera(scene, view, bounds, width / height) if camera is None else plain(camera)
    height, width = height * samples, width * samples
    focal = height / (2 * math.tan(FIELD / 2))
    image = torch.ones(height, width, 3)
    nearest = torch.full((height, width), torch.inf)
    for color, depth, opacity in _layers(scene, camera, focal, height, width):
        closer = depth < nearest
        image[closer] = opacity * color[closer] + (1 - opacity) * image[closer]
        if opacity == 1:
            nearest[closer] = depth[closer]
    image = image.reshape(height // samples, samples, width // samples, samples, 3).mean(dim=(1, 3))
    return (image * 255 + 0.5).clamp(0, 255).byte().numpy()


def render_mesh(mesh: Any, *, color: Any = None, colors: Any = None, **options) -> Picture:
    """A picture of one mesh or a list of meshes; see `render` for the options, `Item` for colours.

    `wire=True` draws the edges too. `colors` (one per vertex or face) is for a single mesh.
    """
    wire, opacity = options.pop("wire", False), options.pop("opacity", 1.0)
    meshes = mesh if isinstance(mesh, list | tuple) else [mesh]
    if colors is not None and len(meshes) != 1:
        raise ValueError("expected a single mesh with colors=")
    look = {"color": color, "colors": colors, "wire": wire, "opacity": opacity}
    return render(*(Item(one, **look) for one in meshes), **options)


def render_points(
    points: Any,
    *,
    color: Any = None,
    colors: Any = None,
    point_size: Number | None = None,
    **options,
) -> Picture:
    """A picture of one cloud (n, 3) or a list of clouds as small balls; see `render`, `Item`.

    `point_size` is the balls' diameter in world units, by default chosen from the number of points.
    """
    clouds = points if isinstance(points, list | tuple) else [points]
    if colors is not None and len(clouds) != 1:
        raise ValueError("expected a single cloud with colors=")
    look = {"color": color, "colors": colors, "size": point_size}
    return render(*(Item(one, **look) for one in clouds), **options)


def render_voxels(grid: Any, *, color: Any = None, **options) -> Picture:
    """A picture of a voxel grid (r, r, r), drawn as cubes where it is at least 0.5; see `render`."""
    options.setdefault("bounds", torch.tensor([[-1.0, -1, -1], [1, 1, 1]]))
    return render(Item(grid, color=color), **options)


def frame_bounds(*what: Any) -> Tensor:
    """The box (2, 3) around everything given: pass it as `bounds` to keep several pictures alike.

    >>> frame_bounds(torch.tensor([[0.0, 0, 0], [1, 2, 3]])).tolist()
    [[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]
    """
    points = torch.cat([item.points for item in Scene(*what).items])
    return torch.stack([points.amin(dim=0), points.amax(dim=0)])


def frame_camera(
    scene: Scene,
    view: tuple[Number, Number] = (30.0, 20.0),
    bounds: Any = None,
    aspect: float = 1.0,
) -> Tensor:
    """A camera (4, 4) in direction `view`, as near as it can be with all points (or the box) in view.

    >>> frame_camera(Scene(torch.eye(3)), (0, 0))[:3, 0].tolist()
    [1.0, 0.0, 0.0]
    """
    if bounds is None:
        points = torch.cat([item.points for item in scene.items])
        box = torch.stack([points.amin(dim=0), points.amax(dim=0)])
    else:
        box = plain(bounds)
        points = torch.cartesian_prod(*box.T)  # the 8 corners
    azimuth, elevation = (math.radians(angle) for angle in view)
    ring, height = math.cos(elevation), math.sin(elevation)
    direction = torch.tensor([ring * math.sin(azimuth), height, ring * math.cos(azimuth)])
    centre = box.mean(dim=0)
    camera = look_at(centre + direction, centre)
    x, y, z = ((points - centre) @ camera[:3, :3]).unbind(dim=1)
    slope = math.tan(FIELD / 2) * FILLED
    thick = max((item.size or 0) / 2 for item in scene.items)
    across = (torch.maximum(y.abs(), x.abs() / aspect) + thick) / slope
    beside = z.max().item() + (box[1] - box[0]).norm().item() / 2  # never right in front of a point
    distance = max((across + z).max().item(), beside, 1e-2)
    return look_at(centre + distance * direction, centre)


def _layers(
    scene: Scene, camera: Tensor, focal: float, height: int, width: int
) -> Iterator[tuple[Tensor, Tensor, Number]]:
    """Each item's colour (h, w, 3), depth (h, w) and opacity: opaque ones first, then far to near."""
    order = sorted(range(len(scene.items)), key=lambda i: scene.items[i].opacity < 1)
    for index in order:
        item, base = scene.items[index], torch.tensor(rgb(scene.color(index)))
        if item.kind in ("mesh", "voxels"):
            layer = _faces_layer(item, base, camera, focal, height, width)
        else:
            layer = _balls_layer(item, base, camera, focal, height, width)
        yield *layer, item.opacity


def _faces_layer(
    item: Item, base: Tensor, camera: Tensor, focal: float, height: int, width: int
) -> tuple[Tensor, Tensor]:
    if item.kind == "voxels":
        vertices, faces = exposed_faces(occupied(item.what))
        colors = None
    else:
        vertices, faces = plain(item.what.vertices), torch.as_tensor(item.what.faces).cpu().long()
        colors = None if item.colors is None else plain(item.colors)
    if len(faces) == 0:
        return torch.ones(height, width, 3), torch.full((height, width), torch.inf)
    pixels, depth = project(vertices, camera, focal, height, width)
    fragments = draw_faces(pixels, depth, faces, height, width)
    corners = shaded_corners(vertices, faces, camera, colors, base, smooth=item.kind == "mesh")
    color = fragments.interpolate(corners).clamp(0, 1)
    if item.wire:
        color = color * _edge_ink(fragments, pixels, faces, height)[..., None]
    return color, fragments.depth


def _edge_ink(fragments: Any, pixels: Tensor, faces: Tensor, height: int) -> Tensor:
    """A factor (h, w) that darkens pixels near an edge of their face: 0.45 on it, 1 away from it."""
    a, b, c = pixels[faces].unbind(dim=1)
    edges = torch.stack([c - b, a - c, b - a], dim=1)  # opposite to corner 0, 1, 2
    area = (edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]).abs()
    heights = area[:, None] / edges.norm(dim=2).clamp(min=1e-6)  # in pixels, (f, 3)
    away = fragments.barycentric * heights[fragments.face.clamp(min=0)]
    thickness = max(1.0, height / 400)
    return 0.45 + 0.55 * (away.amin(dim=-1) / thickness).clamp(0, 1)


def _balls_layer(
    item: Item, base: Tensor, camera: Tensor, focal: float, height: int, width: int
) -> tuple[Tensor, Tensor]:
    """Points, or segments as rows of points, drawn as shaded discs."""
    if item.kind == "segments":
        points, colors = _beads(item, camera, focal, height, width)
    else:
        points, colors = plain(item.what), item.colors
    base = base.expand(len(points), 3) if colors is None else plain(colors)
    pixels, depth = project(points, camera, focal, height, width)
    radius = (focal * item.diameter / 2 / depth.clamp(min=1e-6)).clamp(0.7, height / 4)
    return _splat(pixels, depth, radius, base, (height, width))


def _beads(
    item: Item, camera: Tensor, focal: float, height: int, width: int
) -> tuple[Tensor, Tensor | None]:
    """Segments as rows of points, one for each pixel, and their colours."""
    segments = plain(item.what)  # (n, 2, 3)
    pixels, depth = project(segments.reshape(-1, 3), camera, focal, height, width)
    length = (pixels[1::2] - pixels[::2]).norm(dim=1)
    length = torch.where((depth > 0).reshape(-1, 2).all(dim=1), length, torch.zeros_like(length))
    count = (length.clamp(max=4 * (height + width)).ceil().long() + 1).clamp(min=2)
    index = torch.repeat_interleave(torch.arange(len(segments)), count)
    step = torch.arange(len(index)) - torch.repeat_interleave(count.cumsum(0) - count, count)
    share = (step / (count[index] - 1))[:, None]
    points = segments[index, 0] * (1 - share) + segments[index, 1] * share
    return points, None if item.colors is None else plain(item.colors)[index]


def _splat(
    pixels: Tensor, depth: Tensor, radius: Tensor, base: Tensor, shape: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Discs of `radius` pixels, shaded like balls, the nearest on top; stamped size by size."""
    color = torch.ones(*shape, 3).reshape(-1, 3)
    nearest = torch.full(shape, torch.inf).reshape(-1)
    reach = radius.ceil().long()
    for r in torch.unique(reach[depth > 1e-6]).tolist():
        chosen = torch.nonzero((reach == r) & (depth > 1e-6))[:, 0]
        y, x = torch.meshgrid(torch.arange(-r, r + 1), torch.arange(-r, r + 1), indexing="ij")
        offsets = torch.stack([x, y], dim=-1).reshape(-1, 2)  # (k, 2)
        limit = max(1, (1 << 21) // len(offsets))
        for part in chosen.split(limit):
            place = pixels[part].floor()[:, None] + offsets  # (n, k, 2)
            away = (place + 0.5 - pixels[part][:, None]) / radius[part][:, None, None]
            height = (1 - (away**2).sum(dim=-1)).clamp(min=0).sqrt()  # of the ball over the disc
            inside = ((away**2).sum(dim=-1) <= 1) & (place >= 0).all(dim=-1)
            inside &= (place[..., 0] < shape[1]) & (place[..., 1] < shape[0])
            point, stamp = inside.nonzero(as_tuple=True)
            target = (place[point, stamp, 1] * shape[1] + place[point, stamp, 0]).long()
            light = 0.62 + 0.38 * height - 0.22 * (away[..., 1] + away[..., 0] * 0.5) * 0.7
            ink = base[part[point]] * light[point, stamp][:, None]
            order = depth[part[point]].argsort(descending=True, stable=True)
            target, ink, near = target[order], ink[order], depth[part[point]][order]
            _keep_nearest(color, nearest, target, ink, near)
    return color.reshape(*shape, 3).clamp(0, 1), nearest.reshape(shape)


def _keep_nearest(
    color: Tensor, nearest: Tensor, target: Tensor, ink: Tensor, depth: Tensor
) -> None:
    """Write ink where it is nearer than what is there; `target` comes sorted far to near."""
    canvas, buffer = color.numpy(), nearest.numpy()  # of NumPy's repeated indices the last counts
    closer = depth.numpy() < buffer[target.numpy()]
    where = target.numpy()[closer]
    canvas[where], buffer[where] = ink.numpy()[closer], depth.numpy()[closer]
