"""The end of an export is told from two weeks before it, and for ever after."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_aep.flowservice.expiry import expiry_of

END = datetime(2026, 12, 15, 6, tzinfo=UTC)
EVERY_3H = {"timeUnit": "hour", "interval": 3, "startTime": 1_790_000_000, "endTime": int(END.timestamp())}


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (14, "ends in 14 days, on 2026-12-15 06:00 UTC"),
        (1.5, "ends in 1 day 12 hours, on 2026-12-15 06:00 UTC"),
        (0, "ended on 2026-12-15 06:00 UTC"),
        (-400, "ended on 2026-12-15 06:00 UTC"),
    ],
)
def test_an_end_that_is_near_or_past_is_told(days, words):
    assert expiry_of(EVERY_3H, now=END - timedelta(days=days)) == (days, words)


@pytest.mark.parametrize(
    "wire", [{"endTime": None}, {"endTime": "soon"}, {"timeUnit": "day", "interval": 0}, {"endTime": 99e9}]
)
def test_no_end_a_far_one_and_that_of_a_single_export_are_not_told(wire):
    assert expiry_of({**EVERY_3H, **wire}, now=END) is None


def test_how_far_is_far_can_be_said():
    near, far = timedelta(days=3), timedelta(days=2)
    assert expiry_of(EVERY_3H, now=END - near, within=near)
    assert expiry_of(EVERY_3H, now=END - near, within=far) is None
