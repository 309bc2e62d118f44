# %% [markdown]
# # 6 · Rendering
# The lecture has one word on its slide, *Rendering*, and goes on to NeRF. This notebook fills the
# gap: how a shape becomes a picture, and how a picture's error finds its way back to the shape.
#
# **You will be able to** project points with a pinhole camera and find the usual mistakes in camera
# poses; rasterise triangles with a z-buffer; say why a hard picture has no gradient and give it
# one; recover a camera and a shape from silhouettes by gradient descent; trace spheres along rays.
#
# *About 95 minutes with the exercises, 45 without. You need notebooks 3 (meshes, signed distances) and
# 4 (losses). Runs in under 3 minutes on two CPU cores, and in no more on a Colab T4 (an estimate,
# not measured).*

# %% [setup]

# %% [markdown]
# ## 6.1 The pinhole camera and its conventions
# *Slide: Rendering.* A camera is a rotation $R$, a position $t$ and a focal length $f$ in pixels.
# We keep $R$ and $t$ in one matrix **camera-to-world**, whose columns are the camera's right, up and
# backward direction and its position:
#
# $$M = \begin{pmatrix} R & t \\ 0 & 1 \end{pmatrix}.$$

# %%
from course_lib import viz
from course_lib.stable import safe_divide  # safe_divide(a, b, otherwise=0.0): 0 where b is 0

viz.camera_frame()

# %% [markdown]
# *What to see:* the camera looks along its own $-z$. Its $y$ is up, but the rows of its image are
# counted **downwards** from the upper left pixel. Many mistakes come from there.
#
# A world point $p$ has the camera coordinates $q = (q_1, q_2, q_3) = R^\top (p - t)$. Its depth is
# $-q_3$, and it falls on the image at
#
# $$x = \frac{w}{2} + f\,\frac{q_1}{-q_3}, \qquad y = \frac{h}{2} - f\,\frac{q_2}{-q_3},$$
#
# with $w$ and $h$ the image's width and height in pixels, $x$ to the right, $y$ down. The centre of
# the pixel in row $i$ and column $j$ is $x = j + 0.5$, $y = i + 0.5$.
#
# **Exercise [[project]].** Write `project` for $n$ points at once: it returns the pixels $(x, y)$, (n, 2), and the
# depths, (n,). `camera_to_world` is $M$, (4, 4).

# %% [exercise] project

# %% [markdown]
# Does it fit `camera_rays`, which leads from pixels to rays? Walk 2.5 units along every ray of a small
# image and project the points where you arrive.

# %%
from course_lib.cameras import camera_rays, look_at

camera = look_at([1.0, 0.8, 2.4])
origins, directions = camera_rays(6, 8, 9.0, camera)
points = (origins + 2.5 * directions).reshape(-1, 3)
pixels, depth = project(points, camera, 9.0, 6, 8)
rows, columns = torch.meshgrid(torch.arange(6), torch.arange(8), indexing="ij")
centres = torch.stack([columns, rows], dim=-1).reshape(-1, 2) + 0.5
print(f"largest error of the round trip: {(pixels - centres).abs().max():.6f} pixels")
print(f"depth in the corner {depth[0]:.3f}, near the middle {depth[20]:.3f}; distance 2.5")

# %% [markdown]
# *What to see:* the pixels come back. The depth is smaller than the distance walked, most of all in
# the corners: depth is measured along the optical axis, not along the ray.
#
# Now a shape to photograph, a bird made of four rounded parts, and a camera to play with.

# %%
from course_lib import shapes
from course_lib.meshes import grid_to_mesh, lattice

head = shapes.smooth_union(
    shapes.sphere(0.3, (0.4, 0.35, 0.0)),
    shapes.capsule((0.6, 0.3, 0.0), (0.85, 0.26, 0.0), 0.1),
    0.08,
)
tail = shapes.capsule((-0.3, -0.1, 0.0), (-0.75, 0.15, 0.0), 0.12)
body = shapes.smooth_union(shapes.sphere(0.5, (0.0, -0.2, 0.0)), head, 0.15)
bird_sdf = shapes.smooth_union(body, tail, 0.15)
bird = grid_to_mesh(bird_sdf(lattice(41)))
print(f"a bird of {len(bird.vertices)} vertices and {len(bird.faces)} faces")

