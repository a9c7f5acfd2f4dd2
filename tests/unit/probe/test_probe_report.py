"""What a probe tells: nothing that would be a secret, and an exit code that can be relied on."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from airflow_provider_aep.errors import AepError
from airflow_provider_aep.flowservice.destinations import S3
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.exchange import Response
from airflow_provider_aep.probe.asking import Listing, Page
from airflow_provider_aep.probe.assumption import Assumption, Result
from airflow_provider_aep.probe.documents import judge_logins
from airflow_provider_aep.probe.report import examine, exit_code, lines_of, to_json
from airflow_provider_aep.probe.sample import Sample
from airflow_provider_aep.probe.table import ASSUMPTIONS
from airflow_provider_aep.probe.words import Seen, words_of
from tests.unit.probe.page import PAGE, table_of_a_run
from tests.unit.probe.sandbox import DESCRIPTION, NAME, SECRET, make_place

KINDS = ("flows", "connections", "sourceConnections", "targetConnections", "runs")


@pytest.fixture
def place():
    return make_place(sandboxes=("prod", "dev", "zanzibarbox"))


def told(results):
    results = list(results.values()) if isinstance(results, dict) else results
    document = json.dumps(to_json(results, version="0", wrote=True))
    return "\n".join([document, *(line for one in results for line in lines_of(one))])


def recognizable(place):
    """What must never be told."""
    emulator = place.emulator
    documents = [one for kind in KINDS for one in emulator.entities(kind, place.sandbox)]
    ids = [value for one in documents for value in (one["id"], one["etag"], one["sandboxId"])]
    datasets = [value for one in emulator.datasets(place.sandbox) for value in (one.id, one.name)]
    return {
        *map(str.lower, [*ids, *datasets, NAME, DESCRIPTION, SECRET]),
        *(text.lower() for text in (emulator.org_id, emulator.client_secret, emulator.client_id)),
        "akiazanzibar",
        "aep-probe-",
    }


@pytest.mark.parametrize(
    "world",
    [
        None,
        "filters-ignored",
        "descriptions-not-kept",
        "extra-members",
        "names-upper-case",
        "labels-refuse-sources",
    ],
)
def test_a_report_holds_no_name_no_id_and_no_secret(place, world):
    if world:
        place.emulator.enter(world)
    text = told(place.look(write=True)).lower()
    secrets = recognizable(place)
    assert len(secrets) > 200
    assert [each for each in secrets if each in text] == []


def test_what_the_service_says_in_a_refusal_is_not_told(place):
    place.emulator.fail_next(
        403,
        times=400,
        match="GET /runs",
        body={
            "type": f"https://ns.adobe.com/aep/errors/{NAME}",
            "detail": f"{NAME} may not see {DESCRIPTION}",
        },
    )
    text = told(place.look())
    assert "answered with 403" in text
    assert NAME not in text


def test_a_status_that_is_no_word_is_not_told(place):
    for run in place.emulator._world.entities.all("runs", "dev"):
        run["metrics"]["statusSummary"]["status"] = f"done for {NAME}: see mail"
    results = place.look()
    assert results["status of runs"].seen == Seen("error", "words seen: (another text)")
    assert NAME not in told(results)


def test_without_writing_only_gets_are_sent(place):
    place.emulator.log.clear()
    results = place.look()
    sent = [record for record in place.emulator.log if "/ims/" not in record.path]
    assert {record.method for record in sent} == {"GET"}
    assert not any(one.assumption.writes for one in results.values())
    assert 40 < len(sent) < 200


def test_an_empty_sandbox_can_tell_little_and_says_what_is_needed(place):
    place.sandbox = "zanzibarbox"
    results = place.look()
    untold = [one for one in results.values() if one.seen.level == "not told"]
    assert len(untold) > 25
    assert all(one.seen.words.startswith("needs ") for one in untold)
    assert exit_code(list(results.values())) == 0


def test_a_service_that_lists_nothing_is_an_error_and_no_report(place):
    place.emulator.fail_next(403, times=400)
    with pytest.raises(AepError):
        place.look()


HOSTILE = [
    {"items": [1, None, "x", {"id": {}}, {"id": "a", "name": 7, "createdAt": "soon", "metrics": []}]},
    {
        "items": [{"id": "a", "flowSpec": 1, "scheduleParams": [1], "params": "x", "inheritedAttributes": 3}]
        * 4
    },
    {"items": {"id": "a"}, "_links": {"next": [1]}},
    {"items": [{"id": "a", "createdAt": 1e400}], "_links": {"next": {"href": "/flows?continuationToken=a"}}},
    {},
    {"count": "many", "items": None, "pageInfo": 3},
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_odd_answers_are_rows_and_no_crash(place, body):
    class Odd:
        def send(self, request):
            if request.form is not None:
                return place.emulator.send(request)
            return Response(200, {}, json.dumps(body).encode())

    results = drive(
        place.session.conduct(examine("dev", clock=place.now), sandbox="dev"), Odd(), lambda seconds: None
    )
    assert len(results) == sum(not one.writes for one in ASSUMPTIONS)


def result(level):
    return Result(
        Assumption(name="x", documents="", source="", provider="", look=lambda sample: iter(())),
        Seen(level, ""),
    )


@pytest.mark.parametrize(
    ("levels", "code"),
    [
        ([], 0),
        (["as assumed"], 0),
        (["as assumed", "differs", "not told"], 0),
        (["as assumed", "differs", "error"], 1),
    ],
)
def test_only_what_ends_in_an_error_or_is_not_noticed_changes_the_exit_code(levels, code):
    assert exit_code([result(level) for level in levels]) == code


def test_each_row_says_what_the_documents_say_and_what_the_provider_does():
    names = [one.name for one in ASSUMPTIONS]
    assert len(set(names)) == len(names)
    for one in ASSUMPTIONS:
        assert all((one.documents, one.source, one.provider)), one.name


def test_an_error_without_a_code_of_adobes_form_is_told_by_its_status():
    class Odd(AepError):
        pass

    assert words_of(Odd("secret")) == "ended with Odd"


def test_the_table_in_the_docs_is_what_a_run_against_the_emulator_tells():
    assert table_of_a_run() in PAGE.read_text()


@pytest.mark.parametrize(
    ("params", "level"),
    [
        ({"connectionString": "****"}, "as assumed"),
        ({"connectionString": "AccountName=acme;AccountKey=made up"}, "differs"),
        (
            {"s3AccessKey": "<hidden>", "s3SecretKey": "<hidden>", "authorizedDate": "2026-11-29"},
            "as assumed",
        ),
        ({"s3AccessKey": "AKIA2345ABCDEFGH2345", "s3SecretKey": "****"}, "differs"),
        ({}, "as assumed"),
    ],
)
def test_a_login_is_masked_where_its_values_are_one_placeholder(params, level):
    spec = {"id": S3.connection_spec_id, "version": "1.0"}
    base = {"id": "a", "connectionSpec": spec, "auth": {"specName": "any", "params": params}}
    page = Page(body={}, items=[base], link=None, token=None)
    sample = Sample(sandbox="dev", now=datetime.now(UTC), kinds={"connections": Listing(pages=[page])})
    assert judge_logins(sample).level == level
