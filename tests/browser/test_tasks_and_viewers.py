"""The tab of a task that judges many exports; and a viewer who may see the DAG and not the connection."""

from __future__ import annotations

import re
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="no browser is driven without playwright")
expect = sync_api.expect
expect.set_options(timeout=15_000)

pytestmark = [pytest.mark.airflow, pytest.mark.airflow3, pytest.mark.stack, pytest.mark.browser]

PAGE = "plugin/aep-exports"
# Whoever may see a DAG sees its exports.
SETTINGS = {"AIRFLOW__AEP__PAGE_FOR_DAG_VIEWERS": "True"}
SEEN = "crm-nightly"  # the one export that a DAG waits for


@pytest.fixture(scope="module")
def judged(stage) -> str:
    """The id of a DAG run that checked all exports and waited for them; some of them fail."""
    run_id = stage.airflow.api.trigger("aep_page_all")
    assert stage.airflow.api.wait_for_run("aep_page_all", run_id) == "failed"
    return run_id


@pytest.fixture(scope="module")
def waited(stage) -> str:
    """The id of a DAG run whose task waited for a run of the export, and so links to it."""
    run_id = stage.airflow.api.trigger("aep_page")
    assert stage.airflow.api.wait_for_run("aep_page", run_id) == "success"
    return run_id


@pytest.mark.parametrize("task_id", ["check", "watch"])
def test_the_tab_of_a_task_shows_all_exports_that_it_judged_the_bad_ones_first(
    open_page, stage, judged, task_id
):
    page = open_page(f"dags/aep_page_all/runs/{judged}/tasks/{task_id}")
    page.get_by_role("link", name="AEP run").click()
    expect(page.get_by_role("heading", name=re.compile(r"^\d exports judged$"))).to_be_visible()
    rows = page.get_by_role("region", name="Exports, the worst first").get_by_role("row")
    signs = [row.get_by_role("cell").first.inner_text() for row in rows.all()[1:]]
    kinds = ["failing" if "failing" in sign else "warning" if "warning" in sign else "good" for sign in signs]
    assert kinds == sorted(kinds, key=("failing", "warning", "good").index)
    assert {"failing", "good"} <= set(kinds)
    bad = rows.filter(has_text="loyalty-profiles")
    expect(bad).to_contain_text(re.compile("failed: .*run .* failed"))
    expect(rows.filter(has_text="crm-nightly")).to_contain_text("nothing wrong")
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")

    # Each leads to the export, and a bad one to its run.
    bad.get_by_role("link", name="loyalty-profiles").click()
    expect(page.get_by_role("heading", name="loyalty-profiles")).to_be_visible()
    expect(page).to_have_url(
        re.compile(f"export=aep_default/prod/{stage.story.ids['loyalty-profiles']}&run=")
    )
    opened = page.get_by_role("region", name="Runs, newest first").get_by_role("button", expanded=True)
    expect(opened).to_have_count(1)


# The links of tasks are read once a minute, so the first viewer comes when both DAGs have run.
@pytest.mark.usefixtures("waited")
def test_a_viewer_of_the_dag_sees_what_its_task_judged_and_no_link_to_what_is_not_theirs(open_page, judged):
    page = open_page(f"dags/aep_page_all/runs/{judged}/tasks/check", user="viewer")
    page.get_by_role("link", name="AEP run").click()
    table = page.get_by_role("region", name="Exports, the worst first")
    expect(table).to_contain_text("loyalty-profiles")
    expect(table.get_by_role("link", name="loyalty-profiles")).to_have_count(0)