# %%
import math

from course_lib import widgets
from course_lib.meshes import vertex_normals
from course_lib.rasterize import draw_faces, lambert


def photograph(mesh, camera, focal, size=(240, 320)):
    """A shaded picture. Sections 6.3 to 6.5 take it apart."""
    pixels, depth = project(mesh.vertices, camera, focal, *size)
    fragments = draw_faces(pixels, depth, mesh.faces, *size)
    normals = fragments.interpolate(vertex_normals(mesh)[mesh.faces])
    shade = lambert(normals, camera[:3, 2] + camera[:3, 1])
    picture = shade[..., None] * torch.tensor([0.95, 0.65, 0.1])
    return torch.where(fragments.covered[..., None], picture, torch.ones(3)).clamp(0, 1)


# %%
def turn(azimuth, elevation, distance, focal):
    a, e = math.radians(azimuth), math.radians(elevation)
    eye = [
        distance * math.cos(e) * math.sin(a),
        distance * math.sin(e),
        distance * math.cos(e) * math.cos(a),
    ]
    return photograph(bird, look_at(eye), float(focal))


controls = {
    "azimuth": (-180, 180, 30),
    "elevation": (-85, 85, 15),
    "distance": (1.5, 8.0, 3.0),
    "focal": (100, 1000, 350),
}
camera_view = widgets.explore(
    turn, controls, alt="A shaded bird, photographed by a camera that circles it."
)

# %% [markdown]
# *What to try:* double the distance, from 3 to 6, **and** the focal length, from 350 to 700. The bird
# stays about as large, but its perspective changes: near and far parts become more nearly equal in size,
# as through a telephoto lens.

# %% [markdown]
# ## 6.2 Three classic confusions
# Camera conventions are where much time is lost in 3D. Here are three cases that students meet. The
# pictures of the first two show twelve cameras around the bird; a mast stands on the top edge of each image.

# %%
from course_lib.cameras import opengl_to_opencv, spherical_cameras

ring = spherical_cameras(12, 2.0, elevation=(10, 50))
cases = {
    "as it should be": ring,
    "case 1": opengl_to_opencv(ring),
    "case 2": torch.linalg.inv(ring),
}
bounds = 0.7 * viz.frame_bounds(viz.camera_pyramids(cases["case 1"], 0.5))
pictures = []
for poses in cases.values():
    drawn = viz.Item(viz.camera_pyramids(poses, 0.5), "#444444", size=0.03)
    pictures.append(viz.render(bird, drawn, size=(210, 300), bounds=bounds))
words = "Twelve cameras around a bird: looking at it; outwards and upside down; all in a heap."
viz.gallery(pictures, list(cases), alt=words)

# %% [markdown]
# **Question [[upside_down_and_backwards]], case 1.** You loaded poses from a tool that uses OpenCV's
# camera axes (x to the right, y down, z forwards). The cameras stand in the right places but look
# outwards, and their masts point down. A picture that is drawn from such a pose is blank. What do you
# do?

# %% [exercise] upside_down_and_backwards

# %% [markdown]
# **Question [[cameras_in_a_heap]], case 2.** Poses from `images.txt` of COLMAP, a program that finds
# cameras from photographs. The axes are converted already, but all cameras stand in one heap. What do
# you do?

# %% [exercise] cameras_in_a_heap

# %% [markdown]
# **Question [[focal_of_the_smaller_image]], case 3.** A capture of 800 × 800 pixels has the focal length 1200 pixels. To train
# faster you shrink its images to 100 × 100. Which focal length belongs to the small images?

# %% [exercise] focal_of_the_smaller_image

# %%
from course_lib.cameras import from_colmap, opencv_to_opengl, to_colmap

repaired = [
    (opencv_to_opengl(cases["case 1"]) - ring).abs().max(),
    (torch.linalg.inv(cases["case 2"]) - ring).abs().max(),
    (from_colmap(*to_colmap(ring)) - ring).abs().max(),
]
names = ["case 1, columns 2 and 3 negated", "case 2, inverted", "to COLMAP's format and back"]
rows = [[name, error] for name, error in zip(names, repaired, strict=True)]
viz.table(rows, ["repair", "largest difference"], "Repaired poses against the right ones")

