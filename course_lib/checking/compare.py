"""Two outcomes compared, within a tolerance, and the difference said in words."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from course_lib.checking.outcome import Outcome
from course_lib.exercises.exercise import Tolerance

SHOWN = 6
"""Numbers of a tensor that a message shows."""
ROUNDING = 5e-6
"""What sums in another order may change, as a share of a tensor's largest number."""


@dataclass(frozen=True)
class Difference:
    """Where two outcomes part: a kind, a sentence, and the two sides as short texts."""

    kind: str
    text: str
    expected: str = ""
    got: str = ""


def difference(expected: Outcome, got: Outcome, tolerance: Tolerance) -> Difference | None:
    """The first difference that matters, or None where the outcomes agree."""
    if expected.failure or got.failure:
        return _failures(expected, got)
    found = _values(expected.value, got.value, tolerance, "the result")
    if found is None and expected.changed != got.changed:
        names = ", ".join(str(position + 1) for position in got.changed) or "none"
        found = Difference("mutation", f"your function modified its inputs (argument {names})")
    if found is None:
        found = _gradients(expected.gradients, got.gradients, tolerance)
    return found


def agree(expected: Outcome, got: Outcome, tolerance: Tolerance) -> bool:
    """True where `difference` finds nothing."""
    return difference(expected, got, tolerance) is None


def _failures(expected: Outcome, got: Outcome) -> Difference | None:
    wanted, failure = expected.failure, got.failure
    if failure is None:
        kind = wanted.kind if wanted else ""
        return Difference("no exception", f"it should raise {kind}", kind, show(got.value))
    if wanted is None:
        where = f" at {failure.line}" if failure.line else ""
        return Difference("exception", f"it raised {failure.kind}: {failure.text}{where}")
    if wanted.kind == failure.kind:
        return None
    return Difference("exception", "it raised another error", wanted.kind, failure.kind)


def _values(expected: Any, got: Any, tolerance: Tolerance, where: str) -> Difference | None:
    if isinstance(expected, (torch.Tensor, np.ndarray)) or isinstance(got, torch.Tensor):
        return _tensors(expected, got, tolerance, where)
    if _is_number(expected) and _is_number(got) and type(expected) is not bool:
        return _numbers(_as_tensor(expected), _as_tensor(got), tolerance, where)
    if isinstance(expected, (list, tuple, dict)) and type(expected) is type(got):
        return _containers(expected, got, tolerance, where)
    if type(expected) is not type(got):
        return _mismatch("type", where, expected, got, _kind(expected), _kind(got))
    if expected != got:
        return _mismatch("value", where, expected, got, repr(expected)[:200], repr(got)[:200])
    return None


def _containers(expected: Any, got: Any, tolerance: Tolerance, where: str) -> Difference | None:
    if len(expected) != len(got):
        text = f"{where} has the wrong number of items"
        return Difference("structure", text, f"{len(expected)} items", f"{len(got)} items")
    keys = expected.keys() if isinstance(expected, dict) else range(len(expected))
    for key in keys:
        if isinstance(got, dict) and key not in got:
            return Difference("structure", f"{where} lacks the key {key!r}", f"key {key!r}")
        label = f"{where}, item {key + 1 if isinstance(key, int) else repr(key)}"
        if found := _values(expected[key], got[key], tolerance, label):
            return found
    return None


def _tensors(expected: Any, got: Any, tolerance: Tolerance, where: str) -> Difference | None:
    if got is None:
        return Difference("none", "it returned None: is a `return` missing?", _kind(expected))
    alike = isinstance(got, type(expected)) or (_is_number(got) and np.ndim(expected) == 0)
    alike = alike or (_is_number(expected) and np.ndim(got) == 0)
    if not alike:
        return _mismatch("type", where, expected, got, _kind(expected), _kind(got))
    want, have = _as_tensor(expected), _as_tensor(got)
    if want.shape != have.shape:
        return _mismatch("shape", where, want, have, _shape(want), _shape(have))
    if isinstance(got, torch.Tensor) and isinstance(expected, torch.Tensor):
        if want.device.type != have.device.type:
            return _mismatch("device", where, want, have, want.device.type, have.device.type)
        if not _dtype_serves(want.dtype, have.dtype):
            return _mismatch("dtype", where, want, have, str(want.dtype), str(have.dtype))
    return _numbers(want, have, tolerance, where)


