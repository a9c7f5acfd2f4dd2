"""What reaches Airflow's metrics, and that what does not harms nobody."""

from __future__ import annotations

import os
import platform
import re
import socket
import subprocess
import sys
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import airflow.models.dag  # noqa: F401 - Airflow 2.11 reads a connection only once its models are complete
import pytest
from airflow.providers.common.compat.sdk import Stats

from airflow_provider_aep.errors import AepRateLimitError
from airflow_provider_aep.flowservice.datasets import list_datasets
from airflow_provider_aep.hooks import AepHook, metrics

COMPLETED = datetime(2026, 1, 1, 3, 20, tzinfo=UTC)
VERDICT = {
    "outcome": "warn",
    "status": "partial",
    "run_ids": ["a", "b"],
    "records_out": 1200,
    "completed_at": COMPLETED.isoformat(),
    "sandbox": "prod",
}


class Backend:
    """Takes what a backend of Airflow's metrics takes, and keeps what is ours."""

    def __init__(self) -> None:
        self.sent: list[tuple] = []

    def incr(self, stat, count=1, rate=1, *, tags=None):
        self._keep("incr", stat, count, tags)

    def gauge(self, stat, value, rate=1, delta=False, *, tags=None):
        self._keep("gauge", stat, value, tags)

    def timing(self, stat, dt, *, tags=None):
        self._keep("timing", stat, dt, tags)

    def timer(self, *given, **more):  # Airflow times some of its own imports
        return nullcontext()

    def _keep(self, kind, stat, value, tags):
        if stat.startswith("aep."):
            self.sent.append((kind, stat, value, tags or {}))


@pytest.fixture
def use(monkeypatch):
    """``use(backend)``: as if Airflow had made that backend out of its configuration."""

    def use(backend):
        module = sys.modules[Stats.__module__]
        if hasattr(module, "_backend"):
            monkeypatch.setattr(module, "_backend", backend)
        else:  # before Airflow 3.2
            monkeypatch.setattr(Stats, "instance", backend)
        return backend

    monkeypatch.setattr(metrics, "_waiters", {})
    return use


@pytest.fixture
def backend(use) -> Backend:
    return use(Backend())


def test_a_verdict_counts_its_runs_and_records_and_how_late_it_came(backend):
    metrics.judged(VERDICT, now=COMPLETED + timedelta(seconds=42))
    assert backend.sent == [
        ("incr", "aep.runs_judged.warn", 2, {"sandbox": "prod", "status": "partial"}),
        ("incr", "aep.records_exported", 1200, {"sandbox": "prod"}),
        ("timing", "aep.detection_lag", timedelta(seconds=42), {"sandbox": "prod"}),
    ]


def test_a_verdict_that_knows_little_counts_its_runs(backend):
    little = {"records_out": None, "completed_at": None, "sandbox": None}
    metrics.judged({**VERDICT, **little})
    assert backend.sent == [("incr", "aep.runs_judged.warn", 2, {"status": "partial"})]


def test_a_clock_that_is_ahead_of_ours_makes_no_negative_lag(backend):
    metrics.judged(VERDICT, now=COMPLETED - timedelta(minutes=3))
    assert backend.sent[-1] == ("timing", "aep.detection_lag", timedelta(), {"sandbox": "prod"})


def test_a_verdict_of_another_version_counts_nothing_and_harms_nobody(backend):
    metrics.judged({"outcome": "ok"})
    metrics.judged({**VERDICT, "completed_at": "soon"})
    assert [name for _, name, *_ in backend.sent] == ["aep.runs_judged.warn", "aep.records_exported"]


def test_a_poll_is_counted_with_how_long_it_took_and_whether_it_failed(backend):
    metrics.polled(0.25)
    metrics.polled(2.0, failed=True)
    assert [each[:3] for each in backend.sent] == [
        ("incr", "aep.polls", 1),
        ("timing", "aep.poll_duration", timedelta(seconds=0.25)),
        ("incr", "aep.polls", 1),
        ("timing", "aep.poll_duration", timedelta(seconds=2)),
        ("incr", "aep.polls_failed", 1),
    ]


