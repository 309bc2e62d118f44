"""Comparing a reconstruction with the truth: the same points, the same voxels for every decoder."""

import warnings
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.losses import chamfer_distance
from course_lib.meshes import Mesh, sample_surface
from course_lib.metrics import f_score, iou, normal_consistency
from course_lib.voxels import mesh_to_voxels

NAN = float("nan")


@dataclass(frozen=True)
class Sampled:
    """What is compared of a shape: points on its surface, their normals, its occupied voxels."""

    points: Float[Tensor, "n 3"]
    normals: Float[Tensor, "n 3"] | None = None
    occupancy: Bool[Tensor, "r r r"] | None = None


def sample_mesh(mesh: Mesh, *, generator: torch.Generator | None = None) -> Sampled:
    """4096 points and normals drawn by area, and the voxels of [-1, 1]³ whose centres lie inside."""
    points, normals = sample_surface(mesh, 4096, generator=generator)
    return Sampled(points, normals, solid(mesh))


def evaluate(
    prediction: Mesh | Sampled, truth: Mesh | Sampled, *, threshold: float = 0.05
) -> dict[str, float]:
    """Four scores of one reconstruction.

    `iou`: of the occupied voxels. `chamfer`: squared, both directions added, as in notebook 04.
    `f_score`: at `threshold`, unsquared. `normals`: consistency, the mean |cosine|. A score is NaN
    where one side lacks what it needs (a cloud has no inside). Meshes are sampled here, both alike,
    with a fixed seed. Units: the coordinates', shapes in [-1, 1]³. ValueError for different grids.

    >>> from course_lib.meshes import icosphere
    >>> evaluate(icosphere(3), icosphere(3))["iou"]
    1.0
    """
    prediction, truth = _sampled(prediction, 0), _sampled(truth, 1)
    p, q = prediction.points[None], truth.points[None]
    scores = {"iou": NAN, "chamfer": float(chamfer_distance(p, q))}
    scores["f_score"] = float(f_score(p, q, threshold))
    scores["normals"] = NAN
    if prediction.occupancy is not None and truth.occupancy is not None:
        scores["iou"] = float(iou(prediction.occupancy[None], truth.occupancy[None]))
    if prediction.normals is not None and truth.normals is not None:
        normals = prediction.normals[None], truth.normals[None]
        scores["normals"] = float(normal_consistency(p, q, *normals))
    return scores


def _sampled(shape: Mesh | Sampled, seed: int) -> Sampled:
    if isinstance(shape, Sampled):
        return shape
    return sample_mesh(shape, generator=torch.Generator().manual_seed(seed))


def solid(mesh: Mesh) -> Bool[Tensor, "32 32 32"]:
    """The voxels that a predicted mesh winds around; none if it is too thin to hold a centre.

    Vertices that a network put outside [-1, 1]³ are moved to its sides. What networks predict cuts
    through itself or repeats a face now and then; the warnings about that are of no use here.
    """
    inside = Mesh(mesh.vertices.detach().clamp(-1, 1), mesh.faces)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return mesh_to_voxels(inside, 32)
    except ValueError:  # nothing inside, or no area
        return torch.zeros(32, 32, 32, dtype=torch.bool, device=mesh.vertices.device)
