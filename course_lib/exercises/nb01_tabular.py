"""Notebook 01, tables as text: encodings, templates, the prompt."""

from typing import TYPE_CHECKING

import torch

from course_lib import tabular
from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.tabular import one_hot, standardise

if TYPE_CHECKING:
    import pandas

# Encodings

JOBS = ["baker", "cook", "nurse", "vet"]


def frames(n: int, m: int, jobs: int = 4):
    """A maker of two shuffled tables, the second to fit to; it may lack jobs. One column is constant."""

    def make(g):
        import pandas as pd

        def table(rows: int, kinds: int) -> "pandas.DataFrame":
            picks = torch.randint(0, kinds, (rows,), generator=g).tolist()
            return pd.DataFrame(
                {
                    "age": torch.randint(18, 80, (rows,), generator=g).tolist(),
                    "job": [JOBS[i] for i in picks],
                    "hours": (torch.rand(rows, generator=g) * 40).tolist(),
                    "children": [2] * rows,
                },
                index=(50 + torch.randperm(rows, generator=g)).tolist(),
            )

        return table(n, 4), table(m, jobs)

    return make


def two_columns(_):
    """A row and two training rows that can be encoded in the head."""
    import pandas as pd

    train = pd.DataFrame({"age": [20, 40], "job": ["cook", "vet"]})
    return pd.DataFrame({"age": [30], "job": ["vet"]}), train


def _encode(frame, fitted, scale=standardise, hot=one_hot, order=sorted, numbers_first=False):
    """The reference with its parts exchanged."""
    from pandas.api.types import is_numeric_dtype

    numbers: list = []
    blocks: list = []
    for name in frame.columns:
        if is_numeric_dtype(fitted[name]):
            pair = (torch.tensor(t[name].astype(float).tolist()) for t in (frame, fitted))
            (numbers if numbers_first else blocks).append(scale(*pair)[:, None])
        else:
            blocks.append(hot(frame[name].tolist(), order(fitted[name].dropna().unique())))
    return torch.cat(numbers + blocks, 1)


# fmt: off
ENCODE_MISTAKES = mistakes({
    "fitted to the test rows": (lambda frame, fitted: _encode(frame, frame),
        "You took means and categories from `frame` itself. Take them from `fitted`: what the "
        "test rows would tell is not known at training time."),
    "numbers as they are": (
        lambda frame, fitted: _encode(frame, fitted, scale=lambda x, f: x.nan_to_num(0.0)),
        "Your numbers are not standardised: subtract the mean of `fitted`, divide by its "
        "deviation."),
    "only centred": (
        lambda frame, fitted: _encode(
            frame, fitted, scale=lambda x, f: (x - f.nanmean()).nan_to_num(0.0)
        ),
        "You subtracted the mean but did not divide by the standard deviation."),
    "deviation with n - 1": (lambda frame, fitted: _encode(frame, fitted, scale=_sample_deviation),
        "You divided by the deviation with n − 1, torch's default. Here it is the one with n: "
        "`std(correction=0)`, which `standardise` uses."),
    "ordinal numbers": (
        lambda frame, fitted: _encode(
            frame,
            fitted,
            hot=lambda v, c: one_hot(v, c) @ torch.arange(len(c)).float()[:, None],
        ),
        "You numbered the categories. That says that a vet is three times a cook: use one "
        "column of zeros and ones per category."),
    "numbers first": (lambda frame, fitted: _encode(frame, fitted, numbers_first=True),
        "You put all numbers before all categories. The blocks stand in the order of the columns."),
    "order of appearance": (lambda frame, fitted: _encode(frame, fitted, order=list),
        "Your categories stand in the order in which they appear: sort them."),
    "zero before standardising": (
        lambda frame, fitted: _encode(
            frame, fitted, scale=lambda x, f: standardise(x.nan_to_num(0.0), f)
        ),
        "You put 0 for a missing number and then standardised it. It becomes 0, the mean, "
        "*after* that."),
})
# fmt: on

