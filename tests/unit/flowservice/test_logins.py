from __future__ import annotations

import base64
import copy
from typing import Any

import pytest

from airflow_provider_aep.errors import AepConfigError, AepValidationError
from airflow_provider_aep.flowservice.connections import create_base_connection, get_connection_spec
from airflow_provider_aep.flowservice.destinations import (
    ADLS_GEN2,
    AZURE_BLOB,
    DATA_LANDING_ZONE,
    GCS,
    S3,
    SFTP,
    Destination,
)
from airflow_provider_aep.flowservice.held_logins import hold_login
from airflow_provider_aep.flowservice.logins import login_problems, resolve_login
from tests.unit.flowservice.storage_logins import AZURE_SP, ENCODED, KEY, LOGINS, ROLE, SECRET

KEYS = {"login": "AKIA2345ABCDEFGH2345", "password": SECRET}
BLOB_SP = {
    "host": "https://acme.blob.core.windows.net",
    "login": "5b1f3c1e-0000-4000-8000-000000000001",
    "password": "app-secret",
    "extra.tenant_id": "t-1",
}


@pytest.fixture
def login_of(run):
    """``login_of(S3, fields)``: the login that the live spec makes of an Airflow connection.

    ``offered`` takes the place of the live ``authSpec``: ``{"name": ["required", ...]}``, or what it holds.
    """

    def made(destination: Destination, fields: dict[str, Any], offered: Any = ...) -> Any:
        spec = copy.deepcopy(dict(run(get_connection_spec(destination))))
        if offered is not ...:
            spec["authSpec"] = (
                [auth_spec(name, *required) for name, required in offered.items()]
                if isinstance(offered, dict)
                else offered
            )
        held = hold_login(destination, fields, conn_id="storage")
        assert SECRET not in repr(held)
        assert "app-secret" not in repr(held)
        return resolve_login(held, spec, title=destination.title)

    return made


@pytest.fixture
def refusal(login_of):
    """``refusal(S3, fields)``: why there is no such login; it never quotes what the connection holds."""

    def told(destination: Destination, fields: dict[str, Any], offered: Any = ...) -> str:
        with pytest.raises(AepValidationError) as caught:
            login_of(destination, fields, offered)
        for place in ("password", "extra.private_key", "extra.connection_string"):
            if len(str(fields.get(place, ""))) > 5:
                assert str(fields[place]) not in str(caught.value)
        return str(caught.value)

    return told


def auth_spec(name: str, *required: str, **more: Any) -> dict[str, Any]:
    properties = {key: {"type": "string"} for key in (*required, *more.pop("optional", ()))}
    return {"name": name, "spec": {"type": "object", "properties": properties, "required": list(required)}}


@pytest.mark.parametrize("case", LOGINS)
def test_a_login_is_found_in_an_ordinary_connection(login_of, case):
    destination, fields, (spec_name, params) = LOGINS[case]
    assert login_of(destination, fields) == {"specName": spec_name, "params": params}


@pytest.mark.parametrize("case", LOGINS)
def test_such_a_login_satisfies_the_live_spec(run, login_of, case):
    destination, fields, _ = LOGINS[case]
    assert login_problems(run(get_connection_spec(destination)), login_of(destination, fields)) == []


