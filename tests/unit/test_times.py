"""Times as people say them, to the word."""

from __future__ import annotations

from datetime import timedelta

import pendulum
import pytest

from airflow_provider_aep.times import read_span, span_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 seconds"),
        (0, "0 seconds"),
        (0.2, "0.2 seconds"),
        (1, "1 second"),
        (59.6, "1 minute"),
        (119, "1 minute 59 seconds"),
        (120, "2 minutes"),
        (3569, "59 minutes"),
        (3900, "1 hour 5 minutes"),
        (9000, "2 hours 30 minutes"),
        (1377 * 60, "22 hours 57 minutes"),
        (86_399, "1 day"),
        (86_400, "1 day"),
        (1.4 * 86_400, "1 day 10 hours"),
        (3 * 86_400 + 4.2 * 3600, "3 days 4 hours"),
        (7 * 86_400 - 60, "7 days"),
        (30.4 * 86_400, "30 days"),
        (400 * 86_400, "400 days"),
    ],
)
def test_a_span_is_told_in_whole_words(seconds, words):
    assert span_words(seconds) == span_words(timedelta(seconds=seconds)) == words


def test_a_limit_and_what_exceeds_it_do_not_sound_the_same():
    assert span_words(3601, exact=True) == "1 hour 1 second"
    assert span_words(3600, exact=True) == "1 hour"
    assert span_words(8 * 86_400 + 90, exact=True) == "8 days 1 minute 30 seconds"


def test_words_are_english_whatever_pendulum_is_set_to():
    pendulum.set_locale("de")
    try:
        assert span_words(7200) == "2 hours"
    finally:
        pendulum.set_locale("en")


def test_a_duration_is_a_plain_timedelta_to_the_microsecond():
    found = read_span("P1W")
    assert (type(found), found) == (timedelta, timedelta(days=7))
    assert read_span("P1DT2H30M0.5S") == timedelta(days=1, hours=2, minutes=30, seconds=0.5)


@pytest.mark.parametrize("huge", ["P99999999999D", "PT1e9H", "P" + "9" * 5000 + "D"])
def test_a_duration_beyond_all_bounds_is_none(huge):
    with pytest.raises(ValueError, match="must be an ISO 8601 duration"):
        read_span(huge)
