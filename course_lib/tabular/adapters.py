"""Small trainable additions to frozen linear layers: LoRA and IA3."""

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.tabular.architectures import check_upper, family, layers


class LoRALinear(nn.Module):
    """A frozen linear layer plus a trainable low-rank change of its matrix.

    y = W x + c + (alpha / r) B A x, with A (r, in) and B (out, r) (Hu et al., "LoRA: low-rank
    adaptation of large language models", ICLR 2022). A starts random and B at zero, so that the layer
    starts as the frozen one. Trainable numbers: r (in + out) instead of in * out.

    >>> layer = LoRALinear(nn.Linear(4, 3), rank=2)
    >>> sum(p.numel() for p in layer.parameters() if p.requires_grad)
    14
    """

    def __init__(self, linear: nn.Linear, rank: int = 8, alpha: float = 16.0):
        super().__init__()
        if rank < 1:
            raise ValueError(f"expected a rank of at least 1, got {rank}")
        self.linear = linear.requires_grad_(False)
        self.scale = alpha / rank
        kind = torch.promote_types(linear.weight.dtype, torch.float32)
        self.a = nn.Parameter(linear.weight.new_empty(rank, linear.in_features, dtype=kind))
        self.b = nn.Parameter(linear.weight.new_zeros(linear.out_features, rank, dtype=kind))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, x: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """(..., in) -> (..., out)."""
        change = self.scale * (x.to(self.a.dtype) @ self.a.T @ self.b.T)
        return self.linear(x) + change.to(x.dtype)


class IA3Linear(nn.Module):
    """A frozen linear layer whose outputs (or inputs) are scaled by a trainable vector.

    y = l * (W x + c), l of length out; with `on_input` y = W (l * x) + c, l of length in. l starts at
    one. (Liu et al., "Few-shot parameter-efficient fine-tuning is better and cheaper than in-context
    learning", NeurIPS 2022; keys, values and the inner activations of the MLP are scaled.)

    >>> IA3Linear(nn.Linear(4, 3)).scale.shape
    torch.Size([3])
    """

    def __init__(self, linear: nn.Linear, *, on_input: bool = False):
        super().__init__()
        self.linear, self.on_input = linear.requires_grad_(False), on_input
        size = linear.in_features if on_input else linear.out_features
        # At least single precision: steps of a thousandth vanish in half, and its squares overflow.
        kind = torch.promote_types(linear.weight.dtype, torch.float32)
        self.scale = nn.Parameter(linear.weight.new_ones(size, dtype=kind))

    def forward(self, x: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """(..., in) -> (..., out)."""
        if self.on_input:
            return self.linear((x * self.scale).to(x.dtype))
        return (self.linear(x) * self.scale).to(x.dtype)


def add_lora(
    network: nn.Module, *, upper: int = 6, rank: int = 8, layer: Callable = LoRALinear
) -> list[nn.Parameter]:
    """Freeze the model, put LoRA into the attention of its last `upper` layers, return its weights.

    `layer(linear, rank)` makes an adapted layer: another class than the library's may be tried.
    """
    kind = family(network)
    paths = tuple(f"{kind.attention}.{name}" for name in kind.projections)
    return _adapt(network, upper, paths, lambda linear: layer(linear, rank))


def add_ia3(network: Any, *, upper: int = 6) -> list[nn.Parameter]:
    """Freeze the model, put IA3 on keys, values and inner activations, return its weights."""
    kind = family(network)
    if not kind.inner:
        raise ValueError(
            f"{type(network).__name__} keeps queries, keys and values in one matrix, where IA3 "
            "cannot be put on keys and values alone: use LoRA"
        )
    paths = tuple(f"{kind.attention}.{name}" for name in kind.scaled)
    scaled = _adapt(network, upper, paths, IA3Linear)
    return scaled + _adapt(network, upper, (kind.inner,), lambda m: IA3Linear(m, on_input=True))


def remove_adapters(network: nn.Module) -> None:
    """Put the frozen layers back in place: the model is as it was before."""
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if "frozen" in vars(layer):
                setattr(parent, name, layer.frozen)


def _adapt(network: nn.Module, upper: int, paths: tuple[str, ...], wrap) -> list[nn.Parameter]:
    check_upper(network, upper)
    if not any("frozen" in vars(layer) for layer in network.modules()):
        network.requires_grad_(False)
    new: list[nn.Parameter] = []
    for block in layers(network)[-upper:]:
        for path in paths:
            owner, _, name = path.rpartition(".")
            parent = block.get_submodule(owner)
            frozen = getattr(parent, name)
            linear = _as_linear(frozen)
            if linear is None:
                continue
            adapted = wrap(linear).to(frozen.weight.device)
            vars(adapted)["frozen"] = frozen  # past nn.Module: no second owner of its weights
            setattr(parent, name, adapted)
            new += [p for p in adapted.parameters() if p.requires_grad]
    if not new:
        raise ValueError(f"found no linear layers at {paths}; are there adapters already?")
    return new


def _as_linear(layer: Any) -> nn.Linear | None:
    """A linear layer; GPT-2's, whose matrix lies the other way round, sharing its numbers."""
    if isinstance(layer, nn.Linear):
        return layer
    if type(layer).__name__ != "Conv1D":
        return None
    with torch.device("meta"):
        linear = nn.Linear(*layer.weight.shape)
    linear.weight = nn.Parameter(layer.weight.detach().T, requires_grad=False)
    linear.bias = nn.Parameter(layer.bias.detach(), requires_grad=False)
    return linear
