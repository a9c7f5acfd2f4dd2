"""A token is masked through the event loop of the triggerer, whichever thread has fetched it."""

from __future__ import annotations

import asyncio
import threading

import pytest
from asgiref.sync import async_to_sync

from airflow_provider_aep.hooks import masking


@pytest.fixture
def masked(monkeypatch):
    """What was masked, each with the loop in which the supervisor was told, as on Airflow 3.0."""
    seen = []

    async def send(secret):
        seen.append((secret, asyncio.get_running_loop()))

    monkeypatch.setattr(masking, "mask_secret", async_to_sync(send))
    monkeypatch.setattr(masking, "AIRFLOW_VERSION", (3, 0))
    monkeypatch.setattr(masking, "_loop", None)
    return seen


def in_a_thread_of_ours(secret):
    thread = threading.Thread(target=masking.mask, args=[secret], daemon=True)
    thread.start()
    return thread


def test_a_thread_of_ours_masks_in_the_loop_of_the_triggerer(masked):
    async def trigger():
        masking.remember_loop()
        thread = in_a_thread_of_ours("token")
        while thread.is_alive():
            await asyncio.sleep(0.001)
        return asyncio.get_running_loop()

    loop = asyncio.run(trigger())
    assert masked == [("token", loop)]


def test_the_loop_itself_masks_soon_after(masked):
    async def trigger():
        masking.remember_loop()
        masking.mask("proxy password")
        while not masked:
            await asyncio.sleep(0.001)
        return asyncio.get_running_loop()

    loop = asyncio.run(trigger())
    assert masked == [("proxy password", loop)]


def test_without_a_loop_that_runs_airflow_is_asked_at_once(masked):
    async def trigger():
        masking.remember_loop()

    asyncio.run(trigger())
    in_a_thread_of_ours("token").join()
    assert [secret for secret, _ in masked] == ["token"]
