# %% [markdown]
# # 8 · After NeRF: Gaussian splatting
# **Beyond the lecture.** The lecture ends with NeRF, "one really popular model". Its successor draws no
# rays at all: it throws coloured Gaussians at the picture.
#
# **You will be able to** say what a Gaussian in space becomes on a picture, and why that is only nearly
# right; write every step of splatting; train a scene with your own functions; compare network, grid
# and splats by what they store, how fast they draw and how sharp they are; say what goes wrong far
# away, with few photographs, and with surfaces; and place what came after each slide, up to 2026.
#
# *About 65 minutes with the exercises, 20 without. You need notebook 7; 6 explains cameras. Runs in
# about 4 minutes on two CPU cores. The trainings are given seconds or steps; a GPU gets further in
# the seconds (an estimate, not measured).*

# %% [setup]

# %%
import time
from dataclasses import replace

import torch.nn.functional as F

from course_lib import cameras, losses, meshes, nerf, splatting, viz, widgets
from course_lib.cameras import quaternion_to_matrix
from course_lib.data.scenes import load_scene
from course_lib.running import Budget, budget
from course_lib.shipped import asset
from course_lib.splatting.blend import OPAQUE  # 0.99; you will meet these three
from course_lib.splatting.pairs import FAINT  # 1 / 255
from course_lib.splatting.projection import FILTER  # 0.3
from course_lib.volume import compositing_weights  # yours from notebook 7

folder = None  # the course's own scene, or the folder of your photographs: see the end of 7.8
scale = budget(1, 2)  # photographs of half the size where time is short
photos = load_scene(folder, downscale=scale).to(DEVICE)
test = load_scene(folder, split="test", downscale=scale).to(DEVICE)
few = test.select(range(0, len(test), budget(4, 10)))
one = len(test) * 7 // 20  # the test photograph that is looked at
pixels = " × ".join(map(str, photos.size))
print(f"{len(photos)} photographs of {pixels} pixels, {len(test)} more for testing")

# %% [markdown]
# ## 8.1 A cloud that can be seen
# Points (notebook 3) are quick to draw and leave holes. The soft rasteriser (notebook 6) lets a triangle
# cover a pixel *a little*, so that gradients reach its corners. NeRF's fog (notebook 7) is blended from
# front to back, and a ray that crosses empty space has asked in vain. **3D Gaussian splatting** (Kerbl
# 2023) takes one idea from each: points that are soft, and blended as fog is. The scene is a list of
# Gaussians; each one has
#
# - a **mean** $m$, its centre (3 numbers); **scales** $s$, its standard deviations along its own axes (3); a
#   **quaternion** $q$ that turns these axes (4);
# - an **opacity** $o$: how much of a pixel it covers at its centre (1);
# - a **colour**: spherical harmonics of the direction from which it is seen, as on the grid of 7.8 (3, 12 or
#   27 numbers).
#
# They start at random in the visual hull, half transparent, with mean colours:

# %%
field = splatting.SplatField(photos, count=budget(2500, 300))
start = field.gaussians.means.detach().cpu()
colors = field.gaussians.colors(photos.camera_to_world[0, :3, 3]).detach().cpu().clamp(0, 1)
widgets.view3d(viz.Item(start, colors=colors, size=0.04),
               alt="A block of greyish balls in the shape of the desk's visual hull.")  # fmt: skip

# %% [markdown]
# ## 8.2 One Gaussian in space
# Where is it thick, where thin? That is its **covariance** $\Sigma$, a symmetric $3 \times 3$ matrix
# whose eigenvalues, the squared widths, must never be negative; else it would be no Gaussian. An
# optimizer that changes six numbers of a matrix could break that at any step. So the matrix is built
# from numbers that may be anything:
#
# $$\Sigma = R\,S\,S^\top R^\top, \qquad S = \mathrm{diag}(s_1, s_2, s_3)$$
#
# - $S$ stretches a ball along its axes; $R$, the rotation matrix of $q = (w, x, y, z)$, then turns it;
# - $q$ is normalised first (`quaternion_to_matrix` does it), so it may have any length but 0.
#
# **Exercise [[covariance]].** Write `covariance`.

