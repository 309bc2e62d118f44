"""A row of a table as text: the methods compared by TabLLM, and a sentence for small models.

Hegselmann et al., "TabLLM: few-shot classification of tabular data with large language models",
AISTATS 2023. A row is a mapping from column names to values, for instance `frame.iloc[0].to_dict()`.
Missing values are left out: "The Native country is ." would be a statement about nothing.
"""

import math
import numbers
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    import pandas

Row = Mapping[str, Any]


def list_template(row: Row) -> str:
    """One line per feature, "- name: value", without those whose value is missing (None).

    >>> print(list_template({"Age": 39, "Race": "White"}))
    - Age: 39
    - Race: White
    """
    return "\n".join(f"- {name}: {value}" for name, value in known_values(row).items())


def text_template(row: Row) -> str:
    """One sentence per feature, "The name is value.", without those whose value is missing (None).

    >>> text_template({"Age": 39, "Race": "White"})
    'The Age is 39. The Race is White.'
    """
    return " ".join(f"The {name} is {value}." for name, value in known_values(row).items())


def values_only(row: Row) -> str:
    """The values alone, one per line: what a model can do without the names.

    >>> values_only({"Age": 39, "Race": "White"})
    '39\\nWhite'
    """
    return "\n".join(known_values(row).values())


def short_list(row: Row) -> str:
    """ "name: value" with commas between, in lower-case names: few tokens.

    >>> short_list({"Age": 39, "Race": "White"})
    'age: 39, race: White'
    """
    return ", ".join(f"{name.lower()}: {value}" for name, value in known_values(row).items())


def permuted_names(row: Row, *, seed: int = 0) -> str:
    """The list template with every value under another column's name, the same for all rows.

    >>> permuted_names({"Age": 39, "Race": "White"}).splitlines()
    ['- Age: White', '- Race: 39']
    """
    order = derangement(len(row), seed)
    names, values = list(row), list(row.values())
    return list_template({names[i]: values[order[i]] for i in range(len(names))})


class ValuePermutation:
    """For each column a fixed exchange of its values; numbers are exchanged by groups.

    A category becomes the category that the permutation assigns to it. A number becomes the median
    of the group (`bins` quantiles of the column, fewer where values are often equal) that the
    permutation assigns to its own. A classifier that learns from many rows loses little by it, but
    what a language model knows of the values is no help any more.
    Unseen categories and missing values stay as they are.
    """

    def __init__(self, frame: "pandas.DataFrame", *, seed: int = 0, bins: int = 10):
        from pandas.api.types import is_numeric_dtype

        self._maps: dict[str, Callable[[Any], Any]] = {}
        for offset, name in enumerate(frame.columns):
            values = frame[name].dropna()
            if is_numeric_dtype(values):
                self._maps[name] = _exchange_bins(values, bins, seed + offset)
            else:
                seen = sorted(values.unique(), key=str)
                order = derangement(len(seen), seed + offset)
                table = {seen[i]: seen[order[i]] for i in range(len(seen))}
                self._maps[name] = partial(lambda table, value: table.get(value, value), table)

    def __call__(self, row: Row) -> dict[str, Any]:
        """The row with its values exchanged."""
        return {
            name: value if is_missing(value) or name not in self._maps else self._maps[name](value)
            for name, value in row.items()
        }


def serialise(frame: "pandas.DataFrame", method: Callable[[Row], str]) -> list[str]:
    """The text of every row of a frame; no rows give an empty list.

    >>> import pandas as pd
    >>> serialise(pd.DataFrame({"Age": [39, 50]}), text_template)
    ['The Age is 39.', 'The Age is 50.']
    """
    if frame.shape[1] == 0:
        raise ValueError("expected a table with at least one column, got none")
    if not frame.columns.is_unique:
        raise ValueError(f"expected columns of different names, got {list(frame.columns)}")
    given, single = frame, [name for name in frame.columns if frame[name].dtype == "float32"]
    for name in single:  # as they are written: 0.1 in single precision is 0.10000000149 in double
        frame = frame.astype({name: float})
        frame[name] = [float(str(x)) for x in given[name].to_numpy()]
    return [method(row) for row in frame.to_dict("records")]


def known_values(row: Row) -> dict[str, str]:
    """Name -> value as text, without the missing ones; ValueError if none is left."""
    pairs = [(_on_one_line(n), format_value(v)) for n, v in row.items() if not is_missing(v)]
    known = dict(pairs)
    if len(known) < len(pairs):
        raise ValueError(f"expected names that read differently, got {list(row)}")
    if not known:
        raise ValueError(f"expected a row with at least one known value, got {dict(row)!r}")
    return known


def is_missing(value: Any) -> bool:
    """True for None, NaN, NaT and blank text. ValueError for lists and the like."""
    if isinstance(value, str):
        return not value.strip()
    import pandas as pd

    if pd.api.types.is_list_like(value):
        raise ValueError(f"expected one value in a cell, got {value!r}")
    return bool(pd.isna(value))


def format_value(value: Any) -> str:
    """A value as text on one line: 40.0 as 40, line breaks as spaces, all else as it is.

    >>> format_value(40.0), format_value(" New\\nYork "), format_value(0.1 + 0.2)
    ('40', 'New York', '0.3')
    """
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"expected finite numbers, got {number}: mark it as missing (NaN)")
        return str(int(number)) if number == int(number) else format(number, ".15g")
    return _on_one_line(value)


def _on_one_line(value: Any) -> str:
    return " ".join(str(value).split())


def derangement(n: int, seed: int) -> list[int]:
    """A random permutation of n without fixed points (for n = 1 there is none: [0])."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(n, generator=generator).tolist()
        if n < 2 or all(i != j for i, j in enumerate(order)):
            return order


def _exchange_bins(values: "pandas.Series", bins: int, seed: int) -> Callable[[Any], Any]:
    import pandas as pd

    if values.nunique() < 2:
        return lambda value: value
    if pd.qcut(values, bins, labels=False, duplicates="drop").nunique() < 3:
        values = values.drop_duplicates()  # nearly all are equal: tenths of the distinct values
    groups = values.groupby(pd.qcut(values, bins, labels=False, duplicates="drop"))
    medians, highest = groups.median().tolist(), torch.tensor(groups.max().tolist())
    order = derangement(len(medians), seed)

    def exchange(value: Any) -> Any:
        own = int((highest < float(value)).sum())
        return medians[order[min(own, len(medians) - 1)]]

    return exchange
