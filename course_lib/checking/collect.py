"""Make the file to hand in: python -m course_lib collect [FOLDER] [--out FILE].

Takes the course's notebooks with answers from FOLDER (the one you are in, if you name none), says
which exercises are answered and what their last check found, and puts the cells into one zip. Outputs,
times and what programs have noted about your machine stay out of it; what you wrote yourself is in it
as you wrote it.
"""

import argparse
import json
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course_lib.checking import cells, standing
from course_lib.exercises import catalogue, find

KEPT = ("id", "cell_type", "source", "execution_count", "attachments")
KEPT_METADATA = ("id", "tags", "course")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


@dataclass(frozen=True)
class Book:
    """A notebook of the course: where it is, its cells, its number, its answers' fingerprints."""

    path: Path
    notebook: NotebookNode
    number: str
    answers: dict[str, str]


def find_books(folder: Path) -> list[Book]:
    """The course's notebooks in a folder and the folders in it; of copies the one with most answers."""
    paths = [folder] if folder.is_file() else [*folder.glob("*.ipynb"), *folder.glob("*/*.ipynb")]
    found: dict[str, Book] = {}
    for path in sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True):
        book = None if path.parent.name.startswith(".") else _book(path)
        if book and len(book.answers) > len(getattr(found.get(book.number), "answers", ())):
            found[book.number] = book
    return [book for _, book in sorted(found.items())]


def _book(path: Path) -> Book | None:
    """What a file answers; None if it is no notebook of the course."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises whatever a foreign file makes it stumble over
        print(f"{path}: cannot be read ({type(error).__name__})")
        return None
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    answers = {name: mark for text in texts for name, mark in cells.answers(text).items()}
    names = {name for text in texts for name in cells.asked(text)} | set(answers)
    for number, _ in Counter(find(name).notebook for name in names).most_common(1):
        own = {name: answers[name] for name in answers if find(name).notebook == number}
        return Book(path, notebook, number, own)
    return None


def say(book: Book) -> str:
    """Which exercises are answered, and what is known of the answers as they stand in the notebook."""
    known = standing.known()
    said: dict[str, list[str]] = {}
    exercises = [e for e in catalogue().values() if e.notebook == book.number]
    for exercise in exercises:
        entry, what = known.get(exercise.name), "not answered"
        if exercise.name in book.answers:
            checked = entry and entry.answer == book.answers[exercise.name]
            what = f"checked: {entry.state.value}" if entry and checked else "not checked as it is"
        said.setdefault(what, []).append(f"{exercise.number} {exercise.name}")
    lines = [f"  {what} ({len(names)}): {', '.join(names)}" for what, names in sorted(said.items())]
    head = f"{book.path}: {len(book.answers)} of {len(exercises)} exercises answered"
    return "\n".join([head, *lines])


def stripped(notebook: NotebookNode) -> dict:
    """The notebook as it is handed in."""
    kept = []
    for cell in notebook.cells:
        new = {key: cell[key] for key in KEPT if key in cell}
        new["metadata"] = {key: cell.metadata[key] for key in KEPT_METADATA if key in cell.metadata}
        kept.append({**new, "outputs": []} if cell.cell_type == "code" else new)
    form = {"nbformat": 4, "nbformat_minor": notebook.nbformat_minor}
    return {"cells": kept, "metadata": {"kernelspec": KERNEL}, **form}


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m course_lib collect`."""
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="where notebooks are")
    parser.add_argument("--out", type=Path, default=Path("hand_in.zip"), help="the zip to make")


def run(options: argparse.Namespace) -> int:
    """Make the zip and say what is in it; 1 if nothing is answered."""
    books = find_books(options.folder)
    if not books:
        print(f"no answered notebook of the course in {options.folder.resolve()}")
        return 1
    with zipfile.ZipFile(options.out, "w", zipfile.ZIP_DEFLATED) as archive:
        for book in books:
            print(say(book))
            text = json.dumps(stripped(book.notebook), indent=1)
            archive.writestr(zipfile.ZipInfo(f"{book.number}.ipynb"), text)  # without today's date
    print(f"wrote {options.out}: hand in this file")
    return 0