# %% [exercise] covariance

# %%
scales = torch.tensor([0.8, 0.3, 0.1])
turned = torch.tensor([0.9, 0.1, -0.2, 0.4])
sigma = covariance(scales, turned)
cloud = torch.randn(1500, 3, generator=torch.Generator().manual_seed(0))
cloud = cloud @ torch.linalg.cholesky(sigma).T
print("standard deviations again:", torch.linalg.eigvalsh(sigma).sqrt().flip(0))
widgets.view3d(cloud, alt="Points of a flat, long Gaussian that lies askew.", view=(-60, 20))

# %% [markdown]
# ## 8.3 One Gaussian on the picture
# A pinhole camera divides by depth, and what it makes of a Gaussian is not one. But a *linear* map makes
# a Gaussian of a Gaussian: if $p' = A p$, then $\Sigma' = A \Sigma A^\top$. So splatting (Zwicker 2001)
# replaces the camera by its best linear map near the centre, its Jacobian $J$. With $p$ in the camera's
# axes (looks along $-z$) and depth $z = -p_3$,
#
# $$x = c_x + f_x \frac{p_1}{z}, \quad y = c_y - f_y \frac{p_2}{z}, \qquad
#   J = \frac{\partial (x, y)}{\partial (p_1, p_2, p_3)} \in \mathbb R^{2 \times 3}$$
#
# - $f_x, f_y$: focal lengths in pixels; $c_x, c_y$: the picture's centre; $y$ counts downwards.
#
# **Exercise [[projection_jacobian]].** Write `projection_jacobian`: for $n$ points, $(n, 2, 3)$.

# %% [exercise] projection_jacobian

# %% [markdown]
# $\Sigma$ is in the world's axes; $R$ is from here on the camera's rotation (camera to world), no longer
# the Gaussian's. So
#
# $$\Sigma' = J\,R^\top\,\Sigma\,R\,J^\top + 0.3\,I \in \mathbb R^{2 \times 2}$$
#
# The 0.3 square pixels (`FILTER`) stand for the width of a pixel: without them, a splat smaller than a
# pixel could fall between all pixel centres. Keep an eye on this number; we will meet it again.
#
# **Exercise [[project_covariance]].** Write `project_covariance`.

# %% [exercise] project_covariance

# %% [markdown]
# How good is the linear map? Project many points of a Gaussian exactly, and compare their spread with
# $\Sigma'$, for a Gaussian that is small, or large, against its distance. *Predict* which one fails.

# %%
camera = cameras.look_at([0.0, 0.5, 3.0])
rows = []
for size in (0.02, 0.2, 0.7):
    sigma = covariance(size * scales / 0.8, turned)
    points = size / 0.8 * cloud + torch.tensor([0.6, 0.2, 0.0])
    pixels, _ = cameras.project(points, camera, 120.0, 100, 100)
    local = (torch.tensor([[0.6, 0.2, 0.0]]) - camera[:3, 3]) @ camera[:3, :3]
    jacobian = projection_jacobian(local, torch.tensor([120.0, 120.0]))
    flat = project_covariance(sigma[None], camera[:3, :3], jacobian)[0] - FILTER * torch.eye(2)
    rows.append([size, torch.cov(pixels.T).det().sqrt().item(), flat.det().sqrt().item()])
viz.table(rows, ["longest scale", "√det of the points (pixels²)", "√det of Σ'"],
          "Spread on the picture: exact, and by the linear map")  # fmt: skip

# %% [markdown]
# *What to see:* all but equal while the Gaussian is small against its distance (3); the large one's
# exact picture is wider. After training, Gaussians are small.
#
# ## 8.4 From splats to a colour
# A splat covers the pixel at the offset $d = (dx, dy)$ from its centre by
#
# $$\alpha = \min\big(0.99,\; o \, e^{-\frac12 d^\top K d}\big), \qquad K = \Sigma'^{-1} =
#   \begin{pmatrix} a & b \\ b & c \end{pmatrix}$$
#
# - $o$: its opacity; $(a, b, c)$: its **conic**; 0.99 (`OPAQUE`) keeps what is behind within reach of a gradient.
#
# **Exercise [[splat_alpha]].** Write `splat_alpha`. The components come first: offsets $(2, \ldots)$,
# conics $(3, \ldots)$.

