from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import sys
import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.errors import AepConfigError, AepValidationError, AepWriteRefusedError
from airflow_provider_aep.flowservice.connections import create_source_connection
from airflow_provider_aep.flowservice.credentials import TOKEN_URL
from airflow_provider_aep.flowservice.dataflows import list_dataflows
from airflow_provider_aep.flowservice.datasets import list_datasets
from airflow_provider_aep.flowservice.destinations import DESTINATIONS, get_destination
from airflow_provider_aep.flowservice.logins import login_problems, resolve_login
from airflow_provider_aep.hooks import AepConnection, AepHook, masking, sessions

SECRET = "p8e-QuiteSecret"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nbm90IGEga2V5\n-----END OPENSSH PRIVATE KEY-----\n"
GOOD: dict[str, Any] = {
    "conn_type": "aep",
    "login": "my-client",
    "password": SECRET,
    "extra": {"org_id": "ACME@AdobeOrg"},
}


@pytest.fixture
def connect(monkeypatch):
    """``connect(host=...)``: a good connection of type ``aep`` with some of its fields changed."""

    def changed(extra: dict[str, Any] | None = None, **fields: Any) -> AepHook:
        document = {**GOOD, **fields, "extra": {**GOOD["extra"], **(extra or {})}}
        monkeypatch.setenv("AIRFLOW_CONN_AEP_DEFAULT", json.dumps(document))
        return AepHook()

    return changed


@pytest.fixture
def storage(monkeypatch):
    """``storage("s3", conn_type="aws", ...)``: the login that Adobe is sent for that Airflow connection."""

    def login(slug: str, **fields: Any) -> Any:
        monkeypatch.setenv("AIRFLOW_CONN_BUCKET", json.dumps(fields))
        destination = get_destination(slug)
        held = AepHook().destination_login(destination, "bucket")
        assert held is not None
        spec = Emulator().spec(destination.connection_spec_id)
        return resolve_login(held, spec, title=destination.title)

    return login


@pytest.fixture
def masker(monkeypatch):
    """Airflow's own filter of its logs, switched on as it is in a task."""
    from airflow import settings
    from airflow.providers.common.compat.sdk import redact

    masker = sys.modules[redact.__module__]._secrets_masker()
    if hasattr(masker, "mask_secrets_in_logs"):  # Airflow 3
        monkeypatch.setattr(type(masker), "mask_secrets_in_logs", True)
    else:
        monkeypatch.setattr(settings, "MASK_SECRETS_IN_LOGS", True)
    return masker


# The connection


def test_a_connection_with_its_four_fields_talks_to_adobe_in_prod(connect):
    connection = connect().get_conn()
    assert connection.credentials.client_id == "my-client"
    assert connection.credentials.client_secret == SECRET
    assert connection.credentials.org_id == "ACME@AdobeOrg"
    assert connection.credentials.token_url == TOKEN_URL
    assert connection.platform_url == "https://platform.adobe.io"
    assert connection.sandbox == "prod"


