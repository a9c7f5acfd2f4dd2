"""The six cloud storage destinations that can receive dataset exports, as data.

Spec ids are the same in every organization and sandbox. A destination's ``logins`` map its ``auth``
parameters to an ordinary Airflow connection: each parameter names one or more places, and the first that
holds a value wins. A place is a field (``login``), an extra (``extra.tenant_id``) or a text made of fields
(``https://{host}.dfs.core.windows.net``). The names here are a hint: the live ``authSpec`` decides what is
sent, and under which names (see ``logins``).

Source: "Export datasets by using the Flow Service API" and the destination catalogue; "Activate audiences to
file-based destinations" (S3's assumed role); release notes of September 2026 (Blob's service principal, whose
names no text gives); read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from airflow_provider_aep.errors import AepValidationError, Problem

DATA_LAKE_SPEC_ID = "23598e46-f560-407b-88d5-ea6207e49db0"
SPEC_VERSION = "1.0"

TENANT = ("extra.tenant_id", "extra.tenant")
TEMPORARY_KEYS = (
    "Adobe stores no session token, so temporary keys never work; give the keys of an IAM user, or a role in "
    "extra.role_arn"
)


class Login(NamedTuple):
    """One way to log in to a destination.

    :param kind: what messages call it.
    :param spec_name: Adobe's exact name of the authentication spec; ``None`` if no document gives it.
    :param params: Adobe's parameter -> the places where an Airflow connection holds it.
    :param base64: parameters that Adobe wants base64-encoded.
    :param spare: optional parameters, which a live spec may ask for; the login is complete without them.
    :param unless: if one of these places holds a value, the same fields are another login.
    :param barred: places whose values make this login useless to Adobe -> why.
    :param not_taken: what people mistake for this login, for messages about its missing parts.
    :param rules: parameter -> the pattern that it must match from its start, and the message otherwise.
    """

    kind: str
    spec_name: str | None
    params: Mapping[str, tuple[str, ...]]
    base64: tuple[str, ...] = ()
    spare: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    barred: Mapping[str, str] = MappingProxyType({})
    not_taken: str = ""
    rules: Mapping[str, tuple[str, str]] = MappingProxyType({})


class Destination(NamedTuple):
    """A kind of cloud storage.

    :param slug: the name that DAG authors use.
    :param title: the name in Adobe's catalogue.
    :param flow_spec_id: the *dataset* flow spec; the same storage has another flow spec for segments.
    :param logins: those that an Airflow connection can hold; the live spec says which are offered.
    :param takes_login: false if Adobe provisions the storage and no login is sent.
    """

    slug: str
    title: str
    connection_spec_id: str
    flow_spec_id: str
    logins: tuple[Login, ...]
    takes_login: bool = True


S3 = Destination(
    slug="s3",
    title="Amazon S3",
    connection_spec_id="4fce964d-3f37-408f-9778-e597338a21ee",
    flow_spec_id="269ba276-16fc-47db-92b0-c1049a3c131f",
    logins=(
        Login(
            kind="an assumed role",
            spec_name="Assumed Role",
            params={"s3Role": ("extra.role_arn",)},
            rules={
                "s3Role": (
                    r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+\Z",
                    "must be the ARN of an IAM role, such as arn:aws:iam::123456789012:role/aep-exports",
                )
            },
        ),
        Login(
            kind="access keys",
            spec_name="Access Key",
            params={
                "s3AccessKey": ("login", "extra.aws_access_key_id", "extra.session_kwargs.aws_access_key_id"),
                "s3SecretKey": (
                    "password",
                    "extra.aws_secret_access_key",
                    "extra.session_kwargs.aws_secret_access_key",
                ),
            },
            barred=dict.fromkeys(
                ("extra.aws_session_token", "extra.session_kwargs.aws_session_token"), TEMPORARY_KEYS
            ),
            rules={"s3AccessKey": ("(?!ASIA)", f"begins with ASIA: {TEMPORARY_KEYS}")},
        ),
    ),
)

AZURE_BLOB = Destination(
    slug="azure_blob",
    title="Azure Blob Storage",
    connection_spec_id="6d6b59bf-fb58-4107-9064-4d246c0e5bb2",
    flow_spec_id="95bd8965-fc8a-4119-b9c3-944c2c2df6d2",
    logins=(
        Login(
            kind="a service principal",
            # Assumed: its parameters; no document gives them, or its name.
            spec_name=None,
            params={
                "url": ("extra.account_url", "extra.url", "https://{host}.blob.core.windows.net"),
                "accountName": ("extra.account_name",),
                "tenant": TENANT,
                "servicePrincipalId": ("login",),
                "servicePrincipalKey": ("password",),
            },
            spare=("url", "accountName"),
        ),
        Login(
            kind="a connection string",
            spec_name="ConnectionString",
            params={"connectionString": ("extra.connection_string",)},
        ),
        Login(
            kind="an account key",
            spec_name="ConnectionString",
            params={
                "connectionString": (
                    "DefaultEndpointsProtocol=https;AccountName={login};AccountKey={password};"
                    "EndpointSuffix=core.windows.net",
                )
            },
            # With a tenant, login and password belong to a service principal.
            unless=TENANT,
            rules={
                "connectionString": (
                    "DefaultEndpointsProtocol=https;AccountName=[a-z0-9]{3,24};",
                    "cannot be made of login: it is no name of a storage account (3 to 24 lower-case letters "
                    "and digits); the login of a service principal needs extra.tenant_id too",
                )
            },
        ),
    ),
)

ADLS_GEN2 = Destination(
    slug="adls_gen2",
    title="Azure Data Lake Gen2",
    connection_spec_id="be2c3209-53bc-47e7-ab25-145db8b873e1",
    flow_spec_id="17be2013-2549-41ce-96e7-a70363bec293",
    logins=(
        Login(
            kind="a service principal",
            spec_name="Azure Service Principal Auth",
            params={
                # an `adls` connection's host is the bare account name
                "url": ("extra.url", "extra.account_url", "https://{host}.dfs.core.windows.net"),
                "tenant": TENANT,
                "servicePrincipalId": ("login",),
                "servicePrincipalKey": ("password",),
            },
        ),
    ),
)

DATA_LANDING_ZONE = Destination(
    slug="data_landing_zone",
    title="Data Landing Zone",
    connection_spec_id="10440537-2a7b-4583-ac39-ed38d4b848e8",
    flow_spec_id="cd2fc47e-e838-4f38-a581-8fff2f99b63a",
    logins=(),
    takes_login=False,  # the storage is Adobe's own, so the request has no auth key
)

GCS = Destination(
    slug="gcs",
    title="Google Cloud Storage",
    connection_spec_id="c5d93acb-ea8b-4b14-8f53-02138444ae99",
    flow_spec_id="585c15c4-6cbf-4126-8f87-e26bff78b657",
    logins=(
        Login(
            kind="HMAC keys",
            spec_name="Google Cloud Storage authentication credentials",
            params={
                "accessKeyId": ("login", "extra.access_key_id"),
                "secretAccessKey": ("password", "extra.secret_access_key"),
            },
            not_taken="HMAC keys are meant: a service account's key file is of no use to Adobe",
            rules={
                "secretAccessKey": (
                    r"(?!\s*\{)",
                    "must be the secret of an HMAC key: a service account's key file is of no use to Adobe",
                )
            },
        ),
    ),
)

SFTP = Destination(
    slug="sftp",
    title="SFTP",
    connection_spec_id="36965a81-b1c6-401b-99f8-22508f1e6a26",
    flow_spec_id="354d6aad-4754-46e4-a576-1b384561c440",
    logins=(
        Login(
            kind="a private key",
            spec_name="SFTP with SSH Key",
            params={"domain": ("host",), "username": ("login",), "sshKey": ("extra.private_key",)},
            base64=("sshKey",),
        ),
        Login(
            kind="a password",
            spec_name="SFTP with Password",
            params={"domain": ("host",), "username": ("login",), "password": ("password",)},
        ),
    ),
)

DESTINATIONS: Mapping[str, Destination] = {
    destination.slug: destination for destination in (S3, AZURE_BLOB, ADLS_GEN2, DATA_LANDING_ZONE, GCS, SFTP)
}
# The flow specs that deliver audiences to the same storages: never a dataset export, whatever they say.
AUDIENCE_FLOW_SPECS = frozenset(
    {
        "1a0514a6-33d4-4c7f-aff8-594799c47549",
        "752d422f-b16f-4f0d-b1c6-26e448e3b388",
        "db060570-a155-418a-a6d3-b4d97698e5dc",
        "7e635b9f-e59b-4546-8ba8-fce6496693c8",
        "976d663b-80b4-4193-be6b-2d0487516623",
        "fd36aaa4-bf2b-43fb-9387-43785eeeb799",
        "71471eba-b620-49e4-90fd-23f1fa0174d8",  # before 2023
    }
)
# The parameters of logins, which belong in no file and no target connection.
LOGIN_PARAMS = frozenset(
    param for destination in DESTINATIONS.values() for login in destination.logins for param in login.params
)


def get_destination(slug: str) -> Destination:
    """The destination with that slug.

    :raises AepValidationError: there is none; the message lists all destinations.
    """
    for destination in DESTINATIONS.values():
        if destination.slug == slug:  # compared, because a template can render to an unhashable value
            return destination
    raise AepValidationError(
        "the destination", [Problem("destination", f"must be one of {', '.join(DESTINATIONS)}")]
    )
