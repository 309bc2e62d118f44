# %% [markdown]
# # 2 · Why 3D, and the tasks
# **You will be able to** say what 3D data is used for; classify point clouds with a network that
# does not see the order of the points; group shapes and parts without labels; generate new shapes
# from a latent space and judge them; and animate a mesh with a skeleton.
#
# *About 85 minutes with the exercises, 25 without. You need tensors, matrices and the idea of a
# network that is trained (PyTorch). Runs in about 2 minutes on two CPU cores; on a Colab T4 in about
# a minute (an estimate, not measured).*

# %% [setup]

# %%
from course_lib import meshes, shapes, viz, widgets
from course_lib.meshes import Mesh, sample_surface
from course_lib.running import Budget, budget

FAMILIES = list(shapes.FAMILIES)
COLORS = torch.tensor([viz.rgb(color) for color in viz.PALETTE])
CUBE = torch.tensor([[-0.8, -0.8, -0.8], [0.8, 0.8, 0.8]])  # keeps pictures still

# %% [markdown]
# ## 2.1 Why 3D?
# *Slides "Why we need 3D?" and "3D applications".* A photograph is flat; what we touch, build, heal and
# play with is not. Below are six fields, and what each asks of 3D data. All pictures of this page are
# made on the spot, many of them from objects of six families whose sizes and parts are drawn at random:

# %%
shape_names = [(family, seed) for family in FAMILIES for seed in (0, 1)]
pictures = []
for family, seed in shape_names:
    shape = shapes.make_shape(family, seed)
    mesh = shape.mesh(budget(48, 24))
    pictures.append(viz.render_mesh(mesh, colors=shape.colors(mesh.vertices), size=150))
viz.gallery(
    pictures,
    [f"{f}-{s}" for f, s in shape_names],
    columns=6,
    alt="Two objects of each of six families, their parts in different colours.",
)

# %% [markdown]
# **Robotics.** A robot sees the side of things that faces its depth camera, as a *point cloud*. From
# these points it must tell the mug from the table, and guess the side that it does not see.
#
# **Medicine.** A CT scan gives a density at every point of a grid: *voxels*. Doctors ask for volumes
# ("how large is it?") and for surfaces to plan an operation on.
#
# **Design (CAD).** Parts can be built from simple solids by union and difference. The computer then
# knows a *function* that says inside or outside, and from it the mass before anything is made.


# %%
def put_on(mesh, table, factor):
    """The mesh, smaller, standing on the table."""
    vertices = mesh.vertices * factor
    drop = table.vertices[:, 1].max() - vertices[:, 1].min()
    return Mesh(vertices + torch.tensor([0.15, float(drop), 0.1]), mesh.faces)


table = shapes.make_shape("table", 3).mesh(56)
mug = put_on(shapes.make_shape("mug", 1).mesh(40), table, 0.3)
points, normals = sample_surface(
    meshes.concatenate(table, mug), 12_000, generator=torch.Generator().manual_seed(0)
)
eye = torch.tensor([1.7, 1.4, 3.0])
seen = points[((eye - points) * normals).sum(1) > 0]  # the sides that face the camera
robot = viz.render_points(seen, colors=viz.colormap((seen - eye).norm(dim=1)), size=230)

# %%
line = (torch.arange(40) + 0.5) / 20 - 1
grid = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), dim=-1)
skull = shapes.shell(shapes.sphere(0.8), 0.16)(grid) < 0
organ = shapes.torus(0.35, 0.2)(grid) < 0
cut = (grid[..., 0] > 0) & (grid[..., 2] > 0)  # open a quarter to look inside
scan = [viz.Item(skull & ~cut, color="#56B4E9"), viz.Item(organ, color="#D55E00")]
block = shapes.rounded_box((1.5, 0.7, 1.1), 0.12)
holes = shapes.mirror(shapes.cylinder(0.13, 2.0, (0.55, 0, 0.35)), 0, 2)
bore = shapes.cylinder(0.24, 3.0, axis=2)
drilled = shapes.difference(block, shapes.union(holes, bore))
part = meshes.grid_to_mesh(drilled(meshes.lattice(budget(72, 40))))
viz.gallery(
    [
        robot,
        viz.render(*scan, size=230, bounds=CUBE),
        viz.render_mesh(part, color="#E69F00", size=230),
    ],
    ["robotics: what a camera sees", "medicine: a scan, cut open", "design: block minus holes"],
    alt="A cloud of the visible side of a table with a mug; a hollow ball of voxels, cut open, with "
    "a ring inside; a drilled orange block.",
)
grams = 7.85 * float(part.volume())
print(f"volume of the part: {float(part.volume()):.3f} cm³ if 1 is 1 cm; in steel {grams:.1f} g")

# %% [markdown]
# **Augmented reality.** A drawn object must stand on the real table, hide what is behind it and be
# hidden by what is in front: for each pixel one must know which of the two is nearer.
#
# **Games and film.** At 60 pictures a second a game has less than 17 ms to draw one, so the same thing
# may exist as *meshes* of several sizes: few triangles when it is far away, many when it is near.
#
# **Heritage.** A vase is scanned as it is: noisy, and with a piece missing. The scan is stored,
# measured, completed, and printed again.

