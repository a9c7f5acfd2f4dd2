"""What a certificate of our own must say, for services on the loopback address in tests and benchmarks.

From Python 3.13 on, clients hold a certificate to RFC 5280.
"""

from __future__ import annotations

from typing import Any


def authority_usage() -> Any:
    """The ``x509.KeyUsage`` of a certificate that vouches for others, or for itself."""
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def key_identifiers(public_key: Any, signer: Any) -> tuple[Any, Any]:
    """Which key a certificate is of, and which has signed it.

    :param signer: the public key that belongs to the one that signs.
    """
    from cryptography import x509

    return (
        x509.SubjectKeyIdentifier.from_public_key(public_key),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer),
    )
