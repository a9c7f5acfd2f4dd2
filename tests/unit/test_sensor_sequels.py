"""What follows a verdict: a look into the storage, an asset's event, a metric."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, BaseSensorOperator

from airflow_provider_aep.assets import export_asset
from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.flowservice.dataflows import get_dataflow
from airflow_provider_aep.hooks import metrics
from airflow_provider_aep.monitoring.waits import EVENT_VERSION, part_of
from airflow_provider_aep.operators.xcom_keys import VERDICT_KEY
from airflow_provider_aep.sensors import AepDataflowRunSensor
from tests.unit.sensing import OutletEvents
from tests.unit.task_instance import FakeTaskInstance, context_of


@pytest.fixture
def judge(aep, clock, now, make_dataflow):
    """``judge(storage_path=...)``: the sensor on a run that has finished; what it returned, its context."""

    def judge(*kinds: str, context=None, **given):
        flow = make_dataflow()
        aep.script_runs(flow, kinds or ["success"])
        clock.advance(5400)
        context = context or context_of(FakeTaskInstance())
        sensor = AepDataflowRunSensor(task_id="wait", dataflow_id=flow, started_after=now, **given)
        return SimpleNamespace(value=sensor.execute(context), sensor=sensor)

    return judge


def test_files_that_are_not_there_fail_a_run_that_says_success(judge, tmp_path):
    ti = FakeTaskInstance()
    with pytest.raises(AirflowFailException, match="storage holds no file of it under"):
        judge(context=context_of(ti), storage_path=tmp_path.as_uri())
    verdict = ti.pushed(VERDICT_KEY)
    assert (verdict["status"], verdict["outcome"]) == ("missing_files", "fail")
    assert verdict["storage"]["status"] == "missing"
    assert "exported 1,223 records" in verdict["reason"]


@pytest.mark.parametrize("kind", ["failed", "unknown_status"])
def test_a_run_that_delivered_nothing_is_not_held_against_the_storage(judge, tmp_path, kind):
    ti = FakeTaskInstance()
    with pytest.raises(AirflowFailException):
        judge(kind, context=context_of(ti), storage_path=tmp_path.as_uri())
    assert "storage" not in ti.pushed(VERDICT_KEY)


def test_what_missing_files_mean_is_the_authors_choice(judge, tmp_path):
    verdict = judge(storage_path=tmp_path.as_uri(), on_missing_files="warn").value
    assert (verdict["status"], verdict["outcome"]) == ("missing_files", "warn")


def test_files_that_are_there_leave_the_verdict_as_it_is(judge, clock, tmp_path):
    run_time = datetime.fromtimestamp(clock() + 3600, tz=UTC)
    folder = tmp_path / "dataset" / f"exportTime={run_time:%Y%m%d%H%M}"
    folder.mkdir(parents=True)
    for part in range(9):
        (folder / f"part-{part}.json.gz").write_bytes(b"0123456789")
    verdict = judge(storage_path=tmp_path.as_uri()).value
    assert (verdict["status"], verdict["outcome"], verdict["storage"]["files"]) == ("success", "ok", 9)


def test_a_storage_that_cannot_be_read_is_warned_of_and_no_longer_green(judge, logged):
    verdict = judge(storage_path="nosuch://bucket/aep").value
    assert (verdict["status"], verdict["outcome"]) == ("unchecked_files", "warn")
    assert verdict["storage"]["status"] == "unchecked"
    assert "could not be checked" in logged()


@pytest.mark.parametrize("choice", ["fail", "ok"])
def test_what_an_unchecked_storage_means_is_the_authors_choice(judge, choice):
    ti = FakeTaskInstance()
    given = {"storage_path": "nosuch://bucket/aep", "on_unchecked_files": choice}
    if choice == "fail":
        with pytest.raises(AirflowFailException, match="could not be checked"):
            judge(context=context_of(ti), **given)
    else:
        judge(context=context_of(ti), **given)
    verdict = ti.pushed(VERDICT_KEY)
    assert verdict["outcome"] == choice
    assert verdict["status"] == {"fail": "unchecked_files", "ok": "success"}[choice]


# Whose files they are


@pytest.fixture
def told_as(aep, clock, now, make_dataflow):
    """``told_as(change, ...)``: the verdict on a run whose record metrics the service tells otherwise."""

    def judged(change, **given):
        flow = make_dataflow()
        clock.advance(5400)
        (run,) = aep.entities("runs")
        change(run["metrics"]["recordSummary"])
        aep.fail_next(200, times=5, match="GET /runs", body={"items": [run]})
        return AepDataflowRunSensor(task_id="wait", dataflow_id=flow, started_after=now, **given).execute(
            context_of(FakeTaskInstance())
        )

    return judged


@pytest.fixture
def nameless(told_as, clock, tmp_path):
    """``nameless(dataset)``: the same of a run that names no dataset; files lie in the folder of that one."""

    def judged(dataset: str):
        run_time = datetime.fromtimestamp(clock() + 3600, tz=UTC)
        place = tmp_path / dataset / f"exportTime={run_time:%Y%m%d%H%M}"
        place.mkdir(parents=True)
        for part in range(9):
            (place / f"part-{part}.json").write_bytes(b"0123456789")
        return told_as(forget_names, storage_path=tmp_path.as_uri())

    return judged


def forget_names(summary) -> None:
    for side in ("sourceSummaries", "targetSummaries"):
        for each in summary[side]:
            del each["entitySummaries"]


def test_files_of_a_foreign_dataset_are_not_taken_for_those_of_a_run_that_names_none(nameless, aep):
    foreign = aep.datasets()[1].id
    with pytest.raises(AirflowFailException, match="storage holds no file of it"):
        nameless(foreign)


def test_files_of_its_own_dataset_are(nameless, aep):
    verdict = nameless(aep.datasets()[0].id)
    assert (verdict["dataset_ids"], verdict["storage"]["status"], verdict["storage"]["files"]) == (
        [],
        "ok",
        9,
    )


def test_where_its_datasets_may_not_be_read_no_file_is_taken_for_one_of_its(nameless, aep):
    aep.fail_next(403, times=9, match="GET /sourceConnections")
    verdict = nameless(aep.datasets()[0].id)
    assert (verdict["status"], verdict["outcome"]) == ("unchecked_files", "warn")
    assert "the datasets of the dataflow could not be read" in verdict["reason"]


def test_an_outage_while_its_datasets_are_read_is_waited_out(nameless, aep, monkeypatch):
    aep.fail_next(503, times=7, match="GET /sourceConnections")
    slept: list[float] = []
    base = sys.modules[BaseSensorOperator.__module__]
    monkeypatch.setattr(base, "time", SimpleNamespace(sleep=slept.append, monotonic=aep.clock))
    verdict = nameless(aep.datasets()[0].id)
    assert verdict["storage"]["status"] == "ok"
    assert slept


# A success without counts


@pytest.mark.parametrize(("choice", "status"), [("warn", "unknown_records"), ("ok", "success")])
def test_a_run_that_does_not_say_how_much_it_exported_is_what_the_author_says(told_as, choice, status):
    verdict = told_as(dict.clear, on_unknown_records=choice)
    assert (verdict["records_out"], verdict["status"], verdict["outcome"]) == (None, status, choice)


def test_it_may_fail_the_task(told_as):
    with pytest.raises(AirflowFailException, match="an unknown number of records"):
        told_as(dict.clear, on_unknown_records="fail")


# Bad input, and what is told


@pytest.mark.parametrize(
    "given",
    [{"storage_path": "/tmp/exports"}, {"on_missing_files": "shout"}, {"on_unchecked_files": "shout"}],
)
def test_bad_input_is_refused_before_the_wait(judge, aep, given):
    with pytest.raises(AepValidationError, match=next(iter(given))):
        judge(**given)
    assert not [request for request in aep.log if request.path == "/runs"]


def test_an_asset_among_the_outlets_is_told_what_was_delivered(judge):
    asset = export_asset(org="ABC@AdobeOrg", sandbox="prod", dataset="orders")
    events = OutletEvents()
    context = context_of(FakeTaskInstance(), outlet_events=events)
    verdict = judge(context=context, outlets=[asset]).value
    extra = events[asset].extra
    assert extra["run_ids"] == verdict["run_ids"]
    assert extra["records"] == verdict["records_out"]
    assert extra["window"]["started_at"] == verdict["started_at"]
    assert [path.startswith("abfs") and "/exportTime=" in path for path in extra["paths"]] == [True]


def test_without_such_an_outlet_nothing_more_is_asked(judge, aep):
    judge()
    assert not aep.requests("GET", "/targetConnections")


def test_every_verdict_is_counted(judge, monkeypatch):
    counted = []
    monkeypatch.setattr(metrics, "judged", lambda verdict: counted.append(verdict["status"]))
    for kind in ("zero", "failed"):
        with pytest.raises(AirflowFailException):
            judge(kind)
    assert counted == ["zero_records", "failed"]


def test_an_empty_run_reads_its_dataflow_once(judge, aep):
    with pytest.raises(AirflowFailException):
        judge("zero")
    assert len(aep.requests("GET", "/flows/*")) == 1


def test_a_resumed_sensor_asks_nothing_of_what_its_trigger_has_told(aep, run, clock, make_dataflow):
    flow = make_dataflow("nightly")
    clock.advance(5400)
    event = {"version": EVENT_VERSION, "status": "finished", "runs": aep.entities("runs")}
    event["dataflow"] = part_of(run(get_dataflow(flow)))
    aep.log.clear()
    sensor = AepDataflowRunSensor(task_id="wait", dataflow_id=flow, deferrable=True)
    verdict = sensor.execute_complete(context_of(FakeTaskInstance()), event)
    assert verdict["dataflow_name"] == "nightly"
    assert list(aep.log) == []


def test_a_deferred_sensor_tells_its_assets_too(judge, aep, clock, now, make_dataflow):
    asset = export_asset(org="ABC@AdobeOrg", sandbox="prod", dataset="orders")
    events = OutletEvents()
    flow = make_dataflow()
    clock.advance(5400)
    event = {"version": EVENT_VERSION, "status": "finished", "runs": aep.entities("runs")}
    sensor = AepDataflowRunSensor(task_id="wait", dataflow_id=flow, deferrable=True, outlets=[asset])
    verdict = sensor.execute_complete(context_of(FakeTaskInstance(), outlet_events=events), event)
    assert events[asset].extra["run_ids"] == verdict["run_ids"] == [aep.entities("runs")[0]["id"]]
