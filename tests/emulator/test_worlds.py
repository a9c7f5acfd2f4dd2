"""Worlds: each named deviation really changes what a caller sees, and nothing is left of it afterwards."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from airflow_provider_aep.emulator import Clock, Emulator
from airflow_provider_aep.emulator.__main__ import main
from airflow_provider_aep.emulator.control import control
from airflow_provider_aep.emulator.worlds import WORLDS
from airflow_provider_aep.flowservice.exchange import Response

PAGE = Path(__file__).parents[2] / "docs" / "emulator.md"
NOBODY = "00000000-0000-4000-8000-00000000000"
CATALOG = "/data/foundation/catalog"
ADHOC = "/data/core/activation/disflowprovider/adhocrun"
ADHOC_ACCEPT = "application/vnd.adobe.adhoc.dataset.activation+json; version=1"
HOUR = 3600


class SeenToDiffer(Exception):
    """The answer of another world than the usual one: no need to go on."""


class Tour:
    """A caller that goes through everything that a world may change, and notes each answer."""

    def __init__(self, api, usual):
        self.api, self.usual, self.seen = api, usual, []

    def ask(self, method, path, json=None, *, params=(), **headers):
        answer = self.api.call(method, path, json, params, **headers)
        self.seen.append((method, path, answer.status, dict(answer.headers), answer.body))
        if self.usual and self.seen[-1] != self.usual[len(self.seen) - 1]:
            raise SeenToDiffer
        return answer

    def list(self, path, *filters, **params):
        """All pages of a listing, as a client follows them."""
        query = [("property", each) for each in filters] + list(params.items())
        for token in self._pages(path, query):
            del token

    def _pages(self, path, query):
        token = ""
        for _ in range(8):
            answer = self.ask(
                "GET", path, params=[*query, *([("continuationToken", token)] if token else [])]
            )
            token = token_in(answer)
            yield token
            if not token:
                return

    def tell(self, seconds):
        self.api.clock.advance(seconds)


def token_in(answer: Response) -> str:
    following = ((answer.json or {}).get("_links") or {}).get("next") or {}
    href = following if isinstance(following, str) else following.get("href", "")
    return href.partition("continuationToken=")[2].replace("%3D", "=")


def tour_of(api, usual=()) -> list[object]:
    tour, emulator = Tour(api, usual), api.emulator
    seen = tour.seen
    body = api.source_body(
        "5ef3e3259ad2a1191ab7dd7d", "5ef3e324ab7dd7d3259a1191", name="CRM  source of ours "
    )
    body["description"] = "Long words of " + "Ours " * 60
    made = {}
    # Three of each, so that orders and pages show.
    for number in range(3):
        tour.ask("POST", "/sourceConnections", body)
        source = emulator.entities("sourceConnections")[-1]["id"]
        tour.ask("POST", "/connections", api.base_body())
        base = emulator.entities("connections")[-1]["id"]
        tour.tell(11)
        tour.ask(
            "POST",
            "/targetConnections",
            api.target_body(
                base,
                path=f"{'/' * (number % 2)}aep/CRM",
                includeFileManifest=True,
                datasetFileType="JSON",
                compression="NONE" if number else "GZIP",
            ),
        )
        target = emulator.entities("targetConnections")[-1]["id"]
        flow = api.flow_body(
            source,
            target,
            startTime=int(api.clock.now) - number * 100,
            endTime=int(api.clock.now) + 20 * 86_400,
            foldernameTemplate="%DATASET_ID%",
        )
        flow["name"], flow["description"] = f"CRM nightly export number {number} of a long name", "Ours"
        tour.ask("POST", "/flows", flow)
        flows = [each["id"] for each in emulator.entities("flows")]
        made = {"source": source, "base": base, "target": target, "flows": flows}
    look(tour, made)
    change(tour, made)
    for _ in range(16):
        tour.tell(86_000)
        api.log_in()
        emulator.tick()
    tour.list("/runs", orderby="-createdAt", limit=50)
    tour.list("/runs", f"flowId=={','.join(made['flows'])}", orderby="-createdAt", limit=100)
    tour.list("/runs", f"flowId=={made['flows'][-1]}", limit=5)
    adhoc = {
        "flowId": made["flows"][-1],
        "datasets": [{"id": item["dataSetId"]} for item in body["params"]["datasets"]],
    }
    for _ in range(2):
        tour.ask("POST", ADHOC, {"activationInfo": {"destinations": [adhoc]}}, Accept=ADHOC_ACCEPT)
    for seconds in (1, 31, 70, 500):
        tour.tell(seconds)
        tour.list("/runs", f"flowId=={made['flows'][-1]}", limit=5)
    tour.ask("GET", f"/runs/{emulator.entities('runs')[-1]['id']}")
    look_at_catalog(tour, [item["dataSetId"] for item in body["params"]["datasets"]])
    remove(tour, made)
    return seen


def look(tour, made):
    for seconds in (1, 9, 25, 70, 600):
        tour.tell(seconds)
        for kind, one in (
            ("sourceConnections", made["source"]),
            ("connections", made["base"]),
            ("targetConnections", made["target"]),
        ):
            tour.list(f"/{kind}", orderby="-createdAt", limit=100)
            tour.ask("GET", f"/{kind}/{one}")
        tour.list("/flows", orderby="-createdAt")
    tour.list("/connections", limit=1)
    ids = ",".join([*(f"{NOBODY}{number}" for number in range(10)), *made["flows"]])
    tour.list("/flows", f"id=={ids}")
    tour.list("/flows", f"id=={','.join([ids] * 5)}")
    tour.list("/flows", "description==Ours")
    tour.list("/flows", "name==CRM nightly export number 0 of a long name")
    tour.list("/flows", "name==crm nightly export number 0 of a long name")
    tour.list("/flows", "name==CRM")
    tour.list("/flows", "flowSpec.id==269ba276-16fc-47db-92b0-c1049a3c131f", limit=1)
    page = tour.ask("GET", "/flows", params=[("orderby", "createdAt"), ("limit", 1)])
    tour.ask("GET", "/flows", params=[("continuationToken", token_in(page))])
    tour.list("/flows", f"targetConnectionIds[]=={made['target']}")
    tour.list("/flows", "inheritedAttributes.targetConnections[].data.outputType==DATASET_EXPORT")
    tour.ask("GET", "/connectionSpecs/4fce964d-3f37-408f-9778-e597338a21ee")
    tour.ask("GET", "/flowSpecs/269ba276-16fc-47db-92b0-c1049a3c131f")
    datasets = [("outputType", "activationDatasets"), ("outputField", "datasets"), ("limit", "100")]
    tour.ask("GET", "/connectionSpecs/23598e46-f560-407b-88d5-ea6207e49db0/configs", params=datasets)
    tour.ask("GET", "/data/foundation/sandbox-management/sandboxes/prod")


def look_at_catalog(tour, datasets):
    now = int(tour.api.clock.now) * 1000
    batches = [
        ("dataSet", ",".join(datasets)),
        ("createdAfter", now - 20 * HOUR * 1000),
        ("createdBefore", now),
        ("orderBy", "desc:created"),
        ("limit", 100),
        ("properties", "status,created,completed,relatedObjects,recordCount,metrics"),
    ]
    tour.ask("GET", f"{CATALOG}/batches", params=batches)
    tour.ask("GET", f"{CATALOG}/dataSets/{datasets[0]},{NOBODY}", params=[("properties", "name")])


def change(tour, made):
    path = f"/flows/{made['flows'][-1]}"
    etag = tour.ask("GET", path)
    items = (etag.json or {}).get("items") or [etag.json]
    schedule = tour.api.schedule(startTime=int(tour.api.clock.now))
    for match in (items[0].get("etag", "none"), '"another"'):
        tour.ask(
            "PATCH", path, [{"op": "replace", "path": "/scheduleParams", "value": schedule}], if_match=match
        )
        tour.ask("GET", path)
        tour.list("/flows")
    tour.ask("PATCH", path, [{"op": "replace", "path": "/name", "value": "other"}], if_match="none")
    for word in ("disable", "disable", "enable"):
        tour.ask("POST", f"{path}/action", params=[("op", word)])


def remove(tour, made):
    for _ in range(2):
        tour.ask("POST", "/connections", tour.api.base_body(name="sent twice"))
    for _ in range(2):
        tour.ask("DELETE", f"/flows/{made['flows'][-1]}")
    for seconds in (1, 31, 70):
        tour.list("/flows")
        tour.ask("GET", f"/flows/{made['flows'][-1]}")
        tour.ask("GET", f"/sourceConnections/{made['source']}")
        tour.tell(seconds)


@pytest.fixture(scope="module")
def usual():
    """What the tour sees in the usual world."""
    from tests.emulator.conftest import Caller

    return tour_of(Caller(Emulator(clock=Clock())))


@pytest.mark.parametrize("name", WORLDS)
def test_a_caller_sees_that_the_world_is_another(make_caller, usual, name):
    with pytest.raises(SeenToDiffer):
        tour_of(make_caller(worlds=[name]), usual)


def test_the_tour_is_the_same_each_time(api, usual):
    assert tour_of(api) == usual


def test_nothing_is_left_of_a_world_that_was_left(api, usual):
    api.emulator.enter(*WORLDS)
    assert set(api.emulator.worlds) == set(WORLDS)
    api.emulator.leave()
    assert api.emulator.worlds == ()
    assert tour_of(api) == usual


def test_a_world_can_be_entered_and_left_in_the_middle(api):
    api.export()
    api.emulator.enter("filters-refused", "descriptions-not-listed")
    assert api.call("GET", "/flows", params=[("property", "name==crm-nightly")]).status == 400
    api.emulator.leave("filters-refused")
    assert api.get("/flows", ("property", "name==crm-nightly"))["items"]
    assert api.emulator.worlds == ("descriptions-not-listed",)


def test_two_deviations_hold_at_once(make_caller):
    api = make_caller(worlds=["names-upper-case", "paths-end-with-slash"])
    made = api.export()
    target = api.one(f"/targetConnections/{made['target']}")
    assert (target["name"], target["params"]["path"]) == ("CRM-TARGET", "aep/crm/")


def test_a_late_listing_shows_a_dataflow_when_its_time_has_come(make_caller):
    api = make_caller(worlds=["created-listed-after-30s"])
    flow = api.export()["flow"]
    assert api.get("/flows")["items"] == []
    assert api.one(f"/flows/{flow}")["id"] == flow
    api.clock.advance(30)
    assert [each["id"] for each in api.get("/flows")["items"]] == [flow]


def test_a_stale_read_shows_the_old_etag_and_a_change_under_it_is_refused(make_caller):
    api = make_caller(worlds=["changes-readable-after-30s"])
    flow = f"/flows/{api.export()['flow']}"
    api.clock.advance(60)
    rename = {"op": "replace", "path": "/name", "value": "renamed"}
    assert api.patch(flow, rename).status == 200
    assert api.one(flow)["name"] == "crm-nightly"
    assert api.patch(flow, rename).status == 412
    api.clock.advance(30)
    assert api.one(flow)["name"] == "renamed"


def test_what_was_deleted_is_shown_for_a_while_and_can_still_not_be_changed(make_caller):
    api = make_caller(worlds=["deleted-shown-for-30s"])
    flow = f"/flows/{api.export()['flow']}"
    assert api.call("DELETE", flow).status == 202
    assert len(api.get("/flows")["items"]) == 1
    assert api.patch(flow, {"op": "replace", "path": "/name", "value": "renamed"}).status == 404
    api.clock.advance(30)
    assert api.get("/flows")["items"] == []
    assert api.call("GET", flow).status == 404


@pytest.mark.parametrize(
    "world", ["empty-page-in-the-middle", "pages-overlap", "token-without-filters", "last-page-with-token"]
)
def test_odd_pages_bring_every_entity_to_a_caller_who_repeats_the_filters(make_caller, world):
    api = make_caller(worlds=[world])
    made = [api.post("/connections", api.base_body(name=f"account-{number}"))["id"] for number in range(7)]
    filters = [("property", "connectionSpec.id==4fce964d-3f37-408f-9778-e597338a21ee"), ("limit", 3)]
    found, token = [], ""
    for _ in range(20):
        page = api.call(
            "GET", "/connections", params=[*filters, *([("continuationToken", token)] if token else [])]
        )
        found += [each["id"] for each in page.json["items"]]
        if not (token := token_in(page)):
            break
    assert not token
    assert set(found) == set(made)


def test_an_unknown_world_is_told_with_the_nearest_and_all_that_there_are(capsys):
    with pytest.raises(
        ValueError, match=r"^worlds .*did you mean 'filters-ignored'.*There are: absent-as-null"
    ):
        Emulator(worlds=["filter-ignored"])
    with pytest.raises(ValueError, match=r"^worlds must be a list"):
        Emulator(worlds="filters-ignored")
    with pytest.raises(SystemExit):
        main(["--world", "filter-ignored"])
    told = capsys.readouterr().err.splitlines()[-1]
    assert "argument --world: " in told
    assert "did you mean 'filters-ignored'" in told


def test_worlds_are_entered_and_left_over_http(emulator):
    told = control(emulator, "POST", "/emulator/worlds", {"names": ["filters-ignored", "pages-of-ten"]}).json
    assert told == {"worlds": ["filters-ignored", "pages-of-ten"]}
    assert control(emulator, "DELETE", "/emulator/worlds", {"names": ["pages-of-ten"]}).json == {
        "worlds": ["filters-ignored"]
    }
    known = control(emulator, "GET", "/emulator/worlds", None).json
    assert known["worlds"] == ["filters-ignored"]
    assert {each["name"] for each in known["known"]} == set(WORLDS)
    assert control(emulator, "DELETE", "/emulator/worlds", None).json == {"worlds": []}
    assert control(emulator, "POST", "/emulator/worlds", {"names": ["nowhere"]}).status == 400
    assert control(emulator, "POST", "/emulator/worlds", {"names": "filters-ignored"}).status == 400


@pytest.mark.parametrize("world", WORLDS.values(), ids=lambda world: world.name)
def test_a_world_has_a_name_one_sentence_and_a_source(world):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", world.name)
    assert world.says[0].isupper() or world.says.startswith(("orderby", "If"))
    assert world.says.endswith(".")
    assert world.source


def test_the_page_lists_every_world_with_its_words():
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| ([^|]+) \| ([^|]+) \|$", PAGE.read_text(), re.MULTILINE)
    listed = {name: (says, source) for name, says, source in rows if name in WORLDS}
    assert listed == {each.name: (each.says, each.source) for each in WORLDS.values()}
    assert list(listed) == list(WORLDS)


def test_a_world_of_a_switch_is_the_same_as_the_switch(make_caller):
    by_world, by_switch = make_caller(worlds=["bare-entities"]), make_caller(bare_entities=True)
    for api in (by_world, by_switch):
        api.made = api.export()["flow"]
    assert by_world.get(f"/flows/{by_world.made}") == by_switch.get(f"/flows/{by_switch.made}")
    assert json.dumps(by_world.get(f"/flows/{by_world.made}")).count('"items"') == 0
