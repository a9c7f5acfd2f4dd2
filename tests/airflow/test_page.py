"""The routes of the exports page in Airflow's own API app, with its own auth manager."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.airflow3]

EXPORTS = "/aep/api/exports"


@pytest.fixture(scope="module")
def client(airflow_db: Path) -> Iterator[Any]:
    from airflow.api_fastapi.app import create_app, purge_cached_app
    from fastapi.testclient import TestClient

    purge_cached_app()
    yield TestClient(create_app(apps="core"), raise_server_exceptions=False)
    purge_cached_app()


@pytest.fixture
def get(client: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """``get(path, role="viewer")``: the answer to a user of that role, or to nobody."""
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    from airflow_provider_aep.page import app, sight
    from airflow_provider_aep.page.sources import Sources
    from airflow_provider_aep.page.story import Stories

    monkeypatch.setattr(app, "sources", Sources(app.read_source, origin=app.origin_of))
    monkeypatch.setattr(app, "stories", Stories(app.read_story_of, origin=app.origin_of))
    monkeypatch.setattr(app, "PATIENCE_SECONDS", 20.0)
    sight._links.forget()

    def get(path: str, *, role: str | None = "admin", **params: Any) -> Any:
        headers = {}
        if role:
            user = SimpleAuthManagerUser(username=role, role=role.upper())
            token = client.app.state.auth_manager.generate_jwt(user)
            headers["Authorization"] = f"Bearer {token}"
        return client.get(path, headers=headers, params=params)

    return get


@pytest.fixture
def export(aep_server: Any) -> str:
    """The id of an export that has run once."""
    from tests.airflow.test_events import finished_run, make_export

    made = make_export(aep_server.emulator, "crm-nightly")
    finished_run(aep_server.emulator, made)
    return made


def test_the_page_is_announced_to_airflows_ui(get):
    plugins = {plugin["name"]: plugin for plugin in get("/api/v2/plugins").json()["plugins"]}
    apps = {app["name"]: app for app in plugins["aep"]["react_apps"]}
    assert {name: app["destination"] for name, app in apps.items()} == {
        "AEP exports": "nav",
        "AEP run": "task_instance",
    }
    for app in apps.values():
        bundle = get(f"/{app['bundle_url']}")
        assert (bundle.status_code, bundle.headers["content-type"].split(";")[0]) == (200, "text/javascript")


def test_an_export_is_told_with_its_runs_entities_and_links(get, aep_server, export):
    answer = get(EXPORTS).json()
    (source,) = answer["sources"]
    assert (source["conn_id"], source["sandbox"], source["state"]) == ("aep_default", "prod", "ok")
    (row,) = answer["exports"]
    assert (row["name"], row["every"], row["datasets"][0]["name"]) == ("crm-nightly", "1d", "CRM Profiles")
    detail = get(f"{EXPORTS}/aep_default/prod/{export}").json()
    assert detail["export"] == row
    (run,) = detail["runs"]
    assert (run["kind"], run["records"] > 1000, run["errors"]) == ("good", True, [])
    assert run["reason"] == f"run {run['id'][:8]} exported {run['records']:,} records"
    assert {one["kind"] for one in detail["entities"]} == {
        "dataflow",
        "dataset",
        "source connection",
        "target connection",
        "base connection",
    }
    assert detail["links"]["platform"].startswith("https://experience.adobe.com/#/sname:prod/platform/")


def test_the_story_of_an_export_is_read_when_it_is_asked_for(get, aep_server, export):
    get(f"{EXPORTS}/aep_default/prod/{export}")
    assert not aep_server.emulator.requests("GET", "/data/foundation/catalog/batches")
    answer = get(f"{EXPORTS}/aep_default/prod/{export}/story").json()
    assert answer["source"]["state"] == "ok"
    assert answer["story"]["summary"].startswith("crm-nightly is well: ")
    assert [status for _, status, *_ in answer["story"]["went_out"]] == ["good"]
    assert aep_server.emulator.requests("GET", "/data/foundation/catalog/batches")
    # One that the page does not show is not asked for.
    assert get(f"{EXPORTS}/aep_default/prod/x/story").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        EXPORTS,
        f"{EXPORTS}/aep_default/prod/x",
        f"{EXPORTS}/aep_default/prod/x/story",
        "/aep/api/runs/x",
        "/aep/api/task?dag_id=d&run_id=r&task_id=t",
        "/aep/static/exports.js",
        "/aep/static/aep.css",
    ],
)
def test_nobody_gets_anything_without_a_login(get, aep_server, path):
    answer = get(path, role=None)
    assert (answer.status_code, answer.json()) == (401, {"detail": "Not authenticated"})


def test_a_viewer_without_the_right_to_connections_sees_none_of_their_exports(get, aep_server, export):
    told = get(EXPORTS, role="viewer")
    assert (told.status_code, told.json()["sources"], told.json()["exports"]) == (200, [], [])
    assert not aep_server.emulator.requests("GET", "/flows")
    for path in (f"{EXPORTS}/aep_default/prod/{export}", f"{EXPORTS}/no_such/prod/{export}"):
        assert get(path, role="viewer").status_code == 403
        assert get(f"{path}/story", role="viewer").status_code == 403
    assert get(f"{EXPORTS}/aep_default/prod/{export}", role="op").status_code == 200


def test_an_export_of_a_service_that_is_down_is_told_with_the_reason(get, aep_server, monkeypatch):
    emulator = aep_server.emulator
    monkeypatch.setenv(
        "AIRFLOW_CONN_AEP_DEFAULT", aep_server.connection.replace(emulator.client_secret, "outdated")
    )
    answer = get(f"{EXPORTS}/aep_default/prod/x")
    assert (answer.status_code, answer.json()["export"]) == (200, None)
    assert answer.json()["source"]["error"]["kind"] == "token_refused"
    assert "outdated" not in answer.text


def test_a_connection_to_another_organization_shows_no_exports_of_the_old_one(
    get, aep_server, export, monkeypatch
):
    from airflow_provider_aep.page import app

    monkeypatch.setattr(app, "refresh_seconds", lambda: 0.0)
    assert len(get(EXPORTS).json()["exports"]) == 1
    elsewhere = aep_server.connection.replace(aep_server.emulator.org_id, "0123456789ABCDEF@AdobeOrg")
    monkeypatch.setenv("AIRFLOW_CONN_AEP_DEFAULT", elsewhere)
    get(EXPORTS)  # begins to read
    answer = get(EXPORTS).json()
    assert answer["exports"] == []
    assert answer["sources"][0]["state"] == "error"
    assert get(f"{EXPORTS}/aep_default/prod/{export}").json()["export"] is None


def test_only_listed_sandboxes_of_a_connection_can_be_read(get, aep_server, export, monkeypatch):
    assert get(f"{EXPORTS}/aep_default/dev/{export}").status_code == 404
    assert get(f"{EXPORTS}/aep_default/prod/..%2f..%2fflows").status_code == 404
    monkeypatch.setenv("AIRFLOW__AEP__PAGE_CONNECTIONS", "aep_default/dev, aep_vault")
    sources = {(one["conn_id"], one["sandbox"]): one for one in get(EXPORTS).json()["sources"]}
    assert sources.keys() == {("aep_default", "prod"), ("aep_default", "dev"), ("aep_vault", None)}
    missing = sources["aep_vault", None]["error"]
    assert missing == {
        "kind": "misconfigured",
        "told": "there is no Airflow connection 'aep_vault'",
        "hint": None,
    }


def test_connections_in_airflows_database_are_listed_those_of_other_types_are_not(
    get, aep_server, export, monkeypatch, tmp_path
):
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    monkeypatch.setenv("AIRFLOW_CONN_ELSEWHERE", "http://example.com")
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", "{")
    with create_session() as session:
        session.add(Connection(conn_id="aep_stored", uri="aep://x"))
    try:
        listed = [one["conn_id"] for one in get(EXPORTS).json()["sources"]]
        assert listed == ["aep_default", "aep_stored"]
    finally:
        with create_session() as session:
            session.query(Connection).filter_by(conn_id="aep_stored").delete()


@pytest.mark.parametrize(
    "path",
    [EXPORTS, f"{EXPORTS}/aep_default/prod/x", "/aep/static/nothing.js", "/aep/nowhere", "/aep/openapi.json"],
)
def test_every_answer_forbids_what_a_document_could_do(get, aep_server, path):
    headers = get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] in ("no-store", "private, no-cache")


@pytest.mark.parametrize("path", ["../app.py", "%2e%2e/app.py", "..%2f..%2fhooks.py", "%2fetc%2fpasswd", "."])
def test_no_file_but_those_of_the_page_can_be_had(get, path):
    assert get(f"/aep/static/{path}").status_code in (404, 401)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_the_page_only_reads(client, method):
    assert getattr(client, method)(EXPORTS).status_code == 405


def test_no_secret_and_no_document_leaves_the_server(get, aep_server, export, logged):
    told = get(EXPORTS).text + get(f"{EXPORTS}/aep_default/prod/{export}").text
    emulator = aep_server.emulator
    for secret in (
        emulator.client_secret,
        emulator.client_id,
        emulator.org_id,
        "createdBy",
        "etag",
        "flowSpec",
    ):
        assert secret not in told


def test_a_fault_of_ours_is_told_without_its_words(get, aep_server, monkeypatch, logged):
    from airflow_provider_aep.page import sight

    def fails(session: Any) -> Any:
        raise KeyError("S3cret")

    monkeypatch.setattr(sight, "listed_places", fails)
    answer = get(EXPORTS)
    assert answer.status_code == 500
    assert answer.json()["detail"].startswith("The exports page failed")
    assert "S3cret" not in answer.text


def test_a_task_tells_what_it_waited_for_and_an_export_the_task_that_made_it(
    get, run_dag, aep_server, monkeypatch
):
    from airflow_provider_aep.page import app, sight
    from tests.airflow.test_events import make_export

    other = make_export(aep_server.emulator, "another")
    run = run_dag("aep_provision_s3", name="crm-nightly")
    here = {"dag_id": run.dag_id, "run_id": run.run_id}
    waited = get("/aep/api/task", task_id="wait_for_first_run", **here).json()
    assert (waited["state"], waited["dataflow_name"], waited["conn_id"]) == (
        "waited",
        "crm-nightly",
        "aep_default",
    )
    assert waited["verdict"]["run_ids"] == [one["id"] for one in waited["runs"]]
    assert waited["told"] == waited["verdict"]["reason"]
    (run_id,) = waited["verdict"]["run_ids"]
    page = f"plugin/aep-exports?export=aep_default/prod/{waited['dataflow_id']}&run={run_id}"
    assert waited["page"] == page
    assert get("/aep/api/task", task_id="create_dataflow", **here).json()["state"] == "nothing"
    assert get("/aep/api/task", task_id="no_such", **here).json()["state"] == "nothing"
    assert get("/aep/api/task", role=None, task_id="wait_for_first_run", **here).status_code == 401
    for number in ("99999999999999999999", "-2", "x"):
        assert get("/aep/api/task", task_id="wait_for_first_run", map_index=number, **here).status_code == 422

    detail = get(f"{EXPORTS}/aep_default/prod/{waited['dataflow_id']}").json()
    assert detail["links"]["task"] == "dags/aep_provision_s3/tasks/create_dataflow"

    # From the run to the task instance that judged it, and to its log.
    found = get(f"/aep/api/runs/{run_id}").json()
    assert (found["conn_id"], found["sandbox"], found["dataflow_id"]) == (
        "aep_default",
        "prod",
        waited["dataflow_id"],
    )
    (judge,) = found["judges"]
    assert judge == {
        **here,
        "task_id": "wait_for_first_run",
        "map_index": -1,
        "path": f"dags/aep_provision_s3/runs/{quote(run.run_id, safe='')}/tasks/wait_for_first_run",
    }
    assert get("/aep/api/runs/no-such-run").status_code == 404
    assert get(f"/aep/api/runs/{run_id}", role="viewer").status_code == 404

    # Who may see the DAG and not the connection sees its exports, where the administrator allows it.
    address = f"{EXPORTS}/aep_default/prod/{waited['dataflow_id']}"
    assert get(address, role="viewer").status_code == 403
    monkeypatch.setenv("AIRFLOW__AEP__PAGE_FOR_DAG_VIEWERS", "True")
    told = get(EXPORTS, role="viewer").json()
    assert [one["id"] for one in told["exports"]] == [waited["dataflow_id"]]
    assert [one["limited"] for one in told["sources"]] == [True]
    assert get(address, role="viewer").json()["export"]["name"] == "crm-nightly"
    assert get(f"{address}/story", role="viewer").status_code == 200
    assert get(f"{EXPORTS}/aep_default/prod/{other}", role="viewer").status_code == 403
    assert get("/aep/api/usage", role="viewer").json()["usage"] == []
    # The administrator still sees all of them.
    assert len(get(EXPORTS).json()["exports"]) == 2
    # Of the connection it is told that there is trouble, and not which.
    monkeypatch.setattr(app, "refresh_seconds", lambda: 0.0)
    aep_server.emulator.fail_next(403, times=99, match="GET /flows")
    get(EXPORTS, role="viewer")
    (source,) = get(EXPORTS, role="viewer").json()["sources"]
    assert (source["state"], source["error"]) == ("stale", {"kind": "refused", "told": "", "hint": None})
    # And without a DAG, nothing.
    monkeypatch.setattr(sight, "authorized_dags", lambda user: set())
    assert get(EXPORTS, role="viewer").json()["sources"] == []
    assert get(address, role="viewer").status_code == 403
