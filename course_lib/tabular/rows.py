"""The tables of the lecture's recap: the five rows of the slide, and real rows of the 1994 census.

The census rows are the Adult (or Census Income) data set: B. Becker and R. Kohavi, 1996, UCI Machine
Learning Repository, doi 10.24432/C5XW20, licence CC BY 4.0.
"""

import csv
import gzip
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Int
from torch import Tensor

from course_lib.shipped import asset
from course_lib.tabular.cache import PackagedFile, fetch

if TYPE_CHECKING:
    import pandas

# The columns in the order of the file -> TabLLM's names, which the templates print.
NAMES = {
    "age": "Age",
    "workclass": "Work class",
    "fnlwgt": None,  # a sampling weight, no property of the person: dropped
    "education": "Education",
    "education-num": None,  # says the same as education: dropped
    "marital-status": "Marital status",
    "occupation": "Occupation",
    "relationship": "Relation to head of the household",
    "race": "Race",
    "sex": "Sex",
    "capital-gain": "Capital gain last year",
    "capital-loss": "Capital loss last year",
    "hours-per-week": "Work hours per week",
    "native-country": "Native country",
    "income": None,  # the label
}
ORDER = [  # TabLLM's order of the features
    "Age",
    "Race",
    "Sex",
    "Marital status",
    "Relation to head of the household",
    "Native country",
    "Occupation",
    "Work class",
    "Capital gain last year",
    "Capital loss last year",
    "Education",
    "Work hours per week",
]
# The data set's abbreviations in words; what is not here only loses its hyphens.
WORDS = {
    "Adm-clerical": "office administration",
    "Craft-repair": "craft and repair",
    "Exec-managerial": "executive management",
    "Farming-fishing": "farming and fishing",
    "Handlers-cleaners": "handling and cleaning",
    "Machine-op-inspct": "machine operation and inspection",
    "Other-service": "other services",
    "Priv-house-serv": "private household service",
    "Prof-specialty": "professional specialty",
    "Protective-serv": "protective services",
    "Transport-moving": "transport and moving",
    "Self-emp-inc": "self-employed, incorporated",
    "Self-emp-not-inc": "self-employed, not incorporated",
    "Federal-gov": "federal government",
    "Local-gov": "local government",
    "State-gov": "state government",
    "Private": "private sector",
    "Assoc-acdm": "academic associate degree",
    "Assoc-voc": "vocational associate degree",
    "Bachelors": "bachelor's degree",
    "Doctorate": "doctoral degree",
    "HS-grad": "high school graduate",
    "Masters": "master's degree",
    "Preschool": "preschool",
    "Prof-school": "professional school degree",
    "Some-college": "some college, no degree",
    "Married-AF-spouse": "married",
    "Married-civ-spouse": "married",
    "Married-spouse-absent": "married, spouse absent",
    "Asian-Pac-Islander": "Asian or Pacific Islander",
    "Amer-Indian-Eskimo": "American Indian or Eskimo",
    "Columbia": "Colombia",
    "Holand-Netherlands": "Netherlands",
    "Hong": "Hong Kong",
    "Outlying-US(Guam-USVI-etc)": "outlying United States",
    "Trinadad&Tobago": "Trinidad and Tobago",
}
NUMBERS = ["age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
OTHER_NAMES = {  # of other copies of the file, in small letters with hyphens
    "gender": "sex",
    "educational-num": "education-num",
    "country": "native-country",
    "class": "income",
    "salary": "income",
}
KEEPS_CASE = {"Race", "Sex", "Native country"}
FULL = PackagedFile(
    package="hypernets",
    version="0.3.2",
    member="hypernets/tabular/datasets/adult-uci.csv.gz",
    sha256="7a3c2aca1b8c03dc732da55d98daf17c562d95ea5dba29902549b43ba886b4cf",
    megabytes=2,
)
EVERY = 4  # the sample is every fourth row of the file


def slide_table() -> "pandas.DataFrame":
    """The table of the slide: four labelled rows and one to predict (its income is missing).

    >>> slide_table().shape
    (5, 4)
    """
    import pandas as pd

    return pd.DataFrame(
        {
            "age": [39, 36, 64, 29, 42],
            "education": ["Bachelor", "HS-grad", "12th", "Doctorate", "Master"],
            "gain": [2174, 0, 0, 1086, 594],
            "income": ["≤ 50K", "> 50K", "≤ 50K", "> 50K", None],
        }
    )


def load_adult(path: str | Path | None = None) -> tuple["pandas.DataFrame", Int[Tensor, "n"]]:
    """Census rows with readable names and values, and labels: 1 where income > 50,000 dollars.

    Without a path: the shipped sample of 8,141 rows. With one: a file of your own in the original
    format (`adult.data`, `adult.test`, also gzipped, with or without a header line). `fetch_adult()`
    gets the full file of 32,561 rows. Missing values ("?" in the file) are missing
    in the frame too.

    What is read, refused and ignored: the table at `read_adult`. Raises ValueError with the file's
    name, and the line where there is one.
    """
    path = asset("adult/adult_sample.csv.gz") if path is None else Path(path)
    table = read_adult(path)
    labels = _labels(table.pop("income"), path)
    frame = table.rename(columns=NAMES)[ORDER]
    numbers = {NAMES[name] for name in NUMBERS}
    for name in ORDER:
        if name not in numbers:
            frame[name] = _words(frame[name], keeps_case=name in KEEPS_CASE)
    return frame, labels


def read_adult(path: Path) -> "pandas.DataFrame":
    """The 15 columns of a file in the original format, with the spaces removed and "?" as missing.

    | what | how |
    |---|---|
    | adult.data, adult.test, gzipped or not; UTF-8, with or without a byte-order mark | read |
    | a header, columns in any order, names as other copies have them (education.num, gender) | read |
    | cells in quotes; whole numbers written 39.0 | read |
    | empty lines, those that begin with "|" (the first of adult.test) | ignored |
    | other columns, semicolons, rows that are cut or too long, a header in the middle | refused |
    | numbers that are missing, negative or broken; other encodings, damaged archives | refused |
    """
    import pandas as pd

    rows = _rows(path)
    columns = [OTHER_NAMES.get(name, name) for name in map(_plain_name, rows[0][1])]
    if sorted(columns) == sorted(NAMES):
        rows = rows[1:]
    else:
        columns = list(NAMES)
    for number, row in rows:
        if len(row) != len(columns):
            raise ValueError(
                f"{path}: line {number}: expected {len(columns)} values with commas between, "
                f"got {len(row)}: {','.join(row)[:60]!r}"
            )
    table = pd.DataFrame([row for _, row in rows], columns=columns, dtype=object)[list(NAMES)]
    table = table.mask(table.isin(["?", ""]))
    for name in NUMBERS:
        values = pd.to_numeric(table[name], errors="coerce")
        wrong = ~((values >= 0) & (values % 1 == 0))  # NaN too
        if wrong.any():
            number, got = rows[int(wrong.idxmax())][0], table[name][wrong.idxmax()]
            raise ValueError(
                f"{path}: line {number}: expected a whole number as {name}, got {got!r}"
            )
        table[name] = values.astype("int64")
    return table


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """(line number, cells) of every line that holds some."""
    raw = path.read_bytes()
    try:
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")
        read = enumerate(csv.reader(text.splitlines(), skipinitialspace=True), start=1)
        rows = [(number, [cell.strip() for cell in row]) for number, row in read]
    except (UnicodeDecodeError, EOFError, OSError, zlib.error, csv.Error) as error:
        raise ValueError(f"{path}: expected text in UTF-8, gzipped or not ({error})") from None
    rows = [(number, row) for number, row in rows if any(row) and not row[0].startswith("|")]
    if not rows:
        raise ValueError(f"{path}: expected rows of {len(NAMES)} values, got none")
    return rows


def _plain_name(name: str) -> str:
    return re.sub(r"[ ._]", "-", name.lower())


def fetch_adult() -> Path:
    """The file of all 32,561 training rows, downloaded on first use (see `cache.fetch`)."""
    return fetch(FULL)


def make_adult(folder: Path) -> None:
    """Write the shipped sample: every fourth row of the full file, values unchanged."""
    folder.mkdir(parents=True, exist_ok=True)
    table = read_adult(fetch_adult()).iloc[::EVERY].fillna("?")
    text = table.to_csv(index=False, lineterminator="\n")
    # no time in the header: the same rows give the same bytes
    (folder / "adult_sample.csv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    (folder / "README.md").write_text(_README.format(rows=len(table)))


def split(n: int, held_out: int, *, seed: int = 0) -> tuple[Int[Tensor, "a"], Int[Tensor, "c"]]:
    """Indices of a training pool and of `held_out` rows for evaluation: disjoint, drawn by `seed`."""
    if not 0 < held_out < n:
        raise ValueError(f"expected 0 < held_out < {n}, got {held_out}")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    return order[held_out:], order[:held_out]


def _labels(income: "pandas.Series", path: Path) -> Tensor:
    classes = {"<=50K": 0, ">50K": 1}
    labels = income.str.removesuffix(".").map(classes)  # adult.test ends its labels in "."
    if labels.isna().any():
        got = income[labels.isna()].iloc[0]
        raise ValueError(f"{path}: expected labels {list(classes)}, got {got!r}")
    return torch.tensor(labels.astype(int).tolist())


def _words(column: "pandas.Series", *, keeps_case: bool) -> "pandas.Series":
    def words(value: str) -> str:
        if value in WORDS:
            return WORDS[value]
        text = re.sub(r"(?<=[A-Za-z])-(?=[A-Za-z])", " ", value)
        return text if keeps_case else text.lower()

    return column.map(words, na_action="ignore")


_README = """# Census rows

`adult_sample.csv.gz`: {rows} real rows (every fourth of the 32,561 training rows, values unchanged) of
the Adult data set, also called Census Income: B. Becker and R. Kohavi (1996), UCI Machine Learning
Repository, doi 10.24432/C5XW20. Licence: CC BY 4.0, https://creativecommons.org/licenses/by/4.0/. The
rows were taken from the copy inside the Python package hypernets 0.3.2 (Apache-2.0).

The people were interviewed for the US census bureau's Current Population Survey of 1994; the incomes
are in dollars of that year.

Made by: `python -m course_lib assets adult`
"""
