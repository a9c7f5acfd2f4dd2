"""The neighbouring services that dataset exports need: ad hoc runs, the landing zone, sandboxes.

Source: Data Distiller guide "Export data" and Adobe's Python client (ad hoc runs of datasets, which no
reference covers); Data Landing Zone page (credentials); Sandbox API reference.
"""

from __future__ import annotations

from airflow_provider_aep.emulator.replies import Refusal, not_found, reply, undocumented
from airflow_provider_aep.emulator.world import Call, World
from airflow_provider_aep.flowservice.exchange import Response

ADHOC_PATH = "/data/core/activation/disflowprovider/adhocrun"
SANDBOXES_PATH = "/data/foundation/sandbox-management/sandboxes"
ADHOC_ACCEPT = "application/vnd.adobe.adhoc.dataset.activation+json"
NOT_READY = "Following order ID(s) are not ready for dataset export, please wait for 10 minutes and retry."


def run_adhoc(world: World, call: Call) -> Response:
    """Export datasets of a dataflow now, one run for each dataset.

    Assumed: the status 400 of the refusals, whose messages Adobe's own client matches.
    """
    if not call.headers.get("accept", "").replace(" ", "").startswith(ADHOC_ACCEPT):
        raise undocumented(f"The Accept header must be {ADHOC_ACCEPT}; version=1")
    info = call.document.get("activationInfo")
    wanted = info.get("destinations") if isinstance(info, dict) else None
    if not isinstance(wanted, list) or not wanted or not all(isinstance(item, dict) for item in wanted):
        raise undocumented("activationInfo.destinations must list at least one dataflow")
    now = world.clock()
    pairs = [(str(item.get("flowId")), _dataset_ids(item)) for item in wanted]
    for flow_id, datasets in pairs:
        _check_ready(world, call.sandbox, flow_id, datasets, now)
    return reply(
        200,
        {
            "destinations": [
                {
                    "datasets": [
                        {
                            "id": dataset_id,
                            "flowId": flow_id,
                            "statusURL": f"{call.base}/data/foundation/flowservice/runs/{run_id}",
                        }
                        for dataset_id, run_id in zip(
                            datasets,
                            world.lifecycle.run_now(flow_id, now, datasets, apart=True),
                            strict=True,
                        )
                    ]
                }
                for flow_id, datasets in pairs
            ]
        },
    )


def _dataset_ids(destination: dict[str, object]) -> list[str]:
    items = destination.get("datasets")
    ids = [str(item.get("id")) for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    if not ids:
        raise undocumented("datasets must list at least one dataset")
    return ids


def _check_ready(world: World, sandbox: str, flow_id: str, datasets: list[str], now: float) -> None:
    flow = world.entities.find("flows", sandbox, flow_id)
    if flow is None:
        raise not_found("flows", flow_id)
    source = world.entities.get("sourceConnections", sandbox, flow["sourceConnectionIds"][0])
    held = {item["dataSetId"] for item in source["params"]["datasets"]}
    if not held.issuperset(datasets):
        raise undocumented("A dataset is not part of the dataflow")
    if now - flow["createdAt"] / 1000 < world.settings.adhoc_seconds:
        raise Refusal(400, {"message": NOT_READY})
    if flow["state"] != "enabled":
        raise undocumented("The dataflow is not enabled")
    for dataset_id in datasets:
        if run_id := world.lifecycle.underway(flow_id, dataset_id):
            raise Refusal(400, {"message": f"A run already going on for flow {flow_id} with run id {run_id}"})


def landing_zone_credentials(world: World, call: Call) -> Response:
    # Source: Data Landing Zone page, the response on Azure.
    if dict(call.query).get("type") != "dlz_destination":
        raise undocumented("The query parameter type must be dlz_destination")
    token = f"sv=2024-01-01&sr=c&sp=racwdlm&sig=emulated{int(world.clock())}"
    account = "emulatedlandingzone"
    return reply(
        200,
        {
            "containerName": "dlz-destination",
            "SASToken": token,
            "storageAccountName": account,
            "SASUri": f"https://{account}.blob.core.windows.net/dlz-destination?{token}",
        },
    )


def get_sandbox(world: World, call: Call, name: str) -> Response:
    if name not in world.sandboxes:
        raise not_found("sandboxes", name)
    return reply(
        200,
        {
            "id": world.sandboxes[name],
            "name": name,
            "title": name.capitalize(),
            "state": "active",
            "type": "production" if name == "prod" else "development",
        },
    )
