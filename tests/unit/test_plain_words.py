"""A refused spec says in plain words what is wrong and what to write, and never quotes the value."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.exports.spec import parse_spec, parse_specs
from airflow_provider_aep.flowservice.cadences import CADENCES
from airflow_provider_aep.flowservice.connections import (
    create_base_connection,
    create_source_connection,
    create_target_connection,
)
from airflow_provider_aep.flowservice.destinations import DESTINATIONS, S3
from airflow_provider_aep.flowservice.schedule import merge_schedule, parse_schedule, parse_schedule_change
from airflow_provider_aep.flowservice.validation import schema_problems

NOW = datetime(2026, 11, 29, tzinfo=UTC)
SPEC: dict[str, Any] = {
    "name": "crm",
    "datasets": [{"name": "Loyalty Profiles"}],
    "destination": {
        "type": "s3",
        "credentials_conn_id": "crm_bucket",
        "params": {"bucketName": "acme-exports", "path": "aep/crm", "datasetFileType": "JSON"},
    },
    "schedule": {"every": "3h", "start": "2026-12-01", "end": "2027-06-01"},
}


def changed(**changes: Any) -> dict[str, Any]:
    """``SPEC`` with ``destination__params__path=...`` and the like."""
    spec = copy.deepcopy(SPEC)
    for path, value in changes.items():
        *folders, last = path.split("__")
        place = spec
        for folder in folders:
            place = place[folder]
        place[last] = value
    return spec


def told(spec: Any) -> dict[str, str]:
    with pytest.raises(AepValidationError) as refused:
        parse_spec(spec)
    return {problem.pointer: problem.message for problem in refused.value.problems}


# When a spec is read, offline


@pytest.mark.parametrize(
    ("changes", "pointer", "words"),
    [
        (
            {"destination__params__bucketName": "s3://acme/crm"},
            "/destination/params/bucketName",
            "without s3://",
        ),
        (
            {"destination__params__bucketName": "acme/crm"},
            "/destination/params/bucketName",
            "must be only the name: the folder belongs in path",
        ),
        (
            {"destination__params__path": "s3://acme-exports/crm"},
            "/destination/params/path",
            "must be a folder, not a URL: leave out the scheme and the bucket, container or host",
        ),
        ({"datasets": ["Loyalty Profiles"]}, "/datasets/0", "write a name as {name: ...}"),
        ({"datasets": [{"id": "Loyalty Profiles"}]}, "/datasets/0/id", "write a name as {name: ...}"),
        ({"datasets": "Loyalty"}, "/datasets", "must be a list"),
        ({"datasets": [7]}, "/datasets/0", "must be a text or a dict: put it in quotes"),
        ({"datasets": [{"name": "a"}, {"name": "a"}]}, "/datasets/1", "leave it out"),
        ({"destination": "s3"}, "/destination", "must be a dict"),
        ({"destination__type": "S3"}, "/destination/type", "gcs, sftp (did you mean 's3'?)"),
        ({"destination__type": "azure"}, "/destination/type", "(did you mean 'azure_blob'?)"),
        ({"destination__params__datasetFileType": "parquet"}, None, "(did you mean 'PARQUET'?)"),
        ({"destination__params__compression": "gzip"}, None, "(did you mean 'GZIP'?)"),
        ({"sandbox": "Production"}, "/sandbox", "must be the name of a sandbox, not its title"),
        ({"adopt": "Orders to landing"}, "/adopt", "AepListDataflowsOperator"),
        ({"colour": 1}, "/colour", "is not known; there are name, owner, description, sandbox"),
        ({"schedule__timeUnit": "hour"}, "/schedule/timeUnit", "is not known (did you mean 'every'?)"),
        ({"schedule__start": "now"}, "/schedule/start", "must be a moment such as 2026-12-01T00:00:00Z"),
        ({"schedule__end": "2026-11-01"}, "/schedule/end", "must be later than the start: give a later end"),
        ({"schedule__end": 1_900_000_000_000}, "/schedule/end", "divide it by 1000"),
        ({"schedule__start": True}, "/schedule/start", "must be a text or a number"),
        ({"destination__params__x": float("nan")}, "/destination/params/x", "not NaN or infinite"),
        ({"exports": [SPEC]}, "/exports", "give it as specs, not as spec"),
        (
            {
                "destination": {
                    "type": "s3",
                    "base_connection_id": "9a2f5d1c",
                    "encryption_conn_id": "key",
                    "params": SPEC["destination"]["params"],
                }
            },
            "/destination/encryption_conn_id",
            "must not be given with base_connection_id: leave one of them out",
        ),
        (
            {
                "destination": {
                    "type": "data_landing_zone",
                    "credentials_conn_id": "c",
                    "params": {"path": "crm", "datasetFileType": "JSON"},
                }
            },
            "/destination/credentials_conn_id",
            "leave it out",
        ),
    ],
)
def test_a_spec_is_told_what_to_write(changes: dict[str, Any], pointer: str | None, words: str) -> None:
    problems = told(changed(**changes))
    ((place, message),) = problems.items()
    assert pointer is None or place == pointer
    assert words in message


@pytest.mark.parametrize(
    ("every", "meant"),
    [
        *(("daily", "1d"), ("@daily", "1d"), ("hourly", "1h"), ("Weekly", "7d"), ("@once", "once")),
        *(
            ("1w", "7d"),
            ("2 weeks", "14d"),
            ("3 hours", "3h"),
            ("60m", "1h"),
            ("1440 min", "1d"),
            ("3H", "3h"),
        ),
    ],
)
def test_a_cadence_in_other_words_is_told_in_ours(every: str, meant: str) -> None:
    (message,) = told(changed(schedule__every=every)).values()
    assert message.startswith(f"must be one of {', '.join(CADENCES)}")
    assert message.endswith(f"(did you mean '{meant}'?)")


@pytest.mark.parametrize("every", ["0 2 * * *", "15m", "90 min", "monthly", "24"])
def test_what_is_no_cadence_gets_no_guess(every: str) -> None:
    (message,) = told(changed(schedule__every=every)).values()
    assert "did you mean" not in message


def test_a_cron_expression_is_told_as_one() -> None:
    (message,) = told(changed(schedule="0 2 * * *")).values()
    assert "a cron expression is not understood: the start says at which hour" in message


def test_24h_says_write_1d() -> None:
    assert parse_spec(changed(schedule__every="24h")).warnings() == [
        "schedule: write every: 1d; 24h is the wording of an older tutorial, and a day is sent"
    ]


def test_one_name_in_a_sandbox_is_one_export_whoever_the_owner() -> None:
    with pytest.raises(AepValidationError) as refused:
        parse_specs([SPEC, changed(owner="another-team")])
    (problem,) = refused.value.problems
    assert str(problem) == (
        "[1]/name is in use at [0] in the same sandbox; choose another, even for another owner"
    )


# When a schedule is judged by the clock


@pytest.mark.parametrize("start", [None, "2020-01-01", "2027-01-01"])
@pytest.mark.parametrize("parse", [parse_schedule, parse_schedule_change])
def test_an_end_in_the_past_is_told_as_past_whatever_the_start(
    parse: Callable[..., Any], start: str | None
) -> None:
    given = {"every": "3h", "end": "2026-11-28"} | ({"start": start} if start else {})
    with pytest.raises(AepValidationError) as refused:
        parse(given, now=NOW)
    (problem,) = refused.value.problems
    assert str(problem) == "schedule/end is in the past: nothing would be exported; give a later end"


def test_an_end_before_the_start_that_a_dataflow_has_names_that_start_and_how_to_stop_it() -> None:
    there = parse_schedule({"every": "3h", "start": "2026-12-01", "end": "2027-06-01"}, now=NOW).to_api(NOW)
    change = parse_schedule_change({"end": NOW + timedelta(hours=1)}, now=NOW)
    with pytest.raises(AepValidationError) as refused:
        merge_schedule(there, change)
    assert str(refused.value.problems[0]) == (
        "schedule/end must be later than the start that the dataflow has, 2026-12-01T00:00:00Z: give a later "
        "end; to stop the export, use AepDisableDataflowOperator"
    )


# When Adobe's live spec is asked


def refused_target(run: Any, destination: str, **params: Any) -> dict[str, str]:
    exchange = create_target_connection(
        name="crm",
        destination=DESTINATIONS[destination],
        base_connection_id="b-1",
        target_params={"path": "crm", "datasetFileType": "JSON", **params},
    )
    with pytest.raises(AepValidationError) as refused:
        run(exchange)
    return {problem.pointer: problem.message for problem in refused.value.problems}


LETTERS = "may contain only the letters A to Z and a to z, digits, '/' and ! - _ . * ' ( )"
S3_NAME = (
    "must be 3 to 63 characters: lower-case letters, digits, hyphens and dots, with a letter or digit at "
    "both ends; not an IP address"
)


@pytest.mark.parametrize(
    ("destination", "params", "pointer", "words"),
    [
        ("s3", {"bucketName": "acme", "path": "a b"}, "/path", f"must not contain blanks; it {LETTERS}"),
        ("s3", {"bucketName": "acme", "path": "ä"}, "/path", LETTERS),
        ("gcs", {"bucketName": "acme", "path": "a b"}, "/path", f"must not contain blanks; it {LETTERS}"),
        (
            "azure_blob",
            {"container": "acme", "path": "a b"},
            "/path",
            f"must not contain blanks; it {LETTERS}",
        ),
        (
            "s3",
            {"bucketName": "acme", "path": "a/%DATASET_ID%"},
            "/path",
            "must not contain macros or '%': macros belong in the schedule's folder_template",
        ),
        ("s3", {"bucketName": "Acme"}, "/bucketName", S3_NAME),
        ("s3", {"bucketName": "ac me"}, "/bucketName", f"must not contain blanks; it {S3_NAME}"),
        ("s3", {"bucketName": "s3://acme"}, "/bucketName", "must be only the name, without s3://, gs:// or"),
        (
            "gcs",
            {"bucketName": "gs://acme"},
            "/bucketName",
            "must be only the name, without s3://, gs:// or",
        ),
        (
            "gcs",
            {"bucketName": "my-google"},
            "/bucketName",
            "must neither begin with goog nor contain google",
        ),
        ("azure_blob", {"container": "a--b"}, "/container", "single hyphens"),
        (
            "azure_blob",
            {"container": "a/b"},
            "/container",
            "must be only the name: the folder belongs in path",
        ),
        (
            "data_landing_zone",
            {"path": "https://acme.blob.core.windows.net/x"},
            "/path",
            "must be a folder, not a URL",
        ),
        ("sftp", {"path": None, "remotePath": "sftp://files.example/up"}, "/remotePath", "not a URL"),
        ("s3", {"bucketName": "acme", "region": "eu"}, "/region", "; there are bucketName, path,"),
    ],
)
def test_a_place_is_told_in_plain_words(
    run: Any, destination: str, params: dict[str, Any], pointer: str, words: str
) -> None:
    message = refused_target(run, destination, **params)[pointer]
    assert words in message
    assert "^" not in message


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (
            {"s3AccessKey": "AKIA"},
            "/s3AccessKey must be 20 characters: upper-case letters and the digits 2 to 7",
        ),
        ({"s3SecretKey": "secret"}, "/s3SecretKey must be 40 characters: letters, digits, '/' and '+'"),
        (
            {"s3SecretKey": "S3SecretKey" * 3 + "012345 "},
            "/s3SecretKey must not contain blanks; it must be 40",
        ),
        ({"s3SecretKey": 7}, "/s3SecretKey must be a text: put it in quotes"),
    ],
)
def test_a_key_is_told_in_plain_words(run: Any, params: dict[str, Any], words: str) -> None:
    keys = {"s3AccessKey": "AKIA2345ABCDEFGH2345", "s3SecretKey": "S3SecretKey" * 3 + "0123456", **params}
    login = {"specName": "Access Key", "params": keys}
    with pytest.raises(AepValidationError) as refused:
        run(create_base_connection(name="crm", destination=S3, login=login))
    assert words in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("rule", "value", "words"),
    [
        ({"type": ["string", "null"]}, 7, "must be a text or null: put it in quotes"),
        ({"type": "integer"}, "n0t", "must be a whole number"),
        ({"type": "boolean"}, "n0t", "must be true or false"),
        ({"minLength": 1}, "", "must not be empty"),
        ({"minLength": 5}, "n0t", "must be at least 5 characters long"),
        ({"maxLength": 2}, "n0t", "must be at most 2 characters long"),
        ({"minItems": 2}, ["n0t"], "must have at least 2 entries"),
        ({"maxItems": 2}, ["n0t", 1, 2], "must have at most 2 entries"),
        ({"minimum": 3}, 2, "must be at least 3"),
        ({"maximum": 3}, 4, "must be at most 3"),
        ({"const": "a"}, "n0t", "must be a"),
        ({"pattern": "^x$"}, "n0t", "must match the pattern of Adobe's live spec, ^x$"),
        ({"pattern": "^x$"}, "n 0t", "must match the pattern of Adobe's live spec, ^x$"),
        ({"not": {}}, "n0t", "breaks the rule 'not' of Adobe's live spec"),
    ],
)
def test_any_rule_of_a_live_spec_is_told_in_plain_words(rule: dict[str, Any], value: Any, words: str) -> None:
    (problem,) = schema_problems({"properties": {"a": rule}}, {"a": value})
    assert str(problem) == f"/a {words}"


def test_a_dataset_by_its_name_is_told_where_names_go(run: Any) -> None:
    with pytest.raises(AepValidationError, match="AepListDatasetsOperator lists the ids of datasets"):
        run(create_source_connection(name="crm", datasets=["Loyalty Profiles"]))
