from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.flowservice.run_record import DataflowRun, RunError, RunStatus, pick_runs
from airflow_provider_aep.flowservice.runs import list_runs

HOUR = 3600
STARTED, COMPLETED = 1767236401000, 1767236990000
DONE = {"startedAtUTC": STARTED, "completedAtUTC": COMPLETED}

# Documents as the Destinations API reference and the export tutorial print them, with made-up values.
SUCCESS = {
    "id": "run-1",
    "createdAt": 1767236400123,
    "updatedAt": 1767236999456,
    "flowId": "flow-1",
    "flowSpec": {"id": "269ba276-16fc-47db-92b0-c1049a3c131f", "version": "1.0"},
    "etag": '"2b00c1d2-0000-0200-0000-66f1a2b30000"',
    "metrics": {
        "durationSummary": DONE,
        "sizeSummary": {"inputBytes": 5242880, "outputBytes": 1310720},
        "recordSummary": {
            "inputRecordCount": 12000,
            "outputRecordCount": 12000,
            "createdRecordCount": 12000,
            "skippedRecordCount": 0,
            "targetSummaries": [{"id": "t", "outputRecordCount": 12000, "createdRecordCount": 12000}],
        },
        "fileSummary": {"inputFileCount": 2, "outputFileCount": 3},
        "statusSummary": {"status": "success", "activityRefs": ["a"]},
    },
    "activities": [
        {"id": "a", "statusSummary": {"status": "success", "extensions": {}}, "sourceInfo": None},
    ],
}
ABORTED = {"code": "ACTIVATION_BATCH-0000-FAILED", "message": "Job aborted."}
FAILED = {
    "id": "run-2",
    "createdAt": 1767236400123,
    "flowId": "flow-1",
    "metrics": {
        "durationSummary": DONE,
        "recordSummary": {
            "sourceSummaries": [{"id": "s"}],
            "targetSummaries": [{"id": "t"}],
            "failedInfo": [ABORTED],
        },
        "statusSummary": {"status": "failed", "errors": [ABORTED], "activityRefs": ["a"]},
    },
    "activities": [{"id": "a", "statusSummary": {"status": "failed", "errors": [ABORTED]}}],
}
ZERO = {
    "id": "run-3",
    "createdAt": 1767236400123,
    "flowId": "flow-1",
    "metrics": {
        "durationSummary": {"startedAtUTC": STARTED, "completedAtUTC": STARTED + 5},
        "sizeSummary": {"inputBytes": 0},
        "recordSummary": {
            "inputRecordCount": 0,
            "skippedRecordCount": 0,
            "sourceSummaries": [{"id": "s", "inputRecordCount": 0, "skippedRecordCount": 0}],
        },
        "statusSummary": {"status": "success"},
    },
}
UNDER_WAY = {
    "id": "run-4",
    "createdAt": 1767236400123,
    "flowId": "flow-1",
    "metrics": {"durationSummary": {"startedAtUTC": STARTED}, "statusSummary": {"status": "inProgress"}},
    "activities": [],
}
PARTIAL = {
    "id": "run-5",
    "createdAt": 1767236400123,
    "flowId": "flow-1",
    "metrics": {
        "durationSummary": DONE,
        "recordSummary": {"inputRecordCount": 100, "outputRecordCount": 99, "failedRecordCount": 1},
        "statusSummary": {
            "status": "partialSuccess",
            "errors": [{"code": "CONNECTOR-2001-500", "message": "Copy failed.", "count": 1}],
        },
    },
}


def run_of(document=SUCCESS, **metrics):
    """The run of a document whose metrics are changed."""
    changed = copy.deepcopy(document)
    changed["metrics"].update(metrics)
    return DataflowRun.from_api(changed)


def told(run):
    return run.status, run.records_in, run.records_out, run.bytes_out, run.files_out


# What a document says


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (SUCCESS, (RunStatus.SUCCESS, 12000, 12000, 1310720, 3)),
        (FAILED, (RunStatus.FAILED, None, None, None, None)),
        (ZERO, (RunStatus.SUCCESS, 0, 0, None, None)),
        (UNDER_WAY, (RunStatus.RUNNING, None, None, None, None)),
        (PARTIAL, (RunStatus.PARTIAL, 100, 99, None, None)),
    ],
    ids=["success", "failed", "zero", "in progress", "partial"],
)
def test_the_documented_runs_are_read(document, expected):
    assert told(DataflowRun.from_api(document)) == expected


