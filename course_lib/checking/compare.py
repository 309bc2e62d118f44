"""Two outcomes compared, within a tolerance, and the difference said in words."""

from typing import Any

import numpy as np
import torch

from course_lib.checking.difference import Difference, show, text_difference
from course_lib.checking.numbers import as_tensor, number_difference
from course_lib.checking.outcome import Outcome
from course_lib.exercises.exercise import Tolerance


def difference(
    expected: Outcome, got: Outcome, tolerance: Tolerance, names: tuple[str, ...] = ()
) -> Difference | None:
    """The first difference that matters, or None where the outcomes agree.

    `names` are what the arguments are called.
    """
    if expected.failure or got.failure:
        return _failures(expected, got)
    found = value_difference(expected.value, got.value, tolerance)
    if found is None and expected.changed != got.changed:
        changed = ", ".join(_name(names, i) for i in got.changed)
        found = Difference("mutation", f"your function modified its inputs ({changed}): copy first")
    if found is None:
        found = _gradients(expected.gradients, got.gradients, tolerance)
    return found


def value_difference(
    expected: Any, got: Any, tolerance: Tolerance, where: str = "the result"
) -> Difference | None:
    """The first difference of two frozen values: numbers of any kind may stand for each other."""
    if got is None and expected is not None:
        return Difference("none", f"{where} is None: is a `return` missing?", kind_of(expected))
    if isinstance(expected, (torch.Tensor, np.ndarray)):
        return _tensors(expected, got, tolerance, where)
    if isinstance(expected, (bool, int, float)):
        return _scalars(expected, got, tolerance, where)
    if isinstance(expected, dict) and isinstance(got, dict):
        return _dictionaries(expected, got, tolerance, where)
    if isinstance(expected, (list, tuple)) and isinstance(got, (list, tuple, dict)):
        return _sequences(expected, got, tolerance, where)
    if type(expected) is not type(got):
        return _mismatch("type", where, kind_of(expected), kind_of(got))
    if isinstance(expected, str):
        return text_difference(expected, got, where)
    if expected != got:
        return Difference("value", f"{where} is wrong", show(expected), show(got))
    return None


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    names = {torch.Tensor: "a torch tensor", np.ndarray: "a numpy array", type(None): "None"}
    return names.get(type(value), f"a {type(value).__name__}")


def _failures(expected: Outcome, got: Outcome) -> Difference | None:
    wanted, failure = expected.failure, got.failure
    if failure is None:
        kind = wanted.kind if wanted else ""
        return Difference("no exception", f"it should raise {kind}", kind, show(got.value))
    if failure.kind == "NotComparable":
        return Difference("type", failure.text)
    if wanted is None:
        where = f" at {failure.line}" if failure.line else ""
        return Difference("exception", f"it raised {failure.kind}: {failure.text}{where}")
    if wanted.kind == failure.kind:
        return None
    return Difference("exception", "it raised another error", wanted.kind, failure.kind)


def _dictionaries(expected: dict, got: dict, tolerance: Tolerance, where: str) -> Difference | None:
    for key in expected:
        if key not in got:
            return Difference("structure", f"{where} lacks the key {key!r}", f"key {key!r}")
    if extra := [key for key in got if key not in expected]:
        return Difference("structure", f"{where} has a key too many: {extra[0]!r}")
    found = (
        value_difference(expected[key], got[key], tolerance, _inside(where, repr(key)))
        for key in expected
    )
    return next((item for item in found if item), None)


def _sequences(expected: Any, got: Any, tolerance: Tolerance, where: str) -> Difference | None:
    items = list(got.values()) if isinstance(got, dict) else got
    if len(expected) != len(items):
        text = f"{where} has the wrong number of items"
        return Difference("structure", text, f"{len(expected)} items", f"{len(items)} items")
    found = (
        value_difference(*pair, tolerance, _inside(where, str(i)))
        for i, pair in enumerate(zip(expected, items, strict=True), start=1)
    )
    return next((item for item in found if item), None)


def _inside(where: str, item: str) -> str:
    return f"item {item}" if where == "the result" else f"{where}, item {item}"


def _tensors(expected: Any, got: Any, tolerance: Tolerance, where: str) -> Difference | None:
    have = as_tensor(got)
    if have is None:
        return _mismatch("type", where, kind_of(expected), kind_of(got))
    want = as_tensor(expected)
    if want.shape != have.shape:
        return _mismatch("shape", where, f"shape {tuple(want.shape)}", f"shape {tuple(have.shape)}")
    if isinstance(got, torch.Tensor) and want.device.type != have.device.type:
        return _mismatch("device", where, want.device.type, have.device.type)
    python = not isinstance(got, (torch.Tensor, np.ndarray))
    if not (_dtype_serves(want.dtype, have.dtype) or python):
        return _mismatch("dtype", where, _short(want.dtype), _short(have.dtype))
    return number_difference(want, have, tolerance, where)


def _scalars(expected: Any, got: Any, tolerance: Tolerance, where: str) -> Difference | None:
    have = as_tensor(got)
    if have is None or (isinstance(expected, bool) and have.dtype != torch.bool):
        return _mismatch("type", where, kind_of(expected), kind_of(got))
    if have.numel() != 1:
        return _mismatch("shape", where, "one number", f"shape {tuple(have.shape)}")
    return number_difference(as_tensor(expected), have.reshape(()), tolerance, where)


def _gradients(expected: tuple, got: tuple, tolerance: Tolerance) -> Difference | None:
    for want, have in zip(expected, got, strict=False):
        if want is None and have is None:
            continue
        if have is None:
            leaves = ".item(), .numpy(), .detach(), float(…)"
            text = f"no gradient reaches the inputs: stay in torch, without {leaves}"
            return Difference("gradient", text)
        want = torch.zeros_like(have) if want is None else want
        if found := _tensors(want, have, tolerance, "the values are right; their gradient"):
            return Difference("gradient", found.text, found.expected, found.got)
    return None


def _dtype_serves(want: torch.dtype, have: torch.dtype) -> bool:
    """The same kind of number, and at least as precise: float64 may stand for float32."""
    if want.is_floating_point and have.is_floating_point:
        return torch.finfo(have).eps <= torch.finfo(want).eps
    integers = lambda t: not (t.is_floating_point or t.is_complex or t == torch.bool)  # noqa: E731
    return want == have or (integers(want) and integers(have))


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _name(names: tuple[str, ...], position: int) -> str:
    return f"`{names[position]}`" if position < len(names) else f"argument {position + 1}"


def _mismatch(kind: str, where: str, want: str, have: str) -> Difference:
    return Difference(kind, f"{where} has the wrong {kind}", want, have)
