# %% [markdown]
# # 5 · Reconstruction from a single picture
# **You will be able to** build and train four networks that turn one RGB picture into a shape: as
# voxels, as points, as a mesh and as an implicit function; compare them with each other, with baselines
# that do not learn, and with the truth in their representation; and say what one picture cannot tell.
#
# *About 85 minutes with the exercises, 40 without. You need notebook 4 (losses and metrics) and
# convolutional networks; notebook 3 helps. Runs in under 10 minutes on two quiet CPU cores, on a Colab
# T4 in about 5 (an estimate, not measured); nothing is downloaded.*

# %% [setup]

# %%
from pathlib import Path

import torch.nn.functional as F
from PIL import Image, ImageDraw

from course_lib import cameras, viz, widgets
from course_lib import reconstruction as rec
from course_lib.data.single_view import SingleView
from course_lib.running import Budget, budget
from course_lib.shipped import asset
from course_lib.stable import safe_divide  # safe_divide(a, b, otherwise=0.0): 0 where b is 0

# %% [markdown]
# ## 5.1 The task and its ambiguity
# *Slide "Reconstruction from a single RGB image".* Given one picture $I$, find the shape $S$:
#
# $$S = f_\theta(I)$$
#
# - $I$: an RGB picture, here 64 × 64, as a tensor (3, 64, 64) with values in $[0, 1]$;
# - $S$: the shape, in one of the four representations of notebook 3;
# - $\theta$: the weights of a network, learnt from pictures whose shapes are known.
#
# Geometry alone cannot solve this: every picture fits infinitely many shapes, and a large part of the
# surface (here about two thirds) is not in the picture at all. The network has to *know* chairs.
#
# Our data set makes both sides itself: chairs, tables, lamps, mugs, aeroplanes and bottles drawn at
# random, each seen from random sides under random light in random colours. Training and test set
# have different **shapes**, not only different views: otherwise memory would pass for skill.

# %%
train = SingleView.generate("train", budget(700, 24))  # about half a minute
test = SingleView.generate("test", budget(24, 6), points=4096)
batch = test.batch(torch.arange(6) * test.views)
pictures = [p.permute(1, 2, 0).numpy() for p in batch["image"]]
viz.gallery(pictures, [name.split("-")[0] for name in test.names[:6]], height=110,
            alt="Six pictures of 64 by 64 pixels: chair, table, lamp, mug, aeroplane, bottle")  # fmt: skip
for name in ("image", "camera", "occupancy", "points", "sdf_points"):
    print(f"{name:<11} {tuple(batch[name].shape)}")

# %% [markdown]
# Each item also has the camera, the occupied voxels, 2,048 or more surface points with normals, and
# points in space with their signed distances: every decoder finds what it has to learn from.
#
# **In which frame?** All shapes stand in the *object's own* frame (canonical: y up, front towards +z),
# whatever the view. So the network must recognise the front, and in return learns once what a chair is.
# The alternative is the camera's frame, where the answer turns with the view. Many of ShapeNet's
# networks use the first, as we do.
#
# *Predict:* these are pairs of a test picture and the **most similar training picture**. How
# similar are the shapes behind them? (IoU 1 is equal, 0 disjoint.)

# %%
from course_lib.metrics import iou, soft_iou
from course_lib.reconstruction import baselines

known = train.batch(torch.arange(0, len(train), train.views))  # one picture of each shape
gallery = baselines.silhouettes(known["image"])
alike = baselines.retrieve(baselines.silhouettes(batch["image"]), gallery)
overlap = iou(batch["occupancy"], known["occupancy"][alike])
pairs = torch.stack([batch["image"], known["image"][alike]], dim=1).flatten(0, 1)
titles = [t for i in range(6) for t in ("test", f"train, IoU {overlap[i]:.2f}")]
viz.gallery([p.permute(1, 2, 0).numpy() for p in pairs], titles, height=96, columns=6,
            alt="Test pictures, each beside the training picture that is most like it")  # fmt: skip

# %% [markdown]
# *What to see:* pictures that look alike can belong to shapes that overlap little. And a picture may
# hide what matters: a mug's handle behind the mug, a chair's arm rests behind its back.
#
# **Question [[what_one_picture_cannot_tell]].** One more thing that no picture says. Answer with `"A"`, `"B"`, `"C"` or `"D"`.
# What can *not* be found out from one picture, not even by someone who has seen a thousand such objects, large ones
# and small ones?

# %% [exercise] what_one_picture_cannot_tell

# %% [markdown]
# ## 5.2 The encoder, which all four share
# *Slides "Possible networks".* Every network has two halves:

# %%
viz.network(
    ["picture\n(3, 64, 64)", "32²", "16²", "8²", "4²", "code\n128 numbers",
     "one of four decoders", "voxels, points, mesh, function"],
    aside="maps of features (mesh only)", taken=[1, 2, 3], given=[6],
    alt="A picture becomes a code, and the code a shape; the mesh sees maps of features, too.")  # fmt: skip

# %% [markdown]
# The encoder halves the picture four times by convolutions with stride 2 and then writes all it knows
# into a **code** of 128 numbers. The code has no rows and columns any more: it is the network's idea of
# the shape.

