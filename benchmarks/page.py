"""What the exports page costs with 500 exports of 30 runs each: ``python -m benchmarks.page``.

A real Airflow (its API server is the one that counts) reads an emulator in the benchmark's own process, over
HTTP on loopback. The page's data is asked for as a browser asks: cold, by the first viewer; warm, by one and
by 20 at once; and after the shared result has got old, when a new tick is due.

How to read it:

* *Requests* are those that reached the service. They do not depend on the machine.
* *Ratios* are to one warm answer of the same run; times belong to the machine.
* The last lines are a Chromium's, where there is one on PATH.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.emulator.clock import Clock
from airflow_provider_aep.emulator.server import airflow_connection, serve
from airflow_provider_aep.flowservice.driving import drive
from tools.browser import find_chromium, launch, sign_in
from tools.provisioning import new_dataflow, session_of
from tools.stack import AirflowStack

RUNS, STEP = 30, 3 * 3600
VIEWERS, ROUNDS = 20, 15
# Longer than the measurement of warm answers takes, so that none of them is a fresh one.
REFRESH_SECONDS = 20


def populated(exports: int) -> Emulator:
    """An emulator whose exports have had 30 ticks, each with a run."""
    clock = Clock(time.time() - RUNS * STEP - 1800)
    emulator = Emulator(clock=clock, page_size=100)
    session = session_of(emulator, now=clock)
    now = datetime.fromtimestamp(clock(), tz=UTC)
    end = now + timedelta(days=300)
    datasets = [one.id for one in emulator.datasets()]
    for number in range(exports):
        dataset = datasets[number % len(datasets)]
        each = new_dataflow(
            f"export {number:03}", now, datasets=[dataset], path="exports", every="3h", end=end
        )
        drive(session.conduct(each, sandbox="prod"), emulator)
    clock.advance(RUNS * STEP)
    return emulator


def timed(call: Callable[[], bytes]) -> tuple[float, bytes]:
    started = time.perf_counter()
    body = call()
    return time.perf_counter() - started, body


def in_a_browser(airflow: AirflowStack) -> dict[str, float] | None:
    """Milliseconds from a click in Airflow's navigation, and from the opening of the page's address."""
    executable = find_chromium()
    if executable is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright, executable)
        context = browser.new_context()
        sign_in(context, airflow.url, username=airflow.username, password=airflow.password)
        page = context.new_page()
        for _ in range(2):  # the second time with Airflow's own files in the browser's cache
            page.goto(f"{airflow.url}/plugin/aep-exports")
            page.locator(".aep-table tbody tr").first.wait_for()
        opened = page.evaluate(
            """() => ({
                painted: performance.getEntriesByName("first-contentful-paint")[0].startTime,
                shown: performance.now(),
            })"""
        )
        page.goto(airflow.url)
        page.get_by_role("button", name="Browse").click()
        item = page.get_by_role("menuitem", name="AEP exports")
        item.wait_for()
        before = page.evaluate("performance.now()")
        item.click()
        page.locator(".aep-table tbody tr").first.wait_for()
        clicked = page.evaluate("performance.now()") - before
        browser.close()
    return {
        "address opened: first paint (of Airflow)": opened["painted"] / 1000,
        "address opened: the table": opened["shown"] / 1000,
        "clicked in the navigation: the table": clicked / 1000,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--exports", type=int, default=500)
    exports = parser.parse_args().exports
    print(f"making {exports} exports with {RUNS} runs each ...", file=sys.stderr, flush=True)
    emulator = populated(exports)
    with tempfile.TemporaryDirectory() as folder, serve(emulator) as url:
        connections = {"aep_default": json.loads(airflow_connection(emulator, url))}
        settings = {"AIRFLOW__AEP__PAGE_REFRESH_SECONDS": str(REFRESH_SECONDS)}
        with AirflowStack(Path(folder), connections=connections, env=settings) as airflow:
            measure(emulator, airflow)
    return 0


def measure(emulator: Emulator, airflow: AirflowStack) -> None:
    airflow.api.call("GET", "/version")  # warms what is not the page's
    token = airflow.api.token()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(path: str = "/aep/api/exports") -> bytes:
        request = urllib.request.Request(  # noqa: S310  # loopback
            airflow.url + path, headers={"Authorization": f"Bearer {token}"}
        )
        with opener.open(request, timeout=60) as answer:
            return bytes(answer.read())

    def requests() -> int:
        count = len(emulator.requests("GET"))
        emulator.log.clear()
        return count

    def read() -> dict[str, Any]:
        """Ask as the page does until the source has been read."""
        while True:
            answer: dict[str, Any] = json.loads(ask())
            (source,) = answer["sources"]
            if source["state"] == "ok" and source["age_seconds"] < REFRESH_SECONDS:
                return answer
            time.sleep(0.1)

    requests()
    first, _ = timed(ask)
    cold, _ = timed(lambda: bytes(len(read()["exports"])))
    cold_requests = requests()
    warm = statistics.median(timed(ask)[0] for _ in range(ROUNDS))
    body = ask()
    row = json.loads(body)["exports"][0]
    detail = statistics.median(
        timed(lambda: ask(f"/aep/api/exports/aep_default/prod/{row['id']}"))[0] for _ in range(ROUNDS)
    )
    with ThreadPoolExecutor(VIEWERS) as viewers:
        together, _ = timed(lambda: b"".join(viewers.map(lambda _: ask()[:1], range(VIEWERS))))
    warm_requests = requests()
    emulator.clock.advance(1)
    time.sleep(REFRESH_SECONDS)
    with ThreadPoolExecutor(VIEWERS) as viewers:
        stale, _ = timed(lambda: b"".join(viewers.map(lambda _: ask()[:1], range(VIEWERS))))
        renewed, _ = timed(lambda: bytes(len(read()["exports"])))
    new_requests = requests()

    print(f"\n{len(json.loads(body)['exports'])} exports, {RUNS} runs each\n")
    print(f"{'':34}{'seconds':>9}{'x warm':>8}{'requests':>10}")
    rows = (
        ("first answer (still loading)", first, None),
        ("cold: until all is there", first + cold, cold_requests),
        ("warm, one viewer", warm, None),
        ("warm, one export", detail, None),
        (f"warm, {VIEWERS} viewers at once, the last", together, warm_requests),
        (f"old, {VIEWERS} viewers at once, the last", stale, None),
        ("old: until the new one is there", stale + renewed, new_requests),
    )
    for told, seconds, count in rows:
        print(f"{told:34}{seconds:9.3f}{seconds / warm:8.1f}{'' if count is None else count:>10}")
    for told, shown in (in_a_browser(airflow) or {}).items():
        print(f"{told:42}{shown:7.3f}")
    print(f"\nanswer: {len(body) / 1024:,.0f} KiB, compressed {len(gzip.compress(body, 5)) / 1024:,.0f} KiB")


if __name__ == "__main__":
    sys.exit(main())
