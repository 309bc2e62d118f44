"""The closest point of a triangle mesh, exactly, for millions of points.

The points are sorted into the cells of an octree, the faces into a tree of balls. A cell keeps only
the balls, and further down the faces, that can hold the nearest point for *some* point in it; the
balls shrink with the cells, and at the bottom each point is compared with the few faces that are
left. Nothing is approximated.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

PAIRS_AT_ONCE = 1 << 16  # small enough for the intermediate results to stay in the cache
ROUNDING = 1e-7  # of distances near zero, whose squares are exact to 1e-15
SHORT = 48  # a list of so many faces is not worth another level of the octree
DEEPEST = 10


class Nearest(NamedTuple):
    """The nearest face of each point, the closest point on it, and the squared distance."""

    squared_distance: Float[Tensor, "n"]
    closest: Float[Tensor, "n 3"]
    face: Int[Tensor, "n"]


class Lists(NamedTuple):
    """One list per cell: entries `start[i] : start[i] + count[i]`.

    An entry is a node of the tree with a plane that it lies behind, as seen from the cell: for a
    unit normal n it is at least `h - n·x` away from any point x. Rows of `planes`: n (3), h.
    """

    nodes: Int[Tensor, "k"]
    planes: Float[Tensor, "4 k"]
    start: Int[Tensor, "n"]
    count: Int[Tensor, "n"]


class Tree(NamedTuple):
    """Nodes 0 … f − 1 are the faces, in Morton order; each later node is a ball about 8 earlier ones."""

    table: Float[Tensor, "13 f"]  # the faces, see `triangle_table`
    balls: Float[Tensor, "7 k"]  # centre (3), radius, a point of the surface inside (3)
    child: Int[Tensor, "k"]
    children: Int[Tensor, "k"]
    order: Int[Tensor, "f"]  # the face that each of the first f nodes is


class Cells(NamedTuple):
    """The occupied cells of one octree level, and for each sorted point the cell it lies in."""

    centers: Float[Tensor, "c 3"]
    radius: float  # of the sphere about the cell
    parent: Int[Tensor, "c"]
    cell_of_point: Int[Tensor, "n"]


def nearest_on_surface(
    points: Float[Tensor, "n 3"], vertices: Float[Tensor, "v 3"], faces: Int[Tensor, "f 3"]
) -> Nearest:
    """The closest point on a mesh to each of n points, in double precision, without gradients.

    >>> corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    >>> found = nearest_on_surface(torch.tensor([[2.0, 0, 3]]), corners, torch.tensor([[0, 1, 2]]))
    >>> found.squared_distance, found.closest
    (tensor([10.], dtype=torch.float64), tensor([[1., 0., 0.]], dtype=torch.float64))

    Raises ValueError if there is no face, or if a point is not finite.
    """
    if len(faces) == 0:
        raise ValueError("expected a mesh with faces, got none")
    original = points = points.detach().double()
    if not bool(torch.isfinite(points).all()):
        raise ValueError("expected finite points, got NaN or infinity")
    if len(points) == 0:
        return Nearest(points[:, 0], points, torch.zeros_like(points[:, 0]).long())
    corners = vertices.detach().double()[faces]
    middle = (corners.amax((0, 1)) + corners.amin((0, 1))) / 2
    scale = float((corners - middle).abs().max()) or 1.0  # rounding is judged in the mesh's size
    points = (points - middle) / scale
    tree = _tree((corners - middle) / scale)
    order, levels = _octree(points)
    lists = _top(tree)
    for cells in levels:
        lists = _prune(cells, cells.parent, _open(lists, tree, cells.radius), tree)
        same = torch.arange(len(cells.centers), device=points.device)
        if len(lists.nodes) > SHORT * len(same):
            continue
        while bool((lists.nodes >= len(faces)).any()):
            lists = _prune(cells, same, _open(lists, tree, 0.0), tree)
        if len(lists.nodes) <= SHORT * len(same):
            break
    while bool((lists.nodes >= len(faces)).any()):
        lists = _prune(cells, same, _open(lists, tree, 0.0), tree)
    found = _nearest_of_lists(points[order], cells.cell_of_point, lists, tree)
    undo = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))
    closest = found.closest[undo] * scale + middle
    return Nearest((closest - original).square().sum(1), closest, found.face[undo])


def triangle_table(corners: Float[Tensor, "f 3 3"]) -> Float[Tensor, "13 f"]:
    """Rows: corner a (3), edges b − a (3) and c − a (3), their three products, 1 / determinant."""
    a, b, c = corners.double().unbind(1)
    ab, ac = b - a, c - a
    abab, abac, acac = (ab * ab).sum(1), (ab * ac).sum(1), (ac * ac).sum(1)
    determinant = abab * acac - abac**2
    flat = determinant <= 1e-12 * abab * acac  # no plane of its own: its edges are all there is
    inverse = torch.where(flat, 0.0, 1 / torch.where(flat, 1.0, determinant))
    return torch.cat((a.T, ab.T, ac.T, torch.stack((abab, abac, acac, inverse))))


def triangle_distance(
    points: Float[Tensor, "3 n"], table: Float[Tensor, "13 n"]
) -> tuple[Float[Tensor, "n"], Float[Tensor, "3 n"]]:
    """Squared distance of point i to triangle i, and its three products that tell where.

    The closest point is the foot of the perpendicular if that lies inside, else the closest of the
    closest points of the three edges (Ericson, Real-Time Collision Detection, 5.1.5). All of it
    follows from the products |p − a|², (p − a)·ab and (p − a)·ac.
    """
    offset = points - table[:3]
    abab, abac, acac, inverse = table[9:]
    along_ab, along_ac = (offset * table[3:6]).sum(0), (offset * table[6:9]).sum(0)
    square = (offset * offset).sum(0)
    v = (along_ab * acac - along_ac * abac) * inverse
    w = (along_ac * abab - along_ab * abac) * inverse
    inside = torch.minimum(torch.minimum(v, w), 1 - v - w) >= 0
    plane = square - v * along_ab - w * along_ac
    s, t, u = edge_coordinates(along_ab, along_ac, table[9:])
    along_bc = along_ac - along_ab - abac + abab
    to_ab = square + s * (s * abab - 2 * along_ab)
    to_ac = square + t * (t * acac - 2 * along_ac)
    to_bc = square - 2 * along_ab + abab + u * (u * (abab - 2 * abac + acac) - 2 * along_bc)
    edges = torch.minimum(torch.minimum(to_ab, to_ac), to_bc)
    squared = torch.where(inside & (inverse > 0), plane, edges).clamp(min=0)
    return squared, torch.stack((along_ab, along_ac, square))


def edge_coordinates(along_ab: Tensor, along_ac: Tensor, products: Tensor) -> tuple[Tensor, ...]:
    """Where the closest points on the edges ab, ac, bc lie: from 0, first corner, to 1, second."""
    abab, abac, acac, _ = products
    tiny = torch.finfo(abab.dtype).tiny
    bcbc = (abab - 2 * abac + acac).clamp(min=tiny)
    along_bc = along_ac - along_ab - abac + abab
    s = (along_ab / abab.clamp(min=tiny)).clamp(0, 1)
    t = (along_ac / acac.clamp(min=tiny)).clamp(0, 1)
    return s, t, (along_bc / bcbc).clamp(0, 1)


def closest_on_triangle(
    table: Float[Tensor, "13 n"], products: Float[Tensor, "3 n"]
) -> Float[Tensor, "3 n"]:
    """The closest point a + v ab + w ac, from the products that `triangle_distance` returns."""
    along_ab, along_ac, square = products
    abab, abac, acac, inverse = table[9:]
    v = (along_ab * acac - along_ac * abac) * inverse
    w = (along_ac * abab - along_ab * abac) * inverse
    inside = (v >= 0) & (w >= 0) & (v + w <= 1) & (inverse > 0)
    s, t, u = edge_coordinates(along_ab, along_ac, table[9:])
    zero = torch.zeros_like(s)
    v_edges, w_edges = torch.stack((s, zero, 1 - u)), torch.stack((zero, t, u))
    lengths = v_edges**2 * abab + 2 * v_edges * w_edges * abac + w_edges**2 * acac
    squared = square + lengths - 2 * (v_edges * along_ab + w_edges * along_ac)
    edge = squared.argmin(dim=0, keepdim=True)
    v = torch.where(inside, v, v_edges.gather(0, edge)[0])
    w = torch.where(inside, w, w_edges.gather(0, edge)[0])
    return table[:3] + v * table[3:6] + w * table[6:9]


def _morton(points: Float[Tensor, "n 3"]) -> tuple[Int[Tensor, "n"], Float[Tensor, "3"], float]:
    """Interleaved bits of x, y, z on a lattice over the points' box; its corner and its side."""
    low = points.amin(0) if len(points) else points.new_zeros(3)
    extent = float((points - low).max()) * (1 + 1e-9) if len(points) else 0.0
    extent = extent or 1e-9
    steps = ((points - low) * ((1 << DEEPEST) / extent)).long().clamp(max=(1 << DEEPEST) - 1)
    code = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    for bit in range(DEEPEST):
        for axis in range(3):
            code |= (steps[:, axis] >> bit & 1) << (3 * bit + 2 - axis)
    return code, low, extent


