"""Notebook 04, the regularisers of meshes: edges, smoothness, Laplacian."""

import torch

from course_lib import losses, meshes
from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.losses import hinges
from course_lib.stable import unit

# Inputs


def moved(mesh: meshes.Mesh, topology: str, amount: float = 0.2):
    """A maker of a mesh's vertices, each moved a little, with its edges or faces."""

    def make(g):
        noise = torch.randn(mesh.vertices.shape, generator=g)
        return mesh.vertices + amount * noise, getattr(mesh, topology).clone()

    return make


def as_it_is(mesh: meshes.Mesh, topology: str):
    """A maker of a mesh's own vertices with its edges or faces."""
    return lambda g: (mesh.vertices.clone(), getattr(mesh, topology).clone())


def small_and_turned(mesh: meshes.Mesh):
    """A maker of a small dented mesh, with faces of which some run the other way round."""

    def make(g):
        vertices, faces = moved(mesh, "faces", 0.1)(g)
        turned = torch.rand(len(faces), 1, generator=g) < 0.4
        return 0.05 * vertices, torch.where(turned, faces.flip(1), faces)

    return make


def with_double_vertices(g):
    """A star of four edges, two of them of length 0."""
    vertices = torch.randn(5, 3, generator=g)
    vertices[1] = vertices[2] = vertices[0]
    return vertices, torch.tensor([[0, 1], [2, 0], [0, 3], [4, 0]])


def with_lone_vertices(g):
    """Five vertices in a square with a diagonal, one without an edge in the midst, one at the end."""
    vertices = torch.randn(6, 3, generator=g)
    vertices[1] = (vertices[0] + vertices[3]) / 2  # in the middle of its neighbours
    return vertices, torch.tensor([[0, 1], [1, 3], [3, 4], [4, 0], [0, 3]])


# Edges


def _squared_lengths(vertices, edges):
    return (vertices[..., edges[:, 0], :] - vertices[..., edges[:, 1], :]).square().sum(-1)


def path_of_three(generator):
    """Vertices and edges of a path with edges of lengths 1 and 2."""
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 2, 0]])
    return vertices, torch.tensor([[0, 1], [1, 2]])


ON_MESHES = (
    Case("a dented sphere", moved(meshes.icosphere(0), "edges")),
    Case("a crumpled sheet", moved(meshes.sheet(2.0, 3), "edges")),
)

# fmt: off
EDGE_MISTAKES = mistakes({
    "deviation from the mean": (
        lambda v, e: (lambda d: (d - d.mean()).square().mean())(_squared_lengths(v, e).sqrt()),
        "You measured how far lengths are from their mean, which is another regulariser: here long "
        "edges cost, even where all are alike."),
    "square of the mean": (lambda v, e: _squared_lengths(v, e).sqrt().mean().square(),
        "You squared the mean length. Square each length, then take the mean."),
    "not squared": (lambda vertices, edges: _squared_lengths(vertices, edges).sqrt().mean(-1),
        "You averaged the lengths. The loss averages their squares."),
    "sum": (lambda vertices, edges: _squared_lengths(vertices, edges).sum(-1),
        "You summed over the edges: divide by |E|, or a finer mesh costs more."),
    "mean over the coordinates": (
        lambda vertices, edges: _squared_lengths(vertices, edges).mean(-1) / 3,
        "Exactly a third: you averaged over x, y and z as well. Sum those, then average over "
        "edges."),
    "per vertex": (lambda vertices, edges: _squared_lengths(vertices, edges).sum() / len(vertices),
        "You divided by the number of vertices |V| instead of the number of edges |E|."),
    "both directions": (lambda vertices, edges: 2 * _squared_lengths(vertices, edges).mean(-1),
        "Exactly twice the expected value: E lists every edge once; do not add its reverse."),
    "root mean square": (lambda vertices, edges: _squared_lengths(vertices, edges).mean(-1).sqrt(),
        "You took a square root at the end: the loss is the mean square itself."),
})
# fmt: on

