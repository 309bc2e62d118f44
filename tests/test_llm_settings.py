"""Settings of language models that people try: what cannot be meant is refused in words."""

import math

import pytest
import torch
from tiny_llm import AnyTokenizer, tiny_llm, tiny_network
from tokenizers import Tokenizer, models, pre_tokenizers

from course_lib.tabular import (
    LanguageModel,
    add_ia3,
    add_lora,
    cache_features,
    fine_tune,
    load_llm,
    predict,
)

PROMPTS = [f"The Age is {age} Answer:" for age in range(8)]
LABELS = torch.tensor([0, 1] * 4)


def losses(labels=LABELS, **options):
    torch.manual_seed(0)
    llm = tiny_llm()
    weights = add_lora(llm.network, upper=2)
    cached = cache_features(llm, PROMPTS, upper=2)
    options = {"steps": range(3), "generator": torch.Generator().manual_seed(0), **options}
    return fine_tune(llm, weights, cached, labels, upper=2, **options)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16])
def test_labels_of_every_whole_type_are_labels(dtype):
    assert losses(LABELS.to(dtype)) == losses()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS + 1, r"labels 0 and 1, got \[1, 2\]"),
        (2 * LABELS - 1, r"labels 0 and 1, got \[-1, 1\]"),
        (LABELS * -100, r"labels 0 and 1, got \[-100, 0\]"),
        (LABELS[:7], r"8 labels.*\(7,\)"),
        (torch.cat([LABELS, LABELS[:1]]), r"8 labels.*\(9,\)"),
    ],
)
def test_labels_that_are_none_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        losses(labels)


@pytest.mark.parametrize(
    "options", [{"batch": 0}, {"learning_rate": -1e-3}, {"learning_rate": math.nan}]
)
def test_batches_and_learning_rates_are_positive(options):
    with pytest.raises(ValueError, match="batch and a learning rate above 0"):
        losses(**options)


def test_features_are_used_below_as_many_layers_as_they_were_cached():
    llm = tiny_llm()
    cached = cache_features(llm, PROMPTS, upper=2)
    for upper in (6, 1):
        with pytest.raises(ValueError, match=f"below {upper} upper layers, got those below 2"):
            predict(llm, cached, upper=upper)


@pytest.mark.parametrize("adapt", [add_lora, add_ia3])
@pytest.mark.parametrize("upper", [0, -1, 8])
def test_adapters_are_put_on_layers_that_are_there(adapt, upper):
    with pytest.raises(ValueError, match="1 to 7 upper layers"):
        adapt(tiny_llm().network, upper=upper)


def test_a_blank_behind_the_prompt_belongs_to_the_answer_and_a_line_break_is_refused():
    llm = tiny_llm()
    blank, plain = [prompt + " " for prompt in PROMPTS], llm.p_yes(PROMPTS)
    assert llm.p_yes(blank).tolist() == plain.tolist()
    cached = cache_features(llm, blank, upper=2)
    torch.testing.assert_close(predict(llm, cached, upper=2), plain)
    for ask in (LanguageModel.p_yes, cache_features):
        with pytest.raises(ValueError, match=r"without a line break behind, got .*Answer:\\n"):
            ask(llm, [PROMPTS[0] + "\n"])


def test_blanks_around_an_answer_do_not_matter():
    llm = tiny_llm()
    plain = llm.answer_scores(PROMPTS[0], ["Yes", "No"])
    torch.testing.assert_close(llm.answer_scores(PROMPTS[0], [" Yes", "No "]), plain)


def test_a_beginning_that_the_text_has_already_is_not_put_before_it_again():
    from tokenizers import processors

    tokenizer = words("<s>", "Answer:", "rich")
    tokenizer.add_special_tokens({"bos_token": "<s>"})
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    llm = LanguageModel(tiny_llm().network, tokenizer, "x")
    assert llm.prompt_tokens("<s> rich Answer:") == llm.prompt_tokens("rich Answer:") == [1, 3, 2]


def test_a_model_in_training_answers_without_dropout():
    import transformers

    config = transformers.GPT2Config(vocab_size=500, n_embd=16, n_layer=2, n_head=2)
    llm = LanguageModel(transformers.GPT2LMHeadModel(config).train(), AnyTokenizer(), "x")
    assert llm.p_yes(PROMPTS).tolist() == llm.p_yes(PROMPTS).tolist()


def words(*vocabulary):
    from transformers import PreTrainedTokenizerFast

    numbers = {word: i for i, word in enumerate(("[UNK]", *vocabulary))}
    core = Tokenizer(models.WordLevel(numbers, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]")


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        (("Answer:", "rich"), "'Yes': the tokenizer does not know"),
        (("Answer:", "rich", "Yes"), "'No': the tokenizer does not know"),
        ((*map(str, range(50)), "Answer:", "rich", "Yes", "No"), "tokens below 40.*got 52"),
    ],
)
def test_a_tokenizer_that_does_not_fit_is_refused(vocabulary, message):
    network = tiny_network(vocab_size=40, num_hidden_layers=2, num_attention_heads=2)
    with pytest.raises(ValueError, match=message):
        LanguageModel(network, words(*vocabulary), "x").p_yes(["rich Answer:"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": torch.int8}, r"dtype of torch.float32.*got torch.int8"),
        ({"dtype": torch.float8_e4m3fn}, r"got torch.float8_e4m3fn"),
        ({"device": "gpu"}, r"device 'gpu' cannot be used here"),
    ],
)
def test_devices_and_dtypes_that_cannot_be_are_refused_at_once(options, message):
    with pytest.raises(ValueError, match=message):
        load_llm(download=False, **options)
