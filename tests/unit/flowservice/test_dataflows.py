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
    AepUnseenError,
    AepValidationError,
)
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.dataflows import (
    create_dataflow,
    delete_dataflow,
    get_dataflow,
    list_dataflows,
    set_dataflow_state,
    update_schedule,
)
from airflow_provider_aep.flowservice.destinations import DATA_LANDING_ZONE
from airflow_provider_aep.flowservice.exchange import Response
from airflow_provider_aep.flowservice.schedule import (
    Schedule,
    ScheduleChange,
    describe_schedule,
    merge_schedule,
)

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


def test_the_listing_asks_for_dataflows_to_destinations_and_leaves_out_audiences(
    run, emulator, make_dataflow
):
    make_dataflow("audiences")
    emulator._world.entities.all("flows", "prod")[0]["flowSpec"] = {"id": SEGMENT_FLOW_SPEC, "version": "1.0"}
    make_dataflow("datasets")
    assert [flow.name for flow in run(list_dataflows())] == ["datasets"]
    (asked,) = emulator.requests("GET", "/flows")
    assert dict(asked.query)["property"] == "inheritedAttributes.properties.isDestinationFlow==true"


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
    emulator.fail_next(409, match="/action")
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


# Changing the schedule

WIRE = {
    "exportMode": "FIRST_FULL_THEN_INCREMENTAL",
    "timeUnit": "hour",
    "interval": 3,
    "startTime": 1_800_000_000,
    "endTime": 1_810_000_000,
}


def moment(seconds):
    return datetime.fromtimestamp(seconds, tz=UTC)


def params_of(emulator):
    (flow,) = emulator.entities("flows")
    return flow["scheduleParams"]


def test_an_end_is_moved_and_all_else_stays(run, emulator, make_dataflow, now):
    dataflow_id = make_dataflow(folder_template="%DATASET_ID%")
    before = params_of(emulator)
    end = now + timedelta(days=400)
    changed = run(update_schedule(dataflow_id, {"end": end}, now=now))
    assert params_of(emulator) == {**before, "endTime": int(end.timestamp())}
    assert (changed.before, changed.after) == (before, params_of(emulator))
    (sent,) = emulator.requests("PATCH")
    assert [each["path"] for each in sent.body] == ["/scheduleParams"]
    assert sent.body[0]["value"] == params_of(emulator)
    assert run(update_schedule(dataflow_id, {"end": end}, now=now)) is None
    assert len(emulator.requests("PATCH")) == 1


def test_a_new_cadence_takes_its_mode_along(run, emulator, make_dataflow, now):
    dataflow_id = make_dataflow()
    before = params_of(emulator)
    run(update_schedule(dataflow_id, "once", now=now))
    wire = {"exportMode": "DAILY_FULL_EXPORT", "timeUnit": "day", "interval": 0}
    assert params_of(emulator) == {**before, **wire}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"end": timedelta(minutes=30)}, "end must be later than the start"),
        ({"end": timedelta(days=-1)}, "end is in the past"),
        ({"start": timedelta(days=300)}, "start must be earlier than the end"),
        ({"every": "0h"}, "every must be one of"),
        ({}, "schedule must name what to change"),
    ],
)
def test_a_change_that_does_not_fit_is_refused_before_it_is_sent(
    run, emulator, make_dataflow, now, given, told
):
    dataflow_id = make_dataflow()
    words = {key: now + value if key != "every" else value for key, value in given.items()}
    with pytest.raises(AepValidationError, match=told):
        run(update_schedule(dataflow_id, words, now=now))
    assert emulator.requests("PATCH") == []


def test_a_rescheduling_whose_answer_is_lost_still_tells_what_was_before(run, emulator, make_dataflow, now):
    dataflow_id = make_dataflow()
    before = params_of(emulator)
    emulator.lose_next(match="PATCH")
    changed = run(update_schedule(dataflow_id, "6h", now=now))
    assert (changed.before, changed.after) == (before, params_of(emulator))


@pytest.mark.parametrize("key", ["foldernameTemplate", "folderNameTemplate"])
def test_a_folder_template_keeps_its_spelling(key):
    merged = merge_schedule({**WIRE, key: "old"}, ScheduleChange(folder_template="new"))
    assert merged == {**WIRE, key: "new"}


