"""What may be typed after ``aep``: the parser, and what it says of what it does not know.

Options are never abbreviated: what a script says today may mean another option tomorrow.
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
from airflow_provider_aep.cli.table import COMMANDS, told_exits
from airflow_provider_aep.flowservice.validation import nearest

WRONG_USAGE = 1  # not argparse's 2, which a plan ends with that would change something


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
        known = [str(each) for each in action.choices]
        rule = f"must be one of {', '.join(known)}{nearest(value, known)}"
        raise argparse.ArgumentError(action, f"{value!r} {rule}")

    def refuse(self, strange: Sequence[str]) -> NoReturn:
        """End with what was typed and means nothing."""
        known = [flag for action in self._actions for flag in action.option_strings]
        first = strange[0].partition("=")[0]
        self.error(f"nothing is known of {' '.join(strange)}{nearest(first, known)}")


class _Version(argparse.Action):
    """As argparse's own, which would look the versions up for each command."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        parser._print_message(f"{versions()}\n", sys.stdout)
        parser.exit()


def make_parser() -> Parser:
    """The parser of all commands."""
    parser = Parser(
        prog="aep",
        description="Dataset exports from Adobe Experience Platform.",
        epilog="`aep COMMAND --help` tells the options and exit codes of a command.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="tell the versions, and end")
    commands = parser.add_subparsers(dest="subcommand", metavar="COMMAND")
    for command in COMMANDS:
        one = commands.add_parser(
            command.name,
            help=command.help,
            description=f"{command.help.capitalize()}.",
            epilog=f"Exit codes: {told_exits(command)}",
        )
        for option in command.options:
            one.add_argument(*option.flags, help=option.help, **option.settings)
        parser.commands[command.name] = one
    return parser


def parse(argv: Sequence[str] | None) -> argparse.Namespace | None:
    """What was typed; ``None`` where that was nothing, and the help is told."""
    parser = make_parser()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks how the line may go on
        import argcomplete

        argcomplete.autocomplete(parser)
    arguments, strange = parser.parse_known_args(argv)
    if strange:
        parser.commands.get(arguments.subcommand or "", parser).refuse(strange)
    if arguments.subcommand is None:
        parser.print_help()
        return None
    return arguments


def versions() -> str:
    """This program's version, and what it runs on, as a report of a fault needs it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        airflow = version("apache-airflow-core")
    except PackageNotFoundError:  # before Airflow 3
        airflow = version("apache-airflow")
    return f"aep {__version__} (Airflow {airflow}, Python {platform.python_version()})"
