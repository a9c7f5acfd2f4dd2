"""The logins and keys that exports are made with: read from Airflow connections before, held here by name."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_aep.errors import AepConfigError, AepError
from airflow_provider_aep.exports.spec import ExportSpec
from airflow_provider_aep.flowservice.documents import Document
from airflow_provider_aep.flowservice.encryption import PublicKey
from airflow_provider_aep.flowservice.held_logins import Held

# Where a login comes from -> what is sent: (destination, Airflow connection) -> auth. One that could not be
# read is an error, of those exports alone for which it would be sent. The same of keys, under (ENCRYPTION,
# Airflow connection).
Logins = Mapping[tuple[str, str | None], Held | PublicKey | Document | AepError | None]
ENCRYPTION = "encryption"


def login_of(spec: ExportSpec, logins: Logins) -> Held | Document | None:
    found = logins.get((spec.destination.slug, spec.credentials_conn_id))
    if isinstance(found, AepError):
        raise found
    assert not isinstance(found, PublicKey)
    return found


def encryption_of(spec: ExportSpec, logins: Logins) -> PublicKey | None:
    if spec.encryption_conn_id is None:
        return None
    found = logins.get((ENCRYPTION, spec.encryption_conn_id))
    if isinstance(found, AepError):
        raise found
    if not isinstance(found, PublicKey):  # never without, where one is asked for
        raise AepConfigError(f"export {spec.name!r}: no key was read from {spec.encryption_conn_id!r}")
    return found


def advice_of(spec: ExportSpec) -> str:
    return f"Check Airflow connection {spec.credentials_conn_id!r}." if spec.credentials_conn_id else ""
