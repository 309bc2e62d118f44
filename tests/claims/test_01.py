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


@cache
def told():
    """What each text of a stored row lost and invented, and p(Yes) after it, by the kind of text."""
    names = table()
    rows = names["test"][names["writing"].COLUMNS].to_dict("records")
    known = names["study"].written_values(names["pool"])
    stored = names["study"].load_scores()
    texts = {
        "text template": [names["text_template"](row) for row in rows[: names["study"].WRITTEN]]
    }
    judge = names["writing"].lost_and_invented
    return {
        name: (
            [judge(row, text, known) for row, text in zip(rows, written, strict=False)],
            stored.scores[f"{name}, 7 columns/0/0"],
            [row["Sex"] for row in rows],
        )
        for name, written in (texts | stored.texts).items()
    }


def drawn(name, seed):
    """Of stored rows, drawn anew: what a kind of text lost and invented, and its AUC."""
    pairs, p, _ = told()[name]
    rows = np.random.default_rng(seed).integers(len(pairs), size=len(pairs))
    auc = table()["roc_auc"](p[rows], table()["labels"][rows]).item()
    return [pairs[i] for i in rows], auc


@claim("1.2", "is an alphabetical number, of which a linear model can make little.")
def test_an_ordinal_code_tells_a_linear_model_little(seed):
    names, g = table(), torch.Generator().manual_seed(seed)
    jobs, y, fit = names["pool"][["Occupation"]], names["pool_labels"], names["tabular"]
    train, test = torch.randperm(len(y), generator=g)[:2500].split((2000, 500))

    def above_guessing(encode):
        x = encode(jobs, jobs)
        p = fit.logistic_regression(x[train], y[train], x[test])
        return names["roc_auc"](p, y[test]).item() - 0.5

    return above_guessing(fit.encode_frame) / 2 - above_guessing(fit.encode_ordinal)


@claim("1.3", "Of whole rows only a minority survives")
def test_few_of_the_whole_rows_survive(seed):
    pairs, _ = drawn("LLM-written", seed)
    return 0.5 - np.mean([not any(pair) for pair in pairs])


@claim("1.3", "the employer is what is left out most often")
def test_the_employer_is_left_out_most_often(seed):
    lost = [value for pair in drawn("LLM-written", seed)[0] for value in pair[0]]
    employers = set(table()["pool"]["Work class"].dropna())
    return np.mean([value in employers for value in lost]) - 0.5


@claim("1.3", "nearly all that is invented stands in the last example of the prompt")
def test_what_is_invented_was_copied(seed):
    invented = [value for pair in drawn("LLM-written", seed)[0] for value in pair[1]]
    return np.mean([value in table()["writing"].BEN for value in invented]) - 0.9


@claim("1.3", '35 of these 57 women are called male, and 19 of those are "she" further on.')
def test_women_are_called_male(_):
    pairs, _, sexes = told()["LLM-written"]
    texts = table()["study"].load_scores().texts["LLM-written"]
    rows = zip(pairs, texts, sexes, strict=False)
    women = [(invented, text) for (_, invented), text, sex in rows if sex == "Female"]
    male = [set(text.lower().split()) for invented, text in women if "Male" in invented]
    she = sum(not words.isdisjoint({"she", "her"}) for words in male)
    return (len(women), len(male), she) == (57, 35, 19)


@claim("1.3", "The AUC is highest with single features all the same")
def test_single_features_are_read_best(seed):
    names = ("table-to-text", "text template", "LLM-written")
    single, *others = (drawn(name, seed)[1] for name in names)
    return single - max(others)


@claim(
    "1.9",
    "With 4 and with 16 rows the hybrid is ahead of one-hot LR on these held-out rows in most draws",
    slow=True,
)
def test_the_prior_helps_with_few_rows(seed):
    gains = [[table()["gain_of_the_prior"](k, 20 * seed + i) for i in range(20)] for k in (4, 16)]
    return (np.array(gains) > 0).mean(1).min() - 0.5


@claim("1.9", "with 64 rows little is left of the gain, with 256 nothing.", slow=True)
def test_the_prior_is_worth_nothing_with_many_rows(seed):
    little, nothing = (
        np.mean([table()["gain_of_the_prior"](k, draws * seed + i) for i in range(draws)])
        for k, draws in ((64, 20), (256, 5))
    )
    return min(0.02 - little, 0.01 - abs(nothing))


@claim("1.9", "with 4 rows it gains most on average", slow=True)
def test_the_prior_gains_most_with_four_rows(seed):
    four, more = (
        np.mean([table()["gain_of_the_prior"](k, 100 * seed + i) for i in range(20)])
        for k in (4, 16)
    )
    return four - more


@claim("1.9", "On average boosting is behind LR at all these sizes.", slow=True)
def test_boosting_is_behind_regression(seed):
    names, gaps = table(), []
    for k in names["study"].SHOTS:
        for draw in range(20):
            g = torch.Generator().manual_seed(20 * seed + draw)
            rows = names["balanced_sample"](names["pool_labels"], k, generator=g)
            given = names["features"][rows], names["pool_labels"][rows], names["features_test"]
            fits = names["tabular"].logistic_regression, names["tabular"].gradient_boosting
            lr, trees = (names["roc_auc"](fit(*given), names["labels"]).item() for fit in fits)
            gaps.append(lr - trees)
    return np.reshape(gaps, (-1, 20)).mean(1).min()


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


@claim("1.10", "Tuning on 64 rows brought the calibration error down on each of the five draws")
def test_tuning_brings_the_calibration_error_down(_):
    names, stored = table(), table()["study"].load_scores().scores
    error, labels = names["tabular"].calibration_error, names["labels"]
    actual = names["pool_labels"].float().mean().item()
    steps = [
        [stored["zero/0/0"], tuned, names["tabular"].shift_prior(tuned, trained=0.5, actual=actual)]
        for tuned in (stored[f"lora/64/{seed}"] for seed in names["study"].SEEDS)
    ]
    return min(-np.diff([error(p, labels) for p in draw]).max() for draw in steps)
