"""Delete what a probe created, and prove that it is gone: by id and by listing."""

from __future__ import annotations

from airflow_provider_aep.errors import AepApiError, AepError
from airflow_provider_aep.flowservice.exchange import Exchange, Pause
from airflow_provider_aep.probe.patience import (
    Clock,
    ask,
    is_bad_request,
    pauses,
    read_one,
    read_whole,
    says_gone,
    since,
)
from airflow_provider_aep.probe.written import Removal, Shown

# A dataflow is deleted before what it uses.
IN_ORDER = ("flows", "targetConnections", "sourceConnections", "connections")


def delete(kind: str, entity_id: str, clock: Clock) -> Exchange[Removal]:
    """Delete as soon as the service allows it, and poll until nothing shows the entity any more."""
    removal = Removal()
    for pause in pauses():
        reply = yield from ask(f"/{kind}/{entity_id}", method="DELETE")
        removal.refused = reply if isinstance(reply, AepError) and not says_gone(reply) else None
        if removal.refused is None:
            removal.status = reply.status if not isinstance(reply, AepError) else _status(reply)
            break
        if not is_bad_request(reply) or pause is None:
            return removal
        if kind == "flows" and not removal.wanted_disabled and (yield from _disable(entity_id)):
            removal.wanted_disabled = True
            continue
        yield Pause(pause)
    removal.when = yield from _until_gone(kind, entity_id, clock)
    again = yield from ask(f"/{kind}/{entity_id}", method="DELETE")
    removal.again = _status(again) if isinstance(again, AepError) else again.status
    return removal


def is_gone(kind: str, entity_id: str) -> Exchange[bool]:
    return says_gone((yield from read_one(kind, entity_id)))


def _until_gone(kind: str, entity_id: str, clock: Clock) -> Exchange[Shown]:
    began, gone = clock(), Shown()
    for pause in pauses():
        if gone.by_id is None and (yield from is_gone(kind, entity_id)):
            gone.by_id = since(began, clock)
        listing = yield from read_whole(kind)
        # A listing that could not be read to its end proves nothing.
        if gone.listed is None and listing.pages and not listing.error and entity_id not in listing.ids:
            gone.listed = since(began, clock)
        if (gone.by_id is not None and gone.listed is not None) or pause is None:
            return gone
        yield Pause(pause)
    return gone


def _disable(flow_id: str) -> Exchange[bool]:
    flow = yield from read_one("flows", flow_id)
    if isinstance(flow, AepError) or str(flow[0].get("state")).lower() != "enabled":
        return False
    reply = yield from ask(f"/flows/{flow_id}/action", [("op", "disable")], method="POST")
    return not isinstance(reply, AepError)


def _status(error: AepError) -> int | None:
    return error.status if isinstance(error, AepApiError) else None