def test_every_missing_field_is_named_at_once(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_AEP_DEFAULT", '{"conn_type": "aep"}')
    with pytest.raises(AepConfigError) as told:
        AepHook().get_conn()
    assert "'aep_default'" in str(told.value)
    for field in ("login (client id)", "password (client secret)", "extra.org_id"):
        assert f"{field} is missing" in str(told.value)


@pytest.mark.parametrize("given", ["...", "nonsense", '{"conn_type": "aws", "password": "s3cret"}'])
def test_what_is_no_connection_of_ours_is_told_first_and_not_quoted(monkeypatch, given):
    monkeypatch.setenv("AIRFLOW_CONN_AEP_DEFAULT", given)
    with pytest.raises(AepConfigError, match=r"'aep_default': its type is not aep.*is missing") as told:
        AepHook().get_conn()
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize("slot", ["login", "password"])
def test_a_login_copied_with_its_line_break_is_refused_and_not_quoted(connect, slot):
    with pytest.raises(AepConfigError, match=f"{slot} must not contain line breaks") as told:
        connect(**{slot: f"{SECRET}\n"}).get_conn()
    assert SECRET not in str(told.value)


def test_every_wrong_field_is_named_at_once_and_no_value_is_quoted(connect):
    wrong = {
        "org_id": "QuotedOrg",
        "sandbox": "Quoted Sandbox",
        "token_url": "http://quoted.example",
        "ca_bundle": "/quoted/bundle",
    }
    with pytest.raises(AepConfigError) as told:
        connect(wrong, host="ftp://quoted.example").get_conn()
    for field in ("extra.org_id", "extra.sandbox", "extra.token_url", "extra.ca_bundle", "host"):
        assert field in str(told.value)
    assert "quoted" not in str(told.value).lower()
    assert SECRET not in str(told.value)


@pytest.mark.parametrize(
    "host", ["http://platform.adobe.io", "http://10.0.0.1:8080", "http://localhost.example"]
)
def test_http_is_refused_for_any_host_but_the_loopback(connect, host):
    with pytest.raises(AepConfigError, match="host must use https"):
        connect(host=host).get_conn()


@pytest.mark.parametrize("host", ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:8080"])
def test_http_is_accepted_on_the_loopback(connect, host):
    assert connect(host=host).get_conn().platform_url == host


@pytest.mark.parametrize(
    ("uri", "platform"),
    [
        ("aep://id:pw@?org_id=A%40AdobeOrg", "https://platform.adobe.io"),
        ("aep://id:pw@proxy.acme.example:8443/?org_id=A%40AdobeOrg", "https://proxy.acme.example:8443"),
        ("aep://id:pw@127.0.0.1:8080/http?org_id=A%40AdobeOrg", "http://127.0.0.1:8080"),
    ],
)
def test_a_connection_may_be_a_uri(monkeypatch, uri, platform):
    monkeypatch.setenv("AIRFLOW_CONN_AEP_DEFAULT", uri)
    connection = AepHook().get_conn()
    assert connection.platform_url == platform
    assert (connection.credentials.client_id, connection.credentials.client_secret) == ("id", "pw")


def test_scopes_may_be_written_with_blanks(connect):
    assert connect({"scopes": "openid, session"}).get_conn().credentials.scopes == "openid,session"


def test_the_proxy_and_the_ca_bundle_of_the_connection_reach_the_transport(connect, tmp_path, monkeypatch):
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    given: dict[str, Any] = {}
    monkeypatch.setattr(sessions, "RequestsTransport", lambda url, **more: given.update(url=url, **more))
    monkeypatch.setattr(sessions, "drive", lambda exchange, transport: exchange.close())
    monkeypatch.setattr(sessions, "_sessions", {})
    connect({"proxy": "http://proxy.example:3128", "ca_bundle": str(bundle)}).run(list_datasets())
    assert given == {
        "url": "https://platform.adobe.io",
        "proxy": "http://proxy.example:3128",
        "ca_bundle": str(bundle),
    }


# Talking


def test_a_hook_talks_as_the_credential_and_in_the_sandbox_of_its_connection(aep):
    assert len(AepHook().run(list_datasets())) == len(aep.datasets("prod"))


def test_what_asks_nothing_needs_no_connection():
    def known():
        return 7
        yield

    assert AepHook("aep_nowhere").run(known()) == 7


def test_a_sandbox_given_to_the_hook_overrules_the_connections(aep):
    hook = AepHook(sandbox="dev")
    assert {dataset.id for dataset in hook.run(list_datasets())} == {each.id for each in aep.datasets("dev")}
    assert hook.sandbox == "dev"


def test_a_sandbox_that_cannot_be_one_is_refused_before_anything_is_sent(aep):
    with pytest.raises(AepConfigError, match="sandbox must be a sandbox name"):
        AepHook(sandbox="Dev/..").run(list_datasets())
    assert aep.log == []


def test_hooks_of_one_credential_share_a_token_across_sandboxes(aep):
    AepHook().run(list_datasets())
    AepHook(sandbox="dev").run(list_datasets())
    asyncio.run(AepHook().arun(list_datasets()))
    assert len(aep.requests("POST", "/ims/token/v3")) == 1


def test_another_client_secret_means_another_token(aep, monkeypatch):
    AepHook().run(list_datasets())
    aep.client_secret = "changed"
    aep._gateway._client_secret = "changed"
    monkeypatch.setenv(
        "AIRFLOW_CONN_AEP_DEFAULT",
        json.dumps({**GOOD, "login": aep.client_id, "password": "changed", "extra": {"org_id": aep.org_id}}),
    )
    AepHook().run(list_datasets())
    assert len(aep.requests("POST", "/ims/token/v3")) == 2


def test_a_hook_works_inside_an_event_loop(aep):
    async def both() -> tuple[list[Any], list[Any]]:
        return tuple(await asyncio.gather(*(AepHook().arun(list_datasets()) for _ in range(2))))

    one, other = asyncio.run(both())
    assert one == other
    assert len(one) == len(aep.datasets())


def test_a_fetched_token_is_masked_in_airflows_logs(aep, masker, monkeypatch):
    handed_out: list[str] = []
    answer = aep._gateway.token
    monkeypatch.setattr(
        aep._gateway,
        "token",
        lambda form: handed_out.append((reply := answer(form)).json["access_token"]) or reply,
    )
    AepHook().run(list_datasets())
    (token,) = handed_out
    record = logging.LogRecord("x", logging.INFO, "f", 1, "sent Bearer %s", (token,), None)
    masker.filter(record)
    assert token not in record.getMessage()
    assert "***" in record.getMessage()


def test_the_password_of_a_proxy_is_masked_in_airflows_logs(connect, masker, monkeypatch):
    monkeypatch.setattr(sessions, "drive", lambda exchange, transport: exchange.close())
    connect({"proxy": "http://user:pr0xy-passw0rd@127.0.0.1:1"}).run(list_datasets())
    record = logging.LogRecord("x", logging.INFO, "f", 1, "through %s", ("pr0xy-passw0rd",), None)
    masker.filter(record)
    assert "pr0xy-passw0rd" not in record.getMessage()


def test_the_link_names_tenant_and_sandbox(connect):
    hook = connect({"tenant": "@_acme"})
    assert hook.dataflow_url("f-1") == (
        "https://experience.adobe.com/#/@acme/sname:prod/platform/destination/browse/f-1"
    )
    assert "/#/sname:prod/" in connect().dataflow_url("f-1")


# The Test button


def test_the_test_button_says_that_the_login_and_the_sandbox_are_right(aep):
    assert AepHook().test_connection() == (True, "Logged in; sandbox 'prod' answers.")


def test_the_test_button_names_what_to_check_and_no_secret(aep, monkeypatch):
    document = json.loads(os.environ["AIRFLOW_CONN_AEP_DEFAULT"])
    monkeypatch.setenv("AIRFLOW_CONN_AEP_DEFAULT", json.dumps({**document, "password": SECRET}))
    good, told = AepHook().test_connection()
    assert not good
    assert "Check login (client id) and password (client secret)" in told
    assert SECRET not in told


def test_the_test_button_tells_of_an_unknown_sandbox(aep):
    good, told = AepHook(sandbox="nowhere").test_connection()
    assert not good
    assert "Check the sandbox" in told


def test_the_test_button_tells_of_an_incomplete_connection(connect):
    assert connect(login="").test_connection() == (
        False,
        "Airflow connection 'aep_default': login (client id) is missing.",
    )


# Logins of destinations

S3_FIELDS = {"conn_type": "aws", "login": "AKIA2345ABCDEFGH2345", "password": "s3cr" * 10}
LOGINS = {
    "aws": ("s3", S3_FIELDS, {"s3AccessKey": "AKIA2345ABCDEFGH2345", "s3SecretKey": "s3cr" * 10}),
    "aws, keys in extra": (
        "s3",
        {
            "conn_type": "aws",
            "extra": {"aws_access_key_id": "AKIA2345ABCDEFGH2345", "aws_secret_access_key": "s3cr" * 10},
        },
        {"s3AccessKey": "AKIA2345ABCDEFGH2345", "s3SecretKey": "s3cr" * 10},
    ),
    "wasb, connection string": (
        "azure_blob",
        {"conn_type": "wasb", "extra": {"connection_string": "AccountName=acme;AccountKey=a2V5"}},
        {"connectionString": "AccountName=acme;AccountKey=a2V5"},
    ),
    "wasb, prefixed extra": (
        "azure_blob",
        {"conn_type": "wasb", "extra": {"extra__wasb__connection_string": "AccountName=acme;AccountKey=x"}},
        {"connectionString": "AccountName=acme;AccountKey=x"},
    ),
    "wasb, account and key": (
        "azure_blob",
        {"conn_type": "wasb", "login": "acme", "password": "a2V5"},
        {
            "connectionString": (
                "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=a2V5;"
                "EndpointSuffix=core.windows.net"
            )
        },
    ),
    "adls": (
        "adls_gen2",
        {
            "conn_type": "adls",
            "host": "acme",
            "login": "principal",
            "password": SECRET,
            "extra": {"tenant_id": "t-1"},
        },
        {
            "url": "https://acme.dfs.core.windows.net",
            "tenant": "t-1",
            "servicePrincipalId": "principal",
            "servicePrincipalKey": SECRET,
        },
    ),
    "aws, role beside what else such a connection has": (
        "s3",
        {
            "conn_type": "aws",
            "extra": {
                "role_arn": "arn:aws-us-gov:iam::123456789012:role/aep/exports",
                "assume_role_method": "assume_role",
                "assume_role_kwargs": {"ExternalId": "x"},
                "region_name": "us-gov-west-1",
                "profile_name": "exports",
                "config_kwargs": {"signature_version": "s3v4"},
            },
        },
        {"s3Role": "arn:aws-us-gov:iam::123456789012:role/aep/exports"},
    ),
    "aws, keys in session_kwargs": (
        "s3",
        {
            "conn_type": "aws",
            "extra": {
                "session_kwargs": {
                    "aws_access_key_id": "AKIA2345ABCDEFGH2345",
                    "aws_secret_access_key": "s3cr" * 10,
                }
            },
        },
        {"s3AccessKey": "AKIA2345ABCDEFGH2345", "s3SecretKey": "s3cr" * 10},
    ),
    "wasb, service principal": (
        "azure_blob",
        {
            "conn_type": "wasb",
            "host": "https://acme.blob.core.windows.net",
            "login": "5b1f3c1e-0000-4000-8000-000000000001",
            "password": SECRET,
            "extra": {"tenant_id": "t-1"},
        },
        {
            "accountUrl": "https://acme.blob.core.windows.net",
            "tenantId": "t-1",
            "clientId": "5b1f3c1e-0000-4000-8000-000000000001",
            "clientSecret": SECRET,
        },
    ),
    "gcs, HMAC": (
        "gcs",
        {"conn_type": "generic", "login": "GOOG1EHMAC", "password": SECRET},
        {"accessKeyId": "GOOG1EHMAC", "secretAccessKey": SECRET},
    ),
    "google_cloud_platform, HMAC in extra": (
        "gcs",
        {
            "conn_type": "google_cloud_platform",
            "extra": {"access_key_id": "GOOG1EHMAC", "secret_access_key": SECRET},
        },
        {"accessKeyId": "GOOG1EHMAC", "secretAccessKey": SECRET},
    ),
    "sftp, password": (
        "sftp",
        {"conn_type": "sftp", "host": "files.acme.example", "login": "aep", "password": SECRET, "port": 22},
        {"domain": "files.acme.example", "username": "aep", "password": SECRET},
    ),
    "sftp, private key": (
        "sftp",
        {
            "conn_type": "sftp",
            "host": "files.acme.example",
            "login": "aep",
            "extra": {"private_key": KEY},
        },
        {
            "domain": "files.acme.example",
            "username": "aep",
            "sshKey": base64.b64encode(KEY.encode()).decode(),
        },
    ),
}


@pytest.mark.parametrize("case", LOGINS)
def test_a_destinations_login_is_read_from_the_usual_fields_of_its_connection(case, storage, emulator, run):
    from airflow_provider_aep.flowservice.connections import get_connection_spec

    slug, fields, params = LOGINS[case]
    login = storage(slug, **fields)
    assert login is not None
    assert login["params"] == params
    assert login_problems(run(get_connection_spec(get_destination(slug))), login) == []


def test_an_sftp_key_may_be_a_file_on_the_worker(storage, tmp_path):
    (tmp_path / "id_rsa").write_text(KEY)
    login = storage(
        "sftp", conn_type="sftp", host="h", login="u", extra={"key_file": str(tmp_path / "id_rsa")}
    )
    assert login["specName"] == "SFTP with SSH Key"
    assert base64.b64decode(login["params"]["sshKey"]).decode() == KEY


def test_a_key_file_that_is_not_there_is_told_without_its_path(storage, tmp_path):
    with pytest.raises(AepConfigError, match=r"'bucket': extra.key_file cannot be read") as told:
        storage("sftp", conn_type="sftp", host="h", login="u", extra={"key_file": str(tmp_path / "none")})
    assert str(tmp_path) not in str(told.value)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        (
            {"extra": {"private_key": KEY, "private_key_passphrase": SECRET}},
            "extra.private_key_passphrase: .* give a key without one",
        ),
        ({"extra": {"private_key": KEY}, "port": 2222}, "port must be 22 or left out: .* no other"),
        ({"extra": {"private_key": KEY}, "password": SECRET}, "holds 2 logins"),
    ],
)
def test_what_adobes_sftp_cannot_do_is_refused(storage, fields, rule):
    with pytest.raises((AepConfigError, AepValidationError), match=rule) as told:
        storage("sftp", conn_type="sftp", host="h", login="u", **fields)
    assert "'bucket'" in str(told.value)
    assert SECRET not in str(told.value)


