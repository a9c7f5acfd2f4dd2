"""The standard streams of the program, whatever its caller has made of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TextIO


def open_streams() -> None:
    """Open the standard streams that the caller has closed (``>&-``), so that they lead nowhere.

    Else the next file that is opened would take the number of one, and get what is printed.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def drop_unread() -> None:
    """Forget what nobody reads any more; else Python complains of it when it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def clean_stdout() -> Iterator[TextIO]:
    """Standard output for results; whatever else writes to it meanwhile lands on standard error.

    Loggers keep the stream that they were made with, so the file descriptor is turned aside too.
    """
    given = sys.stdout
    try:
        descriptor = given.fileno()
        told = sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):  # not a real stream: a test's, or a closed one
        descriptor = told = -1
    if descriptor != 1:
        with redirect_stdout(sys.stderr):
            yield given
        return
    given.flush()
    kept = os.dup(descriptor)
    os.dup2(told, descriptor)
    # A name with letters that the terminal has no code for is no reason to fail.
    stream = os.fdopen(kept, "w", encoding=given.encoding, errors="backslashreplace")
    try:
        with redirect_stdout(sys.stderr):
            yield stream
    finally:
        given.flush()
        os.dup2(kept, descriptor)
        # What is left in the buffer of a pipe that nobody reads any more cannot be written.
        with suppress(OSError):
            stream.close()
