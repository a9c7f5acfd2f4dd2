"""A real Airflow with the CeleryExecutor, whose components share nothing but the network.

Each has a home, a temporary folder, a host name and a copy of the DAG files of its own, as on hosts of their
own. They meet in the metadata database, in the broker, and at the API server.
"""

from __future__ import annotations

import base64
import secrets
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.host_name import VARIABLE
from tools.processes import Children
from tools.stack import AirflowStack

WORKERS = ("worker", "worker-2")
SCHEDULERS = ("scheduler", "scheduler-2")


class AirflowCluster(AirflowStack):
    """Two schedulers, two triggerers, two Celery workers, a DAG processor and an API server.

    :param broker_url: an empty broker, as Celery names it.
    :param database_url: an empty PostgreSQL database: of several schedulers SQLite is not capable.
    :param concurrency: how many tasks a worker runs at a time.
    """

    def __init__(
        self,
        dags_folder: Path,
        *,
        broker_url: str,
        database_url: str,
        connections: Mapping[str, Mapping[str, Any]] | None = None,
        env: Mapping[str, str] | None = None,
        concurrency: int = 4,
        keep_home: bool = False,
    ) -> None:
        shared = {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "tools.host_name.host_name",
            # Each home would make up keys of its own: triggers are encrypted by a scheduler or the API
            # server, and read by a triggerer.
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
            "AIRFLOW__CELERY__BROKER_URL": broker_url,
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(concurrency),
            "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
        }
        super().__init__(
            dags_folder,
            connections=connections,
            env={**shared, **(env or {})},
            triggerers=2,
            database_url=database_url,
            keep_home=keep_home,
        )
        self.components[SCHEDULERS[1]] = self.components[SCHEDULERS[0]]
        for name in WORKERS:
            self.components[name] = ("celery", "worker", "--celery-hostname", name, "--skip-serve-logs")

    @property
    def homes(self) -> list[Path]:
        """The home of each component."""
        return [self._home_of(name) for name in self.components]

    def _start(self, children: Children) -> None:
        super()._start(children)
        deadline = time.monotonic() + self.start_seconds
        while late := [
            name for name in WORKERS if f"{name} ready" not in children.log_path(name).read_text()
        ]:
            children.check()
            if time.monotonic() > deadline:
                raise children.failed(late[0], f"was not ready after {self.start_seconds:.0f} s")
            time.sleep(0.2)

    def _home_of(self, component: str) -> Path:
        return self.home / "hosts" / component

    def _own_environment(self, component: str) -> dict[str, str]:
        home = self._home_of(component)
        shutil.copytree(self.dags_folder, home / "dags", dirs_exist_ok=True)
        temporary = home / "tmp"
        temporary.mkdir(exist_ok=True)
        return {
            VARIABLE: component,
            "HOME": str(home),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "TMPDIR": str(temporary),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_RUNTIME_DIR": str(temporary),
            "AIRFLOW__AEP__SHARE_DIRECTORY": str(temporary),
        }
