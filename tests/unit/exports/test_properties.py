"""Whatever a sandbox looks like: an ensure reaches its spec, the next does nothing, strangers are left alone.

What was reached is read from the emulator's entities, and by rules written apart from the planner's.
``AEP_EXAMPLES=2000`` tries more of them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_aep.errors import AepConflictError, AepError
from airflow_provider_aep.exports.marks import described, export_key, make_mark, read_mark
from airflow_provider_aep.exports.spec import DatasetRef, ExportSpec, parse_spec
from airflow_provider_aep.flowservice.cadences import CADENCES
from airflow_provider_aep.flowservice.destinations import DATA_LANDING_ZONE, DESTINATIONS
from airflow_provider_aep.flowservice.schedule import Schedule
from tests.unit.exports.strategies import specs

EXAMPLES = int(os.environ.get("AEP_EXAMPLES", "60"))
KINDS = ["base connection", "source connection", "target connection", "dataflow"]
NAMES = ["crm-nightly", "Kunden, täglich == gut & (mehr)", "x"]
OWNERS = ["crm", "loyalty"]
DATASETS = [
    DatasetRef(id="5ef3e3259ad2a1191ab7dd7d"),
    DatasetRef(name="Loyalty Profiles"),
    DatasetRef(id="6501aa10c2d3e4f5061728a1", name="Web Events"),
]
IDS = {"Loyalty Profiles": "5ef3e324ab7dd7d3259a1191"}


class Sandbox:
    """A sandbox to which things happen."""

    def __init__(self, data: st.DataObject, desk: Any) -> None:
        self.draw, self.desk = data.draw, desk

    def choose(self, some: list[Any]) -> Any:
        return self.draw(st.sampled_from(some))

    def spec(self, name: str | None = None, owner: str | None = None) -> ExportSpec:
        """A spec at random, of an export at random; its times fit the desk's clock."""
        destination = self.choose(list(DESTINATIONS.values()))
        start = self.choose([None, -30, 0.1, 50])
        end = self.choose([None, 100, 400])
        schedule = Schedule(
            every=self.choose(list(CADENCES)),
            start=None if start is None else self.moment(start),
            end=None if end is None else self.moment(end),
            folder_template=self.choose([None, "%DATASET_ID%", "crm/%EXPORT_TIME%"]),
        )
        drawn = self.draw(
            specs(
                DATASETS,
                name=name or self.choose(NAMES),
                owner=owner or self.choose(OWNERS),
                destination=destination,
                schedule=schedule,
                sandbox=None,
                adopt=None,
                base_connection_id=None,
                credentials_conn_id=None
                if destination == DATA_LANDING_ZONE
                else self.choose(["login_a", "login_b"]),
            )
        )
        theirs = [
            one["id"]
            for one in self.desk.all("base connection")
            if one["connectionSpec"]["id"] == destination.connection_spec_id
        ]
        if theirs and self.choose([False, False, True]):
            drawn = replace(drawn, credentials_conn_id=None, base_connection_id=self.choose(theirs))
        return parse_spec(drawn.to_json())  # as files give them

    def moment(self, days: float) -> datetime:
        return datetime.fromtimestamp(int(self.desk.began.timestamp()), tz=UTC) + timedelta(days=days)

    def something(self, kind: str) -> str | None:
        """The id of an entity of a kind, if there is any."""
        there = [one["id"] for one in self.desk.all(kind)]
        return self.choose(there) if there else None

    # What may happen

    def ensured(self) -> None:
        self.desk.ensure_all(self.spec(), allow_replace=self.choose([True, True, False]))

    def broken_off(self) -> None:
        method = self.choose(
            [
                "POST /connections",
                "POST /source",
                "POST /target",
                "POST /flows",
                "PATCH",
                "DELETE",
                "GET /flows",
            ]
        )
        self.desk.emulator.fail_next(400, match=method)
        rollback = self.choose([True, False])
        with suppress(AepError):  # it could not even read
            self.desk.ensure_all(self.spec(), allow_replace=True, rollback_on_failure=rollback)
        self.desk.emulator.clear_faults()

    def answer_lost(self) -> None:
        self.desk.emulator.lose_next(match=self.choose(["POST /", "PATCH /", "DELETE /"]))
        self.desk.ensure_all(self.spec(), allow_replace=True)
        self.desk.emulator.clear_faults()

    def stranger_came(self) -> None:
        """Somebody's copy of an entity: unmarked, or another owner's, or (of connections) with our mark."""
        kind = self.choose(KINDS)
        if (like := self.something(kind)) is None:
            return
        if kind == "base connection" and self.desk.get(kind, like).get("auth", {}).get("specName") not in (
            "Access Key",
        ):
            return
        changes: dict[str, Any] = {"name": self.choose([*NAMES, "strange", "strange", "strange"])}
        other = make_mark(owner=self.choose([*OWNERS, "others"]), name="another", content=1, login=1)
        if kind == "dataflow" or self.choose([True, True, False]):
            changes["description"] = self.choose(["", "by hand", described("theirs", other)])
        self.desk.copy(kind, like, **changes)

    def drifted(self) -> None:
        """Somebody changed what a spec declares."""
        flow_id = self.something("dataflow")
        if flow_id is None:
            return
        flow = self.desk.get("dataflow", flow_id)
        params = flow["scheduleParams"]
        path, value = self.choose(
            [
                ("/name", "renamed"),
                ("/scheduleParams", {**params, "endTime": params["endTime"] + 86400}),
                ("/scheduleParams", {**params, "extra": "theirs"}),
                ("/scheduleParams", {**params, "folderNameTemplate": "theirs"}),
                (
                    "/scheduleParams",
                    {
                        **params,
                        "timeUnit": "hour",
                        "interval": 9,
                        "exportMode": "FIRST_FULL_THEN_INCREMENTAL",
                    },
                ),
                ("/sourceConnectionIds", [self.something("source connection")]),
                ("/description", f"scribbled {read_mark(flow) or ''}"),
            ]
        )
        self.desk.patch("dataflow", flow_id, path, value)

    def target_drifted(self) -> None:
        if target_id := self.something("target connection"):
            key, value = self.choose([("datasetFileType", "JSON"), ("includeFileManifest", True)])
            self.desk.patch("target connection", target_id, f"/params/{key}", value, op="add")

    def switched_off(self) -> None:
        if flow_id := self.something("dataflow"):
            op = "disable" if self.desk.get("dataflow", flow_id)["state"] == "enabled" else "enable"
            self.desk.send("POST", f"/flows/{flow_id}/action?op={op}")

    def deleted(self) -> None:
        kind = self.choose(["dataflow", *KINDS])
        if entity_id := self.something(kind):
            path = {"dataflow": "flows"}.get(kind) or f"{kind.split()[0]}Connections"
            with suppress(AepError):  # it is in use
                self.desk.send("DELETE", f"/{path.replace('baseC', 'c')}/{entity_id}")

    def time_passed(self) -> None:
        self.desk.clock.advance(self.choose([3600, 86400, 2 * 86400]))


