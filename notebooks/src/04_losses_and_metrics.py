# %% [markdown]
# # 4 · Losses and metrics
# **You will be able to** say how far apart two shapes are, in six ways that disagree; write the
# losses that a network learns from; fit a mesh to a scan and say what each regulariser prevents;
# and read published numbers without being fooled by a convention.
#
# *About 90 minutes with the exercises, 30 without. You need tensors and gradients (PyTorch);
# notebook 3 helps, but is not needed. Runs in about 2 minutes on two CPU cores, and as long on a Colab
# T4 (an estimate, not measured): the steps are small.*

# %% [setup]

# %% [markdown]
# Some helpers are given: `nearest_neighbors` finds the closest points of another cloud (and
# `mutual_nearest_neighbors` does so in both directions at once), `hinges` the pairs of faces that share
# an edge, `unit` scales vectors to length 1, and `centres` lists the centres of a voxel grid. The
# reference solutions also use small ones that keep values and gradients finite: `safe_divide(a, b,
# otherwise=0.0)` is `otherwise` where b is 0; `square_root(x)` has no infinite gradient at 0;
# `cross_or_zero(u, v)` and `cosine_or_flat(a, b)` also take faces without area. And `gather_rows(values,
# indices)` fetches row `indices[b, i]` of each `values[b]`. You may do without them.

# %%
from course_lib import losses, meshes, metrics, shapes, viz, widgets
from course_lib.losses import gather_rows, hinges
from course_lib.neighbors import mutual_nearest_neighbors, nearest_neighbors
from course_lib.running import Budget, budget
from course_lib.stable import cosine_or_flat, cross_or_zero, safe_divide, square_root, unit


def centres(r):
    """The centres of r³ voxels in [-1, 1]³: (r, r, r, 3)."""
    line = -1 + (2 * torch.arange(r) + 1) / r
    return torch.stack(torch.meshgrid(line, line, line, indexing="ij"), dim=-1)


# %% [markdown]
# ## 4.1 IoU: the overlap of volumes
# *Slide "IoU metric".* Two solids $A$ and $B$ are compared by the volume that they share:
#
# $$\mathrm{IoU}(A, B) = \frac{|A \cap B|}{|A \cup B|}$$
#
# - $A \cap B$: what lies in both; $A \cup B$: what lies in at least one of them;
# - $|\cdot|$: a volume. On a voxel grid it is the number of occupied voxels.
#
# IoU is 1 for equal solids and 0 for solids that do not meet. It has no unit. It needs an inside:
# the slide's first point is that voxels *give* us the volume. How well? A voxel counts if its
# centre lies inside; a ball of radius 0.8 has the volume $\frac{4}{3}\pi\, 0.8^3 = 2.1447$.

# %%
rows = []
for r in (32, 64, 128):
    inside = shapes.sphere(0.8)(centres(r)) < 0
    volume = inside.sum().item() * (2 / r) ** 3  # a voxel has the side 2/r
    rows.append([f"{r}³", volume, f"{100 * (volume / 2.144661 - 1):+.2f} %"])
viz.table(rows, ["grid", "volume", "error"], "The volume of a ball, counted in voxels")

# %% [markdown]
# *What to see:* a grid of 32³ gets the volume of a ball of this size right to a percent or two (here to
# half a percent): the errors along a curved surface largely cancel, as some voxels are counted too many,
# others too few. Along flat sides that follow the grid they need not: the volume of such a box may be
# off by more than 10 %.
#
# **Exercise [[iou]].** Write `iou` for a batch of grids. A grid holds True and False or numbers in
# $[0, 1]$, of which those $\ge 0.5$ count as occupied. Two empty grids agree: their IoU is 1.

# %% [exercise] iou

# %% [markdown]
# A network predicts the *probability* $a_i$ that voxel $i$ is occupied. Rounding to 0 and 1 kills the
# gradient, so one trains with a *soft* IoU. If the two grids are independent of each other, $a_i b_i$ is
# the chance that voxel $i$ lies in both, and $a_i + b_i - a_i b_i$ the chance that it lies in at least
# one, with $b_i$ the same of the other grid (0 or 1 if that is the truth):
#
# $$\mathrm{IoU}_{\mathrm{soft}}(a, b) = \frac{\sum_i a_i b_i}{\sum_i (a_i + b_i - a_i b_i)}$$
#
# **Exercise [[soft_iou]].** Write `soft_iou` for a batch of grids: one number per grid, whatever its number of
# axes. It must be differentiable. Two grids of zeros agree: 1.

# %% [exercise] soft_iou

# %% [markdown]
# ### Unkind to thin shapes
# *Predict:* a hollow ball is moved by **one voxel** of a 64³ grid, less than a twentieth of its radius.
# What is the IoU if its wall is 8 voxels thick? If it is one voxel thick?

# %%
r, rows = 64, []
for wall in (44, 8, 4, 2, 1):  # the thickness in voxels; 44 is a solid ball
    outer = 0.7 + (wall / r if wall < 44 else 0)
    walls = [meshes.icosphere(4, outer)] + [meshes.icosphere(4, 0.7 - wall / r)] * (wall < 44)
    points, _ = meshes.sample_surface(meshes.concatenate(*walls), 5000)
    ball = shapes.sphere(0.7) if wall == 44 else shapes.shell(shapes.sphere(0.7), 2 * wall / r)
    inside = ball(centres(r)) < 0
    overlap = iou(inside[None], inside.roll(1, dims=0)[None]).item()
    moved = points + torch.tensor([2 / r, 0, 0])
    mean_square = losses.chamfer_distance(points[None], moved[None]).item() / 2  # both directions
    gap = mean_square**0.5 / (2 / r)  # a length, in voxels of the side 2/r
    name = "solid" if wall == 44 else f"{wall} voxel" + "s" * (wall > 1)
    rows.append([name, overlap, gap])
caption = "A hollow ball, moved by one voxel"
viz.table(rows, ["wall", "IoU", "distance of the surfaces (root mean square), in voxels"], caption)

# %% [markdown]
# *What to see:* the surfaces are about equally close in every row: less than one voxel. IoU falls from
# 0.94 to a third, only because the wall is thin. Chairs, lamps and leaves are thin.
#
# ### Volume against surface: other insides
# A solid ball and a hollow one look the same from outside. What does each measure say?

# %%
solid, hollow = shapes.sphere(0.7), shapes.difference(shapes.sphere(0.7), shapes.sphere(0.62))
inside, shell = (solid(centres(r)) < 0)[None], (hollow(centres(r)) < 0)[None]
surface = meshes.icosphere(4, 0.7)
seen = [meshes.sample_surface(surface, 5000)[0][None] for _ in range(2)]
print(f"IoU                          {iou(inside, shell).item():.2f}")
print(f"distance of what one can see {losses.chamfer_distance(*seen).item() ** 0.5:.3f}")

