"""PSNR against seconds of the grid, the hash field, splats and two networks, on one scene, in one run.

    python tests/benchmarks/bench_nerf.py [--fields voxels hash small paper] [--seconds 10 30 120]
        [--network-seconds 300] [--device cuda] [--folder FOLDER | --toys SEED]
    python tests/benchmarks/bench_nerf.py --clock [--fields voxels splats] [--seconds 10 30 60 120]

--clock trains as a notebook does: a field for each number of seconds, by the clock, with as many threads
as the course uses, scored on whole test photographs.

--toys makes a scene of its own, other than the shipped one and of 36 views only (about a minute): more
seconds must not make a field worse there.

Seconds are CPU seconds of the training thread on a CPU (with one thread, so that a busy machine does
not disturb them), wall seconds on a GPU. The curve is the PSNR of 4,096 pixels drawn from all test
photographs (the paper's network would need minutes for each whole one); the clock stands still
meanwhile. The last table says how much sooner the fast field is as good as a network.
"""

import argparse
import math
import platform
import time

import torch

from course_lib import nerf, shapes, splatting
from course_lib.authoring import desk, scene
from course_lib.cameras import spherical_cameras
from course_lib.data.photographs import Photographs, over
from course_lib.data.scenes import load_scene
from course_lib.nerf.pixels import seen_by

MARKS = (10, 30, 60, 120, 300)
EARLY = (1, 2, 3, 5, 7)  # of the fast field only
SMALL = {"width": 64, "depth": 4, "coarse": 12, "fine": 12, "batch": 768}
SMALL |= {"learning_rate": 5e-3, "position_frequencies": 6}
FAST = {"hash": nerf.HashField, "voxels": nerf.VoxelField, "splats": splatting.SplatField}
NETWORKS = {"small": ("network 4 x 64", SMALL), "paper": ("network 8 x 256 (paper)", {})}


def toys(seed):
    """Fourteen glossy, patterned things in the air: the parts of a scene, as `desk.parts` gives them."""
    generator = torch.Generator().manual_seed(seed)
    for index in range(14):
        center = (1.3 * torch.rand(3, generator=generator) - 0.65).tolist()
        radius, gloss = (torch.rand(2, generator=generator) * torch.tensor([0.16, 0.9])).tolist()
        size = 0.1 + radius
        colors = [desk.plain(*color) for color in torch.rand(2, 3, generator=generator).tolist()]
        pattern = (desk.stripes(index % 3, 0.1, 0.04), desk.chequer(0.1))[index % 2]
        solid = (
            shapes.sphere(size),
            shapes.torus(size, 0.05),
            shapes.rounded_box(1.5 * size, 0.02),
        )
        turned = shapes.rotate(solid[index % 3], index % 2, 37.0 * index)
        yield desk.Part(shapes.translate(turned, center), desk.blend(*colors, pattern), gloss)


def made(parts, count, elevation):
    """Photographs of other parts than the desk's."""
    desk.parts, cameras = (
        (lambda: parts),
        spherical_cameras(count, scene.RADIUS, elevation=elevation),
    )
    images = torch.stack([scene.photograph(camera) for camera in cameras])
    focal = scene.SIZE / (2 * math.tan(scene.FIELD_OF_VIEW / 2))
    intrinsics = torch.tensor([focal, focal, scene.SIZE / 2, scene.SIZE / 2]).expand(count, 4)
    return Photographs(
        images, cameras, intrinsics, torch.zeros(count, 4), tuple(map(str, range(count)))
    )