# %% [markdown]
# ## 6.3 Which pixels does a triangle cover?
# Let $c_0, c_1, c_2$ be the corners of a triangle in the image and $\mathrm{area}(a, b, c)$ the
# **signed** area, positive or negative by the sense of rotation. A pixel's centre $p$ has the
# barycentric coordinates
#
# $$b_0 = \frac{\mathrm{area}(p, c_1, c_2)}{\mathrm{area}(c_0, c_1, c_2)}, \quad
# b_1 = \frac{\mathrm{area}(p, c_2, c_0)}{\mathrm{area}(c_0, c_1, c_2)}, \quad
# b_2 = \frac{\mathrm{area}(p, c_0, c_1)}{\mathrm{area}(c_0, c_1, c_2)}.$$
#
# They sum to 1, $\sum_i b_i c_i = p$, and all are $\ge 0$ exactly where $p$ lies inside or on an edge.
#
# `edge_function(a, b, p)` of the next cell is twice the signed area of the triangle $a, b, p$:
# $(b_x - a_x)(p_y - a_y) - (b_y - a_y)(p_x - a_x)$, for one point $p$ or for many, (n, 2).

# %%
from course_lib.rasterize import edge_function

print(
    edge_function(*torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 3.0]])).item(), "is twice 2 · 3 / 2"
)

# %% [markdown]
# **Exercise [[barycentric_coordinates]].** Write `barycentric_coordinates`: of $n$ points (n, 2) their
# three weights (n, 3). `triangle` is (3, 2), one corner a row.

# %% [exercise] barycentric_coordinates

# %%
triangle = torch.tensor([[6.0, 30.0], [28.0, 3.0], [42.0, 26.0]])
rows, columns = torch.meshgrid(torch.arange(36), torch.arange(48), indexing="ij")
centres = torch.stack([columns, rows], dim=-1).reshape(-1, 2) + 0.5
weights = barycentric_coordinates(centres, triangle)
inside = (weights >= 0).all(dim=-1)
colors = torch.where(inside[:, None], weights, torch.ones(3)).reshape(36, 48, 3)
viz.gallery(
    [inside.float().reshape(36, 48), colors],
    ["covered", "weights as colours"],
    alt="A triangle as white pixels on black, and coloured red, green, blue by its corners.",
    height=260,
)
print(f"{inside.sum()} pixels are covered")

# %% [markdown]
# *What to see:* the edge is a staircase, and the weights fall linearly from 1 at their corner to 0 on
# the opposite edge. So anything known at the corners can be spread over the triangle. Or can it?

# %% [markdown]
# ## 6.4 Depth, and who is in front
# A tiled floor under perspective, two triangles. *Predict:* will the tiles be right if their
# coordinates are interpolated with the weights $b_i$ of the image?
#
# Where an edge leads away from us, the picture of its middle is **not** the middle of its picture: the
# near half looks longer. What is linear in the image is $1/z$, one over the depth, not $z$. With corner
# depths $z_i$,
#
# $$\frac{1}{z} = \sum_i \frac{b_i}{z_i}, \qquad \tilde b_i = \frac{b_i}{z_i}\,z,$$
#
# and $\tilde b_i$ are the weights on the triangle in space.
#
# **Exercise [[perspective_correct]].** Write the correction: from the weights $b_i$ of $n$ pixels, (n, 3), and the corners'
# depths, (3,), the pair of the weights $\tilde b_i$, (n, 3), and the depths $z$, (n,).

# %% [exercise] perspective_correct

# %%
floor = torch.tensor([[-2.0, -0.6, -1.2], [2.0, -0.6, -1.2], [2.0, -0.6, -7.0], [-2.0, -0.6, -7.0]])
tiles = torch.tensor([[0.0, 0.0], [6.0, 0.0], [6.0, 9.0], [0.0, 9.0]])
frame = (200, 300)
rows, columns = torch.meshgrid(torch.arange(frame[0]), torch.arange(frame[1]), indexing="ij")
places = torch.stack([columns, rows], dim=-1).reshape(-1, 2) + 0.5
on_screen, depths = project(floor, look_at([0.0, 0.9, 0.4], [0.0, -0.6, -3.0]), 200.0, *frame)