def test_temporary_keys_are_refused_before_adobe_is_asked_anything(storage):
    with pytest.raises(AepValidationError, match=r"extra\.aws_session_token is of no use") as told:
        storage("s3", **{**S3_FIELDS, "login": "ASIA2345ABCDEFGH2345"}, extra={"aws_session_token": SECRET})
    assert "/s3AccessKey begins with ASIA" in str(told.value)
    assert SECRET not in str(told.value)


def test_a_login_that_lacks_something_names_adobes_parameter_and_the_field(storage):
    with pytest.raises(AepValidationError) as told:
        storage("s3", conn_type="aws", login="AKIA2345ABCDEFGH2345")
    assert str(told.value) == (
        "1 problem with the Amazon S3 login: /s3SecretKey is missing (it is taken from its password or its "
        "extra.aws_secret_access_key). Check Airflow connection 'bucket'."
    )


def test_a_missing_connection_of_a_destination_is_named():
    with pytest.raises(Exception, match="no_such_bucket"):
        AepHook().destination_login(get_destination("s3"), "no_such_bucket")


@pytest.mark.parametrize("slug", [slug for slug, one in DESTINATIONS.items() if one.logins])
def test_a_destination_with_a_login_needs_a_connection(slug):
    with pytest.raises(AepConfigError, match="needs credentials_conn_id"):
        AepHook().destination_login(get_destination(slug), None)


