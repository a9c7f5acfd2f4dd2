"""What an ensure does: as little as needed, in the right order, and again after any trouble."""

from __future__ import annotations

import itertools
import json
import random
import threading
from collections import Counter

import pytest

from airflow_provider_aep.errors import (
    AepAmbiguousNameError,
    AepApiError,
    AepConflictError,
    AepOvertakenError,
    AepPreconditionError,
    AepServerError,
    AepUnsafePlanError,
    AepValidationError,
)
from airflow_provider_aep.exports import apply, attempt
from airflow_provider_aep.exports.marks import described, make_mark
from airflow_provider_aep.exports.state import read_state
from airflow_provider_aep.flowservice.exchange import Done, Pause, Request, Response, Together

CRM, LOYALTY = "5ef3e3259ad2a1191ab7dd7d", "5ef3e324ab7dd7d3259a1191"
KINDS = ["base connection", "source connection", "target connection", "dataflow"]
LANDING_ZONE = {"type": "data_landing_zone", "params": {"path": "x", "datasetFileType": "JSON"}}
CREATES = ["POST connections", "POST sourceConnections", "POST targetConnections", "POST flows"]


# Create, and again


def test_a_new_export_is_created_in_the_order_of_its_parts(desk):
    outcome = desk.ensure(desk.spec(description="for humans"))
    assert desk.writes() == CREATES
    assert [one["kind"] for one in outcome.created] == KINDS
    flow = desk.get("dataflow", outcome.ids["dataflow"])
    assert flow["sourceConnectionIds"] == [outcome.ids["source connection"]]
    assert flow["targetConnectionIds"] == [outcome.ids["target connection"]]
    target = desk.get("target connection", outcome.ids["target connection"])
    assert target["baseConnectionId"] == outcome.ids["base connection"]
    assert target["params"] == {
        "mode": "Server-to-server",
        "compression": "GZIP",
        "bucketName": "acme-exports",
        "path": "aep/crm",
        "datasetFileType": "PARQUET",
    }
    assert {one["name"] for kind in KINDS for one in desk.all(kind)} == {"crm-nightly"}


def test_ensuring_again_sends_only_gets(desk):
    first = desk.ensure(desk.spec())
    before = desk.snapshot()
    again = desk.ensure(desk.spec())
    assert desk.methods() == {"GET"}
    assert (again.ids, again.changed, again.created) == (first.ids, False, [])
    assert str(again) == "crm-nightly: no changes"
    assert desk.snapshot() == before


@pytest.mark.parametrize("slug", ["s3", "azure_blob", "adls_gen2", "gcs", "sftp", "data_landing_zone"])
def test_every_destination_can_be_ensured(desk, slug):
    places = {
        "s3": {"bucketName": "b-1", "path": "p"},
        "gcs": {"bucketName": "b-1", "path": "p"},
        "azure_blob": {"container": "con", "path": "p"},
        "sftp": {"remotePath": "p"},
    }
    params = {**places.get(slug, {"path": "p"}), "datasetFileType": "JSON"}
    login = {} if slug == "data_landing_zone" else {"credentials_conn_id": "login"}
    spec = desk.spec(destination={"type": slug, "params": params, **login})
    desk.ensure(spec)
    assert desk.counts() == dict.fromkeys(KINDS, 1)
    assert not desk.plan(spec).changes


# Update


def test_a_schedule_is_sent_whole_upon_what_is_there(desk):
    flow = desk.get("dataflow", desk.ensure(desk.spec()).ids["dataflow"])
    theirs = {**flow["scheduleParams"], "somethingNew": {"of": "Adobe's"}}
    desk.patch("dataflow", flow["id"], "/scheduleParams", theirs)
    outcome = desk.ensure(desk.spec(schedule__every="1d"))
    assert outcome.updated == [{"kind": "dataflow", "id": flow["id"]}]
    assert desk.writes() == ["PATCH flows"]
    after = desk.get("dataflow", flow["id"])["scheduleParams"]
    assert after == {**theirs, "timeUnit": "day", "interval": 1}