EDGE = Exercise(
    name="edge_loss",
    reference=losses.edge_loss,
    cases=(
        Case("two edges of lengths 1 and 2", path_of_three, fixed=True),
        *ON_MESHES,
        Case("vertices in one place", with_double_vertices),
    ),
    misconceptions=EDGE_MISTAKES,
    hints=(
        "`edges[:, 0]` and `edges[:, 1]` are the indices of the two ends of every edge.",
        "`vertices[edges[:, 0]] - vertices[edges[:, 1]]` has shape (e, 3): one arrow per edge.",
        "Square, sum over the three coordinates, mean over the edges. Still stuck? "
        '`solution("edge_loss")`.',
    ),
    gradients=("vertices",),
)

# Smoothness


def _turned(vertices, faces):
    """e × a and e × b of every pair of faces with a common edge."""
    start, end, one, other = (vertices[..., i, :] for i in hinges(faces).unbind(1))
    return [torch.linalg.cross(end - start, corner - start) for corner in (one, other)]


def _cosines(vertices, faces):
    """cos θ of every pair of faces with a common edge: flat is −1."""
    a, b = _turned(vertices, faces)
    return (unit(a) * unit(b)).sum(-1)


def _border_count(faces):
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).sort(1).values
    return (torch.unique(edges, dim=0, return_counts=True)[1] == 1).sum()


def _without_units(vertices, faces):
    a, b = _turned(vertices, faces)
    return ((a * b).sum(-1) + 1).square().sum(-1)


def _without_cross(vertices, faces):
    start, _, one, other = (vertices[..., i, :] for i in hinges(faces).unbind(1))
    return ((unit(one - start) * unit(other - start)).sum(-1) + 1).square().sum(-1)


def _of_degrees(vertices, faces):
    angle = torch.rad2deg(torch.acos(_cosines(vertices, faces).clamp(-1, 1)))
    return (angle.cos() + 1).square().sum(-1)


# fmt: off
SMOOTH_MISTAKES = mistakes({
    "squared angles": (
        lambda v, f: (torch.acos(_cosines(v, f).clamp(-1, 1)) - torch.pi).square().sum(),
        "You squared the angle θ − π. The slide squares cos θ + 1."),
    "angle between the normals": (
        lambda vertices, faces: (1 - _cosines(vertices, faces)).square().sum(-1),
        "You used the angle between the normals, which is π − θ: then flat costs 4 and a fold 0."),
    "mean": (lambda vertices, faces: (_cosines(vertices, faces) + 1).square().mean(-1),
        "You averaged over the edges. The slide's Σ has no 1/|E| in front of it."),
    "every edge twice": (lambda vertices, faces: 2 * (_cosines(vertices, faces) + 1).square().sum(-1),
        "Exactly twice the expected value: you met every edge from both of its faces."),
    "not squared": (lambda vertices, faces: (_cosines(vertices, faces) + 1).sum(-1),
        "You forgot the square: Σ (cos θ + 1)²."),
    "borders count": (
        lambda vertices, faces: (_cosines(vertices, faces) + 1).square().sum(-1) + _border_count(faces),
        "You counted the border: an edge with only one face has no angle and costs nothing."),
    "lengths left in": (_without_units,
        "You multiplied vectors that are not of length 1: their product is no cosine yet."),
    "no cross product": (_without_cross,
        "You measured the angle between the arrows to the corners. Make them perpendicular to the edge "
        "first: e × a and e × b."),
    "degrees": (_of_degrees,
        "You gave degrees to a cosine: it takes radians. The angle itself is not needed at all."),
    "not summed": (lambda vertices, faces: (_cosines(vertices, faces) + 1).square(),
        "You return one number per edge: sum them."),
    "one sign wrong": (lambda vertices, faces: (_cosines(vertices, faces).square() + 1).sum(-1),
        "You squared the cosine before adding 1: (cos θ + 1)², not cos² θ + 1."),
})
# fmt: on

