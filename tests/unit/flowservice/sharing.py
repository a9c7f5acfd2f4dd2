"""Processes of one host that talk to a served emulator at the same moment: ``python -m`` this, with JSON.

They are forked from a process with one thread, and start together. What each of them met is printed as JSON.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import sys
import threading
import time
from typing import Any

from airflow_provider_aep.errors import AepError
from airflow_provider_aep.flowservice.datasets import list_datasets
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.exchange import Request
from airflow_provider_aep.flowservice.host_files import TOKEN, HostFiles
from airflow_provider_aep.flowservice.session import AepCredentials, AepSession
from airflow_provider_aep.flowservice.transport import RequestsTransport

FORKED = multiprocessing.get_context("fork")


def host_files(credentials: AepCredentials, url: str, place: str) -> HostFiles:
    who = credentials
    return HostFiles(
        who.client_secret,
        (who.token_url, who.client_id, who.scopes, who.org_id),
        platform_url=url,
        parents=(place,),
    )


def at_once(given: dict[str, Any]) -> list[dict[str, Any]]:
    """So many processes list datasets at once, and once more after each ``between``."""
    credentials = AepCredentials(**given["credentials"])
    gate, told = FORKED.Barrier(given["processes"] + 1), FORKED.Queue()

    def work() -> None:
        if given.get("full_disk"):
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        masked: list[str] = []
        session = AepSession(
            credentials, files=host_files(credentials, given["url"], given["place"]), on_token=masked.append
        )
        transport, errors, began = RequestsTransport(given["url"]), [], time.monotonic()
        for _ in range(len(given["between"]) + 1):
            gate.wait(60)
            try:
                drive(session.conduct(list_datasets(), sandbox="prod"), transport)
            except AepError as error:
                errors.append(str(error))
            gate.wait(60)
        told.put({"masked": masked, "errors": errors, "seconds": time.monotonic() - began})

    children = [FORKED.Process(target=work) for _ in range(given["processes"])]
    for child in children:
        child.start()
    for between in (*given["between"], None):
        gate.wait(60)
        gate.wait(60)
        if between:
            RequestsTransport(given["url"]).send(Request("POST", given["url"] + between, json={}))
    return [told.get(timeout=60) for _ in children]


def forked_while_writing(given: dict[str, Any]) -> list[int]:
    """How each child ended that was forked while a thread wrote: 0 if it read the token and got the claim."""
    credentials = AepCredentials(**given["credentials"])
    files = host_files(credentials, given["url"], given["place"])
    files.write(TOKEN, "0")
    done = threading.Event()

    def write() -> None:
        count = 0
        while not done.is_set():
            claim, count = files.claim(TOKEN), count + 1
            files.write(TOKEN, str(count) * 1000)
            claim.release()

    writer = threading.Thread(target=write)
    writer.start()
    children = []
    for _ in range(given["processes"]):
        child = os.fork()
        if child == 0:
            found = files.read(TOKEN)
            whole = isinstance(found, str) and found == found[: len(found) // 1000] * 1000
            until = time.monotonic() + 20
            while (claim := files.claim(TOKEN)).busy and time.monotonic() < until:
                time.sleep(0.001)
            os._exit(0 if (found == "0" or whole) and claim.lock else 1)
        children.append(child)
        time.sleep(0.002)
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    done.set()
    writer.join()
    return ends


def killed_with_a_child(given: dict[str, Any]) -> int:
    """A process that claims the token, forks a child that lives on, and is killed; the child's id."""
    files = host_files(AepCredentials(**given["credentials"]), given["url"], given["place"])
    pipe = os.pipe()
    holder = os.fork()
    if holder == 0:
        files.claim(TOKEN)
        child = os.fork()
        if child == 0:
            for output in (1, 2):  # whoever reads them waits for their end
                os.dup2(os.open(os.devnull, os.O_WRONLY), output)
            os.write(pipe[1], str(os.getpid()).encode())
            time.sleep(60)
        os.kill(os.getpid(), 9)
    os.waitpid(holder, 0)
    return int(os.read(pipe[0], 20))


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    print(json.dumps(globals()[asked["act"]](asked)))  # noqa: T201
