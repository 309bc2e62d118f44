"""The fast hard rasteriser: which face is seen in each pixel, where on it, and how far away.

`course_lib.rasterize` explains the method step by step; this module takes the steps for many
faces at once, by listing every (face, pixel) pair inside the faces' bounding boxes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

PAIRS_AT_ONCE = 1 << 21


@dataclass(frozen=True)
class Fragments:
    """What a picture shows: per pixel the nearest face, the place on it and its depth.

    `face` is −1 where nothing is seen; there `barycentric` is 0 and `depth` infinite. The barycentric
    coordinates are perspective-correct: they are those of the 3D point, not of its shadow on screen.
    """

    face: Int[Tensor, "h w"]
    barycentric: Float[Tensor, "h w 3"]
    depth: Float[Tensor, "h w"]

    @property
    def covered(self) -> Bool[Tensor, "h w"]:
        """Where a face is seen: the hard silhouette."""
        return self.face >= 0

    def interpolate(self, corner_values: Float[Tensor, "f 3 c"]) -> Float[Tensor, "h w c"]:
        """Σᵢ bᵢ valueᵢ over the corners of the face that each pixel shows, 0 in the background.

        Differentiable in the values. Values per vertex become values per corner by `values[faces]`.

        >>> one = Fragments(torch.zeros(1, 1, dtype=int), torch.tensor([[[0.5, 0.5, 0.0]]]),
        ...                 torch.ones(1, 1))
        >>> one.interpolate(torch.tensor([[[2.0], [4.0], [9.0]]])).tolist()
        [[[3.0]]]
        """
        if len(corner_values) == 0:
            return corner_values.new_zeros(*self.face.shape, corner_values.shape[-1])
        corners = corner_values[self.face.clamp(min=0)]  # (h, w, 3, c)
        return (self.barycentric[..., None].to(corners) * corners).sum(dim=-2)


@torch.no_grad()
def draw_faces(
    pixels: Float[Tensor, "v 2"],
    depth: Float[Tensor, "v"],
    faces: Int[Tensor, "f 3"],
    height: int,
    width: int,
) -> Fragments:
    """The nearest face in every pixel's centre, from projected vertices (see `cameras.project`).

    Both sides of a face are drawn. A face that reaches behind the camera is left out whole. Of two
    faces at the same depth the one with the smaller index is seen. No gradient passes: a hard
    silhouette has none.

    >>> corners = torch.tensor([[0.0, 0.0], [3.9, 0.0], [0.0, 3.9]])
    >>> draw_faces(corners, torch.ones(3), torch.tensor([[0, 1, 2]]), 2, 3).face.tolist()
    [[0, 0, 0], [0, 0, -1]]
    """
    if height < 1 or width < 1:
        raise ValueError(f"expected a picture of at least 1 x 1 pixels, got {height} x {width}")
    nearest = torch.full((height * width,), torch.inf, dtype=depth.dtype, device=depth.device)
    face = torch.full((height * width,), -1, dtype=torch.int64, device=depth.device)
    barycentric = torch.zeros(height * width, 3, dtype=depth.dtype, device=depth.device)
    corners, z = pixels[faces], depth[faces]  # (f, 3, 2), (f, 3)
    for index, pixel in face_pixel_pairs(corners, (z > 1e-6).all(dim=1), height, width):
        inside, weights, distance = _hits(corners[index], z[index], pixel, width)
        index, pixel = index[inside], pixel[inside]
        first = _nearest(pixel, distance, index, height * width)
        index, pixel = index[first], pixel[first]
        distance, weights = distance[first], weights[first]
        closer = distance < nearest[pixel]
        pixel = pixel[closer]
        nearest[pixel], face[pixel] = distance[closer], index[closer]
        barycentric[pixel] = weights[closer]
    shape = (height, width)
    return Fragments(face.reshape(shape), barycentric.reshape(*shape, 3), nearest.reshape(shape))


def face_pixel_pairs(
    corners: Float[Tensor, "f 3 2"],
    visible: Bool[Tensor, "f"],
    height: int,
    width: int,
    margin: float = 0.0,
) -> Iterator[tuple[Int[Tensor, "p"], Int[Tensor, "p"]]]:
    """All (face, pixel) with the pixel's centre in the face's bounding box, in bounded pieces.

    A pixel is one number, row · width + column. The box is `margin` pixels larger on every side.
    Faces that are not visible or not finite have no pairs.
    """
    limit = corners.new_tensor([width, height])
    visible = visible & corners.isfinite().all(dim=2).all(dim=1)
    corners = torch.where(visible[:, None, None], corners, torch.zeros_like(corners))
    low, high = corners.amin(dim=1) - margin - 0.5, corners.amax(dim=1) + margin - 0.5
    low = low.ceil().clamp(min=0).minimum(limit).long()  # first column, row
    high = high.floor().clamp(min=-1).minimum(limit - 1).long()
    size = (high - low + 1).clamp(min=0) * visible[:, None]  # (f, 2): columns, rows
    count = size.prod(dim=1)
    order = torch.nonzero(count)[:, 0]
    pieces = torch.cumsum(count[order], dim=0) // PAIRS_AT_ONCE
    for piece in torch.unique(pieces):
        chosen = order[pieces == piece]
        index = torch.repeat_interleave(chosen, count[chosen])
        before = torch.cumsum(count[chosen], dim=0) - count[chosen]
        step = torch.arange(len(index), device=index.device)
        step = step - torch.repeat_interleave(before, count[chosen])
        columns = size[index, 0]
        row, column = low[index, 1] + step // columns, low[index, 0] + step % columns
        yield index, row * width + column


def _hits(corners: Tensor, z: Tensor, pixel: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which pairs hit, and for those the perspective-correct weights and the depth."""
    x = (pixel % width).to(corners) + 0.5
    y = torch.div(pixel, width, rounding_mode="floor").to(corners) + 0.5
    (x0, y0), (x1, y1), (x2, y2) = (corners[:, i].unbind(dim=1) for i in range(3))
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    b0 = (x2 - x1) * (y - y1) - (x - x1) * (y2 - y1)
    b1 = (x0 - x2) * (y - y2) - (x - x2) * (y0 - y2)
    b2 = area - b0 - b1
    sign = area.sign()
    inside = (b0 * sign >= 0) & (b1 * sign >= 0) & (b2 * sign >= 0) & (area != 0)
    screen = torch.stack([b0, b1, b2], dim=1)[inside] / area[inside, None]
    over_depth = screen / z[inside]
    distance = 1 / over_depth.sum(dim=1)
    return inside, over_depth * distance[:, None], distance


def _nearest(pixel: Tensor, distance: Tensor, face: Tensor, count: int) -> Tensor:
    """The positions of the nearest pair of every pixel; ties go to the smallest face index."""
    best = torch.full((count,), torch.inf, dtype=distance.dtype, device=distance.device)
    best.scatter_reduce_(0, pixel, distance, reduce="amin")
    candidates = torch.nonzero(distance == best[pixel])[:, 0]
    first = torch.full((count,), torch.iinfo(torch.int64).max, device=face.device)
    first.scatter_reduce_(0, pixel[candidates], face[candidates], reduce="amin")
    return candidates[face[candidates] == first[pixel[candidates]]]
