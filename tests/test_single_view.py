"""The single-view data set: generated, read from a folder, and a student's own picture."""

import io
import math
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib import cameras, meshes, shapes
from course_lib.data import shape_records, shapenet_folder
from course_lib.data.photo import load_photo
from course_lib.data.single_view import SingleView, composite, make_nth_shape


@pytest.fixture(scope="module")
def data() -> SingleView:
    return SingleView.generate("test", 6, views=2)


def test_every_field_has_its_shape_and_range(data):
    batch = data.batch(torch.arange(len(data)))
    assert len(data) == 12 and data.views == 2
    assert batch["image"].shape == (12, 3, 64, 64)
    assert batch["image"].min() >= 0 and batch["image"].max() <= 1
    assert batch["occupancy"].shape == (12, 32, 32, 32)
    assert batch["points"].shape == batch["normals"].shape == (12, 2048, 3)
    assert batch["sdf_points"].shape == (12, 4096, 3) and batch["sdf"].shape == (12, 4096)


def test_an_item_is_a_row_of_the_batch(data):
    item = data[3]
    batch = data.batch(torch.tensor([5, 3]))
    assert all(torch.equal(item[name], batch[name][1]) for name in batch)
    with pytest.raises(IndexError, match="below 12"):
        data[12]


def test_the_occupancy_is_the_sign_of_the_distance(data):
    occupancy = data[4 * 2]["occupancy"]
    i, j, k = occupancy.nonzero()[7].tolist()
    centre = torch.tensor([-1 + (2 * n + 1) / 32 for n in (i, j, k)])
    assert make_nth_shape("test", 4).sdf(centre[None]) < 0
    assert 0.005 < occupancy.mean() < 0.2


def test_surface_points_lie_on_the_surface_with_unit_normals_along_the_gradient(data):
    for index in range(6):
        shape, item = make_nth_shape("test", index), data[2 * index]
        assert shape.sdf(item["points"]).abs().max() < 5e-3
        assert torch.allclose(item["normals"].norm(dim=1), torch.ones(2048), atol=2e-3)
        outside = shape.sdf(item["points"] + 0.02 * item["normals"])
        assert (outside > 0).float().mean() > 0.95


def test_surface_points_are_uniform_by_area():
    sphere = shapes.Shape("ball", 0, ("ball",), (shapes.sphere(0.8),), torch.ones(1, 3))
    grid = shape_records.distance_grid(sphere, 64)
    generator = torch.Generator().manual_seed(0)
    points, _ = shape_records.surface_points(sphere, grid, 20_000, generator)
    heights = points[:, 1] / 0.8  # Archimedes: uniform in [-1, 1]
    counts = torch.histc(heights, 10, -1, 1)
    assert ((counts - 2000).abs() < 5 * math.sqrt(2000 * 0.9)).all()


def test_signed_distances_belong_to_the_stored_points(data):
    item = data[0]
    expected = make_nth_shape("test", 0).sdf(item["sdf_points"])
    assert (item["sdf"] - expected).abs().max() < 2e-3
    assert 0.15 < (item["sdf"][:2048] < 0).float().mean() < 0.6  # near the surface: on both sides
    assert item["sdf"][:2048].abs().mean() < 0.08


def test_the_same_split_and_number_give_the_same_shape_whatever_the_count(data):
    again = SingleView.generate("test", 2, views=2)
    for name, value in again.fields.items():
        assert torch.equal(value, data.fields[name][:2])


def test_no_shape_is_in_two_splits():
    names = [
        make_nth_shape(split, index).name
        for split in ("train", "validation", "test")
        for index in range(40)
    ]
    assert len(set(names)) == 120
    boxes = [make_nth_shape(split, 0).sdf(torch.rand(50, 3)) for split in ("train", "test")]
    assert not torch.allclose(*boxes)


def test_the_camera_is_that_of_the_picture(data):
    """The surface points seen through the stored camera cover the picture's silhouette."""
    rgba, camera = data.fields["image"][0, 1], data.fields["camera"][0, 1]
    pixels, depth = cameras.project(data[0]["points"], camera, data.focal, 64, 64)
    column, row = pixels.long().clamp(0, 63).T
    assert (rgba[3][row, column] > 0).float().mean() > 0.95
    stored = data[1]["depth"]
    assert (depth >= stored[row, column] - 0.15)[stored[row, column] > 0].float().mean() > 0.99
    visible = (depth - stored[row, column]).abs() < 0.06
    assert 0.15 < visible.float().mean() < 0.75


