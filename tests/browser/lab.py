"""One JupyterLab for all browser tests, on a copy of the notebooks, in fast mode, without network."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parents[1] / "notebooks"
TOKEN = "browser-tests"
# No news and no build pop-ups.
PAGE = {
    "disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True},
    "buildCheck": False,
}


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address and the folder that it serves."""

    url: str
    folder: Path

    def kernels_off(self) -> None:
        """End all sessions, so that the next notebook finds a quiet machine."""
        for session in self.sessions():
            self._ask("DELETE", f"/api/sessions/{session['id']}")

    def sessions(self) -> list[dict]:
        """The notebooks that have a kernel."""
        return self._ask("GET", "/api/sessions") or []

    def _ask(self, method: str, path: str) -> list | None:
        headers = {"Authorization": f"token {TOKEN}"}
        request = urllib.request.Request(f"{self.url}{path}", method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None


@contextlib.contextmanager
def running_lab(folder: Path) -> Iterator[Lab]:
    """Start JupyterLab on a copy of the notebooks in `folder`, and stop it at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    served = folder / "notebooks"
    shutil.copytree(NOTEBOOKS, served, ignore=shutil.ignore_patterns("src", ".ipynb_checkpoints"))
    _configure(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"]
    options = [f"--port={port}", f"--IdentityProvider.token={TOKEN}", f"--notebook-dir={served}"]
    options.append("--LabApp.expose_app_in_browser=True")  # as `jupyterapp`, for commands
    with (folder / "lab.log").open("w") as log:
        server = subprocess.Popen(
            [*command, *options], env=_environment(folder), stdout=log, stderr=log, cwd=folder
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url, server)
        yield Lab(url, served)
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(timeout=5)
        server.kill()


def _configure(folder: Path) -> None:
    (folder / "config" / "labconfig").mkdir(parents=True)
    (folder / "config" / "labconfig" / "page_config.json").write_text(json.dumps(PAGE))
    tracker = folder / "settings" / "@jupyterlab" / "notebook-extension"
    tracker.mkdir(parents=True)
    # all cells are in the page at once, so that all can be measured
    (tracker / "tracker.jupyterlab-settings").write_text(json.dumps({"windowingMode": "none"}))


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {
        "COURSE_FAST": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(HERE.parent / "closed_network"),
        "XDG_CACHE_HOME": str(folder / "cache"),  # nothing downloaded earlier is found
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "IPYTHONDIR": str(folder / "ipython"),
    }


def _wait_for(url: str, server: subprocess.Popen, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.poll() is not None:
            raise RuntimeError(f"JupyterLab ended with {server.returncode}")
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(f"{url}/api?token={TOKEN}", timeout=5).close()
            return
        time.sleep(0.3)
    raise TimeoutError(f"JupyterLab did not answer within {seconds:g} s")