# %%
def tiled(correct):
    picture = torch.ones(frame[0] * frame[1])
    for face in torch.tensor([[0, 1, 2], [0, 2, 3]]):
        weights = barycentric_coordinates(places, on_screen[face])
        inside = (weights >= 0).all(dim=-1)
        if correct:
            weights, _ = perspective_correct(weights, depths[face])
        u = (weights @ tiles[face])[inside].floor().sum(dim=-1)
        picture[inside] = 0.35 + 0.4 * (u % 2)
    return picture.reshape(frame)


viz.gallery(
    [tiled(False), tiled(True)],
    ["weights of the image", "perspective-correct"],
    alt="A tiled floor, bent along its diagonal on the left, straight on the right.",
)

# %% [markdown]
# *What to see:* on the left the floor breaks along the diagonal, and within each triangle the tiles do
# not shrink with the distance. The first PlayStation drew like that.
#
# **Several faces.** The z-buffer (Catmull, 1974) keeps, for every pixel, the smallest depth so far and
# whose it is.
#
# **Exercise [[nearest_face]].** Given each face's depth in each pixel, infinite where it does not cover, say which
# face is seen.

# %% [exercise] nearest_face


# %%
def depths_of(mesh, camera, focal, size):
    """Each face's depth in each pixel, (f, h, w): what a z-buffer compares."""
    pixels, z = project(mesh.vertices, camera, focal, *size)
    rows, columns = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    centres = torch.stack([columns, rows], dim=-1).reshape(-1, 2) + 0.5
    layers = []
    for face in mesh.faces:
        on_screen = barycentric_coordinates(centres, pixels[face])
        _, distance = perspective_correct(on_screen, z[face])
        inside = (on_screen >= 0).all(dim=-1)
        layers.append(torch.where(inside, distance, torch.inf).reshape(size))
    return torch.stack(layers)


# %%
import time

small_bird = grid_to_mesh(bird_sdf(lattice(13)))
camera, size = look_at([1.2, 0.8, 2.4]), (48, 64)
start = time.perf_counter()
seen = nearest_face(depths_of(small_bird, camera, 80.0, size))
slow = time.perf_counter() - start
start = time.perf_counter()
fragments = draw_faces(*project(small_bird.vertices, camera, 80.0, *size), small_bird.faces, *size)
fast = time.perf_counter() - start
print(
    f"{len(small_bird.faces)} faces; the same face in {(seen == fragments.face).float().mean():.1%} of the pixels"
)
print("the library's rasteriser is faster:", fast < slow)

# %% [markdown]
# *What to see:* your rasteriser draws what the library's does. The library lists only the pixels in
# each triangle's bounding box, for many triangles at once. The rest of the notebook uses it.

# %% [markdown]
# ## 6.5 Shading
# A matt surface of normal $n$ under light from the direction $l$ (unit vectors) shows the brightness
# $a + (1 - a)\max(0, n \cdot l)$, Lambert's law, with $a$ the share of *ambient* light, which comes from
# everywhere. The corners' normals are spread over the face with the weights of section 6.4.

# %%
camera, size = look_at([1.2, 0.8, 2.4]), (220, 260)
pixels, depth = project(bird.vertices, camera, 300.0, *size)
fragments = draw_faces(pixels, depth, bird.faces, *size)
normals = fragments.interpolate(vertex_normals(bird)[bird.faces])
white = torch.ones(3)
far, near = depth.max(), depth.min()
layers = {
    "depth, near is bright": ((far - fragments.depth) / (far - near))
    .clamp(0, 1)[..., None]
    .expand(-1, -1, 3),
    "normals as colours": 0.5 + 0.5 * normals,
    "shaded": lambert(normals, torch.tensor([0.3, 1.0, 0.6]))[..., None].expand(-1, -1, 3),
}
covered = fragments.covered[..., None]
viz.gallery(
    [torch.where(covered, layer, white).clamp(0, 1) for layer in layers.values()],
    list(layers),
    alt="The bird's depth, normals and shading, three layers of one picture.",
)

