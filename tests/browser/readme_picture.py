"""The README's picture of a notebook: `cd tests && python -m browser.readme_picture`."""

import io
import tempfile
import time
from pathlib import Path

from PIL import Image

from browser.lab import running_lab
from browser.page import PANEL, Notebook, browser
from course_lib.authoring.assets import FOLDER

NAME, HEADING, SIZE = (
    "04_losses_and_metrics.ipynb",
    "Chamfer distance and normal loss",
    (1150, 1500),
)


def make_picture(folder: Path) -> None:
    """Photograph the section on the Chamfer distance in JupyterLab."""
    with (
        tempfile.TemporaryDirectory() as place,
        running_lab(Path(place) / "lab") as lab,
        browser(Path(place) / "profile") as page,
    ):
        page.set_viewport_size({"width": SIZE[0], "height": SIZE[1]})
        Notebook(page, lab).open(NAME)
        page.keyboard.press("Control+b")  # close the side bar
        time.sleep(3.0)
        heading = page.locator(f"{PANEL} h2", has_text=HEADING).first
        heading.evaluate("e => e.scrollIntoView()")
        time.sleep(3.0)
        picture = Image.open(io.BytesIO(page.locator(PANEL).first.screenshot())).convert("RGB")
    small = picture.resize(
        (picture.width * 3 // 4, picture.height * 3 // 4), Image.Resampling.LANCZOS
    )
    folder.mkdir(parents=True, exist_ok=True)
    small.quantize(128).save(folder / "notebook.png", optimize=True)


if __name__ == "__main__":
    make_picture(FOLDER / "readme")
