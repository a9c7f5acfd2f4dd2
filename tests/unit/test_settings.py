"""Settings that are spans take what any other span takes."""

from __future__ import annotations

import pytest

from airflow_provider_aep.errors import AepConfigError
from airflow_provider_aep.sensors import AepDataflowRunSensor
from airflow_provider_aep.triggers import AepDataflowRunFinishedTrigger

POLL = "AIRFLOW__AEP__POLL_INTERVAL"


@pytest.mark.parametrize(
    ("given", "seconds"), [("90", 90), ("1.5", 1.5), ("PT90S", 90), ("PT2M", 120), (" PT1H ", 3600)]
)
def test_a_poll_interval_is_a_number_of_seconds_or_a_duration(monkeypatch, given, seconds):
    monkeypatch.setenv(POLL, given)
    assert AepDataflowRunSensor(task_id="t", dataflow_id="a1").poke_interval == seconds


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("90s", "an ISO 8601 duration such as 'PT2H'; above 0"),
        ("0", "above 0"),
        ("-1", "above 0"),
        ("nan", "above 0"),
        ("1e300", "at most 36500 days"),
        ("1e12", "at most 36500 days"),
        ("P1M", "must not be in months or years"),
        ("", "an ISO 8601 duration"),
    ],
)
def test_anything_else_is_refused_by_the_name_of_the_setting(monkeypatch, given, why):
    monkeypatch.setenv(POLL, given)
    with pytest.raises(AepConfigError) as raised:
        AepDataflowRunSensor(task_id="t", dataflow_id="a1")
    assert str(raised.value).startswith("[aep] poll_interval must ")
    assert why in str(raised.value)


def test_a_sensor_with_an_interval_of_its_own_does_not_ask_for_the_setting(monkeypatch):
    monkeypatch.setenv(POLL, "90s")
    assert AepDataflowRunSensor(task_id="t", dataflow_id="a1", poke_interval=5).poke_interval == 5
    assert AepDataflowRunFinishedTrigger(poll_interval=5).poll_interval == 5


@pytest.mark.airflow3
def test_the_page_takes_one_too(monkeypatch):
    from airflow_provider_aep.page.app import refresh_seconds

    monkeypatch.setenv("AIRFLOW__AEP__PAGE_REFRESH_SECONDS", "PT2M")
    assert refresh_seconds() == 120
    monkeypatch.setenv("AIRFLOW__AEP__PAGE_REFRESH_SECONDS", "2m")
    with pytest.raises(AepConfigError, match="page_refresh_seconds must be"):
        refresh_seconds()
