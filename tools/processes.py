"""Child processes that do not outlive their owner.

Every child carries a random mark in its environment and hands it down, so whatever it starts can be found
again: task supervisors put themselves into process groups, and shell tasks into sessions, of their own.
"""

from __future__ import annotations

import os
import pwd
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, Self

import psutil

MARK = "AEP_TOOLS_OWNER"
GRACE_SECONDS = 5.0
Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None
PROXIES = {"http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy"}


def clean_environment() -> dict[str, str]:
    """The caller's environment without Airflow's and Python's settings and without proxies."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "_AIRFLOW", "PYTHON")) and name.lower() not in PROXIES
    }


class ChildFailed(Exception):
    """A child ended early or was not ready in time; the message ends with the last lines of its log."""


class Children:
    """A group of child processes, each with a log file; leaving the ``with`` ends all of them.

    Ctrl-C, SIGTERM and SIGHUP leave it like an exception does.
    """

    def __init__(self, *, logs: Path, env: Mapping[str, str]) -> None:
        self.logs = logs
        self.mark = secrets.token_hex(8)
        # Processes that set their title would overwrite the mark, if it were not for SPT_NOENV.
        self.env = {**env, MARK: self.mark, "SPT_NOENV": "1", "PYTHONUNBUFFERED": "1"}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._signals = _signals_as_exceptions()

    def __enter__(self) -> Self:
        self._signals.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            with _signals_ignored():
                self.stop()
        finally:
            self._signals.__exit__(None, None, None)

    def start(
        self,
        name: str,
        command: Iterable[str | Path],
        *,
        user: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start a child in a session of its own, so that Ctrl-C in the terminal reaches only its owner.

        A child of the same name that was killed before leaves its log to be continued.

        :param user: whose it shall be; only root may give it away.
        :param env: what its environment has of its own.
        """
        account = pwd.getpwnam(user) if user else None
        with self.log_path(name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                [str(word) for word in command],
                env={**self.env, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
            )

    def run(
        self, name: str, command: Iterable[str | Path], *, timeout: float, user: str | None = None
    ) -> None:
        """Start a child and wait until it has succeeded."""
        self.start(name, command, user=user)
        try:
            code = self.running[name].wait(timeout)
        except subprocess.TimeoutExpired:
            raise self.failed(name, f"took more than {timeout:.0f} s") from None
        if code != 0:
            raise self.failed(name, f"ended with exit code {code}")
        del self.running[name]

    def kill(self, name: str) -> None:
        """SIGKILL a child and all that it has started, and wait until it is gone."""
        child = self.running.pop(name)
        with suppress(psutil.Error):
            process = psutil.Process(child.pid)
            for each in (process, *process.children(recursive=True)):
                with suppress(psutil.Error):
                    each.kill()
        child.wait()

    def check(self) -> None:
        """Raise if any child has ended."""
        for name, process in self.running.items():
            if (code := process.poll()) is not None:
                raise self.failed(name, f"ended with exit code {code}")

    def failed(self, name: str, what: str, *, lines: int = 20) -> ChildFailed:
        tail = self.log_path(name).read_text(errors="replace").splitlines()[-lines:]
        return ChildFailed(f"{name} {what}. The end of its log:\n" + "\n".join(f"  {line}" for line in tail))

    def log_path(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def stop(self, *, grace: float = GRACE_SECONDS) -> None:
        """End every child and descendant: ask, wait a little, then insist until none is left."""
        children = list(self.running.values())
        for child in children:
            _signal_group(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline and any(child.poll() is None for child in children):
            time.sleep(0.05)
        while left := list(self.descendants()):
            for process in left:
                with suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(left, timeout=1)
        for child in children:
            child.wait()
        self.running.clear()

    def descendants(self) -> Iterator[psutil.Process]:
        """Every living process that carries our mark."""
        return (process for process in psutil.process_iter() if self._is_ours(process))

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:  # it has just ended, or belongs to somebody else
            return False


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()  # only there may handlers be set


@contextmanager
def _signals(handlers: Mapping[signal.Signals, Handler]) -> Iterator[None]:
    if not _in_main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _signals_as_exceptions() -> AbstractContextManager[None]:
    """Ctrl-C already is one; make SIGTERM and SIGHUP unwind the stack as well."""

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    return _signals({signal.SIGTERM: leave, signal.SIGHUP: leave})


def _signals_ignored() -> AbstractContextManager[None]:
    """While stopping, which takes a bounded time: a second Ctrl-C must not leave anything behind."""
    return _signals(dict.fromkeys((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), signal.SIG_IGN))