def test_the_gauge_is_the_sum_of_those_who_wait_in_this_process(backend):
    prod, stage = metrics.observer(("aep_default", "prod")), metrics.observer(("aep_default", "stage"))
    prod(300, 0.1, False)
    stage(20, 0.1, False)
    prod(250, 0.1, True)
    metrics.waiting(0, poll=("aep_default", "prod"))
    metrics.waiting(0, poll=("aep_default", "nobody ever waited here"))
    gauges = [each for each in backend.sent if each[0] == "gauge"]
    assert [value for _, _, value, _ in gauges] == [300, 320, 270, 20, 20]
    assert {(name, tags["hostname"]) for _, name, _, tags in gauges} == {("aep.waiters", platform.node())}


def test_tokens_and_429s_of_any_task_are_counted(backend, aep):
    aep.fail_next(429, retry_after=1)
    AepHook().run(list_datasets())
    AepHook().run(list_datasets())
    assert [name for _, name, *_ in backend.sent] == ["aep.token_fetches", "aep.rate_limited"]


def test_a_backend_that_fails_fails_no_task(use, aep):
    class Broken:
        def __getattr__(self, name):
            raise OSError("the network of the metrics is down")

    AepHook().run(list_datasets())
    use(Broken())
    metrics.polled(0.25, failed=True)
    metrics.waiting(3, poll="prod")
    metrics.judged(VERDICT)
    aep.fail_next(429, retry_after=1)
    assert AepHook().run(list_datasets())
    aep.fail_next(429, retry_after=3600)
    with pytest.raises(AepRateLimitError):
        AepHook().run(list_datasets())


def test_the_page_lists_what_is_sent(backend, aep):
    metrics.observer("prod")(1, 0.1, True)
    aep.fail_next(429, retry_after=1)
    AepHook().run(list_datasets())
    for outcome in ("ok", "warn", "skip", "fail"):
        metrics.judged({**VERDICT, "outcome": outcome})
    page = Path(__file__).parents[2].joinpath("docs", "metrics.md").read_text()
    rows = dict(re.findall(r"^\| `(aep\.[^`]+)` \| (\w+) ", page, flags=re.MULTILINE))
    kinds = {"incr": "counter", "gauge": "gauge", "timing": "timer"}
    sent = {re.sub(r"judged\.\w+", "judged.<outcome>", name): kinds[kind] for kind, name, *_ in backend.sent}
    assert rows == sent


def test_a_statsd_of_airflows_configuration_gets_them():
    """In a process of its own, set up as the triggerer is; the names and units as they are on the wire."""
    pytest.importorskip("statsd", reason="StatsD is an extra of Airflow")
    script = f"""
import airflow.jobs.triggerer_job_runner
from datetime import datetime
from airflow_provider_aep.hooks import metrics
metrics.observer("prod")(300, 0.25, False)
metrics.judged({VERDICT!r}, now=datetime.fromisoformat("2026-01-01T03:20:42+00:00"))
"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        metrics = {"STATSD_ON": "True", "STATSD_HOST": "127.0.0.1", "STATSD_PORT": server.getsockname()[1]}
        env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            **{f"AIRFLOW__METRICS__{name}": str(value) for name, value in metrics.items()},
        }
        subprocess.run([sys.executable, "-W", "ignore", "-c", script], env=env, timeout=120, check=True)
        got = []
        while "airflow.aep.detection_lag" not in "".join(got):
            got.append(server.recv(4096).decode())
    ours = [line for line in got if line.startswith("airflow.aep.")]
    assert ours == [
        "airflow.aep.polls:1|c",
        "airflow.aep.poll_duration:250.000000|ms",
        "airflow.aep.waiters:300|g",
        "airflow.aep.runs_judged.warn:2|c",
        "airflow.aep.records_exported:1200|c",
        "airflow.aep.detection_lag:42000.000000|ms",
    ]
