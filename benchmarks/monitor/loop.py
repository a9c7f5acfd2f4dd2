"""A rival under bare asyncio: ``python -m benchmarks.monitor.loop`` with a job, as JSON."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Sequence
from importlib import import_module

import psutil

from benchmarks.monitor.conductor import Conductor
from benchmarks.monitor.job import Job
from benchmarks.monitor.recorder import Recorder
from benchmarks.monitor.rivals import RIVALS


async def wait(job: Job, recorder: Recorder, number: int, delay: float) -> None:
    rival = RIVALS[job.rival]
    module, _, name = rival.classpath.rpartition(".")
    await asyncio.sleep(delay)
    recorder.started(number)
    try:
        trigger = getattr(import_module(module), name)(**rival.kwargs(job, number))
        async for event in trigger.run():
            recorder.fired(number)
            recorder.ended(number, rival.succeeded(event.payload), event.payload)
            return
        recorder.ended(number, False, "it ended without an event")
    except Exception as error:
        recorder.ended(number, False, repr(error))


async def run(job: Job) -> None:
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    recorder = Recorder(job.records)
    waiting: set[asyncio.Task[None]] = set()
    recorder.watch_loop(loop)

    def start(numbers: Sequence[int]) -> None:
        # Spread over an interval, as the starts in a triggerer are.
        for at, number in enumerate(numbers):
            delay = at * job.interval / len(numbers)
            waiting.add(loop.create_task(wait(job, recorder, number, delay)))

    def conduct() -> None:
        Conductor(
            job=job,
            waits=RIVALS[job.rival].waits,
            process=psutil.Process,
            start=lambda numbers: loop.call_soon_threadsafe(start, numbers),
        ).run()
        loop.call_soon_threadsafe(done.set)

    threading.Thread(target=conduct, daemon=True).start()
    await done.wait()
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


def main() -> None:
    job = Job.from_json(sys.argv[1])
    RIVALS[job.rival].prepare(job.url)
    asyncio.run(run(job))


if __name__ == "__main__":
    main()
