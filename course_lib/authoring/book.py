"""The course as a book: a static site from the notebooks' stored outputs, to read without a kernel.

    python -m course_lib book --out FOLDER

Pages are made by nbconvert. Formulas become MathML, which browsers draw themselves, so nothing comes
from the network. Under each exercise stand its hints and its solution, folded; where a release has
sealed the solutions there are none. Views in 3D are pictures that become movable by a click: `build`
keeps k3d's snapshot of each in notebooks/views. GitHub Pages serves the folder as it is.
"""

import argparse
import base64
import json
import re
import shutil
from html import escape, unescape
from itertools import accumulate
from pathlib import Path

import nbformat
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from traitlets.config import Config

from course_lib.authoring.build import VIEWS
from course_lib.authoring.notebook import built_path, colab, repository, sources
from course_lib.checking.sources import solution_source
from course_lib.exercises import find
from course_lib.widgets.explorer import snapshot_name

PAGE = Path(__file__).parent / "page"
BUDGET = 12_000_000  # bytes of all movable views together: the largest ones beyond stay pictures
HEADING = re.compile(r'<h([1-3]) id="([^"]+)">(.*?)<a class="anchor-link".*?</h\1>', re.S)
TAG = re.compile(r"<[^>]+>")


class _Renderer(IPythonRenderer):
    """Markdown to HTML, formulas to MathML."""

    def inline_math(self, body: str) -> str:
        return _mathml(body, "inline")

    def block_math(self, body: str) -> str:
        return f'<div class="formula">{_mathml(body, "block")}</div>'


def _mathml(formula: str, display: str) -> str:
    formula = formula.replace(r"\arg", r"\operatorname{arg}")  # which the converter does not know
    return convert(formula, display=display)


def _html(markdown: str) -> str:
    return MarkdownWithMath(renderer=_Renderer(escape=False)).render(markdown)


def write(out: Path, address: str | None = None, *, withhold_solutions: bool = False) -> int:
    """Write the book into the folder `out`; how many of its views can be moved.

    `address` is the repository that its links for Colab lead to (default: `repository()`).
    """
    out.mkdir(parents=True, exist_ok=True)
    address, with_solutions = address or repository(), not withhold_solutions
    paths = [built_path(source) for source in sources()]
    pages = {path.stem: _body(path, with_solutions) for path in paths}
    titles = {name: _headings(body)[0][2] for name, body in pages.items()}
    names, index = list(pages), []
    for place, (name, body) in enumerate(pages.items()):
        near = names[max(place - 1, 0) : place], names[place + 1 : place + 2]
        page = _page(name, body, titles, near, address)
        (out / f"{name}.html").write_text(page, encoding="utf-8")
        shutil.copy(paths[place], out)
        index += _sections(name, body)
    shutil.copy(out / f"{names[0]}.html", out / "index.html")
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    (out / "search.js").write_text(f"const SECTIONS = {text};\n", encoding="utf-8")
    for name in ("book.css", "book.js"):
        shutil.copy(PAGE / name, out)
    (out / ".nojekyll").touch()  # GitHub Pages shall not process it
    return _write_views(out, pages)


def _body(path: Path, with_solutions: bool) -> str:
    """A notebook's cells as HTML."""
    notebook = nbformat.read(path, as_version=4)
    cells = []
    for cell in notebook.cells:
        if cell.id == "links":
            continue
        cells.append(cell)
        for output in cell.get("outputs", []):
            _make_movable(output, path.stem)
        if cell.id.startswith("check-"):
            cells.append(_help(cell.id.removeprefix("check-"), with_solutions))
    notebook.cells = cells
    kinds = {"display_data_priority": ["text/html", "image/png", "text/plain"]}
    exporter = HTMLExporter(
        Config(NbConvertBase=kinds), template_name="basic", filters={"markdown2html": _html}
    )
    body, _ = exporter.from_notebook_node(notebook)
    return re.sub(r'href="(\d\d_\w+)\.ipynb', r'href="\1.html', body)


def _help(name: str, with_solution: bool) -> NotebookNode:
    """The hints of an exercise, and its solution, folded."""
    exercise = find(name)
    parts = [("Hint", f"<p>{escape(hint)}</p>") for hint in exercise.hints]
    if with_solution:
        code = f"<pre>{escape(solution_source(exercise))}</pre>"
        parts.append(("Solution", f"{code}<p>{escape(exercise.explanation)}</p>"))
    folded = [f"<details><summary>{what}</summary>{text}</details>" for what, text in parts]
    return new_markdown_cell("\n\n".join(folded))


