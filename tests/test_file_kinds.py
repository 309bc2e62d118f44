"""Mesh and cloud files of the kinds that real programs write, and infinite values in tables."""

import struct
import warnings

import numpy as np
import pytest
import torch

from course_lib import meshes
from course_lib.points import load_cloud
from course_lib.tabular import encode_frame

CORNERS = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0.5, 2, 0)]
HEADER = (
    "ply\nformat {form} 1.0\ncomment TextureFile gone.png\nelement vertex 5\nproperty {real} x\n"
    "property {real} y\nproperty {real} z\nelement face {n}\nproperty list uchar {kind} "
    "vertex_indices\n{more}end_header\n"
)


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("real", [("float", "f"), ("double", "d")])
@pytest.mark.parametrize("texture", [False, True])
def test_binary_ply_with_mixed_polygons(tmp_path, order, real, texture):
    faces = [(0, 1, 2, 3), (3, 2, 4), (0, 1, 2, 4, 3)]
    data = b"".join(struct.pack(order + "3" + real[1], *corner) for corner in CORNERS)
    for face in faces:
        data += struct.pack(f"{order}B{len(face)}i", len(face), *face)
        if texture:
            data += struct.pack(f"{order}B{2 * len(face)}f", 2 * len(face), *[0.5] * 2 * len(face))
    form = "binary_little_endian" if order == "<" else "binary_big_endian"
    more = "property list uchar float texcoord\n" if texture else ""
    header = HEADER.format(form=form, n=3, kind="int", real=real[0], more=more)
    mesh = meshes.load_mesh(write(tmp_path, "a.ply", header.encode() + data))
    assert len(mesh.faces) == 6 and float(mesh.area()) == pytest.approx(1 + 0.5 + 1.5)
    with pytest.raises(ValueError, match=r"a.ply: .*3 of 'face', .* after 2"):
        meshes.load_mesh(write(tmp_path, "a.ply", header.encode() + data[:-1]))


DART = [(0, 0), (4, 0), (1, 1), (0, 4)]
LETTER_U = [(0, 0), (3, 0), (3, 3), (2, 3), (2, 1), (1, 1), (1, 3), (0, 3)]
STAR = [
    (0, 3),
    (-0.7, 1),
    (-3, 1),
    (-1, -0.4),
    (-2, -3),
    (0, -1.3),
    (2, -3),
    (1, -0.4),
    (3, 1),
    (0.7, 1),
]


def shoelace(polygon):
    return (
        sum(
            a * d - b * c for (a, b), (c, d) in zip(polygon, polygon[1:] + polygon[:1], strict=True)
        )
        / 2
    )


@pytest.mark.parametrize("polygon", [DART, LETTER_U, STAR])
@pytest.mark.parametrize("plane", [(0, 1, 2), (1, 2, 0), (2, 1, 0)])
@pytest.mark.parametrize("ending", ["obj", "off"])
def test_a_concave_polygon_keeps_its_area_wherever_it_starts(tmp_path, polygon, plane, ending):
    for start in range(len(polygon)):
        turned = polygon[start:] + polygon[:start]
        points = [[(x, y, 0.0)[axis] for axis in plane] for x, y in turned]
        rows = [" ".join(map(str, point)) for point in points]
        if ending == "obj":
            text = "".join(f"v {row}\n" for row in rows)
            text += "f " + " ".join(str(i + 1) for i in range(len(rows))) + "\n"
        else:  # the corners of the face over several lines
            corners = "\n".join(map(str, range(len(rows))))
            text = f"OFF\n{len(rows)} 1 0\n" + "\n".join(rows) + f"\n{len(rows)}\n{corners}\n"
        mesh = meshes.load_mesh(write(tmp_path, f"a.{ending}", text))
        assert float(mesh.area()) == pytest.approx(abs(shoelace(polygon)), rel=1e-5)


