"""What the browser tests need that the library itself does not: packages and a Chromium."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

PACKAGES = {
    "jupyterlab": "jupyterlab",
    "jupyter_client": "jupyter_client",
    "ipykernel": "ipykernel",
    "ipympl": "ipympl",
    "ipywidgets": "ipywidgets",
    "playwright": "playwright",
}
"""Module to import: name to install."""

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

HOW_TO_INSTALL = (
    "pip install 'lazy4d[jupyter]' jupyterlab playwright (or: pip install 'lazy4d[browser]') and a Chromium: "
    "apt install chromium, or playwright install chromium"
)


def chromium() -> Path | None:
    """The Chromium or Chrome to start: one of the system's, or else the one that playwright downloaded."""
    for name in PROGRAMS:
        found = shutil.which(name) or shutil.which(name, path="/usr/bin")
        if found:
            return Path(found)
    if importlib.util.find_spec("playwright") is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        own = Path(driver.chromium.executable_path)
    return own if own.exists() else None


def missing() -> str | None:
    """A sentence that names what is missing and how to install it, or None where everything is there."""
    absent = [package for module, package in PACKAGES.items() if importlib.util.find_spec(module) is None]
    if not absent and chromium() is None:
        absent = ["a Chromium"]
    if not absent:
        return None
    return f"the browser tests need {', '.join(absent)}: {HOW_TO_INSTALL}"
