"""A table as plain text, for logs and terminals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def aligned(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Columns of even width, never cut."""
    lines = [tuple(head), *(tuple(printable(str(cell)) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


# Between letters of some languages, and between the parts of an emoji.
_JOINERS = "\u200c\u200d"


def printable(text: str) -> str:
    """The text without characters that move the cursor, reverse a line, or cannot be encoded; names in a
    sandbox may contain anything.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter == "\n" or letter in _JOINERS else "?" for letter in text
    )
