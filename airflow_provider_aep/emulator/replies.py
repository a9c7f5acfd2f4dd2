"""The responses of the service: success and, in four shapes, errors.

Source: Platform troubleshooting guide (the gateway's shape), access labels guide (the Flow Service's
current shape, from its two printed answers), Destinations API reference (the older shape), Flow Service
error table (the numbers).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_aep.flowservice.exchange import Response

ERRORS = "https://ns.adobe.com/aep/errors/"

# Assumed: Adobe documents no code for a bad schedule, a missing parameter, an unknown dataset or an id of
# another sandbox, so the emulator answers 400 with its own number, outside Adobe's range of 1100 to 2299.
UNDOCUMENTED = 9400

TITLES = {
    1403: "If-Match header missing",
    1404: "Version mismatch",
    1415: "Auth spec not found",
    1418: "Connection is in use",
    1422: "Action not applicable",
    1439: "Resource not found",
    1447: "Resource is in use",
    2100: "Sandbox not found",
    2110: "Header not allowed",
    UNDOCUMENTED: "Refused by the emulator (Adobe documents no code for this)",
}


class Refusal(Exception):
    """A response of 400 or more, raised wherever a rule is broken."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {document}")
        self.status, self.document = status, document

    def response(self, request_id: str) -> Response:
        document = dict(self.document)
        if "report" in document:
            document["report"] = {**document["report"], "request-id": request_id}
        return reply(self.status, document)


def reply(status: int, document: Any = None, headers: Mapping[str, str] | None = None) -> Response:
    if document is None:
        return Response(status, dict(headers or {}))
    body = json.dumps(document).encode()
    return Response(status, {"content-type": "application/json", **(headers or {})}, body)


def gateway_error(code: str, message: str) -> Refusal:
    # Source: Platform troubleshooting guide; the HTTP status is the code's first three digits.
    return Refusal(int(code[:3]), {"error_code": code, "message": message})


def flow_error(number: int, status: int, detail: str, **report: str) -> Refusal:
    # Source: access labels guide: the current shape, which still carries the two older fields.
    return Refusal(
        status,
        {
            "type": f"{ERRORS}FLOW-{number}-{status}",
            "title": TITLES.get(number, "Invalid request" if status < 500 else "Service error"),
            "status": status,
            "report": {"detailed-message": detail, **report},
            "errorMessage": detail,
            "errorDetails": detail,
        },
    )


def undocumented(detail: str) -> Refusal:
    """A 400 for something that Adobe surely refuses, with our own message."""
    return flow_error(UNDOCUMENTED, 400, detail)


def not_found(kind: str, entity_id: str) -> Refusal:
    # Source: access labels guide prints 404 for 1439; the Flow Service error table says 400.
    detail = (
        f"The requested {kind} resource {entity_id} is not found. Verify the resource ID before trying again."
    )
    return flow_error(1439, 404, detail, id=entity_id, type=kind)


def stale(supplied: str, current: str) -> Refusal:
    # Source: Destinations API reference, the 412 of a PATCH. Both etags contain their own quotes.
    detail = f"Supplied version=[{supplied}] does not match the current version on entity=[{current}]"
    return flow_error(1404, 412, detail)


def invalid_spec_id() -> Refusal:
    # Source: Destinations API reference, createFlow and createBaseConnection.
    return Refusal(400, {"message": "Please provide a valid spec id"})


def missing_spec_version() -> Refusal:
    # Source: Destinations API reference: 422; the Sources reference would take the latest version.
    detail = "connectionSpec.version is required"
    return Refusal(422, {"errorMessage": detail, "errorDetails": detail})


def bad_request(detail: str) -> Refusal:
    # Source: Platform troubleshooting guide, "A valid content-type must be specified".
    return placeholder_error(400, "BadRequestError", detail)


def placeholder_error(status: int, title: str, detail: str) -> Refusal:
    """The shape of services that are older than the Flow Service, such as the Catalog.

    Source: Platform troubleshooting guide (BadRequestError), Schema Registry guide (NotFoundError), Adobe's
    tutorial on datasets (the Catalog's ForbiddenError).
    """
    return Refusal(
        status, {"type": "/placeholder/type/uri", "status": status, "title": title, "detail": detail}
    )
