"""``python -m airflow_provider_aep.emulator``: a local Experience Platform to point Airflow at."""

from __future__ import annotations

import argparse
import errno
import math
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from airflow_provider_aep.emulator.bounds import HOUR, PAGE, PORT, SPAN, TOKEN, Bounds
from airflow_provider_aep.emulator.server import airflow_connection, serve
from airflow_provider_aep.emulator.service import Emulator, check_sandboxes
from airflow_provider_aep.emulator.state import StateFile
from airflow_provider_aep.emulator.worlds import worlds_of

# How often exports are written while no requests arrive, in seconds.
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
            sandboxes=given.sandboxes,
            page_size=given.page_size,
            bare_entities=given.bare_entities,
            run_per_dataset=given.run_per_dataset,
            reject_uncompressed_json=given.reject_uncompressed_json,
            worlds=given.worlds or (),
            any_cadence=given.any_cadence,
        )
    except ImportError as error:
        return _give_up(str(error), 2)
    except ValueError as error:
        return _give_up(f"--{error}", 2)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as served:
        state = StateFile(given.state, emulator) if given.state else None
        if state is not None:
            try:
                served.enter_context(state.held())
            except (OSError, ValueError) as error:
                trouble = error.strerror if isinstance(error, OSError) else error
                return _give_up(f"--state {given.state} cannot be used: {trouble}.", 2)
        changed = state.save if state else lambda: None
        try:
            url = served.enter_context(
                serve(emulator, given.port, log_requests=given.log_requests, changed=changed)
            )
        except OSError as error:
            trouble = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
            return _give_up(f"Port {given.port} {trouble}. Choose another with --port, or --port 0 for any.")
        _announce(emulator, url, given)
        try:
            _write_ready_file(given.ready_file, url)
        except OSError as error:
            return _give_up(f"Cannot write --ready-file {given.ready_file}: {error.strerror}.")
        while not stop.wait(HEARTBEAT):
            emulator.tick()
            if state is not None:
                state.save_if_changed()
    return 0


def _give_up(why: str, code: int = 1) -> int:
    sys.stderr.write(why + "\n")
    return code


def _announce(emulator: Emulator, url: str, given: argparse.Namespace) -> None:
    every = 3 * given.hour_seconds
    lines = [
        f"Adobe Experience Platform (emulated) at {url}",
        f"  a 3-hourly export ticks every {every:g} seconds",
        f"  exported files: {given.root.resolve() if given.root else 'none; choose a folder with --root'}",
        *([f"  worlds: {', '.join(emulator.worlds)}"] if emulator.worlds else []),
        *([f"  state: {given.state.resolve()}"] if given.state else []),
        f"  levers for demos: {url}/emulator",
        "",
        "The Airflow connection:",
        f"export AIRFLOW_CONN_AEP_DEFAULT='{airflow_connection(emulator, url)}'",
        "",
        "Datasets:",
        *(
            f"  {dataset.id}  {dataset.name} ({dataset.rows} rows)"
            for dataset in emulator.datasets(emulator.sandboxes[0])
        ),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _write_ready_file(ready_file: Path | None, url: str) -> None:
    if ready_file is None:
        return
    # Renamed into place, so that a launcher never reads half a line.
    draft = ready_file.parent / f"{ready_file.name}.growing"
    try:
        draft.write_text(url + "\n", encoding="utf-8")
        draft.replace(ready_file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _number(bounds: Bounds) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = int(text) if bounds.whole else float(text)
        except ValueError:
            number = math.nan
        if number not in bounds:
            raise argparse.ArgumentTypeError(f"must be {bounds}")
        return number

    return read


def _sandboxes(text: str) -> list[str]:
    names = text.split(",")
    try:
        check_sandboxes(names)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("sandboxes ").rstrip(".")) from None
    return names


def _world(name: str) -> str:
    try:
        worlds_of([name])
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("worlds ").rstrip(".")) from None
    return name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_aep.emulator", description=__doc__)
    parser.add_argument(
        "--port", type=_number(PORT), default=8088, help="0 for any free one (default: %(default)s)"
    )
    parser.add_argument("--root", type=Path, help="folder for exported files; without it none are written")
    parser.add_argument(
        "--state", type=Path, help="file that keeps the state over a restart; without it the state is lost"
    )
    parser.add_argument(
        "--log-requests", action="store_true", help="a line on standard error for each request"
    )
    parser.add_argument(
        "--hour-seconds", type=_number(HOUR), default=3600.0, help="how long an hour of a schedule lasts"
    )
    parser.add_argument("--run-seconds", type=_number(SPAN), help="how long a run is in progress")
    parser.add_argument(
        "--token-seconds", type=_number(TOKEN), default=86399, help="how long a token is valid"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--sandboxes", type=_sandboxes, default="prod,dev", help="comma-separated (default: %(default)s)"
    )
    parser.add_argument("--page-size", type=_number(PAGE), default=20)
    parser.add_argument("--ready-file", type=Path, help="receives the URL once the server listens")
    parser.add_argument(
        "--world",
        type=_world,
        action="append",
        dest="worlds",
        metavar="NAME",
        help="enter a named world (repeatable); docs/emulator.md lists them",
    )
    for switch in ("--bare-entities", "--run-per-dataset", "--reject-uncompressed-json", "--any-cadence"):
        parser.add_argument(switch, action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main())
