"""A real SMTP server for the tests: it takes every e-mail and keeps it."""

from __future__ import annotations

import email
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default


@dataclass
class Mailbox:
    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)

    @property
    def connection(self) -> dict[str, object]:
        """The fields of an Airflow connection to this server."""
        return {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": self.port,
            "extra": {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@acme.example"},
        }


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A server on a free port of this machine, for as long as it is needed."""
    box = Mailbox()

    class Conversation(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 ready")
            while words := self.rfile.readline().decode().strip():
                verb = words.split(maxsplit=1)[0].upper()
                if verb == "QUIT":
                    self._say("221 bye")
                    return
                if verb != "DATA":
                    self._say("250 ok")
                    continue
                self._say("354 go on")
                body = b"".join(iter(self.rfile.readline, b".\r\n"))
                box.mails.append(email.message_from_bytes(body, policy=default))  # type: ignore[arg-type]
                self._say("250 kept")

        def _say(self, words: str) -> None:
            self.wfile.write(f"{words}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation) as server:
        server.daemon_threads = True
        box.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield box
        server.shutdown()
