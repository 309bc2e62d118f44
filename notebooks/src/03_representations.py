# %% [markdown]
# # 3 · Representations
# **You will be able to** store one shape in six ways, say what each is good for with a number
# instead of a bullet point, convert between them, and know which conversions lose what.
#
# *About 165 minutes with the exercises, 45 without: two sittings, voxels and points (3.1 to 3.12, 75
# minutes) and meshes, functions and views (from 3.13 on, 90 minutes). You need tensors (PyTorch) and a
# little linear algebra. Runs in 2 to 5 minutes on two CPU cores. All of it stays on the CPU, so a Colab
# T4 needs about as long (an estimate, not measured).*

# %% [setup]

# %% [markdown]
# All shapes live in $[-1, 1]^3$ with y up. (About one lamp in six stands out on top; grids and meshes
# cut it off there, and its mesh is open.) `shapes` holds exact functions, `meshes` surfaces; the other
# modules hold a representation each, with the conversions *into* it.

# %%
import functools
import math
import time
import warnings

from course_lib import (cameras, implicit, losses, meshes, metrics, points, shapes,
                        views, viz, voxels, widgets)  # fmt: skip
from course_lib.cameras import project
from course_lib.implicit import sdf_gradient
from course_lib.meshes import Mesh, sample_surface
from course_lib.neighbors import nearest_neighbors
from course_lib.points import nearest_indices
from course_lib.running import Budget, budget
from course_lib.shapes import components, length, make_shape, triple
from course_lib.voxels import voxel_centers

chair = make_shape("chair", 3)
seeded = torch.Generator().manual_seed(0)


# %%
def slice_picture(sdf, height, size=120):
    """A slice through a signed distance at z = height: blue inside, yellow outside, contours."""
    line = torch.linspace(-1, 1, size)
    y, x = torch.meshgrid(-line, line, indexing="ij")
    values = sdf(torch.stack((x, y, torch.full_like(x, height)), -1))
    picture = viz.colormap(values, -0.6, 0.6).clone()
    picture[values.abs() < 1.4 / size] = 1.0
    return picture.numpy()


# %%
truth, _ = sample_surface(chair.mesh(budget(128, 64)), 20_000, generator=seeded)


def surface_error(cloud):
    """Half the sum of the two mean distances between a cloud and the true surface."""
    there = chair.sdf(cloud).abs().mean()
    back = nearest_neighbors(truth[None], cloud[None])[0].sqrt().mean()
    return float(there + back) / 2


# %% [markdown]
# ## 3.1 Six representations of one shape
# *Slide "3D data representations".* Voxels store *where matter is*, points *samples of the surface*,
# a mesh *the surface in pieces*, a function *the distance everywhere*, views and planes *pictures*.


