"""Scenes as people have them: read rightly, or refused with the file and the reason."""

import json
import struct
import warnings

import numpy as np
import pytest
import torch
from oracles import to_llff
from PIL import Image

from course_lib.cameras import look_at
from course_lib.data.scenes import load_scene

LENS = {"fl_x": 20.0, "fl_y": 20.0, "cx": 8.0, "cy": 6.0, "w": 16, "h": 12}
POSE = look_at([1.0, 2.0, 3.0])


def picture(path, height=12, width=16, value=100, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width, 3), value, np.uint8)).save(path, **options)


def frames(*names, **more):
    return [{"file_path": name, "transform_matrix": POSE.tolist(), **more} for name in names]


def scene(folder, split="all", names=("images/a.png",), *, downscale=1, **content):
    for name in names:
        picture(folder / name)
    everything = {**LENS, "frames": frames(*names), **content}
    (folder / "transforms.json").write_text(json.dumps(everything))
    return load_scene(folder, split, downscale=downscale)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"camera_model": "OPENCV_FISHEYE"}, "OPENCV_FISHEYE"),
        ({"camera_model": "EQUIRECTANGULAR"}, "EQUIRECTANGULAR"),
        ({"camera_model": "ORTHOPHOTO"}, "ORTHOPHOTO"),
        ({"camera_model": "FOV"}, "FOV"),
        ({"camera_model": "THIN_PRISM_FISHEYE"}, "THIN_PRISM"),
        ({"is_latlong": True}, "equirectangular"),
        ({"orthographic": True}, "orthographic"),
        ({"k5": 0.1}, "k5"),
        ({"k3": 0.1, "k4": -0.1}, "k3, k4"),
        ({"distortion_params": [0.1, 0, 0.2, 0, 0, 0]}, "k3"),
        ({"distortion_params": 3}, "six"),
        ({"fl_x": -20.0}, "fl_x"),
        ({"fl_y": 0}, "fl_y"),
        ({"h": 0}, "'h' > 0"),
        ({"cx": float("inf")}, "cx"),
        ({"cx": 0, "cy": 0}, "inside"),
        ({"p1": "0.1"}, "p1"),
        ({"fl_x": True}, "fl_x"),
        ({"frames": {}}, "no 'frames'"),
        ({"frames": [3]}, "frame 0"),
        ({"frames": frames("images/a.png", "./images/a.png")}, "listed twice"),
        ({"frames": frames("images/a.png", transform_matrix=[[1, 2], [3]])}, "images/a.png"),
        ({"frames": frames("images/a.png", transform_matrix="x")}, "of numbers"),
        ({"frames": frames("images/a.png", transform_matrix=[[0.0] * 4] * 4)}, "not a rotation"),
        ({"frames": frames("images/a.png", mask_path="no.png")}, "the mask of a.png"),
    ],
)
def test_what_is_not_modelled_or_cannot_be_is_refused_with_the_file(tmp_path, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        scene(tmp_path, **content)
    assert "transforms.json" in str(caught.value) or "no.png" in str(caught.value)


@pytest.mark.parametrize(("key", "value"), [("camera_angle_x", 400.0), ("camera_angle_x", -0.5)])
def test_angles_that_are_no_radians_are_refused(tmp_path, key, value):
    picture(tmp_path / "images/a.png")
    content = {key: value, "frames": frames("images/a.png")}
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=key):
        load_scene(tmp_path, "all")


