"""What the organization's live specs offer: which destinations export datasets, and what each of them takes.

The table in ``destinations`` holds what is known offline. The ``attributes._workflow`` of a flow spec that
exports datasets contains ``DATASETS``; its connection spec lists the logins and parameters. A destination
that is not in the table has the name that its connection spec gives.

Source: "Export datasets by using the Flow Service API" (``datasetFileType`` has the condition
``flowSpec.attributes._workflow CONTAINS DATASETS``); Destinations API reference; read 2026-11.
Assumed: ``targetConnectionSpecIds`` and ``scheduleSpec`` as flow specs of sources have them; no public
document prints a flow spec of dataset exports.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aep.errors import AepApiError, AepError, AepNotFoundError, AepValidationError, Problem
from airflow_provider_aep.flowservice.cadences import allowed_cadences
from airflow_provider_aep.flowservice.destinations import DESTINATIONS, Destination
from airflow_provider_aep.flowservice.documents import Document, mapping, sequence
from airflow_provider_aep.flowservice.entities import get_entity
from airflow_provider_aep.flowservice.exchange import Done, Exchange, together
from airflow_provider_aep.flowservice.listing import list_entities
from airflow_provider_aep.flowservice.validation import nearest

WORKFLOW = "DATASETS"
# The most specs that are read at a time.
AT_MOST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSpec:
    """A flow spec, as far as dataset exports need it.

    :param name: of the destination: our slug if it is in the table, else the name that its spec gives.
    :param connection_spec_ids: of the storages that it delivers to.
    :param schedule_spec: the JSON schema of ``scheduleParams``; empty if the flow spec has none.
    """

    id: str
    name: str
    exports_datasets: bool
    connection_spec_ids: tuple[str, ...]
    schedule_spec: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedLogin:
    """One way to log in, as ``authSpec`` gives it; ``auth.specName`` must be its name."""

    name: str
    params: tuple[str, ...]
    required: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A destination that exports datasets, and what it takes.

    :param name: our slug; for a destination that is not in the table, the name that its spec gives.
    :param logins: none if no login is sent, because Adobe owns the storage.
    :param encryptions: the names of its ``encryptionSpecs``.
    :param problem: why the connection spec could not be read.
    """

    name: str
    title: str
    connection_spec_id: str
    flow_spec_id: str
    logins: tuple[OfferedLogin, ...] = ()
    target_params: tuple[str, ...] = ()
    required_target_params: tuple[str, ...] = ()
    encryptions: tuple[str, ...] = ()
    schedule_spec: Mapping[str, Any] = field(default_factory=dict, repr=False)
    problem: str | None = None

    @property
    def known(self) -> Destination | None:
        """Its entry in the table, if it has one."""
        return DESTINATIONS.get(self.name)

    @property
    def cadences(self) -> list[str]:
        """The cadences that the flow spec allows, as words; none if it does not say."""
        return allowed_cadences({"scheduleSpec": {"spec": self.schedule_spec}})

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "connection_spec_id": self.connection_spec_id,
            "flow_spec_id": self.flow_spec_id,
            "logins": [
                {"name": login.name, "params": list(login.params), "required": list(login.required)}
                for login in self.logins
            ],
            "target_params": list(self.target_params),
            "required_target_params": list(self.required_target_params),
            "encryptions": list(self.encryptions),
            "cadences": list(self.cadences),
            "problem": self.problem,
        }


def read_catalogue() -> Exchange[list[Offer]]:
    """Every destination that exports datasets, those of the table first.

    It reads the listing of flow specs, and one connection spec for each destination. The connection specs are
    kept, so the next call in this process sends only the listing.

    :raises AepError: the flow specs cannot be read. The offer names a connection spec that cannot be read.
    """
    documents = yield from list_entities("/flowSpecs")
    specs = {spec.id: spec for spec in map(_flow_spec, documents) if spec.exports_datasets}
    # A flow spec that the listing leaves out may be offered all the same.
    known = [destination.flow_spec_id for destination in DESTINATIONS.values()]
    missing = [spec_id for spec_id in known if spec_id not in specs]
    ends = yield from together([_read_flow_spec(spec_id) for spec_id in missing], at_most=AT_MOST)
    unlisted = (end.value for end in ends if isinstance(end, Done))
    specs |= {spec.id: spec for spec in unlisted if spec.exports_datasets}
    pairs = [(spec, spec_id) for spec in _in_order(specs) for spec_id in spec.connection_spec_ids or ("",)]
    wanted = list(dict.fromkeys(spec_id for _, spec_id in pairs))
    ends_of_specs = yield from together(
        [_read_connection_spec(spec_id) for spec_id in wanted], at_most=AT_MOST
    )
    read = {
        spec_id: end.value if isinstance(end, Done) else end
        for spec_id, end in zip(wanted, ends_of_specs, strict=True)
    }
    return [_offer(spec, spec_id, read[spec_id]) for spec, spec_id in pairs]