# %%
encoder = rec.ImageEncoder()
code, maps = encoder(batch["image"])
rows = [["picture", str(tuple(batch["image"].shape[1:])), 0]]
for number, (stage, one) in enumerate(zip(encoder.stages, maps, strict=False), start=1):
    count = sum(p.numel() for p in stage.parameters())
    rows.append([f"map {number}", str(tuple(one.shape[1:])), count])
rows.append(
    ["code", str(tuple(code.shape[1:])), sum(p.numel() for p in encoder.to_code.parameters())]
)
viz.table(rows, ["tensor", "shape", "parameters before it"], "What happens to a picture")

# %% [markdown]
# All four networks are trained by the **same loop**, written out here once. `Budget` draws the bar, and
# stops the loop on a machine that would need more than three times the given seconds; the learning rate
# rises briefly and falls along a cosine; now and then the network draws three test shapes, so that you
# can watch it learn.
#
# *Time: one to two minutes per network on two quiet CPU cores, a minute for each mesh; on busy ones up to twice that.
# For its 1,500 steps a Colab T4 needs about half a minute (an estimate, not measured); section 5.13 lets a GPU
# do more.*

# %%
from IPython.display import display

from course_lib.reconstruction.extract import reconstruct
from course_lib.reconstruction.training import warm_then_cosine
from course_lib.viz.figure import collecting

SECONDS, STEPS = budget(65, 1.5), budget(1500, 2)


# %%
def fit(network, loss_of, draw, label, peak=3e-3, count=24, seconds=SECONDS, steps=STEPS):
    """The training loop of this notebook: returns the loss of every step."""
    optimizer = torch.optim.AdamW(network.to(DEVICE).parameters(), lr=peak, weight_decay=1e-2)
    random, losses, screen = torch.Generator().manual_seed(0), [], None
    bar = Budget(steps, seconds=seconds, label=label)
    for step in bar:
        optimizer.param_groups[0]["lr"] = warm_then_cosine(step, bar.expected, peak)
        chosen = torch.randint(len(train), (count,), generator=random)
        loss = loss_of(network, train.batch(chosen, DEVICE))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        bar.say(f"loss {sum(losses[-20:]) / len(losses[-20:]):.4f}")
        if step in (10, 40, 100, 200, 400, 800):
            screen = preview(network, draw, screen)
    preview(network, draw, screen)
    return losses


# %% [markdown]
# (The next cell only shows the previews.)

# %%
LOOK = {"size": 150, "view": (35.0, 20.0), "bounds": torch.tensor([[-0.8] * 3, [0.8] * 3])}
ITEMS = [test[index * test.views] for index in (0, 2, 4)]
SHOWN = [{name: value.to(DEVICE) for name, value in item.items()} for item in ITEMS]


def preview(network, draw, screen):
    """Three test shapes as the network sees them now, in place of the picture before."""
    network.eval()
    with collecting() as figures, torch.no_grad():
        pictures = [draw(network, item) for item in SHOWN]
        inputs = [item["image"].permute(1, 2, 0).cpu().numpy() for item in SHOWN]
        viz.gallery([p for pair in zip(inputs, pictures, strict=True) for p in pair],
                    ["picture", "prediction"] * 3, height=150, columns=6,
                    alt="Three test pictures and what the network makes of them")  # fmt: skip
    network.train()
    data, metadata = figures[0].bundle()
    if screen is None:
        return display(data, metadata=metadata, raw=True, display_id=True)
    screen.update(data, metadata=metadata, raw=True)
    return screen


def draw_mesh(network, item):
    return viz.render_mesh(reconstruct(network, item)[0].to("cpu"), **LOOK)


# %% [markdown]
# ## 5.3 Voxels: up-convolutions
# *Idea* (3D-R2N2, Choy et al. 2016; TL-embedding, Girdhar et al. 2016): a generator of pictures
# with one more dimension. The code becomes a coarse grid with many channels, and transposed
# convolutions refine it, 4³ → 8³ → 16³ → 32³, until one channel is left.

# %%
viz.network(["code\n(128)", "linear\n(64, 4³)", "grow\n(32, 8³)", "grow\n(16, 16³)",
             "grow\n(1, 32³) logits"],
            alt="The code grows into a grid of 32³ logits.")  # fmt: skip

# %% [markdown]
# **The loss.** A voxel is occupied with the probability $p_i = \sigma(x_i)$, where $x_i$ is the
# network's output (the logit) and $\sigma$ the sigmoid. With the truth $o_i \in \{0, 1\}$:
#
# $$L = -\frac{1}{n} \sum_i \big( o_i \log p_i + (1 - o_i) \log (1 - p_i) \big)
#   + 1 - \frac{\sum_i p_i o_i}{\sum_i (p_i + o_i - p_i o_i)}$$
#
# - $i$ runs over all $n$ voxels of the batch in the first term, over those of one picture in the second;
# - the first term is the **binary cross-entropy**; the second one is 1 minus the soft IoU of notebook 4,
#   computed for each picture and then averaged over the batch.
#
# *Why two?* Only one voxel in 25 is occupied. "Everything is empty" is right 96 % of the time, and to
# say 0.04 everywhere brings the cross-entropy from $\log 2 = 0.69$ down to 0.17, with no shape at all.
# IoU does not count voxels that are empty in both.
#
# **Exercise [[occupancy_loss]].** Write `occupancy_loss(logits, occupancy)`: both have the shape (b, ...), a batch of
# grids with any number of axes; the result is one number. `soft_iou(a, b)` of notebook 4 takes
# numbers in $[0, 1]$ and returns one IoU per grid, (b,). For the cross-entropy use torch's function
# that takes logits: $\log\sigma(x)$ written out is infinite for large logits.

