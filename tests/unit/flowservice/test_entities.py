from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlencode

import pytest

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.errors import (
    AepAmbiguousNameError,
    AepApiError,
    AepConflictError,
    AepError,
    AepNotFoundError,
    AepPreconditionError,
    AepServerError,
    AepTransportError,
    AepValidationError,
)
from airflow_provider_aep.flowservice.creation import create_entity, differences
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.entities import delete_entity, get_entity, patch_entity
from airflow_provider_aep.flowservice.exchange import Response
from airflow_provider_aep.flowservice.listing import list_entities, only

DLZ = {"id": "10440537-2a7b-4583-ac39-ed38d4b848e8", "version": "1.0"}
MARKER = "dag/task/2026-12-01"


def base(name="crm", **more):
    return {"name": name, "connectionSpec": DLZ, **more}


def create(document, **options):
    return create_entity("connections", document, **{"marker": MARKER, **options})


@pytest.fixture
def kept(emulator):
    """The base connections that exist in the end."""
    return lambda: emulator.entities("connections")


# Listing


def test_a_listing_is_read_to_its_end_page_by_page(emulator, run):
    for number in range(7):
        run(create(base(f"c{number}")))
    emulator.log.clear()
    found = run(list_entities("/connections", page_size=3))
    assert sorted(each["name"] for each in found) == [f"c{number}" for number in range(7)]
    assert len(emulator.requests("GET", "/connections")) == 3


def test_filters_order_and_limit_go_with_every_page(emulator, run):
    for number in range(5):
        run(create(base(f"c{number}")))
    emulator.log.clear()
    ours = only("connectionSpec.id", DLZ["id"])
    run(list_entities("/connections", ours, newest_first=True, page_size=2))
    for request in emulator.requests("GET", "/connections"):
        repeated = [pair for pair in request.query if pair[0] != "continuationToken"]
        asked = [("property", f"connectionSpec.id=={DLZ['id']}"), ("orderby", "-createdAt"), ("limit", "2")]
        assert repeated == asked
    tokens = [dict(request.query).get("continuationToken") for request in emulator.log]
    assert tokens[0] is None
    assert len(set(tokens)) == 3


def test_reading_stops_when_the_caller_has_enough(emulator, run):
    for number in range(5):
        run(create(base(f"c{number}")))
    emulator.log.clear()
    found = run(list_entities("/connections", page_size=2, enough=lambda found: len(found) >= 4))
    assert len(found) == 4
    assert len(emulator.log) == 2


class Pages:
    """A listing whose pages carry the given continuation tokens, as the service writes them in links."""

    def __init__(self, *hrefs):
        self.hrefs, self.tokens = list(hrefs), []

    def send(self, request):
        # as a server reads what a client encoded
        query = dict(parse_qsl(urlencode(request.query)))
        self.tokens.append(query.get("continuationToken"))
        href = self.hrefs.pop(0) if self.hrefs else None
        links = {"next": {"href": href}} if href else {}
        body = {"items": [{"id": str(len(self.tokens))}], "_links": links}
        return Response(200, body=json.dumps(body).encode())


@pytest.mark.parametrize(
    ("written", "token"),
    [
        ("abc==", "abc=="),
        ("a=b=c", "a=b=c"),
        ("a+b/c==", "a+b/c=="),
        ("a%2Bb%3D%3D", "a+b=="),
        ("a%20b", "a b"),
        ("a%26b", "a&b"),
        ("%25", "%"),
    ],
)
def test_a_continuation_token_survives_whatever_it_is_made_of(written, token):
    pages = Pages(f"/runs?limit=2&continuationToken={written}&orderby=x")
    assert len(drive(list_entities("/runs"), pages)) == 2
    assert pages.tokens == [None, token]


@pytest.mark.parametrize("links", [{}, {"next": None}, {"next": {}}, {"next": {"href": "/runs"}}, None])
def test_a_page_without_a_next_link_is_the_last(links):
    class Once:
        def send(self, request):
            return Response(200, body=json.dumps({"items": [{"id": "1"}], "_links": links}).encode())

    assert drive(list_entities("/runs"), Once()) == [{"id": "1"}]


