"""The routes of the exports page. Only the API server imports this.

Each route requires a user who may see plugins, and returns what that user may see. All routes only read, and
never return a secret or a whole document of the service.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Hashable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag, requires_access_view
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_aep._airflow import conf
from airflow_provider_aep._settings import span_setting
from airflow_provider_aep.errors import AepError, without_words
from airflow_provider_aep.flowservice.documents import sequence
from airflow_provider_aep.hooks import AepHook
from airflow_provider_aep.hooks.days import zone_of_days
from airflow_provider_aep.page.access import Place, listed_places, may_see_dag, permitted
from airflow_provider_aep.page.answers import export_detail, export_row, iso, run_row
from airflow_provider_aep.page.judged import judged_rows
from airflow_provider_aep.page.reading import Snapshot, read_snapshot
from airflow_provider_aep.page.sight import View, hushed, views_of
from airflow_provider_aep.page.sources import Seen, Sources
from airflow_provider_aep.page.story import Stories, Story, read_told
from airflow_provider_aep.page.tasks import (
    check_of,
    instance_path,
    judges_of,
    task_path,
    tasks_of,
    verdict_of,
)
from airflow_provider_aep.page.usage import Ledger, ledger_row, read_ledger

log = logging.getLogger(__name__)

WWW = Path(__file__).parent / "www"
# How long a request waits for the first result before the page shows that it is loading.
PATIENCE_SECONDS = 1.0
REFRESH_SECONDS = 30.0
# The ledger reads the runs of a year.
LEDGER_SECONDS = 3600.0
# A story takes more requests than a poll of all exports.
STORY_SECONDS = 120.0
HEADERS = (
    # No response is a page of its own; if one is opened as a page, it may do nothing.
    (
        b"content-security-policy",
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


def read_source(conn_id: str, sandbox: str | None, before: Snapshot | None) -> Snapshot:
    """The exports behind one Airflow connection."""
    hook = AepHook(conn_id, sandbox=sandbox)
    return hook.run(read_snapshot(hook.sandbox, before, now=datetime.now(tz=UTC)))


def read_ledger_of(conn_id: str, sandbox: str | None, before: Ledger | None) -> Ledger:
    """The ledger behind one Airflow connection."""
    hook = AepHook(conn_id, sandbox=sandbox)
    allowance = conf.get("aep", "page_allowance", fallback="")
    now, zone = datetime.now(tz=UTC), zone_of_days()
    return hook.run(read_ledger(hook.sandbox, allowance=allowance, now=now, zone=zone))


def read_story_of(conn_id: str, sandbox: str, dataflow_id: str) -> Story:
    """The story of one export behind an Airflow connection."""
    hook = AepHook(conn_id, sandbox=sandbox)
    now = datetime.now(tz=UTC)
    return hook.run(read_told(dataflow_id, conn_id=conn_id, sandbox=hook.sandbox, now=now))


def origin_of(conn_id: str, sandbox: str | None) -> Hashable:
    """Where a connection leads: another host, organization or client is another origin."""
    conn = AepHook(conn_id).get_conn()
    return conn.platform_url, conn.credentials.org_id, conn.credentials.client_id, sandbox or conn.sandbox


sources = Sources(read_source, origin=origin_of)
stories = Stories(read_story_of, origin=origin_of)
ledgers = Sources(read_ledger_of, ledger_row, origin=origin_of)
router = APIRouter(dependencies=[Depends(requires_access_view(AccessView.PLUGINS))])
files = StaticFiles(directory=WWW)


def refresh_seconds() -> float:
    """How long results are shared, and how often a page requests new ones."""
    return max(1.0, span_setting("page_refresh_seconds", default=str(REFRESH_SECONDS)))


@router.get("/api/exports")
def exports(user: GetUserDep, session: SessionDep) -> Response:
    """All exports that the viewer may see."""
    return _rows_of(views_of(session, user, _look), b"exports", refresh_seconds())


@router.get("/api/runs/{run_id}")
def run(run_id: str, user: GetUserDep, session: SessionDep) -> dict[str, Any]:
    """The export of a run, and the task instances that judged it, as far as the viewer may see them."""
    views = views_of(session, user, _look)
    for view in views:
        for flow_id, overviewed in view.exports.items():
            run = next((run for run in overviewed.runs if run.id == run_id), None)
            if run:
                since = run.started_at or view.seen.snapshot.at - timedelta(days=1)
                judges = [
                    {**judge, "path": instance_path(**judge)}
                    for judge in judges_of(session, run_id, since=since)
                    if may_see_dag(judge["dag_id"], user)
                ]
                return {
                    "refresh_seconds": STORY_SECONDS,
                    "conn_id": view.seen.conn_id,
                    "sandbox": view.seen.sandbox,
                    "dataflow_id": flow_id,
                    "judges": judges,
                }
    if any(view.seen.state == "loading" for view in views):
        sources_ = [view.to_json() for view in views]
        return {"refresh_seconds": refresh_seconds(), "sources": sources_, "dataflow_id": None}
    raise HTTPException(404, "There is no such run, or no longer")


@router.get("/api/exports/{conn_id}/{sandbox}/{dataflow_id}")
def export(conn_id: str, sandbox: str, dataflow_id: str, user: GetUserDep, session: SessionDep) -> Any:
    """One export, with its runs, findings and entities."""
    for view in _views_of(conn_id, dataflow_id, user, session):
        seen = view.seen
        if seen.snapshot is None and seen.sandbox in (None, sandbox):
            return {"refresh_seconds": refresh_seconds(), "source": view.to_json(), "export": None}
        overviewed = view.exports.get(dataflow_id) if seen.sandbox == sandbox else None
        if overviewed and seen.snapshot:
            place = {"conn_id": conn_id, "sandbox": sandbox}
            return {
                "at": iso(seen.snapshot.at),
                "refresh_seconds": refresh_seconds(),
                "source": view.to_json(),
                "export": export_row(overviewed, seen.snapshot.facts, now=seen.snapshot.at, **place),
                **export_detail(overviewed, seen.snapshot),
                "links": {
                    **_platform_link(conn_id, sandbox, dataflow_id),
                    "task": _task_link(session, user, dataflow_id),
                },
            }
    raise HTTPException(404, "There is no such export, or no longer")


@router.get("/api/usage")
def usage(user: GetUserDep, session: SessionDep) -> Response:
    """What was exported in the year, for each sandbox that the viewer may see."""
    seen = _look(permitted(listed_places(session), user), ledgers, fresh=LEDGER_SECONDS)
    return _rows_of([View(seen=source) for source in seen], b"usage", LEDGER_SECONDS / 10)


@router.get("/api/exports/{conn_id}/{sandbox}/{dataflow_id}/story")
def story(conn_id: str, sandbox: str, dataflow_id: str, user: GetUserDep, session: SessionDep) -> Any:
    """What came into one export and what went out in the last days, and what to do now."""
    for view in _views_of(conn_id, dataflow_id, user, session):
        seen = view.seen
        if seen.snapshot is None and seen.sandbox in (None, sandbox):
            return {"refresh_seconds": refresh_seconds(), "source": view.to_json(), "story": None}
        if seen.sandbox == sandbox and dataflow_id in view.exports:
            current = stories.of(conn_id, sandbox, dataflow_id).look(
                fresh_seconds=max(STORY_SECONDS, refresh_seconds()), patience=PATIENCE_SECONDS
            )
            return {
                "refresh_seconds": max(REFRESH_SECONDS, refresh_seconds()),
                "source": current.to_json() | ({} if view.only is None else {"error": hushed(current.error)}),
                "story": current.snapshot.document if current.snapshot else None,
            }
    raise HTTPException(404, "There is no such export, or no longer")


@router.get("/api/task", dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.XCOM))])
def task(
    dag_id: str,
    run_id: str,
    task_id: str,
    user: GetUserDep,
    session: SessionDep,
    map_index: Annotated[int, Query(ge=-1, le=2**31 - 1)] = -1,
) -> dict[str, Any]:
    """The run that a task instance waited for, or the exports that it judged."""
    place = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
    verdict = verdict_of(session, **place)
    if verdict is None and (check := check_of(session, **place)):
        return _checked(check, views_of(session, user, _look))
    if verdict is None:
        message = "This task has judged no export, or none yet."
        return {"state": "nothing", "told": message, "refresh_seconds": refresh_seconds()}
    dataflow_id, sandbox = str(verdict.get("dataflow_id")), verdict.get("sandbox")
    run_ids = list(map(str, sequence(verdict.get("run_ids"))))
    answer: dict[str, Any] = {
        "state": "waited",
        "told": str(verdict.get("reason") or ""),
        "refresh_seconds": refresh_seconds(),
        "verdict": verdict,
        "conn_id": None,
        "sandbox": sandbox,
        "dataflow_id": dataflow_id,
        "dataflow_name": verdict.get("dataflow_name"),
        "runs": [],
        "links": {"platform": None, "task": None},
        "page": None,
    }
    for view in views_of(session, user, _look):
        seen = view.seen
        overviewed = view.exports.get(dataflow_id) if seen.sandbox == sandbox else None
        if overviewed:
            answer["conn_id"] = seen.conn_id
            answer["runs"] = [
                run_row(run, overviewed, seen.snapshot.facts) for run in overviewed.runs if run.id in run_ids
            ]
            answer["links"] |= _platform_link(seen.conn_id, str(sandbox), dataflow_id)
            answer["page"] = _page_of(seen.conn_id, sandbox, dataflow_id, next(iter(run_ids), None))
            break
    return answer


@router.get("/static/{name}")
async def static(name: str, request: Request) -> Response:
    """A file of the browser side. It holds no data, but only users who may see the page get it."""
    return await files.get_response(name, request.scope)


def _views_of(conn_id: str, dataflow_id: str, user: Any, session: Any) -> list[View]:
    """What a viewer sees of one connection.

    :raises HTTPException: 403: the viewer may see neither the connection nor, through its DAG, the export.
    """
    views = views_of(session, user, _look, conn_id=conn_id)
    views = [view for view in views if view.only is None or dataflow_id in view.only]
    if not views:
        # The same as for a missing connection, so that the response does not reveal what exists.
        raise HTTPException(403, "Forbidden")
    return views


def _checked(check: dict[str, Any], views: list[View]) -> dict[str, Any]:
    """The exports that a task judged; each has a link to the page if the viewer sees it there."""
    sandbox = check.get("sandbox")
    seen_in = {key: view.seen for view in views if view.seen.sandbox == sandbox for key in view.exports}

    def page_of(dataflow_id: str, run_id: str | None) -> str | None:
        seen = seen_in.get(dataflow_id)
        return _page_of(seen.conn_id, sandbox, dataflow_id, run_id) if seen else None

    message = str(check.get("told") or "")
    head = {"state": "checked", "told": message, "refresh_seconds": refresh_seconds(), "sandbox": sandbox}
    return {**head, **judged_rows(check, page_of)}


def _page_of(conn_id: str, sandbox: Any, dataflow_id: str, run: Any) -> str:
    """The address of an export on the page, and of the run if there is one."""
    opened = f"plugin/aep-exports?export={conn_id}/{sandbox}/{dataflow_id}"
    return f"{opened}&run={run}" if run else opened


def _look(places: list[Place], among: Sources | None = None, *, fresh: float | None = None) -> list[Seen]:
    among = sources if among is None else among
    fresh = refresh_seconds() if fresh is None else fresh
    chosen = [among.of(*place) for place in places]
    # All sources begin to read before we wait for any of them.
    for source in chosen:
        source.look(fresh_seconds=fresh, patience=0)
    until = time.monotonic() + PATIENCE_SECONDS
    return [
        source.look(fresh_seconds=fresh, patience=max(0.0, until - time.monotonic())) for source in chosen
    ]


def _rows_of(views: list[View], name: bytes, refresh: float) -> Response:
    """The rows of several sources as one document, under a name."""
    head = {"refresh_seconds": refresh, "sources": [view.to_json() for view in views]}
    rows = b",".join(rows for view in views if (rows := view.rows))
    # The rows are cached as JSON; only what differs between viewers is serialized again.
    body = b'%b,"%b":[%b]}' % (json.dumps(head).encode()[:-1], name, rows)
    return Response(body, media_type="application/json")


def _platform_link(conn_id: str, sandbox: str, dataflow_id: str) -> dict[str, Any]:
    try:
        return {"platform": AepHook(conn_id, sandbox=sandbox).dataflow_url(dataflow_id)}
    except AepError:  # the connection became unusable after the exports were read
        return {"platform": None}


def _task_link(session: Any, user: Any, dataflow_id: str) -> str | None:
    """The newest task of the export that the viewer may see."""
    for dag_id, task_id in tasks_of(session, dataflow_id):
        if may_see_dag(dag_id, user):
            return task_path(dag_id, task_id)
    return None


async def _broken(request: Request, fault: Exception) -> JSONResponse:
    log.error("The exports page failed at %s: %s", request.url.path, without_words(fault))
    return JSONResponse({"detail": "The exports page failed; the log of the API server says where."}, 500)


class Guarded:
    """An app that adds the headers to every response, errors included."""

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message["headers"])
                names = {name.lower() for name, _ in given}
                given += [header for header in HEADERS if header[0] not in names]
                if not str(scope.get("path", "")).rpartition("/")[0].endswith("/static"):
                    given.append((b"cache-control", b"no-store"))
                else:
                    given.append((b"cache-control", b"private, no-cache"))
                message = {**message, "headers": given}
            await send(message)

        await self.inner(scope, receive, guarded)


pages = FastAPI(title="AEP exports", docs_url=None, redoc_url=None, openapi_url=None)
pages.include_router(router)
pages.add_exception_handler(Exception, _broken)
app = Guarded(pages)
