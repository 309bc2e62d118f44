"""Polygons to triangles: convex ones as fans, all others by clipping ears."""

import numpy as np


def triangulate(corners: list[int], vertices: np.ndarray) -> list[list[int]]:
    """The triangles of a polygon, given by the indices of its corners, all turned as it is.

    A convex polygon becomes the fan (c₀, cᵢ, cᵢ₊₁). Else ears are cut off: corners that turn the same
    way as the polygon and whose triangle holds no other corner. Corners are seen along the polygon's
    normal (Newell's). What remains where no ear is left (it crosses itself) becomes a fan. A corner
    that comes twice in a row counts once.

    >>> dart = np.array([[4.0, 0, 0], [1, 1, 0], [0, 4, 0], [0, 0, 0]])
    >>> triangulate([0, 1, 2, 3], dart)
    [[3, 0, 1], [1, 2, 3]]

    ValueError for less than three corners.
    """
    if len(corners) < 3:
        raise ValueError(f"expected at least three corners, got {len(corners)}")
    if len(corners) > 3:  # programs that know quads alone write a triangle as a b c c
        apart = [c for i, c in enumerate(corners) if c != corners[i - 1]]
        corners = apart if len(apart) > 2 else corners
    if len(corners) == 3:
        return [list(corners)]
    flat = _seen_along_normal(np.asarray(vertices, dtype=np.float64)[corners])
    left = list(range(len(corners)))
    triangles: list[list[int]] = []
    while len(left) > 3 and not _is_convex(flat[left]):
        ear = next((i for i in range(len(left)) if _is_ear(flat, left, i)), None)
        if ear is None:
            break
        triangles.append([left[ear - 1], left[ear], left[(ear + 1) % len(left)]])
        del left[ear]
    triangles += [[left[0], left[i], left[i + 1]] for i in range(1, len(left) - 1)]
    return [[corners[i] for i in triangle] for triangle in triangles]


def _seen_along_normal(points: np.ndarray) -> np.ndarray:
    """(n, 2): the corners so that the polygon runs counter-clockwise; the largest axis is dropped."""
    points = points - points[0]
    size = np.abs(points).max()
    points = points / size if size > 0 else points
    normal = np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)
    axis = int(np.abs(normal).argmax())
    flat = points[:, [(axis + 1) % 3, (axis + 2) % 3]]
    return flat if normal[axis] >= 0 else flat * [1.0, -1.0]


def _turn(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray | np.floating:
    """Twice the signed area of (a, b, c), with any leading axes."""
    u, v = b - a, c - a
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


def _is_convex(flat: np.ndarray) -> bool:
    return bool((_turn(np.roll(flat, 1, axis=0), flat, np.roll(flat, -1, axis=0)) >= -1e-12).all())


def _is_ear(flat: np.ndarray, left: list[int], i: int) -> bool:
    a, b, c = flat[left[i - 1]], flat[left[i]], flat[left[(i + 1) % len(left)]]
    if _turn(a, b, c) <= 0:
        return False
    ends = {left[i - 1], left[i], left[(i + 1) % len(left)]}
    others = flat[[k for k in left if k not in ends]]
    inside = (_turn(a, b, others) >= 0) & (_turn(b, c, others) >= 0) & (_turn(c, a, others) > 1e-12)
    # a seam that leads to a hole comes back to a corner
    same = (others[:, None] == np.stack([a, b, c])).all(axis=2).any(axis=1)
    return not bool((inside & ~same).any())
