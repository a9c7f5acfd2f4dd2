"""Arguments turned into what commands work with: specs, the connection, a confirmation."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_aep.cli.output import say
from airflow_provider_aep.errors import AepConfigError, AepError, AepValidationError, Problem
from airflow_provider_aep.flowservice.validation import nearest
from airflow_provider_aep.monitoring.table import printable

if TYPE_CHECKING:
    from airflow_provider_aep.exports.spec import ExportSpec
    from airflow_provider_aep.hooks import AepHook

STDIN = "-"
_VARIABLE = "AIRFLOW_CONN_"


def specs_of(paths: Sequence[str]) -> list[ExportSpec]:
    """The specs of all paths, checked together.

    :raises AepConfigError: a path cannot be read, or standard input is named twice.
    :raises AepValidationError: with all problems of all specs.
    """
    from airflow_provider_aep.exports.files import load_specs, read_specs
    from airflow_provider_aep.exports.spec import parse_specs

    if list(paths).count(STDIN) > 1:
        raise AepConfigError("standard input (-) can be read once only")
    documents: list[Mapping[str, Any]] = []
    places: list[str] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            loaded = read_specs(read_stdin(), place="stdin") if path == STDIN else load_specs(path)
        except AepValidationError as error:
            # A problem names its file; with several paths, the path is put in front.
            prefix = f"{path}: " if path != STDIN and (len(paths) > 1 or Path(path).is_dir()) else ""
            problems += [Problem(f"{prefix}{problem.pointer}", problem.message) for problem in error.problems]
            continue
        documents += loaded
        places += [f"{'stdin' if path == STDIN else path}[{index}]" for index in range(len(loaded))]
    if problems:
        raise AepValidationError("the export specs", problems)
    return parse_specs(documents, places=places)


def since_of(given: str, until: datetime) -> datetime:
    """``--since``: a timestamp, or an ISO 8601 duration before the end of the window.

    :raises AepValidationError: it is neither.
    """
    from airflow_provider_aep.flowservice.moments import parse_moment
    from airflow_provider_aep.hooks.days import zone_of_days
    from airflow_provider_aep.times import read_span

    if not given.startswith("P"):
        return parse_moment("--since", given, zone_of_days())
    try:
        return until - read_span(given)
    except (ValueError, OverflowError) as error:
        rule = str(error) if isinstance(error, ValueError) else "is before all time"
        raise AepValidationError("the arguments", [Problem("--since", rule)]) from None


def read_stdin() -> bytes:
    """All of standard input."""
    binary = getattr(sys.stdin, "buffer", None)
    content = binary.read() if binary else sys.stdin.read().encode()
    return bytes(content)


def hook_of(arguments: Namespace) -> AepHook:
    """The hook, with its Airflow connection read and checked.

    :raises AepConfigError: the connection cannot be read, or is not valid.
    """
    from airflow_provider_aep.hooks import AepHook

    conn_id = arguments.conn_id
    hook = AepHook(conn_id, sandbox=arguments.sandbox)
    try:
        hook.get_conn()
    except AepError:
        raise
    except Exception as error:  # each Airflow line has its own class for "not found"
        variable = f"{_VARIABLE}{conn_id.upper()}"
        if variable in os.environ:  # Airflow ignores a variable that it cannot read
            raise AepConfigError(
                f"Airflow connection {conn_id!r} cannot be read ({type(error).__name__}): "
                f"what {variable} holds is neither JSON nor a URI. Copy it whole, in single quotes"
            ) from error
        known = [name[len(_VARIABLE) :].lower() for name in os.environ if name.startswith(_VARIABLE)]
        close = nearest(conn_id, known)
        raise AepConfigError(
            f"Airflow connection {conn_id!r} cannot be read ({type(error).__name__}){close}: it is not in "
            f"the environment ({variable}), nor in a secrets backend, nor in the database "
            f"of this Airflow. See: airflow connections get {conn_id}"
        ) from error
    return hook


def ask(arguments: Namespace, question: str, done: str) -> None:
    """:raises AepConfigError: the user did not confirm, so nothing is done."""
    if arguments.yes:
        return
    if not sys.stdin.isatty():
        raise AepConfigError(f"nothing was {done}: there is no terminal to ask on. Give --yes")
    say(f"{printable(question)} [y/N] ", end="")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise AepConfigError(f"nothing was {done}: not confirmed")