def test_the_landing_zone_takes_no_connection(storage):
    assert AepHook().destination_login(get_destination("data_landing_zone"), None) is None
    with pytest.raises(AepConfigError, match="takes no credentials_conn_id"):
        storage("data_landing_zone", **S3_FIELDS)


# Secrets


def test_no_repr_shows_a_secret(connect):
    hook = connect({"proxy": f"http://user:{SECRET}@proxy.example:3128"})
    connection = hook.get_conn()
    session, transport = sessions.shared_session(connection)
    for shown in (hook, connection, connection.credentials, session, transport, vars(hook)):
        assert SECRET not in repr(shown)


def test_a_refused_login_of_a_destination_does_not_quote_it(storage):
    with pytest.raises(AepValidationError) as told:
        storage("sftp", conn_type="sftp", host="h", login="u", extra={"private_key": f"***{SECRET}***"})
    assert SECRET not in f"{told.value!r} {told.value.problems}"


def test_a_child_process_starts_without_its_parents_sessions(aep):
    AepHook().run(list_dataflows())
    assert sessions._sessions
    child = os.fork()
    if child == 0:
        os._exit(len(sessions._sessions))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# Odd fields


TEXTS = ("org_id", "sandbox", "scopes", "token_url", "tenant", "proxy", "ca_bundle")


