"""Claims about regions, occupancy and the sparse grid, against loops and closed forms."""

import pytest
import torch
import torch.nn.functional as F

from course_lib.cameras import look_at, spherical_cameras
from course_lib.data.scenes import Photographs
from course_lib.nerf import grid, hashing, occupancy, packed, region, sdf
from course_lib.volume import box_span, compositing_weights
from course_lib.voxels import voxel_centers


def photographs(cameras, alpha, focal=20.0):
    """White photographs with the given alpha (n, h, w) in [0, 1]."""
    n, h, w = alpha.shape
    images = torch.full((n, h, w, 4), 255, dtype=torch.uint8)
    images[..., 3] = (alpha * 255).byte()
    intrinsics = torch.tensor([focal, focal, w / 2, h / 2]).expand(n, 4).clone()
    return Photographs(images, cameras, intrinsics, torch.zeros(n, 4), tuple(map(str, range(n))))


def ball_scene(radius=0.8, n=20, size=24, focal=20.0):
    """Silhouettes of a ball at the origin, exactly."""
    cameras = spherical_cameras(n, 3.0)
    blank = photographs(cameras, torch.ones(n, size, size), focal)
    masks = []
    for index in range(n):
        o, d = blank.rays(index)
        closest = (o - (o * d).sum(-1, keepdim=True) * d).norm(dim=-1)
        masks.append((closest < radius).float())
    return photographs(cameras, torch.stack(masks), focal)


def test_contraction_and_its_inverse_undo_each_other():
    place = region.Region(torch.tensor([1.0, 2.0, 3.0]), 0.7, True, 0.1, 100.0, 1.0)
    points = 5 * torch.randn(200, 3)
    unit = place.to_unit(points)
    assert unit.abs().max() < 1
    torch.testing.assert_close(place.to_world(unit), points, atol=1e-3, rtol=1e-3)


def test_contraction_leaves_the_inside_alone():
    place = region.Region(torch.zeros(3), 2.0, True, 0.1, 100.0, 1.0)
    points = 4 * torch.rand(50, 3) - 2
    torch.testing.assert_close(place.to_unit(points), points / 4)


def test_bending_is_undone_and_is_the_identity_up_to_the_knee():
    place = region.Region(torch.zeros(3), 1.0, True, 0.1, 100.0, 2.0)
    t = torch.tensor([0.1, 1.9, 2.0, 5.0, 90.0])
    torch.testing.assert_close(place.unbend(place.bend(t)), t, rtol=1e-3, atol=0)
    assert place.bend(t)[:2].equal(t[:2]) and place.bend(t).diff().gt(0).all()


def test_focus_is_where_the_cameras_look():
    target = torch.tensor([0.3, -0.2, 0.5])
    eyes = 4 * F.normalize(torch.randn(9, 3), dim=-1)
    found = region.focus(look_at(eyes, target))
    torch.testing.assert_close(found, target, atol=1e-3, rtol=0)


def test_box_span_agrees_with_a_walk_along_the_ray():
    low, high = torch.tensor([-1.0, -0.5, 0.0]), torch.tensor([1.0, 0.5, 2.0])
    o = torch.tensor([[3.0, 0.1, 1.0], [0.0, 0.0, 1.0], [3.0, 3.0, 3.0]])
    d = F.normalize(torch.tensor([[-1.0, 0.0, 0.1], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]), dim=-1)
    near, far = box_span(o, d, low, high)
    t = torch.linspace(0, 8, 8001)
    points = o[:, None] + t[:, None] * d[:, None]
    inside = ((points >= low) & (points <= high)).all(-1)
    for ray in range(2):
        walked = t[inside[ray]]
        assert near[ray].item() == pytest.approx(walked[0].item(), abs=2e-3)
        assert far[ray].item() == pytest.approx(walked[-1].item(), abs=2e-3)
    assert near[2] == far[2]


def test_visual_hull_holds_the_ball_and_little_more():
    scene = ball_scene()
    place, space = occupancy.surroundings(scene)
    radius = place.to_world(voxel_centers(64).reshape(-1, 3)).norm(dim=-1)
    assert space.flat[radius < 0.75].all()
    assert space.flat[radius > 1.15].float().mean() < 0.02
    assert place.center.norm() < 0.1 and 0.8 < place.scale < 1.3


