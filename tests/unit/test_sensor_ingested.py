"""Waiting until something was ingested, in each mode, against the emulator's Catalog."""

from __future__ import annotations

import json
from datetime import timedelta
from pkgutil import resolve_name

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowSensorTimeout, AirflowTaskTimeout

from airflow_provider_aep.errors import (
    AepAmbiguousNameError,
    AepApiError,
    AepAuthError,
    AepError,
    AepNotFoundError,
    AepValidationError,
    error_from_json,
)
from airflow_provider_aep.sensors import AepDatasetIngestedSensor
from airflow_provider_aep.triggers import AepDatasetIngestedTrigger
from tests.unit.sensing import HOUR, PLAIN, each_plain_mode, fire
from tests.unit.task_instance import context_of

NO_DATASET = "5ef3e3259ad2a1191ab7ffff"
DAY = timedelta(days=1)


@pytest.fixture
def orders(emulator):
    """A dataset that gains nothing by itself."""
    return emulator.add_dataset("Orders", kind="order", rows=50, hourly=0).id


@pytest.fixture
def visits(emulator):
    return emulator.add_dataset("Visits", kind="order", rows=50, hourly=0).id


@pytest.fixture
def wait(watch):
    """``wait("deferrable", dataset_id=...)``: how that sensor ends."""
    watch.kind = AepDatasetIngestedSensor
    return watch


def last_seen(outcome):
    assert type(outcome.error) is AirflowSensorTimeout
    return outcome.told.partition("Last seen: ")[2]


def comes(emulator, dataset_id, rows=12, **members):
    return lambda: emulator.add_batch(dataset_id, rows=rows, **members)


def nothing():
    pass


# What is waited for


def test_it_waits_until_rows_come_in_and_tells_how_many_in_all_modes(aep, wait, orders, ti):
    ends = []
    for mode in PLAIN:
        moment = wait.now()
        outcome = wait(
            mode,
            dataset_id=orders,
            ingested_after=moment,
            between=[nothing, comes(aep, orders, 12), nothing],
        )
        assert outcome.state == "success", outcome.error
        assert len(outcome.deferrals) == (mode == "deferrable")
        told = outcome.value["datasets"][orders]
        assert told.pop("first_completed") == told.pop("last_completed") > moment.isoformat()
        assert outcome.value.pop("ingested_after") == moment.isoformat()
        assert ti.pushed("dataset_ids") == [orders]
        ti.xcoms.clear()
        ends.append(outcome.value)
        assert wait.now() - moment <= timedelta(minutes=20)
    there = {"name": "Orders", "batches": 1, "records": 12, "complete": True}
    assert ends == [{"dataset_ids": [orders], "datasets": {orders: there}}] * 3


@each_plain_mode
def test_what_is_there_already_ends_it_at_once(aep, wait, orders, clock, now, ti, mode):
    aep.add_rows(orders, 5)
    clock.advance(60)
    aep.add_rows(orders, 7)
    outcome = wait(mode, dataset_id=orders, ingested_after=now - timedelta(seconds=1))
    assert (outcome.state, outcome.deferrals) == ("success", [])
    told = outcome.value["datasets"][orders]
    assert (told["batches"], told["records"]) == (2, 12)
    assert told["first_completed"] == now.isoformat()
    assert told["last_completed"] == (now + timedelta(minutes=1)).isoformat()
    assert ti.pushed("dataset_ids") == outcome.value["dataset_ids"] == [orders]


@each_plain_mode
def test_what_was_completed_at_the_moment_itself_belongs_to_what_came_before(aep, wait, orders, now, mode):
    aep.add_rows(orders, 5)
    assert "nothing was ingested into Orders since" in last_seen(
        wait(mode, dataset_id=orders, ingested_after=now)
    )
    outcome = wait(mode, dataset_id=orders, ingested_after=now - timedelta(milliseconds=1))
    assert outcome.value["datasets"][orders]["records"] == 5


