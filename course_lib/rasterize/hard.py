"""The steps of rasterising as in the lecture, to be read: cover, interpolate, keep the nearest, shade.

`course_lib.zbuffer.draw_faces` takes the first three for all faces at once.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def barycentric_coordinates(
    points: Float[Tensor, "n 2"], triangle: Float[Tensor, "3 2"]
) -> Float[Tensor, "n 3"]:
    """The weights b with Σ bᵢ = 1 and Σ bᵢ cornerᵢ = point: each a ratio of signed areas.

    b₀ = area(point, c₁, c₂) / area(c₀, c₁, c₂), and so on in turn. All bᵢ ≥ 0 exactly where the
    point lies inside, whichever way round the corners run. A triangle without area gives infinities
    or NaN: leave such faces out before.

    >>> corners = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    >>> barycentric_coordinates(torch.tensor([[1.0, 2.0]]), corners).tolist()
    [[0.25, 0.25, 0.5]]
    """
    a, b, c = triangle
    area = edge_function(a, b, c)
    return torch.stack(
        [
            edge_function(b, c, points) / area,
            edge_function(c, a, points) / area,
            edge_function(a, b, points) / area,
        ],
        dim=-1,
    )


def edge_function(
    a: Float[Tensor, "*#n 2"], b: Float[Tensor, "*#n 2"], p: Float[Tensor, "*#n 2"]
) -> Float[Tensor, "*n"]:
    """Twice the signed area of the triangle a, b, p: positive on one side of the line a → b.

    (b₀ − a₀)(p₁ − a₁) − (b₁ − a₁)(p₀ − a₀), Pineda's edge function (1988).

    >>> edge_function(*torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 3.0]])).item()
    6.0
    """
    along, towards = b - a, p - a
    return along[..., 0] * towards[..., 1] - along[..., 1] * towards[..., 0]


def perspective_correct(
    barycentric: Float[Tensor, "n 3"], depth: Float[Tensor, "3"]
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n"]]:
    """Weights on the 3D face, and the depth there, from weights bᵢ on its shadow in the image.

    1/z is linear in the image, z is not: z = 1 / Σ bᵢ/zᵢ, and the weights are (bᵢ/zᵢ)·z.

    >>> weights, z = perspective_correct(torch.tensor([[0.5, 0.5, 0.0]]), torch.tensor([1.0, 3, 1]))
    >>> weights.tolist(), z.tolist()
    ([[0.75, 0.25, 0.0]], [1.5])
    """
    over_depth = barycentric / depth  # (n, 3)
    z = 1 / over_depth.sum(dim=-1)
    return over_depth * z[:, None], z


def nearest_face(depth: Float[Tensor, "f h w"]) -> Int[Tensor, "h w"]:
    """The z-buffer's answer: which face is nearest in each pixel, −1 where there is none.

    `depth` holds each face's depth in each pixel, infinity where the face does not cover it.

    >>> nearest_face(torch.tensor([[[2.0, torch.inf]], [[1.0, torch.inf]]])).tolist()
    [[1, -1]]
    """
    nearest, face = depth.min(dim=0)
    return torch.where(nearest.isfinite(), face, torch.full_like(face, -1))


def lambert(
    normals: Float[Tensor, "*n 3"],
    light: Float[Tensor, "3"],
    *,
    ambient: float = 0.3,
) -> Float[Tensor, "*n"]:
    """Diffuse shading: ambient + (1 − ambient)·max(0, n·l), for unit normals and a light direction.

    `light` points **towards** the light and need not be of unit length. Zero normals give `ambient`.

    >>> lambert(torch.tensor([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]]), torch.tensor([0.0, 2.0, 0.0]))
    tensor([1.0000, 0.3000])
    """
    length = light.norm()
    if not length > 0:
        raise ValueError("expected a light direction other than 0")
    cosine = (normals @ (light / length)).clamp(min=0)
    return ambient + (1 - ambient) * cosine
