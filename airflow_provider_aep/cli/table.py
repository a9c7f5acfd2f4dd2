"""Every command and option; Airflow's command line and our own are both built from this.

Airflow reads this whenever anybody types ``airflow``, so nothing is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_aep.cli.options import (
    ALLOWANCE,
    DEFAULT_OWNER,
    JSON,
    NAME_OR_ID,
    PATHS,
    ROTATE,
    SELECTION,
    TALKS,
    YES,
    Option,
    flag,
)


@dataclass(frozen=True, slots=True)
class Command:
    """One command; the function of the same name in ``commands`` carries it out.

    :param exits: what each exit code means, besides 130 for an interrupted command.
    :param error: the exit code if an error ends the command.
    """

    name: str
    help: str
    exits: Mapping[int, str]
    options: tuple[Option, ...]
    error: int = 1


def exits_in_words(command: Command) -> str:
    """The exit codes in one line."""
    return " ".join(f"{code}: {means}." for code, means in sorted(command.exits.items()))


def _days(text: str) -> int | str:
    """A number, or text that may be an ISO 8601 duration."""
    try:
        return int(text)
    except ValueError:
        return text


COMMANDS = (
    Command(
        "validate",
        "check export specs without contacting Adobe",
        {0: "no problem", 1: "problems, or specs that cannot be read"},
        (PATHS, JSON),
    ),
    Command(
        "plan",
        "show what ensuring export specs would do",
        {0: "nothing would change", 2: "something would change", 1: "an error"},
        (
            PATHS,
            ROTATE,
            Option(("--out",), "write the plans to a file, for ensure --plan", {"metavar": "FILE"}),
            *TALKS,
        ),
    ),
    Command(
        "ensure",
        "create or change exports as their specs declare",
        {0: "done, or nothing to do", 1: "some failed"},
        (
            PATHS,
            flag("--allow-replace", "replace entities that cannot be changed"),
            ROTATE,
            flag("--rollback-on-failure", "if an export fails, remove what was created for it"),
            Option(
                ("--plan",),
                "do only what this file of plans says (- for standard input); reject an export that has "
                "changed since",
                {"metavar": "FILE"},
            ),
            *TALKS,
        ),
    ),
    Command(
        "delete",
        "delete an export and the entities created for it",
        {0: "gone", 1: "an error, not confirmed, or no export has the name"},
        (
            Option(
                ("target",),
                "the name of an export, or a path of export specs: one that ends in .yaml, .yml or .json, or "
                "an existing one with a slash; - for specs on standard input",
                {"metavar": "NAME_OR_PATH"},
            ),
            Option(
                ("--owner",),
                f"the owner of the export, with a name (default: {DEFAULT_OWNER})",
                {"metavar": "OWNER"},
            ),
            flag("--with-base", "delete its base connection too, if nothing else needs it"),
            flag("--ignore-not-found", "exit with 0 if no export has the name"),
            flag("--leftovers-only", "delete only what replacements and interrupted attempts left behind"),
            YES,
            *TALKS,
        ),
    ),
    Command(
        "list",
        "list the dataset exports of the sandbox",
        {0: "listed, even if there are none", 1: "an error"},
        (*SELECTION, *TALKS),
    ),
    Command(
        "runs",
        "list the latest runs of an export",
        {0: "listed", 1: "an error"},
        (
            NAME_OR_ID,
            Option(
                ("--limit",), "at most this many (default: 20)", {"type": int, "default": 20, "metavar": "N"}
            ),
            Option(
                ("--since",),
                "only those that started at or after this time: ISO 8601 (in [aep] timezone without an "
                "offset), epoch seconds, or a duration before now, such as PT6H",
                {"metavar": "MOMENT"},
            ),
            *TALKS,
        ),
    ),
    Command(
        "explain",
        "show what came into an export, what went out, what was lost and why, and what to do now",
        {0: "nothing failed; warnings do not count", 1: "something failed, or an error"},
        (
            NAME_OR_ID,
            Option(
                ("--days",),
                "how many days to look back, 1 to 31, also as P14D (default: 7)",
                {"type": _days, "default": 7, "metavar": "N"},
            ),
            *TALKS,
        ),
    ),
    Command(
        "run",
        "export datasets of an export now, outside its schedule",
        {0: "the runs have begun, or were under way", 1: "an error, or not confirmed"},
        (
            NAME_OR_ID,
            Option(
                ("--dataset",),
                "the id of a dataset of the export (default: all); may be repeated",
                {"action": "append", "metavar": "ID"},
            ),
            YES,
            *TALKS,
        ),
    ),
    Command(
        "enable",
        "enable an export: it runs again from its next tick on",
        {0: "it is enabled", 1: "an error, or not confirmed"},
        (NAME_OR_ID, YES, *TALKS),
    ),
    Command(
        "check",
        "check the runs, gaps and ends of all exports over a window",
        {0: "nothing failed; warnings do not count", 1: "something failed, or an error"},
        (
            Option(
                ("--since",),
                "start of the window: ISO 8601 (in [aep] timezone without an offset), epoch seconds, "
                "or a duration before the end, such as PT6H (default: P1D)",
                {"metavar": "MOMENT"},
            ),
            Option(
                ("--until",),
                "end of the window, exclusive, at most now (default: now)",
                {"metavar": "MOMENT"},
            ),
            *SELECTION,
            Option(
                ("--policy",),
                "a part of the policy, such as max_drop=0.5 or on_missing=warn; may be repeated",
                {"action": "append", "metavar": "NAME=VALUE"},
            ),
            ALLOWANCE,
            *TALKS,
        ),
    ),
    Command(
        "usage",
        "show the records and bytes that were exported, and whether allowances suffice",
        {0: "shown", 2: "an allowance is used up, or will be by the forecast", 1: "an error"},
        (
            Option(
                ("--by",),
                "the period of the sums: day, month or year (default: month)",
                {"choices": ("day", "month", "year"), "default": "month"},
            ),
            Option(
                ("--of",),
                "what the table sums: export, dataset, destination or sandbox (default: export)",
                {"choices": ("export", "dataset", "destination", "sandbox"), "default": "export"},
            ),
            Option(
                ("--year",), "the calendar year, in UTC (default: this one)", {"type": int, "metavar": "YEAR"}
            ),
            ALLOWANCE,
            *SELECTION,
            Option(
                ("--storage",),
                "count the files of an export too, by period: its name or id, and its folder as a URL, "
                "such as crm=s3://bucket/path; may be repeated",
                {"action": "append", "metavar": "EXPORT=URL"},
            ),
            Option(("--storage-conn-id",), "the Airflow connection to that storage", {"metavar": "ID"}),
            Option(
                ("--requests",),
                "read at most about this many pages of 100 runs; older runs are then missing (default: 100)",
                {"type": int, "default": 100, "metavar": "N"},
            ),
            *TALKS,
        ),
    ),
    Command(
        "alert",
        "send a test alert through each channel of a DAG file, or of the command line",
        {0: "all were sent", 1: "one could not be sent, or an error"},
        (
            Option(("action",), "what to do: test", {"choices": ("test",), "metavar": "test"}),
            Option(
                ("--dag-file",),
                "each channel of the notifiers in this file's callbacks, default_args and deadlines",
                {"metavar": "PATH"},
            ),
            Option(
                ("--channel",),
                'a channel as JSON, such as {"type": "email", "to": "a@acme.example"}, or '
                "slack:CONN_ID, webhook:CONN_ID, teams:CONN_ID; may be repeated",
                {"action": "append", "metavar": "CHANNEL"},
            ),
            Option(
                ("--status",),
                "the status of the alert (default: failed)",
                {"default": "failed", "metavar": "STATUS"},
            ),
            JSON,
        ),
    ),
    Command(
        "destinations",
        "list the destinations that take datasets, with logins, parameters and ids",
        {0: "listed", 1: "an error, or a spec that cannot be read"},
        TALKS,
    ),
    Command(
        "doctor",
        "check the connection, its permissions and the exports of the sandbox",
        {0: "nothing failed", 1: "something failed; warnings do not count"},
        TALKS,
    ),
    Command(
        "probe",
        "check in your own sandbox what Adobe's documents leave open",
        {
            0: "all as assumed, or harmless",
            1: "a difference ends in an error, or cannot be noticed",
            2: "an error, it could not run, or it left something behind",
        },
        (
            flag("--write", "also create an export that never runs, and remove it again"),
            Option(
                ("--confirm-sandbox",),
                "with --write: the name of the sandbox, typed out; needed unless it is a development sandbox",
                {"metavar": "NAME"},
            ),
            Option(
                ("--destination",),
                "with --write: the destination (default: data_landing_zone, which needs no login)",
                {"default": "data_landing_zone", "metavar": "DESTINATION"},
            ),
            Option(
                ("--credentials-conn-id",),
                "with --write: the Airflow connection with the login of that destination",
                {"metavar": "ID"},
            ),
            Option(
                ("--target-param",),
                "with --write: a parameter of that destination, such as bucketName=acme; may be repeated",
                {"action": "append", "metavar": "NAME=VALUE"},
            ),
            *TALKS,
        ),
        error=2,
    ),
    Command(
        "import",
        "write the spec of an export that exists",
        {0: "written", 1: "an error, or an export that a spec cannot express"},
        (
            Option(
                ("name_or_id",),
                "the exact name of a dataflow, or its id",
                {"nargs": "?", "metavar": "NAME_OR_ID"},
            ),
            flag("--all", "every dataset export of the sandbox"),
            Option(
                ("--output",),
                "write to a file, which must not exist yet (default: standard output)",
                {"metavar": "FILE"},
            ),
            Option(
                ("--owner",),
                f"the owner for exports that have none (default: {DEFAULT_OWNER})",
                {"default": DEFAULT_OWNER, "metavar": "OWNER"},
            ),
            *TALKS,
        ),
    ),
    Command(
        "completion",
        "print a shell script that completes commands and options",
        {0: "printed", 1: "an error"},
        (
            Option(
                ("shell",),
                "the shell: bash, zsh or fish",
                {"choices": ("bash", "zsh", "fish"), "metavar": "SHELL"},
            ),
        ),
    ),
)
