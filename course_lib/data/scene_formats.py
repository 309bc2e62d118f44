"""Readers of NeRF-synthetic, instant-ngp, nerfstudio and LLFF folders.

| what | how |
|---|---|
| transforms.json, transforms_<split>.json; UTF-8, with or without a byte-order mark | read |
| fl_x, fl_y, cx, cy, w, h, camera_angle_x, camera_angle_y; per frame or for all | read |
| k1, k2, p1, p2 of PINHOLE, RADIAL and OPENCV lenses | read |
| those that cannot be undone in the corners of a photograph | read, with a remark |
| other lenses (fisheye, equirectangular, orthographic, FOV, k3 and beyond) | refused |
| train_filenames, val_filenames, test_filenames | obeyed |
| mask_path; a folder "masks" (a.png or COLMAP's a.jpg.png) | black becomes transparent |
| dynamic_mask_a.png beside a.png, as instant-ngp has it | what is not black becomes transparent |
| rolling_shutter, white_transparent, black_transparent, mask_color, time | ignored, with a remark |
| colours multiplied with alpha | divided again, with a remark |
| frames whose file is missing | left out, with a remark that counts them |
| from_mitsuba, from_na: other axes; positions on a map, which single precision would spoil | refused |
| EXIF orientation | ignored, with a remark |
| poses_bounds.npy of LLFF, images_<downscale> | read |
| photographs of two sizes, numbers that cannot be, poses that are no rotation | refused |
| other keys (aabb_scale, ply_file_path, depth_file_path, …) | ignored |
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from course_lib.cameras import from_llff
from course_lib.data import lenses
from course_lib.data.photographs import Photographs, check_lenses
from course_lib.data.pictures import ENDINGS, list_pictures
from course_lib.data.scene_images import find_masks, read_images, say_missing
from course_lib.data.scene_json import check_pose, plain_name, pose, read_frames, read_json

ANY_ENDING = ("", *ENDINGS, *(ending.upper() for ending in ENDINGS))
NOT_OBEYED = ("rolling_shutter", "white_transparent", "black_transparent", "mask_color", "time")
"""Keys that change what a photograph shows."""
OTHER_AXES = ("from_mitsuba", "from_na")  # instant-ngp's switches for poses that are not OpenGL's
HOLD_OUT = 8  # every eighth photograph, as in LLFF's and instant-ngp's evaluations


def load_blender(folder: Path | str, split: str = "train", *, downscale: int = 1) -> Photographs:
    """NeRF-synthetic: `transforms_<split>.json` beside the folders of images, ".png" left off.

    ValueError for a photograph that is in train and in another split.
    """
    folder = Path(folder)
    if split == "all":
        raise ValueError("NeRF-synthetic scenes have the splits train, val and test, got 'all'")
    path = folder / f"transforms_{split}.json"
    content = read_json(path)
    frames, others = read_frames(content, path), folder / "transforms_train.json"
    own = set(_pictures(path, frames))
    if split != "train" and others.is_file():
        trained = set(_pictures(others, read_frames(read_json(others), others)))
        _refuse_both(trained, own, path)
    return _read_scene(content, frames, path, downscale)


def load_transforms(path: Path | str, split: str = "all", *, downscale: int = 1) -> Photographs:
    """instant-ngp and nerfstudio: one `transforms.json`; intrinsics per frame or for all frames.

    Splits are those listed in the file, else every eighth photograph is for testing.
    """
    path = Path(path)
    path = path if path.is_file() else path / "transforms.json"
    content = read_json(path)
    frames = read_frames(content, path)
    _pictures(path, frames)
    if split == "all" or not any(f"{name}_filenames" in content for name in ("train", "test")):
        return hold_out(_read_scene(content, frames, path, downscale), split)
    listed = _listed(content, split, path)
    if split != "train":
        _refuse_both(_listed(content, "train", path), listed, path)
    names = {frame["file_path"] for frame in frames}
    if unknown := sorted(listed - names):
        raise ValueError(f"{path}: '{split}_filenames' lists {unknown[0]}, which is no frame")
    chosen = [frame for frame in frames if frame["file_path"] in listed]
    return _read_scene(content, chosen, path, downscale)


def load_llff(folder: Path | str, split: str = "all", *, downscale: int = 1) -> Photographs:
    """LLFF: `poses_bounds.npy` with a row for each of the sorted files of `images`.

    The folder images_<downscale>, where there is one, is used instead of shrinking.
    """
    folder = Path(folder)
    small, table = folder / f"images_{downscale}", folder / "poses_bounds.npy"
    ready = downscale > 1 and small.is_dir()
    paths = list_pictures(small if ready else folder / "images")
    poses, sizes, bounds = from_llff(_rows(table))
    if not paths:
        there = ", ".join(sorted(path.name for path in folder.glob("images*"))) or "no such folder"
        raise FileNotFoundError(
            f"{folder}: no photographs in images, only {there}; images_4 is read by downscale=4"
        )
    if len(paths) != len(poses):
        raise ValueError(f"{table}: {len(poses)} poses, but {len(paths)} images in {folder}")
    for i, name in enumerate(path.name for path in paths):
        check_pose(poses[i], f"{table}: the pose of {name}")
    if not bool((sizes > 0).all()) or not bool(
        ((bounds[:, 0] > 0) & (bounds[:, 0] < bounds[:, 1])).all()
    ):
        raise ValueError(
            f"{table}: expected positive sizes and focal lengths, and depths 0 < near < far, "
            f"got {sizes[0].tolist()} and {bounds[0].tolist()} in the first row"
        )
    shrink = 1 if ready else downscale
    images, size = read_images(paths, shrink, find_masks(folder, paths))
    lens = [{"h": h, "w": w, "fl_x": f} for h, w, f in sizes.tolist()]
    intrinsics = torch.tensor([lenses.intrinsics(one, size, table) for one in lens]) / shrink
    near, far = 0.9 * bounds.min().item(), 1.1 * bounds.max().item()
    names = tuple(path.name for path in paths)
    scene = Photographs(images, poses, intrinsics, torch.zeros(len(paths), 4), names, near, far)
    return hold_out(scene, split)


def hold_out(scene: Photographs, split: str) -> Photographs:
    """Every eighth photograph for "val" and "test", the others for "train"; ValueError if none."""
    if split == "all":
        return scene
    test = range(0, len(scene), HOLD_OUT)
    chosen = [i for i in range(len(scene)) if (i in test) == (split != "train")]
    if not chosen:
        raise ValueError(
            f"the split {split!r} is empty: of {len(scene)} photograph(s) every {HOLD_OUT}th is for "
            "testing; load_scene(folder, 'all') gives all"
        )
    return scene.select(chosen)


def _rows(path: Path) -> torch.Tensor:
    try:
        rows = torch.from_numpy(np.load(path, allow_pickle=False).astype(np.float64))
    except Exception as error:  # numpy raises whatever the bytes lead it to
        raise ValueError(f"{path}: expected an array of numbers ({error})") from None
    if rows.ndim != 2 or rows.shape[1] != 17 or len(rows) == 0:
        raise ValueError(f"{path}: expected shape (n, 17), got {tuple(rows.shape)}")
    if not bool(rows.isfinite().all()):
        bad = int((~rows.isfinite()).any(1).nonzero()[0])
        raise ValueError(f"{path}: expected finite numbers, got NaN or infinity in row {bad}")
    return rows.float()


def _read_scene(content: dict[str, Any], frames: list, path: Path, downscale: int) -> Photographs:
    found = [(frame, image) for frame in frames if (image := _image_path(path.parent, frame))]
    if not found:
        raise FileNotFoundError(
            f"{path}: no image {path.parent / frames[0]['file_path'] if frames else ''} (also tried "
            f"{', '.join(ENDINGS)}); was the dataset unpacked whole?"
        )
    missing = [f["file_path"] for f in frames if not _image_path(path.parent, f)]
    say_missing(missing, len(frames), path)
    frames, paths = [frame for frame, _ in found], [image for _, image in found]
    masks = find_masks(path.parent, paths, [frame.get("mask_path") for frame in frames])
    images, size = read_images(paths, downscale, masks)
    lens = [{**content, **frame} for frame in frames]  # a frame's own values win
    if axes := [key for key in OTHER_AXES if any(one.get(key) for one in lens)]:
        raise ValueError(
            f"{path}: poses with '{axes[0]}' are not read: convert them to OpenGL axes first"
        )
    _say_not_obeyed(lens, path)
    distortion = torch.tensor([lenses.distortion(one, path) for one in lens])
    intrinsics = torch.tensor([lenses.intrinsics(one, size, path) for one in lens]) / downscale
    poses = torch.stack([pose(frame, path) for frame in frames])
    scene = Photographs(images, poses, intrinsics, distortion, tuple(p.name for p in paths))
    return check_lenses(scene, str(path))


def _say_not_obeyed(lens: list[dict[str, Any]], path: Path) -> None:
    def says(value: Any) -> bool:
        return any(value) if isinstance(value, list) else bool(value)

    if keys := [key for key in NOT_OBEYED if any(says(one.get(key)) for one in lens)]:
        warnings.warn(
            f"{path}: {', '.join(keys)} is not obeyed: the photographs are taken as they are, of a "
            "scene that stands still",
            stacklevel=5,
        )


def _image_path(folder: Path, frame: dict[str, Any]) -> Path | None:
    candidates = [folder / (frame["file_path"] + ending) for ending in ANY_ENDING]
    return next((path for path in candidates if path.is_file()), None)


def _pictures(path: Path, frames: list[dict[str, Any]]) -> dict[str, str]:
    """Of every photograph that is there its file, and how a frame names it; ValueError for two."""
    found: dict[str, str] = {}
    for name in (frame["file_path"] for frame in frames):
        image = _image_path(path.parent, {"file_path": name})
        if image and str(image.resolve()) in found:
            first = found[str(image.resolve())]
            raise ValueError(f"{path}: {first} and {name} are one photograph, listed twice")
        if image:
            found[str(image.resolve())] = name
    return found


def _listed(content: dict[str, Any], split: str, path: Path) -> set[str]:
    names = content.get(f"{split}_filenames")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise ValueError(
            f"{path}: the split {split!r} is empty: expected names in '{split}_filenames', "
            f"got {names!r}"
        )
    return {plain_name(name) for name in names}


def _refuse_both(train: set[str], other: set[str], path: Path) -> None:
    if both := sorted(train & other):
        raise ValueError(
            f"{path}: {len(both)} photograph(s) are for training and for testing ({both[0]}, …)"
        )
