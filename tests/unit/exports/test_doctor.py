"""The doctor: every illness is named at its check, with what to do; a sound sandbox has none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from airflow_provider_aep.exports.apply import ensure_exports
from airflow_provider_aep.exports.delete import delete_export
from airflow_provider_aep.exports.doctor import (
    CHECKS,
    examine,
    judge_clock,
    judge_connection_spec,
)
from airflow_provider_aep.exports.spec import parse_spec
from airflow_provider_aep.exports.spec_rules import places_of
from airflow_provider_aep.flowservice.connections import get_connection_spec
from airflow_provider_aep.flowservice.dataflows import set_dataflow_state
from airflow_provider_aep.flowservice.destinations import DESTINATIONS, S3
from airflow_provider_aep.flowservice.session import AepSession


@pytest.fixture
def examined(run, clock):
    def go(sandbox="prod"):
        run.sandbox = sandbox
        return run(examine(sandbox=sandbox, clock=lambda: datetime.fromtimestamp(clock(), tz=UTC)))

    return go


def levels(findings):
    return {one.check: one.level for one in findings}


def only(findings, check):
    (found,) = [one for one in findings if one.check == check]
    return found


def test_a_sound_sandbox_passes_every_check(emulator, examined, make_dataflow):
    make_dataflow()
    found = examined()
    assert [one.check for one in found] == list(CHECKS)
    assert levels(found) == {**dict.fromkeys(CHECKS, "ok"), "clock": "not checked"}  # no header in process
    assert {request.method for request in emulator.log} == {"GET"}


@pytest.mark.parametrize(
    ("wrong", "failed", "advice"),
    [
        ({"client_secret": "wrong-secret"}, "token", "Developer Console"),
        ({"client_id": "wrong-client"}, "token", "login and password"),
        ({"scopes": "openid,everything"}, "token", "scopes"),
        ({"org_id": "OTHER@AdobeOrg"}, "organization", "org_id"),
        ({"org_id": "nonsense"}, "organization", "org_id"),
    ],
)
def test_what_is_wrong_with_the_credential_is_told_at_its_own_check(
    run, examined, clock, wrong, failed, advice
):
    run.session = AepSession(replace(run.session.credentials, **wrong), now=clock, jitter=lambda: 0.0)
    found = examined()
    told = only(found, failed)
    assert told.level == "fail"
    assert advice in told.advice
    index = CHECKS.index(failed)
    assert [one.level for one in found] == ["ok"] * index + ["fail"] + ["not checked"] * (9 - index)
    assert "wrong-secret" not in str(found)


def test_a_sandbox_that_is_not_there_is_told_as_such(examined):
    told = only(examined("nowhere"), "sandbox")
    assert told.level == "fail"
    assert "2100" in told.seen


def test_a_service_that_does_not_answer_leaves_the_rest_unchecked(emulator, examined):
    emulator.reset_next(times=50, match="GET /")
    found = examined()
    assert levels(found)["token"] == "ok"
    assert levels(found)["organization"] == "fail"
    assert levels(found)["left behind"] == "not checked"


@pytest.mark.parametrize(
    ("path", "permission"),
    [
        ("GET /flows", "View Destinations"),
        ("GET /connections", "View Destinations"),
        ("/configs", "View Datasets"),
    ],
)
def test_a_missing_permission_is_named(emulator, examined, path, permission):
    body = {"type": "https://ns.adobe.com/aep/errors/FLOW-2121-403", "title": "denied", "status": 403}
    emulator.fail_next(403, times=2, match=path, body=body)
    told = only(examined(), "permissions")
    assert told.level == "fail"
    assert f"role {permission}," in told.advice
    assert "Manage and Activate Dataset Destinations" in told.advice


def test_a_credential_that_may_read_nothing_still_gets_an_answer_to_every_check(emulator, examined):
    emulator.fail_next(403, times=50, match="GET /", body={"status": 403, "title": "denied"})
    found = levels(examined())
    assert list(found) == list(CHECKS)
    assert found["permissions"] == "fail"
    assert found["left behind"] == "not checked"


def test_a_sandbox_that_may_not_be_read_is_no_illness(emulator, examined):
    emulator.fail_next(403, match="/sandbox-management/", body={"status": 403, "title": "denied"})
    told = only(examined(), "sandbox")
    assert (told.level, "may not read its state" in told.seen) == ("ok", True)


def test_a_changed_connection_spec_is_noticed_by_login_and_by_parameter(run):
    spec = dict(run(get_connection_spec(S3)))
    assert judge_connection_spec(S3, spec) == []
    (told,) = judge_connection_spec(S3, {**spec, "authSpec": [{"name": "Assumed Role"}]})
    assert (told.level, "login 'Access Key'" in told.seen) == ("warn", True)
    (told,) = judge_connection_spec(S3, {**spec, "targetSpec": {"spec": {"properties": {"path": {}}}}})
    assert "parameter bucketName" in told.seen
    assert "parameter path" not in told.seen


def test_every_destination_has_parameters_to_look_for():
    assert all("datasetFileType" in places_of(one) for one in DESTINATIONS.values())


def test_a_connection_spec_that_cannot_be_read_concerns_its_own_destination_alone(emulator, examined):
    emulator.fail_next(404, match=S3.connection_spec_id, body={"status": 404, "title": "gone"})
    told = only(examined(), "connection specs")
    assert (told.level, "Amazon S3" in told.seen) == ("warn", True)


@pytest.mark.parametrize(
    ("seconds", "level", "word"),
    [
        (0, "ok", "0 seconds"),
        (59, "ok", "59 seconds"),
        (-59, "ok", "59 seconds"),
        (61, "warn", "ahead"),
        (-3600, "warn", "behind"),
    ],
)
def test_a_clock_that_is_more_than_a_minute_off_is_noticed(seconds, level, word):
    now = datetime(2026, 12, 1, tzinfo=UTC)
    header = format_datetime(now - timedelta(seconds=seconds), usegmt=True)
    told = judge_clock(header, now=now)
    assert (told.level, word in told.seen) == (level, True)


@pytest.mark.parametrize("header", [None, "", "yesterday"])
def test_without_a_time_to_compare_with_the_clock_is_not_checked(header):
    assert judge_clock(header, now=datetime(2026, 12, 1, tzinfo=UTC)).level == "not checked"


def test_exports_that_end_soon_or_have_ended_or_are_disabled_are_named(
    examined, run, make_dataflow, clock, now
):
    make_dataflow("lasting")
    make_dataflow("later", end=now + timedelta(days=15))
    make_dataflow("soon", end=now + timedelta(days=13))
    over = make_dataflow("over", end=now + timedelta(hours=2))
    make_dataflow("once", every="once", end=now + timedelta(hours=2))
    idle = make_dataflow("idle")
    run(set_dataflow_state(idle, "disabled"))
    clock.advance(3 * 3600)
    found = examined()
    ends = sorted(one.seen for one in found if one.check == "exports that end")
    assert [one.split(" ")[0] for one in ends] == ["'over'", "'soon'"]
    assert over in ends[0]
    assert idle in only(found, "disabled exports").seen


def test_exports_of_one_name_are_twins(examined, make_dataflow):
    ids = [make_dataflow("twin"), make_dataflow("twin")]
    told = only(examined(), "twins")
    assert told.level == "warn"
    assert all(one in told.seen for one in ids)


def test_what_is_left_behind_is_named_with_the_command_that_removes_it(emulator, run, examined, now):
    document = {
        "name": "crm nightly",
        "owner": "crm-team",
        "datasets": [emulator.datasets()[0].id],
        "destination": {"type": "data_landing_zone", "params": {"path": "x", "datasetFileType": "JSON"}},
        "schedule": "3h",
    }
    (made,) = run(ensure_exports([parse_spec(document)], sandbox="prod", now=now, logins={}))
    assert only(examined(), "left behind").level == "ok"
    run(delete_export("crm nightly", owner="crm-team", sandbox="prod"))
    told = only(examined(), "left behind")
    assert made.ids["base connection"] in told.seen
    assert "aep delete 'crm nightly' --owner crm-team --leftovers-only" in told.advice