def test_params_are_sent_whole_upon_what_is_there(desk):
    target_id = desk.ensure(desk.spec()).ids["target connection"]
    desk.patch("target connection", target_id, "/params/includeFileManifest", True, op="add")
    desk.ensure(desk.spec(destination__params__path="elsewhere"))
    (patch,) = desk.emulator.requests("PATCH", "/targetConnections/*")
    assert [operation["path"] for operation in patch.body] == ["/params"]
    params = desk.get("target connection", target_id)["params"]
    assert (params["path"], params["includeFileManifest"]) == ("elsewhere", True)
    assert (params["mode"], params["datasetFileType"]) == ("Server-to-server", "PARQUET")
    assert not desk.plan(desk.spec(destination__params__path="elsewhere")).changes


class Meddling:
    """Adobe's own services move an etag just before each of the first PATCHes that arrive."""

    def __init__(self, desk, times):
        self.desk, self.left = desk, times

    def send(self, request):
        if request.method == "PATCH" and self.left:
            self.left -= 1
            collection, entity_id = request.path.strip("/").split("/")
            self.desk.emulator.touch(collection, entity_id)
        return self.desk.emulator.send(request)


@pytest.mark.parametrize("times", [1, 2])
def test_a_412_is_read_and_revised_again(desk, times):
    flow_id = desk.ensure(desk.spec()).ids["dataflow"]
    desk.transport = Meddling(desk, times)
    desk.ensure(desk.spec(schedule__every="6h"))
    patches = desk.emulator.requests("PATCH")
    assert [patch.status for patch in patches] == [412] * times + [200]
    assert len(desk.emulator.requests("GET", f"/flows/{flow_id}")) == times + 1
    assert desk.get("dataflow", flow_id)["scheduleParams"]["interval"] == 6


def test_a_third_412_is_a_fight_and_is_told(desk):
    desk.ensure(desk.spec())
    desk.transport = Meddling(desk, 99)
    with pytest.raises(AepPreconditionError, match="Somebody else keeps changing it"):
        desk.ensure(desk.spec(schedule__every="6h"))
    assert len(desk.emulator.requests("PATCH")) == 3


def test_after_a_412_only_what_still_differs_is_sent(desk):
    flow_id = desk.ensure(desk.spec()).ids["dataflow"]

    class Colleague:
        def send(self, request):
            if request.method == "PATCH" and not desk.emulator.requests("PATCH", "/flows/*"):
                desk.patch("dataflow", flow_id, "/name", "renamed meanwhile")
            return desk.emulator.send(request)

    desk.transport = Colleague()
    desk.ensure(desk.spec(schedule__every="6h"))
    last = desk.emulator.requests("PATCH")[-1]
    assert {operation["path"] for operation in last.body} == {"/name", "/description", "/scheduleParams"}
    assert not desk.plan(desk.spec(schedule__every="6h")).changes


def test_a_dataflow_that_gets_another_owner_meanwhile_is_left_alone(desk):
    flow_id = desk.ensure(desk.spec()).ids["dataflow"]
    theirs = described(None, make_mark(owner="loyalty", name="x", content=1, login=1))

    class Thief:
        def send(self, request):
            if request.method == "GET" and request.path == f"/flows/{flow_id}":
                desk.patch("dataflow", flow_id, "/description", theirs)
            return desk.emulator.send(request)

    desk.transport = Thief()
    with pytest.raises(AepConflictError, match="has got another owner: loyalty"):
        desk.ensure(desk.spec(schedule__every="6h"))
    assert desk.get("dataflow", flow_id)["scheduleParams"]["interval"] == 3


def test_a_rival_that_is_faster_every_time_is_told_as_something_that_passes(desk):
    class Rival:
        """Creates the same dataflow a moment earlier, and takes it away once ours has given way."""

        def send(self, request):
            if (request.method, request.path) == ("POST", "/flows"):
                desk.emulator.send(request)
                desk.emulator.clock.advance(1)
            answer = desk.emulator.send(request)
            if request.method == "DELETE":
                (theirs,) = desk.emulator.entities("flows")
                desk.emulator.send(
                    Request(method="DELETE", path=f"/flows/{theirs['id']}", headers=request.headers)
                )
            return answer

    desk.transport = Rival()
    with pytest.raises(AepOvertakenError, match="other writers were faster 3 times"):
        desk.ensure(desk.spec())
    desk.transport = desk.emulator
    assert desk.ensure(desk.spec()).created


