"""The login to a cloud storage: out of an ordinary Airflow connection, and held against Adobe's spec.

No value of a login is ever part of a message: messages name Adobe's parameter and the Airflow field.
"""

from __future__ import annotations

import base64
import string
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_aep.errors import AepConfigError, AepValidationError, Problem
from airflow_provider_aep.flowservice.destinations import Destination, Login
from airflow_provider_aep.flowservice.entities import Document
from airflow_provider_aep.flowservice.validation import schema_problems


def login_from_fields(
    destination: Destination, fields: Mapping[str, Any], *, conn_id: str
) -> dict[str, Any] | None:
    """The login for a destination out of an ordinary Airflow connection.

    :param fields: ``host``, ``login``, ``password`` and ``extra.<key>`` of the connection.
    :param conn_id: its name, for the error message.
    :raises AepConfigError: the destination takes no login.
    :raises AepValidationError: the connection lacks something.
    """
    if not destination.logins:
        raise AepConfigError(
            f"{destination.title} takes no credentials_conn_id: Adobe owns the storage. Leave it out."
        )
    if free := fields.get("extra.aep_auth"):
        # A way to log in that we do not know yet, such as S3's assumed role: passed on as it is.
        if not isinstance(free, Mapping):
            raise AepConfigError(f"Airflow connection {conn_id!r}: extra.aep_auth must be a JSON object")
        return dict(free)
    found = {login.spec_name: dict(_found(login, fields)) for login in destination.logins}
    fewest = min(len(login.params) - len(found[login.spec_name]) for login in destination.logins)
    # What lacks the least is what was meant: SFTP with a key where there is one, else with a password.
    closest = [
        login for login in destination.logins if len(login.params) - len(found[login.spec_name]) == fewest
    ]
    login, params = closest[0], found[closest[0].spec_name]
    encoded = {name: _base64(params[name]) for name in login.base64 if name in params}
    problems = _missing(closest, found) if fewest else []
    problems += [
        Problem(f"/{name}", "must be a PEM private key, or one encoded as base64")
        for name, value in encoded.items()
        if value is None
    ]
    if problems:
        advice = f"Check Airflow connection {conn_id!r}."
        raise AepValidationError(f"the {destination.title} login", problems, advice)
    return {"specName": login.spec_name, "params": {**params, **encoded}}


def login_problems(spec: Document, login: Document) -> list[Problem]:
    """Where a login breaks the live ``authSpec`` that it names."""
    specs = {auth["name"]: auth.get("spec") or {} for auth in spec.get("authSpec") or ()}
    name, params = login.get("specName"), login.get("params", {})
    if not isinstance(name, str) or name not in specs:
        return [Problem("specName", f"must be one of {', '.join(specs) or 'none: send no login'}")]
    if not isinstance(params, Mapping):
        return [Problem("params", "must be a JSON object")]
    return schema_problems(specs[name], params)


def _missing(logins: list[Login], found: Mapping[str, Mapping[str, str]]) -> list[Problem]:
    """What the closest logins lack; where several are as close, each way out is named."""
    lacking: dict[tuple[str, ...], None] = {}
    for login in logins:
        lacking.update(dict.fromkeys((name, *places) for name, places in login.params.items()))
    present = {name for params in found.values() for name in params}
    return [
        Problem(f"/{name}", f"is missing (it is taken from {' or '.join(map(_place, places))})")
        for name, *places in lacking
        if name not in present
    ]


def _found(login: Login, fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, places in login.params.items():
        for place in places:
            if value := _value(place, fields):
                yield name, value
                break


def _value(place: str, fields: Mapping[str, Any]) -> str:
    """What a place of the destinations table holds in this connection; empty where it holds nothing."""
    parts = _parts(place)
    if not parts:
        return str(fields.get(place) or "")
    host = str(fields.get("host") or "")
    if parts == ["host"] and "." in host:  # not the bare name that the text completes
        return host if "://" in host else f"https://{host}"
    if all(fields.get(part) for part in parts):
        return place.format(**{part: fields[part] for part in parts})
    return ""


def _place(place: str) -> str:
    return f"its {' and '.join(_parts(place) or [place])}"


def _parts(place: str) -> list[str]:
    """The fields that a text is made of; none for a place that is a field itself."""
    return [field for _, field, _, _ in string.Formatter().parse(place) if field]


def _base64(value: str) -> str | None:
    joined = "".join(value.split())  # the usual tools wrap their lines
    try:
        if value.lstrip().startswith("-----BEGIN"):
            return base64.b64encode(value.encode()).decode()
        base64.b64decode(joined, validate=True)
    except ValueError:  # not base64, or not even text
        return None
    return joined
