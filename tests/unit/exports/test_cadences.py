"""Declared exports at cadences that no document names: kept, adopted, and sent with a warning."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.exports.importing import import_exports, to_yaml
from airflow_provider_aep.exports.spec import parse_spec
from airflow_provider_aep.flowservice.dataflow_record import Dataflow

HOUR = 3600
INCREMENTAL = "FIRST_FULL_THEN_INCREMENTAL"
FLOW_SPECS = "/flowSpecs/"


@pytest.fixture
def desk(new_desk):
    return new_desk(any_cadence=True)


@pytest.fixture
def made_by_hand(desk):
    """``made_by_hand(unit, interval)``: a dataflow as the user interface makes it; its id."""

    def make(unit, interval, **params):
        first = desk.ensure(desk.spec(name="first"))
        there = desk.get("dataflow", first.ids["dataflow"])
        schedule = {**there["scheduleParams"], "timeUnit": unit, "interval": interval, **params}
        return desk.copy("dataflow", there["id"], name="by hand", description="", scheduleParams=schedule)

    return make


@pytest.mark.parametrize(
    ("unit", "interval", "params", "every"),
    [
        ("hour", 1, {}, "1h"),
        ("hour", "8", {}, "8h"),
        ("hour", 24, {}, "1d"),
        ("day", 7, {}, "7d"),
        ("week", 1, {}, "7d"),
        ("minute", 15, {}, "as-is"),
        ("day", 1, {"exportMode": "DAILY_FULL_EXPORT"}, "as-is"),
    ],
)
def test_any_cadence_is_kept_as_it_is_imported_and_adopted(desk, made_by_hand, unit, interval, params, every):
    dataflow_id = made_by_hand(unit, interval, **params)
    before = desk.get("dataflow", dataflow_id)["scheduleParams"]

    (imported,) = desk.carry_out(import_exports(dataflow_id))
    assert imported.error is None
    assert imported.document["schedule"]["every"] == every

    adopted = desk.ensure(parse_spec(imported.document))
    assert adopted.ids["dataflow"] == dataflow_id
    assert desk.get("dataflow", dataflow_id)["scheduleParams"] == before
    assert [each.path for each in desk.emulator.requests("GET") if FLOW_SPECS in each.path] == []

    again = desk.ensure(parse_spec(imported.document))
    assert not again.changed
    assert desk.writes() == []


def test_what_our_own_operator_made_at_24_hours_is_a_day_and_a_comment_says_so(desk, made_by_hand):
    dataflow_id = made_by_hand("hour", 24)
    (imported,) = desk.carry_out(import_exports(dataflow_id))
    text = to_yaml([(imported.document, imported.notes)])
    assert "# Adobe holds its cadence as 24 hours, the same as 1d" in text


def test_a_cadence_without_a_word_is_explained_in_a_comment(desk, made_by_hand):
    dataflow_id = made_by_hand("minute", 15)
    (imported,) = desk.carry_out(import_exports(dataflow_id))
    assert f"It exports every 15 minute with export mode {INCREMENTAL}" in " ".join(imported.notes)
    (flow,) = (one for one in desk.all("dataflow") if one["id"] == dataflow_id)
    assert Dataflow.from_api(flow).step == timedelta(0)  # watched all the same, and not by its ticks


def test_as_is_makes_no_new_dataflow_and_nothing_is_sent(desk):
    with pytest.raises(
        AepValidationError, match="schedule/every as-is keeps the cadence of an existing dataflow"
    ):
        desk.ensure(desk.spec(schedule="as-is"))
    assert desk.writes() == []


def test_as_is_does_not_survive_a_replacement_and_nothing_is_deleted(desk, made_by_hand):
    dataflow_id = made_by_hand("minute", 15)
    (imported,) = desk.carry_out(import_exports(dataflow_id))
    desk.ensure(parse_spec(imported.document))
    destination = {**imported.document["destination"], "credentials_conn_id": "other"}
    del destination["base_connection_id"]
    moved = parse_spec({**imported.document, "destination": destination})
    with pytest.raises(AepValidationError, match="schedule/every as-is keeps"):
        desk.ensure(moved, allow_replace=True)
    assert desk.writes() == []
    assert desk.get("dataflow", dataflow_id)["scheduleParams"]["timeUnit"] == "minute"


def test_no_end_is_chosen_for_a_cadence_without_a_word(desk):
    there = {"timeUnit": "minute", "interval": 15}
    assert desk.spec(schedule="as-is").wanted_schedule(there, now=desk.now) == there
    assert "endTime" in desk.spec(schedule="3h").wanted_schedule(there, now=desk.now)


# New exports


def flow_spec(interval):
    return {"items": [{"id": "x", "scheduleSpec": {"spec": {"properties": {"interval": interval}}}}]}


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, flow_spec({"enum": [1, 3, 8]}), None),
        (200, flow_spec({"minimum": 1, "maximum": 24}), None),
        (200, flow_spec({"enum": [1, 3]}), "the flow spec does not allow every: 8h"),
        (200, flow_spec({"type": "integer"}), "the flow spec does not say whether every: 8h is allowed"),
        (200, {"items": []}, "cannot be read (status 200)"),
        (200, {"message": "hello"}, "cannot be read"),
        (403, None, "cannot be read (status 403)"),
        (404, None, "cannot be read (status 404)"),
    ],
)
def test_a_cadence_that_no_document_names_passes_with_a_warning_unless_the_live_flow_spec_allows_it(
    desk, status, body, told
):
    spec = desk.spec(schedule__every="8h")
    desk.emulator.fail_next(status, match=FLOW_SPECS, body=body)
    plan = desk.plan(spec)
    assert plan.step("dataflow").action == "create"
    desk.emulator.fail_next(status, match=FLOW_SPECS, body=body)
    outcome = desk.ensure(spec)
    warnings = [one for one in outcome.warnings if "8h" in one]
    assert len(warnings) == (told is not None)
    assert all(told in one and "1h, 3h" in one for one in warnings)
    (flow,) = desk.all("dataflow")
    assert (flow["scheduleParams"]["timeUnit"], flow["scheduleParams"]["interval"]) == ("hour", 8)


@pytest.mark.parametrize("every", ["once", "1h", "3h", "6h", "9h", "12h", "1d", "24h"])
def test_the_documented_cadences_pay_no_request(desk, every):
    desk.ensure(desk.spec(schedule__every=every))
    assert [each for each in desk.emulator.log if FLOW_SPECS in each.path] == []


def test_many_exports_of_one_destination_ask_for_its_flow_spec_once(desk):
    specs = [desk.spec(name=f"export {number}", schedule__every="2h") for number in range(5)]
    outcomes = desk.ensure_all(*specs)
    assert all("every: 2h" in " ".join(one.warnings) for one in outcomes)
    assert len([each for each in desk.emulator.log if FLOW_SPECS in each.path]) == 1
    again = desk.ensure_all(*specs)
    assert not any("every: 2h" in " ".join(one.warnings) for one in again)
    assert [each for each in desk.emulator.log if FLOW_SPECS in each.path] == []


def test_a_new_cadence_of_an_export_that_exists_is_looked_up_too(desk):
    desk.ensure(desk.spec())
    outcome = desk.ensure(desk.spec(schedule__every="2h"))
    assert "every: 2h" in " ".join(outcome.warnings)
