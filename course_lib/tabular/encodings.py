"""A table of numbers and categories as a matrix: four ways to encode a column."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:  # pandas takes long to import: where it is not needed, nobody waits for it
    import pandas


def standardise(values: Float[Tensor, "n"], fitted: Float[Tensor, "m"]) -> Float[Tensor, "n"]:
    """Numbers with the mean and standard deviation of the fitted ones: (x - mean) / deviation.

    The deviation divides by m. A missing value (NaN) becomes 0, the mean; a constant column becomes
    zeros.

    >>> standardise(torch.tensor([1.0, 3.0, torch.nan]), torch.tensor([1.0, 3.0]))
    tensor([-1.,  1.,  0.])
    """
    check_numbers(values, fitted)
    known = fitted[~fitted.isnan()]
    deviation = known.std(correction=0)
    scaled = (values - known.mean()) / torch.where(deviation > 0, deviation, 1)
    return scaled.nan_to_num(nan=0.0)


def check_numbers(values: Float[Tensor, "n"], fitted: Float[Tensor, "m"]) -> None:
    """Raise ValueError where nothing is known to fit to, and for infinities."""
    if bool(fitted.isnan().all()):
        raise ValueError("expected at least one known value to fit to, got none")
    if bool(fitted.isinf().any()) or bool(values.isinf().any()):
        raise ValueError("expected finite numbers, got infinity: mark it as missing (NaN)")


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
    what the test rows would tell is not known at training time. A missing number becomes 0 after
    standardising; a missing or unknown category is a row of zeros.

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
            numbers = [torch.tensor(t[name].astype(float).tolist()) for t in (frame, fitted)]
            blocks.append(standardise(*numbers)[:, None])
        else:
            blocks.append(one_hot(frame[name].tolist(), sorted(fitted[name].dropna().unique())))
    return torch.cat(blocks, dim=1)


def check_frames(frame: "pandas.DataFrame", fitted: "pandas.DataFrame") -> None:
    """Raise ValueError for other columns, infinities, and text mixed with numbers, by their column."""
    from pandas.api.types import is_numeric_dtype

    if list(frame.columns) != list(fitted.columns) or frame.shape[1] == 0:
        raise ValueError(f"expected columns {list(fitted.columns)}, got {list(frame.columns)}")
    for name in fitted.columns:
        if not is_numeric_dtype(fitted[name]):
            categories_of(fitted[name])
            continue
        try:
            check_numbers(*(torch.tensor(t[name].astype(float).tolist()) for t in (frame, fitted)))
        except ValueError as error:
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

    ValueError for text mixed with numbers: a word among the numbers would make a category of each.
    """
    seen = column.dropna().unique().tolist()
    words = [value for value in seen if isinstance(value, str)]
    if 0 < len(words) < len(seen):
        other = next(value for value in seen if not isinstance(value, str))
        raise ValueError(
            f"column {column.name!r}: expected numbers or text, got both ({other!r} and {words[0]!r}): "
            "mark what is no value as missing"
        )
    return sorted(seen)
