"""What a private key shows without being used: its form, and whether a passphrase protects it.

Source: OpenSSH, PROTOCOL.key (``openssh-key-v1``: the name of a cipher follows the magic); RFC 1421
(``Proc-Type: 4,ENCRYPTED``); RFC 7468 (``ENCRYPTED PRIVATE KEY``).
"""

from __future__ import annotations

import base64
import re

_HEADER = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_OPENSSH = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----(.*?)-----END", re.DOTALL)
_MAGIC = b"openssh-key-v1\0"


def encoded_key(value: str) -> str | None:
    """A PEM private key, plain or in base64, as one line of base64; ``None`` for anything else."""
    try:
        if value.lstrip().startswith("-----BEGIN"):
            plain = value.encode()
        else:
            plain = base64.b64decode(
                "".join(value.split()), validate=True
            )  # the usual tools wrap their lines
    except ValueError:  # not base64, or not even text
        return None
    return base64.b64encode(plain).decode() if _HEADER.search(plain) else None


def is_encrypted(encoded: str) -> bool:
    """Whether a passphrase protects a private key, given as ``encoded_key`` returns it."""
    plain = base64.b64decode(encoded)
    if b"ENCRYPTED PRIVATE KEY-----" in plain or re.search(rb"Proc-Type:\s*4,\s*ENCRYPTED", plain):
        return True
    body = _OPENSSH.search(plain)
    if body is None:
        return False
    try:
        raw = base64.b64decode(b"".join(body[1].split()))
    except ValueError:
        return False
    length = int.from_bytes(raw[len(_MAGIC) : len(_MAGIC) + 4], "big")
    cipher = raw[len(_MAGIC) + 4 : len(_MAGIC) + 4 + length]
    return raw.startswith(_MAGIC) and cipher != b"none"
