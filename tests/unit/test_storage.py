"""Files in a storage, held against what a run says it delivered."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import mask_secret
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_aep.emulator import Clock, Emulator
from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.flowservice.runs import list_runs
from airflow_provider_aep.hooks.storage import (
    StorageCount,
    check_delivery,
    check_storage_path,
    count_files,
    judge_delivery,
)
from airflow_provider_aep.monitoring.verdict import RunPolicy, judge_runs
from tools.provisioning import new_dataflow

try:
    from airflow.sdk.io.store import _STORE_CACHE, attach
except ImportError:  # Airflow 2.11
    from airflow.io.store import _STORE_CACHE, attach

STARTED, COMPLETED = datetime(2026, 1, 1, 3, 0, tzinfo=UTC), datetime(2026, 1, 1, 3, 20, tzinfo=UTC)
IN_TIME, LONG_AGO = datetime(2026, 1, 1, 3, 10, tzinfo=UTC), datetime(2025, 6, 1, tzinfo=UTC)
ORDERS, PRODUCTS = "6501aa10c2d3e4f5061728a2", "6501aa10c2d3e4f5061728a3"
WHERE = "s3://acme/aep"


@pytest.fixture
def put(tmp_path):
    """``put("folder/file.json", written=...)``: a file of ten bytes in the storage."""

    def put(name: str, *, written: datetime = LONG_AGO) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"0123456789")
        os.utime(path, (written.timestamp(), written.timestamp()))

    return put


@pytest.fixture
def count(tmp_path):
    def counted(**given):
        return count_files(tmp_path.as_uri(), **{"since": STARTED, "until": COMPLETED, **given})

    return counted


def verdict(**changes):
    told = {"started_at": STARTED.isoformat(), "completed_at": COMPLETED.isoformat()}
    return {**told, "records_out": 100, "files": 3, "dataset_ids": [], **changes}


class TestWithTheEmulator:
    """What an export really leaves behind, as the run of that export tells of it."""

    @pytest.fixture
    def emulator(self, clock: Clock, tmp_path):
        return Emulator(clock=clock, root=tmp_path)

    @pytest.fixture
    def export(self, run, emulator, clock, tmp_path):
        """An export of products that has run at its first tick: the verdict, and the URL of its place."""

        def export(kind: str = "success"):
            now = datetime.fromtimestamp(clock(), tz=UTC)
            start = now + timedelta(minutes=1)
            flow_id = run(
                new_dataflow("crm", now, datasets=[PRODUCTS], path="aep/crm", every="3h", start=start)
            )
            emulator.script_runs(flow_id, [kind])
            clock.advance(3600)
            runs = run(list_runs(flow_id))
            return judge_runs(runs, RunPolicy()).to_json(), (tmp_path / "dlz-destination/aep/crm").as_uri()

        return export

    def test_a_delivery_is_found_with_its_numbers(self, export):
        told, place = export()
        finding = check_delivery(told, storage_path=place)
        assert (finding.status, finding.files, finding.bytes) == ("ok", told["files"], told["bytes"])
        files = f"{told['files']} file{'s'[: told['files'] > 1]}"
        assert finding.told == f"storage holds {files}, {told['bytes']:,} bytes under {place}"

    def test_files_that_were_taken_away_are_missed(self, export, tmp_path):
        told, place = export()
        for path in tmp_path.rglob("part-*"):
            path.unlink()
        finding = check_delivery(told, storage_path=place)
        assert finding.status == "missing"
        assert finding.told == (
            f"the run says it exported {told['records_out']:,} records in {told['files']} "
            f"file{'s'[: told['files'] > 1]}, and storage holds no file of it under {place}"
        )

    def test_a_run_without_records_left_nothing_as_it_says(self, export):
        told, place = export("zero")
        finding = check_delivery(told, storage_path=place)
        assert (finding.status, finding.files) == ("ok", 0)


def test_a_file_counts_by_its_folders_time_whenever_it_was_written(put, count):
    put(f"{PRODUCTS}/exportTime=202601010300/part-1.gz.parquet")
    put(f"{PRODUCTS}/exportTime=202601010000/part-1.gz.parquet")
    assert count() == StorageCount(files=1, bytes=10)


def test_a_late_runs_file_counts_by_when_it_was_written(put, count):
    put(f"{PRODUCTS}/exportTime=202601010030/part-1.json", written=IN_TIME)
    assert count() == StorageCount(files=1, bytes=10)


def test_any_folder_template_will_do_as_long_as_files_have_a_time(put, count):
    put("crm/nightly/part-1.json.gz", written=IN_TIME)
    put("crm/nightly/part-2.json.gz", written=COMPLETED + timedelta(minutes=9))  # clocks differ
    put("crm/nightly/part-3.json.gz", written=COMPLETED + timedelta(minutes=11))
    put("part-4.json.gz", written=STARTED - timedelta(minutes=9))
    put("part-5.json.gz", written=STARTED - timedelta(minutes=11))
    assert count() == StorageCount(files=3, bytes=30)


@pytest.mark.parametrize(
    "name",
    [
        "manifest-90c192cf-1f.json",
        "_SUCCESS",
        "_temporary.json",
        ".part-1.json.crc",
        "part-1.csv",
        "part-1.parquet.tmp",
        "json",
    ],
)
def test_what_is_no_delivered_file_does_not_count(put, count, name):
    put(name, written=IN_TIME)
    assert count().files == 0


@pytest.mark.parametrize("name", ["part-1.json", "part-1.json.gz", "part-1.parquet", "part-1.gz.parquet"])
def test_every_format_counts(put, count, name):
    put(name, written=IN_TIME)
    assert count().files == 1


def test_files_of_other_datasets_do_not_count_where_the_run_names_its_own(put, count):
    put(f"{PRODUCTS}/part-1.json", written=IN_TIME)
    put(f"S3_{ORDERS}_20260101/part-1.json", written=IN_TIME)
    assert count(dataset_ids=[PRODUCTS]).files == 1
    assert count(dataset_ids=[PRODUCTS, ORDERS]).files == 2
    assert count().files == 2


def test_folders_of_other_days_are_not_even_looked_into(put, count, tmp_path, monkeypatch):
    for day in range(1, 31):
        put(f"{PRODUCTS}/exportTime=202511{day:02d}0300/part-1.json")
    put(f"{PRODUCTS}/exportTime=202601010300/part-1.json")
    put(f"{PRODUCTS}/exportTime=209999999999/part-1.json")  # no time, so anybody's
    listed = []
    scandir = os.scandir

    def remembered(path):
        listed.append(str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", remembered)
    assert count().files == 1
    assert [path for path in listed if "202511" in path] == []
    assert [path for path in listed if "20260101" in path]


def test_a_place_that_is_not_there_yet_holds_nothing(tmp_path, count):
    assert count_files((tmp_path / "new").as_uri(), since=STARTED, until=COMPLETED).files == 0
    finding = check_delivery(verdict(), storage_path=(tmp_path / "new").as_uri())
    assert finding.status == "missing"


@pytest.mark.parametrize(
    ("told", "held", "status", "sentence"),
    [
        ({}, (3, 1234), "ok", f"storage holds 3 files, 1,234 bytes under {WHERE}"),
        ({}, (4, 1), "ok", f"storage holds 4 files, 1 byte under {WHERE}"),
        (
            {},
            (1, 10),
            "fewer",
            "the run says it exported 100 records in 3 files, and storage holds 1 file, 10 bytes "
            f"under {WHERE}",
        ),
        (
            {"files": None},
            (0, 0),
            "missing",
            f"the run says it exported 100 records, and storage holds no file of it under {WHERE}",
        ),
        (
            {"records_out": None},
            (0, 0),
            "missing",
            f"the run says it exported 3 files, and storage holds no file of it under {WHERE}",
        ),
        ({"files": None}, (1, 10), "ok", f"storage holds 1 file, 10 bytes under {WHERE}"),
        (
            {"records_out": 0, "files": 0},
            (0, 0),
            "ok",
            f"storage holds no file of it under {WHERE}, as the run says",
        ),
        (
            {"records_out": 0, "files": 0},
            (2, 20),
            "ok",
            f"storage holds 2 files, 20 bytes under {WHERE}, though the run says it exported no records",
        ),
        (
            {"records_out": None, "files": None},
            (0, 0),
            "unchecked",
            f"storage holds no file of it under {WHERE}, and the run does not say how much it exported",
        ),
        (
            {"records_out": None, "files": None},
            (2, 20),
            "ok",
            f"storage holds 2 files, 20 bytes under {WHERE}",
        ),
    ],
)
def test_what_a_count_makes_of_a_verdict(told, held, status, sentence):
    files, size = held
    finding = judge_delivery(verdict(**told), StorageCount(files=files, bytes=size), where=WHERE)
    assert finding.to_json() == {"status": status, "told": sentence, "files": files, "bytes": size}


@pytest.mark.parametrize("missing", [{"started_at": None}, {"completed_at": None}, {"completed_at": "soon"}])
def test_a_run_that_does_not_say_when_it_ran_cannot_be_checked(tmp_path, missing):
    finding = check_delivery(verdict(**missing), storage_path=tmp_path.as_uri())
    assert (finding.status, finding.files) == ("unchecked", None)
    assert "does not say when it ran" in finding.told


def test_a_storage_that_airflow_does_not_know_is_neither_a_good_nor_a_bad_delivery():
    finding = check_delivery(verdict(), storage_path="nope://reader@acme/aep")
    assert (finding.status, finding.files, finding.bytes) == ("unchecked", None, None)
    assert finding.told.startswith("the storage under nope://acme/aep could not be checked: ValueError: ")


def test_a_storage_that_refuses_or_breaks_off_is_neither_and_quotes_no_secret(put, tmp_path, monkeypatch):
    mask_secret("hunter2-Z9")  # as Airflow does with the password of a connection that it reads
    put("a/part-1.json", written=IN_TIME)
    put("b/part-1.json", written=IN_TIME)
    scandir = os.scandir

    def refused(path):
        if str(path).rstrip("/").endswith("/b"):
            raise PermissionError("the storage refuses ?sig=hunter2-Z9")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    finding = check_delivery(verdict(), storage_path=tmp_path.as_uri())
    assert finding.status == "unchecked"
    assert "PermissionError: the storage refuses ?sig=***" in finding.told


class TestAnObjectStore:
    """Buckets instead of folders, and other words for when a file was written."""

    @pytest.fixture
    def bucket(self):
        """An empty bucket ``acme``, where Airflow looks for ``s3``."""

        class Bucket(MemoryFileSystem):
            store, pseudo_dirs, cachable, written, listed = {}, ["", "/acme"], False, {}, {}

            def ls(self, path, detail=True, **more):
                if path not in self.listed:  # as stores do that are slow to list
                    self.listed[path] = super().ls(path, detail=True, **more)
                return [{**info, **self.written} for info in self.listed[path]]

            def invalidate_cache(self, path=None):
                self.listed.clear()

        fs = Bucket()
        attach("s3", fs=fs)
        yield fs
        _STORE_CACHE.clear()

    def test_it_is_read_as_airflow_reads_it(self, bucket):
        bucket.pipe("/acme/aep/crm/part-1.json", b"0123456789")
        bucket.written["LastModified"] = IN_TIME
        finding = check_delivery(verdict(files=1), storage_path="s3://acme/aep")
        assert finding.told == "storage holds 1 file, 10 bytes under s3://acme/aep"
        bucket.written["LastModified"] = LONG_AGO
        assert check_delivery(verdict(), storage_path="s3://acme/aep").status == "missing"

    @pytest.mark.parametrize(
        "written",
        [
            {"mtime": IN_TIME.timestamp()},
            {"last_modified": IN_TIME},
            {"updated": "2026-01-01T03:10:00.000Z"},
            {"mtime": datetime(2026, 1, 1, 3, 10)},  # noqa: DTZ001 - as some file systems have it
        ],
    )
    def test_every_word_for_when_is_understood(self, bucket, written):
        bucket.pipe("/acme/aep/part-1.json", b"0123456789")
        bucket.written.update(written)
        assert count_files("s3://acme/aep", since=STARTED, until=COMPLETED).files == 1

    def test_a_store_that_does_not_say_when_can_tell_by_the_folder_or_not_at_all(self, bucket):
        bucket.pipe(f"/acme/aep/{PRODUCTS}/exportTime=202601010300/part-1.json", b"0123456789")
        assert check_delivery(verdict(files=1), storage_path="s3://acme/aep").status == "ok"
        bucket.pipe("/acme/aep/part-2.json", b"0123456789")
        finding = check_delivery(verdict(files=1), storage_path="s3://acme/aep")
        assert finding.status == "unchecked"
        assert "does not say when a file was written" in finding.told

    def test_a_second_look_sees_what_has_arrived_since(self, bucket):
        bucket.written["LastModified"] = IN_TIME
        bucket.pipe("/acme/aep/part-1.json", b"0123456789")
        assert check_delivery(verdict(files=2), storage_path="s3://acme/aep").status == "fewer"
        bucket.pipe("/acme/aep/part-2.json", b"0123456789")
        assert check_delivery(verdict(files=2), storage_path="s3://acme/aep").status == "ok"

    def test_a_prefix_without_files_is_empty_and_a_bucket_that_is_not_there_is_a_mistake(self, bucket):
        assert check_delivery(verdict(), storage_path="s3://acme/aep").status == "missing"
        finding = check_delivery(verdict(), storage_path="s3://amce/aep")
        assert finding.status == "unchecked"
        assert finding.told.startswith("the storage under s3://amce/aep could not be checked: FileNotFound")


@pytest.mark.parametrize("path", ["", None, "acme/aep", "/data/aep", "s3://", "s3:acme", 7])
def test_a_place_that_is_no_url_is_refused_before_anything_is_waited_for(path):
    with pytest.raises(AepValidationError, match="storage_path must be a URL such as s3://bucket/path"):
        check_storage_path(path)
