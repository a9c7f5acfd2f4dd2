"""Hide a secret in logs, from any thread.

A triggerer of Airflow 3.0 or 3.1 receives secrets to mask through a stream of its event loop. Airflow's own
``mask_secret`` finds that loop only from a thread of asgiref. From any other thread it reads the stream in a
loop of its own, and the triggerer ends with "Response read out of order"; called on the loop itself, it
fails.
"""

from __future__ import annotations

import asyncio
import threading

from asgiref.sync import sync_to_async

from airflow_provider_aep._airflow import AIRFLOW_VERSION, mask_secret

_loop: asyncio.AbstractEventLoop | None = None
_thread = 0


def remember_loop() -> None:
    """Call this on an event loop before any of its work masks a secret."""
    global _loop, _thread
    if (3, 0) <= AIRFLOW_VERSION < (3, 2):
        _loop, _thread = asyncio.get_running_loop(), threading.get_ident()


def mask(secret: str) -> None:
    if _loop is None or not _loop.is_running():
        mask_secret(secret)
        return
    masked = asyncio.run_coroutine_threadsafe(sync_to_async(mask_secret)(secret), _loop)
    if threading.get_ident() != _thread:  # the loop cannot wait for itself
        masked.result()
