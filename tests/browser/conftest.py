"""One JupyterLab and one page for all browser tests."""

import pytest

pytest.importorskip("playwright", reason="browser tests need playwright")

from browser.lab import running_lab
from browser.page import CHROMIUM, browser


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("browser tests need chromium")
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="session")
def page(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page
