"""Point clouds: transforms, depth maps, normals, reconstruction, files."""

import math

import pytest
import torch

from course_lib import cameras, meshes, points, shapes, views


def cloud_of(mesh, n, seed=0):
    return meshes.sample_surface(mesh, n, generator=torch.Generator().manual_seed(seed))


def test_transforms_compose_invert_and_keep_distances():
    x = torch.randn(20, 3)
    a, b = cameras.look_at([1.0, 2.0, 3.0]), cameras.look_at([-2.0, 0.5, 1.0])
    chained = points.apply_transform(points.apply_transform(x, a), b)
    assert torch.allclose(chained, points.apply_transform(x, b @ a), atol=1e-5)
    back = points.apply_transform(points.apply_transform(x, a), torch.linalg.inv(a))
    assert torch.allclose(back, x, atol=1e-5)
    assert torch.allclose(torch.cdist(chained, chained), torch.cdist(x, x), atol=1e-4)


def test_a_projective_matrix_divides_and_infinity_is_refused():
    matrix = torch.eye(4)
    matrix[3] = torch.tensor([0.0, 0.0, 1.0, 0.0])
    assert points.apply_transform(torch.tensor([[2.0, 4.0, 2.0]]), matrix).tolist() == [[1, 2, 1]]
    with pytest.raises(ValueError, match="finite"):
        points.apply_transform(torch.zeros(1, 3), matrix)


def test_unprojecting_undoes_projection():
    camera, depth = cameras.look_at([1.0, 1.5, 2.0]), 1 + 3 * torch.rand(5, 7)
    k = cameras.intrinsics(9.0, 5, 7)
    world = points.unproject_depth(depth, k, camera)
    pixels, back = cameras.project(world.reshape(-1, 3), camera, 9.0, 5, 7)
    row, column = torch.meshgrid(torch.arange(5) + 0.5, torch.arange(7) + 0.5, indexing="ij")
    expected = torch.stack((column, row), -1).reshape(-1, 2)
    assert torch.allclose(pixels, expected, atol=1e-4)
    assert torch.allclose(back, depth.reshape(-1), atol=1e-5)


def test_a_scan_lies_on_the_surface_and_its_background_is_nan():
    mesh = meshes.icosphere(4, 0.8)
    seen = views.render_views(mesh, cameras.spherical_cameras(2, 3.0), 32)
    k = cameras.intrinsics(seen.focal, 32, 32)
    cloud = points.unproject_depth(seen.depth[0], k, seen.cameras[0])
    assert cloud[~seen.mask[0]].isnan().all()
    assert (cloud[seen.mask[0]].norm(dim=1) - 0.8).abs().max() < 0.01


def test_points_on_triangles_are_uniform():
    corners = meshes.box((1.0, 2.0, 0.5)).corners
    uniform = torch.rand(40_000, 3, generator=torch.Generator().manual_seed(0))
    on = points.points_on_triangles(corners, uniform)
    half = torch.tensor([0.5, 1.0, 0.25])
    on_x = ((on / half).abs()[:, 0] > 1 - 1e-5).float().mean()
    assert on_x == pytest.approx(2 * 1.0 / 7.0, abs=0.01)  # 2 · 2 · .5 of 2 (2 + .5 + 1) = 7
    assert on.mean(0).abs().max() < 0.02
    second = on.square().mean(0)[0]  # a/2 squared on two sides, a²/12 on the others
    assert second == pytest.approx((2 * 0.25 + 5 / 12) / 7, rel=0.02)


def test_farthest_points_match_a_loop():
    x = torch.rand(30, 3, generator=torch.Generator().manual_seed(1))
    chosen = [0]
    while len(chosen) < 8:
        gaps = [min(float((p - x[c]).norm()) for c in chosen) for p in x]
        chosen.append(gaps.index(max(gaps)))
    assert points.farthest_point_sampling(x, 8).tolist() == chosen
    with pytest.raises(ValueError, match="1 to 30"):
        points.farthest_point_sampling(x, 31)


def test_pca_normals_of_a_sphere_are_radial():
    x, truth = cloud_of(meshes.icosphere(5, 0.8), 2000)
    normals = points.pca_normals(x, 12)
    assert (normals * truth).sum(1).abs().mean() > 0.99
    with pytest.raises(ValueError, match="k"):
        points.pca_normals(x, 2)