# %% [exercise] occupancy_loss

# %% [markdown]
# **A transposed convolution** runs an ordinary one backwards: each input voxel paints a patch of
# $k^3$ output voxels with the kernel, weighted by its value. Neighbours' patches start two voxels
# apart (stride 2), overlap if $k > 2$, and add up. A side of $r$ voxels becomes
# $2(r - 1) + k - 2 \cdot \text{padding}$.
#
# **Exercise [[grow]].** Write `grow(volume, weight, bias)`: first a ReLU, then a transposed convolution that
# doubles the side exactly, for every even kernel size k. `volume` is (b, c, r, r, r); `weight` is
# (c, o, k, k, k), input channels first, as `F.conv_transpose3d` takes it; `bias` is (o,).

# %% [exercise] grow

# %% [markdown]
# The decoder calls *your* `grow` (if the check said that it is correct).

# %%
torch.manual_seed(0)
networks = {"voxels": rec.FromImage(rec.VoxelDecoder(grow))}
curves = {"voxels": fit(
    networks["voxels"],
    lambda network, b: occupancy_loss(network(b["image"]), b["occupancy"]),
    draw_mesh, "voxels")}  # fmt: skip

# %% [markdown]
# *What to see:* first nothing or a blob, then the large parts (seats, table tops, shades), and last, if
# at all, much of what is thin, such as legs. Thin parts have few voxels, and a leg two voxels thick that
# is predicted one voxel beside its place has as many wrong voxels as one that is missing (if it is one
# voxel thick, twice as many).

# %% [markdown]
# ## 5.4 Points: a set, trained with Chamfer
# *Idea* (PSGN, Fan, Su and Guibas 2017): the network writes down 1,024 points. The loss must not
# depend on their order, so it is the Chamfer distance of notebook 4. Two branches share the work:

# %%
viz.network(["code\n(128)", "linear, ReLU, linear", "512 free points", "both\n(1024, 3)"],
            aside="(64, 2 × 4) → 4 × 8 → 8 × 16 → 16 × 32 sheet of points", taken=[0], given=[3],
            alt="Two branches from the code, free points and a sheet of points, are joined.")  # fmt: skip

# %% [markdown]
# - the **free** branch writes each point down by itself: it can put one anywhere;
# - the **sheet** grows like a picture with x, y, z as its three channels. The hope is that neighbours on
#   the sheet become neighbours in space, as on a smooth surface. The loss does not ask for it, and in
#   our checkpoint they do not: they lie about as far apart as any two of its points.
#
# **Exercise [[two_branches]].** Write `two_branches`, which joins both outputs into one set: `free` (b, 3n) lists
# x, y, z of the first point, then of the second, …; `sheet` (b, 3, h, w) has x, y, z as channels.
# A tanh keeps every coordinate within $[-1, 1]$. Free points first, then the sheet row by row.

# %% [exercise] two_branches

# %%
from course_lib.losses import chamfer_distance
from course_lib.reconstruction.training import pick

torch.manual_seed(0)
networks["points"] = rec.FromImage(rec.PointDecoder(two_branches))


def point_loss(network, b):
    return chamfer_distance(network(b["image"]), pick(b["points"], 1024)).mean()


def draw_points(network, item):
    return viz.render_points(network(item["image"][None])[0].cpu(), point_size=0.05, **LOOK)


curves["points"] = fit(networks["points"], point_loss, draw_points, "points")

# %% [markdown]
# *What to see:* a cloud finds the rough shape within seconds: every point gets a gradient from the very
# first step. It ends up uneven: dense on a lamp's pole or a chair's seat, too thin on arm rests or a
# table's shelf.

# %% [markdown]
# ## 5.5 A mesh: move the vertices of a template
# *Idea* (Pixel2Mesh, Wang et al. 2018): how vertices are connected is hard to learn. So take a
# **template** that is connected already, a sphere, and learn only where its vertices go. Before each of
# its steps (here two) every vertex looks at the picture *where it is projected to*, and graph
# convolutions (notebook 3) let neighbours talk.

# %%
step = "look, 3 graph convolutions, move"
viz.network(["template", step, step, "mesh"], given=[1, 2],
            aside="maps of the encoder at the projected vertices, and the code",
            alt="A template moves twice, looking at the picture's maps each time.")  # fmt: skip

