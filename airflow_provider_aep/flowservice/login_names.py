"""Names that mean the same parameter of a login, at Adobe and in Airflow connections."""

from __future__ import annotations

import re

# Names for the same thing, in lower case without '_' and '-'. The first of each group is ours.
SYNONYMS = (
    ("s3accesskey", "accesskeyid", "awsaccesskeyid", "accesskey"),
    ("s3secretkey", "secretaccesskey", "awssecretaccesskey", "secretkey"),
    ("s3role", "role", "rolearn", "awsrole", "iamrole", "awsrolearn", "iamrolearn"),
    (
        *("url", "accounturl", "accounturi", "storageaccounturl", "storageurl", "serviceurl", "serviceuri"),
        *("endpoint", "serviceendpoint", "blobendpoint", "blobserviceendpoint", "uri"),
    ),
    ("accountname", "storageaccountname", "storageaccount", "account"),
    ("tenant", "tenantid", "directoryid", "directorytenantid", "azuretenantid"),
    ("serviceprincipalid", "clientid", "applicationid", "appid", "applicationclientid", "azureclientid"),
    (
        *("serviceprincipalkey", "clientsecret", "serviceprincipalsecret", "applicationsecret", "appsecret"),
        *("applicationkey", "clientkey", "serviceprincipalcredential", "azureclientsecret"),
    ),
    ("connectionstring", "storageconnectionstring", "blobconnectionstring"),
    ("domain", "host", "hostname", "server"),
    ("username", "user", "login", "userid"),
    ("password", "userpassword"),
    ("sshkey", "privatekey", "sshprivatekey"),
)
_CALLED = {name: names[0] for names in SYNONYMS for name in names}


def meaning_of(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return _CALLED.get(plain, plain)
