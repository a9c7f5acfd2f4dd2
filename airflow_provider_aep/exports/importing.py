"""From an existing export to the spec that would declare it, so that a hand-made export can be adopted.

A setting that a spec cannot express is an error if ensuring would change it; otherwise it is omitted. Logins
are never read: the spec names the base connection by its id.

Source: "Export datasets by using the Flow Service API" and the Destinations API reference; read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aep.arguments import is_template
from airflow_provider_aep.errors import (
    AepAmbiguousNameError,
    AepAuthError,
    AepError,
    AepValidationError,
    Problem,
)
from airflow_provider_aep.exports.marks import Mark, export_key, read_mark, text_of
from airflow_provider_aep.exports.plain import templates_in
from airflow_provider_aep.exports.spec import DEFAULT_OWNER, parse_spec
from airflow_provider_aep.exports.state import State, first_id, read_state, spec_id_of
from airflow_provider_aep.flowservice.cadences import AS_IS, is_cadence, is_same
from airflow_provider_aep.flowservice.connections import MODE, SEGMENT_PARAMS, datasets_named_in
from airflow_provider_aep.flowservice.dataflow_record import state_of
from airflow_provider_aep.flowservice.datasets import list_datasets
from airflow_provider_aep.flowservice.destinations import (
    DATA_LAKE_SPEC_ID,
    DESTINATIONS,
    LOGIN_PARAMS,
    Destination,
)
from airflow_provider_aep.flowservice.documents import Document, mapping, sequence
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.schedule import schedule_words
from airflow_provider_aep.flowservice.validation import check_name, nearest

# The schema's limit: a longer description is omitted, and a spec without one leaves it alone.
LONGEST_DESCRIPTION = 1000
LIKE_A_TEMPLATE = (
    "holds '{{' or '{%', which a spec in a file must not: change it in Adobe's UI, as by a rename"
)
SCHEMA_COMMENT = "# yaml-language-server: $schema=./export_spec.schema.json"

# Readers of YAML 1.1 and 1.2 take these for texts, except words such as yes and null, which the library
# quotes; it does not quote y and n.
_HARMLESS = re.compile(r"[A-Za-z][A-Za-z0-9 _./%@-]+")
# Line breaks, and the joiners of some languages and of emoji.
_SHOWN = "\n\u200c\u200d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One export as a spec, or why a spec cannot express it.

    :param notes: for the reviewer of the spec.
    """

    dataflow_id: str
    name: str
    document: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
    error: AepError | None = field(default=None, compare=False)


def import_exports(
    name_or_id: str | None, *, owner: str = DEFAULT_OWNER, sandbox: str | None = None
) -> Exchange[list[Imported]]:
    """The specs of existing exports; sends only GETs.

    :param name_or_id: one export; ``None`` for every export of the sandbox, oldest first.
    :param owner: the owner of exports that have none.
    :param sandbox: written into each spec, if given.
    :raises AepValidationError: there is no such export.
    :raises AepAmbiguousNameError: several exports have the name.
    """
    state = yield from read_state(datasets=False)
    flows = state.entities["dataflow"]
    chosen = flows if name_or_id is None else [find_dataflow(name_or_id, flows)]
    state = State(entities=state.entities, datasets=(yield from _datasets()))
    imported = []
    for flow in chosen:
        named: dict[str, Any] = {"dataflow_id": str(flow["id"]), "name": str(flow.get("name") or flow["id"])}
        try:
            document = spec_of(flow, state, owner=owner, sandbox=sandbox)
        except AepError as error:
            imported.append(Imported(**named, error=error))
        else:
            imported.append(Imported(**named, document=document, notes=tuple(_notes(flow, state))))
    return imported


def find_dataflow(name_or_id: str, flows: Sequence[Document]) -> Document:
    """The one dataflow with that id, or with exactly that name.

    :raises AepValidationError: there is none.
    :raises AepAmbiguousNameError: several have the name.
    """
    matches = [flow for flow in flows if flow["id"] == name_or_id]
    matches = matches or [flow for flow in flows if flow.get("name") == name_or_id]
    if len(matches) > 1:
        ids = [str(flow["id"]) for flow in matches]
        raise AepAmbiguousNameError(
            f"{len(ids)} export dataflows are named {name_or_id!r}: {', '.join(ids)}. Give the id instead.",
            ids,
        )
    if not matches:
        close = nearest(name_or_id, [str(flow.get("name")) for flow in flows])
        rule = f"is neither the id nor the exact name of an export dataflow in this sandbox{close}"
        raise AepValidationError("the arguments", [Problem("NAME_OR_ID", rule)])
    return matches[0]