@pytest.mark.parametrize("start", range(10))
def test_a_seam_that_leads_to_a_hole_covers_nothing(tmp_path, start):
    square, hole = [(0, 0), (4, 0), (4, 4), (0, 4)], [(1, 1), (1, 3), (3, 3), (3, 1)]
    corners = [1, 2, 3, 4, 1, 5, 6, 7, 8, 5]
    text = "".join(f"v {x} {y} 0\n" for x, y in square + hole)
    face = " ".join(map(str, corners[start:] + corners[:start]))
    mesh = meshes.load_mesh(write(tmp_path, "a.obj", f"{text}f {face}\n"))
    assert float(mesh.area()) == pytest.approx(12)


@pytest.mark.parametrize("noise", [1e-33, 1e-9])
def test_stl_corners_a_hair_apart_are_one_vertex(tmp_path, noise):
    mesh = meshes.torus(segments=12, sides=8)
    corners = mesh.corners.double().numpy() + noise * np.random.default_rng(0).normal(
        size=(len(mesh.faces), 3, 3)
    )
    text = "solid a\n"
    for triangle in corners:
        rows = "".join(f"vertex {x!r} {y!r} {z!r}\n" for x, y, z in triangle.tolist())
        text += f"facet normal 0 0 1\nouter loop\n{rows}endloop\nendfacet\n"
    got = meshes.load_mesh(write(tmp_path, "a.stl", text + "endsolid a\n"))
    assert len(got.vertices) == len(mesh.vertices) and meshes.genus(got) == 1


@pytest.mark.parametrize("name", ["a.obj", "a.off"])
def test_byte_order_marks_are_left_out_and_utf_16_is_told(tmp_path, name):
    meshes.save_mesh(meshes.box(), tmp_path / name)
    text = (tmp_path / name).read_text()
    assert len(meshes.load_mesh(write(tmp_path, name, text.encode("utf-8-sig"))).vertices) == 8
    with pytest.raises(ValueError, match=rf"{name}: expected plain text, got UTF-16"):
        meshes.load_mesh(write(tmp_path, name, text.encode("utf-16")))


@pytest.mark.parametrize("ending", ["xyz", "ply"])
def test_map_coordinates_keep_their_centimetres(tmp_path, ending):
    far = np.array([[500719.26, 4065740.41, 1.96], [500719.28, 4065740.43, 1.97]])
    rows = "\n".join(" ".join(f"{x:.2f}" for x in row) for row in far)
    header = "ply\nformat ascii 1.0\nelement vertex 2\n" + "".join(
        f"property double {axis}\n" for axis in "xyz"
    )
    text = rows if ending == "xyz" else f"{header}end_header\n{rows}\n"
    with pytest.warns(UserWarning, match="too far from 0"):
        points = load_cloud(write(tmp_path, f"a.{ending}", text))[0]
    torch.testing.assert_close(
        points[1] - points[0], torch.tensor([0.02, 0.02, 0.01]), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("row", ["0,5 1,5 2,5", "0,5;1,5;2,5", "1,25\t2,5\t3,0", "0,5, 1,5, 2,5"])
def test_decimal_commas_are_refused(tmp_path, row):
    with pytest.raises(ValueError, match=r"a.xyz: line 1: .*decimal commas"):
        load_cloud(write(tmp_path, "a.xyz", row + "\n"))


@pytest.mark.parametrize("row", ["1 2 3", "1,2,3", "1, 2, 3", "1;2;3", "1\t2\t3", "1.0,2.0, 3.0"])
def test_what_stands_between_numbers_is_told_apart(tmp_path, row):
    assert load_cloud(write(tmp_path, "a.xyz", row))[0].tolist() == [[1, 2, 3]]


@pytest.mark.parametrize("color", ["255 0 0", "12 200 7", "0.2 0.3 0.1"])
def test_colours_are_no_normals(tmp_path, color):
    with pytest.warns(UserWarning, match="no unit normals"):
        assert load_cloud(write(tmp_path, "a.xyz", f"1 2 3 {color}\n" * 4))[1] is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_cloud(write(tmp_path, "a.xyz", "1 2 3 0 0.6 0.8\n"))[1] is not None


TEXT_PLY = HEADER.format(form="ascii", n=1, kind="int", real="float", more="") + (
    "".join(f"{x} {y} {z}\n" for x, y, z in CORNERS) + "3 0 1 2\n"
)


@pytest.mark.parametrize(
    "content",
    [
        TEXT_PLY.encode("utf-8-sig"),
        TEXT_PLY.replace("TextureFile", "end_header of"),
        TEXT_PLY.replace("element", "\n\nelement"),
        TEXT_PLY.replace("\n", "\r\n"),
    ],
)
def test_headers_of_ply_as_programs_write_them(tmp_path, content):
    assert len(meshes.load_mesh(write(tmp_path, "a.ply", content)).faces) == 1


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\n\r"])
@pytest.mark.parametrize("first", [b"\0\0\0\0", b"\x0a\0\x80\x3f", b"\x0d\0\x80\x3f"])
def test_lines_of_ply_end_in_any_way_and_data_may_begin_with_a_line_end(tmp_path, end, first):
    header = HEADER.format(
        form="binary_little_endian", n=1, kind="int", real="float", more=""
    ).replace("\n", end)
    body = first + np.array(CORNERS, "<f4").tobytes()[4:] + struct.pack("<B3i", 3, 0, 1, 2)
    mesh = meshes.load_mesh(write(tmp_path, "a.ply", header.encode() + body))
    assert mesh.vertices[0, 0].item() == np.frombuffer(first, "<f4")[0]
    assert len(meshes.load_mesh(write(tmp_path, "b.ply", TEXT_PLY.replace("\n", end))).faces) == 1


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.obj", "v 0 0 1.#QNAN\nv 1 0 0\nv 1 1 0\nf 1 2 3\n", 1),
        ("a.off", "OFF\n3 1 0\n0 0 0\n0 0 -1.#IND\n1 1 0\n3 0 1 2\n", 4),
        ("a.xyz", "0 0 0 # fine\n0 0 1.#INF\n", 2),
    ],
)
def test_how_visual_c_writes_nan_is_no_comment(tmp_path, name, content, line):
    load = load_cloud if name == "a.xyz" else meshes.load_mesh
    with pytest.raises(ValueError, match=rf"{name}: line {line}"):
        load(write(tmp_path, name, content))


