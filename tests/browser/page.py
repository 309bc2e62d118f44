"""Driving a notebook in JupyterLab with a real browser: open, run, look, press keys."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode
from playwright.sync_api import ElementHandle, Page, sync_playwright

from browser.lab import TOKEN, Lab
from browser.pictures import Camera

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-gpu-compositing",  # or software draws the whole page over and over
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nothing leaves this machine
)
INSIDE = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:", "file:")
# Remembers every WebGL canvas, so that the live ones can be counted.
COUNT_CONTEXTS = """
window.webglCanvases = new Set();
const original = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  const context = original.call(this, kind, ...rest);
  if (context && String(kind).startsWith('webgl')) window.webglCanvases.add(this);
  return context;
};
"""
# One page stays open for all notebooks: loading JupyterLab takes longer than opening a notebook.
OPEN = """async ([path, shouldStart]) => {
  await jupyterapp.restored;
  const options = {path, kernelPreference: {shouldStart}};
  await jupyterapp.commands.execute('docmanager:open', options);
}"""
CLOSE = "() => { jupyterapp.shell.currentWidget?.dispose(); webglCanvases.clear(); }"
RUN_ALL = "() => { jupyterapp.commands.execute('notebook:run-all-cells'); }"
SIDE_BAR = """open => jupyterapp.shell.leftCollapsed === open
  && jupyterapp.commands.execute('application:toggle-left-area')"""
SAVE = "() => jupyterapp.commands.execute('docmanager:save')"
IDLE = "jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
PROMPTS = f"""() => [...document.querySelectorAll('{PANEL} .jp-CodeCell .jp-InputPrompt')]
  .map(e => e.textContent.trim())"""
CHART = ".jp-RenderedPlotly"  # a picture, until the mouse points at it
PLOTLY, WIDGET = "application/vnd.plotly.v1+json", "application/vnd.jupyter.widget-view+json"
# How many charts and widgets are drawn.
DRAWN = f"""() => ['{CHART}', '.jp-OutputArea-output > .jupyter-widgets']
  .map(kind => document.querySelectorAll('{PANEL} ' + kind).length)"""
# Controls and views that a screen reader finds without a name.
UNNAMED = f"""() => [...document.querySelectorAll(
  '{PANEL} .course-view :is(button, input, select, canvas, [role=slider])')]
  .filter(e => !e.getAttribute('aria-label') && !e.labels?.[0]?.textContent.trim())
  .map(e => e.outerHTML.slice(0, 200))"""
# Outputs and texts that are wider than their place in the notebook, with the pixels too many.
TOO_WIDE = f"""() => [...document.querySelectorAll(
  '{PANEL} .jp-OutputArea-output, {PANEL} .jp-MarkdownOutput')]
  .filter(e => e.scrollWidth > e.clientWidth + 1)
  .map(e => [e.scrollWidth - e.clientWidth, e.innerText.slice(0, 60), e.innerHTML.slice(0, 60)])"""
# Asked in every frame: without frames a headless JupyterLab attaches one cell a second.
PICTURES_SHOWN = f"""number =>
  [...document.querySelectorAll('{PANEL} .jp-OutputArea img')]
    .filter(e => e.naturalWidth && e.getBoundingClientRect().width).length >= number"""
# Sliders, menus and buttons with their labels and numbers are left out of pictures.
HIDE_CONTROLS = ".widget-inline-hbox:not(.widget-html) { opacity: 0; }"
# Remarks of the browser and of JupyterLab that say nothing about a notebook.
HARMLESS = (
    "favicon",
    "ResizeObserver loop",
    "Source map",
    "GL Driver Message",
    "GroupMarkerNotSet",
    "Cannot read properties of null (reading 'kernel')",  # ipywidgets, where no kernel is started
)
# Said of each view that was stored without its model: it shows its picture until its cell is run.
STORED_VIEW = "widget model not found"


class Notebook:
    """An open notebook, and all that the browser complained about since it was opened."""

    def __init__(self, page: Page, lab: Lab):
        self.page, self.lab, self.camera = page, lab, Camera(page)
        self.complaints: list[str] = []
        self.outside: list[str] = []
        self._listeners = {
            "console": lambda said: self._hear(said.text) if said.type == "error" else None,
            "pageerror": lambda error: self._hear(str(error)),
            "request": self._on_request,
        }
        for event, listener in self._listeners.items():
            page.on(event, listener)

    def _on_request(self, request) -> None:
        if not request.url.startswith(INSIDE):
            self.outside.append(request.url)

    def _hear(self, text: str) -> None:
        if not any(word in text for word in HARMLESS):
            self.complaints.append(text[:300])

    def open(self, name: str, *, kernel: bool = True) -> None:
        """Open a notebook of the lab and wait until it is drawn and, if wanted, its kernel is idle."""
        if not self.page.url.startswith(self.lab.url):
            self.page.goto(f"{self.lab.url}/lab?token={TOKEN}&reset")
            self.page.wait_for_function("() => window.jupyterapp", timeout=120_000)
        self.page.evaluate(OPEN, [name, kernel])
        self.page.wait_for_selector(f"{PANEL} .jp-CodeCell", timeout=120_000)
        if kernel:
            self.page.wait_for_function(IDLE, timeout=120_000, polling=100)

    def shut(self) -> None:
        """Close the notebook as it was saved last, and end its kernel."""
        self.page.evaluate(CLOSE)
        self.lab.kernels_off()

    def stop_listening(self) -> None:
        """Hear no more of what the browser says."""
        for event, listener in self._listeners.items():
            self.page.remove_listener(event, listener)

    def save(self) -> None:
        """Save the notebook as it stands."""
        self.page.evaluate(SAVE)

    def run_all(self, seconds: float) -> None:
        """Run All Cells, and wait until every code cell has its number."""
        self.complaints = [said for said in self.complaints if STORED_VIEW not in said]
        self.page.evaluate(RUN_ALL)
        time.sleep(1.0)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            prompts = self.page.evaluate(PROMPTS)
            if prompts and all(text.strip("[]:").isdigit() for text in prompts):
                return
            time.sleep(0.3)
        raise TimeoutError(f"cells still waiting after {seconds:g} s: {prompts}")

    def wait_until_drawn(self, stored: NotebookNode, seconds: float = 60.0) -> None:
        """Wait until as many charts and widgets are drawn as the stored notebook has."""
        data = [o.get("data", {}) for cell in stored.cells for o in cell.get("outputs", [])]
        expected = [sum(kind in each for each in data) for kind in (PLOTLY, WIDGET)]
        end = time.monotonic() + seconds
        while any(n < m for n, m in zip(self.page.evaluate(DRAWN), expected, strict=True)):
            if time.monotonic() > end:
                raise TimeoutError(
                    f"{self.page.evaluate(DRAWN)} of {expected} charts, widgets drawn"
                )
            time.sleep(0.3)

    def wait_for_pictures(self, number: int, seconds: float = 60.0) -> None:
        """Wait until the outputs show at least so many pictures."""
        self.page.wait_for_function(PICTURES_SHOWN, arg=number, timeout=1000 * seconds)

    def all(self, selector: str) -> list[ElementHandle]:
        """All places of the notebook that match a CSS selector."""
        return self.page.query_selector_all(f"{PANEL} {selector}")

    def too_wide(self, width: int, side_bar: bool, seconds: float = 30.0) -> list:
        """What stays wider than its place in a window of so many pixels."""
        before = self.page.viewport_size
        self.page.set_viewport_size({"width": width, "height": before["height"]})
        self.page.evaluate(SIDE_BAR, side_bar)
        self.page.wait_for_timeout(1000)  # charts, views and formulas follow a little later
        end = time.monotonic() + seconds
        while (found := self.page.evaluate(TOO_WIDE)) and time.monotonic() < end:
            self.page.wait_for_timeout(500)
        self.page.evaluate(SIDE_BAR, True)
        self.page.set_viewport_size(before)
        return found

    def live_contexts(self) -> int:
        """How many WebGL canvases are in the page."""
        return self.page.evaluate("() => [...webglCanvases].filter(c => c.isConnected).length")


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A headless Chromium with an empty profile that lets nothing out of this machine."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile),
            executable_path=CHROMIUM,
            args=list(FLAGS),
            viewport={"width": 1200, "height": 1000},
        )
        context.add_init_script(COUNT_CONTEXTS)
        yield context.new_page()
        context.close()
