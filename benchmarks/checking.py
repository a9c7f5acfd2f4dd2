"""How many requests a check of 100 exports sends: where all is well, and where ten of them are empty.

    python -m benchmarks.checking

Each export has a dataset of its own, into which rows come between any two runs, and ten days of history. In
process, against the emulator; the request for the token is not counted. The empty ones exported nothing at
their last run: once because nothing was ingested, once although something was. The check looks for the first
time, at a window of a day. It prints a line for each cadence.
"""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from airflow_provider_aep.emulator import Clock, Emulator
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.monitoring.audit import Audit, audit_exports
from tools.provisioning import new_dataflow, session_of

T = TypeVar("T")
EXPORTS, EMPTY = 100, 10
DAYS = 10
EVERY = {"1d": 24, "3h": 3, "1h": 1}
BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = 3600.0


class Sandbox:
    """100 exports with a history.

    :param empty: so many export nothing at their last run.
    :param lost: what the last run of the empty ones should have exported was ingested in time.
    :param days: how much history there is; one daily run is a day.
    """

    def __init__(self, every: str, *, empty: int, lost: bool, days: int = DAYS) -> None:
        self.every, self.step = every, EVERY[every]
        self.clock = Clock(BEGAN.timestamp())
        self.emulator = Emulator(clock=self.clock)
        self.session = session_of(self.emulator, now=self.clock, jitter=lambda: 0.0)
        self.datasets = [
            self.emulator.add_dataset(f"Dataset {number}", kind="order", rows=50, hourly=0)
            for number in range(EXPORTS)
        ]
        flows = [self._create(number) for number in range(EXPORTS)]
        runs = days * 24 // self.step
        for run in range(runs):
            is_last = run == runs - 1
            if is_last:
                for flow in flows[:empty]:
                    self.emulator.script_runs(flow, ["withheld" if lost else "zero"])
            for dataset in self.datasets[empty if is_last and not lost else 0 :]:
                self.emulator.add_rows(dataset.id, 5)
            self.clock.advance(self.step * HOUR)
            self.emulator.tick()
        self.clock.advance(0.4 * HOUR)
        self.emulator.tick()

    def check(self) -> tuple[int, Audit]:
        """How many requests a first check sends, and what it finds."""
        self.emulator.log.clear()
        now = datetime.fromtimestamp(self.clock(), tz=UTC)
        audit = self._run(audit_exports(since=now - timedelta(days=1), until=now, now=now))
        return sum(1 for each in self.emulator.log if "/token" not in each.path), audit

    def _create(self, number: int) -> str:
        now = datetime.fromtimestamp(self.clock(), tz=UTC)
        # All within the second half of a step, so that the rows of a step come before its run, by more than
        # the margin where steps are longer than it.
        start = now + timedelta(hours=self.step) * (0.6 + 0.35 * number / EXPORTS)
        exchange = new_dataflow(
            f"export {number}",
            now,
            datasets=[self.datasets[number].id],
            path="exports",
            every=self.every,
            start=start,
            end=now + timedelta(days=200),
        )
        return self._run(exchange)

    def _run(self, exchange: Exchange[T]) -> T:
        return drive(self.session.conduct(exchange, sandbox="prod"), self.emulator, self.clock.advance)


def main() -> int:
    for every in EVERY:
        for told, empty, lost in (
            ("all is well", 0, False),
            ("ten empty, nothing ingested", EMPTY, False),
            ("ten empty, ingested", EMPTY, True),
        ):
            requests, audit = Sandbox(every, empty=empty, lost=lost).check()
            causes = Counter(
                cause.kind
                for export in audit.exports
                for finding in export.findings
                if (cause := finding.cause)
            )
            print(
                f"{every:>3}  {told:28} {requests:4} requests  {audit.outcome:4}  {dict(causes)}", flush=True
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
