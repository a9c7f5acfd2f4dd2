"""A real Airflow 3.3 for the length of a ``with`` block: the demo's stage and the end-to-end tests' subject.

::

    with AirflowStack(Path("dags_examples"), connections={"aep_default": {...}}) as airflow:
        run_id = airflow.api.trigger("nightly_export", {"sandbox": "dev"})
        state = airflow.api.wait_for_run("nightly_export", run_id)

API server, scheduler, DAG processor and triggerers run as processes of their own over SQLite (or a database
that is given) in a temporary home, on one loopback port, and all of it is gone afterwards.
"""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from tools.environment import CHECKOUT
from tools.processes import Children, clean_environment

COMPONENTS = {
    "api-server": (),
    # Without this option these two serve task logs on every network interface.
    "scheduler": ("--skip-serve-logs",),
    "triggerer": ("--skip-serve-logs",),
    "dag-processor": (),
}
HEALTH = {
    "metadatabase": "api-server",
    "scheduler": "scheduler",
    "triggerer": "triggerer",
    "dag_processor": "dag-processor",
}
"""Names in the health report, and the component whose log explains a bad one."""

FINISHED = {"success", "failed"}
AIRFLOW = (sys.executable, "-m", "airflow")


class AirflowStack:
    """Airflow with every component, up on entering and gone on leaving.

    :param dags_folder: where the DAG files are.
    :param connections: by connection id, as Airflow's JSON form; they exist for tasks, not in the UI's list.
    :param env: further environment of every component, e.g. ``AIRFLOW__...`` settings.
    :param triggerers: how many; the components ``triggerer``, ``triggerer-2`` and so on.
    :param database_url: an empty database, as SQLAlchemy names it; SQLite in the home by default.
    :param keep_home: leave the temporary home, with its logs and database, behind.
    :param start_seconds: the longest time the start may take.
    """

    username = "admin"

    def __init__(
        self,
        dags_folder: Path,
        *,
        connections: Mapping[str, Mapping[str, Any]] | None = None,
        env: Mapping[str, str] | None = None,
        triggerers: int = 1,
        database_url: str | None = None,
        keep_home: bool = False,
        start_seconds: float = 120,
    ) -> None:
        self.dags_folder = dags_folder.resolve()
        self.connections = connections or {}
        self.env = env or {}
        self.database_url = database_url
        self.components = {name: (name, *options) for name, options in COMPONENTS.items()}
        for number in range(2, triggerers + 1):
            self.components[f"triggerer-{number}"] = self.components["triggerer"]
        self.keep_home = keep_home
        self.start_seconds = start_seconds
        self.password = secrets.token_urlsafe(9)
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as cleanup:
            self.home = Path(tempfile.mkdtemp(prefix="airflow-stack-"))
            if not self.keep_home:
                cleanup.callback(shutil.rmtree, self.home, ignore_errors=True)
            self.url = f"http://127.0.0.1:{free_port()}"
            self.api = AirflowApi(self.url, username=self.username, password=self.password)
            self._children = cleanup.enter_context(Children(logs=self.home, env=self._environment()))
            self._start(self._children)
            self._exit = cleanup.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._exit.close()

    def _start(self, children: Children) -> None:
        passwords = self.home / "passwords.json"
        passwords.write_text(json.dumps({self.username: self.password}))
        deadline = time.monotonic() + self.start_seconds
        children.run("migrate", [*AIRFLOW, "db", "migrate"], timeout=self.start_seconds)
        for name in self.components:
            self.start(name)
        while unhealthy := self.api.unhealthy():
            children.check()
            if time.monotonic() > deadline:
                name = HEALTH[unhealthy[0]]
                raise children.failed(name, f"was not healthy after {self.start_seconds:.0f} s")
            time.sleep(0.2)

    def start(self, component: str) -> None:
        """Start a component that was killed again; it needs some seconds until it works."""
        self._children.start(component, [*AIRFLOW, *self.components[component]])

    def kill(self, component: str) -> None:
        """SIGKILL a component, such as ``triggerer-2``, and all that it has started."""
        self._children.kill(component)

    def check(self) -> None:
        """Raise if a component has ended by itself."""
        self._children.check()

    def pid(self, component: str) -> int:
        """The process of a component that runs."""
        return self._children.running[component].pid

    def shell(self, *arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments, in this Airflow's environment."""
        return subprocess.run(
            [sys.executable, *arguments],
            env=self._environment(),
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def _environment(self) -> dict[str, str]:
        return {
            **clean_environment(),
            "no_proxy": "*",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags_folder),
            **({"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.database_url} if self.database_url else {}),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{self.username}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": self.url.rpartition(":")[2],
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            # A task's supervisor lives this long after the task has deferred. When the trigger fires within
            # that time, Airflow 3.3.2 can take the old "success" for the resumed task's, and fails it.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            **{
                f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(connection)
                for conn_id, connection in self.connections.items()
            },
            **self.env,
        }


class AirflowApiError(Exception):
    """The REST API answered with an error, or not as waited for."""


class AirflowApi:
    """The few calls of Airflow's REST API that a demo or a test needs. Documents come back as they are."""

    def __init__(self, url: str, *, username: str, password: str) -> None:
        self.url = url
        self._login = {"username": username, "password": password}
        self._token: str | None = None
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback: no proxy

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One authorized call; ``path`` begins below ``/api/v2``."""
        if self._token is None:
            self._token = self._send("POST", "/auth/token", self._login)["access_token"]
        return self._send(method, f"/api/v2{path}", body)

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


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _quoted(word: str) -> str:
    return urllib.parse.quote(word, safe="")


def _task(dag_id: str, run_id: str, task_id: str) -> str:
    return f"/dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances/{_quoted(task_id)}"


def _name(task: Mapping[str, Any]) -> str:
    return task["task_id"] if task["map_index"] < 0 else f"{task['task_id']}[{task['map_index']}]"


def _log_line(entry: Mapping[str, Any]) -> str:
    text = " ".join(str(entry[key]) for key in ("timestamp", "level", "event") if entry.get(key))
    detail = entry.get("error_detail")
    return f"{text}\n{json.dumps(detail, indent=2)}" if detail else text