def morton_order(points: Float[Tensor, "n 3"]) -> Int[Tensor, "n"]:
    """The order in which points lie along the Morton curve: neighbours mostly stay neighbours."""
    return _morton(points)[0].argsort()


def _octree(points: Float[Tensor, "n 3"]) -> tuple[Int[Tensor, "n"], list[Cells]]:
    """The points' order along the Morton curve, and the cells of each level, coarse to fine."""
    code, low, extent = _morton(points)
    code, order = code.sort()
    levels, parents = [], torch.zeros_like(code)
    for level in range(1, DEEPEST + 1):
        keys, inverse = torch.unique_consecutive(code >> 3 * (DEEPEST - level), return_inverse=True)
        parent = torch.zeros_like(keys).scatter_(0, inverse, parents)
        side = extent / (1 << level)
        centers = low + (_unmix(keys, level) + 0.5) * side
        levels.append(Cells(centers, side * 0.75**0.5, parent, inverse))
        parents = inverse
        if 2 * len(keys) > len(points):
            break
    return order, levels


def _unmix(keys: Int[Tensor, "c"], level: int) -> Float[Tensor, "c 3"]:
    """The x, y, z steps that were interleaved in Morton codes of `level` bits each."""
    steps = torch.zeros(len(keys), 3, dtype=torch.int64, device=keys.device)
    for bit in range(level):
        for axis in range(3):
            steps[:, axis] |= (keys >> (3 * bit + 2 - axis) & 1) << bit
    return steps.double()