# %% [markdown]
# A vertex $p$ is projected with the camera's rotation $R$ and position $t$ (columns of
# `camera_to_world`) and the focal length $f$ in image heights:
#
# $$q = R^\top (p - t), \qquad (u, v) = \Big( \frac{2 f q_1}{-q_3},\ \frac{-2 f q_2}{-q_3} \Big)$$
#
# - $q$: the vertex in camera axes; the camera looks along $-z$, so $-q_3$ is the depth;
# - $(u, v)$: its place in the picture, from −1 (left or top edge) to 1 (right or bottom edge): just
#   what `F.grid_sample(…, align_corners=False)` wants.
#
# **Exercise [[vertex_image_features]].** Write `vertex_image_features`: project, then interpolate the map bilinearly.
# Vertices outside the picture take the nearest border (`padding_mode="border"`). The map is
# (b, c, h, w) with row 0 on top, the vertices (b, v, 3), `camera` (b, 4, 4) camera-to-world, `focal`
# one number; the result is (b, v, c). `F.grid_sample` takes places as (b, rows, columns, 2), each
# $(u, v)$, and returns (b, c, rows, columns): the vertices can be the rows of a picture with one column.
# All vertices lie in front of the camera.

# %% [exercise] vertex_image_features

# %% [markdown]
# The loss is the Chamfer distance of points drawn from the mesh, with an edge loss and a Laplacian
# loss as regularisers (notebook 4 shows what each prevents), after both steps.
#
# The encoder starts from the one that section 5.3 trained, so that the minute goes to the decoder.
#
# *Predict:* what will become of a chair's legs, and of a mug's handle?

# %%
from course_lib.meshes import icosphere
from course_lib.reconstruction.training import mesh_step

MESH_STEPS = budget(200, 2, gpu=1500)
torch.manual_seed(0)
sphere = rec.MeshDecoder(vertex_image_features, template=icosphere(3, 0.6))
networks["mesh from a sphere"] = rec.FromImage(sphere)
networks["mesh from a sphere"].encoder.load_state_dict(networks["voxels"].encoder.state_dict())
curves["mesh from a sphere"] = fit(networks["mesh from a sphere"], mesh_step, draw_mesh,
                                   "sphere", peak=2e-3, count=12, seconds=45, steps=MESH_STEPS)  # fmt: skip

# %% [markdown]
# *What to see:* closed, and always a sphere at heart: it has no holes, and after so few steps it shows
# the large parts at best. The legs of a chair must be pulled out of one skin, and what should be a mug's
# handle has no hole. **The topology of the template is the topology of every answer**, however long one
# trains. Here a sphere is fitted to two *true* shapes, without any network or picture, by a short
# descent on the same loss. (With three times the steps usually more of the chair is near its sphere, so
# this is no bound of what a sphere can do; but a sphere it stays.)

# %%
pictures = []
for index in (0, 3):
    item = test[index * test.views]
    fitted = baselines.fitted_sphere(item, steps=budget(120, 5))
    pictures += [viz.render_mesh(m, **LOOK) for m in (baselines.voxel_limit(item), fitted)]
viz.gallery(pictures, ["truth at 32³", "a sphere, fitted to it"] * 2, height=150,
            alt="A chair and a mug, each beside the sphere that was fitted to it")  # fmt: skip

# %% [markdown]
# *Idea* (Mesh R-CNN, Gkioxari et al. 2019): let another network find the topology. Predict voxels
# first; their surface is the template, and its vertices are moved as before. We have a network that
# predicts voxels: `refine` copies the one of section 5.3, freezes it and adds the two steps.

# %%
viz.network(["picture", "encoder, voxels (5.3, frozen)", "marching cubes", "template",
             "… move", "… move", "mesh"],
            alt="The network for voxels gives the template, which moves twice.")  # fmt: skip

# %%
torch.manual_seed(0)
networks["mesh"] = rec.refine(networks["voxels"], vertex_image_features)
curves["mesh"] = fit(networks["mesh"], mesh_step, draw_mesh, "mesh from voxels",
                     peak=1e-3, count=8, seconds=45, steps=MESH_STEPS)  # fmt: skip

# %% [markdown]
# *What to see:* what holes and handles the voxels have are there from the start, and so are the voxels'
# mistakes: a leg that is missing in the template is no part that can be moved into place. What the two
# steps still gain shows in the table of section 5.8.
#
# > **Slide check.** The slides show the networks as equals that take a picture and nothing
# > else. The mesh network takes more: to look at the picture it must know the *camera*. Pixel2Mesh
# > and Mesh R-CNN are given its focal length, too.

# %% [markdown]
# ## 5.6 An implicit function: ask about any point
# *Idea* (Occupancy Networks, Mescheder et al. 2019): do not output a shape, *be* one. A small
# network takes a point $x \in \mathbb{R}^3$ and says whether it lies inside. The surface is where
# it changes its mind; marching cubes (at the end of this section) makes a mesh of any resolution from it.

# %%
viz.network(["x\n(3)", "sines\n27", "linear\n128", "4 × normalise, modulate, ReLU, linear",
             "1 logit"],
            aside="code (128)", given=[3],
            alt="A point becomes sines, features and one logit, modulated by the code.")  # fmt: skip

