"""PointNet, clustering, generation and skinning: what notebook 02 claims, on small inputs."""

import doctest
import math
import time
from importlib import import_module

import pytest
import torch

from course_lib import meshes
from course_lib.data.clouds import family_clouds
from course_lib.shapes import FAMILIES
from course_lib.tasks import skinning
from course_lib.tasks.clustering import adjusted_rand_index, kmeans_step
from course_lib.tasks.generation import (
    LatentSdf,
    coverage,
    minimum_matching_distance,
    pairwise_chamfer,
    sample_latents,
)
from course_lib.tasks.pointnet import FlatNet, max_pool_points, shared_mlp

MODULES = ("pointnet", "clustering", "generation", "skinning")


class PointNet(torch.nn.Module):
    """Clouds (b, n, 3) to class scores (b, k), as in notebook 02: shared MLP, maximum, classifier.

    Without the alignment networks of the paper, which matter for larger data sets.
    """

    def __init__(self, classes: int, widths: tuple = (64, 128, 256)):
        super().__init__()
        sizes = zip([3, *widths], widths, strict=False)
        self.shared = torch.nn.ModuleList(
            torch.nn.Linear(inputs, outputs) for inputs, outputs in sizes
        )
        self.classifier = torch.nn.Sequential(
            torch.nn.Linear(widths[-1], 128),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.3),
            torch.nn.Linear(128, classes),
        )

    def point_features(self, clouds):
        """What the shared MLP computes of every point."""
        layers = [layer for layer in self.shared if isinstance(layer, torch.nn.Linear)]
        weights = [layer.weight.T for layer in layers]
        return shared_mlp(clouds, weights, [layer.bias for layer in layers])

    def embed(self, clouds):
        """One vector per cloud: the maximum over its points."""
        present = torch.ones(clouds.shape[:2], dtype=torch.bool, device=clouds.device)
        return max_pool_points(self.point_features(clouds), present)

    def critical_points(self, cloud):
        """The indices of the points that attain a maximum: the other points change nothing."""
        return self.point_features(cloud[None])[0].argmax(dim=0).unique()

    def forward(self, clouds):
        return self.classifier(self.embed(clouds))