def test_a_lost_answer_to_a_patch_is_a_change_all_the_same(desk):
    flow_id = desk.ensure(desk.spec()).ids["dataflow"]
    desk.emulator.lose_next(match="PATCH")
    assert desk.ensure(desk.spec(schedule__every="6h")).updated == [{"kind": "dataflow", "id": flow_id}]


# Replace


def test_other_datasets_get_another_source_connection(desk):
    first = desk.ensure(desk.spec())
    second = desk.ensure(desk.spec(datasets=[CRM, LOYALTY]), allow_replace=True)
    assert desk.writes() == ["POST sourceConnections", "PATCH flows"]
    assert second.ids["dataflow"] == first.ids["dataflow"]
    assert second.left_behind == [{"kind": "source connection", "id": first.ids["source connection"]}]
    flow = desk.get("dataflow", second.ids["dataflow"])
    assert flow["sourceConnectionIds"] == [second.ids["source connection"]]


def test_the_way_back_uses_what_was_left_behind(desk):
    first = desk.ensure(desk.spec())
    desk.ensure(desk.spec(datasets=[LOYALTY]), allow_replace=True)
    third = desk.ensure(desk.spec(), allow_replace=True)
    assert desk.writes() == ["PATCH flows"]
    assert third.ids == first.ids
    assert desk.counts()["source connection"] == 2


def test_another_destination_deletes_the_old_dataflow_before_it_creates_the_new_one(desk):
    first = desk.ensure(desk.spec())
    spec = desk.spec(destination=LANDING_ZONE)
    second = desk.ensure(spec, allow_replace=True)
    assert desk.writes() == [
        "POST connections",
        "POST targetConnections",
        "DELETE flows",
        "POST flows",
    ]
    assert second.deleted == [{"kind": "dataflow", "id": first.ids["dataflow"]}]
    assert second.ids["source connection"] == first.ids["source connection"]
    assert second.left_behind == [
        {"kind": kind, "id": first.ids[kind]} for kind in ("base connection", "target connection")
    ]
    assert desk.counts()["dataflow"] == 1
    assert not desk.plan(spec).changes


def test_a_plan_that_was_agreed_to_is_carried_out(desk):
    desk.ensure(desk.spec())
    spec = desk.spec(datasets=[LOYALTY])
    planned = [desk.plan(spec).to_json()]
    desk.ensure(spec, planned=planned, allow_replace=True)
    assert not desk.plan(spec).changes


def test_a_stale_plan_is_refused(desk):
    spec = desk.spec(schedule__every="6h")
    desk.ensure(desk.spec())
    planned = [desk.plan(spec).to_json()]
    (flow,) = desk.all("dataflow")
    desk.patch("dataflow", flow["id"], "/name", "renamed meanwhile")
    before = desk.snapshot()
    with pytest.raises(AepUnsafePlanError, match="have changed since the plan was made"):
        desk.ensure(spec, planned=planned)
    with pytest.raises(AepUnsafePlanError, match="Plan again"):
        desk.ensure(spec, planned=[])
    assert desk.snapshot() == before


def test_an_agreed_plan_with_nothing_left_to_do_is_no_stale_plan(desk):
    planned = [desk.plan(desk.spec()).to_json()]
    desk.ensure(desk.spec(), planned=planned)
    assert desk.ensure(desk.spec(), planned=planned).changed is False


def test_an_agreed_plan_is_finished_after_a_try_that_did_a_part(desk):
    desk.ensure(desk.spec())
    spec = desk.spec(datasets=[LOYALTY], schedule__every="6h")
    planned = [desk.plan(spec).to_json()]
    desk.emulator.fail_next(400, match="PATCH /flows")
    with pytest.raises(AepApiError):
        desk.ensure(spec, planned=planned, allow_replace=True)
    desk.ensure(spec, planned=planned, allow_replace=True)
    assert not desk.plan(spec).changes


