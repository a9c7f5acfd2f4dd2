"""Spans of time as people say them."""

from __future__ import annotations

from datetime import timedelta


def span_words(span: timedelta) -> str:
    """A span in words: ``65 minutes``, ``22 h 57 min``, ``3 days``."""
    minutes = round(max(span, timedelta()) / timedelta(minutes=1))
    if minutes < 2:
        return "1 minute" if minutes else "0 minutes"
    if minutes < 120:
        return f"{minutes} minutes"
    if minutes < 48 * 60:
        hours, left = divmod(minutes, 60)
        return f"{hours} h {left} min" if left else f"{hours} h"
    return f"{round(minutes / 1440)} days"
