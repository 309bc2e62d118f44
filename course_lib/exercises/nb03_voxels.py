"""Notebook 03, voxels."""

import torch

from course_lib import shapes, voxels
from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.voxels import voxel_centers


def _random_box(g):
    """The size and centre of a box somewhere in the cube."""
    size, center = 1.0 + 0.6 * torch.rand(3, generator=g), 0.2 * torch.rand(3, generator=g) - 0.1
    return tuple(size.tolist()), tuple(center.tolist())


def _voxelize_box(candidate, size, center, resolution):
    return candidate(shapes.box(size, center), resolution)


def _grid_of(sdf, line, indexing="ij"):
    points = torch.stack(torch.meshgrid(line, line, line, indexing=indexing), dim=-1)
    return sdf(points) <= 0


def _centers(r):
    return (2 * torch.arange(r) + 1) / r - 1


# fmt: off
VOXELIZE_MISTAKES = mistakes({
    "strictly inside": (lambda sdf, r: sdf(voxel_centers(r)) < 0,
        "A centre exactly on the surface, SDF = 0, counts as occupied: `<=`, not `<`."),
    "indexing xy": (lambda sdf, r: _grid_of(sdf, _centers(r), "xy"),
        "x and y are exchanged: `torch.meshgrid` needs `indexing='ij'` for axes x, y, z."),
    "unit cube": (lambda sdf, r: _grid_of(sdf, (torch.arange(r) + 0.5) / r),
        "Your centres lie in [0, 1]; the grid covers [−1, 1]."),
    "surface only": (lambda sdf, r: sdf(voxel_centers(r)).abs() <= 1 / r,
        "You marked a band around the surface; everything *inside* is occupied, SDF ≤ 0."),
    "a number": (lambda sdf, r: sdf(voxel_centers(r)),
        "These are the distances themselves: compare them with 0."),
    "corners": (lambda sdf, r: _grid_of(sdf, torch.linspace(-1, 1, r)),
        "You evaluated on linspace(−1, 1, r): its ends lie on the cube's sides, but the "
        "outermost *centres* lie half a voxel inside, at ±(1 − 1/r)."),
    "lower corners": (lambda sdf, r: _grid_of(sdf, 2 * torch.arange(r) / r - 1),
        "You evaluated at each voxel's lower corner: the grid is shifted by half a voxel."),
    "sign": (lambda sdf, r: ~_grid_of(sdf, _centers(r)),
        "Inside and outside are exchanged: the SDF is *negative* inside."),
    "axes reversed": (
        lambda sdf, r: _grid_of(sdf, _centers(r)).permute(2, 1, 0),
        "Your axes run z, y, x: index (i, j, k) means x, y, z (`indexing='ij'`)."),
})
# fmt: on

VOXELIZE = Exercise(
    name="voxelize",
    reference=voxels.voxelize,
    points=2,
    call=_voxelize_box,
    cases=(
        Case(
            "a box whose sides meet centres",
            lambda g: ((1.25, 1.5, 0.25), (0.0,) * 3, 8),
            fixed=True,
        ),
        Case("a plate", lambda g: ((1.149, 0.5, 0.2), (0.3, 0.0, -0.2), 8), fixed=True),
        Case("a box", lambda g: (*_random_box(g), 12)),
        Case("another box, finer", lambda g: (*_random_box(g), 21)),
    ),
    misconceptions=VOXELIZE_MISTAKES,
    hints=(
        "First the centres along one axis; then all combinations; then one call of `sdf`.",
        "Voxel i has its centre at −1 + (2i + 1)/r.",
        "`torch.stack(torch.meshgrid(line, line, line, indexing='ij'), dim=-1)` is (r, r, r, 3).",
    ),
)


def _random_grid(share, *shape):
    return lambda g: (torch.rand(*shape, generator=g) < share,)