# %% [markdown]
# *What to see:* three layers of one picture. The depth knows what is near, the normals how the surface
# is turned (red grows with the normal's $x$, green with its $y$, blue with its $z$), and the light needs
# nothing but the normals.
#
# ## 6.6 Why a hard silhouette has no gradient
# To fit a shape to a photograph we want the derivative of the picture's error with respect to the
# vertices. *Predict:* a ball is 3 pixels away from where it should be. We plot the mean squared error of
# its silhouette while it moves from shift 2 to shift 3. What does the curve look like?

# %%
from course_lib.meshes import icosphere
from course_lib.rasterize import soft_silhouette
from course_lib.running import Budget, budget

ball = icosphere(2)
size = (32, 32)
pixels, depth = project(ball.vertices, look_at([0.0, 0.0, 3.0]), 28.0, *size)


def hard(shift):
    moved = pixels + torch.tensor([float(shift), 0.0])
    return draw_faces(moved, depth, ball.faces, *size).covered.float()


def soft(shift):
    moved = pixels + torch.stack([torch.as_tensor(shift), torch.tensor(0.0)])
    return soft_silhouette(moved, ball.faces, *size, sigma=3e-3)


def error(draw, shift):
    return (draw(shift) - draw(3.0)).square().mean()


# %%
shifts = torch.linspace(2, 3, budget(201, 11)).tolist()
viz.line_chart(
    {
        name: (shifts, [error(draw, s).item() for s in shifts])
        for name, draw in (("hard", hard), ("soft", soft))
    },
    x="shift in pixels (3 is right)",
    y="error of the silhouette",
    alt="The hard error falls in steps, the soft one smoothly.",
)

# %%
step, rows = 1e-2, []
for shift in (0.5, 1.5, 2.5):
    leaf = torch.tensor(shift, requires_grad=True)
    error(soft, leaf).backward()
    slopes = [
        (error(d, shift + step) - error(d, shift - step)).item() / (2 * step) for d in (hard, soft)
    ]
    rows.append([f"{shift}", *slopes, leaf.grad.item()])
viz.table(
    rows,
    ["shift", "hard, differences", "soft, differences", "soft, autograd"],
    "The slope of the error at three shifts: 0 says nothing, negative says: move right",
)

# %% [markdown]
# *What to see:* the hard error is a staircase. Its slope is 0 almost everywhere, so gradient descent
# stands still. The soft error slopes towards the answer, and autograd agrees with finite differences.
#
# **Question [[why_the_hard_picture_has_no_gradient]].** Why has the hard picture no gradient?

# %% [exercise] why_the_hard_picture_has_no_gradient

# %% [markdown]
# ## 6.7 The soft rasteriser
# SoftRas (Liu et al. 2019) lets a face cover each pixel by
#
# $$D = \mathrm{sigmoid}\!\left(\pm \frac{d^2}{\sigma}\right),$$
#
# - $d$: the distance from the pixel's centre to the nearest **edge** of the face, in half image heights;
# - the sign: $+$ inside, $-$ outside;
# - $\sigma$: the softness. $\sqrt\sigma$ sets the width of the blur, and as $\sigma \to 0$ the hard test
#   comes back.
#
# **Exercise [[soft_coverage]].** Write the coverage. `squared_distance` holds $d^2$ of any number of pixels, `inside`
# whether their centres lie inside the face. It must be differentiable in `squared_distance`.

# %% [exercise] soft_coverage

# %% [markdown]
# Several faces: think of their coverages $D_j$ as probabilities. The pixel is free only if every face $j$
# leaves it free, so the silhouette is
#
# $$A = 1 - \prod_j (1 - D_j).$$
#
# **Exercise [[union_coverage]].** Write the union. `coverage` has one face per entry of its first axis, then any
# number of axes for the pixels. It must be differentiable.

# %% [exercise] union_coverage

# %%
from course_lib.rasterize import signed_squared_distance

rows, columns = torch.meshgrid(torch.arange(48), torch.arange(64), indexing="ij")
centres = torch.stack([columns, rows], dim=-1).reshape(-1, 2) + 0.5
corners = torch.tensor([[[8.0, 40], [30, 5], [40, 38]], [[30.0, 20], [60, 12], [50, 44]]])
repeated = corners[:, None].expand(2, len(centres), 3, 2)  # two faces, every pixel
signed = torch.stack([signed_squared_distance(centres, face) for face in repeated]) / 24**2


