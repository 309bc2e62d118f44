"""The four decoders, their losses, extraction, evaluation and baselines."""

import json
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from course_lib import cameras, meshes, shapes, voxels
from course_lib.authoring import checkpoints
from course_lib.data.shape_records import FOCAL, camera_at
from course_lib.data.single_view import SingleView
from course_lib.reconstruction import (
    FromImage,
    ImplicitDecoder,
    MeshDecoder,
    PointDecoder,
    VoxelDecoder,
    baselines,
    evaluate,
    extract,
    grow,
    mesh_decoder,
    mesh_training_loss,
    modulate,
    occupancy_loss,
    sample_mesh,
    training,
    two_branches,
    vertex_image_features,
)
from course_lib.reconstruction.evaluate import Sampled
from course_lib.reconstruction.score import LIMITS


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def camera() -> torch.Tensor:
    return camera_at(torch.tensor([0.3, 2.0]), torch.tensor([0.3, 0.6]))


class Always(torch.nn.Module):
    """A voxel decoder that gives the same grid for every picture."""

    def __init__(self, sdf):
        super().__init__()
        self.grid = -60 * sdf(voxels.voxel_centers(16))

    def forward(self, features):
        return self.grid.expand(len(features.code), -1, -1, -1)


def from_a_ball(sdf=None) -> FromImage:
    """A mesh network whose template is the surface of a ball, or of another shape."""
    network = FromImage(MeshDecoder())
    network.decoder.voxels = Always(sdf or shapes.sphere(0.5))
    return network


# --------------------------------------------------------------------------- the four networks


def test_every_decoder_gives_its_representation(images, camera):
    queries = torch.rand(2, 5, 3)
    assert FromImage(VoxelDecoder())(images).shape == (2, 32, 32, 32)
    points = FromImage(PointDecoder())(images)
    assert points.shape == (2, 1024, 3) and points.abs().max() <= 1
    for meshes_of_one in FromImage(MeshDecoder()).eval()(images, camera):
        assert [len(mesh.faces) for mesh in meshes_of_one] == 3 * [len(meshes_of_one[0].faces)]
    assert FromImage(ImplicitDecoder())(images, queries).shape == (2, 5)


def test_every_network_fits_into_a_checkpoint_of_three_megabytes():
    for decoder in training.DECODERS.values():
        state = FromImage(decoder()).state_dict().values()
        assert sum(value.numel() for value in state) * 2 < 3e6


def test_every_decoder_module_is_short():
    for name in ("encoder", "voxel_decoder", "point_decoder", "implicit_decoder"):
        path = Path(training.__file__).with_name(f"{name}.py")
        assert len(path.read_text(encoding="utf-8").splitlines()) < 100