# %% [markdown]
# *What to see:* IoU calls two objects that look the same very different. A distance of the surfaces that
# one can see calls them equal. (The small distance left over is that of two random samples of one
# surface.) Which is right depends on what you need: the weight of a casting, or its picture.
#
# ### IoU of clouds
# A cloud has no inside. For an IoU it must be given one first; the simplest way: a voxel counts if it
# holds a point. Here are two samples of the *same* ball. *Predict:* their IoU?

# %%
from course_lib.voxels import points_to_voxels

rows = []
for count in (500, 2000, 8000):
    clouds = [meshes.sample_surface(surface, count)[0] for _ in range(2)]
    grids = [[points_to_voxels(cloud, r)[None] for cloud in clouds] for r in (8, 16, 32, 64)]
    rows.append([count, *(iou(*pair).item() for pair in grids)])
header = ["points", "IoU at 8³", "at 16³", "at 32³", "at 64³"]
viz.table(rows, header, "Two samples of one ball, as voxels that hold a point")

# %% [markdown]
# *What to see:* the shapes are equal, and the number tells of the voxels and the count of points: the
# finer the voxels and the fewer the points, the smaller the share of this ball's voxels that both
# samples hit. State both, and what two samples of the truth reach, or use a distance between clouds
# (4.2).
#
# ### Try it
# Move two shapes apart. You see them in 3D, as a slice of their voxels with what is common in green, and
# in numbers.

# %%
PAIRS = {
    "balls": shapes.sphere(0.5),
    "cubes": shapes.box(0.9),
    "thin shells": shapes.shell(shapes.sphere(0.5), 0.08),
}
COLOURS = torch.tensor([viz.rgb(c) for c in ("#FFFFFF", "#0072B2", "#E69F00", "#009E73")])


def overlap_view(shape, distance, grid=32):
    pair = [shapes.translate(PAIRS[shape], (s * distance / 2, 0, 0)) for s in (-1.0, 1.0)]
    inside = [sdf(centres(grid)) < 0 for sdf in pair]
    surfaces = [meshes.grid_to_mesh(sdf(meshes.lattice(40))) for sdf in pair]
    points = [meshes.sample_surface(surface, 2000)[0][None] for surface in surfaces]
    code = (inside[0] + 2 * inside[1].long())[:, :, grid // 2]  # 0 none, 1 A, 2 B, 3 both
    picture = COLOURS[code.T.flip(0)].repeat_interleave(9, 0).repeat_interleave(9, 1)
    score = iou(inside[0][None], inside[1][None]).item()
    gap = losses.chamfer_distance(*points).item()
    scene = viz.Scene(*[viz.Item(surface, opacity=0.6) for surface in surfaces], title="A and B")
    return [scene, picture.numpy(), f"IoU {score:.3f} · squared Chamfer distance {gap:.4f}"]


# %%
overlap = widgets.explore(
    overlap_view,
    {"shape": list(PAIRS), "distance": (0.0, 1.0, 0.3, 0.05)},
    alt="Two shapes that overlap, in 3D and as a slice that colours A, B and what they share",
    bounds=torch.tensor([[-0.8, -0.5, -0.5], [0.8, 0.5, 0.5]]),
    size=280,
)

# %% [markdown]
# *What to see:* for these thin shells a small distance already takes most of the IoU away, and little is
# left to tell near misses from far ones. The Chamfer distance keeps growing, so it can tell an optimiser
# which way to go.

# %% [markdown]
# ## 4.2 Chamfer distance and normal loss
# *Slide "Chamfer and normal loss".* Now two **clouds** $P$ and $Q$ of points on the surfaces.
# Every point looks for its nearest neighbour in the other cloud:
#
# $$\Lambda_{P,Q} = \{(p, \arg\min_{q \in Q} \lVert p - q\rVert) : p \in P\}$$
#
# $$\mathcal{L}_{cham}(P, Q) = |P|^{-1}\!\!\sum_{(p,q) \in \Lambda_{P,Q}}\!\! \lVert p - q\rVert^2
# \;+\; |Q|^{-1}\!\!\sum_{(q,p) \in \Lambda_{Q,P}}\!\! \lVert q - p\rVert^2$$
#
# - $|P|$, $|Q|$: the numbers of points; $\lVert\cdot\rVert$: the Euclidean length;
# - $\Lambda_{P,Q}$: each $p$ with its nearest $q$; $\Lambda_{Q,P}$: each $q$ with its nearest $p$.
#
# The first sum punishes points of $P$ that are far from $Q$, the second what of $Q$ is not
# covered by $P$. It is in *squared* units of length. Turn this picture and change the direction:


# %%
def neighbour_view(points, shift, direction):
    generator = torch.Generator().manual_seed(3)
    p = unit(torch.randn(points, 3, generator=generator)) * 0.6
    q = unit(torch.randn(2 * points, 3, generator=generator)) * torch.tensor([0.9, 0.6, 0.6])
    q = q + torch.tensor([shift, 0, 0])
    start, end = (p, q) if direction.startswith("P") else (q, p)
    squared, nearest = nearest_neighbors(start[None], end[None])
    lines = torch.stack([start, end[nearest[0]]], dim=1)  # (n, 2, 3)
    items = [viz.Item(p, size=0.06), viz.Item(q, size=0.06), viz.Item(lines, color="#444444")]
    return [
        viz.Scene(*items, title="P blue, Q orange"),
        f"mean squared length {squared.mean():.4f}",
    ]


lines = widgets.explore(
    neighbour_view,
    {"points": (5, 80, 25), "shift": (0.0, 1.0, 0.3, 0.05), "direction": ["P → Q", "Q → P"]},
    alt="Two clouds, and a line from every point to its nearest neighbour in the other cloud",
)

# %% [markdown]
# *What to see:* several points may choose the same neighbour, and the two directions choose
# different lines: $\Lambda_{Q,P}$ is not $\Lambda_{P,Q}$ turned round.
#
# **Exercise [[chamfer_distance]].** Write `chamfer_distance(p, q)` for batches. `nearest_neighbors(p, q)` returns
# the squared distances, (b, n), and the indices of the neighbours, (b, n).

# %% [exercise] chamfer_distance

# %% [markdown]
# Three values that can be found by hand: a cloud and itself give 0; a lattice shifted by 0.1 gives
# $0.1^2 + 0.1^2 = 0.02$; the corners of the unit cube against a cube 1.1 times as large, with one corner
# in common, give 0.03.

# %%
lattice = torch.cartesian_prod(*[torch.arange(4.0)] * 3)[None]
corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)[None]
shifted = lattice + torch.tensor([0.1, 0, 0])
print(f"itself           {chamfer_distance(lattice, lattice).item():.4f}")
print(f"shifted lattice  {chamfer_distance(lattice, shifted).item():.4f}")
print(f"larger cube      {chamfer_distance(corners, 1.1 * corners).item():.4f}")

# %% [markdown]
# > **Slide check.** The slide prints the second sum **without** $|Q|^{-1}$. The paper it comes
# > from (Gkioxari, Malik & Johnson 2019, *Mesh R-CNN*, eq. 1) has it. As printed, the second term
# > grows with the number of points, and the "distance" between two fixed surfaces depends on how
# > densely we happen to sample one of them.

