"""The provider's metadata, which every process of Airflow reads: pure data, no imports.

The connection form is described only here. Airflow 3.2 and later build it from this table; for earlier ones
``AepHook`` builds the same fields from it.
"""

from __future__ import annotations

from typing import Any

__all__ = ["get_provider_info"]

DESCRIPTION = "Set up and watch dataset exports from Adobe Experience Platform to cloud storage."
INTEGRATION = "Adobe Experience Platform"

CONN_FIELDS: dict[str, dict[str, Any]] = {
    "org_id": {
        "label": "Organization ID",
        "description": "The IMS organization, as in 1234567890ABCDEF@AdobeOrg.",
        "schema": {"type": ["string", "null"], "pattern": ".+@AdobeOrg$"},
    },
    "sandbox": {
        "label": "Sandbox",
        "description": "Name of the sandbox, in lower case. Tasks may override it.",
        "schema": {"type": ["string", "null"], "default": "prod"},
    },
    "scopes": {
        "label": "Scopes",
        "description": "Comma-separated OAuth scopes granted to the credential. Empty: the usual ones.",
        "schema": {"type": ["string", "null"]},
    },
    "token_url": {
        "label": "Token URL",
        "description": "Empty: Adobe's own token endpoint (IMS).",
        "schema": {"type": ["string", "null"]},
    },
    "tenant": {
        "label": "Tenant",
        "description": "The name after the @ in the Platform UI's address; links to the UI use it.",
        "schema": {"type": ["string", "null"]},
    },
    "writes": {
        "label": "Writes",
        "description": "Where anything may be changed: all, development (sandboxes of that type) or none.",
        "schema": {"type": "string", "default": "all", "enum": ["all", "development", "none"]},
    },
    "proxy": {
        "label": "Proxy URL",
        "description": "Empty: the environment's HTTPS_PROXY and NO_PROXY.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "ca_bundle": {
        "label": "CA bundle",
        "description": "Path of a CA bundle on the workers. Empty: the environment's REQUESTS_CA_BUNDLE.",
        "schema": {"type": ["string", "null"]},
    },
}

HIDDEN_FIELDS = ["port", "schema"]
RELABELING = {"login": "Client ID", "password": "Client secret", "host": "Platform URL"}
PLACEHOLDERS = {"host": "https://platform.adobe.io"}

ASSETS = {
    "schemes": ["aep"],
    "handler": "airflow_provider_aep.assets.sanitize_uri",
    "factory": "airflow_provider_aep.assets.create_asset",
    "to_openlineage_converter": "airflow_provider_aep.assets.asset_to_openlineage",
}


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata; valid against the schemas of Airflow 2.11 and 3.3."""

    def modules(*names: str) -> list[dict[str, Any]]:
        return [
            {
                "integration-name": INTEGRATION,
                "python-modules": [f"airflow_provider_aep.{name}" for name in names],
            }
        ]

    return {
        "package-name": "airflow-provider-aep",
        "name": INTEGRATION,
        "description": DESCRIPTION,
        "integrations": [
            {
                "integration-name": INTEGRATION,
                "external-doc-url": "https://developer.adobe.com/experience-platform-apis/",
                "tags": ["service"],
            }
        ],
        "hooks": modules("hooks"),
        "operators": modules(
            "operators.datasets",
            "operators.connections",
            "operators.dataflows",
            "operators.exports",
            "operators.maintenance",
            "operators.monitoring",
            "operators.verdicts",
        ),
        "sensors": modules("sensors"),
        "triggers": modules("triggers"),
        "connection-types": [
            {
                "connection-type": "aep",
                "hook-name": INTEGRATION,
                "hook-class-name": "airflow_provider_aep.hooks.AepHook",
                "conn-fields": CONN_FIELDS,
                "ui-field-behaviour": {
                    "hidden-fields": HIDDEN_FIELDS,
                    "relabeling": RELABELING,
                    "placeholders": PLACEHOLDERS,
                },
            }
        ],
        "config": {
            "aep": {
                "description": "Settings of the Adobe Experience Platform provider.",
                "options": {
                    "poll_interval": {
                        "description": "The time between two polls of a sensor that names no poke_interval: "
                        "seconds, or an ISO 8601 duration such as PT2M.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "30",
                        "default": "60",
                    },
                    "timezone": {
                        "description": "The time zone in which days of the ledger and of allowances begin at "
                        "midnight, and of moments of operators and sensors that have no offset. By "
                        "default [core] default_timezone.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "Europe/Berlin",
                        "default": "",
                    },
                    "share_tokens": {
                        "description": "Whether the processes of one user and credential on one host share "
                        "their access token, in an encrypted file.",
                        "version_added": "0.1.0",
                        "type": "boolean",
                        "example": "False",
                        "default": "True",
                    },
                    "share_directory": {
                        "description": "An absolute path, on a local file system, in which each user gets "
                        "a private directory for that. By default /dev/shm, else /tmp.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "/run/airflow",
                        "default": "",
                    },
                    "page_refresh_seconds": {
                        "description": "How long the exports page shows the same results to all viewers: "
                        "seconds, or an ISO 8601 duration such as PT2M.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "60",
                        "default": "30",
                    },
                    "page_allowance": {
                        "description": "What each sandbox may export, for the ledger on the exports page; "
                        "several are separated by commas.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "exported_bytes=5TB/year",
                        "default": "",
                    },
                    "page_for_dag_viewers": {
                        "description": "Whether a user who may see a DAG, but not the connection, sees "
                        "the exports that this DAG makes or waits for on the exports page.",
                        "version_added": "0.1.0",
                        "type": "boolean",
                        "example": "True",
                        "default": "False",
                    },
                    "page_connections": {
                        "description": "Further sources of the exports page, separated by commas: the "
                        "connections of secrets backends, which Airflow cannot list, and with a slash the "
                        "sandboxes that are not a connection's own.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "aep_vault,aep_default/dev",
                        "default": "",
                    },
                },
            }
        },
        "asset-uris": [ASSETS],
        "dataset-uris": [ASSETS],  # the same for Airflow 2
        # Airflow 3.2 and later; the program `aep` serves all others.
        "cli": ["airflow_provider_aep.cli.get_cli_commands"],
        "extra-links": ["airflow_provider_aep.operators.links.AepDataflowLink"],
        "notifications": ["airflow_provider_aep.notifications.AepRunNotifier"],
    }
