"""Mesh files: what is written is read back, and the traps of each format."""

import struct

import pytest
import torch

from course_lib import meshes
from course_lib.meshes import Mesh

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"
PLY = (
    "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\n"
    "property float z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n"
)
PLY_SQUARE = "0 0 0\n1 0 0\n1 1 0\n0 1 0\n"


def load(tmp_path, name: str, content: str | bytes) -> Mesh:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return meshes.load_mesh(path)


@pytest.mark.parametrize("ending", ["obj", "off", "ply", "stl", "OBJ"])
def test_saved_mesh_is_read_back(tmp_path, ending):
    mesh = meshes.torus(segments=12, sides=8)
    meshes.save_mesh(mesh, tmp_path / f"ring.{ending}")
    again = meshes.load_mesh(str(tmp_path / f"ring.{ending}"))
    assert again.euler_characteristic == 0 and again.faces.shape == mesh.faces.shape
    torch.testing.assert_close(again.area(), mesh.area())
    torch.testing.assert_close(again.volume(), mesh.volume())
    if ending != "stl":  # STL keeps no indices
        torch.testing.assert_close(again.vertices, mesh.vertices, atol=1e-6, rtol=1e-6)
        assert torch.equal(again.faces, mesh.faces)


def test_a_mesh_loads_and_saves_itself(tmp_path):
    meshes.box().save(tmp_path / "box.off")
    assert torch.equal(Mesh.load(tmp_path / "box.off").faces, meshes.box().faces)


def test_obj_indices_start_at_one(tmp_path):
    assert load(tmp_path, "a.obj", SQUARE + "f 1 2 3\n").faces.tolist() == [[0, 1, 2]]


def test_obj_negative_indices_count_back_from_the_last_vertex_so_far(tmp_path):
    text = SQUARE + "f -4 -3 -2\nv 5 5 5\nf -1 -5 -4\n"
    assert load(tmp_path, "a.obj", text).faces.tolist() == [[0, 1, 2], [4, 0, 1]]


@pytest.mark.parametrize("corner", ["{0}/1", "{0}//1", "{0}/1/1"])
def test_obj_texture_and_normal_indices_do_not_split_vertices(tmp_path, corner):
    extra = "vt 0 0\nvn 0 0 1\nvn 0 0 -1\n"
    faces = [" ".join(corner.format(i) for i in face) for face in ((1, 2, 3), (1, 3, 4))]
    text = SQUARE + extra + "".join(f"f {face}\n" for face in faces)
    text = text.replace("f 1//1 3//1", "f 1//2 3//1")
    mesh = load(tmp_path, "a.obj", text)
    assert len(mesh.vertices) == 4 and mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_obj_polygon_becomes_a_fan(tmp_path):
    assert float(load(tmp_path, "a.obj", SQUARE + "f 1 2 3 4\n").area()) == pytest.approx(1.0)


def test_obj_groups_materials_colours_comments_and_continued_lines_are_read_over(tmp_path):
    text = "# 12\nmtllib x.mtl\no one\n" + SQUARE.replace("v 0 0 0", "v 0 0 0 .5 .5 .5 # grey")
    text += "g part\nusemtl red\ns off\nf 1 \\\n 2 3\ng other\nf 1 3 4\n"
    assert load(tmp_path, "a.obj", text).faces.tolist() == [[0, 1, 2], [0, 2, 3]]


@pytest.mark.parametrize("header", ["OFF\n4 1 0\n", "OFF4 1 0\n", "OFF 4 1 0\n", "off\n\n4 1\n"])
def test_off_header_of_modelnet_may_lack_its_line_break(tmp_path, header):
    mesh = load(tmp_path, "a.off", header + "# square\n" + PLY_SQUARE + "4 0 1 2 3\n")
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_off_colours_after_the_corners_are_read_over(tmp_path):
    text = "OFF\n4 1 0\n" + PLY_SQUARE + "3 0 1 2 255 0 0\n"
    assert load(tmp_path, "a.off", text).faces.tolist() == [[0, 1, 2]]


