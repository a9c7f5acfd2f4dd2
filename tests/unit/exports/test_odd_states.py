"""Odd states, other writers at work, and failures at the worst moment."""

from __future__ import annotations

import pytest

from airflow_provider_aep.errors import AepConflictError, AepError, AepServerError
from airflow_provider_aep.exports.marks import text_of
from airflow_provider_aep.flowservice.dataflows import set_dataflow_state
from airflow_provider_aep.flowservice.exchange import Response

LOYALTY = "5ef3e324ab7dd7d3259a1191"
LANDING_ZONE = {"type": "data_landing_zone", "params": {"path": "x", "datasetFileType": "JSON"}}
AUDIENCES = "1a0514a6-33d4-4c7f-aff8-594799c47549"


class Between:
    """The way to the emulator, with somebody at work between two requests."""

    def __init__(self, emulator, act):
        self.emulator, self.act = emulator, act

    def send(self, request):
        return self.act(request) or self.emulator.send(request)


def stored(desk, kind):
    """The documents as the emulator keeps them, to be made odd."""
    return list(desk.emulator._world.entities._kept[kind, "prod"].values())


def test_a_roll_back_leaves_what_another_writer_has_come_to_use(desk):
    desk.emulator.fail_next(400, match="POST /sourceConnections")

    def act(request):
        if request.method == "POST" and request.path == "/sourceConnections" and desk.transport:
            desk.transport = None
            response = desk.emulator.send(request)  # refused; and now the other writer comes
            desk.ensure(desk.spec())
            return response
        return None

    desk.transport = Between(desk.emulator, act)
    (failed,) = desk.ensure_all(desk.spec(), rollback_on_failure=True)
    assert failed.error
    assert any("needs it" in warning for warning in failed.warnings)
    assert not desk.plan(desk.spec()).changes


def test_a_look_that_fails_loses_no_outcome_and_is_rolled_back(desk):
    made = []

    def act(request):
        made.append(f"{request.method} {request.path}")
        after = "POST /targetConnections" in made
        if after and request.method == "GET" and request.path == "/targetConnections" and made.count("x") < 5:
            made.append("x")
            return Response(503, {}, b"{}")
        return None

    desk.transport = Between(desk.emulator, act)
    outcomes = desk.ensure_all(desk.spec(name="a"), desk.spec(name="b"), rollback_on_failure=True)
    assert [type(one.error) for one in outcomes] == [AepServerError] * 2
    desk.transport = None
    assert set(desk.counts().values()) == {0}


@pytest.mark.parametrize("end", [1_800_000_000_000, "2027-01-01T00:00:00Z", "soon", [1]])
def test_an_end_that_cannot_be_read_concerns_its_own_export_alone(desk, end):
    odd, other = desk.spec(name="odd", schedule="3h"), desk.spec(name="other")
    desk.ensure(odd)
    stored(desk, "flows")[0]["scheduleParams"]["endTime"] = end
    outcomes = desk.ensure_all(odd, other)
    assert [one.error for one in outcomes] == [None, None]
    assert not desk.plan(odd).changes


def test_a_shape_that_cannot_be_read_is_told_of_the_export_that_has_it(desk):
    odd, other = desk.spec(name="odd"), desk.spec(name="other")
    desk.ensure(odd)
    stored(desk, "flows")[0]["scheduleParams"]["interval"] = {"odd": 1}
    stored(desk, "flows")[0]["description"] += ""
    outcomes = desk.ensure_all(odd, other)
    assert outcomes[1].error is None
    assert outcomes[0].error is None or isinstance(outcomes[0].error, AepError)


def test_a_target_that_also_serves_audiences_is_not_changed(desk):
    made = desk.ensure(desk.spec())
    flow, target = stored(desk, "flows")[0], stored(desk, "targetConnections")[0]
    flow["description"] = target["description"] = ""
    audience = {**flow, "id": "theirs", "name": "audiences", "flowSpec": {"id": AUDIENCES, "version": "1.0"}}
    desk.emulator._world.entities._kept["flows", "prod"]["theirs"] = audience
    before = dict(target["params"])
    moved = desk.spec(
        adopt=made.ids["dataflow"],
        destination__credentials_conn_id=...,
        destination__base_connection_id=made.ids["base connection"],
        destination__params={"bucketName": "acme-exports", "path": "moved", "datasetFileType": "JSON"},
    )
    with pytest.raises(AepConflictError, match="also serves theirs"):
        desk.ensure(moved)
    assert target["params"] == before