@each_plain_mode
def test_a_batch_that_was_opened_days_before_counts_when_it_is_completed(aep, wait, orders, clock, now, mode):
    aep.add_batch(orders, rows=9, opened=clock() - 2.9 * 86400, completed=clock() + HOUR)
    outcome = wait(mode, dataset_id=orders, ingested_after=now)
    assert outcome.value["datasets"][orders]["records"] == 9
    assert wait.now() >= now + timedelta(hours=1)


def test_hundreds_of_batches_are_all_counted(aep, wait, orders, clock, now):
    for _ in range(230):
        aep.add_batch(orders, rows=2)
    clock.advance(60)
    aep.log.clear()
    outcome = wait("poke", dataset_id=orders, ingested_after=now - timedelta(seconds=1))
    told = outcome.value["datasets"][orders]
    assert (told["batches"], told["records"], told["complete"]) == (230, 460, True)
    assert len([each for each in aep.log if each.path.endswith("/batches")]) == 4


def test_more_batches_than_are_read_are_said_to_be_more(aep, wait, orders, clock, now):
    for _ in range(1100):
        aep.add_batch(orders, rows=2)
    clock.advance(60)
    aep.log.clear()
    outcome = wait("poke", dataset_id=orders, ingested_after=now - timedelta(seconds=1))
    told = outcome.value["datasets"][orders]
    assert (told["batches"], told["complete"]) == (1000, False)
    assert len([each for each in aep.log if each.path.endswith("/batches")]) == 10


def test_a_page_of_twenty_batches_is_not_taken_for_the_last(aep, wait, orders, clock, now):
    aep.enter("batches-twenty-at-most")
    for _ in range(45):
        aep.add_batch(orders, rows=2)
    clock.advance(60)
    outcome = wait("poke", dataset_id=orders, ingested_after=now - timedelta(seconds=1))
    assert outcome.value["datasets"][orders]["batches"] == 45


# What does not count

ODD = {
    "failed": ({"status": "failed", "rows": 0, "errors": [{"code": "INGEST-1212-400"}]}, "that failed"),
    "aborted": ({"status": "aborted", "rows": 0}, "that failed"),
    "without a count": ({"metrics": None, "recordCount": None}, "without a count of records"),
    "with a negative count": ({"metrics": {"outputRecordCount": -1}, "recordCount": -1}, "without a count"),
    "empty": ({"rows": 0}, "without records"),
    "a deletion": (
        {"rows": 0, "replay": {"predecessors": [], "reason": "Deletion of privacy data."}},
        "of replaced, deleted or compacted data",
    ),
    "a compaction": ({"replay": {"predecessors": ["x"], "reason": "compaction"}}, "of replaced, deleted or"),
    "taken back": ({"status": "deleted"}, "of withdrawn data, or of an unknown status"),
    "of an unknown word": ({"members": {"status": "shiny"}}, "unknown status"),
    "of no dataset": ({"relatedObjects": []}, "unknown status or dataset"),
    "never completed": ({"members": {"completed": None}}, "without a credible time"),
    "completed in the future": ({"members": {"completed": 4102444800000}}, "without a credible time"),
    "under way": ({"status": "stalled", "rows": 0}, "under way"),
}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_batch_does_not_count_and_the_timeout_tells_of_it_in_all_modes(
    aep, wait, orders, clock, now, kind
):
    given, words = ODD[kind]
    told_otherwise = given.get("members", {})
    batch_id = aep.add_batch(orders, **{"rows": 3, **{k: v for k, v in given.items() if k != "members"}})
    # What the lever itself would take for a moment or a status of its own.
    aep._lake.find_batch(aep._lake.anywhere(orders), batch_id, clock()).members.update(told_otherwise)
    clock.advance(60)
    moment = now - timedelta(seconds=1)
    told = {last_seen(wait(mode, dataset_id=orders, ingested_after=moment)) for mode in PLAIN}
    assert len(told) == 1
    (text,) = told
    assert text.startswith(
        f"nothing was ingested into Orders since {moment:%Y-%m-%d %H:%M:%S} UTC; seen: 1 batch"
    )
    assert words in text
    assert ("with INGEST-1212-400" in text) == (kind == "failed")


