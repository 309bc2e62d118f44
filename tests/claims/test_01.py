"""What notebook 1 says, on fresh draws of rows."""

from functools import cache

import numpy as np
import torch

from claims import claim, notebook


@cache
def table():
    """The names of notebook 1 with its rows, their one-hot columns, and the model's opinion of them."""
    names = notebook(1, "pool, pool_labels, test")
    encode, scores = names["encode_frame"], names["study"].load_scores().scores
    names["features"], names["features_test"] = (
        encode(names[part], names["pool"]) for part in ("pool", "test")
    )
    names["opinion"], names["opinion_test"] = (
        torch.logit(scores[name].double(), eps=1e-9).float() for name in ("pool/0/0", "zero/0/0")
    )
    return names


@claim("1.9", "With 4 and with 16 rows the hybrid is ahead of one-hot LR in most draws")
def test_the_prior_helps_with_few_rows(seed):
    gains = [[table()["gain_of_the_prior"](k, 20 * seed + i) for i in range(20)] for k in (4, 16)]
    return (np.array(gains) > 0).mean(1).min() - 0.5


@claim("1.9", "with 64 rows little is left of the gain, with 256 nothing.")
def test_the_prior_is_worth_nothing_with_many_rows(seed):
    return 0.01 - abs(np.mean([table()["gain_of_the_prior"](256, 5 * seed + i) for i in range(5)]))


@claim("1.9", "with 4 rows it gains most on average")
def test_the_prior_gains_most_with_four_rows(seed):
    four, more = (
        np.mean([table()["gain_of_the_prior"](k, 100 * seed + i) for i in range(20)])
        for k in (4, 16)
    )
    return four - more


@claim("1.9", "Boosting is behind LR at all these sizes.", slow=True)
def test_boosting_is_behind_regression(seed):
    names, gaps = table(), []
    for k in names["study"].SHOTS:
        for draw in range(5):
            g = torch.Generator().manual_seed(5 * seed + draw)
            rows = names["balanced_sample"](names["pool_labels"], k, generator=g)
            given = names["features"][rows], names["pool_labels"][rows], names["features_test"]
            fits = names["tabular"].logistic_regression, names["tabular"].gradient_boosting
            lr, trees = (names["roc_auc"](fit(*given), names["labels"]).item() for fit in fits)
            gaps.append(lr - trees)
    return np.reshape(gaps, (-1, 5)).mean(1).min()


@claim("1.9", "Pretrained on the unlabelled rows it is clearly better with 16 labels", slow=True)
def test_pretraining_on_unlabelled_rows_helps(seed):
    names = table()
    names["numbers"], names["codes"], names["sizes"] = names["coded"](names["pool"], names["pool"])
    names["numbers_test"], names["codes_test"], _ = names["coded"](names["test"], names["pool"])
    state, gains = names["pretrained"](seed), []
    for draw in range(5):
        g = torch.Generator().manual_seed(5 * seed + draw)
        rows = names["balanced_sample"](names["pool_labels"], 16, generator=g)
        plain, better = (
            names["roc_auc"](names["tuned_network"](rows, draw, start), names["labels"]).item()
            for start in (None, state)
        )
        gains.append(better - plain)
    return np.mean(gains)