# %% [markdown]
# How does it know which shape? Through **conditional batch normalisation**. An ordinary batch
# normalisation scales and shifts its normalised activations $\hat x$ by learnt numbers. Here these
# numbers come from the picture's code:
#
# $$y = (1 + \gamma(c))\, \hat x + \beta(c)$$
#
# - $\hat x$: activations of $n$ query points, (b, n, channels), normalised per channel;
# - $\gamma(c), \beta(c)$: (b, channels) each, two linear functions of the code $c$.
#
# **Exercise [[modulate]].** Write `modulate`.

# %% [exercise] modulate

# %%
from course_lib.reconstruction.training import implicit_step

torch.manual_seed(0)
networks["implicit"] = rec.FromImage(rec.ImplicitDecoder(modulate))
curves["implicit"] = fit(networks["implicit"], implicit_step, draw_mesh, "implicit")

# %% [markdown]
# It learns by cross-entropy from 512 points per picture and step, about half of them near the surface:
# most of space is boring. But to *see* the shape one has to ask tens of thousands of times, which is why
# its previews take longest.
#
# ### From a function to its surface: marching squares, marching cubes
# How do the answers at many points become a mesh? First in two dimensions. A square cell knows the values at
# its four corners, negative inside. Where the ends of an edge differ in sign, the curve crosses it; if
# the function is nearly linear there, at the share $a / (a - b)$ of the way, with $a$, $b$ the values at its ends. Two
# crossings: join them. Four: two corners are cut off, and one has to *decide* which two.


# %%
def march_square(values):
    """The curve in a cell: values (4,) at (0, 0), (1, 0), (1, 1), (0, 1) -> ends of segments (k, 2, 2)."""
    corners, ends = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]), []
    for k, after in enumerate((1, 2, 3, 0)):
        if (values[k] < 0) != (values[after] < 0):
            share = values[k] / (values[k] - values[after])
            ends.append(corners[k] + share * (corners[after] - corners[k]))
    if len(ends) == 4 and (values[0] < 0) != (sum(values) < 0):
        ends = ends[-1:] + ends[:-1]  # the middle is not like corner 0: cut off corners 0 and 2
    return np.array(ends).reshape(-1, 2, 2)


# %%
def draw_cells(values, size):
    """A picture of the curve in all cells of a lattice of values (n + 1, n + 1), with its corners."""
    n = len(values) - 1
    picture = Image.new("RGB", (size, size), "white")
    pen, place = ImageDraw.Draw(picture), size * (0.15 + 0.7 * np.linspace(0, 1, n + 1))
    for i in range(n):
        for j in range(n):
            cell = [values[i, j], values[i + 1, j], values[i + 1, j + 1], values[i, j + 1]]
            for segment in march_square(cell) * 0.7 * size / n + (place[i], place[j]):
                pen.line([tuple(end) for end in segment], fill="#D55E00", width=3)
    dot = 0.06 * size / n
    for i, j in np.ndindex(values.shape):
        box = (place[i] - dot, place[j] - dot, place[i] + dot, place[j] + dot)
        pen.ellipse(box, fill="#0072B2" if values[i, j] < 0 else "white", outline="#0072B2")
    return np.asarray(picture)[::-1]  # y upwards


# %%
cases = [[-1.0 if case >> k & 1 else 1.0 for k in range(4)] for case in range(16)]
cases += [[-2.0, 1, -2, 1], [1, -2.0, 1, -2]]  # cases 5 and 10 again, their middle inside
squares = [np.array([[a, d], [b, c]]) for a, b, c, d in cases]
viz.gallery([draw_cells(square, 90) for square in squares],
            [*(f"case {case}" for case in range(16)), "5, joined", "10, joined"], columns=9,
            alt="All sixteen cases of marching squares: none, one corner cut off, two beside each other, "
                "two opposite ones in two ways. Full dots are inside.")  # fmt: skip

# %%
curves2d = []
for n in (6, 12, 24):
    x, y = np.meshgrid(*[np.linspace(-1, 1, n + 1)] * 2, indexing="ij")
    holes = np.minimum(np.hypot(x - 0.35, y - 0.1), np.hypot(x + 0.3, y + 0.35)) - 0.22
    curves2d.append(draw_cells(np.maximum(np.hypot(x, y) - 0.85, -holes), 260))
viz.gallery(curves2d, [f"{n} × {n} cells" for n in (6, 12, 24)],
            alt="A disc with two holes, drawn from coarse, finer and fine cells.")  # fmt: skip

# %% [markdown]
# *What to see:* sixteen cases, of which 5 and 10 are **ambiguous**: the four signs do not say whether the inside is
# one piece or two. Here the mean of the corners decides, as the value in the middle. Neighbouring cells see the same
# two values on their common edge, so they agree where it is crossed, and the curve has no gaps.
#
# **Marching cubes** (Lorensen and Cline 1987) does the same with cubes: eight corners, $2^8 = 256$
# cases (15 basic ones, turned or with inside and outside exchanged), and a table that lists triangles in place of
# segments. There the ambiguity is worse: if two cubes decide differently about the face they share, the surface
# has a *hole*, as that first table does here and there. The library's `meshes.grid_to_mesh` uses
# the larger table of Lewiner et al. (2003), by scikit-image, whose surfaces are closed.

