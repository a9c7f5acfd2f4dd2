"""The export that a probe creates: it never runs, carries the probe's mark, and is removed whatever happens.

Its dataflow starts in a year. The name and the description of each entity begin with a mark, so that what an
earlier probe left is recognized even if the service keeps only one of the two.

Source: "Export datasets by using the Flow Service API"; "Update destination dataflows"; the guides about
deleting; read 2026-11.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from airflow_provider_aep.errors import (
    AepError,
    AepRateLimitError,
    AepServerError,
    AepTransportError,
    AepWriteRefusedError,
)
from airflow_provider_aep.flowservice.destinations import DATA_LAKE_SPEC_ID, Destination
from airflow_provider_aep.flowservice.documents import Document, epoch_moment, mapping, sequence
from airflow_provider_aep.flowservice.exchange import Exchange, Pause, Response
from airflow_provider_aep.probe import asking
from airflow_provider_aep.probe.bodies import PATH, SHORT_DESCRIPTION, bodies_of
from airflow_provider_aep.probe.changing import change, switch
from airflow_provider_aep.probe.patience import (
    Clock,
    is_bad_request,
    pauses,
    read_listing,
    read_one,
    read_whole,
    since,
    until_shown,
)
from airflow_provider_aep.probe.removing import IN_ORDER, delete, is_gone
from airflow_provider_aep.probe.written import CALLED, Made, Removal, Written

# Half a minute, as a user who interrupts a probe will not wait long.
LAST_LOOKS = 6
_MARK = re.compile(r"aep-probe-[0-9a-f]{12}\b", re.IGNORECASE)
_FILTERABLE = re.compile(r"\w[\w .:-]*")


@dataclass(frozen=True, slots=True)
class Left:
    """An entity that may still exist. Without an id, the response to its POST was lost."""

    kind: str
    id: str | None
    mark: str

    def __str__(self) -> str:
        path = f"/data/foundation/flowservice/{self.kind}"
        if self.id is None:
            return (
                f"perhaps a {CALLED[self.kind]} whose name begins with {self.mark}: look for it by GET {path}"
            )
        return f"{CALLED[self.kind]} {self.id}: remove it by DELETE {path}/{self.id}"


@dataclass(slots=True, kw_only=True)
class ProbeExport:
    """One export, and its entities that exist so far.

    :param dataset: the dataset of the export, with ``id`` and ``name``.
    :param login: as ``login_from_fields`` returns it; ``None`` if the destination needs none.
    :param target_params: what the destination needs besides the path, such as ``bucketName``.
    :param left: kind and id of what exists; ``unsure`` holds kinds of which an unknown entity may exist.
    """

    destination: Destination
    dataset: Document
    clock: Clock
    login: Mapping[str, Any] | None = field(default=None, repr=False)
    target_params: Mapping[str, Any] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: f"aep-probe-{secrets.token_hex(6)}")
    left: dict[tuple[str, str], None] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)
    _brief: bool = False

    def live(self) -> Exchange[Written]:
        """Create, observe, change and remove the export. ``remove_all`` removes what is still in ``left``.

        :raises AepError: the service cannot be reached any more, or this connection may not write.
        """
        written = Written()
        bodies = bodies_of(
            self.destination,
            self.dataset,
            mark=self.mark,
            login=self.login,
            target_params=self.target_params,
            now=self.clock(),
        )
        for kind in ("connections", "sourceConnections"):
            yield from self._make(written, kind, bodies[kind])
        base, source = (written.id_of(kind) for kind in ("connections", "sourceConnections"))
        if source:
            written.twin = yield from self._post("sourceConnections", bodies["sourceConnections"])
        if base:
            body = {**bodies["targetConnections"], "baseConnectionId": base}
            yield from self._make(written, "targetConnections", body)
            if written.id_of("targetConnections"):
                written.uncompressed = yield from self._variant(body, {"compression": "NONE"})
                slashed = {key: f"/{value}/" for key, value in body["params"].items() if value == PATH}
                written.slashed = yield from self._variant(body, slashed)
                written.manifest = yield from self._variant(body, {"includeFileManifest": True})
        if source and (target := written.id_of("targetConnections")):
            body = {**bodies["flows"], "sourceConnectionIds": [source], "targetConnectionIds": [target]}
            yield from self._make(written, "flows", body)
        if flow := written.id_of("flows"):
            yield from self._look_at_filters(written)
            written.change = yield from change(
                flow, f"{self.mark}: changed", self._narrow("flows"), self.clock
            )
            yield from switch(written, flow)
        yield from self._remove(written)
        return written

    def _make(self, written: Written, kind: str, body: Mapping[str, Any]) -> Exchange[None]:
        made = written.made[kind] = yield from self._post(
            kind, body, patient=kind in ("targetConnections", "flows")
        )
        if made.id is None:
            return
        asked = self.clock()
        made.when = yield from until_shown(kind, made.id, lambda _: True, self._narrow(kind), self.clock)
        made.read = yield from self._read(kind, made.id)
        listing = yield from read_whole(kind, until=made.id)
        made.listed = next((item for item in listing.items if item["id"] == made.id), {})
        created = epoch_moment(_as_number(made.read.get("createdAt")))
        if created and written.clock_ahead is None:
            written.clock_ahead = (created - asked).total_seconds()

    def _variant(self, body: Mapping[str, Any], params: Mapping[str, Any]) -> Exchange[Made]:
        """Create another target connection, with other parameters."""
        made = yield from self._post("targetConnections", {**body, "params": {**body["params"], **params}})
        if made.id:
            made.read = yield from self._read("targetConnections", made.id)
        return made

    def _read(self, kind: str, entity_id: str) -> Exchange[Document]:
        for pause in pauses():
            read = yield from read_one(kind, entity_id)
            if not isinstance(read, AepError):
                return read[0]
            if pause is None:
                break
            yield Pause(pause)
        return {}

    def _post(self, kind: str, body: Mapping[str, Any], *, patient: bool = False) -> Exchange[Made]:
        """Create one entity.

        :param patient: it refers to a new entity, which the service may not know yet.
        """
        made, began = Made(kind=kind, sent=self._shortened(body) if self._brief else body), self.clock()
        for pause in pauses():
            self.unsure.add(kind)
            reply = yield from asking.ask(f"/{kind}", method="POST", json=made.sent)
            made.waited = since(began, self.clock)
            made.refused = reply if isinstance(reply, AepError) else None
            if _is_unsent(reply):
                self.unsure.discard(kind)
                raise made.refused or AepError("unreachable")
            if not isinstance(reply, AepError) or isinstance(reply, AepServerError | AepTransportError):
                if not isinstance(reply, AepError):
                    made.status, made.body, made.id = reply.status, mapping(reply.json), _id_in(reply)
                # Without an id, or after a lost response, the entity may exist all the same.
                made.id = made.id or (yield from self._find(kind))
                if made.id:
                    self._keep(kind, made.id)
                return made
            self.unsure.discard(kind)
            if not is_bad_request(reply) or pause is None:
                return made
            if patient:
                yield Pause(pause)
            elif not self.left and not made.shorter:
                made.shorter, made.sent = True, self._shortened(body)
            else:
                return made
            self._brief = self._brief or made.shorter
        return made

    def _shortened(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {**body, "description": SHORT_DESCRIPTION.format(mark=self.mark)}

    def _keep(self, kind: str, entity_id: str) -> None:
        self.left[kind, entity_id] = None
        self.unsure.discard(kind)

    def _find(self, kind: str, *, looks: int | None = None) -> Exchange[str | None]:
        """The id of one of our entities that we do not know yet."""
        for pause in islice(pauses(), looks):
            known = {entity_id for left_kind, entity_id in self.left if left_kind == kind}
            for item in (yield from read_whole(kind)).items:
                if self._is_ours(item) and str(item["id"]) not in known:
                    return str(item["id"])
            if pause is None:
                break
            yield Pause(pause)
        return None

    def _is_ours(self, document: Document) -> bool:
        return self.mark in f"{document.get('name')} {document.get('description')}".lower()

    def _narrow(self, kind: str) -> tuple[str, str]:
        """The filter with which the provider lists a kind."""
        if kind == "flows":
            return "flowSpec.id", self.destination.flow_spec_id
        lake = kind == "sourceConnections"
        return "connectionSpec.id", DATA_LAKE_SPEC_ID if lake else self.destination.connection_spec_id

    def _look_at_filters(self, written: Written) -> Exchange[None]:
        made = written.made["flows"]
        asked = {
            "name": ("name", str(made.read.get("name"))),
            "description": ("description", str(made.read.get("description"))),
            "id": ("id", f"{written.id_of('sourceConnections')},{made.id}"),
        }
        for what, (path, value) in asked.items():
            # A comma in a value would have a meaning.
            if what == "id" or _FILTERABLE.fullmatch(value):
                listing = yield from read_listing("flows", [(path, value)], limit=20)
                written.found_by[what] = listing.error or made.id in listing.ids

    # Removing

    def _remove(self, written: Written) -> Exchange[None]:
        for kind in IN_ORDER:
            for entity_id in self._left_of(kind):
                removal = yield from self._delete(kind, entity_id)
                if written.id_of(kind) == entity_id:
                    written.removals[kind] = removal
            if (
                kind == "flows"
                and kind in written.removals
                and (target := written.id_of("targetConnections"))
            ):
                written.took_along = yield from is_gone("targetConnections", target)

    def _delete(self, kind: str, entity_id: str) -> Exchange[Removal]:
        removal = yield from delete(kind, entity_id, self.clock)
        if removal.when.by_id is not None and removal.when.listed is not None:
            self.left.pop((kind, entity_id), None)
        return removal

    def _left_of(self, kind: str) -> list[str]:
        return [entity_id for left_kind, entity_id in self.left if left_kind == kind]

    def remove_all(self) -> Exchange[list[Left]]:
        """Remove all entities of this export that are known or can be found; return what is left.

        :raises AepError: the service cannot be reached; see ``remains`` for what is left.
        """
        for kind in IN_ORDER:
            if kind in self.unsure and (entity := (yield from self._find(kind, looks=LAST_LOOKS))):
                self._keep(kind, entity)
            for entity_id in self._left_of(kind):
                yield from self._delete(kind, entity_id)
        return self.remains()

    def remains(self) -> list[Left]:
        known = [Left(kind, entity_id, self.mark) for kind in IN_ORDER for entity_id in self._left_of(kind)]
        return [*known, *(Left(kind, None, self.mark) for kind in IN_ORDER if kind in self.unsure)]

    def remove_earlier(self) -> Exchange[int]:
        """Remove what earlier probes left; return the number of entities."""
        removed = 0
        for kind in IN_ORDER:
            for item in (yield from read_whole(kind)).items:
                if is_of_a_probe(item):
                    yield from delete(kind, str(item["id"]), self.clock)
                    removed += 1
        return removed


def is_of_a_probe(document: Document) -> bool:
    """Whether the name or the description of an entity begins with the mark of a probe."""
    texts = (str(document.get(key) or "").strip() for key in ("name", "description"))
    return any(_MARK.match(text) for text in texts)


def _is_unsent(reply: Response | AepError) -> bool:
    unreached = isinstance(reply, AepTransportError) and not reply.sent
    return unreached or isinstance(reply, AepWriteRefusedError | AepRateLimitError)


def _id_in(reply: Response) -> str | None:
    first = mapping(next(iter(sequence(reply.json.get("items"))), None))
    given = reply.json.get("id") or first.get("id")
    place = reply.headers.get("location", "").rstrip("/").rpartition("/")[2]
    return str(given) if given else place or None


def _as_number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdigit() else value
