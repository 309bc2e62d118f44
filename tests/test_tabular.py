"""Tables as text: rows, serialisation, prompts, encodings, scores; no language model is needed."""

import gzip

import numpy as np
import pandas as pd
import pytest
import torch

from course_lib.tabular import (
    ValuePermutation,
    balanced_sample,
    build_prompt,
    calibration,
    calibration_error,
    encode_frame,
    encode_ordinal,
    gradient_boosting,
    list_template,
    load_adult,
    logistic_regression,
    natural_sentence,
    on_features,
    one_hot,
    permuted_names,
    roc_auc,
    serialise,
    shift_prior,
    short_list,
    slide_table,
    split,
    standardise,
    text_template,
    values_only,
    with_prior,
)
from course_lib.tabular.rows import NAMES, ORDER, read_adult

PERSON = {"Age": 39, "Race": "White", "Sex": "Male"}
SERIALISERS = [list_template, text_template, values_only, short_list, permuted_names]


# ---- the tables


def test_the_slides_table_has_four_labelled_rows_and_one_to_predict():
    table = slide_table()
    assert table["age"].tolist() == [39, 36, 64, 29, 42]
    assert table["gain"].tolist() == [2174, 0, 0, 1086, 594]
    assert table["income"].notna().tolist() == [True] * 4 + [False]


def test_the_sample_has_the_original_shares():
    frame, labels = load_adult()
    assert len(frame) == len(labels) == 8141
    assert list(frame.columns) == ORDER
    assert abs(labels.float().mean() - 0.2408) < 0.01  # 7,841 of 32,561
    assert frame["Native country"].isna().any()
    assert not frame.isin(["?", " ?"]).any().any()
    first = frame.iloc[0]  # the first line of the data set, and the slide's first row
    assert (first["Age"], first["Capital gain last year"]) == (39, 2174)
    assert first["Education"] == "bachelor's degree"


RAW = (
    "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, "
    "2174, 0, 40, United-States, <=50K{dot}\n"
    "52, ?, 209642, 5th-6th, 3, Married-civ-spouse, ?, Husband, Black, Female, 0, 0, 45, ?, >50K{dot}\n"
)


@pytest.mark.parametrize("kind", ["data", "test", "gz", "header"])
def test_a_file_of_your_own_is_read_in_every_original_variant(tmp_path, kind):
    text = RAW.format(dot="." if kind == "test" else "")
    if kind == "test":
        text = "|1x3 Cross validator\n" + text + "\n"
    if kind == "header":
        text = ",".join(NAMES) + "\n" + text
    path = tmp_path / ("adult.csv.gz" if kind == "gz" else "adult.data")
    path.write_bytes(gzip.compress(text.encode()) if kind == "gz" else text.encode())
    frame, labels = load_adult(path)
    assert labels.tolist() == [0, 1]
    assert frame["Work hours per week"].tolist() == [40, 45]
    assert frame["Education"].tolist() == ["bachelor's degree", "5th-6th"]
    assert frame["Occupation"].isna().tolist() == [False, True]


def test_a_wrong_file_is_told_apart(tmp_path):
    path = tmp_path / "adult.data"
    path.write_text("1,2,3\n")
    with pytest.raises(ValueError, match="expected 15 values"):
        load_adult(path)
    path.write_text(RAW.format(dot="").replace(">50K", "rich"))
    with pytest.raises(ValueError, match="rich"):
        load_adult(path)


def test_the_sample_is_as_in_the_file():
    from course_lib.shipped import asset

    table = read_adult(asset("adult/adult_sample.csv.gz"))
    assert table.shape == (8141, 15)
    assert table.iloc[0].tolist()[:4] == [39, "State-gov", 77516, "Bachelors"]


def test_a_split_is_disjoint_and_repeatable():
    pool, held_out = split(50, 20)
    assert sorted(pool.tolist() + held_out.tolist()) == list(range(50))
    assert len(held_out) == 20 and torch.equal(held_out, split(50, 20)[1])
    with pytest.raises(ValueError, match="held_out"):
        split(50, 50)


# ---- serialisation


def test_templates_are_those_of_the_paper():
    row = {"Age": 39, "Race": "White", "Work hours per week": 40}
    assert list_template(row) == "- Age: 39\n- Race: White\n- Work hours per week: 40"
    assert text_template(row) == "The Age is 39. The Race is White. The Work hours per week is 40."
    assert values_only(row) == "39\nWhite\n40"
    assert short_list(row) == "age: 39, race: White, work hours per week: 40"


@pytest.mark.parametrize("method", SERIALISERS)
@pytest.mark.parametrize("nothing", [None, float("nan"), "", "  ", pd.NaT, np.nan])
def test_missing_values_are_left_out(method, nothing):
    text = method({**PERSON, "Native country": nothing})
    assert "is ." not in text and "nan" not in text.lower() and "None" not in text
    assert len(text) < len(method({**PERSON, "Native country": "Peru"}))


