"""Tables as people have them: files of census rows, and columns to encode."""

import gzip
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch

from course_lib.tabular import (
    ValuePermutation,
    encode_frame,
    list_template,
    load_adult,
    serialise,
    standardise,
    text_template,
)
from course_lib.tabular.network import coded
from course_lib.tabular.rows import NAMES
from course_lib.tabular.scoring import calibration, roc_auc

CELLS = [
    *("39", "State-gov", "77516", "Bachelors", "13", "Never-married", "Adm-clerical"),
    *("Not-in-family", "White", "Male", "2174", "0", "40", "United-States", "<=50K"),
]
ROW, HEAD = ", ".join(CELLS) + "\n", ",".join(NAMES) + "\n"


def read(tmp_path, content, name="a.csv"):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_adult(tmp_path / name)


GOOD = {
    "plain": ROW,
    "test": "|1x3 Cross validator\n" + ROW.replace("<=50K", "<=50K."),
    "header": HEAD + ROW,
    "byte-order mark": (HEAD + ROW).encode("utf-8-sig"),
    "carriage returns": (HEAD + ROW).replace("\n", "\r"),
    "dots in names": HEAD.replace("-", ".") + ROW,
    "other names": HEAD.replace("sex", "gender").replace("education-num", "educational-num") + ROW,
    "another order": ",".join(list(NAMES)[::-1]) + "\n" + ",".join(CELLS[::-1]) + "\n",
    "quotes": '"' + '","'.join(CELLS) + '"\n',
    "whole floats": ROW.replace("39", "39.0"),
    "gzip without its ending": gzip.compress(ROW.encode()),
    "blank lines": "\n" + ROW + "\n\n",
}


@pytest.mark.parametrize("name", GOOD)
def test_copies_of_the_census_file_are_read_the_same(tmp_path, name):
    frame, labels = read(tmp_path, GOOD[name])
    expected, _ = read(tmp_path, ROW)
    assert labels.tolist() == [0]
    pd.testing.assert_frame_equal(frame, expected)
    assert frame["Age"].tolist() == [39] and frame["Sex"].tolist() == ["Male"]


BAD = {
    "semicolons": (ROW.replace(", ", ";"), "line 1: expected 15 values"),
    "cut": (ROW + "39, Sta", "line 2: expected 15 values"),
    "an index": ("," + HEAD + "0," + ROW, "line 1: expected 15 values"),
    "a header in the middle": (HEAD + ROW + HEAD, "line 3: .* as age, got 'age'"),
    "a missing number": (ROW + ROW.replace("39", "?"), "line 2: .* as age"),
    "a negative number": (ROW.replace("39", "-5"), "as age, got '-5'"),
    "half an hour": (ROW.replace(" 40,", " 40.5,"), "as hours-per-week, got '40.5'"),
    "a word": (ROW.replace("2174", "none"), "as capital-gain, got 'none'"),
    "no label": (ROW.replace("<=50K", "?"), "labels"),
    "another label": (ROW.replace("<=50K", "0"), "labels .*'0'"),
    "UTF-16": (ROW.encode("utf-16"), "UTF-8"),
    "another encoding": (ROW.replace("White", "Weiß").encode("cp1252"), "UTF-8"),
    "a cut archive": (gzip.compress(ROW.encode() * 50)[:60], "gzipped or not"),
    "nothing": ("", "got none"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_faulty_file_is_refused_with_its_name_and_line(tmp_path, name):
    content, message = BAD[name]
    with pytest.raises(ValueError, match=message) as caught:
        read(tmp_path, content)
    assert "a.csv" in str(caught.value)


def test_seconds_since_1970_keep_their_differences():
    frame = pd.DataFrame({"t": [1.7e9, 1.7e9 + 10, 1.7e9 + 20]})
    got = encode_frame(frame, frame)[:, 0]
    torch.testing.assert_close(got, torch.tensor([-1.0, 0, 1]) * 1.5**0.5)


@pytest.mark.parametrize(
    "values", [pd.array([1, None, 3], dtype="Int64"), pd.array([1.0, None, 3.0], dtype="Float64")]
)
def test_numbers_that_may_be_missing_are_numbers(values):
    frame = pd.DataFrame({"t": values})
    assert encode_frame(frame, frame)[:, 0].tolist() == [-1, 0, 1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pd.to_datetime(["2020-01-01", "2020-01-02"]), "datetime"),
        (pd.to_timedelta(["1D", "2D"]), "timedelta"),
        ([1 + 2j, 2], "complex"),
        (pd.Series([1, 2], dtype=object), "objects"),
        ([Decimal("1.5"), Decimal("2.5")], "objects"),
        (["1,5", "2,5"], "numbers as text"),
        (["1.5", None, " 2.50"], "numbers as text"),
        (["39.5", "?", "41.25"], "numbers as text"),
        ([".5", ".25"], "numbers as text"),
        (["1.5e3", "2e-4"], "numbers as text"),
        (["$1,200.50", "-$900"], "numbers as text"),
        (["12.5 %", "3%"], "numbers as text"),
        (pd.period_range("2020-01", periods=2, freq="M"), "period"),
        ([[1], [2]], "one value in a cell"),
        ([1e300, 2.0], "beyond single"),
    ],
)
def test_columns_that_would_be_taken_wrongly_are_refused_by_name(values, message):
    frame = pd.DataFrame({"t": values})
    with pytest.raises(ValueError, match=rf"column 't': .*{message}"):
        encode_frame(frame, frame)


