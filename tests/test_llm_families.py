"""Families of language models, half precision, tokenizers with blanks and beginnings of their own."""

import pytest
import torch
from tiny_llm import AnyTokenizer, tiny_llm

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


def built(kind):
    """A tokenizer of one of the families, with a vocabulary made here."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    texts = [" Yes", "Yes", " No", "No", "rich", " rich", "Answer:", " Answer:", " never", " mind"]
    if kind == "bytes":
        return AnyTokenizer()
    mark = "▁"
    words = sorted({mark + text.strip() for text in texts} | {mark, "<s>", "<unk>"})
    core = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    scheme = "always" if kind != "no blank" else "never"
    core.pre_tokenizer = pre_tokenizers.Metaspace(replacement=mark, prepend_scheme=scheme)
    if "BOS" in kind:
        core.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", words.index("<s>"))]
        )
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", unk_token="<unk>")


@pytest.mark.parametrize("kind", ["bytes", "own blank", "own blank and BOS", "no blank"])
def test_an_answers_score_is_that_of_prompt_and_answer_as_one_text(kind):
    llm = tiny_llm()
    llm.tokenizer = built(kind)
    prompt, answers = "rich Answer:", ["Yes", "never mind", "No"]
    for score, answer in zip(llm.answer_scores(prompt, answers), answers, strict=True):
        whole = llm.tokenizer(f"{prompt} {answer}")["input_ids"]
        start = len(llm.tokenizer(prompt)["input_ids"])
        logits = llm.network(input_ids=torch.tensor([whole])).logits[0, :-1].detach()
        log_p = logits.log_softmax(-1)[torch.arange(len(whole) - 1), torch.tensor(whole[1:])]
        torch.testing.assert_close(score, log_p[start - 1 :].mean(), atol=1e-5, rtol=1e-4)
    assert llm.answer_token("Yes") == llm.tokenizer(f"{prompt} Yes")["input_ids"][-1]
    logits = llm.network(input_ids=torch.tensor([llm.tokenizer(prompt)["input_ids"]])).logits
    answers = [llm.answer_token("No"), llm.answer_token("Yes")]
    torch.testing.assert_close(
        llm.p_yes([prompt])[0], logits[0, -1, answers].softmax(0)[1].detach()
    )
