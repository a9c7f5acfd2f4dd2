from __future__ import annotations

import base64

import pytest

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.flowservice.connections import create_base_connection
from airflow_provider_aep.flowservice.destinations import DATA_LANDING_ZONE, S3
from airflow_provider_aep.flowservice.encryption import hold_public_key, resolve_encryption

BODY = "bWFkZSB1cA=="
PGP = f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{BODY}\n-----END PGP PUBLIC KEY BLOCK-----\n"
RSA = f"-----BEGIN PUBLIC KEY-----\n{BODY}\n-----END PUBLIC KEY-----\n"
OFFERED = {"encryptionSpecs": [{"name": "File Encryption"}]}
WITH_ALGORITHMS = {
    "encryptionSpecs": [
        {
            "name": "File Encryption",
            "spec": {
                "type": "object",
                "properties": {
                    "encryptionAlgo": {"type": "string", "enum": ["PGP/GPG", "RSA"]},
                    "publicKey": {"type": "string"},
                },
                "required": ["encryptionAlgo", "publicKey"],
            },
        }
    ]
}


def encoded(key: str | bytes) -> str:
    return base64.b64encode(key if isinstance(key, bytes) else key.encode()).decode()


def held(key: object, **extra: object):
    fields = {"extra.public_key": key, **{f"extra.{name}": value for name, value in extra.items()}}
    return hold_public_key(fields, conn_id="pgp")


@pytest.mark.parametrize("given", [PGP, encoded(PGP), base64.encodebytes(PGP.encode()).decode()])
def test_a_pgp_key_is_sent_in_base64_however_it_is_given(given):
    assert resolve_encryption(held(given), OFFERED, title="Amazon S3") == {
        "specName": "File Encryption",
        "params": {"encryptionAlgo": "PGP/GPG", "publicKey": encoded(PGP)},
    }


def test_a_binary_pgp_key_is_one_too():
    assert held(encoded(b"\x99\x01\x0d\x04")).algorithm == "PGP/GPG"
    assert held(encoded(b"\xc6\x01\x0d\x04")).algorithm == "PGP/GPG"


def test_adobes_word_for_rsa_comes_from_the_live_spec_or_from_the_connection():
    assert resolve_encryption(held(RSA), WITH_ALGORITHMS, title="x")["params"]["encryptionAlgo"] == "RSA"
    named = held(RSA, encryption_algo="RSA-OAEP")
    assert resolve_encryption(named, OFFERED, title="x")["params"]["encryptionAlgo"] == "RSA-OAEP"
    with pytest.raises(AepValidationError, match=r"extra\.encryption_algo is missing"):
        resolve_encryption(held(RSA), OFFERED, title="x")


def test_an_algorithm_that_adobe_does_not_offer_is_told_with_those_it_offers():
    with pytest.raises(AepValidationError, match="/encryptionAlgo must be one of PGP/GPG, RSA"):
        resolve_encryption(held(RSA, encryption_algo="rot13"), WITH_ALGORITHMS, title="x")


@pytest.mark.parametrize(
    "private",
    [
        PGP.replace("PUBLIC", "PRIVATE"),
        PGP + PGP.replace("PUBLIC", "PRIVATE"),
        "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nx\n-----END ENCRYPTED PRIVATE KEY-----",
        RSA.replace("PUBLIC", "RSA PRIVATE"),
    ],
)
@pytest.mark.parametrize("given_as", [str, encoded])
def test_a_private_key_is_refused_by_name(private, given_as):
    with pytest.raises(AepValidationError, match="holds a private key, which must never leave you") as caught:
        held(given_as(private))
    assert "'pgp'" in str(caught.value)
    assert given_as(private) not in str(caught.value)


@pytest.mark.parametrize("head", [b"\x95\x01\x0d\x04", b"\xc5\x01\x0d\x04", b"\x9d\x01\x0d\x04"])
def test_a_binary_secret_key_of_pgp_is_refused(head):
    with pytest.raises(AepValidationError, match="holds a private key"):
        held(encoded(head + bytes(50)))


def test_real_keys_in_der_are_told_apart():
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    der, none = serialization.Encoding.DER, serialization.NoEncryption()
    for form in (serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL):
        with pytest.raises(AepValidationError, match="holds a private key"):
            held(encoded(made.private_bytes(der, form, none)))
    for public in (serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1):
        assert held(encoded(made.public_key().public_bytes(der, public))).algorithm is None


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (None, "extra.public_key is missing"),
        ("  ", "extra.public_key is missing"),
        (["x"], "extra.public_key is missing"),
        ("no key", "extra.public_key is no PGP or RSA public key"),
        (encoded("no key"), "extra.public_key is no PGP or RSA public key"),
        ("-----BEGIN CERTIFICATE-----\nx", "extra.public_key is no PGP or RSA public key"),
    ],
)
def test_what_is_no_public_key_is_told(key, told):
    with pytest.raises(AepValidationError, match=told):
        held(key)


def test_the_algorithm_must_be_a_text():
    with pytest.raises(AepValidationError, match=r"extra\.encryption_algo must be a text"):
        held(PGP, encryption_algo=["PGP"])


@pytest.mark.parametrize("specs", [None, [], "x", [{"name": "A"}, {"name": "B"}], [{"name": 7}]])
def test_a_destination_that_offers_no_encryption_is_told(specs):
    with pytest.raises(AepValidationError, match="encryptionSpecs of Adobe's live spec offers"):
        resolve_encryption(held(PGP), {"encryptionSpecs": specs}, title="x")


def test_the_only_one_that_is_offered_is_taken_whatever_its_name():
    offered = {"encryptionSpecs": [{"name": "Encryption v2"}]}
    assert resolve_encryption(held(PGP), offered, title="x")["specName"] == "Encryption v2"


def test_nothing_is_created_where_the_destination_offers_none(run, emulator):
    make = create_base_connection(name="x", destination=DATA_LANDING_ZONE, login=None, encryption=held(PGP))
    with pytest.raises(AepValidationError, match="the file encryption of Data Landing Zone"):
        run(make)
    assert not emulator.requests("POST", "/connections")


def test_the_key_is_stored_with_the_login(run, emulator):
    login = {"specName": "Assumed Role", "params": {"s3Role": "arn:aws:iam::123456789012:role/aep"}}
    run(create_base_connection(name="x", destination=S3, login=login, encryption=held(PGP)))
    (kept,) = emulator.entities("connections")
    assert kept["encryption"]["params"]["publicKey"] == encoded(PGP)
