"""Meshes as scanners and CAD systems give them, through every conversion: right, or said so.

COURSE_REAL_MESHES=1 runs them at their real size, about 80,000 faces.
"""

import os
import time
import warnings

import pytest
import torch

from course_lib import implicit, meshes, points, shapes, views, voxels
from course_lib.cameras import spherical_cameras
from course_lib.meshes import Mesh

SUBDIVISIONS = 6 if os.environ.get("COURSE_REAL_MESHES") else 4
SECONDS = 60 if os.environ.get("COURSE_REAL_MESHES") else 10  # of CPU, each conversion


def dice():
    return torch.Generator().manual_seed(0)


def scan() -> Mesh:
    """A bumpy, noisy, closed body."""
    ball = meshes.icosphere(SUBDIVISIONS, 0.8)
    x, y, _ = ball.vertices.T
    bumps = 1 + 0.15 * torch.sin(6 * x) * torch.cos(5 * y)
    noise = 0.002 * torch.randn(ball.vertices.shape, generator=dice())
    return Mesh(ball.vertices * bumps[:, None] * torch.tensor([1.0, 0.7, 0.5]) + noise, ball.faces)


def some(mesh: Mesh, share: float) -> torch.Tensor:
    return torch.rand(len(mesh.faces), generator=dice()) < share


def with_holes(mesh: Mesh) -> Mesh:
    middles = mesh.corners.mean(1)
    at = middles[torch.randint(len(middles), (12,), generator=dice())]
    return Mesh(mesh.vertices, mesh.faces[torch.cdist(middles, at).amin(1) > 0.06])


def inverted(mesh: Mesh) -> Mesh:
    turned = some(mesh, 0.1)[:, None]
    return Mesh(mesh.vertices, torch.where(turned, mesh.faces.flip(1), mesh.faces))


def repeated(mesh: Mesh) -> Mesh:
    again = mesh.faces[some(mesh, 0.1)]
    return Mesh(mesh.vertices, torch.cat((mesh.faces, again, again[::2].flip(1))))


