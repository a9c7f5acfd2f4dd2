"""Requests in the form that the routes match."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from airflow_provider_aep.emulator.replies import bad_request
from airflow_provider_aep.emulator.world import Call
from airflow_provider_aep.flowservice.exchange import BASE_PATH, Request

PUBLIC_BASE = "https://platform.adobe.io"


def call_of(request: Request) -> Call:
    """A request in the form that the routes match.

    A path without a host belongs to the Flow Service, unless it is the full path of another service.
    """
    parts = urlsplit(request.path)
    path = parts.path
    if not parts.netloc and not path.startswith("/data/"):
        path = BASE_PATH + path
    own = path.removeprefix(BASE_PATH)
    return Call(
        method=request.method.upper(),
        # No other service is below the Flow Service: such a path is kept whole, and no route matches it.
        path=path if own.startswith("/data/") else own or "/",
        base=f"{parts.scheme}://{parts.netloc}" if parts.netloc else PUBLIC_BASE,
        # A link to the next page arrives with its query in the path.
        query=[*parse_qsl(parts.query, keep_blank_values=True), *request.query],
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.json,
    )


def check_content_type(call: Call) -> None:
    # A Request with ``json`` is JSON by definition; over HTTP the header must say so.
    kind = call.headers.get("content-type", "application/json")
    if call.body is not None and kind.split(";")[0].strip().lower() != "application/json":
        # Source: Platform troubleshooting guide.
        raise bad_request("A valid content-type must be specified")
