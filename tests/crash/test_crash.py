"""A worker may die at any moment, an answer may be lost, and somebody else may do the same at the same time.

However an ensure was broken off, the next one leads to exactly what is declared, and the one after that sends
nothing but GETs. A replacement leaves what it is documented to leave: the connections that served before.
"""

from __future__ import annotations

import re
import signal
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_aep.exports.apply import EnsureOptions, ensure_exports
from airflow_provider_aep.exports.delete import delete_export
from airflow_provider_aep.exports.spec import parse_spec
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.session import AepCredentials, AepSession
from tests.crash.driver import LOGINS

KINDS = {
    "base connection": "connections",
    "source connection": "sourceConnections",
    "target connection": "targetConnections",
    "dataflow": "flows",
}
ONE_OF_EACH = dict.fromkeys(KINDS, 1)
S3 = {
    "type": "s3",
    "credentials_conn_id": "crm_bucket",
    "params": {"bucketName": "acme-exports", "path": "aep/crm", "datasetFileType": "PARQUET"},
}
LANDING_ZONE = {"type": "data_landing_zone", "params": {"path": "aep", "datasetFileType": "JSON"}}
ELSEWHERE = {**S3, "params": {**S3["params"], "path": "elsewhere"}}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TROUBLES = ("kill before", "kill after", "lose", "drop")


@dataclass(frozen=True)
class Scenario:
    """From what there is to what is wanted, and how many entities there are in the end.

    :param before: changes of the nightly export, as it is first; ``None`` for an empty sandbox.
    :param after: changes of it as it shall be; ``None`` to have it deleted.
    """

    before: dict[str, Any] | None
    after: dict[str, Any] | None
    left: dict[str, int]


SCENARIOS = {
    "create": Scenario(None, {}, ONE_OF_EACH),
    "update schedule and params": Scenario({}, {"schedule": "6h", "destination": ELSEWHERE}, ONE_OF_EACH),
    "replace datasets": Scenario({}, {"datasets": [1, 0]}, {**ONE_OF_EACH, "source connection": 2}),
    "replace destination": Scenario(
        {},
        {"destination": LANDING_ZONE},
        {**ONE_OF_EACH, "base connection": 2, "target connection": 2},
    ),
    "delete": Scenario({}, None, dict.fromkeys(KINDS, 0)),
}


