"""Cache what the frozen lower layers of a language model say of each prompt.

Fine-tuning changes only the upper layers, so the lower ones would compute the same numbers in every
step: here they run once per prompt. With 6 of 30 layers left, a step costs a fifth.
"""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib.tabular.llm import LanguageModel, decoder, head


@dataclass(frozen=True)
class Cached:
    """Hidden states (b, t, d) below the upper layers, and the index of each row's last token."""

    hidden: Float[Tensor, "b t d"]
    last: Int[Tensor, "b"]

    def __len__(self) -> int:
        return len(self.last)

    def rows(self, indices: Int[Tensor, "n"]) -> "Cached":
        """The cache of some prompts, cut to the longest of them."""
        last = self.last[indices]
        return Cached(self.hidden[indices, : int(last.max()) + 1], last)

    def mean(self) -> Float[Tensor, "b d"]:
        """The mean of each row's hidden states: a simple sentence embedding."""
        place = torch.arange(self.hidden.shape[1], device=self.last.device)
        inside = (place <= self.last[:, None]).to(self.hidden.dtype)  # (b, t)
        return torch.einsum("btd,bt->bd", self.hidden, inside) / inside.sum(1, keepdim=True)

    def final(self) -> Float[Tensor, "b d"]:
        """The hidden state of each row's last token."""
        return self.hidden[torch.arange(len(self)), self.last]


def lower_layers(network: nn.Module, upper: int) -> nn.Module:
    """The model up to its last `upper` layers, sharing its weights; its output is not normalised."""
    whole = decoder(network)
    return _part(whole, slice(None, len(whole.layers) - upper), normalise=False)


def upper_layers(network: nn.Module, upper: int) -> nn.Module:
    """The last `upper` layers and the final normalisation, sharing the model's weights."""
    whole = decoder(network)
    return _part(whole, slice(len(whole.layers) - upper, None), normalise=True)


@torch.no_grad()
def cache_features(
    llm: LanguageModel, prompts: list[str], *, upper: int = 6, batch: int = 16
) -> Cached:
    """Run the layers below the last `upper` ones once over the prompts.

    Prompts of similar length share a batch, so that little of it is padding.

    Raises ValueError unless 1 <= upper <= the number of layers.
    """
    layers = len(decoder(llm.network).layers)
    if not 1 <= upper <= layers:
        raise ValueError(f"expected 1 to {layers} upper layers, got {upper}")
    lower, rows = lower_layers(llm.network, upper), [llm.tokens(p) for p in prompts]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    _, last = llm.padded(rows)
    hidden: Tensor | None = None
    for start in range(0, len(rows), batch):
        chosen = order[start : start + batch]
        ids, _ = llm.padded([rows[i] for i in chosen])
        states = lower(input_ids=ids, use_cache=False)[0]  # (b, t, d)
        if hidden is None:
            hidden = states.new_zeros(len(rows), int(last.max()) + 1, states.shape[2])
        hidden[chosen, : states.shape[1]] = states
    assert hidden is not None
    return Cached(hidden, last)


def answer_logits(llm: LanguageModel, cached: Cached, *, upper: int = 6) -> Float[Tensor, "b 2"]:
    """The logits of " No" and " Yes" after each prompt, differentiable in the upper layers' weights."""
    states = upper_layers(llm.network, upper)(inputs_embeds=cached.hidden, use_cache=False)[0]
    final = states[torch.arange(len(cached)), cached.last]  # (b, d)
    answers = [llm.answer_token("No"), llm.answer_token("Yes")]
    return final @ head(llm.network).weight[answers].T  # (b, 2): the other logits are not needed


def _part(base: Any, layers: slice, *, normalise: bool) -> nn.Module:
    part = copy.copy(base)  # shares every weight; only the list of layers is another
    part._modules = dict(base._modules)
    part.layers = base.layers[layers]
    part.config = copy.copy(base.config)
    part.config.num_hidden_layers = len(part.layers)
    if not normalise:
        part.norm = nn.Identity()
    return part
