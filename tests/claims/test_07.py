"""What notebook 7 says, with other random numbers and other photographs of the scene."""

import time
from functools import cache

import torch

from claims import claim
from course_lib import losses, meshes, nerf
from course_lib.data.scenes import load_scene
from course_lib.meshes.files import load_mesh
from course_lib.metrics import f_score
from course_lib.shipped import asset
from course_lib.stable import unit
from course_lib.volume import (
    compositing_weights,
    positional_encoding,
    sample_pdf,
    stratified_positions,
)


def random(seed):
    return torch.Generator().manual_seed(seed)


@claim("7.3", "with more frequencies, points that lie close look less alike to the network.")
def test_more_frequencies_tell_closer_points_apart(seed):
    x = torch.rand(200, 1, generator=random(seed)) - 0.5
    near = x + 0.02
    alike = []
    for n in (1, 3, 6):
        a, b = positional_encoding(x, n), positional_encoding(near, n)
        alike.append((a * b).sum(-1).mean().item() / n)
    return min(alike[0] - alike[1], alike[1] - alike[2])


@claim("7.4", "Stratified samples (one in each sixteenth of the ray) cover")
def test_stratified_samples_leave_smaller_gaps(seed):
    u = torch.rand(100, 16, generator=random(seed))
    placed = stratified_positions(torch.tensor(2.0), torch.tensor(6.0), u)
    gaps = [t.sort(-1).values.diff(dim=-1).amax(-1).mean().item() for t in (placed, 2 + 4 * u)]
    return gaps[1] - 1.5 * gaps[0]


@claim("7.5", "The exponential makes the sum exact where the density is")
def test_a_slab_is_as_opaque_however_it_is_cut(seed):
    cuts = torch.rand(9, generator=random(seed))
    deltas, sigma = 0.5 * cuts / cuts.sum(), 8 * torch.rand((), generator=random(seed + 1))
    weights = compositing_weights(sigma.expand(9), deltas)
    return 1e-5 - abs(weights.sum() - (1 - torch.exp(-0.5 * sigma)))


@claim("7.6", "the fine samples (below) crowd where the weights are large.")
def test_fine_samples_crowd_where_the_weights_are_large(seed):
    weights = torch.rand(1, 16, generator=random(seed)) ** 4 + 0.01
    fine = sample_pdf(torch.linspace(2, 6, 17)[None], weights, 480, generator=random(seed + 1))
    counts = torch.histc(fine, 16, 2, 6)
    order = weights[0].argsort()
    return counts[order[-4:]].sum() - 3 * counts[order[:8]].sum()


@cache
def ablated(seed, **change):
    """PSNR of the notebook's small network after 250 steps, with one ingredient left out."""
    small = load_scene(downscale=2)
    test = load_scene(split="test", downscale=2)
    common = {
        "width": 64,
        "depth": 4,
        "coarse": 10,
        "fine": 10,
        "learning_rate": 5e-3,
        "batch": 512,
    }
    field = nerf.MLPField(small, seed=seed, **(common | {"position_frequencies": 6} | change))
    nerf.train(field, small, seconds=1e6, steps=250, generator=random(seed))
    return nerf.evaluate(field, test.select(range(0, len(test), 4)))["psnr"]


@claim("7.11", "the encoding is missed at once, by about three decibels.", slow=True)
def test_the_encoding_is_missed(seed):
    return ablated(seed) - ablated(seed, position_frequencies=0) - 2


@claim("7.11", "The others make less than a decibel here", slow=True)
def test_the_other_ingredients_make_little_difference_yet(seed):
    others = ({"view_dependent": False}, {"fine": 0}, {"stratified": False})
    return 1 - max(abs(ablated(seed) - ablated(seed, **change)) for change in others)


@cache
def trained(kind, seed=0):
    """A field of 7.13 after 200 steps on the photographs in their full size."""
    field = kind(load_scene())
    nerf.train(field, load_scene(), seconds=1e6, steps=200, generator=random(seed))
    return field


@cache
def surface(kind, seed=0, **how):
    """The mesh of such a field."""
    return nerf.extract_mesh(trained(kind, seed), resolution=128, **how)


def surfaces(seed):
    """Of a density, and of a seed's distance. One density is enough: others score the same to 0.01."""
    return surface(nerf.VoxelField, smooth=False), surface(nerf.SurfaceField, seed)


def bends(mesh):
    """The angle between the two faces at each edge, in degrees."""
    a, b, *corners = mesh.vertices[losses.hinges(mesh.faces)].unbind(dim=1)
    one, other = (unit(torch.linalg.cross(b - a, corner - a)) for corner in corners)
    return (-(one * other).sum(-1)).clamp(-1, 1).acos().rad2deg()


@claim("7.8", "the grid passes the network's final quality in less than half of", slow=True)
def test_the_grid_passes_the_network_in_less_than_half_of_its_time(seed):
    """CPU seconds: 14 of the grid, 30 of the network."""
    photos, test = load_scene(), load_scene(split="test").select(range(0, 20, 7))
    network = nerf.MLPField(photos, width=64, depth=4, coarse=16, fine=0, batch=1024,
                            learning_rate=1e-2, position_frequencies=6, seed=seed)  # fmt: skip
    scores = []
    for field, seconds in ((network, 30), (nerf.VoxelField(photos), 14)):
        how = {"least": 1, "generator": random(seed), "clock": time.thread_time}
        nerf.train(field, photos, seconds=seconds, **how)
        scores.append(nerf.evaluate(field, test)["psnr"])
    return scores[1] - scores[0]


@claim(
    "7.13",
    "Trainings that end after 200 steps leave the distance's ahead, by about half a decibel.",
    slow=True,
)
def test_the_picture_of_a_distance_is_sharper_at_first(seed):
    density, distance = (
        nerf.evaluate(field, load_scene(split="test").select(range(0, 20, 4)))["psnr"]
        for field in (trained(nerf.VoxelField), trained(nerf.SurfaceField, seed))
    )
    return distance - density - 0.2


@claim("7.13", "the surface is smoother in most places", slow=True)
def test_the_surface_of_a_distance_is_smoother(seed):
    density, distance = (bends(mesh).median() for mesh in surfaces(seed))
    return density - distance


@claim("7.13", "and by the F-score at least as near to the true one", slow=True)
def test_the_surface_of_a_distance_is_as_near(seed):
    true, near = load_mesh(asset("scene/mesh.ply")), []
    for mesh in (true, *surfaces(seed)):
        near.append(meshes.sample_surface(mesh, 4000, generator=random(seed))[0][None])
    density, distance = (f_score(cloud, near[0], 0.05).item() for cloud in near[1:])
    return distance - density
