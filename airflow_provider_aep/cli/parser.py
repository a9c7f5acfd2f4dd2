"""The parser of ``aep``, and its messages about unknown arguments.

Options cannot be abbreviated: an abbreviation in a script may mean another option tomorrow.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from airflow_provider_aep import __version__
from airflow_provider_aep.cli.output import say
from airflow_provider_aep.cli.table import COMMANDS, exits_in_words
from airflow_provider_aep.flowservice.validation import nearest

WRONG_USAGE = 1  # not argparse's 2, with which a plan that would change something ends


class Parser(argparse.ArgumentParser):
    """The parser of the program, or of one command."""

    def __init__(self, **given: Any) -> None:
        super().__init__(allow_abbrev=False, **given)
        self.commands: dict[str, Parser] = {}

    def error(self, message: str) -> NoReturn:
        say(self.format_usage().rstrip())
        say(f"aep: {message}")
        self.exit(WRONG_USAGE)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        rule = f"must be one of {', '.join(known)}{nearest(value, known)}"
        raise argparse.ArgumentError(action, f"{value!r} {rule}")

    def check_start(self, argv: Sequence[str]) -> None:
        """Exit with an error if the options of a command stand before it."""
        flag = argv[0].partition("=")[0] if argv else ""
        if not flag.startswith("-") or flag in self._option_string_actions:
            return
        if any(flag in command._option_string_actions for command in self.commands.values()):
            self.error(f"{flag} must come after a command: aep COMMAND {flag}")
        self.refuse(argv[:1])

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Exit with an error about arguments that are unknown."""
        known = [flag for action in self._actions for flag in action.option_strings]
        first = unknown[0].partition("=")[0]
        self.error(f"unknown argument: {' '.join(unknown)}{nearest(first, known)}")


class _Version(argparse.Action):
    """Like argparse's own, but looks the versions up only when they are printed."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        parser._print_message(f"{versions()}\n", sys.stdout)
        parser.exit()


def make_parser() -> Parser:
    """The parser of all commands."""
    parser = Parser(
        prog="aep",
        description="Dataset exports from Adobe Experience Platform.",
        epilog="`aep COMMAND --help` shows the options and exit codes of a command.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the versions, and exit")
    commands = parser.add_subparsers(dest="subcommand", metavar="COMMAND")
    for command in COMMANDS:
        subparser = commands.add_parser(
            command.name,
            help=command.help,
            description=f"{command.help.capitalize()}.",
            epilog=f"Exit codes: {exits_in_words(command)}",
        )
        for option in command.options:
            subparser.add_argument(*option.flags, help=option.help, **option.settings)
        parser.commands[command.name] = subparser
    return parser


def parse(argv: Sequence[str] | None) -> argparse.Namespace | None:
    """The parsed arguments; ``None`` if there were none and the help was printed."""
    parser = make_parser()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks for completions
        from airflow_provider_aep.cli.completing import complete

        complete(parser)
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv[:1] == ["help"]:  # as in gh and kubectl
        argv = [*argv[1:], "--help"]
    parser.check_start(argv)
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        parser.commands.get(arguments.subcommand or "", parser).refuse(unknown)
    if arguments.subcommand is None:
        parser.print_help()
        return None
    return arguments


def versions() -> str:
    """The versions of this program, Airflow and Python, for a bug report."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        airflow = version("apache-airflow-core")
    except PackageNotFoundError:  # before Airflow 3
        airflow = version("apache-airflow")
    return f"aep {__version__} (Airflow {airflow}, Python {platform.python_version()})"
