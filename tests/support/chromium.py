"""The browser of the browser tests: Chromium or Chrome as the machine has it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
MISSING = "no Chromium on the PATH (Debian: apt-get install chromium; or name one in CHROMIUM)"


def found() -> str | None:
    """The browser's path: the one that CHROMIUM names, else the first on the PATH."""
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def describe() -> str:
    """One line for the terminal: which browser the tests will run on, or that they are skipped, and why."""
    path = found()
    return f"browser: {path}" if path else f"browser: none, its tests are skipped: {MISSING}"


@contextmanager
def running_browser() -> Iterator[Browser]:
    """The browser, without a window. Not to be held across tests that run an event loop of their own."""
    from playwright.sync_api import sync_playwright  # loads only where a browser is

    path = found()
    if path is None:
        raise FileNotFoundError(MISSING)
    # Chromium's sandbox does not start for root, who runs the tests in a container.
    sandboxed = os.geteuid() != 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            chromium_sandbox=sandboxed,
            args=["--autoplay-policy=document-user-activation-required"],
        )
        try:
            yield browser
        finally:
            browser.close()
