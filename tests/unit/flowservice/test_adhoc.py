"""Ad hoc runs, against the emulator: in process, and once over HTTP."""

from __future__ import annotations

import json

import pytest

from airflow_provider_aep.emulator.server import LOGIN_PATH, serve
from airflow_provider_aep.errors import (
    AepApiError,
    AepServerError,
    AepTransportError,
    AepUnseenError,
    AepValidationError,
)
from airflow_provider_aep.flowservice.adhoc import run_export
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.exchange import Response
from airflow_provider_aep.flowservice.session import AepCredentials, AepSession
from airflow_provider_aep.flowservice.transport import RequestsTransport
from tools.provisioning import new_dataflow

CRM, LOYALTY = "5ef3e3259ad2a1191ab7dd7d", "5ef3e324ab7dd7d3259a1191"
ADHOC = "/data/core/activation/disflowprovider/adhocrun"
TEN_MINUTES = 600.0


@pytest.fixture
def dataflow_id(run, now) -> str:
    """A young dataflow of two datasets; its schedule begins in a month."""
    start = now.timestamp() + 30 * 86400
    two = new_dataflow("two", now, datasets=[CRM, LOYALTY], path="exports", every="1d", start=start)
    dataflow_id: str = run(two)
    run.emulator.log.clear()
    return dataflow_id


@pytest.fixture
def ready(dataflow_id, clock) -> str:
    """The same, old enough for ad hoc runs."""
    clock.advance(TEN_MINUTES)
    return dataflow_id


@pytest.fixture
def runs(emulator):
    """The ids of all runs that there are."""
    return lambda: [each["id"] for each in emulator.entities("runs")]


def told(found):
    return [(each.dataset_id, each.run_id, each.adopted) for each in found]


def asked(emulator):
    """The datasets of each request for an ad hoc run."""
    bodies = [each.body["activationInfo"]["destinations"] for each in emulator.requests("POST", ADHOC)]
    return [[item["id"] for item in one["datasets"]] for (one,) in bodies]


def test_all_datasets_of_a_dataflow_are_exported_with_one_request(run, emulator, ready, runs):
    found = run(run_export(ready, ready_within=0))
    assert told(found) == [(CRM, runs()[0], False), (LOYALTY, runs()[1], False)]
    (request,) = emulator.requests("POST", ADHOC)
    assert request.body == {
        "activationInfo": {
            "destinations": [{"flowId": ready, "datasets": [{"id": CRM}, {"id": LOYALTY}]}],
        }
    }
    assert run.pauses == []


def test_some_datasets_can_be_named_by_id_or_as_they_were_listed(run, emulator, ready):
    listed = {"id": LOYALTY, "name": "Loyalty"}
    assert [each.dataset_id for each in run(run_export(ready, [listed], ready_within=0))] == [LOYALTY]
    assert [each.dataset_id for each in run(run_export(ready, [CRM, CRM], ready_within=0))] == [CRM]
    assert asked(emulator) == [[LOYALTY], [CRM]]


def test_a_dataset_that_the_dataflow_does_not_export_is_refused_before_anything_starts(run, emulator, ready):
    with pytest.raises(AepValidationError) as caught:
        run(run_export(ready, [CRM, "6501aa10c2d3e4f5061728a1"], ready_within=0))
    assert [each.pointer for each in caught.value.problems] == ["datasets/1"]
    assert emulator.requests("POST", ADHOC) == []


@pytest.mark.parametrize("datasets", [[], CRM, ["a/b"], [None], [{"name": "CRM"}], {"id": CRM}])
def test_what_is_no_list_of_ids_is_refused_before_anything_is_sent(run, emulator, ready, datasets):
    with pytest.raises(AepValidationError, match="datasets"):
        run(run_export(ready, datasets, ready_within=0))
    assert emulator.log == []


def test_a_new_dataflow_is_asked_every_minute_until_it_is_ready(run, emulator, dataflow_id, runs):
    found = run(run_export(dataflow_id, ready_within=900))
    assert run.pauses == [60.0] * 10
    assert [each.run_id for each in found] == runs()


def test_the_wait_for_a_new_dataflow_has_an_end_that_says_how_long_it_was(run, emulator, dataflow_id, runs):
    with pytest.raises(AepApiError, match=r"not ready.*Waited 2 minutes 30 seconds") as caught:
        run(run_export(dataflow_id, ready_within=150))
    assert run.pauses == [60.0, 60.0, 30.0]
    assert (caught.value.status, runs()) == (400, [])


def test_not_to_wait_at_all_is_possible(run, dataflow_id):
    with pytest.raises(AepApiError, match="Waited 0 seconds"):
        run(run_export(dataflow_id, ready_within=0))
    assert run.pauses == []


