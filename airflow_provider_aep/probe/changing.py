"""Change the dataflow of a probe: its description, and whether it is enabled."""

from __future__ import annotations

from airflow_provider_aep.errors import AepApiError, AepError, AepPreconditionError
from airflow_provider_aep.flowservice.documents import Document, mapping
from airflow_provider_aep.flowservice.exchange import Exchange, Pause, Response
from airflow_provider_aep.probe.patience import (
    Clock,
    ask,
    etag_of,
    may_pass,
    pauses,
    read_one,
    since,
    until_shown,
)
from airflow_provider_aep.probe.written import Change, Written


def change(flow_id: str, description: str, narrow: tuple[str, str], clock: Clock) -> Exchange[Change]:
    """Change the description of a dataflow, first with its etag, then with the same, now stale, etag."""
    result = Change()
    operations = [{"op": "replace", "path": "/description", "value": description}]
    began = clock()
    for pause in pauses():
        current = yield from read_one("flows", flow_id)
        if isinstance(current, AepError):
            result.refused = current
            return result
        result.etag = etag_of(current[0], current[2])
        reply = yield from _patch(flow_id, result.etag, operations)
        if isinstance(reply, AepPreconditionError) and '"' not in str(result.etag):
            quoted = yield from _patch(flow_id, f'"{result.etag}"', operations)
            result.needed_quotes = not isinstance(quoted, AepError)
            reply = quoted if result.needed_quotes else reply
        result.waited = since(began, clock)
        if not isinstance(reply, AepError):
            result.status, result.body, result.refused = reply.status, mapping(reply.json), None
            break
        result.refused = reply
        if not may_pass(reply) or pause is None:
            return result
        yield Pause(pause)

    def is_changed(document: Document) -> bool:
        # A listing may leave descriptions out, and letter case may not survive.
        return "description" not in document or str(document["description"]).lower() == description

    result.when = yield from until_shown("flows", flow_id, is_changed, narrow, clock)
    after = yield from read_one("flows", flow_id)
    result.etag_after = None if isinstance(after, AepError) else etag_of(after[0], after[2])
    stale = yield from _patch(flow_id, result.etag, operations)
    result.stale = stale if isinstance(stale, AepError) else None
    return result


def switch(written: Written, flow_id: str) -> Exchange[None]:
    """Disable twice, and enable again: the deletion shows whether it requires a disabled dataflow."""
    yield from _note_state(written, flow_id)
    for op in ("disable", "disable", "enable"):
        for pause in pauses():
            reply = yield from _act(flow_id, op)
            if getattr(reply, "status", None) == 400 and not _is_so_already(reply):
                capitals = yield from _act(flow_id, op.upper())
                written.in_capitals = not isinstance(capitals, AepError)
                reply = capitals if written.in_capitals else reply
            if not may_pass(reply) or _is_so_already(reply) or pause is None:
                written.actions.append(reply if isinstance(reply, AepError) else reply.status)
                break
            yield Pause(pause)
        yield from _note_state(written, flow_id)


def _act(flow_id: str, op: str) -> Exchange[Response | AepError]:
    return (yield from ask(f"/flows/{flow_id}/action", [("op", op)], method="POST"))


def _note_state(written: Written, flow_id: str) -> Exchange[None]:
    flow = yield from read_one("flows", flow_id)
    written.states.append(None if isinstance(flow, AepError) else flow[0].get("state"))


def _patch(flow_id: str, etag: object, operations: object) -> Exchange[Response | AepError]:
    return (
        yield from ask(f"/flows/{flow_id}", method="PATCH", headers={"If-Match": str(etag)}, json=operations)
    )


def _is_so_already(reply: object) -> bool:
    return isinstance(reply, AepApiError) and str(reply.code).startswith("FLOW-1422")
