"""A table of numbers and categories as a matrix: four ways to encode a column."""

import re
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.stable import in_single

_NUMBER = re.compile(  # 1.5 and 1,5, .5, 2e-4, $1,200.50, 12 %; not 12, which may be a code
    r"\s*[+-]?([$€£]\s*\d[\d.,]*|\d+[.,][\d.,]*|[.,]\d+|\d+(?=[eE][+-]?\d|\s*%))"
    r"([eE][+-]?\d+)?\s*%?\s*"
)

if TYPE_CHECKING:  # pandas takes long to import: where it is not needed, nobody waits for it
    import pandas


@in_single
def standardise(values: Float[Tensor, "n"], fitted: Float[Tensor, "m"]) -> Float[Tensor, "n"]:
    """Numbers with the mean and standard deviation of the fitted ones: (x - mean) / deviation.

    The deviation divides by m. A missing value (NaN) becomes 0, the mean; a constant column becomes
    zeros.

    >>> standardise(torch.tensor([1.0, 3.0, torch.nan]), torch.tensor([1.0, 3.0]))
    tensor([-1.,  1.,  0.])
    """
    check_numbers(values, fitted)
    known = fitted[~fitted.isnan()]
    mean, deviation = mean_and_deviation(known)
    scaled = (values - mean) / torch.where(deviation > 0, deviation, 1)
    return scaled.nan_to_num(nan=0.0)


def mean_and_deviation(
    rows: Float[Tensor, "m *d"],
) -> tuple[Float[Tensor, "*d"], Float[Tensor, "*d"]]:
    """Of each column; the deviation divides by m, and is 0 where all values are the same."""
    mean = rows.mean(0).clamp(rows.amin(0), rows.amax(0))  # rounded, it may lie outside
    return mean, (rows - mean).square().mean(0).sqrt()


def check_numbers(values: Float[Tensor, "n"], fitted: Float[Tensor, "m"]) -> None:
    """Raise ValueError where nothing is known to fit to, and for infinities."""
    if bool(fitted.isnan().all()):
        raise ValueError("expected at least one known value to fit to, got none")
    largest = max(float(x.nan_to_num().abs().max()) for x in (values, fitted) if len(x))
    if largest >= torch.finfo(torch.float32).max:
        raise ValueError(
            "expected finite numbers, got infinity or one beyond single precision: mark it as NaN"
        )


def ordinal(values: list, categories: list) -> Int[Tensor, "n"]:
    """The position of each value in the list of categories; unseen and missing values get -1.

    >>> ordinal(["b", "a", None, "z"], ["a", "b"])
    tensor([ 1,  0, -1, -1])
    """
    place = {category: i for i, category in enumerate(categories)}
    return torch.tensor([place.get(value, -1) for value in values], dtype=torch.long)


def one_hot(values: list, categories: list) -> Float[Tensor, "n k"]:
    """A column of ones and zeros per category; unseen and missing values are all zeros.

    >>> one_hot(["b", "z"], ["a", "b"])
    tensor([[0., 1.],
            [0., 0.]])
    """
    place = ordinal(values, categories)
    return (place[:, None] == torch.arange(len(categories))).float()


def encode_frame(frame: "pandas.DataFrame", fitted: "pandas.DataFrame") -> Float[Tensor, "n d"]:
    """A mixed table as a matrix: numbers standardised, categories one-hot, in the columns' order.

    Means, deviations and the sorted list of categories come from `fitted` (the training rows) alone:
    what the test rows would tell is not known at training time. Both tables have the same columns. The
    deviation divides by the number of known values; a constant column becomes zeros. A missing number
    becomes 0 after standardising; a missing or unknown category is a row of zeros.

    >>> import pandas as pd
    >>> train = pd.DataFrame({"age": [20, 40], "job": ["cook", "vet"]})
    >>> encode_frame(pd.DataFrame({"age": [30], "job": ["vet"]}), train)
    tensor([[0., 0., 1.]])
    """
    from pandas.api.types import is_numeric_dtype

    check_frames(frame, fitted)
    blocks = []
    for name in frame.columns:
        if is_numeric_dtype(fitted[name]):
            # in double precision: single would round seconds since 1970 to minutes
            numbers = [
                torch.tensor(t[name].astype(float).tolist(), dtype=torch.double)
                for t in (frame, fitted)
            ]
            blocks.append(standardise(*numbers).float()[:, None])
        else:
            blocks.append(one_hot(frame[name].tolist(), sorted(fitted[name].dropna().unique())))
    return torch.cat(blocks, dim=1)


