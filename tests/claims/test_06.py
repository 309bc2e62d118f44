"""What notebook 6 says, from other cameras and with other random numbers."""

import math
from functools import cache

import torch

from claims import claim, notebook
from course_lib.cameras import camera_rays, look_at
from course_lib.meshes import Mesh
from course_lib.volume import compositing_weights


@cache
def cells():
    return notebook(6, "bird_sdf =", "small_bird =", "ball = icosphere(2)")


@cache
def silhouettes():
    return notebook(6, "bird_sdf =", "coarse = ", "views = spherical")


def random(seed):
    return torch.Generator().manual_seed(seed)


def eye_of(seed, distance=3.0):
    """A place to look from, anywhere around and at most 50° above or below."""
    turn, rise = torch.rand(2, generator=random(seed)).tolist()
    a, e = 2 * math.pi * turn, math.radians(100 * rise - 50)
    return distance * torch.tensor(
        [math.cos(e) * math.sin(a), math.sin(e), math.cos(e) * math.cos(a)]
    )


@claim("6.1", "The depth is smaller than the distance walked, most of all in the corners")
def test_depth_is_along_the_axis(seed):
    camera = look_at(eye_of(seed))
    origins, directions = camera_rays(6, 8, 9.0, camera)
    points = (origins + 2.5 * directions).reshape(-1, 3)
    _, depth = cells()["project"](points, camera, 9.0, 6, 8)
    return 2.5 - depth.max() if depth.argmin() in (0, 7, 40, 47) else -1


@claim("6.1", "The bird stays about as large")
def test_twice_the_distance_and_focal_length(seed):
    bird, size = cells()["bird"], []
    for k in (1, 2):
        pixels, _ = cells()["project"](
            bird.vertices, look_at(eye_of(seed, 3.0 * k)), 350.0 * k, 9, 9
        )
        size.append((pixels.amax(0) - pixels.amin(0)).prod())
    return 0.2 - abs(size[1] / size[0] - 1)


@claim("6.4", "your rasteriser draws what the library's does.")
def test_the_exercises_draw_what_the_library_draws(seed):
    names, size = cells(), (32, 40)
    camera, bird = look_at(eye_of(seed)), names["small_bird"]
    mine = names["nearest_face"](names["depths_of"](bird, camera, 60.0, size))
    pixels = names["project"](bird.vertices, camera, 60.0, *size)
    theirs = names["draw_faces"](*pixels, bird.faces, *size).face
    return (mine == theirs).float().mean() - 0.995


@claim("6.6", "Its slope is 0 almost everywhere, so gradient descent stands still.")
def test_the_hard_error_has_no_slope(seed):
    names = cells()
    shifts = (3 * torch.rand(20, generator=random(seed))).tolist()
    hard = [
        names["error"](names["hard"], s) - names["error"](names["hard"], s + 1e-3) for s in shifts
    ]
    return sum(float(change) == 0 for change in hard) / len(hard) - 0.8


@claim("6.6", "The soft error slopes towards the answer")
def test_the_soft_error_slopes_towards_the_answer(seed):
    names = cells()
    shift = (0.5 + 2 * torch.rand((), generator=random(seed))).requires_grad_()
    names["error"](names["soft"], shift).backward()
    return -shift.grad


@claim("6.6", "and autograd agrees with finite differences.")
def test_the_slope_of_the_soft_error_is_right(seed):
    names, step = cells(), 1e-2
    shift = (0.5 + 2 * torch.rand((), generator=random(seed))).requires_grad_()
    names["error"](names["soft"], shift).backward()
    ahead, behind = (names["error"](names["soft"], shift.detach() + s) for s in (step, -step))
    return 0.01 - abs((ahead - behind) / (2 * step) / shift.grad - 1)


@claim("6.9", "the distance fell to less than a tenth", slow=True)
def test_a_shape_from_twelve_silhouettes(seed):
    names = silhouettes()
    names["generator"] = random(seed)
    ball = names["ball"]
    shape = ball.vertices.clone().requires_grad_()
    optimizer = torch.optim.Adam([shape], lr=0.01)
    for _ in range(250):
        smooth = names["laplacian_loss"](shape, ball.edges) + 0.1 * names["edge_loss"](
            shape, ball.edges
        )
        folds = 3e-5 * names["smooth_loss"](shape, ball.faces)
        optimizer.zero_grad()
        (names["disagreement"](shape) + smooth + folds).backward()
        optimizer.step()
    before, after = (
        names["distance"](Mesh(v.detach(), ball.faces)) for v in (ball.vertices, shape)
    )
    return 0.1 - after / before


@claim("6.10", "after ten steps most rays have arrived or gone past.")
def test_most_rays_arrive_soon(seed):
    names = cells()
    rays = (x.reshape(-1, 3) for x in camera_rays(48, 64, 75.0, look_at(eye_of(seed))))
    origins, directions = rays
    t = names["march_rays"](names["bird_sdf"], origins, directions, 10)
    free = names["bird_sdf"](origins + t[:, None] * directions)
    return ((free < 5e-3) | (free > 0.5)).float().mean() - 0.8


@claim("6.10", "Most that are still under way graze the outline")
def test_rays_still_under_way_pass_close_to_the_outline(seed):
    sdf, rays = cells()["bird_sdf"], camera_rays(48, 64, 75.0, look_at(eye_of(seed)))
    origins, directions = (x.reshape(-1, 3) for x in rays)
    t = cells()["march_rays"](sdf, origins, directions, 10)
    free = sdf(origins + t[:, None] * directions)
    slow = (free >= 5e-3) & (free <= 0.5)
    points = origins[slow, None] + torch.linspace(1.5, 4.5, 300)[:, None] * directions[slow, None]
    nearest = sdf(points.reshape(-1, 3)).view(-1, 300).amin(1)
    return (nearest.abs() < 0.15).float().mean() - 0.9


@claim("6.11", "the weights sum to $1 - e^{-\\sigma L}$, however it is cut into samples")
def test_the_opacity_of_fog_does_not_depend_on_the_cuts(seed):
    deltas = torch.rand(7, generator=random(seed))
    weights = compositing_weights(torch.full((7,), 0.7), deltas)
    return 1e-5 - abs(weights.sum() - (1 - torch.exp(-0.7 * deltas.sum())))
