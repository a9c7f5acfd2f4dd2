"""The rules of an export spec. All problems are reported, with place and rule and never the value.

``export_spec.schema.json``, which editors use too, defines the shape. Rules that a schema cannot express are
here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from airflow_provider_aep.arguments import is_template
from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.exports.plain import (
    MOST_UNKNOWN,
    MOST_VALUES,
    PARAMS,
    Report,
    TooMuchError,
    Where,
    plain_value,
    value_at,
)
from airflow_provider_aep.flowservice.cadences import cadence_rule
from airflow_provider_aep.flowservice.connections import SEGMENT_PARAMS
from airflow_provider_aep.flowservice.destinations import DATA_LANDING_ZONE, LOGIN_PARAMS, Destination
from airflow_provider_aep.flowservice.patterns import misplaced
from airflow_provider_aep.flowservice.schedule import parse_schedule
from airflow_provider_aep.flowservice.validation import (
    broken_rules,
    check_id,
    nearest,
    rule_words,
    unknown,
)

SCHEMA_FILE = Path(__file__).with_name("export_spec.schema.json")
# A past end does not make a spec wrong; the plan handles it.
LONG_AGO = datetime.min.replace(tzinfo=UTC)


_NOT_AN_ID = {
    "datasets": "write a name as {name: ...}",
    "adopt": "AepListDataflowsOperator lists the ids of dataflows",
}


def judge_document(document: object) -> tuple[Any, Report]:
    """A document as plain JSON values, and all its problems."""
    report = Report()
    try:
        plain = plain_value(document, (), report)
    except TooMuchError:
        report.problems = [((), f"has more than {MOST_VALUES} values")]
        return None, report
    if not isinstance(plain, dict):
        report.add((), "must be a dict with name, datasets, destination and schedule")
        return plain, report
    if "exports" in plain:
        report.problems = [
            (("exports",), "holds several specs, where one is expected: give it as specs, not as spec")
        ]
        return plain, report
    for path, known in _closed(plain):
        _judge_keys(path, value_at(plain, path), known, report)
    datasets = plain.get("datasets")
    if isinstance(datasets, list):
        most = _schema()["definitions"]["export"]["properties"]["datasets"]["maxItems"]
        if len(datasets) > most:
            rule = f"must have at most {most} entries: share them out among several exports"
            report.add(("datasets",), rule, settle=True)
            del datasets[most:]
        _judge_datasets(datasets, report)
    for where in (("destination", "base_connection_id"), ("adopt",)):
        _judge_id(where, value_at(plain, where), report)
    _judge_params(plain, report)
    given = [value_at(plain, ("destination", key)) for key in ("encryption_conn_id", "base_connection_id")]
    if all(given):
        rule = "must not be given with base_connection_id: leave one of them out"
        report.add(("destination", "encryption_conn_id"), rule)
    for error in broken_rules({"$ref": "#/definitions/export", **_definitions()}, plain):
        _judge_rule(error, report)
    _judge_schedule(plain.get("schedule"), report)
    return plain, report


def _closed(plain: Mapping[str, Any]) -> Iterator[tuple[Where, Sequence[str]]]:
    """The places of a spec that allow only known keys, with these keys."""
    definitions = _schema()["definitions"]
    yield (), [*definitions["export"]["properties"]]
    yield ("destination",), [*definitions["destination"]["properties"]]
    yield ("schedule",), [*definitions["schedule"]["else"]["properties"]]
    datasets = plain.get("datasets")
    for index in range(len(datasets) if isinstance(datasets, list) else 0):
        yield ("datasets", index), [*definitions["dataset"]["properties"]]


def _judge_keys(path: Where, there: object, known: Sequence[str], report: Report) -> None:
    if not isinstance(there, dict):
        return
    strange = [key for key in there if key not in known]
    for key in strange[:MOST_UNKNOWN]:
        # The nearest of our keys by spelling would be "timezone", but "every" is meant.
        rule = "is not known (did you mean 'every'?)" if key == "timeUnit" else unknown(key, known)
        report.add((*path, key), rule, settle=True)
    if len(strange) > MOST_UNKNOWN:
        report.add(path, f"has {len(strange) - MOST_UNKNOWN} more keys that are not known")


def _judge_datasets(datasets: Sequence[Any], report: Report) -> None:
    refs = [ref if isinstance(ref, dict) else {"id": ref} for ref in datasets]
    known = [(_text(ref.get("id")), _text(ref.get("name"))) for ref in refs]
    ids, names = set[str](), {name for dataset_id, name in known if dataset_id and name}
    for index, (dataset_id, name) in enumerate(known):
        path: Where = ("datasets", index)
        key, seen = (dataset_id, ids) if dataset_id else (name, names)
        if key and key in seen and not is_template(key):
            report.add(path, "names a dataset that the list has already: leave it out")
        seen.add(key)
        _judge_id((*path, "id") if isinstance(datasets[index], dict) else path, dataset_id, report)


def _judge_id(path: Where, value: object, report: Report) -> None:
    if isinstance(value, str) and value:
        try:
            check_id("", value)
        except AepValidationError as error:
            rule, advice = error.problems[0].message, _NOT_AN_ID.get(str(path[0]))
            report.add(path, f"{rule}; {advice}" if advice else rule, settle=True)


def _judge_params(plain: Mapping[str, Any], report: Report) -> None:
    params = value_at(plain, PARAMS)
    for key, value in params.items() if isinstance(params, dict) else ():
        if key in LOGIN_PARAMS:
            rule = "belongs to the login: keep it in the Airflow connection of credentials_conn_id"
            report.add((*PARAMS, key), rule, settle=True)
        elif key in SEGMENT_PARAMS:
            rule = "applies to audience exports, not to datasets; leave it out"
            report.add((*PARAMS, key), rule, settle=True)
        elif not is_template(value) and (rule := misplaced(key, value)):
            report.add((*PARAMS, key), rule, settle=True)


def _judge_schedule(schedule: object, report: Report) -> None:
    if not isinstance(schedule, dict | str):
        return
    words = {"every": schedule} if isinstance(schedule, str) else _known(schedule)
    try:
        parse_schedule(words, now=LONG_AGO)
    except AepValidationError as error:
        reported = {path for path, _ in report.problems} | report.settled
        for problem in error.problems:
            path = ("schedule",) if isinstance(schedule, str) else tuple(problem.pointer.split("/"))
            if path not in reported:
                report.add(path, problem.message)


# The patterns of the schema in words, by field.
_PATTERN_RULES = {
    "owner": "must be 1 to 64 characters: letters, digits, '_', '.', '@' and '-' only",
    "sandbox": "must be the name of a sandbox, not its title: lower-case letters, digits and hyphens",
    "name": "must not be empty",
    "credentials_conn_id": "must be the id of an Airflow connection: no blanks, no quotes",
    "encryption_conn_id": "must be the id of an Airflow connection: no blanks, no quotes",
}


def _judge_rule(error: Any, report: Report) -> None:
    """One broken rule of the schema, in words that never quote the value."""
    path, rule, value = tuple(error.absolute_path), error.validator, error.instance
    if rule == "required":
        for key in error.validator_value:
            if key not in value:
                hint = nearest(key, [other for other in value if other not in error.validator_value])
                report.add((*path, key), f"is missing{hint.replace('did you mean', 'is it')}")
        return
    if rule == "pattern":
        words = _PATTERN_RULES.get(str(path[-1]), "must be an id: letters, digits, '-', '_' and '.' only")
        if path[-1] in ("schedule", "every"):
            words = cadence_rule(value)
    elif rule == "anyOf":
        words = "must have an id or a name"
    elif rule == "oneOf":
        words = "must have exactly one of credentials_conn_id and base_connection_id"
    elif rule is None:  # the schema `false`; whether its path ends in the key depends on the library
        path = (*path[:1], "credentials_conn_id")
        words = f"must not be given: Adobe owns the storage of {DATA_LANDING_ZONE.slug}; leave it out"
    else:
        words = rule_words(error)
    report.add(path, words, settle=rule == "type")


@cache
def _schema() -> dict[str, Any]:
    return dict(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def _definitions() -> dict[str, Any]:
    return {"definitions": _schema()["definitions"]}


def _known(schedule: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a schedule that the schema knows; the others are reported already."""
    known = _schema()["definitions"]["schedule"]["else"]["properties"]
    return {key: schedule[key] for key in known if key in schedule}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def places_of(destination: Destination) -> list[str]:
    """The location parameters of a destination, as the schema lists them."""
    for rule in _schema()["definitions"]["destination"]["allOf"]:
        if rule["if"]["properties"]["type"]["const"] == destination.slug:
            return list(rule["then"]["properties"]["params"]["properties"])
    return []