def test_lights_colours_and_views_differ(data):
    images = data.fields["image"]
    assert not torch.equal(images[0, 0], images[0, 1])
    assert images[:, :, 3].unique().tolist() == [0, 255]


def test_sphere_tracing_a_ball_finds_its_distance():
    ball = shapes.Shape("ball", 0, ("ball",), (shapes.sphere(0.8),), torch.ones(1, 3))
    grid = shape_records.distance_grid(ball, 64)
    origins = torch.tensor([[0.0, 0, 3], [0, 0.9, 3], [3, 0, 0]])
    directions = torch.tensor([[0.0, 0, -1], [0, 0, -1], [-1, 0, 0]])
    distance, hit = shape_records.trace(grid, origins, directions)
    assert hit.tolist() == [True, False, True]
    assert torch.allclose(distance[[0, 2]], torch.tensor([2.2, 2.2]), atol=1e-2)


def test_compositing_is_the_over_operator_on_white():
    rgba = torch.tensor([255, 0, 0, 128], dtype=torch.uint8)[:, None, None]
    red, green, blue = composite(rgba).flatten().tolist()
    rest = 1 - 128 / 255
    assert (red, green, blue) == pytest.approx((1.0, rest, rest), abs=1e-6)


def test_bits_survive_packing():
    bits = torch.rand(4, 4, 4) > 0.5
    assert torch.equal(shape_records.unpack_bits(shape_records.pack_bits(bits)), bits.flatten())


def test_the_cache_gives_the_same_data(tmp_path):
    first = SingleView.generate("validation", 2, views=1, cache=tmp_path)
    assert len(list(tmp_path.glob("validation-2-1-*.pt"))) == 1
    again = SingleView.generate("validation", 2, views=1, cache=tmp_path)
    assert all(torch.equal(first.fields[n], again.fields[n]) for n in first.fields)


def test_unknown_splits_and_empty_sets_are_refused():
    with pytest.raises(ValueError, match="expected a split"):
        SingleView.generate("dev", 3)
    with pytest.raises(ValueError, match="count >= 1"):
        SingleView.generate("test", 0)


# ------------------------------------------------------------------------------------ folders


def write_binvox(path, cells):
    """An independent writer: run lengths in the order x, z, y."""
    runs, flat = [], cells.transpose(0, 2, 1).reshape(-1).tolist()
    for value in flat:
        if runs and runs[-1][0] == value and runs[-1][1] < 255:
            runs[-1][1] += 1
        else:
            runs.append([int(value), 1])
    header = (
        f"#binvox 1\ndim {len(cells)} {len(cells)} {len(cells)}\ntranslate 0 0 0\nscale 1\ndata\n"
    )
    path.write_bytes(header.encode() + bytes(byte for run in runs for byte in run))


def write_renderings(folder, views=3):
    folder.mkdir(parents=True)
    lines = []
    for view in range(views):
        picture = np.zeros((137, 137, 4), np.uint8)
        picture[40:100, 50:90] = (200, 30, 30, 255)
        Image.fromarray(picture).save(folder / f"{view:02d}.png")
        lines.append(f"{90.0 * view} 30.0 0 0.8 25")
    (folder / "rendering_metadata.txt").write_text("\n".join(lines))


def test_a_folder_with_model_obj_beside_the_pictures_is_read(tmp_path):
    for model in ("a1", "b2", "c3"):
        write_renderings(tmp_path / "03001627" / model / "rendering")
        meshes.save_mesh(meshes.box((0.2, 0.4, 0.1)), tmp_path / "03001627" / model / "model.obj")
    data = shapenet_folder.read_folder(tmp_path)
    item = data[4]
    assert data.names == ("a1", "b2", "c3") and data.views == 3
    assert item["image"].shape == (3, 64, 64) and item["image"][:, 0, 0].tolist() == [1, 1, 1]
    assert item["points"].abs().amax(dim=0) == pytest.approx([0.45, 0.9, 0.225], abs=1e-2)
    assert float(item["occupancy"].mean()) == pytest.approx(0.9 * 1.8 * 0.45 / 8, rel=0.15)
    box = shapes.box((0.9, 1.8, 0.45))(item["sdf_points"])
    clear = box.abs() > 0.05
    assert torch.allclose(item["sdf"][clear], box[clear], atol=5e-3)


def test_the_three_trees_of_r2n2_are_read_with_binvox(tmp_path):
    write_renderings(tmp_path / "ShapeNetRendering" / "02828884" / "m1" / "rendering")
    cells = np.zeros((32, 32, 32), bool)
    cells[4:28, 12:20, 14:18] = True
    target = tmp_path / "ShapeNetVox32" / "02828884" / "m1"
    target.mkdir(parents=True)
    write_binvox(target / "model.binvox", cells)
    data = shapenet_folder.read_folder(tmp_path)
    extent = data[0]["points"].amax(dim=0) - data[0]["points"].amin(dim=0)
    assert extent.tolist() == pytest.approx([1.8, 1.8 * 8 / 24, 1.8 * 4 / 24], rel=0.1)