# fmt: off
FRACTION_MISTAKES = mistakes({
    "percent": (lambda grid: 100 * grid.float().mean(),
        "A hundred times too much: the fraction is in [0, 1], the slide shows percent."),
    "count": (lambda grid: grid.sum().float(),
        "That is the number of occupied voxels. Divide by the number of all voxels."),
    "first side cubed": (lambda grid: grid.sum() / len(grid) ** 3,
        "You took the grid for a cube: divide by the number of its voxels, `grid.numel()`."),
    "empty": (lambda grid: 1 - grid.float().mean(), "That is the share of the *empty* voxels."),
    "per side": (lambda grid: grid.sum() / grid.shape[0],
        "You divided by the voxels per side; the grid has that many in *each* of three axes."),
})
# fmt: on

FRACTION = Exercise(
    name="occupied_fraction",
    reference=voxels.occupied_fraction,
    cases=(
        Case("one of eight", lambda g: (torch.arange(8).reshape(2, 2, 2) == 3,), fixed=True),
        Case("a sparse grid", _random_grid(0.1, 6, 6, 6)),
        Case("a brick", _random_grid(0.4, 3, 5, 4)),
        Case("none occupied", lambda g: (torch.zeros(2, 3, 2, dtype=torch.bool),), fixed=True),
        Case("all occupied", lambda g: (torch.ones(3, 2, 2, dtype=torch.bool),), fixed=True),
    ),
    misconceptions=FRACTION_MISTAKES,
    hints=("A mean of zeros and ones is a share.", "`grid.float().mean()`."),
)


def _layer(g):
    r, k, s, p, c_in, c_out = (int(torch.randint(a, b, (1,), generator=g)) for a, b in LIMITS)
    return (c_in, c_out), r, k, s, p


LIMITS = ((14, 40), (2, 6), (2, 4), (1, 3), (2, 9), (2, 17))


def _layer_with_remainder(g):
    """A stride that does not divide the way: r + 2p − k is odd, the stride 2."""
    (c_in, c_out), r, k, _, p = _layer(g)
    return (c_in, c_out), r + (r - k + 1) % 2, k, 2, p


def _with_defaults(g):
    channels, r, k, *_ = _layer(g)
    return channels, r, k


def _cost(channels, r, k, s=1, p=0, *, dims=3, bias=1, pad=2, bytes_=4, wide=None, up=0, first=1):
    side = (r + pad * p - k + up * (s - 1)) // s + first
    wide = channels[1] if wide is None else wide(channels)
    return side, channels[1] * (channels[0] * k**dims + bias), bytes_ * wide * side**dims


def _fractional(channels, r, k, s=1, p=0):
    side = (r + 2 * p - k) / s + 1
    return side, channels[1] * (channels[0] * k**3 + 1), 4 * channels[1] * side**3


# fmt: off
CONV_MISTAKES = mistakes({
    "first place": (lambda *a: _cost(*a, first=0),
        "The side lacks 1: the kernel's first place counts too, ⌊…/s⌋ **+ 1**."),
    "a single bias": (
        lambda c, r, k, s=1, p=0: (*_cost(c, r, k, s, p)[:1], c[1] * c[0] * k**3 + 1,
                                   _cost(c, r, k, s, p)[2]),
        "You counted one bias in all: every output channel has its own."),
    "a bias per input": (
        lambda c, r, k, s=1, p=0: (*_cost(c, r, k, s, p)[:1], c[0] * (c[1] * k**3 + 1),
                                   _cost(c, r, k, s, p)[2]),
        "There is one bias for each *output* channel: c_out (c_in k³ + 1)."),
    "one channel": (lambda *a: _cost(*a, wide=lambda c: 1),
        "The output has c_out values per voxel: multiply the bytes by them."),
    "input's channels": (lambda *a: _cost(*a, wide=lambda c: c[0]),
        "You counted the bytes of c_in channels: the output has c_out."),
    "rounded up": (lambda *a: _cost(*a, up=1),
        "The side is rounded *down*: a kernel that would reach over the end is left out."),
    "a fraction": (lambda *a: _fractional(*a),
        "A side is a whole number of voxels: divide with `//`."),
    "two dimensions": (lambda *a: _cost(*a, dims=2),
        "That is a Conv2d: in 3D the kernel has k³ weights per channel pair and the output r³ "
        "values."),
    "no bias": (lambda *a: _cost(*a, bias=0),
        "The parameters lack the bias: one more per output channel."),
    "padding once": (lambda *a: _cost(*a, pad=1), "Padding is added on *both* sides: r + 2p − k."),
    "values, not bytes": (lambda *a: _cost(*a, bytes_=1),
        "You counted values: a float32 takes four bytes."),
})
# fmt: on

