"""These run where the OpenLineage provider is installed, and are skipped elsewhere."""

from __future__ import annotations

import pytest

from airflow_provider_aep.assets import asset_to_openlineage, export_asset
from airflow_provider_aep.flowservice.locations import Location

pytest.importorskip(
    "airflow.providers.openlineage.extractors",
    reason="needs apache-airflow-providers-openlineage",
)

from airflow_provider_aep.assets.lineage import facets_of
from airflow_provider_aep.sensors import AepDataflowRunSensor
from tests.unit.task_instance import context_of

LOCATION = Location(
    dataflow_id="flow-1",
    dataflow_name="nightly",
    sandbox="prod",
    destination="s3",
    storage="s3://acme",
    path="aep",
    dataset_ids=("d1", "d2"),
)
VERDICT = {"sandbox": "prod", "dataset_ids": ["d1"], "records_out": 12000, "bytes": 4096, "files": 2}


def test_a_dataset_goes_in_and_its_files_come_out_with_their_numbers():
    told = facets_of(VERDICT, LOCATION, org="ORG@AdobeOrg")
    assert [(one.namespace, one.name) for one in told.inputs] == [("aep://ORG/prod", "d1")]
    (out,) = told.outputs
    assert (out.namespace, out.name) == ("s3://acme", "aep/d1")
    numbers = out.outputFacets["outputStatistics"]
    assert (numbers.rowCount, numbers.size, numbers.fileCount) == (12000, 4096, 2)


def test_an_asset_among_the_outlets_names_the_input():
    asset = export_asset(org="ORG", sandbox="prod", dataset="CRM Profiles", export="nightly")
    told = facets_of(VERDICT, LOCATION, org="ORG", outlets=[asset, "other"])
    assert [(one.namespace, one.name) for one in told.inputs] == [("aep://ORG/prod", "CRM Profiles")]
    converted = asset_to_openlineage(asset, None)
    assert (converted.namespace, converted.name) == ("aep://ORG/prod", "CRM Profiles")


def test_the_numbers_of_all_are_nobodys_own():
    told = facets_of({**VERDICT, "dataset_ids": []}, LOCATION, org="ORG")
    assert [one.name for one in told.outputs] == ["aep/d1", "aep/d2"]
    assert [dict(one.outputFacets) for one in told.outputs] == [{}, {}]


def test_what_is_not_known_is_left_out():
    told = facets_of(None, None)
    assert (told.inputs, told.outputs) == ([], [])
    assert facets_of(VERDICT, LOCATION).inputs == []


def test_the_task_reads_where_it_delivers_and_the_extraction_asks_adobe_nothing(
    aep, make_dataflow, clock, now, ti, monkeypatch
):
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:1")
    flow = make_dataflow("crm-nightly")
    aep.script_runs(flow, ["success"])
    clock.advance(2 * 3600)
    sensor = AepDataflowRunSensor(task_id="judge", dataflow_id=flow, started_after=now)
    sensor.execute(context_of(ti))
    aep.log.clear()
    told = sensor.get_openlineage_facets_on_complete(ti)
    assert [one.namespace for one in told.inputs]
    assert [one.name for one in told.outputs]
    assert list(aep.log) == []


def test_where_nobody_collects_lineage_nothing_is_read_for_it(aep, make_dataflow, clock, now, ti):
    flow = make_dataflow("crm-nightly")
    aep.script_runs(flow, ["success"])
    clock.advance(2 * 3600)
    sensor = AepDataflowRunSensor(task_id="judge", dataflow_id=flow, started_after=now)
    sensor.execute(context_of(ti))
    assert sensor.known_location is None
    assert not any("/targetConnections" in request.path for request in aep.log)
