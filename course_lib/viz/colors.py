"""Colours that colour-blind readers can tell apart (Okabe and Ito), and a scale from dark to bright."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "triangle-down")

Number = int | float
Color = str | Sequence[Number]


def rgb(color: Color) -> tuple[float, float, float]:
    """A colour as three numbers in [0, 1], from "#rrggbb" or three such numbers.

    >>> rgb("#ff0000")
    (1.0, 0.0, 0.0)
    """
    if isinstance(color, str):
        if len(color) != 7 or color[0] != "#":
            raise ValueError(f'expected a colour like "#0072B2", got {color!r}')
        red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return red, green, blue
    values = tuple(float(value) for value in color)
    if len(values) != 3 or not all(0 <= value <= 1 for value in values):
        raise ValueError(f"expected three numbers in [0, 1] as a colour, got {color}")
    return values


def hexadecimal(color: Color) -> int:
    """A colour as one integer 0xRRGGBB, as k3d takes it.

    >>> hex(hexadecimal("#0072B2"))
    '0x72b2'
    """
    red, green, blue = (round(255 * value) for value in rgb(color))
    return red << 16 | green << 8 | blue


def cycle(index: int) -> str:
    """The palette's colour number `index`, starting anew after the last.

    >>> cycle(8) == cycle(0)
    True
    """
    return PALETTE[index % len(PALETTE)]


def colormap(
    values: Float[Tensor, "*n"], low: Number | None = None, high: Number | None = None
) -> Float[Tensor, "*n 3"]:
    """Numbers as colours, from dark blue (low) over teal to yellow (high), darker is always less.

    `low` and `high` default to the least and greatest value; beyond them the end colours are used.
    `ValueError` for NaN or no values.

    >>> colormap(torch.tensor([0.0, 1.0]))[0].tolist() == colormap(torch.tensor([0.0]), 0, 9)[0].tolist()
    True
    """
    if values.numel() == 0 or not values.isfinite().all():
        raise ValueError("expected at least one value and no NaN or infinity to colour")
    low = values.min().item() if low is None else low
    high = values.max().item() if high is None else high
    stops = torch.tensor([rgb(c) for c in ("#00204D", "#31688E", "#35A28A", "#A5C94A", "#FDE725")])
    place = ((values - low) / max(high - low, 1e-12)).clamp(0, 1).float().cpu() * (len(stops) - 1)
    left = place.floor().clamp(max=len(stops) - 2).long()
    share = (place - left)[..., None]
    return stops[left] * (1 - share) + stops[left + 1] * share