def test_an_agreed_plan_is_not_carried_out_with_another_value(desk):
    desk.ensure(desk.spec())
    planned = [desk.plan(desk.spec(schedule__every="6h")).to_json()]
    with pytest.raises(AepUnsafePlanError):
        desk.ensure(desk.spec(schedule__every="12h"), planned=planned)


def test_a_plan_for_another_owner_is_no_plan_for_this_one(desk):
    planned = [{**desk.plan(desk.spec()).to_json(), "owner": "somebody else"}]
    with pytest.raises(AepUnsafePlanError):
        desk.ensure(desk.spec(), planned=planned)


# Two doors


def test_params_are_held_against_the_live_spec_before_the_first_post(desk):
    with pytest.raises(AepValidationError, match="/pathh is not a parameter") as refused:
        desk.ensure(desk.spec(destination__params__pathh="x", destination__params__path="a b"))
    assert {one.pointer for one in refused.value.problems} == {"/pathh", "/path"}
    assert desk.writes() == []


def test_a_login_is_held_against_the_live_spec_before_the_first_post(desk, secret):
    desk.logins = {("s3", "crm_bucket"): {"specName": "Access Key", "params": {"s3AccessKey": secret}}}
    with pytest.raises(AepValidationError, match="Check Airflow connection 'crm_bucket'") as refused:
        desk.ensure(desk.spec())
    assert {one.pointer for one in refused.value.problems} == {"/s3AccessKey", "/s3SecretKey"}
    assert secret not in str(refused.value)
    assert desk.writes() == []


def test_one_export_that_fails_does_not_stop_the_others(desk):
    told = []
    outcomes = desk.ensure_all(
        desk.spec(name="first"),
        desk.spec(name="wrong", destination__params__path="a b"),
        desk.spec(name="unknown", datasets=[{"name": "no such"}]),
        desk.spec(name="last"),
        progress=lambda outcome: told.append(outcome.spec.name),
    )
    assert [bool(one.error) for one in outcomes] == [False, True, True, False]
    assert desk.counts() == dict.fromkeys(KINDS, 2)
    assert {"first", "last"} <= set(told)
    assert len(told) == len(set(told))


# Trouble half way


@pytest.mark.parametrize("index", range(4))
def test_the_next_ensure_goes_on_from_what_exists(desk, index):
    collection = CREATES[index].split()[1]
    desk.emulator.fail_next(400, times=1, match=f"POST /{collection}")
    (failed,) = desk.ensure_all(desk.spec())
    assert isinstance(failed.error, AepApiError)
    assert [one["kind"] for one in failed.created] == KINDS[:index]
    for one in failed.created:  # who reads the log knows what there is
        assert one["id"] in str(failed)
    again = desk.ensure(desk.spec())
    assert desk.writes() == CREATES[index:]
    assert {kind: again.ids[kind] for kind in KINDS[:index]} == {
        one["kind"]: one["id"] for one in failed.created
    }
    assert desk.counts() == dict.fromkeys(KINDS, 1)


@pytest.mark.parametrize("index", range(4))
def test_a_lost_answer_makes_no_twin(desk, index):
    collection = CREATES[index].split()[1]
    desk.emulator.lose_next(match=f"POST /{collection}")
    outcome = desk.ensure(desk.spec())
    assert desk.counts() == dict.fromkeys(KINDS, 1)
    assert {one["kind"] for one in outcome.created} == set(KINDS)


@pytest.mark.parametrize("index", range(1, 4))
def test_a_rollback_removes_what_this_attempt_created_users_first(desk, index):
    desk.ensure(desk.spec(name="another"))
    before = desk.snapshot()
    collection = CREATES[index].split()[1]
    desk.emulator.fail_next(400, match=f"POST /{collection}")
    (failed,) = desk.ensure_all(desk.spec(), rollback_on_failure=True)
    assert isinstance(failed.error, AepApiError)
    deletes = [write for write in desk.writes() if write.startswith("DELETE")]
    assert deletes == [create.replace("POST", "DELETE") for create in CREATES[:index]][::-1]
    assert failed.created == []
    assert desk.snapshot() == before


