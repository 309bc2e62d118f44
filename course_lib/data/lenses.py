"""Lenses of transforms.json and COLMAP: focal lengths, principal point, distortion, or a refusal."""

import math
from pathlib import Path
from typing import Any

from course_lib.data.scene_json import angle, number, positive

MODELS = ("PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV")
ALIASES = ("PERSPECTIVE", "")  # how other programs call a camera without distortion
SHORTEST = 0.1  # focal length over the longer side
BEYOND = ("k3", "k4", "k5", "k6", "s1", "s2", "s3", "s4", "sx1", "sy1", "omega")
OTHER = {  # instant-ngp's switches for lenses that are no pinhole
    "is_fisheye": "fisheye",
    "fisheye": "fisheye",
    "orthographic": "orthographic",
    "is_orthographic": "orthographic",
    "equirectangular": "equirectangular",
    "is_equirectangular": "equirectangular",
    "latlong": "equirectangular",
    "is_latlong": "equirectangular",
    **{f"ftheta_p{i}": "f-theta" for i in range(5)},
}
UNDISTORT = "undistort the photographs first, for instance with COLMAP's image_undistorter"


def intrinsics(lens: dict[str, Any], size: tuple[int, int], path: Path) -> list[float]:
    """fx, fy, cx, cy for images of `size` (height, width), whatever size they were calibrated at."""
    height, width = size
    given_w, given_h = positive(lens, "w", width, path), positive(lens, "h", height, path)
    if abs(given_w / given_h - width / height) > 0.02 * width / height:
        raise ValueError(
            f"{path}: calibrated at {given_w:g}x{given_h:g}, images are {width}x{height}"
        )
    if "fl_x" in lens:
        fx = positive(lens, "fl_x", 0.0, path)
    elif "camera_angle_x" in lens:
        fx = given_w / (2 * math.tan(angle(lens, "camera_angle_x", path) / 2))
    else:
        raise ValueError(f"{path}: found neither 'fl_x' nor 'camera_angle_x', so no focal length")
    fy = fx
    if "fl_y" in lens:
        fy = positive(lens, "fl_y", fx, path)
    elif "fl_x" not in lens and "camera_angle_y" in lens:
        fy = given_h / (2 * math.tan(angle(lens, "camera_angle_y", path) / 2))
    check_focal((fx, fy), (given_w, given_h), str(path))
    cx, cy = number(lens, "cx", given_w / 2, path), number(lens, "cy", given_h / 2, path)
    if not (0 < cx < given_w and 0 < cy < given_h):
        raise ValueError(
            f"{path}: expected 'cx', 'cy' inside {given_w:g}x{given_h:g} pixels, got {cx:g}, {cy:g}"
        )
    sx, sy = width / given_w, height / given_h
    return [fx * sx, fy * sy, cx * sx, cy * sy]


def check_focal(focal: tuple[float, float], size: tuple[float, float], name: str) -> None:
    """ValueError for focal lengths that are no pixels: below a tenth of the longer side (157°).

    COLMAP has the same limit (`min_focal_length_ratio`).
    """
    if min(focal) < SHORTEST * max(size):
        raise ValueError(
            f"{name}: expected a focal length in pixels, got {min(focal):g} for {size[0]:g}x{size[1]:g}"
            ", a view of more than 157°: millimetres, or a share of the width?"
        )


def distortion(lens: dict[str, Any], path: Path) -> list[float]:
    """OpenCV's k1, k2, p1, p2; ValueError names a lens that these four do not describe."""
    model = str(lens.get("camera_model") or "").upper()
    named = [kind for key, kind in OTHER.items() if lens.get(key)]
    if named or model not in MODELS + ALIASES:
        kind = named[0] if named else model
        raise ValueError(
            f"{path}: {kind} lenses are not modelled ({', '.join(MODELS)} are); {UNDISTORT}"
        )
    if "distortion_params" in lens:
        lens = {**lens, **_listed(lens["distortion_params"], path)}
    more = {key: number(lens, key, 0.0, path) for key in BEYOND}
    beyond = [key for key, value in more.items() if abs(value) > 1e-6]
    if beyond:
        raise ValueError(
            f"{path}: distortion beyond k1, k2, p1, p2 ({', '.join(beyond)}) is not modelled; "
            f"{UNDISTORT}"
        )
    return [number(lens, key, 0.0, path) for key in ("k1", "k2", "p1", "p2")]


def _listed(values: Any, path: Path) -> dict[str, Any]:
    """nerfstudio's list of six."""
    if not isinstance(values, list) or len(values) != 6:
        raise ValueError(f"{path}: expected six 'distortion_params', got {values!r}")
    return dict(zip(("k1", "k2", "k3", "k4", "p1", "p2"), values, strict=True))
