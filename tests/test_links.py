"""Links inside the project lead somewhere, and every slide of the lecture is found again."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest

from course_lib.authoring.notebook import sources

ROOT = Path(__file__).parent.parent
LINK = re.compile(r"\]\(([^)\s]+)\)")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "notebooks").glob("*.ipynb"))]
# One phrase from each part of the lecture's slides; README's table must have a row for each.
SLIDES = (
    "Tabular DL as text",
    "Serialize",
    "task-specific prompt",
    "Fine-tune",
    "Why we need 3D",
    "3D applications",
    "Possible 3D tasks",
    "3D data representations",
    "Voxels",
    "Point clouds",
    "Meshes",
    "Implicit",
    "Multi-view and multi-plane",
    "reconstruction from single RGB image",
    "IoU",
    "Chamfer and normal",
    "Edge loss",
    "Smooth loss",
    "Laplacian loss",
    "Other metrics",
    "Possible networks",
    "Rendering",
    "NeRF",
    "Recap",
)


@cache
def text_of(document: Path) -> str:
    if document.suffix == ".md":
        return document.read_text(encoding="utf-8")
    cells = nbformat.read(document, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@cache
def anchors(document: Path) -> set[str]:
    """The anchors that JupyterLab gives to headings: the heading with dashes for blanks."""
    headings = re.findall(r"^#+ +(.+?) *$", text_of(document), re.MULTILINE)
    return {heading.replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_internal_links_lead_somewhere(document):
    dead = []
    for link in LINK.findall(text_of(document)):
        if link.startswith(("http://", "https://", "data:", "mailto:", "attachment:")):
            continue
        name, _, anchor = unquote(link).partition("#")
        target = (document.parent / name).resolve() if name else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


def test_every_slide_has_a_row_that_links_to_its_section():
    rows = [line for line in text_of(ROOT / "README.md").splitlines() if line.startswith("|")]
    linked = [row for row in rows if re.search(r"notebooks/\d\d_\w+\.ipynb#", row)]
    missing = [slide for slide in SLIDES if not any(slide.lower() in row.lower() for row in linked)]
    assert missing == []


CITATION = re.compile(r"([A-Z][\w-]+)(?: et al\.| (?:and|&) \w+)?,? \(?((?:19|20)\d\d)\b")


@pytest.mark.parametrize("document", DOCUMENTS[2:], ids=lambda path: path.name)
def test_every_citation_is_among_the_references(document):
    references = text_of(ROOT / "notebooks" / "00_start_here.ipynb").split("## 0.7 References")[1]
    rows = [line for line in references.splitlines() if line.startswith("|")]
    cited = CITATION.findall(text_of(document))
    assert [c for c in cited if not any(c[0] in row and c[1] in row for row in rows)] == []


def test_every_notebook_has_a_source():
    built = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert built == {path.stem for path in sources()}