ENCODE = Exercise(
    name="encode_frame",
    reference=tabular.encode_frame,
    points=2,
    cases=(
        Case("one row, two columns", two_columns, fixed=True),
        Case("a mixed table", frames(6, 9)),
        Case("jobs that the training rows lack", frames(8, 6, jobs=2)),
        Case("missing values", lambda g: _with_gaps(frames(5, 7)(g))),
    ),
    misconceptions=ENCODE_MISTAKES,
    hints=(
        "Go through `frame.columns` and make one block of columns for each; join them at the end.",
        "`pd.api.types.is_numeric_dtype(fitted[name])` tells numbers from categories. `standardise` and "
        "`one_hot` do the work; the categories are `sorted(fitted[name].dropna().unique())`.",
        "A numeric block is `standardise(x, f)[:, None]` with x and f tensors of `frame[name]` and "
        "`fitted[name]`; the answer is `torch.cat(blocks, dim=1)`.",
    ),
)


def _with_gaps(pair: tuple) -> tuple:
    frame, fitted = (table.astype({"age": float}) for table in pair)
    for table, (age, job) in ((frame, (1, 2)), (fitted, (0, 3))):
        table.loc[table.index[age], "age"], table.loc[table.index[job], "job"] = float("nan"), None
    return frame, fitted


def _sample_deviation(x, f):
    known = f[~f.isnan()]
    deviation = known.std()
    return ((x - known.mean()) / torch.where(deviation > 0, deviation, 1)).nan_to_num(0.0)


# Templates

NAMES = ["Age", "Race", "Sex", "Occupation", "Work hours per week"]


def rows(known: int, missing: int = 0):
    """A maker of a row with some values missing (None)."""

    def make(g):
        numbers = torch.randint(1, 90, (known + missing,), generator=g).tolist()
        values = [n if i % 2 else JOBS[n % 4] for i, n in enumerate(numbers)]
        gaps = set(torch.randperm(len(values), generator=g)[:missing].tolist())
        return ({NAMES[i]: None if i in gaps else v for i, v in enumerate(values)},)

    return make


ROW_CASES = (
    Case("two columns", lambda g: ({"Age": 39, "Race": "White"},), fixed=True),
    Case("a zero, a half", lambda g: ({"Age": 39, "Capital gain": 0, "Hours": 7.5},), fixed=True),
    Case("four columns", rows(4)),
    Case("a missing value", rows(3, missing=1)),
    Case("two missing values", rows(3, missing=2)),
)


def _known(row: dict) -> list[tuple]:
    return [(name, value) for name, value in row.items() if value is not None]


# fmt: off
LIST_MISTAKES = mistakes({
    "zero left out": (
        lambda row: "\n".join(f"- {name}: {value}" for name, value in row.items() if value),
        "You left out a value that is 0: `if value` is False for 0 too. Only None is missing: "
        "`is not None`."),
    "value first": (lambda row: "\n".join(f"- {value}: {name}" for name, value in _known(row)),
        "Name and value are exchanged: a pair of `row.items()` is (name, value)."),
    "missing values written": (
        lambda row: "\n".join(f"- {name}: {value}" for name, value in row.items()),
        'You wrote "None" for a missing value. Leave its line out: the model may take it for a fact.'),
    "missing values left empty": (
        lambda row: "\n".join(
            f"- {name}: {'' if value is None else value}" for name, value in row.items()
        ),
        "You left the value empty but kept its line, as TabLLM's code does. Leave the line out."),
    "line break at the end": (
        lambda row: "".join(f"- {name}: {value}\n" for name, value in _known(row)),
        "There is a line break after the last line. Breaks stand *between* lines: "
            '`"\\n".join(lines)`.'),
    "no dashes": (lambda row: "\n".join(f"{name}: {value}" for name, value in _known(row)),
        'Each line begins with "- ": a dash and a space.'),
    "no space after the colon": (
        lambda row: "\n".join(f"- {name}:{value}" for name, value in _known(row)),
        "A space is missing after the colon. Tokens such as ` White` contain their leading space."),
})
# fmt: on

LIST = Exercise(
    name="list_template",
    reference=tabular.list_template,
    cases=ROW_CASES,
    misconceptions=LIST_MISTAKES,
    hints=(
        "`row.items()` gives pairs of name and value. Which pairs do you want to keep?",
        '`f"- {name}: {value}"` is a line; `"\\n".join(lines)` puts line breaks between lines.',
    ),
)

