"""Read a Llama-like language model out of a GGUF file: weights, configuration, tokenizer.

GGUF is llama.cpp's file format. Its weights are quantised (SmolLM2 comes with 4.5 bits per weight);
here they are expanded to ordinary floats, so that the model can be trained.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_NAMES = {  # llama.cpp's name of a matrix in a block -> transformers'
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}


def load_gguf(path: Path) -> tuple:
    """(model, tokenizer) of a GGUF file of SmolLM2's kind, in float32 on the CPU.

    | what | how |
    |---|---|
    | architecture llama; weights of every type that the package `gguf` expands | read |
    | a byte-level tokenizer that splits as SmolLM2's does; its BOS, EOS, padding, chat template | read |
    | other architectures, a head or biases of their own, scaled positions | refused |
    | SentencePiece and other tokenizers | refused |
    | damaged files, files of another kind | refused |
    | names, licences and the like | ignored |

    ValueError names the file.
    """
    from gguf import GGUFReader

    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        reader = GGUFReader(path)
        return _model(reader), _tokenizer(reader)
    except Exception as error:  # the reader raises whatever the bytes lead it to
        raise ValueError(
            f"{path}: expected a whole GGUF file of the llama family ({type(error).__name__}: {error})"
        ) from error


def _model(reader):
    from transformers import LlamaForCausalLM

    architecture = reader.fields["general.architecture"].contents()
    if architecture != "llama":
        raise ValueError(f"its architecture is {architecture!r}")
    config = _config(reader)
    with torch.device("meta"):  # no random weights that would be overwritten at once
        model = LlamaForCausalLM(config)
    model.load_state_dict(_weights(reader, config), assign=True)
    model.tie_weights()
    rotary = type(model.model.rotary_emb)
    model.model.rotary_emb = rotary(config=config)  # its buffers were on "meta"
    return model.eval()


def unpermute_rotary(weight: Tensor, heads: int) -> Tensor:
    """Undo llama.cpp's order of a query or key matrix's rows.

    llama.cpp rotates neighbouring pairs of coordinates, transformers coordinate i with i + d/2, so
    the rows of each head are interleaved in the file: 0, d/2, 1, d/2 + 1, ...

    >>> unpermute_rotary(torch.tensor([[0.0], [2.0], [1.0], [3.0]]), heads=1).flatten().tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    pairs = weight.view(heads, weight.shape[0] // heads // 2, 2, -1)  # (head, d/2, 2, in)
    return pairs.transpose(1, 2).reshape(weight.shape)


def _config(reader) -> Any:
    from transformers import LlamaConfig

    def value(key: str):
        return reader.fields[f"llama.{key}"].contents()

    base = value("rope.freq_base")
    return LlamaConfig(
        vocab_size=value("vocab_size"),
        hidden_size=value("embedding_length"),
        intermediate_size=value("feed_forward_length"),
        num_hidden_layers=value("block_count"),
        num_attention_heads=value("attention.head_count"),
        num_key_value_heads=value("attention.head_count_kv"),
        max_position_embeddings=value("context_length"),
        rms_norm_eps=value("attention.layer_norm_rms_epsilon"),
        rope_theta=base,  # transformers 4
        rope_parameters={"rope_type": "default", "rope_theta": base},  # transformers 5
        tie_word_embeddings=True,
        bos_token_id=_special(reader, "bos"),
        eos_token_id=_special(reader, "eos"),
        pad_token_id=_special(reader, "padding"),
        attn_implementation="sdpa",
    )


def _special(reader, name: str) -> int:
    return reader.fields[f"tokenizer.ggml.{name}_token_id"].contents()


def _weights(reader, config) -> dict[str, Tensor]:
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    weights = {}
    for tensor in reader.tensors:
        weight = _floats(tensor)
        kind, *block = tensor.name.removesuffix(".weight").split(".")
        if kind == "token_embd":
            weights["model.embed_tokens.weight"] = weights["lm_head.weight"] = weight
        elif kind == "output_norm":
            weights["model.norm.weight"] = weight
        elif kind != "blk" or len(block) != 2 or block[1] not in _NAMES:
            raise ValueError(f"{tensor.name!r} has no place in this model")
        else:
            number, matrix = block
            if matrix in heads:
                weight = unpermute_rotary(weight, heads[matrix]).contiguous()
            weights[f"model.layers.{number}.{_NAMES[matrix]}.weight"] = weight
    return weights


def _floats(tensor) -> Tensor:
    import numpy as np
    from gguf import dequantize

    values = np.array(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
    return torch.from_numpy(values).reshape(tuple(int(size) for size in tensor.shape[::-1]))


def _tokenizer(reader) -> object:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    def value(key: str):
        return reader.fields[f"tokenizer.{key}"].contents()

    if (kind := (value("ggml.model"), value("ggml.pre"))) != ("gpt2", "smollm"):
        raise ValueError(f"its tokenizer is of the kind {kind}")
    tokens, kinds = value("ggml.tokens"), value("ggml.token_type")
    vocabulary = {token: i for i, token in enumerate(tokens)}
    merges = [tuple(merge.split(" ")) for merge in value("ggml.merges")]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = [t for t, kind in zip(tokens, kinds, strict=True) if kind == 3]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in control])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=tokens[_special(reader, "bos")],
        eos_token=tokens[_special(reader, "eos")],
        pad_token=tokens[_special(reader, "padding")],
        chat_template=value("chat_template"),
    )
