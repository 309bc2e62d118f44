"""What a view does in JupyterLab besides drawing: names, keys, wheel, a word while computing."""

import nbformat
import pytest

pytest.importorskip("playwright", reason="browser tests need playwright")

from browser.page import IDLE, PANEL, UNNAMED, Notebook

pytestmark = pytest.mark.slow
BALL = """
from course_lib import meshes, viz, widgets
widgets.view3d(viz.Item(meshes.icosphere(1), wire=True), alt="A ball with edges.")
"""
SLOW = """
import time
moves = []
def update(level, rate, shape, hollow, word):
    time.sleep(0.6 * bool(moves))
    moves.append(level)
    return [viz.Scene(meshes.icosphere(level % 3)), f"{len(moves)} moves"]
shapes, rates = ["ball", "box"], widgets.log_slider(0.1, 10, 1)
_ = widgets.explore(
    update,
    {"level": (0, 50, 9), "rate": rates, "shape": shapes, "hollow": True, "word": "a"},
    alt="A ball.",
    play="level",
)
"""
SPACE = "from IPython.display import HTML\nHTML('<div style=\"height:2000px\"></div>')"
RESTART = "() => { jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart(); }"
MOVES = """
    handle => {
        const saw = () => { window.sawBusy ||= Boolean(document.querySelector('.course-busy')); };
        new MutationObserver(saw).observe(document.body, {subtree: true, attributeFilter: ['class']});
        for (let i = 0; i < 12; i++)
            handle.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));
    }"""  # at once, and watched from within: a busy machine must not miss the moment
TOP = f"() => document.querySelector('{PANEL} .jp-WindowedPanel-outer').scrollTop"


@pytest.fixture(scope="module")
def views(lab, page):
    cells = [nbformat.v4.new_code_cell(text.strip()) for text in (BALL, SLOW, SPACE)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), lab.folder / "v.ipynb")
    notebook = Notebook(page, lab)
    notebook.open("v.ipynb")
    notebook.run_all(60)
    page.wait_for_function(f"document.querySelectorAll('{PANEL} .k3d-target canvas').length === 2")
    yield notebook
    notebook.shut()
    notebook.stop_listening()


def test_every_control_and_view_has_a_name(views):
    views.page.wait_for_selector(f"{PANEL} button[aria-label='play or pause']", timeout=30_000)
    assert views.page.evaluate(UNNAMED) == []
    names = [h.get_attribute("aria-label") for h in views.all(".noUi-handle")]
    assert names == ["level", "rate"]


def test_a_view_is_a_handful_of_page_nodes(views):
    nodes = [len(view.query_selector_all("*")) for view in views.all(".k3d-target")]
    assert len(nodes) == 2 and max(nodes) < 20


def test_the_wheel_scrolls_the_page_until_the_view_is_clicked(views):
    canvas, page = views.all(".k3d-target canvas")[0], views.page
    canvas.evaluate("e => e.scrollIntoView()")
    canvas.hover()
    before, top = views.camera.steady_picture(canvas), page.evaluate(TOP)
    page.mouse.wheel(0, 40)
    page.wait_for_function(f"top => ({TOP})() > top", arg=top)
    canvas.evaluate("e => e.scrollIntoView()")
    assert not views.camera.changes(canvas, before, 1.0)
    canvas.click()
    before, top = views.camera.steady_picture(canvas), page.evaluate(TOP)
    page.mouse.wheel(0, 40)
    assert views.camera.changes(canvas, before)
    assert page.evaluate(TOP) == top


def test_arrow_keys_turn_a_view_and_turn_it_back(views):
    canvas = views.all(".k3d-target canvas")[0]
    canvas.focus()
    before = views.camera.steady_picture(canvas)
    for there, back in (("ArrowLeft", "ArrowRight"), ("ArrowUp", "ArrowDown"), ("+", "-")):
        canvas.press(there)
        assert views.camera.changes(canvas, before)
        canvas.press(back)
        assert not views.camera.changes(canvas, before, 1.0)


def test_of_many_moves_few_are_computed_the_newest_is_and_the_view_says_computing(views):
    views.all(".noUi-handle")[0].evaluate(MOVES)
    words = views.page.locator(f"{PANEL} .course-view details p", has_text="level 21 ")
    words.wait_for(state="attached", timeout=60_000)
    assert int(words.text_content().split()[-2]) <= 4  # "… 3 moves"
    assert views.page.evaluate("window.sawBusy")
    views.page.wait_for_function(f"!document.querySelector('{PANEL} .course-busy')")


def test_after_a_restart_a_view_looks_dead(views):
    views.page.evaluate(RESTART)
    dead = f"{PANEL} .course-view.jupyter-widgets-disconnected"
    views.page.wait_for_selector(dead, state="attached", timeout=30_000)
    slider = views.all(".widget-slider")[0]
    opacity = "e => getComputedStyle(e).opacity"
    assert float(slider.evaluate(opacity)) < 0.5
    views.page.wait_for_function(IDLE, timeout=60_000)  # or its session could not be ended
