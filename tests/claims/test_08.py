"""What notebook 8 says, with other Gaussians and other random numbers."""

from functools import cache

import torch

from claims import claim, notebook
from course_lib import cameras, nerf, splatting
from course_lib.data.scenes import load_scene
from course_lib.splatting.projection import FILTER, project_covariance, projection_jacobian


@cache
def functions():
    return notebook(8)


def random(seed):
    return torch.Generator().manual_seed(seed)


def spread(seed, size):
    """√det of a Gaussian's picture at distance 3: of projected points, and by the linear map."""
    generator = random(seed)
    turned = torch.randn(4, generator=generator)
    sigma = functions()["covariance"](size * torch.tensor([1.0, 0.4, 0.15]), turned)
    centre = torch.tensor([0.6, 0.2, 0.0])
    cloud = torch.randn(20000, 3, generator=generator) @ torch.linalg.cholesky(sigma).T + centre
    camera = cameras.look_at([0.0, 0.5, 3.0])
    pixels, _ = cameras.project(cloud, camera, 120.0, 100, 100)
    local = (centre[None] - camera[:3, 3]) @ camera[:3, :3]
    jacobian = projection_jacobian(local, torch.tensor([120.0, 120.0]))
    flat = project_covariance(sigma[None], camera[:3, :3], jacobian)[0] - FILTER * torch.eye(2)
    return torch.cov(pixels.T).det().sqrt().item(), flat.det().sqrt().item()


@claim(
    "8.3",
    "equal while the Gaussian is small against its distance (3); the large one's exact picture is",
)
def test_the_linear_map_is_right_for_small_gaussians(seed):
    small, large = spread(seed, 0.02), spread(seed, 0.7)
    return min(0.03 - abs(small[0] / small[1] - 1), large[0] / large[1] - 1)


@claim("8.7", "Beside the centre, two cover *more* than one did")
def test_two_in_one_place_cover_more_beside_the_centre(seed):
    opacity = 0.1 + 0.85 * torch.rand(1, generator=random(seed))
    half, factor = functions()["split_in_two"](opacity)
    r = torch.linspace(0.3, 3, 50)
    one = opacity * torch.exp(-(r**2) / 2)
    two, smaller = (1 - (1 - half * torch.exp(-((r / s) ** 2) / 2)) ** 2 for s in (1, factor))
    return min((two - one).min(), (two - one).abs().mean() - (smaller - one).abs().mean())


@cache
def scenes():
    return load_scene(downscale=2), load_scene(split="test", downscale=2).select(range(0, 20, 4))


@cache
def splats(seed, views=100):
    photos = scenes()[0].select(range(0, 100, 100 // views))
    field = splatting.SplatField(photos, count=2500, seed=seed)
    nerf.train(field, photos, seconds=1e6, steps=200, generator=random(seed))
    return field, photos


@claim("8.9", "drawn directly, everything swells.", slow=True)
def test_splats_swell_when_drawn_from_far(seed):
    names = functions()
    names["test"] = scenes()[1]
    direct, averaged, cover = names["far"](splats(seed)[0])
    return min(averaged - direct - 3, cover - 1.1)


@claim(
    "8.10",
    "on its own eight photographs the poor field is excellent, on new views it falls apart",
    slow=True,
)
def test_eight_photographs_are_too_few(seed):
    field, photos = splats(seed, 8)
    own, new = (nerf.evaluate(field, scene)["psnr"] for scene in (photos, scenes()[1]))
    return min(own - new - 5, nerf.evaluate(splats(seed)[0], scenes()[1])["psnr"] - new - 3)
