"""The log of requests to the emulator, without secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HIDDEN = "****"
SECRET_PARAMETERS = frozenset({"client_secret", "client_id", "access_token"})


@dataclass(frozen=True, slots=True)
class Record:
    """One request and the status of its response.

    :param path: ``/flows`` for the Flow Service, the whole path for other services.
    :param status: 0 if there was no response.
    :param headers: the names, lower case, without values.
    :param body: the JSON body; auth parameters are hidden.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    status: int
    headers: tuple[str, ...]
    body: Any

    def to_json(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "path": self.path,
            "query": [list(pair) for pair in self.query],
            "status": self.status,
            "headers": list(self.headers),
            "body": self.body,
        }


def record(
    method: str,
    path: str,
    query: Sequence[tuple[str, str]],
    status: int,
    headers: Mapping[str, str],
    body: Any,
) -> Record:
    shown = tuple((name, HIDDEN if name in SECRET_PARAMETERS else value) for name, value in query)
    return Record(method, path, shown, status, tuple(sorted(headers)), without_secrets(body))


def without_secrets(body: Any) -> Any:
    """A copy of a body in which everything below ``auth`` or ``encryption`` is hidden."""
    if isinstance(body, list):
        return [without_secrets(item) for item in body]
    if not isinstance(body, dict):
        return body
    if str(body.get("path", "")).startswith(("/auth", "/encryption")) and "value" in body:
        return {**body, "value": HIDDEN}
    return {
        name: _hide(value) if name in ("auth", "encryption") else without_secrets(value)
        for name, value in body.items()
    }


def _hide(auth: Any) -> Any:
    if not isinstance(auth, dict):
        return None if auth is None else HIDDEN
    return {name: value if name == "specName" else HIDDEN for name, value in auth.items()}
