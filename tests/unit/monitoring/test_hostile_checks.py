"""Checks of what nobody expects: no false green, nothing told twice, and one dataflow hides no other."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_aep.emulator.listing import listed
from airflow_provider_aep.emulator.replies import reply
from airflow_provider_aep.flowservice.destinations import DESTINATIONS
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.exchange import Request, Response
from airflow_provider_aep.monitoring.audit import Audit, audit_exports
from airflow_provider_aep.monitoring.handover import Handover
from airflow_provider_aep.monitoring.policy import AuditPolicy, RunPolicy
from tests.unit.monitoring.histories import a_dataflow, a_run, at

HOUR = timedelta(hours=1)
SPEC = {"id": next(iter(DESTINATIONS.values())).flow_spec_id}


class Service:
    """Whatever documents it is given."""

    def __init__(self, flows: list[dict[str, Any]], runs: list[dict[str, Any]]) -> None:
        sources = [{"id": "s", "params": {"datasets": [{"dataSetId": "A"}]}}]
        self.documents = {"flows": flows, "sourceConnections": sources, "runs": runs}

    def send(self, request: Request) -> Response:
        kind = request.path.strip("/")
        return reply(200, listed(kind, self.documents[kind], request.query, page_size=100))


def flow_document(flow_id: str = "f", every: str = "3h", **given: Any) -> dict[str, Any]:
    flow = {**a_dataflow(every).raw, "flowSpec": SPEC, "sourceConnectionIds": ["s"]}
    return {**flow, "id": flow_id, "name": flow_id, **given}


def run_document(hour: float, *, flow: str = "f", **given: Any) -> dict[str, Any]:
    run = a_run(at(hour=hour, minute=3), **given)
    return {**run.raw, "id": f"{flow}-{run.id}", "flowId": flow}


def check(
    service: Service, since: datetime, until: datetime, before: Handover | None = None, **policy: Any
) -> Audit:
    runs = RunPolicy(**policy)
    exchange = audit_exports(
        since=since, until=until, now=until, before=before, policy=AuditPolicy(runs=runs)
    )
    return drive(exchange, service)


def handed_over(found: Audit) -> Handover | None:
    return Handover.from_json(json.loads(json.dumps(found.handover.to_json())))


def told(found: Audit) -> list[tuple[str, str]]:
    return [(export.dataflow.id, each.kind) for export in found.exports for each in export.findings]


@pytest.mark.parametrize(
    "odd",
    [
        {"scheduleParams": {"timeUnit": "hour", "interval": 1e9, "startTime": 1764547200}},
        {"scheduleParams": {"timeUnit": "hour", "interval": 10**30, "startTime": 1764547200}},
        {"scheduleParams": [1]},
        {"sourceConnectionIds": [{"id": "x"}, 5, None]},
        {"sourceConnectionIds": ["a/b"]},
        {"id": "no/id"},
        {"state": ["enabled"]},
    ],
)
def test_an_odd_dataflow_hides_no_bad_run_of_another(odd):
    runs = [run_document(0), run_document(3, status="failed")]
    service = Service([{**flow_document("odd"), **odd}, flow_document()], runs)
    assert ("f", "failed") in told(check(service, at(), at(hour=5)))


@pytest.mark.parametrize(
    "schedule",
    [
        {"timeUnit": "minute", "interval": 15, "startTime": 1764547200},
        {"timeUnit": "hour", "interval": -1, "startTime": 1764547200},
        {"timeUnit": "hour", "interval": 3, "startTime": "2026-12-01"},
        {"timeUnit": "hour", "interval": 3, "startTime": 1764547200, "endTime": "2027-12-01"},
        {},
    ],
)
def test_an_export_whose_schedule_cannot_be_read_is_not_green(schedule):
    found = check(Service([flow_document(scheduleParams=schedule)], []), at(-40), at(hour=5))
    assert (found.outcome, told(found)) == ("warn", [("f", "unreadable")])


def test_a_dataflow_on_two_pages_is_told_once():
    service = Service([flow_document(), flow_document()], [run_document(0, status="failed")])
    assert told(check(service, at(), at(hour=1))) == [("f", "failed")]


def test_what_an_export_stands_in_alerts_when_it_is_read_for_the_first_time():
    hanging = Service([flow_document()], [run_document(0), run_document(3, minutes=None)])
    first = check(Service([flow_document("other")], []), at(hour=9), at(hour=10))
    found = check(hanging, at(hour=10), at(hour=11), handed_over(first))
    (export,) = found.exports
    assert [(each.kind, each.outcome) for each in export.standing if each.kind == "stuck"] == [
        ("stuck", "fail")
    ]


def test_a_run_that_was_usual_is_not_found_to_be_small_later():
    counts = [*[100] * 15, *[1000] * 3, 300, *[1000] * 6]
    runs = [run_document(24 * day, records=count) for day, count in enumerate(counts)]
    before, since = None, at()
    while since < at(len(counts)):
        listed_by_then = [each for each in runs if each["createdAt"] / 1000 < (since + HOUR * 24).timestamp()]
        found = check(
            Service([flow_document(every="1d")], listed_by_then),
            since,
            since + HOUR * 24,
            before,
            max_drop=0.5,
        )
        assert told(found) == []
        before, since = handed_over(found), since + HOUR * 24


def test_an_end_that_moves_is_no_second_failure():
    def failed(minutes: int) -> dict[str, Any]:
        document = run_document(0, status="failed", minutes=5)
        del document["metrics"]["durationSummary"]["completedAtUTC"]
        return {**document, "updatedAt": document["createdAt"] + minutes * 60_000}

    first = check(Service([flow_document()], [failed(5)]), at(), at(hour=1))
    second = check(Service([flow_document()], [failed(70)]), at(hour=1), at(hour=2), handed_over(first))
    assert (first.outcome, second.outcome, told(second)) == ("fail", "ok", [])


def test_of_two_runs_with_one_id_the_later_and_worse_counts():
    good = {**run_document(0), "id": "x"}
    bad = {**run_document(0, status="failed", minutes=20), "id": "x"}
    for runs in ([good, bad], [bad, good]):
        assert told(check(Service([flow_document()], runs), at(), at(hour=1))) == [("f", "failed")]


def test_thousands_of_runs_for_one_tick_are_judged_in_seconds():
    runs = []
    for second in range(3_000):
        run = a_run(at(minute=second / 60), 1, run_id=f"r{second}")
        runs.append(dict(run.raw))
    began = time.process_time()
    found = check(Service([flow_document()], runs), at(), at(hour=2, minute=20))
    assert ("f", "doubled") in told(found)
    # Cubic, it would take hours; how many seconds it takes depends on the machine.
    assert time.process_time() - began < 60
