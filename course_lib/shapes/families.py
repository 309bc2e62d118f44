"""Procedural families of objects: chairs, tables, lamps, mugs, aeroplanes, bottles.

Every object is a union of a few coloured parts, stands upright (y up) and lies in [−1, 1]³, but for
about one lamp in six, whose shade, a ball, stands out on top: grids and meshes cut it off there. The
same family and seed give the same object on every machine.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.meshes import Mesh, grid_to_mesh, lattice
from course_lib.shapes.csg import difference, mirror, rotate, translate, union
from course_lib.shapes.primitives import (
    Sdf,
    box,
    capsule,
    cone,
    cylinder,
    rounded_box,
    sphere,
    torus,
)

Colour = tuple[float, float, float]
Part = tuple[str, Sdf]

# Distinguishable with the common kinds of colour blindness (after Okabe and Ito).
PALETTE: tuple[Colour, ...] = (
    (0.90, 0.62, 0.00),  # orange
    (0.34, 0.71, 0.91),  # sky blue
    (0.00, 0.62, 0.45),  # green
    (0.94, 0.89, 0.26),  # yellow
    (0.00, 0.45, 0.70),  # blue
    (0.84, 0.37, 0.00),  # vermilion
    (0.80, 0.47, 0.65),  # purple
)


@dataclass(frozen=True)
class Shape:
    """One object of a family: its parts, as named signed distance functions.

    >>> mug = make_shape("mug", 0)
    >>> mug.name, mug.part_names
    ('mug-0', ('body', 'handle'))
    """

    family: str
    seed: int
    part_names: tuple[str, ...]
    part_sdfs: tuple[Sdf, ...]
    part_colors: Float[Tensor, "k 3"]

    @property
    def name(self) -> str:
        """The family and the seed, such as "chair-3"."""
        return f"{self.family}-{self.seed}"

    def sdf(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """The signed distance of the whole object: the union of its parts."""
        return union(*self.part_sdfs)(points)

    def part_labels(self, points: Float[Tensor, "*n 3"]) -> Int[Tensor, "*n"]:
        """The number of the part nearest to (or deepest around) each point."""
        return torch.stack([part(points) for part in self.part_sdfs], dim=-1).argmin(dim=-1)

    def colors(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """The colour, in [0, 1], of the part that each point belongs to."""
        return self.part_colors.to(points)[self.part_labels(points)]

    def mesh(self, resolution: int = 64) -> Mesh:
        """The surface as a mesh, marched on resolution³ cells of [−1, 1]³: closed if it lies inside."""
        return grid_to_mesh(self.sdf(lattice(resolution)))


def make_shape(family: str, seed: int = 0) -> Shape:
    """An object of a family (`FAMILIES` names them), drawn by `seed`.

    >>> make_shape("chair", 3).name
    'chair-3'
    """
    if family not in FAMILIES:
        raise ValueError(f"expected a family of {', '.join(FAMILIES)}, got {family!r}")
    random = Random(f"{family}-{seed}")  # a string seeds it by its content
    names, sdfs = zip(*FAMILIES[family](random), strict=True)
    colors = random.sample(PALETTE, len(sdfs))
    return Shape(family, seed, names, sdfs, torch.tensor(colors))


def _chair(random: Random) -> Iterator[Part]:
    width, depth = random.uniform(0.9, 1.3), random.uniform(0.9, 1.2)
    thickness, leg = random.uniform(0.1, 0.18), random.uniform(0.09, 0.15)
    floor, seat = -0.9, random.uniform(-0.2, 0.1)
    yield "seat", box((width, thickness, depth), (0, seat, 0))
    height = seat - floor
    corner = ((width - leg) / 2, floor + height / 2, (depth - leg) / 2)
    if random.random() < 0.5:
        post = box((leg, height, leg), corner)
    else:
        post = cylinder(leg / 2, height, corner)
    yield "legs", mirror(post, 0, 2)
    top, at_back = random.uniform(0.7, 0.95), -(depth - leg) / 2
    size, centre = (width, top - seat, leg), (0.0, (top + seat) / 2, at_back)
    back = box(size, centre)
    if random.random() < 0.5:  # posts and a top rail instead of a board
        rail = box((width, 0.25, leg), (0, top - 0.125, at_back))
        back = union(rail, mirror(box((leg, top - seat, leg), (corner[0], centre[1], at_back)), 0))
    yield "back", back
    if random.random() < 0.4:
        rest, height = seat + random.uniform(0.3, 0.45), 0.1
        arm = box((leg, height, depth), (corner[0], rest, 0))
        support = box((leg, rest - seat, leg), (corner[0], (rest + seat) / 2, corner[2]))
        yield "arms", mirror(union(arm, support), 0)


def _table(random: Random) -> Iterator[Part]:
    width, depth = random.uniform(1.4, 1.8), random.uniform(0.9, 1.4)
    thickness, leg = random.uniform(0.1, 0.16), random.uniform(0.1, 0.18)
    floor, top = -0.7, random.uniform(0.0, 0.5)
    middle, height = (floor + top) / 2, top - floor
    if random.random() < 0.4:
        yield "top", cylinder(width / 2, thickness, (0, top, 0))
        foot = cone(random.uniform(0.35, 0.6), leg / 2, 0.3, (0, floor + 0.15, 0))
        yield "pedestal", union(cylinder(leg / 2, height, (0, middle, 0)), foot)
        return
    yield "top", box((width, thickness, depth), (0, top, 0))
    corner = (width / 2 - leg, middle, depth / 2 - leg)
    square = random.random() < 0.5
    post = box((leg, height, leg), corner) if square else cylinder(leg / 2, height, corner)
    yield "legs", mirror(post, 0, 2)
    if random.random() < 0.3:
        yield "shelf", box((width - leg, 0.08, depth - leg), (0, floor + 0.3 * height, 0))


def _lamp(random: Random) -> Iterator[Part]:
    base, floor = random.uniform(0.3, 0.55), -0.9
    pole, middle = random.uniform(0.04, 0.07), random.uniform(0.2, 0.4)
    if random.random() < 0.6:
        yield "base", cylinder(base, 0.12, (0, floor + 0.06, 0))
    else:
        yield "base", cone(base, 2 * pole, 0.35, (0, floor + 0.175, 0))
    wide, tall = random.uniform(0.45, 0.75), random.uniform(0.4, 0.6)
    top = middle + tall - 0.15  # inside the top of the shade
    yield "pole", cylinder(pole, top - floor, (0, (top + floor) / 2, 0))
    if random.random() < 0.3:
        yield "shade", sphere(0.6 * wide, (0, top, 0))
        return
    narrow, centre = wide * random.uniform(0.3, 0.9), (0, middle + tall / 2 - 0.1, 0)
    hollow = cone(wide - 0.09, max(narrow - 0.09, 0.0), tall, (0, centre[1] - 0.09, 0))
    yield "shade", difference(cone(wide, narrow, tall, centre), hollow)


def _mug(random: Random) -> Iterator[Part]:
    radius, height = random.uniform(0.42, 0.58), random.uniform(0.9, 1.5)
    wall, left = random.uniform(0.08, 0.12), -0.2
    cavity = cylinder(radius - wall, height, (left, wall, 0))
    outside = cylinder(radius, height, (left, 0, 0))
    if random.random() < 0.4:
        lean = random.uniform(0.75, 0.9)
        outside = cone(lean * radius, radius, height, (left, 0, 0))
        cavity = cone(lean * radius - wall, radius - wall, height, (left, wall, 0))
    yield "body", difference(outside, cavity)
    tube, ring = random.uniform(0.06, 0.09), random.uniform(0.22, 0.32)
    ring = min(ring, height / 2 - 0.15)
    handle = rotate(torus(ring, tube), 0, 90.0)
    handle = translate(handle, (left + radius, random.uniform(-0.05, 0.1), 0))
    yield "handle", difference(handle, cavity)


def _aeroplane(random: Random) -> Iterator[Part]:
    radius, half = random.uniform(0.11, 0.18), random.uniform(0.65, 0.75)
    yield "fuselage", capsule((0, 0, -half), (0, 0, half), radius)
    span, chord = random.uniform(0.7, 0.85), random.uniform(0.25, 0.4)
    sweep, at, lift = random.uniform(0.0, 25.0), random.uniform(-0.1, 0.1), -0.3 * radius
    wing = rotate(box((span, 0.08, chord), (span / 2, 0, 0)), 1, sweep)  # tips towards the tail
    yield "wings", translate(mirror(wing, 0), (0, lift, at + 0.15))
    fin_height, fin = random.uniform(0.3, 0.5), random.uniform(0.2, 0.3)
    upright = box((0.08, fin_height, fin), (0, fin_height / 2, -half))
    plane_height = 0.05 if random.random() < 0.7 else fin_height
    level = box((random.uniform(0.5, 0.8), 0.08, fin * 0.8), (0, plane_height, -half))
    yield "tail", union(upright, level)
    if random.random() < 0.6:
        x, length = random.uniform(0.3, 0.45), 0.15
        ahead, below = at + 0.25 - x * sweep / 60, lift - 0.12
        engine = capsule((x, below, ahead - length), (x, below, ahead + length), 0.09)
        yield "engines", mirror(engine, 0)


def _bottle(random: Random) -> Iterator[Part]:
    radius, floor = random.uniform(0.28, 0.45), -0.95
    body, shoulder = random.uniform(0.8, 1.15), random.uniform(0.15, 0.4)
    neck, neck_height = random.uniform(0.09, 0.15), random.uniform(0.2, 0.35)
    square = random.random() < 0.3
    if square:
        trunk = rounded_box((2 * radius, body, 2 * radius), 0.08, (0, floor + body / 2, 0))
    else:
        trunk = cylinder(radius, body, (0, floor + body / 2, 0))
    top = floor + body - 0.04  # solids that only touch would leave a zero set inside
    yield "body", union(trunk, cone(radius, neck, shoulder, (0, top + shoulder / 2, 0)))
    top += shoulder
    yield "neck", cylinder(neck, neck_height + 0.1, (0, top + neck_height / 2, 0))
    yield "cap", cylinder(neck + 0.04, 0.12, (0, top + neck_height, 0))


FAMILIES: dict[str, Callable[[Random], Iterator[Part]]] = {
    "chair": _chair,
    "table": _table,
    "lamp": _lamp,
    "mug": _mug,
    "aeroplane": _aeroplane,
    "bottle": _bottle,
}