@pytest.mark.parametrize(
    ("destination", "fields", "told"),
    [
        (S3, {"login": "x"}, "/s3SecretKey is missing (it is taken from its password or"),
        (S3, {"password": "x"}, "/s3AccessKey is missing (it is taken from its login or"),
        (S3, {}, "its extra.aws_access_key_id)"),
        (S3, {}, "/s3Role is missing (it is taken from its extra.role_arn)"),
        (S3, {"login": "  ", "password": True}, "/s3AccessKey is missing"),
        (AZURE_BLOB, {"login": "x"}, "its extra.connection_string or its login and password)"),
        (
            AZURE_BLOB,
            {**BLOB_SP, "host": None},
            "/accountUrl is missing (it is taken from its extra.account_url",
        ),
        (AZURE_BLOB, {**BLOB_SP, "password": ""}, "/clientSecret is missing (it is taken from its password)"),
        (ADLS_GEN2, {"host": "x", "login": "x", "password": "x"}, "/tenant is missing"),
        (ADLS_GEN2, {**AZURE_SP}, "/url is missing (it is taken from its extra.url"),
        (GCS, {"login": "x"}, "/secretAccessKey is missing"),
        (
            GCS,
            {"extra.keyfile_dict": '{"type": "service_account"}'},
            "a service account's key file is of no use",
        ),
        (
            GCS,
            {"login": "x", "password": ' {"private_key": "x"}'},
            "/secretAccessKey must be the secret of an HMAC",
        ),
        (SFTP, {"login": "x", "password": "x"}, "/domain is missing (it is taken from its host)"),
        (SFTP, {"host": "x", "extra.private_key": KEY}, "/username is missing (it is taken from its login)"),
        (SFTP, {"host": "x", "login": "x"}, "is missing"),
    ],
)
def test_what_is_missing_is_named_as_adobe_and_as_airflow_name_it(refusal, destination, fields, told):
    message = refusal(destination, fields)
    assert told in message
    assert message.endswith("Check Airflow connection 'storage'.")


def test_everything_that_is_missing_is_told_at_once(login_of):
    with pytest.raises(AepValidationError) as caught:
        login_of(ADLS_GEN2, {})
    assert {problem.pointer for problem in caught.value.problems} == {
        "/url",
        "/tenant",
        "/servicePrincipalId",
        "/servicePrincipalKey",
    }


def test_an_sftp_connection_without_key_and_password_is_told_both_ways_out(login_of):
    with pytest.raises(AepValidationError) as caught:
        login_of(SFTP, {"host": "h", "login": "l"})
    assert {problem.pointer for problem in caught.value.problems} == {"/sshKey", "/password"}


def test_the_landing_zone_takes_no_connection():
    with pytest.raises(AepConfigError, match="takes no credentials_conn_id"):
        hold_login(DATA_LANDING_ZONE, {"login": "x"}, conn_id="storage")


# A service principal


def test_a_service_principal_is_never_made_an_account_and_its_key(login_of):
    login = login_of(AZURE_BLOB, BLOB_SP)
    assert login == {
        "specName": "Service Principal",
        "params": {
            "accountUrl": "https://acme.blob.core.windows.net",
            "tenantId": "t-1",
            "clientId": BLOB_SP["login"],
            "clientSecret": "app-secret",
        },
    }


@pytest.mark.parametrize(
    "required",
    [
        ("url", "tenant", "servicePrincipalId", "servicePrincipalKey"),
        ("storageAccountName", "tenant_id", "client_id", "client_secret"),
        ("serviceEndpoint", "directoryId", "applicationId", "applicationSecret"),
        ("TenantID", "ClientID", "ClientSecret"),
    ],
)
def test_a_service_principal_goes_by_whatever_names_the_live_spec_has_for_it(login_of, required):
    login = login_of(AZURE_BLOB, BLOB_SP, {"ConnectionString": ["connectionString"], "Entra": required})
    assert login["specName"] == "Entra"
    assert set(login["params"]) == set(required)
    assert login["params"].get("storageAccountName", "acme") == "acme"
    assert {"t-1", BLOB_SP["login"], "app-secret"} <= set(login["params"].values())


def test_where_adobe_offers_no_service_principal_that_is_told_with_what_it_offers(refusal):
    message = refusal(AZURE_BLOB, BLOB_SP, {"ConnectionString": ["connectionString"]})
    assert "holds a service principal, and Adobe offers ConnectionString (connectionString)" in message
    assert "extra.aep_auth" in message


def test_a_client_id_without_its_tenant_is_no_storage_account(refusal):
    fields = {key: value for key, value in BLOB_SP.items() if key != "extra.tenant_id"}
    message = refusal(AZURE_BLOB, fields)
    assert "login: it is no name of a storage account" in message
    assert "extra.tenant_id" in message


# An assumed role