def test_a_run_crosses_xcom_as_plain_json():
    assert DataflowRun.from_api(PARTIAL).to_json() == {
        "id": "run-5",
        "dataflow_id": "flow-1",
        "status": "partial",
        "started_at": "2026-01-01T03:00:01+00:00",
        "completed_at": "2026-01-01T03:09:50+00:00",
        "records_in": 100,
        "records_out": 99,
        "records_skipped": None,
        "records_failed": 1,
        "bytes": None,
        "files": None,
        "errors": [{"code": "CONNECTOR-2001-500", "message": "Copy failed."}],
    }


def test_the_untouched_document_is_kept_out_of_sight():
    run = DataflowRun.from_api(SUCCESS)
    assert run.raw is SUCCESS
    assert "activityRefs" not in repr(run)
    assert run == DataflowRun.from_api({**SUCCESS, "etag": "moved"})


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Success", RunStatus.SUCCESS),
        ("success", RunStatus.SUCCESS),
        ("SUCCESS", RunStatus.SUCCESS),
        ("Completed", RunStatus.SUCCESS),
        ("COMPLETED", RunStatus.SUCCESS),
        ("partialSuccess", RunStatus.PARTIAL),
        ("PARTIAL_SUCCESS", RunStatus.PARTIAL),
        ("PARTIAL_FAILURE", RunStatus.FAILED),
        ("Failed", RunStatus.FAILED),
        ("failed", RunStatus.FAILED),
        ("error", RunStatus.FAILED),
        ("cancelled", RunStatus.FAILED),
        ("Canceled", RunStatus.FAILED),
        ("aborted", RunStatus.FAILED),
        ("inProgress", RunStatus.RUNNING),
        ("IN_PROGRESS", RunStatus.RUNNING),
        ("Processing", RunStatus.RUNNING),
        ("Waiting", RunStatus.RUNNING),
        ("QUEUED", RunStatus.RUNNING),
        ("scheduled", RunStatus.RUNNING),
        ("pending", RunStatus.RUNNING),
    ],
)
def test_every_status_word_on_record_is_understood(word, status):
    run = run_of(statusSummary={"status": word})
    assert (run.status, run.status_word) == (status, word)
    assert run.finished is (status is not RunStatus.RUNNING)


@pytest.mark.parametrize("summary", [{"status": "reconciling"}, {"status": None}, {"status": 7}, {}, None])
def test_an_unknown_word_is_running_until_a_completion_time_says_otherwise(summary):
    under_way = run_of(statusSummary=summary, durationSummary={"startedAtUTC": STARTED})
    over = run_of(statusSummary=summary)
    assert (under_way.status, under_way.finished) == (RunStatus.RUNNING, False)
    assert (over.status, over.finished) == (RunStatus.UNKNOWN, True)


def test_the_end_is_read_under_the_references_name_too():
    run = run_of(durationSummary={"startedAtUTC": STARTED, "stoppedAtUTC": COMPLETED})
    assert run.completed_at == datetime.fromtimestamp(COMPLETED / 1000, tz=UTC)


