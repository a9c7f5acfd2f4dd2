"""A Redis server of our own for the length of a ``with`` block, in a folder that is gone afterwards.

It listens on a free loopback port, behind a password made for it. When it is told to end it saves what it
holds, as Debian's does, so a restart loses nothing.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from tools.processes import Children, clean_environment
from tools.stack import free_port

SETTINGS = """
bind 127.0.0.1
port {port}
requirepass {password}
dir {home}
save 3600 1
"""


def find_program() -> str | None:
    """Where Redis's server is."""
    return shutil.which("redis-server")


class NoRedis(Exception):
    """Redis's server is not installed."""


class RedisServer:
    """An empty Redis; ``url`` is where, as Celery names a broker.

    :param start_seconds: the longest time a start, or an end, may take.
    :raises NoRedis: on entering, where its program is not found.
    """

    def __init__(self, *, start_seconds: float = 30) -> None:
        self.start_seconds = start_seconds
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        program = find_program()
        if program is None:
            raise NoRedis("Redis's redis-server is not on PATH")
        with ExitStack() as cleanup:
            self.home = Path(tempfile.mkdtemp(prefix="aep-redis-"))
            cleanup.callback(shutil.rmtree, self.home, ignore_errors=True)
            self._children = cleanup.enter_context(Children(logs=self.home, env=clean_environment()))
            password, port = secrets.token_hex(16), free_port()
            self.url = f"redis://:{password}@127.0.0.1:{port}/0"
            settings = self.home / "redis.conf"
            settings.write_text(SETTINGS.format(home=self.home, password=password, port=port))
            self._command = (program, settings)
            self._start()
            self._exit = cleanup.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._exit.close()

    @contextmanager
    def down(self) -> Iterator[None]:
        """While the block lasts it is not there; afterwards it is again, with what it held."""
        server = self._children.running.pop("redis")
        server.terminate()
        server.wait(self.start_seconds)
        yield
        self._start()

    def _start(self) -> None:
        self._children.start("redis", self._command)
        deadline = time.monotonic() + self.start_seconds
        while not self._ready():
            self._children.check()
            if time.monotonic() > deadline:
                raise self._children.failed("redis", f"was not ready after {self.start_seconds:.0f} s")
            time.sleep(0.05)

    def _ready(self) -> bool:
        # The environment of Airflow 2.11 collects the tests, and has no Celery.
        from redis import Redis
        from redis.exceptions import RedisError

        try:
            with Redis.from_url(self.url) as client:
                return bool(client.ping())
        except RedisError:
            return False