@pytest.mark.parametrize("values", [["1", "2"], ["True", "False"], ["9e", "1.5"], [True, False]])
def test_text_with_digits_is_text(values):
    frame = pd.DataFrame({"t": values})
    assert encode_frame(frame, frame).shape == (2, 1 if values[0] is True else 2)


@pytest.mark.parametrize("values", [[1, 2], [1.0, np.nan], [True, False]])
def test_numbers_where_text_was_fitted_are_refused(values):
    with pytest.raises(ValueError, match=r"'t': expected text"):
        encode_frame(pd.DataFrame({"t": values}), pd.DataFrame({"t": ["1", "2"]}))


def test_two_columns_of_one_name_are_refused():
    frame = pd.DataFrame([[1.0, 2.0]], columns=["a", "a"])
    with pytest.raises(ValueError, match="different names"):
        encode_frame(frame, frame)


@pytest.mark.parametrize("labels", [[1, 2], [-1, 1]])
def test_labels_that_are_not_0_and_1_have_no_area_under_a_curve(labels):
    with pytest.raises(ValueError, match="labels 0 and 1"):
        roc_auc(torch.tensor([0.1, 0.9]), torch.tensor(labels))


@pytest.mark.parametrize("value", [float("nan"), 50.0, -0.1])
def test_what_is_no_probability_cannot_be_calibrated(value):
    with pytest.raises(ValueError, match="from 0 to 1"):
        calibration(torch.tensor([value, 0.5]), torch.tensor([0, 1]))


@pytest.mark.parametrize("value", [14.62, 0.1, 1e-9, 3e8])
def test_a_constant_column_is_zero_though_its_mean_is_rounded(value):
    from course_lib.tabular.baselines import standardised

    fitted = torch.full((1000,), value)
    assert standardise(fitted, fitted).tolist() == [0.0] * 1000
    assert standardise(fitted[:1] + 0.25, fitted).tolist() == pytest.approx(
        [0.25], abs=1e-7 * value
    )
    assert not bool(standardised(fitted[:, None], fitted[:, None])[0].any())


def test_half_precision_columns_are_standardised_in_single():
    values = torch.tensor([60000.0, 60000, 0, 0]).half()
    assert standardise(values, values).tolist() == [1, 1, -1, -1]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (np.array([0.1], np.float32), "0.1"),
        ([123456789.25], "123456789.25"),
        ([12345678901.5], "12345678901.5"),
        ([0.1 + 0.2], "0.3"),
    ],
)
def test_numbers_are_written_with_all_their_digits_and_no_more(values, text):
    assert serialise(pd.DataFrame({"a": values}), text_template) == [f"The a is {text}."]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"a": [np.inf]}), "finite numbers, got inf"),
        (pd.DataFrame({"a": [[1, 2]]}), r"one value in a cell, got \[1, 2\]"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "different names"),
        (pd.DataFrame([[1, 2]], columns=["a b", "a\nb"]), "names that read differently"),
    ],
)
def test_what_would_be_told_wrongly_is_refused(frame, message):
    with pytest.raises(ValueError, match=message):
        serialise(frame, text_template)


def test_a_name_with_a_line_break_is_written_on_one_line():
    frame = pd.DataFrame({"Work\nclass": ["x"], "b": [1]})
    assert serialise(frame, list_template) == ["- Work class: x\n- b: 1"]


def test_a_constant_column_is_exchanged_with_itself():
    assert ValuePermutation(pd.DataFrame({"a": [0, 0, None]}))({"a": 0}) == {"a": 0}


@pytest.mark.parametrize("values", [[1.0, 2.0], ["x", "y"]])
def test_the_network_wants_numbers_and_text(values):
    frame = pd.DataFrame({"a": values})
    with pytest.raises(ValueError, match="columns of numbers and of text"):
        coded(frame, frame)
