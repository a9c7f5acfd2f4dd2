"""``aep alert test``: send a test alert through the channels of a DAG file, or of the command line."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_aep.cli.output import Output, say
from airflow_provider_aep.errors import AepConfigError
from airflow_provider_aep.flowservice.validation import nearest
from airflow_provider_aep.monitoring.alert_messages import Message
from airflow_provider_aep.monitoring.alerts import STATUSES, Alert

if TYPE_CHECKING:
    from airflow_provider_aep.notifications import AepRunNotifier
    from airflow_provider_aep.notifications.channels import Channel

CALLBACKS = (
    "on_failure_callback",
    "on_success_callback",
    "on_skipped_callback",
    "on_retry_callback",
)


def alert(arguments: Namespace, output: Output) -> int:
    """Send one alert through each channel and print the results; 1 if one failed.

    :raises AepConfigError: there is no channel to test.
    """
    from airflow_provider_aep.notifications.channels import LogChannel
    from airflow_provider_aep.notifications.delivery import deliver

    if arguments.status not in STATUSES:
        close = nearest(arguments.status, STATUSES)
        raise AepConfigError(f"--status must be one of {', '.join(STATUSES)}{close}")
    channels, functions = _channels(arguments)
    message = _test_message(arguments.status)
    logs = [channel for channel in channels if isinstance(channel, LogChannel)]
    others = [channel for channel in channels if not isinstance(channel, LogChannel)]
    results = [
        {"channel": outcome.label, **_result(outcome.error, outcome.attempts)}
        for outcome in deliver(others, [message])
    ]
    results += [{"channel": "log", **_result(None, 1)} for _ in logs]
    for channel in logs:
        channel.write(message, _StandardError())
    output.document({"status": arguments.status, "channels": results, "not_called": functions})
    for result in results:
        came = "sent" if result["sent"] else result["error"]
        output.line(
            f"{'ok' if result['sent'] else 'failed'}  {result['channel']}: {came}",
            word="ok" if result["sent"] else "failed",
        )
    if functions:
        output.line(f"not called: {functions} send functions of the DAG file's own")
    return 1 if any(not result["sent"] for result in results) else 0


def notifiers_of(path: str) -> list[AepRunNotifier]:
    """The notifiers of a DAG file: in the callbacks and default_args of its DAGs, tasks and deadlines.

    :raises AepConfigError: the file cannot be read or run.
    """
    from airflow_provider_aep.notifications import AepRunNotifier

    notifiers: dict[int, AepRunNotifier] = {}
    for callback in _callbacks(_dags(path)):
        if isinstance(callback, AepRunNotifier):
            notifiers.setdefault(id(callback), callback)
        elif str(getattr(callback, "path", "")).endswith(f".{AepRunNotifier.__name__}"):
            # For a deadline, Airflow keeps only the name of the class and its arguments.
            notifiers.setdefault(id(callback), AepRunNotifier(**callback.kwargs))
    return list(notifiers.values())


def _channels(arguments: Namespace) -> tuple[list[Channel], int]:
    """Each channel once, and the number of ``send`` functions, which are not channels."""
    from airflow_provider_aep.notifications.channels import parse_channels

    given = [_parsed(text) for text in arguments.channel or ()]
    if bool(given) == bool(arguments.dag_file):
        raise AepConfigError("name a DAG file with --dag-file, or channels with --channel, and not both")
    if given:
        return list(parse_channels(given)), 0
    notifiers = notifiers_of(arguments.dag_file)
    if not notifiers:
        raise AepConfigError(
            f"{arguments.dag_file} has no AepRunNotifier in a callback of a DAG, a task or a deadline"
        )
    channels: dict[tuple[object, ...], Channel] = {}
    for notifier in notifiers:
        for channel in notifier.channels:
            channels.setdefault(channel.target, channel)
    return list(channels.values()), sum(notifier.send is not None for notifier in notifiers)


def _parsed(text: str) -> Mapping[str, Any] | str:
    """A channel from the command line: JSON, a word, or ``slack:CONN_ID``."""
    if text.lstrip().startswith("{"):
        try:
            parsed: Mapping[str, Any] = json.loads(text)
        except ValueError:
            raise AepConfigError(
                '--channel takes JSON such as {"type": "email", "to": "a@acme.example"}, or KIND:CONN_ID'
            ) from None
        return parsed
    kind, colon, conn_id = text.partition(":")
    fields = {"slack": "slack_webhook_conn_id", "webhook": "http_conn_id", "teams": "http_conn_id"}
    if not colon:
        return text
    if kind not in fields:
        raise AepConfigError(
            f"KIND:CONN_ID is for {', '.join(fields)}{nearest(kind, fields)}; give any other channel as JSON"
        )
    return {"type": kind, fields[kind]: conn_id}


def _dags(path: str) -> list[Any]:
    """The DAGs of a file as Airflow finds them, including those that are not assigned to a variable."""
    if not Path(path).is_file():
        raise AepConfigError(f"{path} is no file")
    if not _comes_back(path):
        raise AepConfigError(f"{path} cannot be run as a DAG file: it ends the process that reads it")
    bag = _read(path)
    if bag.import_errors:
        # Only the class of the error: its message comes from the file, and may quote anything.
        last = str(next(iter(bag.import_errors.values()))).strip().splitlines()[-1]
        raise AepConfigError(f"{path} cannot be run as a DAG file: {last.partition(':')[0]}")
    if not bag.dags:
        raise AepConfigError(f"{path} holds no DAG")
    return list(bag.dags.values())


def _comes_back(path: str) -> bool:
    """Whether a child process survives reading a DAG file.

    Otherwise a file that calls ``os._exit(0)`` would end the test as if all alerts had been sent.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            with suppress(Exception):
                _read(path)
            os.write(writing, b"back")
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        came_back = pipe.read(4) == b"back"
    os.waitpid(child, 0)
    return came_back


