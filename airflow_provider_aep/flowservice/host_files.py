"""What the processes of one user and credential on one host share: sealed files in a private directory.

The keys come from the client secret, so a file can be read, and made, by none but those who could fetch a
token themselves. Nothing here is ever needed for a result to be right: a file that cannot be read counts as
absent, one that cannot be written is not shared, and no error leaves this module.

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

# Part of all keys: another version of the format has other names, and so no trouble with these files.
VERSION = "airflow-provider-aep 1"
_MAGIC = b"aep-host-file-1\n"
_NONCE = 12
# By how much the clock may go back without making what was written a moment ago look forged.
SLACK = 60.0

# What a file is about: it is named by that, and sealed with it, so no file passes for another.
About = tuple[str, ...]
TOKEN: About = ("token",)

log = logging.getLogger(__name__)
_told = False


def is_fresh(since: float, lasts: float, now: float) -> bool:
    """Whether something of that moment still counts. What comes from the future never does.

    :param lasts: seconds.
    """
    return -SLACK <= now - since < lasts


@dataclass(slots=True)
class Claim:
    """The right to write a file, where it could be had.

    ``busy``: another process has it. Without it, and not busy: there are no locks here.
    """

    busy: bool = False
    lock: Lock | None = None

    def release(self) -> None:
        if self.lock is not None:
            self.lock.release()


class HostFiles:
    """Files of JSON that the holders of one client secret share.

    :param secret: the client secret, which is stored nowhere.
    :param bound_to: what else those who share must agree in: token URL, client id, scopes, organization.
    :param platform_url: the service that answers come from; tokens are the same for all.
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
        """What a file is about that holds the answer of the service to a GET."""
        return ("answer", self._platform_url, sandbox, path)

    def read(self, about: About) -> Any:
        """What was written last; ``None`` where nothing can be read, or not all of it is ours."""
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
        """The right to write, without waiting for it."""
        try:
            return Claim(lock=self._directory.lock(f"{self._name(about)}.lock"))
        except BlockingIOError:
            return Claim(busy=True)
        except Exception as error:  # a library may lack an algorithm
            self._note(error)
            return Claim()

    def report(self) -> None:
        """Say once in a process that nothing is shared, and why. To be called while no lock is held."""
        global _told
        if self._trouble is not None and not _told:
            _told = True
            log.info(
                "AEP: this process shares no token with others on this host (%s, in %s); it fetches its own",
                self._trouble,
                " or ".join(self._directory.parents),
            )

    def _note(self, error: Exception) -> None:
        # Not in the error's own words, which quote what it was about.
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else ""
        self._trouble = f"{type(error).__name__}: {reason}" if reason else type(error).__name__

    @cached_property
    def _keys(self) -> tuple[bytes, bytes]:
        """One to name files by, one to seal them."""
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
