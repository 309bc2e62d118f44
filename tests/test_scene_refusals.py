"""Scenes whose numbers, poses, names and masks mean something else than a pinhole's pixels."""

import json

import numpy as np
import pytest
import torch
from oracles import to_llff
from PIL import Image
from test_scene_inputs import POSE, frames, picture, scene

from course_lib.data.scenes import load_scene


def at(x):
    pose = POSE.clone()
    pose[0, 3] = x
    return pose.tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"ftheta_p0": 0.0, "ftheta_p1": 0.1}, "f-theta lenses are not modelled"),
        ({"from_mitsuba": True}, "'from_mitsuba' are not read: convert"),
        ({"from_na": True}, "'from_na' are not read: convert"),
        ({"fl_x": 1.2, "fl_y": 1.2, "cx": 0.5, "cy": 0.5}, "focal length in pixels, got 1.2"),
        ({"fl_x": 35, "fl_y": 35, "w": 1920, "h": 1440, "cx": 960}, "millimetres"),
        ({"frames": frames("images/a.png", transform_matrix=at(500719.26))}, "500719.25.*offset"),
        ({"frames": frames("images/a", "images/a.png")}, "are one photograph"),
        ({"frames": frames("images/a.png", "images/../images/a.png")}, "are one photograph"),
    ],
)
def test_what_is_no_pinhole_in_pixels_is_refused_with_the_file(tmp_path, content, message):
    with pytest.raises(ValueError, match=rf"transforms.json.*{message}"):
        scene(tmp_path, **content)


def test_a_photograph_named_with_and_without_its_ending_is_in_one_split(tmp_path):
    for split, name in (("train", "./train/r_0"), ("test", "./train/r_0.png")):
        picture(tmp_path / "train/r_0.png")
        content = {"camera_angle_x": 0.7, "frames": frames(name)}
        (tmp_path / f"transforms_{split}.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="for training and for testing"):
        load_scene(tmp_path, "test")


HALF = np.arange(16)[None].repeat(12, 0) < 8


@pytest.mark.parametrize("mask", [HALF.astype(np.uint16), HALF.astype(np.uint16) * 255])
def test_a_mask_of_16_bits_may_hold_8(tmp_path, mask):
    (tmp_path / "masks").mkdir()
    Image.fromarray(mask).save(tmp_path / "masks/a.png")
    assert (scene(tmp_path).images[0, ..., 3].numpy() > 0).tolist() == HALF.tolist()


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (HALF.astype(np.uint8) * 3, "grey up to 3: labels"),
        (np.stack([HALF * 0, HALF * 0, HALF * 0, HALF * 255], -1).astype(np.uint8), "transparent"),
    ],
)
def test_a_mask_that_would_hide_everything_is_refused(tmp_path, mask, message):
    (tmp_path / "masks").mkdir()
    Image.fromarray(mask).save(tmp_path / "masks/a.png")
    with pytest.raises(ValueError, match=rf"a.png.*{message}"):
        scene(tmp_path)


@pytest.mark.parametrize(
    ("k1", "told"), [(-0.5, True), (-0.2, True), (100.0, True), (-0.1, False), (0.3, False)]
)
def test_a_lens_that_cannot_be_undone_is_told(tmp_path, recwarn, k1, told):
    # At the corners r + k1 r³ = 1; for a negative k1 it has its largest value at r = 1 / √(−3 k1).
    scene(tmp_path, fl_x=10.0, fl_y=10.0, k1=k1)
    assert [str(w.message).count("cannot be undone") for w in recwarn] == [1] * told


def test_a_camera_that_does_not_know_which_way_is_up_turns_nothing(tmp_path, recwarn):
    exif = Image.Exif()
    exif[0x0112] = 0
    picture(tmp_path / "images/a.jpg", exif=exif)
    assert scene(tmp_path, names=(), frames=frames("images/a.jpg")).size == (12, 16)
    assert not recwarn.list


def test_an_llff_folder_with_small_photographs_alone_says_so(tmp_path):
    picture(tmp_path / "images_4/a.png")
    row = to_llff(POSE[None], torch.tensor([[12.0, 16, 20]]), torch.tensor([[1.0, 5]]))
    np.save(tmp_path / "poses_bounds.npy", row)
    with pytest.raises(FileNotFoundError, match=r"only images_4; .*downscale=4"):
        load_scene(tmp_path, "all")


@pytest.mark.parametrize(
    ("camera", "images", "message"),
    [
        ("SIMPLE_PINHOLE 16 12 1.2 8 6", "", "cameras.txt: .*focal length in pixels"),
        (
            "SIMPLE_PINHOLE 16 12 20 8 6",
            "2 1 0 0 0 0 0 6 1 d e f.png\n",
            "images.txt: .*empty line",
        ),
    ],
)
def test_colmap_models_that_were_edited_by_hand_are_refused(tmp_path, camera, images, message):
    (tmp_path / "sparse/0").mkdir(parents=True)
    picture(tmp_path / "images/a.png")
    (tmp_path / "sparse/0/cameras.txt").write_text(f"1 {camera}\n")
    (tmp_path / "sparse/0/images.txt").write_text(f"1 1 0 0 0 0 0 5 1 a.png\n{images}")
    with pytest.raises(ValueError, match=message):
        load_scene(tmp_path, "all")
