"""A census row as a person would say it: the serialisation that works best with a small model."""

from course_lib.tabular.serialise import Row, format_value, is_missing

ALIASES = {  # short column names, as on the slide -> the census names
    "gain": "capital gain last year",
    "loss": "capital loss last year",
    "hours": "work hours per week",
}


def natural_sentence(row: Row) -> str:
    """Two or three plain sentences about a person; the parts whose columns are missing are left out.

    Race, native country and the relation to the head of the household are never said; a capital gain
    or loss of zero neither. Other columns than those of the census are ignored.

    >>> natural_sentence({"age": 42, "education": "Master"})
    'This 42 year old person has the education: Master.'

    Raises ValueError if nothing is left to say.
    """
    values = {ALIASES.get(name.lower(), name.lower()): v for name, v in row.items()}
    known = {name: format_value(v) for name, v in values.items() if not is_missing(v)}
    pronoun = {"Male": "He", "Female": "She"}.get(known.get("sex", ""), "They")
    subject, work = _subject(known), _work(known)
    sentences = [f"{subject} {work}."] if work else []
    if "education" in known:
        verb = "has" if pronoun != "They" or not work else "have"
        who = pronoun if work else subject
        sentences.append(f"{who} {verb} the education: {known['education']}.")
    sentences += [
        f"{pronoun} had a capital {kind} of {known[name]} dollars last year."
        for kind, name in (("gain", ALIASES["gain"]), ("loss", ALIASES["loss"]))
        if known.get(name, "0") != "0"
    ]
    if not sentences:
        raise ValueError(f"expected a work, education or capital column, got {dict(row)!r}")
    return " ".join(sentences)


def _subject(known: dict[str, str]) -> str:
    noun = {"Male": "man", "Female": "woman"}.get(known.get("sex", ""), "person")
    age = f"{known['age']} year old" if "age" in known else None
    return " ".join(filter(None, ["This", age, known.get("marital status"), noun]))


def _work(known: dict[str, str]) -> str:
    hours, field = known.get("work hours per week"), known.get("occupation")
    employer = known.get("work class")
    parts = (
        f"{hours} hours per week" if hours else None,
        f"in the field of {field}" if field else None,
        f"({employer})" if employer else None,
    )
    return f"works {' '.join(filter(None, parts))}" if any(parts) else ""
