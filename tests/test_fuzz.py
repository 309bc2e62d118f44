"""Mutated files of every reader: only ValueError, no hang, no silent non-finite result.

200 files in a plain run; `COURSE_FUZZ=2000` for more. Each reader's share runs in a process of its
own with 1 GB of address space over what the libraries take, so that a file cannot claim all memory.
"""

import json
import multiprocessing
import os
import resource
import shutil
import signal
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles import to_llff
from PIL import Image

from course_lib import meshes
from course_lib.cameras import look_at
from course_lib.data.photo import load_photo
from course_lib.data.scenes import load_scene
from course_lib.data.shapenet_folder import read_folder
from course_lib.points import load_cloud
from course_lib.splatting.files import load_ply, save_ply
from course_lib.splatting.gaussians import Gaussians
from course_lib.tabular import encode_frame, load_adult
from course_lib.voxels import load_binvox

KINDS = ["obj", "off", "ply", "stl", "a.xyz", "a.binvox", "a.png", "a.jpg", "transforms.json"]
KINDS += ["llff/poses_bounds.npy", "colmap/sparse/0/cameras.txt", "colmap/sparse/0/images.txt"]
KINDS += ["binary/sparse/0/cameras.bin", "binary/sparse/0/images.bin", "adult.csv", "splats.ply"]
KINDS += ["shapenet/03001627/m/rendering/rendering_metadata.txt", "shapenet"]
SHAPES = ((3,), (3,), (4,), (), (4, 3))  # of Gaussians
VALUES = [None, True, -1, 0, 1e-320, 1e38, float("inf"), "x", "", [], {}, [[1]], "../../a.png"]
CELLS = [b"", b"?", b"nan", b"-1", b"1e400", b"x", b'"', b'""', b"\xff", b">50K.", b"39.0", b"|"]
COUNT = int(os.environ.get("COURSE_FUZZ", "200"))
SECONDS, MEGABYTES = 10, 1000
TOKENS = [
    b"nan",
    b"inf",
    b"-1",
    b"0",
    b"1e400",
    b"999999999",
    b"null",
    b"\xff\xfe",
    b",",
    b"",
    b"\n",
]


def seeds(folder: Path) -> dict[str, Path]:
    """A whole file for each reader: the part that is mutated."""
    box = meshes.box()
    found = {}
    for ending in ("obj", "off", "ply", "stl"):
        found[ending] = folder / f"a.{ending}"
        meshes.save_mesh(box, found[ending])
    rows = "".join(f"{x} {y} {z}\n" for x, y, z in box.vertices.tolist())
    (folder / "a.xyz").write_text(rows)
    head = b"#binvox 1\ndim 4 4 4\ntranslate 0 0 0\nscale 1\ndata\n"
    (folder / "a.binvox").write_bytes(head + bytes([0, 30, 1, 4, 0, 30]))
    photo = Image.new("RGB", (16, 12), (255, 255, 255))
    photo.paste((9, 90, 200), (4, 3, 10, 9))
    photo.save(folder / "a.png")
    photo.save(folder / "a.jpg")
    for cells in (["39", "?", "9", "x"], ["40", "y", "8", "z"]):
        row = [*cells, "1", "a", "b", "c", "d", "e", "0", "0", "40", "f", ">50K"]
        with open(folder / "adult.csv", "a") as file:
            file.write(", ".join(row) + "\n")
    save_ply(folder / "splats.ply", Gaussians(*(torch.ones(2, *n) for n in SHAPES)))
    seed_scenes(folder)
    seed_shapenet(folder)
    return found | {name: folder / name for name in KINDS[4:]}