def destination_of_flow_spec(flow_spec_id: str) -> Exchange[FlowSpec]:
    """Whether a flow spec exports datasets, and the name of its destination.

    Nothing is sent for a flow spec in the table. Another is read and, if it exports datasets, the connection
    spec that names the destination as well; both are kept.

    :raises AepError: the flow spec cannot be read.
    """
    for slug, known in DESTINATIONS.items():
        if known.flow_spec_id == flow_spec_id:
            return FlowSpec(
                id=flow_spec_id,
                name=slug,
                exports_datasets=True,
                connection_spec_ids=(known.connection_spec_id,),
            )
    spec = yield from _read_flow_spec(flow_spec_id)
    if not spec.exports_datasets or len(spec.connection_spec_ids) != 1:
        return spec
    try:
        document = yield from _read_connection_spec(spec.connection_spec_ids[0])
    except AepError:  # the name is only for people, and the flow spec has one too
        return spec
    return FlowSpec(
        id=spec.id,
        name=_text(document.get("name")) or spec.name,
        exports_datasets=True,
        connection_spec_ids=spec.connection_spec_ids,
        schedule_spec=spec.schedule_spec,
    )


def find_destination(name: object) -> Exchange[Destination]:
    """A destination by its slug; one that is not in the table, by the name that its spec gives or by the id
    of its connection or flow spec.

    :raises AepValidationError: no destination has that name, several have it, or its spec cannot be read.
    """
    for slug, known in DESTINATIONS.items():
        if slug == name:  # compared, because a template can render to an unhashable value
            return known
    if not isinstance(name, str) or not name:
        raise _unknown(tuple(DESTINATIONS), "")
    offers = yield from read_catalogue()
    wanted = name.casefold()
    matches = [
        offer
        for offer in offers
        if wanted
        in (offer.title.casefold(), offer.connection_spec_id, offer.flow_spec_id, offer.name.casefold())
    ]
    if not matches:
        names = [offer.name for offer in offers]
        raise _unknown(names, nearest(name, names))
    if len(matches) > 1:
        rule = f"fits {len(matches)} destinations; give the id of a flow spec: " + ", ".join(
            offer.flow_spec_id for offer in matches
        )
        raise AepValidationError("the destination", [Problem("destination", rule)])
    (offer,) = matches
    if offer.known:
        return offer.known
    if offer.problem:
        raise AepValidationError("the destination", [Problem("destination", offer.problem)])
    return Destination(
        slug=offer.name,
        title=offer.title,
        connection_spec_id=offer.connection_spec_id,
        flow_spec_id=offer.flow_spec_id,
        logins=(),
        takes_login=bool(offer.logins),
    )


def exports_datasets(flow_spec: Document) -> bool:
    """Whether a flow spec says that it exports datasets."""
    workflow = mapping(flow_spec.get("attributes")).get("_workflow")
    words = workflow if isinstance(workflow, list) else [workflow]
    return any(
        WORKFLOW in word.upper().replace(",", " ").replace(";", " ").split()
        for word in words
        if isinstance(word, str)
    )


def offered_logins(connection_spec: Document) -> list[Document]:
    """The members of an ``authSpec``, each with a name; empty if the destination takes no login.

    :raises AepValidationError: it is missing, is no list, or a member has no name.
    """
    title = _text(connection_spec.get("name")) or "connection"
    listed = connection_spec.get("authSpec")
    if not isinstance(listed, list):
        rule = "is missing" if listed is None else "is no list"
        raise AepValidationError(f"Adobe's live {title} spec", [Problem("authSpec", rule)], _SPEC_ADVICE)
    problems = [
        Problem(f"authSpec/{index}", "has no name")
        for index, member in enumerate(listed)
        if not _text(mapping(member).get("name"))
    ]
    if problems:
        raise AepValidationError(f"Adobe's live {title} spec", problems, _SPEC_ADVICE)
    return [mapping(member) for member in listed]