# %%
lamp = shapes.make_shape("lamp", 0)
lamp_mesh = lamp.mesh(48)
drawn = viz.Item(put_on(lamp_mesh, table, 0.6), colors=lamp.colors(lamp_mesh.vertices))
augmented = viz.render(viz.Item(table, color="#aaaaaa"), drawn, size=230)
plane = shapes.make_shape("aeroplane", 1)
levels = [viz.render_mesh(plane.mesh(r), wire=True, size=230) for r in (24, 56)]
bottle, _ = sample_surface(shapes.make_shape("bottle", 1).mesh(48), 5000)
kept = bottle[(bottle - torch.tensor([0.3, 0.1, 0.3])).norm(dim=1) > 0.32]
scan = kept + 0.008 * torch.randn(kept.shape, generator=torch.Generator().manual_seed(0))
shades = viz.colormap(scan @ torch.tensor([0.5, 0.3, 0.8]))
statue = viz.render_points(scan, colors=shades, point_size=0.05, size=230)
viz.gallery(
    [augmented, *levels, statue],
    ["AR: drawn on a real table", "games: far away", "games: near", "heritage: a scan"],
    alt="A coloured lamp on a grey table; an aeroplane of few and of many triangles; "
    "the points of a bottle with a piece missing.",
)

# %% [markdown]
# *What to see:* clouds, voxels, functions, meshes: the same kinds of objects, stored differently.
# Notebook 3 is about that. This page is about what one *does* with them. The lecture's list:
#
# | task | in | out | here |
# |---|---|---|---|
# | classification | a shape | its class | 2.2 |
# | clustering | many shapes, or the points of one | groups, without labels | 2.3 |
# | generation | nothing, or chance | new shapes | 2.4 |
# | reconstruction | one or a few pictures | a shape | 2.5, notebooks 5 and 7 |
# | animation | a static mesh | a moving one | 2.6 |
#
# ## 2.2 Classification: a network that does not see the order
# *Slide "Possible 3D tasks".* A point cloud is a **set**: the same points in another order are the
# same cloud. Written into a matrix, `(n, 3)`, it suddenly has an order, and a network that joins
# the rows to one long vector has to learn that the order means nothing. There are $n!$ orders.
#
# PointNet (Qi et al. 2017) cannot see the order, by construction:
#
# $$f(\{x_1, \dots, x_n\}) = g\Big(\max_{i = 1 \dots n} h(x_i)\Big)$$
#
# - $x_i \in \mathbb{R}^3$: a point; $n$: the number of points;
# - $h: \mathbb{R}^3 \to \mathbb{R}^k$: a small network, *the same for each point* (the "shared MLP");
# - $\max$: the maximum of each of the $k$ features over all points, a vector in $\mathbb{R}^k$;
# - $g$: a second small network, from $k$ features to one score per class.
#
# **Exercise [[shared_mlp]].** Write $h$: layers $x \leftarrow \max(x W + b, 0)$ with learned weights $W$ and
# biases $b$, applied to all points of all clouds at once.

# %% [exercise] shared_mlp

# %% [markdown]
# **Exercise [[max_pool_points]].** Write the maximum. Clouds have different numbers of points; to share a batch
# they are padded, and `present` says which points are real.

# %% [exercise] max_pool_points

# %% [markdown]
# The whole network is now a few lines. The data: clouds of 256 points (1,024 on a GPU) on chairs, tables, lamps,
# mugs, aeroplanes and bottles; the objects of the test were never seen in training.

# %%
from course_lib.data.clouds import family_clouds

seeds, points_each = budget(40, 12), budget(256, 128, gpu=1024)
train_x, train_y = (t.to(DEVICE) for t in family_clouds(FAMILIES, range(seeds), points_each))
test_x, test_y = (
    t.to(DEVICE) for t in family_clouds(FAMILIES, range(1000, 1000 + budget(25, 6)), points_each)
)
print(f"{len(train_x)} clouds to learn from, {len(test_x)} to test on, {points_each} points each")


# %%
class MyPointNet(torch.nn.Module):
    def __init__(self, classes, k=256):
        super().__init__()
        sizes = [(3, 64), (64, 128), (128, k)]
        self.layers = torch.nn.ModuleList(torch.nn.Linear(i, o) for i, o in sizes)
        g = [torch.nn.Linear(k, 128), torch.nn.ReLU(), torch.nn.Dropout(0.3)]
        self.g = torch.nn.Sequential(*g, torch.nn.Linear(128, classes))

    def features(self, clouds):  # (b, n, 3) -> (b, n, k)
        weights = [layer.weight.T for layer in self.layers]
        return shared_mlp(clouds, weights, [layer.bias for layer in self.layers])

    def embed(self, clouds):  # (b, n, 3) -> (b, k)
        present = torch.ones(clouds.shape[:2], dtype=torch.bool, device=clouds.device)
        return max_pool_points(self.features(clouds), present)

    def forward(self, clouds):  # (b, n, 3) -> (b, classes)
        return self.g(self.embed(clouds))


# %% [markdown]
# Beside it stands `FlatNet`, an MLP on the joined coordinates with more parameters. Both are trained
# alike. *Time: 5 to 10 s on two CPU cores, 2 s on a Colab T4 (an estimate, not measured); at most 40 s
# each.*

# %%
from course_lib.tasks.pointnet import FlatNet