def seed_scenes(folder: Path) -> None:
    """transforms.json, LLFF, COLMAP as text and binary."""
    pose = look_at([1.0, 2.0, 3.0])
    lens = {"fl_x": 20.0, "cx": 8.0, "cy": 6.0, "w": 16, "h": 12, "k1": 0.01}
    frame = {"file_path": "a.png", "transform_matrix": pose.tolist()}
    (folder / "transforms.json").write_text(json.dumps({**lens, "frames": [frame]}))
    (folder / "llff/images").mkdir(parents=True)
    Image.new("RGB", (16, 12)).save(folder / "llff/images/a.png")
    table = to_llff(pose[None], torch.tensor([[12.0, 16, 20]]), torch.tensor([[2.0, 9]]))
    np.save(folder / "llff/poses_bounds.npy", table)
    (folder / "colmap/sparse/0").mkdir(parents=True)
    (folder / "colmap/images").mkdir()
    Image.new("RGB", (16, 12)).save(folder / "colmap/images/a.png")
    (folder / "colmap/sparse/0/cameras.txt").write_text("1 PINHOLE 16 12 20 20 8 6\n")
    (folder / "colmap/sparse/0/images.txt").write_text("1 1 0 0 0 0 0 5 1 a.png\n\n")
    binary = folder / "binary/sparse/0"
    binary.mkdir(parents=True)
    Image.new("RGB", (16, 12)).save(folder / "binary/a.png")
    (binary / "cameras.bin").write_bytes(struct.pack("<QiiQQ4d", 1, 1, 1, 16, 12, 20, 20, 8, 6))
    image = struct.pack("<Qi7di", 1, 1, 1, 0, 0, 0, 0, 0, 5, 1) + b"a.png\0"
    (binary / "images.bin").write_bytes(image + struct.pack("<Qddq", 1, 3, 4, -1))


def seed_shapenet(folder: Path) -> None:
    """One model with two pictures."""
    model = folder / "shapenet/03001627/m"
    (model / "rendering").mkdir(parents=True)
    meshes.save_mesh(meshes.box(), model / "model.obj")
    (model / "model.binvox").write_bytes((folder / "a.binvox").read_bytes())
    for view in range(2):
        Image.new("RGBA", (16, 16), "red").save(model / f"rendering/{view:02}.png")
    (model / "rendering/rendering_metadata.txt").write_text("0 30 0 0.8 25\n90 30 0 0.8 25\n")


def read(path: Path) -> list[torch.Tensor]:
    """What the reader of this kind of file gives."""
    if path.suffix in (".obj", ".off", ".stl"):
        mesh = meshes.load_mesh(path)
        return [mesh.vertices]
    if path.name == "splats.ply":
        return list(load_ply(path))
    if path.suffix == ".ply":
        return [load_cloud(path)[0], meshes.load_mesh(path).vertices]
    if path.suffix == ".xyz":
        return [part for part in load_cloud(path) if part is not None]
    if path.suffix == ".binvox":
        binvox = load_binvox(path)
        return [torch.tensor([*binvox.translate, binvox.scale])]
    if path.suffix in (".png", ".jpg"):
        return [load_photo(path)]
    if path.name == "adult.csv":
        frame, labels = load_adult(path)
        return [encode_frame(frame, frame), labels]
    if path.is_dir() or "shapenet" in path.parts:
        root = path if path.is_dir() else path.parents[3]
        return list(
            read_folder(root, size=16, views=2, points=64).batch(torch.tensor([0])).values()
        )
    roots = {".json": 0, ".npy": 0, ".txt": 2, ".bin": 2}
    scene = load_scene(path.parents[roots[path.suffix]], "all")
    return [scene.camera_to_world, scene.intrinsics, scene.distortion]


def mutated(data: bytes, random: np.random.Generator) -> bytes:
    for _ in range(random.integers(1, 4)):
        at, kind = int(random.integers(0, len(data) + 1)), random.integers(0, 5)
        if kind == 0:
            data = data[:at]
        elif kind == 1:
            data = data[:at] + bytes(random.integers(0, 256, 4, dtype=np.uint8)) + data[at + 4 :]
        elif kind == 2:
            data = data[:at] + data[at + int(random.integers(1, 20)) :]
        elif kind == 3:
            token = TOKENS[random.integers(0, len(TOKENS))]
            end = next((i for i in range(at, len(data)) if data[i : i + 1] in b" ,\n]"), len(data))
            data = data[:at] + token + data[end:]
        else:
            data = data[:at] + data[max(0, at - 30) : at] + data[at:]
    return data


def mutated_json(data: bytes, random: np.random.Generator) -> bytes:
    """One to three values, at any depth, become another, go, or are there twice."""
    content = json.loads(data)
    for _ in range(random.integers(1, 4)):
        places: list[tuple] = []
        collect(content, places)
        holder, key = places[random.integers(0, len(places))]
        if key not in (holder if isinstance(holder, dict) else range(len(holder))):
            continue
        kind = random.integers(0, 4)
        if kind == 0:
            del holder[key]
        elif kind == 1:
            holder[key] = [holder[key], holder[key]]
        elif kind == 2 and isinstance(holder, list):
            holder.append(holder[key])
        else:
            holder[key] = VALUES[random.integers(0, len(VALUES))]
    return json.dumps(content).encode()