def test_a_batch_that_another_has_replaced_is_no_news(aep, wait, orders, clock, now):
    first = aep.add_batch(orders, rows=3)
    aep.add_batch(orders, rows=3, replay={"predecessors": [first], "reason": "again"})
    clock.advance(60)
    text = last_seen(wait("poke", dataset_id=orders, ingested_after=now - timedelta(seconds=1)))
    assert "seen: 2 batches of replaced, deleted or compacted data" in text


@each_plain_mode
def test_failed_batches_since_the_moment_are_told_and_older_ones_are_not(aep, wait, orders, clock, now, mode):
    aep.add_batch(orders, status="failed", errors=[{"code": "OLD"}])
    clock.advance(60)
    fails = [comes(aep, orders, 0, status="failed", errors=[{"code": f"E-{at}"}]) for at in range(5)]
    text = last_seen(wait(mode, dataset_id=orders, ingested_after=wait.now(), between=fails))
    assert text.endswith("seen: 5 batches that failed with E-4, E-3, E-2 and 2 more.")


@each_plain_mode
def test_a_batch_without_a_count_counts_where_the_author_says_so(aep, wait, orders, clock, now, mode):
    aep.add_batch(orders, rows=3, metrics=None, recordCount=None)
    aep.add_batch(orders, rows=4)
    clock.advance(60)
    outcome = wait(mode, dataset_id=orders, ingested_after=now - timedelta(seconds=1), accept_uncounted=True)
    told = outcome.value["datasets"][orders]
    assert (told["batches"], told["records"]) == (2, None)


@each_plain_mode
def test_too_few_records_are_not_enough(aep, wait, orders, now, mode):
    given = {"dataset_id": orders, "ingested_after": now, "min_records": 100}
    text = last_seen(wait(mode, between=[comes(aep, orders, 60)], **given))
    assert text.startswith("1 batch with 60 records came into Orders since")
    assert "of 100 that are waited for" in text
    outcome = wait(mode, between=[comes(aep, orders, 40)], **given)
    assert outcome.value["datasets"][orders]["records"] == 100


@each_plain_mode
def test_a_batch_counts_only_when_it_has_settled(aep, wait, orders, clock, now, mode):
    aep.add_rows(orders, 5)
    given = {"dataset_id": orders, "ingested_after": now - timedelta(seconds=1)}
    clock.advance(60)
    text = last_seen(wait(mode, settled_for=DAY, **given))
    assert text.endswith("seen: 1 batch completed less than 1 day ago.")
    later = wait.now()
    aep.add_rows(orders, 6)
    outcome = wait(mode, settled_for=1200, dataset_id=orders, ingested_after=later - timedelta(seconds=1))
    assert outcome.state == "success"
    assert wait.now() >= later + timedelta(minutes=20)


# Several datasets


@each_plain_mode
def test_all_of_them_or_any(aep, wait, orders, visits, mode):
    given = {"dataset_ids": [orders, visits], "ingested_after": wait.now()}
    text = last_seen(wait(mode, between=[comes(aep, visits, 8)], **given))
    assert text.startswith("nothing was ingested into Orders since")
    assert "; 1 batch with 8 records came into Visits since" in text
    any_of_them = wait(mode, require="any", **given)
    assert any_of_them.value["dataset_ids"] == [visits]
    assert any_of_them.value["datasets"][orders] == {
        "name": "Orders",
        "batches": 0,
        "records": 0,
        "first_completed": None,
        "last_completed": None,
        "complete": True,
    }
    both = wait(mode, between=[comes(aep, orders, 8)], **given)
    assert both.value["dataset_ids"] == [orders, visits]


