"""What it costs to have 200 exports, and what trouble does to them: ``python -m benchmarks.ensuring``.

Three ways, and a variant of one: this provider's ``ensure_exports``; the plain loop over a
``requests.Session`` that one writes after Adobe's tutorial (look for the dataflow by name, else four POSTs);
the same loop with one listing of a sandbox in place of the look-ups; and the plain loop with ``aepp``,
Adobe's Python client. Name a Python that has it with ``--aepp /path/to/python``, or let ``--aepp install``
make an environment for it and remove it afterwards; otherwise it is not measured.

Each runs as a program of its own against an emulator of its own (a third process, real HTTP on loopback),
first where nothing exists, then again, with nothing to change. Rounds go through the rivals in turn,
forwards and backwards. The emulator counts requests, and answers each after 50 ms, without TLS; CPU is that
of the client's process alone.

How to read it:

* Ratios come first; 1.00 is the plain loop of the same run. Distrust differences below a tenth.
* *Wall* is mostly waiting for responses. This provider creates several exports at a time, the loops one.
* *CPU* is the work without the start. ``start`` is the interpreter and all imports; a task pays both.
* They do not promise the same. A loop is content when a dataflow has the name. This provider compares
  datasets, place and schedule, so it reads all four kinds of entities, also where nothing changed.

The second part is 20 exports in trouble, tried up to three times, as a task with retries would: the service
answers 429 for five seconds, with ``Retry-After`` or without, and a retry comes when that is over; or the
response to every 19th POST is lost (four POSTs make an export, and each kind is hit).
``missing`` are exports without a dataflow in the end, ``twins`` entities that share kind and name with
another. ``wall`` is the work of all tries, without the pauses between them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.emulator.service import LOGIN_PATH
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.listing import list_entities
from airflow_provider_aep.flowservice.session import AepCredentials, AepSession
from airflow_provider_aep.flowservice.transport import RequestsTransport
from benchmarks.rivals.job import Export, Job
from tools.emulator_process import EmulatorProcess
from tools.processes import clean_environment

CHECKOUT = Path(__file__).resolve().parent.parent
AEPP = "aepp==0.6.0"
SANDBOXES = ("prod", "dev")
MONTH = 30 * 86_400
FOR_EVER = 1_000_000
CHILD_SECONDS = 1800

OURS, PLAIN, LISTING, ADOBE = "this provider", "plain loop", "  with one listing", "loop with aepp"
FIGURES = ("requests", "cpu", "wall")
TROUBLED = 20
# Five for each export of the plain loop, so that trouble begins in the middle of one, as it mostly would.
CALM_REQUESTS = 23
BUSY_SECONDS = 5
RETRY_AFTER = 6  # a truthful one: by then it is over
TRIES = 3

Rivals = dict[str, list[str]]
Figures = dict[str, Any]


class Service:
    """An emulator, through its levers and its API."""

    def __init__(self, url: str) -> None:
        self.url, self.defaults = url, Emulator(sandboxes=SANDBOXES)

    def job(self, exports: int, sandboxes: Sequence[str] = SANDBOXES) -> Job:
        # In the future, so that the emulator has no runs to count meanwhile.
        start = int(time.time()) + MONTH
        return Job(
            url=self.url,
            login_url=self.url + LOGIN_PATH,
            org_id=self.defaults.org_id,
            client_id=self.defaults.client_id,
            client_secret=self.defaults.client_secret,
            start=start,
            end=start + 6 * MONTH,
            exports=tuple(
                Export(sandbox=sandbox, name=f"export-{number:03}", dataset_id=dataset_id)
                for sandbox in sandboxes
                for dataset_id in [self.defaults.datasets(sandbox)[0].id]
                for number in range(exports // len(sandboxes))
            ),
        )

    def order(self, **fault: Any) -> None:
        requests.post(f"{self.url}/emulator/faults", json=fault, timeout=10).raise_for_status()

    def calm(self) -> None:
        requests.delete(f"{self.url}/emulator/faults", timeout=10).raise_for_status()

    def count_requests(self) -> int:
        return len(requests.get(f"{self.url}/emulator/log", timeout=10).json()["items"])

    def forget_requests(self) -> None:
        requests.delete(f"{self.url}/emulator/log", timeout=10).raise_for_status()

    def names(self, kind: str) -> list[tuple[str, str]]:
        """Sandbox and name of each entity of a kind."""
        credentials = AepCredentials(
            client_id=self.defaults.client_id,
            client_secret=self.defaults.client_secret,
            org_id=self.defaults.org_id,
            token_url=self.url + LOGIN_PATH,
        )
        session, transport = AepSession(credentials), RequestsTransport(self.url)
        return [
            (sandbox, str(entity["name"]))
            for sandbox in SANDBOXES
            for entity in drive(session.conduct(list_entities(f"/{kind}"), sandbox=sandbox), transport)
        ]


@contextmanager
def fresh_service() -> Iterator[Service]:
    with (
        tempfile.TemporaryDirectory(prefix="aep-benchmark-") as folder,
        EmulatorProcess(Path(folder)) as process,
    ):
        yield Service(process.url)


class NotMeasured(Exception):
    """A rival cannot run here; the message says why."""


def perform(command: Sequence[str], job: Job) -> Figures:
    """Have a rival do a job, in a process of its own."""
    done = subprocess.run(
        command,
        input=job.to_json(),
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        env=clean_environment(),
        timeout=CHILD_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise NotMeasured((done.stderr.strip().splitlines() or ["it ended without a word"])[-1])
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


# 1. What it costs


def measure(command: Sequence[str], *, exports: int, latency: float) -> list[Figures]:
    """All new, and again."""
    with fresh_service() as service:
        job = service.job(exports)
        service.order(kind="stall", seconds=latency, times=FOR_EVER)
        measured = []
        for _ in ("all new", "again"):
            service.forget_requests()
            figures = perform(command, job)
            if figures["failed"]:
                raise NotMeasured(f"{len(figures['failed'])} exports failed: {figures['failed'][0]}")
            measured.append({**figures, "requests": service.count_requests()})
        made = Counter(service.names("flows"))
        if made != Counter((export.sandbox, export.name) for export in job.exports):
            raise NotMeasured(f"{made.total()} dataflows are there, {exports} were wanted, each once")
        return measured


def compare(rivals: Rivals, *, exports: int, latency: float, rounds: int) -> dict[str, list[Figures]]:
    """The medians of each rival, all new and again."""
    taken: dict[str, list[list[Figures]]] = {name: [] for name in rivals}
    for number in range(rounds):
        for name in list(taken)[:: -1 if number % 2 else 1]:
            print(f"  round {number + 1} of {rounds}: {name.strip()} ...", file=sys.stderr, flush=True)
            try:
                taken[name].append(measure(rivals[name], exports=exports, latency=latency))
            except NotMeasured as reason:
                print(f"{name.strip()}: not measured: {reason}")
                del taken[name]
    return {
        name: [
            {
                figure: statistics.median(each[phase][figure] for each in times)
                for figure in (*FIGURES, "start_cpu")
            }
            for phase in (0, 1)
        ]
        for name, times in taken.items()
    }


def print_costs(medians: dict[str, list[Figures]]) -> None:
    if PLAIN not in medians:
        raise SystemExit("There is nothing to compare with.")
    plain = medians[PLAIN]
    print(f"\n{'':<22}{'all new':^27}   {'again, nothing to change':^27}")
    print(f"{'times the plain loop':<22}" + "   ".join([f"{'requests':>9}{'CPU':>9}{'wall':>9}"] * 2))
    for name, phases in medians.items():
        cells = [
            "".join(f"{one[figure] / base[figure]:9.2f}" for figure in FIGURES)
            for one, base in zip(phases, plain, strict=True)
        ]
        print(f"{name:<22}" + "   ".join(cells))
    print(
        f"\n{'absolute':<22}"
        + "   ".join([f"{'requests':>9}{'CPU s':>9}{'wall s':>9}"] * 2)
        + "  start, CPU s"
    )
    for name, phases in medians.items():
        cells = [f"{one['requests']:9.0f}{one['cpu']:9.2f}{one['wall']:9.1f}" for one in phases]
        print(f"{name:<22}" + "   ".join(cells) + f"{phases[0]['start_cpu']:14.2f}")


# 2. What trouble does


# Orders trouble; gives a thread that lives as long as the trouble, where that ends by itself.
Trouble = Callable[[Service], threading.Thread | None]


def lose_answers(service: Service) -> None:
    for _ in range(100):
        service.order(kind="stall", seconds=0, times=18, match="POST /")
        service.order(kind="lose", match="POST /")


def be_busy(**retry_after: float) -> Trouble:
    def trouble(service: Service) -> threading.Thread:
        service.order(kind="stall", seconds=0, times=CALM_REQUESTS)
        service.order(kind="fail", status=429, times=FOR_EVER, **retry_after)

        def end_it() -> None:
            with suppress(requests.RequestException):  # the rival could not run, and the emulator is gone
                # From the first refusal on: the login, the calm requests, and one more.
                while service.count_requests() < CALM_REQUESTS + 2:
                    time.sleep(0.02)
                time.sleep(BUSY_SECONDS)
                service.calm()

        ending = threading.Thread(target=end_it, daemon=True)
        ending.start()
        return ending

    return trouble


TROUBLES: dict[str, Trouble] = {
    f"429 for {BUSY_SECONDS} s, Retry-After: {RETRY_AFTER}": be_busy(retry_after=RETRY_AFTER),
    f"429 for {BUSY_SECONDS} s, no Retry-After": be_busy(),
    "every 19th POST's answer lost": lose_answers,
}


def endure(command: Sequence[str], trouble: Trouble) -> Figures:
    with fresh_service() as service:
        job = service.job(TROUBLED, SANDBOXES[:1])
        busy = trouble(service)
        tries = [perform(command, job)]
        while tries[-1]["failed"] and len(tries) < TRIES:
            if busy:
                busy.join()
            tries.append(perform(command, job))
        service.calm()
        kinds = ("flows", "connections", "sourceConnections", "targetConnections")
        there = {kind: Counter(service.names(kind)) for kind in kinds}
        twins = {kind: names.total() - len(names) for kind, names in there.items()}
        return {
            "failed": len(tries[0]["failed"]),
            "tries": len(tries),
            "missing": TROUBLED - len(there["flows"]),
            "twin_flows": twins.pop("flows"),
            "twin_connections": sum(twins.values()),
            "wall": sum(each["wall"] for each in tries),
        }


def print_troubles(rivals: Rivals) -> None:
    for name, trouble in TROUBLES.items():
        print(
            f"\n{name}\n{'':<22}failed at first   tries   missing   twin dataflows   twin connections    wall"
        )
        for rival, command in rivals.items():
            try:
                seen = endure(command, trouble)
            except NotMeasured as reason:
                print(f"{rival:<22}not measured: {reason}")
                continue
            print(
                f"{rival:<22}{seen['failed']:>15}{seen['tries']:>8}{seen['missing']:>10}"
                f"{seen['twin_flows']:>17}{seen['twin_connections']:>19}{seen['wall']:>6.1f} s"
            )


@contextmanager
def aepp_python(given: str | None) -> Iterator[str | None]:
    if given != "install":
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="aep-benchmark-aepp-") as folder:
        python = str(Path(folder) / "bin" / "python")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-qq", AEPP], check=True)
        yield python


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ensuring")
    parser.add_argument("--exports", type=int, default=200, help="an even number (default: %(default)s)")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--aepp", help=f"a Python that has {AEPP}, or 'install'")
    parser.add_argument("--only", choices=["costs", "troubles"])
    given = parser.parse_args()
    with aepp_python(given.aepp) as python:
        rivals: Rivals = {
            OURS: [sys.executable, "-m", "benchmarks.rivals.ours"],
            PLAIN: [sys.executable, "-m", "benchmarks.rivals.plain"],
            LISTING: [sys.executable, "-m", "benchmarks.rivals.plain", "--listing"],
        }
        if python is None:
            print("loop with aepp: not measured: name a Python that has it with --aepp, or --aepp install")
        else:
            rivals[ADOBE] = [python, "-m", "benchmarks.rivals.adobe"]
        if given.only != "troubles":
            print(
                f"{given.exports} exports in {len(SANDBOXES)} sandboxes, answers after "
                f"{given.latency * 1000:.0f} ms, medians of {given.rounds} rounds"
            )
            print_costs(compare(rivals, exports=given.exports, latency=given.latency, rounds=given.rounds))
        if given.only != "costs":
            del rivals[LISTING]  # it looks once and is no different otherwise
            print(f"\n{TROUBLED} exports in trouble, up to {TRIES} tries")
            print_troubles(rivals)


if __name__ == "__main__":
    main()
