"""The login to a cloud storage: out of an ordinary Airflow connection, and as Adobe's live spec wants it.

Two steps. ``hold_login`` recognises by the fields of an Airflow connection which kind of login it holds.
``resolve_login`` matches that with the live ``authSpec``, by the meaning of its parameters: the table in
``destinations`` is a hint, and the spec decides on names and on what is required. Neither sends anything.

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
from airflow_provider_aep.flowservice.catalogue import offered_logins, params_of
from airflow_provider_aep.flowservice.destinations import Destination, Login
from airflow_provider_aep.flowservice.entities import Document, mapping
from airflow_provider_aep.flowservice.private_keys import encoded_key, is_encrypted
from airflow_provider_aep.flowservice.validation import schema_problems

# Names for the same thing, in lower case without '_' and '-'. The first of each is what we call it.
SYNONYMS = (
    ("s3accesskey", "accesskeyid", "awsaccesskeyid", "accesskey"),
    ("s3secretkey", "secretaccesskey", "awssecretaccesskey", "secretkey"),
    ("s3role", "role", "rolearn", "awsrole", "iamrole", "awsrolearn", "iamrolearn"),
    (
        *("url", "accounturl", "accounturi", "storageaccounturl", "storageurl", "serviceurl", "serviceuri"),
        *("endpoint", "serviceendpoint", "blobendpoint", "blobserviceendpoint", "uri"),
    ),
    ("accountname", "storageaccountname", "storageaccount", "account"),
    ("tenant", "tenantid", "directoryid", "directorytenantid", "azuretenantid"),
    ("serviceprincipalid", "clientid", "applicationid", "appid", "applicationclientid", "azureclientid"),
    (
        *("serviceprincipalkey", "clientsecret", "serviceprincipalsecret", "applicationsecret", "appsecret"),
        *("applicationkey", "clientkey", "serviceprincipalcredential", "azureclientsecret"),
    ),
    ("connectionstring", "storageconnectionstring", "blobconnectionstring"),
    ("domain", "host", "hostname", "server"),
    ("username", "user", "login", "userid"),
    ("password", "userpassword"),
    ("sshkey", "privatekey", "sshprivatekey"),
)
_CALLED = {name: names[0] for names in SYNONYMS for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A login of the table, as far as an Airflow connection holds it.

    :param values: Adobe's parameter, as the table names it, -> what is sent for it.
    """

    login: Login
    values: Mapping[str, str] = field(repr=False)

    @property
    def needed(self) -> set[str]:
        """What the parameters mean without which it is not this login."""
        return {_meaning(name) for name in self.login.params if name not in self.login.spare}

    @property
    def complete(self) -> bool:
        return all(name in self.values for name in self.login.params if name not in self.login.spare)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What an Airflow connection holds for a destination, checked; the live spec is still to be asked.

    :param conn_id: the Airflow connection.
    :param forms: the login that is complete, else all that could be meant.
    :param named: what its fields are called -> what they hold, for a login that is in no table.
    :param wanted: ``extra.aep_login``: Adobe's name of the login that is meant.
    :param free: ``extra.aep_auth``: a login that is passed on as it is.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    """A login of the live spec, served from what is held."""

    auth: Document
    form: Form | None
    params: Mapping[str, str] = field(repr=False)
    lacking: tuple[str, ...]
    uses_all: bool

    @property
    def name(self) -> str:
        return str(self.auth["name"])

    @property
    def fits(self) -> bool:
        return self.uses_all and bool(self.params) and not self.lacking


def hold_login(destination: Destination, fields: Mapping[str, Any], *, conn_id: str) -> Held:
    """What an ordinary Airflow connection holds for a destination.

    :param fields: ``host``, ``login``, ``password`` and ``extra.<key>`` of the connection.
    :param conn_id: its name, for the error message.
    :raises AepConfigError: the destination takes no login, or an extra is not what it has to be.
    :raises AepValidationError: the connection holds two logins, or one that can never work.
    """
    if not destination.takes_login:
        raise AepConfigError(
            f"{destination.title} takes no credentials_conn_id: Adobe owns the storage. Leave it out."
        )
    free = fields.get("extra.aep_auth")
    if free is not None:
        # An empty one would leave it to other fields which login is sent.
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
        raise _refused(held, problems)
    return held


