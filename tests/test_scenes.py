"""Claims about the scene's data and about the readers of three formats, on folders made here."""

import json

import numpy as np
import pytest
import torch
from oracles import to_llff
from PIL import Image

from course_lib.cameras import camera_rays, look_at
from course_lib.data.photographs import undistort
from course_lib.data.scenes import load_scene
from course_lib.shipped import asset

POSE = look_at([1.0, 2.0, 3.0])


def picture(path, height=12, width=16, alpha=None, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    if alpha is not None:
        data = np.concatenate([data, np.full((height, width, 1), alpha, np.uint8)], -1)
    Image.fromarray(data).save(path)
    return data


def frame(name, **more):
    return {"file_path": name, "transform_matrix": POSE.tolist(), **more}


def write(folder, name, **content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content))


def test_the_desk_is_what_the_course_promises():
    train, val, test = (load_scene(split=split) for split in ("train", "val", "test"))
    assert len(train) >= 80 and len(test) >= 10 and len(val) >= 1
    assert train.size == (100, 100) and train.has_alpha
    gaps = torch.cdist(train.camera_to_world[:, :3, 3], test.camera_to_world[:, :3, 3])
    assert gaps.min() > 0.05, "a test camera stands where a training camera stands"
    assert sum(f.stat().st_size for f in asset("scene").rglob("*") if f.is_file()) < 3e6


def test_the_desks_true_mesh_lies_where_the_photographs_show_it():
    import trimesh

    mesh = trimesh.load(asset("scene/mesh.ply"))
    scene = load_scene(split="val")
    from course_lib.cameras import project

    points = torch.from_numpy(np.asarray(mesh.vertices)[::50]).float()
    pixels, _ = project(points, scene.camera_to_world[0], scene.intrinsics[0, 0].item(), 100, 100)
    column, row = pixels.long().clamp(0, 99).T
    near = torch.nn.functional.max_pool2d(scene.images[:1, ..., 3].float(), 3, 1, 1)[0]
    assert (near[row, column] > 0).float().mean() > 0.999


def test_blender_layout_is_read(tmp_path):
    pixels = picture(tmp_path / "train" / "r_0.png", alpha=128)
    write(tmp_path, "transforms_train.json", camera_angle_x=1.0, frames=[frame("./train/r_0")])
    scene = load_scene(tmp_path)
    assert scene.images[0].equal(torch.from_numpy(pixels)) and scene.has_alpha
    focal = 16 / (2 * np.tan(0.5))
    torch.testing.assert_close(scene.intrinsics[0], torch.tensor([focal, focal, 8, 6]).float())
    o, d = scene.rays(0)
    expected = camera_rays(12, 16, focal, POSE)
    torch.testing.assert_close(o, expected[0].contiguous())
    torch.testing.assert_close(d, expected[1], atol=1e-5, rtol=0)


def test_ngp_layout_takes_a_frames_own_intrinsics_before_the_global_ones(tmp_path):
    for i in range(2):
        picture(tmp_path / "images" / f"{i}.jpg")
    frames = [frame("images/0.jpg"), frame("images/1.jpg", fl_x=30.0, fl_y=31.0, cx=7.0)]
    write(tmp_path, "transforms.json", fl_x=20.0, cx=8.5, cy=5.5, w=16, h=12, k1=0.1, frames=frames)
    scene = load_scene(tmp_path, "all")
    assert scene.intrinsics.tolist() == [[20.0, 20.0, 8.5, 5.5], [30.0, 31.0, 7.0, 5.5]]
    assert scene.distortion[:, 0].tolist() == pytest.approx([0.1, 0.1]) and not scene.has_alpha


def test_intrinsics_of_another_image_size_are_rescaled(tmp_path):
    picture(tmp_path / "a.png")
    write(tmp_path, "transforms.json", fl_x=40.0, cx=16.0, cy=12.0, w=32, h=24, frames=[frame("a")])
    assert load_scene(tmp_path, "all").intrinsics[0].tolist() == [20.0, 20.0, 8.0, 6.0]
    halved = load_scene(tmp_path, "all", downscale=2)
    assert halved.size == (6, 8) and halved.intrinsics[0].tolist() == [10.0, 10.0, 4.0, 3.0]