def test_the_list_of_distortion_parameters_is_nerfstudios(tmp_path):
    got = scene(tmp_path, distortion_params=[0.1, 0.2, 0, 0, 0.3, 0.4]).distortion[0].tolist()
    assert got == pytest.approx([0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize("mode", ["L", "1", "RGB"])
def test_what_a_mask_shows_in_black_is_transparent(tmp_path, mode):
    mask = Image.new("L", (16, 12), 255)
    mask.paste(0, (0, 0, 4, 12))
    (tmp_path / "m").mkdir()
    mask.convert(mode).save(tmp_path / "m" / "a.png")
    got = scene(tmp_path, frames=frames("images/a.png", mask_path="m\\a.png"))
    assert got.images[0, :, :4, 3].eq(0).all() and got.images[0, :, 4:, 3].eq(255).all()


@pytest.mark.parametrize("name", ["a.png", "a.png.png", "a.webp"])
def test_a_folder_of_masks_is_found_and_a_missing_mask_is_told(tmp_path, name):
    (tmp_path / "masks").mkdir()
    mask = Image.fromarray(np.eye(12, 16, dtype=np.uint8))  # 0 and 1
    mask.save(tmp_path / "masks" / name, lossless=True)
    with pytest.warns(UserWarning, match="1 of 2 photographs have no mask"):
        got = scene(tmp_path, names=("images/a.png", "images/b.png"))
    assert int((got.images[0, ..., 3] == 255).sum()) == 12 and got.images[1, ..., 3].min() == 255


def test_masks_that_fit_no_photograph_are_told(tmp_path):
    picture(tmp_path / "masks/other.png")
    with pytest.warns(UserWarning, match="1 of 1 photographs have no mask"):
        scene(tmp_path)


def test_masks_stand_in_the_photographs_own_subfolder(tmp_path):
    names = ("images/left/a.png", "images/right/a.png")
    picture(tmp_path / "masks/left/a.png", value=0)
    picture(tmp_path / "masks/right/a.png", value=255)
    alpha = scene(tmp_path, names=names).images[..., 3]
    assert alpha[0].max() == 0 and alpha[1].min() == 255


def test_a_dynamic_mask_beside_a_photograph_hides_what_it_shows(tmp_path):
    mask = np.zeros((12, 16), np.uint8)
    mask[:, :5] = 1
    (tmp_path / "images").mkdir()
    Image.fromarray(mask).save(tmp_path / "images/dynamic_mask_a.png")
    alpha = scene(tmp_path).images[0, ..., 3]
    assert alpha[:, :5].max() == 0 and alpha[:, 5:].min() == 255


@pytest.mark.parametrize(
    "content",
    [
        {"rolling_shutter": [0, 0, 0.03, 0]},
        {"white_transparent": True},
        {"black_transparent": True},
        {"mask_color": "0xff00ff"},
        {"frames": frames("images/a.png", time=0.5)},
    ],
)
def test_what_changes_the_photographs_and_is_not_obeyed_is_told(tmp_path, content):
    with pytest.warns(UserWarning, match="not obeyed"):
        scene(tmp_path, **content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scene(tmp_path, rolling_shutter=[0, 0, 0, 0], white_transparent=False)


@pytest.mark.parametrize("ending", ["webp", "tif", "JPEG", "bmp"])
def test_an_ending_that_is_left_off_is_found(tmp_path, ending):
    content = frames("images/a")
    assert scene(tmp_path, names=[f"images/a.{ending}"], frames=content).names == (f"a.{ending}",)


def test_a_mask_of_another_size_is_refused(tmp_path):
    (tmp_path / "masks").mkdir()
    Image.new("L", (8, 6)).save(tmp_path / "masks" / "a.png")
    with pytest.raises(ValueError, match="mask of 16x12"):
        scene(tmp_path)


NAMES = tuple(f"images/{i}.png" for i in range(4))


def test_listed_splits_are_obeyed(tmp_path):
    lists = {"train_filenames": [".\\images\\0.png", NAMES[1]], "test_filenames": [NAMES[3]]}
    assert scene(tmp_path, "train", NAMES, **lists).names == ("0.png", "1.png")
    assert scene(tmp_path, "test", NAMES, **lists).names == ("3.png",)
    with pytest.raises(ValueError, match="'val' is empty"):
        scene(tmp_path, "val", NAMES, **lists)


def test_no_photograph_is_for_training_and_for_testing(tmp_path):
    lists = {"train_filenames": NAMES[:3], "test_filenames": NAMES[2:]}
    with pytest.raises(ValueError, match=r"1 photograph.*images/2.png"):
        scene(tmp_path, "test", NAMES, **lists)
    for split in ("train", "test"):
        text = json.dumps({**LENS, "frames": frames("images/0.png")})
        (tmp_path / f"transforms_{split}.json").write_text(text)
    (tmp_path / "transforms.json").unlink()
    with pytest.raises(ValueError, match="for training and for testing"):
        load_scene(tmp_path, "test")


def test_an_unknown_name_in_a_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"images/9.png, which is no frame"):
        scene(tmp_path, "train", NAMES, train_filenames=["images/9.png"])


def test_one_photograph_can_be_read_but_not_split(tmp_path):
    assert len(scene(tmp_path)) == 1
    with pytest.raises(ValueError, match="'train' is empty"):
        scene(tmp_path, "train")


def test_missing_photographs_are_left_out_and_counted(tmp_path):
    for i in range(3):
        picture(tmp_path / f"images/{i}.png")
    content = {**LENS, "frames": frames(*NAMES, "images/4.png")}
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    with pytest.warns(UserWarning, match=r"2 of 5 photographs are missing \(images/3.png"):
        assert load_scene(tmp_path, "all").names == ("0.png", "1.png", "2.png")


@pytest.mark.parametrize("ending", ["jpg", "tif", "png"])
def test_pixels_are_taken_as_stored_and_a_turn_is_told(tmp_path, ending):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(tmp_path / f"images/a.{ending}", exif=exif)
    content = {**LENS, "frames": frames(f"images/a.{ending}")}
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    with pytest.warns(UserWarning, match="1 of 1 photographs"):
        assert load_scene(tmp_path, "all").size == (12, 16)


def test_colours_multiplied_with_alpha_are_divided_again(tmp_path):
    colors = np.full((12, 16, 4), 200, np.uint8)
    colors[..., 3] = np.linspace(255, 20, 16).astype(np.uint8)
    colors[:, :3, 3] = 255
    for name, multiply in (("straight", False), ("multiplied", True)):
        rgba = colors.copy()
        if multiply:
            rgba[..., :3] = np.rint(rgba[..., :3] * (rgba[..., 3:] / 255))
        (tmp_path / name / "images").mkdir(parents=True)
        Image.fromarray(rgba).save(tmp_path / name / "images/a.png")
        text = json.dumps({**LENS, "frames": frames("images/a.png")})
        (tmp_path / name / "transforms.json").write_text(text)
    plain = load_scene(tmp_path / "straight", "all").images[..., :3].int()
    with pytest.warns(UserWarning, match="multiplied with alpha"):
        divided = load_scene(tmp_path / "multiplied", "all").images[..., :3].int()
    assert (plain == 200).all() and (divided - 200).abs().max() <= 6


@pytest.mark.parametrize("downscale", [5, 7])
def test_the_focal_length_follows_the_crop(tmp_path, downscale):
    got = scene(tmp_path, downscale=downscale).intrinsics[0]
    torch.testing.assert_close(got, torch.tensor([20.0, 20.0, 8.0, 6.0]) / downscale)
    with pytest.raises(ValueError, match="cannot be shrunk by 13"):
        scene(tmp_path, downscale=13)


def llff(folder, rows=None, **pictures):
    for name in ("a.png", "b.PNG"):
        picture(folder / "images" / name, **pictures)
    (folder / "images" / "._a.png").write_bytes(b"\0\5\x16\7")
    poses = torch.stack([POSE, POSE])
    size = torch.tensor([[12.0, 16.0, 20.0]] * 2)
    good = to_llff(poses, size, torch.tensor([[2.0, 9.0]] * 2)).numpy()
    np.save(folder / "poses_bounds.npy", good if rows is None else rows(good.copy()))
    return load_scene(folder, "all")


def changed(row, column, value):
    def change(rows):
        rows[row, column] = value
        return rows

    return change


def test_hidden_files_are_no_photographs(tmp_path):
    assert llff(tmp_path).names == ("a.png", "b.PNG")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (changed(1, 3, np.nan), "row 1"),
        (changed(1, 0, 5.0), "b.PNG is not a rotation"),
        (changed(0, 14, 0.0), "focal"),
        (changed(0, 15, -1.0), "near < far"),
        (changed(0, 16, 1.0), "near < far"),
        (lambda rows: rows[:1], "1 poses, but 2 images"),
        (lambda rows: rows[:, :15], r"\(2, 15\)"),
    ],
)
def test_llff_has_the_checks_of_transforms_json(tmp_path, rows, message):
    with pytest.raises(ValueError, match=message) as caught:
        llff(tmp_path, rows)
    assert "poses_bounds.npy" in str(caught.value)