class Place:
    """One case: a sandbox of its own, with what a scenario begins with."""

    def __init__(self, server: Any, scenario: Scenario, number: int) -> None:
        self.server, self.emulator, self.scenario = server, server.emulator, scenario
        self.sandbox = self.emulator.sandboxes[number]
        self.credentials = {
            "client_id": self.emulator.client_id,
            "client_secret": self.emulator.client_secret,
            "org_id": self.emulator.org_id,
        }
        self.session = AepSession(AepCredentials(**self.credentials))
        if scenario.before is not None:
            self.ensure(scenario.before)

    def document(self, changes: dict[str, Any]) -> dict[str, Any]:
        datasets = self.emulator.datasets(self.sandbox)
        document = {
            "name": "crm-nightly",
            "owner": "crm",
            "datasets": [0],
            "destination": S3,
            "schedule": "3h",
            **changes,
        }
        return {**document, "datasets": [datasets[index].id for index in document["datasets"]]}

    def ensure(self, changes: dict[str, Any]) -> None:
        """Ensured in this process: how a case begins, and how it is looked at in the end."""
        exchange = ensure_exports(
            [parse_spec(self.document(changes))],
            sandbox=self.sandbox,
            now=datetime.now(tz=UTC),
            logins=LOGINS,
            options=EnsureOptions(allow_replace=True),
        )
        (outcome,) = drive(self.session.conduct(exchange, sandbox=self.sandbox), self.emulator)
        assert outcome.error is None

    def writer(self, **trouble: Any) -> dict[str, Any]:
        if self.scenario.after is None:
            return {"delete": {"name": "crm-nightly", "owner": "crm", "with_base": True}, **trouble}
        return {"spec": self.document(self.scenario.after), **trouble}

    def job(self, *writers: dict[str, Any]) -> dict[str, Any]:
        return {
            "url": self.server.url,
            "sandbox": self.sandbox,
            "credentials": self.credentials,
            "writers": list(writers),
        }

    def delete(self) -> None:
        exchange = delete_export("crm-nightly", owner="crm", sandbox=self.sandbox, with_base=True)
        assert drive(self.session.conduct(exchange, sandbox=self.sandbox), self.emulator).deleted == []

    def check(self, figures: Any) -> None:
        """Exactly what was declared, and nothing more to do."""
        found = {kind: self.emulator.entities(path, self.sandbox) for kind, path in KINDS.items()}
        beyond = Counter({kind: len(found[kind]) - self.scenario.left[kind] for kind in KINDS})
        figures.duplicates += max(0, beyond["dataflow"])
        figures.orphans += sum(max(0, beyond[kind]) for kind in KINDS if kind != "dataflow")
        assert not any(beyond.values()), beyond
        self.emulator.log.clear()
        if self.scenario.after is None:
            self.delete()
        else:
            self.check_content(found, self.document(self.scenario.after))
            self.ensure(self.scenario.after)
        assert {each.method for each in self.emulator.log if not each.path.startswith("/ims")} == {"GET"}

    def check_content(self, found: dict[str, list[dict[str, Any]]], wanted: dict[str, Any]) -> None:
        (flow,) = found["dataflow"]
        by_id = {one["id"]: one for some in found.values() for one in some}
        source, target = by_id[flow["sourceConnectionIds"][0]], by_id[flow["targetConnectionIds"][0]]
        datasets = {item["dataSetId"] for item in source["params"]["datasets"]}
        assert datasets == set(wanted["datasets"])
        assert wanted["destination"]["params"].items() <= target["params"].items()
        assert target["baseConnectionId"] in by_id
        assert f"{flow['scheduleParams']['interval']}h" == wanted["schedule"]
        assert flow["state"] == "enabled"


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("name", SCENARIOS)
def test_trouble_at_every_exchange_is_mended_by_the_next_run(aep_server, carry_out, figures, name, trouble):
    scenario = SCENARIOS[name]
    first = Place(aep_server, scenario, 0)
    (ended,) = carry_out(first.job(first.writer()))
    assert ended["error"] is None
    first.check(figures)
    exchanges = ended["count"]
    assert exchanges > 6
    for at in range(exchanges):
        place = Place(aep_server, scenario, at + 1)
        (ended,) = carry_out(place.job(place.writer(trouble=trouble, at=at)))
        if trouble.startswith("kill"):
            assert ended["exit"] == -signal.SIGKILL, (at, ended)
            figures.killed += 1
        else:
            assert ended["exit"] == 0
        (again,) = carry_out(place.job(place.writer()))
        assert (again["exit"], again["error"]) == (0, None), (at, again)
        figures.count(f"{name}, {trouble}")
        place.check(figures)


@pytest.mark.parametrize(("writers", "rounds"), [(2, 30), (3, 15)])
@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "delete"])
def test_writers_that_race_make_one_export(aep_server, carry_out, figures, name, writers, rounds):
    for number in range(rounds):
        place = Place(aep_server, SCENARIOS[name], number)
        ends = carry_out(
            place.job(*(place.writer(seed=f"{name}{number}{writer}") for writer in range(writers)))
        )
        figures.raced += writers
        for ended in ends:
            assert ended["exit"] == 0, ended
            if ended["error"]:
                figures.loud += 1
                assert UUID.search(ended["error"]), ended["error"]
        (again,) = carry_out(place.job(place.writer()))
        assert again["error"] is None, (number, ends)
        figures.count(f"{name}, {writers} writers race")
        place.check(figures)