CONV = Exercise(
    name="conv3d_cost",
    reference=voxels.conv3d_cost,
    cases=(
        Case("the first layer", lambda g: ((1, 8), 32, 3, 1, 1), fixed=True),
        Case("stride and padding left to their defaults", _with_defaults),
        Case("a stride that leaves a rest", _layer_with_remainder),
        Case("a padding of two", lambda g: ((2, 4), 9, 3, 2, 2), fixed=True),
        Case("some layer", _layer),
        Case("some other layer", _layer),
    ),
    misconceptions=CONV_MISTAKES,
    hints=(
        "The rule for one axis is that of images; only the powers change from 2 to 3.",
        "Side: ⌊(r + 2p − k)/s⌋ + 1. Parameters: c_out (c_in k³ + 1).",
    ),
)


def _points(n, r):
    return lambda g: (2 * torch.rand(n, 3, generator=g) - 1, r)


def _scatter(index, r):
    grid = torch.zeros(r, r, r, dtype=torch.bool)
    grid[tuple(index.clamp(0, r - 1).T)] = True
    return grid


def _slabs(x, r):
    grid = torch.zeros(r, r, r, dtype=torch.bool)
    grid[((x + 1) * r / 2).long().clamp(0, r - 1)] = True
    return grid


# fmt: off
POINTS_MISTAKES = mistakes({
    "wrapped round": (lambda x, r: _scatter(((x + 1) * r / 2).floor().long() % r, r),
        "x = 1 went to voxel 0: clamp its number to r − 1 instead of taking it modulo r."),
    "whole slabs": (lambda x, r: _slabs(x, r),
        "`grid[i] = True` marks whole slabs: index all three axes, `grid[i[:, 0], i[:, 1], i[:, 2]]`."),
    "rounded": (lambda x, r: _scatter(((x + 1) * r / 2).round().long(), r),
        "You rounded; the voxel's number is the *floor* of (x + 1) r / 2."),
    "r − 1": (lambda x, r: _scatter(((x + 1) * (r - 1) / 2).floor().long(), r),
        "You scaled by r − 1: then the last voxel holds only the points at exactly 1."),
    "unit cube": (lambda x, r: _scatter((x * r).floor().long(), r),
        "You took the points to be in [0, 1]: here they are in [−1, 1]."),
    "z, y, x": (lambda x, r: _scatter(((x + 1) * r / 2).floor().long().flip(1), r),
        "Your grid is indexed z, y, x. The convention is x, y, z."),
})
# fmt: on

POINTS = Exercise(
    name="points_to_voxels",
    reference=voxels.points_to_voxels,
    cases=(
        Case(
            "three points, one on the side",
            lambda g: (torch.tensor([[-0.9, 0.1, 0.9], [-1.0, -1.0, 1.0], [0.3, 0.2, -0.6]]), 4),
            fixed=True,
        ),
        Case("a cloud", _points(20, 5)),
        Case("a larger cloud", _points(60, 9)),
    ),
    misconceptions=POINTS_MISTAKES,
    hints=(
        "Map [−1, 1] onto [0, r]; the whole part is the voxel's number.",
        "x = 1 would get number r: clamp it to r − 1.",
        "`grid[i[:, 0], i[:, 1], i[:, 2]] = True` sets all voxels at once.",
    ),
)


