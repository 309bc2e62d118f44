"""Driving a notebook in JupyterLab with a real browser: open, run, look, press keys."""

import contextlib
import io
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from nbformat import NotebookNode
from PIL import Image
from playwright.sync_api import Locator, Page, sync_playwright

from browser.lab import TOKEN, Lab

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
STATUS = """() => [...document.querySelectorAll('#jp-main-statusbar .jp-StatusBar-TextItem')]
  .map(e => e.textContent).some(t => t.includes('| Idle') && !t.includes('No Kernel'))"""
CONTROLS = ".widget-inline-hbox"  # sliders, menus and buttons with their labels and numbers
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
PROMPTS = f"""() => [...document.querySelectorAll('{PANEL} .jp-CodeCell .jp-InputPrompt')]
  .map(e => e.textContent.trim())"""
CHART = ".jp-RenderedPlotly"  # a picture, until the mouse points at it
PLOTLY, WIDGET = "application/vnd.plotly.v1+json", "application/vnd.jupyter.widget-view+json"
# How many charts and widgets are drawn.
DRAWN = f"""() => ['{CHART}', '.jp-OutputArea-output > .jupyter-widgets']
  .map(kind => document.querySelectorAll('{PANEL} ' + kind).length)"""
# The browser's own remarks that say nothing about a notebook.
HARMLESS = (
    "favicon",
    "ResizeObserver loop",
    "Source map",
    "GL Driver Message",
    "GroupMarkerNotSet",
)
# Said of each view that was stored without its model: it shows its picture until its cell is run.
STORED_VIEW = "widget model not found"


class Notebook:
    """An open notebook, and all that the browser complained about since it was opened."""

    def __init__(self, page: Page, lab: Lab):
        self.page, self.lab = page, lab
        self.complaints: list[str] = []
        self.outside: list[str] = []
        self._listeners = {
            "console": self._on_console,
            "pageerror": lambda error: self.complaints.append(str(error)[:300]),
            "request": self._on_request,
        }
        for event, listener in self._listeners.items():
            page.on(event, listener)

    def close(self) -> None:
        """Listen no more."""
        for event, listener in self._listeners.items():
            self.page.remove_listener(event, listener)

    def _on_request(self, request) -> None:
        if not request.url.startswith(INSIDE):
            self.outside.append(request.url)

    def _on_console(self, message) -> None:
        if message.type == "error" and not any(word in message.text for word in HARMLESS):
            self.complaints.append(message.text[:300])

    def open(self, name: str, *, kernel: bool = True) -> None:
        """Open a notebook of the lab and wait until it is drawn and, if wanted, its kernel is idle."""
        self.page.goto(
            f"{self.lab.url}/lab/tree/{name}?token={TOKEN}&reset", wait_until="domcontentloaded"
        )
        self.page.wait_for_selector(f"{PANEL} .jp-CodeCell", timeout=120_000)
        if kernel:
            self.page.wait_for_function(STATUS, timeout=120_000, polling=100)

    def run_all(self, seconds: float) -> None:
        """Run All Cells, and wait until every code cell has its number."""
        self.complaints = [said for said in self.complaints if STORED_VIEW not in said]
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
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

    def save(self) -> None:
        """Save the notebook as it stands."""
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("Control+s")
        time.sleep(1.5)

    def all(self, selector: str) -> list[Locator]:
        """All places of the notebook that match a CSS selector."""
        return self.page.locator(f"{PANEL} {selector}").all()

    def live_contexts(self) -> int:
        """How many WebGL canvases are in the page."""
        return self.page.evaluate(
            "() => [...window.webglCanvases].filter(c => c.isConnected).length"
        )


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


def picture(place: Locator) -> np.ndarray:
    """A screenshot of a place without its controls."""
    shot = place.screenshot(mask=[place.locator(CONTROLS)])
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def steady_picture(place: Locator, seconds: float = 20.0) -> np.ndarray:
    """A picture of a place when two in a row are the same, or after so many seconds."""
    place.evaluate("e => e.scrollIntoView({block: 'center'})")
    before, end = None, time.monotonic() + seconds
    while True:
        now = picture(place)
        if before is not None and np.array_equal(now, before):
            return now
        if time.monotonic() > end:
            return now
        before = now
        time.sleep(0.1)


def stays_empty(place: Locator, seconds: float = 20.0) -> bool:
    """True if a place is not drawn within so many seconds."""
    place.evaluate("e => e.scrollIntoView({block: 'center'})")
    end = time.monotonic() + seconds
    while is_empty(picture(place)):
        if time.monotonic() > end:
            return True
        time.sleep(0.3)
    return False


def is_empty(image: np.ndarray) -> bool:
    """True if nearly all pixels have one colour."""
    pixels = image.reshape(-1, 3)
    background = np.median(pixels, axis=0)
    return bool((np.abs(pixels - background).max(axis=1) > 12).mean() < 0.002)
