"""Login, headers, and what an answer is taken to be. Repeats have a file of their own."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.errors import (
    AepApiError,
    AepAuthError,
    AepError,
    AepNotFoundError,
    AepPreconditionError,
    AepRateLimitError,
    AepServerError,
    AepTransportError,
    AepValidationError,
)
from airflow_provider_aep.flowservice.connections import create_base_connection, get_connection_spec
from airflow_provider_aep.flowservice.dataflows import get_dataflow
from airflow_provider_aep.flowservice.datasets import list_datasets
from airflow_provider_aep.flowservice.destinations import S3, SFTP
from airflow_provider_aep.flowservice.driving import adrive, advance, drive
from airflow_provider_aep.flowservice.exchange import Pause, Request, Response
from airflow_provider_aep.flowservice.session import TRIES, AepSession

LOGIN = ("POST", "/ims/token/v3")
S3_LOGIN = {
    "specName": "Access Key",
    "params": {"s3AccessKey": "AKIA2345ABCDEFGH2345", "s3SecretKey": "abcd" * 10},
}


class Wire:
    """The way to the emulator, remembering each request as it was sent."""

    def __init__(self, emulator):
        self.emulator, self.sent = emulator, []

    def send(self, request):
        self.sent.append(request)
        return self.emulator.send(request)


class Answering:
    """A service that logs everybody in and gives the same answer to everything else."""

    def __init__(self, response):
        self.response = response

    def send(self, request):
        if request.form is not None:
            return Response(200, body=b'{"access_token": "t0ken-t0ken", "expires_in": 86399}')
        return self.response


@pytest.fixture
def session(run) -> AepSession:
    return run.session


@pytest.fixture
def wire(emulator) -> Wire:
    return Wire(emulator)


@pytest.fixture
def answered(session, ask):
    """The error that a given answer of the service becomes."""

    def answered(status, body=None, headers=(), request=Request("GET", "/flows")):  # noqa: B008 - frozen
        data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        service = Answering(Response(status, dict(headers), data))
        with pytest.raises(AepApiError) as caught:
            drive(session.conduct(ask(request), sandbox="prod"), service, lambda seconds: None)
        return caught.value

    return answered


# Login


def test_many_requests_share_one_token(run, emulator, tokens):
    for _ in range(3):
        run(list_datasets())
    assert len(emulator.requests(*LOGIN)) == 1
    assert len(tokens) == 1


def test_the_token_is_asked_for_in_the_body_with_the_documented_fields(session, wire, credentials, ask):
    drive(session.conduct(ask(Request("GET", "/flows")), sandbox="prod"), wire)
    login = wire.sent[0]
    assert (login.method, login.path) == ("POST", "https://ims-na1.adobelogin.com/ims/token/v3")
    assert login.form == {
        "grant_type": "client_credentials",
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
        "scope": "openid,AdobeID,read_organizations,additional_info.projectedProductContext,session",
    }
    assert login.query == []
    assert not {"Authorization", "x-api-key"} & set(login.headers)


def test_threads_that_start_together_fetch_one_token(session, emulator):
    threads, waiting = 8, threading.Event()
    together = threading.Barrier(threads)

    class Slow:
        def send(self, request):
            if request.form is not None:
                assert waiting.wait(10), "nobody waits for the token that is being fetched"
            return emulator.send(request)

    def rest(seconds):
        waiting.set()
        time.sleep(0)

    def work():
        together.wait(10)
        return len(drive(session.conduct(list_datasets(), sandbox="prod"), Slow(), rest))

    with ThreadPoolExecutor(threads) as pool:
        found = [pool.submit(work) for _ in range(threads)]
        assert {future.result(10) for future in found} == {len(emulator.datasets())}
    assert len(emulator.requests(*LOGIN)) == 1


def test_who_waited_for_a_token_that_could_not_be_fetched_is_told_why_at_once(session, emulator):
    emulator.fail_next(503, times=TRIES, match="/ims/token")
    first, second = (session.conduct(list_datasets(), sandbox="prod") for _ in range(2))
    assert isinstance(advance(first, emulator), Pause)  # refused once, and about to try again
    assert isinstance(advance(second, emulator), Pause)  # waits for the first
    with pytest.raises(AepServerError):
        drive(first, emulator, sleep=lambda seconds: None)
    with pytest.raises(AepServerError):
        drive(second, emulator, sleep=lambda seconds: None)
    assert len(emulator.requests(*LOGIN)) == TRIES
    assert drive(session.conduct(list_datasets(), sandbox="prod"), emulator)  # who comes later tries anew


def test_exchanges_in_one_event_loop_fetch_one_token(session, emulator):
    async def story():
        return await asyncio.gather(
            *(adrive(session.conduct(list_datasets(), sandbox="prod"), emulator) for _ in range(6))
        )

    assert len(asyncio.run(story())) == 6
    assert len(emulator.requests(*LOGIN)) == 1


def test_when_the_one_that_fetches_the_token_fails_the_next_one_fetches_it(run, emulator):
    emulator.fail_next(400, match="/ims/token", body={"error": "invalid_client"})
    with pytest.raises(AepAuthError):
        run(list_datasets())
    assert run(list_datasets())
    assert run.pauses == []


def test_a_token_is_renewed_ten_minutes_before_it_ends(run, emulator, clock):
    run(list_datasets())
    clock.advance(86399 - 601)
    run(list_datasets())
    assert len(emulator.requests(*LOGIN)) == 1
    clock.advance(2)
    run(list_datasets())
    assert len(emulator.requests(*LOGIN)) == 2


def test_a_short_lived_token_is_used_for_half_of_its_life(clock, run):
    emulator = Emulator(clock=clock, token_seconds=300)
    run.emulator = emulator
    run(list_datasets())
    clock.advance(149)
    run(list_datasets())
    assert len(emulator.requests(*LOGIN)) == 1
    clock.advance(2)
    run(list_datasets())
    assert len(emulator.requests(*LOGIN)) == 2


def test_a_token_that_is_refused_is_replaced_once(run, emulator, tokens):
    run(list_datasets())
    emulator.expire_tokens()
    assert run(list_datasets())
    assert len(set(tokens)) == 2
    assert run.pauses == []


def test_a_second_refusal_is_an_auth_error(run, emulator):
    emulator.fail_next(401, times=2)
    with pytest.raises(AepAuthError) as caught:
        run(list_datasets())
    assert (caught.value.status, caught.value.code) == (401, "401013")
    assert len(emulator.requests(*LOGIN)) == 2
    assert run.pauses == []


@pytest.mark.parametrize("number", [2114, 2115])
def test_a_token_that_only_the_service_behind_the_gateway_refuses_is_replaced_too(run, emulator, number):
    body = {"type": f"https://ns.adobe.com/aep/errors/FLOW-{number}-400", "title": "Invalid token"}
    emulator.fail_next(400, body=body)
    assert run(list_datasets())
    assert len(emulator.requests(*LOGIN)) == 2


def test_a_refused_token_is_forgotten_by_one_thread_only_once(session, emulator, ask):
    """Two exchanges that hold the same refused token must not throw away each other's new one."""
    exchanges = [session.conduct(ask(Request("GET", "/flows")), sandbox="prod") for _ in range(2)]
    drive(session.conduct(list_datasets(), sandbox="prod"), emulator)
    signed = [next(exchange) for exchange in exchanges]
    emulator.expire_tokens()
    refused = [emulator.send(request) for request in signed]
    for exchange, answer in zip(exchanges, refused, strict=True):
        carry_on(exchange, answer, emulator)
    assert len(emulator.requests(*LOGIN)) == 2