def _numbers(
    want: torch.Tensor, have: torch.Tensor, tolerance: Tolerance, where: str
) -> Difference | None:
    want, have = want.detach().cpu().double(), have.detach().cpu().double()
    same = (want == have) | (want.isnan() & have.isnan())
    gap = (have - want).abs()
    allowed = tolerance.absolute + tolerance.relative * want.abs() + _rounding(want)
    finite = want.isfinite() & have.isfinite()  # where infinity is right, only infinity will do
    close = same | (finite & (gap <= allowed))
    if bool(close.all()):
        return None
    index = tuple(int(i) for i in (~close).nonzero()[0])
    at = f" (first at index {list(index)})" if index else ""
    text = f"{where} has wrong values{at}{_pattern(want, have, tolerance)}"
    return Difference("value", text, show(want), show(have))


def _rounding(want: torch.Tensor) -> float:
    """How far float32 sums that cancel may be off: it goes by the largest number, not by each one."""
    sizes = want[want.isfinite()].abs()
    return ROUNDING * float(sizes.max()) if sizes.numel() else 0.0


def _pattern(want: torch.Tensor, have: torch.Tensor, tolerance: Tolerance) -> str:
    """A remark where the wrong values are a simple function of the right ones."""
    if bool(have.isnan().any()) and not bool(want.isnan().any()):
        return "; some of them are NaN"
    near = lambda a, b: torch.allclose(a, b, rtol=tolerance.relative * 10, atol=1e-6)  # noqa: E731
    if not bool(want.isfinite().all() and have.isfinite().all()) or not bool((want != 0).any()):
        return ""
    ratio = float((have * want).sum() / (want * want).sum())
    if near(have, -want):
        return "; they are the right ones with the opposite sign"
    if abs(ratio) > 1e-3 and near(have, ratio * want):
        return f"; they are {ratio:.4g} times the right ones"
    if bool((want >= 0).all()) and near(have, want.sqrt()):
        return "; they are the square roots of the right ones"
    if near(have, want.square()):
        return "; they are the squares of the right ones"
    if want.numel() > 1 and near(have, want + (have - want).mean()):
        return f"; all are off by {float((have - want).mean()):.4g}"
    return ""


def _gradients(expected: tuple, got: tuple, tolerance: Tolerance) -> Difference | None:
    for position, (want, have) in enumerate(zip(expected, got, strict=False)):
        if want is None and have is None:
            continue
        if have is None:
            text = (
                "no gradient reaches the inputs: do not leave torch (.item(), .numpy(), .detach())"
            )
            return Difference("gradient", text)
        want = torch.zeros_like(have) if want is None else want
        where = f"the gradient with respect to tensor argument {position + 1}"
        if found := _tensors(want, have, tolerance, where):
            return Difference("gradient", found.text, found.expected, found.got)
    return None


def _dtype_serves(want: torch.dtype, have: torch.dtype) -> bool:
    """The same kind of number, and at least as precise: float64 may stand for float32."""
    if want.is_floating_point and have.is_floating_point:
        return torch.finfo(have).eps <= torch.finfo(want).eps
    integers = lambda t: not (t.is_floating_point or t.is_complex or t == torch.bool)  # noqa: E731
    return want == have or (integers(want) and integers(have))


def _is_number(value: Any) -> bool:
    return type(value) in (bool, int, float)


def _as_tensor(value: Any) -> torch.Tensor:
    return value if isinstance(value, torch.Tensor) else torch.as_tensor(value)


def _shape(tensor: torch.Tensor) -> str:
    return f"shape {tuple(tensor.shape)}"


def _kind(value: Any) -> str:
    names = {torch.Tensor: "a torch tensor", np.ndarray: "a numpy array", type(None): "None"}
    return names.get(type(value), f"a {type(value).__name__}")


def _mismatch(kind: str, where: str, expected: Any, got: Any, want: str, have: str) -> Difference:
    return Difference(kind, f"{where} has the wrong {kind}", want, have)


def show(value: Any) -> str:
    """A short text of a frozen value, with its shape where it is long."""
    if not isinstance(value, (torch.Tensor, np.ndarray)):
        return repr(value)[:120]
    flat = _as_tensor(value).detach().cpu().reshape(-1)
    numbers = ", ".join(f"{number:.5g}" for number in flat[:SHOWN].tolist())
    if flat.numel() <= SHOWN:
        return f"[{numbers}]" if value.ndim else numbers
    return f"[{numbers}, …] of shape {tuple(value.shape)}"
