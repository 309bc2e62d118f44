"""Notebook 03, meshes."""

import torch

from course_lib import meshes
from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.meshes import Mesh


def _soup(v, f):
    """A maker of random vertices and of faces with three different corners."""

    def make(g):
        faces = torch.stack([torch.randperm(v, generator=g)[:3] for _ in range(f)])
        return torch.randn(v, 3, generator=g), faces

    return make


def _right_triangle(g):
    return torch.tensor([[0.0, 0, 0], [3, 0, 0], [0, 4, 0]]), torch.tensor([[0, 1, 2]])


def _on_mesh(candidate, vertices, faces):
    return candidate(Mesh(vertices, faces))


def _with_flat(v, f):
    """The same, and a last face without area."""

    def make(g):
        vertices, faces = _soup(v, f)(g)
        return vertices, torch.cat((faces, torch.tensor([[0, 0, 0]])))

    return make


def _small(v, f, size):
    """A small mesh, with two faces whose corners lie on a line."""

    def make(g):
        vertices, faces = _soup(v, f)(g)
        vertices[1], vertices[2] = (
            0.3 * vertices[0] + 0.7 * vertices[3],
            2 * vertices[3] - vertices[0],
        )
        return size * vertices, torch.cat((faces, torch.tensor([[0, 1, 3], [2, 0, 3]])))

    return make


def _edges_of(mesh, product):
    a, b, c = mesh.corners.unbind(1)
    return product(b - a, c - a)


def _cross(mesh):
    return _edges_of(mesh, torch.linalg.cross)


# fmt: off
AREAS_MISTAKES = mistakes({
    "dot product": (lambda m: _edges_of(m, lambda u, w: (u * w).sum(1) / 2),
        "You took the dot product of two edges; the area comes from their *cross* product."),
    "numbers added up": (lambda m: _edges_of(m, lambda u, w: torch.linalg.cross(u, w).sum(1) / 2),
        "You added up the components of the cross product: the area is half its *length*."),
    "parallelogram": (lambda m: _cross(m).norm(dim=1),
        "Exactly twice the expected value: the cross product spans a parallelogram."),
    "squared": (lambda m: _cross(m).square().sum(1) / 2,
        "You left out the square root of the length."),
    "total": (lambda m: _cross(m).norm(dim=1).sum() / 2,
        "You added the areas up: one number per face is asked for."),
    "right angles": (
        lambda m: (
            (m.corners[:, 1] - m.corners[:, 0]).norm(dim=1)
            * (m.corners[:, 2] - m.corners[:, 0]).norm(dim=1)
            / 2
        ),
        "Half the product of two sides holds for right angles only: use the cross product."),
})
# fmt: on

AREAS = Exercise(
    name="face_areas",
    reference=meshes.face_areas,
    call=_on_mesh,
    cases=(
        Case("a 3-4-5 triangle", _right_triangle, fixed=True),
        Case("some faces", _soup(6, 4)),
        Case("small faces, two of them flat", _small(7, 5, 0.05)),
        Case("more faces", _soup(9, 12)),
    ),
    misconceptions=AREAS_MISTAKES,
    hints=("`mesh.corners` is (f, 3, 3): face, corner, axis.", "½ |(b − a) × (c − a)|."),
)

# fmt: off
NORMALS_MISTAKES = mistakes({
    "NaN": (lambda m: _cross(m) / _cross(m).norm(dim=1, keepdim=True),
        "A face without area has no normal, and yours became NaN (0/0): it should be zero."),
    "a large guard": (lambda m: _cross(m) / (_cross(m).norm(dim=1, keepdim=True) + 1e-3),
        "What you add to the length against 0/0 makes the normals shorter than 1: "
        "`torch.nn.functional.normalize` does without."),
    "divided by the area": (lambda m: 2 * meshes.face_normals(m),
        "Your normals have length 2: the cross product is *twice* the area long."),
    "normalised along the faces": (
        lambda m: torch.nn.functional.normalize(_cross(m), dim=0),
        "You normalised along the faces (`dim=0`): each *row* must have length 1, `dim=1`."),
    "inwards": (lambda m: -meshes.face_normals(m),
        "Your normals point inwards: (b − a) × (c − a), in this order."),
    "length": (_cross, "The direction is right, but normals have length 1."),
    "normalised over faces": (lambda m: _cross(m) / _cross(m).norm(dim=0, keepdim=True),
        "You normalised along the faces: each *row* must have length 1 (`dim=1`)."),
    "positions": (lambda m: torch.nn.functional.normalize(m.corners.mean(1), dim=1),
        "That is the direction from the origin to the face; a normal comes from its edges."),
})
# fmt: on

