"""The language model's side of notebook 01, on a tiny random Llama; nothing is downloaded."""

import math

import pytest
import torch
from tiny_llm import tiny_network
from torch import nn

from course_lib.tabular import (
    IA3Linear,
    LanguageModel,
    LoRALinear,
    ModelUnavailable,
    add_ia3,
    add_lora,
    answer_logits,
    build_prompt,
    cache_features,
    choice_probability,
    fine_tune,
    length_normalised,
    load_llm,
    predict,
    remove_adapters,
)
from course_lib.tabular import llm as llm_module

VOCABULARY = "No Yes Answer: rich poor is this person The Age 39 50 ? maybe so never mind"
WORDS = VOCABULARY.split()


class WordTokenizer:
    """Every word with its leading space is a token."""

    def __call__(self, text, add_special_tokens=True):
        return {"input_ids": [WORDS.index(w) + 1 for w in text.split()]}

    def decode(self, tokens):
        return " ".join(WORDS[t - 1] for t in tokens)


@pytest.fixture
def llm():
    torch.manual_seed(1)
    network = tiny_network(
        vocab_size=32, num_hidden_layers=4, num_attention_heads=4, initializer_range=0.5
    )
    return LanguageModel(network, WordTokenizer(), "tiny")


PROMPTS = ["The Age is 39 Answer:", "rich Answer:", "this person is poor so never mind Answer:"]


def test_right_padding_changes_no_answer(llm):
    alone = torch.cat([llm.next_token_logits([p]) for p in PROMPTS])
    torch.testing.assert_close(llm.next_token_logits(PROMPTS), alone, atol=1e-5, rtol=1e-4)


def test_p_yes_is_the_share_of_yes_among_the_two_answers(llm):
    ids = torch.tensor([llm.tokens(PROMPTS[0])])
    p = llm.network(input_ids=ids).logits[0, -1].softmax(0)
    expected = p[llm.answer_token("Yes")] / (p[llm.answer_token("Yes")] + p[llm.answer_token("No")])
    torch.testing.assert_close(llm.p_yes(PROMPTS[:1])[0], expected)