def train(network, steps, label):
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    chance = torch.Generator().manual_seed(0)
    steps_shown = Budget(steps, seconds=40, label=label)
    for _ in steps_shown:
        batch = torch.randint(0, len(train_x), (32,), generator=chance).to(DEVICE)
        loss = torch.nn.functional.cross_entropy(network(train_x[batch]), train_y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps_shown.say(f"loss {loss.item():.3f}")
    return network.eval()


torch.manual_seed(0)
pointnet = train(MyPointNet(len(FAMILIES)).to(DEVICE), budget(160, 10), "PointNet")
flatnet = train(FlatNet(len(FAMILIES), points_each).to(DEVICE), budget(160, 10), "FlatNet")

# %% [markdown]
# *Predict:* which accuracy will the two reach on new objects, and what happens to each when the
# points are shuffled, when the objects are turned, and when points are dropped?

# %%
from course_lib.tasks.skinning import rotation


@torch.no_grad()
def accuracy(network, clouds):
    return float((network(clouds).argmax(dim=1) == test_y).float().mean())


def rotated(axis, degrees):
    return test_x @ rotation(axis, degrees)[:3, :3].T.to(DEVICE)


order = torch.randperm(points_each, generator=torch.Generator().manual_seed(1))
tests = {"as they are": test_x, "shuffled": test_x[:, order], "turned by 30° about y": rotated(1, 30),
         "turned by 90° about y": rotated(1, 90), "tipped over by 90°": rotated(2, 90)}  # fmt: skip
rows = [[name, accuracy(pointnet, x), accuracy(flatnet, x)] for name, x in tests.items()]
caption = "Accuracy on objects that neither network has seen"
viz.table(rows, ["clouds", "PointNet", "FlatNet"], caption)

# %%
with torch.no_grad():
    for name, network in {"PointNet": pointnet, "FlatNet": flatnet}.items():
        scores, shuffled = network(test_x), network(test_x[:, order])
        gap = 100 * float((scores - shuffled).abs().max() / scores.abs().max())
        other = int((scores.argmax(dim=1) != shuffled.argmax(dim=1)).sum())
        print(f"{name}, shuffled: scores change by up to {gap:.1f} % of the largest,\n"
              f"  and {other} of {len(test_x)} answers change")  # fmt: skip
kept = [points_each, points_each // 2, points_each // 4, 32, 16, 8, 4]
results = [100 * accuracy(pointnet, test_x[:, order[:n]]) for n in kept]
viz.line_chart(
    {"PointNet": (kept, results)}, x="points left", y="accuracy in %", log_x=True,
    alt="Accuracy stays high until only a few dozen points are left.",
)  # fmt: skip

# %% [markdown]
# *What to see:*
# - PointNet is right nearly always, and shuffling changes nothing but rounding.
# - FlatNet fits its training set perfectly and still gets many of the new objects wrong; shuffle the
#   *same* clouds, and it changes its mind about many of them.
# - Half of the points can go missing without harm, if they are drawn at random. (If one half of the
#   object is cut away instead, it depends on the side.)
# - A **turn** is not in the network's construction: of objects that are tipped over by 90° it gets most
#   wrong. It would have to see turned objects in training, or be built for it.
#
# Which points does $f$ depend on? The maximum of each feature is attained at *one* point. All others
# could be deleted, and $f$ would be the same. These are the **critical points**:


# %%
@torch.no_grad()
def critical(cloud):
    return pointnet.features(cloud[None])[0].argmax(dim=0).unique()


pictures, titles = [], []
for index in range(0, len(test_x), len(test_x) // len(FAMILIES)):
    chosen = critical(test_x[index])
    base = viz.Item(test_x[index].cpu(), color="#bbbbbb", size=0.03)
    picture = viz.render(
        base, viz.Item(test_x[index, chosen].cpu(), color="#D55E00", size=0.06), size=150
    )
    pictures.append(picture)
    titles.append(f"{len(chosen)} of {points_each}")
viz.gallery(
    pictures[:6],
    titles[:6],
    columns=3,
    alt="Six clouds in grey with their critical points in orange, many at tips, rims and legs.",
)

# %% [markdown]
# *What to see:* the critical points sketch the object; here many sit at tips, rims and legs.
#
# Turn the clouds below with the mouse. Each is coloured by the class that the network names; choose
# which to see, drop points, and watch the answers.


# %%
mixed = torch.randperm(len(test_x), generator=torch.Generator().manual_seed(3)).tolist()


@torch.no_grad()
def look(first, points_left):
    scenes = []
    for index in mixed[first : first + 3]:
        cloud = test_x[index, order[:points_left]]
        answer = int(pointnet(cloud[None])[0].argmax())
        title = f"{FAMILIES[int(test_y[index])]}: the network says {FAMILIES[answer]}"
        item = viz.Item(cloud.cpu(), color=viz.PALETTE[answer], size=0.05)
        scenes.append(viz.Scene(item, title=title))
    return scenes


# %%
widgets.explore(
    look,
    {"first": (0, len(test_x) - 3, 0), "points_left": (4, points_each, points_each)},
    bounds=CUBE,
    size=260,
    alt="Three clouds, coloured by the class that PointNet names.",
)

# %% [markdown]
# **Question [[pooling_that_sees_the_order]].** Four ways to make one vector from the features of all points. Which one *does*
# depend on the order of the points?

# %% [exercise] pooling_that_sees_the_order

# %% [markdown]
# ## 2.3 Clustering: groups without labels
# *The same slide, "clusterization".* No labels this time: points (of one shape) or shapes (of a
# collection) that are alike go into one group. The plainest method is **k-means**: choose $k$ centres,
# then repeat two steps, neither of which can raise
#
# $$E = \sum_i \| x_i - c_{\ell(i)} \|^2$$
#
# - $x_i$: an item, as a vector; $c_1, \dots, c_k$: the centres; $\ell(i)$: the label of item $i$.
#
# The two steps:
#
# 1. every item gets the label of its nearest centre;
# 2. every centre moves to the mean of its items.
#
# **Exercise [[kmeans_step]].** Write one such step. A centre without items stays where it is.

# %% [exercise] kmeans_step

# %% [markdown]
# Is a grouping good? If the truth is known, compare *pairs of items*: together in both groupings,
# or in one only? The **adjusted Rand index** counts the pairs, and subtracts what chance would give:
#
# $$\mathrm{ARI} = \frac{S - E}{\frac{1}{2}(A + B) - E}, \qquad E = \frac{A\,B}{\binom{n}{2}}$$
#
# - $n_{ij}$: the number of items in group $i$ of the one and group $j$ of the other grouping;
# - $E$: what chance would give for $S$ (not the error of k-means above);
# - $S = \sum_{ij} \binom{n_{ij}}{2}$: the pairs that are together in both;
# - $A = \sum_i \binom{\sum_j n_{ij}}{2}$ and $B = \sum_j \binom{\sum_i n_{ij}}{2}$: the pairs that are
#   together in the one, and in the other; $\binom{x}{2} = x (x - 1)/2$; $n$: the number of items.
#
# It is 1 for the same groups, whatever their names, and 0 on average for groups drawn by lot.
#
# **Exercise [[adjusted_rand_index]].** Write `adjusted_rand_index` for two tensors of labels (n,), any whole numbers. If
# both groupings are trivial (0/0), it is 1.

# %% [exercise] adjusted_rand_index

# %% [markdown]
# **Points into parts.** The points of a chair, without labels: does k-means find seat, legs and back? We
# try the position alone, and the position with the direction of the surface; and for comparison
# *spectral clustering* (scikit-learn), which follows chains of near points instead of straight
# distances. *Predict:* for which of the four objects will it work best?

# %%
import warnings

from sklearn.cluster import SpectralClustering


def kmeans(items, k, attempts=5):
    best = None
    for attempt in range(attempts):  # k-means finds a local minimum: keep the best of several
        generator = torch.Generator().manual_seed(attempt)
        centers = items[torch.randperm(len(items), generator=generator)[:k]]
        for _ in range(25):
            labels, centers = kmeans_step(items, centers)
        error = (items - centers[labels]).square().sum()
        if best is None or error < best[0]:
            best = error, labels
    return best[1]


def spectral(points, k):
    method = SpectralClustering(k, affinity="nearest_neighbors", n_neighbors=10, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # parts that do not touch: a graph in several pieces
        return torch.from_numpy(method.fit_predict(points.numpy())).long()


# %%
def groupings(shape):
    """The points of a shape, their true parts, and three groupings found without labels."""
    chance = torch.Generator().manual_seed(0)
    points, normals = sample_surface(shape.mesh(48), 700, generator=chance)
    k, both = len(shape.part_names), torch.cat([points, 0.5 * normals.abs()], dim=1)
    found = {"position": kmeans(points, k), "+ direction": kmeans(both, k)}
    return points, shape.part_labels(points), {**found, "spectral": spectral(points, k)}


def agreement(family, seeds):
    """The adjusted Rand indices (objects, 3) of the groupings of several objects."""
    found = [groupings(shapes.make_shape(family, seed)) for seed in seeds]
    indices = [[adjusted_rand_index(t, g) for g in groups.values()] for _, t, groups in found]
    return np.array(indices, dtype=float)


# %%
rows, parts, titles, objects = [], [], [], budget(10, 2)
for family, seed in (("chair", 4), ("table", 2), ("aeroplane", 0), ("lamp", 0)):
    scores = agreement(family, range(objects))
    each = zip(scores.mean(0), scores.std(0), strict=True)
    ahead = f"{(scores[:, 2] > scores[:, 1]).sum()} of {objects}"
    rows.append([family, *(f"{mean:.2f} ± {spread:.2f}" for mean, spread in each), ahead])
    points, truth, found = groupings(shapes.make_shape(family, seed))
    for name, labels in {"true parts": truth, **found}.items():
        parts.append(viz.render_points(points, colors=COLORS[labels], point_size=0.07, size=150))
        titles.append(name)
names = ["objects", "k-means on position", "position and direction", "spectral"]
caption = f"Adjusted Rand index against the true parts: mean ± deviation over {objects} objects"
viz.table(rows, [*names, "spectral ahead of directions"], caption)

# %%
viz.gallery(
    parts, titles, columns=4, alt="Four objects, coloured by true part and by three groupings; "
    "k-means cuts them into compact pieces that are not the parts.",
)  # fmt: skip

# %% [markdown]
# *What to see:* k-means likes compact pieces of similar size. It mostly cuts a table top in half and
# joins a leg to a piece of it: position is not what makes a part. On the average of ten objects spectral
# clustering is ahead for tables and lamps, and mostly for aeroplanes. Directions help clearly with chairs:
# there k-means with directions is mostly ahead of spectral clustering on such an average. But look at the
# deviations: one object says little, and the next one may say the reverse. In practice parts are usually
# *learned* from labels, with the features of networks like PointNet.
#
# **Shapes into families.** Now the items are whole shapes, each as one vector (an *embedding*). Three
# embeddings: the centre and extent of the cloud; PointNet with random weights; the trained PointNet.
# *Predict* the order of the three.


# %%
@torch.no_grad()
def embeddings(clouds):
    torch.manual_seed(0)
    untrained = MyPointNet(len(FAMILIES)).to(DEVICE)
    extent = torch.cat([clouds.mean(dim=1), clouds.std(dim=1)], dim=1)
    vectors = [extent, untrained.embed(clouds), pointnet.embed(clouds)]
    names = ["centre and extent", "PointNet, random weights", "PointNet, trained"]
    return {name: v.cpu() for name, v in zip(names, vectors, strict=True)}


rows, embedded, families = [], embeddings(test_x), test_y.cpu()
for name, vectors in embedded.items():
    labels = kmeans(vectors / vectors.std(), len(FAMILIES), attempts=20)
    rows.append([name, vectors.shape[1], float(adjusted_rand_index(families, labels))])
caption = "k-means with six groups on the embeddings of new shapes, against the six families"
viz.table(rows, ["embedding", "numbers", "adjusted Rand index"], caption)


# %%
def flat(vectors):
    """The two directions in which the vectors differ most (principal components)."""
    centred = vectors - vectors.mean(dim=0)
    return centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T


plane = flat(embedded["PointNet, trained"])
groups = {family: plane[families == i].T for i, family in enumerate(FAMILIES)}
viz.scatter_chart(
    {f: (xy[0], xy[1]) for f, xy in groups.items()},
    x="first component",
    y="second component",
    alt="The embeddings of new shapes in a plane: families form clumps.",
)

# %% [markdown]
# *What to see:* a network that was trained to *tell families apart* places them apart: its embedding
# groups new shapes nearly perfectly. Centre and extent, six numbers, do well on objects that stand
# upright and have one size; random weights do about as well, or better. The chart shows only two
# directions of the trained embedding: in these, here, chairs overlap with lamps and mugs with tables.
# Embeddings can also be *learned without labels*: the codes of the next section are such.
#
# ## 2.4 Generation: a space in which every point is a shape
# *The same slide, "generation of 3D data".* DeepSDF (Park et al. 2019): one network for all shapes,
#
# $$f_\theta(z, x) \approx \text{signed distance at } x \text{ of the shape with code } z$$
#
# - $x \in \mathbb{R}^3$: where; $z \in \mathbb{R}^d$: which shape, its **latent vector**; $\theta$: the weights.
#
# There is no encoder. Each training shape $s$ owns a free vector $z_s$, and vectors and weights
# are learned together ("auto-decoder"):
#
# $$\min_{\theta,\, z_1, z_2, \dots} \sum_s \Big( \sum_{x} \big| \mathrm{clip}(f_\theta(z_s, x)) - \mathrm{clip}(d_s(x)) \big| + \lambda \|z_s\|^2 \Big)$$
#
# - $d_s(x)$: the true signed distance; $\mathrm{clip}$: to $[-0.2, 0.2]$, as only the surface matters;
# - $\lambda$ = 10⁻⁴: draws the vectors towards 0. (Gaps between them may stay, as we shall see.)

# %%
from course_lib.tasks.generation import LatentSdf

TASK = ("chair", "table")


def samples_of(some_shapes, chance):
    """Places in space, half of them near the surfaces (s, 4000, 3), and clipped distances (s, 4000)."""
    places = []
    for shape in some_shapes:
        near, _ = sample_surface(shape.mesh(32), 2000, generator=chance)
        near = near + 0.05 * torch.randn(near.shape, generator=chance)
        places.append(torch.cat([near, torch.rand(2000, 3, generator=chance) * 2 - 1]))
    pairs = zip(some_shapes, places, strict=True)
    distances = [shape.sdf(x).clamp(-0.2, 0.2) for shape, x in pairs]
    return torch.stack(places).to(DEVICE), torch.stack(distances).to(DEVICE)


# %% [markdown]
# *Time: 15 to 30 s on two CPU cores, 10 s on a Colab T4 (an estimate, not measured); it stops after 75
# s.*


# %%
def auto_decode(places, distances, chance):
    """Learn a code for each shape, and the network that decodes them."""
    model = LatentSdf(len(places), latent=16).to(DEVICE)
    count, items, samples = budget(1400, 15), budget(16, 16, gpu=64), budget(256, 256, gpu=1024)
    weights = [p for name, p in model.named_parameters() if name != "latents"]
    groups = [{"params": [model.latents], "lr": 5e-3}, {"params": weights, "lr": 2e-3}]
    optimizer = torch.optim.Adam(groups)
    slower = torch.optim.lr_scheduler.StepLR(optimizer, int(0.75 * count), 0.2)  # at the end
    steps = Budget(count, seconds=75, label="latent shapes")
    for _ in steps:
        which = torch.randint(0, len(places), (items, 1), generator=chance).to(DEVICE)
        where = torch.randint(0, places.shape[1], (items, samples), generator=chance).to(DEVICE)
        z = model.latents[which[:, 0]]
        error = model(z, places[which, where]).clamp(-0.2, 0.2) - distances[which, where]
        loss = error.abs().mean() + 1e-4 * z.square().sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        slower.step()
        steps.say(f"mean error {error.abs().mean().item():.4f}")
    return model


# %%
train_shapes = [shapes.make_shape(f, s) for f in TASK for s in range(budget(40, 8))]
chance = torch.Generator().manual_seed(0)
torch.manual_seed(0)
model = auto_decode(*samples_of(train_shapes, chance), chance)

# %% [markdown]
# **Exercise [[decode_path]].** Walk in a straight line from one code to another, and decode on the way. Blend
# the *codes*, not the shapes.

# %% [exercise] decode_path

# %%
codes = model.latents.detach()
lattice = meshes.lattice(budget(32, 20)).to(DEVICE)
everywhere = lattice.reshape(-1, 3)


def surface_of(values):
    """The surface where the values are 0, or voxels of which none is occupied."""
    values = values.reshape(lattice.shape[:3]).cpu()
    there = values.min() < 0 < values.max()
    return meshes.grid_to_mesh(values) if there else torch.zeros(2, 2, 2, dtype=torch.bool)


# %%
chair_code, table_code = codes[0], codes[len(codes) // 2]
path = decode_path(model.decode, chair_code, table_code, everywhere, 5)
ts = (0.0, 0.25, 0.5, 0.75, 1.0)
blend = [(1 - t) * path[0] + t * path[-1] for t in ts]
viz.gallery(
    [viz.render(surface_of(values), size=170) for values in [*path, *blend]],
    [f"codes, t = {t}" for t in ts] + [f"values, t = {t}" for t in ts],
    columns=5,
    alt="First row: a chair turns into a table by way of other furniture. Second row: blending "
    "the distances makes the legs vanish on the way.",
)

# %% [markdown]
# *What to see:* on the line between these two codes the back shrinks while the seat widens: things that
# one could sit on or eat at. (Other pairs do worse: half-way, some fall into pieces.) The space was
# never told about backs and seats. Blending the two functions' values (second row) loses the legs: where
# only one of the two has a leg, the other's distance outweighs it.
#
# Move through the space yourself: the slider walks from shape to shape.

# %%
chair_count = len(codes) // 2


def walk_through(position, chair_number, table_number):
    a, b = codes[chair_number], codes[chair_count + table_number]
    values = model.decode((1 - position) * a + position * b, everywhere)
    return viz.Scene(surface_of(values), title="decoded")


latent_view = widgets.explore(
    walk_through,
    {
        "position": (0.0, 1.0, 0.4),
        "chair_number": (0, chair_count - 1, 0),
        "table_number": (0, chair_count - 1, 0),
    },
    bounds=CUBE,
    alt="A shape between a chair and a table, decoded from its code.",
)

# %% [markdown]
# ### Where do the codes lie? Flow matching
# To generate a shape one needs a new code. The plainest way: draw it from the normal distribution that
# has the mean and covariance of the learned codes. But codes need not lie in one heap. Today one often
# *learns* where they lie, with a diffusion model or, as here, by **flow matching** (Lipman et al. 2023):
# noise is moved, step by step, to where the codes are.
#
# $$z_t = (1 - t)\, \varepsilon + t\, x, \qquad
# \min_\theta\ \operatorname*{mean}_{x,\, \varepsilon,\, t}\ \big( v_\theta(z_t, t) - (x - \varepsilon) \big)^2$$
#
# - $x$: a code, shifted and scaled so that all codes have mean 0 and a deviation of about 1;
#   $\varepsilon$: noise, normally distributed; $t$: a time, uniform in $[0, 1]$;
# - $z_t$: a point on the straight way from the noise ($t = 0$) to the code ($t = 1$), which is
#   travelled with the constant velocity $x - \varepsilon$;
# - $v_\theta(z, t)$: the network, which says how to move at place $z$ and time $t$. Many ways lead
#   through one point; the least error has the mean of their velocities.
#
# To sample, start from fresh noise and follow the network: $z \leftarrow z + v_\theta(z, t) / n$ for
# $t = 0, \frac1n, \dots, \frac{n-1}n$ (Euler's method).
#
# **Exercise [[flow_matching_loss]].** Write the loss for a batch. `velocity(z, t)` takes points (b, d) and times (b,);
# the mean is over all b · d numbers.

# %% [exercise] flow_matching_loss

# %%
from course_lib.tasks.generation import VelocityField, sample_flow, sample_latents


def learn_flow(codes, chance):
    """A network that moves noise to the standardised codes."""
    scaled = (codes - codes.mean(dim=0)) / codes.std()
    field = VelocityField(codes.shape[1]).to(DEVICE)
    optimizer = torch.optim.Adam(field.parameters(), lr=2e-3)
    steps = Budget(budget(1500, 20), seconds=30, label="flow")
    for _ in steps:
        x = scaled[torch.randint(0, len(codes), (128,), generator=chance).to(DEVICE)]
        noise, t = torch.randn(x.shape, generator=chance), torch.rand(len(x), generator=chance)
        loss = flow_matching_loss(field, x, noise.to(DEVICE), t.to(DEVICE))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps.say(f"loss {loss.item():.2f}")
    return field


# %%
def flown(field, codes, n, seed):
    """New codes: noise that follows the field, moved back to where the codes are."""
    noise = torch.randn(n, codes.shape[1], generator=torch.Generator().manual_seed(seed))
    return sample_flow(field, noise.to(DEVICE)) * codes.std() + codes.mean(dim=0)


def draw(group, n, seed=4):
    return sample_latents(group, n, generator=torch.Generator().manual_seed(seed))


# %% [markdown]
# *Time: about 3 s on two CPU cores.* The chart shows codes in the two directions in which they differ
# most.

# %%
torch.manual_seed(0)
field, half = learn_flow(codes, chance), budget(20, 4)
new = {"one normal distribution": draw(codes, 2 * half), "flow": flown(field, codes, 2 * half, 4)}
groups = dict(zip(TASK, codes.chunk(2), strict=True)) | new
plane = flat(torch.cat(list(groups.values())).cpu()).split([len(g) for g in groups.values()])
viz.scatter_chart(
    {name: (xy[:, 0], xy[:, 1]) for name, xy in zip(groups, plane, strict=True)},
    x="first component", y="second component", alt="The codes of chairs and of tables lie in two "
    "heaps; those of the flow lie in them, those of one normal distribution also in between.",
)  # fmt: skip

# %% [markdown]
# ### Are generated shapes any good?
# Compare them with *held-out* shapes $r$, by the Chamfer distance $d(g, r)$ of clouds (notebook 4), in
# three ways (Achlioptas et al. 2018; Yang et al. 2019):
#
# $$\begin{aligned}
# \mathrm{coverage} &= \frac{|\{\arg\min_r d(g, r) : g \text{ generated}\}|}{\text{number of } r} \\[1ex]
# \mathrm{MMD} &= \operatorname*{mean}_r\ \min_g\ d(g, r)
# \end{aligned}$$
#
# - $g$: a generated shape, $r$: a held-out one, the reference;
# - coverage: which share of the references is the nearest one of some generated shape? It asks for
#   variety;
# - MMD, the *minimum matching distance*: how far is the nearest generated shape from a reference, on
#   average? It asks for a good match to every reference; shapes that match none cost nothing;
# - **1-NNA**, the accuracy of the nearest neighbour: put both heaps together and ask of each shape
#   whether the nearest other one is of its own heap. One half means that it cannot tell the heaps apart;
#   1 that the generated ones are bad, or all alike. It asks for both.
#
# **Exercises [[coverage]] and [[minimum_matching_distance]].** Both from the matrix of distances: `distances[i, j]` from generated
# shape $i$ to reference $j$.

# %% [exercise] coverage

# %% [exercise] minimum_matching_distance

# %%
from course_lib.tasks.generation import nearest_neighbor_accuracy, pairwise_chamfer


def cloud_of(mesh):
    return sample_surface(mesh, 300, generator=torch.Generator().manual_seed(0))[0]


def decoded(some_codes, decoder):
    clouds = []
    for code in some_codes:
        values = decoder.decode(code, everywhere).reshape(lattice.shape[:3]).cpu()
        empty = not values.min() < 0  # a code without a shape: one point, far from everything
        clouds.append(torch.ones(300, 3) if empty else cloud_of(meshes.grid_to_mesh(values)))
    return torch.stack(clouds)


def judged(clouds, references):
    """Coverage, MMD and 1-NNA of generated clouds."""
    across = pairwise_chamfer(clouds, references)
    within, others = pairwise_chamfer(clouds, clouds), pairwise_chamfer(references, references)
    measures = coverage(across), minimum_matching_distance(across)
    return [float(m) for m in (*measures, nearest_neighbor_accuracy(within, across, others))]


# %%
held_out = [shapes.make_shape(f, s) for f in TASK for s in range(2000, 2000 + half)]
references = torch.stack([cloud_of(shape.mesh(32)) for shape in held_out])
new["a distribution per family"] = torch.cat([draw(group, half) for group in codes.chunk(2)])
seen = torch.stack([cloud_of(s.mesh(32)) for s in train_shapes[:half] + train_shapes[-half:]])
candidates = {"training shapes": seen, "one chair, repeated": seen[:1].repeat(2 * half, 1, 1)}
candidates |= {f"codes from {name}": decoded(drawn, model) for name, drawn in new.items()}
rows = [[name, *judged(clouds, references)] for name, clouds in candidates.items()]
caption = f"{2 * half} shapes of each generator against {2 * half} held-out chairs and tables"
header = ["generator", "coverage (more is better)", "MMD (less is better)", "1-NNA (best: 0.5)"]
viz.table(rows, header, caption)

# %%
some = [0, 1, 2, half, half + 1, half + 2]
viz.gallery(
    [
        viz.render(surface_of(model.decode(code, everywhere)), size=150)
        for drawn in new.values()
        for code in drawn[some]
    ],
    [name for name in new for _ in some],
    columns=6,
    alt="Shapes decoded from new codes. First row, one distribution: mostly broken furniture between "
    "chair and table. Second row, the flow, and third, one distribution per family: chairs and tables.",
)

# %% [markdown]
# *What to see:*
# - The training shapes are the bar: real, and as varied as the held-out ones. Even they cover only about
#   half to two thirds of the references, since several shapes share a nearest one; and their 1-NNA is
#   around ½.
# - A repeated shape covers one reference.
# - One normal distribution over all codes also fills the gap between chairs and tables, where no shape
#   was ever seen, and the pictures show it: broken furniture.
# - The flow was not told that there are two families, and finds out: its MMD is mostly smaller than that
#   of one normal distribution, and so is its 1-NNA. Whether it comes as near as a distribution per
#   family, which was told, depends on the draw: the 1-NNA of 40 shapes changes from one draw to the
#   next.
# - Coverage hardly tells the last three generators apart here: broken furniture has a nearest reference,
#   too. It asks for variety and not for quality, so never report it alone; nor with MMD only, from which
#   bad shapes among good ones can hide.
# - With 80 codes a flow that is trained for long could learn them by heart, and then it would "generate"
#   the training set, which all three measures praise. Look for the nearest training shape, too.
#
# ## 2.5 Reconstruction: from pictures to shapes
# *The slide's third task.* From one picture, the hidden side must be guessed from experience:
# notebook 5. From many pictures, it is measured: notebook 7. Why is one picture not enough? Here are
# three *different* objects, seen from straight ahead and from behind:

# %%
plate = shapes.box((1.2, 0.8, 0.1), (0, 0, 0.75))
block = shapes.box((1.2, 0.8, 1.6))
step = shapes.difference(block, shapes.box((2.0, 0.5, 1.2), (0, 0.25, -0.3)))
solids = [meshes.grid_to_mesh(sdf(meshes.lattice(64))) for sdf in (plate, block, step)]
front = [viz.render_mesh(solid, view=(0, 0), size=150, bounds=CUBE) for solid in solids]
side = [viz.render_mesh(solid, view=(120, 30), size=150, bounds=CUBE) for solid in solids]
viz.gallery(
    [*front, *side],
    ["from the front"] * 3 + ["from behind"] * 3,
    columns=3,
    alt="Three solids: the same rectangle from the front; a plate, a block and a step from behind.",
)

# %% [markdown]
# *What to see:* the same rectangle three times, of a plate, a block and a step. Infinitely many shapes
# explain one picture.
#
# ## 2.6 Animation of static meshes
# *The slide's last task.* To move a mesh one does not move its thousands of vertices one by one.
# One builds a **skeleton**, a tree of joints, and lets the skin follow. First the skeleton:
#
# $$G_j = G_{\mathrm{parent}(j)}\, L_j, \qquad G_{\mathrm{root}} = L_{\mathrm{root}}$$
#
# - $L_j$: the 4 × 4 matrix from joint $j$'s coordinates to its parent's: the length of the bone, and
#   the turn of the joint;
# - $G_j$: the matrix from joint $j$'s coordinates to the world; the *root* is the joint without parent.
#
# Turn a shoulder, and the forearm comes along, as its parent's matrix stands to the left.
#
# **Exercise [[forward_kinematics]].** Write this *forward kinematics*: `local` (j, 4, 4) → (j, 4, 4). `parents[j]` comes before
# j; −1 marks a root.

# %% [exercise] forward_kinematics

# %% [markdown]
# Then the skin. In the rest pose bone $j$ has the matrix $\bar G_j$; its motion since is
# $M_j = G_j \bar G_j^{-1}$. Every vertex may follow several bones, by weights:
#
# $$p_i' = \sum_j w_{ij}\, M_j\, p_i, \qquad \sum_j w_{ij} = 1,\ w_{ij} \ge 0$$
#
# - $p_i$: vertex $i$ at rest, as $(x, y, z, 1)$; $p_i'$: where it goes; $w_{ij}$: how much it follows bone $j$.
#
# **Exercise [[linear_blend_skinning]].** Write this *linear blend skinning*: vertices (v, 3), weights (v, j), motions (j, 4, 4)
# → (v, 3).

# %% [exercise] linear_blend_skinning

# %% [markdown]
# A little person: eleven bones, and weights that fall off with the distance to each bone. The
# colours show which bone a vertex follows most.

# %%
from course_lib.tasks import skinning

person, skeleton = skinning.figure(budget(72, 40))
skin = skeleton.skin_weights(person.vertices, width=0.03)
look_of = {"colors": skin @ COLORS[torch.arange(skin.shape[1]) % 7]}
room = torch.tensor([[-0.7, -0.9, -0.3], [0.7, 0.85, 0.3]])


def posed(turns):
    moved = linear_blend_skinning(person.vertices, skin, skeleton.motions(turns))
    return Mesh(moved, person.faces)


# %%
bones = torch.stack([skeleton.positions, skeleton.ends], dim=1)  # (j, 2, 3)
pictures = [
    viz.render(viz.Item(bones, color="#000000", size=0.03), bounds=room, size=220),
    viz.render_mesh(person, bounds=room, size=220, **look_of),
]
for t in (0.25, 0.75):
    walking = posed(skinning.walk(t))
    pictures.append(viz.render_mesh(walking, bounds=room, size=220, view=(50, 10), **look_of))
viz.gallery(
    pictures,
    ["skeleton", "skin at rest", "walking, t = 0.25", "walking, t = 0.75"],
    alt="A stick skeleton with arms spread; the person around it, coloured by bone; two steps of a walk.",
)

# %% [markdown]
# Press *play*, and turn the person while it walks. Then stop it and move one bone yourself.

# %%
JOINTS = list(skeleton.names)


def animate(step, extra_joint, extra_turn):
    turns = skinning.walk(step / 24)
    own = skinning.rotation(2, extra_turn)
    turns[extra_joint] = turns.get(extra_joint, torch.eye(4)) @ own
    return viz.Scene(viz.Item(posed(turns), **look_of), title="walking")


animation = widgets.explore(
    animate,
    {"step": (0, 23, 4), "extra_joint": JOINTS, "extra_turn": (-90, 90, 0)},
    play="step",
    bounds=room,
    view=(50, 10),
    alt="A little person in the middle of a step.",
)

# %% [markdown]
# ### What goes wrong: the joint loses volume
# The mean of two different rotations is not a rotation: it shrinks. With half its weight on a bone at 0°
# and half on one that is turned by $\varphi$, a vertex ends at $\cos(\varphi/2)$ of its distance from
# the axis; for $\varphi = 180°$ at 0. We bend and twist an arm of two bones, and measure. *Predict:*
# which of the two costs more volume?

# %%
arm, arm_bones = skinning.arm(resolution=budget(56, 40))
arm_skin = arm_bones.skin_weights(arm.vertices, width=0.06)


def arm_posed(axis, degrees):
    motions = arm_bones.motions({"bone 1": skinning.rotation(axis, degrees)})
    return Mesh(linear_blend_skinning(arm.vertices, arm_skin, motions), arm.faces)


def volume_left(axis, degrees):
    return 100 * float(arm_posed(axis, degrees).volume() / arm.volume())


# %% [markdown]
# A bend is measured up to 90°: bent much further, the forearm runs into the upper arm, and the volume of
# a mesh counts what overlaps twice.

# %%
ranges = {"bend": (2, range(0, 91, 15)), "twist": (0, range(0, 181, 15))}
left = {
    name: (list(angles), [volume_left(axis, a) for a in angles])
    for name, (axis, angles) in ranges.items()
}
alt = "Both the bent and the twisted arm lose volume as the angle grows, the twisted one more."
viz.line_chart(left, x="angle in degrees", y="volume left in %", alt=alt)
print(f"at 90°: bend {volume_left(2, 90):.0f} %, twist {volume_left(0, 90):.0f} %")

# %%
poses = {"rest": (2, 0), "bent by 90°": (2, 90), "twisted by 180°": (0, 180)}
viz.gallery(
    [viz.render_mesh(arm_posed(*pose), size=200, view=(0, 25)) for pose in poses.values()],
    list(poses),
    alt="A straight tube; bent, with a pinched elbow; twisted, closed like a sweet wrapper.",
)

# %% [markdown]
# *What to see:* both joints lose volume, more with every degree, and a twist costs more than a bend by
# the same angle. In a bend the inner side is pinched, but along the hinge nothing shrinks; in a twist
# every vertex near the joint moves towards the arm's own axis. At 180° the arm closes in the middle like
# the wrapper of a sweet: there the two motions average to a matrix that flattens everything onto the
# axis. Helper bones, or rotations blended in other ways (dual quaternions), are among the remedies; some
# films simulate the flesh.
#
# ## 2.7 What to remember
# - 3D data comes as clouds, voxels, meshes and functions; which one, depends on the field.
# - A network on a *set* must not see its order: the same network for each point, then a symmetric
#   function. What is not built in, such as rotations, must be learned from data.
# - Groups are in the eye of the features: the same k-means on other embeddings finds other groups.
# - A latent space makes shapes continuous: blend codes, not values. Judge a generator by variety
#   *and* quality, against held-out shapes.
# - A skeleton with few numbers moves a mesh of many; linear blending is simple and loses volume.

# %%
progress()
