"""A PostgreSQL server of our own for the length of a ``with`` block, in a folder that is gone afterwards.

It listens on a free loopback port, behind a password made for it, and syncs nothing to disk: what is in it is
not meant to outlive a crash.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from tools.processes import Children, clean_environment
from tools.stack import free_port

OWNER = "airflow"
UNPRIVILEGED = ("postgres", "nobody")
MORE_CONNECTIONS = 200  # than the usual 100: each task process has its own


def find_programs() -> Path | None:
    """The folder with PostgreSQL's server programs; Debian keeps them off ``PATH``, one folder a version."""
    folders = [Path(found).parent for found in [shutil.which("initdb")] if found]
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    folders += sorted(debian, key=lambda folder: float(folder.parent.name), reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


class NoPostgres(Exception):
    """PostgreSQL's server programs are not installed."""


class PostgresServer:
    """An empty database; ``url`` is where, in SQLAlchemy's form with the driver ``psycopg2``.

    :param start_seconds: the longest time the start may take.
    :raises NoPostgres: on entering, where its programs are not found.
    """

    def __init__(self, *, start_seconds: float = 60) -> None:
        self.start_seconds = start_seconds
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        programs = find_programs()
        if programs is None:
            raise NoPostgres("PostgreSQL's initdb and postgres are neither on PATH nor in Debian's place")
        with ExitStack() as cleanup:
            self.home = Path(tempfile.mkdtemp(prefix="aep-postgres-"))
            cleanup.callback(shutil.rmtree, self.home, ignore_errors=True)
            children = cleanup.enter_context(Children(logs=self.home, env=clean_environment()))
            self.url = self._start(children, programs)
            # Its own word for "now": SIGTERM, with which all children are ended, waits for those connected.
            cleanup.callback(self._stop, children.running["postgres"])
            self._exit = cleanup.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._exit.close()

    def _start(self, children: Children, programs: Path) -> str:
        user = _unprivileged()
        password, port = secrets.token_hex(16), free_port()
        secret, data = self.home / "password", self.home / "data"
        secret.write_text(password)
        if user is not None:
            for path in (self.home, secret):
                shutil.chown(path, user, pwd.getpwnam(user).pw_gid)
        access = ("--auth=scram-sha-256", f"--pwfile={secret}", f"--username={OWNER}")
        make = (programs / "initdb", "-D", data, *access, "--encoding=UTF8", "--no-locale", "--no-sync")
        children.run("initdb", make, timeout=self.start_seconds, user=user)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "max_connections": MORE_CONNECTIONS,
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        children.start("postgres", [programs / "postgres", "-D", data, *options], user=user)
        deadline = time.monotonic() + self.start_seconds
        while not _ready(data):
            children.check()
            if time.monotonic() > deadline:
                raise children.failed("postgres", f"was not ready after {self.start_seconds:.0f} s")
            time.sleep(0.1)
        return f"postgresql+psycopg2://{OWNER}:{password}@127.0.0.1:{port}/postgres"

    def _stop(self, server: subprocess.Popen[bytes]) -> None:
        server.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            server.wait(10)


def _unprivileged() -> str | None:
    """Whom the server is given to, as it refuses to be root's."""
    if os.geteuid() != 0:
        return None
    accounts = {account.pw_name for account in pwd.getpwall()}
    return next((name for name in UNPRIVILEGED if name in accounts), None)


def _ready(data: Path) -> bool:
    """Whether the server itself says so, where ``pg_ctl`` reads it."""
    with suppress(FileNotFoundError):
        return (data / "postmaster.pid").read_text().splitlines()[-1].strip() == "ready"
    return False