# fmt: off
TEXT_MISTAKES = mistakes({
    "zero left out": (
        lambda row: " ".join(f"The {name} is {value}." for name, value in row.items() if value),
        "You left out a value that is 0: `if value` is False for 0 too. Only None is missing: "
        "`is not None`."),
    "no space between": (
        lambda row: "".join(f"The {name} is {value}." for name, value in _known(row)),
        "A space is missing between the sentences."),
    "missing values written": (
        lambda row: " ".join(f"The {name} is {value}." for name, value in row.items()),
        'You wrote "is None." for a missing value. Leave the sentence out.'),
    "missing values left empty": (
        lambda row: " ".join(
            f"The {name} is {'' if value is None else value}." for name, value in row.items()
        ),
        'You kept the sentence of a missing value, "The … is .", as TabLLM\'s code does. Leave it out.'),
    "space at the end": (
        lambda row: "".join(f"The {name} is {value}. " for name, value in _known(row)),
        "There is a space after the last sentence. Spaces stand *between* sentences."),
    "one sentence per line": (
        lambda row: "\n".join(f"The {name} is {value}." for name, value in _known(row)),
        "You put each sentence on its own line; they are joined by a space."),
    "one full stop": (
        lambda row: ", ".join(f"The {name} is {value}" for name, value in _known(row)) + ".",
        "You made one sentence of all. Each feature has its own, with a full stop; a space between."),
    "lower-case names": (
        lambda row: " ".join(f"The {name.lower()} is {value}." for name, value in _known(row)),
        "You changed the column names to lower case. They are used as they are."),
})
# fmt: on

TEXT = Exercise(
    name="text_template",
    reference=tabular.text_template,
    cases=ROW_CASES,
    misconceptions=TEXT_MISTAKES,
    hints=(
        "The same pairs as in the list template, in sentences.",
        '`" ".join(f"The {name} is {value}." for name, value in ...)`',
    ),
)

# The prompt


def texts(gap: str):
    """A maker of a description, a question and what stands before "Answer:"."""

    def make(g):
        age = int(torch.randint(18, 90, (1,), generator=g))
        sum_ = 1000 * int(torch.randint(10, 90, (1,), generator=g))
        return f"The Age is {age}.", f"Does this person earn more than {sum_} dollars?", gap

    return make


def _ask(candidate, text, question, gap):
    """Call it with those options that are not None."""
    positional = () if question is None else (question,)
    return candidate(text, *positional, **({} if gap is None else {"gap": gap}))


Q = tabular.QUESTION


# fmt: off
PROMPT_MISTAKES = mistakes({
    "gap before the answers": (
        lambda t, q=Q, gap=" ": f"{t}\n\n{q}{gap}Yes or no? Answer:",
        '`gap` stands before "Answer:", not before "Yes or no?".'),
    "question ignored": (
        lambda t, q=Q, gap=" ": f"{t}\n\n{Q} Yes or no?{gap}Answer:",
        "You always ask about 50,000 dollars: ask `question`."),
    "space at the end": (
        lambda t, q=Q, gap=" ": f"{t}\n\n{q} Yes or no?{gap}Answer: ",
        'Your prompt ends in a space. It belongs to the answer\'s token, " Yes"; with yours '
            "the model expects a word without one, and p(Yes) changes."),
    "no empty line": (lambda t, q=Q, gap=" ": f"{t}\n{q} Yes or no?{gap}Answer:",
        "Between description and question stands an *empty* line: two line breaks."),
    "one line": (lambda t, q=Q, gap=" ": f"{t} {q} Yes or no?{gap}Answer:",
        "Description and question stand in one line; put an empty line between them."),
    "without the answers": (lambda t, q=Q, gap=" ": f"{t}\n\n{q}{gap}Answer:",
        'You left out "Yes or no?", which tells the model what words to answer with.'),
    "gap ignored": (lambda t, q=Q, gap=" ": f"{t}\n\n{q} Yes or no? Answer:",
        'You always put a space before "Answer:". Put `gap` there.'),
    "question first": (lambda t, q=Q, gap=" ": f"{q} Yes or no?\n\n{t}{gap}Answer:",
        "The description comes first, then the question, so that the answer follows the question."),
})
# fmt: on

PROMPT = Exercise(
    name="build_prompt",
    reference=tabular.build_prompt,
    cases=(
        Case(
            "the question and the gap left to their defaults",
            lambda g: ("The Age is 39.", None, None),
            fixed=True,
        ),
        Case("another question", texts(" ")),
        Case("a line break before Answer:", texts("\n")),
        Case("nothing before Answer:", texts("")),
    ),
    call=_ask,
    misconceptions=PROMPT_MISTAKES,
    hints=(
        "One f-string is enough. `\\n` is a line break.",
        '`f"{text}\\n\\n{question} Yes or no?{gap}Answer:"`',
    ),
)
