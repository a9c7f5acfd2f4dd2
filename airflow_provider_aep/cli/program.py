"""Two doors to the same commands, and what holds for each of them: errors, streams, exit codes.

Only results go to standard output. Airflow's log lines, warnings and ours go to standard error, whatever
stream they were meant for.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, NoReturn, TextIO

from airflow_provider_aep.cli.table import COMMANDS, Command

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """The program ``aep``; its exit code."""
    return run(_parser().parse_args(argv))


def get_cli_commands() -> list[Any]:
    """The commands as Airflow 3.2 and later adds them to its own."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

    argument: Any = Arg  # which has no types
    subcommands = [
        ActionCommand(
            name=command.name,
            help=command.help,
            description=f"{command.help.capitalize()}. Exit codes: {command.exits}",
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
    from airflow_provider_aep.cli.output import Output, one_line

    with _clean_stdout() as stream, _as_a_server(), _without_noise():
        output = Output(stream, as_json=arguments.json)
        try:
            if hasattr(arguments, "conn_id") or hasattr(arguments, "channel"):
                _import_airflow()
            # Imported late, so that help is there at once.
            from airflow_provider_aep.cli import commands

            # "import" is no name that a function can have.
            work = getattr(commands, f"{arguments.subcommand}_command")
            return int(work(arguments, output))
        except KeyboardInterrupt:
            sys.stderr.write("aep: interrupted\n")
            return INTERRUPTED
        except Exception as error:
            told = one_line(error)
            sys.stderr.write(f"aep: {told}\n")
            if arguments.json and not output.printed:
                output.document({"error": told})
            return 1


def _from_airflow(command: Command) -> Callable[[argparse.Namespace], None]:
    def carry_out(arguments: argparse.Namespace) -> None:
        arguments.subcommand = command.name
        sys.exit(run(arguments))

    carry_out.__name__ = command.name
    return carry_out


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        # Not argparse's 2, which a plan ends with that would change something.
        self.exit(1, f"aep: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="aep", description="Dataset exports from Adobe Experience Platform.")
    commands = parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
    for command in COMMANDS:
        one = commands.add_parser(
            command.name,
            help=command.help,
            description=f"{command.help.capitalize()}.",
            epilog=f"Exit codes: {command.exits}",
        )
        for option in command.options:
            one.add_argument(*option.flags, help=option.help, **option.settings)
    return parser


@contextmanager
def _clean_stdout() -> Iterator[TextIO]:
    """Standard output for results; whatever else writes to it meanwhile lands on standard error.

    Loggers keep the stream that they were made with, so the file descriptor is turned aside too.
    """
    given = sys.stdout
    try:
        descriptor = given.fileno()
        told = sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):  # not a real stream: a test's, or a closed one
        descriptor = told = -1
    if descriptor != 1:
        with redirect_stdout(sys.stderr):
            yield given
        return
    given.flush()
    kept = os.dup(descriptor)
    os.dup2(told, descriptor)
    # A name with letters that the terminal has no code for is no reason to fail.
    stream = os.fdopen(kept, "w", encoding=given.encoding, errors="backslashreplace")
    try:
        with redirect_stdout(sys.stderr):
            yield stream
    finally:
        given.flush()
        os.dup2(kept, descriptor)
        # What is left in the buffer of a pipe that nobody reads any more cannot be written.
        with suppress(OSError):
            stream.close()


@contextmanager
def _as_a_server() -> Iterator[None]:
    """Let Airflow 3 find connections in its database too, as its own ``airflow connections get`` does.

    Without this, a process that is no task sees those of the environment and of secrets backends alone.
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
    """Keep what Airflow logs about itself from the screen."""
    before = logging.root.manager.disable
    # A connection that is not found is told with a traceback by some, and by ours in one line.
    logging.disable(max(before, logging.ERROR))
    try:
        with warnings.catch_warnings():
            yield
    finally:
        logging.disable(before)


def _import_airflow() -> None:
    """Import Airflow, which is the slow part, and silence what it says about its own future."""
    warnings.simplefilter("ignore", DeprecationWarning)
    import airflow.settings  # noqa: F401

    # It has set filters of its own meanwhile.
    warnings.simplefilter("ignore", DeprecationWarning)
