"""A small soak: what ``make soak`` does with 300 exports and a minute's outage."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tools.postgres import find_programs
from tools.redis_server import RedisServer, find_program
from tools.soak import Plan, soak

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.airflow3,
    pytest.mark.stack,
    pytest.mark.skipif(find_programs() is None, reason="PostgreSQL's server programs are not installed"),
]

needs_redis = pytest.mark.skipif(find_program() is None, reason="Redis's server is not installed")


def test_a_killed_triggerer_and_an_outage_lose_no_wait_and_end_none_twice() -> None:
    plan = Plan(exports=20, outage=8, poll=1, silence=4, idle=1, patience=120)

    assert soak(plan) == []


@needs_redis
def test_on_a_cluster_a_killed_worker_scheduler_and_triggerer_lose_no_wait_and_tell_none_twice() -> None:
    plan = Plan(exports=12, outage=8, poll=1, silence=4, redis_outage=1, intervals=3, idle=1, patience=120)

    assert soak(plan, executor="celery") == []


@needs_redis
def test_redis_comes_back_with_what_it_held_and_leaves_nothing_behind_also_when_it_is_down() -> None:
    from redis import Redis
    from redis.exceptions import RedisError

    with suppress(KeyboardInterrupt), RedisServer() as server:
        client = Redis.from_url(server.url)
        client.set("task", "waits")
        with server.down(), pytest.raises(RedisError):
            client.ping()
        assert client.get("task") == b"waits"
        with server.down():
            raise KeyboardInterrupt
    with pytest.raises(RedisError):
        client.ping()
    assert not server.home.exists()
