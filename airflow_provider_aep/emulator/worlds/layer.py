"""The layer around the routes that applies the active deviations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from airflow_provider_aep.emulator.entities import Document, Entities
from airflow_provider_aep.emulator.replies import Refusal, not_found, reply
from airflow_provider_aep.emulator.routes import routed
from airflow_provider_aep.emulator.world import Call, World
from airflow_provider_aep.emulator.worlds.deviation import Answer, Deviation, Instead, Scene, as_answered
from airflow_provider_aep.emulator.worlds.remembering import RememberingEntities
from airflow_provider_aep.flowservice.exchange import Response


class Layer:
    """Processes calls with several deviations.

    The first one sees a call first and its response last, so each wraps those that follow.
    """

    def __init__(self, entities: RememberingEntities) -> None:
        self._entities = entities
        self._held: dict[str, Deviation] = {}
        self._memories: dict[str, dict[str, Any]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._held)

    @property
    def settings(self) -> dict[str, Any]:
        return {name: value for held in self._held.values() for name, value in held.settings.items()}

    def enter(self, deviations: Sequence[Deviation]) -> None:
        for deviation in deviations:
            self._held.setdefault(deviation.name, deviation)

    def leave(self, deviations: Sequence[Deviation]) -> None:
        for deviation in deviations:
            self._held.pop(deviation.name, None)
            self._memories.pop(deviation.name, None)

    def carry_out(self, world: World, call: Call, request_id: str) -> Response:
        if not self._held:
            return _routed(world, call, request_id)
        scenes = [
            (held, Scene(world=world, call=call, entities=self._entities, memory=self._memory(held.name)))
            for held in self._held.values()
        ]
        response = self._respond(world, call, request_id, scenes)
        rewriting = [(held, scene) for held, scene in reversed(scenes) if held.answers is not as_answered]
        if not rewriting:
            return response
        answer = _answer_of(response)
        for deviation, scene in rewriting:
            deviation.answers(scene, answer)
        return reply(answer.status, answer.body, answer.headers)

    def _memory(self, name: str) -> dict[str, Any]:
        return self._memories.setdefault(name, {})

    def _respond(
        self, world: World, call: Call, request_id: str, scenes: Sequence[tuple[Deviation, Scene]]
    ) -> Response:
        try:
            for deviation, scene in scenes:
                call = deviation.asks(scene, call)
        except Refusal as refusal:
            return refusal.response(request_id)
        except Instead as instead:
            return instead.response
        if call.method == "GET":
            # Only reads show changed entities; writes use the stored ones.
            world = replace(world, entities=_Shown(self._entities, scenes))
        return _routed(world, call, request_id)


class _Shown(Entities):
    """The entities as a read shows them with the active deviations."""

    def __init__(self, entities: RememberingEntities, scenes: Sequence[tuple[Deviation, Scene]]) -> None:
        self._entities, self._scenes = entities, scenes

    def all(self, kind: str, sandbox: str) -> list[Document]:
        documents = self._entities.all(kind, sandbox)
        for deviation, scene in self._scenes:
            documents = deviation.lists(scene, documents)
        return documents

    def get(self, kind: str, sandbox: str, entity_id: str) -> Document:
        document = self._entities.find(kind, sandbox, entity_id)
        for deviation, scene in self._scenes:
            document = deviation.finds(scene, document)
        if document is None:
            raise not_found(kind, entity_id)
        return document

    def find(self, kind: str, sandbox: str, entity_id: object) -> Document | None:
        return self._entities.find(kind, sandbox, entity_id)


def _answer_of(response: Response) -> Answer:
    headers = {name: value for name, value in response.headers.items() if name != "content-type"}
    return Answer(response.status, headers, json.loads(response.body) if response.body else None)


def _routed(world: World, call: Call, request_id: str) -> Response:
    try:
        return routed(world, call)
    except Refusal as refusal:
        return refusal.response(request_id)
