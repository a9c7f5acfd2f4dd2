"""What results look like: for people, with colours on a terminal; for programs, as one JSON document."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, TextIO

from airflow_provider_aep.cli.layout import NARROWEST, fold, laid_out
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
    "disabled": "yellow",
    "as assumed": "green",
    "differs": "yellow",
}


class Output:
    """Where the results of a command go.

    A reader that goes away (``aep plan | head``) must not stop a command half way through its work: output
    that can no longer be written is dropped. ``trouble`` holds the error, unless the reader closed the pipe.

    :param as_json: print only the JSON document, and no lines for people.
    """

    def __init__(self, stream: TextIO, *, as_json: bool) -> None:
        self.as_json, self.printed = as_json, False
        self.trouble: OSError | None = None
        self._stream: TextIO | None = stream
        self._coloured = stream.isatty() and not os.environ.get("NO_COLOR") and not plain_terminal()
        self._width = _width_of(stream) if stream.isatty() else None

    def document(self, document: Any) -> None:
        """The one JSON document, if one was asked for."""
        if self.as_json:
            self.printed = True
            self._write(json.dumps(document, indent=2, ensure_ascii=False))

    def line(self, text: str = "", *, word: str = "") -> None:
        """A line for people.

        :param word: the word in it that is coloured, and decides the colour.
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

        before, matched, after = text.partition(word)
        painted = Style.parse(colour).render(matched, color_system=ColorSystem.STANDARD)
        self._write(f"{before}{painted}{after}")

    def text(self, text: str) -> None:
        """Lines that are a document of their own, printed unchanged."""
        if not self.as_json:
            self._write(text.rstrip("\n"))

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]], *, word: int = 0) -> None:
        """Aligned columns, never truncated; folded or stacked if the terminal is too narrow.

        :param word: the index of the column that decides the colour.
        """
        cells = [tuple(printable(str(cell)) for cell in row) for row in rows]
        words = [head[word], *("".join(row[word].split()[:1]) for row in cells)]
        for line, row in laid_out(head, cells, self._width):
            self.line(line, word="" if row is None else words[row])

    def entry(self, label: str, text: str, *, word: str = "") -> None:
        """Prose after a label, folded and indented if the terminal is too narrow for one line."""
        text, width = printable(text), self._width
        if width is None or len(label) + len(text) <= width:
            self.line(f"{label}{text}", word=word)
            return
        indent = len(label)
        if width - indent < NARROWEST:
            if label.strip():
                self.line(label.rstrip(), word=word)
            label, indent = "  ", 2
        first, *rest = fold(text, width - indent)
        self.line(f"{label}{first}", word=word if label.strip() else "")
        for folded in rest:
            self.line(f"{'':<{indent}}{folded}")

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(f"{text}\n")
            self._stream.flush()
        except BrokenPipeError:
            self._stream = None
        except OSError as error:
            self._stream, self.trouble = None, error


def say(text: str, end: str = "\n") -> None:
    """Write a line to standard error, if it is open."""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{text}{end}")
        sys.stderr.flush()


def plain_terminal() -> bool:
    """Whether the terminal supports neither colours nor cursor movement."""
    return os.environ.get("TERM", "").lower() in ("dumb", "unknown")


def _width_of(stream: TextIO) -> int:
    """The width of a terminal in columns; ``COLUMNS`` overrides it."""
    fallback = 80
    with suppress(OSError, ValueError):
        fallback = os.get_terminal_size(stream.fileno()).columns or fallback
    # ``stream``, as standard output itself is redirected at this point.
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if re.fullmatch("0*[1-9][0-9]{0,5}", columns) else fallback


def counted(number: int, what: str) -> str:
    """``1 export``, ``2 exports``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def one_line(error: BaseException) -> str:
    """An error in one line, with its class if it is not an ``AepError``."""
    from airflow_provider_aep.errors import AepError

    message = printable(" ".join(str(error).split()))
    if isinstance(error, AepError) and message:
        return message
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