def test_triangles_written_as_quads_are_triangles(tmp_path):
    corners = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\n"
    faces = "f 1 3 2 2\nf 1 1 2 4\nf 2 3 3 4\nf 1 4 3 1\n"
    mesh = meshes.load_mesh(write(tmp_path, "a.obj", corners + faces))
    assert len(mesh.faces) == 4
    assert meshes.is_watertight(mesh) and float(mesh.volume()) == pytest.approx(1 / 6)


def test_faces_without_vertex_indices_are_told_by_name(tmp_path):
    text = TEXT_PLY.replace("vertex_indices", "vertex_idx")
    with pytest.raises(ValueError, match=r"expected faces with vertex_indices, got vertex_idx"):
        meshes.load_mesh(write(tmp_path, "a.ply", text))


@pytest.mark.parametrize("form", ["ascii", "binary_little_endian"])
def test_a_property_that_is_there_twice_is_refused(tmp_path, form):
    head = "".join(f"property float {name}\n" for name in "xyzx")
    text = f"ply\nformat {form} 1.0\nelement vertex 1\n{head}end_header\n1 2 3 4      1234567\n"
    with pytest.raises(ValueError, match=r"a.ply: .*'vertex' has 'x' twice"):
        load_cloud(write(tmp_path, "a.ply", text))


def test_a_single_point_of_a_map_keeps_its_centimetres(tmp_path):
    with pytest.warns(UserWarning, match="too far from 0"):
        point = load_cloud(write(tmp_path, "a.xyz", "500719.26 4065740.41 1.96\n"))[0]
    assert point[0].tolist() == pytest.approx([0.26, 0.41, -0.04], abs=1e-6)


def test_the_filter_of_mip_splatting_is_refused(tmp_path):
    from course_lib.splatting.files import load_ply

    text = "ply\nformat ascii 1.0\nelement vertex 1\nproperty float filter_3D\nend_header\n1\n"
    with pytest.raises(ValueError, match=r"a.ply: filter_3D is not read: fuse"):
        load_ply(write(tmp_path, "a.ply", text))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("3 0 1 2", "3 0 1.7 2", "fractions"),
        ("0.5 2 0", "0.5 2 0 9", "'vertex' 4"),
        ("3 0", "3", "'face' 0"),
    ],
)
def test_rows_of_ply_that_do_not_fit_the_header_are_refused(tmp_path, old, new, message):
    with pytest.raises(ValueError, match=message):
        meshes.load_mesh(write(tmp_path, "a.ply", TEXT_PLY.replace(old, new)))