def test_a_rollback_leaves_what_was_there_before_this_attempt(desk):
    desk.emulator.fail_next(400, match="POST /targetConnections")
    desk.ensure_all(desk.spec())
    before = desk.snapshot()
    assert len(before) == 2
    desk.emulator.fail_next(400, match="POST /flows")
    (failed,) = desk.ensure_all(desk.spec(), rollback_on_failure=True)
    assert failed.error
    assert desk.writes()[-1] == "DELETE targetConnections"
    assert desk.snapshot() == before


def test_a_rollback_that_fails_says_so_and_keeps_the_first_error(desk):
    desk.emulator.fail_next(400, match="POST /targetConnections")
    desk.emulator.fail_next(403, match="DELETE /sourceConnections")
    (failed,) = desk.ensure_all(desk.spec(), rollback_on_failure=True)
    assert "POST /targetConnections" in str(failed.error)
    assert "what this attempt created could not be removed" in failed.warnings[-1]
    assert [one["kind"] for one in failed.created] == KINDS[:2]


def test_without_being_asked_nothing_is_rolled_back(desk):
    desk.emulator.fail_next(503, times=50, match="POST /flows")
    (failed,) = desk.ensure_all(desk.spec())
    assert isinstance(failed.error, AepServerError)
    assert desk.counts() == {**dict.fromkeys(KINDS, 1), "dataflow": 0}


# Two writers


def flat(exchange):
    """An exchange whose branches run one after the other, so that a test can stop between any two steps."""
    ends = None
    while True:
        try:
            step = exchange.send(ends)
            ends = None
            while isinstance(step, Request):
                answer = yield step
                step = exchange.throw(answer) if isinstance(answer, Exception) else exchange.send(answer)
            if isinstance(step, Pause):
                yield step
                continue
            assert isinstance(step, Together)
            ends = []
            for each in step.exchanges:
                try:
                    ends.append(Done((yield from flat(each))))
                except Exception as error:
                    ends.append(error)
        except StopIteration as end:
            return end.value


class Writer:
    """One process that ensures a spec, step by step."""

    def __init__(self, desk, spec, **options):
        self.desk, self.outcome, self.requests, self.ready_at = desk, None, 0, 0.0
        exchange = apply.ensure_exports(
            [spec],
            sandbox="prod",
            now=desk.now,
            logins=desk.logins,
            options=apply.EnsureOptions(**options),
        )
        self.steps = flat(desk.session.conduct(exchange, sandbox="prod"))
        self.waiting = next(self.steps)

    def step(self):
        """One request with its answer, or the end of one pause."""
        answer = None
        if isinstance(self.waiting, Request):
            self.requests += 1
            answer = self.desk.emulator.send(self.waiting)
        try:
            self.waiting = self.steps.send(answer)
            if isinstance(self.waiting, Pause):
                self.ready_at = self.desk.clock() + self.waiting.seconds
        except StopIteration as end:
            (self.outcome,) = end.value


def race(desk, writers, turns):
    """Let writers take turns until all are done; who pauses gives way to whoever does not."""
    turns = iter(turns)
    while going := [one for one in writers if one.outcome is None]:
        able = [one for one in going if not isinstance(one.waiting, Pause) or one.ready_at <= desk.clock()]
        if not able:
            desk.clock.advance(min(one.ready_at for one in going) - desk.clock())
            continue
        able[next(turns, 0) % len(able)].step()


@pytest.mark.parametrize("moving", [False, True], ids=["one moment", "time passes"])
@pytest.mark.parametrize("lead", range(20))
def test_two_writers_make_one_export_whoever_is_how_far_ahead(new_desk, lead, moving):
    """Also where both entities of a kind bear one time of creation: ids say nothing about who was first."""
    for seed, follow in itertools.product((7, 8), (1, 2, 3, 20)):
        desk = new_desk(seed=seed)
        desk.carry_out(desk.session._tokens.valid())
        writers = [Writer(desk, desk.spec()), Writer(desk, desk.spec())]
        turns = itertools.chain([0] * lead, itertools.cycle([1] * follow + [0]))
        if moving:
            turns = (desk.clock.advance(0.01) or turn for turn in turns)
        race(desk, writers, turns)
        assert desk.counts() == dict.fromkeys(KINDS, 1), (seed, follow)
        ids = {kind: desk.all(kind)[0]["id"] for kind in KINDS}
        assert [one.outcome.error for one in writers] == [None, None]
        assert [one.outcome.ids for one in writers] == [ids, ids]
        assert not desk.plan(desk.spec()).changes


