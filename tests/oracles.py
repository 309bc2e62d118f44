"""What tests compare with, or write for the course to read: slow, or the way back of a conversion."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.rasterize import barycentric_coordinates, edge_function, perspective_correct
from course_lib.zbuffer import Fragments


def rasterize_by_loop(
    pixels: Float[Tensor, "v 2"],
    depth: Float[Tensor, "v"],
    faces: Int[Tensor, "f 3"],
    height: int,
    width: int,
) -> Fragments:
    """The z-buffer algorithm (Catmull 1974), one face at a time; results as `zbuffer.draw_faces`.

    >>> corners = torch.tensor([[0.0, 0.0], [3.9, 0.0], [0.0, 3.9]])
    >>> rasterize_by_loop(corners, torch.ones(3), torch.tensor([[0, 1, 2]]), 2, 3).face.tolist()
    [[0, 0, 0], [0, 0, -1]]
    """
    face = torch.full((height, width), -1)
    buffer = torch.full((height, width), torch.inf, dtype=depth.dtype)
    weights = torch.zeros(height, width, 3, dtype=depth.dtype)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centres = torch.stack([columns, rows], dim=-1).reshape(-1, 2).to(pixels) + 0.5
    for index, corners in enumerate(faces):
        triangle, z = pixels[corners], depth[corners]
        if (z <= 1e-6).any() or edge_function(*triangle) == 0:
            continue
        on_screen = barycentric_coordinates(centres, triangle)
        on_face, distance = perspective_correct(on_screen, z)
        inside = (on_screen >= 0).all(dim=-1).reshape(height, width)
        nearer = inside & (distance.reshape(height, width) < buffer)
        face[nearer] = index
        buffer[nearer] = distance.reshape(height, width)[nearer]
        weights[nearer] = on_face.reshape(height, width, 3)[nearer]
    return Fragments(face, weights, buffer)


def to_llff(
    camera_to_world: Float[Tensor, "n 4 4"],
    size: Float[Tensor, "n 3"],
    bounds: Float[Tensor, "n 2"],
) -> Float[Tensor, "n 17"]:
    """The rows of LLFF's `poses_bounds.npy`: the inverse of `from_llff`.

    >>> to_llff(torch.eye(4)[None], torch.ones(1, 3), torch.ones(1, 2)).shape
    torch.Size([1, 17])
    """
    right, up, back, position = camera_to_world[:, :3].unbind(dim=-1)
    matrix = torch.stack([-up, right, back, position, size], dim=-1)  # (n, 3, 5)
    return torch.cat([matrix.reshape(-1, 15), bounds], dim=-1)
