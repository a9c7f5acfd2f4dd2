from __future__ import annotations

import base64

import pytest

from airflow_provider_aep.errors import AepConfigError, AepValidationError
from airflow_provider_aep.flowservice.connections import get_connection_spec
from airflow_provider_aep.flowservice.destinations import (
    ADLS_GEN2,
    AZURE_BLOB,
    DATA_LANDING_ZONE,
    GCS,
    S3,
    SFTP,
)
from airflow_provider_aep.flowservice.logins import login_from_fields, login_problems
from tests.unit.flowservice.storage_logins import AZURE_SP, ENCODED, KEY, LOGINS


@pytest.mark.parametrize("case", LOGINS)
def test_a_login_is_found_in_an_ordinary_connection(case):
    destination, fields, (spec_name, params) = LOGINS[case]
    login = login_from_fields(destination, fields, conn_id="storage")
    assert login == {"specName": spec_name, "params": params}


@pytest.mark.parametrize("case", LOGINS)
def test_such_a_login_satisfies_the_live_spec(run, case):
    destination, fields, _ = LOGINS[case]
    spec = run(get_connection_spec(destination))
    assert login_problems(spec, login_from_fields(destination, fields, conn_id="storage")) == []


@pytest.mark.parametrize(
    ("destination", "fields", "told"),
    [
        (S3, {"login": "x"}, "/s3SecretKey is missing (it is taken from its password or"),
        (S3, {"password": "x"}, "/s3AccessKey is missing (it is taken from its login or"),
        (S3, {}, "its extra.aws_access_key_id)"),
        (AZURE_BLOB, {"login": "x"}, "its extra.connection_string or its login and password)"),
        (ADLS_GEN2, {"host": "x", "login": "x", "password": "x"}, "/tenant is missing"),
        (ADLS_GEN2, {**AZURE_SP}, "/url is missing (it is taken from its extra.url"),
        (GCS, {"login": "x"}, "/secretAccessKey is missing"),
        (SFTP, {"login": "x", "password": "x"}, "/domain is missing (it is taken from its host)"),
        (SFTP, {"host": "x", "extra.private_key": KEY}, "/username is missing (it is taken from its login)"),
        (SFTP, {"host": "x", "login": "x"}, "is missing"),
    ],
)
def test_what_is_missing_is_named_as_adobe_and_as_airflow_name_it(destination, fields, told):
    with pytest.raises(AepValidationError) as caught:
        login_from_fields(destination, fields, conn_id="storage")
    assert told in str(caught.value)
    assert str(caught.value).endswith("Check Airflow connection 'storage'.")


def test_everything_that_is_missing_is_told_at_once():
    with pytest.raises(AepValidationError) as caught:
        login_from_fields(ADLS_GEN2, {}, conn_id="storage")
    assert {problem.pointer for problem in caught.value.problems} == {
        "/url",
        "/tenant",
        "/servicePrincipalId",
        "/servicePrincipalKey",
    }


@pytest.mark.parametrize("value", ["s3cret key", "s3cret\u2028kéy", "ü" * 8, "s3cret="])
def test_a_private_key_that_is_none_is_told_without_quoting_it(value):
    fields = {"host": "h", "login": "l", "extra.private_key": value}
    with pytest.raises(AepValidationError) as caught:
        login_from_fields(SFTP, fields, conn_id="storage")
    assert "/sshKey must be a PEM private key" in str(caught.value)
    assert value not in str(caught.value)


def test_the_landing_zone_takes_no_connection():
    with pytest.raises(AepConfigError, match="takes no credentials_conn_id"):
        login_from_fields(DATA_LANDING_ZONE, {"login": "x"}, conn_id="storage")


def test_a_way_to_log_in_that_is_not_ours_is_passed_on():
    free = {"specName": "Assumed Role", "params": {"role": "arn:aws:iam::1:role/x"}}
    assert login_from_fields(S3, {"extra.aep_auth": free}, conn_id="storage") == free


@pytest.mark.parametrize("free", ["s3cret", ["s3cret"], 7])
def test_such_a_way_must_be_an_object(free):
    with pytest.raises(AepConfigError, match=r"'storage': extra\.aep_auth must be a JSON object") as caught:
        login_from_fields(S3, {"extra.aep_auth": free}, conn_id="storage")
    assert "s3cret" not in str(caught.value)


def test_an_sftp_connection_without_key_and_password_is_told_both_ways_out():
    with pytest.raises(AepValidationError) as caught:
        login_from_fields(SFTP, {"host": "h", "login": "l"}, conn_id="storage")
    assert {problem.pointer for problem in caught.value.problems} == {"/sshKey", "/password"}


def test_a_base64_key_may_be_wrapped_as_the_usual_tools_wrap_it():
    wrapped = base64.encodebytes(KEY.encode()).decode()
    fields = {"host": "h", "login": "l", "extra.private_key": wrapped}
    assert wrapped.count("\n") > 1
    assert login_from_fields(SFTP, fields, conn_id="storage")["params"]["sshKey"] == ENCODED


@pytest.mark.parametrize("params", ["s3cret", None, ["s3cret"]])
def test_the_params_of_a_login_must_be_an_object(params):
    spec = {"authSpec": [{"name": "x", "spec": {"type": "object"}}]}
    (problem,) = login_problems(spec, {"specName": "x", "params": params})
    assert str(problem) == "params must be a JSON object"


@pytest.mark.parametrize("name", [["x"], {"x": 1}, None])
def test_the_spec_name_of_a_login_must_be_a_text(name):
    (problem,) = login_problems({"authSpec": [{"name": "x"}]}, {"specName": name})
    assert str(problem) == "specName must be one of x"


def test_a_private_key_with_half_a_character_is_told():
    fields = {"host": "h", "login": "l", "extra.private_key": "-----BEGIN s3cret\ud800"}
    with pytest.raises(AepValidationError, match="/sshKey must be a PEM private key") as caught:
        login_from_fields(SFTP, fields, conn_id="storage")
    assert "s3cret" not in str(caught.value)