# %%
series = {}
for kind in ("voxels", "points", "mesh from a sphere", "implicit"):
    losses = curves[kind]
    width = min(15, len(losses))
    mean = np.convolve(losses, np.ones(width) / width, mode="valid")  # of 15 steps each
    series[kind] = (np.arange(len(mean)) + 1, mean / mean[0])
viz.line_chart(series,
               x="step", y="loss, first = 1", log_y=True,
               alt="The four losses over the steps, each divided by its first value")  # fmt: skip

# %% [markdown]
# *What to see:* all four fall, but the losses have different units and cannot be compared. For that
# we need one measure for all. (The mesh from voxels is left out: it begins where the voxels end.)

# %% [markdown]
# ## 5.7 What must a network beat, and what can it reach?
# Numbers mean little alone. Three kinds of neighbours make them readable:
#
# - **mean shape**: the same answer to every picture. Whoever does not beat it has learnt nothing of the
#   single picture;
# - **retrieval**: the shape of the most similar *training* picture. It does not reconstruct at all,
#   yet Tatarchenko et al. (2019, "What do single-view 3D reconstruction networks learn?") found that
#   it rivalled the networks of its time;
# - **limits**: the truth itself, squeezed into a representation: into 32³ voxels of 0 and 1, or into
#   1,024 points. (Numbers *between* 0 and 1 can say where in a voxel the surface lies, and do better.)
#
# **Exercise [[retrieve]].** Write `retrieve`: for each query picture the index of the nearest picture of the
# gallery, by the sum of squared differences over all channels and pixels.

# %% [exercise] retrieve

# %%
from course_lib.reconstruction.score import LIMITS, by_mean_shape, by_network, by_retrieval, score

indices = range(budget(24, 2))
table = {}
baseline = {"mean shape": by_mean_shape(train), "retrieval": by_retrieval(train, retrieve)}
for name, predict in (baseline | LIMITS).items():
    table[name] = score(predict, test, indices)
for kind, network in networks.items():
    table[f"{kind}, trained here"] = score(by_network(network.cpu().eval()), test, indices)

# %% [markdown]
# ## 5.8 The comparison
# For each decoder there is also a **checkpoint** in `assets`: the same network, trained longer
# (`python -m course_lib assets reconstruction` makes it again).

# %%
from course_lib.reconstruction.training import load_network

KINDS = ("voxels", "points", "mesh", "implicit")
shipped = {kind: load_network(kind, asset(f"reconstruction/{kind}.pt")) for kind in KINDS}
for kind, network in shipped.items():
    table[f"{kind}, checkpoint"] = score(by_network(network), test, indices)
rows = []
for name, s in table.items():
    network = networks.get(name.split(",")[0])
    count = sum(p.numel() for p in network.parameters()) / 1e6 if network else None
    numbers = [s["iou"], 1000 * s["chamfer"], s["f_score"], s["normals"]]
    numbers = [f"{number:.3f}" if number == number else "–" for number in numbers]
    rows.append([name, *numbers, f"{count:.1f} M" if count else "–"])
viz.table(rows, ["answer", "IoU", "1000 × Chamfer", "F @ 0.05", "normals", "parameters"],
          f"{len(indices)} held-out shapes, one picture each")  # fmt: skip

# %% [markdown]
# IoU at 32³; Chamfer squared, both directions added; F-score at 0.05, where shapes measure up to 2;
# normal consistency from 0 to 1. Points have no inside and no normals of their own: their IoU is that of
# balls around them.
#
# *What to see:*
# - The mean shape is what anyone must beat, and in this table the sphere, after so few steps, beats it
#   by the least. Retrieval is a strong rival (one reason may be that the families are simple). In this
#   table voxels, refined mesh and implicit function, trained here, pass it, and points in Chamfer
#   distance only. The checkpoints are ahead in Chamfer distance, all of them. (They have seen 6,400
#   shapes, while this retrieval searches 700: the second table below is the fairer one.)
# - In this table the limits lie far above voxels and points trained here: what stops these two is mostly
#   what they know, not their representation. The points' checkpoint is far from its limit, too. That of
#   the voxels is nearer. In F-score more is missing for want of knowledge than for want of voxels.
# - The mesh checkpoint has a better Chamfer distance and normals than the voxels that it refines, and as
#   a rule a better F-score, all by little. Its loss knows no IoU.
# - Measures need not agree about the order. Of the four the points have the lowest IoU: it is that of
#   balls around them, with nothing between. And though Chamfer is what they were trained on, their
#   checkpoint does not lead there, either.
#
# How far can such a mean be trusted? The checkpoints were trained three times from other random
# numbers, on 6,400 shapes of two views. All rows are scored on the same test shapes, more than above,
# and here retrieval searches the same 12,800 pictures that the networks saw:

# %%
import json

stored = json.loads(asset("reconstruction/scores.json").read_text())
rows = []
for name, seeds in stored["scores"].items():
    row = [name]
    for measure, scale in (("iou", 1), ("chamfer", 1000), ("f_score", 1), ("normals", 1)):
        values = scale * torch.tensor([scores[measure] for scores in seeds])
        spread = f" ± {values.std():.3f}" if len(seeds) > 1 else ""
        row.append(f"{values.mean():.3f}{spread}" if values.isfinite().all() else "–")
    rows.append(row)
