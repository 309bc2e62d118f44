"""The picture of the conventions: the world's axes, a camera's axes and its image."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw
from torch import Tensor

from course_lib.cameras import look_at, project
from course_lib.viz.colors import PALETTE
from course_lib.viz.figure import Figure, show
from course_lib.viz.gallery import font
from course_lib.viz.pictures import FIELD, frame_camera, render
from course_lib.viz.scene import Item, Scene

AXES = (PALETTE[5], PALETTE[2], PALETTE[0])  # x, y, z
EYE = (-1.8, 1.0, 0.9)
ALT = (
    "World axes x (right), y (up) and z (towards the viewer) at the origin, and a camera that looks "
    "at the origin along its own minus z: its x points to the right in its image, its y upwards, its "
    "z away from what it sees. In the image, pixel columns j count to the right and rows i downwards, "
    "beginning at the upper left corner."
)


def camera_frame(*, size: int = 420) -> Figure:
    """Show the world's axes beside a camera's axes, with the camera's image as a pyramid.

    >>> camera_frame(size=60).picture.shape[1]
    90
    """
    camera = look_at(EYE)
    rotation, position = camera[:3, :3], camera[:3, 3]
    corners = camera_image(camera)
    scene = Scene(
        *(
            Item(torch.stack([torch.zeros(3), axis])[None], AXES[i], size=0.03)
            for i, axis in enumerate(torch.eye(3) * 0.8)
        ),
        *(
            Item(
                torch.stack([position, position + 0.55 * rotation[:, i]])[None], AXES[i], size=0.03
            )
            for i in range(3)
        ),
        Item(_pyramid(position, corners), "#555555", size=0.012),
        Item(torch.stack([position, 0.35 * position])[None], "#999999", size=0.008),
    )
    eye = frame_camera(scene, (-12.0, 26.0), None, 1.5)
    eye[:3, 3] += 0.35 * eye[:3, 2]  # room for the names
    picture = render(scene, size=(size, size * 3 // 2), camera=eye)
    names = [(torch.eye(3)[i] * 0.92, f"world {name}") for i, name in enumerate("xyz")]
    ends = torch.tensor([[0.45, -0.22, 0.0], [0.0, 0.7, 0.0], [0.0, 0.12, 0.62]]) @ rotation.T
    names += [(position + end, f"camera {name}") for end, name in zip(ends, "xyz", strict=True)]
    outside = corners[0] + torch.tensor([0.28, 0.24, 0.0]) @ rotation.T  # beside the corner
    names += [(outside, "pixel (0, 0)"), (0.45 * position, "looks along −z")]
    return show(Figure(ALT, _write(picture, names, eye)))


def camera_image(camera: Tensor, depth: float = 0.5) -> Tensor:
    """The corners (4, 3) of a camera's image at `depth`: upper left, upper right, lower right, left."""
    half, wide = depth * math.tan(math.radians(20)), 4 / 3
    signs = torch.tensor([[-wide, 1.0], [wide, 1.0], [wide, -1.0], [-wide, -1.0]])
    local = torch.cat([signs * half, torch.full((4, 1), -depth)], dim=1)
    return local @ camera[:3, :3].T + camera[:3, 3]


def camera_pyramids(
    cameras: Float[Tensor, "n 4 4"], depth: float = 0.35
) -> Float[Tensor, "segments 2 3"]:
    """Cameras as segments (9n, 2, 3) to draw: pyramids over their images, and a mast where up is.

    >>> camera_pyramids(torch.eye(4)[None]).shape
    torch.Size([9, 2, 3])
    """
    parts = []
    for camera in cameras.detach().cpu().float():
        corners = camera_image(camera, depth)
        middle = corners[:2].mean(dim=0)
        mast = torch.stack([middle, middle + 0.4 * depth * camera[:3, 1]])
        parts += [_pyramid(camera[:3, 3], corners), mast[None]]
    return torch.cat(parts)


def _pyramid(apex: Tensor, corners: Tensor) -> Tensor:
    sides = torch.stack([apex.expand(4, 3), corners], dim=1)
    rim = torch.stack([corners, corners.roll(-1, dims=0)], dim=1)
    return torch.cat([sides, rim])


def _write(picture: np.ndarray, names: Sequence[tuple[Tensor, str]], camera: Tensor) -> np.ndarray:
    """The picture with each name written at its point."""
    height, width = picture.shape[:2]
    focal = height / (2 * math.tan(FIELD / 2))
    places, _ = project(torch.stack([point for point, _ in names]), camera, focal, height, width)
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for (x, y), (_, text) in zip(places.tolist(), names, strict=True):
        outline = {"stroke_width": 3, "stroke_fill": "#ffffff"}
        draw.text((x, y), text, fill="#111111", font=font(), anchor="mm", **outline)
    return _cropped(np.asarray(image))


def _cropped(picture: np.ndarray) -> np.ndarray:
    """The picture without empty rows above and below, but for a margin."""
    rows = np.nonzero((picture < 250).any(axis=(1, 2)))[0]
    return picture[max(0, rows[0] - 8) : rows[-1] + 9]
