"""What notebook 3 says, on fresh seeds."""

import math
from functools import cache

import numpy as np
import torch

from claims import claim, notebook
from course_lib import meshes, shapes, voxels
from course_lib.shapes import make_shape


def chair_of(seed):
    """The names of notebook 3 with another chair, and points of its surface."""
    names, chair = notebook(3), make_shape("chair", seed)
    g = torch.Generator().manual_seed(seed)
    truth, _ = meshes.sample_surface(chair.mesh(96), 4000, generator=g)
    return names.update(chair=chair, truth=truth, seeded=g) or names


@claim("3.1", "At 50 kB points are ahead of voxels.")
def test_points_are_ahead_of_voxels_at_50_kilobytes(seed):
    names = chair_of(seed)
    boxes = voxels.voxels_to_mesh(voxels.voxelize(names["chair"].sdf, 72))
    cloud, _ = meshes.sample_surface(names["chair"].mesh(96), 4100, generator=names["seeded"])
    return names["size_and_error"](72**3 / 8, boxes)[1] - names["surface_error"](cloud)


@claim(
    "3.2", "shapes differ in the factor, which is their surface, and hardly in the power of $r$."
)
def test_the_power_of_r_is_minus_one(seed):
    family = list(shapes.FAMILIES)[seed % len(shapes.FAMILIES)]
    grids = [voxels.surface_voxels(make_shape(family, seed).sdf, r) for r in (30, 90)]
    few, many = (float(grid.float().mean()) for grid in grids)
    return 0.1 - abs(math.log(few / many) / math.log(3) - 1)


@claim("3.7", "The noise of each point stays, with 24 cameras as with one")
def test_more_cameras_do_not_remove_the_noise(seed):
    names = chair_of(seed)
    one, many = (float(names["chair"].sdf(names["scan"](n, 0.03)).abs().mean()) for n in (1, 24))
    return 0.25 - abs(many / one - 1)


@claim(
    "3.10",
    "as long as all clouds are sorted alike, the flattened list is the better of the two",
    slow=True,
)
def test_a_sorted_list_says_more(seed):
    names = notebook(3)
    sorted_list, summary = (
        names["list_against_set"](names[f], seed)[0] for f in ("flattened", "symmetric")
    )
    return sorted_list - summary


@claim("3.10", "it is hardly better than guessing", slow=True)
def test_a_shuffled_list_is_hardly_better_than_guessing(seed):
    names = notebook(3)
    return 0.68 - names["list_against_set"](names["flattened"], seed)[1]


@claim("3.12", "turns the normals by about 25° on average. Few of them get the wrong sign")
def test_noise_turns_normals_and_rarely_their_sign(seed):
    angle, wrong, _ = notebook(3, "torus_mesh =")["recovered"](4000, 0.03, seed)
    return min(3 - abs(angle - 25), 5 - wrong)


@cache
def recalls(seed):
    """Mean recall on new mugs of the two networks of 3.15, a vertex alone and with its neighbours."""
    names = notebook(3)
    mugs, new = (
        [names["labelled"](a + 20 * seed) for a in span] for span in (range(8), range(9, 12))
    )
    found = []
    for linked in (False, True):
        edges = [
            m.edges if linked else torch.zeros(0, 2, dtype=torch.int64) for m, *_ in (*mugs, *new)
        ]
        layers = names["layers_of"](seed)
        optimizer = torch.optim.Adam([w.requires_grad_() for pair in layers for w in pair], lr=0.01)
        for step in range(150):
            _, normals, part = mugs[step % 8]
            scores = names["predict"](layers, normals, edges[step % 8])
            share = len(part) / torch.bincount(part, minlength=2).float()
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(scores, part, weight=share).backward()
            optimizer.step()
        guesses = [
            names["predict"](layers, n, e).argmax(1)
            for (_, n, _), e in zip(new, edges[8:], strict=True)
        ]
        guess, part = torch.cat(guesses), torch.cat([y for _, _, y in new])
        found.append(sum((guess[part == k] == k).float().mean().item() for k in (0, 1)) / 2)
    return found


@claim("3.15", "One normal is a hint", slow=True)
def test_one_normal_is_a_hint(seed):
    return 0.15 - abs(recalls(seed)[0] - 0.8)


@claim("3.15", "four rounds of neighbours say nearly all", slow=True)
def test_neighbours_say_nearly_all(seed):
    return recalls(seed)[1] - 0.95


@claim("3.19", "(for balls of other sizes 5 to 10 %)")
def test_area_from_voxels_is_too_large_for_every_ball(seed):
    radius = 0.6 + 0.3 * np.random.default_rng(seed).random()
    grids = [voxels.voxelize(shapes.sphere(radius), r) for r in (32, 64)]
    ratios = [float(voxels.voxels_to_mesh(g).area()) / (4 * math.pi * radius**2) for g in grids]
    return min(min(ratios) - 1.05, 1.10 - max(ratios))