# %%
counts, paper, printed = [250, 500, 1000, 2000, 4000], [], []
inner, outer = meshes.icosphere(4, 0.7), meshes.icosphere(4, 0.8)
p = meshes.sample_surface(inner, 1000)[0][None]
for count in counts:
    q = meshes.sample_surface(outer, count)[0][None]
    paper.append(chamfer_distance(p, q).item())
    forth, back = nearest_neighbors(p, q)[0], nearest_neighbors(q, p)[0]
    printed.append((forth.mean() + back.sum()).item())
viz.line_chart(
    {"paper: both means": (counts, paper), "as printed: mean + sum": (counts, printed)},
    x="number of points |Q|",
    y="value of the formula",
    log_x=True,
    log_y=True,
    alt="The paper's formula falls a little with |Q|; the printed one grows in proportion to it.",
)

# %% [markdown]
# *What to see:* with sixteen times more points in $Q$ the printed value is nearly sixteen times larger
# here, although the two balls stay as they are. The paper's formula falls by about a quarter: with few
# points their spacing adds to it.
#
# **Question [[printed_chamfer]].** $P$ has 1000 points, $Q$ has 2000. Every point is exactly 0.1 away from its
# nearest neighbour. Which number does the formula *as printed on the slide* give?

# %% [exercise] printed_chamfer

# %% [markdown]
# ### Normals
# Chamfer sees where the points are, not how the surface is turned. The normal loss compares the
# unit normals $u_p$, $u_q$ (the directions in which the surface faces) of the same pairs:
#
# $$\mathcal{L}_{norm}(P, Q) = -|P|^{-1}\!\!\sum_{(p,q) \in \Lambda_{P,Q}}\!\! |u_q \cdot u_p|
# \;-\; |Q|^{-1}\!\!\sum_{(q,p) \in \Lambda_{Q,P}}\!\! |u_p \cdot u_q|$$
#
# $u_p \cdot u_q$ is the cosine of the angle between the normals. Its absolute value forgives
# normals that point the other way. The loss lies between $-2$ (all parallel) and 0 (all at 90°).
#
# **Exercise [[normal_loss]].** Write `normal_loss`. The pairs come from the *positions*.

# %% [exercise] normal_loss

# %%
truth = meshes.icosphere(5, 0.8)
p, u = (x[None] for x in meshes.sample_surface(truth, 5000))
rows, pictures = [], []
for height in (0.0, 0.005, 0.01, 0.02):
    ripples = 1 + height * torch.sin(40 * truth.vertices[:, :2]).prod(dim=1, keepdim=True)
    rippled = meshes.Mesh(truth.vertices * ripples, truth.faces)
    q, w = (x[None] for x in meshes.sample_surface(rippled, 5000))
    rows.append([height, chamfer_distance(p, q).item(), normal_loss(p, q, u, w).item()])
    pictures.append(viz.render_mesh(rippled, size=200))
viz.gallery(
    pictures,
    [f"ripples of {row[0]}" for row in rows],
    alt="Four balls with higher and higher ripples.",
)
viz.table(rows, ["height", "Chamfer", "normal loss"], "A rippled ball against a smooth one")

# %% [markdown]
# *What to see:* the eye sees the ripples at once, because light depends on the normals. The normal loss
# rises by 0.1 at the highest ripples. Chamfer rises by less than a fifth of what two samples of the
# *same* ball differ by: these ripples are lower than the distance between the sampled points.

# %% [markdown]
# ## 4.3 Edge loss, and a fit
# *Slide "Edge loss".* From here on the loss knows the mesh: vertices $V$ and edges $E$.
#
# $$\mathcal{L}_{edge}(V, E) = \frac{1}{|E|} \sum_{(v, v') \in E} \lVert v - v'\rVert^2,
# \qquad E \subseteq V \times V$$
#
# $(v, v')$ are the two ends of an edge; each edge counts once; $|E|$ is the number of edges. The loss is
# a *regulariser*: it does not know the target at all. It only says what a good mesh looks like.
#
# **Exercise [[edge_loss]].** Write `edge_loss`.

# %% [exercise] edge_loss

# %% [markdown]
# ### The experiment of this notebook: a sphere becomes a rabbit
# The target is a scan: 2000 points with noisy positions and normals, from a shape that the fit
# does not see. We start from a ball of 642 vertices and move its vertices until the losses are
# small. In every step 1000 fresh points are drawn from the current mesh, in a way that lets the
# gradient through to the vertices.

# %%
rabbit = shapes.smooth_union(
    shapes.sphere(0.5, (0, -0.4, 0)), shapes.sphere(0.34, (0, 0.22, 0.12)), 0.15
)
for side in (-1, 1):
    ear = shapes.capsule((0.14 * side, 0.45, 0.1), (0.3 * side, 0.85, 0.0), 0.09)
    rabbit = shapes.smooth_union(rabbit, ear, 0.08)
target = meshes.grid_to_mesh(rabbit(meshes.lattice(64)))
generator = torch.Generator().manual_seed(0)
scan, scan_normals = meshes.sample_surface(target, 2000, generator=generator)
scan = (scan + 0.02 * torch.randn(scan.shape, generator=generator))[None].to(DEVICE)
scan_normals = unit(scan_normals + 0.2 * torch.randn(2000, 3, generator=generator))[None].to(DEVICE)
start = meshes.icosphere(3, 0.5).to(DEVICE)
look = {"bounds": viz.frame_bounds(target), "size": (320, 220)}
viz.gallery(
    [
        viz.render_mesh(target, **look),
        viz.render_points(scan[0], point_size=0.03, **look),
        viz.render_mesh(start, wire=True, **look),
    ],
    ["the shape behind it", "the scan", "the start"],
    alt="A rabbit made of balls and capsules; 2000 noisy points on it; a ball.",
)

# %%
TERMS = {
    "Chamfer": lambda mesh, points, normals: chamfer_distance(points, scan),
    "normal": lambda mesh, points, normals: normal_loss(points, scan, normals, scan_normals),
    "edge": lambda mesh, points, normals: edge_loss(mesh.vertices, start.edges),
}