def test_an_llff_table_calibrated_at_another_shape_is_refused(tmp_path):
    with pytest.raises(ValueError, match="calibrated at 16x12, images are 16x20"):
        llff(tmp_path, height=20)


def test_a_broken_llff_table_is_named(tmp_path):
    picture(tmp_path / "images/a.png")
    (tmp_path / "poses_bounds.npy").write_bytes(b"\x93NUMPY nonsense")
    with pytest.raises(ValueError, match="poses_bounds"):
        load_scene(tmp_path)


def colmap(
    folder,
    binary,
    camera=(2, "SIMPLE_RADIAL", [20.0, 8.0, 6.0, 0.1]),
    names=("a.png",),
    points="3 4 -1",
):
    picture(folder / "images" / names[0].replace("\\", "/"))
    model = folder / "sparse/0"
    model.mkdir(parents=True)
    number, kind, values = camera
    pose = (0.6, 0.8, 0, 0, 1, 2, 5)
    if binary:
        data = struct.pack(f"<QiiQQ{len(values)}d", 1, 1, number, 16, 12, *values)
        (model / "cameras.bin").write_bytes(data)
        data = struct.pack("<Q", len(names))
        for i, name in enumerate(names):
            data += struct.pack("<i7di", i, *pose, 1) + name.encode() + b"\0"
            data += struct.pack("<Qddq", 1, 3, 4, -1)
        (model / "images.bin").write_bytes(data)
    else:
        words = " ".join(map(str, values))
        (model / "cameras.txt").write_text(f"# one\n1 {kind} 16 12 {words}\n")
        turn = " ".join(map(str, pose))
        rows = [f"{i} {turn} 1 {name}\n{points}\n" for i, name in enumerate(names)]
        (model / "images.txt").write_text("# two\n" + "".join(rows))
    return load_scene(folder, "all")


