"""Submissions for the tests of grading: notebooks made from pairs (cell id, source)."""

import json
from pathlib import Path

RIGHT = "def centroid(points):\n    return points.sum(dim=1) / points.shape[1]\n"
WRONG = "def centroid(points):\n    return points.sum(dim=1)\n"
ANSWER = "axis_that_points_up = 'B'\n"


def cell(name: str, source, **fields) -> dict:
    """A code cell; `name` is its id."""
    metadata = {"tags": ["exercise"]}
    empty = {"cell_type": "code", "metadata": metadata, "execution_count": None, "outputs": []}
    return {**empty, "id": name, "source": source, **fields}


def book(cells: list[dict], **fields) -> dict:
    """A notebook."""
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **fields}


def centroid(source: str, **fields) -> str:
    """The text of a notebook with one exercise cell."""
    return json.dumps(book([cell("ex-centroid", source)], **fields))


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    """Write files, with folders where their names say so."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