def test_trilinear_interpolation_agrees_with_grid_sample():
    field = grid.SparseGrid(torch.ones(5, 5, 5, dtype=torch.bool), 3)
    values = torch.randn(6, 6, 6, 3)
    field.tables[0].data.copy_(values.view(-1, 3))
    points = 2 * torch.rand(100, 3) - 1
    volume = values.permute(3, 2, 1, 0)[None]  # grid_sample wants (c, z, y, x)
    expected = F.grid_sample(volume, points[None, None, None], align_corners=True)[0, :, 0, 0].T
    got = field.read(0, *field.locate(points))
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


def test_the_formula_of_trilinear_interpolation_is_what_a_grid_reads():
    field = grid.SparseGrid(torch.rand(6, 6, 6) < 0.3, 4)
    field.tables[0].data.normal_()
    points = 2 * torch.rand(60, 3) - 1
    index, w = field.locate(points)
    x = (points + 1) * 3
    fraction = x - x.floor()
    corners = field.tables[0][index.long()].view(-1, 2, 2, 2, 4)
    got = grid.trilinear(corners, fraction)
    torch.testing.assert_close(got, field.read(0, index, w), atol=1e-5, rtol=1e-5)


def test_gradient_of_the_table_agrees_with_a_loop():
    index, w, g = torch.randint(7, (5, 8)).int(), torch.rand(5, 8), torch.rand(5, 3)
    expected = torch.zeros(7, 3)
    for i in range(5):
        for j in range(8):
            expected[index[i, j]] += w[i, j] * g[i]
    torch.testing.assert_close(grid.transposed_product(index, w, g, 7), expected)


def test_a_grown_grid_has_the_values_of_the_old_one():
    old = grid.SparseGrid(torch.ones(4, 4, 4, dtype=torch.bool), 1)
    old.tables[0].data.copy_(old.corner_positions() @ torch.tensor([[1.0], [2.0], [-1.0]]))
    new = grid.SparseGrid(torch.ones(9, 9, 9, dtype=torch.bool), 1)
    new.copy_from(old)
    points = 2 * torch.rand(50, 3) - 1
    a, b = (g.read(0, *g.locate(points)) for g in (old, new))
    torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


def test_smoothing_moves_each_corner_towards_the_mean_of_its_six_neighbours():
    field = grid.SparseGrid(torch.ones(4, 4, 4, dtype=torch.bool), 1)
    values = torch.randn(5, 5, 5)
    field.tables[0].data.copy_(values.view(-1, 1))
    sides = F.pad(values[None, None], (1,) * 6, mode="replicate")[0, 0]
    mean = torch.zeros(5, 5, 5)
    for axis in range(3):  # at the border the corner itself stands for the neighbour it lacks
        inner = [slice(1, -1)] * 3
        for start in (0, 2):
            inner[axis] = slice(start, start + 5)
            mean += sides[tuple(inner)] / 6
    field.smooth(0.25)
    expected = 0.75 * values + 0.25 * mean
    torch.testing.assert_close(field.tables[0].detach().view(5, 5, 5), expected)


@pytest.mark.parametrize("resolution", [8, 16, 24])
def test_resampled_cells_cover_the_old_ones(resolution):
    cells = torch.rand(16, 16, 16) < 0.02
    covered = grid.resample(cells, resolution)
    centers = (voxel_centers(16).reshape(-1, 3) + 1) * resolution / 2
    i, j, k = centers[cells.view(-1)].long().T
    assert covered[i, j, k].all()