def test_a_run_that_goes_on_already_is_adopted(run, emulator, ready, runs):
    (first,) = run(run_export(ready, [CRM], ready_within=0))
    (again,) = run(run_export(ready, [CRM], ready_within=0))
    assert told([again]) == [(CRM, first.run_id, True)]
    assert runs() == [first.run_id]


def test_the_datasets_that_are_not_under_way_are_started_beside_those_that_are(run, emulator, ready, runs):
    (first,) = run(run_export(ready, [LOYALTY], ready_within=0))
    found = run(run_export(ready, ready_within=0))
    assert told(found) == [(CRM, runs()[1], False), (LOYALTY, first.run_id, True)]
    assert asked(emulator)[1:] == [[CRM, LOYALTY], [CRM], [LOYALTY]]


def test_a_retry_while_the_runs_last_starts_nothing_anew(run, ready, runs):
    first = run(run_export(ready, ready_within=0))
    again = run(run_export(ready, ready_within=0))
    assert told(again) == [(each.dataset_id, each.run_id, True) for each in first]
    assert len(runs()) == 2


def test_a_service_with_one_run_at_a_time_is_waited_for_and_no_run_counts_twice(run, emulator, ready, clock):
    """Whether "already going on" is said of the dataset or of its dataflow is not documented."""

    class OneAtATime:
        def __init__(self):
            self.clock = clock

        def send(self, request):
            underway = [run for run in emulator.entities("runs") if "sizeSummary" not in run["metrics"]]
            if request.path == ADHOC and underway:
                words = f"A run already going on for flow {ready} with run id {underway[0]['id']}"
                return Response(400, body=json.dumps({"message": words}).encode())
            return emulator.send(request)

    scheduled = emulator.run_now(ready)
    run.emulator = OneAtATime()
    # Another's run of all goes on at the first request, and is over at the second.
    answers = iter([lambda: None, lambda: clock.advance(3600)])
    whole = run.emulator.send

    def send(request):
        if request.path == ADHOC:
            next(answers, lambda: None)()
        return whole(request)

    run.emulator.send = send
    found = run(run_export(ready, ready_within=900))
    assert [each.dataset_id for each in found] == [CRM, LOYALTY]
    assert len({each.run_id for each in found} | set(scheduled)) == 3
    assert not any(each.adopted for each in found)
    assert set(run.pauses) == {60.0}


def test_a_destination_without_ad_hoc_runs_is_told_at_once(run, emulator, ready):
    words = f"Following order ID(s) failed: Adhoc run can not be executed for Flow spec={CRM}"
    emulator.fail_next(400, match=ADHOC, body={"message": words})
    with pytest.raises(AepApiError, match="has not enabled ad hoc runs for this destination"):
        run(run_export(ready, ready_within=900))
    assert run.pauses == []
    assert len(emulator.requests("POST", ADHOC)) == 1


@pytest.mark.parametrize("status", [400, 403, 404])
def test_any_other_refusal_rises_as_it_is(run, emulator, ready, status):
    emulator.fail_next(status, match=ADHOC, body={"message": "The dataflow is not enabled"})
    with pytest.raises(AepApiError, match="is not enabled"):
        run(run_export(ready, ready_within=900))
    assert (run.pauses, len(emulator.requests("POST", ADHOC))) == ([], 1)


# Lost answers


@pytest.mark.parametrize(("datasets", "named"), [([CRM], CRM), (None, None)], ids=["one", "several"])
def test_runs_whose_answer_is_lost_are_found_and_adopted(run, emulator, ready, runs, datasets, named):
    emulator.run_now(ready)  # an older run is not taken for them
    before = runs()
    emulator.script_runs(None, ["zero"])
    clock_moves(emulator)
    emulator.lose_next(match=ADHOC)
    found = run(run_export(ready, datasets, ready_within=0))
    new = [each for each in runs() if each not in before]
    assert sorted(each.run_id for each in found) == sorted(new)
    assert {(each.dataset_id, each.adopted) for each in found} == {(named, True)}
    assert len(emulator.requests("POST", ADHOC)) == 1
    assert run.pauses == [5.0]


def clock_moves(emulator):
    """The runs that are there are over."""
    emulator.clock.advance(3600)


@pytest.mark.parametrize("trouble", ["drop", "503"])
def test_a_request_that_started_nothing_is_sent_again(run, emulator, ready, runs, trouble):
    if trouble == "drop":
        emulator.drop_next(match=ADHOC)
    else:
        emulator.fail_next(503, match=ADHOC)
    found = run(run_export(ready, ready_within=0))
    assert told(found) == [(CRM, runs()[0], False), (LOYALTY, runs()[1], False)]
    assert run.pauses == [5.0, 10.0, 20.0, 30.0]  # no run was listed for as long as a listing may lag


