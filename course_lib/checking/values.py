"""Results reduced to plain data: tensors, numbers, texts and containers of them, and their JSON form.

What a student's function returns may be any object, hostile ones included. `freeze` keeps only what
can be compared as numbers, so no `__eq__` of the student's ever decides.
"""

import dataclasses
import inspect
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

PLAIN = (bool, int, float, str, type(None))


class NotComparable(TypeError):
    """A result holds something that is not a tensor, a number, a text or a container of those."""


def freeze(value: Any) -> Any:
    """A copy made of exact built-in types and detached tensors.

    Arrays keep being arrays, data classes become dictionaries. Raises NotComparable for anything
    else.
    """
    if isinstance(value, torch.Tensor):
        return value.detach().as_subclass(torch.Tensor).clone()
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biuf":
            raise NotComparable(f"a numpy array of {value.dtype}, not of numbers")
        return np.array(value, dtype=value.dtype)
    if isinstance(value, np.generic):
        return freeze(value.item())
    for kind in PLAIN:
        if type(value) is kind:
            return value
    if isinstance(value, (list, tuple)):
        items = [freeze(item) for item in list(value)]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, dict):
        return {str(key): freeze(item) for key, item in list(value.items())}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: freeze(getattr(value, field.name)) for field in fields}
    raise NotComparable(_what(value))


def rebuilt(value: list | tuple, items: Iterable) -> Any:
    """A list, tuple or named tuple of the same type as `value`, of these items.

    >>> rebuilt((1, 2), [3, 4])
    (3, 4)
    """
    return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)


def _what(value: Any) -> str:
    """What an object that cannot be compared is, and what is probably meant."""
    if inspect.isgenerator(value):
        return "a generator: `return` the result instead of `yield`"
    if inspect.isfunction(value) or inspect.isclass(value):
        return f"{getattr(value, '__name__', 'a function')} itself: call it"
    return f"an object of type {type(value).__name__}, not a tensor or number"


def to_json(value: Any) -> Any:
    """A frozen value as data that `json.dumps` takes; `from_json` is its inverse."""
    if isinstance(value, torch.Tensor):
        return {
            "tensor": value.cpu().reshape(-1).tolist(),
            "shape": list(value.shape),
            "dtype": str(value.dtype).removeprefix("torch."),
            "device": value.device.type,
        }
    if isinstance(value, np.ndarray):
        return {"array": value.reshape(-1).tolist(), "shape": list(value.shape)}
    if isinstance(value, tuple):
        return {"tuple": [to_json(item) for item in value]}
    if isinstance(value, list):
        return {"list": [to_json(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": {key: to_json(item) for key, item in value.items()}}
    return value


def from_json(data: Any) -> Any:
    """The frozen value behind `to_json`'s data. Raises ValueError for anything else."""
    if isinstance(data, PLAIN):
        return data
    if not isinstance(data, dict):
        raise ValueError(f"expected encoded data, got a {type(data).__name__}")
    if "tensor" in data:
        return _tensor(data)
    if "array" in data:
        return np.array(data["array"]).reshape(data["shape"])
    if "tuple" in data:
        return tuple(from_json(item) for item in data["tuple"])
    if "list" in data:
        return [from_json(item) for item in data["list"]]
    if "dict" in data:
        return {str(key): from_json(item) for key, item in data["dict"].items()}
    raise ValueError(f"expected encoded data, got the keys {sorted(data)[:5]}")


def _tensor(data: dict) -> torch.Tensor:
    dtype = getattr(torch, str(data["dtype"]), None)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"expected a dtype of torch, got {data['dtype']!r}")
    device = "cuda" if data["device"] == "cuda" and torch.cuda.is_available() else "cpu"
    return torch.tensor(data["tensor"], dtype=dtype, device=device).reshape(data["shape"])
