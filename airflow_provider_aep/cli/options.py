"""The record of an option, and the options that several commands share.

Airflow reads this whenever anybody types ``airflow``, so nothing is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Copies, as this module must not import the originals; a test compares them.
DEFAULT_CONN_ID = "aep_default"
DEFAULT_OWNER = "airflow"


@dataclass(frozen=True, slots=True)
class Option:
    """One option or argument.

    :param flags: ``--name``, or the bare name of a positional argument.
    :param settings: the other arguments of ``add_argument``, which both parsers take.
    """

    flags: tuple[str, ...]
    help: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def flag(name: str, help_text: str) -> Option:
    """An option without a value."""
    return Option((name,), help_text, {"action": "store_true"})


PATHS = Option(
    ("paths",),
    "files of export specs (YAML or JSON), folders of them, or - for standard input",
    {"nargs": "+", "metavar": "PATH"},
)
NAME_OR_ID = Option(("name_or_id",), "the exact name of a dataflow, or its id", {"metavar": "NAME_OR_ID"})
YES = flag("--yes", "do not ask")
JSON = flag("--json", "print one JSON document on standard output, and nothing else there")
CONN_ID = Option(
    ("--conn-id",),
    f"the Airflow connection, of type aep (default: {DEFAULT_CONN_ID})",
    {"default": DEFAULT_CONN_ID, "metavar": "ID"},
)
SANDBOX = Option(
    ("--sandbox",), "in the place of the connection's sandbox; a spec's own comes first", {"metavar": "NAME"}
)
TALKS = (CONN_ID, SANDBOX, JSON)
SELECTION = (
    Option(("--name",), "only dataflows with this in their name", {"metavar": "TEXT"}),
    Option(
        ("--destination",),
        "only to this destination, such as s3; may be repeated",
        {"action": "append", "metavar": "DESTINATION"},
    ),
    Option(("--owner",), "only those that this owner declared", {"metavar": "OWNER"}),
)
ROTATE = flag("--rotate-credentials", "send the logins of base connections again: they cannot be compared")
ALLOWANCE = Option(
    ("--allowance",),
    "what may be exported, such as exported_bytes=5TB/year or exported_records=2000000/month; "
    "may be repeated",
    {"action": "append", "metavar": "NAME=AMOUNT/PERIOD"},
)
