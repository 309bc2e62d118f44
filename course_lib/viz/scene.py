"""What can be drawn in 3D: meshes, clouds, segments and voxel grids, with their colours."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course_lib.viz.colors import Color, Number, cycle

KINDS = "a Mesh, points (n, 3), segments (n, 2, 3), or a voxel grid (r, r, r)"


@dataclass(frozen=True, eq=False)
class Item:
    """One thing to draw, and how.

    `what` is a Mesh, points (n, 3), segments (n, 2, 3), or a voxel grid (r, r, r) of booleans or
    occupancies (drawn where ≥ 0.5, in [−1, 1]³). `color` is one colour ("#0072B2" or three numbers
    in [0, 1]); `colors` gives one per vertex or per face of a mesh, per point, per segment, as an
    array (·, 3) in [0, 1]. `size` is the diameter of points and the thickness of segments in world
    units. `opacity` below 1 is for the interactive view and for meshes in pictures. `wire` draws a
    mesh's edges.

    >>> Item(torch.zeros(5, 3), color="#009E73", size=0.02).kind
    'points'
    """

    what: Any
    color: Color | None = None
    colors: Any = None
    size: Number | None = None
    opacity: Number = 1.0
    wire: bool = False

    def __post_init__(self):
        if self.what is None:
            raise ValueError(f"expected {KINDS} to draw, got None")
        if self.size is not None and not self.size > 0:
            raise ValueError(f"expected a size > 0, got {self.size}")
        if not 0 < self.opacity <= 1:
            raise ValueError(f"expected an opacity in (0, 1], got {self.opacity}")
        self._check_data()
        self._check_colors()

    @property
    def kind(self) -> str:
        """mesh, points, segments or voxels."""
        if hasattr(self.what, "vertices") and hasattr(self.what, "faces"):
            return "mesh"
        shape = tuple(getattr(self.what, "shape", ()))
        if len(shape) == 2 and shape[1] == 3:
            return "points"
        if len(shape) == 3 and shape[1:] == (2, 3):
            return "segments"
        if len(shape) == 3:
            return "voxels"
        raise ValueError(f"expected {KINDS}, got {type(self.what).__name__} of shape {shape}")

    @property
    def points(self) -> Tensor:
        """All positions (n, 3), for framing the picture."""
        if self.kind == "mesh":
            return plain(self.what.vertices)
        if self.kind == "voxels":
            grid = occupied(self.what)
            edge = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])
            if not grid.any():
                return edge
            cells = grid.nonzero().float()
            scale = 2.0 / torch.tensor(grid.shape)
            return torch.stack([cells.amin(0) * scale - 1, (cells.amax(0) + 1) * scale - 1])
        return plain(self.what).reshape(-1, 3)

    @property
    def diameter(self) -> float:
        """Of points, the thickness of segments: `size`, else what suits their extent and number."""
        points = self.points
        extent = max((points.amax(dim=0) - points.amin(dim=0)).max().item() / 4, 1e-2)
        if self.kind == "points":
            return self.size or 2.6 * extent / math.sqrt(len(points) + 60)
        return self.size or 0.06 * extent

    def _check_data(self) -> None:
        data = self.what.vertices if self.kind == "mesh" else self.what
        if len(data) == 0:
            raise ValueError(
                f"expected at least one point, vertex or segment of {self.kind} to draw"
            )
        if not bool(plain(data).isfinite().all()):
            raise ValueError(f"expected finite {self.kind} to draw, got NaN or infinity")

    def _check_colors(self) -> None:
        if self.colors is None:
            return
        shape = tuple(self.colors.shape)
        counts = {len(self.what)} if self.kind in ("points", "segments") else set()
        if self.kind == "mesh":
            counts = {len(self.what.vertices), len(self.what.faces)}
        if len(shape) != 2 or shape[1] != 3 or shape[0] not in counts:
            raise ValueError(
                f"expected colours of shape (n, 3) with n in {sorted(counts)}, got {shape}"
            )
        values = plain(self.colors)
        if not bool(((values >= 0) & (values <= 1)).all()):
            raise ValueError("expected colours in [0, 1]")


@dataclass(frozen=True, eq=False)
class Scene:
    """Several items seen together, with a title: what `widgets.explore` shows in 3D.

    Bare meshes, clouds, … become items; items without a colour get the palette's in turn.

    >>> len(Scene(torch.rand(5, 3), torch.rand(4, 3), title="two clouds").items)
    2
    """

    items: tuple[Item, ...]
    title: str

    def __init__(self, *what: Any, title: str = ""):
        if not what:
            raise ValueError(f"expected something to draw: {KINDS}")
        items = [one if isinstance(one, Item) else Item(one) for one in what]
        object.__setattr__(self, "items", tuple(items))
        object.__setattr__(self, "title", title)

    def color(self, index: int) -> Color:
        """The colour of item `index`: its own, or the palette's."""
        own = self.items[index].color
        return cycle(index) if own is None else own


def plain(data: Any) -> Tensor:
    """Numbers as a float tensor on the CPU, without gradient; NumPy arrays are taken too."""
    return torch.as_tensor(data).detach().cpu().float()


def occupied(grid: Any) -> Tensor:
    """The boolean grid: where occupancies are at least 0.5."""
    return plain(grid) >= 0.5