def test_ply_polygon_becomes_triangles(tmp_path):
    mesh = load(tmp_path, "a.ply", PLY + PLY_SQUARE + "4 0 1 2 3\n")
    assert float(mesh.area()) == pytest.approx(1.0) and len(mesh.vertices) == 4


def test_stl_triangles_share_their_vertices_again(tmp_path):
    meshes.save_mesh(meshes.box(), tmp_path / "a.stl")
    data = (tmp_path / "a.stl").read_bytes()
    mesh = load(tmp_path, "b.stl", b"solid of a careless writer".ljust(80) + data[80:])
    assert len(mesh.vertices) == 8 and mesh.euler_characteristic == 2
    assert float(mesh.volume()) == pytest.approx(1.0)


BAD = {  # name -> (content, what the message says)
    "empty.obj": ("", "empty"),
    "points.obj": (SQUARE, "0 faces"),
    "zero.obj": (SQUARE + "f 0 1 2\n", "line 5.*index from 1"),
    "beyond.obj": (SQUARE + "f 1 2 5\n", "0 to 3.*got 0 to 4"),
    "back.obj": (SQUARE + "f -1 -2 -9\n", "line 5.*-9"),
    "two.obj": (SQUARE + "f 1 2\n", "line 5.*three corners"),
    "short.obj": ("v 0 0\n", "line 1.*three coordinates"),
    "word.obj": (SQUARE + "v 1 x 2\n", "line 5.*'x'"),
    "nan.obj": (SQUARE.replace("v 1 0 0", "v nan 0 0") + "f 1 2 3\n", "finite"),
    "huge.obj": (SQUARE.replace("v 1 0 0", "v 1e60 0 0") + "f 1 2 3\n", "finite"),
    "bytes.obj": (bytes(range(256)) * 4, "0 faces"),
    "none.off": ("nothing here", "expected 'OFF'"),
    "counts.off": ("OFF\nfour one\n", "numbers of vertices"),
    "cut.off": ("OFF\n4 2 0\n" + PLY_SQUARE + "3 0 1 2\n", "ends after 4 and 1"),
    "corners.off": ("OFF\n4 1 0\n" + PLY_SQUARE + "4 0 1 2\n", "expected 4 corners"),
    "beyond.off": ("OFF\n4 1 0\n" + PLY_SQUARE + "3 0 1 4\n", "0 to 3"),
    "inf.off": ("OFF\n4 1 0\ninf 0 0\n" + PLY_SQUARE[6:] + "3 0 1 2\n", "finite"),
    "none.ply": ("hello", "not a readable PLY"),
    "cloud.ply": (PLY.replace("face 1", "face 0") + PLY_SQUARE, "no faces"),
    "cut.ply": (PLY + PLY_SQUARE[:12], "cut short"),
    "beyond.ply": (PLY + PLY_SQUARE + "3 0 1 7\n", "0 to 3"),
    "nan.ply": (PLY + "nan 0 0\n" + PLY_SQUARE[6:] + "3 0 1 2\n", "finite"),
    "none.stl": (b"\x00\x01garbage" * 40, "STL"),
    "cut.stl": (b" " * 80 + struct.pack("<I", 2) + b"\0" * 50, "STL"),
    "empty.stl": ("solid x\nendsolid x\n", "STL"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file_is_refused_with_its_name_and_what_is_wrong(tmp_path, name):
    content, message = BAD[name]
    with pytest.raises(ValueError, match=message) as caught:
        load(tmp_path, name, content)
    assert name in str(caught.value)


def test_unknown_ending_and_empty_mesh_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.obj, \.off"):
        meshes.save_mesh(meshes.box(), tmp_path / "a.xyz")
    with pytest.raises(ValueError, match=r"\.obj, \.off"):
        load(tmp_path, "a.gltf", "{}")
    with pytest.raises(ValueError, match="faces to save"):
        empty = Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.long))
        meshes.save_mesh(empty, tmp_path / "a.obj")


def test_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        meshes.load_mesh(tmp_path / "a.obj")


def test_a_mesh_goes_into_a_file_and_comes_back(tmp_path):
    meshes.save_mesh(meshes.box(), tmp_path / "a.off")
    assert len(meshes.load_mesh(tmp_path / "a.off").faces) == 12
