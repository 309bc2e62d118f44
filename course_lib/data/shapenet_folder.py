"""Reads the user's own ShapeNet renderings into the data set of notebook 05.

Two layouts are understood. One folder per model:

    <root>/…/<model>/rendering/00.png …, rendering_metadata.txt
    <root>/…/<model>/model.obj  or  models/model_normalized.obj  or  model.binvox

and the three trees of 3D-R2N2's download, side by side under the root:

    ShapeNetRendering/<category>/<model>/rendering/…
    ShapeNetVox32/<category>/<model>/model.binvox
    ShapeNetCore.v1/<category>/<model>/model.obj

| what | how |
|---|---|
| pictures 00.png …, of every kind that `read_picture` reads, each with the camera of its number | read |
| other files beside them (00_depth.png, hidden ones) | ignored |
| models without a shape; pictures beyond what the poorest model has | left out, with a remark |
| pictures that are not square, numbers without a camera | refused |
| rendering_metadata.txt: azimuth, elevation, distance | read |
| its in-plane rotation, if it is not 0 | refused |
| its field of view | ignored: 35 mm on a sensor of 32 mm |
| shapes: .obj, else .binvox with its place (translate, scale) | read |
| shapes that do not project onto their pictures, or onto a part | read, with a remark of the shares |
| pictures without any transparent pixel | read, with a remark: their background is part of them |
"""

import math
import warnings
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from course_lib import cameras
from course_lib.data.pictures import read_picture
from course_lib.data.shape_records import pack_bits
from course_lib.data.single_view import SingleView
from course_lib.implicit import mesh_to_sdf
from course_lib.meshes import Mesh, load_mesh, sample_surface
from course_lib.voxels import load_binvox, mesh_to_voxels, voxels_to_mesh

SHAPES = ("model.obj", "models/model_normalized.obj", "model.binvox")
FARTHEST = 1.75  # a distance of 1 in rendering_metadata.txt, where the object has unit diagonal
FOCAL = 35 / 32  # focal length over sensor width of 3D-R2N2's renderings
ON_ITS_PICTURE = 0.95  # share of a shape's points on its silhouette, and of that near points


def read_folder(root: Path, *, size: int = 64, views: int = 24, points: int = 2048) -> SingleView:
    """All models under `root` that have pictures and a shape, as one data set.

    Every shape is centred and scaled until its longest side is 1.8, and the cameras of
    rendering_metadata.txt with it, so that the shape still projects onto its pictures; these are
    reduced to `size`. A warning names a model of which less than 95 % does. The depths are not known
    (0). Many ShapeNet meshes are open: inside is then where the winding number exceeds ½, and a warning
    says so. All shapes are in one set, the views of each one after the other: split it by shape.
    ValueError where nothing usable is found.
    """
    folders = sorted(path for path in Path(root).rglob("rendering") if path.is_dir())
    models = [(folder, _find_shape(folder.parent, Path(root))) for folder in folders]
    usable = [(folder, shape) for folder, shape in models if shape is not None]
    if not usable:
        raise ValueError(
            f"expected folders like <model>/rendering/00.png beside <model>/model.obj under {root}, "
            f"found {len(folders)} rendering folders and no shape for them"
        )
    if bare := [folder.parent.name for folder, shape in models if shape is None]:
        _warn(f"{root}: {len(bare)} of {len(models)} models ({bare[0]}, …) have no shape: left out")
    records = [_record(folder, shape, size, views, points) for folder, shape in usable]
    counts = [len(record["image"]) for record in records]
    fewest = min(counts)
    if fewest < max(counts):
        poor = usable[counts.index(fewest)][0]
        _warn(f"{root}: {fewest} pictures of every model are taken, as {poor} holds no more")
    for record in records:
        for name in ("image", "camera", "depth"):
            record[name] = record[name][:fewest]
    fields = {name: torch.stack([record[name] for record in records]) for name in records[0]}
    return SingleView(fields, tuple(folder.parent.name for folder, _ in usable), FOCAL * size)


def metadata_cameras(text: str) -> Float[Tensor, "views 4 4"]:
    """Cameras from rendering_metadata.txt, one line per picture.

    Azimuth θ and elevation φ in degrees, distance ρ: the camera sits at
    1.75 ρ (cos φ cos θ, sin φ, cos φ sin θ) and looks at the origin; the object faces +x at θ = 0.
    ValueError for a line with fewer than four numbers, for an in-plane rotation, and for distances
    that are not positive.
    """
    rows = [line.replace(",", " ").split() for line in text.splitlines() if line.strip()]
    if not rows or min(map(len, rows)) < 4 or not all(map(_are_numbers, rows)):
        raise ValueError(
            "expected lines of azimuth, elevation, in-plane rotation and distance in "
            f"rendering_metadata.txt, got {rows[:1]}"
        )
    values = torch.tensor([[float(x) for x in row[:4]] for row in rows])
    azimuth, elevation, roll, distance = values.T
    if not bool(values.isfinite().all()) or bool((distance <= 0).any()) or bool(roll.any()):
        raise ValueError(
            "expected finite angles, no in-plane rotation and distances > 0 in "
            f"rendering_metadata.txt, got {values.tolist()[:3]}"
        )
    azimuth, elevation = azimuth * math.pi / 180, elevation * math.pi / 180
    flat = elevation.cos()
    direction = torch.stack([flat * azimuth.cos(), elevation.sin(), flat * azimuth.sin()], dim=-1)
    return cameras.look_at(FARTHEST * distance[:, None] * direction)


def _are_numbers(words: list[str]) -> bool:
    try:
        return bool([float(word) for word in words])
    except ValueError:
        return False