def _affordable(folder: Path) -> frozenset[Path]:
    """The snapshots in a folder's folders that the budget allows, the smallest first."""
    paths = sorted(folder.glob("*/*.k3d"), key=lambda path: path.stat().st_size)
    sizes = accumulate(path.stat().st_size for path in paths)
    return frozenset(path for path, size in zip(paths, sizes, strict=True) if size <= BUDGET)


def _make_movable(output: NotebookNode, name: str) -> None:
    """Put a button for each snapshot that there is below the picture of a view."""
    if "image/png" not in output.get("data", {}):
        return
    found = sorted((VIEWS / name[:2]).glob(f"{snapshot_name(output.data['image/png'])}-*.k3d"))
    found = [path for path in found if path in _affordable(VIEWS)]
    buttons = [
        f'<button data-view="views/{name[:2]}-{path.stem}.html">Move it in 3D'
        f"{f' ({i + 1})' if len(found) > 1 else ''}</button>"
        for i, path in enumerate(found)
    ]
    output.data["text/html"] += f'<p class="movable">{" ".join(buttons)}</p>' if buttons else ""


def _headings(body: str) -> list[tuple[int, str, str]]:
    """Level, anchor and words of each heading."""
    return [
        (int(level), anchor, TAG.sub("", text).strip())
        for level, anchor, text in HEADING.findall(body)
    ]


def _sections(name: str, body: str) -> list[list[str]]:
    """What search looks through: page and anchor, title, words."""
    parts = HEADING.split(body)
    found = []
    for _, anchor, title, text in zip(*(parts[i::4] for i in (1, 2, 3, 4)), strict=True):
        text = re.sub(r"<(math|pre|details|style)\b.*?</\1>", " ", text, flags=re.S)
        words = " ".join(unescape(TAG.sub(" ", text)).split())
        found.append([f"{name}.html#{anchor}", unescape(TAG.sub("", title)).strip(), words])
    return found


def _page(
    name: str,
    body: str,
    titles: dict[str, str],
    near: tuple[list[str], list[str]],
    address: str,
) -> str:
    menu = []
    for other, title in titles.items():
        menu.append(f'<li><a href="{other}.html">{title}</a>')
        if other == name:
            parts = [
                f'<li><a href="#{a}">{t}</a></li>' for level, a, t in _headings(body) if level == 2
            ]
            menu.append(f"<ul>{''.join(parts)}</ul>")
        menu.append("</li>")
    before, after = ("".join(f'<a href="{n}.html">{titles[n]}</a>' for n in some) for some in near)
    values = {
        "title": titles[name],
        "menu": "".join(menu),
        "before": before and f"← {before}",
        "after": after and f"{after} →",
        "colab": f"{colab(address)}/{name}.ipynb",
        "notebook": f"{name}.ipynb",
        "body": body,
    }
    template = (PAGE / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], template)


def _write_views(out: Path, pages: dict[str, str]) -> int:
    """A page for each snapshot that a page leads to; how many."""
    import k3d

    (out / "views").mkdir(exist_ok=True)
    wanted = set(re.findall(r'data-view="views/(\d\d)-([\w-]+)\.html"', "".join(pages.values())))
    template = (PAGE / "view.html").read_text(encoding="utf-8")
    for folder, name in wanted:
        data = base64.b64encode((VIEWS / folder / f"{name}.k3d").read_bytes()).decode()
        target = out / "views" / f"{folder}-{name}.html"
        target.write_text(template.replace("{{data}}", data), encoding="utf-8")
    for name in ("require.js", "standalone.js"):
        shutil.copy(Path(k3d.__file__).parent / "static" / name, out / "views")
    return len(wanted)


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m course_lib book`."""
    parser.add_argument("--out", type=Path, required=True, help="a folder for the site")


def run(options: argparse.Namespace) -> int:
    """Write the book and say how large it is."""
    views = write(options.out)
    size = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    counts = f"{len(sources())} pages, {views} movable views, {size / 1e6:.1f} MB"
    print(f"wrote {options.out / 'index.html'}: {counts}")
    return 0
