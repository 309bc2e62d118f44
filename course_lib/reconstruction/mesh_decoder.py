"""Decoder 3: a mesh. A sphere is deformed in three steps, and refined in between.

After Wang et al. 2018, "Pixel2Mesh", and Gkioxari et al. 2019, "Mesh R-CNN": every vertex looks up
what the picture shows at its own projection, and graph convolutions pass it on along the edges.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib.losses import chamfer_distance, edge_loss, laplacian_loss
from course_lib.meshes import Mesh, icosphere
from course_lib.reconstruction.encoder import CHANNELS, CODE, Features

FOCAL = 1.3  # focal length in image heights, as in the data set
LEVELS = (1, 2, 3)  # subdivisions of the icosahedron: 42, 162, 642 vertices
WIDTH, LAYERS = 64, 3


class MeshDecoder(nn.Module):
    """Camera (b, 4, 4) → the vertices after every step, (b, 42, 3), (b, 162, 3), (b, 642, 3).

    `look` is `vertex_image_features`, or a function that does the same.
    """

    def __init__(self, look: Callable | None = None):
        super().__init__()
        look = look or vertex_image_features
        self.templates = [icosphere(level, 0.6) for level in LEVELS]
        self.steps = nn.ModuleList(DeformationStep(template, look) for template in self.templates)

    def forward(
        self, features: Features, camera: Float[Tensor, "b 4 4"]
    ) -> list[Float[Tensor, "b v 3"]]:
        vertices = self.templates[0].vertices.to(camera).expand(len(camera), -1, -1)
        stages = [self.steps[0](vertices, features, camera)]
        for step, coarse in zip(self.steps[1:], self.templates, strict=False):
            middles = stages[-1][:, coarse.edges].mean(dim=2)  # (b, e, 3), as in meshes.subdivide
            stages.append(step(torch.cat([stages[-1], middles], dim=1), features, camera))
        return stages


class DeformationStep(nn.Module):
    """What a vertex sees, knows and hears from its neighbours → how far it moves."""

    neighbors: Tensor

    def __init__(self, template: Mesh, look: Callable):
        super().__init__()
        self.look = look
        self.see = nn.Linear(sum(CHANNELS[:3]) + 3, WIDTH)
        self.know = nn.Linear(CODE, WIDTH)
        self.own = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS))
        self.hear = nn.ModuleList(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(LAYERS))
        self.move = nn.Linear(WIDTH, 3)
        nn.init.normal_(self.move.weight, std=0.01)
        self.register_buffer("neighbors", neighbor_mean(template), persistent=False)

    def forward(
        self,
        vertices: Float[Tensor, "b v 3"],
        features: Features,
        camera: Float[Tensor, "b 4 4"],
    ) -> Float[Tensor, "b v 3"]:
        seen = [self.look(m, vertices, camera, FOCAL) for m in features.maps]
        x = self.see(torch.cat([*seen, vertices], dim=-1)) + self.know(features.code)[:, None]
        for own, hear in zip(self.own, self.hear, strict=True):  # graph convolutions, residual
            y = x.relu()
            x = x + own(y) + average(self.neighbors, hear(y))
        return vertices + self.move(x.relu())


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
    x, y, depth = q[..., 0], -q[..., 1], -q[..., 2].clamp(max=-1e-3)
    where = 2 * focal * torch.stack([x, y], dim=-1) / depth[..., None]  # (b, v, 2)
    found = F.grid_sample(image_map, where[:, :, None], padding_mode="border", align_corners=False)
    return found[..., 0].mT  # (b, c, v, 1) → (b, v, c)


def mesh_training_loss(
    vertices: Float[Tensor, "b v 3"],
    template: Mesh,
    points: Float[Tensor, "b n 3"],
    generator: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    """Chamfer distance of points on the mesh, and two regularisers of notebook 04.

    L = Chamfer(samples, points) + 0.1 · edge loss + 0.3 · Laplacian loss, the mean over the batch.
    """
    samples = sample_faces(vertices, template.faces.to(points.device), points.shape[1], generator)
    edges = template.edges.to(points.device)
    regular = 0.1 * edge_loss(vertices, edges) + 0.3 * laplacian_loss(vertices, edges)
    return (chamfer_distance(samples, points) + regular).mean()


def sample_faces(
    vertices: Float[Tensor, "b v 3"],
    faces: Int[Tensor, "f 3"],
    n: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "b {n} 3"]:
    """`meshes.sample_surface` for a batch of meshes with the same faces."""
    a, b, c = (vertices[:, faces[:, i]] for i in range(3))  # (b, f, 3)
    areas = torch.linalg.cross(b - a, c - a).norm(dim=-1).detach() + 1e-9
    chosen = torch.multinomial(areas, n, replacement=True, generator=generator)[..., None]
    a, b, c = (corner.gather(1, chosen.expand(-1, -1, 3)) for corner in (a, b, c))
    u, v = torch.rand(2, *chosen.shape, generator=generator).to(vertices)
    root = u.sqrt()
    return (1 - root) * a + root * (1 - v) * b + root * v * c


def neighbor_mean(mesh: Mesh) -> Float[Tensor, "v v"]:
    """The sparse matrix that replaces every vertex's features by its neighbours' mean."""
    one, other = torch.cat([mesh.edges, mesh.edges.flip(1)]).unbind(dim=1)
    weights = 1 / torch.bincount(one).float()[one]
    size = (len(mesh.vertices),) * 2
    pairs = torch.stack([one, other])
    return torch.sparse_coo_tensor(pairs, weights, size, check_invariants=True).coalesce()


def average(matrix: Float[Tensor, "v v"], x: Float[Tensor, "b v c"]) -> Float[Tensor, "b v c"]:
    """The sparse matrix applied to every element of the batch."""
    columns = x.transpose(0, 1).flatten(1)  # (v, b·c)
    return torch.sparse.mm(matrix, columns).unflatten(1, (len(x), -1)).transpose(0, 1)
