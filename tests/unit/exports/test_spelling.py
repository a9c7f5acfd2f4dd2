"""The service may tell in other words what it was sent; that is no difference. A change by hand is one."""

from __future__ import annotations

import pytest

from airflow_provider_aep.flowservice.spelling import same_text, same_value

SPELLINGS = [
    "paths-end-with-slash",
    "paths-begin-with-slash",
    "schedule-in-milliseconds",
    "time-unit-upper-case",
    "mode-not-shown",
    "end-time-not-shown",
    "end-after-six-months",
    "names-upper-case",
    "names-cut-at-32",
]


def nightly(desk, **changes):
    return desk.spec(name="the nightly export of all customers of the shop", **changes)


@pytest.mark.parametrize("world", SPELLINGS)
def test_what_is_only_spelled_otherwise_is_sent_once(desk, world):
    desk.emulator.enter(world)
    desk.ensure(nightly(desk))
    for _ in range(2):
        again = desk.ensure(nightly(desk))
        assert not again.changed
        assert desk.writes() == []


@pytest.mark.parametrize("world", ["paths-begin-with-slash", "end-time-not-shown", "mode-not-shown"])
def test_a_change_by_hand_is_still_put_right(desk, world):
    desk.emulator.enter(world)
    ids = desk.ensure(nightly(desk)).ids
    desk.patch("target connection", ids["target connection"], "/params/path", "by/hand")
    again = desk.ensure(nightly(desk))
    assert {"kind": "target connection", "id": ids["target connection"]} in again.updated
    target = desk.emulator._world.entities.all("targetConnections", "prod")[0]
    assert target["params"]["path"].strip("/") == "aep/crm"
    assert not desk.ensure(nightly(desk)).changed


def test_a_change_of_the_spec_is_sent_where_the_old_one_was_spelled_otherwise(desk):
    desk.emulator.enter("paths-begin-with-slash")
    desk.ensure(nightly(desk))
    desk.ensure(nightly(desk, destination__params__path="aep/moved"))
    target = desk.emulator._world.entities.all("targetConnections", "prod")[0]
    assert target["params"]["path"].strip("/") == "aep/moved"


def test_an_end_that_the_service_does_not_keep_is_told_each_time(desk):
    desk.emulator.enter("end-after-six-months")
    first = desk.ensure(nightly(desk, schedule__end="2099-01-01T00:00:00Z"))
    assert any("differently from what was sent: schedule.end" in each for each in first.warnings)
    again = desk.ensure(nightly(desk, schedule__end="2099-01-01T00:00:00Z"))
    assert any("the service keeps schedule.end" in each for each in again.warnings)


@pytest.mark.parametrize(
    ("wanted", "found", "key", "same"),
    [
        ("aep/crm", "aep/crm/", "path", True),
        ("aep/crm/", "aep/crm", "path", True),
        ("/upload", "upload", "remotePath", False),
        ("aep/CRM", "aep/crm", "path", False),
        ("GZIP", "gzip", "compression", True),
        ("GZIP", "NONE", "compression", False),
        ("PARQUET", "Parquet", "datasetFileType", True),
        (3, "3", "interval", True),
        ("3", 3, "interval", True),
        (3, "4", "interval", False),
        (True, "true", "includeFileManifest", True),
        (True, 1, "includeFileManifest", False),
        (False, "0", "includeFileManifest", False),
        ("x", None, "path", False),
    ],
)
def test_two_values_are_the_same_to_the_service_or_not(wanted, found, key, same):
    assert same_value(wanted, found, key=key) is same


def test_names_are_the_same_in_whatever_letter_case_and_blanks():
    assert same_text("CRM  nightly", "crm nightly ")
    assert not same_text("CRM nightly", "CRM-nightly")
