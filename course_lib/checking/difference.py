"""What a difference is, and values as short texts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

SHOWN = 6
"""Numbers of a tensor that a message shows."""
AROUND = 25
"""Characters of a text that a message shows on either side of the first difference."""


@dataclass(frozen=True)
class Difference:
    """Where two outcomes part: a kind, a sentence, and the two sides as short texts."""

    kind: str
    text: str
    expected: str = ""
    got: str = ""


def show(value: Any) -> str:
    """A short text of a frozen value, with its shape where it is long."""
    if not isinstance(value, (torch.Tensor, np.ndarray)):
        return repr(value)[:120]
    flat = torch.as_tensor(value).detach().cpu().reshape(-1)
    numbers = ", ".join(f"{number:.5g}" for number in flat[:SHOWN].tolist())
    if flat.numel() <= SHOWN:
        return f"[{numbers}]" if value.ndim else numbers
    return f"[{numbers}, …] of shape {tuple(value.shape)}"


def text_difference(want: str, have: str, where: str) -> Difference | None:
    """Where two texts part: the characters around the first difference."""
    if want == have:
        return None
    pairs = enumerate(zip(want, have, strict=False))
    first = next((i for i, (a, b) in pairs if a != b), min(len(want), len(have)))
    start = max(first - AROUND, 0)
    part = lambda text: ("…" if start else "") + text[start : first + AROUND]  # noqa: E731
    remark = _text_remark(want, have)
    text = f"{where} is another text from character {first + 1} on{remark}"
    return Difference("value", text, repr(part(want)), repr(part(have)))


def _text_remark(want: str, have: str) -> str:
    if "".join(want.split()) == "".join(have.split()):
        return "; only blanks and line ends differ"
    if want.casefold() == have.casefold():
        return "; only capital letters differ"
    if want.startswith(have):
        return f"; {want[len(have) :]!r:.40} is missing at the end"
    if have.startswith(want):
        return f"; {have[len(want) :]!r:.40} is too much at the end"
    if sorted(want.splitlines()) == sorted(have.splitlines()):
        return "; the lines are right, their order is not"
    return ""
