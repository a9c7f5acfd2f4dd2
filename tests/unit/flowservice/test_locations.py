from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_aep.errors import AepNotFoundError
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.dataflows import get_dataflow
from airflow_provider_aep.flowservice.destinations import DESTINATIONS
from airflow_provider_aep.flowservice.locations import PLACES, Folder, location_of, place_of, read_location
from airflow_provider_aep.flowservice.runs import list_runs

TUESDAY = datetime(2026, 12, 1, 6, 7, 8, tzinfo=UTC)


def location(template: str | None = None, destination: str | None = "s3", **params: Any):
    flow_spec_id = DESTINATIONS[destination].flow_spec_id if destination else "someone-elses"
    wire = {
        "id": "flow-1",
        "name": "nightly",
        "sandboxName": "prod",
        "flowSpec": {"id": flow_spec_id},
        "scheduleParams": {"foldernameTemplate": template} if template else {},
    }
    given = params or {"bucketName": "acme", "path": "aep/crm"}
    return location_of(Dataflow.from_api(wire), {"params": given}, dataset_ids=["d1", "d2"])


def urls(template: str, started_at: datetime | None = TUESDAY) -> list[tuple[str, bool]]:
    return [(each.url, each.exact) for each in location(template).folders(started_at, ["d1"])]


@pytest.mark.parametrize(
    ("destination", "params", "place"),
    [
        ("s3", {"bucketName": "acme", "path": "aep/crm"}, ("s3://acme", "aep/crm")),
        ("gcs", {"bucketName": "acme", "path": "/aep/"}, ("gs://acme", "aep")),
        ("azure_blob", {"container": "exports", "path": "aep//crm/"}, ("abfs://exports", "aep/crm")),
        ("data_landing_zone", {"path": "aep"}, ("abfs://dlz-destination", "aep")),
        ("adls_gen2", {"path": "aep"}, ("abfs://", "aep")),
        ("sftp", {"remotePath": "/in/aep"}, ("sftp://", "in/aep")),
        ("s3", {"bucketName": "acme"}, ("s3://acme", "")),
        (None, {"path": "aep"}, ("", "")),
    ],
)
def test_each_destination_has_its_kind_of_url(destination, params, place):
    assert place_of(destination, params) == place


def test_every_destination_has_a_place():
    assert set(PLACES) == set(DESTINATIONS)


def test_by_default_each_dataset_has_a_folder_for_each_export_time():
    assert location().folders(TUESDAY) == [
        Folder(url="s3://acme/aep/crm/d1/exportTime=202612010607/", exact=True),
        Folder(url="s3://acme/aep/crm/d2/exportTime=202612010607/", exact=True),
    ]
    assert location().url == "s3://acme/aep/crm/"


def test_export_time_is_told_in_utc():
    there = TUESDAY.astimezone(timezone(timedelta(hours=-5)))
    assert location().folders(there, ["d2"]) == location().folders(TUESDAY, ["d2"])


@pytest.mark.parametrize(
    ("template", "url", "exact"),
    [
        ("%SANDBOX_NAME%/%DATASET_ID%/%EXPORT_TIME%", "prod/d1/exportTime=202612010607/", True),
        ("%DATASET_ID%-%DATETIME(yyyyMMdd_HHmm)%", "d1-20261201_0607/", True),
        # The second in which an export began is nobody's to know, and so is what Adobe calls a destination.
        ("%DATASET_ID%/%DATETIME(yyyyMMdd_HHmmss)%", "d1/", False),
        ("exports/%DESTINATION%/%DATASET_ID%/%EXPORT_TIME%", "exports/", False),
        ("%DESTINATION%_%DATASET_ID%", "", False),
        ("%DATASET_ID%/%ORGANIZATION_NAME%", "d1/", False),
        ("%DATASET_ID%/%DATETIME()%", "d1/", False),
        ("%DATASET_ID%", "d1/", False),  # every run writes there
        ("%EXPORT_TIME%", "exportTime=202612010607/", False),  # every dataset does
        ("/", "", False),
    ],
)
def test_a_folder_is_told_as_far_as_it_can_be_known(template, url, exact):
    assert urls(template) == [(f"s3://acme/aep/crm/{url}", exact)]