# %% [exercise] splat_alpha

# %% [markdown]
# Then sort the splats by depth and add up what gets through, nearest first:
#
# $$C = \sum_i \alpha_i \prod_{j < i} (1 - \alpha_j)\; c_i$$
#
# Have you seen that? In 7.5 it was $w_i = T_i (1 - e^{-\sigma_i\delta_i})$ with $T_i = e^{-\sum_{j<i}
# \sigma_j\delta_j}$. Put $\alpha_i = 1 - e^{-\sigma_i\delta_i}$, that is $\sigma_i\delta_i = -\log(1 -
# \alpha_i)$, and it is **the same sum**: your `compositing_weights` does it.
#
# **Exercise [[blend_splats]].** Write `blend_splats` for pixels that all see the same $n$ splats: alphas
# $(\ldots, n)$, colours $(n, c)$, depths $(n)$, in no order.

# %% [exercise] blend_splats

# %% [markdown]
# ## 8.5 Training: your own splats
# That was all. Put it together, for every pixel and every Gaussian: small pictures and few Gaussians.

# %%
small = load_scene(folder, downscale=budget(4, 2) * scale).to(DEVICE)
small_test = load_scene(folder, split="test", downscale=budget(4, 2) * scale).to(DEVICE)
small_test = small_test.select(range(0, len(test), 2))
height, width = small.size
y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
centres = (torch.stack([x, y], dim=-1) + 0.5).reshape(-1, 1, 2).to(DEVICE)  # of the pixels
focal = small.intrinsics[0, :2]


def my_render(g, camera, background=1.0):
    rotation, eye = camera[:3, :3], camera[:3, 3]
    sigma = covariance(g.log_scales.exp(), g.quaternions)
    jacobian = projection_jacobian((g.means - eye) @ rotation, focal)
    conics = splatting.conics(project_covariance(sigma, rotation, jacobian))
    where, depth = cameras.project(g.means, camera, focal[0].item(), height, width)
    offsets = (centres - where).movedim(-1, 0)  # (2, pixels, n)
    alphas = splat_alpha(offsets, conics.T[:, None], torch.sigmoid(g.opacity_logits))
    ones = torch.ones_like(depth)[:, None]
    shown = blend_splats(alphas, torch.cat([g.colors(eye), ones], dim=-1), depth)
    return shown[:, :3] + (1 - shown[:, 3:]) * background


# %%
def ball(g):  # the same Gaussians, made round
    return g._replace(log_scales=g.log_scales.mean(-1, keepdim=True).expand(-1, 3))


def fit(steps, seconds, shape=lambda g: g, seed=0, label="your splats"):
    g = splatting.SplatField(small, count=budget(300, 100), most=300, seed=seed).gaussians
    rates = (3e-3, 4e-2, 1e-2, 0.1, 2e-2)
    optimizer = torch.optim.Adam(
        [{"params": [p], "lr": lr} for p, lr in zip(g, rates, strict=True)]
    )
    generator, targets = torch.Generator().manual_seed(seed), small.colors().flatten(1, 2)
    for _ in Budget(steps, seconds=seconds, label=label):
        i = int(torch.randint(len(small), (), generator=generator))
        loss = (my_render(shape(g), small.camera_to_world[i]) - targets[i]).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        shown = torch.stack([my_render(shape(g), c) for c in small_test.camera_to_world])
    shown = shown.view(len(shown), height, width, 3).clamp(0, 1)
    return shown, nerf.psnr(shown, small_test.colors()).mean().item(), g


# %% [markdown]
# *Time: about 20 s for each of the two trainings, on a slow machine up to a minute.* The first is yours.
# In the second every Gaussian is forced to be a ball. *Predict:* how much does that cost?

