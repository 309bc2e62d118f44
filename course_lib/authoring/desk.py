"""The course's own scene: a table with things on it that are hard for a radiance field.

Textures, thin rods and legs, concave bowl and mug, glossy highlights that move with the viewer, hard
shadows. It is a signed distance function, so its true surface is known. World units, y up, inside
[-1.1, 1.1]³.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib import shapes
from course_lib.rasterize import sdf_normals, sphere_trace
from course_lib.shapes import Sdf

TO_LIGHT = torch.nn.functional.normalize(torch.tensor([0.5, 0.9, 0.35]), dim=0)
Paint = Callable[[Float[Tensor, "n 3"]], Float[Tensor, "n 3"]]


class Part(NamedTuple):
    """A thing on the table: its shape, its colour at each point, and how much it shines."""

    sdf: Sdf
    paint: Paint
    gloss: float = 0.0


def plain(*color: float) -> Paint:
    """One colour everywhere."""
    return lambda p: p.new_tensor(color).expand(len(p), 3)


def blend(first: Paint, second: Paint, share: Callable[[Tensor], Tensor]) -> Paint:
    """Two paints; `share` of the points, in [0, 1], says how much of the second."""
    return lambda p: torch.lerp(first(p), second(p), share(p)[:, None])


def edge(x: Tensor, width: float = 0.02) -> Tensor:
    """0 below and 1 above x = 0, softened over `width`."""
    return (x / width + 0.5).clamp(0, 1)


def chequer(period: float) -> Callable[[Tensor], Tensor]:
    """A chessboard in the xz plane."""
    k = math.pi / period
    return lambda p: edge((k * p[:, 0]).sin() * (k * p[:, 2]).sin(), 0.15)


def stripes(axis: int, period: float, swirl: float = 0.0) -> Callable[[Tensor], Tensor]:
    """Bands across an axis, bent by `swirl`."""

    def share(p: Tensor) -> Tensor:
        bent = p[:, axis] + swirl * torch.sin(9 * p[:, (axis + 1) % 3]) * torch.cos(7 * p[:, 0])
        return edge(torch.sin(2 * math.pi / period * bent), 0.3)

    return share


def parts() -> tuple[Part, ...]:
    """Everything on the table, and the table."""
    return (*_table(), *_mug(), *_lamp(), *_bowl(), *_books(), *_ball_and_ring())


def _table() -> list[Part]:
    top = shapes.cylinder(1.0, 0.08, (0, -0.5, 0))
    wood = blend(plain(0.75, 0.58, 0.38), plain(0.52, 0.33, 0.18), stripes(2, 0.17, 0.02))
    tiles = blend(plain(0.90, 0.88, 0.82), wood, chequer(0.25))
    leg = shapes.capsule((0.5, -0.52, 0.5), (0.62, -0.98, 0.62), 0.035)
    return [Part(top, tiles, 0.15), Part(shapes.mirror(leg, 0, 2), plain(0.25, 0.2, 0.2))]


def _mug() -> list[Part]:
    hollow = shapes.cylinder(0.18, 0.5, (-0.45, -0.12, 0.35))
    cup = shapes.difference(shapes.cylinder(0.22, 0.44, (-0.45, -0.24, 0.35)), hollow)
    ring = shapes.rotate(shapes.torus(0.13, 0.03), 0, 90)
    handle = shapes.difference(shapes.translate(ring, (-0.69, -0.24, 0.35)), hollow)
    glaze = blend(plain(0.1, 0.25, 0.6), plain(0.95, 0.95, 0.9), stripes(1, 0.15, 0.02))
    return [Part(cup, glaze, 0.45), Part(handle, plain(0.1, 0.25, 0.6), 0.45)]


def _lamp() -> list[Part]:
    rods = shapes.union(
        shapes.capsule((-0.35, -0.42, -0.5), (-0.55, 0.3, -0.55), 0.025),
        shapes.capsule((-0.55, 0.3, -0.55), (-0.05, 0.68, -0.3), 0.025),
    )
    dome = shapes.shell(shapes.sphere(0.24, (0.0, 0.52, -0.27)), 0.035)
    shade = shapes.difference(dome, shapes.box((0.8, 0.4, 0.8), (0.0, 0.3, -0.27)))
    foot = shapes.cylinder(0.16, 0.05, (-0.35, -0.44, -0.5))
    metal = plain(0.3, 0.32, 0.35)
    return [
        Part(rods, metal, 0.3),
        Part(foot, metal, 0.3),
        Part(shade, blend(plain(0.9, 0.5, 0.1), plain(0.95, 0.8, 0.3), stripes(0, 0.12)), 0.2),
    ]


def _bowl() -> list[Part]:
    dome = shapes.shell(shapes.sphere(0.27, (0.4, -0.18, -0.4)), 0.04)
    bowl = shapes.difference(dome, shapes.box((0.8, 0.4, 0.8), (0.4, 0.06, -0.4)))
    fruit = [((0.36, -0.28, -0.33), (0.85, 0.2, 0.1)), ((0.5, -0.27, -0.45), (0.55, 0.7, 0.15))]
    return [
        Part(bowl, blend(plain(0.2, 0.5, 0.45), plain(0.9, 0.9, 0.8), stripes(1, 0.1)), 0.3)
    ] + [Part(shapes.sphere(0.11, center), plain(*color), 0.4) for center, color in fruit]


def _books() -> list[Part]:
    looks = (((0.42, 0.07, 0.3), 12, (0.6, 0.15, 0.2)), ((0.36, 0.06, 0.28), -20, (0.2, 0.4, 0.3)))
    books, height = [], -0.46
    for size, turn, color in looks:
        book = shapes.rotate(shapes.rounded_box(size, 0.01), 1, turn)
        book = shapes.translate(book, (0.05, height + size[1] / 2, 0.6))
        title = blend(plain(*color), plain(0.95, 0.85, 0.5), stripes(0, 0.11, 0.01))
        books.append(Part(book, title, 0.1))
        height += size[1]
    return books


def _ball_and_ring() -> list[Part]:
    swirls = blend(plain(0.85, 0.12, 0.12), plain(0.98, 0.95, 0.9), stripes(1, 0.13, 0.06))
    ring = shapes.rotate(shapes.torus(0.17, 0.05), 0, 65)
    return [
        Part(shapes.sphere(0.2, (0.55, -0.26, 0.2)), swirls, 0.6),
        Part(shapes.translate(ring, (0.0, -0.3, 0.05)), plain(0.55, 0.3, 0.65), 0.5),
    ]


def scene_sdf() -> Sdf:
    """The whole scene as one shape."""
    return shapes.union(*(part.sdf for part in parts()))


@torch.no_grad()
def shade(origins: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]) -> Float[Tensor, "n 4"]:
    """Colour and coverage (1 or 0) of rays: Lambert and Blinn-Phong under a lamp with hard shadows."""
    sdf = scene_sdf()
    t, hit = sphere_trace(sdf, origins, directions, near=2.0, far=6.5, steps=96, tolerance=5e-4)
    p, d = (origins + t[:, None] * directions)[hit], directions[hit]
    normal = sdf_normals(sdf, p, 2e-3)
    color, gloss = _material(p)
    light = TO_LIGHT.to(p)
    toward = (normal @ light).clamp(min=0)
    start = p + 0.01 * normal
    _, shadow = sphere_trace(sdf, start, light.expand_as(p), far=3.0, steps=48)
    lit = toward * ~shadow
    half = torch.nn.functional.normalize(light - d, dim=-1)
    highlight = gloss * (normal * half).sum(-1).clamp(min=0) ** 25 * lit
    ambient = 0.42 + 0.13 * normal[:, 1]
    rgb = color * (ambient + 0.6 * lit)[:, None] + highlight[:, None]
    out = origins.new_zeros(len(origins), 4)
    out[hit] = torch.cat([rgb.clamp(0, 1), torch.ones_like(rgb[:, :1])], dim=-1)
    return out


def _material(points: Tensor) -> tuple[Tensor, Tensor]:
    """Colour and gloss of the part that is nearest to each point."""
    everything = parts()
    nearest = torch.stack([part.sdf(points) for part in everything]).argmin(0)
    color, gloss = torch.zeros_like(points), torch.zeros_like(points[:, 0])
    for index, part in enumerate(everything):
        mine = nearest == index
        color[mine], gloss[mine] = part.paint(points[mine]), part.gloss
    return color, gloss
