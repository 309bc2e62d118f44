"""Cameras found from rendered photographs whose cameras are known."""

import pytest
import torch
from PIL import Image

from course_lib.cameras import camera_rays, look_at
from course_lib.data import structure_from_motion
from course_lib.data.scenes import load_scene

FOCAL, HEIGHT, WIDTH = 260.0, 180, 240


def texture(seed):
    g = torch.Generator().manual_seed(seed)
    layers = [torch.rand(1, 3, k, k, generator=g) for k in (8, 16, 32, 64, 128)]
    return (
        sum(torch.nn.functional.interpolate(x, (512, 512), mode="bicubic")[0] for x in layers) / 5
    )


def corner_of_a_room(pose):
    """The planes x, y, z = -1, each with its texture, (height, width, 3)."""
    origins, directions = (x.reshape(-1, 3) for x in camera_rays(HEIGHT, WIDTH, FOCAL, pose))
    nearest, color = torch.full((len(origins),), 1e9), torch.zeros(len(origins), 3)
    for axis in range(3):
        t = (-1 - origins[:, axis]) / directions[:, axis]
        there = (origins + t[:, None] * directions)[:, [a for a in range(3) if a != axis]] / 3
        seen = torch.nn.functional.grid_sample(
            texture(axis)[None], there[None, None], padding_mode="reflection", align_corners=False
        )[0, :, 0].T
        hit = (t > 0) & (t < nearest)
        nearest, color = torch.where(hit, t, nearest), torch.where(hit[:, None], seen, color)
    return (color.clamp(0, 1) * 255).byte().view(HEIGHT, WIDTH, 3)


def photographs(folder, count=12, **save):
    """JPEG files on an arc; their camera-to-world."""
    poses = []
    for i in range(count):
        turn = torch.tensor(0.15 + 1.2 * i / (count - 1))
        eye = torch.stack([3 * turn.cos(), torch.tensor(1.0 + 0.3 * (i % 2)), 3 * turn.sin()])
        poses.append(look_at(eye, (-0.3, -0.5, -0.3)))
        picture = Image.fromarray(corner_of_a_room(poses[-1]).numpy())
        picture.save(folder / f"IMG_{i:02}.jpg", quality=95, **save)
    return torch.stack(poses)


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
