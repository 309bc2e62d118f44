"""Notebook 07, the grid: between its corners, colours that depend on the view, and a hash of corners."""

import math

import torch
import torch.nn.functional as F

from course_lib.exercises.exercise import Case, Exercise, Tolerance, mistakes
from course_lib.nerf import grid, hashing

# Interpolation


def cells(n: int, channels: int):
    """A maker of what n cells hold at their corners, and of a place in each."""
    return lambda g: (
        torch.randn(n, 2, 2, 2, channels, generator=g),
        torch.rand(n, 3, generator=g),
    )


def at_corners(g):
    """Eight times the same cell, asked at its corners."""
    corners = torch.randn(1, 2, 2, 2, 2, generator=g).repeat(8, 1, 1, 1, 1)
    return corners, grid.CORNERS.float()


def _lerp(v, f, order=(0, 1, 2), steps=3):
    """Interpolate along one axis after the other; `order` says which fraction belongs to which."""
    for axis in order[:steps]:
        x = f[:, axis].view(-1, *[1] * (v.ndim - 2))
        v = (1 - x) * v[:, 0] + x * v[:, 1]
    return v if steps == 3 else v.flatten(1, -2).mean(1)


def _nearest(v, f):
    i, j, k = f.round().long().unbind(-1)
    return v[torch.arange(len(v)), i, j, k]


def _by_distance(v, f):
    away = (f[:, None] - grid.CORNERS).norm(dim=-1)  # (n, 8)
    w = 1 / away.clamp(min=1e-6)
    return torch.einsum("nk,nkc->nc", w / w.sum(-1, keepdim=True), v.flatten(1, 3))


def _taxi(v, f):
    w = (1 - (f[:, None] - grid.CORNERS).abs()).sum(-1)
    return torch.einsum("nk,nkc->nc", w / w.sum(-1, keepdim=True), v.flatten(1, 3))


# fmt: off
TRILINEAR_MISTAKES = mistakes({
    "smooth steps": (lambda v, f: grid.trilinear(v, f * f * (3 - 2 * f)),
        "You bend the fractions, as Perlin's noise does: w₁(x) is x itself."),
    "sides exchanged": (lambda v, f: _lerp(v, 1 - f),
        "Low and high are exchanged: at fraction 0 the lower corner (index 0) counts in full."),
    "axes the other way round": (lambda v, f: _lerp(v, f, (2, 1, 0)),
        "x and z are exchanged: corners[:, i, j, k] has i along x and k along z."),
    "axes turned": (lambda v, f: _lerp(v, f, (1, 2, 0)),
        "Your fractions belong to other axes: i goes with x, j with y, k with z."),
    "mean of the corners": (lambda v, f: v.mean((1, 2, 3)),
        "This is the mean of the corners, wherever the point is: weight them by the fractions."),
    "nearest corner": (_nearest,
        "You took the nearest corner. Between corners the value is a mixture, or it jumps."),
    "one axis only": (lambda v, f: _lerp(v, f, steps=1),
        "You interpolate along x only: y and z need the same."),
    "two axes only": (lambda v, f: _lerp(v, f, steps=2),
        "You interpolate along x and y only: z needs the same."),
    "by distance": (_by_distance,
        "Weights by distance are not linear along the axes, and depend on corners across the cell: "
        "multiply one weight for each axis."),
    "weights added": (_taxi,
        "The three weights of a corner are multiplied, not added."),
    "sum of the corners": (lambda v, f: 8 * _lerp(v, f),
        "Your weights sum to 8. They sum to 1: where all corners hold the same, so does the point."),
})
# fmt: on

TRILINEAR = Exercise(
    name="trilinear",
    points=2,
    reference=grid.trilinear,
    cases=(
        Case(
            "a corner that holds 1, the others 0",
            lambda g: (
                F.one_hot(torch.tensor([6]), 8).float().view(1, 2, 2, 2, 1),
                torch.tensor([[0.5, 0.75, 0.25]]),
            ),
            fixed=True,
        ),
        Case("some points", cells(4, 3)),
        Case("density and colour", cells(3, 13)),
        Case("at the corners themselves", at_corners),
        Case("one point", cells(1, 1)),
    ),
    misconceptions=TRILINEAR_MISTAKES,
    hints=(
        "Along one axis: (1 − x) · low + x · high. Do it along x, then y, then z: each time an axis "
        "disappears.",
        "Or all at once: the weight of corner (i, j, k) is a product of three numbers, each a fraction "
        "or 1 minus it.",
        "`w = torch.stack([1 - fraction, fraction], dim=1)` has the shape (n, 2, 3); `x, y, z = "
        "w.unbind(-1)`, and `torch.einsum('ni,nj,nk,nijkc->nc', x, y, z, corners)` is the sum. "
        'Still stuck? `solution("trilinear")`.',
    ),
    gradients=("corners", "fraction"),
)

