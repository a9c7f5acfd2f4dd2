"""The Catalog: documented requests, and replies keyed by id."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from airflow_provider_aep.emulator.control import control
from airflow_provider_aep.errors import AepApiError
from airflow_provider_aep.flowservice.exchange import Request

CATALOG = "/data/foundation/catalog"
ADOBE = json.loads((Path(__file__).parent / "openapi" / "catalog.json").read_text())["schemas"]
HOUR, YEAR = 3600.0, 365 * 86_400
ENDS = {"success", "active", "failed", "failure", "aborted", "abandoned", "inactive", "deleted"}
CRM, WEB = "5ef3e3259ad2a1191ab7dd7d", "6501aa10c2d3e4f5061728a1"
# Said of every document: the retention guide and the sample of lastBatches print it, no schema lists it.
# ``state`` is printed by the filter guide, ``extensions`` stands in the schema of a dataset's second version.
PRINTED = {"sandboxId", "state", "extensions"}


@pytest.fixture
def clock(emulator):
    return emulator.clock


@pytest.fixture
def orders(emulator):
    return emulator.add_dataset("Orders of a shop", kind="order", rows=50, hourly=0)


@pytest.fixture
def get(run):
    """``get("/batches", limit=5)``: the objects of the answer, by their ids."""

    def ask(request):
        return (yield request).json

    def get(path, **params):
        return run(ask(Request("GET", f"{CATALOG}{path}", params=params)))

    return get


def test_rows_that_are_added_come_in_a_batch(emulator, orders, get, clock):
    emulator.add_rows(orders.id, 7)
    batches = get("/batches", dataSet=orders.id, createdAfter=int(clock() * 1000) - 1)
    (batch,) = batches.values()
    assert batch["status"] == "success"
    assert batch["metrics"]["outputRecordCount"] == batch["recordCount"] == 7
    assert batch["relatedObjects"] == [{"type": "dataSet", "id": orders.id}]
    assert batch["completed"] == int(clock() * 1000)


def test_a_dataset_that_grows_has_a_batch_for_each_hour(emulator, get, clock):
    grows = emulator.add_dataset("Clicks", kind="event", rows=5, hourly=10)
    start = int(clock() * 1000)
    before = emulator.count_rows(grows.id)
    clock.advance(3.5 * HOUR)
    batches = get("/batches", dataSet=grows.id, createdAfter=start)
    assert len([each for each in batches.values() if each["status"] == "success"]) == 3
    assert before + sum(each.get("recordCount", 0) for each in batches.values()) == emulator.count_rows(
        grows.id
    )


def test_both_ends_of_the_window_are_exclusive(emulator, orders, get, clock):
    at = int(clock()) * 1000
    emulator.add_batch(orders.id, opened=at / 1000)
    assert len(get("/batches", dataSet=orders.id, createdAfter=at - 1, createdBefore=at + 1)) == 1
    assert get("/batches", dataSet=orders.id, createdAfter=at, createdBefore=at + 1) == {}


def test_several_datasets_mean_any_of_them_and_the_newest_come_first_when_asked(emulator, orders, get, clock):
    other = emulator.add_dataset("Returns", kind="order", rows=5, hourly=0)
    clock.advance(10)
    first = emulator.add_batch(orders.id)
    clock.advance(10)
    second = emulator.add_batch(other.id)
    found = get(
        "/batches", dataSet=f"{orders.id},{other.id}", orderBy="desc:created", limit=2, properties="status"
    )
    assert list(found) == [second, first]
    assert set(found[first]) == {"status"}
    assert second not in get("/batches", dataSet=f"!{other.id}", limit=100)


@pytest.mark.parametrize("limit", ["0", "101", "many"])
def test_a_limit_out_of_bounds_is_refused(get, limit):
    with pytest.raises(AepApiError) as refused:
        get("/batches", limit=limit)
    assert refused.value.status == 400


def test_a_batch_under_way_is_completed_later_and_its_rows_count_from_then_on(emulator, orders, get, clock):
    batch_id = emulator.add_batch(orders.id, rows=9, opened=clock(), completed=clock() + 60)
    assert get(f"/batches/{batch_id}")[batch_id]["status"] == "processing"
    assert emulator.count_rows(orders.id) == 50
    clock.advance(61)
    assert get(f"/batches/{batch_id}")[batch_id]["status"] == "success"
    assert emulator.count_rows(orders.id) == 59


def test_datasets_are_looked_up_by_several_ids_and_what_is_gone_is_left_out(emulator, orders, get):
    other = emulator.add_dataset("Returns", kind="order", rows=5, hourly=0)
    found = get(f"/dataSets/{orders.id},{other.id}", properties="name")
    assert found == {orders.id: {"name": "Orders of a shop"}, other.id: {"name": "Returns"}}
    emulator.delete_dataset(other.id)
    emulator.label_dataset(emulator.datasets()[0].id)
    assert list(get(f"/dataSets/{orders.id},{other.id}")) == [orders.id]
    assert emulator.datasets()[0].id not in get("/dataSets", limit=100)


def test_the_last_batches_are_told_by_dataset(emulator, orders, get):
    failed = emulator.add_batch(orders.id, status="failed")
    told = get("/lastBatches", dataSetId=orders.id)[orders.id]
    assert (told["lastBatchId"], told["lastBatchStatus"], told["lastFailedBatchId"]) == (
        failed,
        "failed",
        failed,
    )


class TestDocuments:
    def test_each_fits_adobes_openapi(self, emulator, orders, get, clock):
        orders.kept_for = "P3M"
        emulator.add_batch(
            orders.id, rows=3, replay={"predecessors": ["b"], "reason": "fix"}, tags={"a": ["b"]}
        )
        emulator.add_batch(orders.id, status="failed", errors=[{"code": "INGEST-1212-400", "rows": ["3-5"]}])
        emulator.add_batch(orders.id, rows=3, completed=clock() + 60)
        clock.advance(3 * HOUR)
        for kind, path in (("batch", "/batches"), ("dataSet", "/dataSets"), ("lastBatches", "/lastBatches")):
            documents = get(path, limit=100)
            assert documents
            for document in documents.values():
                assert set(document) - set(ADOBE[kind]["properties"]) <= PRINTED
                listed = {name: value for name, value in document.items() if name not in PRINTED}
                Draft202012Validator({**ADOBE[kind], "schemas": ADOBE}).validate(listed)

    @pytest.mark.parametrize("status", ADOBE["status"]["enum"])
    def test_a_batch_may_have_any_documented_status_and_ends_with_those_that_are_ends(
        self, emulator, orders, get, status
    ):
        batch_id = emulator.add_batch(orders.id, rows=5, status=status)
        batch = get(f"/batches/{batch_id}")[batch_id]
        assert batch["status"] == status
        assert ("completed" in batch) == (status in ENDS)
        assert emulator.count_rows(orders.id) == (55 if status in ("success", "active") else 50)

    def test_a_batch_may_be_odd_in_any_member(self, emulator, orders, get, clock):
        odd = {
            "without": {"metrics": None, "recordCount": None},
            "negative": {"metrics": {"outputRecordCount": -1, "inputFileCount": -1}},
            "huge": {"recordCount": 10**15},
            "in the future": {"created": int(clock() + YEAR) * 1000},
            "errors in a success": {"errors": [{"code": "INGEST-1212-400"}]},
        }
        ids = {name: emulator.add_batch(orders.id, **members) for name, members in odd.items()}
        found = get(f"/batches/{','.join(ids.values())}")
        assert {"metrics", "recordCount"}.isdisjoint(found[ids["without"]])
        for name in odd.keys() - {"without"}:
            assert odd[name].items() <= found[ids[name]].items()
        ahead = get("/batches", dataSet=orders.id, createdAfter=int(clock() * 1000))
        assert list(ahead) == [ids["in the future"]]

    def test_a_batch_that_is_opened_later_shows_when_its_time_has_come(self, emulator, orders, get, clock):
        batch_id = emulator.add_batch(orders.id, rows=5, opened=clock() + 60, completed=clock() + 90)
        assert batch_id not in get("/batches", dataSet=orders.id)
        with pytest.raises(AepApiError):
            get(f"/batches/{batch_id}")
        clock.advance(60)
        assert get("/batches", dataSet=orders.id)[batch_id]["status"] == "processing"

    def test_a_dataset_tells_after_which_time_its_rows_expire(self, orders, get):
        orders.kept_for = "P3M"
        told = get(f"/dataSets/{orders.id}", properties="extensions")[orders.id]
        assert told == {"extensions": {"adobe_lakeHouse": {"rowExpiration": {"ttlValue": "P3M"}}}}

    def test_a_dataset_names_its_last_batches(self, emulator, orders, get, clock):
        made = {}
        for status in ("failed", "success", "queued"):
            clock.advance(1)
            made[status] = emulator.add_batch(orders.id, status=status)
        last = "lastBatchId", "lastBatchStatus", "lastSuccessfulBatch", "lastFailedBatch"
        told = get(f"/dataSets/{orders.id}", properties=",".join(last))[orders.id]
        assert list(told.values()) == [made["queued"], "queued", made["success"], made["failed"]]

    def test_where_ends_are_shown_late_nothing_of_the_end_is_told(self, emulator, orders, get, clock):
        emulator.enter("batch-ends-shown-after-1h")
        emulator.add_rows(orders.id, 5)
        _, batch = get("/batches", dataSet=orders.id).values()
        assert batch["status"] == "processing"
        assert {"completed", "metrics", "recordCount"}.isdisjoint(batch)
        clock.advance(HOUR)
        _, batch = get("/batches", dataSet=orders.id).values()
        assert (batch["status"], batch["recordCount"]) == ("success", 5)


class TestListings:
    def test_twenty_come_where_no_limit_is_given_and_start_goes_on(self, emulator, orders, get, clock):
        made = []
        for _ in range(25):
            clock.advance(1)
            made.append(emulator.add_batch(orders.id))
        first = get("/batches", dataSet=orders.id, orderBy="desc:created")
        rest = get("/batches", dataSet=orders.id, orderBy="desc:created", start=20)
        assert [*first, *rest][:25] == made[::-1]
        assert len(first) == 20

    def test_without_an_order_the_oldest_come_first(self, emulator, get, clock):
        clock.advance(5 * HOUR)
        assert all(
            one["created"] <= other["created"] for one, other in pairwise(get("/batches", limit=100).values())
        )

    def test_a_second_member_orders_what_is_equal_in_the_first(self, emulator, orders, get, clock):
        (old,) = get("/batches", dataSet=orders.id)
        made = []
        for status in ("queued", "failed", "queued", "failed"):
            clock.advance(1)
            made.append(emulator.add_batch(orders.id, status=status))
        found = get("/batches", dataSet=orders.id, orderBy="status,desc:created")
        assert list(found) == [made[3], made[1], made[2], made[0], old]

    def test_an_object_with_none_of_the_properties_is_empty(self, emulator, orders, get):
        batch_id = emulator.add_batch(orders.id, status="queued")
        assert get(f"/batches/{batch_id}", properties="metrics,completed") == {batch_id: {}}

    def test_several_statuses_mean_any_of_them_and_an_exclamation_mark_none(self, emulator, orders, get):
        ids = {each: emulator.add_batch(orders.id, status=each) for each in ("failed", "queued", "success")}
        assert set(get("/batches", dataSet=orders.id, status="failed,queued")) == {
            ids["failed"],
            ids["queued"],
        }
        others = get("/batches", dataSet=orders.id, status="!failed,queued")
        assert ids["success"] in others
        assert not {ids["failed"], ids["queued"]} & set(others)

    def test_other_members_filter_too(self, emulator, orders, get):
        seven = emulator.add_batch(orders.id, rows=7)
        assert list(get("/batches", dataSet=orders.id, recordCount=7)) == [seven]
        assert list(get("/dataSets", name="CRM Profiles", properties="name")) == [CRM]

    def test_a_window_is_exclusive_to_the_millisecond(self, emulator, orders, get, clock):
        at = int(clock()) + 10
        emulator.add_batch(orders.id, opened=at + 0.0004)
        clock.advance(20)
        assert get("/batches", dataSet=orders.id, createdAfter=at * 1000) == {}
        assert len(get("/batches", dataSet=orders.id, createdAfter=at * 1000 - 1)) == 1

    @pytest.mark.parametrize(
        ("path", "params"),
        [
            ("/batches", {"orderBy": "down:created"}),
            ("/batches", {"createdAfter": "yesterday"}),
            ("/batches", {"start": "-1"}),
            ("/batches", {"datasetId": CRM}),
            ("/dataSets", {"limit": "0"}),
            ("/lastBatches", {"limit": "101"}),
        ],
    )
    def test_what_no_document_knows_is_refused(self, get, path, params):
        with pytest.raises(AepApiError) as refused:
            get(path, **params)
        assert refused.value.status == 400

    @pytest.mark.parametrize("path", ["/batches/nobody", "/dataSets/nobody,neither"])
    def test_ids_of_which_none_is_there_answer_404_in_the_shape_of_the_catalog(self, api, path):
        answer = api.call("GET", f"https://platform.adobe.io{CATALOG}{path}")
        assert answer.status == answer.json["status"] == 404
        assert (answer.json["type"], answer.json["title"]) == ("/placeholder/type/uri", "NotFoundError")

    def test_sandboxes_are_apart(self, emulator, api, orders):
        batch_id = emulator.add_batch(orders.id)
        there = {"x_sandbox_name": "dev"}
        assert api.call("GET", f"{CATALOG}/batches/{batch_id}", **there).status == 404
        assert api.call("GET", f"{CATALOG}/dataSets/{orders.id}", **there).status == 404
        assert orders.id not in api.call("GET", f"{CATALOG}/lastBatches", **there).json


class TestGrowth:
    def test_a_dataset_begins_with_one_old_batch(self, orders, get, clock):
        (old,) = get("/batches", dataSet=orders.id).values()
        assert old["recordCount"] == 50
        assert old["completed"] < (clock() - 29 * 24 * HOUR) * 1000

    def test_a_batch_of_growth_can_be_read_by_its_id(self, get, clock):
        clock.advance(5.5 * HOUR)
        listed = get("/batches", dataSet=CRM, limit=100)
        assert get(f"/batches/{','.join(listed)}") == listed

    def test_the_newest_is_under_way_in_the_last_minutes_of_an_hour(self, get, clock):
        clock.advance(1.95 * HOUR)
        newest = next(iter(get("/batches", dataSet=CRM, orderBy="desc:created", limit=1).values()))
        assert (newest["status"], "metrics" in newest) == ("processing", False)

    @pytest.mark.parametrize("hours", [7, 9_999, 10_001, 12_345])
    def test_batches_bring_what_the_count_grew_by(self, emulator, get, clock, hours):
        clock.advance((hours - 3) * HOUR)
        before, since = emulator.count_rows(WEB), int(clock() * 1000)
        clock.advance(3 * HOUR)
        batches = get("/batches", dataSet=WEB, createdAfter=since, status="success").values()
        assert len(batches) == 3
        assert sum(each["recordCount"] for each in batches) == emulator.count_rows(WEB) - before

    def test_a_listing_without_a_window_is_quick_in_a_clock_that_has_leapt(self, make_caller):
        api = make_caller(hour=2.0)
        api.clock.advance(90 * YEAR)
        api.log_in()
        began = time.process_time()
        for path in ("/batches", "/lastBatches", "/dataSets"):
            assert api.call("GET", f"{CATALOG}{path}", params=[("orderBy", "desc:created")]).json
        assert time.process_time() - began < 5


class TestExports:
    def test_rows_count_from_the_end_of_their_batch_so_an_earlier_export_lacks_them(self, api, emulator):
        still = emulator.add_dataset("Still", rows=50, hourly=0)
        flow = api.export(still.id)["flow"]
        start = api.clock()
        emulator.add_batch(still.id, rows=7, opened=start + 3.5 * HOUR, completed=start + 4.5 * HOUR)
        emulator.add_batch(still.id, rows=5, status="failed")
        api.clock.advance(8 * HOUR)
        written = [run["metrics"]["recordSummary"].get("outputRecordCount", 0) for run in api.runs(flow)]
        assert written == [50, 0, 7]

    def test_what_a_run_withholds_is_lost_for_good(self, api, emulator):
        still = emulator.add_dataset("Still", rows=50, hourly=0)
        flow = api.export(still.id)["flow"]
        emulator.script_runs(flow, ["success", "withheld", "success"])
        api.clock.advance(2 * HOUR)
        emulator.add_rows(still.id, 7)
        api.clock.advance(6 * HOUR)
        runs = api.runs(flow)
        assert [run["metrics"]["recordSummary"].get("outputRecordCount", 0) for run in runs] == [50, 0, 0]
        assert [run["metrics"]["statusSummary"]["status"] for run in runs] == ["success"] * 3

    def test_a_dataset_that_expires_is_gone_from_that_moment_on(self, api, emulator, orders, get, clock):
        flow = api.export(orders.id)["flow"]
        emulator.add_rows(orders.id, 9)
        emulator.expire_dataset(orders.id, clock() + 2 * HOUR)
        clock.advance(1.5 * HOUR)
        assert orders.id in get("/dataSets", limit=100)
        clock.advance(3 * HOUR)
        assert orders.id not in get("/dataSets", limit=100)
        assert get("/batches", dataSet=orders.id) == {}
        assert orders.id not in [each.id for each in emulator.datasets()]
        written = [run["metrics"]["recordSummary"].get("outputRecordCount", 0) for run in api.runs(flow)]
        assert written == [59, 0]


class TestLevers:
    @pytest.fixture
    def pull(self, emulator):
        """``pull("add_batch", dataset=...)``: a lever over HTTP, and what it answers."""

        def pull(name, **body):
            answer = control(emulator, "POST", f"/emulator/{name}", body)
            return answer.status, answer.json

        return pull

    def test_they_move_what_their_methods_move(self, emulator, orders, get, clock, pull):
        status, told = pull(
            "add_batch",
            dataset=orders.id,
            rows=4,
            opened=clock() - 9,
            completed=clock() - 3,
            tags={"a": ["b"]},
        )
        assert status == 200
        batch = get(f"/batches/{told['batch']}")[told["batch"]]
        assert (batch["completed"] - batch["created"], batch["tags"]) == (6000, {"a": ["b"]})
        assert emulator.count_rows(orders.id) == 54
        assert pull("label_dataset", dataset=WEB)[0] == pull("delete_dataset", dataset=CRM)[0] == 200
        assert pull("expire_dataset", dataset=orders.id, at=clock() + 5)[0] == 200
        clock.advance(5)
        assert {CRM, WEB, orders.id}.isdisjoint(get("/dataSets", limit=100))

    @pytest.mark.parametrize(
        ("name", "body", "told"),
        [
            ("add_batch", {"dataset": "nobody"}, "nobody"),
            ("add_batch", {"dataset": CRM, "rows": -1}, "rows must be"),
            ("add_batch", {"dataset": CRM, "opened": "now"}, "opened must be"),
            ("add_batch", {"dataset": CRM, "completed": float("nan")}, "completed must be"),
            ("add_batch", {"dataset": CRM, "created": "now"}, "created must be"),
            ("add_batch", {"dataset": CRM, "status": 5}, "status must be"),
            ("delete_dataset", {"dataset": "nobody"}, "nobody"),
            ("label_dataset", {"dataset": "nobody"}, "nobody"),
            ("expire_dataset", {"dataset": CRM, "at": -1}, "at must be"),
            ("expire_dataset", {"dataset": CRM}, "at"),
        ],
    )
    def test_one_that_cannot_move_says_why_and_changes_nothing(self, get, pull, name, body, told):
        before = get("/batches", dataSet=CRM)
        status, answer = pull(name, **body)
        assert status == 400
        assert told in answer["error"]
        assert get("/batches", dataSet=CRM) == before
