"""The export spec: a dataset export as a document, checked and read.

A spec may come from a file that somebody typed, or from a rendered template. Every broken rule is told at
once, by place and rule and never by its value, and any value in any place ends in a record or in an
``AepValidationError``. Lengths are in characters, times in UTC.

The shape is that of ``export_spec.schema.json``, which editors use too. What a schema cannot say is here.
"""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal, overload

from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.flowservice.connections import SEGMENT_PARAMS, UNLISTED_PARAMS, target_warnings
from airflow_provider_aep.flowservice.destinations import DATA_LANDING_ZONE, DESTINATIONS, Destination
from airflow_provider_aep.flowservice.schedule import Schedule, parse_schedule
from airflow_provider_aep.flowservice.validation import broken_rules, check_id, check_name, nearest

SCHEMA_FILE = Path(__file__).with_name("export_spec.schema.json")
DEFAULT_OWNER = "airflow"
# Adobe's hard limit of destinations in a sandbox
MOST_IN_A_SANDBOX = 100
# Ours, far beyond any export: a spec is refused early rather than read for seconds.
MOST_VALUES, DEEPEST, LONGEST_TEXT, LONGEST_KEY, MOST_UNKNOWN = 5000, 20, 10_000, 128, 10

# An end that has passed does not make a spec wrong; what to do about it is the plan's affair.
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_MOMENTS = (("schedule", "start"), ("schedule", "end"))
_PARAMS = ("destination", "params")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_BROKEN = re.compile(r"[\ud800-\udfff]")
_LOGIN_PARAMS = frozenset(
    param for destination in DESTINATIONS.values() for login in destination.logins for param in login.params
)

