"""The standard streams of the program, even if its caller has closed or redirected them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TextIO


def open_streams() -> None:
    """Open the standard streams that the caller has closed (``>&-``) on ``/dev/null``.

    Otherwise the next file that is opened would get the descriptor of one, and receive what is printed.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def drop_unread() -> None:
    """Drop output that nobody reads any more; otherwise Python complains when it exits."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def clean_stdout() -> Iterator[TextIO]:
    """Standard output for results; anything else that is written to it goes to standard error.

    Loggers keep the stream that they were created with, so the file descriptor is redirected too.
    """
    given = sys.stdout
    try:
        descriptor = given.fileno()
        error_descriptor = sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):  # not a real stream: a test's, or a closed one
        descriptor = error_descriptor = -1
    if descriptor != 1:
        with redirect_stdout(sys.stderr):
            yield given
        return
    given.flush()
    kept = os.dup(descriptor)
    os.dup2(error_descriptor, descriptor)
    # A character that the terminal's encoding lacks must not fail the command.
    stream = os.fdopen(kept, "w", encoding=given.encoding, errors="backslashreplace")
    try:
        with redirect_stdout(sys.stderr):
            yield stream
    finally:
        given.flush()
        os.dup2(kept, descriptor)
        # The buffer cannot be flushed to a pipe that nobody reads any more.
        with suppress(OSError):
            stream.close()