def test_a_wrong_secret_is_told_with_a_hint_and_without_the_secret(run, emulator, credentials):
    wrong = replace(credentials, client_secret="wrong-and-s3cret")
    run.session = AepSession(wrong, now=emulator.clock)
    with pytest.raises(AepAuthError) as caught:
        run(list_datasets())
    assert caught.value.code == "invalid_client"
    assert "client secret" in str(caught.value)
    assert "wrong-and-s3cret" not in str(caught.value)
    assert len(emulator.requests(*LOGIN)) == 1
    assert "s3cret" not in repr(wrong)


def test_a_scope_that_the_credential_lacks_is_told_with_a_hint(run, emulator, credentials):
    run.session = AepSession(replace(credentials, scopes="openid,extra"), now=emulator.clock)
    with pytest.raises(AepAuthError, match="Check scopes in the extra"):
        run(list_datasets())


@pytest.mark.parametrize(
    "body", [{}, {"access_token": "abc"}, {"access_token": "", "expires_in": 9}, {"expires_in": 9}]
)
def test_a_login_answer_without_a_usable_token_is_an_auth_error(run, emulator, body):
    emulator.fail_next(200, match="/ims/token", body=body)
    with pytest.raises(AepAuthError, match="no access_token"):
        run(list_datasets())