def spec_of(
    flow: Document, state: State, *, owner: str = DEFAULT_OWNER, sandbox: str | None = None
) -> dict[str, Any]:
    """The spec of a dataflow, as a document that ``parse_spec`` reads.

    A plan of it against the same state changes nothing, except the owner if it had none.

    :param owner: its owner if it has none.
    :raises AepValidationError: a spec cannot express one of its settings.
    """
    problems: list[Problem] = []
    mark = read_mark(flow)
    source = _connection(flow, state, "source connection", "sourceConnectionIds", problems)
    target = _connection(flow, state, "target connection", "targetConnectionIds", problems)
    destination = _destination(flow, target, problems)
    document: dict[str, Any] = {
        "name": _name(flow, mark, (source, target), problems),
        "owner": mark.owner if mark else owner,
    }
    if (text := text_of(flow).strip()) and _fits_a_spec(text):
        document["description"] = text
    if sandbox:
        document["sandbox"] = sandbox
    document["datasets"] = _datasets_of(source, state, problems) if source else []
    document["destination"] = {
        "type": destination.slug if destination else None,
        "base_connection_id": target.get("baseConnectionId") if target else None,
        "params": dict(_params(target)) if target else {},
    }
    document["schedule"] = _schedule(mapping(flow.get("scheduleParams")))
    if not mark:
        document["adopt"] = str(flow["id"])
    problems += [Problem(where, LIKE_A_TEMPLATE) for where in templates_in(document)]
    what = f"dataflow {flow['id']}, which a spec cannot express"
    if problems:
        raise AepValidationError(what, problems)
    try:
        parse_spec(document)
    except AepValidationError as error:
        raise AepValidationError(what, error.problems) from None
    return document


def to_yaml(documents: Sequence[tuple[Mapping[str, Any], Sequence[str]]]) -> str:
    """Specs, each with its notes, as the text of one YAML file."""
    import yaml

    class Plain(yaml.SafeDumper):
        """Without aliases, which files of specs may not have."""

        def ignore_aliases(self, data: object) -> bool:
            return True

    def represent(dumper: Plain, text: str) -> yaml.ScalarNode:
        style = None if _HARMLESS.fullmatch(text) else '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Plain.add_representer(str, represent)
    parts = []
    for document, notes in documents:
        # A note may hold any text of the sandbox, and must not end its comment.
        lines = [f"# {' '.join(note.split())}" for note in notes]
        text = yaml.dump(
            dict(document),
            Dumper=Plain,
            sort_keys=False,
            allow_unicode=True,
            default_flow_style=False,
            width=110,
        )
        parts.append("\n".join([*lines, text]))
    return _escaped(f"{SCHEMA_COMMENT}\n" + "---\n".join(parts))


def _escaped(text: str) -> str:
    """YAML with an escape for each letter that is invisible or moves the cursor; all are in double quotes."""
    return "".join(
        letter if letter.isprintable() or letter in _SHOWN else f"\\U{ord(letter):08x}" for letter in text
    )


def _fits_a_spec(description: str) -> bool:
    """Whether a spec in a file can hold a description: templates are refused there."""
    return len(description) <= LONGEST_DESCRIPTION and not is_template(description)


def _connection(
    flow: Document, state: State, kind: str, key: str, problems: list[Problem]
) -> Document | None:
    ids = sequence(flow.get(key))
    if len(ids) != 1:
        problems.append(Problem(f"/{key}", f"names {len(ids)} connections; an export has one"))
        return None
    connection = state.find(kind, first_id(flow, key))
    if connection is None:
        # The listing holds only connections that exports can use.
        problems.append(Problem(f"/{key}/0", f"is no {kind} of a dataset export, or cannot be read"))
    return connection


def _destination(flow: Document, target: Document | None, problems: list[Problem]) -> Destination | None:
    flow_spec_id = mapping(flow.get("flowSpec")).get("id")
    for destination in DESTINATIONS.values():
        if destination.flow_spec_id == flow_spec_id:
            if target and spec_id_of(target) != destination.connection_spec_id:
                rule = f"is a dataset export to {destination.title}, and its target connection is not"
                problems.append(Problem("/flowSpec/id", rule))
            return destination
    problems.append(Problem("/flowSpec/id", f"is none of the dataset exports to {', '.join(DESTINATIONS)}"))
    return None


