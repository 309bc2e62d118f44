"""What a network must beat, what its representation could reach, a sphere fitted to the truth."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib import cameras
from course_lib.meshes import Mesh, icosphere
from course_lib.points import farthest_point_sampling
from course_lib.reconstruction.evaluate import Sampled
from course_lib.reconstruction.mesh_decoder import mesh_training_loss
from course_lib.reconstruction.surfaces import logits_to_mesh


def mean_shape(occupancy: Float[Tensor, "n r r r"]) -> Float[Tensor, "r r r"]:
    """The one grid that is the answer to every picture: voxels occupied more often than average.

    How often each voxel is occupied, minus the level above which as many voxels lie as a shape has
    on average; positive inside.

    >>> halves = torch.zeros(3, 2, 2, 2)
    >>> halves[:, 0] = 1  # three times the same half
    >>> mean_shape(halves)[:, 0, 0] > 0
    tensor([ True, False])
    """
    frequency = occupancy.mean(dim=0)
    count = max(1, round(float(frequency.sum())))
    highest = frequency.flatten().sort(descending=True).values
    return frequency - (highest[count - 1] + highest[min(count, len(highest) - 1)]) / 2


def retrieve(
    queries: Float[Tensor, "b c h w"], gallery: Float[Tensor, "n c h w"]
) -> Int[Tensor, "b"]:
    """For each query the index of the training picture with the smallest squared difference.

    argmin_j Σ (query − gallery_j)², over channels and pixels, as ‖q‖² − 2 q·g + ‖g‖² without the
    term ‖q‖² that all j share: no (b, n, c, h, w) tensor is needed.

    >>> gallery = torch.tensor([0.0, 1.0, 2.0]).reshape(3, 1, 1, 1)
    >>> retrieve(torch.tensor([[[[1.2]]]]), gallery)
    tensor([1])
    """
    q, g = queries.flatten(1), gallery.flatten(1)
    return (g.square().sum(dim=1) - 2 * q @ g.mT).argmin(dim=1)


def silhouettes(image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 16 16"]:
    """What retrieval compares: where the object is and how bright, small, without its colours."""
    gray = image.mean(dim=1, keepdim=True)
    solid = (image.amin(dim=1, keepdim=True) < 0.99).float()
    both = torch.cat([solid, solid, gray], dim=1)
    return torch.nn.functional.adaptive_avg_pool2d(both, 16)


def truth(record: dict[str, Tensor]) -> Sampled:
    """The truth of one item of the data set."""
    return Sampled(record["points"], record["normals"], record["occupancy"] > 0.5)


def voxel_limit(record: dict[str, Tensor]) -> Mesh:
    """The true occupancy as a mesh: what no 32³ grid of 0 and 1 can beat."""
    return logits_to_mesh(2 * record["occupancy"] - 1)


def point_limit(record: dict[str, Tensor], n: int = 1024) -> Float[Tensor, "{n} 3"]:
    """n of the true surface points, evenly spread: each is the farthest from those before it."""
    return record["points"][farthest_point_sampling(record["points"], n)]


def fitted_sphere(record: dict[str, Tensor], *, steps: int = 120) -> Mesh:
    """A sphere fitted to the true points themselves: what becomes of Pixel2Mesh's template.

    642 vertices, moved by gradient descent on the mesh decoder's own loss. No bound: with more steps
    its F-score still rises.
    """
    template = icosphere(3, 0.6)
    generator = torch.Generator().manual_seed(0)
    vertices = template.vertices.clone().requires_grad_()
    optimizer = torch.optim.Adam([vertices], lr=0.02)
    for _ in range(steps):
        pick = torch.randint(len(record["points"]), (1024,), generator=generator)
        moved = Mesh(vertices, template.faces)
        loss = mesh_training_loss(moved, record["points"][pick], generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Mesh(vertices.detach(), template.faces)


def visible_points(
    points: Float[Tensor, "n 3"],
    camera: Float[Tensor, "4 4"],
    depth: Float[Tensor, "h w"],
    focal: float,
) -> Bool[Tensor, "n"]:
    """Which points the camera sees: those that lie no deeper than what the picture shows there.

    A point is visible if its depth exceeds the depth stored in its pixel by at most 0.04 (a depth of
    0 says that the pixel shows nothing). `focal` is in image heights. Points beyond the border are
    not seen; all lie in front of the camera. `depth` has row 0 on top: depth[row, column].

    >>> points = torch.tensor([[0.0, 0.0, -2.0], [0.0, 0.0, -3.0]])
    >>> visible_points(points, torch.eye(4), torch.full((2, 2), 2.0), 1.0)
    tensor([ True, False])
    """
    height, width = depth.shape
    pixels, own = cameras.project(points, camera, focal * height, height, width)
    column, row = pixels.floor().long().unbind(dim=-1)
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    shown = depth[row.clamp(0, height - 1), column.clamp(0, width - 1)]
    return inside & (shown > 0) & (own <= shown + 0.04)
