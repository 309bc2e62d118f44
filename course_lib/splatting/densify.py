"""More Gaussians where they count, none where they show nothing (Kheradmand et al. 2024)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.cameras import quaternion_to_matrix
from course_lib.splatting.gaussians import Gaussians

DEAD = 0.02  # opacities below it show nothing
GROWTH = 1.3  # how many times as many Gaussians there may be after each round


def split_in_two(opacity: Float[Tensor, "n"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
    """Opacity and relative size of two equal Gaussians in the place of one, so that little changes.

    At the centre two must cover what one did: 1 - (1 - o')² = o. The size keeps the total: along a line
    through both the integral of 1 - (1 - o' G)² = 2 o' G - o'² G², with G² a Gaussian narrower by √2, is
    (2 o' - o'²/√2) times that of G; so the size is o / (2 o' - o'²/√2) (Kheradmand et al. 2024, eq. 9).

    >>> split_in_two(torch.tensor([0.75]))
    (tensor([0.5000]), tensor([0.9111]))
    """
    half = 1 - (1 - opacity).sqrt()
    return half, opacity / (2 * half - half**2 / 2**0.5)


@torch.no_grad()
def densify(
    gaussians: Gaussians, most: int, generator: torch.Generator
) -> tuple[Gaussians, Int[Tensor, "m"], int]:
    """Drop dead Gaussians and split others, chosen by their opacity, up to `most` in all.

    Returns the new Gaussians, the row that each one comes from, and how many of the first of them are
    as they were. The two halves lie on a random line through the old centre.
    """
    opacity = gaussians.opacities
    alive = (opacity > DEAD).nonzero()[:, 0]
    room = min(most, int(GROWTH * len(opacity))) - len(alive)
    wait = torch.empty_like(opacity[alive]).exponential_(generator=generator) / opacity[alive]
    picked = wait.topk(min(max(room, 0), len(alive)), largest=False).indices  # without replacement
    untouched = torch.ones_like(alive, dtype=torch.bool)
    untouched[picked] = False
    old = Gaussians(*(x[alive[picked]] for x in gaussians))
    half, size = split_in_two(old.opacities.clamp(max=1 - 1e-4))
    axes = quaternion_to_matrix(old.quaternions) * old.log_scales.exp()[:, None]
    noise = torch.randn(len(half), 3, 1, generator=generator, device=half.device)
    offset = 0.5 * (axes @ noise)[..., 0]
    split = old._replace(
        opacity_logits=half.logit(), log_scales=old.log_scales + size.log()[:, None]
    )
    first, second = (split._replace(means=old.means + sign * offset) for sign in (1, -1))
    kept = Gaussians(*(x[alive[untouched]] for x in gaussians))
    index = torch.cat([alive[untouched], alive[picked], alive[picked]])
    return Gaussians(*map(torch.cat, zip(kept, first, second, strict=True))), index, len(kept.means)
