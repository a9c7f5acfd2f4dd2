"""Deleting an export removes what is its own and used by nobody, in the right order."""

from __future__ import annotations

import pytest

from airflow_provider_aep.errors import AepAmbiguousNameError, AepApiError, AepConflictError

KINDS = ["base connection", "source connection", "target connection", "dataflow"]
LOYALTY = "5ef3e324ab7dd7d3259a1191"
LANDING_ZONE = {"type": "data_landing_zone", "params": {"path": "x", "datasetFileType": "JSON"}}
IN_USE = {
    "type": "https://ns.adobe.com/aep/errors/FLOW-1418-400",
    "title": "In use",
    "status": 400,
    "report": {"detailed-message": "The connection is used by a flow"},
}


def test_the_dataflow_goes_first_and_the_base_connection_stays(desk):
    made = desk.ensure(desk.spec())
    removal = desk.delete()
    assert desk.writes() == ["DELETE flows", "DELETE targetConnections", "DELETE sourceConnections"]
    assert removal.deleted == [{"kind": kind, "id": made.ids[kind]} for kind in KINDS[:0:-1]]
    (kept,) = removal.kept
    assert (kept["kind"], kept["id"]) == ("base connection", made.ids["base connection"])
    assert "only on request" in kept["why"]
    assert desk.counts().total() == 1


def test_the_base_connection_goes_when_asked(desk):
    desk.ensure(desk.spec())
    removal = desk.delete(with_base=True)
    assert desk.writes()[-1] == "DELETE connections"
    assert removal.kept == []
    assert desk.counts().total() == 0


def test_what_somebody_else_uses_is_kept_with_the_reason(desk):
    ids = desk.ensure(desk.spec()).ids
    stranger = desk.copy("dataflow", ids["dataflow"], name="stranger", description="by hand")
    removal = desk.delete(with_base=True)
    assert desk.writes() == ["DELETE flows"]
    whys = {one["kind"]: one["why"] for one in removal.kept}
    assert whys["source connection"] == whys["target connection"] == f"dataflow {stranger} needs it"
    assert whys["base connection"] == f"target connection {ids['target connection']} needs it"
    assert desk.get("dataflow", stranger)["state"] == "enabled"


def test_a_base_connection_that_another_target_connection_uses_is_kept(desk):
    ids = desk.ensure(desk.spec()).ids
    other = desk.copy("target connection", ids["target connection"], description="by hand")
    removal = desk.delete(with_base=True)
    assert removal.kept == [
        {
            "kind": "base connection",
            "id": ids["base connection"],
            "why": f"target connection {other} needs it",
        }
    ]


def test_what_is_gone_already_counts_as_removed(desk):
    ids = desk.ensure(desk.spec()).ids

    class Faster:
        """A colleague deletes each entity just before us."""

        def send(self, request):
            if request.method == "DELETE":
                desk.send("DELETE", request.path)
            return desk.emulator.send(request)

    desk.transport = Faster()
    removal = desk.delete(with_base=True)
    assert {one["id"] for one in removal.deleted} == set(ids.values())
    assert desk.counts().total() == 0


def test_an_export_that_does_not_exist_is_deleted_in_peace(desk):
    removal = desk.delete("never-was")
    assert (removal.deleted, removal.kept) == ([], [])
    assert desk.writes() == []


def test_deleting_twice_is_deleting_once(desk):
    desk.ensure(desk.spec())
    desk.delete(with_base=True)
    assert desk.delete(with_base=True).deleted == []


@pytest.mark.parametrize("path", ["connections", "targetConnections", "sourceConnections"])
def test_in_use_is_waited_for_while_a_dataflow_is_only_just_being_deleted(desk, path):
    desk.ensure(desk.spec())
    desk.emulator.fail_next(400, times=3, match=f"DELETE /{path}", body=IN_USE)
    desk.delete(with_base=True)
    assert desk.pauses == [5.0, 5.0, 5.0]
    assert desk.counts().total() == 0


def test_in_use_for_good_is_an_error(desk):
    desk.ensure(desk.spec())
    desk.emulator.fail_next(400, times=4, match="DELETE /targetConnections", body=IN_USE)
    with pytest.raises(AepApiError, match="FLOW-1418-400"):
        desk.delete()
    assert desk.delete(with_base=True).kept == []


def test_an_adopted_export_keeps_its_unmarked_connections(desk):
    ids = desk.ensure(desk.spec(name="template")).ids
    flow = desk.copy("dataflow", ids["dataflow"], name="by hand", description="")
    spec = desk.spec(
        adopt=flow,
        destination__credentials_conn_id=...,
        destination__base_connection_id=ids["base connection"],
    )
    desk.ensure(spec)
    removal = desk.delete(with_base=True)
    assert removal.deleted == [{"kind": "dataflow", "id": flow}]
    assert {one["id"]: one["why"] for one in removal.kept} == {
        ids[kind]: "it was made without a spec and carries no mark"
        for kind in ("target connection", "source connection")
    }
    assert desk.counts() == dict.fromkeys(KINDS, 1)


def test_what_somebody_else_owns_is_never_deleted(desk):
    made = desk.ensure(desk.spec())
    with pytest.raises(AepConflictError) as refused:
        desk.delete(owner="loyalty")
    assert made.ids["dataflow"] in str(refused.value)
    assert desk.counts() == dict.fromkeys(KINDS, 1)


def test_only_leftovers_go_when_only_they_are_meant(desk):
    first = desk.ensure(desk.spec())
    desk.ensure(desk.spec(datasets=[LOYALTY]), allow_replace=True)
    spec = desk.spec(datasets=[LOYALTY], destination=LANDING_ZONE)
    serving = desk.ensure(spec, allow_replace=True)
    removal = desk.delete(leftovers_only=True)
    assert [one["kind"] for one in removal.deleted] == KINDS[2::-1]
    assert {one["id"] for one in removal.deleted} == {
        first.ids[kind] for kind in ("base connection", "source connection", "target connection")
    }
    assert removal.kept == []
    assert set(desk.snapshot()) == set(serving.ids.values())
    assert desk.plan(spec).warnings == ()


def test_the_leftovers_of_a_broken_off_attempt_go_too(desk):
    desk.emulator.fail_next(400, match="POST /flows")
    desk.ensure_all(desk.spec())
    desk.delete(leftovers_only=True)
    assert desk.counts().total() == 0


def test_of_two_dataflows_with_the_mark_no_leftover_is_guessed(desk):
    ids = desk.ensure(desk.spec()).ids
    twin = desk.copy("dataflow", ids["dataflow"])
    with pytest.raises(AepAmbiguousNameError, match="delete all but one") as refused:
        desk.delete(leftovers_only=True)
    assert set(refused.value.ids) == {ids["dataflow"], twin}
    assert len(desk.delete(with_base=True).deleted) == 5  # deleting the export means both


def test_deleting_leaves_other_exports_alone(desk):
    desk.ensure(desk.spec(name="crm-nightly-2"))
    before = desk.snapshot()
    desk.ensure(desk.spec())
    desk.delete(with_base=True)
    assert desk.snapshot() == before
