"""The emulator over a real socket, and its levers over HTTP."""

from __future__ import annotations

import http.client
import json
import re
import select
import socket
import time
from urllib.parse import urlencode, urlsplit

import pytest

from airflow_provider_aep.emulator.__main__ import main
from airflow_provider_aep.emulator.control import control
from airflow_provider_aep.emulator.server import EmulatorServer, airflow_connection, serve

FLOWS = "/data/foundation/flowservice/flows"
CONNECTIONS = "/data/foundation/flowservice/connections"


@pytest.fixture
def url(emulator):
    with serve(emulator) as url:
        yield url


@pytest.fixture
def wire(url, api):
    """One kept-alive connection; ``ask`` sends over it."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)

    def ask(method, path, body=None, **headers):
        given = {
            **api.headers,
            **({"Content-Type": "application/json"} if body is not None else {}),
            **headers,
        }
        connection.request(method, path, None if body is None else json.dumps(body), given)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, dict(answer.getheaders()), json.loads(text) if text else None

    ask.connection = connection
    yield ask
    connection.close()


def test_it_listens_on_this_machine_only(url):
    assert url.startswith("http://127.0.0.1:")


def test_a_whole_story_fits_in_one_kept_alive_connection(wire, api, url):
    form = urlencode(api.form())
    wire.connection.request(
        "POST", "/ims/token/v3", form, {"Content-Type": "application/x-www-form-urlencoded"}
    )
    token = json.loads(wire.connection.getresponse().read())["access_token"]
    api.headers["Authorization"] = f"Bearer {token}"
    status, headers, made = wire("POST", CONNECTIONS, api.base_body())
    assert status == 201
    assert headers["location"] == f"{url}{CONNECTIONS}/{made['id']}"
    wire_socket = wire.connection.sock
    query = urlencode([("property", "name==crm-account"), ("property", "state==enabled")])
    status, _, found = wire("GET", f"{CONNECTIONS}?{query}")
    assert [each["id"] for each in found["items"]] == [made["id"]]
    assert wire("DELETE", f"{CONNECTIONS}/{made['id']}")[0] == 202
    assert wire.connection.sock is wire_socket


def test_a_body_without_its_content_type_is_refused(wire, api):
    wire.connection.request("POST", CONNECTIONS, json.dumps(api.base_body()), api.headers)
    answer = wire.connection.getresponse()
    assert answer.status == 400
    assert json.loads(answer.read())["detail"] == "A valid content-type must be specified"


@pytest.mark.parametrize(
    "text", ["{half", "[" * 200_000, "[" * 500 + "]" * 500, '{"a":' * 980 + "1" + "}" * 980]
)
def test_a_body_that_cannot_be_read_is_refused(wire, api, text):
    headers = {**api.headers, "Content-Type": "application/json"}
    wire.connection.request("POST", CONNECTIONS, text, headers)
    assert wire.connection.getresponse().status == 400


@pytest.mark.parametrize(("order", "processed"), [("reset_next", 0), ("drop_next", 0), ("lose_next", 1)])
def test_a_broken_connection_is_really_broken(wire, api, emulator, order, processed):
    getattr(emulator, order)()
    with pytest.raises(ConnectionResetError) as broken:
        wire("POST", CONNECTIONS, api.base_body())
    # http.client has a kind of its own for a connection that ends in good order without an answer.
    assert broken.type is ConnectionResetError
    assert len(emulator.entities("connections")) == processed
    wire.connection.close()
    assert wire("GET", FLOWS)[0] == 200


def test_a_stalled_answer_comes_late_while_others_are_answered(wire, url, api, emulator):
    emulator.stall_next(0.3, match="POST")
    wire.connection.request(
        "POST", CONNECTIONS, json.dumps(api.base_body()), {**api.headers, "Content-Type": "application/json"}
    )
    began = time.monotonic()
    while not emulator.requests("POST", "/connections"):
        assert time.monotonic() - began < 5
    other = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    other.request("GET", FLOWS, headers=api.headers)
    assert other.getresponse().status == 200
    assert time.monotonic() - began < 0.25
    other.close()
    assert wire.connection.getresponse().status == 201
    assert time.monotonic() - began >= 0.25


def test_a_stall_longer_than_the_callers_patience_is_a_timeout(url, api, emulator):
    emulator.stall_next(0.3)
    hasty = http.client.HTTPConnection(urlsplit(url).netloc, timeout=0.05)
    hasty.request("GET", FLOWS, headers=api.headers)
    with pytest.raises(TimeoutError):
        hasty.getresponse()
    hasty.close()


def test_answers_do_not_wait_for_the_network(wire):
    # Two small writes without an acknowledgement in between would take 40 ms each time.
    wire("GET", FLOWS)
    began = time.monotonic()
    for _ in range(20):
        wire("GET", FLOWS)
    assert time.monotonic() - began < 0.4


class TestLevers:
    def test_the_first_page_tells_what_there_is(self, wire, emulator):
        status, _, state = wire("GET", "/emulator")
        assert status == 200
        assert state["datasets"][0] == {"id": emulator.datasets()[0].id, "name": "CRM Profiles", "rows": 1200}
        assert "POST /emulator/script_runs" in state["levers"]

    def test_levers_move_what_their_methods_move(self, wire, api, emulator):
        flow = api.export("6501aa10c2d3e4f5061728a3")["flow"]
        assert (
            wire("POST", "/emulator/script_runs", {"flow": "crm-nightly", "kinds": ["in_progress"]})[0] == 200
        )
        (run,) = wire("POST", "/emulator/run_now", {"flow": flow})[2]["runs"]
        assert wire("POST", "/emulator/finish_run", {"run": run, "kind": "failed"})[0] == 200
        assert api.runs(flow)[0]["metrics"]["statusSummary"]["status"] == "failed"
        rows = {"dataset": "6501aa10c2d3e4f5061728a3", "rows": 7}
        assert wire("POST", "/emulator/add_rows", rows)[2] == {"rows": 317}
        assert wire("POST", "/emulator/advance", {"seconds": 60})[2] == {"now": emulator.clock.now}
        etag = wire("POST", "/emulator/touch", {"kind": "flows", "id": flow})[2]["etag"]
        assert api.one(f"/flows/{flow}")["etag"] == etag

    def test_trouble_can_be_ordered_and_called_off(self, wire):
        trouble = {"kind": "fail", "status": 429, "retry_after": 3, "match": "GET /flows"}
        assert wire("POST", "/emulator/faults", trouble)[0] == 200
        status, headers, _ = wire("GET", FLOWS)
        assert (status, headers["retry-after"]) == (429, "3")
        wire("POST", "/emulator/faults", trouble)
        wire("DELETE", "/emulator/faults")
        assert wire("GET", FLOWS)[0] == 200

    def test_the_log_can_be_read_and_cleared_and_does_not_hold_levers(self, wire):
        wire("DELETE", "/emulator/log")
        wire("GET", FLOWS)
        (record,) = wire("GET", "/emulator/log")[2]["items"]
        assert (record["method"], record["path"], record["status"]) == ("GET", "/flows", 200)

    def test_tokens_can_be_expired(self, wire):
        wire("POST", "/emulator/expire_tokens", {})
        assert wire("GET", FLOWS)[0] == 401

    @pytest.mark.parametrize(
        ("path", "body", "status"),
        [
            ("/emulator/dance", {}, 404),
            ("/emulator/script_runs", {}, 400),
            ("/emulator/script_runs", {"kinds": ["great"]}, 400),
            ("/emulator/run_now", {"flow": "unknown"}, 400),
            ("/emulator/faults", {"kind": "earthquake"}, 400),
            ("/emulator/faults", {"kind": "fail", "colour": "red"}, 400),
            ("/emulator/faults", {"kind": "reset", "match": 5}, 400),
            ("/emulator/faults", {"kind": "reset", "times": "x"}, 400),
            ("/emulator/faults", {"kind": "fail", "status": 429, "retry_after": "3\r\nX-Evil: 1"}, 400),
            ("/emulator/advance", {"seconds": float("nan")}, 400),
            ("/emulator/advance", {"seconds": 1e12}, 400),
            ("/emulator/advance", {"seconds": "60"}, 400),
            ("/emulator/add_rows", {"dataset": "5ef3e3259ad2a1191ab7dd7d", "rows": float("inf")}, 400),
            ("/emulator/add_rows", {"dataset": "5ef3e3259ad2a1191ab7dd7d", "rows": -5}, 400),
            ("/emulator/finish_run", {"run": "unknown", "kind": "great"}, 400),
        ],
    )
    def test_a_lever_that_cannot_move_says_why(self, wire, path, body, status):
        answer = wire("POST", path, body)
        assert answer[0] == status
        assert answer[2]["error"]
        assert wire("GET", "/emulator")[2]["datasets"][0]["rows"] == 1200
        assert wire("GET", FLOWS)[0] == 200

    def test_a_web_page_elsewhere_cannot_move_them(self, wire):
        assert wire("POST", "/emulator/expire_tokens", {}, **{"Content-Type": "text/plain"})[0] == 400

    def test_only_the_server_has_them(self, api):
        assert api.call("GET", "http://127.0.0.1/emulator").status == 404


def test_the_airflow_connection_leads_to_the_emulator(url, emulator):
    assert json.loads(airflow_connection(emulator, url)) == {
        "conn_type": "aep",
        "host": url,
        "login": emulator.client_id,
        "password": emulator.client_secret,
        "extra": {"org_id": emulator.org_id, "sandbox": "prod", "token_url": f"{url}/ims/token/v3"},
    }


def test_a_taken_port_is_told_in_words(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 1
    assert f"Port {port} is taken" in capsys.readouterr().err


def test_without_prod_the_first_sandbox_is_shown(make_caller):
    emulator = make_caller(sandboxes=("dev",)).emulator
    assert json.loads(airflow_connection(emulator, "http://127.0.0.1:1"))["extra"]["sandbox"] == "dev"
    assert control(emulator, "GET", "/emulator", None).json["datasets"]


class TestMalformed:
    """Whatever is sent is answered, and the next client is served."""

    @pytest.fixture
    def raw(self, url):
        """``raw(bytes)``: all that comes back on a connection of its own."""

        def send(text: bytes) -> bytes:
            with socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=5) as client:
                client.sendall(text)
                client.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: client.recv(65536), b""))

        return send

    @pytest.mark.parametrize(
        "request_line",
        [b"GET http://[x/", b"GET [x", b"GET flows", b"GET ?", b"GET http:///flows"],
    )
    def test_an_address_that_is_none_is_a_400(self, raw, wire, capfd, request_line):
        assert raw(request_line + b" HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        assert wire("GET", FLOWS)[0] == 200
        assert capfd.readouterr().err == ""

    @pytest.mark.parametrize(
        "headers",
        [
            b"Content-Length: \xb2",
            b"Content-Length: -1",
            b"Content-Length: 1_0",
            b"Content-Length: " + b"9" * 5000,
            b"Content-Length: 2\r\nContent-Length: 3",
            b"Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{}",
            b"Content-Type: application/json\r\nContent-Length : 2\r\n\r\n{}",
            b"no header\r\nContent-Length: 2\r\n\r\n{}",
            b"Content-Length: 2\r\nTransfer-Encoding: chunked",
            b"Transfer-Encoding: gzip, chunked",
            b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
            b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n{}\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n",
        ],
    )
    def test_a_body_whose_length_is_none_is_a_400(self, raw, wire, capfd, headers):
        answer = raw(b"POST " + CONNECTIONS.encode() + b" HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"connection: close" in answer
        assert answer.count(b"HTTP/1.1") == 1
        assert wire("GET", FLOWS)[0] == 200
        assert capfd.readouterr().err == ""

    def test_what_is_cut_short_is_not_carried_out(self, raw, emulator):
        before = emulator.clock()
        body = b'{"seconds": 3600}'
        head = (
            b"POST /emulator/advance HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n"
        )
        assert raw(head + body).startswith(b"HTTP/1.1 400 ")
        assert emulator.clock() - before < 60

    def test_a_whole_url_is_an_address_too(self, wire, url):
        assert wire("GET", f"{url}{FLOWS}?limit=1")[0] == 200

    def test_a_chunked_body_is_read(self, wire, api, emulator):
        body = json.dumps(api.base_body()).encode()
        headers = {**api.headers, "Content-Type": "application/json", "Transfer-Encoding": "chunked"}
        for _ in range(2):  # the second one shows that the first was read to its end
            wire.connection.request(
                "POST", CONNECTIONS, iter((body[:10], body[10:])), headers, encode_chunked=True
            )
            answer = wire.connection.getresponse()
            assert (answer.status, bool(answer.read())) == (201, True)
        assert len(emulator.entities("connections")) == 2


def test_two_hundred_clients_at_once_are_served(url):
    clients = [socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=5) for _ in range(200)]
    for client in clients:
        client.sendall(b"GET /emulator HTTP/1.1\r\nHost: x\r\n\r\n")
    assert all(client.recv(12) == b"HTTP/1.1 200" for client in clients)
    for client in clients:
        client.close()


def test_two_hundred_may_knock_before_anybody_opens(emulator):
    server = EmulatorServer(emulator)
    clients = []
    for _ in range(200):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(server.server_address)
        clients.append(client)
    ready = {each for _ in range(50) for each in select.select([], clients, [], 0.1)[1]}
    for client in clients:
        client.close()
    server.server_close()
    assert len(ready) == 200


def test_requests_are_told_on_standard_error_if_asked_and_without_secrets(emulator, capfd):
    with serve(emulator, log_requests=True) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
        for path in ("/emulator", f"/ims/token/v3?client_secret={emulator.client_secret}"):
            connection.request("GET", path)
            connection.getresponse().read()
        connection.close()
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 2
    assert re.search(r"^\d\d:\d\d:\d\d GET /emulator 200 \d+ ms$", told[0])
    assert emulator.client_secret not in told[1]
