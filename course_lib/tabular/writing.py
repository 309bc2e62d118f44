"""A row's text written by a language model, and what became of the row's values on the way.

TabLLM (Hegselmann et al. 2023) lets models write, too: one feature at a time ("table-to-text", with a
small model tuned on tables), or the whole row (GPT-3). Here the model at hand does both from examples.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Any

import torch

from course_lib.tabular.llm import LanguageModel, as_prompts
from course_lib.tabular.serialise import Row, known_values, list_template

# fmt: off
COLUMNS = [
    "Age", "Sex", "Marital status", "Occupation", "Work class", "Education", "Work hours per week",
]
ANNE = 52, "Female", "divorced", "sales", "self-employed, incorporated", "some college, no degree", 45
BEN = 27, "Male", "never married", "transport and moving", "local government", "11th", 38
# Invented people. On 16 rows of the pool a third example lost as much, and had more values invented.
PEOPLE = {
    "This female person is 52 years old and divorced. She works 45 hours per week in sales "
    "(self-employed, incorporated). Her education is: some college, no degree.": ANNE,
    "This 27 year old male person was never married. He works in transport and moving for the local "
    "government, 38 hours per week, and his education is: 11th.": BEN,
}
FEATURES = {
    "This person is 52 years old.": {"Age": 52},
    "This person is divorced.": {"Marital status": "divorced"},
    "This person works in transport and moving.": {"Occupation": "transport and moving"},
    "The education of this person is some college, no degree.": {"Education": ANNE[5]},
}
# fmt: on


def rewrite(llm: LanguageModel, rows: Sequence[Row]) -> list[str]:
    """A text of each whole row, written by the model after two examples in the prompt."""
    people = {text: dict(zip(COLUMNS, person, strict=True)) for text, person in PEOPLE.items()}
    return continue_lines(llm, [_prompt(row, people) for row in rows])


def table_to_text(llm: LanguageModel, rows: Sequence[Row]) -> list[str]:
    """A text of each row, a sentence for each feature: the model never sees two of them together."""
    features = [[{name: value} for name, value in known_values(row).items()] for row in rows]
    prompts = [_prompt(feature, FEATURES) for row in features for feature in row]
    written = iter(continue_lines(llm, prompts))
    return [" ".join(next(written) for _ in row) for row in features]


def _prompt(row: Row, examples: dict) -> str:
    shown = "".join(f"{list_template(given)}\nText: {text}\n\n" for text, given in examples.items())
    return f"Rewrite all list items as a natural text.\n\n{shown}{list_template(row)}\nText:"


@torch.no_grad()
def continue_lines(llm: LanguageModel, prompts: Sequence[str], *, most: int = 80) -> list[str]:
    """The rest of the line that each prompt begins, of at most `most` tokens.

    *Greedy decoding*: the most probable token is appended, and the next one asked for. Equal prompts
    are answered once.
    """
    network: Any = llm.network
    ends = {llm.tokens(end)[-1] for end in ("\n", "\n\n")}
    last = network.config.eos_token_id  # some models have none, or several
    ends |= {last} if isinstance(last, int) else set(last or ())
    waiting = sorted(dict.fromkeys(as_prompts(prompts)), key=lambda prompt: len(llm.tokens(prompt)))
    lines = {}
    for start in range(0, len(waiting), 16):
        rows = [llm.prompt_tokens(prompt) for prompt in waiting[start : start + 16]]
        longest = max(map(len, rows))  # padded on the left: all go on at the same place
        ids = torch.tensor([[0] * (longest - len(row)) + row for row in rows], device=llm.device)
        own = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows]).to(ids)
        options = {"max_new_tokens": most, "eos_token_id": sorted(ends), "pad_token_id": 0}
        answers = network.generate(ids, attention_mask=own, do_sample=False, **options)
        for prompt, line in zip(waiting[start:], answers[:, longest:].tolist(), strict=False):
            said = list(takewhile(lambda token: token not in ends, line))
            lines[prompt] = llm.tokenizer.decode(said).strip()
    return [lines[prompt] for prompt in prompts]


def lost_and_invented(row: Row, text: str, known: Iterable[str]) -> tuple[list[str], list[str]]:
    """The values of a row that its text does not say, and those that it says but the row has not.

    A value is said if it stands there word for word; capitals and signs do not count. Invented can be
    numbers and the `known` values of the columns. More may be wrong than is found: values exchanged
    between columns, and words of which no column knows, are not.

    >>> lost_and_invented({"Age": 39, "Sex": "Male"}, "A woman (female) of 39, 2 times wed", ["Female"])
    (['Male'], ['2', 'Female'])
    """
    own, left, said = list(known_values(row).values()), _plain(text), Counter[str]()
    for value in sorted({*known, *own}, key=len, reverse=True):  # "never married" before "married"
        left, said[value] = re.subn(rf"\b{re.escape(_plain(value))}\b", "|", left)
    said.update(re.findall(r"\b\d+\b", left))
    return sorted((Counter(own) - said).elements()), sorted(set(+said) - set(own))


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