def test_without_a_start_the_folder_ends_before_its_time():
    assert urls("%DATASET_ID%/%EXPORT_TIME%", None) == [("s3://acme/aep/crm/d1/", False)]


SIX = TUESDAY.replace(minute=0, second=0)


def six_hourly(**changes: Any):
    schedule = {"timeUnit": "hour", "interval": 6, "startTime": int((SIX - timedelta(days=1)).timestamp())}
    return replace(location(), schedule={**schedule, **changes})


@pytest.mark.parametrize(
    ("started_at", "time", "sure"),
    [
        (SIX, SIX, True),
        (SIX + timedelta(minutes=4), SIX, True),
        (SIX - timedelta(seconds=90), SIX, True),
        (TUESDAY, TUESDAY, False),  # seven minutes late, or ad hoc
        (None, None, False),
    ],
)
def test_a_run_that_starts_with_a_tick_has_the_folder_of_that_tick(started_at, time, sure):
    assert six_hourly().folder_time(started_at) == (time, sure)


def test_the_folder_of_a_run_bears_the_time_of_its_tick_where_that_is_known():
    assert six_hourly().folder_time(SIX + timedelta(hours=3), tick=SIX) == (SIX, True)
    assert six_hourly().folder_time(None, tick=SIX) == (SIX, True)


@pytest.mark.parametrize("odd", [{"timeUnit": "moon"}, {"startTime": "soon"}, {"interval": None}])
def test_under_a_schedule_that_cannot_be_read_no_folder_is_sure(odd):
    assert six_hourly(**odd).folder_time(SIX) == (SIX, False)


def test_a_destination_that_is_not_ours_has_no_folders():
    nowhere = location(destination=None, path="aep")
    assert (nowhere.folders(TUESDAY), nowhere.url) == ([], "")


def test_where_host_or_container_belong_to_the_login_the_url_has_none():
    assert location(destination="sftp", remotePath="in").url == "sftp:///in/"
    assert location(destination="adls_gen2", path="in").url == "abfs:///in/"


def test_the_reference_spells_the_template_in_another_way():
    wire = {"id": "f", "scheduleParams": {"folderNameTemplate": "x/%DATASET_ID%"}}
    assert location_of(Dataflow.from_api(wire), {}).folder_template == "x/%DATASET_ID%"


def test_it_is_read_from_the_dataflow_and_its_two_connections(run, emulator, make_dataflow):
    flow_id = make_dataflow("nightly")
    found = run(read_location(flow_id))
    assert (found.dataflow_name, found.sandbox, found.destination) == ("nightly", "prod", "data_landing_zone")
    assert (found.url, found.file_type) == ("abfs://dlz-destination/exports/", "JSON")
    assert found.dataset_ids == (emulator.datasets()[0].id,)
    assert [each.path.split("/")[1] for each in emulator.requests("GET")] == [
        "flows",
        "targetConnections",
        "sourceConnections",
    ]


def test_a_dataflow_that_was_read_already_is_not_read_again(run, emulator, make_dataflow):
    flow = run(get_dataflow(make_dataflow()))
    emulator.log.clear()
    run(read_location(flow))
    assert emulator.requests("GET", "/flows/*") == []


def test_a_dataflow_that_is_gone_has_no_location(run):
    with pytest.raises(AepNotFoundError):
        run(read_location("12401496-2573-4ca7-8137-fef1aeb9dd4c"))


def test_the_files_are_where_it_says(run, emulator, make_dataflow, clock, tmp_path):
    emulator._world.lifecycle._exporter._root = tmp_path
    flow_id = make_dataflow()
    clock.advance(2 * 3600)
    (done,) = run(list_runs(flow_id))
    (folder,) = run(read_location(flow_id)).folders(done.started_at, done.dataset_ids)
    place = tmp_path / folder.url.removeprefix("abfs://")
    assert len(list(place.iterdir())) == done.files_out