# %%
def six(level, family):
    """One shape in six representations, at 2^level cells per side."""
    r, shape = 2**level, make_shape(family, 3)
    mesh = shape.mesh(r)
    cloud, _ = sample_surface(mesh, 2 * r * r, generator=torch.Generator().manual_seed(0))
    poses = cameras.spherical_cameras(r // 2, 3.0, elevation=(-20, 50))
    seen = views.render_views(shape.mesh(48), poses, 64)
    hull = views.visual_hull(seen.mask, seen.cameras, 32)
    planes = views.plane_depths(2.0, 4.0, r // 4)
    mpi = views.mpi_from_depth(seen.color[0], seen.depth[0], planes)
    grid = shape.sdf(voxels.voxel_centers(r)) < 0
    look = {"size": 230, "bounds": 0.8 * torch.tensor([[-1.0] * 3, [1.0] * 3])}
    pictures = [viz.render_voxels(grid, **look), viz.render_points(cloud, **look)]
    pictures += [viz.render_mesh(mesh, **look), slice_picture(shape.sdf, 0.3, 4 * r)]
    pictures += [viz.render_voxels(hull, **look), views.over_composite(mpi[::2]).numpy()]
    titles = [f"voxels, {r}³", f"{len(cloud)} points", f"mesh, {len(mesh.faces)} faces",
              "function, a slice", f"hull of {r // 2} views", "every other plane"]  # fmt: skip
    return viz.gallery(pictures, titles, alt="One shape, six ways.", columns=3, height=230)


# %%
widgets.explore(
    six,
    {"level": (3, 6, 4), "family": ["chair", "mug", "aeroplane", "lamp"]},
    alt="One shape in six representations, which all follow one resolution slider.",
)

# %% [markdown]
# *What to see:* one slider, six answers to "more detail": smaller cubes, more points, smaller faces,
# the *same* function read more often (the white line is the surface), more pictures, more planes. The
# last picture shows only every other plane, so that you see the gaps between them.
#
# **Bytes against error.** *Predict:* for a budget of 10 kB, which of voxels, points and mesh is
# closest to the true surface? The error is the mean distance from 20,000 points of the stored surface to
# the true one (known from the signed distance function, SDF), and back.


# %%
def mesh_bytes(mesh):
    """Three numbers of four bytes for each vertex and each face."""
    return 12 * len(mesh.vertices) + 12 * len(mesh.faces)


def size_and_error(count, mesh):
    return count, surface_error(sample_surface(mesh, 20_000, generator=seeded)[0])


# %%
curves = {"voxels (1 bit each)": [], "points": [], "mesh": []}
fine = chair.mesh(96)
for r in budget((8, 12, 16, 24, 32, 43, 64, 74), (8, 16, 32)):
    grid = voxels.voxelize(chair.sdf, r)
    if grid.any():
        curves["voxels (1 bit each)"].append(size_and_error(r**3 / 8, voxels.voxels_to_mesh(grid)))
    if (chair.sdf(meshes.lattice(r)) < 0).any():  # else the grid goes past all that is thin
        mesh = chair.mesh(r)
        curves["mesh"].append(size_and_error(mesh_bytes(mesh), mesh))
    cloud, _ = sample_surface(fine, r * r, generator=seeded)
    curves["points"].append((12 * r * r, surface_error(cloud)))

# %% [markdown]
# The function is a small network, fitted to the distance by least absolute error: its weights are all
# that is stored. *Time: 10 to 20 s on two CPU cores for the three sizes.*


# %%
def fit_network(width, seconds):
    model = implicit.NeuralSdf(width, width // 2)
    x, target = implicit.sdf_samples(chair.sdf, truth, 1 << 15, generator=seeded)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for _ in Budget(int(budget(700, 10)), seconds=seconds, label=f"width {width}"):
        some = torch.randint(len(x), (1024,), generator=seeded)
        loss = (model(x[some]) - target[some]).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.requires_grad_(False)


curves["function (network)"] = []
for width in (16, 32, 64):
    network = fit_network(width, budget(12, 2))
    in_cube = shapes.intersection(network, shapes.box(2.1))  # far outside it was never trained
    network_bytes = 4 * sum(p.numel() for p in network.parameters())
    marched = implicit.sdf_to_mesh(in_cube, budget(48, 24), bound=1.1)
    curves["function (network)"].append(size_and_error(network_bytes, marched))

# %%
viz.line_chart(
    {name: tuple(zip(*pairs, strict=True)) for name, pairs in curves.items()},
    x="bytes", y="mean distance to the surface", log_x=True, log_y=True,
    alt="Bytes against error for voxels, points, mesh and a network, both axes logarithmic.",
)  # fmt: skip

# %% [markdown]
# *What to see:*
# - At 10 kB voxels are ahead of points, with nearly every chair clearly, and the mesh is as a rule last.
#   At 50 kB the three are within a factor of two.
# - The error of points falls about like (bytes)$^{-1/2}$. That of voxels as a rule falls more slowly, in
#   theory like (bytes)$^{-1/3}$: they pay for the inside.
# - Of the three, voxels at one bit each are the cheapest for a rough shape; a grid of floats would need
#   32 times as much.
# - The mesh gains once its faces are smaller than the chair's bars. The network is limited by its short
#   training: with ten times as many steps its error falls further.
# - Surfaces cannot fall much below 0.004 here: that comes from the 20,000 points which measure the error.
#
# ## 3.2 Voxels: how much is occupied?
# *Slide "Voxels": 10.41 %, 5.09 %, 2.41 %.* A grid of $r^3$ voxels covers $[-1,1]^3$; voxel
# $(i, j, k)$ has its centre at $-1 + (2i + 1)/r$ along x, and so on.
#
# **Exercise [[voxelize]].** Write `voxelize`: occupied is where the SDF of the centre is $\le 0$. `sdf` takes
# points (…, 3) to distances (…); the grid is (r, r, r), index x, y, z. (`voxel_centers(r)` is there too.)

# %% [exercise] voxelize

# %% [markdown]
# **Exercise [[occupied_fraction]].** Write `occupied_fraction`.

# %% [exercise] occupied_fraction

# %% [markdown]
# The slide's figures (Li et al. 2016, FPNN) are of *surface* grids at $30^3$, $64^3$, $128^3$.
# *Predict:* does the fraction fall by 2, 4 or 8 when $r$ doubles?

# %%
families = list(shapes.FAMILIES)[: int(budget(6, 1))]
sides, rows, ours = (30, 64, 128), [], []
for r in sides:
    each = [
        float(occupied_fraction(voxels.surface_voxels(make_shape(f, s).sdf, r)))
        for f in families for s in range(int(budget(3, 1)))
    ]  # fmt: skip
    ours.append(sum(each) / len(each))
for r, slide, share in zip(sides, (10.41, 5.09, 2.41), ours, strict=True):
    ball = float(occupied_fraction(voxels.surface_voxels(shapes.sphere(0.8), r)))
    solid = float(occupied_fraction(voxelize(shapes.sphere(0.8), r)))
    rows.append([f"{r}³", slide, slide / 100 * r, 100 * share, 100 * ball, 100 * solid])
header = ["grid", "slide %", "slide · r", "our shapes %", "ball, surface %", "ball, solid %"]
viz.table(rows, header, "Occupied voxels")
slope = math.log(ours[2] / ours[0]) / math.log(128 / 30)
theirs = math.log(2.41 / 10.41) / math.log(128 / 30)
print(f"power of r by which the fraction falls: {slope:.2f}; slide: {theirs:.2f}")

# %% [markdown]
# *What to see:* slide · r is 3.1 to 3.3 in every row: the fraction falls like $1/r$, by 2 when $r$
# doubles, since a surface meets $\sim r^2$ of $r^3$ voxels. The *solid* ball keeps its share at every
# resolution. On the average of six families our shapes fill about half of what the slide's do: shapes
# differ in the factor, which is mostly their surface, and hardly in the power of $r$.
#
# > **Slide check.** "The higher the resolution, the lower the fraction of occupied voxels" holds
# > for surface grids only, and there on the whole: coarse grids of a thin shape go up and down. A solid
# > grid converges to its volume's share.


# %%
def grid_at(resolution, kind):
    r = int(resolution)
    grid = voxelize(chair.sdf, r) if kind == "solid" else voxels.surface_voxels(chair.sdf, r)
    words = f"{r}³: {100 * float(occupied_fraction(grid)):.2f} % occupied"
    return [viz.render_voxels(grid, size=300), words]


widgets.explore(
    grid_at, {"resolution": (6, 64, 24, 2), "kind": ["surface", "solid"]},
    alt="A chair as voxels, with a resolution slider.",
)  # fmt: skip

# %% [markdown]
# ## 3.3 Voxels generalise images: Conv2d → Conv3d
# *Slide "Natural generalization of approaches used for image processing".* A kernel of $k^3$
# weights slides over the grid:
#
# $$y_o[p] = b_o + \sum_{c,\,u} w_{o,c}[u]\; x_c[p + u]$$
#
# - $x_c$: input channel $c$; $y_o$: output channel $o$; $p$: a voxel, $u$: an offset in the kernel;
# - $w_{o,c}$: the $k^3$ weights from $c$ to $o$; $b_o$: a bias.
#
# **Exercise [[conv3d_cost]].** Write `conv3d_cost`: output side, parameters, bytes of the output (float32).

# %% [exercise] conv3d_cost

# %%
rows = [[f"{r}³", *conv3d_cost((32, 64), r, 3, padding=1)] for r in (16, 32, 64, 128, 256)]
rows = [[name, side, weights, size / 2**20] for name, side, weights, size in rows]
viz.table(rows, ["grid", "output side", "parameters", "output, MiB"], "One layer, 32 → 64 channels")

# %% [markdown]
# *What to see:* the parameters do not grow; the memory grows eightfold whenever $r$ doubles.
#
# **Experiment.** A chair is blurred and made noisy. Can one small 3D convolution net recover it from
# examples of *other* families? *Time: 5 to 25 s on two CPU cores.*


# %%
def blurred(grid):
    smooth = torch.nn.functional.avg_pool3d(grid[None, None].float(), 3, stride=1, padding=1)
    return smooth + 0.05 * torch.randn(smooth.shape, generator=seeded)


pairs = [(blurred(g), g) for f in ("table", "lamp", "mug", "bottle")
         for g in [voxelize(make_shape(f, 0).sdf, 24)]]  # fmt: skip
chair_grid = voxelize(chair.sdf, 24)
noisy = blurred(chair_grid)

# %%
torch.manual_seed(0)
layers = [torch.nn.Conv3d(1, 8, 5, padding=2), torch.nn.ReLU(), torch.nn.Conv3d(8, 1, 3, padding=1)]
net = torch.nn.Sequential(*layers)
optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
for step in Budget(int(budget(240, 10)), seconds=budget(12, 6), label="deblurring"):
    x, y = pairs[step % len(pairs)]
    score = net(x)[0, 0]
    loss = torch.nn.functional.soft_margin_loss(score, 2.0 * y - 1, reduction="none")
    loss = (loss * (1 + 5 * y)).mean()  # occupied voxels are rare: they count six times
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
best = max((0.2, 0.3, 0.4, 0.5), key=lambda t: float(metrics.iou(noisy[0] > t, chair_grid[None])))
guesses = {f"threshold {best}": noisy[0] > best, "3D convolution": net(noisy)[0] > 0}
for name, guess in guesses.items():
    print(f"{name:15s} IoU {float(metrics.iou(guess, chair_grid[None])):.2f}")

# %% [markdown]
# *What to see:* as for images, a learned filter clearly beats the best threshold (IoU: the volume that
# both share, divided by that of both together), on a family that it has never seen. It helps that it has
# seen things as thin as chairs: trained on bottles alone it is less good on them. And one that was
# trained on chairs alone may do worse than a threshold on bottles.
#
# ## 3.4 Voxels from every other format
# *Slide "Can obtain from any other type of representation".*
#
# **Exercise [[points_to_voxels]].** Write `points_to_voxels`: mark the voxel of each point; $x = 1$ belongs to the
# last one.

# %% [exercise] points_to_voxels

# %%
r, exact = 32, voxelize(chair.sdf, 32)
surface = voxels.surface_voxels(chair.sdf, r)
mesh = chair.mesh(96)
cloud, _ = sample_surface(mesh, 20_000, generator=seeded)
seen = views.render_views(mesh, cameras.spherical_cameras(24, 3.0), 128)
routes = {
    "function → solid": (voxelize(chair.sdf, r), exact),
    "mesh → solid": (voxels.mesh_to_voxels(mesh, r), exact),
    "views → solid (hull)": (views.visual_hull(seen.mask, seen.cameras, r), exact),
    "mesh → surface": (voxels.surface_voxels(mesh, r), surface),
    "points → surface": (points_to_voxels(cloud, r), surface),
}
rows = [[k, float(metrics.iou(a[None], b[None]))] for k, (a, b) in routes.items()]
viz.table(rows, ["route", "IoU with the exact grid"], "Into voxels, at 32³")

# %% [markdown]
# *What to see:* function, mesh and points reach the exact grid, or nearly. (With other shapes the
# mesh may lose some voxels and the 20,000 points miss some, seldom more than a tenth.) But points give
# the surface only: nothing tells them what is inside. The hull of 24 views is as a rule farthest from
# the exact grid: it keeps all that no picture rules out (section 3.22).
#
# ## 3.5 Voxels as matter
# *Slide "Connection with the physical properties of objects".* With density 1 a voxel of side
# $s = 2/r$ has mass $m = s^3$. The inertia tensor about the centre of mass is
#
# $$I = \sum_i \Big( m\,(|x_i|^2\,\mathbb 1 - x_i x_i^\top) + m\,\tfrac{s^2}{6}\,\mathbb 1 \Big)$$
#
# - $x_i$: the centre of occupied voxel $i$, from the centre of mass; $\mathbb 1$: the unit matrix;
# - the last term, once for each voxel, is the inertia of a small cube about its own centre.
#
# **Exercise [[inertia_tensor]].** Write `inertia_tensor`: a bool grid (r, r, r) → (3, 3). (`voxel_centers(r)`, (r, r, r, 3),
# gives the centres.)

# %% [exercise] inertia_tensor

# %%
ball, tube = 4 / 3 * math.pi * 0.8**3, 2 * math.pi**2 * 0.6 * 0.2**2
bodies = {
    "ball": (shapes.sphere(0.8), ball, ball * 0.4 * 0.64),
    "box": (shapes.box((1.0, 0.5, 1.5)), 0.75, 0.75 * (1.0 + 2.25) / 12),
    "torus": (shapes.torus(0.6, 0.2), tube, tube * (0.36 + 0.75 * 0.04)),
}
errors = {}
for name, (sdf, true_volume, inertia_y) in bodies.items():
    for r in (15, 31, 63, 127):
        grid = voxelize(sdf, r)
        error = abs(float(inertia_tensor(grid)[1, 1]) / inertia_y - 1)
        errors.setdefault(name, ([], []))[0].append(r)
        errors[name][1].append(max(100 * error, 1e-4))
    print(f"{name:6s} volume {float(voxels.volume(grid)):.4f}, exact {true_volume:.4f}")
viz.line_chart(errors, x="voxels per side", y="error of the inertia, %", log_x=True, log_y=True,
               alt="The error of the moment of inertia falls about like 1/r or faster.")  # fmt: skip

# %% [markdown]
# *What to see:* over the whole range the error falls about like $1/r$ for the box, and faster for the
# round bodies here, though not at every step: along a curved surface errors of opposite sign cancel. The
# box is worst here: along a flat side all have one sign, and how large they are depends on where the
# sides lie between the voxels. (Other bodies have other powers: boxes about $-1$ on average.)
#
# ## 3.6 Better and emptier at once
# *Slide "The higher the resolution, the better the approximation … but the lower the fraction".*

# %%
rs, fraction, error = (8, 12, 16, 24, 32, 48, 64, 96), [], []
for r in rs:
    grid = voxels.surface_voxels(chair.sdf, r)
    fraction.append(100 * float(occupied_fraction(grid)))
    centers = voxels.voxel_centers(r)[grid]
    error.append(100 * float(chair.sdf(centers).abs().mean()))
viz.line_chart({"occupied, %": (rs, fraction), "mean distance of centres, % of unit": (rs, error)},
               x="voxels per side", y="percent", log_x=True, log_y=True,
               alt="Occupied fraction and approximation error both fall with r.")  # fmt: skip

# %% [markdown]
# *What to see:* from 16 voxels per side on both fall roughly like $1/r$. (With other chairs the power
# may be well above or below $-1$, on average it is not far from it.) So half the error costs eight times
# the memory, of which half as large a share is used. That is the reason for octrees and for voxels in a
# hash table, which store little but what is occupied.
#
# ## 3.7 Points come from scanning
# *Slide "Natural data format in spatial scanning problems".* A depth camera measures, for the pixel
# with centre $(u, v)$, the depth $z$ along its axis. The point in the camera's axes is
#
# $$\bigl((u - c_x)\tfrac{z}{f},\; -(v - c_y)\tfrac{z}{f},\; -z\bigr),$$
#
# $f$: focal length in pixels; $(c_x, c_y)$: the image's centre. Both stand in the 3 × 3 matrix
# `intrinsics`, $\begin{pmatrix} f_x & 0 & c_x \\ 0 & f_y & c_y \\ 0 & 0 & 1 \end{pmatrix}$, where $f_x$ belongs to x
# and $f_y$ to y; here they are often equal. The pose, a 4 × 4 matrix `camera_to_world`, takes the point
# into the world. `depth` is (h, w): row 0 is on top, pixel (row, column) has its centre at
# $(u, v) = (\text{column} + \frac12, \text{row} + \frac12)$.
#
# **Exercise [[unproject_depth]].** Write `unproject_depth`.

# %% [exercise] unproject_depth


# %%
def scan(count, noise, size=96):
    """Fuse the depth maps of `count` cameras around the chair, with noise in the depth."""
    seen = views.render_views(chair.mesh(64), cameras.spherical_cameras(count, 3.0), size)
    k, clouds, g = cameras.intrinsics(seen.focal, size, size), [], torch.Generator().manual_seed(0)
    for depth, mask, pose in zip(seen.depth, seen.mask, seen.cameras, strict=True):
        measured = depth + noise * torch.randn(depth.shape, generator=g)
        clouds.append(unproject_depth(measured, k, pose)[mask])
    return torch.cat(clouds)


rows = []
for count in (1, 6, 24):
    for noise in (0.0, 0.03):
        cloud = scan(count, noise)
        off, gap = chair.sdf(cloud).abs().mean(), nearest_neighbors(truth[None], cloud[None])[0]
        rows.append([count, noise, len(cloud), float(off), float(gap.sqrt().mean())])
header = ["cameras", "noise", "points", "points from the surface", "surface from the points"]
viz.table(rows, header, "Scans of a chair, fused: mean distances")

# %%
widgets.explore(
    lambda views_, noise: viz.Scene(scan(views_, noise, 64), title="fused scan"),
    {"views_": (1, 8, 2), "noise": (0.0, 0.05, 0.0, 0.01)},
    alt="The points that depth cameras around a chair have seen; one camera leaves shadows.",
)

# %% [markdown]
# *What to see:* one camera leaves shadows, and much of the surface is far from any of its points (last
# column). More cameras fill most of them. The noise of each point stays, with 24 cameras as with six
# (the column before): averaging points that saw the same place makes it smaller.
#
# ## 3.8 Points are multiplied by matrices
# *Slide "You can multiply the points with linear transformation matrices".* In homogeneous
# coordinates $(x, 1)$ one 4 × 4 matrix $M$ rotates *and* shifts: if $M\,(x, 1) = (y, w)$, then $x$ goes
# to $y / w$. For rotations, scalings and shifts $w = 1$.
#
# **Exercise [[apply_transform]].** Write `apply_transform`. Points are rows, so watch the transpose.

# %% [exercise] apply_transform

# %%
a, b = cameras.look_at([1.0, 2.0, 3.0]), cameras.look_at([-2.0, 0.5, 1.0])
x = torch.randn(200, 3, generator=seeded)
moved = apply_transform(apply_transform(x, a), b)
back = apply_transform(moved, torch.linalg.inv(b @ a))
print("largest differences:")
print(f"A, then B, from BA   {float((moved - apply_transform(x, b @ a)).abs().max()):.6f}")
print(f"there and back       {float((back - x).abs().max()):.6f}")
lengths, before = ((y[:, None] - y).norm(dim=2) for y in (moved, x))
print(f"distances of points  {float((lengths - before).abs().max()):.6f}")
print(f"A, then B, from AB   {float((moved - apply_transform(x, a @ b)).abs().max()):.6f}")


# %%
def transformed(turn, stretch, shift):
    angle, matrix = math.radians(turn), torch.eye(4)
    matrix[0, 0], matrix[0, 2] = math.cos(angle) * stretch, math.sin(angle)
    matrix[2, 0], matrix[2, 2] = -math.sin(angle) * stretch, math.cos(angle)
    matrix[0, 3] = shift
    cloud, _ = sample_surface(chair.mesh(32), 1500, generator=torch.Generator().manual_seed(0))
    return viz.Scene(viz.Item(apply_transform(cloud, matrix)), title="M · points")


widgets.explore(
    transformed, {"turn": (-180, 180, 40), "stretch": (0.5, 1.5, 1.0), "shift": (-1.0, 1.0, 0.0)},
    alt="A cloud of points that follows the entries of its matrix.",
)  # fmt: skip

# %% [markdown]
# *What to see:* composition, inverse and distances hold to rounding; the order matters.
#
# ## 3.9 Points come easily from meshes and functions
# *Slide "Can be easily obtained from polygonal and functional models".* Choose a face by its share
# of the area, then a point $p$ on it from two random numbers $u, v$, uniform in $[0, 1)$:
#
# $$p = (1 - \sqrt u)\,a + \sqrt u\,(1 - v)\,b + \sqrt u\,v\,c, \qquad a, b, c:\ \text{its corners}.$$
#
# **Exercise [[points_on_triangles]].** Write `points_on_triangles`: the first number picks the face, the other two the
# point.

# %% [exercise] points_on_triangles

# %% [markdown]
# Are they uniform? Count points per side of a box with unequal sides: $\chi^2$, the squared differences
# from the expected counts over these counts, is 1 per degree of freedom (dof) on average for uniform
# points. From a function: throw points into the cube and project them onto the zero set.

# %%
slab = meshes.box((1.6, 0.4, 0.8))
areas, n = meshes.face_areas(slab), 20_000
sdf = shapes.box((1.6, 0.4, 0.8))
even = points_on_triangles(slab.corners, torch.rand(n, 3, generator=seeded))
anyhow = 2 * torch.rand(n, 3, generator=seeded) - 1
projected = implicit.project_to_surface(anyhow, sdf, 3)
for name, cloud in (("mesh, by area", even), ("function, projected", projected)):
    face = implicit.nearest_on_surface(cloud, slab.vertices, slab.faces).face
    count = torch.bincount(face, minlength=12).reshape(6, 2).sum(1)
    expected = n * (areas / areas.sum()).reshape(6, 2).sum(1)
    chi = float(((count - expected) ** 2 / expected).sum() / 5)
    off = float(sdf(cloud).abs().max())
    print(f"{name:20s} off the surface {off:.7f}, χ²/dof {chi:.1f}")

# %% [markdown]
# *What to see:* both lie on the surface; only the first is uniform. Projection crowds points where
# the surface faces more of the cube.
#
# ## 3.10 Points are unordered
# *Slide "Data disorder".* Shuffling the rows leaves the cloud the same. *Predict:* what does that do
# to a linear classifier of the flattened list, and to one of the mean, least and greatest
# coordinates? Both learn chairs against lamps.


# %%
def some_clouds(family, count, seed):
    g = torch.Generator().manual_seed(seed)
    made = [make_shape(family, seed + i).mesh(20) for i in range(count)]
    clouds = torch.stack([sample_surface(m, 64, generator=g)[0] for m in made])
    order = clouds[..., 1].argsort(1)  # sorted by height: an order that a scanner might leave
    return clouds.gather(1, order[..., None].expand(-1, -1, 3))


# %%
def flattened(clouds):
    return clouds.flatten(1)


def symmetric(clouds):
    return torch.cat((clouds.mean(1), clouds.amin(1), clouds.amax(1)), 1)


def list_against_set(feature, seed):
    """Accuracy on new clouds as they are, and with the points of each cloud in an order of its own."""
    n = int(budget(40, 8))
    known, fresh = (torch.cat([some_clouds(f, n, s) for f in ("chair", "lamp")])
                    for s in (1000 * seed, 1000 * seed + 500))  # fmt: skip
    label = torch.arange(2 * n) >= n
    x = torch.cat((feature(known), torch.ones(2 * n, 1)), 1)
    w = torch.linalg.solve(x.T @ x + 0.1 * torch.eye(x.shape[1]), x.T @ (2.0 * label - 1))
    g = torch.Generator().manual_seed(seed)
    shuffled = torch.stack([cloud[torch.randperm(64, generator=g)] for cloud in fresh])
    scores = (feature(clouds) @ w[:-1] + w[-1] for clouds in (fresh, shuffled))
    return [float(((score > 0) == label).float().mean()) for score in scores]


# %%
draws = int(budget(5, 2))
for feature in (flattened, symmetric):
    accuracy = np.array([list_against_set(feature, seed) for seed in range(draws)]).T
    before, after = (f"{a.mean():.2f} ± {a.std():.2f}" for a in accuracy)
    print(f"{feature.__name__:9s} accuracy {before}, shuffled {after} ({draws} draws)")


# %%
def shuffled_cloud(seed):
    cloud = sample_surface(chair.mesh(24), 300, generator=torch.Generator().manual_seed(1))[0]
    cloud = cloud[torch.randperm(300, generator=torch.Generator().manual_seed(seed))]
    as_image = (cloud[:100].T.repeat_interleave(24, 0).repeat_interleave(3, 1) + 1) / 2
    return [viz.render_points(cloud, size=220), as_image.clamp(0, 1).numpy(),
            f"mean {[round(v, 4) for v in cloud.mean(0).tolist()]}"]  # fmt: skip


widgets.explore(shuffled_cloud, {"seed": (0, 9, 0)},
                alt="A cloud, and its first hundred rows as grey values: shuffling changes only them.")  # fmt: skip

# %% [markdown]
# *What to see:* as long as all clouds are sorted alike, the flattened list is the better of the two: its
# places mean something. With the points of each cloud in another order it is not far above guessing,
# while the symmetric features do not change their answer at all. (This holds for chairs against lamps.
# For other pairs, such as tables against mugs, the symmetric features are the better ones even when all
# clouds are sorted, and a shuffled list may say more.) In the view the grey stripes are the first
# hundred rows of the cloud: the list changes, the cloud and its mean do not. A network's answer should
# not change either; PointNet (notebook 2) is built on this.
#
# ## 3.11 Points have no topology
# *Slide "No information about the connections → no topology".* Take 20 points on a ring, and the solid
# of all places that are closer than ρ to one of them. *Predict* its genus (number of handles) as ρ
# grows.

# %%
angle = torch.arange(20) * (2 * math.pi / 20)
ring = 0.6 * torch.stack((angle.cos(), 0 * angle, angle.sin()), 1)
pictures, titles = [], []
for rho in (0.06, 0.15, 0.3, 0.62):
    near = lambda p, rho=rho: torch.cdist(p, ring).amin(-1) - rho  # noqa: E731
    thick = implicit.sdf_to_mesh(near, budget(72, 56), bound=1.3)
    pictures.append(viz.render_mesh(thick, size=180))
    count = meshes.component_count(thick)
    titles.append(f"ρ = {rho}\npieces: {count}, genus: {meshes.genus(thick)}")
viz.gallery(pictures, titles, alt="One cloud bounds balls, a ring, or a disc.")

# %% [markdown]
# *What to see:* the same 20 points make 20 balls, a ring, or a solid without a hole. The cloud does
# not say which; the scale that you choose does.
#
# ## 3.12 Points are hard to post-process
# *Slide "Hard postprocessing".* To get a surface back one needs normals. Locally the cloud is flat:
# the normal is the direction in which the $k$ nearest points vary least, the eigenvector of the
# smallest eigenvalue of $C = \sum_j (x_j - \bar x)(x_j - \bar x)^\top$, with $x_j$ these points and
# $\bar x$ their mean.
#
# **Exercise [[pca_normals]].** Write `pca_normals`, (n, 3) → (n, 3). `nearest_indices(points, points, k)`, (n, k), is
# given: the k nearest points of each, itself among them.

# %% [exercise] pca_normals

# %% [markdown]
# Its sign is arbitrary: `orient_normals` spreads signs along the nearest-neighbour graph. Then
# `reconstruct_surface` averages the distances to tangent planes on a grid and makes a mesh of where they
# are 0 (by marching cubes, 5.6).

# %%
torus_mesh = meshes.torus(segments=96, sides=48)


def recovered(n, noise, seed):
    """Error of the normals in degrees, wrong signs in %, and the surface's error, of one noisy cloud."""
    g = torch.Generator().manual_seed(seed)
    cloud, true_normals = sample_surface(torus_mesh, n, generator=g)
    cloud = cloud + noise * torch.randn(n, 3, generator=g)
    guess = pca_normals(cloud, 16)
    oriented = points.orient_normals(cloud, guess, 12)
    angle = (guess * true_normals).sum(1).abs().clamp(max=1).acos().rad2deg().mean()
    wrong = 100 * ((oriented * true_normals).sum(1) < 0).float().mean()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where most normals point inwards: the table shows it
        rebuilt = points.reconstruct_surface(cloud, oriented, 40)
    return [float(angle), float(wrong), float(shapes.torus()(rebuilt.vertices).abs().mean())]


# %%
rows, draws = [], int(budget(5, 2))
for n, noise in budget(
    ((300, 0.0), (1000, 0.0), (4000, 0.0), (4000, 0.01), (4000, 0.03)), ((300, 0.0),)
):
    each = np.array([recovered(n, noise, seed) for seed in range(draws)]) * [1, 1, 1000]
    spreads = zip(each.mean(0), each.std(0), strict=True)
    rows.append([n, noise, *(f"{mean:.1f} ± {spread:.1f}" for mean, spread in spreads)])
header = ["points", "noise", "normal error, °", "wrong side, %", "1000 × surface error"]
viz.table(rows, header, f"From a cloud to a torus with a tube of radius 0.2: {draws} draws each")

# %% [markdown]
# *What to see:* dense and clean is easy on a torus. Here a noise of 0.03, a seventh of the tube's
# radius, turns the normals by about 25° on average. Few of them get the wrong sign: it is passed from
# neighbour to neighbour, and this noise does not stop it (twice as much may). But with thin walls, such
# as a mug's, the sign often jumps from one side to the other, and then it is wrong for a whole region:
# in most clouds of 4000 clean points of a mug for a third of them or more. The surface is turned inside
# out there; if that is a large part of the cloud, the library warns.
#
# **A good place for a break.** The second sitting begins here: run the cells before 3.1, and those
# that a section names below its heading.
#
# ## 3.13 Meshes for graphics
# *Slide "Natural format for use in computer graphics and games".* A face with corners $a, b, c$, seen
# counter-clockwise from outside, has area $\frac12 |(b-a) \times (c-a)|$ and normal along
# $(b-a) \times (c-a)$. Vertices can carry more: a colour, a normal, or texture coordinates $(u, v)$,
# the place in a picture from which the surface takes its colour (see 3.21).
#
# **Exercises [[face_areas]] and [[face_normals]].** Write `face_areas` and `face_normals`; `mesh.corners` is (f, 3, 3).

# %% [exercise] face_areas

# %% [exercise] face_normals

# %%
rows, camera = [], cameras.spherical_cameras(1, 3.0)
for subdivisions in (2, 4, 6):
    ball = meshes.icosphere(subdivisions, 0.8)
    start = time.perf_counter()
    views.render_views(ball, camera, 128)
    seconds = time.perf_counter() - start
    area_error = 100 * (float(face_areas(ball).sum()) / (4 * math.pi * 0.64) - 1)
    rows.append([len(ball.faces), 1000 * seconds, area_error])
viz.table(rows, ["faces", "ms per frame", "area error, %"], "Our rasteriser, 128 × 128 pixels, CPU")

# %% [markdown]
# *What to see:* 80,000 faces in a fraction of a second, in Python; graphics hardware is built for it.
# And sixteen times more faces make the error of the area about sixteen times smaller.
#
# ## 3.14 Meshes describe topology and surface shape
# *Slide "Can better describe the spatial features".* Two triangulations of one sphere need have nothing
# in common, not even the number of their vertices $V$, edges $E$ and faces $F$. But **Euler's
# characteristic** $\chi = V - E + F$ is the same for both, 2: it depends on the topology only.
#
# - A *handle* is what a cup has one of; the number of handles is the **genus** $g$. Each one takes 2
#   from $\chi$: a closed surface in one piece has $\chi = 2 - 2g$, a torus 0, a double torus −2.
# - *Curvature* on a mesh sits at its vertices. Cut the faces around a vertex open and lay them flat: at
#   a flat vertex their angles fill $2\pi$; at a corner of a cube a quarter is missing. What is missing,
#   $2\pi$ (at the border of a mesh $\pi$) minus the sum of the angles, is the **angle defect**; at a
#   saddle it is negative.
# - **Gauss–Bonnet** joins the two: all defects together are $2\pi\chi$, whatever the triangulation. So
#   denting a surface may move curvature about, or make as much of either sign: their sum stays.
#
# **Exercise [[euler_characteristic]].** Write `euler_characteristic` from the faces alone.

# %% [exercise] euler_characteristic

# %%
left, right = (shapes.torus(0.4, 0.15, (x, 0.0, 0.0)) for x in (-0.4, 0.4))
double = implicit.sdf_to_mesh(shapes.union(left, right), 48)
rows = []
for name, mesh in (("sphere", meshes.icosphere(3)), ("torus", meshes.torus()),
                   ("double torus", double), ("sheet", meshes.sheet())):  # fmt: skip
    curvature = float(meshes.angle_defect(mesh).double().sum() / (2 * math.pi))
    loops = len(meshes.boundary_loops(mesh))
    rows.append([name, euler_characteristic(mesh.faces), meshes.genus(mesh), loops, curvature])
header = ["surface", "χ", "genus", "boundary loops", "curvature / 2π"]
viz.table(rows, header, "Topology from faces")
defect = meshes.angle_defect(double) / meshes.vertex_areas(double)
picture = viz.render_mesh(double, colors=viz.colormap(defect, -15, 15), view=(30, 50))
viz.gallery([picture], ["curvature per area"], alt="Positive outside, negative at the holes.")

# %% [markdown]
# *What to see:* the last column equals χ, to rounding, whatever the triangulation. In the picture the
# curvature is positive (yellow) on the outside of the rings and negative (blue) around their holes; over
# a torus the two cancel.
#
# ## 3.15 Meshes need graph convolutions
# *Slide "Need a special mathematical apparatus (convolution on graphs)".* A grid convolution has a
# weight per *offset*; vertices have no offsets, only neighbours $N(i)$. Kipf and Welling (2017):
#
# $$h'_i = \sum_{j \in N(i) \cup \{i\}} \frac{1}{\sqrt{d_i d_j}}\, h_j W + b,$$
#
# $h_i$, $h'_i$: features of vertex $i$ before and after; $d_i = 1 + |N(i)|$; $W$, $b$: weights and bias,
# shared by all vertices.
#
# **Exercise [[graph_convolution]].** Write `graph_convolution`: features (v, c), edges (e, 2), W (c, k), b (k,) → (v, k).
# `edges` lists each undirected edge once.

# %% [exercise] graph_convolution

# %% [markdown]
# **Experiment.** Which part of a mug is a vertex on, body or handle? The only feature is its normal,
# so a vertex alone knows only a part. The same network with and without neighbours. *Time: about 5 s
# on two CPU cores.*


# %%
def labelled(seed):
    shape = make_shape("mug", seed)
    mesh = shape.mesh(20)
    return mesh, meshes.vertex_normals(mesh), shape.part_labels(mesh.vertices)


def layers_of(seed=0):
    g = torch.Generator().manual_seed(seed)
    sizes = ((3, 24), (24, 24), (24, 24), (24, 2))
    return [(torch.randn(i, o, generator=g) * (2 / i) ** 0.5, torch.zeros(o)) for i, o in sizes]


def predict(layers, features, edges):
    for number, (w, b) in enumerate(layers):
        features = graph_convolution(features, edges, w, b)
        features = features.relu() if number < len(layers) - 1 else features
    return features


# %%
data = [labelled(seed) for seed in range(int(budget(8, 4)))]
held_out = [labelled(seed) for seed in (100, 101, 102)]
nobody, words = torch.zeros(0, 2, dtype=torch.int64), []
for name, linked in (("per-vertex MLP", False), ("graph convolution", True)):
    layers = layers_of()
    weights = [w.requires_grad_() for layer in layers for w in layer]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    for step in Budget(int(budget(250, 10)), seconds=budget(12, 3), label=name):
        mesh, normals, labels = data[step % len(data)]
        scores = predict(layers, normals, mesh.edges if linked else nobody)
        share = torch.bincount(labels, minlength=2).float()
        loss = torch.nn.functional.cross_entropy(scores, labels, weight=share.sum() / share)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    guess = [predict(layers, n, m.edges if linked else nobody).argmax(1) for m, n, _ in held_out]
    hit, part = torch.cat(guess), torch.cat([y for _, _, y in held_out])
    recall = [float((hit[part == k] == k).float().mean()) for k in (0, 1)]
    words.append(f"{name}: mean recall {sum(recall) / 2:.2f}")
print("\n".join(words))

# %% [markdown]
# *What to see:* 0.5 is guessing. (Recall: the share of a part's vertices that is found.) One normal is a
# hint (0.7 to 0.9); four rounds of neighbours say nearly all (as a rule more than 0.9).
#
# ## 3.16 Meshes are sensitive to outliers
# *Slide "Format is sensitive to data outliers".* Move **one** of 2562 vertices.

# %%
ball = meshes.icosphere(4, 0.7)


def spiked(distance):
    vertices = ball.vertices.clone()
    vertices[0] *= 1 + distance / 0.7
    return Mesh(vertices, ball.faces)


rows, base = [], float(losses.edge_loss(ball.vertices, ball.edges))
for distance in (0.0, 0.1, 0.3, 1.0):
    mesh = spiked(distance)
    turned = (face_normals(mesh) * face_normals(ball)).sum(1).clamp(-1, 1).acos().rad2deg()
    edge = float(losses.edge_loss(mesh.vertices, mesh.edges)) / base
    area, volume = (float(f(mesh) / f(ball)) for f in (Mesh.area, Mesh.volume))
    chamfer = float(losses.chamfer_distance(mesh.vertices[None], ball.vertices[None]))
    changes = (100 * (area - 1), 100 * (volume - 1), float(turned.max()))
    rows.append([distance, *changes, edge, chamfer])
header = ["moved by", "area, %", "volume, %", "worst normal, °", "edge loss ×", "Chamfer"]
viz.table(rows, header, "One vertex of 2562 displaced")

# %%
widgets.explore(
    lambda distance: viz.Scene(viz.Item(spiked(distance), wire=True), title="one vertex moved"),
    {"distance": (0.0, 1.0, 0.4)}, view=(-20, 20), bounds=viz.frame_bounds(spiked(1.0)),
    alt="A ball with one vertex pulled out, and its spike.",
)  # fmt: skip

# %% [markdown]
# *What to see:* one vertex pulls its five faces with it: their normals turn by up to 85°, the shading
# breaks, and the *mean* edge loss of 7680 edges grows by nearly a quarter through five of them. In the
# cloud it is one point in 2562: Chamfer hardly notices. (Edge loss: the mean squared length of the
# edges; Chamfer: the mean squared distance to the nearest vertex of the other mesh, both ways. Notebook
# 4 has both.)
#
# ## 3.17 Signed distance functions
# *Slide "Implicit 3D representations".* Let $\Omega$ be the solid and $\partial\Omega$ its surface. The
# **signed distance function** is
#
# $$SDF(x) = \begin{cases} \rho(x, \partial\Omega) & x \notin \Omega \\ -\rho(x, \partial\Omega) & x \in \Omega \end{cases}
# \qquad \rho(x, \partial\Omega) = \inf_{y \in \partial\Omega} |x - y|$$
#
# Outside is positive. Where it is differentiable, $|\nabla SDF| = 1$ (the *eikonal equation*), and
# $\nabla SDF$ on the surface is the outward normal.
#
# **Exercises [[sphere]]–[[torus]].** Write `sphere` ($|x - c| - r$, with centre $c$ and radius $r$), `box` and
# `torus` (about the y axis). Each returns a *function* that takes points (…, 3) to distances (…). `center` is three numbers;
# `components(points, center)` gives x, y, z from the centre, and `length(x, y, z)` their length, if you
# like.

# %% [exercise] sphere

# %% [markdown]
# For the box let $q = |x - c| - \text{size}/2$, per axis. Outside, the distance is the length of
# $\max(q, 0)$; inside, the largest component of $q$, which is negative. `size` is three full edge
# lengths, or one number for a cube (`triple(size)` makes three of it). For the torus first measure how
# far a point is from its centre line, a circle of `radius` around the y axis.

# %% [exercise] box

# %% [exercise] torus

# %% [markdown]
# Solids combine by `min` (union) and `max` (intersection) of their functions: *constructive solid
# geometry*, CSG.
#
# **Exercise [[difference]].** Write `difference`: what is in $a$ and not in $b$.

# %% [exercise] difference

# %% [markdown]
# *Predict:* is the result still a distance? Compare with the exact distance to the cut solid's mesh.

# %%
bitten = difference(box(1.2), sphere(0.75))
cut = implicit.mesh_to_sdf(implicit.sdf_to_mesh(bitten, 32))
x, rows = 2 * torch.rand(int(budget(2000, 500)), 3, generator=seeded) - 1, []
for name, sdf in (("box", box(1.2)), ("box − ball", bitten), ("exact, from its mesh", cut)):
    residual = implicit.eikonal_residual(x, sdf)
    gap = (cut(x).abs() - sdf(x).abs()).clamp(min=0)
    short = None if name == "box" else f"{float(gap.max()):.2f}"
    rows.append([name, f"{float(residual.quantile(0.99)):.4f}", short])
header = ["function", "length of ∇f is off 1 by", "too small by up to"]
viz.table(rows, header, "A difference of solids: 99 of 100 places, and the worst of all")


# %%
def sliced(height, shape):
    sdf = {"box": box(1.2), "box − ball": bitten, "torus": torus()}[shape]
    return slice_picture(sdf, height, 240)


widgets.explore(
    sliced, {"height": (-1.0, 1.0, 0.0), "shape": ["box", "box − ball", "torus"]},
    alt="A slice through a signed distance: dark inside, bright outside, white on the surface.",
)  # fmt: skip

# %% [markdown]
# *What to see:* no, it is too small by up to nearly 0.4. Yet its gradient has length 1 almost
# everywhere: the eikonal equation is necessary, not sufficient. After CSG the function is in general
# only a lower *bound* on the distance; sphere tracing (notebook 6) still works with it, offsets may not.
#
# **"Small number of datasets".** *The same slide.* Signed distances are hardly ever measured: they are
# computed, as a rule from meshes, and many meshes of the large collections are not closed, so that their
# inside is a guess (3.20).
#
# | data set | what | how many | may be used for |
# |---|---|---|---|
# | ModelNet40 (2015) | CAD models in 40 classes | 12,311 | research |
# | ShapeNetCore (2015) | CAD models in 55 classes, one size, one pose | about 51,300 | research and teaching, not commercially |
# | Redwood (2016) | scans of real things | 10,933 scans, 441 meshes | anything (public domain) |
# | Google Scanned Objects (2022) | scanned household goods with textures | about 1,030 | anything, if the source is named |
# | Objaverse (2023) | all kinds of models from the web | over 800,000 | as each model's licence says |
#
# For comparison: ImageNet holds 14 million pictures. Since Objaverse the bullet holds for *clean* shapes
# only. (Sizes as their makers state them; read the licence of what you use.)
#
# ## 3.18 Compact, scalable, physically correct
# *Slide "Compact description, model scalability, physically correct model".* The same network as in 3.1,
# read at growing resolution: the file stays the same. (The last row reads it 17 million times: half a
# minute or more on two cores.)

# %%
rows = []
for r in budget((32, 64, 128, 256), (16, 32)):
    start = time.perf_counter()
    read = implicit.sdf_to_mesh(in_cube, r, bound=1.1)
    seconds = time.perf_counter() - start
    error = float(chair.sdf(read.vertices).abs().mean())
    rows.append(
        [f"{r}³", len(read.faces), mesh_bytes(read) / 1e3, network_bytes / 1e3, error, seconds]
    )
header = ["grid", "faces", "mesh, kB", "network, kB", "surface error", "seconds"]
viz.table(rows, header, "One network, marched at several resolutions")

# %%
push = sphere(0.3, (0.0, 0.2, 0.0))
inside = 2 * torch.rand(20_000, 3, generator=seeded) - 1
overlap = torch.maximum(chair.sdf(inside), push(inside))
print(f"collision: a point lies {-float(overlap.min()):.2f} inside both the ball and the chair")
offset = implicit.sdf_to_mesh(sphere(0.5), 48, level=0.1)
radius = float(offset.vertices.norm(dim=1).mean())
print(f"offset by 0.1 of a ball of 0.5: mean radius {radius:.4f}")

# %%
widgets.explore(
    lambda level, resolution: viz.Scene(
        implicit.sdf_to_mesh(shapes.scale(chair.sdf, 0.8), resolution, level=level), title="surface"
    ),
    {"level": (0.0, 0.15, 0.0, 0.05), "resolution": (12, 48, 32, 4)},
    alt="The chair's level sets: a growing level thickens it, a growing resolution sharpens it.",
)

# %% [markdown]
# *What to see:* a mesh grows about fourfold in every row, the network not at all. From 64³ on the
# surface's error hardly falls with a finer grid: the *network* is the limit, not the grid that reads it.
# And one function answers "do two things collide?" and "where is the surface 0.1 further out?".
#
# ## 3.19 A function gives all other formats
# *Slide "Can obtain all other formats".* Newton's step, a few times over, takes most points to the zero
# set:
#
# $$p \leftarrow p - f(p)\,\frac{\nabla f(p)}{|\nabla f(p)|^2}, \qquad f:\ \text{the function}.$$
#
# **Exercise [[project_to_surface]].** Write `project_to_surface`; `sdf_gradient(points, sdf)`, (n, 3), is given. A point where
# the gradient vanishes stays where it is.

# %% [exercise] project_to_surface

# %%
cloud = project_to_surface(2 * torch.rand(500, 3, generator=seeded) - 1, torus(), 5)
print(f"projected points: {float(torus()(cloud).abs().max()):.7f} from the surface")
rows, previous = [], None
for r in (16, 32, 64):
    marched = implicit.sdf_to_mesh(sphere(0.8), r)
    errors = (100 * (float(marched.area()) / (4 * math.pi * 0.64) - 1),
              100 * (float(marched.volume()) / (4 / 3 * math.pi * 0.512) - 1))  # fmt: skip
    ratio = [p / e for p, e in zip(previous, errors, strict=True)] if previous else [None, None]
    blocky = voxels.voxels_to_mesh(voxelize(sphere(0.8), r))
    rows.append([f"{r}³", *errors, *ratio, 100 * (float(blocky.area()) / (4 * math.pi * 0.64) - 1)])
    previous = errors
header = ["grid", "area, %", "volume, %", "area ÷", "volume ÷", "area from voxels, %"]
viz.table(rows, header, "Marching cubes of a ball: errors")

# %% [markdown]
# *What to see:* errors fall fourfold when the step halves (second order; the columns with ÷ say how many
# times smaller an error is than in the row before). From yes/no voxels the area stays 7 to 9 % too
# large, however fine the grid (with other balls and grids, from twenty voxels wide on, 5 to 11 %):
# rounding destroyed what interpolation needs. Sphere tracing, the way from a function straight to a
# picture, is in notebook 6.
#
# ## 3.20 "Can't be obtained from other formats"?
# > **Slide check.** From a watertight mesh that does not cut through itself the SDF follows exactly: the
# > distance to the nearest face, with the sign of the **winding number**
# > $w(x) = \frac{1}{4\pi}\sum_f \Omega_f(x)$, $\Omega_f$ the solid angle of face $f$ seen from $x$: 1 inside,
# > 0 outside. From triangles with gaps between them, and from scans with holes, it follows approximately.
#
# A **solid angle** is how much of a sphere of radius 1 around $x$ a face covers; the whole sphere is
# $4\pi$. With $a, b, c$ the corners seen from $x$ (Van Oosterom and Strackee 1983):
#
# $$\tan\frac{\Omega}{2} = \frac{a \cdot (b \times c)}{|a||b||c| + (a \cdot b)|c| + (b \cdot c)|a| + (c \cdot a)|b|}$$
#
# The numerator is the signed volume that $a, b, c$ span, so the sign says from which side the face is
# seen. For corners one step along each axis it is $\tan(\Omega/2) = 1/1$, so $\Omega = \pi/2$: an eighth
# of the sphere, as it must be. A closed surface covers the whole sphere once from inside; from outside
# its front and its back cancel.
#
# How approximately? Remove a cap of a ball and count wrong signs.

# %%
ball = meshes.icosphere(3, 0.8)
x = 2 * torch.rand(int(budget(3000, 800)), 3, generator=seeded) - 1
inside = implicit.mesh_to_sdf(ball)(x) < 0
rows, top = [], ball.vertices[ball.faces][..., 1].mean(1)
for limit in (1.0, 0.75, 0.6, 0.4, 0.0):
    part = Mesh(ball.vertices, ball.faces[top < limit])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that the mesh is open: that is the point here
        signs = implicit.mesh_to_sdf(part)(x) < 0
    wrong = 100 * float((signs != inside).float().mean())
    w = float(implicit.winding_number(torch.zeros(1, 3), part))
    rows.append([100 * (1 - len(part.faces) / len(ball.faces)), w, wrong])
viz.table(rows, ["faces removed, %", "w at the centre", "wrong signs, %"], "A ball with a hole")

# %% [markdown]
# *What to see:* small holes cost little. With half the ball gone the winding number of its centre is
# about ½, and "inside" is a convention.
#
# ## 3.21 Hard to texture
# *Slide "Difficult to work with textures".* A mesh carries texture coordinates; a function has no
# parametrisation. Two ways out: an analytic map (here latitude and longitude), or *triplanar*: look up
# three planar textures, one along each axis, and blend them by the components of the normal.

# %%
ball = meshes.icosphere(budget(5, 4), 0.9)
x, normal = ball.vertices, meshes.vertex_normals(ball)
checks = lambda u, v: (u.floor() + v.floor()) % 2  # noqa: E731
longitude = torch.atan2(x[:, 2], x[:, 0]) / math.pi * 8
latitude = torch.asin((x[:, 1] / 0.9).clamp(-1, 1)) / math.pi * 8
by_map = checks(longitude, latitude)
weight = normal.abs() ** 4 / (normal.abs() ** 4).sum(1, keepdim=True)
planes = torch.stack([checks(x[:, i] * 4, x[:, j] * 4) for i, j in ((1, 2), (2, 0), (0, 1))], 1)
triplanar = (weight * planes).sum(1)
pictures = [viz.render_mesh(ball, colors=c[:, None].repeat(1, 3) * 0.8 + 0.1, view=(30, 50), size=260)
            for c in (by_map, triplanar)]  # fmt: skip
viz.gallery(pictures, ["UV (longitude, latitude)", "triplanar"], alt="Two textures on a ball.")
edge = 100 * math.cos(3 / 8 * math.pi)  # the last of four rows of cells begins at 67.5° of latitude
print(f"UV: the last cells: {edge:.0f} % of the equator's width, then a point")
blend = 100 * float((weight.amax(1) < 0.9).float().mean())
print(f"triplanar: {blend:.0f} % of the surface is a blend of planes")

# %% [markdown]
# *What to see:* the map pinches at the poles; triplanar has no pole but blurs where planes meet, and
# cannot carry a picture that was painted for *this* shape.
#
# ## 3.22 Many views
# *Slide "Multi-view".* MVCNN (Su et al. 2015): one 2D network looks at every view; its features are
# **pooled over the views** by the maximum, so their order does not matter, and there may be any number of them.
#
# **Exercise [[view_pool]].** Write `view_pool`: (b, v, c) → (b, c), for b shapes, v views of each and c features.

# %% [exercise] view_pool

# %% [markdown]
# **Experiment.** Six families, depth views, a small network, pooled: its accuracy on new shapes against
# the number of views. *Predict:* how good is one view? *Time: about 30 s on two CPU cores, most of it for
# drawing the views.*


# %%
def depth_views(seeds):
    """Inverse depth images (shapes, 8, 1, 24, 24) of every family, and labels."""
    poses, images, labels = cameras.spherical_cameras(8, 3.0, elevation=(-30, 60)), [], []
    for number, family in enumerate(shapes.FAMILIES):
        for seed in seeds:
            seen = views.render_views(make_shape(family, seed).mesh(24), poses, 24)
            images.append((2 / seen.depth)[:, None])  # infinite depth becomes 0
            labels.append(number)
    return torch.stack(images), torch.tensor(labels)


train, train_labels = depth_views(range(int(budget(10, 2))))
test, test_labels = depth_views(range(900, 900 + int(budget(6, 2))))

# %%
torch.manual_seed(0)
trunk = torch.nn.Sequential(
    torch.nn.Conv2d(1, 12, 5, stride=2), torch.nn.ReLU(), torch.nn.Conv2d(12, 24, 3, stride=2),
    torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(24 * 16, 32), torch.nn.ReLU(),
)  # fmt: skip
head = torch.nn.Linear(32, 6)


def classify(images):
    b, v = images.shape[:2]
    return head(view_pool(trunk(images.flatten(0, 1)).reshape(b, v, 32)))


optimizer = torch.optim.Adam([*trunk.parameters(), *head.parameters()], lr=3e-3)
for step in Budget(int(budget(120, 10)), seconds=budget(15, 4), label="MVCNN"):
    some = torch.randperm(8, generator=seeded)[: 1 + step % 8]
    loss = torch.nn.functional.cross_entropy(classify(train[:, some]), train_labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %%
accuracy, hulls, counts = [], [], (1, 2, 4, 8)
for n in counts:
    draws = [torch.randperm(8, generator=seeded)[:n] for _ in range(8)]
    hits = [(classify(test[:, d]).argmax(1) == test_labels).float().mean() for d in draws]
    accuracy.append(float(sum(hits) / len(hits)))
rows = [[n, a] for n, a in zip(counts, accuracy, strict=True)]
viz.table(rows, ["views", "accuracy"], "MVCNN on held-out shapes of six families")

# %% [markdown]
# *What to see:* one view is already right in most cases, as a rule in more than eight of ten. More views
# as a rule help; the last ones add little.
#
# Silhouettes alone give geometry: the **visual hull** keeps what projects inside *every* outline.
#
# **Exercise [[visual_hull]].** Write `visual_hull`: `masks` (v, h, w), camera-to-world matrices `cameras`
# (v, 4, 4) → (r, r, r). Given are `voxel_centers(r)`, (r, r, r, 3), and `project(points, camera, focal, h, w)`:
# pixels (n, 2), as (x, y) with y downwards, and depths (n,), positive in front. Pixel (x, y) is
# `mask[row, column]` with column ⌊x⌋ and row ⌊y⌋. Without `focal` it is the picture's width.

# %% [exercise] visual_hull

# %%
exact, hulls = voxelize(chair.sdf, 32), []
counts = budget((1, 2, 4, 8, 16, 32), (1, 4, 16))
mesh = chair.mesh(64)
for n in counts:
    seen = views.render_views(mesh, cameras.spherical_cameras(n, 3.0), 128)
    hulls.append(visual_hull(seen.mask, seen.cameras, 32))
scores = [float(metrics.iou(h[None], exact[None])) for h in hulls]
viz.gallery([viz.render_voxels(h, size=170) for h in hulls],
            [f"views: {n}\nIoU {s:.2f}" for n, s in zip(counts, scores, strict=True)],
            alt="The visual hull of a chair from 1, 2, 4, 8, 16 and 32 views.", columns=6)  # fmt: skip

# %% [markdown]
# *What to see:* the hull shrinks towards the shape. (It would stay outside of it, were there no pixels:
# a voxel whose centre is just inside an outline may be lost, with 32 views more than a tenth of some
# chairs. Finer pictures as a rule lose less.) A hollow that no outline shows would stay filled for ever.
#
# ## 3.23 Many planes
# *Slide "Multi-plane".* A multi-plane image stores pictures with opacity on planes at growing depth.
# From another camera each plane moves by a **homography**. A point $x$ of the plane $n \cdot x = d$
# goes to $Rx + t = (R + t\,n^\top/d)\,x$, so pixels move by
#
# $$H = K\,(R + t\,n^\top / d)\,K^{-1},$$
#
# $K$: the 3 × 3 matrix of focal length and image centre; $R, t$: rotation and shift from the first
# camera's axes to the second's (unlike in 3.7: x to the right, y down, z forwards); $n, d$: normal and
# distance of the plane in the first.
#
# **Exercise [[plane_homography]].** Write `plane_homography`. `source_to_target`, 4 × 4, holds $R$ (`[:3, :3]`) and $t$
# (`[:3, 3]`). Any multiple of $H$ is right.

# %% [exercise] plane_homography

# %% [markdown]
# Then the planes are laid over each other, nearest first ($i = 1$), with colours $c_i$ and opacities
# $\alpha_i$: $C = \sum_i \alpha_i c_i \prod_{j<i} (1 - \alpha_j)$. The same sum renders NeRF.
#
# **Exercise [[over_composite]].** Write `over_composite`: (p, h, w, 4) → (h, w, 3). The last axis holds red, green, blue
# and α; plane 0 is the nearest, and behind all is black.

# %% [exercise] over_composite

# %%
size, room = 96, chair.mesh(64)
room_colors = chair.colors(room.vertices)
k = cameras.intrinsics(float(size), size, size)


@functools.cache
def view_from(x):
    pose = cameras.look_at([x, 0.5, 3.0], [x, 0.3, 0.0])
    return views.render_views(room, pose[None], size, colors=room_colors), pose


def novel(x, planes):
    """The picture from `x` along the baseline, made from the planes of the view at 0."""
    (source, pose), (_, target) = view_from(0.0), view_from(x)
    depths = views.plane_depths(1.8, 4.2, planes)
    mpi = views.mpi_from_depth(source.color[0], source.depth[0], depths)
    a, b = (cameras.opengl_to_opencv(p) for p in (pose, target))
    return views.render_mpi(mpi, depths, k, torch.linalg.inv(b) @ a)


# %%
def psnr(a, b):
    return float(-10 * (a - b).square().mean().log10())


quality = {}
for planes in (1, 4, 16, 64):
    baseline = (0.05, 0.1, 0.2, 0.4)
    scores = [psnr(novel(x, planes), view_from(x)[0].color[0]) for x in baseline]
    quality[f"{planes = }"] = (baseline, scores)
viz.line_chart(quality, x="camera moved by", y="PSNR, dB", log_x=True,
               alt="Up to 16 planes help; a wider baseline hurts.")  # fmt: skip
alpha = torch.tensor([0.5, 1.0])[:, None, None, None].expand(2, 1, 1, 1)
two = torch.cat((torch.eye(3)[:2][:, None, None], alpha), -1)
print("half-transparent red before green:", over_composite(two)[0, 0].tolist())
h = plane_homography(k, torch.eye(4), torch.tensor([0.0, 0.0, 1.0]), 2.0)
print(f"no motion, no change: {float((h - torch.eye(3)).abs().max()):.6f}")


# %%
def compared(camera, planes):
    pictures = novel(camera, planes).clamp(0, 1), view_from(camera)[0].color[0]
    titles = ["from the planes", "truth"]
    return viz.arrange([viz.as_picture(p) for p in pictures], titles, height=240)


widgets.explore(
    compared,
    {"camera": (-0.5, 0.5, 0.2), "planes": {"1": 1, "4": 4, "16": 16, "64": 64}},
    alt="Left the multi-plane image, right the truth, from a camera that moves sideways.",
)

# %% [markdown]
# *What to see:* PSNR ($-10 \log_{10}$ of the mean squared error: more is better) falls fast here with
# few planes when the camera moves further: all that lies between two planes is shown at a wrong depth.
# With 16 planes or more it falls much less. So more planes help, up to a point: for this chair, moved by
# up to 0.2, 64 are no better than 16. Between many hard planes a slanted surface cracks, and behind the
# front surfaces none of them has anything to show. Learned planes are half-transparent and overlap.
#
# ## 3.24 The conversion table
# Every representation into every other: error and time on this machine, or the reason why not. The error
# is the mean distance between the surfaces (section 3.1); for voxels 1 − IoU, for views 1 − IoU of the
# silhouettes, for a function its mean absolute value on the true surface, where it should be 0, for
# planes the mean colour difference (0 to 1) of the picture that they show from 0.2 to the side.

# %%
r, mesh = 32, chair.mesh(48)
cloud, normals = sample_surface(mesh, budget(6000, 2000), generator=seeded)
grid, poses = voxelize(chair.sdf, r), cameras.spherical_cameras(budget(16, 8), 3.0)
seen = views.render_views(mesh, poses, 96)
nearer = poses[:1].clone()
nearer[0, :3, 3] += 0.2 * poses[0, :3, 0]  # the first camera, moved 0.2 to its right
aside = views.render_views(mesh, nearer, 96)
k96 = cameras.intrinsics(seen.focal, 96, 96)


def scanned():
    parts = [unproject_depth(d, k96, p)[m]
             for d, p, m in zip(seen.depth, seen.cameras, seen.mask, strict=True)]  # fmt: skip
    return torch.cat(parts)


# %%
depths = views.plane_depths(2.0, 4.0, 32)
here, there = (cameras.opengl_to_opencv(p) for p in (poses[0], nearer[0]))


def planes_of(source):
    """What one view of the source with depth leaves on 32 planes; a mesh is rendered first."""
    one = source if isinstance(source, views.Views) else views.render_views(source, poses[:1], 96)
    return views.mpi_from_depth(one.color[0], one.depth[0], depths)


def from_aside(planes):
    return views.render_mpi(planes, depths, k96, torch.linalg.inv(there) @ here)


def front(planes):
    """The opaque pixels of the planes as points: the side that the camera saw."""
    opaque, which = planes[..., 3].max(dim=0)
    return unproject_depth(depths[which], k96, poses[0])[opaque > 0.5]


# %%
def rebuilt(raw):
    raw = raw[torch.randperm(len(raw), generator=seeded)[:5000]]
    return points.reconstruct_surface(raw, points.orient_normals(raw, pca_normals(raw, 16)), r)


def hull_mesh():
    return voxels.voxels_to_mesh(visual_hull(seen.mask, seen.cameras, r))


def render_again(source):
    return views.render_views(source, poses, 96)


march = lambda: implicit.sdf_to_mesh(chair.sdf, r)  # noqa: E731
from_grid = lambda: voxels.voxels_to_mesh(grid)  # noqa: E731
to_sdf = implicit.mesh_to_sdf
solid = lambda m: voxels.mesh_to_voxels(Mesh(m.vertices.clamp(-1, 1), m.faces), r)  # noqa: E731


# %%
def measured(make, kind):
    """Error and seconds of a conversion; a reason why there is none is passed on."""
    if isinstance(make, str):
        return make
    start = time.perf_counter()
    result = make()
    if kind == "function":
        result(torch.zeros(1, 3))
    seconds = time.perf_counter() - start
    if kind == "voxels":
        error = 1 - float(metrics.iou(result[None], voxelize(chair.sdf, len(result))[None]))
    elif kind == "views":
        whole = isinstance(result, views.Views)  # else one picture, from aside
        got, true = (result.mask, seen.mask) if whole else (result.sum(-1)[None] > 0.1, aside.mask)
        error = 1 - float(metrics.iou(got[None], true[None]))
    elif kind == "planes":
        error = float((from_aside(result) - aside.color[0]).abs().mean())
    elif kind == "function":
        error = float(result(truth[:500]).abs().mean())  # 0 on the true surface
    else:
        cloud_ = result if kind == "points" else sample_surface(result, 20_000)[0]
        error = surface_error(cloud_)
    return f"{error:.3f} / {seconds:.2f}"


# %%
mpi = planes_of(seen)
surfaces = {"voxels": from_grid, "points": lambda: rebuilt(cloud), "mesh": lambda: mesh,
            "function": march, "views": hull_mesh, "planes": lambda: rebuilt(front(mpi))}  # fmt: skip
routes = {
    source: [lambda m=m: solid(m()), lambda m=m: sample_surface(m(), 4000)[0], m,
             lambda m=m: to_sdf(m()), lambda m=m: render_again(m()), lambda m=m: planes_of(m())]
    for source, m in surfaces.items()
}  # fmt: skip
kinds = ["voxels", "points", "mesh", "function", "views", "planes"]
routes["function"][0] = lambda: voxelize(chair.sdf, r)
routes["views"][:2] = [lambda: visual_hull(seen.mask, seen.cameras, r), scanned]
routes["views"][5] = lambda: planes_of(seen)
routes["planes"][:2] = ["no: one side encloses nothing", lambda: front(mpi)]
routes["planes"][4] = lambda: from_aside(mpi)
for source in kinds:
    routes[source][kinds.index(source)] = "itself"

# %%
rows = []
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # a reconstruction may be open or cut: its error shows it
    for source, cells in routes.items():
        rows.append([source, *(measured(c, kind) for c, kind in zip(cells, kinds, strict=True))])
rows[-1][3:5] = [f"{cell}, the back a guess" for cell in rows[-1][3:5]]
rows[-1][5] += ", aside only"
viz.table(rows, ["from \\ to", *kinds], "Conversions: error / seconds")

# %% [markdown]
# *What to see:*
# - A function gives everything, and so does a mesh, if it is closed. Points must be guessed into a
#   surface first.
# - The last column is cheap, once there is a surface: planes need *one* view with depth, and any shape
#   that can be rendered gives one.
# - The surfaces of the last row are poor for the same reason: planes hold only what that camera saw.
#   They give the points of the front and pictures from nearby. The back is invented, so the mesh and its
#   distance are far off, and no solid follows.
# - Texture, names of parts and connectivity survive no way through yes/no voxels.
#
# **Where you meet this again.** Losses that compare representations: notebook 4. Networks that
# output each of them: notebook 5. Rendering them: notebook 6. A function learned from pictures: 7.

# %%
progress()
