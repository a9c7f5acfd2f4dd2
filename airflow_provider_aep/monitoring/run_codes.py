"""What people who read an alert can do: Adobe's error codes and what each means, and the next step.

Run codes are from the Destinations API reference's samples, "Monitor dataflows" and "Flow run notifications";
the Flow Service's and the gateway's from "Flow Service errors" and the Platform FAQ; read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple


class Meaning(NamedTuple):
    """What a code says, and what to do about it."""

    meaning: str
    advice: str


_STORAGE = (
    "Check the storage login and the rights in the bucket or folder; else wait for the next scheduled run."
)
_ASK = "Wait for the next scheduled run; if it stays, give Adobe's support the run id."
_LOGIN = "Check login and password of the Airflow connection."
_RIGHTS = "Ask for View Destinations and View Datasets in this sandbox."
UNKNOWN = Meaning(
    "This code is not in Adobe's public lists.", "Give Adobe's support the code and the run id."
)

CODES: Mapping[str, Meaning] = {
    "ACTIVATION_BATCH-0000-FAILED": Meaning(
        "The export job was aborted; often all that Adobe says.", _STORAGE
    ),
    "ACTIVATION_BATCH-0000-SKIP": Meaning("Records were skipped.", "Look at the skipped records of the run."),
    "CONNECTOR-1001-500": Meaning("Copying from the source failed.", _ASK),
    "CONNECTOR-2001-500": Meaning("Processing the copied data failed.", _ASK),
    "INGEST-1212-400": Meaning("Ingestion refused the data.", "Compare the data with the dataset's schema."),
    "MAPPER-3700-400": Meaning("The mapping does not fit the data.", "Compare the mapping with the schema."),
    # The Flow Service's, by number: on the wire FLOW-<number>-<status>.
    "1102": Meaning("The Flow Service had an internal error.", _ASK),
    "1400": Meaning("The Flow Service had an internal error.", _ASK),
    "1103": Meaning("The Flow Service is unavailable.", _ASK),
    "1104": Meaning("The Flow Service did not answer in time.", _ASK),
    "1439": Meaning(
        "The dataflow is not there, or the credential may not see it.",
        "Check the id, the sandbox and the credential's access labels.",
    ),
    "2000": Meaning(
        "The token has no access to the organization.", "Check org_id of the Airflow connection."
    ),
    "2100": Meaning("The sandbox does not exist.", "Check the sandbox of the task or of the connection."),
    "2118": Meaning("The credential lacks a permission.", _RIGHTS),
    "2120": Meaning("The credential lacks a permission.", _RIGHTS),
    "2121": Meaning("The credential was denied a permission.", _RIGHTS),
    # The gateway's, and the token endpoint's.
    "401013": Meaning("The access token is not valid, or has expired.", _LOGIN),
    "403000": Meaning("The client id is missing.", _LOGIN),
    "403003": Meaning("The client id is wrong.", _LOGIN),
    "403025": Meaning("The credential is not entitled for the organization.", "Check org_id."),
    "403027": Meaning("The org id is malformed, or the credential has no product profile.", "Check both."),
    "429050": Meaning("Too many requests.", "Share the credential with fewer applications."),
    "invalid_client": Meaning("The client id or the client secret was refused.", _LOGIN),
}
# About the credential for Adobe, its organization, its sandbox or its rights.
_ABOUT_ACCESS = frozenset(
    {
        *("1439", "2000", "2100", "2118", "2120", "2121"),
        *("401013", "403000", "403003", "403025", "403027", "invalid_client"),
    }
)
_FLOW = re.compile(r"FLOW-(\d{4})-\d{3}")


def concern_of(code: str) -> str:
    """What a code is about: ``access`` to Adobe, the ``storage``, or empty where it is neither."""
    if _plain(code) in _ABOUT_ACCESS:
        return "access"
    return "storage" if explain(code).advice == _STORAGE else ""


def explain(code: str) -> Meaning:
    """What a code of Adobe's means; also one that Adobe does not publish gets an answer."""
    return CODES.get(_plain(code), UNKNOWN)


def _plain(code: str) -> str:
    flow = _FLOW.fullmatch(code)
    return flow[1] if flow else code


# status of an alert -> what to do next, whatever the code says.
NEXT: Mapping[str, str] = {
    "failed": "Export again on demand once the reason is mended, or wait for the next scheduled run.",
    "unknown": "Look at the run in the Platform UI; give Adobe's support the run id.",
    "partial": "Look at the failed and skipped records of the run; correct the data or the limit.",
    "zero_records": "Look whether anything was ingested into the datasets since the last good run.",
    "low_records": "Look whether as much was ingested as usual; correct the limit if this is the new usual.",
    "unknown_records": "Look at the run in the Platform UI; count the files in the storage.",
    "missing_files": "List the folder in the storage; if files are lacking, export again on demand.",
    "unchecked_files": "Check the Airflow connection to the storage and its right to list the folder.",
    "incomplete": "Look which dataset has no run; export it on demand.",
    "stuck": "Look at the run in the Platform UI; if it stays, give Adobe's support the run id.",
    "slow": "Nothing is lost; correct the limit if this is the new usual.",
    "late": "Look at the task's log: it may still wait for a run that is under way.",
    "gaps": "Look whether the dataflow is enabled and its schedule goes on; else export on demand.",
    "warning": "Enable the dataflow or mend its schedule; where it is unread, check the credential's rights.",
    "allowance": "Look at the usage by export; pause what nobody reads, or ask Adobe about the licence.",
    "nothing": "Check the selection, the sandbox, and the rights of the credential.",
    "error": "Read the log of the Airflow task; clear the task once the reason is mended.",
}
