"""What a shell offers for the value of an option or argument."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import fields

import argcomplete
from argcomplete.completers import BaseCompleter, FilesCompleter
from argcomplete.shell_integration import shellcode

FILES = frozenset({"PATH", "FILE", "NAME_OR_PATH"})


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell that asks for completions, and exit."""
    argcomplete.autocomplete(parser, default_completer=_Values())


def script(shell: str) -> str:
    """The script that makes a shell ask."""
    # Bash's own default would offer files for every value.
    return shellcode(["aep"], shell=shell, complete_arguments=["-o", "nospace"] if shell == "bash" else None)


class _Values(BaseCompleter):
    """Files where one is wanted, and the values of an option that takes few."""

    def __call__(self, *, prefix: str, action: argparse.Action, **_: object) -> Iterable[str]:
        if action.metavar in FILES:
            return FilesCompleter()(prefix)
        return [value for value in _known(action.dest) if value.startswith(prefix)]


def _known(name: str) -> Iterable[str]:
    if name == "destination":
        from airflow_provider_aep.flowservice.destinations import DESTINATIONS

        return DESTINATIONS
    if name == "status":
        from airflow_provider_aep.monitoring.alerts import STATUSES

        return STATUSES
    if name == "policy":
        from airflow_provider_aep.monitoring.policy import AuditPolicy, RunPolicy

        names = {field.name for policy in (AuditPolicy, RunPolicy) for field in fields(policy)}
        return [f"{name}=" for name in sorted(names - {"runs"})]
    return ()