def _tree(corners: Float[Tensor, "f 3 3"]) -> Tree:
    """Balls about 8, 64, 512, … faces that follow each other on the Morton curve."""
    order = _morton(corners.mean(1))[0].argsort()
    corners = corners[order]
    center = corners.mean(1)
    radius = (corners - center[:, None]).norm(dim=2).amax(1)
    balls = [torch.cat((center, radius[:, None], corners[:, 0]), dim=1)]
    child, children = [torch.zeros_like(order)], [torch.zeros_like(order)]
    start = 0
    while len(balls[-1]) > 8:
        below = balls[-1]
        n = (len(below) + 7) // 8
        groups = torch.arange(n * 8, device=order.device).clamp(max=len(below) - 1).reshape(n, 8)
        center = below[groups, :3].mean(1)
        reach = (below[groups, :3] - center[:, None]).norm(dim=2) + below[groups, 3]
        point = below[groups[:, 0], 4:]
        balls.append(torch.cat((center, reach.amax(1, keepdim=True), point), dim=1))
        child.append(start + groups[:, 0])
        children.append((len(below) - groups[:, 0]).clamp(max=8))
        start += len(below)
    table = triangle_table(corners)
    return Tree(
        table, torch.cat(balls).T.contiguous(), torch.cat(child), torch.cat(children), order
    )


