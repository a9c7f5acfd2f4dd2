"""Filters, order and pages, held to the "Sort and filter" guide and the Flow Service error table."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest


@pytest.fixture
def accounts(api):
    """Five base connections, a second apart: a, b, c, d, e."""
    made = []
    for name in "abcde":
        made.append(api.post("/connections", api.base_body(name=name))["id"])
        api.clock.advance(1)
    return made


def names(answer):
    return "".join(each["name"] for each in answer["items"])


def test_the_newest_comes_first(api, accounts):
    assert names(api.get("/connections")) == "edcba"


def test_of_two_made_in_one_instant_the_later_comes_first(api):
    for name in "ab":
        api.post("/connections", api.base_body(name=name))
    assert names(api.get("/connections")) == "ba"


def test_a_change_moves_an_entity_to_the_front(api, accounts):
    api.patch(f"/connections/{accounts[0]}", {"op": "add", "path": "/description", "value": "mended"})
    assert names(api.get("/connections")) == "aedcb"


@pytest.mark.parametrize(
    ("orderby", "expected"),
    [
        ("name", "abcde"),
        ("-name", "edcba"),
        ("+name", "abcde"),
        ("-createdAt", "edcba"),
        ("state,-name", "edcba"),
    ],
)
def test_orderby_takes_fields_with_signs(api, accounts, orderby, expected):
    assert names(api.get("/connections", ("orderby", orderby))) == expected


def test_a_page_without_a_limit_holds_twenty(api):
    for number in range(21):
        api.post("/connections", api.base_body(name=f"account {number}"))
    assert len(api.get("/connections")["items"]) == 20


def test_pages_follow_each_other_by_a_token_that_contains_an_equals_sign(api, accounts):
    # Real tokens do, and clients have cut them off there.
    params, seen, tokens = [("limit", 2), ("orderby", "name")], "", []
    while True:
        page = api.get("/connections", *params, *[("continuationToken", each) for each in tokens[-1:]])
        seen += names(page)
        if "next" not in page["_links"]:
            break
        link = urlsplit(page["_links"]["next"]["href"])
        assert (link.netloc, link.path) == ("", "/connections")
        tokens.append(dict(parse_qsl(link.query))["continuationToken"])
    assert seen == "abcde"
    assert page["_links"] == {}
    assert all("=" in token for token in tokens)
    assert len(set(tokens)) == 2


def test_the_link_to_the_next_page_can_be_followed_as_it_is(api, accounts):
    page = api.get("/connections", ("limit", 2), ("orderby", "name"), ("property", "name==a,b,c,d,e"))
    seen = [names(page)]
    while "next" in page["_links"]:
        page = api.get(page["_links"]["next"]["href"])
        seen.append(names(page))
    assert seen == ["ab", "cd", "e"]


def test_a_token_cut_off_at_the_equals_sign_is_refused(api, accounts, code):
    link = api.get("/connections", ("limit", 2))["_links"]["next"]["href"]
    token = dict(parse_qsl(urlsplit(link).query))["continuationToken"]
    params = {"limit": 2, "continuationToken": token.split("=")[0]}
    assert code(api.call("GET", "/connections", params=params)) == "FLOW-1453-400"


def test_a_token_does_not_serve_another_query(api, accounts, code):
    link = api.get("/connections", ("limit", 2))["_links"]["next"]["href"]
    params = [*parse_qsl(urlsplit(link).query), ("property", "name==a")]
    assert code(api.call("GET", "/connections", params=params)) == "FLOW-1453-400"


def test_a_count_comes_alone(api, accounts):
    assert api.get("/connections", ("count", "true")) == {"count": 5}
    assert api.get("/connections", ("count", "true"), ("property", "name==a,b")) == {"count": 2}


def test_an_explicit_no_count_may_stand_beside_a_limit(api, accounts):
    assert names(api.get("/connections", ("count", "False"), ("limit", 1))) == "e"


def test_repeated_filters_must_all_hold_and_a_comma_means_or(api, accounts):
    assert names(api.get("/connections", ("property", "name==a,c"), ("property", "name==c,d"))) == "c"


def test_a_filter_may_go_deep_and_through_arrays(api):
    export = api.export()
    for wanted in (
        f"sourceConnectionIds[]=={export['source']}",
        f"inheritedAttributes.targetConnections[].baseConnection.id=={export['base']}",
        "inheritedAttributes.properties.isDestinationFlow==true",
        "inheritedAttributes.targetConnections[].data.outputType==DATASET_EXPORT",
        "flowSpec.id==269ba276-16fc-47db-92b0-c1049a3c131f,95bd8965-fc8a-4119-b9c3-944c2c2df6d2",
        "scheduleParams.interval>=3",
    ):
        assert names(api.get("/flows", ("property", wanted))) == "crm-nightly", wanted
    assert names(api.get("/flows", ("property", "scheduleParams.interval>3"))) == ""
    assert names(api.get("/flows", ("property", "name[]==c"))) == ""
    assert names(api.get("/flows", ("property", "createdAt[]>0"))) == ""
    assert names(api.get("/flows", ("property", f"sourceConnectionIds=={export['source']}"))) == ""


def test_milliseconds_can_be_compared(api, accounts):
    third = api.one(f"/connections/{accounts[2]}")["createdAt"]
    assert names(api.get("/connections", ("property", f"createdAt>{third}"), ("orderby", "name"))) == "de"
    assert names(api.get("/connections", ("property", f"createdAt>={third}"), ("orderby", "name"))) == "cde"
    assert names(api.get("/connections", ("property", f"createdAt<{third}"), ("orderby", "name"))) == "ab"
    assert names(api.get("/connections", ("property", f"createdAt<={third}"), ("orderby", "name"))) == "abc"


def test_no_filter_can_see_a_login(api, accounts):
    secret = api.base_body()["auth"]["params"]["s3SecretKey"]
    assert api.get("/connections", ("property", f"auth.params.s3SecretKey=={secret}"))["items"] == []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        # Source: Flow Service error table.
        ("property", "name", "FLOW-1423-400"),
        ("property", "name~a", "FLOW-1440-400"),
        ("property", "createdAt>1,2", "FLOW-1443-400"),
        ("property", "id>a", "FLOW-1448-400"),
        ("property", "colour==red", "FLOW-1449-400"),
        ("property", "name!>a", "FLOW-1450-400"),
        ("property", "createdAt>yesterday", "FLOW-1452-400"),
        ("colour", "red", "FLOW-1451-400"),
        ("orderby", "colour", "FLOW-1432-400"),
        ("orderBy", "name", "FLOW-1451-400"),
        ("limit", "0", "FLOW-1454-400"),
        ("limit", "101", "FLOW-1454-400"),
        ("limit", "ten", "FLOW-1454-400"),
        ("continuationToken", "made-up", "FLOW-1453-400"),
    ],
)
def test_a_malformed_query_is_refused_with_its_own_number(api, code, name, value, expected):
    assert code(api.call("GET", "/connections", params={name: value})) == expected


def test_limit_and_count_do_not_go_together(api, code):
    params = {"limit": 10, "count": "true"}
    assert code(api.call("GET", "/connections", params=params)) == "FLOW-1401-400"
