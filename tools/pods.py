"""An executor that does what the KubernetesExecutor does to a task, without a cluster.

The task is started with the command that the KubernetesExecutor gives to a pod, in a process that finds an
empty home and an empty temporary folder, and neither the metadata database nor a key that only the other
components have. What it leaves there is gone with it. Its output, a pod's log, is kept in the folder ``pods``
of the scheduler's home.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.executors.base_executor import BaseExecutor
from airflow.executors.workloads import ExecuteTask

from tools.environment import CHECKOUT

COMMAND = (sys.executable, "-m", "airflow.sdk.execution_time.execute_workload", "--json-string")
NOT_FOR_TASKS = frozenset(
    {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__CORE__FERNET_KEY"}
)


class Pod:
    """A task's process and its home."""

    def __init__(self, workload: ExecuteTask, output: Path) -> None:
        self._home = tempfile.TemporaryDirectory(dir=output.parent, ignore_cleanup_errors=True)
        own = dict.fromkeys(
            ("HOME", "AIRFLOW_HOME", "TMPDIR", "XDG_RUNTIME_DIR", "AIRFLOW__AEP__SHARE_DIRECTORY"),
            self._home.name,
        )
        given = {name: value for name, value in os.environ.items() if name not in NOT_FOR_TASKS}
        with output.open("ab") as log:
            self.process = subprocess.Popen(
                [*COMMAND, workload.model_dump_json()],
                # The provider is that of this checkout, as it is in the other components.
                env={**given, **own, "PYTHONPATH": str(CHECKOUT)},
                cwd=self._home.name,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def remove(self) -> None:
        self.process.kill()
        self.process.wait()
        self._home.cleanup()


class PodExecutor(BaseExecutor):
    """For ``[core] executor``. Unlike Kubernetes' pods, its processes are lost with their scheduler."""

    def start(self) -> None:
        self._pods: dict[Any, Pod] = {}
        self._number = 0
        self._outputs = Path(os.environ["AIRFLOW_HOME"]) / "pods"
        self._outputs.mkdir(exist_ok=True)

    def _process_workloads(self, workload_items: Sequence[Any]) -> None:
        for workload in workload_items:
            key = workload.ti.key
            del self.queued_tasks[key]
            self.running.add(key)
            self._number += 1
            self._pods[key] = Pod(workload, self._outputs / f"{key.dag_id}-{self._number}.log")

    def sync(self) -> None:
        for key, pod in list(self._pods.items()):
            code = pod.process.poll()
            if code is None:
                continue
            self._pods.pop(key).remove()
            if code == 0:
                self.success(key)
            else:
                self.fail(key)

    def end(self) -> None:
        self.terminate()

    def terminate(self) -> None:
        for pod in self._pods.values():
            pod.remove()
        self._pods.clear()