NORMALS = Exercise(
    name="face_normals",
    reference=meshes.face_normals,
    call=_on_mesh,
    cases=(
        Case("a flat triangle", _right_triangle, fixed=True),
        Case("some faces, one without area", _with_flat(6, 4)),
        Case("more faces", _soup(9, 12)),
        Case("small faces", lambda g: (0.02 * _soup(6, 4)(g)[0], _soup(6, 4)(g)[1])),
    ),
    misconceptions=NORMALS_MISTAKES,
    hints=("The cross product of two edges is perpendicular to both.", "Divide by its length."),
)


def _euler(faces, *, directed=False, f_sign=1, vertices=None, sides=3, dim=0):
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]][:sides])
    edges = edges if directed else torch.unique(edges.sort(1).values, dim=dim)
    v = len(torch.unique(faces)) if vertices is None else vertices
    return v - len(edges) + f_sign * len(faces)


def _some_surface(g):
    faces = meshes.torus(segments=5, sides=4).faces
    keep = torch.randperm(len(faces), generator=g)[: int(torch.randint(9, 30, (1,), generator=g))]
    return (faces[keep] + 7,)


# fmt: off
EULER_MISTAKES = mistakes({
    "three edges for two faces": (lambda f: len(f.unique()) - 3 * len(f) // 2 + len(f),
        "E = 3F/2 holds for closed surfaces only: where the surface has a border, an edge belongs "
        "to one face."),
    "two sides": (lambda f: _euler(f, sides=2),
        "You took two sides of each triangle: it has three, ab, bc and ca."),
    "corners": (lambda f: _euler(f, vertices=f.numel()),
        "You counted a vertex once for each of its faces: count each once."),
    "numbers for edges": (lambda f: _euler(f, dim=None),
        "`torch.unique` without `dim=0` counts single numbers, not pairs."),
    "edges twice": (lambda f: _euler(f, directed=True),
        "You counted an edge once per face: shared edges count *once*, whatever their direction."),
    "signs exchanged": (lambda f: 2 * len(f.unique()) - _euler(f), "χ = V **−** E **+** F."),
    "minus faces": (lambda f: _euler(f, f_sign=-1), "χ = V − E **+** F."),
    "highest index": (lambda f: _euler(f, vertices=int(f.max()) + 1),
        "Vertices that no face uses do not count: the highest index says too much."),
    "genus": (lambda f: (2 - _euler(f)) // 2,
        "That is the genus of a closed surface, (2 − χ)/2; χ is asked for."),
})
# fmt: on

EULER = Exercise(
    name="euler_characteristic",
    reference=meshes.euler_characteristic,
    cases=(
        Case("a tetrahedron", lambda g: (meshes.tetrahedron().faces,), fixed=True),
        Case("a torus with holes", _some_surface),
        Case("another torus with holes", _some_surface),
    ),
    misconceptions=EULER_MISTAKES,
    hints=(
        "Count three things. `torch.unique` counts different rows with `dim=0`.",
        "Edges (a, b) and (b, a) are the same: sort each pair first.",
    ),
)


def _graph(v, e, c, k):
    def make(g):
        pairs = torch.combinations(torch.arange(v))
        edges = pairs[torch.randperm(len(pairs), generator=g)[:e]]
        normal = (torch.randn(*shape, generator=g) for shape in ((v, c), (c, k), (k,)))
        features, weight, bias = normal
        return features, edges, weight, bias

    return make


def _convolve(h, edges, w, b, *, loops=1, scale="both", both=True, fewer=0):
    v = len(h)
    a = torch.zeros(v, v)
    a[edges[:, 0], edges[:, 1]] = 1
    if both:
        a[edges[:, 1], edges[:, 0]] = 1
    a = a + loops * torch.eye(v)
    degree = (a.sum(1) - fewer).clamp(min=1)
    if scale == "both":
        a = a / (degree[:, None] * degree).sqrt()
    if scale == "row":
        a = a / degree[:, None]
    return a @ h @ w + b