def _name(
    flow: Document, mark: Mark | None, connections: Sequence[Document | None], problems: list[Problem]
) -> str:
    """The name of the export; for an owned one, the name in its mark."""
    name = str(flow.get("name") or "")
    if mark is None:
        return name
    # If the dataflow was renamed since, its connections still have the name.
    for known in (name, *(str(connection.get("name") or "") for connection in connections if connection)):
        if export_key(mark.owner, known) == mark.export:
            return known
    problems.append(Problem("/name", f"is not the name that {mark.owner} declared; rename it back first"))
    return name


def _datasets_of(source: Document, state: State, problems: list[Problem]) -> list[str | dict[str, str]]:
    names = {dataset.id: dataset.name for dataset in state.datasets}
    datasets: list[str | dict[str, str]] = []
    if spec_id_of(source) != DATA_LAKE_SPEC_ID:
        problems.append(Problem("/sourceConnectionIds/0", "is no source connection of the data lake"))
    for dataset_id, stored_name in datasets_named_in(source).items():
        name = _printable(names.get(dataset_id)) or _printable(stored_name)
        datasets.append({"id": dataset_id, "name": name} if name and name != dataset_id else dataset_id)
    return datasets


def _printable(name: object) -> str | None:
    """A name that a spec may hold; for people only, so it may be left out."""
    try:
        return check_name(name) if isinstance(name, str) and not is_template(name) else None
    except AepValidationError:
        return None


def _params(target: Document) -> Iterator[tuple[str, Any]]:
    for key, value in mapping(target.get("params")).items():
        # A spec refuses the parameters of audiences; those of logins do not belong in a file.
        if key in SEGMENT_PARAMS or key in LOGIN_PARAMS or value is None:
            continue
        if (key, value) != ("mode", MODE):
            yield key, value


def _schedule(wire: Mapping[str, Any]) -> dict[str, str]:
    words = {key: word for key, word in schedule_words(wire).items() if word is not None}
    if not _has_a_word(wire):
        words["every"] = AS_IS
    return words


def _has_a_word(wire: Mapping[str, Any]) -> bool:
    """Whether a spec has a word for the cadence of a dataflow, its export mode included."""
    every = str(schedule_words(wire)["every"])
    return is_cadence(every) and is_same(wire, every)


def _notes_on_schedule(wire: Mapping[str, Any]) -> Iterator[str]:
    unit, interval = wire.get("timeUnit"), wire.get("interval")
    if not _has_a_word(wire):
        yield (
            f"It exports every {interval} {unit} with export mode {wire.get('exportMode')}, and a spec has "
            f"no word for that: every: {AS_IS} keeps it, but cannot create such an export."
        )
    elif (unit, str(interval)) == ("hour", "24"):
        yield "Adobe holds its cadence as 24 hours, the same as 1d; ensuring it does not change that."
    if not wire.get("endTime") and _has_a_word(wire):
        yield "It has no end; ensuring it sets one."


def _notes(flow: Document, state: State) -> Iterator[str]:
    mark = read_mark(flow)
    if mark:
        yield (
            "Declared already. The Airflow connection of its login is not known here: put "
            "credentials_conn_id in place of base_connection_id, if it had one."
        )
    if state_of(flow) != "enabled":
        yield f"The dataflow is {flow.get('state')}: it exports nothing until it is enabled."
    yield from _notes_on_schedule(mapping(flow.get("scheduleParams")))
    if not _fits_a_spec(text_of(flow).strip()):
        yield "Its description is too long for a spec, or looks like a template, and is left alone."
    params = mapping(
        (state.find("target connection", first_id(flow, "targetConnectionIds")) or {}).get("params")
    )
    added = [key for key in ("mode", "compression") if params.get(key) is None]
    if added:
        yield f"Its target connection has no {' and no '.join(added)}; ensuring it adds the usual value."
    if left_out := [key for key in params if key in SEGMENT_PARAMS or key in LOGIN_PARAMS]:
        yield f"Not part of a spec, and left alone: {', '.join(left_out)}."


def _datasets() -> Exchange[Sequence[Any]]:
    """The exportable datasets, for their names; none if the credential may not list them."""
    try:
        return (yield from list_datasets())
    except AepAuthError:
        return ()