@pytest.fixture(scope="module")
def trained():
    """A PointNet trained as in the notebook, the held-out clouds and their labels, CPU seconds."""
    torch.manual_seed(0)
    clouds, labels = family_clouds(list(FAMILIES), range(20), 64, resolution=24)
    start, net = time.process_time(), PointNet(6)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(18):
        for batch in torch.randperm(len(clouds)).split(24):
            loss = torch.nn.functional.cross_entropy(net(clouds[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    seconds = time.process_time() - start
    held_out = family_clouds(list(FAMILIES), range(500, 512), 64, resolution=24)
    return net.eval(), *held_out, seconds


@torch.no_grad()
def test_pointnet_names_held_out_shapes_of_six_families(trained):
    net, clouds, labels, seconds = trained
    assert float((net(clouds).argmax(1) == labels).float().mean()) >= 0.95
    assert seconds < 60


@torch.no_grad()
def test_pointnet_does_not_see_the_order_of_the_points(trained):
    net, clouds, _, _ = trained
    order = torch.randperm(clouds.shape[1])
    gap = (net(clouds) - net(clouds[:, order])).abs().max() / net(clouds).abs().max()
    assert float(gap) < 1e-3


@torch.no_grad()
def test_an_mlp_on_joined_coordinates_does_see_the_order():
    net, clouds = FlatNet(6, 32), torch.rand(2, 32, 3)
    assert (net(clouds) - net(clouds.flip(1))).abs().max() > 1e-3


@torch.no_grad()
def test_only_critical_points_matter(trained):
    net, clouds, _, _ = trained
    critical = net.critical_points(clouds[0])
    assert len(critical) < clouds.shape[1]
    torch.testing.assert_close(net.embed(clouds[:1, critical]), net.embed(clouds[:1]))


def test_a_cloud_without_points_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        max_pool_points(torch.rand(2, 3, 4), torch.tensor([[True] * 3, [False] * 3]))


def test_clouds_are_decided_by_family_and_seed():
    clouds, labels = family_clouds(["mug", "lamp"], [1, 2], 50, resolution=16)
    again, _ = family_clouds(["mug", "lamp"], [1, 2], 50, resolution=16)
    assert clouds.shape == (4, 50, 3) and labels.tolist() == [0, 0, 1, 1]
    assert torch.equal(clouds, again) and not torch.equal(clouds[0], clouds[1])


def test_rand_index_agrees_with_scikit_learn():
    from sklearn.metrics import adjusted_rand_score

    for k in (2, 3, 7):
        a, b = torch.randint(0, k, (60,)), torch.randint(0, 4, (60,))
        b = torch.where(torch.rand(60) < 0.5, a, b)
        assert float(adjusted_rand_index(a, b)) == pytest.approx(
            adjusted_rand_score(a, b), abs=1e-5
        )
    assert float(adjusted_rand_index(torch.zeros(5).long(), torch.ones(5).long())) == 1.0


def test_kmeans_steps_agree_with_scikit_learn():
    from sklearn.cluster import KMeans

    points, centers = torch.rand(80, 3), torch.rand(4, 3)
    theirs = KMeans(4, init=centers.numpy(), n_init=1, max_iter=50, tol=0).fit(points.numpy())
    for _ in range(50):
        labels, centers = kmeans_step(points, centers)
    assert torch.equal(labels, torch.from_numpy(theirs.labels_).long())
    torch.testing.assert_close(centers, torch.from_numpy(theirs.cluster_centers_))


def test_latent_sdf_learns_two_balls_and_what_lies_between():
    torch.manual_seed(0)
    model, radii = LatentSdf(2, latent=2, width=48), torch.tensor([0.3, 0.7])
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(250):
        points = torch.rand(2, 128, 3) * 2 - 1
        error = model(model.latents, points) - (points.norm(dim=-1) - radii[:, None])
        optimizer.zero_grad()
        error.abs().mean().backward()
        optimizer.step()
    points = torch.rand(2000, 3) * 2 - 1
    volumes = [
        float((model.decode(z, points) < 0).float().mean())
        for z in (model.latents[0], model.latents.mean(0), model.latents[1])
    ]
    assert volumes[0] < volumes[1] < volumes[2]


def test_sampled_latents_have_the_mean_and_covariance_of_the_given_ones():
    latents = torch.randn(40, 3) @ torch.tensor([[1.0, 0.5, 0], [0, 0.3, 0], [0, 0, 2.0]]) + 1
    drawn = sample_latents(latents, 60_000, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.mean(0), latents.mean(0), atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), latents.T.cov(), atol=0.06, rtol=0.05)


def test_a_set_covers_itself_and_a_repeated_shape_covers_one():
    clouds = torch.rand(5, 40, 3)
    distances = pairwise_chamfer(clouds, clouds)
    assert float(coverage(distances)) == 1 and float(minimum_matching_distance(distances)) < 1e-9
    assert float(coverage(distances[:1].repeat(5, 1))) == pytest.approx(0.2)


def test_the_figure_at_rest_does_not_move_and_weights_add_up():
    mesh, skeleton = skinning.figure(32)
    weights = skeleton.skin_weights(mesh.vertices, 0.03)
    torch.testing.assert_close(weights.sum(1), torch.ones(len(weights)))
    moved = skinning.linear_blend_skinning(mesh.vertices, weights, skeleton.motions({}))
    torch.testing.assert_close(moved, mesh.vertices, atol=1e-5, rtol=1e-5)
    assert meshes.is_watertight(mesh) and meshes.component_count(mesh) == 1


def test_turning_the_root_turns_everything_and_a_leaf_only_itself():
    mesh, skeleton = skinning.figure(32)
    weights = skeleton.skin_weights(mesh.vertices, 0.02)
    turn = skinning.rotation(1, 40.0)
    whole = skinning.linear_blend_skinning(mesh.vertices, weights, skeleton.motions({"hips": turn}))
    pivot = skeleton.positions[0]
    torch.testing.assert_close(
        whole, (mesh.vertices - pivot) @ turn[:3, :3].T + pivot, atol=1e-5, rtol=1e-4
    )
    bent = skeleton.motions({"left forearm": skinning.rotation(1, 90.0)})
    moved = skinning.linear_blend_skinning(mesh.vertices, weights, bent)
    distance = (moved - mesh.vertices).norm(dim=1)
    assert distance[mesh.vertices[:, 0] > 0.7].min() > 0.2
    assert distance[mesh.vertices[:, 0] < 0.3].max() < 0.01


def test_a_bent_joint_loses_volume_and_a_twisted_one_more():
    mesh, skeleton = skinning.arm(resolution=48)
    weights = skeleton.skin_weights(mesh.vertices, 0.05)

    def volume(turn):
        motions = skeleton.motions({"bone 1": turn})
        moved = skinning.linear_blend_skinning(mesh.vertices, weights, motions)
        return float(meshes.Mesh(moved, mesh.faces).volume() / mesh.volume())

    assert volume(skinning.rotation(2, 0.0)) == pytest.approx(1, abs=1e-5)
    assert 0.8 < volume(skinning.rotation(2, 120.0)) < volume(skinning.rotation(2, 60.0)) < 1
    assert volume(skinning.rotation(0, 180.0)) < 0.95


def test_walking_is_periodic_and_keeps_bones_rigid():
    _, skeleton = skinning.figure(16)
    first, last = skeleton.motions(skinning.walk(0.0)), skeleton.motions(skinning.walk(1.0))
    torch.testing.assert_close(first, last, atol=1e-5, rtol=1e-5)
    turn = skeleton.motions(skinning.walk(0.3))[:, :3, :3]
    torch.testing.assert_close(turn @ turn.mT, torch.eye(3).expand(11, 3, 3), atol=1e-5, rtol=0)
    assert math.isclose(float(torch.linalg.det(turn[4])), 1, abs_tol=1e-5)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_hold(name):
    module = import_module(f"course_lib.tasks.{name}")
    assert doctest.testmod(module, extraglobs={"torch": torch}).failed == 0