@pytest.mark.parametrize("method", [*SERIALISERS, natural_sentence])
def test_a_row_without_values_is_an_error(method):
    with pytest.raises(ValueError, match="expected"):
        method({"Age": None})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a, b", "a, b"),
        ('say "yes"', 'say "yes"'),
        ("Köln – 東京", "Köln – 東京"),
        ("39", "39"),
        (" 39 ", "39"),
        (39.0, "39"),
        (np.float32(40), "40"),
        (np.int64(7), "7"),
        (0.25, "0.25"),
        (1234567.0, "1234567"),
        ("two\nlines", "two lines"),
        ("{x}", "{x}"),
        (True, "True"),
    ],
)
def test_values_are_written_on_one_line_as_they_are(value, text):
    assert list_template({"Age": value}) == f"- Age: {text}"
    assert text_template({"Age": value}) == f"The Age is {text}."


def test_an_empty_frame_gives_no_texts_and_one_without_columns_an_error():
    assert serialise(pd.DataFrame({"Age": []}), list_template) == []
    with pytest.raises(ValueError, match="column"):
        serialise(pd.DataFrame(index=[0, 1]), list_template)


def test_a_frame_is_serialised_row_by_row():
    frame = pd.DataFrame({"Age": [39, 50], "Race": ["White", None]})
    assert serialise(frame, text_template) == [
        "The Age is 39. The Race is White.",
        "The Age is 50.",
    ]


def test_permuted_names_keep_the_values_and_move_every_one():
    row = {name: f"v{i}" for i, name in enumerate("abcdef")}
    pairs = dict(line[2:].split(": ") for line in permuted_names(row).splitlines())
    assert list(pairs) == list(row)
    assert sorted(pairs.values()) == sorted(row.values())
    assert all(pairs[name] != row[name] for name in row)
    assert permuted_names(row) == permuted_names(row)


def test_permuted_values_exchange_categories_one_to_one_and_numbers_by_tenths():
    frame = pd.DataFrame({"job": list("abcd") * 25, "age": range(100), "gain": [0] * 95 + [5] * 5})
    exchange = ValuePermutation(frame)
    jobs = {job: exchange({"job": job})["job"] for job in "abcd"}
    assert sorted(jobs.values()) == list("abcd") and all(a != b for a, b in jobs.items())
    ages = [exchange({"age": age})["age"] for age in range(100)]
    assert len(set(ages)) == 10
    assert all(len(set(ages[start : start + 10])) == 1 for start in range(0, 100, 10))
    assert exchange({"gain": 0}) != exchange({"gain": 5})  # nearly constant, yet not wiped out
    assert exchange({"job": "unseen", "age": None}) == {"job": "unseen", "age": None}
    assert list_template(exchange({"job": "a"})) == f"- job: {jobs['a']}"


def test_the_natural_sentence_says_what_is_known_and_no_more():
    frame, _ = load_adult()
    text = natural_sentence(frame.iloc[0].to_dict())
    assert text == (
        "This 39 year old never married man works 40 hours per week in the field of office "
        "administration (state government). He has the education: bachelor's degree. He had a "
        "capital gain of 2174 dollars last year."
    )
    for row in frame.iloc[:300].to_dict("records"):
        text = natural_sentence(row)
        assert "nan" not in text and "  " not in text and str(row["Race"]) not in text
    slide = natural_sentence(slide_table().iloc[1].to_dict())
    assert slide == "This 36 year old person has the education: HS-grad."


def test_the_prompt_is_description_empty_line_question_answer():
    prompt = build_prompt("The Age is 39.")
    assert prompt == (
        "The Age is 39.\n\nDoes this person earn more than 50000 dollars per year? "
        "Yes or no? Answer:"
    )
    assert build_prompt(" x \n", "Rich? ", gap="\n") == "x\n\nRich? Yes or no?\nAnswer:"
    for wrong in (("", "Rich?"), ("x", " ")):
        with pytest.raises(ValueError, match="expected"):
            build_prompt(*wrong)


# ---- encodings


def test_encodings_equal_those_of_scikit_learn():
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    frame, _ = load_adult()
    frame = frame[["Age", "Sex", "Work hours per week", "Race"]]
    train, test = frame.iloc[:200], frame.iloc[200:260]
    got = encode_frame(test, train)
    numbers = StandardScaler().fit(train[["Age", "Work hours per week"]].to_numpy(float))
    numbers = numbers.transform(test[["Age", "Work hours per week"]].to_numpy(float))
    hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    sex, race = (
        hot.fit(train[[c]].to_numpy()).transform(test[[c]].to_numpy()) for c in ("Sex", "Race")
    )
    expected = np.hstack([numbers[:, :1], sex, numbers[:, 1:], race])
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-5)
    codes = OrdinalEncoder().fit(train[["Sex"]].to_numpy()).transform(train[["Sex"]].to_numpy())
    scaled = StandardScaler().fit_transform(codes)[:, 0]
    np.testing.assert_allclose(encode_ordinal(train, train)[:, 1].numpy(), scaled, atol=1e-5)


