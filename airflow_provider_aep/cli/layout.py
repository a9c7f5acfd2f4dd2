"""Tables and prose that fit the width of a terminal, without truncating text or breaking words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from airflow_provider_aep.monitoring.table import aligned

# Prose in a narrower column is hard to read.
NARROWEST = 24


def laid_out(
    head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None
) -> Iterator[tuple[str, int | None]]:
    """The lines of a table, each with the number of the row that it starts or, if stacked, belongs to.

    The last column of a table that is too wide is folded, if that leaves room for prose; otherwise each row
    becomes a stack of its cells.

    :param width: of the terminal; ``None`` if the table may be of any width.
    """
    lines = list(aligned(head, rows))
    if width is None or max(map(len, lines)) <= width:
        yield from zip(lines, range(len(lines)), strict=True)
        return
    table = [head, *rows]
    indent = sum(max(len(row[column]) for row in table) + 2 for column in range(len(head) - 1))
    words = [len(word) for row in table for word in row[-1].split()]
    if width - indent >= max(NARROWEST, *words):
        for number, (line, row) in enumerate(zip(lines, table, strict=True)):
            first, *rest = fold(row[-1], width - indent)
            yield (line[:indent].ljust(indent) + first).rstrip(), number
            for folded in rest:
                yield " " * indent + folded, None
        return
    label = max(map(len, head)) + 2
    for number, row in enumerate(rows, 1):
        if number > 1:
            yield "", None
        for name, cell in zip(head, row, strict=True):
            if cell and label + len(cell) <= width:
                yield f"{name:<{label}}{cell}", number
            elif cell:
                yield name, None
                for folded in fold(cell, width - 2):
                    yield f"  {folded}", number


def fold(text: str, width: int) -> list[str]:
    """A text wrapped to a width; a longer word stays whole."""
    return textwrap.wrap(text, max(width, 1), break_long_words=False, break_on_hyphens=False) or [""]