def params_of(described: Document) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The parameters that ``{"spec": {JSON schema}}`` lists, and those of them that it requires."""
    schema = mapping(described.get("spec"))
    listed = [str(key) for key in mapping(schema.get("properties"))]
    required = [key for key in sequence(schema.get("required")) if isinstance(key, str)]
    return tuple(dict.fromkeys([*listed, *required])), tuple(dict.fromkeys(required))


_SPEC_ADVICE = "Look at it with AepGetConnectionSpecOperator; if it stays like that, ask Adobe's support."


def _unknown(names: Sequence[str], hint: str) -> AepValidationError:
    rule = f"must be one of {', '.join(names)}{hint}"
    return AepValidationError("the destination", [Problem("destination", rule)])


def _read_flow_spec(flow_spec_id: str) -> Exchange[FlowSpec]:
    document = yield from get_entity("flowSpecs", flow_spec_id, field="flow_spec_id", keep=True)
    return _flow_spec(document)


def _read_connection_spec(spec_id: str) -> Exchange[Document]:
    document = yield from get_entity("connectionSpecs", spec_id, field="connection_spec_id", keep=True)
    return document


def _flow_spec(document: Document) -> FlowSpec:
    spec_id = str(document["id"])
    slug = next(
        (slug for slug, destination in DESTINATIONS.items() if destination.flow_spec_id == spec_id), None
    )
    listed = [spec_id for spec_id in sequence(document.get("targetConnectionSpecIds")) if _text(spec_id)]
    if slug:
        listed = listed or [DESTINATIONS[slug].connection_spec_id]
    return FlowSpec(
        id=spec_id,
        name=slug or _text(document.get("name")) or spec_id,
        # Adobe documents those in the table as specs of dataset exports, whatever they say themselves.
        exports_datasets=slug is not None or exports_datasets(document),
        connection_spec_ids=tuple(dict.fromkeys(listed)),
        schedule_spec=mapping(mapping(document.get("scheduleSpec")).get("spec")),
    )


def _in_order(specs: Mapping[str, FlowSpec]) -> Iterator[FlowSpec]:
    in_table = (destination.flow_spec_id for destination in DESTINATIONS.values())
    known = [spec_id for spec_id in in_table if spec_id in specs]
    yield from (specs[spec_id] for spec_id in known)
    others = [spec for spec_id, spec in specs.items() if spec_id not in known]
    yield from sorted(others, key=lambda spec: (spec.name, spec.id))


def _offer(flow_spec: FlowSpec, spec_id: str, document: Document | AepError) -> Offer:
    slug = next(
        (slug for slug, destination in DESTINATIONS.items() if destination.connection_spec_id == spec_id),
        None,
    )
    if isinstance(document, AepError):
        why = "is offered no more" if isinstance(document, AepNotFoundError) else "cannot be read"
        title = DESTINATIONS[slug].title if slug else flow_spec.name
        return Offer(
            name=slug or flow_spec.name,
            title=title,
            connection_spec_id=spec_id,
            flow_spec_id=flow_spec.id,
            schedule_spec=flow_spec.schedule_spec,
            problem=f"its connection spec {why} ({_status(document)})",
        )
    title = _text(document.get("name")) or (DESTINATIONS[slug].title if slug else flow_spec.name)
    target_params, required = params_of(mapping(document.get("targetSpec")))
    problem, logins = None, []
    try:
        logins = offered_logins(document)
    except AepValidationError as error:
        problem = "; ".join(map(str, error.problems))
    return Offer(
        name=slug or title,
        title=title,
        connection_spec_id=spec_id,
        flow_spec_id=flow_spec.id,
        logins=tuple(map(_login, logins)),
        target_params=target_params,
        required_target_params=required,
        encryptions=tuple(
            name
            for item in sequence(document.get("encryptionSpecs"))
            if (name := _text(mapping(item).get("name")))
        ),
        schedule_spec=flow_spec.schedule_spec,
        problem=problem,
    )


def _login(auth: Document) -> OfferedLogin:
    params, required = params_of(auth)
    return OfferedLogin(name=str(auth["name"]), params=params, required=required)


def _status(error: AepError) -> str:
    return f"HTTP {error.status}" if isinstance(error, AepApiError) and error.status else type(error).__name__


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
