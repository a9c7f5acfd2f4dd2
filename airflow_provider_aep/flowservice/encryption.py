"""File encryption of a base connection: the public key from an Airflow connection, as the live spec wants it.

Source: the migration guide of cloud storage destinations (``encryption`` of a base connection: "File
Encryption" with ``encryptionAlgo`` "PGP/GPG" and a ``publicKey`` in base64); release notes of September 2025
(RSA keys); read 2026-11. No document says whether the files of dataset exports are encrypted with it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.flowservice.documents import Document, mapping, sequence
from airflow_provider_aep.flowservice.validation import schema_problems

FILE_ENCRYPTION = "File Encryption"
PGP = "PGP/GPG"

_WHAT = "the file encryption"
_PRIVATE = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
_PUBLIC = re.compile(rb"-----BEGIN (?P<pgp>PGP )?(?:RSA )?PUBLIC KEY(?: BLOCK)?-----")
# Tags of OpenPGP packets (RFC 9580): secret key and secret subkey, public key.
_SECRET_PACKETS, _PUBLIC_PACKET = (5, 7), 6
# The start of a private key in PKCS#1 and PKCS#8: a sequence whose first member is a version, 0 or 1.
_DER_PRIVATE = re.compile(rb"\x30(?:[\x00-\x7f]|[\x81-\x84].{1,4}?)\x02\x01[\x00\x01]", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key that files are to be encrypted with.

    :param conn_id: the Airflow connection that holds it.
    :param encoded: the key in base64.
    :param algorithm: Adobe's word for it; ``None`` if only the live spec gives it.
    """

    conn_id: str
    encoded: str = field(repr=False)
    algorithm: str | None


def hold_public_key(fields: Mapping[str, Any], *, conn_id: str) -> PublicKey:
    """The public key of an Airflow connection: ``extra.public_key``, and ``extra.encryption_algo`` if given.

    :param fields: as ``hold_login`` takes them.
    :raises AepValidationError: the key is missing, is no public key, or is a private one.
    """
    given, algorithm = fields.get("extra.public_key"), fields.get("extra.encryption_algo") or None
    problems = []
    plain, place = _decoded(given), "extra.public_key"
    if not isinstance(given, str) or not given.strip():
        problems.append(Problem(place, "is missing: the public key, as text or as base64"))
    elif _is_private(plain):
        problems.append(
            Problem(place, "holds a private key, which must never leave you: give the public one")
        )
    elif not _is_public(plain):
        problems.append(Problem(place, "is no PGP or RSA public key, as text or as base64"))
    if algorithm is not None and not isinstance(algorithm, str):
        problems.append(Problem("extra.encryption_algo", "must be a text"))
    if problems:
        raise AepValidationError(_WHAT, problems, f"Check Airflow connection {conn_id!r}.")
    return PublicKey(
        conn_id=conn_id,
        encoded=base64.b64encode(plain).decode(),
        algorithm=str(algorithm) if algorithm else (PGP if _is_pgp(plain) else None),
    )


def resolve_encryption(key: PublicKey, spec: Document, *, title: str) -> Document:
    """The ``encryption`` of a base connection, as the live spec wants it.

    :param spec: the live connection spec.
    :param title: the destination, for the error message.
    :raises AepValidationError: the spec offers no encryption, or not with such a key.
    """
    offered = [mapping(item) for item in sequence(spec.get("encryptionSpecs"))]
    names = [str(item["name"]) for item in offered if isinstance(item.get("name"), str)]
    what, advice = f"{_WHAT} of {title}", f"Check Airflow connection {key.conn_id!r}."
    if FILE_ENCRYPTION not in names and len(names) != 1:
        offer = f"offers {', '.join(names)}" if names else "offers none"
        rule = f"{offer}, and {FILE_ENCRYPTION!r} is needed: leave encryption_conn_id out"
        raise AepValidationError(what, [Problem("encryptionSpecs of Adobe's live spec", rule)])
    name = FILE_ENCRYPTION if FILE_ENCRYPTION in names else names[0]
    schema = mapping(next(item for item in offered if item.get("name") == name).get("spec"))
    algorithms = [
        item
        for item in sequence(mapping(mapping(schema.get("properties")).get("encryptionAlgo")).get("enum"))
        if isinstance(item, str)
    ]
    rsa = [item for item in algorithms if "RSA" in item.upper()]
    algorithm = key.algorithm or (rsa[0] if len(rsa) == 1 else None)
    if algorithm is None:
        choices = (
            f": {', '.join(algorithms)}"
            if algorithms
            else " (the live spec lists none; a PGP key needs none)"
        )
        rule = f"is missing: it must be Adobe's word for the algorithm of an RSA key{choices}"
        raise AepValidationError(what, [Problem("extra.encryption_algo", rule)], advice)
    params = {"encryptionAlgo": algorithm, "publicKey": key.encoded}
    if problems := schema_problems(schema, params):
        raise AepValidationError(what, problems, advice)
    return {"specName": name, "params": params}


def _decoded(given: object) -> bytes:
    """The key as bytes: base64 decoded, other text unchanged."""
    if not isinstance(given, str):
        return b""
    try:
        if given.lstrip().startswith("-----BEGIN"):
            return given.encode()
        return base64.b64decode("".join(given.split()), validate=True)
    except ValueError:
        return b""


def _is_private(plain: bytes) -> bool:
    return bool(_PRIVATE.search(plain) or _packet(plain) in _SECRET_PACKETS or _DER_PRIVATE.match(plain))


def _is_public(plain: bytes) -> bool:
    return bool(_PUBLIC.search(plain)) or _packet(plain) == _PUBLIC_PACKET or plain[:1] == b"\x30"


def _is_pgp(plain: bytes) -> bool:
    armored = _PUBLIC.search(plain)
    return bool(armored["pgp"]) if armored else _packet(plain) == _PUBLIC_PACKET


def _packet(plain: bytes) -> int | None:
    """The tag of the OpenPGP packet at the start, if there can be one."""
    first = plain[0] if plain else 0
    if not first & 0x80:
        return None
    return first & 0x3F if first & 0x40 else (first & 0x3C) >> 2