def soft_picture(softness):
    layers = soft_coverage(signed.abs(), signed >= 0, softness)
    both = [viz.as_picture(one.reshape(48, 64)) for one in (layers[0], union_coverage(layers))]
    return viz.arrange(both, ["one face", "two faces together"], height=240)


controls = {"softness": widgets.log_slider(1e-4, 1, 0.01)}
words = "Two triangles whose edges blur as the softness grows."
softness = widgets.explore(soft_picture, controls, alt=words)

# %% [markdown]
# *What to try:* at $\sigma = 0.0001$ the edges are as sharp as the pixels, and only pixels close to an
# edge know anything. At $0.1$ pixels far from any edge pull, too, but on what? So a fit ends sharp: in
# 6.8 a $\sigma$ that stays at $0.01$ leaves the camera far off. A soft start lets far edges pull;
# whether that is needed depends on the start (in 6.8 $\sigma = 0.0002$ from the first step on does as
# well).

# %% [markdown]
# ## 6.8 Find the camera from one picture
# We know the bird and one silhouette, 48 × 48 pixels, and look for the camera that took it, from a guess
# that is about 40° off. The error's gradient flows through the soft silhouette and `project` into the
# camera's position. σ falls from $10^{-2}$ to $10^{-3.7}$. *Time: 5 to 15 s on two CPU cores, a few
# seconds on a Colab T4 (an estimate, not measured).*

# %%
from course_lib.meshes import Mesh

coarse = grid_to_mesh(bird_sdf(lattice(17))).to(DEVICE)


def silhouette(vertices, faces, camera, sigma):
    pixels, _ = project(vertices, camera, 66.0, 48, 48)
    return soft_silhouette(pixels, faces, 48, 48, sigma=sigma)


def photographed(mesh, camera):
    """The hard silhouette, as it would be cut out of a photograph."""
    projected = project(mesh.vertices, camera, 66.0, 48, 48)
    return draw_faces(*projected, mesh.faces, 48, 48).covered.float()


def degrees_between(a, b):
    cosine = torch.nn.functional.cosine_similarity(a.cpu(), b.cpu(), dim=0)
    return math.degrees(math.acos(min(1.0, cosine.item())))


# %%
true_eye = torch.tensor([1.2, 0.8, 2.4], device=DEVICE)
wanted = photographed(coarse, look_at(true_eye))

# %%
eye = torch.tensor([-0.3, 1.8, 2.0], device=DEVICE, requires_grad=True)
optimizer = torch.optim.Adam([eye], lr=0.05)
steps = budget(120, 5)
guesses, off = [], []
for step in Budget(steps, seconds=budget(60, 8), label="find the camera"):
    sigma = 10 ** (-2 - 1.7 * step / steps)
    got = silhouette(coarse.vertices, coarse.faces, look_at(eye), sigma)
    loss = (got - wanted).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    guesses.append(got.detach().cpu())
    off.append(degrees_between(eye.detach(), true_eye))