@pytest.mark.parametrize(
    ("world", "words"),
    [("created-listed-after-90s", "was started twice"), ("runs-listed-after-10m", "it is unknown whether")],
)
def test_an_export_that_may_have_been_started_twice_is_told(run, emulator, ready, runs, world, words):
    emulator.enter(world)
    emulator.script_runs(None, ["zero"])  # over at once, so that a second request is not refused
    emulator.lose_next(match=ADHOC)
    with pytest.raises(AepUnseenError, match=words) as told:
        run(run_export(ready, [CRM], ready_within=0))
    assert set(told.value.ids) <= {each["id"] for each in emulator._world.entities.all("runs", "prod")}
    assert len(emulator.requests("POST", ADHOC)) == 2


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"destinations": "text"},
        {"destinations": [{"datasets": [{"id": CRM}]}]},
        {"destinations": [{"datasets": [{"id": CRM, "statusURL": "https://x/runs/r-1"}]}]},
    ],
)
def test_an_answer_that_does_not_name_all_runs_is_as_good_as_lost(run, emulator, ready, runs, body):
    class Garbling:
        clock = emulator.clock

        def send(self, request):
            real = emulator.send(request)
            garbled = Response(200, body=json.dumps(body).encode())
            return garbled if request.path == ADHOC else real

    run.emulator = Garbling()
    found = run(run_export(ready, ready_within=0))
    assert sorted(each.run_id for each in found) == sorted(runs())
    assert len(emulator.requests("POST", ADHOC)) == 1


@pytest.mark.parametrize("order", ["drop", "503"])
def test_three_unknown_outcomes_are_enough(run, emulator, ready, runs, order):
    if order == "drop":
        emulator.drop_next(times=9, match=ADHOC)
    else:
        emulator.fail_next(503, times=9, match=ADHOC)
    with pytest.raises((AepTransportError, AepServerError)):
        run(run_export(ready, ready_within=0))
    assert (len(emulator.requests("POST", ADHOC)), runs()) == (3, [])


def test_a_service_that_cannot_be_reached_is_not_asked_for_runs_again(run, emulator, ready):
    emulator.reset_next(times=99, match=ADHOC)
    with pytest.raises(AepTransportError):
        run(run_export(ready, ready_within=0))
    assert len(emulator.requests("GET", "/runs")) == 1


def test_runs_that_are_listed_late_are_looked_for_a_little_longer(run, emulator, ready, runs):
    class SlowList:
        clock = emulator.clock
        hidden = 1

        def send(self, request):
            answer = emulator.send(request)
            if request.path == "/runs" and len(answer.json["items"]) == 2 and self.hidden:
                self.hidden -= 1
                return Response(200, body=json.dumps({"items": answer.json["items"][:1]}).encode())
            return answer

    emulator.lose_next(match=ADHOC)
    run.emulator = SlowList()
    found = run(run_export(ready, ready_within=0))
    assert sorted(each.run_id for each in found) == sorted(runs())
    assert run.pauses == [5.0, 10.0]


def test_a_status_url_may_have_a_blank_in_it(run, emulator, ready):
    url = "https://platform.adobe.io/data/foundation/flowservice/runs/ 3f1c7f8e-0b7d-4a55-8a5e-1d1f2a3b4c5d "
    item = {"id": CRM, "flowId": ready, "statusURL": url}
    emulator.fail_next(200, match=ADHOC, body={"destinations": [{"datasets": [item]}]})
    (found,) = run(run_export(ready, [CRM], ready_within=0))
    assert found.run_id == "3f1c7f8e-0b7d-4a55-8a5e-1d1f2a3b4c5d"


def test_a_dataflow_without_datasets_is_told(run, emulator, ready):
    emulator.fail_next(200, match="GET /sourceConnections", body={"items": [{"id": "s"}]})
    with pytest.raises(AepValidationError, match="without datasets"):
        run(run_export(ready, ready_within=0))


# Over HTTP: the service next door has another path on the same host


def test_an_ad_hoc_run_reaches_its_own_service_over_http(ready, emulator, runs):
    with serve(emulator) as url:
        credentials = AepCredentials(
            client_id=emulator.client_id,
            client_secret=emulator.client_secret,
            org_id=emulator.org_id,
            token_url=url + LOGIN_PATH,
        )
        session = AepSession(credentials)
        exchange = session.conduct(run_export(ready, ready_within=0), sandbox="prod")
        found = drive(exchange, RequestsTransport(url))
    assert [each.run_id for each in found] == runs()
    assert {each.path for each in emulator.requests("POST", "*adhoc*")} == {ADHOC}
