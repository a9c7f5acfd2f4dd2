"""The one socket, against real servers on the loopback address."""

from __future__ import annotations

import gzip
import ipaddress
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_provider_aep.emulator.server import LOGIN_PATH, serve
from airflow_provider_aep.errors import AepConfigError, AepTooLargeError, AepTransportError
from airflow_provider_aep.flowservice import transport
from airflow_provider_aep.flowservice.connections import create_base_connection
from airflow_provider_aep.flowservice.credentials import check_url
from airflow_provider_aep.flowservice.datasets import list_datasets
from airflow_provider_aep.flowservice.destinations import DATA_LANDING_ZONE
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.exchange import Request, Response
from airflow_provider_aep.flowservice.session import AepCredentials, AepSession
from airflow_provider_aep.flowservice.transport import RequestsTransport
from tools.certificates import authority_usage, key_identifiers

LOOPBACK = "127.0.0.1"
PING = Request("GET", "/flows", headers={"Authorization": "Bearer t0ken", "x-api-key": "key"})
SOON = (2.0, 0.2)


@pytest.fixture(autouse=True)
def _untouched_environment(monkeypatch, tmp_path):
    """No proxy, CA bundle or netrc of the machine that runs the tests."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


# Servers


@dataclass
class Server:
    """An HTTP server that remembers what it was asked."""

    url: str
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def listening(answer=lambda door: (200, {}, b"{}"), tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self):
            seen.asked.append(f"{self.command} {self.path}")
            seen.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.rfile.read(int(self.headers.get("content-length", 0)))
            answered = answer(self)
            if answered is None:
                self.close_connection = True
                return
            status, headers, body = answered
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_CONNECT = _serve

        def log_message(self, format, *args):
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request, client_address):
            pass

    server = Quiet((LOOPBACK, 0), Door)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    seen = Server(f"{'https' if tls else 'http'}://{LOOPBACK}:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Authority:
    bundle: Path
    server: ssl.SSLContext


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    """A certificate authority of our own, and a server that it vouches for."""
    folder = tmp_path_factory.mktemp("tls")
    now = datetime.now(tz=UTC)

    def certificate(name, public_key, issuer, signer, *extensions):
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )
        keys = key_identifiers(public_key, signer.public_key())
        for extension in (*extensions, *keys):
            critical = isinstance(extension, x509.BasicConstraints)
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    ca_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    bundle, chain = folder / "ca.pem", folder / "server.pem"
    constraint = x509.BasicConstraints(ca=True, path_length=None)
    usage = authority_usage()
    bundle.write_bytes(certificate("Our CA", ca_key.public_key(), "Our CA", ca_key, constraint, usage))
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))])
    private = server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain.write_bytes(certificate("server", server_key.public_key(), "Our CA", ca_key, address) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return Authority(bundle, context)


def tunnel(door) -> None:
    """Carry bytes to and from where a CONNECT wants to go."""
    host, _, port = door.path.partition(":")
    with socket.create_connection((host, int(port)), 5) as there:
        door.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        ends = {door.connection: there, there: door.connection}
        while True:
            for end in select.select(list(ends), [], [], 5)[0]:
                data = end.recv(65536)
                if not data:
                    return
                ends[end].sendall(data)


def no_one() -> str:
    """An address on which nobody listens."""
    with socket.socket() as reserved:
        reserved.bind((LOOPBACK, 0))
        return f"http://{LOOPBACK}:{reserved.getsockname()[1]}"


# Requests and answers


def test_a_request_arrives_as_it_was_meant():
    with listening(lambda door: (201, {"ETag": '"1"', "X-Request-Id": "r"}, b'{"id": "x"}')) as server:
        request = Request(
            "POST",
            "/flows",
            params=[("property", "name==a,b"), ("property", "flowId==x&y"), ("continuationToken", "a+b/c==")],
            headers={"x-sandbox-name": "prod"},
            json={"name": "ü"},
        )
        answer = RequestsTransport(server.url + "/").send(request)
    assert server.asked == [
        "POST /data/foundation/flowservice/flows"
        "?property=name%3D%3Da%2Cb&property=flowId%3D%3Dx%26y&continuationToken=a%2Bb%2Fc%3D%3D"
    ]
    assert server.headers[0]["x-sandbox-name"] == "prod"
    assert server.headers[0]["content-type"] == "application/json"
    assert (answer.status, answer.json) == (201, {"id": "x"})
    assert (answer.headers["etag"], answer.headers["x-request-id"]) == ('"1"', "r")


def test_an_action_is_sent_without_a_body_and_without_a_content_type():
    with listening() as server:
        RequestsTransport(server.url).send(Request("POST", "/flows/1/action", params={"op": "enable"}))
    assert "content-type" not in server.headers[0]
    assert server.headers[0].get("content-length", "0") == "0"


@pytest.mark.parametrize("status", [200, 304, 404, 412, 503])
def test_whatever_the_status_it_is_an_answer(status):
    with listening(lambda door: (status, {}, b"" if status == 304 else b"{}")) as server:
        assert RequestsTransport(server.url).send(PING).status == status


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("request_", [PING, Request("POST", "/token", form={"client_secret": "s"})], ids=str)
def test_a_redirect_is_answered_and_never_followed(status, request_):
    with (
        listening() as elsewhere,
        listening(lambda door: (status, {"location": f"{elsewhere.url}/take"}, b"")) as server,
    ):
        answer = RequestsTransport(server.url).send(request_)
    assert answer.status == status
    assert elsewhere.asked == []
    assert len(server.asked) == 1


@pytest.mark.parametrize("in_home", [True, False], ids=["~/.netrc", "NETRC"])
def test_a_netrc_line_does_not_replace_our_authorization(tmp_path, monkeypatch, in_home):
    netrc = tmp_path / (".netrc" if in_home else "elsewhere")
    netrc.write_text(f"machine {LOOPBACK} login somebody password else\ndefault login a password b\n")
    netrc.chmod(0o600)
    if not in_home:
        monkeypatch.setenv("NETRC", str(netrc))
    with listening() as server:
        RequestsTransport(server.url).send(PING)
    assert server.headers[0]["authorization"] == "Bearer t0ken"


def test_one_connection_serves_many_requests():
    clients = set()

    def answer(door):
        clients.add(door.client_address)
        return 200, {}, b"{}"

    with listening(answer) as server:
        transport = RequestsTransport(server.url)
        for _ in range(3):
            transport.send(PING)
        transport._session.close()
    assert len(clients) == 1


def test_cookies_of_a_proxy_or_gateway_do_not_turn_into_headers_of_ours_elsewhere():
    with listening() as other, listening(lambda door: (200, {"set-cookie": "sid=1"}, b"{}")) as server:
        transport = RequestsTransport(server.url)
        transport.send(PING)
        transport.send(Request("GET", other.url.replace(LOOPBACK, "localhost") + "/token"))
    assert "cookie" not in other.headers[0]


# No answer


def test_a_refused_connection_is_an_error_that_sent_nothing():
    with pytest.raises(AepTransportError, match="GET /flows: no connection: ") as caught:
        RequestsTransport(no_one()).send(PING)
    assert caught.value.sent is False


def test_an_unknown_host_is_an_error_that_sent_nothing():
    with pytest.raises(AepTransportError) as caught:
        RequestsTransport("https://no-such-host.invalid").send(PING)
    assert caught.value.sent is False


def test_silence_is_an_error_that_may_have_done_something():
    released = threading.Event()

    def silence(door):
        released.wait(5)

    with listening(silence) as server:
        with pytest.raises(AepTransportError, match=r"no response within 0\.2 seconds") as caught:
            RequestsTransport(server.url, timeout=SOON).send(PING)
        released.set()
    assert caught.value.sent is True
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("at_once", "slowly"),
    [
        (b"", b"HTTP/1.1 200 OK\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X-Odd: " + b"o" * 9_000),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b" " * 9_000),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b" " * 9_000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n.\r\n" * 3_000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 400),
    ],
    ids=["status", "headers", "body", "body until the end", "chunks", "interim answers"],
)
@pytest.mark.parametrize("over", ["http", "tls"])
def test_an_answer_that_trickles_has_one_time_for_all_of_it(authority, at_once, slowly, over):
    def trickle(door):
        door.wfile.write(at_once)
        with suppress(OSError):
            for piece in slowly:
                door.wfile.write(bytes([piece]))
                door.wfile.flush()
                time.sleep(0.05)

    with listening(trickle, tls=authority.server if over == "tls" else None) as server:
        transport = RequestsTransport(
            server.url, ca_bundle=str(authority.bundle), timeout=(2.0, 2.0), answer_seconds=0.4
        )
        began = time.monotonic()
        with pytest.raises(
            AepTransportError, match=r"GET /flows: no whole response within 0\.4 sec"
        ) as caught:
            transport.send(PING)
        assert time.monotonic() - began < 1.5
    assert caught.value.sent is True
    assert len(server.asked) == 1


def test_a_tunnel_that_trickles_has_one_time_as_well():
    def trickle(door):
        with suppress(OSError):
            for piece in b"HTTP/1.1 200 Connection established" + b" " * 400:
                door.wfile.write(bytes([piece]))
                time.sleep(0.05)

    with listening(trickle) as proxy, pytest.raises(AepTransportError, match="no whole response"):
        RequestsTransport("https://platform.example.com", proxy=proxy.url, answer_seconds=0.4).send(PING)


def test_a_slow_answer_takes_no_time_from_the_next_on_its_connection():
    def slow(door):
        time.sleep(0.3)
        return 200, {}, b"{}"

    doors = set()
    with listening(lambda door: doors.add(door) or slow(door)) as server:
        transport = RequestsTransport(server.url, timeout=(2.0, 2.0), answer_seconds=0.5)
        assert [transport.send(PING).status for _ in range(4)] == [200] * 4
    assert len(doors) == 1


@pytest.mark.parametrize(
    "answer",
    [
        lambda door: None,
        lambda door: (200, {"content-length": "99"}, b'{"half":'),
        lambda door: door.wfile.write(b"nonsense\r\n\r\n") and None,
    ],
    ids=["closed", "cut short", "nonsense"],
)
def test_a_connection_that_breaks_is_an_error_that_may_have_done_something(answer):
    def once(door):
        door.close_connection = True
        return answer(door)

    with (
        listening(once) as server,
        pytest.raises(AepTransportError) as caught,
    ):
        RequestsTransport(server.url, timeout=(2.0, 2.0)).send(PING)
    assert caught.value.sent is True


def test_an_error_names_the_request_and_no_header_and_no_query():
    request = Request("GET", "/flows", params={"property": "n0t-shown"}, headers={"Authorization": "s3cret"})
    with pytest.raises(AepTransportError) as caught:
        RequestsTransport(no_one()).send(request)
    assert str(caught.value).startswith("GET /flows: ")
    assert "n0t-shown" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


# TLS


def test_a_private_ca_is_trusted_when_the_connection_names_it(authority):
    with listening(tls=authority.server) as server:
        assert RequestsTransport(server.url, ca_bundle=str(authority.bundle)).send(PING).status == 200


def test_a_private_ca_is_trusted_when_the_environment_names_it(authority, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    with listening(tls=authority.server) as server:
        assert RequestsTransport(server.url).send(PING).status == 200


def test_the_connections_ca_bundle_beats_the_environments(authority, monkeypatch):
    import certifi

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    with listening(tls=authority.server) as server:
        assert RequestsTransport(server.url, ca_bundle=str(authority.bundle)).send(PING).status == 200
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
        with pytest.raises(AepTransportError):
            RequestsTransport(server.url, ca_bundle=certifi.where()).send(PING)


def test_a_ca_bundle_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/bundle.pem")
    with pytest.raises(AepTransportError, match=r"/nowhere/bundle\.pem") as caught:
        RequestsTransport("https://127.0.0.1:1").send(PING)
    assert caught.value.sent is False


def test_an_unknown_ca_is_refused_with_advice_before_anything_is_sent(authority):
    with listening(tls=authority.server) as server:
        with pytest.raises(AepTransportError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            RequestsTransport(server.url).send(PING)
        assert server.asked == []
    assert caught.value.sent is False
    assert "ca_bundle" in str(caught.value)
    assert "REQUESTS_CA_BUNDLE" in str(caught.value)


def test_a_server_that_speaks_no_tls_is_refused():
    with listening() as server, pytest.raises(AepTransportError):
        RequestsTransport(server.url.replace("http:", "https:")).send(PING)


def test_a_tls_connection_that_goes_bad_after_the_request_may_have_done_something(authority):
    def garbage(door):
        # past the encryption: what arrives is no TLS record
        socket.socket.send(door.connection, b"HTTP/1.1 502 Bad gateway\r\n\r\n")
        door.close_connection = True

    with listening(garbage, tls=authority.server) as server:
        with pytest.raises(AepTransportError) as caught:
            RequestsTransport(server.url, ca_bundle=str(authority.bundle)).send(PING)
        assert len(server.asked) == 1
    assert caught.value.sent is True


# Proxies


@pytest.mark.parametrize("how", ["argument", "HTTPS_PROXY", "https_proxy"])
def test_https_goes_through_the_proxy(authority, monkeypatch, how):
    with listening(tls=authority.server) as server, listening(tunnel) as proxy:
        if how != "argument":
            monkeypatch.setenv(how, proxy.url)
        given = proxy.url if how == "argument" else None
        transport = RequestsTransport(server.url, proxy=given, ca_bundle=str(authority.bundle))
        assert transport.send(PING).status == 200
        transport._session.close()
    assert proxy.asked == [f"CONNECT {server.url.removeprefix('https://')}"]
    assert "authorization" not in proxy.headers[0]
    assert len(server.asked) == 1


@pytest.mark.parametrize("how", ["argument", "HTTP_PROXY"])
def test_http_goes_through_the_proxy(monkeypatch, how):
    with listening() as proxy:
        if how != "argument":
            # urllib ignores the upper-case name inside a CGI script, and only there
            monkeypatch.setenv(how, proxy.url)
        given = proxy.url if how == "argument" else None
        assert RequestsTransport("http://127.0.0.2:9", proxy=given).send(PING).status == 200
    assert proxy.asked == ["GET http://127.0.0.2:9/data/foundation/flowservice/flows"]


def test_the_connections_proxy_beats_the_environments(monkeypatch):
    with listening() as proxy, listening() as other:
        monkeypatch.setenv("HTTP_PROXY", other.url)
        RequestsTransport("http://127.0.0.2:9", proxy=proxy.url).send(PING)
    assert (len(proxy.asked), len(other.asked)) == (1, 0)


def test_no_proxy_of_the_environment_is_honoured(monkeypatch):
    with listening() as server, listening() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", LOOPBACK)
        RequestsTransport(server.url).send(PING)
    assert (len(server.asked), len(proxy.asked)) == (1, 0)


def test_a_proxy_that_is_not_there_is_an_error_that_sent_nothing():
    with pytest.raises(AepTransportError, match="no connection") as caught:
        RequestsTransport("https://platform.example.com", proxy=no_one()).send(PING)
    assert caught.value.sent is False


def test_a_proxy_that_refuses_the_tunnel_is_an_error_that_sent_nothing():
    with listening(lambda door: (407, {}, b"")) as proxy, pytest.raises(AepTransportError) as caught:
        RequestsTransport("https://platform.example.com", proxy=proxy.url).send(PING)
    assert caught.value.sent is False
    assert "407" in str(caught.value)


@pytest.mark.parametrize("where", ["127.0.0.1:1", "proxy.example.com:notaport", "[::1", ":8080", "#@proxy"])
def test_a_proxys_password_is_in_no_error(where):
    with pytest.raises((AepConfigError, AepTransportError)) as caught:
        RequestsTransport("https://platform.example.com", proxy=f"http://me:s3cret@{where}").send(PING)
    assert "s3cret" not in str(caught.value)


# Which URLs


@pytest.mark.parametrize(
    "url",
    [
        "https://platform.adobe.io",
        "https://platform.adobe.io/",
        "http://127.0.0.1:8085",
        "http://localhost",
        "http://[::1]:1",
    ],
)
def test_tokens_may_travel_over_https_and_to_this_machine(url):
    assert check_url("host", url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://platform.adobe.io",
        "http://10.0.0.1",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "ftp://platform.adobe.io",
        "platform.adobe.io",
        "//platform.adobe.io",
        "https://",
        "https://me:s3cret@platform.adobe.io",
        "https://s3cret@platform.adobe.io",
        "https://platform.adobe.io?key=s3cret",
        "https://platform.adobe.io#s3cret",
        "https://platform.adobe.io:notaport",
        "https://[::1",
        "",
    ],
)
def test_tokens_travel_nowhere_else(url):
    with pytest.raises(AepConfigError, match="host must") as caught:
        RequestsTransport(url)
    assert "s3cret" not in str(caught.value)


# The emulator behind real HTTP


@pytest.fixture
def served(emulator):
    """``served(exchange)`` over a real socket; what it pauses, it does not sleep."""
    with serve(emulator) as url:
        credentials = AepCredentials(
            client_id=emulator.client_id,
            client_secret=emulator.client_secret,
            org_id=emulator.org_id,
            token_url=url + LOGIN_PATH,
        )
        session = AepSession(credentials, now=emulator.clock, jitter=lambda: 0.0)
        transport = RequestsTransport(url, timeout=(2.0, 0.5))
        yield lambda exchange: drive(session.conduct(exchange, sandbox="prod"), transport, lambda s: None)
        transport._session.close()


CREATE = {"name": "crm", "destination": DATA_LANDING_ZONE, "login": None}


def test_an_exchange_runs_over_http_as_it_does_in_process(served, run, emulator):
    assert served(list_datasets()) == run(list_datasets())
    assert served(create_base_connection(**CREATE)).id == emulator.entities("connections")[0]["id"]


@pytest.mark.parametrize("trouble", ["reset", "drop", "lose", "stall"])
def test_real_network_trouble_on_a_read_is_mended(served, emulator, trouble):
    order(emulator, trouble)
    assert len(served(list_datasets())) == len(emulator.datasets())


@pytest.mark.parametrize("trouble", ["reset", "drop", "lose", "stall"])
def test_real_network_trouble_on_a_create_is_an_unknown_outcome(served, emulator, trouble):
    # Once bytes were sent, even a reset leaves open what the service did with them.
    order(emulator, trouble, match="POST /connections")
    with pytest.raises(AepTransportError) as caught:
        served(create_base_connection(**CREATE))
    assert caught.value.sent is True
    assert len(emulator.requests("POST", "/connections")) == 1


@pytest.mark.parametrize("trouble", ["reset", "drop", "lose", "stall"])
def test_with_a_mark_even_that_creates_exactly_one(served, emulator, trouble):
    order(emulator, trouble, match="POST /connections")
    made = served(create_base_connection(**CREATE, marker="dag/run"))
    assert [each["id"] for each in emulator.entities("connections")] == [made.id]
    assert made.adopted is (trouble in ("lose", "stall"))


def order(emulator, trouble, **match):
    if trouble == "stall":
        emulator.stall_next(0.7, **match)
    else:
        getattr(emulator, f"{trouble}_next")(**match)


def test_a_body_that_is_no_json_is_told_and_not_quoted():
    request = Request(
        "POST", "/targetConnections", json={"params": {"since": datetime(2026, 1, 1, tzinfo=UTC)}}
    )
    with pytest.raises(AepConfigError, match="POST /targetConnections cannot be sent") as caught:
        RequestsTransport("https://127.0.0.1:1").send(request)
    assert "2026" not in str(caught.value)


def test_no_piece_of_an_answer_unpacks_to_more_than_the_largest_answer():
    # RFC 1951: a match of 258 bytes takes two bits.
    assert transport._PIECE * 258 * 4 <= transport.LARGEST_ANSWER


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_an_answer_that_no_process_can_hold_is_not_read_to_its_end_and_not_asked_for_again(packed):
    body = b'{"items": [' + b" " * 8 * 1024 * 1024 + b"]}"
    headers = {"content-encoding": "gzip"} if packed else {}

    def answer(door):
        return 200, headers, gzip.compress(body) if packed else body

    with listening(answer) as server:
        credentials = AepCredentials(client_id="key", client_secret="s3cret", org_id="A@AdobeOrg")
        session = AepSession(credentials)
        with pytest.raises(AepTooLargeError, match="has more than 1 MiB, so the rest was not read") as caught:
            RequestsTransport(server.url, largest_answer=1024 * 1024).send(PING)
        assert caught.value.sent
        assert RequestsTransport(server.url).send(PING).body == body
        asked = []

        def send(request):
            asked.append(str(request))
            if request.form is not None:
                return Response(200, {}, b'{"access_token": "t0ken", "expires_in": 86399}')
            return RequestsTransport(server.url, largest_answer=1024 * 1024).send(request)

        carrier = type("Carrier", (), {"send": staticmethod(send)})()
        with pytest.raises(AepTooLargeError):
            drive(session.conduct(list_datasets(), sandbox="prod"), carrier)
        assert len(asked) == 2  # the token, and the list once