@pytest.mark.parametrize("world", ["several-datasets-find-nothing", "several-datasets-first-only"])
def test_several_are_found_where_the_catalog_understands_no_list(
    aep, wait, orders, visits, clock, now, world
):
    aep.enter(world)
    aep.add_rows(orders, 5)
    aep.add_rows(visits, 6)
    clock.advance(60)
    outcome = wait("poke", dataset_ids=f"['{orders}', '{visits}']", ingested_after=now - timedelta(seconds=1))
    assert outcome.value["dataset_ids"] == [orders, visits]


@each_plain_mode
def test_datasets_may_be_named_and_their_names_are_looked_up_once(aep, wait, orders, now, mode):
    (there,) = [each for each in aep.datasets() if each.id == orders]
    aep.log.clear()
    outcome = wait(
        mode, dataset_names=["Orders"], ingested_after=now, between=[nothing, nothing, comes(aep, there.id)]
    )
    assert outcome.value["dataset_ids"] == [orders]
    listings = [each for each in aep.log if each.path.endswith("/configs")]
    assert len(listings) == (4 if mode == "reschedule" else 1)


def test_a_name_of_none_or_of_several_datasets_is_refused(aep, wait, orders, now):
    unknown = wait("poke", dataset_names=["Order"], ingested_after=now)
    assert type(unknown.error) is AepValidationError
    assert "did you mean 'Orders'" in unknown.told
    aep.add_dataset("Orders", kind="order", rows=1)
    assert type(wait("poke", dataset_names="Orders", ingested_after=now).error) is AepAmbiguousNameError


# What cannot be read


@each_plain_mode
@pytest.mark.parametrize("world", ["batches-refused", "catalog-datasets-refused"])
def test_a_missing_permission_fails_at_once_and_is_named(aep, wait, orders, now, mode, world):
    aep.enter(world)
    outcome = wait(mode, dataset_id=orders, ingested_after=now)
    assert (type(outcome.error), outcome.deferrals) == (AepAuthError, [])
    assert "The credential needs the permission View Datasets in this sandbox." in outcome.told
    assert wait.now() == now


@each_plain_mode
def test_one_that_is_taken_away_while_it_waits_fails_it_too(aep, wait, orders, now, mode):
    outcome = wait(
        mode, dataset_id=orders, ingested_after=now, between=[lambda: aep.enter("batches-refused")]
    )
    assert type(outcome.error) is AepAuthError
    assert "View Datasets" in outcome.told


@each_plain_mode
@pytest.mark.parametrize("worlds", [(), ("unknown-dataset-refuses-all",)])
def test_a_dataset_that_is_not_there_is_named(aep, wait, orders, now, mode, worlds):
    aep.enter(*worlds)
    outcome = wait(mode, dataset_ids=[orders, NO_DATASET], ingested_after=now)
    assert type(outcome.error) is AepNotFoundError
    assert f"the Catalog shows no dataset {NO_DATASET}. It was deleted, has expired" in outcome.told
    assert wait.now() == now


@each_plain_mode
def test_a_dataset_that_goes_while_it_waits_ends_the_wait(aep, wait, orders, now, mode):
    outcome = wait(mode, dataset_id=orders, ingested_after=now, between=[lambda: aep.delete_dataset(orders)])
    assert type(outcome.error) is AepNotFoundError
    assert wait.now() <= now + timedelta(minutes=20)


def test_profile_snapshots_are_refused(aep, wait, now):
    snapshots = aep.add_dataset("Profile Snapshot Export", kind="order", rows=1).id
    outcome = wait("poke", dataset_id=snapshots, ingested_after=now)
    assert type(outcome.error) is AepValidationError
    assert "Profile Snapshot Export holds Profile Snapshots" in outcome.told


@each_plain_mode
@pytest.mark.parametrize("status", [429, 503])
def test_trouble_at_adobe_is_waited_out(aep, wait, orders, now, mode, status):
    def trouble():
        aep.fail_next(status, times=8, match="GET /data/foundation/catalog/batches")

    outcome = wait(
        mode, dataset_id=orders, ingested_after=now, between=[trouble, comes(aep, orders), nothing, nothing]
    )
    assert outcome.state == "success", outcome.error