def test_unseen_and_missing_values_have_a_place_in_every_encoding():
    train = pd.DataFrame({"age": [20.0, 40.0, None], "job": ["cook", "vet", None]})
    got = encode_frame(pd.DataFrame({"age": [None, 40.0], "job": ["pilot", None]}), train)
    assert got.tolist() == [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    assert one_hot([], ["a"]).shape == (0, 1)


def test_encoding_errors_are_clear():
    frame = pd.DataFrame({"age": [1.0]})
    with pytest.raises(ValueError, match="columns"):
        encode_frame(frame, frame.rename(columns={"age": "AGE"}))
    with pytest.raises(ValueError, match="columns"):
        encode_frame(frame[[]], frame[[]])
    with pytest.raises(ValueError, match="known value"):
        standardise(torch.ones(2), torch.tensor([torch.nan]))


def test_a_constant_column_becomes_zeros():
    assert standardise(torch.tensor([3.0, 3.0]), torch.tensor([3.0, 3.0])).tolist() == [0.0, 0.0]


# ---- sampling and scores


def test_a_few_shot_set_is_balanced_and_has_no_row_twice():
    labels = (torch.rand(200) < 0.2).long()
    for seed in range(10):
        chosen = balanced_sample(labels, 16, generator=torch.Generator().manual_seed(seed))
        assert len(set(chosen.tolist())) == 16
        assert labels[chosen].sum() == 8


@pytest.mark.parametrize("shots", [0, 3, 50])
def test_impossible_few_shot_sets_are_errors(shots):
    labels = torch.tensor([0, 1] * 10)
    with pytest.raises(ValueError, match="expected"):
        balanced_sample(labels, shots, generator=torch.Generator())


def test_auc_counts_pairs_and_halves_ties():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randint(0, 8, (60,), generator=generator).float()
    labels = torch.randint(0, 2, (60,), generator=generator)
    pairs = [
        1.0 if p > n else 0.5 if p == n else 0.0
        for p in scores[labels == 1].tolist()
        for n in scores[labels == 0].tolist()
    ]
    assert roc_auc(scores, labels).item() == pytest.approx(sum(pairs) / len(pairs), abs=1e-6)
    from sklearn.metrics import roc_auc_score

    assert roc_auc(scores, labels).item() == pytest.approx(roc_auc_score(labels, scores), abs=1e-6)


def test_auc_of_perfect_reversed_and_constant_scores():
    labels = torch.tensor([0, 0, 1, 1, 1])
    assert roc_auc(torch.arange(5.0), labels) == 1
    assert roc_auc(-torch.arange(5.0), labels) == 0
    assert roc_auc(torch.zeros(5), labels) == 0.5


def test_auc_needs_both_classes_and_numbers():
    with pytest.raises(ValueError, match="both classes"):
        roc_auc(torch.ones(3), torch.ones(3, dtype=torch.long))
    with pytest.raises(ValueError, match="NaN"):
        roc_auc(torch.tensor([0.0, torch.nan]), torch.tensor([0, 1]))


def test_perfect_probabilities_have_no_calibration_error():
    p = torch.rand(20_000)
    labels = (torch.rand(20_000) < p).long()
    assert calibration_error(p, labels) < 0.02
    assert calibration_error(torch.ones(20_000), labels) == pytest.approx(0.5, abs=0.02)
    assert sum(rows for _, _, rows in calibration(p, labels)) == 20_000


def test_shifting_the_prior_is_bayes_rule():
    likelihood_ratio, trained, actual = 3.0, 0.5, 0.2
    before = likelihood_ratio * trained / (likelihood_ratio * trained + 1 - trained)
    after = likelihood_ratio * actual / (likelihood_ratio * actual + 1 - actual)
    assert shift_prior(torch.tensor([before]), trained, actual).item() == pytest.approx(after)
    with pytest.raises(ValueError, match="between 0 and 1"):
        shift_prior(torch.tensor([0.5]), 1.0, 0.5)


# ---- baselines


def blobs(n):
    labels = torch.arange(n) % 2
    return torch.randn(n, 3) + 2.0 * labels[:, None], labels


def test_baselines_separate_two_clusters():
    (x, y), (test, truth) = blobs(100), blobs(200)
    for method in (logistic_regression, gradient_boosting, on_features):
        assert roc_auc(method(x, y, test), truth) > 0.95


def test_a_prior_speaks_where_the_data_are_silent():
    y, logit = torch.tensor([0, 1, 0, 1]), torch.tensor([-1.0, 1.0, -1.0, 1.0])
    test = torch.linspace(-2, 2, 9)
    silent = with_prior(torch.zeros(4, 2), y, torch.zeros(9, 2), logit, test)
    assert (silent.diff() > 0).all()  # the prior's order
    (x, y), (x_test, truth) = blobs(100), blobs(100)
    spoken = with_prior(x, y, x_test, torch.randn(100), torch.randn(100))
    assert roc_auc(spoken, truth) > 0.85
