"""Readers of NeRF-synthetic, instant-ngp and LLFF folders."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from course_lib.cameras import from_llff
from course_lib.data.scenes import Scene

ENDINGS = ("", ".png", ".jpg", ".jpeg", ".PNG", ".JPG", ".JPEG")
HOLD_OUT = 8  # every eighth photograph, as in LLFF's and instant-ngp's evaluations


def load_blender(folder: Path | str, split: str = "train", *, downscale: int = 1) -> Scene:
    """NeRF-synthetic: `transforms_<split>.json` beside the folders of images, ".png" left off."""
    if split == "all":
        raise ValueError("NeRF-synthetic scenes have the splits train, val and test, got 'all'")
    return _read_frames(Path(folder) / f"transforms_{split}.json", downscale)


def load_transforms(path: Path | str, split: str = "all", *, downscale: int = 1) -> Scene:
    """instant-ngp and nerfstudio: one `transforms.json`; intrinsics per frame or for all frames."""
    path = Path(path)
    path = path if path.is_file() else path / "transforms.json"
    return _hold_out(_read_frames(path, downscale), split)


def load_llff(folder: Path | str, split: str = "all", *, downscale: int = 1) -> Scene:
    """LLFF: `poses_bounds.npy` with a row for each of the sorted files of `images`.

    The folder images_<downscale>, where there is one, is used instead of shrinking.
    """
    folder = Path(folder)
    small = folder / f"images_{downscale}"
    ready = downscale > 1 and small.is_dir()
    paths = sorted(
        path
        for path in (small if ready else folder / "images").glob("*")
        if path.suffix in ENDINGS[1:]
    )
    rows = torch.from_numpy(np.load(folder / "poses_bounds.npy")).float()
    if rows.ndim != 2 or rows.shape[1] != 17:
        raise ValueError(f"expected poses_bounds.npy of shape (n, 17), got {tuple(rows.shape)}")
    if len(paths) != len(rows):
        raise ValueError(f"{len(rows)} poses, but {len(paths)} images in {folder}")
    poses, sizes, bounds = from_llff(rows)
    images = _read_images(paths, 1 if ready else downscale)
    scale = images.shape[1] / sizes[:, :1]  # the focal length is for the full photographs
    h, w = images.shape[1:3]
    center = torch.tensor([w / 2, h / 2]).expand(len(rows), 2)
    intrinsics = torch.cat([(sizes[:, 2:] * scale).expand(-1, 2), center], dim=-1)
    near, far = 0.9 * bounds.min().item(), 1.1 * bounds.max().item()
    names = tuple(path.name for path in paths)
    lens = torch.zeros(len(rows), 4)
    return _hold_out(Scene(images, poses, intrinsics, lens, names, near, far), split)


def _hold_out(scene: Scene, split: str) -> Scene:
    if split == "all":
        return scene
    test = range(0, len(scene), HOLD_OUT)
    return scene.select([i for i in range(len(scene)) if (i in test) == (split != "train")])


def _read_frames(path: Path, downscale: int) -> Scene:
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing")
    content = json.loads(path.read_text(encoding="utf-8"))
    frames = content.get("frames")
    if not frames:
        raise ValueError(f"{path} has no 'frames'")
    paths = [_image_path(path.parent, frame) for frame in frames]
    images = _read_images(paths, downscale)
    size = (images.shape[1] * downscale, images.shape[2] * downscale)
    lenses = [{**content, **frame} for frame in frames]  # a frame's own values win
    intrinsics = torch.tensor([_intrinsics(lens, size, path) for lens in lenses]) / downscale
    distortion = torch.tensor([_distortion(lens, path) for lens in lenses])
    poses = torch.stack([_pose(frame, path) for frame in frames])
    return Scene(images, poses, intrinsics, distortion, tuple(p.name for p in paths))


def _image_path(folder: Path, frame: dict[str, Any]) -> Path:
    if "file_path" not in frame:
        raise ValueError(f"a frame has no 'file_path', only {', '.join(sorted(frame))}")
    candidates = [folder / (frame["file_path"] + ending) for ending in ENDINGS]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(
        f"no image {candidates[0]} (also tried {', '.join(ENDINGS[1:])}); "
        "was the dataset unpacked whole?"
    )


def _pose(frame: dict[str, Any], path: Path) -> Float[Tensor, "4 4"]:
    matrix = torch.tensor(frame.get("transform_matrix", ()), dtype=torch.float64)
    if matrix.shape not in ((4, 4), (3, 4)):
        raise ValueError(
            f"{path}: expected a 4x4 'transform_matrix', got shape {tuple(matrix.shape)}"
        )
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3] = matrix[:3]
    error = (pose[:3, :3].T @ pose[:3, :3] - torch.eye(3)).abs().max().item()
    if not error < 1e-2 or torch.det(pose[:3, :3]) < 0:
        raise ValueError(
            f"{path}: the pose of {frame['file_path']} is not a rotation (error {error:.2g}): "
            "expected camera-to-world in OpenGL axes"
        )
    return pose.float()


def _intrinsics(lens: dict[str, Any], size: tuple[int, int], path: Path) -> list[float]:
    """fx, fy, cx, cy for images of `size`, whatever size they were calibrated at."""
    height, width = size
    given_w, given_h = lens.get("w", width), lens.get("h", height)
    if abs(given_w / given_h - width / height) > 0.02 * width / height:
        raise ValueError(f"{path}: calibrated at {given_w}x{given_h}, images are {width}x{height}")
    if "fl_x" in lens:
        fx = float(lens["fl_x"])
    elif "camera_angle_x" in lens:
        fx = given_w / (2 * math.tan(lens["camera_angle_x"] / 2))
    else:
        raise ValueError(f"{path}: found neither 'fl_x' nor 'camera_angle_x', so no focal length")
    fy = float(lens.get("fl_y", fx))
    cx, cy = lens.get("cx", given_w / 2), lens.get("cy", given_h / 2)
    sx, sy = width / given_w, height / given_h
    return [fx * sx, fy * sy, cx * sx, cy * sy]


def _distortion(lens: dict[str, Any], path: Path) -> list[float]:
    if lens.get("is_fisheye") or "FISHEYE" in str(lens.get("camera_model", "")).upper():
        raise ValueError(
            f"{path}: fisheye lenses are not modelled; undistort the photographs first, "
            "for instance with COLMAP's image_undistorter"
        )
    if abs(lens.get("k3", 0.0)) + abs(lens.get("k4", 0.0)) > 1e-6:
        raise ValueError(
            f"{path}: distortion beyond k1, k2, p1, p2 is not modelled: undistort first"
        )
    return [float(lens.get(key, 0.0)) for key in ("k1", "k2", "p1", "p2")]


def _read_images(paths: list[Path], downscale: int) -> UInt8[Tensor, "n h w 4"]:
    if downscale < 1:
        raise ValueError(f"expected downscale >= 1, got {downscale}")
    images, first = [], None
    for path in paths:
        image = _read_image(path, downscale)
        first = image.shape if first is None else first
        if image.shape != first:
            raise ValueError(
                f"{path} is {image.shape[1]}x{image.shape[0]} where {paths[0].name} is "
                f"{first[1]}x{first[0]}: photographs of one size are expected"
            )
        images.append(image)
    return torch.stack(images)


def _read_image(path: Path, downscale: int) -> UInt8[Tensor, "h w 4"]:
    from PIL import Image

    with Image.open(path) as file:
        rgba = torch.from_numpy(np.array(file.convert("RGBA")))
    if downscale == 1:
        return rgba
    x = rgba.permute(2, 0, 1).float() / 255  # (4, h, w)
    x = torch.cat([x[:3] * x[3:], x[3:]])  # average what is seen, not what transparency hides
    x = torch.nn.functional.avg_pool2d(x, downscale)
    x = torch.cat([x[:3] / x[3:].clamp(min=1e-6), x[3:]])
    return (x * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()
