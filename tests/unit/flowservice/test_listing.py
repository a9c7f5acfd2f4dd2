"""A listing is looked at before it is believed: its filter, its order, its pages, and what it refuses."""

from __future__ import annotations

import json
import logging

import pytest

from airflow_provider_aep.errors import AepApiError, AepError
from airflow_provider_aep.flowservice.datasets import list_datasets
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.exchange import Response
from airflow_provider_aep.flowservice.listing import Only, list_entities, only
from airflow_provider_aep.flowservice.runs import list_runs


@pytest.fixture
def three(make_dataflow, emulator, clock):
    """Three dataflows, made a minute apart."""
    made = []
    for name in ("first", "second", "third"):
        made.append(make_dataflow(name))
        clock.advance(60)
    emulator.log.clear()
    return made


def names(found):
    return [each["name"] for each in found]


def queries(emulator):
    return [dict(request.query) for request in emulator.log if request.path == "/flows"]


def refusal(number):
    return {"type": f"https://ns.adobe.com/aep/errors/FLOW-{number}-400", "title": "refused", "status": 400}


# Filters


def test_what_does_not_fit_the_filter_is_left_out_whatever_the_service_answers(run, emulator, three):
    emulator.enter("filters-ignored")
    assert names(run(list_entities("/flows", only("name", "second")))) == ["second"]


def test_a_value_that_means_something_in_a_filter_is_picked_here(run, emulator, make_dataflow):
    make_dataflow("one, two")
    make_dataflow("two")
    emulator.log.clear()
    assert names(run(list_entities("/flows", only("name", "one, two")))) == ["one, two"]
    assert "property" not in queries(emulator)[0]


@pytest.mark.parametrize(
    ("document", "fits"),
    [
        ({"flowSpec": {"id": "a"}}, True),
        ({"flowSpec": {"id": "A"}}, True),
        ({"flowSpec": {"id": "c"}}, False),
        ({"flowSpec": {"id": None}}, True),
        ({"flowSpec": "a"}, True),
        ({}, True),
    ],
)
def test_an_entity_fits_by_what_it_tells_and_where_it_tells_nothing(document, fits):
    assert Only("flowSpec.id", ("a", "b")).fits(document) is fits


def test_a_path_leads_through_arrays():
    narrowed = only("targetConnectionIds[]", "t2")
    assert narrowed.fits({"targetConnectionIds": ["t1", "t2"]})
    assert not narrowed.fits({"targetConnectionIds": ["t1"]})


# Order


@pytest.mark.parametrize("world", ["orderby-ignored", "listings-unordered"])
def test_runs_that_do_not_come_newest_first_are_read_to_the_end(run, emulator, clock, now, three, world):
    clock.advance(30 * 3600)
    flow = three[0]
    expected = [each.id for each in run(list_runs(flow, page_size=6))]
    emulator.enter(world)
    recently = now.fromtimestamp(clock() - 4 * 3600, tz=now.tzinfo)
    found = run(list_runs(flow, started_after=recently, page_size=6))
    assert [each.id for each in found] == expected[: len(found)]
    assert len(found) in (1, 2)


def test_runs_that_come_newest_first_are_read_no_further_than_needed(run, emulator, clock, now, three):
    clock.advance(20 * 3600)
    emulator.tick()
    emulator.log.clear()
    run(list_runs(three[0], started_after=now.fromtimestamp(clock() - 3600, tz=now.tzinfo), page_size=3))
    assert len(emulator.log) == 1


def test_neighbours_in_the_wrong_order_are_no_disorder():
    class Pages:
        asked = 0

        def send(self, request):
            self.asked += 1
            items = [
                {"id": str(at), "createdAt": moment} for at, moment in enumerate((300_000, 340_000, 90_000))
            ]
            items = [{**each, "createdAt": 1_700_000_000_000 + each["createdAt"]} for each in items]
            links = {"next": {"href": f"/runs?continuationToken={self.asked}"}}
            return Response(200, body=json.dumps({"items": items, "_links": links}).encode())

    pages = Pages()
    drive(list_entities("/runs", newest_first=True, enough=lambda found: True), pages)
    assert pages.asked == 1


# What is refused