# %%
picked = [0, len(guesses) // 4, len(guesses) - 1]
viz.gallery(
    [*(guesses[k] for k in picked), wanted.cpu()],
    ["first guess", f"step {picked[1]}", "last", "the picture given"],
    alt="Silhouettes of the bird turning from the first guess to the given picture.",
    height=190,
)
viz.line_chart(
    {"direction": (range(len(off)), off)},
    x="step",
    y="error in degrees",
    alt="The camera's direction approaches the true one.",
)
print(f"direction: {off[0]:.0f}° off at the start, {off[-1]:.1f}° at the end")

# %% [markdown]
# *What to see:* from 40 degrees to about two. (The specks in the last picture lie inside the bird, where
# an edge of its front lies over one of its back: with a small σ the faces there leave a pixel a little
# uncovered.) It need not end so well: where every small step makes the error larger, descent stops, far
# from the answer, in a **local minimum**. Try `eye = torch.tensor([-2.4, 0.4, -1.2], …)`: it ends behind
# the bird, some 150 degrees off, and more steps do not help. A remedy is to start from several guesses.

# %% [markdown]
# ## 6.9 Find the shape from twelve pictures
# Now the cameras are known and the shape is not. We deform a ball so that its silhouettes agree with
# those of the bird from twelve sides, with the regularisers of notebook 4 against crumpling. Of the bird
# nothing in 3D is given. *Predict:* which parts of the bird will be found? *Time: 10 to 30 s on two CPU
# cores, a few seconds on a Colab T4 (an estimate, not measured).*

# %%
from course_lib.losses import chamfer_distance, edge_loss, laplacian_loss, smooth_loss
from course_lib.meshes import sample_surface

views = spherical_cameras(12, 2.8).to(DEVICE)
given = [photographed(coarse, view) for view in views]
ball = icosphere(3, 0.5).to(DEVICE)
generator = torch.Generator().manual_seed(0)


def disagreement(vertices):
    """The silhouettes' mean squared error over three of the twelve views, drawn by chance."""
    chosen = torch.randperm(12, generator=generator)[:3].tolist()
    got = torch.stack([silhouette(vertices, ball.faces, views[k], 3e-4) for k in chosen])
    return (got - torch.stack([given[k] for k in chosen])).square().mean()


# %%
shape = ball.vertices.clone().requires_grad_()
optimizer = torch.optim.Adam([shape], lr=0.01)
for _ in Budget(budget(250, 5), seconds=budget(60, 8), label="fit the shape"):
    smooth = laplacian_loss(shape, ball.edges) + 0.1 * edge_loss(shape, ball.edges)
    loss = disagreement(shape) + smooth + 3e-5 * smooth_loss(shape, ball.faces)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
found = Mesh(shape.detach().cpu(), ball.faces.cpu())


# %%
def distance(mesh):
    generator = torch.Generator().manual_seed(1)
    clouds = [sample_surface(m, 3000, generator=generator)[0][None] for m in (mesh, bird)]
    return chamfer_distance(*clouds).item()


start = Mesh(ball.vertices.cpu(), ball.faces.cpu())
rows = [["ball at the start", distance(start)], ["after the fit", distance(found)]]
viz.table(rows, ["shape", "squared Chamfer distance to the bird"], "Shape from twelve silhouettes")
views3d = [
    viz.Scene(viz.Item(m, "#E69F00"), title=t) for m, t in ((found, "found"), (bird, "the bird"))
]
widgets.view3d(
    *views3d,
    alt="The shape found from silhouettes beside the bird; beak, tail and head are there.",
    size=280,
)

# %% [markdown]
# *What to see:* beak, head and tail grew out of a ball, and the distance fell to less than a tenth. The
# surface found here is rough. A silhouette says nothing about what lies within it: a dimple cannot be
# found this way. Shading and colour can tell (that is what NeRF uses, notebook 7).

# %% [markdown]
# ## 6.10 Sphere tracing
# A signed distance needs no triangles. At a point where the SDF is $s(p)$, a ball of radius $s(p)$ is
# free for sure. So a ray $o + t\,d$ (origin $o$, direction $d$ of length 1, distance $t$) may step by that
# much:
#
# $$t \leftarrow t + s(o + t\,d), \qquad t = 0 \text{ at first.}$$
#
# **Exercise [[march_rays]].** Write the loop for a fixed number of steps.

# %% [exercise] march_rays

# %%
from course_lib.rasterize import sdf_normals

height, width = 96, 128
camera = look_at([1.2, 0.8, 2.4])
origins, directions = (part.reshape(-1, 3) for part in camera_rays(height, width, 150.0, camera))


def traced(steps):
    t = march_rays(bird_sdf, origins, directions, steps)
    points = origins + t[:, None] * directions
    free = bird_sdf(points)
    shade = lambert(sdf_normals(bird_sdf, points), torch.tensor([0.3, 1.0, 0.6]))
    picture = torch.where(free < 5e-3, shade, torch.ones(())).clamp(0, 1)
    near = (1 - free / 0.3).clamp(0, 1)
    layers = [viz.as_picture(layer.reshape(height, width)) for layer in (near, picture)]
    return viz.arrange(layers, ["within 0.3 of the surface", "arrived, shaded"], height=240)


tracing = widgets.explore(traced, {"steps": (1, 40, 6)}, alt="Rays approach the bird step by step.")

# %% [markdown]
# *What to try:* after ten steps most rays have arrived or gone past. Most that are still under way graze
# the outline: they crawl, since the free ball stays small beside a surface. Measured ("gone past" is
# more than 0.5 away from the bird):

# %%
rows = []
for steps in (2, 5, 10, 20, 40):
    t = march_rays(bird_sdf, origins, directions, steps)
    free = bird_sdf(origins + t[:, None] * directions)
    share = [100 * part.float().mean().item() for part in (free < 5e-3, free > 0.5)]
    rows.append([f"{steps}", *share, 100 - sum(share)])
viz.table(
    rows, ["steps", "arrived, %", "gone past, %", "still under way, %"], "Sphere tracing the bird"
)

# %% [markdown]
# ## 6.11 Fog: the bridge to NeRF
# Soft rasterising blurs the shape's **outline**. Another way to a gradient blurs the **surface in
# depth**: let space be filled with fog of density $\sigma(p)$, thick inside the shape and thin outside.
# Sample $i$ of a ray stands for a piece of it of length $\delta_i$. The share of the light that stops
# there is its weight
#
# $$w_i = T_i\,\bigl(1 - e^{-\sigma_i \delta_i}\bigr), \qquad T_i = e^{-\sum_{j<i} \sigma_j \delta_j},$$
#
# with $\sigma_i$ the density there (no longer the softness of 6.7): $T_i$, the part that gets through all before it, times the part that
# stops here. For fog of constant density $\sigma$ over a length $L$ the weights sum to $1 - e^{-\sigma L}$,
# however it is cut into samples:

# %%
from course_lib.volume import compositing_weights

for samples in (1, 10, 1000):
    deltas = torch.full((samples,), 2.0 / samples)
    opacity = compositing_weights(torch.full((samples,), 0.7), deltas).sum()
    print(
        f"samples {samples:5d}: opacity {opacity:.6f}   (1 - exp(-0.7 · 2) = {1 - math.exp(-1.4):.6f})"
    )

# %%
t = torch.linspace(1.5, 4.0, 80)
samples = origins[:, None] + t[:, None] * directions[:, None]  # (pixels, samples, 3)
distances = bird_sdf(samples.reshape(-1, 3)).reshape(samples.shape[:2])


def fog(width_of_fog):
    sigma = torch.sigmoid(-distances / width_of_fog) / width_of_fog
    weights = compositing_weights(sigma, torch.full_like(sigma, 2.5 / 80))
    opacity = weights.sum(dim=-1)
    where = 1 - ((weights * t).sum(dim=-1) / opacity.clamp(min=1e-6) - 1.5) / 2.5
    layers = [opacity, torch.where(opacity > 0.3, where, torch.ones(()))]
    layers = [viz.as_picture(layer.reshape(height, width).clamp(0, 1)) for layer in layers]
    return viz.arrange(layers, ["opacity", "mean depth, near is bright"], height=240)


fog_view = widgets.explore(
    fog,
    {"width_of_fog": widgets.log_slider(0.01, 1, 0.03)},
    alt="A bird of fog, from sharp to dim.",
)

# %% [markdown]
# *What to see:* a narrow transition is the solid bird, a wide one a cloud. Every sample that light
# reaches takes part in the mean depth, and in a colour, so **a gradient can reach the density at every
# place that is not hidden behind thick fog**: no mesh, no topology, no outline needed. (The distance
# from which this fog is made has one only as far as the transition is wide.) Let the density come from a
# network, add a colour, and it is NeRF: notebook 7.

# %% [markdown]
# ## 6.12 What to remember
# | | hard z-buffer | soft rasteriser | sphere tracing | volume |
# |---|---|---|---|---|
# | shape | triangles | triangles | signed distance | density |
# | a pixel sees | the nearest face | all faces near it | the first zero along the ray | all samples of its ray |
# | gradient to the outline | none | yes | not through the hit test | yes |
# | price | pixels of each face | faces near each pixel | steps per ray | samples per ray |
#
# **Sources.** Catmull 1974 (z-buffer), Pineda 1988 (the areas of section 6.3), Liu et al. 2019 (soft
# rasteriser), Hart 1996 (sphere tracing): see the
# [references](00_start_here.ipynb#0.7-References).

# %%
progress()
