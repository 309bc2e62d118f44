"""How good the live cells of notebook 05 are after 15 and 60 seconds of processor time.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_reconstruction.py voxels [seconds ...]

The reference of the issue is a plain 1.8 M-parameter voxel decoder on one core: IoU .30 and F .58
after 15 seconds, IoU .55 and F .89 after 60. Here the schedule ends at the given seconds, as in the
notebook. 1,600 training shapes of four views, 24 test shapes; the data go to ./.cache.
"""

import sys
import time
from pathlib import Path

import torch

from course_lib.authoring.checkpoints import RECIPES
from course_lib.data.single_view import SingleView
from course_lib.reconstruction import FromImage, training
from course_lib.reconstruction.score import by_network, score


def run(kind: str, seconds: float, data: SingleView, test: SingleView) -> None:
    torch.manual_seed(0)
    network = FromImage(training.DECODERS[kind]())
    peak, count, _ = RECIPES[kind]
    optimizer = torch.optim.AdamW(network.parameters(), lr=peak, weight_decay=1e-2)
    begun, steps = time.process_time(), 0
    while (spent := time.process_time() - begun) < seconds:
        optimizer.param_groups[0]["lr"] = training.warm_then_cosine(spent, seconds, peak)
        loss = training.STEPS[kind](network, data.batch(torch.randint(len(data), (count,))))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps += 1
    network.eval()
    scores = {name: round(v, 3) for name, v in score(by_network(network), test, range(24)).items()}
    print(f"{kind} after {spent:.0f} s of processor time, {steps} steps: {scores}", flush=True)


def main() -> None:
    torch.set_num_threads(1)
    data = SingleView.generate("train", 1600, cache=Path(".cache"))
    test = SingleView.generate("test", 24, views=1, points=4096)
    kinds = [sys.argv[1]] if len(sys.argv) > 1 else ["voxels", "points", "implicit"]
    for kind in kinds:
        for seconds in [float(x) for x in sys.argv[2:]] or [15.0, 60.0]:
            run(kind, seconds, data, test)


if __name__ == "__main__":
    main()
