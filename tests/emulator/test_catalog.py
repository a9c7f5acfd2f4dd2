"""The Catalog: documented requests, and replies keyed by id."""

from __future__ import annotations

import pytest

from airflow_provider_aep.errors import AepApiError
from airflow_provider_aep.flowservice.exchange import Request

CATALOG = "/data/foundation/catalog"
HOUR = 3600.0


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
