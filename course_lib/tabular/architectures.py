"""The families of language models that the course can take apart, and where each keeps its parts."""

from typing import Any, NamedTuple

from torch import nn


class Family(NamedTuple):
    """Names of modules: the decoder under the model, its layers, and of a layer what is adapted."""

    decoder: str
    layers: str
    attention: str
    projections: tuple[str, ...]
    inner: str = ""  # the matrix behind the MLP's activation, if IA3 can be put on the family

    @property
    def scaled(self) -> tuple[str, ...]:
        """The matrices of keys and values; none where they are one matrix with the queries."""
        return tuple(name for name in self.projections if name in ("k_proj", "v_proj"))


_SEPARATE = ("q_proj", "k_proj", "v_proj")
_LLAMA = Family("model", "layers", "self_attn", (*_SEPARATE, "o_proj"), "mlp.down_proj")
FAMILIES = {  # by the `model_type` of the configuration
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma", "gemma2"), _LLAMA),
    "phi": Family("model", "layers", "self_attn", (*_SEPARATE, "dense"), "mlp.fc2"),
    "opt": Family("model.decoder", "layers", "self_attn", (*_SEPARATE, "out_proj"), "fc2"),
    "gpt2": Family("transformer", "h", "attn", ("c_attn", "c_proj")),
    "gpt_neox": Family("gpt_neox", "layers", "attention", ("query_key_value", "dense")),
    "bloom": Family("transformer", "h", "self_attention", ("query_key_value", "dense")),
}


def family(network: nn.Module) -> Family:
    """The network's family; ValueError with its name and those that work."""
    config: Any = getattr(network, "config", None)
    kind = getattr(config, "model_type", type(network).__name__)
    if kind not in FAMILIES:
        raise ValueError(
            f"expected a language model of the families {', '.join(FAMILIES)}, got {kind!r}"
        )
    return FAMILIES[kind]


def decoder(network: nn.Module) -> Any:
    """A causal language model below its head."""
    return network.get_submodule(family(network).decoder)


def layers(network: nn.Module) -> nn.ModuleList:
    """The layers of a causal language model, the lowest first."""
    found = getattr(decoder(network), family(network).layers)
    assert isinstance(found, nn.ModuleList)
    return found


def check_upper(network: nn.Module, upper: int) -> None:
    """Raise ValueError unless the network has as many layers."""
    count = len(layers(network))
    if not 1 <= upper <= count:
        raise ValueError(f"expected 1 to {count} upper layers, got {upper}")


def head(network: nn.Module) -> nn.Linear:
    """The head of a causal language model: hidden states to the logits of all tokens."""
    family(network)  # refuses what has another kind of head
    assert isinstance(network.lm_head, nn.Linear)
    return network.lm_head


def token_logits(network: nn.Module, final, tokens: list[int] | None = None):
    """The logits of some tokens (or all) after final hidden states (b, d), in single precision.

    With the head's bias (Phi has one) and Gemma 2's soft capping, c tanh(l / c).
    """
    chosen = slice(None) if tokens is None else tokens
    layer = head(network)
    bias = None if layer.bias is None else layer.bias[chosen]
    logits = nn.functional.linear(final, layer.weight[chosen], bias).float()
    config: Any = network.config
    cap = getattr(config, "final_logit_softcapping", None)
    return logits if not cap else cap * (logits / cap).tanh()
