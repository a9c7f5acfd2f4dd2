"""One sensor for many exports, from its start to its end, in each mode, on the emulator's clock."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AssetAlias,
    TaskDeferred,
)

from airflow_provider_aep.assets import export_asset, hashable
from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.errors import AepConfigError, AepError, AepValidationError
from airflow_provider_aep.flowservice.dataflows import delete_dataflow
from airflow_provider_aep.monitoring import dues
from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators.dataflows import AepListDataflowsOperator
from airflow_provider_aep.operators.xcom_keys import CHECK_KEY
from airflow_provider_aep.sensors import AepExportsSensor, progress
from tests.unit.sensing import HOUR, Outcome, Watch, each_plain_mode, fire
from tests.unit.task_instance import context_of


@pytest.fixture
def settings() -> dict[str, Any]:
    """What is special about the emulator of a test."""
    return {}


@pytest.fixture
def emulator(clock, settings) -> Emulator:
    return Emulator(clock=clock, **settings)


@pytest.fixture
def many(watch: Watch) -> Watch:
    """``many("deferrable", due_from=...)``: how a sensor of many exports ends."""
    watch.kind = AepExportsSensor
    return watch


@pytest.fixture
def export(nightly) -> Callable[..., str]:
    """``export("crm", "failed")``: a daily export whose first run is in an hour, or at ``start``."""

    def make(name: str, *kinds: str, **schedule: Any) -> str:
        return nightly(*kinds, name=name, **{"every": "1d", **schedule})

    return make


@pytest.fixture
def heard(clock) -> list[tuple[str, str, float]]:
    """Of which export somebody heard what, and when."""
    return []


@pytest.fixture
def alert(heard, clock) -> AepRunNotifier:
    def send(text: str, told: Any) -> None:
        alerts = told.get("alerts") or [{"dataflow_name": None, "status": told.get("status")}]
        heard.extend((each["dataflow_name"], each["status"], clock()) for each in alerts)

    return AepRunNotifier(send=send)


def names(heard: list[tuple[str, str, float]]) -> Counter[tuple[str, str]]:
    return Counter((name, status) for name, status, _ in heard)


def by_name(outcome: Outcome) -> dict[str, str]:
    return {each["dataflow_name"]: each["status"] for each in outcome.value["verdicts"]}


def without_ids(told: Any) -> Any:
    """What is told, without what differs between two runs of the same story: ids and moments."""
    words = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", json.dumps(told, sort_keys=True))
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.+]+", "MOMENT", re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "TIME", words))


ENDINGS = {
    "good": "success",
    "bad": "failed",
    "empty": "zero",
    "lossy": "partial",
    "odd": "unknown_status",
    "hangs": "in_progress",
}
WINDOW = {"fail_on_bad": False, "timeout": 9 * HOUR}


def window(now: datetime, hours: float = 2) -> dict[str, Any]:
    return {**WINDOW, "due_from": now, "due_until": now + timedelta(hours=hours)}


@pytest.fixture(scope="module")
def ends() -> dict[str, Any]:
    """How the same story has ended in each mode so far."""
    return {}


@each_plain_mode
def test_in_every_mode_the_same_exports_have_the_same_verdicts(many, export, now, ti, ends, mode):
    for name, kind in ENDINGS.items():
        export(name, kind)
    outcome = many(mode, **window(now))
    assert outcome.state == "success"
    assert outcome.value["totals"] == {"fail": 4, "warn": 1, "skip": 0, "ok": 1}
    assert by_name(outcome) == {
        "good": "success",
        "bad": "failed",
        "empty": "zero_records",
        "lossy": "partial",
        "odd": "unknown",
        "hangs": "error",
    }
    ends[mode] = (without_ids(outcome.value), without_ids(ti.pushed(CHECK_KEY)))
    assert len(set(ends.values())) == 1


@each_plain_mode
def test_a_bad_export_fails_the_task_by_name_unless_told_otherwise(many, export, now, mode):
    export("good", "success")
    export("bad", "failed")
    outcome = many(mode, **{**window(now), "fail_on_bad": True})
    assert isinstance(outcome.error, AirflowFailException)
    assert outcome.told.startswith("1 of 2 exports: 'bad': run ")


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
def test_an_alert_goes_out_while_others_are_waited_for_and_only_once(
    many, export, now, alert, heard, clock, mode
):
    export("good", "success")
    export("bad", "failed")
    export("slow", "success", start=now + timedelta(hours=5))
    outcome = many(mode, **window(now, 6), alert=alert)
    assert names(heard) == {("bad", "failed"): 1}
    ((_, _, at),) = heard
    assert at - now.timestamp() < 2 * HOUR
    assert clock() - now.timestamp() > 5 * HOUR
    assert by_name(outcome) == {"good": "success", "bad": "failed", "slow": "success"}


def test_good_exports_start_no_worker_before_the_last_has_ended(many, export, now, alert):
    for hour in range(1, 6):
        export(f"e{hour}", "success", start=now + timedelta(hours=hour))
    outcome = many("deferrable", **window(now, 6), alert=alert)
    assert len(outcome.deferrals) == 1
    assert outcome.value["totals"]["ok"] == 5


def test_without_an_alert_nothing_starts_a_worker_before_the_last_has_ended(many, export, now):
    export("bad", "failed")
    export("slow", "success", start=now + timedelta(hours=5))
    assert len(many("deferrable", **window(now, 6)).deferrals) == 1


def test_in_reschedule_mode_which_remembers_nothing_all_is_told_once_at_the_end(
    many, export, now, alert, heard, clock
):
    export("bad", "failed")
    export("slow", "success", start=now + timedelta(hours=5))
    many("reschedule", **window(now, 5.5), alert=alert)
    assert names(heard) == {("bad", "failed"): 1}
    assert heard[0][2] - now.timestamp() > 5 * HOUR


def test_the_callbacks_of_the_task_repeat_nothing_and_those_of_the_dag_tell_all(
    many, export, now, alert, heard, ti
):
    export("bad", "failed")
    many("deferrable", **window(now), alert=alert)
    assert names(heard) == {("bad", "failed"): 1}
    alert(context_of(ti))
    assert names(heard) == {("bad", "failed"): 1}
    found = ti.pushed(CHECK_KEY)
    assert [each["alerted"] for each in found["exports"]] == [True]
    alert.tell(context_of(ti), found)
    assert names(heard) == {("bad", "failed"): 2}


def test_without_an_alert_of_its_own_the_callback_tells_all(many, export, now, alert, heard, ti):
    export("bad", "failed")
    many("deferrable", **window(now))
    alert(context_of(ti))
    assert names(heard) == {("bad", "failed"): 1}


def test_a_task_that_is_lost_while_it_waits_is_told_beside_what_it_found(many, export, now, alert, heard, ti):
    export("bad", "failed")
    export("slow", "success", start=now + timedelta(hours=5))
    many("deferrable", **window(now, 6), alert=alert)
    found = {**ti.pushed(CHECK_KEY), "waits_for": 1}
    ti.xcom_push(CHECK_KEY, found)
    ti.state = "failed"
    alert(context_of(ti, exception=RuntimeError("gone")))
    assert names(heard) == {("bad", "failed"): 1, (None, "error"): 1}


@each_plain_mode
def test_what_is_left_at_the_timeout_is_told_by_name(many, export, now, mode, alert, heard, clock):
    export("good", "success")
    export("hangs", "in_progress")
    outcome = many(mode, **{**window(now), "timeout": 2 * HOUR, "fail_on_bad": True}, alert=alert)
    assert isinstance(outcome.error, AirflowFailException)
    assert re.search(
        r"1 of 2 exports: 'hangs', due .* UTC: not done after 2 hours. Last seen: run \S+ processing",
        outcome.told,
    )
    assert names(heard) == {("hangs", "error"): 1}
    assert clock() - now.timestamp() == pytest.approx(2 * HOUR, abs=60)


@pytest.mark.parametrize("settings", [{"late_seconds": 30 * 86400.0}])
@pytest.mark.parametrize(("choice", "outcome"), [("fail", "fail"), ("warn", "warn"), ("ok", "ok")])
@each_plain_mode
def test_a_tick_that_never_ran_is_missing_as_a_check_calls_it(
    many, export, now, mode, alert, heard, choice, outcome
):
    export("never", "late")
    end = many(mode, **{**window(now), "timeout": 5 * HOUR, "on_missing": choice}, alert=alert)
    assert by_name(end) == {"never": "gaps"}
    assert end.value["outcome"] == outcome
    assert names(heard) == ({} if choice == "ok" else {("never", "gaps"): 1})


def test_a_dataflow_that_is_deleted_meanwhile_takes_nothing_from_the_others(
    aep, many, export, now, run, alert, heard
):
    export("good", "success")
    gone = export("gone", "success")
    outcome = many("deferrable", between=[lambda: run(delete_dataflow(gone))], **window(now), alert=alert)
    assert by_name(outcome) == {"gone": "error", "good": "success"}
    assert names(heard) == {("gone", "error"): 1}


@each_plain_mode
def test_an_outage_at_the_start_is_waited_out(aep, many, export, now, mode):
    export("good", "success")
    aep.fail_next(503, times=6, match="GET /flows")
    outcome = many(mode, **window(now))
    assert by_name(outcome) == {"good": "success"}


def test_a_service_that_never_answers_ends_as_a_timeout(aep, many, export, now):
    export("good", "success")
    aep.fail_next(503, times=10_000)
    outcome = many("deferrable", **{**window(now), "timeout": 2 * HOUR})
    assert isinstance(outcome.error, AirflowSensorTimeout)
    assert "the service gave no answer" in outcome.told


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [
        ({"name_contains": "CRM"}, {"crm-a", "crm-b"}),
        ({"destinations": "data_landing_zone"}, {"crm-a", "crm-b", "web"}),
        ({"name_contains": "a", "destinations": ["data_landing_zone"]}, {"crm-a"}),
    ],
)
def test_only_what_is_selected_is_waited_for(many, export, now, chosen, wanted):
    for name in ("crm-a", "crm-b", "web"):
        export(name, "success")
    assert by_name(many("deferrable", **window(now), **chosen)).keys() == wanted


@pytest.mark.parametrize(("choice", "state"), [("fail", "failed"), ("warn", "skipped"), ("ok", "skipped")])
def test_a_selection_that_fits_nothing_is_told_and_no_export_due_is_fine(
    many, export, now, alert, heard, choice, state
):
    export("good", "success")
    outcome = many("poke", **window(now), name_contains="typo", on_nothing=choice, alert=alert)
    assert outcome.state == state
    assert "none of 1 export dataflows fits name_contains='typo'" in outcome.told
    assert bool(heard) == (choice in ("fail", "warn"))
    nothing_due = many("poke", **window(now, 0.5))
    assert (nothing_due.state, nothing_due.value["verdicts"]) == ("success", [])


def test_given_ticks_are_waited_for_as_the_mapped_form_and_the_list_give_them(many, export, now, ti):
    flow = export("good", "success")
    tick = now + timedelta(hours=1)
    listing = AepListDataflowsOperator(task_id="due", due_from=now, due_until=now + timedelta(hours=2))
    listed = listing.execute(context_of(ti))
    ends = [
        many("poke", ticks=given, timeout=9 * HOUR).value
        for given in (listed, [{"dataflow_id": flow, "tick": tick.isoformat()}])
    ]
    assert ends[0] == ends[1]
    assert [each["tick"] for each in ends[0]["verdicts"]] == [tick.isoformat()]


def test_a_given_tick_that_is_none_and_a_dataflow_that_is_not_there_are_errors_by_name(many, export, now):
    flow = export("good", "success")
    gone = "9b1b2c4e-0000-4000-8000-000000000000"
    ticks = [
        {"dataflow_id": flow, "tick": now + timedelta(hours=1)},
        {"dataflow_id": flow, "tick": now + timedelta(hours=1, minutes=1)},
        {"dataflow_id": gone, "tick": now},
    ]
    outcome = many("deferrable", ticks=ticks, timeout=9 * HOUR, fail_on_bad=False)
    told = {(each["dataflow_name"], each["status"]) for each in outcome.value["verdicts"]}
    assert told == {("good", "success"), ("good", "error"), (gone, "error")}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"ticks": "f-1"}, "ticks"),
        ({"ticks": [1]}, "ticks/0"),
        ({"ticks": [{"dataflow_id": "a/b", "tick": 1}]}, "ticks/0/dataflow_id"),
        (
            {"ticks": [{"dataflow_id": "f-1"}]},
            "ticks/0 has no tick: let AepListDataflowsOperator list with due_from",
        ),
        ({"ticks": [{"dataflow_id": "f-1", "tick": None}]}, "ticks/0/tick"),
        ({"due_from": "2026-01-02", "due_until": "2026-01-01"}, "due_until"),
        ({"due_until": "2026-01-01"}, "due_from"),
        ({"run_policy": {"on_faild": "ok"}}, "on_faild"),
        ({"on_missing": "never"}, "on_missing"),
        ({"ticks": [{"dataflow_id": "f-1", "ticks": 5}]}, "ticks/0/ticks"),
        ({"ticks": [{"dataflow_id": "f-1", "ticks": "2026-01-01"}]}, "ticks/0/ticks"),
        ({"destinations": 5}, "destinations"),
        ({"destinations": {"s3": True}}, "destinations"),
        ({"export_owner": True}, "export_owner"),
    ],
)
def test_bad_arguments_are_named_before_anything_is_asked(aep, many, given, field):
    aep.log.clear()
    outcome = many("deferrable", **given)
    assert isinstance(outcome.error, AepValidationError)
    assert field in outcome.told
    assert not aep.log


def test_what_can_be_refused_when_the_dag_is_parsed_is():
    asset = export_asset(org="ORG", sandbox="prod", dataset="d")
    policies: list[Any] = ["ok", ["on_failed"], 5]
    for given in (
        {"ticks": [], "name_contains": "a"},
        {"outlets": [asset]},
        *({"run_policy": each} for each in policies),
    ):
        with pytest.raises(AepValidationError):
            AepExportsSensor(task_id="t", **given)
    for alert in (print, "log", AepRunNotifier):
        with pytest.raises(AepConfigError, match="alert must be an AepRunNotifier"):
            AepExportsSensor(task_id="t", alert=alert)


@pytest.mark.parametrize(("hours", "of_one"), [(1_001, 1_000), (900, 1_000)])
def test_more_ticks_than_anybody_waits_for_are_refused_and_not_worked_through(
    many, export, now, clock, monkeypatch, hours, of_one
):
    monkeypatch.setattr(dues, "MOST_TICKS", 1_500)
    for name in ("a", "b"):
        export(name, every="1h", start=now)
    outcome = many("poke", due_from=now, due_until=now + timedelta(hours=hours))
    assert isinstance(outcome.error, AepValidationError)
    assert "due_from" in outcome.told
    assert ("one dataflow" in outcome.told) == (hours > of_one)
    given = [now + timedelta(hours=hour) for hour in range(1_001)]
    ticks = [{"dataflow_id": "f-1", "ticks": given}]
    assert "ticks" in many("poke", ticks=ticks).told


def test_an_export_whose_schedule_cannot_be_read_is_named_in_the_log(many, export, emulator, now, logged):
    odd = export("odd", "success")
    export("good", "success")
    emulator._world.entities._kept["flows", "prod"][odd]["scheduleParams"]["timeUnit"] = "full moon"
    assert by_name(many("poke", **window(now))) == {"good": "success"}
    assert "The schedule of 'odd' cannot be read, so the sensor does not wait for it" in logged()


def test_the_window_is_the_data_interval_and_a_timed_run_without_one_is_refused(many, export, now, ti):
    export("good", "success")
    run = SimpleNamespace(run_after=None, start_date=now, run_id="r", run_type="scheduled")
    interval = {"data_interval_start": now, "data_interval_end": now + timedelta(hours=2)}
    context = context_of(ti, **interval) | {"dag_run": run}
    assert by_name(many("poke", context=context, timeout=9 * HOUR)) == {"good": "success"}
    without = context_of(ti) | {"dag_run": run}
    outcome = many("poke", context=without)
    assert "CronDataIntervalTimetable" in outcome.told
    run.run_type, run.start_date = "manual", now + timedelta(hours=3)
    assert by_name(many("poke", context=without, timeout=9 * HOUR)) == {"good": "success"}


@pytest.mark.parametrize("settings", [{"late_seconds": 3_000.0}])
@each_plain_mode
def test_a_window_until_now_ends_when_the_task_began_however_long_it_waits(many, export, now, clock, mode):
    for name, minutes in (("a", 0), ("b", 30)):  # at any moment, one of them has a tick without a run
        export(name, *["late"] * 12, every="1h", start=now + timedelta(minutes=minutes))
    clock.advance(2.2 * HOUR)
    outcome = many(mode, **WINDOW, due_from=now + timedelta(hours=1))
    ticks = [each["tick"] for each in outcome.value["verdicts"]]
    assert sorted(ticks) == [(now + timedelta(hours=hour)).isoformat() for hour in (1, 1.5, 2)]
    assert clock() - now.timestamp() < 5 * HOUR


def test_the_next_dag_run_tells_what_has_recovered_also_where_one_lay_between(
    many, export, now, alert, heard, ti
):
    export("bad", "failed", "success", every="3h")
    daily = {"fail_on_bad": False, "timeout": 9 * HOUR, "alert": alert}
    for start, end in ((0, 2), (2, 3), (3, 5), (5, 7)):
        ti.earlier = {key: value for (_, _, key), value in ti.xcoms.items()} or ti.earlier
        ti.xcoms.clear()
        many(
            "deferrable",
            due_from=now + timedelta(hours=start),
            due_until=now + timedelta(hours=end),
            run_policy={"on_zero_when_ingested": "ok", "on_zero_records": "ok"},
            **daily,
        )
    assert [(name, status) for name, status, _ in heard] == [("bad", "failed"), ("bad", "recovered")]
    assert ti.pushed(CHECK_KEY)["open"] == {}


@pytest.fixture
def each_tick(many, now, alert, ti) -> Any:
    """``each_tick(3, run_policy={})``: one DAG run for each of three ticks, three hours apart."""

    def judge(count: int, **given: Any) -> None:
        for tick in range(count):
            ti.earlier = {key: value for (_, _, key), value in ti.xcoms.items()}
            ti.xcoms.clear()
            start = now + timedelta(hours=3 * tick)
            window = {"due_from": start, "due_until": start + timedelta(hours=3)}
            many("deferrable", **window, fail_on_bad=False, timeout=9 * HOUR, alert=alert, **given)

    return judge


def test_an_empty_run_that_owes_nothing_new_delivers_nothing_that_was_lost(
    emulator, export, each_tick, heard, ti
):
    for dataset in emulator.datasets():
        dataset.hourly = 0
    export("bad", "zero", "zero", "success", every="3h")
    each_tick(2)
    assert [status for _, status, _ in heard] == ["zero_records"]
    assert [list(each) for each in ti.pushed(CHECK_KEY)["open"].values()] == [["zero_records"]]


def test_an_empty_run_ends_an_incident_where_nothing_is_lacking(emulator, export, each_tick, heard, ti):
    for dataset in emulator.datasets():
        dataset.hourly = 0
    export("bad", "success", "failed", "zero", every="3h")
    each_tick(3)
    assert [status for _, status, _ in heard] == ["failed", "recovered"]
    assert ti.pushed(CHECK_KEY)["open"] == {}


def test_an_alias_gets_events_of_the_good_exports_alone(many, export, now, ti, emulator):
    class Events(dict):
        def __getitem__(self, alias: Any) -> Any:
            added: list[Any] = []
            new = SimpleNamespace(added=added, add=lambda asset, extra: added.append((asset.uri, extra)))
            return self.setdefault(alias.name, new)  # an alias of Airflow 3.0 has no hash

    export("good", "success")
    export("bad", "failed")
    events, alias = Events(), AssetAlias("exports")
    many("deferrable", **window(now), outlets=[alias], context=context_of(ti, outlet_events=events))
    ((uri, extra),) = events[alias].added
    assert uri.endswith("/good")
    assert (extra["dataflow_name"], extra["status"]) == ("good", "success")
    assert extra["paths"]
    assert extra["exact"]


def test_what_the_event_of_an_alias_tells_is_the_same_where_airflow_puts_it_into_a_set():
    extra = {"run_ids": ["a", "b"], "records": None, "window": {"started_at": "x"}, "paths": []}
    kept = hashable(extra)
    assert json.loads(json.dumps(dict(frozenset(kept.items())))) == extra


def test_a_task_that_fails_tells_no_asset(many, export, now, ti):
    export("good", "success")
    export("bad", "failed")
    outcome = many(
        "deferrable",
        **{**window(now), "fail_on_bad": True},
        outlets=[AssetAlias("exports")],
        context=context_of(ti, outlet_events={}),
    )
    assert isinstance(outcome.error, AirflowFailException)


@pytest.mark.parametrize("lenient", ["soft_fail", "never_fail"])
@each_plain_mode
def test_a_lenient_sensor_skips(many, export, now, logged, mode, lenient):
    export("bad", "failed")
    outcome = many(mode, **{**window(now), "fail_on_bad": True, lenient: True})
    assert isinstance(outcome.error, AirflowSkipException)
    assert "1 of 1 exports: 'bad': run " in logged() + outcome.told


# The deferral


@pytest.mark.parametrize(
    ("heartbeat", "interval", "pause"), [(None, 1.0, 15.0), ("2", 1.0, 6.0), ("2", 30.0, 30.0)]
)
def test_the_trigger_fires_no_sooner_than_three_heartbeats_after_a_deferral(
    many, export, now, alert, clock, monkeypatch, heartbeat, interval, pause
):
    if heartbeat:
        monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", heartbeat)
    export("bad", "failed")
    export("slow", "success", start=now + timedelta(hours=5))
    sensor = many.sensor("deferrable", **window(now, 6), alert=alert, poke_interval=interval)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(context_of(many.ti))
    many.pass_time(2 * HOUR)  # by now there is something to tell
    began = clock()
    assert fire(deferred.value.trigger)["status"] == "finished"
    assert pause <= clock() - began <= pause + interval


def test_a_deadline_that_has_passed_does_not_make_it_fire_sooner(many, export, now, clock, alert):
    export("slow", "success", start=now + timedelta(hours=1))
    sensor = many.sensor("deferrable", **{**window(now), "timeout": 10.0}, alert=alert, poke_interval=60.0)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(context_of(many.ti))
    assert deferred.value.timeout.total_seconds() > 60 + 60
    began = clock()
    fire(deferred.value.trigger)
    assert clock() - began >= 60


@pytest.mark.parametrize("event", [None, "text", {}, {"version": 99, "status": "finished"}])
def test_an_event_that_is_lost_or_of_another_version_fails_the_task(many, event, ti):
    with pytest.raises(AepError, match="clear the task to poll again"):
        many.sensor("deferrable").execute_complete(context_of(ti), event, deadline=1.0, progress={})


def test_where_airflow_loses_what_was_kept_it_looks_anew_until_the_same_deadline(many, export, now, ti):
    export("slow", "success", start=now + timedelta(hours=5))
    sensor = many.sensor("deferrable", **window(now, 6))
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(context_of(ti))
    event = fire(deferred.value.trigger)
    found = many.sensor("deferrable", **window(now, 6)).execute_complete(context_of(ti), event)
    assert [each["status"] for each in found["verdicts"]] == ["success"]
    assert event["deadline"] == deferred.value.kwargs["deadline"]


def test_what_crosses_is_bounded_and_holds_no_secret(aep, many, export, now, alert, ti):
    for each in range(12):
        export(f"e{each}", "failed")
    outcome = many("deferrable", **window(now), alert=alert)
    kept = json.dumps([[d.kwargs, d.trigger.serialize()] for d in outcome.deferrals])
    assert len(kept) / len(outcome.deferrals) / 12 < 3_000
    for secret in (aep.client_secret, *aep._gateway._tokens):
        assert secret not in kept + json.dumps(outcome.value)


def test_the_result_of_a_thousand_bad_exports_is_bounded_and_says_how_many_are_left_out():
    entries = [
        {
            "dataflow_id": f"f-{each}",
            "dataflow_name": f"export {each}",
            "tick": "2026-01-01T00:00:00+00:00",
            "outcome": "fail",
            "status": "failed",
            "reason": "x" * 5_000,
            "run_ids": [f"run-{run}" for run in range(500)],
            "errors": [{"code": "c", "message": "m" * 9_000}] * 50,
            "open": {"failed": "2026-01-01T00:00:00+00:00"},
        }
        for each in range(1_000)
    ]
    kept = [progress.bounded(each) for each in entries]
    assert max(len(json.dumps(each)) for each in kept) < 5_000
    result = progress.result_of(kept, {"sandbox": "prod"})
    check = progress.check_of(kept, {"sandbox": "prod"})
    assert len(json.dumps(result)) < 2 * progress.MOST_BYTES
    assert len(json.dumps(check)) < 4 * progress.MOST_BYTES
    assert len(result["verdicts"]) + result["left_out"] == result["totals"]["fail"] == 1_000
    assert len(check["exports"]) < 1_000
    assert "more exports have problems or have recovered" in check["notes"][0]


def test_a_dag_with_it_can_be_parsed_and_mapped():
    with DAG("d", schedule=None) as dag:
        AepExportsSensor(task_id="one", alert=AepRunNotifier())
        AepExportsSensor.partial(task_id="several", due_from="x").expand(sandbox=["dev", "prod"])
    assert set(dag.task_ids) == {"one", "several"}
