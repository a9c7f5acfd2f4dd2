"""What was written is looked for until the service shows it; what it never shows ends loudly."""

from __future__ import annotations

import pytest

from airflow_provider_aep.errors import AepAmbiguousNameError, AepServerError, AepUnseenError
from airflow_provider_aep.exports.state import COLLECTIONS, read_state
from airflow_provider_aep.flowservice.dataflows import set_dataflow_state

KINDS = ("connections", "sourceConnections", "targetConnections", "flows")


def kept(desk):
    return {kind: len(desk.emulator.entities(kind)) for kind in KINDS}


def test_an_ensure_ends_when_the_next_one_sees_what_it_did(desk):
    desk.emulator.enter("created-listed-after-30s")
    desk.ensure(desk.spec())
    assert sum(desk.pauses) >= 4 * 30
    desk.pauses.clear()
    assert not desk.ensure(desk.spec()).changed
    assert desk.pauses == []
    assert set(kept(desk).values()) == {1}


def test_nothing_is_waited_for_where_listings_are_fresh(desk):
    desk.ensure(desk.spec())
    desk.delete(with_base=True)
    assert desk.pauses == []


def test_what_is_never_listed_is_named_and_nothing_is_made_after_it(desk):
    desk.emulator.enter("created-listed-after-10m")
    with pytest.raises(AepUnseenError, match="the service does not list it") as told:
        desk.ensure(desk.spec())
    (base,) = desk.emulator._world.entities.all("connections", "prod")
    assert told.value.ids == (base["id"],)
    assert desk.writes() == ["POST connections"]


@pytest.mark.parametrize("world", ["descriptions-not-kept", "descriptions-cut-at-64"])
def test_a_mark_that_does_not_survive_is_told_at_the_first_entity(desk, world):
    desk.emulator.enter(world)
    with pytest.raises(AepUnseenError, match="does not hold the mark"):
        desk.ensure(desk.spec(description="an export of all customers, for people who read on and on"))
    assert desk.writes() == ["POST connections"]


@pytest.mark.parametrize(
    "world",
    [
        "several-values-find-nothing",
        "several-values-first-only",
        "nested-filter-finds-nothing",
        "descriptions-not-listed",
        "filters-ignored",
    ],
)
def test_an_export_that_a_listing_hides_is_not_made_again(desk, world):
    zone = {"type": "data_landing_zone", "params": {"path": "aep/crm", "datasetFileType": "PARQUET"}}
    specs = [desk.spec(), desk.spec(name="to the zone", destination=zone)]
    desk.ensure_all(*specs)
    before = kept(desk)
    desk.emulator.enter(world)
    assert [(one.error, one.changed) for one in desk.ensure_all(*specs)] == [(None, False)] * 2
    assert kept(desk) == before


@pytest.mark.parametrize("world", ["several-values-find-nothing", "nested-filter-finds-nothing"])
def test_what_a_broken_off_attempt_has_left_is_used_though_a_filter_hides_it(desk, world):
    desk.emulator.fail_next(503, times=99, match="POST /sourceConnections")
    desk.ensure_all(desk.spec())
    desk.emulator.clear_faults()
    desk.emulator.enter(world)
    desk.ensure(desk.spec())
    assert "POST connections" not in desk.writes()
    assert set(kept(desk).values()) == {1}


def test_an_import_finds_the_connections_of_a_dataflow_though_a_filter_hides_them(desk):
    desk.ensure(desk.spec())
    desk.emulator.enter("several-values-find-nothing")
    state = desk.carry_out(read_state(datasets=False))
    assert [len(state.entities[kind]) for kind in COLLECTIONS] == [1, 1, 1, 1]


def test_a_listing_that_shows_a_thing_every_other_time_hides_nothing_from_a_delete(desk):
    desk.emulator.enter("created-listed-every-other-time")
    desk.ensure(desk.spec())
    desk.delete(with_base=True)
    assert {len(desk.emulator._world.entities.all(kind, "prod")) for kind in KINDS} == {0}


