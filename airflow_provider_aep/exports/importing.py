"""From an export that exists to the spec that would declare it, so that a hand-made export can be adopted.

What a spec has no word for is an error where the export would change by it, and left out where it stays as it
is anyhow. Logins are never read: the base connection is named by its id.

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

# The schema's own limit: a longer description stays as it is, since a spec without one leaves it alone.
LONGEST_DESCRIPTION = 1000
LIKE_A_TEMPLATE = (
    "holds '{{' or '{%', which a spec in a file must not: change it in Adobe's UI, as by a rename"
)
SCHEMA_COMMENT = "# yaml-language-server: $schema=./export_spec.schema.json"

# No reader of YAML, of 1.1 or 1.2, takes these for anything but a text, but for words such as yes and null,
# which the library knows; it does not know y and n.
_HARMLESS = re.compile(r"[A-Za-z][A-Za-z0-9 _./%@-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One export as a spec, or why it cannot be told as one.

    :param notes: what whoever reviews the spec should know.
    """

    dataflow_id: str
    name: str
    document: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
    error: AepError | None = field(default=None, compare=False)


def import_exports(
    name_or_id: str | None, *, owner: str = DEFAULT_OWNER, sandbox: str | None = None
) -> Exchange[list[Imported]]:
    """The specs of exports that exist; sends only GETs.

    :param name_or_id: one export; ``None`` for every export of the sandbox, oldest first.
    :param owner: whose those shall be that nobody owns.
    :param sandbox: written into each spec, where given.
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
    """The one dataflow of that id, or of exactly that name.

    :raises AepValidationError: there is none.
    :raises AepAmbiguousNameError: several have the name.
    """
    found = [flow for flow in flows if flow["id"] == name_or_id]
    found = found or [flow for flow in flows if flow.get("name") == name_or_id]
    if len(found) > 1:
        ids = [str(flow["id"]) for flow in found]
        raise AepAmbiguousNameError(
            f"{len(ids)} export dataflows are named {name_or_id!r}: {', '.join(ids)}. Give the id instead.",
            ids,
        )
    if not found:
        close = nearest(name_or_id, [str(flow.get("name")) for flow in flows])
        rule = f"is neither the id nor the exact name of an export dataflow in this sandbox{close}"
        raise AepValidationError("the arguments", [Problem("NAME_OR_ID", rule)])
    return found[0]


def spec_of(
    flow: Document, state: State, *, owner: str = DEFAULT_OWNER, sandbox: str | None = None
) -> dict[str, Any]:
    """The spec of a dataflow, as a document that ``parse_spec`` reads.

    A plan of it against the same state changes nothing, but for the owner of one that nobody owned.

    :param owner: whose it shall be, if nobody owns it.
    :raises AepValidationError: something of it cannot be told in a spec.
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
    if (text := text_of(flow).strip()) and _can_be_told(text):
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
    what = f"dataflow {flow['id']}, which cannot be told as a spec"
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
        # A note may hold anything that is in the sandbox, and must not end the comment it stands in.
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
    return f"{SCHEMA_COMMENT}\n" + "---\n".join(parts)


def _can_be_told(description: str) -> bool:
    """Whether a spec in a file can hold it: what looks like a template is refused there."""
    return len(description) <= LONGEST_DESCRIPTION and not is_template(description)


def _connection(
    flow: Document, state: State, kind: str, key: str, problems: list[Problem]
) -> Document | None:
    ids = sequence(flow.get(key))
    if len(ids) != 1:
        problems.append(Problem(f"/{key}", f"names {len(ids)} connections; an export has one"))
        return None
    found = state.find(kind, first_id(flow, key))
    if found is None:
        # The listing is filtered by what exports are made of.
        problems.append(Problem(f"/{key}/0", f"is no {kind} of a dataset export, or cannot be read"))
    return found


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
    """The name by which the export is known: of an owned one, that which its mark was made of."""
    name = str(flow.get("name") or "")
    if mark is None:
        return name
    # Somebody may have renamed the dataflow since; its connections still have the name.
    for known in (name, *(str(one.get("name") or "") for one in connections if one)):
        if export_key(mark.owner, known) == mark.export:
            return known
    problems.append(Problem("/name", f"is not the one that {mark.owner} declared; rename it back first"))
    return name


def _datasets_of(source: Document, state: State, problems: list[Problem]) -> list[str | dict[str, str]]:
    names = {dataset.id: dataset.name for dataset in state.datasets}
    found: list[str | dict[str, str]] = []
    if spec_id_of(source) != DATA_LAKE_SPEC_ID:
        problems.append(Problem("/sourceConnectionIds/0", "is no source connection of the data lake"))
    for dataset_id, told in datasets_named_in(source).items():
        name = _printable(names.get(dataset_id)) or _printable(told)
        found.append({"id": dataset_id, "name": name} if name and name != dataset_id else dataset_id)
    return found


def _printable(name: object) -> str | None:
    """A name that a spec may hold; for people only, so it may be left out."""
    try:
        return check_name(name) if isinstance(name, str) and not is_template(name) else None
    except AepValidationError:
        return None


def _params(target: Document) -> Iterator[tuple[str, Any]]:
    for key, value in mapping(target.get("params")).items():
        # Those of audiences are refused in a spec; what would be a login does not belong into a file.
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
    """Whether the cadence of a dataflow, its export mode included, can be said in a spec."""
    every = str(schedule_words(wire)["every"])
    return is_cadence(every) and is_same(wire, every)


def _notes_on_schedule(wire: Mapping[str, Any]) -> Iterator[str]:
    unit, interval = wire.get("timeUnit"), wire.get("interval")
    if not _has_a_word(wire):
        yield (
            f"It exports every {interval} {unit} with export mode {wire.get('exportMode')}, and a spec has "
            f"no word for that: every: {AS_IS} keeps it, and cannot make such an export anew."
        )
    elif (unit, str(interval)) == ("hour", "24"):
        yield "Adobe holds its cadence as 24 hours, the same as 1d; ensuring it leaves that as it is."
    if not wire.get("endTime") and _has_a_word(wire):
        yield "It has no end; ensuring it sets one."


def _notes(flow: Document, state: State) -> Iterator[str]:
    mark = read_mark(flow)
    if mark:
        yield (
            "Declared already. The Airflow connection of its login is not known here: put "
            "credentials_conn_id in the place of base_connection_id, if it had one."
        )
    if state_of(flow) != "enabled":
        yield f"The dataflow is {flow.get('state')}: it exports nothing until it is enabled."
    yield from _notes_on_schedule(mapping(flow.get("scheduleParams")))
    if not _can_be_told(text_of(flow).strip()):
        yield "Its description is too long for a spec, or looks like a template, and is left alone."
    params = mapping(
        (state.find("target connection", first_id(flow, "targetConnectionIds")) or {}).get("params")
    )
    added = [key for key in ("mode", "compression") if params.get(key) is None]
    if added:
        yield f"Its target connection has no {' and no '.join(added)}; ensuring it adds the usual value."
    if left_out := [key for key in params if key in SEGMENT_PARAMS or key in LOGIN_PARAMS]:
        yield f"Not part of a spec, and left as they are: {', '.join(left_out)}."


def _datasets() -> Exchange[Sequence[Any]]:
    """The exportable datasets, for their names; none where they may not be listed."""
    try:
        return (yield from list_datasets())
    except AepAuthError:
        return ()