@pytest.mark.usefixtures("waited", "judged")
def test_a_viewer_of_the_dag_reads_its_export_and_can_change_nothing(open_page, stage):
    sent: list[tuple[str, str]] = []
    page = open_page("", user="viewer")
    page.on("request", lambda request: sent.append((request.method, request.url)))
    page.goto(f"{stage.airflow.url}/{PAGE}")

    # Only the export of the DAG, and a word of why not more.
    links = page.get_by_role("table", name="Export dataflows").get_by_role("rowheader").get_by_role("link")
    expect(links).to_have_text([SEEN])
    expect(page.get_by_text("For connections that you may not read")).to_be_visible()
    expect(page.get_by_text("What was exported this year")).to_have_count(0)
    assert offered(page) == []
    links.click()
    expect(page.get_by_role("heading", name=SEEN)).to_be_visible()
    expect(page.get_by_role("heading", name="By time")).to_be_visible()
    assert offered(page) == []
    ours = [(method, url) for method, url in sent if "/aep/" in url]
    assert {method for method, _ in ours} == {"GET"}
    assert any(url.endswith("/story") for _, url in ours)

    # What is not theirs is refused, and so is whatever would change something.
    api = f"{stage.airflow.url}/aep/api"
    other, mine = (stage.story.ids[name] for name in ("loyalty-profiles", SEEN))
    for path in (f"exports/aep_default/prod/{other}", f"exports/aep_default/prod/{other}/story"):
        assert page.request.get(f"{api}/{path}").status == 403
    assert page.request.get(f"{api}/usage").json()["usage"] == []
    paths = ("exports", f"exports/aep_default/prod/{mine}", f"exports/aep_default/prod/{mine}/story", "usage")
    for path in (*paths, "task", "runs/x"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert page.request.fetch(f"{api}/{path}", method=method).status == 405, (method, path)
    airflow = f"{stage.airflow.url}/api/v2"
    assert page.request.get(f"{airflow}/connections/aep_default").status == 403
    assert page.request.delete(f"{airflow}/connections/aep_default").status == 403
    assert page.request.post(f"{airflow}/dags/aep_page/dagRuns", data={"logical_date": None}).status == 403
    assert not stage.story.emulator.requests("POST", "/adhocrun")


def offered(page: Any) -> list[str]:
    """The buttons and forms that do something else than sort, open, copy or save a file."""
    told = page.locator(".aep :is(button, form, input, select)").evaluate_all(
        "all => all.map(each => each.getAttribute('aria-label') ?? each.innerText ?? each.tagName)"
    )
    # A run is opened by the time at which it started.
    harmless = re.compile(r"^(Copy\b.*|Show all \d+ runs|Download CSV|[▸▾] ?\d+ \w+ \d\d:\d\d)$")
    return [each for each in map(str.strip, told) if not harmless.match(each)]


@pytest.fixture
def open_few(open_page, stage) -> Any:
    """``open_few(1)``: the page, as if there were so many exports."""

    def open_(many: int, **how: Any) -> Any:
        def answer(route: Any) -> None:
            told = route.fetch()
            some = [one for one in told.json()["exports"] if one["name"] == SEEN][:many]
            route.fulfill(response=told, json={**told.json(), "exports": some})

        page = open_page("", **how)
        page.route(re.compile("/aep/api/exports$"), answer)
        page.goto(f"{stage.airflow.url}/{PAGE}")
        expect(page.get_by_role("heading", name="AEP exports")).to_be_visible()
        return page

    return open_


WIDTHS = (1920, 1280, 1024, 390)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_single_export_has_nothing_to_filter_and_to_sort(open_few, theme):
    page = open_few(1, theme=theme)
    expect(page.get_by_text("1 export", exact=True)).to_be_visible()
    table = page.get_by_role("table", name="Export dataflows")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        expect(table.get_by_role("link", name=SEEN)).to_be_visible()
        for label in ("Filter", "Outcome", "Group by"):
            expect(page.get_by_label(label)).to_have_count(0)
        expect(page.locator(".aep").get_by_role("button")).to_have_text(["Download CSV"])
        expect(table.get_by_role("columnheader")).to_have_count(9)
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
        # Its row follows at once: no bar of titles without a function stands between.
        above = page.locator(".aep-legend").bounding_box()
        row = table.get_by_role("row").last.bounding_box()
        assert row["y"] - (above["y"] + above["height"]) < 60


def test_a_filter_that_the_address_names_can_be_taken_away_from_a_single_export(open_few, stage):
    page = open_few(1)
    page.goto(f"{stage.airflow.url}/{PAGE}?q=nothing-like-it")
    expect(page.get_by_role("heading", name="No export matches")).to_be_visible()
    page.get_by_label("Filter").fill("")
    expect(page.get_by_role("link", name=SEEN)).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_export_at_all_is_said_in_words(open_few, theme):
    page = open_few(0, theme=theme)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        expect(page.get_by_text("There is no export dataflow in aep_default (prod).")).to_be_visible()
        expect(page.locator(".aep").get_by_role("button")).to_have_count(0)
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
