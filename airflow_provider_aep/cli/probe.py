"""``aep probe``: check the assumptions about the service against a real sandbox."""

from __future__ import annotations

import signal
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_aep import __version__
from airflow_provider_aep.cli.output import Output, one_line, say
from airflow_provider_aep.errors import AepConfigError, AepError
from airflow_provider_aep.flowservice.connections import live_login
from airflow_provider_aep.flowservice.datasets import list_datasets
from airflow_provider_aep.flowservice.destinations import get_destination
from airflow_provider_aep.probe.carrying_out import Ending, carry_out, check_may_write
from airflow_provider_aep.probe.export import ProbeExport
from airflow_provider_aep.probe.report import COULD_NOT_RUN, examine, exit_code, lines_of, summary, to_json
from airflow_provider_aep.probe.words import words_of

if TYPE_CHECKING:
    from airflow_provider_aep.hooks import AepHook


def probe(arguments: Namespace, hook: AepHook, output: Output) -> int:
    """:raises AepError: the probe could not begin."""
    if arguments.confirm_sandbox is not None and not arguments.write:
        raise AepConfigError("--confirm-sandbox goes with --write; without it nothing is written")
    ending = _write(arguments, hook) if arguments.write else Ending()
    if ending.trouble is not None:
        raise ending.trouble
    results = hook.run(examine(hook.sandbox, clock=_now, written=ending.written))
    output.document(to_json(results, version=__version__, wrote=arguments.write))
    for result in results:
        for line in lines_of(result):
            output.line(line, word=result.seen.level)
    sums = summary(results)
    output.line()
    output.line(
        f"{sums['as assumed']} as assumed, {sums['differs']} differ and are harmless, {sums['error']} error, "
        f"{sums['not told']} not told"
    )
    return COULD_NOT_RUN if ending.left else exit_code(results)


def _write(arguments: Namespace, hook: AepHook) -> Ending:
    hook.run(check_may_write(hook.sandbox, arguments.confirm_sandbox))
    destination = get_destination(arguments.destination)
    held = hook.destination_login(destination, arguments.credentials_conn_id)
    login = hook.run(live_login(destination, held)) if held is not None else None
    datasets = hook.run(list_datasets())
    if not datasets:
        raise AepConfigError("--write needs a dataset that can be exported, and the sandbox has none")
    export = ProbeExport(
        destination=destination,
        dataset={"id": datasets[0].id, "name": datasets[0].name},
        clock=_now,
        login=login,
        target_params=dict(map(_param, arguments.target_param or ())),
    )
    with _terminable():
        ending = carry_out(hook.run, export, say=_say)
    if ending.earlier:
        _say(f"removed {ending.earlier} entities that an earlier probe had left")
    for entity in ending.left:
        _say(f"left behind: {entity}")
    if ending.left:
        _say("or remove them by running aep probe --write once more")
    return ending


def tell_failure(error: Exception, output: Output) -> int:
    _say(one_line(error))
    # Standard output must hold only what may be shown to others.
    message = words_of(error) if isinstance(error, AepError) else f"ended with {type(error).__name__}"
    output.document({"error": message})
    return COULD_NOT_RUN


def _say(text: str) -> None:
    say(f"aep: {text}")


def _now() -> datetime:
    return datetime.now(tz=UTC)


def _param(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise AepConfigError("--target-param takes NAME=VALUE, as in bucketName=acme-exports")
    return name.strip(), value


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM act like Ctrl-C: what was created is removed first."""

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    try:
        before: Any = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread, which alone receives signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
