"""The layer around the routes in which the deviations of the present world act."""

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
    """Carries out calls in a world of several deviations.

    The first one sees a call first and its answer last, so that each acts around those that follow.
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
        return {name: value for each in self._held.values() for name, value in each.settings.items()}

    def enter(self, deviations: Sequence[Deviation]) -> None:
        for each in deviations:
            self._held.setdefault(each.name, each)

    def leave(self, deviations: Sequence[Deviation]) -> None:
        for each in deviations:
            self._held.pop(each.name, None)
            self._memories.pop(each.name, None)

    def carry_out(self, world: World, call: Call, request_id: str) -> Response:
        if not self._held:
            return _routed(world, call, request_id)
        scenes = [
            (each, Scene(world=world, call=call, entities=self._entities, memory=self._memory(each.name)))
            for each in self._held.values()
        ]
        response = self._respond(world, call, request_id, scenes)
        rewriting = [(each, scene) for each, scene in reversed(scenes) if each.answers is not as_answered]
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
            # What was asked for decides what is shown; writes meet the entities as they really are.
            world = replace(world, entities=_Shown(self._entities, scenes))
        return _routed(world, call, request_id)


class _Shown(Entities):
    """The entities as a read shows them in this world."""

    def __init__(self, entities: RememberingEntities, scenes: Sequence[tuple[Deviation, Scene]]) -> None:
        self._entities, self._scenes = entities, scenes

    def all(self, kind: str, sandbox: str) -> list[Document]:
        documents = self._entities.all(kind, sandbox)
        for deviation, scene in self._scenes:
            documents = deviation.lists(scene, documents)
        return documents

    def get(self, kind: str, sandbox: str, entity_id: str) -> Document:
        found = self._entities.find(kind, sandbox, entity_id)
        for deviation, scene in self._scenes:
            found = deviation.finds(scene, found)
        if found is None:
            raise not_found(kind, entity_id)
        return found

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
