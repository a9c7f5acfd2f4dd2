"""What results look like: for people, with colours on a terminal; for programs, as one JSON document."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from airflow_provider_aep.monitoring.table import aligned
from airflow_provider_aep.monitoring.table import printable as printable

COLOURS = {
    "create": "green",
    "update": "yellow",
    "replace": "red",
    "keep": "dim",
    "warn": "yellow",
    "error": "red",
    "fail": "red",
    "failed": "red",
    "ok": "green",
    "success": "green",
    "good": "green",
    "empty": "yellow",
    "lost": "red",
    "missing": "red",
    "stuck": "red",
    "zero_records": "yellow",
    "partial": "yellow",
    "unknown": "red",
    "as assumed": "green",
    "differs": "yellow",
}


class Output:
    """Where the results of a command go.

    A reader that goes away (``aep plan | head``) must not stop a command half way through its work: what
    cannot be written any more is dropped.

    :param as_json: then lines for people are not printed at all.
    """

    def __init__(self, stream: TextIO, *, as_json: bool) -> None:
        self.as_json, self.printed = as_json, False
        self._stream: TextIO | None = stream
        self._coloured = stream.isatty() and not os.environ.get("NO_COLOR")

    def document(self, document: Any) -> None:
        """The one JSON document, if one was asked for."""
        if self.as_json:
            self.printed = True
            self._write(json.dumps(document, indent=2, ensure_ascii=False))

    def line(self, text: str = "", *, word: str = "") -> None:
        """A line for people.

        :param word: the word in it that decides about the colour.
        """
        if self.as_json:
            return
        text = printable(text)
        colour = COLOURS.get(word)
        if not (self._coloured and colour):
            self._write(text)
            return
        from rich.color import ColorSystem
        from rich.style import Style

        before, found, after = text.partition(word)
        painted = Style.parse(colour).render(found, color_system=ColorSystem.STANDARD)
        self._write(f"{before}{painted}{after}")

    def text(self, text: str) -> None:
        """Lines that are a document of their own, as they are."""
        if not self.as_json:
            self._write(text.rstrip("\n"))

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]], *, word: int = 0) -> None:
        """Aligned columns, never cut.

        :param word: the column that decides about the colour.
        """
        cells = [tuple(map(str, row)) for row in rows]
        words = [head[word], *("".join(row[word].split()[:1]) for row in cells)]
        for line, told in zip(aligned(head, cells), words, strict=True):
            self.line(line, word=told)

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(f"{text}\n")
            self._stream.flush()
        except BrokenPipeError:
            self._stream = None


def one_line(error: BaseException) -> str:
    """An error in one line; of one that is not ours, its class too."""
    from airflow_provider_aep.errors import AepError

    told = printable(" ".join(str(error).split()))
    if isinstance(error, AepError) and told:
        return told
    return f"{type(error).__name__}: {told}" if told else type(error).__name__
