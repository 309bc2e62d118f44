"""ShapeNet folders whose shapes, lenses or pictures are of another frame than the cameras: told."""

import math

import numpy as np
import pytest
from PIL import Image
from test_single_view import project_by_hand

from course_lib import meshes
from course_lib.data import shapenet_folder

SIZE = (0.25, 0.75, 0.5)
VIEWS = [(20, 25, 0.8), (130, 30, 0.9)]


def folder(path, *, shape=SIZE, zoom=1.0, mode="RGBA", metadata=None):
    """A box of SIZE on its pictures, and beside them a box of edges `shape`."""
    (path / "rendering").mkdir(parents=True)
    inside = (np.random.default_rng(0).random((200_000, 3)) - 0.5) * SIZE
    for view, camera in enumerate(VIEWS):
        x, y = (68.5 + zoom * (p - 68.5) for p in project_by_hand(inside, *camera))
        picture = np.zeros((137, 137, 4), np.uint8)
        picture[y.astype(int).clip(0, 136), x.astype(int).clip(0, 136)] = (200, 30, 30, 255)
        Image.fromarray(picture).convert(mode).save(path / f"rendering/{view:02d}.png")
    lines = "".join(f"{a} {e} 0 {d} 25\n" for a, e, d in VIEWS) if metadata is None else metadata
    (path / "rendering/rendering_metadata.txt").write_text(lines)
    meshes.save_mesh(meshes.box(shape), path / "model.obj")
    return path


def test_what_belongs_together_is_read_without_a_remark(tmp_path, recwarn):
    shapenet_folder.read_folder(folder(tmp_path))
    assert not recwarn.list


@pytest.mark.parametrize(
    "options",
    [
        {"shape": (0.5, 0.75, 0.25)},  # turned by 90°, as ShapeNetCore.v2 is against v1
        {"shape": (0.125, 0.375, 0.25)},
        {"zoom": math.tan(math.radians(24.6)) / math.tan(math.radians(15))},  # a narrower lens
    ],
)
def test_a_shape_that_leaves_its_pictures_bare_is_told(tmp_path, options):
    with pytest.warns(
        UserWarning, match=r"rendering: \d+% of the shape's points.* and \d+% of those"
    ):
        shapenet_folder.read_folder(folder(tmp_path, **options))


def test_pictures_without_transparency_are_told(tmp_path):
    with pytest.warns(UserWarning, match="rendering: no picture is transparent"):
        shapenet_folder.read_folder(folder(tmp_path, mode="RGB"))


@pytest.mark.parametrize(
    "text", ["[[20, 25, 0, 0.8, 25], [130, 30, 0, 0.9, 25]]", "20,5 x 0 0,8\n"]
)
def test_metadata_of_another_form_are_refused_with_what_was_expected(tmp_path, text):
    with pytest.raises(ValueError, match=r"rendering_metadata.txt: expected lines of azimuth"):
        shapenet_folder.read_folder(folder(tmp_path, metadata=text))
