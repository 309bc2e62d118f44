"""From a key on a slider to the new picture in the page, in milliseconds; nodes and memory of the page.

    python tests/benchmarks/bench_sliders.py 03 04 06

Each notebook is opened in JupyterLab in headless Chromium and run whole, in its fast edition. Then the
first slider of every view is moved by five keys, one after the other's picture is there. Drawing by
software counts, as there is no graphics card. Run it on a quiet machine; needs Chromium and playwright.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from browser.lab import NOTEBOOKS, running_lab  # beside the other tests
from browser.page import PANEL, Notebook, browser

KEYS, PATIENCE = 5, 5000  # milliseconds
# Resolves with the time from the key until the output has changed and a frame was drawn; null if never.
# The slider's own readout is a change, too: only pictures, tables and k3d count.
WAIT = """([output, patience]) => new Promise(resolve => {
  const begin = performance.now();
  const seen = new MutationObserver(changes => {
    if (!changes.some(c => c.target.closest?.('.widget-html, .k3d-target, .widget-image')
        && !c.target.closest('.widget-slider'))) return;
    seen.disconnect();
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begin)));
  });
  seen.observe(output, {subtree: true, childList: true, attributes: true, characterData: true});
  setTimeout(() => { seen.disconnect(); resolve(null); }, patience);
})"""
NODES = "() => [document.querySelectorAll('*').length, performance.memory.usedJSHeapSize / 2**20]"


def measure(notebook: Notebook, name: str) -> list[float]:
    """Open, run, and move; prints a row for each view."""
    begin = time.monotonic()
    notebook.open(name)
    opened = time.monotonic() - begin
    notebook.run_all(600.0)
    time.sleep(3.0)
    nodes, megabytes = notebook.page.evaluate(NODES)
    print(
        f"{name}: opened in {opened:.1f} s; after Run All {nodes} nodes, {megabytes:.0f} MB of heap"
    )
    medians = []
    for cell in notebook.page.query_selector_all(f"{PANEL} .jp-CodeCell:has(.widget-slider)"):
        handle, output = cell.query_selector(".noUi-handle"), cell.query_selector(".jp-OutputArea")
        handle.focus()
        time.sleep(0.5)
        now, most = (handle.get_attribute(f"aria-value{end}") for end in ("now", "max"))
        key, times = "ArrowLeft" if now == most else "ArrowRight", []
        for _ in range(KEYS):
            waiting = notebook.page.evaluate_handle(
                f"arguments => ({{done: ({WAIT})(arguments)}})", [output, PATIENCE]
            )
            handle.press(key)
            taken = waiting.evaluate("each => each.done")
            if taken is not None:
                times.append(taken)
            time.sleep(0.2)
        if times:
            medians.append(statistics.median(times))
        label = cell.query_selector(".widget-label").inner_text()
        said = f"{medians[-1]:5.0f} ms" if times else "no new picture"
        print(f"  {label:28} {said} ({len(times)} of {KEYS} moves)")
    notebook.shut()
    return medians


def main() -> None:
    """Measure the notebooks named by their numbers."""
    wanted = sys.argv[1:] or ["03", "04", "06"]
    names = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb") if path.name[:2] in wanted)
    with (
        tempfile.TemporaryDirectory() as place,
        running_lab(Path(place) / "lab") as lab,
        browser(Path(place) / "profile") as page,
    ):
        medians = [each for name in names for each in measure(Notebook(page, lab), name)]
    print(f"median of {len(medians)} views: {statistics.median(medians):.0f} ms")


if __name__ == "__main__":
    main()