def test_a_role_is_sent_as_the_live_spec_calls_it(login_of):
    assert login_of(S3, {"extra.role_arn": ROLE}) == {"specName": "Assumed Role", "params": {"s3Role": ROLE}}
    renamed = login_of(S3, {"extra.role_arn": ROLE}, {"Assumed Role": ["roleArn"]})
    assert renamed["params"] == {"roleArn": ROLE}


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::123456789012:role/aep",
        "arn:aws:iam::123456789012:role/service/aep-exports",
        "arn:aws-us-gov:iam::123456789012:role/aep",
        "arn:aws-cn:iam::123456789012:role/aep@x",
    ],
)
def test_a_role_of_any_partition_will_do(login_of, arn):
    assert login_of(S3, {"extra.role_arn": arn})["params"] == {"s3Role": arn}


@pytest.mark.parametrize(
    "arn",
    ["my-exports", "arn:aws:iam::123456789012:user/aep", "arn:aws:iam::12:role/aep", ROLE + "\n", "x" * 99],
)
def test_what_is_no_role_is_told(refusal, arn):
    message = refusal(S3, {"extra.role_arn": arn})
    assert "/s3Role must be the ARN of an IAM role" in message
    assert arn not in message


def test_where_adobe_offers_no_role_that_is_told_with_what_it_offers(refusal):
    message = refusal(S3, {"extra.role_arn": ROLE}, {"Access Key": ["s3AccessKey", "s3SecretKey"]})
    assert "holds an assumed role, and Adobe offers Access Key (s3AccessKey, s3SecretKey)" in message


# What can never work


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({**KEYS, "login": "ASIA2345ABCDEFGH2345"}, "/s3AccessKey begins with ASIA: Adobe stores no session"),
        ({**KEYS, "extra.aws_session_token": "t"}, "extra.aws_session_token is of no use: Adobe stores no"),
        ({**KEYS, "extra.session_kwargs.aws_session_token": "t"}, "aws_session_token is of no use"),
        ({"extra.aws_session_token": "t"}, "extra.aws_session_token is of no use"),
    ],
)
def test_temporary_keys_are_refused_by_name(refusal, fields, told):
    message = refusal(S3, fields)
    assert told in message
    assert "or a role in extra.role_arn" in message


def openssh(cipher: bytes) -> str:
    """The head of a private key as ``ssh-keygen`` writes it."""
    raw = b"openssh-key-v1\0" + len(cipher).to_bytes(4, "big") + cipher + bytes(200)
    body = base64.encodebytes(raw).decode()
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}-----END OPENSSH PRIVATE KEY-----\n"


def pem(label: str, *head: str) -> str:
    return "\n".join([f"-----BEGIN {label}-----", *head, "bWFkZSB1cA==", f"-----END {label}-----", ""])


ENCRYPTED = {
    "OpenSSH": openssh(b"aes256-ctr"),
    "OpenSSH, another cipher": openssh(b"chacha20-poly1305@openssh.com"),
    "PEM": pem("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,00", ""),
    "PEM with other blanks": pem("EC PRIVATE KEY", "Proc-Type:4, ENCRYPTED", ""),
    "PKCS#8": pem("ENCRYPTED PRIVATE KEY"),
}
PLAIN = {
    "OpenSSH": openssh(b"none"),
    "OpenSSH that is cut short": pem("OPENSSH PRIVATE KEY"),
    "PEM": pem("RSA PRIVATE KEY"),
    "PKCS#8": pem("PRIVATE KEY"),
}


def given_as(how: str, key: str) -> str:
    if how == "text":
        return key
    if how == "text with Windows line ends":
        return key.replace("\n", "\r\n")
    if how == "base64":
        return base64.b64encode(key.encode()).decode()
    return base64.encodebytes(key.encode()).decode()


HOW = ("text", "text with Windows line ends", "base64", "wrapped base64")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("form", ENCRYPTED)
def test_a_private_key_with_a_passphrase_is_refused_in_any_form(refusal, form, how):
    key = given_as(how, ENCRYPTED[form])
    message = refusal(SFTP, {"host": "h", "login": "l", "extra.private_key": key})
    assert "/sshKey is a private key with a passphrase, which Adobe cannot use" in message


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("form", PLAIN)
def test_a_private_key_without_one_is_sent_as_base64(login_of, form, how):
    key = given_as(how, PLAIN[form])
    sent = login_of(SFTP, {"host": "h", "login": "l", "extra.private_key": key})["params"]["sshKey"]
    assert base64.b64decode(sent, validate=True).decode().replace("\r", "") == PLAIN[form]