def check_frames(frame: "pandas.DataFrame", fitted: "pandas.DataFrame") -> None:
    """Raise ValueError for what cannot be encoded or would be wrongly, by its column.

    | what | how |
    |---|---|
    | numbers, also nullable ones; True and False | numbers |
    | text, the dtype category | categories |
    | None, NaN, NA | missing |
    | infinities, text mixed with numbers, numbers kept as objects | refused |
    | text of which most is numbers with a point, a comma or a sign (1,5 and 12.5 % and "?") | refused |
    | dates, periods, durations, complex numbers, lists in cells | refused |
    | other columns than were fitted, two of one name, numbers where text was fitted | refused |
    """
    from pandas.api.types import is_numeric_dtype

    if list(frame.columns) != list(fitted.columns) or frame.shape[1] == 0:
        raise ValueError(f"expected columns {list(fitted.columns)}, got {list(frame.columns)}")
    if not frame.columns.is_unique:
        raise ValueError(f"expected columns of different names, got {list(frame.columns)}")
    for name in fitted.columns:
        given = frame[name]
        try:
            if is_numeric_dtype(fitted[name]) and fitted[name].dtype.kind != "c":
                columns = (given.astype(float), fitted[name].astype(float))
                check_numbers(*(torch.tensor(column.to_numpy()) for column in columns))
                continue
            known = categories_of(fitted[name])
            is_text = bool(known) and isinstance(known[0], str)
            if is_text and is_numeric_dtype(given) and given.notna().any():
                raise ValueError(f"expected text, as in the fitted rows, got {given.dtype}")
        except (TypeError, ValueError) as error:
            raise ValueError(f"column {name!r}: {error}") from error


def encode_ordinal(frame: "pandas.DataFrame", fitted: "pandas.DataFrame") -> Float[Tensor, "n d"]:
    """As `encode_frame`, with each category's position in the sorted list instead of a one-hot row.

    The order of the alphabet says nothing, but a linear model must take it at its word.
    """
    from pandas.api.types import is_numeric_dtype

    coded = [frame.copy(), fitted.copy()]
    for name in fitted.columns:
        if not is_numeric_dtype(fitted[name]):
            categories = categories_of(fitted[name])
            for table in coded:
                table[name] = ordinal(table[name].tolist(), categories).double().numpy()
    return encode_frame(*coded)


def categories_of(column: "pandas.Series") -> list:
    """The different values of a column in order, missing ones left out.

    ValueError for what would make a category of each number: text mixed with numbers, numbers as
    text, numbers kept as objects, dates; and for cells that hold a list.
    """
    if column.dtype.kind in "mMc":
        raise ValueError(f"expected numbers or text, got {column.dtype}: make numbers of it first")
    try:
        seen = list(dict.fromkeys(column.dropna().tolist()))
    except TypeError as error:
        raise ValueError(f"expected one value in a cell ({error})") from None
    words = [value for value in seen if isinstance(value, str)]
    others = [value for value in seen if not isinstance(value, str)]
    if words and others:
        raise ValueError(
            f"expected numbers or text, got both ({others[0]!r} and {words[0]!r}): mark what is no "
            "value as missing"
        )
    written = [word for word in words if _NUMBER.fullmatch(word)]
    if 2 * len(written) > len(words):
        raise ValueError(
            f"expected numbers or text, got numbers as text ({written[0]!r}): make numbers of them, and "
            "mark what is none as missing"
        )
    if any(hasattr(value, "year") for value in others):
        raise ValueError(f"expected numbers or text, got {column.dtype}: make numbers of it first")
    if column.dtype == object and any(not isinstance(value, bool) for value in others):
        raise ValueError(
            f"expected numbers or text, got objects ({others[0]!r}): use astype(float)"
        )
    return sorted(seen)