def _top(tree: Tree) -> Lists:
    """The one list to begin with: the last nodes, which nobody has as children."""
    total, inner = len(tree.child), tree.children > 0
    first = int((tree.child + tree.children).max()) if bool(inner.any()) else 0
    nodes = torch.arange(first, total, device=tree.child.device)
    planes = torch.zeros(4, len(nodes), dtype=torch.float64, device=nodes.device)
    return Lists(nodes, planes, nodes.new_zeros(1), nodes.new_full((1,), len(nodes)))


def _open(lists: Lists, tree: Tree, rho: float) -> Lists:
    """Replace the balls that are larger than a cell by their children."""
    opened = (tree.children[lists.nodes] > 0) & (tree.balls[3, lists.nodes] >= rho)
    times = torch.where(opened, tree.children[lists.nodes], 1)
    entry = torch.repeat_interleave(times)
    ends = times.cumsum(0)
    number = torch.arange(len(entry), device=entry.device) - (ends - times)[entry]
    first = torch.where(opened, tree.child[lists.nodes], lists.nodes)
    before = torch.cat((ends.new_zeros(1), ends))
    start, end = before[lists.start], before[lists.start + lists.count]
    return Lists(first[entry] + number, lists.planes[:, entry], start, end - start)


def _measure(x: Tensor, nodes: Tensor, tree: Tree) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of node i from point i: a lower and an upper bound of its distance, and their directions.

    For a face both bounds are the distance; for a ball they are those of the ball and of its point.
    """
    faces = len(tree.order)
    if len(nodes) == 0 or int(nodes.max()) < faces:
        rows = tree.table[:, nodes]
        _, products = triangle_distance(x, rows)
        offset = closest_on_triangle(rows, products) - x
        distance = offset.square().sum(0).sqrt_()
        touching = distance < ROUNDING  # the direction would be noise
        lower = torch.where(touching, 0.0, distance)
        towards = torch.where(touching, 0.0, offset / distance.clamp(min=1e-300))
        return lower, distance, towards, towards
    lower, upper = x.new_empty(len(nodes)), x.new_empty(len(nodes))
    towards, towards_point = torch.empty_like(x), torch.empty_like(x)
    (is_face,), (is_ball,) = torch.where(nodes < faces), torch.where(nodes >= faces)
    found = _measure(x[:, is_face], nodes[is_face], tree)
    lower[is_face], upper[is_face], towards[:, is_face], towards_point[:, is_face] = found
    balls, center = tree.balls[:, nodes[is_ball]], x[:, is_ball]
    to_center, to_point = balls[:3] - center, balls[4:] - center
    far, far_point = (v.square().sum(0).sqrt() for v in (to_center, to_point))
    lower[is_ball], upper[is_ball] = (far - balls[3]).clamp(min=0), far_point
    towards[:, is_ball] = torch.where(far > balls[3], to_center / far.clamp(min=1e-300), 0.0)
    towards_point[:, is_ball] = to_point / far_point.clamp(min=1e-300)
    return lower, upper, towards, towards_point


def _pairs(lists: Lists, of: Int[Tensor, "n"]) -> Iterator[tuple[Tensor, Tensor, slice]]:
    """Item i with every entry of list `of[i]`, in portions: (item in portion, entry, the items)."""
    count = lists.count[of]
    ends = count.cumsum(0)
    first = 0
    while first < len(of):
        done = int(ends[first - 1]) if first else 0
        last = int(torch.searchsorted(ends, done + PAIRS_AT_ONCE, right=True))
        last = max(last, first + 1)
        items = slice(first, last)
        amount = count[items]
        owner = torch.repeat_interleave(amount)
        shift = lists.start[of[items]] - (ends[items] - amount - done)
        yield owner, torch.arange(len(owner), device=of.device) + shift[owner], items
        first = last


def _winners(values: Float[Tensor, "p"], owner: Int[Tensor, "p"], n: int) -> Int[Tensor, "n"]:
    """For each of n owners the position of its smallest value."""
    least = values.new_full((n,), torch.inf).scatter_reduce_(0, owner, values, "amin")
    (at_least,) = torch.where(values == least[owner])
    winner = torch.zeros(n, dtype=torch.int64, device=values.device)
    winner[owner[at_least]] = at_least
    return winner


def _survivors(x: Tensor, rho: float, owner: Tensor, entry: Tensor, lists: Lists, tree: Tree):
    """Filter by the planes: which pairs (mask) can hold the nearest point for a ball about item x.

    The node with the nearest plane is measured; with its closest point in direction m at distance
    U, the mesh is at most U − m·e + ρ²/(2(U − ρ)) from a point x + e, |e| ≤ ρ, and a node at least
    L − n·e. So a node is out if L − U > |n − m| ρ + ρ²/(2(U − ρ)), or if L − U > 2ρ.
    """
    planes = lists.planes[:, entry]
    lower = planes[3] - (planes[:3] * x[:, owner]).sum(0)
    first = _winners(lower, owner, x.shape[1])
    _, upper, _, towards = _measure(x, lists.nodes[entry[first]], tree)
    if rho == 0:
        return lower <= (upper + ROUNDING * (1 + upper))[owner]
    return lower - upper[owner] <= _slack(planes[:3], towards, upper, rho, owner)


def _slack(normals: Tensor, towards: Tensor, distance: Tensor, rho: float, owner: Tensor) -> Tensor:
    """By how much a lower bound may exceed the upper one at the centre: see `_survivors`."""
    bend = (normals - towards[:, owner]).square().sum(0).sqrt_()
    rounding = ROUNDING * (1 + distance)
    second_order = rho**2 / (2 * (distance - rho).clamp(min=1e-3 * rho))
    most = torch.minimum(bend * rho + second_order[owner], torch.full_like(bend, 2 * rho))
    return most + rounding[owner]


def _prune(cells: Cells, of: Int[Tensor, "c"], lists: Lists, tree: Tree) -> Lists:
    """Of list `of[i]`, what can be nearest to some point of cell i, with planes as seen from there."""
    centers, nodes, planes, counts = cells.centers.T.contiguous(), [], [], []
    for owner, entry, items in _pairs(lists, of):
        x = centers[:, items]
        keep = _survivors(x, cells.radius, owner, entry, lists, tree)
        owner, node = owner[keep], lists.nodes[entry[keep]]
        from_here = x[:, owner]
        lower, upper, normals, towards = _measure(from_here, node, tree)
        winner = _winners(upper, owner, x.shape[1])
        best = upper[winner]
        keep = lower - best[owner] <= _slack(normals, towards[:, winner], best, cells.radius, owner)
        nodes.append(node[keep])
        height = lower + (normals * from_here).sum(0)
        planes.append(torch.cat((normals, height[None]))[:, keep])
        counts.append(torch.zeros_like(winner).index_add_(0, owner, keep.long()))
    count = torch.cat(counts)
    return Lists(torch.cat(nodes), torch.cat(planes, dim=1), count.cumsum(0) - count, count)


def _nearest_of_lists(
    points: Float[Tensor, "n 3"], of: Int[Tensor, "n"], lists: Lists, tree: Tree
) -> Nearest:
    """Compare each point with the faces of its list; then place the closest point precisely."""
    columns = points.T.contiguous()
    nearest = torch.empty(len(points), dtype=torch.int64, device=points.device)
    for owner, entry, items in _pairs(lists, of):
        x = columns[:, items]
        keep = _survivors(x, 0.0, owner, entry, lists, tree)
        owner, face = owner[keep], lists.nodes[entry[keep]]
        distance, _ = triangle_distance(x[:, owner], tree.table[:, face])
        nearest[items] = face[_winners(distance, owner, x.shape[1])]
    closest = torch.empty_like(points)
    for start in range(0, len(points), PAIRS_AT_ONCE):
        some = slice(start, start + PAIRS_AT_ONCE)
        rows = tree.table[:, nearest[some]]
        _, products = triangle_distance(columns[:, some], rows)
        closest[some] = closest_on_triangle(rows, products).T
    return Nearest((closest - points).square().sum(1), closest, tree.order[nearest])
