"""Sampling and marching against trimesh and scikit-image in one run; ratios below 1 are faster.

Peers: trimesh and scikit-image, which the course installs anyway.
Run: python tests/benchmarks/bench_meshes.py
"""

import statistics
import time
from collections.abc import Callable

import torch
import trimesh
from skimage.measure import marching_cubes

from course_lib import meshes, shapes


def seconds(run: Callable[[], object], repeats: int = 7) -> float:
    """The median CPU time of a call, in seconds, after one call to warm up."""
    run()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return statistics.median(times)


def row(what: str, ours: Callable, peer: str, theirs: Callable) -> None:
    a, b = seconds(ours), seconds(theirs)
    print(f"{what:42} {a * 1e3:8.1f} ms   {peer:14} {b * 1e3:8.1f} ms   ratio {a / b:.2f}")


def main() -> None:
    for subdivisions in (4, 6):
        mesh = meshes.icosphere(subdivisions)
        peer = trimesh.Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), process=False)
        name = f"sample 1M points, {len(mesh.faces):,} faces"
        row(
            name,
            lambda mesh=mesh: meshes.sample_surface(mesh, 1_000_000),
            "trimesh",
            lambda peer=peer: peer.sample(1_000_000, return_index=True),
        )
        row(
            f"edges, {len(mesh.faces):,} faces",
            lambda mesh=mesh: meshes.Mesh(mesh.vertices, mesh.faces).edges,
            "trimesh",
            lambda mesh=mesh: (
                trimesh.Trimesh(
                    mesh.vertices.numpy(), mesh.faces.numpy(), process=False
                ).edges_unique
            ),
        )
    values = shapes.make_shape("chair", 0).sdf(meshes.lattice(128))
    row(
        "marching cubes, 128³ cells",
        lambda: meshes.grid_to_mesh(values),
        "scikit-image",
        lambda: marching_cubes(values.numpy(), 0.0),
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
