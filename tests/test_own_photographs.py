"""Notebooks 07 and 08 on scenes that are not the course's: a photographed room, Blender's layout."""

import json
import math

import nbformat
import pytest
import torch
from PIL import Image
from rooms import arc, corner_of_a_room
from test_notebooks import noting_tables

from course_lib.authoring.notebook import assemble, sources
from course_lib.authoring.solve import solve
from course_lib.data.scenes import load_scene


def room(folder):
    """Eighteen photographs without alpha, by a lens with distortion, as nerfstudio writes them."""
    frames = []
    for i, pose in enumerate(arc(18)):
        Image.fromarray(corner_of_a_room(pose, 52.0, 36, 48).numpy()).save(folder / f"{i:02}.jpg")
        frames.append({"file_path": f"{i:02}.jpg", "transform_matrix": pose.tolist()})
    lens = {"fl_x": 52.0, "fl_y": 52.0, "cx": 24.5, "cy": 17.0, "w": 48, "h": 36, "k1": 0.01}
    (folder / "transforms.json").write_text(json.dumps(lens | {"frames": frames}))


def blender(folder):
    """Blender's layout and axes, z upwards, of few photographs of the desk."""
    turn = torch.tensor([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    for split, step in (("train", 4), ("test", 4)):
        scene = load_scene(split=split, downscale=2)
        scene, frames = scene.select(range(0, len(scene), step)), []
        (folder / split).mkdir()
        for i, image in enumerate(scene.images):
            Image.fromarray(image.numpy()).save(folder / split / f"r_{i}.png")
            pose = (turn @ scene.camera_to_world[i]).tolist()
            frames.append({"file_path": f"./{split}/r_{i}", "transform_matrix": pose})
        width, focal = scene.size[1], scene.intrinsics[0, 0].item()
        content = {"camera_angle_x": 2 * math.atan(width / 2 / focal), "frames": frames}
        (folder / f"transforms_{split}.json").write_text(json.dumps(content))


# Trainings are cut at their second step: what a field has not learned yet must not stop a cell either.
@pytest.mark.extra
@pytest.mark.parametrize("make", [room, blender])
def test_notebooks_run_on_other_scenes(tmp_path, make):
    scene, notebooks = tmp_path / "scene", []
    scene.mkdir()
    make(scene)
    for source in sources():
        if source.stem[:2] not in ("07", "08"):
            continue
        notebook = solve(assemble(source))
        changed = [c for c in notebook.cells if "folder = None" in c.source]
        changed[0].source = (
            changed[0].source.replace("folder = None", f"folder = {str(scene)!r}")
            .replace("budget(1, 2)", "1")
        )  # fmt: skip
        assert len(changed) == 1
        notebooks.append(tmp_path / source.with_suffix(".ipynb").name)
        nbformat.write(notebook, notebooks[-1])
    assert noting_tables(notebooks, tmp_path, COURSE_CUT="1") == {
        path.name: "" for path in notebooks
    }