def _read(path: str) -> Any:
    """The ``DagBag`` of a DAG file, filled as Airflow's DAG processor does."""
    from airflow_provider_aep._airflow import AIRFLOW_VERSION, DagBag

    no_examples: dict[str, Any] = {"include_examples": False} if AIRFLOW_VERSION < (3, 3) else {}
    try:
        return DagBag(path, safe_mode=False, **no_examples)
    except SystemExit:
        # Airflow 2 lets it pass, which would end the test as if all alerts had been sent.
        raise AepConfigError(f"{path} cannot be run as a DAG file: SystemExit") from None


def _callbacks(dags: Iterable[Any]) -> Iterator[Any]:
    for dag in dags:
        for holder in (dag, *dag.task_dict.values()):
            # A mapped operator keeps its callbacks among its other arguments.
            places: list[Any] = [
                getattr(holder, "partial_kwargs", None),
                getattr(holder, "default_args", None),
            ]
            for name in CALLBACKS:
                yield from _listed(getattr(holder, name, None))
                for place in places:
                    if isinstance(place, Mapping):
                        yield from _listed(place.get(name))
        for deadline in _listed(getattr(dag, "deadline", None)):
            yield getattr(deadline, "callback", None)


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else () if value is None else (value,)


def _test_message(status: str) -> Message:
    now = datetime.now(tz=UTC)
    reason = f"nothing is wrong; aep alert test sent this at {now:%Y-%m-%d %H:%M:%S} UTC"
    verdict = {
        "reason": reason,
        "outcome": "ok" if status == "success" else "warn",
        "dataflow_name": "TEST",
        "sandbox": "TEST",
    }
    text = f"TEST of an alert of status {status}, please ignore: {reason}"
    return Message(sandbox="TEST", alerts=(Alert.from_verdict(verdict, status=status, text=text),))


def _result(error: str | None, attempts: int) -> dict[str, Any]:
    return {"sent": error is None, "error": error, "attempts": attempts}


class _StandardError:
    """A logger for a shell: writes to standard error."""

    def error(self, template: str, *words: object) -> None:
        say(f"aep: {template % words}")

    info = error
