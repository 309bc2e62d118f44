"""The question that turns a description into a classification task."""

from inspect import signature


def build_prompt(
    text: str,
    question: str = "Does this person earn more than 50000 dollars per year?",
    *,
    gap: str = " ",
) -> str:
    """The description, an empty line, the question, "Yes or no?", and the word "Answer:".

    `gap` stands before "Answer:": a space as on the slide, or a line break as in TabLLM's files; to a
    small model that is not the same. The prompt ends in "Answer:" without a space, which belongs to
    the answer's first token: " Yes" or " No". The slide leaves out "per year"; TabLLM has it.

    >>> build_prompt("The Age is 39.", "Is this person rich?")
    'The Age is 39.\\n\\nIs this person rich? Yes or no? Answer:'
    """
    text, question = text.strip(), question.strip()
    if not text or not question:
        raise ValueError(f"expected a description and a question, got {text!r} and {question!r}")
    return f"{text}\n\n{question} Yes or no?{gap}Answer:"


QUESTION = signature(build_prompt).parameters["question"].default