def resolve_login(login: Held | Document, spec: Document, *, title: str, advice: str = "") -> Document:
    """The login as the live spec wants it: ``{"specName": ..., "params": {...}}``.

    :param login: what ``hold_login`` made, or a login that is sent as it is.
    :param spec: the live connection spec.
    :param title: the destination, for the error message.
    :param advice: where to mend a login that is sent as it is.
    :raises AepValidationError: the spec offers nothing that it fits, or several; or it breaks the spec.
    """
    if not isinstance(login, Held):
        found, problems = login, login_problems(spec, login)
    elif login.free is not None:
        found, problems, advice = login.free, login_problems(spec, login.free), login.advice
    else:
        advice = login.advice
        match = _the_one(login, offered_logins(spec))
        found = {"specName": match.name, "params": dict(match.params)}
        problems = schema_problems(mapping(match.auth.get("spec")), match.params)
    if problems:
        raise AepValidationError(f"the {title} login", problems, advice)
    return found


def login_problems(spec: Document, login: Document) -> list[Problem]:
    """Where a login breaks the live ``authSpec`` that it names.

    :raises AepValidationError: the spec says nothing about logins.
    """
    offered = offered_logins(spec)
    name, params = login.get("specName"), login.get("params", {})
    named = [auth for auth in offered if auth["name"] == name]
    if not named:
        names = ", ".join(str(auth["name"]) for auth in offered)
        return [Problem("specName", f"must be one of {names or 'none: send no login'}")]
    if len(named) > 1:
        return [
            Problem("specName", f"names {len(named)} logins of Adobe's live spec, so it is not clear which")
        ]
    if not isinstance(params, Mapping):
        return [Problem("params", "must be a JSON object")]
    return schema_problems(mapping(named[0].get("spec")), params)


def _the_one(held: Held, offered: Sequence[Document]) -> _Match:
    """The login of the live spec that is meant.

    :raises AepValidationError: none fits, or several do.
    """
    if held.wanted:
        named = [auth for auth in offered if str(auth["name"]).lower() == held.wanted.lower()]
        if not named:
            rule = f"must name a login that Adobe offers: {_offers(offered)}"
            raise _refused(held, [Problem("extra.aep_login", rule)])
        offered = named
    complete = [form for form in held.forms if form.complete]
    # Without a login of the table, one that is in none may be held under the names that the spec gives.
    forms: Sequence[Form | None] = complete or [*held.forms, None]
    matches = [_matched(auth, form, held.named) for auth in offered for form in forms]
    fitting = [match for match in matches if match.fits]
    by_name = [match for match in fitting if match.form and match.name == match.form.login.spec_name]
    fitting = by_name or fitting
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(match.name for match in fitting)
        rule = f"has {len(fitting)} logins that fit: {names}. Name one in extra.aep_login"
        raise _refused(held, [Problem("authSpec of Adobe's live spec", rule)])
    raise _refused(held, _why_none(held, matches, offered))


def _matched(auth: Document, form: Form | None, named: Mapping[str, str]) -> _Match:
    listed, required = params_of(auth)
    values = {_meaning(name): value for name, value in form.values.items()} if form else {}
    params: dict[str, str] = {}
    for name in required:
        meaning = _meaning(name)
        if value := values.get(meaning) or named.get(meaning):
            params[name] = value
    told = {_meaning(name) for name in params}
    # What is not required is sent where the table knows it, and only once under several names.
    for name in listed:
        meaning = _meaning(name)
        if name not in required and meaning in values and meaning not in told:
            params[name] = values[meaning]
            told.add(meaning)
    return _Match(
        auth=auth,
        form=form,
        params=params,
        lacking=tuple(name for name in required if name not in params),
        uses_all=form is None or form.needed <= told,
    )


def _why_none(held: Held, matches: Sequence[_Match], offered: Sequence[Document]) -> list[Problem]:
    complete = [form for form in held.forms if form.complete]
    related = [match for match in matches if match.lacking and _is_meant(match)]
    if complete and not any(match.uses_all for match in related):
        kinds = " and ".join(form.login.kind for form in complete)
        rule = f"holds {kinds}, and Adobe offers {_offers(offered)}"
        return [Problem("the connection", f"{rule}; extra.aep_auth passes one of these on as it is")]
    related = [match for match in related if match.uses_all] if complete else related
    if not related:
        rule = f"fits none of the logins that Adobe offers: {_offers(offered)}"
        return [Problem("the connection", f"{rule}; extra.aep_auth passes one of these on as it is")]

    def far(match: _Match) -> tuple[int, bool]:
        return len(match.lacking), not match.params

    if any(match.params for match in related):
        nearest = min(map(far, related))
        related = [match for match in related if far(match) == nearest]
    lacking = dict.fromkeys(name for match in related for name in match.lacking)
    return [Problem(f"/{name}", f"is missing ({_whence(held.destination, name)})") for name in lacking]


