"""Login and headers, held to the OAuth guide and the Platform troubleshooting guide."""

from __future__ import annotations

import pytest


def test_a_token_lasts_a_day_less_a_second_and_is_counted_in_seconds(api):
    answer = api.ask_token()
    assert answer.status == 200
    assert answer.json.pop("access_token")
    # Source: OAuth Server-to-Server guide.
    assert answer.json["token_type"] == "bearer"
    assert answer.json["expires_in"] == 86399


@pytest.mark.parametrize(
    ("changes", "error", "description"),
    [
        ({"client_secret": "wrong"}, "invalid_client", "invalid client_secret parameter"),
        ({"client_id": "wrong"}, "invalid_client", "invalid client_id parameter"),
        ({"scope": "openid,not_on_it"}, "invalid_scope", None),
        ({"scope": "", "scopes": "openid"}, "invalid_scope", None),
        ({"grant_type": "password"}, "invalid_request", None),
    ],
)
def test_a_refused_login_speaks_oauth(api, changes, error, description):
    answer = api.ask_token(**changes)
    assert answer.status == 400
    assert answer.json["error"] == error
    assert description in (None, answer.json["error_description"])


@pytest.mark.parametrize(
    ("header", "value", "status", "error_code", "message"),
    [
        # Source: Platform troubleshooting guide, codes and words.
        ("Authorization", None, 403, "403010", "Oauth token is missing."),
        ("Authorization", "Bearer made-up", 401, "401013", "Oauth token is not valid"),
        ("x-api-key", None, 403, "403000", "Api Key is required"),
        ("x-api-key", "made-up", 403, "403003", "Api Key is invalid"),
        ("x-gw-ims-org-id", None, 400, "400003", "Missing header"),
        ("x-gw-ims-org-id", "no organization", 403, "403027", "User region is missing"),
        ("x-gw-ims-org-id", "OTHER@AdobeOrg", 403, "403025", "Profile is not valid"),
    ],
)
def test_the_gateway_turns_away_a_call_in_its_own_words(api, header, value, status, error_code, message):
    api.headers[header] = value
    answer = api.call("GET", "/flows")
    assert answer.status == status
    assert answer.json == {"error_code": error_code, "message": message}


def test_the_missing_token_is_told_before_the_missing_key_and_that_before_the_missing_organization(api):
    told = []
    for header in ("Authorization", "x-api-key", "x-gw-ims-org-id"):
        bare = dict.fromkeys(("Authorization", "x-api-key", "x-gw-ims-org-id"))
        present = list(bare)[: list(bare).index(header)]
        api_headers = {name: api.headers[name] if name in present else None for name in bare}
        told.append(api.call("GET", "/flows", **api_headers).json["error_code"])
    assert told == ["403010", "403000", "400003"]


def test_an_expired_token_is_a_bad_token(api):
    api.get("/flows")
    api.clock.advance(86398)
    api.get("/flows")
    api.clock.advance(1)
    assert api.call("GET", "/flows").json["error_code"] == "401013"
    api.log_in()
    api.get("/flows")


def test_tokens_can_be_expired_at_will(api):
    api.emulator.expire_tokens()
    assert api.call("GET", "/flows").status == 401


def test_without_a_sandbox_header_the_sandbox_is_prod(api):
    api.post("/sourceConnections", api.source_body())
    api.headers["x-sandbox-name"] = None
    assert api.one("/sourceConnections")["sandboxName"] == "prod"


def test_an_unknown_sandbox_is_not_found(api, code):
    answer = api.call("GET", "/flows", x_sandbox_name="playground")
    assert code(answer) == "FLOW-2100-404"


def test_the_sandbox_id_header_is_not_for_user_tokens(api, code):
    assert code(api.call("GET", "/flows", x_sandbox_id="0b1c")) == "FLOW-2110-400"


def test_sandboxes_do_not_see_each_other(api, code):
    made = api.post("/connections", api.base_body())
    api.headers["x-sandbox-name"] = "dev"
    assert api.get("/connections")["items"] == []
    assert code(api.call("GET", f"/connections/{made['id']}")) == "FLOW-1439-404"


def test_a_body_of_another_type_is_refused_in_the_platform_shape(api):
    answer = api.call("POST", "/connections", json={}, content_type="text/plain")
    assert answer.status == 400
    # Source: Platform troubleshooting guide.
    assert answer.json == {
        "type": "/placeholder/type/uri",
        "status": 400,
        "title": "BadRequestError",
        "detail": "A valid content-type must be specified",
    }


def test_a_path_that_nobody_serves_is_not_found(api):
    assert api.call("GET", "/nothing").status == 404


def test_a_whole_url_and_a_path_are_the_same_request(api):
    api.post("/connections", api.base_body())
    url = "https://platform.adobe.io/data/foundation/flowservice/connections"
    assert api.get(url) == api.get("/connections")
    assert [each.path for each in api.emulator.requests("GET")] == ["/connections", "/connections"]