def test_the_token_endpoint_is_asked_again_when_it_is_busy(run, emulator):
    emulator.fail_next(503, match="/ims/token")
    emulator.reset_next(match="/ims/token")
    assert run(list_datasets())
    assert run.pauses == [2.0, 4.0]


# Headers


def test_a_read_carries_exactly_the_documented_headers(session, wire, credentials, tokens, ask):
    drive(session.conduct(ask(Request("GET", "/flows")), sandbox="dev"), wire)
    assert wire.sent[-1].headers == {
        "Accept": "application/json",
        "Authorization": f"Bearer {tokens[0]}",
        "x-api-key": credentials.client_id,
        "x-gw-ims-org-id": credentials.org_id,
        "x-sandbox-name": "dev",
    }


def test_only_a_request_with_a_body_has_a_content_type(session, wire, ask):
    body = Request("POST", "/connections", json={})
    action = Request("POST", "/flows/unknown/action", params={"op": "enable"})
    for request in (body, action):
        with pytest.raises(AepApiError):
            drive(session.conduct(ask(request), sandbox="prod"), wire)
    kinds = [request.headers.get("Content-Type") for request in wire.sent if request.form is None]
    assert kinds == ["application/json", None]


def test_every_call_names_its_sandbox_by_name_and_never_by_id(session, wire):
    for sandbox in ("prod", "dev"):
        drive(session.conduct(list_datasets(), sandbox=sandbox), wire)
    called = [request.headers for request in wire.sent if request.form is None]
    assert [headers["x-sandbox-name"] for headers in called] == ["prod", "dev"]
    assert not any("x-sandbox-id" in map(str.lower, headers) for headers in called)


def test_a_header_of_the_request_itself_wins(session, wire, ask):
    request = Request("GET", "/flows", headers={"Accept": "application/vnd.adobe+json", "If-Match": '"1"'})
    drive(session.conduct(ask(request), sandbox="prod"), wire)
    assert wire.sent[-1].headers["Accept"] == "application/vnd.adobe+json"
    assert wire.sent[-1].headers["If-Match"] == '"1"'


# Answers


