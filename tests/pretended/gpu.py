"""A pretended CUDA device: tensors that say they live on "cuda", computed on the CPU, and refused
where a real device refuses (both devices in one operation, the other's generator, `numpy()`).

It finds faults of device handling on a machine without a GPU. It says nothing of speed, of memory, nor
of CUDA's own kernels. How it works: PyTorch's own "meta" device stands for "cuda", because it needs
no driver. `_Names` replaces the name before PyTorch sees it, `_Mode` computes every operation on the CPU
tensors inside and wraps the results again.
"""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

CUDA = torch.device("cuda", 0)
NO_NUMPY = "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy it first."
FROM_DATA = (torch.tensor, torch.as_tensor, torch.asarray)
SET_DATA = torch.Tensor.data.__set__  # type: ignore[attr-defined]
MOVES = ("aten::copy_", "aten::_to_copy", "aten::set_")
INDEXING = ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_")


class PretendedTensor(torch.Tensor):
    """A tensor on the pretended device; `inner` is what it holds, on the CPU."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> "PretendedTensor":
        """A wrapper of the same sizes and strides."""
        like = {"strides": inner.stride(), "storage_offset": inner.storage_offset()}
        like |= {"dtype": inner.dtype, "layout": inner.layout, "device": "meta"}
        self = torch.Tensor._make_wrapper_subclass(cls, inner.size(), **like, requires_grad=False)
        self.inner = inner
        return self

    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)
    is_cpu = is_meta = property(lambda self: False)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"{self.inner!r}".replace("tensor(", "tensor(device='cuda:0', ", 1)

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.dim() == 0 else object.__format__(self, spec)

    def tolist(self) -> Any:
        """The numbers: a real device copies them, too."""
        return self.inner.detach().tolist()

    def numpy(self, *arguments: Any, **options: Any) -> None:
        """Refused, as by a real device."""
        raise TypeError(NO_NUMPY)

    __array__ = numpy

    @classmethod
    def __torch_dispatch__(cls, function, types, arguments=(), options=None) -> Any:
        return _run(function, arguments, options or {})


class PretendedGenerator(torch.Generator):
    """A generator that remembers for which device it was made; its numbers are the CPU's."""

    def __new__(cls, device: Any = "cpu") -> "PretendedGenerator":
        """A CPU generator underneath."""
        self = super().__new__(cls, "cpu")
        self.of_gpu = torch.device(device).type in ("cuda", "meta")
        return self

    @property
    def device(self) -> torch.device:
        """The device it was made for."""
        return CUDA if self.of_gpu else torch.device("cpu")


def _run(function: Any, arguments: tuple, options: dict) -> Any:
    """An operation on the CPU tensors inside; the result is on the pretended device if it should be."""
    name = function._schema.name
    tensors = [*_tensors((arguments, options))]
    here = [x for x in tensors if isinstance(x, PretendedTensor)]
    strangers = [x for x in tensors if not isinstance(x, PretendedTensor) and x.dim() > 0]
    if here and strangers and not _is_allowed(name, arguments):
        shapes = [tuple(x.shape) for x in strangers]
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found cuda:0 and cpu in {name}: "
            f"on the CPU are those of shapes {shapes}"
        )
    asked = options.get("device")
    on_gpu = bool(here) if asked is None else torch.device(asked).type in ("cuda", "meta")
    if asked is not None:
        options = {**options, "device": torch.device("cpu")}
    if name == "aten::_pin_memory":
        return arguments[0]
    result = function(*_each(_inside, arguments), **_each(_inside, options))
    if name == "aten::_local_scalar_dense" or not on_gpu:
        return result
    in_place = name.endswith("_") and not name.endswith("__")  # `__rshift__` is not
    if in_place and arguments and isinstance(arguments[0], PretendedTensor):
        return arguments[0]
    return options["out"] if "out" in options else _each(_outside, result)