def fit(weights, steps):
    """Move the vertices of `start` until the weighted sum of TERMS is small."""
    vertices, generator = start.vertices.clone().requires_grad_(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam([vertices], lr=0.02)
    for step in steps:
        optimizer.param_groups[0]["lr"] = 0.02 * 0.985**step
        mesh = meshes.Mesh(vertices, start.faces)
        points, normals = (x[None] for x in meshes.sample_surface(mesh, 1000, generator=generator))
        active = [name for name, weight in weights.items() if weight > 0]
        loss = sum(weights[name] * TERMS[name](mesh, points, normals).sum() for name in active)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return meshes.Mesh(vertices.detach(), start.faces)


# %% [markdown]
# *Predict:* what will the mesh look like if only the points matter? *Time: about 5 s on two CPU cores,
# about the same on a Colab T4 (an estimate, not measured).*

# %%
STEPS = budget(200, 5)
alone = fit({"Chamfer": 1.0}, Budget(STEPS, seconds=45, label="Chamfer alone"))
edged = fit({"Chamfer": 1.0, "edge": 0.1}, Budget(STEPS, seconds=45, label="with edge loss"))
viz.gallery(
    [viz.render_mesh(mesh, wire=True, **look) for mesh in (alone, edged)],
    ["Chamfer alone", "Chamfer + 0.1 · edge loss"],
    alt="Without the edge loss the surface is crumpled; with it the triangles are more even.",
)
for name, mesh in (("Chamfer alone", alone), ("with edge loss", edged)):
    points = meshes.sample_surface(mesh, 5000)[0][None]
    loss = 1e4 * chamfer_distance(points, scan).item()
    edge = edge_loss(mesh.vertices, start.edges).item()
    print(f"{name:15} 10⁴ · Chamfer to the scan {loss:.1f}, edge loss {edge:.4f}")

# %% [markdown]
# *What to see:* both lie close to the scan. Alone, the Chamfer distance does not care how the
# points are connected, and the mesh crumples. The edge loss acts like springs of rest length 0.
# Too strong, they pull the whole surface together: try the slider. Each move runs a fit of 40
# steps, which takes a second or two.


# %%
def edge_view(edge_weight):
    mesh = fit({"Chamfer": 1.0, "edge": edge_weight}, range(budget(40, 2)))
    points = meshes.sample_surface(mesh, 2000)[0][None]
    text = f"10⁴ · Chamfer to the scan {1e4 * chamfer_distance(points, scan).item():.1f}"
    return [viz.Scene(viz.Item(mesh, wire=True), title=f"edge weight {edge_weight:.3g}"), text]


springs = widgets.explore(
    edge_view,
    {"edge_weight": widgets.log_slider(0.001, 10, 0.1)},
    **look,
    alt="The ball after 40 steps of fitting, for an edge weight to choose",
)

# %% [markdown]
# ## 4.4 Smooth loss
# *Slide "Smooth loss".* Every edge inside the surface joins two faces, like a hinge:
#
# $$\mathcal{L}_{sm}(x) = \sum_{\theta_i \in \mathcal{E}} (\cos\theta_i + 1)^2$$
#
# $\theta_i$ is the **dihedral angle** of edge $i$: the angle between its two faces, measured
# *through* the edge; $\mathcal{E}$ are the angles of all interior edges; $x$ are the vertices.
# Flat is $\theta = \pi$, where $\cos\theta = -1$ and the edge costs nothing.

# %%
pictures, titles = [], []
faces = torch.tensor([[0, 1, 2], [1, 0, 3]])
for degrees in (180, 135, 90, 30):
    angle = torch.tensor(degrees * torch.pi / 180)
    flap = torch.stack([angle.cos(), angle.sin(), torch.tensor(0.0)])
    vertices = torch.cat([torch.tensor([[0.0, 0, -1], [0, 0, 1], [1, 0, 0]]), flap[None]])
    hinge = meshes.Mesh(vertices, faces)
    colors = torch.tensor([viz.rgb("#0072B2"), viz.rgb("#E69F00")])
    pictures.append(viz.render_mesh(hinge, colors=colors, size=180, view=(25, 30)))
    titles.append(f"θ = {degrees}°, costs {losses.smooth_loss(vertices, faces).item():.2f}")
viz.gallery(pictures, titles, alt="Two triangles joined by an edge, flat and more and more folded.")

# %% [markdown]
# > **Slide check.** The slide does not say which angle $\theta$ is. With the angle between the two
# > *normals*, which is $\pi - \theta$, a flat sheet would cost $(1 + 1)^2 = 4$ per edge and a
# > surface folded back onto itself nothing. Only the angle through the edge makes sense.
#
# To find $\cos\theta$, let $e$ run along the edge and $a$, $b$ from its start to the two corners
# beside it. The vectors $e \times a$ and $e \times b$ are perpendicular to the edge, turned by the
# same 90° away from the two faces. So the angle between them is $\theta$.
#
# **Exercise [[smooth_loss]].** Write `smooth_loss(vertices, faces)`. `hinges(faces)` returns for each interior
# edge (start, end, one corner, other corner), and `unit` makes vectors of length 1.

# %% [exercise] smooth_loss

# %%
rows = []
solids = {
    "cube": (meshes.box(2.0), "12 · (0 + 1)² = 12"),
    "tetrahedron": (meshes.tetrahedron(), "6 · (1/3 + 1)² = 32/3"),
    "flat sheet": (meshes.sheet(2.0, 8), "0"),
    "cube, every face cut in four": (meshes.subdivide(meshes.box(2.0)), "24 · 1 = 24"),
    "ball, 320 faces": (meshes.icosphere(2), None),
    "ball, 1280 faces": (meshes.icosphere(3), None),
}
for name, (mesh, by_hand) in solids.items():
    rows.append([name, len(mesh.edges), smooth_loss(mesh.vertices, mesh.faces).item(), by_hand])
viz.table(rows, ["mesh", "edges", "smooth loss", "by hand"], "The smooth loss of some meshes")

# %% [markdown]
# *What to see:* the values found by hand. A cube's six face diagonals are flat and cost nothing. Cutting
# its faces in four doubles the loss although the shape is the same: it is a **sum**. For the ball it
# falls instead, although it has four times as many edges: each fold is about half as sharp, and costs
# about a sixteenth.

# %% [markdown]
# ## 4.5 Laplacian loss
# *Slides "Laplacian loss".* "Each edge of the ball proposes an optimal new position for P": the
# middle of the neighbours. What separates a vertex from there is
#
# $$\delta_p = p - \frac{1}{|\mathcal{N}(p)|} \sum_{k \in \mathcal{N}(p)} k,
# \qquad \mathcal{U}(p) = \frac{1}{n} \sum_{i=0}^{n-1} p_i - p = -\delta_p$$
#
# - $\mathcal{N}(p)$: the neighbours of $p$, the vertices that share an edge with it; $|\mathcal{N}(p)|
#   = n$: how many they are; $p_0 \dots p_{n-1}$ are the same neighbours, numbered;
# - $\delta_p$: the **Laplacian coordinates** of $p$, a vector; $\mathcal{U}$: the *umbrella operator*.
#
# The loss is their mean squared length: $\mathcal{L}_{lap} = |V|^{-1} \sum_{p \in V} \lVert\delta_p\rVert^2$.
#
# > **Slide check.** The slide writes both formulas in one line as if they were equal: they have
# > opposite signs. $\mathcal{U}(p)$ says where $p$ should go, $\delta_p$ where it stands out. And
# > $\lVert\mathcal{N}(p)\rVert$ is not the length of anything, it is the number $|\mathcal{N}(p)|$.

# %%
angles = torch.tensor([0.0, 1.1, 2.0, 3.2, 4.1, 5.2])
ring = torch.stack([angles.cos(), 0.15 * (3 * angles).sin(), angles.sin()], dim=1)
fan = meshes.Mesh(
    torch.cat([torch.tensor([[0.2, 0.7, 0.1]]), ring]),
    torch.tensor([[0, (i + 1) % 6 + 1, i + 1] for i in range(6)]),
)
middle = fan.vertices[0] - losses.laplacian_coordinates(fan.vertices, fan.edges)[0]
arrow = torch.stack([fan.vertices[0], middle])[None]
vertex_view = widgets.view3d(
    viz.Item(fan, opacity=0.4, wire=True),
    viz.Item(ring, color="#E69F00", size=0.1),
    viz.Item(fan.vertices[:1], color="#D55E00", size=0.14),
    viz.Item(middle[None], color="#009E73", size=0.14),
    viz.Item(arrow, color="#009E73", size=0.04),
    alt="A vertex (red) above its six neighbours (orange), and their middle (green) below it",
)

# %% [markdown]
# *What to see:* the green line is $\delta_p$: it runs from the neighbours' middle up to $p$. It has
# two parts. The part along the normal says that the surface bends; the part within the surface
# says that the neighbours lie unevenly.
#
# **Exercise [[laplacian_coordinates]].** Write `laplacian_coordinates(vertices, edges)`: $\delta_p$ for all vertices at
# once, 0 for a vertex without neighbours. **Exercise [[laplacian_loss]].** Write `laplacian_loss` with it.

# %% [exercise] laplacian_coordinates

# %% [exercise] laplacian_loss

# %% [markdown]
# ### Smoothing, before and after
# Moving every vertex a part of the way, $p \leftarrow p - \frac{1}{2}\delta_p$, is *Laplacian
# smoothing*, the picture of the slide. Here the noise of a scan is on the rabbit's vertices.

# %%
generator = torch.Generator().manual_seed(1)
coarse = meshes.grid_to_mesh(rabbit(meshes.lattice(32)))
noisy = coarse.vertices + 0.02 * torch.randn(coarse.vertices.shape, generator=generator)


def smoothing_view(steps):
    vertices = noisy
    for _ in range(steps):
        vertices = vertices - 0.5 * laplacian_coordinates(vertices, coarse.edges)
    mesh = meshes.Mesh(vertices, coarse.faces)
    text = f"step {steps}: volume {mesh.volume().item():.3f} of {target.volume().item():.3f}"
    return [
        viz.Scene(meshes.Mesh(noisy, coarse.faces), title="before"),
        viz.Scene(mesh, title="after"),
        text,
    ]


# %%
smoothing = widgets.explore(
    smoothing_view,
    {"steps": (0, 100, 10)},
    play="steps",
    **look,
    alt="A noisy rabbit, and the same after some smoothing steps",
)

# %% [markdown]
# *What to see:* two or three steps remove much of the noise. A hundred wear the ears down, and this
# rabbit loses volume all the way. For a sphere we can see why: the middle of a vertex's neighbours
# always lies *inside*.

# %%
ball, volumes = meshes.icosphere(3), {"uniform": [], "cotangent": [], "there and back": []}
for kind, line in volumes.items():
    vertices = ball.vertices
    for step in range(81):
        line.append(meshes.Mesh(vertices, ball.faces).volume().item())
        if kind == "cotangent":
            delta = losses.cotangent_coordinates(vertices, ball.faces)
        else:
            delta = laplacian_coordinates(vertices, ball.edges)
        rate = -0.53 if kind == "there and back" and step % 2 else 0.5
        vertices = vertices - rate * delta
viz.line_chart(
    {kind: (list(range(0, 81, 2)), line[::2]) for kind, line in volumes.items()},
    x="smoothing steps",
    y="volume of the ball",
    alt="Under smoothing the ball loses volume; going there and back nearly keeps it.",
)

# %% [markdown]
# *What to see:* smoothing shrinks the ball, with both kinds of weights. (*There and back*: every second
# step goes outwards by a little more, $0.53$ instead of $0.5$; Taubin 1995.)
#
# **Uniform or cotangent weights?** The slide's mean gives every neighbour $k$ the same weight. That
# also punishes a *flat* surface whose triangles are uneven: vertices slide along it. Weights
# $w_k = \frac{1}{2}(\cot\alpha_k + \cot\beta_k)$, with $\alpha_k$ and $\beta_k$ the two angles opposite
# the edge $(p, k)$, see only the bending:

# %%
sheet = meshes.sheet(2.0, 8)
inside = sheet.vertices[:, [0, 2]].abs().amax(dim=1) < 0.9
shift = 0.16 * torch.rand(sheet.vertices.shape, generator=torch.Generator().manual_seed(0)) - 0.08
shift[:, 1] = 0  # within the plane
uneven = torch.where(inside[:, None], sheet.vertices + shift, sheet.vertices)
uniform = laplacian_coordinates(uneven, sheet.edges)[inside].norm(dim=1).max().item()
cotangent = losses.cotangent_coordinates(uneven, sheet.faces)[inside].norm(dim=1).max().item()
viz.gallery(
    [viz.render_mesh(meshes.Mesh(uneven, sheet.faces), wire=True, view=(20, 50))],
    alt="A flat sheet of uneven triangles.",
)
print(f"longest δ in this flat sheet: uniform {uniform:.4f}, cotangent {cotangent:.4f}")

# %% [markdown]
# *What to see:* with equal weights even this flat sheet has $\delta \ne 0$; with cotangent weights it
# has none. (Its border, where neighbours lie on one side only, is left out.)
#
# **Question [[laplacian_minimum]].** *Predict:* we forget the data and minimise the Laplacian loss *alone*, starting
# from the rabbit, until no optimiser finds anything better. What is left in the end?

# %% [exercise] laplacian_minimum

# %%
small = meshes.grid_to_mesh(rabbit(meshes.lattice(16)))  # 404 vertices
vertices = small.vertices.clone().requires_grad_()
optimizer = torch.optim.LBFGS([vertices], max_iter=4, line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    loss = laplacian_loss(vertices, small.edges)
    loss.backward()
    return loss


pictures, titles = [], []
for step in Budget(61, seconds=30, label="Laplacian loss alone"):
    if step % 15 == 0:
        mesh = meshes.Mesh(vertices.detach(), small.faces)
        pictures.append(viz.render_mesh(mesh, **look))
        titles.append(f"{step} steps: size {mesh.vertices.std(dim=0).norm().item():.3f}")
    optimizer.step(closure)
viz.gallery(pictures, titles, height=220, alt="The rabbit becomes a stick, then a dot.")

# %% [markdown]
# *What to see:* the loss is 0 exactly if every vertex is the middle of its neighbours. The
# outermost vertex in any direction can only be that if all its neighbours are as far out, and so
# on: **all vertices in one point**. A regulariser needs a data term to push against.

# %% [markdown]
# ## 4.6 All together: what each one prevents
# One loss now, $\mathcal{L} = \mathcal{L}_{cham} + \lambda_n \mathcal{L}_{norm} +
# \lambda_e \mathcal{L}_{edge} + \lambda_s \mathcal{L}_{sm} + \lambda_l \mathcal{L}_{lap}$ with weights
# $\lambda$ that are found by trial. The smooth loss is a sum over 1920 edges: its weight is small.
#
# Every slider below runs a fit with its weights. *Try:* all weights at their lowest; then only one at its
# highest.

# %%
TERMS["smooth"] = lambda mesh, points, normals: smooth_loss(mesh.vertices, start.faces)
TERMS["Laplacian"] = lambda mesh, points, normals: laplacian_loss(mesh.vertices, start.edges)
WEIGHTS = {"Chamfer": 1.0, "normal": 0.01, "edge": 0.1, "smooth": 3e-6, "Laplacian": 0.2}


def fit_view(**weights):
    mesh = fit(weights | {"Chamfer": 1.0}, range(budget(40, 2)))
    points, normals = (x[None] for x in meshes.sample_surface(mesh, 2000))
    values = {name: term(mesh, points, normals).item() for name, term in TERMS.items()}
    text = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
    return [viz.Scene(viz.Item(mesh, wire=True), title="after 40 steps"), text]


# %%
live = widgets.explore(
    fit_view,
    {
        "normal": widgets.log_slider(1e-4, 1, 0.01),
        "edge": widgets.log_slider(1e-3, 10, 0.1),
        "smooth": widgets.log_slider(1e-8, 1e-2, 3e-6),
        "Laplacian": widgets.log_slider(1e-3, 10, 0.3),
    },
    **look,
    alt="The ball after 40 steps of fitting, for weights to choose",
)

# %% [markdown]
# ### The ablation
# Which of them earns its place? We fit with Chamfer alone, with one regulariser added, with all, and
# with all but one, and measure against the *clean* shape, which no fit has seen: Chamfer distance, how
# well normals agree (1 is best), the number of folds (edges with $\theta < 90°$) and the longest edge.
# Two samples of one surface are never at distance 0, and the fewer the points the larger this **floor**:
# so 30,000 points are drawn here, and the last row says what two samples of the clean shape itself have.
# *Predict:* which regulariser alone removes most folds? *Time: under a minute on two CPU cores, about
# the same on a Colab T4 (an estimate, not measured).*


# %%
def judge(mesh):
    mesh = meshes.Mesh(mesh.vertices.cpu(), mesh.faces.cpu())
    p, u = (x[None] for x in meshes.sample_surface(mesh, budget(30000, 4000)))
    q, w = (x[None] for x in meshes.sample_surface(target, budget(30000, 4000)))
    start, end, one, other = mesh.vertices[hinges(mesh.faces)].unbind(dim=1)
    turned = [unit(torch.linalg.cross(end - start, corner - start)) for corner in (one, other)]
    folds = ((turned[0] * turned[1]).sum(dim=1) > 0).sum().item()
    lengths = (mesh.vertices[mesh.edges[:, 0]] - mesh.vertices[mesh.edges[:, 1]]).norm(dim=1)
    agreement = metrics.normal_consistency(p, q, u, w).item()
    return [1e4 * chamfer_distance(p, q).item(), agreement, folds, lengths.max().item()]


runs = {"Chamfer alone": {"Chamfer": 1.0}}
runs |= {f"Chamfer + {k}": {"Chamfer": 1.0, k: w} for k, w in WEIGHTS.items() if k != "Chamfer"}
runs |= {"all": WEIGHTS}
runs |= {f"all but {k}": {n: w for n, w in WEIGHTS.items() if n != k} for k in WEIGHTS}
runs |= {"Laplacian alone": {"Laplacian": 1.0}}

# %%
fitted, names = {}, list(runs)
bar = Budget(len(runs), seconds=150, label="ablation")
for index in bar:
    fitted[names[index]] = fit(runs[names[index]], range(STEPS))
    bar.say(names[index])
rows = [[name, *(judge(fitted[name]) if name in fitted else [None] * 4)] for name in names]
rows.append(["the clean shape", *judge(target)])
header = ["losses", "10⁴ · Chamfer", "normals agree", "folds", "longest edge"]
viz.table(rows, header, "Fits with and without each loss")
viz.gallery(
    [viz.render_mesh(fitted.get(name, start), wire=True, **look) for name in names],
    [name if name in fitted else f"{name}: not reached" for name in names],
    columns=4,
    height=250,
    alt="The fitted rabbits, in the order of the table.",
)

# %% [markdown]
# *What to see:*
# - **The floor** is the last row: about the least that any mesh can reach. What a loss brings is the
#   difference of two rows. What is said of such differences below was checked on ten scans of this
#   rabbit with other noise; for other shapes or weights some of it comes out otherwise.
# - **Chamfer alone** crumples: about a thousand folds in 1920 edges (hardly fewer if the scan has no
#   noise).
# - **One added:** edge and Laplacian loss remove most folds: they pull every vertex towards its
#   neighbours. The smooth loss works on the angles themselves and removes nearly all. With the normal
#   loss more faces are turned the right way, but most folds stay.
# - **All together** bring the mesh closer to the clean shape than Chamfer with any one of them.
# - **All but Chamfer:** beautiful triangles, the wrong shape. Normals alone do not say *where*.
# - **All but one:** without the normal loss the surface lies farther from the clean shape, and its
#   normals agree less: normals say something of positions, too. Without the smooth loss folds come back.
#   Without the edge or the Laplacian loss the surface as a rule even comes a little closer: with these
#   weights both mostly cost some accuracy, the price of a regulariser. Beside the others the Laplacian
#   loss brings little: in this table at most a shorter longest edge.
# - **Laplacian alone** has never heard of the rabbit.
# - The ears are too coarse in every fit that has any: their share of the vertices is smaller than their
#   share of the clean surface. Nothing adds vertices where they are needed.

# %% [markdown]
# ## 4.7 F1 score, Hausdorff distance and other metrics
# *Slide "Other metrics".* A loss is for the optimiser, a metric for people. **F1** asks: which
# fraction of the points is *good enough*? For a threshold $\tau$ (a length),
#
# $$\begin{gathered}
# P = \frac{|\{p : d(p, Q) < \tau\}|}{|P|}, \quad R = \frac{|\{q : d(q, P) < \tau\}|}{|Q|}, \\[1ex]
# F_1 = \frac{2 P R}{P + R}, \qquad d(p, Q) = \min_{q \in Q} \lVert p - q\rVert
# \end{gathered}$$
#
# Precision $P$: what was predicted is right; recall $R$: what is there was found. (The letter $P$
# stands for the cloud, too, an old habit.) The **Hausdorff distance** asks for the *worst* point:
#
# $$H(P, Q) = \max\big(\max_{p \in P} d(p, Q),\ \max_{q \in Q} d(q, P)\big)$$
#
# **Exercise [[f_score]].** Write `f_score(p, q, threshold)` in $[0, 1]$; nearer means strictly $<$, and
# $F_1 = 0$ if nothing is near. **Exercise [[hausdorff_distance]].** Write `hausdorff_distance(p, q)`, a length.

# %% [exercise] f_score

# %% [exercise] hausdorff_distance

# %% [markdown]
# **Question [[outlier_metric]].** A scan has 1000 points, whose distances from the truth are spread
# evenly between 0 and 0.05. One stray point at a distance of 1 is added. What happens to squared
# Chamfer, Hausdorff, and F1 at $\tau = 0.1$? (The mean from the truth to the scan is about as large as
# this one, and hardly changes.)

# %% [exercise] outlier_metric

# %%
generator = torch.Generator().manual_seed(0)
truth = unit(torch.randn(1, 1000, 3, generator=generator))
noise = unit(torch.randn(1, 1000, 3, generator=generator))
clean = truth + 0.05 * torch.rand(1, 1000, 1, generator=generator) * noise
stray = torch.cat([clean, torch.tensor([[[0.0, 2.0, 0.0]]])], dim=1)  # 1 above the ball
rows = []
for name, cloud in (("without", clean), ("with the stray point", stray)):
    chamfer, worst = chamfer_distance(cloud, truth).item(), hausdorff_distance(cloud, truth).item()
    rows.append([name, chamfer, worst, f_score(cloud, truth, 0.1).item()])
rows.append(
    ["ratio", *(after / before for before, after in zip(rows[0][1:], rows[1][1:], strict=True))]
)
viz.table(rows, ["scan", "Chamfer", "Hausdorff", "F1"], "One stray point among 1001")

# %% [markdown]
# *What to see:* one point in a thousand decides the maximum, moves the mean of *squares* by more
# than half, and costs F1 half a thousandth.
#
# ### What is squared, and what is halved
# Conventions differ from library to library. The same two clouds, eight numbers:

# %%
p, q = clean, unit(torch.randn(1, 2000, 3, generator=generator))
q = q * torch.tensor([1.0, 0.95, 0.9])
forth, back = nearest_neighbors(p, q)[0], nearest_neighbors(q, p)[0]  # p result, q truth
lengths = (forth.sqrt().mean() + back.sqrt().mean()).item()
pixel2mesh = 3000 * (back.mean() + 0.55 * forth.mean()).item()
rows = [
    ["this course, pytorch3d, Kaolin", "squared, sum of the means", chamfer_distance(p, q).item()],
    ["the slide as printed", "squared, mean + sum", (forth.mean() + back.sum()).item()],
    ["Open3D", "not squared, sum of the means", lengths],
    ["Occupancy Networks", "not squared, half the sum", lengths / 2],
    ["Pixel2Mesh", "squared, 3000 · (truth → result + 0.55 · result → truth)", pixel2mesh],
    ["Hausdorff", "the largest", hausdorff_distance(p, q).item()],
    ["F1 of this course", "distance < 0.1", f_score(p, q, 0.1).item()],
    ["F1 on squares", "squared distance < 0.1", f_score(p, q, 0.1**0.5).item()],
]
viz.table(rows, ["who", "what", "value"], "One pair of clouds, eight conventions")

# %% [markdown]
# > **Never compare numbers of two papers before you know their conventions:** squared or not, sum
# > or mean, scale of the shapes, number of points. On ShapeNet, for instance, the mean Chamfer-L1
# > distance of Pixel2Mesh is 0.216 in *Occupancy Networks* (Mescheder et al. 2019, table 1); the
# > Chamfer distance of the released Mesh R-CNN model is 3.98 · 10⁻⁴, under the protocol of Pixel2Mesh
# > (`INSTRUCTIONS_SHAPENET.md` of its repository, mean of the classes).
# > That is not five hundred times better: it is another quantity, at another scale.
#
# **Normal consistency**, $\frac{1}{2}$ of the mean $|\cos|$ in both directions added, is
# $-\frac{1}{2}\mathcal{L}_{norm}$: `metrics.normal_consistency`, which the ablation used.
#
# ### Earth mover's distance
# Chamfer lets many points choose the same neighbour. What if each point may be chosen only once? Think of
# $P$ as $n$ heaps of earth and of $Q$ as $n$ holes, one heap for one hole:
#
# $$\mathrm{EMD}(P, Q) = \min_{\pi} \frac{1}{n} \sum_{i=1}^{n} \lVert p_i - q_{\pi(i)} \rVert$$
#
# - $\pi$: a *permutation*, which gives every heap $i$ its own hole $\pi(i)$; both clouds have $n$ points.
#
# There are $n!$ permutations; algorithms like the Hungarian one find the best in at most about $n^3$
# steps (`linear_sum_assignment`). The best one can jump when the clouds move a little, and the search is
# hard to run in parallel. **Sinkhorn's** algorithm (Cuturi 2013) lets a heap be split: shares
# $\Pi_{ij} \ge 0$ whose rows and columns each sum to 1, and a reward $\varepsilon$ for spreading them.
# The best shares can be shown to be $\Pi_{ij} = e^{(f_i + g_j - \lVert p_i - q_j \rVert) / \varepsilon}$
# with a number $f_i$ for each row and $g_j$ for each column. They are found in turns: the $f_i$ so that
# all rows sum to 1, then the $g_j$ so that all columns do.

# %%
from scipy.optimize import linear_sum_assignment


def earth_mover(p, q):
    cost = torch.cdist(p, q)  # (n, n)
    return cost[linear_sum_assignment(cost.numpy())].mean().item()


def sinkhorn(p, q, epsilon, steps=300):
    cost, f, g = torch.cdist(p, q), torch.zeros(len(p)), torch.zeros(len(q))
    for _ in range(steps):
        f = -epsilon * torch.logsumexp((g - cost) / epsilon, dim=1)
        g = -epsilon * torch.logsumexp((f[:, None] - cost) / epsilon, dim=0)
    shares = torch.exp((f[:, None] + g - cost) / epsilon)  # (n, n)
    return ((shares * cost).sum() / len(p)).item()


# %% [markdown]
# *Predict:* 400 points on a ball are compared with 400 others: once spread evenly, once with nine of ten
# in the upper half. Which distance notices?

# %%
generator = torch.Generator().manual_seed(0)
even, again, crowded = (unit(torch.randn(400, 3, generator=generator)) for _ in range(3))
upper = torch.where(torch.arange(400) < 360, 1.0, -1.0)
crowded = torch.stack([crowded[:, 0], upper * crowded[:, 1].abs(), crowded[:, 2]], dim=1)
softness, rows = (0.3, 0.1, 0.03), []
for name, cloud in (("spread evenly", again), ("nine of ten above", crowded)):
    chamfer = chamfer_distance(even[None], cloud[None]).item()
    soft = (sinkhorn(even, cloud, epsilon) for epsilon in softness)
    rows.append([name, chamfer, earth_mover(even, cloud), *soft])
header = ["second cloud", "Chamfer", "earth mover's", *(f"Sinkhorn, ε = {e}" for e in softness)]
viz.table(rows, header, "An even cloud of a ball against two others")

# %% [markdown]
# *What to see:* crowding raises the earth mover's distance to about two or three times its value, as the
# surplus must be carried down; Chamfer rises by a smaller factor, since near every point there is some
# other. Sinkhorn's value lies above the exact one and comes closer as $\varepsilon$ falls (it then needs
# more steps: stopped early, it can even lie below). So this distance sees *density*, which is a merit
# for generated clouds and a nuisance for scans, whose density says where the scanner stood.

# %% [markdown]
# ## 4.8 The laboratory: metrics disagree
# A mug, damaged in four ways. Move one slider at a time, and watch which metric notices.

# %%
mug = shapes.make_shape("mug", 0).sdf


def damaged(noise=0.0, stray=0.0, hole=0.0, thickness=0.0):
    """The mug with waves on it, a crumb beside it, a hole in its wall, walls thicker by 2·thickness."""
    sdf = shapes.offset(mug, thickness) if thickness else mug
    if hole > 0:
        sdf = shapes.difference(sdf, shapes.sphere(hole, (-0.2, 0.0, 0.5)))
    if stray > 0:
        sdf = shapes.union(sdf, shapes.sphere(0.05, (-0.2, 0.0, 0.5 + stray)))
    return lambda x: sdf(x) + noise * torch.sin(35 * x).prod(dim=-1)


# %% [markdown]
# Each metric needs something else of a mug: a cloud, its normals, the voxels inside.

# %%
LATTICE, CELLS = meshes.lattice(budget(64, 32), 1.15), centres(budget(64, 32)) * 1.15


def describe(sdf, seed):
    """Surface, 4000 points on it, their normals, and the voxels inside."""
    surface = meshes.grid_to_mesh(sdf(LATTICE), 1.15)
    generator = torch.Generator().manual_seed(seed)
    points, normals = meshes.sample_surface(surface, 4000, generator=generator)
    return surface, points[None], normals[None], (sdf(CELLS) < 0)[None]


# %% [markdown]
# Five metrics compare a mug with the true one. The true one is sampled with other random numbers, as
# a scanner would do it.

# %%
_, TRUE_POINTS, TRUE_NORMALS, TRUE_VOXELS = describe(mug, seed=1)


def measure(sdf):
    surface, points, normals, voxels = describe(sdf, seed=2)
    agree = metrics.normal_consistency(points, TRUE_POINTS, normals, TRUE_NORMALS)
    return surface, {
        "IoU": iou(voxels, TRUE_VOXELS).item(),
        "10⁴ · Chamfer": 1e4 * chamfer_distance(points, TRUE_POINTS).item(),
        "Hausdorff": hausdorff_distance(points, TRUE_POINTS).item(),
        "F1 at 0.08": f_score(points, TRUE_POINTS, 0.08).item(),
        "normals agree": agree.item(),
    }


_, PERFECT = measure(mug)


# %% [markdown]
# The undamaged mug is measured, too, and stands beside the damaged one.


# %%
def laboratory_view(noise, stray, hole, thickness):
    surface, found = measure(damaged(noise, stray, hole, thickness))
    rows = [[name, PERFECT[name], value] for name, value in found.items()]
    viz.table(rows, ["metric", "perfect mug", "this mug"], "All metrics of this mug")
    return viz.Scene(surface, title="the damaged mug")


# %%
laboratory = widgets.explore(
    laboratory_view,
    {
        "noise": (0.0, 0.05, 0.0, 0.005),
        "stray": (0.0, 0.6, 0.3, 0.05),
        "hole": (0.0, 0.5, 0.2, 0.05),
        "thickness": (0.0, 0.06, 0.0, 0.01),
    },
    view=(-15, 25),
    alt="A mug with a hole and a crumb beside it, and a table of five metrics",
)

# %% [markdown]
# The perfect mug's distances are not 0: two different samples of one surface are never at the same
# points. This is the floor from which distances are to be read.
#
# Now a contest. Four mugs, each damaged in one way. *Predict:* which one is best? Which is worst?

# %%
entries = {
    "noisy": {"noise": 0.03},
    "with a crumb": {"stray": 0.5},
    "with a hole": {"hole": 0.3},
    "too thick": {"thickness": 0.02},
}
found = {name: measure(damaged(**damage)) for name, damage in entries.items()}
viz.gallery(
    [viz.render_mesh(surface, size=200, view=(-15, 25)) for surface, _ in found.values()],
    list(entries),
    alt="Four mugs: noisy, with a crumb, with a hole, too thick.",
)

# %%
rows = []
for metric in PERFECT:
    better_is_less = metric in ("10⁴ · Chamfer", "Hausdorff")
    order = sorted(found, key=lambda name: found[name][1][metric] * (1 if better_is_less else -1))
    rows.append(
        [
            metric,
            *(f"{found[name][1][metric]:.3f} ({order.index(name) + 1})" for name in found),
        ]
    )
viz.table(rows, ["metric", *entries], "The same four mugs, ranked by five metrics")

# %% [markdown]
# *What to see:* every mug is the worst by some metric. IoU punishes the thick walls, although they are
# off by only 0.02; Hausdorff punishes the crumb, which is far away. For Chamfer the last three are close
# together, and which of them is worst depends on the sample. F1 punishes the hole, which is missing
# area; the normals notice the noise. There is no best metric. **Choose the one that measures what you
# need, and report more than one.**
#
# F1 has a threshold to choose, and with it the winner:

# %%
thresholds = [0.01 * 1.25**i for i in range(14)]
curves = {}
for name, damage in entries.items():
    _, points, _, _ = describe(damaged(**damage), seed=2)
    curves[name] = (thresholds, [f_score(points, TRUE_POINTS, t).item() for t in thresholds])
viz.line_chart(
    curves,
    x="threshold",
    y="F1",
    log_x=True,
    alt="F1 of the four mugs rises with the threshold, and the curves cross.",
)

# %% [markdown]
# *What to see:* up to nearly 0.02 the thick mug scores next to nothing, as its whole surface is off by
# 0.02. At 0.08 it is nearly perfect, and the mug with the hole is last.
#
# ## 4.9 What to take along
# | measure | looks at | range, best | likes | fails for |
# |---|---|---|---|---|
# | IoU | volume | 0 to 1, 1 | solid things | thin walls, clouds, open surfaces |
# | Chamfer | all nearest pairs, squared | ≥ 0, 0 | training | insides, connections, small errors of the normals |
# | normal loss | directions | −2 to 0, −2 | fine detail | position |
# | edge, smooth, Laplacian | the mesh alone | ≥ 0, 0 | even, flat meshes | everything, if alone |
# | F1 | counts within τ | 0 to 1, 1 | reports, robust to outliers | τ must be chosen |
# | Hausdorff | the worst point | ≥ 0, 0 | tolerances, guarantees | a single outlier |
# | earth mover's | one-to-one pairs | ≥ 0, 0 | the density of clouds | large clouds, uneven scans |

# %%
progress()
