"""What the single-view data set knows about one shape: pictures, occupancies, surface, distances.

Everything comes from the shape's signed distance function, so no mesh and no file is needed. The
frame is the object's own (canonical): y up, front towards +z, inside [-1, 1]³, whatever the view.
"""

import math

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from course_lib import cameras
from course_lib.shapes import Shape
from course_lib.volume import box_span
from course_lib.voxels import voxel_centers

FOCAL = 1.3  # focal length in image heights: a ball of radius 1.1 fills the picture
DISTANCE = 3.2  # one for all: with an unknown distance the size of the object is unknown too
ELEVATION = (10.0, 40.0)
VOXELS, PIXELS = 32, 64  # per side of the occupancy and of a picture
CHUNK = 16384  # points per call: the intermediate results stay in the processor's cache


def describe(
    shape: Shape, generator: torch.Generator, *, views: int = 4, points: int = 2048
) -> dict[str, Tensor]:
    """All fields of one shape, in the small types in which they are stored.

    image (views, 4, 64, 64) uint8 RGBA; camera (views, 4, 4); depth (views, 64, 64) float16, 0 = miss;
    occupancy: packed bits of 32³ voxels; points (points, 3) and normals float16;
    sdf_points (4096, 3) float16, half of them within about 0.05 of the surface, half uniform, and
    their sdf (4096,) float16.
    """
    grid = distance_grid(shape, 64)
    surface, normals = surface_points(shape, grid, max(points, 2048), generator)
    near = surface[:2048] + 0.05 * torch.randn(2048, 3, generator=generator)
    uniform = 2 * torch.rand(2048, 3, generator=generator) - 1
    samples = torch.cat([near, uniform]).half()  # rounded first, so that the distances are theirs
    camera = random_cameras(views, generator)
    image, depth = _render(shape, grid, camera, PIXELS, generator)
    return {
        "image": image,
        "camera": camera,
        "depth": depth.half(),
        "occupancy": pack_bits(distance_grid(shape, VOXELS) < 0),
        "points": surface[:points].half(),
        "normals": normals[:points].half(),
        "sdf_points": samples,
        "sdf": shape.sdf(samples.float()).half(),
    }


def distance_grid(shape: Shape, resolution: int) -> Float[Tensor, "r r r"]:
    """Signed distances at the voxel centres −1 + (2i + 1)/r; axes x, y, z."""
    centres = voxel_centers(resolution).reshape(-1, 3)
    chunks = [shape.sdf(chunk) for chunk in centres.split(CHUNK)]
    return torch.cat(chunks).reshape(resolution, resolution, resolution)


def surface_points(
    shape: Shape, grid: Float[Tensor, "r r r"], n: int, generator: torch.Generator
) -> tuple[Float[Tensor, "{n} 3"], Float[Tensor, "{n} 3"]]:
    """n points uniformly on the surface, and their outward normals.

    A shell |sdf| < 0.01 has the same volume over every piece of surface of the same area, so points
    drawn uniformly from it, then moved along the gradient onto the zero set, are uniform by area.
    """
    resolution = len(grid)
    cells = (grid.abs() < 2 / resolution).nonzero()  # wider than half a voxel's diagonal
    if len(cells) == 0:
        raise ValueError("expected a shape with a surface inside [-1, 1]³, found none")
    kept, count = [], 0
    while count < n:
        pick = cells[torch.randint(len(cells), (8 * n,), generator=generator)]
        candidates = (pick + torch.rand(pick.shape, generator=generator)) * (2 / resolution) - 1
        kept.append(candidates[shape.sdf(candidates).abs() < 0.01])
        count += len(kept[-1])
    points = torch.cat(kept)[:n]
    for _ in range(2):
        gradient = sdf_gradient(shape, points)
        squared = gradient.square().sum(-1, keepdim=True).clamp(min=0.1)
        points = points - shape.sdf(points)[:, None] * gradient / squared
    return points, torch.nn.functional.normalize(sdf_gradient(shape, points), dim=-1)