def test_a_page_that_comes_again_for_ever_is_an_error():
    pages = Pages(
        *["/runs?continuationToken=a", "/runs?continuationToken=b", "/runs?continuationToken=a"] * 9
    )
    with pytest.raises(AepError, match="the same continuation token again"):
        drive(list_entities("/runs"), pages)
    assert len(pages.tokens) == 3


# What the service could send in place of entities
NO_ENTITIES = [None, "text", 7, {"id": "a"}, [{}], [None], ["text"], [{"name": "without an id"}]]


@pytest.mark.parametrize("body", [{}, {"count": 7}, *({"items": items} for items in NO_ENTITIES)])
def test_an_answer_that_is_no_listing_counts_as_no_answer(emulator, run, body):
    emulator.fail_next(200, body=body)
    with pytest.raises(
        AepTransportError, match="GET /flows: the response holds no list of entities"
    ) as caught:
        run(list_entities("/flows"))
    assert caught.value.sent


@pytest.mark.parametrize("links", ["text", 7, ["x"], {"next": 7}, {"next": {"href": None}}])
def test_links_that_lead_nowhere_end_a_listing(emulator, run, links):
    emulator.fail_next(200, body={"items": [{"id": "1"}], "_links": links})
    assert run(list_entities("/flows")) == [{"id": "1"}]


def test_a_next_link_may_be_the_address_itself(emulator, run):
    links = {"next": "/flows?continuationToken=a"}
    emulator.fail_next(200, body={"items": [{"id": "1"}], "_links": links})
    emulator.fail_next(200, body={"items": [{"id": "2"}]})
    assert [each["id"] for each in run(list_entities("/flows"))] == ["1", "2"]


# Reading and deleting


@pytest.mark.parametrize("bare", [False, True], ids=["wrapped", "bare"])
def test_an_entity_is_read_whether_the_service_wraps_it_or_not(run, clock, bare):
    run.emulator = Emulator(clock=clock, bare_entities=bare)
    made = run(create(base()))
    found = run(get_entity("connections", made.id, field="base_connection_id"))
    assert (found["id"], found["name"]) == (made.id, "crm")


@pytest.mark.parametrize("body", [{}, {"name": "x"}, *({"items": items} for items in NO_ENTITIES)])
def test_an_answer_that_is_no_entity_counts_as_no_answer(emulator, run, body):
    emulator.fail_next(200, body=body)
    with pytest.raises(AepTransportError, match="GET /connections/c-1: the response holds no") as caught:
        run(get_entity("connections", "c-1", field="base_connection_id"))
    assert caught.value.sent


def test_an_entity_that_is_not_there_is_not_found(run):
    with pytest.raises(AepNotFoundError) as caught:
        run(get_entity("flows", "no-such-flow", field="dataflow_id"))
    assert "no-such-flow" in str(caught.value)


def test_an_answer_without_an_entity_is_not_found_either(emulator, run):
    emulator.fail_next(200, body={"items": []})
    with pytest.raises(AepNotFoundError):
        run(get_entity("flows", "1", field="dataflow_id"))


def test_an_id_that_would_change_the_path_is_refused_before_anything_is_sent(emulator, run):
    for call in (get_entity, delete_entity):
        with pytest.raises(AepValidationError, match="dataflow_id"):
            run(call("flows", "../connections/1", field="dataflow_id"))
    assert emulator.log == []


def test_deleting_twice_is_done_twice_and_says_which_one_did_it(run, kept):
    made = run(create(base()))
    assert run(delete_entity("connections", made.id, field="base_connection_id")) is True
    assert run(delete_entity("connections", made.id, field="base_connection_id")) is False
    assert kept() == []


def test_a_delete_whose_answer_is_lost_is_done(emulator, run, kept):
    made = run(create(base()))
    emulator.lose_next(match="DELETE")
    assert run(delete_entity("connections", made.id, field="base_connection_id")) is False
    assert kept() == []
    assert run.pauses == [2.0]


