"""What was observed while an export was created, changed and removed.

Seconds are counted from the response to a write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aep.errors import AepError
from airflow_provider_aep.flowservice.documents import Document

# The name of an entity in messages, by its collection.
CALLED = {
    "flows": "dataflow",
    "targetConnections": "target connection",
    "sourceConnections": "source connection",
    "connections": "base connection",
}


@dataclass(slots=True, kw_only=True)
class Shown:
    """After how many seconds something showed, by where; ``None``: not within our patience.

    :param steady: no listing left it out again after it was shown.
    :param filterable: the filter finds entities that have long existed.
    """

    by_id: float | None = None
    listed: float | None = None
    filtered: float | None = None
    steady: bool = True
    filterable: bool = True


@dataclass(slots=True, kw_only=True)
class Made:
    """One entity.

    :param sent: the body of the POST.
    :param waited: how many seconds until the service accepted it.
    :param refused: why it was not created.
    :param read: as a read by id showed it; ``listed`` as a listing did.
    """

    kind: str
    sent: Mapping[str, Any] = field(repr=False)
    id: str | None = None
    status: int | None = None
    body: Document = field(default_factory=dict, repr=False)
    waited: float = 0.0
    refused: AepError | None = None
    shorter: bool = False
    when: Shown = field(default_factory=Shown)
    read: Document = field(default_factory=dict, repr=False)
    listed: Document = field(default_factory=dict, repr=False)


@dataclass(slots=True, kw_only=True)
class Change:
    """One PATCH, and what came before and after it.

    :param stale: the refusal of a stale etag; ``None`` if it was accepted.
    """

    etag: object = None
    status: int | None = None
    body: Document = field(default_factory=dict, repr=False)
    needed_quotes: bool = False
    waited: float = 0.0
    refused: AepError | None = None
    when: Shown = field(default_factory=Shown)
    etag_after: object = None
    stale: AepError | None = None


@dataclass(slots=True, kw_only=True)
class Removal:
    """The deletion of one entity."""

    status: int | None = None
    refused: AepError | None = None
    wanted_disabled: bool = False
    when: Shown = field(default_factory=Shown)
    again: int | None = None


@dataclass(slots=True, kw_only=True)
class Written:
    """An export that never ran, from its creation to the proof that it is gone.

    :param in_capitals: its state could only be changed with words in upper case.
    """

    made: dict[str, Made] = field(default_factory=dict)
    twin: Made | None = None
    uncompressed: Made | None = None
    slashed: Made | None = None
    manifest: Made | None = None
    change: Change | None = None
    states: list[object] = field(default_factory=list)
    actions: list[int | AepError] = field(default_factory=list)
    in_capitals: bool = False
    found_by: dict[str, bool | AepError] = field(default_factory=dict)
    removals: dict[str, Removal] = field(default_factory=dict)
    took_along: bool | None = None
    clock_ahead: float | None = None

    def id_of(self, kind: str) -> str | None:
        return self.made[kind].id if kind in self.made else None
