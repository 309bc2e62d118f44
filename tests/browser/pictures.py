"""Screenshots of places in a notebook: what can be seen of them in the window, without the controls."""

import base64
import io
import time

import numpy as np
from PIL import Image
from playwright.sync_api import ElementHandle, Page

# What can be seen of an element: its part inside the scrolled notebook.
SEEN = """e => {
  const place = e.getBoundingClientRect();
  const window = e.closest('.jp-WindowedPanel-outer').getBoundingClientRect();
  const [x, y] = [Math.max(place.left, window.left), Math.max(place.top, window.top)];
  const [right, bottom] = [Math.min(place.right, window.right), Math.min(place.bottom, window.bottom)];
  return {x, y, width: right - x, height: bottom - y, scale: 1};
}"""
SCROLL = "e => e.scrollIntoView({block: 'center'})"


class Camera:
    """Takes pictures of places in a page, (height, width, 3) integers from 0 to 255.

    Playwright's own screenshots visit every element of the page, which takes seconds in a notebook.
    """

    def __init__(self, page: Page):
        self._tools = page.context.new_cdp_session(page)

    def picture(self, place: ElementHandle) -> np.ndarray:
        """What can be seen of a place now."""
        options = {"clip": place.evaluate(SEEN), "optimizeForSpeed": True}
        shot = base64.b64decode(self._tools.send("Page.captureScreenshot", options)["data"])
        return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)

    def steady_picture(self, place: ElementHandle, seconds: float = 20.0) -> np.ndarray:
        """A picture of a place when two in a row are the same, or after so many seconds."""
        before, end = self.picture(place), time.monotonic() + seconds
        while True:
            time.sleep(0.1)
            now = self.picture(place)
            if np.array_equal(now, before) or time.monotonic() > end:
                return now
            before = now

    def changes(self, place: ElementHandle, before: np.ndarray, seconds: float = 15.0) -> bool:
        """True if a place looks different from `before` within so many seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            now = self.picture(place)
            if now.shape != before.shape or (abs(now - before).max(axis=-1) > 12).sum() > 50:
                return True
            time.sleep(0.2)
        return False

    def stays_empty(self, place: ElementHandle, seconds: float = 20.0) -> bool:
        """True if a place is not drawn within so many seconds."""
        place.evaluate(SCROLL)
        end = time.monotonic() + seconds
        while _is_empty(self.picture(place)):
            if time.monotonic() > end:
                return True
            time.sleep(0.3)
        return False


def _is_empty(image: np.ndarray) -> bool:
    """True if nearly all pixels have one colour."""
    pixels = image.reshape(-1, 3)
    background = np.median(pixels, axis=0)
    return bool((np.abs(pixels - background).max(axis=1) > 12).mean() < 0.002)
