"""A small soak: what ``make soak`` does with 300 sensors and a minute's outage."""

from __future__ import annotations

import pytest

from tools.postgres import find_programs
from tools.soak import Plan, soak

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.airflow3,
    pytest.mark.stack,
    pytest.mark.skipif(find_programs() is None, reason="PostgreSQL's server programs are not installed"),
]


def test_a_killed_triggerer_and_an_outage_lose_no_wait_and_end_none_twice() -> None:
    plan = Plan(sensors=20, outage=8, poll=1, silence=4, patience=120)

    assert soak(plan) == []
