"""What a plan warns of where an export goes on in another place, or its start moves at every ensure."""

from __future__ import annotations

from datetime import timedelta

import pytest

STAYS = "what was delivered so far stays"


def s3(**params):
    place = {"bucketName": "acme-exports", "path": "aep/crm", "datasetFileType": "PARQUET", **params}
    return {"type": "s3", "credentials_conn_id": "crm_bucket", "params": place}


@pytest.mark.parametrize(
    ("moved", "from_where"),
    [
        ({"bucketName": "acme-other"}, "bucketName acme-exports"),
        ({"path": "aep/other"}, "path aep/crm"),
        ({"bucketName": "acme-other", "path": "aep/other"}, "bucketName acme-exports, path aep/crm"),
    ],
)
def test_an_export_that_moves_in_place_warns_that_only_what_is_new_goes_there(desk, moved, from_where):
    document = desk.spec(destination=s3())
    desk.ensure(document)
    plan = desk.plan(desk.spec(destination=s3(**moved)))
    (told,) = [one for one in plan.warnings if STAYS in one]
    assert from_where in told
    assert "only new data from now on" in told
    assert "delete the export (AepDeleteExportOperator, aep delete) and ensure it again" in told


@pytest.mark.parametrize(
    ("before", "from_where"),
    [(None, "the old place"), ("%DESTINATION%/%DATASET_ID%", "folder_template %DESTINATION%/%DATASET_ID%")],
)
def test_other_folders_are_another_place_too(desk, before, from_where):
    words = {"every": "3h", "end": (desk.now + timedelta(days=90)).isoformat()}
    desk.ensure(desk.spec(schedule={**words, **({"folder_template": before} if before else {})}))
    plan = desk.plan(desk.spec(schedule={**words, "folder_template": "%DATASET_NAME%"}))
    (told,) = [one for one in plan.warnings if STAYS in one]
    assert from_where in told
    assert "only new data from now on" in told


def test_another_storage_warns_that_a_new_dataflow_begins_with_a_full_export(desk):
    desk.ensure(desk.spec(destination=s3()))
    plan = desk.plan(desk.spec(destination={**s3(), "type": "gcs"}))
    (told,) = [one for one in plan.warnings if STAYS in one]
    assert "begins with a full export" in told


def test_another_format_moves_nothing(desk):
    desk.ensure(desk.spec(destination=s3()))
    plan = desk.plan(desk.spec(destination=s3(datasetFileType="JSON")))
    assert plan.changes
    assert not [one for one in plan.warnings if STAYS in one]


def test_a_new_export_and_an_unchanged_one_warn_of_no_move(desk):
    document = desk.spec(destination=s3())
    assert not [one for one in desk.plan(document).warnings if STAYS in one]
    desk.ensure(document)
    assert not [one for one in desk.plan(document).warnings if STAYS in one]


def test_a_start_that_only_moves_is_a_warning(desk):
    start = desk.now
    schedule = {"every": "3h", "end": (start + timedelta(days=90)).isoformat()}
    desk.ensure(desk.spec(schedule={**schedule, "start": start.isoformat()}))
    desk.clock.advance(3 * 3600)
    later = (start + timedelta(hours=3)).isoformat()
    plan = desk.plan(desk.spec(schedule={**schedule, "start": later}))
    (told,) = [one for one in plan.warnings if "schedule.start" in one]
    assert "data_interval_start" in told
    assert "leave start out" in told

    other = {**schedule, "every": "6h", "start": later}
    assert not [one for one in desk.plan(desk.spec(schedule=other)).warnings if "schedule.start" in one]
