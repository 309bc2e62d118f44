"""The book: all links alive, formulas and movable views without network, in a real browser."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote

import nbformat
import pytest

from browser.page import INSIDE
from course_lib.authoring import book
from course_lib.authoring.notebook import built_path, sources
from course_lib.widgets.explorer import snapshot_name

NAMES = [source.stem for source in sources()]
VIEWED = "00_start_here"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The book, with a snapshot of the one view of the first notebook."""
    import k3d

    views, out = tmp_path_factory.mktemp("views"), tmp_path_factory.mktemp("book")
    notebook = nbformat.read(built_path(sources()[0]), as_version=4)
    outputs = [o for c in notebook.cells for o in c.get("outputs", []) if "data" in o]
    view = next(o for o in outputs if any("widget-view" in kind for kind in o.data))
    plot = k3d.plot()
    plot += k3d.mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], color=0xFF0000, side="double")
    (views / VIEWED[:2]).mkdir()
    name = f"{snapshot_name(view.data['image/png'])}-0.k3d"
    (views / VIEWED[:2] / name).write_bytes(plot.get_binary_snapshot())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(book, "VIEWS", views)
        assert book.write(out) == 1
    return out


class Links(HTMLParser):
    """What a page links to, and what in it can be linked to."""

    def __init__(self, text):
        super().__init__()
        self.targets, self.anchors, self.images = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors.add(attributes.get("id"))
        self.targets += [
            attributes[key] for key in ("href", "src", "data-view") if attributes.get(key)
        ]


def test_all_links_of_the_book_are_alive(site):
    pages = {path.name: Links(path.read_text(encoding="utf-8")) for path in site.glob("*.html")}
    dead = []
    for name, page in pages.items():
        for target in page.targets:
            if re.match(r"(https?|data|mailto):", target):
                continue
            file, _, anchor = target.partition("#")
            there = (site / file).exists() if file else True
            anchors = pages[file or name].anchors if anchor and there else set()
            if not there or (anchor and not {anchor, unquote(anchor)} & anchors):
                dead.append((name, target))
    assert dead == [] and len(pages) == len(NAMES) + 1


def test_no_formula_is_left_as_text(site):
    for path in site.glob("0*.html"):
        text = re.sub(
            r"<(pre|code|script)\b.*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.S
        )
        assert [m for m in re.findall(r"<math.*?</math>", text, re.S) if "\\" in m] == []
        assert re.findall(r"\$[^$<]{1,60}\$", text) == []


def test_hints_and_solutions_are_folded_and_solutions_can_be_withheld(site, tmp_path, monkeypatch):
    monkeypatch.setattr(book, "sources", lambda: sources()[4:5])
    book.write(tmp_path, withhold_solutions=True)
    withheld = (tmp_path / "04_losses_and_metrics.html").read_text(encoding="utf-8")
    whole = (site / "04_losses_and_metrics.html").read_text(encoding="utf-8")
    assert "<summary>Solution</summary>" in whole and "<summary>Solution" not in withheld
    assert withheld.count("<summary>Hint</summary>") == whole.count("<summary>Hint</summary>") > 10


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_narrow_windows_and_ask_nothing_of_the_network(site, page, scheme):
    outside, said = [], []
    page.on("request", lambda r: outside.append(r.url) if not r.url.startswith(INSIDE) else None)
    page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 1024, "height": 900})
    for name in NAMES:
        page.goto(f"file://{site}/{name}.html")
        wide = "() => document.documentElement.scrollWidth - window.innerWidth"
        assert page.evaluate(wide) <= 0, name
    assert outside == said == []


def test_a_view_moves_after_a_click_and_search_finds_a_section(site, page):
    page.goto(f"file://{site}/{VIEWED}.html")
    page.click("button[data-view]")
    frame = page.wait_for_selector("iframe").content_frame()
    frame.wait_for_selector("canvas", timeout=60_000)
    frame.wait_for_function("() => document.querySelector('canvas').width > 100", timeout=60_000)
    page.fill("#search", "chamfer normal loss")
    assert "4.2 Chamfer" in page.inner_text("#found li:first-child")
