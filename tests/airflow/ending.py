"""A trigger that ends its task by itself, as Airflow allows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TaskFailedEvent, TaskSkippedEvent, TaskSuccessEvent


class EndingTrigger(BaseTrigger):
    """:param how: ``success``, ``skip`` or ``failed``."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "tests.airflow.ending.EndingTrigger", {"how": self.how}

    async def run(self) -> AsyncIterator[Any]:
        kind = {"success": TaskSuccessEvent, "skip": TaskSkippedEvent, "failed": TaskFailedEvent}[self.how]
        yield kind(xcoms={"verdict": {"outcome": "ok"}, "return_value": [1, 2]})
