"""Trouble on demand, and the log that tells what arrived."""

from __future__ import annotations

import json
import math

import pytest

from airflow_provider_aep.emulator.faults import fault_from
from airflow_provider_aep.errors import AepTransportError


def test_a_refusal_strikes_as_often_as_ordered(api, emulator):
    emulator.fail_next(503, times=2)
    answers = [api.call("GET", "/flows").status for _ in range(3)]
    assert answers == [503, 503, 200]


@pytest.mark.parametrize(("status", "number"), [(500, 1102), (503, 1103), (504, 1104)])
def test_server_errors_carry_adobes_numbers(api, emulator, code, status, number):
    emulator.fail_next(status)
    # Source: Flow Service error table.
    assert code(api.call("GET", "/flows")) == f"FLOW-{number}-{status}"


def test_a_throttled_call_speaks_like_the_gateway_with_or_without_retry_after(api, emulator):
    emulator.fail_next(429)
    emulator.fail_next(429, retry_after=38)
    first, second = (api.call("GET", "/flows") for _ in range(2))
    assert first.json == second.json == {"error_code": "429050", "message": "Too many requests"}
    assert "retry-after" not in first.headers
    assert second.headers["retry-after"] == "38"


def test_a_refused_request_is_not_processed(api, emulator):
    emulator.fail_next(503)
    api.call("POST", "/connections", json=api.base_body())
    assert emulator.entities("connections") == []


def test_trouble_waits_for_the_request_it_is_meant_for(api, emulator):
    emulator.fail_next(500, match="POST /flows")
    export = {"source": "s", "target": "t"}
    assert api.call("GET", "/flows").status == 200
    assert api.call("POST", "/connections", json=api.base_body()).status == 201
    assert api.call("POST", "/flows", json=api.flow_body(export["source"], export["target"])).status == 500


def test_a_login_is_struck_only_by_name(api, emulator):
    emulator.fail_next(503)
    assert api.ask_token().status == 200
    emulator.fail_next(429, match="/ims/token")
    assert api.ask_token().status == 429


def test_a_body_can_be_given_as_json_or_as_a_proxys_page(api, emulator):
    emulator.fail_next(400, body={"message": "anything"})
    emulator.fail_next(502, body="<html>Bad gateway</html>")
    assert api.call("GET", "/flows").json == {"message": "anything"}
    page = api.call("GET", "/flows")
    assert page.body == b"<html>Bad gateway</html>"
    assert page.headers["content-type"] == "text/html"


@pytest.mark.parametrize(
    ("order", "sent", "processed"),
    [
        (lambda emulator: emulator.reset_next(), False, 0),
        (lambda emulator: emulator.drop_next(), True, 0),
        (lambda emulator: emulator.lose_next(), True, 1),
        (lambda emulator: emulator.stall_next(60), True, 1),
    ],
    ids=["reset", "drop", "lose", "stall"],
)
def test_a_broken_connection_tells_whether_the_request_was_sent(api, emulator, order, sent, processed):
    order(emulator)
    now = api.clock.now
    with pytest.raises(AepTransportError) as broken:
        api.call("POST", "/connections", json=api.base_body())
    assert broken.value.sent is sent
    assert len(emulator.entities("connections")) == processed
    assert api.clock.now == now
    assert api.call("GET", "/connections").status == 200


def test_trouble_can_be_called_off(api, emulator):
    emulator.fail_next(500, times=100)
    emulator.clear_faults()
    assert api.call("GET", "/flows").status == 200


def test_the_log_tells_requests_and_how_they_were_answered(api, emulator):
    emulator.log.clear()
    made = api.post("/connections", api.base_body())
    api.get("/connections", ("property", "name==a"), ("property", "name==b"), ("limit", 10))
    emulator.lose_next()
    with pytest.raises(AepTransportError):
        api.call("DELETE", f"/connections/{made['id']}")
    assert [(each.method, each.status) for each in emulator.log] == [
        ("POST", 201),
        ("GET", 200),
        ("DELETE", 0),
    ]
    assert emulator.log[1].query == (("property", "name==a"), ("property", "name==b"), ("limit", "10"))
    assert "authorization" in emulator.log[1].headers
    assert len(emulator.requests("DELETE", "/connections/*")) == 1
    assert emulator.requests("GET", "/flows") == []
    assert emulator.requests(path="/connections") == emulator.log[:2]


def test_the_log_holds_no_secret(api, emulator):
    base = api.post("/connections", api.base_body())["id"]
    new_login = {"s3AccessKey": "AKIA2345ABCDEFGH2346", "s3SecretKey": "dcba" * 10}
    api.patch(f"/connections/{base}", {"op": "replace", "path": "/auth/params", "value": new_login})
    encryption = {"specName": "File Encryption", "params": {"publicKey": "a key of mine"}}
    api.post("/connections", {**api.base_body(), "encryption": encryption})
    api.call("POST", "https://ims-na1.adobelogin.com/ims/token/v3", params=api.form())
    log = repr(emulator.log) + json.dumps([each.to_json() for each in emulator.log])
    assert "Access Key" in log
    for secret in (
        emulator.client_secret,
        api.headers["Authorization"].split()[1],
        *api.base_body()["auth"]["params"].values(),
        *new_login.values(),
        "a key of mine",
    ):
        assert secret not in log


@pytest.mark.parametrize(
    ("field", "order"),
    [
        ("kind", {"kind": "earthquake"}),
        ("kind", {"kind": ["fail"]}),
        ("kind", {}),
        *(("times", {"kind": "reset", "times": times}) for times in ("x", 0, -1, 1.5, True, None, 10**9)),
        *(("match", {"kind": "reset", "match": match}) for match in (5, ["GET"], True)),
        *(("status", {"kind": "fail", **status}) for status in ({}, {"status": 99}, {"status": "500"})),
        *(
            ("retry_after", {"kind": "fail", "status": 429, "retry_after": value})
            for value in ("3\r\nX-Evil: 1", "\x00", "später", -1, math.nan, math.inf, True, [3], "9" * 10_001)
        ),
        *(("seconds", {"kind": "stall", "seconds": value}) for value in ("x", -1, math.nan, 1e9, None)),
        ("body", {"kind": "fail", "status": 500, "body": "\ud800"}),
    ],
)
def test_trouble_of_the_wrong_type_or_size_is_declined_by_name(field, order):
    with pytest.raises(ValueError, match=field):
        fault_from(order)


def test_levers_in_python_decline_the_same(api, emulator):
    with pytest.raises(ValueError, match="retry_after"):
        emulator.fail_next(429, retry_after="3\r\nX-Evil: 1")
    with pytest.raises(ValueError, match="times"):
        emulator.reset_next(times=0)
    assert api.call("GET", "/flows").status == 200


def test_a_date_to_come_back_at_is_allowed(api, emulator):
    emulator.order(
        fault_from({"kind": "fail", "status": 503, "retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"})
    )
    assert api.call("GET", "/flows").headers["retry-after"] == "Wed, 21 Oct 2026 07:28:00 GMT"