def collect(content, places: list[tuple]) -> None:
    """(holder, key) of every value in lists and dictionaries."""
    keys = list(content) if isinstance(content, dict) else range(len(content))
    for key in keys:
        places.append((content, key))
        if isinstance(content[key], (dict, list)):
            collect(content[key], places)


def mutated_cells(data: bytes, random: np.random.Generator) -> bytes:
    """One to three cells of a table become another, go, or are there twice; so do lines."""
    rows = [line.split(b",") for line in data.splitlines()]
    for _ in range(random.integers(1, 4)):
        row = rows[random.integers(0, len(rows))]
        at, kind = int(random.integers(0, len(row))), random.integers(0, 5)
        if kind == 0 and len(row) > 1:
            del row[at]
        elif kind == 1:
            row.insert(at, row[at])
        elif kind == 2:
            rows.append(list(row))
        else:
            row[at] = CELLS[random.integers(0, len(CELLS))]
    return b"\n".join(b",".join(row) for row in rows) + b"\n"


def mutated_folder(folder: Path, random: np.random.Generator) -> None:
    """One to three files go, are cut, change their names or contents, or become folders."""
    for _ in range(random.integers(1, 4)):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if not files:
            return
        one, other = (files[random.integers(0, len(files))] for _ in range(2))
        kind = random.integers(0, 6)
        if kind == 0:
            one.unlink()
        elif kind == 1:
            one.write_bytes(one.read_bytes()[: random.integers(0, 200)])
        elif kind == 2:
            one.rename(one.with_name(f"{random.integers(0, 4):02}{one.suffix}"))
        elif kind == 3:
            one.write_bytes(other.read_bytes())
        elif kind == 4:
            one.unlink()
            one.mkdir()
        else:
            shutil.copytree(
                one.parent, one.parent.with_name(f"c{random.integers(0, 99)}"), dirs_exist_ok=True
            )


def mutate(path: Path, whole, random: np.random.Generator) -> None:
    """Write a mutation of what was there."""
    if path.suffix == "":
        shutil.rmtree(path)
        shutil.copytree(whole, path)
        mutated_folder(path, random)
    elif path.suffix in (".json", ".csv") and random.integers(0, 2):
        deep = mutated_json if path.suffix == ".json" else mutated_cells
        path.write_bytes(deep(whole, random))
    else:
        path.write_bytes(mutated(whole, random))


def fuzz(folder: Path, name: str, count: int, answer) -> None:
    """Runs in a process of its own; sends (read, refused, failures)."""
    torch.set_num_threads(1)
    path = seeds(folder)[name]
    random = np.random.default_rng(sum(name.encode()))
    whole = shutil.copytree(path, folder / "whole") if path.is_dir() else path.read_bytes()
    read(path)  # everything is imported
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEGABYTES * 10**6,) * 2)
    good, refused, failures = 0, 0, []
    for number in range(count):
        mutate(path, whole, random)
        signal.alarm(SECONDS)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                parts = read(path)
            good += 1
            if not all(bool(part.isfinite().all()) for part in parts):
                failures.append((number, "not finite", content(path)))
        except (ValueError, FileNotFoundError) as error:
            refused += 1
            if str(folder) not in str(error) and "column '" not in str(error):
                failures.append((number, f"names no file: {error}", content(path)))
        except BaseException as error:
            failures.append((number, f"{type(error).__name__}: {error}", content(path)))
        signal.alarm(0)
    answer.send((good, refused, failures))


def content(path: Path) -> list[str] | bytes:
    """What a failure shows: the beginning of a file, or the files of a folder."""
    if path.is_dir():
        return sorted(str(file.relative_to(path)) for file in path.rglob("*"))
    return path.read_bytes()[:300]


def _too_long(*_):
    raise TimeoutError(f"longer than {SECONDS} s")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="limits memory as Linux does")
@pytest.mark.parametrize("name", KINDS)
def test_a_mutated_file_is_read_or_refused_in_words(tmp_path, name):
    ours, theirs = multiprocessing.get_context("fork").Pipe(duplex=False)
    signal.signal(signal.SIGALRM, _too_long)
    count = -(-COUNT // len(KINDS))
    child = multiprocessing.get_context("fork").Process(
        target=fuzz, args=(tmp_path, name, count, theirs)
    )
    child.start()
    theirs.close()
    try:
        good, refused, failures = ours.recv()
    except EOFError:
        pytest.fail("the reader ended the process")
    finally:
        child.join()
    print(f"{name}: {good} read, {refused} refused")
    assert failures == [] and good + refused == count
