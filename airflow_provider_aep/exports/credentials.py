"""The logins and keys for exports, read from Airflow connections beforehand and looked up here by name."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_aep.errors import AepConfigError, AepError
from airflow_provider_aep.exports.spec import ExportSpec
from airflow_provider_aep.flowservice.documents import Document
from airflow_provider_aep.flowservice.encryption import PublicKey
from airflow_provider_aep.flowservice.held_logins import Held

# (destination, Airflow connection) -> the login that is sent. One that could not be read is an error, which
# only concerns the exports that would send it. Keys are under (ENCRYPTION, Airflow connection).
Logins = Mapping[tuple[str, str | None], Held | PublicKey | Document | AepError | None]
ENCRYPTION = "encryption"


def login_of(spec: ExportSpec, logins: Logins) -> Held | Document | None:
    login = logins.get((spec.destination.slug, spec.credentials_conn_id))
    if isinstance(login, AepError):
        raise login
    assert not isinstance(login, PublicKey)
    return login


def encryption_of(spec: ExportSpec, logins: Logins) -> PublicKey | None:
    if spec.encryption_conn_id is None:
        return None
    key = logins.get((ENCRYPTION, spec.encryption_conn_id))
    if isinstance(key, AepError):
        raise key
    if not isinstance(key, PublicKey):  # never export unencrypted if a key is wanted
        raise AepConfigError(f"export {spec.name!r}: no key was read from {spec.encryption_conn_id!r}")
    return key


def advice_of(spec: ExportSpec) -> str:
    return f"Check Airflow connection {spec.credentials_conn_id!r}." if spec.credentials_conn_id else ""