def test_a_dataflow_that_is_off_stays_off_when_it_is_replaced(desk):
    made = desk.ensure(desk.spec())
    desk.carry_out(set_dataflow_state(made.ids["dataflow"], "disabled"))
    again = desk.ensure(desk.spec(destination=LANDING_ZONE), allow_replace=True)
    assert again.ids["dataflow"] != made.ids["dataflow"]
    (flow,) = desk.all("dataflow")
    assert flow["state"] == "disabled"


def test_another_export_mode_is_a_difference(desk):
    desk.ensure(desk.spec())
    stored(desk, "flows")[0]["scheduleParams"]["exportMode"] = "DAILY_FULL_EXPORT"
    assert "schedule.exportMode: DAILY_FULL_EXPORT" in str(desk.plan(desk.spec()))
    desk.ensure(desk.spec())
    assert not desk.plan(desk.spec()).changes


def test_a_second_source_connection_is_a_difference(desk):
    made = desk.ensure(desk.spec())
    stored(desk, "flows")[0]["sourceConnectionIds"].append("undeclared")
    assert desk.plan(desk.spec()).changes
    desk.ensure(desk.spec())
    (flow,) = desk.all("dataflow")
    assert flow["sourceConnectionIds"] == [made.ids["source connection"]]


def test_a_start_beyond_a_computed_end_computes_another(desk):
    desk.ensure(desk.spec(schedule="3h"))
    later = desk.spec(schedule={"every": "3h", "start": desk.in_days(400)})
    desk.ensure(later)
    (flow,) = desk.all("dataflow")
    assert flow["scheduleParams"]["endTime"] > flow["scheduleParams"]["startTime"]
    assert not desk.plan(later).changes


def test_a_rotated_login_says_where_it_came_from(desk):
    desk.ensure(desk.spec())
    other = desk.spec(destination__credentials_conn_id="crm_bucket_new")
    made = desk.ensure(other, rotate_credentials=True)
    assert not desk.plan(other).changes
    stored(desk, "flows")
    desk.emulator._world.entities._kept["flows", "prod"].clear()
    desk.ensure(other)
    assert desk.counts()["base connection"] == 1
    assert desk.all("base connection")[0]["id"] == made.ids["base connection"]


def test_marks_do_not_pile_up(desk):
    spec = desk.spec()
    desk.ensure(spec)
    for number, every in enumerate(("6h", "9h", "12h")):
        stored(desk, "flows")[0]["description"] += f" note{number}"
        desk.ensure(desk.spec(schedule__every=every))
    (flow,) = desk.all("dataflow")
    assert flow["description"].count("aep-export of") == 1
    assert text_of(flow) == "note0 note1 note2"


def test_what_still_serves_is_not_called_left_behind(desk):
    made = desk.ensure(desk.spec())
    desk.emulator.fail_next(400, match="PATCH /flows")
    (failed,) = desk.ensure_all(desk.spec(datasets=[LOYALTY]), allow_replace=True)
    assert failed.error
    assert failed.ids["source connection"] == made.ids["source connection"]
    assert failed.left_behind == []
    assert [one["kind"] for one in failed.created] == ["source connection"]


def test_a_lost_answer_is_adopted_also_when_told_back_in_other_words(desk):
    def act(request):
        if request.method == "POST" and request.path == "/flows":
            response = desk.emulator.send(request)
            stored(desk, "flows")[0]["scheduleParams"]["interval"] = "3"
            desk.transport = None
            assert response.status == 201
            return Response(504, {}, b"{}")
        return None

    desk.transport = Between(desk.emulator, act)
    made = desk.ensure(desk.spec())
    assert [one["kind"] for one in made.created][-1] == "dataflow"
    desk.transport = None
    assert not desk.plan(desk.spec()).changes
