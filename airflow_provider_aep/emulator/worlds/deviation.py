"""A deviation: one behaviour of the service that the documents leave open, and the hooks that change it.

A hook gets a call before it is processed, the entities that a listing or a read by id finds, or the response.
Most worlds are one hook and a few lines; the normal code of the emulator does not know them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aep.emulator.entities import Document
from airflow_provider_aep.emulator.listing import FIELDS
from airflow_provider_aep.emulator.replies import reply
from airflow_provider_aep.emulator.world import Call, World
from airflow_provider_aep.emulator.worlds.remembering import RememberingEntities

NOWHERE = "documented nowhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One call, as the hooks of a deviation get it.

    :param call: as it was received.
    :param entities: as they are stored.
    :param memory: what this deviation keeps from call to call.
    """

    world: World
    call: Call
    entities: RememberingEntities
    memory: dict[str, Any]

    @property
    def now(self) -> float:
        return self.world.clock()

    @property
    def places(self) -> list[str]:
        return self.call.path.strip("/").split("/")

    @property
    def kind(self) -> str:
        """The collection of the call, such as ``flows``."""
        return self.places[0]

    @property
    def lists(self) -> bool:
        return self.call.method == "GET" and len(self.places) == 1 and self.kind in FIELDS

    @property
    def reads(self) -> bool:
        return self.call.method == "GET" and len(self.places) == 2 and self.kind in FIELDS

    @property
    def creates(self) -> bool:
        return self.call.method == "POST" and len(self.places) == 1 and self.kind in FIELDS


@dataclass(slots=True)
class Answer:
    """A response that hooks may rewrite; ``body`` is its JSON, or None if it is empty."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def good(self) -> bool:
        return self.status < 300

    def rewrite_items(self, change: Callable[[Document], Document]) -> None:
        """Replace each entity of a good response, even one that is not wrapped in ``items``."""
        if not self.good or not isinstance(self.body, dict):
            return
        if isinstance(self.body.get("items"), list):
            self.body = {**self.body, "items": [change(item) for item in self.body["items"]]}
        elif "id" in self.body:
            self.body = change(self.body)


class Instead(Exception):
    """Raised by a hook: this is the response, and the call is not processed."""

    def __init__(self, status: int, body: Any = None) -> None:
        super().__init__(status)
        self.response = reply(status, body)


def _as_asked(scene: Scene, call: Call) -> Call:
    return call


def _as_kept(scene: Scene, documents: list[Document]) -> list[Document]:
    return documents


def _as_found(scene: Scene, document: Document | None) -> Document | None:
    return document


def as_answered(scene: Scene, answer: Answer) -> None:
    pass


def rewritten(value: Any, concerns: Callable[[str, Any], bool], change: Callable[[Any], Any]) -> Any:
    """A JSON value in which members at any depth are changed.

    :param concerns: whether the member of a name, and with a value, is one of them.
    :param change: its new value.
    """
    if isinstance(value, list):
        return [rewritten(item, concerns, change) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: change(member) if concerns(name, member) else rewritten(member, concerns, change)
        for name, member in value.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """One way in which the service may differ from the default behaviour of the emulator.

    :param name: in kebab case; also the name of its world.
    :param says: what is different, in one sentence.
    :param source: which document leaves it open.
    :param settings: settings of the emulator that it changes.
    :param asks: rewrites a call, or raises a ``Refusal`` or ``Instead``.
    :param lists: what a listing finds, before its filters.
    :param finds: what a read by id finds.
    :param answers: rewrites the response.
    """

    name: str
    says: str
    source: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    asks: Callable[[Scene, Call], Call] = _as_asked
    lists: Callable[[Scene, list[Document]], list[Document]] = _as_kept
    finds: Callable[[Scene, Document | None], Document | None] = _as_found
    answers: Callable[[Scene, Answer], None] = as_answered
