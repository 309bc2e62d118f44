"""One training loop for every field."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from course_lib.data.photographs import Photographs, over
from course_lib.nerf.field import Field
from course_lib.nerf.images import psnr, ssim
from course_lib.nerf.pixels import PixelSource
from course_lib.running import Budget


@dataclass
class History:
    """What the training saw: for each noted step its number, the seconds spent, and the loss."""

    steps: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)


def train(
    model: Field,
    scene: Photographs,
    *,
    seconds: float,
    steps: int | None = None,
    least: int = 0,
    generator: torch.Generator | None = None,
    on_step: Callable[[int, float], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
    label: str = "training",
) -> History:
    """Fit a field to photographs for some seconds (of `clock`) or steps, whichever ends first.

    But for at least `least` steps, however busy the machine is.

    Minimises the squared difference between rendered and photographed colours of random pixels. An
    interrupt (the stop button) ends it early: the field stays usable, and calling again goes on.
    `on_step(step, seconds)` is called after each step.
    """
    device = model.background.device
    generator = generator or torch.Generator(device).manual_seed(0)
    pixels = PixelSource(scene.to(device))
    history, begun, start = History(), clock(), model.progress
    by_bar = clock is time.perf_counter and least == 0
    bar = Budget(steps, seconds=seconds if by_bar else 1e9, label=label)
    for step in bar:
        spent = (clock() - begun) / seconds if step else 0.0  # so that steps alone set the pace
        done = min(spent, step / least) if least else spent
        done = max(done, step / steps) if steps else done
        if done >= 1:
            bar.state = "done"
            break
        model.prepare(start + (1 - start) * done)
        loss = model.learn(pixels, generator)
        if step % 10 == 0:
            history.steps.append(step)
            history.seconds.append(clock() - begun)
            history.losses.append(loss.item())
            bar.say(f"loss {history.losses[-1]:.4f}", done)
        if on_step is not None:
            on_step(step, clock() - begun)
    return history


def evaluate(model: Field, scene: Photographs) -> dict[str, float]:
    """Mean PSNR and SSIM over the photographs of a scene that the field has not seen."""
    scene = scene.to(model.background.device)
    scores: dict[str, list[Tensor]] = {"psnr": [], "ssim": []}
    for index in range(len(scene)):
        shown = model.view(scene, index).color
        target = over(scene.images[index].float() / 255, model.background)
        scores["psnr"].append(psnr(shown, target))
        scores["ssim"].append(ssim(shown, target))
    return {name: torch.stack(values).mean().item() for name, values in scores.items()}


class Curve:
    """PSNR on some photographs while a field trains: pass it as `on_step`, its `clock` as `clock`.

    The first step is measured in any case, so that a training that was stopped at once has a curve. The
    clock stands still while the curve is measured, so that only training counts.
    """

    def __init__(self, model: Field, scene: Photographs, *, every: float = 2.0):
        self.model, self.scene, self.every = model, scene, every
        self.seconds: list[float] = []
        self.psnr: list[float] = []
        self._paused, self._next = 0.0, every

    def clock(self) -> float:
        """Seconds, without those spent on measuring."""
        return time.perf_counter() - self._paused

    def __call__(self, step: int, seconds: float) -> None:
        """Measure, if it is time."""
        if self.seconds and seconds < self._next:
            return
        started = time.perf_counter()
        self.seconds.append(seconds)
        self.psnr.append(evaluate(self.model, self.scene)["psnr"])
        self._next = seconds + self.every
        self._paused += time.perf_counter() - started
