"""Ensures and deletions against a service that does odd things nobody has listed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from airflow_provider_aep.errors import AepUnseenError
from airflow_provider_aep.flowservice.dataflows import delete_dataflow
from airflow_provider_aep.flowservice.exchange import Request, Response

LISTED = ("/flows", "/connections", "/sourceConnections", "/targetConnections")


class Between:
    """Stands between us and the emulator.

    :param change: given request and answer, the answer that is handed on.
    :param instead: given a request, an answer in place of the emulator's, or ``None``.
    """

    def __init__(self, emulator, *, change=lambda request, answer: answer, instead=lambda request: None):
        self.emulator, self.change, self.instead = emulator, change, instead
        self.sent = 0

    def send(self, request: Request) -> Response:
        self.sent += 1
        assert self.sent < 5000, "a storm of requests"
        answer = self.instead(request)
        return answer if answer is not None else self.change(request, self.emulator.send(request))


def said(body, status=200):
    return Response(status, {"content-type": "application/json"}, json.dumps(body).encode())


def edited(answer: Response, edit: Callable) -> Response:
    body = answer.json
    if answer.status >= 300 or not isinstance(body, dict):
        return answer
    items = body.get("items") if "items" in body else None
    if items is None:
        return answer
    return said({**body, "items": [edit(dict(each)) for each in items]})


def spelled(request, answer):
    """Paths come back in other words than they were sent in."""

    def edit(one):
        params = one.get("params")
        if isinstance(params, dict) and "path" in params:
            one["params"] = {**params, "path": f"s3://acme/{params['path']}"}
        return one

    return edited(answer, edit) if request.method == "GET" else answer


# What is accepted, and not done


@pytest.mark.parametrize("path", ["elsewhere", "AEP/crm", "aep/crm/more", "aep"])
def test_a_change_that_is_accepted_and_not_made_is_an_error_however_often_it_is_ensured(desk, path):
    desk.ensure(desk.spec())

    def ignored(request):
        if request.method == "PATCH" and request.path.startswith("/targetConnections/"):
            return said({"id": request.path.rpartition("/")[2], "etag": '"1"'})
        return None

    desk.transport = Between(desk.emulator, instead=ignored)
    for _ in range(2):
        (outcome,) = desk.ensure_all(desk.spec(destination__params__path=path))
        assert isinstance(outcome.error, AepUnseenError)
        assert "accepted another path" in str(outcome.error)
        assert outcome.error.ids == (outcome.ids["target connection"],)


def test_a_schedule_of_which_the_change_is_left_out_is_no_spelling(desk):
    desk.ensure(desk.spec())

    def without_schedule(request):
        if request.method == "PATCH" and request.path.startswith("/flows/"):
            rest = [one for one in request.json if one["path"] != "/scheduleParams"]
            return desk.emulator.send(replace(request, json=rest))
        return None

    desk.transport = Between(desk.emulator, instead=without_schedule)
    for _ in range(2):
        (outcome,) = desk.ensure_all(desk.spec(schedule__every="1d"))
        assert isinstance(outcome.error, AepUnseenError)
        assert "schedule.every" in str(outcome.error)
    desk.transport = None
    assert desk.ensure(desk.spec(schedule__every="1d")).updated


def test_a_change_that_a_read_by_id_shows_late_is_waited_for(desk):
    desk.ensure(desk.spec())
    desk.emulator.enter("changes-readable-after-30s")
    outcome = desk.ensure(desk.spec(schedule__every="1d"))
    assert not outcome.warnings
    assert not desk.plan(desk.spec(schedule__every="1d")).changes


# What the service tells in other words


def test_a_spelling_that_cannot_be_written_down_stops_no_export(desk):
    first = []

    def refused(request):
        if request.method == "PATCH" and request.path.startswith("/targetConnections/"):
            first.append(request.path)
            if request.path == first[0]:
                return said({"status": 403, "title": "no"}, 403)
        return None

    desk.transport = Between(desk.emulator, instead=refused, change=spelled)
    outcomes = desk.ensure_all(*[desk.spec(name=f"crm-{n}") for n in range(5)], rollback_on_failure=True)
    assert not any(one.error for one in outcomes)
    assert desk.counts()["dataflow"] == 5
    assert ["could not be recorded" in " ".join(one.warnings) for one in outcomes].count(True) == 1


def test_one_dataflow_that_cannot_be_switched_on_leaves_the_others_alone(new_desk):
    desk, first = new_desk(worlds=["new-flows-start-disabled"]), []

    def refused(request):
        if request.method == "POST" and request.path.endswith("/action"):
            first.append(request.path)
            if request.path == first[0]:
                return said({"status": 403, "title": "no"}, 403)
        return None

    desk.transport = Between(desk.emulator, instead=refused)
    outcomes = desk.ensure_all(*[desk.spec(name=f"crm-{n}") for n in range(3)])
    assert [bool(one.error) for one in outcomes].count(True) == 1


def test_a_spelling_is_accepted_where_filters_find_nothing(desk):
    def world(request, answer):
        several = any(name == "property" and "," in value for name, value in request.query)
        if request.method == "GET" and request.path in LISTED and several:
            return said({"items": []})
        return spelled(request, answer)

    desk.transport = Between(desk.emulator, change=world)
    for spec in (desk.spec(), desk.spec(destination__params__path="elsewhere")):
        desk.ensure(spec)
        assert desk.ensure(spec).changed is False


def test_a_spelling_costs_no_wait_where_listings_have_no_etags(desk):
    def world(request, answer):
        answer = spelled(request, answer)
        if request.method == "GET" and request.path in LISTED:
            return edited(answer, lambda one: {key: one[key] for key in one if key != "etag"})
        return answer

    desk.transport = Between(desk.emulator, change=world)
    specs = [desk.spec(name=f"crm-{n}") for n in range(10)]
    desk.ensure_all(*specs)
    assert not desk.pauses
    assert not any(one.changed for one in desk.ensure_all(*specs))


# Deleting


def test_deleting_what_somebody_else_has_deleted_and_is_still_listed_ends(desk):
    flow = desk.get("dataflow", desk.ensure(desk.spec()).ids["dataflow"])
    desk.send("DELETE", f"/flows/{flow['id']}")

    def still_listed(request, answer):
        if request.method == "GET" and request.path == "/flows":
            return said({**answer.json, "items": [*answer.json.get("items", []), flow]})
        return answer

    desk.transport = Between(desk.emulator, change=still_listed)
    with pytest.raises(AepUnseenError, match="still lists it"):
        desk.delete()
    assert desk.counts() == {
        "base connection": 1,
        "source connection": 0,
        "target connection": 0,
        "dataflow": 0,
    }
    assert sum(desk.pauses) == 65


def test_a_dataflow_is_deleted_where_the_filter_by_id_is_refused(desk):
    flow = desk.ensure(desk.spec()).ids["dataflow"]

    def refused(request):
        if request.method == "GET" and any(name == "property" for name, _ in request.query):
            return said({"status": 400, "title": "no"}, 400)
        return None

    desk.transport = Between(desk.emulator, instead=refused)
    assert desk.carry_out(delete_dataflow(flow)) is True


# Paging


@pytest.mark.parametrize("word", ["start", "page", "token"])
def test_a_next_page_in_other_words_is_read_too(desk, word):
    specs = [desk.spec(name=f"crm-{n}") for n in range(6)]
    desk.ensure_all(*specs)

    def pages_of_four(request):
        if request.method != "GET" or request.path not in LISTED:
            return None
        ours = [(name, value) for name, value in request.query if name != word]
        items = desk.emulator.send(replace(request, params=ours)).json["items"]
        start = int(dict(request.query).get(word, 0))
        body = {"items": items[start : start + 4]}
        if len(items) > start + 4:
            body["_links"] = {"next": {"href": f"{request.path}?limit=4&{word}={start + 4}"}}
        return said(body)

    desk.transport = Between(desk.emulator, instead=pages_of_four)
    assert not any(one.changed or one.error for one in desk.ensure_all(*specs))
    assert desk.counts()["dataflow"] == 6


def test_an_attempt_that_died_before_it_saw_the_spelling_is_finished(desk):
    def dies(request):
        if request.method == "POST" and request.path == "/flows":
            return said({"status": 403, "title": "no"}, 403)
        return None

    desk.transport = Between(desk.emulator, instead=dies)
    desk.ensure_all(desk.spec())
    desk.transport = Between(desk.emulator, change=spelled)
    desk.ensure(desk.spec())
    assert not desk.ensure(desk.spec()).changed