def _find_shape(model: Path, root: Path) -> Path | None:
    """The shape beside the pictures, or at the same category and model in another tree."""
    beside = [model / name for name in SHAPES]
    elsewhere = [
        tree / model.parent.name / model.name / name
        for tree in sorted(root.iterdir())
        if tree.is_dir()
        for name in SHAPES
    ]
    return next((path for path in beside + elsewhere if path.is_file()), None)


def _record(folder: Path, shape: Path, size: int, views: int, points: int) -> dict[str, Tensor]:
    """The fields of one model; see `shape_records.describe`."""
    numbered = (path for path in folder.glob("*.png") if path.stem.isdecimal())  # not "._00.png"
    pictures = sorted(numbered, key=lambda path: int(path.stem))[:views]
    metadata = folder / "rendering_metadata.txt"
    if not pictures or not metadata.is_file():
        raise ValueError(f"expected 00.png … and rendering_metadata.txt in {folder}")
    camera, last = _cameras(metadata), pictures[-1]
    if int(last.stem) >= len(camera):
        raise ValueError(
            f"{metadata}: {len(camera)} cameras, numbered from 0, none for {last.name}"
        )
    camera = camera[[int(path.stem) for path in pictures]]  # one may be missing between
    mesh, center, scale = _load_shape(shape)
    camera[:, :3, 3] = (camera[:, :3, 3] - center) * scale  # where the shape went, it goes too
    grid = mesh_to_voxels(mesh, 64)
    generator = torch.Generator().manual_seed(0)
    surface, normals = sample_surface(mesh, points, generator=generator)
    near = sample_surface(mesh, 2048, generator=generator)[0]
    near = near + 0.05 * torch.randn(2048, 3, generator=generator)
    image = torch.stack([_picture(path, size) for path in pictures])
    _say_beside(surface, image, camera, folder)
    samples = torch.cat([near, 2 * torch.rand(2048, 3, generator=generator) - 1]).half()
    return {
        "image": image,
        "camera": camera,
        "depth": torch.zeros(len(pictures), size, size, dtype=torch.float16),  # not known
        "occupancy": pack_bits(torch.nn.functional.avg_pool3d(grid[None].float(), 2)[0] >= 0.5),
        "points": surface.half(),
        "normals": normals.half(),
        "sdf_points": samples,
        "sdf": mesh_to_sdf(mesh)(samples.float()).half(),
    }


def _cameras(metadata: Path) -> Float[Tensor, "views 4 4"]:
    try:
        return metadata_cameras(metadata.read_bytes().decode("utf-8-sig"))
    except ValueError as error:  # bytes that are no text too
        raise ValueError(f"{metadata}: {error}") from None


def _picture(path: Path, size: int) -> UInt8[Tensor, "4 {size} {size}"]:
    """RGBA, reduced by averaging."""
    import numpy as np
    from PIL import Image

    rgba = read_picture(path)
    if rgba.shape[0] != rgba.shape[1]:
        raise ValueError(f"{path}: expected a square picture, got {rgba.shape[1]}x{rgba.shape[0]}")
    small = Image.fromarray(rgba).resize((size, size), Image.Resampling.BOX)
    return torch.from_numpy(np.asarray(small).copy()).permute(2, 0, 1)


def _load_shape(path: Path) -> tuple[Mesh, Float[Tensor, "3"], float]:
    """The surface with a longest side of 1.8 about the origin, its centre and the scale before."""
    if path.suffix == ".binvox":
        voxels = load_binvox(path)
        raw, place = voxels_to_mesh(voxels.grid), torch.tensor(voxels.translate)
        raw = Mesh(place + voxels.scale * (raw.vertices + 1) / 2, raw.faces)
    else:
        raw = load_mesh(path)
    low, high = raw.vertices.amin(dim=0), raw.vertices.amax(dim=0)
    longest, center = float((high - low).max()), (low + high) / 2
    if longest <= 0:
        raise ValueError(f"{path}: expected a shape with an extent, got one point")
    return Mesh((raw.vertices - center) * (1.8 / longest), raw.faces), center, 1.8 / longest


def _say_beside(
    points: Float[Tensor, "n 3"],
    image: UInt8[Tensor, "views 4 h w"],
    camera: Float[Tensor, "views 4 4"],
    folder: Path,
) -> None:
    """A warning where the shape's points do not fall on what its pictures show, or leave it bare."""
    size, hits, reached = image.shape[-1], [], []
    if not bool((image[:, 3] < 255).any()):
        _warn(f"{folder}: no picture is transparent where nothing is: the background is part of it")
        return
    for alpha, pose in zip(image[:, 3].float(), camera, strict=True):
        pixels, _ = cameras.project(points, pose, FOCAL * size, size, size)
        inside = ((pixels >= 0) & (pixels < size)).all(dim=1)
        column, row = pixels.long().clamp(0, size - 1).T
        hits.append((inside & (_widen(alpha, 1)[row, column] > 0)).float().mean())
        drawn = torch.zeros_like(alpha)
        drawn[row[inside], column[inside]] = 1
        reached.append(_widen(drawn, 2)[alpha > 127].mean())  # 2048 points leave gaps
    share, covered = (float(torch.stack(x).nanmean()) for x in (hits, reached))
    if share < ON_ITS_PICTURE or covered < ON_ITS_PICTURE:
        _warn(
            f"{folder}: {share:.0%} of the shape's points fall on its pictures, and {covered:.0%} of "
            "those on them; are shape and cameras of one frame, with a diagonal of 1?"
        )


def _widen(mask: Float[Tensor, "h w"], pixels: int) -> Float[Tensor, "h w"]:
    """The largest value within some pixels."""
    side = 2 * pixels + 1
    return torch.nn.functional.max_pool2d(mask[None, None], side, 1, pixels)[0, 0]


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=5)
