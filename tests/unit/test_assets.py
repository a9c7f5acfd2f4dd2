from __future__ import annotations

import json
import warnings
from datetime import UTC, datetime
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import Asset
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_aep._airflow import AIRFLOW_V_3_1_PLUS
from airflow_provider_aep.assets import (
    asset_event_extra,
    asset_uri,
    create_asset,
    emit_asset_events,
    export_asset,
    is_export_asset,
    openlineage_name,
    sanitize_uri,
)
from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.flowservice.locations import Location
from airflow_provider_aep.flowservice.run_record import DataflowRun

CRM = {"org": "1234567890ABCDEF@AdobeOrg", "sandbox": "prod", "dataset": "CRM Profiles"}
URI = "aep://1234567890ABCDEF/prod/dataset/CRM%20Profiles"
LOCATION = Location(
    dataflow_id="flow-1",
    dataflow_name="nightly",
    sandbox="prod",
    destination="s3",
    storage="s3://acme",
    path="aep",
    file_type="PARQUET",
    dataset_ids=("d1", "d2"),
    schedule={
        "timeUnit": "hour",
        "interval": 3,
        "startTime": int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()),
    },
)
VERDICT = {
    "status": "success",
    "run_ids": ["run-1"],
    "dataflow_id": "flow-1",
    "dataflow_name": "nightly",
    "records_out": 12000,
    "bytes": 4096,
    "files": 2,
    "dataset_ids": ["d1"],
    "started_at": "2026-12-01T06:00:00+00:00",
    "completed_at": "2026-12-01T06:10:00+00:00",
}


