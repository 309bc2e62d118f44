"""Decoder 3: a mesh. The vertices of a template, a sphere or the surface of voxels, are moved.

After Wang et al. 2018, "Pixel2Mesh", and Gkioxari et al. 2019, "Mesh R-CNN": every vertex looks up
what the picture shows at its own projection, and graph convolutions pass it on along the edges.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib.losses import chamfer_distance, edge_loss, laplacian_loss
from course_lib.meshes import Mesh, graph_convolution, sample_surface, vertex_normals
from course_lib.reconstruction.encoder import CHANNELS, CODE, Features, FromImage
from course_lib.reconstruction.surfaces import logits_to_mesh
from course_lib.reconstruction.voxel_decoder import VoxelDecoder
from course_lib.stable import safe_divide

FOCAL = 1.3  # focal length in image heights, as in the data set
STEPS, LAYERS, WIDTH = 2, 3, 64


class MeshDecoder(nn.Module):
    """Camera (b, 4, 4) → for every picture three meshes: its template, and it after either step.

    With a `template` (Pixel2Mesh: a sphere) that is where every picture starts; without one (Mesh
    R-CNN) it is the surface of the voxels that the decoder predicts first. `look` is
    `vertex_image_features`, or a function that does the same.
    """

    def __init__(self, look: Callable | None = None, template: Mesh | None = None):
        super().__init__()
        self.template, self.voxels = template, None if template else VoxelDecoder()
        self.steps = nn.ModuleList(
            DeformationStep(look or vertex_image_features) for _ in range(STEPS)
        )

    def forward(self, features: Features, camera: Float[Tensor, "b 4 4"]) -> list[list[Mesh]]:
        answers = []
        for i, template in enumerate(self.templates(features)):  # each has its own vertices
            meshes = [template]
            for step in self.steps:
                vertices = step(meshes[-1], template.edges, features.of(i), camera[i : i + 1])
                meshes.append(Mesh(vertices, template.faces))
            answers.append(meshes)
        return answers

    @torch.no_grad()
    def templates(self, features: Features) -> list[Mesh]:
        """The mesh that each picture starts from."""
        if self.voxels is None:
            assert self.template is not None
            return [self.template.to(features.code.device)] * len(features.code)
        return [logits_to_mesh(logits) for logits in self.voxels(features)]


class DeformationStep(nn.Module):
    """What a vertex sees, knows and hears from its neighbours → how far it moves."""

    def __init__(self, look: Callable):
        super().__init__()
        self.look = look
        self.see = nn.Linear(sum(CHANNELS[:3]) + 6, WIDTH)
        self.know = nn.Linear(CODE, WIDTH)
        self.own = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS))
        self.hear = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS))
        self.move = nn.Linear(WIDTH, 3)
        nn.init.zeros_(self.move.weight)  # at first nothing moves
        nn.init.zeros_(self.move.bias)

    def forward(
        self,
        mesh: Mesh,
        edges: Int[Tensor, "e 2"],
        features: Features,
        camera: Float[Tensor, "1 4 4"],
    ) -> Float[Tensor, "v 3"]:
        seen = [self.look(m, mesh.vertices[None], camera, FOCAL)[0] for m in features.maps]
        own_place = [mesh.vertices, vertex_normals(mesh)]
        x = self.see(torch.cat([*seen, *own_place], dim=1)) + self.know(features.code)  # (v, width)
        for own, hear in zip(self.own, self.hear, strict=True):  # residual
            y = x.relu()
            assert isinstance(hear, nn.Linear)
            x = x + own(y) + graph_convolution(y, edges, hear.weight.T, hear.bias)
        return mesh.vertices + self.move(x.relu())


def refine(network: FromImage, look: Callable | None = None) -> FromImage:
    """A mesh network that starts from what a voxel network predicts.

    It gets a copy of the network's encoder and decoder, which keep their weights from now on: only
    the steps of deformation are left to train.
    """
    decoder = MeshDecoder(look)
    assert decoder.voxels is not None
    mesh = FromImage(decoder)
    for copy, original in (mesh.encoder, network.encoder), (decoder.voxels, network.decoder):
        copy.load_state_dict(original.state_dict())
        copy.requires_grad_(False)
    return mesh


def vertex_image_features(
    image_map: Float[Tensor, "b c h w"],
    vertices: Float[Tensor, "b v 3"],
    camera: Float[Tensor, "b 4 4"],
    focal: float,
) -> Float[Tensor, "b v c"]:
    """What the picture shows where each vertex is projected to, interpolated bilinearly.

    With q = Rᵀ(p − t) in camera axes and f the focal length in image heights, the position in the
    picture is (−2f q₁/q₃, 2f q₂/q₃) from −1 (left edge, top edge) to 1; y points down there, hence
    the sign. Square pictures. The nearest border answers for vertices outside. A hidden vertex sees
    what hides it.

    >>> ramp = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    >>> camera = torch.eye(4)[None]  # at the origin, looking along −z
    >>> vertex_image_features(ramp, torch.tensor([[[0.0, 0.0, -2.0]]]), camera, 1.0)
    tensor([[[1.5000]]])
    """
    rotation, position = camera[:, :3, :3], camera[:, None, :3, 3]
    q = (vertices - position) @ rotation  # (b, v, 3): rows, so Rᵀq is q R
    x, y, depth = q[..., 0], -q[..., 1], -q[..., 2:]
    where = 2 * focal * safe_divide(torch.stack([x, y], dim=-1), depth, otherwise=0.0)  # (b, v, 2)
    found = F.grid_sample(image_map, where[:, :, None], padding_mode="border", align_corners=False)
    return found[..., 0].mT  # (b, c, v, 1) → (b, v, c)


def mesh_training_loss(
    mesh: Mesh, points: Float[Tensor, "n 3"], generator: torch.Generator | None = None
) -> Float[Tensor, ""]:
    """Chamfer distance of points on the mesh, and two regularisers of notebook 04.

    L = Chamfer(samples, points) + 0.1 · edge loss + 0.3 · Laplacian loss, with as many samples as
    points.
    """
    samples, _ = sample_surface(mesh, len(points), generator=generator)
    regular = 0.1 * edge_loss(mesh.vertices, mesh.edges)
    regular = regular + 0.3 * laplacian_loss(mesh.vertices, mesh.edges)
    return chamfer_distance(samples[None], points[None])[0] + regular
