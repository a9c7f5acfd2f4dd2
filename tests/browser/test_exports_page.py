"""The page "AEP exports" and the tab on the task instance, as somebody in front of a browser has them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_aep.flowservice.dataflows import delete_dataflow

sync_api = pytest.importorskip("playwright.sync_api", reason="no browser is driven without playwright")
expect = sync_api.expect
expect.set_options(timeout=15_000)

pytestmark = [pytest.mark.airflow, pytest.mark.airflow3, pytest.mark.stack, pytest.mark.browser]

PAGE = "plugin/aep-exports"


def table(page: Any) -> Any:
    return page.get_by_role("table", name="Export dataflows")


def row(page: Any, name: str) -> Any:
    return table(page).get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def names(page: Any) -> list[str]:
    return table(page).get_by_role("rowheader").get_by_role("link").all_inner_texts()


def address_of(stage: Any, name: str) -> str:
    return f"{PAGE}?export=aep_default%2Fprod%2F{stage.story.ids[name]}"


def test_it_is_found_in_the_navigation_and_shows_every_export(open_page, stage):
    page = open_page("")
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="AEP exports").click()

    expect(page.get_by_role("heading", name="AEP exports")).to_be_visible()
    expect(table(page).get_by_role("row")).to_have_count(1 + len(stage.story.ids))
    told = row(page, "crm-nightly")
    for text in ("Amazon S3", "daily", "CRM Profiles", "minutes ago", "good now, 2 of the last 30 bad"):
        expect(told).to_contain_text(text)
    expect(told.get_by_role("img")).to_have_attribute(
        "aria-label", re.compile(r"Last 30 ticks, 28 good; \d+ \w+ \d\d:\d\d: empty, 0 records; .*: failed")
    )
    soon = row(page, "consent-log")
    left = re.search(r"its schedule ends in (\d+ days)", soon.inner_text()).group(1)
    expect(soon.get_by_role("cell").last).to_contain_text(f"⚠ {left}")
    expect(row(page, "offers-shown")).to_contain_text("disabled")
    expect(row(page, "loyalty-profiles")).to_contain_text("failing")


def test_the_worst_come_first_and_then_those_with_a_bad_tick_among_good_ones(open_page):
    page = open_page(PAGE)
    expect(table(page)).to_be_visible()
    expect(page.get_by_role("columnheader", name="State")).to_have_attribute("aria-sort", "ascending")
    shown = names(page)
    assert shown[:2] == ["loyalty-profiles", "audience-snapshots"]  # they fail
    assert set(shown[2:5]) == {"email-engagement", "consent-log", "offers-shown"}  # they warn
    assert shown[-1] == "partner-feed"  # nothing of it was bad


def test_an_export_that_hangs_says_for_how_long_and_how_long_it_takes_as_a_rule(open_page, stage):
    page = open_page(PAGE)
    told = row(page, "audience-snapshots")
    expect(told).to_contain_text("failing")
    expect(told).to_contain_text(
        re.compile(r"has been under way for [\w ]+ hours?( \d+ minutes?)?; usually it takes 4 minutes")
    )
    expect(told).to_contain_text("3 days ago")
    label = re.compile(r"^Last 20 ticks, 17 good; .*: running; .*: stuck; .*: stuck$")
    expect(told.get_by_role("img")).to_have_attribute("aria-label", label)
    # A run that began lately is under way, and its export is good until more is known.
    running = row(page, "partner-feed")
    expect(running).to_contain_text(re.compile(r"has been under way for .+; usually it takes 4 minutes"))
    expect(running).to_contain_text("good")
    page.goto(f"{stage.airflow.url}/{address_of(stage, 'partner-feed')}")
    runs = page.get_by_role("region", name="Runs, newest first")
    expect(runs.get_by_role("row").nth(1)).to_contain_text(
        re.compile(r"\d minutes? so far\s*usually 4 minutes")
    )


def test_an_export_that_is_good_now_and_had_bad_ticks_is_found_by_them(open_page):
    page = open_page(PAGE)
    expect(row(page, "store-orders")).to_contain_text("good now, 2 of the last 30 bad")

    page.get_by_role("button", name="with bad ticks").click()

    expect(row(page, "store-orders")).to_be_visible()
    expect(row(page, "partner-feed")).to_have_count(0)
    expect(page.get_by_label("Outcome")).to_have_value("bad")
    assert page.url.endswith("outcome=bad")


def test_it_is_sorted_by_the_last_good_data(open_page):
    page = open_page(PAGE)
    page.get_by_role("button", name="Last good data").click()
    expect(page.get_by_role("columnheader", name="Last good data")).to_have_attribute(
        "aria-sort", "ascending"
    )
    assert names(page)[:2] == ["audience-snapshots", "offers-shown"]  # days ago, and yesterday


def test_it_is_filtered_and_the_address_keeps_the_filter(open_page):
    page = open_page(PAGE)
    page.get_by_label("Filter").fill("nightly")
    expect(table(page).get_by_role("rowheader")).to_have_count(1)
    page.get_by_label("Filter").fill("")
    page.get_by_label("Destination", exact=True).select_option(label="Azure Blob Storage")
    page.get_by_label("Outcome").select_option("fail")
    expect(table(page).get_by_role("rowheader")).to_have_count(1)

    page.reload()

    expect(table(page).get_by_role("rowheader")).to_have_count(1)
    assert names(page) == ["loyalty-profiles"]
    expect(page.get_by_label("Outcome")).to_have_value("fail")
    assert "destination=azure_blob&outcome=fail" in page.url

    # Groups, and what is shown as a file.
    page.get_by_label("Outcome").select_option("")
    page.get_by_label("Destination", exact=True).select_option("")
    page.get_by_label("Group by").select_option("every")
    expect(
        table(page).get_by_role("row", name=re.compile(r"^Cadence: daily · 3 exports, 1 failing$"))
    ).to_be_visible()
    page.get_by_label("Cadence", exact=True).select_option(label="every 6h")
    expect(page).to_have_url(re.compile("every=6h&group=every|group=every&every=6h"))
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download CSV").click()
    assert re.fullmatch(r"aep-exports-[0-9T-]+Z\.csv", saved.value.suggested_filename)
    rows = list(csv.DictReader(saved.value.path().read_text(encoding="utf-8-sig").splitlines()))
    assert [each["export"] for each in rows] == ["loyalty-profiles", "email-engagement"]
    assert (rows[0]["cadence"], rows[0]["outcome"], rows[0]["lands_in"]) == (
        "6h",
        "fail",
        "abfs://acme-exports/aep/",
    )

    page.get_by_label("Filter").fill("nothing like it")
    expect(page.get_by_role("heading", name="No export matches")).to_be_visible()
    page.get_by_role("link", name="Show all exports").click()
    expect(page.get_by_label("Filter")).to_have_value("")
    expect(table(page)).to_be_visible()


def test_it_is_sorted_with_the_keyboard(open_page):
    page = open_page(PAGE)
    page.get_by_role("button", name="Ends in").focus()

    page.keyboard.press("Enter")
    head = page.get_by_role("columnheader", name="Ends in")
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert names(page)[0] == "consent-log"

    page.keyboard.press("Space")
    expect(head).to_have_attribute("aria-sort", "descending")
    assert names(page)[-1] == "consent-log"
    assert page.url.endswith("sort=-ends")
    expect(page.get_by_role("button", name="Ends in")).to_be_focused()


def test_an_export_is_opened_and_left_with_the_keyboard(open_page, stage):
    page = open_page(f"{PAGE}?q=loyalty&sort=next")
    link = table(page).get_by_role("link", name="loyalty-profiles")
    link.focus()
    page.keyboard.press("Enter")

    heading = page.get_by_role("heading", name="loyalty-profiles")
    expect(heading).to_be_focused()
    assert stage.story.ids["loyalty-profiles"] in page.url
    for chart in ("Records", "Bytes", "Duration"):
        name = re.compile(rf"^{chart} of \d+ runs; usually .+; last: ")
        expect(page.get_by_role("img", name=name)).to_be_visible()
    runs = page.get_by_role("region", name="Runs, newest first")
    expect(runs).to_contain_text("ACTIVATION_BATCH-0000-FAILED")
    expect(runs).to_contain_text("Job aborted.")
    expect(runs.get_by_role("row")).not_to_have_count(0)
    expect(page.get_by_text("base connection", exact=True)).to_be_visible()

    page.keyboard.press("Escape")
    expect(link).to_be_focused()
    expect(page.get_by_label("Filter")).to_have_value("loyalty")
    page.go_back()
    expect(heading).to_be_visible()
    page.go_back()
    expect(link).to_be_visible()
    assert page.url.endswith("q=loyalty&sort=next")


def test_what_a_check_would_find_is_told_in_its_words(open_page, stage):
    page = open_page(address_of(stage, "store-orders"))
    expect(page.get_by_role("heading", name="Findings")).to_be_visible()
    found = page.get_by_role("table", name="Findings, newest first").get_by_role("row")
    expect(found).to_have_count(1 + 2)
    expect(found.nth(1)).to_contain_text("missing")
    expect(found.nth(1)).to_contain_text(re.compile("no run started within .* after the tick of .*"))


def test_what_was_lost_is_drawn_and_told_with_a_command_to_copy(open_page, stage):
    page = open_page(address_of(stage, "web-events"), width=390)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(page.get_by_text(re.compile("^web-events lost data 2 times in the last 7 days: "))).to_be_visible()
    drawn = re.compile(r"\d+ batches came in; \d+ runs went out; \d bad$")
    expect(page.get_by_role("img", name=drawn)).to_be_visible()
    rows = page.get_by_role("table", name="What came in and what went out, newest first").get_by_role("row")
    expect(rows.filter(has_text="lost").first).to_contain_text("records, not exported")
    expect(rows.filter(has_text="empty").first).to_contain_text("and none of them was exported")
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")

    page.get_by_role("button", name=re.compile("^Copy: Export on demand what was lost")).click()
    expect(page.get_by_text("copied", exact=True)).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"aep run {stage.story.ids['web-events']} --dataset=")


def test_the_story_of_a_good_export_is_asked_for_when_it_is_opened(open_page, stage):
    page = open_page(address_of(stage, "partner-feed"))
    title = page.get_by_role("heading", name="What came in, what went out")
    expect(title).to_be_visible()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    expect(page.get_by_role("heading", name="By time")).to_have_count(0)
    assert not any(url.endswith("/story") for url in asked)
    title.click()
    expect(page.get_by_text("partner-feed is well: nothing was lost or failed")).to_be_visible()
    assert any(url.endswith("/story") for url in asked)


def test_an_id_is_copied(open_page, stage):
    page = open_page(address_of(stage, "crm-nightly"))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the id of the dataflow crm-nightly").click()
    expect(page.get_by_text("copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == stage.story.ids["crm-nightly"]


@pytest.fixture(scope="module")
def waited(stage) -> str:
    """The id of a DAG run whose task has waited for a run of crm-nightly."""
    run_id = stage.airflow.api.trigger("aep_page")
    assert stage.airflow.api.wait_for_run("aep_page", run_id) == "success"
    return run_id


@pytest.mark.usefixtures("waited")
def test_its_links_lead_to_adobe_and_to_the_task(open_page, stage):
    page = open_page(address_of(stage, "crm-nightly"))
    platform = page.get_by_role("link", name="Platform UI")
    ended = f"/platform/destination/browse/{stage.story.ids['crm-nightly']}"
    expect(platform).to_have_attribute("href", f"https://experience.adobe.com/#/sname:prod{ended}")
    expect(platform).to_have_attribute("target", "_blank")
    expect(platform).to_have_attribute("rel", "noopener noreferrer")

    # From a run to the log of the task that judged it, and back to that run.
    runs = page.get_by_role("region", name="Runs, newest first")
    runs.get_by_role("button", expanded=False).first.click()
    expect(page).to_have_url(re.compile("[?&]run=[0-9a-f-]{36}"))
    runs.get_by_role("link", name="aep_page / wait").click()
    expect(page).to_have_url(re.compile("/dags/aep_page/runs/.+/tasks/wait"))
    page.get_by_role("link", name="AEP run").click()
    page.get_by_role("link", name="Open this export").click()
    opened = page.get_by_role("region", name="Runs, newest first").get_by_role("button", expanded=True)
    expect(opened).to_have_count(1)
    expect(page.get_by_text(re.compile("^s3://acme-exports/aep/.+/exportTime=")).first).to_be_visible()
    # The link to it names the run alone.
    run_id = page.url.rpartition("run=")[2]
    page.goto(f"{stage.airflow.url}/{PAGE}?run={run_id}")
    expect(page.get_by_role("heading", name="crm-nightly")).to_be_visible()
    expect(opened).to_be_in_viewport()

    page.locator(".aep-facts").first.get_by_role("link", name=re.compile("aep_page")).click()
    expect(page).to_have_url(re.compile(r"/dags/aep_page/tasks/wait"))
    expect(page.get_by_role("heading", name="wait")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="crm-nightly")).to_be_visible()


def test_the_tab_of_a_task_shows_the_run_that_it_waited_for(open_page, stage, waited):
    page = open_page(f"dags/aep_page/runs/{waited}/tasks/wait")
    page.get_by_role("link", name="AEP run").click()
    expect(page.get_by_role("heading", name="crm-nightly")).to_be_visible()
    verdict = stage.airflow.api.xcoms("aep_page", waited, "wait")["return_value"]
    expect(page.get_by_text(verdict["reason"]).first).to_be_visible()
    expect(page.get_by_role("region", name="Runs, newest first")).to_contain_text("good")

    page.get_by_role("link", name="Open this export").click()
    expect(page.get_by_role("heading", name="Entities")).to_be_visible()
    assert f"/{PAGE}?" in page.url


def test_it_follows_the_theme_at_once(open_page):
    page = open_page(PAGE)
    name = table(page).get_by_role("rowheader").get_by_role("link").first
    light = name.evaluate("each => getComputedStyle(each).color")
    page.evaluate("window.loadedOnce = true")

    page.get_by_role("button", name="User").click()
    page.get_by_role("menuitem", name="Appearance").click()
    page.get_by_role("menuitemradio", name="Dark Mode").click()

    expect(page.locator("html")).to_have_class("dark")
    expect(name).not_to_have_css("color", light)
    assert page.evaluate("window.loadedOnce")


def test_a_failing_run_turns_up_without_a_reload(open_page, stage):
    page = open_page(f"{PAGE}?q=web")
    expect(row(page, "web-events")).to_contain_text("good")
    page.get_by_label("Filter").focus()
    page.evaluate("window.loadedOnce = true")

    stage.story.fail_now("web-events")

    expect(row(page, "web-events")).to_contain_text("failing")
    expect(page.get_by_role("status").filter(has_text="web-events fails")).to_have_count(1)
    expect(page.get_by_label("Filter")).to_be_focused()
    assert page.evaluate("window.loadedOnce")


def test_when_the_service_stops_the_last_good_data_stays_with_its_age(open_page, stage):
    page = open_page(PAGE)
    expect(table(page)).to_be_visible()

    stage.stop_service()
    try:
        notice = page.get_by_text("The service does not respond").first
        expect(notice).to_be_visible(timeout=30_000)
        expect(page.get_by_text(re.compile(r"Its data are .* old"))).to_be_visible()
        expect(row(page, "crm-nightly")).to_contain_text("Amazon S3")
    finally:
        stage.start_service()

    expect(notice).to_be_hidden(timeout=30_000)


HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "\u202etxt.exe\u202c",
    "\u200b",
    "x" * 200,
)


@pytest.fixture
def hostile(stage) -> Iterator[None]:
    made = [stage.story.copy("offers-shown", name) for name in HOSTILE]
    yield
    for dataflow_id in made:
        stage.story.run(delete_dataflow(dataflow_id))


@pytest.mark.usefixtures("hostile")
def test_names_are_text_whatever_they_hold(open_page):
    page = open_page(PAGE)
    for name in (*HOSTILE[:3], "⟨U+202E⟩txt.exe⟨U+202C⟩", "⟨U+200B⟩", HOSTILE[-1]):
        expect(table(page).get_by_role("link", name=name, exact=True)).to_be_visible()
    assert page.evaluate("document.querySelectorAll('.aep script, .aep img').length") == 0
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")

    table(page).get_by_role("link", name=HOSTILE[2]).click()
    expect(page.get_by_role("heading", name=HOSTILE[2])).to_be_visible()
    hrefs = page.evaluate("[...document.querySelectorAll('.aep a')].map(each => each.protocol)")
    assert set(hrefs) <= {"http:", "https:"}

    page.go_back()
    table(page).get_by_role("link", name=HOSTILE[-1]).click()
    heading = page.get_by_role("heading", level=1, name=HOSTILE[-1])
    expect(heading).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 900})
    assert heading.bounding_box()["height"] < 90


def test_nobody_sees_it_logged_out(open_page, stage):
    page = open_page(PAGE, user=None)
    expect(page).to_have_url(re.compile("/login"))
    assert page.request.get(f"{stage.airflow.url}/aep/api/exports").status == 401


def test_a_user_without_the_right_is_refused(open_page, stage):
    page = open_page(PAGE, user="viewer")
    expect(page.get_by_text("none that you may see")).to_be_visible()
    expect(table(page)).to_have_count(0)
    api = f"{stage.airflow.url}/aep/api/exports"
    assert page.request.get(api).json()["exports"] == []

    page.goto(f"{stage.airflow.url}/{address_of(stage, 'crm-nightly')}")
    expect(page.get_by_text("You may not see this.")).to_be_visible()
    assert page.request.get(f"{api}/aep_default/prod/{stage.story.ids['crm-nightly']}").status == 403


def test_the_whole_table_is_in_sight_with_its_newest_ticks(open_page):
    page = open_page(PAGE, width=1280)
    expect(table(page)).to_be_visible()
    for width in (1920, 1280, 1100, 1024, 912, 800, 390):
        page.set_viewport_size({"width": width, "height": 900})
        beyond = """[...document.querySelectorAll('.aep-exports :is(th, td, svg)')]
            .filter(each => each.getBoundingClientRect().right > innerWidth).length"""
        assert (width, page.evaluate(beyond)) == (width, 0)


@pytest.mark.parametrize("opened", [False, True], ids=["table", "export"])
def test_it_fits_a_telephone(open_page, stage, opened):
    page = open_page(address_of(stage, "loyalty-profiles") if opened else PAGE, width=390)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("img").last).to_be_visible()
    too_wide = """() => [...document.querySelectorAll('.aep *')]
        .filter(each => each.getBoundingClientRect().right > innerWidth)
        .map(each => each.className)"""
    assert page.evaluate(too_wide) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def of_every_kind(route: Any) -> None:
    """An answer in which the ticks of the first export are of every kind, one after the other."""
    kinds = ("good", "empty", "partial", "low", "slow", "late", "doubled", "failed", "stuck", "incomplete")
    answer = route.fetch()
    told = answer.json()
    for tick, kind in zip(
        told["exports"][0]["ticks"], (*kinds, "missing", "running", "waiting"), strict=False
    ):
        tick[1] = kind
    trouble = {"kind": "misconfigured", "told": "host must use https", "hint": None}
    broken = {"sandbox": None, "state": "error", "age_seconds": None, "error": trouble}
    told["sources"] += [{**broken, "conn_id": f"aep_broken_{number}"} for number in range(7)]
    told["sources"].append({**broken, "conn_id": "aep_hangs", "state": "loading", "error": None})
    route.fulfill(response=answer, json=told)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_accessibility_engine_finds_nothing_serious(open_page, stage, theme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for path in (PAGE, address_of(stage, "loyalty-profiles"), address_of(stage, "audience-snapshots")):
        page = open_page(path, theme=theme)
        if path == PAGE:
            page.route("**/aep/api/exports", of_every_kind)
            page.reload()
            expect(page.get_by_role("list", name="Legend").get_by_role("listitem")).to_have_count(13 + 1)
            expect(page.get_by_text("Loading aep_hangs …")).to_be_visible()
            # Many troubles are one line.
            folded = page.get_by_text("Trouble with 7 connections")
            expect(folded).to_be_visible()
            assert page.locator(".aep-notice").count() == 1
            folded.click()
            expect(page.get_by_role("listitem").filter(has_text="connection aep_broken_6")).to_contain_text(
                "The Airflow connection cannot be used \u2013 connection aep_broken_6. host must use https."
            )
        expect(page.get_by_role("img").last).to_be_visible()
        if path != PAGE:
            page.get_by_role("region", name="Runs, newest first").get_by_role("button").first.click()
            expect(page.get_by_text("Link to this run")).to_be_visible()
        found = axe.run(page, context={"include": [[".aep"]]}).response["violations"]
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        assert [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in serious] == []


@pytest.fixture
def changed_connection(stage) -> Iterator[Any]:
    """``changed_connection(password="wrong")``; as it was when the test is over."""

    def change(**changes: Any) -> None:
        stage.airflow.api.call("PATCH", "/connections/aep_default", stage.connection(**changes))

    yield change
    stage.airflow.api.call("PATCH", "/connections/aep_default", stage.connection())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"password": "outdated"}, "Adobe refused the login"),
        ({"extra": {"sandbox": "nowhere"}}, "There is no such sandbox"),
        ({"extra": {"sandbox": "dev"}}, "No exports yet"),
    ],
    ids=["token refused", "sandbox unknown", "no exports"],
)
def test_it_says_why_there_is_nothing(open_page, changed_connection, changes, told):
    changed_connection(**changes)
    page = open_page(PAGE)
    expect(page.get_by_text(told)).to_be_visible()


def test_without_a_connection_it_says_so(open_page, stage):
    stage.airflow.api.call("DELETE", "/connections/aep_default")
    try:
        page = open_page(PAGE)
        expect(page.get_by_text("No connection to Adobe Experience Platform")).to_be_visible()
    finally:
        stage.airflow.api.call("POST", "/connections", stage.connection())


WORDS = {
    "duration(0.2)": "0.2 seconds",
    "duration(3725)": "1 hour 2 minutes",
    "duration(null)": "\u2013",
    "bytes(999)": "999 B",
    "bytes(14230000)": "14.2 MB",
    "count(1018)": "1,018",
    "cadence('3h')": "every 3h",
    "cadence('7d')": "every 7d",
    "age(754)": "12 minutes",
    "plainName('a\\u202eb')": "a⟨U+202E⟩b",
    "plainName(' ')": "(no name)",
    "plainName('\\u200b')": "⟨U+200B⟩",
    "plainName('\\u3164\\u00ad')": "⟨U+3164⟩⟨U+00AD⟩",
    "plainName('\\u200d')": "(no name)",
    "plainName('👩\\u200d🚀')": "👩\u200d🚀",
    "sentence('the tick of 2026-11-26 23:07 UTC, 3 h after it')": "the tick of 26 Nov 23:07, 3 h after it",
    "sentence('from 2026-11-29 08:47 to 2026-11-29 11:47 UTC')": "from 29 Nov 08:47 to 29 Nov 11:47",
    "zoneName(0)": "UTC",
    "range(230, 240, words.duration)": "4 minutes",
    "range(50, 50, words.count)": "50",
    "duration(3480)": "58 minutes",
    "safeAddress('javascript:alert(1)')": None,
    "safeAddress('data:text/html,x')": None,
    "safeAddress('https://experience.adobe.com/#/x')": "https://experience.adobe.com/#/x",
    "relativeTime('2026-11-12T03:00:00Z', Date.parse('2026-11-12T01:10:00Z'))": "in 1 hour",
}


def test_words_are_as_people_read_them(open_page):
    page = open_page(PAGE)
    expect(table(page)).to_be_visible()
    calls = ", ".join(f"words.{call}" for call in WORDS)
    told = page.evaluate(f"import('/aep/static/words.js').then(words => [{calls}])")
    assert dict(zip(WORDS, told, strict=True)) == WORDS


def test_every_kind_has_a_mark_of_its_own(open_page):
    page = open_page(PAGE)
    expect(table(page)).to_be_visible()
    both = "import('/aep/static/kinds.js').then(({ KINDS, BATCHES }) => ({ ...KINDS, ...BATCHES }))"
    kinds = page.evaluate(both)
    assert {"stuck", "incomplete", "lost"} < kinds.keys()
    assert kinds.pop("ingested")["mark"] == kinds["good"]["mark"]
    assert len({kind["mark"] for kind in kinds.values()}) == len(kinds)
    # The colour of each is one that the style sheet knows, in either theme.
    tones = {kind["tone"] for kind in kinds.values()}
    colour = "tone => getComputedStyle(document.querySelector('.aep')).getPropertyValue(`--aep-${tone}`)"
    assert all(page.evaluate(colour, tone) for tone in tones)


def test_a_first_full_export_flattens_neither_the_strip_nor_a_chart(open_page, stage):
    page = open_page(PAGE)
    expect(table(page)).to_be_visible()
    ticks = [["2026-12-01T00:00:00Z", "good", 1_000_000, True]]
    ticks += [[f"2026-12-01T{hour:02}:00:00Z", "good", 100] for hour in range(1, 24)]
    scale, alone = page.evaluate(
        "ticks => import('/aep/static/strip.js').then(strip => [ticks, [ticks[0]]].map(strip.scaleOf))",
        ticks,
    )
    assert (scale, alone) == (100, 1_000_000)
    # Nor does one of which nobody knows any more that it was the first.
    assert (
        page.evaluate("import('/aep/static/strip.js').then(strip => strip.mostOf([9000, 9, 8, 7, 6]))") == 9
    )

    page = open_page(address_of(stage, "audience-snapshots"))
    page.get_by_role("button", name=re.compile("Show all")).click()
    expect(page.get_by_role("region", name="Runs, newest first")).to_contain_text("first, full export")
    heights = """() => [...document.querySelectorAll('.aep-chart')[0].querySelectorAll('.aep-bar')]
        .map(each => each.getBBox().height)"""
    first, *others = page.evaluate(heights)
    assert min(others) > first * 0.8
    # Nor does the label of the scale cover a bar.
    chart = page.locator(".aep-chart").first
    label, bars = (chart.locator(part).first.bounding_box() for part in (".aep-axis", "svg"))
    assert label["y"] + label["height"] <= bars["y"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_what_was_exported_in_the_year_is_asked_for_when_it_is_opened(open_page, theme, width):
    page = open_page(PAGE, theme=theme, width=width)
    expect(table(page)).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "api/usage" in request.url else None)
    page.wait_for_timeout(1500)
    assert asked == []
    page.get_by_text("What was exported this year").click()
    ledger = page.get_by_role("article")
    counted = ledger.get_by_text(re.compile(r"In all .+ records?.* and .+B.*, in .+ runs"))
    new_year = ledger.get_by_text("No run of this year is listed.")
    expect(counted.or_(new_year)).to_be_visible()
    if datetime.now(tz=UTC).timetuple().tm_yday > 1:  # on the first day there may be none yet
        expect(counted).to_be_visible()
        for name in ("By month", "By export", "By dataset", "By destination"):
            expect(ledger.get_by_role("table", name=name).get_by_role("rowheader").first).to_be_visible()
    expect(ledger).to_contain_text("for this year are exported")
    expect(ledger).to_contain_text("which Adobe calls indicative")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    sentence = ledger.locator(".aep-allowance p").first.bounding_box()
    assert sentence is not None
    assert sentence["x"] + sentence["width"] <= width
