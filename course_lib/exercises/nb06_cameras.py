"""Notebook 06: from points to pixels, and the confusions of camera conventions."""

import numpy as np
import torch
from torch import Tensor

from course_lib.cameras import look_at, project
from course_lib.exercises.choices import choice_question
from course_lib.exercises.exercise import Case, Exercise, Question, mistakes


def _view(generator: torch.Generator, size: tuple[int, int] = (30, 40)) -> tuple:
    """Points in the unit cube and a camera at a random place three units away."""
    points = torch.rand(6, 3, generator=generator) - 0.5
    eye = torch.randn(3, generator=generator)
    return points, look_at(3 * eye / eye.norm()), 35.0, *size


def _all_around(generator: torch.Generator) -> tuple:
    """Points on all sides of a camera, behind it too, and a picture with odd sides."""
    points, camera, focal, _, _ = _view(generator)
    return 24 * points.repeat(5, 1) * torch.rand(30, 1, generator=generator), camera, focal, 21, 33


def _where_it_means_something(candidate, points, camera_to_world, focal, height, width):
    """What `project` returns; pixels of points behind the camera mean nothing and are left out."""
    pixels, depth = candidate(points, camera_to_world, focal, height, width)
    behind = _in_camera(points, camera_to_world)[:, 2] >= 0
    if isinstance(pixels, (list, np.ndarray)):
        pixels = torch.as_tensor(pixels)
    if isinstance(pixels, Tensor) and pixels.shape == (len(points), 2):
        pixels = pixels.masked_fill(behind[:, None], torch.nan)
    return pixels, depth


def _in_camera(points: Tensor, camera: Tensor) -> Tensor:
    return (points - camera[:3, 3]) @ camera[:3, :3]


def _pinhole(q: Tensor, focal: float, height: int, width: int, sign: float = -1.0) -> tuple:
    depth = -q[:, 2]
    x = width / 2 + focal * q[:, 0] / depth
    return torch.stack([x, height / 2 + sign * focal * q[:, 1] / depth], dim=-1), depth


def _project_without_flip(points, camera_to_world, focal, height, width):
    return _pinhole(_in_camera(points, camera_to_world), focal, height, width, 1.0)


def _project_without_division(points, camera_to_world, focal, height, width):
    q = _in_camera(points, camera_to_world)
    pixels = torch.stack([width / 2 + focal * q[:, 0], height / 2 - focal * q[:, 1]], dim=-1)
    return pixels, -q[:, 2]


def _project_untransposed(points, camera_to_world, focal, height, width):
    q = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3].T
    return _pinhole(q, focal, height, width)


def _project_without_centre(points, camera_to_world, focal, height, width):
    pixels, depth = project(points, camera_to_world, focal, height, width)
    return pixels - pixels.new_tensor([width / 2, height / 2]), depth


def _project_along_the_ray(points, camera_to_world, focal, height, width):
    pixels, _ = project(points, camera_to_world, focal, height, width)
    return pixels, (points - camera_to_world[:3, 3]).norm(dim=-1)


def _project_world_to_camera(points, camera_to_world, focal, height, width):
    q = points @ camera_to_world[:3, :3].T + camera_to_world[:3, 3]
    return _pinhole(q, focal, height, width)


def _project_turned_first(points, camera_to_world, focal, height, width):
    q = points @ camera_to_world[:3, :3] - camera_to_world[:3, 3]
    return _pinhole(q, focal, height, width)


