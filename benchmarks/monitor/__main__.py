"""What it costs to have 1,000 tasks deferred, and who is lost: ``python -m benchmarks.monitor``.

This provider's trigger and those of its peers, each as a deferred task creates it, wait for runs that go on
until they are told to end. They look every 5 seconds at a service that answers after 50 ms (a process of the
benchmark, real HTTP on loopback). Each rival runs by itself, in a process and against a service of its own:
first in Airflow's real triggerer (job, supervisor, trigger runner, and a SQLite database with 1,000 deferred
task instances), then under bare asyncio. The peers' packages are the dependency group ``benchmarks``;
``--peers install`` makes an environment for them in ``.venv/benchmarks``, where it is found again.

How to read it:

* Ratios come first; 1.00 is this provider. Times belong to the machine, and other work on it makes them
  noisy.
* *CPU* is that of the trigger runner, per trigger and minute while all wait, Airflow's own share and the
  recorder's included. *Sleeping alone* is a trigger that never looks: what nobody can save. ``start`` is what
  starting one trigger took, in ms.
* *Requests* are per trigger, in the measured time; ``in all``, from the start of the first to the end of the
  last.
* *Lag* is how late the runner's event loop is, in ms, seen every 10 ms. A blocked loop delays all other
  triggers of the triggerer, whoever wrote them.
* *KiB* is the growth of the runner's resident memory per trigger, after one trigger was warmed up.
* *Found* is how long after the end of the runs the last trigger gave its event, in poll intervals; ``told``,
  how long until Airflow's runner had taken them all, which waits for their log lines, and those for the
  supervisor, which updates a row of the database for each.
* *Lost* ended before its run, or with anything but success; *waiting* never ended, or too late.
* The service gives a run of the Flow Service its usual size, and answers the peers as shortly as their
  triggers allow. All speak plain HTTP to it, which spares those who open a connection for each look a
  handshake each; with ``--tls`` they pay for it, as they do in earnest.

Then 500 of them start in one moment, as those of one schedule do, at a service that answers 50 requests a
second and refuses the rest with 429 and ``Retry-After: 1``. Last, 5,000 of ours wait in one triggerer.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec

from benchmarks.monitor import environment, tables
from benchmarks.monitor.job import OURS, PEERS, SLEEPING, Figures, NotMeasured
from benchmarks.monitor.measure import Load, measure

PARTS = ("triggerer", "loop", "limit", "many")
LIMITED, LIMIT = 500, 50
MANY = 5000

Pythons = Mapping[str, str]


def compare(pythons: Pythons, stage: str, load: Load) -> dict[str, Figures]:
    figures = {}
    for name, python in pythons.items():
        print(f"  {name} ({stage}) ...", file=sys.stderr, flush=True)
        try:
            figures[name] = measure(name, python, stage, load)
        except NotMeasured as reason:
            print(f"{name}: not measured: {reason}")
    return figures


def find_peers(given: str | None) -> str | None:
    """A Python that has the peers' packages."""
    if given == "install":
        return str(environment.install())
    if given:
        return given
    found = environment.find()
    return str(found) if found else None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.monitor")
    parser.add_argument("--waiters", type=int, default=1000, help="(default: %(default)s)")
    parser.add_argument("--interval", type=float, default=5, help="seconds (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=30, help="how long is measured (default: %(default)s)"
    )
    parser.add_argument("--latency", type=float, default=0.05, help="seconds (default: %(default)s)")
    parser.add_argument("--tls", action="store_true", help="the service speaks TLS")
    parser.add_argument("--peers", help="a Python that has the peers' packages, or 'install', or 'none'")
    parser.add_argument("--only", choices=PARTS, action="append", help="may be given several times")
    parser.add_argument("--rival", choices=[SLEEPING, OURS, *PEERS], action="append", help="likewise")
    given = parser.parse_args()
    if find_spec("airflow.sdk") is None:
        raise SystemExit("This needs Airflow 3.3.")
    parts = given.only or PARTS
    names = given.rival or [SLEEPING, OURS, *PEERS]
    pythons = {name: sys.executable for name in (SLEEPING, OURS) if name in names}
    peers = None if given.peers == "none" else find_peers(given.peers)
    if peers is None:
        print(
            "The peers are not measured: name a Python that has their packages with --peers, "
            "or let --peers install make one."
        )
    else:
        pythons |= {name: peers for name in PEERS if name in names}
    load = Load(
        waiters=given.waiters,
        interval=given.interval,
        seconds=given.seconds,
        latency=given.latency,
        tls=given.tls,
    )
    looks = f"looking every {load.interval:g} s for {load.seconds:g} s"
    for stage, title in (("triggerer", "in Airflow's triggerer"), ("loop", "under bare asyncio")):
        if stage in parts:
            figures = compare(pythons, stage, load)
            print(f"\n{load.waiters} triggers {title}, {looks}\n")
            print(tables.costs(figures, interval=load.interval), flush=True)
    if "limit" in parts:
        limited = replace(load, waiters=min(LIMITED, load.waiters), limit=LIMIT, together=True)
        waiting = {name: python for name, python in pythons.items() if name != SLEEPING}
        figures = compare(waiting, "triggerer", limited)
        print(
            f"\n{limited.waiters} triggers in Airflow's triggerer, {LIMIT} requests a second are answered\n"
        )
        print(tables.losses(figures, waiters=limited.waiters), flush=True)
    if "many" in parts and OURS in pythons:
        many = replace(load, waiters=max(MANY, load.waiters))
        figures = compare({OURS: pythons[OURS]}, "triggerer", many)
        print(f"\n{many.waiters} triggers in Airflow's triggerer, {looks}\n")
        print(tables.costs(figures, interval=many.interval))


if __name__ == "__main__":
    main()
