"""The two entry points of the commands, and what all commands share: errors, streams, exit codes.

Only results go to standard output. Airflow's log lines, warnings and ours go to standard error, whatever
stream they were written to.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from airflow_provider_aep.cli.output import Output, one_line, say
from airflow_provider_aep.cli.parser import parse
from airflow_provider_aep.cli.streams import clean_stdout, drop_unread, open_streams
from airflow_provider_aep.cli.table import COMMANDS, Command, exits_in_words

INTERRUPTED = 130
BY_NAME = {command.name: command for command in COMMANDS}


def main(argv: Sequence[str] | None = None) -> int:
    """The program ``aep``; its exit code."""
    open_streams()
    try:
        arguments = parse(argv)
        return 0 if arguments is None else run(arguments)
    except KeyboardInterrupt:
        say("aep: interrupted")
        return INTERRUPTED
    finally:
        drop_unread()


def get_cli_commands() -> list[Any]:
    """The commands, for Airflow 3.2 and later to add to its own."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

    argument: Any = Arg  # ``Arg`` has no type hints
    subcommands = [
        ActionCommand(
            name=command.name,
            help=command.help,
            description=f"{command.help.capitalize()}. Exit codes: {exits_in_words(command)}",
            func=_from_airflow(command),
            args=[argument(option.flags, option.help, **option.settings) for option in command.options],
        )
        for command in COMMANDS
    ]
    return [
        GroupCommand(
            name="aep", help="Dataset exports from Adobe Experience Platform", subcommands=subcommands
        )
    ]


def run(arguments: argparse.Namespace) -> int:
    """Carry out the command that ``arguments.subcommand`` names; its exit code."""
    command = BY_NAME[arguments.subcommand]
    failed = command.error
    with clean_stdout() as stream, _as_a_server(), _without_noise():
        output = Output(stream, as_json=getattr(arguments, "json", False))
        try:
            _refuse_empty(command, arguments)
            if hasattr(arguments, "conn_id") or hasattr(arguments, "channel"):
                _import_airflow()
            # Imported late, so that help is shown at once.
            from airflow_provider_aep.cli import commands

            # A function cannot be named "import".
            work = getattr(commands, f"{arguments.subcommand}_command")
            code = int(work(arguments, output))
        except KeyboardInterrupt:
            say("aep: interrupted")
            return INTERRUPTED
        except Exception as error:
            message = one_line(error)
            say(f"aep: {message}")
            if output.as_json and not output.printed:
                output.document({"error": message})
            code = failed
        if output.trouble is not None:
            say(f"aep: the results cannot be written: {output.trouble.strerror}")
            return failed
        return code


def _refuse_empty(command: Command, arguments: argparse.Namespace) -> None:
    """Reject empty values, such as of a script's unset variable: an empty filter would select everything.

    :raises AepConfigError: names the option.
    """
    from airflow_provider_aep.errors import AepConfigError

    for option in command.options:
        value = getattr(arguments, option.flags[0].lstrip("-").replace("-", "_"), None)
        given = value if isinstance(value, list) else [value]
        if any(isinstance(item, str) and not item.strip() for item in given):
            name = option.flags[0] if option.flags[0].startswith("-") else option.settings["metavar"]
            raise AepConfigError(f"{name} must not be empty")


def _from_airflow(command: Command) -> Callable[[argparse.Namespace], None]:
    def carry_out(arguments: argparse.Namespace) -> None:
        arguments.subcommand = command.name
        sys.exit(run(arguments))

    carry_out.__name__ = command.name
    return carry_out


@contextmanager
def _as_a_server() -> Iterator[None]:
    """Let Airflow 3 read connections from its database too, as its own ``airflow connections get`` does.

    Without this, a process that is not a task sees only those of the environment and of secrets backends.
    """
    name = "_AIRFLOW_PROCESS_CONTEXT"
    before = os.environ.get(name)
    os.environ.setdefault(name, "server")
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)


@contextmanager
def _without_noise() -> Iterator[None]:
    """Hide what Airflow logs about itself."""
    before = logging.root.manager.disable
    # Some secrets backends log a traceback for a missing connection; we print one line.
    logging.disable(max(before, logging.ERROR))
    try:
        with warnings.catch_warnings():
            yield
    finally:
        logging.disable(before)


def _import_airflow() -> None:
    """Import Airflow, which is slow, and silence its deprecation warnings."""
    warnings.simplefilter("ignore", DeprecationWarning)
    import airflow.settings  # noqa: F401

    # The import has set warning filters of its own.
    warnings.simplefilter("ignore", DeprecationWarning)