class Marks:
    """Test PSNR at fixed seconds of training."""

    def __init__(self, field, test, marks):
        self.field, self.marks, self.paused, self.at = field, marks, 0.0, {}
        self.now = time.perf_counter if test.images.is_cuda else time.thread_time
        generator = torch.Generator().manual_seed(0)
        pixel = torch.randint(test.images[..., 0].numel(), (4096,), generator=generator)
        self.test, self.pixel = test, pixel.to(test.images.device)
        self.target = over(seen_by(test, self.pixel)[1], field.background)

    def clock(self):
        """Seconds of training."""
        return self.now() - self.paused

    def __call__(self, step, seconds):
        """Measure at the first step after each mark."""
        due = [mark for mark in self.marks if mark <= seconds and mark not in self.at]
        if due:
            started = self.now()
            each = self.field.supersample
            rays, _ = seen_by(self.test, self.pixel, supersample=each)
            shown = self.field.render_rays(rays).color.unflatten(0, (-1, each**2)).mean(1)
            score = nerf.psnr(shown[None], self.target[None]).item()
            self.at |= {mark: score for mark in due}
            self.paused += self.now() - started
            print(f"  {due[-1]:4d} s: {score:.2f} dB, {step} steps", flush=True)


def curve(name, field, scene, test, seconds, marks=MARKS):
    """Train, print the curve, return {mark: PSNR}."""
    print(f"{name}, one training of {seconds:g} s", flush=True)
    marks = Marks(field, test, marks)
    nerf.train(field, scene, seconds=seconds + 0.5, on_step=marks, clock=marks.clock)
    return marks.at


def by_the_clock(make, photos, test, seconds):
    """Train as a notebook does, print the scores and how long a photograph takes."""
    field = make(photos)
    reached = nerf.train(field, photos, seconds=seconds)
    score, started = nerf.evaluate(field, test), time.perf_counter()
    for index in range(len(test)):
        field.view(test, index)
    rate = len(test) / (time.perf_counter() - started)
    steps = reached.steps[-1]
    print(f"{make.__name__} {seconds:g} s: {steps} steps, {score}, {rate:.1f} frames/s", flush=True)


def ratios(fast, network):
    """Of each of the network's marks: its seconds / those of the fast field's first mark as good."""
    for seconds, score in network.items():
        as_good = [mark for mark in sorted(fast) if fast[mark] >= score]
        if as_good:
            print(
                f"  {score:.2f} dB: {seconds} s / {as_good[0]} s = {seconds / as_good[0]:.0f} times"
            )


def main():
    """All curves, and what they say about each other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fields", nargs="*", default=["voxels", "hash", "small", "paper"])
    parser.add_argument("--seconds", type=float, nargs="*", default=[10, 30, 120])
    parser.add_argument("--network-seconds", type=float, default=300)
    parser.add_argument("--clock", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder")
    parser.add_argument("--toys", type=int)
    options = parser.parse_args()
    if not options.clock:
        torch.set_num_threads(1)
    if options.toys is None:
        views = [load_scene(options.folder, split) for split in ("train", "test")]
    else:
        parts = tuple(toys(options.toys))
        views = [made(parts, 36, (-12.0, 80.0)), made(parts, 8, (-5.0, 72.0))]
    photos, test = (view.to(options.device) for view in views)
    where = torch.cuda.get_device_name() if options.device == "cuda" else platform.processor()
    print(f"{where}; {len(photos)} photographs of {photos.size}")
    if options.clock:
        for kind, make in FAST.items():
            for seconds in options.seconds if kind in options.fields else ():
                by_the_clock(make, photos, test, seconds)
        return
    for kind in ("hash", "voxels"):
        make, fast = FAST[kind], {}  # at last those of the grid
        for seconds in options.seconds if kind in options.fields else ():
            field = make(photos)
            fast = curve(make.__name__, field, photos, test, seconds, EARLY + MARKS) | fast
            print("  whole photographs:", nerf.evaluate(field, test), flush=True)
    for key in set(NETWORKS).intersection(options.fields):
        name, settings = NETWORKS[key]
        network = nerf.MLPField(photos, **settings)
        ratios(fast, curve(name, network, photos, test, options.network_seconds))


if __name__ == "__main__":
    main()