def test_a_refused_filter_is_asked_once_more_and_then_without_it_for_an_hour(
    run, emulator, clock, three, caplog
):
    emulator.fail_next(400, times=2, match="GET /flows", body=refusal(1449))
    with caplog.at_level(logging.WARNING):
        assert names(run(list_entities("/flows", only("name", "second")))) == ["second"]
        assert [("property" in each) for each in queries(emulator)] == [True, True, False]
        emulator.log.clear()
        assert names(run(list_entities("/flows", only("name", "third")))) == ["third"]
    assert [("property" in each) for each in queries(emulator)] == [False]
    assert sum("refuses 'property'" in record.message for record in caplog.records) == 1
    clock.advance(3700)
    emulator.log.clear()
    run(list_entities("/flows", only("name", "third")))
    assert "property" in queries(emulator)[0]


def test_a_refused_filter_is_tried_again_after_an_hour_by_those_who_list_each_minute(
    run, emulator, clock, three
):
    emulator.fail_next(400, times=2, match="GET /flows", body=refusal(1449))
    run(list_entities("/flows", only("name", "second")))
    emulator.log.clear()
    for _ in range(61):
        clock.advance(60)
        run(list_entities("/flows", only("name", "second")))
    asked = [("property" in each) for each in queries(emulator)]
    assert asked == [False] * 59 + [True] * 2


def test_a_filter_that_was_refused_once_is_still_used(run, emulator, three):
    emulator.fail_next(400, match="GET /flows", body=refusal(1449))
    run(list_entities("/flows", only("name", "second")))
    run(list_entities("/flows", only("name", "second")))
    assert all("property" in each for each in queries(emulator))


@pytest.mark.parametrize("world", ["orderby-refused", "limit-above-20-refused"])
def test_an_order_or_a_limit_that_is_refused_is_left_out(run, emulator, three, world):
    emulator.enter(world)
    found = run(list_entities("/flows", newest_first=True))
    assert names(found) == ["third", "second", "first"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, refusal(2105)),
        (400, {"error_code": "400003", "message": "Missing header"}),
        (403, None),
        (404, None),
    ],
)
def test_a_refusal_of_something_else_rises_at_once(run, emulator, three, status, body):
    emulator.fail_next(status, times=9, match="GET /flows", body=body)
    with pytest.raises(AepApiError):
        run(list_entities("/flows", only("name", "second"), newest_first=True))
    assert len(queries(emulator)) == 1


def test_a_list_that_is_refused_rises_where_the_caller_asks_otherwise(run, emulator, three):
    emulator.fail_next(400, times=9, match="GET /flows", body=refusal(1443))
    with pytest.raises(AepApiError):
        run(list_entities("/flows", only("id", *three), or_all=False))


# Pages


class Endless:
    """Pages without an end: empty ones, or the same one under ever new tokens."""

    def __init__(self, items):
        self.items, self.asked = items, 0

    def send(self, request):
        self.asked += 1
        links = {"next": {"href": f"/flows?continuationToken={self.asked}"}}
        return Response(200, body=json.dumps({"items": self.items, "_links": links}).encode())


@pytest.mark.parametrize("items", [[], [{"id": "1"}]])
def test_pages_that_bring_nothing_new_for_ever_are_an_error(items):
    pages = Endless(items)
    with pytest.raises(AepError, match="brought nothing new"):
        drive(list_entities("/flows"), pages)
    assert pages.asked < 60


class EverNew(Endless):
    """Ever new tokens, and ever new entities."""

    def __init__(self):
        super().__init__([])

    def send(self, request):
        self.items = [{"id": str(self.asked)}]
        answer = super().send(request)
        return Response(200, body=json.dumps({**answer.json, "pageInfo": {"hasNext": True}}).encode())


@pytest.mark.parametrize("listing", [lambda: list_entities("/flows"), list_datasets], ids=["token", "offset"])
def test_a_listing_without_an_end_is_an_error(listing):
    pages = EverNew()
    with pytest.raises(AepError, match=r"GET /\S+: the listing has no end after 2000 pages"):
        drive(listing(), pages)
    assert pages.asked == 2000


def test_an_empty_page_in_the_middle_is_not_the_end():
    bodies = [
        {"items": [{"id": "1"}], "_links": {"next": {"href": "/flows?continuationToken=a"}}},
        {"items": [], "_links": {"next": {"href": "/flows?continuationToken=b"}}},
        {"items": [{"id": "2"}], "_links": {}},
    ]

    class Pages:
        def send(self, request):
            return Response(200, body=json.dumps(bodies.pop(0)).encode())

    assert [each["id"] for each in drive(list_entities("/flows"), Pages())] == ["1", "2"]