@each_plain_mode
def test_trouble_until_the_end_is_what_the_timeout_tells(aep, wait, orders, now, mode):
    aep.fail_next(503, times=10_000, match="/catalog/")
    assert last_seen(wait(mode, dataset_id=orders, ingested_after=now)).startswith(
        "the service gave no answer: GET /data/foundation/catalog/dataSets/"
    )


def test_an_outage_at_the_first_poll_of_names_is_made_up_for_in_the_triggerer(aep, wait, orders, now):
    aep.fail_next(503, times=5, match="/configs")
    outcome = wait("deferrable", dataset_names=["Orders"], ingested_after=now, between=[comes(aep, orders)])
    assert outcome.value["dataset_ids"] == [orders]
    # and not again in each poll
    aep.log.clear()
    aep.fail_next(503, times=5, match="/configs")
    later = wait.now()
    last_seen(wait("deferrable", dataset_names=["Orders"], ingested_after=later))
    good = [each for each in aep.log if each.path.endswith("/configs") and each.status == 200]
    assert len(good) == 1


@each_plain_mode
def test_a_service_that_asks_to_be_left_alone_is(aep, wait, orders, now, mode):
    pauses_end = []

    def busy():
        pauses_end.append(wait.now())
        aep.fail_next(429, match="/catalog/dataSets", retry_after=900)

    busy()
    last_seen(wait(mode, dataset_id=orders, ingested_after=now, poke_interval=60, between=[busy, busy]))
    # No longer than the session itself is closed for.
    assert [end - now for end in pauses_end[1:]] >= [timedelta(seconds=600), timedelta(seconds=1200)]


@each_plain_mode
def test_an_answer_that_cannot_be_read_fails_it(aep, wait, orders, now, mode):
    aep.enter("batches-in-items")
    outcome = wait(mode, dataset_id=orders, ingested_after=now)
    assert type(outcome.error) is AepApiError
    assert "the response is no object keyed by id" in outcome.told


def test_a_login_that_is_refused_while_deferred_does_not_end_the_wait(aep, wait, orders, now):
    def rotated():
        aep.fail_next(401, times=2, match="/catalog/")

    outcome = wait("deferrable", dataset_id=orders, ingested_after=now, between=[rotated, comes(aep, orders)])
    assert outcome.state == "success", outcome.error


def test_a_connection_that_cannot_be_read_while_deferred_does_not_either(aep, wait, orders, now, monkeypatch):
    good = json.loads(__import__("os").environ["AIRFLOW_CONN_AEP_DEFAULT"])

    def broken():
        monkeypatch.setenv("AIRFLOW_CONN_AEP_DEFAULT", json.dumps({**good, "password": ""}))

    def mended():
        monkeypatch.setenv("AIRFLOW_CONN_AEP_DEFAULT", json.dumps(good))
        aep.add_rows(orders, 3)

    outcome = wait("deferrable", dataset_id=orders, ingested_after=now, between=[broken, mended])
    assert outcome.state == "success", outcome.error


def test_an_empty_catalog_is_not_believed_without_proof(aep, wait, now, clock, monkeypatch):
    for each in aep.datasets():
        aep.delete_dataset(each.id)
    barren = aep.add_dataset("Barren", kind="order", rows=0, hourly=0).id
    assert "the Catalog lists no batch of any dataset in a month" in last_seen(
        wait("poke", dataset_id=barren, ingested_after=now)
    )


# How a wait ends


def test_the_words_of_a_timeout_are_the_same_in_all_modes(wait, orders, now):
    told = {last_seen(wait(mode, dataset_id=orders, ingested_after=now)) for mode in PLAIN}
    assert told == {f"nothing was ingested into Orders since {now:%Y-%m-%d %H:%M:%S} UTC."}