def test_metadata_cameras_follow_azimuth_elevation_and_distance():
    camera = shapenet_folder.metadata_cameras("90.0 30.0 0 0.8 25\n")[0]
    distance = 1.75 * 0.8
    expected = [0.0, distance * 0.5, distance * math.cos(math.radians(30))]
    assert camera[:3, 3].tolist() == pytest.approx(expected, abs=1e-5)
    with pytest.raises(ValueError, match="azimuth, elevation"):
        shapenet_folder.metadata_cameras("12.0 30.0")


def project_by_hand(points, azimuth, elevation, distance):
    """3D-R2N2's camera written out: pixels of a 137² picture, x to the right and y down."""
    a, e = math.radians(azimuth), math.radians(elevation)
    to = -np.array([math.cos(e) * math.cos(a), math.sin(e), math.cos(e) * math.sin(a)])
    right = np.cross(to, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, to)
    seen = points + 1.75 * distance * to  # relative to the camera at −1.75 ρ `to`
    depth = seen @ to
    focal = 137 * 35 / 32
    return 68.5 + focal * seen @ right / depth, 68.5 - focal * seen @ up / depth


@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.0), (0.1, -0.05, 0.08)])
@pytest.mark.parametrize("kind", ["obj", "binvox"])
def test_a_shape_projects_onto_its_pictures(tmp_path, kind, shift):
    folder = tmp_path / "m"
    (folder / "rendering").mkdir(parents=True)
    size = np.array((0.25, 0.75, 0.5))  # diagonal 0.94, no two sides alike
    if kind == "obj":
        mesh = meshes.box(tuple(size))
        mesh = meshes.Mesh(mesh.vertices + torch.tensor(shift), mesh.faces)
        meshes.save_mesh(mesh, folder / "model.obj")
    else:
        cells = np.zeros((32, 32, 32), bool)
        cells[10:20, 2:32, 6:26] = True
        write_binvox(folder / "model.binvox", cells)
        low = np.array((10, 2, 6)) * 0.75 / 30
        place = np.array(shift) - size / 2 - low
        text = (folder / "model.binvox").read_bytes()
        new = f"translate {place[0]} {place[1]} {place[2]}\nscale 0.8".encode()
        (folder / "model.binvox").write_bytes(text.replace(b"translate 0 0 0\nscale 1", new))
    inside = (np.random.default_rng(0).random((400_000, 3)) - 0.5) * size + shift
    lines = []
    for view, (azimuth, elevation, distance) in enumerate([(20, 25, 0.8), (130, 30, 0.9)]):
        x, y = project_by_hand(inside, azimuth, elevation, distance)
        picture = np.zeros((137, 137, 4), np.uint8)
        picture[y.astype(int), x.astype(int)] = (200, 30, 30, 255)
        Image.fromarray(picture).save(folder / "rendering" / f"{view:02d}.png")
        lines.append(f"{azimuth} {elevation} 0 {distance} 25")
    (folder / "rendering" / "rendering_metadata.txt").write_text("\n".join(lines))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = shapenet_folder.read_folder(tmp_path)
    for item in (data[0], data[1]):
        pixels, _ = cameras.project(item["points"].float(), item["camera"], data.focal, 64, 64)
        column, row = pixels.long().clamp(0, 63).T
        shown = (item["image"] < 0.99).any(0)
        assert shown[row, column].float().mean() > 0.97
        covered = torch.zeros(64, 64, dtype=torch.bool)
        covered[row, column] = True
        assert (covered & shown).sum() > 0.7 * shown.sum()


def test_a_shape_beside_its_pictures_is_told(tmp_path):
    write_renderings(tmp_path / "m" / "rendering")
    meshes.save_mesh(meshes.box((0.2, 0.9, 0.1)), tmp_path / "m" / "model.obj")
    with pytest.warns(UserWarning, match=r"m/rendering: \d+% of the shape's points"):
        shapenet_folder.read_folder(tmp_path)


@pytest.mark.parametrize("line", ["0 0 15 0.8 25", "0 0 0 -1 25", "nan 0 0 1 25", "1 2"])
def test_cameras_that_cannot_be_are_refused_with_the_file(tmp_path, line):
    write_renderings(tmp_path / "m" / "rendering")
    meshes.save_mesh(meshes.box(1.0), tmp_path / "m" / "model.obj")
    (tmp_path / "m/rendering/rendering_metadata.txt").write_text(line)
    with pytest.raises(ValueError, match="rendering_metadata"):
        shapenet_folder.read_folder(tmp_path)


