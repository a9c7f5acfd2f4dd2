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
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from tools.airflow_api import HEALTH, AirflowApi
from tools.environment import CHECKOUT
from tools.processes import Children, clean_environment

COMPONENTS = {
    "api-server": (),
    # Without this option these two serve task logs on every network interface.
    "scheduler": ("--skip-serve-logs",),
    "triggerer": ("--skip-serve-logs",),
    "dag-processor": (),
}
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
        command = [*AIRFLOW, *self.components[component]]
        self._children.start(component, command, env=self._own_environment(component))

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

    def _own_environment(self, component: str) -> dict[str, str]:
        """What a component's environment has of its own."""
        return {}

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
            # Its tasks share tokens with one another, and with nothing else on this machine.
            "AIRFLOW__AEP__SHARE_DIRECTORY": str(self.home),
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


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
