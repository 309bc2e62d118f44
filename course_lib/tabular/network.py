"""A small network on a table: an embedding of every feature, and pretraining by hiding some of them.

Each feature becomes a vector of its own, as in Gorishniy et al. 2021 ("Revisiting deep learning models
for tabular data"; they join the vectors by a transformer, here an MLP does). Pretraining hides features
and asks for them, which needs no labels (Devlin et al. 2019 do so with words).
"""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from course_lib.tabular.encodings import categories_of, ordinal, standardise

if TYPE_CHECKING:
    import pandas


def coded(
    frame: "pandas.DataFrame", fitted: "pandas.DataFrame"
) -> tuple[Float[Tensor, "n a"], Int[Tensor, "n c"], list[int]]:
    """Numbers standardised, categories as integers from 1 (0: missing or unseen), and how many each has.

    >>> import pandas as pd
    >>> coded(pd.DataFrame({"age": [20.0, 40.0], "job": ["vet", None]}), pd.DataFrame(
    ...     {"age": [20.0, 40.0], "job": ["vet", "cook"]}))
    (tensor([[-1.],
            [ 1.]]), tensor([[2],
            [0]]), [3])
    """
    from pandas.api.types import is_numeric_dtype

    numeric = [is_numeric_dtype(fitted[name]) for name in fitted.columns]
    if all(numeric) or not any(numeric):
        raise ValueError(
            f"expected columns of numbers and of text, got {len(numeric)} of one kind alone"
        )
    numbers, codes, sizes = [], [], []
    for name in fitted.columns:
        if is_numeric_dtype(fitted[name]):
            both = [torch.tensor(t[name].astype(float).tolist()) for t in (frame, fitted)]
            numbers.append(standardise(*both))
        else:
            categories = categories_of(fitted[name])
            codes.append(ordinal(frame[name].tolist(), categories) + 1)
            sizes.append(len(categories) + 1)
    return torch.stack(numbers, dim=1), torch.stack(codes, dim=1), sizes


class FeatureNetwork(nn.Module):
    """From a row's numbers (n, a) and codes (n, c) to features (n, width); `head` makes a logit of them.

    Features that are `hidden` (n, a + c) get a learned vector instead of their own.
    """

    def __init__(self, numbers: int, sizes: list[int], d: int = 16, width: int = 64):
        super().__init__()
        features = numbers + len(sizes)
        self.sizes = [numbers, *sizes]
        self.scale = nn.Parameter(0.1 * torch.randn(numbers, d))
        self.shift = nn.Parameter(torch.zeros(numbers, d))
        tables = [nn.Embedding(size, d) for size in sizes]
        for table in tables:
            nn.init.normal_(table.weight, std=0.1)
        self.tables = nn.ModuleList(tables)
        self.mask = nn.Parameter(0.1 * torch.randn(features, d))
        first, second = nn.Linear(features * d, width), nn.Linear(width, width)
        self.body = nn.Sequential(first, nn.ReLU(), nn.Dropout(0.1), second, nn.ReLU())
        self.head, self.guess = nn.Linear(width, 1), nn.Linear(width, sum(self.sizes))

    def forward(
        self,
        numbers: Float[Tensor, "n a"],
        codes: Int[Tensor, "n c"],
        hidden: Bool[Tensor, "n f"] | None = None,
    ) -> Float[Tensor, "n width"]:
        vectors = [table(column) for table, column in zip(self.tables, codes.T, strict=True)]
        known = torch.stack(vectors, dim=1)  # (n, c, d)
        embedded = torch.cat([numbers[:, :, None] * self.scale + self.shift, known], dim=1)
        if hidden is not None:
            embedded = torch.where(hidden[:, :, None], self.mask, embedded)
        return self.body(embedded.flatten(1))

    def hidden_loss(
        self, numbers: Float[Tensor, "n a"], codes: Int[Tensor, "n c"], hidden: Bool[Tensor, "n f"]
    ) -> Float[Tensor, ""]:
        """How badly the hidden features are guessed from the others.

        The mean squared error of numbers, plus the mean cross-entropy of each column of categories.
        """
        first, *rest = self.guess(self(numbers, codes, hidden)).split(self.sizes, dim=1)
        share = hidden.float() / hidden.sum(0).clamp(min=1)  # (n, f): of each column's hidden rows
        count = numbers.shape[1]
        loss = ((first - numbers).square() * share[:, :count]).sum() / count
        for logits, column, weight in zip(rest, codes.T, share.T[count:], strict=True):
            each = nn.functional.cross_entropy(logits, column, reduction="none")
            loss = loss + (each * weight).sum()
        return loss
