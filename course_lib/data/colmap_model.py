"""COLMAP's sparse models: cameras and images, as text or binary, beside the folder of photographs.

| what | how |
|---|---|
| cameras and images, .bin or .txt, in sparse/0, sparse or colmap/sparse/0 | read |
| SIMPLE_PINHOLE, PINHOLE, SIMPLE_RADIAL, RADIAL, OPENCV | read |
| FULL_OPENCV, fisheye, FOV and all other lenses | refused by name |
| masks in the folder "masks", as a.jpg.png or a.png | black becomes transparent |
| photographs that are missing; a second model beside sparse/0 | left out, with a remark |
| photographs of several sizes, listed twice; a principal point outside | refused |
| 3D points, tracks, rigs and frames | ignored |

COLMAP's poses are world-to-camera with y down and z forwards (qw, qx, qy, qz, t); see
https://colmap.github.io/format.html.
"""

import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.cameras import from_colmap
from course_lib.data.lenses import check_focal
from course_lib.data.photographs import Photographs, check_lenses
from course_lib.data.scene_formats import hold_out
from course_lib.data.scene_images import find_masks, read_images, say_missing
from course_lib.data.scene_json import check_pose, plain_name

FOLDERS = ("sparse/0", "sparse", "colmap/sparse/0")
LENSES = {  # number in binary files -> name, where each parameter goes
    0: ("SIMPLE_PINHOLE", "f cx cy"),
    1: ("PINHOLE", "fx fy cx cy"),
    2: ("SIMPLE_RADIAL", "f cx cy k1"),
    3: ("RADIAL", "f cx cy k1 k2"),
    4: ("OPENCV", "fx fy cx cy k1 k2 p1 p2"),
}


class Lens(NamedTuple):
    """A camera: what COLMAP calls one."""

    size: tuple[int, int]
    intrinsics: list[float]
    distortion: list[float]


class View(NamedTuple):
    """An image: its name, its camera and where it was taken (quaternion and translation)."""

    name: str
    camera: int
    pose: list[float]


def find_model(folder: Path) -> Path | None:
    """The folder of the model, or None."""
    return next((folder / name for name in FOLDERS if _has_model(folder / name)), None)


def _has_model(folder: Path) -> bool:
    return any((folder / f"cameras{end}").is_file() for end in (".bin", ".txt"))


def load_colmap(folder: Path | str, split: str = "all", *, downscale: int = 1) -> Photographs:
    """The photographs of a COLMAP model, sorted by name; every eighth one is for testing.

    The world keeps COLMAP's axes and scale, which are arbitrary.
    """
    folder = Path(folder)
    model = find_model(folder)
    if model is None:
        raise FileNotFoundError(f"{folder} has no cameras.bin or cameras.txt in {FOLDERS}")
    others = [p.name for p in sorted(model.parent.glob("[1-9]*")) if _has_model(p)]
    if model.name == "0" and others:
        warnings.warn(
            f"{model.parent}: of {1 + len(others)} models that share no photographs 0 is read",
            stacklevel=3,
        )
    lenses, views = _read_model(model)
    if not views:
        raise ValueError(f"{model}: expected registered images, got none")
    views, paths = _found(folder, views, model)
    images, size = read_images(paths, downscale, find_masks(folder, paths))
    for view in views:
        if view.camera not in lenses:
            raise ValueError(f"{model}: {view.name} has camera {view.camera}, which is not listed")
        if lenses[view.camera].size != size:
            h, w = lenses[view.camera].size
            raise ValueError(
                f"{model}: {view.name} was calibrated at {w}x{h}, images are {size[1]}x{size[0]}"
            )
    used = [lenses[view.camera] for view in views]
    poses = torch.stack([_pose(view, model) for view in views])
    intrinsics = torch.tensor([lens.intrinsics for lens in used]) / downscale
    distortion = torch.tensor([lens.distortion for lens in used])
    names = tuple(path.name for path in paths)
    scene = check_lenses(Photographs(images, poses, intrinsics, distortion, names), str(model))
    return hold_out(scene, split)


def _found(folder: Path, views: list[View], model: Path) -> tuple[list[View], list[Path]]:
    """The views whose photographs are there, by name; a warning counts the others."""
    places, pairs = (folder / "images", folder), []
    names = [view.name for view in views]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"{model}: {twice} is listed twice")
    for view in sorted(views, key=lambda view: view.name):
        path = next((p / view.name for p in places if (p / view.name).is_file()), None)
        if path:
            pairs.append((view, path))
    if not pairs:
        raise FileNotFoundError(f"{model} names {names[0]}, but there is no {places[0] / names[0]}")
    found, paths = zip(*pairs, strict=True)
    say_missing([name for name in names if name not in {v.name for v in found}], len(names), model)
    return list(found), list(paths)


