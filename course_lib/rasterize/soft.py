"""Soft rasterising: every face covers every pixel a little, so that gradients reach the vertices.

After SoftRas (Liu, Li, Chen, Li: Soft Rasterizer, ICCV 2019), eq. 1, 2 and 5. Lengths in the image
are in half image heights, so that σ means the same at every resolution: √σ is the blur's width.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.zbuffer import face_pixel_pairs

NEGLIGIBLE = 10.0
"""Pairs with d²/σ beyond it outside the face cover less than 5e-5 and are left out."""


def soft_coverage(
    squared_distance: Float[Tensor, "*n"], inside: Bool[Tensor, "*n"], sigma: float
) -> Float[Tensor, "*n"]:
    """How much a face covers a pixel: sigmoid(±d²/σ), + inside and − outside (SoftRas eq. 1).

    d is the distance from the pixel's centre to the face's nearest edge: coverage is ½ on the
    edge, near 1 deep inside, near 0 far outside. σ → 0 gives back the hard test.

    >>> soft_coverage(torch.tensor([0.0, 0.03]), torch.tensor([True, False]), 0.01).tolist()
    [0.5, 0.04742587357759476]
    """
    signed = torch.where(inside, squared_distance, -squared_distance)
    return torch.sigmoid(signed / sigma)


def union_coverage(coverage: Float[Tensor, "f *n"]) -> Float[Tensor, "*n"]:
    """The silhouette: a pixel is free only if every face leaves it free, 1 − Π (1 − Dⱼ) (eq. 5).

    >>> union_coverage(torch.tensor([0.5, 0.5])).item()
    0.75
    """
    return 1 - (1 - coverage).prod(dim=0)


def soft_silhouette(
    pixels: Float[Tensor, "v 2"],
    faces: Int[Tensor, "f 3"],
    height: int,
    width: int,
    *,
    sigma: float = 1e-4,
) -> Float[Tensor, "{height} {width}"]:
    """The soft silhouette in [0, 1] of projected vertices: differentiable in `pixels`.

    `union_coverage` of `soft_coverage` over all faces. Since log(1 − sigmoid(x)) = −softplus(x), it is
    1 − exp(−Σⱼ softplus(±dⱼ²/σ)), summed over the pairs of face and pixel that matter.
    All vertices must lie in front of the camera.

    >>> square = torch.tensor([[1.0, 1.0], [3.0, 1.0], [3.0, 3.0], [1.0, 3.0]])
    >>> soft_silhouette(square, torch.tensor([[0, 1, 2], [0, 2, 3]]), 4, 4).round().sum().item()
    4.0
    """
    _check(height, width, sigma)
    if pixels.dtype == torch.float16:  # too coarse inside
        return soft_silhouette(pixels.float(), faces, height, width, sigma=sigma).half()
    exponent = pixels.new_zeros(height * width)
    for _, pixel, signed in _soft_pairs(pixels, faces, height, width, sigma):
        blocked = torch.nn.functional.softplus(signed / sigma)
        exponent = exponent.index_add(0, pixel, blocked)
    return -torch.expm1(-exponent).reshape(height, width)


def soft_render(
    pixels: Float[Tensor, "v 2"],
    depth: Float[Tensor, "v"],
    faces: Int[Tensor, "f 3"],
    colors: Float[Tensor, "f 3"],
    size: tuple[int, int],
    *,
    sigma: float = 1e-4,
    gamma: float = 1e-2,
    background: float = 1.0,
) -> Float[Tensor, "h w 3"]:
    """A soft picture: the faces blended by coverage and nearness, over a grey background.

    colour = A·Σⱼ wⱼ colourⱼ / Σⱼ wⱼ + (1 − A)·background with wⱼ = Dⱼ exp(zⱼ/γ) (SoftRas eq. 3), A the
    soft silhouette. (The paper puts the background into the same softmax, which widens shapes.) zⱼ is
    1 at the nearest vertex of all and 0 at the farthest, both held fixed in the gradient, and is taken
    where the face is nearest to the pixel. γ → 0 lets only the nearest face through. Differentiable in
    pixels, depth and colours. `size` is (height, width).

    >>> corners = torch.tensor([[-9.0, -9.0], [30.0, -9.0], [0.0, 30.0]])
    >>> face, red = torch.tensor([[0, 1, 2]]), torch.tensor([[1.0, 0.0, 0.0]])
    >>> soft_render(corners, torch.ones(3), face, red, (2, 2))[0, 0].round().tolist()
    [1.0, 0.0, 0.0]
    """
    height, width = size
    _check(height, width, sigma)
    if not gamma > 0:
        raise ValueError(f"expected gamma > 0, got {gamma}")
    if not bool(depth.isfinite().all()):
        raise ValueError("expected finite depths, got inf or NaN")
    if pixels.dtype == torch.float16:
        single = (pixels.float(), depth.float(), faces, colors.float(), size)
        return soft_render(*single, sigma=sigma, gamma=gamma, background=background).half()
    nearest, farthest = depth.detach().min(), depth.detach().max()
    span = (farthest - nearest).clamp(min=1e-6)
    exponent, parts = pixels.new_zeros(height * width), []
    for face, pixel, signed in _soft_pairs(pixels, faces, height, width, sigma):
        exponent = exponent.index_add(0, pixel, torch.nn.functional.softplus(signed / sigma))
        z = _depth_at(pixels[faces[face]], depth[faces[face]], pixel, width)
        score = torch.nn.functional.logsigmoid(signed / sigma) + (farthest - z) / span / gamma
        parts.append((face, pixel, score))
    if not parts:
        return pixels.new_full((height, width, 3), background)
    face, pixel, score = (torch.cat(column) for column in zip(*parts, strict=True))
    best = score.new_full((height * width,), -torch.inf)
    best = best.scatter_reduce(0, pixel, score.detach(), reduce="amax")
    weight = (score - best[pixel]).exp()  # the largest of each pixel is 1
    total = torch.zeros_like(best).index_add(0, pixel, weight).clamp(min=1e-12)
    blend = weight.new_zeros(height * width, 3).index_add(0, pixel, weight[:, None] * colors[face])
    alpha = -torch.expm1(-exponent)[:, None]
    image = alpha * blend / total[:, None] + (1 - alpha) * background
    return image.reshape(height, width, 3)


def signed_squared_distance(
    points: Float[Tensor, "n 2"], triangles: Float[Tensor, "n 3 2"]
) -> Float[Tensor, "n"]:
    """±d² of each point to the edge of its triangle: positive inside, negative outside.

    d² = min over the three edges of |p − (a + t(b − a))|² with t = ((p − a)·(b − a)/|b − a|²) in [0, 1].
    Differentiable almost everywhere, edges of length zero included.

    >>> corner = torch.tensor([[[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]]]).expand(2, 3, 2)
    >>> signed_squared_distance(torch.tensor([[1.0, 0.5], [2.0, -3.0]]), corner).tolist()
    [0.25, -9.0]
    """
    start, end = triangles, triangles.roll(-1, dims=1)  # (n, 3, 2): the edges
    along, towards = end - start, points[:, None] - start
    share = (towards * along).sum(dim=-1) / (along**2).sum(dim=-1).clamp(min=1e-12)
    offset = towards - share.clamp(0, 1)[..., None] * along
    squared = (offset**2).sum(dim=-1).amin(dim=1)
    side = along[..., 0] * towards[..., 1] - along[..., 1] * towards[..., 0]  # (n, 3)
    inside = (side >= 0).all(dim=1) | (side <= 0).all(dim=1)
    return torch.where(inside, squared, -squared)


def _soft_pairs(pixels: Tensor, faces: Tensor, height: int, width: int, sigma: float):
    """(face, pixel, ±d²) of all pairs that matter, in pieces; d in half image heights."""
    margin = math.sqrt(NEGLIGIBLE * sigma) * height / 2
    corners = pixels[faces]
    visible = torch.ones(len(faces), dtype=torch.bool, device=faces.device)
    for face, pixel in face_pixel_pairs(corners.detach(), visible, height, width, margin):
        signed = signed_squared_distance(_centres(pixel, width).to(pixels), corners[face])
        signed = signed * (2 / height) ** 2
        keep = torch.nonzero(signed.detach() > -NEGLIGIBLE * sigma)[:, 0]
        yield face[keep], pixel[keep], signed[keep]


def _centres(pixel: Tensor, width: int) -> Tensor:
    row = torch.div(pixel, width, rounding_mode="floor")
    return torch.stack([pixel - row * width, row], dim=-1) + 0.5


def _depth_at(corners: Tensor, depth: Tensor, pixel: Tensor, width: int) -> Tensor:
    """The depth of each face at its point nearest to the pixel, by clipped barycentrics."""
    (a, b, c), p = corners.unbind(dim=1), _centres(pixel, width).to(corners)
    sides = [_cross(c - b, p - b), _cross(a - c, p - c), _cross(b - a, p - a)]
    area = _cross(b - a, c - a)
    area = torch.where(area.abs() < 1e-9, torch.full_like(area, 1e-9), area)
    weights = (torch.stack(sides, dim=-1) / area[:, None]).clamp(min=0)
    weights = weights / weights.sum(dim=-1, keepdim=True).clamp(min=1e-9)
    return 1 / (weights / depth).sum(dim=-1).clamp(min=1e-9)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _check(height: int, width: int, sigma: float) -> None:
    if height < 1 or width < 1 or not sigma > 0:
        raise ValueError(
            f"expected height >= 1, width >= 1 and sigma > 0, got {height}, {width} and {sigma}"
        )
