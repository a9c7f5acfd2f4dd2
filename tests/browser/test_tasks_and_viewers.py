"""The tab of a task that judges many exports; and a viewer who may see the DAG and not the connection."""

from __future__ import annotations

import re
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