@pytest.fixture(autouse=True)
def no_warnings():
    """Airflow warns of what it drops from a URI, and of what breaks its rules."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


def test_an_asset_is_named_by_its_parts():
    assert asset_uri(**CRM) == URI
    assert asset_uri(**CRM, export="nightly/2") == f"{URI}/nightly%2F2"
    assert asset_uri(**{**CRM, "org": "1234567890ABCDEF"}) == URI


def test_airflow_keeps_the_uri_as_it_is():
    assert export_asset(**CRM).uri == URI
    assert create_asset(**CRM, export="nightly").uri == f"{URI}/nightly"


@pytest.mark.parametrize("given", [f"{URI}/", "AEP://1234567890ABCDEF/prod/dataset/CRM%20%50rofiles"])
def test_airflow_brings_other_spellings_into_the_one_form(given):
    assert Asset(uri=given).uri == URI


def test_letter_case_tells_datasets_apart():
    assert export_asset(**CRM) != export_asset(**{**CRM, "dataset": "crm profiles"})


@pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="before, Airflow drops what precedes an @")
@pytest.mark.parametrize("at", ["@", "%40"])
def test_an_organization_in_full_is_shortened(at):
    assert Asset(uri=f"aep://1234567890ABCDEF{at}AdobeOrg/prod/dataset/CRM%20Profiles").uri == URI


@pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="Airflow 2 knows no names of assets")
def test_an_asset_may_have_a_name():
    assert export_asset(**CRM, name="crm").name == "crm"
    assert export_asset(**CRM).name == URI


def test_any_character_may_be_in_a_name():
    odd = {"dataset": "50% of a/b? #1 é", "export": "..&="}
    uri = export_asset(**{**CRM, **odd}).uri
    assert uri == asset_uri(**{**CRM, **odd})
    assert uri.isascii()
    assert openlineage_name(uri) == ("aep://1234567890ABCDEF/prod", odd["dataset"])


@pytest.mark.parametrize(
    "uri",
    [
        "aep://ORG/prod/dataset",
        "aep://ORG/prod/dataset/",
        "aep://ORG/prod/flow/x",
        "aep://ORG/prod/dataset/x/y/z",
        "aep://ORG/PROD/dataset/x",
        "aep://ORG/prod/dataset/x?since=1",
        "aep:///prod/dataset/x",
        "aep://AdobeOrg/prod/dataset/x",  # what Airflow 2 leaves of ORG@AdobeOrg
        "aep://O_R:G/prod/dataset/x",
        "aep://ORG/prod/dataset/%0A",
        "aep:",
    ],
)
def test_a_uri_that_is_none_of_ours_is_refused(uri):
    with pytest.raises(ValueError, match=r"aep URI|org must|sandbox must|dataset must"):
        sanitize_uri(urlsplit(uri))


def test_airflow_asks_us_about_our_scheme():
    wrong = "aep://ORG/prod/nonsense"
    with pytest.raises(ValueError if AIRFLOW_V_3_0_PLUS else UserWarning, match="aep URI must be"):
        Asset(uri=wrong)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("org", ""),
        ("org", "two words@AdobeOrg"),
        ("sandbox", "Prod"),
        ("sandbox", None),
        ("dataset", " "),
        ("dataset", 5),
        ("export", "line\nbreak"),
        ("export", ""),
        ("dataset", "é" * 1000),
    ],
)
def test_bad_parts_are_named(field, value):
    with pytest.raises(AepValidationError) as error:
        export_asset(**{**CRM, "export": "e", field: value})
    assert [problem.pointer for problem in error.value.problems] == [field]


def test_an_event_tells_where_the_files_of_the_run_are():
    extra = asset_event_extra(VERDICT, LOCATION)
    assert extra == {
        "run_ids": ["run-1"],
        "dataflow_id": "flow-1",
        "dataflow_name": "nightly",
        "status": "success",
        "records": 12000,
        "bytes": 4096,
        "files": 2,
        "file_type": "PARQUET",
        "paths": ["s3://acme/aep/d1/exportTime=202612010600/"],
        "exact": True,
        "window": {"started_at": VERDICT["started_at"], "completed_at": VERDICT["completed_at"]},
    }
    assert json.loads(json.dumps(extra)) == extra


def run(minute: int, records: int, *dataset_ids: str) -> DataflowRun:
    started = int(datetime(2026, 12, 1, 6, minute, tzinfo=UTC).timestamp() * 1000)
    entities = [{"id": f"dataset:{dataset_id}"} for dataset_id in dataset_ids]
    records_told = {"outputRecordCount": records, "targetSummaries": [{"entitySummaries": entities}]}
    metrics = {"durationSummary": {"startedAtUTC": started}, "recordSummary": records_told}
    return DataflowRun.from_api({"id": f"run-{minute}", "flowId": "flow-1", "metrics": metrics})


def test_each_of_several_runs_has_its_own_folders():
    extra = asset_event_extra(VERDICT, LOCATION, [run(0, 5, "d1"), run(33, 7)])
    assert [path.removeprefix("s3://acme/aep/") for path in extra["paths"]] == [
        "d1/exportTime=202612010600/",
        "d1/exportTime=202612010633/",
        "d2/exportTime=202612010633/",
    ]


def test_runs_that_start_with_their_tick_share_the_folder_time_of_that_tick():
    extra = asset_event_extra(VERDICT, LOCATION, [run(0, 5, "d1"), run(3, 7, "d2")])
    assert [path.removeprefix("s3://acme/aep/") for path in extra["paths"]] == [
        "d1/exportTime=202612010600/",
        "d2/exportTime=202612010600/",
    ]
    assert extra["exact"]


def test_the_folder_of_a_late_run_bears_the_time_of_its_tick_where_that_is_known():
    late = [run(50, 5, "d1")]
    tick = datetime(2026, 12, 1, 6, tzinfo=UTC)
    extra = asset_event_extra(VERDICT, LOCATION, late, tick=tick)
    assert (extra["paths"], extra["exact"]) == (["s3://acme/aep/d1/exportTime=202612010600/"], True)


def test_where_the_tick_of_a_late_run_is_not_known_its_folder_is_a_guess_and_says_so():
    extra = asset_event_extra(VERDICT, LOCATION, [run(50, 5, "d1")])
    assert (extra["paths"], extra["exact"]) == (["s3://acme/aep/d1/exportTime=202612010650/"], False)


def test_one_guess_among_several_runs_makes_the_whole_no_longer_exact():
    assert not asset_event_extra(VERDICT, LOCATION, [run(0, 5, "d1"), run(50, 5, "d2")])["exact"]


def test_an_empty_run_has_no_files():
    assert asset_event_extra({**VERDICT, "records_out": 0}, LOCATION)["paths"] == []
    assert asset_event_extra(VERDICT, LOCATION, [run(0, 0), run(33, 1, "d2")])["paths"] == [
        "s3://acme/aep/d2/exportTime=202612010633/"
    ]


def test_where_the_location_is_unknown_the_numbers_are_told_all_the_same():
    extra = asset_event_extra(VERDICT, None)
    assert (extra["paths"], extra["exact"], extra["records"]) == ([], False, 12000)


def test_a_verdict_without_times_names_the_folder_as_far_as_it_is_known():
    extra = asset_event_extra({**VERDICT, "started_at": None}, LOCATION)
    assert (extra["paths"], extra["exact"]) == (["s3://acme/aep/d1/"], False)


def test_only_outlets_of_ours_are_told():
    ours, other = export_asset(**CRM), Asset(uri="s3://acme/other")
    events = {ours.uri: SimpleNamespace(extra={}), other.uri: SimpleNamespace(extra={"kept": 1})}

    class Accessors:
        def __getitem__(self, asset):
            return events[asset.uri]

    emit_asset_events({"outlet_events": Accessors()}, [ours, other, "no asset"], {"records": 5})
    assert events[ours.uri].extra == {"records": 5}
    assert events[other.uri].extra == {"kept": 1}
    assert not is_export_asset("aep://ORG/prod/dataset/x")