def test_a_key_that_a_real_tool_protected_is_refused(refusal):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    made = ec.generate_private_key(ec.SECP256R1())
    for form in (serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL):
        secret = serialization.BestAvailableEncryption(b"passphrase")
        key = made.private_bytes(serialization.Encoding.PEM, form, secret).decode()
        assert "with a passphrase" in refusal(SFTP, {"host": "h", "login": "l", "extra.private_key": key})


@pytest.mark.parametrize(
    "value",
    [
        *("s3cret key", "s3cret\u2028kéy", "ü" * 8, "s3cret=", "-----BEGIN s3cret\ud800"),
        "ssh-rsa AAAAB3NzaC1yc2E s3cret",
        pem("PUBLIC KEY"),
        base64.b64encode(b"no key at all").decode(),
    ],
)
def test_a_private_key_that_is_none_is_told_without_quoting_it(login_of, value):
    fields = {"host": "h", "login": "l", "extra.private_key": value}
    with pytest.raises(AepValidationError) as caught:
        login_of(SFTP, fields)
    assert "/sshKey must be a PEM private key" in str(caught.value)
    assert value not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_base64_key_may_be_wrapped_as_the_usual_tools_wrap_it(login_of):
    wrapped = base64.encodebytes(KEY.encode()).decode()
    fields = {"host": "h", "login": "l", "extra.private_key": wrapped}
    assert wrapped.count("\n") > 1
    assert login_of(SFTP, fields)["params"]["sshKey"] == ENCODED


# Two logins in one connection

BOTH = {
    "s3": (
        S3,
        {**KEYS, "extra.role_arn": ROLE},
        "holds 2 logins, an assumed role (extra.role_arn; Adobe calls it 'Assumed Role') and access keys "
        "(login, password; Adobe calls it 'Access Key')",
    ),
    "azure_blob": (
        AZURE_BLOB,
        {**BLOB_SP, "extra.connection_string": "made up"},
        "holds 2 logins, a service principal (extra.account_url, extra.account_name, extra.tenant_id, login, "
        "password) and a connection string (extra.connection_string; Adobe calls it 'ConnectionString')",
    ),
    "sftp": (
        SFTP,
        {"host": "h", "login": "l", "password": "maybe-a-passphrase", "extra.private_key": KEY},
        "holds 2 logins, a private key (host, login, extra.private_key; Adobe calls it 'SFTP with SSH Key') "
        "and a password (host, login, password; Adobe calls it 'SFTP with Password')",
    ),
}


@pytest.mark.parametrize("case", BOTH)
def test_of_two_logins_one_must_be_chosen(case):
    destination, fields, told = BOTH[case]
    with pytest.raises(AepValidationError) as caught:
        hold_login(destination, fields, conn_id="storage")
    assert told in str(caught.value)
    assert "take one out, or name one in extra.aep_login" in str(caught.value)


@pytest.mark.parametrize(
    ("case", "name", "params"),
    [
        ("s3", "Assumed Role", {"s3Role"}),
        ("s3", "assumed role", {"s3Role"}),
        ("s3", "Access Key", {"s3AccessKey", "s3SecretKey"}),
        ("azure_blob", "ConnectionString", {"connectionString"}),
        ("azure_blob", "Service Principal", {"accountUrl", "tenantId", "clientId", "clientSecret"}),
        ("sftp", "SFTP with SSH Key", {"domain", "username", "sshKey"}),
        ("sftp", "SFTP with Password", {"domain", "username", "password"}),
    ],
)
def test_the_connection_can_name_the_one_that_is_meant(login_of, case, name, params):
    destination, fields, _ = BOTH[case]
    login = login_of(destination, {**fields, "extra.aep_login": name})
    assert login["specName"].lower() == name.lower()
    assert set(login["params"]) == params


def test_what_is_wrong_with_the_login_that_is_not_meant_does_not_matter(login_of):
    fields = {**KEYS, "login": "ASIA2345ABCDEFGH2345", "extra.aws_session_token": "t", "extra.role_arn": ROLE}
    assert login_of(S3, {**fields, "extra.aep_login": "Assumed Role"})["params"] == {"s3Role": ROLE}