# Colour


def lobes(n: int, k: int, channels: int = 3):
    """A maker of k coefficients for each channel, and of unit directions."""
    return lambda g: (
        torch.randn(n, k, channels, generator=g),
        F.normalize(torch.randn(n, 3, generator=g), dim=-1),
    )


def _one_by_one(h, d, *, signs=(-1, 1, -1), order=(1, 2, 0), constant=None, linear=None):
    """The reference with other constants, signs or order of y, z, x up to degree 1."""
    constant = math.sqrt(1 / (4 * math.pi)) if constant is None else constant
    linear = math.sqrt(3 / (4 * math.pi)) if linear is None else linear
    own = [constant * torch.ones(len(d))]
    own += [sign * linear * d[:, axis] for sign, axis in zip(signs, order, strict=True)]
    first = h[:, :4]
    mine = (torch.stack(own[: first.shape[1]], -1)[..., None] * first).sum(1)
    return grid.sh_color(h, d) - grid.sh_color(first, d) + mine


def _as_rows(h, d):
    """The coefficients taken as (channels, k)."""
    n, k, c = h.shape
    return grid.sh_color(h.reshape(n, c, k).transpose(1, 2), d)


def _without(h, d, keep):
    return grid.sh_color(h * keep(torch.arange(h.shape[1]))[:, None], d)


# fmt: off
SH_COLOR_MISTAKES = mistakes({
    "constant only": (lambda h, d: _without(h, d, lambda k: (k == 0).float()),
        "Your colour does not depend on the direction: only Y₀ is in it."),
    "no constant": (lambda h, d: _without(h, d, lambda k: (k > 0).float()),
        "Y₀ is missing: the part that is the same from all sides."),
    "degree 1 only": (lambda h, d: grid.sh_color(h[:, :4], d),
        "You use four coefficients at most. With k = 9 the functions of degree 2 count too."),
    "x, y, z in order": (lambda h, d: _one_by_one(h, d, order=(0, 1, 2)),
        "The order of degree 1 is y, z, x, not x, y, z."),
    "no signs": (lambda h, d: _one_by_one(h, d, signs=(1, 1, 1)),
        "Y₁ and Y₃ have a minus sign."),
    "all signs": (lambda h, d: _one_by_one(h, d, signs=(-1, -1, -1)),
        "Y₂ = +√(3/4π) z: only Y₁ and Y₃ have a minus sign."),
    "opposite direction": (lambda h, d: grid.sh_color(h, -d),
        "Your direction points the other way: d goes from the camera to the point, as the ray does."),
    "one constant for all": (lambda h, d: _one_by_one(h, d, linear=math.sqrt(1 / (4 * math.pi))),
        "Degree 1 has √(3/4π), not √(1/4π): each Y has the same mean square over the sphere."),
    "Y0 is 1": (lambda h, d: _one_by_one(h, d, constant=1.0),
        "Y₀ = √(1/4π), about 0.282, not 1."),
    "roots forgotten": (
        lambda h, d: _one_by_one(h, d, constant=1 / (4 * math.pi), linear=3 / (4 * math.pi)),
        "The roots are missing: √(1/4π) and √(3/4π)."),
    "channels first": (_as_rows,
        "You took the coefficients as (channels, k). They are (n, k, c): k before the channels."),
    "squashed": (lambda h, d: torch.sigmoid(grid.sh_color(h, d)),
        "The sum is asked for, without the sigmoid: that comes after it."),
    "mean": (lambda h, d: grid.sh_color(h, d) / h.shape[1],
        "You averaged over k. It is a sum."),
})
# fmt: on

SH_COLOR = Exercise(
    name="sh_color",
    points=2,
    reference=grid.sh_color,
    cases=(
        Case(
            "seen along z: √(1/4π) + √(3/4π)",
            lambda g: (torch.ones(1, 4, 1), torch.tensor([[0.0, 0.0, 1.0]])),
            fixed=True,
        ),
        Case("the same from all sides", lobes(4, 1)),
        Case("four for each channel", lobes(5, 4)),
        Case("nine for each channel", lobes(5, 9)),
        Case("one channel", lobes(3, 9, 1)),
    ),
    misconceptions=SH_COLOR_MISTAKES,
    hints=(
        "`x, y, z = directions.unbind(-1)`; then each Y is one number for each direction.",
        "Put all nine into a list, take the first k of it, and stack them along the last axis: (n, k).",
        '(n, k, 1) times (n, k, c), summed over axis 1. Still stuck? `solution("sh_color")`.',
    ),
    gradients=("harmonics",),
)