viz.table(rows, ["answer", "IoU", "1000 × Chamfer", "F @ 0.05", "normals"],
          f"Mean over {stored['test shapes']} test shapes, ± spread of three trainings")  # fmt: skip

# %% [markdown]
# ### The published table
# ShapeNet, 13 classes, one picture of 137 × 137 pixels (Mescheder et al. 2019, "Occupancy
# networks", table 1; for ONet the figures that the authors' repository gives in place of the paper's
# 0.571, 0.215, 0.834, from training without augmented pictures):
#
# | network | IoU | Chamfer-L1 | normal consistency |
# |---|---|---|---|
# | 3D-R2N2 (voxels) | 0.493 | 0.278 | 0.695 |
# | PSGN (points) | – | 0.215 | – |
# | Pixel2Mesh (mesh) | 0.480 | 0.216 | 0.772 |
# | AtlasNet (patches) | – | 0.175 | 0.811 |
# | ONet (implicit) | 0.593 | 0.194 | 0.840 |
#
# > **Do not compare the two tables.** Theirs has real-looking furniture, cars and ships, ours six
# > families of simple parts. Their IoU is measured at random points in space, ours at voxel centres; their
# > Chamfer-L1 takes plain distances, is half of the sum of both ways, and counts in tenths of the
# > longest side. The same two
# > clouds have very different numbers in different conventions (notebook 4). What can be compared is the *order* in a
# > table, and even that changes from measure to measure.

# %% [markdown]
# ## 5.9 Where it fails
# Averages hide failures. For each network the test shape with the lowest F-score, of those that are not shown yet:

# %%
from course_lib.reconstruction import evaluate

pictures, titles, shown, hardness = [], [], set(), []
for kind, network in shipped.items():
    answers = [reconstruct(network, test[index * test.views]) for index in indices]
    values = [evaluate(sampled, baselines.truth(test[index * test.views]))["f_score"]
              for index, (_, sampled) in enumerate(answers)]  # fmt: skip
    hardness.append(np.argsort(np.argsort(values)))  # the rank of each shape, hardest first
    worst = min(set(indices) - shown, key=lambda index: values[index], default=0)
    shown.add(worst)
    item = test[worst * test.views]
    pictures += [
        item["image"].permute(1, 2, 0).numpy(),
        viz.render_mesh(answers[worst][0], **LOOK),
        viz.render_mesh(baselines.voxel_limit(item), **LOOK),
    ]
    titles += [f"{kind}: picture", f"prediction, F {values[worst]:.2f}", "truth"]
viz.gallery(pictures, titles, height=130, columns=6,
            alt="A bad prediction of each network, beside the picture and the true shape")  # fmt: skip
agreement = np.corrcoef(hardness)
print(f"correlation of the ranks, mean of the pairs: {agreement[np.triu_indices(4, 1)].mean():.2f}")

# %% [markdown]
# *What to see:* the networks largely agree which shapes are hard (voxels and mesh almost fully, as one
# refines the other; the points least), which is why each may show only one that no other has shown.
# Arm rests, engines, tails, shelves, legs and backs, these parts taken together, are missed more often
# than the others. (Thinness alone is not why: a lamp's pole is nearly always there.) Ask of each: does the
# picture show what is missing?

# %% [markdown]
# ## 5.10 What is seen and what is guessed
# *Predict:* is the error on the **visible** part of the surface smaller than on the hidden part? By
# which factor?
#
# A point of the true surface is visible if nothing lies before it. The data set has a depth map for
# every picture (how far away the surface is that each pixel shows; 0 where it shows nothing).
#
# **Exercise [[visible_points]].** Write `visible_points`: project the points; a point is seen if the
# pixel in which it falls lies in the picture, shows something, and the point is at most 0.04 deeper than
# what the pixel shows.

# %% [exercise] visible_points

# %%
from course_lib.data.shape_records import FOCAL
from course_lib.neighbors import nearest_neighbors


def distances(points, others):
    return nearest_neighbors(points[None], others[None])[0][0].sqrt()


bars = {"visible": {}, "hidden": {}, "floor: the truth, sampled again": {}}
for kind, network in shipped.items():
    errors = {part: [] for part in bars}
    for index in indices:
        item = test[index * test.views]
        points, predicted = item["points"], reconstruct(network, item)[1].points
        seen = visible_points(points, item["camera"], item["depth"], FOCAL)
        error = distances(points, predicted)
        # Every other true point against the rest; n points on a surface lie about n^(-1/2) apart.
        floor = distances(points[::2], points[1::2]) * (len(points) / 2 / len(predicted)) ** 0.5
        for part, values in zip(bars, (error[seen], error[~seen], floor), strict=True):
            errors[part].append(values)
    for part, values in errors.items():
        bars[part][kind] = torch.cat(values).mean().item()
viz.bar_chart(bars, y="mean distance to the prediction",
              alt="Mean distance from true surface points to the prediction, visible and hidden, and the "
                  "distance that a second sample of the truth would have")  # fmt: skip

