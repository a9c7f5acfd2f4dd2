"""The page and the check: two readers, and one judgement."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_aep.flowservice.dataflows import set_dataflow_state
from airflow_provider_aep.monitoring.audit import audit_exports
from airflow_provider_aep.monitoring.overview import read_overview

HOUR = 3600
# What the runs of each export did, tick after tick, every 3 hours; and what check and page make of the last.
EXPORTS = {
    "good": (["success"] * 5, "ok"),
    "failed": (["success"] * 4 + ["failed"], "fail"),
    "empty": (["success", "zero", "success", "success", "zero"], "warn"),
    "hanging": (["success"] * 4 + ["in_progress"], "fail"),
    "missing": (["success"] * 4 + ["never"], "fail"),
    "partial": (["success"] * 3 + ["partial"] * 2, "warn"),
}
UP_TO_THE_LAST = (1 + 4 * 3) * HOUR
ENDS = timedelta(days=300)


@pytest.fixture
def both(run, clock, now):
    """``both(since)``: the check of the window from then on, and what the page shows, by name."""

    def both(since=now):
        moment = datetime.fromtimestamp(clock(), tz=UTC)
        audit = run(audit_exports(since=since, until=moment, now=moment))
        shown, _ = run(read_overview(now=moment))
        return (
            audit,
            {export.dataflow.name: export for export in audit.exports},
            {one.flow.name: one for one in shown},
        )

    return both


@pytest.fixture
def sandbox(emulator, make_dataflow, clock, now):
    for name, (kinds, _) in EXPORTS.items():
        emulator.script_runs(make_dataflow(name, end=now + ENDS), kinds)
    # Long enough after the last tick for its run to hang, or to be missing; the next one has not come.
    clock.advance(UP_TO_THE_LAST + 2.9 * HOUR)


def told(findings, since):
    return sorted(
        (each.key, each.told) for each in findings if each.known_at is None or each.known_at >= since
    )


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("hours_ago", [1, 5, 16])
def test_the_page_and_the_check_tell_the_same_findings_for_the_same_moment(both, clock, hours_ago):
    since = datetime.fromtimestamp(clock(), tz=UTC) - timedelta(hours=hours_ago)
    _, checked, shown = both(since)
    assert checked.keys() == shown.keys() == EXPORTS.keys()
    for name in EXPORTS:
        assert told(shown[name].findings, since) == told(checked[name].findings, since)


@pytest.mark.usefixtures("sandbox")
def test_something_of_each_kind_is_found(both):
    _, _, shown = both()
    found = {name: [each.kind for each in one.findings] for name, one in shown.items()}
    assert found == {
        "good": [],
        "failed": ["failed"],
        "empty": ["zero_records", "zero_records"],
        "hanging": ["stuck"],
        "missing": ["missing"],
        "partial": ["partial", "partial"],
    }


@pytest.mark.usefixtures("sandbox")
def test_what_an_export_has_come_to_agrees_with_the_outcome_of_the_check(both):
    audit, checked, shown = both()
    assert {name: one.outcome for name, one in shown.items()} == {
        name: last for name, (_, last) in EXPORTS.items()
    }
    assert {name: export.outcome for name, export in checked.items()} == {
        name: one.outcome for name, one in shown.items()
    }
    first = min(shown.values(), key=lambda one: one.severity)
    assert audit.outcome == first.outcome == "fail"
    ranked = sorted(shown.values(), key=lambda one: one.severity)
    assert [one.outcome for one in ranked] == ["fail", "fail", "fail", "warn", "warn", "ok"]


def test_what_is_wrong_with_the_dataflow_itself_is_told_alike(both, run, make_dataflow, clock, now):
    run(set_dataflow_state(make_dataflow("disabled", end=now + ENDS), "disabled"))
    make_dataflow("ends soon", end=now + timedelta(days=5))
    make_dataflow("ended", end=now + timedelta(hours=5))
    clock.advance(8 * HOUR)
    since = now - timedelta(days=20)
    _, checked, shown = both(since)
    for name, one in shown.items():
        assert told(one.findings, since) == told(checked[name].findings, since) != []
        assert one.outcome == checked[name].outcome == "warn"


def test_runs_that_cannot_be_read_are_told_alike(both, emulator, make_dataflow, clock, now):
    make_dataflow("nightly", end=now + ENDS)
    clock.advance(2 * HOUR)
    emulator.fail_next(503, times=999, match="GET /runs")
    _, checked, shown = both()
    assert [each.kind for each in checked["nightly"].findings] == ["unread"]
    assert [each.kind for each in shown["nightly"].findings] == ["unread"]
    assert checked["nightly"].outcome == shown["nightly"].outcome == "fail"


def test_a_run_outside_the_schedule_that_fails_is_told_alike(both, emulator, make_dataflow, clock, now):
    flow = make_dataflow("nightly", end=now + ENDS, every="1d")
    for hours in (2, 10):  # soon after its tick, and long after it
        clock.advance(hours * HOUR)
        emulator.script_runs(flow, ["in_progress"])
        (run_id,) = emulator.run_now(flow)
        emulator.finish_run(run_id, "failed")
        clock.advance(60)
        _, checked, shown = both()
        assert told(shown["nightly"].findings, now) == told(checked["nightly"].findings, now)
        assert checked["nightly"].outcome == shown["nightly"].outcome == "fail"


def test_a_tick_that_was_missed_yesterday_is_no_longer_what_the_export_has_come_to(
    both, emulator, make_dataflow, clock, now
):
    flow = make_dataflow("nightly", end=now + ENDS)
    emulator.script_runs(flow, ["success"] * 20 + ["never"])
    clock.advance((1 + 29 * 3) * HOUR + 1800)
    audit, _, shown = both()
    one = shown["nightly"]
    assert audit.outcome == "fail"
    assert (one.outcome, one.bad, len(one.states)) == ("ok", 1, 30)
    assert [each.kind for each in one.findings] == ["missing"]


def test_a_run_that_took_too_long_weeks_ago_is_still_told_alike(both, emulator, make_dataflow, clock, now):
    flow = make_dataflow("nightly", end=now + ENDS, every="1d")
    emulator.script_runs(flow, ["success"] * 15 + ["in_progress"])
    clock.advance((1 + 15 * 24 + 5) * HOUR)
    emulator.finish_run(emulator.entities("runs")[-1]["id"])
    clock.advance(28 * 24 * HOUR)
    since = datetime.fromtimestamp(clock(), tz=UTC) - timedelta(days=29)
    _, checked, shown = both(since)
    assert told(shown["nightly"].findings, since) == told(checked["nightly"].findings, since)
    assert [each.kind for each in shown["nightly"].findings] == ["stuck"]
