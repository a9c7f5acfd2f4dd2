"""One measurement: a service of its own, a rival in a process of its own, nothing left afterwards."""

from __future__ import annotations

import math
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.monitor.certificate import make_certificate, trusting
from benchmarks.monitor.job import Figures, Job, NotMeasured
from tools.processes import ChildFailed, Children, clean_environment

START_SECONDS = 60.0
FILES_PER_WAITER = 4  # a socket and a log file, generously


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a rival has to bear.

    :param limit: requests a second that the service answers, 0 for any number.
    :param together: all start in one moment, and not one after the other within an interval.
    :param tls: the service speaks TLS.
    """

    waiters: int
    interval: float
    seconds: float
    latency: float
    limit: int = 0
    together: bool = False
    tls: bool = False


def measure(rival: str, python: str, stage: str, load: Load) -> Figures:
    """Have a rival wait, in Airflow's triggerer or in a bare event loop.

    :raises NotMeasured: it did not run.
    """
    _allow_files(load.waiters * FILES_PER_WAITER + 500)
    with tempfile.TemporaryDirectory(prefix="aep-benchmark-") as name:
        folder = Path(name)
        certificate = make_certificate(folder) if load.tls else None
        env = _environment(folder, load) | (trusting(certificate) if certificate else {})
        with Children(logs=folder, env=env) as children:
            url = _start_service(children, folder, load, certificate)
            # Patient with whoever is refused or blocks the loop, and with the supervisor, which takes
            # some 20 to 40 events a second from its runner.
            patience = 6 * load.interval + 30 + load.waiters / 15
            job = Job(
                rival=rival,
                url=url,
                folder=name,
                waiters=load.waiters,
                interval=load.interval,
                seconds=load.seconds,
                patience=patience,
            )
            if stage == "triggerer":
                try:
                    children.run("migrate", [python, "-m", "airflow", "db", "migrate"], timeout=120)
                except ChildFailed as reason:
                    raise NotMeasured(str(reason).splitlines()[-1].strip()) from None
            _perform(python, stage, job, children)
            if not job.told.exists():
                raise NotMeasured(_last_line(job.failed if job.failed.exists() else children.log_path(stage)))
            return Figures.from_json(job.told.read_text())


def _perform(python: str, stage: str, job: Job, children: Children) -> None:
    children.start(stage, [python, "-m", f"benchmarks.monitor.{stage}", job.to_json()])
    try:
        children.running[stage].wait(START_SECONDS + job.seconds + 3 * job.patience)
    except subprocess.TimeoutExpired:
        raise NotMeasured("it took too long") from None


def _start_service(children: Children, folder: Path, load: Load, certificate: Path | None) -> str:
    ready = folder / "service.ready"
    options = ["--waiters", str(load.waiters), "--latency", str(load.latency), "--limit", str(load.limit)]
    options += ["--certificate", str(certificate)] if certificate else []
    service = [sys.executable, "-m", "benchmarks.monitor.service", "--ready-file", str(ready), *options]
    children.start("service", service)
    deadline = time.monotonic() + START_SECONDS
    while not (ready.exists() and (url := ready.read_text())):
        children.check()
        if time.monotonic() > deadline:
            raise children.failed("service", "was not ready in time")
        time.sleep(0.05)
    return url


def _environment(folder: Path, load: Load) -> dict[str, str]:
    from cryptography.fernet import Fernet

    # So many are taken up every second.
    batch = load.waiters if load.together else math.ceil(load.waiters / load.interval)
    home = folder / "airflow"
    home.mkdir()
    dags = home / "dags"
    dags.mkdir()
    return {
        **clean_environment(),
        "no_proxy": "*",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
        "AIRFLOW__TRIGGERER__MAX_TRIGGER_TO_SELECT_PER_LOOP": str(batch),
    }


def _allow_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def _last_line(log: Path) -> str:
    return (log.read_text(errors="replace").strip().splitlines() or ["it ended without a word"])[-1]