@pytest.mark.parametrize(
    ("records", "exported"),
    [
        ({"outputRecordCount": 5, "createdRecordCount": 9}, 5),
        ({"createdRecordCount": 9}, 9),
        ({"outputRecordCount": -1, "createdRecordCount": 9}, 9),
        ({"outputRecordCount": 0, "inputRecordCount": 7}, 0),
        ({"targetSummaries": [{"outputRecordCount": 2}, {"outputRecordCount": 3}]}, 5),
        ({"targetSummaries": [{"outputRecordCount": 2}, {}]}, None),
        ({"targetSummaries": [None]}, None),
        ({"targetSummaries": []}, None),
        ({"inputRecordCount": 0}, 0),
        ({"inputRecordCount": 7}, None),
        ({"inputRecordCount": -1}, None),
        ({"inputRecordCount": False}, None),
        ({"outputRecordCount": "5"}, 5),
        ({"outputRecordCount": "0"}, 0),
        ({"outputRecordCount": "-1"}, None),
        ({"outputRecordCount": "five"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_number_of_exported_records_is_found_or_unknown_but_never_guessed(records, exported):
    assert run_of(recordSummary=records).records_out == exported


@pytest.mark.parametrize("nothing", [None, {}, "manifest", []])
def test_a_summary_that_is_missing_means_unknown(nothing):
    run = run_of(sizeSummary=nothing, recordSummary=nothing, fileSummary=nothing)
    assert told(run) == (RunStatus.SUCCESS, None, None, None, None)


def test_minus_one_means_unknown():
    run = run_of(
        sizeSummary={"outputBytes": -1},
        fileSummary={"outputFileCount": -1},
        recordSummary={"inputRecordCount": -1, "skippedRecordCount": -1, "failedRecordCount": -1},
    )
    assert told(run) == (RunStatus.SUCCESS, None, None, None, None)
    assert (run.records_skipped, run.records_failed) == (None, None)


@pytest.mark.parametrize("metrics", [None, {}])
def test_a_run_without_metrics_is_running_since_it_was_created(metrics):
    run = DataflowRun.from_api({"id": "r", "flowId": "f", "createdAt": STARTED, "metrics": metrics})
    assert (run.status, run.status_word, run.errors) == (RunStatus.RUNNING, "(none)", ())
    assert run.started_at == datetime.fromtimestamp(STARTED / 1000, tz=UTC)


@pytest.mark.parametrize("moment", [None, 0, -1, "soon", "17", True, 1e30])
def test_a_time_that_makes_no_sense_is_unknown(moment):
    document = {"id": "r", "flowId": "f", "createdAt": moment, "metrics": {"durationSummary": {}}}
    assert DataflowRun.from_api(document).started_at is None


def test_errors_are_collected_from_everywhere_once_and_in_order():
    deep = {"code": "CONNECTOR-1001-500", "message": "Copy failed.", "recordCount": 3}
    document = copy.deepcopy(FAILED)
    document["metrics"]["recordSummary"]["failedInfo"].append({"code": "MAPPER-3700-400"})
    document["activities"] = [
        {"statusSummary": {"errors": [ABORTED], "extensions": {"errors": [deep]}}},
        {"statusSummary": {"errors": None, "extensions": {"errors": [deep, ABORTED]}}},
        {"statusSummary": None},
        None,
    ]
    errors = DataflowRun.from_api(document).errors
    assert errors == (
        RunError("ACTIVATION_BATCH-0000-FAILED", "Job aborted."),
        RunError("MAPPER-3700-400", ""),
        RunError("CONNECTOR-1001-500", "Copy failed.", records=3),
    )
    assert [str(error) for error in errors[:2]] == [
        "ACTIVATION_BATCH-0000-FAILED: Job aborted.",
        "MAPPER-3700-400",
    ]


def test_warnings_are_no_errors():
    errors = [
        {"code": "W", "message": "slow", "type": "Warning"},
        {"code": "E", "message": "bad", "type": "Error"},
        {"message": "no code"},
        "odd",
    ]
    run = run_of(statusSummary={"status": "success", "errors": errors})
    assert [error.code for error in run.errors] == ["E", "(no code)"]


# Listing


def later(now, hours):
    return now + timedelta(hours=hours)


def test_runs_are_listed_newest_first(run, emulator, clock, make_dataflow):
    dataflow_id = make_dataflow()
    emulator.script_runs(None, ["success", "failed", "zero"])
    clock.advance(9 * HOUR)
    found = run(list_runs(dataflow_id))
    assert [each.status for each in found] == [RunStatus.SUCCESS, RunStatus.FAILED, RunStatus.SUCCESS]
    assert found[0].records_out == 0
    assert [each.started_at for each in found] == sorted((each.started_at for each in found), reverse=True)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("success", RunStatus.SUCCESS),
        ("zero", RunStatus.SUCCESS),
        ("failed", RunStatus.FAILED),
        ("partial", RunStatus.PARTIAL),
        ("in_progress", RunStatus.RUNNING),
        ("success_with_errors", RunStatus.SUCCESS),
        ("null_metrics", RunStatus.RUNNING),
        ("negative_counts", RunStatus.SUCCESS),
        ("unknown_status", RunStatus.UNKNOWN),
        ("reference_spelling", RunStatus.SUCCESS),
    ],
)
def test_every_kind_of_run_of_the_emulator_is_understood(run, emulator, clock, make_dataflow, kind, status):
    dataflow_id = make_dataflow()
    emulator.script_runs(None, [kind])
    clock.advance(2 * HOUR)
    (found,) = run(list_runs(dataflow_id))
    assert found.status is status


def test_a_run_is_asked_for_by_dataflow_and_judged_here(run, emulator, clock, make_dataflow):
    """The server's filters on status and start mind letter case in undocumented ways."""
    dataflow_id = make_dataflow()
    run(list_runs(dataflow_id))
    (asked,) = emulator.requests("GET", "/runs")
    assert asked.query == (
        ("property", f"flowId=={dataflow_id}"),
        ("orderby", "-createdAt"),
        ("limit", "100"),
    )


def test_runs_of_another_dataflow_are_ignored_even_if_the_service_sends_them(run, emulator):
    strangers = {"items": [{**SUCCESS, "flowId": "other"}, SUCCESS]}
    emulator.fail_next(200, body=strangers)
    assert [each.id for each in run(list_runs("flow-1"))] == ["run-1"]


def test_only_runs_since_a_moment_are_returned(run, clock, now, make_dataflow):
    dataflow_id = make_dataflow()
    clock.advance(9 * HOUR)
    assert len(run(list_runs(dataflow_id))) == 3
    since = run(list_runs(dataflow_id, started_after=later(now, 4)))
    assert [each.started_at for each in since] == [later(now, 7), later(now, 4)]


def test_a_window_ends_just_before_its_end(run, clock, now, make_dataflow):
    dataflow_id = make_dataflow()
    clock.advance(12 * HOUR)
    window = {"started_after": later(now, 4), "started_before": later(now, 10)}
    assert [each.started_at for each in run(list_runs(dataflow_id, **window))] == [
        later(now, 7),
        later(now, 4),
    ]
    early = run(list_runs(dataflow_id, started_before=later(now, 4)))
    assert [each.started_at for each in early] == [later(now, 1)]


def test_reading_stops_at_the_page_that_is_past_the_moment(run, emulator, clock, now, make_dataflow):
    dataflow_id = make_dataflow()
    clock.advance(60 * HOUR)
    emulator.log.clear()
    found = run(list_runs(dataflow_id, started_after=later(now, 55), page_size=3))
    assert len(found) == 2
    assert len(emulator.requests("GET", "/runs")) == 1
    found = run(list_runs(dataflow_id, started_after=later(now, 46), page_size=3))
    assert len(found) == 5
    assert len(emulator.requests("GET", "/runs")) == 3


def test_all_runs_of_a_dataflow_take_as_few_requests_as_the_service_allows(
    run, emulator, clock, make_dataflow
):
    dataflow_id = make_dataflow(every="1h")
    clock.advance(350 * 3600)
    emulator.tick()
    assert len(run(list_runs(dataflow_id))) == 350
    assert len(emulator.requests("GET", "/runs")) == 4


def test_without_a_moment_all_pages_are_read(run, emulator, clock, make_dataflow):
    dataflow_id = make_dataflow()
    clock.advance(60 * HOUR)
    assert len(run(list_runs(dataflow_id, page_size=3))) == 20


def test_a_run_that_failed_before_it_started_is_seen(run, emulator, now):
    stillborn = copy.deepcopy(FAILED)
    stillborn["createdAt"] = int(now.timestamp() * 1000)
    del stillborn["metrics"]["durationSummary"]
    emulator.fail_next(200, body={"items": [stillborn]})
    (found,) = run(list_runs("flow-1", started_after=now))
    assert (found.status, found.started_at) == (RunStatus.FAILED, now)


def test_one_run_for_each_dataset_is_fine_too(run, clock, make_dataflow):
    run.emulator = Emulator(clock=clock, run_per_dataset=True)
    dataflow_id = make_dataflow()
    clock.advance(2 * HOUR)
    assert len(run(list_runs(dataflow_id))) == 1


def test_a_run_exactly_at_the_moment_counts_and_one_without_a_time_does_not():
    run = DataflowRun.from_api(SUCCESS)
    timeless = DataflowRun.from_api({**SUCCESS, "createdAt": None, "metrics": {}})
    assert pick_runs([run, timeless], started_after=run.started_at) == [run]
    assert pick_runs([run], started_after=run.started_at + timedelta(milliseconds=1)) == []


def test_an_id_that_would_change_the_filter_is_refused(run, emulator):
    with pytest.raises(AepValidationError, match="dataflow_id"):
        run(list_runs("a,b==c"))
    assert emulator.log == []


@pytest.mark.parametrize("count", [float("inf"), float("nan"), float("-inf"), "seven", "", "7.5", True])
def test_a_count_that_is_no_number_is_unknown(count):
    assert run_of(recordSummary={"outputRecordCount": count}).records_out is None


def test_a_count_may_be_larger_than_any_float():
    assert run_of(recordSummary={"outputRecordCount": 10**400}).records_out == 10**400


@pytest.mark.parametrize("odd", [3, "text", {"id": "t"}, [3, None]])
def test_lists_of_an_unknown_shape_are_as_good_as_missing(odd):
    run = run_of({**SUCCESS, "activities": odd}, recordSummary={"targetSummaries": odd})
    assert (run.records_out, run.errors) == (None, ())


def test_a_run_of_the_very_millisecond_is_in_the_window():
    run = DataflowRun.from_api({"id": "r", "flowId": "f", "createdAt": 1_767_225_600_123})
    moment = datetime(2026, 1, 1, 0, 0, 0, 123_900, tzinfo=UTC)
    assert pick_runs([run], started_after=moment) == [run]
