"""``python -m airflow_provider_aep.emulator``: a local Experience Platform to point Airflow at."""

from __future__ import annotations

import argparse
import errno
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from airflow_provider_aep.emulator.server import airflow_connection, serve
from airflow_provider_aep.emulator.service import Emulator

# How often exports are written when nobody asks anything, in seconds.
HEARTBEAT = 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        emulator = Emulator(
            root=given.root,
            hour=given.hour_seconds,
            seed=given.seed,
            run_seconds=given.run_seconds,
            token_seconds=given.token_seconds,
            sandboxes=given.sandboxes.split(","),
            page_size=given.page_size,
            bare_entities=given.bare_entities,
            run_per_dataset=given.run_per_dataset,
            reject_uncompressed_json=given.reject_uncompressed_json,
        )
    except ImportError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with serve(emulator, given.port) as url:
            _announce(emulator, url, given)
            while not stop.wait(HEARTBEAT):
                emulator.tick()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        sys.stderr.write(f"Port {given.port} is taken. Choose another with --port, or --port 0 for any.\n")
        return 1
    return 0


def _announce(emulator: Emulator, url: str, given: argparse.Namespace) -> None:
    every = 3 * given.hour_seconds
    lines = [
        f"Adobe Experience Platform (emulated) at {url}",
        f"  a 3-hourly export ticks every {every:g} seconds",
        f"  exported files: {given.root.resolve() if given.root else 'none; choose a folder with --root'}",
        f"  levers for demos: {url}/emulator",
        "",
        "The Airflow connection:",
        f"export AIRFLOW_CONN_AEP_DEFAULT='{airflow_connection(emulator, url)}'",
        "",
        "Datasets:",
        *(f"  {dataset.id}  {dataset.name} ({dataset.rows} rows)" for dataset in emulator.datasets()),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    if given.ready_file:
        # Renamed into place, so that a launcher never reads half a line.
        growing = given.ready_file.with_name(given.ready_file.name + ".growing")
        growing.write_text(url + "\n", encoding="utf-8")
        growing.replace(given.ready_file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_aep.emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=8088, help="0 for any free one (default: %(default)s)")
    parser.add_argument("--root", type=Path, help="folder for exported files; without it none are written")
    parser.add_argument(
        "--hour-seconds", type=float, default=3600.0, help="how long an hour of a schedule lasts"
    )
    parser.add_argument("--run-seconds", type=float, help="how long a run is in progress")
    parser.add_argument("--token-seconds", type=float, default=86399, help="how long a token is valid")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--sandboxes", default="prod,dev", help="comma list (default: %(default)s)")
    parser.add_argument("--page-size", type=int, default=20)
    parser.add_argument("--ready-file", type=Path, help="receives the URL once the server listens")
    for switch in ("--bare-entities", "--run-per-dataset", "--reject-uncompressed-json"):
        parser.add_argument(switch, action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main())
