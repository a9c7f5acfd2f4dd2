from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.errors import (
    AepApiError,
    AepConflictError,
    AepNotFoundError,
    AepServerError,
    AepTransportError,
    AepValidationError,
)
from airflow_provider_aep.flowservice.dataflows import (
    Dataflow,
    create_dataflow,
    delete_dataflow,
    get_dataflow,
    list_dataflows,
    set_dataflow_state,
)
from airflow_provider_aep.flowservice.destinations import DATA_LANDING_ZONE, DESTINATIONS
from airflow_provider_aep.flowservice.schedule import Schedule

SEGMENT_FLOW_SPEC = "1a0514a6-33d4-4c7f-aff8-594799c47549"
ACTION = ("POST", "/flows/*/action")


def state_of(emulator):
    (flow,) = emulator.entities("flows")
    return flow["state"]


# Reading


def test_a_dataflow_is_read_with_its_schedule_and_connections(run, emulator, make_dataflow):
    dataflow_id = make_dataflow("nightly")
    flow = run(get_dataflow(dataflow_id))
    (kept,) = emulator.entities("flows")
    assert (flow.id, flow.name, flow.state) == (dataflow_id, "nightly", "enabled")
    assert flow.destination == "data_landing_zone"
    assert flow.schedule == kept["scheduleParams"]
    assert flow.source_connection_ids == tuple(kept["sourceConnectionIds"])
    assert flow.target_connection_ids == tuple(kept["targetConnectionIds"])
    assert flow.to_json() == {
        "id": dataflow_id,
        "name": "nightly",
        "state": "enabled",
        "destination": "data_landing_zone",
        "schedule": kept["scheduleParams"],
    }


def test_a_bare_document_is_enough():
    flow = Dataflow.from_api({"id": "1", "flowSpec": {"id": SEGMENT_FLOW_SPEC}})
    assert (flow.name, flow.state, flow.destination, flow.schedule) == ("1", "unknown", None, {})


def test_a_dataflow_that_is_not_there_is_not_found(run):
    with pytest.raises(AepNotFoundError):
        run(get_dataflow("no-such-flow"))


def test_dataflows_are_listed_newest_first(run, emulator, clock, make_dataflow):
    for name in ("old", "middle", "new"):
        make_dataflow(name)
        clock.advance(60)
    assert [flow.name for flow in run(list_dataflows())] == ["new", "middle", "old"]


def test_the_listing_asks_for_the_six_dataset_flow_specs_and_no_audience_exports(
    run, emulator, make_dataflow
):
    make_dataflow("audiences")
    emulator._world.entities.all("flows", "prod")[0]["flowSpec"] = {"id": SEGMENT_FLOW_SPEC, "version": "1.0"}
    make_dataflow("datasets")
    assert [flow.name for flow in run(list_dataflows())] == ["datasets"]
    (asked,) = emulator.requests("GET", "/flows")
    field, _, ids = dict(asked.query)["property"].partition("==")
    assert field == "flowSpec.id"
    assert ids.split(",") == [one.flow_spec_id for one in DESTINATIONS.values()]


def test_a_dataflow_tells_when_it_exports(run, clock, make_dataflow, now):
    flow = run(get_dataflow(make_dataflow(every="6h", start=now, end=now + timedelta(hours=13))))
    moments = [now, now + timedelta(hours=6), now + timedelta(hours=12)]
    assert flow.ticks(now, now + timedelta(days=2)) == moments
    assert flow.ticks(now, now + timedelta(hours=12)) == moments[:2]


# Creating


def test_a_dataflow_needs_a_name_and_ids(run, emulator):
    def create(**changes):
        given = {"name": "n", "source_connection_id": "s", "target_connection_id": "t", **changes}
        return create_dataflow(
            destination=DATA_LANDING_ZONE,
            schedule=Schedule(every="3h"),
            now=datetime(2026, 12, 1, tzinfo=UTC),
            **given,
        )

    for changes, told in (
        ({"name": ""}, "name is missing"),
        ({"source_connection_id": "a/b"}, "source_connection_id must be an id"),
        ({"target_connection_id": None}, "target_connection_id is missing"),
    ):
        with pytest.raises(AepValidationError, match=told):
            run(create(**changes))
    assert emulator.log == []