def _lost(h, edges, w, b):
    """`out[i] += …` with an index that repeats: only one of its rows counts."""
    degree = 1 + torch.bincount(edges.flatten(), minlength=len(h))
    x = h @ w / degree.sqrt()[:, None]
    out = x.clone()
    out[edges[:, 0]] += x[edges[:, 1]]
    out[edges[:, 1]] += x[edges[:, 0]]
    return out / degree.sqrt()[:, None] + b


def _lone(h, edges, w, b):
    """Divided by √(dᵢ dⱼ) for the neighbours, but not for the vertex itself."""
    degree = 1 + torch.bincount(edges.flatten(), minlength=len(h))
    return _convolve(h, edges, w, b) + (h - h / degree[:, None]) @ w


def _bias_inside(h, edges, w, b):
    more, ones = torch.cat((w, b[None])), torch.ones(len(h), 1)
    return _convolve(torch.cat((h, ones), 1), edges, more, 0 * b)


def _one_way(h, edges, w, b):
    a = torch.eye(len(h))
    a[edges[:, 1], edges[:, 0]] = 1
    degree = 1 + torch.bincount(edges.flatten(), minlength=len(h))
    return a / (degree[:, None] * degree).sqrt() @ h @ w + b


LOOP = "A vertex must keep its own features: j runs over the neighbours *and* i itself."

# fmt: off
GRAPH_MISTAKES = mistakes({
    "repeated indices": (_lost,
        "`out[i] += rows` adds only one row where i repeats; the other neighbours are lost. "
        "`out.index_add(0, i, rows)` adds them all."),
    "loop not divided": (_lone,
        "Your own features are not divided: j = i is in the sum too, with 1/√(dᵢ dᵢ)."),
    "degree without 1": (lambda *a: _convolve(*a, fewer=1),
        "d counts the vertex itself: dᵢ = 1 + the number of neighbours."),
    "bias inside": (_bias_inside,
        "The bias is added after the sum over the neighbours, once, not to every h W."),
    "relu": (lambda *a: _convolve(*a).relu(),
        "There is no ReLU in the formula: it comes after, in the network."),
    "no self loop": (lambda *a: _convolve(*a, loops=0), LOOP),
    "no self loop, but counted": (lambda *a: _convolve(*a, loops=0, fewer=-1),
        f"{LOOP} (Your d counts it.)"),
    "one direction, all counted": (_one_way,
        "Every edge is listed once but carries features both ways. (Your d counts both.)"),
    "sum": (lambda *a: _convolve(*a, scale=""),
        "Nothing is divided by √(dᵢ dⱼ): vertices with many neighbours grow without bound."),
    "mean": (lambda *a: _convolve(*a, scale="row"),
        "You took the plain mean, 1/dᵢ; the formula weighs a neighbour by 1/√(dᵢ dⱼ)."),
    "one direction": (lambda *a: _convolve(*a, both=False),
        "Every edge is listed once but carries features both ways."),
    "bias forgotten": (lambda h, e, w, b: _convolve(h, e, w, 0 * b), "The bias is missing."),
})
# fmt: on

GRAPH = Exercise(
    name="graph_convolution",
    reference=meshes.graph_convolution,
    points=2,
    cases=(
        Case(
            "two vertices",
            lambda g: (
                torch.tensor([[1.0], [3.0]]),
                torch.tensor([[0, 1]]),
                torch.ones(1, 1),
                torch.zeros(1),
            ),
            fixed=True,
        ),
        Case("no edges", _graph(4, 0, 2, 3)),
        Case("a sparse graph", _graph(6, 6, 3, 2)),
        Case("a denser graph", _graph(8, 16, 2, 4)),
    ),
    misconceptions=GRAPH_MISTAKES,
    hints=(
        "Make two lists, receivers i and senders j: both directions of each edge, and every loop.",
        "`index_add(0, i, values)` adds a row of values to row i.",
        "Divide by √d before the sum (senders) and after it (receivers).",
    ),
)