def _is_meant(match: _Match) -> bool:
    """Whether a login of the spec and a form of the table speak of the same thing."""
    return match.form is None or match.form.needed <= {_meaning(name) for name in params_of(match.auth)[0]}


def _whence(destination: Destination, name: str) -> str:
    places = dict.fromkeys(
        place
        for login in destination.logins
        for param, given in login.params.items()
        if _meaning(param) == _meaning(name)
        for place in given
    )
    if not places:
        return f"give it as extra.{name}, or the whole login as extra.aep_auth"
    shown = [place for place in places if not place.startswith("extra.session_kwargs")]
    not_taken = [f"; {login.not_taken}" for login in destination.logins if login.not_taken]
    return f"it is taken from {' or '.join(map(_place, shown))}{''.join(not_taken)}"


def _offers(offered: Sequence[Document]) -> str:
    told = (f"{auth['name']} ({', '.join(params_of(auth)[1]) or 'no parameters'})" for auth in offered)
    return ", ".join(told) or "none: send no login"


def _forms(destination: Destination, fields: Mapping[str, Any], wanted: str | None) -> list[Form]:
    """The complete logins of a connection; where there is none, all that it has a part of or could have."""
    forms = [
        Form(login=login, values=dict(_found(login, fields)))
        for login in destination.logins
        if not any(_text(fields.get(place)) for place in login.unless)
    ]
    complete = [form for form in forms if form.complete]
    # Two ways to say the same login, as a connection string and what one is made of: the first one wins.
    unlike = {form.login.spec_name or form.login.kind: form for form in reversed(complete)}
    complete = [form for form in complete if form in unlike.values()]
    asked_for = [form for form in forms if wanted and (form.login.spec_name or "").lower() == wanted.lower()]
    asked_for = [form for form in asked_for if form.complete][:1] or asked_for
    return asked_for or complete or forms


def _two_logins(forms: Sequence[Form], wanted: str | None) -> Iterator[Problem]:
    complete = [form for form in forms if form.complete]
    if len(complete) < 2 or wanted:
        return
    told = [
        f"{form.login.kind} ({', '.join(_fields_of(form.login))}"
        + (f"; Adobe calls it {form.login.spec_name!r})" if form.login.spec_name else ")")
        for form in complete
    ]
    rule = f"holds {len(told)} logins, {' and '.join(told)}: take one out, or name one in extra.aep_login"
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


def _refused(held: Held, problems: Sequence[Problem]) -> AepValidationError:
    return AepValidationError(f"the {held.destination.title} login", dict.fromkeys(problems), held.advice)


def _found(login: Login, fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, places in login.params.items():
        for place in places:
            if value := _value(place, fields):
                # What is no key stays, empty, to be told as such.
                yield name, encoded_key(value) or "" if name in login.base64 else value
                break


def _value(place: str, fields: Mapping[str, Any]) -> str:
    """What a place of the destinations table holds in this connection; empty where it holds nothing."""
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
    """The extras of a connection by what they mean, and for a destination of no table its fields too."""
    given = {key.removeprefix("extra."): fields[key] for key in fields if key.startswith("extra.")}
    if not destination.logins:
        given = {key: fields.get(key) for key in ("host", "login", "password")} | given
    named = {_meaning(key): text for key, value in given.items() if (text := _text(value))}
    address = _text(fields.get("extra.account_url")) or _text(fields.get("host"))
    if address and "accountname" not in named:
        host = urlsplit(address if "://" in address else f"https://{address}").hostname
        named["accountname"] = (host or "").partition(".")[0]
    return named


def _meaning(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return _CALLED.get(plain, plain)


def _fields_of(login: Login) -> list[str]:
    return list(
        dict.fromkeys(field for places in login.params.values() for field in _parts(places[0]) or [places[0]])
    )


def _text(value: object) -> str:
    """A field as text; empty for one that is blank, or holds something else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value.strip() else ""


def _place(place: str) -> str:
    return f"its {' and '.join(_parts(place) or [place])}"


def _parts(place: str) -> list[str]:
    """The fields that a text is made of; none for a place that is a field itself."""
    return [field for _, field, _, _ in string.Formatter().parse(place) if field]