@each_plain_mode
def test_a_lenient_sensor_skips_on_a_timeout(wait, orders, now, mode):
    assert wait(mode, dataset_id=orders, ingested_after=now, soft_fail=True).state == "skipped"


@each_plain_mode
@pytest.mark.parametrize("lenient", [{"soft_fail": True}, {"never_fail": True}])
def test_an_error_is_skipped_only_where_nothing_may_fail(aep, wait, now, mode, lenient):
    outcome = wait(mode, dataset_id=NO_DATASET, ingested_after=now, **lenient)
    assert outcome.state == ("skipped" if "never_fail" in lenient else "failed")


def test_an_execution_timeout_holds_in_the_triggerer(wait, orders, now):
    with pytest.raises(AirflowTaskTimeout, match="Last seen: nothing was ingested into Orders"):
        wait("deferrable", dataset_id=orders, ingested_after=now, execution_timeout=timedelta(minutes=30))
    assert wait.now() == now + timedelta(minutes=30)


@pytest.mark.parametrize(
    "event", [None, "x", {}, {"version": 2, "status": "finished"}, {"version": 1, "status": "finished"}]
)
def test_a_lost_event_fails_the_task(wait, orders, now, ti, event):
    sensor = wait.sensor("deferrable", dataset_id=orders, ingested_after=now)
    with pytest.raises(AepError, match="the outcome of the ingestion is unknown"):
        sensor.execute_complete(context_of(ti), event)


def test_the_trigger_survives_the_way_to_the_triggerer(wait, orders, now, ti):
    outcome = wait("deferrable", dataset_ids=[orders], ingested_after=now, settled_for=30, require="any")
    trigger = outcome.deferrals[0].trigger
    path, arguments = trigger.serialize()
    assert json.loads(json.dumps(arguments)) == arguments
    again = resolve_name(path)(**arguments)
    assert isinstance(again, AepDatasetIngestedTrigger)
    assert again.serialize() == (path, arguments)
    assert arguments["wait"]["settled_for"] == 30


def test_an_error_in_the_triggerer_keeps_its_class(aep, wait, orders, now):
    outcome = wait("deferrable", dataset_id=orders, ingested_after=now)
    aep.delete_dataset(orders)
    event = fire(outcome.deferrals[0].trigger)
    assert type(error_from_json(event["error"])) is AepNotFoundError


# What is given


def test_by_default_the_data_interval_of_the_dag_run_begins_the_wait(aep, wait, orders, clock, now, ti):
    aep.add_rows(orders, 5)
    clock.advance(60)
    for kind in ("scheduled", "backfill"):
        context = context_of(ti, data_interval_start=now - DAY, data_interval_end=now)
        context["dag_run"].run_type = kind
        outcome = wait("poke", dataset_id=orders, context=context)
        assert outcome.value["ingested_after"] == (now - DAY).isoformat()


