"""What a plan says will happen, and when it says that nothing may."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_provider_aep.errors import (
    AepAmbiguousNameError,
    AepConflictError,
    AepUnsafePlanError,
    AepValidationError,
)
from airflow_provider_aep.exports.marks import read_mark
from airflow_provider_aep.exports.outcome import Outcome
from airflow_provider_aep.flowservice.destinations import S3
from airflow_provider_aep.flowservice.exchange import Response

CRM, LOYALTY = "5ef3e3259ad2a1191ab7dd7d", "5ef3e324ab7dd7d3259a1191"
KINDS = ["base connection", "source connection", "target connection", "dataflow"]


def actions(plan):
    return [step.action for step in plan.steps]


def fields(plan, kind):
    return {one.field: (one.old, one.new) for one in plan.step(kind).changes}


# What happens


def test_in_an_empty_sandbox_all_four_are_created(desk):
    plan = desk.plan(desk.spec())
    assert [step.kind for step in plan.steps] == KINDS
    assert actions(plan) == ["create"] * 4
    assert plan.changes
    assert plan.warnings == ()
    assert desk.counts().total() == 0


def test_what_is_as_declared_is_kept(desk):
    made = desk.ensure(desk.spec())
    plan = desk.plan(desk.spec())
    assert actions(plan) == ["keep"] * 4
    assert not plan.changes
    assert {step.kind: step.id for step in plan.steps} == made.ids
    assert plan.warnings == ()


def test_a_changed_schedule_updates_the_dataflow_and_says_from_what_to_what(desk):
    desk.ensure(desk.spec())
    plan = desk.plan(desk.spec(schedule__every="6h", schedule__folder_template="%DATASET_ID%"))
    assert actions(plan) == ["keep", "keep", "keep", "update"]
    changed = fields(plan, "dataflow")
    assert changed.keys() == {"mark", "schedule.every", "schedule.folder_template"}
    assert changed["schedule.every"] == ("3h", "6h")
    assert changed["schedule.folder_template"] == (None, "%DATASET_ID%")


def test_changed_params_update_the_target_connection(desk):
    desk.ensure(desk.spec())
    plan = desk.plan(desk.spec(destination__params__path="aep/new"))
    assert actions(plan) == ["keep", "keep", "update", "update"]
    assert fields(plan, "target connection") == {"path": ("aep/crm", "aep/new")}
    assert fields(plan, "dataflow").keys() == {"mark"}


def test_a_changed_description_updates_the_dataflow(desk):
    desk.ensure(desk.spec(description="old words"))
    plan = desk.plan(desk.spec(description="new words"))
    assert fields(plan, "dataflow")["description"] == ("old words", "new words")


@pytest.mark.parametrize("text", ["of several lines\n", "  indented", " ", "ends in (brackets)"])
def test_blanks_around_a_description_are_no_difference(desk, text):
    """As a block of YAML has them."""
    desk.ensure(desk.spec(description=text))
    assert not desk.plan(desk.spec(description=text)).changes


def test_other_datasets_replace_the_source_connection_and_relink_the_dataflow(desk):
    made = desk.ensure(desk.spec())
    plan = desk.plan(desk.spec(datasets=[LOYALTY]))
    assert actions(plan) == ["keep", "replace", "keep", "update"]
    assert plan.step("source connection").replaces == made.ids["source connection"]
    assert fields(plan, "source connection")["datasets"] == ([CRM], [LOYALTY])
    assert fields(plan, "dataflow")["source connection"] == (made.ids["source connection"], "new")


def test_the_order_of_datasets_is_no_difference(desk):
    desk.ensure(desk.spec(datasets=[CRM, LOYALTY]))
    assert not desk.plan(desk.spec(datasets=[{"name": "Loyalty Profiles"}, CRM])).changes


def test_another_destination_replaces_everything_but_the_datasets(desk):
    desk.ensure(desk.spec())
    plan = desk.plan(desk.spec(destination=LANDING_ZONE))
    assert actions(plan) == ["replace", "keep", "replace", "replace"]


LANDING_ZONE = {"type": "data_landing_zone", "params": {"path": "x", "datasetFileType": "JSON"}}


def test_a_dataflow_that_was_renamed_is_found_and_gets_its_name_back(desk):
    made = desk.ensure(desk.spec())
    desk.patch("dataflow", made.ids["dataflow"], "/name", "tinkered")
    plan = desk.plan(desk.spec())
    assert plan.step("dataflow").id == made.ids["dataflow"]
    assert fields(plan, "dataflow") == {"name": ("tinkered", "crm-nightly")}


@pytest.mark.parametrize("key", ["foldernameTemplate", "folderNameTemplate"])
def test_both_spellings_of_the_folder_template_are_read(desk, key):
    """The tutorials write a lower-case n, the reference an upper-case one."""
    spec = desk.spec(schedule__folder_template="%DATASET_ID%")
    flow = desk.get("dataflow", desk.ensure(spec).ids["dataflow"])
    theirs = {name: value for name, value in flow["scheduleParams"].items() if name != "foldernameTemplate"}
    desk.patch("dataflow", flow["id"], "/scheduleParams", {**theirs, key: "%DATASET_ID%"})
    assert not desk.plan(spec).changes
    desk.patch("dataflow", flow["id"], "/scheduleParams", {**theirs, key: "elsewhere"})
    assert fields(desk.plan(spec), "dataflow") == {"schedule.folder_template": ("elsewhere", "%DATASET_ID%")}
    desk.ensure(spec)
    params = desk.get("dataflow", flow["id"])["scheduleParams"]
    assert {name: value for name, value in params.items() if "Template" in name} == {key: "%DATASET_ID%"}


def test_an_interval_as_text_is_no_difference(desk):
    flow = desk.get("dataflow", desk.ensure(desk.spec()).ids["dataflow"])
    params = {**flow["scheduleParams"], "interval": "3"}
    desk.patch("dataflow", flow["id"], "/scheduleParams", params)
    assert not desk.plan(desk.spec()).changes


# How it reads


def test_a_plan_reads_like_a_sentence(desk):
    made = desk.ensure(desk.spec())
    told = str(desk.plan(desk.spec(datasets=[LOYALTY], schedule__every="6h"))).splitlines()
    old = made.ids["source connection"]
    assert told[0] == "crm-nightly in sandbox prod"
    assert told[1].split() == ["keep", "base", "connection", made.ids["base connection"]]
    assert told[2].startswith(f"  replace  source connection  {old} by a new one")
    assert told[2].endswith(f"datasets: + {LOYALTY}  - {CRM}")
    assert "source connection: " in told[4]
    assert "schedule.every: 3h -> 6h" in told[4]
    assert "mark" not in "".join(told)
    assert str(desk.plan(desk.spec())).endswith("no changes")


def test_a_plan_survives_json(desk):
    desk.ensure(desk.spec())
    plan = desk.plan(desk.spec(datasets=[LOYALTY]))
    document = plan.to_json()
    assert json.loads(json.dumps(document)) == document
    assert document["changes"] is True
    assert document["steps"][1]["changes"] == [{"field": "datasets", "old": [CRM], "new": [LOYALTY]}]


def test_two_plans_of_one_day_are_equal_even_where_an_end_is_computed(desk):
    spec = desk.spec(schedule__end=...)
    first = desk.plan(spec)
    desk.clock.advance(3600)
    assert desk.plan(spec).to_json() == first.to_json()


def test_secrets_are_in_no_plan_and_no_outcome(desk, secret):
    outcome = desk.ensure(desk.spec())
    plan = desk.plan(desk.spec(), rotate_credentials=True)
    assert plan.step("base connection").action == "update"
    for told in (plan, plan.to_json(), outcome, outcome.to_json()):
        assert secret not in f"{told} {told!r}"
        assert "AKIA2345ABCDEFGH2345" not in f"{told} {told!r}"


# What it refuses


def test_replacing_is_refused_with_numbers(desk):
    made = desk.ensure(desk.spec())
    before = desk.snapshot()
    with pytest.raises(AepUnsafePlanError) as refused:
        desk.ensure(desk.spec(datasets=[LOYALTY]))
    assert "'crm-nightly' replaces 1 of 4 entities" in str(refused.value)
    assert made.ids["source connection"] in str(refused.value)
    assert refused.value.plan["steps"][1]["action"] == "replace"
    with pytest.raises(AepUnsafePlanError, match="replaces 3 of 4"):
        desk.ensure(desk.spec(destination=LANDING_ZONE))
    assert desk.snapshot() == before


def test_the_words_allow_replace_let_it(desk):
    desk.ensure(desk.spec())
    outcome = desk.ensure(desk.spec(datasets=[LOYALTY]), allow_replace=True)
    assert desk.get("source connection", outcome.ids["source connection"])["params"]["datasets"] == [
        {"dataSetId": LOYALTY, "name": "Loyalty Profiles"}
    ]
    assert not desk.plan(desk.spec(datasets=[LOYALTY])).changes


def test_two_dataflows_with_the_mark_stop_with_their_ids(desk):
    flow_id = desk.ensure(desk.spec()).ids["dataflow"]
    twin = desk.copy("dataflow", flow_id, name="twin")
    with pytest.raises(AepAmbiguousNameError) as refused:
        desk.ensure(desk.spec())
    assert set(refused.value.ids) == {flow_id, twin}
    assert flow_id in str(refused.value)
    assert twin in str(refused.value)


def test_a_name_that_nobody_owns_stops_with_the_ids(desk):
    flow_id = desk.ensure(desk.spec(name="other")).ids["dataflow"]
    ids = [desk.copy("dataflow", flow_id, name="crm-nightly", description="mine") for _ in range(2)]
    before = desk.snapshot()
    with pytest.raises(AepConflictError) as refused:
        desk.ensure(desk.spec())
    assert sorted(refused.value.ids) == sorted(ids)
    assert "owned by nobody" in str(refused.value)
    assert desk.snapshot() == before


def test_a_name_of_another_team_stops_with_the_id_and_the_team(desk):
    flow_id = desk.ensure(desk.spec()).ids["dataflow"]
    with pytest.raises(AepConflictError) as refused:
        desk.ensure(desk.spec(owner="loyalty"))
    assert list(refused.value.ids) == [flow_id]
    assert "owned by crm" in str(refused.value)
    assert not desk.plan(desk.spec()).changes


def test_two_teams_that_declare_one_name_at_once_are_told_before_anything_is_created(desk):
    """Created both, neither could ever be ensured again."""
    outcomes = desk.ensure_all(desk.spec(), desk.spec(owner="loyalty"), desk.spec(name="other"))
    assert [type(one.error) for one in outcomes] == [type(None), AepConflictError, type(None)]
    assert "crm-nightly" in str(outcomes[1].error)
    assert "crm" in str(outcomes[1].error)
    assert not desk.plan(desk.spec()).changes


def test_two_teams_may_each_have_their_own_names(desk):
    desk.ensure_all(desk.spec(), desk.spec(owner="loyalty", name="loyalty-nightly"))
    assert desk.counts()["dataflow"] == 2
    assert not desk.plan(desk.spec()).changes


def test_connections_of_the_same_name_disturb_nobody(desk):
    made = desk.ensure(desk.spec(name="other"))
    for kind in KINDS[:3]:
        desk.copy(kind, made.ids[kind], name="crm-nightly", description="by hand")
    assert actions(desk.plan(desk.spec())) == ["create"] * 4


# Adopting


def hand_made(desk):
    """An export as somebody made it by hand: no entity carries a mark."""
    made = desk.ensure(desk.spec(name="template"))
    base = desk.copy("base connection", made.ids["base connection"], description="")
    source = desk.copy("source connection", made.ids["source connection"], description="")
    target = desk.copy(
        "target connection", made.ids["target connection"], description="", baseConnectionId=base
    )
    flow = desk.copy(
        "dataflow",
        made.ids["dataflow"],
        name="by hand",
        description="made by Ann",
        sourceConnectionIds=[source],
        targetConnectionIds=[target],
    )
    desk.delete("template", with_base=True)
    return {"base": base, "source": source, "target": target, "flow": flow}


def adopting(desk, ids, **changes):
    return desk.spec(
        destination__credentials_conn_id=...,
        destination__base_connection_id=ids["base"],
        adopt=ids["flow"],
        **changes,
    )


def test_a_hand_made_dataflow_is_adopted_with_its_connections(desk):
    ids = hand_made(desk)
    spec = adopting(desk, ids, name="by hand")
    plan = desk.plan(spec)
    assert actions(plan) == ["keep", "keep", "keep", "update"]
    assert fields(plan, "dataflow") == {"owner": (None, "crm")}
    desk.ensure(spec)
    assert desk.counts().total() == 4
    assert not desk.plan(spec).changes
    assert desk.get("dataflow", ids["flow"])["description"].startswith("made by Ann (aep-export of crm")
    # Whoever takes `adopt` out of the spec afterwards changes nothing.
    assert not desk.plan(replace(spec, adopt=None)).changes


def test_adopting_may_rename_and_reschedule(desk):
    ids = hand_made(desk)
    spec = adopting(desk, ids, schedule__every="12h", destination__params__path="elsewhere")
    assert desk.ensure(spec).ids["dataflow"] == ids["flow"]
    flow = desk.get("dataflow", ids["flow"])
    assert (flow["name"], flow["scheduleParams"]["interval"]) == ("crm-nightly", 12)
    assert desk.get("target connection", ids["target"])["params"]["path"] == "elsewhere"
    assert not desk.plan(spec).changes


def test_what_does_not_exist_or_is_owned_cannot_be_adopted(desk):
    owned = desk.ensure(desk.spec(name="theirs", owner="loyalty")).ids["dataflow"]
    with pytest.raises(AepConflictError, match=r"cannot be adopted.*loyalty"):
        desk.plan(desk.spec(adopt=owned))
    with pytest.raises(AepConflictError, match="no export dataflow 0000 to adopt"):
        desk.plan(desk.spec(adopt="0000"))


def test_a_target_connection_that_serves_a_stranger_too_is_left_as_it_is(desk):
    ids = hand_made(desk)
    stranger = desk.copy("dataflow", ids["flow"], name="stranger")
    spec = adopting(desk, ids, name="by hand", destination__params__path="elsewhere")
    before = desk.get("target connection", ids["target"])
    assert desk.plan(spec).step("target connection").action == "replace"
    desk.ensure(spec, allow_replace=True)
    assert desk.get("target connection", ids["target"]) == before
    assert desk.get("dataflow", stranger)["targetConnectionIds"] == [ids["target"]]


# Datasets and base connections


def test_a_dataset_is_found_by_its_exact_name(desk):
    plan = desk.plan(desk.spec(datasets=[{"name": "Loyalty Profiles"}]))
    assert plan.datasets == {LOYALTY: "Loyalty Profiles"}
    with pytest.raises(AepValidationError, match=r"/datasets/0 names no dataset .*'Loyalty Profiles'"):
        desk.plan(desk.spec(datasets=[{"name": "Loyalty Profile"}]))


def test_a_dataset_name_that_several_carry_stops_with_their_ids(desk):
    ids = [desk.emulator.add_dataset("Twins").id for _ in range(2)]
    with pytest.raises(AepAmbiguousNameError) as refused:
        desk.plan(desk.spec(datasets=[CRM, {"name": "Twins"}]))
    assert sorted(refused.value.ids) == sorted(ids)


def test_a_dataset_by_id_and_again_by_name_is_told(desk):
    with pytest.raises(AepValidationError, match="/datasets/1 is a dataset that the list holds already"):
        desk.plan(desk.spec(datasets=[LOYALTY, {"name": "Loyalty Profiles"}]))


def test_datasets_are_read_only_where_a_name_or_an_id_is_missing(desk):
    desk.plan(desk.spec(datasets=[{"id": LOYALTY, "name": "Loyalty"}]))
    assert not desk.emulator.requests(path="/connectionSpecs/*/configs")


def test_a_given_base_connection_is_used_and_never_ours(desk):
    base = desk.copy("base connection", desk.ensure(desk.spec()).ids["base connection"], description="x")
    spec = desk.spec(
        name="second", destination__credentials_conn_id=..., destination__base_connection_id=base
    )
    before = desk.get("base connection", base)
    outcome = desk.ensure(spec)
    assert outcome.ids["base connection"] == base
    assert {one["kind"] for one in outcome.created} == set(KINDS[1:])
    assert desk.get("base connection", base) == before
    with pytest.raises(
        AepValidationError,
        match="is not sent again: change it in Adobe's UI, or give credentials_conn_id instead",
    ):
        desk.plan(spec, rotate_credentials=True)


def test_a_given_base_connection_must_exist_and_fit(desk):
    landing = desk.ensure(desk.spec(name="other", destination=LANDING_ZONE)).ids["base connection"]
    for base in ("00000000-0000-0000-0000-000000000000", landing):
        spec = desk.spec(destination__credentials_conn_id=..., destination__base_connection_id=base)
        with pytest.raises(AepValidationError) as refused:
            desk.plan(spec)
        assert f"/destination/base_connection_id names no {S3.title} base connection" in str(refused.value)


# Ends


def test_a_new_export_that_is_over_already_is_refused(desk):
    spec = desk.spec(schedule__end=desk.in_days(-1))
    with pytest.raises(AepValidationError, match="/schedule/end is in the past"):
        desk.ensure(spec)
    assert desk.counts().total() == 0


def test_an_export_that_ends_soon_or_has_ended_says_so(desk):
    spec = desk.spec()
    desk.ensure(spec)
    desk.clock.advance(timedelta(days=85).total_seconds())
    assert desk.plan(spec).warnings == ()
    desk.clock.advance(timedelta(days=5).total_seconds())
    (warning,) = desk.plan(spec).warnings
    assert "ends in 10 days" in warning
    desk.clock.advance(timedelta(days=11).total_seconds())
    (warning,) = desk.plan(spec).warnings
    assert "ended on" in warning
    assert desk.ensure(spec).warnings == [warning]


def test_an_export_once_has_no_end_to_warn_about(desk):
    spec = desk.spec(schedule__every="once")
    desk.ensure(spec)
    desk.clock.advance(timedelta(days=99).total_seconds())
    assert desk.plan(spec).warnings == ()


def test_a_missing_end_is_computed_and_sent(desk):
    spec = desk.spec(schedule={"every": "3h"})
    outcome = desk.ensure(spec)
    (post,) = desk.emulator.requests("POST", "/flows")
    end = post.body["scheduleParams"]["endTime"]
    assert end == int((desk.now + timedelta(days=180)).timestamp())
    # ... and then left: a rolling end would change something at every run.
    desk.clock.advance(86400)
    assert not desk.plan(spec).changes
    assert desk.get("dataflow", outcome.ids["dataflow"])["scheduleParams"]["endTime"] == end


class WithoutEnd:
    """The service of before 2025, as far as reads go: its dataflows have no end until they get one."""

    def __init__(self, desk):
        self.desk = desk

    def send(self, request):
        answer = self.desk.emulator.send(request)
        if "/flows" not in request.path or request.method != "GET":
            return answer
        body = answer.json
        patched = self.desk.emulator.requests("PATCH", "/flows/*")
        for flow in body.get("items", ()):
            if not patched:
                flow["scheduleParams"].pop("endTime", None)
        return Response(answer.status, answer.headers, json.dumps(body).encode())


def test_a_dataflow_of_before_ends_were_kept_gets_one(desk):
    spec = desk.spec(schedule__end=...)
    outcome = desk.ensure(spec)
    desk.clock.advance(86400)
    desk.transport = WithoutEnd(desk)
    plan = desk.plan(spec)
    assert fields(plan, "dataflow") == {"schedule.end": (None, "180 days from now")}
    desk.ensure(spec)
    end = desk.get("dataflow", outcome.ids["dataflow"])["scheduleParams"]["endTime"]
    assert end == int((desk.now + timedelta(days=180)).timestamp())
    assert not desk.plan(spec).changes or desk.ensure(spec)


def test_a_computed_end_lies_after_a_start_that_is_far_away(desk):
    desk.ensure(desk.spec(schedule={"every": "3h"}))
    desk.transport = WithoutEnd(desk)
    desk.ensure(desk.spec(schedule={"every": "3h", "start": desk.in_days(400)}))
    (flow,) = desk.all("dataflow")
    assert flow["scheduleParams"]["endTime"] > flow["scheduleParams"]["startTime"]


# Warnings


def test_a_dataflow_that_was_disabled_in_the_ui_is_told_and_left_so(desk):
    flow_id = desk.ensure(desk.spec()).ids["dataflow"]
    desk.send("POST", f"/flows/{flow_id}/action?op=disable")
    (warning,) = desk.ensure(desk.spec()).warnings
    assert f"dataflow {flow_id} is disabled" in warning
    assert desk.get("dataflow", flow_id)["state"] == "disabled"


def test_a_change_of_somebody_elses_is_told_apart_from_a_changed_spec(desk):
    made = desk.ensure(desk.spec())
    # the spec has changed
    (moves,) = desk.plan(desk.spec(schedule__every="6h", destination__params__path="new")).warnings
    assert moves.startswith("the export moves")
    # somebody has changed the entities
    params = desk.get("dataflow", made.ids["dataflow"])["scheduleParams"]
    desk.patch("dataflow", made.ids["dataflow"], "/scheduleParams", {**params, "interval": 9})
    desk.patch("target connection", made.ids["target connection"], "/params/path", "theirs")
    warnings = desk.plan(desk.spec()).warnings
    told = [warning.split(":")[0] for warning in warnings]
    assert told == ["the export moves", "target connection", "dataflow"]
    assert "changed by someone else since the last ensure: path" in warnings[1]
    assert "changed by someone else since the last ensure: schedule.every" in warnings[2]
    # and what they did is undone, because the spec counts
    desk.ensure(desk.spec())
    assert desk.get("target connection", made.ids["target connection"])["params"]["path"] == "aep/crm"
    assert desk.plan(desk.spec()).warnings == ()


def test_what_a_replacement_left_behind_is_told_until_it_is_removed(desk):
    first = desk.ensure(desk.spec())
    second = desk.ensure(desk.spec(datasets=[LOYALTY]), allow_replace=True)
    old = {"kind": "source connection", "id": first.ids["source connection"]}
    assert second.left_behind == [old]
    again = desk.ensure(desk.spec(datasets=[LOYALTY]))
    assert again.left_behind == [old]
    assert "left behind by earlier changes" in again.warnings[0]
    assert old["id"] in again.warnings[0]
    assert not again.changed


def test_other_credentials_are_told_and_sent_only_when_asked(desk):
    made = desk.ensure(desk.spec())
    other = desk.spec(destination__credentials_conn_id="crm_bucket_2027")
    plan = desk.plan(other)
    assert not plan.changes
    assert "was sent from another connection than crm_bucket_2027" in plan.warnings[0]
    desk.ensure(other, rotate_credentials=True)
    assert desk.writes() == ["PATCH connections", "PATCH flows"]
    (patch,) = desk.emulator.requests("PATCH", "/connections/*")
    assert patch.body[0]["path"] == "/auth/params"
    assert desk.plan(other).warnings == ()
    assert desk.counts().total() == 4
    assert desk.ensure(other).ids == made.ids


def test_a_base_connection_of_a_broken_off_attempt_is_used_and_said_to_be(desk):
    made = desk.ensure(desk.spec())
    desk.send("DELETE", f"/flows/{made.ids['dataflow']}")
    plan = desk.plan(desk.spec())
    assert actions(plan) == ["keep", "keep", "keep", "create"]
    assert made.ids["base connection"] in plan.warnings[0]
    other = desk.plan(desk.spec(destination__credentials_conn_id="other"))
    assert actions(other)[0] == "create"  # what was sent from elsewhere may be a wrong login


# Room


def test_a_sandbox_that_is_full_is_told_before_anything_is_created(desk):
    flow_id = desk.ensure(desk.spec()).ids["dataflow"]
    for number in range(97):
        desk.copy("dataflow", flow_id, name=f"theirs {number}", description="")
    counts = desk.counts()
    changed = desk.spec(schedule__every="6h")
    mine, *new = desk.ensure_all(changed, *(desk.spec(name=f"new {number}") for number in range(3)))
    for one in new:
        assert isinstance(one.error, AepValidationError)
        assert re.search(r"3 new dataflows .* 98 existing ones .* 101.* allows 100", str(one.error))
    assert mine.error is None  # what is there already is none of that
    assert desk.counts() == counts
    made = desk.ensure_all(desk.spec(), desk.spec(name="new 1"), desk.spec(name="new 2"))
    assert not any(one.error for one in made)
    assert desk.counts()["dataflow"] == 100
    # a full sandbox still takes updates and replacements
    desk.ensure(desk.spec(destination=LANDING_ZONE), allow_replace=True)


def test_an_outcome_without_a_plan_can_be_told(desk):
    outcome = Outcome(spec=desk.spec(sandbox="dev"), error=AepConflictError("no", ["x"]))
    assert outcome.to_json()["sandbox"] == "dev"
    assert str(outcome) == "crm-nightly: FAILED: no"


def test_every_entity_carries_the_mark_of_its_export(desk):
    ids = desk.ensure(desk.spec(description="for humans")).ids
    marks = [read_mark(desk.get(kind, ids[kind])) for kind in KINDS]
    assert {(mark.owner, mark.export) for mark in marks} == {("crm", marks[0].export)}
    assert desk.get("dataflow", ids["dataflow"])["description"].startswith("for humans (aep-export of crm ")


def test_the_same_moment_told_in_another_time_zone_is_no_change(desk):
    in_utc = {"every": "1d", "start": "2027-02-01T05:00:00Z", "end": "2027-07-31T22:00:00Z"}
    in_berlin = {"every": "1d", "start": "2027-02-01T06:00", "end": "2027-08-01", "timezone": "Europe/Berlin"}
    desk.ensure(desk.spec(schedule=in_utc))
    assert not desk.plan(desk.spec(schedule=in_berlin)).changes
    later = desk.plan(desk.spec(schedule={**in_berlin, "timezone": "America/New_York"}))
    assert fields(later, "dataflow")["schedule.start"] == ("2027-02-01T05:00:00Z", "2027-02-01T11:00:00Z")
