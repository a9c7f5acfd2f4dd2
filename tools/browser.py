"""The system's Chromium, driven by Playwright, and signed in to a local Airflow."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
# It calls nobody: no updates, no synchronisation.
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
)


def find_chromium() -> str | None:
    """Where a Chromium is on PATH."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def launch(playwright: Playwright, executable: str) -> Browser:
    # As root, as in a container, Chromium refuses to start with its sandbox.
    alone = ("--no-sandbox",) if os.geteuid() == 0 else ()
    return playwright.chromium.launch(executable_path=executable, args=[*QUIET, *alone])


def sign_in(context: BrowserContext, url: str, *, username: str, password: str) -> None:
    """Give the pages of a context the session of an Airflow user."""
    login = {"username": username, "password": password}
    answer = context.request.post(f"{url}/auth/token", data=login)
    context.add_cookies([{"name": "_token", "value": answer.json()["access_token"], "url": url}])
