"""The entities of each sandbox, with their etags and audit fields.

Audit times are epoch *milliseconds*. An etag contains its own double quotes, and every write makes a new
one, including writes of Adobe's own background services.

Source: Destinations API reference (audit fields, etags); update destination dataflows guide (quotes).
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from typing import Any

from airflow_provider_aep.emulator.clock import Clock
from airflow_provider_aep.emulator.replies import not_found

Document = dict[str, Any]

# The background services that write, as printed in samples of dataflows and runs.
CONNECTORS = "acp_foundation_connectors"
ACTIVATION = "aep_activation_batch"


class Entities:
    """The documents of every sandbox, by kind and id, in order of creation."""

    def __init__(
        self, *, clock: Clock, dice: random.Random, org_id: str, client: str, sandboxes: Mapping[str, str]
    ) -> None:
        self._clock, self._dice, self._org, self._client = clock, dice, org_id, client
        self._sandboxes = sandboxes
        self._kept: dict[tuple[str, str], dict[str, Document]] = {}
        self._writes = 0

    def new_id(self) -> str:
        return str(uuid.UUID(int=self._dice.getrandbits(128), version=4))

    def add(
        self, kind: str, sandbox: str, document: Mapping[str, Any], *, by: str = "", at: float | None = None
    ) -> Document:
        """Store a new document with an id, an etag and audit fields.

        :param by: the background service that writes; empty for the caller.
        :param at: epoch seconds, when the clock has already moved past the event.
        """
        now = milliseconds(self._clock() if at is None else at)
        client, author = by or self._client, f"{by}@AdobeID" if by else f"{self._client}@techacct.adobe.com"
        kept = {
            "id": self.new_id(),
            "createdAt": now,
            "updatedAt": now,
            "createdBy": author,
            "updatedBy": author,
            "createdClient": client,
            "updatedClient": client,
            "sandboxId": self._sandboxes[sandbox],
            "sandboxName": sandbox,
            "imsOrgId": self._org,
            **document,
        }
        self._kept.setdefault((kind, sandbox), {})[kept["id"]] = kept
        self._move_etag(kind, kept)
        return kept

    def change(
        self,
        kind: str,
        document: Document,
        changes: Mapping[str, Any],
        *,
        by: str = "",
        at: float | None = None,
    ) -> Document:
        """Change a stored document; its etag moves."""
        document.update(changes)
        document["updatedAt"] = milliseconds(self._clock() if at is None else at)
        document["updatedBy"] = f"{by}@AdobeID" if by else f"{self._client}@techacct.adobe.com"
        document["updatedClient"] = by or self._client
        self._move_etag(kind, document)
        return document

    def get(self, kind: str, sandbox: str, entity_id: str) -> Document:
        document = self.find(kind, sandbox, entity_id)
        if document is None:
            raise not_found(kind, entity_id)
        return document

    def find(self, kind: str, sandbox: str, entity_id: object) -> Document | None:
        return self._kept.get((kind, sandbox), {}).get(str(entity_id))

    def all(self, kind: str, sandbox: str) -> list[Document]:
        return list(self._kept.get((kind, sandbox), {}).values())

    def remove(self, kind: str, document: Document) -> None:
        self._writes += 1
        del self._kept[kind, document["sandboxName"]][document["id"]]

    def _move_etag(self, kind: str, document: Document) -> None:
        self._writes += 1
        moved = document["updatedAt"] // 1000
        document["etag"] = f'"{self._writes:08x}-0000-0200-0000-{moved & 0xFFFFFFFF:08x}0000"'
        if kind != "runs":
            document["version"] = document["etag"]


def milliseconds(seconds: float) -> int:
    """The last full millisecond: a time is never shown before it has come."""
    near = round(seconds * 1000)
    # Compared in seconds, because the product's last digit can be one too few for a full millisecond.
    return near if near / 1000 <= seconds else near - 1
