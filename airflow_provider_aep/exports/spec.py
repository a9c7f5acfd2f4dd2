"""The export spec: a dataset export as a document, checked and read.

A spec may come from a file that somebody typed, or from a rendered template. All broken rules are reported at
once, with place and rule and never the value. Any input leads to a record or to an ``AepValidationError``.
Times are in UTC.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, overload

from airflow_provider_aep.arguments import is_template
from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.exports.plain import MOST_UNKNOWN, templates_in, value_at
from airflow_provider_aep.exports.spec_rules import LONG_AGO, SCHEMA_FILE, judge_document, places_of
from airflow_provider_aep.flowservice.cadences import AS_IS
from airflow_provider_aep.flowservice.connections import UNLISTED_PARAMS, target_warnings
from airflow_provider_aep.flowservice.destinations import DESTINATIONS, Destination
from airflow_provider_aep.flowservice.schedule import (
    DEFAULT_LIFE,
    Schedule,
    merge_schedule,
    parse_schedule,
    schedule_words,
)
from airflow_provider_aep.flowservice.validation import check_name, nearest

__all__ = ["SCHEMA_FILE", "DatasetRef", "ExportSpec", "parse_spec", "parse_specs"]

DEFAULT_OWNER = "airflow"
# Adobe's hard limit of destinations in a sandbox
MOST_IN_A_SANDBOX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRef:
    """A dataset by its id, or by its exact name. Beside an id, a name is only for people."""

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
    encryption_conn_id: str | None = None
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
            "encryption_conn_id": self.encryption_conn_id,
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

    def wanted_schedule(self, there: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
        """Whole ``scheduleParams`` as the spec wants them.

        :param there: those of the dataflow; members that the spec does not set are kept.
        """
        there = dict(there)
        if self.schedule.every == AS_IS:
            # For a cadence that we cannot read, an end of our choice may make no sense.
            return merge_schedule(there, self.schedule)
        start, end = self.schedule.start, schedule_words(there)["end"]
        if self.schedule.end is None and (not end or (start and datetime.fromisoformat(end) <= start)):
            there.pop("endTime", None)  # unreadable, or computed from an earlier start
        wire = merge_schedule(there, self.schedule)
        if not wire.get("endTime"):  # Adobe would silently end it six months after its creation
            wire["endTime"] = int((max(start or now, now) + DEFAULT_LIFE).timestamp())
        return wire

    def warnings(self) -> list[str]:
        """Warnings about values that are allowed but probably not meant."""
        known = (*places_of(self.destination), "datasetFileType", "compression", *UNLISTED_PARAMS)
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
    """A spec from a document of plain JSON values; times may also be ``datetime`` or ``date``.

    :param place: the place of the document, such as ``exports.yaml[2]``; each pointer begins with it.
    :param templated: texts with ``{{`` or ``{%`` are rendered later: they are not checked, and while there
        are any, the result is ``None``.
    :raises AepValidationError: with all problems at once.
    """
    plain, report = judge_document(document)
    early = [
        problem for problem in report.problems if templated and is_template(value_at(document, problem[0]))
    ]
    report.problems = [problem for problem in report.problems if problem not in early]
    if report.problems:
        raise AepValidationError(_what(plain), report.problems_at(place))
    if templated and (early or any(templates_in(plain))):
        return None
    return _spec_from(plain)


def parse_specs(documents: Sequence[object], *, places: Sequence[str] = ()) -> list[ExportSpec]:
    """Several specs, checked one by one and for conflicts with each other.

    :param places: the place of each document; by default ``[0]``, ``[1]`` and so on.
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
    """Conflicts between specs that are valid on their own."""
    first: dict[tuple[Any, ...], str] = {}
    in_sandbox: dict[str | None, list[str]] = {}
    for place, spec in specs:
        earlier = first.setdefault(("name", spec.sandbox, spec.name), place)
        if earlier != place:
            rule = f"is in use at {earlier} in the same sandbox; choose another, even for another owner"
            yield Problem(f"{place}/name", rule)
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
        encryption_conn_id=destination.get("encryption_conn_id"),
        target_params=destination["params"],
        schedule=parse_schedule(plain["schedule"], now=LONG_AGO),
        adopt=plain.get("adopt"),
    )


def _what(plain: object) -> str:
    try:
        return f"export spec '{check_name(value_at(plain, ('name',)))}'"
    except AepValidationError:
        return "the export spec"


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None


def _given(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value is not None}
