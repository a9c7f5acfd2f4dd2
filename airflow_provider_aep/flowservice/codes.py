"""Adobe's codes: what each means, what to do about it, and what it is about. Errors, alerts, the doctor,
waits and retries read them here.

Run codes are from the Destinations API reference's samples, "Monitor dataflows" and "Flow run notifications";
the Flow Service's from "Flow Service errors" and "Access labels"; the gateway's from "Experience Platform FAQ
and troubleshooting"; the token endpoint's from "Server-to-server authentication"; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Code(NamedTuple):
    """What a code says.

    :param about: ``token``, ``login``, ``organization``, ``sandbox`` or ``rights`` of the credential; the
        ``storage``; the ``state`` of an entity, which passes, or its ``use`` by others; the part of a query,
        ``orderby``, ``property`` or ``limit``; or empty.
    """

    meaning: str
    advice: str
    about: str = ""


# Stands for the connection in an advice; the session replaces it by the connection's id.
CONNECTION = "the Airflow connection"
PERMISSIONS = (
    "The credential needs View Destinations, View Datasets and Manage and Activate Dataset Destinations "
    "in this sandbox. If it has them, access labels on the datasets or on the dataflow may keep it out: they "
    "bind applications too; ask for a role that has these labels."
)
UNKNOWN = Code("This code is not in Adobe's public lists.", "Give Adobe's support the code and the run id.")

_NEXT_RUN = "Wait for the next scheduled run; if it stays, give Adobe's support the run id."
_LATER = "Try again later; if it stays, give Adobe's support the id of the run or of the request."
_CLIENT_ID = f"Check the login (client id) of {CONNECTION}."
_LOGIN = f"Check login (client id) and password (client secret) of {CONNECTION}."
_ORGANIZATION = f"Check org_id in the extra of {CONNECTION}."
_SANDBOX = f"Check the sandbox of the task, or in the extra of {CONNECTION}."
_REPORT = "Please report it: this is a bug in the provider."

# Flow Service codes by number; on the wire they are FLOW-<number>-<status>.
_CODES = (
    (
        "ACTIVATION_BATCH-0000-FAILED",
        "The export job was aborted; often all that Adobe says.",
        "Check the storage login and the rights in the bucket or folder; else wait for the next scheduled "
        "run.",
        "storage",
    ),
    ("ACTIVATION_BATCH-0000-SKIP", "Records were skipped.", "Look at the skipped records of the run."),
    ("CONNECTOR-1001-500", "Copying from the source failed.", _NEXT_RUN),
    ("CONNECTOR-2001-500", "Processing the copied data failed.", _NEXT_RUN),
    ("INGEST-1212-400", "Ingestion refused the data.", "Compare the data with the dataset's schema."),
    ("MAPPER-3700-400", "The mapping does not fit the data.", "Compare the mapping with the schema."),
    ("1102 1400", "The Flow Service had an internal error.", _LATER),
    ("1103", "The Flow Service is unavailable.", _LATER),
    ("1104", "The Flow Service did not answer in time.", _LATER),
    ("1401 1454", "The limit of the query is not accepted.", _REPORT, "limit"),
    ("1424 1432 1433", "The order of the query is not accepted.", _REPORT, "orderby"),
    (
        "1423 1440 1441 1442 1443 1448 1449 1450 1452",
        "The filter of the query is not accepted.",
        _REPORT,
        "property",
    ),
    (
        "1409 1416 1417 1420 1421 1422 1444 1456 1457 1458",
        "This is not possible in the present state.",
        "Try again in some minutes, when Adobe has carried out what was asked before.",
        "state",
    ),
    ("1418 1447", "Dataflows still use it.", "Delete the dataflows that use it first.", "use"),
    (
        "1439",
        "It is not there, or the credential may not see it.",
        "Check the id, the sandbox and the credential's access labels.",
        "rights",
    ),
    ("2000", "The token has no access to the organization.", _ORGANIZATION, "organization"),
    ("400003 2001 2002", "The organization is missing.", _ORGANIZATION, "organization"),
    ("403025", "The credential is not entitled for the organization.", _ORGANIZATION, "organization"),
    (
        "403027",
        "The org id is malformed, or the credential has no product profile.",
        f"{_ORGANIZATION[:-1]}, and that the credential has a Platform product profile.",
        "organization",
    ),
    ("2100 2101 2103 2106", "The sandbox does not exist.", _SANDBOX, "sandbox"),
    ("2105", "The sandbox is missing.", _SANDBOX, "sandbox"),
    ("2118 2120 2121", "The credential lacks a permission, or was denied it.", PERMISSIONS, "rights"),
    ("401013 2114 2115", "The access token is not valid, or has expired.", _LOGIN, "token"),
    ("403000", "The client id is missing.", _CLIENT_ID, "login"),
    ("403003", "The client id is wrong.", _CLIENT_ID, "login"),
    ("invalid_client", "The client id or the client secret was refused.", _LOGIN, "login"),
    (
        "invalid_scope",
        "The credential was not granted these scopes.",
        f"Check scopes in the extra of {CONNECTION}: only scopes granted to the credential are accepted.",
        "login",
    ),
    ("429050", "Too many requests.", "Share the credential with fewer applications."),
)
CODES: Mapping[str, Code] = {code: Code(*fields) for codes, *fields in _CODES for code in codes.split()}


def explain(code: str | None) -> Code:
    """What a code of Adobe's means; ``UNKNOWN`` for a code that Adobe does not publish."""
    return CODES.get(number_of(code), UNKNOWN)


def number_of(code: str | None) -> str:
    """A code as the table holds it: ``1439`` for ``FLOW-1439-404``, any other as it is."""
    code = code or ""
    return code.split("-")[1] if code.startswith("FLOW-") else code