def _inertia(grid, *, about_mass=True, own=None, mass=True, sign=1.0):
    side = 2 / len(grid)
    x = voxel_centers(len(grid))[grid].double()
    x = x - x.mean(0) if about_mass else x
    spread, one = x.T @ x, torch.eye(3).double()
    tensor = (
        spread.trace() * one - sign * spread + (len(x) if own is None else own) * side**2 / 6 * one
    )
    return (tensor * (side**3 if mass else 1)).float()


def _own_everywhere(grid):
    points = _inertia(grid, own=0)
    return points + (_inertia(grid) - points)[0, 0]


def _covariance(grid):
    x = voxel_centers(len(grid))[grid].double()
    x = x - x.mean(0)
    return ((2 / len(grid)) ** 3 * x.T @ x).float()


# fmt: off
INERTIA_MISTAKES = mistakes({
    "one voxel's own inertia": (lambda grid: _inertia(grid, own=1),
        "m s²/6 stands inside the sum: once for *each* voxel."),
    "side 1/r": (lambda grid: _inertia(grid) / 32,
        "Your voxels are half as large: the cube [−1, 1]³ has side 2, so s = 2/r."),
    "diagonal only": (lambda grid: torch.diag(_inertia(grid).diagonal()),
        "The products of inertia, off the diagonal, are missing: −Σ m x y and so on."),
    "divided by the number": (lambda grid: _inertia(grid) / grid.sum(),
        "You took the mean over the voxels: inertia is a sum."),
    "added everywhere": (_own_everywhere,
        "You added m s²/6 to all nine numbers: it belongs on the diagonal, times 𝟙."),
    "covariance and own": (lambda grid: _covariance(grid) + _inertia(grid) - _inertia(grid, own=0),
        "The first term is |x|² 𝟙 − x xᵀ; you summed x xᵀ."),
    "about the origin": (lambda grid: _inertia(grid, about_mass=False),
        "You took the origin; subtract the centre of mass first."),
    "points only": (lambda grid: _inertia(grid, own=0),
        "The voxels' own inertia, m s²/6 each, is missing: you treated them as points."),
    "mass one": (lambda grid: _inertia(grid, mass=False),
        "Each voxel weighs its volume, (2/r)³, not 1."),
    "products with a plus": (lambda grid: _inertia(grid, sign=-1.0),
        "x xᵀ is *subtracted*: I = Σ m (|x|² 1 − x xᵀ)."),
    "covariance": (_covariance,
        "That is Σ m x xᵀ, the spread of the mass; inertia is |x|² 1 − x xᵀ."),
})
# fmt: on


def _one_voxel(g):
    return (torch.randperm(125, generator=g).reshape(5, 5, 5) == 0,)


INERTIA = Exercise(
    name="inertia_tensor",
    reference=voxels.inertia_tensor,
    points=2,
    cases=(
        Case("an off-centre box", lambda g: (_off_centre(),), fixed=True),
        Case("a random body", _random_grid(0.3, 4, 4, 4)),
        Case("a larger random body", _random_grid(0.2, 7, 7, 7)),
        Case("a single voxel", _one_voxel),
    ),
    misconceptions=INERTIA_MISTAKES,
    hints=(
        "Take the occupied centres (n, 3), subtract their mean, then add up over the voxels.",
        "`x.T @ x` is Σ x xᵀ, and its trace is Σ |x|².",
        "At last the voxel's own inertia on the diagonal, m s²/6, with s = 2/r and m = s³.",
    ),
)


def _off_centre():
    grid = torch.zeros(6, 6, 6, dtype=torch.bool)
    grid[3:, 1:5, :2] = True
    return grid
