"""The export that a probe makes: never run, marked as the probe's, and removed whatever happens.

Its dataflow starts in a year. Each entity has a name that begins with a mark, and its description has it
too, so that what an earlier probe left is recognized even where the service keeps only one of the two.

Source: "Export datasets by using the Flow Service API"; "Update destination dataflows"; the guides about
deleting; read 2026-11.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from airflow_provider_aep.errors import (
    AepApiError,
    AepError,
    AepNotFoundError,
    AepRateLimitError,
    AepServerError,
    AepTransportError,
    AepWriteRefusedError,
)
from airflow_provider_aep.flowservice.destinations import DATA_LAKE_SPEC_ID, SPEC_VERSION, Destination
from airflow_provider_aep.flowservice.entities import Document, epoch_moment, mapping, sequence
from airflow_provider_aep.flowservice.exchange import Exchange, Pause, Response
from airflow_provider_aep.probe import asking
from airflow_provider_aep.probe.asking import Filters, Listing
from airflow_provider_aep.probe.sample import KINDS, LARGEST_PAGE
from airflow_provider_aep.probe.written import Change, Made, Removal, Shown, Written

T = TypeVar("T")

STARTS_IN = timedelta(days=365)
LASTS = timedelta(days=1)
# How long is waited until something shows, or the service takes what it refused.
PATIENCE = 120.0
LONGEST_PAUSE = 15.0
# A dataflow outlives what it uses.
REMOVED_IN_ORDER = ("flows", "targetConnections", "sourceConnections", "connections")
CALLED = {
    "flows": "dataflow",
    "targetConnections": "target connection",
    "sourceConnections": "source connection",
    "connections": "base connection",
}
_MARK = re.compile(r"aep-probe-[0-9a-f]{12}\b", re.IGNORECASE)
# Letter case, two blanks, and lengths at which something may be cut.
NAME = "{mark}  Keeps Its Letter Case and Blanks"
DESCRIPTION = (
    "{mark}: made by aep probe to see what the service does with it. " + "It never exports anything. " * 9
)
SHORT_DESCRIPTION = "{mark}: made by aep probe"
PATH = "aep-probe/Keeps/Case"


@dataclass(frozen=True, slots=True)
class Left:
    """Something that could not be removed. ``id`` is ``None`` where the answer to its POST was lost."""

    kind: str
    id: str | None
    mark: str

    def __str__(self) -> str:
        if self.id is None:
            return (
                f"perhaps a {CALLED[self.kind]} whose name begins with {self.mark}: look for it by GET "
                f"/data/foundation/flowservice/{self.kind}"
            )
        return (
            f"{CALLED[self.kind]} {self.id}: remove it by DELETE "
            f"/data/foundation/flowservice/{self.kind}/{self.id}"
        )


@dataclass(slots=True, kw_only=True)
class ProbeExport:
    """One export, and what has been made of it by now.

    :param login: as ``login_from_fields`` makes it; ``None`` where the destination takes none.
    :param target_params: what the destination needs beside the path, such as ``bucketName``.
    :param clock: what time it is.
    """

    destination: Destination
    dataset: Document
    clock: Callable[[], datetime]
    login: Mapping[str, Any] | None = field(default=None, repr=False)
    target_params: Mapping[str, Any] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: f"aep-probe-{secrets.token_hex(6)}")
    left: dict[tuple[str, str], None] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)

    def bodies(self) -> dict[str, dict[str, Any]]:
        """What is sent for each kind, but for the ids of others."""
        named = {
            "name": NAME.format(mark=self.mark),
            "description": DESCRIPTION.format(mark=self.mark).strip(),
        }
        spec = {"id": self.destination.connection_spec_id, "version": SPEC_VERSION}
        start = int((self.clock() + STARTS_IN).timestamp())
        folder = "remotePath" if self.destination.slug == "sftp" else "path"
        dataset = {
            "dataSetId": str(self.dataset["id"]),
            "name": str(self.dataset.get("name") or self.dataset["id"]),
        }
        return {
            "connections": {
                **named,
                "connectionSpec": spec,
                **({"auth": self.login} if self.login else {}),
            },
            "sourceConnections": {
                **named,
                "connectionSpec": {"id": DATA_LAKE_SPEC_ID, "version": SPEC_VERSION},
                "params": {"datasets": [dataset]},
            },
            "targetConnections": {
                **named,
                "connectionSpec": spec,
                "params": {
                    "mode": "Server-to-server",
                    "compression": "GZIP",
                    "datasetFileType": "JSON",
                    folder: PATH,
                    **self.target_params,
                },
            },
            "flows": {
                **named,
                "flowSpec": {"id": self.destination.flow_spec_id, "version": SPEC_VERSION},
                "transformations": [],
                "scheduleParams": {
                    "exportMode": "FIRST_FULL_THEN_INCREMENTAL",
                    "timeUnit": "hour",
                    "interval": 3,
                    "startTime": start,
                    "endTime": start + int(LASTS.total_seconds()),
                    "foldernameTemplate": "%DATASET_ID%/%EXPORT_TIME%",
                },
            },
        }

    # Making

    def live(self) -> Exchange[Written]:
        """Make, look, change, remove. What remains is in ``left``; ``remove_all`` takes care of it."""
        written = Written()
        bodies = self.bodies()
        yield from self._make(written, "connections", bodies["connections"])
        yield from self._make(written, "sourceConnections", bodies["sourceConnections"])
        base, source = (self._id(written, kind) for kind in ("connections", "sourceConnections"))
        if source:
            written.twin = yield from self._post("sourceConnections", bodies["sourceConnections"])
        target = None
        if base:
            body = {**bodies["targetConnections"], "baseConnectionId": base}
            yield from self._make(written, "targetConnections", body)
            target = self._id(written, "targetConnections")
            plain = {**body, "params": {**body["params"], "compression": "NONE"}}
            written.uncompressed = yield from self._post("targetConnections", plain)
        if source and target:
            body = {**bodies["flows"], "sourceConnectionIds": [source], "targetConnectionIds": [target]}
            yield from self._make(written, "flows", body)
        if flow := self._id(written, "flows"):
            yield from self._look_at_filters(written)
            written.change = yield from self._change(flow)
            yield from self._switch(written, flow)
        yield from self._remove(written)
        return written

    @staticmethod
    def _id(written: Written, kind: str) -> str | None:
        return written.made[kind].id if kind in written.made else None

    def _make(self, written: Written, kind: str, body: Mapping[str, Any]) -> Exchange[None]:
        made = written.made[kind] = yield from self._post(kind, body)
        if made.id is None:
            return
        asked = self.clock()
        made.when = yield from self._until_shown(kind, made.id, lambda document: True)
        found = yield from _read_one(kind, made.id)
        if not isinstance(found, AepError):
            made.read = found[0]
            created = epoch_moment(_as_number(made.read.get("createdAt")))
            if created and written.clock_ahead is None:
                written.clock_ahead = (created - asked).total_seconds()
        listing = yield from self._list(kind)
        made.listed = next((one for one in listing if one["id"] == made.id), {})

    def _post(self, kind: str, body: Mapping[str, Any]) -> Exchange[Made]:
        made = Made(kind=kind, sent=body)
        patient = kind in ("targetConnections", "flows")  # they refer to what was only just made
        began = self.clock()
        for pause in _pauses():
            self.unsure.add(kind)
            reply = yield from asking.ask(f"/{kind}", method="POST", json=made.sent)
            if isinstance(reply, AepWriteRefusedError | AepRateLimitError):
                self.unsure.discard(kind)
                raise reply
            made.waited = self._since(began)
            if not isinstance(reply, AepError):
                self.unsure.discard(kind)
                made.status, made.body, made.refused = reply.status, mapping(reply.json), None
                made.id = _id_in(reply) or (yield from self._find(kind))
                if made.id:
                    self.left[kind, made.id] = None
                return made
            made.refused = reply
            if isinstance(reply, AepTransportError) and not reply.sent:
                self.unsure.discard(kind)
                raise reply
            if isinstance(reply, AepServerError | AepTransportError):
                made.id = yield from self._find(kind)  # the answer is lost, and perhaps not the entity
                if made.id:
                    self.unsure.discard(kind)
                    self.left[kind, made.id] = None
                return made
            self.unsure.discard(kind)
            if not made.shorter and _is_bad_request(reply) and made.sent.get("description") != self._short:
                made.shorter, made.sent = True, {**made.sent, "description": self._short}
                continue
            if not patient or not _is_bad_request(reply) or pause is None:
                return made
            yield Pause(pause)
        return made

    @property
    def _short(self) -> str:
        return SHORT_DESCRIPTION.format(mark=self.mark)

    def _find(self, kind: str) -> Exchange[str | None]:
        """One of ours whose id we were not told."""
        for pause in _pauses():
            known = {entity_id for each, entity_id in self.left if each == kind}
            for one in (yield from self._list(kind)):
                if self._is_ours(one) and str(one["id"]) not in known:
                    return str(one["id"])
            if pause is None:
                return None
            yield Pause(pause)
        return None

    def _is_ours(self, document: Document) -> bool:
        return self.mark in f"{document.get('name')} {document.get('description')}".lower()

    # Looking

    def _list(self, kind: str) -> Exchange[list[Document]]:
        """The newest entities of a kind, however the service likes to be asked."""
        return (yield from self._whole(kind)).items

    def _narrowed(self, kind: str) -> list[tuple[str, str]]:
        if kind == "flows":
            return [("flowSpec.id", self.destination.flow_spec_id)]
        lake = kind == "sourceConnections"
        return [("connectionSpec.id", DATA_LAKE_SPEC_ID if lake else self.destination.connection_spec_id)]

    def _until_shown(self, kind: str, entity_id: str, is_so: Callable[[Document], bool]) -> Exchange[Shown]:
        """Ask by id, by listing and by filtered listing until each shows it, three times in a row."""
        began, shown, streak = self.clock(), Shown(), 0
        for pause in _pauses():
            found = yield from _read_one(kind, entity_id)
            there = not isinstance(found, AepError) and is_so(found[0])
            if shown.by_id is None and there:
                shown.by_id = self._since(began)
            listed = any(one["id"] == entity_id and is_so(one) for one in (yield from self._list(kind)))
            if listed and shown.listed is None:
                shown.listed = self._since(began)
            narrow = yield from _read_listing(
                kind, self._narrowed(kind), orderby="-createdAt", limit=20, most=50
            )
            filtered = any(one["id"] == entity_id and is_so(one) for one in narrow.items)
            if filtered and shown.filtered is None:
                shown.filtered = self._since(began)
            if (shown.listed is not None and not listed) or (shown.filtered is not None and not filtered):
                shown.steady = False
            streak = streak + 1 if there and listed else 0
            if streak >= 3:  # what a filter does not show by now it does not find at all
                return shown
            if pause is None:
                return shown
            if not there or not listed:
                yield Pause(pause)
        return shown

    def _look_at_filters(self, written: Written) -> Exchange[None]:
        made = written.made["flows"]
        other = written.made["sourceConnections"]
        asked = {
            "name": ("flows", "name", str(made.read.get("name"))),
            "description": ("flows", "description", self._short),
            "id": ("flows", "id", f"{made.id},{other.id}"),
        }
        described = str(made.read.get("description"))
        asked["description"] = ("flows", "description", described)
        for what, (kind, path, value) in asked.items():
            if re.fullmatch(r"\w[\w .,:-]*", value):
                listing = yield from _read_listing(kind, [(path, value)], limit=20)
                written.found_by[what] = listing.error or made.id in listing.ids

    # Changing

    def _change(self, flow_id: str) -> Exchange[Change]:
        change = Change()
        first = yield from _read_one("flows", flow_id)
        second = yield from _read_one("flows", flow_id)
        if isinstance(first, AepError) or isinstance(second, AepError):
            change.refused = (
                first if isinstance(first, AepError) else AepTransportError("no read", sent=False)
            )
            return change
        (before, _, reply), (again, _, newest) = first, second
        change.etag, change.header_etag = before.get("etag"), reply.headers.get("etag")
        change.moved_by_reading = _etag(before, reply) != _etag(again, newest)
        new = f"{self.mark}: changed"
        operations = [{"op": "replace", "path": "/description", "value": new}]
        stale = _etag(again, newest)
        began, etag = self.clock(), stale
        for pause in _pauses():
            answer = yield from _ask(
                f"/flows/{flow_id}", method="PATCH", headers={"If-Match": str(etag)}, json=operations
            )
            change.waited = self._since(began)
            if not isinstance(answer, AepError):
                change.status, change.body, change.refused = answer.status, mapping(answer.json), None
                break
            change.refused = answer
            if getattr(answer, "status", None) == 412 and not change.needed_quotes and '"' not in str(etag):
                change.needed_quotes, etag = True, f'"{etag}"'
                continue
            if not _is_bad_request(answer) or pause is None:
                return change
            yield Pause(pause)

        def shows(one: Document) -> bool:
            return "description" not in one or str(one["description"]).lower().startswith(new)

        change.when = yield from self._until_shown("flows", flow_id, shows)
        after = yield from _read_one("flows", flow_id)
        change.etag_after = None if isinstance(after, AepError) else _etag(after[0], after[2])
        late = yield from _ask(
            f"/flows/{flow_id}", method="PATCH", headers={"If-Match": str(etag)}, json=operations
        )
        change.stale_taken = not isinstance(late, AepError)
        change.stale = late if isinstance(late, AepError) else None
        return change

    def _switch(self, written: Written, flow_id: str) -> Exchange[None]:
        """Disable twice, and enable again: whether only a disabled dataflow can be deleted is seen later."""
        written.states.append(written.made["flows"].read.get("state"))
        for op in ("disable", "disable", "enable"):
            reply: Response | AepError = AepTransportError("not asked", sent=False)
            for pause in _pauses():
                reply = yield from _ask(f"/flows/{flow_id}/action", [("op", op)], method="POST")
                if (
                    not isinstance(reply, AepError)
                    or not _is_bad_request(reply)
                    or pause is None
                    or _is_double(reply)
                ):
                    break
                yield Pause(pause)
            written.actions.append(reply if isinstance(reply, AepError) else reply.status)
            found = yield from _read_one("flows", flow_id)
            written.states.append(None if isinstance(found, AepError) else found[0].get("state"))

    # Removing

    def _remove(self, written: Written) -> Exchange[None]:
        for kind in REMOVED_IN_ORDER:
            for each, entity_id in [*self.left]:
                if each != kind:
                    continue
                removal = yield from self._delete(kind, entity_id)
                if kind in written.made and written.made[kind].id == entity_id:
                    written.removals[kind] = removal
                if kind == "flows" and (target := self._id(written, "targetConnections")):
                    written.took_along = yield from self._is_gone("targetConnections", target)

    def _delete(self, kind: str, entity_id: str) -> Exchange[Removal]:
        removal = Removal()
        for pause in _pauses():
            reply = yield from _ask(f"/{kind}/{entity_id}", method="DELETE")
            if not isinstance(reply, AepError):
                removal.status, removal.refused = reply.status, None
                break
            removal.refused = reply
            if _says_gone(reply):
                removal.status, removal.refused = reply.status, None  # type: ignore[attr-defined]
                break
            if not _is_bad_request(reply) or pause is None:
                return removal
            if kind == "flows" and not removal.wanted_disabled:
                found = yield from _read_one(kind, entity_id)
                if not isinstance(found, AepError) and str(found[0].get("state")).lower() == "enabled":
                    off = yield from _ask(f"/flows/{entity_id}/action", [("op", "disable")], method="POST")
                    removal.wanted_disabled = not isinstance(off, AepError)
                    if removal.wanted_disabled:
                        continue
            yield Pause(pause)
        removal.when = yield from self._until_gone(kind, entity_id)
        if removal.when.by_id is not None and removal.when.listed is not None:
            self.left.pop((kind, entity_id), None)
        again = yield from _ask(f"/{kind}/{entity_id}", method="DELETE")
        removal.again = getattr(again, "status", None)
        return removal

    def _until_gone(self, kind: str, entity_id: str) -> Exchange[Shown]:
        began, gone = self.clock(), Shown(filtered=0.0)
        for pause in _pauses():
            if gone.by_id is None and (yield from self._is_gone(kind, entity_id)):
                gone.by_id = self._since(began)
            listing = yield from self._read_whole(kind)
            if gone.listed is None and listing is not None and entity_id not in listing:
                gone.listed = self._since(began)
            if (gone.by_id is not None and gone.listed is not None) or pause is None:
                return gone
            yield Pause(pause)
        return gone

    def _is_gone(self, kind: str, entity_id: str) -> Exchange[bool]:
        found = yield from _read_one(kind, entity_id)
        return isinstance(found, AepError) and _says_gone(found)

    def _read_whole(self, kind: str) -> Exchange[set[str] | None]:
        """The ids of a listing; ``None`` where it could not be read, which proves nothing."""
        listing = yield from self._whole(kind)
        return listing.ids if listing.pages and not listing.error else None

    def _whole(self, kind: str) -> Exchange[Listing]:
        listing = Listing()
        for limit in (LARGEST_PAGE, 20, None):
            listing = yield from _read_listing(kind, limit=limit, most=50)
            if listing.pages:
                break
        return listing

    def remove_all(self) -> Exchange[list[Left]]:
        """Remove whatever of this export is known or can be found; what is left of it."""
        for kind in REMOVED_IN_ORDER:
            if kind in self.unsure and (found := (yield from self._find(kind))):
                self.left[kind, found] = None
                self.unsure.discard(kind)
            for each, entity_id in [*self.left]:
                if each == kind:
                    yield from self._delete(kind, entity_id)
        return self.remains()

    def remains(self) -> list[Left]:
        known = [Left(kind, entity_id, self.mark) for kind, entity_id in self.left]
        return [*known, *(Left(kind, None, self.mark) for kind in KINDS if kind in self.unsure)]

    def remove_earlier(self) -> Exchange[int]:
        """Remove what earlier probes have left; how many entities that were."""
        found = 0
        for kind in REMOVED_IN_ORDER:
            for one in (yield from self._list(kind)):
                if is_of_a_probe(one):
                    found += 1
                    yield from self._delete(kind, str(one["id"]))
        return found

    def _since(self, began: datetime) -> float:
        return round((self.clock() - began).total_seconds(), 1)


def is_of_a_probe(document: Document) -> bool:
    """Whether an entity bears the mark of a probe at the beginning of its name, or of its description."""
    texts = (str(document.get(key) or "").strip() for key in ("name", "description"))
    return any(_MARK.match(text) for text in texts)


def _pauses() -> Sequence[float | None]:
    """Growing pauses that add up to ``PATIENCE``; the last one is ``None``: no further attempt."""
    pauses: list[float | None] = []
    pause, left = 1.0, PATIENCE
    while left > 0:
        pauses.append(min(pause, left))
        left -= pause
        pause = min(pause * 2, LONGEST_PAUSE)
    return [*pauses, None]


def _id_in(reply: Response) -> str | None:
    first = mapping(next(iter(sequence(reply.json.get("items"))), None))
    given = reply.json.get("id") or first.get("id")
    if given:
        return str(given)
    place = reply.headers.get("location", "").rstrip("/").rpartition("/")[2]
    return place or None


def _etag(document: Document, reply: Response) -> object:
    return document.get("etag") or reply.headers.get("etag")


def _as_number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdigit() else value


def _is_bad_request(error: AepError) -> bool:
    return isinstance(error, AepApiError) and error.status in (400, 404, 409, 412, 422)


def _is_double(error: AepError) -> bool:
    return isinstance(error, AepApiError) and str(error.code).startswith("FLOW-1422")


def _says_gone(error: AepError) -> bool:
    return (
        isinstance(error, AepNotFoundError)
        or (isinstance(error, AepApiError) and error.status == 410)
        or (isinstance(error, AepApiError) and str(error.code).startswith("FLOW-1439"))
    )


def _ask(path: str, params: Filters = (), **given: Any) -> Exchange[Response | AepError]:
    return _unless_cut_off((yield from asking.ask(path, params, **given)))


def _read_one(kind: str, entity_id: str) -> Exchange[tuple[Document, bool, Response] | AepError]:
    return _unless_cut_off((yield from asking.read_one(kind, entity_id)))


def _read_listing(kind: str, filters: Filters = (), **given: Any) -> Exchange[Listing]:
    listing = yield from asking.read_listing(kind, filters, **given)
    _unless_cut_off(listing.error)
    return listing


def _unless_cut_off(found: T) -> T:
    """What was found; an error after which nothing else can be found either is raised."""
    if isinstance(found, AepTransportError | AepServerError | AepRateLimitError | AepWriteRefusedError):
        raise found
    return found