@pytest.mark.parametrize("value", [5, ["quoted"], {"quoted": 1}, True])
def test_what_must_be_a_text_is_named_at_once_and_not_quoted(connect, value):
    with pytest.raises(AepConfigError) as told:
        connect(dict.fromkeys(TEXTS, value)).get_conn()
    for field in TEXTS:
        assert f"extra.{field} must be a text" in str(told.value)
    assert "missing" not in str(told.value)
    assert "quoted" not in str(told.value)


@pytest.mark.parametrize("field", TEXTS)
def test_no_field_may_hold_control_characters(connect, field):
    with pytest.raises(AepConfigError, match=f"extra.{field} must not contain line breaks") as told:
        connect({field: "quoted\x00"}).get_conn()
    assert "quoted" not in str(told.value)


@pytest.mark.parametrize(
    ("place", "fields"),
    [
        ("login", {"login": "Ω"}),
        ("password", {"password": "Ω"}),
        ("org_id", {"extra": {"org_id": "Ω@AdobeOrg"}}),
    ],
)
def test_what_goes_into_a_header_must_fit_into_one(connect, place, fields):
    with pytest.raises(AepConfigError, match=f"{place} must not contain .* outside Latin-1") as told:
        connect(**fields).get_conn()
    assert "Ω" not in str(told.value)