def test_what_was_deleted_is_waited_for_until_it_is_gone(desk):
    ids = desk.ensure(desk.spec()).ids
    desk.emulator.enter("deleted-listed-for-30s")
    desk.delete(with_base=True)
    assert sum(desk.pauses) >= 30
    made = desk.ensure(desk.spec())
    assert made.ids["dataflow"] != ids["dataflow"]


def test_what_stays_listed_after_its_delete_is_named(desk):
    ids = desk.ensure(desk.spec()).ids
    desk.emulator.enter("deleted-listed-for-90s")
    with pytest.raises(AepUnseenError, match="still lists it") as told:
        desk.delete()
    assert ids["dataflow"] in told.value.ids
    # The same process knows better than the listing.
    assert desk.ensure(desk.spec()).ids["dataflow"] != ids["dataflow"]


def test_a_dataflow_that_starts_switched_off_is_switched_on(desk):
    desk.emulator.enter("new-flows-start-disabled")
    desk.ensure(desk.spec())
    assert [flow["state"] for flow in desk.emulator.entities("flows")] == ["enabled"]


# Replacing


def elsewhere(desk):
    """The export to another destination, so that its dataflow cannot be changed but must be replaced."""
    destination = {"type": "data_landing_zone", "params": {"path": "aep/crm", "datasetFileType": "PARQUET"}}
    return desk.spec(destination=destination)


def switch_off(desk, flow_id):
    desk.clock.advance(60)
    desk.carry_out(set_dataflow_state(flow_id, "disabled"))


def test_a_refused_post_leaves_a_switched_off_dataflow_where_it_was(desk):
    desk.ensure(desk.spec())
    (flow,) = desk.emulator.entities("flows")
    switch_off(desk, flow["id"])
    desk.emulator.fail_next(400, match="POST /flows")
    (refused,) = desk.ensure_all(elsewhere(desk), allow_replace=True)
    assert refused.error is not None
    assert [one["id"] for one in desk.emulator.entities("flows")] == [flow["id"]]
    desk.ensure(elsewhere(desk), allow_replace=True)
    (left,) = desk.emulator.entities("flows")
    assert (left["id"] != flow["id"], left["state"]) == (True, "disabled")


def test_a_replacement_that_was_broken_off_before_the_old_one_went_is_finished(desk):
    desk.ensure(desk.spec())
    (flow,) = desk.emulator.entities("flows")
    switch_off(desk, flow["id"])
    desk.emulator.fail_next(500, times=9, match=f"DELETE /flows/{flow['id']}")
    desk.ensure_all(elsewhere(desk), allow_replace=True)
    desk.emulator.clear_faults()
    old, new = desk.emulator.entities("flows")
    assert (old["state"], new["state"]) == ("disabled", "disabled")
    desk.ensure(elsewhere(desk), allow_replace=True)
    (left,) = desk.emulator.entities("flows")
    assert (left["id"], left["state"]) == (new["id"], "disabled")


def test_two_dataflows_of_which_one_was_switched_off_by_hand_are_left_to_people(desk):
    ids = desk.ensure(desk.spec()).ids
    twin = desk.copy("dataflow", ids["dataflow"])
    switch_off(desk, ids["dataflow"])
    with pytest.raises(AepAmbiguousNameError, match=twin):
        desk.ensure(desk.spec(), allow_replace=True)
    assert len(desk.emulator.entities("flows")) == 2


def test_the_error_says_that_the_old_dataflow_is_gone(desk):
    old = desk.ensure(desk.spec()).ids["dataflow"]
    desk.emulator.fail_next(503, times=99, match="POST /flows")
    (failed,) = desk.ensure_all(elsewhere(desk), allow_replace=True)
    assert isinstance(failed.error, AepServerError)
    assert f"Dataflow {old} was deleted to make room" in str(failed.error)


def test_a_mark_is_read_by_id_where_listings_leave_descriptions_out(desk):
    desk.ensure(desk.spec())
    desk.emulator.enter("descriptions-not-listed")
    assert desk.delete(with_base=True).deleted
    assert set(kept(desk).values()) == {0}
