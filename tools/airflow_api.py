"""The few calls of Airflow's REST API that the demo, the soak and the tests need."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any

HEALTH = {
    "metadatabase": "api-server",
    "scheduler": "scheduler",
    "triggerer": "triggerer",
    "dag_processor": "dag-processor",
}
"""Names in the health report, and the component whose log explains a bad one."""

FINISHED = {"success", "failed"}


class AirflowApiError(Exception):
    """The REST API answered with an error, or not as waited for."""


class AirflowApi:
    """Documents come back as they are."""

    def __init__(self, url: str, *, username: str, password: str) -> None:
        self.url = url
        self._login = {"username": username, "password": password}
        self._token: str | None = None
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback: no proxy

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One authorized call; ``path`` begins below ``/api/v2``."""
        self.token()
        return self._send(method, f"/api/v2{path}", body)

    def token(self) -> str:
        """What proves the login, which the first call makes."""
        if self._token is None:
            self._token = str(self._send("POST", "/auth/token", self._login)["access_token"])
        return self._token

    def unhealthy(self) -> list[str]:
        """Components that are not healthy (yet), by their names in the health report."""
        try:
            report = self._send("GET", "/api/v2/monitor/health")
        except (AirflowApiError, OSError):
            return list(HEALTH)
        return [name for name in HEALTH if (report.get(name) or {}).get("status") != "healthy"]

    def wait_for_dag(self, dag_id: str, *, seconds: float = 60) -> dict[str, Any]:
        """Wait until the DAG has been parsed; an import error ends the wait with its traceback."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                found: dict[str, Any] = self.call("GET", f"/dags/{dag_id}")
                return found
            except AirflowApiError:
                if errors := self.call("GET", "/importErrors")["import_errors"]:
                    traces = "\n".join(f"{error['filename']}:\n{error['stack_trace']}" for error in errors)
                    raise AirflowApiError(f"DAG files with errors:\n{traces}") from None
            time.sleep(0.3)
        raise AirflowApiError(f"no DAG {dag_id!r} was found within {seconds:.0f} s")

    def unpause(self, dag_id: str) -> None:
        self.call("PATCH", f"/dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run of a parsed DAG, unpausing it first; return the run's id."""
        self.wait_for_dag(dag_id)
        self.unpause(dag_id)
        run = self.call("POST", f"/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": dict(conf or {})})
        return str(run["dag_run_id"])

    def wait_for_run(
        self,
        dag_id: str,
        run_id: str,
        *,
        seconds: float = 180,
        on_change: Callable[[str, str | None], None] | None = None,
    ) -> str:
        """Wait until a run has finished; return ``success`` or ``failed``.

        :param on_change: called with a task's name (see :meth:`task_states`) and state whenever it has moved.
        """
        deadline = time.monotonic() + seconds
        seen: dict[str, str | None] = {}
        while True:
            state = str(self.call("GET", f"/dags/{dag_id}/dagRuns/{_quoted(run_id)}")["state"])
            for task, task_state in self.task_states(dag_id, run_id).items():
                if on_change and seen.get(task) != task_state:
                    on_change(task, task_state)
                seen[task] = task_state
            if state in FINISHED:
                return state
            if time.monotonic() > deadline:
                raise AirflowApiError(f"{dag_id} run {run_id} still {state} after {seconds:.0f} s: {seen}")
            time.sleep(0.3)

    def clear(self, dag_id: str, run_id: str, task_ids: Sequence[str]) -> None:
        """Let tasks of a run that has ended run again."""
        wanted = {"dag_run_id": run_id, "task_ids": list(task_ids), "dry_run": False, "only_failed": False}
        self.call("POST", f"/dags/{dag_id}/clearTaskInstances", wanted)

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """State by task id; mapped tasks as ``task[2]``."""
        return {_name(task): task["state"] for task in self.task_instances(dag_id, run_id)}

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        found = self.call("GET", f"/dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances?limit=1000")
        return list(found["task_instances"])

    def xcoms(self, dag_id: str, run_id: str, task_id: str, *, map_index: int = -1) -> dict[str, Any]:
        """Every XCom of a task, by key."""
        path = f"{_task(dag_id, run_id, task_id)}/xcomEntries"
        entries = self.call("GET", f"{path}?map_index={map_index}&limit=1000")["xcom_entries"]
        return {
            entry["key"]: self.call("GET", f"{path}/{_quoted(entry['key'])}?map_index={map_index}")["value"]
            for entry in entries
        }

    def log_text(
        self, dag_id: str, run_id: str, task_id: str, *, try_number: int = 1, map_index: int = -1
    ) -> str:
        """A task's log as lines of text, one try."""
        path = f"{_task(dag_id, run_id, task_id)}/logs/{try_number}"
        content = self.call("GET", f"{path}?full_content=true&map_index={map_index}")["content"]
        return "\n".join(line if isinstance(line, str) else _log_line(line) for line in content)

    def extra_links(
        self, dag_id: str, run_id: str, task_id: str, *, map_index: int = -1
    ) -> dict[str, str | None]:
        """URLs of a task's extra links, by name."""
        found = self.call("GET", f"{_task(dag_id, run_id, task_id)}/links?map_index={map_index}")
        return dict(found["extra_links"])

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, method=method, headers=headers, data=data)
        try:
            with self._opener.open(request, timeout=30) as reply:
                return json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            answer = error.read().decode(errors="replace")[:500]
            raise AirflowApiError(f"{error.code} {method} {path}: {answer}") from None


def _quoted(word: str) -> str:
    return urllib.parse.quote(word, safe="")


def _task(dag_id: str, run_id: str, task_id: str) -> str:
    return f"/dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances/{_quoted(task_id)}"


def _name(task: Mapping[str, Any]) -> str:
    return task["task_id"] if task["map_index"] < 0 else f"{task['task_id']}[{task['map_index']}]"


def _log_line(entry: Mapping[str, Any]) -> str:
    text = " ".join(str(entry[key]) for key in ("timestamp", "level", "event", "reason") if entry.get(key))
    detail = entry.get("error_detail")
    return f"{text}\n{json.dumps(detail, indent=2)}" if detail else text