@pytest.mark.parametrize("bundle", ["x" * 10_000, "/" + "x/" * 5_000])
def test_a_ca_bundle_that_cannot_be_a_path_does_not_exist(connect, bundle):
    with pytest.raises(AepConfigError, match=r"extra\.ca_bundle names a file that does not exist"):
        connect({"ca_bundle": bundle}).get_conn()


@pytest.mark.parametrize(
    "proxy",
    ["quoted", "quoted:3128", "ftp://quoted", "http://", "http://u:quoted@", "http://quoted:99999", "http://[quoted",
     "http://quoted host"],
)  # fmt: skip
def test_a_proxy_that_is_no_url_is_told_and_not_quoted(connect, proxy):
    with pytest.raises(AepConfigError, match=r"extra\.proxy must be a URL") as told:
        connect({"proxy": proxy}).get_conn()
    assert "quoted" not in str(told.value)


@pytest.mark.parametrize("proxy", ["http://p:3128", "https://u:pw@p", "socks5://p:1080", "socks5h://p:1080"])
def test_a_usable_proxy_is_kept_as_it_is(connect, proxy):
    assert connect({"proxy": proxy}).get_conn().proxy == proxy


@pytest.mark.parametrize("tenant", ["a/b", "a b", "a?b", "@", "x" * 300])
def test_a_tenant_that_would_change_the_link_is_told(connect, tenant):
    with pytest.raises(AepConfigError, match=r"extra\.tenant must be a tenant name"):
        connect({"tenant": tenant}).get_conn()


def test_a_bad_tenant_is_found_before_anything_is_created(aep, monkeypatch):
    conn = json.loads(os.environ["AIRFLOW_CONN_AEP_DEFAULT"])
    conn["extra"] = {**conn["extra"], "tenant": ["x"]}
    monkeypatch.setenv("AIRFLOW_CONN_AEP_DEFAULT", json.dumps(conn))
    with pytest.raises(AepConfigError, match="tenant"):
        AepHook().run(list_dataflows())
    assert aep.log == []


@pytest.mark.parametrize("extra", [["x"], "x", None])
def test_an_extra_that_is_no_object_holds_nothing(extra):
    from airflow.models import Connection

    conn = Connection(conn_id="odd", conn_type="aep", login="l", password="p")
    with pytest.raises(AepConfigError, match=r"extra\.org_id is missing"):
        AepConnection.from_airflow(conn, extra)


@pytest.mark.parametrize("sandbox", [5, ["dev"], {"dev": 1}])
def test_a_sandbox_that_is_no_text_is_told(aep, sandbox):
    with pytest.raises(AepConfigError, match="sandbox must be a sandbox name"):
        AepHook(sandbox=sandbox).run(list_datasets())


@pytest.mark.parametrize("key_file", [5, ["/quoted"], "/quoted\x00", "quoted" * 2_000])
def test_a_key_file_that_cannot_be_a_path_is_told_and_not_quoted(storage, key_file):
    with pytest.raises(AepConfigError, match=r"extra\.key_file cannot be read") as told:
        storage("sftp", conn_type="sftp", host="h", login="l", extra={"key_file": key_file})
    assert "quoted" not in str(told.value)


# What may be written


@pytest.mark.parametrize(
    ("extra", "writes"),
    [
        ({}, "all"),
        ({"writes": "all"}, "all"),
        ({"writes": "none"}, "none"),
        ({"writes": "development"}, "development"),
        ({"writes": " None\u00a0"}, "none"),
        ({"writes": "DEVELOPMENT "}, "development"),
        ({"Writes": "none"}, "none"),
        ({" WRITES": "None"}, "none"),
    ],
)
def test_neither_letter_case_nor_blanks_weaken_the_guard_for_writes(connect, extra, writes):
    assert connect(extra).get_conn().writes == writes