def with_fins(mesh: Mesh) -> Mesh:
    """Extra faces on some edges, which then have three."""
    edges = mesh.edges[:: len(mesh.edges) // 200]
    tips = mesh.vertices[edges].mean(1) * 1.03
    fins = torch.cat((edges, len(mesh.vertices) + torch.arange(len(edges))[:, None]), dim=1)
    return Mesh(torch.cat((mesh.vertices, tips)), torch.cat((mesh.faces, fins)))


def with_degenerate_faces(mesh: Mesh) -> Mesh:
    a, b, _ = mesh.faces[some(mesh, 0.02)].T
    extra = (torch.stack((a, a, b), dim=1), torch.stack((a, a, a), dim=1))
    return Mesh(mesh.vertices, torch.cat((mesh.faces, *extra)))


def with_unused_vertices(mesh: Mesh) -> Mesh:
    return Mesh(torch.cat((torch.full((1000, 3), 0.9), mesh.vertices)), mesh.faces + 1000)


def soup(mesh: Mesh) -> Mesh:
    return Mesh(mesh.corners.reshape(-1, 3), torch.arange(3 * len(mesh.faces)).reshape(-1, 3))


def all_at_once(mesh: Mesh) -> Mesh:
    return inverted(repeated(with_degenerate_faces(with_fins(with_holes(mesh)))))


def fine_box(size) -> Mesh:
    part = meshes.box(size)
    for _ in range(SUBDIVISIONS - 1):
        part = meshes.subdivide(part)
    return part


def cad() -> Mesh:
    """Boxes that run through each other, and one apart."""
    sizes = ((1.2, 0.1, 0.1), (0.1, 1.2, 0.1), (0.3, 0.3, 0.3))
    apart = fine_box((0.2, 0.2, 0.2))
    return meshes.concatenate(
        *(fine_box(size) for size in sizes), Mesh(apart.vertices + 0.6, apart.faces)
    )


MENDABLE = {  # what still has the same inside as the scan
    "clean": lambda mesh: mesh,
    "holes": with_holes,
    "inverted": inverted,
    "repeated": repeated,
    "fins": with_fins,
    "degenerate": with_degenerate_faces,
    "unused": with_unused_vertices,
    "soup": soup,
    "all": all_at_once,
}


@pytest.fixture(autouse=True)
def quickly():
    start = time.process_time()
    yield
    assert time.process_time() - start < SECONDS


@pytest.fixture(scope="module")
def truth():
    x = 1.6 * torch.rand(400, 3, generator=dice()) - 0.8
    return x, implicit.mesh_to_sdf(scan())(x), voxels.mesh_to_voxels(scan(), 24)


def silently(work, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return work(*arguments)


@pytest.mark.parametrize("name", MENDABLE)
def test_a_damaged_scan_has_nearly_the_inside_and_the_distances_of_the_whole(name, truth):
    mesh, (x, distance, solid) = MENDABLE[name](scan()), truth
    got = silently(implicit.mesh_to_sdf, mesh)(x)
    assert (got.sign() == distance.sign()).float().mean() > 0.99
    assert (got.abs() - distance.abs()).abs().median() < 0.005
    grid = silently(voxels.mesh_to_voxels, mesh, 24)
    assert (grid & solid).sum() / (grid | solid).sum() > 0.97


@pytest.mark.parametrize("name", ["holes", "inverted", "repeated", "fins", "all"])
def test_what_is_wrong_with_a_mesh_is_said(name):
    for convert in (implicit.mesh_to_sdf, lambda mesh: voxels.mesh_to_voxels(mesh, 8)):
        with pytest.warns(UserWarning, match="open|twice|other way"):
            convert(MENDABLE[name](scan()))


@pytest.mark.parametrize("name", MENDABLE)
def test_a_damaged_scan_gives_points_surface_voxels_and_views(name):
    mesh, clean = MENDABLE[name](scan()), scan()
    cloud, normals = meshes.sample_surface(mesh, 4000, generator=dice())
    assert (normals.norm(dim=1) - 1).abs().max() < 1e-5
    assert silently(implicit.mesh_to_sdf, clean)(cloud).abs().quantile(0.95) < 0.03
    shell, whole = voxels.surface_voxels(mesh, 24), voxels.surface_voxels(clean, 24)
    assert (shell & whole).sum() / (shell | whole).sum() > 0.85
    cameras = spherical_cameras(3, 3.0)
    seen, expected = (views.render_views(m, cameras, 64).mask for m in (mesh, clean))
    assert (seen != expected).float().mean() < 0.02
    oriented = points.orient_normals(cloud, points.pca_normals(cloud))
    rebuilt = silently(points.reconstruct_surface, cloud, oriented, 24)
    assert meshes.is_watertight(rebuilt) and 0.4 < float(rebuilt.volume() / clean.volume()) < 1.5


@pytest.mark.parametrize("scale, offset", [(1e-9, 0.0), (1e-4, 0.0), (1e9, 0.0), (1.0, 300.0)])
def test_scale_and_place_do_not_matter(scale, offset, truth):
    mesh, (x, distance, _) = scan(), truth
    moved = Mesh(mesh.vertices * scale + offset, mesh.faces)
    got = silently(implicit.mesh_to_sdf, moved)(x * scale + offset) / scale
    assert torch.allclose(got, distance, atol=1e-3)
    assert (meshes.face_normals(moved) * meshes.face_normals(mesh)).sum(1).mean() > 0.99
    assert float(meshes.sample_surface(moved, 50)[1].norm(dim=1).min()) > 0.999
    assert float(moved.volume() / scale**3) == pytest.approx(float(mesh.volume()), rel=0.01)
    total = meshes.angle_defect(moved).sum()
    assert offset or float(total) == pytest.approx(4 * torch.pi, rel=1e-3)


def test_a_mesh_outside_the_cube_or_out_of_sight_is_refused_or_said():
    far = Mesh(scan().vertices + 300, scan().faces)
    for convert in (voxels.mesh_to_voxels, voxels.surface_voxels):
        with pytest.raises(ValueError, match="scale first"):
            convert(far, 8)
    with pytest.warns(UserWarning, match="no camera"):
        views.render_views(far, spherical_cameras(2, 3.0), 16)
    with pytest.warns(UserWarning, match="empty"):
        views.visual_hull(torch.zeros(2, 4, 4, dtype=torch.bool), spherical_cameras(2, 3.0), 4)


def test_overlapping_and_separate_solids_unite():
    mesh = cad()
    sdf = shapes.union(
        *(shapes.box(size) for size in ((1.2, 0.1, 0.1), (0.1, 1.2, 0.1), (0.3, 0.3, 0.3))),
        shapes.translate(shapes.box((0.2, 0.2, 0.2)), (0.6, 0.6, 0.6)),
    )
    x = 1.6 * torch.rand(400, 3, generator=dice()) - 0.8
    outside = sdf(x) > 0.01
    got = implicit.mesh_to_sdf(mesh)(x)
    assert (got.sign() == sdf(x).sign())[sdf(x).abs() > 1e-4].all()
    assert torch.allclose(got[outside], sdf(x)[outside], atol=1e-5)
    grid = voxels.mesh_to_voxels(mesh, 32)
    assert (grid != voxels.voxelize(sdf, 32)).float().mean() < 0.001
    assert meshes.component_count(mesh) == 4 and meshes.genus(mesh) == 0


def test_doubles_and_far_points_are_taken_and_meshes_without_faces_refused():
    double, cameras = meshes.box(1.0).to(torch.float64), spherical_cameras(2, 3.0)
    assert views.render_views(double, cameras, 16).mask.any()
    far = implicit.mesh_to_sdf(double)(torch.tensor([[1e30, 0.0, 0.0]]))
    assert float(far) == pytest.approx(1e30)
    nothing = Mesh(torch.rand(5, 3), torch.zeros(0, 3, dtype=torch.int64))
    for convert in (
        implicit.mesh_to_sdf,
        lambda mesh: voxels.mesh_to_voxels(mesh, 8),
        lambda mesh: voxels.surface_voxels(mesh, 8),
        lambda mesh: meshes.sample_surface(mesh, 5),
        lambda mesh: views.render_views(mesh, cameras, 8),
    ):
        with pytest.raises(ValueError, match=r"faces|surface"):
            convert(nothing)


def test_an_open_sheet_has_distances_but_no_inside():
    sheet = meshes.sheet(0.8, cells=40)
    with pytest.warns(UserWarning, match="open"):
        assert implicit.mesh_to_sdf(sheet)(torch.rand(100, 3)).min() >= 0
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="encloses nothing"):
        voxels.mesh_to_voxels(sheet, 8)
    cloud, normals = meshes.sample_surface(sheet, 500)
    with pytest.warns(UserWarning, match="reaches the side"):
        points.reconstruct_surface(cloud, normals, 16)


@pytest.mark.parametrize("name", ["holes", "inverted", "degenerate", "unused"])
def test_topology_is_that_of_the_proper_faces(name):
    mesh = MENDABLE[name](scan())
    assert meshes.genus(mesh) == 0
    assert len(meshes.boundary_loops(mesh)) == 0 or name == "holes"
    with pytest.raises(ValueError, match="faces"):
        meshes.genus(with_fins(mesh))


def test_conversions_keep_the_type_and_leave_gradients_to_points():
    sdf = silently(implicit.mesh_to_sdf, all_at_once(scan()))
    for dtype in (torch.float32, torch.float64):
        x = torch.rand(2, 3, 3, dtype=dtype, requires_grad=True)
        assert sdf(x).dtype == dtype and sdf(x).shape == (2, 3)
        (slope,) = torch.autograd.grad(sdf(x).sum(), x)
        assert torch.allclose(slope.norm(dim=-1), torch.ones(2, 3, dtype=dtype), atol=1e-4)
        assert not sdf(x.detach()).requires_grad


@pytest.mark.gpu
def test_points_on_the_gpu_get_distances_on_the_gpu():
    sdf = implicit.mesh_to_sdf(scan())
    x = torch.rand(100, 3)
    assert torch.allclose(sdf(x.cuda()).cpu(), sdf(x), atol=1e-6)
    assert sdf(x.cuda()).device.type == "cuda"
    grid = voxels.mesh_to_voxels(scan().to("cuda"), 16)
    assert grid.device.type == "cuda" and (grid.cpu() == voxels.mesh_to_voxels(scan(), 16)).all()
