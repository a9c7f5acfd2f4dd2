"""Files on disk: where they land, what is in them, and that runs tell the truth about them."""

from __future__ import annotations

import gzip
import json

import pytest
from pyarrow import parquet

from airflow_provider_aep.emulator import exporter
from airflow_provider_aep.emulator.readback import read_exports

HOUR = 3600
CRM, ORDERS = "5ef3e3259ad2a1191ab7dd7d", "6501aa10c2d3e4f5061728a2"
PRODUCTS = "6501aa10c2d3e4f5061728a3"
SLUGS = ["s3", "azure_blob", "adls_gen2", "data_landing_zone", "gcs", "sftp"]


@pytest.fixture
def api(make_caller, tmp_path):
    return make_caller(root=tmp_path, run_seconds=0)


def told(runs):
    """Records, files and bytes, as the runs have them."""
    sums = [run["metrics"] for run in runs]
    return [
        (
            each["recordSummary"]["outputRecordCount"],
            each["fileSummary"]["outputFileCount"],
            each["sizeSummary"]["outputBytes"],
        )
        for each in sums
    ]


@pytest.mark.parametrize("slug", SLUGS)
def test_files_land_below_the_destinations_place_by_dataset_and_export_time(api, tmp_path, six, slug):
    api.export(PRODUCTS, slug=slug)
    api.clock.advance(HOUR)
    api.emulator.tick()
    (folder,) = read_exports(tmp_path)
    # Source: export datasets tutorial, "Verify successful dataset export".
    lands = six[slug]["lands"]
    assert folder.path == tmp_path / lands / PRODUCTS / "exportTime=202601010100"
    assert folder.dataset_id == PRODUCTS
    assert f"{folder.export_time:%Y-%m-%d %H:%M %Z}" == "2026-01-01 01:00 UTC"


@pytest.mark.parametrize(
    ("file_type", "compression", "suffix"),
    [
        ("PARQUET", "GZIP", ".gz.parquet"),
        ("PARQUET", "NONE", ".parquet"),
        ("JSON", "GZIP", ".json.gz"),
        ("JSON", "NONE", ".json"),
    ],
)
def test_every_format_holds_as_many_rows_files_and_bytes_as_the_run_says(
    api, tmp_path, file_type, compression, suffix
):
    flow = api.export(CRM, params={"datasetFileType": file_type, "compression": compression})["flow"]
    api.clock.advance(4 * HOUR)
    runs = api.runs(flow)
    folders = read_exports(tmp_path)
    assert told(runs) == [(each.rows, each.files, each.bytes) for each in folders]
    for path in (path for each in folders for path in each.path.iterdir()):
        assert path.name.startswith("part-0000")
        assert path.name.partition("-c000")[2] == suffix
        if file_type == "PARQUET":
            packed = parquet.read_metadata(path).row_group(0).column(0).compression
            assert packed == {"GZIP": "GZIP", "NONE": "UNCOMPRESSED"}[compression]


def test_a_run_of_several_datasets_adds_up(api, tmp_path):
    flow = api.export(CRM, ORDERS, PRODUCTS)["flow"]
    api.clock.advance(HOUR)
    (counts,) = told(api.runs(flow))
    folders = read_exports(tmp_path)
    assert len(folders) == 3
    assert counts == tuple(
        sum(column) for column in zip(*((f.rows, f.files, f.bytes) for f in folders), strict=True)
    )