@pytest.mark.parametrize(
    "extra",
    [
        *(
            {"writes": value}
            for value in ("dev", "", " ", None, False, 0, [], ["none"], True, "no ne", "none\n,")
        ),
        {"writes": "all", "Writes": "none"},
    ],
    ids=str,
)
def test_a_word_for_writes_that_is_none_of_the_three_is_told_at_first_use(aep, monkeypatch, extra):
    document = json.loads(os.environ["AIRFLOW_CONN_AEP_DEFAULT"])
    document["extra"] |= extra
    monkeypatch.setenv("AIRFLOW_CONN_AEP_DEFAULT", json.dumps(document))
    with pytest.raises(AepConfigError, match=r"extra\.writes must be one of all, development and none"):
        AepHook().run(list_dataflows())
    assert aep.log == []


def test_a_connection_with_less_leave_gets_none_from_one_with_the_same_login(aep, monkeypatch):
    document = json.loads(os.environ["AIRFLOW_CONN_AEP_DEFAULT"])
    document["extra"]["writes"] = "none"
    monkeypatch.setenv("AIRFLOW_CONN_AEP_WATCHER", json.dumps(document))
    create = {"name": "x", "datasets": [aep.datasets()[0].id]}
    AepHook().run(create_source_connection(**create))
    with pytest.raises(AepWriteRefusedError, match=r"extra\.writes is none"):
        AepHook("aep_watcher").run(create_source_connection(**create))
    assert len(aep.requests("POST", "/sourceConnections")) == 1


# What processes share, and what goes


@pytest.fixture
def sharing(aep, monkeypatch, tmp_path):
    """Sharing is on, in a directory of this test alone; ``sharing()`` forgets what a process knows."""
    monkeypatch.setenv("AIRFLOW__AEP__SHARE_TOKENS", "True")
    monkeypatch.setenv("AIRFLOW__AEP__SHARE_DIRECTORY", str(tmp_path))
    return sessions._sessions.clear


def test_hooks_of_several_processes_share_a_token_and_each_masks_it(aep, sharing, monkeypatch):
    masked = []
    monkeypatch.setattr(masking, "mask_secret", masked.append)
    for _ in range(3):
        AepHook().run(list_datasets())
        asyncio.run(AepHook().arun(list_datasets()))
        sharing()
    assert len(aep.requests("POST", "/ims/token/v3")) == 1
    assert len(masked) == 3
    assert len(set(masked)) == 1


def test_sharing_can_be_switched_off(aep, sharing, monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW__AEP__SHARE_TOKENS", "False")
    for _ in range(2):
        AepHook().run(list_datasets())
        sharing()
    assert len(aep.requests("POST", "/ims/token/v3")) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_shared_directory_that_depends_on_where_a_process_starts_is_refused(aep, sharing, monkeypatch):
    monkeypatch.setenv("AIRFLOW__AEP__SHARE_DIRECTORY", "run/airflow")
    with pytest.raises(AepConfigError, match="share_directory must be an absolute path"):
        AepHook().run(list_datasets())
    assert aep.log == []


def test_nothing_of_airflows_is_called_while_the_sessions_are_locked(connect, monkeypatch):
    proxied = connect({"proxy": f"http://user:{SECRET}@proxy.example:3128"}).get_conn()
    other = replace(proxied, proxy=None)
    met = []

    def suspended(secret):  # as in a trigger: meanwhile another one asks, in the same thread
        met.append(sessions.shared_session(other))

    monkeypatch.setattr(sessions, "_sessions", {})
    monkeypatch.setattr(masking, "mask_secret", suspended)
    asking = threading.Thread(target=lambda: met.append(sessions.shared_session(proxied)), daemon=True)
    asking.start()
    asking.join(10)
    assert len(met) == 2


def test_the_sessions_of_rotated_secrets_go_when_they_are_idle(connect, monkeypatch):
    monkeypatch.setattr(sessions, "_sessions", {})
    now = [0.0]
    monkeypatch.setattr(sessions, "time", SimpleNamespace(monotonic=lambda: now[0]))
    connection = connect({}).get_conn()
    steady = replace(connection, writes="none")
    kept = sessions.shared_session(steady)
    for number in range(50):
        now[0] += 300.0
        rotated = replace(connection.credentials, client_secret=f"rotated-{number}")
        used = sessions.shared_session(replace(connection, credentials=rotated))
        assert sessions.shared_session(steady) == kept
    assert len(sessions._sessions) <= 4
    assert sessions.shared_session(replace(connection, credentials=rotated)) == used