@pytest.mark.parametrize("binary", [True, False])
def test_colmap_models_put_a_point_where_colmap_puts_it(tmp_path, binary):
    got = colmap(tmp_path, binary)
    assert got.intrinsics[0].tolist() == [20, 20, 8, 6]
    assert got.distortion[0].tolist() == pytest.approx([0.1, 0, 0, 0])
    turn = torch.tensor([[1, 0, 0], [0, -0.28, -0.96], [0, 0.96, -0.28]])  # about x, 2 acos .6
    world = torch.tensor([0.3, -0.2, 0.5])
    seen = turn @ world + torch.tensor([1.0, 2, 5])  # right, down, forwards
    pose = got.camera_to_world[0]
    ours = pose[:3, :3].T @ (world - pose[:3, 3])  # right, up, backwards
    torch.testing.assert_close(ours, seen * torch.tensor([1.0, -1, -1]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("binary", [True, False])
def test_colmap_lenses_beyond_the_model_are_refused(tmp_path, binary):
    with pytest.raises(ValueError, match="not modelled") as caught:
        colmap(tmp_path, binary, (5, "OPENCV_FISHEYE", [20.0, 20, 8, 6, 0, 0, 0, 0]))
    assert "cameras" in str(caught.value)


@pytest.mark.parametrize("binary", [True, False])
def test_colmap_photographs_that_are_missing_are_counted(tmp_path, binary):
    with pytest.warns(UserWarning, match=r"1 of 2 photographs are missing \(b.png"):
        assert colmap(tmp_path, binary, names=("a.png", "b.png")).names == ("a.png",)


@pytest.mark.parametrize("binary", [True, False])
def test_colmap_masks_and_names_of_windows(tmp_path, binary):
    picture(tmp_path / "masks/left/a.png.png", value=0)
    assert colmap(tmp_path, binary, names=("left\\a.png",)).images[..., 3].max() == 0


def test_colmap_models_beside_the_first_are_told(tmp_path):
    (tmp_path / "sparse/1").mkdir(parents=True)
    (tmp_path / "sparse/1/cameras.bin").write_bytes(b"")
    with pytest.warns(UserWarning, match="of 2 models"):
        colmap(tmp_path, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": ("a.png", "a.png")}, "a.png is listed twice"),
        ({"camera": (1, "PINHOLE", [20.0, 20, 80, 6])}, "inside 16x12"),
        ({"points": "2 1 0 0 0 0 0 5 1 b.png"}, "or an empty line"),
    ],
)
def test_colmap_models_that_cannot_be_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        colmap(tmp_path, False, **options)
    assert "sparse" in str(caught.value)