SMOOTH = Exercise(
    name="smooth_loss",
    reference=losses.smooth_loss,
    points=3,
    cases=(
        Case("a cube: 12 right angles", as_it_is(meshes.box(2.0), "faces"), fixed=True),
        Case("a dented sphere", moved(meshes.icosphere(0), "faces", 0.1)),
        Case("a crumpled sheet, with a border", moved(meshes.sheet(2.0, 3), "faces", 0.1)),
        Case("faces wound either way", small_and_turned(meshes.icosphere(0))),
    ),
    misconceptions=SMOOTH_MISTAKES,
    hints=(
        "`hinges(faces)` gives for every interior edge its two ends and the two corners beside it.",
        "Let e = end − start, a = one corner − start, b = other corner − start. What is e × a?",
        "e × a is a, made perpendicular to the edge and turned by 90°; so is e × b: θ is between them.",
        "cos θ = unit(e × a) · unit(e × b). A flat sheet must give −1: try it. Still stuck? "
        '`solution("smooth_loss")`.',
    ),
    gradients=("vertices",),
)

# Laplacian


def _neighbour_sums(vertices, edges):
    """The sum and the number of each vertex's neighbours."""
    one, other = torch.cat([edges, edges.flip(1)]).unbind(1)
    sums = torch.zeros_like(vertices).index_add(-2, one, vertices[..., other, :])
    return sums, torch.bincount(one, minlength=vertices.shape[-2])[:, None]


def _with_itself(vertices, edges):
    sums, counts = _neighbour_sums(vertices, edges)
    return vertices - (sums + vertices) / (counts + 1)


def _one_sided(vertices, edges):
    one, other = edges.unbind(1)
    sums = torch.zeros_like(vertices).index_add(-2, one, vertices[..., other, :])
    counts = torch.bincount(one, minlength=vertices.shape[-2])[:, None]
    return torch.where(counts > 0, vertices - sums / counts.clamp_min(1), 0)


def _lost_duplicates(vertices, edges):
    """What `sums[index] += …` does: of several neighbours only the last one counts."""
    sums, counts = torch.zeros_like(vertices), torch.zeros(vertices.shape[-2], 1)
    for here, there in (edges.unbind(1), edges.flip(1).unbind(1)):
        sums[..., here, :] += vertices[..., there, :]
        counts[here] += 1
    return torch.where(counts > 0, vertices - sums / counts.clamp_min(1), 0)


def _lost_sums(vertices, edges):
    one, other = torch.cat([edges, edges.flip(1)]).unbind(1)
    sums, counts = torch.zeros_like(vertices), _neighbour_sums(vertices, edges)[1]
    sums[..., one, :] += vertices[..., other, :]
    return torch.where(counts > 0, vertices - sums / counts.clamp_min(1), 0)


def _lone_stays(vertices, edges):
    sums, counts = _neighbour_sums(vertices, edges)
    return vertices - sums / counts.clamp_min(1)


def _lone_undefined(vertices, edges):
    sums, counts = _neighbour_sums(vertices, edges)
    return vertices - sums / counts


def _not_divided(vertices, edges):
    sums, counts = _neighbour_sums(vertices, edges)
    return counts * vertices - sums


LOST = (
    "`sums[index] += …` adds only once where an index occurs several times. Use `index_add`, which adds "
    "all of them."
)

