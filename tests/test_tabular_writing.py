"""Rows that a language model writes: greedy decoding against a plain loop, and what values become."""

import pytest
import torch
from tiny_llm import tiny_llm

from course_lib.tabular import study, text_template, writing

PROMPTS = ["The Age is 39.", "Text:", "one two three four five six seven:", "The Age is 39."]


@pytest.fixture
def llm():
    torch.manual_seed(0)
    return tiny_llm()


def test_greedy_decoding_takes_the_most_probable_token_each_time(llm):
    ends = {*llm.tokens("\n"), llm.network.config.eos_token_id}
    for prompt, line in zip(PROMPTS, writing.continue_lines(llm, PROMPTS, most=6), strict=True):
        ids, said = llm.prompt_tokens(prompt), []
        while len(said) < 6:
            token = int(llm.network(input_ids=torch.tensor([ids + said])).logits[0, -1].argmax())
            if token in ends:
                break
            said.append(token)
        assert line == llm.tokenizer.decode(said)


def test_a_line_ends_at_a_line_break(llm):
    first = int(llm.next_token_logits(PROMPTS[:1])[0].argmax())
    llm.network.config.eos_token_id = first
    assert writing.continue_lines(llm, PROMPTS[:1]) == [""]


def test_table_to_text_never_shows_two_features_together(llm, monkeypatch):
    asked = []
    monkeypatch.setattr(
        writing, "continue_lines", lambda llm, p: asked.extend(p) or [f"{len(x)}." for x in p]
    )
    rows = [{"Age": 30, "Sex": "Male", "Race": None}, {"Age": 30}]
    texts = writing.table_to_text(llm, rows)
    assert [prompt.rsplit("\n\n", 1)[1] for prompt in asked] == [
        "- Age: 30\nText:",
        "- Sex: Male\nText:",
        "- Age: 30\nText:",
    ]
    assert texts[0].startswith(texts[1]) and len(texts[0].split()) == 2


def test_the_prompt_of_a_row_shows_two_rows_with_their_texts(llm, monkeypatch):
    monkeypatch.setattr(writing, "continue_lines", lambda llm, prompts: prompts)
    (prompt,) = writing.rewrite(llm, [{"Age": 30}])
    assert prompt.count("\nText: ") == 2 and prompt.endswith("\n\n- Age: 30\nText:")


ROW = {"Age": 40, "Marital status": "never married", "Work hours per week": 40, "Race": None}
KNOWN = ["married", "never married", "Male", "Female"]


@pytest.mark.parametrize(
    ("text", "lost", "invented"),
    [
        ("Never-married, 40 years, 40 hours", [], []),
        ("40 years, never married", ["40"], []),  # one 40 is not two
        ("40 years, married, 40 hours", ["never married"], ["married"]),
        ("A female of 41, never married: 40 or 40", [], ["41", "Female"]),
        ("", ["40", "40", "never married"], []),
        ("4040 nevermarried 40th", ["40", "40", "never married"], ["4040"]),
    ],
)
def test_what_is_lost_and_what_is_invented(text, lost, invented):
    assert writing.lost_and_invented(ROW, text, KNOWN) == (lost, invented)


def test_the_examples_and_the_template_keep_every_value():
    pool, _, _, _ = study.held_out_rows()
    known = study.written_values(pool)
    for text, person in writing.PEOPLE.items():
        row = dict(zip(writing.COLUMNS, person, strict=True))
        assert writing.lost_and_invented(row, text, known) == ([], [])
    for row in pool[writing.COLUMNS].head(50).to_dict("records"):
        assert writing.lost_and_invented(row, text_template(row), known) == ([], [])