def test_a_name_that_adobe_does_not_offer_is_told_with_those_it_offers(refusal):
    message = refusal(S3, {**KEYS, "extra.aep_login": "Anonymous"})
    assert (
        "extra.aep_login must name a login that Adobe offers: Access Key (s3AccessKey, s3SecretKey)"
        in message
    )


@pytest.mark.parametrize("wanted", [["Access Key"], {"a": 1}, 7, True])
def test_such_a_name_must_be_a_text(wanted):
    with pytest.raises(AepConfigError, match=r"'storage': extra\.aep_login must be a text"):
        hold_login(S3, {**KEYS, "extra.aep_login": wanted}, conn_id="storage")


# A login that Adobe adds


def test_a_login_of_no_table_is_served_by_extras_that_bear_its_names(login_of):
    fields = {"extra.workload_provider": "p", "extra.serviceAccount": "s", "extra.other": "x"}
    offered = {"HMAC": ["accessKeyId", "secretAccessKey"], "Workload": ["workloadProvider", "serviceAccount"]}
    assert login_of(GCS, fields, offered) == {
        "specName": "Workload",
        "params": {"workloadProvider": "p", "serviceAccount": "s"},
    }


def test_a_parameter_that_adobe_comes_to_require_is_named_or_taken_from_the_extra(login_of, refusal):
    offered = {"Access Key": ["s3AccessKey", "s3SecretKey", "region"]}
    told = refusal(S3, KEYS, offered)
    assert "/region is missing (give it as extra.region, or the whole login as extra.aep_auth)" in told
    login = login_of(S3, {**KEYS, "extra.region": "eu-west-1"}, offered)
    assert login["params"] == {"s3AccessKey": KEYS["login"], "s3SecretKey": SECRET, "region": "eu-west-1"}


def test_a_destination_of_no_table_takes_the_usual_fields(login_of, run, emulator):
    spec = {
        "id": "snow-1",
        "name": "Snowbank",
        "authSpec": [auth_spec("Basic", "hostname", "user", "password")],
    }
    emulator.offer(spec)
    snowbank = Destination(
        slug="Snowbank", title="Snowbank", connection_spec_id="snow-1", flow_spec_id="snow-2", logins=()
    )
    login = login_of(snowbank, {"host": "h", "login": "u", "password": SECRET})
    assert login == {"specName": "Basic", "params": {"hostname": "h", "user": "u", "password": SECRET}}


def test_a_renamed_login_is_still_the_one_whose_fields_fit(login_of):
    assert login_of(S3, KEYS, {"Access Keys v2": ["accessKeyId", "secretAccessKey"]}) == {
        "specName": "Access Keys v2",
        "params": {"accessKeyId": KEYS["login"], "secretAccessKey": SECRET},
    }


def test_of_two_that_fit_the_known_name_wins(login_of):
    both = {"Keys v2": ["accessKeyId", "secretAccessKey"], "Access Key": ["s3AccessKey", "s3SecretKey"]}
    assert login_of(S3, KEYS, both)["specName"] == "Access Key"


def test_two_unknown_ones_that_fit_are_told_by_name(login_of, refusal):
    both = {"Keys A": ["accessKeyId", "secretAccessKey"], "Keys B": ["accessKey", "secretKey"]}
    assert "has 2 logins that fit: Keys A, Keys B. Name one in extra.aep_login" in refusal(S3, KEYS, both)
    assert login_of(S3, {**KEYS, "extra.aep_login": "Keys B"}, both)["specName"] == "Keys B"


def test_the_same_name_twice_is_told(refusal):
    twice = [auth_spec("Access Key", "s3AccessKey", "s3SecretKey")] * 2
    assert "has 2 logins that fit: Access Key, Access Key" in refusal(S3, KEYS, twice)
    assert "names 2 logins" in str(login_problems({"authSpec": twice}, {"specName": "Access Key"})[0])


def test_a_login_that_asks_for_nothing_never_fits(refusal):
    assert "holds access keys, and Adobe offers Anonymous (no parameters)" in refusal(
        S3, KEYS, {"Anonymous": []}
    )


