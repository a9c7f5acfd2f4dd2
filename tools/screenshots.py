"""Renew the pictures of the page in ``docs/pictures``: ``python -m tools.screenshots``.

A real Airflow with a month of exports in the emulator behind it (``page_story.py``), seen through the
system's Chromium, in Airflow's light and dark theme.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_aep.emulator.server import airflow_connection, serve
from tools.browser import NAMES, find_chromium, launch, sign_in
from tools.environment import CHECKOUT
from tools.page_story import Story
from tools.stack import AirflowStack

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PICTURES = CHECKOUT / "docs" / "pictures"
PAGE = "plugin/aep-exports"
OPENED = "email-engagement"
THEMES = ("light", "dark")
WIDTH, HEIGHT = 1280, 860


def take(browser: Browser, airflow: AirflowStack, story: Story) -> None:
    """Two pictures in each theme; those that are there are overwritten."""
    paths = {"overview": PAGE, "export": f"{PAGE}?export=aep_default/prod/{story.ids[OPENED]}"}
    for theme in THEMES:
        context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, timezone_id="UTC")
        context.add_init_script(f"localStorage.theme = '{theme}'; localStorage.timezone = '\"UTC\"'")
        sign_in(context, airflow.url, username=airflow.username, password=airflow.password)
        page = context.new_page()
        for name, path in paths.items():
            page.goto(f"{airflow.url}/{path}")
            page.locator(".aep-strip").last.wait_for()
            page.wait_for_function("!document.querySelector('.aep-waiting')")
            page.evaluate("document.activeElement.blur()")
            page.wait_for_timeout(500)  # fonts, and Airflow's own navigation
            file = PICTURES / f"{name}-{theme}.png"
            page.screenshot(path=file)
            print(f"{file.relative_to(CHECKOUT)}  {file.stat().st_size / 1000:.0f} kB")
        context.close()


def main() -> int:
    executable = find_chromium()
    if executable is None:
        print(f"There is no browser: none of {', '.join(NAMES)} is on PATH.", file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright

    PICTURES.mkdir(exist_ok=True)
    story = Story()
    with (
        tempfile.TemporaryDirectory(prefix="aep-dags-") as dags,
        serve(story.emulator) as url,
        AirflowStack(Path(dags)) as airflow,
        sync_playwright() as playwright,
    ):
        connection = json.loads(airflow_connection(story.emulator, url))
        extra = json.dumps(connection.pop("extra"))
        airflow.api.call(
            "POST", "/connections", {"connection_id": "aep_default", **connection, "extra": extra}
        )
        browser = launch(playwright, executable)
        take(browser, airflow, story)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
