"""The login to a cloud storage as Adobe's live spec wants it.

The fields of an Airflow connection are matched with the live ``authSpec`` by the meaning of its parameters:
the table in ``destinations`` is a hint; the spec decides which names are sent and which are required. This
module sends nothing.

No value of a login is ever part of a message or a ``repr``: messages name Adobe's parameter and the Airflow
field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.flowservice.catalogue import offered_logins, params_of
from airflow_provider_aep.flowservice.destinations import Destination
from airflow_provider_aep.flowservice.documents import Document, mapping
from airflow_provider_aep.flowservice.held_logins import Form, Held, place_words, refused
from airflow_provider_aep.flowservice.login_names import meaning_of
from airflow_provider_aep.flowservice.validation import schema_problems


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    """A login of the live spec, filled from an Airflow connection."""

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


def resolve_login(login: Held | Document, spec: Document, *, title: str, advice: str = "") -> Document:
    """The login as the live spec wants it: ``{"specName": ..., "params": {...}}``.

    :param login: the result of ``hold_login``, or a login that is sent unchanged.
    :param spec: the live connection spec.
    :param title: the destination, for the error message.
    :param advice: where to correct a login that is sent unchanged.
    :raises AepValidationError: the login fits none of the spec's logins, or several, or breaks the spec.
    """
    if not isinstance(login, Held):
        resolved, problems = login, login_problems(spec, login)
    elif login.free is not None:
        resolved, problems, advice = login.free, login_problems(spec, login.free), login.advice
    else:
        advice = login.advice
        match = _only_match(login, offered_logins(spec))
        resolved = {"specName": match.name, "params": dict(match.params)}
        problems = schema_problems(mapping(match.auth.get("spec")), match.params)
    if problems:
        raise AepValidationError(f"the {title} login", problems, advice)
    return resolved


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


def _only_match(held: Held, offered: Sequence[Document]) -> _Match:
    """The login of the live spec that is meant.

    :raises AepValidationError: none fits, or several do.
    """
    if held.wanted:
        named = [auth for auth in offered if str(auth["name"]).lower() == held.wanted.lower()]
        if not named:
            rule = f"must name a login that Adobe offers: {_offers(offered)}"
            raise refused(held, [Problem("extra.aep_login", rule)])
        offered = named
    complete = [form for form in held.forms if form.complete]
    # If no login of the table is complete, the connection may hold another under the names of the spec.
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
        raise refused(held, [Problem("authSpec of Adobe's live spec", rule)])
    raise refused(held, _why_none(held, matches, offered))


def _matched(auth: Document, form: Form | None, named: Mapping[str, str]) -> _Match:
    listed, required = params_of(auth)
    values = {meaning_of(name): value for name, value in form.values.items()} if form else {}
    params: dict[str, str] = {}
    for name in required:
        meaning = meaning_of(name)
        if value := values.get(meaning) or named.get(meaning):
            params[name] = value
    sent = {meaning_of(name) for name in params}
    # An optional parameter is sent if the table knows it, and once if it has several names.
    for name in listed:
        meaning = meaning_of(name)
        if name not in required and meaning in values and meaning not in sent:
            params[name] = values[meaning]
            sent.add(meaning)
    return _Match(
        auth=auth,
        form=form,
        params=params,
        lacking=tuple(name for name in required if name not in params),
        uses_all=form is None or form.needed <= sent,
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
    """Whether a login of the spec and a form of the table mean the same login."""
    return match.form is None or match.form.needed <= {meaning_of(name) for name in params_of(match.auth)[0]}


def _whence(destination: Destination, name: str) -> str:
    places = dict.fromkeys(
        place
        for login in destination.logins
        for param, given in login.params.items()
        if meaning_of(param) == meaning_of(name)
        for place in given
    )
    if not places:
        return f"give it as extra.{name}, or the whole login as extra.aep_auth"
    shown = [place for place in places if not place.startswith("extra.session_kwargs")]
    not_taken = [f"; {login.not_taken}" for login in destination.logins if login.not_taken]
    return f"it is taken from {' or '.join(map(place_words, shown))}{''.join(not_taken)}"


def _offers(offered: Sequence[Document]) -> str:
    words = (f"{auth['name']} ({', '.join(params_of(auth)[1]) or 'no parameters'})" for auth in offered)
    return ", ".join(words) or "none: send no login"
