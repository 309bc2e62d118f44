"""PSNR against seconds of the fast field and of the paper's network, on the shipped scene, in one run.

    python tests/benchmarks/bench_nerf.py [--seconds 120] [--mlp-seconds 300] [--device cuda]

Seconds are CPU seconds of the training thread on a CPU (with one thread, so that a busy machine does
not disturb them), wall seconds on a GPU. `--folder` takes another scene of a known layout.
"""

import argparse
import platform
import time

import torch

from course_lib import nerf
from course_lib.data.scenes import load_scene

MARKS = (10, 30, 60, 120, 300)


class Marks:
    """Test PSNR at fixed seconds of training; the clock stands still meanwhile."""

    def __init__(self, field, test, device):
        self.field, self.test, self.paused, self.at = field, test, 0.0, {}
        self.now = time.perf_counter if device == "cuda" else time.thread_time

    def clock(self):
        """Seconds of training."""
        return self.now() - self.paused

    def __call__(self, step, seconds):
        """Measure at the first step after each mark."""
        due = [mark for mark in MARKS if mark <= seconds and mark not in self.at]
        if due:
            started = self.now()
            score = nerf.evaluate(self.field, self.test)
            self.at |= {mark: score for mark in due}
            self.paused += self.now() - started
            text = f"{score['psnr']:.2f} dB, SSIM {score['ssim']:.3f}"
            print(f"  {due[-1]:4d} s: {text}, {step} steps", flush=True)


def curve(name, field, scene, test, seconds):
    """Train, print the curve, return {mark: scores}."""
    print(f"{name}, one training of {seconds} s", flush=True)
    device = scene.images.device.type
    marks = Marks(field, test, device)
    nerf.train(field, scene, seconds=seconds + 0.5, on_step=marks, clock=marks.clock)
    return marks.at


def main():
    """Both curves, and what they say about each other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, nargs="*", default=[10, 30, 120])
    parser.add_argument("--mlp-seconds", type=float, default=300)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder")
    options = parser.parse_args()
    torch.set_num_threads(1)
    scene, test = (load_scene(options.folder, s).to(options.device) for s in ("train", "test"))
    where = torch.cuda.get_device_name() if options.device == "cuda" else platform.processor()
    print(f"{where}; {len(scene)} photographs of {scene.size}")
    for seconds in options.seconds:
        curve("sparse voxel grid", nerf.VoxelField(scene), scene, test, seconds)
    if options.mlp_seconds:
        small = {"width": 64, "depth": 4, "coarse": 12, "fine": 12, "batch": 768}
        small |= {"learning_rate": 5e-3, "position_frequencies": 6}
        for name, settings in (("network 4 x 64", small), ("network 8 x 256 (paper)", {})):
            field = nerf.MLPField(scene, **settings)
            curve(name, field, scene, test, options.mlp_seconds)


if __name__ == "__main__":
    main()