def test_a_schedule_without_a_template_gets_the_spelling_of_the_tutorials():
    merged = merge_schedule(WIRE, ScheduleChange(folder_template="new"))
    assert merged == {**WIRE, "foldernameTemplate": "new"}


@pytest.mark.parametrize(
    "existing", [WIRE, {**WIRE, "interval": "3"}, {k: v for k, v in WIRE.items() if k != "exportMode"}]
)
def test_what_says_the_same_in_other_words_is_no_change(existing):
    same = Schedule(every="3h", start=moment(WIRE["startTime"]), end=moment(WIRE["endTime"]))
    assert merge_schedule(existing, same) == existing


def test_a_start_and_an_end_are_judged_together():
    change = ScheduleChange(start=moment(1_820_000_000), end=moment(1_830_000_000))
    merged = merge_schedule(WIRE, change)
    assert (merged["startTime"], merged["endTime"]) == (1_820_000_000, 1_830_000_000)


def test_a_schedule_can_be_told_to_people():
    told = "every 3h from 2027-01-15T08:00:00Z to 2027-05-11T01:46:40Z into %DATASET_ID%"
    assert describe_schedule({**WIRE, "folderNameTemplate": "%DATASET_ID%"}) == told
    assert describe_schedule({"timeUnit": "minute", "interval": 20}) == "every 20 minute"
    once = {"timeUnit": "day", "interval": 0, "startTime": "1800000000", "endTime": None}
    assert describe_schedule(once) == "once from 2027-01-15T08:00:00Z"


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


def test_deleting_is_no_error_where_the_service_refuses_the_filter_by_which_it_is_looked_for(
    run, emulator, make_dataflow
):
    dataflow_id = make_dataflow()
    emulator.enter("filters-refused")
    assert run(delete_dataflow(dataflow_id)) is True
    assert emulator.entities("flows") == []


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


class Deaf:
    """A service that accepts an action and does nothing."""

    def __init__(self, emulator):
        self.emulator, self.clock = emulator, emulator.clock

    def send(self, request):
        if request.path.endswith("/action"):
            return Response(200, body=b'{"id": "x", "etag": "y"}')
        return self.emulator.send(request)


def test_an_action_that_shows_no_effect_is_an_error(run, emulator, make_dataflow):
    dataflow_id = make_dataflow()
    run.emulator = Deaf(emulator)
    with pytest.raises(AepUnseenError, match="still enabled, although") as told:
        run(set_dataflow_state(dataflow_id, "disabled"))
    assert told.value.ids == (dataflow_id,)


def test_an_action_is_sent_in_upper_case_where_lower_case_is_refused(run, emulator, make_dataflow):
    dataflow_id = make_dataflow()
    emulator.enter("actions-want-upper-case")
    assert run(set_dataflow_state(dataflow_id, "disabled"))
    assert run(get_dataflow(dataflow_id)).state == "disabled"


def test_a_dataflow_that_stays_listed_after_its_delete_is_an_error(run, emulator, make_dataflow):
    dataflow_id = make_dataflow()
    emulator.enter("deleted-listed-for-90s")
    with pytest.raises(AepUnseenError, match="still lists it"):
        run(delete_dataflow(dataflow_id))


# Destinations of no table


def test_a_destination_of_no_table_is_listed_under_the_name_of_its_spec(run, emulator, make_dataflow):
    make_dataflow("crm")
    emulator.add_foreign_flow("measure")
    assert {flow.name: flow.destination for flow in run(list_dataflows())} == {
        "crm": "data_landing_zone",
        "measure": "Marketo Measure Ultimate",
    }


def test_its_spec_is_read_once(run, emulator):
    for number in range(3):
        emulator.add_foreign_flow(f"measure {number}")
    run(list_dataflows())
    emulator.log.clear()
    run(list_dataflows())
    assert [request.path for request in emulator.log] == ["/flows"]


def test_a_destination_whose_spec_cannot_be_read_is_listed_without_a_name(run, emulator):
    emulator.add_foreign_flow("measure")
    emulator.fail_next(403, match="GET /flowSpecs/")
    assert [(flow.name, flow.destination) for flow in run(list_dataflows())] == [("measure", None)]
