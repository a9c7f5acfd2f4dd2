"""Whether two values mean the same to the service.

It may return a value in another form than the one that was sent: a number as text, an enum in another letter
case, a path with a slash at its end. If that counted as a difference, it would cause an update every day.
"""

from __future__ import annotations

# Members that hold one of Adobe's own words, whose letter case does not matter.
_WORDS = frozenset({"compression", "datasetFileType", "mode", "exportMode", "timeUnit"})


def same_value(wanted: object, actual: object, *, key: str = "") -> bool:
    """Whether two values mean the same to the service.

    Letter case and a slash at the beginning make a difference: two paths may differ only in these.

    :param key: the name of the member that holds them.
    """
    if wanted == actual and isinstance(wanted, bool) == isinstance(actual, bool):
        return True
    if isinstance(wanted, str) and isinstance(actual, str):
        if key in _WORDS:
            return same_text(wanted, actual)
        return wanted.strip().rstrip("/") == actual.strip().rstrip("/")
    if isinstance(wanted, bool) or isinstance(actual, bool):
        return str(wanted).casefold() == str(actual).casefold()
    if isinstance(wanted, int | float) and isinstance(actual, str):
        return _number(actual) == wanted
    if isinstance(actual, int | float) and isinstance(wanted, str):
        return _number(wanted) == actual
    return False


def same_text(wanted: object, actual: object) -> bool:
    """Whether two names are equal apart from letter case and blanks."""
    return " ".join(str(wanted).casefold().split()) == " ".join(str(actual).casefold().split())


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
