"""Whether two values mean the same to the service.

It may return a value in another form than it was sent: a number as text, an enum in another letter case, a
path with a slash at its end. Taken for a difference, such a form would cause an update every day.
"""

from __future__ import annotations

# Members that hold a word of Adobe's own, so that letter case does not count.
_WORDS = frozenset({"compression", "datasetFileType", "mode", "exportMode", "timeUnit"})


def same_value(wanted: object, found: object, *, key: str = "") -> bool:
    """Whether two values mean the same to the service.

    Letter case counts, and so does a slash at the beginning: two paths may differ only in these.

    :param key: the name of the member that holds them.
    """
    if wanted == found and isinstance(wanted, bool) == isinstance(found, bool):
        return True
    if isinstance(wanted, str) and isinstance(found, str):
        if key in _WORDS:
            return same_text(wanted, found)
        return wanted.strip().rstrip("/") == found.strip().rstrip("/")
    if isinstance(wanted, bool) or isinstance(found, bool):
        return str(wanted).casefold() == str(found).casefold()
    if isinstance(wanted, int | float) and isinstance(found, str):
        return _number(found) == wanted
    if isinstance(found, int | float) and isinstance(wanted, str):
        return _number(wanted) == found
    return False


def same_text(one: object, other: object) -> bool:
    """Whether two names are equal apart from letter case and blanks."""
    return " ".join(str(one).casefold().split()) == " ".join(str(other).casefold().split())


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
