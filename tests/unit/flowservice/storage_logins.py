"""Airflow connections to all six storages, and the logins that Adobe is to be sent for them."""

from __future__ import annotations

import base64

from airflow_provider_aep.flowservice.destinations import ADLS_GEN2, AZURE_BLOB, GCS, S3, SFTP

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nbWFkZSB1cA==\n-----END OPENSSH PRIVATE KEY-----\n"
ENCODED = base64.b64encode(KEY.encode()).decode()
SECRET = "Abcd/+1234" * 4
ROLE = "arn:aws:iam::123456789012:role/aep-exports"
HMAC = {"login": "GOOG1" + "E" * 56, "password": SECRET}
AZURE_SP = {"extra.tenant_id": "t-1", "login": "app-1", "password": "app-secret"}
ACCOUNT = (
    "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=azure-key;EndpointSuffix=core.windows.net"
)

# destination, fields of an Airflow connection, the login that Adobe is sent
LOGINS = {
    "s3": (
        S3,
        {"login": "AKIA2345ABCDEFGH2345", "password": SECRET},
        ("Access Key", {"s3AccessKey": "AKIA2345ABCDEFGH2345", "s3SecretKey": SECRET}),
    ),
    "s3, keys in the extra": (
        S3,
        {"extra.aws_access_key_id": "AKIA2345ABCDEFGH2345", "extra.aws_secret_access_key": SECRET},
        ("Access Key", {"s3AccessKey": "AKIA2345ABCDEFGH2345", "s3SecretKey": SECRET}),
    ),
    "azure_blob, connection string": (
        AZURE_BLOB,
        {"extra.connection_string": "made up", "login": "acme", "password": "azure-key"},
        ("ConnectionString", {"connectionString": "made up"}),
    ),
    "azure_blob, account and key": (
        AZURE_BLOB,
        {"login": "acme", "password": "azure-key"},
        ("ConnectionString", {"connectionString": ACCOUNT}),
    ),
    "azure_blob, account and key beside the account's address": (
        AZURE_BLOB,
        {"host": "https://acme.blob.core.windows.net/", "login": "acme", "password": "azure-key"},
        ("ConnectionString", {"connectionString": ACCOUNT}),
    ),
    "adls_gen2, account as host": (
        ADLS_GEN2,
        {"host": "acme", **AZURE_SP},
        (
            "Azure Service Principal Auth",
            {
                "url": "https://acme.dfs.core.windows.net",
                "tenant": "t-1",
                "servicePrincipalId": "app-1",
                "servicePrincipalKey": "app-secret",
            },
        ),
    ),
    "adls_gen2, address as host": (
        ADLS_GEN2,
        {"host": "https://acme.dfs.core.windows.net/exports", **AZURE_SP},
        (
            "Azure Service Principal Auth",
            {
                "url": "https://acme.dfs.core.windows.net/exports",
                "tenant": "t-1",
                "servicePrincipalId": "app-1",
                "servicePrincipalKey": "app-secret",
            },
        ),
    ),
    "adls_gen2, domain as host": (
        ADLS_GEN2,
        {"host": "acme.dfs.core.windows.net", **AZURE_SP},
        (
            "Azure Service Principal Auth",
            {
                "url": "https://acme.dfs.core.windows.net",
                "tenant": "t-1",
                "servicePrincipalId": "app-1",
                "servicePrincipalKey": "app-secret",
            },
        ),
    ),
    "adls_gen2, address in the extra": (
        ADLS_GEN2,
        {
            "host": "acme",
            "extra.account_url": "https://other.dfs.core.windows.net",
            "extra.tenant": "t-2",
            "login": "app-1",
            "password": "app-secret",
        },
        (
            "Azure Service Principal Auth",
            {
                "url": "https://other.dfs.core.windows.net",
                "tenant": "t-2",
                "servicePrincipalId": "app-1",
                "servicePrincipalKey": "app-secret",
            },
        ),
    ),
    "gcs": (
        GCS,
        HMAC,
        (
            "Google Cloud Storage authentication credentials",
            {"accessKeyId": HMAC["login"], "secretAccessKey": SECRET},
        ),
    ),
    "sftp, password": (
        SFTP,
        {"host": "sftp.example.com", "login": "acme", "password": "sftp-secret"},
        (
            "SFTP with Password",
            {"domain": "sftp.example.com", "username": "acme", "password": "sftp-secret"},
        ),
    ),
    "sftp, key": (
        SFTP,
        {"host": "sftp.example.com", "login": "acme", "extra.private_key": KEY},
        ("SFTP with SSH Key", {"domain": "sftp.example.com", "username": "acme", "sshKey": ENCODED}),
    ),
    "sftp, key that is encoded already": (
        SFTP,
        {"host": "sftp.example.com", "login": "acme", "extra.private_key": ENCODED},
        ("SFTP with SSH Key", {"domain": "sftp.example.com", "username": "acme", "sshKey": ENCODED}),
    ),
    "s3, role": (S3, {"extra.role_arn": ROLE}, ("Assumed Role", {"s3Role": ROLE})),
}