def test_whoever_gave_way_says_so(new_desk):
    desk = new_desk()
    writers = [Writer(desk, desk.spec()), Writer(desk, desk.spec())]
    race(desk, writers, (desk.clock.advance(0.01) or turn for turn in itertools.cycle([0, 1])))
    told = [warning for one in writers for warning in one.outcome.warnings]
    for kind in KINDS:
        assert any(f"another writer had created {kind}" in warning for warning in told), kind
    made = [each["id"] for one in writers for each in one.outcome.created]
    assert sorted(made) == sorted(desk.snapshot())  # each entity was created by one of them


def in_turns(desk):
    return (desk.clock.advance(0.01) or turn for turn in itertools.cycle([0, 1]))


def test_whoever_gave_way_plans_anew_as_the_other_may_want_something_else(new_desk):
    desk = new_desk()
    writers = {3: Writer(desk, desk.spec()), 6: Writer(desk, desk.spec(schedule__every="6h"))}
    race(desk, list(writers.values()), in_turns(desk))
    assert [one.outcome.error for one in writers.values()] == [None, None]
    (flow,) = desk.all("dataflow")
    ((hours, gave_way),) = [
        (hours, one) for hours, one in writers.items() if "created dataflow" in " ".join(one.outcome.warnings)
    ]
    assert gave_way.outcome.updated == [{"kind": "dataflow", "id": flow["id"]}]
    assert flow["scheduleParams"]["interval"] == hours


def test_a_base_connection_with_another_login_is_no_twin(new_desk):
    """To take over a login that was never checked could be to export with a wrong one."""
    desk = new_desk()
    other = desk.spec(destination__credentials_conn_id="another")
    race(desk, [Writer(desk, desk.spec()), Writer(desk, other)], in_turns(desk))
    assert desk.counts()["base connection"] == 2
    assert desk.counts()["dataflow"] == 1


class Lingering:
    """A service that goes on listing a dataflow while it is only just being deleted."""

    def __init__(self, desk):
        self.desk, self.gone = desk, []

    def send(self, request):
        if request.method == "DELETE" and request.path.startswith("/flows/"):
            self.gone.append(self.desk.get("dataflow", request.path.split("/")[2]))
        answer = self.desk.emulator.send(request)
        if (request.method, request.path) != ("GET", "/flows"):
            return answer
        body = answer.json
        body["items"] += self.gone
        return Response(answer.status, answer.headers, json.dumps(body).encode())


def test_a_dataflow_that_was_replaced_is_no_twin_while_it_is_still_listed(desk):
    first = desk.ensure(desk.spec())
    desk.transport = Lingering(desk)
    second = desk.ensure(desk.spec(destination=LANDING_ZONE), allow_replace=True)
    (flow,) = desk.all("dataflow")
    assert second.ids["dataflow"] == flow["id"] != first.ids["dataflow"]


def test_no_login_gets_into_what_plans_are_made_from(desk):
    desk.ensure(desk.spec())
    state = desk.carry_out(read_state(datasets=False))
    assert [one["auth"] for one in state.entities["base connection"]] == [None]
    assert "auth" in desk.all("base connection")[0]


def test_a_twin_whose_writer_died_is_taken_over(new_desk):
    """It was created later than ours, and nobody is left to remove it."""
    desk = new_desk()
    dying, going_on = Writer(desk, desk.spec()), Writer(desk, desk.spec())
    for writer in (dying, going_on):
        while str(writer.waiting) != "POST /flows":
            writer.step()
    going_on.step()
    desk.clock.advance(0.01)
    dying.step()
    assert desk.counts()["dataflow"] == 2
    race(desk, [going_on], [])
    assert desk.counts() == dict.fromkeys(KINDS, 1)
    assert not desk.plan(desk.spec()).changes


