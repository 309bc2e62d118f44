"""Pictures of every kind, read by one reader, and the photograph of a student's own."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.data.photo import load_photo
from course_lib.data.pictures import list_pictures, read_picture


def png(array) -> bytes:
    return saved(Image.fromarray(array), "PNG")


def turned(array, orientation) -> bytes:
    buffer, exif = BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(array)).save(
        buffer, "JPEG", quality=95, exif=exif, subsampling=0
    )
    return buffer.getvalue()


def upright_shape():
    array = np.full((60, 40, 3), 255, np.uint8)
    array[10:50, 10:16], array[44:50, 10:30] = (200, 0, 0), (0, 0, 200)
    return array


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: np.rot90(a, 2)),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, 1)),
        (8, lambda a: np.rot90(a, -1)),
    ],
)
def test_a_photograph_is_turned_upright(orientation, stored):
    array = upright_shape()
    upright = load_photo(turned(array, 1))
    assert (load_photo(turned(stored(array), orientation)) - upright).abs().max() < 0.1


@pytest.mark.parametrize("specks", [[(2, 2)], [(0, 30), (59, 39)], [(5, 5), (5, 7), (55, 3)]])
@pytest.mark.parametrize("transparent", [False, True])
def test_dust_does_not_shrink_the_object(specks, transparent):
    array = upright_shape()
    if transparent:
        alpha = np.where((array < 255).any(-1), 255, 0).astype(np.uint8)
        array = np.concatenate([array, alpha[..., None]], -1)
    clean = load_photo(png(array))
    for row, column in specks:
        array[row, column] = (0, 0, 0, 255)[: array.shape[2]]
    assert torch.equal(load_photo(png(array)), clean)


def test_noise_of_a_camera_does_not_hide_the_background():
    noise = np.random.default_rng(0).normal(0, 6, (60, 40, 3))
    noisy = (upright_shape() * 0.8 + 20 + noise).clip(0, 255).astype(np.uint8)
    clean = load_photo(png((upright_shape() * 0.8 + 20).astype(np.uint8)))
    assert (load_photo(png(noisy)) - clean).abs().mean() < 0.03


def saved(image, form) -> bytes:
    buffer = BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "L", "LA", "P", "1", "F", "I"])
def test_every_kind_of_picture_gives_the_same_pixels(mode):
    grey = Image.fromarray((np.arange(48).reshape(6, 8) % 2 * 255).astype(np.uint8))
    want = np.asarray(grey)
    if mode == "F":
        data = saved(Image.fromarray(want.astype(np.float32) / 255), "TIFF")
    elif mode == "I":
        data = saved(Image.fromarray(want.astype(np.int32) * 257), "TIFF")
    else:
        middle = grey if mode in ("L", "LA", "P", "1") else grey.convert("RGB")
        data = saved(middle.convert(mode), "PNG" if mode in ("L", "LA", "P", "1") else "TIFF")
    got = read_picture(data)
    assert (
        np.abs(got[..., :3].astype(int) - want[..., None]).max() <= 1 and (got[..., 3] == 255).all()
    )


@pytest.mark.parametrize("values", [[0.0, 255.0], [-0.5, 1.0], [np.nan, 1.0], [np.inf, 0.0]])
def test_float_pictures_beyond_0_to_1_are_refused(values):
    image = Image.fromarray(np.array([values], np.float32))
    with pytest.raises(ValueError, match="from 0 to 1"):
        read_picture(saved(image, "TIFF"))


def test_hidden_files_of_a_mac_are_no_pictures(tmp_path):
    (tmp_path / "._a.JPG").write_bytes(b"\0\5\x16\7")
    Image.new("RGB", (4, 4)).save(tmp_path / "a.JPG")
    assert [path.name for path in list_pictures(tmp_path)] == ["a.JPG"]
    with pytest.raises(ValueError, match=r"\._a\.JPG"):
        read_picture(tmp_path / "._a.JPG")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_the_bytes_of_an_upload_are_a_picture(kind):
    data = png(upright_shape())
    assert torch.equal(load_photo(kind(data)), load_photo(data))


@pytest.mark.parametrize("form", ["TIFF", "PNG", "WEBP"])
def test_a_turn_is_obeyed_once_or_left_whatever_the_format(tmp_path, form):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 4), "red").save(tmp_path / "a", form, exif=exif)
    assert read_picture(tmp_path / "a").shape == (6, 4, 4)
    assert read_picture(tmp_path / "a", upright=False).shape == (4, 6, 4)


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_a_colour_said_to_be_transparent_is(tmp_path, mode):
    image = Image.new("RGB", (4, 4), "white").convert(mode)
    key = {"RGB": (255, 255, 255), "L": 255, "P": image.getpixel((0, 0))}[mode]
    image.save(tmp_path / "a.png", transparency=key)
    assert read_picture(tmp_path / "a.png")[..., 3].max() == 0


def test_a_heic_file_is_told_what_to_do():
    with pytest.raises(ValueError, match="exported as JPEG"):
        read_picture(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))


def tiff(ending, path, **tags):
    from PIL import TiffImagePlugin

    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        directory[int(tag[1:])] = value
    file = path / f"a.{ending}"
    Image.fromarray(np.zeros((12, 16, 3), np.uint8)).save(file, "TIFF", tiffinfo=directory)
    return file


@pytest.mark.parametrize("tags", [{"t254": 1}, {"t50706": b"\1\4\0\0"}])
def test_the_thumbnail_of_a_raw_file_is_no_photograph(tmp_path, tags):
    with pytest.raises(ValueError, match=r"a.nef: .*raw file .*16x12.*JPEG"):
        read_picture(tiff("nef", tmp_path, **tags))
    assert read_picture(tiff("tif", tmp_path, t254=2)).shape == (12, 16, 4)  # a page of several


def test_a_picture_of_too_many_pixels_is_not_called_damaged(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    file = tiff("tif", tmp_path)
    with pytest.raises(ValueError, match=r"a.tif: .*too large.*moderate size"):
        read_picture(file)


def test_16_bits_that_hold_8_are_8(tmp_path):
    grey = np.array([[0, 17, 255]], np.uint16)
    Image.fromarray(grey).save(tmp_path / "a.png")
    with pytest.warns(UserWarning, match=r"a.png: .*taken as 8-bit"):
        assert read_picture(tmp_path / "a.png")[0, :, 0].tolist() == [0, 17, 255]


def test_a_grey_of_16_bits_said_to_be_transparent_is(tmp_path):
    Image.fromarray(np.array([[0, 0x8080]], np.uint16)).save(tmp_path / "a.png", transparency=0)
    assert read_picture(tmp_path / "a.png")[0].tolist() == [[0, 0, 0, 0], [128, 128, 128, 255]]