@pytest.mark.parametrize("mesh", [meshes.icosphere(4, 0.8), meshes.torus()])
def test_oriented_normals_point_outwards(mesh):
    x, truth = cloud_of(mesh, 1500)
    oriented = points.orient_normals(x, points.pca_normals(x, 10), 10)
    assert ((oriented * truth).sum(1) > 0).float().mean() > 0.99


def test_reconstruction_approaches_the_sphere_as_the_cloud_grows():
    errors = []
    for n in (300, 3000):
        x, normals = cloud_of(meshes.icosphere(5, 0.8), n)
        mesh = points.reconstruct_surface(x, normals, 32)
        errors.append(float((mesh.vertices.norm(dim=1) - 0.8).abs().mean()))
        assert abs(float(mesh.volume()) / (4 / 3 * math.pi * 0.512) - 1) < 0.1
    assert errors[1] < errors[0] < 0.03


@pytest.mark.parametrize("name", ["a.xyz", "a.ply"])
@pytest.mark.parametrize("with_normals", [True, False])
def test_clouds_come_back_from_files(tmp_path, name, with_normals):
    x, normals = cloud_of(meshes.torus(), 50)
    points.save_cloud(tmp_path / name, x, normals if with_normals else None)
    got, got_normals = points.load_cloud(tmp_path / name)
    assert torch.allclose(got, x, atol=1e-6)
    assert (got_normals is not None) == with_normals
    assert got_normals is None or torch.allclose(got_normals, normals, atol=1e-6)


def test_ply_clouds_are_read_as_trimesh_writes_them(tmp_path):
    import trimesh

    x = torch.rand(7, 3).double().numpy()
    for encoding in ("ascii", "binary"):
        path = tmp_path / f"{encoding}.ply"
        path.write_bytes(trimesh.PointCloud(x).export(file_type="ply", encoding=encoding))
        got, _ = points.load_cloud(path)
        assert torch.allclose(got.double(), torch.from_numpy(x), atol=1e-5)


def test_big_endian_ply_with_other_properties_and_faces(tmp_path):
    import numpy as np

    head = "ply\nformat binary_big_endian 1.0\ncomment x\nelement vertex 2\nproperty uchar red\n"
    head += "property double x\nproperty double y\nproperty double z\nelement face 1\n"
    head += "property list uchar int vertex_indices\nend_header\n"
    kind = np.dtype([("red", "u1"), ("x", ">f8"), ("y", ">f8"), ("z", ">f8")])
    body = np.array([(1, 2, 3, 4), (5, 6, 7, 8)], dtype=kind).tobytes() + b"\x03" + b"\0" * 12
    (tmp_path / "b.ply").write_bytes(head.encode() + body)
    assert points.load_cloud(tmp_path / "b.ply")[0].tolist() == [[2, 3, 4], [6, 7, 8]]


@pytest.mark.parametrize(
    "name, data, message",
    [
        ("a.xyz", b"1 2 3\n1 2\n", "line 2"),
        ("a.xyz", b"1 2 x\n", "numbers"),
        ("a.xyz", b"# nothing\n", "points"),
        ("a.xyz", b"1 2 nan\n", "finite"),
        ("a.ply", b"no", "header"),
        ("a.las", b"", "ends in"),
        (
            "a.ply",
            b"ply\nformat binary_little_endian 1.0\nelement vertex 3\nproperty float x\n"
            b"property float y\nproperty float z\nend_header\n" + b"\0" * 20,
            "3 of .vertex., but the file ends after 1",
        ),
    ],
)
def test_broken_cloud_files_are_named(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=message):
        points.load_cloud(tmp_path / name)


def test_a_cloud_is_voxelised_where_it_lies():
    from course_lib import voxels

    x, _ = cloud_of(meshes.icosphere(5, 0.8), 100_000)
    cloud, surface = voxels.points_to_voxels(x, 16), voxels.surface_voxels(shapes.sphere(0.8), 16)
    assert (cloud & ~surface).sum() <= 0.01 * surface.sum()