# Changing


@pytest.fixture
def rename(run):
    """``rename("new")``: gives connection ``crm`` another name, unless it has it."""
    made = run(create(base()))
    run.emulator.log.clear()

    def renamed(name, *, before=lambda: None):
        def revise(found):
            before()
            if found["name"] == name:
                return []
            return [{"op": "replace", "path": "/name", "value": name}]

        return run(patch_entity("connections", made.id, revise, field="base_connection_id"))

    renamed.id = made.id
    return renamed


def test_a_change_is_sent_once_under_the_etag_that_was_just_read(emulator, rename, kept):
    assert rename("new") is True
    assert rename("new") is False
    assert kept()[0]["name"] == "new"
    (sent,) = emulator.requests("PATCH")
    assert "if-match" in sent.headers  # and the emulator holds it to the etag, quotes and all
    assert sent.body == [{"op": "replace", "path": "/name", "value": "new"}]


def test_a_change_of_somebody_else_in_between_is_read_and_revised(emulator, rename, kept):
    others = iter([lambda: emulator.touch("connections", rename.id)] * 2)
    assert rename("new", before=lambda: next(others, lambda: None)()) is True
    assert kept()[0]["name"] == "new"
    assert [each.status for each in emulator.requests("PATCH")] == [412, 412, 200]


def test_three_stale_etags_are_enough(emulator, rename, kept):
    with pytest.raises(AepPreconditionError, match="Somebody else keeps changing it"):
        rename("new", before=lambda: emulator.touch("connections", rename.id))
    assert len(emulator.requests("PATCH")) == 3
    assert kept()[0]["name"] == "crm"


def test_a_change_whose_answer_is_lost_counts_as_made(emulator, rename, kept):
    emulator.lose_next(match="PATCH")
    assert rename("new") is True
    assert kept()[0]["name"] == "new"
    assert [each.status for each in emulator.requests("PATCH")] == [0, 412]


@pytest.mark.parametrize("number", [1409, 1416, 1417])
def test_an_entity_that_is_just_being_changed_is_changed_a_little_later(emulator, run, rename, number):
    body = {"type": f"https://ns.adobe.com/aep/errors/FLOW-{number}-400", "title": "not now"}
    emulator.fail_next(400, times=3, match="PATCH", body=body)
    assert rename("new") is True
    assert run.pauses == [5.0] * 3
    emulator.fail_next(400, times=4, match="PATCH", body=body)
    with pytest.raises(AepApiError):
        rename("newer")


def test_any_other_refusal_of_a_change_rises_at_once(emulator, run, rename):
    emulator.fail_next(400, match="PATCH")
    with pytest.raises(AepApiError):
        rename("new")
    assert (len(emulator.requests("PATCH")), run.pauses) == (1, [])


def test_an_entity_without_an_etag_cannot_be_changed(emulator, rename):
    emulator.fail_next(200, match="GET /connections", body={"items": [{"id": rename.id, "name": "crm"}]})
    with pytest.raises(AepApiError, match="no etag"):
        rename("new")
    assert emulator.requests("PATCH") == []


def test_what_the_revision_refuses_is_not_sent(emulator, run, rename):
    def revise(found):
        raise AepError("not this one")

    with pytest.raises(AepError, match="not this one"):
        run(patch_entity("connections", rename.id, revise, field="base_connection_id"))
    assert emulator.requests("PATCH") == []


# Creating once


def test_a_created_entity_has_an_id_an_etag_and_the_mark(run, kept):
    made = run(create(base(description="nightly")))
    (one,) = kept()
    assert (made.id, made.etag, made.adopted) == (one["id"], one["etag"], False)
    assert one["description"] == f"nightly ({MARKER})"
    assert made.etag.startswith('"')


def test_without_a_marker_the_description_is_left_alone(run, kept):
    run(create(base(), marker=None))
    run(create(base(description="mine"), marker=None))
    assert [each.get("description") for each in kept()] == [None, "mine"]