# Hash


def lattice_points(n: int, side: int, size: int):
    """A maker of n corners of a grid of `side` voxels, and a table's size."""
    return lambda g: (torch.randint(side + 1, (n, 3), generator=g), size)


def _hash(corners, size, *, primes=(1, 2654435761, 805459861), join=torch.bitwise_xor):
    x, y, z = (corners.long() * torch.tensor(primes)).unbind(-1)
    return join(join(x, y), z) % size


def _of_floats(corners, size):
    x, y, z = (corners.float() * torch.tensor([1.0, 2654435761.0, 805459861.0])).long().unbind(-1)
    return (x ^ y ^ z) % size


def _row_major(corners, size):
    n = int(corners.max()) + 1
    return ((corners[..., 0] * n + corners[..., 1]) * n + corners[..., 2]) % size


def _xor_first(corners, size):
    x, y, z = corners.long().unbind(-1)
    return ((x ^ y ^ z) * 2654435761 * 805459861) % size


# fmt: off
HASH_INDEX_MISTAKES = mistakes({
    "added": (lambda p, size: _hash(p, size, join=torch.add),
        "You added the three products. ⊕ is the bitwise exclusive or, `^`."),
    "or": (lambda p, size: _hash(p, size, join=torch.bitwise_or),
        "You joined by “or” (`|`), which fills the bits with ones. ⊕ is `^`."),
    "and": (lambda p, size: _hash(p, size, join=torch.bitwise_and),
        "You joined by “and” (`&`), which clears the bits. ⊕ is `^`."),
    "primes exchanged": (lambda p, size: _hash(p, size, primes=(1, 805459861, 2654435761)),
        "The primes of y and z are exchanged: 2654435761 belongs to y, 805459861 to z."),
    "axes reversed": (lambda p, size: _hash(p.flip(-1), size),
        "Your axes are reversed: x, the first column, has the factor 1."),
    "x multiplied too": (lambda p, size: _hash(p, size, primes=(73856093, 19349663, 83492791)),
        "These are the factors of Teschner's hash (2003). Here x has 1, y and z those above."),
    "no modulo": (lambda p, size: _hash(p, 1 << 62),
        "Your numbers are larger than the table: take them modulo its size."),
    "modulo one less": (lambda p, size: _hash(p, size - 1),
        "The modulus is the size itself. (With & it is size − 1, which keeps the lowest bits.)"),
    "of 32-bit floats": (_of_floats,
        "You multiplied in floating point, which keeps 24 bits: the lowest ones, which count here, are "
        "lost. Use `.long()`."),
    "row by row": (_row_major,
        "This is the row in a dense grid. Asked for is the hash, which needs no size of the grid."),
    "xor first": (_xor_first,
        "You joined the coordinates before multiplying: then (1, 2, 3) and (3, 2, 1) always collide."),
})
# fmt: on

HASH_INDEX = Exercise(
    name="hash_index",
    points=1,
    reference=hashing.hash_index,
    tolerance=Tolerance(relative=0.0, absolute=0.0),
    cases=(
        Case(
            "one step along each axis",
            lambda g: (torch.eye(3, dtype=torch.long), 1 << 15),
            fixed=True,
        ),
        Case("a coarse grid", lattice_points(6, 16, 1 << 10)),
        Case("a fine grid", lattice_points(8, 1 << 18, 1 << 19)),
        Case(
            "the corners of cells", lambda g: (torch.randint(64, (4, 8, 3), generator=g), 1 << 14)
        ),
        Case(
            "three corners, 32-bit numbers",
            lambda g: (torch.randint(500, (3, 3), generator=g).int(), 1 << 15),
        ),
    ),
    misconceptions=HASH_INDEX_MISTAKES,
    hints=(
        "`x, y, z = corners.long().unbind(-1)`: in 64 bits no product is too large.",
        "`a ^ b` is the exclusive or of whole numbers, bit by bit; `%` the modulo.",
        "`(x ^ y * 2654435761 ^ z * 805459861) % size`; * binds closer than ^.",
    ),
)