def race_of_three(new_desk, number, *, moving):
    desk, dice = new_desk(seed=number), random.Random(number)
    turns = iter(lambda: (moving and desk.clock.advance(0.01)) or dice.randrange(6), None)
    writers = [Writer(desk, desk.spec()) for _ in range(3)]
    race(desk, writers, turns)
    return desk, {type(one.outcome.error) for one in writers}


def test_three_writers_in_any_order_make_one_export(new_desk):
    for number in range(100):
        desk, errors = race_of_three(new_desk, number, moving=True)
        # Who looks while there are two dataflows for a moment may say so; nothing else may go wrong.
        assert errors <= {type(None), AepAmbiguousNameError}, number
        assert desk.counts() == dict.fromkeys(KINDS, 1), number
        assert not desk.plan(desk.spec()).changes, number


def test_three_writers_within_one_tick_of_the_clock_may_fail_but_make_no_second_dataflow(new_desk):
    for number in range(100):
        desk, _ = race_of_three(new_desk, number, moving=False)
        desk.ensure(desk.spec())
        assert desk.counts()["dataflow"] == 1, number
        assert not desk.plan(desk.spec()).changes, number


# Many


def two_hundred(desk):
    return [
        desk.spec(name=f"export-{number}", datasets=[{"name": "CRM Profiles"}], sandbox=sandbox)
        for sandbox in ("prod", "dev")
        for number in range(100)
    ]


def by_sandbox(desk, specs, **options):
    outcomes, requests = [], Counter()
    for sandbox in ("prod", "dev"):
        desk.sandbox = sandbox
        some = [spec for spec in specs if spec.sandbox == sandbox]
        outcomes += desk.ensure_all(*some, **options)
        requests.update(f"{each.method} {each.path}" for each in desk.emulator.log)
    return outcomes, requests


def test_two_hundred_exports_cost_four_requests_each_and_then_next_to_none(desk):
    specs = two_hundred(desk)
    outcomes, requests = by_sandbox(desk, specs)
    assert not any(one.error for one in outcomes)
    assert len({one.ids["dataflow"] for one in outcomes}) == 200
    assert requests.total() / 200 <= 4.2
    assert requests["POST /ims/token/v3"] == 1
    # once for each sandbox
    assert [count for path, count in requests.items() if path.startswith("GET /connectionSpecs/4fce")] == [2]
    again, requests = by_sandbox(desk, specs)
    assert not any(one.changed or one.error for one in again)
    assert requests.total() / 200 <= 0.1
    assert not [request for request in requests if not request.startswith("GET")]


class Watched:
    """Notes when each request goes out, and orders trouble after some of them."""

    def __init__(self, desk, after):
        self.desk, self.after, self.sent, self.refused = desk, after, [], []
        self._lock = threading.Lock()

    def send(self, request):
        with self._lock:
            if len(self.sent) == self.after:
                self.desk.emulator.fail_next(429, times=3, retry_after=5)
            began = self.desk.clock()
            self.sent.append(began)
            answer = self.desk.emulator.send(request)
            if answer.status == 429:
                self.refused.append(began)
            return answer


def test_a_busy_service_slows_all_of_them_down_and_none_is_lost(desk):
    desk.transport = watched = Watched(desk, after=150)
    outcomes = desk.ensure_all(*(desk.spec(name=f"export-{number}") for number in range(90)))
    assert not any(one.error for one in outcomes)
    assert desk.counts() == dict.fromkeys(KINDS, 90)
    assert len(watched.refused) == 3
    for moment in watched.refused:
        assert not [sent for sent in watched.sent if moment < sent < moment + 5]
        # Those that were under way already may still arrive.
        assert sum(sent == moment for sent in watched.sent[150:]) <= attempt.AT_MOST


def test_many_exports_share_what_they_can_when_one_of_them_moves(desk):
    specs = [desk.spec(name=f"export-{number}") for number in range(20)]
    desk.ensure_all(*specs)
    specs[7] = desk.spec(name="export-7", schedule__end=desk.in_days(200))
    outcomes = desk.ensure_all(*specs)
    assert [one.spec.name for one in outcomes if one.changed] == ["export-7"]
    assert desk.writes() == ["PATCH flows"]
    assert outcomes[7].updated == [{"kind": "dataflow", "id": outcomes[7].ids["dataflow"]}]
