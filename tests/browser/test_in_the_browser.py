"""Every notebook in JupyterLab, in a real browser: it runs, shows something, and obeys the keyboard."""

import time

import nbformat
import pytest

pytest.importorskip("playwright", reason="browser tests need playwright")

from browser.lab import running_lab
from browser.page import (
    CHART,
    CHROMIUM,
    Notebook,
    browser,
    picture,
    stays_empty,
    steady_picture,
)
from course_lib.authoring.notebook import NOTEBOOKS

NAMES = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))
SECONDS, MAX_CONTEXTS = 420.0, 12
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="browser tests need chromium"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module", params=NAMES)
def notebook(request, lab, page):
    """A notebook after Run All."""
    notebook = Notebook(page, lab)
    notebook.open(request.param)
    notebook.run_all(SECONDS)
    notebook.wait_until_drawn(nbformat.read(NOTEBOOKS / request.param, as_version=4))
    yield notebook
    notebook.close()
    lab.kernels_off()


def test_no_cell_ends_in_an_error_or_a_warning(notebook):
    errors = notebook.all('[data-mime-type="application/vnd.jupyter.error"]')
    warnings = notebook.all('[data-mime-type="application/vnd.jupyter.stderr"]')
    assert [place.inner_text()[:300] for place in errors + warnings] == []


def test_views_and_charts_are_not_empty(notebook):
    places = [place for place in notebook.all(".k3d-target canvas") if place.is_visible()]
    for chart in notebook.all(CHART):
        chart.hover()  # turns the picture into a live chart
        chart.locator(".plot-container svg").first.wait_for()
        places.append(chart)
    assert [index for index, place in enumerate(places) if stays_empty(place)] == []


def test_few_webgl_contexts_are_alive(notebook):
    assert notebook.live_contexts() <= MAX_CONTEXTS


def test_every_widget_answers_to_the_keyboard(notebook):
    cells = notebook.all(".jp-CodeCell:has(.widget-slider, .widget-dropdown)")
    deaf = [index for index, cell in enumerate(cells) if not _answers(cell)]
    assert deaf == []


def _answers(cell) -> bool:
    """Does the cell's output change when one of its first controls is moved by a key?"""
    output = cell.locator(".jp-Cell-outputWrapper")
    before = steady_picture(output)
    for handle in cell.locator(".noUi-handle").all()[:2]:
        if not handle.is_visible():
            continue
        for key in ("ArrowRight", "ArrowLeft", "ArrowLeft"):
            handle.press(key)
        if _changes(output, before):
            return True
    for box in cell.locator(".widget-dropdown select").all()[:1]:
        box.focus()
        box.press("ArrowDown")
        return _changes(output, before)
    return False


def _changes(output, before, seconds: float = 15.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = picture(output)
        if now.shape != before.shape or (abs(now - before).max(axis=-1) > 12).sum() > 50:
            return True
        time.sleep(0.2)
    return False


def test_the_browser_has_nothing_to_complain_of_and_nothing_leaves_the_machine(notebook):
    assert notebook.complaints == []
    assert notebook.outside == []


def test_reopened_without_its_kernel_every_view_shows_its_picture(notebook, lab):
    notebook.save()
    lab.kernels_off()
    name = notebook.page.url.split("/")[-1].split("?")[0]
    views = len(notebook.all(".k3d-target canvas"))
    notebook.open(name, kernel=False)
    end, shown = time.monotonic() + 60.0, 0
    while shown < views and time.monotonic() < end:  # outputs are drawn after their cells
        shown = sum(place.is_visible() for place in notebook.all(".jp-OutputArea img"))
        time.sleep(0.5)
    assert shown >= views