@pytest.fixture
def create_again(run, emulator, clock, make_dataflow):
    """Create dataflow ``crm``, as each try of one task does."""
    make_dataflow("model")
    (model,) = emulator.entities("flows")

    def create(schedule: Schedule):
        return run(
            create_dataflow(
                name="crm",
                destination=DATA_LANDING_ZONE,
                source_connection_id=model["sourceConnectionIds"][0],
                target_connection_id=model["targetConnectionIds"][0],
                schedule=schedule,
                now=datetime.fromtimestamp(clock(), tz=UTC),
                marker="dag/run",
                look_first=True,
            )
        )

    return create


def test_a_retry_a_minute_later_adopts_the_dataflow_that_started_now(create_again, clock):
    first = create_again(Schedule(every="3h"))
    clock.advance(60)
    again = create_again(Schedule(every="3h"))
    assert (again.id, again.adopted) == (first.id, True)


@pytest.mark.parametrize(("field", "pointer"), [("start", "startTime"), ("end", "endTime")])
def test_a_time_that_the_author_changed_is_a_conflict_and_no_silent_adoption(
    create_again, now, field, pointer
):
    first = create_again(Schedule(every="3h", **{field: now + timedelta(days=30)}))
    with pytest.raises(AepConflictError, match=f"/scheduleParams/{pointer}.*Delete {first.id}"):
        create_again(Schedule(every="3h", **{field: now + timedelta(days=60)}))


def test_a_retry_that_asks_for_another_end_is_a_conflict(run, emulator, clock, make_dataflow, now):
    make_dataflow("model")
    (model,) = emulator.entities("flows")

    def create(days):
        return create_dataflow(
            name="crm",
            destination=DATA_LANDING_ZONE,
            source_connection_id=model["sourceConnectionIds"][0],
            target_connection_id=model["targetConnectionIds"][0],
            schedule=Schedule(every="3h", end=now + timedelta(days=days)),
            now=datetime.fromtimestamp(clock(), tz=UTC),
            marker="dag/run",
            look_first=True,
        )

    first = run(create(days=30))
    clock.advance(60)
    assert run(create(days=30)).id == first.id
    with pytest.raises(AepConflictError, match="other /scheduleParams/endTime"):
        run(create(days=60))


# Enable and disable


def test_disabling_and_enabling_change_the_state_once(run, emulator, make_dataflow):
    dataflow_id = make_dataflow()
    for wanted, op in (("disabled", "disable"), ("enabled", "enable")):
        assert run(set_dataflow_state(dataflow_id, wanted)) is True
        assert state_of(emulator) == wanted
        assert run(set_dataflow_state(dataflow_id, wanted)) is False
        action = emulator.requests(*ACTION)[-1]
        assert (action.query, action.body) == ((("op", op),), None)
    assert len(emulator.requests(*ACTION)) == 2


def test_an_action_whose_answer_is_lost_is_seen_to_have_worked(run, emulator, make_dataflow):
    dataflow_id = make_dataflow()
    emulator.lose_next(match="/action")
    assert run(set_dataflow_state(dataflow_id, "disabled")) is True
    assert state_of(emulator) == "disabled"
    assert len(emulator.requests(*ACTION)) == 1
    assert run.pauses == [5.0]


@pytest.mark.parametrize("trouble", ["drop", "503"])
def test_an_action_that_did_not_work_is_done_again(run, emulator, make_dataflow, trouble):
    dataflow_id = make_dataflow()
    if trouble == "drop":
        emulator.drop_next(match="/action")
    else:
        emulator.fail_next(503, match="/action")
    assert run(set_dataflow_state(dataflow_id, "disabled")) is True
    assert state_of(emulator) == "disabled"
    assert run.pauses == [5.0]


# Source: Flow Service error table: "not possible in the current state".
@pytest.mark.parametrize("number", [1409, 1420, 1421, 1422, 1444, 1456, 1457, 1458])
def test_a_dataflow_that_is_just_being_changed_is_waited_for(run, emulator, make_dataflow, number):
    dataflow_id = make_dataflow()
    body = {"type": f"https://ns.adobe.com/aep/errors/FLOW-{number}-400", "title": "not now"}
    emulator.fail_next(400, match="/action", body=body)
    assert run(set_dataflow_state(dataflow_id, "disabled")) is True
    assert run.pauses == [5.0]