@pytest.mark.parametrize("upper", [1, 2, 4])
def test_lower_then_upper_layers_are_the_whole_model(llm, upper):
    cached = cache_features(llm, PROMPTS, upper=upper, batch=2)
    p = answer_logits(llm, cached, upper=upper).softmax(1)[:, 1]
    torch.testing.assert_close(p, llm.p_yes(PROMPTS), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(predict(llm, cached, upper=upper, batch=2), p)


def test_rows_of_a_cache_are_those_prompts(llm):
    cached = cache_features(llm, PROMPTS, upper=2)
    some = cached.rows(torch.tensor([1, 0]))
    assert some.hidden.shape[1] == 5  # cut to the longer of the two
    direct = cache_features(llm, [PROMPTS[1], PROMPTS[0]], upper=2)
    torch.testing.assert_close(some.final(), direct.final())
    torch.testing.assert_close(some.mean(), direct.mean())


def test_too_many_upper_layers_are_an_error(llm):
    with pytest.raises(ValueError, match="expected 1 to 4"):
        cache_features(llm, PROMPTS, upper=5)


def test_no_prompts_or_empty_ones_are_an_error(llm):
    for prompts in ([], ["rich", ""]):
        with pytest.raises((ValueError, RuntimeError)):
            llm.padded([llm.tokens(p) for p in prompts])


@pytest.mark.parametrize("adapt", [add_lora, add_ia3])
def test_fresh_adapters_change_nothing_and_can_be_removed(llm, adapt):
    before = llm.p_yes(PROMPTS)
    weights = adapt(llm.network, upper=2)
    trainable = [p for p in llm.network.parameters() if p.requires_grad]
    assert {id(p) for p in trainable} == {id(p) for p in weights}
    torch.testing.assert_close(llm.p_yes(PROMPTS), before)
    remove_adapters(llm.network)
    assert not [m for m in llm.network.modules() if isinstance(m, LoRALinear | IA3Linear)]
    torch.testing.assert_close(llm.p_yes(PROMPTS), before)


@pytest.mark.parametrize("adapt", [add_lora, add_ia3])
def test_fine_tuning_learns_which_word_means_yes(llm, adapt):
    prompts = [f"this person is {word} Answer:" for word in ("rich", "poor")] * 4
    labels = torch.tensor([1, 0] * 4)
    weights = adapt(llm.network, upper=2)
    frozen = llm.network.model.layers[0].self_attn.q_proj.weight.clone()
    cached = cache_features(llm, prompts, upper=2)
    losses = fine_tune(
        llm,
        weights,
        cached,
        labels,
        steps=range(150),
        generator=torch.Generator().manual_seed(0),
        upper=2,
        learning_rate=2e-2,
    )
    assert losses[-1] < 0.5 * losses[0]
    p = predict(llm, cached, upper=2)
    assert p[0] > 0.7 and p[1] < 0.3
    assert torch.equal(frozen, llm.network.model.layers[0].self_attn.q_proj.weight)


def test_answers_of_several_tokens_are_scored_by_their_mean_log_likelihood(llm):
    prompt, answers = "this person is rich ?", ["Yes", "never mind", "maybe so never"]
    scores = llm.answer_scores(prompt, answers)
    for score, answer in zip(scores, answers, strict=True):
        ids = llm.tokens(prompt)
        total = 0.0
        for token in llm.tokens(answer):  # one token after the other
            logits = llm.network(input_ids=torch.tensor([ids])).logits[0, -1]
            total += logits.log_softmax(0)[token].item()
            ids.append(token)
        assert score.item() == pytest.approx(total / len(llm.tokens(answer)), abs=1e-4)


def test_an_answer_of_two_tokens_has_no_single_one(llm):
    with pytest.raises(ValueError, match="one token"):
        llm.answer_token("never mind")


def test_lora_is_the_sum_of_two_matrix_products():
    layer = LoRALinear(nn.Linear(5, 3), rank=2, alpha=6.0)
    nn.init.normal_(layer.b)
    x = torch.randn(4, 7, 5)
    full = layer.linear.weight + 3.0 * layer.b @ layer.a  # alpha / rank = 3
    expected = x @ full.T + layer.linear.bias
    torch.testing.assert_close(layer(x), expected)
    layer(x).sum().backward()
    assert layer.linear.weight.grad is None and layer.a.grad is not None


def test_lora_needs_a_rank():
    with pytest.raises(ValueError, match="rank"):
        LoRALinear(nn.Linear(5, 3), rank=0)


def test_ia3_scales_rows_or_columns_of_the_matrix():
    linear = nn.Linear(3, 2, bias=False)
    rows, columns = IA3Linear(linear), IA3Linear(linear, on_input=True)
    rows.scale.data, columns.scale.data = torch.tensor([2.0, 0.5]), torch.tensor([1.0, 0.0, 3.0])
    x = torch.randn(4, 3)
    torch.testing.assert_close(rows(x), x @ (torch.diag(rows.scale) @ linear.weight).T)
    torch.testing.assert_close(columns(x), x @ (linear.weight @ torch.diag(columns.scale)).T)


def test_choice_probability_does_not_overflow():
    logits = torch.tensor([[1e4, -1e4], [3.0, 3.0], [0.0, math.log(3)]])
    expected = torch.tensor([0.0, 0.5, 0.75])
    torch.testing.assert_close(choice_probability(logits, yes=1, no=0), expected)


def test_an_empty_answer_is_an_error():
    with pytest.raises(ValueError, match="empty answer"):
        length_normalised(torch.zeros(1, 2), torch.zeros(1, 2, dtype=torch.bool))


def test_without_a_model_the_message_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    monkeypatch.setattr(llm_module, "_from_hub", missing)
    with pytest.raises(ModelUnavailable, match="load_llm\\(download=True\\)"):
        load_llm()
    assert list(tmp_path.iterdir()) == []


def missing(name, **options):
    raise OSError(f"{name} is not there")


@pytest.mark.parametrize("mode", ["COURSE_OFFLINE", "COURSE_FAST"])
def test_nothing_is_downloaded_in_tests(monkeypatch, tmp_path, mode):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(mode, "1")
    names = [
        source.__name__
        for source in llm_module._sources(llm_module.SMALL, llm_module.may_download())
    ]
    assert names == ["_hub_cache", "_course_cache"]


def test_sources_are_tried_in_order_until_one_has_the_model(monkeypatch, llm):
    tried = []

    def source(name, result=None):
        def attempt(model):
            tried.append(name)
            if result is None:
                raise OSError("not here")
            return result

        attempt.__name__ = name
        return attempt

    found = (llm.network, llm.tokenizer)
    order = [source("first"), source("second", found), source("third", found)]
    monkeypatch.setattr(llm_module, "_sources", lambda name, download: order)
    assert load_llm().network is llm.network
    assert tried == ["first", "second"]


def test_the_real_model_answers_when_it_is_cached():
    try:
        llm = load_llm(download=False)
    except ModelUnavailable as reason:
        pytest.skip(str(reason))
    assert llm.pieces("The Age is 39.") == ["The", " Age", " is", " ", "3", "9", "."]
    france, sky = llm.next_token_logits(["The capital of France is", "The colour of the sky is"])
    assert llm.tokenizer.decode([int(france.argmax())]) == " Paris"
    assert not torch.equal(france, sky)
    assert 0 < llm.p_yes([build_prompt("The Age is 39.")])[0] < 1
