"""The story of one export, as all who have it open share it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from airflow_provider_aep.page.story import Stories, read_told

HOUR = 3600


@pytest.fixture
def stories(run, clock):
    """Stories that read the emulator."""

    def read(conn_id, sandbox, dataflow_id):
        now = datetime.fromtimestamp(clock(), tz=UTC)
        return run(read_told(dataflow_id, conn_id=conn_id, sandbox=sandbox, now=now))

    return Stories(read)


def look(stories, dataflow_id):
    return stories.of("aep_default", "prod", dataflow_id).look(fresh_seconds=120, patience=10.0)


def test_it_is_read_when_it_is_opened_and_once_for_all_who_look(stories, emulator, clock, make_dataflow):
    flow = make_dataflow("orders")
    clock.advance(5 * HOUR)
    emulator.log.clear()
    with ThreadPoolExecutor(10) as viewers:
        seen = list(viewers.map(lambda _: look(stories, flow), range(10)))
    assert {one.state for one in seen} == {"ok"}
    cost = [each.path for each in emulator.log]
    assert cost.count(f"/flows/{flow}") == 1
    assert len(cost) < 15


def test_it_holds_what_the_drawing_and_the_rows_need_and_no_document(stories, clock, make_dataflow):
    flow = make_dataflow("orders")
    clock.advance(5 * HOUR)
    told = look(stories, flow).snapshot.document
    assert [each[1] for each in told["went_out"]] == ["good", "good"]
    assert all(len(each) == 3 for each in told["came_in"])
    assert told["summary"].startswith("orders is well: ")
    assert not {"ingestion", "exports"} & told.keys()
    assert "etag" not in json.dumps(told)


def test_an_export_that_was_deleted_meanwhile_is_told_as_such(stories):
    seen = look(stories, "90c192cf-d3ac-44af-8f21-ddb66cad4a26")
    assert (seen.state, seen.snapshot) == ("error", None)
    assert seen.error["kind"] == "refused"
