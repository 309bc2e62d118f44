"""Cache what the frozen lower layers of a language model say of each prompt.

Fine-tuning changes only the upper layers, so the lower ones would compute the same numbers in every
step: here they run once per prompt. With 6 of 30 layers left, a step costs a fifth.
"""

import copy
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib.tabular.architectures import check_upper, decoder, family, layers, token_logits
from course_lib.tabular.llm import LanguageModel, as_prompts


@dataclass(frozen=True)
class Cached:
    """Hidden states (b, t, d) below `upper` layers, and the index of each row's last token."""

    hidden: Float[Tensor, "b t d"]
    last: Int[Tensor, "b"]
    upper: int

    def __len__(self) -> int:
        return len(self.last)

    def rows(self, indices: Int[Tensor, "n"]) -> "Cached":
        """The cache of some prompts, cut to the longest of them."""
        last = self.last[indices]
        return Cached(self.hidden[indices, : int(last.max()) + 1], last, self.upper)

    def mean(self) -> Float[Tensor, "b d"]:
        """The mean of each row's hidden states: a simple sentence embedding."""
        place = torch.arange(self.hidden.shape[1], device=self.last.device)
        inside = (place <= self.last[:, None]).to(self.hidden.dtype)  # (b, t)
        return torch.einsum("btd,bt->bd", self.hidden, inside) / inside.sum(1, keepdim=True)

    def final(self) -> Float[Tensor, "b d"]:
        """The hidden state of each row's last token."""
        return self.hidden[torch.arange(len(self)), self.last]


class _Reached(Exception):
    """Thrown out of a network where the rest of it is not needed."""

    def __init__(self, hidden: Tensor):
        super().__init__()
        self.hidden = hidden


def lower_states(network: nn.Module, ids: Int[Tensor, "b t"], upper: int) -> Float[Tensor, "b t d"]:
    """What goes into the last `upper` layers. The layers below are run, those are not."""

    def stop(layer, arguments, named):
        raise _Reached(arguments[0] if arguments else named["hidden_states"])

    layer = layers(network)[len(layers(network)) - upper]
    handle = layer.register_forward_pre_hook(stop, with_kwargs=True)
    try:
        decoder(network)(input_ids=ids, use_cache=False)
    except _Reached as reached:
        return reached.hidden
    finally:
        handle.remove()
    raise AssertionError("the network has not run its layers")


def upper_states(
    network: nn.Module, hidden: Float[Tensor, "b t d"], upper: int
) -> Float[Tensor, "b t e"]:
    """What the last `upper` layers and the final normalisation make of cached hidden states.

    The decoder runs without its lower layers on tokens that mean nothing, and the first layer that is
    left gets `hidden` instead: so every family's masks, positions and scales of embeddings are right.
    """

    def put(layer, arguments, named):
        if arguments:
            return (hidden, *arguments[1:]), named
        return arguments, {**named, "hidden_states": hidden}

    part = _last_layers(network, upper)
    handle = layers(network)[len(layers(network)) - upper].register_forward_pre_hook(
        put, with_kwargs=True
    )
    try:
        ids = torch.zeros(hidden.shape[:2], dtype=torch.long, device=hidden.device)
        return part(input_ids=ids, use_cache=False)[0]
    finally:
        handle.remove()


@torch.no_grad()
def cache_features(
    llm: LanguageModel, prompts: list[str], *, upper: int = 6, batch: int = 16
) -> Cached:
    """Run the layers below the last `upper` ones once over the prompts.

    Prompts of similar length share a batch, so that little of it is padding.

    Raises ValueError unless 1 <= upper <= the number of layers.
    """
    check_upper(llm.network, upper)
    rows = [llm.prompt_tokens(p) for p in as_prompts(prompts, answered=True)]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    _, last = llm.padded(rows)
    hidden: Tensor | None = None
    for start in range(0, len(rows), batch):
        chosen = order[start : start + batch]
        ids, _ = llm.padded([rows[i] for i in chosen])
        states = lower_states(llm.network, ids, upper)  # (b, t, d)
        if hidden is None:
            hidden = states.new_zeros(len(rows), int(last.max()) + 1, states.shape[2])
        hidden[chosen, : states.shape[1]] = states
    assert hidden is not None
    return Cached(hidden, last, upper)


def answer_logits(llm: LanguageModel, cached: Cached, *, upper: int = 6) -> Float[Tensor, "b 2"]:
    """The logits of " No" and " Yes" after each prompt, differentiable in the upper layers' weights."""
    if cached.upper != upper:
        raise ValueError(
            f"expected features that were cached below {upper} upper layers, got those below "
            f"{cached.upper}: give the same `upper` everywhere"
        )
    states = upper_states(llm.network, cached.hidden, upper)
    final = states[torch.arange(len(cached)), cached.last]  # (b, d)
    answers = [llm.answer_token("No"), llm.answer_token("Yes")]
    return token_logits(llm.network, final, answers)  # (b, 2): the other logits are not needed


def _last_layers(network: nn.Module, upper: int) -> nn.Module:
    base, name = decoder(network), family(network).layers
    part = copy.copy(base)  # shares every weight; only the list of layers is another
    part._modules = dict(base._modules)
    setattr(part, name, layers(network)[len(layers(network)) - upper :])
    part.config = copy.copy(base.config)
    kinds = getattr(base.config, "layer_types", None)
    if kinds:  # before the number, with which it is compared
        part.config.layer_types = kinds[len(kinds) - upper :]
    part.config.num_hidden_layers = upper
    return part
