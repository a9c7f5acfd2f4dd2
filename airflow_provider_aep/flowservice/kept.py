"""Responses that hardly ever change, kept to save requests."""

from __future__ import annotations

import json
from collections.abc import Callable

from airflow_provider_aep.flowservice.documents import mapping
from airflow_provider_aep.flowservice.exchange import Request, Response
from airflow_provider_aep.flowservice.host_files import HostFiles, is_fresh

# How long other processes use a shared response, in seconds: they see a change within this time.
LASTS = 3600.0


class Kept:
    """The responses that a session has kept, in its process and, if a request allows it, on its host.

    :param files: where processes of this host share them; ``None`` to share nothing.
    :param now: the clock, in epoch seconds.
    """

    def __init__(self, files: HostFiles | None, now: Callable[[], float]) -> None:
        self._files, self._now = files, now
        self.answers: dict[tuple[str, str], Response] = {}

    def find(self, request: Request, sandbox: str) -> Response | None:
        if request.keep is None:
            return None
        key = (sandbox, request.path)
        if request.keep == "host" and key not in self.answers:
            shared = self._shared(key)
            if shared is not None:
                self.answers[key] = shared
        return self.answers.get(key)

    def add(self, request: Request, sandbox: str, answer: Response) -> None:
        if request.keep is None or not (answer.json.get("items") or answer.json.get("id")):
            return
        key = (sandbox, request.path)
        self.answers[key] = answer
        if request.keep == "host" and self._files is not None:
            self._files.write(self._files.answer_of(*key), {"since": self._now(), "json": answer.json})

    def _shared(self, key: tuple[str, str]) -> Response | None:
        if self._files is None:
            return None
        stored = mapping(self._files.read(self._files.answer_of(*key)))
        since, document = stored.get("since"), mapping(stored.get("json"))
        if not document or not isinstance(since, int | float) or not is_fresh(since, LASTS, self._now()):
            return None
        return Response(200, body=json.dumps(document).encode())
