"""Voxelising, mesh → SDF and marching cubes against trimesh, Open3D, libigl and scikit-image.

    pip install --target /tmp/peers --no-deps open3d dash flask werkzeug configargparse addict
    apt-get install libusb-1.0-0
    PYTHONPATH=. python tests/benchmarks/bench_representations.py [points] [folder of the peers]

One run, CPU seconds (all threads), the better of two up to 5 s; a peer that is not installed is left
out. libigl, called directly as its manual says, is a peer although `mesh_to_sdf` uses it, too.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from course_lib import implicit, meshes, shapes, voxels


def seconds(work: Callable) -> float:
    """CPU seconds of the faster of two calls, or of one call that takes long."""
    times = []
    for _ in range(2):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
        if times[0] > 5:
            break
    return min(times)


def report(title: str, ours: Callable, peers: dict[str, Callable]) -> None:
    """Print our time, each peer's, and the ratio to it."""
    mine = seconds(ours)
    print(f"{title}\n  {'course_lib':12s} {mine:8.3f} s")
    for name, work in peers.items():
        try:
            theirs = seconds(work)
            print(f"  {name:12s} {theirs:8.3f} s   ours / theirs {mine / theirs:6.2f}")
        except ImportError as error:
            print(f"  {name:12s} not installed ({error.name})")


def open3d_scene(mesh: meshes.Mesh):
    """The mesh in Open3D's ray-casting scene (Embree)."""
    import open3d as o3d  # needs its own dependencies too

    scene = o3d.t.geometry.RaycastingScene()
    legacy = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(mesh.vertices.double().numpy()),
        o3d.utility.Vector3iVector(mesh.faces.int().numpy()),
    )
    scene.add_triangles(o3d.t.geometry.TriangleMesh.from_legacy(legacy))
    return scene


def open3d_sdf(mesh: meshes.Mesh, points: np.ndarray):
    return open3d_scene(mesh).compute_signed_distance(points).numpy()


def igl_sdf(mesh: meshes.Mesh, points: np.ndarray):
    import igl

    kind = igl.SIGNED_DISTANCE_TYPE_FAST_WINDING_NUMBER
    return igl.signed_distance(
        points.astype(float), mesh.vertices.double().numpy(), mesh.faces.numpy(), sign_type=kind
    )


def trimesh_solid(mesh: meshes.Mesh, r: int):
    import trimesh

    other = trimesh.Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), process=False)
    return other.voxelized(2 / r).fill()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    sys.path.extend(sys.argv[2:])  # after the course's own packages
    mesh = meshes.icosphere(4, 0.8)
    points = torch.rand(count, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    centers = voxels.voxel_centers(64).reshape(-1, 3).numpy()
    report(
        "solid voxels, 5120 faces, 64³",
        lambda: voxels.mesh_to_voxels(mesh, 64),
        {
            "trimesh": lambda: trimesh_solid(mesh, 64),
            "Open3D": lambda: open3d_scene(mesh).compute_occupancy(centers).numpy(),
        },
    )
    report(
        f"mesh → SDF, 5120 faces, {count:,} points",
        lambda: implicit.mesh_to_sdf(mesh)(points),
        {
            "Open3D": lambda: open3d_sdf(mesh, points.numpy()),
            "libigl": lambda: igl_sdf(mesh, points.numpy()),
        },
    )
    field = shapes.sphere(0.8)(meshes.lattice(128))

    def scikit():
        from skimage.measure import marching_cubes

        return marching_cubes(field.numpy(), 0.0)

    report("marching cubes, 128³", lambda: meshes.grid_to_mesh(field), {"scikit-image": scikit})


if __name__ == "__main__":
    main()