def _is_allowed(name: str, arguments: tuple) -> bool:
    """Both devices meet when a tensor is moved, or a tensor of the device is indexed from the CPU."""
    if name not in INDEXING:
        return name in MOVES
    values = arguments[2] if name != "aten::index" else arguments[0]
    return isinstance(arguments[0], PretendedTensor) and (
        isinstance(values, PretendedTensor) or values.dim() == 0
    )


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    """The tensors in arguments: quicker than `torch.utils._pytree`, which knows more containers."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _tensors(part)
    elif isinstance(value, dict):
        yield from _tensors(tuple(value.values()))


def _each(function: Any, value: Any) -> Any:
    """The arguments or results with a function of each that is no container."""
    if type(value) in (tuple, list):
        return type(value)([_each(function, part) for part in value])
    if type(value) is dict:
        return {key: _each(function, part) for key, part in value.items()}
    return function(value)


def _inside(value: Any) -> Any:
    return value.inner if isinstance(value, PretendedTensor) else value


def _outside(value: Any) -> Any:
    plain = isinstance(value, torch.Tensor) and not isinstance(value, PretendedTensor)
    return PretendedTensor(value) if plain else value


def _renamed(device: Any) -> Any:
    """ "meta" for "cuda", in either spelling; anything else as it is."""
    is_name = isinstance(device, str) and device.split(":")[0] == "cuda"
    is_device = isinstance(device, torch.device) and device.type == "cuda"
    return torch.device("meta") if is_name or is_device else device


class _Mode(TorchDispatchMode):
    @classmethod
    def _should_skip_dynamo(cls) -> bool:  # else torch loads its compiler first: four seconds
        return False

    def __torch_dispatch__(self, function, types, arguments=(), options=None) -> Any:
        return _run(function, arguments, options or {})


class _Names(TorchFunctionMode):
    """Replaces the device's name, and looks at generators."""

    def __torch_function__(self, function, types, arguments=(), options=None) -> Any:
        options = dict(options or {})
        if function is torch.device:
            return function(*arguments, **options)
        if function in (torch.Tensor.__getitem__, torch.Tensor.__setitem__):
            arguments = (arguments[0], _with_tensors(arguments[1]), *arguments[2:])
        if function is torch.Tensor.new_tensor:
            options = {"dtype": arguments[0].dtype, "device": arguments[0].device, **options}
            function, arguments = torch.tensor, arguments[1:]
        if function in FROM_DATA and not isinstance(arguments[0], torch.Tensor):
            return _from_data(function, arguments, options)
        if function == SET_DATA and isinstance(arguments[0], PretendedTensor):
            arguments[0].inner = arguments[1].inner
            return None
        if function is torch.Tensor.cuda:
            return arguments[0].to("meta")
        if "device" in options:
            options["device"] = _renamed(options["device"])
        _look_at_generator(function, arguments, options)
        return function(*map(_renamed, arguments), **options)


def _with_tensors(index: Any) -> tuple:
    """An index whose lists are tensors: the meta device would lose their numbers."""
    parts = index if isinstance(index, tuple) else (index,)
    return tuple(torch.tensor(part) if isinstance(part, list) else part for part in parts)


def _from_data(function: Any, arguments: tuple, options: dict) -> torch.Tensor:
    """A tensor from numbers, made on the CPU and then moved: the meta device would lose them."""
    device, leaf = _renamed(options.pop("device", None)), options.pop("requires_grad", False)
    made = function(*arguments, **options)
    return (made if device is None else made.to(device)).requires_grad_(leaf)


def _look_at_generator(function: Any, arguments: tuple, options: dict) -> None:
    generator, asked = options.get("generator"), options.get("device")
    if generator is None:
        return
    on_gpu = any(isinstance(x, PretendedTensor) for x in _tensors((arguments, options)))
    if asked is not None:
        on_gpu = torch.device(asked).type == "meta"
    if on_gpu != (generator.device.type == "cuda"):
        needed = "cuda" if on_gpu else "cpu"
        raise RuntimeError(
            f"Expected a '{needed}' device type for generator but found '{generator.device.type}' "
            f"in {function}"
        )


@contextlib.contextmanager
def pretended_gpu() -> Iterator[None]:
    """Inside it there is a CUDA device, as far as the course can tell."""
    answers = {
        "_lazy_init": lambda: None,
        "is_available": lambda: True,
        "is_bf16_supported": lambda *a, **k: True,
        "device_count": lambda: 1,
        "get_device_name": lambda *a: "a pretended device",
        "synchronize": lambda *a: None,
        "mem_get_info": lambda *a: (8 << 30, 8 << 30),
    }
    with contextlib.ExitStack() as stack:
        for name, answer in answers.items():
            stack.enter_context(mock.patch.object(torch.cuda, name, answer))
        patch = mock.patch.object(torch._C, "_cuda_getDevice", lambda: 0, create=True)
        stack.enter_context(patch)  # asked for by libraries that load weights
        stack.enter_context(mock.patch.object(torch, "Generator", PretendedGenerator))
        stack.enter_context(_Mode())
        stack.enter_context(_Names())
        yield
