"""A tiny random Llama with a tokenizer for any text, in place of a real language model."""

import re

from course_lib.tabular import LanguageModel


class AnyTokenizer:
    """Every word, with its leading space, and every other character is one of 500 tokens."""

    known: dict = {}  # noqa: RUF012

    def __call__(self, text, add_special_tokens=True):
        pieces = re.findall(r" ?\w+|\W", text)
        return {"input_ids": [self.known.setdefault(p, len(self.known) % 500) for p in pieces]}

    def decode(self, tokens):
        return " ".join(f"<{token}>" for token in tokens)


def tiny_network(**sizes):
    from transformers import LlamaConfig, LlamaForCausalLM

    small = {"hidden_size": 16, "intermediate_size": 24, "num_key_value_heads": 2}
    config = LlamaConfig(**small, **sizes, tie_word_embeddings=True)
    return LlamaForCausalLM(config).eval()


def tiny_llm(**options):
    network = tiny_network(vocab_size=500, num_hidden_layers=7, num_attention_heads=2)
    return LanguageModel(network, AnyTokenizer(), "tiny")
