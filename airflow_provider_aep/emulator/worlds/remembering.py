"""Entities with their recent versions, for worlds in which a read shows the past."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_aep.emulator.entities import Document, Entities

# Enough for the lag of every world, without a long history of a busy entity.
VERSIONS_KEPT = 20
GONE_KEPT = 500


class RememberingEntities(Entities):
    """``Entities`` with their last versions; times are seconds of the clock."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._came: dict[str, float] = {}
        # Each version with the time at which the next one replaced it.
        self._versions: dict[str, list[tuple[float, Document]]] = {}
        self._gone: dict[tuple[str, str], list[tuple[float, Document]]] = {}

    def add(
        self, kind: str, sandbox: str, document: Mapping[str, Any], *, by: str = "", at: float | None = None
    ) -> Document:
        kept = super().add(kind, sandbox, document, by=by, at=at)
        self._came[kept["id"]] = self._clock() if at is None else at
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
        versions = self._versions.setdefault(document["id"], [])
        versions.append((self._clock() if at is None else at, dict(document)))
        del versions[:-VERSIONS_KEPT]
        return super().change(kind, document, changes, by=by, at=at)

    def remove(self, kind: str, document: Document) -> None:
        super().remove(kind, document)
        gone = self._gone.setdefault((kind, document["sandboxName"]), [])
        gone.append((self._clock(), dict(document)))
        del gone[:-GONE_KEPT]

    def came(self, entity_id: str) -> float:
        """When an entity was created."""
        return self._came[entity_id]

    def as_then(self, document: Document, then: float) -> Document:
        """The version of an entity at a time; its first version if it did not exist yet."""
        for until, version in self._versions.get(document["id"], ()):
            if until > then:
                return version
        return document

    def gone_since(self, kind: str, sandbox: str, then: float) -> list[Document]:
        """The entities that were deleted after a time, in their last version, oldest first."""
        return [document for at, document in self._gone.get((kind, sandbox), ()) if at > then]
