"""Chamfer distance: this course beside scipy's k-d tree called directly and Open3D, in one run.

    python tests/benchmarks/bench_chamfer.py [--repeats 15]

Open3D is optional (`pip install open3d` in an environment of its own). The peers take the course's
float32 clouds; everything that a caller must do to get the number is timed (building trees, both
directions, means). The peers have no gradients: "forward + backward" adds to them the shortest
hand-written ones in numpy. Repeats are interleaved and ratios taken within a repeat, so that a busy
machine hits all alike; the table shows the median time and the median ratio to the quickest peer.
"""

import argparse
import statistics
import time

import numpy as np
import torch
from scipy.spatial import cKDTree

from course_lib.losses import chamfer_distance


def clouds(n: int) -> tuple[np.ndarray, np.ndarray]:
    """A sphere and an ellipsoid, in an order without meaning, as sampled surfaces are."""
    points = np.random.default_rng(0).normal(size=(2, n, 3))
    points /= np.linalg.norm(points, axis=2, keepdims=True)
    return points[0].astype("f4"), (points[1] * [1.0, 0.9, 0.8]).astype("f4")


def course(p: np.ndarray, q: np.ndarray, backward: bool) -> float:
    a, b = (torch.from_numpy(cloud)[None].requires_grad_(backward) for cloud in (p, q))
    loss = chamfer_distance(a, b)
    if backward:
        loss.sum().backward()
    return loss.item()


def scipy_direct(p: np.ndarray, q: np.ndarray, backward: bool) -> float:
    p_to_q, nearest_q = cKDTree(q).query(p, workers=-1)
    q_to_p, nearest_p = cKDTree(p).query(q, workers=-1)
    if backward:
        by_hand(p, q, nearest_q, nearest_p)
    return (p_to_q**2).mean() + (q_to_p**2).mean()


def by_hand(p, q, nearest_q, nearest_p) -> tuple[np.ndarray, np.ndarray]:
    """The gradients of the squared Chamfer distance."""
    forth, back = (p - q[nearest_q]) * (2 / len(p)), (q - p[nearest_p]) * (2 / len(q))
    p_gradient, q_gradient = forth.copy(), back.copy()
    for axis in range(3):
        p_gradient[:, axis] -= np.bincount(nearest_p, back[:, axis], len(p))
        q_gradient[:, axis] -= np.bincount(nearest_q, forth[:, axis], len(q))
    return p_gradient, q_gradient


def open3d_peers() -> dict:
    """Open3D's two ways; empty without Open3D."""
    try:
        import open3d as o3d
    except ImportError as missing:
        print(f"without Open3D: {missing}")
        return {}

    def legacy(p, q, backward):
        if backward:
            return None  # gives no indices, so no gradient can be made from it
        a, b = (o3d.geometry.PointCloud(o3d.utility.Vector3dVector(cloud)) for cloud in (p, q))
        forth, back = a.compute_point_cloud_distance(b), b.compute_point_cloud_distance(a)
        return (np.asarray(forth) ** 2).mean() + (np.asarray(back) ** 2).mean()

    def search(p, q, backward):
        nearest, total = [], 0.0
        for queries, points in ((p, q), (q, p)):
            index = o3d.core.nns.NearestNeighborSearch(o3d.core.Tensor(points))
            index.knn_index()
            indices, squared = index.knn_search(o3d.core.Tensor(queries), 1)
            nearest.append(indices.numpy()[:, 0])
            total += squared.numpy().mean()
        if backward:
            by_hand(p, q, *nearest)
        return total

    return {"Open3D distance": legacy, "Open3D search": search}


def measure(n: int, backward: bool, repeats: int) -> None:
    p, q = clouds(n)
    runs = {"this course": course, "scipy direct": scipy_direct, **open3d_peers()}
    values = {name: run(p, q, backward) for name, run in runs.items()}  # warm, and the same answer
    runs = {name: run for name, run in runs.items() if values[name] is not None}
    seconds = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run(p, q, backward)
            seconds[name].append(time.perf_counter() - start)
    best = [min(times[i] for name, times in seconds.items() if name != "this course")
            for i in range(repeats)]  # fmt: skip
    print(f"\n{n:,} points, {'forward + backward' if backward else 'forward'}")
    for name, times in seconds.items():
        ratio = statistics.median(t / b for t, b in zip(times, best, strict=True))
        milliseconds = 1e3 * statistics.median(times)
        print(f"  {name:16} {milliseconds:8.1f} ms   {ratio:5.2f} × quickest peer   "
              f"value {values[name]:.7f}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    for n in (10_000, 100_000):
        for backward in (False, True):
            measure(n, backward, repeats)


if __name__ == "__main__":
    main()