@pytest.mark.parametrize("ending", ["ply", "off"])
def test_faces_beyond_those_of_the_header_are_told(tmp_path, ending):
    corners = TEXT_PLY.split("end_header\n")[1]
    text = TEXT_PLY if ending == "ply" else f"OFF\n5 1 0\n{corners}"
    with pytest.warns(UserWarning, match=rf"a.{ending}: 2 lines after"):
        mesh = meshes.load_mesh(write(tmp_path, f"a.{ending}", text + "3 0 1 3\n3 1 2 3\n"))
    assert len(mesh.faces) == 1


@pytest.mark.parametrize("rest", ["9", "0 117 130 149", "-7 8 9", "0 0 0", "255 0 0 0 0 1"])
def test_columns_that_are_no_unit_normals_are_told(tmp_path, rest):
    with pytest.warns(UserWarning, match="no unit normals"):
        points, normals = load_cloud(write(tmp_path, "a.xyz", f"1 2 3 {rest}\n" * 3))
    assert points[0].tolist() == [1, 2, 3] and normals is None


@pytest.mark.parametrize("first", ["2", "x y z", "//X Y Z", "1 2"])
def test_a_first_line_that_is_no_point_is_named(tmp_path, first):
    with pytest.raises(ValueError, match=r"a.xyz: line 1: expected"):
        load_cloud(write(tmp_path, "a.xyz", f"{first}\n1 2 3\n4 5 6\n"))


def test_normals_of_ply_become_unit_vectors(tmp_path):
    names = ("x", "y", "z", "nx", "ny", "nz")
    head = "".join(f"property float {name}\n" for name in names)
    text = f"ply\nformat ascii 1.0\nelement vertex 1\n{head}end_header\n1 2 3 0 0 5\n"
    assert load_cloud(write(tmp_path, "a.ply", text))[1].tolist() == [[0, 0, 1]]


@pytest.mark.parametrize("value", [float("inf"), -float("inf")])
def test_an_infinite_value_in_a_table_is_refused_with_its_column(value):
    import pandas as pd

    good, bad = pd.DataFrame({"age": [1.0, 2.0]}), pd.DataFrame({"age": [1.0, value]})
    for frame, fitted in ((good, bad), (bad, good)):
        with pytest.raises(ValueError, match=r"'age'.*infinity"):
            encode_frame(frame, fitted)


@pytest.mark.parametrize("values", [[1, "unknown", 3], [2.5, "n/a"], ["7", 7]])
def test_text_mixed_with_numbers_is_refused_with_its_column(values):
    import pandas as pd

    frame = pd.DataFrame({"age": pd.Series(values, dtype=object)})
    with pytest.raises(ValueError, match=r"'age'.*got both"):
        encode_frame(frame, frame)


@pytest.mark.parametrize("value", ["nan", "inf", "1e39"])
def test_gaussians_that_are_no_numbers_are_refused(tmp_path, value):
    from course_lib.splatting.files import Gaussians, load_ply, save_ply

    save_ply(
        tmp_path / "a.ply", Gaussians(*(torch.ones(2, *n) for n in ((3,), (3,), (4,), (), (1, 3))))
    )
    names = [line.split()[2] for line in (tmp_path / "a.ply").read_bytes().split(b"\n")[3:20]]
    head = "".join(f"property double {name.decode()}\n" for name in names)
    text = f"ply\nformat ascii 1.0\nelement vertex 1\n{head}end_header\n"
    row = ["1"] * len(names)
    assert len(load_ply(write(tmp_path, "a.ply", text + " ".join(row))).means) == 1
    row[5] = value
    with pytest.raises(ValueError, match=r"a.ply: .*finite numbers, got nz"):
        load_ply(write(tmp_path, "a.ply", text + " ".join(row)))
