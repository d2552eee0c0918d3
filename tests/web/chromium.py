"""The Chromium that drives the browser tests: ``python -m tests.web.chromium`` gets one where there is none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find(playwright: Playwright) -> str | None:
    """The system's Chromium, else Playwright's own, else None."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    own = playwright.chromium.executable_path
    return found or (own if Path(own).exists() else None)


def launch(playwright: Playwright) -> Browser | None:
    """A browser with an empty profile; None when there is no Chromium."""
    path = find(playwright)
    return playwright.chromium.launch(executable_path=path, args=FLAGS) if path else None


def get() -> str | None:
    """Find a Chromium, or install one: the system's package as root, else Playwright's download."""
    with sync_playwright() as playwright:
        if path := find(playwright):
            return path
    if os.geteuid() == 0 and shutil.which("apt-get"):
        commands = [["apt-get", "update", "-qq"], ["apt-get", "install", "-qq", "--yes", "chromium"]]
    else:
        commands = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    for command in commands:
        subprocess.run(command, check=False)
    with sync_playwright() as playwright:
        return find(playwright)


if __name__ == "__main__":
    if get() is None:
        print("no Chromium was found or could be installed: THE BROWSER TESTS DO NOT RUN", file=sys.stderr)
        sys.exit(os.environ.get("CI") == "true")