# fmt: off
LAPLACIAN_COORDINATES_MISTAKES = mistakes({
    "the umbrella operator": (
        lambda vertices, edges: -losses.laplacian_coordinates(vertices, edges),
        "That is U(p), the mean of the neighbours minus p. δ_p has the opposite sign."),
    "itself among its neighbours": (_with_itself,
        "You counted p among its own neighbours: divide by |N(p)|, not by |N(p)| + 1."),
    "one end of each edge": (_one_sided,
        "You used each edge in one direction only: it makes both of its ends neighbours."),
    "duplicates lost": (_lost_duplicates, LOST),
    "duplicates of the sums lost": (_lost_sums, f"{LOST} (Your counts are right.)"),
    "a lone vertex stays": (_lone_stays,
        "A vertex without neighbours has δ = 0; yours has δ = p."),
    "a lone vertex is undefined": (_lone_undefined,
        "A vertex without neighbours gives 0/0 = NaN: δ is 0 there."),
    "the middle of all": (lambda vertices, edges: vertices - vertices.mean(-2, keepdim=True),
        "You subtracted the middle of *all* vertices. δ looks at the neighbours only."),
    "not divided": (_not_divided,
        "Your result is |N(p)| times too long: divide by each vertex's number of neighbours."),
    "only the mean": (
        lambda vertices, edges: vertices - losses.laplacian_coordinates(vertices, edges),
        "You returned the mean of the neighbours: δ_p is p minus that."),
    "sum instead of mean": (lambda vertices, edges: vertices - _neighbour_sums(vertices, edges)[0],
        "You subtracted the sum of the neighbours: divide it by their number |N(p)| first."),
})
# fmt: on

LAPLACIAN_COORDINATES = Exercise(
    name="laplacian_coordinates",
    reference=losses.laplacian_coordinates,
    points=3,
    cases=(
        Case("a path of three vertices", path_of_three, fixed=True),
        *ON_MESHES,
        Case("vertices without neighbours", with_lone_vertices),
    ),
    misconceptions=LAPLACIAN_COORDINATES_MISTAKES,
    hints=(
        "Each edge (i, j) makes j a neighbour of i, and i a neighbour of j.",
        "`torch.cat([edges, edges.flip(1)])` lists every edge in both directions.",
        "`zeros.index_add(0, here, vertices[there])` adds up the neighbours of every vertex.",
        "`torch.bincount(here, minlength=…)[:, None]` counts them; divide, subtract from p; mind "
        'vertices without neighbours. Still stuck? `solution("laplacian_coordinates")`.',
    ),
    gradients=("vertices",),
)


def _delta(vertices, edges):
    return losses.laplacian_coordinates(vertices, edges)


# fmt: off
LAPLACIAN_MISTAKES = mistakes({
    "not squared": (lambda vertices, edges: _delta(vertices, edges).norm(dim=-1).mean(-1),
        "You averaged the lengths of δ. This loss averages their squares (pytorch3d does not)."),
    "sum": (lambda vertices, edges: _delta(vertices, edges).square().sum((-2, -1)),
        "You summed over the vertices: divide by |V|."),
    "mean over the coordinates": (lambda vertices, edges: _delta(vertices, edges).square().mean(),
        "Exactly a third: sum the squares over x, y and z, then average over the vertices."),
    "per edge": (lambda vertices, edges: _delta(vertices, edges).square().sum((-2, -1)) / len(edges),
        "You divided by the number of edges. There is one δ per vertex: divide by |V|."),
    "squared mean": (lambda vertices, edges: _delta(vertices, edges).mean(-2).square().sum(-1),
        "You averaged the vectors first: opposite ones cancel. Square each δ, then average."),
})
# fmt: on

LAPLACIAN = Exercise(
    name="laplacian_loss",
    reference=losses.laplacian_loss,
    cases=(
        Case("a cube", as_it_is(meshes.box(2.0), "edges"), fixed=True),
        *ON_MESHES,
        Case("vertices without neighbours", with_lone_vertices),
    ),
    misconceptions=LAPLACIAN_MISTAKES,
    hints=(
        "Use `laplacian_coordinates`: it gives one δ per vertex, (v, 3).",
        "`delta.square().sum(dim=-1)` is ‖δ‖² of each vertex; the loss is their mean. Still stuck? "
        '`solution("laplacian_loss")`.',
    ),
    gradients=("vertices",),
)