# %%
stretched, stretched_db, mine = fit(budget(500, 8), 20)
round_ones, round_db, _ = fit(budget(500, 8), 20, ball, label="balls only")
viz.gallery([stretched[one // 2], round_ones[one // 2], small_test.colors()[one // 2]],
            [f"yours: {stretched_db:.1f} dB", f"balls: {round_db:.1f} dB", "photograph, not used"],
            height=240, alt="The desk by stretched Gaussians, by round ones, and as photographed.")  # fmt: skip

# %% [markdown]
# *What to see:* a few hundred Gaussians show the desk after seconds. As many balls do nearly as well
# here. In the library's training (8.7) with ten seeds, they were behind by a quarter of a decibel to
# one; with 2,500 Gaussians on pictures twice as wide, after 200 steps, by as much. A table top wants
# pancakes, a lamp's arm a needle, but perhaps pictures this small hold little of that.
#
# ## 8.6 Only the pairs that count
# Every pixel asked every Gaussian. With 5,000 Gaussians and 10,000 pixels that is 50 million pairs, of
# which, here, hardly one in three hundred matters. How far does a splat reach? A monitor shows shades
# from 0 to 255; where $o\,e^{-r^2/2} < 1/255$ (`FAINT`), nobody sees it. (Many such together may make a
# few shades.)
#
# **Exercise [[splat_reach]].** Write `splat_reach`: $r$ in standard deviations, 0 for splats that are too
# faint everywhere.

# %% [exercise] splat_reach

# %% [markdown]
# The pairs (pixel, splat) stand in *one list*, sorted by pixel and then by depth: pixels have from none
# to a few hundred splats, so a rectangular tensor would be mostly empty. The transmittance needs, for
# every pair, the sum of $-\log(1 - \alpha)$ over the pairs of the same pixel that stand before it. One
# cumulative sum over the whole list does it for all pixels at once, if one takes away what it was at
# each pixel's start.
#
# **Exercise [[sums_before]].** Write `sums_before`: the values of several groups one after the other,
# `counts` the sizes of the groups (some are 0).

# %% [exercise] sums_before

# %% [markdown]
# `splatting.render` is made of these: reach, pairs, sort, one sum. Its gradient is written by hand,
# since a splat's gradient needs six moments over its pixels, and autograd would keep many numbers for
# each pair. Does it show what yours shows?

# %%
view = splatting.view_of(small, len(small) // 4, near=0.1)
with torch.no_grad():
    ways = {"yours": lambda: my_render(mine, view.camera_to_world),
            "library's": lambda: splatting.render(mine, view, background=1.0).color.view(-1, 3)}  # fmt: skip
    for name, draw in ways.items():
        draw()
        begun = time.perf_counter()
        pictures = [draw() for _ in range(5)]
        milliseconds = (time.perf_counter() - begun) / 5 * 1000
        print(f"{name:10s}{milliseconds:6.1f} ms a picture of {height} × {width}")
    difference = (my_render(mine, view.camera_to_world) - pictures[0]).abs().max()
print(f"largest difference: {difference * 255:.1f} shades of 255")

# %% [markdown]
# **Question [[numbers_per_gaussian]].** How many numbers does a Gaussian with harmonics of degree 1 (four
# coefficients for each channel) store?

# %% [exercise] numbers_per_gaussian

# %% [markdown]
# ## 8.7 Gaussians that multiply
# Where are Gaussians missing? Nobody knows before the training. So it goes on in rounds: those that have
# become transparent are dropped, and others are **split in two**. The original splits where the gradient
# is large, and fades all opacities now and then; here those with a large opacity are split most often,
# as in Kheradmand et al. 2024. The picture should not jump. Two with opacity $o'$ in one place cover
# what one with $o$ did if $1 - (1 - o')^2 = o$. Beside the centre, two cover *more* than one did (the
# pair is flatter on top), so the scales of both are multiplied by
#
# $$\frac{o}{2\,o' - o'^2 / \sqrt 2}$$
#
# **Exercise [[split_in_two]].** Write `split_in_two`: the new opacity, and the factor of the size.

# %% [exercise] split_in_two

# %%
r = torch.linspace(0, 4, 81)
opacity = torch.tensor(0.9)
half, factor = split_in_two(opacity)
bell = torch.exp(-(r**2) / 2)
small_bell = torch.exp(-((r / factor) ** 2) / 2)
viz.line_chart({"one": (r, opacity * bell), "two, as large": (r, 1 - (1 - half * bell) ** 2),
                "two, made smaller": (r, 1 - (1 - half * small_bell) ** 2)},
               x="distance from the centre, in standard deviations", y="share covered",
               alt="What one Gaussian covers, and what the two in its place cover.")  # fmt: skip

# %% [markdown]
# ### Network, grid, splats
# The same loop, `nerf.train`, the same photographs, the same test. *Predict:* which is sharpest after 5
# s, and which at the end? *Time: 40 s for the network, 25 s for the grid, 30 s for the splats, and a
# part of that again to measure PSNR, while the clock stops.*

# %%
mlp = nerf.MLPField(photos, width=64, depth=4, coarse=16, fine=0,
                    batch=budget(1024, 1024, gpu=8192), learning_rate=1e-2, position_frequencies=6)  # fmt: skip
grid = nerf.VoxelField(photos, resolution=budget(None, 36))
fields = {"network": mlp, "grid": grid, "splats": field}
times = {"network": budget(40, 0.5), "grid": budget(25, 1), "splats": budget(30, 1)}
least, curves = {"network": 5, "grid": 80, "splats": budget(60, 30)}, {}
for name, model in fields.items():
    curve = nerf.Curve(model, few, every=times[name] / budget(10, 2))
    _ = nerf.train(model, photos, seconds=times[name], least=least[name], on_step=curve, clock=curve.clock,
                   label=name)  # fmt: skip
    curves[name] = (curve.seconds, curve.psnr)
viz.line_chart(curves, x="seconds of training", y="PSNR (dB)",
               alt="PSNR on test photographs against seconds, for network, grid and splats.")  # fmt: skip

# %%
stored = {
    "network": sum(p.numel() for p in mlp.coarse.parameters()),
    "grid": sum(t.numel() for t in grid.grid.tables),
    "splats": sum(p.numel() for p in field.gaussians),
}
rows = []
for name, model in fields.items():
    score = nerf.evaluate(model, few)
    begun = time.perf_counter()
    for _ in range(3):
        model.view(test, one)
    speed = 3 / (time.perf_counter() - begun)
    rows.append(
        [name, stored[name], round(speed, 1), round(score["psnr"], 1), round(score["ssim"], 3)]
    )
viz.table([[*row, times[row[0]]] for row in rows],
          ["field", "numbers stored", "pictures per second", "PSNR (dB)", "SSIM", "seconds trained"],
          f"Three fields of the same scene, {photos.size[0]} × {photos.size[1]} pixels")  # fmt: skip

# %%
viz.gallery([*(model.view(test, one).color for model in fields.values()), test.colors()[one]],
            [*fields, "photograph, not used"], height=220,
            alt="The same new view by network, grid and splats, and as photographed.")  # fmt: skip

# %% [markdown]
# *What to see:* splats store less than a tenth of the grid's numbers, draw faster on a CPU, and here
# come within three decibels of the grid's quality. A renderer written for GPUs draws more than a hundred
# large pictures a second (Kerbl et al. 2023): that may be one reason why they have taken NeRF's place.
#
# ## 8.8 Look around
# Turn the cloud of centres with the mouse: the picture beside it is drawn from the same side. `zoom` changes the
# focal length.

# %%
_ = widgets.view_splats(field, alt="The centres of the Gaussians, and the desk drawn from them.")

# %% [markdown]
# ## 8.9 Far and near
# The field was trained on pictures of one size, from one distance. Draw it for pictures of a quarter of
# the width, as small as from four times the distance: once directly, and once in full size and then
# averaged, as a camera's sensor does it.


# %%
def far(field, factor=4):
    """Mean PSNR of pictures drawn directly and of averaged ones, and how much they cover."""
    direct, averaged, cover = [], [], []
    coarse = replace(test, images=test.images[:, ::factor, ::factor],
                     intrinsics=test.intrinsics / factor)  # fmt: skip
    for i in range(0, len(test), 4):
        full = test.colors()[i].movedim(-1, 0)[None]
        target = F.avg_pool2d(full, factor, ceil_mode=True)[0].movedim(0, -1)
        once, fine = field.view(coarse, i), field.view(coarse, i, supersample=factor)
        direct.append(nerf.psnr(once.color, target).item())
        averaged.append(nerf.psnr(fine.color, target).item())
        cover.append((once.opacity.mean() / fine.opacity.mean()).item())
    return [float(np.mean(v)) for v in (direct, averaged, cover)]


direct, averaged, cover = far(field)
print(f"directly {direct:.1f} dB, averaged {averaged:.1f} dB; covers {cover:.2f} times as much")
coarse = replace(test, images=test.images[:, ::4, ::4], intrinsics=test.intrinsics / 4)
viz.gallery([field.view(coarse, one).color, field.view(coarse, one, supersample=4).color],
            ["directly", "averaged"], height=240, alt="The small desk: swollen, and as it should be.")  # fmt: skip

# %% [markdown]
# *What to see:* drawn directly, the desk swells. From *near* (zoom above), splats that were a pixel wide
# show as blobs, and gaps may open between them.
#
# **Question [[why_thin_things_grow_when_far]].** Why do thin things grow when drawn from far?

# %% [exercise] why_thin_things_grow_when_far

# %% [markdown]
# ## 8.10 Floaters
# With few photographs, Gaussians may hang in the air, where they are right for those cameras and wrong
# for others. Train on eight photographs only. *Time: 10 s.* *Predict:* PSNR on the eight, and on new
# views?

# %%
eight = photos.select(range(0, len(photos), -(-len(photos) // 8)))
poor = splatting.SplatField(eight, count=budget(2500, 300))
_ = nerf.train(poor, eight, seconds=budget(10, 1), least=20, label="eight photographs")
results = {
    "eight photographs": {"on them": nerf.evaluate(poor, eight)["psnr"],
                          "on new views": nerf.evaluate(poor, few)["psnr"]},
    "all": {"on the eight": nerf.evaluate(field, eight)["psnr"],
            "on new views": nerf.evaluate(field, few)["psnr"]},
}  # fmt: skip
viz.table([[k, *v.values()] for k, v in results.items()],
          ["trained on", "PSNR on the eight (dB)", "PSNR on new views (dB)"], "Few and many photographs")  # fmt: skip
viz.gallery([poor.view(test, one).color, field.view(test, one).color], ["from eight", "from all"],
            height=240, alt="A new view with shreds hanging in the air, and a clean one.")  # fmt: skip

# %% [markdown]
# *What to see:* the poor field shows its own eight photographs far better than new views. What may help:
# more photographs; depth from another source; a penalty for opacity.
#
# ## 8.11 What is the geometry worth?
# Take the centres of opaque Gaussians as a point cloud, or fuse depth pictures to a signed distance and march
# cubes (Curless and Levoy 1996). The true surface is known. Squared Chamfer distance and F-score as in
# notebook 4:

# %%
from course_lib.meshes.files import load_mesh
from course_lib.metrics import f_score

solids = {"splats": splatting.extract_mesh(field, photos, resolution=budget(80, 32)),
          "grid": nerf.extract_mesh(grid, resolution=budget(128, 40))}  # fmt: skip
seed = torch.Generator().manual_seed(0)
if folder is None:  # of your own photographs the true shape is not known
    true = meshes.sample_surface(load_mesh(asset("scene/mesh.ply")), 4000, generator=seed)[0]
    opaque = field.gaussians.opacities > 0.5 * field.gaussians.opacities.max()
    found = {"centres": field.gaussians.means.detach()[opaque]}
    for name, mesh in solids.items():
        found[f"mesh of the {name}"] = meshes.sample_surface(mesh, 4000, generator=seed)[0]
    rows = []
    for name, points in found.items():
        pair = points[None].cpu(), true[None]
        rows.append([name, losses.chamfer_distance(*pair).item(), f_score(*pair, 0.05).item()])
    viz.table(rows, ["what", "Chamfer distance", "F-score at 0.05"], "Distance to the true surface")
widgets.view3d(*(viz.Scene(mesh, title=name) for name, mesh in solids.items()),
               alt="Two meshes of the desk, both bumpy.")  # fmt: skip

# %% [markdown]
# *What to see:* the centres lie *near* the surface, most of them below it; they are no surface. Depth
# pictures give one: by the F-score as good as the density's or better, by the squared Chamfer distance
# now better and now worse. Flat Gaussians (Huang et al. 2024, "2D Gaussian splatting") are made for
# surfaces.
#
# **Take it home.** `splatting.save_ply("desk.ply", field.gaussians)` writes the layout of the original, which
# common viewers read; `splatting.load_ply` reads theirs.
#
# ## 8.12 The map to 2026
# What came after each slide of the lecture? One row for each branch.

# %%
branches = {
    "tables": [2023, 2023, 2025],
    "one picture → shape": [2016, 2018, 2019, 2024],
    "photographs → cameras, points": [2024, 2025],
    "text → shape": [2022, 2023],
    "photographs → scene": [2020, 2022, 2023, 2024],
}
viz.scatter_chart({name: (years, [len(branches) - i] * len(years)) for i, (name, years) in enumerate(branches.items())},
                  names={len(branches) - i: name for i, name in enumerate(branches)},
                  x="year", y="branch", alt="When the works of the table below appeared, by branch.")  # fmt: skip

# %% [markdown]
# | slide | what came after, in two sentences | which exercise is its core |
# |---|---|---|
# | Tabular DL as text (TabLLM, Hegselmann et al. 2023) | **TabPFN** (Hollmann et al. 2023; 2025) is a transformer that has seen millions of made-up tables; labelled rows are its context, and one pass classifies new ones. No text, no fine-tuning, and on the small tables of both papers it beat boosted trees on average. | balanced samples and few shots of notebook 1: context instead of training |
# | Reconstruction from one picture (3D-R2N2, Choy et al. 2016; Pixel2Mesh, Wang et al. 2018; Occupancy Networks, Mescheder et al. 2019) | **LRM** (Hong et al. 2024) is an encoder and a decoder, as in notebook 5, with half a billion parameters and a million shapes: a picture goes in, a radiance field comes out in seconds. Its loss compares rendered pictures, as yours does in 7.7. | `modulate` and `vertex_image_features` (5), `composite` (7) |
# | 3D tasks: reconstruction from a few views | **DUSt3R** (Wang et al. 2024) gives a 3D point for each pixel of two pictures, and the cameras follow from the points; **VGGT** (Wang et al. 2025) does it for hundreds of pictures in one pass. Much of what was an optimisation for each scene has become a network. | `unproject_depth` (3), `project` (6) |
# | 3D tasks: generation | **Point-E** (Nichol et al. 2022) removes noise from random points until they are a shape. **DreamFusion** (Poole et al. 2023) has no shapes at all: a picture model that removes noise says how each rendered view of a NeRF should change (score distillation). | `chamfer_distance` (4) for the one, `compositing_weights` (7) for the other: its gradient carries the picture model's wish |
# | NeRF (Mildenhall et al. 2020; instant-ngp, Müller et al. 2022) | **Gaussian splatting** (Kerbl et al. 2023) is this notebook. It trains in minutes, draws in milliseconds, and with relocation (Kheradmand et al. 2024) and filters (Yu et al. 2024) it is in common libraries. | `project_covariance`, `blend_splats` (here) |
#
# **Question [[what_a_feed_forward_model_learns]].** What do LRM, DUSt3R and VGGT learn that this notebook
# spends its seconds on?

# %% [exercise] what_a_feed_forward_model_learns

# %% [markdown]
# ## 8.13 What to remember
# - A scene can be a list: mean, covariance, opacity, colour. The covariance is $R S S^\top R^\top$, so that it
#   may be optimised freely.
# - A camera is linear near a point; so a Gaussian becomes a Gaussian, and its variance grows by
#   0.3 square pixels.
# - Sorted and blended, splats are NeRF's sum. Where no splat reaches, nothing is computed.
# - One PSNR says little of far views, few photographs or surfaces: look there, too.

# %%
progress()