def test_llff_layout_is_read_and_every_eighth_photograph_held_out(tmp_path):
    n = 9
    for i in range(n):
        picture(tmp_path / "images" / f"{i}.png", seed=i)
    poses = torch.stack([look_at([0.1 * i, 0.0, 3.0]) for i in range(n)])
    size = torch.tensor([24.0, 32.0, 40.0]).expand(n, 3)  # calibrated at twice the size
    np.save(tmp_path / "poses_bounds.npy", to_llff(poses, size, torch.tensor([[2.0, 9.0]] * n)))
    train, test = load_scene(tmp_path), load_scene(tmp_path, "test")
    assert (len(train), len(test)) == (7, 2) and test.names == ("0.png", "8.png")
    torch.testing.assert_close(test.camera_to_world, poses[[0, 8]])
    assert train.intrinsics[0].tolist() == [20.0, 20.0, 8.0, 6.0]
    assert train.near == pytest.approx(1.8) and train.far == pytest.approx(9.9)


def test_shrinking_averages_what_is_seen_and_not_what_transparency_hides(tmp_path):
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, 0] = (200, 100, 0, 255)  # the other three are transparent black
    Image.fromarray(rgba).save(tmp_path / "a.png")
    write(tmp_path, "transforms.json", fl_x=2.0, frames=[frame("a")])
    shrunk = load_scene(tmp_path, "all", downscale=2).images[0, 0, 0]
    assert (shrunk - torch.tensor([200, 100, 0, 64])).abs().max() <= 1


def test_lens_distortion_is_undone():
    lens = torch.tensor([[0.1, -0.05, 0.01, -0.02]]).expand(50, 4)
    u, v = 0.8 * torch.rand(2, 50) - 0.4
    k1, k2, p1, p2 = lens[0]
    r2 = u * u + v * v
    radial = 1 + k1 * r2 + k2 * r2 * r2
    x = u * radial + 2 * p1 * u * v + p2 * (r2 + 2 * u * u)
    y = v * radial + p1 * (r2 + 2 * v * v) + 2 * p2 * u * v
    got = undistort(x, y, lens)
    torch.testing.assert_close(torch.stack(got), torch.stack([u, v]), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"frames": []}, "no 'frames'"),
        ({"fl_x": 5.0, "frames": [{"transform_matrix": []}]}, "no 'file_path'"),
        ({"fl_x": 5.0, "frames": [frame("missing")]}, "no image"),
        ({"frames": [frame("a")]}, "neither 'fl_x' nor 'camera_angle_x'"),
        ({"fl_x": 5.0, "frames": [{**frame("a"), "transform_matrix": [[1]]}]}, "4x4"),
        ({"fl_x": 5.0, "w": 16, "h": 99, "frames": [frame("a")]}, "calibrated at 16x99"),
        ({"fl_x": 5.0, "is_fisheye": True, "frames": [frame("a")]}, "fisheye"),
        (
            {"fl_x": 5.0, "frames": [{**frame("a"), "transform_matrix": (2 * POSE).tolist()}]},
            "not a rotation",
        ),
    ],
)
def test_a_faulty_file_is_refused_with_the_reason(tmp_path, content, message):
    picture(tmp_path / "a.png")
    write(tmp_path, "transforms.json", **content)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        load_scene(tmp_path, "all")


def test_a_folder_of_no_known_layout_is_refused_with_what_was_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match="poses_bounds"):
        load_scene(tmp_path)
    with pytest.raises(ValueError, match="expected a split"):
        load_scene(tmp_path, "training")


def test_photographs_of_different_sizes_are_refused(tmp_path):
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png", height=6, width=8)
    write(tmp_path, "transforms.json", fl_x=5.0, frames=[frame("a"), frame("b")])
    with pytest.raises(ValueError, match=r"b.png is 8x6 where a.png is 16x12"):
        load_scene(tmp_path, "all")
