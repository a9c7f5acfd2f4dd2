"""What was seen, in our own words, numbers, and words of the service's vocabulary.

Names, ids and texts of entities are never included, so that a report can be shared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from airflow_provider_aep.errors import AepApiError, AepError, AepTransportError

# as assumed; different but harmless; different, and the provider ends with an error or cannot notice; not
# visible in this sandbox
Level = Literal["as assumed", "differs", "error", "not told"]

_WORD = re.compile(r"[A-Za-z_]{1,30}")
_CODE = re.compile(r"[A-Z]{2,10}-\d{1,8}(-\d{3})?|\d{3,8}")


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen, as a sentence without a full stop."""

    level: Level
    words: str


def assumed(words: str) -> Seen:
    return Seen("as assumed", words)


def differs(words: str) -> Seen:
    """Different, but the provider works all the same."""
    return Seen("differs", words)


def fails(words: str) -> Seen:
    """Different, and the provider ends with an error, or cannot notice."""
    return Seen("error", words)


def either(as_assumed: bool, words: str, otherwise: str) -> Seen:
    """As assumed, or different but harmless."""
    return assumed(words) if as_assumed else differs(otherwise)


def untold(needs: str) -> Seen:
    return Seen("not told", f"needs {needs}")


def words_of(error: AepError) -> str:
    """An error without the service's texts, which may quote names and ids."""
    if isinstance(error, AepApiError):
        code = f" ({error.code})" if error.code and _CODE.fullmatch(str(error.code)) else ""
        return f"answered with {error.status}{code}"
    if isinstance(error, AepTransportError):
        return "without a readable response"
    return f"ended with {type(error).__name__}"


def word(given: object) -> str:
    """A word of the service's vocabulary, such as a status; any other text is not quoted."""
    if given is None:
        return "(none)"
    return given if isinstance(given, str) and _WORD.fullmatch(given) else "(another text)"


def count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
