"""Mutated files of every reader: only ValueError, no hang, no silent non-finite result.

200 files in a plain run; `COURSE_FUZZ=2000` for more. Each reader's share runs in a process of its
own with 1 GB of address space over what the libraries take, so that a file cannot claim all memory.
"""

import json
import multiprocessing
import os
import resource
import signal
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib import meshes
from course_lib.cameras import look_at, to_llff

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
    names = ["a.xyz", "a.binvox", "a.png", "a.jpg", "transforms.json", "llff/poses_bounds.npy"]
    names += ["colmap/sparse/0/cameras.txt", "colmap/sparse/0/images.txt"]
    return found | {name: folder / name for name in names}


def read(path: Path) -> list[torch.Tensor]:
    """What the reader of this kind of file gives."""
    from course_lib.data.photo import load_photo
    from course_lib.data.scenes import load_scene
    from course_lib.points import load_cloud
    from course_lib.voxels import load_binvox

    if path.suffix in (".obj", ".off", ".stl"):
        mesh = meshes.load_mesh(path)
        return [mesh.vertices]
    if path.suffix == ".ply":
        return [load_cloud(path)[0], meshes.load_mesh(path).vertices]
    if path.suffix == ".xyz":
        return [part for part in load_cloud(path) if part is not None]
    if path.suffix == ".binvox":
        binvox = load_binvox(path)
        return [torch.tensor([*binvox.translate, binvox.scale])]
    if path.suffix in (".png", ".jpg"):
        return [load_photo(path)]
    roots = {".json": 0, ".npy": 0, ".txt": 2}
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


def fuzz(folder: Path, name: str, count: int, answer) -> None:
    """Runs in a process of its own; sends (read, refused, failures)."""
    torch.set_num_threads(1)
    path = seeds(folder)[name]
    whole, random = path.read_bytes(), np.random.default_rng(sum(name.encode()))
    read(path)  # everything is imported
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEGABYTES * 10**6,) * 2)
    good, refused, failures = 0, 0, []
    for number in range(count):
        path.write_bytes(mutated(whole, random))
        signal.alarm(SECONDS)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                parts = read(path)
            good += 1
            if not all(bool(part.isfinite().all()) for part in parts):
                failures.append((number, "not finite", path.read_bytes()[:300]))
        except (ValueError, FileNotFoundError) as error:
            refused += 1
            if str(folder) not in str(error):
                failures.append((number, f"names no file: {error}", path.read_bytes()[:300]))
        except BaseException as error:
            failures.append((number, f"{type(error).__name__}: {error}", path.read_bytes()[:300]))
        signal.alarm(0)
    answer.send((good, refused, failures))


def _too_long(*_):
    raise TimeoutError(f"longer than {SECONDS} s")


KINDS = ["obj", "off", "ply", "stl", "a.xyz", "a.binvox", "a.png", "a.jpg", "transforms.json"]
KINDS += ["llff/poses_bounds.npy", "colmap/sparse/0/cameras.txt", "colmap/sparse/0/images.txt"]


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
