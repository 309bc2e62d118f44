"""Reads the photographs of a folder, whatever its layout.

`load_scene(folder)` recognises NeRF-synthetic (`transforms_train.json`, Blender), instant-ngp and
nerfstudio (`transforms.json`), LLFF (`poses_bounds.npy`) and COLMAP's models (`sparse/0`).
Cameras are camera-to-world in OpenGL axes, pixels have their centres at +0.5; see `course_lib.cameras`.
"""

import warnings
from pathlib import Path

from course_lib.data import colmap_model, scene_formats, structure_from_motion
from course_lib.data.photographs import Photographs
from course_lib.shipped import asset

SPLITS = ("train", "val", "test", "all")


def load_scene(
    folder: Path | str | None = None, split: str = "train", *, downscale: int = 1
) -> Photographs:
    """The photographs of a split; without a folder, the course's own desk.

    The layout is recognised by its files. `downscale` shrinks the photographs by a whole factor.
    Without separate files for the splits every eighth photograph is for testing.
    Raises FileNotFoundError or ValueError that say what was looked for. What is read, refused and
    ignored of each format: the tables in `scene_formats`, `colmap_model` and `structure_from_motion`.
    """
    folder = asset("scene/transforms_train.json").parent if folder is None else Path(folder)
    if split not in SPLITS:
        raise ValueError(f"expected a split of {', '.join(SPLITS)}, got {split!r}")
    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder}")
    if folder.is_file() or (folder / "transforms.json").exists():
        return scene_formats.load_transforms(folder, split, downscale=downscale)
    if (folder / "transforms_train.json").exists():
        return scene_formats.load_blender(folder, split, downscale=downscale)
    if (folder / "poses_bounds.npy").exists():
        return scene_formats.load_llff(folder, split, downscale=downscale)
    if not colmap_model.find_model(folder):
        folder = _find_cameras(folder)
    return colmap_model.load_colmap(folder, split, downscale=downscale)


def _find_cameras(folder: Path) -> Path:
    try:
        posed, report = structure_from_motion.find_cameras(folder)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{folder} has none of transforms_train.json (NeRF-synthetic), transforms.json "
            f"(instant-ngp), poses_bounds.npy (LLFF), sparse/0/cameras.bin or .txt (COLMAP); and {error}"
        ) from None
    if report.doubtful:
        warnings.warn(str(report), stacklevel=3)
    return posed
