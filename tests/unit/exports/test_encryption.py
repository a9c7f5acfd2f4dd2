"""File encryption of a declared export: from the spec to the base connection."""

from __future__ import annotations

import pytest

from airflow_provider_aep.errors import AepConfigError, AepUnsafePlanError, AepValidationError
from airflow_provider_aep.exports.credentials import ENCRYPTION
from airflow_provider_aep.exports.spec import parse_spec
from airflow_provider_aep.flowservice.encryption import hold_public_key
from tests.unit.exports.conftest import EveryLogin

PGP = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nbWFkZSB1cA==\n-----END PGP PUBLIC KEY BLOCK-----\n"


class WithKeys(EveryLogin):
    """Every login, and a key in whatever connection is named."""

    def __getitem__(self, key):
        if key[0] == ENCRYPTION:
            return hold_public_key({"extra.public_key": PGP}, conn_id=key[1])
        return super().__getitem__(key)


@pytest.fixture(autouse=True)
def keys(desk):
    desk.logins = WithKeys()


def test_a_spec_says_where_the_key_is_and_says_it_again(desk):
    spec = desk.spec(destination__encryption_conn_id="pgp")
    assert spec.encryption_conn_id == "pgp"
    assert parse_spec(spec.to_json()) == spec
    assert "encryption_conn_id" not in desk.spec().to_json()["destination"]


@pytest.mark.parametrize("conn_id", ["a b", "", 7, ["pgp"]])
def test_it_must_be_the_id_of_a_connection(desk, conn_id):
    with pytest.raises(AepValidationError, match="/destination/encryption_conn_id must be"):
        desk.spec(destination__encryption_conn_id=conn_id)


def test_a_base_connection_that_is_there_is_not_encrypted_afterwards(desk):
    with pytest.raises(
        AepValidationError, match="encryption_conn_id must not be given with base_connection_id"
    ):
        desk.spec(
            destination__encryption_conn_id="pgp",
            destination__credentials_conn_id=...,
            destination__base_connection_id="b-1",
        )


def test_the_base_connection_is_created_with_the_key_and_kept(desk):
    spec = desk.spec(destination__encryption_conn_id="pgp")
    desk.ensure(spec)
    (base,) = desk.emulator.entities("connections")
    assert base["encryption"]["specName"] == "File Encryption"
    assert not desk.ensure(spec).changed


def test_an_export_that_comes_to_be_encrypted_gets_another_base_connection(desk):
    desk.ensure(desk.spec())
    encrypted = desk.spec(destination__encryption_conn_id="pgp")
    plan = desk.plan(encrypted)
    assert plan.step("base connection").action == "replace"
    assert "encryption" in str(plan)
    with pytest.raises(AepUnsafePlanError):
        desk.ensure(encrypted)
    desk.ensure(encrypted, allow_replace=True)
    (flow,) = desk.emulator.entities("flows")
    (target,) = [
        one for one in desk.emulator.entities("targetConnections") if one["id"] in flow["targetConnectionIds"]
    ]
    (base,) = [
        one for one in desk.emulator.entities("connections") if one["id"] == target["baseConnectionId"]
    ]
    assert base["encryption"]["params"]["encryptionAlgo"] == "PGP/GPG"
    assert not desk.ensure(encrypted).changed


def test_and_back(desk):
    desk.ensure(desk.spec(destination__encryption_conn_id="pgp"))
    assert desk.plan(desk.spec()).step("base connection").action == "replace"


def test_without_the_key_nothing_is_created(desk):
    desk.logins = EveryLogin()
    (outcome,) = desk.ensure_all(desk.spec(destination__encryption_conn_id="pgp"))
    assert isinstance(outcome.error, AepConfigError)
    assert not desk.emulator.requests("POST", "/connections")


def test_a_destination_that_offers_no_encryption_is_told_before_anything_is_created(desk):
    landing = {"type": "data_landing_zone", "params": {"path": "x", "datasetFileType": "JSON"}}
    (outcome,) = desk.ensure_all(desk.spec(destination={**landing, "encryption_conn_id": "pgp"}))
    assert "offers none" in str(outcome.error)
    assert str(outcome.error).endswith("leave encryption_conn_id out.")  # nothing is wrong with the key
    assert {one.method for one in desk.emulator.requests() if "/ims/" not in one.path} == {"GET"}