def test_spherical_harmonics_are_orthonormal():
    d = F.normalize(torch.randn(200_000, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    basis = grid.sh_color(torch.eye(9).expand(len(d), 9, 9), d)
    gram = 4 * torch.pi * basis.T @ basis / len(d)
    torch.testing.assert_close(gram, torch.eye(9), atol=0.03, rtol=0)


def test_the_hash_spreads_the_corners_evenly_over_the_rows():
    corners = torch.cartesian_prod(*[torch.arange(65)] * 3)
    shared = torch.bincount(hashing.hash_index(corners, 1 << 12), minlength=1 << 12).float()
    assert shared.min() > 0 and shared.std() < 1.2 * shared.mean() ** 0.5  # as if at random


def test_packed_weights_agree_with_the_formula_ray_by_ray():
    counts, sigma = [3, 0, 5, 1], torch.rand(9) * 3
    ray = torch.repeat_interleave(torch.arange(4), torch.tensor(counts))
    got = packed.packed_weights(sigma, ray, 4)
    parts = [compositing_weights(s, torch.ones_like(s)) for s in sigma.split(counts)]
    torch.testing.assert_close(got, torch.cat(parts), atol=1e-6, rtol=1e-5)


def test_the_spread_of_weights_agrees_with_a_double_loop():
    counts = [3, 0, 4]
    ray, w = torch.repeat_interleave(torch.arange(3), torch.tensor(counts)), torch.rand(7)
    s = torch.rand(7).cumsum(0)
    got = packed.packed_spread(w, s, ray, 3)
    for index in range(3):
        own = torch.nonzero(ray == index)[:, 0].tolist()
        expected = sum((w[i] * w[j] * (s[i] - s[j]).abs()).item() for i in own for j in own)
        assert got[index].item() == pytest.approx(expected, abs=1e-5)


def test_the_march_visits_exactly_the_occupied_steps():
    cells = torch.rand(16, 16, 16, generator=torch.Generator().manual_seed(1)) < 0.05
    place = region.Region(torch.zeros(3), 1.0, False, 0.0, 1e9, region.BEYOND)
    space = occupancy.Occupancy(cells)
    o = torch.tensor([[3.0, 0.2, 0.1], [0.3, -3.0, 0.2]])
    d = F.normalize(-o + torch.tensor([0.1, 0.2, 0.3]), dim=-1)
    step, jitter = 0.02, torch.tensor([0.25, 0.75])
    got = occupancy.march(space, place, (o, d), step, jitter)
    low, high = space.low, space.high
    near, far = box_span(o, d, low, high)
    for ray in range(2):
        t = near[ray] + (torch.arange(400) + jitter[ray]) * step
        t = t[t < far[ray]]
        inside = cells.view(-1)[space.cell_of(o[ray] + t[:, None] * d[ray])]
        torch.testing.assert_close(got.t[got.ray == ray], t[inside], atol=1e-4, rtol=0)


def test_tight_span_encloses_every_occupied_step():
    cells = torch.zeros(16, 16, 16, dtype=torch.bool)
    cells[4:6, 8, 8] = True
    cells[12, 8, 8] = True
    place = region.Region(torch.zeros(3), 1.0, False, 0.0, 1e9, region.BEYOND)
    o, d = torch.tensor([[-3.0, 0.06, 0.06], [-3.0, 0.9, 0.0]]), torch.tensor([[1.0, 0.0, 0.0]] * 2)
    near, far = occupancy.tight_span(occupancy.Occupancy(cells), place, (o, d))
    assert near[0].item() == pytest.approx(2.5, abs=0.07)
    assert far[0].item() == pytest.approx(3.625, abs=0.07)
    assert near[1] == far[1]


def test_the_steps_of_a_grid_lead_to_the_next_corners():
    cells = torch.rand(6, 6, 6, generator=torch.Generator().manual_seed(0)) < 0.3
    sparse = grid.SparseGrid(cells, 1)
    where, steps = sparse.corner_positions(), sdf.steps(sparse)
    for axis in range(3):
        expected = torch.zeros(3).index_fill(0, torch.tensor(axis), sparse.voxel)
        moved = where[steps[:, 1 + axis]] - where[steps[:, 0]]
        torch.testing.assert_close(moved, expected.expand_as(moved))
    known = {tuple(p) for p in (where / sparse.voxel).round().long().tolist()}
    next_ones = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    complete = sum(
        all((x + i, y + j, z + k) in known for i, j, k in next_ones) for x, y, z in known
    )
    assert len(steps) == complete > 20


def test_the_distance_to_occupied_cells_that_make_a_ball():
    ball = voxel_centers(48).reshape(-1, 3).norm(dim=-1) < 0.7
    unit = (torch.rand(500, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1) * 0.95
    found = sdf.hull_distance(occupancy.Occupancy(ball.view(48, 48, 48)), unit)
    assert (found - (unit.norm(dim=-1) - 0.7)).abs().max() < 2 * 2 / 48  # two cells