def test_only_what_the_table_knows_is_sent_unasked(login_of):
    offered = [auth_spec("Access Key", "s3AccessKey", "s3SecretKey", optional=("note", "accessKeyId"))]
    fields = {**KEYS, "extra.note": "private"}
    assert set(login_of(S3, fields, offered)["params"]) == {"s3AccessKey", "s3SecretKey"}


# A live spec that says nothing


@pytest.mark.parametrize(
    ("auth_specs", "told"),
    [
        (None, "authSpec is missing"),
        ("x", "authSpec is no list"),
        ({"name": "Access Key"}, "authSpec is no list"),
        ([None], "authSpec/0 has no name"),
        ([{"name": 7}], "authSpec/0 has no name"),
        ([], "none: send no login"),
    ],
)
def test_a_live_spec_without_logins_is_an_error_before_anything_is_created(run, emulator, auth_specs, told):
    emulator.offer({**emulator.spec(S3.connection_spec_id), "authSpec": auth_specs})
    held = hold_login(S3, KEYS, conn_id="storage")
    with pytest.raises(AepValidationError, match=told):
        run(create_base_connection(name="crm", destination=S3, login=held))
    assert not emulator.requests("POST", "/connections")


def test_a_live_spec_whose_list_is_odd_is_told_as_the_list_it_has(login_of):
    auth = {"name": "Access Key", "spec": None}
    with pytest.raises(AepValidationError, match="holds access keys, and Adobe offers"):
        login_of(S3, KEYS, [auth])


def test_a_pattern_that_could_take_for_ever_is_left_to_the_service(login_of):
    auth = auth_spec("Access Key", "s3AccessKey", "s3SecretKey")
    auth["spec"]["properties"]["s3SecretKey"] = {"type": "string", "pattern": "^(([A-Za-z0-9]+)*)+!$"}
    assert login_of(S3, KEYS, [auth])["specName"] == "Access Key"


@pytest.mark.parametrize(
    "schema", [{"$ref": "https://elsewhere.example/login.json"}, {"allOf": [{"$ref": "#"}]}, {"$ref": 7}]
)
def test_a_schema_that_leads_elsewhere_or_nowhere_is_not_followed(login_of, schema, monkeypatch):
    def fetch(*_: object, **__: object) -> None:
        raise AssertionError("a schema was fetched")

    monkeypatch.setattr("urllib.request.urlopen", fetch)
    auth = auth_spec("Access Key", "s3AccessKey", "s3SecretKey")
    auth["spec"] |= schema
    assert login_of(S3, KEYS, [auth])["specName"] == "Access Key"


# A login that is passed on


def test_a_way_to_log_in_that_is_not_ours_is_passed_on(login_of):
    free = {"specName": "New", "params": {"anything": "x"}}
    assert login_of(S3, {**KEYS, "extra.aep_auth": free}, {"New": ["anything"]}) == free


def test_what_is_passed_on_has_to_fit_the_live_spec(refusal):
    free = {"specName": "Old", "params": {}}
    told = refusal(S3, {"extra.aep_auth": free}, {"New": ["anything"]})
    assert "specName must be one of New" in told
    assert told.endswith("Check Airflow connection 'storage'.")


@pytest.mark.parametrize("free", ["s3cret", ["s3cret"], 7, "", {}, [], 0, False])
def test_such_a_way_must_be_an_object_and_an_empty_one_is_not_passed_over(free):
    with pytest.raises(AepConfigError, match=r"'storage': extra\.aep_auth must be a JSON object") as caught:
        hold_login(S3, {**KEYS, "extra.aep_auth": free}, conn_id="storage")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("params", ["s3cret", None, ["s3cret"]])
def test_the_params_of_a_login_must_be_an_object(params):
    spec = {"authSpec": [{"name": "x", "spec": {"type": "object"}}]}
    (problem,) = login_problems(spec, {"specName": "x", "params": params})
    assert str(problem) == "params must be a JSON object"


@pytest.mark.parametrize("name", [["x"], {"x": 1}, None])
def test_the_spec_name_of_a_login_must_be_a_text(name):
    (problem,) = login_problems({"authSpec": [{"name": "x"}]}, {"specName": name})
    assert str(problem) == "specName must be one of x"
