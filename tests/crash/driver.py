"""Workers that can be killed: each ensures or deletes an export over HTTP, in a process of its own.

``python -m tests.crash.driver`` reads one job as JSON on each line, forks one process for each writer of the
job, and answers with a line that says how each ended. It has no threads and has loaded everything already, so
a worker costs milliseconds and inherits nothing of the tests. It ends with its input.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any

import jsonschema  # noqa: F401 - loaded here once, not in every worker
import requests

from airflow_provider_aep.emulator.service import LOGIN_PATH
from airflow_provider_aep.errors import AepError
from airflow_provider_aep.exports.apply import EnsureOptions, ensure_exports
from airflow_provider_aep.exports.delete import delete_export
from airflow_provider_aep.exports.spec import parse_spec
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.exchange import Request, Response
from airflow_provider_aep.flowservice.session import AepCredentials, AepSession
from airflow_provider_aep.flowservice.transport import RequestsTransport

# Pauses are this much shorter than in earnest. Five seconds for the service to settle are 100 ms, which is
# still many times as long as an exchange takes here.
SCALE = 0.02
LOGIN = {
    "specName": "Access Key",
    "params": {"s3AccessKey": "AKIA2345ABCDEFGH2345", "s3SecretKey": "abcd" * 10},
}
LOGINS = {("s3", "crm_bucket"): LOGIN}


class Troubled:
    """A transport with which something goes wrong at one exchange.

    :param trouble: ``kill before``, ``kill after``, ``lose`` or ``drop``; empty for none.
    :param at: at which exchange, counted from 0.
    :param dice: stretches the time before each exchange, so that writers overtake one another.
    """

    def __init__(self, url: str, *, trouble: str, at: int, dice: random.Random | None) -> None:
        self.url, self.trouble, self.at, self.dice = url, trouble, at, dice
        self.inner, self.count, self._lock = RequestsTransport(url), 0, threading.Lock()

    def send(self, request: Request) -> Response:
        with self._lock:
            now, self.count = self.count, self.count + 1
        if self.dice:
            time.sleep(self.dice.choice((0, 0, 0.002, 0.006)) * self.dice.random())
        if now != self.at:
            return self.inner.send(request)
        if self.trouble == "kill before":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.trouble in ("lose", "drop"):
            path = request.path.removeprefix(self.url)
            fault = {"kind": self.trouble, "match": f"{request.method} {path}"}
            requests.post(f"{self.url}/emulator/faults", json=fault, timeout=10).raise_for_status()
        answer = self.inner.send(request)
        if self.trouble == "kill after":
            os.kill(os.getpid(), signal.SIGKILL)
        return answer


def work(job: dict[str, Any], writer: dict[str, Any]) -> dict[str, Any]:
    credentials = AepCredentials(**job["credentials"], token_url=job["url"] + LOGIN_PATH)
    dice = random.Random(writer["seed"]) if "seed" in writer else None
    transport = Troubled(job["url"], trouble=writer.get("trouble", ""), at=writer.get("at", -1), dice=dice)
    sandbox, error, outcome = job["sandbox"], None, None
    exchange: Any
    if "delete" in writer:
        exchange = delete_export(**writer["delete"], sandbox=sandbox)
    else:
        exchange = ensure_exports(
            [parse_spec(writer["spec"])],
            sandbox=sandbox,
            now=datetime.now(tz=UTC),
            logins=LOGINS,
            options=EnsureOptions(allow_replace=True),
        )
    try:
        conducted = AepSession(credentials).conduct(exchange, sandbox=sandbox)
        ended = drive(conducted, transport, lambda seconds: time.sleep(seconds * SCALE))
        outcome = ended.to_json() if "delete" in writer else ended[0].to_json()
    except AepError as told:
        error = str(told)
    return {"count": transport.count, "outcome": outcome, "error": error or (outcome or {}).get("error")}


def carry_out(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Start all writers of a job at one moment, and wait for their ends."""
    gate, opener = os.pipe()
    started = []
    for writer in job["writers"]:
        results, sink = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.close(opener)
                os.read(gate, 1)
                os.write(sink, json.dumps(work(job, writer)).encode())
                code = 0
            except BaseException as error:
                os.write(sink, json.dumps({"error": f"BROKEN {error!r}", "outcome": None}).encode())
            finally:
                os._exit(code)
        os.close(sink)
        started.append((pid, results))
    os.close(gate)
    os.close(opener)
    ended = []
    for pid, results in started:
        with os.fdopen(results, "rb") as told:
            answer = told.read()
        _, status = os.waitpid(pid, 0)
        ended.append({"exit": os.waitstatus_to_exitcode(status), **json.loads(answer or b"{}")})
    return ended


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(carry_out(json.loads(line))) + "\n")
        sys.stdout.flush()
