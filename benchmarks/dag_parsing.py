"""What the provider costs while DAG files are parsed: ``python -m benchmarks.dag_parsing``.

The DAG processor forks for every file and imports only the file's ``airflow.*`` modules before it forks, so
a third-party provider is imported anew at each parse. This measures such a parse, of files with 50 tasks, in
turn: bare operators, operators of Airflow's own standard provider, and ours. Read the ratios: the times
belong to the machine.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 15
TASKS = 50

HEAD = (
    "from datetime import datetime, UTC\nfrom airflow.providers.common.compat.sdk import DAG, BaseOperator\n"
)
START = "with DAG('benchmark', schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):\n"
FILES = {
    "bare operators": f"""{HEAD}{START}
    for number in range({TASKS}):
        BaseOperator(task_id=f"task_{{number}}")
""",
    "Airflow's own provider": f"""{HEAD}
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from datetime import timedelta
{START}
    for number in range({TASKS // 2}):
        BashOperator(task_id=f"task_{{number}}", bash_command="true")
        TimeDeltaSensor(task_id=f"wait_{{number}}", delta=timedelta(hours=1))
""",
    "this provider": f"""{HEAD}
from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators.dataflows import AepCreateDataflowOperator
from airflow_provider_aep.operators.connections import AepCreateTargetConnectionOperator
from airflow_provider_aep.operators.datasets import AepListDatasetsOperator
from airflow_provider_aep.sensors import AepDataflowRunSensor
{START}
    for number in range({TASKS // 2}):
        flow = AepCreateDataflowOperator(task_id=f"task_{{number}}", name="n", destination="s3",
            source_connection_id="a", target_connection_id="b", schedule="3h")
        AepDataflowRunSensor(task_id=f"wait_{{number}}", dataflow_id=flow.output,
            on_failure_callback=AepRunNotifier())
""",
}

IMPORTS = """
import time, importlib, pkgutil
from airflow.providers.common.compat.sdk import (
    BaseHook, BaseNotifier, BaseOperator, BaseOperatorLink, BaseSensorOperator, XCom, conf, mask_secret)
from airflow.providers.common.compat.connection import get_async_connection
from airflow.triggers.base import BaseTrigger
started = time.perf_counter()
import airflow_provider_aep
for module in pkgutil.walk_packages(airflow_provider_aep.__path__, "airflow_provider_aep."):
    if ".emulator" not in module.name:
        importlib.import_module(module.name)
print((time.perf_counter() - started) * 1000)
"""


def parse_seconds(path: Path) -> float:
    """Seconds that a forked process takes to execute a DAG file."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        started = time.perf_counter()
        runpy.run_path(str(path))
        os.write(writer, json.dumps(time.perf_counter() - started).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as told:
        return float(json.loads(told.read()))


def preimport(source: str) -> None:
    """Import what the DAG processor has imported when it forks: its own code, and the file's Airflow."""
    importlib.import_module("airflow.dag_processing.processor")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("airflow."):
            importlib.import_module(str(node.module))


def main() -> None:
    taken: dict[str, list[float]] = {name: [] for name in FILES}
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"dag_{number}.py" for number, name in enumerate(FILES)}
        for name, path in paths.items():
            path.write_text(FILES[name])
            preimport(FILES[name])
        for _ in range(ROUNDS):
            for name, path in paths.items():
                taken[name].append(parse_seconds(path) * 1000)
    base = statistics.median(taken["bare operators"])
    print(f"A DAG file of {TASKS} tasks, parsed in a fork; median of {ROUNDS} rounds in turn")
    for name, times in taken.items():
        median = statistics.median(times)
        print(f"  {name:<24} {median:7.1f} ms   x{median / base:.2f}")
    command = [sys.executable, "-c", IMPORTS]
    told = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(7)]
    costs = [float(line.splitlines()[-1]) for line in told]
    print(f"All modules of the provider, after Airflow's base classes: {statistics.median(costs):.1f} ms")


if __name__ == "__main__":
    main()
