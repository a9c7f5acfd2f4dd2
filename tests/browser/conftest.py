"""The page in a real browser, in a real Airflow, with a month of exports in the emulator behind it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_aep.emulator.server import airflow_connection, serve
from tools.browser import NAMES, find_chromium, launch, sign_in
from tools.page_story import Story
from tools.stack import AirflowStack

REFRESH_SECONDS = 1
USERS = ("admin", "op", "user", "viewer")
WAITED_FOR = "crm-nightly"


@dataclass
class Stage:
    """A running Airflow, and the emulator that its page shows."""

    airflow: AirflowStack
    story: Story
    url: str
    _serving: ExitStack = field(default_factory=ExitStack)

    def start_service(self) -> None:
        self.story.emulator.clear_faults()
        self._serving.enter_context(serve(self.story.emulator, urlsplit(self.url).port or 0))

    def stop_service(self) -> None:
        self._serving.close()
        # Connections that are open already would be served to their end.
        self.story.emulator.reset_next(times=1_000_000)
        self.story.emulator.reset_next(times=1_000_000, match="POST /ims")

    def password(self, user: str) -> str:
        return str(json.loads((self.airflow.home / "passwords.json").read_text())[user])

    def connection(self, **changes: Any) -> dict[str, Any]:
        """The Airflow connection to the emulator, as Airflow's API takes it."""
        found = json.loads(airflow_connection(self.story.emulator, self.url))
        extra = {**found["extra"], **changes.pop("extra", {})}
        return {"connection_id": "aep_default", **found, **changes, "extra": json.dumps(extra)}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    # Not for the session: while it lives, an event loop runs in this thread, and no test could start another.
    executable = find_chromium()
    if executable is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on PATH")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = launch(playwright, executable)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def stage(
    chromium: Any, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    dags = tmp_path_factory.mktemp("dags")
    shutil.copy(Path(__file__).with_name("dags") / "aep_page.py", dags)
    story = Story()
    with ExitStack() as serving:
        url = serving.enter_context(serve(story.emulator))
        env = {
            "AIRFLOW__AEP__PAGE_REFRESH_SECONDS": str(REFRESH_SECONDS),
            "AIRFLOW__AEP__PAGE_ALLOWANCE": "exported_bytes=2GB/year, exported_records=90000000/month",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{user}" for user in USERS),
            "AEP_PAGE_DATAFLOW": story.ids[WAITED_FOR],
            "AEP_PAGE_AFTER": (datetime.now(tz=UTC) - timedelta(hours=30)).isoformat(),
            "AEP_PAGE_UNTIL": (datetime.now(tz=UTC) - timedelta(hours=4)).isoformat(),
            **getattr(request.module, "SETTINGS", {}),
        }
        with AirflowStack(dags, env=env) as airflow:
            stage = Stage(airflow, story, url, serving)
            airflow.api.call("POST", "/connections", stage.connection())
            yield stage


def _is_airflows(error: Any) -> bool:
    """Whether Airflow's own page gave up a request of its own; ours handle that, and stand in the stack."""
    return str(error) == "signal is aborted without reason" and "aep" not in (error.stack or "")


@pytest.fixture
def open_page(chromium: Any, stage: Stage) -> Iterator[Callable[..., Any]]:
    """``open_page("plugin/aep-exports")``: a page of Airflow, as an administrator sees it.

    Whatever is logged as an error, and every dialog, fails the test when it is over.
    """
    with ExitStack() as contexts:
        wrong: list[str] = []

        def open_(path: str, *, user: str | None = "admin", width: int = 1280, theme: str = "light") -> Any:
            context = chromium.new_context(viewport={"width": width, "height": 900}, timezone_id="UTC")
            contexts.callback(context.close)
            if user is not None:
                sign_in(context, stage.airflow.url, username=user, password=stage.password(user))
            context.add_init_script(f"localStorage.theme ??= '{theme}'")
            page = context.new_page()
            # The page refreshes each second: an answer may be on its way through a route when the test ends,
            # and Playwright raises what becomes of it in the next test.
            contexts.callback(page.unroute_all, behavior="ignoreErrors")
            page.on("pageerror", lambda error: wrong.append(str(error)) if not _is_airflows(error) else None)
            page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
            page.set_default_timeout(20_000)
            page.goto(f"{stage.airflow.url}/{path}")
            return page

        yield open_
    assert wrong == []