def _pose(view: View, model: Path) -> Float[Tensor, "4 4"]:
    """Camera-to-world in OpenGL axes."""
    what = f"{model}: the pose of {view.name}"
    q = torch.tensor(view.pose[:4], dtype=torch.float64)
    if not 0.99 < float(q.norm()) < 1.01:
        raise ValueError(f"{what} has no unit quaternion: {q.tolist()}")
    matrix = from_colmap(q, torch.tensor(view.pose[4:7], dtype=torch.float64))
    return check_pose(matrix, what)


def _lens(model: str, size: tuple[int, int], values: list[float]) -> Lens:
    names = next((names for name, names in LENSES.values() if name == model), None)
    if names is None:
        known = ", ".join(name for name, _ in LENSES.values())
        raise ValueError(f"{model} lenses are not modelled ({known} are): undistort first")
    if len(values) != len(names.split()):
        raise ValueError(f"expected the parameters {names} of {model}, got {values}")
    found = dict(zip(names.split(), values, strict=True))
    fx, fy = found.get("fx", found.get("f", 0.0)), found.get("fy", found.get("f", 0.0))
    finite = all(abs(value) < 1e30 for value in values)
    if not finite or min(fx, fy, *size) <= 0:
        raise ValueError(f"expected positive sizes and focal lengths, got {size} and {values}")
    check_focal((fx, fy), size[::-1], model)
    if not (0 < found["cx"] < size[1] and 0 < found["cy"] < size[0]):
        raise ValueError(
            f"expected a principal point inside {size[1]}x{size[0]} pixels, got {values}"
        )
    lens = [found.get(key, 0.0) for key in ("k1", "k2", "p1", "p2")]
    return Lens(size, [fx, fy, found["cx"], found["cy"]], lens)


def _read_model(model: Path) -> tuple[dict[int, Lens], list[View]]:
    binary = (model / "cameras.bin").is_file()
    cameras, images = (_binary_cameras, _binary_images) if binary else (_text_cameras, _text_images)
    found: list = []
    for name, reader in (("cameras", cameras), ("images", images)):
        path = model / f"{name}{'.bin' if binary else '.txt'}"
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing")
        try:
            found.append(list(reader(path)))
        except (ValueError, IndexError, struct.error) as error:
            raise ValueError(f"{path}: {error}") from None
    return dict(found[0]), found[1]


def _text_lines(path: Path) -> list[str]:
    lines = path.read_bytes().decode("utf-8-sig").splitlines()
    return [line for line in lines if not line.startswith("#")]


def _text_cameras(path: Path) -> Iterator[tuple[int, Lens]]:
    for line in filter(str.strip, _text_lines(path)):
        words = line.split()
        if len(words) < 5:
            raise ValueError(f"expected id, model, width, height, parameters, got '{line[:60]}'")
        size = (int(words[3]), int(words[2]))
        yield int(words[0]), _lens(words[1], size, [float(word) for word in words[4:]])


def _text_images(path: Path) -> Iterator[View]:
    """Two lines each: the pose and the name, then the 2D points (perhaps an empty line)."""
    lines = _text_lines(path)
    while lines and not lines[0].strip():
        lines.pop(0)
    for number, line in enumerate(lines[::2]):
        words, points = line.split(maxsplit=9), lines[2 * number + 1 : 2 * number + 2]
        numbers = " ".join(points).split()
        if len(numbers) % 3 or not all(map(_is_number, numbers[-1:])):
            raise ValueError(f"expected x, y, id of points, or an empty line, after '{line[:60]}'")
        if words and len(words) < 10:
            raise ValueError(f"expected id, qw … tz, camera, name, got '{line[:60]}'")
        if words:
            pose = [float(word) for word in words[1:8]]
            yield View(plain_name(words[9].strip()), int(words[8]), pose)


def _is_number(word: str) -> bool:
    return word.removeprefix("-").replace(".", "", 1).isdecimal()


def _binary_cameras(path: Path) -> Iterator[tuple[int, Lens]]:
    data, at = path.read_bytes(), 8
    for _ in range(struct.unpack_from("<Q", data)[0]):
        number, model, w, h = struct.unpack_from("<iiQQ", data, at)
        if model not in LENSES:
            raise ValueError(f"lens model {model} is not modelled (0 to 4 are): undistort first")
        name, names = LENSES[model]
        values = struct.unpack_from(f"<{len(names.split())}d", data, at + 24)
        at += 24 + 8 * len(values)
        yield number, _lens(name, (h, w), list(values))


def _binary_images(path: Path) -> Iterator[View]:
    data, at = path.read_bytes(), 8
    for _ in range(struct.unpack_from("<Q", data)[0]):
        _, *pose, camera = struct.unpack_from("<i7di", data, at)
        end = data.index(b"\0", at + 64)
        name = data[at + 64 : end].decode("utf-8")
        at = end + 9 + 24 * struct.unpack_from("<Q", data, end + 1)[0]
        if at > len(data):
            raise ValueError(f"cut short in the points of {name}")
        yield View(plain_name(name), camera, pose)
