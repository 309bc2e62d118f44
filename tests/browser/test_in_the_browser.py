"""Every notebook in JupyterLab, in a real browser: it runs, shows something, and obeys the keyboard."""

import os

import nbformat
import pytest

pytest.importorskip("playwright", reason="browser tests need playwright")

from browser.page import CHART, HIDE_CONTROLS, UNNAMED, Notebook
from course_lib.authoring.notebook import NOTEBOOKS

NAMES = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))
SECONDS, MAX_CONTEXTS = 420.0, 12
# A window of 1,024 pixels, and the same at 150 % zoom, where JupyterLab's side bar leaves no room.
WINDOWS = [(1024, True), (1024 * 2 // 3, False)]
THOROUGHLY = NAMES if os.environ.get("COURSE_EXTRA") else [NAMES[i] for i in (2, 4, 7)]
"""These have every kind of view and control between them."""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=NAMES)
def notebook(request, lab, page):
    """A notebook after Run All."""
    notebook = Notebook(page, lab)
    notebook.open(request.param)
    notebook.run_all(SECONDS)
    notebook.wait_until_drawn(nbformat.read(NOTEBOOKS / request.param, as_version=4))
    yield notebook
    notebook.shut()
    notebook.stop_listening()


@pytest.fixture
def thoroughly(request):
    if request.node.callspec.params["notebook"] not in THOROUGHLY:
        pytest.skip("COURSE_EXTRA=1 tries this in all notebooks")


def test_no_cell_ends_in_an_error_or_a_warning(notebook):
    errors = notebook.all('[data-mime-type="application/vnd.jupyter.error"]')
    warnings = notebook.all('[data-mime-type="application/vnd.jupyter.stderr"]')
    assert [place.inner_text()[:300] for place in errors + warnings] == []


@pytest.mark.parametrize(("width", "side_bar"), WINDOWS)
def test_nothing_is_wider_than_its_cell(notebook, width, side_bar):
    assert notebook.too_wide(width, side_bar) == []


@pytest.mark.usefixtures("thoroughly")
def test_views_and_charts_are_not_empty(notebook):
    places = [place for place in notebook.all(".k3d-target canvas") if place.is_visible()]
    for chart in notebook.all(CHART):
        chart.hover()  # turns the picture into a live chart
        chart.wait_for_selector(".plot-container svg")
        places.append(chart)
    empty = [i for i, place in enumerate(places) if notebook.camera.stays_empty(place)]
    assert empty == []


@pytest.mark.usefixtures("thoroughly")
def test_live_charts_follow_the_width_of_their_cell(notebook):
    assert notebook.too_wide(*WINDOWS[1]) == []


def test_few_webgl_contexts_are_alive(notebook):
    assert notebook.live_contexts() <= MAX_CONTEXTS


def test_every_control_and_view_has_a_name(notebook):
    assert notebook.page.evaluate(UNNAMED) == []


@pytest.mark.usefixtures("thoroughly")
def test_every_widget_answers_to_the_keyboard(notebook):
    notebook.page.add_style_tag(content=HIDE_CONTROLS)
    cells = notebook.all(".jp-CodeCell:has(.widget-slider, .widget-dropdown)")
    deaf = [index for index, cell in enumerate(cells) if not _answers(cell, notebook.camera)]
    assert deaf == []


def _answers(cell, camera) -> bool:
    """Does the cell's output change when one of its first controls is moved by keys?"""
    output = cell.query_selector(".jp-OutputArea")
    sliders = [each for each in cell.query_selector_all(".noUi-handle")[:2] if each.is_visible()]
    menus = cell.query_selector_all(".widget-dropdown select")[:1]
    for control in sliders + menus:
        control.focus()  # which scrolls it into view
        before = camera.steady_picture(output)
        for key in _keys(control):
            control.press(key)
        if camera.changes(output, before):
            return True
    return False


def _keys(control) -> list[str]:
    """The keys that move a slider three steps away from its right end, or choose in a menu."""
    if control.evaluate("e => e.tagName") == "SELECT":
        last = control.evaluate("e => e.selectedIndex === e.length - 1")
        return ["Space", "ArrowUp" if last else "ArrowDown", "Enter"]
    now, most = (control.get_attribute(f"aria-value{end}") for end in ("now", "max"))
    return ["ArrowLeft" if now == most else "ArrowRight"] * 3


def test_the_browser_has_nothing_to_complain_of_and_nothing_leaves_the_machine(notebook):
    assert notebook.complaints == []
    assert notebook.outside == []


def test_reopened_without_a_kernel_every_view_shows_its_picture(request, notebook, lab):
    views = len(notebook.all(".k3d-target canvas"))
    notebook.save()
    notebook.shut()
    notebook.open(request.node.callspec.params["notebook"], kernel=False)
    notebook.wait_for_pictures(views)
    assert lab.sessions() == []


def test_an_error_and_a_request_to_the_outside_are_heard(lab, page):
    notebook = Notebook(page, lab)
    notebook.open(NAMES[0], kernel=False)
    page.evaluate("() => fetch('http://example.org/').catch(() => console.error('no way out'))")
    notebook.shut()
    notebook.stop_listening()
    assert notebook.outside == ["http://example.org/"]
    assert "no way out" in notebook.complaints
