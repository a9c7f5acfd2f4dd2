"""Trouble on demand: refusals, lost responses and stalls, for the next requests that match.

Source: Platform troubleshooting guide (429050), Flow Service error table (1102, 1103, 1104).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from airflow_provider_aep.emulator.bounds import Bounds
from airflow_provider_aep.emulator.replies import Refusal, flow_error, gateway_error, reply
from airflow_provider_aep.errors import AepTransportError
from airflow_provider_aep.flowservice.exchange import Response

Kind = Literal["fail", "reset", "drop", "lose", "stall"]

# A fault never hits the login unless its match names it: by "the next request", tests mean the service.
LOGIN = "POST /ims/token"

TIMES = Bounds(1, 1_000_000, whole=True)
STATUS = Bounds(200, 599, whole=True)
SECONDS = Bounds(0, 86_400)
RETRY_AFTER = Bounds(0, 86_400 * 365)
LONGEST_HEADER = 10_000

SAYS = {
    "fail": "",
    "reset": "connection refused",
    "drop": "connection reset before an answer came",
    "lose": "connection reset after the request was processed",
    "stall": "read timed out",
}


@dataclass(slots=True)
class Fault:
    """One kind of trouble.

    :param kind: ``fail`` answers ``status``; ``reset`` breaks before anything is received; ``drop`` breaks
        after receiving, unprocessed; ``lose`` breaks after processing; ``stall`` processes and answers late.
    :param match: part of "METHOD /path"; None for any call except the login.
    :raises ValueError: a member is of another type or out of its bounds; the message starts with its name.
    """

    kind: Kind
    times: int = 1
    match: str | None = None
    status: int = 0
    retry_after: float | str | None = None
    body: Any = field(default=None, repr=False)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}.")
        TIMES.check("times", self.times)
        if not isinstance(self.match, str | None):
            raise ValueError('match must be a part of "METHOD /path", or null.')
        if self.kind == "fail":
            STATUS.check("status", self.status)
        if not _fits_a_header(self.retry_after):
            raise ValueError(
                f"retry_after must be {RETRY_AFTER}, or at most {LONGEST_HEADER} printable ASCII characters."
            )
        if isinstance(self.body, str) and any("\ud800" <= letter <= "\udfff" for letter in self.body):
            raise ValueError("body must be a text that UTF-8 can carry.")
        SECONDS.check("seconds", self.seconds)

    @property
    def processed(self) -> bool:
        return self.kind in ("lose", "stall")

    def response(self) -> Response:
        headers = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
        if isinstance(self.body, str):
            # Not JSON, like the page of a proxy in between.
            return Response(self.status, {"content-type": "text/html", **headers}, self.body.encode())
        document = _usual(self.status).document if self.body is None else self.body
        return reply(self.status, document, headers)

    def error(self, doing: str) -> AepTransportError:
        """The error that a transport would raise if this happened on the network."""
        return AepTransportError(f"{doing}: {SAYS[self.kind]} (emulated)", sent=self.kind != "reset")


class Faults:
    """Ordered faults, first come first served."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def clear(self) -> None:
        self._waiting.clear()

    def take(self, doing: str) -> Fault | None:
        for fault in self._waiting:
            if (fault.match or "") in doing and (fault.match or not doing.startswith(LOGIN)):
                fault.times -= 1
                if fault.times <= 0:
                    self._waiting.remove(fault)
                return fault
        return None


def fault_from(document: Mapping[str, Any]) -> Fault:
    """The fault in a document that a control route received."""
    known = {member.name for member in fields(Fault)}
    if "kind" not in document or set(document) - known:
        raise ValueError(f"A fault has a kind ({', '.join(SAYS)}) and some of {', '.join(sorted(known))}.")
    return Fault(**document)


def _fits_a_header(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_HEADER and value.isascii() and value.isprintable()
    return value is None or value in RETRY_AFTER


def _usual(status: int) -> Refusal:
    if status == 429:
        return gateway_error("429050", "Too many requests")
    if status == 401:
        return gateway_error("401013", "Oauth token is not valid")
    number, words = {
        500: (1102, "An internal error occurred"),
        503: (1103, "The service is unavailable"),
        504: (1104, "The gateway timed out"),
        412: (1404, "The version does not match the current version"),
    }.get(status, (9400, "A scripted answer of the emulator"))
    return flow_error(number, status, words)
