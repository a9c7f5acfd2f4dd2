"""Words for people: moments, and texts cut to a length."""

from __future__ import annotations

from datetime import UTC, datetime

CUT = " ... [cut]"


def cut(text: str, longest: int) -> str:
    """The text in at most ``longest`` characters, cut between words if possible, with a mark at the cut."""
    if len(text) <= longest:
        return text
    kept = text[: longest - len(CUT)]
    words, _, rest = kept.rpartition(" ")
    # A single long word is cut anywhere, but a URL is left out as a whole: half of one leads elsewhere.
    return f"{words if len(words) > len(kept) // 2 or '://' in rest else kept}{CUT}"


def read_moment(at: object) -> datetime | None:
    """A moment, in UTC, from ISO 8601; ``None`` if it is malformed."""
    try:
        moment = datetime.fromisoformat(at) if isinstance(at, str) else None
        if moment is None:
            return None
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def iso_moment(at: object) -> str | None:
    """The same as ISO 8601."""
    moment = read_moment(at)
    return moment.isoformat() if moment else None


def clock_words(moment: datetime | None) -> str:
    """A moment in words: ``2026-12-01 06:00 UTC``; empty without one."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else ""