def _project_added(points, camera_to_world, focal, height, width):
    q = (points + camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
    return _pinhole(q, focal, height, width)


def _project_not_moved(points, camera_to_world, focal, height, width):
    return _pinhole(points @ camera_to_world[:3, :3], focal, height, width)


def _project_forwards(points, camera_to_world, focal, height, width):
    q = _in_camera(points, camera_to_world)
    pixels = torch.stack([q[:, 0], -q[:, 1]], dim=-1) * focal / q[:, 2:]
    return pixels + pixels.new_tensor([width / 2, height / 2]), q[:, 2]


def _project_depth_sign(points, camera_to_world, focal, height, width):
    pixels, depth = project(points, camera_to_world, focal, height, width)
    return pixels, -depth


def _project_whole_centre(points, camera_to_world, focal, height, width):
    pixels, depth = project(points, camera_to_world, focal, height, width)
    return pixels - pixels.new_tensor([width % 2 / 2, height % 2 / 2]), depth


def _project_sides_exchanged(points, camera_to_world, focal, height, width):
    return project(points, camera_to_world, focal, width, height)


def _project_positive_depth(points, camera_to_world, focal, height, width):
    pixels, depth = project(points, camera_to_world, focal, height, width)
    return pixels, depth.clamp(min=1e-6)


def _project_whole_pixels(points, camera_to_world, focal, height, width):
    pixels, depth = project(points, camera_to_world, focal, height, width)
    return pixels.floor(), depth


def _project_rows_first(points, camera_to_world, focal, height, width):
    pixels, depth = project(points, camera_to_world, focal, height, width)
    return pixels.flip(-1), depth


# fmt: off
PROJECT_MISTAKES = mistakes({
    "y not flipped": (_project_without_flip,
        "Your picture is upside down: camera y points up, but image rows count downwards."),
    "no perspective": (_project_without_division,
        "You did not divide by the depth, so far things are as large as near ones."),
    "rotation not inverted": (_project_untransposed,
        "You turned by R instead of its inverse Rᵀ. `camera_to_world` leads from the camera to "
        "the world, you need the way back. For rows of points that is `(p - t) @ R`."),
    "no image centre": (_project_without_centre,
        "The optical axis should meet the middle of the image, at (width/2, height/2)."),
    "distance along the ray": (_project_along_the_ray,
        "Your depth is the distance to the camera's position. Depth is measured along the "
        "optical axis: −z in camera axes."),
    "camera used as world-to-camera": (_project_world_to_camera,
        "You used `camera_to_world` as world-to-camera, Rp + t. You need the way back: Rᵀ(p − t)."),
    "turned before moved": (_project_turned_first,
        "You turned first and then subtracted t. First p − t, then Rᵀ: t is in world axes."),
    "position added": (_project_added, "You added the camera's position: it is p − t."),
    "not moved": (_project_not_moved,
        "The camera's position does not enter: subtract t, the last *column*, before you turn."),
    "looking forwards": (_project_forwards,
        "You take q₃ for the depth. The camera looks along −z: what it sees has q₃ < 0, and the depth "
        "is −q₃."),
    "sign of the depth": (_project_depth_sign,
        "Your pixels are right, but the depth has the wrong sign: it is −q₃."),
    "a whole centre": (_project_whole_centre,
        "You cut off the half of the image centre (`//`): the middle of 33 pixels is 16.5."),
    "height and width exchanged": (_project_sides_exchanged,
        "You exchanged height and width: x belongs to the width, y to the height."),
    "no depth behind the camera": (_project_positive_depth,
        "You clipped the depth. Behind the camera it is negative, and that is how others can tell."),
    "whole pixels": (_project_whole_pixels,
        "You rounded to whole pixels. Positions in the image are real numbers."),
    "row before column": (_project_rows_first,
        "You returned (y, x). Pixels are (x to the right, y down), in this order."),
})
# fmt: on

PROJECT = Exercise(
    name="project",
    reference=project,
    call=_where_it_means_something,
    points=2,
    gradients=("points",),
    cases=(
        Case(
            "a point two in front of a camera at the origin",
            lambda g: (torch.tensor([[1.0, 1.0, -2.0]]), torch.eye(4), 10.0, 20, 40),
            fixed=True,
        ),
        Case("a camera that looks at the origin from anywhere", _view),
        Case("a tall image", lambda g: _view(g, (64, 16))),
        Case("points on all sides, odd sides of the image", _all_around),
    ),
    misconceptions=PROJECT_MISTAKES,
    hints=(
        "Three steps: into camera axes, divide by the depth, into pixels.",
        "Camera axes: q = Rᵀ(p − t) with R = camera_to_world[:3, :3], t = camera_to_world[:3, 3]. "
        "The camera looks along −z, so the depth is −q₃.",
        "x and y as in the formula; `torch.stack([x, y], dim=-1)` joins them. Return the pair (pixels, "
        'depth). Still stuck? `solution("project")`.',
    ),
)

# fmt: off
PICTURE_UPSIDE_DOWN = choice_question("upside_down_and_backwards", "C", {
    "A": ("multiply the focal length by −1",
        "That turns the image by 180° but the camera still looks the wrong way."),
    "B": ("transpose the rotation of every pose",
        "Transposing inverts the rotation: half of the repair if the poses were world-to-camera. But "
        "here the positions are right, and only the cameras' own axes differ."),
    "C": ("negate the second and third column of every camera-to-world matrix",
        "Column 2 is the camera's y, column 3 its z; the position (column 4) stays."),
    "D": ("negate the second and third row of every camera-to-world matrix",
        "Rows belong to the **world's** axes: that would turn the whole world by 180° and move the "
        "cameras. The camera's axes are the columns."),
}, hints=("OpenCV's camera: x right, y down, z forwards. Ours: x right, y up, z backwards.",
         "Which part of a camera-to-world matrix holds the camera's y axis in world coordinates?"))
# fmt: on

# fmt: off
POSES_INSIDE_OUT = choice_question("cameras_in_a_heap", "B", {
    "A": ("scale the scene up", "Scaling moves all cameras away alike: they stay in one place."),
    "B": ("invert the matrices: they are world-to-camera",
        "In world-to-camera form t is where the camera sees the world's origin, the same for "
        "all cameras that look at it from a sphere around it; the position is −Rᵀt."),
    "C": ("negate the positions",
        "The position is −Rᵀt, with R turned differently for each camera: negating t alone "
        "keeps all of them in one place."),
    "D": ("normalise the quaternions",
        "A quaternion of the wrong length spoils the rotation, it does not gather the cameras."),
}, hints=("World-to-camera is x_cam = R·x + t. Where is the world's origin seen from each camera?",
         "All cameras see the object straight ahead at the same distance: so t is the same for "
         "all."))
# fmt: on

# fmt: off
SMALLER_IMAGE_MISTAKES = mistakes({
    "unchanged": (1200.0,
        "That would crop the middle out of the picture. The focal length is in pixels, and the "
        "pixels have become larger."),
    "inverse": (9600.0, "Larger pixels: fewer of them make up the same length."),
    "area": (18.75,
        "You divided by 8² = 64. The focal length is a length, so it shrinks as the width does."),
})
# fmt: on

SMALLER_IMAGE = Question(
    name="focal_of_the_smaller_image",
    reference=150.0,
    misconceptions=SMALLER_IMAGE_MISTAKES,
    hints=("f/width stays the same, because the field of view does.", "1200 · 100 / 800"),
    explanation="f scales with the image: 1200 · 100/800 = 150.",
)