def sdf_gradient(shape: Shape, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """The gradient from four values on the corners of a small tetrahedron."""
    corners = torch.tensor([[1.0, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])
    step = 1e-3
    values = shape.sdf(points[:, None] + step * corners)  # (n, 4)
    return values @ corners / (4 * step)


def random_cameras(n: int, generator: torch.Generator) -> Float[Tensor, "{n} 4 4"]:
    """Cameras all around, slightly above, looking at the origin."""
    random = torch.rand(n, 2, generator=generator)
    low, high = (math.radians(angle) for angle in ELEVATION)
    return camera_at(2 * math.pi * random[:, 0], low + (high - low) * random[:, 1])


def camera_at(azimuth: Float[Tensor, "n"], elevation: Float[Tensor, "n"]) -> Float[Tensor, "n 4 4"]:
    """Cameras at angles in radians; azimuth 0 is in front of the object (+z), π/2 at +x."""
    flat = elevation.cos()
    direction = torch.stack([flat * azimuth.sin(), elevation.sin(), flat * azimuth.cos()], dim=-1)
    return cameras.look_at(DISTANCE * direction)


def _render(
    shape: Shape,
    grid: Float[Tensor, "r r r"],
    camera: Float[Tensor, "views 4 4"],
    size: int,
    generator: torch.Generator,
) -> tuple[UInt8[Tensor, "views 4 {size} {size}"], Float[Tensor, "views {size} {size}"]]:
    """RGBA pictures under one random light each, and depths (0 where the ray misses)."""
    rays = [cameras.camera_rays(size, size, FOCAL * size, c) for c in camera]
    origins = torch.stack([origin.reshape(-1, 3) for origin, _ in rays])  # (views, h·w, 3)
    directions = torch.stack([direction.reshape(-1, 3) for _, direction in rays])
    distance, hit = trace(grid, origins.reshape(-1, 3), directions.reshape(-1, 3))
    hit = hit.reshape(len(camera), -1)
    points = origins + distance.reshape(*hit.shape, 1) * directions
    view = hit.nonzero()[:, 0]
    seen = points[hit]
    points = seen - shape.sdf(seen)[:, None] * torch.nn.functional.normalize(
        sdf_gradient(shape, seen), dim=-1
    )
    color = _shade(shape, points, view, camera, generator)
    image = torch.zeros(len(camera), size * size, 4, dtype=torch.uint8)
    image[hit] = torch.cat([color * 255, torch.full_like(color[:, :1], 255)], -1).round().byte()
    depth = torch.zeros(len(camera), size * size)
    backwards = camera[view, :3, 2]
    depth[hit] = ((camera[view, :3, 3] - points) * backwards).sum(-1)
    image = image.reshape(-1, size, size, 4).permute(0, 3, 1, 2).contiguous()
    return image, depth.reshape(-1, size, size)


def _shade(shape, points, view, camera, generator) -> Float[Tensor, "n 3"]:
    """Lambert: colour × (ambient + diffuse · max(0, n·l)), the light above the camera's shoulder."""
    normals = torch.nn.functional.normalize(sdf_gradient(shape, points), dim=-1)
    random = torch.rand(len(camera), 6, generator=generator)
    turned = (random[:, :3] - 0.5) * 1.5
    light = torch.nn.functional.normalize(camera[:, :3, 2] + turned.add(torch.tensor([0, 0.5, 0])))
    ambient = 0.25 + 0.25 * random[:, 3:4]
    tint = 1 - 0.15 * random[:, 3:]  # each lamp has its own colour
    diffuse = (normals * light[view]).sum(-1, keepdim=True).clamp(min=0)
    brightness = ambient[view] + (1 - ambient[view]) * diffuse
    # never twice alike
    paint = 0.6 + 0.6 * torch.rand(shape.part_colors.shape, generator=generator)
    colors = (shape.part_colors * paint)[shape.part_labels(points)]
    return (colors * tint[view] * brightness).clamp(0, 1)


def trace(
    grid: Float[Tensor, "r r r"], origins: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, "n"], Bool[Tensor, "n"]]:
    """Sphere tracing in the sampled distances: the length of each ray, and whether it hit.

    Looking the distance up in the grid costs the same for every shape, however many parts it has.
    """
    near, far = box_span(origins, directions, -1.0, 1.0)
    distance, hit = near.clone(), torch.zeros_like(near, dtype=torch.bool)
    active = (near < far).nonzero()[:, 0]
    for _ in range(48):
        points = origins[active] + distance[active, None] * directions[active]
        value = _lookup(grid, points)
        hit[active[value < 4e-3]] = True
        distance[active] += 0.95 * value.clamp(min=2e-3)
        active = active[(value >= 4e-3) & (distance[active] < far[active])]
    return distance, hit


def _lookup(grid: Tensor, points: Tensor) -> Tensor:
    """Trilinear interpolation; grid_sample wants the axes in the order z, y, x of the grid's."""
    where = points.flip(-1).reshape(1, -1, 1, 1, 3)
    values = torch.nn.functional.grid_sample(
        grid[None, None], where, padding_mode="border", align_corners=False
    )
    return values.reshape(-1)


def pack_bits(occupied: Bool[Tensor, "*r"]) -> UInt8[Tensor, "bytes"]:
    """Eight voxels per byte."""
    weights = 2 ** torch.arange(8)
    return (occupied.reshape(-1, 8).long() * weights).sum(-1).to(torch.uint8)


def unpack_bits(packed: UInt8[Tensor, "*b bytes"]) -> Bool[Tensor, "*b bits"]:
    """The inverse of `pack_bits`, with leading axes kept.

    >>> unpack_bits(pack_bits(torch.tensor([1, 0, 0, 1, 0, 0, 0, 0]).bool())).int().tolist()
    [1, 0, 0, 1, 0, 0, 0, 0]
    """
    bits = (packed[..., None] >> torch.arange(8, device=packed.device).to(torch.uint8)) & 1
    return bits.reshape(*packed.shape[:-1], -1).bool()
