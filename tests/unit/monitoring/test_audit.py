"""All exports of a sandbox over a window."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.flowservice.dataflows import delete_dataflow, set_dataflow_state
from airflow_provider_aep.flowservice.exchange import Response
from airflow_provider_aep.monitoring.audit import audit_exports
from airflow_provider_aep.monitoring.audit_table import TABLE, rows_of
from airflow_provider_aep.monitoring.policy import AuditPolicy, RunPolicy
from airflow_provider_aep.monitoring.selection import Selection

HOUR = 3600


@pytest.fixture
def audit(run, clock, now):
    """``audit(since=..., policy=...)``: by default from the beginning until this moment."""

    def audit(**given):
        moment = datetime.fromtimestamp(clock(), tz=UTC)
        window = {"since": now, "until": moment, "now": moment}
        return run(audit_exports(**{**window, **given}))

    return audit


def test_a_sandbox_in_order_is_ok(audit, clock, now, make_dataflow):
    make_dataflow("one", end=now + timedelta(days=90))
    make_dataflow("two", end=now + timedelta(days=90))
    clock.advance(8 * HOUR)
    found = audit()
    assert found.outcome == "ok"
    assert [len(export.verdicts) for export in found.exports] == [3, 3]
    assert json.loads(json.dumps(found.to_json()))["totals"] == {"fail": 0, "warn": 0, "skip": 0, "ok": 2}


def test_what_failed_comes_first_and_says_why(audit, emulator, clock, now, make_dataflow):
    make_dataflow("a good one", end=now + timedelta(days=90))
    bad = make_dataflow("broken", end=now + timedelta(days=90))
    emulator.script_runs(bad, ["success", "failed"])
    clock.advance(8 * HOUR)
    found = audit()
    assert (found.outcome, found.exports[0].dataflow.id) == ("fail", bad)
    told = found.to_json()["exports"][0]
    assert told["verdict"]["status"] == "failed"
    assert "ACTIVATION_BATCH" in dict(zip(TABLE, rows_of(found)[0], strict=True))["what was found"]


def kinds_of(export):
    return [finding.kind for finding in export.findings]


def test_a_tick_that_was_missed_fails_and_its_run_that_came_after_all_warns(
    audit, emulator, clock, now, make_dataflow
):
    flow = make_dataflow("nightly", end=now + timedelta(days=90), every="6h")
    emulator.script_runs(flow, ["success", "late"])
    clock.advance(11 * HOUR)
    found = audit()
    assert found.outcome == "fail"
    assert kinds_of(found.exports[0]) == ["missing", "late"]
    assert audit(policy=AuditPolicy(on_missing="ok")).outcome == "warn"
    wider = audit(since=now - timedelta(days=1))
    assert wider.to_json()["exports"][0]["ticks"] == 2  # before its start it owes nothing


def test_a_tick_without_a_run_fails(audit, emulator, clock, now, make_dataflow):
    flow = make_dataflow("nightly", end=now + timedelta(days=90))
    emulator.script_runs(flow, ["success", "never"])
    clock.advance(6.6 * HOUR)
    (export,) = audit().exports
    assert kinds_of(export) == ["missing"]
    assert audit().outcome == "fail"
    assert audit(policy=AuditPolicy(on_missing="warn")).outcome == "warn"


def test_what_was_not_owed_while_it_was_switched_off_is_not_missing(audit, run, clock, now, make_dataflow):
    flow = make_dataflow("nightly", end=now + timedelta(days=90))
    run(set_dataflow_state(flow, "disabled"))
    clock.advance(5 * HOUR)  # two ticks pass, and somebody remembers
    run(set_dataflow_state(flow, "enabled"))
    clock.advance(3 * HOUR)
    assert audit().outcome == "ok"


def test_a_disabled_dataflow_warns_and_owes_nothing(audit, run, clock, now, make_dataflow):
    flow = make_dataflow("nightly", end=now + timedelta(days=90))
    run(set_dataflow_state(flow, "disabled"))
    clock.advance(8 * HOUR)
    (export,) = audit().exports
    assert export.outcome == "warn"
    assert [finding.told for finding in export.findings] == [
        "it is disabled and exports nothing until it is enabled"
    ]


def test_a_schedule_that_ends_soon_or_has_ended_warns(audit, clock, now, make_dataflow):
    make_dataflow("soon", end=now + timedelta(days=10))
    make_dataflow("over", end=now + timedelta(hours=5))
    clock.advance(8 * HOUR)
    told = {export.dataflow.name: export.findings[0].told for export in audit().exports}
    assert told["soon"].startswith("its schedule ends in 10 days, on ")
    assert told["over"].startswith("its schedule ended on ")
    later = audit(policy=AuditPolicy(ends_soon_days=0, on_ends_soon="fail"))
    assert [export.outcome for export in later.exports] == ["fail", "ok"]


def test_runs_that_cannot_be_read_are_no_green_and_the_next_check_looks_at_the_same_time_again(
    audit, emulator, clock, now, make_dataflow
):
    flow = make_dataflow("nightly", end=now + timedelta(days=90))
    emulator.script_runs(flow, ["failed"])
    clock.advance(2 * HOUR)
    emulator.fail_next(503, times=50, match="GET /runs")
    found = audit()
    assert found.outcome == "fail"
    assert "could not be read" in found.exports[0].findings[0].told
    emulator.clear_faults()
    clock.advance(HOUR)
    again = audit(since=found.until, before=found.handover)
    assert kinds_of(again.exports[0]) == ["failed"]


def test_a_dataflow_that_is_deleted_is_no_part_of_it(audit, run, clock, now, make_dataflow):
    flow = make_dataflow("gone", end=now + timedelta(days=90))
    make_dataflow("left", end=now + timedelta(days=90))
    clock.advance(2 * HOUR)
    run(delete_dataflow(flow))
    assert [export.dataflow.name for export in audit().exports] == ["left"]


def test_a_check_that_looks_at_nothing_is_not_green(audit, clock, now, make_dataflow):
    make_dataflow("loyalty", end=now + timedelta(days=90))
    clock.advance(2 * HOUR)
    found = audit(selection=Selection(name_contains="loylaty"))
    assert (found.exports, found.outcome) == ((), "fail")
    assert found.told_nothing() == (
        "Nothing was checked: none of 1 export dataflows fits name_contains='loylaty'."
    )
    policy = AuditPolicy(on_nothing="ok")
    assert audit(selection=Selection(name_contains="loylaty"), policy=policy).outcome == "ok"


@pytest.mark.parametrize("kind", ["null_metrics", "negative_counts", "unknown_status", "reference_spelling"])
def test_odd_documents_end_in_a_verdict_or_are_under_way(audit, emulator, clock, now, make_dataflow, kind):
    flow = make_dataflow("odd", end=now + timedelta(days=90))
    emulator.script_runs(flow, [kind])
    clock.advance(2 * HOUR)
    (export,) = audit().exports
    assert json.dumps(export.to_json())
    assert len(export.ticks) == 1
    assert "missing" not in kinds_of(export)


def test_two_hundred_and_fifty_dataflows_take_a_handful_of_requests(
    audit, emulator, clock, now, make_dataflow
):
    for number in range(250):
        make_dataflow(f"export {number}", end=now + timedelta(days=90))
    clock.advance(HOUR + 1800)
    emulator.log.clear()
    assert len(audit().exports) == 250
    listings = [request.path for request in emulator.log if not request.path.startswith("/ims")]
    assert listings.count("/flows") == 3
    assert listings.count("/runs") <= 6


def test_history_is_read_along_with_the_window(audit, emulator, clock, now, make_dataflow):
    flow = make_dataflow("nightly", end=now + timedelta(days=90))
    emulator.script_runs(flow, ["success"] * 8 + ["zero"])
    clock.advance(26 * HOUR)
    emulator.log.clear()
    moment = datetime.fromtimestamp(clock(), tz=UTC)
    policy = AuditPolicy(runs=RunPolicy(zero_streak=2, on_zero_records="fail"))
    (export,) = audit(since=moment - timedelta(hours=2), policy=policy).exports
    assert [verdict.status for verdict in export.verdicts] == ["zero_records"]
    assert export.verdicts[0].outcome == "ok"
    assert "empty run 1 in a row" in export.verdicts[0].reason


def test_a_selection_narrows_it(audit, clock, now, make_dataflow):
    make_dataflow("CRM nightly", end=now + timedelta(days=90))
    make_dataflow("web hourly", end=now + timedelta(days=90))
    clock.advance(HOUR)
    named = audit(selection=Selection(name_contains="crm"))
    assert [export.dataflow.name for export in named.exports] == ["CRM nightly"]
    assert len(audit(selection=Selection(destinations=["data_landing_zone"])).exports) == 2
    assert audit(selection=Selection(destinations=["s3"])).exports == ()
    assert audit(selection=Selection(owner="airflow")).exports == ()


def test_an_export_that_a_filter_no_longer_finds_is_not_forgotten(run, emulator, clock, audit, make_dataflow):
    hidden, _ = make_dataflow("crm"), make_dataflow("web")
    clock.advance(HOUR)
    before = audit().handover

    class Hiding:
        clock = emulator.clock

        def send(self, request):
            answer = emulator.send(request)
            if request.path != "/flows" or not any(name == "property" for name, _ in request.query):
                return answer
            items = [each for each in answer.json["items"] if each["id"] != hidden]
            return Response(200, body=json.dumps({"items": items}).encode())

    run.emulator = Hiding()
    emulator.script_runs("crm", ["failed"])
    clock.advance(4 * HOUR)
    found = audit(before=before)
    assert {export.dataflow.name: export.outcome for export in found.exports}["crm"] == "fail"


def test_an_export_to_a_destination_of_no_table_is_checked_like_any_other(emulator, clock, audit):
    emulator.add_foreign_flow("measure")
    emulator.script_runs("measure", ["failed"])
    clock.advance(3 * HOUR)
    found = audit(selection=Selection(destinations=["marketo measure ultimate"]))
    assert [export.dataflow.name for export in found.exports] == ["measure"]
    assert "failed" in {finding.kind for finding in found.exports[0].findings}


def test_what_makes_no_sense_is_refused(audit, now):
    with pytest.raises(AepValidationError, match="until must be later"):
        audit(until=now)
    with pytest.raises(AepValidationError, match="destinations must hold names"):
        Selection(destinations=["s3", ""])
    with pytest.raises(AepValidationError, match=r"'s33', to which nothing is exported \(did you mean 's3'"):
        audit(until=now + timedelta(hours=1), selection=Selection(destinations=["s33"]))
    with pytest.raises(AepValidationError, match="on_missing must be one of"):
        AuditPolicy(on_missing="maybe")
    with pytest.raises(AepValidationError, match="ends_soon_days"):
        AuditPolicy(ends_soon_days=-1)