Where = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRef:
    """A dataset by its id, or by its exact name. With an id, a name is for people."""

    id: str | None = None
    name: str | None = None

    def to_json(self) -> str | dict[str, str]:
        if self.id and not self.name:
            return self.id
        return {key: value for key, value in (("id", self.id), ("name", self.name)) if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSpec:
    """One declared export.

    :param sandbox: ``None`` means the Airflow connection's.
    :param target_params: as given; the default compression is added when a target is planned.
    :param adopt: the id of a hand-made dataflow to take over.
    """

    name: str
    owner: str = DEFAULT_OWNER
    description: str | None = None
    sandbox: str | None = None
    datasets: tuple[DatasetRef, ...]
    destination: Destination = field(hash=False)
    credentials_conn_id: str | None = None
    base_connection_id: str | None = None
    target_params: Mapping[str, Any] = field(hash=False)
    schedule: Schedule
    adopt: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A document of plain JSON that ``parse_spec`` reads as an equal spec."""
        schedule = {
            "every": self.schedule.every,
            "start": _iso(self.schedule.start),
            "end": _iso(self.schedule.end),
            "folder_template": self.schedule.folder_template,
        }
        destination = {
            "type": self.destination.slug,
            "credentials_conn_id": self.credentials_conn_id,
            "base_connection_id": self.base_connection_id,
            "params": copy.deepcopy(dict(self.target_params)),
        }
        document = {
            "name": self.name,
            "owner": self.owner,
            "description": self.description,
            "sandbox": self.sandbox,
            "datasets": [dataset.to_json() for dataset in self.datasets],
            "destination": _given(destination),
            "schedule": _given(schedule),
            "adopt": self.adopt,
        }
        return _given(document)

    def warnings(self) -> list[str]:
        """What is allowed but probably not meant."""
        known = (*_places_of(self.destination), "datasetFileType", "compression", *UNLISTED_PARAMS)
        # Adobe may add parameters, so an unknown one is no error here; the live spec judges it.
        unknown = [key for key in self.target_params if key not in known][:MOST_UNKNOWN]
        return [
            *self.schedule.warnings(),
            *target_warnings(self.target_params),
            *(
                f"destination: params has {key}, which is not documented{nearest(key, known)}"
                for key in unknown
            ),
        ]


@overload
def parse_spec(document: object, *, place: str = "", templated: Literal[False] = False) -> ExportSpec: ...
@overload
def parse_spec(document: object, *, place: str = "", templated: bool) -> ExportSpec | None: ...
def parse_spec(document: object, *, place: str = "", templated: bool = False) -> ExportSpec | None:
    """A spec from a document: plain JSON values, and times as ``datetime`` or ``date`` too.

    :param place: where the document stands, such as ``exports.yaml[2]``; each pointer begins with it.
    :param templated: texts with ``{{`` or ``{%`` are still to be rendered: they are not judged, and while
        there are any the answer is ``None``.
    :raises AepValidationError: with all problems at once.
    """
    plain, found = _judged(document)
    early = [each for each in found.problems if templated and _is_template(_at(document, each[0]))]
    found.problems = [each for each in found.problems if each not in early]
    if found.problems:
        raise AepValidationError(_what(plain), found.told(place))
    if templated and (early or _has_template(plain)):
        return None
    return _spec_from(plain)


def parse_specs(documents: Sequence[object], *, places: Sequence[str] = ()) -> list[ExportSpec]:
    """Several specs, and what must hold between them.

    :param places: where each document stands; ``[0]``, ``[1]`` and so on if left out.
    :raises AepValidationError: with all problems of all of them at once.
    """
    if not isinstance(documents, list | tuple):
        raise AepValidationError("the export specs", [Problem("/", "must be a list of specs")])
    places = places or [f"[{index}]" for index in range(len(documents))]
    specs: list[tuple[str, ExportSpec]] = []
    broken: list[AepValidationError] = []
    for place, document in zip(places, documents, strict=True):
        try:
            specs.append((place, parse_spec(document, place=place)))
        except AepValidationError as error:
            broken.append(error)
    problems = [problem for error in broken for problem in error.problems]
    problems += _conflicts(specs)
    if problems:
        alone = len(broken) == 1 and len(problems) == len(broken[0].problems)
        raise AepValidationError(broken[0].what if alone else "the export specs", problems)
    return [spec for _, spec in specs]


def _conflicts(specs: Sequence[tuple[str, ExportSpec]]) -> Iterator[Problem]:
    """Where specs that are good alone do not go together."""
    first: dict[tuple[Any, ...], str] = {}
    in_sandbox: dict[str | None, list[str]] = {}
    for place, spec in specs:
        earlier = first.setdefault(("name", spec.sandbox, spec.owner, spec.name), place)
        if earlier != place:
            yield Problem(f"{place}/name", f"is declared by the same owner in the same sandbox at {earlier}")
        if spec.adopt:
            earlier = first.setdefault(("adopt", spec.adopt), place)
            if earlier != place:
                yield Problem(f"{place}/adopt", f"names a dataflow that {earlier} adopts already")
        in_sandbox.setdefault(spec.sandbox, []).append(place)
    for sandbox, places in in_sandbox.items():
        if len(places) > MOST_IN_A_SANDBOX:
            named = f"sandbox '{sandbox}'" if sandbox else "the connection's sandbox"
            rule = f"is one of {len(places)} exports for {named}; Adobe allows {MOST_IN_A_SANDBOX}"
            yield Problem(places[MOST_IN_A_SANDBOX], rule)


@dataclass(slots=True)
class _Found:
    """What is wrong so far. ``settled`` are the places of which nothing more needs to be said."""

    problems: list[tuple[Where, str]] = field(default_factory=list)
    settled: set[Where] = field(default_factory=set)
    values: int = 0

    def add(self, path: Where, message: str, *, settle: bool = False) -> None:
        if path not in self.settled and (path, message) not in self.problems[-MOST_UNKNOWN:]:
            self.problems.append((path, message))
        if settle:
            self.settled.add(path)

    def told(self, place: str) -> list[Problem]:
        return [
            Problem(_pointer(place, path), message) for path, message in sorted(self.problems, key=_order)
        ]


class _TooMuchError(Exception):
    """The document has more values than any spec."""


def _judged(document: object) -> tuple[Any, _Found]:
    """A document as plain JSON values, and everything that is wrong with it."""
    found = _Found()
    try:
        plain = _plain(document, (), found)
    except _TooMuchError:
        found.problems = [((), f"has more than {MOST_VALUES} values")]
        return None, found
    if not isinstance(plain, dict):
        found.add((), "must be a dict with name, datasets, destination and schedule")
        return plain, found
    if "exports" in plain:
        found.problems = [(("exports",), "is a list of several specs, where one is expected")]
        return plain, found
    for path, known in _closed(plain):
        _judge_keys(path, _at(plain, path), known, found)
    datasets = plain.get("datasets")
    if isinstance(datasets, list):
        most = _schema()["definitions"]["export"]["properties"]["datasets"]["maxItems"]
        if len(datasets) > most:
            found.add(("datasets",), f"must have at most {most} entries", settle=True)
            del datasets[most:]
        _judge_datasets(datasets, found)
    for where in (("destination", "base_connection_id"), ("adopt",)):
        _judge_id(where, _at(plain, where), found)
    _judge_params(plain, found)
    for error in broken_rules({"$ref": "#/definitions/export", **_definitions()}, plain):
        _judge_rule(error, found)
    _judge_schedule(plain.get("schedule"), found)
    return plain, found


def _plain(given: object, path: Where, found: _Found) -> Any:
    """``given`` as plain JSON; in the place of what cannot be told in JSON stands ``None``."""
    found.values += 1
    if found.values > MOST_VALUES:
        raise _TooMuchError
    if given is None or isinstance(given, bool):
        return given
    if isinstance(given, str):
        return _plain_text(given, path, found)
    if isinstance(given, int) and given.bit_length() <= 64:
        # as check_name does: a rendered "2024" may arrive as a number
        return str(int(given)) if path == ("name",) else int(given)
    if isinstance(given, float) and math.isfinite(given):
        return float(given)
    if isinstance(given, date) and path in _MOMENTS:
        return given.isoformat()
    if isinstance(given, Mapping | list | tuple):
        if len(path) >= DEEPEST:
            found.add(path, f"is nested more than {DEEPEST} levels deep", settle=True)
            return None
        if isinstance(given, Mapping):
            return dict(_plain_items(given, path, found))
        return [_plain(item, (*path, index), found) for index, item in enumerate(given)]
    if isinstance(given, date):
        rule = "must be a text: put it in quotes"
    elif isinstance(given, int | float):
        rule = "must be a number of ordinary size"
    else:
        rule = "must be a text, a number, true or false, a list or a dict"
    found.add(path, rule, settle=True)
    return None


def _plain_text(given: str, path: Where, found: _Found) -> str | None:
    rule = ""
    if len(given) > LONGEST_TEXT:
        rule = f"must be at most {LONGEST_TEXT} characters long"
    elif _BROKEN.search(given) or "\0" in given:
        rule = "must be Unicode text without NUL or halves of surrogate pairs"
    elif path != ("description",) and _UNPRINTABLE.search(given):
        rule = "must not contain line breaks or control characters"
    if not rule:
        return str(given)
    found.add(path, rule, settle=True)
    return None


def _plain_items(given: Mapping[Any, Any], path: Where, found: _Found) -> Iterator[tuple[str, Any]]:
    for key, value in given.items():
        if not isinstance(key, str):
            found.add(path, "has a key that is not a text")
        elif len(key) > LONGEST_KEY or _UNPRINTABLE.search(key):
            found.add(path, f"has a key with control characters, or of more than {LONGEST_KEY} characters")
        # None says "not given", so that code may pass on what it has; Adobe's parameters are left alone.
        elif value is not None or path[:2] == _PARAMS:
            yield str(key), _plain(value, (*path, key), found)


def _closed(plain: Mapping[str, Any]) -> Iterator[tuple[Where, Sequence[str]]]:
    """The places of a spec that have no keys but the known ones, and these."""
    definitions = _schema()["definitions"]
    yield (), [*definitions["export"]["properties"]]
    yield ("destination",), [*definitions["destination"]["properties"]]
    yield ("schedule",), [*definitions["schedule"]["else"]["properties"]]
    datasets = plain.get("datasets")
    for index in range(len(datasets) if isinstance(datasets, list) else 0):
        yield ("datasets", index), [*definitions["dataset"]["properties"]]


def _judge_keys(path: Where, there: object, known: Sequence[str], found: _Found) -> None:
    if not isinstance(there, dict):
        return
    unknown = [key for key in there if key not in known]
    for key in unknown[:MOST_UNKNOWN]:
        found.add((*path, key), f"is not known{nearest(key, known)}", settle=True)
    if len(unknown) > MOST_UNKNOWN:
        found.add(path, f"has {len(unknown) - MOST_UNKNOWN} more keys that are not known")


def _judge_datasets(datasets: Sequence[Any], found: _Found) -> None:
    refs = [ref if isinstance(ref, dict) else {"id": ref} for ref in datasets]
    known = [(_text(ref.get("id")), _text(ref.get("name"))) for ref in refs]
    ids, names = set[str](), {name for dataset_id, name in known if dataset_id and name}
    for index, (dataset_id, name) in enumerate(known):
        path: Where = ("datasets", index)
        key, seen = (dataset_id, ids) if dataset_id else (name, names)
        if key and key in seen and not _is_template(key):
            found.add(path, "names a dataset that is named already")
        seen.add(key)
        _judge_id((*path, "id") if isinstance(datasets[index], dict) else path, dataset_id, found)


def _judge_id(path: Where, value: object, found: _Found) -> None:
    if isinstance(value, str) and value:
        try:
            check_id("", value)
        except AepValidationError as error:
            found.add(path, error.problems[0].message, settle=True)


def _judge_params(plain: Mapping[str, Any], found: _Found) -> None:
    params = _at(plain, _PARAMS)
    for key in params if isinstance(params, dict) else ():
        if key in _LOGIN_PARAMS:
            rule = "belongs to the login: keep it in the Airflow connection of credentials_conn_id"
            found.add((*_PARAMS, key), rule, settle=True)
        elif key in SEGMENT_PARAMS:
            rule = "applies to audience exports, not to datasets; leave it out"
            found.add((*_PARAMS, key), rule, settle=True)


def _judge_schedule(schedule: object, found: _Found) -> None:
    if not isinstance(schedule, dict):
        return
    words = {key: schedule[key] for key in _schema_of_schedule() if key in schedule}
    try:
        parse_schedule(words, now=_LONG_AGO)
    except AepValidationError as error:
        told = {path for path, _ in found.problems} | found.settled
        for problem in error.problems:
            path = tuple(problem.pointer.split("/"))
            if path not in told:
                found.add(path, problem.message)


# What a pattern of the schema says in words, by the field that it stands at.
_PATTERN_RULES = {
    "owner": "must be 1 to 64 characters: letters, digits, '_', '.', '@' and '-' only",
    "sandbox": "must be a sandbox name: lower-case letters, digits and hyphens",
    "name": "must not be empty",
    "credentials_conn_id": "must be the id of an Airflow connection: no blanks, no quotes",
}


def _judge_rule(error: Any, found: _Found) -> None:
    """One broken rule of the schema, in words that never quote the value."""
    path, rule, expected, value = (
        tuple(error.absolute_path),
        error.validator,
        error.validator_value,
        error.instance,
    )
    if rule == "required":
        for key in expected:
            if key not in value:
                hint = nearest(key, [other for other in value if other not in expected])
                found.add((*path, key), f"is missing{hint.replace('did you mean', 'is it')}")
        return
    if rule == "type":
        expected = [expected] if isinstance(expected, str) else expected
        quotes = "string" in expected and isinstance(value, int | float)
        words = f"must be of type {' or '.join(expected)}{': put it in quotes' if quotes else ''}"
    elif rule == "enum":
        words = f"must be one of {', '.join(expected)}"
    elif rule == "pattern":
        words = _PATTERN_RULES.get(str(path[-1]), "must be an id: letters, digits, '-', '_' and '.' only")
    elif rule in ("minLength", "minItems"):
        words = "must not be empty"
    elif rule == "maxLength":
        words = f"must be at most {expected} characters long"
    elif rule == "anyOf":
        words = "must have an id or a name"
    elif rule == "oneOf":
        words = "must have exactly one of credentials_conn_id and base_connection_id"
    elif rule is None:  # the schema `false`; whether its path ends in the key depends on the library
        path = (*path[:1], "credentials_conn_id")
        words = f"must not be given: Adobe owns the storage of {DATA_LANDING_ZONE.slug}"
    else:
        words = f"breaks the rule {rule!r}"
    found.add(path, words, settle=rule == "type")


def _spec_from(plain: Mapping[str, Any]) -> ExportSpec:
    """The record of a document that breaks no rule."""
    destination = plain["destination"]
    refs = [ref if isinstance(ref, dict) else {"id": ref} for ref in plain["datasets"]]
    return ExportSpec(
        name=check_name(plain["name"]),
        owner=plain.get("owner", DEFAULT_OWNER),
        description=plain.get("description"),
        sandbox=plain.get("sandbox"),
        datasets=tuple(DatasetRef(**ref) for ref in refs),
        destination=DESTINATIONS[destination["type"]],
        credentials_conn_id=destination.get("credentials_conn_id"),
        base_connection_id=destination.get("base_connection_id"),
        target_params=destination["params"],
        schedule=parse_schedule(plain["schedule"], now=_LONG_AGO),
        adopt=plain.get("adopt"),
    )


@cache
def _schema() -> dict[str, Any]:
    return dict(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def _definitions() -> dict[str, Any]:
    return {"definitions": _schema()["definitions"]}


def _schema_of_schedule() -> Sequence[str]:
    return list(_schema()["definitions"]["schedule"]["else"]["properties"])


def _places_of(destination: Destination) -> list[str]:
    for rule in _schema()["definitions"]["destination"]["allOf"]:
        if rule["if"]["properties"]["type"]["const"] == destination.slug:
            return list(rule["then"]["properties"]["params"]["properties"])
    return []


def _what(plain: object) -> str:
    try:
        return f"export spec '{check_name(_at(plain, ('name',)))}'"
    except AepValidationError:
        return "the export spec"


def _pointer(place: str, path: Where) -> str:
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return place + "".join(f"/{part}" for part in escaped) or "/"


def _order(problem: tuple[Where, str]) -> tuple[Any, ...]:
    path, message = problem
    return tuple(f"{part:06}" if isinstance(part, int) else part for part in path), message


def _at(document: object, path: Where) -> object:
    """What stands at a place of a document, or ``None``."""
    for part in path:
        if isinstance(document, Mapping):
            document = document.get(part)
        elif isinstance(document, list | tuple) and isinstance(part, int) and part < len(document):
            document = document[part]
        else:
            return None
    return document


def _is_template(value: object) -> bool:
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def _has_template(plain: object) -> bool:
    if isinstance(plain, dict | list):
        return any(map(_has_template, plain.values() if isinstance(plain, dict) else plain))
    return _is_template(plain)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None


def _given(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value is not None}
