"""Makes assets/scene: the desk as a photographer would hand it over, in the Blender layout of NeRF."""

import json
import math
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from course_lib.authoring.desk import scene_sdf, shade
from course_lib.cameras import camera_rays, spherical_cameras

SIZE, SUPERSAMPLE, RADIUS, FIELD_OF_VIEW = 100, 4, 4.0, 0.69
SPLITS = {"train": (100, (-12.0, 85.0)), "val": (5, (0.0, 70.0)), "test": (20, (-8.0, 80.0))}


def make_scene(folder: Path) -> None:
    """Write images, camera files and the true mesh; about two minutes of one core."""
    for split, (count, elevation) in SPLITS.items():
        (folder / split).mkdir(parents=True, exist_ok=True)
        cameras = spherical_cameras(count, RADIUS, elevation=elevation)
        frames = []
        for index, camera in enumerate(cameras):
            _write_png(folder / split / f"r_{index}.png", photograph(camera))
            matrix = [[round(x, 6) for x in row] for row in camera.tolist()]
            frames.append({"file_path": f"./{split}/r_{index}", "transform_matrix": matrix})
        content = {"camera_angle_x": FIELD_OF_VIEW, "frames": frames}
        (folder / f"transforms_{split}.json").write_text(json.dumps(content, indent=1) + "\n")
    _write_mesh(folder / "mesh.ply")


def photograph(camera: Float[Tensor, "4 4"]) -> UInt8[Tensor, "h w 4"]:
    """One view, straight alpha: SUPERSAMPLE² rays in every pixel, averaged with their coverage."""
    side = SIZE * SUPERSAMPLE
    focal = side / (2 * math.tan(FIELD_OF_VIEW / 2))
    origins, directions = camera_rays(side, side, focal, camera)
    rgba = shade(origins.reshape(-1, 3), directions.reshape(-1, 3))
    rgba = rgba.view(SIZE, SUPERSAMPLE, SIZE, SUPERSAMPLE, 4).mean((1, 3))  # premultiplied
    rgb = rgba[..., :3] / rgba[..., 3:].clamp(min=1e-6)
    return (torch.cat([rgb, rgba[..., 3:]], dim=-1) * 255).round().to(torch.uint8)


def _write_png(path: Path, image: UInt8[Tensor, "h w 4"]) -> None:
    from PIL import Image

    Image.fromarray(image.numpy(), "RGBA").save(path, optimize=True)


def _write_mesh(path: Path) -> None:
    """The true surface by marching cubes, as a binary PLY."""
    import trimesh
    from skimage.measure import marching_cubes

    resolution = 112
    line = torch.linspace(-1.1, 1.1, resolution)
    points = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), dim=-1)
    values = scene_sdf()(points.reshape(-1, 3)).view(resolution, resolution, resolution).numpy()
    spacing = (2.2 / (resolution - 1),) * 3
    vertices, faces, _, _ = marching_cubes(values, 0.0, spacing=spacing)
    mesh = trimesh.Trimesh((vertices - 1.1).astype(np.float32), faces, process=False)
    mesh.export(path, include_attributes=False)
