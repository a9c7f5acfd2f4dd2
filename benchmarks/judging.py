"""What judging costs beside reading: 100 exports of 720 runs each, as a check of a month of hourly exports
has them.

    python -m benchmarks.judging

Reads the runs from documents as the service sends them, puts them to their ticks and finds what is wrong,
several times in turn. It prints the CPU time of both in milliseconds, and judging as a share of reading:
the share is what holds on another machine. Every twentieth run failed, exported nothing, hangs or never came.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.findings import Finding, findings_of
from airflow_provider_aep.monitoring.policy import AuditPolicy, RunPolicy
from airflow_provider_aep.monitoring.timeline import timeline_of

EXPORTS, TICKS, ROUNDS = 100, 720, 5
START = datetime(2026, 11, 1, tzinfo=UTC)
NOW = START + timedelta(hours=TICKS)
POLICIES = {
    "the usual policy": AuditPolicy(),
    "max_drop and zero_streak": AuditPolicy(runs=RunPolicy(max_drop=0.5, zero_streak=3)),
}


def dataflow(number: int) -> Dataflow:
    made = int((START - timedelta(days=30)).timestamp() * 1000)
    schedule = {"timeUnit": "hour", "interval": 1, "startTime": int(START.timestamp())}
    return Dataflow.from_api(
        {
            "id": f"flow-{number}",
            "name": f"export {number}",
            "state": "enabled",
            "createdAt": made,
            "updatedAt": made,
            "scheduleParams": schedule,
        }
    )


def documents(number: int) -> list[str]:
    """The runs of one export, as JSON."""
    found = []
    for tick in range(TICKS):
        odd = (tick + number) % 80
        if odd == 60:
            continue  # never came
        began = int((START + timedelta(hours=tick, minutes=(tick * 7 + number) % 12)).timestamp() * 1000)
        ended = {} if odd == 40 else {"completedAtUTC": began + 600_000}
        status = {0: "failed", 40: "processing"}.get(odd, "success")
        records = 0 if odd == 20 else 1000 + tick
        found.append(
            json.dumps(
                {
                    "id": f"run-{number}-{tick}",
                    "flowId": f"flow-{number}",
                    "createdAt": began,
                    "updatedAt": began + 600_000,
                    "metrics": {
                        "durationSummary": {"startedAtUTC": began, **ended},
                        "recordSummary": {"inputRecordCount": records, "outputRecordCount": records},
                        "sizeSummary": {"outputBytes": records * 100},
                        "fileSummary": {"outputFileCount": 1},
                        "statusSummary": {"status": status},
                    },
                    "activities": [],
                }
            )
        )
    return found


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    result = work()
    return 1000 * (time.process_time() - began), result


def read(texts: list[str]) -> list[DataflowRun]:
    return [DataflowRun.from_api(json.loads(text)) for text in texts]


def judged(runs: list[list[DataflowRun]], policy: AuditPolicy) -> list[Finding]:
    found: list[Finding] = []
    for number, some in enumerate(runs):
        timeline = timeline_of(dataflow(number), some, now=NOW, known_from=START, datasets=("one",))
        found += findings_of(timeline, policy)
    return found


def main() -> int:
    texts = [documents(number) for number in range(EXPORTS)]
    reading: list[float] = []
    judging: dict[str, list[float]] = {name: [] for name in POLICIES}
    found = 0
    for _ in range(ROUNDS):
        took, runs = timed(lambda: list(map(read, texts)))
        reading.append(took)
        for name, policy in POLICIES.items():
            took, findings = timed(partial(judged, runs, policy))
            judging[name].append(took)
            found = len(findings)
    to_read = statistics.median(reading)
    print(f"{EXPORTS} exports, {sum(map(len, texts)):,} runs, {found:,} findings; medians of {ROUNDS} rounds")
    print(f"  reading the runs                         {to_read:7.0f} ms of CPU")
    for name, times in judging.items():
        middle = statistics.median(times)
        print(f"  judging, {name:<30}  {middle:7.0f} ms of CPU, {middle / to_read:.2f} of reading")
    return 0


if __name__ == "__main__":
    sys.exit(main())
