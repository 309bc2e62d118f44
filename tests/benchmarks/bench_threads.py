"""Steps that a timed training makes, by how OpenMP's threads wait, on a quiet machine and a busy one.

    python tests/benchmarks/bench_threads.py --seconds 10

Every row trains the grid of the shipped scene in a fresh process: with one thread, with spin counts of
GNU's OpenMP (how often a thread looks for work before it sleeps), and with what `Budget` does besides
for timed loops: trying one and all. "n busy" has n endless loops beside it.
"""

import argparse
import os
import subprocess
import sys
import time

SETTINGS = {
    "spin count 300,000, OpenMP's own": {"GOMP_SPINCOUNT": "300000"},
    "one thread": {"OMP_NUM_THREADS": "1"},
    "spin count 2,000, the course's": {"GOMP_SPINCOUNT": "2000"},
    "spin count 10,000": {"GOMP_SPINCOUNT": "10000"},
    "passive, no spin": {"OMP_WAIT_POLICY": "passive"},
    "the course's, and one or all tried by Budget": {},
}


def child(seconds: float, tried: bool) -> None:
    """Train and print the steps."""
    from course_lib import nerf, running
    from course_lib.data.scenes import load_scene

    if not tried:
        running.Threads.after_step = lambda self, took, now: None
    photos, steps = load_scene(), 0

    def count(*_) -> None:
        nonlocal steps
        steps += 1

    field = nerf.VoxelField(photos)
    nerf.train(field, photos, seconds=seconds, on_step=count)
    print("steps", steps)


def steps_of(name: str, seconds: float) -> int:
    """The steps of one setting."""
    command = [sys.executable, __file__, "--child", name, "--seconds", str(seconds)]
    result = subprocess.run(
        command, env=os.environ | SETTINGS[name], capture_output=True, text=True, check=True
    )
    return int(result.stdout.split("steps")[-1])


def main() -> None:
    """A table: settings, and steps for each number of busy processes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--busy", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--child", choices=SETTINGS)
    options = parser.parse_args()
    if options.child:
        child(options.seconds, "tried" in options.child)
        return
    print("| threads |" + "".join(f" {n} busy |" for n in options.busy))
    print("|---|" + "---|" * len(options.busy))
    found: dict[str, list[int]] = {name: [] for name in SETTINGS}
    for number in options.busy:
        others = [
            subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)
        ]
        time.sleep(1.0)
        for name in SETTINGS:
            found[name].append(steps_of(name, options.seconds))
        for other in others:
            other.kill()
    for name, row in found.items():
        print(f"| {name} |" + "".join(f" {steps:,} |" for steps in row))


if __name__ == "__main__":
    main()