def test_incremental_exports_deliver_every_row_once_and_in_order(api, tmp_path):
    api.export(CRM, params={"datasetFileType": "JSON"})
    api.clock.advance(10 * HOUR)
    api.emulator.tick()
    seen = []
    for folder in read_exports(tmp_path):
        for path in sorted(folder.path.iterdir()):
            seen += [json.loads(line)["_id"] for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert len(read_exports(tmp_path)) == 4
    assert seen == [f"crm-{number:07d}" for number in range(api.emulator.count_rows(CRM))]


def test_parquet_and_json_hold_the_same_rows(api, tmp_path):
    api.export(ORDERS, slug="s3", exportMode="DAILY_FULL_EXPORT", timeUnit="day", interval=0)
    api.export(ORDERS, slug="data_landing_zone", params={"datasetFileType": "JSON"})
    api.clock.advance(HOUR)
    api.emulator.tick()
    as_json, as_parquet = [], []
    for path in sorted(tmp_path.rglob("part-*")):
        if path.suffix == ".gz":
            as_json += [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        else:
            as_parquet += parquet.ParquetFile(path).read().to_pylist()
    assert as_json == as_parquet
    assert len(as_json) > 2000


def test_a_failed_run_and_one_without_records_leave_nothing(api, tmp_path):
    api.emulator.script_runs(None, ["failed", "zero"])
    api.export(CRM)
    api.clock.advance(4 * HOUR)
    api.emulator.tick()
    assert list(tmp_path.rglob("*")) == []


def test_a_partial_run_leaves_its_good_rows(api, tmp_path):
    flow = api.export(PRODUCTS)["flow"]
    api.emulator.script_runs(flow, ["partial"])
    api.clock.advance(HOUR)
    (counts,) = told(api.runs(flow))
    (folder,) = read_exports(tmp_path)
    assert counts == (folder.rows, folder.files, folder.bytes)
    assert folder.rows == 294


def test_counts_are_the_same_when_nothing_is_written(api, make_caller):
    def records(caller):
        flow = caller.export(CRM)["flow"]
        caller.clock.advance(4 * HOUR)
        return [each[:2] for each in told(caller.runs(flow))]

    assert records(make_caller(run_seconds=0)) == records(api)


def test_an_hour_of_seconds_still_names_folders_by_full_hours(make_caller, tmp_path):
    api = make_caller(root=tmp_path, hour=2.0)
    api.export(CRM, startTime=int(api.clock.now))
    api.clock.advance(12.5)
    api.emulator.tick()
    assert [f"{each.export_time:%H:%M}" for each in read_exports(tmp_path)] == ["00:00", "03:00", "06:00"]


def test_an_export_in_between_gets_a_folder_of_its_own(api, tmp_path):
    flow = api.export(CRM)["flow"]
    api.clock.advance(HOUR)
    api.emulator.tick()
    api.emulator.add_rows(CRM, 5)
    api.emulator.run_now(flow)
    assert [each.rows for each in read_exports(tmp_path)] == [api.emulator.count_rows(CRM) - 5, 5]


def test_the_folder_template_fills_in_its_macros(api, tmp_path):
    # Source: export datasets tutorial, the folder name macros; %DATASET_NAME% from the reference.
    template = (
        "%DESTINATION%/%DATASET_NAME%_%DATASET_ID%/%DESTINATION_INSTANCE_NAME%-%DESTINATION_INSTANCE_ID%/"
        "%SANDBOX_NAME%/%ORGANIZATION_NAME%/%DATETIME(YYYYMMdd_HHmmss)%/%EXPORT_TIME%/%DESTINATION_NAME%"
    )
    flow = api.export(PRODUCTS, foldernameTemplate=template)["flow"]
    api.clock.advance(HOUR)
    api.emulator.tick()
    (folder,) = read_exports(tmp_path)
    assert folder.path.relative_to(tmp_path).as_posix() == (
        f"acme-exports/aep/crm/Amazon S3/Product Catalogue_{PRODUCTS}/crm-nightly-{flow}/"
        f"prod/{api.emulator.org_id}/20260101_010000/exportTime=202601010100/%DESTINATION_NAME%"
    )


def test_the_references_spelling_of_the_template_works_as_well(api, tmp_path):
    api.export(PRODUCTS, folderNameTemplate="%DATASET_ID%")
    api.clock.advance(HOUR)
    api.emulator.tick()
    (folder,) = read_exports(tmp_path)
    assert folder.path.name == PRODUCTS
    assert folder.export_time is None


@pytest.mark.parametrize(
    "path", ["../../outside", "/../../outside", "a/../../../outside/./", "..\\..\\outside"]
)
def test_no_path_leads_out_of_the_root(make_caller, tmp_path, path):
    root = tmp_path / "deep" / "root"
    api = make_caller(root=root, run_seconds=0)
    flow = api.export(
        PRODUCTS, slug="sftp", params={"remotePath": path}, foldernameTemplate="../../%DATASET_ID%"
    )
    api.clock.advance(HOUR)
    assert len(api.runs(flow["flow"])) == 1
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert files
    assert all(each.is_relative_to(root) for each in files)


def test_a_link_inside_the_root_does_not_lead_out_either(make_caller, tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "acme-exports").symlink_to(outside)
    api = make_caller(root=root, run_seconds=0)
    flow = api.export(PRODUCTS)["flow"]
    api.clock.advance(HOUR)
    (run,) = api.runs(flow)
    assert run["metrics"]["statusSummary"]["status"] == "failed"
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(("more", "files"), [(0, 1), (1, 2)])
def test_a_dataset_of_50_000_records_is_one_file_and_a_larger_one_more(api, tmp_path, more, files):
    # Source: June 2026 release notes.
    dataset = api.emulator.add_dataset("Large", rows=50_000 + more, hourly=0).id
    flow = api.export(dataset, params={"datasetFileType": "JSON"})["flow"]
    api.clock.advance(HOUR)
    ((rows, told_files, _),) = told(api.runs(flow))
    (folder,) = read_exports(tmp_path)
    assert (rows, told_files, folder.files) == (50_000 + more, files, files)
    assert folder.rows == rows


def test_a_reader_never_meets_half_a_file(api, tmp_path, monkeypatch):
    monkeypatch.setattr(exporter, "ROWS_PER_FILE", 1000)
    seen = []
    write = parquet.write_table

    def look_while_writing(table, path, **options):
        seen.append(list(tmp_path.rglob("part-*")))
        write(table, path, **options)

    monkeypatch.setattr(parquet, "write_table", look_while_writing)
    api.export(CRM)
    api.clock.advance(HOUR)
    api.emulator.tick()
    assert seen == [[], []]
    (folder,) = read_exports(tmp_path)
    assert sorted(folder.path.iterdir()) == sorted(folder.path.glob("part-*"))


def test_a_folder_without_rights_makes_the_run_fail_and_not_the_emulator(api, tmp_path):
    # A file where the folder should be: this refuses root, whom rights do not.
    (tmp_path / "acme-exports").write_text("in the way")
    flow = api.export(CRM)["flow"]
    api.clock.advance(HOUR)
    (run,) = api.runs(flow)
    assert run["metrics"]["statusSummary"]["status"] == "failed"


def test_a_name_that_no_disk_can_hold_makes_the_run_fail_and_not_the_emulator(api):
    flow = api.export(CRM, foldernameTemplate="x" * 5000)["flow"]
    api.clock.advance(HOUR)
    (run,) = api.runs(flow)
    assert run["metrics"]["statusSummary"]["status"] == "failed"


def test_without_pyarrow_a_root_is_refused_with_advice(make_caller, tmp_path, monkeypatch):
    monkeypatch.setattr("airflow_provider_aep.emulator.service.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"airflow-provider-aep\[emulator\]"):
        make_caller(root=tmp_path)
    make_caller().get("/flows")