@pytest.mark.parametrize("kind", ["manual", "asset_triggered", "dataset_triggered"])
def test_a_dag_run_without_a_turn_needs_a_moment(wait, orders, now, ti, kind):
    context = context_of(ti, data_interval_start=now - DAY, data_interval_end=now)
    context["dag_run"].run_type = kind
    outcome = wait("poke", dataset_id=orders, context=context)
    assert type(outcome.error) is AepValidationError
    assert "ingested_after is missing, and this DAG run has no data interval of its own" in outcome.told
    assert "Give a moment" in outcome.told


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(
    ("field", "template"),
    [
        ("dataset_id", "{{ params.lost }}"),
        ("dataset_id", "{{ params.empty }}"),
        ("dataset_ids", "{{ params.lost }}"),
        ("dataset_ids", "{{ params.empty }}"),
        ("dataset_ids", ["{{ params.lost }}"]),
        ("dataset_names", ["{{ params.lost }}"]),
        ("dataset_names", "{{ params.empty }}"),
        ("ingested_after", "{{ params.lost }}"),
        ("ingested_after", "{{ params.empty }}"),
    ],
)
def test_a_template_that_renders_to_nothing_is_refused(aep, now, ti, field, template, native):
    # given: a DAG run that has a data interval, so that a lost moment would not be noticed
    with DAG("story", schedule=None, render_template_as_native_obj=native):
        given = {field: template}
        if field == "ingested_after":
            given["dataset_id"] = NO_DATASET
        sensor = AepDatasetIngestedSensor(task_id="wait", **given)
    context = context_of(ti, data_interval_start=now - DAY, data_interval_end=now)
    context["dag_run"].run_type = "scheduled"
    context["params"] = {"lost": None, "empty": ""}
    sensor.render_template_fields(context)
    with pytest.raises(AepValidationError, match=field):
        sensor.execute(context)
    assert aep.log == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "dataset_id or dataset_ids or dataset_names must be given"),
        ({"dataset_id": "a", "dataset_names": ["b"]}, "only one of them"),
        ({"dataset_id": ""}, "dataset_id is missing"),
        ({"dataset_id": "None"}, "dataset_id is missing"),
        ({"dataset_id": "a/b?c=d"}, "dataset_id must be an id"),
        ({"dataset_id": ["a"]}, "dataset_id must be an id"),
        ({"dataset_ids": []}, "dataset_ids must be a list of dataset ids"),
        ({"dataset_ids": {"a": 1}}, "dataset_ids must be a list"),
        ({"dataset_ids": ["a", 3]}, "dataset_ids/1 must be an id"),
        ({"dataset_ids": [f"d{at}" for at in range(21)]}, "dataset_ids must be at most 20"),
        ({"dataset_names": [" "]}, "dataset_names/0 must be the name of a dataset"),
        ({"dataset_names": 5}, "dataset_names must be a list"),
        ({"dataset_id": "a", "ingested_after": "yesterday"}, "ingested_after must be a moment such as"),
        ({"dataset_id": "a", "ingested_after": ""}, "ingested_after is missing"),
        ({"dataset_id": "a", "ingested_after": 1764547200000}, "looks like milliseconds"),
        ({"dataset_id": "a", "require": "some"}, "require must be one of all, any"),
        ({"dataset_id": "a", "min_records": 0}, "min_records must be a whole number"),
        ({"dataset_id": "a", "min_records": True}, "min_records must be a whole number"),
        ({"dataset_id": "a", "min_records": "5"}, "min_records must be a whole number"),
        ({"dataset_id": "a", "accept_uncounted": "yes"}, "accept_uncounted must be true or false"),
        ({"dataset_id": "a", "settled_for": -1}, "settled_for must be a number of seconds"),
        (
            {"dataset_id": "a", "settled_for": float("nan")},
            "settled_for must be a number of seconds",
        ),
        (
            {"dataset_id": "a", "settled_for": timedelta(days=2)},
            "settled_for must be a number of seconds",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_when_the_dag_is_parsed(given, told):
    with pytest.raises(AepValidationError) as caught:
        AepDatasetIngestedSensor(task_id="wait", **given)
    assert told in str(caught.value)


def test_what_an_upstream_task_returns_may_stand_for_any_templated_argument():
    with DAG("story", schedule=None):
        first = AepDatasetIngestedSensor(task_id="first", dataset_id="a")
        for field in ("dataset_id", "dataset_ids", "dataset_names"):
            sensor = AepDatasetIngestedSensor(
                task_id=field, **{field: first.output["dataset_ids"]}, ingested_after=first.output["x"]
            )
            assert sensor.upstream_task_ids == {"first"}


def test_default_args_set_the_interval():
    with DAG("story", schedule=None, default_args={"poke_interval": 7.0}):
        assert AepDatasetIngestedSensor(task_id="one", dataset_id="a").poke_interval == 7.0
    assert AepDatasetIngestedSensor(task_id="two", dataset_id="a").poke_interval == 60.0
