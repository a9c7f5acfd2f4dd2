"""What a wait costs in the whole of Airflow, beside a task that does nothing: ``python -m benchmarks.whole``.

A real Airflow 3.3 (LocalExecutor, PostgreSQL) runs, one after the other: 60 mapped tasks that do nothing; 60
sensors of this provider, mapped; 60 that start in the triggerer, each a task of its own; five sensors for 60
exports each, as a single one would be lost in what the scheduler uses when idle; 60 deferred sensors of dbt
Cloud's provider; 60 of Airflow's sensors that start in the triggerer and wait for a moment; 60 tasks of their
own that do nothing; and the first ones once more. The waits take 60 seconds at least, all poll every 10
seconds, and all end well. The services respond after 20 ms over TLS, in the benchmark's own process.

dbt Cloud's provider is in the environment that ``python -m benchmarks.monitor --peers install`` makes, where
this looks for it; without it, dbt Cloud is left out.

How to read it:

* *CPU* is that of all components of Airflow and all that they start, over what they use when idle, which is
  seen for 60 seconds at first. PostgreSQL's and the services' is not counted.
* *Plain tasks* is the ratio to the task that does nothing, mean of both times of the same run: read that.
  Milliseconds belong to the machine, and other work on it makes them noisy.
* Airflow's own sensor asks no service and pushes no XCom, so no task that starts in the triggerer costs less,
  but for its trigger, which wakes each second.
* *Requests* are those that reached the service, for tokens included. They hardly depend on the machine.
* *Calls* are those to the execution API of Airflow's API server; ``--calls`` tells which.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from benchmarks.monitor import environment
from benchmarks.monitor.certificate import make_certificate, trusting
from benchmarks.whole.course import Cost, Course, TooSlow
from benchmarks.whole.service import Services
from tools.demo import Report
from tools.postgres import NoPostgres, PostgresServer
from tools.processes import ChildFailed
from tools.stack import AirflowStack

DAGS = Path(__file__).parent / "dags"
PLAIN, MAPPED, STARTED, MANY = "plain", "mapped", "started", "many"
DBT, TIMED, EACH = "dbt", "timed", "each"
# How many sensors that watch many exports each.
SENSORS = 5
# In this order: the windows of this provider's sensors must have begun less than five minutes ago.
TITLES = {
    PLAIN: "a task that does nothing",
    MAPPED: "this provider's, mapped",
    STARTED: "  started in the triggerer",
    MANY: "  one for all exports",
    DBT: "dbt Cloud's sensor, mapped",
    TIMED: "Airflow's, in the triggerer",
    EACH: "plain tasks of their own",
}


def measure(
    stages: list[str], *, exports: int, wait: float, interval: float, keep_home: bool
) -> dict[str, Cost]:
    report = Report()
    with ExitStack() as stage:
        folder = Path(stage.enter_context(tempfile.TemporaryDirectory(prefix="aep-whole-")))
        database = stage.enter_context(PostgresServer())
        services = stage.enter_context(Services(make_certificate(folder)))
        since = datetime.now(tz=UTC).replace(microsecond=0)
        ticks = {name: services.make_exports(name, exports) for name in (MAPPED, STARTED)}
        ticks[MANY] = services.make_exports(MANY, exports * SENSORS)
        ticks |= {"warm": services.make_exports("warm", 3), DBT: []}
        ours = services.counts()[1]  # what making the exports took
        given = folder / "given.json"
        given.write_text(
            json.dumps(
                {
                    "tasks": exports,
                    "interval": interval,
                    "wait": wait,
                    "since": since.isoformat(),
                    **ticks,
                    "many": [ticks[MANY][at : at + exports] for at in range(0, exports * SENSORS, exports)],
                }
            )
        )
        airflow = stage.enter_context(
            AirflowStack(
                DAGS,
                connections=services.connections,
                database_url=database.url,
                keep_home=keep_home,
                env={
                    "AEP_WHOLE": str(given),
                    "PYTHONPATH": str(environment.CHECKOUT),
                    **trusting(services.certificate),
                    # Airflow's own default, which the stack shortens.
                    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "5",
                    # The files do not change, and are not what is measured.
                    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
                },
            )
        )
        course = Course(airflow, services, database_url=database.url, wait=wait)
        report.say("Airflow is up")
        course.warm(ticks["warm"])
        report.say("It is warm")
        costs = {}
        for name in stages:
            tasks, whole = (SENSORS, exports * SENSORS) if name == MANY else (exports, exports)
            costs[name] = course.measure(f"whole_{name}", tasks=tasks, exports=whole, ticks=ticks.get(name))
            report.say(f"{TITLES[name].strip()}: {costs[name].seconds * 1000:.0f} ms an export")
        if PLAIN in costs and len(costs) > 1:
            # What all others are compared with is measured once more, as it differs from time to time.
            again = course.measure(f"whole_{PLAIN}", tasks=exports, exports=exports, ticks=None)
            report.say(f"{TITLES[PLAIN]}, once more: {again.seconds * 1000:.0f} ms")
            costs[PLAIN] += again
        report.say(f"Tokens in all, those to warm up included: {services.counts()[1] - ours}")
        if keep_home:
            print(f"Airflow's home is kept: {airflow.home}")
    return costs


def table(costs: dict[str, Cost]) -> str:
    plain = costs[PLAIN].seconds if PLAIN in costs else None
    kinds = list(next(iter(costs.values())).cpu)
    lines = [
        f"{'of an export':<28}{'plain tasks':>12}{'CPU ms':>9}"
        + "".join(f"{kind:>15}" for kind in kinds)
        + f"{'requests':>10}{'tokens':>8}{'calls':>8}"
    ]
    for name, cost in costs.items():
        ratio, number = f"{cost.seconds / plain:.2f}" if plain else "-", cost.exports
        lines.append(
            f"{TITLES[name]:<28}{ratio:>12}{cost.seconds * 1000:>9.0f}"
            + "".join(f"{cost.cpu[kind] * 1000 / number:>15.0f}" for kind in kinds)
            + f"{cost.requests / number:>10.2f}{cost.tokens:>8}{cost.calls.total() / number:>8.1f}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.whole", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--exports", type=int, default=60, help="(default: %(default)s)")
    parser.add_argument("--wait", type=float, default=60, help="seconds (default: %(default)s)")
    parser.add_argument("--interval", type=float, default=10, help="seconds (default: %(default)s)")
    parser.add_argument("--only", choices=TITLES, action="append", help="may be given several times")
    parser.add_argument("--calls", action="store_true", help="list the calls to Airflow's API server")
    parser.add_argument(
        "--keep-home", action="store_true", help="leave Airflow's home, with its logs, behind"
    )
    given = parser.parse_args()
    if find_spec("airflow.providers.dbt") is None and (peers := environment.find()):
        os.chdir(environment.CHECKOUT)
        os.execv(peers, [str(peers), "-m", "benchmarks.whole", *sys.argv[1:]])  # noqa: S606
    if find_spec("airflow.sdk") is None:
        sys.exit("This needs Airflow 3.3.")
    stages = [name for name in TITLES if name in (given.only or TITLES)]
    if DBT in stages and find_spec("airflow.providers.dbt") is None:
        stages.remove(DBT)
        print("dbt Cloud's sensor is left out: `python -m benchmarks.monitor --peers install` gets it.")
    try:
        costs = measure(
            stages,
            exports=given.exports,
            wait=given.wait,
            interval=given.interval,
            keep_home=given.keep_home,
        )
    except (ChildFailed, NoPostgres, TooSlow) as error:
        sys.exit(f"Nothing was measured: {error}")
    print(f"\n{given.exports} exports\n\n{table(costs)}")
    if given.calls:
        for name, cost in costs.items():
            print(f"\n{TITLES[name].strip()}")
            for call, count in cost.calls.most_common():
                print(f"  {count / cost.exports:8.2f}  {call}")


if __name__ == "__main__":
    main()