def test_a_create_whose_answer_is_lost_is_found_and_adopted(emulator, run, kept):
    emulator.lose_next(match="POST /connections")
    made = run(create(base()))
    (one,) = kept()
    assert (made.id, made.etag, made.adopted) == (one["id"], one["etag"], True)
    assert run.pauses == [5.0]
    assert len(emulator.requests("POST", "/connections")) == 1


def test_a_create_that_never_arrived_is_sent_again(emulator, run, kept):
    emulator.drop_next(match="POST /connections")
    made = run(create(base()))
    assert ([one["id"] for one in kept()], made.adopted) == ([made.id], False)
    assert run.pauses == [5.0, 10.0, 20.0, 30.0]  # it was looked for as long as a listing may lag


def test_a_create_that_failed_on_the_server_and_did_nothing_is_sent_again(emulator, run, kept):
    emulator.fail_next(503, match="POST /connections")
    made = run(create(base()))
    assert [one["id"] for one in kept()] == [made.id]
    assert not made.adopted


@pytest.mark.parametrize(
    "answer",
    [
        Response(500, body=b'{"errorMessage": "internal"}'),
        Response(504),
        Response(200, body=b"<html>Sign in</html>"),
        Response(201, body=b'{"id": "cut'),
        Response(201),
        Response(201, body=b'{"etag": "1"}'),
    ],
    ids=["500", "504", "page", "cut", "empty", "no id"],
)
def test_a_create_that_worked_behind_a_useless_answer_is_adopted(emulator, run, kept, answer):
    class Garbling:
        clock = emulator.clock

        def send(self, request):
            real = emulator.send(request)
            return answer if (request.method, request.path) == ("POST", "/connections") else real

    run.emulator = Garbling()
    made = run(create(base()))
    assert ([one["id"] for one in kept()], made.adopted) == ([made.id], True)


def test_an_answer_without_an_id_is_an_error_when_there_is_no_mark_to_look_for(emulator, run):
    emulator.fail_next(201, match="POST /connections", body={})
    with pytest.raises(AepTransportError, match="no id") as caught:
        run(create(base(), marker=None))
    assert caught.value.sent


@pytest.mark.parametrize("order", ["lose_next", "drop_next", "503"])
def test_without_a_mark_an_unknown_outcome_is_not_repeated(emulator, run, order):
    if order == "503":
        emulator.fail_next(503, match="POST /connections")
    else:
        getattr(emulator, order)(match="POST /connections")
    with pytest.raises((AepTransportError, AepServerError)):
        run(create(base(), marker=None))
    assert len(emulator.requests("POST", "/connections")) == 1
    assert run.pauses == []


def test_three_unknown_outcomes_are_enough(emulator, run, kept):
    emulator.drop_next(times=9, match="POST /connections")
    with pytest.raises(AepTransportError):
        run(create(base()))
    assert len(emulator.requests("POST", "/connections")) == 3
    assert kept() == []


def test_a_service_that_cannot_be_reached_is_given_up_after_the_sessions_own_tries(emulator, run):
    emulator.reset_next(times=99, match="POST /connections")
    with pytest.raises(AepTransportError):
        run(create(base()))
    assert len(emulator.requests("POST", "/connections")) == 5
    assert emulator.requests("GET") == []


def test_a_refused_create_is_not_repeated(emulator, run):
    with pytest.raises(AepApiError):
        run(create({**base(), "connectionSpec": {"id": "nonsense", "version": "1.0"}}))
    assert len(emulator.requests("POST", "/connections")) == 1
    assert run.pauses == []


def test_a_later_try_of_a_task_adopts_what_the_first_one_created(emulator, run, kept):
    first = run(create(base()))
    again = run(create(base(), look_first=True))
    assert (again.id, again.adopted) == (first.id, True)
    assert len(kept()) == 1


def test_a_later_try_creates_when_the_first_one_did_not_get_that_far(run, kept):
    made = run(create(base(), look_first=True))
    assert not made.adopted
    assert len(kept()) == 1


