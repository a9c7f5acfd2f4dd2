"""Plans where little decides: spare and shared connections, odd dataflows, and the reasons a plan gives."""

from __future__ import annotations

import pytest

LANDING_ZONE = {"type": "data_landing_zone", "params": {"path": "x", "datasetFileType": "JSON"}}


def actions(plan):
    return [step.action for step in plan.steps]


def fields(plan, kind):
    return {one.field: (one.old, one.new) for one in plan.step(kind).changes}


def stored(desk, collection):
    """The documents as the emulator keeps them by their ids, to be made odd."""
    return desk.emulator._world.entities._kept[collection, "prod"]


# Connections that are there twice, or serve twice


@pytest.mark.parametrize("spare_is_older", [True, False], ids=["older spare", "newer spare"])
def test_the_base_connection_that_serves_is_kept_where_there_is_a_spare_one(desk, spare_is_older):
    made = desk.ensure(desk.spec())
    spare = desk.copy("base connection", made.ids["base connection"])
    stored(desk, "connections")[spare]["createdAt"] += -60_000 if spare_is_older else 60_000
    plan = desk.plan(desk.spec())
    assert actions(plan) == ["keep"] * 4
    assert plan.step("base connection").id == made.ids["base connection"]
    assert plan.left_behind == ({"kind": "base connection", "id": spare},)


def test_our_target_connection_can_be_changed_although_a_dataflow_of_somebody_else_uses_it(desk):
    made = desk.ensure(desk.spec())
    desk.copy("dataflow", made.ids["dataflow"], name="stranger", description="")
    moved = desk.spec(destination__params__path="elsewhere")
    assert actions(desk.plan(moved)) == ["keep", "keep", "update", "update"]
    assert desk.ensure(moved).ids == made.ids
    target = desk.get("target connection", made.ids["target connection"])
    assert target["params"]["path"] == "elsewhere"


def test_a_plan_says_which_parameter_makes_it_replace_a_shared_target_connection(desk):
    made = desk.ensure(desk.spec())
    desk.patch("target connection", made.ids["target connection"], "/description", "by hand")
    desk.copy("dataflow", made.ids["dataflow"], name="stranger", description="")
    plan = desk.plan(desk.spec(destination__params__path="elsewhere"))
    assert plan.step("target connection").action == "replace"
    assert fields(plan, "target connection") == {"path": ("aep/crm", "elsewhere")}


def test_a_target_connection_without_a_base_connection_is_replaced_by_one_that_has_it(desk):
    made = desk.ensure(desk.spec())
    stored(desk, "targetConnections")[made.ids["target connection"]].pop("baseConnectionId")
    stored(desk, "connections").clear()
    assert actions(desk.plan(desk.spec())) == ["create", "keep", "replace", "replace"]
    again = desk.ensure(desk.spec(), allow_replace=True)
    target = desk.get("target connection", again.ids["target connection"])
    assert target["baseConnectionId"] == again.ids["base connection"]


# Credentials


def test_rotating_credentials_changes_nothing_for_a_storage_that_has_none(desk):
    spec = desk.spec(destination=LANDING_ZONE)
    desk.ensure(spec)
    assert not desk.plan(spec, rotate_credentials=True).changes
    desk.ensure(spec, rotate_credentials=True)
    assert desk.writes() == []


# Schedules


def test_a_plan_says_to_which_end_a_declared_end_moves(desk):
    desk.ensure(desk.spec())
    plan = desk.plan(desk.spec(schedule__end=desk.in_days(120)))
    assert fields(plan, "dataflow")["schedule.end"] == (desk.in_days(100), desk.in_days(120))


def test_a_dataflow_of_before_export_modes_can_be_rescheduled(desk):
    made = desk.ensure(desk.spec())
    schedule = stored(desk, "flows")[made.ids["dataflow"]]["scheduleParams"]
    del schedule["exportMode"]
    assert not desk.plan(desk.spec()).changes
    rescheduled = desk.spec(schedule__every="6h")
    assert fields(desk.plan(rescheduled), "dataflow").keys() == {"mark", "schedule.every"}
    desk.ensure(rescheduled)
    assert not desk.plan(rescheduled).changes


def test_a_dataflow_replaced_while_it_is_still_being_set_up_is_replaced_by_one_that_exports(new_desk):
    desk = new_desk(initializing_seconds=12)
    desk.ensure(desk.spec())
    again = desk.ensure(desk.spec(destination=LANDING_ZONE), allow_replace=True)
    desk.clock.advance(60)
    assert desk.get("dataflow", again.ids["dataflow"])["state"] == "enabled"


# Room


def test_in_a_sandbox_that_holds_too_many_dataflows_those_that_exist_can_still_be_changed(desk):
    made = desk.ensure(desk.spec())
    flows = stored(desk, "flows")
    flow = flows[made.ids["dataflow"]]
    for number in range(120):
        flows[f"theirs-{number}"] = {
            **flow,
            "id": f"theirs-{number}",
            "name": f"theirs {number}",
            "description": "",
        }
    changed = desk.spec(schedule__every="6h")
    assert desk.ensure(changed).ids == made.ids
    assert not desk.plan(changed).changes
