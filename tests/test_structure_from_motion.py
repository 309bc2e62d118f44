"""Cameras found from rendered photographs whose cameras are known."""

import pytest
import torch
from PIL import Image
from rooms import FOCAL, HEIGHT, WIDTH, arc, corner_of_a_room, texture

from course_lib.data import structure_from_motion
from course_lib.data.scenes import load_scene


def photographs(folder):
    """Twelve JPEG files; their camera-to-world."""
    poses = arc(12)
    for i, pose in enumerate(poses):
        picture = Image.fromarray(corner_of_a_room(pose).numpy())
        picture.save(folder / f"IMG_{i:02}.jpg", quality=95)
    return poses


def aligned_error(found, true):
    """Largest distance of camera centres after the best similarity transform (Umeyama 1991)."""
    a, b = (x[:, :3, 3].double() - x[:, :3, 3].double().mean(0) for x in (found, true))
    u, s, vt = torch.linalg.svd(a.T @ b)
    signs = torch.tensor([1.0, 1.0, torch.det(u @ vt).sign()], dtype=torch.float64)
    scale = (s * signs).sum() / (a**2).sum()
    return ((scale * a @ (u * signs) @ vt) - b).norm(dim=-1).max().item()


def test_photographs_alone_become_a_scene(tmp_path, monkeypatch):
    pytest.importorskip("pycolmap")
    true = photographs(tmp_path)
    scene = load_scene(tmp_path, "all")
    assert len(scene) == 12 and scene.size == (HEIGHT, WIDTH)
    assert aligned_error(scene.camera_to_world, true) < 0.02  # of a distance of 3.5
    assert scene.intrinsics[0, 0].item() == pytest.approx(FOCAL, rel=0.03)

    import pycolmap

    monkeypatch.setattr(pycolmap, "extract_features", None)  # the second time nothing is computed
    again = load_scene(tmp_path, "all")
    torch.testing.assert_close(again.camera_to_world, scene.camera_to_world)


def test_a_photograph_of_something_else_is_left_out_and_named(tmp_path):
    pytest.importorskip("pycolmap")
    photographs(tmp_path)
    Image.fromarray((255 * texture(9)[:, :HEIGHT, :WIDTH]).byte().movedim(0, -1).numpy()).save(
        tmp_path / "IMG_05b.jpg"
    )
    with pytest.warns(
        UserWarning, match=r"Not IMG_05b.jpg: take more between IMG_05.jpg and IMG_06"
    ):
        scene = load_scene(tmp_path, "all")
    assert "IMG_05b.jpg.png" not in scene.names and len(scene) == 12


def test_photographs_without_texture_are_refused_with_advice(tmp_path):
    pytest.importorskip("pycolmap")
    for i in range(4):
        Image.new("RGB", (64, 48), (200, 10 * i, 0)).save(tmp_path / f"{i}.png")
    with pytest.raises(
        ValueError, match=r"0 of 4 photographs fit together. Photograph a thing with"
    ):
        load_scene(tmp_path)


@pytest.mark.parametrize(
    ("name", "said"), [("a.HEIC", "as JPEG"), ("a.mp4", "frames"), ("a.txt", "no")]
)
def test_folders_without_photographs_say_what_to_do(tmp_path, name, said):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(
        FileNotFoundError, match=rf"transforms_train.json[\s\S]*photographs[\s\S]*{said}|no ph"
    ):
        load_scene(tmp_path)


def test_copies_are_upright_small_and_keep_the_focal_length(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side
    exif.get_ifd(0x8769)[0xA405] = 28  # the focal length on 35 mm film
    (tmp_path / "posed").mkdir()
    Image.new("RGB", (2000, 1000)).save(tmp_path / "a.jpg", exif=exif)
    (name,) = structure_from_motion._copies([tmp_path / "a.jpg"], tmp_path / "posed")
    with Image.open(tmp_path / "posed" / name) as copy:
        assert copy.size == (500, 1000)
        assert copy.getexif().get_ifd(0x8769)[0xA405] == 28 and 0x0112 not in copy.getexif()

    Image.new("RGB", (2000, 1000)).save(tmp_path / "b.jpg")  # one held upright, one not: as stored
    paths = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for name in structure_from_motion._copies(paths, tmp_path / "posed"):
        with Image.open(tmp_path / "posed" / name) as copy:
            assert copy.size == (1000, 500)

    Image.new("RGB", (20, 10)).save(tmp_path / "c.jpg")
    with pytest.raises(ValueError, match=r"of one size, got .*c.jpg 20x10"):
        structure_from_motion._copies([*paths, tmp_path / "c.jpg"], tmp_path / "posed")
