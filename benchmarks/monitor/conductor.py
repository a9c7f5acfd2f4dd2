"""The course of one measurement: warm up, start all, measure, finish the runs, wait for all to tell."""

from __future__ import annotations

import json
import math
import statistics
import time
import traceback
import urllib.request
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil

from benchmarks.monitor.job import Figures, Job, NotMeasured

STEP_SECONDS = 0.1
SETTLE_SECONDS = 1.0
SAMPLE_SECONDS = 1.0

Record = dict[str, Any]


@dataclass(kw_only=True)
class Conductor:
    """Runs beside what is measured, in a thread of its own.

    :param process: gives the process that holds the event loop.
    :param start: start waiting for the runs with these numbers.
    """

    job: Job
    waits: bool
    process: Callable[[], psutil.Process]
    start: Callable[[Sequence[int]], object]
    _records: list[Record] = field(default_factory=list)
    _read: int = 0
    _peak: int = 0

    def run(self) -> None:
        """Conduct, and tell what was seen, or why nothing was."""
        try:
            self.job.told.write_text(self._conduct().to_json())
        except Exception as error:
            traceback.print_exc()
            self.job.failed.write_text(str(error) or type(error).__name__)

    def _conduct(self) -> Figures:
        job = self.job
        self.start([0])
        self._wait_until(lambda: 0 in self._ended(), job.patience)
        first = self._ended().get(0)
        if first is None or not first["succeeded"]:
            raise NotMeasured(f"the first trigger said {first['said']}" if first else "the first did not end")
        time.sleep(SETTLE_SECONDS)
        process = self.process()
        before, cpu = process.memory_info().rss, _cpu(process)
        counted = self._count()
        self._records.clear()

        self.start(range(1, job.waiters + 1))
        self._wait_until(lambda: self._started() >= job.waiters, job.patience)
        # The first looks, and whatever is made for them.
        time.sleep(SETTLE_SECONDS + job.interval)
        start_cpu = _cpu(process) - cpu

        begun, cpu, count = time.time(), _cpu(process), self._count()
        self._peak = 0
        while (left := begun + job.seconds - time.time()) > 0:
            time.sleep(min(left, SAMPLE_SECONDS))
            self._peak = max(self._peak, process.memory_info().rss)
        cpu, ended = _cpu(process) - cpu, time.time()
        seen = self._count()["requests"] - count["requests"]
        started, minutes = self._started(), (ended - begun) / 60

        done = time.time()
        self._count("finish")
        if self.waits:
            self._wait_until(lambda: len(self._ended()) >= job.waiters, job.patience)
        last = self._count()
        endings = self._ended()
        good = {number for number, each in endings.items() if each["succeeded"] and each["at"] >= done}
        lost = [each for number, each in endings.items() if number not in good]
        waiting = job.waiters - len(endings)
        return Figures(
            started=started,
            cpu=cpu * 1000 / started / minutes,
            start_cpu=start_cpu * 1000 / started,
            requests=seen / started,
            all_requests=(last["requests"] - counted["requests"]) / started,
            refused=last["refused"] - counted["refused"],
            most_connections=last["most_connections"],
            lag=self._lag(begun, ended),
            memory=(self._peak - before) / 1024 / started,
            found=self._last("fired", good) - done if self.waits and good else None,
            told=self._last("ended", good) - done if self.waits and good else None,
            lost=len(lost) if self.waits else 0,
            waiting=waiting if self.waits else 0,
            losses=tuple(sorted({str(each["said"]) for each in lost}))[:3],
        )

    def _wait_until(self, happened: Callable[[], bool], seconds: float) -> bool:
        deadline = time.time() + seconds
        while not happened():
            if time.time() > deadline:
                return False
            time.sleep(STEP_SECONDS)
        return True

    def _news(self) -> list[Record]:
        if self.job.records.exists():
            with self.job.records.open("rb") as file:
                file.seek(self._read)
                # The last line may be half written.
                whole = file.read().rpartition(b"\n")[0]
            self._read += len(whole) + 1 if whole else 0
            self._records += [json.loads(line) for line in whole.splitlines()]
        return self._records

    def _started(self) -> int:
        return sum("started" in each for each in self._news())

    def _ended(self) -> dict[int, Record]:
        return {each["ended"]: each for each in self._news() if "ended" in each}

    def _last(self, what: str, numbers: Collection[int]) -> float:
        return float(max(each["at"] for each in self._news() if each.get(what) in numbers))

    def _lag(self, begun: float, ended: float) -> tuple[float, float, float]:
        lags = sorted(
            lag * 1000
            for each in self._news()
            if "lags" in each and begun <= each["at"] <= ended
            for lag in each["lags"]
        )
        if len(lags) < 2:  # the loop never came back
            return math.inf, math.inf, math.inf
        return statistics.median(lags), lags[int(len(lags) * 0.99)], lags[-1]

    def _count(self, lever: str = "counts") -> dict[str, int]:
        with urllib.request.urlopen(f"{self.job.url}/bench/{lever}", timeout=30) as answer:  # noqa: S310
            counts: dict[str, int] = json.load(answer)
            return counts


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
