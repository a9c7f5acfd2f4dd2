"""The loop that one writes after Adobe's tutorial: one ``requests.Session``, one export after the other.

With ``--listing`` it reads the dataflows of a sandbox once, in place of asking for each name.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Any

import requests

from benchmarks.rivals.job import SCOPES, Document, Export, Job, perform

TIMEOUT = 60


def ensure(job: Job) -> list[str]:
    failed = []
    with requests.Session() as session:
        session.headers.update(
            {
                "Authorization": f"Bearer {fetch_token(session, job)}",
                "x-api-key": job.client_id,
                "x-gw-ims-org-id": job.org_id,
            }
        )
        api = Api(session, job.url)
        for sandbox, exports in job.by_sandbox().items():
            session.headers["x-sandbox-name"] = sandbox
            known = api.flow_names() if "--listing" in sys.argv else None
            for export in exports:
                # One export's trouble is not the next one's.
                try:
                    ensure_one(api, job, export, known)
                except requests.RequestException as error:
                    failed.append(f"{export.name}: {type(error).__name__}")
    return failed


class Api:
    def __init__(self, session: requests.Session, url: str) -> None:
        self.session, self.url = session, url + "/data/foundation/flowservice"

    def get(self, path: str, **params: Any) -> Any:
        answer = self.session.get(self.url + path, params=params, timeout=TIMEOUT)
        answer.raise_for_status()
        return answer.json()

    def create(self, path: str, document: Document) -> str:
        answer = self.session.post(self.url + path, json=document, timeout=TIMEOUT)
        answer.raise_for_status()
        return str(answer.json()["id"])

    def flow_names(self) -> set[str]:
        page = self.get("/flows", limit=100)
        names = {flow["name"] for flow in page["items"]}
        while following := page.get("_links", {}).get("next"):
            page = self.get(following["href"])
            names |= {flow["name"] for flow in page["items"]}
        return names


def fetch_token(session: requests.Session, job: Job) -> str:
    form = {
        "grant_type": "client_credentials",
        "client_id": job.client_id,
        "client_secret": job.client_secret,
        "scope": SCOPES,
    }
    answer = session.post(job.login_url, data=form, timeout=TIMEOUT)
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def ensure_one(api: Api, job: Job, export: Export, known: Collection[str] | None) -> None:
    if known is None:
        known = [flow["name"] for flow in api.get("/flows", property=f"name=={export.name}")["items"]]
    if export.name in known:
        return
    source = api.create("/sourceConnections", export.source())
    base = api.create("/connections", export.base())
    target = api.create("/targetConnections", export.target(base))
    api.create("/flows", export.flow(job, source, target))


if __name__ == "__main__":
    perform(ensure)
