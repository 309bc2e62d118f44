"""Shapes as pictures from many sides: views, view pooling, the visual hull."""

import warnings
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.cameras import project
from course_lib.meshes import Mesh, face_normals
from course_lib.voxels import voxel_centers
from course_lib.zbuffer import draw_faces


@dataclass(frozen=True, eq=False)
class Views:
    """What v cameras see: depth along the optical axis (infinite where nothing is), mask, colour."""

    cameras: Float[Tensor, "v 4 4"]
    focal: float
    depth: Float[Tensor, "v h w"]
    mask: Bool[Tensor, "v h w"]
    color: Float[Tensor, "v h w 3"]


def render_views(
    mesh: Mesh,
    cameras: Float[Tensor, "v 4 4"],
    size: int = 64,
    *,
    focal: float | None = None,
    colors: Float[Tensor, "u 3"] | None = None,
) -> Views:
    """Depth, silhouette and shaded colour of a mesh from each camera, `size` × `size` pixels.

    `focal` in pixels; the default is the picture's width, a field of view of 53°. `colors` are per
    vertex, in [0, 1]; grey without. Shading: ½ + ½ |n·d|, d the viewing direction. Warns where no
    camera sees anything of the mesh; ValueError for a mesh without faces.

    >>> from course_lib.cameras import spherical_cameras
    >>> from course_lib.meshes import icosphere
    >>> render_views(icosphere(2, 0.8), spherical_cameras(3, 3.0), 8).mask.shape
    torch.Size([3, 8, 8])
    """
    focal = float(size) if focal is None else focal
    if colors is None:
        colors = torch.full_like(mesh.vertices, 0.7)
    if len(mesh.faces) == 0:
        raise ValueError("expected a mesh with faces, got none")
    normals, cameras = face_normals(mesh), cameras.to(mesh.vertices)
    depths, masks, pictures = [], [], []
    for camera in cameras:
        pixels, depth = project(mesh.vertices, camera, focal, size, size)
        seen = draw_faces(pixels, depth, mesh.faces, size, size)
        facing = (normals @ camera[:3, 2]).abs()[seen.face.clamp(min=0)][..., None]
        picture = seen.interpolate(colors[mesh.faces]) * (0.5 + 0.5 * facing)
        depths.append(seen.depth)
        masks.append(seen.covered)
        pictures.append(picture * seen.covered[..., None])
    if not any(bool(mask.any()) for mask in masks):
        warnings.warn("no camera sees the mesh: is it tiny, or elsewhere?", stacklevel=2)
    stacks = (torch.stack(parts) for parts in (depths, masks, pictures))
    return Views(cameras, float(focal), *stacks)


def view_pool(features: Float[Tensor, "b v c"]) -> Float[Tensor, "b c"]:
    """One feature vector per shape from those of its v views: each feature where it is strongest.

    Their order does not matter, and there may be any number of them (Su et al. 2015, "Multi-view
    convolutional neural networks").

    >>> view_pool(torch.tensor([[[1.0, 5.0], [2.0, 3.0]]]))
    tensor([[2., 5.]])
    """
    return features.amax(dim=1)


def visual_hull(
    masks: Bool[Tensor, "v h w"],
    cameras: Float[Tensor, "v 4 4"],
    resolution: int,
    *,
    focal: float | None = None,
) -> Bool[Tensor, "r r r"]:
    """The voxels whose centres fall inside every silhouette: the largest solid with these outlines.

    A centre that leaves a picture, or lies behind a camera, is outside. More views never add voxels;
    hollows that no outline shows stay filled (Laurentini 1994). `focal` in pixels; the default
    is the pictures' width, as in `render_views`.

    >>> from course_lib.cameras import spherical_cameras
    >>> full = torch.ones(1, 4, 4, dtype=torch.bool)
    >>> int(visual_hull(full, spherical_cameras(1, 9.0), 2).sum())
    8
    """
    _, height, width = masks.shape
    focal = width if focal is None else focal
    centers = voxel_centers(resolution, device=masks.device).reshape(-1, 3)
    inside = torch.ones(len(centers), dtype=torch.bool, device=masks.device)
    for mask, camera in zip(masks, cameras, strict=True):
        pixels, depth = project(centers, camera.to(centers), focal, height, width)
        column, row = pixels.floor().long().unbind(1)
        visible = (depth > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
        inside[~visible] = False
        inside[visible] &= mask[row[visible], column[visible]]
    if not bool(inside.any()):
        warnings.warn("no voxel lies inside every silhouette: the hull is empty", stacklevel=2)
    return inside.reshape((resolution,) * 3)