EVENTS = [
    *[Sandbox.ensured] * 4,
    Sandbox.broken_off,
    Sandbox.answer_lost,
    *[Sandbox.stranger_came] * 2,
    *[Sandbox.drifted] * 2,
    Sandbox.target_drifted,
    Sandbox.switched_off,
    *[Sandbox.deleted] * 2,
    Sandbox.time_passed,
]


def check_reached(desk: Any, spec: ExportSpec, ids: dict[str, str]) -> None:
    """The entities say what the spec says."""
    key = export_key(spec.owner, spec.name)
    flows = [one for one in desk.all("dataflow") if (mark := read_mark(one)) and mark.export == key]
    assert [flow["id"] for flow in flows] == [ids["dataflow"]]
    flow = flows[0]
    assert flow["name"] == spec.name
    assert flow["flowSpec"]["id"] == spec.destination.flow_spec_id
    if spec.description is not None:
        assert flow["description"].startswith(spec.description)
    (source_id,), (target_id,) = flow["sourceConnectionIds"], flow["targetConnectionIds"]
    source, target = desk.get("source connection", source_id), desk.get("target connection", target_id)
    base = desk.get("base connection", target["baseConnectionId"])
    assert [base["id"], source_id, target_id] == [ids[kind] for kind in KINDS[:3]]
    wanted = {ref.id or IDS[str(ref.name)] for ref in spec.datasets}
    assert {item["dataSetId"] for item in source["params"]["datasets"]} == wanted
    assert target["connectionSpec"]["id"] == spec.destination.connection_spec_id
    assert base["connectionSpec"]["id"] == spec.destination.connection_spec_id
    assert {"compression": "GZIP", **spec.target_params}.items() <= target["params"].items()
    if spec.base_connection_id:
        assert base["id"] == spec.base_connection_id
    params = flow["scheduleParams"]
    assert (params["timeUnit"], int(params["interval"])) == CADENCES[spec.schedule.every][:2]
    for moment, name in ((spec.schedule.start, "startTime"), (spec.schedule.end, "endTime")):
        assert moment is None or params[name] == moment.timestamp()
    assert params["endTime"] > params["startTime"]
    if template := spec.schedule.folder_template:
        assert params.get("foldernameTemplate", params.get("folderNameTemplate")) == template


@settings(
    max_examples=EXAMPLES,
    derandomize="AEP_EXAMPLES" not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_an_ensure_reaches_its_spec_from_anywhere_and_touches_nothing_else(new_desk, data):
    desk = new_desk()
    sandbox = Sandbox(data, desk)
    for event in data.draw(st.lists(st.sampled_from(EVENTS), max_size=8)):
        event(sandbox)
    spec = sandbox.spec()
    key = export_key(spec.owner, spec.name)

    def strangers() -> dict[str, Any]:
        return {
            entity_id: one
            for entity_id, one in desk.snapshot().items()
            if not ((mark := read_mark(one)) and mark.export == key)
        }

    before, everything = strangers(), desk.snapshot()
    names = [one["name"] for one in before.values() if "flowSpec" in one]
    (outcome,) = desk.ensure_all(spec, allow_replace=True)
    assert strangers() == before
    if outcome.error:
        # The one thing that may be in the way: a dataflow of that name which is not ours.
        assert isinstance(outcome.error, AepConflictError), outcome.error
        assert spec.name in names
        assert desk.snapshot() == everything
        return
    assert spec.name not in names
    check_reached(desk, spec, outcome.ids)
    after = desk.snapshot()
    assert not desk.plan(spec).changes
    (again,) = desk.ensure_all(spec)
    assert desk.methods() == {"GET"}
    assert (again.error, again.changed, again.ids) == (None, False, outcome.ids)
    assert desk.snapshot() == after
    # What serves no more is known, and can be removed without touching anybody.
    desk.delete(spec.name, owner=spec.owner, leftovers_only=True)
    assert strangers() == before
    check_reached(desk, spec, outcome.ids)
    assert not desk.plan(spec).changes
