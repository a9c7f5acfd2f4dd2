"""The same loop with Adobe's own Python client, ``aepp``, set up as its documentation says.

Its retries are as they come: ``configure`` has ``retry=1``. Where it answers a refusal as a document, or a
failed look-up as an empty list, its caller would not notice; here a create without an id counts as failed.
"""

from __future__ import annotations

import importlib
from typing import Any

from benchmarks.rivals.job import S3_ACCESS_KEY, S3_FLOW, S3_SECRET_KEY, SCOPES, Export, Job, perform

# By name: the environment in which types are checked does not have it.
aepp: Any = importlib.import_module("aepp")
flowservice: Any = importlib.import_module("aepp.flowservice")


def ensure(job: Job) -> list[str]:
    failed = []
    aepp.configure(
        org_id=job.org_id, client_id=job.client_id, secret=job.client_secret, scopes=SCOPES, sandbox="prod"
    )
    aepp.config.endpoints["global"] = job.url
    aepp.config.config_object["oauthTokenEndpointV2"] = job.login_url
    for sandbox, exports in job.by_sandbox().items():
        flows = flowservice.FlowService(sandbox=sandbox)
        for export in exports:
            try:
                ensure_one(flows, job, export)
            except Exception as error:  # its own are plain Exceptions
                failed.append(f"{export.name}: {type(error).__name__}")
    return failed


def ensure_one(flows: Any, job: Job, export: Export) -> None:
    if flows.getFlows(prop=f"name=={export.name}"):
        return
    source = flows.createSourceConnection(data=export.source())
    base = flows.createBaseConnectionS3Target(export.name, S3_ACCESS_KEY, S3_SECRET_KEY)
    target = flows.createTargetConnection(data=export.target(base["id"]))
    # Its own schedule parameters name members that Adobe's reference of destinations does not know.
    made = flows.createFlow(S3_FLOW, obj=export.flow(job, source["id"], target["id"]))
    made["id"]


if __name__ == "__main__":
    perform(ensure)
