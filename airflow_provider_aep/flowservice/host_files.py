"""Sealed files in a private directory, shared by the processes of one user and credential on one host.

The keys come from the client secret, so only processes that could fetch a token themselves can read or write
a file. No result depends on these files: one that cannot be read counts as absent, one that cannot be written
is not shared, and no error leaves this module.

Sources: RFC 5869 (HKDF), NIST SP 800-38D (AES-GCM).
"""

from __future__ import annotations

import hmac
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from airflow_provider_aep.flowservice.private_directory import PARENTS, Lock, PrivateDirectory

# Part of all keys: another version of the format uses other names, and so never meets these files.
VERSION = "airflow-provider-aep 1"
_MAGIC = b"aep-host-file-1\n"
_NONCE = 12
# How far, in seconds, the clock may go back before a file written a moment ago looks forged.
SLACK = 60.0

# What a file is about. It determines the file's name and seal, so no file passes for another.
About = tuple[str, ...]
TOKEN: About = ("token",)

log = logging.getLogger(__name__)
_reported = False


def is_fresh(since: float, lasts: float, now: float) -> bool:
    """Whether a file written at that moment still counts. One from the future never does.

    :param lasts: seconds.
    """
    return -SLACK <= now - since < lasts


@dataclass(slots=True)
class Claim:
    """The right to write a file.

    ``busy``: another process holds it. No ``lock`` and not ``busy``: locks do not work here.
    """

    busy: bool = False
    lock: Lock | None = None

    def release(self) -> None:
        if self.lock is not None:
            self.lock.release()


class HostFiles:
    """Files of JSON that the holders of one client secret share.

    :param secret: the client secret, which is stored nowhere.
    :param bound_to: what else sharing processes must have in common: token URL, client id, scopes,
        organization.
    :param platform_url: the service that responses come from; tokens are the same for all.
    :param parents: where the directory may be; see ``private_directory``.
    """

    def __init__(
        self, secret: str, bound_to: Sequence[str], *, platform_url: str, parents: Sequence[str] = PARENTS
    ) -> None:
        self._secret, self._context = secret, json.dumps([VERSION, *bound_to]).encode()
        self._platform_url = platform_url
        self._directory = PrivateDirectory(parents)
        self._trouble: str | None = None

    def answer_of(self, sandbox: str, path: str) -> About:
        """The subject of a file that holds the response to a GET."""
        return ("answer", self._platform_url, sandbox, path)

    def read(self, about: About) -> Any:
        """The content written last; ``None`` if it cannot be read, or is not ours."""
        try:
            return json.loads(self._open(about, self._directory.read(self._name(about))))
        except Exception:
            return None

    def write(self, about: About, content: Any) -> None:
        try:
            self._directory.write(self._name(about), self._seal(about, json.dumps(content).encode()))
        except Exception as error:  # a library may lack an algorithm
            self._note(error)

    def claim(self, about: About) -> Claim:
        """Try to get the right to write; does not wait for it."""
        try:
            return Claim(lock=self._directory.lock(f"{self._name(about)}.lock"))
        except BlockingIOError:
            return Claim(busy=True)
        except Exception as error:  # a library may lack an algorithm
            self._note(error)
            return Claim()

    def report(self) -> None:
        """Log once in a process that nothing is shared, and why. Call it while no lock is held."""
        global _reported
        if self._trouble is not None and not _reported:
            _reported = True
            log.info(
                "AEP: this process shares no token with others on this host (%s, in %s); it fetches its own",
                self._trouble,
                " or ".join(self._directory.parents),
            )

    def _note(self, error: Exception) -> None:
        # Not the error's own text, which may quote paths or content.
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else ""
        self._trouble = f"{type(error).__name__}: {reason}" if reason else type(error).__name__

    @cached_property
    def _keys(self) -> tuple[bytes, bytes]:
        """One key for the names of files, one to seal them."""
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        def key(use: bytes) -> bytes:
            made: bytes = HKDF(SHA256(), 32, salt=None, info=use + self._context).derive(secret)
            return made

        secret = self._secret.encode()
        return key(b"name "), key(b"seal ")

    def _name(self, about: About) -> str:
        return hmac.new(self._keys[0], json.dumps(about).encode(), "sha256").hexdigest()[:40]

    def _seal(self, about: About, content: bytes) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE)
        return _MAGIC + nonce + AESGCM(self._keys[1]).encrypt(nonce, content, self._bound(about))

    def _open(self, about: About, sealed: bytes) -> bytes:
        """The content of a sealed file.

        :raises ValueError: it was cut short, changed, made for something else, or in another version.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        head, nonce = sealed[: len(_MAGIC)], sealed[len(_MAGIC) : len(_MAGIC) + _NONCE]
        if head != _MAGIC:
            raise ValueError("another version")
        try:
            content: bytes = AESGCM(self._keys[1]).decrypt(
                nonce, sealed[len(_MAGIC) + _NONCE :], self._bound(about)
            )
        except InvalidTag:
            raise ValueError("not sealed by this credential") from None
        return content

    def _bound(self, about: About) -> bytes:
        return _MAGIC + self._context + json.dumps(about).encode()
