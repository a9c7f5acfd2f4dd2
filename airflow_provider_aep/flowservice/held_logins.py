"""The login to a cloud storage in an ordinary Airflow connection, recognised by its fields.

No value of a login is ever part of a message or a ``repr``: messages name Adobe's parameter and the Airflow
field.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_aep.errors import AepConfigError, AepValidationError, Problem
from airflow_provider_aep.flowservice.destinations import Destination, Login
from airflow_provider_aep.flowservice.documents import Document
from airflow_provider_aep.flowservice.login_names import meaning_of
from airflow_provider_aep.flowservice.private_keys import encoded_key, is_encrypted


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A login of the table, as far as an Airflow connection holds it.

    :param values: Adobe's parameter, as the table names it -> the value that is sent.
    """

    login: Login
    values: Mapping[str, str] = field(repr=False)

    @property
    def needed(self) -> set[str]:
        """The meanings of the parameters that this login requires."""
        return {meaning_of(name) for name in self.login.params if name not in self.login.spare}

    @property
    def complete(self) -> bool:
        return all(name in self.values for name in self.login.params if name not in self.login.spare)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The login that an Airflow connection holds for a destination, not yet checked against the live spec.

    :param conn_id: the Airflow connection.
    :param forms: the complete login, else all that could be meant.
    :param named: field name -> value, for a login that is not in the table.
    :param wanted: ``extra.aep_login``: Adobe's name of the login that is meant.
    :param free: ``extra.aep_auth``: a login that is passed on unchanged.
    """

    conn_id: str
    destination: Destination
    forms: tuple[Form, ...] = ()
    named: Mapping[str, str] = field(default_factory=dict, repr=False)
    wanted: str | None = None
    free: Document | None = field(default=None, repr=False)

    @property
    def advice(self) -> str:
        return f"Check Airflow connection {self.conn_id!r}."


def hold_login(destination: Destination, fields: Mapping[str, Any], *, conn_id: str) -> Held:
    """The login that an ordinary Airflow connection holds for a destination.

    :param fields: ``host``, ``login``, ``password`` and ``extra.<key>`` of the connection.
    :param conn_id: its name, for the error message.
    :raises AepConfigError: the destination takes no login, or an extra has the wrong type.
    :raises AepValidationError: the connection holds two logins, or one that can never work.
    """
    if not destination.takes_login:
        raise AepConfigError(
            f"{destination.title} takes no credentials_conn_id: Adobe owns the storage. Leave it out."
        )
    free = fields.get("extra.aep_auth")
    if free is not None:
        # With an empty one, other fields would decide which login is sent.
        if not isinstance(free, Mapping) or not free:
            raise AepConfigError(
                f"Airflow connection {conn_id!r}: extra.aep_auth must be a JSON object that is not empty"
            )
        return Held(conn_id=conn_id, destination=destination, free=dict(free))
    wanted = fields.get("extra.aep_login") or None
    if wanted is not None and not isinstance(wanted, str):
        raise AepConfigError(f"Airflow connection {conn_id!r}: extra.aep_login must be a text")
    forms = _forms(destination, fields, wanted)
    held = Held(
        conn_id=conn_id,
        destination=destination,
        forms=tuple(forms),
        named=_named(destination, fields),
        wanted=wanted,
    )
    if problems := [*_two_logins(forms, wanted), *_never_works(forms, fields)]:
        raise refused(held, problems)
    return held


def _forms(destination: Destination, fields: Mapping[str, Any], wanted: str | None) -> list[Form]:
    """The complete logins of a connection; if there is none, all that it could be meant to hold."""
    forms = [
        Form(login=login, values=dict(_values(login, fields)))
        for login in destination.logins
        if not any(_text(fields.get(place)) for place in login.unless)
    ]
    complete = [form for form in forms if form.complete]
    # The same login may be given twice, such as a connection string and its parts: the first one wins.
    unlike = {form.login.spec_name or form.login.kind: form for form in reversed(complete)}
    complete = [form for form in complete if form in unlike.values()]
    asked_for = [form for form in forms if wanted and (form.login.spec_name or "").lower() == wanted.lower()]
    asked_for = [form for form in asked_for if form.complete][:1] or asked_for
    return asked_for or complete or forms


def _two_logins(forms: Sequence[Form], wanted: str | None) -> Iterator[Problem]:
    complete = [form for form in forms if form.complete]
    if len(complete) < 2 or wanted:
        return
    held = [
        f"{form.login.kind} ({', '.join(_fields_of(form.login))}"
        + (f"; Adobe calls it {form.login.spec_name!r})" if form.login.spec_name else ")")
        for form in complete
    ]
    rule = f"holds {len(held)} logins, {' and '.join(held)}: take one out, or name one in extra.aep_login"
    yield Problem("the connection", rule)


def _never_works(forms: Sequence[Form], fields: Mapping[str, Any]) -> Iterator[Problem]:
    for form in forms:
        for place, why in form.login.barred.items():
            if _text(fields.get(place)):
                yield Problem(place, f"is of no use: {why}")
        for name, value in form.values.items():
            pattern, rule = form.login.rules.get(name, ("", ""))
            if not re.match(pattern, value):
                yield Problem(f"/{name}", rule)
            if name in form.login.base64:
                yield from _key_problems(name, value)


def _key_problems(name: str, value: str) -> Iterator[Problem]:
    if not value:
        yield Problem(f"/{name}", "must be a PEM private key, or one encoded as base64")
    elif is_encrypted(value):
        yield Problem(
            f"/{name}", "is a private key with a passphrase, which Adobe cannot use: give one without"
        )


def refused(held: Held, problems: Sequence[Problem]) -> AepValidationError:
    return AepValidationError(f"the {held.destination.title} login", dict.fromkeys(problems), held.advice)


def _values(login: Login, fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, places in login.params.items():
        for place in places:
            if value := _value(place, fields):
                # A value that is no key is kept as an empty text, so that it is reported.
                yield name, encoded_key(value) or "" if name in login.base64 else value
                break


def _value(place: str, fields: Mapping[str, Any]) -> str:
    """The value at a place of the destinations table in this connection; empty if there is none."""
    parts = _parts(place)
    if not parts:
        return _text(fields.get(place))
    host = _text(fields.get("host"))
    if parts == ["host"] and "." in host:  # not the bare name that the text completes
        return host if "://" in host else f"https://{host}"
    if all(_text(fields.get(part)) for part in parts):
        return place.format(**{part: fields[part] for part in parts})
    return ""


def _named(destination: Destination, fields: Mapping[str, Any]) -> dict[str, str]:
    """A connection's extras by their meaning; for a destination outside the table, its fields too."""
    given = {key.removeprefix("extra."): fields[key] for key in fields if key.startswith("extra.")}
    if not destination.logins:
        given = {key: fields.get(key) for key in ("host", "login", "password")} | given
    named = {meaning_of(key): text for key, value in given.items() if (text := _text(value))}
    address = _text(fields.get("extra.account_url")) or _text(fields.get("host"))
    if address and "accountname" not in named:
        host = urlsplit(address if "://" in address else f"https://{address}").hostname
        named["accountname"] = (host or "").partition(".")[0]
    return named


def _fields_of(login: Login) -> list[str]:
    return list(
        dict.fromkeys(field for places in login.params.values() for field in _parts(places[0]) or [places[0]])
    )


def _text(value: object) -> str:
    """A field as text; empty if it is blank or of another type."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value.strip() else ""


def place_words(place: str) -> str:
    return f"its {' and '.join(_parts(place) or [place])}"


def _parts(place: str) -> list[str]:
    """The fields in a place that is a text; none for a place that is a field itself."""
    return [field for _, field, _, _ in string.Formatter().parse(place) if field]