def test_another_tasks_entity_of_the_same_name_is_not_adopted(run, kept):
    run(create(base(), marker="dag/other-task"))
    run(create(base(), marker=None))
    made = run(create(base(), look_first=True))
    assert not made.adopted
    assert len(kept()) == 3


def test_what_was_asked_for_changed_in_between_is_a_conflict_without_values(run, emulator):
    connection = run(create(base()))

    def target(path, file_type):
        document = {
            "name": "crm",
            "baseConnectionId": connection.id,
            "connectionSpec": DLZ,
            "params": {"path": path, "datasetFileType": file_type, "compression": "GZIP"},
        }
        return create_entity("targetConnections", document, marker=MARKER, look_first=True)

    first = run(target("old-place", "JSON"))
    with pytest.raises(AepConflictError) as caught:
        run(target("new-place", "PARQUET"))
    assert caught.value.ids == (first.id,)
    told = str(caught.value)
    assert "/params/datasetFileType, /params/path" in told
    assert first.id in told
    assert "place" not in told
    assert "PARQUET" not in told
    assert len(emulator.entities("targetConnections")) == 1


def test_two_marked_entities_are_ambiguous_and_named_by_id(run, kept):
    ids = [run(create(base())).id, run(create(base())).id]
    with pytest.raises(AepAmbiguousNameError) as caught:
        run(create(base(), look_first=True))
    assert sorted(caught.value.ids) == sorted(ids)
    assert all(each in str(caught.value) for each in ids)
    assert len(kept()) == 2


@pytest.mark.parametrize(
    "name", ["Müller, Söhne & Co", "a,b", "50% + more = ==", "x" * 255, "ünïcode \u2603"]
)
def test_an_awkward_name_is_found_again(run, emulator, kept, name):
    run(create(base("b")))
    emulator.lose_next(match="POST /connections")
    made = run(create(base(name)))
    assert made.adopted
    assert [one["name"] for one in kept()] == ["b", name]


def test_logins_are_not_compared():
    wanted, found = {"auth": {"params": {"key": "1"}}}, {"auth": {"params": {"key": "*"}}}
    assert list(differences(wanted, found)) == []


@pytest.mark.parametrize(
    ("wanted", "found", "pointers"),
    [
        ({"a": 1}, {"a": 1, "added by the service": 2}, []),
        ({"a": 1}, {}, ["/a"]),
        ({"a": []}, {}, []),
        ({"a": [1, 2]}, {"a": [1]}, ["/a"]),
        ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 3}]}, ["/a/1/b"]),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": None}}, ["/a/b"]),
    ],
)
def test_differences_are_pointers_to_what_is_wanted_and_not_so(wanted, found, pointers):
    assert list(differences(wanted, found)) == pointers


@pytest.mark.parametrize(
    ("described", "asked"),
    [({}, f"description=={MARKER}"), ({"description": "ours"}, "name==crm")],
)
def test_looking_for_a_lost_entity_reads_its_own_collection_narrowed(run, emulator, described, asked):
    emulator.lose_next(match="POST /connections")
    run(create(base(**described)))
    (look,) = emulator.requests("GET")
    assert (look.path, dict(look.query)["property"]) == ("/connections", asked)


@pytest.mark.parametrize("name", ["=x", "<b>", "~x", "a>=b"])
@pytest.mark.parametrize("described", [{}, {"description": "ours"}])
def test_a_name_that_means_something_in_a_filter_is_found_again(run, emulator, kept, name, described):
    emulator.lose_next(match="POST /connections")
    made = run(create(base(name=name, **described)))
    assert (made.adopted, [one["id"] for one in kept()]) == (True, [made.id])


def test_a_task_that_names_its_entity_anew_is_told_and_makes_no_twin(run, kept):
    first = run(create(base(name="crm 10:00")))
    with pytest.raises(AepConflictError, match=f"created 'crm 10:00' in connections as {first.id}.*/name"):
        run(create(base(name="crm 10:05"), look_first=True))
    assert len(kept()) == 1