@pytest.mark.parametrize("kind", training.DECODERS)
def test_every_decoder_learns_one_batch(kind):
    data = SingleView.generate("train", 2, views=2)
    batch = data.batch(torch.arange(4))
    torch.manual_seed(0)
    network = from_a_ball() if kind == "mesh" else FromImage(training.DECODERS[kind]())
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(12):
        loss = training.STEPS[kind](network, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert math.isfinite(losses[-1]) and losses[-1] < 0.95 * losses[0]


# ------------------------------------------------------------------------------------- pieces


def test_growing_is_the_sum_of_the_patches_that_the_voxels_paint():
    generator = torch.Generator().manual_seed(1)
    volume = torch.randn(2, 3, 3, 3, 3, generator=generator)
    for kernel in (2, 4):
        weight = torch.randn(3, 2, *(kernel,) * 3, generator=generator)
        bias = torch.randn(2, generator=generator)
        painted = torch.zeros(2, 2, *(6 + kernel - 2,) * 3)
        for i in range(3):
            for j in range(3):
                for k in range(3):
                    patch = torch.einsum("bc,cuxyz->buxyz", volume[..., i, j, k].relu(), weight)
                    painted[
                        ...,
                        2 * i : 2 * i + kernel,
                        2 * j : 2 * j + kernel,
                        2 * k : 2 * k + kernel,
                    ] += patch
        cut = kernel // 2 - 1
        expected = painted[..., cut : cut + 6, cut : cut + 6, cut : cut + 6]
        expected = expected + bias[:, None, None, None]
        assert torch.allclose(grow(volume, weight, bias), expected, atol=1e-5)


def test_the_occupancy_loss_is_the_formula_voxel_by_voxel():
    logits, truth = torch.tensor([[1.0, -2.0], [0.5, 3.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    entropy, overlap = 0.0, 0.0
    for row in range(2):
        both = either = 0.0
        for column in range(2):
            p = 1 / (1 + math.exp(-logits[row, column]))
            o = truth[row, column].item()
            entropy -= (o * math.log(p) + (1 - o) * math.log(1 - p)) / 4
            both, either = both + p * o, either + p + o - p * o
        overlap += both / either / 2
    assert occupancy_loss(logits, truth).item() == pytest.approx(entropy + 1 - overlap, rel=1e-5)


def test_the_point_branches_keep_coordinates_together():
    free = torch.arange(6.0)[None] / 10
    sheet = torch.stack([torch.full((2, 2), value) for value in (0.1, 0.2, 0.3)])[None]
    points = two_branches(free, sheet).atanh()
    assert torch.allclose(points[0, :2], free.reshape(2, 3), atol=1e-5)
    assert torch.allclose(points[0, 2:], torch.tensor([0.1, 0.2, 0.3]).expand(4, 3), atol=1e-5)


def test_vertices_look_where_the_camera_module_projects_them(camera):
    """On a map that holds its own pixel coordinates the features are the projected pixels."""
    size = 32
    y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    image_map = torch.stack([x, y])[None].expand(2, -1, -1, -1)
    vertices = torch.rand(2, 7, 3, generator=torch.Generator().manual_seed(2)) - 0.5
    found = vertex_image_features(image_map, vertices, camera, FOCAL)
    for b in range(2):
        pixels, _ = cameras.project(vertices[b], camera[b], FOCAL * size, size, size)
        assert torch.allclose(found[b], pixels, atol=1e-3)


def test_vertex_features_are_differentiable_in_the_vertices(camera):
    generator = torch.Generator().manual_seed(3)
    image_map = torch.rand(1, 1, 8, 8, generator=generator, dtype=torch.float64)
    vertices = (torch.rand(1, 3, 3, generator=generator).double() - 0.5).requires_grad_()
    pose = camera[:1].double()
    assert torch.autograd.gradcheck(
        lambda v: vertex_image_features(image_map, v, pose, FOCAL), (vertices,)
    )


def test_modulation_is_per_picture_and_channel():
    x, scale, shift = torch.randn(2, 3, 4), torch.randn(2, 4), torch.randn(2, 4)
    got = modulate(x, scale, shift)
    assert got[1, 2, 3] == pytest.approx(
        float((1 + scale[1, 3]) * x[1, 2, 3] + shift[1, 3]), rel=1e-5
    )
    assert torch.equal(modulate(x, 0 * scale, 0 * shift), x)


def test_before_training_the_mesh_is_the_surface_of_the_voxels(images, camera):
    template, *moved = from_a_ball().eval()(images, camera)[1]
    assert float(template.volume()) == pytest.approx(4 / 3 * math.pi * 0.5**3, rel=0.15)
    for mesh in moved:
        assert torch.equal(mesh.vertices, template.vertices)


def test_a_sphere_deforms_into_spheres_and_its_encoder_learns(images, camera):
    network = FromImage(MeshDecoder(template=meshes.icosphere(2, 0.6)))
    batch = {"image": images, "camera": camera, "points": torch.rand(2, 50, 3)}
    torch.nn.init.normal_(network.decoder.steps[0].move.weight, std=0.01)
    training.mesh_step(network, batch).backward()
    assert all(p.grad is not None for p in network.parameters())
    mesh = network(images, camera)[1][-1]
    assert mesh.euler_characteristic == 2 and len(mesh.vertices) == 162


def test_the_mesh_has_the_topology_of_its_voxels(images, camera):
    network = from_a_ball(shapes.torus(0.5, 0.2)).eval()
    torch.nn.init.normal_(network.decoder.steps[1].move.weight, std=0.01)
    mesh = network(images, camera)[0][-1]
    assert mesh.euler_characteristic == 0 and meshes.is_watertight(mesh)


def test_refining_keeps_what_the_voxel_network_knows(images, camera):
    first = FromImage(VoxelDecoder()).eval()
    network = mesh_decoder.refine(first).eval()
    assert torch.equal(network.decoder.voxels(network.encoder(images)), first(images))
    loss = training.mesh_step(
        network, {"image": images, "camera": camera, "points": torch.rand(2, 50, 3)}
    )
    loss.backward()
    trained = {name.split(".")[1] for name, p in network.named_parameters() if p.grad is not None}
    assert trained == {"steps"}


def test_the_mesh_loss_is_smallest_at_the_truth():
    sphere = meshes.icosphere(3, 0.5)
    points = meshes.icosphere(4, 0.5).vertices
    at = [
        float(mesh_training_loss(meshes.Mesh(scale * sphere.vertices, sphere.faces), points))
        for scale in (0.7, 1.0, 1.3)
    ]
    assert at[1] < at[0] and at[1] < at[2]


# --------------------------------------------------------------------- extraction, evaluation


def test_a_grid_of_logits_becomes_a_closed_mesh_of_the_right_size():
    line = (torch.arange(32) * 2 + 1) / 32 - 1
    centres = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), dim=-1)
    mesh = extract.logits_to_mesh(-10 * shapes.sphere(0.6)(centres))
    assert meshes.is_watertight(mesh)
    assert float(mesh.volume()) == pytest.approx(4 / 3 * math.pi * 0.6**3, rel=0.02)


def test_an_empty_grid_still_gives_a_mesh():
    assert len(extract.logits_to_mesh(torch.full((8, 8, 8), -3.0)).faces) > 0


def test_points_on_a_sphere_become_a_filled_ball():
    points = meshes.icosphere(3, 0.7).vertices
    mesh = extract.points_to_mesh(points)
    assert float(mesh.volume()) == pytest.approx(4 / 3 * math.pi * 0.7**3, rel=0.1)


def test_a_shape_compared_with_itself_is_perfect():
    mesh = meshes.torus(0.5, 0.2)
    scores = evaluate(mesh, mesh)
    assert scores["iou"] == 1 and scores["f_score"] > 0.99 and scores["chamfer"] < 2e-3
    assert scores["normals"] > 0.97


def test_scores_of_shifted_boxes_are_those_of_the_closed_form():
    box = meshes.box((1.0, 1.0, 1.0))
    moved = meshes.Mesh(box.vertices + torch.tensor([0.25, 0.0, 0.0]), box.faces)
    scores = evaluate(moved, box)
    assert scores["iou"] == pytest.approx(0.75 / 1.25, abs=0.01)
    assert scores["normals"] > 0.6


def test_what_a_cloud_lacks_is_not_a_number():
    cloud = Sampled(torch.rand(50, 3))
    scores = evaluate(cloud, cloud)
    assert math.isnan(scores["iou"]) and math.isnan(scores["normals"])
    assert scores["f_score"] == 1 and scores["chamfer"] == 0


def test_a_mesh_that_leaves_the_cube_can_be_evaluated():
    scores = evaluate(meshes.icosphere(2, 1.3), meshes.icosphere(2, 0.9))
    assert 0 < scores["iou"] < 1


# ---------------------------------------------------------------------------------- baselines


def test_the_mean_shape_has_the_mean_volume():
    generator = torch.Generator().manual_seed(5)
    occupancy = (torch.rand(20, 8, 8, 8, generator=generator) < 0.2).float()
    grid = baselines.mean_shape(occupancy)
    assert (grid > 0).sum() <= round(float(occupancy.mean(0).sum())) + 1


def test_retrieval_is_the_nearest_picture_of_a_loop():
    generator = torch.Generator().manual_seed(6)
    queries, gallery = torch.rand(4, 3, 5, 5, generator=generator), torch.rand(9, 3, 5, 5)
    expected = [
        min(range(9), key=lambda j, q=q: float((q - gallery[j]).square().sum())) for q in queries
    ]
    assert baselines.retrieve(queries, gallery).tolist() == expected


def test_the_limits_are_near_the_truth():
    item = SingleView.generate("test", 6, views=1)[5]
    truth = baselines.truth(item)
    grid = evaluate(sample_mesh(baselines.voxel_limit(item)), truth)
    assert grid["iou"] == 1 and grid["f_score"] > 0.9
    points = baselines.point_limit(item, 512)
    gaps = torch.cdist(points, points).fill_diagonal_(9).amin(dim=1)
    assert gaps.min() > 0.5 * gaps.median()  # evenly spread
    template = evaluate(sample_mesh(baselines.fitted_sphere(item, steps=80)), truth)
    assert template["f_score"] > 0.6


def test_points_turned_away_are_hidden_and_those_in_front_are_visible():
    data = SingleView.generate("test", 1, views=1)
    item = data[0]
    seen = baselines.visible_points(item["points"], item["camera"], item["depth"], FOCAL)
    towards = item["camera"][:3, 3] - item["points"]
    facing = (towards * item["normals"]).sum(-1) / towards.norm(dim=-1)
    assert 0.1 < seen.float().mean() < 0.7
    assert seen[facing < -0.3].float().mean() < 0.08
    assert seen[facing > 0.5].float().mean() > 2 * seen[facing < 0.2].float().mean()


def test_a_checkpoint_survives_saving_in_half_precision(tmp_path, images):
    network = FromImage(VoxelDecoder()).eval()
    training.save_network(network, tmp_path / "voxels.pt")
    again = training.load_network("voxels", tmp_path / "voxels.pt")
    assert (tmp_path / "voxels.pt").stat().st_size < 3e6
    assert torch.allclose(again(images), network(images), atol=0.05)


def test_the_schedule_rises_and_falls():
    rates = [training.warm_then_cosine(step, 100, 1.0) for step in range(101)]
    assert max(rates) <= 1 and rates[0] < 0.1 and rates[100] < 1e-6 and max(rates) > 0.9
    assert F.relu(torch.tensor(rates)).min() >= 0


def test_the_command_that_makes_the_checkpoints_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHAPES", 6)
    monkeypatch.setattr(checkpoints, "TEST", 4)
    monkeypatch.setattr(checkpoints, "SEEDS", (0,))
    monkeypatch.setattr(checkpoints, "RECIPES", dict.fromkeys(training.DECODERS, (1e-3, 2, 1)))
    monkeypatch.setattr(checkpoints, "LIMITS", {"limit": LIMITS["truth as 1,024 points"]})
    cache, folder = tmp_path / "cache", tmp_path / "assets"
    folder.mkdir()
    checkpoints.make_reconstruction(folder, cache=cache)
    stored = json.loads((folder / "scores.json").read_text())["scores"]
    assert [len(stored[kind]) for kind in (*training.DECODERS, "retrieval")] == [1, 1, 1, 1, 1]
    assert 0 <= stored["voxels"][0]["iou"] <= 1
    before = (cache / "voxels-0.pt").stat().st_mtime_ns
    (cache / "points-0.pt").unlink()
    checkpoints.train_kind(
        "points", 0, SingleView.generate("train", 6, views=2, cache=cache), cache
    )
    assert (cache / "points-0.pt").exists()
    assert (cache / "voxels-0.pt").stat().st_mtime_ns == before
