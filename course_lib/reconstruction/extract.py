"""A closed mesh, and what is compared of it, out of whatever a decoder predicts."""

from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.meshes import Mesh
from course_lib.reconstruction.evaluate import Sampled, sample_mesh, solid
from course_lib.reconstruction.mesh_decoder import MeshDecoder
from course_lib.reconstruction.point_decoder import PointDecoder
from course_lib.reconstruction.surfaces import logits_to_mesh, points_to_mesh
from course_lib.reconstruction.voxel_decoder import VoxelDecoder
from course_lib.voxels import voxel_centers

CHUNK = 16384  # query points at a time


@torch.no_grad()
def reconstruct(network: nn.Module, item: dict[str, Tensor]) -> tuple[Mesh, Sampled]:
    """The mesh that a network predicts for one item of the data set, and what `evaluate` compares.

    Voxels and implicit function say themselves which voxels are occupied; a point set is compared
    by its own points, and fills voxels through the solid around it (which has no normals).
    """
    decoder, image = network.decoder, item["image"]
    if isinstance(decoder, PointDecoder):
        points = network(image[None])[0]
        mesh = points_to_mesh(points)
        return mesh, Sampled(points, None, solid(mesh))
    if isinstance(decoder, MeshDecoder):
        mesh = network(image[None], item["camera"][None])[0][-1]
        return mesh, sample_mesh(mesh, generator=_seeded())
    if isinstance(decoder, VoxelDecoder):
        logits = network(image[None])[0]
    else:  # asked at the voxels' centres: one set of queries serves both mesh and voxels
        centers = voxel_centers(32).to(image)
        logits = query(network, image, centers.reshape(-1, 3)).reshape((32,) * 3)
    mesh = logits_to_mesh(logits)
    return mesh, replace(sample_mesh(mesh, generator=_seeded()), occupancy=logits > 0)


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@torch.no_grad()
def query(
    network: Any, image: Float[Tensor, "3 h w"], points: Float[Tensor, "n 3"]
) -> Float[Tensor, "n"]:
    """The implicit network's logits for many points of one picture; the picture is encoded once.

    The network has an `encoder` and a `decoder`, as `FromImage`.
    """
    features = network.encoder(image[None])
    logits = [network.decoder(features, chunk[None])[0] for chunk in points.split(CHUNK)]
    return torch.cat(logits)