SHAPES = {
    "gateway": (
        403,
        {"error_code": "403025", "message": "Profile is not valid"},
        (AepAuthError, "403025", None, "Profile is not valid"),
    ),
    "gateway, code as a number": (
        401,
        {"error_code": 401013, "message": "Oauth token is not valid"},
        (AepAuthError, "401013", None, "Oauth token is not valid"),
    ),
    "flow service": (
        404,
        {
            "type": "https://ns.adobe.com/aep/errors/FLOW-1439-404",
            "title": "Resource not found",
            "status": 404,
            "report": {"detailed-message": "The flow is not found.", "request-id": "9kX", "type": "flows"},
            "errorMessage": "older words",
        },
        (AepNotFoundError, "FLOW-1439-404", "9kX", "The flow is not found."),
    ),
    "flow service, older": (
        412,
        {"errorMessage": "Supplied version does not match", "errorDetails": "more"},
        (AepPreconditionError, None, None, "Supplied version does not match"),
    ),
    "flow service, one word": (
        400,
        {"message": "Please provide a valid spec id"},
        (AepApiError, None, None, "Please provide a valid spec id"),
    ),
    "platform": (
        400,
        {"type": "/placeholder/type/uri", "title": "BadRequestError", "detail": "A valid content-type"},
        (AepApiError, None, None, "A valid content-type"),
    ),
    "a proxy's page": (
        502,
        b"<html>\n  <h1>Bad   gateway</h1></html>",
        (AepServerError, None, None, "<html> <h1>Bad gateway</h1></html>"),
    ),
    "nothing at all": (500, b"", (AepServerError, None, None, "no message")),
    "a list": (400, b'["odd"]', (AepApiError, None, None, '["odd"]')),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_error_becomes_a_typed_one(answered, shape):
    status, body, expected = SHAPES[shape]
    error = answered(status, body)
    assert (type(error), error.code, error.request_id, error.message) == expected
    assert error.status == status
    assert str(error).startswith(f"GET /flows answered {status}")


def test_the_login_servers_own_shape_is_understood(run, emulator):
    body = {"error": "invalid_client", "error_description": "invalid client_id parameter"}
    emulator.fail_next(401, match="/ims/token", body=body)
    with pytest.raises(AepAuthError) as caught:
        run(list_datasets())
    error = caught.value
    assert (error.status, error.code, error.message) == (401, "invalid_client", "invalid client_id parameter")


def test_a_request_id_in_a_header_is_kept_for_adobes_support(answered):
    error = answered(400, {"message": "no"}, {"x-request-id": "aBc123"})
    assert error.request_id == "aBc123"
    assert "request id aBc123" in str(error)


def test_missing_permissions_are_named(answered):
    assert "View Destinations, View Datasets" in str(answered(403, {"error_code": "403999", "message": "no"}))


def test_a_403_speaks_of_access_labels_too(answered):
    told = str(answered(403, {"error_code": "403999", "message": "no"}))
    assert "access labels on the datasets or on the dataflow" in told


NAME = "This looks like a name: AepListDataflowsOperator lists the ids of dataflows."


@pytest.mark.parametrize(
    ("path", "status", "code", "told"),
    [
        ("/flows/crm-nightly", 404, "FLOW-1439-404", True),
        ("/flows/crm-nightly", 400, "FLOW-1439-400", True),
        ("/flows/crm-nightly/action", 404, "FLOW-1439-404", True),
        ("/flows/8256cfb4-17e6-432c-a469-6aedafb16cd5", 404, "FLOW-1439-404", False),
        ("/flows/crm-nightly", 400, "FLOW-1422-400", False),
        ("/connections/crm-nightly", 404, "FLOW-1439-404", False),
        ("/flows", 404, "FLOW-1439-404", False),
    ],
)
def test_a_name_in_the_place_of_a_dataflows_id_is_told_as_such(answered, path, status, code, told):
    body = {"type": f"https://ns.adobe.com/aep/errors/{code}", "errorMessage": "Verify the resource ID"}
    assert (NAME in str(answered(status, body, request=Request("GET", path)))) is told


@pytest.mark.parametrize("name", ["CRM nightly", "crm/nightly", "Größe"])
def test_a_name_that_no_id_can_be_is_told_before_anything_is_sent(run, emulator, name):
    with pytest.raises(AepValidationError, match=r"dataflow_id must be an id.*This looks like a name"):
        run(get_dataflow(name))
    assert emulator.log == []


def test_an_unknown_sandbox_is_told_with_a_hint(run):
    run.sandbox = "nowhere"
    with pytest.raises(AepNotFoundError, match="Check the sandbox of the task"):
        run(list_datasets())


def test_a_redirect_is_not_followed_but_told(answered):
    error = answered(302, b"", {"location": "https://elsewhere.example.com/"})
    assert type(error) is AepApiError
    assert "redirects are never followed" in str(error)


def test_a_long_message_is_shortened(answered):
    assert len(answered(400, {"message": "long " * 1000}).message) < 310


@pytest.mark.parametrize("field", ["message", "errorMessage", "detail"])
def test_secrets_that_a_refusal_quotes_are_blotted_out(run, emulator, credentials, tokens, field):
    run(list_datasets())
    secrets = [credentials.client_secret, tokens[0], *S3_LOGIN["params"].values()]
    emulator.fail_next(400, match="POST /connections", body={field: f"cannot use {' or '.join(secrets)}"})
    with pytest.raises(AepApiError) as caught:
        run(create_base_connection(name="crm", destination=S3, login=S3_LOGIN))
    assert "cannot use *** or ***" in str(caught.value)
    assert [secret for secret in secrets if secret in repr(caught.value.__reduce__())] == []


def test_a_secret_deep_inside_a_login_or_beside_its_params_is_blotted_out(run, emulator):
    auth = {"specName": "Key", "params": {"key": {"inner": ["deep-secret-1"]}}, "other": "deep-secret-2"}

    def sent():
        yield Request("POST", "/connections", json={"name": "x", "auth": auth})

    emulator.fail_next(400, match="POST /connections", body={"message": "Key: deep-secret-1, deep-secret-2"})
    with pytest.raises(AepApiError) as caught:
        run(sent())
    assert "deep-secret" not in repr(caught.value.__reduce__())
    assert "Key" in str(caught.value)


def test_no_part_of_a_secret_survives_where_a_long_message_is_cut(run, emulator):
    secret = "abcdefghij" * 4
    login = {"specName": "Access Key", "params": {**S3_LOGIN["params"], "s3SecretKey": secret}}
    emulator.fail_next(400, match="POST /connections", body={"message": "x" * 280 + secret})
    with pytest.raises(AepApiError) as caught:
        run(create_base_connection(name="crm", destination=S3, login=login))
    assert secret[:10] not in str(caught.value)


@pytest.mark.parametrize(
    ("params", "quoted"),
    [
        ({"connectionString": "AccountName=acme;AccountKey=azurekey+/=="}, "azurekey+/=="),
        ({"password": 'with"quote\\slash'}, json.dumps('with"quote\\slash')),
        ({"password": "p%ss word"}, "p%25ss%20word"),
        ({"sshKey": base64.b64encode(b"BEGIN\nthe private part\nEND").decode()}, "the private part"),
    ],
)
def test_a_secret_is_known_again_in_the_forms_in_which_it_is_quoted(run, emulator, params, quoted):
    emulator.fail_next(400, match="POST /connections", body={"message": f"cannot use {quoted}"})
    with pytest.raises(AepApiError) as caught:
        run(one_post("/connections", {"name": "x", "auth": {"specName": "s", "params": params}}))
    assert quoted.strip('"') not in str(caught.value)
    assert "cannot use" in str(caught.value)


def test_a_secret_with_blanks_in_it_is_blotted_out_as_well(run, emulator):
    secret = "pass  word\twith  blanks"
    login = {"specName": "SFTP with Password", "params": {"domain": "d", "username": "u", "password": secret}}
    emulator.fail_next(400, match="POST /connections", body={"message": f"cannot use {secret}"})
    # The spec's rules refuse a tab, so this one is asked for without them.
    exchange = one_post("/connections", {"name": "x", "auth": login})
    with pytest.raises(AepApiError) as caught:
        run(exchange)
    assert "word" not in str(caught.value)


@pytest.mark.parametrize("page", ["<html>Please sign in</html>", '{"items": [{"id": "5ef3', "null", "[]"])
def test_a_page_or_a_cut_answer_to_a_read_is_asked_for_again(run, emulator, page):
    emulator.fail_next(200, body=page)
    assert len(run(list_datasets())) == len(emulator.datasets())
    assert run.pauses == [2.0]


@pytest.mark.parametrize("page", ["<html>Please sign in</html>", '{"id": "5ef3'])
def test_a_page_or_a_cut_answer_to_a_create_leaves_the_outcome_unknown(run, emulator, page):
    emulator.fail_next(201, match="POST /connections", body=page)
    with pytest.raises(AepTransportError) as caught:
        run(create_base_connection(name="crm", destination=S3, login=S3_LOGIN))
    assert caught.value.sent
    assert "not a JSON document" in str(caught.value)
    assert len(emulator.requests("POST", "/connections")) == 1


def test_an_empty_answer_is_fine_where_none_is_documented(run, emulator, make_dataflow, ask):
    answer = run(ask(Request("DELETE", f"/flows/{make_dataflow()}")))
    assert (answer.status, answer.body, answer.json) == (202, b"", {})


@pytest.mark.parametrize(
    ("status", "kind"), [(429, AepRateLimitError), (500, AepServerError), (504, AepServerError)]
)
def test_what_repeating_did_not_mend_keeps_its_class(answered, status, kind):
    assert type(answered(status)) is kind


# Specs that are kept


def test_a_connection_spec_is_fetched_once_for_each_sandbox(run, emulator):
    for sandbox in ("prod", "prod", "dev"):
        run.sandbox = sandbox
        for destination in (S3, SFTP):
            run(get_connection_spec(destination))
    assert len(emulator.requests("GET", "/connectionSpecs/*")) == 4


def test_a_spec_that_could_not_be_read_is_not_kept(run, emulator):
    emulator.fail_next(404)
    with pytest.raises(AepNotFoundError):
        run(get_connection_spec(S3))
    assert run(get_connection_spec(S3))["name"] == "Amazon S3"


@pytest.mark.parametrize("body", [{}, {"items": []}])
def test_a_spec_that_came_back_empty_is_fetched_again_the_next_time(run, emulator, body):
    emulator.fail_next(200, body=body)
    with pytest.raises(AepError):
        run(get_connection_spec(S3))
    assert run(get_connection_spec(S3))["name"] == "Amazon S3"


def one_post(path, document):
    return (yield Request("POST", path, json=document))


def carry_on(exchange, answer, transport):
    """Drive an exchange that already made its first request."""
    try:
        while True:
            answer = transport.send(exchange.send(answer))
    except StopIteration:
        return