def test_a_new_dataflow_is_waited_for_until_it_is_initialized(run, clock, make_dataflow):
    run.emulator = Emulator(clock=clock, initializing_seconds=12)
    dataflow_id = make_dataflow()
    assert run(set_dataflow_state(dataflow_id, "disabled")) is True
    assert run.pauses == [5.0] * 3


@pytest.mark.parametrize(
    ("order", "error"),
    [
        (lambda emulator: emulator.fail_next(503, times=99, match="/action"), AepServerError),
        (lambda emulator: emulator.drop_next(times=99, match="/action"), AepTransportError),
    ],
    ids=["503", "drop"],
)
def test_four_tries_are_enough(run, emulator, make_dataflow, order, error):
    dataflow_id = make_dataflow()
    order(emulator)
    with pytest.raises(error):
        run(set_dataflow_state(dataflow_id, "disabled"))
    assert len(emulator.requests(*ACTION)) == 4
    assert state_of(emulator) == "enabled"


def test_any_other_refusal_rises_at_once(run, emulator, make_dataflow):
    dataflow_id = make_dataflow()
    emulator.fail_next(400, match="/action")
    with pytest.raises(AepApiError):
        run(set_dataflow_state(dataflow_id, "disabled"))
    assert run.pauses == []


def test_a_dataflow_that_is_not_there_cannot_be_disabled(run, emulator):
    with pytest.raises(AepNotFoundError):
        run(set_dataflow_state("no-such-flow", "disabled"))
    assert emulator.requests(*ACTION) == []


def test_an_id_that_would_change_the_path_is_refused(run, emulator):
    for call in (lambda: set_dataflow_state("a/../b", "disabled"), lambda: delete_dataflow("a?b")):
        with pytest.raises(AepValidationError, match="dataflow_id"):
            run(call())
    assert emulator.log == []


# Deleting


@pytest.mark.parametrize("number", [1416, 1417])
def test_a_dataflow_that_is_just_being_changed_is_deleted_a_little_later(
    run, emulator, make_dataflow, number
):
    dataflow_id = make_dataflow()
    body = {"type": f"https://ns.adobe.com/aep/errors/FLOW-{number}-400", "title": "not now"}
    emulator.fail_next(400, times=2, match="DELETE /flows", body=body)
    assert run(delete_dataflow(dataflow_id)) is True
    assert run.pauses == [5.0, 5.0]


def test_deleting_removes_the_dataflow_and_leaves_its_connections(run, emulator, make_dataflow):
    dataflow_id = make_dataflow()
    assert run(delete_dataflow(dataflow_id)) is True
    assert run(delete_dataflow(dataflow_id)) is False
    assert emulator.entities("flows") == []
    assert len(emulator.entities("sourceConnections")) == len(emulator.entities("targetConnections")) == 1


# Odd answers


@pytest.mark.parametrize(
    "odd",
    [
        {"flowSpec": "text"},
        {"flowSpec": ["text"]},
        {"scheduleParams": "text"},
        {"sourceConnectionIds": 5, "targetConnectionIds": {"a": 1}},
    ],
)
def test_a_member_of_an_unknown_shape_is_as_good_as_missing(odd):
    assert Dataflow.from_api({"id": "a", **odd}) == Dataflow.from_api({"id": "a"})


@pytest.mark.parametrize("start", [float("inf"), float("nan"), -1e300, 1e300, 10**400])
def test_a_schedule_that_never_starts_has_no_ticks(now, start):
    wire = {"timeUnit": "hour", "interval": 3, "startTime": start}
    flow = Dataflow.from_api({"id": "a", "scheduleParams": wire})
    assert flow.ticks(now, now + timedelta(days=1)) == []


def test_an_endless_interval_has_no_ticks(now):
    wire = {"timeUnit": "hour", "interval": float("inf"), "startTime": now.timestamp()}
    assert Dataflow.from_api({"id": "a", "scheduleParams": wire}).ticks(now, now + timedelta(days=1)) == []
