"""The levers over HTTP, for a demo in another process: ``/emulator/...`` of the local server only.

Bodies and responses are JSON; there is no login, because the server only listens on this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_aep.emulator.faults import fault_from
from airflow_provider_aep.emulator.replies import Refusal, reply
from airflow_provider_aep.emulator.service import Emulator
from airflow_provider_aep.emulator.worlds import WORLDS
from airflow_provider_aep.flowservice.exchange import Response

Body = Mapping[str, Any]


def _state(emulator: Emulator, body: Body) -> Any:
    return {
        "now": emulator.clock(),
        "root": str(emulator.root) if emulator.root else None,
        "datasets": [
            {"id": dataset.id, "name": dataset.name, "rows": emulator.count_rows(dataset.id)}
            for dataset in emulator.datasets(emulator.sandboxes[0])
        ],
        "levers": [f"{method} {path}" for method, path in LEVERS],
    }


def _script_runs(emulator: Emulator, body: Body) -> Any:
    emulator.script_runs(body.get("flow"), list(body["kinds"]))


def _finish_run(emulator: Emulator, body: Body) -> Any:
    emulator.finish_run(body["run"], body.get("kind", "success"))


def _run_now(emulator: Emulator, body: Body) -> Any:
    return {"runs": emulator.run_now(body["flow"])}


def _add_rows(emulator: Emulator, body: Body) -> Any:
    emulator.add_rows(body["dataset"], body["rows"])
    return {"rows": emulator.count_rows(body["dataset"])}


def _add_batch(emulator: Emulator, body: Body) -> Any:
    given = {name: value for name, value in body.items() if name != "dataset"}
    return {"batch": emulator.add_batch(body["dataset"], **given)}


def _delete_dataset(emulator: Emulator, body: Body) -> Any:
    emulator.delete_dataset(body["dataset"])


def _expire_dataset(emulator: Emulator, body: Body) -> Any:
    emulator.expire_dataset(body["dataset"], body["at"])


def _label_dataset(emulator: Emulator, body: Body) -> Any:
    emulator.label_dataset(body["dataset"])


def _expire_tokens(emulator: Emulator, body: Body) -> Any:
    emulator.expire_tokens()


def _order_fault(emulator: Emulator, body: Body) -> Any:
    emulator.order(fault_from(body))


def _clear_faults(emulator: Emulator, body: Body) -> Any:
    emulator.clear_faults()


def _touch(emulator: Emulator, body: Body) -> Any:
    return {"etag": emulator.touch(body["kind"], body["id"], body.get("sandbox", "prod"))}


def _worlds(emulator: Emulator, body: Body) -> Any:
    known = [{"name": world.name, "says": world.says, "source": world.source} for world in WORLDS.values()]
    return {"worlds": list(emulator.worlds), "known": known}


def _enter(emulator: Emulator, body: Body) -> Any:
    emulator.enter(*_names(body["names"]))
    return {"worlds": list(emulator.worlds)}


def _leave(emulator: Emulator, body: Body) -> Any:
    emulator.leave(*_names(body.get("names", [])))
    return {"worlds": list(emulator.worlds)}


def _names(names: Any) -> list[str]:
    if not isinstance(names, list):
        raise ValueError("names must be a list.")
    return names


def _advance(emulator: Emulator, body: Body) -> Any:
    emulator.clock.advance(body["seconds"])
    emulator.tick()
    return {"now": emulator.clock()}


def _log(emulator: Emulator, body: Body) -> Any:
    return {"items": [record.to_json() for record in emulator.log]}


def _clear_log(emulator: Emulator, body: Body) -> Any:
    emulator.log.clear()


LEVERS: dict[tuple[str, str], Callable[[Emulator, Body], Any]] = {
    ("GET", "/emulator"): _state,
    ("POST", "/emulator/script_runs"): _script_runs,
    ("POST", "/emulator/finish_run"): _finish_run,
    ("POST", "/emulator/run_now"): _run_now,
    ("POST", "/emulator/add_rows"): _add_rows,
    ("POST", "/emulator/add_batch"): _add_batch,
    ("POST", "/emulator/delete_dataset"): _delete_dataset,
    ("POST", "/emulator/expire_dataset"): _expire_dataset,
    ("POST", "/emulator/label_dataset"): _label_dataset,
    ("POST", "/emulator/expire_tokens"): _expire_tokens,
    ("POST", "/emulator/faults"): _order_fault,
    ("DELETE", "/emulator/faults"): _clear_faults,
    ("POST", "/emulator/touch"): _touch,
    ("GET", "/emulator/worlds"): _worlds,
    ("POST", "/emulator/worlds"): _enter,
    ("DELETE", "/emulator/worlds"): _leave,
    ("POST", "/emulator/advance"): _advance,
    ("GET", "/emulator/log"): _log,
    ("DELETE", "/emulator/log"): _clear_log,
}


def control(emulator: Emulator, method: str, path: str, body: Any) -> Response:
    lever = LEVERS.get((method, path.rstrip("/")))
    if lever is None:
        return reply(404, {"error": "no such lever", "levers": [" ".join(route) for route in LEVERS]})
    try:
        result = lever(emulator, body if isinstance(body, dict) else {})
    except Refusal as refusal:
        return refusal.response("emulator")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        return reply(400, {"error": f"{type(error).__name__}: {error}"})
    return reply(200, result if result is not None else {"done": True})