def test_a_missing_picture_moves_no_camera(tmp_path):
    for model in ("m", "n"):
        write_renderings(tmp_path / model / "rendering")
        meshes.save_mesh(meshes.box(1.0), tmp_path / model / "model.obj")
    (tmp_path / "m/rendering/01.png").unlink()
    (tmp_path / "n/rendering/00_depth.png").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match="2 pictures of every model are taken, as .*m.rendering"):
        data = shapenet_folder.read_folder(tmp_path)
    metadata = (tmp_path / "m/rendering/rendering_metadata.txt").read_text()
    turn = shapenet_folder.metadata_cameras(metadata)[:, :3, :3]
    torch.testing.assert_close(data.fields["camera"][0, :, :3, :3], turn[[0, 2]])
    torch.testing.assert_close(data.fields["camera"][1, :, :3, :3], turn[[0, 1]])


def test_models_without_a_shape_are_counted(tmp_path):
    for model in ("m", "n"):
        write_renderings(tmp_path / model / "rendering")
    meshes.save_mesh(meshes.box(1.0), tmp_path / "m/model.obj")
    with pytest.warns(UserWarning, match=r"1 of 2 models \(n, …\) have no shape"):
        assert shapenet_folder.read_folder(tmp_path).names == ("m",)


@pytest.mark.parametrize(
    ("name", "size", "message"), [("01", (64, 48), "square"), ("07", (64, 64), "07.png")]
)
def test_pictures_that_cannot_be_are_refused_by_name(tmp_path, name, size, message):
    write_renderings(tmp_path / "m/rendering")
    meshes.save_mesh(meshes.box(1.0), tmp_path / "m/model.obj")
    Image.new("RGBA", size).save(tmp_path / f"m/rendering/{name}.png")
    with pytest.raises(ValueError, match=message):
        shapenet_folder.read_folder(tmp_path)


def test_a_folder_without_shapes_is_refused(tmp_path):
    write_renderings(tmp_path / "m" / "rendering")
    with pytest.raises(ValueError, match="no shape for them"):
        shapenet_folder.read_folder(tmp_path)


# ------------------------------------------------------------------------------------- photos


def png(array, mode=None) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array, mode).save(buffer, "PNG")
    return buffer.getvalue()


def object_on(background, shape=(90, 130)):
    picture = np.full((*shape, 3), background, np.uint8)
    picture[20:70, 60:100] = (180, 40, 20)
    return picture


@pytest.mark.parametrize("background", [255, 0, 120])
def test_an_object_on_a_plain_background_is_centred_on_white(background):
    image = load_photo(png(object_on(background)))
    dark = (image[1] < 0.5).nonzero()
    centre = (dark.amin(dim=0) + dark.amax(dim=0) + 1) / 2
    assert image.shape == (3, 64, 64) and image[:, 0, 0].tolist() == [1, 1, 1]
    assert centre.tolist() == pytest.approx([32, 32], abs=1.5)


def test_grey_palette_alpha_and_16_bit_pictures_are_read():
    rgb = object_on(255)
    alpha = np.dstack([rgb, ((rgb[..., 1] < 100) * 255).astype(np.uint8)])
    grey = rgb[..., 1]
    deep = grey.astype(np.uint16) * 257
    buffer = io.BytesIO()
    Image.fromarray(rgb).quantize(8).save(buffer, "PNG")
    plain = load_photo(png(rgb))
    assert torch.allclose(load_photo(png(alpha)), plain, atol=0.02)
    assert torch.allclose(load_photo(buffer.getvalue()), plain, atol=0.1)
    assert torch.allclose(load_photo(png(grey)), load_photo(png(deep)), atol=0.01)


def test_a_busy_picture_is_taken_whole():
    generator = np.random.default_rng(0)
    image = load_photo(png(generator.integers(0, 255, (300, 200, 3)).astype(np.uint8)))
    assert image.shape == (3, 64, 64)


def test_bad_files_get_a_clear_error(tmp_path):
    with pytest.raises(ValueError, match="file of another kind"):
        load_photo(b"this is text")
    with pytest.raises(ValueError, match="damaged"):
        load_photo(png(object_on(255))[:150])
    with pytest.raises(ValueError, match="empty"):
        load_photo(png(np.zeros((10, 10, 4), np.uint8)))
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_photo(tmp_path / "nothing.png")