# %% [markdown]
# *What to see:* most of each bar is the **floor**, the distance that even a perfect shape has, because
# points are compared with points (the point network draws only 1,024). The error above the floor is less
# than twice as large on the hidden part as on the visible one. Single shapes differ: for many it is
# smaller there, for a few more than twice as large. (For the point network so little lies above it that
# the factor says nothing.) So the networks do not seem to carve the visible surface and then continue
# it, but to *recognise* the object and draw it as a whole from memory, seen and unseen parts alike. That
# would also explain why retrieval is so strong a rival.

# %% [markdown]
# ## 5.11 Explorer: one picture, four shapes
# Pick a shape and a view. The four networks (the checkpoints) answer; turn the shapes with the mouse.


# %%
def four_shapes(shape, view):
    item = test[shape * test.views + view]
    scenes = [viz.Scene(reconstruct(shipped[kind], item)[0], title=kind)
              for kind in ("voxels", "mesh", "implicit")]  # fmt: skip
    with torch.no_grad():
        cloud = shipped["points"](item["image"][None])[0]
    scenes.insert(1, viz.Scene(cloud, title="points"))
    picture = item["image"].permute(1, 2, 0).repeat_interleave(3, 0).repeat_interleave(3, 1)
    return [picture.numpy(), *scenes]


explorer = widgets.explore(
    four_shapes, {"shape": (0, len(test.names) - 1, 0), "view": (0, test.views - 1, 0)},
    alt="A test picture, and the shapes that four networks make of it: voxels, points, mesh, implicit",
    bounds=torch.tensor([[-0.9] * 3, [0.9] * 3]), size=175)  # fmt: skip

# %% [markdown]
# *Try:* go through the views of one mug. When does the handle appear? Go through the views of a
# chair: which network changes its mind most?

# %% [markdown]
# ## 5.12 Your own picture
# Put a PNG or JPEG beside this notebook and write its name into `MINE`. Any size, colour or grey, with
# or without transparency; best is one object on a plain background, seen from slightly above.
# `load_photo` cuts it out (if its background is plain or transparent), centres it and puts it on white.
# Here the "photo" is one that we damage first: enlarged to 400 × 400 pixels, grey, on a grey background,
# 16 bits per pixel.

# %%
import tempfile

from course_lib.data.photo import load_photo

MINE = Path("my_photo.png")
if not MINE.exists():
    rgba = Image.fromarray(test.fields["image"][0, 1].permute(1, 2, 0).numpy())
    grey = Image.alpha_composite(Image.new("RGBA", rgba.size, (190, 190, 190, 255)), rgba).convert(
        "L"
    )
    deep = np.asarray(grey.resize((400, 400))).astype(np.uint16) * 257
    MINE = Path(tempfile.gettempdir()) / "example_photo.png"
    Image.fromarray(deep).save(MINE)
photo = load_photo(MINE)
mine = {"image": photo, "camera": test.fields["camera"][0, 1]}  # only the mesh needs a camera
answers = [viz.render_mesh(reconstruct(network, mine)[0], **LOOK) for network in shipped.values()]
viz.gallery([photo.permute(1, 2, 0).numpy(), *answers], ["photo", *shipped], height=150,
            alt="A grey photo of a chair, and what the four networks make of it")  # fmt: skip

# %% [markdown]
# A network that was trained on rendered toys will not understand a real photo of your kitchen. Try it,
# and look at what it answers: it knows its six families only, and scraps and mixtures of them. What
# would it take to do better? (Other data above all: real textures, real backgrounds, more families.)
# Files that are no pictures are refused in words:

# %%
import textwrap

try:
    load_photo(b"this is not a picture")
except ValueError as error:
    print(textwrap.fill(f"ValueError: {error}", 66))

# %% [markdown]
# ## 5.13 The full-size run on a GPU
# With a GPU the same loop can train far longer. This cell does nothing on a CPU. On a Colab T4 we
# estimate 6 minutes for the data (the CPU makes it) and 5 minutes for the training.

# %%
if DEVICE == "cuda" and not FAST:
    train = SingleView.generate("train", 6000, cache=Path(".cache"))
    torch.manual_seed(0)
    big = rec.FromImage(rec.VoxelDecoder(grow))
    fit(
        big,
        lambda n, b: occupancy_loss(n(b["image"]), b["occupancy"]),
        draw_mesh,
        "full size",
        count=128,
        seconds=300,
        steps=None,  # as many as there is time for
    )
    print({m: round(v, 3) for m, v in score(by_network(big.cpu().eval()), test, indices).items()})
else:
    print("No GPU here (or a test run): the full-size run is skipped.")

# %% [markdown]
# ## 5.14 What to remember
# - One encoder, four decoders: the representation decides much of the loss, the cost and the failures.
# - Voxels and the implicit function have an inside and any topology; points are light but have no
#   surface; the mesh is closed but keeps the topology of its template.
# - Always show the mean shape, retrieval and the limits beside a network.
# - Much of what single-view networks do may be recognition: the hidden part can only be remembered, not
#   seen.
#
# The same data set class reads your own ShapeNet renderings:
# `course_lib.data.shapenet_folder.read_folder(path)`. Next: notebook 6 turns the arrow round, from shapes
# to pictures.

# %%
progress()
